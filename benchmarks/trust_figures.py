"""The tables of docs/trust.md, from ``results/fuzz.json`` and ``results/soak.json``."""

from __future__ import annotations

from tables import Record, load, table

_READERS = {
    "vectors": "vectors: all formats, guessed ones, histories of losses",
    "corpora": "texts: files of all kinds, folders, names, standard input, lists",
    "sets": "test sets, arguments of the command line",
    "checkpoints": "checkpoints, folders of trainings",
    "classifiers": "classifiers, labelled text",
}
_READING = {
    "lines": "in a thousand lines",
    "line": "on one line",
    "pattern": "on one line, `pattern` given",
    "packed": "packed with gzip",
}


def fuzz() -> str:
    """Damaged inputs tried, and what became of them, by family of readers."""
    found = load("fuzz.json")
    rows = []
    for family, title in _READERS.items():
        targets = [one for one in found["targets"].values() if one["family"] == family]
        rows.append(_row(title, targets))
    every = list(found["targets"].values())
    rows.append(_row("together", every))
    head = ["damaged inputs", "readers", "tried", "read", "refused", "anything else", "seconds"]
    panics = sum(one["panics"] for one in every)
    seeds = ", ".join(map(str, found["seeds"]))
    return (
        f"{table(head, rows)}\n"
        f"Last run on {found['date'][:10]}, seeds {seeds}. Polars' threads panicked {panics} times "
        "on damaged Parquet; each became an ordinary error.\n"
    )


def _row(title: str, targets: list[Record]) -> list[str]:
    sums = [
        f"{sum(one[key] for one in targets):,.0f}"
        for key in ("inputs", "read", "refused", "failed", "seconds")
    ]
    return [title, str(len(targets)), *sums]


def long_runs() -> str:
    """Memory over a long training, and what reading a gigabyte takes."""
    found = load("soak.json")
    training = found["memory"]
    rows = [
        [
            f"a gigabyte {title}",
            f"{found[name]['bytes_on_disk'] / 1e6:,.0f} MB",
            f"{found[name]['seconds']:.0f} s",
            f"{found[name]['peak_bytes'] / 1e6:.0f} MB",
        ]
        for name, title in _READING.items()
    ]
    return (
        f"A training of {training['minutes']:g} minutes, {training['epochs']:,} epochs: at most "
        f"{training['first_quarter_most_bytes'] / 1e6:.1f} MB in its first quarter, "
        f"{training['last_quarter_most_bytes'] / 1e6:.1f} MB in its last "
        f"({100 * training['growth']:+.2f}%).\n\n"
        f"{table(['reading', 'on disk', 'seconds', 'peak memory'], rows)}"
    )


def stops() -> str:
    """Signals sent to trainings at random moments."""
    found = load("soak.json")["stops"]
    rows = [
        [name, f"{one['runs']:,}", f"{one['ended_before']:,}", f"{one['wrong']:,}"]
        for name, one in found["signals"].items()
    ]
    return table(["signal", "trainings", "had ended before it came", "left anything wrong"], rows)
