"""Write the measured figures into the documents, from the JSON in ``benchmarks/results``.

A document marks each place with ``<!-- figures:NAME:start -->`` and ``<!-- figures:NAME:end -->``::

    python benchmarks/figures.py            # rewrite the documents
    python benchmarks/figures.py --check    # change nothing; exit 1 if a document is out of date
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable

from classification_figures import (
    classification,
    classification_goals,
    classification_machine,
    classification_rates,
)
from goals import goals
from lever_figures import classification_levers
from query_figures import loading, queries
from reproducible_figures import reproducible, reproducible_designs, reproducible_quality
from softmax_figures import (
    softmax_beside_fasttext,
    softmax_passes,
    softmax_quality,
    softmax_search,
)
from tables import ARCHITECTURES, CONFIGURATIONS, NAMES, ROOT, Record, load, table
from trust_figures import fuzz, long_runs, stops

DOCUMENTS = tuple(
    ROOT / name
    for name in (
        "README.md",
        "docs/performance.md",
        "docs/from-gensim.md",
        "docs/classification.md",
        "docs/trust.md",
    )
)
_MARKED = re.compile(
    r"(?P<start><!-- figures:(?P<name>[\w-]+):start -->\n)"
    r".*?"
    r"(?P<end><!-- figures:(?P=name):end -->)",
    re.DOTALL,
)


def _speed_cells(result: Record, figure: str) -> list[str]:
    """Seconds of every program, and beside them how many times as long as wordgrad's."""
    cells = []
    for program in NAMES:
        seconds = result["summary"].get(program, {}).get(figure, {}).get("median")
        ratio = result["ratios_to_wordgrad"][figure].get(program, {}).get("median")
        if seconds is None:
            failures = result["summary"].get(program, {}).get("failures", 0)
            cells.append(f"failed {failures} times" if failures else "not measured")
        elif ratio is None:
            cells.append(f"{seconds:.1f} s")
        else:
            cells.append(f"{seconds:.1f} s ({ratio:.1f} x)")
    return cells


def speed() -> str:
    """Training and vocabulary seconds of the three configurations."""
    rows = []
    for name, title in CONFIGURATIONS.items():
        rows.append(
            [f"train {title}", *_speed_cells(load(f"speed-{name}.json"), "training_seconds")]
        )
    first = load("speed-skipgram-d100.json")
    rows.append(["text to encoded corpus", *_speed_cells(first, "vocabulary_seconds")])
    rows.append(["both, skip-gram, D = 100", *_speed_cells(first, "total_seconds")])
    return table(["one epoch on `wiki8`", *NAMES.values()], rows)


def spread() -> str:
    """The same ratios with their spread: what one round gives and another does not."""
    rows = []
    for name, title in CONFIGURATIONS.items():
        result = load(f"speed-{name}.json")
        for program in ("gensim", "fasttext"):
            found = result["ratios_to_wordgrad"]["training_seconds"].get(program)
            if found:
                cells = [f"{found[key]:.2f}" for key in ("median", "min", "max")]
                rows.append([f"{title}: {NAMES[program]}", *cells, str(len(found["values"]))])
    return table(["times as long as wordgrad", "median", "least", "most", "rounds"], rows)


def compilation() -> str:
    """What the first training on a machine costs, and the next."""
    rows = []
    for name, title in CONFIGURATIONS.items():
        found = load(f"speed-{name}.json")["compilation"]
        seconds = [found["first_fit_seconds"], found["next_process_fit_seconds"]]
        rows.append([title, *[f"{value:.1f} s" for value in seconds]])
    return table(["a tiny text", "empty cache", "next process"], rows)


def one_line() -> str:
    """Wordgrad on the text as it is, one line of 100 MB, beside the text in lines."""
    rows = []
    for name, title in CONFIGURATIONS.items():
        summary = load(f"speed-{name}.json")["summary"]
        labels = ("wordgrad", "wordgrad, one line")
        figures = ("vocabulary_seconds", "training_seconds")
        cells = [
            f"{summary[label][figure]['median']:.2f} s" for figure in figures for label in labels
        ]
        rows.append([title, *cells])
    head = ["wordgrad", "encode, lines", "encode, one line", "train, lines", "train, one line"]
    return table(head, rows)


def memory() -> str:
    """Peak memory of wordgrad and of the others, and wordgrad's on ten times the text."""
    result, others = load("memory.json"), load("speed-skipgram-d100.json")["summary"]
    runs = result["runs"]
    rows = [
        [f"wordgrad, `wiki8` {label}", f"{run['peak_memory_bytes'] / 1e6:.0f} MB"]
        for label, run in runs.items()
    ]
    for program in ("gensim", "fasttext"):
        peak = others.get(program, {}).get("peak_memory_bytes", {}).get("median")
        shown = "not measured" if peak is None else f"{peak / 1e6:.0f} MB"
        rows.append([f"{NAMES[program]}, `wiki8` once", shown])
    return table(["skip-gram, D = 100", "peak memory"], rows)


def startup() -> str:
    """Seconds until the import and the help are there."""
    seconds = load("startup.json")["seconds"]
    rows = [[f"`{name}`", f"{figure['median']:.2f} s"] for name, figure in seconds.items()]
    return table(["fresh process", "median"], rows)


def quality() -> str:
    """Mean scores of every program and architecture, each at its own best rate."""
    result = load("quality.json")
    rows = []
    for architecture, title in ARCHITECTURES.items():
        for program, found in result["tables"][architecture].items():
            scores = [f"{100 * found['sets'][name]['mean']:.1f}" for name in result["judged"]]
            rows.append(
                [
                    f"{title}, {NAMES[program]}",
                    *scores,
                    f"{100 * found['average']:.1f}",
                    f"{found['learning_rate']:g}",
                    str(len(found["seeds"])),
                ]
            )
    return table(["5 epochs, D = 100", *result["judged"], "average", "rate", "seeds"], rows)


def sweep() -> str:
    """The sweeps of learning rates behind the choice."""
    rows = []
    for architecture, tables in load("quality.json")["tables"].items():
        for program, found in tables.items():
            ordered = sorted(found["sweep"].items(), key=lambda pair: float(pair[0]))
            shown = ", ".join(f"{rate}: {100 * value:.1f}" for rate, value in ordered)
            rows.append([f"{ARCHITECTURES[architecture]}, {NAMES[program]}", shown])
    return table(["average of the judged sets at seed 1", "rate: score"], rows)


def kernels() -> str:
    """Nanoseconds of a window's parts, rows in cache, and of a window in training."""
    sizes = load("kernels.json")["sizes"]
    rows = [
        ["multiply-adds", *[f"{size['multiply_adds_a_window']:,}" for size in sizes.values()]],
        ["bytes of new rows", *[f"{size['bytes_new_a_window']:,}" for size in sizes.values()]],
    ]
    for group, title in (
        ("nanoseconds_in_cache", "{}, rows in cache"),
        ("nanoseconds_in_training", "{}"),
    ):
        for name in next(iter(sizes.values()))[group]:
            cells = [f"{size[group][name]:.0f} ns" for size in sizes.values()]
            rows.append([title.format(name), *cells])
    return table(["a window of 6 words", *[f"D = {name}" for name in sizes]], rows)


def checkpoint() -> str:
    """What a checkpoint costs, and what it takes to go on from one."""
    found = load("checkpoint.json")
    seconds = {name: found[f"{name}_seconds"] for name in ("rest", "save", "read", "fingerprint")}
    rows = [
        ["a checkpoint on the disk", f"{found['bytes'] / 1e6:.0f} MB", "", ""],
        ["the encoded text on the disk", f"{found['bytes_of_text'] / 1e6:.0f} MB", "", ""],
    ]
    for name, title in (
        ("rest", "threads come to rest"),
        ("save", "checked, written, flushed, renamed"),
        ("read", "a checkpoint read and checked"),
        ("fingerprint", "the text's fingerprint, once"),
    ):
        cells = [f"{seconds[name][key]:.2f} s" for key in ("median", "min", "max")]
        rows.append([title, *cells])
    rows.append(["share of training at 60 s", f"{100 * found['share_of_training']:.2f} %", "", ""])
    size = f"{found['words']:,} words, D = 100, {found['tokens'] / 1e6:.1f} M tokens"
    return table([size, "median", "least", "most"], rows)


def machine() -> str:
    """Where and when the speed was measured."""
    found = load("speed-skipgram-d100.json")
    where, versions = found["machine"], found["versions"]
    programs = ", ".join(
        f"{name} {versions[package]}"
        for name, package in (
            ("wordgrad", "wordgrad"),
            ("gensim", "gensim"),
            ("fastText", "fasttext-numpy2-wheel"),
        )
    )
    return (
        f"Measured on {found['date'][:10]}: {where['cpu']}, {where['cores']} cores, "
        f"{found['settings']['threads']} threads; Python {where['python']}; {programs}; "
        f"load average before the first run {found['load_average_before']:.1f}.\n"
    )


FIGURES: dict[str, Callable[[], str]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        speed,
        spread,
        compilation,
        one_line,
        memory,
        startup,
        quality,
        sweep,
        goals,
        kernels,
        machine,
        checkpoint,
        queries,
        fuzz,
        long_runs,
        stops,
        loading,
        reproducible,
        reproducible_designs,
        reproducible_quality,
        softmax_passes,
        softmax_beside_fasttext,
        softmax_quality,
        softmax_search,
        classification,
        classification_goals,
        classification_rates,
        classification_machine,
        classification_levers,
    )
}


def filled(document: str) -> str:
    """``document`` with every marked place filled anew."""

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in FIGURES:
            raise SystemExit(f"No figure is called {name}; there are {', '.join(FIGURES)}.")
        return f"{match['start']}\n{FIGURES[name]()}\n{match['end']}"

    return _MARKED.sub(fill, document)


def main() -> int:
    """Rewrite the documents, or with ``--check`` say which of them would change."""
    parser = argparse.ArgumentParser(description="Write measured figures into the documents.")
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if stale")
    check = parser.parse_args().check
    stale = 0
    for path in DOCUMENTS:
        before = path.read_text(encoding="utf-8")
        after = filled(before)
        if after == before:
            continue
        stale += 1
        if check:
            print(f"{path.name} is out of date; run python benchmarks/figures.py.")
        else:
            path.write_text(after, encoding="utf-8")
            print(f"{path.name} rewritten.")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
