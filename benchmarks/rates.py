"""The best learning rate, by how much text there is.

Made to be stopped and continued: a training that is finished is one line of
``results/rates.jsonl``, and is not run again::

    python benchmarks/rates.py train 5MB.txt --sets DATA --architecture cbow --rate 0.1 --rate 0.2
    python benchmarks/rates.py summarise

``train`` takes the number of epochs, seeds, and any other setting of ``Word2Vec`` as JSON.  One
thread trains; the file's name is the text's.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from machine import RESULTS, append_json_line, circumstances, read_json_lines, write_json
from programs import Architecture
from quality import JUDGED, average, evaluate_model

from wordgrad.training.config import TrainingConfig
from wordgrad.training.sampling import rate_factor

Record = dict[str, Any]
RUNS = RESULTS / "rates.jsonl"
KEY = ("text", "architecture", "epochs", "seed", "rate", "settings")
app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)


def train_one(text: Path, sets: Path, key: Record) -> Record:
    """Train and score once; a training that diverges is a result, too."""
    from wordgrad import TrainingError, Word2Vec

    model = Word2Vec(
        architecture=key["architecture"],
        epochs=key["epochs"],
        seed=key["seed"],
        learning_rate=key["rate"],
        workers=1,
        **key["settings"],
    )
    try:
        model.fit(str(text))
    except TrainingError as error:
        return {"error": str(error)}
    scores = evaluate_model(model.vectors_, sets)
    return {
        "words": len(model.vectors_),
        "common_words": int(np.count_nonzero(np.asarray(model.vectors_.counts) >= 5)),
        "tokens_trained": model.report_.tokens_trained,
        "scores": {name: one["score"] for name, one in scores.items()},
        "average": average(scores),
    }


@app.command()
def train(
    text: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    sets: Annotated[Path, typer.Option(exists=True, file_okay=False)],
    architecture: Annotated[Architecture, typer.Option()],
    rate: Annotated[list[float], typer.Option()],
    epochs: int = 5,
    seed: Annotated[list[int], typer.Option()] = [1],  # noqa: B006
    settings: Annotated[str, typer.Option(help="Other settings of Word2Vec, as JSON.")] = "{}",
) -> None:
    """Train with each rate and seed that is not on record."""
    done = [{name: one[name] for name in KEY} for one in read_json_lines(RUNS)]
    for one_seed in seed:
        for one_rate in rate:
            values = (text.stem, architecture, epochs, one_seed, one_rate, json.loads(settings))
            key: Record = dict(zip(KEY, values, strict=True))
            if key in done:
                continue
            found = train_one(text, sets, key)
            append_json_line(RUNS, key | found)
            typer.echo(f"{key}: {found.get('average', 'diverged')}")


@app.command()
def summarise() -> None:
    """Write ``results/rates.json``: means over seeds, by text, epochs and settings."""
    grid: dict[str, list[Record]] = {}
    for one in read_json_lines(RUNS):
        name = json.dumps({key: one[key] for key in KEY if key not in ("seed", "rate")})
        grid.setdefault(name, []).append(one)
    cells = []
    for name, runs in grid.items():
        learned = [one for one in runs if "scores" in one]
        windows = learned[0]["tokens_trained"] * learned[0]["epochs"] / learned[0]["common_words"]
        default = TrainingConfig(
            architecture=runs[0]["architecture"], cbow_step=runs[0]["settings"].get("cbow_step")
        ).initial_rate
        cells.append(
            json.loads(name)
            | {
                "windows_a_word": windows,
                "rule": default * rate_factor(windows),
                "averages": {
                    f"{rate:g}": statistics.fmean(
                        one.get("average", 0.0) for one in runs if one["rate"] == rate
                    )
                    for rate in sorted({one["rate"] for one in runs})
                },
                "seeds": len({one["seed"] for one in runs}),
            }
        )
    record = {
        "question": "Which learning rate is the best for how much text?",
        "method": "one thread; the average of the judged sets, at the words that a text has; 0 for "
        "a training that diverged",
        **circumstances(),
        "judged": JUDGED,
        "cells": cells,
    }
    typer.echo(str(write_json("rates.json", record)))


if __name__ == "__main__":
    app()
