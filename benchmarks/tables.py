"""What every figure is made of: a result, a Markdown table, and the names that people read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Record = dict[str, Any]

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
NAMES = {"wordgrad": "wordgrad", "gensim": "gensim", "fasttext": "fastText"}
CONFIGURATIONS = {
    "skipgram-d100": "skip-gram, D = 100",
    "skipgram-d300": "skip-gram, D = 300",
    "cbow-d100": "CBOW, D = 100",
}
ARCHITECTURES = {"skipgram": "skip-gram", "cbow": "CBOW"}


def load(name: str) -> Record:
    """One result, or a sentence about what to run if there is none."""
    path = RESULTS / name
    if not path.exists():
        raise SystemExit(f"{path} is missing; measure it with benchmarks/training.py first.")
    return dict(json.loads(path.read_text()))


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, all columns but the first aligned right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
