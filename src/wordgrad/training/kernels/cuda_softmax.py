"""The exact softmax of skip-gram on a CUDA card: what lies between the matrix products.

The card's twin of softmax.py: a block of threads for each row of logits, two sweeps over it (the
greatest; the exponentials and their sum), and a warp for each row that Adagrad steps on.  In the
CUDA simulator a warp has one lane and a block few threads.
"""

from __future__ import annotations

import math
from typing import Any

from numba import cuda, float32, float64, int64

from wordgrad.training.kernels.cuda import ALL_LANES, SIMULATED, WARP, device_jit

ROW_THREADS = 4 if SIMULATED else 1024
"""Threads of a row of logits.  One block a multiprocessor: the rows that are swept at once fit the
second-level cache, where the second sweep finds them."""

IN_FLIGHT = 8
"""Loads that a thread begins before it uses the first: with one it would wait for memory."""


LANES = 1 if SIMULATED else WARP
ROWS_A_BLOCK = 2 if SIMULATED else 8
ROW_LOADS = 4

if SIMULATED:

    def sum_over_warp(value: Any) -> Any:
        """Return the sum of a value over the one lane there is."""
        return value

else:

    @device_jit
    def sum_over_warp(value: Any) -> Any:
        """Return the sum of a value over a warp's lanes."""
        value += cuda.shfl_xor_sync(ALL_LANES, value, 16)
        value += cuda.shfl_xor_sync(ALL_LANES, value, 8)
        value += cuda.shfl_xor_sync(ALL_LANES, value, 4)
        value += cuda.shfl_xor_sync(ALL_LANES, value, 2)
        value += cuda.shfl_xor_sync(ALL_LANES, value, 1)
        return value


@device_jit
def max_or_nan(a: Any, b: Any) -> Any:
    """Return the greater of two numbers, or NaN if one is."""
    return a if a >= b or a != a else b


@cuda.jit
def gather(table: Any, order: Any, first: Any, D: Any, rows: Any) -> None:
    """Copy rows ``order[first:]`` of a table to ``rows``, their first D floats; a block a row."""
    i = cuda.blockIdx.x
    word = order[first + i]
    for d in range(cuda.threadIdx.x, D, cuda.blockDim.x):
        rows[i, d] = table[word, d]


@cuda.jit
def errors_in_place(
    logits: Any, order: Any, first: Any, starts: Any, columns: Any, values: Any,
    totals: Any, inputs: Any, scale: Any, scaled: Any, losses: Any,
) -> None:  # fmt: skip
    """Turn a block's logits into errors, and give their losses; a block of threads a row.

    Parameters
    ----------
    logits : float32 (B, V)
        Overwritten by ``delta s / n``.
    order, first : int64 (V,), int64
        Row i is that of the word ``order[first + i]``.
    starts, columns, values, totals : int64 (V + 1,), int32 (N,), float64 (N,), float64 (V,)
        The counts X of pairs in compressed rows, and the rows' sums n.
    inputs : float32 (B, Q)
    scale : float32 (B,)
        Written: n_c / s.
    scaled : float32 (B, Q)
        Written: the inputs, times the scale.
    losses : float64 (V,)
        Written from ``first`` on: n_c log sum_w exp theta_w - sum_o X_co theta_o.
    """
    thread, threads, i = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
    greatest_of = cuda.shared.array(ROW_THREADS, float32)
    told_of = cuda.shared.array(ROW_THREADS, float64)
    V, word = logits.shape[1], order[first + i]
    some = cuda.local.array(IN_FLIGHT, float32)
    own = float32(-math.inf)
    for begin in range(thread, V, IN_FLIGHT * threads):
        for k in range(IN_FLIGHT):
            w = begin + k * threads
            some[k] = logits[i, w] if w < V else float32(-math.inf)
        for k in range(IN_FLIGHT):
            own = max_or_nan(own, some[k])
    greatest_of[thread] = own
    cuda.syncthreads()
    half = threads // 2
    while half > 0:
        if thread < half:
            greatest_of[thread] = max_or_nan(greatest_of[thread], greatest_of[thread + half])
        cuda.syncthreads()
        half //= 2
    greatest = greatest_of[0]
    # Every thread has read the greatest, and the logits of the pairs, before any is overwritten.
    told = float64(0.0)
    for j in range(starts[word] + thread, starts[word + 1], threads):
        told += values[j] * float64(logits[i, columns[j]] - greatest)
    told_of[thread] = told
    cuda.syncthreads()
    total = float32(0.0)
    for begin in range(thread, V, IN_FLIGHT * threads):
        for k in range(IN_FLIGHT):
            w = begin + k * threads
            some[k] = logits[i, w] if w < V else float32(-math.inf)
        for k in range(IN_FLIGHT):
            w = begin + k * threads
            if w < V:
                e = float32(math.exp(some[k] - greatest))
                logits[i, w] = e
                total += e
    greatest_of[thread] = total
    cuda.syncthreads()
    half = threads // 2
    while half > 0:
        if thread < half:
            greatest_of[thread] += greatest_of[thread + half]
            told_of[thread] += told_of[thread + half]
        cuda.syncthreads()
        half //= 2
    total, n = greatest_of[0], totals[word]
    factor = float32(n / total)
    if thread == 0:
        scale[i] = factor
        losses[first + i] = n * math.log(float64(total)) - told_of[0] if n > 0.0 else float64(0.0)
    if n > 0.0:
        share = float64(total) / n
        for j in range(starts[word] + thread, starts[word + 1], threads):
            logits[i, columns[j]] -= float32(values[j] * share)
    for d in range(thread, inputs.shape[1], threads):
        scaled[i, d] = inputs[i, d] * factor


@cuda.jit
def adagrad_rows(
    parameters: Any, gradient: Any, D: Any, sums: Any, rate: Any, order: Any, first: Any,
    scale: Any, squares: Any,
) -> None:  # fmt: skip
    """Take an Adagrad step on the rows ``order[first:]``, a warp each; see softmax.py.

    Parameters
    ----------
    parameters : float32 (V, Q)
    gradient : float32 (rows, Q)
        Row i is that of word ``order[first + i]``.
    D : int
        What lies beyond D floats of a row is left alone.
    sums : float64 (V,)
    rate : float
    order, first : int64 (V,) or (0,), int64
        An empty order stands for all words, as they come.
    scale : float32 (rows,) or (0,)
        Factors of the gradient's rows, if any.
    squares : float64 (V,) or (0,)
        Written from ``first`` on, unless empty: the square of each row's gradient.
    """
    lane = cuda.threadIdx.x
    i = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
    if i >= gradient.shape[0]:
        return
    word = int64(i)
    if order.size > 0:
        word = order[first + i]
    factor = float32(1.0)
    if scale.size > 0:
        factor = scale[i]
    some = cuda.local.array(ROW_LOADS, float32)
    square = float64(0.0)
    for begin in range(0, D, ROW_LOADS * LANES):
        for k in range(ROW_LOADS):
            d = begin + k * LANES + lane
            some[k] = gradient[i, d] * factor if d < D else float32(0.0)
        for k in range(ROW_LOADS):
            square += float64(some[k]) * float64(some[k])
    square = sum_over_warp(square)
    total = sums[word] + square / D
    if total > 0.0:
        step = float32(rate / math.sqrt(total))
        for begin in range(0, D, ROW_LOADS * LANES):
            for k in range(ROW_LOADS):
                d = begin + k * LANES + lane
                some[k] = gradient[i, d] * factor if d < D else float32(0.0)
            for k in range(ROW_LOADS):
                d = begin + k * LANES + lane
                if d < D:
                    parameters[word, d] -= step * some[k]
    if lane == 0:
        sums[word] = total
        if squares.size > 0:
            squares[first + i] = square
