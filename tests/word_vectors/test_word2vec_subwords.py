"""``Word2Vec(subwords=...)``: unseen words, going on, resuming, warm starts, validation."""

import numpy as np
import pytest

from wordgrad import Word2Vec, WordVectors
from wordgrad.errors import ParameterError

pytestmark = pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")

TEXT = ["the singer sings a song to the dancer", "the dancer dances a dance", "a bird is singing"]
SETTINGS = {
    "vector_size": 8,
    "min_count": 1,
    "sample": 0,
    "workers": 1,
    "subwords": (3, 5),
    "buckets": 5000,
    "epochs": 2,
}


def fit(text=TEXT * 20, **changes):
    return Word2Vec(**(SETTINGS | changes)).fit(text)


@pytest.fixture(scope="module")
def model():
    return fit()


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
def test_unseen_words_have_vectors_and_seen_ones_those_of_their_parts(architecture):
    model = fit(architecture=architecture)
    vectors = model.vectors_
    subwords = vectors.subwords
    assert subwords.kind == (3, 5, 5000)
    composed = subwords.compose(vectors.words, np.arange(len(vectors)))
    np.testing.assert_allclose(composed, vectors.matrix, atol=1e-6)
    assert np.isfinite(vectors["dancing"]).all()
    assert "dancing" not in vectors
    assert vectors.similarity("dancing", "dances") > vectors.similarity("dancing", "bird")
    assert vectors.metadata["settings"]["subwords"] == [3, 5]


def test_one_seed_gives_the_same_bytes(model):
    np.testing.assert_array_equal(model.vectors_.matrix, fit().vectors_.matrix)
    assert (fit(seed=2).vectors_.matrix != model.vectors_.matrix).any()
    runs = [fit(reproducible=True, workers=n).vectors_ for n in (1, 2)]
    np.testing.assert_array_equal(runs[0].matrix, runs[1].matrix)


def test_more_text_brings_new_words_and_leaves_what_was_learned(model):
    model = fit()
    before = model.vectors_
    model.set_params(learning_rate=1e-9, epochs=1)
    model.partial_fit(["the singers are dancers", "singers sing"] * 5)
    after = model.vectors_
    assert {"singers", "dancers"} <= set(after.words) - set(before.words)
    np.testing.assert_allclose(after[list(before.words)], before.matrix, atol=1e-5)
    np.testing.assert_allclose(after["bring"], before["bring"], atol=1e-5)


@pytest.mark.parametrize("change", [{"subwords": None}, {"subwords": (3, 6)}, {"buckets": 4999}])
def test_more_text_needs_the_same_n_grams(change):
    model = fit().set_params(**change)
    with pytest.raises(ParameterError, match=r"goes on with the n-grams that it has .*5000"):
        model.partial_fit(TEXT)


def test_a_training_is_resumed_as_if_it_had_not_stopped(tmp_path, model):
    fit(checkpoint=tmp_path / "run", epochs=1)
    settings = {"workers": 1}
    short = Word2Vec.from_checkpoint(tmp_path / "run", **settings)
    assert tuple(short.subwords) == (3, 5)
    whole = fit(checkpoint=tmp_path / "other")
    again = Word2Vec.from_checkpoint(tmp_path / "other", epochs=3).resume()
    assert [record["epoch"] for record in again.history_] == [1, 2, 3]
    np.testing.assert_array_equal(whole.vectors_.matrix, model.vectors_.matrix)
    straight = fit(epochs=3)
    assert again.vectors_.matrix.shape == straight.vectors_.matrix.shape


def test_given_vectors_are_where_training_starts(model):
    start = {"learning_rate": 1e-12, "epochs": 1}
    given = model.vectors_
    plain = fit(vectors=WordVectors(given.words, given.matrix), **start)
    assert plain.words_with_vectors_ == len(given)
    np.testing.assert_allclose(plain.vectors_[list(given.words)], given.matrix, atol=1e-5)
    whole = fit(vectors=given, **start)
    np.testing.assert_allclose(whole.vectors_[list(given.words)], given.matrix, atol=1e-5)
    np.testing.assert_allclose(whole.vectors_["dancing"], given["dancing"], atol=1e-5)
    chosen = given.select(given.words[3:])
    some = fit(vectors=chosen, **start)
    assert some.words_with_vectors_ == len(chosen)
    np.testing.assert_allclose(some.vectors_[list(chosen.words)], chosen.matrix, atol=1e-5)


def test_texts_have_means_with_unseen_words(model):
    means = model.transform(["dances dancing", "dancing", ["dances"]])
    vectors = model.vectors_
    np.testing.assert_allclose(means[1], vectors["dancing"], atol=1e-6)
    np.testing.assert_allclose(means[0], (vectors["dances"] + vectors["dancing"]) / 2, atol=1e-6)
    np.testing.assert_allclose(means[2], vectors["dances"], atol=1e-6)


def test_held_out_text_is_measured_on_composed_vectors():
    model = fit(TEXT * 60, validation=TEXT * 5, epochs=8, learning_rate=0.2)
    losses = [record["validation_loss"] for record in model.history_]
    assert losses[-1] < losses[0] < 6 * np.log(2) + 1e-3
    assert abs(model.history_[-1]["loss"] - losses[-1]) < 0.5


def test_progress_is_told():
    records = []
    fit(progress=records.append)
    assert records[-1].words_done == records[-1].words_total


@pytest.mark.parametrize("changes", [{"loss": "softmax"}, {"device": "cuda"}])
def test_settings_that_do_not_go_together_are_refused_before_reading(changes):
    with pytest.raises(ParameterError, match="subwords are not trained with"):
        Word2Vec(**(SETTINGS | changes)).fit("missing.txt")
