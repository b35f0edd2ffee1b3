"""Epochs, schedule, history, progress, threads, and how training ends when it goes wrong."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from wordgrad.corpus.corpus import encode_corpus
from wordgrad.errors import FormatError, ParameterError, TrainingError, TrainingWarning
from wordgrad.training import trainer as trainer_module
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import EpochRecord, TrainingProgress
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.engines.reference import ReferenceEngine
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import Span
from wordgrad.training.trainer import EarlyStopping, Trainer, best_epoch

KINDS = [("skipgram", "mean"), ("cbow", "mean"), ("cbow", "sum")]


def two_topics(n_sentences=600, seed=1):
    """Sentences of ten words, each sentence from one of two sets of eight words."""
    rng = np.random.default_rng(seed)
    topics = rng.integers(0, 2, n_sentences)
    return [[f"{'ab'[t]}{k}" for k in rng.integers(0, 8, 10)] for t in topics]


@pytest.fixture(scope="module")
def corpus():
    with encode_corpus(two_topics(), min_count=1) as corpus:
        yield corpus


def config(**settings):
    defaults = {"vector_size": 12, "sample": 0, "workers": 1, "epochs": 4}
    return TrainingConfig(**(defaults | settings))


def trained(corpus, progress=None, **settings):
    trainer = Trainer(corpus, config(**settings), progress)
    trainer.run()
    return trainer


def engine_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("wordgrad-")]


@pytest.fixture
def every_span(monkeypatch):
    """Report after each span, however quick."""
    monkeypatch.setattr(trainer_module, "SECONDS_BETWEEN_REPORTS", -1.0)


@pytest.mark.parametrize(("architecture", "combine"), KINDS)
@pytest.mark.parametrize("workers", [1, 3])
def test_loss_starts_at_k_plus_1_log_2_and_falls(corpus, architecture, combine, workers):
    reports = []
    trainer = trained(
        corpus,
        reports.append,
        architecture=architecture,
        combine=combine,
        workers=workers,
        epochs=8,
        learning_rate=0.1,
        negative=7,
    )
    losses = [record.loss for record in trainer.history]
    at_first = 8 * np.log(2)
    assert reports[0].loss <= at_first * 1.001
    # Most negatives can be told from the target by frequency and topic.
    assert losses[-1] < losses[0] < at_first
    assert losses[-1] < 0.6 * at_first
    assert np.isfinite(trainer.parameters.W_in).all()
    assert np.isfinite(trainer.parameters.W_out).all()


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
@pytest.mark.parametrize(("architecture", "combine"), KINDS)
def test_loss_of_untrained_parameters_is_k_plus_1_log_2(corpus, architecture, combine):
    trainer = trained(
        corpus, architecture=architecture, combine=combine, learning_rate=1e-9, epochs=1
    )
    assert trainer.history[0].loss == pytest.approx(6 * np.log(2), rel=1e-6)


def test_history_has_a_record_for_each_epoch(corpus):
    trainer = trained(corpus, window=2, epochs=3, learning_rate=0.05)
    assert [record.epoch for record in trainer.history] == [1, 2, 3]
    for record in trainer.history:
        assert record.words == 6000
        # Ten words with windows of 1 or 2 on either side: 18 or 34 pairs a sentence.
        assert record.pairs == pytest.approx(600 * (18 + 34) / 2, rel=0.02)
        assert record.seconds > 0
        assert isinstance(record.loss, float)
    rates = [record.learning_rate for record in trainer.history]
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.05 / 12


def test_cbow_counts_a_pair_for_each_window(corpus):
    assert trained(corpus, architecture="cbow", epochs=1).history[0].pairs == 6000


def test_subsampling_leaves_words_but_drops_pairs(corpus):
    kept = trained(corpus, epochs=1).history[0]
    thinned = trained(corpus, epochs=1, sample=0.01).history[0]
    assert thinned.words == kept.words
    assert thinned.pairs < kept.pairs / 2


def test_progress_is_monotone_and_ends_at_the_total(corpus, every_span):
    reports = []
    trainer = trained(corpus, reports.append, epochs=3, learning_rate=0.08)
    assert all(isinstance(report, TrainingProgress) for report in reports)
    assert len(reports) == 3 * (12 + 1)  # spans of 500 tokens, and the end of each epoch
    done = [report.words_done for report in reports]
    assert done == sorted(done)
    assert done[0] == 500
    assert done[-1] == reports[-1].words_total == 3 * 6000
    assert [report.epoch for report in reports] == [0] * 13 + [1] * 13 + [2] * 13
    assert {report.epochs for report in reports} == {3}
    assert all(report.words_per_second > 0 for report in reports)
    assert all(report.seconds_left >= 0 for report in reports)
    assert reports[-1].seconds_left == 0
    ends = [report for report in reports if report.words_done % 6000 == 0]
    assert [end.loss for end in ends[1::2]] == [record.loss for record in trainer.history]


def test_learning_rate_follows_the_words(corpus, every_span):
    reports = []
    trained(corpus, reports.append, epochs=2, learning_rate=0.08)
    spans = [report for report in reports if report.words_done not in (6000, 12000)]
    assert spans[0].learning_rate == 0.08
    for report in spans:
        share = (report.words_done - 500) / 12_000
        assert report.learning_rate == pytest.approx(0.08 * (1 - share), rel=1e-9)
    assert reports[-1].learning_rate == pytest.approx(0.08 * 500 / 12_000, rel=1e-6)


def test_spans_cover_each_epoch_once(corpus, monkeypatch):
    seen = []
    run_span = HogwildEngine.run_span

    def noted(self, parameters, span):
        seen.append((span.epoch, span.start, span.stop))
        return run_span(self, parameters, span)

    monkeypatch.setattr(HogwildEngine, "run_span", noted)
    trained(corpus, epochs=2, workers=3)
    compiling, *spans = seen
    assert compiling == (0, 0, 1)
    wanted = [(epoch, start, start + 500) for epoch in (0, 1) for start in range(0, 6000, 500)]
    assert sorted(spans) == wanted


@pytest.mark.parametrize(("architecture", "combine"), KINDS)
def test_one_worker_repeats_byte_for_byte(corpus, architecture, combine):
    first, again, other = (
        trained(corpus, seed=seed, architecture=architecture, combine=combine, sample=0.01)
        for seed in (7, 7, 8)
    )
    assert first.parameters.W_in_rows.tobytes() == again.parameters.W_in_rows.tobytes()
    assert first.parameters.W_out_rows.tobytes() == again.parameters.W_out_rows.tobytes()
    assert [r.loss for r in first.history] == [r.loss for r in again.history]
    assert not np.allclose(first.parameters.W_in, other.parameters.W_in)
    assert first.history[0].pairs != other.history[0].pairs


def test_compiling_leaves_no_trace(corpus):
    """The first call of a kernel works on throw-away parameters."""
    trainer = Trainer(corpus, config())
    before = trainer.parameters.W_in_rows.copy()
    trainer.engine.prepare(trainer.parameters)
    np.testing.assert_array_equal(trainer.parameters.W_in_rows, before)
    assert not trainer.parameters.W_out_rows.any()


def test_several_workers_learn_what_one_does(corpus):
    one = trained(corpus, epochs=6, learning_rate=0.1)
    four = trained(corpus, epochs=6, learning_rate=0.1, workers=4)
    assert [r.pairs for r in four.history] == [r.pairs for r in one.history]
    assert [r.words for r in four.history] == [r.words for r in one.history]
    assert four.history[-1].loss == pytest.approx(one.history[-1].loss, rel=0.05)


def test_more_workers_than_spans(corpus):
    assert trained(corpus, workers=40, epochs=1).history[0].words == 6000


class FaultError(Exception):
    pass


@pytest.mark.parametrize("workers", [1, 4])
def test_a_fault_in_an_engines_thread_reaches_the_caller(corpus, monkeypatch, workers):
    run_span = HogwildEngine.run_span

    def faulty(self, parameters, span):
        if span.start == 2500:
            raise FaultError("the engine broke")
        return run_span(self, parameters, span)

    monkeypatch.setattr(HogwildEngine, "run_span", faulty)
    trainer = Trainer(corpus, config(workers=workers))
    with pytest.raises(FaultError, match="the engine broke"):
        trainer.run()
    assert trainer.history == []
    assert engine_threads() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, FaultError])
@pytest.mark.parametrize("workers", [1, 3])
def test_an_exception_of_the_callback_stops_all_threads(corpus, every_span, error, workers):
    def stop(report):
        if report.epoch == 1 and report.words_done >= 8000:
            raise error("enough")

    trainer = Trainer(corpus, config(workers=workers, epochs=50), stop)
    with pytest.raises(error, match="enough"):
        trainer.run()
    assert engine_threads() == []
    assert [record.epoch for record in trainer.history] == [1]
    assert np.isfinite(trainer.parameters.W_in).all()
    assert trainer.parameters.W_out.any()


def test_threads_stop_early_when_the_caller_does(corpus, every_span, monkeypatch):
    """Threads take no further span once the callback has raised."""
    begun = []
    run_span = HogwildEngine.run_span

    def noted(self, parameters, span):
        begun.append(span)
        return run_span(self, parameters, span)

    def stop(report):
        gate.set()
        raise KeyboardInterrupt

    gate = threading.Event()

    def slow(self, parameters, span):
        if span.start >= 1000:
            gate.wait(5)
        return noted(self, parameters, span)

    monkeypatch.setattr(HogwildEngine, "run_span", slow)
    with pytest.raises(KeyboardInterrupt):
        Trainer(corpus, config(), stop).run()
    assert engine_threads() == []
    assert len(begun) < 12


@pytest.mark.parametrize("workers", [1, 3])
def test_divergence_names_epoch_rate_and_remedy(corpus, workers):
    trainer = Trainer(corpus, config(learning_rate=1e6, workers=workers))
    with pytest.raises(
        TrainingError,
        match=r"diverged in epoch 1 at token \d+ with learning_rate [\de+.]+: "
        r"the loss is (nan|inf); start again with a lower learning_rate",
    ):
        trainer.run()
    assert engine_threads() == []


def test_divergence_by_the_very_last_step_is_noticed():
    """The loss is that before a step: only the vectors show what the last step did."""
    with encode_corpus(["a b"], min_count=1) as corpus:
        trainer = Trainer(corpus, config(vector_size=4, learning_rate=1e30, epochs=1))
        with pytest.raises(TrainingError, match=r"at the end of epoch 1 .*lower learning_rate"):
            trainer.run()


@pytest.mark.filterwarnings("ignore:Subsampling")
@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (["a", "b", "a", "b"], {}),
        ([["a b"], ["c d"], ["a b"]], {}),
        (["a b a b c"] * 5, {"sample": 1e-300}),
    ],
)
def test_nothing_to_learn_from(text, settings):
    with encode_corpus(text, min_count=1) as corpus:
        trainer = Trainer(corpus, config(**settings))
        before = trainer.parameters.copy()
        with pytest.warns(TrainingWarning, match="No sentence holds two words that were kept"):
            trainer.run()
    assert {(record.loss, record.pairs) for record in trainer.history} == {(0.0, 0)}
    np.testing.assert_array_equal(trainer.parameters.W_in, before.W_in)


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_a_corpus_of_one_pair():
    with encode_corpus(["a b"], min_count=1) as corpus:
        record = trained(corpus, epochs=1).history[0]
    assert (record.words, record.pairs) == (2, 2)
    assert record.loss == pytest.approx(6 * np.log(2), rel=1e-3)


def test_the_trainers_span_is_the_engines(corpus):
    """Large corpora are cut into spans of 20,000 tokens, small ones into 40 of at least 500."""
    trainer = Trainer(corpus, config())
    assert next(trainer.engine.spans(0)) == Span(0, 500, 0, trainer.config.initial_rate)
    with encode_corpus([["a", "b"] * 100_000], min_count=1) as long:
        trainer = Trainer(long, config())
        spans = list(trainer.engine.spans(0))
    assert {span.stop - span.start for span in spans} == {5000}
    assert spans[-1].stop == 200_000


# --- given parameters, and early stopping ---


def test_a_training_begins_with_given_parameters(corpus):
    first = trained(corpus, epochs=6, learning_rate=0.1)
    given = Parameters.from_matrices(first.parameters.W_in, first.parameters.W_out)
    trainer = Trainer(corpus, config(epochs=1, learning_rate=0.01), parameters=given)
    assert trainer.parameters is given
    trainer.run()
    assert trainer.history[0].loss < first.history[-1].loss
    assert not np.array_equal(given.W_in, first.parameters.W_in)
    assert trained(corpus, epochs=1, learning_rate=0.01).history[0].loss > trainer.history[0].loss


def test_the_start_given_is_the_start_made(corpus):
    made = trained(corpus, seed=3)
    V = len(corpus.vocabulary)
    given = Trainer(corpus, config(seed=3), parameters=Parameters.initial(V, V, 12, seed=3))
    given.run()
    np.testing.assert_array_equal(made.parameters.W_in_rows, given.parameters.W_in_rows)


@pytest.mark.parametrize("loss", ["negative-sampling", "softmax"])
@pytest.mark.parametrize("sizes", [(15, 16, 12), (16, 17, 12), (16, 16, 13)])
def test_parameters_of_another_shape_are_refused(corpus, loss, sizes):
    assert len(corpus.vocabulary) == 16
    with pytest.raises(ParameterError, match=r"^parameters must (have|be) "):
        Trainer(corpus, config(loss=loss), parameters=Parameters.initial(*sizes, seed=1))


@pytest.mark.parametrize("change", [{}, {"architecture": "cbow"}])
def test_an_epoch_with_factors_is_the_oracles(corpus, change):
    factors = np.random.default_rng(3).choice([0, 0.25, 1], len(corpus.vocabulary))
    found = []
    for kind in (HogwildEngine, ReferenceEngine):
        engine = kind.from_corpus(corpus, config(**change))
        engine.set_input_steps(factors)
        parameters = Parameters.initial(engine.n_inputs, engine.n_outputs, 12, seed=3)
        for span in engine.spans(0):
            engine.run_span(parameters, span)
        found.append(parameters)
    np.testing.assert_allclose(found[0].W_in, found[1].W_in, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found[0].W_out, found[1].W_out, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("change", [{}, {"subwords": (2, 3)}, {"loss": "hierarchical-softmax"}])
def test_frozen_rows_stay(corpus, change):
    free = Trainer(corpus, config(**change))
    start = free.parameters.copy()
    factors = np.ones(free.engine.n_inputs)
    factors[:4] = 0
    frozen = Trainer(corpus, config(**change), parameters=start.copy(), input_steps=factors)
    frozen.run()
    moved = (frozen.parameters.W_in != start.W_in).any(axis=1)
    assert moved.tolist() == factors.astype(bool).tolist()


def test_factors_of_steps_are_from_0_to_1_one_a_row(corpus):
    n = len(corpus.vocabulary)
    for factors, match in (
        (np.ones(n + 1), f"one number for each of the {n} rows"),
        (np.full(n, 1.5), "from 0 .a frozen row. to 1, got 1.5 for row 0"),
        (np.full(n, np.nan), "got nan"),
    ):
        with pytest.raises(ParameterError, match=match):
            Trainer(corpus, config(), input_steps=factors)
    for change in ({"reproducible": True}, {"loss": "softmax"}, {"blocks": 2}):
        with pytest.raises(ParameterError, match="input_steps are taken on the processor by neg"):
            Trainer(corpus, config(**change), input_steps=np.ones(n))


def test_a_checkpoint_of_another_shape_is_refused(corpus):
    trainer = Trainer(corpus, config())
    checkpoint = SimpleNamespace(parameters=Parameters.zeros(16, 15, 12), engine={})
    with pytest.raises(FormatError, match=r"holds 16 input and 15 output vectors of 12 numbers"):
        trainer.restore(checkpoint)


def records(losses, validation=None):
    validation = validation or [None] * len(losses)
    return [
        EpochRecord(k, loss, 1, 1, 1.0, 0.1, held_out)
        for k, (loss, held_out) in enumerate(zip(losses, validation, strict=True), 1)
    ]


def test_patience_counts_epochs_since_the_best():
    rule = EarlyStopping(patience=2)
    history = records([1.0] * 6, [5.0, 3.0, 4.0, 3.0, 2.0, 2.5])
    assert [best_epoch(history[:n]) for n in range(7)] == [0, 1, 2, 2, 2, 5, 5]
    assert [rule.out_of_patience(history[:n]) for n in range(7)] == [False] * 4 + [
        True,
        False,
        False,
    ]
    assert not any(EarlyStopping().out_of_patience(history[:n]) for n in range(7))
    assert not rule.out_of_patience(records([1.0] * 9))  # nothing was measured


@pytest.mark.parametrize("sign", [1, -1])
def test_convergence_is_a_gain_below_a_share(sign):
    rule = EarlyStopping(tolerance=0.01)
    assert not rule.converged(records([sign * 9.0]))
    assert not rule.converged(records([9.0 + sign, 9.0 + sign - 0.2]))
    assert rule.converged(records([9.0 + sign, 9.0 + sign - 0.05]))
    assert rule.converged(records([9.0, 10.0]))
    assert not rule.converged(records([float("nan"), 1.0]))
    assert not rule.converged(records([float("inf"), 1.0]))
    assert not EarlyStopping().converged(records([9.0, 9.0]))


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_negative_sampling_never_converges(corpus):
    assert len(trained(corpus, learning_rate=1e-9, tolerance=0.5).history) == 4
