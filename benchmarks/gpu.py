"""The CUDA engine: the contract on the card, words a second, floors, quality and windows in flight.

python benchmarks/gpu.py wiki8.txt --sets DATA

Needs a CUDA card; writes ``results/gpu.json``.  The text is read here and not by wordgrad: words
separated by white space, one sentence, words that occur 5 times or more.
"""

from __future__ import annotations

import collections
import gzip
import importlib.metadata
import statistics
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import cupy
import numpy as np
import typer
from machine import circumstances, describe_text, spread, write_json
from numba import cuda
from numpy.typing import NDArray
from quality import ANALOGIES, JUDGED, SIMILARITY

from wordgrad import WordVectors
from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.evaluation import evaluate_analogies, evaluate_similarity
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines import cuda as engines
from wordgrad.training.engines.cuda_softmax import BLOCKS_AT_ONCE, CudaSoftmaxEngine
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.engines.reference import ReferenceEngine
from wordgrad.training.engines.softmax import SkipGramSoftmaxEngine
from wordgrad.training.parameters import Parameters, row_floats
from wordgrad.training.sampling import Batch, SamplingTables, Span

Record = dict[str, Any]
MIN_COUNT = 5
REPEATS = 10
PACKAGES = ("numba-cuda", "cupy-cuda13x")
SEEDS = (1, 2, 3)
IN_FLIGHT = (132, 528, 1056, 2112, 4224)
SMALL_TOKENS = 400_000
SMALL_DIVISORS = (128, 64, 32, 16, 8, 4)
SHAPES = [
    ("skipgram", 100, 5),
    ("cbow", 100, 5),
    ("skipgram", 100, 20),
    ("skipgram", 300, 5),
    ("cbow", 300, 5),
    ("skipgram", 512, 20),
]
GOAL_WORDS, GOAL_OVER_PRODUCTS, GOAL_QUALITY = 50e6, 1.5, 0.3
app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
BEGAN = time.perf_counter()


@dataclass
class _Counts:
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.counts)


@dataclass
class _Text:
    """What engines ask of an encoded corpus."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    vocabulary: _Counts
    words: list[str]

    def release_pages(self) -> None:
        """Nothing is mapped."""

    @property
    def corpus(self) -> EncodedCorpus:
        """The text, under the type that engines are declared with."""
        return cast("EncodedCorpus", self)


def read(path: Path) -> _Text:
    """Encode a text, which may be compressed by gzip."""
    content = path.read_bytes()
    tokens = (gzip.decompress(content) if path.suffix == ".gz" else content).split()
    counts = collections.Counter(tokens)
    words = [word for word, count in counts.most_common() if count >= MIN_COUNT]
    ids = {word: i for i, word in enumerate(words)}
    encoded = np.fromiter((ids.get(word, -1) for word in tokens), np.int32, len(tokens))
    return _text(encoded[encoded >= 0], [word.decode() for word in words], 1)


def _text(ids: NDArray[np.int32], words: list[str], times: int) -> _Text:
    counts = times * np.bincount(ids, minlength=len(words))
    ids = np.tile(ids, times)
    return _Text(ids, np.array([0, len(ids)]), _Counts(counts), words)


def say(*parts: object) -> None:
    """Print with the seconds since the beginning."""
    print(f"[{time.perf_counter() - BEGAN:6.1f}]", *parts, flush=True)


def train(
    engine: Any, n_words: int, config: TrainingConfig, epochs: int
) -> tuple[Parameters, list[float], list[float]]:
    """Train; return parameters, the seconds of each epoch and its loss a pair."""
    parameters = Parameters.initial(n_words, n_words, config.vector_size, config.seed)
    engine.prepare(parameters)
    seconds, losses = [], []
    for epoch in range(epochs):
        begin = time.perf_counter()
        steps = list(engine.epoch(parameters, epoch, 0, threading.Event()))
        seconds.append(time.perf_counter() - begin)
        pairs = sum(step.loss.pairs for step in steps)
        losses.append(sum(step.loss.total for step in steps) / pairs)
    return parameters, seconds, losses


def card() -> Record:
    """Name and measured ceilings of the card: copied bytes and float32 multiply-adds a second."""
    source = cupy.zeros(1 << 28, np.float32)
    target = cupy.empty_like(source)
    a = cupy.random.random((8192, 8192), np.float32)
    b = cupy.empty_like(a)
    copy = min(_timed(lambda: cupy.copyto(target, source)) for _ in range(5))
    product = min(_timed(lambda: cupy.dot(a, a, out=b)) for _ in range(3))
    return {
        "name": engines.card_name(),
        "memory_bytes": engines.card_memory()[1],
        "multiprocessors": cuda.get_current_device().MULTIPROCESSOR_COUNT,
        "copied_bytes_a_second": 2 * source.nbytes / copy,
        "multiply_adds_a_second": 8192.0**3 / product,
    }


def _timed(call: Any) -> float:
    begin, end = cupy.cuda.Event(), cupy.cuda.Event()
    begin.record()
    call()
    end.record()
    end.synchronize()
    return float(cupy.cuda.get_elapsed_time(begin, end)) / 1000


def contract() -> list[Record]:
    """Largest difference from the reference engine, in units of 2^-24 of the largest number."""
    rng = np.random.default_rng(0)
    records = []
    for architecture, D, K in SHAPES:
        config = TrainingConfig(vector_size=D, negative=K, architecture=architecture)
        engine, worst = engines.CudaEngine(config), 0.0
        for _ in range(10):
            found = Parameters.zeros(12, 12, D)
            found.W_in[:], found.W_out[:] = rng.normal(0.0, D**-0.25, (2, 12, D))
            wanted = Parameters.zeros(12, 12, D)
            wanted.copy_from(found)
            offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 12, 3))])
            targets = rng.integers(0, 12, 3)[:, np.newaxis]
            others = (targets + rng.integers(1, 12, (3, K))) % 12
            windows = Batch.from_windows(
                rng.integers(0, 12, offsets[-1]).astype(np.int32),
                offsets,
                np.concatenate([targets, others], axis=1).astype(np.int32),
                architecture=architecture,
            )
            engine.apply_batch(found, windows, 0.1)
            ReferenceEngine(config).apply_batch(wanted, windows, 0.1)
            for there, here in ((found.W_in, wanted.W_in), (found.W_out, wanted.W_out)):
                worst = max(worst, float(np.abs(there - here).max() / np.abs(here).max()))
        shape = {"architecture": architecture, "vector_size": D, "negative": K}
        records.append(shape | {"units": worst * 2**24})
        say("contract", records[-1])
    return records


def speed(text: _Text, architecture: str, D: int, K: int, ceilings: Record) -> Record:
    """Words a second of warm epochs, beside what bytes and multiply-adds alone would take."""
    config = TrainingConfig(vector_size=D, negative=K, architecture=architecture)
    tables = SamplingTables(text.corpus, config)
    engine = engines.CudaEngine(config, tables)
    n = len(text.ids)
    _, seconds, losses = train(engine, len(text.words), config, 4)
    part = min(n, 1 << 20)
    sizes = engine.drawn_windows(Span(0, part, 0, 0.0))[0]
    share = n / part
    rows = share * float(sizes.sum() + (1 + K) * (sizes > 0).sum())
    scored = share * float(sizes.sum() if architecture == "skipgram" else (sizes > 0).sum())
    moved = 2 * 4 * row_floats(D) * rows
    arithmetic = 3 * (1 + K) * D * scored
    floor = max(
        moved / ceilings["copied_bytes_a_second"],
        arithmetic / ceilings["multiply_adds_a_second"],
    )
    draws = _drawing(engine, n)
    engine.close()
    warm = seconds[1:]
    record: Record = {
        "architecture": architecture,
        "vector_size": D,
        "negative": K,
        "words": n,
        "words_a_second": spread([n / one for one in warm]),
        "bytes_moved": moved,
        "multiply_adds": arithmetic,
        "floor_seconds": floor,
        "drawing_seconds": draws,
        "over_floor": statistics.median(warm) / floor,
        "loss": losses[-1],
    }
    fast, over = record["words_a_second"]["median"], record["over_floor"]
    say("speed", architecture, D, K, f"{fast / 1e6:.1f} M words/s, {over:.2f} times the floor")
    return record


def _drawing(engine: engines.CudaEngine, n: int) -> float:
    cuda.synchronize()
    begin = time.perf_counter()
    for first in range(0, n, engine.span_tokens):
        span = Span(first, min(first + engine.span_tokens, n), 0, 0.0)
        engine.draw(span)
    cuda.synchronize()
    return time.perf_counter() - begin


def scores(words: list[str], matrix: NDArray[np.float32], sets: Path) -> Record:
    """Return the score of each test set, and the mean of those that are judged, in points."""
    model = WordVectors(words, np.ascontiguousarray(matrix))
    found: Record = {
        name: 100 * evaluate_similarity(model, sets / file).correlation
        for name, file in SIMILARITY.items()
    }
    for name, file in ANALOGIES.items():
        found[name] = 100 * evaluate_analogies(model, sets / file, restrict_vocab=30_000).accuracy
    found["mean"] = statistics.fmean(found[name] for name in JUDGED)
    return found


def quality(text: _Text, sets: Path, in_flight: tuple[int, ...]) -> list[Record]:
    """Vectors of the card with so many windows in flight, and of the processor: three seeds."""
    records: list[Record] = []
    for architecture in ("skipgram", "cbow"):
        for windows in (None, *in_flight):
            runs = []
            for seed in SEEDS:
                config = TrainingConfig(architecture=architecture, seed=seed)
                tables = SamplingTables(text.corpus, config)
                engine: Any = HogwildEngine(config, tables)
                if windows is not None:
                    engine = engines.CudaEngine(config, tables, windows)
                parameters, seconds, losses = train(engine, len(text.words), config, config.epochs)
                run = scores(text.words, parameters.W_in, sets)
                runs.append(
                    run | {"loss": losses[-1], "words_a_second": len(text.ids) / min(seconds)}
                )
                engine.close()
            means = {name: statistics.fmean(run[name] for run in runs) for name in runs[0]}
            records.append(
                {
                    "architecture": architecture,
                    "in_flight": windows,
                    "threads": config.threads if windows is None else None,
                    "means": means,
                    "seeds": runs,
                }
            )
            say("quality", architecture, windows or "processor", f"mean {means['mean']:.2f}",
                [round(run["mean"], 2) for run in runs], f"loss {means['loss']:.4f}")  # fmt: skip
    return records


def small(text: _Text) -> Record:
    """The loss of a small text by the words of the vocabulary for each window in flight."""
    config = TrainingConfig(workers=1)
    tables = SamplingTables(text.corpus, config)
    V = len(text.words)
    record: Record = {"tokens": len(text.ids), "words": V, "losses": {}}
    engine = HogwildEngine(config, tables)
    record["losses"]["processor"] = train(engine, V, config, config.epochs)[2][-1]
    for divisor in SMALL_DIVISORS:
        on_card = engines.CudaEngine(config, tables, max(1, V // divisor))
        record["losses"][divisor] = train(on_card, V, config, config.epochs)[2][-1]
        on_card.close()
    say("small", record)
    return record


def softmax(text: _Text) -> Record:
    """Seconds of a pass of the exact softmax, beside its matrix products; losses of both."""
    config = TrainingConfig(loss="softmax", epochs=15)
    V, D = len(text.words), config.vector_size
    begin = time.perf_counter()
    engine = CudaSoftmaxEngine(text.corpus, config)
    _, seconds, losses = train(engine, V, config, 6)
    total = time.perf_counter() - begin
    B = engine.block_rows
    engine.close()
    rows = cupy.random.random((B, D), np.float32)
    words = cupy.random.random((V, D), np.float32)
    logits, d_rows, d_words = cupy.dot(rows, words.T), cupy.empty_like(rows), cupy.empty_like(words)

    def products() -> None:
        for _ in range(BLOCKS_AT_ONCE):
            cupy.dot(rows, words.T, out=logits)
            cupy.dot(logits, words, out=d_rows)
            cupy.dot(logits.T, rows, out=d_words)

    products()
    blocks = -(-V // B)
    alone = blocks / BLOCKS_AT_ONCE * statistics.median(_timed(products) for _ in range(5))
    record: Record = {
        "words": V,
        "vector_size": D,
        "block_rows": B,
        "seconds_a_pass": spread(seconds[1:]),
        "products_seconds": alone,
        "over_products": statistics.median(seconds[1:]) / alone,
        "counting_seconds": total - sum(seconds),
        "losses": losses,
    }
    say("softmax", record)
    processor = SkipGramSoftmaxEngine(text.corpus, config)
    _, seconds, losses = train(processor, V, config, 2)
    processor.close()
    record["processor"] = {
        "threads": config.threads,
        "seconds_a_pass": spread(seconds),
        "losses": losses,
    }
    say("softmax on the processor", record["processor"])
    return record


@app.command()
def main(
    text: Path,
    sets: Annotated[Path, typer.Option(help="Folder with similarity/ and analogies/.")],
    results: Annotated[Path | None, typer.Option(help="Folder for gpu.json.")] = None,
) -> None:
    """Measure everything and write results/gpu.json."""
    record: Record = circumstances() | {"text": describe_text(text), "card": card()}
    record["versions"] |= {name: importlib.metadata.version(name) for name in PACKAGES}
    say(record["card"])
    once = read(text)
    say("read", len(once.ids), len(once.words))
    target = {} if results is None else {"folder": results}

    def keep(name: str, value: object) -> None:
        record[name] = value
        write_json("gpu.json", record, **target)

    keep("contract", contract())
    keep("speed", [speed(once, *shape, record["card"]) for shape in SHAPES])
    many = _text(once.ids, once.words, REPEATS)
    keep("speed_repeated", [speed(many, *shape, record["card"]) for shape in SHAPES[:2]])
    keep("softmax", softmax(once))
    short = once.ids[:SMALL_TOKENS]
    counts = np.bincount(short, minlength=len(once.words))
    new = np.full(len(once.words), -1, np.int32)
    order = np.argsort(-counts, kind="stable")[: int((counts >= MIN_COUNT).sum())]
    new[order] = np.arange(len(order))
    ids = new[short]
    keep("small", small(_text(ids[ids >= 0], [once.words[w] for w in order], 1)))
    keep("quality", quality(once, sets, IN_FLIGHT))
    fast = record["speed_repeated"][0]["words_a_second"]["median"]
    keep(
        "goals",
        {
            "words_a_second": [fast, GOAL_WORDS, fast >= GOAL_WORDS],
            "over_products": [
                record["softmax"]["over_products"],
                GOAL_OVER_PRODUCTS,
                record["softmax"]["over_products"] <= GOAL_OVER_PRODUCTS,
            ],
            "quality": _below(record["quality"]),
        },
    )


def _below(records: list[Record]) -> Record:
    """How far the card's mean, with as many windows in flight as by default, is below."""
    found: Record = {}
    for architecture in ("skipgram", "cbow"):
        means = {
            one["in_flight"]: one["means"]["mean"]
            for one in records
            if one["architecture"] == architecture
        }
        below = means[None] - means[engines.MOST_IN_FLIGHT]
        found[architecture] = [below, GOAL_QUALITY, below <= GOAL_QUALITY]
    return found


if __name__ == "__main__":
    app()
