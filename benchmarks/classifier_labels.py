"""Classifiers of texts with several labels, of fastText's kind, and made small.

    python benchmarks/classifier_labels.py DATA
    python benchmarks/classifier_labels.py DATA --memory 60

``DATA`` holds ``cooking`` and ``banking77`` (``label|label<TAB>text`` a line, ``.train.tsv.gz`` and
``.test.tsv.gz``).  Each figure is of one training with the seed 1 and the settings below, chosen on
nothing but earlier runs of the same script; seconds are of processor time, of all threads.  Writes
``results/classifier-labels.json`` after every cell, and runs what is missing.  Needs ``pip install
".[bench]"`` for fastText, whose own ``quantize`` stands beside ours.

``--memory N`` trains both kinds of classifier from a file that is ``tweets100k`` once, and N times,
each in a process of its own, and keeps the most memory that was theirs alone (``RssAnon``): pages
of mapped files are the system's, which takes them back when it needs them.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from machine import RESULTS, circumstances, write_json

from wordgrad import FastTextClassifier, TextClassifier
from wordgrad.classification.report import score_labels

Record = dict[str, Any]
Rows = tuple[list[str], list[tuple[str, ...]]]
FILE = "classifier-labels.json"
OURS: Record = {"vector_size": 64, "epochs": 10, "smoothing": 0.0, "subwords": (0, 0),
                "calibrate": False}  # fmt: skip
RATES = {"softmax": 0.05, "one-vs-all": 0.1, "hierarchical-softmax": 0.05}
THEIRS: Record = {"dim": 64, "epoch": 25, "lr": 0.5, "wordNgrams": 2, "bucket": 200_000}
SMALL: dict[str, Record] = {
    "None": {},
    "50000": {"cutoff": 50_000},
    "10000": {"cutoff": 10_000},
    "10000, retrained": {"cutoff": 10_000, "retrain": True},
}
"""Of models of fastText's kind: rows that are kept, and one epoch more of those."""

NAMES = {"softmax": "softmax", "one-vs-all": "ova", "hierarchical-softmax": "hs"}


def rows_of(data: Path, name: str, part: str) -> Rows:
    """Texts and labels of a part of a set."""
    with gzip.open(data / f"{name}.{part}.tsv.gz", "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t", 1) for line in file]
    return [text.lower() for _, text in rows], [tuple(label.split("|")) for label, _ in rows]


def scores(labels: list[tuple[str, ...]], found: list[tuple[str, ...]]) -> Record:
    """Precision and recall of the first label."""
    report = score_labels(sorted({one for some in labels for one in some}), labels, found)
    return {"precision": report.precision_of_the_first, "recall": report.recall}


def write_lines(path: Path, rows: Rows) -> Path:
    """The same as fastText reads it."""
    with path.open("w", encoding="utf-8") as file:
        for text, labels in zip(*rows, strict=True):
            file.write(" ".join([*(f"__label__{one}" for one in labels), text]) + "\n")
    return path


def plain(labels: Any) -> list[tuple[str, ...]]:
    """Labels without fastText's prefix."""
    return [tuple(one.removeprefix("__label__") for one in some) for some in labels]


def cell(program: str, loss: str, train: Rows, test: Rows, folder: Path) -> Record:
    """One training, and what it is worth; ours of both kinds is made small, too."""
    start = time.process_time()
    found: Record
    if program == "wordgrad":
        model = TextClassifier(loss=loss, learning_rate=RATES[loss], **OURS).fit(*train)
        seconds = time.process_time() - start
        found = scores(test[1], model.predict(test[0], k=1))
        path = folder / "m.safetensors"
        model.save(path, overwrite=True)
        found["bytes"], small = path.stat().st_size, {}
        for ngrams in (None, 50_000, 10_000):
            other = model.quantize(ngrams=ngrams)
            other.save(path, overwrite=True)
            small[str(ngrams)] = scores(test[1], other.predict(test[0], k=1)) | {
                "bytes": path.stat().st_size
            }
        return found | {"cpu_seconds": seconds, "small": small}
    file = write_lines(folder / "train.txt", train)
    path = folder / "m.bin"
    if program == "fastText":
        import fasttext

        theirs = fasttext.train_supervised(
            str(file), loss=NAMES[loss], verbose=0, thread=2, **THEIRS
        )
        seconds = time.process_time() - start
        theirs.save_model(str(path))
        found = scores(test[1], plain(theirs.predict(test[0])[0]))
        found |= {"cpu_seconds": seconds, "bytes": path.stat().st_size}
        small = {}
        for name, options in SMALL.items():
            other = fasttext.load_model(str(path))
            if options.get("retrain"):
                options = {**options, "input": str(file), "epoch": 1, "lr": 0.1, "thread": 2}
            other.quantize(qnorm=True, **options)
            other.save_model(str(folder / "m.ftz"))
            small[name] = scores(test[1], plain(other.predict(test[0])[0])) | {
                "bytes": (folder / "m.ftz").stat().st_size
            }
        return found | {"small": small}
    kind = FastTextClassifier.train(
        file, loss=loss, vector_size=THEIRS["dim"], epochs=THEIRS["epoch"],
        learning_rate=THEIRS["lr"], ngrams=THEIRS["wordNgrams"], buckets=THEIRS["bucket"],
        workers=2,
    )  # fmt: skip
    seconds = time.process_time() - start
    kind.save(path, overwrite=True)
    found = scores(test[1], plain(kind.predict(test[0])[0]))
    found |= {"cpu_seconds": seconds, "bytes": path.stat().st_size}
    small = {}
    for name, options in SMALL.items():
        again: Record = {"retrain": file, "learning_rate": 0.1} if options.get("retrain") else {}
        pruned = kind.quantize(cutoff=options.get("cutoff", 0), norms=True, **again)
        pruned.save(folder / "m.ftz", overwrite=True)
        small[name] = scores(test[1], plain(pruned.predict(test[0])[0])) | {
            "bytes": (folder / "m.ftz").stat().st_size
        }
    return found | {"small": small}


def own_memory(kind: str, file: str) -> None:
    """Train in this process, and print the most memory that was its own."""
    most, done = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.05):
            status = Path("/proc/self/status").read_text()
            (line,) = [one for one in status.splitlines() if one.startswith("RssAnon")]
            most = max(most, 1024 * int(line.split()[1]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    if kind == "wordgrad":
        settings = OURS | {"epochs": 1, "vector_size": 16, "learning_rate": 0.05}
        TextClassifier(**settings).fit_files(file)
    else:
        FastTextClassifier.train(file, epochs=1, vector_size=16, workers=2)
    done.set()
    watcher.join()
    print(json.dumps({"own": most, "file": Path(file).stat().st_size}))


def measure_memory(data: Path, copies: int) -> Record:
    """Train each kind of classifier from a file, and from so many copies of it."""
    found: Record = {}
    with tempfile.TemporaryDirectory() as folder:
        once = write_lines(Path(folder, "once.txt"), rows_of(data, "tweets100k", "train"))
        often = Path(folder, "often.txt")
        with often.open("wb") as file:
            for _ in range(copies):
                file.write(once.read_bytes())
        for kind in ("wordgrad", "wordgrad's fastText"):
            for name, path in (("once", once), ("often", often)):
                command = [sys.executable, __file__, "own", kind, str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found[f"{kind}/{name}"] = json.loads(done.stdout)
                print(kind, name, found[f"{kind}/{name}"], flush=True)
    return {"copies": copies, "runs": found, "circumstances": circumstances()}


def main(
    data: Annotated[Path, typer.Argument()],
    memory: Annotated[int, typer.Option(help="Copies of tweets100k in a large file.")] = 0,
) -> None:
    path = RESULTS / FILE
    record: Record = json.loads(path.read_text()) if path.exists() else {"cells": {}}
    if memory:
        found = measure_memory(data, memory)
        write_json(FILE, record | circumstances() | {"memory": found})
        return
    record |= circumstances() | {"settings": {"wordgrad": OURS, "fastText": THEIRS}}
    record["settings"]["wordgrad"] = {**OURS, "learning_rate": RATES}
    warm = TextClassifier(**(OURS | {"epochs": 1}))
    for loss in RATES:  # compiled before anything is timed
        warm.set_params(loss=loss).fit(["a b", "b c", "a"] * 9, [["x"], ["y"], ["x"]] * 9)
    for name in ("cooking", "banking77"):
        train, test = rows_of(data, name, "train"), rows_of(data, name, "test")
        for loss in RATES:
            for program in ("wordgrad", "wordgrad's fastText", "fastText"):
                key = f"{name}/{loss}/{program}"
                if key in record["cells"]:
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    try:
                        found = cell(program, loss, train, test, Path(folder))
                    except RuntimeError as error:  # this build of fastText stops with NaN at times
                        found = {"failed": str(error)}
                record["cells"][key] = found
                write_json(FILE, record)
                print(key, {k: v for k, v in found.items() if k != "small"}, flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["own"]:
        own_memory(*sys.argv[2:])
    else:
        typer.run(main)
