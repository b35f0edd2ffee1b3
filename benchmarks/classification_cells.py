"""Cells of the classification tables: one program, one set, one choice of settings.

Each is one line of ``results/classification.jsonl``, written as soon as it is there, so that a
run may be stopped and continued.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import children
from labelled_sets import load_set, set_hash
from machine import RESULTS, append_json_line, circumstances, read_json_lines

Record = dict[str, Any]
RUNS = RESULTS / "classification.jsonl"
SEEDS = (1, 2, 3)
RANDOM = ("wordgrad", "fasttext", "vectors-mlp")
"""Programs that start from random numbers: on a standard split they are trained with three seeds
(fastText, which takes none, three times), on ten folds each fold has the seed 1."""

# More of them would take longer than everything else together; so it has one seed, too.
FIRST_FOLDS = {"tfidf-mlp": 1, "vectors-mlp": 3}

_CHILD = Path(__file__).with_name("classifiers.py")


@dataclass(frozen=True)
class Cell:
    """What is trained on what; ``stage`` is "validation" or "test"."""

    program: str
    set: str
    stage: str
    settings: Record = field(hash=False)

    @property
    def key(self) -> str:
        """Name of the cell on record."""
        chosen = json.dumps(self.settings, sort_keys=True)
        return f"{self.program} {self.set} {self.stage} {chosen}"


@dataclass(frozen=True)
class Place:
    """Where the data are, what is on record already, and how cells are run."""

    data: Path
    vectors: Path | None
    threads: int
    again: bool
    report: Callable[[str], None]


def on_record(data: Path | None = None) -> dict[str, Record]:
    """The latest record of every cell, of these data if given."""
    hashes: dict[str, str] = {}
    found = {}
    for one in read_json_lines(RUNS):
        if "stage" not in one:  # a measurement of speed
            continue
        if data is not None:
            wanted = hashes.setdefault(one["set"], set_hash(data, one["set"]))
            if one["data_sha256"] != wanted:
                continue
        found[one["key"]] = one
    return found


def _trainings(cell: Cell, place: Place) -> Iterator[Record]:
    """Fold and seed of every training that the cell is the mean of."""
    rounds = load_set(place.data, cell.set).rounds
    if cell.stage == "validation":
        yield {"fold": 0, "seed": SEEDS[0]}
    elif rounds > 1:
        for fold in range(FIRST_FOLDS.get(cell.program, rounds)):
            yield {"fold": fold, "seed": SEEDS[0]}
    else:
        for seed in SEEDS if cell.program in RANDOM else SEEDS[:1]:
            yield {"fold": 0, "seed": seed}


def run_cell(cell: Cell, place: Place) -> Record:
    """Train in a fresh process and put the cell on record; a crash is recorded as one."""
    job = {
        "program": cell.program,
        "set": cell.set,
        "stage": cell.stage,
        "settings": cell.settings,
        "trainings": list(_trainings(cell, place)),
        "threads": place.threads,
        "data": str(place.data),
        "vectors": str(place.vectors) if place.vectors else None,
    }
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        files = [Path(folder) / name for name in ("job.json", "result.json")]
        files[0].write_text(json.dumps(job))
        done = children.run_script(_CHILD, [str(file) for file in files], place.threads)
        if done.returncode == 0:
            result = json.loads(files[1].read_text())
        else:
            tail = "\n".join(done.stderr.strip().splitlines()[-5:])
            result = {"trainings": [], "error": tail or f"exit code {done.returncode}"}
    head = circumstances()
    record = {
        "key": cell.key,
        "program": cell.program,
        "set": cell.set,
        "stage": cell.stage,
        "settings": cell.settings,
        "data_sha256": set_hash(place.data, cell.set),
        "date": head["date"],
        "commit": head["commit"],
        "threads": place.threads,
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        **result,
    }
    append_json_line(RUNS, record)
    return record


def run_cells(cells: Iterable[Cell], place: Place) -> list[Record]:
    """Records of the cells, those that are missing having been run."""
    known = {} if place.again else on_record(place.data)
    records = []
    for cell in cells:
        record = known.get(cell.key)
        if record is None:
            record = run_cell(cell, place)
            place.report(f"{cell.key}: {_shown(record)}")
        records.append(record)
    return records


def _shown(record: Record) -> str:
    if succeeded(record):
        return f"{100 * accuracy(record):.2f}% in {seconds(record):.2f} s"
    errors = [one["error"] for one in (record, *record["trainings"]) if "error" in one]
    return f"failed {failures(record)} times: {errors[0]}"


def failures(record: Record) -> int:
    """Trainings that failed; a crash of the process counts as one."""
    return sum("error" in one for one in record["trainings"]) + ("error" in record)


def succeeded(record: Record) -> bool:
    """Whether every training of the cell came to an end."""
    return bool(record["trainings"]) and not failures(record)


def accuracy(record: Record) -> float:
    """Mean over the trainings of the cell."""
    values = [one["accuracy"] for one in record["trainings"]]
    return float(sum(values) / len(values))


def seconds(record: Record) -> float:
    """Mean training time."""
    values = [one["seconds"] for one in record["trainings"]]
    return float(sum(values) / len(values))
