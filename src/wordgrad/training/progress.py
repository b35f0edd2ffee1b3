"""What training tells about itself while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingProgress:
    """A moment of training.

    Attributes
    ----------
    epoch, epochs : int
        The epoch at work, from 0, and their number.
    words_done, words_total : int
        Tokens of the corpus, over all epochs.
    words_per_second : float
        Mean since training began, or went on.
    loss : float
        Mean loss a pair, in nats, so far in this epoch.
    learning_rate : float
        Of the last span of tokens.
    seconds_left : float
        Estimated from the mean speed.
    validation_loss : float or None
        Mean loss a pair on the held-out text; None but in the last record of an epoch.
    """

    epoch: int
    epochs: int
    words_done: int
    words_total: int
    words_per_second: float
    loss: float
    learning_rate: float
    seconds_left: float
    validation_loss: float | None = None


@dataclass(frozen=True)
class CountingProgress:
    """A moment of counting pairs, before a skip-gram with the exact softmax is trained.

    Attributes
    ----------
    words_done, words_total : int
        Words of the vocabulary whose pairs are counted.
    pairs : float
        Expected number of pairs counted so far.
    """

    words_done: int
    words_total: int
    pairs: float


ProgressCallback = Callable[[TrainingProgress | CountingProgress], None]
"""Called from the thread that called ``fit``, a few times a second and at the end of an epoch."""
