"""The exact softmax: skip-gram by counts of pairs, CBOW by batches of windows.

:class:`SkipGramSoftmaxEngine` passes over the words of the vocabulary, a block of centre words a
step, whose expected counts of pairs were counted before; :class:`CbowSoftmaxEngine` passes over the
text, a batch of windows a step, each window a row of a block.  Both predict a word from an input
vector h with the probabilities ``softmax(W_out h + offset)``, and take their steps by Adagrad
(:class:`SoftmaxSteps`).

The parameters of a block take one step together, ``rate g / sqrt(G)`` for a row with the gradient
g, where G sums the row's mean squares of all its gradients so far.  So
:meth:`SoftmaxEngine.apply_batch` is one step for a whole batch.

Memory and time are estimated before the work begins, and a training that would not fit is refused
(:func:`check_budget`).
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.corpus import EncodedCorpus, ValidationCorpus
from wordgrad.errors import FormatError, InputError, ParameterError
from wordgrad.maths import log_softmax
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss, ProgressCallback, Step, Validation
from wordgrad.training.engines.block_softmax import (
    ROWS,
    BlockGradients,
    BlockSoftmax,
    SparseTargets,
    canonical_vectors,
    exact_loss,
    finite_offset,
    logit_offset,
)
from wordgrad.training.engines.pair_counts import BLOCK_BYTES, PairCounts, count_pairs
from wordgrad.training.kernels.batch import combine_inputs, scatter_add
from wordgrad.training.parameters import Parameters, row_floats
from wordgrad.training.sampling import (
    Batch,
    SamplingTables,
    Span,
    check_batch,
    draw_batch,
    input_shares,
    keep_probabilities,
    reach_of,
)
from wordgrad.training.validation import NegativeSamplingValidation

OUTPUT_RATE = 2.0
"""Learning rate of the output vectors over that of the input vectors: see docs/performance.md."""


class SoftmaxSteps:
    """Gradients of blocks and the steps of Adagrad, with a sum of squares for each row.

    Parameters
    ----------
    config : TrainingConfig
    shares : float64 (V,)
        In proportion to how often each word is the one to predict.
    block_rows : int

    Attributes
    ----------
    sums_in, sums_out : float64 (V,)
        Adagrad's sums for the rows of W_in and W_out.
    """

    def __init__(
        self, config: TrainingConfig, shares: NDArray[np.float64], block_rows: int
    ) -> None:
        self._shares = shares
        self.offset = logit_offset(config.softmax_offset, shares)
        # How a matrix product is cut among threads may change its last bits.
        threads = 1 if config.reproducible else config.threads
        self.block = BlockSoftmax(len(shares), config.vector_size, block_rows, threads)
        self.sums_in = np.zeros(len(shares))
        self.sums_out = np.zeros(len(shares))
        self._squares = self._pairs = 0.0

    def begin_epoch(self) -> None:
        """Start the sums of the gradient's norm again."""
        self._squares = self._pairs = 0.0

    def add_to_norm(self, squares: float, pairs: float) -> None:
        """Add input rows' squared gradients whose steps were taken elsewhere."""
        self._squares += squares
        self._pairs += pairs

    @property
    def gradient_norm(self) -> float | None:
        """Norm of the gradient of the mean loss a pair, of the input rows since the epoch began."""
        return math.sqrt(self._squares) / self._pairs if self._pairs else None

    def gradients(
        self, parameters: Parameters, inputs: NDArray[np.float32], targets: SparseTargets
    ) -> BlockGradients:
        """Return the loss and the gradients of a block of input rows."""
        self._pairs += float(targets.totals.sum())
        return self.block.gradients(inputs, parameters.W_out, self.offset, targets)

    def step(
        self,
        parameters: Parameters,
        words: NDArray[np.int64],
        d_words: NDArray[np.float32],
        d_W_out: NDArray[np.float32],
        rate: float,
    ) -> None:
        """Take an Adagrad step on the input vectors of ``words`` and on all output vectors."""
        rows, sums = parameters.W_in[words], self.sums_in[words]
        self._squares += self.block.adagrad(rows, d_words, sums, rate)
        parameters.W_in[words] = rows
        self.sums_in[words] = sums
        self.block.adagrad(parameters.W_out, d_W_out, self.sums_out, OUTPUT_RATE * rate)

    def vectors(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the word vectors that the parameters' scores determine."""
        with self.block.blas():
            return canonical_vectors(parameters, self._shares)

    def close(self) -> None:
        """End the threads."""
        self.block.close()

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return what a training needs to go on, beside its parameters."""
        epoch_sums = np.array([self._squares, self._pairs])
        return {"sums_in": self.sums_in, "sums_out": self.sums_out, "epoch_sums": epoch_sums}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` returned, or nothing: the state before the first step."""
        check_state(state, len(self.sums_in))
        if state:
            self.sums_in[:] = state["sums_in"]
            self.sums_out[:] = state["sums_out"]
            self._squares, self._pairs = map(float, state["epoch_sums"])


def check_state(state: Mapping[str, NDArray[Any]], n_words: int) -> None:
    """Raise :class:`FormatError` unless a state, which may come from a file, is one of these."""
    shapes = {"sums_in": (n_words,), "sums_out": (n_words,), "epoch_sums": (2,)}
    if not state:
        return
    if state.keys() != shapes.keys():
        raise FormatError(
            f"This checkpoint holds {', '.join(sorted(state))} in place of "
            f"{', '.join(sorted(shapes))}; it is damaged, or of another version of wordgrad."
        )
    for name, array in state.items():
        right = array.dtype == np.float64 and array.shape == shapes[name]
        if not right or not (np.isfinite(array).all() and (array >= 0).all()):
            raise FormatError(
                f"{name} in this checkpoint must be finite float64 >= 0 of shape {shapes[name]}, "
                f"and it is {array.dtype} of shape {array.shape}; the checkpoint is damaged."
            )


class CountsValidation:
    """The mean cross-entropy over the expected pairs of a held-out text: skip-gram.

    Parameters
    ----------
    text : ValidationCorpus
    config : TrainingConfig
    offset : callable
        Returns what is added to the logits, float32 (V,); called when the loss is measured.

    Raises
    ------
    InputError
        If the text gives not one pair.
    """

    def __init__(
        self,
        text: ValidationCorpus,
        config: TrainingConfig,
        offset: Callable[[], NDArray[np.float32]],
    ) -> None:
        keep = keep_probabilities(text.vocabulary.counts, config.sample)
        try:
            self._counts = count_pairs(
                text.ids, text.offsets, keep, reach_of(config, text), workers=config.threads
            )
        except InputError as error:
            raise InputError(f"The validation text cannot be used: {error}") from error
        self._offset = offset

    def __call__(self, parameters: Parameters) -> Loss:
        """Return the loss summed over the pairs, in nats, and their expected number."""
        return exact_loss(parameters.W_in, parameters.W_out, self._offset(), self._counts)


class BatchesValidation:
    """The mean cross-entropy over windows that are always the same ones: CBOW.

    Parameters
    ----------
    text : ValidationCorpus
    config : TrainingConfig
    offset : float32 (V,)
        Added to the logits.

    Raises
    ------
    InputError
        If the text gives not one window.
    """

    def __init__(
        self, text: ValidationCorpus, config: TrainingConfig, offset: NDArray[np.float32]
    ) -> None:
        # The one negative of each window is drawn with it, and not looked at.
        self._drawn = NegativeSamplingValidation(text, replace(config, negative=1))
        self._mean = config.combine == "mean"
        self._offset = finite_offset(offset)

    def __call__(self, parameters: Parameters) -> Loss:
        """Return the loss summed over the windows, in nats, and their number."""
        W_in, W_out = (rows.astype(np.float64) for rows in (parameters.W_in, parameters.W_out))
        total, n_windows = 0.0, 0
        for batch in self._drawn.batches():
            for first in range(0, len(batch), ROWS):
                part = batch.input_offsets[first : first + ROWS + 1]
                contexts = batch.inputs[part[0] : part[-1]]
                v_hat = np.add.reduceat(W_in[contexts], part[:-1] - part[0])
                if self._mean:
                    v_hat /= np.diff(part)[:, np.newaxis]
                targets = batch.outputs[batch.output_offsets[first : first + len(part) - 1]]
                logarithms = log_softmax(v_hat @ W_out.T + self._offset)
                total -= float(logarithms[np.arange(len(targets)), targets].sum())
            n_windows += len(batch)
        return Loss(total, n_windows)


class SoftmaxEngine:
    """What both engines of the exact softmax share: a block's step, and the sums of Adagrad.

    Parameters
    ----------
    config : TrainingConfig
    n_words : int
        V, the rows of both matrices.
    block_rows : int
        B, the most input vectors of a step.
    """

    length: int

    def __init__(self, config: TrainingConfig, n_words: int, block_rows: int) -> None:
        self.config = config
        self.n_inputs = self.n_outputs = n_words
        self.block_rows = block_rows
        self._steps: SoftmaxSteps | None = None
        self._restored: Mapping[str, NDArray[Any]] = {}

    @property
    def steps(self) -> SoftmaxSteps:
        """Gradients and optimiser."""
        if self._steps is None:
            raise TypeError("prepare must be called before a step, a loss or the vectors.")
        return self._steps

    @property
    def gradient_norm(self) -> float | None:
        """Norm of the gradient a pair, each row's taken before its step."""
        return self._steps.gradient_norm if self._steps else None

    def vectors(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the word vectors that the parameters' scores determine."""
        return self.steps.vectors(parameters)

    def collect(self, parameters: Parameters) -> None:
        """All that is learned is in the parameters."""

    def are_finite(self, parameters: Parameters) -> bool:
        """Whether every number is finite."""
        return parameters.are_finite()

    def close(self) -> None:
        """End the threads."""
        if self._steps is not None:
            self._steps.close()

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return what a training needs to go on, beside its parameters."""
        return dict(self._restored) if self._steps is None else self._steps.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` returned."""
        check_state(state, self.n_inputs)
        self._restored = state
        if self._steps is not None:
            self._steps.restore(state)

    def apply_batch(self, parameters: Parameters, batch: Batch, learning_rate: float) -> Loss:
        """Take one step of Adagrad on a batch; see the protocol.

        The word to predict is the first output of each example; the others, negatives, are not
        looked at.

        Raises
        ------
        ParameterError
            As in the protocol; also if outputs have signs, or there are more input vectors than
            ``block_rows``.
        """
        check_batch(batch, parameters.n_inputs, parameters.n_outputs)
        parameters.check_rows(self.config.vector_size, self.n_inputs, self.n_outputs)
        if batch.signs is not None:
            raise ParameterError(
                "signs must be None with the exact softmax, which predicts the first output of an "
                "example from all words; train outputs with signs by negative sampling."
            )
        if batch.n_vectors > self.block_rows:
            raise ParameterError(
                f"a batch must have at most {self.block_rows} input vectors, the rows of a block, "
                f"got {batch.n_vectors}; cut it."
            )
        if not len(batch):
            return Loss(0.0, 0)
        return self._step(parameters, batch, learning_rate)

    def _step(self, parameters: Parameters, batch: Batch, rate: float) -> Loss:
        n, mean, size = batch.n_vectors, self.config.combine == "mean", self.config.vector_size
        words, indices = np.unique(batch.inputs, return_inverse=True)
        vectors = np.empty((n, size), np.float32)
        combine_inputs(parameters.W_in, batch.inputs, batch.input_offsets, mean, vectors)
        first = batch.outputs[batch.output_offsets[:-1]]
        targets = SparseTargets(
            np.arange(n + 1), np.repeat(first, np.diff(batch.groups)), np.ones(n), np.ones(n)
        )
        found = self.steps.gradients(parameters, vectors, targets)
        d_words = np.zeros((len(words), size), np.float32)
        shares = input_shares(self.config, np.diff(batch.input_offsets))
        scatter_add(found.d_inputs, indices, batch.input_offsets, shares, d_words)
        self.steps.step(parameters, words.astype(np.int64), d_words, found.d_W_out, rate)
        return Loss(found.loss, n)


BLOCK_ROWS = 256
BLOCKS_A_PASS = 40
"""Small vocabularies are cut into about this many blocks: output vectors step once a block."""


def rows_of_block(n_words: int) -> int:
    """Return how many centre words a step of skip-gram has."""
    return max(1, min(BLOCK_ROWS, -(-n_words // BLOCKS_A_PASS)))


def order_of_words(config: TrainingConfig, epoch: int, n_words: int) -> NDArray[np.int64]:
    """Return the centre words in the order of an epoch, a function of the seed."""
    sequence = np.random.SeedSequence(config.seed, spawn_key=(epoch,))
    return np.random.default_rng(sequence).permutation(n_words)


class SkipGramSoftmaxEngine(SoftmaxEngine):
    """Trains on all pairs of the corpus at once, a block of centre words at a time.

    A position is a centre word in the order of the epoch, which is drawn afresh for each, so that a
    block is a fair sample of the vocabulary.  The pairs of a step are expectations.

    Parameters
    ----------
    corpus : EncodedCorpus
    config : TrainingConfig
    progress : callable, optional
        Receives :class:`~wordgrad.training.engine.CountingProgress` while pairs are counted.

    Raises
    ------
    ParameterError
        If the training would not fit the memory, or last more than ``max_hours``.
    """

    def __init__(
        self,
        corpus: EncodedCorpus,
        config: TrainingConfig,
        progress: ProgressCallback | None = None,
    ) -> None:
        V = self.length = len(corpus.vocabulary)
        super().__init__(config, V, rows_of_block(V))
        check_budget(config, V, estimate(config, V, V, self.block_rows, self.matrix_speed()))
        self._corpus = corpus
        self._progress = progress
        self._counts: PairCounts | None = None

    @classmethod
    def from_corpus(
        cls,
        corpus: EncodedCorpus,
        config: TrainingConfig,
        progress: ProgressCallback | None = None,
    ) -> Self:
        """Return an engine that trains on a corpus."""
        return cls(corpus, config, progress)

    def matrix_speed(self) -> float:
        """Multiply-adds a second of matrix products where the blocks are worked on."""
        return matrix_speed(self.config.vector_size)

    @property
    def counts(self) -> PairCounts:
        """The pairs of the corpus."""
        if self._counts is None:
            raise TypeError("prepare must be called before the pairs are counted.")
        return self._counts

    def prepare(self, parameters: Parameters) -> None:
        """Count the pairs and compile the kernels; nothing of the parameters changes."""
        if self._counts is not None:
            return
        corpus, config = self._corpus, self.config
        parameters.check_rows(config.vector_size, self.n_inputs, self.n_outputs)
        self._counts = count_pairs(
            np.ascontiguousarray(corpus.ids),
            np.ascontiguousarray(corpus.offsets),
            keep_probabilities(corpus.vocabulary.counts, config.sample),
            reach_of(config, corpus),
            workers=config.threads,
            progress=self._progress,
        )
        corpus.release_pages()
        # X is symmetric: its rows' sums are those of its columns, which the offset needs.
        self._steps = SoftmaxSteps(config, self._counts.totals, self.block_rows)
        self._steps.restore(self._restored)
        spare = Parameters.zeros(self.n_inputs, self.n_outputs, config.vector_size)
        state = {name: sums.copy() for name, sums in self._steps.state().items()}
        self._train(spare, np.zeros(1, np.int64), 0.0)
        self._steps.restore(state)

    def epoch(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the blocks of an epoch as they end; see the protocol."""
        self.prepare(parameters)
        if start == 0:
            self.steps.begin_epoch()
        order = self.order(epoch)
        for first in range(start, self.length, self.block_rows):
            if pause.is_set():
                return
            last = min(first + self.block_rows, self.length)
            rate = self.config.learning_rate_at((epoch + first / self.length) / self.config.epochs)
            loss = self._train(parameters, order[first:last], rate)
            yield Step(first, last, loss, rate)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the centre words in the order of an epoch."""
        return order_of_words(self.config, epoch, self.length)

    def close(self) -> None:
        """Remove the counts, and end the threads."""
        super().close()
        if self._counts is not None:
            self._counts.close()
            self._counts = None

    def validation(self, text: ValidationCorpus) -> Validation:
        """Return the measure of the exact loss on the expected pairs of a held-out text."""
        return CountsValidation(text, self.config, lambda: self.steps.offset)

    def _train(self, parameters: Parameters, words: NDArray[np.int64], rate: float) -> Loss:
        counts, steps = self.counts, self.steps
        targets = SparseTargets(*counts.rows(words), counts.totals[words])
        found = steps.gradients(parameters, parameters.W_in[words], targets)
        steps.step(parameters, words, found.d_inputs, found.d_W_out, rate)
        return Loss(found.loss, float(targets.totals.sum()))


BATCH_TOKENS = 512
BATCHES_AN_EPOCH = 200
"""Small corpora are cut into about this many batches."""


class CbowSoftmaxEngine(SoftmaxEngine):
    """Trains on batches of windows, in the order of the text.

    A position is a token, as with negative sampling, and the windows are drawn from the same random
    numbers.

    Parameters
    ----------
    corpus : EncodedCorpus
    config : TrainingConfig

    Raises
    ------
    ParameterError
        If the training would not fit the memory, or last more than ``max_hours``.
    """

    def __init__(self, corpus: EncodedCorpus, config: TrainingConfig) -> None:
        self.length = len(corpus.ids)
        vocabulary = corpus.vocabulary
        V = len(vocabulary)
        super().__init__(config, V, max(1, min(BATCH_TOKENS, self.length // BATCHES_AN_EPOCH)))
        kept = vocabulary.counts * keep_probabilities(vocabulary.counts, config.sample)
        speed = matrix_speed(config.vector_size)
        check_budget(config, V, estimate(config, V, float(kept.sum()), self.block_rows, speed))
        self._tables = SamplingTables(corpus, config)
        self._steps = SoftmaxSteps(config, kept, self.block_rows)

    @classmethod
    def from_corpus(
        cls,
        corpus: EncodedCorpus,
        config: TrainingConfig,
        progress: ProgressCallback | None = None,
    ) -> Self:
        """Return an engine that trains on a corpus; nothing comes before its first epoch."""
        return cls(corpus, config)

    def prepare(self, parameters: Parameters) -> None:
        """Compile the kernels on throw-away parameters."""
        parameters.check_rows(self.config.vector_size, self.n_inputs, self.n_outputs)
        spare = Parameters.zeros(self.n_inputs, self.n_outputs, self.config.vector_size)
        state = {name: sums.copy() for name, sums in self.steps.state().items()}
        self._draw(Span(0, 1, 0, 0.0))
        one = Batch.from_windows(
            np.zeros(1, np.int32),
            np.array([0, 1]),
            np.zeros((1, 1), np.int32),
            architecture="cbow",
        )
        self._step(spare, one, 0.0)
        self.steps.restore(state)

    def epoch(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the batches of an epoch as they end; see the protocol."""
        if start == 0:
            self.steps.begin_epoch()
        for first in range(start, self.length, self.block_rows):
            if pause.is_set():
                return
            last = min(first + self.block_rows, self.length)
            rate = self.config.learning_rate_at((epoch + first / self.length) / self.config.epochs)
            batch = self._draw(Span(first, last, epoch, rate))
            loss = self._step(parameters, batch, rate) if len(batch) else Loss(0.0, 0)
            yield Step(first, last, loss, rate)

    def validation(self, text: ValidationCorpus) -> Validation:
        """Return the measure of the exact loss on the windows of a held-out text."""
        return BatchesValidation(text, self.config, self.steps.offset)

    def _draw(self, span: Span) -> Batch:
        # The one negative of each is drawn with the window, and not looked at.
        return draw_batch(self._tables, span, self._tables.reach, 1, architecture="cbow")


OVER_THE_PRODUCTS = 1.6
"""Seconds of a block over those of its matrix products alone: see docs/performance.md."""

PROBE_ROWS, PROBE_WORDS = 256, 4096


@dataclass(frozen=True)
class Estimate:
    """Memory and time that a training would take.

    Attributes
    ----------
    memory : float
        Bytes.
    seconds : float
    exponent : int
        The seconds grow with this power of the vocabulary.
    """

    memory: float
    seconds: float
    exponent: int


def estimate(
    config: TrainingConfig, n_words: int, rows_a_pass: float, block_rows: int, speed: float
) -> Estimate:
    """Estimate a training that multiplies ``rows_a_pass`` rows with all words, in each epoch.

    Parameters
    ----------
    config : TrainingConfig
    n_words : int
        V.
    rows_a_pass : float
        V for skip-gram by counts; the tokens that are kept for CBOW.
    block_rows : int
    speed : float
        Multiply-adds a second of this machine's matrix products.
    """
    D, V = config.vector_size, n_words
    matrices = 2 * V * row_floats(D) * 4
    work = (V * D + block_rows * V + 2 * block_rows * D) * 4 + 2 * V * 8
    work += 6 * V * D * 8  # the decompositions at the end, in float64
    if config.architecture == "skipgram":
        work = max(work, BLOCK_BYTES)  # which are given back before the first pass
    seconds = config.epochs * 3.0 * rows_a_pass * V * D / speed * OVER_THE_PRODUCTS
    return Estimate(matrices + work, seconds, 2 if config.architecture == "skipgram" else 1)


def matrix_speed(vector_size: int) -> float:
    """Multiply-adds a second of float32 matrix products here and now; takes some hundredths."""
    rng = np.random.default_rng(0)
    rows = rng.random((PROBE_ROWS, vector_size), np.float32)
    words = rng.random((PROBE_WORDS, vector_size), np.float32)
    logits = rows @ words.T  # once for nothing: threads start, pages come
    best = math.inf
    for _ in range(2):
        begin = time.perf_counter()
        np.matmul(rows, words.T, out=logits)
        logits @ words
        logits.T @ rows
        best = min(best, time.perf_counter() - begin)
    return 3.0 * PROBE_ROWS * PROBE_WORDS * vector_size / best


def available_memory() -> float:
    """Bytes that programs may still take; infinite where the system does not tell."""
    status = Path("/proc/meminfo")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def check_budget(
    config: TrainingConfig,
    n_words: int,
    expected: Estimate,
    free: float | None = None,
    where: str = "on this machine",
) -> None:
    """Raise unless the memory is there and the time within ``max_hours``.

    Parameters
    ----------
    config : TrainingConfig
    n_words : int
    expected : Estimate
    free : float, optional
        Bytes that there are; by default here.
    where : str

    Raises
    ------
    ParameterError
        With both estimates, and the ``max_vocab`` that would fit.
    """
    memory = available_memory() if free is None else free
    limit = 3600.0 * config.max_hours
    if expected.memory <= memory and expected.seconds <= limit:
        return
    fits = n_words * min(
        1.0,
        memory / expected.memory,
        (limit / expected.seconds) ** (1.0 / expected.exponent),
    )
    remedy = f"keep at most {_rounded_down(fits):,} words with max_vocab"
    if expected.seconds > limit:
        remedy += f", or raise max_hours={config.max_hours:g}"
    raise ParameterError(
        f"The exact softmax of {n_words:,} words and vector_size={config.vector_size} would take "
        f"about {_gigabytes(expected.memory)} of memory, of which {_gigabytes(memory)} are free, "
        f"and {_hours(expected.seconds)} for {config.epochs} passes {where}; {remedy}."
    )


def _rounded_down(number: float) -> int:
    """Two digits are as much as an estimate knows; at least the two words of a vocabulary."""
    if number < 100:
        return max(2, int(number))
    unit = 10 ** (int(math.log10(number)) - 1)
    return int(number // unit * unit)


def _gigabytes(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB"


def _hours(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:,.1f} hours" if seconds < 360_000 else f"{seconds / 86400:,.0f} days"
