"""docs/derivations/hierarchical-softmax.md, executed for a tree of five words."""

from itertools import pairwise

import sympy as sp

D = 2
# Paths as (node, sign): a tree of five words that is not balanced.
PATHS = [
    [(0, 1), (1, 1)],
    [(0, 1), (1, -1)],
    [(0, -1), (2, 1)],
    [(0, -1), (2, -1), (3, 1)],
    [(0, -1), (2, -1), (3, -1)],
]
h = sp.Matrix(sp.symbols("h:2", real=True))
W_out = sp.Matrix(4, D, sp.symbols("u:8", real=True))


def sigma(t):
    return 1 / (1 + sp.exp(-t))


def score(node):
    return (W_out[node, :] * h)[0]


def probability(path):
    return sp.prod([sigma(sign * score(node)) for node, sign in path])


def test_probabilities_sum_to_1():
    """hierarchical-softmax.md, "Probabilities sum to 1"."""
    assert sp.simplify(sum(map(probability, PATHS)) - 1) == 0


def test_gradients():
    """hierarchical-softmax.md, "Gradients"."""
    for path in (PATHS[0], PATHS[3]):
        J = -sp.log(probability(path))
        d_h = sp.Matrix([sp.diff(J, symbol) for symbol in h])
        formula = sp.zeros(D, 1)
        for node, sign in path:
            error = -sign * sigma(-sign * score(node))
            formula += error * W_out[node, :].T
            d_u = sp.Matrix([[sp.diff(J, symbol) for symbol in W_out[node, :]]])
            assert sp.simplify(d_u - error * h.T) == sp.zeros(1, D)
        assert sp.simplify(d_h - formula) == sp.zeros(D, 1)
        others = {0, 1, 2, 3} - {node for node, _ in path}
        assert all(sp.diff(J, symbol) == 0 for node in others for symbol in W_out[node, :])


def test_errors_by_codes():
    """hierarchical-softmax.md, "Gradients": word2vec.c's way to write the error."""
    z = sp.Symbol("z", real=True)
    for sign, code in ((1, 0), (-1, 1)):
        assert sp.simplify(-sign * sigma(-sign * z) - (sigma(z) - (1 - code))) == 0


def lengths_of_all_trees(n):
    """Lengths of the paths to n leaves, in order, of every binary tree."""
    if n == 1:
        return [[0]]
    return [
        [1 + length for length in [*left, *right]]
        for cut in range(1, n)
        for left in lengths_of_all_trees(cut)
        for right in lengths_of_all_trees(n - cut)
    ]


def test_huffmans_tree_is_the_shortest():
    """hierarchical-softmax.md, "Which tree": no tree of five words has shorter paths."""
    from wordgrad.training.kernels.huffman import HuffmanTree

    for counts in ([5, 4, 3, 2, 1], [8, 4, 2, 1, 1], [1, 1, 1, 1, 1], [100, 3, 3, 2, 1]):
        tree = HuffmanTree.from_counts(counts)
        found = sum(
            count * (last - first)
            for count, (first, last) in zip(counts, pairwise(tree.offsets), strict=True)
        )
        # The best assignment of lengths gives the shortest paths to the most frequent words.
        best = min(
            sum(count * length for count, length in zip(counts, sorted(lengths), strict=True))
            for lengths in lengths_of_all_trees(len(counts))
        )
        assert found == best
        q = [sp.Rational(count, sum(counts)) for count in counts]
        entropy = -sum(share * sp.log(share, 2) for share in q)
        mean = sp.Rational(int(found), sum(counts))
        assert entropy.evalf() - 1e-12 <= mean <= entropy.evalf() + 1
