"""What is chosen on held-out texts, and temperatures."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from wordgrad import TextClassifier
from wordgrad.classification import selection
from wordgrad.classification.examples import EncodedTexts
from wordgrad.classification.features import Bags, tokenise
from wordgrad.classification.model import TextNetwork
from wordgrad.classification.selection import Chosen, best_temperature, choose, cooled
from wordgrad.errors import ParameterError, TrainingError
from wordgrad.maths import scaled_cross_entropy


@given(st.integers(0, 1000), st.floats(0.05, 20))
def test_the_best_temperature_has_the_least_loss(seed, size):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(30, 3)) * size
    labels = rng.integers(0, 3, 30)
    weights = rng.uniform(0.1, 2, 30)
    temperature, loss = best_temperature(logits, labels, weights)

    def of(log_scale):
        return scaled_cross_entropy(logits, labels, np.exp(log_scale), weights, 1 / 31)[0]

    ends = np.log([1 / 64, 64])
    found = minimize_scalar(of, bounds=ends, method="bounded", options={"xatol": 1e-8})
    plain = scaled_cross_entropy(logits, labels, 1 / temperature, weights)[0]
    assert loss == pytest.approx(plain)
    assert of(-np.log(temperature)) <= min(found.fun, *map(of, ends)) + 1e-9


def test_answers_that_are_all_right_do_not_make_sure():
    logits = np.array([[3.0, 0.0], [0.0, 3.0]] * 10)
    temperature, _ = best_temperature(logits, np.array([0, 1] * 10), np.ones(20))
    assert 1 / (1 + np.exp(-3 / temperature)) == pytest.approx(1 - 0.5 / 21)


def test_cooling_divides_the_scores_and_nothing_else():
    for hidden in (0, 3):
        network = TextNetwork.initial(np.ones(4, np.float32), 5, hidden, 3, seed=1)
        network.layers[:] = np.random.default_rng(1).normal(size=network.layers.shape)
        bags = Bags(np.array([0, 1, 3], np.int32), np.array([0, 2, 2, 3]), 3, 0)
        x, logits = network.inputs_and_logits(bags)
        same, scaled = cooled(network, 2.5).inputs_and_logits(bags)
        np.testing.assert_array_equal(same, x)
        np.testing.assert_allclose(2.5 * scaled, logits, rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- the search


class Fake:
    """Stands for a network whose scores are as good as its settings are near to the best ones."""

    loss = "softmax"

    def __init__(self, chosen, best, n_classes):
        distance = abs(np.log2(chosen.learning_rate / best["rate"]))
        distance += 0 if chosen.subwords == best["subwords"] else 3
        distance += 0 if (chosen.smoothing > 0) == best["smooth"] else 1
        self.distance, self.n_classes = distance, n_classes

    def inputs_and_logits(self, bags):
        rng = np.random.default_rng(len(bags))
        right = LABELS_OF[len(bags)]
        wrong = rng.random(len(bags)) < 0.02 + 0.05 * self.distance
        logits = np.eye(self.n_classes)[np.where(wrong, (right + 1) % self.n_classes, right)]
        return None, 5 * logits


LABELS_OF = {}


def searched(best, n=400, n_classes=4, wanted=None, **flags):
    texts = [f"w{i % 7} w{i % n_classes}" for i in range(n)]
    tokens = tokenise(texts, pattern=None, lowercase=True)
    codes = np.arange(n) % n_classes
    tried = []

    def learn(tokens, subwords):
        return FakeFeatures(len(tokens.offsets) - 1)

    class FakeFeatures:
        def __init__(self, n):
            self.n = n

        def __len__(self):
            return 1

        def bags(self, tokens):
            length = len(tokens.offsets) - 1
            return Bags(np.zeros(length, np.int32), np.arange(length + 1), length, 0)

    def train(features, examples, importance, chosen):
        tried.append(chosen)
        return Fake(chosen, best, n_classes)

    encoded = EncodedTexts(
        tokens, np.arange(n_classes), codes, np.arange(n + 1, dtype=np.int64), several=False
    )
    sample = selection._sample(tokens, 1)
    with suppress(ParameterError):  # too few
        trials = selection._Trials(encoded, sample, np.ones(n), learn, train, 1)
        LABELS_OF.update({len(held): codes[sample][held] for _, held in trials.folds})
    flags = {"rate": True, "subwords": True, "smoothing": True, "calibrate": True} | flags
    found = choose(
        encoded, np.ones(n), wanted or Chosen(8, 0.025, None), learn, train, seed=1, **flags
    )
    return found, tried


@pytest.mark.parametrize("rate", [0.003125, 0.0125, 0.025, 0.05, 0.2])
@pytest.mark.parametrize("subwords", [None, selection.SUBWORDS])
def test_the_search_finds_the_rate_and_the_features(rate, subwords, monkeypatch):
    monkeypatch.setattr(selection, "PARTS", 1)
    found, _ = searched({"rate": rate, "subwords": subwords, "smooth": False}, n=8000)
    assert found.learning_rate == pytest.approx(rate)
    assert (found.subwords, found.smoothing) == (subwords, 0)
    assert 0.1 < found.temperature < 10


def test_targets_are_smoothed_where_that_is_better(monkeypatch):
    monkeypatch.setattr(selection, "PARTS", 1)
    best = {"rate": 0.05, "subwords": None, "smooth": True}
    found, _ = searched(best, n=8000, wanted=Chosen(8, 0.025, None), rate=False)
    assert (found.smoothing, found.learning_rate) == (selection.SMOOTHED, 0.025)


def test_what_is_given_is_not_searched(monkeypatch):
    monkeypatch.setattr(selection, "PARTS", 1)
    wanted = Chosen(8, 0.025, (2, 3), 0.1)
    flags = {"rate": False, "subwords": False, "smoothing": False}
    found, tried = searched(
        {"rate": 1, "subwords": None, "smooth": False}, n=8000, wanted=wanted, **flags
    )
    assert tried == [wanted]
    assert replace(found, temperature=1.0) == wanted
    assert found.temperature != 1.0


def test_of_many_texts_a_sample_is_searched(monkeypatch):
    monkeypatch.setattr(selection, "SAMPLE", 2000)
    found, _ = searched({"rate": 0.025, "subwords": None, "smooth": False}, n=8000)
    assert found.temperature is None
    assert found.lower == pytest.approx(found.learning_rate / 2)


def test_trials_that_cannot_win_are_given_up(monkeypatch):
    def logits(network, held):
        rng = np.random.default_rng(len(held.labels))
        wrong = rng.random(len(held.labels)) < 0.02 + 0.05 * network.distance
        return 5 * np.eye(4)[np.where(wrong, (held.labels + 1) % 4, held.labels)]

    monkeypatch.setattr(selection, "_logits", logits)
    monkeypatch.setattr(selection, "PARTS", 2)
    best = {"rate": 0.025, "subwords": None, "smooth": False}
    # Letters are looked at with 5000 of 7200 texts, and lose; a wrong rate loses in the first part.
    _, tried = searched(best, n=8000)
    assert [one.subwords for one in tried].count(selection.SUBWORDS) == 1
    assert [one.learning_rate for one in tried].count(0.0125) == 1
    assert [one.learning_rate for one in tried if one.subwords is None].count(0.025) == 3
    # With few texts there is no first look; what is as good is tried on every part.
    _, tried = searched(best | {"rate": 0.025 * 2**0.5}, n=4000)
    assert [one.subwords for one in tried].count(selection.SUBWORDS) == 1
    assert [one.learning_rate for one in tried if one.smoothing == 0].count(0.05) == 2
    _, tried = searched(best | {"subwords": selection.SUBWORDS}, n=8000)
    assert [one.learning_rate for one in tried if one.subwords is None] == [0.025] * 3


def test_a_rate_that_diverges_is_not_chosen(monkeypatch):
    monkeypatch.setattr(selection, "PARTS", 1)
    plain = selection._Trials.run

    def run(self, settings, *others):
        if settings.learning_rate > 0.03:
            monkeypatch.setattr(self, "_train", diverge)
        return plain(self, settings, *others)

    def diverge(*arguments):
        raise TrainingError("Training diverged.")

    monkeypatch.setattr(selection._Trials, "run", run)
    best = {"rate": 0.1, "subwords": None, "smooth": False}
    found, _ = searched(best, n=8000, n_classes=6, smoothing=False)
    assert found.learning_rate == 0.025


def test_with_too_few_texts_nothing_is_chosen():
    wanted = Chosen(8, 0.025, None)
    found, tried = searched({"rate": 1, "subwords": None, "smooth": False}, n=12, wanted=wanted)
    assert found == wanted
    assert tried == []


# ---------------------------------------------------------------- the classifier


LANGUAGES = {
    "en": "the then there other weather the mother further with this both north",
    "de": "der durch schon schule ich nicht scheinen acht durch schlecht noch doch",
    "pl": "szczyt przez czas dzien rzecz wszystko szkola czysty jeszcze prosze trzy",
}


def languages(n, seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(list(LANGUAGES), n).tolist()

    def word(label):
        one, other = rng.choice(LANGUAGES[label].split(), 2)
        return one[: rng.integers(2, 5)] + other[-rng.integers(2, 5) :]

    return [" ".join(word(label) for _ in range(3)) for label in labels], labels


def test_ngrams_of_letters_are_chosen_where_words_are_all_new():
    texts, labels = languages(600, 1)
    model = TextClassifier(epochs=3).fit(texts, labels)
    assert model.subwords_ == selection.SUBWORDS
    new, truth = languages(300, 2)
    assert model.score(new, truth) > 0.97


def test_probabilities_say_how_often_answers_are_right():
    rng = np.random.default_rng(1)
    labels = rng.choice(["a", "b"], 1500)
    words = np.where(rng.random(1500) < 0.75, labels, rng.choice(["a", "b"], 1500))
    texts = [f"{word} {rng.integers(200)} {rng.integers(200)}" for word in words]
    settings = {"learning_rate": 0.2, "subwords": (0, 0), "smoothing": 0.0}
    gaps = {}
    for calibrate in (False, True):
        model = TextClassifier(calibrate=calibrate, **settings).fit(texts[:1000], labels[:1000])
        shares = model.predict_proba(texts[1000:])
        right = model.classes_[shares.argmax(axis=1)] == labels[1000:]
        gaps[calibrate] = abs(shares.max(axis=1).mean() - right.mean())
        assert (model.temperature_ != 1.0) == calibrate
    assert gaps[True] < 0.05 < gaps[False]


def test_many_texts_are_trained_at_two_rates_and_some_are_held_out(monkeypatch):
    monkeypatch.setattr(selection, "SAMPLE", 1000)
    monkeypatch.setattr("wordgrad.text_classifier.HELD", 200)
    texts, labels = languages(2000, 3)
    epochs = []
    model = TextClassifier(epochs=2, progress=epochs.append).fit(texts, labels)
    assert [one.epoch for one in epochs] == [1, 2, 1, 2]
    assert model.n_iter_ == 2
    assert model.temperature_ != 1.0
    assert model.score(*languages(300, 4)) > 0.97


def test_several_labels_are_searched_and_not_calibrated():
    rng = np.random.default_rng(1)
    labels = [
        [f"l{i}" for i in rng.choice(6, rng.integers(1, 3), replace=False)] for _ in range(400)
    ]
    texts = [" ".join(f"{label} x{rng.integers(9)}" for label in some) for some in labels]
    for loss in ("softmax", "one-vs-all", "hierarchical-softmax"):
        model = TextClassifier(loss=loss).fit(texts, labels)
        assert (model.temperature_, model.smoothing_) == (1.0, 0.0)
        first = [one[0] for one in model.predict(texts, k=1)]
        assert np.mean([one in some for one, some in zip(first, labels, strict=True)]) > 0.95
