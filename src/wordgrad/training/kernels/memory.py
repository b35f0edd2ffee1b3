"""Memory by address: reading, writing and counting in tables that Numba knows nothing of.

Reading and writing
    Numba counts references to an array each time a function takes it from a record or slices it;
    at a million windows a second these atomic operations cost more than the window's arithmetic
    (measured: docs/performance.md).  A table given as an int64 address has nothing to count.  The
    owner of the memory, :class:`~wordgrad.training.kernels.workspace.Workspace`, outlives every
    call.
Counters that threads share
    Numba has no atomics on the processor, and a lock of Python's costs tens of microseconds where
    a round of training has a few hundred.  An atomic instruction costs some twenty nanoseconds.
"""

from __future__ import annotations

import sys
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
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
