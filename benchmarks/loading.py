"""How fast files of word vectors are opened: by memory map, and read beside gensim, in turns.

::

    python benchmarks/loading.py --folder DISK

``benchmarks/queries.py`` calls it, too.  Every file is made in a folder of its own in DISK, and
removed after its cell; the largest, a text of a million words with 300 values each, takes 3.2 GB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from cells import Cells
from machine import spread

from wordgrad.word_vectors import WordVectors, load

LARGE = (1_000_000, 300)
ENDINGS = {"word2vec-binary": ".bin", "word2vec-text": ".txt"}
CELLS = ("mapped", *ENDINGS, "memory")
GOALS = {
    "mapped": 0.05,  # seconds at most
    "word2vec-binary": 3.0,  # times gensim's speed at least
    "word2vec-text": 5.0,
    "memory": 3e9,  # bytes at most
}
_READ_ALONE = """
import json, sys, time
from programs import peak_memory
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


def _seconds(call: Callable[[], Any]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start


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
        "passed": found["median"] <= GOALS["mapped"],
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
                _verify(read, keyed, name)
                continue
            ours.append(middle - start)
            theirs.append(end - middle)
    ratios = spread([b / a for a, b in zip(ours, theirs, strict=True)])
    return {
        "bytes": byte_count,
        "wordgrad seconds": spread(ours),
        "gensim seconds": spread(theirs),
        "times as fast as gensim": ratios,
        "passed": ratios["median"] >= GOALS[name],
    }


def _verify(ours: WordVectors, theirs: Any, name: str) -> None:
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
        "passed": peak <= GOALS["memory"],
    }


def measure(given: argparse.Namespace) -> None:
    """Measure what the options of :func:`add_options` say into ``results/loading.json``."""
    folder, rows, size, rounds = given.folder, given.read_rows, given.read_size, given.read_rounds
    head = {
        "question": "How fast are files of word vectors opened?",
        "method": (
            "words and values verified equal, then in turns in one process, files in the page "
            "cache; memory: peak resident size of a fresh process"
        ),
        "goals": GOALS,
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


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--folder", type=Path, help="where large files may be made for a while")
    parser.add_argument("--read-rows", type=int, default=200_000, help="words read beside gensim")
    parser.add_argument("--read-size", type=int, default=300, help="and their values")
    parser.add_argument("--read-rounds", type=int, default=3)
    parser.add_argument(
        "--cells", nargs="+", choices=CELLS, help="of opening files, measure only these"
    )
    parser.add_argument("--fresh", action="store_true", help="measure again what is there")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_options(parser)
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
