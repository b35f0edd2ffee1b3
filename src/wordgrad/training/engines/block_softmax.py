"""The exact softmax of a block of input rows against the whole vocabulary.

Three matrix products by BLAS, and between them one kernel that works in place::

    logits = inputs @ W_out.T + offset  (B, V)      d_inputs = errors @ W_out
    errors = n y_hat - X                (B, V)      d_W_out  = errors.T @ inputs

The logits of a block are the only array with V columns, and the next block writes over them.
:func:`exact_gradients` and :func:`exact_loss` are the same in float64, plainly: what the fast
blocks are compared with.

Word vectors (:func:`canonical_vectors`) are made from the scores, whatever the factors that
training ended with.  The softmax sees its parameters only through the scores W_in W_out^T, which
W_in A and W_out A^-T give as well, for any invertible A.  The loss cannot tell these apart; the
cosines of W_in can.  Where training ends among them depends on the steps it took, not on the text.
So the vectors are made from what the scores alone determine, their singular value decomposition:
with p(w) the words' shares of the pairs and R = diag(p),

    R W_in W_out^T R = P S Q^T,     vectors = R^-1 (P + Q) S^a .

Weighted by R, a direction counts for what it does to the pairs of the corpus, not for how many
rare words it tells apart.  P and Q are the two roles of each word, as the input and as the word to
predict; the pairs of skip-gram come in both orders, so that they differ by noise, and the sum has
less of it.  See ``docs/derivations/softmax-offset.md``; a is chosen by measurement.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import ThreadpoolController

from wordgrad.maths import log_softmax
from wordgrad.training.engine import Loss
from wordgrad.training.engines.pair_counts import PairCounts
from wordgrad.training.kernels.softmax import adagrad_rows, errors_in_place
from wordgrad.training.parameters import Parameters


def logit_offset(kind: str, shares: ArrayLike) -> NDArray[np.float32]:
    """Return the offset of the logits, float32 (V,).

    ``"none"`` gives 0, the softmax of the books.  ``"unigram"`` gives log p(w): the model is then
    ``p(o | c) ~ p(o) exp(u_o . v_c)``, and scores are what the context tells beyond frequency.
    Derived in ``docs/derivations/softmax-offset.md``.

    Parameters
    ----------
    kind : {"unigram", "none"}
    shares : array (V,)
        In proportion to p(w), how often each word is the one to predict.  A word that never is
        gets -inf: it is given no probability, as is right.

    Examples
    --------
    >>> logit_offset("none", [3, 1]).tolist()
    [0.0, 0.0]
    >>> np.exp(logit_offset("unigram", [3, 1])).tolist()
    [0.75, 0.25]
    """
    weights = np.asarray(shares, np.float64)
    if kind == "none":
        return np.zeros(len(weights), np.float32)
    with np.errstate(divide="ignore"):
        logarithms: NDArray[np.float64] = np.log(weights / weights.sum())
    return logarithms.astype(np.float32)


LEAST_ROWS = 512
"""Words whose products, or whose step of Adagrad, are worth a thread."""

T = TypeVar("T")


class SparseTargets(NamedTuple):
    """The words that a block's rows have to predict: the rows of X, sparse.

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
        targets: SparseTargets,
    ) -> BlockGradients:
        """Return the loss of a block and its gradients.

        Parameters
        ----------
        inputs : float32 (B, D)
        W_out : float32 (V, D)
        offset : float32 (V,)
            Added to the logits of every row.
        targets : SparseTargets
        """
        B, V = len(inputs), len(W_out)
        logits, d_W_out = self._logits[:B], self._d_W_out
        scale, losses = np.empty(B, np.float32), np.empty(B)

        # What leaves the range of float32 makes the loss no finite number: the trainer tells.
        @np.errstate(over="ignore", invalid="ignore")
        def score(first: int, last: int) -> None:
            np.matmul(inputs, W_out[first:last].T, out=logits[:, first:last])

        @np.errstate(over="ignore", invalid="ignore")
        def differentiate(first: int, last: int) -> NDArray[np.float32]:
            errors = logits[:, first:last]
            np.matmul(errors.T, scaled, out=d_W_out[first:last])
            d_inputs: NDArray[np.float32] = errors @ W_out[first:last]
            return d_inputs

        # Each thread multiplies for its share of the words.  Threads of BLAS go on asking for work
        # once a product is done, and would hold up the kernel.
        with self.blas(threads=1):
            self._in_parts(V, score, LEAST_ROWS)
            self._in_parts(
                B,
                lambda first, last: errors_in_place(
                    logits, offset, *targets, first, last, scale, losses
                ),
            )
            with np.errstate(over="ignore", invalid="ignore"):
                scaled = inputs * scale[:, np.newaxis]
                d_inputs, *others = self._in_parts(V, differentiate, LEAST_ROWS)
                for other in others:
                    d_inputs += other
                d_inputs *= scale[:, np.newaxis]
        return BlockGradients(float(losses.sum()), d_inputs, d_W_out)

    def blas(self, threads: int | None = None) -> AbstractContextManager[object]:
        """Limit matrix products to some threads, by default as many as this object has."""
        limited: AbstractContextManager[object] = self._libraries.limit(
            limits=threads or self.threads, user_api="blas"
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
            LEAST_ROWS,
        )
        return math.fsum(squares)

    def _in_parts(self, n: int, call: Callable[[int, int], T], least: int = 1) -> list[T]:
        """Call on one share of 0..n for each thread; results in order, exceptions passed on.

        Shares have ``least`` at least: below, waking a thread would cost more than it saves.
        """
        shares = min(self.threads, max(1, n // least))
        if shares == 1:
            return [call(0, n)]
        edges = [n * k // shares for k in range(shares + 1)]
        pool = self._pool
        if pool is None:
            pool = self._pool = ThreadPoolExecutor(
                self.threads - 1, thread_name_prefix="wordgrad-softmax"
            )
        # This thread takes a share itself, and so waits for one thread less.
        others = [pool.submit(call, *edges[k : k + 2]) for k in range(1, shares)]
        try:
            return [call(0, edges[1]), *[other.result() for other in others]]
        finally:
            wait(others)

    def close(self) -> None:
        """End the threads; the next block would begin new ones."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


ROWS = 256
Float64s = npt.NDArray[np.float64]


def exact_gradients(
    inputs: npt.ArrayLike, W_out: npt.ArrayLike, offset: npt.ArrayLike, targets: SparseTargets
) -> tuple[float, Float64s, Float64s]:
    """Return loss, ``d_inputs`` (B, D) and ``d_W_out`` (V, D) of a block, in float64.

    The twin of :meth:`~wordgrad.training.engines.block_softmax.BlockSoftmax.gradients`: the same
    formulas without the kernel, the scaling and float32.
    """
    rows, words = np.asarray(inputs, np.float64), np.asarray(W_out, np.float64)
    logarithms = log_softmax(rows @ words.T + finite_offset(offset))
    X = np.zeros_like(logarithms)
    for i in range(len(rows)):
        part = slice(targets.begin[i], targets.begin[i + 1])
        X[i, targets.columns[part]] = targets.values[part]
    errors = targets.totals[:, np.newaxis] * np.exp(logarithms) - X
    return -float((X * logarithms).sum()), errors @ words, errors.T @ rows


def exact_loss(
    W_in: npt.ArrayLike, W_out: npt.ArrayLike, offset: npt.ArrayLike, counts: PairCounts
) -> Loss:
    """Return the loss of a whole corpus at fixed parameters, in float64, and its pairs.

    Parameters
    ----------
    W_in, W_out : arrays (V, D)
    offset : array (V,)
        Added to the logits; 0 for the plain softmax.
    counts : PairCounts

    Returns
    -------
    Loss
        ``total / pairs`` is the mean cross-entropy a pair, in nats.
    """
    rows, words = np.asarray(W_in, np.float64), np.asarray(W_out, np.float64)
    added = finite_offset(offset)
    total = 0.0
    with_pairs = np.flatnonzero(counts.totals)
    for first in range(0, len(with_pairs), ROWS):
        centres = with_pairs[first : first + ROWS]
        logarithms = log_softmax(rows[centres] @ words.T + added)
        begin, columns, values = counts.rows(centres)
        which = np.repeat(np.arange(len(centres)), np.diff(begin))
        total -= float(values @ logarithms[which, columns])
    return Loss(total, counts.pairs)


def finite_offset(offset: npt.ArrayLike) -> Any:
    """Return an offset whose -inf, of words in no pair at all, takes part in sums."""
    return np.maximum(np.asarray(offset, np.float64), -1e300)


POWER = 0.35
"""Of the singular values: see docs/performance.md."""


def canonical_vectors(
    parameters: Parameters, shares: NDArray[np.float64], power: float = POWER
) -> NDArray[np.float32]:
    """Return vectors that depend on the scores alone, float32 (V, D); see above.

    Parameters
    ----------
    parameters : Parameters
        Not changed.
    shares : float64 (V,)
        In proportion to p(w); a word without pairs (0) is weighted as the rarest that has some.
    power : float
        a: 0 gives every direction the same weight, 1/2 splits the singular values evenly.

    Notes
    -----
    In float64, by two QR factorisations of (V, D) and a decomposition of (D, D): ``O(V D^2)``, a
    small part of a pass.  With V < D the columns from V on are 0.  Columns have the sign that
    makes their largest entry of P positive.

    Examples
    --------
    >>> parameters = Parameters.zeros(2, 2, 2)
    >>> parameters.W_in[:] = [[0, 1], [4, 0]]
    >>> parameters.W_out[:] = [[0, 1], [4, 0]]
    >>> canonical_vectors(parameters, np.ones(2), power=0.5).round(6) + 0.0
    array([[0., 2.],
           [8., 0.]], dtype=float32)
    """
    positive = shares > 0
    least = shares[positive].min() if positive.any() else 1.0
    weights = np.where(positive, shares, least)
    R = (weights / weights.mean())[:, np.newaxis]
    Q_in, R_in = np.linalg.qr(parameters.W_in * R)
    Q_out, R_out = np.linalg.qr(parameters.W_out * R)
    left, singular, right = np.linalg.svd(R_in @ R_out.T)
    P, Q = Q_in @ left, Q_out @ right.T
    columns = np.arange(P.shape[1])
    signs = np.where(P[np.abs(P).argmax(axis=0), columns] < 0, -1.0, 1.0)
    vectors = np.zeros((parameters.n_inputs, parameters.vector_size), np.float32)
    vectors[:, columns] = (P + Q) / R * (signs * singular**power)
    return vectors
