"""CBOW's two inner loops: the tiles of one read row, with its making and its change built in.

A CBOW window reads one row, ``h = scale * sum of context rows``.  With so little arithmetic, the
passes over memory count: here the context is summed in the loop that scores it, and its change
added in the loop that computes it, so that h is written once and its change never.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from wordgrad.training.engines.tiles import ask_for, finish_scores, literal
from wordgrad.training.engines.vector_code import I64, Emitter


@intrinsic
def score_context(
    typingctx: Any,
    S: Any,
    rows: Any,
    n_rows: Any,
    scale: Any,
    hidden: Any,
    outputs: Any,
    n_floats: Any,
    pattern: Any,
    steps: Any,
    sums: Any,
) -> Any:
    """Write ``h = scale * sum of rows`` to ``hidden`` and score it against ``S`` output rows.

    rows : table of ``n_rows`` (at least 1) row addresses; ``hidden`` is one address.
    The rest is as in :func:`~wordgrad.training.engines.tiles.score_tile` with R = 1.
    """
    if not literal(S):
        return None
    n_outputs = S.literal_value

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, rows_, n_rows_, scale_, hidden_, outputs_, n_floats_, pattern_, steps_, sums_ = arguments
        e = Emitter(builder)
        zero, factor = e.constant(0.0), e.splat(scale_)
        o = [e.address(outputs_, ir.Constant(I64, k)) for k in range(n_outputs)]

        def chunk(i: Any, accumulators: list[Any]) -> list[Any]:
            def row(c: Any, total: list[Any]) -> list[Any]:
                return [builder.fadd(total[0], e.load_row(e.address(rows_, c), i))]

            (total,) = e.loop("context", ir.Constant(I64, 0), n_rows_, 1, [zero], row)
            h = builder.fmul(total, factor)
            e.store_row(h, hidden_, i)
            return [
                e.fma(h, e.load_row(place, i), dot)
                for place, dot in zip(o, accumulators, strict=True)
            ]

        dots = e.loop("chunks", ir.Constant(I64, 0), n_floats_, e.lanes, [zero] * n_outputs, chunk)
        finish_scores(e, dots, pattern_, steps_, sums_)
        return context.get_dummy_value()

    kinds = [types.int64, types.int64, types.float32, *([types.int64] * 6)]
    return types.void(S, *kinds), codegen


@intrinsic
def update_context(
    typingctx: Any,
    S: Any,
    rows: Any,
    n_rows: Any,
    scale: Any,
    hidden: Any,
    before: Any,
    outputs: Any,
    n_floats: Any,
    steps: Any,
    soon: Any,
    n_soon: Any,
) -> Any:
    """Apply the steps g of a tile: ``row += scale (before + g O)`` for every row, ``O += g h``.

    rows : table of ``n_rows`` row addresses; a row named twice receives its change twice.
    hidden, before : addresses of h and of the change that earlier tiles have summed up.
    The rest is as in :func:`~wordgrad.training.engines.tiles.update_tile`.
    """
    if not literal(S):
        return None
    n_outputs = S.literal_value

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, rows_, n_rows_, scale_, hidden_, before_, outputs_, n_floats_ = arguments[:8]
        steps_, soon_, n_soon_ = arguments[8:]
        e = Emitter(builder)
        factor = e.splat(scale_)
        o = [e.address(outputs_, ir.Constant(I64, k)) for k in range(n_outputs)]
        g = [e.broadcast(builder.add(steps_, ir.Constant(I64, 4 * k))) for k in range(n_outputs)]

        def chunk(i: Any, _: list[Any]) -> list[Any]:
            h = e.load_row(hidden_, i)
            change = e.load_row(before_, i)
            for step, place in zip(g, o, strict=True):
                u = e.load_row(place, i)
                change = e.fma(step, u, change)
                e.store_row(e.fma(step, h, u), place, i)
            share = builder.fmul(change, factor)

            def row(c: Any, _: list[Any]) -> list[Any]:
                place = e.address(rows_, c)
                e.store_row(builder.fadd(e.load_row(place, i), share), place, i)
                return []

            ask_for(e, soon_, n_soon_, i)
            e.loop("context", ir.Constant(I64, 0), n_rows_, 1, [], row)
            return []

        e.loop("chunks", ir.Constant(I64, 0), n_floats_, e.lanes, [], chunk)
        return context.get_dummy_value()

    kinds = [types.int64, types.int64, types.float32, *([types.int64] * 7)]
    return types.void(S, *kinds), codegen
