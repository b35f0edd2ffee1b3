r"""Settings that are chosen by training on a part of the texts and measuring on the rest of them.

Nothing but the training texts is looked at.  Some of them are held out (:attr:`_Trials.folds`), a
classifier is trained on the others, and what counts is its loss on those held out *at the best
temperature*: the scores are divided by the T > 0 that makes the loss least, for how sure a
classifier should be is settled afterwards in any case.  Chosen are

- n-grams of letters, if they make the loss at least a tenth lower, as they do where texts differ
  by spelling (languages, names) and not where they differ by words;
- the learning rate, by steps of a factor 2 in the direction that lowers the loss.  With five epochs
  it says how much is learned: little where labels are noisy, much where classes are many;
- targets that are smoothed, with twice the rate, if that lowers the loss: a classifier that need
  not be sure of what it has seen goes on learning from all of it.

Most trials lose, and early: one whose loss is higher than the best so far by twice the standard
error of the difference, text by text, is given up after any of several parts; and n-grams of
letters, five times as many features, must first win on :data:`FIRST_LOOK` texts.

Of many texts :data:`SAMPLE` are looked at.  Adagrad's steps sum up to the rate times the root of
their number, so where noise sets the limit, the best rate for all N texts is :math:`\sqrt{n / N}`
times the best for n; where it does not, it is the same.  Both are tried on all texts but
:data:`HELD`, whose loss decides.

How long vectors should be depends on the classes (:func:`vector_size_for`), for the rate makes up
for the rest, and on the rows there are: together they take at most :data:`NUMBERS`.

The temperature is kept, as a factor 1/T of the last layer: probabilities then mean what they say
(Guo, Pleiss, Sun and Weinberger, *On calibration of modern neural networks*, ICML 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.examples import (
    EncodedTexts,
    LabelledBags,
    divergences,
    held_out,
    take_labels,
)
from wordgrad.classification.features import Features, Tokens
from wordgrad.classification.losses import NO_TREE, mean_loss
from wordgrad.classification.model import TextNetwork
from wordgrad.classification.trainer import evaluate
from wordgrad.errors import InputError, ParameterError, TrainingError
from wordgrad.maths import scaled_cross_entropy

SUBWORDS = (1, 4)
"""Lengths of the n-grams of letters that are tried."""

GAIN = 0.9
"""They are chosen if the loss is at most this share of the loss without them."""

FIRST_RATE = {"few": 0.025, "many": 0.05}
"""The first rate that is tried, and the rate where nothing can be tried: few classes, or many."""

SMOOTHED = 0.2
"""Share of the target that is spread over all classes, if that is better."""

FEW = 5
RATES = (0.001, 0.5)
SAMPLE = 20_000
SAMPLE_TOKENS = 400_000
HELD = 2000
"""Texts held out, in one part or, of small sets, in up to :data:`PARTS`."""

NUMBERS = 1 << 27
"""Of the vectors together, where their length is chosen: half a gigabyte."""

GROWTH = 0.3
"""Scores grow with the texts, by this power of their number, where targets are not smoothed.

A classifier that learned from a tenth more texts wanted a temperature 1.8 to 4.8% higher, on five
sets, cross-validated within their training parts; with smoothed targets 0.6%.
"""

FIRST_LOOK = 5000
"""Texts on which n-grams of letters must win before all of the sample are trained with them."""

PARTS = 5
LEAST = 20
"""With fewer texts held out nothing is chosen."""

Logits = NDArray[np.float64]
Train = Callable[[Features, LabelledBags, NDArray[np.float32], "Chosen"], TextNetwork]
"""Trains on examples whose features count so much."""

Learn = Callable[[Tokens, tuple[int, int] | None], Features]


@dataclass(frozen=True)
class Chosen:
    """What was chosen.

    Attributes
    ----------
    vector_size : int
    learning_rate : float
    subwords : (int, int) or None
    smoothing : float
    temperature : float or None
        None if it must be fitted on texts that the final training holds out.
    lower : float, optional
        Another rate to try on all texts.
    """

    vector_size: int
    learning_rate: float
    subwords: tuple[int, int] | None
    smoothing: float = 0.0
    temperature: float | None = 1.0
    lower: float | None = None

    def training(self) -> dict[str, Any]:
        """The settings of a training among them, by name."""
        names = ("vector_size", "learning_rate", "smoothing")
        return {name: getattr(self, name) for name in names}


def vector_size_for(n_classes: int, n_rows: int = 0) -> int:
    """Length of the vectors for so many classes, and so many vectors.

    >>> [vector_size_for(n) for n in (2, 3, 6, 20, 1000)], vector_size_for(1000, 2_000_000)
    ([16, 32, 64, 128, 128], 64)
    """
    size = int(np.clip(8 * 2 ** np.ceil(np.log2(n_classes)), 16, 128))
    while size > 16 and size * n_rows > NUMBERS:
        size //= 2
    return size


def first_rate(n_classes: int) -> float:
    """Rate that is tried first."""
    return FIRST_RATE["few" if n_classes <= FEW else "many"]


def best_temperature(
    logits: Logits, labels: NDArray[np.int64], weights: NDArray[np.floating]
) -> tuple[float, float]:
    """The temperature with the least cross-entropy, between 1/64 and 64, and that cross-entropy.

    The loss is convex in 1/T, so its derivative says on which side of the best a value lies.  To n
    texts one is added that might have any class: n right answers are no proof that all will be
    (Platt, *Probabilistic outputs for support vector machines*, 1999, section 2.2).

    >>> logits = np.array([[2.0, 0.0]] * 4)  # sure of class 0, which one of four texts is not
    >>> T, loss = best_temperature(logits, np.array([0, 0, 0, 1]), np.ones(4))
    >>> round(float(np.exp(-2 / T) / (1 + np.exp(-2 / T))), 4)  # (1 + 1/2) of 5
    0.3
    """
    smoothing = 1 / (len(labels) + 1)
    low, high = -np.log(64), np.log(64)
    for _ in range(50):
        middle = (low + high) / 2
        _, slope = scaled_cross_entropy(logits, labels, np.exp(middle), weights, smoothing)
        low, high = (low, middle) if slope > 0 else (middle, high)
    scale = float(np.exp((low + high) / 2))
    return 1 / scale, scaled_cross_entropy(logits, labels, scale, weights)[0]


def cooled(network: TextNetwork, temperature: float) -> TextNetwork:
    """The network whose scores are divided by the temperature."""
    layers = network.layers.copy()
    for part in network.parts(layers)[2:]:
        part /= np.float32(temperature)
    return replace(network, layers=layers)


def measure(
    networks: Sequence[TextNetwork],
    held: Sequence[LabelledBags],
    logits: Sequence[Logits] | None = None,
) -> tuple[float, float]:
    """Temperature that held-out texts ask for, and their mean loss at it, each part by a network.

    Where texts have several labels, or scores mean something else than one softmax, it is 1.

    Parameters
    ----------
    logits : sequence of float64 (N, C), optional
        Of each part, if they are known.
    """
    if not _one_softmax(networks[0], held):
        losses = [evaluate(*pair)[0] for pair in zip(networks, held, strict=True)]
        return 1.0, float(np.average(losses, weights=[part.weights.sum() for part in held]))
    if logits is None:
        logits = [_logits(*pair) for pair in zip(networks, held, strict=True)]
    return best_temperature(np.concatenate(logits), *_labels(held))


def _one_softmax(network: TextNetwork, held: Sequence[LabelledBags]) -> bool:
    return network.loss == "softmax" and all(len(part.labels) == len(part.bags) for part in held)


def _logits(network: TextNetwork, held: LabelledBags) -> Logits:
    return network.inputs_and_logits(held.bags)[1].astype(np.float64)


def _labels(held: Sequence[LabelledBags]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    labels, weights = ([getattr(part, name) for part in held] for name in ("labels", "weights"))
    return np.concatenate(labels), np.concatenate(weights)


def _losses(logits: Sequence[Logits], held: Sequence[LabelledBags]) -> NDArray[np.float64]:
    """Weighted loss of every text at the best temperature of all."""
    whole, (labels, weights) = np.concatenate(logits), _labels(held)
    temperature, _ = best_temperature(whole, labels, weights)
    ends = np.arange(len(labels) + 1)
    return weights * mean_loss("softmax", whole / temperature, labels, ends, NO_TREE)


def choose(
    texts: EncodedTexts,
    weights: NDArray[np.float64],
    wanted: Chosen,
    learn: Learn,
    train: Train,
    *,
    rate: bool,
    subwords: bool,
    smoothing: bool,
    calibrate: bool,
    seed: int,
) -> Chosen:
    """Choose what is to be chosen, on the training texts.

    Parameters
    ----------
    texts : EncodedTexts
        The N training texts.
    weights : float64 (N,)
        What they count.
    wanted : Chosen
        What is not to be chosen, and where the search begins.
    learn, train : callable
    rate, subwords, smoothing, calibrate : bool
        What to choose.
    seed : int
        Of the texts held out.
    """
    sample = _sample(texts.tokens, seed)
    trials = _Trials(texts, sample, weights, learn, train, seed)
    try:
        if sum(len(held) for _, held in trials.folds) < LEAST:
            return wanted
        best = trials.run(wanted)
        if subwords and trials.first_look(wanted):
            other = trials.run(replace(wanted, subwords=SUBWORDS), best, GAIN)
            if other.loss < GAIN * best.loss:
                best = other
        if rate:
            best = _climb(best, trials, up_first=len(texts.classes) > FEW)
        if smoothing:
            factor = 2 if rate else 1
            other = trials.run(
                replace(
                    best.settings,
                    smoothing=SMOOTHED,
                    learning_rate=best.settings.learning_rate * factor,
                ),
                best,
            )
            best = min(best, other, key=lambda trial: trial.loss)
    except (InputError, ParameterError):  # so few texts of this kind that some cannot be held out
        return wanted
    if len(sample) == len(texts):
        more = len(texts) / np.mean([len(trained) for trained, _ in trials.folds])
        growth = 1.0 if best.settings.smoothing else float(more**GROWTH)
        temperature = best.temperature * growth if calibrate else 1.0
        return replace(best.settings, temperature=temperature)
    if not (rate or calibrate):
        return best.settings
    lower = best.settings.learning_rate * float(np.sqrt(len(sample) / len(texts)))
    return replace(best.settings, temperature=None, lower=lower if rate else None)


@dataclass(frozen=True)
class _Trial:
    settings: Chosen
    loss: float
    temperature: float
    logits: tuple[Logits, ...] = ()  # of the texts held out, part by part


def _climb(best: _Trial, trials: _Trials, *, up_first: bool) -> _Trial:
    """Change the rate by a factor 2 in the direction that lowers the loss, as long as it does."""
    start = best
    for factor in (2.0, 0.5) if up_first else (0.5, 2.0):
        while RATES[0] <= best.settings.learning_rate * factor <= RATES[1]:
            rate = best.settings.learning_rate * factor
            trial = trials.run(replace(best.settings, learning_rate=rate), best)
            if trial.loss >= best.loss:
                break
            best = trial
        if best is not start:
            break
    return best


class _Trials:
    """Trainings on parts of some texts, measured on what they leave out."""

    def __init__(
        self,
        texts: EncodedTexts,
        sample: NDArray[np.int64],
        weights: NDArray[np.float64],
        learn: Learn,
        train: Train,
        seed: int,
    ) -> None:
        self._texts = texts
        self._weights = weights
        self._learn = learn
        self._train = train
        codes, ends = take_labels(texts.codes, texts.ends, sample)
        self._sample = sample
        self._labels = codes, ends
        self._seed = seed
        self._prepared: dict[tuple[int, int] | None, list[_Prepared]] = {}

    @cached_property
    def folds(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Texts to train on and texts held out: :data:`HELD` texts, in parts of a tenth of all."""
        n = len(self._sample)
        fraction = min(0.1, HELD / n)
        parts = int(np.clip(round(HELD / (fraction * n)), 1, PARTS))
        return [held_out(*self._labels, fraction, self._seed + part) for part in range(parts)]

    def run(self, settings: Chosen, best: _Trial | None = None, gain: float = 1.0) -> _Trial:
        """Train and measure, part after part, while ``gain`` times best's loss is in reach."""
        parts = self._prepared.setdefault(settings.subwords, [])
        networks: list[TextNetwork] = []
        logits: list[Logits] = []
        for number, fold in enumerate(self.folds, start=1):
            if len(parts) < number:
                parts.append(self._prepare(fold, settings.subwords))
            part = parts[number - 1]
            try:
                networks.append(
                    self._train(part.features, part.examples, part.importance, settings)
                )
            except TrainingError:  # the rate is too high
                return _Trial(settings, np.inf, 1.0)
            logits.append(_logits(networks[-1], part.held))
            held = [part.held for part in parts[:number]]
            if best is None or number == len(self.folds) or not _one_softmax(networks[0], held):
                continue
            excess = _losses(logits, held) - gain * _losses(best.logits[:number], held)
            if excess.mean() > 2 * excess.std() / np.sqrt(len(excess)):
                return _Trial(settings, np.inf, 1.0)
        temperature, loss = measure(networks, [part.held for part in parts], logits)
        return _Trial(settings, loss, temperature, tuple(logits))

    def first_look(self, settings: Chosen) -> bool:
        """Whether n-grams of letters win on a few texts, or there are but few."""
        train, held = self.folds[0]
        if len(train) <= FIRST_LOOK:
            return True
        some = np.random.default_rng([self._seed, 6]).permutation(len(train))[:FIRST_LOOK]
        losses = []
        for subwords in (None, SUBWORDS):
            part = self._prepare((train[np.sort(some)], held), subwords)
            own = replace(settings, subwords=subwords)
            network = self._train(part.features, part.examples, part.importance, own)
            losses.append(measure([network], [part.held])[1])
        return losses[1] < losses[0]

    def _prepare(
        self,
        fold: tuple[NDArray[np.int64], NDArray[np.int64]],
        subwords: tuple[int, int] | None,
    ) -> _Prepared:
        """Features of the training part, and both parts as bags of them."""
        places = [self._sample[part] for part in fold]
        tokens = [self._texts.tokens.take(part) for part in places]
        features = self._learn(tokens[0], subwords)
        examples, held = (
            LabelledBags.of(features.bags(some), codes, self._weights[part], ends)
            for some, part in zip(tokens, places, strict=True)
            for codes, ends in [take_labels(self._texts.codes, self._texts.ends, part)]
        )
        importance = divergences(examples, len(features), len(self._texts.classes))
        return _Prepared(features, examples, importance, held)


@dataclass(frozen=True)
class _Prepared:
    features: Features
    examples: LabelledBags
    importance: NDArray[np.float32]
    held: LabelledBags


def _sample(tokens: Tokens, seed: int) -> NDArray[np.int64]:
    """Positions of at most :data:`SAMPLE` texts with about :data:`SAMPLE_TOKENS` tokens."""
    order = np.random.default_rng([seed, 5]).permutation(len(tokens.offsets) - 1)
    sizes = np.cumsum(np.diff(tokens.offsets)[order])
    most = max(min(SAMPLE, int(np.searchsorted(sizes, SAMPLE_TOKENS))), 1000)
    chosen: NDArray[np.int64] = np.sort(order[:most]).astype(np.int64)
    return chosen
