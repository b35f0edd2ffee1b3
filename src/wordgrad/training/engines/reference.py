"""The slow, exact engine: every step through :mod:`wordgrad.maths`, in float64."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.maths import input_share, logistic_loss
from wordgrad.training.engine import Loss, Step
from wordgrad.training.engines.negative_sampling import NegativeSamplingEngine
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import Batch, Span, check_batch, draw_batch


class ReferenceEngine(NegativeSamplingEngine):
    """The oracle as an engine, on the thread that calls it: what the fast ones are compared with.

    Parameters are read as float64, and rounded to float32 once an example, when the step is added.
    """

    def prepare(self, parameters: Parameters) -> None:
        """Check the parameters; there is nothing to compile."""
        parameters.check_rows(self.config.vector_size, self.n_inputs, self.n_outputs)

    def epoch(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the spans of an epoch in their order; see the protocol."""
        for span in self.spans(epoch, start):
            if pause.is_set():
                return
            loss = self.run_span(parameters, span)
            yield Step(span.start, span.stop, loss, span.learning_rate)

    def run_span(self, parameters: Parameters, span: Span) -> Loss:
        """Draw the windows of a span exactly as the fast engines do, and take their exact steps."""
        config = self.config
        batch = draw_batch(
            self.tables,
            span,
            self.tables.reach,
            self.tables.negative,
            architecture=config.architecture,
            rows=self.rows,
        )
        return self.apply_batch(parameters, batch, span.learning_rate)

    def apply_batch(self, parameters: Parameters, batch: Batch, learning_rate: float) -> Loss:
        """Take one exact gradient step an example, one after another; see the protocol."""
        check_batch(batch, parameters.n_inputs, parameters.n_outputs // self._width)
        step = self.config.cbow_step if self.config.architecture == "cbow" else "exact"
        total = 0.0
        for b in range(len(batch)):
            loss, (rows_in, d_in), (rows_out, d_out) = example_gradients(
                parameters, batch, b, self.config.combine, step
            )
            if self.input_steps is not None:
                d_in *= self.input_steps[rows_in, np.newaxis]
            parameters.W_in[rows_in] = parameters.W_in[rows_in] - learning_rate * d_in
            parameters.W_out[rows_out] = parameters.W_out[rows_out] - learning_rate * d_out
            total += loss
        return Loss(total, batch.n_vectors)


Gradient = tuple[NDArray[np.int32], NDArray[Any]]
"""Rows, each once, and the gradient of each in float64."""


def example_gradients(
    parameters: Parameters, batch: Batch, b: int, combine: str, step: str = "exact"
) -> tuple[float, Gradient, Gradient]:
    """Return the loss of example ``b``, and its gradients with respect to the rows that it touches.

    Returns
    -------
    loss : float
    inputs, outputs : pairs of int32 (n,) and float64 (n, D)
        Rows of ``W_in`` (of ``W_out``) and their gradients; with another ``step`` than "exact"
        those of ``W_in`` times the factor of :func:`~wordgrad.maths.input_share`.
    """
    part = slice(batch.output_offsets[b], batch.output_offsets[b + 1])
    rows_out, indices = np.unique(batch.outputs[part], return_inverse=True)
    inputs = [
        batch.inputs[batch.input_offsets[i] : batch.input_offsets[i + 1]]
        for i in range(batch.groups[b], batch.groups[b + 1])
    ]
    sizes = [len(rows) for rows in inputs]
    if combine == "concat":
        return _concatenated_gradients(parameters, batch, b, rows_out, indices, inputs[0])
    scales = input_share(sizes, combine=combine)
    shares = input_share(sizes, combine=combine, step=step)
    h = np.stack(
        [
            scale * parameters.W_in[rows].astype(np.float64).sum(axis=0)
            for rows, scale in zip(inputs, scales, strict=True)
        ]
    )
    W_out = parameters.W_out[rows_out].astype(np.float64)
    loss, d_h, d_out = logistic_loss(h, indices, batch.all_signs[part], W_out)
    rows_in, indices = np.unique(np.concatenate(inputs), return_inverse=True)
    d_in = np.zeros((len(rows_in), parameters.vector_size))
    np.add.at(d_in, indices, np.repeat(shares[:, np.newaxis] * d_h, sizes, axis=0))
    return loss, (rows_in, d_in), (rows_out, d_out)


def _concatenated_gradients(
    parameters: Parameters,
    batch: Batch,
    b: int,
    words: NDArray[np.int32],
    indices: NDArray[np.int64],
    inputs: NDArray[np.int32],
) -> tuple[float, Gradient, Gradient]:
    """As :func:`example_gradients`, of C rows side by side; word w has the C rows of W_out at C w.

    words, indices : the different outputs, and which of them each output is.
    """
    C, D = len(inputs), parameters.vector_size
    rows_out = (words[:, np.newaxis] * C + np.arange(C)).reshape(-1)
    part = slice(batch.output_offsets[b], batch.output_offsets[b + 1])
    h = parameters.W_in[inputs].astype(np.float64).reshape(1, C * D)
    W_out = parameters.W_out[rows_out].astype(np.float64).reshape(len(words), C * D)
    loss, d_h, d_out = logistic_loss(h, indices, batch.all_signs[part], W_out)
    rows_in, places = np.unique(inputs, return_inverse=True)
    d_in = np.zeros((len(rows_in), D))
    np.add.at(d_in, places, d_h.reshape(C, D))
    return loss, (rows_in, d_in), (rows_out, d_out.reshape(-1, D))
