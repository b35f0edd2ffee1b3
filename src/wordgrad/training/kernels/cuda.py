"""Skip-gram and CBOW with negative sampling on a CUDA card, compiled by Numba.

Design
(a) Which pairs, then what update.  :func:`count_kept` and :func:`list_kept` list the tokens of a
    piece of the corpus that subsampling keeps; :func:`draw_plan`, a thread a window, draws its
    reach and its negatives from the same counter-based random numbers as the processor does
    (draw.py) and writes them down; the kernel of :func:`training_kernel` takes the steps.  What is
    written down is a sixtieth of the bytes of the rows.
(b) A window is worked on by a group of lanes, each of which holds four floats of every row: one
    warp for rows of 128 floats or fewer.  The output rows of a window and their changes stay in
    registers; context rows pass by one at a time, the next one loaded meanwhile.
(c) Each group takes a stretch of the text, so that windows in flight at once are far apart in it
    and share hardly a row but those of frequent words.
(d) The step is ``-lr`` times the gradient at the rows as they were read when the window began.
    Changes are *added* to the rows in memory by vector reductions, so that windows in flight at
    once lose nothing of each other.  Rows are read past the first-level cache, which would go on
    showing what they were thousands of windows ago.
(e) A word that occurs n times in a context is read once and counts n times: its scores are the
    same, and so are its gradients.

In the CUDA simulator (``NUMBA_ENABLE_CUDASIM=1``) the same kernels run as Python, with the
memory operations and the exchanges between lanes below replaced.
"""

from __future__ import annotations

import math
import os
import warnings
from functools import cache
from typing import Any

import numpy as np
from numba import cuda, float32, float64, int32, int64, uint32, uint64

from wordgrad.compiling import jit
from wordgrad.training.kernels.draw import MAX_REDRAWS, NO_TOKEN
from wordgrad.training.kernels.random import BITS_32, below, mix, token_bits

SIMULATED = bool(int(os.environ.get("NUMBA_ENABLE_CUDASIM", "0") or 0))

LANE_FLOATS = 4
"""Floats of a row that one lane holds: 16 bytes, the widest load there is."""

WARP = 32
MOST_LANES = 128 + 21 * SIMULATED
TOKENS_A_THREAD = 32
SCAN_THREADS = 1024 if not SIMULATED else 4
ALL_LANES = 0xFFFFFFFF
MOST_FACTORS = 100
"""Factors of at most 2 that are multiplied before a logarithm is taken: 2^100 is a float32."""

WITHOUT_MARK = 0x7FFFFFFF
"""Strips the mark of a sentence's first token from an id."""

ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)


if SIMULATED:

    def device_jit(function: Any) -> Any:
        """Return what kernels call: in the simulator the function itself."""
        return function

    def on_card(function: Any) -> Any:
        """Return a kernel's helper as the simulator can call it: compiled for the processor."""
        return function

    def load_four(table: Any, place: Any) -> Any:
        """Return four neighbouring floats of a table."""
        return table[place], table[place + 1], table[place + 2], table[place + 3]

    def add_four(table: Any, place: Any, a: Any, b: Any, c: Any, d: Any) -> None:
        """Add to four neighbouring floats of a table."""
        table[place] += a
        table[place + 1] += b
        table[place + 2] += c
        table[place + 3] += d

    def adding() -> Any:
        """Return what adds four floats."""
        return add_four

    def grid(kernel: Any, blocks: Any, threads: Any) -> Any:
        """Return a kernel that is to run with so many blocks of so many threads."""
        return kernel[blocks, threads]

    def sums_of_warp(numbers: Any, n: Any, lane: Any) -> Any:
        """Replace each of ``numbers[:n]`` by its sum over a warp; return that of number ``lane``.

        A simulated warp has as many lanes as there are numbers.
        """
        shared = cuda.shared.array((MOST_LANES, MOST_LANES), float32)
        shared[cuda.threadIdx.x, :n] = numbers[:n]
        cuda.syncthreads()
        first = cuda.threadIdx.x - lane
        numbers[:n] = shared[first : first + n, :n].sum(axis=0)
        cuda.syncthreads()
        return numbers[lane]

    def from_lanes(own: Any, numbers: Any, n: Any) -> None:
        """Fill ``numbers[:n]`` with what the lanes of the warp hold as their own."""
        shared = cuda.shared.array(MOST_LANES, float32)
        thread = cuda.threadIdx.x
        shared[thread] = own
        cuda.syncthreads()
        numbers[:n] = shared[thread - thread % n :][:n]
        cuda.syncthreads()

    def quotient(a: Any, b: Any) -> Any:
        """Return a / b."""
        return a / b

    exponential = np.exp

else:
    from llvmlite import ir
    from numba import types
    from numba.cuda import libdevice
    from numba.extending import intrinsic

    device_jit = cuda.jit(device=True)

    def on_card(function: Any) -> Any:
        """Return a helper of the processor's kernels, compiled for the card."""
        return device_jit(function.py_func)

    _F32, _I64 = ir.FloatType(), ir.IntType(64)

    def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table = context.make_array(signature.args[0])(context, builder, arguments[0])
        index = context.cast(builder, arguments[1], signature.args[1], types.int64)
        base = builder.ptrtoint(table.data, _I64)
        return builder.add(base, builder.mul(index, ir.Constant(_I64, 4)))

    def _writer(instruction: str) -> Any:
        @intrinsic
        def write(typingctx: Any, table: Any, place: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
            """Write four neighbouring floats of a table."""

            def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                kind = ir.FunctionType(ir.VoidType(), [_I64] + [_F32] * 4)
                code = ir.InlineAsm(kind, instruction, "l,f,f,f,f,~{memory}", side_effect=True)
                address = _address(context, builder, signature, arguments)
                builder.call(code, [address, *arguments[2:]])
                return context.get_dummy_value()

            numbers = [types.float32] * 4
            return types.void(table, types.int64, *numbers), codegen

        return write

    @intrinsic
    def load_four(typingctx: Any, table: Any, place: Any) -> Any:
        """Return four neighbouring floats of a table, past the first-level cache."""
        returned = types.UniTuple(types.float32, 4)

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = ir.FunctionType(ir.LiteralStructType([_F32] * 4), [_I64])
            code = ir.InlineAsm(
                kind, "ld.global.cg.v4.f32 {$0, $1, $2, $3}, [$4];", "=f,=f,=f,=f,l",
                side_effect=True,
            )  # fmt: skip
            found = builder.call(code, [_address(context, builder, signature, arguments)])
            numbers = [builder.extract_value(found, k) for k in range(4)]
            return context.make_tuple(builder, returned, numbers)

        return returned(table, types.int64), codegen

    add_four_at_once = _writer("red.global.add.v4.f32 [$0], {$1, $2, $3, $4};")
    """For compute capability 9.0 and newer."""

    add_one_by_one = _writer(
        "red.global.add.f32 [$0], $1; red.global.add.f32 [$0+4], $2; "
        "red.global.add.f32 [$0+8], $3; red.global.add.f32 [$0+12], $4;"
    )
    store_four = _writer("st.global.cg.v4.f32 [$0], {$1, $2, $3, $4};")

    @device_jit
    def sums_of_warp(numbers: Any, n: Any, lane: Any) -> Any:
        """Replace each of ``numbers[:n]`` by its sum over a warp; return that of number ``lane``.

        It is the same bits in every lane.  The choice is made on the way: choosing afterwards would
        compile to an array in memory that is indexed by the lane.
        """
        own = float32(0.0)
        for k in range(n):
            value = numbers[k]
            value += cuda.shfl_xor_sync(ALL_LANES, value, 16)
            value += cuda.shfl_xor_sync(ALL_LANES, value, 8)
            value += cuda.shfl_xor_sync(ALL_LANES, value, 4)
            value += cuda.shfl_xor_sync(ALL_LANES, value, 2)
            value += cuda.shfl_xor_sync(ALL_LANES, value, 1)
            numbers[k] = value
            if lane == k:
                own = value
        return own

    @device_jit
    def from_lanes(own: Any, numbers: Any, n: Any) -> None:
        """Fill ``numbers[:n]`` with what the first lanes of the warp hold as their own."""
        for k in range(n):
            numbers[k] = cuda.shfl_sync(ALL_LANES, own, k)

    @cache
    def grid(kernel: Any, blocks: Any, threads: Any) -> Any:
        """Return a kernel that is to run with so many blocks of so many threads.

        Numba warns of few blocks, which are meant here.
        """
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Grid size")
            return kernel[blocks, threads]

    def adding() -> Any:
        """Return what adds four floats on the card at work: at once from Hopper on."""
        return (
            add_four_at_once
            if cuda.get_current_device().compute_capability >= (9, 0)
            else (add_one_by_one)
        )

    quotient = libdevice.fast_fdividef
    exponential = libdevice.fast_expf


token_bits_ = on_card(token_bits)
mix_ = on_card(mix)
below_ = on_card(below)


@cuda.jit
def count_kept(ids: Any, begin: Any, end: Any, key: Any, keep: Any, counts: Any) -> None:
    """Count the entries that each run of tokens adds to the list of a piece.

    Parameters
    ----------
    ids : int32 (T,)
        The corpus; the highest bit marks the first token of a sentence.
    begin, end : int64
        The piece, with the tokens around it that may be context.
    key : uint64
        Of the epoch's random numbers.
    keep : uint32 (V,)
    counts : int32 (runs,)
        Written.
    """
    run = cuda.grid(1)
    first = begin + int64(run) * TOKENS_A_THREAD
    if first >= end:
        return
    n = 0
    for position in range(first, min(first + TOKENS_A_THREAD, end)):
        token = ids[position]
        if token < 0 and position > begin:
            n += 1
        if (token_bits_(key, position) >> BITS_32) <= keep[token & WITHOUT_MARK]:
            n += 1
    counts[run] = n


@cuda.jit
def add_up(counts: Any, runs: Any, places: Any, total: Any) -> None:
    """Write the running total of ``counts[:runs]`` before each run, and the sum to ``total[0]``."""
    shared = cuda.shared.array(SCAN_THREADS, int32)
    thread = cuda.threadIdx.x
    share = (runs + SCAN_THREADS - 1) // SCAN_THREADS
    first, last = min(thread * share, runs), min((thread + 1) * share, runs)
    n = 0
    for run in range(first, last):
        n += counts[run]
    shared[thread] = n
    cuda.syncthreads()
    if thread == 0:
        before = 0
        for other in range(SCAN_THREADS):
            own = shared[other]
            shared[other] = before
            before += own
        total[0] = before
    cuda.syncthreads()
    before = shared[thread]
    for run in range(first, last):
        places[run] = before
        before += counts[run]


@cuda.jit
def list_kept(
    ids: Any, begin: Any, end: Any, key: Any, keep: Any, places: Any, tokens: Any, bits: Any
) -> None:
    """List the kept tokens of a piece, with NO_TOKEN between sentences, and their random bits.

    Parameters
    ----------
    ids, begin, end, key, keep
        As in :func:`count_kept`.
    places : int32 (runs,)
        Where the entries of each run begin.
    tokens, bits : int32 and uint64 (entries,)
        Written.
    """
    run = cuda.grid(1)
    first = begin + int64(run) * TOKENS_A_THREAD
    if first >= end:
        return
    place = places[run]
    for position in range(first, min(first + TOKENS_A_THREAD, end)):
        token = ids[position]
        if token < 0 and position > begin:
            tokens[place] = NO_TOKEN
            place += 1
        drawn = token_bits_(key, position)
        if (drawn >> BITS_32) <= keep[token & WITHOUT_MARK]:
            tokens[place] = token & WITHOUT_MARK
            bits[place] = drawn
            place += 1


@device_jit
def _draw_negative(drawn: Any, n_words: Any, noise: Any) -> Any:
    """Return a word id from 64 random bits by Vose's alias table."""
    j = below_(drawn, n_words)
    return j if (drawn >> BITS_32) < uint32(noise[2 * j]) else int64(noise[2 * j + 1])


@cuda.jit
def draw_plan(
    tokens: Any, bits: Any, total: Any, left: Any, right: Any, least: Any, choices: Any, most: Any,
    negative: Any, n_words: Any, noise: Any, sizes: Any, contexts: Any, times: Any, outputs: Any,
) -> None:  # fmt: skip
    """Draw the windows of a piece: reach, context and negatives, as on the processor (draw.py).

    Parameters
    ----------
    tokens, bits, total
        What :func:`list_kept` wrote, and how many entries.
    left, right : int64
        Entries at either end that are context alone.
    least, choices, most
        See :class:`~wordgrad.training.kernels.draw.Reach`.
    negative, n_words
        K, V.
    noise : uint32 (2 V,)
        Threshold and alias of each word.
    sizes : int32 (windows,)
        Written: different words in each window's context; 0 where there is no window.
    contexts, times : int32 (windows, 2 most)
        Written: those words, and how often each occurs.
    outputs : int32 (windows, 1 + K)
        Written: the target and its negatives.
    """
    w = cuda.grid(1)
    end = int64(total[0])
    i = int64(w) + left
    if i >= end - right:
        return
    sizes[w] = 0
    centre = int64(tokens[i])
    if centre == NO_TOKEN:
        return
    drawn = uint64(bits[i])
    reach = min(least + below_(drawn, choices), most)
    n = 0
    for side in range(2):
        step = 2 * side - 1
        j = i + step
        for _ in range(reach):
            if j < 0 or j >= end:
                break
            word = tokens[j]
            if word == NO_TOKEN:
                break
            found = 0
            while found < n and contexts[w, found] != word:
                found += 1
            if found < n:
                times[w, found] += 1
            else:
                contexts[w, n] = word
                times[w, n] = 1
                n += 1
            j += step
    sizes[w] = n
    outputs[w, 0] = centre
    seed = uint64(mix_(drawn))
    state = 0
    for k in range(negative):
        state += 1
        word = _draw_negative(uint64(token_bits_(seed, state)), n_words, noise)
        redraws = 0
        while word == centre and redraws < MAX_REDRAWS:
            state += 1
            word = _draw_negative(uint64(token_bits_(seed, state)), n_words, noise)
            redraws += 1
        if word == centre:
            # ~(seed + state * GOLDEN), as the processor has it
            other = uint64(token_bits_(seed ^ ALL_BITS, -state))
            word = (centre + 1 + below_(other, n_words - 1)) % n_words
        outputs[w, 1 + k] = word


@jit
def around(
    ids: Any, offsets: Any, sentence: Any, start: Any, stop: Any, window: Any, key: Any, keep: Any
) -> Any:
    """Return where the context of the tokens ``start`` to ``stop`` begins and ends.

    On the processor.  The context is the ``window`` kept tokens on either side, within their
    sentences.

    Parameters
    ----------
    ids, offsets : int32 (T,) and int64 (S + 1,)
    sentence : int
        The one that holds ``start``.
    start, stop, window, key, keep
        As in :func:`count_kept`.

    Returns
    -------
    (begin, left, end, right) : the tokens ``begin`` to ``end`` are looked at, ``left`` and
        ``right`` are the numbers of kept ones before ``start`` and from ``stop`` on.
    """
    begin, left = start, 0
    while begin > offsets[sentence] and left < window:
        begin -= 1
        left += (token_bits(key, begin) >> BITS_32) <= keep[ids[begin]]
    limit = offsets[np.searchsorted(offsets, stop - 1, side="right")]
    end, right = stop, 0
    while end < limit and right < window:
        right += (token_bits(key, end) >> BITS_32) <= keep[ids[end]]
        end += 1
    return begin, left, end, right


@cache
def training_kernel(
    n_floats: int,
    n_outputs: int,
    skipgram: bool,
    mean: bool,
    share_of: tuple[float, float] | None,
    lanes: int,
    adding: Any,
) -> Any:
    """Return the kernel that trains on windows that are written down.

    Parameters
    ----------
    n_floats : int
        P, the floats of a row, a multiple of 16.
    n_outputs : int
        1 + K.
    skipgram, mean : bool
    share_of : (float, float) or None
        Factor f and power q: each of M context words gets f M^q of the step of CBOW's input vector.
        None: what the gradient gives it.
    lanes : int
        Threads of a block, which work on one window together: see :func:`lanes_for`.
    adding : callable
        Adds four floats to a table.

    Notes
    -----
    Called with a block for each window that is to be in flight at once; see :func:`lanes_for`.
    """
    P, O = n_floats, n_outputs  # noqa: E741
    warp = warp_for(n_outputs)
    warps = lanes // warp
    numbers, most_warps = LANE_FLOATS * O, MOST_LANES // warp
    given = share_of is not None
    factor, power = (float32(number) for number in share_of or (1.0, 0.0))

    @cuda.jit
    def train(
        sizes: Any, contexts: Any, times: Any, outputs: Any, total: Any, aside: Any, W_in: Any,
        W_out: Any, first_rate: Any, last_rate: Any, losses: Any, pairs: Any,
    ) -> None:  # fmt: skip
        """Take the steps of all windows; block b those of the b-th stretch.

        Parameters
        ----------
        sizes, contexts, times, outputs
            What :func:`draw_plan` wrote.
        total, aside : int32 (1,), int64
            There are ``total[0] - aside`` windows.
        W_in, W_out : float32 (V P,)
        first_rate, last_rate : float32
            The learning rate falls (linearly) from one to the other along each stretch.
        losses : float64 (blocks, lanes)
            Written: the loss of each block's windows, in parts.
        pairs : int64 (blocks,)
        """
        lane = cuda.threadIdx.x
        within = lane % warp
        place = 4 * lane
        has_floats = place < P
        out = cuda.local.array(numbers, float32)
        change = cuda.local.array(numbers, float32)
        score = cuda.local.array(O, float32)  # of every output, then its step
        if warps > 1:
            parts = cuda.shared.array((2, O, most_warps), float32)
        parity = 0
        one = float32(1.0)
        zero = float32(0.0)
        loss = float64(0.0)
        product = one
        hinge = zero
        factors = 0
        n_pairs = int64(0)
        n_windows = int64(total[0]) - aside
        first = n_windows * cuda.blockIdx.x // cuda.gridDim.x
        last = n_windows * (cuda.blockIdx.x + 1) // cuda.gridDim.x
        fall = (last_rate - first_rate) / float32(max(last - first, 1))
        for w in range(first, last):
            n = sizes[w]
            if n == 0:
                continue
            rate = first_rate + fall * float32(w - first)
            for k in range(O):
                for f in range(4):
                    out[4 * k + f] = zero
                    change[4 * k + f] = zero
                if has_floats:
                    row = int64(outputs[w, k]) * P + place
                    a, b, c, d = load_four(W_out, row)
                    out[4 * k] = a
                    out[4 * k + 1] = b
                    out[4 * k + 2] = c
                    out[4 * k + 3] = d
            na, nb, nc, nd = zero, zero, zero, zero
            rounds = n
            count = 0
            scale = one
            handed = one
            next_row = int64(contexts[w, 0]) * P + place
            if skipgram:
                if has_floats:
                    na, nb, nc, nd = load_four(W_in, next_row)
            else:
                for i in range(n):
                    weight = float32(times[w, i])
                    count += times[w, i]
                    if has_floats:
                        a, b, c, d = load_four(W_in, int64(contexts[w, i]) * P + place)
                        na += weight * a
                        nb += weight * b
                        nc += weight * c
                        nd += weight * d
                if mean:
                    scale = one / float32(count)
                na *= scale
                nb *= scale
                nc *= scale
                nd *= scale
                handed = scale
                if given:
                    handed = factor * float32(math.pow(float32(count), power))
                rounds = 1
            for i in range(rounds):
                xa, xb, xc, xd = na, nb, nc, nd
                row = next_row
                weight = 1
                if skipgram:
                    weight = times[w, i]
                    if i + 1 < n:
                        next_row = int64(contexts[w, i + 1]) * P + place
                        if has_floats:
                            na, nb, nc, nd = load_four(W_in, next_row)
                # Lane k keeps the score of output k, and works out its sigmoid.
                for k in range(O):
                    dot = out[4 * k] * xa + out[4 * k + 1] * xb
                    score[k] = dot + (out[4 * k + 2] * xc + out[4 * k + 3] * xd)
                z = sums_of_warp(score, O, within)
                if warps > 1:
                    if within == 0:
                        for k in range(O):
                            parts[parity, k, lane // warp] = score[k]
                    cuda.syncthreads()
                    z = zero
                    if within < O:
                        for part in range(warps):
                            z += parts[parity, within, part]
                    parity = 1 - parity
                if within == 0:
                    z = -z
                e = exponential(-abs(z))
                share = quotient(one, one + e)
                step = rate * float32(weight) * (share if z >= zero else e * share)
                if within > 0:
                    step = -step
                n_pairs += weight
                if within < O:
                    if weight == 1:
                        product *= one + e
                        hinge += max(z, zero)
                        factors += 1
                        if factors == MOST_FACTORS:
                            loss += float64(math.log(product)) + float64(hinge)
                            product, hinge, factors = one, zero, 0
                    else:
                        loss += weight * float64(math.log(one + e) + max(z, zero))
                xs, ys, zs, ws = zero, zero, zero, zero
                from_lanes(step, score, O)
                for k in range(O):
                    g = score[k]
                    xs += g * out[4 * k]
                    ys += g * out[4 * k + 1]
                    zs += g * out[4 * k + 2]
                    ws += g * out[4 * k + 3]
                    change[4 * k] += g * xa
                    change[4 * k + 1] += g * xb
                    change[4 * k + 2] += g * xc
                    change[4 * k + 3] += g * xd
                if has_floats:
                    if skipgram:
                        adding(W_in, row, xs, ys, zs, ws)
                    else:
                        for j in range(n):
                            share = handed * float32(times[w, j])
                            row = int64(contexts[w, j]) * P + place
                            adding(W_in, row, share * xs, share * ys, share * zs, share * ws)
            if has_floats:
                for k in range(O):
                    row = int64(outputs[w, k]) * P + place
                    adding(
                        W_out, row, change[4 * k], change[4 * k + 1], change[4 * k + 2],
                        change[4 * k + 3],
                    )  # fmt: skip
        loss += float64(math.log(product)) + float64(hinge)
        losses[cuda.blockIdx.x, lane] = loss if lane < O else float64(0.0)
        if lane == 0:
            pairs[cuda.blockIdx.x] = n_pairs

    return train


def warp_for(n_outputs: int) -> int:
    """Return how many lanes exchange numbers directly; the first of them take an output each."""
    return n_outputs if SIMULATED else WARP


def lanes_for(n_floats: int, n_outputs: int) -> int:
    """Return how many threads work on a window together: whole warps, with a place for each float.

    >>> lanes_for(112, 6), lanes_for(304, 6)
    (32, 96)
    """
    warp = warp_for(n_outputs)
    return -(-n_floats // (LANE_FLOATS * warp)) * warp
