"""Scores of a classifier: accuracy, precision, recall and F1 of each class, confusions.

Of texts with several labels, and of the k best labels of a text: precision and recall of the labels
that were given, as fastText counts them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from wordgrad.errors import ParameterError


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class, or a mean over classes.

    Attributes
    ----------
    label : str
    precision : float
        Of the texts that were given this label, the share that has it; 0 if none was given it.
    recall : float or None
        Of the texts that have it, the share that was given it; None if no text has it.
    f1 : float or None
        Their harmonic mean; None with the recall.
    texts : int
        How many have this label.
    """

    label: str
    precision: float
    recall: float | None
    f1: float | None
    texts: int


@dataclass(frozen=True)
class ClassificationReport:
    """Accuracy, scores of every class, and confusions; made by :func:`score_predictions`.

    Attributes
    ----------
    texts, correct : int
    classes : tuple of ClassScores
        The classifier's classes in their order, then labels it does not know, in theirs.
    macro : ClassScores
        Mean over the classes that any text has.
    weighted : ClassScores
        The same, each class weighed by its texts.
    unknown : dict of str to int
        Labels the classifier has never seen, and how many texts have them; each such text is an
        error.
    confusion : int64 (L, L)
        Texts with the label of the row that were given the label of the column; both in the order
        of ``classes``.
    """

    texts: int
    correct: int
    classes: tuple[ClassScores, ...]
    macro: ClassScores
    weighted: ClassScores
    unknown: dict[str, int]
    confusion: npt.NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """Share of the texts that were given the label they have."""
        return self.correct / self.texts

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the rows and columns of the confusions."""
        return tuple(one.label for one in self.classes)

    def confusions(self) -> list[tuple[str, str, int]]:
        """Label, another label given instead, how often; the most frequent first."""
        found = [
            (self.labels[row], self.labels[column], int(self.confusion[row, column]))
            for row, column in np.argwhere(self.confusion)
            if row != column
        ]
        return sorted(found, key=lambda one: (-one[2], one[0], one[1]))

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            "texts": self.texts,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "classes": [asdict(one) for one in self.classes],
            "macro": asdict(self.macro),
            "weighted": asdict(self.weighted),
            "unknown_labels": self.unknown,
            "confusion": {"labels": list(self.labels), "rows": self.confusion.tolist()},
        }


def score_predictions(
    classes: Sequence[str], labels: Sequence[str], predicted: Sequence[str]
) -> ClassificationReport:
    """Compare labels with predictions.

    Parameters
    ----------
    classes : sequence of str
        Those the classifier knows.
    labels, predicted : sequence of str (N,)
        What each text has, and what it was given.

    Raises
    ------
    ParameterError
        If there are no texts, or the lengths differ.

    Examples
    --------
    >>> report = score_predictions(["bad", "good"], ["bad", "good", "odd"], ["bad"] * 3)
    >>> report.correct, report.unknown, report.confusions()
    (1, {'odd': 1}, [('good', 'bad', 1), ('odd', 'bad', 1)])
    """
    if len(labels) != len(predicted) or not labels:
        raise ParameterError(
            "labels and predicted must be as many, and at least one, got "
            f"{len(labels)} and {len(predicted)}."
        )
    known = set(classes)
    counts = dict.fromkeys(sorted(set(labels) - known), 0)
    for label in labels:
        if label not in known:
            counts[label] += 1
    every = [*classes, *counts]
    matrix = np.asarray(confusion_matrix(labels, predicted, labels=every), dtype=np.int64)
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=every, zero_division=0.0
    )
    scores = tuple(
        ClassScores(
            label,
            float(precision[i]),
            float(recall[i]) if support[i] else None,
            float(f1[i]) if support[i] else None,
            int(support[i]),
        )
        for i, label in enumerate(every)
    )
    present = [one.label for one in scores if one.texts]
    means = [_mean(name, labels, predicted, present) for name in ("macro", "weighted")]
    correct = int(np.trace(matrix))
    return ClassificationReport(len(labels), correct, scores, means[0], means[1], counts, matrix)


def _mean(
    name: str, labels: Sequence[str], predicted: Sequence[str], present: Sequence[str]
) -> ClassScores:
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=present, average=name, zero_division=0.0
    )
    return ClassScores(f"{name} mean", float(precision), float(recall), float(f1), len(labels))


@dataclass(frozen=True)
class LabelReport:
    """Scores of several labels a text; made by :func:`score_labels`.

    Attributes
    ----------
    texts : int
    first_right : int
        Texts whose first label was right.
    given, wanted, right : int
        Labels that were given to texts, that they have, and that are both.
    classes : tuple of ClassScores
        The classifier's classes in their order, then labels it does not know, in theirs.
    unknown : dict of str to int
        Labels the classifier has never seen, and how many texts have them.
    """

    texts: int
    first_right: int
    given: int
    wanted: int
    right: int
    classes: tuple[ClassScores, ...]
    unknown: dict[str, int]

    @property
    def precision_of_the_first(self) -> float:
        """Share of the texts whose first label is right."""
        return self.first_right / self.texts

    @property
    def precision(self) -> float:
        """Share of the labels given that are right; 0 if none was given."""
        return self.right / self.given if self.given else 0.0

    @property
    def recall(self) -> float:
        """Share of the texts' labels that were given."""
        return self.right / self.wanted if self.wanted else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.right / (self.given + self.wanted) if self.given + self.wanted else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            "texts": self.texts,
            "precision_of_the_first": self.precision_of_the_first,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "labels_given": self.given,
            "labels_wanted": self.wanted,
            "labels_right": self.right,
            "classes": [asdict(one) for one in self.classes],
            "unknown_labels": self.unknown,
        }


def score_labels(
    classes: Sequence[str], labels: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> LabelReport:
    """Compare the labels of texts with those they were given.

    Parameters
    ----------
    classes : sequence of str
        Those the classifier knows.
    labels, predicted : sequence of sequences of str (N,)
        What each text has, and what it was given, the most probable first; each label once.

    Raises
    ------
    ParameterError
        If there are no texts, or the lengths differ.

    Examples
    --------
    >>> report = score_labels(["a", "b"], [["a", "b"], ["b"]], [["a"], ["a"]])
    >>> report.precision, round(report.recall, 4), report.precision_of_the_first
    (0.5, 0.3333, 0.5)
    """
    if len(labels) != len(predicted) or not labels:
        raise ParameterError(
            "labels and predicted must be as many, and at least one, got "
            f"{len(labels)} and {len(predicted)}."
        )
    known = set(classes)
    wanted = Counter(label for one in labels for label in one)
    given = Counter(label for one in predicted for label in one)
    right = Counter(
        label for one, two in zip(labels, predicted, strict=True) for label in set(one) & set(two)
    )
    unknown = {label: wanted[label] for label in sorted(set(wanted) - known)}
    scores = tuple(
        ClassScores(
            label,
            right[label] / given[label] if given[label] else 0.0,
            right[label] / wanted[label] if wanted[label] else None,
            2 * right[label] / (given[label] + wanted[label]) if wanted[label] else None,
            wanted[label],
        )
        for label in (*classes, *unknown)
    )
    first = sum(bool(two) and two[0] in one for one, two in zip(labels, predicted, strict=True))
    return LabelReport(
        len(labels), first, given.total(), wanted.total(), right.total(), scores, unknown
    )


def calibration(
    probabilities: Sequence[float], right: Sequence[bool], bins: int = 15
) -> tuple[list[dict[str, float]], float]:
    r"""How often answers are right, by how sure they are, and the expected calibration error.

    .. math:: \sum_b \frac{n_b}{n} \left| \mathrm{right}_b - \mathrm{probability}_b \right|

    over bins of equal width, of the shares of right answers and the mean probabilities.

    Parameters
    ----------
    probabilities : sequence of float in [0, 1] (N,)
        Of the labels that were given.
    right : sequence of bool (N,)
        Whether they are right.
    bins : int >= 1

    Returns
    -------
    bins : list of dict
        ``texts``, and where there are any their mean ``probability`` and the share ``right``.
    error : float

    Notes
    -----
    Guo, Pleiss, Sun and Weinberger, *On calibration of modern neural networks*, ICML 2017,
    equation 3.

    Examples
    --------
    >>> calibration([0.9, 0.8, 0.6, 0.6], [True, True, True, False], bins=2)
    ([{'texts': 0}, {'texts': 4, 'probability': 0.725, 'right': 0.75}], 0.025)
    """
    shares, hits = np.asarray(probabilities, np.float64), np.asarray(right, bool)
    places = np.minimum((shares * bins).astype(np.int64), bins - 1)
    rows: list[dict[str, float]] = []
    error = 0.0
    for place in range(bins):
        chosen = places == place
        row: dict[str, float] = {"texts": int(chosen.sum())}
        if row["texts"]:
            row["probability"] = round(float(shares[chosen].mean()), 12)
            row["right"] = float(hits[chosen].mean())
            error += row["texts"] * abs(row["right"] - row["probability"]) / len(shares)
        rows.append(row)
    return rows, round(error, 12)
