"""Labels of texts by a fastText model, compiled by Numba: from bytes to the k best labels.

Design
------
(a) One pass over the bytes of a text splits, hashes and looks up each token; no strings are made.
    Addresses of rows are listed, each prefetched as it is listed, and summed when the list is full.
(b) Sums are taken in fastText's order, each product and each sum rounded by itself: a row after
    another, element by element, for the hidden vector; a column after another, many labels side by
    side, for the scores.  So the numbers are those of fastText's build for x86-64, to the bit.
    Summing the n-grams of known words beforehand would save 15% at most, and change the last bit:
    scores of some thousands made 1e-5 of it, and a table of the sigmoid has steps.
(c) Tables are addresses in one record: a call from Python converts few arguments, which is what
    one text at a time costs.
(d) The k best labels are kept in libstdc++'s heap (``push_heap``, ``pop_heap``), whose order of
    equal scores is fastText's.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from wordgrad.compiling import inline_jit, jit
from wordgrad.training.kernels.intrinsics import (
    F32,
    I32,
    I64,
    LANES,
    Emitter,
    load_int32,
    load_int64,
    store_int32,
)

ROWS = 2048
"""Rows that are listed before they are summed."""

WIDE = 4
"""Vectors of scores that are accumulated side by side, where there are labels enough."""

MAX_IN_REGISTERS = 8
"""Vectors of a row that are summed at once."""

SIGMOID_STEPS = 512
"""Of fastText's table of the sigmoid between -8 and 8."""

MODEL = np.dtype(
    [
        (name, np.int64)
        for name in (
            "slots",  # int32 (mask + 1, 2): entry or -1, hash
            "mask",
            "text",  # uint8: the entries' bytes
            "offsets",  # int64 (entries + 1,)
            "n_words",
            "end_of_sentence",  # row of </s>, or -1
            "size",  # D
            "vectors",  # of a row of the hidden vector: ceil(D / LANES)
            "table",  # float32 rows of the input
            "stride",  # bytes from row to row
            "ngrams",  # whether there are rows of n-grams
            "bucket",
            "minn",
            "maxn",
            "word_ngrams",
            "kept",  # int32 (1 << kept_bits, 2): hash or -1, row; 0 if no n-gram was pruned
            "kept_bits",
            "n_labels",
            "loss",
            "output",  # float32: blocks (D, width) of labels, or for the tree rows of D
            "width",  # vectors in a block: 1 or WIDE
            "blocks",
            "norms",  # float32 (labels,): what scores are multiplied by; or 0
            "left",  # int32 (2 * labels - 1,): children in the tree
            "right",
            "sigmoid",  # float32 (SIGMOID_STEPS + 1,)
        )
    ],
    align=True,
)
"""A model as the kernels see it: numbers, and addresses of tables."""

HIERARCHICAL_SOFTMAX, SOFTMAX = 1, 3
NOT_FINITE = -1
"""In place of a number of labels: a score of the text is not finite."""

NONE = -2
"""In place of the one label of a text: it has none."""

_START, _PRIME = np.uint32(2166136261), np.uint32(16777619)
_WORD_PRIME = np.uint64(116049371)
_BEGIN, _END = np.int64(ord("<")), np.int64(ord(">"))
_LABEL = np.frombuffer(b"__label__", np.uint8)
_END_OF_SENTENCE = np.frombuffer(b"</s>", np.uint8)
_ZERO, _ONE = np.float32(0), np.float32(1)


# ------------------------------------------------------------------ memory and vectors


@intrinsic
def address_of(typingctx: Any, data: Any) -> Any:
    """Return the address of the first byte of a ``bytes`` object."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(array.data, I64)

    return types.int64(data), codegen


@intrinsic
def byte_at(typingctx: Any, address: Any, index: Any) -> Any:
    """Return byte ``index`` of the table at ``address``."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.add(*arguments)
        value = builder.load(builder.inttoptr(place, ir.PointerType(ir.IntType(8))), align=1)
        return builder.zext(value, I64)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def float_at(typingctx: Any, address: Any, index: Any) -> Any:
    """Return float ``index`` of the table at ``address``, as float32."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e = Emitter(builder)
        return builder.load(e.pointer(e.offset(arguments[0], arguments[1], 4), F32), align=1)

    return types.float32(types.int64, types.int64), codegen


@intrinsic
def prefetch(typingctx: Any, address: Any) -> Any:
    """Ask for the cache line at ``address``, to be read soon; a hint that never faults."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.PointerType(ir.IntType(8))
        name = "llvm.prefetch.p0"
        hint = builder.module.globals.get(name)
        if hint is None:
            kind = ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32])
            hint = ir.Function(builder.module, kind, name)
        read, near, data = (ir.Constant(I32, k) for k in (0, 3, 1))
        builder.call(hint, [builder.inttoptr(arguments[0], byte), read, near, data])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
def add_rows(typingctx: Any, addresses: Any, n: Any, vectors: Any, target: Any) -> Any:
    """Add ``n`` >= 1 rows, whose addresses are in a table, to the row at ``target``, in order."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        addresses_, n_, vectors_, target_ = arguments
        e = Emitter(builder)
        zero, one = ir.Constant(I64, 0), ir.Constant(I64, 4 * e.lanes)

        def block(first: Any, width: int) -> None:
            place = builder.mul(first, one)
            steps = [builder.add(place, ir.Constant(I64, 4 * e.lanes * v)) for v in range(width)]
            targets = [builder.add(target_, step) for step in steps]

            def row(k: Any, totals: list[Any]) -> list[Any]:
                base = e.address(addresses_, k)
                return [
                    builder.fadd(total, e.load(builder.add(base, step), align=1))
                    for total, step in zip(totals, steps, strict=True)
                ]

            totals = e.loop("rows", zero, n_, 1, [e.load(t) for t in targets], row)
            for total, address in zip(totals, targets, strict=True):
                e.store(total, address)

        full = builder.sdiv(vectors_, ir.Constant(I64, MAX_IN_REGISTERS))
        done = builder.mul(full, ir.Constant(I64, MAX_IN_REGISTERS))

        def whole(first: Any, _: list[Any]) -> list[Any]:
            block(first, MAX_IN_REGISTERS)
            return []

        with builder.if_then(builder.icmp_signed(">", full, zero)):
            e.loop("blocks", zero, done, MAX_IN_REGISTERS, [], whole)
        rest = builder.sub(vectors_, done)
        for width in range(1, MAX_IN_REGISTERS):
            with builder.if_then(builder.icmp_signed("==", rest, ir.Constant(I64, width))):
                block(done, width)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), codegen


@intrinsic
def multiply(
    typingctx: Any, output: Any, blocks: Any, width: Any, size: Any, hidden: Any, scores: Any
) -> Any:
    """Set scores = output hidden: blocks of 1 or WIDE vectors of labels, column after column."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        output_, blocks_, width_, size_, hidden_, scores_ = arguments
        e = Emitter(builder)
        zero = ir.Constant(I64, 0)

        def all_blocks(vectors: int) -> None:
            column_bytes = ir.Constant(I64, 4 * e.lanes * vectors)
            block_bytes = builder.mul(size_, column_bytes)

            def block(b: Any, _: list[Any]) -> list[Any]:
                base = builder.add(output_, builder.mul(b, block_bytes))

                def column(d: Any, totals: list[Any]) -> list[Any]:
                    x = e.broadcast(e.offset(hidden_, d, 4))
                    place = builder.add(base, builder.mul(d, column_bytes))
                    found = []
                    for v, total in enumerate(totals):
                        w = e.load(builder.add(place, ir.Constant(I64, 4 * e.lanes * v)))
                        found.append(builder.fadd(total, builder.fmul(w, x)))
                    return found

                start = [e.constant(0.0)] * vectors
                totals = e.loop("columns", zero, size_, 1, start, column)
                place = builder.add(scores_, builder.mul(b, column_bytes))
                for v, total in enumerate(totals):
                    e.store(total, builder.add(place, ir.Constant(I64, 4 * e.lanes * v)))
                return []

            e.loop("labels", zero, blocks_, 1, [], block)

        with builder.if_else(builder.icmp_signed("==", width_, ir.Constant(I64, 1))) as (one, more):
            with one:
                all_blocks(1)
            with more:
                all_blocks(WIDE)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), codegen


@inline_jit
def dot(a: Any, b: Any, size: Any) -> Any:
    """Return the product of two rows, summed one element after another."""
    total = _ZERO
    for d in range(size):
        total += float_at(a, d) * float_at(b, d)
    return total


# ------------------------------------------------------------------ words and n-grams


class Memory(NamedTuple):
    """A thread's private memory: arrays, and addresses of some of them."""

    hidden_row: Any  # float32 (vectors * LANES,)
    row_list: Any  # int64 (capacity,)
    hash_list: Any  # int32 (tokens,)
    z: Any  # float32 (labels with padding,)
    nodes: Any  # int32 (labels + 1,), what is to be looked at in the tree
    sums: Any  # float32 (labels + 1,), and the score on the way there
    scores: Any  # float32 (k + 1,)
    found: Any  # int32 (k + 1,)
    hidden: Any  # addresses
    rows: Any
    hashes: Any
    z_address: Any
    capacity: Any  # rows that are listed before they are summed


@inline_jit
def make_memory(model: Any, longest: Any, k: Any, capacity: Any) -> Any:
    """Return the memory for texts of at most ``longest`` bytes and k labels."""
    tree = model.loss == HIERARCHICAL_SOFTMAX
    hidden, rows = np.zeros(model.vectors * LANES, np.float32), np.empty(capacity, np.int64)
    hashes = np.empty(longest // 2 + 2 if model.word_ngrams > 1 else 1, np.int32)
    z = np.empty(1 if tree else model.blocks * model.width * LANES, np.float32)
    depth = model.n_labels + 1 if tree else 1
    nodes, sums = np.empty(depth, np.int32), np.empty(depth, np.float32)
    return Memory(
        hidden, rows, hashes, z, nodes, sums, np.empty(k + 1, np.float32),
        np.empty(k + 1, np.int32), hidden.ctypes.data, rows.ctypes.data, hashes.ctypes.data,
        z.ctypes.data, capacity,
    )  # fmt: skip


@inline_jit
def step_hash(h: Any, byte: Any) -> Any:
    """Return FNV-1a's next state; as in fastText, the byte is a signed character."""
    return np.uint32((h ^ np.uint32(np.int32(np.int8(byte)))) * _PRIME)


@jit
def fill_slots(slots: Any, text: Any, offsets: Any) -> None:
    """Enter every entry of a dictionary; of equal ones the last is found, as in fastText."""
    mask = slots.shape[0] - 1
    for entry in range(offsets.size - 1):
        start, size = offsets[entry], offsets[entry + 1] - offsets[entry]
        h = _START
        for i in range(size):
            h = step_hash(h, text[start + i])
        slot = np.int64(h) & mask
        while slots[slot, 0] >= 0:
            other = slots[slot, 0]
            first = offsets[other]
            same = np.uint32(slots[slot, 1]) == h and offsets[other + 1] - first == size
            i = 0
            while same and i < size:
                same = text[first + i] == text[start + i]
                i += 1
            if same:
                break
            slot = (slot + 1) & mask
        slots[slot, 0] = entry
        slots[slot, 1] = np.int32(h)


@jit
def fill_kept(kept: Any, bits: Any, pairs: Any) -> None:
    """Enter the n-grams that pruning kept, and their rows, into an empty table."""
    mask = kept.shape[0] - 1
    for i in range(pairs.shape[0]):
        slot = spread(np.int64(pairs[i, 0]), bits)
        while kept[slot, 0] >= 0:
            slot = (slot + 1) & mask
        kept[slot, 0] = pairs[i, 0]
        kept[slot, 1] = pairs[i, 1]


@inline_jit
def spread(number: Any, bits: Any) -> Any:
    """Return ``bits`` bits of a number below 2^31, by Knuth's multiplicative hash."""
    return np.int64((np.uint64(number) * np.uint64(2654435769) & np.uint64(0xFFFFFFFF))
                    >> np.uint64(32 - bits))  # fmt: skip


@inline_jit
def find(model: Any, h: Any, data: Any, a: Any, b: Any) -> Any:
    """Return the entry whose hash is h and whose bytes are ``data[a:b]``, or -1."""
    slots, mask, text, offsets = model.slots, model.mask, model.text, model.offsets
    slot = np.int64(h) & mask
    size = b - a
    while True:
        entry = load_int32(slots, 2 * slot)
        if entry < 0:
            return np.int64(-1)
        if np.uint32(load_int32(slots, 2 * slot + 1)) == h:
            start = load_int64(offsets, entry)
            same = load_int64(offsets, entry + 1) - start == size
            i = 0
            while same and i < size:
                same = byte_at(text, start + i) == byte_at(data, a + i)
                i += 1
            if same:
                return np.int64(entry)
        slot = (slot + 1) & mask


@inline_jit
def kept_row(model: Any, number: Any) -> Any:
    """Return the row, after the words', of n-gram hash ``number`` < bucket; -1 if pruned."""
    if model.kept == 0:
        return number
    mask = (1 << model.kept_bits) - 1
    slot = spread(number, model.kept_bits)
    while True:
        found = load_int32(model.kept, 2 * slot)
        if found == number:
            return load_int32(model.kept, 2 * slot + 1)
        if found < 0:
            return np.int64(-1)
        slot = (slot + 1) & mask


@jit
def list_ngrams(
    model: Any, data: Any, a: Any, b: Any, rows: Any, n: Any, capacity: Any, target: Any
) -> Any:
    """List the rows of the n-grams of the word ``data[a:b]``; return how many are listed, added.

    Positions a - 1 and b stand for < and >.  A full list is added to ``target``.
    """
    minn, maxn, stride, bucket = model.minn, model.maxn, model.stride, np.uint32(model.bucket)
    table = model.table + model.n_words * stride
    wide = model.size > 16
    added = 0
    for i in range(a - 1, b + 1):
        c = _BEGIN if i < a else (_END if i == b else byte_at(data, i))
        if (c & 0xC0) == 0x80:
            continue
        h = _START
        j = i
        for size in range(1, maxn + 1):
            if j > b:
                break
            c = _BEGIN if j < a else (_END if j == b else byte_at(data, j))
            h = step_hash(h, c)
            j += 1
            while j < b and (byte_at(data, j) & 0xC0) == 0x80:
                h = step_hash(h, byte_at(data, j))
                j += 1
            if size >= minn and not (size == 1 and (i < a or j > b)):
                row = kept_row(model, np.int64(h % bucket))
                if row < 0:
                    continue
                if n == capacity:
                    add_rows(rows, n, model.vectors, target)
                    n = 0
                place = table + row * stride
                put_address(rows, n, place)
                prefetch(place)
                if wide:
                    prefetch(place + 64)
                n += 1
                added += 1
    return n, added


@intrinsic
def put_address(typingctx: Any, table: Any, index: Any, value: Any) -> Any:
    """Write an address into the table at ``table``."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e = Emitter(builder)
        table_, index_, value_ = arguments
        builder.store(value_, e.pointer(e.offset(table_, index_, 8), I64), align=8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@jit
def read_text(model: Any, data: Any, a: Any, stop: Any, memory: Any) -> Any:
    """Sum the rows of the text ``data[a:stop]`` into the hidden vector; return their number.

    As fastText's ``Dictionary::getLine``, for a text followed by a new line; a new line within it
    is white space.

    memory : Memory
        ``hidden`` is all zero.
    """
    n_words, stride, table, vectors = model.n_words, model.stride, model.table, model.vectors
    rows, hidden, hashes, capacity = memory.rows, memory.hidden, memory.hashes, memory.capacity
    pairs = model.word_ngrams > 1 and model.ngrams != 0
    subwords = model.maxn > 0 and model.ngrams != 0
    n = 0  # listed
    total = 0
    n_hashes = 0
    i = a
    while True:
        while i < stop:
            c = byte_at(data, i)
            if not (c == 32 or 9 <= c <= 13 or c == 0):
                break
            i += 1
        b = i
        h = _START
        if i >= stop:  # the new line after the text is </s>
            word = model.end_of_sentence
            for k in range(4):
                h = step_hash(h, _END_OF_SENTENCE[k])
            end = True
        else:
            while b < stop:
                c = byte_at(data, b)
                if c == 32 or 9 <= c <= 13 or c == 0:
                    break
                h = step_hash(h, c)
                b += 1
            word = find(model, h, data, i, b)
            end = b - i == 4
            for k in range(4):
                end = end and byte_at(data, i + k) == _END_OF_SENTENCE[k]
            label = word >= n_words
            if word < 0 and b - i >= _LABEL.size:
                label = True
                for k in range(_LABEL.size):
                    label = label and byte_at(data, i + k) == _LABEL[k]
            if label:
                i = b
                continue
        if word < 0:
            if subwords and not end:
                n, added = list_ngrams(model, data, i, b, rows, n, capacity, hidden)
                total += added
        else:
            if n == capacity:
                add_rows(rows, n, vectors, hidden)
                n = 0
            place = table + word * stride
            put_address(rows, n, place)
            prefetch(place)
            n += 1
            total += 1
            if subwords and word != model.end_of_sentence:
                start, last = load_int64(model.offsets, word), load_int64(model.offsets, word + 1)
                n, added = list_ngrams(model, model.text, start, last, rows, n, capacity, hidden)
                total += added
        if pairs:
            store_int32(hashes, n_hashes, np.int64(np.int32(h)))
            n_hashes += 1
        i = b
        if end:
            break
    if pairs:
        bucket = np.uint64(model.bucket)
        longest = model.word_ngrams
        for p in range(n_hashes):
            q = np.uint64(load_int32(hashes, p))
            for j in range(p + 1, min(n_hashes, p + longest)):
                q = q * _WORD_PRIME + np.uint64(load_int32(hashes, j))
                row = kept_row(model, np.int64(q % bucket))
                if row < 0:
                    continue
                if n == capacity:
                    add_rows(rows, n, vectors, hidden)
                    n = 0
                place = table + (n_words + row) * stride
                put_address(rows, n, place)
                prefetch(place)
                n += 1
                total += 1
    if n > 0:
        add_rows(rows, n, vectors, hidden)
    return total


# ------------------------------------------------------------------ the k best


@inline_jit
def sift_up(scores: Any, labels: Any, hole: Any, score: Any, label: Any) -> None:
    """libstdc++'s ``__push_heap``; the least score is in front."""
    parent = (hole - 1) >> 1
    while hole > 0 and scores[parent] > score:
        scores[hole] = scores[parent]
        labels[hole] = labels[parent]
        hole = parent
        parent = (hole - 1) >> 1
    scores[hole] = score
    labels[hole] = label


@jit
def pop(scores: Any, labels: Any, n: Any) -> None:
    """libstdc++'s ``pop_heap`` of n >= 2 scores: the least goes to the end."""
    score, label = scores[n - 1], labels[n - 1]
    scores[n - 1] = scores[0]
    labels[n - 1] = labels[0]
    m = n - 1
    hole = 0
    child = 0
    while child < (m - 1) // 2:
        child = 2 * (child + 1)
        if scores[child] > scores[child - 1]:
            child -= 1
        scores[hole] = scores[child]
        labels[hole] = labels[child]
        hole = child
    if (m & 1) == 0 and child == (m - 2) // 2:
        child = 2 * (child + 1)
        scores[hole] = scores[child - 1]
        labels[hole] = labels[child - 1]
        hole = child - 1
    sift_up(scores, labels, hole, score, label)


@inline_jit
def offer(scores: Any, labels: Any, n: Any, k: Any, score: Any, label: Any) -> Any:
    """Push, and drop the least if there are more than k; return how many there are."""
    sift_up(scores, labels, n, score, label)
    n += 1
    if n > k:
        if n > 1:
            pop(scores, labels, n)
        n -= 1
    return n


@inline_jit
def log_score(x: Any) -> Any:
    """Return log(x + 1e-5), computed in double precision, as float32: fastText's ``std_log``."""
    return np.float32(math.log(np.float64(x) + 1e-5))


@jit
def best_leaves(
    model: Any, hidden: Any, k: Any, threshold: Any, memory: Any, scores: Any,
    labels: Any,
) -> Any:  # fmt: skip
    """Put the best leaves of the tree into the heap, depth first; return their number."""
    n_labels, size = model.n_labels, model.size
    nodes, sums = memory.nodes, memory.sums
    floor = log_score(np.float32(threshold))
    nodes[0] = 2 * n_labels - 2
    sums[0] = _ZERO
    top = 1
    n = 0
    while top > 0:
        top -= 1
        node, score = nodes[top], sums[top]
        if score < floor or (n == k and score < scores[0]):
            continue
        if node < n_labels:
            n = offer(scores, labels, n, k, score, node)
            continue
        row = model.output + (node - n_labels) * size * 4
        x = dot(row, hidden, size)
        if model.norms != 0:
            x *= float_at(model.norms, node - n_labels)
        if x - x != 0:
            return NOT_FINITE
        f = np.float32(1.0 / np.float64(_ONE + np.float32(math.exp(-x))))
        # The left child is looked at first.
        nodes[top] = load_int32(model.right, node)
        sums[top] = score + log_score(f)
        nodes[top + 1] = load_int32(model.left, node)
        sums[top + 1] = score + log_score(np.float32(1.0 - np.float64(f)))
        top += 2
    return n


@jit
def best_scores(
    model: Any, hidden: Any, k: Any, threshold: Any, memory: Any, scores: Any, labels: Any
) -> Any:
    """Put the best of all labels into the heap; return their number."""
    z = memory.z
    n_labels = model.n_labels
    multiply(model.output, model.blocks, model.width, model.size, hidden, memory.z_address)
    if model.norms != 0:
        for o in range(n_labels):
            z[o] *= float_at(model.norms, o)
    top = z[0]
    for o in range(n_labels):
        if z[o] - z[o] != 0:
            return NOT_FINITE
        top = max(top, z[o])
    if model.loss == SOFTMAX:
        total = _ZERO
        for o in range(n_labels):
            z[o] = np.float32(math.exp(np.float64(z[o] - top)))
            total += z[o]
        for o in range(n_labels):
            z[o] /= total
    else:
        for o in range(n_labels):
            x = z[o]
            if x < np.float32(-8):
                z[o] = _ZERO
            elif x > np.float32(8):
                z[o] = _ONE
            else:
                z[o] = float_at(model.sigmoid, np.int64((x + np.float32(8)) * np.float32(32)))
    n = 0
    least = np.float32(-1)  # below it a logarithm need not be taken
    for o in range(n_labels):
        x = z[o]
        if x < threshold or (n == k and x < least):
            continue
        score = log_score(x)
        if n == k and score < scores[0]:
            continue
        n = offer(scores, labels, n, k, score, o)
        if n == k:
            least = np.float32((math.exp(np.float64(scores[0])) - 1e-5) * 0.999 - 1e-9)
    return n


@jit
def answer(
    model: Any, data: Any, start: Any, stop: Any, k: Any, threshold: Any, memory: Any,
    labels: Any, probabilities: Any,
) -> Any:  # fmt: skip
    """Write the k best labels of one text, and return how many there are."""
    hidden = memory.hidden_row
    hidden[:] = _ZERO
    total = read_text(model, data, start, stop, memory)
    if total == 0:
        return 0
    scale = np.float32(1.0 / np.float64(total))
    for d in range(model.size):
        hidden[d] *= scale
    scores, found = memory.scores, memory.found
    if model.loss == HIERARCHICAL_SOFTMAX:
        n = best_leaves(model, memory.hidden, k, threshold, memory, scores, found)
    else:
        n = best_scores(model, memory.hidden, k, threshold, memory, scores, found)
    for m in range(n - 1, 0, -1):  # sort_heap
        pop(scores, found, m + 1)
    for m in range(n):
        labels[m] = found[m]
        probabilities[m] = math.exp(scores[m])
    return n


@jit
def answer_one(
    models: Any, bytes_: Any, k: Any, threshold: Any, labels: Any, probabilities: Any
) -> Any:
    """Answer one text; see :func:`answer_lines`.

    Return how many labels it has, or NOT_FINITE; with ``k == 1`` and a label, return the label
    itself: a caller may then share ``labels`` among threads, and need not make one for each text.
    """
    model = models[0]
    memory = make_memory(model, len(bytes_), k, ROWS)
    n = answer(
        model, address_of(bytes_), 0, len(bytes_), k, np.float32(threshold), memory, labels,
        probabilities,
    )  # fmt: skip
    if k == 1:
        return np.int64(memory.found[0]) if n == 1 else np.int64(NONE if n == 0 else n)
    return np.int64(n)


@jit
def text_vector(models: Any, bytes_: Any, vector: Any) -> None:
    """Set ``vector``, float32 (D,), to the mean of a text's rows; to zero if it has none."""
    model = models[0]
    memory = make_memory(model, len(bytes_), 1, ROWS)
    total = read_text(model, address_of(bytes_), 0, len(bytes_), memory)
    scale = np.float32(1.0 / np.float64(max(total, 1)))
    for d in range(model.size):
        vector[d] = memory.hidden_row[d] * scale


@jit
def answer_lines(
    models: Any, bytes_: Any, ends: Any, first: Any, last: Any, k: Any, threshold: Any,
    labels: Any, probabilities: Any, found: Any,
) -> None:  # fmt: skip
    """Answer texts ``first`` to ``last`` - 1 of a block.

    models : MODEL (1,)
    bytes_ : bytes, the texts, one byte between them.
    ends : int64 (N,), where each text ends.
    k : how many labels at most; threshold : the least probability.
    labels, probabilities : int32 and float32 (N, k).
    found : int32 (N,), labels of each text, or NOT_FINITE.
    """
    model = models[0]
    data = address_of(bytes_)
    longest = 0
    for i in range(first, last):
        longest = max(longest, ends[i] - (ends[i - 1] + 1 if i > 0 else 0))
    memory = make_memory(model, longest, k, ROWS)
    for i in range(first, last):
        start = ends[i - 1] + 1 if i > 0 else 0
        found[i] = answer(
            model, data, start, ends[i], k, np.float32(threshold), memory, labels[i],
            probabilities[i],
        )  # fmt: skip
