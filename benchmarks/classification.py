"""Compare wordgrad's text classifier with fastText and scikit-learn on five sets.

    python benchmarks/classification.py cells DATA --vectors wiki8.safetensors
    python benchmarks/classification.py speed DATA
    python benchmarks/classification.py summary DATA

``DATA`` holds the sets (:mod:`labelled_sets` has their names); the vectors are any that
``wordgrad train wiki8.txt`` wrote.  ``cells`` and ``speed`` put every figure on record as soon as
it is there and run what is missing; ``summary`` writes ``results/classification.json``.  Needs
``pip install ".[bench]"``.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import children
import classification_plan as plan
import typer
from classification_cells import RUNS, Place, run_cells
from classification_summary import summarise
from labelled_sets import TITLES, set_hash
from machine import append_json_line, circumstances, read_json_lines

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
_SPEED = Path(__file__).with_name("classification_speed.py")


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
    known = plan.contestants()
    for name in names:
        for one in row if "rows" in part else []:
            if vectors is not None or not known[one].needs_vectors:
                plan.compare(known[one], name, place)
        if "rates" in part:
            run_cells(plan.rate_cells(name), place)


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
        key = f"speed epoch {name}"
        if key in known and not again and known[key]["data_sha256"] == set_hash(data, name):
            continue
        job = {
            "question": "epoch",
            "set": name,
            "rounds": rounds,
            "threads": threads,
            "same": plan.ours_like_fasttext(),
            "data": str(data),
        }
        record = _timed(key, job, set_hash(data, name))
        append_json_line(RUNS, record)
        typer.echo(f"{key}: {json.dumps(record.get('rounds', record.get('error')))[:160]}")


def _timed(key: str, job: dict[str, Any], data_hash: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        files = [Path(folder) / name for name in ("job.json", "result.json")]
        files[0].write_text(json.dumps(job))
        done = children.run_script(_SPEED, [str(file) for file in files], job["threads"])
        if done.returncode == 0:
            result = json.loads(files[1].read_text())
        else:
            result = {"error": "\n".join(done.stderr.strip().splitlines()[-5:])}
    head = circumstances()
    kept = {name: job[name] for name in ("question", "set", "threads", "same")}
    return {"key": key, "data_sha256": data_hash, "date": head["date"], "commit": head["commit"],
            **kept, **result}  # fmt: skip


@app.command()
def summary(data: Data) -> None:
    """Write results/classification.json from what is on record."""
    typer.echo(str(summarise(data)))


if __name__ == "__main__":
    app()
