"""Files of an approximate index, as targets."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import fuzz_seeds as seeds


@cache
def index() -> bytes:
    """The index of eight words."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "i.index")
        vectors = seeds.word_vectors()
        vectors.build_index()
        vectors.save_index(path)
        return path.read_bytes()


def use_index(path: Path, rng: random.Random) -> None:
    """Open an index and ask it."""
    vectors = seeds.word_vectors()
    vectors.load_index(path)
    for _, cosine in vectors.most_similar("the", topn=3, approximate=True):
        assert -1.001 <= cosine <= 1.001
