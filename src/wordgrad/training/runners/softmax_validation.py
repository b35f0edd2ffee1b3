"""The exact softmax loss on held-out text: no step, no approximation, float64 throughout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import InputError
from wordgrad.maths import log_softmax
from wordgrad.text.held_out import HeldOutText
from wordgrad.text.sampling import keep_probabilities
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.protocol import Loss
from wordgrad.training.engines.softmax.counts import count_pairs
from wordgrad.training.engines.softmax.exact import ROWS, exact_loss, finite_offset
from wordgrad.training.parameters import Parameters
from wordgrad.training.validation import NegativeSamplingValidation


class CountsValidation:
    """The mean cross-entropy over the expected pairs of a held-out text: skip-gram.

    Parameters
    ----------
    text : HeldOutText
    config : TrainingConfig
    offset : callable
        Returns what is added to the logits, float32 (V,); called when the loss is measured.

    Raises
    ------
    InputError
        If the text gives not one pair.
    """

    def __init__(
        self, text: HeldOutText, config: TrainingConfig, offset: Callable[[], NDArray[np.float32]]
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
    text : HeldOutText
    config : TrainingConfig
    offset : float32 (V,)
        Added to the logits.

    Raises
    ------
    InputError
        If the text gives not one window.
    """

    def __init__(
        self, text: HeldOutText, config: TrainingConfig, offset: NDArray[np.float32]
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
