"""TSV for the Embedding Projector: two files that must belong together."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wordgrad.errors import FormatError, FormatWarning, InputError, OutputError
from wordgrad.word_vectors import WordVectors, load

WORDS = ["the", "naïve", "no\u00a0break", "a b", '"quoted"', "東京"]
MATRIX = np.arange(18, dtype=np.float32).reshape(6, 3) / 8


@pytest.fixture
def pair(tmp_path):
    def write(numbers, words):
        (tmp_path / "vectors.tsv").write_bytes(numbers)
        if words is not None:
            (tmp_path / "metadata.tsv").write_bytes(words)
        return tmp_path / "vectors.tsv"

    return write


def test_the_files_are_those_the_projector_reads(tmp_path):
    """One column of metadata has no header, two have one (see the Projector's own help)."""
    WordVectors(["a b", "é"], [[0.5, -1], [2, 1e-7]]).save(tmp_path / "vectors.tsv")
    assert (tmp_path / "vectors.tsv").read_bytes() == b"0.5\t-1.0\n2.0\t1e-7\n"
    assert (tmp_path / "metadata.tsv").read_bytes() == "a b\né\n".encode()
    WordVectors(["a b", "é"], [[0.5, -1], [2, 1e-7]], [3, 1]).save(tmp_path / "wiki.tsv")
    assert (tmp_path / "wiki.metadata.tsv").read_bytes() == "word\tcount\na b\t3\né\t1\n".encode()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_the_csv_module(tmp_path, end):
    """Python's own writer of tables, with as many columns as someone likes."""
    with (tmp_path / "vectors.tsv").open("w", newline="") as file:
        csv.writer(file, "excel-tab", lineterminator=end).writerows(MATRIX.tolist())
    with (tmp_path / "metadata.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, "excel-tab", lineterminator=end, quoting=csv.QUOTE_NONE,
                            quotechar=None)  # fmt: skip
        writer.writerow(["part", "word", "count"])
        writer.writerows(["x", word, place] for place, word in enumerate(WORDS))
    vectors = load(tmp_path / "vectors.tsv")
    assert list(vectors.words) == WORDS
    assert (vectors.matrix == MATRIX).all()
    assert vectors.counts.tolist() == [0, 1, 2, 3, 4, 5]


def test_columns_of_other_names_begin_with_the_words(pair):
    vectors = load(pair(b"1\t2\n3\t4\n", b"name\tkind\na\tx\nb\ty\n"))
    assert vectors.words == ("a", "b")
    assert vectors.counts is None


@pytest.mark.parametrize(
    ("numbers", "words", "message"),
    [
        (b"1\t2\n3\t4\n", b"a\n", r"metadata\.tsv names 1 words and vectors\.tsv has 2 rows"),
        (b"1\t2\n3\t4\n", b"a\nb\nc\n", r"names 3 words and vectors\.tsv has 2 rows"),
        (b"1\t2\n3\t4\n", b"", "names 0 words"),
        (b"1\t2\n3\t4\n", b"a\n\xff\n", r"metadata\.tsv has a word that is not UTF-8 in row 1"),
        (b"1\t2\n3\t4\n", b"word\tcount\na\t1\nb\n", "1 fields in row 1 and 2 in its first line"),
        (b"1\t2\n3\t4\n", b"word\tcount\na\t1\nb\t-2\n", "'-2' as the count of row 1"),
        (b"1\t2\n3\t4\n", b"word\tcount\na\t1\nb\t2.5\n", r"'2\.5' as the count of row 1"),
        (b"1\t2\n3\n", b"a\nb\n", r"vectors\.tsv has 1 values in line 2, not the 2 of its first"),
        (b"1\t2\n3\t4\t5\n", b"a\nb\n", "3 values in line 2, not the 2"),
        (b"1\t2\n3\tx\n", b"a\nb\n", "'x' as value 2 in line 2, which is not a number"),
        (b"1\t2\n3\t\n", b"a\nb\n", "1 values in line 2|'' as value 2 in line 2"),
        (b"1\t2\n3\tnan\n", b"a\nb\n", r"holds nan in line 2 \('b'\), value 2"),
        (b"1\t2\n3\t1e39\n", b"a\nb\n", r"holds inf in line 2"),
        (b"\n\n", b"a\nb\n", "vectors"),
    ],
)
def test_files_that_do_not_fit(pair, numbers, words, message):
    with pytest.raises(FormatError, match=message):
        load(pair(numbers, words), format="tsv")


def test_numbers_without_words(pair):
    with pytest.raises(InputError, match=r"metadata\.tsv, which should hold the words of .*No suc"):
        load(pair(b"1\t2\n", None))


def test_a_word_whose_line_would_be_skipped(tmp_path):
    with pytest.raises(OutputError, match="no visible character, and its line would be skipped"):
        WordVectors(["a", ""], [[1.0], [2.0]]).save(tmp_path / "vectors.tsv")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_of_words_is_kept(tmp_path):
    (tmp_path / "metadata.tsv").write_text("mine\n")
    with pytest.raises(OutputError, match=r"metadata\.tsv exists already"):
        WordVectors(["a"], [[1.0]]).save(tmp_path / "vectors.tsv")
    assert [file.name for file in tmp_path.iterdir()] == ["metadata.tsv"]
    assert (tmp_path / "metadata.tsv").read_text() == "mine\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_damage_ends_in_one_sentence(tmp_path, data):
    path = tmp_path / "vectors.tsv"
    WordVectors(WORDS, MATRIX, range(6)).save(path, overwrite=True)
    damaged = tmp_path / data.draw(st.sampled_from(["vectors.tsv", "metadata.tsv"]))
    whole = bytearray(damaged.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del whole[data.draw(st.integers(0, len(whole) - 1)) :]
    damaged.write_bytes(whole)
    try:
        vectors = load(path)
    except (FormatError, FormatWarning) as error:
        found = str(error)
    else:
        found = "harmless"
        assert len(vectors.words) == 6
        assert np.isfinite(vectors.matrix).all()
    assert found == "harmless" or ".tsv" in found
