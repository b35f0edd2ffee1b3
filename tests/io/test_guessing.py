"""Telling formats apart by their first bytes, and by names only where these do not tell."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.errors import FormatError, InputError
from wordgrad.io import formats as guessing
from wordgrad.io.formats import FORMATS, format_of_file, format_of_name
from wordgrad.word_vectors import WordVectors, load

WRITABLE = [known for known in FORMATS if known.endings]


def row(*values):
    return struct.pack(f"<{len(values)}f", *values)


def npz_bytes():
    buffer = io.BytesIO()
    np.savez(buffer, words=np.array(["a"]), matrix=np.ones((1, 2)))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"2 3\nthe 0.1 0.2 0.3\n", "word2vec-text"),
        (b"2 3\r\nthe 0.1 0.2 0.3 \r\n", "word2vec-text"),
        (b"\xef\xbb\xbf2 3\nthe 0.1 0.2 0.3\n", "word2vec-text"),
        (b"2 2\nthe 0.1 0,2\n", "word2vec-text"),  # its reader says what is wrong
        (b"1 2\na b c 1 2\n", "word2vec-text"),
        (b"2 3\nthe " + row(0.1, 0.2, 0.3), "word2vec-binary"),
        (b"2 1\nthe " + row(0.1) + b"\nof " + row(0.2) + b"\n", "word2vec-binary"),
        (b"1 2\n1 " + b"    \n\n\n\n", "word2vec-binary"),
        (b"the 0.1 0.2\nof 0.3 0.4\n", "glove"),
        (b"2 3 4\n", "glove"),  # a word "2", for three numbers are no header
        ("東京 1e-5 -2\n".encode(), "glove"),
        (b"0.1\t0.2\n0.3\t0.4\n", "tsv"),
        (b"1\t2\n3\t4\n", "tsv"),
        (b"0.5\n0.25\n", "tsv"),
        (b"PAR1\x15\x04", "parquet"),
        (b"PAR1 0.5 0.25\n", "glove"),  # a word of that name
        (npz_bytes(), "npz"),
        (b"\x10\0\0\0\0\0\0\0{}", "safetensors"),
        (guessing.MAGIC + bytes(40), "fasttext"),
        (b"<!DOCTYPE html>\n<html>", None),
        (b"hello world\nthis is a text\n", None),
        (b"word\tcount\n", None),
        (b"", None),
        (b"\n", None),
    ],
)
def test_first_bytes_tell(start, name):
    assert guessing.guess(start) == name


@given(st.binary(max_size=200))
def test_any_bytes_have_an_answer(start):
    assert guessing.guess(start) in {None, *(known.name for known in FORMATS)}


@pytest.mark.parametrize("known", WRITABLE, ids=lambda known: known.name)
def test_content_is_enough(tmp_path, known):
    """A name without an ending, or with one of no format, does not matter."""
    path = tmp_path / f"v{known.endings[0]}"
    WordVectors(["the", "東"], [[0.5, 1], [2, 3]]).save(path)
    for name in ("v", "v.model", "v.w2v"):
        bare = tmp_path / name
        bare.write_bytes(path.read_bytes())
        if name != "v.w2v" or known.name.startswith("word2vec"):
            assert format_of_file(bare) is known


@pytest.mark.parametrize("ending", [".TXT", ".Vec", ".GLOVE.txt", ".SafeTensors", ".NPZ"])
def test_endings_may_be_in_capitals(tmp_path, ending):
    path = tmp_path / f"v{ending}"
    vectors = WordVectors(["the"], [[0.5, 1]])
    vectors.save(path)
    assert load(path).words == ("the",)
    assert format_of_name(path) is format_of_file(path) or ending == ".GLOVE.txt"


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"\x1f\x8b\x08", "damaged: its data, compressed with gzip, cannot be decompressed"),
        (
            b"\x28\xb5\x2f\xfd",
            "damaged: its data, compressed with zstd|cut short: its compr",
        ),
        (b"BZh91AY&SY", "damaged: its data, compressed with bzip2"),
        (b"\xfd7zXZ\0", "damaged: its data, compressed with xz"),
        (b"\x80\x04\x95", "a Python pickle, which could run code and is never read; open it with"),
        (b"\x93NUMPY\x01", "a lone NumPy array, without words"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (b"<!DOCTYPE html>", r"no format that can be recognised \(it begins with b'<!DOCTYPE html"),
    ],
)
def test_what_is_never_vectors(tmp_path, start, message):
    path = tmp_path / "v"
    path.write_bytes(start + bytes(50))
    with pytest.raises(FormatError, match=rf"v is .*{message}"):
        load(path)


def test_a_zip_that_is_no_npz(tmp_path):
    path = tmp_path / "v.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("glove.txt", "the 1 2\n")
    with pytest.raises(FormatError, match=r"without the arrays .* \(it holds glove\.txt\)"):
        load(path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(FormatError, match=r"v\.zip is not a whole npz file"):
        load(path)


def test_names_that_contradict(tmp_path):
    path = tmp_path / "v.bin"
    path.write_text("2 1\na 1\nb 2\n")
    with pytest.raises(
        FormatError, match=r"word2vec binary but holds word2vec text; .*--from word"
    ):
        load(path)
    assert load(path, format="word2vec-text").words == ("a", "b")


def test_an_empty_file(tmp_path):
    path = tmp_path / "v.txt"
    path.touch()
    with pytest.raises(FormatError, match=r"v\.txt is empty; fetch a whole copy"):
        load(path)
    with pytest.raises(FormatError, match=r"v\.txt is empty"):
        load(path, format="npz")


def test_a_file_larger_than_memory(tmp_path, monkeypatch):
    path = tmp_path / "v.txt"
    path.write_text("1 1\na 1\n")

    def read(known, path, opening):
        raise MemoryError

    monkeypatch.setattr(type(FORMATS[0]), "read", read)
    with pytest.raises(InputError, match=r"v\.txt does not fit into the memory that is left; conv"):
        load(path)


def test_gensim_reads_ours_and_we_read_gensims(tmp_path):
    """The other program itself; the bytes it writes stand in the tests of each format."""
    models = pytest.importorskip("gensim.models", reason="gensim is not installed")
    words = ["the", "naïve", "no\u00a0break", "東京", "🙂"]
    matrix = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    keyed = models.KeyedVectors(3)
    keyed.add_vectors(words, matrix)
    ours = WordVectors(words, matrix)
    for binary, name in ((True, "v.bin"), (False, "v.txt")):
        theirs = tmp_path / f"their-{name}"
        keyed.save_word2vec_format(str(theirs), binary=binary)
        found = load(theirs)
        assert list(found.words) == words
        assert found.matrix.tobytes() == matrix.tobytes()
        ours.save(tmp_path / name)
        read = models.KeyedVectors.load_word2vec_format(str(tmp_path / name), binary=binary)
        assert read.index_to_key == words
        assert read.vectors.tobytes() == matrix.tobytes()
