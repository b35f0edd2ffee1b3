"""Before a round is trained: its windows drawn, and the rows that several of its blocks touch.

Design
    Which rows a round touches does not depend on the parameters, so it can be known before they
    are.  A row that one block alone touches is trained where it lies: no other block sees it
    before the round ends.  Only the others need a private copy a block, a *slot*.
    One thread plans a whole round, so that its notes on the rows are its own, and different
    threads plan different rounds.
"""

from __future__ import annotations

from typing import Any

from wordgrad.training.engines.memory import (
    load_int32,
    load_int64,
    load_uint64,
    store_int64,
)
from wordgrad.training.engines.pairs import (
    NO_TOKEN,
    below,
    collect,
    draw_negatives,
    jit,
    mix,
    part,
)
from wordgrad.training.engines.window_step import ADDRESS, FLOAT

# A mark is one int64: the round's number, whether several blocks touch the row, and the block
# that does or, with slots, the last slot given out and 1.
ROUND_SHIFT = 27
SEVERAL = 1 << 26
VALUE = SEVERAL - 1

WINDOW_FIELDS = 4
CENTRE, LOW, HIGH, SLOTS = range(WINDOW_FIELDS)
"""Of a window: its token, the first that it looks at, the last and 1; the slots in use by then."""


@part
def _touch(marks: Any, word: Any, serial: Any, block: Any) -> None:
    """Note that a block touches a word's row; blocks come in their order."""
    mark = load_int64(marks, word)
    own = (serial << ROUND_SHIFT) | block
    if mark >> ROUND_SHIFT != serial:
        store_int64(marks, word, own)
    elif mark != own:
        store_int64(marks, word, (serial << ROUND_SHIFT) | SEVERAL)


@part
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
