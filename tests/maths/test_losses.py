"""Cross-entropy and the two losses of a pair: by hand, by published values, by differences."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.errors import ParameterError
from wordgrad.maths import (
    assert_gradients,
    binary_cross_entropy,
    cross_entropy,
    logistic_loss,
    negative_sampling_loss,
    sigmoid,
    softmax,
    softmax_loss,
)

LOG2 = np.log(2)


def random_vectors(seed, *, V=5, D=3, scale=1.0):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=D), scale * rng.normal(size=(V, D))


# --- cross-entropy ---


def test_cross_entropy_by_hand():
    loss, d_logits = cross_entropy(np.log([[1.0, 3.0], [1.0, 1.0]]), [0, 1])
    np.testing.assert_allclose(loss, (np.log(4) + LOG2) / 2, rtol=1e-15)
    np.testing.assert_allclose(d_logits, [[-0.375, 0.375], [0.25, -0.25]], rtol=1e-15)


def test_cross_entropy_summed_by_hand():
    loss, d_logits = cross_entropy(np.log([[1.0, 3.0], [1.0, 1.0]]), [0, 1], reduction="sum")
    np.testing.assert_allclose(loss, np.log(4) + LOG2, rtol=1e-15)
    np.testing.assert_allclose(d_logits, [[-0.75, 0.75], [0.5, -0.5]], rtol=1e-15)


def test_cross_entropy_of_one_row_needs_no_batch():
    loss, d_logits = cross_entropy(np.log([1.0, 3.0]), 1)
    np.testing.assert_allclose(loss, np.log(4 / 3), rtol=1e-15)
    np.testing.assert_allclose(d_logits, [0.25, -0.25], rtol=1e-15)
    assert isinstance(loss, float)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_classes_one_hot_and_more_dimensions_agree(reduction):
    rng = np.random.default_rng(1)
    logits, classes = rng.normal(size=(2, 3, 4)), rng.integers(0, 4, size=(2, 3))
    loss, d_logits = cross_entropy(logits, classes, reduction)
    for labels in (np.eye(4)[classes], np.eye(4, dtype=int)[classes], np.eye(4)[classes] == 1):
        other, d_other = cross_entropy(logits, labels, reduction)
        assert other == loss
        np.testing.assert_array_equal(d_other, d_logits)
    flat, d_flat = cross_entropy(logits.reshape(6, 4), classes.ravel(), reduction)
    np.testing.assert_allclose(flat, loss, rtol=1e-15)
    np.testing.assert_array_equal(d_flat, d_logits.reshape(6, 4))


def test_a_class_label_that_looks_one_hot_is_a_class():
    # (2, 2) logits and labels of shape (2,): the shape decides, not the values.
    loss, _ = cross_entropy([[0.0, 0.0], [0.0, 0.0]], [1, 0], "sum")
    np.testing.assert_allclose(loss, 2 * LOG2, rtol=1e-15)


def test_cross_entropy_of_a_distribution_is_its_entropy_plus_divergence():
    y = np.array([0.5, 0.25, 0.25])
    loss, d_logits = cross_entropy(np.log(y), y)
    np.testing.assert_allclose(loss, 1.5 * LOG2, rtol=1e-15)
    np.testing.assert_allclose(d_logits, 0, atol=1e-16)


@given(st.integers(0, 10_000), st.sampled_from(["mean", "sum"]), st.sampled_from([0.01, 1, 30]))
@settings(max_examples=settings.default.max_examples // 4)  # each is a whole gradient check
def test_cross_entropy_by_differences(seed, reduction, scale):
    rng = np.random.default_rng(seed)
    logits, y = scale * rng.normal(size=(2, 3)), rng.dirichlet(np.ones(3), size=2)
    assert_gradients(lambda x: cross_entropy(x, y, reduction), logits)


def test_one_class_against_all_others_by_hand():
    loss, d_logits = binary_cross_entropy(np.log([[1.0, 3.0], [1.0, 1.0]]), [[1, 0], [0, 1]])
    np.testing.assert_allclose(loss, (np.log(2) + np.log(4) + 2 * np.log(2)) / 2, rtol=1e-14)
    np.testing.assert_allclose(d_logits, [[-0.25, 0.375], [0.25, -0.25]], rtol=1e-14)
    total, d_total = binary_cross_entropy(np.log([[1.0, 3.0]]), [[1, 0]], "sum")
    np.testing.assert_allclose(total, np.log(8), rtol=1e-14)
    np.testing.assert_allclose(d_total, [[-0.5, 0.75]], rtol=1e-14)


@given(st.integers(0, 10_000), st.sampled_from(["mean", "sum"]), st.sampled_from([0.01, 1, 30]))
@settings(max_examples=settings.default.max_examples // 4)
def test_one_class_against_all_others_by_differences(seed, reduction, scale):
    rng = np.random.default_rng(seed)
    logits, y = scale * rng.normal(size=(2, 3)), rng.uniform(size=(2, 3))
    assert_gradients(lambda x: binary_cross_entropy(x, y, reduction), logits)


@given(st.integers(0, 10_000))
def test_two_classes_are_one_question(seed):
    rng = np.random.default_rng(seed)
    z, y = rng.normal(size=4), rng.uniform(size=4)
    loss, d_z = binary_cross_entropy(z[:, None], y[:, None])
    pairs = np.stack([z, np.zeros(4)], axis=1)
    other, d_pairs = cross_entropy(pairs, np.stack([y, 1 - y], axis=1))
    np.testing.assert_allclose(loss, other, rtol=1e-12)
    np.testing.assert_allclose(d_z[:, 0], d_pairs[:, 0], rtol=1e-10, atol=1e-15)


def test_one_class_against_all_others_at_the_extremes():
    with np.errstate(all="raise", under="ignore"):
        loss, d_logits = binary_cross_entropy(np.array([[1e300, -1e300]]), [[1, 0]])
    assert loss == 0
    np.testing.assert_array_equal(d_logits, [[0, 0]])
    loss, d_logits = binary_cross_entropy(np.zeros((1, 2), np.float32), [[1, 1]])
    assert d_logits.dtype == np.float32


@pytest.mark.parametrize(
    ("logits", "labels", "match"),
    [
        ([], [], "not empty"),
        ([[0.0]], [[1.5]], "numbers from 0 to 1"),
        ([[0.0, 0.0]], [[1.0]], "labels must have shape"),
        ([[np.inf]], [[1.0]], "logits"),
    ],
)
def test_one_class_against_all_others_refuses(logits, labels, match):
    with pytest.raises(ParameterError, match=match):
        binary_cross_entropy(logits, labels)


def test_a_masked_class_takes_no_part():
    loss, d_logits = cross_entropy([0.0, -np.inf, 0.0], 2)
    np.testing.assert_allclose(loss, LOG2, rtol=1e-15)
    np.testing.assert_array_equal(d_logits, [0.5, 0, -0.5])


def test_cross_entropy_stays_finite_at_the_extremes():
    with np.errstate(all="raise"):
        loss, d_logits = cross_entropy([[1e308, -1e308], [1e308, -1e308]], [1, 1])
        assert loss == np.finfo(np.float64).max
        np.testing.assert_array_equal(d_logits, [[0.5, -0.5]] * 2)
        loss, d_logits = cross_entropy(np.array([3e38, -3e38], dtype=np.float32), 0)
    assert loss == 0
    np.testing.assert_array_equal(d_logits, [0, 0])
    assert d_logits.dtype == np.float32


def test_float32_labels_over_many_classes_may_sum_to_one_roughly():
    y = softmax(np.random.default_rng(0).normal(size=20_000).astype(np.float32))
    y *= np.float32(1 + 1e-5)
    _, d_logits = cross_entropy(np.zeros(20_000), y)
    assert d_logits.dtype == np.float64


def test_float64_labels_do_not_widen_float32_logits():
    logits = np.zeros((2, 3), dtype=np.float32)
    _, d_logits = cross_entropy(logits, np.eye(3)[:2])
    assert d_logits.dtype == np.float32


def test_a_single_class_is_certain():
    loss, d_logits = cross_entropy([[5.0], [-3.0]], [0, 0])
    assert loss == 0
    np.testing.assert_array_equal(d_logits, [[0], [0]])


# --- softmax loss of a pair ---


def test_softmax_loss_by_hand():
    # u.v = log 1, log 2, log 5: y_hat = 1/8, 2/8, 5/8
    W_out = np.column_stack([np.log([1.0, 2.0, 5.0]), [3.0, -1.0, 2.0]])
    loss, d_v_c, d_W_out = softmax_loss([1.0, 0.0], 1, W_out)
    np.testing.assert_allclose(loss, np.log(4), rtol=1e-15)
    error = np.array([0.125, -0.75, 0.625])
    np.testing.assert_allclose(d_v_c, error @ W_out, rtol=1e-14)
    np.testing.assert_allclose(d_W_out, np.column_stack([error, np.zeros(3)]), rtol=1e-14)


@given(st.integers(0, 10_000), st.sampled_from([0.1, 1, 3]))
@settings(max_examples=settings.default.max_examples // 4)  # each is a whole gradient check
def test_softmax_loss_by_differences(seed, scale):
    v_c, W_out = random_vectors(seed, scale=scale)
    o = seed % len(W_out)

    def f(x):
        loss, d_v_c, d_W_out = softmax_loss(x["v_c"], o, x["W_out"])
        return loss, {"v_c": d_v_c, "W_out": d_W_out}

    assert_gradients(f, {"v_c": v_c, "W_out": W_out})


def test_softmax_loss_gradients_against_fifty_digits():
    v_c, W_out = random_vectors(7)
    _, d_v_c, d_W_out = softmax_loss(v_c, 2, W_out)

    def loss(*flat):
        v, u = flat[:3], [flat[3 + 3 * w : 6 + 3 * w] for w in range(5)]
        scores = [mpmath.fdot(row, v) for row in u]
        return mpmath.log(mpmath.fsum(map(mpmath.exp, scores))) - scores[2]

    np.testing.assert_allclose(
        np.concatenate([d_v_c, d_W_out.ravel()]), exact_gradient(loss, v_c, W_out), rtol=1e-13
    )


# --- negative-sampling loss of a pair ---


def test_negative_sampling_loss_by_hand():
    # u_0.v = log 3 -> sigma = 3/4; u_2.v = -log 3 -> sigma = 1/4, drawn twice
    log3 = np.log(3)
    W_out = np.array([[log3, 1.0], [7.0, 7.0], [-log3, 2.0], [0.0, 4.0]])
    loss, d_v_c, d_W_out = negative_sampling_loss([1.0, 0.0], 0, [2, 3, 2], W_out)
    np.testing.assert_allclose(loss, 3 * np.log(4 / 3) + LOG2, rtol=1e-15)
    np.testing.assert_allclose(
        d_v_c, -0.25 * W_out[0] + 2 * 0.25 * W_out[2] + 0.5 * W_out[3], rtol=1e-15
    )
    np.testing.assert_allclose(d_W_out, [[-0.25, 0], [0, 0], [0.5, 0], [0.5, 0]], rtol=1e-15)


@given(
    st.integers(0, 10_000),
    st.lists(st.integers(1, 4), min_size=1, max_size=6),
    st.sampled_from([0.1, 1, 3]),
)
@settings(max_examples=settings.default.max_examples // 4)  # each is a whole gradient check
def test_negative_sampling_loss_by_differences(seed, negatives, scale):
    v_c, W_out = random_vectors(seed, scale=scale)

    def f(x):
        loss, d_v_c, d_W_out = negative_sampling_loss(x["v_c"], 0, negatives, x["W_out"])
        return loss, {"v_c": d_v_c, "W_out": d_W_out}

    assert_gradients(f, {"v_c": v_c, "W_out": W_out})


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_negative_sampling_gradients_against_fifty_digits(scale):
    v_c, W_out = random_vectors(3, scale=scale)
    _, d_v_c, d_W_out = negative_sampling_loss(v_c, 1, [0, 3, 3], W_out)

    def loss(*flat):
        v, u = flat[:3], [flat[3 + 3 * w : 6 + 3 * w] for w in range(5)]
        terms = [(1, 1), (-1, 0), (-1, 3), (-1, 3)]
        return mpmath.fsum(
            mpmath.log(1 + mpmath.exp(-sign * mpmath.fdot(u[w], v))) for sign, w in terms
        )

    np.testing.assert_allclose(
        np.concatenate([d_v_c, d_W_out.ravel()]),
        exact_gradient(loss, v_c, W_out),
        rtol=1e-13,
        atol=1e-28,
    )


def test_a_saturated_pair_keeps_its_gradient():
    # word2vec.c and gensim cut the sigmoid at |u.v| = 6; a pair that is wrong must go on learning.
    W_out = np.array([[100.0], [-100.0], [3.0]])
    loss, _, d_W_out = negative_sampling_loss([1.0], 1, [0], W_out)
    assert loss == 200
    np.testing.assert_array_equal(d_W_out, [[1], [-1], [0]])
    _, _, d_W_out = negative_sampling_loss([1.0], 0, [1], W_out)
    np.testing.assert_allclose(d_W_out[:2, 0], [-np.exp(-100), np.exp(-100)], rtol=1e-14)


def test_tiny_vectors_raise_nothing():
    with np.errstate(all="raise"):
        assert softmax_loss([1e-200], 0, [[3e-200], [0]])[0] == LOG2
        assert negative_sampling_loss([1e-200], 0, [1], [[3e-200], [0]])[0] == 2 * LOG2


def test_only_repeated_draws_of_one_word_add_up():
    v_c, W_out = random_vectors(5)
    one, _, d_one = negative_sampling_loss(v_c, 0, [2], W_out)
    two, _, d_two = negative_sampling_loss(v_c, 0, [2, 2], W_out)
    three, _, d_three = negative_sampling_loss(v_c, 0, [2, 2, 4], W_out)
    np.testing.assert_allclose(d_two[2], 2 * d_one[2], rtol=1e-15)
    np.testing.assert_array_equal(d_three[2], d_two[2])
    np.testing.assert_allclose(three - two, -np.log(sigmoid(-W_out[4] @ v_c)), rtol=1e-13)
    np.testing.assert_allclose(two - one, -np.log(sigmoid(-W_out[2] @ v_c)), rtol=1e-13)


# --- logistic loss of any outputs ---


def test_logistic_loss_by_hand():
    # Two positive outputs with sigma = 3/4 and 1/2, one negative with sigma = 1/4.
    log3 = np.log(3)
    W_out = np.array([[log3, 1.0], [0.0, 7.0], [-log3, 2.0], [5.0, 4.0]])
    loss, d_h, d_W_out = logistic_loss([1.0, 0.0], [0, 1, 2], [1, 1, -1], W_out)
    np.testing.assert_allclose(loss, 2 * np.log(4 / 3) + LOG2, rtol=1e-15)
    np.testing.assert_allclose(d_h, -0.25 * W_out[0] - 0.5 * W_out[1] + 0.25 * W_out[2], rtol=1e-15)
    np.testing.assert_allclose(d_W_out, [[-0.25, 0], [-0.5, 0], [0.25, 0], [0, 0]], rtol=1e-15)


@given(
    st.integers(0, 10_000),
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([-1, 1])), min_size=1, max_size=6),
)
@settings(max_examples=settings.default.max_examples // 4)
def test_logistic_loss_by_differences(seed, B, pairs):
    rng = np.random.default_rng(seed)
    outputs, signs = zip(*pairs, strict=True)

    def f(x):
        loss, d_h, d_W_out = logistic_loss(x["h"], outputs, signs, x["W_out"])
        return loss, {"h": d_h, "W_out": d_W_out}

    assert_gradients(f, {"h": rng.normal(size=(B, 3)), "W_out": rng.normal(size=(5, 3))})


def test_one_positive_output_and_negatives_are_negative_sampling():
    v_c, W_out = random_vectors(7)
    one = logistic_loss(v_c, [1, 0, 3, 3], [1, -1, -1, -1], W_out)
    other = negative_sampling_loss(v_c, 1, [0, 3, 3], W_out)
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)


# --- batches ---


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_a_batch_is_the_sum_of_its_pairs(seed, B):
    rng = np.random.default_rng(seed)
    v, W_out, o = rng.normal(size=(B, 3)), rng.normal(size=(6, 3)), rng.integers(0, 3, size=B)
    negatives = rng.integers(3, 6, size=(B, 4))
    for batch, pairs in (
        (softmax_loss(v, o, W_out), [softmax_loss(v[i], o[i], W_out) for i in range(B)]),
        (
            negative_sampling_loss(v, o, negatives, W_out),
            [negative_sampling_loss(v[i], o[i], negatives[i], W_out) for i in range(B)],
        ),
    ):
        np.testing.assert_allclose(batch[0], sum(pair[0] for pair in pairs), rtol=1e-13)
        np.testing.assert_allclose(batch[1], [pair[1] for pair in pairs], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(batch[2], sum(pair[2] for pair in pairs), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_are_kept_and_arguments_unchanged(dtype):
    rng = np.random.default_rng(2)
    v_c, W_out = rng.normal(size=3).astype(dtype), rng.normal(size=(4, 3)).astype(dtype)
    before = v_c.copy(), W_out.copy()
    for loss, d_v_c, d_W_out in (
        softmax_loss(v_c, 1, W_out),
        negative_sampling_loss(v_c, 1, [0, 0, 3], W_out),
    ):
        assert isinstance(loss, float)
        assert d_v_c.dtype == d_W_out.dtype == dtype
        assert d_v_c.shape == (3,)
        assert d_W_out.shape == (4, 3)
    np.testing.assert_array_equal(v_c, before[0])
    np.testing.assert_array_equal(W_out, before[1])


def test_a_vocabulary_of_one_word_has_no_softmax_loss():
    loss, d_v_c, d_W_out = softmax_loss([2.0, 3.0], 0, [[5.0, 7.0]])
    assert loss == 0
    np.testing.assert_array_equal(d_v_c, [0, 0])
    np.testing.assert_array_equal(d_W_out, [[0, 0]])


def exact_gradient(loss, v_c, W_out):
    """Derivatives of ``loss`` at (v_c, W_out) in 50-digit arithmetic."""
    point = [mpmath.mpf(value) for value in np.concatenate([v_c, W_out.ravel()])]
    with mpmath.workdps(50):
        return [
            float(mpmath.diff(lambda t, i=i: loss(*point[:i], t, *point[i + 1 :]), point[i]))
            for i in range(len(point))
        ]
