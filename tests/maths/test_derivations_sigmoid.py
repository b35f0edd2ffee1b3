"""docs/derivations/sigmoid.md, executed."""

import sympy as sp

x = sp.symbols("x", real=True)


def sigma(t):
    return 1 / (1 + sp.exp(-t))


def same(left, right):
    return sp.simplify(left - right) == 0


def test_two_forms():
    """sigmoid.md, "Two forms"."""
    assert same(sigma(x), sp.exp(x) / (1 + sp.exp(x)))


def test_symmetry():
    """sigmoid.md, "Symmetry"."""
    assert same(1 - sigma(x), sp.exp(-x) / (1 + sp.exp(-x)))
    assert same(1 - sigma(x), sigma(-x))


def test_derivative():
    """sigmoid.md, "Derivative"."""
    s = sigma(x)
    assert same(sp.diff(s, x), s * sigma(-x))
    assert same(sp.diff(s, x), s * (1 - s))
    assert not same(sp.diff(s, x), x * (1 - x))


def test_logarithm():
    """sigmoid.md, "Logarithm": the two signs of x apart."""
    p = sp.symbols("p", positive=True)
    assert same(sp.exp(0 - sp.log(1 + sp.exp(-p))), sigma(p))  # x = p
    assert same(sp.exp(-p - sp.log(1 + sp.exp(-p))), sigma(-p))  # x = -p


def test_derivative_of_the_logarithm():
    """sigmoid.md, "Logarithm", last lines."""
    assert same(sp.diff(sp.log(sigma(x)), x), sigma(-x))
    assert same(sp.diff(sp.log(sigma(x)), x), 1 - sigma(x))
    assert same(sp.diff(sp.log(sigma(-x)), x), -sigma(x))
