"""The memory that the threads of a round share: windows drawn, private rows, counters.

Before a round is trained: its windows drawn, and the rows that several of its blocks touch.

Design
    Which rows a round touches does not depend on the parameters, so it can be known before they
    are.  A row that one block alone touches is trained where it lies: no other block sees it
    before the round ends.  Only the others need a private copy a block, a *slot*.
    One thread plans a whole round, so that its notes on the rows are its own, and different
    threads plan different rounds.

Rounds of blocks: the same numbers for any number of threads, compiled by Numba.

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

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from wordgrad.training.config import TrainingConfig
from wordgrad.training.kernels import inline_jit, jit
from wordgrad.training.kernels.draw import NO_TOKEN, collect, draw_negatives
from wordgrad.training.kernels.memory import (
    fetch_add,
    load_float64,
    load_int32,
    load_int64,
    load_shared,
    load_uint64,
    store_float64,
    store_int64,
    wait_for,
)
from wordgrad.training.kernels.random import below, mix
from wordgrad.training.kernels.simd import I64, Emitter
from wordgrad.training.kernels.tiles import ask_for
from wordgrad.training.kernels.window import ADDRESS, FLOAT, take_logarithm, train_window
from wordgrad.training.kernels.workspace import tiles_of
from wordgrad.training.parameters import aligned_rows, row_floats

LINE = 8
"""int64 numbers in a cache line: a counter has one of its own."""

PHASES_A_ROUND = 2
"""Its blocks are trained, then merged."""


@dataclass(frozen=True)
class Layout:
    """How an epoch is cut: a round has ``blocks`` blocks of ``block_tokens`` tokens.

    What is learnt depends on these three numbers, and on nothing that a clock measures.

    Attributes
    ----------
    blocks : int
        P, blocks of a round, each trained from the parameters at the round's start.
    block_tokens : int
        Tokens of a block.
    rounds : int
        Rounds of a step: the learning rate is the same in all of them.
    """

    blocks: int
    block_tokens: int
    rounds: int

    @property
    def round_tokens(self) -> int:
        """Tokens of a round."""
        return self.blocks * self.block_tokens

    @property
    def step_tokens(self) -> int:
        """Tokens of a step."""
        return self.rounds * self.round_tokens


def slot_room(layout: Layout, n_words: int, config: TrainingConfig) -> int:
    """Return the most rows of which a block can need copies: none if it is alone."""
    if layout.blocks == 1:
        return 1
    n = layout.block_tokens
    return min(n_words, n + 2 * config.window) + min(n_words, n * (1 + config.negative))


def private_bytes(layout: Layout, n_words: int, config: TrainingConfig) -> int:
    """Return the memory of a round's private rows."""
    row = FLOAT * row_floats(config.vector_size)
    return layout.blocks * slot_room(layout, n_words, config) * row


def plan_bytes(layout: Layout, n_words: int, config: TrainingConfig) -> int:
    """Return the memory that a round's windows and slots are written down in."""
    n = layout.block_tokens
    tokens = token_room(layout, config) + n * (4 + output_room(config))
    return layout.blocks * ADDRESS * (tokens + 3 * slot_room(layout, n_words, config))


def token_room(layout: Layout, config: TrainingConfig) -> int:
    """Return the most tokens that a block looks at; see :func:`pairs.collect`."""
    return 2 * layout.block_tokens + 2 * config.window + 4


def output_room(config: TrainingConfig) -> int:
    """Return the addresses of a window: its output rows, padding, and a row to ask for."""
    return sum(tiles_of(1 + config.negative)) + 1


class RoundAddresses(NamedTuple):
    """The shared memory as the kernels see it: sizes, and where each table lies (all int64).

    G rounds of P blocks of n tokens; a block has at most L slots, rows of its own.
    """

    blocks: int  # P
    block_tokens: int  # n
    token_room: int  # most tokens that a block looks at, marks between sentences included
    slot_room: int  # L
    output_room: int  # 1 + K with padding, and a row to ask for
    tokens: int  # int64 (G, P, token_room): row addresses of W_in, 0 between sentences
    windows: int  # int64 (G, P, n, 4): see round_plan.CENTRE
    n_windows: int  # int64 (G, P)
    outputs: int  # int64 (G, P, n, output_room): row addresses
    sources: int  # int64 (G, P, L): the row that a slot is a copy of
    following: int  # int64 (G, P, L): the next block's slot of the same row, -1 if none
    n_slots: int  # int64 (G, P)
    heads: int  # int64 (G, P * L): the first slot of every row that has slots
    n_heads: int  # int64 (G,)
    private: int  # rows (P, L)
    losses: int  # float64 (G, P)
    pairs: int  # int64 (G, P)
    claims: int  # int64 (G, P, LINE)
    phases: int  # int64 (1 + 2 G, 2, LINE): items taken, items done
    stop: int  # int64 (1,): not 0 once a thread has failed


class RoundMemory:
    """What the threads of a round share, for V = ``n_words``."""

    def __init__(self, layout: Layout, n_words: int, config: TrainingConfig) -> None:
        G, P, n = layout.rounds, layout.blocks, layout.block_tokens
        slots = slot_room(layout, n_words, config)
        tokens, outputs = token_room(layout, config), output_room(config)
        self._kept: list[NDArray[Any]] = []
        self.losses = np.zeros((G, P))
        self.pairs = np.zeros((G, P), np.int64)
        self._claims = np.zeros((G, P, LINE), np.int64)
        self._phases = np.zeros((1 + PHASES_A_ROUND * G, 2, LINE), np.int64)
        self._stop = np.zeros(1, np.int64)
        self.addresses = RoundAddresses(
            blocks=P,
            block_tokens=n,
            token_room=tokens,
            slot_room=slots,
            output_room=outputs,
            tokens=self._integers(G, P, tokens),
            windows=self._integers(G, P, n, 4),
            n_windows=self._integers(G, P),
            outputs=self._integers(G, P, n, outputs),
            sources=self._integers(G, P, slots),
            following=self._integers(G, P, slots),
            n_slots=self._integers(G, P),
            heads=self._integers(G, P * slots),
            n_heads=self._integers(G),
            private=self._table(aligned_rows(P * slots, row_floats(config.vector_size))),
            losses=self._table(self.losses),
            pairs=self._table(self.pairs),
            claims=self._table(self._claims),
            phases=self._table(self._phases),
            stop=self._table(self._stop),
        )

    def _integers(self, *shape: int) -> int:
        return self._table(np.zeros(shape, np.int64))

    def _table(self, array: NDArray[Any]) -> int:
        self._kept.append(array)
        return int(array.ctypes.data)

    def begin(self) -> None:
        """Forget which work was taken and done, while no thread is at work.

        The last step of an epoch has fewer rounds: what the others said must not count again.
        """
        self.losses.fill(0.0)
        self.pairs.fill(0)
        self._claims.fill(0)
        self._phases.fill(0)

    def abandon(self) -> None:
        """Let every thread that waits for another go."""
        self._stop[0] = 1


class Marks(NamedTuple):
    """A thread's notes, by word, on which blocks of a round touch its two rows (addresses)."""

    rows_in: int  # int64 (V,)
    rows_out: int  # int64 (V,)
    bits: int  # uint64 (token_room,): random bits of a block's tokens
    ids: int  # int32 (token_room,)


class Notebook:
    """The memory of a thread's :class:`Marks`."""

    def __init__(self, n_words: int, token_room: int) -> None:
        self._kept: list[NDArray[Any]] = [
            np.zeros(n_words, np.int64),
            np.zeros(n_words, np.int64),
            np.zeros(token_room, np.uint64),
            np.zeros(token_room, np.int32),
        ]
        self.addresses = Marks(*(int(one.ctypes.data) for one in self._kept))


# A mark is one int64: the round's number, whether several blocks touch the row, and the block
# that does or, with slots, the last slot given out and 1.
ROUND_SHIFT = 27
SEVERAL = 1 << 26
VALUE = SEVERAL - 1

WINDOW_FIELDS = 4
CENTRE, LOW, HIGH, SLOTS = range(WINDOW_FIELDS)
"""Of a window: its token, the first that it looks at, the last and 1; the slots in use by then."""


@inline_jit
def _touch(marks: Any, word: Any, serial: Any, block: Any) -> None:
    """Note that a block touches a word's row; blocks come in their order."""
    mark = load_int64(marks, word)
    own = (serial << ROUND_SHIFT) | block
    if mark >> ROUND_SHIFT != serial:
        store_int64(marks, word, own)
    elif mark != own:
        store_int64(marks, word, (serial << ROUND_SHIFT) | SEVERAL)


@inline_jit
def _row_of(
    marks: Any, word: Any, base: Any, row_bytes: Any, r: Any, block: Any, memory: Any
) -> Any:
    """Return where a block finds a word's row: in its place, or in a slot, given out if need be."""
    mark = load_int64(marks, word)
    place = base + word * row_bytes
    if mark & SEVERAL == 0:
        return place
    last = (mark & VALUE) - 1
    first = block * memory.slot_room
    if last < first:
        rows = r * memory.blocks * memory.slot_room
        n = load_int64(memory.n_slots, r * memory.blocks + block)
        store_int64(memory.n_slots, r * memory.blocks + block, n + 1)
        slot = first + n
        store_int64(memory.sources, rows + slot, place)
        store_int64(memory.following, rows + slot, -1)
        if last < 0:
            n_heads = load_int64(memory.n_heads, r)
            store_int64(memory.heads, rows + n_heads, slot)
            store_int64(memory.n_heads, r, n_heads + 1)
        else:
            store_int64(memory.following, rows + last, slot)
        store_int64(marks, word, (mark & ~VALUE) | (slot + 1))
        last = slot
    return memory.private + last * row_bytes


@jit
def sentence_of(offsets: Any, n_sentences: Any, position: Any) -> Any:
    """Return the last sentence that begins at or before a position: bisection."""
    low, high = 0, n_sentences
    while high - low > 1:
        middle = (low + high) // 2
        if load_int64(offsets, middle) <= position:
            low = middle
        else:
            high = middle
    return low


@jit
def _draw_block(
    ids: Any, offsets: Any, n_sentences: Any, start: Any, stop: Any, key: Any, keep: Any,
    noise: Any, n_words: Any, window: Any, n_outputs: Any, r: Any, block: Any, serial: Any,
    memory: Any, marks: Any,
) -> None:  # fmt: skip
    """Draw a block's windows as word ids, and note which rows they touch."""
    at = r * memory.blocks + block
    begin, first, last, end = collect(
        ids, offsets, sentence_of(offsets, n_sentences, start), start, stop, window, key, keep,
        marks.ids, marks.bits,
    )  # fmt: skip
    tokens = memory.tokens + ADDRESS * at * memory.token_room
    for i in range(begin, end):
        word = load_int32(marks.ids, i)
        store_int64(tokens, i - begin, word)
        if word != NO_TOKEN:
            _touch(marks.rows_in, word, serial, block)
    records = memory.windows + ADDRESS * at * memory.block_tokens * WINDOW_FIELDS
    outputs = memory.outputs + ADDRESS * at * memory.block_tokens * memory.output_room
    sentence_begin, sentence_end = begin, begin
    n = 0
    for i in range(first, last):
        centre = load_int32(marks.ids, i)
        if centre == NO_TOKEN:
            sentence_begin = i + 1
            continue
        if sentence_end <= i:
            # The tokens before the span that may be looked at are of its first sentence.
            sentence_end = i + 1
            while sentence_end < end and load_int32(marks.ids, sentence_end) != NO_TOKEN:
                sentence_end += 1
        bits = load_uint64(marks.bits, i)
        reach = 1 + below(bits, window)
        low = max(i - reach, sentence_begin)
        high = min(i + reach + 1, sentence_end)
        if high - low < 2:
            continue
        store_int64(records, n * WINDOW_FIELDS + CENTRE, i - begin)
        store_int64(records, n * WINDOW_FIELDS + LOW, low - begin)
        store_int64(records, n * WINDOW_FIELDS + HIGH, high - begin)
        table = outputs + ADDRESS * n * memory.output_room
        store_int64(table, 0, centre)
        draw_negatives(mix(bits), centre, n_words, noise, n_outputs - 1, 0, 1, table + ADDRESS)
        for k in range(n_outputs):
            _touch(marks.rows_out, load_int64(table, k), serial, block)
        n += 1
    store_int64(memory.n_windows, at, n)


@jit
def _place_block(
    W_in: Any, W_out: Any, n_floats: Any, n_outputs: Any, r: Any, block: Any, memory: Any,
    marks: Any,
) -> None:  # fmt: skip
    """Turn a block's word ids into row addresses, giving out slots."""
    at = r * memory.blocks + block
    row_bytes = FLOAT * n_floats
    store_int64(memory.n_slots, at, 0)
    tokens = memory.tokens + ADDRESS * at * memory.token_room
    records = memory.windows + ADDRESS * at * memory.block_tokens * WINDOW_FIELDS
    outputs = memory.outputs + ADDRESS * at * memory.block_tokens * memory.output_room
    i = 0
    for n in range(load_int64(memory.n_windows, at)):
        while i < load_int64(records, n * WINDOW_FIELDS + HIGH):
            word = load_int64(tokens, i)
            if word != NO_TOKEN:
                row = _row_of(marks.rows_in, word, W_in, row_bytes, r, block, memory)
                store_int64(tokens, i, row)
            i += 1
        table = outputs + ADDRESS * n * memory.output_room
        for k in range(n_outputs):
            word = load_int64(table, k)
            row = _row_of(marks.rows_out, word, W_out, row_bytes, r, block, memory)
            store_int64(table, k, row)
        for k in range(n_outputs, memory.output_room - 1):
            # Padding: until the thread that trains writes its own here, what may be asked for.
            store_int64(table, k, load_int64(table, 0))
        newest = load_int64(records, n * WINDOW_FIELDS + HIGH) - 1
        store_int64(table, memory.output_room - 1, load_int64(tokens, newest))
        n_slots = load_int64(memory.n_slots, at)
        store_int64(records, n * WINDOW_FIELDS + SLOTS, n_slots)


@jit
def plan_round(
    ids: Any, offsets: Any, n_sentences: Any, start: Any, stop: Any, key: Any, keep: Any,
    noise: Any, n_words: Any, window: Any, n_outputs: Any, W_in: Any, W_out: Any, n_floats: Any,
    r: Any, n_rounds: Any, serial: Any, memory: Any, marks: Any,
) -> None:  # fmt: skip
    """Plan round ``r`` of a step of ``n_rounds``, tokens start to stop.

    Its blocks lie far apart, block b in the b-th part of the step's tokens: neighbours would share
    the words at their common edge, and those of their topic.  Blocks beyond the end are empty.

    serial : the round's number in the epoch, from 1; no two plans of a thread share one.
    """
    part_tokens = n_rounds * memory.block_tokens
    store_int64(memory.n_heads, r, 0)
    for block in range(memory.blocks):
        low = start + block * part_tokens + r * memory.block_tokens
        high = min(low + memory.block_tokens, stop)
        at = r * memory.blocks + block
        if low < high:
            _draw_block(
                ids, offsets, n_sentences, low, high, key, keep, noise, n_words, window,
                n_outputs, r, block, serial, memory, marks,
            )  # fmt: skip
        else:
            store_int64(memory.n_windows, at, 0)
            store_int64(memory.n_slots, at, 0)
    for block in range(memory.blocks):
        _place_block(W_in, W_out, n_floats, n_outputs, r, block, memory, marks)


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


@inline_jit
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


@inline_jit
def _slots_of(rows: Any, head: Any, row_bytes: Any, memory: Any, table: Any) -> Any:
    """Write the addresses of a row's slots, from its first on, to a table; return how many."""
    n = 0
    slot = load_int64(memory.heads, rows + head)
    while slot >= 0:
        store_int64(table, n, memory.private + slot * row_bytes)
        slot = load_int64(memory.following, rows + slot)
        n += 1
    return n


@inline_jit
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
