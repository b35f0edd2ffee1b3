"""Skip-gram with the exact softmax: an epoch is a pass over the words, by their counts of pairs."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.text.corpus import EncodedCorpus
from wordgrad.text.held_out import HeldOutText
from wordgrad.text.sampling import keep_probabilities
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.protocol import Loss
from wordgrad.training.engines.softmax.block import Targets
from wordgrad.training.engines.softmax.counts import PairCounts, count_pairs
from wordgrad.training.engines.softmax.estimates import check_patience, estimate, matrix_speed
from wordgrad.training.history import EpochRecord
from wordgrad.training.parameters import Parameters
from wordgrad.training.progress import ProgressCallback
from wordgrad.training.runners.protocol import Step
from wordgrad.training.runners.softmax import SoftmaxSteps, check_state, has_converged
from wordgrad.training.runners.softmax_validation import CountsValidation
from wordgrad.training.validation import Validation

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
        Receives :class:`~wordgrad.training.progress.CountingProgress` while pairs are counted.

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

    def validation(self, text: HeldOutText) -> Validation:
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
