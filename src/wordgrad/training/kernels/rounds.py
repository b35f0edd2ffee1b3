"""Rounds of blocks: the same numbers for any number of threads, compiled by Numba.

A round is planned, trained and merged.

Design
(a) The blocks of a round start from the same parameters and see nothing of one another, so that
    it does not matter which thread trains which block, or when.
(b) Which rows a round touches does not depend on the parameters, so it is planned before they are
    known: its windows are drawn, and :class:`RowUsage` tells which rows several blocks touch.  A
    row that one block alone touches is trained where it lies: no other block sees it before the
    round ends.  Of the others, the shared rows, each block trains a *private copy*.  One thread
    plans a whole round, so that its RowUsage is its own; different threads plan different rounds.
(c) The private copies of a shared row are a linked list in the order of the blocks
    (``first_copies``, ``next_copies``).  At the round's end their changes are added to the row in
    that order.
(d) A phase (the blocks of a round, their merging) ends when its *work* is done, not when every
    thread has arrived: threads take items by an atomic counter, and one that the system has put
    to sleep between two items delays nobody.

A thread takes its own share of the blocks first, so that copies stay in its core's cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from wordgrad.compiling import inline_jit, jit
from wordgrad.training.config import TrainingConfig
from wordgrad.training.kernels.draw import NO_TOKEN, collect, draw_negatives, draw_reach
from wordgrad.training.kernels.intrinsics import (
    I64,
    MOST_COMPARED,
    Emitter,
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
from wordgrad.training.kernels.random import mix
from wordgrad.training.kernels.tiles import prefetch
from wordgrad.training.kernels.window import ADDRESS, FLOAT, take_logarithm, tiles_of, train_window
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


def copy_capacity(layout: Layout, n_words: int, config: TrainingConfig) -> int:
    """Return the most private copies that a block can need: none if it is alone."""
    if layout.blocks == 1:
        return 1
    n = layout.block_tokens
    return min(n_words, n + 2 * config.window) + min(n_words, n * (1 + config.negative))


def private_bytes(layout: Layout, n_words: int, config: TrainingConfig) -> int:
    """Return the memory of a round's private rows."""
    row = FLOAT * row_floats(config.vector_size)
    return layout.blocks * copy_capacity(layout, n_words, config) * row


def plan_bytes(layout: Layout, n_words: int, config: TrainingConfig) -> int:
    """Return the memory of a round's plan: its windows, and its lists of private copies."""
    n = layout.block_tokens
    tokens = token_capacity(layout, config) + n * (4 + output_capacity(config))
    return layout.blocks * ADDRESS * (tokens + 3 * copy_capacity(layout, n_words, config))


def token_capacity(layout: Layout, config: TrainingConfig) -> int:
    """Return the most tokens that a block looks at; see :func:`draw.collect`."""
    return 2 * layout.block_tokens + 2 * config.window + 4


def output_capacity(config: TrainingConfig) -> int:
    """Return the addresses of a window: its output rows, padding, and a row to prefetch."""
    return sum(tiles_of(1 + config.negative)) + 1


class RoundAddresses(NamedTuple):
    """The shared memory as the kernels see it: sizes, and where each table lies (all int64).

    G rounds of P blocks of n tokens; a block has at most L private copies.
    """

    blocks: int  # P
    block_tokens: int  # n
    token_capacity: int  # most tokens that a block looks at, marks between sentences included
    copy_capacity: int  # L
    output_capacity: int  # 1 + K with padding, and a row to prefetch
    tokens: int  # int64 (G, P, token_capacity): row addresses of W_in, 0 between sentences
    windows: int  # int64 (G, P, n, 4): see CENTRE
    n_windows: int  # int64 (G, P)
    outputs: int  # int64 (G, P, n, output_capacity): row addresses
    copy_sources: int  # int64 (G, P, L): address of the shared row that it is a copy of
    next_copies: int  # int64 (G, P, L): linked list: the next copy of the same row, -1 ends it
    n_copies: int  # int64 (G, P): private copies of a block
    first_copies: int  # int64 (G, P * L): of every shared row, the first copy in its list
    n_shared: int  # int64 (G,): shared rows of a round
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
        copies = copy_capacity(layout, n_words, config)
        tokens, outputs = token_capacity(layout, config), output_capacity(config)
        self._kept: list[NDArray[Any]] = []
        self.losses = np.zeros((G, P))
        self.pairs = np.zeros((G, P), np.int64)
        self._claims = np.zeros((G, P, LINE), np.int64)
        self._phases = np.zeros((1 + PHASES_A_ROUND * G, 2, LINE), np.int64)
        self._stop = np.zeros(1, np.int64)
        self.addresses = RoundAddresses(
            blocks=P,
            block_tokens=n,
            token_capacity=tokens,
            copy_capacity=copies,
            output_capacity=outputs,
            tokens=self._integers(G, P, tokens),
            windows=self._integers(G, P, n, 4),
            n_windows=self._integers(G, P),
            # may_repeat reads so many entries, wherever it starts.
            outputs=self._integers(G * P * n * outputs + MOST_COMPARED),
            copy_sources=self._integers(G, P, copies),
            next_copies=self._integers(G, P, copies),
            n_copies=self._integers(G, P),
            first_copies=self._integers(G, P * copies),
            n_shared=self._integers(G),
            private=self._table(aligned_rows(P * copies, row_floats(config.vector_size))),
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
        """Reset the counters of work taken and done, while no thread works.

        The last step of an epoch has fewer rounds: losses of the others must not count again.
        """
        self.losses.fill(0.0)
        self.pairs.fill(0)
        self._claims.fill(0)
        self._phases.fill(0)

    def sums(self) -> tuple[float, int]:
        """Return the loss and pairs of the step that has ended, summed in the blocks' order."""
        total = 0.0
        for loss in self.losses.ravel().tolist():
            total += loss
        return total, int(self.pairs.sum())

    def cancel(self) -> None:
        """End every wait of a thread for another."""
        self._stop[0] = 1


class UsageAddresses(NamedTuple):
    """A thread's :class:`RowUsage` as the kernels see it (addresses)."""

    rows_in: int  # int64 (n_inputs,)
    rows_out: int  # int64 (n_outputs,)
    bits: int  # uint64 (token_capacity,): random bits of a block's tokens
    ids: int  # int32 (token_capacity,)


class RowUsage:
    """Which blocks of the round being planned touch each row of W_in and of W_out; one a thread."""

    def __init__(self, n_inputs: int, n_outputs: int, token_capacity: int) -> None:
        self._kept: list[NDArray[Any]] = [
            np.zeros(n_inputs, np.int64),
            np.zeros(n_outputs, np.int64),
            np.zeros(token_capacity, np.uint64),
            np.zeros(token_capacity, np.int32),
        ]
        self.addresses = UsageAddresses(*(int(one.ctypes.data) for one in self._kept))


# An entry of RowUsage is one int64: the round's number, whether several blocks touch the row, and
# the block that does or, of a row with copies, 1 + the last copy in its list.
ROUND_SHIFT = 27
SEVERAL = 1 << 26
VALUE = SEVERAL - 1

WINDOW_FIELDS = 4
CENTRE, LOW, HIGH, COPIES = range(WINDOW_FIELDS)
"""Of a window: its token, the first that it looks at, the last and 1; the copies in use by then."""


@inline_jit
def _touch(usage: Any, word: Any, serial: Any, block: Any) -> None:
    """Record that a block touches a word's row; blocks come in their order."""
    entry = load_int64(usage, word)
    own = (serial << ROUND_SHIFT) | block
    if entry >> ROUND_SHIFT != serial:
        store_int64(usage, word, own)
    elif entry != own:
        store_int64(usage, word, (serial << ROUND_SHIFT) | SEVERAL)


@inline_jit
def _row_of(
    usage: Any, word: Any, base: Any, row_bytes: Any, r: Any, block: Any, memory: Any
) -> Any:
    """Return the address of the row that a block trains: a word's own, or a private copy of it."""
    entry = load_int64(usage, word)
    place = base + word * row_bytes
    if entry & SEVERAL == 0:
        return place
    last = (entry & VALUE) - 1
    first = block * memory.copy_capacity
    if last < first:
        rows = r * memory.blocks * memory.copy_capacity
        n = load_int64(memory.n_copies, r * memory.blocks + block)
        store_int64(memory.n_copies, r * memory.blocks + block, n + 1)
        copy = first + n
        store_int64(memory.copy_sources, rows + copy, place)
        store_int64(memory.next_copies, rows + copy, -1)
        if last < 0:
            n_shared = load_int64(memory.n_shared, r)
            store_int64(memory.first_copies, rows + n_shared, copy)
            store_int64(memory.n_shared, r, n_shared + 1)
        else:
            store_int64(memory.next_copies, rows + last, copy)
        store_int64(usage, word, (entry & ~VALUE) | (copy + 1))
        last = copy
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
    noise: Any, n_words: Any, reach: Any, n_outputs: Any, r: Any, block: Any, serial: Any,
    memory: Any, usage: Any,
) -> None:  # fmt: skip
    """Draw a block's windows as word ids, and record which rows they touch."""
    at = r * memory.blocks + block
    begin, first, last, end = collect(
        ids, offsets, sentence_of(offsets, n_sentences, start), start, stop, reach.most, key, keep,
        usage.ids, usage.bits,
    )  # fmt: skip
    tokens = memory.tokens + ADDRESS * at * memory.token_capacity
    for i in range(begin, end):
        word = load_int32(usage.ids, i)
        store_int64(tokens, i - begin, word)
        if word != NO_TOKEN:
            _touch(usage.rows_in, word, serial, block)
    records = memory.windows + ADDRESS * at * memory.block_tokens * WINDOW_FIELDS
    outputs = memory.outputs + ADDRESS * at * memory.block_tokens * memory.output_capacity
    sentence_begin, sentence_end = begin, begin
    n = 0
    for i in range(first, last):
        centre = load_int32(usage.ids, i)
        if centre == NO_TOKEN:
            sentence_begin = i + 1
            continue
        if sentence_end <= i:
            # The tokens before the span that may be looked at are of its first sentence.
            sentence_end = i + 1
            while sentence_end < end and load_int32(usage.ids, sentence_end) != NO_TOKEN:
                sentence_end += 1
        bits = load_uint64(usage.bits, i)
        n_words_a_side = draw_reach(bits, reach)
        low = max(i - n_words_a_side, sentence_begin)
        high = min(i + n_words_a_side + 1, sentence_end)
        if high - low < 2:
            continue
        store_int64(records, n * WINDOW_FIELDS + CENTRE, i - begin)
        store_int64(records, n * WINDOW_FIELDS + LOW, low - begin)
        store_int64(records, n * WINDOW_FIELDS + HIGH, high - begin)
        table = outputs + ADDRESS * n * memory.output_capacity
        store_int64(table, 0, centre)
        draw_negatives(mix(bits), centre, n_words, noise, n_outputs - 1, 0, 1, table + ADDRESS)
        for k in range(n_outputs):
            _touch(usage.rows_out, load_int64(table, k), serial, block)
        n += 1
    store_int64(memory.n_windows, at, n)


@jit
def _place_block(
    W_in: Any, W_out: Any, n_floats: Any, n_outputs: Any, r: Any, block: Any, memory: Any,
    usage: Any,
) -> None:  # fmt: skip
    """Turn a block's word ids into row addresses; shared rows get private copies."""
    at = r * memory.blocks + block
    row_bytes = FLOAT * n_floats
    store_int64(memory.n_copies, at, 0)
    tokens = memory.tokens + ADDRESS * at * memory.token_capacity
    records = memory.windows + ADDRESS * at * memory.block_tokens * WINDOW_FIELDS
    outputs = memory.outputs + ADDRESS * at * memory.block_tokens * memory.output_capacity
    i = 0
    for n in range(load_int64(memory.n_windows, at)):
        while i < load_int64(records, n * WINDOW_FIELDS + HIGH):
            word = load_int64(tokens, i)
            if word != NO_TOKEN:
                row = _row_of(usage.rows_in, word, W_in, row_bytes, r, block, memory)
                store_int64(tokens, i, row)
            i += 1
        table = outputs + ADDRESS * n * memory.output_capacity
        for k in range(n_outputs):
            word = load_int64(table, k)
            row = _row_of(usage.rows_out, word, W_out, row_bytes, r, block, memory)
            store_int64(table, k, row)
        for k in range(n_outputs, memory.output_capacity - 1):
            # Padding: until the thread that trains writes its own here, what may be prefetched.
            store_int64(table, k, load_int64(table, 0))
        newest = load_int64(records, n * WINDOW_FIELDS + HIGH) - 1
        store_int64(table, memory.output_capacity - 1, load_int64(tokens, newest))
        n_copies = load_int64(memory.n_copies, at)
        store_int64(records, n * WINDOW_FIELDS + COPIES, n_copies)


@jit
def plan_round(
    ids: Any, offsets: Any, n_sentences: Any, start: Any, stop: Any, key: Any, keep: Any,
    noise: Any, n_words: Any, reach: Any, n_outputs: Any, W_in: Any, W_out: Any, n_floats: Any,
    r: Any, n_rounds: Any, serial: Any, memory: Any, usage: Any,
) -> None:  # fmt: skip
    """Plan round ``r`` of a step of ``n_rounds``, tokens start to stop.

    Its blocks lie far apart, block b in the b-th part of the step's tokens: neighbours would share
    the words at their common edge, and those of their topic.  Blocks beyond the end are empty.

    serial : the round's number in the epoch, from 1; no two plans of a thread share one.
    """
    part_tokens = n_rounds * memory.block_tokens
    store_int64(memory.n_shared, r, 0)
    for block in range(memory.blocks):
        low = start + block * part_tokens + r * memory.block_tokens
        high = min(low + memory.block_tokens, stop)
        at = r * memory.blocks + block
        if low < high:
            _draw_block(
                ids, offsets, n_sentences, low, high, key, keep, noise, n_words, reach,
                n_outputs, r, block, serial, memory, usage,
            )  # fmt: skip
        else:
            store_int64(memory.n_windows, at, 0)
            store_int64(memory.n_copies, at, 0)
    for block in range(memory.blocks):
        _place_block(W_in, W_out, n_floats, n_outputs, r, block, memory, usage)


ROWS_AN_ITEM = 32
"""Shared rows that a thread merges at a time."""

AHEAD = 2
"""Windows between the one that is trained and the one whose rows are prefetched."""


@intrinsic
def copy_row(typingctx: Any, source: Any, target: Any, n_floats: Any, prefetch_rows: Any) -> Any:
    """Copy a row of ``n_floats``; prefetch the one row of the table ``prefetch_rows`` meanwhile."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source_, target_, n_floats_, prefetch_rows_ = arguments
        e = Emitter(builder)

        def chunk(i: Any, _: list[Any]) -> list[Any]:
            prefetch(e, prefetch_rows_, 1, i)
            e.store_row(e.load_row(source_, i), target_, i)
            return []

        e.loop("chunks", ir.Constant(I64, 0), n_floats_, e.lanes, [], chunk)
        return context.get_dummy_value()

    return types.void(*([types.int64] * 4)), codegen


@intrinsic
def merge_row(
    typingctx: Any,
    row: Any,
    copies: Any,
    n_copies: Any,
    n_floats: Any,
    prefetch_rows: Any,
    n_prefetch: Any,
) -> Any:
    """Add to a row the changes of its copies, in their order: ``row += sum of (copy - row)``.

    copies : table of ``n_copies`` (at least 1) row addresses.
    prefetch_rows : table of ``n_prefetch`` (at least 1) row addresses, prefetched meanwhile.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row_, copies_, n_copies_, n_floats_, prefetch_rows_, n_prefetch_ = arguments
        e = Emitter(builder)

        def chunk(i: Any, _: list[Any]) -> list[Any]:
            before = e.load_row(row_, i)

            def copy(k: Any, total: list[Any]) -> list[Any]:
                change = builder.fsub(e.load_row(e.address(copies_, k), i), before)
                return [builder.fadd(total[0], change)]

            prefetch(e, prefetch_rows_, n_prefetch_, i)
            (total,) = e.loop("copies", ir.Constant(I64, 0), n_copies_, 1, [before], copy)
            e.store_row(total, row_, i)
            return []

        e.loop("chunks", ir.Constant(I64, 0), n_floats_, e.lanes, [], chunk)
        return context.get_dummy_value()

    return types.void(*([types.int64] * 6)), codegen


@inline_jit
def _train_block(r: Any, block: Any, n_floats: Any, skipgram: Any, memory: Any, ws: Any) -> None:
    """Take the steps of a block's windows; write its loss and pairs."""
    at = r * memory.blocks + block
    row_bytes = FLOAT * n_floats
    sources = memory.copy_sources + ADDRESS * at * memory.copy_capacity
    private = memory.private + block * memory.copy_capacity * row_bytes
    last_copy = load_int64(memory.n_copies, at) - 1
    tokens = memory.tokens + ADDRESS * at * memory.token_capacity
    records = memory.windows + ADDRESS * at * memory.block_tokens * WINDOW_FIELDS
    tables = memory.outputs + ADDRESS * at * memory.block_tokens * memory.output_capacity
    last = load_int64(memory.n_windows, at) - 1
    store_float64(ws.loss, 0, 0.0)
    pairs, copy = 0, 0
    for w in range(last + 1):
        # Filled when first needed, a copy is still in the nearest cache when it is.
        while copy < load_int64(records, w * WINDOW_FIELDS + COPIES):
            prefetch_rows = sources + ADDRESS * min(copy + AHEAD, last_copy)
            copy_row(load_int64(sources, copy), private + copy * row_bytes, n_floats, prefetch_rows)
            copy += 1
        centre = load_int64(records, w * WINDOW_FIELDS + CENTRE)
        n = 0
        for j in range(centre - 1, load_int64(records, w * WINDOW_FIELDS + LOW) - 1, -1):
            store_int64(ws.rows, n, load_int64(tokens, j))
            n += 1
        for j in range(centre + 1, load_int64(records, w * WINDOW_FIELDS + HIGH)):
            store_int64(ws.rows, n, load_int64(tokens, j))
            n += 1
        outputs = tables + ADDRESS * w * memory.output_capacity
        for k in range(ws.n_outputs, ws.n_padded):
            store_int64(outputs, k, ws.spare)
        prefetch_rows = tables + ADDRESS * min(w + AHEAD, last) * memory.output_capacity
        train_window(ws.rows, n, outputs, n_floats, skipgram, prefetch_rows, ws)
        pairs += n if skipgram else 1
    take_logarithm(ws)
    store_float64(memory.losses, at, load_float64(ws.loss, 0))
    store_int64(memory.pairs, at, pairs)


@inline_jit
def _copies_of(rows: Any, shared: Any, row_bytes: Any, memory: Any, table: Any) -> Any:
    """Write the addresses of a shared row's copies, in their order, to a table; return how many."""
    n = 0
    copy = load_int64(memory.first_copies, rows + shared)
    while copy >= 0:
        store_int64(table, n, memory.private + copy * row_bytes)
        copy = load_int64(memory.next_copies, rows + copy)
        n += 1
    return n


@inline_jit
def _merge(r: Any, item: Any, n_floats: Any, memory: Any, lists: Any) -> None:
    """Add the changes of private copies to some of the shared rows.

    lists : table of 2 P row addresses, for this row's copies and the next one's by turns.
    """
    row_bytes = FLOAT * n_floats
    rows = r * memory.blocks * memory.copy_capacity
    shared = item * ROWS_AN_ITEM
    last = min(shared + ROWS_AN_ITEM, load_int64(memory.n_shared, r)) - 1
    here, there = lists, lists + ADDRESS * memory.blocks
    n = _copies_of(rows, shared, row_bytes, memory, here)
    while shared <= last:
        row = load_int64(memory.copy_sources, rows + load_int64(memory.first_copies, rows + shared))
        n_next = _copies_of(rows, min(shared + 1, last), row_bytes, memory, there)
        merge_row(row, here, n, n_floats, there, n_next)
        here, there = there, here
        n = n_next
        shared += 1


@jit
def run_rounds(
    ids: Any, offsets: Any, n_sentences: Any, start: Any, stop: Any, first_serial: Any, key: Any,
    keep: Any, noise: Any, n_words: Any, reach: Any, W_in: Any, W_out: Any, n_floats: Any,
    skipgram: Any, n_rounds: Any, share: Any, memory: Any, usage: Any, lists: Any, ws: Any,
) -> None:  # fmt: skip
    """Work on a step, with other threads: ``n_rounds`` rounds over tokens start to stop.

    Every thread of the step calls this with its own ``share`` (its first block), ``usage``,
    ``lists`` and ``ws``; those that come late find less to do, or nothing.
    """
    line = ADDRESS * LINE
    phase = memory.phases
    r = fetch_add(phase, 1)
    while r < n_rounds:
        plan_round(
            ids, offsets, n_sentences, start, stop, key, keep, noise, n_words, reach,
            ws.n_outputs, W_in, W_out, n_floats, r, n_rounds, first_serial + r, memory, usage,
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
                _train_block(r, block, n_floats, skipgram, memory, ws)
                fetch_add(phase + line, 1)
        if not wait_for(phase + line, memory.blocks, memory.stop):
            return
        phase += 2 * line
        n_items = (load_int64(memory.n_shared, r) + ROWS_AN_ITEM - 1) // ROWS_AN_ITEM
        item = fetch_add(phase, 1)
        while item < n_items:
            _merge(r, item, n_floats, memory, lists)
            fetch_add(phase + line, 1)
            item = fetch_add(phase, 1)
        if not wait_for(phase + line, n_items, memory.stop):
            return
