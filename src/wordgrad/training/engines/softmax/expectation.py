"""Expected counts of pairs: the kernel.

Derived in ``docs/derivations/expected-counts.md``.  Tokens i < j of a sentence are a pair, in both
readings, with the probability

    k_i k_j E[(m - L)+ / m]

where ``k`` is the probability that a token is kept and L, the number of kept tokens between them,
is a sum of independent yes-or-no draws.  Its distribution is carried along to the right (and to
the left) of each token, cut off at m, where the window ends: ``q[l] = P(L = l)``, and each token
passed with probability k moves a share k of every ``q[l]`` to ``q[l + 1]``.

Design
    - A block of rows of the counts is a dense array that stays within some memory, and the corpus
      is scanned once a block.  Nothing is sorted, a count is a sum in the order of the corpus
      whatever the threads do, and memory does not grow with the corpus.  Sorting one record a
      pair would move some gigabytes where this moves none.
    - A sentence may be millions of tokens long, and a pair far apart is possible, if hardly.  With
      s = E[(m - L)+ / m], what all the tokens beyond can add is exactly known for a sentence
      without an end: k_i sum_l q[l] (m - l)(m - l + 1) / 2m <= k_i s (m + 1) / 2.  Once s is
      ``tolerance`` or less the walk ends, and that bound is added up and handed back: it is known
      how much was left out at most.
"""

from __future__ import annotations

from typing import Any

from numba import njit

jit = njit(nogil=True, cache=True, error_model="numpy")


@jit
def add_expected_pairs(
    ids: Any, offsets: Any, keep: Any, window: Any, tolerance: Any, first: Any, last: Any,
    counts: Any, q: Any,
) -> Any:  # fmt: skip
    """Add the expected pairs of words ``first`` to ``last`` of the whole corpus.

    Parameters
    ----------
    ids, offsets : int32 (T,), int64 (S + 1,)
    keep : float64 (V,)
        Probability that an occurrence of each word is kept.
    window : m
    tolerance : float
        Where to end a walk; at 0 no pair is left out.
    counts : float64 (last - first, V)
        Added to: row c - first, column o.
    q : float64 (m + 1,)
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
            left_out += k_i * _walk(ids, i, 1, end - i - 1, keep, k_i, window, tolerance, row, q)
            left_out += k_i * _walk(ids, i, -1, i - begin, keep, k_i, window, tolerance, row, q)
    return left_out


@jit
def _walk(
    ids: Any, i: Any, step: Any, n_steps: Any, keep: Any, k_i: Any, window: Any, tolerance: Any,
    row: Any, q: Any,
) -> Any:  # fmt: skip
    """Walk from token ``i`` in one direction; return the bound on what is left out, over k_i."""
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
            expected += q[between] * (window - between)
        expected /= window
        row[word] += k_i * k * expected
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
                rest += q[between] * (window - between) * (window - between + 1)
            return rest / (2 * window)
    return 0.0
