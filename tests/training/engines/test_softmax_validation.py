"""The softmax loss on held-out text, beside the mathematics; states that do not fit."""

import numpy as np
import pytest

from wordgrad import Word2Vec
from wordgrad.corpus.corpus import encode_corpus, encode_validation
from wordgrad.errors import FormatError, InputError
from wordgrad.maths import cbow, skipgram
from wordgrad.training.config import TrainingConfig
from wordgrad.training.parameters import Parameters
from wordgrad.training.trainer import Trainer

TEXT = [f"a b{i % 3} c{i % 4} d{i % 2} e" for i in range(60)]
HELD_OUT = ["b1 c2 a d0", "e a unknown c3", "d1", "b0 b2"]


@pytest.fixture(scope="module")
def corpus():
    with encode_corpus(TEXT, min_count=1) as encoded:
        yield encoded


def prepared(corpus, **settings):
    """A trainer that could begin, parameters that are not 0, and the measure."""
    config = TrainingConfig(
        vector_size=6, loss="softmax", sample=0, softmax_offset="none", **settings
    )
    trainer = Trainer(corpus, config)
    text = encode_validation(HELD_OUT, corpus.vocabulary)
    measure = trainer.engine.validation(text)
    parameters = Parameters.zeros(len(corpus.vocabulary), len(corpus.vocabulary), 6)
    rng = np.random.default_rng(3)
    parameters.W_in[:] = rng.normal(size=parameters.W_in.shape)
    parameters.W_out[:] = rng.normal(size=parameters.W_out.shape)
    trainer.engine.prepare(parameters)
    return trainer, text, measure, parameters


def sentences(text):
    return [text.ids[a:b] for a, b in zip(text.offsets[:-1], text.offsets[1:], strict=True)]


def test_skipgram_is_the_expectation_over_every_pair(corpus):
    trainer, text, measure, parameters = prepared(corpus, window=2)
    total = pairs = 0.0
    W_in, W_out = parameters.W_in.astype(float), parameters.W_out.astype(float)
    for ids in sentences(text):
        for i, centre in enumerate(ids):
            for j, outside in enumerate(ids):
                if i != j and abs(i - j) <= 2:
                    weight = (3 - abs(i - j)) / 2  # the share of reaches 1 and 2 that come so far
                    loss = skipgram(
                        int(centre), [int(outside)], W_in, W_out,
                        loss="softmax",
                    ).loss  # fmt: skip
                    total, pairs = total + weight * loss, pairs + weight
    found = measure(parameters)
    assert found.pairs == pytest.approx(pairs, rel=1e-12)
    assert found.total == pytest.approx(total, rel=1e-10)
    trainer.engine.close()


@pytest.mark.parametrize("combine", ["mean", "sum"])
def test_cbow_is_the_sum_over_windows(corpus, combine):
    # With a window of 1 there is one reach, so that the windows are known.
    _, text, measure, parameters = prepared(corpus, window=1, architecture="cbow", combine=combine)
    total, n_windows = 0.0, 0
    W_in, W_out = parameters.W_in.astype(float), parameters.W_out.astype(float)
    for ids in sentences(text):
        for i, centre in enumerate(ids):
            context = [int(ids[j]) for j in (i - 1, i + 1) if 0 <= j < len(ids)]
            if context:
                total += cbow(
                    int(centre), context, W_in, W_out, loss="softmax",
                    combine=combine,
                ).loss  # fmt: skip
                n_windows += 1
    found = measure(parameters)
    assert found.pairs == n_windows
    assert found.total == pytest.approx(total, rel=1e-10)


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
def test_early_stopping_works_with_it(architecture):
    model = Word2Vec(
        6, min_count=1, loss="softmax", architecture=architecture, epochs=4, tolerance=0,
        sample=0, validation=[*TEXT[3:9], "a unknown e"], early_stopping=3,
    ).fit(TEXT)  # fmt: skip
    losses = [record["validation_loss"] for record in model.history_]
    assert losses[-1] < losses[0] < np.log(len(model.vectors_)) + 1
    assert model.validation_["unknown"] == 1


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
def test_a_text_without_pairs_is_refused(corpus, architecture):
    text = encode_validation(["a", "e"], corpus.vocabulary)
    config = TrainingConfig(vector_size=6, loss="softmax", architecture=architecture)
    with pytest.raises(InputError, match="validation text"):
        Trainer(corpus, config).engine.validation(text)


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sums_in": None}, "in place of"),
        ({"sums_out": np.zeros(3)}, "must be finite float64"),
        ({"sums_in": np.zeros(11, np.float32)}, "must be finite float64"),
        ({"epoch_sums": np.array([np.nan, 1.0])}, "must be finite float64"),
        ({"epoch_sums": np.array([-1.0, 1.0])}, "must be finite float64"),
        ({"more": np.zeros(1)}, "in place of"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(corpus, architecture, change, message):
    config = TrainingConfig(vector_size=6, loss="softmax", architecture=architecture)
    engine = Trainer(corpus, config).engine
    n_words = len(corpus.vocabulary)
    assert n_words == 11
    state = {
        "sums_in": np.zeros(n_words),
        "sums_out": np.zeros(n_words),
        "epoch_sums": np.zeros(2),
    }
    engine.restore(dict(state))
    state |= change
    with pytest.raises(FormatError, match=message):
        engine.restore({name: array for name, array in state.items() if array is not None})


def test_reproducible_means_one_result_for_any_workers():
    vectors = [
        Word2Vec(6, min_count=1, loss="softmax", reproducible=True, workers=workers, epochs=3)
        .fit(TEXT)
        .vectors_.matrix.tobytes()
        for workers in (1, 2, 3, 8)
    ]
    assert len(set(vectors)) == 1
