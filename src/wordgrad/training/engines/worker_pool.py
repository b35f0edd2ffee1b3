"""Threads that train, and the thread that waits for their steps."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from wordgrad.training.engine import Step


def _nothing() -> None:
    pass


class WorkerPool:
    """Runs a function on several threads; a ``with`` block gives the steps that they put.

    Leaving the block, for whatever reason, stops and joins all threads.  An exception of a thread
    is raised where the steps are waited for.

    Parameters
    ----------
    n_threads : int
    work : callable
        Called once on each thread, with the thread's number from 0.  It passes each step to
        :meth:`put`, and ends soon once :attr:`stop` is set.
    wake : callable, optional
        Called when a thread has failed or cannot start: ends the waits of threads for one another.

    Attributes
    ----------
    stop : threading.Event
    """

    def __init__(
        self, n_threads: int, work: Callable[[int], None], wake: Callable[[], None] = _nothing
    ) -> None:
        self.stop = threading.Event()
        self._work = work
        self._wake = wake
        self._results: queue.SimpleQueue[Step | BaseException | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, args=(k,), name=f"wordgrad-{k}", daemon=True)
            for k in range(n_threads)
        ]

    def put(self, step: Step) -> None:
        """Give a step to the thread that waits."""
        self._results.put(step)

    def __enter__(self) -> Iterator[Step]:
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:  # a thread that cannot start: the others must not go on alone
            self.stop.set()
            self._wake()
            raise
        return self._steps()

    def __exit__(self, *exception: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()

    def _steps(self) -> Iterator[Step]:
        running = len(self._threads)
        while running:
            result = self._results.get()
            if result is None:
                running -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result

    def _run(self, k: int) -> None:
        try:
            self._work(k)
        except BaseException as error:  # handed to the thread that waits
            self._wake()
            self._results.put(error)
        finally:
            self._results.put(None)
