"""Labels as numbers, what examples count, and what features count."""

import random
from enum import IntEnum, StrEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad import TextClassifier
from wordgrad.classification.examples import (
    LEAST,
    LabelledBags,
    class_codes,
    divergences,
    example_weights,
)
from wordgrad.classification.features import Bags
from wordgrad.errors import ParameterError


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


def test_rows_are_measured_some_at_a_time(monkeypatch):
    rng = np.random.default_rng(3)
    given = examples([rng.integers(0, 40, 6) for _ in range(60)], rng.integers(0, 4, 60))
    whole = divergences(given, 41, 4)
    monkeypatch.setattr("wordgrad.classification.examples._LISTED", 20)
    assert divergences(given, 41, 4, workers=3).tolist() == whole.tolist()


@given(
    st.lists(st.lists(st.integers(0, 4), max_size=5), min_size=2, max_size=12),
    st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3),
    st.data(),
)
def test_what_a_class_is_worth_has_no_say(texts, worth, data):
    labels = data.draw(st.lists(st.integers(0, 2), min_size=len(texts), max_size=len(texts)))
    plain = divergences(examples(texts, labels), 5, 3)
    weighted = divergences(examples(texts, labels, [worth[label] for label in labels]), 5, 3)
    np.testing.assert_allclose(plain, weighted, rtol=1e-4, atol=1e-6)


def test_a_text_counts_as_one_at_most_and_less_below_the_mean_of_its_class():
    texts, labels = [[0], [1], [0, 1], [2], [2]], [0, 0, 0, 1, 1]
    # Of means 2 and 1: the texts count 1, 1/2, 1/2; 1, 1.
    found = divergences(examples(texts, labels, [4, 1, 1, 1, 1]), 3, 2)
    expected = np.array([by_hand(counts, [0.5, 0.5]) for counts in ([1.5, 0], [1, 0], [0, 2])])
    np.testing.assert_allclose(found, expected / expected.mean(), rtol=1e-5)


def test_a_text_of_next_to_no_weight_is_next_to_not_there():
    texts, labels = [[0, 2], [1], [0], [2, 1]], [0, 1, 0, 0]
    there = divergences(examples(texts, labels, [1, 1, 1, 1e-12]), 3, 2)
    gone = divergences(examples(texts[:3], labels[:3]), 3, 2)
    np.testing.assert_allclose(there, gone, rtol=1e-5)


def test_a_class_without_a_text_of_weight_does_no_harm():
    some = divergences(examples([[0], [1]], [0, 2]), 2, 3)
    assert some.tolist() == divergences(examples([[0], [1]], [0, 1]), 2, 2).tolist()
    texts, labels = ["a x", "b x", "c x"] * 5, ["a", "b", "c"] * 5
    model = TextClassifier(epochs=20, class_weight={"b": 0.0}).fit(texts, labels)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.predict(["a", "b", "c"]).tolist()[::2] == ["a", "c"]


@pytest.mark.parametrize("labels", [[0, 1], [1, 0]])
def test_features_that_tell_nothing_count_alike(labels):
    assert divergences(examples([[0], [0]], labels), 1, 2).tolist() == [1.0]


# ---------------------------------------------------------------- rare classes


def rare(n, seed, share=0.02):
    """Texts of one word that hints at the class, and five of twelve that tell nothing.

    Of the texts with a rare word, most are of the usual class all the same.
    """
    draw = random.Random(seed)
    texts, labels = [], []
    for _ in range(n):
        label = int(draw.random() < share)
        hint = label or draw.random() < 0.05
        word = ("rare" if hint else "usual") + str(draw.randrange(5))
        texts.append(" ".join([word, *(f"f{draw.randrange(12)}" for _ in range(5))]))
        labels.append(label)
    return texts, np.array(labels)


@pytest.mark.parametrize("way", ["balanced", "dict", "sample_weight", "both"])
def test_weights_for_a_rare_class_find_more_of_it(way):
    texts, labels = rare(4000, 1)
    new, truth = rare(3000, 77)
    worth = {0: len(labels) / (2 * (labels == 0).sum()), 1: len(labels) / (2 * labels.sum())}
    each = np.array([worth[label] for label in labels.tolist()])
    settings = {"balanced": {"class_weight": "balanced"}, "dict": {"class_weight": worth}}
    weights = each if way == "sample_weight" else None
    if way == "both":
        settings, weights = {"both": {"class_weight": {1: worth[1]}}}, np.full(len(labels), 3.0)

    given = {"learning_rate": 0.025, "vector_size": 64, "hidden_size": 32}

    def recall(model):
        return (model.predict(new)[truth == 1] == 1).mean()

    plain = recall(TextClassifier(**given).fit(texts, labels))
    found = recall(TextClassifier(**given, **settings.get(way, {})).fit(texts, labels, weights))
    assert found >= 0.95
    assert found > plain


# ---------------------------------------------------------------- labels


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Number(IntEnum):
    ONE = 1
    TWO = 2


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a", "b"], ["a", "b"]),
        (("b", "a", "b"), ["a", "b"]),
        ((label for label in "bab"), ["a", "b"]),
        ([np.str_("b"), "a", "b"], ["a", "b"]),
        ([np.int64(2), 1, np.int8(2)], [1, 2]),
        ([np.True_, False, True], [False, True]),
        ([Colour.RED, Colour.BLUE, Colour.RED], ["blue", "red"]),
        ([Number.TWO, Number.ONE, Number.TWO], [1, 2]),
        (np.array(["b", "a", "b"], object), ["a", "b"]),
    ],
)
def test_labels_of_every_kind_become_pythons(labels, classes):
    found, codes = class_codes(labels, 3)
    assert [(type(one), one) for one in found.tolist()] == [(type(one), one) for one in classes]
    assert codes.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", 1, "a"], r"got int, str \(1 in position 1\); convert them to one type"),
        ([1, True, 1], r"got bool, int \(True in position 1\)"),
        (["a", float("nan"), "a"], r"got float, str \(nan in position 1\).* without a label"),
        ([1.0, float("nan"), 1.0], r"got float \(1.0 in position 0\)"),
        (["a", None, "a"], r"got NoneType, str \(None in position 1\)"),
        ([b"a", b"b", b"a"], r"got bytes \(b'a' in position 0\)"),
        ([["a", "b"], ["a"], []], r"got \['a', 'b'\] in position 0; a text has one label"),
        (["a", ("a", "b"), "b"], r"got \('a', 'b'\) in position 1; a text has one label"),
        ([{"a"}, {"b"}, {"a"}], r"got {'a'} in position 0; a text has one label"),
        (np.array([[0, 1], [1, 0], [1, 1]]), r"got the shape \(3, 2\); a text has one label"),
        (np.array([["a"], ["b"], ["a"]]), r"got the shape \(3, 1\).* ravel"),
        (["a", "b"], r"one for each of the 3 texts, got the shape \(2,\)"),
        ("aba", "one for each of the 3 texts, got 'aba'; give a list"),
        (7, "one for each of the 3 texts, got 7; give a list"),
        (None, "one for each of the 3 texts, got None; give a list"),
        ({"a": 1, "b": 2}, "one for each of the 3 texts, got a dict; give a list"),
        ({"a", "b", "c"}, "one for each of the 3 texts, got a set; give a list"),
        (["a", "\ud800", "a"], r"labels must be valid Unicode, got '.ud800'"),
    ],
)
def test_labels_that_cannot_be_used(labels, message):
    with pytest.raises(ParameterError, match=message):
        class_codes(labels, 3)


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize(
    ("sample_weight", "class_weight", "message"),
    [
        (["x", 1, 1], None, "sample_weight must hold a number for each of the 3 examples"),
        ([[1], [1, 2], 1], None, "sample_weight must hold a number for each of the 3 examples"),
        ([1, 1], None, r"sample_weight must be one for each of the 3 .* got the shape \(2,\)"),
        (2.0, None, r"got the shape \(\); give a number for each text"),
        ([[1], [1], [1]], None, r"got the shape \(3, 1\)"),
        ([1, -2, 1], None, "finite numbers >= 0, got -2 in position 1"),
        ([1, 1, np.nan], None, "finite numbers >= 0, got nan in position 2"),
        ([1, None, 1], None, "finite numbers >= 0, got nan in position 1"),
        ([1, np.inf, 1], None, "finite numbers >= 0, got inf in position 1"),
        ([0, 0, 0], None, "leave an example a weight above 0, got zero for all"),
        (None, {0: 0, 1: 0}, "leave an example a weight above 0, got zero for all"),
        ([1e300, 1, 1], {0: 1e300}, "finite products, got 1e.300 times 1e.300"),
        (None, "Balanced", "class_weight must be a dict, 'balanced' or None, got 'Balanced'"),
        (None, [1, 2], r"class_weight must be a dict, 'balanced' or None, got \[1, 2\]"),
        (None, np.ones(2), "class_weight must be a dict, 'balanced' or None"),
        (None, {"0": 1.0}, r"name classes among \[0, 1\], got '0'; correct"),
        (None, {0: "much"}, "class_weight must be a finite number >= 0, got 'much'"),
        (None, {0: -1.0}, "class_weight must be a finite number >= 0, got -1"),
        (None, {0: float("nan")}, "class_weight must be a finite number >= 0, got nan"),
    ],
)
def test_weights_that_cannot_be_used(sample_weight, class_weight, message):
    with pytest.raises(ParameterError, match=message):
        example_weights(sample_weight, class_weight, np.array([0, 1]), np.array([0, 1, 0]))


@pytest.mark.parametrize("scale", [1e-310, 1e-30, 1.0, 1e30, 1e308])
def test_weights_of_any_size_teach_the_same(scale):
    texts, labels = ["a x", "b x", "a y", "b y"] * 5, [0, 1, 0, 1] * 5
    weights = np.array([1.0, 0.5, 0.25, 1.0] * 5) * scale
    model = TextClassifier(epochs=2, class_weight="balanced").fit(texts, labels, weights)
    usual = TextClassifier(epochs=2, class_weight="balanced").fit(texts, labels, weights / scale)
    np.testing.assert_allclose(model.predict_proba(texts), usual.predict_proba(texts), rtol=1e-4)
