"""What a cluster costs beside one machine, and what it is projected to do.

::

    python benchmarks/cluster.py wiki8.txt --only overhead
    python benchmarks/cluster.py wiki8.txt --sets DATA --only quality
    python benchmarks/cluster.py wiki8.txt --only constants
    python benchmarks/cluster.py wiki8.txt --only projection

*Overhead*: seconds of an epoch on two Ray nodes of this machine with a thread each, and of the
default engine on two threads, in turns, of the text in lines of 1,000 words.  *Quality*: five
epochs on two nodes, scored as in :mod:`quality`.  *Constants*: what a thread trains in blocks of as
many rows as a large vocabulary would have, and what Ray carries from one node to another.
*Projection*: time, memory and traffic of large trainings from these constants and the formulas of
docs/cluster.md; nobody has run them.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np
from machine import RESULTS, Cells, describe_text, load_average, spread
from quality import in_points

from wordgrad import Word2Vec, encode_corpus
from wordgrad.cluster import MOST_BLOCKS, nodes_on_this_machine
from wordgrad.cluster.coordinator import BUCKETS_A_THREAD, SECONDS_BETWEEN_STATES
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines import make_engine
from wordgrad.training.engines.blocks import PAIRS_A_WORD, TOKENS_A_WORD, Deal
from wordgrad.training.parameters import Parameters, row_floats
from wordgrad.training.sampling import with_threshold

NODES, EPOCHS, WORDS_A_LINE = 2, 2, 1000
TEXT_BYTES, N_WORDS, VECTOR_SIZE, CORES = 10**12, 10_000_000, 300, 32
MACHINES = (16, 64)


def _on_ray(epochs: int, blocks: int | None = None, **options: Any) -> Word2Vec:
    given: dict[str, Any] = {
        "cluster": "auto",
        "nodes": NODES,
        "threads_per_node": 1,
        "blocks": blocks,
    }
    return Word2Vec(epochs=epochs, **(given | options))


@contextmanager
def in_lines(text: Path) -> Iterator[str]:
    """The words of a text, so many a line: one line would lie on one node, which draws alone."""
    words = text.read_text().split()
    with TemporaryDirectory() as folder:
        lines = Path(folder) / "lines.txt"
        with lines.open("w") as file:
            for start in range(0, len(words), WORDS_A_LINE):
                print(*words[start : start + WORDS_A_LINE], file=file)
        del words
        yield str(lines)


def overhead(text: Path, rounds: int) -> dict[str, Any]:
    """Seconds of training an epoch, in turns."""
    with in_lines(text) as lines:
        return _overhead(lines, rounds)


def _overhead(text: str, rounds: int) -> dict[str, Any]:
    load = load_average()
    seconds: dict[str, list[float]] = {"default engine": [], "2 nodes": []}
    sent = []
    with nodes_on_this_machine(NODES):
        for _ in range(rounds):
            for name in seconds:
                model: Any = Word2Vec(workers=NODES, epochs=EPOCHS)
                if name == "2 nodes":
                    model = _on_ray(EPOCHS, progress=lambda one: sent.append(one))
                model.fit(text)
                seconds[name] += [record["seconds"] for record in model.history_]
    base = seconds["default engine"]
    found: dict[str, Any] = {
        name: {
            "seconds": spread(times),
            "times_default": spread([a / b for a, b in zip(times, base, strict=True)]),
        }
        for name, times in seconds.items()
    }
    return {
        "load_average_before": load,
        "engines": found,
        "bytes_sent_an_epoch": sent[-1].bytes_sent / EPOCHS,
        "rounds": rounds,
    }


def quality(text: Path, sets: Path, seed: int) -> dict[str, Any]:
    """Train on two nodes, and score."""
    with nodes_on_this_machine(NODES):
        model = _on_ray(5, seed=seed).fit(str(text))
    losses = [record["loss"] for record in model.history_]
    return {**in_points(model.vectors_, sets), "losses": losses}


def constants(text: Path) -> dict[str, Any]:
    """Tokens that a thread trains in a second, D = 300, and bytes that Ray carries in one.

    The first by the clock of the processor, the second at best: both can be had on a busy machine.
    """
    with encode_corpus(text) as corpus:
        counts = corpus.vocabulary.counts
        config = with_threshold(
            TrainingConfig(vector_size=VECTOR_SIZE, workers=1, blocks=4), counts
        )
        engine: Any = make_engine(corpus, config)
        V = len(counts)
        parameters = Parameters.initial(V, V, VECTOR_SIZE, 1)
        engine.prepare(parameters)
        steps = engine.epoch(parameters, 0, 0, threading.Event())
        next(steps)
        start = process_time()
        step = next(steps)
        rate = (step.stop - step.start) / (process_time() - start)
        steps.close()
        bytes_a_token = os.path.getsize(text) / len(corpus.ids)
    with nodes_on_this_machine(NODES):
        import ray

        kind = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(_Store)
        one, other = kind.remote(), kind.remote()
        megabytes = 64
        ray.get([one.take.remote(one.give.remote(1)), other.take.remote(other.give.remote(1))])
        times = []
        for _ in range(5):
            given = one.give.remote(megabytes << 20)
            ray.wait([given], fetch_local=False)
            start = perf_counter()
            ray.get(other.take.remote(given))
            times.append(perf_counter() - start)
        bandwidth = (megabytes << 20) / min(times)
    return {
        "rows_of_a_bucket": -(-V // 4),
        "tokens_a_thread_and_second": rate,
        "bytes_a_token_of_text": bytes_a_token,
        "bytes_between_nodes_a_second": bandwidth,
    }


def dealing(n_words: int, n_buckets: int) -> dict[str, Any]:
    """Processor seconds in which a node deals words to buckets, once in an episode."""
    noise = (np.arange(n_words, dtype=np.float64) + 2.7) ** -0.75
    noise = (noise / noise.sum()).astype(np.float64)
    Deal.of(noise[:1000], 4, key=1)
    start = process_time()
    Deal.of(noise, n_buckets, key=1)
    return {"words": n_words, "buckets": n_buckets, "seconds": process_time() - start}


class _Store:
    def give(self, size: int) -> Any:
        return np.zeros(size, np.uint8)

    def take(self, given: Any) -> int:
        return int(given[::4096].sum())


def traffic(V: int, D: int, n: int, B: int, pairs: float) -> dict[str, float]:
    """Bytes that all nodes send in an episode, by the formulas of docs/cluster.md."""
    row, elsewhere = 4 * row_floats(D), 1 - 1 / n
    return {
        "buckets": n * (B - 1) * -(-V // B) * row if n > 1 else 0,
        "rows": 2 * V * elsewhere * (row + 4),
        "pairs": 4 * pairs * elsewhere,
    }


def projection() -> dict[str, Any]:
    """An epoch of a terabyte, from the constants that were measured."""
    cells = json.loads((RESULTS / "cluster.json").read_text())["cells"]
    measured, dealt = cells["constants"], cells["dealing"]
    deal = dealt["seconds"] * N_WORDS / dealt["words"]
    tokens = TEXT_BYTES / measured["bytes_a_token_of_text"]
    matrix = N_WORDS * 4 * row_floats(VECTOR_SIZE)
    episode, pairs = TOKENS_A_WORD * N_WORDS, PAIRS_A_WORD * N_WORDS
    projected = []
    networks = {
        "as measured here": measured["bytes_between_nodes_a_second"],
        "100 Gbit/s": 12.5e9,
    }
    for n in MACHINES:
        B = min(BUCKETS_A_THREAD * n * CORES, MOST_BLOCKS)
        moved = sum(traffic(N_WORDS, VECTOR_SIZE, n, B, pairs).values())
        train = episode / (min(n * CORES, B) * measured["tokens_a_thread_and_second"])
        for network, speed in networks.items():
            # Both matrices are copied to other nodes between two episodes, some seconds apart.
            alone = train + deal + moved / n / speed
            sent = moved + 2 * matrix * min(1.0, alone / SECONDS_BETWEEN_STATES)
            send = sent / n / speed
            projected.append(
                {
                    "nodes": n,
                    "buckets": B,
                    "network": network,
                    "episodes": tokens / episode,
                    "training_seconds_an_episode": train,
                    "sending_seconds_an_episode": send,
                    "dealing_seconds_an_episode": deal,
                    "hours_an_epoch": tokens / episode * (train + send + deal) / 3600,
                    "sent_an_episode": sent,
                    # Two pairs of matrices, copies of three states here and of three of another
                    # node, pairs twice.
                    "memory_of_a_node": ((2 + 6) * 2 * matrix + 8 * pairs) / n,
                }
            )
    return {"is_a_projection": True, "projected": projected}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("text", type=Path)
    parser.add_argument("--sets", type=Path, help="folder of the test sets")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--only", choices=["overhead", "quality", "constants", "projection"])
    given = parser.parse_args()
    text = describe_text(given.text)
    head = {"question": "What does a cluster cost beside one machine?", "text": text}
    cells = Cells("cluster.json", head, fresh=False)
    if given.only in (None, "overhead"):
        size = {"text": text["sha256"], "rounds": given.rounds}
        cells.measure("overhead", size, partial(overhead, given.text, given.rounds))
    if given.only in (None, "constants"):
        size = {"text": text["sha256"], "vector_size": VECTOR_SIZE}
        cells.measure("constants", size, partial(constants, given.text))
    if given.only == "quality" or (given.only is None and given.sets):
        for seed in given.seeds:
            size = {"text": text["sha256"], "seed": seed, "nodes": NODES}
            found = partial(quality, given.text, given.sets, seed)
            cells.measure(f"quality, 2 nodes, seed {seed}", size, found)
    if given.only in (None, "projection"):
        size = {"n_words": 1_000_000, "n_buckets": 512}
        cells.measure("dealing", size, partial(dealing, **size))
        cells.measure("projection", {"of": "constants"}, projection)


if __name__ == "__main__":
    main()
