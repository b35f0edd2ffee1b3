"""What the same bytes for any number of workers cost: in time, and in quality.

    python benchmarks/reproducible.py wiki8.txt --sets DATA

Verifies first that one, two, three and eight workers give the same bytes.  Then, each in
alternating rounds: one epoch of both modes at two threads; a tenth of it with rounds of other
sizes; and five epochs of both modes at three seeds, scored as in :mod:`quality`.

Every measurement is a line of ``results/reproducible.jsonl``, and
what has its line is not measured again, so that this may be stopped and continued; ``--again``
measures afresh.
"""

from __future__ import annotations

import hashlib
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import quality
import typer
from machine import (
    RESULTS,
    Lines,
    circumstances,
    describe_text,
    spread,
    write_json,
)

from wordgrad.corpus.corpus import EncodedCorpus, encode_corpus
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Engine
from wordgrad.training.engines.deterministic import DeterministicEngine, layout_for
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.kernels.rounds import Layout
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import SamplingTables
from wordgrad.training.trainer import Trainer

Record = dict[str, Any]
LINES = RESULTS / "reproducible.jsonl"
ARCHITECTURES = ("skipgram", "cbow")
MODES = {"default": False, "reproducible": True}
ROUNDS = 5
EPOCHS = 5
GOAL = 1.5
QUALITY_TOLERANCE = 0.005
"""How far the average of the judged sets may be below the default mode's: half of what one run's
average moves by from seed to seed."""

DESIGNS: dict[str, Layout | None] = {
    "default mode": None,
    "one block a round (one thread)": Layout(1, 512, 64),
    "4 blocks of 256": Layout(4, 256, 32),
    "4 blocks of 128": Layout(4, 128, 64),
    "8 blocks of 250": Layout(8, 250, 16),
    "8 blocks of 125": Layout(8, 125, 32),
    "8 blocks of 64": Layout(8, 64, 64),
    "8 blocks of 32": Layout(8, 32, 128),
    "8 blocks of 16": Layout(8, 16, 256),
    "16 blocks of 32": Layout(16, 32, 64),
    "8 blocks of 64, neighbours, a meeting in Python each": Layout(8, 64, 1),
}
DESIGN_TOKENS = 1_600_000


def part(corpus: EncodedCorpus, tokens: int) -> Any:
    """The first tokens of a corpus, as far as sampling tables need one."""
    offsets = corpus.offsets[corpus.offsets < tokens]
    return SimpleNamespace(
        ids=corpus.ids[:tokens], offsets=np.append(offsets, tokens), vocabulary=corpus.vocabulary
    )


def epoch(engine: Engine, n_words: int, vector_size: int) -> tuple[float, float, str]:
    """Seconds and loss of an epoch from fresh parameters, and the hash of what was learnt."""
    parameters = Parameters.initial(n_words, n_words, vector_size, seed=1)
    began = perf_counter()
    steps = list(engine.epoch(parameters, 0, 0, threading.Event()))
    seconds = perf_counter() - began
    loss = sum(step.loss.total for step in steps) / sum(step.loss.pairs for step in steps)
    content = hashlib.sha256(parameters.W_in_rows.tobytes() + parameters.W_out_rows.tobytes())
    return seconds, loss, content.hexdigest()


def verify(corpus: EncodedCorpus, architecture: str) -> Record:
    """One, two, three and eight workers learn the same bytes."""
    found = set()
    piece = part(corpus, 500_000)
    for workers in (1, 2, 3, 8):
        config = TrainingConfig(architecture=architecture, workers=workers, reproducible=True)
        tables = SamplingTables(piece, config)
        engine = DeterministicEngine(config, tables, layout_for(corpus.vocabulary.counts, config))
        found.add(epoch(engine, len(corpus.vocabulary), config.vector_size)[1:])
    if len(found) != 1:
        raise SystemExit(f"{architecture}: the number of workers changed the result: {found}")
    return {"workers": [1, 2, 3, 8], "same": True}


def time_epoch(
    mode: str, turn: int, corpus: EncodedCorpus, architecture: str, threads: int
) -> Record:
    """One epoch on the whole text."""
    config = TrainingConfig(
        architecture=architecture, workers=threads, epochs=1, reproducible=MODES[mode]
    )
    trainer = Trainer(corpus, config)
    trainer.run()
    return {"seconds": trainer.history[0].seconds, "loss": trainer.history[0].loss}


def time_design(
    name: str, turn: int, corpus: EncodedCorpus, architecture: str, threads: int
) -> Record:
    """One epoch on the first tokens of the text, with rounds of a given size."""
    layout = DESIGNS[name]
    config = TrainingConfig(architecture=architecture, workers=threads)
    tables = SamplingTables(part(corpus, DESIGN_TOKENS), config)
    engine: Engine = HogwildEngine(config, tables)
    if layout is not None:
        engine = DeterministicEngine(config, tables, layout)
    V = len(corpus.vocabulary)
    engine.prepare(Parameters.zeros(V, V, config.vector_size))
    seconds, loss, _ = epoch(engine, len(corpus.vocabulary), config.vector_size)
    return {"seconds": seconds, "loss": loss}


def score(
    mode: str, seed: int, corpus: EncodedCorpus, architecture: str, threads: int, sets: Path
) -> Record:
    """Scores after five epochs."""
    config = TrainingConfig(
        architecture=architecture,
        workers=threads,
        epochs=EPOCHS,
        seed=seed,
        reproducible=MODES[mode],
    )
    trainer = Trainer(corpus, config)
    trainer.run()
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        vectors = Path(folder) / "vectors.npz"
        words = np.array(list(corpus.vocabulary.words))
        np.savez(vectors, words=words, matrix=trainer.parameters.W_in)
        scores = quality.evaluate(vectors, sets)
    return {
        "loss": trainer.history[-1].loss,
        "average": quality.average(scores),
        "scores": {name: one["score"] for name, one in scores.items()},
    }


def summarise_speed(cells: dict[str, list[Record]]) -> Record:
    """Seconds of each, and ratios to the first taken within a round."""
    first = next(iter(cells))
    return {
        name: {
            "seconds": spread([one["seconds"] for one in found]),
            "ratio": spread(
                [
                    one["seconds"] / base["seconds"]
                    for one, base in zip(found, cells[first], strict=True)
                ]
            ),
            "loss": statistics.fmean(one["loss"] for one in found),
        }
        for name, found in cells.items()
    }


def summarise_quality(cells: dict[str, list[Record]]) -> Record:
    """Means over seeds of both modes, and whether one is as good as the other."""
    modes: Record = {
        mode: {
            "sets": {
                name: statistics.fmean(one["scores"][name] for one in found)
                for name in (*quality.SIMILARITY, *quality.ANALOGIES)
            },
            "average": spread([one["average"] for one in found]),
            "mean_average": statistics.fmean(one["average"] for one in found),
            "loss": statistics.fmean(one["loss"] for one in found),
        }
        for mode, found in cells.items()
    }
    difference = modes["reproducible"]["mean_average"] - modes["default"]["mean_average"]
    return {
        "modes": modes,
        "difference": difference,
        "within_noise": difference >= -QUALITY_TOLERANCE,
    }


def alternate(
    book: Lines,
    what: str,
    turns: Iterable[int],
    names: Iterable[str],
    measure: Callable[..., Record],
    *arguments: Any,
) -> dict[str, list[Record]]:
    """Measure everything that has a name, turn by turn; by name, what was found in each turn."""
    cells: dict[str, list[Record]] = {name: [] for name in names}
    for turn in turns:
        for name, found in cells.items():
            found.append(book.measure(f"{what}: {name}, {turn}", measure, name, turn, *arguments))
    return cells


def main(
    text: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    sets: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The test sets.")],
    threads: Annotated[int, typer.Option(min=1)] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Alternating rounds of speed.")] = ROUNDS,
    judge: Annotated[bool, typer.Option("--quality/--no-quality", help="Score vectors.")] = True,
    again: Annotated[bool, typer.Option(help="Measure what is on record once more.")] = False,
) -> None:
    """Measure what is not on record, and write ``results/reproducible.json``."""
    described = describe_text(text)
    book = Lines(LINES, described["sha256"], again=again, report=typer.echo)
    result: Record = {"verified": {}, "speed": {}, "designs": {}, "quality": {}, "layouts": {}}
    turns = range(1, rounds + 1)
    with encode_corpus(str(text)) as corpus:
        for kind in ARCHITECTURES:
            result["verified"][kind] = book.measure(f"verify {kind}", verify, corpus, kind)
            result["speed"][kind] = summarise_speed(
                alternate(book, f"speed {kind}", turns, MODES, time_epoch, corpus, kind, threads)
            )
            result["designs"][kind] = summarise_speed(
                alternate(
                    book, f"design {kind}", turns, DESIGNS, time_design, corpus, kind, threads
                )
            )
            if judge:
                what = f"quality {kind}"
                result["quality"][kind] = summarise_quality(
                    alternate(book, what, quality.SEEDS, MODES, score, corpus, kind, threads, sets)
                )
            layout = layout_for(corpus.vocabulary.counts, TrainingConfig(architecture=kind))
            result["layouts"][kind] = layout.__dict__
    goals = {
        kind: {
            "goal": GOAL,
            "measured": result["speed"][kind]["reproducible"]["ratio"]["median"],
            "passed": result["speed"][kind]["reproducible"]["ratio"]["median"] <= GOAL,
            "quality_within_noise": result["quality"].get(kind, {}).get("within_noise"),
        }
        for kind in ARCHITECTURES
    }
    record = {
        "question": "What do the same bytes for any number of workers cost?",
        "method": f"alternating rounds, {threads} threads, D = 100, default settings; "
        f"{DESIGN_TOKENS:,} tokens for the sizes of rounds; quality after {EPOCHS} epochs",
        **circumstances(),
        "text": described,
        "judged": quality.JUDGED,
        "quality_tolerance": QUALITY_TOLERANCE,
        **result,
        "goals": goals,
    }
    typer.echo(str(write_json("reproducible.json", record)))


if __name__ == "__main__":
    typer.run(main)
