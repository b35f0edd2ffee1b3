"""How steps, shares of the outputs and schedules learn, and how soon that is gensim's quality.

Long, and so made to be stopped and continued: a run that is finished is one line of
``results/time-to-quality.jsonl``, and a run that has its line is not run again::

    python benchmarks/time_to_quality.py learn wiki8.txt --sets DATA [NAME ...]
    python benchmarks/time_to_quality.py race wiki8.txt --sets DATA --rounds 3
    python benchmarks/time_to_quality.py summarise

``learn`` trains variants and scores each with several shares of the output vectors added;
``race`` times the chosen ones, and gensim, from the text on disk to vectors, in alternating rounds
of fresh processes.  Processor seconds stand beside seconds, since a busy machine changes them less.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from machine import (
    RESULTS,
    append_json_line,
    circumstances,
    describe_text,
    read_json_lines,
    spread,
    write_json,
)
from programs import Architecture, Settings, run
from quality import JUDGED, average, evaluate, evaluate_model

Record = dict[str, Any]
RUNS = RESULTS / "time-to-quality.jsonl"
WEIGHTS = (0.0, 0.25, 0.5)

CBOW: Record = {"architecture": "cbow"}
BALANCED = CBOW | {"share": [2.2, -0.5], "learning_rate": 0.075}
EXACT = CBOW | {"cbow_step": "exact", "learning_rate": 0.15}
WHOLE = CBOW | {"cbow_step": "whole", "learning_rate": 0.075}
VARIANTS: dict[str, Record] = {
    "exact": EXACT,
    "whole": WHOLE,
    "balanced": BALANCED,
    "balanced, rate .1": BALANCED | {"learning_rate": 0.1},
    "1.5 / M^1/4": BALANCED | {"share": [1.5, -0.25]},
    "2 / M^1/2": BALANCED | {"share": [2.0, -0.5]},
    "2.4 / M^1/2": BALANCED | {"share": [2.4, -0.5]},
    "2.4 / M^1/2, rate .06": BALANCED | {"share": [2.4, -0.5], "learning_rate": 0.06},
    "2.4 / M^1/2, rate .1": BALANCED | {"share": [2.4, -0.5], "learning_rate": 0.1},
    "3 / M^1/2, rate .06": BALANCED | {"share": [3.0, -0.5], "learning_rate": 0.06},
    "balanced, sample 3e-5": BALANCED | {"sample": 3e-5},
    "balanced, 3 epochs, rate .1": BALANCED | {"epochs": 3, "learning_rate": 0.1},
    "balanced, 4 epochs, rate .085": BALANCED | {"epochs": 4, "learning_rate": 0.085},
    "balanced, 4 epochs, rate .09, sample 3e-5": BALANCED
    | {"epochs": 4, "learning_rate": 0.09, "sample": 3e-5},
    "skip-gram": {},
    "skip-gram, 2 epochs, rate .06": {"epochs": 2, "learning_rate": 0.06},
    "skip-gram, 2 epochs, rate .08": {"epochs": 2, "learning_rate": 0.08},
    "skip-gram, 3 epochs, rate .05": {"epochs": 3, "learning_rate": 0.05},
    "skip-gram, 3 epochs, rate .05, sample 3e-5": {
        "epochs": 3, "learning_rate": 0.05, "sample": 3e-5,
    },
    "skip-gram, 3 epochs, rate .055, sample 5e-5": {
        "epochs": 3, "learning_rate": 0.055, "sample": 5e-5,
    },
    **{
        f"{name}, window {window}": step | {"window": window}
        for window in (2, 10)
        for name, step in (("exact", EXACT), ("whole", WHOLE), ("balanced", BALANCED))
    },
    "balanced, D = 300": BALANCED | {"vector_size": 300},
    "exact, D = 300": EXACT | {"vector_size": 300},
    "balanced, 1 epoch": BALANCED | {"epochs": 1},
    "exact, 1 epoch": EXACT | {"epochs": 1},
    "balanced, 15 epochs": BALANCED | {"epochs": 15},
    "exact, 15 epochs": EXACT | {"epochs": 15},
    "exact, sum": CBOW | {"combine": "sum", "cbow_step": "exact", "learning_rate": 0.02},
    "balanced, sum": BALANCED | {"combine": "sum", "learning_rate": 0.02},
}  # fmt: skip
"""Settings of ``Word2Vec``; ``share`` is the factor and the power of a step of its own."""

RIVAL = Settings(Architecture.skipgram, epochs=5, learning_rate=0.05)
"""gensim at its best rate: the quality that is to be reached."""

RACERS = {
    "wordgrad, CBOW, 4 epochs, rate .12": Settings(Architecture.cbow, epochs=4, learning_rate=0.12),
    "wordgrad, CBOW": Settings(Architecture.cbow, epochs=5),
    "wordgrad, skip-gram": Settings(Architecture.skipgram, epochs=5),
    "gensim, skip-gram": RIVAL,
}


def learn_one(name: str, text: Path, sets: Path, seed: int) -> Record:
    """Train a variant and score it with each share of the output vectors."""
    from wordgrad import Word2Vec, WordVectors
    from wordgrad.maths import objectives

    settings = dict(VARIANTS[name])
    share = settings.pop("share", None)
    if share is not None:
        objectives.CBOW_SHARES["balanced"] = tuple(share)
        settings["cbow_step"] = "balanced"
    began = time.process_time()
    model = Word2Vec(**settings, seed=seed, output_weight=0.0).fit(str(text))
    taken = time.process_time() - began
    words, W_in = list(model.vectors_.words), np.asarray(model.vectors_.matrix)
    return {
        "settings": VARIANTS[name],
        "processor_seconds": taken,
        "loss": model.history_[-1]["loss"],
        "scores": {
            str(weight): evaluate_model(
                WordVectors(words, W_in + weight * model.output_vectors_), sets
            )
            for weight in map(np.float32, WEIGHTS)
        },
    }


app = typer.Typer(add_completion=False)
Text = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]
Sets = Annotated[Path, typer.Option(exists=True, file_okay=False)]


@app.command()
def learn(
    text: Text,
    sets: Sets,
    names: Annotated[list[str] | None, typer.Argument()] = None,
    seed: int = 1,
) -> None:
    """Train and score the variants that are not on record for this text and seed."""
    described = describe_text(text)
    for name in names or VARIANTS:
        key = [name, described["sha256"], seed]
        if any(one["kind"] == "learn" and one["key"] == key for one in read_json_lines(RUNS)):
            continue
        record = learn_one(name, text, sets, seed)
        head = {"kind": "learn", "key": key, "bytes": described["bytes"]}
        append_json_line(RUNS, head | record | {"date": circumstances()["date"]})
        shown = {weight: round(100 * average(one), 1) for weight, one in record["scores"].items()}
        typer.echo(f"{name}: {shown}")


@app.command()
def race(
    text: Text,
    sets: Sets,
    rounds: int = 3,
    racers: Annotated[list[str] | None, typer.Option()] = None,
) -> None:
    """Time every racer in each round, in a fresh process, with another seed each round."""
    described = describe_text(text)
    for number in range(1, rounds + 1):
        for name in racers or RACERS:
            key = [name, described["sha256"], number]
            if any(one["kind"] == "race" and one["key"] == key for one in read_json_lines(RUNS)):
                continue
            settings = Settings(**RACERS[name].__dict__ | {"seed": number})
            with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
                vectors = Path(folder) / "vectors.npz"
                found = run(name.split(",")[0], text, settings, vectors=vectors)
                if "error" in found:
                    raise SystemExit(found["error"])
                scores = evaluate(vectors, sets)
            record = {
                "kind": "race",
                "key": key,
                "seconds": found["total_seconds"],
                "processor_seconds": found["processor_seconds"],
                "scores": scores,
            }
            append_json_line(RUNS, record)
            typer.echo(f"{name}, round {number}: {found['total_seconds']:.1f} s, {average(scores)}")


@app.command()
def summarise() -> None:
    """Write ``results/time-to-quality.json`` from the runs on record."""
    records = list(read_json_lines(RUNS))
    texts: dict[str, Record] = {}
    for one in records:
        if one["kind"] != "learn":
            continue
        name, text, _ = one["key"]
        variants = texts.setdefault(text, {"bytes": one["bytes"], "variants": {}})["variants"]
        variants.setdefault(name, []).append(one["scores"])
    for found in texts.values():
        found["variants"] = {
            name: {
                "seeds": len(runs),
                "weights": {
                    weight: {
                        "sets": {
                            k: statistics.fmean(r[weight][k]["score"] for r in runs) for k in JUDGED
                        },
                        "average": statistics.fmean(average(r[weight]) for r in runs),
                    }
                    for weight in runs[0]
                },
            }
            for name, runs in found["variants"].items()
        }
    race: Record = {}
    for name in RACERS:
        runs = [one for one in records if one["kind"] == "race" and one["key"][0] == name]
        if runs:
            race[name] = {
                "seconds": spread([one["seconds"] for one in runs]),
                "processor_seconds": spread([one["processor_seconds"] for one in runs]),
                "averages": [average(one["scores"]) for one in runs],
            }
    record = {
        "question": "Which step, share of the outputs and schedule learn best, and how soon?",
        "method": "scores as in quality.json; races in alternating rounds of fresh processes",
        **circumstances(),
        "judged": JUDGED,
        "texts": texts,
        "race": race,
    }
    write_json("time-to-quality.json", record)


if __name__ == "__main__":
    app()
