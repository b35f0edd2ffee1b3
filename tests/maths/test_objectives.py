"""Skip-gram and CBOW of one window: published values, by hand, by pairs, by differences."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.maths import assert_gradients, cbow, negative_sampling_loss, skipgram, softmax_loss

few_examples = settings(
    max_examples=settings.default.max_examples // 4
)  # each is a whole gradient check


def published_vectors():
    x = np.random.RandomState(9265).randn(10, 3)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x[:5], x[5:]


def test_published_skipgram_with_softmax():
    W_in, W_out = published_vectors()
    a, b, c, d, e = range(5)
    window = skipgram(c, [a, b, e, d, b, c], W_in, W_out)
    assert window.loss == pytest.approx(11.16610900153398, rel=1e-14)
    np.testing.assert_allclose(
        window.d_W_in[c], [-1.26947339, -1.36873189, 2.45158957], atol=5e-9, rtol=0
    )
    np.testing.assert_array_equal(window.d_W_in[[a, b, d, e]], 0)


@st.composite
def windows(draw, *, V=4):
    """A window with repeated words, perhaps with the centre among the outside words."""
    center = draw(st.integers(0, V - 1))
    outside = draw(st.lists(st.integers(0, V - 1), min_size=1, max_size=5))
    seed = draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    W_in, W_out = rng.normal(size=(2, V, 2)) * draw(st.sampled_from([0.1, 1.0, 2.5]))
    return center, outside, W_in, W_out, rng


def negatives_for(rng, targets, V=4, K=3):
    """K words for each target, none equal to it; repeats are likely."""
    targets = np.asarray(targets)
    return (targets[..., None] + rng.integers(1, V, size=(*targets.shape, K))) % V


def check(objective, center, outside, W_in, W_out, **options):
    def f(x):
        window = objective(center, outside, x["W_in"], x["W_out"], **options)
        return window.loss, {"W_in": window.d_W_in, "W_out": window.d_W_out}

    assert_gradients(f, {"W_in": W_in, "W_out": W_out})


@given(windows())
@few_examples
def test_skipgram_with_softmax_by_differences(window):
    center, outside, W_in, W_out, _ = window
    check(skipgram, center, outside, W_in, W_out)


@given(windows())
@few_examples
def test_skipgram_with_negative_sampling_by_differences(window):
    center, outside, W_in, W_out, rng = window
    negatives = negatives_for(rng, outside)
    check(skipgram, center, outside, W_in, W_out, loss="negative-sampling", negatives=negatives)


@given(windows(), st.sampled_from(["mean", "sum"]))
@few_examples
def test_cbow_with_softmax_by_differences(window, combine):
    center, outside, W_in, W_out, _ = window
    check(cbow, center, outside, W_in, W_out, combine=combine)


@given(windows(), st.sampled_from(["mean", "sum"]))
@few_examples
def test_cbow_with_negative_sampling_by_differences(window, combine):
    center, outside, W_in, W_out, rng = window
    negatives = negatives_for(rng, center)
    check(
        cbow,
        center,
        outside,
        W_in,
        W_out,
        loss="negative-sampling",
        negatives=negatives,
        combine=combine,
    )


@given(windows())
def test_skipgram_is_the_sum_of_its_pairs(window):
    center, outside, W_in, W_out, rng = window
    negatives = negatives_for(rng, outside)
    for options, pairs in (
        ({}, [softmax_loss(W_in[center], o, W_out) for o in outside]),
        (
            {"loss": "negative-sampling", "negatives": negatives},
            [
                negative_sampling_loss(W_in[center], o, row, W_out)
                for o, row in zip(outside, negatives, strict=True)
            ],
        ),
    ):
        window = skipgram(center, outside, W_in, W_out, **options)
        d_W_in = np.zeros_like(W_in)
        d_W_in[center] = sum(pair[1] for pair in pairs)
        np.testing.assert_allclose(window.loss, sum(pair[0] for pair in pairs), rtol=1e-12)
        np.testing.assert_allclose(window.d_W_in, d_W_in, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(
            window.d_W_out, sum(pair[2] for pair in pairs), rtol=1e-10, atol=1e-13
        )


# --- by hand: W_out gives the scores 0 and log 3, so sigma is 1/2 and 3/4 ---

LOG3 = np.log(3)
W_IN = np.array([[1.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
W_OUT = np.array([[0.0, 1.0], [LOG3, 0.0], [0.0, -1.0]])


def test_skipgram_by_hand():
    window = skipgram(0, [1, 2], W_IN, W_OUT, loss="negative-sampling", negatives=[[0, 0], [1, 1]])
    # pair 1: sigma(log 3) = 3/4, two draws of 0 at 1/2; pair 2: 1/2, two draws of 1 at 3/4
    np.testing.assert_allclose(window.loss, np.log(4 / 3) + 3 * np.log(2) + 2 * np.log(4))
    np.testing.assert_allclose(window.d_W_out, [[1, 0], [-0.25 + 1.5, 0], [-0.5, 0]])
    np.testing.assert_allclose(
        window.d_W_in, [1.0 * W_OUT[0] + 1.25 * W_OUT[1] - 0.5 * W_OUT[2], [0, 0], [0, 0]]
    )


def test_skipgram_softmax_by_hand():
    # scores of centre 0: 0, log 3, 0 -> y_hat = 1/5, 3/5, 1/5
    window = skipgram(0, [1, 1, 0], W_IN, W_OUT)
    np.testing.assert_allclose(window.loss, 2 * np.log(5 / 3) + np.log(5), rtol=1e-15)
    np.testing.assert_allclose(window.d_W_out, [[-0.4, 0], [-0.2, 0], [0.6, 0]], rtol=1e-14)


@pytest.mark.parametrize(("combine", "share"), [("mean", 1 / 4), ("sum", 1)])
def test_cbow_by_hand(combine, share):
    # words 0, 0 and 2, 2 -> sum (6, 0); their mean (1.5, 0)
    W_out = W_OUT / (6 * share)
    window = cbow(
        1,
        [0, 2, 0, 2],
        W_IN,
        W_out,
        loss="negative-sampling",
        negatives=[2],
        combine=combine,
    )
    np.testing.assert_allclose(window.loss, np.log(4 / 3) + np.log(2), rtol=1e-14)
    d_v_hat = -0.25 * W_out[1] + 0.5 * W_out[2]
    np.testing.assert_allclose(
        window.d_W_in, [2 * share * d_v_hat, [0, 0], 2 * share * d_v_hat], rtol=1e-14
    )
    np.testing.assert_allclose(
        window.d_W_out, 6 * share * np.array([[0, 0], [-0.25, 0], [0.5, 0]]), rtol=1e-14
    )


def test_cbow_takes_the_mean_unless_told():
    assert cbow(0, [1, 2], W_IN, W_OUT).loss == cbow(0, [1, 2], W_IN, W_OUT, combine="mean").loss
    assert cbow(0, [1, 2], W_IN, W_OUT).loss != cbow(0, [1, 2], W_IN, W_OUT, combine="sum").loss


def test_cbow_of_one_word_is_skipgram_from_it():
    one = cbow(0, [2], W_IN, W_OUT)
    other = skipgram(2, [0], W_IN, W_OUT)
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-15)
    np.testing.assert_allclose(one.d_W_in, other.d_W_in, rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(one.d_W_out, other.d_W_out, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_word_ids_of_any_integer_type(dtype):
    options = {"loss": "negative-sampling"}
    expected = skipgram(0, [1, 2], W_IN, W_OUT, negatives=[[0], [1]], **options)
    negatives = np.array([[0], [1]], dtype=dtype)
    window = skipgram(dtype(0), [1, 2], W_IN, W_OUT, negatives=negatives, **options)
    np.testing.assert_array_equal(window.d_W_out, expected.d_W_out)
    window = skipgram(0, np.array([1, 2], dtype=dtype), W_IN, W_OUT)
    np.testing.assert_array_equal(window.d_W_out, skipgram(0, [1, 2], W_IN, W_OUT).d_W_out)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", ["softmax", "negative-sampling"])
def test_types_are_kept_and_parameters_unchanged(dtype, loss):
    W_in, W_out = W_IN.astype(dtype), W_OUT.astype(dtype)
    sampled = loss == "negative-sampling"
    for window in (
        skipgram(0, [1, 2], W_in, W_out, loss=loss, negatives=[[2], [1]] if sampled else None),
        cbow(0, [1, 2], W_in, W_out, loss=loss, negatives=[1] if sampled else None),
        cbow(0, [1], W_in, W_out, loss=loss, negatives=[1] if sampled else None, combine="sum"),
    ):
        assert isinstance(window.loss, float)
        assert window.d_W_in.dtype == window.d_W_out.dtype == dtype
        assert window.d_W_in.shape == window.d_W_out.shape == (3, 2)
    np.testing.assert_array_equal(W_in, W_IN.astype(dtype))
    np.testing.assert_array_equal(W_out, W_OUT.astype(dtype))


@pytest.mark.parametrize("loss", ["softmax", "negative-sampling"])
def test_a_large_vocabulary_allocates_a_few_matrices_of_its_size(loss):
    V, D = 50_000, 20
    rng = np.random.default_rng(0)
    W_in, W_out = rng.normal(size=(2, V, D))
    outside = [3, 7, 7, 49_999]
    negatives = rng.integers(8, 49_999, size=(4, 5)) if loss == "negative-sampling" else None
    tracemalloc.start()
    skipgram(5, outside, W_in, W_out, loss=loss, negatives=negatives)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * V * D * 8
