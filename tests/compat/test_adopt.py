"""Live objects of gensim are taken over, vectors and all."""

from __future__ import annotations

import numpy as np
import pytest

from wordgrad.compat.gensim import adopt
from wordgrad.errors import ParameterError

TEXT = [["the", "cat", "sat"], ["the", "dog", "sat", "on", "the", "rug"]] * 30
theirs = pytest.importorskip("gensim.models", reason="gensim is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # gensim's own


def test_a_model_is_taken_over_and_trains_on(tmp_path) -> None:
    model = theirs.Word2Vec(TEXT, vector_size=8, min_count=1, workers=1, sample=0)
    ours = adopt(model)
    assert (ours.wv.vectors == model.wv.vectors).all()
    assert (ours.syn1neg == model.syn1neg).all()
    assert (ours.cum_table == model.cum_table).all()
    assert ours.wv.get_vecattr("cat", "count") == 30
    assert ours.sample == 0
    assert ours.wv.most_similar("cat")[0][0] == model.wv.most_similar("cat")[0][0]
    ours.build_vocab([["owl", "cat"]], update=True)
    ours.train(TEXT, total_examples=60, epochs=2)
    assert (ours.wv["cat"] != model.wv["cat"]).any()
    ours.save(tmp_path / "ours")
    again = type(ours).load(tmp_path / "ours")
    assert (again.wv.vectors == ours.wv.vectors).all()


def test_a_model_of_ngrams_is_taken_over_and_trains_on() -> None:
    model = theirs.FastText(TEXT, vector_size=8, min_count=1, workers=1, bucket=50)
    ours = adopt(model)
    for word in ("cat", "cats"):
        np.testing.assert_allclose(ours.wv[word], model.wv[word], rtol=1e-5, atol=1e-7)
    ours.train(TEXT, total_examples=60, epochs=2)
    assert (ours.wv["cats"] != model.wv["cats"]).any()


def test_vectors_and_phrases_are_taken_over() -> None:
    kv = theirs.KeyedVectors(2)
    kv.add_vectors(["a", 7], np.array([[1, 2], [3, 4]], np.float32))
    ours = adopt(kv)
    ours["a"] = [5, 6]
    assert kv["a"].tolist() == [1, 2]
    assert ours[7].tolist() == [3, 4]
    phrases = theirs.Phrases(TEXT, min_count=1, threshold=0.5)
    for one in (phrases, phrases.freeze()):
        assert list(adopt(one)[TEXT]) == list(one[TEXT])


def test_what_is_not_gensims_is_refused() -> None:
    with pytest.raises(ParameterError, match="got dict"):
        adopt({})
    kv = theirs.KeyedVectors(2)
    del kv.expandos
    with pytest.raises(ParameterError, match=r"lacks expandos.*before 4"):
        adopt(kv)
