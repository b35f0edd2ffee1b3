"""CBOW with the exact softmax: windows in batches, each window a row of one block."""

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
from wordgrad.training.engines.protocol import Loss, SamplingTables, Span, Windows
from wordgrad.training.engines.softmax.block import Targets
from wordgrad.training.engines.softmax.contexts import combine_contexts, hand_back
from wordgrad.training.engines.softmax.estimates import check_patience, estimate, matrix_speed
from wordgrad.training.engines.windows import draw_windows
from wordgrad.training.history import EpochRecord
from wordgrad.training.parameters import Parameters
from wordgrad.training.runners.protocol import Step
from wordgrad.training.runners.softmax import SoftmaxSteps, has_converged
from wordgrad.training.runners.softmax_validation import WindowsValidation
from wordgrad.training.validation import Validation

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

    def validation(self, text: HeldOutText) -> Validation:
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
