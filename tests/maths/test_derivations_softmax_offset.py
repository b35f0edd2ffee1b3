"""docs/derivations/softmax-offset.md, executed for three words."""

import sympy as sp

V = 3
X = sp.Matrix(V, V, sp.symbols("x:9", positive=True))
theta = sp.Matrix(V, V, sp.symbols("t:9", real=True))
W_in = sp.Matrix(V, 2, sp.symbols("p:6", real=True))
W_out = sp.Matrix(V, 2, sp.symbols("u:6", real=True))
b = sp.Matrix(V, 1, sp.symbols("b:3", real=True))


def loss(scores):
    return sum(
        X[c, o] * (sp.log(sum(sp.exp(scores[c, w]) for w in range(V))) - scores[c, o])
        for c in range(V)
        for o in range(V)
    )


def n(c):
    return sum(X[c, o] for o in range(V))


def at(gradient, scores):
    return gradient.subs({theta[i]: scores[i] for i in range(V * V)}, simultaneous=True)


def test_the_minimum_is_the_empirical_distribution():
    """softmax-offset.md, first section: the gradient, and where it is 0."""
    J = loss(theta)
    minimum = sp.Matrix(V, V, lambda c, o: sp.log(X[c, o] / n(c)))
    for c in (0, 2):
        total = sum(sp.exp(theta[c, w]) for w in range(V))
        for w in (0, 1):
            delta = sp.diff(J, theta[c, w])
            assert sp.simplify(delta - (n(c) * sp.exp(theta[c, w]) / total - X[c, w])) == 0
            assert sp.simplify(at(delta, minimum)) == 0


def test_the_offset_is_one_more_coordinate():
    """softmax-offset.md, "One more coordinate": the scores, and the gradient of what is trained."""
    v, u = W_in[:, 0], W_out[:, 0]  # one coordinate that is trained
    scores = v * u.T + sp.Matrix(V, V, lambda c, w: b[w])
    longer = v.row_join(sp.ones(V, 1)) * u.row_join(b).T
    assert sp.expand(scores - longer) == sp.zeros(V, V)
    J = loss(scores)
    delta = sp.Matrix(
        V,
        V,
        lambda c, w: (
            n(c) * sp.exp(scores[c, w]) / sum(sp.exp(scores[c, k]) for k in range(V)) - X[c, w]
        ),
    )
    point = {symbol: sp.Rational(k + 2, 7) for k, symbol in enumerate([*X, *v, *u, *b])}
    for symbols, gradient in ((v, delta * u), (u, delta.T * v)):
        for k in range(V):
            difference = sp.diff(J, symbols[k]) - gradient[k]
            assert abs(difference.subs(point).evalf(30)) < 1e-25


def test_the_minimum_with_the_offset_is_mutual_information():
    """softmax-offset.md, "The scores are pointwise mutual information"."""
    total = sum(X)
    marginal = [sum(X[c, w] for c in range(V)) for w in range(V)]
    free = sp.symbols("a:3", real=True)  # a number for each c, which nobody sees
    scores = sp.Matrix(
        V,
        V,
        lambda c, w: (
            sp.log(X[c, w] * total / (n(c) * marginal[w])) + free[c] + sp.log(marginal[w] / total)
        ),
    )
    J = loss(theta)
    for k in (0, 4, 7):
        assert sp.simplify(sp.expand_log(at(sp.diff(J, theta[k]), scores), force=True)) == 0


def test_scores_leave_an_invertible_matrix_free():
    """softmax-offset.md, "Which vectors the scores determine"."""
    A = sp.Matrix(2, 2, sp.symbols("a:4", real=True))
    same = (W_in * A) * (W_out * A.inv().T).T
    assert (same - W_in * W_out.T).applyfunc(sp.simplify) == sp.zeros(V, V)


def test_the_decomposition_is_that_of_the_scores():
    """softmax-offset.md: P S Q^T of known factors gives the weighted scores back, for any split."""
    P = sp.Matrix([[3, 4], [4, -3], [0, 0]]) / 5
    Q = sp.Matrix([[0, 0], [5, 12], [12, -5]]) / 13
    S, a = sp.diag(9, 4), sp.Symbol("a", positive=True)
    R = sp.diag(2, 1, 3)
    assert P.T * P == Q.T * Q == sp.eye(2)
    left = R.inv() * P * sp.diag(9**a, 4**a)
    right = R.inv() * Q * sp.diag(9 ** (1 - a), 4 ** (1 - a))
    weighted = R * left * right.T * R
    assert (weighted - P * S * Q.T).applyfunc(sp.simplify) == sp.zeros(V, V)
