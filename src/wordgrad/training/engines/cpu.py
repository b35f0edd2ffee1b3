"""The fast engine: Numba kernels over the shared parameters, one workspace a thread."""

from __future__ import annotations

import threading

import numpy as np

from wordgrad.errors import ParameterError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.cpu_kernels import run_batch, run_span
from wordgrad.training.engines.protocol import Loss, SamplingTables, Span, Windows, check_windows
from wordgrad.training.engines.windows import first_sentence
from wordgrad.training.engines.workspace import Workspace
from wordgrad.training.parameters import ROW_FLOATS, Parameters, row_floats


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
