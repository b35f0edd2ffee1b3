"""Compare one setting of our text classifier with fastText and scikit-learn on five sets.

What the default chooses for itself is compared by ``classifier_default.py``.

    python benchmarks/classification.py cells DATA --vectors wiki8.safetensors
    python benchmarks/classification.py speed DATA
    python benchmarks/classification.py summary DATA

``DATA`` holds the sets (:mod:`classifiers` has their names); the vectors are any that
``wordgrad train wiki8.txt`` wrote.  ``cells`` and ``speed`` write every figure down as a line of
``results/classification.jsonl`` as soon as it is there, and run what is missing; ``summary`` writes
``results/classification.json``.  Needs ``pip install ".[bench]"``.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from classifiers import TITLES, load_set, set_hash
from machine import (
    RESULTS,
    append_json_line,
    circumstances,
    last_lines,
    load_average,
    read_json_lines,
    run_script,
    spread,
    write_json,
)

# ------------------------------------------------------------------------------- cells

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


def _in_fresh_process(job: Record) -> Record:
    """What ``classifiers.py`` found; a crash is a record with ``error``."""
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        files = [Path(folder) / name for name in ("job.json", "result.json")]
        files[0].write_text(json.dumps(job))
        done = run_script(_CHILD, [str(file) for file in files], job["threads"])
        if done.returncode == 0:
            return dict(json.loads(files[1].read_text()))
        return {"error": last_lines(done)}


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
    result = _in_fresh_process(job)
    if "error" in result:
        result["trainings"] = []
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
        "load_average": load_average(),
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


# --------------------------------------------------------- which cells, which settings

FASTTEXT_RATES = (0.1, 0.25, 0.5)
FASTTEXT_GRID: list[Record] = [
    {"dim": 100, "wordNgrams": ngrams, "epoch": epochs, "lr": rate}
    for ngrams in (1, 2)
    for epochs in (5, 15, 30)
    for rate in FASTTEXT_RATES
]
LOGISTIC_GRID: list[Record] = [{"C": C, "ngrams": 2} for C in (0.5, 1.0, 2.0, 5.0, 10.0)]
MLP: Record = {"hidden_size": 100}
TFIDF_MLP: Record = {**MLP, "ngrams": 1}
"""Words alone: with pairs of words its first layer has nine million numbers, and takes minutes."""
RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Learning rates of ours, two powers of ten around the default: does any diverge?"""


@dataclass(frozen=True)
class Contestant:
    """A row of the table: a program with one choice of settings, or the best of several.

    The best is chosen on the validation part; should it fail on the test part (fastText stops where
    its numbers overflow), the next best is taken, and the failure counted.
    """

    title: str
    program: str
    grid: list[Record]
    needs_vectors: bool = False


def ours_like_fasttext() -> Record:
    """The sizes and epochs of our classifier, in fastText's words."""
    from classifiers import EARLIER

    from wordgrad import TextClassifier

    defaults = {**TextClassifier().get_params(), **EARLIER}
    names = {"vector_size": "dim", "ngrams": "wordNgrams", "epochs": "epoch"}
    return {theirs: defaults[mine] for mine, theirs in names.items()}


def contestants() -> dict[str, Contestant]:
    """Rows of the table of accuracies."""
    same = ours_like_fasttext()
    return {
        "wordgrad": Contestant("wordgrad, one setting for all", "wordgrad", [{}]),
        "wordgrad-wiki8": Contestant(
            "wordgrad, started from `wiki8`", "wordgrad", [{"vectors": True}], needs_vectors=True
        ),
        "fasttext": Contestant("fastText, best of 18", "fasttext", FASTTEXT_GRID),
        "fasttext-same": Contestant(
            "fastText, sizes and epochs as wordgrad's",
            "fasttext",
            [{**same, "lr": rate} for rate in FASTTEXT_RATES],
        ),
        "logistic": Contestant(
            "TF-IDF, logistic regression, best of 5", "tfidf-logistic", LOGISTIC_GRID
        ),
        "tfidf-mlp": Contestant("TF-IDF of words, `MLPClassifier`", "tfidf-mlp", [TFIDF_MLP]),
        "vectors-mlp": Contestant(
            "`wiki8` means, `MLPClassifier`", "vectors-mlp", [MLP], needs_vectors=True
        ),
    }


def compare(one: Contestant, name: str, place: Place) -> tuple[Record | None, list[Record]]:
    """Record of the test part at the chosen settings (None if all failed), and the grid's."""
    if len(one.grid) == 1:
        (record,) = run_cells([Cell(one.program, name, "test", one.grid[0])], place)
        return (record if succeeded(record) else None), [record]
    grid = run_cells([Cell(one.program, name, "validation", s) for s in one.grid], place)
    tried: list[Record] = []
    for candidate in ranked(grid):
        (record,) = run_cells([Cell(one.program, name, "test", candidate["settings"])], place)
        tried.append(record)
        if succeeded(record):
            return record, [*grid, *tried]
    return None, [*grid, *tried]


def ranked(records: Iterable[Record]) -> list[Record]:
    """Those that succeeded, the most accurate first, of equal ones the fastest."""
    good = [one for one in records if succeeded(one)]
    return sorted(good, key=lambda one: (-accuracy(one), seconds(one)))


def rate_cells(name: str) -> list[Cell]:
    """Our classifier on the validation part at every rate of :data:`RATES`."""
    return [Cell("wordgrad", name, "validation", {"learning_rate": rate}) for rate in RATES]


# ----------------------------------------------------------------------------- summary

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


def _row(one: Contestant, name: str, known: Known) -> Record | None:
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
    for candidate in ranked(run):
        record = known.get(Cell(one.program, name, "test", candidate["settings"]).key)
        if record is None:
            break
        row["failures"] += failures(record)
        if succeeded(record):
            return {**row, **_figures(record), "validation": accuracy(candidate)}
    return row if run else None


def _rates(name: str, known: Known) -> Record:
    found = {}
    for cell in rate_cells(name):
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
    compared = contestants()
    tables = {
        name: {key: _row(one, name, known) for key, one in compared.items()} for name in TITLES
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
        "titles": {key: one.title for key, one in compared.items()},
        "accuracies": tables,
        "rates": rates,
        "speed": speeds,
        "goals": goals(tables, speeds, rates),
    }
    return write_json("classification.json", record)


# ------------------------------------------------------------------------ command line

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)

Data = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the sets.")]
Vectors = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Word vectors; without, rows with them lack."),
]
Threads = Annotated[int, typer.Option(min=1, help="Threads of every program.")]
Sets = Annotated[list[str], typer.Option("--set", help=f"Of {', '.join(TITLES)}; repeatable.")]
Again = Annotated[bool, typer.Option(help="Run what is on record once more.")]
_SETS = list(TITLES)
_ROWS = ["wordgrad", "wordgrad-wiki8", "fasttext", "fasttext-same", "logistic", "tfidf-mlp",
         "vectors-mlp"]  # fmt: skip
_PARTS = ["rows", "rates"]


@app.command()
def cells(
    data: Data,
    vectors: Vectors = None,
    row: Annotated[
        list[str], typer.Option("--row", help=f"Of {', '.join(_ROWS)}; repeatable.")
    ] = _ROWS,
    part: Annotated[
        list[str], typer.Option("--part", help=f"Of {', '.join(_PARTS)}; repeatable.")
    ] = _PARTS,
    names: Sets = _SETS,
    threads: Threads = 2,
    again: Again = False,
) -> None:
    """Accuracies and training times, and ours at every learning rate."""
    place = Place(data, vectors, threads, again, typer.echo)
    known = contestants()
    for name in names:
        for one in row if "rows" in part else []:
            if vectors is not None or not known[one].needs_vectors:
                compare(known[one], name, place)
        if "rates" in part:
            run_cells(rate_cells(name), place)


@app.command()
def speed(
    data: Data,
    names: Sets = _SETS,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each program.")] = 5,
    threads: Threads = 2,
    again: Again = False,
) -> None:
    """Time an epoch beside fastText's."""
    known = {one["key"]: one for one in read_json_lines(RUNS)}
    for name in names:
        key, data_hash = f"speed epoch {name}", set_hash(data, name)
        if key in known and not again and known[key]["data_sha256"] == data_hash:
            continue
        kept: Record = {
            "question": "epoch",
            "set": name,
            "threads": threads,
            "same": ours_like_fasttext(),
        }
        head = circumstances()
        record = {
            "key": key,
            "data_sha256": data_hash,
            "date": head["date"],
            "commit": head["commit"],
            **kept,
            **_in_fresh_process({**kept, "rounds": rounds, "data": str(data)}),
        }
        append_json_line(RUNS, record)
        typer.echo(f"{key}: {json.dumps(record.get('rounds', record.get('error')))[:160]}")


@app.command()
def summary(data: Data) -> None:
    """Write results/classification.json from what is on record."""
    typer.echo(str(summarise(data)))


if __name__ == "__main__":
    app()
