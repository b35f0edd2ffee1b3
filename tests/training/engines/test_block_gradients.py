"""A block's loss and gradients: against the oracle, its twin in float64, and at the extremes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad import maths
from wordgrad.training.engines import block_softmax
from wordgrad.training.engines.block_softmax import (
    BlockSoftmax,
    SparseTargets,
    exact_gradients,
    exact_loss,
    logit_offset,
)
from wordgrad.training.engines.pair_counts import count_pairs, counts_of
from wordgrad.training.kernels.batch import combine_inputs, scatter_add
from wordgrad.training.kernels.softmax import (
    adagrad_rows,
    entries_of_ranges,
    errors_in_place,
    errors_of_range,
    exponentials_in_place,
)


def normal(rng, *shape, scale=0.5):
    return rng.normal(scale=scale, size=shape).astype(np.float32)


def close(got, exact, error=4e-6):
    return np.abs(np.asarray(got) - exact).max() <= error * max(1.0, np.abs(exact).max())


def oracle(pairs, W_in, W_out, offset):
    """Sum over pairs one by one; the offset is one more coordinate."""
    inputs = np.column_stack([W_in, np.ones(len(W_in))]).astype(np.float64)
    outputs = np.column_stack([W_out, offset]).astype(np.float64)
    loss, d_W_in, d_W_out = 0.0, 0.0, 0.0
    for c, o in pairs:
        window = maths.skipgram(c, [o], inputs, outputs)
        loss += window.loss
        d_W_in, d_W_out = d_W_in + window.d_W_in, d_W_out + window.d_W_out
    return loss, d_W_in[:, :-1], d_W_out[:, :-1]


@pytest.mark.parametrize("offset", ["unigram", "none"])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_pass_of_blocks_is_the_oracles_gradient(offset, threads, monkeypatch):
    monkeypatch.setattr(block_softmax, "LEAST_ROWS", 2)  # so few words are worth three threads
    rng = np.random.default_rng(0)
    V, D = 23, 17
    pairs = rng.integers(0, V, (300, 2))
    W_in, W_out = normal(rng, V, D), normal(rng, V, D)
    added = logit_offset(offset, np.bincount(pairs[:, 1], minlength=V))
    assert np.isfinite(added).all()
    counts = counts_of(pairs, V)
    block = BlockSoftmax(V, D, 6, threads)
    loss, d_W_in, d_W_out = 0.0, np.zeros((V, D)), np.zeros((V, D))
    for words in np.array_split(rng.permutation(V), 5):
        found = block.gradients(
            W_in[words], W_out, added, SparseTargets(*counts.rows(words), counts.totals[words])
        )
        loss += found.loss
        d_W_in[words] += found.d_inputs
        d_W_out += found.d_W_out
    block.close()
    exact = oracle(pairs, W_in, W_out, added)
    for got, expected in zip((loss, d_W_in, d_W_out), exact, strict=True):
        assert close(got, expected)


@given(
    V=st.integers(1, 40),
    D=st.integers(1, 20),
    B=st.integers(1, 9),
    scale=st.sampled_from([1e-3, 0.5, 3.0]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_blocks_agree_with_their_twin(V, D, B, scale, seed):
    rng = np.random.default_rng(seed)
    inputs, W_out = normal(rng, B, D, scale=scale), normal(rng, V, D, scale=scale)
    offset = logit_offset("unigram", rng.integers(0, 3, V) + (np.arange(V) == 0))
    X = rng.integers(0, 4, (B, V)) * np.isfinite(offset) * 0.7
    rows, columns = np.nonzero(X)
    begin = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=B))])
    targets = SparseTargets(begin, columns.astype(np.int32), X[rows, columns], X.sum(axis=1))
    found = BlockSoftmax(V, D, B, 1).gradients(inputs, W_out, offset, targets)
    loss, d_inputs, d_W_out = exact_gradients(inputs, W_out, offset, targets)
    assert close(found.loss, loss, 2e-5)
    assert close(found.d_inputs, d_inputs, 2e-5)
    assert close(found.d_W_out, d_W_out, 2e-5)
    assert (found.d_inputs[targets.totals == 0] == 0).all()


@pytest.mark.parametrize("size", [1e3, -1e3])
def test_scores_that_are_far_apart_give_numbers(size):
    W_out = np.array([[size], [0.0], [-size]], np.float32)
    targets = SparseTargets(
        np.array([0, 2]), np.array([0, 2], np.int32), np.array([1.0, 2.0]), np.array([3.0])
    )
    found = BlockSoftmax(3, 1, 1, 1).gradients(
        np.ones((1, 1), np.float32), W_out, np.zeros(3, np.float32), targets
    )
    assert found.loss == pytest.approx(4e3 if size > 0 else 2e3)
    np.testing.assert_allclose(found.d_W_out.sum(), 0.0, atol=1e-6)


@pytest.mark.parametrize("place", range(0, 40, 13))
def test_a_logit_that_is_no_number_makes_the_loss_none(place):
    """Wherever it stands in the vectors that the greatest logit is found by."""
    W_out = np.ones((40, 1), np.float32)
    W_out[place] = np.nan
    targets = SparseTargets(np.array([0, 1]), np.array([1], np.int32), np.ones(1), np.ones(1))
    found = BlockSoftmax(40, 1, 1, 1).gradients(
        np.ones((1, 1), np.float32), W_out, np.zeros(40, np.float32), targets
    )
    assert np.isnan(found.loss)


def test_exponentials_are_accurate_to_rounding():
    """V logits whose exponentials are what the block leaves behind, where nothing is counted."""
    V = 5000
    W_out = np.linspace(-90, 0, V, dtype=np.float32)[:, np.newaxis]
    block = BlockSoftmax(V, 1, 1, 1)
    targets = SparseTargets(np.array([0, 0]), np.empty(0, np.int32), np.empty(0), np.zeros(1))
    block.gradients(np.ones((1, 1), np.float32), W_out, np.zeros(V, np.float32), targets)
    exact = np.exp(W_out[:, 0].astype(np.float64))
    above = exact > 1.2e-38
    np.testing.assert_allclose(block._logits[0][above], exact[above], rtol=4e-7)


@pytest.mark.parametrize("offset", ["unigram", "none"])
def test_exact_loss_is_the_sum_over_every_pair(offset):
    """Windows of 1 and nothing thinned out, so that every pair of the corpus counts once."""
    rng = np.random.default_rng(3)
    ids = rng.integers(0, 9, 400).astype(np.int32)
    offsets = np.array([0, 150, 151, 400])
    counts = count_pairs(ids, offsets, np.ones(9), 1)
    pairs = [
        (ids[i], ids[j])
        for start, stop in pairwise(offsets)
        for i in range(start, stop)
        for j in (i - 1, i + 1)
        if start <= j < stop
    ]
    assert counts.pairs == len(pairs)
    W_in, W_out = rng.normal(size=(9, 5)), rng.normal(size=(9, 5))
    added = logit_offset(offset, counts.totals)
    found = exact_loss(W_in, W_out, added, counts)
    assert found.pairs == len(pairs)
    assert found.total == pytest.approx(oracle(pairs, W_in, W_out, added)[0], rel=1e-10)


def test_exact_loss_weights_pairs_by_their_expected_counts():
    rng = np.random.default_rng(4)
    ids = rng.integers(0, 6, 60).astype(np.int32)
    counts = count_pairs(ids, np.array([0, 60]), rng.uniform(0.1, 1, 6), 3)
    W_in, W_out = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
    total = 0.0
    for c in range(6):
        for j in range(counts.starts[c], counts.starts[c + 1]):
            total += counts.values[j] * maths.skipgram(c, [counts.columns[j]], W_in, W_out).loss
    found = exact_loss(W_in, W_out, np.zeros(6), counts)
    assert found.total == pytest.approx(total, rel=1e-10)


@pytest.mark.parametrize("combine", ["mean", "sum"])
@pytest.mark.parametrize("offset", ["unigram", "none"])
def test_a_batch_of_windows_is_the_oracles_cbow(combine, offset):
    rng = np.random.default_rng(5)
    V, D, B = 11, 6, 40
    contexts = [rng.integers(0, V, rng.integers(1, 7)) for _ in range(B)]
    centres = rng.integers(0, V, B).astype(np.int32)
    W_in, W_out = normal(rng, V, D), normal(rng, V, D)
    added = logit_offset(offset, np.arange(1, V + 1))
    offsets = np.cumsum([0] + [len(context) for context in contexts])
    flat = np.concatenate(contexts).astype(np.int32)
    inputs = np.empty((B, D), np.float32)
    combine_inputs(W_in, flat, offsets, combine == "mean", inputs)
    found = BlockSoftmax(V, D, B, 2).gradients(
        inputs, W_out, added, SparseTargets(np.arange(B + 1), centres, np.ones(B), np.ones(B))
    )
    d_W_in = np.zeros((V, D), np.float32)
    shares = maths.input_share(np.diff(offsets), combine=combine).astype(np.float32)
    scatter_add(found.d_inputs, flat.astype(np.int64), offsets, shares, d_W_in)
    loss, exact_in, exact_out = 0.0, 0.0, 0.0
    for centre, context in zip(centres, contexts, strict=True):
        share = 1.0 if combine == "mean" else 1 / len(context)
        window = maths.cbow(
            int(centre),
            context,
            np.column_stack([W_in, np.full(V, share)]).astype(np.float64),
            np.column_stack([W_out, added]).astype(np.float64),
            combine=combine,
        )
        loss += window.loss
        exact_in, exact_out = exact_in + window.d_W_in, exact_out + window.d_W_out
    assert close(found.loss, loss)
    assert close(d_W_in, exact_in[:, :-1])
    assert close(found.d_W_out, exact_out[:, :-1])


def test_adagrad_takes_its_formulas_step():
    rng = np.random.default_rng(6)
    rows, gradient, sums = normal(rng, 5, 7), normal(rng, 5, 7), rng.uniform(0, 2, 5)
    gradient[2], sums[2] = 0.0, 0.0
    expected_sums = sums + (gradient.astype(np.float64) ** 2).mean(axis=1)
    with np.errstate(invalid="ignore"):
        step = 0.3 * gradient / np.sqrt(expected_sums)[:, np.newaxis]
    expected = rows - np.nan_to_num(step)
    before = rows.copy()
    squares = adagrad_rows(rows, gradient, sums, 0.3, 0, 4)
    np.testing.assert_allclose(rows[:4], expected[:4], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(rows[[2, 4]], before[[2, 4]])
    np.testing.assert_allclose(sums[:4], expected_sums[:4], rtol=1e-6)
    assert squares == pytest.approx((gradient[:4].astype(np.float64) ** 2).sum(), rel=1e-5)


@given(
    cuts=st.lists(st.integers(1, 22), max_size=4, unique=True).map(sorted),
    scale=st.sampled_from([0.1, 3.0, 30.0, 200.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_errors_of_ranges_are_those_of_whole_rows(cuts, scale, seed):
    """Also where all of a range is e^-200 of what is elsewhere, or in no pair at all."""
    rng = np.random.default_rng(seed)
    V, B = 23, 5
    counts = counts_of(rng.integers(0, V, (60, 2)), V)
    words = rng.permutation(V)[:B]
    targets = SparseTargets(*counts.rows(words), counts.totals[words])
    logits = normal(rng, B, V, scale=scale)
    offset = logit_offset("unigram", rng.permutation(V).clip(4) - 4)
    whole, factor, losses = logits.copy(), np.empty(B, np.float32), np.empty(B)
    finite = np.isin(targets.columns, np.flatnonzero(np.isfinite(offset)))
    targets = targets._replace(values=targets.values * finite)
    errors_in_place(whole, offset, *targets, 0, B, factor, losses)
    edges = list(pairwise([0, *cuts, V]))
    tiles = [np.ascontiguousarray(logits[:, a:b]) for a, b in edges]
    greatest, sums = np.empty((2, len(edges), B), np.float32)
    entries = np.empty((len(edges) + 1, B), np.int64)
    entries_of_ranges(targets.begin, targets.columns, np.array([0, *cuts, V]), entries)
    sparse = targets.columns, targets.values
    hits = [
        exponentials_in_place(
            tile, offset[a:b], *entries[k : k + 2], *sparse, a, greatest[k], sums[k]
        )
        for k, (tile, (a, b)) in enumerate(zip(tiles, edges, strict=True))
    ]
    top = greatest.max(axis=0)
    total = (sums * np.exp(greatest - top)).sum(axis=0)
    n = targets.totals
    errors = []
    for k, (tile, (a, _)) in enumerate(zip(tiles, edges, strict=True)):
        factors = np.empty(B, np.float32)
        errors_of_range(tile, *entries[k : k + 2], *sparse, n, a, greatest[k], top, total, factors)
        errors.append(tile * factors[:, np.newaxis])
    wanted = whole * factor[:, np.newaxis]
    np.testing.assert_allclose(np.hstack(errors), wanted, atol=2e-5 * n.max())
    found = n @ (top + np.log(total.astype(np.float64))) - sum(hits) if n.all() else None
    if found is not None and finite.all():
        np.testing.assert_allclose(found, losses.sum(), rtol=1e-5)
