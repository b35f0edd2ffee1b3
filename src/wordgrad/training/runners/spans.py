"""Spans of tokens on several threads at once: the fastest order, and none in particular."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.cpu import CpuEngine
from wordgrad.training.engines.protocol import Engine, SamplingTables, Span
from wordgrad.training.history import EpochRecord
from wordgrad.training.parameters import Parameters
from wordgrad.training.runners.protocol import Step

MOST_SPAN_TOKENS = 20_000
LEAST_SPAN_TOKENS = 500
SPANS_AN_EPOCH = 200
"""Small corpora are cut into about this many spans, so that the learning rate falls smoothly."""


class SpanRunner:
    """Threads that share the parameters without locks, each on the next span (Hogwild).

    Niu, Recht, Re and Wright, *Hogwild!*, 2011: steps touch few rows, so they seldom collide.

    Parameters
    ----------
    config : TrainingConfig
    tables : SamplingTables
    """

    gradient_norm = None

    def __init__(self, config: TrainingConfig, tables: SamplingTables) -> None:
        self.config = config
        self.length = len(tables.ids)
        self.span_tokens = min(
            MOST_SPAN_TOKENS, max(LEAST_SPAN_TOKENS, self.length // SPANS_AN_EPOCH)
        )
        self.engine: Engine = CpuEngine(config, tables, self.span_tokens)

    def compile(self, parameters: Parameters) -> None:
        """Compile the kernels (or load them from the cache) on throw-away parameters."""
        spare = Parameters.zeros(parameters.n_words, self.config.vector_size)
        self.engine.run_span(spare, Span(0, 1, 0, self.config.initial_rate))

    def run(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the spans of an epoch as they end; see the protocol."""
        spans = self.spans(epoch, start)
        with _Threads(self.engine, parameters, spans, self.config.threads, pause) as steps:
            yield from steps

    def converged(self, history: Sequence[EpochRecord]) -> bool:
        """Never: the learning rate is to fall to its end."""
        return False

    def vectors(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the input vectors."""
        return parameters.W_in

    def close(self) -> None:
        """Nothing is kept outside memory."""

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return nothing: the parameters are all there is."""
        return {}

    def restore(self, state: dict[str, NDArray[np.float64]]) -> None:
        """Take up nothing."""

    def spans(self, epoch: int, first: int = 0) -> Iterator[Span]:
        """Cut an epoch from position ``first`` into spans, each with its learning rate."""
        for start in range(first, self.length, self.span_tokens):
            stop = min(start + self.span_tokens, self.length)
            progress = (epoch + start / self.length) / self.config.epochs
            yield Span(start, stop, epoch, self.config.learning_rate_at(progress))


class _Threads:
    """Runs spans on several threads; iterating gives a step as each span ends.

    Each thread takes the next span when it has finished one, so that a slow core does not hold up
    the others.  Leaving the block, for whatever reason, stops and joins them all.
    """

    def __init__(
        self,
        engine: Engine,
        parameters: Parameters,
        spans: Iterator[Span],
        n_threads: int,
        pause: threading.Event,
    ) -> None:
        self._engine = engine
        self._parameters = parameters
        self._spans = spans
        self._pause = pause
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._results: queue.SimpleQueue[Step | BaseException | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"wordgrad-{k}", daemon=True)
            for k in range(n_threads)
        ]

    def __enter__(self) -> Iterator[Step]:
        for thread in self._threads:
            thread.start()
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

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    # Under the lock: no span may be taken out of order once one was withheld.
                    span = None if self._pause.is_set() else next(self._spans, None)
                if span is None:
                    break
                loss = self._engine.run_span(self._parameters, span)
                self._results.put(Step(span.start, span.stop, loss, span.learning_rate))
        except BaseException as error:  # handed to the thread that waits
            self._results.put(error)
        finally:
            self._results.put(None)
