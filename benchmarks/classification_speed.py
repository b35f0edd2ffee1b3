"""Seconds of an epoch beside fastText's.

Run by :mod:`classification` in a fresh process; the programs take turns in it, and ratios are taken
within a round::

    python benchmarks/classification_speed.py JOB.json RESULT.json
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from labelled_sets import LabelledSet, load_set

Job = dict[str, Any]
Record = dict[str, Any]
MORE_EPOCHS = 50


def train_part(labelled: LabelledSet) -> tuple[list[str], list[str]]:
    """Texts and labels that are trained on; of ten folds, on the first."""
    rows, _ = labelled.parts("test", 0)
    return [labelled.texts[row] for row in rows], [labelled.labels[row] for row in rows]


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


def main(job_file: str, result: str) -> None:
    """Run the job on its set."""
    job = json.loads(Path(job_file).read_text())
    rounds = epoch_rounds(load_set(Path(job["data"]), job["set"]), job)
    Path(result).write_text(json.dumps({"rounds": rounds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
