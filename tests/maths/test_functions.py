"""Softmax and sigmoid: published values, extremes, properties and 50-digit arithmetic."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from wordgrad.maths import log_sigmoid, log_softmax, sigmoid, sigmoid_grad, softmax

LARGEST = np.finfo(np.float64).max
LOWEST32 = np.finfo(np.float32).min
any_finite = st.floats(-LARGEST, LARGEST)
moderate = st.floats(-700, 700)


def finite_arrays(elements=any_finite, dtype=np.float64):
    return arrays(dtype, array_shapes(max_dims=3, max_side=5), elements=elements)


# --- published values (public course material; the tables' numbers only) ---


def test_published_values_of_softmax():
    expected = [[0.26894142, 0.73105858], [0.26894142, 0.73105858]]
    np.testing.assert_allclose(softmax([[1001, 1002], [3, 4]]), expected, rtol=2e-8)
    np.testing.assert_allclose(softmax([[-1001, -1002]]), [[0.73105858, 0.26894142]], rtol=2e-8)


def test_published_values_of_sigmoid_and_its_gradient():
    s = sigmoid([[1, 2], [-1, -2]])
    np.testing.assert_allclose(s, [[0.73105858, 0.88079708], [0.26894142, 0.11920292]], rtol=3e-8)
    np.testing.assert_allclose(sigmoid_grad(s), [[0.19661193, 0.10499359]] * 2, rtol=5e-8)


# --- hand-computed values ---


def test_softmax_of_logarithms_is_their_proportions():
    np.testing.assert_allclose(softmax(np.log([1.0, 2.0, 5.0])), [1 / 8, 2 / 8, 5 / 8], rtol=1e-15)
    np.testing.assert_allclose(
        log_softmax(np.log([1.0, 2.0, 5.0])), np.log([1 / 8, 2 / 8, 5 / 8]), rtol=1e-15
    )


def test_sigmoid_of_log_three_is_three_quarters():
    np.testing.assert_allclose(sigmoid(np.log([3.0, 1 / 3])), [0.75, 0.25], rtol=1e-15)
    np.testing.assert_allclose(log_sigmoid(np.log([3.0, 1 / 3])), np.log([0.75, 0.25]), rtol=1e-15)
    assert sigmoid(0.0) == 0.5
    assert sigmoid_grad(0.5) == 0.25


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_softmax_runs_along_the_axis_asked_for(axis):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    powers = np.exp(x)
    expected = powers / powers.sum(axis=axis, keepdims=True)
    np.testing.assert_allclose(softmax(x, axis=axis), expected, rtol=1e-14)
    np.testing.assert_allclose(log_softmax(x, axis=axis), np.log(expected), rtol=1e-13)


def test_softmax_runs_along_the_last_axis_unless_told():
    x = [[0.0, 0.0, 0.0], [0.0, np.log(2), 0.0]]
    np.testing.assert_allclose(softmax(x), [[1 / 3] * 3, [0.25, 0.5, 0.25]], rtol=1e-15)
    np.testing.assert_allclose(np.exp(log_softmax(x)), softmax(x), rtol=1e-15)


# --- extremes: no NaN, no infinity, no warning (pytest turns warnings into errors) ---


@pytest.mark.parametrize("size", [1e3, 1e308, LARGEST])
def test_extremes_in_float64(size):
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(softmax([size, -size, 0.0]), [1, 0, 0])
        np.testing.assert_array_equal(softmax([size, size]), [0.5, 0.5])
        np.testing.assert_array_equal(softmax([-size, -size]), [0.5, 0.5])
        np.testing.assert_array_equal(sigmoid([size, -size]), [1, 0])
        np.testing.assert_array_equal(log_sigmoid([size, -size]), [0, -size])
        np.testing.assert_array_equal(log_softmax([size, 0.0]), [0, -size])
        np.testing.assert_array_equal(log_softmax([-size, -size]), np.log([0.5, 0.5]))


def test_a_logarithm_below_the_lowest_float_is_the_lowest_float():
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(log_softmax([1e308, -1e308]), [0, -LARGEST])
        single = log_softmax(np.array([3e38, -3e38], dtype=np.float32))
    np.testing.assert_array_equal(single, np.array([0, LOWEST32], dtype=np.float32))


@pytest.mark.parametrize("size", [1e3, 3e38])
def test_extremes_in_float32(size):
    x = np.array([size, -size], dtype=np.float32)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(softmax(x), [1, 0])
        np.testing.assert_array_equal(sigmoid(x), [1, 0])
        np.testing.assert_array_equal(log_sigmoid(x), [0, x[1]])
    assert np.isfinite(log_softmax(x)).all()


def test_subnormal_results_raise_nothing():
    with np.errstate(all="raise"):
        assert 0 < sigmoid(-740.0) < np.finfo(np.float64).tiny
        assert 0 < softmax([0.0, -740.0])[1] < np.finfo(np.float64).tiny
        assert 0 < sigmoid_grad(1e-310) < np.finfo(np.float64).tiny
        assert log_sigmoid(740.0) < 0
        assert log_softmax([0.0, -740.0])[1] == -740


def test_minus_infinity_masks():
    x = [1.0, -np.inf, 3.0]
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(softmax(x)[[0, 2]], softmax([1.0, 3.0]))
        np.testing.assert_array_equal(log_softmax(x)[[0, 2]], log_softmax([1.0, 3.0]))
        assert softmax(x)[1] == 0
        assert log_softmax(x)[1] == -np.inf


def test_the_limits_of_the_sigmoid():
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(sigmoid([-np.inf, np.inf]), [0, 1])
        np.testing.assert_array_equal(log_sigmoid([-np.inf, np.inf]), [-np.inf, 0])
        np.testing.assert_array_equal(sigmoid_grad([0, 1]), [0, 0])


# --- types and shapes ---


@pytest.mark.parametrize("function", [softmax, log_softmax, sigmoid, log_sigmoid, sigmoid_grad])
@pytest.mark.parametrize(
    ("given_dtype", "got"),
    [(np.float32, np.float32), (np.float64, np.float64), (np.int64, np.float64),
     (np.float16, np.float64), (np.bool_, np.float64)],
)  # fmt: skip
def test_float32_stays_and_all_else_is_float64(function, given_dtype, got):
    x = np.array([[0, 1], [1, 0]], dtype=given_dtype)
    before = x.copy()
    result = function(x)
    assert result.dtype == got
    assert result.shape == x.shape
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("function", [sigmoid, log_sigmoid, sigmoid_grad])
def test_scalars_and_empty_arrays_pass(function):
    assert function(0.5).shape == ()
    assert function(np.zeros((0, 3))).shape == (0, 3)


def test_softmax_of_no_rows_is_no_rows():
    assert softmax(np.zeros((0, 3))).shape == (0, 3)
    assert log_softmax(np.zeros((0, 3))).shape == (0, 3)


# --- against 50 digits ---


@given(st.lists(moderate, min_size=1, max_size=6))
def test_softmax_against_fifty_digits(x):
    with mpmath.workdps(50):
        powers = [mpmath.exp(value) for value in x]
        exact = [power / mpmath.fsum(powers) for power in powers]
        logs = [float(mpmath.log(value)) for value in exact]
        exact = [float(value) for value in exact]
    np.testing.assert_allclose(softmax(x), exact, rtol=1e-15 * 8 + 1e-13, atol=1e-300)
    np.testing.assert_allclose(log_softmax(x), logs, rtol=1e-14, atol=1e-15)


@given(moderate)
def test_sigmoid_against_fifty_digits(x):
    with mpmath.workdps(400):
        exact = 1 / (1 + mpmath.exp(-mpmath.mpf(x)))
        logarithm = mpmath.log(exact)
        gradient = exact * (1 - exact)
        exact, logarithm, gradient = float(exact), float(logarithm), float(gradient)
    np.testing.assert_allclose(sigmoid(x), exact, rtol=1e-15)
    np.testing.assert_allclose(log_sigmoid(x), logarithm, rtol=1e-15)
    np.testing.assert_allclose(sigmoid_grad(sigmoid(x)), gradient, rtol=1e-14, atol=2e-16)


# --- properties ---


@given(finite_arrays())
def test_softmax_sums_to_one_for_every_finite_input(x):
    result = softmax(x)
    assert (result >= 0).all()
    np.testing.assert_allclose(result.sum(axis=-1), 1, rtol=1e-14)
    assert np.isfinite(log_softmax(x)).all()


@given(finite_arrays(st.floats(float(LOWEST32), -float(LOWEST32), width=32), np.float32))
def test_softmax_sums_to_one_for_every_finite_float32(x):
    np.testing.assert_allclose(softmax(x).sum(axis=-1), 1, rtol=1e-6)
    assert np.isfinite(log_softmax(x)).all()


# Multiples of 1/8 below 2^40 add without rounding: the shift is exact, and so is the invariance.
@given(
    finite_arrays(st.integers(-(2**30), 2**30).map(lambda n: n / 8)),
    st.integers(-(2**40), 2**40).map(lambda n: n / 8),
)
def test_softmax_does_not_change_by_a_shift(x, shift):
    np.testing.assert_array_equal(softmax(x + shift), softmax(x))
    np.testing.assert_array_equal(log_softmax(x + shift), log_softmax(x))


@given(finite_arrays())
def test_sigmoid_is_finite_symmetric_and_its_logarithm_agrees(x):
    np.testing.assert_allclose(sigmoid(x) + sigmoid(-x), 1, rtol=1e-15)
    assert np.isfinite(log_sigmoid(x)).all()
    np.testing.assert_array_equal(np.exp(log_sigmoid(x)) > 0.5, sigmoid(x) > 0.5)


@given(moderate)
def test_two_logits_make_a_sigmoid(x):
    np.testing.assert_allclose(softmax([x, 0.0])[0], sigmoid(x), rtol=1e-13)
