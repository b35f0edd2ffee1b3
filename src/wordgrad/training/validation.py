"""The loss on held-out text: the same windows and the same negatives each time, and no step.

The windows are drawn as training draws them (subsampled, with a reach on 1..m, negatives from the
noise distribution), so that the number can be set beside the training loss; but they are drawn with
a key of their own, which neither the epoch nor the seed changes.  Two epochs, or two trainings on
one vocabulary, are thus compared on the very same pairs, and what differs is the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from wordgrad.corpus.validation import ValidationCorpus
from wordgrad.errors import InputError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss
from wordgrad.training.kernels.scoring import sum_of_losses
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import SamplingTables, Span, Windows, check_windows, draw_windows


def windows_loss(parameters: Parameters, windows: Windows, config: TrainingConfig) -> Loss:
    """Return the negative-sampling loss of windows, summed over pairs, and their number.

    The loss is that of :mod:`wordgrad.training.engine`; nothing is written.  May be
    called while other threads train: rows are read as they are at that moment.

    Parameters
    ----------
    parameters : Parameters
    windows : Windows
    config : TrainingConfig
        Its ``architecture``, ``combine`` and ``negative``.
    """
    check_windows(windows, parameters.n_words, config.negative)
    skipgram = config.architecture == "skipgram"
    total = sum_of_losses(
        windows.contexts, windows.offsets, windows.targets, parameters.W_in_rows,
        parameters.W_out_rows, parameters.vector_size, skipgram, config.combine == "mean",
    )  # fmt: skip
    return Loss(float(total), len(windows.contexts) if skipgram else len(windows))


DRAW = 1 << 40
"""Stands for the epoch in the key of the draws: no training comes so far."""

TOKENS_AT_ONCE = 10_000
"""Windows are drawn again each time, a piece at a time: keeping them would take hundreds of bytes
a word."""


@dataclass(frozen=True)
class HeldOut:
    """Text to measure the loss on after each epoch, and how long to wait for a better one.

    Attributes
    ----------
    text : ValidationCorpus
    patience : int or None
        Training ends after so many epochs without a better loss.  None never ends it early, and
        keeps no copy of the best parameters.
    """

    text: ValidationCorpus
    patience: int | None = None


class NegativeSamplingValidation:
    """The exact negative-sampling loss on the windows of a held-out text, always the same ones.

    Parameters
    ----------
    text : ValidationCorpus
    config : TrainingConfig

    Raises
    ------
    InputError
        If the text gives not one pair.
    """

    def __init__(self, text: ValidationCorpus, config: TrainingConfig) -> None:
        self._text = text
        self._config = config
        self._tables = SamplingTables(text, replace(config, seed=0))
        if not any(len(windows) for windows in self.windows()):
            raise InputError(
                "The validation text has no sentence with two words that are kept, so it has no "
                "loss; give more text, longer sentences, or raise sample (0 keeps every word)."
            )

    def __call__(self, parameters: Parameters) -> Loss:
        """Return the loss summed over the pairs, in nats, and their number."""
        total, pairs = 0.0, 0.0
        for windows in self.windows():
            loss = windows_loss(parameters, windows, self._config)
            total, pairs = total + loss.total, pairs + loss.pairs
        return Loss(total, pairs)

    def windows(self) -> Iterator[Windows]:
        """Draw the windows, some thousands at a time."""
        length = len(self._text.ids)
        for start in range(0, length, TOKENS_AT_ONCE):
            span = Span(start, min(start + TOKENS_AT_ONCE, length), DRAW, 0.0)
            yield draw_windows(self._tables, span, self._config.window, self._config.negative)
