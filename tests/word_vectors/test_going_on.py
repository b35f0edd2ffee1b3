"""``Word2Vec`` that starts from vectors, goes on with more text, and gives texts' mean vectors."""

import pickle

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from wordgrad import Word2Vec, WordVectors
from wordgrad.errors import InputError, ParameterError, TrainingWarning, UnknownTextsWarning

TEXT = ["the cat sat on the mat", "the dog lay on the rug"] * 40
STILL = {"learning_rate": 1e-20}  # no step changes a float32


def small(**settings):
    defaults = {"vector_size": 8, "min_count": 1, "sample": 0, "workers": 1, "epochs": 2}
    return Word2Vec(**(defaults | settings))


def given(words=("cat", "dog", "elsewhere"), size=8):
    matrix = np.random.default_rng(5).normal(size=(len(words), size))
    return WordVectors(words, matrix)


# ---------------------------------------------------------------- vectors


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
@pytest.mark.parametrize("as_path", [False, True])
def test_words_start_from_the_vectors_that_are_given(tmp_path, as_path):
    vectors = start = given()
    if as_path:
        start = tmp_path / "start.safetensors"
        vectors.save(start)
    model = small(**STILL, vectors=start).fit(TEXT)
    for word in ("cat", "dog"):
        np.testing.assert_array_equal(model.vectors_[word], vectors[word])
    assert model.words_with_vectors_ == 2
    plain = small(**STILL).fit(TEXT)
    assert plain.words_with_vectors_ == 0
    np.testing.assert_array_equal(model.vectors_["sat"], plain.vectors_["sat"])


def test_given_vectors_learn_on():
    vectors = given()
    model = small(vectors=vectors).fit(TEXT)
    assert np.abs(model.vectors_["cat"] - vectors["cat"]).max() > 1e-3


@pytest.mark.parametrize(
    ("vectors", "error", "match"),
    [
        (given(size=7), ParameterError, "vectors have 7 numbers each .* set vector_size to 7"),
        (given(["x", "y"]), InputError, r"None of the 8 words .* in vectors, .* 'x', 'y'; give"),
        (3, ParameterError, r"vectors must be WordVectors or a path, got 3\."),
        ("no-such-file.bin", InputError, "no-such-file.bin"),
    ],
)
def test_vectors_that_cannot_be_used(vectors, error, match):
    with pytest.raises(error, match=match):
        small(vectors=vectors).fit(TEXT)


def test_a_resumed_training_takes_no_vectors(tmp_path):
    small(checkpoint=tmp_path / "run", vectors=given()).fit(TEXT)
    with pytest.raises(ParameterError, match="vectors are where a training starts"):
        Word2Vec.from_checkpoint(tmp_path / "run", epochs=3, vectors=given()).resume()
    assert len(Word2Vec.from_checkpoint(tmp_path / "run", epochs=3).resume().history_) == 3


# ---------------------------------------------------------------- partial_fit


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_known_rows_are_kept_and_new_ones_start_as_ever():
    model = small().fit(TEXT)
    before, outputs = model.vectors_, model.output_vectors_.copy()
    model.set_params(**STILL).partial_fit(["a cat and a bird"] * 50)
    after = model.vectors_
    for word in before.words:
        np.testing.assert_array_equal(after[word], before[word])
        np.testing.assert_array_equal(
            model.output_vectors_[after.rank(word)], outputs[before.rank(word)]
        )
    assert np.abs(after["bird"]).max() <= 1 / 16  # 1/2D
    assert np.abs(model.output_vectors_[after.rank("bird")]).max() < 1e-15  # zero, and such steps
    counts = dict(zip(after.words, after.counts.tolist(), strict=True))
    assert (counts["cat"], counts["bird"], counts["the"], counts["a"]) == (90, 50, 160, 100)
    assert sorted(counts.values(), reverse=True) == list(counts.values())
    assert after.metadata["settings"]["tokens"] == sum(counts.values())
    assert (model.report_.tokens_kept, model.report_.tokens_trained) == (250, 250)


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_a_share_of_the_output_vectors_is_added_at_the_end_and_taken_back_to_go_on():
    alone = small(architecture="cbow", output_weight=0).fit(TEXT)
    model = small(architecture="cbow", output_weight=0.5).fit(TEXT)
    together = alone.vectors_.matrix + np.float32(0.5) * alone.output_vectors_
    np.testing.assert_array_equal(model.vectors_.matrix, together)
    assert np.abs(model.output_vectors_).max() > 0.01
    before = model.vectors_
    model.set_params(**STILL, output_weight=0).partial_fit(["a cat and a bird"] * 50)
    for word in before.words:
        expected = alone.vectors_[word]
        np.testing.assert_allclose(model.vectors_[word], expected, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_vectors_that_were_kept_with_their_outputs_start_where_they_ended():
    kept = small(architecture="cbow", keep_output=True).fit(TEXT).vectors_
    went_on = small(architecture="cbow", vectors=kept, **STILL).fit(TEXT).vectors_
    for word in kept.words:
        np.testing.assert_allclose(went_on[word], kept[word], rtol=0, atol=1e-6)


def test_more_of_the_same_goes_on_learning():
    model = small().fit(TEXT)
    first = model.history_[-1]["loss"]
    model.partial_fit(TEXT)
    assert model.history_[0]["loss"] < first
    assert len(model.history_) == 2
    assert model.history_[0]["learning_rate"] > model.history_[1]["learning_rate"]


def test_the_first_call_is_fit():
    one, other = small().partial_fit(TEXT), small().fit(TEXT)
    np.testing.assert_array_equal(one.vectors_.matrix, other.vectors_.matrix)


def test_which_new_words_join():
    model = small(min_count=2).fit(TEXT).partial_fit(["cat bird bird", "mouse dog"])
    assert "bird" in model.vectors_
    assert "mouse" not in model.vectors_
    model = small(max_vocab=9).fit(TEXT).partial_fit(["owl bird bird cat"] * 2)
    assert len(model.vectors_) == 9
    assert "bird" in model.vectors_


def test_new_words_start_from_vectors():
    with pytest.warns(TrainingWarning):
        model = small(**STILL).fit(TEXT)
    vectors = given(["cat", "bird"])
    known = model.vectors_["cat"]
    with pytest.warns(TrainingWarning):
        model.set_params(vectors=vectors).partial_fit(["cat bird"] * 5)
    np.testing.assert_array_equal(model.vectors_["bird"], vectors["bird"])
    np.testing.assert_array_equal(model.vectors_["cat"], known)
    assert model.words_with_vectors_ == 1


def test_going_on_after_pickling():
    model = small().fit(TEXT)
    copy = pickle.loads(pickle.dumps(model))
    more = ["the bird sat on the cat"] * 20
    np.testing.assert_array_equal(
        copy.partial_fit(more).vectors_.matrix, model.partial_fit(more).vectors_.matrix
    )


@pytest.mark.parametrize(
    ("changes", "text", "match"),
    [
        ({"vector_size": 9}, TEXT, "goes on with vectors of 8 numbers, got vector_size=9"),
        ({"checkpoint": "run"}, TEXT, "saves no checkpoints, got checkpoint='run'; set it to None"),
        ({"loss": "softmax"}, TEXT, 'needs vectors trained with loss="negative-sampling"'),
        ({"min_count": 9}, ["x y", "y x"], "Of the 4 words of the text 0 are in the vocabulary"),
    ],
)
def test_partial_fit_refuses(changes, text, match):
    model = small().fit(TEXT)
    with pytest.raises(ValueError, match=match):
        model.set_params(**changes).partial_fit(text)


def test_a_softmax_training_cannot_go_on():
    model = small(loss="softmax").fit(TEXT)
    with pytest.raises(ParameterError, match="partial_fit needs vectors trained with loss="):
        model.set_params(loss="negative-sampling").partial_fit(TEXT)


# ---------------------------------------------------------------- transform


def test_transform_is_the_mean_of_known_words():
    model = small().fit(TEXT)
    v = model.vectors_
    with pytest.warns(UnknownTextsWarning, match="^2 of 4 texts hold no word of the vocabulary"):
        means = model.transform(["cat dog cat unknown", ["mat"], "", ["nothing here"]])
    assert (means.shape, means.dtype) == ((4, 8), np.float32)
    mean = (2.0 * v["cat"].astype(float) + v["dog"]) / 3
    np.testing.assert_allclose(means[0], mean, rtol=1e-6)
    np.testing.assert_array_equal(means[1], v["mat"])
    assert not means[2:].any()


def test_transform_cuts_texts_as_training_did():
    model = small(lowercase=True, pattern=r"\w+").fit(TEXT)
    one, other, tokens = model.transform(["CAT,Dog!", "cat dog", ["Cat", "dog"]])
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one, tokens)


def test_transform_takes_a_table_and_no_texts_at_all():
    model = small(column="body").fit({"body": TEXT, "note": TEXT})
    assert model.transform({"body": ["cat", "dog"], "note": ["x", "y"]}).shape == (2, 8)
    assert model.transform([]).shape == (0, 8)


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        ("cat", "must be a sequence of texts, got one str; put it in a list"),
        (3, "must be a sequence of texts, got one int"),
        (["cat", None], "strings or lists of tokens, got None in position 1"),
        (["cat", ["dog", 4]], "strings or lists of tokens, got 4 in position 1"),
        ([b"cat"], "strings or lists of tokens, got b'cat' in position 0"),
    ],
)
def test_transform_refuses_what_is_no_text(texts, match):
    with pytest.raises(ParameterError, match=match):
        small().fit(TEXT).transform(texts)


def test_a_pipeline_classifies_texts():
    texts = ["good fine film", "fine acting good", "bad poor film", "poor acting bad"] * 25
    labels = ["praise", "praise", "blame", "blame"] * 25
    pipeline = make_pipeline(
        Word2Vec(vector_size=16, min_count=1, workers=1, epochs=20), LogisticRegression(C=100)
    )
    assert pipeline.fit(texts, labels).predict(["fine film", "poor film"]).tolist() == [
        "praise",
        "blame",
    ]
    names = pipeline[:-1].get_feature_names_out()
    assert names.tolist() == [f"word2vec{number}" for number in range(16)]
    model = small()
    np.testing.assert_array_equal(model.fit_transform(iter(texts)), model.transform(texts))
    with pytest.raises(ParameterError, match="a sequence of texts, got one str"):
        model.fit_transform("corpus.txt")
