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
    pairs : int or float
        Pairs trained on; with the exact softmax of skip-gram the expected pairs of the corpus.
    words : int
        Tokens of the corpus passed, subsampled ones included; with the exact softmax of skip-gram
        words of the vocabulary.
    seconds : float
        Wall-clock time of the epoch's training alone: no reading, no compilation.
    learning_rate : float
        At the epoch's end.
    validation_loss : float or None
        Mean loss a pair on the held-out text after the epoch, in nats; None without such a text.
    gradient_norm : float, optional
        With the exact softmax, the norm of the gradient of the mean loss a pair with respect to
        the input vectors, each taken before its step; else None.
    """

    epoch: int
    loss: float
    pairs: float
    words: int
    seconds: float
    learning_rate: float
    validation_loss: float | None = None
    gradient_norm: float | None = None
