"""Memory: how much wordgrad needs, and whether it grows with the text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import children
from machine import circumstances, describe_text, write_json
from settings import Settings
from texts import repeat

TIMES = 10
ALLOWANCE = 600_000_000  # bytes beside the two weight matrices
GROWTH = 0.10


def measure(text: Path, work: Path, threads: int, report: Callable[[str], None]) -> Path:
    """Train on ``text`` and on ten copies of it; write ``results/memory.json``.

    The long text is trained with ten times the ``min_count``, which keeps the vocabulary, and so
    the weights, the same: what is left to differ is what grows with the text.
    """
    settings = Settings(threads=threads)
    long_text = repeat(text, work / f"{text.stem}-{TIMES}-times.txt", TIMES)
    runs: dict[str, dict[str, Any]] = {}
    for label, path, min_count in (
        ("once", text, settings.min_count),
        ("ten times", long_text, settings.min_count * TIMES),
    ):
        run = children.run("wordgrad", path, replace(settings, min_count=min_count))
        runs[label] = {**run, "text": describe_text(path), "min_count": min_count}
        report(f"memory, {label}: {run.get('error') or run['peak_memory_bytes']}")
    long_text.unlink()
    record = {
        "question": "What is the peak memory of training, reading included?",
        "method": "peak resident memory of a fresh process: fit of one epoch, reading included",
        **circumstances(),
        "settings": settings.__dict__,
        "runs": runs,
        "goals": _verdict(runs, settings),
    }
    return write_json("memory.json", record)


def _verdict(runs: dict[str, dict[str, Any]], settings: Settings) -> dict[str, Any]:
    once, ten = runs["once"], runs["ten times"]
    if "error" in once or "error" in ten:
        return {"passed": False}
    weights = 2 * once["words"] * settings.vector_size * 4
    growth = ten["peak_memory_bytes"] / once["peak_memory_bytes"] - 1
    return {
        "limit_bytes": weights + ALLOWANCE,
        "weights_bytes": weights,
        "within_limit": once["peak_memory_bytes"] <= weights + ALLOWANCE,
        "growth": growth,
        "growth_allowed": GROWTH,
        "within_growth": growth <= GROWTH,
    }
