"""Vectors of unseen words from character n-grams."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from wordgrad import WordVectors, load
from wordgrad.errors import FormatError, ParameterError, UnknownWordError
from wordgrad.evaluation import evaluate_similarity
from wordgrad.io.fasttext_model import DenseMatrix
from wordgrad.subwords import Subwords, ngram_hashes

TABLE = DenseMatrix(np.random.default_rng(1).normal(size=(3 + 7, 4)).astype(np.float32))


def ngrams_of(word, minn, maxn):
    """Hashes by the words of fastText's Dictionary::computeSubwords and Dictionary::hash."""
    text = b"<" + word + b">"
    found = []
    for i in range(len(text)):
        if text[i] & 0xC0 == 0x80:
            continue
        j, n, piece = i, 1, b""
        while j < len(text) and n <= maxn:
            piece += text[j : j + 1]
            j += 1
            while j < len(text) and text[j] & 0xC0 == 0x80:
                piece += text[j : j + 1]
                j += 1
            if n >= minn and not (n == 1 and (i == 0 or j == len(text))):
                h = 2166136261
                for byte in piece:
                    h = (h ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619 % 2**32
                found.append(h)
            n += 1
    return found


@given(
    words=st.lists(st.one_of(st.binary(max_size=8), st.text(max_size=6).map(
        lambda text: text.encode(errors="replace"))), max_size=5),
    minn=st.integers(0, 4),
    maxn=st.integers(0, 6),
)  # fmt: skip
def test_hashes_and_their_order_are_fasttexts(words, minn, maxn):
    owners, hashes = ngram_hashes(words, minn, maxn)
    for i, word in enumerate(words):
        wanted = [] if word == b"</s>" else ngrams_of(word, minn, maxn)
        assert hashes[owners == i].tolist() == wanted
    assert (np.diff(owners) >= 0).all()


@pytest.mark.parametrize("kept", [None, [(1, 0), (4, 2), (6, 1)], []])
def test_a_vector_is_the_mean_of_its_rows(kept):
    pruned = None if kept is None else np.array(kept, np.int32).reshape(-1, 2)
    subwords = Subwords(TABLE, 3, 2, 3, 7, pruned)
    words, ids = ["ab", "naïve", "</s>", "", "東"], [1, -1, 0, -1, 2]
    places = {number: number for number in range(7)} if kept is None else dict(kept)
    for word, row, vector in zip(words, ids, subwords.compose(words, ids), strict=True):
        rows = [row] if row >= 0 else []
        if word != "</s>":
            numbers = [h % 7 for h in ngrams_of(word.encode(), 2, 3)]
            rows += [3 + places[number] for number in numbers if number in places]
        wanted = TABLE.values[rows].sum(axis=0) / max(1, len(rows))
        np.testing.assert_allclose(vector, wanted, rtol=1e-5, atol=1e-6)


def test_words_without_ngrams_are_zero_and_not_known():
    for subwords in (Subwords(TABLE, 3, 3, 0, 7), Subwords(TABLE, 3, 3, 6, 0)):
        assert not subwords.compose(["ab"]).any()
        assert subwords.vector("ab") is None
    subwords = Subwords(TABLE, 3, 3, 6, 7)
    assert subwords.vector("</s>") is None
    for word in ("ab", b"a", "naïve"):
        np.testing.assert_allclose(subwords.vector(word), subwords.compose([word])[0], rtol=1e-5)
    assert subwords.compose([]).shape == (0, 4)
    assert subwords.vector_size == 4


def test_one_string_and_rows_that_are_not_there_are_refused():
    subwords = Subwords(TABLE, 3, 3, 6, 7)
    with pytest.raises(ParameterError, match="words must be a sequence of words, got 'ab'"):
        subwords.compose("ab")
    for ids in ([3], [-2], [0, 1]):
        with pytest.raises(ParameterError, match="ids must hold a row below 3"):
            subwords.compose(["ab"], ids)


# ------------------------------------------------------------------ held by word vectors

MODELS = Path(__file__).parents[1] / "fasttext_models"
ANSWERS = json.loads((MODELS / "answers.json").read_text())


@pytest.mark.parametrize("name", ["skipgram.bin", "cbow.bin", "whole_words.bin"])
def test_vectors_of_a_model_compose_what_fasttext_composes(name):
    vectors = load(MODELS / name)
    assert list(vectors.words) == ANSWERS[name]["words"]
    for word, wanted in ANSWERS[name]["vectors"].items():
        if word not in vectors and not any(wanted):
            with pytest.raises(UnknownWordError, match="is not among the"):
                _ = vectors[word]
            continue
        np.testing.assert_allclose(vectors[word], wanted, rtol=1e-5, atol=1e-8)
        assert not vectors[word].flags.writeable
        assert vectors[word].dtype == np.float32


def test_quantised_models_of_vectors_are_read():
    vectors = load(MODELS / "hs_pruned.ftz")
    assert vectors.subwords.pruned is not None
    assert np.isfinite(vectors["unseenbake"]).all()


def test_unseen_words_are_asked_for_like_others():
    vectors = load(MODELS / "skipgram.bin")
    assert "bakezz" not in vectors
    first, second = vectors["bakezz"], vectors[vectors.words[1]]
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert vectors.similarity("bakezz", vectors.words[1]) == pytest.approx(cosine, abs=1e-6)
    assert vectors.similarity(vectors.words[1], "bakezz") == pytest.approx(cosine, abs=1e-6)
    found = vectors.most_similar("bakezz", topn=len(vectors))
    assert found == vectors.most_similar(first, topn=len(vectors))
    assert dict(found)[vectors.words[1]] == pytest.approx(cosine, abs=1e-6)
    mixed = vectors.most_similar(["bakezz", vectors.words[0]], on_unknown="skip")
    assert mixed.skipped == ()
    assert vectors.words[0] not in dict(mixed)
    with pytest.raises(UnknownWordError, match="is not among the"):
        load(MODELS / "whole_words.bin").most_similar("bakezz")


def test_copies_and_selections_compose_alike():
    vectors = load(MODELS / "skipgram.bin")
    wanted = vectors["bakezz"].tolist()
    twins = [pickle.loads(pickle.dumps(vectors)), copy.deepcopy(vectors)]
    twins += [vectors.select(vectors.words[:3]), vectors.with_metadata({"a": 1})]
    for twin in twins:
        assert twin["bakezz"].tolist() == wanted
    assert load(MODELS / "skipgram.bin", limit=2)["bakezz"].tolist() == wanted


def test_subwords_that_do_not_fit_are_refused():
    with pytest.raises(ParameterError, match="subwords must have 2 dimensions, as the matrix"):
        WordVectors(["a"], [[1.0, 2.0]], subwords=Subwords(TABLE, 1, 3, 6, 7))
    with pytest.raises(ParameterError, match="subwords must be a Subwords or None, got 3"):
        WordVectors(["a"], [[1.0, 2.0]], subwords=3)


def test_ngrams_that_are_not_finite_are_told():
    broken = DenseMatrix(np.full((10, 2), np.inf, np.float32))
    vectors = WordVectors(["a"], [[1.0, 2.0]], subwords=Subwords(broken, 3, 2, 3, 7))
    with pytest.raises(FormatError, match="not finite in an n-gram of 'bc'"):
        _ = vectors["bc"]


@pytest.mark.filterwarnings("ignore")  # gensim's own
@pytest.mark.parametrize("settings", [{"min_n": 2, "max_n": 4}, {"max_n": 0}, {"hs": 1, "sg": 1}])
def test_models_that_gensim_wrote(settings, tmp_path):
    gensim = pytest.importorskip("gensim.models.fasttext", reason="gensim is not installed")
    draw = np.random.default_rng(2)
    sentences = [draw.choice(["tea", "cup", "naïve", "東京", "of", "x"], 8).tolist()] * 40
    model = gensim.FastText(vector_size=8, min_count=1, bucket=60, epochs=2, workers=1, **settings)
    model.build_vocab(sentences)
    model.train(sentences, total_examples=len(sentences), epochs=2)
    path = str(tmp_path / "gensim.bin")
    gensim.save_facebook_model(model, path)
    vectors = load(path)
    assert list(vectors.words) == model.wv.index_to_key
    words = [*vectors.words]
    if settings.get("max_n") != 0:
        words += ["teacup", "unseen", "東"]
    for word in words:
        np.testing.assert_allclose(vectors[word], model.wv[word], rtol=1e-5, atol=1e-7)


def test_comparisons_compose_unseen_words():
    vectors = load(MODELS / "skipgram.bin")
    known, unseen = vectors.words[1], "bakezz"
    words = [known, unseen, vectors.words[2]]
    wanted = [1 - vectors.similarity(known, word) for word in words]
    np.testing.assert_allclose(vectors.distances(known, words), wanted, atol=1e-6)
    assert vectors.distances(unseen, [unseen]) == pytest.approx([0], abs=1e-6)
    mean = vectors.mean_vector(words, normalise=False)
    assert mean.used == 3
    np.testing.assert_allclose(mean.vector, vectors[words].mean(axis=0), rtol=1e-5, atol=1e-9)
    skipping = vectors.mean_vector([*words, "</s>x" if "</s>" not in vectors else ""],
                                   on_unknown="skip")  # fmt: skip
    assert skipping.used >= 3
    assert vectors.n_similarity([unseen], [unseen]) == pytest.approx(1)
    assert vectors.doesnt_match([unseen, unseen, known]) == known
    assert vectors.closest_to_text([unseen])[0] == vectors.most_similar(unseen, topn=1)[0]


def test_unseen_words_are_evaluated_apart(tmp_path):
    vectors = load(MODELS / "skipgram.bin")
    first, second, third = vectors.words[1:4]
    pairs = [(first, second, 1), (first, "BAKEZZ", 2), (third, "bakezz", 3), ("", third, 4)]
    path = tmp_path / "set.tsv"
    path.write_text("".join(f"{a}\t{b}\t{score}\n" for a, b, score in pairs[:3]))
    plain = evaluate_similarity(vectors, path)
    assert (plain.pairs, plain.composed, plain.total) == (1, 0, 3)
    found = evaluate_similarity(vectors, path, compose=True)
    assert (found.pairs, found.composed, found.total) == (3, 2, 3)
    cosines = [vectors.similarity(a, b.lower()) for a, b, _ in pairs[:3]]
    assert found.correlation == pytest.approx(spearmanr(cosines, [1, 2, 3]).statistic)
    without = WordVectors(vectors.words, vectors.matrix)
    assert evaluate_similarity(without, path, compose=True).pairs == 1
