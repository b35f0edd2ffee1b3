"""docs/derivations/softmax.md, executed for three and four classes."""

import pytest
import sympy as sp

a = sp.symbols("a", real=True)
theta = sp.symbols("theta:4", real=True)


def softmax(scores):
    powers = [sp.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def same(left, right):
    return sp.simplify(left - right) == 0


def test_invariance():
    """softmax.md, "Invariance"."""
    for moved, still in zip(softmax([t + a for t in theta]), softmax(theta), strict=True):
        assert same(moved, still)


def test_logarithm():
    """softmax.md, "Logarithm", with any constant in the place of the maximum."""
    for i, S_i in enumerate(softmax(theta)):
        shifted = (theta[i] - a) - sp.log(sum(sp.exp(t - a) for t in theta))
        assert same(sp.exp(shifted), S_i)


@pytest.mark.parametrize("i", range(3))
def test_jacobian(i):
    """softmax.md, "Jacobian"."""
    S = softmax(theta[:3])
    for j in range(3):
        derivative = sp.diff(S[i], theta[j])
        assert same(derivative, S[i] * ((1 if i == j else 0) - S[j]))
        assert same(derivative, -S[i] * S[j] if i != j else S[i] * (1 - S[i]))


def test_rows_of_the_jacobian_sum_to_zero():
    """softmax.md, "Where written solutions go wrong": -S_i S_i would not sum to 0."""
    S = softmax(theta[:3])
    for i in range(3):
        assert same(sum(sp.diff(S[i], t) for t in theta[:3]), 0)
        assert not same(S[i] * (1 - S[i]) - 2 * S[i] * S[i], 0)


def test_two_classes():
    """softmax.md, "Two classes"."""
    x = theta[0]
    assert same(softmax([x, sp.Integer(0)])[0], 1 / (1 + sp.exp(-x)))
