"""Epochs over dense rows: shuffles, batches, early stopping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.dense_network import DenseNetwork, Floats
from wordgrad.classification.optimisers import make_optimiser
from wordgrad.errors import TrainingError


@dataclass(frozen=True)
class DenseTraining:
    """Settings of a training, checked by whoever makes them.

    Attributes
    ----------
    optimizer : {"adam", "momentum", "sgd"}
    learning_rate, momentum, l2, dropout : float
    batch_size, seed : int
    """

    optimizer: str
    learning_rate: float
    momentum: float
    l2: float
    dropout: float
    batch_size: int
    seed: int


@dataclass(frozen=True)
class Rows:
    """Examples: X (N, Dx), classes int64 (N,), and what each counts, (N,)."""

    X: Floats
    labels: NDArray[np.int64]
    weights: Floats

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """Some of the rows, in the order given."""
        return Rows(self.X[rows], self.labels[rows], self.weights[rows])

    def with_weight(self) -> Rows:
        """The rows that count."""
        return self if (self.weights > 0).all() else self.take(np.flatnonzero(self.weights > 0))


class DenseTrainer:
    """Trains a network in place, an epoch a call.

    Attributes
    ----------
    loss_curve : list of float
        Mean loss of every epoch, over its steps, in nats; the term of ``l2`` is left out.
    """

    def __init__(self, network: DenseNetwork, settings: DenseTraining) -> None:
        self.network = network
        self.settings = settings
        self.loss_curve: list[float] = []
        self._optimiser = make_optimiser(settings.optimizer, network.parameters, settings.momentum)
        self._random = np.random.default_rng([settings.seed, 1])

    def epoch(self, rows: Rows) -> None:
        """Go through the rows once.

        Raises
        ------
        TrainingError
            If the loss is no longer a number.
        """
        n = len(rows.labels)
        size = min(self.settings.batch_size, n)
        # Weights have mean 1 over the rows: an example of weight 2 counts as two do.
        share = (rows.weights / rows.weights.mean()).astype(rows.X.dtype)
        order = self._random.permutation(n) if size < n else np.arange(n)
        loss = 0.0
        with np.errstate(over="ignore", invalid="ignore"):  # divergence is an error below
            for start in range(0, n, size):
                batch = order[start : start + size]
                weights = share[batch] / len(batch)
                loss += len(batch) * self.step(rows.X[batch], rows.labels[batch], weights)
        loss /= n
        if not (np.isfinite(loss) and np.isfinite(self.network.parameters).all()):
            raise TrainingError(
                f"Training diverged in epoch {len(self.loss_curve) + 1} (the loss is {loss:g}); "
                f"use a lower learning_rate than {self.settings.learning_rate:g}, or scale the "
                "features."
            )
        self.loss_curve.append(loss)

    def step(self, X: Floats, labels: NDArray[np.int64], weights: Floats) -> float:
        """Take one step on ``sum_i weights_i J_i``; return it."""
        network, settings = self.network, self.settings
        mask = None
        if settings.dropout:
            kept = self._random.random((len(X), len(network.b1))) >= settings.dropout
            mask = (kept / (1 - settings.dropout)).astype(X.dtype)
        loss = network.backward(X, labels, weights, mask)
        if settings.l2:
            network.d_W1 += settings.l2 * network.W1
            network.d_W2 += settings.l2 * network.W2
        self._optimiser.step(network.parameters, network.gradient, settings.learning_rate)
        return loss

    def run(self, rows: Rows, held: Rows | None, epochs: int, patience: int) -> list[float]:
        """Train for all epochs, or until the loss on ``held`` stops falling.

        Returns
        -------
        list of float
            The loss on ``held`` after each epoch; empty without it.
        """
        losses: list[float] = []
        best = self.network.parameters
        for _ in range(epochs):
            self.epoch(rows)
            if held is None:
                continue
            losses.append(
                float(np.average(self.network.losses(held.X, held.labels), weights=held.weights))
            )
            waited = len(losses) - 1 - int(np.argmin(losses))
            if waited == 0:
                best = self.network.parameters.copy()
            if waited >= patience:
                break
        self.network.parameters[:] = best
        return losses
