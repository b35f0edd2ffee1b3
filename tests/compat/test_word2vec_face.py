"""``Word2Vec`` by gensim's names: what is counted, trained, called back, saved and refused."""

from __future__ import annotations

import copy
import inspect
import logging
import pickle
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.compat.gensim import downloader
from wordgrad.compat.gensim.models import KeyedVectors, Word2Vec, word2vec
from wordgrad.compat.gensim.models.callbacks import CallbackAny2Vec
from wordgrad.compat.gensim.models.word2vec import (
    RULE_DEFAULT,
    RULE_DISCARD,
    RULE_KEEP,
    BrownCorpus,
    LineSentence,
    PathLineSentences,
    Text8Corpus,
)
from wordgrad.errors import FormatError, ParameterError

pytestmark = pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
TEXT = [["the", "cat", "sat"], ["the", "dog", "sat", "on", "the", "rug"]] * 30
SMALL = {"vector_size": 8, "min_count": 1, "workers": 1, "sample": 0}


def trained(**settings) -> Word2Vec:
    return Word2Vec(TEXT, **(SMALL | settings))


# ---------------------------------------------------------------- vocabulary


def test_words_are_counted_sorted_and_dropped() -> None:
    model = trained(min_count=31)
    assert model.wv.index_to_key == ["the", "sat"]
    assert model.wv.expandos["count"].tolist() == [90, 60]
    assert (model.corpus_count, model.corpus_total_words) == (60, 270)
    unsorted = trained(sorted_vocab=0)
    assert unsorted.wv.index_to_key == ["the", "cat", "sat", "dog", "on", "rug"]
    assert trained(null_word=1).wv.index_to_key[0] == "\0"
    assert trained(max_final_vocab=2).wv.index_to_key == ["the", "sat"]
    assert trained(max_final_vocab=4).effective_min_count == 31  # all equal counts go


@given(
    st.lists(
        st.lists(
            st.sampled_from(
                ["a", "b", "é", "東", "a b", "", " ", "\xa0", "\n", "\ud800", 7, ("x",)]
            )
            | st.text("abé\u3000\x85", max_size=3),
            max_size=4,
        ),
        max_size=12,
    ),
    st.integers(1, 3),
)
def test_words_are_numbered_as_they_come_whatever_they_are(sentences, at_once) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word2vec, "SENTENCES_AT_ONCE", at_once)
        text = word2vec.Text.read(iter(sentences))
    words = [word for sentence in sentences for word in sentence]
    assert [text.keys[row] for row in text.ids.tolist()] == words
    assert len(set(text.keys)) == len(text.keys) == len(set(words))
    assert np.diff(text.offsets).tolist() == [len(sentence) for sentence in sentences]
    if all(isinstance(word, str) and word.isalpha() for word in words):
        assert text.keys == list(dict.fromkeys(words))
    rows = {"b": 0, 7: 1}
    known = word2vec.Text.read(iter(sentences), rows)
    assert known.ids.tolist() == [rows.get(word, -1) for word in words]


def test_a_rule_decides_before_the_count() -> None:
    def rule(word, count, min_count):
        assert min_count == 31
        return {"the": RULE_DISCARD, "rug": RULE_KEEP}.get(word, RULE_DEFAULT)

    assert trained(min_count=31, trim_rule=rule).wv.index_to_key == ["sat", "rug"]
    model = Word2Vec(**SMALL | {"min_count": 31})
    model.scan_vocab(TEXT)
    report = model.prepare_vocab(dry_run=True, trim_rule=rule)
    assert report["num_retained_words"] == 2
    assert report["retain_total"] == 90
    assert len(model.wv) == 0


def test_a_vocabulary_grows_and_training_goes_on() -> None:
    model = trained()
    cat, before = model.wv["cat"].copy(), len(model.wv)
    more = [["cat", "owl", "owl"], ["owl", "the", "owl"]] * 30
    model.build_vocab(more, update=True)
    assert len(model.wv) == before + 1
    assert model.wv.get_vecattr("owl", "count") == 120
    assert model.wv.get_vecattr("cat", "count") == 60
    assert model.syn1neg.shape == model.wv.vectors.shape
    assert (model.wv["cat"] == cat).all()
    assert model.train(more, total_examples=model.corpus_count, epochs=3) == (540, 540)
    assert (model.wv["cat"] != cat).any()
    other = Word2Vec(**SMALL)
    other.build_vocab_from_freq({"cat": 5, "owl": 9, "bee": 1})
    other.train(more, total_words=180, epochs=1)
    assert other.wv.index_to_key == ["owl", "cat", "bee"]
    model.reset_from(other)
    assert model.wv.key_to_index == other.wv.key_to_index


def test_a_word_is_any_hashable_object() -> None:
    walks = [[1, (2, "x"), 1, frozenset("a"), ""]] * 50
    model = Word2Vec(walks, **SMALL)
    assert set(model.wv.index_to_key) == {1, (2, "x"), frozenset("a"), ""}
    assert model.wv[(2, "x")].shape == (8,)
    assert model.wv.most_similar([(2, "x")], topn=1)


def test_a_file_is_read_as_its_sentences_are(tmp_path) -> None:
    for name in ("text.txt", "text.csv"):  # the second is no table
        path = tmp_path / name
        path.write_text("".join(" ".join(words) + "\n" for words in TEXT))
        model = Word2Vec(corpus_file=str(path), **SMALL)
        assert (model.corpus_count, model.corpus_total_words) == (60, 270)
        assert sorted(model.wv.index_to_key) == sorted(trained().wv.index_to_key)
        before = model.wv.vectors.copy()
        assert model.train(corpus_file=path, total_words=270, epochs=2) == (540, 540)
        assert (model.wv.vectors != before).any()
    one = tmp_path / "one.txt"
    one.write_text("alone\n")
    assert Word2Vec(corpus_file=one, **SMALL).wv.index_to_key == ["alone"]


# ---------------------------------------------------------------- training


@pytest.mark.parametrize("settings", [{}, {"sg": 1}, {"cbow_mean": 0}, {"shrink_windows": False},
                                      {"window": 10**6}, {"sample": 40}, {"hs": 1},
                                      {"hs": 1, "negative": 0, "sg": 1}])  # fmt: skip
def test_every_kind_of_training_learns(settings) -> None:
    model = trained(epochs=30, alpha=0.05, compute_loss=True, **settings)
    first = trained(epochs=1, alpha=0.05, compute_loss=True, **settings)
    assert 0 < model.get_latest_training_loss() < 30 * first.get_latest_training_loss()
    assert np.isfinite(model.wv.vectors).all()
    assert [hasattr(model, name) for name in ("syn1", "syn1neg")] == [
        bool(model.hs),
        bool(model.negative),
    ]
    for name in ("syn1", "syn1neg"):
        assert not hasattr(model, name) or getattr(model, name).any()


def test_the_tree_has_paths_and_scores(tmp_path) -> None:
    model = trained(hs=1, negative=0, epochs=60, alpha=0.1)
    assert model.syn1.shape == model.wv.vectors.shape
    codes = [model.wv.get_vecattr(word, "code") for word in model.wv.index_to_key]
    assert sum(0.5 ** len(code) for code in codes) == 1  # Kraft: the tree is full
    assert [len(code) for code in codes] == sorted(len(code) for code in codes)
    usual, odd, empty = model.score([TEXT[0], ["rug", "cat", "dog"], ["nowhere"]])
    assert odd < usual < empty == 0
    with pytest.raises(RuntimeError, match="predict_output_word"):
        model.predict_output_word(["cat"])
    model.save(tmp_path / "model")
    twins = [Word2Vec.load(tmp_path / "model"), copy.deepcopy(model)]
    for twin in twins:
        assert (twin.syn1 == model.syn1).all()
        assert (twin.wv.get_vecattr("cat", "point") == model.wv.get_vecattr("cat", "point")).all()
        twin.build_vocab([["owl", "cat"]], update=True)
        assert len(twin.wv.get_vecattr("owl", "code")) > 0
        twin.train(TEXT, total_examples=60, epochs=1)
    assert (twins[0].syn1 == twins[1].syn1).all()


@pytest.mark.parametrize("sg", [0, 1])
def test_gensims_defaults_find_the_communities_of_a_graph(sg, monkeypatch) -> None:
    import gensim_face  # of the benchmarks

    for name, number in (("COMMUNITIES", 12), ("MEMBERS", 20), ("STEPS", 30)):
        monkeypatch.setattr(gensim_face, name, number)
    walks = gensim_face.communities(seed=5)
    settings = {"sg": sg, "min_count": 1, "sample": 0, "epochs": 2, "workers": 2}
    ours = gensim_face.own_community(Word2Vec(walks, **settings).wv)
    assert ours > 0.9
    if find_spec("gensim"):
        from gensim.models import Word2Vec as Theirs

        assert abs(ours - gensim_face.own_community(Theirs(walks, **settings).wv)) < 0.05


def test_the_same_settings_make_the_same_vectors() -> None:
    model = Word2Vec(**SMALL)
    model.build_vocab(TEXT)
    start = model.wv.vectors.copy()
    assert 1 / 16 < np.abs(start).max() <= 1 / 8
    model.train(TEXT, total_examples=60, epochs=5)
    assert (model.wv.vectors == trained().wv.vectors).all()
    again = model.wv.vectors.copy()
    model.train(TEXT, total_examples=60, epochs=5)
    assert (model.wv.vectors != again).any()


def test_callbacks_see_the_live_model_in_gensims_order() -> None:
    seen = []

    class Watch(CallbackAny2Vec):
        def on_train_begin(self, model):
            seen.append("begin")

        def on_epoch_begin(self, model):
            seen.append("epoch")

        def on_epoch_end(self, model):
            model.wv.most_similar("cat")
            seen.append((model.wv["cat"].copy(), model.get_latest_training_loss()))

        def on_train_end(self, model):
            seen.append("end")

    model = trained(epochs=3, callbacks=[Watch()], compute_loss=True)
    (one, a), (two, b), (three, c) = seen[2:7:2]
    assert [seen[place] for place in (0, 1, 3, 5, 7)] == ["begin", "epoch", "epoch", "epoch", "end"]
    assert (one != two).any()
    assert (two != three).any()
    assert (three == model.wv["cat"]).all()
    assert 0 < a < b < c == model.get_latest_training_loss()


def test_the_matrices_are_the_models_own_and_may_be_changed() -> None:
    model = trained()
    held = model.wv.vectors
    model.train(TEXT, total_examples=60, epochs=1)
    assert model.wv.vectors is held  # trained in place
    model.wv.vectors = np.zeros_like(held)
    model.syn1neg[:] = 0
    model.train(TEXT, total_examples=60, epochs=1)
    assert not model.wv.vectors.any()  # both are zero: so is every gradient
    model.wv["cat"] = np.ones(8)
    model.train(TEXT, total_examples=60, epochs=1)
    assert model.syn1neg.any()


def test_locked_vectors_stay() -> None:
    model = Word2Vec(**SMALL)
    model.build_vocab(TEXT)
    start = model.wv.vectors.copy()
    model.wv.vectors_lockf = np.ones(len(model.wv), np.float32)
    model.wv.vectors_lockf[2] = 0
    model.train(TEXT, total_examples=60, epochs=2)
    moved = (model.wv.vectors != start).any(axis=1)
    assert moved.tolist() == [row != 2 for row in range(len(model.wv))]
    for wrong in (np.full(1, 1.5), np.full(1, np.nan), np.ones(99)):
        model.wv.vectors_lockf = wrong
        with pytest.raises(ValueError, match="vectors_lockf must hold a number from 0 to 1 for ea"):
            model.train(TEXT, total_examples=60, epochs=2)


def test_the_middle_of_a_context_is_predicted() -> None:
    model = trained(epochs=60, alpha=0.05)
    every = model.predict_output_word(["the", "cat"], topn=99)
    assert sum(share for _, share in every) == pytest.approx(1)
    assert [word for word, _ in every[:2]] != ["the", "cat"]
    assert model.predict_output_word([0, "cat"]) == model.predict_output_word(
        [model.wv.index_to_key[0], "cat"]
    )
    assert model.predict_output_word(["nowhere"]) is None


def test_too_little_text_is_trained_on_without_an_error(caplog) -> None:
    assert Word2Vec([["alone"]], **SMALL).wv["alone"].shape == (8,)
    assert "nothing to train on" in caplog.text
    with pytest.warns(UserWarning, match="No sentence holds two words"):
        Word2Vec([["a"], ["b"]], **SMALL)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: Word2Vec([]), RuntimeError, "build vocabulary"),
        (lambda: Word2Vec(TEXT, min_count=10**6), RuntimeError, "build vocabulary"),
        (lambda: Word2Vec(words for words in TEXT), TypeError, "generator.*6 passes"),
        (lambda: downloader.load("glove"), ParameterError, "not made here: fetch the file of 'gl"),
        (lambda: downloader.info(), ParameterError, "give it to KeyedVectors.load_word2vec_format"),
        (lambda: Word2Vec(7), TypeError, "iterable of lists"),
        (lambda: Word2Vec([[["list"]]]), TypeError, "unhashable"),
        (lambda: Word2Vec(TEXT, corpus_file="x"), TypeError, "same time"),
        (lambda: Word2Vec(corpus_file="no such"), TypeError, "valid path"),
        (lambda: Word2Vec(negative=0), ValueError, "'hs' or 'negative'"),
        (lambda: Word2Vec(size=3), TypeError, "size was renamed.*vector_size"),
        (lambda: Word2Vec(TEXT, iter=3), TypeError, "iter was renamed.*epochs"),
        (lambda: Word2Vec(TEXT, nothing=3), TypeError, "nothing"),
        (lambda: Word2Vec().train(TEXT, total_examples=1, epochs=1), RuntimeError, "vocabulary"),
        (lambda: trained().train(TEXT, total_examples=60), ValueError, "explicit epochs"),
        (lambda: trained().train(TEXT, epochs=3), ValueError, "total_examples or total_words"),
        (lambda: trained().train(total_examples=60, epochs=3), TypeError, "Either one"),
        (lambda: Word2Vec(**SMALL).build_vocab(TEXT, update=True), RuntimeError, "no prior"),
        (lambda: trained().score(TEXT), RuntimeError, "score for the hierarchical softmax"),
        (lambda: trained()["cat"], TypeError, r"model\.wv\['cat'\]"),
        (lambda: "cat" in trained(), TypeError, r"in model\.wv"),
        (lambda: trained().most_similar("cat"), AttributeError, r"wv\.most_similar"),
        (lambda: trained().wv.vocab, AttributeError, "key_to_index"),
        (lambda: trained().nothing, AttributeError, "no attribute 'nothing'"),
        (lambda: trained().load("x"), AttributeError, "method of the class"),
        (lambda: trained(window=0), ParameterError, "window must be"),
        (lambda: trained(alpha=-1), ParameterError, "learning_rate must be"),
    ],
)
def test_what_gensim_refuses_is_refused(call, error, match) -> None:
    with pytest.raises(error, match=match):
        call()


def test_what_is_odd_is_logged(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        Word2Vec().build_vocab(["plain", "strings"])
        model = trained()
        model.train(TEXT, total_examples=60, epochs=1, start_alpha=0.5)
        Word2Vec(trim_rule=max)
    assert "item here is instead plain" in caplog.text
    assert "higher than previous" in caplog.text
    assert "trim_rule is of no effect" in caplog.text


@pytest.mark.skipif(not find_spec("gensim"), reason="gensim is not installed")
def test_every_signature_is_gensims() -> None:
    from gensim.models import Word2Vec as Theirs

    for name, function in inspect.getmembers(Theirs, callable):
        if (name.startswith("_") and name != "__init__") or name in ("save", "load"):
            continue
        wanted, ours = (
            [(one.name, one.default, one.kind) for one in inspect.signature(of).parameters.values()]
            for of in (function, getattr(Word2Vec, name))
        )
        assert ours == wanted, name


# ---------------------------------------------------------------- files and copies


def test_copies_pickles_and_files_train_on_apart(tmp_path) -> None:
    model = trained(comment="kept")
    path = tmp_path / "model"
    model.save(path)
    before = model.wv.vectors.copy()
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), Word2Vec.load(path, mmap="r")]
    for twin in twins:
        assert (twin.wv.vectors == model.wv.vectors).all()
        assert (twin.syn1neg == model.syn1neg).all()
        assert (twin.comment, twin.hashfxn, twin.train_count) == ("kept", hash, 1)
        assert (twin.cum_table == model.cum_table).all()
        twin.build_vocab([["cat", "owl"]], update=True)
        twin.train(TEXT, total_examples=60, epochs=2)
    assert (model.wv.vectors == before).all()
    assert (twins[0].wv.vectors == twins[2].wv.vectors).all()


class Mine(Word2Vec):
    """A user's own class."""

    def __init__(self, **options) -> None:
        super().__init__(TEXT, **SMALL, **options)
        self.extra = {"k": 3}


def test_a_class_of_ones_own_is_saved_and_opened(tmp_path) -> None:
    Mine().save(tmp_path / "mine")
    again = Mine.load(tmp_path / "mine")
    assert isinstance(again, Mine)
    assert again.extra == {"k": 3}
    assert isinstance(Word2Vec.load(tmp_path / "mine"), Word2Vec)


def test_files_of_another_class_name_the_right_one(tmp_path) -> None:
    model = trained()
    model.save(tmp_path / "model")
    model.wv.save(tmp_path / "wv")
    with pytest.raises(AttributeError, match=r"holds a KeyedVectors.*KeyedVectors\.load"):
        Word2Vec.load(tmp_path / "wv")
    with pytest.raises(AttributeError, match=r"holds a Word2Vec.*Word2Vec\.load"):
        KeyedVectors.load(tmp_path / "model")
    (tmp_path / "old").write_bytes(pickle.dumps(model))
    with pytest.raises(FormatError, match=r"pickle saved by gensim.*wv\.save_word2vec_format"):
        Word2Vec.load(tmp_path / "old")
    model.syn1neg = np.zeros((2, 8), np.float32)
    model.save(tmp_path / "model")
    with pytest.raises(FormatError, match="output vectors of another shape"):
        Word2Vec.load(tmp_path / "model")


# ---------------------------------------------------------------- sentences of files


def test_sentences_of_files(tmp_path) -> None:
    (tmp_path / "a.txt").write_text("one two three\nfour\n\nfive six\n")
    (tmp_path / "b.txt").write_text("seven\n")
    path = tmp_path / "a.txt"
    assert list(LineSentence(path)) == [["one", "two", "three"], ["four"], ["five", "six"]]
    assert list(LineSentence(path, max_sentence_length=2, limit=1)) == [["one", "two"], ["three"]]
    with path.open() as file:
        twice = LineSentence(file)
        assert list(twice) == list(twice) == list(LineSentence(path))
    assert list(PathLineSentences(tmp_path))[-1] == ["seven"]
    assert list(PathLineSentences(path)) == list(LineSentence(path))
    with pytest.raises(ValueError, match="neither a file nor a path"):
        PathLineSentences(tmp_path / "nothing")
    words = [f"w{number}" for number in range(300_000)]
    long = tmp_path / "text8"
    long.write_text(" ".join(words))
    found = list(Text8Corpus(long, max_sentence_length=1000))
    assert set(map(len, found)) == {1000}
    assert [word for sentence in found for word in sentence] == words
    brown = tmp_path / "brown"
    brown.mkdir()
    (brown / "ca01").write_text("The/AT jury/NN-TL said/VBD ./. no\n\n")
    assert list(BrownCorpus(brown)) == [["the/AT", "jury/NN", "said/VB"]]
