"""Training of a text classifier: settings, members, epochs, early stopping, the start.

Members are networks that learn side by side from different starts; joined, they are one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.examples import LabelledBags
from wordgrad.classification.kernels import Rates, StateArrays, train
from wordgrad.classification.losses import LOSSES, NO_TREE, Tree, mean_loss, probabilities
from wordgrad.classification.model import START, TextNetwork
from wordgrad.errors import (
    InputError,
    ParameterError,
    TrainingError,
    check_bool,
    check_choice,
    check_int,
    check_real,
    check_share,
)
from wordgrad.training.parameters import aligned_rows
from wordgrad.word_vectors import WordVectors

STEPS = 100
"""An epoch has at least so many steps, unless there are fewer texts."""


ROUNDING = 1e-3
"""A weight that is above a whole number by less counts as that number of readings."""


@dataclass(frozen=True)
class TextTraining:
    """Settings of a training, with their ranges.

    Attributes
    ----------
    vector_size, hidden_size : int
        D and H, of all members together.
    members : int
    epochs, batch_size : int
    learning_rate : float
        Of the vectors (Adagrad); it falls linearly to 0.
    l2 : float
        Of vectors and weights; biases are left alone.
    dropout : float in [0, 1)
        Share of a text's features that a step leaves out.
    smoothing : float in [0, 1)
        Share of the target that all classes divide among them.
    train_vectors : bool
    early_stopping : bool
    validation_fraction : float in (0, 1)
    patience : int
        Epochs without a lower validation loss before training stops.
    seed : int
    loss : {"softmax", "one-vs-all", "hierarchical-softmax"}

    Raises
    ------
    ParameterError
        If one is out of its range.
    """

    vector_size: int
    hidden_size: int
    members: int
    epochs: int
    batch_size: int
    learning_rate: float
    l2: float
    dropout: float
    smoothing: float
    train_vectors: bool
    early_stopping: bool
    validation_fraction: float
    patience: int
    seed: int
    loss: str = "softmax"

    def __post_init__(self) -> None:
        for name in ("members", "epochs", "batch_size", "patience"):
            check_int(name, getattr(self, name), minimum=1)
        for name, least in (("vector_size", 1), ("hidden_size", 0)):
            if check_int(name, getattr(self, name), minimum=least) == 0:
                continue
            if getattr(self, name) < self.members:
                raise ParameterError(
                    f"{name} must be at least members={self.members}, which divide it among them, "
                    f"got {getattr(self, name)}."
                )
        check_int("seed", self.seed, minimum=0)
        check_choice("loss", self.loss, LOSSES)
        check_real("learning_rate", self.learning_rate, above=0.0)
        check_real("l2", self.l2, minimum=0.0)
        check_share("dropout", self.dropout)
        check_share("smoothing", self.smoothing)
        check_share("validation_fraction", self.validation_fraction, above=0.0)
        for name in ("train_vectors", "early_stopping"):
            check_bool(name, getattr(self, name))

    def for_texts(self, n_texts: int) -> TextTraining:
        """Return the settings with batches so small that an epoch has :data:`STEPS` of them.

        >>> settings = TextTraining(8, 8, 1, 5, 32, 0.1, 0, 0, 0, True, False, 0.1, 3, 1)
        >>> [settings.for_texts(n).batch_size for n in (40, 1000, 3200, 10**6)]
        [1, 10, 32, 32]
        """
        return replace(self, batch_size=min(self.batch_size, max(1, n_texts // STEPS)))

    @property
    def layer_rate(self) -> float:
        """Learning rate of the layers (Adam), which falls with that of the vectors."""
        return self.learning_rate / 5


@dataclass(frozen=True)
class ClassifierProgress:
    """Losses, rate and seconds of one epoch.

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
        d_layers = np.zeros_like(network.layers)
        d_W1, d_b1, d_W2, d_b2 = network.parts(d_layers)
        rows, size = network.vectors.shape
        # What is kept of a row, 16 bytes, is in one line of the cache.
        table = aligned_rows(rows, 4)
        last = table.view(np.int32)[:, 1]
        last[:] = -1
        table[:, 2] = network.importance
        # Those of a batch are made for the first, and made larger for larger ones.
        self._state = StateArrays(
            squares=table[:, 0],
            last=last,
            importance=table[:, 2],
            rows=np.zeros(0, np.int32),
            texts=np.zeros(0, np.int32),
            before=np.zeros(0, np.int32),
            shares=np.zeros(0, np.float32),
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
        # A text of weight 10 is read ten times an epoch, and not once for a step ten times as long:
        # Adagrad and Adam divide by what they have seen, so that one long step teaches the words of
        # that text alone no more than a short one, and throws off those it shares with others.
        # Equal weights, which rounding may have put above 1, are read once.
        visits = np.maximum(1, np.ceil(examples.weights - ROUNDING)).astype(np.int64)
        self._visits = np.repeat(np.arange(len(visits)), visits)
        self._weights = (examples.weights / visits).astype(np.float32)
        batches = -(-len(self._visits) // settings.batch_size)
        self._rates = Rates(
            np.float32(settings.learning_rate if settings.train_vectors else 0),
            np.float32(settings.layer_rate),
            np.float32(settings.l2),
            np.float32(settings.smoothing),
            np.float32(settings.dropout),
            batches * settings.epochs,
            LOSSES.index(network.loss),
        )

    @property
    def share_left(self) -> float:
        """What the learning rate has left of its start."""
        return 1.0 - int(self._state.steps[0]) / self._rates.steps_all

    def epoch(self) -> float:
        """Go through the texts in random order; return the mean loss, weighted.

        A text of weight w is read ceil(w) times, with equal parts of w: at most twice as many
        readings as texts, for the mean weight is 1.
        """
        order = self._visits[self._random.permutation(len(self._visits))]
        key = int(self._random.integers(2**63))
        loss = self.apply(order, key, self._weights)
        return loss * (len(order) / len(self.examples.bags))

    def apply(
        self, texts: NDArray[np.int64], key: int = 0, weights: NDArray[np.float32] | None = None
    ) -> float:
        """Take one step a batch of ``texts``; return the mean loss, each before its step.

        Parameters
        ----------
        texts : int64 (B,)
            Numbers of texts, in the order of training.
        key : int
            Of the features that are dropped.
        weights : float32 (N,), optional
            What the loss of each text counts; by default what it counts in ``examples``.
        """
        bags = self.examples.bags
        sizes = np.concatenate([[0], np.cumsum(np.diff(bags.offsets)[texts])])
        size = self.settings.batch_size
        edges = np.minimum(np.arange(0, len(texts) + size, size), len(texts))
        n_features, n_texts = int(np.diff(sizes[edges]).max(initial=0)), min(size, len(texts))
        D = self.network.vectors.shape[1]
        if len(self._state.rows) < n_features:
            capacity = n_features + n_features // 4
            self._state = self._state._replace(
                rows=np.zeros(capacity, np.int32),
                texts=np.zeros(capacity, np.int32),
                before=np.zeros(capacity, np.int32),
                shares=np.zeros(capacity, np.float32),
            )
        if len(self._state.norms) < n_texts:
            self._state = self._state._replace(
                d_x=np.zeros((n_texts, D), np.float32), norms=np.zeros(n_texts, np.float32)
            )
        if weights is None:
            weights = self.examples.weights
        return float(
            train(
                texts, size, bags.features, bags.offsets, self.examples.labels,
                self.examples.ends, weights, self.network.arrays(), self.network.tree, self._state,
                self._rates, np.uint64(key),
            )
        )  # fmt: skip


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
                networks = [member.network for member in self._members]
                if not (
                    np.isfinite(loss) and all(np.isfinite(one.layers).all() for one in networks)
                ):
                    raise TrainingError(
                        f"Training diverged in epoch {epoch + 1} (the loss is {loss:g}); use a "
                        f"lower learning_rate than {settings.learning_rate:g}."
                    )
                joined = None if held is None else TextNetwork.joined(networks)
                held_loss = accuracy = None
                if joined is not None and held is not None:
                    held_loss, accuracy = evaluate(joined, held)
                rate = settings.learning_rate * self._members[0].share_left
                self.history.append(
                    ClassifierProgress(
                        epoch + 1, settings.epochs, loss, held_loss, accuracy, rate, seconds
                    )
                )
                if self._progress is not None:
                    self._progress(self.history[-1])
                if held_loss is None:
                    continue
                if held_loss < best[0]:
                    best = (held_loss, epoch, joined)
                elif epoch - best[1] >= settings.patience:
                    break
        if best[2] is not None:
            return best[2]
        return TextNetwork.joined([member.network for member in self._members], last=True)


def evaluate(network: TextNetwork, held: LabelledBags) -> tuple[float, float]:
    """Weighted mean loss in nats, and the share of texts whose best label is one of theirs."""
    logits = network.inputs_and_logits(held.bags)[1].astype(np.float64)
    losses = mean_loss(network.loss, logits, held.labels, held.ends, network.tree)
    best = probabilities(network.loss, logits, network.tree).argmax(axis=1)
    owners = np.repeat(np.arange(len(logits)), np.diff(held.ends))
    hits = np.zeros(len(logits), bool)
    hits[owners[held.labels == best[owners]]] = True
    return float(np.average(losses, weights=held.weights)), float(hits.mean())


def first_networks(
    settings: TextTraining,
    importance: NDArray[np.float32],
    n_classes: int,
    size: int,
    tree: Tree = NO_TREE,
) -> list[TextNetwork]:
    """Members of the sizes that ``size`` and ``hidden_size`` come to when divided among them."""
    sizes, hidden = (
        [len(part) for part in np.array_split(np.arange(total), settings.members)]
        for total in (size, settings.hidden_size)
    )
    return [
        TextNetwork.initial(
            importance, D, H, n_classes, settings.seed + 1000 * number, settings.loss, tree
        )
        for number, (D, H) in enumerate(zip(sizes, hidden, strict=True))
    ]


def start_from(
    networks: Sequence[TextNetwork], words: Sequence[str], vectors: WordVectors, *, learn: bool
) -> int:
    """Give words the vectors they have elsewhere; return how many have one.

    Members take consecutive parts of them.  They are scaled, all by the same number, to the size
    that random vectors start with: what was learned elsewhere is how vectors lie to each other, and
    the learning rate is meant for this size.  If vectors do not ``learn``, their size is 1, which
    the layers are meant for, and what has no vector elsewhere gets zeros.

    Raises
    ------
    InputError
        If no word has one.
    """
    rows = [row for row, word in enumerate(words) if word in vectors]
    if not rows:
        raise InputError(
            "The vectors hold none of the words of the texts; check that lowercase and pattern are "
            "those that the vectors were trained with."
        )
    given = np.stack([vectors[words[row]] for row in rows])
    size = float(np.sqrt((given.astype(np.float64) ** 2).mean()))
    if size > 0:
        target = START / np.sqrt(3) if learn else 1.0  # uniform on +-s: rms s / sqrt(3)
        given = given * np.float32(target / size)
    cuts = np.cumsum([network.vectors.shape[1] for network in networks])[:-1]
    for network, part in zip(networks, np.split(given, cuts, axis=1), strict=True):
        if not learn:
            network.vectors[:] = 0
        network.vectors[rows] = part
    return len(rows)
