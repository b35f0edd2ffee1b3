"""Epochs over bags of features: shuffles, batches, learning rate, validation, history."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.bags import Bags
from wordgrad.classification.text_kernels import add_gradients, step_layer, step_rows
from wordgrad.classification.text_network import TextNetwork
from wordgrad.errors import TrainingError


@dataclass(frozen=True)
class TextTraining:
    """Settings of a training, checked by whoever makes them.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float
        Of the vectors (Adagrad); it falls linearly to 0.
    layer_rate : float
        Of the layers (Adam); it falls with it.
    l2 : float
        Of vectors and weights, biases left alone.
    drop : float
        Share of a text's features that a step leaves out.
    smoothing : float
        Of the labels.
    patience : int
        Epochs without a lower validation loss before training stops.
    seed : int
    """

    epochs: int
    batch_size: int
    learning_rate: float
    layer_rate: float
    l2: float
    drop: float
    smoothing: float
    train_vectors: bool
    patience: int
    seed: int


@dataclass(frozen=True)
class ClassifierProgress:
    """A finished epoch.

    Attributes
    ----------
    epoch, epochs : int
        Epochs done, and their number.
    loss : float
        Mean loss a text, in nats.
    validation_loss, validation_accuracy : float or None
    learning_rate : float
        At the epoch's end.
    seconds : float
        What the epoch took, validation left out.
    """

    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class LabelledBags:
    """Texts, their classes as int64 (N,), and what each counts as float32 (N,), mean 1."""

    bags: Bags
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]


class TextTrainer:
    """Trains a network in place.

    Parameters
    ----------
    network : TextNetwork
    settings : TextTraining
    progress : callable, optional
        Receives a :class:`ClassifierProgress` after every epoch.
    """

    def __init__(
        self,
        network: TextNetwork,
        settings: TextTraining,
        progress: Callable[[Any], None] | None = None,
    ) -> None:
        self.network = network
        self.settings = settings
        self.history: list[ClassifierProgress] = []
        self._progress = progress
        self._layers = [part.reshape(-1) for part in network.layers()]
        self._d_layers = [np.zeros_like(part) for part in network.layers()]
        self._moments = [(np.zeros_like(p), np.zeros_like(p)) for p in self._layers]
        self._squares = np.zeros(len(network.vectors), np.float32)
        self._slot = np.full(len(network.vectors), -1, np.int32)
        self._rows = np.zeros(0, np.int32)
        self._d_rows = np.zeros((0, network.vectors.shape[1]), np.float32)
        self._steps = 0

    def run(self, train: LabelledBags, held: LabelledBags | None = None) -> None:
        """Train for all epochs, or until the loss on ``held`` stops falling.

        Raises
        ------
        TrainingError
            If the loss is no longer a number.
        """
        settings = self.settings
        random = np.random.default_rng([settings.seed, 3])
        batches = -(-len(train.labels) // settings.batch_size)
        best: tuple[float, int, TextNetwork | None] = (np.inf, 0, None)
        for epoch in range(settings.epochs):
            begin = time.perf_counter()
            loss = self._epoch(train, random, batches * settings.epochs)
            seconds = time.perf_counter() - begin
            checked = None if held is None else evaluate(self.network, held)
            self._report(epoch, loss, checked, seconds)
            if checked is not None:
                if checked[0] < best[0]:
                    best = (checked[0], epoch, self.network.copy())
                elif epoch - best[1] >= settings.patience:
                    break
        if best[2] is not None:
            copy_into(self.network, best[2])

    def apply_batch(
        self, train: LabelledBags, texts: NDArray[np.int64], rate: float, key: int = 0
    ) -> float:
        """Take one step on the mean loss of ``texts``; return that loss.

        Parameters
        ----------
        texts : int64 (B,)
        rate : float
            What both learning rates are multiplied by.
        key : int
            Of the features that are dropped.
        """
        settings, network, bags = self.settings, self.network, train.bags
        self._make_room(int((bags.offsets[texts + 1] - bags.offsets[texts]).sum()))
        loss, met = add_gradients(
            texts, train.weights[texts] / np.float32(len(texts)), bags.features, bags.offsets,
            train.labels, network.vectors, network.importance, *network.layers(), *self._d_layers,
            self._slot, self._rows, self._d_rows, np.float32(settings.smoothing),
            np.float32(settings.drop), np.uint64(key),
        )  # fmt: skip
        vector_rate = settings.learning_rate * rate if settings.train_vectors else 0.0
        step_rows(
            met, self._rows, self._d_rows, self._slot, network.vectors, self._squares,
            np.float32(vector_rate), np.float32(settings.l2 if settings.train_vectors else 0),
        )  # fmt: skip
        self._steps += 1
        for i, (p, d_p) in enumerate(zip(self._layers, self._d_layers, strict=True)):
            l2 = settings.l2 if i % 2 == 0 else 0.0
            step_layer(
                p, d_p.reshape(-1), *self._moments[i], np.float32(settings.layer_rate * rate),
                self._steps, np.float32(l2),
            )  # fmt: skip
        return float(loss)

    def _epoch(self, train: LabelledBags, random: np.random.Generator, steps: int) -> float:
        order = random.permutation(len(train.labels)).astype(np.int64)
        key = int(random.integers(2**63))
        size = self.settings.batch_size
        total = 0.0
        for start in range(0, len(order), size):
            texts = order[start : start + size]
            rate = 1.0 - self._steps / steps
            total += len(texts) * self.apply_batch(train, texts, rate, key)
        loss = total / len(order)
        if not np.isfinite(loss):
            raise TrainingError(
                f"Training diverged in epoch {len(self.history) + 1} (the loss is {loss}); use a "
                f"lower learning_rate than {self.settings.learning_rate:g}."
            )
        self._rate = self.settings.learning_rate * (1.0 - self._steps / steps)
        return loss

    def _make_room(self, features: int) -> None:
        if len(self._rows) < features:
            self._rows = np.zeros(2 * features, np.int32)
            self._d_rows = np.zeros((2 * features, self._d_rows.shape[1]), np.float32)

    def _report(
        self, epoch: int, loss: float, checked: tuple[float, float] | None, seconds: float
    ) -> None:
        validation_loss, accuracy = checked if checked is not None else (None, None)
        record = ClassifierProgress(
            epoch + 1, self.settings.epochs, loss, validation_loss, accuracy, self._rate, seconds
        )
        self.history.append(record)
        if self._progress is not None:
            self._progress(record)


def evaluate(network: TextNetwork, held: LabelledBags) -> tuple[float, float]:
    """Weighted mean loss in nats, and accuracy, of labelled texts."""
    logits = network.inputs_and_logits(held.bags)[1].astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    right = logits[np.arange(len(logits)), held.labels]
    losses = np.log(np.exp(logits).sum(axis=1)) - right
    hits = logits.argmax(axis=1) == held.labels
    return float(np.average(losses, weights=held.weights)), float(hits.mean())


def copy_into(network: TextNetwork, other: TextNetwork) -> None:
    """Overwrite a network's parameters with those of another of the same sizes."""
    network.vectors[:] = other.vectors
    for mine, its in zip(network.layers(), other.layers(), strict=True):
        mine[:] = its
