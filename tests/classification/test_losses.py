"""Losses of classifiers: trees are Huffman's, and probabilities and slopes fit them."""

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.classification.losses import (
    LOSSES,
    NO_TREE,
    class_tree,
    log_odds_slopes,
    mean_loss,
    probabilities,
)
from wordgrad.maths import binary_cross_entropy, cross_entropy

COUNTS = st.lists(st.integers(0, 1000), min_size=2, max_size=40)


@given(COUNTS)
def test_no_tree_asks_fewer_questions(counts):
    tree = class_tree(np.array(counts))
    lengths = np.diff(tree.offsets)
    heap = list(counts)
    heapq.heapify(heap)
    cost = 0
    while len(heap) > 1:
        pair = heapq.heappop(heap) + heapq.heappop(heap)
        cost += pair
        heapq.heappush(heap, pair)
    assert int(lengths @ np.array(counts)) == cost
    assert sum(0.5**length for length in lengths.tolist()) == 1


@given(COUNTS, st.integers(0, 1000))
def test_the_ways_lead_to_the_leaves(counts, seed):
    tree, n = class_tree(np.array(counts)), len(counts)
    logits = np.random.default_rng(seed).normal(size=(3, n - 1))
    found = probabilities("hierarchical-softmax", logits, tree)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    for label in range(n):
        way = slice(tree.offsets[label], tree.offsets[label + 1])
        node, chance = 2 * n - 2, np.ones(3)
        for question, sign in zip(tree.nodes[way], tree.signs[way], strict=True):
            assert question == node - n
            chance *= 1 / (1 + np.exp(-sign * logits[:, question]))
            node = (tree.right if sign > 0 else tree.left)[node]
        assert node == label
        np.testing.assert_allclose(found[:, label], chance, rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_slopes_of_the_log_odds_by_differences(loss):
    rng = np.random.default_rng(3)
    tree = class_tree(np.array([5, 1, 9, 2])) if loss == "hierarchical-softmax" else NO_TREE
    logits = rng.normal(size=3 if len(tree.nodes) else 4)

    def log_odds(z, label):
        p = probabilities(loss, z[None], tree)[0, label]
        return np.log(p / (1 - p))

    for label in range(4):
        slopes = log_odds_slopes(loss, logits, label, tree)
        for j in range(len(logits)):
            step = 1e-5 * np.eye(len(logits))[j]
            slope = (log_odds(logits + step, label) - log_odds(logits - step, label)) / 2e-5
            assert slopes[j] == pytest.approx(slope, abs=1e-8)


def test_mean_losses_are_those_of_maths():
    rng = np.random.default_rng(4)
    logits = 3 * rng.normal(size=(3, 4))
    labels, ends = np.array([1, 3, 0, 0]), np.array([0, 2, 3, 4])
    targets = np.zeros((3, 4))
    targets[[0, 0, 1, 2], labels] = 1
    shared = targets / targets.sum(axis=1, keepdims=True)
    for loss, exact, target in (
        ("softmax", cross_entropy, shared), ("one-vs-all", binary_cross_entropy, targets)
    ):  # fmt: skip
        found = mean_loss(loss, logits, labels, ends, NO_TREE)
        for i in range(3):
            assert found[i] == pytest.approx(exact(logits[i], target[i])[0], rel=1e-12)
    none = mean_loss("one-vs-all", logits, labels[:0], np.zeros(4, np.int64), NO_TREE)
    assert none[0] == pytest.approx(binary_cross_entropy(logits[0], np.zeros(4))[0])


def test_every_class_may_have_a_tree_of_two():
    tree = class_tree(np.array([0, 0]))
    found = probabilities("hierarchical-softmax", np.zeros((1, 1)), tree)
    assert found.tolist() == [[0.5, 0.5]]
