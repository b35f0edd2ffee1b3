"""The tree of the hierarchical softmax: paths, ties, and the tiles that paths are cut into."""

import ctypes
import heapq
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.errors import ParameterError
from wordgrad.training.kernels import window
from wordgrad.training.kernels.huffman import HuffmanTree
from wordgrad.training.kernels.intrinsics import load_int64, store_int32
from wordgrad.training.parameters import aligned_rows


def codes(tree):
    return ["".join(map(str, tree.path(word)[1])) for word in range(tree.n_words)]


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        ([3, 1], ["1", "0"]),
        # 1 + 1 = 2, and that ties with the word of count 2: the inner node is taken first.
        ([5, 2, 1, 1], ["1", "01", "001", "000"]),
        # Equal counts: the last word first; then inner nodes in the order they were made.
        ([1, 1, 1, 1], ["11", "10", "01", "00"]),
        ([1, 1, 1], ["0", "11", "10"]),
        ([2, 2, 2, 1, 1], ["11", "10", "01", "001", "000"]),
    ],
)
def test_codes_by_hand(counts, wanted):
    """Worked out with pencil and paper by the rule of word2vec.c that the module states."""
    assert codes(HuffmanTree.from_counts(counts)) == wanted


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 9) | st.integers(1, 10**6), min_size=2, max_size=60))
def test_the_code_is_a_whole_tree_of_the_least_weight(counts):
    tree = HuffmanTree.from_counts(counts)
    written = codes(tree)
    assert not any(b.startswith(a) for a, b in pairwise(sorted(written)))  # no prefix of another
    assert sum(2.0 ** -len(code) for code in written) == 1.0  # Kraft: no leaf is missing
    heap = list(counts)
    heapq.heapify(heap)
    least = 0
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        least += joined
        heapq.heappush(heap, joined)
    assert sum(c * len(code) for c, code in zip(counts, written, strict=True)) == least
    # Every path begins at the root and goes down: to nodes that were made earlier.
    for word in range(len(counts)):
        nodes = tree.path(word)[0].tolist()
        assert nodes[0] == tree.n_nodes - 1
        assert nodes == sorted(nodes, reverse=True)
    # Words with the same beginning of a code share the nodes there.
    known = {}
    for word, code in enumerate(written):
        for depth, node in enumerate(tree.path(word)[0].tolist()):
            assert known.setdefault(code[:depth], node) == node
    assert len(known) == tree.n_nodes


def test_words_in_any_order_have_the_same_lengths():
    rng = np.random.default_rng(3)
    counts = rng.integers(1, 50, 40)
    order = rng.permutation(40)
    sizes = np.diff(HuffmanTree.from_counts(np.sort(counts)[::-1]).offsets)
    shuffled = np.diff(HuffmanTree.from_counts(np.sort(counts)[::-1][order]).offsets)
    assert (np.sort(shuffled) == np.sort(sizes)).all()


def test_the_longest_paths_that_counts_can_make():
    fibonacci = [1, 1]
    while len(fibonacci) < 80:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    assert HuffmanTree.from_counts(fibonacci).longest == 79


@pytest.mark.parametrize("counts", [[], [4]])
def test_a_word_alone_has_no_path(counts):
    with pytest.raises(ParameterError, match=f"at least two words, got {len(counts)}"):
        HuffmanTree.from_counts(counts)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(1, 99), min_size=2, max_size=40),
    st.integers(0, 1000),
    st.sampled_from([0.1, 1.0, 30.0]),
)
def test_probabilities_sum_to_1(counts, seed, scale):
    tree = HuffmanTree.from_counts(counts)
    rng = np.random.default_rng(seed)
    W_out = rng.normal(scale=scale, size=(tree.n_nodes, 5))
    h = rng.normal(size=5)
    logarithms = tree.log_probabilities(h, W_out)
    assert np.exp(logarithms).sum() == pytest.approx(1.0, rel=1e-12)
    word = seed % len(counts)
    nodes, turns = tree.path(word)
    signs = 1 - 2.0 * turns
    by_hand = -np.logaddexp(0, -signs * (W_out[nodes] @ h)).sum()
    assert logarithms[word] == pytest.approx(by_hand, rel=1e-12)


def test_outputs_of_a_batch():
    tree = HuffmanTree.from_counts([5, 2, 1, 1])
    outputs, offsets, signs = tree.outputs(np.array([[0], [3]], np.int32))
    assert (outputs.tolist(), offsets.tolist()) == ([2, 0, 1, 2], [0, 1, 4])
    assert signs.tolist() == [-1, 1, 1, 1]
    outputs, offsets, signs = tree.outputs(np.array([[0, 2, 3], [3, 0, 0]], np.int32))
    assert outputs.tolist() == [2, 3, 5, 6, 0, 1, 2, 6, 3, 3]
    assert offsets.tolist() == [0, 4, 10]
    assert signs.tolist() == [-1, 1, -1, -1, 1, 1, 1, 1, -1, -1]


@pytest.mark.parametrize("n", range(1, 31))
def test_tiles_that_the_kernel_cuts_are_those_of_python(n):
    ws = window.Workspace(window_rows=4, negative=0, n_floats=16, span_tokens=1, most_outputs=31)
    turns = np.random.default_rng(n).integers(0, 2, n)
    for k, turn in enumerate(turns.tolist()):
        store_int32_at(ws.addresses.turns, k, turn)
    cut(n, 0, ws.addresses.outputs, ws.addresses.tiles, ws.addresses)
    wanted = window.tiles_with(turns.tolist())
    found = [load_at(ws.addresses.tiles, k) for k in range(len(wanted))]
    assert found == wanted.tolist()


@window.jit
def cut(n, distinct, outputs, tiles, ws):
    window.cut_tiles(n, distinct, outputs, tiles, ws)


@window.jit
def store_int32_at(table, k, value):
    store_int32(table, k, value)


@window.jit
def load_at(table, k):
    return load_int64(table, k)


def test_threads_hand_their_changes_of_nodes_near_the_root_on():
    tree = HuffmanTree.from_counts(np.arange(40, 0, -1))
    W_out = aligned_rows(tree.n_nodes, 16)
    W_out[:] = np.random.default_rng(1).integers(-9, 9, W_out.shape)
    start, shared = W_out.copy(), W_out.ctypes.data
    workers = [
        window.Workspace(
            window_rows=2, negative=0, n_floats=16, span_tokens=9, tree=tree,
            pairs_of_others=1.0, learning_rate=0.1,
        )
        for _ in range(2)
    ]  # fmt: skip
    own = []
    for worker in workers:
        window.load_nodes(shared, 16, worker.addresses)
        n = tree.n_nodes - worker.addresses.first_private
        assert n == min(tree.n_nodes, window.PRIVATE_NODES)
        memory = (ctypes.c_float * (n * 16)).from_address(worker.addresses.private)
        own.append(np.ctypeslib.as_array(memory).reshape(n, 16))
        np.testing.assert_array_equal(own[-1], start[-n:])
    own[0] += 1
    own[1] += 100
    window.merge_nodes(shared, 16, workers[0].addresses)
    np.testing.assert_array_equal(W_out, start + 1)
    own[0] += 10
    for worker in (workers[1], workers[0], workers[1]):
        window.merge_nodes(shared, 16, worker.addresses)
    for rows in (W_out, *own):
        np.testing.assert_array_equal(rows, start + 111)


def test_rows_of_nodes_are_a_threads_own_where_they_may_be_old():
    tree = HuffmanTree.from_counts([5, 3, 2, 1])
    for others, rate, n in ((0.0, 0.1, 0), (1.0, 0.1, 3), (1.0, 0.4, 0), (30.0, 0.01, 3)):
        worker = window.Workspace(
            window_rows=2, negative=0, n_floats=16, span_tokens=9, tree=tree,
            pairs_of_others=others, learning_rate=rate,
        )  # fmt: skip
        assert worker.addresses.n_nodes - worker.addresses.first_private == n
