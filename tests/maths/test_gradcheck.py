"""The gradient checker: what it must fail, what it must pass, what it must refuse."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.errors import ParameterError, WordgradError
from wordgrad.maths import (
    GradientError,
    OneHiddenLayer,
    assert_gradients,
    check_gradients,
    cross_entropy,
    negative_sampling_loss,
    skipgram,
    softmax_loss,
)

RNG = np.random.default_rng(4)
POINT = RNG.normal(size=(3, 3))
A = RNG.normal(size=(3, 3))


def quadratic(x):
    """Half the squared norm of A x, gradient A'A x; not symmetric in rows and columns of x."""
    return 0.5 * ((A @ x) ** 2).sum(), A.T @ A @ x


# --- it must fail what is wrong ---

WRONG = {
    "0.05% error": lambda g: g * 1.0005,
    "0.05% error of one entry": lambda g: np.where(np.arange(9).reshape(3, 3) == 5, 1.0005, 1) * g,
    "a sign flip": lambda g: -g,
    "a sign flip of one entry": lambda g: np.where(np.arange(9).reshape(3, 3) == 0, -1, 1) * g,
    "a dropped term": lambda g: g - A.T @ A[:, :1] @ POINT[:1],
    "a transposed matrix": lambda g: g.T,
    "a sum for a mean": lambda g: g * 3,
    "zeros": lambda g: g * 0,
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("directions", [None, 20])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_a_wrong_gradient_fails(name, directions, scale):
    def f(x):
        loss, gradient = quadratic(x)
        return scale * loss, scale * WRONG[name](gradient)

    report = check_gradients(f, POINT.copy(), directions=directions)
    assert not report.passed
    assert report.largest_error > 1e-5
    with pytest.raises(GradientError, match="Gradient check failed at x"):
        assert_gradients(f, POINT.copy(), directions=directions)


@pytest.mark.parametrize("directions", [None, 1, 20])
def test_the_right_gradient_passes(directions):
    report = assert_gradients(quadratic, POINT.copy(), directions=directions)
    assert report.passed
    assert report.failed == 0
    assert report.largest_error < 1e-9
    assert report.compared == (directions or 9)


@pytest.mark.parametrize(
    "slip",
    [
        pytest.param(lambda s, v, W: (s + 1, v, W), id="sigma for sigma - 1"),
        pytest.param(lambda s, v, W: (-s, v, W), id="sign of the loss"),
    ],
)
def test_slips_of_negative_sampling_fail(slip):
    # dJ/du_o = (sigma - 1) v_c; often written sigma v_c.
    rng = np.random.default_rng(0)
    v_c, W_out = rng.normal(size=3), rng.normal(size=(4, 3))

    def f(W):
        loss, _, d_W = negative_sampling_loss(v_c, 0, [1, 2], W)
        factor = d_W[0, 0] / v_c[0]
        d_W = d_W.copy()
        d_W[0] = slip(factor, v_c, W)[0] * v_c
        return loss, d_W

    report = check_gradients(f, W_out)
    assert not report.passed
    assert report.where.startswith("x[0, ")
    assert report.failed == 3


def test_the_slip_that_uses_the_wrong_layer_fails():
    network = OneHiddenLayer(3, 3, 3, seed=1)
    X, Y = RNG.normal(size=(4, 3)), [0, 1, 2, 0]

    def f(x):
        gradients = network.unpack(x).loss_and_gradients(X, Y)
        flat = gradients.pack()
        flat[:9] = flat[:9].reshape(3, 3).T.ravel()  # d_W1 transposed
        return gradients.loss, flat

    assert not check_gradients(f, network.pack()).passed


# --- what it reports ---


def test_the_report_names_the_place_and_both_values():
    def f(x):
        gradient = {"W": 2 * x["W"], "b": np.ones(2)}
        gradient["W"][1, 0] *= 1.25
        return (x["W"] ** 2).sum() + x["b"].sum(), gradient

    report = check_gradients(f, {"W": np.array([[1.0, 2.0], [4.0, 8.0]]), "b": np.zeros(2)})
    assert not report.passed
    assert report.where == "x['W'][1, 0]"
    assert report.analytic == 10
    assert report.numeric == pytest.approx(8, rel=1e-9)
    assert report.largest_error == pytest.approx(0.2, rel=1e-9)
    assert (report.compared, report.failed, report.tolerance) == (6, 1, 1e-6)
    assert report.message == (
        "Gradient check failed at x['W'][1, 0]: analytic 10, numeric 8, relative error 0.2 > "
        "1e-06; 1 of 6 coordinates fail. If f has a kink near x, move x; if it bends sharply, "
        "try a smaller step."
    )


def test_the_error_carries_report_and_message():
    with pytest.raises(GradientError) as caught:
        assert_gradients(lambda x: ((x**2).sum(), x), np.array([1.0]))
    assert str(caught.value) == caught.value.report.message
    assert not caught.value.report.passed
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, WordgradError)


def test_asserting_takes_the_same_options():
    def kink(x):
        return np.abs(x).sum(), np.sign(x)

    with pytest.raises(GradientError):
        assert_gradients(kink, np.array([5e-4]))
    assert assert_gradients(kink, np.array([5e-4]), step=1e-4).passed
    assert assert_gradients(kink, np.array([5e-4]), tolerance=10).passed
    assert assert_gradients(kink, np.array([1.0, 2.0]), directions=3).compared == 3


def test_the_report_of_a_pass():
    report = check_gradients(lambda x: (x.sum(), np.ones(2)), {"a": np.zeros(2)}["a"])
    assert re.fullmatch(
        r"Gradient check passed: the largest relative error of 2 coordinates is \S+, at x\[.\]\.",
        report.message,
    )
    report = check_gradients(lambda x: (7.0, np.zeros(2)), np.zeros(2), directions=3)
    assert report.message == (
        "Gradient check passed: the largest relative error of 3 directions is 0, at x along "
        "random direction 0."
    )
    assert report.largest_error == 0


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda g: -g, "The sign is wrong there."),
        (lambda g: -1.004 * g, "The sign is wrong there."),
        (lambda g: 0 * g, "The analytic gradient is 0 there: a term is missing."),
        (lambda g: 4 * g, "The analytic one is 4 times the numeric: a sum for a mean?"),
        (lambda g: 2 * g, "The analytic one is 2 times the numeric: a sum for a mean?"),
        (lambda g: 3.996 * g, "The analytic one is 4 times the numeric: a sum for a mean?"),
        (lambda g: g / 4, "The numeric one is 4 times the analytic: a mean for a sum?"),
        (lambda g: g / 2, "The numeric one is 2 times the analytic: a mean for a sum?"),
        (lambda g: 1.4 * g, "If f has a kink near x, move x; if it bends sharply, try a smaller "
         "step."),
        (lambda g: 2.4 * g, "If f has a kink near x"),
        (lambda g: 1.0005 * g, "If f has a kink near x"),
        (lambda g: 2.006 * g, "If f has a kink near x"),
        (lambda g: 0.9995 * g, "If f has a kink near x"),
        (lambda g: 0.995 * g, "If f has a kink near x"),
        (lambda g: 0.4 * g, "If f has a kink near x"),
        (lambda g: -2.0 * g, "If f has a kink near x"),
        (lambda g: -0.5 * g, "If f has a kink near x"),
        (lambda g: -1.02 * g, "If f has a kink near x"),
        (lambda g: -0.98 * g, "If f has a kink near x"),
    ],
)  # fmt: skip
def test_a_hint_says_what_to_look_for(wrong, hint):
    report = check_gradients(lambda x: (0.5 * x @ x, wrong(x)), np.array([3.0]))
    assert f"1 of 1 coordinates fail. {hint}" in report.message


def test_a_loss_that_does_not_depend_on_x_is_pointed_out():
    held = np.array([3.0])
    report = check_gradients(lambda x: (held @ held, 2 * x), held.copy())
    assert report.message.endswith(
        "The loss does not depend on x there, or f works on a copy of x."
    )


def test_directions_name_array_and_number():
    def f(x):
        return x[0].sum() + x[1].sum(), [np.ones(4), 1.1 * np.ones(4)]

    report = check_gradients(f, [np.zeros(4), np.zeros(4)], directions=5)
    assert not report.passed
    assert re.fullmatch(r"x\[1\] along random direction [0-4]", report.where)
    assert report.compared == 10
    assert "of 10 directions fail" in report.message
    again = check_gradients(f, [np.zeros(4), np.zeros(4)], directions=5)
    assert again == report


def test_a_direction_that_sees_little_by_chance_is_no_failure():
    # The directions of a 2-vector of equal gradients are blind half of the time: 1 - 1 = 0.
    x = np.array([0.3, 0.7])
    report = check_gradients(lambda x: (np.sin(x).sum(), np.cos(x)), x, directions=50)
    assert report.passed


def test_directions_are_unit_vectors_of_signs():
    report = check_gradients(lambda x: (3 * x.sum(), np.array([3.3])), np.zeros(1), directions=9)
    assert abs(report.numeric) == pytest.approx(3, rel=1e-9)
    report = check_gradients(lambda x: (3 * x[0], np.array([3.3, 0])), np.zeros(2), directions=9)
    assert abs(report.numeric) == pytest.approx(3 / np.sqrt(2), rel=1e-9)


def test_directions_move_every_coordinate_by_the_same_either_way():
    seen = set()

    def f(x):
        seen.update(np.round(x * 2, 9))  # n = 4: the root is 2
        return x.sum(), np.ones(4)

    assert check_gradients(f, np.zeros(4), directions=9).passed
    assert seen == {0, 1e-3, -1e-3, 5e-4, -5e-4}


def test_rounding_of_a_large_loss_is_no_failure():
    for directions in (None, 5):
        report = check_gradients(
            lambda x: (1e6 + 1e-12 * x.sum(), np.full(2, 1e-12)), np.ones(2), directions=directions
        )
        assert report.passed


def test_many_coordinates_are_checked_by_directions():
    calls = []

    def f(x):
        calls.append(1)
        return 0.5 * (x * x).sum(), x

    report = check_gradients(f, np.ones(2_000))
    assert (report.compared, len(calls)) == (2_000, 8_003)
    calls.clear()
    report = check_gradients(f, np.ones(2_001))
    assert (report.compared, len(calls)) == (20, 83)
    assert "20 directions" in report.message


# --- shapes of x ---


def test_dicts_lists_tuples_scalars_and_empty_arrays():
    x = {"a": np.array(2.0), "b": [np.array([1.0, 3.0]), (np.zeros((0, 2)),)]}

    def f(x):
        a, b = x["a"], x["b"][0]
        return float(a**2 + (b**3).sum()), {"b": [3 * b**2, (np.zeros((0, 2)),)], "a": 2 * a}

    for directions in (None, 2):
        assert check_gradients(f, x, directions=directions).passed
    report = check_gradients(lambda x: (f(x)[0], {**f(x)[1], "a": 5.0}), x)
    assert report.where == "x['a']"


def test_a_gradient_may_come_as_lists_for_an_array():
    assert check_gradients(lambda x: ((x**2).sum(), (2 * x).tolist()), np.ones((2, 2))).passed


def test_f_may_read_the_arrays_where_they_are():
    network = OneHiddenLayer(3, 2, 2, seed=5)
    X, Y = RNG.normal(size=(4, 3)), [0, 1, 1, 0]

    def f(_):
        gradients = network.loss_and_gradients(X, Y)
        return gradients.loss, [gradients.d_W1, gradients.d_b2]

    assert check_gradients(f, [network.W1, network.b2]).passed


def test_views_with_strides_are_checked_in_place():
    whole = RNG.normal(size=(4, 6))
    assert check_gradients(lambda x: (np.sin(x).sum(), np.cos(x)), whole[::2, ::3].T).passed


@given(st.integers(-20, 20), st.sampled_from([-1, 1]))
def test_points_of_any_size(exponent, sign):
    x = np.array([sign * 1.7 * 10.0**exponent, 0.0])

    def f(x):
        return (3 * x).sum(), np.full(2, 3.0)

    assert check_gradients(f, x).passed


def test_large_points_move_by_enough_to_be_seen():
    x = np.array([3e9, -3e9])
    assert check_gradients(lambda x: ((x**2).sum(), 2 * x), x).passed
    assert not check_gradients(lambda x: ((x**2).sum(), 2.001 * x), x).passed


def test_a_saturated_loss_near_zero_passes():
    # The loss is 1e-11, its intermediate values are 30: rounding is of the size of these.
    W_out = np.array([[5.0, 0.0], [0.0, 5.0]])
    assert_gradients(lambda v: softmax_loss(v, 0, W_out)[:2], np.array([5.0, 0.0]))


def test_the_error_is_relative_to_the_larger_derivative_or_to_the_floor():
    report = check_gradients(lambda x: (2 * x.sum(), np.ones(1)), np.zeros(1))
    assert report.largest_error == pytest.approx(0.5)
    report = check_gradients(lambda x: (2 * x.sum(), np.full(1, 4.0)), np.zeros(1))
    assert report.largest_error == pytest.approx(0.5)
    noise = 32 * np.finfo(float).eps / 1e-3
    report = check_gradients(lambda x: (0.5, np.full(1, noise / 10)), np.zeros(1))
    assert report.largest_error == pytest.approx(1e-6 / 10)
    report = check_gradients(lambda x: (20.0, np.full(1, noise)), np.zeros(1))
    assert report.largest_error == pytest.approx(1e-6 / 20)


def test_the_difference_is_of_fourth_order():
    # For x^5 at 0 the plain difference is h^4; Richardson's is (4 (h/2)^4 - h^4) / 3 = -h^4 / 4.
    report = check_gradients(
        lambda x: ((x**5).sum(), np.ones(1)), np.zeros(1), step=0.5, tolerance=10
    )
    assert report.numeric == pytest.approx(-(0.5**4) / 4, rel=1e-12)
    report = check_gradients(
        lambda x: ((x**4 + x**3).sum(), 4 * x**3 + 3 * x**2), np.array([0.5]), step=0.25
    )
    assert report.largest_error < 1e-14


def test_a_kink_fails_and_a_smaller_step_helps():
    def f(x):
        return np.abs(x).sum(), np.sign(x)

    assert not check_gradients(f, np.array([5e-4])).passed
    assert check_gradients(f, np.array([5e-4]), step=1e-4).passed
    assert check_gradients(f, np.array([5e-8]), step=1e-8).passed


def test_tolerance_is_inclusive_and_decides():
    def f(x):
        return x.sum(), np.full(1, 1.25)

    error = check_gradients(f, np.zeros(1)).largest_error
    assert error == pytest.approx(0.2)
    assert check_gradients(f, np.zeros(1), tolerance=error).passed
    assert not check_gradients(f, np.zeros(1), tolerance=error * 0.999).passed


# --- x is put back to the last bit ---


@pytest.mark.parametrize("directions", [None, 3])
@pytest.mark.parametrize("fail_at", [None, 1, 2, 3, 5])
def test_x_is_restored_whatever_happens(directions, fail_at):
    x = {"a": np.array([0.1, -0.0, 1e-300]), "b": RNG.normal(size=(2, 2))}
    before = {name: array.tobytes() for name, array in x.items()}
    calls = []

    def f(x):
        calls.append(1)
        if len(calls) == fail_at:
            raise KeyboardInterrupt
        return x["a"].sum() + x["b"].sum(), {"a": np.ones(3), "b": np.ones((2, 2))}

    if fail_at:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            check_gradients(f, x, directions=directions)
            pytest.fail("f was not called often enough")
    else:
        assert check_gradients(f, x, directions=directions).passed
    assert {name: array.tobytes() for name, array in x.items()} == before


@pytest.mark.parametrize("at", [1, 2, -1])
def test_a_function_that_changes_x_is_refused_and_x_restored(at):
    x = np.array([1.0, 2.0])
    calls = []

    def f(x):
        calls.append(1)
        loss, gradient = (x * x).sum(), 2 * x
        if len(calls) == at or (at == -1 and len(calls) > 9):
            x += 1
        return loss, gradient

    with pytest.raises(ParameterError, match=r"^f must not change its argument, but it changed x"):
        check_gradients(f, x)
    np.testing.assert_array_equal(x, [1.0, 2.0])


# --- what it refuses ---


def refused(message, f, x, **options):
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        check_gradients(f, x, **options)


def test_random_functions_are_refused_with_the_reason():
    rng = np.random.default_rng(0)

    def dropout(x):
        keep = rng.integers(0, 2, size=x.shape)
        return (keep * x).sum(), keep.astype(float)

    with pytest.raises(
        ParameterError,
        match=r"^f must return the same loss and gradient at the same x, got a loss of \S+ and "
        r"then \S+ \(fix the seed inside f if it draws random numbers, and keep no state "
        r"between calls\)\.$",
    ):
        check_gradients(dropout, RNG.normal(size=50))


def test_a_random_gradient_of_a_constant_loss_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ParameterError, match="same loss and gradient at the same x"):
        check_gradients(lambda x: (1.0, rng.normal(size=2)), np.zeros(2))


def test_state_that_shows_only_later_is_refused():
    calls = []

    def f(x):
        calls.append(1)
        return x.sum() + (len(calls) > 5), np.ones(2)

    with pytest.raises(ParameterError, match="same loss and gradient at the same x"):
        check_gradients(f, np.zeros(2))


@pytest.mark.parametrize(("noise", "repeatable"), [(0.9e-12, True), (1.1e-12, False)])
def test_small_losses_may_differ_by_rounding_alone(noise, repeatable):
    calls = []

    def f(x):
        calls.append(1)
        return noise * (len(calls) % 2), np.zeros(1)

    if repeatable:
        check_gradients(f, np.zeros(1))  # not refused
    else:
        with pytest.raises(ParameterError, match="same loss and gradient at the same x"):
            check_gradients(f, np.zeros(1))


def test_rounding_of_a_threaded_sum_is_no_randomness():
    calls = []

    def f(x):
        calls.append(1)
        return 1e6 * (1 + 1e-13 * (len(calls) % 2)) + x.sum(), np.ones(2)

    check_gradients(f, np.zeros(2))
    with pytest.raises(ParameterError, match="same loss and gradient at the same x"):
        check_gradients(
            lambda x: (f(x)[0] * (1 + 1e-11 * (len(calls) % 2)), np.ones(2)), np.zeros(2)
        )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_losses_that_are_not_finite_are_refused(value):
    refused(
        f"f must return a finite loss, got {value} (choose another x).",
        lambda x: (value, x),
        np.zeros(1),
    )


def test_losses_that_are_not_one_float64_are_refused():
    rule = "f must return its loss as one float64, got dtype"
    refused(f"{rule} float64, shape (1,).", lambda x: (x, x), np.zeros(1))
    refused(f"{rule} float32, shape ().", lambda x: (np.float32(1), x), np.zeros(1))
    refused(f"{rule} bool, shape ().", lambda x: (True, x), np.zeros(1))
    refused(f"{rule} complex128, shape ().", lambda x: (1j, x), np.zeros(1))
    assert check_gradients(lambda x: (1, 0 * x), np.zeros(1)).passed


def test_returns_that_are_no_pair_are_refused():
    rule = "f must return a tuple (loss, gradient), got"
    refused(f"{rule} float.", lambda x: 1.0, np.zeros(1))
    refused(f"{rule} tuple.", lambda x: (1.0, x, x), np.zeros(1))
    refused(f"{rule} list.", lambda x: [1.0, x], np.zeros(1))


def test_gradients_built_otherwise_are_refused():
    refused(
        "the gradient of x must have shape (2, 3), got (3, 2).",
        lambda x: (x.sum(), np.ones((3, 2))),
        np.zeros((2, 3)),
    )
    refused(
        "the gradient of x['b'] must have shape (), got (1,).",
        lambda x: (0.0, {"b": np.zeros(1)}),
        {"b": np.array(1.0)},
    )
    refused(
        "the gradient must have the parts [\"x['a']\", \"x['b']\"] of x, got [\"x['a']\"].",
        lambda x: (0.0, {"a": x["a"]}),
        {"a": np.zeros(1), "b": np.zeros(1)},
    )
    refused(
        "the gradient must have the parts ['x[0]', 'x[1]'] of x, got ['x'].",
        lambda x: (0.0, x[0]),
        [np.zeros(1), np.zeros(1)],
    )
    refused(
        "the gradient of x must be finite, got nan at index (1,).",
        lambda x: (0.0, [1.0, np.nan]),
        np.zeros(2),
    )


def test_points_that_cannot_be_moved_are_refused():
    def f(x):
        return 0.0, x

    use = "(use np.array(..., dtype=np.float64))."
    refused(f"x must be a float64 array, got dtype float32 {use}", f, np.zeros(2, np.float32))
    refused(f"x['a'] must be a float64 array, got dtype int64 {use}", f, {"a": np.array([1])})
    refused(f"x[1] must be a float64 array, got float {use}", f, [np.zeros(1), 2.0])
    refused("x must hold at least one number, got none.", f, np.zeros((0, 3)))
    refused("x must hold at least one number, got none.", f, [])
    refused("x must be finite, got inf at index (1,).", f, np.array([0.0, np.inf]))
    frozen = np.zeros(2)
    frozen.flags.writeable = False
    refused("x must be writable, got a read-only array (pass a copy).", f, frozen)
    whole = np.zeros(4)
    refused(
        "x must hold each array once, but x[0] and x[1] share memory.",
        f,
        [whole[:3], whole[2:]],
    )
    assert check_gradients(lambda x: (0.0, x), [whole[:2], whole[2:]]).passed


def test_options_outside_their_ranges_are_refused():
    def f(x):
        return x.sum(), np.ones(1)

    refused("step must be a finite number > 0, got 0.", f, np.zeros(1), step=0.0)
    refused("tolerance must be a finite number > 0, got -1.", f, np.zeros(1), tolerance=-1)
    refused("directions must be an integer >= 1, got 0.", f, np.zeros(1), directions=0)


# --- and it agrees with the library it checks ---


def test_the_whole_library_by_directions_at_size():
    rng = np.random.default_rng(0)
    W_in, W_out = rng.normal(size=(2, 300, 10))

    def f(x):
        window = skipgram(3, [5, 3, 5, 299], x["W_in"], x["W_out"])
        return window.loss, {"W_in": window.d_W_in, "W_out": window.d_W_out}

    report = assert_gradients(f, {"W_in": W_in, "W_out": W_out})
    assert report.compared == 40
    assert_gradients(lambda x: cross_entropy(x, np.arange(50)), rng.normal(size=(50, 60)))
