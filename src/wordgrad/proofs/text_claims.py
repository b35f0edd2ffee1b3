"""Claims about the vectors of words under the network: what a text classifier learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgrad import maths
from wordgrad.classification.bags import Bags
from wordgrad.classification.examples import LabelledBags
from wordgrad.classification.text_network import TextNetwork
from wordgrad.classification.text_trainer import Member
from wordgrad.classification.text_training import TextTraining
from wordgrad.proofs import algebra
from wordgrad.proofs.algebra import Point
from wordgrad.proofs.claim import Claim
from wordgrad.proofs.function_claims import LABELS
from wordgrad.proofs.gradient_claim import gradient_claim, random_point

RATE = 0.5
STEPS = 40
COUNTS = np.array([[1.0, 2, 0, 0], [0, 1, 1, 1], [0, 0, 0, 1]])
WEIGHTS = np.array([3.0, 0.5, 1.0, 2.0])


def text_claims() -> list[Claim]:
    """The gradient that flows through x into the vectors."""
    network = maths.OneHiddenLayer(2, 3, 2, seed=4)
    mixing = _mixing(COUNTS, WEIGHTS)
    fixed = {"W1": network.W1, "b1": network.b1, "W2": network.W2, "b2": network.b2}

    def oracle(x: Point) -> tuple[float, Point]:
        gradients = network.loss_and_gradients(mixing @ x["V"], LABELS, "sum")
        return gradients.loss, {"V": mixing.T @ gradients.d_X}

    def symbolic(x: Mapping[str, Any]) -> Any:
        full = {name: algebra.exact(array) for name, array in fixed.items()}
        return algebra.network_loss({**full, "X": algebra.exact(mixing) @ x["V"]}, LABELS)

    return [
        gradient_claim(
            "text: ∂J/∂V = Aᵀ ∂J/∂X",
            "one-hidden-layer.md#vectors-of-the-words",
            random_point(6, V=(4, 2)),
            oracle,
            symbolic,
            machine=text_kernel_error,
        )
    ]


def text_kernel_error() -> float:
    """Largest error of the compiled step of the vectors, and of its loss, over random batches.

    Adagrad's first step is the gradient over the root of its mean square, row by row; so is the
    expected one, from the oracle in float64.
    """
    rng = np.random.default_rng(3)
    return max(_step_error(rng) for _ in range(STEPS))


def _step_error(rng: np.random.Generator) -> float:
    size, hidden, classes, n_rows = (int(n) for n in rng.integers(2, 12, 4))
    lengths = rng.integers(0, 9, 6)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    features = rng.integers(0, n_rows, offsets[-1]).astype(np.int32)
    weights = rng.uniform(0.1, 3, n_rows).astype(np.float32)
    labels = rng.integers(0, classes, len(lengths)).astype(np.int64)
    bags = Bags(features, offsets, len(features), 0)
    network = TextNetwork.initial(weights, size, hidden, classes, seed=1)
    network.vectors[:] = rng.normal(size=network.vectors.shape)
    before, layers = network.vectors.astype(np.float64), network.exact_layers()
    examples = LabelledBags.of(bags, labels, np.ones(len(labels)))
    loss = Member(network, _settings(size, hidden), examples).apply(np.arange(len(labels)))
    texts = np.repeat(np.arange(len(lengths)), lengths)
    counts = np.zeros((len(lengths), n_rows))
    np.add.at(counts, (texts, features), 1)
    mixing = _mixing(counts, weights.astype(np.float64))
    exact = layers.loss_and_gradients(mixing @ before, labels)
    slopes = mixing.T @ exact.d_X
    sizes = np.sqrt((slopes**2).mean(axis=1, keepdims=True))
    steps = RATE * np.divide(slopes, sizes, out=np.zeros_like(slopes), where=sizes > 0)
    error = np.abs(network.vectors - (before - steps)).max() / np.abs(before).max()
    return max(float(error), abs(loss - exact.loss) / max(1.0, exact.loss))


def _mixing(
    counts: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """A: row n mixes the vectors to x_n; a row of zeros for an empty text."""
    weighted = counts * weights
    sums = weighted.sum(axis=1, keepdims=True)
    mixing: npt.NDArray[np.float64] = weighted / np.sqrt(np.where(sums > 0, sums, 1))
    return mixing


def _settings(size: int, hidden: int) -> TextTraining:
    return TextTraining(
        vector_size=size,
        hidden_size=hidden,
        members=1,
        epochs=1,
        batch_size=100,
        learning_rate=RATE,
        l2=0.0,
        dropout=0.0,
        smoothing=0.0,
        train_vectors=True,
        early_stopping=False,
        validation_fraction=0.1,
        patience=1,
        seed=1,
    )
