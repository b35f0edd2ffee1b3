"""Rounds of blocks: the same numbers for any number of threads, compiled by Numba.

Design
(a) The blocks of a round start from the same parameters and see nothing of one another, so that
    it does not matter which thread trains which block, or when (round_plan.py).
(b) At the round's end the changes of a row's slots are added to it in the order of the blocks.
(c) A phase (the blocks of a round, their merging) ends when its *work* is done, not when every
    thread has arrived: threads take items by an atomic counter, and one that the system has put
    to sleep between two items holds nobody up.

A thread takes its own share of the blocks first, so that slots stay in its core's cache.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from wordgrad.training.engines.atomics import fetch_add, load_shared, wait_for
from wordgrad.training.engines.memory import (
    load_float64,
    load_int64,
    store_float64,
    store_int64,
)
from wordgrad.training.engines.pairs import jit, part
from wordgrad.training.engines.round_memory import LINE
from wordgrad.training.engines.round_plan import (
    CENTRE,
    HIGH,
    LOW,
    SLOTS,
    WINDOW_FIELDS,
    plan_round,
)
from wordgrad.training.engines.tiles import ask_for
from wordgrad.training.engines.vector_code import I64, Emitter
from wordgrad.training.engines.window_step import ADDRESS, FLOAT, take_logarithm, train_window

HEADS_AN_ITEM = 32
"""Rows that a thread merges at a time."""

AHEAD = 2
"""Windows between the one that is trained and the one whose rows are asked for."""


@intrinsic
def copy_row(typingctx: Any, source: Any, target: Any, n_floats: Any, soon: Any) -> Any:
    """Copy a row of ``n_floats``; ask for the table ``soon`` of one row address meanwhile."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source_, target_, n_floats_, soon_ = arguments
        e = Emitter(builder)

        def chunk(i: Any, _: list[Any]) -> list[Any]:
            ask_for(e, soon_, ir.Constant(I64, 1), i)
            e.store_row(e.load_row(source_, i), target_, i)
            return []

        e.loop("chunks", ir.Constant(I64, 0), n_floats_, e.lanes, [], chunk)
        return context.get_dummy_value()

    return types.void(*([types.int64] * 4)), codegen


@intrinsic
def merge_row(
    typingctx: Any, row: Any, copies: Any, n_copies: Any, n_floats: Any, soon: Any, n_soon: Any
) -> Any:
    """Add to a row the changes of its copies, in their order: ``row += sum of (copy - row)``.

    copies : table of ``n_copies`` (at least 1) row addresses.
    soon : table of ``n_soon`` (at least 1) row addresses that are asked for meanwhile.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row_, copies_, n_copies_, n_floats_, soon_, n_soon_ = arguments
        e = Emitter(builder)

        def chunk(i: Any, _: list[Any]) -> list[Any]:
            before = e.load_row(row_, i)

            def copy(k: Any, total: list[Any]) -> list[Any]:
                change = builder.fsub(e.load_row(e.address(copies_, k), i), before)
                return [builder.fadd(total[0], change)]

            ask_for(e, soon_, n_soon_, i)
            (total,) = e.loop("copies", ir.Constant(I64, 0), n_copies_, 1, [before], copy)
            e.store_row(total, row_, i)
            return []

        e.loop("chunks", ir.Constant(I64, 0), n_floats_, e.lanes, [], chunk)
        return context.get_dummy_value()

    return types.void(*([types.int64] * 6)), codegen


@part
def _train_block(
    r: Any, block: Any, n_floats: Any, skipgram: Any, mean: Any, memory: Any, ws: Any
) -> None:
    """Take the steps of a block's windows, and write down its loss and pairs."""
    at = r * memory.blocks + block
    row_bytes = FLOAT * n_floats
    sources = memory.sources + ADDRESS * at * memory.slot_room
    private = memory.private + block * memory.slot_room * row_bytes
    last_slot = load_int64(memory.n_slots, at) - 1
    tokens = memory.tokens + ADDRESS * at * memory.token_room
    records = memory.windows + ADDRESS * at * memory.block_tokens * WINDOW_FIELDS
    tables = memory.outputs + ADDRESS * at * memory.block_tokens * memory.output_room
    last = load_int64(memory.n_windows, at) - 1
    store_float64(ws.loss, 0, 0.0)
    pairs, slot = 0, 0
    for w in range(last + 1):
        # Filled when first needed, a slot is still in the nearest cache when it is.
        while slot < load_int64(records, w * WINDOW_FIELDS + SLOTS):
            soon = sources + ADDRESS * min(slot + AHEAD, last_slot)
            copy_row(load_int64(sources, slot), private + slot * row_bytes, n_floats, soon)
            slot += 1
        centre = load_int64(records, w * WINDOW_FIELDS + CENTRE)
        n = 0
        for j in range(centre - 1, load_int64(records, w * WINDOW_FIELDS + LOW) - 1, -1):
            store_int64(ws.rows, n, load_int64(tokens, j))
            n += 1
        for j in range(centre + 1, load_int64(records, w * WINDOW_FIELDS + HIGH)):
            store_int64(ws.rows, n, load_int64(tokens, j))
            n += 1
        outputs = tables + ADDRESS * w * memory.output_room
        for k in range(ws.n_outputs, ws.n_padded):
            store_int64(outputs, k, ws.spare)
        soon = tables + ADDRESS * min(w + AHEAD, last) * memory.output_room
        train_window(ws.rows, n, outputs, n_floats, skipgram, mean, soon, ws)
        pairs += n if skipgram else 1
    take_logarithm(ws)
    store_float64(memory.losses, at, load_float64(ws.loss, 0))
    store_int64(memory.pairs, at, pairs)


@part
def _slots_of(rows: Any, head: Any, row_bytes: Any, memory: Any, table: Any) -> Any:
    """Write the addresses of a row's slots, from its first on, to a table; return how many."""
    n = 0
    slot = load_int64(memory.heads, rows + head)
    while slot >= 0:
        store_int64(table, n, memory.private + slot * row_bytes)
        slot = load_int64(memory.following, rows + slot)
        n += 1
    return n


@part
def _merge(r: Any, item: Any, n_floats: Any, memory: Any, copies: Any) -> None:
    """Merge some of the rows that have slots.

    copies : table of 2 P row addresses, for this row's slots and the next one's by turns.
    """
    row_bytes = FLOAT * n_floats
    rows = r * memory.blocks * memory.slot_room
    head = item * HEADS_AN_ITEM
    last = min(head + HEADS_AN_ITEM, load_int64(memory.n_heads, r)) - 1
    here, there = copies, copies + ADDRESS * memory.blocks
    n = _slots_of(rows, head, row_bytes, memory, here)
    while head <= last:
        row = load_int64(memory.sources, rows + load_int64(memory.heads, rows + head))
        n_next = _slots_of(rows, min(head + 1, last), row_bytes, memory, there)
        merge_row(row, here, n, n_floats, there, n_next)
        here, there = there, here
        n = n_next
        head += 1


@jit
def run_rounds(
    ids: Any, offsets: Any, n_sentences: Any, start: Any, stop: Any, first_serial: Any, key: Any,
    keep: Any, noise: Any, n_words: Any, window: Any, W_in: Any, W_out: Any, n_floats: Any,
    skipgram: Any, mean: Any, n_rounds: Any, share: Any, memory: Any, marks: Any, copies: Any,
    ws: Any,
) -> None:  # fmt: skip
    """Take part in a step: ``n_rounds`` rounds over tokens start to stop.

    Every thread of the step calls this with its own ``share`` (its first block), ``marks``,
    ``copies`` and ``ws``; those that come late find less to do, or nothing.
    """
    line = ADDRESS * LINE
    phase = memory.phases
    r = fetch_add(phase, 1)
    while r < n_rounds:
        plan_round(
            ids, offsets, n_sentences, start, stop, key, keep, noise, n_words, window,
            ws.n_outputs, W_in, W_out, n_floats, r, n_rounds, first_serial + r, memory, marks,
        )  # fmt: skip
        fetch_add(phase + line, 1)
        r = fetch_add(phase, 1)
    if not wait_for(phase + line, n_rounds, memory.stop):
        return
    for r in range(n_rounds):
        phase += 2 * line
        for k in range(memory.blocks):
            block = (share + k) % memory.blocks
            claim = memory.claims + line * (r * memory.blocks + block)
            # Looked at before it is claimed: an atomic write takes the line from its owner.
            if load_shared(claim) == 0 and fetch_add(claim, 1) == 0:
                _train_block(r, block, n_floats, skipgram, mean, memory, ws)
                fetch_add(phase + line, 1)
        if not wait_for(phase + line, memory.blocks, memory.stop):
            return
        phase += 2 * line
        n_items = (load_int64(memory.n_heads, r) + HEADS_AN_ITEM - 1) // HEADS_AN_ITEM
        item = fetch_add(phase, 1)
        while item < n_items:
            _merge(r, item, n_floats, memory, copies)
            fetch_add(phase + line, 1)
            item = fetch_add(phase, 1)
        if not wait_for(phase + line, n_items, memory.stop):
            return
