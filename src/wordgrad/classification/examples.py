r"""Examples: labels as numbers, what each example counts, a part kept for validation.

How much a feature counts in the mean of a text's vectors.

A feature that occurs in texts of one class alone tells more than one that occurs everywhere.  With
the share :math:`q_c` of class c among the training texts that hold feature f, and the share
:math:`p_c` among all of them,

.. math:: a_f = \sqrt{\mathrm{KL}(q \,\|\, p)} = \sqrt{\sum_c q_c \log (q_c / p_c)}, \qquad
          q_c = \frac{n_{fc} + \alpha p_c}{n_f + \alpha}

and all are divided by their mean.  With :math:`\alpha = 1` a feature of a single text counts less
than one that many texts of a class share.  The idea, for linear models, is that of Wang and
Manning, *Baselines and bigrams: simple, good sentiment and topic classification*, ACL 2012, who
scale features by their log-count ratio; the divergence serves any number of classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.classification.features import Bags
from wordgrad.errors import ParameterError, check_real

Codes = NDArray[np.int64]


def class_codes(labels: ArrayLike, n_texts: int) -> tuple[NDArray[Any], Codes]:
    """Classes, in their order, and the number of each text's class.

    Raises
    ------
    ParameterError
        If there is not one label a text, a label is neither string nor integer, or there are fewer
        than two classes, or as many as texts (more than two of them).

    Examples
    --------
    >>> classes, codes = class_codes(["praise", "blame", "praise"], 3)
    >>> classes.tolist(), codes.tolist()
    (['blame', 'praise'], [1, 0, 1])
    """
    if n_texts == 0:
        raise ParameterError("texts must hold at least two texts, got none.")
    given = np.asarray(labels)
    if given.ndim != 1 or len(given) != n_texts:
        raise ParameterError(
            f"labels must be one for each of the {n_texts} texts, got the shape {given.shape}."
        )
    kinds = {type(label) for label in given.tolist()}
    if not kinds <= {str} and not kinds <= {int, bool}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ParameterError(f"labels must be all strings or all integers, got {names}.")
    classes, codes = np.unique(given, return_inverse=True)
    if len(classes) < 2:
        raise ParameterError(
            f"labels must hold at least two classes, got one class, {classes.tolist()[0]!r}; "
            "there is nothing to tell apart."
        )
    if len(classes) == n_texts > 2:
        raise ParameterError(
            f"labels must repeat, got {n_texts} classes for {n_texts} texts; is it the right "
            "column?"
        )
    return classes, codes.astype(np.int64)


def example_weights(
    sample_weight: ArrayLike | None,
    class_weight: Mapping[Any, float] | str | None,
    classes: NDArray[Any],
    codes: Codes,
) -> NDArray[np.float64]:
    """What each example counts: its own weight times its class's.

    Parameters
    ----------
    sample_weight : array_like (N,), optional
        Finite and at least 0.
    class_weight : mapping of class to weight, "balanced" or None
        A class that is not named counts 1; "balanced" lets all classes count the same in sum.

    Returns
    -------
    float64 (N,)

    Raises
    ------
    ParameterError
        If a weight is out of range, or all are 0.

    Examples
    --------
    >>> example_weights(None, "balanced", np.array(["a", "b"]), np.array([0, 0, 0, 1]))
    array([0.666..., 0.666..., 0.666..., 2.        ])
    """
    weights = _own_weights(sample_weight, len(codes))
    factors = np.ones(len(classes))
    totals = np.bincount(codes, weights, minlength=len(classes))
    if isinstance(class_weight, Mapping):
        names = classes.tolist()
        for label, weight in class_weight.items():
            if label not in names:
                raise ParameterError(
                    f"class_weight must name classes among {names}, got {label!r}."
                )
            factors[names.index(label)] = check_real("class_weight", weight, minimum=0.0)
    elif class_weight == "balanced":
        present = totals > 0
        factors[present] = totals.sum() / (present.sum() * totals[present])
    elif class_weight is not None:
        raise ParameterError(
            f"class_weight must be a dict, 'balanced' or None, got {class_weight!r}."
        )
    chosen: NDArray[np.float64] = weights * factors[codes]
    if not chosen.any():
        raise ParameterError(
            "sample_weight and class_weight must leave an example a weight above 0, got zero for "
            "all of them."
        )
    return chosen


def check_two_classes(weights: NDArray[np.float64], codes: Codes) -> None:
    """Raise :class:`ParameterError` unless examples of two classes have a weight above 0."""
    left = len(np.unique(codes[weights > 0]))
    if left < 2:
        raise ParameterError(
            "sample_weight and class_weight must leave examples of at least two classes, got "
            "one class with a weight above zero."
        )


def _own_weights(sample_weight: ArrayLike | None, n: int) -> NDArray[np.float64]:
    if sample_weight is None:
        return np.ones(n)
    weights = np.asarray(sample_weight, np.float64)
    if weights.shape != (n,):
        raise ParameterError(
            f"sample_weight must be one for each of the {n} examples, got the shape "
            f"{weights.shape}."
        )
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        raise ParameterError(
            f"sample_weight must hold finite numbers >= 0, got {weights[bad][0]:g}."
        )
    return weights


def held_out(codes: Codes, fraction: float, seed: int) -> tuple[Codes, Codes]:
    """Positions to train on and positions to validate on, each class shared alike.

    A class gives ``fraction`` of its examples, rounded, and keeps one at least.

    Raises
    ------
    ParameterError
        If nothing is left to validate on.
    """
    random = np.random.default_rng([seed, 4])
    order = random.permutation(len(codes))
    held = np.zeros(len(codes), bool)
    for code in range(int(codes.max()) + 1):
        members = order[codes[order] == code]
        held[members[: min(round(fraction * len(members)), len(members) - 1)]] = True
    if not held.any():
        raise ParameterError(
            f"early_stopping needs examples to validate on, got {len(codes)} examples with "
            f"validation_fraction={fraction:g}; give more, or early_stopping=False."
        )
    return np.flatnonzero(~held), np.flatnonzero(held)


@dataclass(frozen=True)
class LabelledBags:
    """Texts, their classes as int64 (N,), and what each counts as float32 (N,), mean 1."""

    bags: Bags
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]

    @classmethod
    def of(
        cls, bags: Bags, labels: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> LabelledBags:
        """Texts whose weights are scaled to the mean 1."""
        return cls(bags, labels, (weights / weights.mean()).astype(np.float32))

    def take(self, texts: NDArray[np.int64]) -> LabelledBags:
        """Some of the texts, in the order given."""
        return LabelledBags(self.bags.take(texts), self.labels[texts], self.weights[texts])


SMOOTHING = 1.0
LEAST = 1e-3
"""No feature's weight is less, as a share of the mean: its vector would never be learned."""


def divergences(examples: LabelledBags, n_features: int, n_classes: int) -> NDArray[np.float32]:
    """Weight of every feature, mean 1.

    Parameters
    ----------
    examples : LabelledBags
        The training texts.
    n_features, n_classes : int

    Returns
    -------
    float32 (n_features,)
    """
    bags, labels, weights = examples.bags, examples.labels, examples.weights
    texts = np.repeat(np.arange(len(bags)), np.diff(bags.offsets))
    # A text counts once for a feature, however often it holds it.
    pairs = np.unique(texts * np.int64(n_features) + bags.features)
    texts, features = np.divmod(pairs, n_features)
    cells = features * n_classes + labels[texts]
    counts = np.bincount(cells, weights[texts], minlength=n_features * n_classes)
    counts = counts.reshape(n_features, n_classes)
    totals = np.bincount(labels, weights, minlength=n_classes)
    prior = totals / totals.sum()
    share = (counts + SMOOTHING * prior) / (counts.sum(axis=1, keepdims=True) + SMOOTHING)
    divergence = (share * np.log(share / prior)).sum(axis=1)
    found = np.sqrt(np.maximum(divergence, 0.0))
    mean = found.mean()
    if mean == 0:
        return np.ones(n_features, np.float32)
    importance: NDArray[np.float32] = np.maximum(found / mean, LEAST).astype(np.float32)
    return importance
