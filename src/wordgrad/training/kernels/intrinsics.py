"""Instructions that Numba lacks: memory by address, atomic counters, vectors of the CPU's width.

Memory by address
    Numba counts references to an array each time a function takes it from a record or slices it;
    at a million windows a second these atomic operations cost more than the window's arithmetic
    (measured: docs/performance.md).  A table given as an int64 address has nothing to count.  The
    owner of the memory, :class:`~wordgrad.training.kernels.window.Workspace`, outlives every call.
Counters that threads share
    Numba has no atomics on the CPU, and a lock of Python's costs tens of microseconds where a round
    of training has a few hundred.  An atomic instruction costs some twenty nanoseconds.
Vectors
    A small emitter of LLVM instructions, as wide as this machine's registers, with only what the
    tiles need: aligned loads and stores by address, fused multiply-adds, counted loops whose
    carried values live in registers, horizontal sums by a tree, and an exponential.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import config
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

from wordgrad.compiling import jit


def _place(builder: Any, address: Any, index: Any, kind: Any, size: int) -> Any:
    offset = builder.mul(index, ir.Constant(ir.IntType(64), size))
    return builder.inttoptr(builder.add(address, offset), ir.PointerType(kind))


def _loader(stored: Any, returned: Any, size: int) -> Any:
    @intrinsic
    def load(typingctx: Any, address: Any, index: Any) -> Any:
        """Return element ``index`` of the table at ``address``."""

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_value_type(stored)
            address_, index_ = arguments
            value = builder.load(_place(builder, address_, index_, kind, size))
            return context.cast(builder, value, stored, returned)

        return returned(types.int64, types.int64), codegen

    return load


def _storer(stored: Any, given: Any, size: int) -> Any:
    @intrinsic
    def store(typingctx: Any, address: Any, index: Any, value: Any) -> Any:
        """Write ``value`` to element ``index`` of the table at ``address``."""

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            address_, index_, value_ = arguments
            kind = context.get_value_type(stored)
            value_ = context.cast(builder, value_, given, stored)
            builder.store(value_, _place(builder, address_, index_, kind, size))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, given), codegen

    return store


load_int32 = _loader(types.int32, types.int64, 4)
load_uint32 = _loader(types.uint32, types.uint64, 4)
load_int64 = _loader(types.int64, types.int64, 8)
load_uint64 = _loader(types.uint64, types.uint64, 8)
load_float32 = _loader(types.float32, types.float64, 4)
load_float64 = _loader(types.float64, types.float64, 8)
store_int32 = _storer(types.int32, types.int64, 4)
store_uint64 = _storer(types.uint64, types.uint64, 8)
store_int64 = _storer(types.int64, types.int64, 8)
store_float32 = _storer(types.float32, types.float64, 4)
store_float64 = _storer(types.float64, types.float64, 8)


POLLS_BEFORE_YIELDING = 2000
"""Looks at a counter, about two microseconds' worth, before the core is offered to others."""

YIELD = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
CAN_YIELD = llvm.address_of_symbol(YIELD) is not None


@intrinsic
def fetch_add(typingctx: Any, address: Any, amount: Any) -> Any:
    """Add to the int64 at ``address`` and return what it was, as one indivisible step."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, amount_ = arguments
        pointer = builder.inttoptr(place, ir.PointerType(ir.IntType(64)))
        return builder.atomic_rmw("add", pointer, amount_, "seq_cst")

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def load_shared(typingctx: Any, address: Any) -> Any:
    """Return the int64 at ``address``, and with it all that was written before it was."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.PointerType(ir.IntType(64)))
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.int64), codegen


@intrinsic
def offer_core(typingctx: Any) -> Any:
    """Let another thread have this core, where the system has a call for it."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if CAN_YIELD:
            function = builder.module.globals.get(YIELD)
            if function is None:
                kind = ir.FunctionType(ir.IntType(32), [])
                function = ir.Function(builder.module, kind, YIELD)
            builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), codegen


@jit
def wait_for(address: Any, value: Any, stop: Any) -> Any:
    """Return True once the counter at ``address`` is ``value``, False if ``stop`` is not 0."""
    polls = 0
    while load_shared(address) != value:
        if load_shared(stop) != 0:
            return False
        polls += 1
        if polls > POLLS_BEFORE_YIELDING:
            offer_core()
    return True


def _lanes() -> int:
    # Numba's own view of the processor (NUMBA_CPU_FEATURES included), which is what it compiles for
    # and what it keeps compiled code apart by.
    features = config.CPU_FEATURES
    enabled = (get_host_cpu_features() if features is None else features).split(",")
    if "+avx512f" in enabled:
        return 16
    return 8 if "+avx" in enabled else 4


LANES = _lanes()
"""Floats in a vector register of this machine: 16 (AVX-512), 8 (AVX) or 4 (SSE, NEON)."""

I32, I64, F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()


class Emitter:
    """Emits vector code at a builder's position; every method is one idea."""

    def __init__(self, builder: Any, lanes: int = LANES) -> None:
        self.b = builder
        self.lanes = lanes
        self.vector = ir.VectorType(F32, lanes)
        self.integers = ir.VectorType(I32, lanes)
        self.module = builder.module

    def constant(self, value: float) -> Any:
        """Return a vector with ``value`` in every lane."""
        return ir.Constant(self.vector, [value] * self.lanes)

    def call(self, name: str, *arguments: Any) -> Any:
        """Call an LLVM intrinsic that maps vectors to a vector."""
        kinds = [argument.type for argument in arguments]
        function_type = ir.FunctionType(kinds[0], kinds)
        function = self.module.globals.get(f"llvm.{name}.v{self.lanes}f32")
        if function is None:
            function = ir.Function(self.module, function_type, f"llvm.{name}.v{self.lanes}f32")
        return self.b.call(function, arguments)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """Return ``a * b + c``, rounded once."""
        return self.call("fma", a, b, c)

    def pointer(self, address: Any, kind: Any) -> Any:
        """Return an int64 address as a pointer to ``kind``."""
        return self.b.inttoptr(address, ir.PointerType(kind))

    def load(self, address: Any, align: int = 4) -> Any:
        """Load a vector."""
        return self.b.load(self.pointer(address, self.vector), align=align)

    def store(self, value: Any, address: Any, align: int = 4) -> None:
        """Store a vector."""
        self.b.store(value, self.pointer(address, self.vector), align=align)

    def load_row(self, row: Any, i: Any) -> Any:
        """Load floats ``i : i + lanes`` of the row at an address; rows are aligned."""
        return self.load(self.offset(row, i, 4), 4 * self.lanes)

    def store_row(self, value: Any, row: Any, i: Any) -> None:
        """Store floats ``i : i + lanes`` of the row at an address."""
        self.store(value, self.offset(row, i, 4), 4 * self.lanes)

    def address(self, table: Any, index: Any) -> Any:
        """Return ``table[index]``, ``table`` being the address of int64 addresses."""
        return self.b.load(self.pointer(self.offset(table, index, 8), I64), align=8)

    def offset(self, base: Any, index: Any, size: int) -> Any:
        """Return the address of element ``index`` of ``size`` bytes."""
        return self.b.add(base, self.b.mul(index, ir.Constant(I64, size)))

    def broadcast(self, address: Any) -> Any:
        """Return a vector with the float at ``address`` in every lane."""
        return self.splat(self.b.load(self.pointer(address, F32), align=4))

    def splat(self, scalar: Any) -> Any:
        """Return a vector with a scalar in every lane."""
        start = self.b.insert_element(
            ir.Constant(self.vector, ir.Undefined), scalar, ir.Constant(I32, 0)
        )
        zeros = ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(start, ir.Constant(self.vector, ir.Undefined), zeros)

    def shuffle(self, a: Any, b: Any, lanes: list[int]) -> Any:
        """Return the given lanes of ``a`` followed by ``b``."""
        mask = ir.Constant(ir.VectorType(I32, len(lanes)), lanes)
        return self.b.shuffle_vector(a, b, mask)

    def prefetch(self, address: Any, *, write: bool = True) -> None:
        """Prefetch the cache line at ``address``; a hint that never faults."""
        byte = ir.PointerType(ir.IntType(8))
        hint = self.module.globals.get("llvm.prefetch.p0")
        if hint is None:
            kind = ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32])
            hint = ir.Function(self.module, kind, "llvm.prefetch.p0")
        access, near, data = (ir.Constant(I32, k) for k in (int(write), 3, 1))
        self.b.call(hint, [self.b.inttoptr(address, byte), access, near, data])

    def loop(
        self, name: str, start: Any, stop: Any, step: int, carried: list[Any], body: Any
    ) -> Any:
        """Emit ``for i in range(start, stop, step)`` with carried values in phi nodes.

        ``body(i, carried) -> new carried``.  The loop runs at least once (``start < stop``).
        """
        entry = self.b.block
        block = self.b.append_basic_block(name)
        after = self.b.append_basic_block(f"{name}.end")
        self.b.branch(block)
        self.b.position_at_end(block)
        i = self.b.phi(I64)
        i.add_incoming(start, entry)
        phis = []
        for value in carried:
            phi = self.b.phi(value.type)
            phi.add_incoming(value, entry)
            phis.append(phi)
        results = body(i, phis)
        next_i = self.b.add(i, ir.Constant(I64, step))
        last = self.b.block
        i.add_incoming(next_i, last)
        for phi, value in zip(phis, results, strict=True):
            phi.add_incoming(value, last)
        self.b.cbranch(self.b.icmp_signed("<", next_i, stop), block, after)
        self.b.position_at_end(after)
        return results

    def loop_if_any(
        self, name: str, start: Any, stop: Any, step: int, carried: list[Any], body: Any
    ) -> Any:
        """Emit :meth:`loop` so that it runs not at all if ``start >= stop``."""
        entry = self.b.block
        begin = self.b.append_basic_block(f"{name}.any")
        after = self.b.append_basic_block(f"{name}.none")
        self.b.cbranch(self.b.icmp_signed("<", start, stop), begin, after)
        self.b.position_at_end(begin)
        results = self.loop(name, start, stop, step, carried, body)
        last = self.b.block
        self.b.branch(after)
        self.b.position_at_end(after)
        merged = []
        for value, result in zip(carried, results, strict=True):
            phi = self.b.phi(value.type)
            phi.add_incoming(value, entry)
            phi.add_incoming(result, last)
            merged.append(phi)
        return merged

    def blocks(self, n_floats: Any, carried: list[Any], body: Any) -> Any:
        """Pass over a row in blocks of 4 vectors, then one of 3, 2 or 1, if so many are left.

        ``body(offsets, carried) -> new carried`` gets the places of a block's vectors, in floats.
        """
        whole = self.b.and_(n_floats, ir.Constant(I64, -4 * self.lanes))
        left = self.b.sub(n_floats, whole)
        for width in (4, 3, 2, 1):
            step = width * self.lanes
            start, stop = ir.Constant(I64, 0), whole
            if width < 4:
                exactly = self.b.icmp_signed("==", left, ir.Constant(I64, step))
                start, stop = whole, self.b.select(exactly, n_floats, whole)

            def block(i: Any, values: list[Any], width: int = width) -> Any:
                places = [self.b.add(i, ir.Constant(I64, k * self.lanes)) for k in range(width)]
                return body(places, values)

            carried = self.loop_if_any(f"block{width}", start, stop, step, carried, block)
        return carried

    def sums(self, vectors: list[Any]) -> list[Any]:
        """Return the horizontal sums of ``vectors``, in order, ``lanes`` to a vector.

        A tree of pairwise "halve and add" steps: n vectors cost about three instructions a sum,
        where n separate horizontal sums would cost twice log2(lanes) each.
        """
        groups = []
        for first in range(0, len(vectors), self.lanes):
            group = vectors[first : first + self.lanes]
            groups.append(self._tree(group))
        return groups

    def _tree(self, vectors: list[Any]) -> Any:
        n = self.lanes
        # owner[v][lane] = which input this lane of working vector v belongs to (None: padding).
        work: list[tuple[Any, list[int | None]]] = [
            (value, [index] * n) for index, value in enumerate(vectors)
        ]
        block = n // 2
        while block:
            paired = []
            for k in range(0, len(work), 2):
                a, owner_a = work[k]
                b, owner_b = work[k + 1] if k + 1 < len(work) else (a, [None] * n)
                low, high = self._halves(block)
                total = self.b.fadd(self.shuffle(a, b, low), self.shuffle(a, b, high))
                owners = owner_a + owner_b
                paired.append((total, [owners[lane] for lane in low]))
            work = paired
            block //= 2
        value, owner = work[0]
        if len(work) != 1:
            raise AssertionError("a tree reduces at most as many vectors as there are lanes")
        order = [owner.index(k) if k in owner else 0 for k in range(n)]
        return self.shuffle(value, value, order) if order != list(range(n)) else value

    def _halves(self, block: int) -> tuple[list[int], list[int]]:
        """Return lanes of the even and of the odd blocks of two vectors, block lanes each.

        Blocks stay in their 128-bit lane where they are smaller than one, which is what a single
        shuffle instruction can do.
        """
        n = self.lanes
        lane = max(min(n, 4), 2 * block) if block < 4 else n
        low: list[int] = []
        high: list[int] = []
        for base in range(0, n, lane):
            for source in (0, n):
                for start in range(base, base + lane, 2 * block):
                    low += range(source + start, source + start + block)
                    high += range(source + start + block, source + start + 2 * block)
        return low, high

    def exp_of_negative(self, a: Any) -> Any:
        """Return exp(a) for a <= 0, to within 3 units in the last place of float32 or |a| / 30.

        exp(a) = 2^n exp(r), n = round(a / log 2), |r| <= log(2) / 2.  exp(r) is 1 + r plus
        r^2 times a polynomial of degree 4 whose greatest relative error is least (3e-9; fitted by
        Lawson's reweighted least squares).  Rounding is an addition: float32 numbers at
        1.5 * 2^23 are one apart, so that n ends up in the last bits, which a shift puts where the
        exponent is.
        Below -87.33 the result would leave the normal numbers: it is 1.2e-38 there, which adds
        nothing to a number of float32's size.
        """
        lowest = self.constant(-87.33)
        a = self.b.select(self.b.fcmp_ordered(">", a, lowest), a, lowest)
        magic = self.constant(1.5 * 2**23)
        shifted = self.fma(a, self.constant(1.0 / math.log(2.0)), magic)
        r = self.fma(self.b.fsub(shifted, magic), self.constant(-math.log(2.0)), a)
        square = self.b.fmul(r, r)
        c2, c3, c4, c5, c6 = map(self.constant, EXPONENTIAL)
        top = self.fma(c6, square, self.fma(c5, r, c4))
        rest = self.fma(top, square, self.fma(c3, r, c2))
        p = self.fma(rest, square, self.b.fadd(r, self.constant(1.0)))
        shift = ir.Constant(self.integers, [23] * self.lanes)
        exponent = self.b.shl(self.b.bitcast(shifted, self.integers), shift)
        bits = self.b.add(self.b.bitcast(p, self.integers), exponent)
        return self.b.bitcast(bits, self.vector)

    def mask(self, bits: Any, first: int) -> Any:
        """Return a vector of booleans: bits ``first : first + lanes`` of an int64."""
        kind = ir.IntType(self.lanes)
        some = self.b.trunc(self.b.lshr(bits, ir.Constant(I64, first)), kind)
        return self.b.bitcast(some, ir.VectorType(ir.IntType(1), self.lanes))


EXPONENTIAL = (
    0.4999999345159663, 0.16666520687494024, 0.04166838736941436, 0.008368710108729182,
    0.0013814614220847012,
)  # fmt: skip
"""Of r^2 to r^6 in exp(r)."""


MOST_COMPARED = 16
"""Rows that :func:`may_repeat` compares; as many entries of a table may be read."""


@intrinsic
def may_repeat(typingctx: Any, table: Any, n: Any) -> Any:
    """Return whether two of a table's first ``n`` <= 16 row addresses may be equal.

    False is certain.  True may be wrong for rows 2^38 bytes apart, since rows are aligned to 64
    bytes and 32 bits of an address, of those above them, are compared: all with all, by eight
    rotations of one vector.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table_, n_ = arguments
        lanes = MOST_COMPARED
        long, short = ir.VectorType(I64, lanes), ir.VectorType(I32, lanes)

        def same(kind: Any, value: int) -> Any:
            return ir.Constant(kind, [value] * lanes)

        place = builder.inttoptr(table_, ir.PointerType(long))
        rows = builder.trunc(builder.lshr(builder.load(place, align=8), same(long, 6)), short)
        numbers = ir.Constant(short, list(range(lanes)))
        one = builder.insert_element(
            ir.Constant(short, ir.Undefined), builder.trunc(n_, I32), ir.Constant(I32, 0)
        )
        count = builder.shuffle_vector(one, ir.Constant(short, ir.Undefined), same(short, 0))
        # What stands behind the table's end becomes numbers that differ from one another.
        rows = builder.select(builder.icmp_signed("<", numbers, count), rows, numbers)
        equal = None
        for turn in range(1, lanes // 2 + 1):
            order = ir.Constant(short, [(k + turn) % lanes for k in range(lanes)])
            found = builder.icmp_signed("==", rows, builder.shuffle_vector(rows, rows, order))
            equal = found if equal is None else builder.or_(equal, found)
        bits = builder.bitcast(equal, ir.IntType(lanes))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(lanes), 0))

    return types.boolean(types.int64, types.int64), codegen


@intrinsic
def prefetch_row(typingctx: Any, address: Any, n_bytes: Any) -> Any:
    """Prefetch the cache lines of ``n_bytes`` at ``address``, a multiple of 64."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e = Emitter(builder, LANES)
        row, n = arguments

        def line(i: Any, _: list[Any]) -> list[Any]:
            e.prefetch(builder.add(row, i))
            return []

        e.loop("prefetch", ir.Constant(I64, 0), n, 64, [], line)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen
