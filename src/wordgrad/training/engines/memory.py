"""Reading and writing numbers by address, for loops that run once a window.

Numba counts references to an array each time a function takes it from a record or slices it; at a
million windows a second these atomic operations cost more than the window's arithmetic (measured:
docs/performance.md).  A table given as an int64 address has nothing to count.  The owner of the
memory, :class:`~wordgrad.training.engines.workspace.Workspace`, outlives every call.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


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
