"""How much features count."""

import numpy as np
import pytest

from wordgrad.classification.examples import LEAST, LabelledBags, divergences
from wordgrad.classification.features import Bags


def examples(texts, labels, weights=None):
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    features = np.array([feature for text in texts for feature in text], np.int32)
    weights = np.ones(len(texts)) if weights is None else np.array(weights)
    return LabelledBags(
        Bags(features, offsets, len(features), 0), np.array(labels), weights.astype(np.float32)
    )


def by_hand(counts, prior):
    """sqrt(KL(q || p)) with one pseudo-count shared as the prior."""
    counts, prior = np.asarray(counts, float), np.asarray(prior, float)
    q = (counts + prior) / (counts.sum() + 1)
    return np.sqrt((q * np.log(q / prior)).sum())


def test_values_by_hand():
    # Feature 0 is in both texts of class 0, 1 in one text of each class, 2 in one of class 1.
    found = divergences(examples([[0, 0, 1], [0], [1], [2]], [0, 0, 1, 1]), 3, 2)
    half = [0.5, 0.5]
    expected = np.array([by_hand([2, 0], half), by_hand([1, 1], half), by_hand([0, 1], half)])
    assert expected[1] == 0
    expected = np.maximum(expected / expected.mean(), LEAST)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found[0] > found[2] > found[1] > 0


def test_a_text_of_weight_two_counts_as_two_texts():
    once = divergences(examples([[0, 1], [1], [2]], [0, 1, 1], [2, 1, 1]), 3, 2)
    twice = divergences(examples([[0, 1], [0, 1], [1], [2]], [0, 0, 1, 1]), 3, 2)
    np.testing.assert_allclose(once, twice, rtol=1e-6)


@pytest.mark.parametrize("labels", [[0, 1], [1, 0]])
def test_features_that_tell_nothing_count_alike(labels):
    assert divergences(examples([[0], [0]], labels), 1, 2).tolist() == [1.0]
