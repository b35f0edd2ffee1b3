"""Small files that are right: what is damaged afterwards.  All are made here, by our writers."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from wordgrad.io.projector import companion
from wordgrad.word_vectors import WordVectors

WORDS = ["the", "of", "naïve", "東京", "e\u0301", "no\u00a0break", "שלום", "7"]
EPOCHS = [
    {"epoch": 1, "loss": 2.5, "pairs": 90, "words": 40, "seconds": 0.5, "learning_rate": 0.02},
    {"epoch": 2, "loss": 2.25, "pairs": 91, "words": 40, "seconds": 0.5, "learning_rate": 0.01},
]
SETTINGS = {"architecture": "skipgram", "loss": "negative-sampling", "negative": 5, "column": None}
LINES = ["the cat sat on the mat", "", "naïve 東京 the\u3000cat", "e\u0301 é\tthe , \"q\" 'x'", "a"]


def word_vectors() -> WordVectors:
    """Eight words, four numbers each, with all that vectors can carry."""
    matrix = np.random.default_rng(5).normal(size=(len(WORDS), 4)).astype(np.float32)
    metadata = {"settings": SETTINGS, "history": EPOCHS}
    return WordVectors(WORDS, matrix, np.arange(len(WORDS), 0, -1), metadata)


@cache
def vector_file(format: str) -> bytes:
    """A file of vectors in one of the formats that wordgrad writes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "v"
        word_vectors().save(path, format=format)
        return path.read_bytes()


INDEX = "v.safetensors.index.json"
SHARD = "v-00002-of-00003.safetensors"


@cache
def shards() -> dict[str, bytes]:
    """An index and its three shards, by name."""
    with TemporaryDirectory() as folder:
        word_vectors().save(Path(folder) / INDEX, shard_bytes=140)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


@cache
def projector_words() -> bytes:
    """The second file of the Embedding Projector's two."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "v.tsv"
        word_vectors().save(path, format="tsv")
        return companion(path).read_bytes()


def compressed_npz() -> bytes:
    """As NumPy writes it, deflated, with a matrix of another float type."""
    file = io.BytesIO()
    vectors = word_vectors()
    np.savez_compressed(file, matrix=vectors.matrix.astype(np.float64), words=np.array(WORDS))
    return file.getvalue()


def fasttext_model(minn: int = 2, maxn: int = 3, bucket: int = 5) -> bytes:
    """A model of fastText after the layout in :mod:`wordgrad.io.fasttext_model`."""
    size, rows = 4, len(WORDS) + bucket
    numbers = (12, size, 5, 1, 1, 5, 1, 1, 2, bucket, minn, maxn, 100)
    head = struct.pack(
        "<4si12id3i2q", struct.pack("<i", 793712314), *numbers, 1e-4, 8, 8, 0, 99, -1
    )
    entries = b"".join(word.encode() + b"\0" + struct.pack("<qb", 9, 0) for word in WORDS)
    matrix = np.random.default_rng(6).normal(size=(rows, size)).astype("<f4").tobytes()
    return head + entries + struct.pack("<?2q", False, rows, size) + matrix


def models(*names: str) -> list[bytes]:
    """Models that fastText wrote."""
    folder = Path(__file__).parents[1] / "fasttext_models"
    return [(folder / name).read_bytes() for name in names]


def text() -> bytes:
    """Lines of words."""
    return ("\n".join(LINES * 3) + "\n").encode()


def json_lines() -> bytes:
    """Lines of objects with text, a number and something nested."""
    rows = [{"text": line, "n": i, "x": {"y": [i]}} for i, line in enumerate(LINES * 2)]
    return "".join(
        json.dumps(row, ensure_ascii=i % 2 == 0) + "\n" for i, row in enumerate(rows)
    ).encode()


def table(separator: str) -> bytes:
    """Rows with quotes and line feeds in cells."""
    frame = pl.DataFrame({"n": range(6), "text": [*LINES, 'one\ntwo "three"']})
    return frame.write_csv(separator=separator).encode()


def parquet() -> bytes:
    """The same rows as Parquet."""
    file = io.BytesIO()
    pl.DataFrame({"n": range(6), "text": [*LINES, None]}).write_parquet(file)
    return file.getvalue()


PAIRS = b"word1\tword2\tscore\nthe\tof\t7.5\n# a remark\nna\xc3\xafve\tcat\t1\n7\tthe\t0.25\n"
SIMLEX = b"a,b,POS,score\nthe,of,N,7.5\ncat,mat,V,2\n"
QUESTIONS = b": capitals\nthe of cat mat\na b c d\n\n: family\nking man queen woman\n"

Seed = Callable[[], bytes]
