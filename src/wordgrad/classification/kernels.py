"""The text network, compiled by Numba: features by hash, forward, backward, and the steps.

Design
(a) A batch's gradient is gathered first and applied after, so that a batch's step is exactly
    ``maths.network``'s gradient of its mean loss, handed on to the vectors by the chain rule.
    A feature that several texts of a batch hold is found by ``last``, and steps once.
(b) The layers are small.  Plain loops whose innermost runs over consecutive floats become vector
    instructions; a call of BLAS would cost more than the product.
(c) Which features a text drops is a function of (key, position): the backward pass recomputes what
    the forward pass drew.
(d) Rows are added by address, in registers: Numba counts references to a slice, and cannot know
    that a row and what it is added to are not the same memory.
(e) Vectors step by Adagrad with one sum of squares a row (Duchi, Hazan and Singer, *Adaptive
    subgradient methods*, 2011): a rare feature learns much from each text it is in, a step is never
    longer than the rate times the root of D, and a row that is not in the batch is not touched.
    The layers step by Adam (Kingma and Ba, *Adam: a method for stochastic optimization*, 2015).
(f) What the next text needs is prefetched while a text is read: in tables larger than a cache,
    most of the time went to waiting for it.
(g) Random numbers and hashes are those of SplitMix64, as in the kernels of word vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from wordgrad.compiling import compiled
from wordgrad.training.kernels.intrinsics import I32, I64, LANES, Emitter, prefetch_row
from wordgrad.training.kernels.random import GOLDEN, mix

Array32 = NDArray[np.float32]

SOFTMAX, ONE_VS_ALL, HIERARCHICAL_SOFTMAX = range(3)
"""The losses, in the order of :data:`wordgrad.classification.losses.LOSSES`."""

FAST = {"contract", "reassoc", "nsz"}  # sums in any order; NaN and infinity keep their meaning
jit = compiled(fastmath=FAST)

_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_AT_ONCE = 512  # factors of at most 2: their product is a float64
_TINY = np.float32(1e-12)


class StateArrays(NamedTuple):
    """Gradients, sums and averages that training keeps beside the parameters.

    squares : float32 (R,), Adagrad's sums.
    last : int32 (R,), the last meeting of each row in the batch, or -1.
    importance : float32 (R,), the network's; these three are columns of one table.
    rows, texts, before : int32 (F,); shares : float32 (F,)
        The batch's meetings of a row and a text (see meet), for batches of F features.
    d_x : float32 (B, D); norms : float32 (B,)
        Each text's gradient of x, and the sum of its squares.
    d_layers, means, mean_squares : float32 as ``layers``: gradients and Adam's averages.
    steps : int64 (1,), taken so far.
    """

    squares: Array32
    last: NDArray[np.int32]
    importance: Array32
    rows: NDArray[np.int32]
    texts: NDArray[np.int32]
    before: NDArray[np.int32]
    shares: Array32
    d_x: Array32
    norms: Array32
    d_layers: Array32
    d_W1: Array32
    d_b1: Array32
    d_W2: Array32
    d_b2: Array32
    means: Array32
    mean_squares: Array32
    steps: NDArray[np.int64]


class Rates(NamedTuple):
    """Rates and shares of a training: float32, and ``steps_all`` and ``loss`` int."""

    vectors: np.float32
    layers: np.float32
    l2: np.float32
    smoothing: np.float32
    drop: np.float32
    steps_all: int
    loss: int


WIDTH = min(LANES, 8)
"""Floats of a vector register here: the vectors of a member may have as few as 8 numbers."""


def _set_floats(
    builder: Any, size: Any, addresses: Sequence[Any], values: Callable[..., list[Any]]
) -> None:
    """Set ``size`` floats at the last address to ``values(emitter, places, addresses)``.

    They are emitted for what fills registers, and then float by float.
    """

    def emit(e: Emitter, floats: Any, starts: Sequence[Any]) -> None:
        def block(places: list[Any], _: list[Any]) -> list[Any]:
            for value, place in zip(values(e, places, *starts), places, strict=True):
                e.store(value, e.offset(starts[-1], place, 4))
            return []

        e.blocks(floats, [], block)

    whole = builder.and_(size, ir.Constant(I64, -WIDTH))
    emit(Emitter(builder, WIDTH), whole, addresses)
    with builder.if_then(builder.icmp_signed("<", whole, size), likely=False):
        bytes_ = builder.mul(whole, ir.Constant(I64, 4))
        rest = [builder.add(address, bytes_) for address in addresses]
        emit(Emitter(builder, 1), builder.sub(size, whole), rest)


@intrinsic
def sum_rows(typingctx: Any, rows: Any, shares: Any, n: Any, table: Any, size: Any, x: Any) -> Any:
    """Set x to the sum of ``n`` >= 1 rows of a table, each times its share, in registers.

    rows : address of int32; shares, table, x : of float32; size : floats of a row.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows_, shares_, n_, table_, size_, x_ = arguments
        row_bytes = builder.mul(size_, ir.Constant(I64, 4))

        def sums(e: Emitter, places: list[Any], base: Any, _: Any) -> list[Any]:
            def add(k: Any, totals: list[Any]) -> list[Any]:
                row = builder.load(e.pointer(e.offset(rows_, k, 4), I32), align=4)
                start = builder.add(base, builder.mul(builder.sext(row, I64), row_bytes))
                share = e.broadcast(e.offset(shares_, k, 4))
                return [
                    e.fma(share, e.load(e.offset(start, place, 4)), total)
                    for place, total in zip(places, totals, strict=True)
                ]

            zeros = [e.constant(0.0)] * len(places)
            found: list[Any] = e.loop("rows", ir.Constant(I64, 0), n_, 1, zeros, add)
            return found

        _set_floats(builder, size_, [table_, x_], sums)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), codegen


@intrinsic
def add_scaled(typingctx: Any, target: Any, factor: Any, source: Any, size: Any) -> Any:
    """Add ``factor`` times ``size`` floats at one address to those at another."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target_, factor_, source_, size_ = arguments

        def sums(e: Emitter, places: list[Any], of: Any, to: Any) -> list[Any]:
            wide = e.splat(factor_)
            return [
                e.fma(wide, e.load(e.offset(of, place, 4)), e.load(e.offset(to, place, 4)))
                for place in places
            ]

        _set_floats(builder, size_, [source_, target_], sums)
        return context.get_dummy_value()

    return types.void(types.int64, types.float32, types.int64, types.int64), codegen


@intrinsic
def dot(typingctx: Any, a: Any, b: Any, size: Any) -> Any:
    """Return the product of ``size`` floats, a multiple of WIDTH, at one address and another."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right, size_ = arguments
        e = Emitter(builder, WIDTH)

        def block(places: list[Any], totals: list[Any]) -> list[Any]:
            for place in places:
                pair = [e.load(e.offset(start, place, 4)) for start in (left, right)]
                totals = [e.fma(*pair, *totals)]
            return totals

        total = e.blocks(size_, [e.constant(0.0)], block)
        return builder.extract_element(e.sums(total)[0], ir.Constant(I32, 0))

    return types.float32(types.int64, types.int64, types.int64), codegen


@jit
def padded(n: Any) -> Any:
    """Return the least multiple of WIDTH that is at least n."""
    return (n + WIDTH - 1) // WIDTH * WIDTH


@jit
def _ngram_hash(symbols: Any, start: Any, length: Any, first: Any, n: Any, buckets: Any) -> Any:
    """Hash of the n-gram that begins at place ``first`` (-1: the edge) of a text of ``length``.

    A hash mixes in one symbol after another; these are the ids + 2, and GOLDEN and GOLDEN + 1 for
    the edges.
    """
    z = np.uint64(n)
    for j in range(first, first + n):
        if 0 <= j < length:
            symbol = np.uint64(np.int64(symbols[start + j]) + np.int64(2))
        else:
            symbol = GOLDEN + np.uint64(j >= length)
        z = mix(z * GOLDEN + symbol)
    return np.int64(z % np.uint64(buckets))


@jit
def count_hashes(
    ids: Any, offsets: Any, symbols: Any, longest: Any, buckets: Any, counts: Any
) -> None:
    """Count the n-grams of texts in ``counts``, uint8 (buckets,), which stop at 255.

    symbols : int32, what each type of the ids is in n-grams.
    """
    text = np.empty(0, np.int32)
    for i in range(offsets.size - 1):
        length = offsets[i + 1] - offsets[i]
        text = _symbols_of(ids, offsets[i], length, symbols, text)
        for n in range(2, longest + 1 if length > 0 else 2):
            for first in range(-1, length + 2 - n):
                place = _ngram_hash(text, 0, length, first, n, buckets)
                if counts[place] < 255:
                    counts[place] += np.uint8(1)


@jit
def _symbols_of(ids: Any, start: Any, length: Any, symbols: Any, text: Any) -> Any:
    if text.size < length:
        text = np.empty(2 * length, np.int32)
    for j in range(length):
        text[j] = symbols[ids[start + j]]
    return text


@jit
def _row_of(hash_: Any, hashes: Any, table: Any) -> Any:
    """Place of a hash among the rising ``hashes``, or -1; by ``table`` if there is one."""
    if table.size > 0:
        return table[hash_]
    place = np.searchsorted(hashes, hash_)
    found = place < hashes.size and hashes[place] == hash_
    return np.int32(place) if found else np.int32(-1)


@jit
def fill_bags(
    ids: Any, offsets: Any, words: Any, parts: Any, part_ends: Any, symbols: Any, longest: Any,
    buckets: Any, hashes: Any, table: Any, first_ngram: Any, features: Any, ends: Any,
) -> Any:  # fmt: skip
    """Write the features of text i up to ``features[ends[i]]``; return how many words have none.

    words, symbols : int32, of each type of the ids; -1 for none.
    parts, part_ends : int32, int64
        Rows of the parts of type t: ``parts[part_ends[t]:part_ends[t + 1]]``.
    """
    text = np.empty(0, np.int32)
    k = 0
    unknown = 0
    for i in range(offsets.size - 1):
        start, stop = offsets[i], offsets[i + 1]
        for t in range(start, stop):
            row = words[ids[t]]
            if row >= 0:
                features[k] = row
                k += 1
            else:
                unknown += 1
        for t in range(start, stop):
            for p in range(part_ends[ids[t]], part_ends[ids[t] + 1]):
                features[k] = parts[p]
                k += 1
        length = stop - start
        text = _symbols_of(ids, start, length, symbols, text)
        for n in range(2, longest + 1 if length > 0 else 2):
            for first in range(-1, length + 2 - n):
                row = _row_of(_ngram_hash(text, 0, length, first, n, buckets), hashes, table)
                if row >= 0:
                    features[k] = row + first_ngram
                    k += 1
        ends[i] = k
    return unknown


@jit
def count_texts(features: Any, offsets: Any, weights: Any, counts: Any) -> None:
    """Add to ``counts``, int64 (R,), the texts of a weight above 0 that hold each feature."""
    last = np.full(counts.size, -1, np.int32)
    for i in range(offsets.size - 1):
        if weights[i] > 0:
            for f in range(offsets[i], offsets[i + 1]):
                row = features[f]
                if last[row] != i:
                    last[row] = i
                    counts[row] += 1


@jit
def divergences_of_rows(
    features: Any, offsets: Any, labels: Any, ends: Any, weights: Any, prior: Any, counts: Any,
    start: Any, stop: Any, smoothing: Any, out: Any,
) -> None:  # fmt: skip
    """Set ``out[start:stop]`` to the roots of the divergences of some rows; see ``divergences``.

    The texts of each row are listed first, so that only the classes that a row meets are visited:
    a table of rows and classes would have billions of cells, nearly all of them empty.

    A text of several labels is an equal part of an observation of each.

    labels, ends : int64, as in :func:`add_gradients`.
    counts : int64 (R,), from :func:`count_texts`; prior : float64 (C,).
    """
    n = stop - start
    places = np.zeros(n + 1, np.int64)
    for r in range(n):
        places[r + 1] = places[r] + counts[start + r]
    texts = np.empty(places[n], np.int32)
    free = places[:-1].copy()
    for i in range(offsets.size - 1):
        if weights[i] > 0:
            for f in range(offsets[i], offsets[i + 1]):
                r = features[f] - start
                if 0 <= r < n and (free[r] == places[r] or texts[free[r] - 1] != i):
                    texts[free[r]] = i
                    free[r] += 1
    sums = np.zeros(prior.size)
    met = np.empty(prior.size, np.int64)
    for r in range(n):
        n_met = 0
        total = 0.0
        for k in range(places[r], places[r + 1]):
            i = texts[k]
            for place in range(ends[i], ends[i + 1]):
                c = labels[place]
                weight = weights[i] / (ends[i + 1] - ends[i])
                if sums[c] == 0:
                    met[n_met] = c
                    n_met += 1
                sums[c] += weight
                total += weight
        # Of a class without the feature q / p is the same, smoothing / (total + smoothing).
        share = smoothing / (total + smoothing)
        divergence = 0.0
        mass = 0.0
        for k in range(n_met):
            c = met[k]
            q = (sums[c] + smoothing * prior[c]) / (total + smoothing)
            divergence += q * np.log(q / prior[c])
            mass += prior[c]
            sums[c] = 0.0
        if mass < 1:
            divergence += (1 - mass) * share * np.log(share)
        out[start + r] = np.sqrt(max(divergence, 0.0))


@jit
def random_share(key: Any, position: Any) -> Any:
    """Return a float32 uniform on [0, 1), a function of the key and the position."""
    z = mix(key + np.uint64(position) * GOLDEN)
    return np.float32(z >> np.uint64(40)) * np.float32(2.0**-24)


@jit
def hidden_layer(x: Any, W1: Any, b1: Any, h: Any) -> None:
    """Set h = sigmoid(x W1 + b1), or h = x where there are no hidden units."""
    if b1.size == 0:
        h[:] = x
        return
    h[:] = b1
    for d in range(x.size):
        for j in range(h.size):
            h[j] += x[d] * W1[d, j]
    for j in range(h.size):
        h[j] = _ONE / (_ONE + np.exp(-h[j]))


@jit
def output_layer(h: Any, W2: Any, b2: Any, logits: Any) -> None:
    """Set the logits = h W2 + b2."""
    logits[:] = b2
    for j in range(h.size):
        for c in range(logits.size):
            logits[c] += h[j] * W2[j, c]


@jit
def forward(features: Any, offsets: Any, network: Any, x: Any, logits: Any) -> None:
    """Fill x ``(N, D)`` and logits ``(N, C)`` for every text.

    x is a text's weighted sum of vectors over the root of the weights' sum.
    """
    h = np.zeros(network.W2.shape[0], np.float32)
    longest = 0
    for i in range(offsets.size - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    shares = np.empty(longest, np.float32)
    size = x.shape[1]
    vectors, rows = network.vectors.ctypes.data, features.ctypes.data
    for i in range(offsets.size - 1):
        start, n = offsets[i], offsets[i + 1] - offsets[i]
        total = _ZERO
        for k in range(n):
            shares[k] = network.importance[features[start + k]]
            total += shares[k]
        if n > 0:
            sum_rows(
                rows + 4 * start, shares.ctypes.data, n, vectors, size, x.ctypes.data + 4 * size * i
            )
            scale = _ONE / np.sqrt(total)
            for d in range(size):
                x[i, d] *= scale
        else:
            x[i] = _ZERO
        hidden_layer(x[i], network.W1, network.b1, h)
        output_layer(h, network.W2, network.b2, logits[i])


@jit
def softmax_loss(logits: Any, labels: Any, smoothing: Any) -> Any:
    """Turn logits into y_hat - y in place and return the cross-entropy, in nats.

    The labels, at least one, share the target; with smoothing s that is 1 - s for them plus s / C
    for every class.
    """
    top = logits[0]
    for c in range(1, logits.size):
        top = max(top, logits[c])
    total = _ZERO
    mean = _ZERO
    for c in range(logits.size):
        mean += logits[c]
    share = (_ONE - smoothing) / np.float32(labels.size)
    right = smoothing * mean / np.float32(logits.size)
    for k in range(labels.size):
        right += logits[labels[k]] * share
    for c in range(logits.size):
        logits[c] = np.exp(logits[c] - top)
        total += logits[c]
    for c in range(logits.size):
        logits[c] = logits[c] / total - smoothing / np.float32(logits.size)
    for k in range(labels.size):
        logits[labels[k]] -= share
    return np.log(total) + top - right


@jit
def one_vs_all_loss(logits: Any, labels: Any, smoothing: Any) -> Any:
    """Turn logits into sigma(z) - y in place and return the loss, in nats.

    log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), of which the second is one logarithm for many.
    """
    loss = 0.0
    for k in range(labels.size):
        loss -= np.float64((_ONE - smoothing) * logits[labels[k]])
    factors = 1.0
    for c in range(logits.size):
        z = logits[c]
        if c % _AT_ONCE == 0:
            loss += np.log(factors)
            factors = 1.0
        e = np.exp(-abs(z))
        factors *= np.float64(_ONE + e)
        loss += np.float64(max(z, _ZERO) - _HALF * smoothing * z)
        logits[c] = (_ONE if z >= 0 else e) / (_ONE + e) - _HALF * smoothing
    for k in range(labels.size):
        logits[labels[k]] -= _ONE - smoothing
    return loss + np.log(factors)


@jit
def tree_loss(
    h: Any, labels: Any, tree: Any, smoothing: Any, weight: Any, W2: Any, b2: Any, d_W2: Any,
    d_b2: Any, d_h: Any,
) -> Any:  # fmt: skip
    """Return the loss of the paths of a text's labels, in nats, and add its gradients.

    Those are multiplied by ``weight``; ``d_h`` is set.  Of the C - 1 questions only the asked ones
    are looked at.
    """
    loss = 0.0
    d_h[:] = _ZERO
    for k in range(labels.size):
        for p in range(tree.offsets[labels[k]], tree.offsets[labels[k] + 1]):
            node, sign = tree.nodes[p], tree.signs[p]
            z = b2[node]
            for j in range(h.size):
                z += h[j] * W2[j, node]
            target = _HALF + _HALF * sign * (_ONE - smoothing)
            e = np.exp(-abs(z))
            loss += np.float64(max(z, _ZERO) - target * z) + np.log1p(np.float64(e))
            delta = (_ONE if z >= 0 else e) / (_ONE + e) - target
            delta *= weight / np.float32(labels.size)
            d_b2[node] += delta
            for j in range(h.size):
                d_W2[j, node] += h[j] * delta
                d_h[j] += W2[j, node] * delta
    return loss / np.float64(labels.size)


@jit
def leaves_of(answers: Any, tree: Any, out: Any) -> None:
    """Set ``out`` (N, C) to the products of the answers sigma(z) ``(N, C - 1)`` on every way."""
    n = tree.left.size // 2 + 1
    reached = np.empty(tree.left.size)
    for i in range(answers.shape[0]):
        reached[2 * n - 2] = 1.0
        for node in range(2 * n - 2, n - 1, -1):
            yes = answers[i, node - n]
            reached[tree.left[node]] = reached[node] * (1.0 - yes)
            reached[tree.right[node]] = reached[node] * yes
        for c in range(n):
            out[i, c] = reached[c]


@jit
def outputs_of_rows(h: Any, rows: Any, b2: Any, logits: Any) -> None:
    """Set the logits = h W2 + b2.

    rows : float32 (C, padded(H)), W2 transposed, so that few classes do not make short loops; h,
    and d_h below, have as many numbers.  Those above H are 0.
    """
    place = rows.ctypes.data
    for c in range(logits.size):
        logits[c] = b2[c] + dot(h.ctypes.data, place + 4 * h.size * c, h.size)


@jit
def backward_outputs(
    h: Any, delta_2: Any, rows: Any, classes: Any, d_rows: Any, d_b2: Any, d_h: Any
) -> None:
    """Add one text's gradients of the output layer, and set d_h = delta_2 W2^T.

    classes : int32 (C,), 0, 1, ...
    """
    size = h.size
    for c in range(delta_2.size):
        d_b2[c] += delta_2[c]
        add_scaled(d_rows.ctypes.data + 4 * size * c, delta_2[c], h.ctypes.data, size)
    sum_rows(
        classes.ctypes.data, delta_2.ctypes.data, delta_2.size, rows.ctypes.data, size,
        d_h.ctypes.data,
    )  # fmt: skip


@jit
def backward_hidden(x: Any, h: Any, d_h: Any, W1: Any, d_W1: Any, d_b1: Any, d_x: Any) -> None:
    """Add one text's gradients of the hidden layer, and set d_x; d_h becomes delta_1.

    Without hidden units h is x.
    """
    if d_b1.size == 0:
        d_x[:] = d_h
        return
    for j in range(h.size):
        d_h[j] *= h[j] * (_ONE - h[j])
        d_b1[j] += d_h[j]
    for d in range(x.size):
        back = _ZERO
        for j in range(h.size):
            d_W1[d, j] += x[d] * d_h[j]
            back += W1[d, j] * d_h[j]
        d_x[d] = back


@jit
def add_gradients(
    texts: Any, features: Any, offsets: Any, labels: Any, ends: Any, weights: Any, network: Any,
    tree: Any, state: Any, rates: Any, key: Any,
) -> Any:  # fmt: skip
    """Gather the gradient of the mean loss of a batch; return the mean and how many meetings.

    texts : int64 (B,), numbers of texts.
    labels, ends : int64 (L,) and (N + 1,)
        Text i has the classes ``labels[ends[i]:ends[i + 1]]``.
    weights : float32 (N,), what the loss of every text counts.
    network : NetworkArrays; tree : Tree
    state : StateArrays
        ``last`` is -1 everywhere; afterwards it is each row's last meeting.
    """
    x = np.empty(network.W1.shape[0], np.float32)
    n_hidden, n_classes = network.W2.shape
    whole_h = np.zeros(padded(n_hidden), np.float32)
    whole_d_h = np.zeros_like(whole_h)
    h, d_h = whole_h[:n_hidden], whole_d_h[:n_hidden]
    logits = np.empty(n_classes, np.float32)
    all_classes = np.arange(n_classes).astype(np.int32)
    asks_tree = rates.loss == HIERARCHICAL_SOFTMAX
    W2_rows = np.zeros((0 if asks_tree else n_classes, whole_h.size), np.float32)
    d_W2_rows = np.zeros_like(W2_rows)
    for c in range(W2_rows.shape[0]):
        for j in range(n_hidden):
            W2_rows[c, j] = network.W2[j, c]
    met = 0
    loss = 0.0
    places = features.ctypes.data
    cells, cell_bytes = state.squares.ctypes.data, state.squares.strides[0]
    size = x.size
    vectors, row_bytes = network.vectors.ctypes.data, 4 * size
    for k in range(texts.size):
        i = texts[k]
        if k + 2 < texts.size:
            later = texts[k + 2]
            n_features = offsets[later + 1] - offsets[later]
            prefetch_row(places + 4 * offsets[later], 4 * n_features)
        if k + 1 < texts.size:
            for f in range(offsets[texts[k + 1]], offsets[texts[k + 1] + 1]):
                row = np.int64(features[f])
                prefetch_row(vectors + row_bytes * row, row_bytes)
                prefetch_row(cells + cell_bytes * row, cell_bytes)
        weight = weights[i] / np.float32(texts.size)
        classes = labels[ends[i] : ends[i + 1]]
        first = met
        met, total = meet(k, met, features, offsets[i], offsets[i + 1], rates.drop, key, state)
        scale = _ZERO
        if met > first:
            scale = _ONE / np.sqrt(total)
            sum_rows(
                state.rows.ctypes.data + 4 * first, state.shares.ctypes.data + 4 * first,
                met - first, vectors, size, x.ctypes.data,
            )  # fmt: skip
            for d in range(size):
                x[d] *= scale
        else:
            x[:] = _ZERO
        hidden_layer(x, network.W1, network.b1, h)
        if asks_tree:
            loss += np.float64(weight) * tree_loss(
                h, classes, tree, rates.smoothing, weight, network.W2, network.b2, state.d_W2,
                state.d_b2, d_h,
            )  # fmt: skip
        else:
            outputs_of_rows(whole_h, W2_rows, network.b2, logits)
            if rates.loss == SOFTMAX:
                value = np.float64(softmax_loss(logits, classes, rates.smoothing))
            else:
                value = one_vs_all_loss(logits, classes, rates.smoothing)
            loss += np.float64(weight) * value
            for c in range(logits.size):
                logits[c] *= weight
            backward_outputs(
                whole_h, logits, W2_rows, all_classes, d_W2_rows, state.d_b2, whole_d_h
            )
        d_x = state.d_x[k]
        backward_hidden(x, h, d_h, network.W1, state.d_W1, state.d_b1, d_x)
        norm = _ZERO
        for d in range(size):
            d_x[d] *= scale
            norm += d_x[d] * d_x[d]
        state.norms[k] = norm
    for c in range(d_W2_rows.shape[0]):
        for j in range(n_hidden):
            state.d_W2[j, c] += d_W2_rows[c, j]
    return loss, met


@jit
def meet(
    k: Any, met: Any, features: Any, start: Any, stop: Any, drop: Any, key: Any, state: Any
) -> Any:
    """List the rows that text k meets, with their shares; return how many meetings there are.

    And the sum of this text's shares.  A row that a text holds twice is met once, with twice the
    share.  ``before`` leads from a row's meeting to the one before it in the batch, or to -1, so
    that no gradient need be written out: it is the sum of shares times the d_x of those texts.
    """
    last, rows, texts, before, shares = (
        state.last, state.rows, state.texts, state.before, state.shares
    )  # fmt: skip
    importance = state.importance
    total = _ZERO
    for f in range(start, stop):
        if drop > 0 and random_share(key, f) < drop:
            continue
        row = features[f]
        a = importance[row]
        total += a
        place = last[row]
        if place >= 0 and texts[place] == k:
            shares[place] += a
            continue
        last[row] = met
        rows[met] = row
        texts[met] = k
        before[met] = place
        shares[met] = a
        met += 1
    return met, total


@jit
def step_rows(met: Any, vectors: Any, state: Any, rate: Any, l2: Any) -> None:
    """Adagrad's step of the rows met: the mean square of a row's gradients is added up."""
    size = vectors.shape[1]
    last, rows, texts, before, shares = (
        state.last, state.rows, state.texts, state.before, state.shares
    )  # fmt: skip
    norms, squares = state.norms, state.squares
    table, slopes = vectors.ctypes.data, state.d_x.ctypes.data
    summed = np.zeros(padded(size), np.float32)
    slope = summed.ctypes.data
    row_bytes = 4 * size
    for place in range(met):
        row = rows[place]
        if last[row] != place:  # a later meeting takes all of them
            continue
        last[row] = -1
        vector = table + row_bytes * np.int64(row)
        if before[place] < 0 and l2 == 0:
            share = shares[place]
            squares[row] += share * share * norms[texts[place]] / np.float32(size)
            step = rate * share / (np.sqrt(squares[row]) + _TINY)
            add_scaled(vector, -step, slopes + row_bytes * texts[place], size)
            continue
        summed[:] = _ZERO
        add_scaled(slope, l2, vector, size)
        other = place
        while other >= 0:
            add_scaled(slope, shares[other], slopes + row_bytes * texts[other], size)
            other = before[other]
        squares[row] += dot(slope, slope, summed.size) / np.float32(size)
        step = rate / (np.sqrt(squares[row]) + _TINY)
        add_scaled(vector, -step, slope, size)


@jit
def step_layer(p: Any, d_p: Any, mean: Any, square: Any, rate: Any, steps: Any, l2: Any) -> None:
    """Adam's step (Kingma and Ba, algorithm 1) of one flat array; its gradient becomes 0."""
    keep, keep_square = np.float32(0.9), np.float32(0.999)
    mean_scale = np.float32(1.0 / (1.0 - 0.9**steps))
    square_scale = np.float32(1.0 / (1.0 - 0.999**steps))
    for i in range(p.size):
        g = d_p[i] + l2 * p[i]
        mean[i] = keep * mean[i] + (_ONE - keep) * g
        square[i] = keep_square * square[i] + (_ONE - keep_square) * g * g
        root = np.sqrt(square[i] * square_scale) + np.float32(1e-8)
        p[i] -= rate * mean_scale * mean[i] / root
        d_p[i] = _ZERO


@jit
def train(
    texts: Any, batch_size: Any, features: Any, offsets: Any, labels: Any, ends: Any,
    weights: Any, network: Any, tree: Any, state: Any, rates: Any, key: Any,
) -> Any:  # fmt: skip
    """Take one step a batch of ``texts``, in their order; return the mean loss, weighted, float64.

    rates : Rates; both fall linearly, to 0 after ``rates.steps_all`` steps.
    """
    loss = 0.0
    n_weights, n_hidden, n_out = network.W1.size, network.b1.size, network.W2.size
    cuts = (0, n_weights, n_weights + n_hidden, n_weights + n_hidden + n_out, network.layers.size)
    for start in range(0, texts.size, batch_size):
        batch = texts[start : start + batch_size]
        mean, met = add_gradients(
            batch, features, offsets, labels, ends, weights, network, tree, state, rates, key,
        )  # fmt: skip
        loss += mean * np.float64(batch.size)
        left = np.float32(1.0 - state.steps[0] / rates.steps_all)
        state.steps[0] += 1
        step_rows(met, network.vectors, state, rates.vectors * left, rates.l2)
        for i in range(4):
            part = slice(cuts[i], cuts[i + 1])
            step_layer(
                network.layers[part], state.d_layers[part], state.means[part],
                state.mean_squares[part], rates.layers * left, state.steps[0],
                rates.l2 if i % 2 == 0 else _ZERO,
            )  # fmt: skip
    return loss / np.float64(texts.size)
