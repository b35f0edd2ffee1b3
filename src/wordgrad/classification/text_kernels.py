"""Batches of texts through the network, compiled by Numba.

Design
(a) A batch's gradient is gathered first and applied after, so that a batch's step is exactly
    ``maths.network``'s gradient of its mean loss, handed on to the vectors by the chain rule.
    A feature that occurs twice in a batch gets one row of the gradient: ``slot`` finds it.
(b) The layers are small.  Plain loops whose innermost runs over consecutive floats become vector
    instructions; a call of BLAS would cost more than the product.
(c) Vectors step by Adagrad with one sum of squares a row (Duchi, Hazan and Singer, *Adaptive
    subgradient methods*, 2011): a rare feature learns much from each text it is in, a step is never
    longer than the rate times the root of D, and a row that is not in the batch is not touched.
(d) Which features a text drops is a function of (key, position), by SplitMix64's finaliser: the
    backward pass recomputes what the forward pass drew.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_FAST = {"contract", "reassoc", "nsz"}  # sums in any order; NaN and infinity keep their meaning
jit = njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
part = njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST, inline="always")

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
    """Set x to the weighted mean of a text's vectors; return 1 / (sum of the weights), or 0."""
    x[:] = _ZERO
    total = _ZERO
    for f in range(start, stop):
        if drop > 0 and random_share(key, f) < drop:
            continue
        row = vectors[features[f]]
        a = importance[features[f]]
        total += a
        for d in range(x.size):
            x[d] += a * row[d]
    scale = _ONE / total if total > 0 else _ZERO
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
def forward(
    features: Any, offsets: Any, vectors: Any, importance: Any, W1: Any, b1: Any, W2: Any, b2: Any,
    x: Any, logits: Any,
) -> None:  # fmt: skip
    """Fill x ``(N, D)`` and logits ``(N, C)`` for every text."""
    h = np.zeros(b1.size, np.float32)
    for i in range(offsets.size - 1):
        read_text(
            features, offsets[i], offsets[i + 1], vectors, importance, _ZERO, np.uint64(0), x[i]
        )
        hidden_layer(x[i], W1, b1, h)
        output_layer(h, W2, b2, logits[i])


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
    texts: Any, text_weights: Any, features: Any, offsets: Any, labels: Any, vectors: Any,
    importance: Any, W1: Any, b1: Any, W2: Any, b2: Any, d_W1: Any, d_b1: Any, d_W2: Any,
    d_b2: Any, slot: Any, rows: Any, d_rows: Any, smoothing: Any, drop: Any, key: Any,
) -> Any:  # fmt: skip
    """Add the gradient of the weighted sum of a batch's losses; return the loss and the rows met.

    texts : int64 (B,), numbers of texts; ``text_weights``, float32 (B,), what their losses count.
    slot : int32 (R,), -1 everywhere; afterwards each row's place in ``rows`` and ``d_rows``.
    rows : int32 (at least all rows of the batch,); d_rows : float32 (as many, D).
    """
    x = np.empty(W1.shape[0], np.float32)
    d_x = np.empty_like(x)
    h = np.empty(b1.size, np.float32)
    delta_1 = np.empty_like(h)
    logits = np.empty(b2.size, np.float32)
    met = 0
    loss = 0.0
    for k in range(texts.size):
        i = texts[k]
        scale = read_text(features, offsets[i], offsets[i + 1], vectors, importance, drop, key, x)
        hidden_layer(x, W1, b1, h)
        output_layer(h, W2, b2, logits)
        loss += np.float64(text_weights[k]) * softmax_loss(logits, labels[i], smoothing)
        for c in range(logits.size):
            logits[c] *= text_weights[k]
        backward_layers(x, h, logits, W1, W2, d_W1, d_b1, d_W2, d_b2, delta_1, d_x)
        for d in range(x.size):
            d_x[d] *= scale
        for f in range(offsets[i], offsets[i + 1]):
            if drop > 0 and random_share(key, f) < drop:
                continue
            feature = features[f]
            place = slot[feature]
            if place < 0:
                place = met
                met += 1
                slot[feature] = place
                rows[place] = feature
                d_rows[place] = _ZERO
            a = importance[feature]
            d_row = d_rows[place]
            for d in range(d_x.size):
                d_row[d] += a * d_x[d]
    return loss, met


@jit
def step_rows(
    met: Any, rows: Any, d_rows: Any, slot: Any, vectors: Any, squares: Any, rate: Any, l2: Any
) -> None:
    """Adagrad's step of the rows met: the mean square of a row's gradients is added up."""
    n = np.float32(vectors.shape[1])
    for place in range(met):
        row = rows[place]
        slot[row] = -1
        v, d_v = vectors[row], d_rows[place]
        square = _ZERO
        for d in range(v.size):
            d_v[d] += l2 * v[d]
            square += d_v[d] * d_v[d]
        squares[row] += square / n
        step = rate / (np.sqrt(squares[row]) + np.float32(1e-12))
        for d in range(v.size):
            v[d] -= step * d_v[d]


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
