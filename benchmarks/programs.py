"""Train one program on one text, in this process, and say what it took.

:func:`run` starts this file in a fresh process for every measurement, so that memory, caches and
random state belong to that run alone; a crash is a result, too::

    python benchmarks/programs.py gensim TEXT SETTINGS_JSON RESULT.json [VECTORS.npz]

Times are wall-clock seconds: ``vocabulary`` from the text to what training starts from,
``training`` the training alone, ``total`` both with everything in between.  A program that cannot
tell the two apart reports ``None`` for them.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import numpy.typing as npt
from machine import last_lines, peak_memory, run_script

Record = dict[str, Any]


class Program(StrEnum):
    """What is compared."""

    wordgrad = "wordgrad"
    gensim = "gensim"
    fasttext = "fasttext"


class Architecture(StrEnum):
    """Which words predict which, under the names all three programs share in spirit."""

    skipgram = "skipgram"
    cbow = "cbow"


@dataclass(frozen=True)
class Settings:
    """One training run, in words that mean the same to every program.

    ``learning_rate=None`` leaves the rate to the program, which is right where only speed counts.
    """

    architecture: Architecture = Architecture.skipgram
    vector_size: int = 100
    epochs: int = 1
    learning_rate: float | None = None
    seed: int = 1
    threads: int = 2
    window: int = 5
    negative: int = 5
    sample: float = 1e-4
    min_count: int = 5

    @property
    def name(self) -> str:
        """A short name for people and files, such as ``skipgram-d100-e1``."""
        return f"{self.architecture}-d{self.vector_size}-e{self.epochs}"


def run(
    program: str,
    text: Path,
    settings: Settings,
    *,
    vectors: Path | None = None,
    numba_cache: Path | None = None,
    source: Path | None = None,
) -> Record:
    """Train ``program`` on ``text`` in a fresh process and return its record.

    A program that fails returns a record with ``error`` (its last lines) in place of figures.
    ``source`` is the folder whose ``wordgrad`` is imported, if it is not the installed one.
    """
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        result = Path(folder) / "result.json"
        arguments = [program, str(text), json.dumps(asdict(settings)), str(result)]
        if vectors is not None:
            arguments.append(str(vectors))
        done = run_script(
            Path(__file__),
            arguments,
            settings.threads,
            seed=settings.seed,
            numba_cache=numba_cache,
            source=source,
        )
        if done.returncode == 0:
            return dict(json.loads(result.read_text()))
    return {"program": program, "returncode": done.returncode, "error": last_lines(done)}


# ------------------------------------------------------------- in the fresh process


@dataclass(frozen=True)
class Trained:
    """What a program learned, and how long it took."""

    words: list[str]
    matrix: npt.NDArray[np.float32]
    vocabulary_seconds: float | None
    training_seconds: float | None
    total_seconds: float
    details: dict[str, Any]


def train_wordgrad(text: str, settings: Settings) -> Trained:
    """Train wordgrad through its public estimator."""
    from wordgrad import Word2Vec

    model = Word2Vec(
        vector_size=settings.vector_size,
        window=settings.window,
        min_count=settings.min_count,
        architecture=settings.architecture,
        negative=settings.negative,
        sample=settings.sample,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        workers=settings.threads,
        seed=settings.seed,
    )
    start = perf_counter()
    model.fit(text)
    total = perf_counter() - start
    return Trained(
        words=list(model.vectors_.words),
        matrix=np.asarray(model.vectors_.matrix),
        vocabulary_seconds=float(model.report_.seconds),
        training_seconds=float(sum(epoch["seconds"] for epoch in model.history_)),
        total_seconds=total,
        details={"history": [dict(epoch) for epoch in model.history_]},
    )


def train_gensim(text: str, settings: Settings) -> Trained:
    """Train gensim in its fastest mode, ``corpus_file``, without its loss."""
    from gensim.models import Word2Vec

    rate = {} if settings.learning_rate is None else {"alpha": settings.learning_rate}
    model = Word2Vec(
        vector_size=settings.vector_size,
        window=settings.window,
        min_count=settings.min_count,
        sg=int(settings.architecture == "skipgram"),
        hs=0,
        negative=settings.negative,
        sample=settings.sample,
        workers=settings.threads,
        epochs=settings.epochs,
        seed=settings.seed,
        **rate,
    )
    start = perf_counter()
    model.build_vocab(corpus_file=text)
    counted = perf_counter()
    model.train(
        corpus_file=text,
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=settings.epochs,
        compute_loss=False,
    )
    end = perf_counter()
    return Trained(
        words=list(model.wv.index_to_key),
        matrix=model.wv.vectors,
        vocabulary_seconds=counted - start,
        training_seconds=end - counted,
        total_seconds=end - start,
        details={"min_alpha": model.min_alpha},
    )


def train_fasttext(text: str, settings: Settings) -> Trained:
    """Train fastText without subwords; its one call counts the vocabulary and trains.

    Asked for no epochs, it reads its vocabulary, initialises and stops: the time of such a call is
    its vocabulary pass, and what the full call takes beyond it is its training.  Its Python package
    takes no seed (the generator starts from 0): runs differ by the timing of their threads alone.
    """
    import fasttext

    def call(epochs: int) -> tuple[Any, float]:
        rate = {} if settings.learning_rate is None else {"lr": settings.learning_rate}
        start = perf_counter()
        model = fasttext.train_unsupervised(
            text,
            model=settings.architecture,
            dim=settings.vector_size,
            ws=settings.window,
            minCount=settings.min_count,
            neg=settings.negative,
            t=settings.sample,
            epoch=epochs,
            thread=settings.threads,
            minn=0,
            maxn=0,
            wordNgrams=1,
            loss="ns",
            verbose=0,
            **rate,
        )
        return model, perf_counter() - start

    counting = call(0)[1]  # its model is gone before the real one is built
    model, total = call(settings.epochs)
    words = list(model.get_words())
    matrix = np.asarray(model.get_input_matrix(), dtype=np.float32)[: len(words)]
    kept = [row for row, word in enumerate(words) if word != "</s>"]  # its mark for a line's end
    return Trained(
        words=[words[row] for row in kept],
        matrix=matrix[kept],
        vocabulary_seconds=counting,
        training_seconds=total - counting,
        total_seconds=total,
        details={"vocabulary_seconds_from": "a call with no epochs", "seed": "not settable"},
    )


_TRAIN: dict[str, tuple[Callable[[str, Settings], Trained], str]] = {
    "wordgrad": (train_wordgrad, "wordgrad"),
    "gensim": (train_gensim, "gensim"),
    "fasttext": (train_fasttext, "fasttext-numpy2-wheel"),
}


def main(program: str, text: str, settings: str, result: str, vectors: str | None = None) -> None:
    """Train, then write the result and, if asked, the vectors."""
    train, distribution = _TRAIN[program]
    began = process_time()
    trained = train(text, Settings(**json.loads(settings)))
    processor = process_time() - began
    memory = peak_memory()
    if vectors is not None:
        np.savez(vectors, words=np.array(trained.words), matrix=trained.matrix)
    record = {
        "program": program,
        "version": importlib.metadata.version(distribution),
        "words": len(trained.words),
        "vocabulary_seconds": trained.vocabulary_seconds,
        "training_seconds": trained.training_seconds,
        "total_seconds": trained.total_seconds,
        "processor_seconds": processor,
        "peak_memory_bytes": memory,
        "details": trained.details,
    }
    Path(result).write_text(json.dumps(record))


if __name__ == "__main__":
    main(*sys.argv[1:])
