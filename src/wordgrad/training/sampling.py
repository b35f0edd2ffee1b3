"""Which pairs: noise words, subsampling, and batches of examples drawn from a corpus.

The probabilities (:func:`noise_distribution`, :func:`keep_probabilities`, whose threshold
:func:`subsampling_threshold` can choose) become tables
(:class:`SamplingTables`) from which the kernels draw while they train.  :func:`draw_batch` draws
the same windows as plain arrays, a :class:`Batch`: what the slower kernels train on, and what every
engine is compared on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.corpus.corpus import EncodedCorpus, ValidationCorpus
from wordgrad.errors import InputError, ParameterError, check_real
from wordgrad.maths import input_share
from wordgrad.training.config import TrainingConfig
from wordgrad.training.kernels.documents import (
    ALONE,
    CONCATENATED,
    WITH_WORDS,
    draw_document_span,
)
from wordgrad.training.kernels.draw import Reach, draw_span
from wordgrad.training.kernels.huffman import HuffmanTree

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


def keep_probabilities(counts: ArrayLike, sample: float | str) -> NDArray[np.float64]:
    """Probability that an occurrence of each word is kept when frequent words are thinned out.

    ``keep(w) = min(1, sqrt(t / f) + t / f)``, with ``t = sample`` and ``f = count(w) / T`` the
    word's share of the T tokens.  ``sample = 0`` keeps everything.

    Source: word2vec.c (Mikolov et al. 2013), whose code differs from the paper's equation 5
    (discard with ``1 - sqrt(t / f)``) by the second term; gensim and fastText do as the code.

    Parameters
    ----------
    counts : array_like, shape (V,)
    sample : float or "auto"
        The threshold t, >= 0; usual values are 1e-3 to 1e-5.  "auto" is that of
        :func:`subsampling_threshold`.

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
    if isinstance(sample, str) and sample == AUTO:
        sample = subsampling_threshold(numbers)
    threshold = check_real("sample", sample, minimum=0.0, word=AUTO)
    if threshold == 0.0:
        return np.ones_like(numbers)
    with np.errstate(over="ignore"):  # to inf: all are kept
        ratio = threshold / (numbers / numbers.sum())
    kept: NDArray[np.float64] = np.minimum(1.0, np.sqrt(ratio) + ratio)
    return kept


def kept_share(counts: ArrayLike, sample: float | str) -> float:
    """Expected share of the tokens that subsampling keeps: ``sum_w f(w) keep(w)``, in (0, 1].

    Parameters and errors are those of :func:`keep_probabilities`.

    >>> round(kept_share([9900, 100], sample=1e-2), 4)
    0.1195
    """
    numbers = _check_counts(counts)
    # Not a product of BLAS, which would wake its threads for less work than that takes.
    return float((numbers * keep_probabilities(numbers, sample)).sum() / numbers.sum())


AUTO = "auto"
LEAST_THRESHOLD = 1e-4
"""What ``sample="auto"`` is where it keeps enough: the best value measured on running text."""

LEAST_KEPT = 0.5
"""Share of the tokens that ``sample="auto"`` keeps at least (docs/performance.md)."""


def subsampling_threshold(counts: ArrayLike) -> float:
    """Return what ``sample="auto"`` stands for: the least t >= 1e-4 that keeps half of the tokens.

    The expected share of tokens kept, ``sum_w f(w) min(1, sqrt(t / f(w)) + t / f(w))``, rises with
    t and is 1 at t = 1, so that there is always one; it is found by bisection and rounded up to
    four significant digits.  In running text 1e-4 itself keeps more than half.  In a text of few
    distinct words (items, nodes of a graph, k-mers) every word is a large share of all, and 1e-4
    would leave next to nothing to learn from.

    Parameters
    ----------
    counts : array_like, shape (V,)
        How often each word occurs, all positive.

    Returns
    -------
    float, in [1e-4, 1]

    Raises
    ------
    ParameterError
        If a count is not a positive number.

    Examples
    --------
    >>> subsampling_threshold([30] * 200)  # 200 words, equally frequent
    0.0006699
    >>> round(kept_share([30] * 200, 0.0006699), 4)
    0.5
    >>> subsampling_threshold([1] * 20_000)
    0.0001
    """
    values, times = np.unique(_check_counts(counts), return_counts=True)
    shares = values / (values @ times)

    def keeps_enough(threshold: float) -> bool:
        ratio = threshold / shares
        kept = np.minimum(1.0, np.sqrt(ratio) + ratio)
        return float((shares * times) @ kept) >= LEAST_KEPT

    low, high = LEAST_THRESHOLD, 1.0
    if keeps_enough(low):
        return low
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        if keeps_enough(middle):
            high = middle
        else:
            low = middle
    unit = 10.0 ** (math.floor(math.log10(high)) - 3)
    return float(f"{math.ceil(high / unit) * unit:.4g}")


def with_threshold(config: TrainingConfig, counts: ArrayLike) -> TrainingConfig:
    """Return the settings with a number for ``sample="auto"``, by the counts of the training text.

    >>> with_threshold(TrainingConfig(), [30] * 200).sample
    0.0006699
    >>> with_threshold(TrainingConfig(sample=0.01), [30] * 200).sample
    0.01
    """
    if config.sample != AUTO:
        return config
    return replace(config, sample=subsampling_threshold(counts))


WINDOWS_A_WORD = 680.0
"""At which the default learning rates are the best ones."""

LARGEST_FACTOR = 3.0
"""By which a short text raises them at most: at five or six times a training diverges."""

LEARNED_COUNT = 5
"""Words that occur less often are not counted: they learn little, and there may be many."""


def with_learning_rate(config: TrainingConfig, counts: ArrayLike) -> TrainingConfig:
    """Return the settings with the default learning rate for a training text of these counts.

    For skip-gram and CBOW by means, with negative sampling, words alone, it is the rate of long
    texts times

        min(3, max(1, sqrt(680 / n))),     n = epochs sum_w keep(w) count_w / V_5 ,

    n being the windows that a word is the centre of, on average over the V_5 words that occur five
    times or more.  Vectors start near zero, and n steps of size lr bring them only so far: over n
    steps, the constant rate that is best for stochastic gradients falls as 1 / sqrt(n) (Nemirovski,
    Juditsky, Lan and Shapiro, *Robust stochastic approximation approach to stochastic
    programming*, 2009, section 2.2), and a row is moved by the windows of its own word.  680 and
    the bounds are measured (docs/performance.md).  Other settings are returned as they are.

    Parameters
    ----------
    config : TrainingConfig
        With the default rate, and a number for ``sample``.
    counts : array_like (V,)
        How often each word is in the text.

    Examples
    --------
    >>> config = TrainingConfig(sample=0)
    >>> [with_learning_rate(config, [n] * 1000).learning_rate for n in (10, 34, 1000)]
    [0.12, 0.08, 0.04]
    """
    if not rate_depends_on_text(config):
        return config
    numbers = np.asarray(counts, np.float64)
    shares = np.maximum(numbers, 1.0)  # a word that this text lacks is kept or not all the same
    steps = float((numbers * keep_probabilities(shares, config.sample)).sum()) * config.epochs
    factor = rate_factor(steps / max(1, int((numbers >= LEARNED_COUNT).sum())))
    return replace(config, learning_rate=float(f"{factor * config.initial_rate:.3g}"))


def rate_depends_on_text(config: TrainingConfig) -> bool:
    """Whether :func:`with_learning_rate` chooses the default rate by the text."""
    means = config.architecture == "skipgram" or config.combine == "mean"
    return config.loss == "negative-sampling" and config.words_alone and means


def rate_factor(windows: float) -> float:
    """What the learning rate of long texts is multiplied by: see :func:`with_learning_rate`.

    >>> [rate_factor(n) for n in (1, 170, 10_000)]
    [3.0, 2.0, 1.0]
    """
    return min(LARGEST_FACTOR, max(1.0, math.sqrt(WINDOWS_A_WORD / max(windows, 1e-9))))


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
    ``w_i / (V 2^32)``, within ``2^-33 / V`` of the probability given, and within ``2^-33`` for the
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


class InputRows(Protocol):
    """Which rows of ``W_in`` make the input vector of a word.

    Where engines take ``rows: InputRows | None``, None is the identity: a word has one row, its
    own.  Subwords give a word its row and those of its n-grams.
    """

    @property
    def n_inputs(self) -> int:
        """Rows of ``W_in``."""

    def of(self, words: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the rows of words, one word after another.

        Parameters
        ----------
        words : int32 (n,)
            Word ids, not checked.

        Returns
        -------
        rows : int32 (N,)
            In [0, n_inputs).
        offsets : int64 (n + 1,)
            Word k has ``rows[offsets[k]:offsets[k + 1]]``, at least one row.
        """


@dataclass(frozen=True)
class RowTable:
    """Rows of each word of a vocabulary, as a table: the general :class:`InputRows`.

    Attributes
    ----------
    rows : int32 (R,)
    offsets : int64 (V + 1,)
        Word w has ``rows[offsets[w]:offsets[w + 1]]``.
    n_inputs : int

    Examples
    --------
    >>> table = RowTable(np.array([0, 2, 1], np.int32), np.array([0, 2, 3]), n_inputs=3)
    >>> rows, offsets = table.of(np.array([1, 0], np.int32))
    >>> rows.tolist(), offsets.tolist()
    ([1, 0, 2], [0, 1, 3])
    """

    rows: NDArray[np.int32]
    offsets: NDArray[np.int64]
    n_inputs: int

    def of(self, words: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the rows of words, one word after another; see :class:`InputRows`."""
        first = self.offsets[words]
        sizes = self.offsets[words + 1] - first
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes)
        return self.rows[np.repeat(first, sizes) + within], offsets


@dataclass(frozen=True)
class Batch:
    """Examples with every random choice made: what all engines are compared on.

    Example b is a group of input vectors, which share its outputs::

        h_i = mean (or sum, by ``combine``) of the rows W_in[r], r in input i
        J_b = sum over its inputs i, sum over its outputs j, of -log sigmoid(sign_j u_j . h_i)

    Attributes
    ----------
    inputs : int32 (N,)
        Rows of ``W_in``: words, n-grams, a document.
    input_offsets : int64 (I + 1,)
        Input vector i has the rows ``inputs[input_offsets[i]:input_offsets[i + 1]]``, at least one;
        a row that occurs n times counts n times.
    groups : int64 (B + 1,)
        Example b has the input vectors ``groups[b]`` to ``groups[b + 1]``, at least one: with
        skip-gram one for each context word, with CBOW one alone.
    outputs : int32 (M,)
        Rows of ``W_out``: a target and its negatives, or the nodes of a path.
    output_offsets : int64 (B + 1,)
        Example b has ``outputs[output_offsets[b]:output_offsets[b + 1]]``, at least one.
    signs : int8 (M,) or None
        +1 for a positive output, -1 for a negative one.  None: the first output of an example is
        positive, the others are negative and differ from it.

    Notes
    -----
    *CBOW of words with several rows* is one level, a flat list: h is the mean of all rows of all
    context words, as in fastText (``Model::computeHidden``), not the mean of the words' means.
    With R_o rows r of context word o and R = sum_o R_o,

        h = 1/R sum_o sum_r W_in[r] = sum_o (R_o / R) v_o,    v_o = 1/R_o sum_r W_in[r],

    the mean of the words' vectors v_o weighted by their numbers of rows.  Its gradient is that of
    CBOW over R "words", dJ/dW_in[r] = n_r / R dJ/dh with n_r the occurrences of row r, so that
    :func:`wordgrad.maths.cbow` with the rows as its context is the oracle.  Where every word has
    one row, both readings are the same.  The other one, the mean of means, would need weights of
    1 / (M R_o) for M words: a number beside each input row.
    """

    inputs: NDArray[np.int32]
    input_offsets: NDArray[np.int64]
    groups: NDArray[np.int64]
    outputs: NDArray[np.int32]
    output_offsets: NDArray[np.int64]
    signs: NDArray[np.int8] | None = None

    @classmethod
    def from_windows(
        cls,
        contexts: NDArray[np.int32],
        offsets: NDArray[np.int64],
        targets: NDArray[np.int32],
        *,
        architecture: str = "skipgram",
        rows: InputRows | None = None,
    ) -> Batch:
        """Return the batch of ordinary windows.

        Parameters
        ----------
        contexts : int32 (N,)
            Ids of the context words of all windows, one after another.
        offsets : int64 (B + 1,)
            Window b has the context ``contexts[offsets[b]:offsets[b + 1]]``, at least one word.
        targets : int32 (B, 1 + K)
            Each window's target, then its negatives; no negative equals its target.
        architecture : {"skipgram", "cbow"}
            Whether each context word is an input vector, or all of them together are one.
        rows : InputRows, optional
            By default a word's row is its own.

        Raises
        ------
        ParameterError
            If the arrays do not fit one another.  Ids are compared with the numbers of rows by
            :func:`check_batch`.

        Examples
        --------
        >>> contexts, offsets = np.array([3, 4, 5], np.int32), np.array([0, 2, 3])
        >>> targets = np.array([[0, 1], [2, 1]], np.int32)
        >>> batch = Batch.from_windows(contexts, offsets, targets)
        >>> batch.n_vectors, batch.groups.tolist(), batch.outputs.tolist()
        (3, [0, 2, 3], [0, 1, 2, 1])
        >>> Batch.from_windows(contexts, offsets, targets, architecture="cbow").n_vectors
        2
        """
        if targets.ndim != 2 or targets.shape[1] < 1:
            raise ParameterError(f"targets must have shape (B, 1 + K), got {targets.shape}.")
        _check_offsets("offsets", offsets, len(targets), "contexts", len(contexts))
        inputs, row_offsets = contexts, np.arange(len(contexts) + 1)
        if rows is not None:
            inputs, row_offsets = rows.of(contexts)
        n = len(targets)
        skipgram = architecture == "skipgram"
        return cls(
            inputs=inputs,
            input_offsets=row_offsets if skipgram else row_offsets[offsets],
            groups=offsets if skipgram else np.arange(n + 1),
            outputs=targets.reshape(-1),
            output_offsets=np.arange(n + 1) * targets.shape[1],
        )

    def __len__(self) -> int:
        return len(self.groups) - 1

    @property
    def n_vectors(self) -> int:
        """I, the number of input vectors: the pairs that a loss is summed over."""
        return len(self.input_offsets) - 1

    @property
    def all_signs(self) -> NDArray[np.int8]:
        """The sign of every output, int8 (M,)."""
        if self.signs is not None:
            return self.signs
        signs = np.full(len(self.outputs), -1, np.int8)
        signs[self.output_offsets[:-1]] = 1
        return signs

    def reads_words(self, architecture: str) -> bool:
        """Whether these are windows of words with one row each, whatever they predict.

        That is what the kernels of windows take; anything else is for those of any batch.
        """
        ones = self.input_offsets if architecture == "skipgram" else self.groups
        return bool((np.diff(ones) == 1).all())

    def is_windows(self, negative: int, architecture: str) -> bool:
        """Whether they also predict a target and ``negative`` negatives each."""
        return (
            self.signs is None
            and bool((np.diff(self.output_offsets) == 1 + negative).all())
            and self.reads_words(architecture)
        )


@dataclass(frozen=True)
class Span:
    """Tokens ``start`` to ``stop`` of the corpus, in one epoch, at one learning rate."""

    start: int
    stop: int
    epoch: int
    learning_rate: float


MOST_REACH = 10_000
"""Words on either side of a centre that a window may hold."""


def reach_of(config: TrainingConfig, corpus: EncodedCorpus | ValidationCorpus) -> Reach:
    """Return how far the windows of a corpus reach: no further than its longest sentence.

    Raises
    ------
    ParameterError
        If windows would hold more than 10,000 words on either side.
    """
    if config.combine == "concat":  # where places beyond the text's ends are padding
        return Reach.of(config.window, shrink=False)
    longest = int(np.diff(corpus.offsets).max(initial=1))
    reach = Reach.of(config.window, shrink=config.shrink_windows, most=longest - 1)
    if reach.most > MOST_REACH:
        raise ParameterError(
            f"window={config.window:,} takes in {reach.most:,} words on either side in a sentence "
            f"of {longest:,} words, and at most {MOST_REACH:,} are looked at; lower window, or cut "
            "the text into shorter sentences."
        )
    return reach


def input_shares(config: TrainingConfig, sizes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what each row of an input vector gets of the vector's step, float32 (I,).

    Parameters
    ----------
    config : TrainingConfig
        CBOW takes the share of ``cbow_step``, skip-gram that of the gradient.
    sizes : int64 (I,)
        Rows that each input vector combines.
    """
    step = config.cbow_step if config.architecture == "cbow" else "exact"
    return input_share(sizes, combine=config.combine, step=step).astype(np.float32)


@dataclass(frozen=True)
class Probabilities:
    """How words are subsampled and drawn as noise, as tables.

    Attributes
    ----------
    keep : uint32 (V,)
        A token is kept if its 32 random bits are at most its word's number.
    noise : int32 (V, 2)
        Alias table: threshold (the bits of a uint32) and alias of each word, side by side.
    """

    keep: NDArray[np.uint32]
    noise: NDArray[np.int32]

    @classmethod
    def of(cls, counts: ArrayLike, config: TrainingConfig) -> Probabilities:
        """Return the tables of words with these counts, (V,)."""
        kept = keep_probabilities(counts, config.sample)
        table = AliasTable.from_probabilities(noise_distribution(counts, config.ns_exponent))
        return cls(
            # k such that 32 random bits are at most k with this probability: to 2^-32, and 1
            # exactly.
            np.clip(np.ceil(kept * 2.0**32) - 1, 0, 2**32 - 1).astype(np.uint32),
            np.stack([table.threshold.view(np.int32), table.alias], axis=1),
        )


def epoch_key(seed: int, epoch: int) -> int:
    """Return the 64-bit key of an epoch's random numbers, a function of the seed."""
    # Not SeedSequence([seed, epoch]): seed 2^32 in epoch 0 would be seed 0 in epoch 1.
    sequence = np.random.SeedSequence(seed, spawn_key=(epoch,))
    return int(sequence.generate_state(1, np.uint64)[0])


class SamplingTables:
    """The distributions that windows are drawn from, as tables for a corpus.

    Attributes
    ----------
    ids, offsets : the corpus
    keep, noise : as in :class:`Probabilities`
    reach : Reach
        Of a window, on either side.
    documents : DocumentTables or None
        Where sentences are documents.
    tree : HuffmanTree or None
        With the hierarchical softmax, the paths that windows predict.
    negative : int
        Negatives of a window: K, or none where the path is all that it predicts.
    addresses : tuple of int
        Of ids, offsets, keep and noise.
    """

    def __init__(self, corpus: EncodedCorpus | ValidationCorpus, config: TrainingConfig) -> None:
        probabilities = Probabilities.of(corpus.vocabulary.counts, config)
        self.keep, self.noise = probabilities.keep, probabilities.noise
        self.ids = np.ascontiguousarray(np.asarray(corpus.ids), np.int32)
        self.offsets = np.ascontiguousarray(np.asarray(corpus.offsets), np.int64)
        tables = self.ids, self.offsets, self.keep, self.noise
        self.addresses = tuple(table.ctypes.data for table in tables)
        self.reach = reach_of(config, corpus)
        self.tree = HuffmanTree.from_counts(corpus.vocabulary.counts) if config.has_tree else None
        self.negative = config.drawn_negatives
        self.seed = config.seed
        self._keys: dict[int, int] = {}
        self.documents = DocumentTables.of(corpus, config)

    @property
    def n_inputs(self) -> int:
        """Rows of ``W_in``: one for each word, and those of documents beyond them."""
        return len(self.keep) if self.documents is None else self.documents.n_inputs

    @property
    def n_words(self) -> int:
        """V."""
        return len(self.keep)

    @property
    def n_outputs(self) -> int:
        """Rows of ``W_out``: inner nodes of the tree, if there is one, then words, if they have."""
        nodes = 0 if self.tree is None else self.tree.n_nodes
        return nodes + (0 if self.tree is not None and not self.negative else self.n_words)

    def key(self, epoch: int) -> int:
        """Return :func:`epoch_key` of the seed."""
        if epoch not in self._keys:  # needed by every span
            self._keys[epoch] = epoch_key(self.seed, epoch)
        return self._keys[epoch]


@dataclass(frozen=True)
class DocumentTables:
    """Which rows of ``W_in`` the documents of a corpus have, beyond those of its V words.

    Attributes
    ----------
    tags : int32 (R,)
        Rows of ``W_in``: V and beyond.
    offsets : int64 (S + 1,)
        Document s has ``tags[offsets[s]:offsets[s + 1]]``.
    n_inputs : int
        Rows of ``W_in``: of words, of tags, and with ``combine="concat"`` one of padding, the last.
    most_tags : int
    kind : int
        Of which rows a window is made: see :mod:`wordgrad.training.kernels.documents`.
    width : int
        Rows side by side in an input vector: 1, or with ``combine="concat"`` 1 + 2 m.
    """

    tags: NDArray[np.int32]
    offsets: NDArray[np.int64]
    n_inputs: int
    most_tags: int
    kind: int
    width: int

    @classmethod
    def of(
        cls, corpus: EncodedCorpus | ValidationCorpus, config: TrainingConfig
    ) -> DocumentTables | None:
        """Return the tables of a corpus whose documents are to be trained, else None."""
        documents = getattr(corpus, "documents", None)
        if config.documents == "no":
            return None
        if documents is None:
            raise TypeError("a corpus without documents cannot train their vectors")
        n_words = len(corpus.vocabulary)
        concatenated = config.combine == "concat"
        if concatenated and len(documents.rows) != len(documents):
            several = int(np.argmax(np.diff(documents.offsets) > 1))
            raise InputError(
                'combine="concat" has one place for a document, and '
                f"{int(np.diff(documents.offsets)[several])} tags were given for one; give each "
                'document one tag, or use combine="mean".'
            )
        return cls(
            tags=(n_words + documents.rows).astype(np.int32),
            offsets=np.ascontiguousarray(documents.offsets, np.int64),
            n_inputs=n_words + len(documents.tags) + concatenated,
            most_tags=documents.most_tags,
            kind=document_kind(config),
            width=1 + 2 * config.window if concatenated else 1,
        )


def document_kind(config: TrainingConfig) -> int:
    """Return the kind of windows, as the kernels number them."""
    if config.combine == "concat":
        return CONCATENATED
    return ALONE if config.documents == "alone" else WITH_WORDS


def check_batch(batch: Batch, n_inputs: int, n_outputs: int) -> None:
    """Raise :class:`ParameterError` unless every row, offset and sign is in range.

    Engines call it before a step: what kernels are given, they trust.

    Parameters
    ----------
    batch : Batch
    n_inputs, n_outputs : int
        Rows of ``W_in`` and ``W_out``.
    """
    n = len(batch)
    _check_offsets("groups", batch.groups, n, "input vectors", batch.n_vectors)
    _check_offsets(
        "input_offsets", batch.input_offsets, batch.n_vectors, "inputs", len(batch.inputs)
    )
    _check_offsets("output_offsets", batch.output_offsets, n, "outputs", len(batch.outputs))
    for name, rows, matrix, size in (
        ("inputs", batch.inputs, "W_in", n_inputs),
        ("outputs", batch.outputs, "W_out", n_outputs),
    ):
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise ParameterError(
                f"{name} must be one row of integers, got {rows.dtype} of shape {rows.shape}."
            )
        if rows.size and (rows.min() < 0 or rows.max() >= size):
            raise ParameterError(
                f"{name} must be rows of {matrix} in [0, {size - 1}], "
                f"got {int(rows.min())} to {int(rows.max())}."
            )
    if batch.signs is not None:
        if batch.signs.shape != batch.outputs.shape or not np.isin(batch.signs, (-1, 1)).all():
            raise ParameterError(
                f"signs must be +1 or -1 for each of the {len(batch.outputs)} outputs, "
                f"got {np.unique(batch.signs).tolist()} of shape {batch.signs.shape}."
            )
        return
    first = batch.output_offsets[:-1]
    equal = batch.outputs == np.repeat(batch.outputs[first], np.diff(batch.output_offsets))
    equal[first] = False
    if equal.any():
        raise ParameterError("a negative must differ from its example's target; draw it again.")


def _check_offsets(name: str, offsets: NDArray[np.int64], n: int, what: str, total: int) -> None:
    """Raise unless ``offsets`` cut ``total`` things into ``n`` pieces of at least one."""
    if (
        offsets.ndim != 1
        or offsets.dtype.kind not in "iu"
        or len(offsets) != n + 1
        or offsets[0] != 0
        or offsets[-1] != total
        or (np.diff(offsets) < 1).any()
    ):
        raise ParameterError(
            f"{name} must be {n + 1} integers that rise from 0 to {total}, the number of {what}; "
            f"got {_shortened(offsets)}."
        )


def _shortened(numbers: NDArray[np.int64]) -> str:
    return np.array2string(np.asarray(numbers), threshold=8, separator=", ")


def draw_batch(
    tables: SamplingTables,
    span: Span,
    window: int | Reach,
    negative: int,
    *,
    architecture: str = "skipgram",
    rows: InputRows | None = None,
) -> Batch:
    """Draw the windows whose centres lie in a span.

    Every choice is a function of the seed, the epoch and the centre's position in the corpus, so
    neighbouring spans give together what one span over both gives.  Neither the architecture nor
    the rows change what is drawn.

    Parameters
    ----------
    tables : SamplingTables
    span : Span
    window : int or Reach
        m, or how far windows reach.
    negative : int
        K.
    architecture, rows
        As in :meth:`Batch.from_windows`.  With a tree in the tables, what windows predict is the
        path to the target, before the target itself and its negatives, if K is not 0.
    """
    reach = Reach.of(window) if isinstance(window, int) else window
    n_tokens, documents = span.stop - span.start, tables.documents
    most_rows = 2 * reach.most + (0 if documents is None else documents.most_tags)
    tokens = np.zeros(2 * n_tokens + 2 * reach.most + 4, np.int32)
    bits = np.zeros(len(tokens), np.uint64)
    context_rows = np.zeros((n_tokens, most_rows), np.int64)
    sizes = np.zeros(n_tokens, np.int64)
    targets = np.zeros((n_tokens, 1 + negative), np.int64)
    corpus = (
        tables.ids.ctypes.data, tables.offsets.ctypes.data, *first_sentence(tables, span),
        span.stop, np.uint64(tables.key(span.epoch)), tables.keep.ctypes.data,
        tables.noise.ctypes.data, len(tables.keep), reach,
    )  # fmt: skip
    drawn = tokens, bits, context_rows, sizes, targets
    if documents is None:
        n = draw_span(*corpus, *drawn)
    else:
        n = draw_document_span(
            *corpus, documents.kind, documents.n_inputs - 1, documents.tags.ctypes.data,
            documents.offsets.ctypes.data, *drawn,
        )  # fmt: skip
    offsets = np.concatenate([[0], np.cumsum(sizes[:n])])
    contexts = context_rows[:n][np.arange(most_rows) < sizes[:n, np.newaxis]]
    words = targets[:n].astype(np.int32)
    batch = Batch.from_windows(
        contexts.astype(np.int32), offsets, words, architecture=architecture, rows=rows
    )
    if tables.tree is None:
        return batch
    outputs, output_offsets, signs = tables.tree.outputs(words)
    return replace(batch, outputs=outputs, output_offsets=output_offsets, signs=signs)


def first_sentence(tables: SamplingTables, span: Span) -> tuple[int, int]:
    """Return the sentence that a span begins in, and where the span begins."""
    return int(np.searchsorted(tables.offsets, span.start, side="right")) - 1, span.start
