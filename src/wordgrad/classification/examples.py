r"""Labelled examples: class numbers, what an example and a feature count, a held-out part.

How much a feature counts in the mean of a text's vectors is fixed before training.  A feature that
occurs in texts of one class alone tells more than one that occurs everywhere.  With the share
:math:`q_c` of class c among the training texts that hold feature f, and the share :math:`p_c` among
all of them,

.. math:: a_f = \sqrt{\mathrm{KL}(q \,\|\, p)} = \sqrt{\sum_c q_c \log (q_c / p_c)}, \qquad
          q_c = \frac{n_{fc} + \alpha p_c}{n_f + \alpha}

and all are divided by their mean.  With :math:`\alpha = 1` a feature of a single text counts less
than one that many texts of a class share.  The idea, for linear models, is that of Wang and
Manning, *Baselines and bigrams: simple, good sentiment and topic classification*, ACL 2012, who
scale features by their log-count ratio; the divergence serves any number of classes.

The counts are of texts, as evidence: n texts are n observations, whatever their class is worth.
See :func:`divergences` for what weights do to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.classification.features import Bags, TextEncoder, Tokens, in_order, tokenise
from wordgrad.classification.kernels import count_texts, divergences_of_rows
from wordgrad.corpus.sources import is_table, texts_of
from wordgrad.errors import ParameterError, check_real
from wordgrad.files import GrowingArray

if TYPE_CHECKING:
    from wordgrad.corpus.labelled import LabelledSource

Codes = NDArray[np.int64]


def class_codes(labels: Any, n_texts: int) -> tuple[NDArray[Any], Codes]:
    """Classes, in their order, and the number of each text's class.

    Parameters
    ----------
    labels : sequence of str, of int or of bool (N,)
        A list, an array of NumPy or Arrow, a Series.

    Returns
    -------
    classes : ndarray (C,)
        Each label once, in rising order.
    codes : int64 (N,)

    Raises
    ------
    ParameterError
        If there is not one label a text, a label is missing, they are not all strings, all integers
        or all booleans, or there are fewer than two classes, or as many as texts (more than two of
        them).

    Examples
    --------
    >>> classes, codes = class_codes(["praise", "blame", "praise"], 3)
    >>> classes.tolist(), codes.tolist()
    (['blame', 'praise'], [1, 0, 1])
    """
    if n_texts == 0:
        raise ParameterError("texts must hold at least two texts, got none.")
    given = _one_a_text(labels, n_texts)
    kinds = {type(label) for label in given}
    if len(kinds) > 1 or not kinds <= {str, int, bool}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        usual = type(given[0]) if type(given[0]) in (str, int, bool) else None
        odd = next(i for i, label in enumerate(given) if type(label) is not usual)
        raise ParameterError(
            f"labels must be all strings, all integers or all booleans, got {names} "
            f"({given[odd]!r} in position {odd}); convert them to one type, and leave out texts "
            "without a label."
        )
    classes, codes = np.unique(np.asarray(given), return_inverse=True)
    for label in classes.tolist() if kinds == {str} else ():
        try:
            label.encode()
        except UnicodeEncodeError as error:
            raise ParameterError(
                f"labels must be valid Unicode, got {label!r} ({error.reason}); repair it."
            ) from None
    check_classes(classes, n_texts)
    return classes, codes.astype(np.int64)


def check_classes(classes: NDArray[Any], n_texts: int) -> None:
    """Raise :class:`ParameterError` if there is one class, or one for each of several texts."""
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


def label_lists(labels: Any) -> list[list[Any]] | None:
    """Labels as a list for each text, if they are collections; None if a text has one label.

    >>> label_lists([("a", "b"), {"a"}, []]), label_lists(["a", "b"])
    ([['a', 'b'], ['a'], []], None)
    """
    if isinstance(labels, (list, tuple)) and all(
        isinstance(one, (list, tuple, set, frozenset)) for one in labels
    ):
        return [
            sorted(one, key=str) if isinstance(one, (set, frozenset)) else list(dict.fromkeys(one))
            for one in labels
        ] or None
    return None


def several_codes(lists: list[list[Any]], n_texts: int) -> tuple[NDArray[Any], Codes, Codes]:
    """Classes, in their order, the numbers of each text's classes, and where each text's end.

    Parameters
    ----------
    lists : list of list of str, of int or of bool (N,)
        The labels of each text, perhaps none.

    Raises
    ------
    ParameterError
        As :func:`class_codes`; but every text may have a label of its own.

    Examples
    --------
    >>> classes, codes, ends = several_codes([["b", "a"], [], ["b"]], 3)
    >>> classes.tolist(), codes.tolist(), ends.tolist()
    (['a', 'b'], [1, 0, 1], [0, 2, 2, 3])
    """
    if len(lists) != n_texts:
        raise ParameterError(
            f"labels must be one list for each of the {n_texts} texts, got {len(lists)}."
        )
    ends = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    flat = [label for one in lists for label in one]
    if not flat:
        raise ParameterError("labels must hold at least two classes, got none.")
    classes, codes = class_codes([*flat, *flat], 2 * len(flat))  # a class may occur once
    return classes, codes[: len(flat)], ends


def _one_a_text(labels: Any, n_texts: int) -> list[Any]:
    """Labels as Python's objects, refused unless there is one for each text."""
    rule = f"labels must be one for each of the {n_texts} texts"
    if isinstance(labels, (str, bytes)):
        raise ParameterError(f"{rule}, got {labels!r}; give a list.")
    if is_table(labels) or isinstance(labels, (set, frozenset)):
        raise ParameterError(
            f"{rule}, got a {type(labels).__name__}; give a list, or one column of a table."
        )
    if hasattr(labels, "__array__") and not hasattr(labels, "__iter__"):
        labels = np.asarray(labels)
    if not hasattr(labels, "__iter__"):
        raise ParameterError(f"{rule}, got {labels!r}; give a list.")
    shape = getattr(labels, "shape", (n_texts,))
    if len(shape) != 1:
        raise ParameterError(
            f"{rule}, got the shape {tuple(shape)}; a text has one label, and a column of them is "
            "given by its ravel()."
        )
    given = [_plain(label) for label in texts_of(labels)]
    if len(given) != n_texts:
        raise ParameterError(f"{rule}, got the shape {(len(given),)}.")
    for position, label in enumerate(given):
        if isinstance(label, (list, tuple, set, frozenset, Mapping, np.ndarray)):
            raise ParameterError(
                f"{rule}, got {label!r} in position {position}; a text has one label: choose one, "
                "or give a list of labels for every text."
            )
    return given


def _plain(label: Any) -> Any:
    """Label as Python's own type, where NumPy or an enumeration has another for it."""
    if isinstance(label, np.generic):
        return label.item()
    if isinstance(label, str):
        return str.__str__(label)
    return int(label) if isinstance(label, int) and not isinstance(label, bool) else label


def example_weights(
    sample_weight: ArrayLike | None,
    class_weight: Mapping[Any, float] | str | None,
    classes: NDArray[Any],
    codes: Codes,
    ends: Codes | None = None,
) -> NDArray[np.float64]:
    """What each example counts: its own weight times its class's, or the mean of its classes'.

    Parameters
    ----------
    sample_weight : array_like (N,), optional
        Finite and at least 0.
    class_weight : mapping of class to weight, "balanced" or None
        A class that is not named counts 1; "balanced" lets all classes count the same in sum.
    ends : int64 (N + 1,), optional
        Example i has the classes ``codes[ends[i]:ends[i + 1]]``; by default one.

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
    ends = np.arange(len(codes) + 1) if ends is None else ends
    n = len(ends) - 1
    owners = np.repeat(np.arange(n), np.diff(ends))
    try:
        weights = np.asarray(np.ones(n) if sample_weight is None else sample_weight, np.float64)
    except (TypeError, ValueError):
        raise ParameterError(
            f"sample_weight must hold a number for each of the {n} examples, got "
            f"{str(sample_weight)[:80]}; convert it to floats."
        ) from None
    if weights.shape != (n,):
        raise ParameterError(
            f"sample_weight must be one for each of the {n} examples, got the shape "
            f"{weights.shape}; give a number for each text, in their order."
        )
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        raise ParameterError(
            f"sample_weight must hold finite numbers >= 0, got {weights[bad][0]:g} in position "
            f"{int(np.flatnonzero(bad)[0])}; a weight of 0 leaves an example out."
        )
    factors = np.ones(len(classes))
    if isinstance(class_weight, Mapping):
        names = classes.tolist()
        for label, weight in class_weight.items():
            if label not in names:
                raise ParameterError(
                    f"class_weight must name classes among {names}, got {label!r}; correct its "
                    "spelling and its type."
                )
            factors[names.index(label)] = check_real("class_weight", weight, minimum=0.0)
    elif isinstance(class_weight, str) and class_weight == "balanced":
        # Shares of the largest weight: no sum of them is infinite.
        shares = weights / max(weights.max(), 1e-300)
        totals = np.bincount(codes, shares[owners], minlength=len(classes))
        present = totals > 0
        factors[present] = totals.sum() / (present.sum() * totals[present])
    elif class_weight is not None:
        raise ParameterError(
            f"class_weight must be a dict, 'balanced' or None, got {class_weight!r}."
        )
    with np.errstate(over="ignore", under="ignore"):  # an error below
        sums = np.bincount(owners, factors[codes], minlength=n)
        sums[np.diff(ends) == 0] = 1.0
        chosen: NDArray[np.float64] = weights * (sums / np.maximum(np.diff(ends), 1))
    if not np.isfinite(chosen).all():
        raise ParameterError(
            "sample_weight and class_weight must have finite products, got "
            f"{weights.max():g} times {factors.max():g}; divide them all by the largest."
        )
    if not chosen.any():
        raise ParameterError(
            "sample_weight and class_weight must leave an example a weight above 0, got zero for "
            "all of them; leave them out to let all count the same."
        )
    return chosen


def check_two_classes(weights: NDArray[np.float64], codes: Codes, ends: Codes) -> None:
    """Raise :class:`ParameterError` unless examples of two classes have a weight above 0."""
    left = len(np.unique(codes[np.repeat(weights, np.diff(ends)) > 0]))
    if left < 2:
        raise ParameterError(
            "sample_weight and class_weight must leave examples of at least two classes, got "
            "one class with a weight above zero; give another class some weight."
        )


def held_out(codes: Codes, ends: Codes, fraction: float, seed: int) -> tuple[Codes, Codes]:
    """Positions to train on and positions to validate on, each class shared alike.

    A text of several classes is one of its first; texts without one are a class.

    A class gives ``fraction`` of its examples, rounded, and keeps one at least.

    Raises
    ------
    ParameterError
        If nothing is left to validate on.
    """
    first = np.full(len(ends) - 1, codes.max() + 1)
    some = np.diff(ends) > 0
    first[some] = codes[ends[:-1][some]]
    codes = first
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
class EncodedTexts:
    """Texts as ids of tokens, with their classes: what a classifier learns from.

    Attributes
    ----------
    tokens : Tokens
    classes : ndarray (C,)
        Each label once, in rising order.
    codes : int64 (L,); ends : int64 (N + 1,)
        Text i has the classes ``codes[ends[i]:ends[i + 1]]``.
    several : bool
        Whether texts have lists of labels.
    empty_texts, blank_lines, bytes_replaced : int
        What was odd in the files; see :class:`~wordgrad.corpus.labelled.LabelledText`.
    """

    tokens: Tokens
    classes: NDArray[Any]
    codes: Codes
    ends: Codes
    several: bool
    empty_texts: int = 0
    blank_lines: int = 0
    bytes_replaced: int = 0

    def __len__(self) -> int:
        return len(self.ends) - 1

    @property
    def counts(self) -> dict[Any, int]:
        """How many texts have each label, the most frequent first."""
        found = np.bincount(self.codes, minlength=len(self.classes))
        order = np.argsort(-found, kind="stable")
        return dict(zip(self.classes[order].tolist(), found[order].tolist(), strict=True))


def encode_texts(
    texts: Sequence[str], labels: Any, *, pattern: str | None = None, lowercase: bool = True
) -> EncodedTexts:
    """Texts in memory, ready to be learned from several times.

    Parameters
    ----------
    texts, labels
        See :meth:`wordgrad.TextClassifier.fit`.
    pattern, lowercase
        See :class:`~wordgrad.classification.features.TextEncoder`.

    Raises
    ------
    ParameterError, InputError
        As :meth:`wordgrad.TextClassifier.fit`.

    Examples
    --------
    >>> found = encode_texts(["a b", "b", "c"], [("x", "y"), ("y",), ("x",)])
    >>> found.counts, found.several
    ({'x': 2, 'y': 2}, True)
    """
    lists = label_lists(labels)
    if lists is None:
        classes, codes = class_codes(labels, len(texts))
        ends = np.arange(len(texts) + 1)
    else:
        classes, codes, ends = several_codes(lists, len(texts))
    tokens = tokenise(texts, pattern=pattern, lowercase=lowercase)
    return EncodedTexts(tokens, classes, codes, ends, lists is not None)


def encode_files(
    source: LabelledSource, *, pattern: str | None, lowercase: bool, **reading: Any
) -> EncodedTexts:
    """Read labelled files once, some thousand texts at a time, which are not kept.

    What is kept are ids of tokens, in a temporary file when there are many, and the labels.  If
    every text has one label, that is what the classifier learns, else texts have several.

    Parameters
    ----------
    source, reading
        See :func:`~wordgrad.corpus.labelled.read_labelled_blocks`; ``several`` is true.
    pattern, lowercase
        See :class:`~wordgrad.classification.features.TextEncoder`.

    Raises
    ------
    InputError, FormatError, ParameterError
        As :func:`~wordgrad.corpus.labelled.read_labelled`; or there is one class, or one for each
        text.
    """
    from wordgrad.corpus.labelled import read_labelled_blocks

    encoder = TextEncoder(pattern, lowercase=lowercase)
    numbers: dict[str, int] = {}
    codes, ends = GrowingArray(np.int64), GrowingArray(np.int64)
    ends.append(np.zeros(1, np.int64))
    empty = blank = replaced = 0
    for part in read_labelled_blocks(source, several=True, **reading):
        encoder.add(part.texts)
        sizes = np.array([len(labels) for labels in part.labels], np.int64)
        ends.append(len(codes) + np.cumsum(sizes))
        flat = [numbers.setdefault(one, len(numbers)) for labels in part.labels for one in labels]
        codes.append(np.array(flat, np.int64))
        empty += part.empty_texts
        blank += part.blank_lines
        replaced += part.bytes_replaced
    classes, places = np.unique(np.array(list(numbers)), return_inverse=True)
    cuts = ends.array()
    several = not np.array_equal(cuts, np.arange(len(cuts)))
    check_classes(classes, 0 if several else len(cuts) - 1)
    return EncodedTexts(
        encoder.tokens(), classes, places[codes.array()], cuts, several, empty, blank, replaced
    )


@dataclass(frozen=True)
class LabelledBags:
    """Texts, their classes, and what they count.

    Attributes
    ----------
    bags : Bags
    labels : int64 (L,)
    weights : float32 (N,), mean 1
    ends : int64 (N + 1,)
        Text i has the classes ``labels[ends[i]:ends[i + 1]]``; by default each has one.
    """

    bags: Bags
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]
    ends: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        if len(self.ends) == 0:
            object.__setattr__(self, "ends", np.arange(len(self.labels) + 1))

    @classmethod
    def of(
        cls,
        bags: Bags,
        labels: NDArray[np.int64],
        weights: NDArray[np.float64],
        ends: NDArray[np.int64] | None = None,
    ) -> LabelledBags:
        """Texts whose weights are scaled to the mean 1; some are above 0."""
        shares = weights / weights.max()  # first: the sum of large numbers may be infinite
        with np.errstate(under="ignore"):
            scaled = (shares / shares.mean()).astype(np.float32)
        return cls(bags, labels, scaled, np.zeros(0, np.int64) if ends is None else ends)

    def take(self, texts: NDArray[np.int64]) -> LabelledBags:
        """Some of the texts, in the order given."""
        labels, ends = take_labels(self.labels, self.ends, texts)
        return LabelledBags(self.bags.take(texts), labels, self.weights[texts], ends)


def take_labels(labels: Codes, ends: Codes, texts: Codes) -> tuple[Codes, Codes]:
    """Classes of some texts, and where each text's end.

    >>> take_labels(np.array([5, 6, 7]), np.array([0, 2, 2, 3]), np.array([2, 0]))
    (array([7, 5, 6]), array([0, 1, 3]))
    """
    sizes = np.diff(ends)[texts]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    places = np.arange(offsets[-1]) + np.repeat(ends[texts] - offsets[:-1], sizes)
    return labels[places], offsets


SMOOTHING = 1.0
LEAST = 1e-3
"""No feature's weight is less, as a share of the mean: its vector would never be learned."""

_LISTED = 1 << 23  # texts that are listed at a time, for the rows that are in them


def divergences(
    examples: LabelledBags, n_features: int, n_classes: int, workers: int = 1
) -> NDArray[np.float32]:
    r"""Weight of every feature, mean 1.

    A text counts as one observation, and as less if its weight is below the mean of its class:

    .. math:: c_i = \min(1,\; w_i / \bar w_{y_i})

    So what a class is worth (``class_weight``, or ``sample_weight`` that makes up for rarity) has
    no say here, where the question is what a feature tells, and no text passes for many: were a
    text of weight 38 counted as 38 texts, every pair of words that stands in it by chance would
    pass for a sign of its class, and drown the signs.

    Parameters
    ----------
    examples : LabelledBags
        The training texts; those of weight 0 do not count.
    n_features, n_classes : int
    workers : int
        Threads; the result does not depend on them.

    Returns
    -------
    float32 (n_features,)
    """
    bags, labels, ends = examples.bags, examples.labels, examples.ends
    weights = examples.weights.astype(np.float64)
    owners = np.repeat(np.arange(len(bags)), np.diff(ends))
    sums = np.bincount(labels, weights[owners])
    sizes = np.bincount(labels, weights[owners] > 0)
    means = (sums / np.maximum(sizes, 1))[labels]
    mean = np.bincount(owners, means, len(bags)) / np.maximum(np.diff(ends), 1)
    observed = np.minimum(1.0, weights / np.maximum(mean, 1e-300))
    observed[np.diff(ends) == 0] = 0  # no label, no evidence
    parts = (observed / np.maximum(np.diff(ends), 1))[owners]
    totals = np.bincount(labels, parts, minlength=n_classes)
    counts = np.zeros(n_features, np.int64)
    count_texts(bags.features, bags.offsets, observed, counts)
    # Rows whose lists of texts fit in memory together.
    listed = np.cumsum(counts)
    cuts = np.searchsorted(listed, np.arange(_LISTED, listed[-1] + _LISTED, _LISTED), side="right")
    cuts = np.unique([0, *cuts, n_features])
    found = np.zeros(n_features)

    def measure(rows: tuple[int, int]) -> None:
        divergences_of_rows(
            bags.features, bags.offsets, labels, ends, observed, totals / totals.sum(), counts,
            *rows, SMOOTHING, found,
        )  # fmt: skip

    for _ in in_order(measure, zip(cuts.tolist(), cuts[1:].tolist(), strict=False), workers):
        pass
    mean = found.mean()
    if mean == 0:
        return np.ones(n_features, np.float32)
    importance: NDArray[np.float32] = np.maximum(found / mean, LEAST).astype(np.float32)
    return importance
