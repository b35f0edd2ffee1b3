"""What is drawn at random in training, as tables: noise words, and which tokens are kept.

Only the probabilities live here.  The engines draw from them, each in its own way.

The windows of a span as plain arrays: what the fast kernel draws while it trains, to look at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.corpus.validation import ValidationCorpus
from wordgrad.errors import ParameterError, check_real
from wordgrad.training.config import TrainingConfig
from wordgrad.training.kernels.draw import (
    draw_span,
)

_FULL = 1 << 32  # a bucket of the alias table holds 2^32 equal parts


def noise_distribution(counts: ArrayLike, exponent: float = 0.75) -> NDArray[np.float64]:
    """Probability of each word as a negative sample.

    ``P(w) = count(w)^exponent / sum_v count(v)^exponent``.

    Source: Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their
    Compositionality", section 2.2, with exponent 3/4.  0 is the uniform distribution, 1 that of
    the text; a negative exponent prefers rare words (Caselles-Dupré et al. 2018).

    Parameters
    ----------
    counts : array_like, shape (V,)
        How often each word occurs, all positive.
    exponent : float
        Any finite number.

    Returns
    -------
    float64 array, shape (V,)
        Probabilities with sum 1; 0 only where an extreme exponent leaves less than float64 holds.

    Raises
    ------
    ParameterError
        If a count is not a positive number, or the exponent is not finite.

    Examples
    --------
    >>> noise_distribution([16, 1]).round(4).tolist()
    [0.8889, 0.1111]
    """
    numbers = _check_counts(counts)
    power = check_real("ns_exponent", exponent)
    # Measured from the word that weighs most, every term is in [0, 1], whatever the exponent.
    logarithms = np.log(numbers)
    logarithms -= logarithms.max() if power >= 0 else logarithms.min()
    with np.errstate(over="ignore"):  # to -inf, a weight of 0
        weights: NDArray[np.float64] = np.exp(power * logarithms)
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


def keep_probabilities(counts: ArrayLike, sample: float) -> NDArray[np.float64]:
    """Probability that an occurrence of each word is kept when frequent words are thinned out.

    ``keep(w) = min(1, sqrt(t / f) + t / f)``, with ``t = sample`` and ``f = count(w) / T`` the
    word's share of the T tokens.  ``sample = 0`` keeps everything.

    Source: word2vec.c (Mikolov et al. 2013), whose code differs from the paper's equation 5
    (discard with ``1 - sqrt(t / f)``) by the second term; gensim and fastText do as the code.

    Parameters
    ----------
    counts : array_like, shape (V,)
    sample : float
        The threshold t, >= 0; usual values are 1e-3 to 1e-5.

    Returns
    -------
    float64 array, shape (V,), in (0, 1]

    Raises
    ------
    ParameterError
        If a count is not a positive number, or ``sample`` is negative or not finite.

    Examples
    --------
    >>> keep_probabilities([9900, 100], sample=1e-2).round(4).tolist()
    [0.1106, 1.0]
    """
    numbers = _check_counts(counts)
    threshold = check_real("sample", sample, minimum=0.0)
    if threshold == 0.0:
        return np.ones_like(numbers)
    with np.errstate(over="ignore"):  # to inf: all are kept
        ratio = threshold / (numbers / numbers.sum())
    kept: NDArray[np.float64] = np.minimum(1.0, np.sqrt(ratio) + ratio)
    return kept


@dataclass(frozen=True)
class AliasTable:
    """Draws from any distribution over V words with one comparison and two look-ups.

    To draw: choose a bucket ``j`` uniformly from ``0 .. V - 1`` and ``u`` uniformly from the 32-bit
    integers; the word is ``j`` if ``u < threshold[j]``, else ``alias[j]``.

    Attributes
    ----------
    threshold : uint32 array, shape (V,)
    alias : int32 array, shape (V,)

    Notes
    -----
    Walker's method (1977) with Vose's construction in O(V) (1991), in the sweeping order of
    Hübschle-Schneider and Sanders (2019, section 3): light and heavy words each in the order of
    their ids, so that prefix sums replace the two work lists and NumPy builds the whole table.

    All arithmetic is in integers.  Each probability is first rounded to ``w_i`` parts of
    ``V 2^32`` (the heaviest word takes up the rounding of all the others), then the table divides
    those parts without a further error.  So the chance of word ``i`` is exactly
    ``w_i / (V 2^32)``, within ``2^-33 / V`` of what was asked for, and within ``2^-33`` for the
    heaviest.  A full bucket has ``alias[j] = j``, which needs no threshold of ``2^32``.
    """

    threshold: NDArray[np.uint32]
    alias: NDArray[np.int32]

    @classmethod
    def from_probabilities(cls, probabilities: ArrayLike) -> AliasTable:
        """Build the table.

        Parameters
        ----------
        probabilities : array_like, shape (V,)
            Non-negative and finite, with sum 1 (to 1e-9).

        Raises
        ------
        ParameterError
            If the probabilities are not a distribution.

        Examples
        --------
        >>> table = AliasTable.from_probabilities([0.75, 0.25])
        >>> (table.threshold / 2**32).tolist(), table.alias.tolist()
        ([0.0, 0.5], [0, 0])
        """
        parts = _parts(_check_distribution(probabilities))
        size = len(parts)
        threshold = np.zeros(size, dtype=np.uint32)
        alias = np.arange(size, dtype=np.int32)
        light = np.flatnonzero(parts < _FULL)
        if len(light) == 0:
            return cls(threshold, alias)
        heavy = np.flatnonzero(parts >= _FULL)
        lacking = np.cumsum(_FULL - parts[light])
        spare = np.cumsum(parts[heavy] - _FULL)
        # Light word i keeps its own parts; the rest of its bucket comes from the first heavy
        # word whose surplus is not used up by the light words before it.
        before = lacking - (_FULL - parts[light])
        threshold[light] = parts[light]
        alias[light] = heavy[np.searchsorted(spare, before, side="right")]
        # A heavy word gives until its surplus is used up; the last gift may take it below a full
        # bucket, and the next heavy word then fills what is missing.
        given = np.concatenate(([0], lacking))  # 0: nothing yet, where the surplus is nil
        left = _FULL + spare - given[np.searchsorted(given, spare, side="left")]
        short = np.flatnonzero(left < _FULL)
        threshold[heavy[short]] = left[short]
        alias[heavy[short]] = heavy[short + 1]
        return cls(threshold, alias)

    def probabilities(self) -> NDArray[np.float64]:
        """Exact probability of each word under this table, shape (V,).

        >>> AliasTable.from_probabilities([0.5, 0.3, 0.2]).probabilities().round(9).tolist()
        [0.5, 0.3, 0.2]
        """
        size = len(self.alias)
        own = np.where(self.alias == np.arange(size), _FULL, self.threshold.astype(np.int64))
        parts = own.copy()
        np.add.at(parts, self.alias, _FULL - own)
        exact: NDArray[np.float64] = parts / (size * float(_FULL))
        return exact


def _parts(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round to integers with sum V 2^32; the heaviest word takes up the difference."""
    whole = len(probabilities) * _FULL
    parts = np.rint(probabilities * float(whole)).astype(np.int64)
    parts[np.argmax(probabilities)] += whole - int(parts.sum())
    return parts


def _check_counts(counts: ArrayLike) -> NDArray[np.float64]:
    numbers = np.asarray(counts, dtype=np.float64)
    if numbers.ndim != 1 or len(numbers) == 0:
        raise ParameterError(
            f"counts must be one row of at least one number, got shape {numbers.shape}."
        )
    if not np.all(np.isfinite(numbers)) or np.any(numbers <= 0):
        worst = numbers[~(numbers > 0) | ~np.isfinite(numbers)][0]
        raise ParameterError(f"counts must be finite numbers > 0, got {worst:g}.")
    return numbers


def _check_distribution(probabilities: ArrayLike) -> NDArray[np.float64]:
    numbers = np.asarray(probabilities, dtype=np.float64)
    if numbers.ndim != 1 or len(numbers) == 0:
        raise ParameterError(
            f"probabilities must be one row of at least one number, got shape {numbers.shape}."
        )
    if not np.all(np.isfinite(numbers)) or np.any(numbers < 0):
        worst = numbers[~(numbers >= 0) | ~np.isfinite(numbers)][0]
        raise ParameterError(f"probabilities must be finite numbers >= 0, got {worst:g}.")
    if abs(numbers.sum() - 1.0) > 1e-9:
        raise ParameterError(f"probabilities must have sum 1, got {numbers.sum():.12g}.")
    normalised: NDArray[np.float64] = numbers / numbers.sum()
    return normalised


@dataclass(frozen=True)
class Windows:
    """Windows with every random choice made.

    Attributes
    ----------
    contexts : int32 (N,)
        Ids of the context words of all windows, one after another.
    offsets : int64 (B + 1,)
        Window b has the context ``contexts[offsets[b]:offsets[b + 1]]``, at least one word.
    targets : int32 (B, 1 + K)
        Each window's target, then its negatives; no negative equals its target.
    """

    contexts: NDArray[np.int32]
    offsets: NDArray[np.int64]
    targets: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Span:
    """Tokens ``start`` to ``stop`` of the corpus, in one epoch, at one learning rate."""

    start: int
    stop: int
    epoch: int
    learning_rate: float


class SamplingTables:
    """The distributions that windows are drawn from, as tables for a corpus.

    Attributes
    ----------
    ids, offsets : the corpus
    keep : uint32 (V,)
        A token is kept if its 32 random bits are at most its word's number.
    noise : int32 (V, 2)
        Alias table: threshold (the bits of a uint32) and alias of each word, side by side.
    """

    def __init__(self, corpus: EncodedCorpus | ValidationCorpus, config: TrainingConfig) -> None:
        counts = corpus.vocabulary.counts
        kept = keep_probabilities(counts, config.sample)
        table = AliasTable.from_probabilities(noise_distribution(counts, config.ns_exponent))
        self.ids = np.ascontiguousarray(np.asarray(corpus.ids), np.int32)
        self.offsets = np.ascontiguousarray(np.asarray(corpus.offsets), np.int64)
        # k such that 32 random bits are at most k with this probability: to 2^-32, and 1 exactly.
        self.keep = np.clip(np.ceil(kept * 2.0**32) - 1, 0, 2**32 - 1).astype(np.uint32)
        self.noise = np.stack([table.threshold.view(np.int32), table.alias], axis=1)
        self.seed = config.seed
        self._keys: dict[int, int] = {}

    def key(self, epoch: int) -> int:
        """Return the 64-bit key of an epoch's random numbers, a function of the seed."""
        if epoch not in self._keys:  # asked for by every span
            # Not SeedSequence([seed, epoch]): seed 2^32 in epoch 0 would be seed 0 in epoch 1.
            sequence = np.random.SeedSequence(self.seed, spawn_key=(epoch,))
            self._keys[epoch] = int(sequence.generate_state(1, np.uint64)[0])
        return self._keys[epoch]


def check_windows(windows: Windows, n_words: int, negative: int) -> None:
    """Raise :class:`ParameterError` unless every id and offset is in range.

    Engines call it before a step: what kernels are given, they trust.
    """
    if windows.targets.ndim != 2 or windows.targets.shape[1] != 1 + negative:
        raise ParameterError(
            f"targets must have shape (B, {1 + negative}) for negative={negative}, "
            f"got {windows.targets.shape}."
        )
    sizes = np.diff(windows.offsets)
    if (
        len(windows.offsets) != len(windows) + 1
        or windows.offsets[0] != 0
        or windows.offsets[-1] != len(windows.contexts)
        or (len(sizes) and sizes.min() < 1)
    ):
        raise ParameterError(
            "offsets must rise from 0 to the number of context words, one window after another."
        )
    for name, ids in (("contexts", windows.contexts), ("targets", windows.targets)):
        if ids.size and (ids.min() < 0 or ids.max() >= n_words):
            raise ParameterError(
                f"{name} must be word ids in [0, {n_words - 1}], "
                f"got {int(ids.min())} to {int(ids.max())}."
            )
    if (windows.targets[:, 1:] == windows.targets[:, :1]).any():
        raise ParameterError("a negative must differ from its window's target; draw it again.")


def draw_windows(tables: SamplingTables, span: Span, window: int, negative: int) -> Windows:
    """Draw the windows whose centres lie in a span.

    Every choice is a function of the seed, the epoch and the centre's position in the corpus, so
    neighbouring spans give together what one span over both gives.
    """
    n_tokens = span.stop - span.start
    tokens = np.zeros(2 * n_tokens + 2 * window + 4, np.int32)
    bits = np.zeros(len(tokens), np.uint64)
    rows = np.zeros((n_tokens, 2 * window), np.int64)
    sizes = np.zeros(n_tokens, np.int64)
    targets = np.zeros((n_tokens, 1 + negative), np.int64)
    n = draw_span(
        tables.ids.ctypes.data, tables.offsets.ctypes.data, *first_sentence(tables, span),
        span.stop, np.uint64(tables.key(span.epoch)), tables.keep.ctypes.data,
        tables.noise.ctypes.data, len(tables.keep), window, tokens, bits, rows, sizes, targets,
    )  # fmt: skip
    offsets = np.concatenate([[0], np.cumsum(sizes[:n])])
    contexts = rows[:n][np.arange(2 * window) < sizes[:n, np.newaxis]]
    return Windows(contexts.astype(np.int32), offsets, targets[:n].astype(np.int32))


def first_sentence(tables: SamplingTables, span: Span) -> tuple[int, int]:
    """Return the sentence that a span begins in, and where the span begins."""
    return int(np.searchsorted(tables.offsets, span.start, side="right")) - 1, span.start
