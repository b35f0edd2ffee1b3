"""The network in BLAS against the network of the mathematics, and the optimisers' steps."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.maths import OneHiddenLayer, assert_gradients
from wordgrad.network_classifier import OPTIMISERS, DenseNetwork, make_optimiser


@st.composite
def problems(draw):
    sizes = [draw(st.integers(1, n)) for n in (9, 7, 5)]
    rows = draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    scale = draw(st.sampled_from([0.1, 1.0, 30.0]))
    X = rng.normal(size=(rows, sizes[0]))
    labels = rng.integers(0, sizes[2], rows)
    return sizes, X, labels, scale * rng.normal(size=OneHiddenLayer(*sizes).n_parameters), rng


def network_of(sizes, parameters, dtype=np.float64):
    network = DenseNetwork(*sizes, dtype=dtype, seed=0)
    network.parameters[:] = parameters
    return network


@settings(max_examples=50)
@given(problems())
def test_loss_and_gradients_are_those_of_the_mathematics(problem):
    sizes, X, labels, parameters, _ = problem
    network = network_of(sizes, parameters)
    exact = OneHiddenLayer(*sizes).unpack(parameters).loss_and_gradients(X, labels)
    weights = np.full(len(X), 1 / len(X))
    assert network.backward(X, labels, weights) == pytest.approx(exact.loss, rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(network.gradient, exact.pack(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(network.losses(X, labels).mean(), exact.loss, atol=1e-12)
    probabilities = OneHiddenLayer(*sizes).unpack(parameters).forward(X).y_hat
    np.testing.assert_allclose(network.probabilities(X), probabilities, atol=1e-12)


@settings(max_examples=20)
@given(problems())
def test_float32_differs_by_rounding(problem):
    sizes, X, labels, parameters, _ = problem
    parameters = parameters / max(1.0, np.abs(parameters).max())  # a sum of few terms around 1
    network = network_of(sizes, parameters, np.float32)
    exact = network_of(sizes, network.parameters.astype(np.float64))
    X = X.astype(np.float32)
    weights = np.full(len(X), 1 / len(X))
    exact.backward(X.astype(np.float64), labels, weights)
    network.backward(X, labels, weights.astype(np.float32))
    assert network.gradient.dtype == np.float32
    np.testing.assert_allclose(network.gradient, exact.gradient, atol=1e-5)


@settings(max_examples=20)
@given(problems())
def test_weights_and_dropped_units_by_differences(problem):
    sizes, X, labels, parameters, rng = problem
    weights = rng.uniform(0.1, 2, len(X))
    mask = rng.integers(0, 2, (len(X), sizes[1])) * 2.0

    def loss(flat):
        network = network_of(sizes, flat)
        value = network.backward(X, labels, weights, mask)
        return value, network.gradient

    assert_gradients(loss, parameters / max(1.0, np.abs(parameters).max()))


def test_a_copy_that_went_through_pickle_still_has_views():
    network = network_of([3, 4, 2], np.arange(26.0) / 26)
    copy = pickle.loads(pickle.dumps(network))
    copy.parameters[:] = 0
    assert not copy.W1.any()
    assert not copy.forward(np.ones((1, 3)))[1].any()
    assert network.W1.any()


# ---------------------------------------------------------------- optimisers


def formula_steps(name, gradients, rate):
    """Positions after each step, from the papers' formulas in their own order."""
    x, velocity, m, v, places = 0.0, 0.0, 0.0, 0.0, []
    for t, g in enumerate(gradients, start=1):
        if name == "sgd":
            x -= rate * g
        elif name == "momentum":
            velocity = 0.9 * velocity - rate * g
            x += velocity
        else:
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g**2
            x -= rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        places.append(x)
    return places


@pytest.mark.parametrize("name", OPTIMISERS)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20), st.floats(1e-4, 1))
def test_optimisers_follow_their_formulas(name, gradients, rate):
    x = np.zeros(1)
    optimiser = make_optimiser(name, x, 0.9)
    for g, expected in zip(gradients, formula_steps(name, gradients, rate), strict=True):
        optimiser.step(x, np.array([g]), rate)
        assert x[0] == pytest.approx(expected, rel=1e-9, abs=1e-12)
