"""docs/derivations/expected-counts.md, executed: every outcome of the draws, added up."""

from itertools import product

import sympy as sp

k = sp.symbols("k:6", positive=True)
z = sp.Symbol("z")


def coefficients(tokens):
    polynomial = sp.Poly(sp.prod(1 - k[t] + k[t] * z for t in tokens), z)
    return [polynomial.coeff_monomial(z**n) for n in range(len(tokens) + 1)]


def test_two_tokens_by_all_outcomes():
    """expected-counts.md, "Two tokens": tokens 0 and 4 of 0..4, windows of 1 to 3."""
    for m in (1, 2, 3):
        by_outcomes = 0
        for kept in product((0, 1), repeat=5):
            chance = sp.prod(k[t] if kept[t] else 1 - k[t] for t in range(5))
            if kept[0] and kept[4]:
                distance = 1 + sum(kept[1:4])
                for reach in range(1, m + 1):
                    by_outcomes += chance * sp.Rational(1, m) * int(reach >= distance)
        q = coefficients([1, 2, 3])
        formula = k[0] * k[4] * sum(q[n] * sp.Rational(m - n, m) for n in range(min(m, 4)))
        assert sp.expand(by_outcomes - formula) == 0


def test_the_recursion_gives_the_coefficients():
    """expected-counts.md, "The distribution of L": cut off at m = 3."""
    q = [sp.Integer(1), sp.Integer(0), sp.Integer(0)]
    for passed in range(1, 5):
        q = [(1 - k[passed]) * q[n] + (k[passed] * q[n - 1] if n else 0) for n in range(3)]
        exact = coefficients(range(1, passed + 1))
        for n in range(3):
            assert sp.expand(q[n] - (exact[n] if n < len(exact) else 0)) == 0


def test_the_rest_of_a_walk():
    """expected-counts.md, "Where a walk may end": the sum, its bound, and that it is reached."""
    m, n, r = sp.symbols("m n r", integer=True, positive=True)
    rest = sp.summation((m - n - r + 1) / m, (r, 1, m - n))
    assert sp.simplify(rest - (m - n) * (m - n + 1) / (2 * m)) == 0
    for window in range(1, 8):
        for before in range(window):
            exact = sp.Rational((window - before) * (window - before + 1), 2 * window)
            s = sp.Rational(window - before, window)
            assert exact <= s * sp.Rational(window + 1, 2)
            # A sentence that goes on with words that are always kept reaches it.
            q = [sp.Integer(int(step == before)) for step in range(window)]
            reached = 0
            for _ in range(window + 2):
                reached += sum(
                    q[step] * sp.Rational(window - step, window) for step in range(window)
                )
                q = [sp.Integer(0), *q[:-1]]
            assert reached == exact
