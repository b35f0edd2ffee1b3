"""Spans and batches of windows, compiled by Numba.

Design
(a) Memory latency hides behind arithmetic: windows are drawn a few ahead into a ring, and the rows
    of the last one drawn are prefetched while an earlier one is trained on.
(b) Threads update the shared parameters without locks (Hogwild: Recht et al., NIPS 2011).

Which pairs is in draw.py, what update in window.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wordgrad.compiling import inline_jit, jit
from wordgrad.training.kernels.draw import NO_TOKEN, collect, context_of, draw_reach
from wordgrad.training.kernels.intrinsics import (
    load_int32,
    load_int64,
    load_uint64,
    store_float64,
    store_int32,
    store_int64,
)
from wordgrad.training.kernels.random import mix
from wordgrad.training.kernels.window import (
    ADDRESS,
    DEPTH,
    FLOAT,
    cut_tiles,
    draw_outputs,
    load_nodes,
    merge_nodes,
    score_outputs,
    take_logarithm,
    train_outputs,
    update_outputs,
)


@inline_jit
def _draw_window(
    inputs: Any, i: Any, begin: Any, end: Any, i_ring: Any, reach: Any, W_in: Any, W_out: Any,
    n_floats: Any, n_words: Any, noise: Any, ws: Any,
) -> Any:  # fmt: skip
    """Draw the window around token ``i`` into a i_ring of the ring; return its context's size.

    inputs : address of int32, the row of ``W_in`` of each token: its word, for word2vec.

    Of the context only the newest word's row needs prefetching (it stands before the outputs):
    the others were, by the windows before.
    """
    centre = load_int32(ws.tokens, i)
    if centre == NO_TOKEN:
        return 0
    row_bytes = FLOAT * n_floats
    bits = load_uint64(ws.bits, i)
    rows = ws.rows + ADDRESS * i_ring * ws.window_rows
    n_words_a_side = draw_reach(bits, reach)
    n = context_of(inputs, i, begin, end, n_words_a_side, W_in, row_bytes, rows)
    store_int64(ws.row_counts, i_ring, n)
    soon = ws.outputs + ADDRESS * i_ring * (ws.n_padded + 1)
    tiles = ws.tiles + i_ring * ws.tiles_bytes
    draw_outputs(centre, mix(bits), W_out, row_bytes, n_words, noise, soon + ADDRESS, tiles, ws)
    newest = load_int32(inputs, min(i + reach.most, end - 1))
    newest = load_int32(inputs, i) if newest == NO_TOKEN else newest
    store_int64(soon, 0, W_in + newest * row_bytes)
    return n


@jit
def train_windows(
    inputs: Any, begin: Any, i: Any, last: Any, end: Any, W_in: Any, W_out: Any, n_floats: Any,
    n_words: Any, noise: Any, reach: Any, skipgram: Any, ws: Any,
) -> Any:  # fmt: skip
    """Train on the windows around tokens i to last of ``ws.tokens``; return the number of pairs.

    inputs : see :func:`_draw_window`.  begin, i, last, end : as :func:`draw.collect` gives them.
    """
    pairs = drawn = trained = 0
    merge_at = merge_every = load_int64(ws.merge_every, 0)
    load_nodes(W_out, n_floats, ws)
    while True:
        i_ring = trained % DEPTH
        rows = ws.rows + ADDRESS * i_ring * ws.window_rows
        outputs = ws.outputs + ADDRESS * (i_ring * (ws.n_padded + 1) + 1)
        tiles = ws.tiles + i_ring * ws.tiles_bytes
        n_copies = 0
        any_left = drawn > trained
        if any_left:
            n = load_int64(ws.row_counts, i_ring)
            n_copies = score_outputs(rows, n, outputs, tiles, n_floats, skipgram, ws)
        # Between the halves of a step, where the processor waits for the last scores.
        while drawn - trained < DEPTH and i < last:
            n = _draw_window(
                inputs, i, begin, end, drawn % DEPTH, reach, W_in, W_out, n_floats, n_words,
                noise, ws,
            )  # fmt: skip
            drawn += n > 0
            i += 1
        if any_left:
            # The window before prefetched the rows of this one; this one, those of the last drawn.
            soon = ws.outputs + ADDRESS * ((drawn - 1) % DEPTH) * (ws.n_padded + 1)
            n = load_int64(ws.row_counts, i_ring)
            update_outputs(rows, n, outputs, tiles, n_floats, skipgram, soon, n_copies, ws)
            pairs += n if skipgram else 1
            trained += 1
            if trained == merge_at:
                merge_nodes(W_out, n_floats, ws)
                merge_at += merge_every
        elif drawn == trained:
            break
    merge_nodes(W_out, n_floats, ws)
    return pairs


@jit
def run_span(
    ids: Any, offsets: Any, sentence: Any, start: Any, stop: Any, key: Any, keep: Any, noise: Any,
    n_words: Any, W_in: Any, W_out: Any, n_floats: Any, reach: Any, skipgram: Any, ws: Any,
) -> Any:  # fmt: skip
    """Train on every window whose centre lies in ``ids[start:stop]``; return the number of pairs.

    Every table is given by its address, ``reach`` is a :class:`~.draw.Reach` and ``sentence`` the
    one that holds ``start``.  The loss, summed over the pairs, is in the workspace.
    """
    begin, i, last, end = collect(
        ids, offsets, sentence, start, stop, reach.most, key, keep, ws.tokens, ws.bits
    )
    store_float64(ws.loss, 0, 0.0)
    pairs = train_windows(
        ws.tokens, begin, i, last, end, W_in, W_out, n_floats, n_words, noise, reach, skipgram,
        ws,
    )  # fmt: skip
    take_logarithm(ws)
    return pairs


@jit
def run_batch(
    contexts: Any, offsets: Any, outputs: Any, output_offsets: Any, signs: Any, W_in: Any,
    W_out: Any, n_floats: Any, skipgram: Any, ws: Any,
) -> Any:  # fmt: skip
    """Train on given windows, one after another; return the number of pairs.

    contexts : int32, the context ids of all windows; ``offsets``, int64 (B + 1,), cuts them.
    outputs, output_offsets, signs : as in a :class:`~wordgrad.training.sampling.Batch`.
    """
    store_float64(ws.loss, 0, 0.0)
    row_bytes = FLOAT * n_floats
    pairs = 0
    for b in range(offsets.size - 1):
        n = offsets[b + 1] - offsets[b]
        for k in range(n):
            store_int64(ws.rows, k, W_in + np.int64(contexts[offsets[b] + k]) * row_bytes)
        first = output_offsets[b]
        n_outputs = output_offsets[b + 1] - first
        for k in range(n_outputs):
            store_int64(ws.outputs, k, W_out + np.int64(outputs[first + k]) * row_bytes)
            store_int32(ws.turns, k, signs[first + k] < 0)
        cut_tiles(n_outputs, 0, ws.outputs, ws.tiles, ws)
        train_outputs(ws.rows, n, ws.outputs, ws.tiles, n_floats, skipgram, ws.outputs, ws)
        pairs += n if skipgram else 1
    take_logarithm(ws)
    return pairs
