"""docs/derivations/subwords.md, executed for three words of four rows, one twice in a word."""

import sympy as sp

R, D = 4, 2
PARTS = ((0, 2, 3, 2), (1, 2), (2,))
W = sp.Matrix(R, D, sp.symbols("w:8", real=True))
v = sp.Matrix(len(PARTS), D, sp.symbols("v:6", real=True))
target = sp.Matrix(sp.symbols("u:2", real=True))
eta = sp.Symbol("eta", positive=True)


def compose(rows, parts=PARTS):
    return sp.Matrix([sum((rows[r, :] for r in one), sp.zeros(1, D)) / len(one) for one in parts])


def loss(vectors):
    """A CBOW window of words 0 and 1, and a skip-gram pair of word 2 that meets word 0."""
    hidden = (vectors[0, :] + vectors[1, :]) / 2
    first = sp.log(1 + sp.exp(-(hidden * target)[0]))
    return first + sp.log(1 + sp.exp((vectors[2, :] * vectors[0, :].T)[0]))


def test_rows():
    """subwords.md, "Rows"."""
    composed = compose(W)
    at = dict(zip(v, composed, strict=True))
    d_v = sp.Matrix(len(PARTS), D, [sp.diff(loss(v), symbol) for symbol in v]).subs(at)
    value = loss(composed)
    for r in range(R):
        shares = [sp.Rational(one.count(r), len(one)) for one in PARTS]
        expected = sum((shares[w] * d_v[w, :] for w in range(len(PARTS))), sp.zeros(1, D))
        exact = sp.Matrix([[sp.diff(value, W[r, d]) for d in range(D)]])
        assert sp.simplify(exact - expected) == sp.zeros(1, D)


def test_two_readings_of_the_mean():
    """subwords.md, "Two readings of the mean": a word of three parts of its own."""
    parts = ((0, 1, 2),)
    at = dict(zip(v[:D], compose(W, parts), strict=True))
    score = (v[0, :] * target)[0]
    d_v = sp.Matrix([[sp.diff(score**2, symbol).subs(at) for symbol in v[:D]]])
    delta = -eta * d_v
    before = compose(W, parts)
    for step, moved in ((delta / 3, delta / 3), (delta, delta)):
        rows = W.copy()
        for r in parts[0]:
            rows[r, :] += step
        assert sp.simplify(compose(rows, parts) - before - moved) == sp.zeros(1, D)
    exact = sp.diff(((before * target)[0]) ** 2, W[1, 0])
    assert sp.simplify(delta[0] - 3 * (-eta * exact)) == 0


def test_parts_that_share_a_row():
    """subwords.md, "Parts that share a row": rows 2 and 3 come in both words, once in each."""
    apart, together = ((0, 2, 3), (1, 2, 3)), ((0, 2), (1, 2))
    d_v = v[:2, :]
    rows = W.copy()
    shared = sp.Matrix([W[0, :], W[1, :], W[2, :] + W[3, :]])
    merged = shared.copy()
    for w, (one, other) in enumerate(zip(apart, together, strict=True)):
        for r in one:
            rows[r, :] += d_v[w, :]
        for r in other:
            merged[r, :] += (2 if r == 2 else 1) * d_v[w, :]
    for w, (one, other) in enumerate(zip(apart, together, strict=True)):
        first = sum((rows[r, :] for r in one), sp.zeros(1, D)) / len(one)
        second = sum((merged[r, :] for r in other), sp.zeros(1, D)) / len(one)
        assert sp.simplify(first - second) == sp.zeros(1, D), w
