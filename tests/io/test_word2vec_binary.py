"""word2vec binary: what only rows of bytes can get wrong."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from wordgrad.errors import FormatError
from wordgrad.io import word2vec_binary
from wordgrad.word_vectors import WordVectors, load

# gensim 4.4.0: KeyedVectors.save_word2vec_format(path, binary=True)
GENSIM = (
    b"4 3\nthe \xcd\xcc\xcc=\x00\x00\x80\xbe\xac\xc5'7"
    b"na\xc3\xafve \x00\x00\xc0?\x00\x00\x00@\x00\x00\x00\x00"
    b"no\xc2\xa0break \xff\xff\x7f\x7f\x00\x00\x80\x00\x00\x00\x00\x80"
    b"\xe6\x9d\xb1\xe4\xba\xac \xab\xaa\xaa>\xab\xaa*?\xab\xaa\xaa\xbe"
)
WORDS = ["the", "naïve", "no\u00a0break", "東京"]
MATRIX = np.array(
    [
        [0.1, -0.25, 1e-5],
        [1.5, 2, 0],
        [3.4028235e38, 1.17549435e-38, -0.0],
        [1 / 3, 2 / 3, -1 / 3],
    ],
    dtype=np.float32,
)


def row(word, *values, end=b"\n"):
    return word + b" " + struct.pack(f"<{len(values)}f", *values) + end


@pytest.fixture
def read(tmp_path):
    def read(content, **options):
        path = tmp_path / "v.bin"
        path.write_bytes(content)
        return load(path, **options)

    return read


def test_a_file_of_gensim(read):
    vectors = read(GENSIM)
    assert list(vectors.words) == WORDS
    assert vectors.matrix.tobytes() == MATRIX.tobytes()


def test_bytes_are_those_of_word2vec_c(tmp_path):
    """word2vec.c: fprintf("%s "), fwrite of the floats, fprintf("\\n")."""
    WordVectors(["a", "bé"], [[1, 2], [3, 4]]).save(tmp_path / "v.bin")
    expected = b"2 2\n" + row(b"a", 1, 2) + row("bé".encode(), 3, 4)
    assert (tmp_path / "v.bin").read_bytes() == expected


def test_line_feeds_may_end_some_rows(read):
    vectors = read(b"3 1\n" + row(b"a", 1) + row(b"b", 2, end=b"") + row(b"c", 3))
    assert (list(vectors.words), vectors.matrix.ravel().tolist()) == (["a", "b", "c"], [1, 2, 3])


def test_values_may_hold_spaces_and_line_feeds(read):
    """0x20202020 and 0x0a0a0a0a are floats like any other."""
    values = struct.unpack("<2f", b"    \n\n\n\n")
    vectors = read(b"2 2\n" + row(b"a", *values) + row(b"b", *values, end=b""))
    assert vectors["a"].tobytes() == b"    \n\n\n\n"
    assert vectors["b"].tobytes() == b"    \n\n\n\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"2 2\n" + row(b"a", 1, 2) + row(b"b", 3, 4)[:-2], "cut short in row 1"),
        (b"3 2\n" + row(b"a", 1, 2) + row(b"bbbbbbbbbbbbbb", 3, 4), "cut short in row 2"),
        (b"1 2\n" + row(b"a", 1, 2) + row(b"b", 3, 4), "11 bytes more than the 1 words"),
        (b"2 2\n" + row(b"a", 1, 2) + row(b"\xff", 3, 4), r"not UTF-8 in row 1 \(b'\\xff'\)"),
        (b"2 2\n" + row(b"a", 1, 2) + row(b"b", 3, np.nan), r"holds nan in row 1 \('b'\), value 2"),
        (b"2 1\n" + row(b"a", 1.1, 2.3) + row(b"b", 3.7, 4.9), r"UTF-8|more than|cut short"),
        (b"2 3\n" + row(b"a", 1.1, 2.3) + row(b"b", 3.7, 4.9), r"which take at least 26 bytes"),
        (b"1000000000000 300\n" + row(b"a", 1, 2), "at least 1201000000000000 bytes"),
        (b"0 300\n" + row(b"a", 1, 2), "both must be at least 1"),
    ],
)
def test_files_that_cannot_be(read, content, message):
    with pytest.raises(FormatError, match=rf"v\.bin .*{message}"):
        read(content, format="word2vec-binary")


def test_rows_may_cross_blocks(tmp_path, monkeypatch):
    matrix = np.arange(100, dtype=np.float32).reshape(100, 1)
    path = tmp_path / "v.bin"
    WordVectors([f"w{row}" for row in range(100)], matrix).save(path)
    whole = path.read_bytes()
    monkeypatch.setattr(word2vec_binary, "ROWS_AT_ONCE", 7)
    again = load(path)
    assert again.words[93] == "w93"
    assert (again.matrix == matrix).all()
    again.save(path, overwrite=True)
    assert path.read_bytes() == whole
