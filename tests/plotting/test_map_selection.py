"""Which words a map shows."""

from __future__ import annotations

import numpy as np
import pytest

from wordgrad.errors import ParameterError, UnknownWordError
from wordgrad.plotting.word_map import around, most_frequent, named
from wordgrad.word_vectors import WordVectors


def _vectors():
    words = ["king", "queen", "apple", "pear", "plum", "zero"]
    matrix = [[1, 0], [1, 0.1], [0, 1], [0.1, 1], [0.2, 1], [0, 0]]
    return WordVectors(words, matrix)


def test_the_most_frequent_come_first_and_zero_vectors_are_counted():
    selection = most_frequent(_vectors(), 4)
    assert selection.rows.tolist() == [0, 1, 2, 3]
    assert selection.zero_vectors == 0
    whole = most_frequent(_vectors(), 100)
    assert whole.rows.tolist() == [0, 1, 2, 3, 4]
    assert whole.zero_vectors == 1
    assert whole.description == "The 5 most frequent words"


def test_named_words_keep_their_order_each_once():
    selection = named(_vectors(), ["plum", "king", "plum", "apple"])
    assert selection.rows.tolist() == [4, 0, 2]
    assert selection.groups is None


def test_neighbours_belong_to_the_centre_that_is_nearest():
    selection = around(_vectors(), ["king", "apple"], 2, None)
    assert selection.rows[:2].tolist() == [0, 2]
    belongs = dict(zip(selection.rows.tolist(), selection.groups.tolist(), strict=True))
    assert belongs == {0: 0, 1: 0, 2: 1, 3: 1, 4: 1}
    assert selection.centres == ("king", "apple")
    assert selection.description == "king, apple and the 2 words nearest to each"


def test_neighbours_with_zero_vectors_are_counted_not_shown():
    selection = around(_vectors(), ["king"], 5, None)
    assert 5 not in selection.rows
    assert selection.zero_vectors == 1


def test_a_limit_keeps_rare_words_away():
    assert around(_vectors(), ["king"], 4, 3).rows.tolist() == [0, 1, 2]


def test_a_description_names_a_few_words_and_counts_the_rest():
    words = [f"w{number}" for number in range(8)]
    vectors = WordVectors(words, np.eye(8))
    assert around(vectors, words, 1, None).description.startswith("w0, w1, w2, w3, w4, 3 more and")


@pytest.mark.parametrize(
    ("select", "error", "message"),
    [
        (lambda v: most_frequent(v, 2), ParameterError, "most_frequent must be an integer >= 3"),
        (lambda v: named(v, ["king", "queen"]), ParameterError, "at least 3 words .* got 2"),
        (lambda v: named(v, []), ParameterError, "words must name at least one word, got none"),
        (lambda v: named(v, ["king", "qeen"]), UnknownWordError, "did you mean 'queen'"),
        (lambda v: named(v, ["king", "zero"]), ParameterError, "'zero', whose vector is zero"),
        (lambda v: around(v, ["zero"], 3, None), ParameterError, "'zero', whose vector is zero"),
        (lambda v: around(v, ["king"], 0, None), ParameterError, "neighbours must be .* >= 1"),
        (lambda v: around(v, ["king"], 1, None), ParameterError, "at least 3 words .* got 2"),
    ],
)
def test_what_cannot_be_shown_is_said(select, error, message):
    with pytest.raises(error, match=message):
        select(_vectors())
