"""BLAS calls or compiled loops for the layers of a dense classifier, and both classifiers' epochs.

    python benchmarks/dense_layers.py

Both give the same gradients (checked first).  Processor time of forward and backward passes over
9,000 random rows, batches of 200, float32, one thread; the least of seven alternating rounds.  Then
an epoch of ``OneHiddenLayerClassifier`` and one of ``MLPClassifier``: sizes, batches and Adam are
alike.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from lever_figures import dense_epochs, dense_layers
from machine import RESULTS, circumstances
from numba import njit
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from wordgrad import OneHiddenLayerClassifier
from wordgrad.classification.kernels import (
    backward_layers,
    hidden_layer,
    output_layer,
    softmax_loss,
)
from wordgrad.network_classifier import DenseNetwork

ROWS, BATCH, CLASSES, ROUNDS, EPOCHS = 9000, 200, 5, 7, 5
SIZES = ((32, 16), (100, 100), (300, 64))
OUT = "dense-layers.json"


@njit(fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")  # type: ignore[untyped-decorator]
def _loops(X: Any, y: Any, layers: Any, slopes: Any, zero: Any) -> None:
    """Forward and backward passes, row by row; the gradients are added up."""
    (W1, b1, W2, b2), (d_W1, d_b1, d_W2, d_b2) = layers, slopes
    h, logits = np.empty_like(b1), np.empty_like(b2)
    delta, d_x = np.empty_like(b1), np.empty_like(X[0])
    for i in range(X.shape[0]):
        hidden_layer(X[i], W1, b1, h)
        output_layer(h, W2, b2, logits)
        softmax_loss(logits, y[i], zero)
        backward_layers(X[i], h, logits, W1, W2, d_W1, d_b1, d_W2, d_b2, delta, d_x)


def passes(inputs: int, hidden: int) -> dict[str, float]:
    """Least seconds of both ways, for one size."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, inputs)).astype(np.float32)
    y = rng.integers(0, CLASSES, ROWS)
    network = DenseNetwork(inputs, hidden, CLASSES, dtype=np.float32, seed=0)
    layers = (network.W1, network.b1, network.W2, network.b2)
    slopes = tuple(np.zeros_like(part) for part in layers)
    ones = np.ones(BATCH, np.float32)

    def blas() -> None:
        for start in range(0, ROWS, BATCH):
            network.backward(X[start : start + BATCH], y[start : start + BATCH], ones)

    def loops() -> None:
        for start in range(0, ROWS, BATCH):
            batch = slice(start, start + BATCH)
            for part in slopes:
                part[:] = 0
            _loops(X[batch], y[batch], layers, slopes, np.float32(0))

    blas()
    loops()
    found = np.concatenate([part.ravel() for part in slopes])
    np.testing.assert_allclose(found, network.gradient, atol=1e-3)
    return _least({"blas": blas, "loops": loops})


def epochs() -> dict[str, float]:
    """Least seconds an epoch of ours and of scikit-learn's."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 100)).astype(np.float32)
    y = np.tanh(X @ rng.normal(size=(100, CLASSES))).argmax(axis=1)
    ours = OneHiddenLayerClassifier(hidden_size=100, epochs=EPOCHS, batch_size=BATCH)
    theirs = MLPClassifier(
        (100,), activation="logistic", max_iter=EPOCHS, batch_size=BATCH, learning_rate_init=0.01
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that five epochs are too few is known
        found = _least({"wordgrad": lambda: ours.fit(X, y), "sklearn": lambda: theirs.fit(X, y)})
    return {name: seconds / EPOCHS for name, seconds in found.items()}


def _least(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, run in ways.items():
            begin = time.process_time()
            run()
            seconds[name].append(time.process_time() - begin)
    return {name: min(values) for name, values in seconds.items()}


def main() -> None:
    """Measure, and write the result."""
    with threadpool_limits(1):
        found = [{"inputs": D, "hidden": H, "seconds": passes(D, H)} for D, H in SIZES]
        result = circumstances() | {"passes": found, "epoch_seconds": epochs()}
    question = "Should the layers of a dense classifier be BLAS calls or compiled loops?"
    (RESULTS / OUT).write_text(json.dumps({"question": question} | result, indent=1) + "\n")
    print(dense_layers(), dense_epochs(), sep="\n")


if __name__ == "__main__":
    main()
