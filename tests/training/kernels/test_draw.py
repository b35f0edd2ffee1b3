"""Which windows are drawn: exactly those of a slow model, and with the promised distributions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from wordgrad.training.config import LOSSES, TrainingConfig
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.engines.reference import ReferenceEngine
from wordgrad.training.kernels.draw import MAX_REDRAWS
from wordgrad.training.kernels.random import GOLDEN, mix
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import (
    RowTable,
    Span,
    draw_batch,
    first_sentence,
    keep_probabilities,
    noise_distribution,
)

M64 = 2**64 - 1
SURELY = 1e-5
"""A p-value below this is no accident; the seeds are fixed, so a test passes always or never."""


def span_of(tables, epoch=0):
    return Span(0, len(tables.ids), epoch, 0.05)


def targets_of(batch):
    """Each window's target and negatives, (B, 1 + K)."""
    return batch.outputs.reshape(len(batch), -1)


def as_lists(batch):
    """Context and outputs of each window of skip-gram."""
    bounds = batch.groups.tolist()
    contexts = batch.inputs.tolist()
    if not len(batch):
        return []
    return [
        (contexts[begin:end], target)
        for (begin, end), target in zip(pairwise(bounds), targets_of(batch).tolist(), strict=True)
    ]


# The slow model: the same generator in Python's integers, the same rules in lists.


def slow_mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
    return z ^ (z >> 31)


def slow_negative(bits, noise):
    word = ((bits & 0xFFFFFFFF) * len(noise)) >> 32
    threshold, alias = noise[word]
    return word if bits >> 32 < threshold % 2**32 else alias


def slow_negatives(bits, target, noise, n):
    state, words = slow_mix(bits), []
    for _ in range(n):
        for _ in range(1 + MAX_REDRAWS):
            state = (state + int(GOLDEN)) & M64
            word = slow_negative(slow_mix(state), noise)
            if word != target:
                break
        else:
            low = slow_mix(state ^ M64) & 0xFFFFFFFF
            word = (target + 1 + (low * (len(noise) - 1) >> 32)) % len(noise)
        words.append(word)
    return words


def slow_windows(sentences, tables, epoch, window, negative):
    key, noise, keep = tables.key(epoch), tables.noise.tolist(), tables.keep.tolist()
    found, position = [], 0
    for sentence in sentences:
        kept = []
        for word in sentence:
            bits = slow_mix((key + position * int(GOLDEN)) & M64)
            if bits >> 32 <= keep[word]:
                kept.append((word, bits))
            position += 1
        words = [word for word, _ in kept]
        for i, (word, bits) in enumerate(kept):
            reach = 1 + ((bits & 0xFFFFFFFF) * window >> 32)
            context = words[max(i - reach, 0) : i][::-1] + words[i + 1 : i + 1 + reach]
            if context:
                found.append((context, [word, *slow_negatives(bits, word, noise, negative)]))
    return found


corpora = st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=25), min_size=1, max_size=8)
some_counts = st.lists(st.integers(1, 50), min_size=7, max_size=7)


@settings(max_examples=200)
@given(
    corpora,
    some_counts,
    st.integers(1, 8),
    st.integers(1, 6),
    st.sampled_from([0, 0.01, 0.2]),
    st.integers(0, 3),
)
def test_windows_are_those_of_the_slow_model(
    tables_of, sentences, counts, window, negative, sample, epoch
):
    tables = tables_of(sentences, counts, sample=sample, seed=9)
    drawn = draw_batch(tables, span_of(tables, epoch), window, negative)
    assert as_lists(drawn) == slow_windows(sentences, tables, epoch, window, negative)


@settings(max_examples=200)
@given(corpora, st.integers(1, 8), st.sampled_from([0, 0.05]), st.data())
def test_windows_do_not_depend_on_how_a_corpus_is_cut(tables_of, sentences, window, sample, data):
    tables = tables_of(sentences, [9, 8, 7, 6, 5, 4, 3], sample=sample)
    n = len(tables.ids)
    cuts = sorted({0, n, *data.draw(st.lists(st.integers(0, n), max_size=6))})
    parts = [
        window_
        for start, stop in pairwise(cuts)
        for window_ in as_lists(draw_batch(tables, Span(start, stop, 1, 0.05), window, 3))
    ]
    assert parts == as_lists(draw_batch(tables, span_of(tables, 1), window, 3))


def test_windows_stay_in_their_sentence(tables_of):
    sentences = [[0, 1, 2], [3], [4, 5], [6], [7], [8, 9, 10, 11]]
    tables = tables_of(sentences, sample=0)
    sentence_of = {word: s for s, words in enumerate(sentences) for word in words}
    windows = as_lists(draw_batch(tables, span_of(tables), 5, 2))
    assert [target[0] for _, target in windows] == [0, 1, 2, 4, 5, 8, 9, 10, 11]
    for context, target in windows:
        assert {sentence_of[word] for word in context} == {sentence_of[target[0]]}
        assert target[0] not in context


def test_a_span_begins_in_the_sentence_that_holds_its_first_token(tables_of):
    tables = tables_of([[0, 1, 2], [3], [4, 5]])
    found = [first_sentence(tables, Span(start, 6, 0, 0.1)) for start in range(6)]
    assert found == [(0, 0), (0, 1), (0, 2), (1, 3), (2, 4), (2, 5)]


def test_sentences_of_one_word_have_no_window(tables_of):
    tables = tables_of([[0], [1], [0]], sample=0)
    assert len(draw_batch(tables, span_of(tables), 5, 2)) == 0


@pytest.mark.parametrize(
    ("state", "output"),
    [(1, 6457827717110365317), (2, 3203168211198807973), (3, 9817491932198370423)],
)
def test_generator_gives_splitmix64s_published_numbers(state, output):
    """Seed 1234567 in the test vectors that go with Vigna's splitmix64.c."""
    z = (1234567 + state * int(GOLDEN)) & M64
    assert int(mix(np.uint64(z))) == slow_mix(z) == output


def uniform_text(tables_of, counts, n=200_000, seed=1, **settings):
    """One long sentence in which all words are equally frequent; only the counts say otherwise."""
    ids = np.random.default_rng(seed).integers(0, len(counts), n)
    return tables_of([ids.tolist()], counts, seed=seed, **settings)


def test_tokens_are_kept_with_their_probabilities(tables_of):
    counts = [500_000, 100_000, 9_000, 600, 20]
    tables = uniform_text(tables_of, counts, sample=1e-3)
    batch = draw_batch(tables, span_of(tables), 2, 1)
    kept = np.bincount(targets_of(batch)[:, 0], minlength=5)
    n = np.bincount(tables.ids, minlength=5)
    p = keep_probabilities(counts, 1e-3)
    assert p[0] < 0.05
    assert p[-1] == 1
    np.testing.assert_array_equal(kept[p == 1], n[p == 1])
    for successes, trials, chance in zip(kept[p < 1], n[p < 1], p[p < 1], strict=True):
        assert stats.binomtest(int(successes), int(trials), chance).pvalue > SURELY


def test_sample_zero_keeps_every_token(tables_of):
    tables = uniform_text(tables_of, [10**6, 1], n=5000, sample=0)
    batch = draw_batch(tables, span_of(tables), 2, 1)
    np.testing.assert_array_equal(targets_of(batch)[:, 0], tables.ids)


@pytest.mark.parametrize("sample", [0, 1e-3])
@pytest.mark.parametrize("window", [1, 2, 5, 10])
def test_reach_is_uniform(tables_of, window, sample):
    tables = uniform_text(tables_of, [500_000, 20_000, 900], sample=sample)
    batch = draw_batch(tables, span_of(tables), window, 1)
    sizes = np.diff(batch.groups)[window:-window]  # the sentence's ends cut windows short
    assert (sizes % 2 == 0).all()
    reaches = np.bincount(sizes // 2, minlength=window + 1)
    assert reaches[0] == 0
    assert len(reaches) == window + 1
    if window > 1:
        assert stats.chisquare(reaches[1:]).pvalue > SURELY
        neighbours = np.zeros((window, window))
        np.add.at(neighbours, (sizes[:-1] // 2 - 1, sizes[1:] // 2 - 1), 1)
        assert stats.chi2_contingency(neighbours).pvalue > SURELY


@pytest.mark.parametrize("exponent", [0.75, 0.0, -0.5])
def test_negatives_follow_the_noise_without_the_target(tables_of, exponent):
    counts = np.array([5000, 1500, 700, 300, 80, 9, 1])
    tables = uniform_text(tables_of, counts, sample=0, ns_exponent=exponent)
    batch = draw_batch(tables, span_of(tables), 2, 4)
    p = noise_distribution(counts, exponent)
    assert (targets_of(batch)[:, 1:] != targets_of(batch)[:, :1]).all()
    for target in range(len(counts)):
        negatives = targets_of(batch)[targets_of(batch)[:, 0] == target, 1:]
        others = np.arange(len(counts)) != target
        for k in range(negatives.shape[1]):
            found = np.bincount(negatives[:, k], minlength=len(counts))[others]
            wanted = p[others] / p[others].sum()
            assert stats.chisquare(found, wanted * len(negatives)).pvalue > SURELY
        pairs = np.zeros((len(counts), len(counts)))
        np.add.at(pairs, (negatives[:, 0], negatives[:, 1]), 1)
        pairs = pairs[np.ix_(others, others)]
        often = pairs.sum(axis=0) > 500
        assert stats.chi2_contingency(pairs[np.ix_(often, often)]).pvalue > SURELY


def test_negatives_do_not_depend_on_the_reach(tables_of):
    tables = uniform_text(tables_of, [300, 200, 100, 50], sample=0)
    batch = draw_batch(tables, span_of(tables), 5, 1)
    table = np.zeros((5, 4))
    sizes = np.diff(batch.groups)[5:-5]
    np.add.at(table, (sizes // 2 - 1, targets_of(batch)[5:-5, 1]), 1)
    assert stats.chi2_contingency(table).pvalue > SURELY


def test_two_words_are_each_others_negatives(tables_of):
    tables = uniform_text(tables_of, [1000, 1], n=2000, sample=0)
    targets = targets_of(draw_batch(tables, span_of(tables), 2, 6))
    np.testing.assert_array_equal(targets[:, 1:], 1 - np.repeat(targets[:, :1], 6, axis=1))


def test_noise_that_is_all_target_falls_back_to_the_other_words(tables_of):
    """Of 2^-33 or less of the noise nothing can be drawn: the others then come equally often."""
    tables = uniform_text(tables_of, [10**6, 50, 50, 40], n=16_000, sample=0, ns_exponent=30.0)
    targets = targets_of(draw_batch(tables, span_of(tables), 2, 2))
    assert (targets[:, 1:] != targets[:, :1]).all()
    assert (targets[targets[:, 0] != 0, 1:] == 0).all()
    found = np.bincount(targets[targets[:, 0] == 0, 1:].ravel(), minlength=4)
    assert found.sum() > 7000
    assert stats.chisquare(found[1:]).pvalue > SURELY


def test_seeds_and_epochs_give_their_own_draws(tables_of):
    def draws(seed, epoch):
        tables = uniform_text(tables_of, [9, 5, 5, 1], n=300, sample=0.3)
        tables.seed = seed
        return as_lists(draw_batch(tables, span_of(tables, epoch), 5, 3))

    assert draws(1, 0) == draws(1, 0)
    runs = [str(draws(seed, epoch)) for seed in (0, 1, 2, 2**32, 2**63) for epoch in (0, 1, 2)]
    assert len(set(runs)) == len(runs)


# The engines draw these windows themselves.

KINDS = [("skipgram", "mean"), ("cbow", "mean"), ("cbow", "sum")]


def text_and_spans(tables_of, config):
    rng = np.random.default_rng(4)
    sentences = [rng.zipf(1.6, n).clip(1, 12) - 1 for n in rng.integers(1, 40, 25)]
    tables = tables_of(sentences, sample=0.05, window=config.window, loss=config.loss)
    cuts = [0, 1, 40, 41, 200, len(tables.ids)]
    spans = [
        Span(start, stop, epoch, 0.1 - 0.01 * epoch)
        for epoch in (0, 1)
        for start, stop in pairwise(cuts)
    ]
    return tables, spans


def started(config, n_outputs=12):
    """Parameters at which no gradient vanishes."""
    parameters = Parameters.initial(12, n_outputs, config.vector_size, seed=3)
    parameters.W_in[:] *= config.vector_size
    parameters.W_out[:] = Parameters.initial(n_outputs, 1, config.vector_size, seed=4).W_in * 5
    return parameters


@pytest.mark.parametrize(("architecture", "combine"), KINDS)
@pytest.mark.parametrize(("vector_size", "window", "negative"), [(20, 5, 5), (7, 1, 1), (33, 9, 8)])
def test_a_span_is_the_batch_of_its_windows(
    tables_of, architecture, combine, vector_size, window, negative
):
    config = TrainingConfig(
        vector_size=vector_size,
        window=window,
        negative=negative,
        architecture=architecture,
        combine=combine,
        workers=1,
    )
    tables, spans = text_and_spans(tables_of, config)
    engine = HogwildEngine(config, tables)
    batches = HogwildEngine(config)
    found, wanted = started(config), started(config)
    for span in spans:
        loss = engine.run_span(found, span)
        batch = draw_batch(tables, span, window, negative, architecture=architecture)
        expected = batches.apply_batch(wanted, batch, span.learning_rate)
        assert loss.pairs == expected.pairs
        assert loss.total == pytest.approx(expected.total, rel=1e-6, abs=1e-6)
    np.testing.assert_array_equal(found.W_in_rows, wanted.W_in_rows)
    np.testing.assert_array_equal(found.W_out_rows, wanted.W_out_rows)


# With two workers a thread has rows of its own for the nodes near the root.
@pytest.mark.parametrize(
    ("loss", "workers"),
    [(loss, n) for loss in LOSSES if loss != "softmax" for n in (1, 2)[: 1 + ("hier" in loss)]],
)
@pytest.mark.parametrize(("architecture", "combine"), KINDS)
def test_spans_of_the_fast_engine_are_those_of_the_slow_one(
    tables_of, architecture, combine, loss, workers
):
    config = TrainingConfig(
        vector_size=20,
        window=4,
        negative=5,
        loss=loss,
        architecture=architecture,
        combine=combine,
        workers=workers,
    )
    tables, spans = text_and_spans(tables_of, config)
    fast = HogwildEngine(config, tables)
    slow = ReferenceEngine(config, tables)
    found, wanted, start = (started(config, tables.n_outputs) for _ in range(3))
    for span in spans:
        loss, exact = fast.run_span(found, span), slow.run_span(wanted, span)
        assert loss.pairs == exact.pairs
        assert loss.total == pytest.approx(exact.total, rel=1e-5, abs=1e-6)
    # A few hundred steps, each rounded to float32: errors add up like a random walk, and spread.
    np.testing.assert_allclose(found.W_in, wanted.W_in, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.W_out, wanted.W_out, rtol=1e-4, atol=1e-5)
    assert np.abs(found.W_out - start.W_out).max() > 0.1


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
def test_neither_architecture_nor_rows_change_what_is_drawn(tables_of, architecture):
    tables = uniform_text(tables_of, [9, 5, 5, 1], n=300, sample=0.3)
    plain = draw_batch(tables, span_of(tables), 3, 2)
    rows = RowTable(np.array([4, 0, 1, 2, 0, 3], np.int32), np.array([0, 1, 3, 5, 6]), n_inputs=5)
    drawn = draw_batch(tables, span_of(tables), 3, 2, architecture=architecture, rows=rows)
    np.testing.assert_array_equal(drawn.outputs, plain.outputs)
    words = [[4], [0, 1], [2, 0], [3]]
    expected = [
        [words[word] for word in plain.inputs[begin:end]] for begin, end in pairwise(plain.groups)
    ]
    found = [
        [drawn.inputs[a:b].tolist() for a, b in pairwise(drawn.input_offsets[begin : end + 1])]
        for begin, end in pairwise(drawn.groups)
    ]
    if architecture == "cbow":  # one input vector of all rows
        expected = [[[row for word in context for row in word]] for context in expected]
    assert found == expected


def test_a_workspace_grows_with_the_span(tables_of):
    tables = tables_of([[0, 1, 2, 1, 0, 2] * 30], sample=0)
    config = TrainingConfig(vector_size=4, workers=1)
    engine = HogwildEngine(config, tables)
    found, wanted = (Parameters.initial(3, 3, 4, seed=1) for _ in range(2))
    for span in (Span(0, 1, 0, 0.1), Span(1, 180, 0, 0.1)):
        engine.run_span(found, span)
        batch = draw_batch(tables, span, config.window, config.negative)
        HogwildEngine(config).apply_batch(wanted, batch, 0.1)
    np.testing.assert_array_equal(found.W_in_rows, wanted.W_in_rows)
    assert found.W_out.any()
