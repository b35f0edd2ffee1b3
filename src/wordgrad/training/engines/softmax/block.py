"""Loss and gradients of a block of input rows against the whole vocabulary.

Three matrix products by BLAS, and between them one kernel that works in place::

    logits = inputs @ W_out.T  (B, V)     errors = n y_hat - X       d_inputs = errors @ W_out
                                                                     d_W_out  = errors.T @ inputs

The logits of a block are the only array with V columns, and the next block writes over them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from wordgrad.training.engines.softmax.rows import adagrad_rows, errors_in_place

T = TypeVar("T")


class Targets(NamedTuple):
    """What a block's rows have to predict: the rows of X, sparse.

    Attributes
    ----------
    begin, columns, values : int64 (B + 1,), int32 (N,), float64 (N,)
        Row i has the counts ``values[begin[i]:begin[i + 1]]`` in the columns beside them.
    totals : float64 (B,)
        n, the sum of each row.
    """

    begin: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float64]
    totals: NDArray[np.float64]


class BlockGradients(NamedTuple):
    """Loss of a block, and its gradients.

    Attributes
    ----------
    loss : float
        sum_i [ n_i log sum_w exp theta_iw - sum_o X_io theta_io ], in nats.
    d_inputs : float32 (B, D)
    d_W_out : float32 (V, D)
        Written over by the next block.
    """

    loss: float
    d_inputs: NDArray[np.float32]
    d_W_out: NDArray[np.float32]


class BlockSoftmax:
    """Works through blocks with some threads, in memory that is taken once.

    Parameters
    ----------
    n_words, vector_size : V, D
    block_rows : int
        B, the most rows of a block.
    threads : int
    """

    def __init__(self, n_words: int, vector_size: int, block_rows: int, threads: int) -> None:
        self.block_rows = block_rows
        self.threads = threads
        self._logits = np.empty((block_rows, n_words), np.float32)
        self._d_W_out = np.empty((n_words, vector_size), np.float32)
        self._pool: ThreadPoolExecutor | None = None
        self._libraries = ThreadpoolController()

    def gradients(
        self,
        inputs: NDArray[np.float32],
        W_out: NDArray[np.float32],
        offset: NDArray[np.float32],
        targets: Targets,
    ) -> BlockGradients:
        """Return the loss of a block and its gradients.

        Parameters
        ----------
        inputs : float32 (B, D)
        W_out : float32 (V, D)
        offset : float32 (V,)
            Added to the logits of every row.
        targets : Targets
        """
        B = len(inputs)
        logits = self._logits[:B]
        scale, losses = np.empty(B, np.float32), np.empty(B)
        # What leaves the range of float32 makes the loss no finite number: the trainer tells.
        with self.blas(), np.errstate(over="ignore", invalid="ignore"):
            np.matmul(inputs, W_out.T, out=logits)
            self._in_parts(
                B,
                lambda first, last: errors_in_place(
                    logits, offset, *targets, first, last, scale, losses
                ),
            )
            scale_column = scale[:, np.newaxis]
            d_inputs = np.matmul(logits, W_out)
            d_inputs *= scale_column
            np.matmul(logits.T, inputs * scale_column, out=self._d_W_out)
        return BlockGradients(float(losses.sum()), d_inputs, self._d_W_out)

    def blas(self) -> AbstractContextManager[object]:
        """Let matrix products take as many threads as were asked for."""
        limited: AbstractContextManager[object] = self._libraries.limit(
            limits=self.threads, user_api="blas"
        )
        return limited

    def adagrad(
        self,
        parameters: NDArray[np.float32],
        gradient: NDArray[np.float32],
        sums: NDArray[np.float64],
        rate: float,
    ) -> float:
        """Take an Adagrad step on every row; return the square of the gradient's norm."""
        squares = self._in_parts(
            len(parameters),
            lambda first, last: float(adagrad_rows(parameters, gradient, sums, rate, first, last)),
        )
        return math.fsum(squares)

    def _in_parts(self, n: int, call: Callable[[int, int], T]) -> list[T]:
        """Call on one share of 0..n for each thread; results in order, exceptions passed on."""
        if self.threads == 1:
            return [call(0, n)]
        edges = [n * k // self.threads for k in range(self.threads + 1)]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="wordgrad-softmax")
        return list(self._pool.map(call, edges[:-1], edges[1:]))

    def close(self) -> None:
        """End the threads; the next block would begin new ones."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
