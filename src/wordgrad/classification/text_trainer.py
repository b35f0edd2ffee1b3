"""Epochs over bags of features: shuffles, learning rate, validation, history."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.examples import LabelledBags
from wordgrad.classification.text_arrays import Rates, StateArrays
from wordgrad.classification.text_kernels import train
from wordgrad.classification.text_network import TextNetwork
from wordgrad.classification.text_training import TextTraining
from wordgrad.errors import TrainingError


@dataclass(frozen=True)
class ClassifierProgress:
    """A finished epoch.

    Attributes
    ----------
    epoch, epochs : int
        Epochs done, and their number.
    loss : float
        Mean loss a text, in nats, over the epoch's steps.
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


class Member:
    """One network, its texts, and its state between epochs.

    Parameters
    ----------
    network : TextNetwork
        Trained in place.
    settings : TextTraining
    examples : LabelledBags
        The texts to train on.
    number : int
        Which member it is: members shuffle differently.
    """

    def __init__(
        self, network: TextNetwork, settings: TextTraining, examples: LabelledBags, number: int = 0
    ) -> None:
        self.network = network
        self.settings = settings
        self.examples = examples
        self._random = np.random.default_rng([settings.seed, 3, number])
        self._state = _new_state(network)
        batches = -(-len(examples.labels) // settings.batch_size)
        self._rates = Rates(
            np.float32(settings.learning_rate if settings.train_vectors else 0),
            np.float32(settings.layer_rate),
            np.float32(settings.l2),
            np.float32(settings.smoothing),
            np.float32(settings.dropout),
            batches * settings.epochs,
        )

    @property
    def share_left(self) -> float:
        """What the learning rate has left of its start."""
        return 1.0 - int(self._state.steps[0]) / self._rates.steps_all

    def epoch(self) -> float:
        """Go through the texts once, in random order; return the mean loss."""
        order = self._random.permutation(len(self.examples.labels)).astype(np.int64)
        return self.apply(order, key=int(self._random.integers(2**63)))

    def apply(self, texts: NDArray[np.int64], key: int = 0) -> float:
        """Take one step a batch of ``texts``; return the mean loss, each before its step.

        Parameters
        ----------
        texts : int64 (B,)
            Numbers of texts, in the order of training.
        key : int
            Of the features that are dropped.
        """
        bags = self.examples.bags
        sizes = np.concatenate([[0], np.cumsum(np.diff(bags.offsets)[texts])])
        size = self.settings.batch_size
        edges = np.minimum(np.arange(0, len(texts) + size, size), len(texts))
        self._make_room(int(np.diff(sizes[edges]).max(initial=0)), min(size, len(texts)))
        return float(
            train(
                texts, size, bags.features, bags.offsets, self.examples.labels,
                self.examples.weights, self.network.arrays(), self._state, self._rates,
                np.uint64(key),
            )
        )  # fmt: skip

    def _make_room(self, features: int, texts: int) -> None:
        state, size = self._state, self.network.vectors.shape[1]
        if len(state.rows) < features:
            room = features + features // 4
            state = state._replace(
                rows=np.zeros(room, np.int32),
                owners=np.zeros(room, np.int32),
                shares=np.zeros(room, np.float32),
                d_rows=np.zeros((room, size), np.float32),
            )
        if len(state.norms) < texts:
            state = state._replace(
                d_x=np.zeros((texts, size), np.float32), norms=np.zeros(texts, np.float32)
            )
        self._state = state


class TextTrainer:
    """Trains members side by side, each on its own, and joins them.

    Parameters
    ----------
    members : list of Member
    progress : callable, optional
        Receives a :class:`ClassifierProgress` after every epoch.
    workers : int
        Threads; what is learned does not depend on them.

    Attributes
    ----------
    history : list of ClassifierProgress
    """

    def __init__(
        self,
        members: Sequence[Member],
        progress: Callable[[Any], None] | None = None,
        workers: int = 1,
    ) -> None:
        self.history: list[ClassifierProgress] = []
        self._members = members
        self._progress = progress
        self._workers = min(workers, len(members))

    def run(self, held: LabelledBags | None = None) -> TextNetwork:
        """Train for all epochs, or until the loss on ``held`` stops falling; return the best.

        Raises
        ------
        TrainingError
            If the loss is no longer a number.
        """
        settings = self._members[0].settings
        best: tuple[float, int, TextNetwork | None] = (np.inf, 0, None)
        with ThreadPoolExecutor(self._workers) as pool:
            for epoch in range(settings.epochs):
                begin = time.perf_counter()
                losses = list(pool.map(Member.epoch, self._members))
                seconds = time.perf_counter() - begin
                loss = float(np.mean(losses))
                self._check(loss)
                joined = None if held is None else self._joined()
                checked = evaluate(joined, held) if joined is not None and held else (None, None)
                self._report(loss, checked, seconds)
                if checked[0] is None:
                    continue
                if checked[0] < best[0]:
                    best = (checked[0], epoch, joined)
                elif epoch - best[1] >= settings.patience:
                    break
        return best[2] if best[2] is not None else self._joined()

    def _joined(self) -> TextNetwork:
        return TextNetwork.joined([member.network for member in self._members])

    def _check(self, loss: float) -> None:
        layers = [member.network.layers for member in self._members]
        if not np.isfinite(loss) or not all(np.isfinite(part).all() for part in layers):
            rate = self._members[0].settings.learning_rate
            raise TrainingError(
                f"Training diverged in epoch {len(self.history) + 1} (the loss is {loss:g}); use "
                f"a lower learning_rate than {rate:g}."
            )

    def _report(
        self, loss: float, checked: tuple[float | None, float | None], seconds: float
    ) -> None:
        member = self._members[0]
        record = ClassifierProgress(
            len(self.history) + 1,
            member.settings.epochs,
            loss,
            *checked,
            member.settings.learning_rate * member.share_left,
            seconds,
        )
        self.history.append(record)
        if self._progress is not None:
            self._progress(record)


def _new_state(network: TextNetwork) -> StateArrays:
    rows, size = network.vectors.shape
    d_layers = np.zeros_like(network.layers)
    d_W1, d_b1, d_W2, d_b2 = network.parts(d_layers)
    return StateArrays(
        squares=np.zeros(rows, np.float32),
        slot=np.full(rows, -1, np.int32),
        rows=np.zeros(0, np.int32),
        owners=np.zeros(0, np.int32),
        shares=np.zeros(0, np.float32),
        d_rows=np.zeros((0, size), np.float32),
        d_x=np.zeros((0, size), np.float32),
        norms=np.zeros(0, np.float32),
        d_layers=d_layers,
        d_W1=d_W1,
        d_b1=d_b1,
        d_W2=d_W2,
        d_b2=d_b2,
        means=np.zeros_like(d_layers),
        mean_squares=np.zeros_like(d_layers),
        steps=np.zeros(1, np.int64),
    )


def evaluate(network: TextNetwork, held: LabelledBags) -> tuple[float, float]:
    """Weighted mean loss in nats, and accuracy, of labelled texts."""
    logits = network.inputs_and_logits(held.bags)[1].astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    right = logits[np.arange(len(logits)), held.labels]
    losses = np.log(np.exp(logits).sum(axis=1)) - right
    hits = logits.argmax(axis=1) == held.labels
    return float(np.average(losses, weights=held.weights)), float(hits.mean())
