"""What runners have in common that gather nothing and minimise the negative-sampling loss.

Threads that train, seen from the thread that waits for their steps.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.validation import ValidationCorpus
from wordgrad.errors import FormatError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import EpochRecord, Step, Validation
from wordgrad.training.parameters import Parameters
from wordgrad.training.validation import NegativeSamplingValidation


class StatelessRunner:
    """A part of :class:`~wordgrad.training.engine.Runner`: see there.

    Every random choice follows from the seed, the epoch and the position, so the position is all
    that going on needs.
    """

    config: TrainingConfig
    gradient_norm: float | None = None

    def converged(self, history: Sequence[EpochRecord]) -> bool:
        """Never: the learning rate is to fall to its end."""
        return False

    def vectors(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the input vectors."""
        return parameters.W_in

    def close(self) -> None:
        """Nothing is kept outside memory."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return nothing."""
        return {}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back nothing."""
        if state:
            raise FormatError(
                f"This checkpoint holds {', '.join(sorted(state))}, which training with these "
                "settings has no use for; it is damaged, or of a newer version of wordgrad."
            )

    def validation(self, text: ValidationCorpus) -> Validation:
        """Return the measure of the negative-sampling loss on a held-out text."""
        return NegativeSamplingValidation(text, self.config)


class StepThreads:
    """Runs ``_work`` on several threads; iterating gives the steps that they put, as they come.

    Leaving the block, for whatever reason, stops and joins all threads.

    Parameters
    ----------
    arguments : list of tuple
        Those of ``_work``, for each thread.

    Notes
    -----
    A subclass has ``_work``, which puts each :class:`Step` into ``_results``, puts an exception
    that the waiting thread is to raise, ends soon once ``_stop`` is set, and puts None at its end.
    It makes what ``_work`` needs before it calls ``__init__``.
    """

    def __init__(self, arguments: list[tuple[Any, ...]]) -> None:
        self._stop = threading.Event()
        self._results: queue.SimpleQueue[Step | BaseException | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, args=own, name=f"wordgrad-{k}", daemon=True)
            for k, own in enumerate(arguments)
        ]

    def __enter__(self) -> Iterator[Step]:
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:  # a thread that cannot start: the others must not go on alone
            self._stop.set()
            self._let_go()
            raise
        return self._ended()

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ended(self) -> Iterator[Step]:
        running = len(self._threads)
        while running:
            result = self._results.get()
            if result is None:
                running -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result

    def _let_go(self) -> None:
        """Wake the threads that wait for others."""

    def _work(self, *arguments: Any, **named: Any) -> None:
        raise NotImplementedError
