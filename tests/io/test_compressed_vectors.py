"""Compressed files of vectors: recognised by their bytes, read block by block."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
import sys

import numpy as np
import pytest
import zstandard

from wordgrad.errors import FormatError, FormatWarning
from wordgrad.io.formats import FORMATS, format_of_file
from wordgrad.word_vectors import WordVectors, load

PACKERS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
STREAMED = [known for known in FORMATS if known.streamed]
WORDS = ["the", "naïve", "東京"]
MATRIX = np.array([[0.5, -0.25], [1.5, 2], [3, 4]], dtype=np.float32)


@pytest.fixture(params=STREAMED, ids=lambda known: known.name)
def known(request):
    return request.param


@pytest.fixture(params=PACKERS)
def ending(request):
    return request.param


def same(vectors):
    assert list(vectors.words) == WORDS
    assert vectors.matrix.tobytes() == MATRIX.tobytes()


def test_every_format_that_is_read_from_its_beginning(tmp_path, known, ending):
    plain = tmp_path / f"v{known.endings[0]}"
    WordVectors(WORDS, MATRIX).save(plain)
    packed = PACKERS[ending](plain.read_bytes())
    for name in (plain.name + ending, f"w{known.endings[0]}", plain.name + ".gz", "v"):
        path = tmp_path / name
        path.write_bytes(packed)
        if known.paired:  # the words as they are, whatever the numbers
            known.companion(path if ending not in name and ".gz" not in name else plain).write_text(
                "".join(f"{word}\n" for word in WORDS)
            )
        assert format_of_file(path) is known
        same(load(path))
        same(load(path, format=known.name))
        assert load(path, limit=2).words == tuple(WORDS[:2])


def test_words_of_the_projector_compressed_too(tmp_path, ending):
    WordVectors(WORDS, MATRIX).save(tmp_path / "vectors.tsv")
    for name in ("vectors.tsv", "metadata.tsv"):
        packed = PACKERS[ending]((tmp_path / name).read_bytes())
        (tmp_path / (name + ending)).write_bytes(packed)
        (tmp_path / name).unlink()
    same(load(tmp_path / f"vectors.tsv{ending}"))


def test_parts_one_after_another(tmp_path, ending):
    """All four allow it, and parallel compressors write it."""
    path = tmp_path / "v.vec"
    path.write_bytes(PACKERS[ending](b"2 1\na 1\n") + PACKERS[ending](b"b 2\n"))
    assert load(path).words == ("a", "b")


def test_a_stored_gzip_whose_bytes_look_like_rows(tmp_path):
    path = tmp_path / "v.bin.gz"
    path.write_bytes(gzip.compress(b"1 1\na 1\n", 0))
    assert load(path, format="word2vec-text").words == ("a",)


def test_every_cut_is_one_sentence(tmp_path, ending, known):
    plain = tmp_path / f"v{known.endings[0]}"
    WordVectors(WORDS, MATRIX).save(plain)
    packed = PACKERS[ending](plain.read_bytes())
    path = tmp_path / f"{plain.name}{ending}"
    for length in range(12, len(packed)):
        path.write_bytes(packed[:length])
        try:
            found = load(path)
        except FormatError as error:
            assert path.name in str(error)  # noqa: PT017
        else:  # only what comes after the data, such as a checksum, may be missing
            same(found)
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(FormatError, match="cut short"):
        load(path)


def test_damage_is_one_sentence(tmp_path, ending):
    packed = PACKERS[ending](b"3 2\nthe 0.5 1\nof 2 3\nand 4 5\n")
    path = tmp_path / f"v.vec{ending}"
    for place in range(len(packed)):
        damaged = bytearray(packed)
        damaged[place] ^= 0x41
        path.write_bytes(damaged)
        try:
            load(path)
        except (FormatError, FormatWarning) as error:
            assert path.name in str(error)  # noqa: PT017


def test_what_cannot_be_read_while_it_is_compressed(tmp_path):
    for name in ("v.safetensors", "v.npz", "v.parquet"):
        WordVectors(WORDS, MATRIX).save(tmp_path / name)
        path = tmp_path / f"{name}.gz"
        path.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
        with pytest.raises(FormatError, match=rf"{name}\.gz is \w+ compressed with gzip, .* decom"):
            load(path)


def test_compressed_twice(tmp_path):
    path = tmp_path / "v.vec.gz"
    path.write_bytes(gzip.compress(bz2.compress(b"1 1\na 1\n")))
    with pytest.raises(FormatError, match="compressed with gzip and inside compressed with bzip2"):
        load(path)
    path.write_bytes(gzip.compress(b"\x80\x04\x95pickle"))
    with pytest.raises(FormatError, match="compressed with gzip and inside a Python pickle"):
        load(path)


BOMB = """
import gzip, resource, sys
import polars
from wordgrad import load
from wordgrad.errors import WordgradError
limit = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
try:
    load(sys.argv[1], limit=3 if sys.argv[2:] else None)
except WordgradError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - limit) >> 20)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="measures memory as Unix does")
@pytest.mark.parametrize(
    ("name", "header", "message"),
    [
        (
            "v.vec",
            b"900000000000 300\nthe " + b"0.5 " * 300 + b"\n",
            "line is longer than 134217728",
        ),
        ("v.bin", b"900000000000 300\nthe ", "word of more than|cut short|UTF-8|nan|twice"),
        ("v.glove", b"the 1 2\n", "line is longer than 134217728 bytes"),
    ],
)
def test_a_bomb_takes_no_more_than_what_is_read(tmp_path, name, header, message):
    """A header that promises terabytes, and 600 MB of one character in 600 kB."""
    path = tmp_path / f"{name}.gz"
    path.write_bytes(gzip.compress(header) + 600 * gzip.compress(b"a" * 1_000_000))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BOMB, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    *told, more = done.stdout.splitlines()
    assert len(told) == 1
    assert int(more) < 500  # of 600 MB and more
