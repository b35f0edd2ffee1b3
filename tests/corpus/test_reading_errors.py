"""Input that cannot be used: each error names the thing, the place and the remedy."""

import gzip
import os
import re
import sys

import numpy as np
import polars as pl
import pytest
import zstandard

from wordgrad.corpus.corpus import encode_corpus
from wordgrad.errors import InputError


def fails(source, message, **options):
    """The message is one sentence, without line feeds."""
    with pytest.raises(InputError, match=message) as caught:
        encode_corpus(source, **{"min_count": 1, **options})
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("pattern", [None, r"\w+"])
@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"\xff", 1),
        (b"one two\nthr\xe9e\nfour\n", 2),
        (b"\n\n  \n one\n" + b"two two\n" * 30 + b"caf\xe9", 35),
        (b"one\r\ntwo\r\n\xc3", 3),
        (b"\xef\xbb\xbfone\n\xc3\xa9 \xe2\x80 x\n", 2),
        ("é\u3000ü\u2028ö\n".encode() * 9 + b"\xed\xa0\x80\n", 10),
        (b"\xff\xfeo\x00n\x00e\x00", 1),
    ],
)
def test_invalid_utf8_names_file_and_line(tmp_path, data, line, pattern):
    path = tmp_path / "latin.txt"
    path.write_bytes(data)
    wanted = rf'latin\.txt, line {line}, is not valid UTF-8 .*errors="replace" \(--errors replace\)'
    fails(path, wanted, pattern=pattern)


def test_invalid_utf8_far_into_a_large_file(tmp_path):
    path = tmp_path / "large.txt"
    path.write_bytes(b"one two three four five\n" * 300_000 + b"six \xff\n")
    fails(path, r"large\.txt, line 300001, .*byte 0xff")


def test_invalid_utf8_in_one_of_many_files(tmp_path):
    for i in range(30):
        (tmp_path / f"{i:02}.txt").write_text("one two\nthree" * (1 + i % 3))
    (tmp_path / "17.txt").write_bytes(b"one\ntwo\n\xff")
    fails(tmp_path, r"17\.txt, line 3, ")


def test_invalid_utf8_in_the_file_after_a_large_one(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one two three four five\n" * 300_000)
    (tmp_path / "b.txt").write_bytes(b"six\nse\xffven\n")
    fails(tmp_path, r"b\.txt, line 2, ")


def test_invalid_utf8_in_a_large_file_after_small_ones(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "b.txt").write_text("three")
    (tmp_path / "c.txt").write_bytes(b"one two three four five\n" * 300_000 + b"\xff")
    fails(tmp_path, r"c\.txt, line 300001, ")


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_truncated_compressed_file(tmp_path, compress):
    path = tmp_path / ("t.txt.gz" if compress is gzip.compress else "t.txt.zst")
    text = "".join(f"w{i} " for i in range(200_000)).encode()
    path.write_bytes(compress(text)[:-100])
    fails(path, rf"{path.name} is cut short")


def test_no_such_file(tmp_path):
    fails(tmp_path / "none.txt", r"There is no file or directory .*none\.txt")


@pytest.mark.parametrize("text", ["", "\n", " \n\t\n \u3000\n", "\ufeff"])
def test_a_file_without_tokens(tmp_path, text):
    path = tmp_path / "empty.txt"
    path.write_text(text, encoding="utf-8")
    fails(path, r"There are no tokens in .*empty\.txt; check that it is not empty")
    fails([path, path], r"no tokens in the 2 files from .*empty\.txt on")


@pytest.mark.parametrize("items", [[], [""], [" "], ["\x1f\n\x85"], [[]], [[], []], iter(())])
def test_sentences_without_tokens(items):
    fails(items, "There are no tokens in the sentences given")


def test_a_pattern_without_matches():
    fails(["some words"], "There are no tokens", pattern="[0-9]+")


def test_no_word_reaches_min_count():
    fails(
        ["a b c d", "a b c", "a b"],
        r"In the sentences given no word reaches min_count=5 \(9 tokens of 4 types were read\); a "
        r"vocabulary needs at least two words: use min_count=3 or less\.",
        min_count=5,
    )


def test_the_min_count_that_is_named_works():
    sentences = ["a a a a a b b b c c d"]
    fails(sentences, r"only one word reaches min_count=4 .* use min_count=3 or less", min_count=4)
    with encode_corpus(sentences, min_count=3) as corpus:
        assert corpus.vocabulary.words == ["a", "b"]


def test_a_vocabulary_of_one_word():
    fails(
        ["la la la", "la"],
        r"The vocabulary of the sentences given is one word, 'la' \(4 tokens of 1 types were read\)"
        ".* at least two words",
    )
    fails(["x" * 10**6], r"one word, 'xxxxx[x]*\.\.\.' ")
    fails(["La la LA"], "one word, 'la'", lowercase=True)


def test_a_directory_without_text(tmp_path):
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    fails(tmp_path, r"The directory .* holds no text")


def test_a_file_without_permission(tmp_path, monkeypatch):
    path = tmp_path / "secret.txt"
    path.write_text("a b")
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    fails(path, r"secret\.txt cannot be read \(permission denied\)")


def test_a_file_that_cannot_be_opened_after_all(tmp_path, monkeypatch):
    from wordgrad.corpus import sources

    (tmp_path / "a.txt").write_text("a b")

    def refuse(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sources, "open", refuse, raising=False)
    fails(tmp_path / "a.txt", r"a\.txt cannot be read \(Permission denied\)")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/mem is a Linux file")
def test_a_file_that_fails_while_it_is_read():
    fails("/proc/self/mem", r"/proc/self/mem cannot be read to its end \(Input/output error\)")


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([b"bytes"], "Sentence 1 is of type bytes; each must be a string"),
        ([5, 6], "Sentence 1 is of type int"),
        ([None], "Sentence 1 is None"),
        (["a", None], "Sentence 2 is None, but the first one is a string"),
        (["a", ["b"]], "Sentence 2 is of type list, but the first one is a string"),
        ([["a"], "b"], "Sentence 2 is of type str"),
        ([["a", "b"], ["c", 7]], "Token 2 of sentence 2 is of type int; tokens must be strings"),
        ([["a", None]], "Token 2 of sentence 1 is None"),
        ([["a"], [b"b"]], "Token 1 of sentence 2 is of type bytes"),
        ([["a", 7]], r"tokens must be strings, got 7: convert numbers with map\(str, \.\.\.\)"),
        (
            np.array([[1, 2], [3, 4]]),
            r"Token 1 of sentence 1 is of type int64.* map\(str, \.\.\.\)",
        ),
        ([np.array([1, 2])], r"Token 1 of sentence 1 is of type int64.* map\(str, \.\.\.\)"),
        (np.array([1, 2]), r"Sentence 1 is of type int(64)?; each must .* map\(str, \.\.\.\)"),
        (range(3), r"Sentence 1 is of type int; each must .* got 0: convert .* map\(str, \.\.\.\)"),
        ([["a", True]], r"Token 2 of sentence 1 is of type bool; .* got True"),
        ([["a"], ["b", float("nan")]], "Token 2 of sentence 2 is of type float; .*leave missing"),
        (
            ["a", float("nan")],
            "Sentence 2 is of type float, but the first .*got nan: leave missing",
        ),
        ([float("nan"), "a"], "Sentence 1 is of type float; .*got nan: leave missing ones out"),
        ([["a", None]], "Token 2 of sentence 1 is None; tokens must be strings: leave missing"),
        ([[["a", "b"]]], "Token 1 of sentence 1 is of type list; .*: flatten lists within lists"),
        (np.array([[["a"]]]), "Sentence 1 is an array of 2 dimensions"),
        ([["a", b"b"]], "Token 2 of sentence 1 is of type bytes; .*: decode bytes first"),
        ([{"text": "a b"}], "Sentence 1 is of type dict; .*: give the column, or the value"),
        ([{"a", "b"}], "Sentence 1 is of type set, which has no order; give its tokens as a list"),
        ([pl.DataFrame({"text": ["a b"]})], "Sentence 1 is of type DataFrame; .*: give the column"),
        (["fine", "a\ud800", "b"], r"Sentence 2 holds a lone surrogate \('\\ud800'\)"),
        ([["fine"], ["a", "\udfff"]], r"Sentence 2 holds a lone surrogate"),
    ],
)
def test_items_that_are_no_sentences(items, message):
    fails(iter(items), message)
    fails(items, message)


@pytest.mark.usefixtures("small_blocks")
def test_the_number_of_a_bad_sentence_is_right_in_any_block():
    fails([*["some words"] * 50, "b\ud800", "c"], "Sentence 51 holds")
    fails([*[["some", "words"]] * 50, ["b\ud800"], ["c"]], "Sentence 51 holds")


def test_standard_input_that_is_closed(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    fails("-", "Standard input is closed; give a file's path")


def test_an_error_in_the_users_iterator_is_theirs():
    def sentences():
        yield "a b"
        raise FileNotFoundError("my own trouble")

    with pytest.raises(FileNotFoundError, match=re.escape("my own trouble")):
        encode_corpus(sentences())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.array([1, 2]), r"Sentence 1 is of type int; each must .* map\(str, \.\.\.\)"),
        (pl.Series([1, 2]), r"Sentence 1 is of type int; each must .* map\(str, \.\.\.\)"),
        (pl.Series(["a b", None]), r"Sentence 2 is None, .*: leave missing ones out"),
        (pl.DataFrame({"a": ["x"], "b": ["y"]}), "DataFrame of polars has 2 columns of strings"),
        ({"a": 3}, "column 'a' of the dict is no list of values"),
        ({"the": 3, "cat": 2}, "The dict has 0 columns of strings"),
    ],
)
def test_tables_and_columns_that_hold_no_text(source, message):
    fails(source, message)
