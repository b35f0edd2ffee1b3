"""Blocks: every pair of the text once, in its block, by the oracle's steps, on any threads."""

from __future__ import annotations

import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad import Word2Vec
from wordgrad.corpus.corpus import encode_corpus
from wordgrad.errors import ParameterError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines import blocks as module
from wordgrad.training.engines import check_device, make_engine
from wordgrad.training.engines.blocks import BlockEngine, BlockWorker, Deal, Episode
from wordgrad.training.engines.reference import ReferenceEngine
from wordgrad.training.kernels.window import MOST_TOGETHER
from wordgrad.training.parameters import Parameters, aligned_rows
from wordgrad.training.sampling import Batch, Span, draw_batch, noise_distribution


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(2)
    text = [map(str, rng.zipf(1.3, rng.integers(1, 40)) % 60) for _ in range(300)]
    with encode_corpus([list(words) for words in text], min_count=1) as encoded:
        yield encoded


def engine_of(corpus, blocks, workers=1, **options):
    defaults = {"vector_size": 6, "negative": 3, "window": 4, "sample": 0.01}
    config = TrainingConfig(**(defaults | options), blocks=blocks, workers=workers)
    return make_engine(corpus, config)


def parameters_of(engine, seed=1):
    return Parameters.initial(
        engine.n_inputs, engine.n_outputs, engine.config.vector_size, seed=seed
    )


def drawn(engine, epoch=0, start=0):
    """An episode with its pairs, and a worker."""
    stop = min(start + engine.episode_tokens, engine.length)
    episode = Episode(engine, epoch, start, stop)
    worker = BlockWorker(engine)
    for unit in range(len(episode.spans)):
        worker.draw(episode, unit)
    episode.end_drawing()
    return episode, worker


def train(worker, episode, parameters, turn, owner):
    """Train one block alone."""
    buckets = (episode.words(owner), episode.words((owner + turn) % episode.n_buckets))
    matrices = parameters.W_in_rows, parameters.W_out_rows
    rows = []
    for matrix, words in zip(matrices, buckets, strict=True):
        rows.append(aligned_rows(len(words), matrix.shape[1]))
        rows[-1][:] = matrix[words]
    worker.train(episode, turn, owner, *rows)
    for matrix, words, bucket in zip(matrices, buckets, rows, strict=True):
        matrix[words] = bucket


def window_of(batch, w):
    """One window as a batch."""
    inputs = slice(batch.groups[w], batch.groups[w + 1] + 1)
    rows = batch.input_offsets[inputs]
    outputs = slice(batch.output_offsets[w], batch.output_offsets[w + 1])
    return Batch(
        inputs=batch.inputs[rows[0] : rows[-1]],
        input_offsets=rows - rows[0],
        groups=np.array([0, len(rows) - 1]),
        outputs=batch.outputs[outputs],
        output_offsets=np.array([0, outputs.stop - outputs.start]),
    )


def blocks_of(episode):
    return [(turn, owner) for turn in episode.turns for owner in range(episode.n_buckets)]


@given(
    st.integers(1, 17), st.integers(1, 50), st.booleans(), st.sampled_from([0, 0.01]),
    st.integers(0, 2),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_every_pair_of_the_text_is_trained_once(corpus, blocks, window, shrink, sample, epoch):
    engine = engine_of(corpus, blocks, window=window, shrink_windows=shrink, sample=sample)
    found = Counter()
    for start in range(0, engine.length, engine.episode_tokens):
        episode, worker = drawn(engine, epoch, start)
        for block in blocks_of(episode):
            batch, _ = worker.windows(episode, *block)
            targets = batch.outputs.reshape(len(batch), 1 + worker._config.negative)[:, 0]
            pairs = zip(batch.inputs, np.repeat(targets, np.diff(batch.groups)), strict=True)
            found.update((int(a), int(b)) for a, b in pairs)
            assert np.diff(batch.groups).max(initial=0) <= module.CONTEXTS["skipgram"]
            assert worker._n_windows == len(batch)
    expected = Counter()
    span = Span(0, engine.length, epoch, 0.1)
    batch = draw_batch(engine.tables, span, engine.tables.reach, 1, architecture="skipgram")
    targets = batch.outputs.reshape(len(batch), 2)[:, 0]
    pairs = zip(batch.inputs, np.repeat(targets, np.diff(batch.groups)), strict=True)
    expected.update((int(a), int(b)) for a, b in pairs)
    assert found == expected


def test_a_block_touches_the_rows_of_its_two_buckets_alone(corpus):
    engine = engine_of(corpus, 4)
    parameters = parameters_of(engine)
    episode, worker = drawn(engine)
    sizes = []
    for turn, owner in blocks_of(episode):
        batch, firsts = worker.windows(episode, turn, owner)
        sizes.append(len(batch))
        bucket = (owner + turn) % 4
        assert (episode.deal.bucket_of[batch.inputs] == owner).all()
        assert (episode.deal.bucket_of[batch.outputs] == bucket).all()
        rows = batch.outputs.reshape(len(batch), 4)
        for lot in np.split(np.arange(len(batch)), firsts[1:]):
            assert len(lot) <= MOST_TOGETHER
            assert batch.groups[lot[-1] + 1] - batch.groups[lot[0]] <= module.CONTEXTS_OF_A_LOT
            assert (rows[lot, 1:] == rows[lot[0], 1:]).all()
            assert not np.isin(rows[lot[0], 1:], rows[lot, 0]).any()
        parameters.W_in[:], parameters.W_out[:] = parameters_of(engine).W_in, 0.1
        before = parameters.copy()
        train(worker, episode, parameters, turn, owner)
        touched = (parameters.W_in != before.W_in).any(axis=1)
        assert np.array_equal(np.flatnonzero(touched), np.unique(batch.inputs))
        touched = (parameters.W_out != before.W_out).any(axis=1)
        assert np.array_equal(np.flatnonzero(touched), np.unique(batch.outputs))
    assert min(sizes) > 0


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
@pytest.mark.parametrize(("blocks", "negative"), [(1, 3), (3, 5), (5, 14), (20, 3)])
def test_a_block_takes_the_oracles_steps(corpus, blocks, negative, architecture):
    options = {"learning_rate": 0.1, "architecture": architecture, "cbow_step": "balanced"}
    engine = engine_of(corpus, blocks, **options, negative=negative)
    found = parameters_of(engine)
    episode, worker = drawn(engine)
    oracle = ReferenceEngine(engine.config)
    for turn, owner in blocks_of(episode)[:: blocks // 3 + 1]:
        found.W_in[:] = 10 * parameters_of(engine, seed=3).W_in
        found.W_out[:] = np.random.default_rng(4).normal(0, 0.3, found.W_out.shape)
        wanted = found.copy()
        train(worker, episode, found, turn, owner)
        batch, firsts = worker.windows(episode, turn, owner)
        assert len(batch) == episode.n_windows[owner * blocks + turn]
        assert len(batch.inputs) == episode.sizes[owner * blocks + turn]
        total = 0.0
        for lot in np.split(np.arange(len(batch)), firsts[1:]):
            before = wanted.copy()
            for w in lot:  # each from the parameters before the lot
                moved = before.copy()
                total += oracle.apply_batch(moved, window_of(batch, w), episode.learning_rate).total
                wanted.W_in[:] += moved.W_in - before.W_in
                wanted.W_out[:] += moved.W_out - before.W_out
        loss = episode.losses[owner * blocks + turn]
        assert loss == pytest.approx(total, rel=1e-5)
        np.testing.assert_allclose(found.W_in, wanted.W_in, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found.W_out, wanted.W_out, rtol=1e-4, atol=1e-5)


def test_negatives_are_noise_of_the_bucket(corpus):
    engine = engine_of(corpus, 2, negative=400, sample=0)
    episode, worker = drawn(engine)
    noise = noise_distribution(corpus.vocabulary.counts)
    np.testing.assert_allclose(engine.noise, noise, atol=1e-9)
    batch, firsts = worker.windows(episode, 1, 0)
    words = episode.deal.words[1, : episode.deal.sizes[1]]
    rows = batch.outputs.reshape(len(batch), -1)
    drawn_words = np.bincount(rows[firsts, 1:].reshape(-1), minlength=len(noise))
    # Of a lot, every word that is none of its targets is a negative in proportion to its noise.
    share = noise / noise[words].sum()
    expected = np.zeros(len(noise))
    for lot in np.split(rows[:, 0], firsts[1:]):
        others = np.setdiff1d(words, lot)
        expected[others] += 400 * share[others] / share[others].sum()
    z = (drawn_words[words] - expected[words]) / np.sqrt(expected[words])
    assert np.abs(z).max() < 4.5
    assert drawn_words.sum() == drawn_words[words].sum() == 400 * len(firsts)


@given(st.integers(2, 90), st.integers(1, 45), st.integers(0, 2**64 - 1))
@settings(max_examples=60, deadline=None)
def test_a_deal_gives_every_word_a_row(n_words, n_buckets, key):
    n_buckets = min(n_buckets, n_words // 2)
    noise = noise_distribution(np.arange(n_words, 0, -1))
    deal = Deal.of(noise, n_buckets, key)
    for bucket in range(n_buckets):
        words = deal.words[bucket, : deal.sizes[bucket]]
        assert (deal.bucket_of[words] == bucket).all()
        assert (words // n_buckets == np.arange(len(words))).all()
    assert deal.sizes.sum() == n_words
    assert np.ptp(deal.sizes) <= 1
    assert deal.sizes.min() >= 2


def test_words_are_dealt_anew_in_every_episode_and_by_the_seed_alone(corpus):
    engine = engine_of(corpus, 4)
    deals = [
        Episode(engine, epoch, start, start + 10).deal.bucket_of.tolist()
        for epoch in (0, 1)
        for start in (0, 10)
    ]
    assert all(one != other for i, one in enumerate(deals) for other in deals[:i])
    again = Episode(engine_of(corpus, 4, vector_size=9), 0, 0, 10).deal.bucket_of.tolist()
    assert again == deals[0]
    other = Episode(engine_of(corpus, 4, seed=2), 0, 0, 10).deal.bucket_of.tolist()
    assert other != deals[0]


def trained(corpus, blocks, workers, pauses=0, epochs=2, **options):
    engine = engine_of(corpus, blocks, workers, **options)
    parameters = parameters_of(engine)
    steps = []
    for epoch in range(epochs):
        position = 0
        while position < engine.length:
            pause = threading.Event()
            for step in engine.epoch(parameters, epoch, position, pause):
                steps.append(step)
                position = step.stop
                if pauses:
                    pause.set()
    return parameters, steps


@pytest.mark.parametrize(
    ("blocks", "architecture"), [(1, "skipgram"), (5, "skipgram"), (5, "cbow")]
)
def test_threads_and_pauses_change_no_byte(corpus, blocks, architecture, monkeypatch):
    wanted, steps = trained(corpus, blocks, 1, architecture=architecture)
    assert len(steps) == 2 * module.EPISODES_AN_EPOCH
    for workers, pauses, unit in ((2, 0, None), (5, 0, None), (2, 1, None), (1, 0, 11)):
        monkeypatch.setattr(module, "UNIT_TOKENS", unit or module.UNIT_TOKENS)
        found, again = trained(corpus, blocks, workers, pauses, architecture=architecture)
        assert again == steps
        assert (found.W_in_rows == wanted.W_in_rows).all()
        assert (found.W_out_rows == wanted.W_out_rows).all()


def test_a_failure_of_a_thread_ends_the_epoch(corpus, monkeypatch):
    def fail(self, **piece):
        raise ArithmeticError("no")

    monkeypatch.setattr(BlockWorker, "train", fail)
    engine = engine_of(corpus, 3, workers=3)
    with pytest.raises(ArithmeticError, match="no"):
        list(engine.epoch(parameters_of(engine), 0, 0, threading.Event()))
    assert not [one for one in threading.enumerate() if one.name.startswith("wordgrad-")]


def test_how_long_episodes_are(corpus, monkeypatch):
    tokens = len(corpus.ids)
    assert engine_of(corpus, 2).episode_tokens == -(-tokens // 4)
    # Their pairs take no more than two matrices, ...
    monkeypatch.setattr(module, "MOST_PAIRS", 1)
    engine = engine_of(corpus, 2, sample=0)  # window 4: five pairs a token
    matrices = 2 * parameters_of(engine).W_in_rows.nbytes
    assert engine.episode_tokens == -(-matrices // (4 * 5)) < tokens // 4
    # ... but so many may be there in any case.
    more = matrices // 4 + 500
    monkeypatch.setattr(module, "MOST_PAIRS", more)
    assert engine_of(corpus, 2, sample=0).episode_tokens == -(-more // 5)


def test_what_blocks_cannot_train_is_refused(corpus, monkeypatch):
    V = len(corpus.vocabulary)
    with pytest.raises(ParameterError, match=rf"blocks must be at most {V // 2}, half of the {V}"):
        engine_of(corpus, V // 2 + 1)
    for options in (
        {"loss": "softmax"},
        {"subwords": (3, 4)},
        {"device": "cuda"},
    ):
        (name,) = options
        with pytest.raises(ParameterError, match=f"blocks are trained with {name}="):
            check_device(TrainingConfig(blocks=2, **options))
    with pytest.raises(ParameterError, match=r"blocks must be an integer in \[1, 1024\], got 0"):
        TrainingConfig(blocks=0)
    monkeypatch.setattr(module, "MOST_ROWS", 10)
    with pytest.raises(ParameterError, match=r"blocks must be at least \d+ for \d+ words, got 2"):
        engine_of(corpus, 2)


def test_an_extreme_noise_exponent_leaves_no_bucket_without_negatives(corpus):
    engine = engine_of(corpus, 4, ns_exponent=400.0)
    parameters = parameters_of(engine)
    list(engine.epoch(parameters, 0, 0, threading.Event()))
    assert parameters.are_finite()


def test_a_training_with_blocks_is_a_training(tmp_path):
    rng = np.random.default_rng(1)
    text = [[f"{'ab'[t]}{k}" for k in rng.integers(0, 30, 10)] for t in rng.integers(0, 2, 2000)]
    settings = {
        "vector_size": 16,
        "min_count": 1,
        "sample": 0,
        "blocks": 8,
        "validation": text[:100],
    }
    whole = Word2Vec(**settings, workers=2, epochs=6).fit(text)
    words = whole.vectors_.words
    near = [whole.vectors_.most_similar(word, topn=5) for word in words]
    hits = np.mean([w[0] == other[0] for w, r in zip(words, near, strict=True) for other, _ in r])
    assert hits > 0.95
    assert whole.history_[-1]["validation_loss"] < whole.history_[0]["validation_loss"]
    half = Word2Vec(**settings, workers=1, epochs=3, checkpoint=tmp_path, checkpoint_every=1e-3)
    half.fit(text)
    resumed = Word2Vec.from_checkpoint(tmp_path, epochs=6, workers=3).resume()
    assert len(resumed.history_) == 6
    again = Word2Vec(**settings, workers=2, epochs=6, reproducible=True).fit(text)
    assert (again.vectors_.matrix == whole.vectors_.matrix).all()


def test_an_engine_without_a_corpus_takes_batches_alone():
    engine = BlockEngine(TrainingConfig(blocks=2))
    with pytest.raises(TypeError, match="needs sampling tables"):
        _ = engine.noise
