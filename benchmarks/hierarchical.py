"""Hierarchical softmax beside gensim's ``hs=1``: seconds of an epoch, and quality.

::

    python benchmarks/hierarchical.py wiki8.txt --megabytes 10 --rounds 3

Both programs train the same words with the same settings and threads, from files, in turns, each
run in a fresh process; seconds are those of training alone, on the clock and on the processors.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from machine import (
    circumstances,
    describe_text,
    last_lines,
    load_average,
    run_script,
    spread,
    write_json,
)

THREADS = 2
SETTINGS: dict[str, Any] = {"vector_size": 100, "window": 5, "min_count": 5, "sample": 1e-3}
KINDS: dict[str, dict[str, int]] = {
    "skip-gram": {"sg": 1, "negative": 0},
    "skip-gram, beside 5 negatives": {"sg": 1, "negative": 5},
    "CBOW": {"sg": 0, "negative": 0},
}


def _wordgrad(text: Path, kind: str, epochs: int, vectors: Path) -> dict[str, float]:
    from wordgrad import Word2Vec

    chosen = KINDS[kind]
    settings: dict[str, Any] = {
        "architecture": "skipgram" if chosen["sg"] else "cbow",
        "loss": "hierarchical-softmax" + ("+negative-sampling" if chosen["negative"] else ""),
        "workers": THREADS,
    }
    Word2Vec(**settings, min_count=1, epochs=1).fit(["load the kernels and the tiles"] * 200)
    clock: list[tuple[float, float]] = []

    def note(_: object) -> None:
        clock.append((perf_counter(), process_time()))

    model = Word2Vec(**SETTINGS, **settings, epochs=epochs, on_epoch=note).fit(text)
    model.vectors_.save(vectors, format="word2vec-binary", overwrite=True)
    return {
        "seconds": (clock[-1][0] - clock[0][0]) / epochs,
        "processor_seconds": (clock[-1][1] - clock[0][1]) / epochs,
    }


def _gensim(text: Path, kind: str, epochs: int, vectors: Path) -> dict[str, float]:
    from gensim.models import Word2Vec

    model = Word2Vec(**SETTINGS, **KINDS[kind], hs=1, workers=THREADS, epochs=epochs)
    model.build_vocab(corpus_file=str(text))
    start, processor = perf_counter(), process_time()
    model.train(
        corpus_file=str(text),
        total_words=model.corpus_total_words,
        total_examples=model.corpus_count,
        epochs=epochs,
    )
    seconds = perf_counter() - start, process_time() - processor
    model.wv.save_word2vec_format(str(vectors), binary=True)
    return {"seconds": seconds[0] / epochs, "processor_seconds": seconds[1] / epochs}


PROGRAMS = {"wordgrad": _wordgrad, "gensim": _gensim}


def _similarity(vectors: Path, pairs: Path) -> float:
    from wordgrad import load
    from wordgrad.evaluation import evaluate_similarity

    return float(evaluate_similarity(load(vectors), pairs).correlation)


def _cut(text: Path, megabytes: int, target: Path) -> Path:
    """The first words of a text, a thousand a line: gensim cuts longer sentences."""
    with text.open("rb") as file:
        words = file.read(megabytes * 1_000_000).split()[:-1]
    lines = (b" ".join(words[i : i + 1000]) for i in range(0, len(words), 1000))
    target.write_bytes(b"\n".join(lines) + b"\n")
    return target


def measure(
    text: Path, megabytes: int, epochs: int, rounds: int, pairs: Path, kinds: list[str]
) -> Path:
    """Write ``results/hierarchical.json``."""
    load = load_average()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as name:
        folder = Path(name)
        lines = _cut(text, megabytes, folder / "lines.txt")
        for kind in kinds:
            runs: dict[str, list[dict[str, float]]] = {program: [] for program in PROGRAMS}
            for _ in range(rounds):
                for program in PROGRAMS:
                    vectors = folder / f"{program}.bin"
                    arguments = [str(lines), "--child", program, "--kind", kind]
                    arguments += ["--epochs", str(epochs), "--vectors", str(vectors)]
                    done = run_script(Path(__file__), arguments, threads=THREADS)
                    if done.returncode != 0:
                        raise SystemExit(f"{program} failed:\n{last_lines(done)}")
                    run = json.loads(done.stdout)
                    run["similarity"] = _similarity(vectors, pairs)
                    print(kind, program, run, file=sys.stderr, flush=True)
                    runs[program].append(run)
            both = list(zip(runs["gensim"], runs["wordgrad"], strict=True))
            found[kind] = {
                "programs": {
                    program: {key: spread([run[key] for run in one]) for key in one[0]}
                    for program, one in runs.items()
                },
                "gensim_over_wordgrad": {
                    key: spread([a[key] / b[key] for a, b in both])
                    for key in ("seconds", "processor_seconds")
                },
            }
    record = {
        "question": "How fast is the hierarchical softmax beside gensim's, and how good?",
        "method": (
            f"{rounds} rounds in turns, each run in a fresh process; {epochs} epochs, seconds an "
            f"epoch of training alone; {THREADS} threads, each program's own learning rate; gensim "
            "reads a corpus_file; Spearman's correlation on WordSim-353"
        ),
        **circumstances(),
        "text": describe_text(text),
        "megabytes": megabytes,
        "epochs": epochs,
        "settings": {**SETTINGS, "threads": THREADS},
        "load_average_before": load,
        "kinds": found,
    }
    return write_json("hierarchical.json", record)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("text", type=Path, help="the text to train on")
    parser.add_argument("--megabytes", type=int, default=10, help="how much of it")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--similarity", type=Path, help="word pairs with scores, such as wordsim353"
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--child", choices=PROGRAMS, help=argparse.SUPPRESS)
    parser.add_argument("--kind", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--vectors", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        run = PROGRAMS[given.child](given.text, given.kind, given.epochs, given.vectors)
        print(json.dumps(run))
    else:
        size = given.megabytes, given.epochs, given.rounds
        print(measure(given.text, *size, given.similarity, given.kinds))


if __name__ == "__main__":
    main()
