"""The inner loops of training, written as vector instructions: scores and updates of a tile.

A window of training is a small matrix product.  With ``X`` the rows that are read (context words,
or CBOW's mean) and ``O`` the output rows (the target and its negatives),

    scores      Z = sign * X O^T,     loss = sum softplus(Z)
    step        G = step * sigmoid(Z),         step = -learning_rate * sign
    update      X += G O,   O += G^T X         (both from the old values)

with ``sign = -1`` for the target and ``+1`` for a negative, so that softplus(Z) is
``-log sigmoid(u_o . v)`` for the one and ``-log sigmoid(-u_k . v)`` for the other.

Why LLVM IR and not a Numba loop
    LLVM's own vectoriser checks for aliases and spills the accumulators of such a loop.  Here every
    accumulator is a phi node, hence a register, and every load feeds several multiply-adds.  A tile
    is R x S: R read rows by S output rows, both known when the code is generated.
Why one pass for dot products, sigmoid and loss
    The R * S sums leave the reduction tree side by side in one vector, which is what the
    exponential wants.  The loss costs two more instructions: with e = exp(-|z|),
    softplus(z) = max(z, 0) + log(1 + e), and a product of factors 1 + e <= 2 needs one logarithm
    for up to a hundred of them (:data:`FACTORS_PER_LOGARITHM`).
Why no fast-math
    Nothing is reassociated behind our back, and a NaN reaches the loss.

Rows are addresses (int64), aligned to 64 bytes, padded with zeros to a multiple of 16 floats.

CBOW reads one row, ``h = scale * sum of context rows``.  With so little arithmetic, the passes over
memory count: the context is summed in the loop that scores it (:func:`score_context`), and its
change added in the loop that computes it (:func:`update_context`), so that h is written once and
its change never.
"""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from wordgrad.training.kernels.intrinsics import I64, Emitter

FACTORS_PER_LOGARITHM = 96
"""Factors 1 + e <= 2 in a product before its logarithm is taken: float32 holds up to 2**127."""


def literal(*arguments: Any) -> bool:
    """Whether all of an intrinsic's arguments are integers known when code is generated."""
    return all(isinstance(argument, types.IntegerLiteral) for argument in arguments)


IMPOSSIBLE = -1e30
"""The score of a lane that stands for no output: softplus and sigmoid of it are 0."""


def finish_scores(
    e: Emitter, dots: list[Any], turns: Any, real: Any, rate: Any, steps: Any, sums: Any
) -> None:
    """Emit what follows the dot products: scores, steps G and the loss; see :func:`score_tile`."""
    builder = e.b
    zero, one = e.constant(0.0), e.constant(1.0)
    size = 4 * e.lanes
    product = e.load(sums, size)
    hinge = e.load(builder.add(sums, ir.Constant(I64, size)), size)
    up = e.splat(rate)
    down = builder.fneg(up)
    for group, scores in enumerate(e.sums(dots)):
        turned = e.mask(turns, group * e.lanes)
        exists = e.mask(real, group * e.lanes)
        z = builder.select(turned, scores, builder.fneg(scores))
        z = builder.select(exists, z, e.constant(IMPOSSIBLE))
        small = e.exp_of_negative(builder.fneg(e.call("fabs", z)))
        factor = builder.fadd(one, small)
        product = builder.fmul(product, factor)
        # Written so that a NaN passes through to the loss.
        negative = builder.fcmp_ordered("<", z, zero)
        hinge = builder.fadd(hinge, builder.select(negative, zero, z))
        # Zero where no output is: a product with the smallest of numbers takes a hundred cycles.
        step = builder.select(exists, builder.select(turned, down, up), zero)
        step = builder.select(negative, builder.fmul(step, small), step)
        place = builder.add(steps, ir.Constant(I64, group * size))
        e.store(builder.fdiv(step, factor), place)
    e.store(product, sums, size)
    e.store(hinge, builder.add(sums, ir.Constant(I64, size)), size)


def prefetch(e: Emitter, table: Any, n_rows: Any, *places: Any) -> None:
    """Emit prefetches of the cache lines at floats ``places`` of a table's first rows.

    n_rows : a number, for which no loop is needed, or an int64 of the code emitted.
    """

    def one_row(k: Any, _: list[Any]) -> list[Any]:
        row = e.address(table, k)
        for i in places:
            e.prefetch(e.offset(row, i, 4))
        return []

    if isinstance(n_rows, int):
        for k in range(n_rows):
            one_row(ir.Constant(I64, k), [])
    else:
        e.loop("prefetch", ir.Constant(I64, 0), n_rows, 1, [], one_row)


@intrinsic
def score_tile(
    typingctx: Any,
    R: Any,
    S: Any,
    rows: Any,
    outputs: Any,
    n_floats: Any,
    turns: Any,
    real: Any,
    rate: Any,
    steps: Any,
    sums: Any,
) -> Any:
    """Scores, steps and loss of a tile of ``R`` read rows by ``S`` output rows.

    Parameters are addresses (int64) unless said otherwise.

    rows, outputs : tables of R and S row addresses.
    n_floats : int64, padded row length, a multiple of 16.
    turns : int64, a bit for each output row: whether its sign is +1 (a negative, turn 1).
    real : int64, R times as many bits, row by row: whether an output counts at all for a read row.
        One that does not fills the tile up, or is the target of another window.
    rate : float32, the learning rate.
    steps : where G goes, R * S floats row by row; up to ``LANES - 1`` floats after it are garbage.
    sums : two whole, aligned vectors: running product of factors 1 + e, running sum of max(z, 0).
        Updated.
    """
    if not literal(R, S):
        return None
    n_rows, n_outputs = R.literal_value, S.literal_value

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, rows_, outputs_, n_floats_, turns_, real_, rate_, steps_, sums_ = arguments
        e = Emitter(builder)
        zero = e.constant(0.0)
        x = [e.address(rows_, ir.Constant(I64, k)) for k in range(n_rows)]
        o = [e.address(outputs_, ir.Constant(I64, k)) for k in range(n_outputs)]

        def body(i: Any, accumulators: list[Any]) -> list[Any]:
            outs = [e.load_row(address, i) for address in o]
            ins = [e.load_row(address, i) for address in x]
            pairs = [(a, b) for a in ins for b in outs]
            return [e.fma(a, b, c) for (a, b), c in zip(pairs, accumulators, strict=True)]

        dots = e.loop(
            "dots", ir.Constant(I64, 0), n_floats_, e.lanes, [zero] * (n_rows * n_outputs), body
        )
        # The same signs for every row.
        turns_ = functools.reduce(
            builder.or_,
            [builder.shl(turns_, ir.Constant(I64, k * n_outputs)) for k in range(n_rows)],
        )
        finish_scores(e, dots, turns_, real_, rate_, steps_, sums_)
        return context.get_dummy_value()

    kinds = [*([types.int64] * 5), types.float32, types.int64, types.int64]
    return types.void(R, S, *kinds), codegen


@intrinsic
def update_tile(
    typingctx: Any,
    S: Any,
    rows: Any,
    before: Any,
    after: Any,
    n_rows: Any,
    outputs: Any,
    n_floats: Any,
    steps: Any,
    prefetch_rows: Any,
) -> Any:
    """Apply the steps G of a tile to both sides: ``after = before + G O``, ``O += G^T X``.

    rows, before, after : tables of n_rows row addresses: X, and where its new value is read from
        and written to.  They are the same table when one tile is the whole window; several tiles
        pass a running total along, so that each of them sees the old X.
    n_rows : int64, at least 1.
    outputs : table of ``S`` row addresses, updated in place.
    steps : n_rows x S floats, row by row.
    prefetch_rows : table of S + 1 row addresses.  Their cache lines are prefetched, one of each in
        every turn of the outer loop: spread out, the requests find free fill buffers.
    """
    if not literal(S):
        return None
    n_outputs = S.literal_value

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, rows_, before_, after_, n_rows_, outputs_, n_floats_, steps_, soon_ = arguments
        e = Emitter(builder)
        o = [e.address(outputs_, ir.Constant(I64, k)) for k in range(n_outputs)]

        def chunk(i: Any, _: list[Any]) -> list[Any]:
            old = [e.load_row(place, i) for place in o]

            def row(c: Any, new: list[Any]) -> list[Any]:
                x = e.load_row(e.address(rows_, c), i)
                total = e.load_row(e.address(before_, c), i)
                base = e.offset(steps_, c, 4 * n_outputs)
                result = []
                for k in range(n_outputs):
                    g = e.broadcast(builder.add(base, ir.Constant(I64, 4 * k)))
                    total = e.fma(g, old[k], total)
                    result.append(e.fma(g, x, new[k]))
                e.store_row(total, e.address(after_, c), i)
                return result

            prefetch(e, soon_, n_outputs + 1, i)
            new = e.loop("rows", ir.Constant(I64, 0), n_rows_, 1, old, row)
            for value, place in zip(new, o, strict=True):
                e.store_row(value, place, i)
            return []

        e.loop("chunks", ir.Constant(I64, 0), n_floats_, e.lanes, [], chunk)
        return context.get_dummy_value()

    return types.void(S, *([types.int64] * 8)), codegen


@intrinsic
def combine_rows(
    typingctx: Any, rows: Any, n_rows: Any, target: Any, n_floats: Any, scale: Any
) -> Any:
    """Write ``scale * sum of rows`` to the row at ``target``; one row and 1.0 copy it."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows_, n_rows_, target_, n_floats_, scale_ = arguments
        e = Emitter(builder)
        factor = e.splat(scale_)

        def chunk(i: Any, _: list[Any]) -> list[Any]:
            def row(c: Any, total: list[Any]) -> list[Any]:
                return [builder.fadd(total[0], e.load_row(e.address(rows_, c), i))]

            total = e.loop("rows", ir.Constant(I64, 0), n_rows_, 1, [e.constant(0.0)], row)
            e.store_row(builder.fmul(total[0], factor), target_, i)
            return []

        e.loop("chunks", ir.Constant(I64, 0), n_floats_, e.lanes, [], chunk)
        return context.get_dummy_value()

    return types.void(*([types.int64] * 4), types.float32), codegen


@intrinsic
def add_to_rows(
    typingctx: Any, rows: Any, n_rows: Any, change: Any, n_floats: Any, scale: Any
) -> Any:
    """Add ``scale`` times the row at ``change`` to each row; one named twice receives it twice."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows_, n_rows_, change_, n_floats_, scale_ = arguments
        e = Emitter(builder)
        factor = e.splat(scale_)

        def chunk(i: Any, _: list[Any]) -> list[Any]:
            delta = builder.fmul(e.load_row(change_, i), factor)

            def row(c: Any, _: list[Any]) -> list[Any]:
                place = e.address(rows_, c)
                e.store_row(builder.fadd(e.load_row(place, i), delta), place, i)
                return []

            e.loop("rows", ir.Constant(I64, 0), n_rows_, 1, [], row)
            return []

        e.loop("chunks", ir.Constant(I64, 0), n_floats_, e.lanes, [], chunk)
        return context.get_dummy_value()

    return types.void(*([types.int64] * 4), types.float32), codegen


@intrinsic
def merge_row(typingctx: Any, shared: Any, private: Any, before: Any, n_floats: Any) -> Any:
    """Let three rows be ``private + (shared - before)``: what all threads made of a shared row.

    private, before : this thread's row, and what the shared one was when they were last merged.
        If no other thread has changed it since, the result is ``private``, to the last bit.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        shared_, private_, before_, n_floats_ = arguments
        e = Emitter(builder)

        def chunk(i: Any, _: list[Any]) -> list[Any]:
            others = builder.fsub(e.load_row(shared_, i), e.load_row(before_, i))
            merged = builder.fadd(e.load_row(private_, i), others)
            for row in (shared_, private_, before_):
                e.store_row(merged, row, i)
            return []

        e.loop("chunks", ir.Constant(I64, 0), n_floats_, e.lanes, [], chunk)
        return context.get_dummy_value()

    return types.void(*([types.int64] * 4)), codegen


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
    turns: Any,
    real: Any,
    rate: Any,
    steps: Any,
    sums: Any,
) -> Any:
    """Write ``h = scale * sum of rows`` to ``hidden`` and score it against ``S`` output rows.

    rows : table of ``n_rows`` (at least 1) row addresses; ``hidden`` is one address.
    The rest is as in :func:`~wordgrad.training.kernels.tiles.score_tile` with R = 1.
    """
    if not literal(S):
        return None
    n_outputs = S.literal_value

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, rows_, n_rows_, scale_, hidden_, outputs_, n_floats_ = arguments[:7]
        turns_, real_, rate_, steps_, sums_ = arguments[7:]
        e = Emitter(builder)
        zero, factor = e.constant(0.0), e.splat(scale_)
        o = [e.address(outputs_, ir.Constant(I64, k)) for k in range(n_outputs)]

        def block(places: list[Any], accumulators: list[Any]) -> list[Any]:
            def row(c: Any, totals: list[Any]) -> list[Any]:
                place = e.address(rows_, c)
                return [
                    builder.fadd(total, e.load_row(place, i))
                    for total, i in zip(totals, places, strict=True)
                ]

            totals = e.loop("context", ir.Constant(I64, 0), n_rows_, 1, [zero] * len(places), row)
            for total, i in zip(totals, places, strict=True):
                h = builder.fmul(total, factor)
                e.store_row(h, hidden_, i)
                accumulators = [
                    e.fma(h, e.load_row(place, i), dot)
                    for place, dot in zip(o, accumulators, strict=True)
                ]
            return accumulators

        dots = e.blocks(n_floats_, [zero] * n_outputs, block)
        finish_scores(e, dots, turns_, real_, rate_, steps_, sums_)
        return context.get_dummy_value()

    kinds = [types.int64, types.int64, types.float32, *([types.int64] * 5)]
    kinds += [types.float32, types.int64, types.int64]
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
    prefetch_rows: Any,
) -> Any:
    """Apply the steps g of a tile: ``row += scale (before + g O)`` for every row, ``O += g h``.

    rows : table of ``n_rows`` row addresses; a row named twice receives its change twice.
    hidden, before : addresses of h and of the change that earlier tiles have summed up.
    prefetch_rows : S + 1 rows, of which four lines each are prefetched at a time.
    The rest is as in :func:`~wordgrad.training.kernels.tiles.update_tile`.
    """
    if not literal(S):
        return None
    n_outputs = S.literal_value

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, rows_, n_rows_, scale_, hidden_, before_, outputs_, n_floats_ = arguments[:8]
        steps_, soon_ = arguments[8:]
        e = Emitter(builder)
        factor = e.splat(scale_)
        o = [e.address(outputs_, ir.Constant(I64, k)) for k in range(n_outputs)]
        g = [e.broadcast(builder.add(steps_, ir.Constant(I64, 4 * k))) for k in range(n_outputs)]

        def block(places: list[Any], _: list[Any]) -> list[Any]:
            shares = []
            for i in places:
                h = e.load_row(hidden_, i)
                change = e.load_row(before_, i)
                for step, place in zip(g, o, strict=True):
                    u = e.load_row(place, i)
                    change = e.fma(step, u, change)
                    e.store_row(e.fma(step, h, u), place, i)
                shares.append(builder.fmul(change, factor))
            prefetch(e, soon_, n_outputs + 1, *places)

            def row(c: Any, _: list[Any]) -> list[Any]:
                place = e.address(rows_, c)
                for share, i in zip(shares, places, strict=True):
                    e.store_row(builder.fadd(e.load_row(place, i), share), place, i)
                return []

            e.loop("context", ir.Constant(I64, 0), n_rows_, 1, [], row)
            return []

        e.blocks(n_floats_, [], block)
        return context.get_dummy_value()

    kinds = [types.int64, types.int64, types.float32, *([types.int64] * 6)]
    return types.void(S, *kinds), codegen
