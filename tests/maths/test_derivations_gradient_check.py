"""docs/derivations/gradient-check.md, executed."""

from itertools import product

import sympy as sp

h, t = sp.symbols("h t", positive=True)


def test_truncation():
    """gradient-check.md, "Truncation": a general polynomial of degree 7 in place of f."""
    c = sp.symbols("c:8", real=True)
    f = sum(c[n] * t**n / sp.factorial(n) for n in range(8))  # c[n] is the n-th derivative at 0

    def D(step):
        return sp.expand((f.subs(t, step) - f.subs(t, -step)) / (2 * step))

    R = sp.expand((4 * D(h / 2) - D(h)) / 3)
    assert sp.expand(D(h) - c[1] - h**2 / 6 * c[3] - h**4 / 120 * c[5]).coeff(h, 4) == 0
    assert D(h).coeff(h, 2) == c[3] / 6
    assert R.coeff(h, 0) == c[1]
    assert R.coeff(h, 2) == 0
    assert R.coeff(h, 4) == -c[5] / 480


def test_mean_square_along_random_directions():
    """gradient-check.md, "Random directions": over all signs of three coordinates."""
    g = sp.symbols("g:3", real=True)
    n = len(g)
    signs = list(product([-1, 1], repeat=n))
    squares = [
        (sum(s * x for s, x in zip(sign, g, strict=True)) / sp.sqrt(n)) ** 2 for sign in signs
    ]
    assert sp.expand(sum(squares) / len(signs) - sum(x**2 for x in g) / n) == 0
