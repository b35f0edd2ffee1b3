"""Compare wordgrad with gensim and fastText: speed, quality, memory, start; and with itself.

One question a command, one JSON a question in ``benchmarks/results/``::

    python benchmarks/training.py speed wiki8.txt
    python benchmarks/training.py quality wiki8.txt --sets DATA
    python benchmarks/training.py memory wiki8.txt
    python benchmarks/training.py startup
    python benchmarks/training.py trees wiki8.txt --before OLDER-TREE/src

The comparison needs ``pip install ".[bench]"``.  ``DATA`` holds ``similarity/*`` and
``analogies/questions-words.txt``; the names are in :mod:`quality`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import quality as quality_question
import typer
from machine import (
    ROOT,
    circumstances,
    commit,
    describe_text,
    last_lines,
    load_average,
    run_script,
    spread,
    write_json,
)
from programs import Architecture, Program, Settings, run
from texts import WORDS_A_LINE, break_lines, repeat

# ------------------------------------------------------------------------------- speed

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
        runs = [run("wordgrad", text, settings, numba_cache=numba_cache) for _ in range(2)]
    first, second = (one.get("total_seconds") for one in runs)
    record: Record = {"first_fit_seconds": first, "next_process_fit_seconds": second}
    errors = [one["error"] for one in runs if "error" in one]
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
        runs = [a_round[label] for a_round in rounds]
        summary[label] = {
            figure: spread([one[figure] for one in runs if one.get(figure) is not None])
            for figure in FIGURES
            if any(one.get(figure) is not None for one in runs)
        }
        summary[label]["failures"] = sum("error" in one for one in runs)
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


def measure_speed(
    name: str,
    contestants: Sequence[Contestant],
    rounds: int,
    threads: int,
    report: Callable[[str], None],
) -> Path:
    """Run one configuration in alternating rounds and write ``results/speed-NAME.json``."""
    settings = replace(CONFIGURATIONS[name], threads=threads)
    results: list[dict[str, Record]] = []
    load = load_average()
    with tempfile.TemporaryDirectory(prefix="wordgrad-kernels-") as cache:
        compilation = measure_compilation(settings, Path(cache))
        report(f"{name}: compilation {compilation}")
        for number in range(1, rounds + 1):
            results.append({})
            for one in contestants:
                found = run(one.program, one.text, settings, numba_cache=Path(cache))
                results[-1][one.label] = found
                shown = found.get("error") or {key: found[key] for key in FIGURES}
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


# ------------------------------------------------------------------------------ memory

COPIES = 10
MEMORY_ALLOWANCE = 600_000_000  # bytes beside the two weight matrices
MEMORY_GROWTH = 0.10


def measure_memory(text: Path, work: Path, threads: int, report: Callable[[str], None]) -> Path:
    """Train on ``text`` and on ten copies of it; write ``results/memory.json``.

    The long text is trained with ten times the ``min_count``, which keeps the vocabulary, and so
    the weights, the same: what is left to differ is what grows with the text.
    """
    settings = Settings(threads=threads)
    long_text = repeat(text, work / f"{text.stem}-{COPIES}-times.txt", COPIES)
    runs: dict[str, dict[str, Any]] = {}
    for label, path, min_count in (
        ("once", text, settings.min_count),
        ("ten times", long_text, settings.min_count * COPIES),
    ):
        found = run("wordgrad", path, replace(settings, min_count=min_count))
        runs[label] = {**found, "text": describe_text(path), "min_count": min_count}
        report(f"memory, {label}: {found.get('error') or found['peak_memory_bytes']}")
    long_text.unlink()
    record = {
        "question": "What is the peak memory of training, reading included?",
        "method": "peak resident memory of a fresh process: fit of one epoch, reading included",
        **circumstances(),
        "settings": settings.__dict__,
        "runs": runs,
        "goals": _memory_goals(runs, settings),
    }
    return write_json("memory.json", record)


def _memory_goals(runs: dict[str, dict[str, Any]], settings: Settings) -> dict[str, Any]:
    once, ten = runs["once"], runs["ten times"]
    if "error" in once or "error" in ten:
        return {"passed": False}
    weights = 2 * once["words"] * settings.vector_size * 4
    growth = ten["peak_memory_bytes"] / once["peak_memory_bytes"] - 1
    return {
        "limit_bytes": weights + MEMORY_ALLOWANCE,
        "weights_bytes": weights,
        "within_limit": once["peak_memory_bytes"] <= weights + MEMORY_ALLOWANCE,
        "growth": growth,
        "growth_allowed": MEMORY_GROWTH,
        "within_growth": growth <= MEMORY_GROWTH,
    }


# ------------------------------------------------------------------------------- start

STARTUP_GOALS = {"import wordgrad": 0.25, "wordgrad --help": 0.5}


def _startup_commands() -> dict[str, list[str]]:
    script = shutil.which("wordgrad", path=str(Path(sys.executable).parent))
    if script is None:
        raise FileNotFoundError("The command wordgrad is not beside this Python; install it first.")
    return {
        "python alone": [sys.executable, "-c", "pass"],
        "import wordgrad": [sys.executable, "-c", "import wordgrad"],
        "wordgrad --help": [script, "--help"],
    }


def measure_startup(times: int, report: Callable[[str], None]) -> Path:
    """Time every command ``times`` times in fresh processes; write ``results/startup.json``.

    The interpreter's own start is part of every figure; it is also timed alone.
    """
    seconds: dict[str, list[float]] = {name: [] for name in _startup_commands()}
    for _ in range(times):
        for name, command in _startup_commands().items():
            start = perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(perf_counter() - start)
    figures = {name: spread(values) for name, values in seconds.items()}
    goals = {
        name: {
            "goal": goal,
            "measured": figures[name]["median"],
            "passed": figures[name]["median"] < goal,
        }
        for name, goal in STARTUP_GOALS.items()
    }
    report(f"startup: { {name: figure['median'] for name, figure in figures.items()} }")
    record = {
        "question": "How long do the import and the help take, the interpreter's start included?",
        "method": f"{times} fresh processes each, alternating; wall-clock seconds",
        **circumstances(),
        "seconds": figures,
        "goals": goals,
    }
    return write_json("startup.json", record)


# -------------------------------------------------------------------- two source trees

TREES_FIGURES = ("skip-gram epoch", "CBOW epoch", "text to ids", "one query", "batch of queries")
TREES_EPOCHS = 3
_QUERIES = Path(__file__).with_name("queries.py")


def measure_trees(
    text: Path, before: Path, after: Path, rounds: int, threads: int, report: Callable[[str], None]
) -> Path:
    """Time two source trees in turns; write ``results/house-speed.json``.

    Every figure of every round is from a fresh process of each tree, the order turned round from
    one round to the next; kernels are compiled before, each tree's in a folder of its own.
    """
    trees = {"before": before, "after": after}
    found: dict[str, list[Record]] = {name: [] for name in trees}
    load = load_average()
    with tempfile.TemporaryDirectory(prefix="wordgrad-trees-") as folder:
        caches = {name: Path(folder) / f"kernels-{name}" for name in trees}
        vectors = Path(folder) / "vectors.npz"
        tiny = Path(folder) / "tiny.txt"
        tiny.write_text("a b c d e f g h i j\n" * 2000)
        for name, source in trees.items():
            for architecture in Architecture:
                settings = Settings(architecture, threads=threads)
                kept = {"numba_cache": caches[name], "source": source}
                _run_or_stop(run("wordgrad", tiny, settings, **kept))
        settings = Settings(threads=threads)
        _run_or_stop(
            run(
                "wordgrad", text, settings, vectors=vectors, numba_cache=caches["before"],
                source=before,
            )
        )  # fmt: skip
        for number in range(1, rounds + 1):
            for name in list(trees)[:: 1 if number % 2 else -1]:
                figures = _time_tree(text, vectors, trees[name], caches[name], threads)
                found[name].append(figures)
                report(f"round {number}, {name}: {figures}")
    record = {
        "question": "Is the code as fast as it was before it was moved?",
        "method": "each round runs both trees, each part in a fresh process, in alternating order; "
        f"D = 100; the least seconds of {TREES_EPOCHS} epochs, 200 queries, 5 batches of 1,000; "
        "ratios, after over before, are taken in each round",
        **circumstances(),
        "load_average_before": load,
        "commits": {name: commit(source) for name, source in trees.items()},
        "text": describe_text(text),
        "threads": threads,
        "seconds": {
            name: {figure: spread([one[figure] for one in runs]) for figure in TREES_FIGURES}
            for name, runs in found.items()
        },
        "after_over_before": {
            figure: spread(
                [
                    new[figure] / old[figure]
                    for old, new in zip(found["before"], found["after"], strict=True)
                ]
            )
            for figure in TREES_FIGURES
        },
    }
    return write_json("house-speed.json", record)


def _time_tree(text: Path, vectors: Path, source: Path, cache: Path, threads: int) -> Record:
    """Seconds of every one of ``TREES_FIGURES``, once."""
    runs = []
    for architecture in Architecture:
        settings = Settings(architecture, threads=threads, epochs=TREES_EPOCHS)
        kept = {"numba_cache": cache, "source": source}
        runs.append(_run_or_stop(run("wordgrad", text, settings, **kept)))
    done = run_script(_QUERIES, ["--time", str(vectors)], threads, numba_cache=cache, source=source)
    if done.returncode:
        raise SystemExit(last_lines(done))
    skipgram, cbow = (min(one["seconds"] for one in each["details"]["history"]) for each in runs)
    return {
        "skip-gram epoch": skipgram,
        "CBOW epoch": cbow,
        "text to ids": min(one["vocabulary_seconds"] for one in runs),
        **json.loads(done.stdout),
    }


def _run_or_stop(found: Record) -> Record:
    if "error" in found:
        raise SystemExit(found["error"])
    return found


# ------------------------------------------------------------------------ command line

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)

Text = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Plain text to train on.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of every program.")]
Work = Annotated[
    Path,
    typer.Option(file_okay=False, help="Folder for texts and vectors; kept, so runs can continue."),
]
Programs = Annotated[list[Program], typer.Option("--program", help="Run this program; repeatable.")]
_WORK = Path(tempfile.gettempdir()) / "wordgrad-benchmark"
_PROGRAMS = list(Program)
_ARCHITECTURES = list(Architecture)
_CONFIGURATIONS = list(CONFIGURATIONS)
_SEEDS = list(quality_question.SEEDS)


def _say(message: str) -> None:
    typer.echo(message)


def _lines(text: Path, work: Path) -> Path:
    work.mkdir(parents=True, exist_ok=True)
    return break_lines(text, work / f"{text.stem}-lines.txt")


@app.command()
def speed(
    text: Text,
    configuration: Annotated[
        list[str], typer.Option(help=f"One of {', '.join(_CONFIGURATIONS)}; repeatable.")
    ] = _CONFIGURATIONS,
    program: Programs = _PROGRAMS,
    rounds: Annotated[int, typer.Option(min=1, help="Alternating rounds.")] = 3,
    threads: Threads = 2,
    work: Work = _WORK,
) -> None:
    """Time training and the vocabulary pass in alternating rounds of one epoch."""
    lines = _lines(text, work)
    contestants = [Contestant(one, one, lines) for one in program]
    contestants.append(Contestant("wordgrad, one line", "wordgrad", text))
    for name in configuration:
        _say(str(measure_speed(name, contestants, rounds, threads, _say)))


@app.command()
def quality(
    text: Text,
    sets: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The test sets.")],
    program: Programs = _PROGRAMS,
    architecture: Annotated[
        list[Architecture], typer.Option(help="skipgram or cbow; repeatable.")
    ] = _ARCHITECTURES,
    seed: Annotated[list[int], typer.Option(help="Seed; repeatable.")] = _SEEDS,
    threads: Threads = 2,
    work: Work = _WORK,
    again: Annotated[bool, typer.Option(help="Run what is on record once more.")] = False,
) -> None:
    """Score five epochs: a sweep of learning rates, then more seeds at the best of them."""
    lines = _lines(text, work)
    result = quality_question.measure(
        lines, sets, work, program, architecture, seed, threads, _say, again
    )
    _say(str(result))


@app.command()
def memory(text: Text, threads: Threads = 2, work: Work = _WORK) -> None:
    """Measure peak memory on the text and on ten copies of it."""
    work.mkdir(parents=True, exist_ok=True)
    _say(str(measure_memory(text, work, threads, _say)))


@app.command()
def startup(
    times: Annotated[int, typer.Option(min=1, help="Fresh processes a command.")] = 10,
) -> None:
    """Time ``import wordgrad`` and ``wordgrad --help``."""
    _say(str(measure_startup(times, _say)))


@app.command()
def trees(
    text: Text,
    before: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Older src folder.")],
    after: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Newer src folder.")
    ] = ROOT / "src",
    rounds: Annotated[int, typer.Option(min=1, help="Alternating rounds.")] = 5,
    threads: Threads = 2,
) -> None:
    """Time training and queries of two source trees of wordgrad in alternating rounds."""
    _say(str(measure_trees(text, before, after, rounds, threads, _say)))


if __name__ == "__main__":
    app()
