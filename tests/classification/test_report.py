"""Scores of predictions: hand-worked figures, and what holds for any."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.classification.report import score_labels, score_predictions
from wordgrad.errors import ParameterError

CLASSES = ["a", "b", "c"]


def test_figures_worked_by_hand():
    # a: 2 of 3 found, 1 of the 3 given wrongly; b: 1 of 2; c: none, and given once; d: unknown.
    labels = ["a", "a", "a", "b", "b", "d"]
    given_ = ["a", "a", "b", "b", "c", "a"]
    report = score_predictions(CLASSES, labels, given_)
    assert (report.correct, report.texts, report.accuracy) == (3, 6, 0.5)
    assert report.labels == ("a", "b", "c", "d")
    found = {one.label: (one.precision, one.recall, one.f1, one.texts) for one in report.classes}
    assert found["a"] == pytest.approx((2 / 3, 2 / 3, 2 / 3, 3))
    assert found["b"] == pytest.approx((1 / 2, 1 / 2, 1 / 2, 2))
    assert found["c"] == (0.0, None, None, 0)
    assert found["d"] == (0.0, 0.0, 0.0, 1)
    assert report.macro.f1 == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)  # c is in no text
    assert report.weighted.recall == pytest.approx(0.5)
    assert report.unknown == {"d": 1}
    assert report.confusion.tolist() == [[2, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    assert report.confusions() == [("a", "b", 1), ("b", "c", 1), ("d", "a", 1)]


@given(
    pairs=st.lists(
        st.tuples(st.sampled_from([*CLASSES, "new", "newer"]), st.sampled_from(CLASSES)), min_size=1
    )
)
def test_what_holds_for_any_predictions(pairs):
    labels, predicted = ([pair[i] for pair in pairs] for i in (0, 1))
    report = score_predictions(CLASSES, labels, predicted)
    assert report.correct == sum(label == other for label, other in pairs)
    assert report.confusion.sum() == len(pairs) == sum(one.texts for one in report.classes)
    assert sum(count for _, _, count in report.confusions()) == len(pairs) - report.correct
    # The mean of the recalls, each weighed by its class's texts, is the accuracy.
    assert report.weighted.recall == pytest.approx(report.accuracy)
    assert set(report.unknown) == set(labels) - set(CLASSES)
    shown = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert math.isclose(shown["accuracy"], report.accuracy)


@pytest.mark.parametrize(("labels", "predicted"), [([], []), (["a"], []), (["a"], ["a", "b"])])
def test_lengths_are_checked(labels, predicted):
    with pytest.raises(ParameterError, match="must be as many, and at least one"):
        score_predictions(CLASSES, labels, predicted)


def test_several_labels_worked_by_hand():
    labels = [("a", "b"), ("b",), (), ("d",)]
    predicted = [("b", "c"), ("b", "a"), ("a",), ()]
    report = score_labels(CLASSES, labels, predicted)
    assert (report.given, report.wanted, report.right, report.first_right) == (5, 4, 2, 2)
    assert (report.precision, report.recall, report.f1) == (2 / 5, 2 / 4, 4 / 9)
    assert report.precision_of_the_first == 0.5
    found = {one.label: (one.precision, one.recall, one.f1, one.texts) for one in report.classes}
    assert found == {
        "a": (0.0, 0.0, 0.0, 1), "b": (1.0, 1.0, 1.0, 2), "c": (0.0, None, None, 0),
        "d": (0.0, 0.0, 0.0, 1),
    }  # fmt: skip
    assert report.unknown == {"d": 1}
    none = score_labels(CLASSES, [()], [()])
    assert (none.precision, none.recall, none.f1) == (0, 0, 0)
    with pytest.raises(ParameterError, match="must be as many"):
        score_labels(CLASSES, [], [])


@given(
    pairs=st.lists(
        st.tuples(st.sampled_from([*CLASSES, "new"]), st.sampled_from(CLASSES)), min_size=1
    )
)
def test_one_label_each_is_accuracy(pairs):
    labels, predicted = ([pair[i] for pair in pairs] for i in (0, 1))
    whole = score_predictions(CLASSES, labels, predicted)
    report = score_labels(CLASSES, [(one,) for one in labels], [(one,) for one in predicted])
    assert report.precision == report.recall == report.precision_of_the_first == whole.accuracy
    assert report.unknown == whole.unknown
    for mine, theirs in zip(report.classes, whole.classes, strict=True):
        assert mine.label == theirs.label
        assert (mine.precision, mine.recall, mine.f1) == pytest.approx(
            (theirs.precision, theirs.recall, theirs.f1)
        )
    json.dumps(report.to_dict(), allow_nan=False)
