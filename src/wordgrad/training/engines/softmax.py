"""What both runners of the exact softmax share: blocks, Adagrad, the end of a training.

The exact softmax loss on held-out text: no step, no approximation, float64 throughout.

Skip-gram with the exact softmax: an epoch is a pass over the words, by their counts of pairs.

CBOW with the exact softmax: windows in batches, each window a row of one block.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.corpus.validation import ValidationCorpus
from wordgrad.errors import FormatError, InputError
from wordgrad.maths import log_softmax
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import EpochRecord, Loss, ProgressCallback, Step, Validation
from wordgrad.training.engines.block_softmax import (
    ROWS,
    BlockGradients,
    BlockSoftmax,
    Targets,
    canonical_vectors,
    exact_loss,
    finite_offset,
    logit_offset,
)
from wordgrad.training.engines.budget import check_patience, estimate, matrix_speed
from wordgrad.training.engines.pair_counts import PairCounts, count_pairs
from wordgrad.training.kernels.softmax import combine_contexts, hand_back
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import (
    SamplingTables,
    Span,
    Windows,
    draw_windows,
    keep_probabilities,
)
from wordgrad.training.validation import NegativeSamplingValidation

OUTPUT_RATE = 2.0
"""Learning rate of the output vectors over that of the input vectors: see docs/performance.md."""


class SoftmaxSteps:
    """The optimiser's side of a training: offset, blocks, and a sum of squares for each row.

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
        """Add the gradient's norm up anew."""
        self._squares = self._pairs = 0.0

    @property
    def gradient_norm(self) -> float | None:
        """Norm of the gradient of the mean loss a pair, of the input rows since the epoch began."""
        return math.sqrt(self._squares) / self._pairs if self._pairs else None

    def gradients(
        self, parameters: Parameters, inputs: NDArray[np.float32], targets: Targets
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


def has_converged(history: Sequence[EpochRecord], tolerance: float) -> bool:
    """Whether the last epoch lowered the loss by less than a share ``tolerance`` of it.

    >>> from types import SimpleNamespace as Record
    >>> losses = [Record(loss=9.0), Record(loss=8.0), Record(loss=7.9999)]
    >>> has_converged(losses[:2], 1e-4), has_converged(losses, 1e-4), has_converged(losses, 0.0)
    (False, True, False)
    """
    if len(history) < 2 or tolerance == 0.0:
        return False
    before, after = history[-2].loss, history[-1].loss
    return math.isfinite(before) and before - after < tolerance * abs(before)


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
                text.ids, text.offsets, keep, config.window, workers=config.threads
            )
        except InputError as error:
            raise InputError(f"The validation text cannot be used: {error}") from error
        self._offset = offset

    def __call__(self, parameters: Parameters) -> Loss:
        """Return the loss summed over the pairs, in nats, and their expected number."""
        return exact_loss(parameters.W_in, parameters.W_out, self._offset(), self._counts)


class WindowsValidation:
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
        for windows in self._drawn.windows():
            for first in range(0, len(windows), ROWS):
                part = windows.offsets[first : first + ROWS + 1]
                contexts = windows.contexts[part[0] : part[-1]]
                v_hat = np.add.reduceat(W_in[contexts], part[:-1] - part[0])
                if self._mean:
                    v_hat /= np.diff(part)[:, np.newaxis]
                targets = windows.targets[first : first + ROWS, 0]
                logarithms = log_softmax(v_hat @ W_out.T + self._offset)
                total -= float(logarithms[np.arange(len(targets)), targets].sum())
            n_windows += len(windows)
        return Loss(total, n_windows)


BLOCK_ROWS = 256
BLOCKS_A_PASS = 40
"""Small vocabularies are cut into about this many blocks: output vectors step once a block."""


class CountsRunner:
    """Trains on all pairs of the corpus at once, a block of centre words at a time.

    A position is a centre word in the order of the epoch, which is drawn anew for each, so that a
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
        self.config = config
        self.length = len(corpus.vocabulary)
        self.block_rows = max(1, min(BLOCK_ROWS, -(-self.length // BLOCKS_A_PASS)))
        expected = estimate(
            config, self.length, self.length, self.block_rows, matrix_speed(config.vector_size)
        )
        check_patience(config, self.length, expected)
        self._corpus = corpus
        self._progress = progress
        self._counts: PairCounts | None = None
        self._steps: SoftmaxSteps | None = None
        self._waiting: Mapping[str, NDArray[Any]] = {}

    def compile(self, parameters: Parameters) -> None:
        """Count the pairs and compile the kernels; nothing of the parameters changes."""
        if self._counts is not None:
            return
        corpus, config = self._corpus, self.config
        self._counts = count_pairs(
            np.ascontiguousarray(corpus.ids),
            np.ascontiguousarray(corpus.offsets),
            keep_probabilities(corpus.vocabulary.counts, config.sample),
            config.window,
            workers=config.threads,
            progress=self._progress,
        )
        corpus.release_pages()
        # X is symmetric: its rows' sums are those of its columns, which the offset asks for.
        self._steps = SoftmaxSteps(config, self._counts.totals, self.block_rows)
        self._steps.restore(self._waiting)
        spare = Parameters.zeros(parameters.n_words, config.vector_size)
        state = {name: sums.copy() for name, sums in self._steps.state().items()}
        self._train(spare, np.zeros(1, np.int64), 0.0)
        self._steps.restore(state)

    def run(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the blocks of an epoch as they end; see the protocol."""
        self.compile(parameters)
        if self._steps is not None and start == 0:
            self._steps.begin_epoch()
        order = self.order(epoch)
        for first in range(start, self.length, self.block_rows):
            if pause.is_set():
                return
            last = min(first + self.block_rows, self.length)
            rate = self.config.learning_rate_at((epoch + first / self.length) / self.config.epochs)
            loss = self._train(parameters, order[first:last], rate)
            yield Step(first, last, loss, rate)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the centre words in the order of an epoch, a function of the seed."""
        sequence = np.random.SeedSequence(self.config.seed, spawn_key=(epoch,))
        return np.random.default_rng(sequence).permutation(self.length)

    @property
    def gradient_norm(self) -> float | None:
        """Norm of the gradient a pair, each row's taken before its step."""
        return self._steps.gradient_norm if self._steps else None

    def converged(self, history: Sequence[EpochRecord]) -> bool:
        """Whether the last epoch gained less than ``tolerance``."""
        return has_converged(history, self.config.tolerance)

    def vectors(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the word vectors that the parameters' scores determine."""
        if self._steps is None:
            raise TypeError("compile must be called before vectors.")
        return self._steps.vectors(parameters)

    def close(self) -> None:
        """Remove the counts, and end the threads."""
        if self._steps is not None:
            self._steps.close()
        if self._counts is not None:
            self._counts.close()
            self._counts = None

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return what a training needs to go on, beside its parameters."""
        return dict(self._waiting) if self._steps is None else self._steps.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` returned."""
        check_state(state, self.length)
        self._waiting = state
        if self._steps is not None:
            self._steps.restore(state)

    def validation(self, text: ValidationCorpus) -> Validation:
        """Return the measure of the exact loss on the expected pairs of a held-out text."""
        return CountsValidation(text, self.config, self._offset)

    def _offset(self) -> NDArray[np.float32]:
        if self._steps is None:
            raise TypeError("compile must be called before a loss is measured.")
        return self._steps.offset

    def _train(self, parameters: Parameters, words: NDArray[np.int64], rate: float) -> Loss:
        counts, steps = self._counts, self._steps
        if counts is None or steps is None:
            raise TypeError("compile must be called before a step.")
        targets = Targets(*counts.rows(words), counts.totals[words])
        found = steps.gradients(parameters, parameters.W_in[words], targets)
        steps.step(parameters, words, found.d_inputs, found.d_W_out, rate)
        return Loss(found.loss, float(targets.totals.sum()))


BATCH_TOKENS = 512
BATCHES_AN_EPOCH = 200
"""Small corpora are cut into about this many batches."""


class WindowsRunner:
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
        self.config = config
        self.length = len(corpus.ids)
        self.batch_tokens = max(1, min(BATCH_TOKENS, self.length // BATCHES_AN_EPOCH))
        vocabulary = corpus.vocabulary
        kept = vocabulary.counts * keep_probabilities(vocabulary.counts, config.sample)
        speed = matrix_speed(config.vector_size)
        expected = estimate(config, len(vocabulary), float(kept.sum()), self.batch_tokens, speed)
        check_patience(config, len(vocabulary), expected)
        self._tables = SamplingTables(corpus, config)
        self._steps = SoftmaxSteps(config, kept, self.batch_tokens)

    def compile(self, parameters: Parameters) -> None:
        """Compile the kernels on throw-away parameters."""
        spare = Parameters.zeros(parameters.n_words, self.config.vector_size)
        state = {name: sums.copy() for name, sums in self._steps.state().items()}
        self._windows(Span(0, 1, 0, 0.0))
        self._train(
            spare,
            Windows(np.zeros(1, np.int32), np.array([0, 1]), np.zeros((1, 2), np.int32)),
            0.0,
        )
        self._steps.restore(state)

    def run(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the batches of an epoch as they end; see the protocol."""
        if start == 0:
            self._steps.begin_epoch()
        for first in range(start, self.length, self.batch_tokens):
            if pause.is_set():
                return
            last = min(first + self.batch_tokens, self.length)
            rate = self.config.learning_rate_at((epoch + first / self.length) / self.config.epochs)
            windows = self._windows(Span(first, last, epoch, rate))
            loss = self._train(parameters, windows, rate) if len(windows) else Loss(0.0, 0)
            yield Step(first, last, loss, rate)

    @property
    def gradient_norm(self) -> float | None:
        """Norm of the gradient a pair, each row's taken before its step."""
        return self._steps.gradient_norm

    def converged(self, history: Sequence[EpochRecord]) -> bool:
        """Whether the last epoch gained less than ``tolerance``."""
        return has_converged(history, self.config.tolerance)

    def vectors(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the word vectors that the parameters' scores determine."""
        return self._steps.vectors(parameters)

    def close(self) -> None:
        """End the threads; nothing is kept outside memory."""
        self._steps.close()

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return what a training needs to go on, beside its parameters."""
        return self._steps.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` returned."""
        self._steps.restore(state)

    def validation(self, text: ValidationCorpus) -> Validation:
        """Return the measure of the exact loss on the windows of a held-out text."""
        return WindowsValidation(text, self.config, self._steps.offset)

    def _windows(self, span: Span) -> Windows:
        # The one negative of each is drawn with the window, and not looked at.
        return draw_windows(self._tables, span, self.config.window, 1)

    def _train(self, parameters: Parameters, windows: Windows, rate: float) -> Loss:
        B, mean = len(windows), self.config.combine == "mean"
        words, places = np.unique(windows.contexts, return_inverse=True)
        inputs = np.empty((B, self.config.vector_size), np.float32)
        combine_contexts(parameters.W_in, windows.contexts, windows.offsets, mean, inputs)
        targets = Targets(np.arange(B + 1), windows.targets[:, 0].copy(), np.ones(B), np.ones(B))
        found = self._steps.gradients(parameters, inputs, targets)
        d_words = np.zeros((len(words), self.config.vector_size), np.float32)
        hand_back(found.d_inputs, places, windows.offsets, mean, d_words)
        self._steps.step(parameters, words.astype(np.int64), d_words, found.d_W_out, rate)
        return Loss(found.loss, B)
