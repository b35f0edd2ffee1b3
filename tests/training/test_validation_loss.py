"""The loss on held-out text is exact, always of the same windows, and changes nothing."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.corpus.corpus import ValidationCorpus, encode_corpus, encode_validation
from wordgrad.errors import InputError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.reference import example_gradients
from wordgrad.training.parameters import Parameters
from wordgrad.training.trainer import Trainer, best_epoch
from wordgrad.training.validation import HeldOut, NegativeSamplingValidation, batch_loss
from wordgrad.vocabulary import Vocabulary

KINDS = [("skipgram", "mean"), ("cbow", "mean"), ("cbow", "sum")]
WORDS = [f"w{k}" for k in range(30)]


def random_parameters(size=13, seed=3, scale=1.0):
    rng = np.random.default_rng(seed)
    parameters = Parameters.zeros(len(WORDS), len(WORDS), size)
    parameters.W_in[:] = rng.normal(0, scale, (len(WORDS), size))
    parameters.W_out[:] = rng.normal(0, scale, (len(WORDS), size))
    return parameters


def held_out(n_sentences=40, seed=5):
    rng = np.random.default_rng(seed)
    vocabulary = Vocabulary(WORDS, np.arange(len(WORDS), 0, -1) * 10)
    ids = rng.integers(0, len(WORDS), 9 * n_sentences).astype(np.int32)
    return ValidationCorpus(
        ids, np.arange(0, len(ids) + 1, 9, dtype=np.int64), vocabulary, len(ids)
    )


@pytest.mark.parametrize(("architecture", "combine"), KINDS)
@pytest.mark.parametrize("scale", [0.3, 30.0])
def test_it_is_the_mathematics_loss(architecture, combine, scale):
    config = TrainingConfig(
        vector_size=13, architecture=architecture, combine=combine, sample=0, window=3, workers=1
    )
    validation = NegativeSamplingValidation(held_out(), config)
    parameters = random_parameters(scale=scale)
    before = parameters.W_in_rows.tobytes() + parameters.W_out_rows.tobytes()
    measured = validation(parameters)
    assert parameters.W_in_rows.tobytes() + parameters.W_out_rows.tobytes() == before
    total, pairs = 0.0, 0
    for batch in validation.batches():
        for b in range(len(batch)):
            total += example_gradients(parameters, batch, b, combine)[0]
            pairs += int(batch.groups[b + 1] - batch.groups[b])
    assert measured.pairs == pairs > 300
    assert measured.total == pytest.approx(total, rel=1e-12)
    assert batch_loss(parameters, batch, combine).pairs <= pairs


def test_draws_are_the_same_whatever_the_seed():
    texts = [
        [
            batch.inputs.tobytes() + batch.outputs.tobytes()
            for batch in NegativeSamplingValidation(
                held_out(), TrainingConfig(seed=seed, sample=0.01, workers=1)
            ).batches()
        ]
        for seed in (1, 2)
    ]
    assert texts[0] == texts[1]


def test_a_nan_is_not_hidden():
    config = TrainingConfig(vector_size=13, sample=0, workers=1)
    parameters = random_parameters()
    parameters.W_in[4, 2] = np.nan
    assert np.isnan(NegativeSamplingValidation(held_out(), config)(parameters).total)


@given(
    text=st.lists(st.lists(st.sampled_from("abcdxyz"), min_size=1, max_size=6), min_size=1),
    known=st.sets(st.sampled_from("abcdxyz"), min_size=2),
)
def test_unknown_words_are_dropped_and_counted(text, known):
    vocabulary = Vocabulary(sorted(known), [3] * len(known))
    kept = [[word for word in sentence if word in known] for sentence in text]
    wanted = [sentence for sentence in kept if sentence]
    if sum(map(len, wanted)) < 2:
        with pytest.raises(InputError, match="validation text"):
            encode_validation(iter(text), vocabulary)
        return
    found = encode_validation(iter(text), vocabulary)
    bounds = found.offsets.tolist()
    assert found.ids.dtype == np.int32
    assert found.offsets.dtype == np.int64
    assert [
        [vocabulary.words[i] for i in found.ids[begin:end]]
        for begin, end in itertools.pairwise(bounds)
    ] == wanted
    assert found.tokens_read == sum(map(len, text))
    assert found.tokens_unknown == found.tokens_read - sum(map(len, wanted))


def test_a_text_without_pairs_is_refused():
    text = ValidationCorpus(
        np.zeros(3, np.int32), np.arange(4, dtype=np.int64), Vocabulary(WORDS, [1] * 30), 3
    )
    with pytest.raises(InputError, match="no sentence with two words that are kept"):
        NegativeSamplingValidation(text, TrainingConfig(vector_size=13, workers=1))


def topics(n_sentences, seed):
    rng = np.random.default_rng(seed)
    return [
        [f"{'ab'[t]}{k}" for k in rng.integers(0, 8, 10)] for t in rng.integers(0, 2, n_sentences)
    ]


@pytest.fixture(scope="module")
def corpus():
    with encode_corpus(topics(3000, 1), min_count=1) as corpus:
        yield corpus


@pytest.fixture(scope="module")
def other_text(corpus):
    return encode_validation(topics(600, 2), corpus.vocabulary)


def train(corpus, text=None, patience=None, **settings):
    defaults = {"vector_size": 12, "sample": 0, "workers": 1, "epochs": 3}
    config = TrainingConfig(**(defaults | settings))
    trainer = Trainer(corpus, config, held_out=HeldOut(text, patience) if text else None)
    trainer.run()
    return trainer


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
@pytest.mark.parametrize(("architecture", "combine"), KINDS)
def test_it_agrees_with_the_training_loss_where_nothing_is_learnt(
    corpus, other_text, architecture, combine
):
    """Same distribution of windows, same formula: two samples of one number."""
    trainer = train(
        corpus, other_text, architecture=architecture, combine=combine, learning_rate=1e-9
    )
    for record in trainer.history:
        assert record.validation_loss == pytest.approx(record.loss, rel=1e-6)
    assert trainer.history[0].validation_loss == pytest.approx(6 * np.log(2), rel=1e-6)


@pytest.mark.parametrize(("architecture", "combine"), KINDS)
def test_it_agrees_with_the_training_loss_at_the_end(corpus, other_text, architecture, combine):
    """At the end of a long training on much of the same, the two losses measure one thing."""
    trainer = train(corpus, other_text, architecture=architecture, combine=combine, epochs=12)
    last = trainer.history[-1]
    assert last.validation_loss == pytest.approx(last.loss, rel=0.01)
    assert last.validation_loss < trainer.history[0].validation_loss


def test_measuring_does_not_change_the_training(corpus, other_text):
    with_text, without = train(corpus, other_text), train(corpus)
    assert with_text.parameters.W_in_rows.tobytes() == without.parameters.W_in_rows.tobytes()
    assert [r.loss for r in with_text.history] == [r.loss for r in without.history]
    assert {r.validation_loss for r in without.history} == {None}


def test_early_stopping_gives_back_the_best_epoch(monkeypatch, corpus, other_text):
    """Losses 5, 3, 4, 3, 2 with patience 2: epochs 3 and 4 are not better than 2."""
    losses = iter([5.0, 3.0, 4.0, 3.0, 2.0])
    seen = []

    def measured(self, parameters):
        seen.append(parameters.W_in.copy())
        real = call(self, parameters)
        return real._replace(total=next(losses) * real.pairs)

    call = NegativeSamplingValidation.__call__
    monkeypatch.setattr(NegativeSamplingValidation, "__call__", measured)
    trainer = train(corpus, other_text, patience=2, epochs=9)
    assert [record.validation_loss for record in trainer.history] == [5.0, 3.0, 4.0, 3.0]
    assert best_epoch(trainer.history) == 2
    assert (trainer.vectors == seen[1]).all()
    assert not (trainer.vectors == seen[3]).all()
    assert (trainer.parameters.W_in == seen[3]).all()


@pytest.mark.parametrize(("architecture", "combine"), KINDS)
def test_the_loss_is_the_same_however_many_workers(corpus, architecture, combine):
    """A mean over pairs, in float64: only collisions of threads and their order may move it."""
    runs = [
        train(corpus, architecture=architecture, combine=combine, workers=workers, epochs=2)
        for workers in (1, 2, 4)
    ]
    for run in runs:
        assert [type(record.loss) for record in run.history] == [float, float]
        assert [record.pairs for record in run.history] == [r.pairs for r in runs[0].history]
        for record, one in zip(run.history, runs[0].history, strict=True):
            assert record.loss == pytest.approx(one.loss, rel=0.01)


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_loss_is_an_exact_mean_however_many_workers(corpus, workers):
    """Where no step moves anything, there is no noise: (K + 1) log 2 to float32's precision."""
    record = train(corpus, workers=workers, learning_rate=1e-20, epochs=1).history[0]
    assert record.loss == pytest.approx(6 * np.log(2), rel=3e-7)
