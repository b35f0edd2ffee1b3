"""One line of a training's history."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch did.

    Attributes
    ----------
    epoch : int
        From 1.
    loss : float
        Mean loss a pair over the epoch, in nats.
    pairs, words : int
        Pairs trained on; tokens of the corpus passed, subsampled ones included.
    seconds : float
        Wall-clock time of the epoch's training alone: no reading, no compilation.
    learning_rate : float
        At the epoch's end.
    validation_loss : float or None
        Mean loss a pair on the held-out text after the epoch, in nats; None without such a text.
    """

    epoch: int
    loss: float
    pairs: int
    words: int
    seconds: float
    learning_rate: float
    validation_loss: float | None = None
