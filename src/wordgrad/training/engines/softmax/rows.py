"""From logits to errors, in place: the fused kernel of one block.

A block of B rows of logits (float32, B x V) comes from a matrix product and goes into two others.
What lies between costs memory traffic alone, so all of it is done to a row while the row is in
cache: one sweep for the greatest logit, one for the exponentials and their sum.

The errors of row c are delta_c = n_c y_hat_c - X_c.  A third sweep would divide by the sum; it is
spared by leaving the row as

    exp(theta_w - max) - X_cw s / n_c  =  delta_cw s / n_c,    s = sum_w exp(theta_w - max)

and handing n_c / s on, by which the B x D sides of the products are scaled instead.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import float32, float64, int32, njit, types
from numba.extending import intrinsic

INVERSE_LOG_2 = float32(1.0 / math.log(2.0))
# log 2 in two parts, the first with few bits, so that n * part is exact.
HIGH = float32(0.693359375)
LOW = float32(math.log(2.0) - 0.693359375)
SMALLEST = float32(-87.33)
"""Below, exp leaves float32's normal numbers: it is 1.2e-38 there, and adds nothing to 1."""

FAST = {"reassoc", "contract", "nsz"}
"""Sums may be taken in any order; infinities and NaN still mean what they mean."""

jit = njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)


@intrinsic
def _rounded(typingctx: Any, x: Any) -> Any:
    """Return a float32 rounded to the nearest integer."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = builder.module.declare_intrinsic("llvm.rint", [ir.FloatType()])
        return builder.call(function, arguments)

    return types.float32(types.float32), codegen


@intrinsic
def _with_bits(typingctx: Any, bits: Any) -> Any:
    """Return the float32 whose bits are those of an int32."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), codegen


@njit(error_model="numpy", fastmath=FAST, inline="always")
def exp_of_negative(a: Any) -> Any:
    """Return exp(a) for a <= 0, to within 3 units in the last place of float32.

    exp(a) = 2^n exp(r), n = round(a / log 2), |r| <= log(2) / 2, exp(r) by its Taylor polynomial
    of degree 7 (remainder 5e-9 relative).  Nothing here but arithmetic, so LLVM turns a loop of it
    into vector code of whatever width the machine has.
    """
    a = max(a, SMALLEST)
    n = _rounded(a * INVERSE_LOG_2)
    r = a - n * HIGH
    r = r - n * LOW
    p = float32(1.0 / 5040)
    p = p * r + float32(1.0 / 720)
    p = p * r + float32(1.0 / 120)
    p = p * r + float32(1.0 / 24)
    p = p * r + float32(1.0 / 6)
    p = p * r + float32(0.5)
    p = p * r + float32(1.0)
    p = p * r + float32(1.0)
    return p * _with_bits((int32(n) + int32(127)) << int32(23))


@jit
def errors_in_place(
    logits: Any, offset: Any, begin: Any, columns: Any, values: Any, totals: Any, first: Any,
    last: Any, scale: Any, losses: Any,
) -> None:  # fmt: skip
    """Turn rows ``first`` to ``last`` of a block's logits into errors, and give their losses.

    Parameters
    ----------
    logits : float32 (B, V)
        u_w . v_c.  Overwritten by ``delta s / n``; by y_hat s where n is 0.
    offset : float32 (V,)
        Added to every row.
    begin, columns, values : int64 (B + 1,), int32 (N,), float64 (N,)
        The rows X_c, sparse: where each begins, its columns and its values.
    totals : float64 (B,)
        n_c, the sums of the rows.
    scale : float32 (B,)
        Written: n_c / s, and 0 where n_c is 0.
    losses : float64 (B,)
        Written: n_c log sum_w exp theta_w - sum_o X_co theta_o.
    """
    V = logits.shape[1]
    for i in range(first, last):
        row = logits[i]
        greatest = row[0] + offset[0]
        for w in range(V):
            row[w] += offset[w]
            greatest = max(greatest, row[w])
        told = 0.0
        for j in range(begin[i], begin[i + 1]):
            told += values[j] * (row[columns[j]] - greatest)
        total = float32(0.0)
        for w in range(V):
            e = exp_of_negative(row[w] - greatest)
            row[w] = e
            total += e
        n = totals[i]
        scale[i] = n / total
        losses[i] = 0.0
        if n > 0.0:
            losses[i] = n * math.log(total) - told
            share = total / n
            for j in range(begin[i], begin[i + 1]):
                row[columns[j]] -= float32(values[j] * share)


@jit
def adagrad_rows(
    parameters: Any, gradient: Any, sums: Any, rate: Any, first: Any, last: Any
) -> Any:
    """Take an Adagrad step on rows ``first`` to ``last``; return their squared gradient's sum.

    G_w += mean_d g_wd^2;  row w -= rate g_w / sqrt(G_w)

    Duchi, Hazan and Singer, *Adaptive subgradient methods*, 2011, with one accumulator a row, so
    that a row moves along its gradient.  A row whose gradients are all 0 stays.
    """
    D = gradient.shape[1]
    squares = 0.0
    for w in range(first, last):
        square = 0.0  # in float64: a square leaves float32's range long before its root does
        for d in range(D):
            square += float64(gradient[w, d]) * float64(gradient[w, d])
        squares += square
        sums[w] += square / D
        if sums[w] > 0.0:
            step = float32(rate / math.sqrt(sums[w]))
            for d in range(D):
                parameters[w, d] -= step * gradient[w, d]
    return squares
