"""The slow, exact engine: every step through :mod:`wordgrad.maths`, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.maths import cbow, skipgram
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import SamplingTables, Span, Windows, check_windows, draw_windows


class ReferenceEngine:
    """The oracle behind the engine protocol.

    Parameters are read as float64, and rounded to float32 once a window, when the step is added.
    """

    def __init__(self, config: TrainingConfig, tables: SamplingTables | None = None) -> None:
        self.config = config
        self._tables = tables

    def apply_batch(self, parameters: Parameters, windows: Windows, learning_rate: float) -> Loss:
        """Take one exact gradient step a window, one after another; see the protocol."""
        check_windows(windows, parameters.n_words, self.config.negative)
        total, pairs = 0.0, 0
        for b in range(len(windows)):
            context = windows.contexts[windows.offsets[b] : windows.offsets[b + 1]]
            loss, d_W_in, d_W_out = self._gradients(parameters, context, windows.targets[b])
            parameters.W_in[:] = parameters.W_in - learning_rate * d_W_in
            parameters.W_out[:] = parameters.W_out - learning_rate * d_W_out
            total += loss
            pairs += len(context) if self.config.architecture == "skipgram" else 1
        return Loss(total, pairs)

    def run_span(self, parameters: Parameters, span: Span) -> Loss:
        """Draw the span's windows exactly as the fast engine does, and take their exact steps."""
        if self._tables is None:
            raise TypeError("run_span needs sampling tables; give them to ReferenceEngine.")
        windows = draw_windows(self._tables, span, self.config.window, self.config.negative)
        return self.apply_batch(parameters, windows, span.learning_rate)

    def _gradients(
        self, parameters: Parameters, context: NDArray[np.int32], targets: NDArray[np.int32]
    ) -> tuple[float, NDArray[Any], NDArray[Any]]:
        W_in = parameters.W_in.astype(np.float64)
        W_out = parameters.W_out.astype(np.float64)
        target, negatives = int(targets[0]), targets[1:]
        if self.config.architecture == "cbow":
            window = cbow(
                target,
                context,
                W_in,
                W_out,
                loss="negative-sampling",
                negatives=negatives,
                combine=self.config.combine,
            )
            return window.loss, window.d_W_in, window.d_W_out
        # A context word is read and the centre is its target, so a window is a sum of skip-gram
        # windows of one pair each, all at one snapshot of the parameters.
        loss = 0.0
        d_W_in: NDArray[Any] = np.zeros_like(W_in)
        d_W_out: NDArray[Any] = np.zeros_like(W_out)
        for word in context:
            pair = skipgram(
                int(word),
                [target],
                W_in,
                W_out,
                loss="negative-sampling",
                negatives=negatives[np.newaxis],
            )
            loss += pair.loss
            d_W_in += pair.d_W_in
            d_W_out += pair.d_W_out
        return loss, d_W_in, d_W_out
