"""Rounds on several threads: the same bytes for any number of them."""

from __future__ import annotations

import threading
from collections.abc import Generator

import numpy as np

from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.protocol import SamplingTables
from wordgrad.training.engines.round_memory import Layout
from wordgrad.training.engines.rounds import RoundEngine, RoundThread
from wordgrad.training.parameters import Parameters
from wordgrad.training.runners.protocol import Step
from wordgrad.training.runners.stateless import StatelessRunner
from wordgrad.training.runners.threads import StepThreads


class RoundRunner(StatelessRunner):
    """Threads that train the blocks of a round from the same parameters, then merge them.

    Parameters
    ----------
    config : TrainingConfig
    tables : SamplingTables
    layout : Layout
        Decides, with the seed, what is learnt; the number of threads does not.
    """

    def __init__(self, config: TrainingConfig, tables: SamplingTables, layout: Layout) -> None:
        self.config = config
        self.tables = tables
        self.layout = layout
        self.length = len(tables.ids)

    def compile(self, parameters: Parameters) -> None:
        """Compile the kernels (or load them from the cache) on throw-away parameters."""
        spare = Parameters.zeros(parameters.n_words, self.config.vector_size)
        engine = RoundEngine(self.config, self.tables, Layout(1, 1, 1), spare)
        engine.thread(0).take_part(0, 1, np.uint64(0), self.config.initial_rate)

    def run(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the steps of an epoch, in their order; see the protocol.

        Cut at the ends of steps, an epoch comes out as if it had not been cut.
        """
        engine = RoundEngine(self.config, self.tables, self.layout, parameters)
        crew = _Crew(engine, self.config, epoch, start, pause)
        with crew as steps:
            yield from steps


class _Crew(StepThreads):
    """The threads of an epoch; iterating gives its steps as they end.

    All meet between two steps.  The last to come writes down the step that has ended and decides on
    the next.
    """

    def __init__(
        self,
        engine: RoundEngine,
        config: TrainingConfig,
        epoch: int,
        start: int,
        pause: threading.Event,
    ) -> None:
        n_threads = min(config.threads, engine.layout.blocks)
        self._engine = engine
        self._config = config
        self._epoch = epoch
        self._key = np.uint64(engine.tables.key(epoch))
        self._pause = pause
        self._next_start = start
        self._step: tuple[int, int, float] | None = None
        self._meeting = threading.Barrier(n_threads, action=self._plan)
        shares = [k * engine.layout.blocks // n_threads for k in range(n_threads)]
        super().__init__([(engine.thread(share),) for share in shares])

    def _let_go(self) -> None:
        self._meeting.abort()

    def _plan(self) -> None:
        """Between two steps, while no thread is at work: end the last one, choose the next."""
        if self._step is not None:
            start, stop, rate = self._step
            self._results.put(Step(start, stop, self._engine.losses(), rate))
        start, length = self._next_start, len(self._engine.tables.ids)
        if start >= length or self._stop.is_set() or self._pause.is_set():
            self._step = None
            return
        stop = min(start + self._engine.layout.step_tokens, length)
        rate = self._config.learning_rate_at((self._epoch + start / length) / self._config.epochs)
        self._engine.memory.begin()
        self._step = start, stop, rate
        self._next_start = stop

    def _work(self, thread: RoundThread) -> None:
        try:
            while True:
                self._meeting.wait()
                if self._step is None:
                    break
                start, stop, rate = self._step
                thread.take_part(start, stop, self._key, rate)
        except threading.BrokenBarrierError:
            pass  # another thread failed, and says why
        except BaseException as error:  # handed to the thread that waits
            self._engine.memory.abandon()
            self._meeting.abort()
            self._results.put(error)
        finally:
            self._results.put(None)
