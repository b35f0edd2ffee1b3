"""Rounds give the same bytes for any number of threads, and the step that is written down."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines import negative_sampling
from wordgrad.training.engines.deterministic import DeterministicEngine, RoundWorker
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.engines.reference import ReferenceEngine
from wordgrad.training.kernels.rounds import Layout
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import Span, draw_batch

KINDS = [("skipgram", "mean"), ("cbow", "mean"), ("cbow", "sum")]


def text(n_tokens, n_words, longest, seed=0):
    """Sentences of ids, frequent words first, some of them empty."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_words + 1)
    ids = rng.choice(n_words, n_tokens, p=share / share.sum())
    ends = np.minimum(np.cumsum(rng.integers(0, longest + 1, n_tokens)), n_tokens)
    return [*np.split(ids, np.unique(ends)[:-1]), [], []]


def threads_alive():
    return [one for one in threading.enumerate() if one.name.startswith("wordgrad-")]


def fresh(tables, engine):
    return Parameters.initial(len(tables.keep), len(tables.keep), engine.config.vector_size, seed=3)


def train(tables, layout, config, epochs=1):
    """Parameters' bytes and the steps of some epochs."""
    engine = DeterministicEngine(config, tables, layout)
    parameters = fresh(tables, engine)
    steps = []
    for epoch in range(epochs):
        steps += engine.epoch(parameters, epoch, 0, threading.Event())
    return parameters.W_in_rows.tobytes() + parameters.W_out_rows.tobytes(), steps


@pytest.mark.parametrize(("architecture", "combine"), KINDS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"window": 40, "sample": 0},  # longer than any sentence, and than a block
        {"vector_size": 113, "negative": 9},
    ],
    ids=str,
)
def test_any_number_of_workers_gives_the_same_bytes(tables_of, architecture, combine, changes):
    settings = {"architecture": architecture, "combine": combine, "vector_size": 7, "epochs": 2}
    settings |= {"sample": 0.01, "learning_rate": 0.02} | changes
    tables = tables_of(text(3000, 60, 12), sample=settings["sample"])
    results = [
        train(tables, Layout(8, 16, 5), TrainingConfig(workers=workers, **settings), epochs=2)
        for workers in (1, 2, 3, 8)
    ]
    # A last step of fewer rounds counts its own pairs alone.
    spans = HogwildEngine(TrainingConfig(workers=1, **settings), tables)
    pairs = [one.loss.pairs for one in spans.epoch(fresh(tables, spans), 0, 0, threading.Event())]
    assert sum(step.loss.pairs for step in results[0][1][:5]) == sum(pairs)
    assert np.isfinite(results[0][1][-1].loss.total)
    assert results[1:] == results[:1] * 3
    other_cut = train(tables, Layout(4, 32, 5), TrainingConfig(workers=2, **settings), epochs=2)
    assert other_cut[0] != results[0][0]


@pytest.mark.parametrize(("architecture", "combine"), KINDS)
def test_rounds_of_one_block_are_the_default_mode_on_one_thread(tables_of, architecture, combine):
    config = TrainingConfig(
        architecture=architecture, combine=combine, vector_size=20, workers=1, sample=0.01
    )
    tables = tables_of(text(4000, 90, 30), sample=0.01)
    plain = HogwildEngine(config, tables)
    expected = Parameters.initial(len(tables.keep), len(tables.keep), 20, seed=3)
    spans = list(plain.epoch(expected, 0, 0, threading.Event()))
    assert plain.span_tokens == 500
    found, steps = train(tables, Layout(1, 50, 10), config)
    assert found == expected.W_in_rows.tobytes() + expected.W_out_rows.tobytes()
    assert [step.loss.pairs for step in steps] == [step.loss.pairs for step in spans]
    np.testing.assert_allclose(
        [step.loss.total for step in steps], [step.loss.total for step in spans], rtol=1e-6
    )


def exact_rounds(tables, layout, config, parameters, rate):
    """Every round by the reference engine: changes of blocks, from one snapshot, summed up."""
    engine = ReferenceEngine(config)
    total, pairs, length = 0.0, 0, len(tables.ids)
    n_rounds = -(-length // layout.round_tokens)
    assert n_rounds <= layout.rounds
    for r in range(n_rounds):
        changes = []
        for block in range(layout.blocks):
            start = (block * n_rounds + r) * layout.block_tokens
            stop = min(start + layout.block_tokens, length)
            if start >= stop:
                continue
            own = Parameters.zeros(parameters.n_inputs, parameters.n_outputs, config.vector_size)
            own.W_in[:], own.W_out[:] = parameters.W_in, parameters.W_out
            batch = draw_batch(
                tables,
                Span(start, stop, 0, rate),
                config.window,
                config.negative,
                architecture=config.architecture,
            )
            loss = engine.apply_batch(own, batch, rate)
            total, pairs = total + loss.total, pairs + loss.pairs
            changes.append((own.W_in - parameters.W_in, own.W_out - parameters.W_out))
        for d_in, d_out in changes:
            parameters.W_in[:] += d_in
            parameters.W_out[:] += d_out
    return total, pairs


@settings(deadline=None, max_examples=25)
@given(data=st.data(), kind=st.sampled_from(KINDS), seed=st.integers(0, 1000))
def test_a_round_adds_the_changes_of_its_blocks(tables_of, data, kind, seed):
    negative, window = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    layout = Layout(data.draw(st.integers(1, 8)), data.draw(st.integers(1, 9)), 4)
    n_tokens = data.draw(st.integers(1, layout.step_tokens))
    config = TrainingConfig(
        architecture=kind[0], combine=kind[1], vector_size=data.draw(st.integers(1, 40)),
        negative=negative, window=window, workers=data.draw(st.integers(1, 3)),
        learning_rate=0.01, sample=0.2,
    )  # fmt: skip
    sentences, counts = text(n_tokens, 12, 15, seed), np.arange(20, 8, -1)
    tables = tables_of(sentences, counts=counts, sample=0.2, window=window)
    rng = np.random.default_rng(seed)
    W_in, W_out = rng.normal(size=(2, 12, config.vector_size)).astype(np.float32) / 3
    expected, found = (Parameters.zeros(12, 12, config.vector_size) for _ in range(2))
    for one in (expected, found):
        one.W_in[:], one.W_out[:] = W_in, W_out
    total, pairs = exact_rounds(tables, layout, config, expected, 0.01)
    engine = DeterministicEngine(config, tables, layout)
    (step,) = engine.epoch(found, 0, 0, threading.Event())
    assert (step.start, step.stop, step.loss.pairs) == (0, n_tokens, pairs)
    assert step.loss.total == pytest.approx(total, rel=1e-5, abs=1e-5)
    # Steps are about 0.01: float32 keeps seven digits of the rows, and errors add up over rounds.
    np.testing.assert_allclose(found.W_in, expected.W_in, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(found.W_out, expected.W_out, rtol=2e-6, atol=2e-6)


def test_an_epoch_cut_at_steps_is_the_epoch(tables_of):
    config = TrainingConfig(vector_size=8, workers=2, sample=0.01)
    tables, layout = tables_of(text(2000, 40, 20), sample=0.01), Layout(4, 20, 3)
    whole, steps = train(tables, layout, config)
    parameters = Parameters.initial(len(tables.keep), len(tables.keep), 8, seed=3)
    cut, position = [], 0
    while position < len(tables.ids):
        engine, pause = DeterministicEngine(config, tables, layout), threading.Event()
        running = engine.epoch(parameters, 0, position, pause)
        cut.append(next(running))
        pause.set()
        cut += running
        position = cut[-1].stop
    assert cut == steps
    assert parameters.W_in_rows.tobytes() + parameters.W_out_rows.tobytes() == whole


def test_a_thread_that_fails_ends_the_others_and_says_why(tables_of, monkeypatch):
    config = TrainingConfig(vector_size=8, workers=4)
    tables = tables_of(text(4000, 40, 20))
    work, failed = RoundWorker.work, []

    def fail_once(self, start, *rest):
        if start >= 1000 and not failed:
            failed.append(start)
            raise MemoryError("no room")
        work(self, start, *rest)

    monkeypatch.setattr(RoundWorker, "work", fail_once)
    with pytest.raises(MemoryError, match="no room"):
        train(tables, Layout(8, 20, 2), config)
    assert failed
    assert not threads_alive()


def test_threads_that_cannot_all_start_are_woken(tables_of, monkeypatch):
    class FewThreads(threading.Thread):
        def start(self):
            if self.name == "wordgrad-2":
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr(negative_sampling.threading, "Thread", FewThreads)
    tables = tables_of(text(4000, 40, 20))
    with pytest.raises(RuntimeError, match="can't start new thread"):
        train(tables, Layout(8, 20, 2), TrainingConfig(vector_size=8, workers=4))
    for thread in threads_alive():
        thread.join(10)
    assert not threads_alive()
