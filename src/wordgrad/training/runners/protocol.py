"""What a runner is: the order in which an epoch's work is done, and by whom.

An engine knows how to take a step; a runner knows which steps make an epoch, in which order, and
which thread takes them.  The trainer asks a runner for one epoch at a time, from any position, and
may pause it: that is all that progress, checkpoints and resuming need to know.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from wordgrad.text.held_out import HeldOutText
from wordgrad.training.engines.protocol import Loss
from wordgrad.training.history import EpochRecord
from wordgrad.training.parameters import Parameters
from wordgrad.training.validation import Validation


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

    def validation(self, text: HeldOutText) -> Validation:
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
