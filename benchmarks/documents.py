"""Vectors of documents beside gensim's Doc2Vec: time to train them, what they tell apart, memory.

::

    python benchmarks/documents.py articles.txt subj.all rt-polarity.all --rounds 3
    python benchmarks/documents.py articles.txt subj.all --only quality

The articles, one a line, are cut into paragraphs of 100 words; of the other files a line is a
label, a space, and a text.  Both programs read the same files (gensim by ``corpus_file``), with one
thread each, in turns in one process; only training is timed.  Quality is the accuracy of a logistic
regression on the learnt vectors, in five folds, at each program's best of a grid of learning rates
and epochs.  Memory is that of ``Doc2Vec.fit`` on a file of 300,000 short documents, in a process of
its own, beside the bytes of that file and of what is learnt.

Every part is kept in ``results/documents.json`` as soon as it is known, and the cells of the grid
that are there are not measured again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from machine import RESULTS, circumstances, describe_text, load_average, spread, write_json
from numpy.typing import NDArray

SIZE, WINDOW, NEGATIVE, SAMPLE, MIN_COUNT = 100, 5, 5, 1e-3, 2
PARAGRAPH = 100
EPOCHS, QUALITY_EPOCHS = 3, (20, 40)

MODES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "dbow": ({}, {"dm": 0}),
    "dbow with words": ({"train_words": True}, {"dm": 0, "dbow_words": 1}),
    "dm": ({"architecture": "dm", "cbow_step": "whole"}, {"dm": 1}),
}
"""Settings of Doc2Vec, ours and gensim's."""

RATES = {"dbow": (0.05, 0.1, 0.2), "dm": (0.025, 0.05, 0.1)}


def _ours(path: Path, epochs: int, rate: float, **settings: Any) -> tuple[Any, float, float]:
    from wordgrad import Doc2Vec
    from wordgrad.training.trainer import Trainer

    model = Doc2Vec(
        SIZE, WINDOW, MIN_COUNT, negative=NEGATIVE, sample=SAMPLE, epochs=epochs,
        learning_rate=rate, workers=1, **settings,
    )  # fmt: skip
    config = model._config()
    with model._encode(path, config, None) as corpus:
        assert corpus.documents is not None
        trainer = Trainer(corpus, config)
        trainer.engine.prepare(trainer.parameters)
        start, processor = perf_counter(), process_time()
        trainer.run()
        taken = perf_counter() - start, process_time() - processor
        V = len(corpus.vocabulary)
        rows = np.zeros((corpus.report.sentences_read, SIZE), np.float32)
        rows[:] = trainer.parameters.W_in[V : V + len(rows)]
        rows[corpus.documents.untrained()] = 0.0
    return rows, *taken


def _gensim(path: Path, epochs: int, rate: float, **settings: Any) -> tuple[Any, float, float]:
    from gensim.models.doc2vec import Doc2Vec

    model = Doc2Vec(
        vector_size=SIZE, window=WINDOW, min_count=MIN_COUNT, negative=NEGATIVE, sample=SAMPLE,
        epochs=epochs, alpha=rate, workers=1, **settings,
    )  # fmt: skip
    model.build_vocab(corpus_file=str(path))
    start, processor = perf_counter(), process_time()
    model.train(
        corpus_file=str(path), total_examples=model.corpus_count,
        total_words=model.corpus_total_words, epochs=epochs,
    )  # fmt: skip
    return model.dv.vectors, perf_counter() - start, process_time() - processor


PROGRAMS: dict[str, Callable[..., tuple[Any, float, float]]] = {
    "wordgrad": _ours,
    "gensim": _gensim,
}


def accuracy(vectors: NDArray[np.float32], labels: NDArray[np.str_]) -> float:
    """Of a logistic regression on the vectors scaled to length 1, in five folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    found = cross_val_score(
        LogisticRegression(C=10.0, max_iter=200),
        vectors / np.maximum(norms, 1e-9),
        labels,
        cv=folds,
    )
    return float(found.mean())


def speed(path: Path, rounds: int) -> dict[str, Any]:
    """Processor seconds of a training, in turns."""
    found: dict[str, Any] = {}
    for mode, settings in MODES.items():
        runs: dict[str, list[float]] = {name: [] for name in PROGRAMS}
        walls: dict[str, list[float]] = {name: [] for name in PROGRAMS}
        for _ in range(rounds):
            for (name, train), given in zip(PROGRAMS.items(), settings, strict=True):
                _, wall, processor = train(path, EPOCHS, 0.05, **given)
                runs[name].append(processor)
                walls[name].append(wall)
            print(path.name, mode, runs, file=sys.stderr)
        pairs = list(zip(runs["gensim"], runs["wordgrad"], strict=True))
        found[mode] = {
            "processor_seconds": {name: spread(values) for name, values in runs.items()},
            "seconds": {name: spread(values) for name, values in walls.items()},
            "gensim_over_wordgrad": spread([a / b for a, b in pairs]),
        }
    return found


def quality(path: Path, labels: NDArray[np.str_], known: dict[str, Any]) -> Iterator[None]:
    """Add the accuracy of every cell of the grid that is not known yet, one at a time."""
    for epochs, mode in product(QUALITY_EPOCHS, RATES):
        for rate, (name, train) in product(RATES[mode], PROGRAMS.items()):
            cells = known.setdefault(mode, {}).setdefault(name, {"accuracy": {}})
            cell = f"rate {rate}, {epochs} epochs"
            if cell in cells["accuracy"]:
                continue
            given = MODES[mode][list(PROGRAMS).index(name)]
            vectors = train(path, epochs, rate, **given)[0]
            cells["accuracy"][cell] = accuracy(vectors, labels)
            cells["best"] = max(cells["accuracy"].values())
            print(path.name, mode, name, cell, cells["accuracy"][cell], file=sys.stderr)
            yield


MEMORY = """
import json, resource, sys
import numpy as np
from wordgrad import Doc2Vec
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
settings = {"vector_size": 100, "min_count": 2, "epochs": 1, "workers": 1}
Doc2Vec(**settings).fit(["a b c d"] * 400)  # what is compiled and imported is not the text's
before = peak()
model = Doc2Vec(**settings).fit(sys.argv[1])
inside = model._inference
learnt = model.documents_.matrix.nbytes + inside.W_out.nbytes + inside.W_in.nbytes
print(json.dumps({"documents": len(model.documents_), "words": len(model.vocabulary_),
                  "learnt_bytes": learnt, "before_bytes": before, "peak_bytes": peak()}))
"""


def memory(articles: Path, folder: Path, documents: int = 300_000) -> dict[str, Any]:
    """Bytes that a training of many documents takes, and of their text."""
    words = articles.read_text("utf-8").split()
    rng = np.random.default_rng(0)
    found = {}
    for length in (20, 60):
        path = folder / f"{length}.txt"
        with path.open("w", encoding="utf-8") as file:
            for first in rng.integers(0, len(words) - length, documents):
                file.write(" ".join(words[first : first + length]) + "\n")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", MEMORY, str(path)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found[f"{length} words"] = json.loads(done.stdout) | {"text_bytes": path.stat().st_size}
        print(found, file=sys.stderr)
    return found


def measure(articles: Path, labelled: list[Path], rounds: int, parts: Sequence[str]) -> Path:
    """Write ``results/documents.json``."""
    results = RESULTS / "documents.json"
    known = json.loads(results.read_text()) if results.exists() else {}
    record: dict[str, Any] = known.get("texts", {})

    def keep() -> Path:
        return write_json(
            "documents.json",
            {
                "question": "How long do document vectors take beside gensim's, how good are they?",
                "method": (
                    f"{rounds} rounds in turns in one process, one thread each, training alone, "
                    f"seconds of the processor; {EPOCHS} epochs, D = {SIZE}, window {WINDOW}, "
                    f"{NEGATIVE} negatives, sample {SAMPLE}, min_count {MIN_COUNT}; quality by "
                    "logistic regression in five folds, at each one's best of the grid"
                ),
                **circumstances(),
                "text": describe_text(articles),
                "load_average_before": load,
                "grid": {"rates": RATES, "epochs": QUALITY_EPOCHS},
                "texts": record,
                "memory": memory_found,
            },
        )

    load = load_average() if "speed" in parts else known.get("load_average_before")
    memory_found = known.get("memory")
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as name:
        folder = Path(name)
        if "memory" in parts:
            memory_found = memory(articles, folder)
            keep()
        words = [line.split() for line in articles.read_text("utf-8").splitlines()]
        paragraphs = [
            " ".join(one[k : k + PARAGRAPH]) for one in words for k in range(0, len(one), PARAGRAPH)
        ]
        texts: dict[str, tuple[list[str], Any]] = {articles.stem: (paragraphs, None)}
        for path in labelled:
            lines = path.read_text("utf-8", errors="replace").splitlines()
            pairs = [line.split(" ", 1) for line in lines]
            texts[path.stem] = [pair[1] for pair in pairs], np.array([pair[0] for pair in pairs])
        for title, (lines, labels) in texts.items():
            path = folder / f"{title}.txt"
            path.write_text("\n".join(lines) + "\n", "utf-8")
            found = record.setdefault(title, {})
            found["documents"] = len(lines)
            found["words"] = sum(len(line.split()) for line in lines)
            if "speed" in parts:
                found["speed"] = speed(path, rounds)
                keep()
            if labels is not None and "quality" in parts:
                for _ in quality(path, labels, found.setdefault("quality", {})):
                    keep()
    return keep()


PARTS = ("speed", "quality", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("articles", type=Path, help="articles, one a line")
    parser.add_argument("labelled", type=Path, nargs="*", help="a label, a space, a text a line")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=PARTS, action="append", help="by default all parts")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(measure(given.articles, given.labelled, given.rounds, given.only or PARTS))


if __name__ == "__main__":
    main()
