"""The fast engine: Numba kernels over the shared parameters, one workspace a thread.

Spans of tokens on several threads at once: the fastest order, and none in particular.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import numpy as np

from wordgrad.errors import ParameterError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Engine, Loss, Step
from wordgrad.training.engines.workers import StatelessRunner, StepThreads
from wordgrad.training.kernels.span import run_batch, run_span
from wordgrad.training.kernels.workspace import Workspace
from wordgrad.training.parameters import ROW_FLOATS, Parameters, row_floats
from wordgrad.training.sampling import SamplingTables, Span, Windows, check_windows, first_sentence


class CpuEngine:
    """Skip-gram and CBOW with negative sampling on the processor's vector units.

    Parameters
    ----------
    config : TrainingConfig
    tables : SamplingTables, optional
        What windows are drawn from; :meth:`run_span` needs them, :meth:`apply_batch` does not.
    span_tokens : int
        The longest span that :meth:`run_span` will be given.
    """

    def __init__(
        self, config: TrainingConfig, tables: SamplingTables | None = None, span_tokens: int = 1
    ) -> None:
        self.config = config
        self._tables = tables
        self._span_tokens = span_tokens
        self._n_floats = row_floats(config.vector_size)
        self._skipgram = config.architecture == "skipgram"
        self._mean = config.combine == "mean"
        self._local = threading.local()

    def apply_batch(self, parameters: Parameters, windows: Windows, learning_rate: float) -> Loss:
        """Take one gradient step a window, one after another; see the protocol."""
        check_windows(windows, parameters.n_words, self.config.negative)
        sizes = np.diff(windows.offsets)
        workspace = self._workspace(int(sizes.max(initial=2 * self.config.window)))
        workspace.set_learning_rate(learning_rate)
        contexts = np.ascontiguousarray(windows.contexts, np.int32)
        offsets = np.ascontiguousarray(windows.offsets, np.int64)
        targets = np.ascontiguousarray(windows.targets, np.int32)
        pairs = run_batch(
            contexts, offsets, targets, *self._addresses(parameters), self._n_floats,
            self._skipgram, self._mean, workspace.addresses,
        )  # fmt: skip
        return Loss(float(workspace.loss[0]), int(pairs))

    def run_span(self, parameters: Parameters, span: Span) -> Loss:
        """Draw the span's windows and take their steps; see the protocol."""
        tables = self._tables
        if tables is None or span.stop - span.start > self._span_tokens:
            raise TypeError("run_span needs sampling tables and a span of at most span_tokens.")
        check_rows(parameters, self.config.vector_size, len(tables.keep))
        workspace = self._workspace(2 * self.config.window)
        workspace.set_learning_rate(span.learning_rate)
        pairs = run_span(
            tables.ids.ctypes.data, tables.offsets.ctypes.data, *first_sentence(tables, span),
            span.stop, np.uint64(tables.key(span.epoch)), tables.keep.ctypes.data,
            tables.noise.ctypes.data, len(tables.keep), *self._addresses(parameters),
            self._n_floats, self.config.window, self._skipgram, self._mean, workspace.addresses,
        )  # fmt: skip
        return Loss(float(workspace.loss[0]), int(pairs))

    def _addresses(self, parameters: Parameters) -> tuple[int, int]:
        """Return where the rows lie, once they are known to be what kernels may write to."""
        check_rows(parameters, self.config.vector_size)
        return parameters.W_in_rows.ctypes.data, parameters.W_out_rows.ctypes.data

    def _workspace(self, window_rows: int) -> Workspace:
        """Return this thread's workspace, made at its first call or when a window outgrows it."""
        workspace: Workspace | None = getattr(self._local, "workspace", None)
        if workspace is None or workspace.addresses.window_rows < window_rows:
            workspace = Workspace(
                window_rows=window_rows,
                negative=self.config.negative,
                n_floats=self._n_floats,
                span_tokens=self._span_tokens,
            )
            self._local.workspace = workspace
        return workspace


def check_rows(parameters: Parameters, vector_size: int, n_words: int | None = None) -> None:
    """Raise :class:`ParameterError` unless kernels may write to the parameters' rows.

    ``n_words`` is the number of words of the corpus that they are to be trained on.
    """
    if n_words is not None and parameters.n_words != n_words:
        raise ParameterError(
            f"parameters must have a row for each of the corpus's {n_words} words, "
            f"got {parameters.n_words}."
        )
    shape = (parameters.n_words, row_floats(vector_size))
    for rows in (parameters.W_in_rows, parameters.W_out_rows):
        aligned = rows.ctypes.data % (4 * ROW_FLOATS) == 0
        fits = rows.shape == shape and rows.dtype == np.float32 and rows.flags.carray
        if not (aligned and fits) or parameters.vector_size != vector_size:
            raise ParameterError(
                "parameters must be aligned float32 rows for "
                f"vector_size={vector_size}, got {rows.dtype} {rows.shape} for "
                f"vector_size={parameters.vector_size}; make them with Parameters.zeros or "
                "Parameters.initial."
            )


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
