"""Composed vectors: spans against the mathematics, shared rows, threads and refusals."""

import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.corpus.corpus import encode_corpus
from wordgrad.errors import ParameterError
from wordgrad.maths import cbow, compose, compose_gradient, skipgram
from wordgrad.subwords import NgramRows, ngram_hashes
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines import make_engine
from wordgrad.training.engines.subwords import LEAST_SUB_TOKENS, MOST_STALE, SubwordEngine
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import SamplingTables, Span, draw_batch

D, NEGATIVE, RATE = 12, 3, 0.3


def sentences(n=60, seed=5):
    """Words of three syllables, so that they share n-grams, in sentences of different lengths."""
    rng = np.random.default_rng(seed)
    syllables = ["ba", "na", "ko", "tš", "мир", "e"]
    return [
        ["".join(rng.choice(syllables, 3)) for _ in range(rng.integers(1, 30))] for _ in range(n)
    ]


@pytest.fixture(scope="module")
def corpus():
    with encode_corpus(sentences(), min_count=1) as corpus:
        yield corpus


def config(**changes):
    values = {"vector_size": D, "negative": NEGATIVE, "window": 3, "sample": 0.05}
    values |= {"subwords": (2, 4), "buckets": 1 << 20, "workers": 1}
    return TrainingConfig(**{**values, **changes})


def engine_and_parameters(corpus, sub_tokens, **changes):
    engine = make_engine(corpus, config(**changes))
    assert isinstance(engine, SubwordEngine)
    engine.sub_tokens = lambda rate: sub_tokens
    parameters = Parameters.zeros(engine.n_inputs, engine.n_outputs, D)
    rng = np.random.default_rng(3)
    for rows in (parameters.W_in, parameters.W_out):
        rows[:] = 0.3 * rng.normal(size=rows.shape)
    return engine, parameters


def exact_span(engine, parameters, length, sub_tokens):
    """Loss, W_in and W_out after a span, by wordgrad.maths in float64."""
    W_in, W_out = (W.astype(np.float64) for W in (parameters.W_in, parameters.W_out))
    ngrams, cfg = engine.ngrams, engine.config
    parts = [ngrams.rows[first:last] for first, last in pairwise(ngrams.offsets)]
    total = 0.0
    for start in range(0, length, sub_tokens):
        span = Span(start, min(start + sub_tokens, length), 0, RATE)
        batch = draw_batch(engine.tables, span, cfg.window, NEGATIVE)
        # A row that is a sum of n parts counts as n of them: its share is 1 / all parts.
        shares = [len(one) / size for one, size in zip(parts, ngrams.sizes, strict=True)]
        before = compose(W_in, parts) * np.array(shares)[:, None]
        vectors = before.copy()
        for b in range(len(batch)):
            context = batch.inputs[batch.groups[b] : batch.groups[b + 1]]
            target, *negatives = batch.outputs[(1 + NEGATIVE) * b :][: 1 + NEGATIVE]
            options = {"loss": "negative-sampling"}
            if cfg.architecture == "cbow":
                windows = [cbow(target, context, vectors, W_out, negatives=negatives, **options)]
            else:
                windows = [
                    skipgram(int(word), [target], vectors, W_out, negatives=[negatives], **options)
                    for word in context
                ]
            vectors -= RATE * sum(window.d_W_in for window in windows)
            W_out -= RATE * sum(window.d_W_out for window in windows)
            total += sum(window.loss for window in windows)
        steps = np.array(shares if cfg.subword_step == "exact" else [len(one) for one in parts])
        change = compose_gradient((vectors - before) * steps[:, None], parts, len(W_in))
        W_in += ngrams.multiplicity[:, None] * change
    return total, W_in, W_out


@pytest.mark.parametrize("sub_tokens", [1, 40])
@pytest.mark.parametrize("step", ["whole", "exact"])
@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
def test_a_span_is_that_of_the_mathematics(corpus, architecture, step, sub_tokens):
    engine, parameters = engine_and_parameters(
        corpus, sub_tokens, architecture=architecture, subword_step=step
    )
    loss, W_in, W_out = exact_span(engine, parameters, 200, sub_tokens)
    moved = np.abs(W_in - parameters.W_in).max()
    found = engine.run_span(parameters, Span(0, 200, 0, RATE))
    assert found.total == pytest.approx(loss, rel=1e-6)
    np.testing.assert_allclose(parameters.W_in, W_in, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(parameters.W_out, W_out, rtol=1e-5, atol=1e-5)
    assert moved > 0.01
    assert not parameters.W_in_rows[:, D:].any()


def apart(ngrams, words):
    """The same rows, none of them shared."""
    owners, hashes = ngram_hashes(words, ngrams.minn, ngrams.maxn)
    buckets, ids = np.unique(hashes % ngrams.bucket, return_inverse=True)
    V = len(words)
    lists = [[w, *(V + ids[owners == w]).tolist()] for w in range(V)]
    return NgramRows(
        rows=np.array([row for one in lists for row in one], np.int32),
        offsets=np.cumsum([0, *map(len, lists)]),
        sizes=np.array([len(one) for one in lists]),
        multiplicity=np.ones(V + len(buckets), np.float32),
        buckets=buckets.astype(np.int32),
        bucket_rows=(V + np.arange(len(buckets))).astype(np.int32),
        minn=ngrams.minn,
        maxn=ngrams.maxn,
        bucket=ngrams.bucket,
    )


@pytest.mark.parametrize("step", ["whole", "exact"])
def test_shared_rows_learn_what_rows_apart_learn(corpus, step):
    """A row is the sum of parts that always change together, so that nothing is lost by it."""
    words = corpus.vocabulary.words
    shared, parameters = engine_and_parameters(corpus, 50, subword_step=step)
    single = SubwordEngine(
        shared.config, SamplingTables(corpus, shared.config), apart(shared.ngrams, words)
    )
    single.sub_tokens = shared.sub_tokens
    assert shared.n_inputs < 0.8 * single.n_inputs
    other = Parameters.zeros(single.n_inputs, single.n_outputs, D)
    ids = np.arange(single.n_inputs)
    ids[len(words) :] = len(words) + shared.ngrams.buckets
    other.W_in[:] = shared.subwords(parameters).table.rows(ids)
    other.W_out[:] = parameters.W_out
    np.testing.assert_allclose(shared.vectors(parameters), single.vectors(other), atol=1e-6)
    losses = [
        engine.run_span(p, Span(0, 400, 0, RATE)).total
        for engine, p in ((shared, parameters), (single, other))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    np.testing.assert_allclose(
        other.W_in, shared.subwords(parameters).table.rows(ids), rtol=1e-4, atol=1e-4
    )


words_of_letters = st.lists(
    st.text("abñ\U0001f642", min_size=1, max_size=6), min_size=1, max_size=12, unique=True
)


@settings(max_examples=60)
@given(words_of_letters, st.integers(1, 3), st.integers(0, 3), st.sampled_from([1, 7, 1 << 30]))
def test_rows_hold_every_part_of_a_word_as_often_as_it_occurs(words, minn, more, bucket):
    ngrams = NgramRows.of_vocabulary(words, minn=minn, maxn=minn + more, bucket=bucket)
    owners, hashes = ngram_hashes(words, minn, minn + more)
    values = np.random.default_rng(1).normal(size=(len(words) + len(ngrams.buckets), 2))
    parts = np.searchsorted(ngrams.buckets, hashes % bucket) + len(words)
    wanted = values[: len(words)].copy()
    np.add.at(wanted, owners, values[parts])
    rows = np.zeros((ngrams.n_inputs, 2))
    np.add.at(rows, np.concatenate([np.arange(len(words)), ngrams.bucket_rows]), values)
    found = np.stack([rows[ngrams.rows[a:b]].sum(axis=0) for a, b in pairwise(ngrams.offsets)])
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    np.testing.assert_array_equal(ngrams.sizes, 1 + np.bincount(owners, minlength=len(words)))
    assert ngrams.multiplicity.sum() == len(words) + len(ngrams.buckets)
    weights = [ngrams.multiplicity[ngrams.rows[a:b]].sum() for a, b in pairwise(ngrams.offsets)]
    np.testing.assert_array_equal(weights, ngrams.sizes)
    assert (ngrams.rows[ngrams.offsets[:-1]] == np.arange(len(words))).all()


def epoch(corpus, **changes):
    engine = make_engine(corpus, config(epochs=1, **changes))
    parameters = Parameters.initial(engine.n_inputs, engine.n_outputs, D, seed=1)
    engine.prepare(parameters)
    steps = list(engine.epoch(parameters, 0, 0, threading.Event()))
    assert sorted((step.start, step.stop) for step in steps)[-1][1] == engine.length
    return parameters


def test_reproducible_bytes_for_any_number_of_threads(corpus):
    first, *others = (epoch(corpus, reproducible=True, workers=n) for n in (1, 2, 3))
    for other in others:
        np.testing.assert_array_equal(first.W_in_rows, other.W_in_rows)
        np.testing.assert_array_equal(first.W_out_rows, other.W_out_rows)


def test_several_threads_train_all_of_it(corpus):
    parameters = epoch(corpus, workers=3)
    assert parameters.are_finite()
    assert parameters.W_out.any(axis=1).all()


def test_sub_spans_grow_as_the_rate_falls(corpus):
    engine = make_engine(corpus, config())
    assert engine.sub_tokens(1e-9) == engine.span_tokens
    rate = MOST_STALE / engine.staleness / 100
    assert engine.sub_tokens(rate) == pytest.approx(100, abs=1)
    assert engine.sub_tokens(2 * rate) == pytest.approx(50, abs=1)
    assert engine.sub_tokens(1e9) == LEAST_SUB_TOKENS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "softmax"}, "subwords are not trained with loss='softmax'; change it"),
        ({"device": "cuda"}, "subwords are not trained with device='cuda'; change it"),
    ],
)
def test_what_trains_no_subwords_is_refused(corpus, changes, message):
    with pytest.raises(ParameterError, match=message):
        make_engine(corpus, config(**changes))


@pytest.mark.parametrize("pair", [3, (3,), (6, 3), (0, 3), (3, 6.5), (3, 1001), "36"])
def test_subwords_are_two_rising_integers(pair):
    with pytest.raises(ParameterError, match=r"subwords must be two integers in \[1, 1000\]"):
        config(subwords=pair)
