"""How fast vectors are opened and answer, beside gensim, in one run.

::

    python benchmarks/queries.py --vectors wiki8.safetensors --folder DISK

What has been measured at this commit is not measured again, so a run that was cut short goes on.

Files are opened by memory map, and read beside gensim, in turns.  Each is made in a folder of its
own in DISK, and removed after its cell; the largest, a text of a million words with 300 values
each, takes 3.2 GB.

Queries are one, a batch, and through an approximate index.  Exact answers are timed on random
vectors, whose values do not matter to the time.  How many neighbours an approximate index finds
does depend on the values, so that part also takes trained vectors.  The answers of both programs
are compared first; then they are timed in turns, warm, in one process with the same BLAS threads.

    python benchmarks/queries.py --time VECTORS.npz

times one query and a batch alone and prints JSON, for ``training.py trees``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from machine import Cells, spread
from numpy.typing import NDArray
from texts import sha256

from wordgrad import WordVectors, load


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


# ----------------------------------------------------------------------- opening files

LARGE = (1_000_000, 300)
ENDINGS = {"word2vec-binary": ".bin", "word2vec-text": ".txt"}
LOADING_CELLS = ("mapped", *ENDINGS, "memory")
LOADING_GOALS = {
    "mapped": 0.05,  # seconds at most
    "word2vec-binary": 3.0,  # times gensim's speed at least
    "word2vec-text": 5.0,
    "memory": 3e9,  # bytes at most
}
_READ_ALONE = """
import json, sys, time
from machine import peak_memory
from wordgrad import load
start = time.perf_counter()
vectors = load(sys.argv[1])
seconds = time.perf_counter() - start
print(json.dumps([len(vectors), vectors.matrix.nbytes, peak_memory(), seconds]))
"""


def vectors_of(rows: int, size: int) -> WordVectors:
    """Standard normal values; every one written out in text has some ten characters."""
    matrix = np.random.default_rng(0).standard_normal((rows, size), dtype=np.float32)
    matrix.flags.writeable = False  # so that it is shared, not copied
    return WordVectors([f"word{row}" for row in range(rows)], matrix)


@contextmanager
def _written(folder: Path | None, name: str, rows: int, size: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-", dir=folder) as inside:
        path = Path(inside) / name
        vectors_of(rows, size).save(path)
        yield path


def mapped(folder: Path | None, rows: int, size: int, rounds: int) -> dict[str, Any]:
    """Seconds until a file is open, and until the first query after it is answered."""
    with _written(folder, "v.safetensors", rows, size) as path:
        load(path)  # the imports
        found = spread([_seconds(lambda: load(path)) for _ in range(rounds)])
        vectors = load(path)
        first = _seconds(lambda: vectors.most_similar("word1"))
        byte_count = path.stat().st_size
    return {
        "bytes": byte_count,
        "seconds": found,
        "first query, seconds": first,
        "passed": found["median"] <= LOADING_GOALS["mapped"],
    }


def beside_gensim(
    folder: Path | None, name: str, rows: int, size: int, rounds: int
) -> dict[str, Any]:
    """Seconds of both programs for the same file, round after round, files in the page cache."""
    from gensim.models import KeyedVectors

    binary = name == "word2vec-binary"
    ours, theirs = [], []
    with _written(folder, f"v{ENDINGS[name]}", rows, size) as path:
        byte_count = path.stat().st_size
        for turn in range(rounds + 1):
            start = perf_counter()
            read = load(path)
            middle = perf_counter()
            keyed = KeyedVectors.load_word2vec_format(str(path), binary=binary)
            end = perf_counter()
            if turn == 0:  # verifies and warms up
                _verify_read(read, keyed, name)
                continue
            ours.append(middle - start)
            theirs.append(end - middle)
    ratios = spread([b / a for a, b in zip(ours, theirs, strict=True)])
    return {
        "bytes": byte_count,
        "wordgrad seconds": spread(ours),
        "gensim seconds": spread(theirs),
        "times as fast as gensim": ratios,
        "passed": ratios["median"] >= LOADING_GOALS[name],
    }


def _verify_read(ours: WordVectors, theirs: Any, name: str) -> None:
    if list(ours.words) != theirs.index_to_key or not (ours.matrix == theirs.vectors).all():
        raise SystemExit(f"The programs read {name} differently.")


def memory(folder: Path | None, rows: int, size: int) -> dict[str, Any]:
    """Peak memory of a fresh process that reads a large text, and its speed."""
    with _written(folder, "v.txt", rows, size) as path:
        command = [sys.executable, "-c", _READ_ALONE, str(path.resolve())]
        here = Path(__file__).parent  # from where it imports
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
        byte_count = path.stat().st_size
    found, matrix, peak, seconds = json.loads(done.stdout)
    if found != rows:
        raise SystemExit(f"{found} rows of {rows} were read.")
    return {
        "bytes": byte_count,
        "matrix bytes": matrix,
        "peak bytes": peak,
        "seconds": seconds,
        "passed": peak <= LOADING_GOALS["memory"],
    }


def measure_loading(given: argparse.Namespace) -> None:
    """Measure every cell of opening files that is missing into ``results/loading.json``."""
    folder, rows, size, rounds = given.folder, given.read_rows, given.read_size, given.read_rounds
    head = {
        "question": "How fast are files of word vectors opened?",
        "method": (
            "words and values verified equal, then in turns in one process, files in the page "
            "cache; memory: peak resident size of a fresh process"
        ),
        "goals": LOADING_GOALS,
    }
    cells = Cells("loading.json", head, fresh=given.fresh)
    small = {"shape": [rows, size], "rounds": rounds}
    parts = {
        "mapped": ({"shape": list(LARGE), "rounds": 9}, partial(mapped, folder, *LARGE, 9)),
        **{
            name: (small, partial(beside_gensim, folder, name, rows, size, rounds))
            for name in ENDINGS
        },
        "memory": ({"shape": list(LARGE)}, partial(memory, folder, *LARGE)),
    }
    for name in given.cells or parts:
        cells.measure(name, *parts[name])


# ----------------------------------------------------------------------------- queries

TOPN = 10
GOALS = {"batch, times gensim's loop": 5.0, "one query, times gensim's": 1.0}
EXPANSIONS = (64, 256)  # candidates kept while searching the approximate index

Answers = list[list[tuple[str, float]]]


def _gensim(vectors: WordVectors) -> Any:
    from gensim.models import KeyedVectors

    keyed = KeyedVectors(vectors.vector_size)
    keyed.add_vectors(list(vectors.words), np.array(vectors.matrix))
    keyed.fill_norms()
    return keyed


def _verify(ours: Answers, theirs: Answers) -> None:
    """The same words, but for the order of cosines that float32 cannot tell apart."""
    for mine, other in zip(ours, theirs, strict=True):
        cosines = np.array([cosine for _, cosine in mine])
        expected = np.array([cosine for _, cosine in other])
        np.testing.assert_allclose(cosines, expected, atol=1e-6)
        for place, ((word, _), (their_word, _)) in enumerate(zip(mine, other, strict=True)):
            gaps = np.abs(cosines - cosines[place])
            tied = np.sort(gaps)[1] < 1e-6 if gaps.size > 1 else False
            if word != their_word and not tied and place + 1 < len(mine):
                raise SystemExit(f"answer {place} is {word}, gensim's is {their_word}")


def _exact(vectors: WordVectors, queries: Sequence[str], rounds: int) -> dict[str, Any]:
    """One query at a time, and all at once, against gensim's loop."""
    keyed = _gensim(vectors)

    def loop() -> Answers:
        return [keyed.most_similar(word, topn=TOPN) for word in queries]

    def batch() -> Answers:
        return [list(ranking) for ranking in vectors.most_similar_batch(queries, TOPN)]

    _verify(batch(), loop())
    sample = queries[:100]
    _verify(
        [list(vectors.most_similar(word, TOPN)) for word in sample],
        [keyed.most_similar(word, topn=TOPN) for word in sample],
    )
    product = vectors.matrix[:: max(len(vectors) // len(queries), 1)][: len(queries)]
    times: dict[str, list[float]] = {
        name: [] for name in ("wordgrad", "gensim", "batch", "loop", "matrix product alone")
    }
    for _ in range(rounds):
        single = [
            (
                _seconds(lambda word=word: vectors.most_similar(word, TOPN)),  # type: ignore[misc]
                _seconds(lambda word=word: keyed.most_similar(word, topn=TOPN)),  # type: ignore[misc]
            )
            for word in sample
        ]
        ours, theirs = np.median(single, axis=0).tolist()
        times["wordgrad"].append(ours)
        times["gensim"].append(theirs)
        times["batch"].append(_seconds(batch))
        times["loop"].append(_seconds(loop))
        times["matrix product alone"].append(_seconds(lambda: _product(product, vectors.matrix)))
    found: dict[str, Any] = {
        "one query, seconds": {name: spread(times[name]) for name in ("wordgrad", "gensim")},
        "batch, seconds": {
            "wordgrad most_similar_batch": spread(times["batch"]),
            "gensim loop of most_similar": spread(times["loop"]),
            "its matrix product alone": spread(times["matrix product alone"]),
        },
        "one query, times gensim's": spread(_ratios(times["gensim"], times["wordgrad"])),
        "batch, times gensim's loop": spread(_ratios(times["loop"], times["batch"])),
    }
    return {**found, "passed": {goal: found[goal]["median"] >= GOALS[goal] for goal in GOALS}}


def _product(queries: NDArray[np.float32], matrix: NDArray[np.float32]) -> None:
    """All cosines and nothing else, block after block as the search computes them."""
    for start in range(0, len(matrix), 8192):
        for first in range(0, len(queries), 512):
            np.matmul(queries[first : first + 512], matrix[start : start + 8192].T)


def _ratios(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(slow, fast, strict=True)]


def _approximate(
    vectors: WordVectors, queries: Sequence[str], rounds: int, expansions: Sequence[int]
) -> dict[str, Any]:
    """What an index costs, finds and saves, at some depths of search."""
    exact = vectors.most_similar_batch(queries, TOPN)
    at = []
    for expansion in expansions:
        build = _seconds(lambda e=expansion: vectors.build_index(expansion_search=e))  # type: ignore[misc]
        found = vectors.most_similar_batch(queries, TOPN, approximate=True)
        right = sum(len(set(a) & set(b)) for a, b in zip(exact, found, strict=True))
        one = {
            "exact": _medians(vectors, queries, rounds, approximate=False),
            "approximate": _medians(vectors, queries, rounds, approximate=True),
        }
        at.append(
            {
                "expansion_search": expansion,
                "build, seconds": build,
                "recall at 10": right / (TOPN * len(queries)),
                "one query, seconds": one,
            }
        )
    return {"rows": len(vectors), "size": vectors.vector_size, "at": at}


def _medians(
    vectors: WordVectors, queries: Sequence[str], rounds: int, *, approximate: bool
) -> dict[str, Any]:
    def once() -> float:
        times = [
            _seconds(lambda w=word: vectors.most_similar(w, TOPN, approximate=approximate))  # type: ignore[misc]
            for word in queries[:100]
        ]
        return float(np.median(times))

    return spread([once() for _ in range(rounds)])


def measure_queries(
    rows: int, size: int, asked: int, rounds: int, trained: Path | None, *, fresh: bool
) -> None:
    """Measure every cell that is missing into ``results/queries.json``."""
    rng = np.random.default_rng(7)
    matrix = rng.standard_normal((rows, size), dtype=np.float32)
    matrix.flags.writeable = False
    vectors = WordVectors([f"w{row}" for row in range(rows)], matrix)
    queries = [f"w{row}" for row in rng.choice(rows, asked, replace=False)]
    head = {
        "question": "How fast do vectors answer, one query at a time and many at once?",
        "method": (
            f"answers verified equal to gensim's, then {rounds} rounds in turns in one process, "
            "all calls warm; one query: the median of 100; recall: the share of the exact "
            "neighbours that the approximate index finds"
        ),
        "usearch": version("usearch"),
        "threads": os.cpu_count(),
        "topn": TOPN,
        "goals": GOALS,
    }
    cells = Cells("queries.json", head, fresh=fresh)
    settings = {
        "rows": rows,
        "size": size,
        "values": "standard normal, seed 7",
        "queries": asked,
        "rounds": rounds,
    }
    cells.measure("exact", settings, partial(_exact, vectors, queries, rounds))
    # Random vectors have no neighbourhoods to walk through: the worst case, slow to build.
    walk = partial(_approximate, vectors, queries, rounds, EXPANSIONS[:1])
    cells.measure("approximate, random", settings, walk)
    if trained is not None:
        learnt = load(trained)
        words = [learnt.words[row] for row in rng.choice(len(learnt), asked, replace=False)]
        file = {"name": trained.name, "sha256": sha256(trained)}
        walk = partial(_approximate, learnt, words, rounds, EXPANSIONS)
        cells.measure(
            "approximate, trained", {"queries": asked, "rounds": rounds, "file": file}, walk
        )


def time_alone(path: Path) -> dict[str, float]:
    """Least seconds of a query and of a batch of 1,000, on vectors that ``programs.py`` kept."""
    with np.load(path) as stored:
        vectors = WordVectors([str(word) for word in stored["words"]], stored["matrix"])
    words = list(vectors.words[:: max(len(vectors) // 1000, 1)][:1000])
    vectors.most_similar_batch(words, TOPN)
    single = [_seconds(lambda w=word: vectors.most_similar(w, TOPN)) for word in words[:200]]  # type: ignore[misc]
    batches = [_seconds(lambda: vectors.most_similar_batch(words, TOPN)) for _ in range(5)]
    return {"one query": min(single), "batch of queries": min(batches)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--vectors", type=Path, help="trained vectors, for the approximate index")
    parser.add_argument("--folder", type=Path, help="where large files may be made for a while")
    parser.add_argument("--read-rows", type=int, default=200_000, help="words read beside gensim")
    parser.add_argument("--read-size", type=int, default=300, help="and their values")
    parser.add_argument("--read-rounds", type=int, default=3)
    parser.add_argument(
        "--cells", nargs="+", choices=LOADING_CELLS, help="of opening files, measure only these"
    )
    parser.add_argument("--fresh", action="store_true", help="measure again what is there")
    parser.add_argument("--time", type=Path, help="time the queries of these vectors alone")
    given = parser.parse_args()
    if given.time is not None:
        print(json.dumps(time_alone(given.time)))
        return
    measure_queries(
        given.rows, given.size, given.queries, given.rounds, given.vectors, fresh=given.fresh
    )
    measure_loading(given)


if __name__ == "__main__":
    main()
