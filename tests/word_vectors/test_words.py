from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.errors import FormatError, OutputError, ParameterError
from wordgrad.vocabulary import Vocabulary

texts = st.text(st.characters(codec="utf-8"), max_size=6)


@given(st.lists(texts, unique=True, min_size=1, max_size=30))
def test_words_survive_packing(words):
    data, offsets = Vocabulary.from_words(words).packed()
    table = Vocabulary.from_packed(data, offsets, "file")
    assert [table.word(row) for row in range(len(table))] == words
    assert table.words_at(range(len(table))) == words
    assert list(table.words) == words
    assert [table.index(word) for word in words] == list(range(len(words)))
    assert "longer than any of them" not in table
    assert table == Vocabulary.from_words(words)


def packed(data, offsets):
    return Vocabulary.from_packed(
        np.frombuffer(data, dtype=np.uint8), np.array(offsets, dtype=np.int64), "f.safetensors"
    )


@pytest.mark.parametrize(
    ("data", "offsets", "message"),
    [
        (b"abc", [0, 2, 1, 3], "offsets do not rise from 0 to 3"),
        (b"abc", [1, 3], "offsets do not rise"),
        (b"abc", [0, 2], "offsets do not rise"),
        (b"abc", [0, 4], "offsets do not rise"),
        (b"abc", [], "offsets do not rise"),
        (b"abc", [0, -1, 3], "offsets do not rise"),
        (b"ab\xff", [0, 1, 3], "word 1 is not valid UTF-8"),
        ("aé".encode(), [0, 2, 3], "word 1 begins inside a character"),
        ("aé".encode()[:2], [0, 1, 2], "word 1 is not valid UTF-8"),
    ],
)
def test_bytes_that_are_no_words(data, offsets, message):
    with pytest.raises(FormatError, match=rf"^f\.safetensors is damaged: .*{message}"):
        packed(data, offsets)


def test_an_empty_word_is_a_word():
    table = packed("é".encode(), [0, 2, 2])
    assert table.words == ["é", ""]
    assert table.index("") == 1


def test_a_word_that_comes_twice_is_found_at_the_first_look_up():
    table = packed(b"abcab", [0, 2, 3, 5])
    assert table.word(2) == "ab"
    with pytest.raises(FormatError, match="holds the word 'ab' twice, in rows 0 and 2"):
        table.index("c")


def test_half_a_surrogate_pair_cannot_be_packed():
    with pytest.raises(OutputError, match=r"'x\\ud800' in row 1 cannot be written as UTF-8"):
        Vocabulary.from_words(["a", "x\ud800"]).packed()


def test_words_of_a_file_are_decoded_one_by_one_until_all_are_needed():
    table = packed("the café tea".replace(" ", "").encode(), [0, 3, 8, 11])
    assert table.words_at([2, 1]) == ["tea", "café"]
    assert table.word(0) == "the"
    assert not {"words", "ids"} & set(vars(table))
    assert table.index("tea") == 2
    assert table.words_at([0, 2]) == ["the", "tea"]
    assert table.packed()[1].tolist() == [0, 3, 8, 11]


def test_counts_may_be_unknown_or_in_any_order():
    plain = Vocabulary.from_words(["b", "a"])
    assert plain.known_counts is None
    with pytest.raises(ParameterError, match="counts of these words are not known"):
        _ = plain.counts
    counted = plain.with_counts([2, 7])
    assert counted.counts.tolist() == [2, 7]
    assert plain.known_counts is None
    assert counted != plain
    assert counted == Vocabulary.from_words(["b", "a"], [2, 7])
    with pytest.raises(ParameterError, match="counts must not be negative, got -1"):
        plain.with_counts([3, -1])
    with pytest.raises(ParameterError, match=r"counts must be 2 integers, .* dtype float64"):
        Vocabulary.from_words(["b", "a"], [1.5, 2.0])


def test_counts_that_can_no_longer_change_are_shared():
    counts = np.array([2, 7])
    counts.flags.writeable = False
    assert np.shares_memory(Vocabulary.from_words(["b", "a"], counts).counts, counts)
