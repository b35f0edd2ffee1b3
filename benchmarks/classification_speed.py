"""Seconds of an epoch beside fastText's, and to equal accuracy beside scikit-learn's.

Run by :mod:`classification` in a fresh process; the programs take turns in it, and ratios are taken
within a round::

    python benchmarks/classification_speed.py JOB.json RESULT.json
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from classifiers import mean_vectors
from labelled_sets import LabelledSet, load_set

Job = dict[str, Any]
Record = dict[str, Any]
MORE_EPOCHS = 50
BELOW = 0.005  # of MLPClassifier's best accuracy: what both have to reach


def train_part(labelled: LabelledSet) -> tuple[list[str], list[str]]:
    """Texts and labels that are trained on; of ten folds, on the first."""
    rows, _ = labelled.parts("test", 0)
    return [labelled.texts[row] for row in rows], [labelled.labels[row] for row in rows]


# ------------------------------------------------------------------------ an epoch


def epochs_of_wordgrad(texts: list[str], labels: list[str], job: Job) -> Record:
    """Seconds of the whole training, and of its epochs alone."""
    from wordgrad import TextClassifier

    model = TextClassifier(workers=job["threads"], epochs=job["same"]["epoch"])
    start = perf_counter()
    model.fit(texts, labels)
    whole = perf_counter() - start
    inside = sum(epoch["seconds"] for epoch in model.history_)
    return {"whole": whole, "epoch": inside / len(model.history_)}


def epochs_of_fasttext(file: str, job: Job) -> Record:
    """The same; an epoch is what many more of them add to a training, a share each.

    Setting itself up takes fastText as long as dozens of epochs on a small set, so that few more
    would be lost in the noise.  The rate, on which speed does not depend, is one that never fails.
    """
    import fasttext

    def call(epochs: int) -> float:
        settings = {**job["same"], "epoch": epochs, "lr": 0.01}
        start = perf_counter()
        fasttext.train_supervised(file, thread=job["threads"], verbose=0, **settings)
        return perf_counter() - start

    epochs = job["same"]["epoch"]
    whole = call(epochs)
    return {"whole": whole, "epoch": (call(epochs + MORE_EPOCHS) - whole) / MORE_EPOCHS}


def epoch_rounds(labelled: LabelledSet, job: Job) -> list[Record]:
    """Rounds in which both programs train with the same sizes, epochs and threads."""
    texts, labels = train_part(labelled)
    epochs_of_wordgrad(texts[:200], labels[:200], job)  # compiles
    rounds = []
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        file = Path(folder) / "train.txt"
        lines = (f"__label__{label} {text}\n" for label, text in zip(labels, texts, strict=True))
        file.write_text("".join(lines), encoding="utf-8")
        for _ in range(job["rounds"]):
            ours = epochs_of_wordgrad(texts, labels, job)
            theirs = epochs_of_fasttext(str(file), job)
            rounds.append({"wordgrad": ours, "fasttext": theirs})
    return rounds


# ------------------------------------------------------------- time to an accuracy

Data = tuple[npt.NDArray[np.float32], npt.NDArray[np.str_]]


def course(model: Any, train: Data, test: Data, epochs: int) -> list[tuple[float, float]]:
    """After every epoch: seconds of training so far, and the accuracy on the test part."""
    classes = np.unique(train[1])
    points, spent = [], 0.0
    for epoch in range(epochs):
        start = perf_counter()
        if epoch:
            model.partial_fit(*train)
        else:
            model.partial_fit(*train, classes=classes)
        spent += perf_counter() - start
        points.append((spent, float(np.mean(model.predict(test[0]) == test[1]))))
    return points


def _models(job: Job) -> dict[str, Callable[[int], Any]]:
    from sklearn.neural_network import MLPClassifier

    from wordgrad import OneHiddenLayerClassifier

    size = job["hidden_size"]
    return {
        "wordgrad": lambda seed: OneHiddenLayerClassifier(hidden_size=size, seed=seed),
        "sklearn": lambda seed: MLPClassifier((size,), activation="logistic", random_state=seed),
    }


def reached(points: list[tuple[float, float]], target: float) -> float | None:
    """Seconds until the accuracy is there, or None."""
    return next((spent for spent, accuracy in points if accuracy >= target), None)


def accuracy_rounds(labelled: LabelledSet, job: Job) -> list[Record]:
    """Both networks on means of the same vectors, each at its defaults, hidden sizes alike."""
    from wordgrad import load

    words = load(job["vectors"])
    parts = [
        (mean_vectors([labelled.texts[row] for row in rows], words),
         np.array([labelled.labels[row] for row in rows]))
        for rows in labelled.parts("test", 0)
    ]  # fmt: skip
    rounds = []
    for seed in range(job["rounds"] + 1):
        courses = {
            name: course(make(seed), parts[0], parts[1], job["epochs"])
            for name, make in _models(job).items()
        }
        target = max(accuracy for _, accuracy in courses["sklearn"]) - BELOW
        figures: Record = {"target": target}
        for name, points in courses.items():
            figures[name] = {
                "seconds": reached(points, target),
                "best": max(accuracy for _, accuracy in points),
                "epoch": points[-1][0] / len(points),
            }
        rounds.append(figures)
    return rounds[1:]  # the first warms up


def main(job_file: str, result: str) -> None:
    """Run the job's question on its set."""
    job = json.loads(Path(job_file).read_text())
    questions = {"epoch": epoch_rounds, "accuracy": accuracy_rounds}
    rounds = questions[job["question"]](load_set(Path(job["data"]), job["set"]), job)
    Path(result).write_text(json.dumps({"rounds": rounds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
