"""Hierarchical softmax, alone and beside negative sampling, from Python and the command line."""

import numpy as np
import pytest

from wordgrad import Word2Vec, load
from wordgrad.errors import InputError, ParameterError
from wordgrad.training.config import BOTH, HIERARCHICAL
from wordgrad.training.engines import check_device
from wordgrad.training.kernels.huffman import HuffmanTree

TOPICS = [["sun", "rain", "wind"], ["bread", "milk", "salt"], ["bus", "tram", "train"]]
RNG = np.random.default_rng(4)
TEXT = [list(RNG.choice(TOPICS[i % 3], 8)) for i in range(600)]
WORDS = [word for topic in TOPICS for word in topic]
KINDS = [(loss, kind) for loss in (HIERARCHICAL, BOTH) for kind in ("skipgram", "cbow")]


def small(**settings):
    defaults = {"vector_size": 12, "min_count": 1, "sample": 0, "workers": 1, "epochs": 3}
    return Word2Vec(**(defaults | {"loss": HIERARCHICAL} | settings))


@pytest.mark.parametrize(("loss", "architecture"), KINDS)
@pytest.mark.parametrize("settings", [{}, {"workers": 2}, {"reproducible": True}])
def test_words_of_a_topic_become_neighbours(loss, architecture, settings):
    model = small(loss=loss, architecture=architecture, epochs=6, **settings).fit(TEXT)
    losses = [record["loss"] for record in model.history_]
    assert losses == sorted(losses, reverse=True)
    assert model.output_vectors_.shape == (8 if loss == HIERARCHICAL else 8 + 9, 12)
    for topic in TOPICS:
        near = {word for word, _ in model.vectors_.most_similar(topic[0], topn=2)}
        assert near == set(topic[1:])


@pytest.mark.parametrize(("loss", "architecture"), KINDS)
def test_reproducible_is_the_same_for_any_number_of_workers(loss, architecture):
    one, four = (
        small(loss=loss, architecture=architecture, reproducible=True, workers=n).fit(TEXT)
        for n in (1, 4)
    )
    np.testing.assert_array_equal(one.vectors_.matrix, four.vectors_.matrix)
    np.testing.assert_array_equal(one.output_vectors_, four.output_vectors_)


def test_the_loss_at_the_start_is_a_coin_thrown_at_each_node():
    model = small(learning_rate=1e-20, epochs=1, on_epoch=None).fit(TEXT)
    tree = HuffmanTree.from_counts(model.vectors_.counts)
    counts = model.vectors_.counts
    mean = counts @ np.diff(tree.offsets) / counts.sum()
    assert model.history_[0]["loss"] == pytest.approx(mean * np.log(2), rel=0.01)


@pytest.mark.parametrize("loss", [HIERARCHICAL, BOTH])
def test_checkpoints_validation_and_early_stopping(tmp_path, loss):
    settings = {"loss": loss, "validation": TEXT[:30], "early_stopping": 5}
    whole = small(epochs=4, **settings).fit(TEXT)
    small(epochs=2, checkpoint=tmp_path / "run", **settings).fit(TEXT)
    again = Word2Vec.from_checkpoint(tmp_path / "run", epochs=4).resume()
    assert [record["epoch"] for record in again.history_] == [1, 2, 3, 4]
    losses = [record["validation_loss"] for record in whole.history_]
    assert losses[-1] < losses[0]
    straight = small(epochs=4, checkpoint=tmp_path / "straight", **settings).fit(TEXT)
    np.testing.assert_array_equal(straight.vectors_.matrix, whole.vectors_.matrix)


@pytest.mark.parametrize("loss", [HIERARCHICAL, BOTH])
def test_going_on_from_a_file_and_with_more_text(tmp_path, loss):
    path = tmp_path / "model.safetensors"
    model = small(loss=loss, keep_output=True).fit(TEXT)
    model.vectors_.save(path)
    still = small(loss=loss, vectors=path, learning_rate=1e-20).fit(TEXT)
    np.testing.assert_array_equal(still.output_vectors_, load(path).outputs)
    counts = dict(zip(model.vectors_.words, model.vectors_.counts.tolist(), strict=True))
    fixed = small(loss=loss, vocabulary=counts).fit(TEXT)
    before = fixed.output_vectors_.copy()
    fixed.set_params(learning_rate=1e-20).partial_fit(TEXT)  # the same tree: its nodes go on
    np.testing.assert_array_equal(fixed.output_vectors_, before)
    grown = model.partial_fit([["sun", "snow"]] * 30)
    assert "snow" in grown.vectors_
    assert len(grown.output_vectors_) == (9 if loss == HIERARCHICAL else 19)


def test_beside_negative_sampling_words_keep_their_output_vectors_in_another_tree():
    model = small(loss=BOTH).fit(TEXT)
    words, before = model.vectors_.words, model.output_vectors_[8:].copy()
    model.set_params(learning_rate=1e-20, epochs=1).partial_fit([["sun", "snow"]] * 30)
    after = model.output_vectors_[9:]
    rows = [model.vectors_.rank(word) for word in words]
    np.testing.assert_array_equal(after[rows], before)


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
def test_probabilities_of_a_trained_model(architecture):
    model = small(architecture=architecture, epochs=8).fit(TEXT)
    for topic in TOPICS:
        p = model.word_probabilities(topic[0])
        assert p.sum() == pytest.approx(1.0, rel=1e-12)
        likely = {model.vectors_.words[row] for row in np.argsort(-p)[:3]}
        assert likely == set(topic)
    if architecture == "cbow":
        both = model.word_probabilities(["sun", "rain"])
        np.testing.assert_allclose(both, model.word_probabilities("rain sun"), rtol=1e-12)
    else:
        with pytest.raises(ParameterError, match="context must be one word with skipgram, got 2"):
            model.word_probabilities("sun rain")
    with pytest.raises(ParameterError, match=r"context must be .* got 0"):
        model.word_probabilities("")
    with pytest.raises(KeyError, match="'moon' is not"):
        model.word_probabilities("moon")


@pytest.mark.parametrize(("loss", "architecture"), KINDS)
def test_the_score_of_a_text_is_the_sum_over_its_windows(loss, architecture):
    model = small(loss=loss, architecture=architecture, window=2).fit(TEXT)
    texts = ["sun rain bread sun wind", ["milk"], "", "nothing known here", "sun moon rain"]
    scores = model.score_samples(texts)
    words, window = texts[0].split(), 2
    by_hand = 0.0
    for i, centre in enumerate(words):
        context = [words[j] for j in range(len(words)) if j != i and abs(i - j) <= window]
        row = model.vectors_.rank(centre)
        for given in [[word] for word in context] if architecture == "skipgram" else [context]:
            by_hand += np.log(model.word_probabilities(given)[row])
    assert scores[0] == pytest.approx(by_hand, rel=1e-6)
    assert scores[1:4].tolist() == [0.0, 0.0, 0.0]
    assert scores[4] == pytest.approx(float(model.score_samples(["sun rain"])[0]))
    usual, odd = model.score_samples(["sun rain wind", "sun bread tram"])
    assert usual > odd


@pytest.mark.parametrize("call", ["word_probabilities", "score_samples"])
def test_other_losses_have_no_probabilities(call):
    model = small(loss="negative-sampling").fit(TEXT)
    with pytest.raises(ParameterError, match=f'{call} needs loss="hierarchical-softmax"'):
        getattr(model, call)(["sun"])


def test_with_subwords():
    model = small(subwords=(3, 4), buckets=1000, epochs=6).fit(TEXT)
    near = {word for word, _ in model.vectors_.most_similar("sun", topn=2)}
    assert near == {"rain", "wind"}
    assert np.isfinite(model.vectors_["sunny"]).all()


def test_what_is_refused():
    with pytest.raises(ParameterError, match=r"negative must be an integer in .1, 10000., got 0"):
        small(loss="negative-sampling", negative=0).fit(TEXT)
    with pytest.raises(InputError, match=r"The vocabulary of .* is one word"):
        small().fit(["a a a"])
    with pytest.raises(ParameterError, match="is not trained with device='cuda'; use device='cpu'"):
        check_device(small(device="cuda")._config())
