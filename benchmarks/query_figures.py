"""The tables of opening and asking, from ``results/loading.json`` and ``results/queries.json``."""

from __future__ import annotations

from typing import Any

from tables import load, table

READ = {"word2vec-binary": "word2vec binary", "word2vec-text": "word2vec text"}
ASKED = {
    "batch, times gensim's loop": "a batch of queries",
    "one query, times gensim's": "one query",
}


def queries() -> str:
    """Seconds of exact and approximate answers, and what the approximate ones miss."""
    cells = load("queries.json")["cells"]
    exact = cells["exact"]
    size = exact["settings"]
    rows = [
        _row("one query", exact["one query, seconds"], exact["one query, times gensim's"]),
        _row(
            f"{size['queries']:,} queries",
            exact["batch, seconds"],
            exact["batch, times gensim's loop"],
        ),
    ]
    head = f"exact, {size['rows']:,} words, D = {size['size']}"
    text = table([head, "wordgrad", "gensim", "times as fast"], rows)
    lines = []
    for kind in ("random", "trained"):
        measured = cells[f"approximate, {kind}"]
        for one in measured["at"]:
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


def loading() -> str:
    """Seconds of opening files, and the memory that reading text takes."""
    cells = load("loading.json")["cells"]
    rows = []
    for name, title in READ.items():
        one = cells[name]
        seconds = [one[f"{program} seconds"] for program in ("wordgrad", "gensim")]
        ours, theirs = [_shown(found["median"]) for found in seconds]
        ratio = one["times as fast as gensim"]["median"]
        rows.append([f"{title}, {_shape(one)}", ours, theirs, f"{ratio:.1f}"])
    mapped = cells["mapped"]
    opened = _shown(mapped["seconds"]["median"])
    rows.append([f"safetensors, mapped, {_shape(mapped)}", opened, "", ""])
    return table(["open a file", "wordgrad", "gensim", "times as fast"], rows)


def loading_goals() -> list[list[str]]:
    """Goal, measurement and verdict of opening files and of asking, as rows of a table."""
    found, goals = load("loading.json")["cells"], load("loading.json")["goals"]
    rows = [
        [
            f"open {_shape(found['mapped'])} by memory map",
            f"under {1000 * goals['mapped']:.0f} ms",
            _shown(found["mapped"]["seconds"]["median"]),
            _passed(found["mapped"]["passed"]),
        ]
    ]
    for name, title in READ.items():
        ratio = found[name]["times as fast as gensim"]["median"]
        aim = f"at least {goals[name]:g} x as fast as gensim"
        rows.append([f"read {title}", aim, f"{ratio:.1f} x", _passed(found[name]["passed"])])
    memory = found["memory"]
    rows.append(
        [
            f"peak memory, reading {_shape(memory)} as text",
            f"under {goals['memory'] / 1e9:g} GB",
            f"{memory['peak bytes'] / 1e9:.1f} GB",
            _passed(memory["passed"]),
        ]
    )
    asked = load("queries.json")
    exact = asked["cells"]["exact"]
    for name, title in ASKED.items():
        aim = f"at least {asked['goals'][name]:g} x as fast as gensim"
        measured = f"{exact[name]['median']:.1f} x"
        rows.append([title, aim, measured, _passed(exact["passed"][name])])
    return rows


def _shape(cell: dict[str, Any]) -> str:
    rows, size = cell["settings"]["shape"]
    return f"{rows:,} x {size}"


def _passed(found: bool) -> str:
    return "yes" if found else "no"


def _row(title: str, seconds: dict[str, Any], ratio: dict[str, Any]) -> list[str]:
    ours, theirs = [_shown(one["median"]) for one in list(seconds.values())[:2]]
    return [title, ours, theirs, f"{ratio['median']:.1f}"]


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.2f} ms"
