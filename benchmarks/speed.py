"""Speed of training: alternating runs of one configuration, ratios round by round."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import children
from machine import circumstances, describe_text, spread, write_json
from settings import Architecture, Settings
from texts import WORDS_A_LINE

Record = dict[str, Any]
FIGURES = ("vocabulary_seconds", "training_seconds", "total_seconds", "peak_memory_bytes")

CONFIGURATIONS = {
    "skipgram-d100": Settings(Architecture.skipgram, 100),
    "skipgram-d300": Settings(Architecture.skipgram, 300),
    "cbow-d100": Settings(Architecture.cbow, 100),
}
# How many times as fast as gensim wordgrad means to be, in training and from text to ids.
GOALS = {"skipgram-d100": 10.0, "skipgram-d300": 6.0, "cbow-d100": 4.5}
VOCABULARY_GOAL = 3.0


@dataclass(frozen=True)
class Contestant:
    """A program on one shape of the text; ``label`` names the pair in the result."""

    label: str
    program: str
    text: Path


def measure_compilation(settings: Settings, numba_cache: Path) -> Record:
    """Time a tiny training in a fresh process, first with an empty cache of kernels, then again.

    Afterwards ``numba_cache`` holds the kernels that the timed runs need.
    """
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        text = Path(folder) / "tiny.txt"
        text.write_text("a b c d e f g h i j\n" * 2000)
        runs = [children.run("wordgrad", text, settings, numba_cache=numba_cache) for _ in range(2)]
    first, second = (run.get("total_seconds") for run in runs)
    record: Record = {"first_fit_seconds": first, "next_process_fit_seconds": second}
    errors = [run["error"] for run in runs if "error" in run]
    return {**record, "errors": errors} if errors else record


def ratios(rounds: Sequence[dict[str, Record]], figure: str) -> dict[str, Any]:
    """How many times as long each contestant took as wordgrad, round by round."""
    result = {}
    for label in rounds[0]:
        pairs = [(one[label].get(figure), one["wordgrad"].get(figure)) for one in rounds]
        values = [theirs / ours for theirs, ours in pairs if theirs and ours]
        if label != "wordgrad" and values:
            result[label] = spread(values)
    return result


def summarise(rounds: Sequence[dict[str, Record]]) -> dict[str, Any]:
    """Median and spread of every figure of every contestant."""
    summary: dict[str, Any] = {}
    for label in rounds[0]:
        runs = [one[label] for one in rounds]
        summary[label] = {
            figure: spread([run[figure] for run in runs if run.get(figure) is not None])
            for figure in FIGURES
            if any(run.get(figure) is not None for run in runs)
        }
        summary[label]["failures"] = sum("error" in run for run in runs)
    return summary


def verdict(name: str, compared: dict[str, dict[str, Any]]) -> Record:
    """The goals of this configuration, and whether the median ratio to gensim reaches them."""
    goals = {"training_seconds": GOALS[name], "vocabulary_seconds": VOCABULARY_GOAL}
    result = {}
    for figure, goal in goals.items():
        measured = compared[figure].get("gensim", {}).get("median")
        passed = None if measured is None else measured >= goal
        result[figure] = {"goal": goal, "measured": measured, "passed": passed}
    return result


def compare(
    name: str,
    contestants: Sequence[Contestant],
    rounds: int,
    threads: int,
    report: Callable[[str], None],
) -> Path:
    """Run one configuration in alternating rounds and write ``results/speed-NAME.json``."""
    settings = replace(CONFIGURATIONS[name], threads=threads)
    results: list[dict[str, Record]] = []
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory(prefix="wordgrad-kernels-") as cache:
        compilation = measure_compilation(settings, Path(cache))
        report(f"{name}: compilation {compilation}")
        for number in range(1, rounds + 1):
            results.append({})
            for one in contestants:
                run = children.run(one.program, one.text, settings, numba_cache=Path(cache))
                results[-1][one.label] = run
                shown = run.get("error") or {key: run[key] for key in FIGURES}
                report(f"{name}, round {number}: {one.label} {shown}")
    compared = {figure: ratios(results, figure) for figure in FIGURES}
    record = {
        "question": "How fast is training, and how fast the pass from text to ids?",
        "method": "alternating runs, each in a fresh process; ratios are taken in each round",
        **circumstances(),
        "load_average_before": load,
        "settings": settings.__dict__,
        "texts": {one.label: describe_text(one.text) for one in contestants},
        "lines": f"{WORDS_A_LINE} words a line for all, except where a label says one line",
        "compilation": compilation,
        "summary": summarise(results),
        "ratios_to_wordgrad": compared,
        "goals": verdict(name, compared),
        "rounds": results,
    }
    return write_json(f"speed-{name}.json", record)
