"""How good are the vectors?  Each program at its own best learning rate, means over seeds.

Long, and so made to be stopped and continued: every run that is finished is one line of
``results/quality.jsonl``, and a run that has its line is not run again.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import (
    RESULTS,
    append_json_line,
    circumstances,
    describe_text,
    read_json_lines,
    write_json,
)
from programs import Architecture, Program, Settings, run

Record = dict[str, Any]
RUNS = RESULTS / "quality.jsonl"
SEEDS = (1, 2, 3)
EPOCHS = 5
RESTRICT_VOCAB = 30_000
SIMILARITY = {
    "WordSim-353": "similarity/ws353.tsv",
    "MEN": "similarity/men3000.txt",
    "SimLex-999": "similarity/simlex999.tsv",
    "Rare Words": "similarity/rw.tsv",
    "RG-65": "similarity/rg65.tsv",
}
ANALOGIES = {"Google analogies": "analogies/questions-words.txt"}
# RG-65 is shown but not judged: with 65 pairs one run's correlation moves by 0.05.
JUDGED = ("WordSim-353", "MEN", "SimLex-999", "Rare Words", "Google analogies")
TOLERANCE = 0.01  # how far below gensim a set may be: correlation, or share of analogies
SWEEP: dict[tuple[Program, Architecture], tuple[float, ...]] = {
    (Program.wordgrad, Architecture.skipgram): (0.025, 0.04, 0.05, 0.06),
    (Program.wordgrad, Architecture.cbow): (0.05, 0.075, 0.1, 0.125),
    (Program.gensim, Architecture.skipgram): (0.025, 0.035, 0.05, 0.075),
    (Program.gensim, Architecture.cbow): (0.025, 0.05, 0.075, 0.1),
    (Program.fasttext, Architecture.skipgram): (0.05,),  # its default: a run takes five minutes
    (Program.fasttext, Architecture.cbow): (0.05,),
}


def evaluate(vectors: Path, sets: Path) -> Record:
    """Score one program's vectors, all programs by wordgrad's evaluator."""
    from wordgrad import WordVectors

    with np.load(vectors) as stored:
        model = WordVectors([str(word) for word in stored["words"]], stored["matrix"])
    return evaluate_model(model, sets)


def evaluate_model(model: Any, sets: Path) -> Record:
    """Score word vectors on every set."""
    from wordgrad.evaluation import evaluate_analogies, evaluate_similarity

    scores: Record = {}
    for name, file in SIMILARITY.items():
        similarity = evaluate_similarity(model, sets / file)
        scores[name] = {
            "score": similarity.correlation,
            "used": similarity.pairs,
            "of": similarity.total,
        }
    for name, file in ANALOGIES.items():
        analogies = evaluate_analogies(model, sets / file, restrict_vocab=RESTRICT_VOCAB)
        scores[name] = {
            "score": analogies.accuracy,
            "used": analogies.overall.questions,
            "of": analogies.overall.total,
        }
    return scores


def _train(program: str, settings: Settings, text: Path, vectors: Path, again: bool) -> Record:
    """Vectors and, beside them, the record of their training; both are kept for the next call.

    No times are kept: these runs are long, share the machine and answer another question.
    """
    beside = vectors.with_suffix(".json")
    if beside.exists() and vectors.exists() and not again:
        return dict(json.loads(beside.read_text()))
    partial = vectors.with_suffix(".part.npz")
    found = run(program, text, settings, vectors=partial)
    kept = ("program", "version", "words", "returncode", "error")
    trained = {name: found[name] for name in kept if name in found}
    if "error" not in trained:
        partial.rename(vectors)
        beside.write_text(json.dumps(trained))
    return trained


def run_one(
    program: str,
    settings: Settings,
    text: Path,
    text_hash: str,
    sets: Path,
    work: Path,
    report: Callable[[str], None],
    again: bool = False,
) -> None:
    """Train and score once, unless that is on record; vectors that are kept are not retrained."""
    key = f"{program}-{settings.name}-lr{settings.learning_rate:g}-seed{settings.seed}"
    if not again and any(
        one["key"] == key and one["text_sha256"] == text_hash for one in read_json_lines(RUNS)
    ):
        report(f"{key}: on record")
        return
    vectors = work / f"{key}-{text_hash[:8]}.npz"
    trained = _train(program, settings, text, vectors, again)
    head = circumstances()
    record: Record = {
        "key": key,
        "text_sha256": text_hash,
        "date": head["date"],
        "commit": head["commit"] if program == "wordgrad" else None,
        "settings": settings.__dict__,
        **trained,
    }
    if "error" not in trained:
        record["scores"] = evaluate(vectors, sets)
    append_json_line(RUNS, record)
    shown = {name: round(one["score"], 4) for name, one in record.get("scores", {}).items()}
    report(f"{key}: {shown or record['error']}")


def average(scores: Record) -> float:
    """Mean of the judged sets, analogies as a share."""
    return statistics.fmean(scores[name]["score"] for name in JUDGED)


def in_points(model: Any, sets: Path) -> Record:
    """Score word vectors on every set, of 100, and their average over the judged ones."""
    found = evaluate_model(model, sets)
    return {
        "scores": {name: 100 * one["score"] for name, one in found.items()},
        "average": 100 * average(found),
    }


def latest(text_hash: str) -> list[Record]:
    """The last record of every key on this text."""
    records = {one["key"]: one for one in read_json_lines(RUNS) if one["text_sha256"] == text_hash}
    return list(records.values())


def best_rate(program: str, architecture: str, records: Iterable[Record]) -> float | None:
    """The rate with the best average at the first seed, or ``None`` before any run."""
    swept = [
        one
        for one in records
        if one["program"] == program
        and one["settings"]["architecture"] == architecture
        and one["settings"]["seed"] == SEEDS[0]
        and "scores" in one
    ]
    if not swept:
        return None
    best = max(swept, key=lambda one: average(one["scores"]))
    return float(best["settings"]["learning_rate"])


def measure(
    text: Path,
    sets: Path,
    work: Path,
    programs: Sequence[Program],
    architectures: Sequence[Architecture],
    seeds: Sequence[int],
    threads: int,
    report: Callable[[str], None],
    again: bool = False,
) -> Path:
    """Sweep learning rates at the first seed, train the other seeds at the best, summarise."""
    described = describe_text(text)
    text_hash = described["sha256"]

    def one(program: Program, architecture: Architecture, rate: float, seed: int) -> None:
        settings = Settings(
            architecture, epochs=EPOCHS, learning_rate=rate, seed=seed, threads=threads
        )
        run_one(program, settings, text, text_hash, sets, work, report, again)

    for program in programs:
        for architecture in architectures:
            if SEEDS[0] in seeds:
                for rate in SWEEP[program, architecture]:
                    one(program, architecture, rate, SEEDS[0])
            best = best_rate(program, architecture, latest(text_hash))
            for seed in seeds:
                if seed != SEEDS[0] and best is not None:
                    one(program, architecture, best, seed)
    return summarise(described)


def _table(program: str, architecture: str, records: Sequence[Record]) -> Record | None:
    mine = [
        one
        for one in records
        if one["program"] == program and one["settings"]["architecture"] == architecture
    ]
    rate = best_rate(program, architecture, records)
    if rate is None:
        return None
    at_best = [one for one in mine if one["settings"]["learning_rate"] == rate and "scores" in one]
    means = {
        name: {
            "mean": statistics.fmean(one["scores"][name]["score"] for one in at_best),
            "values": [one["scores"][name]["score"] for one in at_best],
        }
        for name in (*SIMILARITY, *ANALOGIES)
    }
    judged = [statistics.fmean(one["scores"][name]["score"] for one in at_best) for name in JUDGED]
    return {
        "learning_rate": rate,
        "seeds": [one["settings"]["seed"] for one in at_best],
        "sets": means,
        "average": statistics.fmean(judged),
        "sweep": {
            f"{one['settings']['learning_rate']:g}": average(one["scores"])
            for one in mine
            if one["settings"]["seed"] == SEEDS[0] and "scores" in one
        },
        "failures": [one["key"] for one in mine if "error" in one],
    }


def verdict(ours: Record, theirs: Record) -> Record:
    """No judged set more than ``TOLERANCE`` below gensim's, and the average above it."""
    differences = {
        name: ours["sets"][name]["mean"] - theirs["sets"][name]["mean"] for name in ours["sets"]
    }
    return {
        "difference_to_gensim": differences,
        "average_difference": ours["average"] - theirs["average"],
        "no_set_below": all(differences[name] >= -TOLERANCE for name in JUDGED),
        "average_above": ours["average"] > theirs["average"],
    }


def summarise(text: Record) -> Path:
    """Write ``results/quality.json`` from the runs on record."""
    records = latest(text["sha256"])
    tables: dict[str, dict[str, Any]] = {}
    verdicts = {}
    for architecture in Architecture:
        found = {program: _table(program, architecture, records) for program in Program}
        tables[architecture] = {program: table for program, table in found.items() if table}
        ours, theirs = found[Program.wordgrad], found[Program.gensim]
        if ours and theirs:
            verdicts[architecture] = verdict(ours, theirs)
    record = {
        "question": "How good are the vectors, each program at the best of its learning rates?",
        "method": f"{EPOCHS} epochs; the rate with the best average at seed {SEEDS[0]}, then means "
        "over seeds; Spearman's correlation, and the share of analogies answered right among the "
        f"{RESTRICT_VOCAB:,} most frequent words; one evaluator for all",
        **circumstances(),
        "text": text,
        "judged": JUDGED,
        "tables": tables,
        "goals": verdicts,
    }
    return write_json("quality.json", record)
