"""word2vec text and GloVe text: what only lines of words and numbers can get wrong."""

from __future__ import annotations

import numpy as np
import pytest

from wordgrad.errors import FormatError
from wordgrad.io import text as text_rows
from wordgrad.word_vectors import WordVectors, load

# gensim 4.4.0: KeyedVectors.save_word2vec_format(path, binary=False)
GENSIM = (
    b"4 3\nthe 0.1 -0.25 1e-05\nna\xc3\xafve 1.5 2.0 0.0\n"
    b"no\xc2\xa0break 3.4028235e+38 1.1754944e-38 -0.0\n"
    b"\xe6\x9d\xb1\xe4\xba\xac 0.33333334 0.6666667 -0.33333334\n"
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


@pytest.fixture
def read(tmp_path):
    def read(content, name="v.txt", **options):
        path = tmp_path / name
        path.write_bytes(content)
        return load(path, **options)

    return read


def check(vectors, words=WORDS, matrix=MATRIX):
    assert list(vectors.words) == list(words)
    assert vectors.matrix.tobytes() == np.asarray(matrix, dtype=np.float32).tobytes()


def test_a_file_of_gensim_is_read_and_written_alike(read, tmp_path):
    check(read(GENSIM))
    check(read(GENSIM.split(b"\n", 1)[1], "v.glove"))
    WordVectors(WORDS, MATRIX).save(tmp_path / "ours.txt")
    written = (tmp_path / "ours.txt").read_bytes()
    assert written == GENSIM.replace(b"1e-05", b"0.00001")  # the same number, spelt otherwise
    WordVectors(WORDS, MATRIX).save(tmp_path / "ours.glove")
    assert (tmp_path / "ours.glove").read_bytes() == written.split(b"\n", 1)[1]


@pytest.mark.parametrize(
    "content",
    [
        GENSIM.replace(b"\n", b" \n").replace(b"4 3 ", b"4 3"),  # word2vec.c and fastText
        GENSIM.replace(b"\n", b"\r\n"),
        GENSIM.replace(b"\n", b" \r\n"),
        b"\xef\xbb\xbf" + GENSIM,
        GENSIM.replace(b"1.5", b"+1.5"),
        GENSIM.replace(b"1.5", b"15e-1"),
        GENSIM.replace(b" 0.0\n", b" 0.0 \n"),  # one line alone ends with a space
    ],
)
def test_lines_as_other_programs_write_them(read, content):
    check(read(content))


@pytest.mark.parametrize("block", [1, 7, 30, 31, 64])
def test_lines_may_cross_blocks(read, monkeypatch, block):
    monkeypatch.setattr(text_rows, "BLOCK", block)
    monkeypatch.setattr(text_rows, "VALUES_AT_ONCE", 3)
    lines = GENSIM.split(b"\n", 1)[1]
    check(read(GENSIM)) if block > 4 else None  # a line is at most 16 blocks long
    assert block == 1 or list(read(lines, "v.glove", format="glove").words) == WORDS


@pytest.mark.parametrize("name", ["v.txt", "v.glove"])
def test_words_with_spaces_as_in_glove_840b(read, name):
    header = b"4 2\n" if name == "v.txt" else b""
    lines = b"the 1 2\n. . . 3 4\nat name@domain.com 5 6\n. 7 8\n"
    words = ["the", ". . .", "at name@domain.com", "."]
    check(read(header + lines, name), words, [[1, 2], [3, 4], [5, 6], [7, 8]])


@pytest.mark.parametrize(
    "word", ["\ufeffmark", "a\rb", "\r", "", "\t", '"', "#", "NA", "null", "1"]
)
def test_words_that_readers_of_tables_take_for_something_else(read, word):
    for lines in (f"{word} 1 2\nb 3 4\n", f"b 3 4\n{word} 1 2\n"):
        vectors = read(b"2 2\n" + lines.encode())
        assert vectors[word].tolist() == [1, 2]
        assert vectors["b"].tolist() == [3, 4]


def test_numbers_are_rounded_once(read):
    """Halfway between two float32 in float64, above it in decimal digits."""
    half = "1.00000005960464477540"  # 1 + 2**-24 and a little
    vectors = read(f"1 1\na {half}\n".encode())
    assert vectors["a"][0] == np.nextafter(np.float32(1), np.float32(2))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"3 2\naaa 1 2\nbbb 3 4\n", "ends after 2 of the 3 rows that the header promises"),
        (b"1 2\na 1 2\nb 3 4\n", "more than the 1 rows that the header promises, from line 3 on"),
        (b"2 3\naaa 1 2\nb 3 4\n", "2 values in line 2, not the 3 of the header"),
        (b"2 1\na 1 2\nb 3 4\n", "more than 1 values in line 2, against the header"),
        (b"2 2\na 1 2\nb 3\n", "1 values in line 3, not the 2"),
        (b"2 2\naaaa 1 2\n\n", "ends after 1 of the 2 rows"),
        (b"3 2\naaaa 1 2\n\nbb 3 4\n", "has 0 values in line 3, not the 2 of the header"),
        (b"2 2\na 1 2\nb 3  4  5\n", "more than 2 values in line 3"),
        (b"2 2\na 1 2\nb  3\n", "1 values in line 3, not the 2"),
        (b"2 2\na 1 2\nb 3 x4\n", "'x4' as value 2 in line 3, which is not a number"),
        (b"2 2\na 1 2\nb 3 4_0\n", "'4_0' as value 2 in line 3, which is not a number"),
        (b"2 2\na 1 2\nb 3 \xc2\xa04\n", "as value 2 in line 3, which is not a number"),
        (b"2 2\na 1 2\nb\xff 3 4\n", r"not UTF-8 in line 3 \(b'b\\xff'\)"),
        (b"2 2\na 1 2\nb 3 nan\n", r"holds nan in line 3 \('b'\), value 2"),
        (b"2 2\na 1 2\nb -inf 4\n", r"holds -inf in line 3 \('b'\), value 1"),
        (b"2 2\na 1 1e39\nb 3 4\n", r"holds inf in line 2 \('a'\), value 2"),
        (b"0 2\n", "0 words with 2 values in its header; both must be at least 1"),
        (b"2 0\na\nb\n", "2 words with 0 values in its header"),
        (
            b"1000000000000 300\na 1 2\n",
            "which take at least 601000000000000 bytes, but it holds 6",
        ),
        (b"9" * 18 + b" 2\na 1 2\n", "which take at least"),
    ],
)
def test_word2vec_files_that_cannot_be(read, content, message):
    with pytest.raises(FormatError, match=rf"v\.txt .*{message}"):
        read(content, format="word2vec-text")


@pytest.mark.parametrize(
    "first", [b"a 1 2\n", b"2\n", b"2 3 4\n", b"-2 3\n", b"\n", b"9" * 19 + b" 2\n", b"2 3"]
)
def test_headers_that_are_none(read, first):
    with pytest.raises(FormatError, match="does not begin with the number of words and of values"):
        read(first + b"a 1 2\n", format="word2vec-text")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a 1 2\nb 3 4 5\n", "more than 2 values in line 2, against its first lines"),
        (b"a 1 2\nb\n", "line 2 has no number"),
        (b"a 1 2\nb 3 x\n", "'x' as value 2 in line 2"),
        (b"a 1 2\nb 3 4\n\nc 5 6\n", "line 3 has no number"),
        (b"1\t2\n3\t4\n", "numbers separated by tabs; name its format .--from tsv"),
    ],
)
def test_glove_files_that_cannot_be(read, content, message):
    with pytest.raises(FormatError, match=rf"v\.glove .*{message}"):
        read(content, "v.glove", format="glove")


@pytest.mark.parametrize("lines", range(1, 12))
def test_the_line_at_fault_is_named_wherever_it_is(read, lines):
    for place in range(lines):
        rows = [f"w{row} {row} 0.5" for row in range(lines)]
        rows[place] = f"w{place} {place} 0,5"
        with pytest.raises(FormatError, match=f"'0,5' as value 2 in line {place + 2}, which is"):
            read(f"{lines} 2\n{chr(10).join(rows)}\n".encode())


def test_what_the_reader_of_tables_alone_refuses_names_a_line_too(read, monkeypatch):
    """Polars decides what a number is, whatever Python thinks of it."""
    honest = text_rows.RowReader._fields

    def without_halves(reader, block, lines, *, worded):
        return None if b"0.5" in block else honest(reader, block, lines, worded=worded)

    monkeypatch.setattr(text_rows.RowReader, "_fields", without_halves)
    with pytest.raises(FormatError, match=r"'7' as value 1 in line 4, which is not a number"):
        read(b"3 2\na 1 2\nb 3 4\nc 7 0.5\n")


@pytest.mark.parametrize(
    "field", ["1e999", "0x10", "1__0", "1d5", "+-1", "1e", "inf.", "--", "1.2.3", "\x00", "١"]
)
def test_what_is_nearly_a_number(read, field):
    try:
        found = read(f"2 2\na 1 2\nb 3 {field}\n".encode(), allow_nonfinite=True)
    except FormatError as error:
        result = str(error)
    else:
        result = f"{found['a'].tolist()} {field}"
    expected = "[1.0, 2.0] 1e999" if field == "1e999" else "as value 2 in line 3, which is not a"
    assert expected in result


def test_a_line_that_never_ends(read, monkeypatch):
    monkeypatch.setattr(text_rows, "BLOCK", 4)
    monkeypatch.setattr(text_rows, "LONGEST_ROW", 64)
    with pytest.raises(FormatError, match="a line is longer than 64 bytes"):
        read(b"1 2\n" + b"a" * 100 + b" 1 2\n")
