"""Vectors of fastText's models by gensim's names: any word has one."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

from wordgrad import load
from wordgrad.compat.gensim import adopt
from wordgrad.compat.gensim.models.fasttext import FastTextKeyedVectors, load_facebook_vectors
from wordgrad.errors import FormatError, ParameterError

MODEL = Path(__file__).parents[1] / "fasttext_models" / "skipgram.bin"
UNSEEN = ["unseen", "bakezu", "東té"]


def same(ours, wanted) -> None:
    np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-6)


def test_known_and_unseen_words_have_vectors(tmp_path) -> None:
    kv, vectors = load_facebook_vectors(MODEL), load(MODEL)
    assert kv.index_to_key == list(vectors.words)
    for word in [*kv.index_to_key[:3], *UNSEEN]:
        same(kv[word], vectors[word])
        assert word in kv
        assert np.linalg.norm(kv.get_vector(word, norm=True)) == pytest.approx(1)
    assert kv.get_index("unseen", -1) == -1
    assert kv.most_similar("unseen", topn=2)[0][0] == vectors.most_similar("unseen", topn=1)[0][0]
    assert kv.similarity("unseen", "bakezu") == pytest.approx(
        vectors.similarity("unseen", "bakezu"), abs=1e-6
    )
    assert kv.vectors_vocab.shape == (len(kv), kv.vector_size)
    assert kv.vectors_ngrams.shape == (kv.bucket, kv.vector_size)
    same(kv.get_sentence_vector(["unseen"]), kv.get_vector("unseen", norm=True))
    assert kv.vectors_for_all(["unseen"]).index_to_key == ["unseen"]
    assert kv.vectors_for_all(["unseen"], allow_inference=False).index_to_key == []
    kv.save(tmp_path / "kv")
    for twin in (FastTextKeyedVectors.load(tmp_path / "kv"), copy.deepcopy(kv)):
        for word in [kv.index_to_key[0], *UNSEEN]:
            same(twin[word], kv[word])


def test_what_has_no_ngrams_is_refused() -> None:
    with pytest.raises(ParameterError, match="UTF-8"):
        load_facebook_vectors(MODEL, encoding="latin-1")
    with pytest.raises(FormatError):
        load_facebook_vectors(__file__)
    kv = FastTextKeyedVectors(2, 3, 6, bucket=0)
    assert "unseen" not in kv
    assert kv.vectors_ngrams.shape == (0, 2)
    with pytest.raises(KeyError, match="unseen"):
        kv["unseen"]
    with pytest.raises(ParameterError, match=r"shape \(0, 2\), a row a bucket, got \(1, 2\)"):
        kv.take_ngrams(np.zeros((0, 2)), np.zeros((1, 2)))


@pytest.mark.filterwarnings("ignore")  # gensim's own
def test_gensims_are_the_same_and_are_adopted() -> None:
    theirs = pytest.importorskip("gensim.models.fasttext", reason="gensim is not installed")
    ours, wanted = load_facebook_vectors(MODEL), theirs.load_facebook_vectors(str(MODEL))
    for word in [*ours.index_to_key[1:5], *UNSEEN]:  # gensim gives </s> n-grams
        same(ours[word], wanted[word])
        same(adopt(wanted)[word], wanted[word])
    same(ours.vectors_ngrams, wanted.vectors_ngrams)
