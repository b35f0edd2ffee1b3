"""docs/derivations/skip-gram.md, executed for four words, with repeats and the centre outside."""

from collections import Counter

import sympy as sp

V, D, C = 4, 2, 1
OUTSIDE = (0, 2, 0, 1)  # word 0 twice, and the centre word itself
W_in = sp.Matrix(V, D, sp.symbols("p:8", real=True))
W_out = sp.Matrix(V, D, sp.symbols("u:8", real=True))


def sigma(t):
    return 1 / (1 + sp.exp(-t))


def gradient(loss, parameters):
    return sp.Matrix(*parameters.shape, [sp.diff(loss, symbol) for symbol in parameters])


def same(left, right):
    return sp.simplify(left - right) == sp.zeros(*left.shape)


def scores_of(c):
    return W_out * W_in[c, :].T


def pair_loss(c, o):
    scores = scores_of(c)
    return sp.log(sum(sp.exp(score) for score in scores)) - scores[o]


def y_hat_of(c):
    powers = [sp.exp(score) for score in scores_of(c)]
    return sp.Matrix([power / sum(powers) for power in powers])


def test_gradients_with_negative_sampling():
    """skip-gram.md, first section: two draws for each of two outside words."""
    draws = {0: (2, 3), 1: (0, 0)}
    s = scores_of(C)
    J = sum(
        -sp.log(sigma(s[o])) - sum(sp.log(sigma(-s[k])) for k in drawn)
        for o, drawn in draws.items()
    )
    d_W_in, d_W_out = gradient(J, W_in), gradient(J, W_out)
    error = sp.zeros(V, 1)
    for o, drawn in draws.items():
        error[o] += sigma(s[o]) - 1
        for k in drawn:
            error[k] += sigma(s[k])
    assert same(d_W_out, error * W_in[C, :])
    assert same(d_W_in[C, :].T, W_out.T * error)
    for w in (0, 2, 3):
        assert d_W_in[w, :] == sp.zeros(1, D)


def test_softmax_of_a_window():
    """skip-gram.md, "Softmax: one window is one product"."""
    J = sum(pair_loss(C, o) for o in OUTSIDE)
    counts, M = sp.Matrix([Counter(OUTSIDE)[w] for w in range(V)]), len(OUTSIDE)
    error = M * y_hat_of(C) - counts
    d_W_in = gradient(J, W_in)
    assert same(d_W_in[C, :].T, W_out.T * error)
    assert same(gradient(J, W_out), error * W_in[C, :])
    for w in (0, 2, 3):
        assert d_W_in[w, :] == sp.zeros(1, D)


def pairs_of(tokens, reach=1):
    return [
        (tokens[i], tokens[j])
        for i in range(len(tokens))
        for j in range(len(tokens))
        if 0 < abs(i - j) <= reach
    ]


def test_count_form_of_a_corpus():
    """skip-gram.md, "Count form of a whole corpus"."""
    pairs = pairs_of((0, 1, 0, 1, 2))
    J = sum(pair_loss(c, o) for c, o in pairs)
    n = sp.Matrix(V, V, lambda c, o: Counter(pairs)[c, o])
    by_counts = sum(
        sum(n[c, :]) * sp.log(sum(sp.exp(score) for score in scores_of(c)))
        - (n[c, :] * scores_of(c))[0]
        for c in range(V)
    )
    assert sp.simplify(J - by_counts) == 0
    Delta = sp.Matrix.vstack(*[(sum(n[c, :]) * y_hat_of(c) - n[c, :].T).T for c in range(V)])
    point = {
        symbol: sp.Rational((5 * k) % 17 - 8, 7) for k, symbol in enumerate([*W_in, *W_out], 1)
    }
    for parameters, formula in ((W_in, Delta * W_out), (W_out, Delta.T * W_in)):
        difference = (gradient(J, parameters) - formula).evalf(40, subs=point)
        assert max(map(abs, difference)) < 1e-35
        assert max(map(abs, formula.evalf(40, subs=point))) > 0.1


def test_both_directions_have_the_same_pairs():
    """skip-gram.md, "Which word is the input"."""
    pairs = pairs_of((0, 1, 2, 0, 3, 3, 1), reach=2)
    assert Counter(pairs) == Counter((o, c) for c, o in pairs)
