"""The search for settings keeps what is best, is the same again, and ends in time."""

import time

import numpy as np
import pytest

from wordgrad.autotune import SPACE, Trial, autotune
from wordgrad.classification.config import SETTINGS
from wordgrad.classification.examples import encode_texts
from wordgrad.errors import ParameterError, TrainingError

WORDS = {"x": "ant bee cat", "y": "dog eel fox", "z": "gnu hen ibis"}


def examples(n, seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(list(WORDS), n).tolist()
    texts = [
        f"{rng.choice(WORDS[label].split())} the {rng.choice(list(SPACE))}" for label in labels
    ]
    return texts, labels


TRAIN, HELD = examples(120, 1), examples(40, 2)
GIVEN = encode_texts(*TRAIN)
TRUTH = [(label,) for label in HELD[1]]


def test_settings_that_are_tried_are_settings_in_their_ranges():
    for name, values in SPACE.items():
        setting = SETTINGS[name]
        ends = values if isinstance(values, list) else [values.ppf(0.0), values.ppf(1.0)]
        for value in np.ravel(ends):
            assert setting.minimum is None or value >= setting.minimum
            assert setting.above is None or value > setting.above
            assert setting.below is None or value < setting.below


def test_the_best_is_kept_and_the_same_seed_tries_the_same():
    fixed = {"epochs": 2, "workers": 1}
    model, trials = autotune(GIVEN, HELD[0], TRUTH, trials=5, settings=fixed, seed=3)
    scores = [trial.score for trial in trials]
    assert [trial.number for trial in trials] == [1, 2, 3, 4, 5]
    assert trials[0].settings == fixed
    assert all(trial.settings["epochs"] == 2 for trial in trials)
    assert len({trial.settings["learning_rate"] for trial in trials[1:]}) > 1
    assert [trial.best for trial in trials] == [
        all(score > one for one in scores[:i]) for i, score in enumerate(scores)
    ]
    right = np.mean([given == wanted for (given,), (wanted,) in
                     zip(model.predict(HELD[0], k=1), TRUTH, strict=True)])  # fmt: skip
    assert right == max(scores)
    assert model.progress is None
    again, others = autotune(GIVEN, HELD[0], TRUTH, trials=5, settings=fixed, seed=3)
    assert [trial.settings for trial in others] == [trial.settings for trial in trials]
    assert (again.predict_proba(HELD[0]) == model.predict_proba(HELD[0])).all()


def test_the_time_ends_the_search_but_not_the_first_trial():
    seen: list[Trial] = []

    def slow(trial):
        seen.append(trial)
        time.sleep(0.05)

    model, trials = autotune(GIVEN, HELD[0], TRUTH, duration=1e-3, progress=slow)
    assert len(trials) == 1
    assert trials == seen
    assert trials[0].best
    assert model.predict(["ant"]).tolist() == ["x"]


def test_a_trial_that_takes_too_long_is_given_up():
    _, trials = autotune(GIVEN, HELD[0], TRUTH, duration=3.0, settings={"workers": 1})
    assert len(trials) >= 2
    _, trials = autotune(
        GIVEN, HELD[0], TRUTH, duration=1.5, settings={"workers": 1, "hidden_size": 2}
    )
    assert sum(trial.seconds for trial in trials[1:]) < 10
    assert [trial.score is None for trial in trials[:-1]] == [False] * (len(trials) - 1)


def test_texts_of_several_labels_try_losses():
    labels = [(label, "word") if i % 3 else (label,) for i, label in enumerate(TRAIN[1])]
    given = encode_texts(TRAIN[0], labels)
    settings = {"epochs": 2, "workers": 1, "hidden_size": 0, "vector_size": 32}
    _, trials = autotune(given, HELD[0], TRUTH, trials=6, settings=settings)
    assert len({trial.settings["loss"] for trial in trials[1:]}) == 2
    _, trials = autotune(given, HELD[0], TRUTH, trials=3, settings={**settings, "loss": "softmax"})
    assert {trial.settings["loss"] for trial in trials} == {"softmax"}


def test_arguments():
    for options, match in (
        ({"duration": 0}, "duration must be"), ({"trials": 0}, "trials must be"),
        ({"seed": -1}, "seed must be"),
    ):  # fmt: skip
        with pytest.raises(ParameterError, match=match):
            autotune(GIVEN, HELD[0], TRUTH, **options)
    with pytest.raises(ParameterError, match="must be as many"):
        autotune(GIVEN, HELD[0], [])
    with pytest.raises(TrainingError, match="diverged"):
        autotune(GIVEN, HELD[0], TRUTH, settings={"learning_rate": 1e38})
