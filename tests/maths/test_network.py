"""The one-hidden-layer network: by hand, by differences, parameter count, packing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.maths import OneHiddenLayer, assert_gradients

sizes = st.integers(1, 5)


def random_network(Dx, H, Dy, seed=0, scale=1.0):
    network = OneHiddenLayer(Dx, H, Dy)
    flat = np.random.default_rng(seed).normal(size=network.n_parameters) * scale
    return network.unpack(flat)


def hand_network():
    """One input, one hidden unit that is 3/4 at x = 1, two classes at odds of 1 : 2."""
    network = OneHiddenLayer(1, 1, 2)
    return network.unpack([np.log(3) - 0.5, 0.5, 0.0, 4 / 3 * np.log(2) - 4, 0.0, 3.0])


def test_by_hand():
    network = hand_network()
    cache = network.forward([[1.0]])
    np.testing.assert_allclose(cache.h, [[0.75]], rtol=1e-15)
    np.testing.assert_allclose(cache.logits, [[0, np.log(2)]], rtol=1e-14)
    np.testing.assert_allclose(cache.y_hat, [[1 / 3, 2 / 3]], rtol=1e-14)
    np.testing.assert_array_equal(cache.X, [[1.0]])
    gradients = network.loss_and_gradients([[1.0]], [0])
    np.testing.assert_allclose(gradients.loss, np.log(3), rtol=1e-14)
    np.testing.assert_allclose(gradients.d_b2, [-2 / 3, 2 / 3], rtol=1e-14)
    np.testing.assert_allclose(gradients.d_W2, [[-0.5, 0.5]], rtol=1e-14)
    # delta_1 = (2/3) w h (1 - h), w the second weight of the output: the first is 0
    delta_1 = 2 / 3 * (4 / 3 * np.log(2) - 4) * 0.75 * 0.25
    np.testing.assert_allclose(gradients.d_W1, [[delta_1]], rtol=1e-14)
    np.testing.assert_allclose(gradients.d_b1, [delta_1], rtol=1e-14)
    np.testing.assert_allclose(gradients.d_X, [[delta_1 * (np.log(3) - 0.5)]], rtol=1e-14)


@given(sizes, sizes, sizes, st.integers(1, 4), st.integers(0, 1000), st.sampled_from([0.3, 1, 3]))
@settings(max_examples=settings.default.max_examples // 4)  # each is a whole gradient check
def test_every_gradient_by_differences(Dx, H, Dy, B, seed, scale):
    network = random_network(Dx, H, Dy, seed, scale)
    rng = np.random.default_rng(seed + 1)
    Y = rng.dirichlet(np.ones(Dy), size=B)

    def f(x):
        gradients = network.unpack(x["parameters"]).loss_and_gradients(x["X"], Y, "sum")
        return gradients.loss, {"parameters": gradients.pack(), "X": gradients.d_X}

    assert_gradients(f, {"parameters": network.pack(), "X": rng.normal(size=(B, Dx))})


def test_biases_sum_over_the_batch_and_reduction_scales_all():
    network = random_network(3, 4, 2)
    X, Y = np.random.default_rng(1).normal(size=(5, 3)), [0, 1, 1, 0, 1]
    total = network.loss_and_gradients(X, Y, "sum")
    rows = [network.loss_and_gradients(X[i : i + 1], Y[i : i + 1]) for i in range(5)]
    np.testing.assert_allclose(total.pack(), sum(row.pack() for row in rows), rtol=1e-12)
    np.testing.assert_allclose(total.d_X, np.concatenate([row.d_X for row in rows]), rtol=1e-12)
    np.testing.assert_allclose(total.loss, sum(row.loss for row in rows), rtol=1e-14)
    mean = network.loss_and_gradients(X, Y)
    np.testing.assert_allclose(mean.pack(), total.pack() / 5, rtol=1e-13, atol=1e-17)
    np.testing.assert_allclose(mean.d_X, total.d_X / 5, rtol=1e-13)
    np.testing.assert_allclose(mean.loss, total.loss / 5, rtol=1e-14)


@given(sizes, sizes, sizes)
def test_parameter_count(Dx, H, Dy):
    network = OneHiddenLayer(Dx, H, Dy)
    assert network.n_parameters == (Dx + 1) * H + (H + 1) * Dy
    assert network.n_parameters == sum(
        array.size for array in (network.W1, network.b1, network.W2, network.b2)
    )


@given(sizes, sizes, sizes, st.integers(0, 1000))
def test_packing_round_trips(Dx, H, Dy, seed):
    network = OneHiddenLayer(Dx, H, Dy)
    flat = np.random.default_rng(seed).normal(size=network.n_parameters)
    other = network.unpack(flat)
    np.testing.assert_array_equal(other.pack(), flat)
    for name in ("W1", "b1", "W2", "b2"):
        assert getattr(other, name).shape == getattr(network, name).shape
        assert getattr(other, name).dtype == np.float64
    np.testing.assert_array_equal(other.unpack(network.pack()).W1, network.W1)


def test_packing_goes_w1_b1_w2_b2_row_by_row():
    network = OneHiddenLayer(2, 3, 2).unpack(np.arange(17))
    np.testing.assert_array_equal(network.W1, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(network.b1, [6, 7, 8])
    np.testing.assert_array_equal(network.W2, [[9, 10], [11, 12], [13, 14]])
    np.testing.assert_array_equal(network.b2, [15, 16])


def test_unpacking_and_packing_copy():
    network = random_network(2, 3, 2)
    flat = network.pack()
    other = network.unpack(flat)
    flat[:] = 0
    other.pack()[:] = 0
    np.testing.assert_array_equal(other.pack(), network.pack())


def test_first_weights_are_seeded_and_spread_as_glorot_has_it():
    network = OneHiddenLayer(200, 100, 50, seed=3)
    for weights, bound in ((network.W1, np.sqrt(6 / 300)), (network.W2, np.sqrt(6 / 150))):
        assert 0.99 * bound < weights.max() <= bound
        assert -bound <= weights.min() < -0.99 * bound
        assert abs(weights.mean()) < 0.02 * bound
    assert not network.b1.any()
    assert not network.b2.any()
    np.testing.assert_array_equal(OneHiddenLayer(4, 3, 2).W1, OneHiddenLayer(4, 3, 2, seed=0).W1)
    np.testing.assert_array_equal(network.W2, OneHiddenLayer(200, 100, 50, seed=3).W2)
    assert (OneHiddenLayer(4, 3, 2).W1 != OneHiddenLayer(4, 3, 2, seed=1).W1).all()


def test_a_saturated_network_stays_finite():
    network = random_network(3, 4, 2, scale=1e100)
    with np.errstate(all="raise"):
        gradients = network.loss_and_gradients([[1.0, -2.0, 3.0]], [1])
    assert np.isfinite(gradients.loss)
    assert np.isfinite(gradients.pack()).all()


def test_gradient_descent_learns_exclusive_or():
    X, Y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    network = OneHiddenLayer(2, 8, 2, seed=1)
    for _ in range(1000):
        network = network.unpack(network.pack() - 3 * network.loss_and_gradients(X, Y).pack())
    assert network.loss_and_gradients(X, Y).loss < 0.05
    np.testing.assert_array_equal(network.forward(X).y_hat.argmax(axis=1), Y)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_inputs_of_any_real_type_are_computed_in_float64(dtype):
    network = random_network(2, 3, 2)
    gradients = network.loss_and_gradients(np.ones((1, 2), dtype=dtype), [0])
    assert gradients.pack().dtype == np.float64
    assert gradients.d_X.dtype == np.float64
    assert network.unpack(network.pack().astype(np.float32)).W1.dtype == np.float64
