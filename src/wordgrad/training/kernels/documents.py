"""Windows of documents, and vectors of new ones: a document is one more word of the context.

A document's tags have rows of W_in beyond those of the words.  Which rows are the input of a
target word:

=====================  ===========================================  =============================
                       rows                                         step
=====================  ===========================================  =============================
dbow                   the document's tags, each an input           window.py, skip-gram
dbow with words        those and the words around the target        window.py, skip-gram
dm, mean or sum        the same, combined                           window.py, CBOW
dm, concatenation      the tag, then the 2 m words around, in their here: one long row of the rows
                       places; beyond the text's ends a row of      side by side
                       padding
=====================  ===========================================  =============================

Derived in docs/derivations/paragraph-vectors.md.  What a window predicts is that of words: a target
and its negatives, shared by its inputs, the path to the target in a tree, or both.

Design
(a) A window is a table of row addresses, whoever the rows belong to: the steps are those of words.
    While a document is trained its row stays in the nearest cache.
(b) *Concatenation* copies the C rows of a window side by side into one of C P floats, which a
    skip-gram step of one input scores against output rows as long, and then hands each part of its
    change to the row that it came from.  Output row j lies in rows C j to C j + C - 1 of W_out.
(c) *Inference* steps on one row alone, of a document that training has not seen: words and outputs
    are frozen.  Positions count from the document's first word, so that its vector depends on its
    own words and the seed, and on nothing else that is inferred with it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wordgrad.compiling import compiled, inline_jit, jit
from wordgrad.training.kernels.draw import (
    NO_TOKEN,
    collect,
    context_of,
    draw_negatives,
    draw_reach,
)
from wordgrad.training.kernels.intrinsics import (
    load_int32,
    load_int64,
    load_uint64,
    store_float64,
    store_int32,
    store_int64,
)
from wordgrad.training.kernels.random import mix
from wordgrad.training.kernels.tiles import add_to_rows, combine_rows
from wordgrad.training.kernels.window import (
    ADDRESS,
    DEPTH,
    FLOAT,
    cut_tiles,
    draw_outputs,
    take_logarithm,
    train_outputs,
)

# Only the order of a sum is left to the compiler, as in batch.py.
sum_jit = compiled(fastmath={"reassoc", "contract"})

ALONE, WITH_WORDS, CONCATENATED = range(3)
"""Of which rows a window is made."""

INT32 = 4


@inline_jit
def _places(
    tokens: Any, i: Any, begin: Any, end: Any, window: Any, padding: Any, base: Any,
    row_bytes: Any, rows: Any,
) -> None:  # fmt: skip
    """Write row addresses of the ``window`` words before token ``i`` and of those after it.

    In the order of the text; ``padding`` is the row that stands beyond the text's ends.
    """
    inside = True
    for k in range(1, window + 1):
        word = load_int32(tokens, i - k) if inside and i - k >= begin else NO_TOKEN
        inside = word != NO_TOKEN
        store_int64(rows, window - k, base + row_bytes * (word if inside else padding))
    inside = True
    for k in range(1, window + 1):
        word = load_int32(tokens, i + k) if inside and i + k < end else NO_TOKEN
        inside = word != NO_TOKEN
        store_int64(rows, window + k - 1, base + row_bytes * (word if inside else padding))


@inline_jit
def _input_rows(
    tokens: Any, i: Any, begin: Any, end: Any, bits: Any, reach: Any, kind: Any, padding: Any,
    tags: Any, first_tag: Any, last_tag: Any, base: Any, row_bytes: Any, rows: Any,
) -> Any:  # fmt: skip
    """Write the row addresses of the window around token ``i``; return how many there are."""
    if kind == CONCATENATED:
        store_int64(rows, 0, base + row_bytes * load_int32(tags, first_tag))
        _places(tokens, i, begin, end, reach.most, padding, base, row_bytes, rows + ADDRESS)
        return 1 + 2 * reach.most
    n = 0
    if kind == WITH_WORDS:
        n_words = draw_reach(bits, reach)
        n = context_of(tokens, i, begin, end, n_words, base, row_bytes, rows)
    for k in range(first_tag, last_tag):
        store_int64(rows, n, base + row_bytes * load_int32(tags, k))
        n += 1
    return n


@jit
def draw_document_span(
    ids: Any, offsets: Any, sentence: Any, start: Any, stop: Any, key: Any, keep: Any, noise: Any,
    n_words: Any, reach: Any, kind: Any, padding: Any, tags: Any, tag_offsets: Any, tokens: Any,
    bits: Any, rows: Any, sizes: Any, targets: Any,
) -> Any:  # fmt: skip
    """Fill rows, sizes and targets as :func:`draw.draw_span` does; return the number of windows.

    tags, tag_offsets : addresses of int32 rows of W_in and int64 (S + 1,).
    """
    token_table, bit_table = tokens.ctypes.data, bits.ctypes.data
    begin, first, last, end = collect(
        ids, offsets, sentence, start, stop, reach.most, key, keep, token_table, bit_table
    )
    n = 0
    for i in range(first, last):
        centre = load_int32(token_table, i)
        if centre == NO_TOKEN:
            sentence += 1
            continue
        drawn = load_uint64(bit_table, i)
        sizes[n] = _input_rows(
            token_table, i, begin, end, drawn, reach, kind, padding, tags,
            load_int64(tag_offsets, sentence), load_int64(tag_offsets, sentence + 1), 0, 1,
            rows[n].ctypes.data,
        )  # fmt: skip
        targets[n, 0] = centre
        negatives = targets[n, 1:]
        draw_negatives(
            mix(drawn), centre, n_words, noise, negatives.size, 0, 1, negatives.ctypes.data
        )
        n += 1
    return n


@inline_jit
def _train(
    rows: Any, n: Any, outputs: Any, tiles: Any, n_floats: Any, kind: Any, skipgram: Any, soon: Any,
    ws: Any,
) -> None:  # fmt: skip
    """Take a window's step; ``n_floats`` is the padded length of an input row."""
    if kind != CONCATENATED:
        train_outputs(rows, n, outputs, tiles, n_floats, skipgram, soon, ws)
        return
    long_row, before = load_int64(ws.cbow, 0), load_int64(ws.totals, 0)
    part = FLOAT * n_floats
    for c in range(n):
        combine_rows(rows + ADDRESS * c, 1, long_row + c * part, n_floats, np.float32(1.0))
    combine_rows(ws.cbow, 1, before, n * n_floats, np.float32(1.0))
    train_outputs(ws.cbow, 1, outputs, tiles, n * n_floats, True, soon, ws)
    # What was learnt, and not the new values: a word that stands twice in a window learns twice.
    add_to_rows(ws.cbow, 1, before, n * n_floats, np.float32(-1.0))
    for c in range(n):
        add_to_rows(rows + ADDRESS * c, 1, long_row + c * part, n_floats, np.float32(1.0))


@inline_jit
def _draw_window(
    i: Any, begin: Any, end: Any, sentence: Any, i_ring: Any, reach: Any, kind: Any, padding: Any,
    tags: Any, tag_offsets: Any, W_in: Any, W_out: Any, n_floats: Any, n_words: Any, noise: Any,
    ws: Any,
) -> None:  # fmt: skip
    """Draw the window around token ``i`` into place ``i_ring`` of the ring."""
    row_bytes = FLOAT * n_floats
    centre = load_int32(ws.tokens, i)
    bits = load_uint64(ws.bits, i)
    rows = ws.rows + ADDRESS * i_ring * ws.window_rows
    n = _input_rows(
        ws.tokens, i, begin, end, bits, reach, kind, padding, tags,
        load_int64(tag_offsets, sentence), load_int64(tag_offsets, sentence + 1), W_in, row_bytes,
        rows,
    )  # fmt: skip
    store_int64(ws.row_counts, i_ring, n)
    soon = ws.outputs + ADDRESS * i_ring * (ws.n_padded + 1)
    output_bytes = row_bytes * n if kind == CONCATENATED else row_bytes
    tiles = ws.tiles + i_ring * ws.tiles_bytes
    draw_outputs(
        centre, mix(bits), W_out, output_bytes, n_words, noise, soon + ADDRESS, tiles, ws
    )  # fmt: skip
    # The row before the outputs is prefetched with them: the newest of the context, as in span.py.
    newest = load_int32(ws.tokens, min(i + reach.most, end - 1))
    row = load_int64(rows, 0) if newest == NO_TOKEN else W_in + newest * row_bytes
    row = row if kind == WITH_WORDS else load_int64(rows, 0)
    store_int64(soon, 0, row)


@jit
def run_document_span(
    ids: Any, offsets: Any, sentence: Any, start: Any, stop: Any, key: Any, keep: Any, noise: Any,
    n_words: Any, W_in: Any, W_out: Any, n_floats: Any, reach: Any, kind: Any, padding: Any,
    tags: Any, tag_offsets: Any, skipgram: Any, ws: Any,
) -> Any:  # fmt: skip
    """Train on every target in ``ids[start:stop]``; return the number of pairs.

    As :func:`span.run_span`; ``kind``, ``padding`` and tags as in :func:`draw_document_span`.
    """
    begin, i, last, end = collect(
        ids, offsets, sentence, start, stop, reach.most, key, keep, ws.tokens, ws.bits
    )
    store_float64(ws.loss, 0, 0.0)
    pairs = 0
    drawn = 0
    trained = 0
    while True:
        while drawn - trained < DEPTH and i < last:
            if load_int32(ws.tokens, i) == NO_TOKEN:
                sentence += 1
            else:
                _draw_window(
                    i, begin, end, sentence, drawn % DEPTH, reach, kind, padding, tags,
                    tag_offsets, W_in, W_out, n_floats, n_words, noise, ws,
                )  # fmt: skip
                drawn += 1
            i += 1
        if drawn == trained:
            break
        i_ring = trained % DEPTH
        rows = ws.rows + ADDRESS * i_ring * ws.window_rows
        outputs = ws.outputs + ADDRESS * (i_ring * (ws.n_padded + 1) + 1)
        soon = ws.outputs + ADDRESS * ((drawn - 1) % DEPTH) * (ws.n_padded + 1)
        n = load_int64(ws.row_counts, i_ring)
        _train(
            rows, n, outputs, ws.tiles + i_ring * ws.tiles_bytes, n_floats, kind, skipgram,
            soon, ws,
        )  # fmt: skip
        pairs += n if skipgram else 1
        trained += 1
    take_logarithm(ws)
    return pairs


@jit
def run_concatenated_batch(
    inputs: Any, offsets: Any, outputs: Any, output_offsets: Any, signs: Any, W_in: Any,
    W_out: Any, n_floats: Any, ws: Any,
) -> None:  # fmt: skip
    """Train on given windows of concatenated rows, one after another.

    As :func:`span.run_batch`: inputs are rows of W_in, ``offsets`` cuts them into windows, and
    outputs are words or inner nodes, each with as many rows of W_out as a window has inputs.
    """
    store_float64(ws.loss, 0, 0.0)
    row_bytes = FLOAT * n_floats
    for b in range(offsets.size - 1):
        n = offsets[b + 1] - offsets[b]
        for k in range(n):
            store_int64(ws.rows, k, W_in + np.int64(inputs[offsets[b] + k]) * row_bytes)
        first = output_offsets[b]
        n_outputs = output_offsets[b + 1] - first
        for k in range(n_outputs):
            store_int64(ws.outputs, k, W_out + np.int64(outputs[first + k]) * row_bytes * n)
            store_int32(ws.turns, k, signs[first + k] < 0)
        cut_tiles(n_outputs, 0, ws.outputs, ws.tiles, ws)
        _train(
            ws.rows, n, ws.outputs, ws.tiles, n_floats, CONCATENATED, True, ws.outputs, ws
        )  # fmt: skip
    take_logarithm(ws)


@sum_jit
def _infer_window(
    rows: Any, n_rows: Any, outputs: Any, signs: Any, n_outputs: Any, W_in: Any, W_out: Any,
    kind: Any, scale: Any, share: Any, rate: Any, vector: Any, h: Any, change: Any,
) -> Any:  # fmt: skip
    """Step on a new document's ``vector`` alone, for one target; return the loss before.

    rows : int64, of the ``n_rows`` words around the target, in their places if concatenated.
    outputs, signs : int64 and int8, what the target is predicted by: ``n_outputs`` of them.
    scale, share : of the sum of rows that is h, and of h's gradient that the document receives.
    """
    size = vector.size
    width = size * (1 + n_rows) if kind == CONCATENATED else size
    if kind == CONCATENATED:
        h[:size] = vector
        for r in range(n_rows):
            row = W_in[rows[r]]
            for d in range(size):
                h[size * (1 + r) + d] = row[d]
    else:
        h[:size] = vector
        for r in range(n_rows):
            row = W_in[rows[r]]
            for d in range(size):
                h[d] += row[d]
        for d in range(size):
            h[d] *= scale
    change[:] = 0.0
    loss = 0.0
    parts = width // size
    for k in range(n_outputs):
        dot = np.float32(0.0)
        for part in range(parts):
            u = W_out[outputs[k] * parts + part]
            place = part * size
            for d in range(size):
                dot += h[place + d] * u[d]
        z = -np.float64(dot) if signs[k] > 0 else np.float64(dot)
        small = math.exp(-abs(z))
        loss += (0.0 if z < 0.0 else z) + math.log1p(small)
        sigmoid = (small if z < 0.0 else 1.0) / (1.0 + small)
        g = np.float32(rate * (sigmoid if signs[k] > 0 else -sigmoid))
        u = W_out[outputs[k] * parts]
        for d in range(size):
            change[d] += g * u[d]
    for d in range(size):
        vector[d] += share * change[d]
    return loss


@jit
def infer_documents(
    ids: Any, offsets: Any, keys: Any, rates: Any, keep: Any, noise: Any, W_in: Any, W_out: Any,
    reach: Any, kind: Any, padding: Any, scales: Any, shares: Any, part: Any, nodes: Any,
    turns: Any, path_offsets: Any, negative: Any, tokens: Any, bits: Any, rows: Any,
    outputs: Any, signs: Any, h: Any, change: Any, vectors: Any,
) -> Any:  # fmt: skip
    """Improve the vectors of new documents, one after another; return loss and targets.

    Parameters
    ----------
    ids, offsets : int32 (T,), int64 (n + 1,)
        Document i has the words ``ids[offsets[i]:offsets[i + 1]]``.
    keys, rates : uint64 (E,), float64 (E,)
        Of every epoch: of its random numbers, and its learning rate.
    keep, noise : addresses, as in :func:`draw.draw_span`
    W_in, W_out : float32 (rows, P)
        Read alone.
    kind, padding
        As in :func:`draw_document_span`; a document has one vector.
    scales, shares : float32 (2 m + 2,)
        Of dm, by how many rows are combined: what h is of their sum, and what each of them gets of
        h's change.
    part : int
        0: all targets; 1: every other one; 2: the rest.
    nodes, turns, path_offsets : int32 (P,), int8 (P,), int64 (V + 1,)
        The paths of a tree, as :class:`~.huffman.HuffmanTree` has them; without one, all are empty.
    negative : int
        K; 0 if the path is all that is predicted.
    tokens, bits, rows, outputs, signs, h, change : arrays
        Scratch memory: for a span's tokens, a window, and its vectors.
    vectors : float32 (n, D)
        Where each begins, and what it becomes.

    Returns
    -------
    (loss, n) : of the last epoch, before each step, summed, and its number of targets.
    """
    n_words = keep.size
    token_table, bit_table = tokens.ctypes.data, bits.ctypes.data
    span = (tokens.size - 2 * reach.most - 4) // 2
    bounds = np.zeros(2, np.int64)
    loss, n_targets = 0.0, 0
    row_table, output_table = rows.ctypes.data, outputs.ctypes.data
    n_nodes = n_words - 1 if path_offsets.size else 0
    for document in range(offsets.size - 1):
        place = ids.ctypes.data + INT32 * offsets[document]
        bounds[1] = offsets[document + 1] - offsets[document]
        vector = vectors[document]
        for epoch in range(keys.size):
            for start in range(0, bounds[1], span):
                stop = min(start + span, bounds[1])
                begin, first, last, end = collect(
                    place, bounds.ctypes.data, 0, start, stop, reach.most, keys[epoch],
                    keep.ctypes.data, token_table, bit_table,
                )  # fmt: skip
                for i in range(first, last):
                    if part and ((i - first) & 1) != part - 1:
                        continue
                    centre = load_int32(token_table, i)
                    drawn = load_uint64(bit_table, i)
                    n_rows = 0
                    if kind == CONCATENATED:
                        _places(token_table, i, begin, end, reach.most, padding, 0, 1, row_table)
                        n_rows = 2 * reach.most
                    elif kind == WITH_WORDS:
                        n_rows = context_of(
                            token_table, i, begin, end, draw_reach(drawn, reach), 0, 1, row_table
                        )
                    n = 0
                    if path_offsets.size:
                        for k in range(path_offsets[centre], path_offsets[centre + 1]):
                            outputs[n] = nodes[k]
                            signs[n] = 1 - 2 * turns[k]
                            n += 1
                    if negative:
                        outputs[n] = n_nodes + centre
                        signs[n : n + 1 + negative] = -1
                        signs[n] = 1
                        draw_negatives(
                            mix(drawn), centre, n_words, noise.ctypes.data, negative, n_nodes, 1,
                            output_table + ADDRESS * (n + 1),
                        )  # fmt: skip
                        n += 1 + negative
                    value = _infer_window(
                        rows, n_rows, outputs, signs, n, W_in, W_out, kind, scales[1 + n_rows],
                        shares[1 + n_rows], rates[epoch], vector, h, change,
                    )  # fmt: skip
                    if epoch == keys.size - 1:
                        loss += value
                        n_targets += 1
    return loss, n_targets
