"""Counters that threads share: atomic additions and loads by address, and a polite wait.

Numba has no atomics on the processor, and a lock of Python's costs tens of microseconds where a
round of training has a few hundred.  An atomic instruction costs some twenty nanoseconds.
"""

from __future__ import annotations

import sys
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from wordgrad.training.engines.pairs import jit

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
