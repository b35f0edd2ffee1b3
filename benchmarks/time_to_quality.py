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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from unittest.mock import patch

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

if TYPE_CHECKING:
    from wordgrad.training.trainer import LiveModel, Trainer

Record = dict[str, Any]
RUNS = RESULTS / "time-to-quality.jsonl"
WEIGHTS = (0.0, 0.5, 1.0)

CBOW: Record = {"architecture": "cbow"}
BALANCED = CBOW | {"share": [2.2, -0.5], "learning_rate": 0.075}
EXACT = CBOW | {"cbow_step": "exact", "learning_rate": 0.15}
WHOLE = CBOW | {"cbow_step": "whole", "learning_rate": 0.075}
STEPS = {"exact": EXACT, "whole": WHOLE, "balanced": BALANCED}
CHECKS: dict[str, Record] = {
    "window 2": {"window": 2},
    "window 10": {"window": 10},
    "D = 300": {"vector_size": 300},
    "1 epoch": {"epochs": 1},
    "15 epochs": {"epochs": 15},
    "sum": {"combine": "sum", "learning_rate": 0.02},
}
RATES = (0.1, 0.15, 0.2, 0.3, 0.5)
TRIED: dict[str, Record] = {
    "warm-up": {"warm_up": 0.05},
    "last fifth averaged": {"averaged": 0.2},
    "last fifth averaged, falls as a root": {"averaged": 0.2, "power": 0.5},
    "start 8 times as long": {"start": 8.0},
    "shuffled pieces": {"shuffled": 1000},
    "K = 3": {"negative": 3},
}
FOUR = BALANCED | {"epochs": 4, "learning_rate": 0.12}
VARIANTS: dict[str, Record] = {
    **STEPS,
    **{
        f"{name}, rate {str(rate)[1:]}": step | {"learning_rate": rate}
        for name, step in STEPS.items()
        for rate in RATES
    },
    **{
        f"{name}, {check}": step | changes
        for check, changes in CHECKS.items()
        for name, step in STEPS.items()
    },
    "balanced, 4 epochs, rate .12": FOUR,
    **{f"balanced, 4 epochs, rate .12, {name}": FOUR | changes for name, changes in TRIED.items()},
    "balanced, 3 epochs, rate .12": BALANCED | {"epochs": 3, "learning_rate": 0.12},
    "balanced, 3 epochs, rate .15": BALANCED | {"epochs": 3, "learning_rate": 0.15},
    "balanced, sample 3e-5": BALANCED | {"sample": 3e-5},
    "skip-gram": {},
    "skip-gram, 2 epochs, rate .08": {"epochs": 2, "learning_rate": 0.08},
    "skip-gram, 3 epochs, rate .05": {"epochs": 3, "learning_rate": 0.05},
}
"""Settings of ``Word2Vec``, and what :func:`changed` and :func:`learn_one` do beside them."""

RIVAL = Settings(Architecture.skipgram, epochs=5, learning_rate=0.05)
"""gensim at its best rate: the quality that is to be reached."""

AN_EPOCH = Settings(Architecture.skipgram, epochs=1, learning_rate=0.05)
"""Its time, for five take two minutes: a reading and five times an epoch."""

RACERS = {
    "wordgrad, CBOW, 4 epochs, rate .12": Settings(Architecture.cbow, epochs=4, learning_rate=0.12),
    "wordgrad, CBOW": Settings(Architecture.cbow, epochs=5),
    "wordgrad, skip-gram": Settings(Architecture.skipgram, epochs=5),
    "gensim, skip-gram, 1 epoch": AN_EPOCH,
    "gensim, skip-gram": RIVAL,
}


@contextmanager
def changed(
    share: list[float] | None = None,
    power: float = 1.0,
    warm_up: float = 0.0,
    averaged: float = 0.0,
    shuffled: int = 0,
) -> Iterator[None]:
    """Train otherwise than the settings allow.

    Parameters
    ----------
    share : [float, float], optional
        Factor and power of the balanced step of CBOW.
    power : float
        The learning rate falls as the share of the text that is left, to this power.
    warm_up : float
        Share of the training in which the rate rises from 0.
    averaged : float
        Parameters are the mean of twenty moments in this last share of the training.
    shuffled : int
        Cut the text into pieces of so many tokens, and train them in an order drawn at random.
    """
    import wordgrad.word2vec as estimator
    from wordgrad.maths import objectives
    from wordgrad.training.config import TrainingConfig
    from wordgrad.training.trainer import Trainer

    def rate(config: TrainingConfig, progress: float) -> float:
        risen = min(1.0, (progress + 1e-4) / warm_up) if warm_up else 1.0
        return float(config.initial_rate * max(1.0 - progress, 1e-4) ** power * risen)

    sums: list[Any] = []
    between_steps, run_epochs = Trainer._between_steps, Trainer._run_epochs

    def watch(trainer: Trainer, now: float) -> None:
        between_steps(trainer, now)
        done = trainer._words_done / (trainer.config.epochs * trainer.engine.length)
        if done >= 1 - averaged + averaged * len(sums) / 20:
            both = trainer.parameters.W_in, trainer.parameters.W_out
            sums.append([rows.copy() for rows in both])

    def to_the_end(trainer: Trainer) -> None:
        run_epochs(trainer)
        for k, rows in enumerate((trainer.parameters.W_in, trainer.parameters.W_out)):
            rows[:] = np.mean([one[k] for one in sums], axis=0)

    def shuffle(corpus: Any, *arguments: Any, **named: Any) -> Trainer:
        pieces = np.array_split(np.asarray(corpus.ids), len(corpus.ids) // shuffled)
        order = np.random.default_rng(1).permutation(len(pieces))
        corpus.ids = np.concatenate([pieces[k] for k in order])
        return Trainer(corpus, *arguments, **named)

    with ExitStack() as stack:
        if share is not None:
            shares = {"balanced": tuple(share)}
            stack.enter_context(patch.dict(objectives.CBOW_SHARES, shares))
        if power != 1.0 or warm_up:
            stack.enter_context(patch.object(TrainingConfig, "learning_rate_at", rate))
        if averaged:
            stack.enter_context(patch.object(Trainer, "_between_steps", watch))
            stack.enter_context(patch.object(Trainer, "_run_epochs", to_the_end))
        if shuffled:
            stack.enter_context(patch.object(estimator, "Trainer", shuffle))
        yield


CHANGES = ("share", "power", "warm_up", "averaged", "shuffled")


def learn_one(name: str, text: Path, sets: Path, seed: int) -> Record:
    """Train a variant and score it with each share of the output vectors.

    ``start`` is the length of the first input vectors over that of word2vec's.  It also says what
    rates by matrix would do: with c W_in and W_out / c in place of both, scores are the same, and a
    step moves W_in by 1 / c^2 and W_out by c^2 of what it did.
    """
    from wordgrad import Word2Vec, WordVectors

    settings = dict(VARIANTS[name])
    changes = {key: settings.pop(key) for key in CHANGES if key in settings}
    start = settings.pop("start", 1.0)

    def lengthen(live: LiveModel) -> None:
        if live.epoch == 0:
            live.parameters.W_in[:] *= np.float32(start)

    if "share" in changes:
        settings["cbow_step"] = "balanced"
    began = time.process_time()
    with changed(**changes):
        model = Word2Vec(**settings, seed=seed, output_weight=0.0, on_epoch=lengthen)
        model.fit(str(text))
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
        weights = [str(np.float32(weight)) for weight in WEIGHTS]
        if any(
            one["kind"] == "learn" and one["key"] == key and list(one["scores"]) == weights
            for one in read_json_lines(RUNS)
        ):
            continue
        record = learn_one(name, text, sets, seed)
        head = {"kind": "learn", "key": key, "bytes": described["bytes"]}
        append_json_line(RUNS, head | record | {"date": circumstances()["date"]})
        shown = {weight: round(100 * average(one), 1) for weight, one in record["scores"].items()}
        taken = round(record["processor_seconds"], 1)
        typer.echo(f"{name}, seed {seed}: {shown}, {taken} s")


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
                "training_seconds": found["training_seconds"],
                "processor_seconds": found["processor_seconds"],
                "scores": scores,
            }
            append_json_line(RUNS, record)
            typer.echo(f"{name}, round {number}: {found['total_seconds']:.1f} s, {average(scores)}")


@app.command()
def summarise() -> None:
    """Write ``results/time-to-quality.json`` from the runs on record."""
    latest = {(one["kind"], *one["key"]): one for one in read_json_lines(RUNS)}
    records = list(latest.values())
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
                "training_seconds": spread([one["training_seconds"] for one in runs]),
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
