"""What a cluster costs beside one machine, and what it is projected to do.

::

    python benchmarks/cluster.py wiki8.txt --only overhead
    python benchmarks/cluster.py wiki8.txt --sets DATA --only quality
    python benchmarks/cluster.py wiki8.txt --sets DATA --only episodes
    python benchmarks/cluster.py wiki8.txt --sets DATA --only float16
    python benchmarks/cluster.py wiki8.txt --only constants
    python benchmarks/cluster.py wiki8.txt --only memory
    python benchmarks/cluster.py wiki8.txt --only projection
    python benchmarks/cluster.py wiki8.txt --only softmax

*Overhead*: seconds of an epoch on two Ray nodes of this machine with a thread each, and of the
default engine on two threads, in turns, of the text in lines of 1,000 words.  *Quality*: five
epochs on two nodes, scored as in :mod:`quality`.  *Episodes* and *float16*: the same of the block
engine on this machine, with fewer and longer episodes, and with every row that would go from one
node to another rounded to float16.  *Constants*: what a thread trains in blocks of as many rows as
a large vocabulary would have, and what Ray carries from one node to another.  *Memory*: what the
process that asks for a training takes of a model that does not fit its limit.  *Projection*: time,
memory and traffic of large trainings from these constants and the formulas of docs/cluster.md;
nobody has run them.  *Softmax*: a pass of skip-gram's exact softmax on two Ray nodes with a thread
each, and on this machine with two threads, in turns.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np
from machine import RESULTS, Cells, describe_text, last_lines, load_average, spread
from numpy.typing import NDArray
from quality import in_points

from wordgrad import Word2Vec, encode_corpus
from wordgrad.cluster import MOST_BLOCKS, nodes_on_this_machine
from wordgrad.cluster.coordinator import BUCKETS_A_THREAD
from wordgrad.cluster.engine import SECONDS_BETWEEN_STATES
from wordgrad.cluster.node import LARGEST_PIECE
from wordgrad.cluster.softmax import branches_of, ranges_of
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Step
from wordgrad.training.engines import blocks, make_engine
from wordgrad.training.engines.blocks import EPISODES_AN_EPOCH, BlockEngine, Deal
from wordgrad.training.engines.softmax import rows_of_block
from wordgrad.training.parameters import Parameters, row_floats
from wordgrad.training.sampling import with_threshold

NODES, EPOCHS, WORDS_A_LINE = 2, 2, 1000
TEXT_BYTES, N_WORDS, VECTOR_SIZE, CORES = 10**12, 10_000_000, 300, 32
MACHINES = (16, 64)
EPISODES = (8, 4, 2, 1)
SOFTMAX = (20_000, 3, 2), (68_000, 2, 1)
"""Words, passes and rounds."""
WIRES: dict[str, dict[str, Any]] = {
    "float32": {},
    "float16, 2 nodes": {"nodes": 2, "stochastic": False},
    "float16, 4 nodes": {"nodes": 4, "stochastic": False},
    "float16, 16 nodes": {"nodes": 16, "stochastic": False},
    "float16 at random, 2 nodes": {"nodes": 2, "stochastic": True},
    "float16 at random, 4 nodes": {"nodes": 4, "stochastic": True},
}


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


def softmax(text: Path, max_vocab: int, epochs: int, rounds: int) -> dict[str, Any]:
    """Seconds of a pass by the clock and by the processor, and bytes sent, in turns."""
    before = load_average()
    found: dict[str, dict[str, list[float]]] = {}
    sent: list[Any] = []
    with in_lines(text) as lines, nodes_on_this_machine(NODES):
        for _ in range(rounds):
            for name in ("one machine", "2 nodes"):
                given: dict[str, Any] = {"cluster": "auto", "nodes": NODES, "threads_per_node": 1}
                if name == "one machine":
                    given = {"workers": NODES}
                marks: list[dict[str, float]] = []
                model = Word2Vec(
                    **given, loss="softmax", epochs=epochs, max_vocab=max_vocab, max_hours=1e3,
                    on_epoch=partial(_mark, marks),
                    progress=lambda one: sent.append(getattr(one, "bytes_sent", None)),
                ).fit(lines)  # fmt: skip
                times = found.setdefault(name, {"seconds": []})
                times["seconds"] += [record["seconds"] for record in model.history_]
                for part in marks[0]:
                    times.setdefault(part, []).extend(
                        b[part] - a[part] for a, b in itertools.pairwise(marks)
                    )
    words = len(model.vectors_.words)
    return {
        "load_average_before": before,
        "words": words,
        "engines": {
            name: {part: spread(times) for part, times in parts.items()}
            for name, parts in found.items()
        },
        "times_one_machine": spread(
            [b / a for a, b in zip(*(parts["seconds"] for parts in found.values()), strict=True)]
        ),
        "loss": model.history_[-1]["loss"],
        "bytes_sent_in_all": sent[-1],
        "bytes_sent_a_pass": sum(softmax_traffic(words, 100, NODES).values()),
        "epochs": epochs,
        "rounds": rounds,
    }


def _mark(marks: list[dict[str, float]], live: object) -> None:
    marks.append(_processor_seconds())


def _processor_seconds() -> dict[str, float]:
    """Seconds of the processor so far: of this process and the nodes, and of those of Ray."""
    sums = {"training": process_time(), "Ray": 0.0}
    ticks = os.sysconf("SC_CLK_TCK")
    for one in Path("/proc").glob("[0-9]*"):
        try:
            name = (one / "cmdline").read_bytes().decode(errors="replace")
            used = (one / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has ended
            continue
        part = "training" if name.startswith("ray::Actor") else "Ray"
        if part == "training" or "raylet" in name or "gcs_server" in name:
            sums[part] += (int(used[11]) + int(used[12])) / ticks
    return sums


def softmax_traffic(V: int, D: int, n: int) -> dict[str, float]:
    """Bytes that all nodes send in a pass of the softmax, by the formulas of docs/cluster.md."""
    K, blocks = ranges_of(V), -(-V // rows_of_block(V))
    branches = sum(len(branches_of(range(k * K // n, (k + 1) * K // n))) for k in range(n))
    return {
        "sums": 8 * branches * (n - 1) * (V + blocks),
        "inputs": 4 * branches * D * V * (1 - 1 / n),
        "rows": (n - 1) * V * (4 * D + 8),
    }


def quality(text: Path, sets: Path, seed: int) -> dict[str, Any]:
    """Train on two nodes, and score."""
    with nodes_on_this_machine(NODES):
        model = _on_ray(5, seed=seed).fit(str(text))
    losses = [record["loss"] for record in model.history_]
    return {**in_points(model.vectors_, sets), "losses": losses}


class LongEpisodes(BlockEngine):
    """The block engine with so many episodes an epoch, whatever the text."""

    episodes = 8

    @classmethod
    def from_corpus(cls, *given: Any) -> Any:
        """An engine that trains on a corpus."""
        engine = super().from_corpus(*given)
        engine.episode_tokens = -(-engine.length // cls.episodes)
        return engine


class Float16(BlockEngine):
    """The block engine, with what would go from one of some nodes to another rounded on the way."""

    nodes, stochastic = 2, False

    def _phases(
        self, parameters: Parameters, epoch: int, start: int, pause: Any, stop: int | None = None
    ) -> Iterator[Any]:
        B = self.config.blocks or 1
        firsts = [k * B // self.nodes for k in range(self.nodes)]
        node_of = np.repeat(range(self.nodes), np.diff([*firsts, B]))
        for phase in super()._phases(parameters, epoch, start, pause, stop):
            yield phase
            if isinstance(phase, Step):
                end = (epoch, phase.stop) if phase.stop < self.length else (epoch + 1, 0)
                old, new = self.deal(epoch, phase.start).bucket_of, self.deal(*end).bucket_of
                moved = node_of[old] != node_of[new]
                parameters.W_in_rows[moved] = self._rounded(parameters.W_in_rows[moved])
                old = old - (self.first_turn(epoch, phase.start) + B - 1)
                moved = node_of[old % B] != node_of[(new - self.first_turn(*end)) % B]
                parameters.W_out_rows[moved] = self._rounded(parameters.W_out_rows[moved])
                continue
            for piece in phase:
                block = piece.keywords
                if block.get("owner") in firsts and block["turn"] != block["episode"].turns[-1]:
                    block["W_out"][:] = self._rounded(block["W_out"])

    def _rounded(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.stochastic:  # up as often as the part that is cut off is large
            cut = self._draw.integers(0, 1 << 13, rows.shape, dtype=np.uint32)
            rows = ((rows.view(np.uint32) + cut) & np.uint32(0xFFFFE000)).view(np.float32)
        return rows.astype(np.float16).astype(np.float32)

    @cached_property
    def _draw(self) -> np.random.Generator:
        return np.random.default_rng(self.config.seed)


def local_quality(
    text: Path, sets: Path, n_buckets: int, seed: int, engine: type = BlockEngine, **settings: Any
) -> dict[str, Any]:
    """Train in blocks on this machine by an engine with other settings, and score."""
    before = blocks.BlockEngine
    patched: Any = type(engine.__name__, (engine,), settings)
    blocks.BlockEngine = patched  # type: ignore[misc]
    try:
        model = Word2Vec(workers=1, epochs=5, blocks=n_buckets, seed=seed).fit(str(text))
    finally:
        blocks.BlockEngine = before  # type: ignore[misc]
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


DRIVER = """
import json, os, resource, sys, threading, time
from pathlib import Path
from wordgrad import Word2Vec

def memory():
    lines = Path("/proc/self/status").read_text().splitlines()
    return {one.split(":")[0]: 1024 * int(one.split()[1]) for one in lines if one.endswith("kB")}

most, ended = {}, threading.Event()
def watch():
    while not ended.wait(0.05):
        for name, size in memory().items():
            most[name] = max(most.get(name, 0), size)

small, text, folder, limit, given = sys.argv[1], *sys.argv[2:4], *map(json.loads, sys.argv[4:])
given["cluster"] = "auto"
Word2Vec(**(given | {"vector_size": 8, "checkpoint": folder + "/0"})).fit(small)  # all is imported
before = memory()
resource.setrlimit(resource.RLIMIT_DATA, (before["VmData"] + limit,) * 2)
threading.Thread(target=watch, daemon=True).start()
model = Word2Vec(**given, checkpoint=folder + "/1").fit(text)
model.vectors_.save(folder + "/vectors.safetensors")
shape = model.vectors_.matrix.shape
del model
again = Word2Vec.from_checkpoint(folder + "/1", cluster="auto", epochs=given["epochs"] + 1).resume()
ended.set()
names = "VmData", "RssAnon", "RssFile", "RssShmem", "VmHWM"
print(json.dumps({"words": shape[0], "vector_size": shape[1], "limit": limit,
                  "before": {k: before[k] for k in names}, "most": {k: most[k] for k in names},
                  "epochs": len(again.history_)}))
"""


def memory(n_words: int, vector_size: int, share: float) -> dict[str, Any]:
    """Memory of a process that has a model trained, saved, and trained on from a checkpoint.

    It may allocate no more than a share of the model: the two matrices of float32 numbers.  The
    best epoch and the output vectors are kept, too.
    """
    draw = np.random.default_rng(1)
    model = 2 * n_words * 4 * row_floats(vector_size)
    given: dict[str, Any] = {"vector_size": vector_size, "min_count": 1, "sample": 0, "epochs": 1}
    given |= {"validation": ["1 2 3"], "early_stopping": 2, "keep_output": True}
    with TemporaryDirectory() as folder, nodes_on_this_machine(NODES, store=4 << 30):
        import ray

        small, text = Path(folder, "small.txt"), Path(folder, "text.txt")
        small.write_text("1 2 3 4 5 6 7 8 9 10\n" * 100)
        with text.open("w") as file:
            for _ in range(3):
                for words in np.array_split(draw.permutation(n_words), n_words // WORDS_A_LINE):
                    print(*words, file=file)
        environment = os.environ | {"RAY_ADDRESS": ray.get_runtime_context().gcs_address}
        arguments = [small, text, folder, json.dumps(int(share * model)), json.dumps(given)]
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, *map(str, arguments)],
            env=environment, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(last_lines(done))
        saved = os.path.getsize(Path(folder, "vectors.safetensors"))
    return {"model": model, "saved": saved, **json.loads(done.stdout.splitlines()[-1])}


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


def traffic(V: int, D: int, n: int, B: int, pairs: float, units: float) -> dict[str, float]:
    """Bytes that all nodes send in an episode, by the formulas of docs/cluster.md."""
    row, elsewhere = 4 * row_floats(D), 1 - 1 / n
    return {
        "buckets": n * (B - 1) * -(-V // B) * row if n > 1 else 0,
        "rows": 2 * V * elsewhere * (row + 4),
        "pairs": 4 * (pairs + units * B**2) * elsewhere,
    }


def projection() -> dict[str, Any]:
    """An epoch of a terabyte, from the constants that were measured."""
    cells = json.loads((RESULTS / "cluster.json").read_text())["cells"]
    measured, dealt = cells["constants"], cells["dealing"]
    deal = dealt["seconds"] * N_WORDS / dealt["words"]
    bytes_a_token = measured["bytes_a_token_of_text"]
    tokens = TEXT_BYTES / bytes_a_token
    drawn = json.loads((RESULTS / "blocks.json").read_text())
    pairs_a_token = drawn["cells"]["overhead, skipgram"]["settings"]["pairs"] / (
        drawn["text"]["bytes"] / bytes_a_token
    )
    floats = row_floats(VECTOR_SIZE)
    matrix = 4 * floats * N_WORDS
    # The rule of an episode's length.
    episode = min(tokens / EPISODES_AN_EPOCH, 2 * floats * N_WORDS / pairs_a_token)
    pairs, units = episode * pairs_a_token, episode * bytes_a_token / LARGEST_PIECE
    projected = []
    networks = {
        "as measured here": measured["bytes_between_nodes_a_second"],
        "100 Gbit/s": 12.5e9,
    }
    for n in MACHINES:
        B = min(BUCKETS_A_THREAD * n * CORES, MOST_BLOCKS)
        moved = traffic(N_WORDS, VECTOR_SIZE, n, B, pairs, units)
        train = episode / (min(n * CORES, B) * measured["tokens_a_thread_and_second"])
        for network, speed in networks.items():
            # Both matrices are copied to other nodes between two episodes, some seconds apart.
            alone = train + deal + sum(moved.values()) / n / speed
            moved["copies"] = 2 * matrix * min(1.0, alone / SECONDS_BETWEEN_STATES)
            send = sum(moved.values()) / n / speed
            halved = (moved["buckets"] + moved["rows"]) / 2 / n / speed
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
                    "hours_with_float16": tokens / episode * (train + send - halved + deal) / 3600,
                    "sent_an_episode": sum(moved.values()),
                    "of_it": dict(moved),
                    # Two pairs of matrices, copies of three states here and of three of another
                    # node; pairs where they are drawn, on their way out and where they came, and
                    # where those of every slot begin, in 8 bytes at both ends.
                    "memory_of_a_node": ((2 + 6) * 2 * matrix + 12 * pairs + 16 * units * B**2) / n,
                }
            )
    return {"is_a_projection": True, "tokens_an_episode": episode, "projected": projected}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("text", type=Path)
    parser.add_argument("--sets", type=Path, help="folder of the test sets")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parts = ["overhead", "quality", "episodes", "float16", "constants", "memory", "projection"]
    parts += ["softmax"]
    parser.add_argument("--only", choices=parts)
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
    if given.only == "episodes":
        for n_buckets, episodes in itertools.product((16, 32), EPISODES):
            size = {"text": text["sha256"], "buckets": n_buckets, "episodes": episodes, "seed": 1}
            work = partial(local_quality, given.text, given.sets, n_buckets, 1)
            work = partial(work, LongEpisodes, episodes=episodes)
            cells.measure(f"{episodes} episodes an epoch, {n_buckets} buckets", size, work)
    if given.only == "float16":
        for seed, (name, settings) in itertools.product(given.seeds, WIRES.items()):
            size = {"text": text["sha256"], "buckets": 16, "seed": seed, **settings}
            work = partial(local_quality, given.text, given.sets, 16, seed)
            if settings:
                work = partial(work, Float16, **settings)
            cells.measure(f"{name}, seed {seed}", size, work)
    if given.only in (None, "softmax"):
        for max_vocab, epochs, rounds in SOFTMAX:
            size = {"text": text["sha256"], "max_vocab": max_vocab, "rounds": rounds}
            work = partial(softmax, given.text, max_vocab, epochs, rounds)
            cells.measure(f"softmax, {max_vocab:,} words", size, work)
    if given.only == "memory":
        shape: dict[str, Any] = {"n_words": 1_000_000, "vector_size": 144, "share": 0.5}
        cells.measure("memory", shape, partial(memory, **shape))
    if given.only in (None, "projection"):
        size = {"n_words": 1_000_000, "n_buckets": 512}
        cells.measure("dealing", size, partial(dealing, **size))
        cells.measure("projection", {"of": "constants"}, projection)


if __name__ == "__main__":
    main()
