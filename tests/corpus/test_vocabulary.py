from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.errors import ParameterError, UnknownWordError
from wordgrad.vocabulary import Vocabulary


@given(st.dictionaries(st.text(min_size=1), st.integers(1, 5), min_size=1))
def test_words_are_ordered_by_count_then_code_point(counts):
    vocabulary = Vocabulary.from_counts(list(counts), list(counts.values()))
    assert Counter(dict(zip(vocabulary.words, vocabulary.counts.tolist(), strict=True))) == counts
    keys = [(-counts[word], word) for word in vocabulary.words]
    assert keys == sorted(keys)
    assert [vocabulary.index(word) for word in vocabulary] == list(range(len(counts)))
    assert vocabulary.total == sum(counts.values())


def test_the_order_does_not_depend_on_the_order_of_reading():
    words = ["b", "a", "é", "z", "\U0001f600", "\uffff"]
    forwards = Vocabulary.from_counts(words, [2] * 6)
    backwards = Vocabulary.from_counts(words[::-1], [2] * 6)
    # U+1F600 is after U+FFFF by code point, though before it in UTF-16.
    assert forwards.words == backwards.words == ["a", "b", "z", "é", "\uffff", "\U0001f600"]
    assert forwards == backwards


def test_counts_cannot_be_changed_from_outside():
    given_counts = np.array([3, 1])
    vocabulary = Vocabulary(["a", "b"], given_counts)
    given_counts[0] = 99
    assert vocabulary.counts.tolist() == [3, 1]
    assert vocabulary.counts.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        vocabulary.counts[0] = 5


@pytest.mark.parametrize("counts", [[1, 2], [2, 0], [1, -1], [0, 0]])
def test_counts_must_be_positive_and_fall(counts):
    with pytest.raises(ParameterError, match="positive and fall"):
        Vocabulary(["a", "b"], counts)


def test_lengths_must_agree():
    with pytest.raises(ParameterError, match=r"2 integers, one a word, got shape \(1,\)"):
        Vocabulary(["a", "b"], [1])
    with pytest.raises(ParameterError, match=r"one number a word \(1\), got 2"):
        Vocabulary.from_counts(["a"], [1, 2])


def test_a_word_that_comes_twice_is_named():
    with pytest.raises(ParameterError, match="must not repeat, got 'a' in rows 0 and 2"):
        Vocabulary(["a", "b", "a"], [3, 2, 1])


def test_an_unknown_word_is_named():
    vocabulary = Vocabulary(["a"], [1])
    assert "z" not in vocabulary
    with pytest.raises(UnknownWordError, match="'z' is not among the 1 words"):
        vocabulary.index("z")


def test_equality_and_repr():
    assert Vocabulary(["a"], [2]) != Vocabulary(["a"], [1])
    assert Vocabulary(["a"], [2]) != ["a"]
    assert repr(Vocabulary(list("abcd"), [4, 3, 2, 1])) == (
        "Vocabulary(4 words: 'a', 'b', 'c', ...)"
    )
