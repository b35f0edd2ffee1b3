from __future__ import annotations

import pytest

from wordgrad import vocabulary as suggestions
from wordgrad.vocabulary import Vocabulary


def close_spellings(word, words, number=3):
    return Vocabulary.from_words(words).close_spellings(word, number)


WORDS = ["the", "king", "queen", "directory", "kings", "Paris", "naïve", "receive", "list"]


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("King", "king"),
        ("KING", "king"),
        ("paris", "Paris"),
        ("kign", "king"),
        ("qeen", "queen"),
        ("directroy", "directory"),
        ("irectory", "directory"),
        ("recieve", "receive"),
        ("naive", "naïve"),
        ("lists", "list"),
    ],
)
def test_a_slip_finds_its_word(asked, first):
    assert close_spellings(asked, WORDS)[0] == first


def test_nothing_alike_gives_nothing():
    assert close_spellings("zebra", WORDS) == []
    assert close_spellings("", WORDS) == []
    assert close_spellings("x", ["", "xyzw"]) == []


def test_at_most_so_many_and_the_frequent_first_among_equals():
    assert close_spellings("word", [f"word{i}" for i in range(9)]) == ["word0", "word1", "word2"]
    assert close_spellings("word", ["words", "word"[::-1]], number=1) == ["words"]


def test_the_likest_comes_before_the_most_frequent():
    assert close_spellings("kings", ["kin", "king"]) == ["king", "kin"]


def test_only_frequent_words_are_scanned(monkeypatch):
    monkeypatch.setattr(suggestions, "WORDS_SCANNED", 2)
    assert close_spellings("king", ["a", "b", "kings"]) == []


def test_words_too_long_for_a_slip_are_not_compared():
    """Two words of ten megabytes would be compared for hours."""
    assert close_spellings("x" * 100, ["x" * 101]) == ["x" * 101]
    assert close_spellings("x" * 101, ["x" * 100]) == []
