"""Vectors from and to gensim, spaCy and PyTorch, in memory."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from wordgrad.errors import ParameterError
from wordgrad.interop import from_gensim, to_embedding, to_gensim, to_spacy
from wordgrad.word_vectors import WordVectors

WORDS = ["the", "naïve", "a b", "no\u00a0break", "東京"]


@pytest.fixture
def vectors():
    matrix = np.random.default_rng(0).normal(size=(5, 3))
    return WordVectors(WORDS, matrix, [9, 7, 7, 2, 1])


def keyed(**changes):
    """What gensim's object looks like, where gensim is not installed."""
    parts = {"index_to_key": ["to", "be"], "vectors": np.eye(2, dtype=np.float32), "expandos": {}}
    return SimpleNamespace(**{**parts, **changes})


def test_gensim_both_ways(vectors):
    pytest.importorskip("gensim", reason="gensim is not installed")
    made = to_gensim(vectors)
    assert made.index_to_key == WORDS
    assert made.get_vecattr("naïve", "count") == 7
    ours, theirs = vectors.most_similar("the"), made.most_similar("the")
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    assert [x for _, x in ours] == pytest.approx([x for _, x in theirs], abs=1e-6)
    again = from_gensim(made)
    assert again.words == vectors.words
    assert again.matrix.tobytes() == vectors.matrix.tobytes()
    assert (again.counts == vectors.counts).all()
    made.vectors[:] = 0
    assert again.matrix.any()
    assert vectors.matrix.any()


def test_gensim_without_counts():
    pytest.importorskip("gensim", reason="gensim is not installed")
    assert from_gensim(to_gensim(WordVectors(["a"], [[1.0]]))).counts is None


def test_from_gensim_copies_and_takes_counts():
    given = keyed(expandos={"count": np.array([5, 4])})
    vectors = from_gensim(given)
    given.vectors[:] = 7
    assert vectors["to"].tolist() == [1, 0]
    assert vectors.counts.tolist() == [5, 4]


def test_counts_that_gensim_made_up_are_left_out():
    assert from_gensim(keyed(expandos={"count": np.array([2, 1])})).counts is None
    assert from_gensim(keyed(expandos={"count": np.array([3, 2])})).counts.tolist() == [3, 2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (SimpleNamespace(wv=keyed()), "got SimpleNamespace; pass its attribute wv"),
        ({"a": [1.0]}, "got dict; pass KeyedVectors"),
        (keyed(index_to_key=["a", "a"]), "words must not repeat"),
        (keyed(index_to_key=[1, 2]), "words must be strings, got 1"),
        (keyed(vectors=np.array([[1.0], [np.nan]])), "finite values, got nan in row 1"),
        (keyed(vectors=np.eye(3)), "3 rows for 2 words"),
    ],
)
def test_objects_that_are_no_keyed_vectors(given, message):
    with pytest.raises(ParameterError, match=message):
        from_gensim(given)


def test_spacy(vectors):
    pytest.importorskip("spacy", reason="spaCy is not installed")
    made = to_spacy(vectors)
    assert made.shape == (5, 3)
    for word in WORDS:
        assert (made[made.strings[word]] == vectors[word]).all()


@pytest.mark.parametrize(("library", "call"), [("gensim", to_gensim), ("spacy", to_spacy)])
def test_a_library_that_is_not_there(monkeypatch, vectors, library, call):
    for name in [library, f"{library}.models", f"{library}.strings", f"{library}.vectors"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ParameterError, match=rf"{library} is not installed; run: pip install '"):
        call(vectors)


def test_embedding(vectors):
    array, rows = to_embedding(vectors)
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert list(rows) == WORDS
    assert (array == vectors.matrix).all()
    array[:] = 0
    assert vectors.matrix.any()


def test_embedding_with_marks_first(vectors):
    array, rows = to_embedding(vectors, ["<pad>", "<unk>"])
    assert array.shape == (7, 3)
    assert (rows["<pad>"], rows["<unk>"], rows["the"]) == (0, 1, 2)
    assert not array[:2].any()
    assert (array[rows["東京"]] == vectors["東京"]).all()


@pytest.mark.parametrize("first", [["the"], ["<pad>", "<pad>"], "<pad>"])
def test_marks_that_cannot_be(vectors, first):
    with pytest.raises(ParameterError, match="first must "):
        to_embedding(vectors, first)
