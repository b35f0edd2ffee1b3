"""How fast files of word vectors are opened: by memory map, and beside gensim, in turns.

python benchmarks/loading.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import circumstances, spread, write_json

from wordgrad.vectors import WordVectors, load

MAPPED = (1_000_000, 300)
GOALS = {"mapped, seconds": 0.05, "word2vec-binary": 3.0, "word2vec-text": 5.0}


def _vectors(rows: int, size: int) -> WordVectors:
    matrix = np.random.default_rng(0).standard_normal((rows, size), dtype=np.float32)
    return WordVectors([f"word{row}" for row in range(rows)], matrix)


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _mapped(folder: Path, rounds: int) -> dict[str, Any]:
    path = folder / "v.safetensors"
    _vectors(*MAPPED).save(path)
    load(path)  # the imports
    found = spread([_seconds(lambda: load(path)) for _ in range(rounds)])
    path.unlink()
    passed = found["median"] <= GOALS["mapped, seconds"]
    return {"shape": MAPPED, "seconds": found, "passed": passed}


def _beside_gensim(vectors: WordVectors, path: Path, name: str, rounds: int) -> dict[str, Any]:
    from gensim.models import KeyedVectors

    vectors.save(path)
    binary = name == "word2vec-binary"
    ours, theirs = [], []
    for turn in range(rounds + 1):
        start = time.perf_counter()
        read = load(path)
        middle = time.perf_counter()
        keyed = KeyedVectors.load_word2vec_format(str(path), binary=binary)
        end = time.perf_counter()
        if turn == 0:  # verifies and warms up
            if list(read.words) != keyed.index_to_key or not (read.matrix == keyed.vectors).all():
                raise SystemExit(f"The programs read {name} differently.")
            continue
        ours.append(middle - start)
        theirs.append(end - middle)
    ratios = spread([b / a for a, b in zip(ours, theirs, strict=True)])
    return {
        "shape": vectors.matrix.shape,
        "bytes": path.stat().st_size,
        "wordgrad seconds": spread(ours),
        "gensim seconds": spread(theirs),
        "times_as_fast_as_gensim": ratios,
        "passed": ratios["median"] >= GOALS[name],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as name:
        folder = Path(name)
        vectors = _vectors(given.rows, given.size)
        record = {
            "question": "How fast are files of word vectors opened?",
            "method": (
                f"words and values verified equal, then {given.rounds} rounds in turns in one "
                "process, files in the page cache"
            ),
            **circumstances(),
            "goals": GOALS,
            "word2vec-binary": _beside_gensim(
                vectors, folder / "v.bin", "word2vec-binary", given.rounds
            ),
            "word2vec-text": _beside_gensim(
                vectors, folder / "v.txt", "word2vec-text", given.rounds
            ),
            "mapped": _mapped(folder, 9),
        }
    print(write_json("loading.json", record))


if __name__ == "__main__":
    main()
