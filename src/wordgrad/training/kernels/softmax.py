"""The exact softmax: errors from logits, Adagrad, and expected counts of pairs.

Errors in place
    A block of B rows of logits (float32, B x V) comes from a matrix product and goes into two
    others.  What lies between costs memory traffic alone, so all of it is done to a row while the
    row is in cache: one sweep for the greatest logit, one for the exponentials and their sum.
    The errors of row c are delta_c = n_c y_hat_c - X_c.  A third sweep would divide by the sum; it
    is saved by leaving the row as

        exp(theta_w - max) - X_cw s / n_c  =  delta_cw s / n_c,    s = sum_w exp(theta_w - max)

    and returning n_c / s, by which the B x D sides of the products are scaled instead.

    Where the columns lie on several machines, each range of them has a maximum m_r and a sum s_r of
    its own (:func:`exponentials_in_place`), and once those of all are known,

        m = max_r m_r,    s = sum_r s_r exp(m_r - m),

    the same is done with ``exp(theta_w - m_r)`` and the scale ``n_c exp(m_r - m) / s``
    (:func:`errors_of_range`).

Expected counts
    Derived in ``docs/derivations/expected-counts.md``.  Tokens i < j of a sentence are a pair, in
    both readings, with the probability

        k_i k_j E[w(L)],    w(L) = (m - L)+ / m, or 1 for L < m where windows do not shrink,

    where ``k`` is the probability that a token is kept and L, the number of kept tokens between
    them, is a sum of independent yes-or-no draws.  Its distribution is carried along to the right
    (and to the left) of each token, cut off at m, where the window ends: ``q[l] = P(L = l)``, and
    each token passed with probability k moves a share k of every ``q[l]`` to ``q[l + 1]``.

    Sums of float64 hang on their order, and so on which machine has counted what.  What is given as
    ``rounding`` is added to a probability and taken away again: 1.5 2^52 u leaves whole multiples
    of u, which add up exactly in any order.

    A block of rows of the counts is a dense array that stays within some memory, and the corpus is
    scanned once a block.  Nothing is sorted, a count is a sum in the order of the corpus whatever
    the threads do, and memory does not grow with the corpus.  Sorting one record a pair would move
    some gigabytes where this moves none.

    A sentence may be millions of tokens long, and a pair far apart is possible, if hardly.  With
    s = E[w(L)], what all the tokens beyond can add is exactly known for a sentence without an end:
    k_i sum_l q[l] (w(l) + w(l + 1) + ...), with shrinking windows at most k_i s (m + 1) / 2.  Once
    s is ``tolerance`` or less the walk ends, and that bound is added up and returned: it is known
    how much was left out at most.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import float32, float64, int32, njit, types, uint32
from numba.extending import intrinsic

from wordgrad.compiling import compiled, jit

INVERSE_LOG_2 = float32(1.0 / math.log(2.0))
# log 2 in two parts, the first with few bits, so that n * part is exact.
HIGH = float32(0.693359375)
LOW = float32(math.log(2.0) - 0.693359375)
SMALLEST = float32(-87.33)
"""Below, exp leaves float32's normal numbers, adds nothing to 1, and is taken for 0."""

FAST = {"reassoc", "contract", "nsz"}
"""Sums may be taken in any order; infinities and NaN still mean what they mean."""

fast_jit = compiled(fastmath=FAST)


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


@intrinsic
def _greater(typingctx: Any, a: Any, b: Any) -> Any:
    """Return the greater of two float32, or NaN if one is: a loop of it becomes vector code.

    A comparison and a choice do not, since their answer to NaN depends on the order.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FloatType()
        function = builder.module.declare_intrinsic(
            "llvm.maximum", [kind], ir.FunctionType(kind, [kind, kind])
        )
        return builder.call(function, arguments)

    return types.float32(types.float32, types.float32), codegen


@njit(error_model="numpy", fastmath=FAST, inline="always")
def exp_of_negative(a: Any) -> Any:
    """Return exp(a) for a <= 0, to within 3 units in the last place of float32, or 0.

    exp(a) = 2^n exp(r), n = round(a / log 2), |r| <= log(2) / 2, exp(r) by its Taylor polynomial
    of degree 7 (remainder 5e-9 relative).  Nothing here but arithmetic, so LLVM turns a loop of it
    into vector code of whatever width the machine has.
    """
    b = max(a, SMALLEST)
    n = _rounded(b * INVERSE_LOG_2)
    r = b - n * HIGH
    r = r - n * LOW
    p = float32(1.0 / 5040)
    p = p * r + float32(1.0 / 720)
    p = p * r + float32(1.0 / 120)
    p = p * r + float32(1.0 / 24)
    p = p * r + float32(1.0 / 6)
    p = p * r + float32(0.5)
    p = p * r + float32(1.0)
    p = p * r + float32(1.0)
    e = p * _with_bits((int32(n) + int32(127)) << int32(23))
    # Not 1e-38: Adagrad divides a gradient by its own size, however small it is.
    return float32(0.0) if a < SMALLEST else e


@fast_jit
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
            logit = row[w] + offset[w]
            row[w] = logit
            greatest = _greater(greatest, logit)
        target_logits = 0.0
        # Columns without a sign, or each would be asked whether it counts from the row's end.
        for j in range(begin[i], begin[i + 1]):
            target_logits += values[j] * (row[uint32(columns[j])] - greatest)
        total = float32(0.0)
        for w in range(V):
            e = exp_of_negative(row[w] - greatest)
            row[w] = e
            total += e
        n = totals[i]
        scale[i] = n / total
        losses[i] = 0.0
        if n > 0.0:
            losses[i] = n * math.log(total) - target_logits
            share = total / n
            for j in range(begin[i], begin[i + 1]):
                row[uint32(columns[j])] -= float32(values[j] * share)


LEAST_SHARE = -30.0
"""Logarithm of exp(m_r - m) below which a row is multiplied by it, lest its inverse be infinite."""


@jit
def entries_of_ranges(begin: Any, columns: Any, starts: Any, entries: Any) -> None:
    """Find where the ranges of columns begin and end among the entries of each row.

    Parameters
    ----------
    begin, columns : int64 (B + 1,), int32 (N,)
        As in :func:`errors_in_place`; columns rise within a row.
    starts : int64 (R + 1,)
        The first column of each range, and the one after the last.
    entries : int64 (R + 1, B)
        Written: range r of row i has the entries ``entries[r, i]`` to ``entries[r + 1, i]``.
    """
    for i in range(len(begin) - 1):
        j = begin[i]
        for r in range(len(starts)):
            while j < begin[i + 1] and columns[j] < starts[r]:
                j += 1
            entries[r, i] = j


@fast_jit
def exponentials_in_place(
    logits: Any, offset: Any, first: Any, last: Any, columns: Any, values: Any, start: Any,
    greatest: Any, sums: Any,
) -> Any:  # fmt: skip
    """Turn the logits of a range of columns into exponentials; return sum_io X_io theta_io.

    Parameters
    ----------
    logits : float32 (B, w)
        u_w . v_c.  Overwritten by ``exp(theta - m_r)``.
    offset : float32 (w,)
    first, last : int64 (B,), int64 (B,)
        Which entries of X each row has in the range: see :func:`entries_of_ranges`.
    columns, values : int32 (N,), float64 (N,)
        As in :func:`errors_in_place`.
    start : int
        The column of X that the range begins with.
    greatest, sums : float32 (B,)
        Written: m_r and s_r; m_r is -inf where the offset is, of words in no pair at all.
    """
    width = logits.shape[1]
    target_logits = 0.0
    for i in range(logits.shape[0]):
        row = logits[i]
        top = row[0] + offset[0]
        for w in range(width):
            logit = row[w] + offset[w]
            row[w] = logit
            top = _greater(top, logit)
        for j in range(first[i], last[i]):
            target_logits += values[j] * row[uint32(columns[j] - start)]
        base = top if top != -math.inf else float32(0.0)
        total = float32(0.0)
        for w in range(width):
            e = exp_of_negative(row[w] - base)
            row[w] = e
            total += e
        greatest[i], sums[i] = top, total
    return target_logits


@fast_jit
def errors_of_range(
    exponentials: Any, first: Any, last: Any, columns: Any, values: Any, totals: Any, start: Any,
    greatest: Any, greatest_of_all: Any, sums_of_all: Any, scale: Any,
) -> None:  # fmt: skip
    """Turn what :func:`exponentials_in_place` left into errors, divided by ``scale``.

    Parameters
    ----------
    exponentials : float32 (B, w)
    first, last, columns, values, totals, start
        As there, and in :func:`errors_in_place`.
    greatest : float32 (B,)
        m_r.
    greatest_of_all, sums_of_all : float32 (B,)
        m and s.
    scale : float32 (B,)
        Written.
    """
    width = exponentials.shape[1]
    for i in range(exponentials.shape[0]):
        row, n = exponentials[i], totals[i]
        share = 1.0
        if greatest[i] - greatest_of_all[i] < LEAST_SHARE:
            factor = float32(math.exp(greatest[i] - greatest_of_all[i]))
            for w in range(width):
                row[w] *= factor
        else:
            share = math.exp(greatest[i] - greatest_of_all[i])
        scale[i] = n * share / sums_of_all[i]
        if n > 0.0:
            part = sums_of_all[i] / (n * share)
            for j in range(first[i], last[i]):
                row[uint32(columns[j] - start)] -= float32(values[j] * part)


@fast_jit
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


@jit
def add_expected_pairs(
    ids: Any, offsets: Any, keep: Any, weights: Any, tolerance: Any, rounding: Any, first: Any,
    last: Any, counts: Any, q: Any,
) -> Any:  # fmt: skip
    """Add the expected pairs of words ``first`` to ``last`` of the whole corpus.

    Parameters
    ----------
    ids, offsets : int32 (T,), int64 (S + 1,)
    keep : float64 (V,)
        Probability that an occurrence of each word is kept.
    weights : float64 (2, R)
        ``w(L)`` for L kept tokens between, and ``w(L) + w(L + 1) + ...``; R is the largest reach.
    tolerance : float
        Where to end a walk; at 0 no pair is left out.
    rounding : float
        0, or see above.
    counts : float64 (last - first, V)
        Added to: row c - first, column o.
    q : float64 (R + 1,)
        Scratch memory.

    Returns
    -------
    float
        The most that pairs left out can add up to.
    """
    left_out = 0.0
    for s in range(len(offsets) - 1):
        begin, end = offsets[s], offsets[s + 1]
        for i in range(begin, end):
            word = ids[i]
            if word < first or word >= last:
                continue
            row = counts[word - first]
            k_i = keep[word]
            left_out += k_i * _walk(
                ids, i, 1, end - i - 1, keep, k_i, weights, tolerance, rounding, row, q
            )
            left_out += k_i * _walk(
                ids, i, -1, i - begin, keep, k_i, weights, tolerance, rounding, row, q
            )
    return left_out


@jit
def _walk(
    ids: Any, i: Any, step: Any, n_steps: Any, keep: Any, k_i: Any, weights: Any, tolerance: Any,
    rounding: Any, row: Any, q: Any,
) -> Any:  # fmt: skip
    """Walk from token ``i`` in one direction; return the bound on what is left out, over k_i."""
    window = weights.shape[1]
    q[:] = 0.0
    q[0] = 1.0
    low, top = 0, 0  # q is 0 outside low..top
    j = i
    for _ in range(n_steps):
        j += step
        word = ids[j]
        k = keep[word]
        expected = 0.0
        for between in range(low, top + 1):
            expected += q[between] * weights[0, between]
        row[word] += (k_i * k * expected + rounding) - rounding
        if k == 1.0:
            top = min(top + 1, window - 1)
            for between in range(top, low, -1):
                q[between] = q[between - 1]
            q[low] = 0.0
            low += 1
            if low >= window:
                return 0.0
        else:
            top = min(top + 1, window - 1)
            for between in range(top, low, -1):
                q[between] += k * (q[between - 1] - q[between])
            q[low] -= k * q[low]
        if expected <= tolerance:
            rest = 0.0
            for between in range(low, top + 1):
                rest += q[between] * weights[1, between]
            return rest
    return 0.0
