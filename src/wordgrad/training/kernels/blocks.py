"""Pairs sorted by the two buckets of their words, and windows made of the pairs of one block.

Design
(a) Pairs are drawn twice: once to count how many each block gets, once to write each where it
    belongs.  That is cheaper than to keep, read and move them, for drawing is arithmetic on tokens
    that lie in the cache.  What a pair consists of is two rows within buckets, 4 bytes.
(b) A window as drawn has, of one block, about one pair left, and a step on one pair loads as many
    rows of ``W_out`` as one on six.  So all pairs of a block with one target are put side by side,
    by a counting sort, and cut into new windows.  These are trained on in random order.
(c) Windows that follow one another share no row, unlike those of a text.  So the rows of the
    contexts, too, are prefetched when a window is formed, some windows before it is trained.
(d) Of windows with few context words the rows of W_out cost most.  So windows that follow one
    another are taken in lots, with the same negatives: three with the usual five have eight rows
    in place of eighteen, which fill a tile.
(e) The rows of a bucket are copied next to one another for an episode.  Where they lie in the
    matrices they are spread over all of their memory, which costs two and a half times as long:
    a processor knows the places of few pages at a time.

Which pairs is in draw.py, what update in window.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wordgrad.compiling import inline_jit, jit
from wordgrad.training.kernels.draw import (
    MAX_REDRAWS,
    NO_TOKEN,
    collect,
    draw_negative,
    draw_reach,
)
from wordgrad.training.kernels.intrinsics import (
    load_int32,
    load_int64,
    load_uint32,
    load_uint64,
    prefetch_row,
    store_float64,
    store_int64,
)
from wordgrad.training.kernels.random import GOLDEN, below, mix
from wordgrad.training.kernels.tiles import combine_rows
from wordgrad.training.kernels.window import (
    ADDRESS,
    DEPTH,
    FLOAT,
    MOST_TOGETHER,
    take_logarithm,
    train_outputs,
    train_together,
)

_ROW_BITS, _SIZE_BITS = 16, 8
MOST_ROWS = 1 << _ROW_BITS
"""Rows of a bucket."""

_ROW = np.uint64(MOST_ROWS - 1)

_COPIES_AHEAD = 8
"""Rows that are on their way from memory while one is copied."""

MOST_CONTEXTS = (1 << _SIZE_BITS) - 1
"""Context words of a window."""


@inline_jit
def _put_pairs(
    places: Any, bits: Any, begin: Any, first: Any, last: Any, end: Any, reach: Any,
    n_buckets: Any, writes: Any, at: Any, pairs: Any,
) -> None:  # fmt: skip
    """Move ``at`` of a pair's slot on by one, for every pair; write the pairs there, too."""
    for k in range(first, last):
        target = places[k]
        if target < 0:
            continue
        n_words_a_side = draw_reach(load_uint64(bits, k), reach)
        bucket = target >> _ROW_BITS
        row = target & (MOST_ROWS - 1)
        for side in range(2):
            step = 1 if side else -1
            after, before = min(k + n_words_a_side + 1, end), max(k - n_words_a_side, begin) - 1
            stop = after if side else before
            j = k + step
            while j != stop:
                context = places[j]
                if context < 0:
                    break
                owner = context >> _ROW_BITS
                turn = bucket - owner
                turn += n_buckets if turn < 0 else 0
                slot = owner * n_buckets + turn
                if writes:
                    pairs[at[slot]] = np.uint32((context & (MOST_ROWS - 1)) << _ROW_BITS | row)
                at[slot] += 1
                j += step


@jit
def count_pairs(
    ids: Any, offsets: Any, sentence: Any, start: Any, stop: Any, key: Any, keep: Any, reach: Any,
    bucket_of: Any, n_buckets: Any, places: Any, edges: Any, ws: Any,
) -> Any:  # fmt: skip
    """Collect the tokens of a unit, and find where each slot's pairs begin.

    Parameters
    ----------
    ids, offsets, sentence, start, stop, key, keep, reach, ws : as in span.py.
    bucket_of : int32 (V,); word w has row ``w // B`` of its bucket.
    places : int64, as long as ``ws.tokens``; written: bucket and row of every token.
    edges : int64 (B^2 + 1,), written: slot ``owner * B + turn`` has the pairs from ``edges[slot]``
        to ``edges[slot + 1]``.

    Returns
    -------
    What :func:`~wordgrad.training.kernels.draw.collect` does, for :func:`write_pairs`.
    """
    begin, first, last, end = collect(
        ids, offsets, sentence, start, stop, reach.most, key, keep, ws.tokens, ws.bits
    )
    for k in range(begin, end):
        word = np.int64(load_int32(ws.tokens, k))
        if word == NO_TOKEN:
            places[k] = -1
        else:
            places[k] = np.int64(bucket_of[word]) << _ROW_BITS | word // n_buckets
    edges[:] = 0
    # Nothing is written to the last argument.
    _put_pairs(places, ws.bits, begin, first, last, end, reach, n_buckets, False, edges[1:], edges)
    for slot in range(1, edges.size):
        edges[slot] += edges[slot - 1]
    return begin, first, last, end


@jit
def write_pairs(
    places: Any, begin: Any, first: Any, last: Any, end: Any, reach: Any, n_buckets: Any, at: Any,
    pairs: Any, ws: Any,
) -> None:  # fmt: skip
    """Write the pairs of the unit that :func:`count_pairs` has collected.

    at : int64 (B^2 + 1,), a copy of the edges, overwritten.
    pairs : uint32 (n,), written: rows within their buckets of context (high half) and target.
    """
    _put_pairs(places, ws.bits, begin, first, last, end, reach, n_buckets, True, at, pairs)


@jit
def gather(
    bases: Any, edges: Any, slot: Any, n_rows: Any, most: Any, key: Any, at: Any, contexts: Any,
    windows: Any,
) -> Any:  # fmt: skip
    """Put the pairs of a block together by target, cut them into windows and shuffle these.

    Parameters
    ----------
    bases : int64 (units,), addresses of each unit's pairs.
    edges : int64 (units, slots + 1).
    slot, n_rows : the block, and rows of its bucket of ``W_out``.
    most : context words of a window.
    key : of the order.
    at : int64 (n_rows + 1,), scratch.
    contexts : int32 (pairs,), written: rows of context words.
    windows : int64 (pairs,), written: first context, their number (8 bits), target (16 bits).

    Returns
    -------
    Number of windows.
    """
    at[: n_rows + 1] = 0
    for u in range(bases.size):
        for i in range(edges[u, slot], edges[u, slot + 1]):
            at[(load_uint32(bases[u], i) & _ROW) + np.uint64(1)] += 1
    n = 0
    total = 0
    for row in range(n_rows):
        left = at[row + 1]
        at[row + 1] = total + left
        cuts = (left + most - 1) // most
        while left > 0:  # as even as they can be
            size = (left + cuts - 1) // cuts
            windows[n] = total << (_SIZE_BITS + _ROW_BITS) | size << _ROW_BITS | row
            n += 1
            total += size
            left -= size
            cuts -= 1
    for u in range(bases.size):
        for i in range(edges[u, slot], edges[u, slot + 1]):
            pair = load_uint32(bases[u], i)
            row = pair & _ROW
            contexts[at[row]] = np.int32(pair >> np.uint64(_ROW_BITS))
            at[row] += 1
    state = key
    for i in range(n - 1, 0, -1):
        state += GOLDEN
        j = below(mix(state), i + 1)
        windows[i], windows[j] = windows[j], windows[i]
    return n


@jit
def copy_rows(words: Any, matrix: Any, bucket: Any, n_floats: Any, back: Any) -> None:
    """Copy the rows of a bucket's words to where the bucket lies, or ``back``.

    words : int32 (n,), the word of each row of the bucket.
    matrix, bucket : addresses of all rows, and of those of the bucket.
    """
    row_bytes = FLOAT * n_floats
    one = np.empty(1, np.int64)
    for r in range(words.size):
        ahead = words[min(r + _COPIES_AHEAD, words.size - 1)]
        prefetch_row(matrix + np.int64(ahead) * row_bytes, row_bytes)
        source, place = matrix + np.int64(words[r]) * row_bytes, bucket + r * row_bytes
        if back:
            source, place = place, source
        one[0] = source
        combine_rows(one.ctypes.data, 1, place, n_floats, np.float32(1.0))


@inline_jit
def _draw_negatives(
    bits: Any, first: Any, second: Any, third: Any, n_words: Any, noise: Any, n: Any, base: Any,
    row_bytes: Any, rows: Any,
) -> None:  # fmt: skip
    """Write row addresses of ``n`` draws from the noise, none of them one of three targets.

    Where the noise is so concentrated that :data:`MAX_REDRAWS` draws in a row are targets, the
    next is the first other word from a random one on.
    """
    state = bits
    for k in range(n):
        state += GOLDEN
        word = draw_negative(mix(state), n_words, noise)
        redraws = 0
        while word in (first, second, third):
            state += GOLDEN
            redraws += 1
            if redraws < MAX_REDRAWS:
                word = draw_negative(mix(state), n_words, noise)
            elif redraws == MAX_REDRAWS:
                word = below(mix(state), n_words)
            else:
                word = (word + 1) % n_words
        store_int64(rows, k, base + word * row_bytes)


@inline_jit
def _form(
    w: Any, n: Any, windows: Any, contexts: Any, n_rows: Any, noise: Any, key: Any,
    n_negative: Any, most: Any, W_in: Any, W_out: Any, row_bytes: Any, prefetches: Any, rows: Any,
    own: Any, outputs: Any,
) -> Any:  # fmt: skip
    """Write the row addresses of a lot: windows from ``w`` on, with the same negatives.

    most : context words of a lot.
    rows, own : of its context words, see :func:`~wordgrad.training.kernels.window.train_together`.
    outputs : its targets, and negatives drawn from the bucket.

    Returns
    -------
    (n_windows, n_rows, sizes), sizes of 8 bits each.
    """
    n_windows = total = sizes = 0
    first = second = third = -1
    # A negative needs a row that is no target.
    for k in range(min(MOST_TOGETHER, n_rows - 1, n - w)):
        window = windows[w + k]
        start = window >> (_SIZE_BITS + _ROW_BITS)
        size = (window >> _ROW_BITS) & MOST_CONTEXTS
        if k > 0 and total + size > most:
            break
        for i in range(size):
            row = W_in + np.int64(contexts[start + i]) * row_bytes
            store_int64(rows, total + i, row)
            store_int64(own, total + i, 1 << k)
            if prefetches:
                prefetch_row(row, row_bytes)
        third, second, first = second, first, window & (MOST_ROWS - 1)
        store_int64(outputs, k, W_out + first * row_bytes)
        sizes |= size << _SIZE_BITS * k
        total += size
        n_windows += 1
    _draw_negatives(
        mix(key - np.uint64(w) * GOLDEN), first, second, third, n_rows, noise, n_negative, W_out,
        row_bytes, outputs + ADDRESS * n_windows,
    )  # fmt: skip
    return n_windows, total, sizes


@jit
def train_block(
    windows: Any, n: Any, contexts: Any, n_rows: Any, noise: Any, key: Any, most: Any, W_in: Any,
    W_out: Any, n_floats: Any, skipgram: Any, together: Any, ws: Any,
) -> None:  # fmt: skip
    """Train on the windows of a block; the loss is in the workspace.

    n_rows, noise : rows of the bucket of ``W_out``, and the address of its alias table.
    most : context words of a lot of windows.
    W_in, W_out : addresses of the two buckets, whose rows lie one after another.
    together : :class:`~wordgrad.training.kernels.window.Together`.
    """
    store_float64(ws.loss, 0, 0.0)
    row_bytes = FLOAT * n_floats
    ring_bytes, outputs_bytes = ADDRESS * ws.window_rows, ADDRESS * (ws.n_padded + 1)
    formed = drawn = trained = 0
    soon = ws.outputs
    while True:
        while drawn - trained < DEPTH and formed < n:
            i_ring = drawn % DEPTH
            soon = ws.outputs + i_ring * outputs_bytes
            n_windows, total, sizes = _form(
                formed, n, windows, contexts, n_rows, noise, key, ws.n_outputs - 1, most, W_in,
                W_out, row_bytes, True, ws.rows + i_ring * ring_bytes,
                together.own + i_ring * ring_bytes, soon,
            )  # fmt: skip
            for k in range(n_windows + ws.n_outputs - 1, ws.n_padded + 1):
                store_int64(soon, k, ws.spare)
            store_int64(ws.row_counts, i_ring, sizes << 16 | total << 8 | n_windows)
            formed += n_windows
            drawn += 1
        if drawn == trained:
            break
        i_ring = trained % DEPTH
        rows, outputs = ws.rows + i_ring * ring_bytes, ws.outputs + i_ring * outputs_bytes
        counts = load_int64(ws.row_counts, i_ring)
        n_windows, total = counts & 255, counts >> 8 & 255
        if n_windows == 1:
            train_outputs(rows, total, outputs, together.tiles, n_floats, skipgram, soon, ws)
        else:
            train_together(
                rows, total, counts >> 16, together.own + i_ring * ring_bytes, n_windows, outputs,
                n_floats, skipgram, soon, together, ws,
            )  # fmt: skip
        trained += 1
    take_logarithm(ws)


@jit
def list_windows(
    windows: Any, n: Any, contexts: Any, n_rows: Any, noise: Any, key: Any, most: Any,
    inputs: Any, offsets: Any, targets: Any, firsts: Any,
) -> Any:  # fmt: skip
    """The same windows as arrays: contexts, their offsets, and targets with negatives (n, 1 + K).

    All are rows within their buckets: addresses of rows of one byte from 0 on.

    firsts : int64 (n,), written: the first window of each lot.

    Returns
    -------
    Number of lots.
    """
    rows = np.empty(MOST_TOGETHER * MOST_CONTEXTS, np.int64)
    own = np.empty(MOST_TOGETHER * MOST_CONTEXTS, np.int64)
    n_negative = targets.shape[1] - 1
    outputs = np.empty(MOST_TOGETHER + n_negative, np.int64)
    offsets[0] = 0
    w = n_lots = 0
    while w < n:
        firsts[n_lots] = w
        n_lots += 1
        n_windows, total, sizes = _form(
            w, n, windows, contexts, n_rows, noise, key, n_negative, most, 0, 0, 1, False,
            rows.ctypes.data, own.ctypes.data, outputs.ctypes.data,
        )  # fmt: skip
        for i in range(total):
            inputs[offsets[w] + i] = rows[i]
        for k in range(n_windows):
            offsets[w + 1] = offsets[w] + (sizes >> _SIZE_BITS * k & MOST_CONTEXTS)
            targets[w, 0] = outputs[k]
            for j in range(n_negative):
                targets[w, 1 + j] = outputs[n_windows + j]
            w += 1
    return n_lots
