"""The approximate index: behind the same calls, with exact cosines."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from wordgrad.errors import ParameterError
from wordgrad.word_vectors import WordVectors


def random_vectors(rows=3000, columns=16):
    matrix = np.random.default_rng(2).normal(size=(rows, columns)).astype(np.float32)
    matrix[5] = 0.0
    return WordVectors([f"w{i}" for i in range(rows)], matrix)


def test_without_usearch_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(ParameterError, match=r"run: python -m pip install 'wordgrad\[ann\]'"):
        random_vectors(6).build_index()


def test_an_index_must_be_built_first():
    with pytest.raises(
        ParameterError, match=r"no approximate index yet; call build_index\(\) or load_i"
    ):
        random_vectors(6).most_similar("w1", approximate=True)


@pytest.fixture(scope="module")
def vectors():
    pytest.importorskip("usearch", reason="the extra 'ann' is not installed")
    vectors = random_vectors()
    vectors.build_index()
    return vectors


def test_an_index_that_is_not_there_cannot_be_saved(tmp_path):
    with pytest.raises(ParameterError, match=r"no approximate index yet; call build_index\(\)"):
        random_vectors(6).save_index(tmp_path / "v.index")
    assert not list(tmp_path.iterdir())


def test_most_neighbours_are_found(vectors):
    queries = list(vectors.words[:500])
    exact = vectors.most_similar_batch(queries, topn=10)
    near = vectors.most_similar_batch(queries, topn=10, approximate=True)
    shared = [len(set(a) & set(b)) for a, b in zip(exact, near, strict=True)]
    assert sum(shared) / 5000 > 0.9


def test_cosines_are_exact_and_sorted_and_the_query_is_no_answer(vectors):
    for query in ("w0", "w7", ["w8", "w9"], "w5"):
        found = vectors.most_similar(query, topn=20, approximate=True)
        assert len(found) == 20
        every = dict(vectors.most_similar(query, topn=len(vectors)))
        for word, cosine in found:
            assert every[word] == pytest.approx(cosine, abs=1e-14)  # KeyError: the query
        cosines = [cosine for _, cosine in found]
        assert cosines == sorted(cosines, reverse=True)


def test_a_single_query_answers_as_in_a_batch(vectors):
    batch = vectors.most_similar_batch(["w1", vectors["w2"]], approximate=True)
    assert batch[0] == vectors.most_similar("w1", approximate=True)
    assert batch[1][0][0] == "w2"


def test_negatives_and_texts(vectors):
    found = vectors.most_similar("w1", 3, "w2", approximate=True)
    assert found == vectors.most_similar("w1", 3, "w2")
    text = vectors.closest_to_text("w1 w2 nope", 3, approximate=True)
    assert text == vectors.closest_to_text("w1 w2", 3)
    assert text.skipped == ("nope",)


def test_an_index_of_the_most_frequent_words():
    pytest.importorskip("usearch", reason="the extra 'ann' is not installed")
    vectors = random_vectors()
    vectors.build_index(restrict_vocab=100)
    found = vectors.most_similar("w200", topn=1000, approximate=True)
    assert len(found) == 100
    assert all(int(word[1:]) < 100 for word, _ in found)
    assert found == vectors.most_similar("w200", 1000, None, 100, approximate=True)
    with pytest.raises(ParameterError, match=r"that of the index, 100, got 50; call build_ind"):
        vectors.most_similar("w200", restrict_vocab=50, approximate=True)


@pytest.mark.parametrize("name", ["connectivity", "expansion_add", "expansion_search"])
def test_settings_are_checked(vectors, name):
    with pytest.raises(ParameterError, match=f"{name} must be an integer >= ., got 0"):
        vectors.build_index(**{name: 0})
