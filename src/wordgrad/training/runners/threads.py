"""Threads that train, seen from the thread that waits for their steps."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

from wordgrad.training.runners.protocol import Step


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
