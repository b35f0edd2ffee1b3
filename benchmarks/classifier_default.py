"""Compare ``TextClassifier()`` with fastText, logistic regression and a linear SVC, on raw text.

    python benchmarks/classifier_default.py run DATA
    python benchmarks/classifier_default.py epochs DATA
    python benchmarks/classifier_default.py plot

Nothing is set: the classifier gets texts as they are and chooses for itself.  Its rivals get what
their users give them, lower-cased words separated from signs, and the best of a small grid, chosen
on a tenth of the training part that is held out.  ``DATA`` holds the sets of :mod:`classifiers`,
and in ``labelled/`` NAME.train.tsv.gz and NAME.test.tsv.gz with ``label<TAB>text`` a line.

Every cell runs in a fresh process, and ``results/classifier-default.json`` is written after each,
so that a run can be stopped and goes on where it was.  ``plot`` draws ``docs/reliability.svg``.
Needs ``pip install ".[bench]"``.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Annotated, Any

import numpy as np
import typer
from classifiers import TITLES, load_set
from machine import (
    RESULTS,
    ROOT,
    circumstances,
    last_lines,
    load_average,
    peak_memory,
    run_script,
    write_json,
)

Record = dict[str, Any]
Texts = list[str]

OTHERS = {
    "banking77": "banking77",
    "tweets100k": "tweets100k",
    "lingua75": "lingua75",
}
SETS = {**OTHERS, "sst5": TITLES["sst5"], "sst2": TITLES["sst2"], "trec": TITLES["trec"],
        "mr": TITLES["mr"], "subj": TITLES["subj"]}  # fmt: skip
PROGRAMS = {
    "wordgrad": "wordgrad, default",
    "fasttext": "fastText",
    "tfidf-logistic": "TF-IDF, logistic regression",
    "tfidf-svc": "TF-IDF, linear SVC",
}
LETTERS = {"lingua75"}
"""Sets on which the rivals get n-grams of letters: words alone tell little there."""

CHOICE = 20_000
"""Texts at most on which a point of a grid is tried."""

BINS = 10
FILE = "classifier-default.json"


def parts_of(data: Path, name: str) -> tuple[Texts, Texts, Texts, Texts]:
    """Texts and labels to train on, and to test on; of ten folds the first."""
    if name in OTHERS:
        found = []
        for part in ("train", "test"):
            with gzip.open(data / f"labelled/{name}.{part}.tsv.gz", "rt", encoding="utf-8") as file:
                rows = [line.rstrip("\n").split("\t", 1) for line in file]
            found += [[text for _, text in rows], [label for label, _ in rows]]
        return found[0], found[1], found[2], found[3]
    labelled = load_set(data, name)
    train, test = labelled.parts("test", 0)
    return (
        [labelled.texts[row] for row in train],
        [labelled.labels[row] for row in train],
        [labelled.texts[row] for row in test],
        [labelled.labels[row] for row in test],
    )


# ------------------------------------------------------------------------- the programs

Answer = tuple[Texts, list[float] | None]
"""Labels, and their probabilities where a program gives any."""

Answers = Callable[[Texts], Answer]


def split(texts: Sequence[str]) -> Texts:
    """Lower-cased words and signs with spaces between them."""
    from wordgrad.corpus.tokenizer import WORDS_AND_SIGNS

    find = re.compile(WORDS_AND_SIGNS).findall
    return [" ".join(find(text.lower())) for text in texts]


def train_wordgrad(texts: Texts, labels: Texts, settings: Record, letters: bool) -> Answers:
    """``TextClassifier()``."""
    from wordgrad import TextClassifier

    model = TextClassifier(**settings).fit(texts, labels)

    def answer(new: Texts) -> Answer:
        shares = model.predict_proba(new)
        best = shares.argmax(axis=1)
        return [str(one) for one in model.classes_[best]], shares.max(axis=1).tolist()

    return answer


def train_fasttext(texts: Texts, labels: Texts, settings: Record, letters: bool) -> Answers:
    """FastText supervised, with two threads."""
    import fasttext

    if letters:
        settings = {**settings, "minn": 1, "maxn": 4}
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        path = Path(folder) / "train.txt"
        lines = (f"__label__{label} {text}\n" for label, text in zip(labels, texts, strict=True))
        path.write_text("".join(lines), encoding="utf-8")
        model = fasttext.train_supervised(str(path), thread=2, verbose=0, **settings)

    def answer(new: Texts) -> Answer:
        found, shares = model.predict(new)
        return [one[0].removeprefix("__label__") for one in found], [float(p[0]) for p in shares]

    return answer


def _tfidf(letters: bool) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    if letters:
        return TfidfVectorizer(
            analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, dtype=np.float32
        )
    return TfidfVectorizer(
        ngram_range=(1, 2), token_pattern=r"\S+", sublinear_tf=True, dtype=np.float32
    )


def train_logistic(texts: Texts, labels: Texts, settings: Record, letters: bool) -> Answers:
    """Logistic regression on TF-IDF."""
    from sklearn.linear_model import LogisticRegression

    vectors = _tfidf(letters)
    model = LogisticRegression(max_iter=300, **settings).fit(vectors.fit_transform(texts), labels)

    def answer(new: Texts) -> Answer:
        shares = model.predict_proba(vectors.transform(new))
        return model.classes_[shares.argmax(axis=1)].tolist(), shares.max(axis=1).tolist()

    return answer


def train_svc(texts: Texts, labels: Texts, settings: Record, letters: bool) -> Answers:
    """Linear support vector machine on TF-IDF."""
    from sklearn.svm import LinearSVC

    vectors = _tfidf(letters)
    model = LinearSVC(**settings).fit(vectors.fit_transform(texts), labels)
    return lambda new: (model.predict(vectors.transform(new)).tolist(), None)


TRAIN = {
    "wordgrad": train_wordgrad,
    "fasttext": train_fasttext,
    "tfidf-logistic": train_logistic,
    "tfidf-svc": train_svc,
}
GRIDS: dict[str, list[Record]] = {
    "wordgrad": [{}],
    "fasttext": [
        {"wordNgrams": 2, "dim": 100, "epoch": epochs, "lr": rate}
        for epochs in (5, 25)
        for rate in (0.1, 0.5)
    ],
    "tfidf-logistic": [{"C": C} for C in (1.0, 5.0)],
    "tfidf-svc": [{"C": C} for C in (0.1, 0.3, 1.0)],
}


def accuracy(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Share of the labels that are right."""
    return float(np.mean([one == other for one, other in zip(found, wanted, strict=True)]))


def choose(program: str, texts: Texts, labels: Texts, letters: bool) -> Record:
    """The point of the grid that is best on a tenth of (some of) the training texts."""
    grid = GRIDS[program]
    if len(grid) == 1:
        return grid[0]
    order = np.random.default_rng(1).permutation(len(texts))[:CHOICE]
    tenth = len(order) // 10
    parts = [([texts[i] for i in part], [labels[i] for i in part])
             for part in (order[tenth:], order[:tenth])]  # fmt: skip
    scores = []
    for settings in grid:
        try:
            found, _ = TRAIN[program](*parts[0], settings, letters)(parts[1][0])
            scores.append(accuracy(found, parts[1][1]))
        except RuntimeError:  # fastText encounters NaN
            scores.append(-1.0)
    return grid[int(np.argmax(scores))]


def run_cell(data: Path, name: str, program: str) -> Record:
    """Train on the whole training part, and test."""
    from wordgrad.classification.report import calibration

    texts, labels, new, wanted = parts_of(data, name)
    letters = name in LETTERS
    if program == "wordgrad":  # compiles
        train_wordgrad([f"{i % 2} x" for i in range(300)], ["a", "b"] * 150, {}, False)
    else:
        texts, new = split(texts), split(new)
    settings = choose(program, texts, labels, letters)
    begin, cpu = perf_counter(), process_time()
    answer = TRAIN[program](texts, labels, settings, letters)
    seconds, cpu_seconds = perf_counter() - begin, process_time() - cpu
    begin, cpu = perf_counter(), process_time()
    found, shares = answer(new)
    testing, cpu_testing = perf_counter() - begin, process_time() - cpu
    record: Record = {
        "accuracy": accuracy(found, wanted),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "texts_a_second": len(new) / testing,
        "texts_a_cpu_second": len(new) / cpu_testing,
        "peak_memory": peak_memory(),
        "settings": settings,
        "trained_on": len(texts),
        "tested_on": len(new),
        "load_average": load_average(),
    }
    if shares is not None:
        right = [one == other for one, other in zip(found, wanted, strict=True)]
        bins, error = calibration(shares, right, BINS)
        record |= {"calibration_error": error, "bins": bins}
    return record


# ------------------------------------------------------------------ seconds of an epoch

SIZE = 64
ROUNDS = 3
EPOCHS = (2, 12)
"""An epoch is what the more of them add to a training, a share each: what a program takes to set
itself up is not in it."""


def _epoch_seconds(train: Callable[[int], object]) -> float:
    seconds = []
    for epochs in EPOCHS:
        begin = process_time()
        train(epochs)
        seconds.append(process_time() - begin)
    return (seconds[1] - seconds[0]) / (EPOCHS[1] - EPOCHS[0])


def epoch_rounds(data: Path, name: str) -> list[Record]:
    """Processor seconds of an epoch of both programs by turns, with vectors of the same size."""
    texts, labels, _, _ = parts_of(data, name)
    words = split(texts)
    fixed: Record = {
        "vector_size": SIZE,
        "learning_rate": 0.01,
        "smoothing": 0.0,
        "subwords": (0, 0),
        "calibrate": False,
    }
    plain: Record = {"dim": SIZE, "wordNgrams": 2, "lr": 0.01}
    train_wordgrad(texts, labels, {**fixed, "epochs": 1}, False)  # compiles
    return [
        {
            "wordgrad": _epoch_seconds(
                lambda n: train_wordgrad(texts, labels, {**fixed, "epochs": n}, False)
            ),
            "fasttext": _epoch_seconds(
                lambda n: train_fasttext(words, labels, {**plain, "epoch": n}, False)
            ),
        }
        for _ in range(ROUNDS)
    ]


# ------------------------------------------------------------------------------ commands

app = typer.Typer(help=(__doc__ or "").splitlines()[0])
DATA = typer.Argument(help="Folder with the sets.")


def _results() -> Record:
    path = RESULTS / FILE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {"cells": {}}


@app.command()
def run(
    data: Annotated[Path, DATA],
    only: Annotated[list[str] | None, typer.Option(help="Sets to run.")] = None,
    program: Annotated[list[str] | None, typer.Option(help="Programs to run.")] = None,
    again: Annotated[bool, typer.Option(help="Run what is on record, too.")] = False,
) -> None:
    """Run every cell that is missing."""
    for name in only or SETS:
        for one in program or PROGRAMS:
            if not again and one in _results()["cells"].get(name, {}):
                continue
            done = run_script(Path(__file__), ["cell", str(data), name, one], 2)
            record = (
                json.loads(done.stdout) if done.returncode == 0 else {"error": last_lines(done)}
            )
            whole = _results()
            whole["cells"].setdefault(name, {})[one] = record
            write_json(FILE, {**whole, **circumstances()})
            print(name, one, {k: v for k, v in record.items() if k != "bins"}, file=sys.stderr)


@app.command()
def epochs(
    data: Annotated[Path, DATA],
    only: Annotated[list[str] | None, typer.Option(help="Sets to run.")] = None,
) -> None:
    """Time an epoch beside fastText's."""
    for name in only or [one for one in SETS if one not in LETTERS]:
        rounds = epoch_rounds(data, name)
        whole = _results()
        whole.setdefault("epochs", {})[name] = rounds
        write_json(FILE, {**whole, **circumstances()})
        print(name, rounds, file=sys.stderr)


@app.command(hidden=True)
def cell(data: Path, name: str, program: str) -> None:
    """Run one cell, and print its record."""
    print(json.dumps(run_cell(data, name, program)))


@app.command()
def plot() -> None:
    """Draw how often answers are right against their probability."""
    cells = _results()["cells"]
    measured = [name for name in SETS if "bins" in cells.get(name, {}).get("wordgrad", {})]
    parts = []
    for place, name in enumerate(measured):
        left, top = 20 + 180 * (place % 4), 30 + 190 * (place // 4)
        parts.append(f'<text x="{left}" y="{top - 6}">{SETS[name]}</text>')
        parts.append(f'<rect x="{left}" y="{top}" width="150" height="150" class="box"/>')
        parts.append(f'<path d="M{left} {top + 150}l150 -150" class="box"/>')
        for program, colour in (("fasttext", "#d95f02"), ("wordgrad", "#1b6ca8")):
            bins = cells[name].get(program, {}).get("bins", [])
            points = [
                (left + 150 * one["probability"], top + 150 * (1 - one["right"]))
                for one in bins
                if one["texts"] >= 20
            ]
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/>')
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points
            ]
    height = 30 + 190 * -(-len(measured) // 4)
    style = "text{font:12px sans-serif;fill:#555}.box{fill:none;stroke:#bbb}"
    picture = "\n".join(parts)
    (ROOT / "docs" / "reliability.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 {height}">\n'
        f"<style>{style}</style>\n{picture}\n</svg>\n"
    )


if __name__ == "__main__":
    app()
