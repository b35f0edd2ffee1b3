"""One line of a training's history.

What training tells about itself while it runs.

Where a training is.

What an engine is: the seam between which pairs (sampling) and what update (gradient).

An engine offers the same gradient step in two forms.  ``apply_batch`` takes windows that somebody
drew, so that it can be compared with another engine to rounding.  ``run_span`` draws the windows of
a piece of the corpus itself, which is what training calls.

A window has a target (its centre word), context words, and K negatives shared by them.
Its loss at the parameters before the window is

    skip-gram   sum over context words i of  -log s(u_t . v_i) - sum_k log s(-u_k . v_i)
    CBOW                                     -log s(u_t . h)   - sum_k log s(-u_k . h)

with s the sigmoid and h the mean (or sum) of the context's v_i; the step is ``-learning_rate``
times its gradient.  Its number of pairs is that of its context words (skip-gram) or 1 (CBOW).

What a runner is: the order in which an epoch's work is done, and by whom.

An engine knows how to take a step; a runner knows which steps make an epoch, in which order, and
which thread takes them.  The trainer asks a runner for one epoch at a time, from any position, and
may pause it: that is all that progress, checkpoints and resuming need to know.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.validation import ValidationCorpus
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import (
    Span,
    Windows,
)


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


@dataclass
class TrainingState:
    """Position and sums of a training: with the parameters, all that going on needs.

    Random numbers are functions of the seed, the epoch and the position, so the state of the
    generators is the position.

    Attributes
    ----------
    epoch : int
        Epochs that have ended.
    token : int
        Position in the epoch at work: so many tokens of it are done.
    loss : Loss
        Summed over the pairs of the epoch at work, in float64.
    seconds : float
        Wall-clock time that the epoch at work has taken.
    history : list of EpochRecord
        One for each epoch that has ended.
    """

    epoch: int = 0
    token: int = 0
    loss: Loss = field(default_factory=lambda: Loss(0.0, 0))
    seconds: float = 0.0
    history: list[EpochRecord] = field(default_factory=list)

    def end_epoch(self, record: EpochRecord) -> None:
        """Begin the next epoch."""
        self.history.append(record)
        self.epoch, self.token, self.loss, self.seconds = self.epoch + 1, 0, Loss(0.0, 0), 0.0

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, of the least validation loss (the first of equals); 0 if none."""
        losses = [
            (record.validation_loss, record.epoch)
            for record in self.history
            if record.validation_loss is not None
        ]
        return min(losses)[1] if losses else 0


class Loss(NamedTuple):
    """A loss summed over pairs, in nats and float64, and the number of pairs.

    Where pairs are counted and not drawn (skip-gram with the exact softmax), their number is an
    expectation, and not a whole one.
    """

    total: float
    pairs: float


class Engine(Protocol):
    """What turns windows into updates of parameters, in place."""

    def apply_batch(self, parameters: Parameters, windows: Windows, learning_rate: float) -> Loss:
        """Take one gradient step a window, one after another."""

    def run_span(self, parameters: Parameters, span: Span) -> Loss:
        """Draw the windows whose centres lie in the span and take their steps.

        May be called from several threads at once.
        """


Validation = Callable[[Parameters], Loss]
"""Measures the loss of parameters on a held-out text, and changes nothing."""


class Step(NamedTuple):
    """A piece of an epoch that has been trained on: positions ``start`` to ``stop``."""

    start: int
    stop: int
    loss: Loss
    learning_rate: float


class Runner(Protocol):
    """Runs epochs, from any position of them, until it is asked to pause."""

    length: int
    """Number of positions in an epoch: the tokens of the corpus."""

    @property
    def gradient_norm(self) -> float | None:
        """Norm of the gradient a pair over the epoch so far, or None where nobody adds it up."""

    def compile(self, parameters: Parameters) -> None:
        """Make ready what the first step would wait for, and change nothing."""

    def run(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Train on an epoch (from 0) from position ``start``, a step at a time.

        Steps may come in any order.  Once ``pause`` is set no more are begun, those begun are
        ended and given, and iteration stops: the positions given are then all those from ``start``
        to some position, from which a later call goes on.  Closing the iterator ends every
        thread.
        """

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what the runner has gathered so far and needs to go on, by name.

        Asked for while nothing runs; written to the disk before anything runs again, so it need
        not be a copy.  Empty if the parameters and the position are all there is.
        """

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` gave, perhaps in another process.

        Raises
        ------
        FormatError
            If names, shapes or dtypes are not its own: the arrays come from a file.
        """

    def validation(self, text: ValidationCorpus) -> Validation:
        """Return what measures the loss that training minimises on a held-out text.

        Raises
        ------
        InputError
            If the text gives nothing to measure: before training, not after its first epoch.
        """

    def converged(self, history: Sequence[EpochRecord]) -> bool:
        """Whether training may end after the epochs of ``history``, having nothing to gain."""

    def vectors(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the word vectors of trained parameters, (V, D); these are not changed."""

    def close(self) -> None:
        """Remove what was kept outside memory; :meth:`compile` would make it again."""
