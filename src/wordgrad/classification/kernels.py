"""How gradients become steps of the text network, compiled by Numba.

Vectors step by Adagrad with one sum of squares a row (Duchi, Hazan and Singer, *Adaptive
subgradient methods*, 2011): a rare feature learns much from each text it is in, a step is never
longer than the rate times the root of D, and a row that is not in the batch is not touched.  The
layers step by Adam.

Batches of texts through the network, compiled by Numba.

Design
(a) A batch's gradient is gathered first and applied after, so that a batch's step is exactly
    ``maths.network``'s gradient of its mean loss, handed on to the vectors by the chain rule.
    A feature that occurs twice in a batch gets one row of the gradient: ``slot`` finds it.
(b) The layers are small.  Plain loops whose innermost runs over consecutive floats become vector
    instructions; a call of BLAS would cost more than the product.
(c) Which features a text drops is a function of (key, position), by SplitMix64's finaliser: the
    backward pass recomputes what the forward pass drew.
(d) Rows are indexed, ``vectors[row, d]``, never sliced: Numba counts references to a slice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wordgrad.training.kernels import compiled

FAST = {"contract", "reassoc", "nsz"}  # sums in any order; NaN and infinity keep their meaning
jit = compiled(fastmath=FAST)

_ZERO, _ONE = np.float32(0), np.float32(1)
_TINY = np.float32(1e-12)


@jit
def step_rows(met: Any, vectors: Any, state: Any, rate: Any, l2: Any) -> None:
    """Adagrad's step of the rows met: the mean square of a row's gradients is added up."""
    size = vectors.shape[1]
    slot, rows, owners, shares = state.slot, state.rows, state.owners, state.shares
    d_x, d_rows, norms, squares = state.d_x, state.d_rows, state.norms, state.squares
    for place in range(met):
        row = rows[place]
        slot[row] = -1
        owner = owners[place]
        share = shares[place]
        if owner >= 0 and l2 == 0:
            squares[row] += share * share * norms[owner] / np.float32(size)
            step = rate * share / (np.sqrt(squares[row]) + _TINY)
            for d in range(size):
                vectors[row, d] -= step * d_x[owner, d]
            continue
        square = _ZERO
        for d in range(size):
            slope = share * d_x[owner, d] if owner >= 0 else d_rows[place, d]
            slope += l2 * vectors[row, d]
            d_rows[place, d] = slope
            square += slope * slope
        squares[row] += square / np.float32(size)
        step = rate / (np.sqrt(squares[row]) + _TINY)
        for d in range(size):
            vectors[row, d] -= step * d_rows[place, d]


@jit
def step_layer(p: Any, d_p: Any, mean: Any, square: Any, rate: Any, steps: Any, l2: Any) -> None:
    """Adam's step (Kingma and Ba 2015, algorithm 1) of one flat array; its gradient becomes 0."""
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


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ZERO, _ONE = np.float32(0), np.float32(1)


@jit
def random_share(key: Any, position: Any) -> Any:
    """Return a float32 uniform on [0, 1), a function of the key and the position."""
    z = key + np.uint64(position) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float32(z >> np.uint64(40)) * np.float32(2.0**-24)


@jit
def read_text(
    features: Any, start: Any, stop: Any, vectors: Any, importance: Any, drop: Any, key: Any, x: Any
) -> Any:
    """Set x to a text's weighted sum of vectors over the root of the weights' sum.

    Return what the sum was multiplied by: 0 for a text without features.
    """
    x[:] = _ZERO
    total = _ZERO
    for f in range(start, stop):
        if drop > 0 and random_share(key, f) < drop:
            continue
        row = features[f]
        a = importance[row]
        total += a
        for d in range(x.size):
            x[d] += a * vectors[row, d]
    scale = _ONE / np.sqrt(total) if total > 0 else _ZERO
    for d in range(x.size):
        x[d] *= scale
    return scale


@jit
def hidden_layer(x: Any, W1: Any, b1: Any, h: Any) -> None:
    """Set h = sigmoid(x W1 + b1)."""
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
    """Fill x ``(N, D)`` and logits ``(N, C)`` for every text."""
    h = np.zeros(network.b1.size, np.float32)
    for i in range(offsets.size - 1):
        read_text(
            features, offsets[i], offsets[i + 1], network.vectors, network.importance, _ZERO,
            np.uint64(0), x[i],
        )  # fmt: skip
        hidden_layer(x[i], network.W1, network.b1, h)
        output_layer(h, network.W2, network.b2, logits[i])


@jit
def softmax_loss(logits: Any, label: Any, smoothing: Any) -> Any:
    """Turn logits into y_hat - y in place and return the cross-entropy, in nats.

    With smoothing s the target is 1 - s for the label plus s / C for every class.
    """
    top = logits[0]
    for c in range(1, logits.size):
        top = max(top, logits[c])
    total = _ZERO
    mean = _ZERO
    for c in range(logits.size):
        mean += logits[c]
    right = logits[label] * (_ONE - smoothing) + smoothing * mean / np.float32(logits.size)
    for c in range(logits.size):
        logits[c] = np.exp(logits[c] - top)
        total += logits[c]
    for c in range(logits.size):
        logits[c] = logits[c] / total - smoothing / np.float32(logits.size)
    logits[label] -= _ONE - smoothing
    return np.log(total) + top - right


@jit
def backward_layers(
    x: Any, h: Any, delta_2: Any, W1: Any, W2: Any, d_W1: Any, d_b1: Any, d_W2: Any, d_b2: Any,
    delta_1: Any, d_x: Any,
) -> None:  # fmt: skip
    """Add one text's gradients of the layers, and set d_x = delta_1 W1^T."""
    for c in range(delta_2.size):
        d_b2[c] += delta_2[c]
    for j in range(h.size):
        back = _ZERO
        for c in range(delta_2.size):
            d_W2[j, c] += h[j] * delta_2[c]
            back += W2[j, c] * delta_2[c]
        delta_1[j] = back * h[j] * (_ONE - h[j])
        d_b1[j] += delta_1[j]
    for d in range(x.size):
        back = _ZERO
        for j in range(h.size):
            d_W1[d, j] += x[d] * delta_1[j]
            back += W1[d, j] * delta_1[j]
        d_x[d] = back


@jit
def add_gradients(
    texts: Any, features: Any, offsets: Any, labels: Any, weights: Any, network: Any, state: Any,
    smoothing: Any, drop: Any, key: Any,
) -> Any:  # fmt: skip
    """Gather the gradient of the mean loss of a batch; return the mean and the number of rows met.

    texts : int64 (B,), numbers of texts.
    labels, weights : int64 and float32 (N,), the class of every text and what its loss counts.
    network : NetworkArrays
    state : StateArrays
        ``slot`` is -1 everywhere; afterwards it is each row's place among the rows met.
    """
    x = np.empty(network.W1.shape[0], np.float32)
    h = np.empty(network.b1.size, np.float32)
    delta_1 = np.empty_like(h)
    logits = np.empty(network.b2.size, np.float32)
    met = 0
    loss = 0.0
    for k in range(texts.size):
        i = texts[k]
        weight = weights[i] / np.float32(texts.size)
        scale = read_text(
            features, offsets[i], offsets[i + 1], network.vectors, network.importance, drop, key, x
        )
        hidden_layer(x, network.W1, network.b1, h)
        output_layer(h, network.W2, network.b2, logits)
        loss += np.float64(weight) * softmax_loss(logits, labels[i], smoothing)
        for c in range(logits.size):
            logits[c] *= weight
        d_x = state.d_x[k]
        backward_layers(
            x, h, logits, network.W1, network.W2, state.d_W1, state.d_b1, state.d_W2, state.d_b2,
            delta_1, d_x,
        )  # fmt: skip
        norm = _ZERO
        for d in range(x.size):
            d_x[d] *= scale
            norm += d_x[d] * d_x[d]
        state.norms[k] = norm
        met = meet_rows(
            k, met, features, offsets[i], offsets[i + 1], network.importance, drop, key, state
        )
    return loss, met


@jit
def meet_rows(
    k: Any, met: Any, features: Any, start: Any, stop: Any, importance: Any, drop: Any, key: Any,
    state: Any,
) -> Any:  # fmt: skip
    """Add text k's part to the gradients of its features' rows; return the number of rows met.

    A row that one text alone has met is not written out: its gradient is ``shares`` times the d_x
    of that text, ``owners``.  Most rows stay so.  A row that a second text meets is written to
    ``d_rows``, and has no owner (-1).
    """
    slot, rows, owners, shares = state.slot, state.rows, state.owners, state.shares
    d_x, d_rows = state.d_x, state.d_rows
    for f in range(start, stop):
        if drop > 0 and random_share(key, f) < drop:
            continue
        row = features[f]
        a = importance[row]
        place = slot[row]
        if place < 0:
            slot[row] = met
            rows[met] = row
            owners[met] = k
            shares[met] = a
            met += 1
            continue
        owner = owners[place]
        if owner == k:
            shares[place] += a
        elif owner >= 0:
            owners[place] = -1
            share = shares[place]
            for d in range(d_x.shape[1]):
                d_rows[place, d] = share * d_x[owner, d] + a * d_x[k, d]
        else:
            for d in range(d_x.shape[1]):
                d_rows[place, d] += a * d_x[k, d]
    return met


@jit
def train(
    texts: Any, batch_size: Any, features: Any, offsets: Any, labels: Any, weights: Any,
    network: Any, state: Any, rates: Any, key: Any,
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
            batch, features, offsets, labels, weights, network, state, rates.smoothing, rates.drop,
            key,
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
