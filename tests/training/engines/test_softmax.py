"""The exact softmax from end to end: optimum, convergence, repeatability, resuming, refusals."""

import threading

import numpy as np
import pytest

from wordgrad import Word2Vec
from wordgrad.corpus.corpus import encode_corpus
from wordgrad.errors import ParameterError, TrainingError
from wordgrad.maths import softmax
from wordgrad.training.config import DEFAULT_EPOCHS, TrainingConfig
from wordgrad.training.engines import make_engine
from wordgrad.training.engines import softmax as estimates
from wordgrad.training.engines.block_softmax import canonical_vectors, exact_loss
from wordgrad.training.parameters import Parameters
from wordgrad.training.trainer import EarlyStopping, Trainer

ARCHITECTURES = ("skipgram", "cbow")
OFFSETS = ("unigram", "none")


def topics(n_sentences=300, seed=1):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 2, n_sentences)
    return [[f"{'ab'[t]}{k}" for k in rng.zipf(1.6, 10).clip(1, 12)] for t in kinds]


@pytest.fixture(scope="module")
def corpus():
    with encode_corpus(topics(), min_count=1) as encoded:
        yield encoded


def config(**settings):
    defaults = {"vector_size": 8, "loss": "softmax", "workers": 1, "sample": 0.05, "tolerance": 0}
    return TrainingConfig(**(defaults | settings))


def trained(corpus, **settings):
    trainer = Trainer(corpus, config(**settings))
    trainer.run()
    return trainer


@pytest.mark.parametrize("offset", OFFSETS)
def test_three_words_reach_the_empirical_distribution(offset):
    """With D >= V the scores may be anything, so the minimum is known: y_hat = X / n."""
    rng = np.random.default_rng(0)
    chain = {"a": [0.1, 0.7, 0.2], "b": [0.5, 0.2, 0.3], "c": [0.2, 0.2, 0.6]}
    words = ["a"]
    while len(words) < 500:
        words.append(str(rng.choice(["a", "b", "c"], p=chain[words[-1]])))
    with encode_corpus([words], min_count=1) as three:
        settings = config(vector_size=4, softmax_offset=offset, epochs=400, sample=0, window=2)
        trainer = Trainer(three, settings)
        engine = trainer.engine
        engine.prepare(trainer.parameters)
        counts = engine._counts
        X = np.zeros((3, 3))
        for c in range(3):
            row = slice(counts.starts[c], counts.starts[c + 1])
            X[c, counts.columns[row]] = counts.values[row]
        trainer.run()
    scores = trainer.parameters.W_in @ trainer.parameters.W_out.T + engine._steps.offset
    expected = X / X.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax(scores), expected, atol=2e-4)
    entropy = -(X * np.log(expected)).sum() / X.sum()
    assert trainer.history[-1].loss == pytest.approx(entropy, rel=1e-5)
    assert trainer.history[-1].gradient_norm < 1e-3 * trainer.history[0].gradient_norm


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("offset", OFFSETS)
def test_the_first_loss_is_that_of_knowing_nothing_or_frequency(corpus, architecture, offset):
    trainer = trained(
        corpus, architecture=architecture, softmax_offset=offset, epochs=1, learning_rate=1e-9
    )
    V = len(corpus.vocabulary)
    shares = np.exp(logit_shares(trainer))
    expected = np.log(V) if offset == "none" else -(shares * np.log(shares)).sum()
    # CBOW draws its windows; its mean is near the expectation.
    error = 1e-5 if architecture == "skipgram" or offset == "none" else 0.05
    assert trainer.history[0].loss == pytest.approx(expected, rel=error)


def logit_shares(trainer):
    engine = trainer.engine
    return engine._steps.offset.astype(np.float64)


def test_the_reported_loss_is_the_exact_loss_of_parameters_that_stand_still(corpus):
    engine = make_engine(corpus, config(learning_rate=1e-30))
    parameters = Parameters.initial(len(corpus.vocabulary), len(corpus.vocabulary), 8, seed=3)
    parameters.W_out[:] = np.random.default_rng(0).normal(size=parameters.W_out.shape)
    engine.prepare(parameters)
    steps = list(engine.epoch(parameters, 0, 0, threading.Event()))
    exact = exact_loss(parameters.W_in, parameters.W_out, engine._steps.offset, engine._counts)
    assert sum(step.loss.total for step in steps) == pytest.approx(exact.total, rel=1e-6)
    assert sum(step.loss.pairs for step in steps) == pytest.approx(exact.pairs, rel=1e-12)
    assert exact.pairs == pytest.approx(engine._counts.pairs, rel=1e-12)
    engine.close()


def test_default_epochs_come_within_half_a_percent_of_three_times_as_many(corpus):
    short, long = (
        trained(corpus, epochs=epochs).history[-1].loss
        for epochs in (config().epochs, 3 * config().epochs)
    )
    assert long <= short <= 1.005 * long


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training_ends_once_an_epoch_gains_too_little(corpus, architecture):
    trainer = trained(corpus, architecture=architecture, epochs=60, tolerance=0.02)
    losses = [record.loss for record in trainer.history]
    assert 2 <= len(losses) < 60
    assert losses[-2] - losses[-1] < 0.02 * losses[-2]
    assert not EarlyStopping(tolerance=0.02).converged(trainer.history[:-1])
    assert len(trained(corpus, architecture=architecture, epochs=7).history) == 7


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_seed_repeats_every_byte(corpus, architecture):
    runs = [trained(corpus, architecture=architecture, epochs=2, seed=s) for s in (5, 5, 6)]
    first, again, other = (run.vectors.tobytes() for run in runs)
    assert first == again != other
    threads = trained(corpus, architecture=architecture, epochs=2, seed=5, workers=3)
    np.testing.assert_allclose(threads.vectors, runs[0].vectors, rtol=0.02, atol=0.01)


class AfterSteps(threading.Event):
    """Set once it was asked ``n`` times."""

    def __init__(self, n):
        super().__init__()
        self.left = n

    def is_set(self):
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_training_goes_on_from_its_state(corpus, architecture):
    """Another engine, given parameters, position and state, ends with the same bytes."""
    whole = trained(corpus, architecture=architecture, epochs=1).parameters
    settings = config(architecture=architecture, epochs=1)
    parameters = Parameters.initial(len(corpus.vocabulary), len(corpus.vocabulary), 8, seed=1)
    position, state, calls = 0, None, 0
    while True:
        engine = make_engine(corpus, settings)
        if state is not None:
            engine.restore(state)
        engine.prepare(parameters)
        if position == engine.length:
            break
        steps = list(engine.epoch(parameters, 0, position, AfterSteps(9)))
        assert next(step.start for step in steps) == position
        position, calls = steps[-1].stop, calls + 1
        state = {name: array.copy() for name, array in engine.state().items()}
        assert all(array.any() for array in state.values())
        engine.close()
    assert calls > 1
    np.testing.assert_array_equal(parameters.W_in, whole.W_in)
    np.testing.assert_array_equal(parameters.W_out, whole.W_out)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_ctrl_c_keeps_what_was_learnt_and_no_files(architecture, tmp_path, monkeypatch):
    from wordgrad.corpus import corpus as storage
    from wordgrad.training import trainer as trainer_module
    from wordgrad.training.engine import TrainingProgress

    monkeypatch.setattr(storage.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(trainer_module, "SECONDS_BETWEEN_REPORTS", -1.0)

    def interrupt(record):
        if isinstance(record, TrainingProgress) and record.epoch == 1:
            raise KeyboardInterrupt

    model = Word2Vec(
        vector_size=8, min_count=1, loss="softmax", architecture=architecture, progress=interrupt
    )
    with pytest.raises(KeyboardInterrupt):
        model.fit(topics())
    assert len(model.history_) == 1
    assert np.isfinite(model.vectors_.matrix).all()
    assert model.vectors_.matrix.any()
    assert list(tmp_path.iterdir()) == []


def test_vectors_depend_on_the_scores_alone():
    rng = np.random.default_rng(2)
    one, other = Parameters.zeros(30, 30, 6), Parameters.zeros(30, 30, 6)
    one.W_in[:], one.W_out[:] = rng.normal(size=(2, 30, 6))
    A = rng.normal(size=(6, 6)) + 3 * np.eye(6)
    other.W_in[:], other.W_out[:] = one.W_in @ A, one.W_out @ np.linalg.inv(A).T
    shares = rng.integers(0, 50, 30).astype(float)
    first, second = canonical_vectors(one, shares), canonical_vectors(other, shares)
    np.testing.assert_allclose(first, second, atol=1e-3)
    assert np.isfinite(first).all()
    assert not np.allclose(one.W_in, other.W_in, atol=0.1)


def test_vectors_longer_than_the_vocabulary_end_in_zeros():
    parameters = Parameters.initial(4, 4, 9, seed=0)
    parameters.W_out[:] = parameters.W_in
    vectors = canonical_vectors(parameters, np.ones(4))
    assert vectors.shape == (4, 9)
    assert not vectors[:, 4:].any()
    assert vectors[:, :4].any()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_divergence_is_told(corpus, architecture):
    with pytest.raises(TrainingError, match=r"^Training diverged .* with a lower learning_rate"):
        trained(corpus, architecture=architecture, learning_rate=1e25)


# --- refused before anything starts ---


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_too_long_a_training_is_refused_with_the_vocabulary_that_fits(
    corpus, architecture, monkeypatch
):
    monkeypatch.setattr("wordgrad.training.engines.softmax.matrix_speed", slow)
    with pytest.raises(ParameterError) as caught:
        make_engine(corpus, config(architecture=architecture, max_hours=1.0))
    message = str(caught.value)
    V = len(corpus.vocabulary)
    assert message.startswith(f"The exact softmax of {V} words and vector_size=8 would take about ")
    assert (
        f" for {DEFAULT_EPOCHS[architecture, 'softmax']} passes on this machine; keep at most "
        in message
    )
    assert message.endswith(" words with max_vocab, or raise max_hours=1.")
    fits = int(message.split("at most ")[1].split(" words")[0])
    assert 2 <= fits < V
    make_engine(corpus, config(architecture=architecture, max_hours=1e6))


def slow(vector_size):
    return 5.0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_too_much_memory_is_refused(corpus, architecture, monkeypatch):
    monkeypatch.setattr(estimates, "available_memory", lambda: 3000.0)
    with pytest.raises(ParameterError, match=r"of which 0\.0 GiB are free, .* with max_vocab\.$"):
        Trainer(corpus, config(architecture=architecture))


def test_an_estimate_that_fits_is_one_that_passes():
    """What is refused for 70,000 words is not refused for as many as the message names."""
    settings = TrainingConfig(loss="softmax", epochs=10, max_hours=0.01)

    def check(n_words):
        estimates.check_budget(
            settings, n_words, estimates.estimate(settings, n_words, n_words, 256, 1e11)
        )

    with pytest.raises(ParameterError, match=r"keep at most [0-9,]+ words") as caught:
        check(70_000)
    fits = int(str(caught.value).split("at most ")[1].split(" words")[0].replace(",", ""))
    check(fits)
    with pytest.raises(ParameterError, match="keep at most"):
        check(int(fits * 1.2))


def test_this_machines_speed_and_memory_are_plausible():
    assert 1e8 < estimates.matrix_speed(50) < 1e15
    assert estimates.available_memory() > 1e7


def test_a_word_that_is_always_alone_is_in_no_pair_and_learns_nothing():
    """Its logit is -inf, of which an error of 1e-38 was left; Adagrad made a step of it, or NaN."""
    with encode_corpus(["a", "a", "a", "b c"] * 30, min_count=1) as some:
        trainer = trained(some, epochs=3, sample=0)
        alone = some.vocabulary.index("a")
    assert (trainer.parameters.W_out[alone] == 0).all()
    assert trainer.parameters.are_finite()
    assert np.isfinite(trainer.vectors).all()
