"""What update: one window's gradient step, and spans and batches of windows, compiled by Numba.

Design
(a) A window is a small matrix product.  Its negatives are shared by its context words, so that
    (context rows) x (1 + K) output rows are scored and updated in register tiles (tiles.py).
(b) The step is exactly ``-lr`` times the gradient of the window's loss at the parameters before the
    window (see docs/derivations/skip-gram.md and cbow.md).  A row that occurs twice in a window is
    worked on as a copy whose change is added afterwards.
(c) Memory latency hides behind arithmetic: windows are drawn a few ahead, and their rows asked for
    then.
(d) Threads update the shared parameters without locks (Hogwild: Recht et al., NIPS 2011).

Skip-gram reads each context word's row of W_in against the target's and the negatives' rows of
W_out, the centre being the target, as word2vec.c does: the same pairs (i, j) as centre predicts
context, and a window shares one set of negatives.  CBOW reads the mean (or sum) of those rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wordgrad.training.engines.memory import (
    load_float32,
    load_float64,
    load_int32,
    load_int64,
    load_uint64,
    store_float32,
    store_float64,
    store_int64,
)
from wordgrad.training.engines.pairs import (
    NO_TOKEN,
    below,
    collect,
    context_of,
    draw_negatives,
    jit,
    mix,
    part,
    repeats,
)
from wordgrad.training.engines.tiles import (
    FACTORS_PER_LOGARITHM,
    add_to_rows,
    combine_rows,
    score_tile,
    update_tile,
)
from wordgrad.training.engines.vector_code import LANES
from wordgrad.training.engines.workspace import DEPTH, TILE_SIZES

FLOAT = 4
ADDRESS = 8

CALLS_PER_LOGARITHM = FACTORS_PER_LOGARITHM // -(-2 * max(TILE_SIZES) // LANES)
"""A call of score_tile multiplies one factor into a lane for each vector that its scores fill."""


@jit
def _take_logarithm(ws: Any) -> None:
    """Add the loss held in ``ws.sums`` to ``ws.loss`` and start the sums afresh."""
    loss = load_float64(ws.loss, 0)
    for lane in range(LANES):
        loss += np.log(load_float32(ws.sums, lane)) + load_float32(ws.sums, LANES + lane)
        store_float32(ws.sums, lane, 1.0)
        store_float32(ws.sums, LANES + lane, 0.0)
    store_float64(ws.loss, 0, loss)
    store_int64(ws.factors, 0, 0)


@part
def _count_call(ws: Any) -> None:
    factors = load_int64(ws.factors, 0) + 1
    store_int64(ws.factors, 0, factors)
    if factors >= CALLS_PER_LOGARITHM:
        _take_logarithm(ws)


@part
def _score(
    rows: Any, n_rows: Any, n_floats: Any, tile: Any, size: Any, outputs: Any, steps: Any, ws: Any
) -> None:
    """Score ``n_rows`` rows against one tile of outputs, two rows at a time; fill its steps."""
    single = ws.pattern + 2 * tile * ws.pattern_bytes
    double = single + ws.pattern_bytes
    for _ in range(n_rows // 2):
        if size == 6:
            score_tile(2, 6, rows, outputs, n_floats, double, steps, ws.sums)
        else:
            score_tile(2, 4, rows, outputs, n_floats, double, steps, ws.sums)
        _count_call(ws)
        rows += 2 * ADDRESS
        steps += 2 * size * FLOAT
    if n_rows % 2:
        if size == 6:
            score_tile(1, 6, rows, outputs, n_floats, single, steps, ws.sums)
        else:
            score_tile(1, 4, rows, outputs, n_floats, single, steps, ws.sums)
        _count_call(ws)


@part
def _step(
    rows: Any, before: Any, after: Any, n_rows: Any, outputs: Any, n_floats: Any, soon: Any, ws: Any
) -> None:
    """Score and update ``n_rows`` read rows against all output tiles, from the old values.

    The new value of a read row is its ``before`` plus the tiles' changes, written to ``after``;
    all of these are tables of row addresses.  The rows of the table ``soon`` are asked for.
    """
    steps = ws.steps
    done = 0
    for tile in range(ws.n_tiles):
        size = load_int64(ws.tile_sizes, tile)
        _score(rows, n_rows, n_floats, tile, size, outputs + ADDRESS * done, steps, ws)
        steps += FLOAT * (n_rows * size + LANES)
        done += size
    steps = ws.steps
    source = before
    n_soon = ws.n_padded + 1
    done = 0
    for tile in range(ws.n_tiles):
        size = load_int64(ws.tile_sizes, tile)
        target = after if tile == ws.n_tiles - 1 else ws.totals
        place = outputs + ADDRESS * done
        if size == 6:
            update_tile(6, rows, source, target, n_rows, place, n_floats, steps, soon, n_soon)
        else:
            update_tile(4, rows, source, target, n_rows, place, n_floats, steps, soon, n_soon)
        steps += FLOAT * (n_rows * size + LANES)
        done += size
        source = ws.totals
        n_soon = 1


@part
def _copy_repeats(table: Any, n: Any, n_copies: Any, n_floats: Any, ws: Any) -> Any:
    """Let every row that occurs earlier in the table be a copy; return the number of copies."""
    row_bytes = FLOAT * n_floats
    for k in range(repeats(table, n, ws.found)):
        place = load_int64(ws.found, k)
        original = load_int64(table, place)
        working = ws.copies + 2 * n_copies * row_bytes
        store_int64(ws.one, 0, original)
        combine_rows(ws.one, 1, working, n_floats, np.float32(1.0))
        combine_rows(ws.one, 1, working + row_bytes, n_floats, np.float32(1.0))
        store_int64(table, place, working)
        store_int64(ws.saved, n_copies, original)
        n_copies += 1
    return n_copies


@part
def _merge_copies(n_copies: Any, n_floats: Any, ws: Any) -> None:
    """Add the change of every copy to the row that it stands for."""
    row_bytes = FLOAT * n_floats
    for k in range(n_copies):
        working = ws.copies + 2 * k * row_bytes
        store_int64(ws.one, 0, working)
        add_to_rows(ws.one, 1, working + row_bytes, n_floats, np.float32(-1.0))
        store_int64(ws.one, 0, load_int64(ws.saved, k))
        add_to_rows(ws.one, 1, working, n_floats, np.float32(1.0))


@part
def _train_window(
    rows: Any,
    n_rows: Any,
    outputs: Any,
    n_floats: Any,
    skipgram: Any,
    mean: Any,
    soon: Any,
    ws: Any,
) -> None:
    """Take one window's gradient step; its loss goes to ``ws.loss``, by way of ``ws.sums``.

    ``rows`` and ``outputs`` are tables of row addresses; repeated ones are overwritten by copies'.
    """
    n_copies = _copy_repeats(outputs, ws.n_outputs, 0, n_floats, ws)
    if skipgram:
        n_copies = _copy_repeats(rows, n_rows, n_copies, n_floats, ws)
        _step(rows, rows, rows, n_rows, outputs, n_floats, soon, ws)
    else:
        scale = np.float32(1.0) / np.float32(n_rows) if mean else np.float32(1.0)
        hidden, zeros, change = ws.cbow, ws.cbow + ADDRESS, ws.cbow + 2 * ADDRESS
        combine_rows(rows, n_rows, load_int64(hidden, 0), n_floats, scale)
        _step(hidden, zeros, change, 1, outputs, n_floats, soon, ws)
        add_to_rows(rows, n_rows, load_int64(change, 0), n_floats, scale)
    _merge_copies(n_copies, n_floats, ws)


@part
def _draw_window(
    i: Any, begin: Any, end: Any, slot: Any, window: Any, W_in: Any, W_out: Any, n_floats: Any,
    n_words: Any, noise: Any, ws: Any,
) -> Any:  # fmt: skip
    """Draw the window around token ``i`` into a slot of the ring; return its context's size.

    Of the context only the newest word's row needs asking for (it ends the table of outputs): the
    others were, by the windows before.
    """
    centre = load_int32(ws.tokens, i)
    if centre == NO_TOKEN:
        return 0
    row_bytes = FLOAT * n_floats
    bits = load_uint64(ws.bits, i)
    reach = 1 + below(bits, window)
    rows = ws.rows + ADDRESS * slot * ws.window_rows
    n = context_of(ws.tokens, i, begin, end, reach, W_in, row_bytes, rows)
    store_int64(ws.row_counts, slot, n)
    outputs = ws.outputs + ADDRESS * slot * (ws.n_padded + 1)
    store_int64(outputs, 0, W_out + centre * row_bytes)
    draw_negatives(
        mix(bits), centre, n_words, noise, ws.n_outputs - 1, W_out, row_bytes, outputs + ADDRESS
    )
    newest = load_int32(ws.tokens, min(i + window, end - 1))
    newest = centre if newest == NO_TOKEN else newest
    store_int64(outputs, ws.n_padded, W_in + newest * row_bytes)
    return n


@jit
def run_span(
    ids: Any, offsets: Any, sentence: Any, start: Any, stop: Any, key: Any, keep: Any, noise: Any,
    n_words: Any, W_in: Any, W_out: Any, n_floats: Any, window: Any, skipgram: Any, mean: Any,
    ws: Any,
) -> Any:  # fmt: skip
    """Train on every window whose centre lies in ``ids[start:stop]``; return the number of pairs.

    Every table is given by its address, ``sentence`` is the one that holds ``start``.  The loss,
    summed over the pairs, is in the workspace.
    """
    begin, i, last, end = collect(
        ids, offsets, sentence, start, stop, window, key, keep, ws.tokens, ws.bits
    )
    store_float64(ws.loss, 0, 0.0)
    pairs = 0
    drawn = 0
    trained = 0
    while True:
        while drawn - trained < DEPTH and i < last:
            n = _draw_window(
                i, begin, end, drawn % DEPTH, window, W_in, W_out, n_floats, n_words, noise, ws
            )
            drawn += n > 0
            i += 1
        if drawn == trained:
            break
        slot = trained % DEPTH
        rows = ws.rows + ADDRESS * slot * ws.window_rows
        outputs = ws.outputs + ADDRESS * slot * (ws.n_padded + 1)
        # The window before this one asked for its rows; this one asks for those of the last drawn.
        soon = ws.outputs + ADDRESS * ((drawn - 1) % DEPTH) * (ws.n_padded + 1)
        n = load_int64(ws.row_counts, slot)
        _train_window(rows, n, outputs, n_floats, skipgram, mean, soon, ws)
        pairs += n if skipgram else 1
        trained += 1
    _take_logarithm(ws)
    return pairs


@jit
def run_batch(
    contexts: Any, offsets: Any, targets: Any, W_in: Any, W_out: Any, n_floats: Any,
    skipgram: Any, mean: Any, ws: Any,
) -> Any:  # fmt: skip
    """Train on given windows, one after another; return the number of pairs.

    contexts : int32, the context ids of all windows; ``offsets``, int64 (B + 1,), cuts them.
    targets : int32 (B, 1 + K), each window's target and its negatives.
    """
    store_float64(ws.loss, 0, 0.0)
    row_bytes = FLOAT * n_floats
    pairs = 0
    for b in range(offsets.size - 1):
        n = offsets[b + 1] - offsets[b]
        for k in range(n):
            store_int64(ws.rows, k, W_in + np.int64(contexts[offsets[b] + k]) * row_bytes)
        for k in range(ws.n_outputs):
            store_int64(ws.outputs, k, W_out + np.int64(targets[b, k]) * row_bytes)
        _train_window(ws.rows, n, ws.outputs, n_floats, skipgram, mean, ws.outputs, ws)
        pairs += n if skipgram else 1
    _take_logarithm(ws)
    return pairs
