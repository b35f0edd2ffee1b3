"""Word vectors composed of rows: compose, train windows on them, hand the changes on.

With v_w = s_w sum_r W_in[r] over the rows r of word w (its own, and those of its n-grams), a window
of ordinary word2vec is a function of the v_w alone, and

    dJ/dW_in[r] = sum_w s_w n_wr dJ/dv_w,        n_wr: how often r is among the rows of w.

Design
(a) A vector of some 20 rows changes slowly.  For a short piece of text (a sub-span) the vector of
    each of its words is composed once, the ordinary kernel of windows trains on the composed rows
    (it takes addresses of rows, and does not know), and the change of each is handed on once, to
    all rows of its word.  So some ten windows share one gather and one scatter, and words that
    come again share them too.  How long a sub-span may be is in engines/subwords.py; with one
    window a sub-span the step is exact.
(b) Rows are read and written whole, a block of up to eight vector registers at a time, while the
    rows of a word that comes soon are prefetched: the time goes to memory, not to arithmetic.
(c) Rows may stand for the sum of several parts that always change together; ``weights`` tells of
    how many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from wordgrad.compiling import jit
from wordgrad.training.kernels.draw import NO_TOKEN, collect
from wordgrad.training.kernels.intrinsics import (
    I64,
    Emitter,
    load_float32,
    load_int32,
    load_int64,
    store_float64,
    store_int32,
    store_int64,
)
from wordgrad.training.kernels.span import train_windows
from wordgrad.training.kernels.window import FLOAT, take_logarithm, train_window
from wordgrad.training.parameters import aligned_rows

BLOCK = 8
"""Vector registers of a row that are summed in one pass over a word's rows."""

LINE_FLOATS = 16
"""Floats in a cache line."""

AHEAD = 2
"""The rows of the word so many places further on are prefetched."""


class RowAddresses(NamedTuple):
    """Rows of every word, as the kernels see them (addresses)."""

    offsets: int  # int64 (V + 1,)
    rows: int  # int32 (R,): word w has rows[offsets[w]:offsets[w + 1]]
    weights: int  # float32 (R,): parts that each of them stands for
    scales: int  # float32 (V,): s_w
    steps: int  # float32 (V,): by which the change of v_w is multiplied when it is handed on


class ComposedAddresses(NamedTuple):
    """A thread's composed rows (addresses)."""

    slot_of: int  # int32 (V,): place of a word among the composed rows, -1 if it has none
    words: int  # int32 (capacity,): the word of each
    inputs: int  # int32 (tokens,): of the kept tokens of a sub-span, the composed row of each
    now: int  # rows (capacity,): being trained
    before: int  # rows (capacity,): as they were composed


class ComposedRows:
    """A thread's memory for composed rows.

    Parameters
    ----------
    n_words : int
        V.
    capacity : most composed rows at a time.
    token_capacity : most kept tokens that are looked at; see :func:`draw.collect`.
    n_floats : padded row length.
    """

    def __init__(self, n_words: int, capacity: int, token_capacity: int, n_floats: int) -> None:
        self.capacity = capacity
        self._kept: list[NDArray[Any]] = [
            np.full(n_words, -1, np.int32),
            np.zeros(capacity, np.int32),
            np.zeros(token_capacity, np.int32),
            aligned_rows(capacity, n_floats),
            aligned_rows(capacity, n_floats),
        ]
        self.addresses = ComposedAddresses(*(int(one.ctypes.data) for one in self._kept))


def _row(e: Emitter, ids: Any, k: Any, base: Any, row_bytes: Any) -> Any:
    """Return the address of the row whose number is element ``k`` of the int32 table ``ids``."""
    number = e.b.load(e.pointer(e.offset(ids, k, 4), ir.IntType(32)), align=4)
    return e.b.add(base, e.b.mul(e.b.sext(number, I64), row_bytes))


def _blocks(e: Emitter, n_floats: Any, body: Callable[[Any, int], None]) -> None:
    """Emit ``body(first float, vectors)`` for every block of a row, and for what is left."""
    b = e.b
    size = ir.Constant(I64, BLOCK * e.lanes)
    whole = b.mul(b.sdiv(n_floats, size), size)
    with b.if_then(b.icmp_signed(">", whole, ir.Constant(I64, 0))):

        def block(i: Any, _: list[Any]) -> list[Any]:
            body(i, BLOCK)
            return []

        e.loop("blocks", ir.Constant(I64, 0), whole, BLOCK * e.lanes, [], block)
    left = b.sdiv(b.sub(n_floats, whole), ir.Constant(I64, e.lanes))
    for n in range(1, BLOCK):
        with b.if_then(b.icmp_signed("==", left, ir.Constant(I64, n))):
            body(whole, n)


def _places(e: Emitter, i: Any, n: int) -> list[Any]:
    """Return the first floats of ``n`` vectors from float ``i`` on."""
    return [e.b.add(i, ir.Constant(I64, v * e.lanes)) for v in range(n)]


class _Prefetch:
    """Prefetches a part of the rows of a coming word, one with each row that is worked on."""

    def __init__(self, e: Emitter, ids: Any, n: Any, base: Any, row_bytes: Any, write: bool):
        self._e, self._table, self._write = e, (ids, base, row_bytes), write
        self._n = n

    def one(self, k: Any, i: Any, n: int) -> None:
        """Emit the prefetch of ``n`` vectors of row ``k`` from float ``i`` on, if it is there."""
        e = self._e
        ids, base, row_bytes = self._table
        with e.b.if_then(e.b.icmp_signed("<", k, self._n)):
            place = e.offset(_row(e, ids, k, base, row_bytes), i, 4)
            for first in range(0, n * e.lanes, LINE_FLOATS):
                e.prefetch(e.b.add(place, ir.Constant(I64, 4 * first)), write=self._write)

    def rest(self, done: Any, i: Any, n: int) -> None:
        """Emit those of the rows from ``done`` on."""
        e = self._e

        def row(k: Any, _: list[Any]) -> list[Any]:
            self.one(k, i, n)
            return []

        with e.b.if_then(e.b.icmp_signed(">", self._n, done)):
            e.loop("rest", done, self._n, 1, [], row)


@intrinsic
def compose_row(
    typingctx: Any, ids: Any, n: Any, base: Any, row_bytes: Any, n_floats: Any, scale: Any,
    now: Any, before: Any, next_ids: Any, n_next: Any,
) -> Any:  # fmt: skip
    """Write ``scale * sum of rows ids[0:n]`` to ``now`` and ``before``.

    ids : address of int32 (n,), n at least 1: numbers of rows at ``base``.
    next_ids, n_next : rows to prefetch meanwhile.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        ids_, n_, base_, bytes_, floats_, scale_, now_, before_, next_ids_, n_next_ = arguments
        e = Emitter(builder)
        factor = e.splat(scale_)
        ahead = _Prefetch(e, next_ids_, n_next_, base_, bytes_, write=False)

        def body(i: Any, m: int) -> None:
            places = _places(e, i, m)

            def row(k: Any, totals: list[Any]) -> list[Any]:
                ahead.one(k, i, m)
                place = _row(e, ids_, k, base_, bytes_)
                return [
                    builder.fadd(total, e.load_row(place, at))
                    for total, at in zip(totals, places, strict=True)
                ]

            zeros = [e.constant(0.0)] * m
            totals = e.loop("rows", ir.Constant(I64, 0), n_, 1, zeros, row)
            ahead.rest(n_, i, m)
            for total, at in zip(totals, places, strict=True):
                h = builder.fmul(total, factor)
                e.store_row(h, now_, at)
                e.store_row(h, before_, at)

        _blocks(e, floats_, body)
        return context.get_dummy_value()

    return types.void(*([types.int64] * 5), types.float32, *([types.int64] * 4)), codegen


@intrinsic
def hand_on(
    typingctx: Any, ids: Any, weights: Any, n: Any, base: Any, row_bytes: Any, n_floats: Any,
    scale: Any, now: Any, before: Any, next_ids: Any, n_next: Any,
) -> Any:  # fmt: skip
    """Add ``weights[k] * scale * (now - before)`` to each row ``ids[k]``; see :func:`compose_row`.

    A row that is named twice receives both.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        ids_, weights_, n_, base_, bytes_, floats_, scale_, now_, before_ = arguments[:9]
        e = Emitter(builder)
        factor = e.splat(scale_)
        ahead = _Prefetch(e, arguments[9], arguments[10], base_, bytes_, write=True)

        def body(i: Any, m: int) -> None:
            places = _places(e, i, m)
            changes = [
                builder.fmul(builder.fsub(e.load_row(now_, at), e.load_row(before_, at)), factor)
                for at in places
            ]

            def row(k: Any, _: list[Any]) -> list[Any]:
                ahead.one(k, i, m)
                place = _row(e, ids_, k, base_, bytes_)
                weight = e.broadcast(e.offset(weights_, k, 4))
                for change, at in zip(changes, places, strict=True):
                    e.store_row(e.fma(weight, change, e.load_row(place, at)), place, at)
                return []

            e.loop("rows", ir.Constant(I64, 0), n_, 1, [], row)
            ahead.rest(n_, i, m)

        _blocks(e, floats_, body)
        return context.get_dummy_value()

    return types.void(*([types.int64] * 6), types.float32, *([types.int64] * 4)), codegen


@jit
def compose_words(
    words: Any, n: Any, table: Any, W_in: Any, n_floats: Any, now: Any, before: Any
) -> None:
    """Compose the vectors of ``n`` words (the address of an int32 table) to rows 0, 1, ..."""
    row_bytes = FLOAT * n_floats
    for t in range(n):
        word, coming = load_int32(words, t), load_int32(words, min(t + AHEAD, n - 1))
        first, last = load_int64(table.offsets, word), load_int64(table.offsets, word + 1)
        after = load_int64(table.offsets, coming)
        n_after = load_int64(table.offsets, coming + 1) - after if t + AHEAD < n else 0
        compose_row(
            table.rows + 4 * first, last - first, W_in, row_bytes, n_floats,
            np.float32(load_float32(table.scales, word)), now + t * row_bytes,
            before + t * row_bytes, table.rows + 4 * after, n_after,
        )  # fmt: skip


@jit
def _hand_on_words(
    words: Any, n: Any, table: Any, W_in: Any, n_floats: Any, now: Any, before: Any
) -> None:
    """Hand the changes of ``n`` composed rows on to the rows of their words."""
    row_bytes = FLOAT * n_floats
    for t in range(n):
        word, coming = load_int32(words, t), load_int32(words, min(t + AHEAD, n - 1))
        first, last = load_int64(table.offsets, word), load_int64(table.offsets, word + 1)
        after = load_int64(table.offsets, coming)
        n_after = load_int64(table.offsets, coming + 1) - after if t + AHEAD < n else 0
        hand_on(
            table.rows + 4 * first, table.weights + 4 * first, last - first, W_in, row_bytes,
            n_floats, np.float32(load_float32(table.steps, word)), now + t * row_bytes,
            before + t * row_bytes, table.rows + 4 * after, n_after,
        )  # fmt: skip


@jit
def _list_words(begin: Any, end: Any, composed: Any, ws: Any) -> Any:
    """Give every word among the kept tokens a composed row; return how many there are."""
    n = 0
    for i in range(begin, end):
        word = load_int32(ws.tokens, i)
        if word == NO_TOKEN:
            store_int32(composed.inputs, i, NO_TOKEN)
            continue
        slot = load_int32(composed.slot_of, word)
        if slot < 0:
            slot = n
            store_int32(composed.slot_of, word, slot)
            store_int32(composed.words, n, word)
            n += 1
        store_int32(composed.inputs, i, slot)
    for t in range(n):
        store_int32(composed.slot_of, load_int32(composed.words, t), -1)
    return n


@jit
def run_composed_span(
    ids: Any, offsets: Any, sentence: Any, start: Any, stop: Any, sub_tokens: Any, key: Any,
    keep: Any, noise: Any, n_words: Any, W_in: Any, W_out: Any, n_floats: Any, reach: Any,
    skipgram: Any, table: Any, composed: Any, ws: Any,
) -> Any:  # fmt: skip
    """Train on a span, ``sub_tokens`` tokens at a time; see :func:`span.run_span`.

    table : RowAddresses;  composed : ComposedAddresses, this thread's.
    """
    store_float64(ws.loss, 0, 0.0)
    pairs = 0
    while start < stop:
        end_of_part = min(start + sub_tokens, stop)
        while load_int64(offsets, sentence + 1) <= start:
            sentence += 1
        begin, i, last, end = collect(
            ids, offsets, sentence, start, end_of_part, reach.most, key, keep, ws.tokens, ws.bits
        )
        start = end_of_part
        n = _list_words(begin, end, composed, ws)
        compose_words(composed.words, n, table, W_in, n_floats, composed.now, composed.before)
        pairs += train_windows(
            composed.inputs, begin, i, last, end, composed.now, W_out, n_floats, n_words, noise,
            reach, skipgram, ws,
        )  # fmt: skip
        _hand_on_words(composed.words, n, table, W_in, n_floats, composed.now, composed.before)
    take_logarithm(ws)
    return pairs


@jit
def run_composed_batch(
    inputs: Any, input_offsets: Any, groups: Any, targets: Any, scales: Any, shares: Any,
    weights: Any, W_in: Any, W_out: Any, n_floats: Any, composed: Any, ws: Any,
) -> None:  # fmt: skip
    """Train on given examples, one after another, each composed and handed on by itself.

    inputs, input_offsets, groups : as in a Batch.
    targets : int32 (B, 1 + K), each example's target and its negatives.
    scales, shares : float32 (I,), what an input vector is of the sum of its rows, and what each of
        them gets of its change.
    weights : float32 (N,), what the step on each of ``inputs`` is multiplied by.
    """
    store_float64(ws.loss, 0, 0.0)
    row_bytes = FLOAT * n_floats
    table, factors = inputs.ctypes.data, weights.ctypes.data
    for b in range(groups.size - 1):
        group = groups[b]
        n = groups[b + 1] - group
        for i in range(n):
            first, last = input_offsets[group + i], input_offsets[group + i + 1]
            compose_row(
                table + 4 * first, last - first, W_in, row_bytes, n_floats, scales[group + i],
                composed.now + i * row_bytes, composed.before + i * row_bytes, table, 0,
            )  # fmt: skip
            store_int64(ws.rows, i, composed.now + i * row_bytes)
        for k in range(ws.n_outputs):
            store_int64(ws.outputs, k, W_out + np.int64(targets[b, k]) * row_bytes)
        train_window(ws.rows, n, ws.outputs, n_floats, True, ws.outputs, ws)
        for i in range(n):
            first, last = input_offsets[group + i], input_offsets[group + i + 1]
            hand_on(
                table + 4 * first, factors + 4 * first, last - first, W_in, row_bytes, n_floats,
                shares[group + i], composed.now + i * row_bytes,
                composed.before + i * row_bytes, table, 0,
            )  # fmt: skip
    take_logarithm(ws)
