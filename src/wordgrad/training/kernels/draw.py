"""Which pairs: subsampling, dynamic windows and negatives, drawn in Numba.

Design
    Every random choice about a token is a function of (seed, epoch, position of the token), by
    the counter-based generator of random.py.  So the windows of a corpus do not depend on how it
    is cut into spans or shared among threads, and a span can look past its own edges: a sentence
    of any length is never cut.

Formulas
    keep        token w stays with probability min(1, sqrt(t / f_w) + t / f_w)
    window      b uniform on 1..m (or always m); the context is the b kept tokens on either side,
                within the sentence
    negatives   K independent draws from p_w ~ count_w^exponent, drawn again while equal to the
                target
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from wordgrad.compiling import inline_jit, jit
from wordgrad.training.kernels.intrinsics import (
    load_int32,
    load_int64,
    load_uint32,
    load_uint64,
    store_int32,
    store_int64,
    store_uint64,
)
from wordgrad.training.kernels.random import BITS_32, GOLDEN, below, mix, token_bits

NO_TOKEN = -1
"""Stands between sentences in a span's list of kept tokens."""

MAX_REDRAWS = 1000


class Reach(NamedTuple):
    """How many kept tokens a window may hold on either side of its centre, as kernels read it.

    Uniform on ``least``..``least + choices - 1``, and cut at ``most``, which no sentence exceeds:
    so the memory of a window does not grow with the largest number that may be drawn.
    """

    least: int
    choices: int
    most: int

    @classmethod
    def of(cls, window: int, *, shrink: bool = True, most: int | None = None) -> Reach:
        """Return the reach of windows of at most ``window`` words a side.

        >>> Reach.of(5), Reach.of(5, shrink=False, most=3)
        (Reach(least=1, choices=5, most=5), Reach(least=5, choices=1, most=3))
        """
        least = 1 if shrink else window
        return cls(least, window + 1 - least, window if most is None else max(1, min(window, most)))

    @property
    def mean(self) -> float:
        """The mean reach, of windows that no sentence's end cuts off.

        >>> Reach.of(5).mean, Reach.of(9, most=2).mean
        (3.0, 1.888...)
        """
        below = max(0, self.most - self.least)  # draws that are not cut
        last = self.least + self.choices - 1
        if last <= self.most:
            return (self.least + last) / 2
        whole = below * (self.least + self.most - 1) / 2
        return (whole + (self.choices - below) * self.most) / self.choices


@inline_jit
def draw_reach(bits: Any, reach: Any) -> Any:
    """Return how far a window reaches, from 64 random bits and a :class:`Reach`."""
    return min(reach.least + below(bits, reach.choices), reach.most)


@inline_jit
def draw_negative(bits: Any, n_words: Any, noise: Any) -> Any:
    """Return a word id from 64 random bits by Vose's alias table at address ``noise``.

    Word j's entry holds its threshold and its alias side by side: one cache line a draw.  Both are
    loaded before the choice, so that it compiles to a conditional move: as a branch it would be
    mispredicted every third time.
    """
    j = below(bits, n_words)
    threshold = load_uint32(noise, 2 * j)
    alias = load_int32(noise, 2 * j + 1)
    return j if (bits >> BITS_32) < threshold else alias


@inline_jit
def draw_negatives(
    bits: Any, target: Any, n_words: Any, noise: Any, n: Any, base: Any, row_bytes: Any, rows: Any
) -> None:
    """Write row addresses of ``n`` draws from the noise, none of them ``target``, to ``rows``.

    The row of word w lies at ``base + w * row_bytes``.

    Where the noise is so concentrated that :data:`MAX_REDRAWS` draws in a row give the target, the
    next one is uniform over the other words.
    """
    state = bits
    for k in range(n):
        state += GOLDEN
        word = draw_negative(mix(state), n_words, noise)
        redraws = 0
        while word == target and redraws < MAX_REDRAWS:
            state += GOLDEN
            word = draw_negative(mix(state), n_words, noise)
            redraws += 1
        if word == target:
            word = (target + 1 + below(mix(~state), n_words - 1)) % n_words
        store_int64(rows, k, base + word * row_bytes)


@jit
def collect(
    ids: Any, offsets: Any, sentence: Any, start: Any, stop: Any, window: Any, key: Any,
    keep: Any, tokens: Any, bits: Any,
) -> Any:  # fmt: skip
    """List the kept tokens of a span, and the ``window`` kept ones on either side of it.

    Parameters
    ----------
    ids, offsets : addresses of the corpus: int32 (T,) and int64 (S + 1,).
    sentence, start, stop : the span is ``ids[start:stop]``, not empty, and begins in ``sentence``.
    keep : address of uint32 (V,); word w is kept if its 32 random bits are at most ``keep[w]``.
    tokens, bits : addresses of int32 and uint64 buffers, ``2 (stop - start) + 2 window + 4`` each.
        Written: kept ids with :data:`NO_TOKEN` between sentences, and their random bits.

    Returns
    -------
    (begin, first, last, end) : tokens first to last lie in the span, begin to end may be looked at
        as context.
    """
    begin = window
    position = start - 1
    while position >= load_int64(offsets, sentence) and begin > 0:
        word = load_int32(ids, position)
        if (token_bits(key, position) >> BITS_32) <= load_uint32(keep, word):
            begin -= 1
            store_int32(tokens, begin, word)
        position -= 1
    n = window
    limit = load_int64(offsets, sentence + 1)
    for position in range(start, stop):
        while position >= limit:
            sentence += 1
            limit = load_int64(offsets, sentence + 1)
            store_int32(tokens, n, NO_TOKEN)
            n += 1
        word = load_int32(ids, position)
        drawn = token_bits(key, position)
        # Written always, kept by moving on: a branch would be mispredicted every other time.
        store_int32(tokens, n, word)
        store_uint64(bits, n, drawn)
        n += (drawn >> BITS_32) <= load_uint32(keep, word)
    last = n
    position = stop
    while position < limit and n < last + window:
        word = load_int32(ids, position)
        store_int32(tokens, n, word)
        n += (token_bits(key, position) >> BITS_32) <= load_uint32(keep, word)
        position += 1
    return begin, window, last, n


@inline_jit
def context_of(
    tokens: Any, i: Any, begin: Any, end: Any, reach: Any, base: Any, row_bytes: Any, rows: Any
) -> Any:
    """Write row addresses of the words around token ``i`` to ``rows``; return how many there are.

    The row of word w lies at ``base + w * row_bytes``.
    """
    n = 0
    for j in range(i - 1, max(i - reach, begin) - 1, -1):
        word = load_int32(tokens, j)
        if word == NO_TOKEN:
            break
        store_int64(rows, n, base + word * row_bytes)
        n += 1
    for j in range(i + 1, min(i + reach + 1, end)):
        word = load_int32(tokens, j)
        if word == NO_TOKEN:
            break
        store_int64(rows, n, base + word * row_bytes)
        n += 1
    return n


@jit
def repeats(rows: Any, n: Any, found: Any) -> Any:
    """Write to ``found`` each i < n whose row occurs before it in the table; return how many.

    A 64-bit filter answers the usual case, no repetition, without comparing all pairs.
    """
    n_found = 0
    seen = np.uint64(0)
    for i in range(n):
        row = load_int64(rows, i)
        bit = np.uint64(1) << ((np.uint64(row) * GOLDEN) >> np.uint64(58))
        if seen & bit:
            for j in range(i):
                if load_int64(rows, j) == row:
                    store_int64(found, n_found, i)
                    n_found += 1
                    break
        seen |= bit
    return n_found


@jit
def draw_span(
    ids: Any, offsets: Any, sentence: Any, start: Any, stop: Any, key: Any, keep: Any, noise: Any,
    n_words: Any, reach: Any, tokens: Any, bits: Any, rows: Any, sizes: Any, targets: Any,
) -> Any:  # fmt: skip
    """Fill rows, sizes and targets; return the number of windows.

    A "row address" with base 0 and rows of one byte is a word's id.
    """
    token_table, bit_table = tokens.ctypes.data, bits.ctypes.data
    begin, first, last, end = collect(
        ids, offsets, sentence, start, stop, reach.most, key, keep, token_table, bit_table
    )
    n = 0
    for i in range(first, last):
        centre = load_int32(token_table, i)
        if centre == NO_TOKEN:
            continue
        drawn = load_uint64(bit_table, i)
        n_words_a_side = draw_reach(drawn, reach)
        sizes[n] = context_of(token_table, i, begin, end, n_words_a_side, 0, 1, rows[n].ctypes.data)
        if sizes[n]:
            targets[n, 0] = centre
            negatives = targets[n, 1:]
            draw_negatives(
                mix(drawn), centre, n_words, noise, negatives.size, 0, 1, negatives.ctypes.data
            )
            n += 1
    return n
