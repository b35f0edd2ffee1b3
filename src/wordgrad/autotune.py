"""Settings of a classifier, found by trying: a seeded random search, within a time.

Which settings matter, and in which range good ones lie, differs from text to text: ten epochs or
forty, word pairs or letters, a hidden layer or none.  The first trial has the settings that were
given, so that the result is never worse on the validation texts.  After it, every second trial is
drawn from :data:`SPACE`, and the others keep each setting of the best one so far by even chance.
Bergstra and Bengio, *Random search for hyper-parameter optimization*, JMLR 2012, show why drawing
beats a grid: few settings matter, and each trial tries another value of those.

Draws are scikit-learn's ``ParameterSampler``: in the dozens of trials that some minutes hold, a
model of the scores (as in Optuna or scikit-optimize) has next to nothing to learn from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from scipy.stats import loguniform
from sklearn.model_selection import ParameterSampler

from wordgrad.classification.examples import EncodedTexts
from wordgrad.classification.report import score_labels
from wordgrad.errors import ParameterError, TrainingError, check_int, check_real
from wordgrad.text_classifier import TextClassifier

SPACE: Final[dict[str, Any]] = {
    "epochs": [3, 5, 8, 12, 18, 25, 40],
    "learning_rate": loguniform(0.01, 0.3),
    "vector_size": [32, 64, 128],
    "hidden_size": [0, 0, 32, 64],
    "ngrams": [1, 2, 2, 3],
    "prefix": [0, 4, 5],
    "subwords": [(0, 0), (0, 0), (1, 4), (2, 5)],
    "dropout": [0.0, 0.0, 0.2, 0.4],
    "smoothing": [0.0, 0.0, 0.1],
}
"""What is tried for each setting; a value that stands twice is drawn twice as often."""

SEVERAL: Final[dict[str, Any]] = {"loss": ["softmax", "one-vs-all", "one-vs-all"]}
"""For texts with several labels."""

FASTTEXT_SPACE: Final[dict[str, Any]] = {
    "epoch": [3, 5, 8, 12, 18, 25, 40],
    "lr": loguniform(0.05, 1.5),
    "dim": [32, 64, 100, 150],
    "wordNgrams": [1, 2, 2, 3],
    "minn, maxn": [(0, 0), (0, 0), (2, 5), (3, 6)],
    "bucket": [50_000, 200_000, 1_000_000],
}
"""The same for classifiers of fastText's kind, by its names
(:func:`wordgrad.compat.fasttext.train_supervised`)."""


@dataclass(frozen=True)
class Trial:
    """One training of a search.

    Attributes
    ----------
    number : int
        From 1.
    settings : dict
        Those of :data:`SPACE`, and where they were given, others.
    score : float or None
        Share of the validation texts whose first label is right, or another score that was asked
        for; None if the time ended before the training did.
    seconds : float
    best : bool
        Whether no trial before it had a higher score, and it has one.
    """

    number: int
    settings: dict[str, Any]
    score: float | None
    seconds: float
    best: bool


class _OutOfTimeError(Exception):
    """Raised between two epochs."""


def autotune(
    texts: EncodedTexts,
    validation_texts: Sequence[str],
    validation_labels: Sequence[Sequence[str]],
    *,
    duration: float = 300.0,
    settings: Mapping[str, Any] | None = None,
    trials: int | None = None,
    seed: int = 1,
    progress: Callable[[Trial], None] | None = None,
) -> tuple[TextClassifier, list[Trial]]:
    """Train with many settings, and keep the classifier that labels the validation texts best.

    Parameters
    ----------
    texts : EncodedTexts
        Training texts, from :func:`~wordgrad.classification.examples.encode_files` or
        :func:`~wordgrad.classification.examples.encode_texts`.
    validation_texts : sequence of str (N,)
    validation_labels : sequence of sequences of str (N,)
        The labels of each, at least one.
    duration : float, default 300
        Seconds.  A training that has not ended by then is given up, but the first is not.
    settings : mapping, optional
        Of :class:`~wordgrad.TextClassifier`: they are not tried, but stay as they are.
    trials : int, optional
        At most so many; by default as many as there is time for.  With ``trials`` and time enough
        the same seed gives the same classifier.
    seed : int, default 1
        Of the draws.
    progress : callable, optional
        Receives every :class:`Trial`.

    Returns
    -------
    classifier : TextClassifier
    trials : list of Trial
        In their order.

    Raises
    ------
    ParameterError
        An argument is out of range.
    InputError, TrainingError
        As :meth:`~wordgrad.TextClassifier.fit`, from the first trial.

    Examples
    --------
    >>> from wordgrad.classification.examples import encode_texts
    >>> words = ["good film", "fine acting", "bad film", "poor acting"] * 10
    >>> given = encode_texts(words, ["praise", "praise", "blame", "blame"] * 10)
    >>> model, trials = autotune(given, ["good acting"], [["praise"]], trials=2)
    >>> len(trials), trials[0].best, model.predict(["poor film"]).tolist()
    (2, True, ['blame'])
    """
    duration = check_real("duration", duration, above=0.0)
    if trials is not None:
        check_int("trials", trials, minimum=1)
    fixed = dict(settings or {})
    if len(validation_texts) != len(validation_labels) or not len(validation_texts):
        raise ParameterError(
            "validation_texts and validation_labels must be as many, and at least one, got "
            f"{len(validation_texts)} and {len(validation_labels)}."
        )
    space = {name: values for name, values in SPACE.items() if name not in fixed}
    if texts.several and "loss" not in fixed:
        space |= SEVERAL
    labels = [tuple(map(str, one)) for one in validation_labels]

    def attempt(chosen: dict[str, Any], pause: Callable[[int, int], None]) -> Any:
        model = TextClassifier(
            **{**fixed, **chosen}, progress=lambda epoch: pause(epoch.epoch, epoch.epochs)
        )
        model.fit_encoded(texts)
        model.progress = None
        found = model.predict(validation_texts, k=1)
        names = [str(one) for one in model.classes_]
        given = [tuple(map(str, one)) for one in found]
        return model, score_labels(names, labels, given).precision_of_the_first

    return search(
        space, attempt, fixed=fixed, duration=duration, trials=trials, seed=seed, progress=progress
    )


Model = TypeVar("Model")


def search(
    space: Mapping[str, Any],
    attempt: Callable[[dict[str, Any], Callable[[int, int], None]], tuple[Model, float]],
    *,
    duration: float,
    fixed: Mapping[str, Any],
    trials: int | None = None,
    seed: int = 1,
    progress: Callable[[Trial], None] | None = None,
) -> tuple[Model, list[Trial]]:
    """Try settings within a time, those that are given first, and keep the best model.

    Parameters
    ----------
    space : mapping
        For each setting, what is tried, as :class:`sklearn.model_selection.ParameterSampler` takes
        it.
    attempt : callable
        Trains with the settings that were drawn, which is first none, and returns a model and its
        score, higher for a better one.  After each epoch it calls what it is given with the epochs
        done and their number, which does not return when the time is over.
    fixed : mapping
        What every model is trained with besides, for the trials' records.
    duration, trials, seed, progress
        As in :func:`autotune`.
    """
    draws = np.random.RandomState(check_int("seed", seed, minimum=0))
    start = time.monotonic()
    done: list[Trial] = []
    best: tuple[float, Model, dict[str, Any]] | None = None

    def pause(epoch: int, epochs: int) -> None:
        if done and time.monotonic() - start > duration and epoch < epochs:
            raise _OutOfTimeError

    while not done or (
        time.monotonic() - start < duration and (trials is None or len(done) < trials)
    ):
        chosen = _next_settings(space, draws, best[2] if best else {}, len(done))
        begin = time.monotonic()
        score, is_best = None, False
        try:
            model, score = attempt(chosen, pause)
            is_best = best is None or score > best[0]
            if is_best:
                best = (score, model, chosen)
        except _OutOfTimeError:
            pass
        except TrainingError:  # a learning rate that is too high
            if not done:
                raise
        seconds = time.monotonic() - begin
        done.append(Trial(len(done) + 1, {**fixed, **chosen}, score, seconds, is_best))
        if progress is not None:
            progress(done[-1])
    assert best is not None  # the first trial ended
    return best[1], done


def _next_settings(
    space: Mapping[str, Any], draws: np.random.RandomState, best: dict[str, Any], done: int
) -> dict[str, Any]:
    """Those given first; then a draw, by turns mixed with the best so far."""
    if done == 0 or not space:
        return {}
    drawn = next(iter(ParameterSampler(space, n_iter=1, random_state=draws)))
    if done % 2 == 0:
        drawn = {
            name: best[name] if name in best and draws.uniform() < 0.5 else value
            for name, value in drawn.items()
        }
    return {
        name: value.item() if hasattr(value, "item") else value for name, value in drawn.items()
    }
