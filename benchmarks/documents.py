"""Vectors of documents beside gensim's Doc2Vec: time to train them, and what they tell apart.

::

    python benchmarks/documents.py articles.txt subj.all rt-polarity.all --rounds 3

The articles, one a line, are cut into paragraphs of 100 words; of the other files a line is a
label, a space, and a text.  Both programs read the same files (gensim by ``corpus_file``), with one
thread each, in turns in one process; only training is timed.  Quality is the accuracy of a logistic
regression on the learnt vectors, in five folds, at each program's best learning rate.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from machine import circumstances, describe_text, load_average, spread, write_json
from numpy.typing import NDArray

SIZE, WINDOW, NEGATIVE, SAMPLE, MIN_COUNT = 100, 5, 5, 1e-3, 2
PARAGRAPH = 100
EPOCHS, QUALITY_EPOCHS = 3, 20

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


def quality(path: Path, labels: NDArray[np.str_]) -> dict[str, Any]:
    """Accuracy at every learning rate, and at the best."""
    found: dict[str, Any] = {}
    for mode, rates in RATES.items():
        found[mode] = {}
        for (name, train), given in zip(PROGRAMS.items(), MODES[mode], strict=True):
            at = {
                str(rate): accuracy(train(path, QUALITY_EPOCHS, rate, **given)[0], labels)
                for rate in rates
            }
            found[mode][name] = {"at_rate": at, "best": max(at.values())}
            print(path.name, mode, name, at, file=sys.stderr)
    return found


def measure(articles: Path, labelled: list[Path], rounds: int) -> Path:
    """Write ``results/documents.json``."""
    load = load_average()
    record: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as name:
        folder = Path(name)
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
            record[title] = {
                "documents": len(lines),
                "words": sum(len(line.split()) for line in lines),
                "speed": speed(path, rounds),
            }
            if labels is not None:
                record[title]["quality"] = quality(path, labels)
    return write_json(
        "documents.json",
        {
            "question": "How long do document vectors take beside gensim's, and are they as good?",
            "method": (
                f"{rounds} rounds in turns in one process, one thread each, training alone, "
                f"seconds of the processor; {EPOCHS} epochs, D = {SIZE}, window {WINDOW}, "
                f"{NEGATIVE} negatives, sample {SAMPLE}, min_count {MIN_COUNT}; quality after "
                f"{QUALITY_EPOCHS} epochs by logistic regression in five folds, at each one's best "
                "learning rate"
            ),
            **circumstances(),
            "text": describe_text(articles),
            "load_average_before": load,
            "rates": RATES,
            "texts": record,
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("articles", type=Path, help="articles, one a line")
    parser.add_argument("labelled", type=Path, nargs="*", help="a label, a space, a text a line")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(measure(given.articles, given.labelled, given.rounds))


if __name__ == "__main__":
    main()
