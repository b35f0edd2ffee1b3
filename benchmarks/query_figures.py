"""The table of queries, from ``results/queries.json``."""

from __future__ import annotations

from typing import Any

from tables import load, table


def queries() -> str:
    """Seconds of exact and approximate answers, and what the approximate ones miss."""
    found = load("queries.json")
    exact, asked = found["exact"], found["queries"]
    rows = [
        _row("one query", exact["one query, seconds"], exact["one query, times gensim's"]),
        _row(f"{asked:,} queries", exact["batch, seconds"], exact["batch, times gensim's loop"]),
    ]
    size = found["vectors"]
    head = f"exact, {size['rows']:,} words, D = {size['size']}"
    text = table([head, "wordgrad", "gensim", "times as fast"], rows)
    lines = []
    for kind, measured in found["approximate"].items():
        for one in measured["settings"]:
            seconds = one["one query, seconds"]
            lines.append(
                [
                    f"{kind}, {measured['rows']:,} words",
                    str(one["expansion_search"]),
                    f"{one['build, seconds']:.1f} s",
                    f"{100 * one['recall at 10']:.1f}%",
                    _shown(seconds["exact"]["median"]),
                    _shown(seconds["approximate"]["median"]),
                ]
            )
    columns = ["`expansion_search`", "build", "of the 10 nearest found", "exact", "approximate"]
    return f"{text}\n{table(['approximate, vectors', *columns], lines)}"


def _row(title: str, seconds: dict[str, Any], ratio: dict[str, Any]) -> list[str]:
    ours, theirs = [_shown(one["median"]) for one in list(seconds.values())[:2]]
    return [title, ours, theirs, f"{ratio['median']:.1f}"]


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.2f} ms"
