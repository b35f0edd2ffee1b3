"""The protocol between trainer and engines: batches, steps, state and history of a training.

An :class:`Engine` knows which steps make an epoch, in which order, and which thread takes them.
The trainer asks it for one epoch at a time, from any position, and may pause it: that is all that
progress, checkpoints and resuming need.  An epoch yields :class:`Step` by step; the trainer keeps
:class:`TrainingState` and :class:`EpochRecord` of it, and passes :class:`TrainingProgress` on.

*Which* pairs (sampling) is separate from *what* update.  Every engine also takes the examples of a
:class:`~wordgrad.training.sampling.Batch` that somebody else drew, by :meth:`Engine.apply_batch`,
and so can be compared with the mathematics to rounding.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.corpus import ValidationCorpus
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import Batch


@dataclass(frozen=True)
class EpochRecord:
    """Loss, size, time and learning rate of one epoch.

    Attributes
    ----------
    epoch : int
        From 1.
    loss : float
        Mean loss a pair over the epoch, in nats; 0 if there is no pair.
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
    words_trained : float, optional
        Tokens that subsampling leaves of an epoch: the expected number, not a count.
    """

    epoch: int
    loss: float
    pairs: float
    words: int
    seconds: float
    learning_rate: float
    validation_loss: float | None = None
    gradient_norm: float | None = None
    words_trained: float | None = None


@dataclass(frozen=True)
class TrainingProgress:
    """Progress of a training: position, speed, loss and time left.

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
    nodes, bytes_sent : int or None
        On a cluster: its machines, and what they have sent to one another.
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
    nodes: int | None = None
    bytes_sent: int | None = None


@dataclass(frozen=True)
class CountingProgress:
    """Progress of counting pairs, before a skip-gram with the exact softmax is trained.

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


class Loss(NamedTuple):
    """A loss summed over pairs, in nats and float64, and the number of pairs.

    Where pairs are counted and not drawn (skip-gram with the exact softmax), their number is an
    expectation, and not a whole one.
    """

    total: float
    pairs: float


Validation = Callable[[Parameters], Loss]
"""Measures the loss of parameters on a held-out text, and changes nothing."""


class Step(NamedTuple):
    """A piece of an epoch that has been trained on: positions ``start`` to ``stop``."""

    start: int
    stop: int
    loss: Loss
    learning_rate: float


class Engine(Protocol):
    """Trains epochs, from any position of them, until it is asked to pause.

    Attributes
    ----------
    length : int
        Positions in an epoch: tokens of the corpus, or words of the vocabulary.
    n_inputs, n_outputs : int
        Rows of ``W_in`` and ``W_out`` that it trains.
    """

    length: int
    n_inputs: int
    n_outputs: int

    @property
    def gradient_norm(self) -> float | None:
        """Norm of the gradient a pair over the epoch so far, or None where nobody adds it up."""

    def prepare(self, parameters: Parameters) -> None:
        """Compile, count, or whatever the first step would wait for; change no parameter.

        Raises
        ------
        ParameterError
            If these are not parameters that the engine can train.
        """

    def epoch(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Train on an epoch (from 0) from position ``start``, a step at a time.

        Steps may come in any order.  Once ``pause`` is set no more are begun, those begun are
        ended and given, and iteration stops: the positions given are then all those from ``start``
        to some position, from which a later call goes on.  Closing the iterator ends every
        thread.
        """

    def collect(self, parameters: Parameters) -> None:
        """Write to the parameters what was learned by the steps that were given.

        Only where it is kept elsewhere until somebody looks; else there is nothing to do.
        """

    def are_finite(self, parameters: Parameters) -> bool:
        """Whether every number that was learned is finite."""

    def apply_batch(self, parameters: Parameters, batch: Batch, learning_rate: float) -> Loss:
        """Train on given examples: the contract on which engines are compared with the oracle.

        With negative sampling the parameters take one step an example, one after another: exactly
        ``-learning_rate`` times the gradient of the example's loss (see
        :class:`~wordgrad.training.sampling.Batch`) at the parameters before it.  With the exact
        softmax the whole batch is one step of Adagrad on the loss of predicting each example's
        first output from its input vectors; see :mod:`wordgrad.training.engines.softmax`.

        Returns
        -------
        Loss
            Before each step, summed; its pairs are the batch's input vectors.

        Raises
        ------
        ParameterError
            If a row, offset or sign is out of range, and before anything changes.
        """

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what the engine has gathered so far and needs to go on, by name.

        Called while nothing runs; written to the disk before anything runs again, so it need not be
        a copy.  Empty if the parameters and the position are all there is.
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

    def vectors(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the word vectors of trained parameters, (V, D); these are not changed."""

    def close(self) -> None:
        """Remove what was kept outside memory; :meth:`prepare` would make it again."""
