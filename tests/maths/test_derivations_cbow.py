"""docs/derivations/cbow.md, executed for four words, word 0 twice among three outside words."""

from collections import Counter

import pytest
import sympy as sp

from wordgrad.maths import input_share

V, D, C, OUTSIDE, DRAWN = 4, 2, 1, (0, 2, 0), (3, 3)
W_in = sp.Matrix(V, D, sp.symbols("p:8", real=True))
W_out = sp.Matrix(V, D, sp.symbols("u:8", real=True))
hat = sp.Matrix(sp.symbols("h:2", real=True))


def sigma(t):
    return 1 / (1 + sp.exp(-t))


def softmax_pair(v):
    scores = W_out * v
    return sp.log(sum(sp.exp(score) for score in scores)) - scores[C]


def sampled_pair(v):
    scores = W_out * v
    return -sp.log(sigma(scores[C])) - sum(sp.log(sigma(-scores[k])) for k in DRAWN)


def combined(share, outside=OUTSIDE):
    return share * sum((W_in[w, :].T for w in outside), sp.zeros(D, 1))


def gradients(pair, share):
    """Of the window's loss for every v_w; and of the pair's for v_hat, put where v_hat is."""
    v_hat = combined(share)
    loss = pair(v_hat)
    d_W_in = sp.Matrix(V, D, [sp.diff(loss, symbol) for symbol in W_in])
    d_hat = sp.Matrix([sp.diff(pair(hat), symbol) for symbol in hat])
    return d_W_in, d_hat.subs(dict(zip(hat, v_hat, strict=True)))


def check(pair, share):
    d_W_in, d_hat = gradients(pair, share)
    for w in range(V):
        expected = share * Counter(OUTSIDE)[w] * d_hat.T
        assert sp.simplify(d_W_in[w, :] - expected) == sp.zeros(1, D)


@pytest.mark.parametrize("pair", [softmax_pair, sampled_pair])
def test_mean(pair):
    """cbow.md, "Input vectors", mean."""
    check(pair, sp.Rational(1, len(OUTSIDE)))


@pytest.mark.parametrize("pair", [softmax_pair, sampled_pair])
def test_sum(pair):
    """cbow.md, "Input vectors", sum."""
    check(pair, sp.Integer(1))


def test_the_undivided_gradient_of_the_mean_is_wrong():
    """cbow.md, "Where written solutions go wrong": what word2vec.c adds is M times too much."""
    d_W_in, d_hat = gradients(sampled_pair, sp.Rational(1, len(OUTSIDE)))
    undivided = d_hat.T
    assert sp.simplify(d_W_in[2, :] - undivided) != sp.zeros(1, D)
    assert sp.simplify(len(OUTSIDE) * d_W_in[2, :] - undivided) == sp.zeros(1, D)


def test_a_larger_share_is_the_gradient_times_a_positive_factor():
    """cbow.md, "Steps that go further": its rows, and the loss along the step, to first order."""
    share, a, rate = sp.symbols("s a eta", positive=True)
    v_hat = combined(a)
    d_W_out = sp.Matrix(V, D, [sp.diff(sampled_pair(v_hat), symbol) for symbol in W_out])
    d_W_in, d_hat = gradients(sampled_pair, a)
    step_in = sp.Matrix(V, D, lambda w, d: -share * Counter(OUTSIDE)[w] * d_hat[d])
    assert sp.simplify(step_in + share / a * d_W_in) == sp.zeros(V, D)
    moved = dict(zip(W_in, W_in + rate * step_in, strict=True))
    moved |= dict(zip(W_out, W_out - rate * d_W_out, strict=True))
    slope = sp.diff(sampled_pair(v_hat).subs(moved, simultaneous=True), rate).subs(rate, 0)
    expected = -share / a * sum(d**2 for d in d_W_in) - sum(d**2 for d in d_W_out)
    point = {symbol: sp.Rational(k - 7, 5) for k, symbol in enumerate([*W_in, *W_out])}
    point |= {share: sp.Rational(3, 4), a: sp.Rational(1, 3)}
    assert abs(sp.N((slope - expected).subs(point), 30)) < 1e-25
    assert sp.N(expected.subs(point)) < 0


def test_how_far_the_combined_vector_moves():
    """cbow.md, "Steps that go further": the mean of three different words, each share."""
    outside, rate = (0, 2, 3), sp.symbols("eta", positive=True)
    M, d = len(outside), sp.Matrix(sp.symbols("d:2", real=True))
    for step, moved in (
        ("exact", rate / M),
        ("whole", rate),
        ("balanced", 2.2 * rate / sp.sqrt(M)),
    ):
        share = float(input_share(M, combine="mean", step=step))
        change = sum((-rate * share * d for _ in outside), sp.zeros(D, 1)) / M
        assert (
            max(abs(sp.N(one)) for one in (change + moved * d).subs({rate: 1, d[0]: 1, d[1]: 1}))
            < 1e-15
        )


def test_one_outside_word_is_skip_gram():
    """cbow.md, "One outside word": for M = 1 both shares are 1, and the input is v_o alone."""
    from_word_2 = softmax_pair(W_in[2, :].T)
    mean, total = (combined(share, outside=(2,)) for share in (sp.Rational(1, 1), sp.Integer(1)))
    assert mean == total
    assert sp.simplify(softmax_pair(mean) - from_word_2) == 0
