"""Spans of tokens on several threads at once: the fastest order, and none in particular."""

from __future__ import annotations

import threading
from collections.abc import Generator

import numpy as np

from wordgrad.training.engine import Loss, Step
from wordgrad.training.engines.negative_sampling import NegativeSamplingEngine, WorkerPool
from wordgrad.training.kernels.documents import run_document_span
from wordgrad.training.kernels.span import run_span
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import Span, draw_batch, first_sentence


class HogwildEngine(NegativeSamplingEngine):
    """Threads that share the parameters without locks, each on the next span (Hogwild).

    Each thread takes the next span when it has finished one, so that a slow core does not hold up
    the others.  Skip-gram and CBOW with negative sampling and hierarchical softmax, on the
    processor's vector units.

    Niu, Recht, Re and Wright, *Hogwild!*, 2011: steps touch few rows, so they seldom collide.
    """

    @property
    def n_threads(self) -> int:
        """Threads that train; one where the bytes are to be the same for any number."""
        return 1 if self.config.reproducible else self.config.threads

    @property
    def _pairs_of_others(self) -> float:
        if self.documents is not None:
            return 0.0
        reach = self.most_reach if self._tables is None else self._tables.reach.mean
        return (self.n_threads - 1) * (2.0 * reach if self._skipgram else 1.0)

    def prepare(self, parameters: Parameters) -> None:
        """Compile the kernels (or load them from the cache) on throw-away parameters."""
        parameters.check_rows(self.config.vector_size, self.n_inputs, self.n_outputs)
        spare = Parameters.zeros(self.n_inputs, self.n_outputs, self.config.vector_size)
        self.run_span(spare, Span(0, 1, 0, self.config.initial_rate))

    def epoch(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the spans of an epoch as they end; see the protocol."""
        spans, lock = self.spans(epoch, start), threading.Lock()
        if self.n_threads == 1:  # here, for handing steps over takes as long as a small span
            for span in spans:
                if pause.is_set():
                    return
                loss = self.run_span(parameters, span)
                yield Step(span.start, span.stop, loss, span.learning_rate)
            return

        def work(_: int) -> None:
            while not pool.stop.is_set():
                with lock:
                    # Under the lock: no span may be taken out of order once one was withheld.
                    span = None if pause.is_set() else next(spans, None)
                if span is None:
                    return
                loss = self.run_span(parameters, span)
                pool.put(Step(span.start, span.stop, loss, span.learning_rate))

        pool = WorkerPool(self.n_threads, work)
        with pool as steps:
            yield from steps

    def run_span(self, parameters: Parameters, span: Span) -> Loss:
        """Draw the windows whose centres lie in a span, and take their steps.

        May be called from several threads at once.
        """
        tables, config = self.tables, self.config
        parameters.check_rows(config.vector_size, self.n_inputs, self.n_outputs)
        if self.rows is not None:
            batch = draw_batch(
                tables,
                span,
                tables.reach,
                tables.negative,
                architecture=config.architecture,
                rows=self.rows,
            )
            return self.apply_batch(parameters, batch, span.learning_rate)
        workspace = self._workspace(span_tokens=span.stop - span.start)
        workspace.set_learning_rate(span.learning_rate)
        workspace.set_inputs(parameters.W_in_rows)
        ids, offsets, keep, noise = tables.addresses
        given = (
            ids, offsets, *first_sentence(tables, span), span.stop,
            np.uint64(tables.key(span.epoch)), keep, noise, len(tables.keep),
            parameters.W_in_rows.ctypes.data, parameters.W_out_rows.ctypes.data, self._n_floats,
            tables.reach,
        )  # fmt: skip
        documents = self.documents
        if documents is None:
            pairs = run_span(*given, self._skipgram, workspace.addresses)
        else:
            pairs = run_document_span(
                *given, documents.kind, documents.n_inputs - 1, documents.tags.ctypes.data,
                documents.offsets.ctypes.data, self._skipgram, workspace.addresses,
            )  # fmt: skip
        return Loss(float(workspace.loss[0]), int(pairs))
