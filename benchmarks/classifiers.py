"""Train one program on one set of labelled texts, and say how well and how fast.

Run by :mod:`classification` in a fresh process for every cell of its tables::

    python benchmarks/classifiers.py JOB.json RESULT.json

Seconds are of training alone, from texts in memory (for fastText, which reads files, from its
file) to a model that can predict; predicting is not in them.  Programs in Python train on a handful
of texts before: imports, thread pools and compiling are not part of any figure.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from labelled_sets import LabelledSet, load_set

Texts = Sequence[str]
Settings = dict[str, Any]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Fitted:
    """What came of one training."""

    predict: Callable[[Texts], Sequence[str]]
    seconds: float
    details: dict[str, Any]


def fit_wordgrad(texts: Texts, labels: Texts, settings: Settings, job: Settings) -> Fitted:
    """``TextClassifier``; the setting ``vectors: true`` starts from the vectors of the job."""
    from wordgrad import TextClassifier, load

    changed = dict(settings)
    if changed.pop("vectors", False):
        changed["vectors"] = load(job["vectors"])
        changed["vector_size"] = changed["vectors"].vector_size
    model = TextClassifier(**changed, workers=job["threads"], seed=job["seed"])
    start = perf_counter()
    model.fit(list(texts), list(labels))
    seconds = perf_counter() - start
    losses = [float(epoch["loss"]) for epoch in model.history_]
    details = {
        "epochs": len(losses),
        "epoch_seconds": float(sum(epoch["seconds"] for epoch in model.history_)),
        "last_loss": losses[-1],
        "finite": bool(np.isfinite(losses).all()),
    }
    return Fitted(lambda new: [str(one) for one in model.predict(list(new))], seconds, details)


def fit_fasttext(texts: Texts, labels: Texts, settings: Settings, job: Settings) -> Fitted:
    """FastText supervised; what is not in ``settings`` is its default."""
    import fasttext

    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        path = Path(folder) / "train.txt"
        lines = (f"__label__{label} {text}\n" for label, text in zip(labels, texts, strict=True))
        path.write_text("".join(lines), encoding="utf-8")
        start = perf_counter()
        model = fasttext.train_supervised(str(path), thread=job["threads"], verbose=0, **settings)
        seconds = perf_counter() - start
    prefix = len("__label__")
    return Fitted(
        lambda new: [found[0][prefix:] for found in model.predict(list(new))[0]],
        seconds,
        {"epochs": settings.get("epoch", 5)},
    )


def _tfidf(settings: Settings) -> Any:
    """Words and pairs of words, as white space parts them: the texts are cut already."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        ngram_range=(1, int(settings.get("ngrams", 2))),
        token_pattern=r"\S+",
        sublinear_tf=True,
        dtype=np.float32,
    )


def fit_tfidf_logistic(texts: Texts, labels: Texts, settings: Settings, job: Settings) -> Fitted:
    """Logistic regression on TF-IDF."""
    from sklearn.linear_model import LogisticRegression

    vectorizer = _tfidf(settings)
    model = LogisticRegression(C=settings["C"], max_iter=1000)
    start = perf_counter()
    model.fit(vectorizer.fit_transform(texts), labels)
    seconds = perf_counter() - start
    iterations = int(np.max(model.n_iter_))
    return Fitted(
        lambda new: model.predict(vectorizer.transform(new)), seconds, {"iterations": iterations}
    )


def fit_tfidf_mlp(texts: Texts, labels: Texts, settings: Settings, job: Settings) -> Fitted:
    """scikit-learn's ``MLPClassifier`` on TF-IDF, stopped early."""
    from sklearn.neural_network import MLPClassifier

    vectorizer = _tfidf(settings)
    model = MLPClassifier(
        hidden_layer_sizes=(settings["hidden_size"],),
        activation="logistic",
        early_stopping=True,
        random_state=job["seed"],
    )
    start = perf_counter()
    model.fit(vectorizer.fit_transform(texts), list(labels))
    seconds = perf_counter() - start
    details = {"epochs": int(model.n_iter_)}
    return Fitted(lambda new: model.predict(vectorizer.transform(new)), seconds, details)


def mean_vectors(texts: Texts, words: Any) -> Floats:
    """Mean of the vectors of each text's known words, (texts, D); zeros if none is known."""
    matrix = np.asarray(words.matrix)
    index = {word: row for row, word in enumerate(words.words)}
    means = np.zeros((len(texts), matrix.shape[1]), dtype=np.float32)
    for row, text in enumerate(texts):
        known = [index[word] for word in text.split() if word in index]
        if known:
            means[row] = matrix[known].mean(axis=0)
    return means


def fit_vectors_mlp(texts: Texts, labels: Texts, settings: Settings, job: Settings) -> Fitted:
    """``MLPClassifier`` on means of given word vectors; taking the means is not timed."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        hidden_layer_sizes=(settings["hidden_size"],),
        activation="logistic",
        early_stopping=True,
        max_iter=1000,
        random_state=job["seed"],
    )
    return _on_means(model, texts, labels, job, lambda: int(model.n_iter_))


def _on_means(
    model: Any, texts: Texts, labels: Texts, job: Settings, epochs: Callable[[], int]
) -> Fitted:
    from wordgrad import load

    words = load(job["vectors"])
    means = mean_vectors(texts, words)
    start = perf_counter()
    model.fit(means, list(labels))
    seconds = perf_counter() - start
    return Fitted(
        lambda new: model.predict(mean_vectors(new, words)), seconds, {"epochs": epochs()}
    )


FIT: dict[str, Callable[[Texts, Texts, Settings, Settings], Fitted]] = {
    "wordgrad": fit_wordgrad,
    "fasttext": fit_fasttext,
    "tfidf-logistic": fit_tfidf_logistic,
    "tfidf-mlp": fit_tfidf_mlp,
    "vectors-mlp": fit_vectors_mlp,
}


def _warm_up(job: Settings) -> None:
    if job["program"] == "fasttext":  # is compiled, and stops with NaN on so few texts
        import fasttext  # noqa: F401

        return
    texts = [f"warm up {word} now" for word in ("good", "bad") for _ in range(20)]
    FIT[job["program"]](texts, [text.split()[2] for text in texts], job["settings"], job)


def train_once(labelled: LabelledSet, fold: int, job: Settings) -> dict[str, Any]:
    """Train and predict; a program that gives up leaves its sentence in place of figures."""
    train, test = labelled.parts(job["stage"], fold)
    texts, labels = ([column[row] for row in train] for column in (labelled.texts, labelled.labels))
    wanted = [labelled.labels[row] for row in test]
    try:
        fitted = FIT[job["program"]](texts, labels, job["settings"], job)
        predicted = fitted.predict([labelled.texts[row] for row in test])
    except Exception as error:  # a failure is a result
        return {"error": f"{type(error).__name__}: {error}"}
    right = [found == label for found, label in zip(predicted, wanted, strict=True)]
    figures = {"accuracy": float(np.mean(right)), "seconds": fitted.seconds}
    return {"trained_on": len(train), "tested_on": len(test), **figures, **fitted.details}


def main(job_file: str, result: str) -> None:
    """Do all trainings of the job, one after another."""
    job = json.loads(Path(job_file).read_text())
    labelled = load_set(Path(job["data"]), job["set"])
    _warm_up({**job, "seed": 1})
    trainings = [
        {**one, **train_once(labelled, one["fold"], {**job, **one})} for one in job["trainings"]
    ]
    Path(result).write_text(json.dumps({"trainings": trainings}))


if __name__ == "__main__":
    main(*sys.argv[1:])
