"""docs/derivations/cost.md, executed: multiply-adds are counted, not believed."""

import numpy as np
import pytest
import sympy as sp


class Counted:
    """A number that counts its multiplications."""

    products = 0

    def __init__(self, value):
        self.value = float(value)

    def __mul__(self, other):
        Counted.products += 1
        return Counted(self.value * float(other))

    __rmul__ = __mul__

    def __add__(self, other):
        return Counted(self.value + float(other))

    __radd__ = __add__

    def __sub__(self, other):
        return Counted(self.value - float(other))

    def __float__(self):
        return self.value


def counted(array):
    return np.vectorize(Counted, otypes=[object])(array)


def products_of_a_step(rows, D, error_of):
    """Multiplications of scores, of the gradient of v, and of the update, over ``rows`` rows."""
    rng = np.random.default_rng(0)
    v, U = counted(rng.normal(size=D)), counted(rng.normal(size=(rows, D)))
    Counted.products = 0
    scores = U @ v
    error = counted(error_of(scores.astype(float)))  # R exponentials, not counted here
    d_v = error @ U
    new_U = U - error[:, None] * v[None, :]  # the learning rate is already in the error
    assert d_v.shape == (D,)
    assert new_U.shape == U.shape
    return Counted.products


def softmax_error(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum() - np.eye(len(scores))[0]


def sampling_error(scores):
    return 1 / (1 + np.exp(-scores)) - np.eye(len(scores))[0]


@pytest.mark.parametrize(("V", "D", "K"), [(30, 4, 5), (12, 7, 2), (100, 3, 9)])
def test_multiply_adds_of_a_step(V, D, K):
    """cost.md, first section."""
    softmax = products_of_a_step(V, D, softmax_error)
    sampling = products_of_a_step(1 + K, D, sampling_error)
    assert softmax == 3 * V * D
    assert sampling == 3 * (1 + K) * D
    assert sp.Rational(softmax, sampling) == sp.Rational(V, 1 + K)


def test_where_the_two_meet():
    """cost.md, "What a whole corpus costs"."""
    T, m, K, D, V = sp.symbols("T m K D V", positive=True)
    meeting = sp.solve(sp.Eq(3 * V**2 * D, T * m * 3 * (1 + K) * D), V)
    assert len(meeting) == 1
    value = float(meeting[0].subs({T: 17_000_000, m: 5, K: 5}))
    assert round(value, -2) == 22_600
