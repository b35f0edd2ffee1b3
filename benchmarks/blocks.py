"""What training in blocks costs, in time and in quality, beside the default engine.

::

    python benchmarks/blocks.py wiki8.txt --sets DATA --only overhead
    python benchmarks/blocks.py wiki8.txt --sets DATA

First an epoch of blocks must give the same pairs as the default engine, and the same bytes on one
thread and on two.  *Overhead*: epochs in turns in one process, at two threads; beside
the seconds on the clock those of the processor, which on a busy machine are the ones to trust.
*Quality*: five epochs, scored as in :mod:`quality`.  A cell that is measured is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import threading
from functools import partial
from itertools import product
from pathlib import Path
from time import perf_counter, process_time
from types import SimpleNamespace
from typing import Any

import numpy as np
from machine import Cells, describe_text, load_average, spread
from quality import in_points

from wordgrad import Word2Vec, encode_corpus
from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss
from wordgrad.training.engines import make_engine
from wordgrad.training.engines.blocks import BlockEngine
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import SamplingTables, with_threshold

BLOCKS = (None, 8, 16, 32)
LARGE = {  # words, tokens, buckets; a bucket may hold 65,536 words
    "a million words": (1_000_000, 48_000_000, (None, 16, 32, 64)),
    "four million words": (4_000_000, 96_000_000, (None, 64, 128)),
}
ARCHITECTURES = ("skipgram", "cbow")
THREADS = 2
EPOCHS = 5


def name_of(blocks: int | None) -> str:
    return "default engine" if blocks is None else f"{blocks} buckets"


def _made(
    corpus: EncodedCorpus, blocks: int | None, threads: int, architecture: str = "skipgram"
) -> tuple[Any, Parameters]:
    counts = corpus.vocabulary.counts
    config = TrainingConfig(architecture=architecture, workers=threads, blocks=blocks)
    config = with_threshold(config, counts)
    engine = make_engine(corpus, config)
    parameters = Parameters.initial(engine.n_inputs, engine.n_outputs, config.vector_size, 1)
    engine.prepare(parameters)
    return engine, parameters


def _epoch(engine: Any, parameters: Parameters, epoch: int = 0) -> Loss:
    steps = list(engine.epoch(parameters, epoch, 0, threading.Event()))
    return Loss(sum(s.loss.total for s in steps), sum(s.loss.pairs for s in steps))


def verify(corpus: EncodedCorpus) -> int:
    """Compare pairs, and bytes on one thread and on two; return the pairs of an epoch."""
    pairs = {_epoch(*_made(corpus, None, THREADS)).pairs}
    digests = set()
    for threads in (1, THREADS):
        engine, parameters = _made(corpus, BLOCKS[-1], threads)
        pairs.add(_epoch(engine, parameters).pairs)
        digests.add(hashlib.sha256(parameters.W_in_rows.tobytes()).hexdigest())
    if len(digests) != 1:
        raise SystemExit(f"blocks give other bytes on {THREADS} threads than on one")
    if len(pairs) != 1:
        raise SystemExit(f"blocks have other pairs than the default engine: {pairs}")
    return int(pairs.pop())


def overhead(corpus: EncodedCorpus, rounds: int, architecture: str) -> dict[str, Any]:
    """Seconds of an epoch, on the clock and of the processor, in turns."""
    made = {blocks: _made(corpus, blocks, THREADS, architecture) for blocks in BLOCKS}
    seconds: dict[int | None, list[tuple[float, float]]] = {blocks: [] for blocks in BLOCKS}
    load = load_average()
    for _ in range(rounds):
        for blocks, (engine, parameters) in made.items():
            clock, processor = perf_counter(), process_time()
            _epoch(engine, parameters)
            seconds[blocks].append((perf_counter() - clock, process_time() - processor))
    engines: dict[str, Any] = {}
    for blocks, found in seconds.items():
        engines[name_of(blocks)] = figures = {}
        for k, figure in enumerate(("clock", "processor")):
            times = [pair[k] for pair in found]
            base = [pair[k] for pair in seconds[None]]
            ratios = [one / other for one, other in zip(times, base, strict=True)]
            figures[figure] = {**spread(times), "times_default": spread(ratios)}
    return {"load_average_before": load, "threads": THREADS, "engines": engines}


def large(n_words: int, n_tokens: int, buckets: tuple[int | None, ...]) -> dict[str, Any]:
    """Processor seconds of an episode of a made-up text of many words, with Zipf's frequencies.

    A long text's has as many pairs as take the memory of both matrices, or about that.
    """
    draw = np.random.default_rng(1)
    share = 1 / (np.arange(n_words) + 2.7)
    share /= share.sum()
    edges = np.cumsum(share)
    ids = np.empty(n_tokens, np.int32)
    for part in np.array_split(ids, -(-n_tokens // 4_000_000)):
        part[:] = np.searchsorted(edges, draw.random(len(part))).clip(0, n_words - 1)
    counts = np.maximum(5, np.rint(share * n_tokens * 20)).astype(np.int64)
    text = SimpleNamespace(
        ids=ids,
        offsets=np.append(np.arange(0, n_tokens, 1000), n_tokens),
        vocabulary=SimpleNamespace(counts=counts),
    )
    seconds = {}
    for blocks in buckets:
        config = TrainingConfig(workers=1, blocks=blocks, sample=1e-4)
        engine: Any = HogwildEngine(config, SamplingTables(text, config))  # type: ignore[arg-type]
        if blocks is not None:
            engine = BlockEngine(config, SamplingTables(text, config), n_tokens)  # type: ignore[arg-type]
        parameters = Parameters.zeros(n_words, n_words, config.vector_size)
        parameters.W_in[:], parameters.W_out[:] = 0.01, 0.0  # all pages are there
        engine.prepare(parameters)
        start = process_time()
        _epoch(engine, parameters)
        seconds[name_of(blocks)] = process_time() - start
    return {"words": n_words, "tokens": n_tokens, "processor_seconds": seconds}


def quality(
    corpus: Path, sets: Path, architecture: str, blocks: int | None, seed: int
) -> dict[str, Any]:
    """Train and score."""
    settings = {"workers": THREADS, "epochs": EPOCHS, "blocks": blocks, "seed": seed}
    model = Word2Vec(architecture=architecture, **settings).fit(str(corpus))  # type: ignore[arg-type]
    losses = [record["loss"] for record in model.history_]
    return {**in_points(model.vectors_, sets), "losses": losses}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("text", type=Path)
    parser.add_argument("--sets", type=Path, required=True, help="folder of the test sets")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", choices=["overhead", "large", "quality"])
    given = parser.parse_args()
    text = describe_text(given.text)
    head = {"question": "What do blocks cost, in time and in quality?", "text": text}
    cells = Cells("blocks.json", head, fresh=False)
    if given.only in (None, "large"):
        for name, (words, tokens, buckets) in LARGE.items():
            size = {"words": words, "tokens": tokens}
            cells.measure(name, size, partial(large, words, tokens, buckets))
    if given.only in (None, "overhead"):
        with encode_corpus(given.text) as corpus:
            run = {"text": text["sha256"], "rounds": given.rounds, "pairs": verify(corpus)}
            for architecture in ARCHITECTURES:
                cells.measure(
                    f"overhead, {architecture}",
                    run,
                    partial(overhead, corpus, given.rounds, architecture),
                )
    if given.only in (None, "quality"):
        for seed, blocks, architecture in product(given.seeds, (None, 16, 32), ARCHITECTURES):
            run = {"architecture": architecture, "blocks": blocks, "seed": seed}
            cells.measure(
                f"quality, {architecture}, {name_of(blocks)}, seed {seed}",
                {"text": text["sha256"], "epochs": EPOCHS, **run},
                partial(quality, given.text, given.sets, **run),
            )


if __name__ == "__main__":
    main()
