"""``Doc2Vec``: what it learns, infers, answers, saves and refuses."""

import pickle

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from wordgrad import Doc2Vec, Word2Vec, learn_phrases, load
from wordgrad.errors import (
    FormatError,
    InputError,
    ParameterError,
    UnknownTextsWarning,
    UnknownWordError,
)

BOTH = "hierarchical-softmax+negative-sampling"
KINDS = [
    {},
    {"train_words": True},
    {"architecture": "dm"},
    {"architecture": "dm", "combine": "sum"},
    {"architecture": "dm", "combine": "concat", "window": 2},
    {"architecture": "dm", "cbow_step": "whole", "learning_rate": 0.03},
    {"loss": "hierarchical-softmax"},
    {"architecture": "dm", "loss": "hierarchical-softmax"},
    {"architecture": "dm", "combine": "concat", "window": 2, "loss": BOTH},
]
kinds = pytest.mark.parametrize("kind", KINDS)


def texts_of(n=60, length=20, seed=0):
    rng = np.random.default_rng(seed)
    return [[f"{'ab'[k % 2]}{word}" for word in rng.integers(0, 12, length)] for k in range(n)]


TEXTS = texts_of()


def model_of(**settings):
    given = {"vector_size": 12, "min_count": 1, "sample": 0, "workers": 1, "epochs": 15}
    return Doc2Vec(**(given | settings))


def accuracy(vectors):
    """Of the nearest mean, of documents of two topics by turns."""
    topics = np.arange(len(vectors)) % 2
    means = np.stack([vectors[topics == k].mean(axis=0) for k in (0, 1)])
    distances = np.linalg.norm(vectors[:, None] - means, axis=2)
    return (distances.argmin(axis=1) == topics).mean()


@pytest.mark.parametrize("kind", [*KINDS[:2], {"loss": "hierarchical-softmax"}, {"loss": BOTH}])
def test_learnt_and_inferred_vectors_tell_topics_apart(kind):
    model = model_of(**kind).fit(TEXTS)
    assert model.documents_.words == tuple(map(str, range(60)))
    assert accuracy(model.documents_.matrix) == 1
    inferred = model.infer(texts_of(seed=1))
    assert accuracy(inferred) == 1
    means = [model.documents_.matrix[k::2].mean(axis=0) for k in (0, 1)]
    units = inferred / np.linalg.norm(inferred, axis=1, keepdims=True)
    nearest = np.argmax(units @ np.transpose(means), axis=1)
    assert (nearest == np.arange(60) % 2).mean() > 0.95  # they lie where the learnt ones lie


@kinds
def test_the_same_text_gets_the_same_vector(kind):
    model = model_of(**kind).fit(TEXTS)
    new = texts_of(30, seed=2)
    together = model.infer(new, workers=2)
    for k in (0, 7, 29):
        np.testing.assert_array_equal(model.infer([new[k]])[0], together[k])
    np.testing.assert_array_equal(model.infer(new[::-1])[::-1], together)
    np.testing.assert_array_equal(model.infer([" ".join(text) for text in new]), together)
    assert not np.array_equal(model.infer(new, seed=5), together)
    longer = model.infer(new, epochs=40, learning_rate=0.1)
    assert np.linalg.norm(longer) > np.linalg.norm(together)


@kinds
def test_the_model_is_not_changed_by_inference(kind):
    model = model_of(**kind).fit(TEXTS)
    before = model._inference.W_in.copy(), model._inference.W_out.copy()
    model.infer(TEXTS)
    np.testing.assert_array_equal(model._inference.W_in, before[0])
    np.testing.assert_array_equal(model._inference.W_out, before[1])


@kinds
def test_one_file_holds_all_of_it(kind, tmp_path):
    model = model_of(**kind).fit(TEXTS)
    path = tmp_path / "model.safetensors"
    model.save(path)
    again = Doc2Vec.load(path)
    settings = {name for name, value in model.get_params().items() if value is not None}
    assert {name: again.get_params()[name] for name in settings} == {
        name: model.get_params()[name] for name in settings
    }
    np.testing.assert_array_equal(again.infer(TEXTS[:5]), model.infer(TEXTS[:5]))
    alone = "architecture" not in kind and "train_words" not in kind
    assert (again.vectors_ is None) == alone
    assert again.history_ == model.history_
    vectors = load(path)
    assert vectors.words == model.documents_.words
    np.testing.assert_array_equal(vectors.matrix, model.documents_.matrix)
    assert load(path, limit=3).words == ("0", "1", "2")


def test_a_damaged_file_is_refused(tmp_path):
    model = model_of(epochs=4).fit(TEXTS)
    path = tmp_path / "model.safetensors"
    model.save(path)
    whole = path.read_bytes()
    for place in np.linspace(8, len(whole) - 1, 40).astype(int):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(FormatError):
            Doc2Vec.load(path)
    path.write_bytes(whole[:-7])
    with pytest.raises(FormatError, match="not a whole safetensors file"):
        Doc2Vec.load(path)
    model.documents_.save(tmp_path / "vectors.safetensors")
    with pytest.raises(FormatError, match="no documents of wordgrad"):
        Doc2Vec.load(tmp_path / "vectors.safetensors")


@kinds
def test_a_training_is_resumed(kind, tmp_path):
    given = {"validation": texts_of(10, seed=3), "epochs": 4}
    whole = model_of(**given, **kind).fit(TEXTS)
    part = model_of(**(given | {"epochs": 2}), **kind, checkpoint=tmp_path / "c").fit(TEXTS)
    assert len(part.history_) == 2
    again = Doc2Vec.from_checkpoint(tmp_path / "c", epochs=4)
    assert again.architecture == kind.get("architecture", "dbow")
    again.resume()
    # Its learning rate fell as in a training of two epochs.
    assert [record["epoch"] for record in again.history_] == [1, 2, 3, 4]
    assert again.documents_.words == whole.documents_.words
    assert "validation_loss" in again.history_[3]
    with pytest.raises(InputError, match="is not the one that this training began with"):
        Doc2Vec.from_checkpoint(tmp_path / "c").resume([(text, "x") for text in TEXTS])
    with pytest.raises(ParameterError, match="leave that out"):
        Doc2Vec.from_checkpoint(tmp_path / "c", combine="sum" if kind == {} else "mean",
                                train_words=kind == {}, window=9).resume()  # fmt: skip


def test_held_out_documents_are_better_predicted_with_training():
    model = model_of(validation=texts_of(20, seed=5), epochs=8).fit(TEXTS)
    losses = [record["validation_loss"] for record in model.history_]
    assert losses[-1] < losses[0] < 4.2  # (1 + K) ln 2 is what nothing gives
    stopped = model_of(validation=texts_of(20, seed=5), epochs=200, early_stopping=2).fit(TEXTS)
    best = min(stopped.history_, key=lambda record: record["validation_loss"])["epoch"]
    assert len(stopped.history_) == best + 2 < 200


def test_tags_several_a_document():
    tagged = [(text, [k, "ab"[k % 2]]) for k, text in enumerate(TEXTS)]
    model = model_of(train_words=True).fit(tagged)
    assert len(model.documents_) == 62
    assert model.documents_.counts[1] == 30
    np.testing.assert_array_equal(model.vector(3), model.documents_["3"])
    assert model.most_similar("a", topn=2, among="documents")[0].name in map(str, range(0, 60, 2))
    near = model.most_similar("a", words=["a3"], topn=100, among="both")
    assert {one.kind for one in near} == {"document", "word"}
    assert not {"a", "a3"} & {one.name for one in near}
    assert len(near) == 62 + 24 - 2
    assert near == sorted(near, key=lambda one: -one.score)
    assert [one.name[0] for one in model.most_similar("b", topn=4, among="words")] == ["b"] * 4
    assert model.most_similar([model.infer([TEXTS[0]])[0], 2], topn=1)[0].kind == "document"


def test_questions_that_cannot_be_answered():
    model = model_of(epochs=4).fit(TEXTS)
    with pytest.raises(UnknownWordError):
        model.vector("sport")
    with pytest.raises(ParameterError, match="no word vectors, for dbow trains documents alone"):
        model.most_similar("0", among="words")
    with pytest.raises(ParameterError, match="needs a document or a word"):
        model.most_similar()
    with pytest.raises(ParameterError, match="must be 12 finite numbers"):
        model.most_similar(np.ones(3))
    with pytest.raises(ParameterError, match="a tag must be a string or an integer"):
        model.vector(1.5)
    with pytest.raises(ParameterError, match="among must be one of"):
        model.most_similar("0", among="tags")


def test_documents_without_known_words_are_zero_and_counted():
    texts = [*TEXTS, ["rare"], []]
    with pytest.warns(UnknownTextsWarning, match="2 of 62 documents hold no word"):
        model = model_of(min_count=2).fit(texts)
    assert model.n_empty_ == 2
    assert not model.documents_.matrix[60:].any()
    assert len(model.documents_) == 62
    with pytest.warns(UnknownTextsWarning, match="1 of 2 texts hold no word"):
        vectors = model.infer(["a0 a1", "what"])
    assert vectors[0].any()
    assert not vectors[1].any()


def test_phrases_are_joined_in_training_and_inference(tmp_path):
    texts = [f"big apple {'taxi cab' if k % 2 else 'fruit cake'} big apple" for k in range(60)]
    phrases = learn_phrases(texts, threshold=0.01)
    model = model_of(phrases=phrases, train_words=True, validation=texts[:6]).fit(texts)
    assert {"big_apple", "taxi_cab", "fruit_cake"} == set(model.vectors_.words)
    assert model.validation_["unknown"] == 0
    vector = model.infer(["big apple"])
    np.testing.assert_array_equal(vector, model.infer([["big_apple"]]))
    model.save(tmp_path / "model.safetensors")
    again = Doc2Vec.load(tmp_path / "model.safetensors")
    assert again.phrases_ == model.phrases_ == again.phrases
    np.testing.assert_array_equal(again.infer(["big apple"]), vector)
    whole = (tmp_path / "model.safetensors").read_bytes()
    place = whole.index(b"taxi")
    (tmp_path / "model.safetensors").write_bytes(whole[:place] + b"tax1" + whole[place + 4 :])
    with pytest.raises(FormatError):
        Doc2Vec.load(tmp_path / "model.safetensors")


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
@pytest.mark.parametrize(
    "kind",
    [
        {"train_words": True},
        {"architecture": "dm", "combine": "concat"},
        {"architecture": "dm", "loss": "hierarchical-softmax"},
    ],
)
def test_words_start_from_vectors(kind):
    given = Word2Vec(12, min_count=1, sample=0, epochs=40, workers=1).fit(TEXTS).vectors_
    still = {"learning_rate": 1e-6, "epochs": 1, "window": 2}
    model = model_of(vectors=given, **kind | still).fit(TEXTS)
    assert model.words_with_vectors_ == 24
    np.testing.assert_allclose(model.vectors_["a3"], given["a3"], atol=1e-3)
    with pytest.raises(ParameterError, match="vectors have 12 numbers"):
        model_of(vectors=given, vector_size=9, **kind).fit(TEXTS)


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_documents_alone_start_from_output_vectors(tmp_path):
    words = Word2Vec(12, min_count=1, sample=0, epochs=40, workers=1, keep_output=True).fit(TEXTS)
    words.vectors_.save(tmp_path / "words.safetensors")
    start = tmp_path / "words.safetensors"
    model = model_of(vectors=start, learning_rate=1e-6, epochs=1).fit(TEXTS)
    row = words.vectors_.vocabulary.index("a3")
    ours = model.vocabulary_.index("a3")
    np.testing.assert_allclose(model._inference.W_out[ours], words.output_vectors_[row], atol=1e-3)
    plain = Word2Vec(12, min_count=1, sample=0, workers=1).fit(TEXTS).vectors_
    with pytest.raises(ParameterError, match="dbow by itself reads no word vectors"):
        model_of(vectors=plain).fit(TEXTS)


def test_documents_of_files_and_tables(tmp_path):
    lines = [" ".join(text) for text in TEXTS]
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n")
    from_file = model_of().fit(tmp_path / "a.txt")
    np.testing.assert_array_equal(
        from_file.documents_.matrix, model_of().fit(TEXTS).documents_.matrix
    )
    frame = pl.DataFrame({"text": lines, "name": [f"n{k}" for k in range(60)]})
    frame.write_parquet(tmp_path / "a.parquet")
    for source in (frame, tmp_path / "a.parquet"):
        model = model_of(column="text", tag_column="name").fit(source)
        assert model.documents_.words[:2] == ("n0", "n1")
        np.testing.assert_array_equal(model.documents_.matrix, from_file.documents_.matrix)


def test_scikit_learns_ways():
    model = model_of()
    assert clone(model).get_params() == model.get_params()
    vectors = make_pipeline(model_of()).fit_transform(TEXTS)
    assert vectors.shape == (60, 12)
    fitted = model.fit(TEXTS)
    assert fitted.get_feature_names_out()[0] == "doc2vec0"
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.infer(TEXTS[:2]), fitted.infer(TEXTS[:2]))


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ParameterError, match='combine="concat" is for architecture="dm"'):
        model_of(combine="concat").fit(TEXTS)
    with pytest.raises(ParameterError, match="architecture must be one of 'dbow', 'dm'"):
        model_of(architecture="skipgram").fit(TEXTS)
    with pytest.raises(ParameterError, match="loss must be one of 'negative-sampling', 'hier"):
        model_of(loss="softmax").fit(TEXTS)
    with pytest.raises(InputError, match="needs at least two words"):
        model_of(loss="hierarchical-softmax", negative=1).fit(["a a a"] * 9)
    with pytest.raises(InputError, match="A tag of document 2 is of type dict"):
        model_of().fit([("a b", "x"), ("a c", [{}])])
    with pytest.raises(ParameterError, match="has no partial_fit"):
        model_of().fit(TEXTS).partial_fit(TEXTS)
    with pytest.raises(ParameterError, match=r"saved as \.safetensors"):
        model_of(epochs=4).fit(TEXTS).save("model.bin")
    with pytest.raises(InputError, match="one place for a document"):
        model_of(architecture="dm", combine="concat").fit([(text, ["a", "b"]) for text in TEXTS])


@kinds
def test_reproducible_is_the_same_for_any_number_of_workers(kind):
    models = [model_of(**kind, reproducible=True, workers=w, epochs=3).fit(TEXTS) for w in (1, 3)]
    for name in ("matrix", "metadata"):
        one, other = (getattr(model.documents_, name) for model in models)
        np.testing.assert_equal(one, other)
    np.testing.assert_array_equal(models[0]._inference.W_out, models[1]._inference.W_out)
