"""Spans of tokens on several threads at once: the fastest order, and none in particular."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.cpu import CpuEngine
from wordgrad.training.engines.protocol import Engine, SamplingTables, Span
from wordgrad.training.parameters import Parameters
from wordgrad.training.runners.protocol import Step
from wordgrad.training.runners.stateless import StatelessRunner
from wordgrad.training.runners.threads import StepThreads

MOST_SPAN_TOKENS = 20_000
LEAST_SPAN_TOKENS = 500
SPANS_AN_EPOCH = 200
"""Small corpora are cut into about this many spans, so that the learning rate falls smoothly."""


class SpanRunner(StatelessRunner):
    """Threads that share the parameters without locks, each on the next span (Hogwild).

    Niu, Recht, Re and Wright, *Hogwild!*, 2011: steps touch few rows, so they seldom collide.

    Parameters
    ----------
    config : TrainingConfig
    tables : SamplingTables
    """

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

    def spans(self, epoch: int, first: int = 0) -> Iterator[Span]:
        """Cut an epoch from position ``first`` into spans, each with its learning rate."""
        for start in range(first, self.length, self.span_tokens):
            stop = min(start + self.span_tokens, self.length)
            progress = (epoch + start / self.length) / self.config.epochs
            yield Span(start, stop, epoch, self.config.learning_rate_at(progress))


class _Threads(StepThreads):
    """Runs spans on several threads; iterating gives a step as each span ends.

    Each thread takes the next span when it has finished one, so that a slow core does not hold up
    the others.
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
        super().__init__([()] * n_threads)

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
