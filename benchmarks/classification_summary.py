"""``results/classification.json`` from the cells on record: tables, ratios, goals."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path

import classification_plan as plan
from classification_cells import (
    FIRST_FOLDS,
    RUNS,
    Cell,
    Record,
    accuracy,
    failures,
    on_record,
    seconds,
    succeeded,
)
from labelled_sets import TITLES, load_set, set_hash
from machine import circumstances, read_json_lines, spread, write_json

RIVALS = ("fasttext", "fasttext-same", "logistic")
OURS = ("wordgrad", "wordgrad-wiki8")
PUBLISHED = {"sst5": 0.414, "trec": 0.910, "mr": 0.772, "subj": 0.915}
"""What fastText and TF-IDF reached on a first look, the better of the two, each at the best of a
small grid on the test part; MR and Subj on a tenth."""

Known = dict[str, Record]


def _figures(record: Record) -> Record:
    values = [one["accuracy"] for one in record["trainings"]]
    return {
        "accuracy": accuracy(record),
        "spread": statistics.stdev(values) if len(values) > 1 else None,
        "seconds": seconds(record),
        "trainings": len(values),
        "settings": record["settings"],
    }


def _row(one: plan.Contestant, name: str, known: Known) -> Record | None:
    """Figures of a contestant on a set, from cells on record alone."""
    if len(one.grid) == 1:
        record = known.get(Cell(one.program, name, "test", one.grid[0]).key)
        if record is None:
            return None
        found = _figures(record) if succeeded(record) else {}
        return {**found, "failures": failures(record)}
    grid = [known.get(Cell(one.program, name, "validation", s).key) for s in one.grid]
    run = [record for record in grid if record is not None]
    row: Record = {"failures": sum(map(failures, run)), "points": len(run)}
    for candidate in plan.ranked(run):
        record = known.get(Cell(one.program, name, "test", candidate["settings"]).key)
        if record is None:
            break
        row["failures"] += failures(record)
        if succeeded(record):
            return {**row, **_figures(record), "validation": accuracy(candidate)}
    return row if run else None


def _rates(name: str, known: Known) -> Record:
    found = {}
    for cell in plan.rate_cells(name):
        record = known.get(cell.key)
        if record is not None:
            rate = f"{cell.settings['learning_rate']:g}"
            found[rate] = accuracy(record) if succeeded(record) else None
    return found


def _epochs(rounds: list[Record]) -> Record:
    """FastText's seconds over ours, round by round."""
    found: Record = {
        program: {
            part: spread([one[program][part] for one in rounds]) for part in ("epoch", "whole")
        }
        for program in ("wordgrad", "fasttext")
    }
    found["ratio"] = {
        part: spread([one["fasttext"][part] / one["wordgrad"][part] for one in rounds])
        for part in ("epoch", "whole")
    }
    return found


def _speeds(data: Path) -> Record:
    found: Record = {"epoch": {}}
    for one in read_json_lines(RUNS):
        if one.get("question") != "epoch" or one["data_sha256"] != set_hash(data, one["set"]):
            continue
        if "rounds" in one:  # else it failed
            found["epoch"][one["set"]] = _epochs(one["rounds"])
    return found


def _loads(records: Iterable[Record]) -> Record | None:
    """Load averages after the cells that say: a busy machine slows all, and not all alike."""
    values = [one["load_average"] for one in records if one.get("load_average") is not None]
    return {key: spread(values)[key] for key in ("median", "min", "max")} if values else None


def _best(rows: Record, names: Iterable[str]) -> float | None:
    values = [rows[name]["accuracy"] for name in names if "accuracy" in (rows.get(name) or {})]
    return max(values) if values else None


def goals(tables: Record, speeds: Record, rates: Record) -> Record:
    """What was aimed at, set by set, beside what was measured."""
    found: Record = {"accuracy": {}, "epoch": {}}
    for name, rows in tables.items():
        ours, rival = _best(rows, OURS[:1]), _best(rows, RIVALS)
        if ours is not None and rival is not None:
            found["accuracy"][name] = {
                "measured": ours, "goal": rival, "passed": ours >= rival,
                "started_from_vectors": _best(rows, OURS[1:]), "published": PUBLISHED.get(name),
            }  # fmt: skip
    for name, one in speeds["epoch"].items():
        ratio = one["ratio"]["epoch"]["median"]
        found["epoch"][name] = {"measured": ratio, "goal": 1.0, "passed": ratio >= 1}
    diverged = sum(value is None for one in rates.values() for value in one.values())
    tried = sum(map(len, rates.values()))
    passed = diverged == 0 if tried else None
    found["divergence"] = {"measured": diverged, "of": tried, "passed": passed}
    return found


def summarise(data: Path) -> Path:
    """Write ``results/classification.json``."""
    known = on_record(data)
    contestants = plan.contestants()
    tables = {
        name: {key: _row(one, name, known) for key, one in contestants.items()} for name in TITLES
    }
    rates = {name: _rates(name, known) for name in TITLES}
    speeds = _speeds(data)
    sets = {name: load_set(data, name) for name in TITLES}
    record = {
        "question": "How well, and how fast, does the text classifier learn, beside fastText, "
        "logistic regression on TF-IDF and MLPClassifier?",
        "method": "the same lower-cased words for all; accuracy on the standard test part (mean of "
        "three trainings where a program is random) or mean of ten folds; settings chosen by "
        "accuracy on the validation part: a tenth of the training part where there is none, of ten "
        "folds that of the first; seconds of training alone, without predicting",
        **circumstances(),
        "data": {
            name: {
                "title": TITLES[name],
                "sha256": set_hash(data, name),
                "texts": len(one.texts),
                "classes": len(set(one.labels)),
                "trained_on": len(one.parts("test", 0)[0]),
                "tested_on": len(one.parts("test", 0)[1]),
                "folds": one.rounds,
            }
            for name, one in sets.items()
        },
        "threads": sorted({one["threads"] for one in known.values() if "threads" in one}),
        "load_averages": _loads(known.values()),
        "first_folds": FIRST_FOLDS,
        "titles": {key: one.title for key, one in contestants.items()},
        "accuracies": tables,
        "rates": rates,
        "speed": speeds,
        "goals": goals(tables, speeds, rates),
    }
    return write_json("classification.json", record)
