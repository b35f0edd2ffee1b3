"""Vectors of fastText's models by gensim's names: any word has one."""

from __future__ import annotations

import copy
import inspect
import pickle
from pathlib import Path

import numpy as np
import pytest

from wordgrad import load
from wordgrad.compat.gensim import adopt
from wordgrad.compat.gensim.models.callbacks import CallbackAny2Vec
from wordgrad.compat.gensim.models.fasttext import (
    FastText,
    FastTextKeyedVectors,
    load_facebook_model,
    load_facebook_vectors,
    save_facebook_model,
)
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


TEXT = [["the", "cat", "sat"], ["the", "dogs", "sat", "on", "the", "rug"]] * 60
SMALL = {"vector_size": 8, "min_count": 1, "workers": 1, "sample": 0, "bucket": 500, "alpha": 0.1}
trains = pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")


def parts_of(wv, word):
    """A word's vector by the definition: the mean of its row and of those of its n-grams."""
    row = wv.get_index(word)
    rows = [wv.vectors_vocab[row], *wv.vectors_ngrams[wv.buckets_word[row]]]
    return np.mean(rows, axis=0)


@trains
@pytest.mark.parametrize("settings", [{}, {"sg": 1}, {"hs": 1, "negative": 0}, {"cbow_mean": 0}])
def test_a_model_trains_and_its_rows_are_those_of_its_vectors(settings, tmp_path) -> None:
    model = FastText(TEXT, **SMALL | settings)
    wv = model.wv
    assert not wv.vectors_ngrams[np.setdiff1d(np.arange(500), np.hstack(wv.buckets_word))].any()
    for word in wv.index_to_key:
        same(wv[word], parts_of(wv, word))
    model.save(tmp_path / "model")
    save_facebook_model(model, tmp_path / "model.bin")
    files = FastText.load(tmp_path / "model"), load_facebook_model(tmp_path / "model.bin")
    for twin in (*files, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert (twin.wv.vectors == wv.vectors).all()
        assert (twin.wv["catsat"] == wv["catsat"]).all()
        for name in ("syn1", "syn1neg"):
            assert hasattr(twin, name) == hasattr(model, name)
            assert np.array_equal(getattr(twin, name, 0), getattr(model, name, 0))
        before = twin.wv["catsat"].copy()
        twin.build_vocab([["catfish", "cat"]], update=True)
        twin.train(TEXT, total_examples=120, epochs=1)
        assert (twin.wv["catsat"] != before).any()
        same(twin.wv["catfish"], parts_of(twin.wv, "catfish"))
        assert (wv["catsat"] == before).all()  # the other one's stay


@trains
def test_callbacks_see_and_change_the_rows_that_train() -> None:
    seen = []

    class Watch(CallbackAny2Vec):
        def on_epoch_begin(self, model):
            seen.append((model.wv["cat"].copy(), model.wv["catsat"].copy()))
            same(model.wv["cat"], parts_of(model.wv, "cat"))
            if len(seen) == 3:
                model.wv.vectors_vocab[:] = 100

    model = FastText(TEXT, **SMALL, epochs=3, callbacks=[Watch()])
    assert all((seen[0][i] != seen[1][i]).any() for i in (0, 1))
    assert model.wv.vectors_vocab.min() > 50


@trains
def test_rows_are_locked_each_by_its_factor() -> None:
    model = FastText(**SMALL, sg=1)
    model.build_vocab(TEXT)
    wv = model.wv
    wv.vectors_vocab_lockf = np.ones(len(wv), np.float32)
    wv.vectors_vocab_lockf[wv.get_index("cat")] = 0
    wv.vectors_ngrams_lockf = np.full(1, 0.5, np.float32)
    words, ngrams = wv.vectors_vocab.copy(), wv.vectors_ngrams.copy()
    model.train(TEXT, total_examples=120, epochs=2)
    word = wv.get_index("dogs")  # whose n-grams no other word has
    step = wv.vectors_vocab[word] - words[word]
    for bucket in wv.buckets_word[word]:
        others = [bucket in wv.buckets_word[row] for row in range(len(wv)) if row != word]
        if not any(others) and (wv.buckets_word[word] == bucket).sum() == 1:
            same(wv.vectors_ngrams[bucket] - ngrams[bucket], step / 2)
    assert (wv.vectors_vocab[wv.get_index("cat")] == words[wv.get_index("cat")]).all()
    wv.vectors_ngrams_lockf = np.ones(3)
    with pytest.raises(ValueError, match="vectors_ngrams_lockf must hold a number from 0 to 1"):
        model.train(TEXT, total_examples=120, epochs=2)


@trains
@pytest.mark.filterwarnings("ignore")  # gensim's own
def test_gensim_opens_what_is_saved(tmp_path) -> None:
    theirs = pytest.importorskip("gensim.models.fasttext", reason="gensim is not installed")
    model = FastText(TEXT, **SMALL)
    save_facebook_model(model, tmp_path / "model.bin")
    opened = theirs.load_facebook_model(str(tmp_path / "model.bin"))
    for word in ("cat", "catsat"):
        same(opened.wv[word], model.wv[word])
    same(opened.syn1neg, model.syn1neg)
    names = [list(inspect.signature(one).parameters) for one in (FastText, theirs.FastText)]
    assert names[0] == names[1]


def test_words_that_are_no_strings_are_refused() -> None:
    with pytest.raises(TypeError, match="they must be strings, got 7"):
        FastText([[7, 8]] * 9, min_count=1)
    with pytest.raises(NotImplementedError, match="word_ngrams must be 1"):
        FastText(word_ngrams=2)
    with pytest.raises(NotImplementedError, match="classifier"):
        load_facebook_model(MODEL.with_name("softmax_all.bin"))
    with pytest.warns(DeprecationWarning, match="load_facebook_model"):
        assert len(FastText.load_fasttext_format(MODEL).wv) > 3


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
    with pytest.raises(ParameterError, match=r"vectors_ngrams must have shape \(0, 2\), got"):
        kv.vectors_ngrams = np.zeros((1, 2))


@pytest.mark.filterwarnings("ignore")  # gensim's own
def test_gensims_are_the_same_and_are_adopted() -> None:
    theirs = pytest.importorskip("gensim.models.fasttext", reason="gensim is not installed")
    ours, wanted = load_facebook_vectors(MODEL), theirs.load_facebook_vectors(str(MODEL))
    for word in [*ours.index_to_key[1:5], *UNSEEN]:  # gensim gives </s> n-grams
        same(ours[word], wanted[word])
        same(adopt(wanted)[word], wanted[word])
    same(ours.vectors_ngrams, wanted.vectors_ngrams)
