"""Texts of few words (sessions, walks, k-mers, some pages) are learned with the defaults."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad import Word2Vec
from wordgrad.corpus.corpus import encode_corpus
from wordgrad.errors import TrainingWarning
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.deterministic import layout_for
from wordgrad.training.sampling import (
    SamplingTables,
    keep_probabilities,
    kept_share,
    subsampling_threshold,
    with_learning_rate,
)
from wordgrad.training.trainer import Trainer

ARCHITECTURES = ["skipgram", "cbow"]


def sessions(n=2000, items=200, groups=10, seed=0):
    """Six items each, nine in ten of one group."""
    rng = np.random.default_rng(seed)
    found = []
    for group in rng.integers(groups, size=n):
        own = group + groups * rng.integers(items // groups, size=6)
        any_item = rng.integers(items, size=6)
        found.append([f"i{item}" for item in np.where(rng.random(6) < 0.9, own, any_item)])
    return found


def walks(n=600, nodes=100, groups=5, steps=20, seed=1):
    """Walks on a graph of planted communities, which are left with one step in twenty."""
    rng = np.random.default_rng(seed)
    found = []
    for group in rng.integers(groups, size=n):
        walk = []
        for _ in range(steps):
            group = rng.integers(groups) if rng.random() < 0.05 else group
            walk.append(f"i{group + groups * rng.integers(nodes // groups)}")
        found.append(walk)
    return found


def k_mers(n=400, length=60, seed=2):
    """Overlapping triples of letters from sequences of two compositions."""
    rng = np.random.default_rng(seed)
    found = []
    for rich in rng.integers(2, size=n):
        weights = [0.4, 0.4, 0.1, 0.1] if rich else [0.1, 0.1, 0.4, 0.4]
        text = "".join(rng.choice(list("ACGT"), length, p=weights))
        found.append([text[place : place + 3] for place in range(length - 2)])
    return found


def pages(n_tokens=7000, types=2000, topics=8, seed=3):
    """Some 40 kB in words of falling frequency, whose rarer ones belong to topics."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, types + 1)
    found = []
    for topic in rng.integers(topics, size=n_tokens // 20):
        allowed = (np.arange(types) < 50) | (np.arange(types) % topics == topic)
        found.append(
            [f"w{w}" for w in rng.choice(types, 20, p=allowed * share / (allowed @ share))]
        )
    return found


def precision(vectors, groups):
    """Share of the five nearest neighbours that are of the word's group."""
    number = np.array([int(word[1:]) % groups for word in vectors.words])
    nearest = vectors.most_similar_batch(list(vectors.words), topn=5)
    return np.mean(
        [
            int(other[1:]) % groups == group
            for group, ranking in zip(number, nearest, strict=True)
            for other, _ in ranking
        ]
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("text", "groups", "least"), [(sessions, 10, 0.9), (walks, 5, 0.9)])
def test_groups_are_found_with_the_defaults(text, groups, least, architecture):
    model = Word2Vec(min_count=1, workers=1, architecture=architecture).fit(text())
    assert precision(model.vectors_, groups) > least


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("text", "least"), [(k_mers, 0.25), (pages, 0.05)])
def test_the_loss_falls_with_the_defaults(text, least, architecture):
    settings = {"min_count": 2, "workers": 1, "architecture": architecture}
    whole = text()
    model = Word2Vec(**settings, validation=whole[::10]).fit(
        [sentence for place, sentence in enumerate(whole) if place % 10]
    )
    assert model.history_[-1]["validation_loss"] < (1 - least) * 6 * math.log(2)


def test_the_fixed_threshold_learns_nothing_of_sessions_and_says_so():
    with pytest.warns(TrainingWarning) as said:
        model = Word2Vec(min_count=1, workers=1, sample=1e-4, learning_rate=0.04).fit(sessions())
    assert precision(model.vectors_, 10) < 0.2
    first, second = (str(one.message) for one in said)
    assert first.startswith("Subsampling with sample=0.0001 keeps 16.")
    assert 'use sample="auto" (here 0.0006' in first
    assert second.startswith("The loss of epoch 5 is 4.1")
    assert "next to nothing was learned" in second


def test_a_loss_that_does_not_move_is_told_of_in_the_last_epoch_alone():
    with pytest.warns(TrainingWarning, match=r"^The loss of epoch 3 is 4\.1589") as said:
        Word2Vec(8, min_count=1, workers=1, epochs=3, learning_rate=1e-9).fit(sessions(50))
    assert len(said) == 1


# ---------------------------------------------------------------- the threshold


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30))
def test_the_threshold_is_the_least_that_keeps_half(counts):
    threshold = subsampling_threshold(counts)
    assert 1e-4 <= threshold <= 1
    assert kept_share(counts, threshold) >= 0.5 - 1e-12
    if threshold > 1e-4:  # rounded up to four digits: a little less keeps too little
        assert kept_share(counts, threshold * (1 - 1.1e-3)) < 0.5
    assert (keep_probabilities(counts, "auto") == keep_probabilities(counts, threshold)).all()


def test_running_text_has_the_threshold_of_before():
    counts = np.maximum(1, 2e6 / np.arange(1, 200_001)).astype(int)
    assert kept_share(counts, 1e-4) > 0.5
    assert subsampling_threshold(counts) == 1e-4


@pytest.mark.parametrize("scale", [1, 10])
def test_the_threshold_depends_on_shares_alone(scale):
    assert subsampling_threshold([scale * 7, scale * 3]) == subsampling_threshold([7, 3])


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"reproducible": True},
        {"architecture": "cbow"},
        {"loss": "softmax", "epochs": 2},
        {"loss": "softmax", "architecture": "cbow", "epochs": 2},
    ],
)
def test_auto_is_the_number_that_it_stands_for(settings):
    """Engines, layouts, pair counts and validation all see one number."""
    text, held_out = sessions(300), sessions(30, seed=9)
    settings = {"vector_size": 8, "min_count": 1, "workers": 1, "validation": held_out} | settings
    auto = Word2Vec(**settings).fit(text)
    number = auto.vectors_.metadata["settings"]["sample"]
    assert number == subsampling_threshold(auto.vectors_.counts)
    given = Word2Vec(**settings, sample=number).fit(text)
    assert auto.vectors_.metadata["settings"] == given.vectors_.metadata["settings"]
    np.testing.assert_array_equal(auto.vectors_.matrix, given.vectors_.matrix)
    for one, other in zip(auto.history_, given.history_, strict=True):
        assert one["validation_loss"] == other["validation_loss"]
        kept = kept_share(auto.vectors_.counts, number) * auto.report_.tokens_kept
        assert one["words_trained"] == pytest.approx(kept)
    assert auto.report_.tokens_trained == pytest.approx(kept)
    assert auto.sample == "auto"


def test_tables_and_layouts_take_auto_themselves():
    with encode_corpus(sessions(300), min_count=1) as corpus:
        counts = corpus.vocabulary.counts
        auto, number = TrainingConfig(), TrainingConfig(sample=subsampling_threshold(counts))
        tables = [SamplingTables(corpus, config) for config in (auto, number)]
        np.testing.assert_array_equal(tables[0].keep, tables[1].keep)
        assert layout_for(counts, auto) == layout_for(counts, number)
        assert Trainer(corpus, auto).config == number


# ---------------------------------------------------------------- checkpoints


def began(tmp_path, **settings):
    text = sessions(200)
    settings = {"vector_size": 8, "min_count": 1, "workers": 1} | settings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        Word2Vec(**settings, epochs=1, checkpoint=tmp_path / "run").fit(text)
    return {**settings, "epochs": 2, "checkpoint": tmp_path / "run"}


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_a_checkpoint_records_the_number_and_resumes_with_it_or_auto(tmp_path):
    settings = began(tmp_path)
    model = Word2Vec.from_checkpoint(tmp_path / "run")
    resumed = Word2Vec(**settings).resume()
    assert model.sample == subsampling_threshold(resumed.vectors_.counts) > 1e-4
    assert resumed.vectors_.metadata["settings"]["sample"] == model.sample
    assert len(resumed.history_) == 2


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_auto_resumes_a_training_with_the_former_default(tmp_path):
    settings = began(tmp_path, sample=1e-4)
    resumed = Word2Vec(**(settings | {"sample": "auto"})).resume()
    assert resumed.vectors_.metadata["settings"]["sample"] == 1e-4


def test_auto_resumes_no_other_number(tmp_path):
    settings = began(tmp_path, sample=0.5)
    with pytest.raises(ValueError, match=r"sample is 0\.0\d+ and was 0\.5"):
        Word2Vec(**(settings | {"sample": "auto"})).resume()


# ---------------------------------------------------------------- learning rate


@given(
    st.lists(st.integers(1, 10_000), min_size=1, max_size=50),
    st.sampled_from(ARCHITECTURES),
    st.integers(1, 100),
)
def test_the_default_rate_falls_with_the_root_of_windows_a_word_within_bounds(
    counts, architecture, epochs
):
    config = TrainingConfig(architecture=architecture, epochs=epochs, sample=0)
    default = config.initial_rate
    rate = with_learning_rate(config, counts).initial_rate
    windows = epochs * sum(counts) / max(1, sum(count >= 5 for count in counts))
    wanted = default * min(3, max(1, math.sqrt(680 / windows)))
    assert rate == pytest.approx(wanted, rel=0.01)
    # Words that are seen now and then change nothing, however many there are.
    more = with_learning_rate(config, [*counts, *[1] * 1000]).initial_rate
    assert rate == pytest.approx(more, rel=0.01) or more < rate


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "softmax"},
        {"loss": "hierarchical-softmax"},
        {"subwords": (3, 6)},
        {"architecture": "cbow", "combine": "sum"},
        {"documents": "alone"},
    ],
)
def test_other_trainings_keep_their_rates(settings):
    config = TrainingConfig(sample=0, **settings)
    assert with_learning_rate(config, [5] * 100) == config


def test_the_rate_of_a_short_text_is_told_and_a_given_one_is_taken(tmp_path):
    text = sessions()
    settings = {"vector_size": 8, "min_count": 1, "workers": 1}

    def rate(model):
        return model.vectors_.metadata["settings"]["learning_rate"]

    chosen = Word2Vec(**settings, checkpoint=tmp_path / "on", epochs=2).fit(text)
    assert rate(chosen) == 0.12
    assert chosen.history_[0]["learning_rate"] == pytest.approx(0.06, rel=0.1)
    assert rate(Word2Vec(**settings, learning_rate=0.04).fit(text)) == 0.04
    # Vectors that have learned already need not come far.
    assert rate(Word2Vec(**settings, vectors=chosen.vectors_).fit(text)) == 0.04
    assert rate(chosen.set_params(checkpoint=None).partial_fit(text)) == 0.04
    # A training goes on with its rate, whatever the rule says of more epochs.
    again = Word2Vec(**settings, checkpoint=tmp_path / "on", epochs=200).resume()
    assert rate(again) == 0.12
