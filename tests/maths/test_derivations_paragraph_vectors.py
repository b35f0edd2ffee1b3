"""docs/derivations/paragraph-vectors.md, executed for three words and two documents."""

import pytest
import sympy as sp

V, N, D = 3, 5, 2  # rows 3 and 4 of W_in are documents'
TARGET, DRAWN = 1, (2, 0, 2)
W_in = sp.Matrix(N, D, sp.symbols("p:10", real=True))
W_out = sp.Matrix(V, D, sp.symbols("u:6", real=True))


def sigma(t):
    return 1 / (1 + sp.exp(-t))


def pair(h, outputs=W_out):
    scores = outputs * h
    return -sp.log(sigma(scores[TARGET])) - sum(sp.log(sigma(-scores[k])) for k in DRAWN)


def gradient(loss, matrix):
    return sp.Matrix(*matrix.shape, [sp.diff(loss, symbol) for symbol in matrix])


def assert_equal(found, wanted):
    """At a rational point, to 25 digits: simplifying such sums takes minutes."""
    symbols = sorted((found - wanted).free_symbols, key=str)
    point = {symbol: sp.Rational(3 * k - 11, 7) for k, symbol in enumerate(symbols)}
    assert max(abs(sp.N(one, 30)) for one in (found - wanted).subs(point)) < 1e-25


SIGNED = [(TARGET, 1), *((k, -1) for k in DRAWN)]
PATH = [(2, -1), (0, 1)]  # of word 1 in a tree whose inner nodes are rows of W_out


@pytest.mark.parametrize("outputs", [SIGNED, PATH, PATH + SIGNED])
def test_distributed_bag_of_words(outputs):
    """paragraph-vectors.md, "Distributed bag of words", two tags."""
    tags = (3, 4)
    scores = [s * W_out[k, :].dot(W_in[i, :]) for i in tags for k, s in outputs]
    loss = -sum(sp.log(sigma(score)) for score in scores)
    d_in, d_out = sp.zeros(N, D), sp.zeros(V, D)
    for i in tags:
        for k, s in outputs:
            error = s * sigma(-s * W_out[k, :].dot(W_in[i, :]))
            d_in[i, :] -= error * W_out[k, :]
            d_out[k, :] -= error * W_in[i, :]
    assert_equal(gradient(loss, W_in), d_in)
    assert_equal(gradient(loss, W_out), d_out)


@pytest.mark.parametrize("share", [sp.Rational(1, 4), sp.Integer(1)])
def test_distributed_memory_is_cbow(share):
    """paragraph-vectors.md, "Distributed memory": a document, and word 0 twice among three."""
    rows, hat = (3, 0, 2, 0), sp.Matrix(sp.symbols("h:2", real=True))
    h = share * sum((W_in[i, :].T for i in rows), sp.zeros(D, 1))
    d_hat = gradient(pair(hat), hat).subs(dict(zip(hat, h, strict=True)))
    wanted = sp.zeros(N, D)
    for i in rows:
        wanted[i, :] += share * d_hat.T
    assert_equal(gradient(pair(h), W_in), wanted)


def long_outputs(width):
    return sp.Matrix(V, width, sp.symbols(f"w:{V * width}", real=True))


def test_concatenation():
    """paragraph-vectors.md, "Concatenation": word 0 stands in two of four places."""
    rows = (4, 0, 1, 0)
    width = len(rows) * D
    outputs, hat = long_outputs(width), sp.Matrix(sp.symbols(f"h:{width}", real=True))
    h = sp.Matrix([number for i in rows for number in W_in[i, :]])
    d_hat = gradient(pair(hat, outputs), hat).subs(dict(zip(hat, h, strict=True)))
    wanted = sp.zeros(N, D)
    for c, i in enumerate(rows):
        wanted[i, :] += d_hat[c * D : (c + 1) * D, :].T
    assert_equal(gradient(pair(h, outputs), W_in), wanted)


def test_equal_parts_are_the_sum():
    """paragraph-vectors.md, "Concatenation": one output vector for all places."""
    rows = (3, 0, 2)
    h = sp.Matrix([number for i in rows for number in W_in[i, :]])
    equal = sp.Matrix.hstack(*[W_out] * len(rows))
    total = sum((W_in[i, :].T for i in rows), sp.zeros(D, 1))
    assert sp.simplify(equal * h - W_out * total) == sp.zeros(V, 1)


def test_inference_is_convex():
    """paragraph-vectors.md, "Inference": the second derivative is a sum of squares."""
    v = W_in[3, :].T
    found = sp.hessian(pair(v), list(v))
    wanted = sp.zeros(D, D)
    for k, _ in SIGNED:
        u = W_out[k, :].T
        wanted += sigma(u.dot(v)) * sigma(-u.dot(v)) * u * u.T
    assert_equal(found, wanted)
