"""Bad input to the mathematics: each message names parameter, rule and value got."""

import re

import numpy as np
import pytest

from wordgrad.errors import ParameterError
from wordgrad.maths import (
    OneHiddenLayer,
    cbow,
    cross_entropy,
    log_sigmoid,
    log_softmax,
    logistic_loss,
    negative_sampling_loss,
    sigmoid,
    sigmoid_grad,
    skipgram,
    softmax,
    softmax_loss,
)

NAN, INF = float("nan"), float("inf")
SOFTMAX_RULE = "x must be finite, or -inf as a mask, with one finite entry in every slice, got"
UNIT_RULE = "s must hold values of the sigmoid, in [0, 1] (take sigmoid(x) first), got"
LABEL_RULE = "labels must be integers in [0, 2]"
W = np.ones((3, 2))
NETWORK = OneHiddenLayer(2, 3, 2)


def sampled(objective, *arguments, **options):
    return objective(*arguments, loss="negative-sampling", **options)


CASES = {
    # functions
    "softmax of NaN": (lambda: softmax([[0, 1], [NAN, 0]]), f"{SOFTMAX_RULE} nan at index (1, 0)."),
    "softmax of +inf": (lambda: softmax([0, INF]), f"{SOFTMAX_RULE} inf at index (0,)."),
    "softmax of masks alone": (
        lambda: softmax([-INF, -INF]),
        f"{SOFTMAX_RULE} -inf at index (0,).",
    ),
    "log_softmax of NaN": (lambda: log_softmax([NAN]), f"{SOFTMAX_RULE} nan at index (0,)."),
    "log_softmax of masks alone": (
        lambda: log_softmax([-INF]),
        f"{SOFTMAX_RULE} -inf at index (0,).",
    ),
    "softmax of a scalar": (
        lambda: softmax(1.0),
        "x must have at least one dimension, got a scalar.",
    ),
    "softmax of nothing": (
        lambda: softmax(np.zeros((2, 0))),
        "x must not be empty along axis -1, got shape (2, 0).",
    ),
    "softmax along no axis": (
        lambda: softmax(W, axis=2),
        "axis must be an integer in [-2, 1], got 2.",
    ),
    "softmax along no axis below": (
        lambda: softmax(W, axis=-3),
        "axis must be an integer in [-2, 1], got -3.",
    ),
    "log_softmax along no axis": (
        lambda: log_softmax(W, axis=-3),
        "axis must be an integer in [-2, 1], got -3.",
    ),
    "softmax of strings": (lambda: softmax(["a"]), "x must hold real numbers, got dtype <U1."),
    "softmax of complex": (
        lambda: softmax([1j]),
        "x must hold real numbers, got dtype complex128.",
    ),
    "softmax of ragged rows": (
        lambda: softmax([[1], [1, 2]]),
        "x must be a rectangular array, got [[1], [1, 2]].",
    ),
    "sigmoid of strings": (lambda: sigmoid("a"), "x must hold real numbers, got dtype <U1."),
    "log_sigmoid of strings": (
        lambda: log_sigmoid(["a"]),
        "x must hold real numbers, got dtype <U1.",
    ),
    "sigmoid of NaN": (lambda: sigmoid(NAN), "x must not hold NaN, got nan."),
    "log_sigmoid of NaN": (
        lambda: log_sigmoid([0, NAN]),
        "x must not hold NaN, got nan at index (1,).",
    ),
    "sigmoid_grad above": (lambda: sigmoid_grad([0.5, 1.5]), f"{UNIT_RULE} 1.5 at index (1,)."),
    "sigmoid_grad below": (lambda: sigmoid_grad(-0.5), f"{UNIT_RULE} -0.5."),
    "sigmoid_grad of NaN": (lambda: sigmoid_grad(NAN), f"{UNIT_RULE} nan."),
    "sigmoid_grad of strings": (
        lambda: sigmoid_grad("a"),
        "s must hold real numbers, got dtype <U1.",
    ),
    # cross-entropy
    "reduction": (
        lambda: cross_entropy(W, [0, 0, 0], "max"),
        "reduction must be one of 'mean', 'sum', got 'max'.",
    ),
    "no logits": (
        lambda: cross_entropy(np.zeros((0, 3)), []),
        "logits must have shape (..., C), not empty, got (0, 3).",
    ),
    "a scalar logit": (
        lambda: cross_entropy(1.0, 0),
        "logits must have shape (..., C), not empty, got ().",
    ),
    "logits of strings": (
        lambda: cross_entropy(["a"], 0),
        "logits must hold real numbers, got dtype <U1.",
    ),
    "logits of NaN": (lambda: cross_entropy([NAN, 0], 0), f"{SOFTMAX_RULE} nan at index (0,)."),
    "labels of another shape": (
        lambda: cross_entropy(W, [0, 1]),
        "labels must have shape (3,) (classes) or (3, 2) (distributions) to match logits, "
        "got (2,).",
    ),
    "labels of another shape than three dimensions": (
        lambda: cross_entropy(np.zeros((2, 3, 4)), [0, 1]),
        "labels must have shape (2, 3) (classes) or (2, 3, 4) (distributions) to match logits, "
        "got (2,).",
    ),
    "class too large": (lambda: cross_entropy([0, 0, 0], 3), f"{LABEL_RULE}, got 3."),
    "class below 0": (
        lambda: cross_entropy([[0, 0, 0]], [-1]),
        f"{LABEL_RULE}, got -1 at index (0,).",
    ),
    "class no integer": (
        lambda: cross_entropy([0, 0, 0], 1.0),
        f"{LABEL_RULE}, got dtype float64.",
    ),
    "class a boolean": (lambda: cross_entropy([0, 0, 0], True), f"{LABEL_RULE}, got dtype bool."),
    "labels below 0": (
        lambda: cross_entropy([0, 0], [1.5, -0.5]),
        "labels must be distributions with no negative entry, got -0.5 at index (1,).",
    ),
    "labels that do not sum to 1": (
        lambda: cross_entropy([[0, 0], [0, 0]], [[1, 0], [0.5, 0.25]]),
        "labels must be distributions whose rows sum to 1, got 0.75 at index (1,).",
    ),
    "labels that sum to more than 1": (
        lambda: cross_entropy([0, 0], [1, 1e-7]),
        "labels must be distributions whose rows sum to 1, got 1.0000001.",
    ),
    "labels of NaN": (
        lambda: cross_entropy([0, 0], [1, NAN]),
        "labels must be finite, got nan at index (1,).",
    ),
    "a label that is masked": (
        lambda: cross_entropy([0, -INF], [0.5, 0.5]),
        "logits must be finite for every class that labels use, got -inf at index (1,).",
    ),
    # pairs
    "v_c of another length": (
        lambda: softmax_loss([1, 2, 3], 0, W),
        "v_c must have shape (2,), got (3,).",
    ),
    "v_c of another batch": (
        lambda: softmax_loss([[1, 2]], [0, 1], W),
        "v_c must have shape (2, 2), got (1, 2).",
    ),
    "v_c without its batch": (
        lambda: softmax_loss([1, 2], [0], W),
        "v_c must have shape (1, 2), got (2,).",
    ),
    "v_c of NaN": (
        lambda: softmax_loss([1, NAN], 0, W),
        "v_c must be finite, got nan at index (1,).",
    ),
    "W_out of infinity": (
        lambda: softmax_loss([1, 1], 0, [[1, INF]]),
        "W_out must be finite, got inf at index (0, 1).",
    ),
    "W_out a vector": (
        lambda: softmax_loss([1, 1], 0, [1, 1]),
        "W_out must have shape (V, D), got (2,).",
    ),
    "o too large": (lambda: softmax_loss([1, 1], 3, W), "o must be integers in [0, 2], got 3."),
    "o below 0": (lambda: softmax_loss([1, 1], -1, W), "o must be integers in [0, 2], got -1."),
    "o a matrix": (
        lambda: softmax_loss(W, [[0]], W),
        "o must be an integer or have shape (B,), got (1, 1).",
    ),
    "o empty": (
        lambda: softmax_loss(np.zeros((0, 2)), [], W),
        "o must be integers in [0, 2], at least one, got shape (0,).",
    ),
    "scores that overflow": (
        lambda: softmax_loss([1e200, 0], 0, [[1e200, 0]]),
        "the dot products of v_c and W_out must be finite (scale the vectors down), got inf at "
        "index (0, 0).",
    ),
    "a negative equal to o": (
        lambda: negative_sampling_loss([1, 1], 1, [0, 1], W),
        "negatives must differ from the word they are drawn for (draw again), got 1 at index (1,).",
    ),
    "negatives empty": (
        lambda: negative_sampling_loss([1, 1], 1, [], W),
        "negatives must be integers in [0, 2], at least one, got shape (0,).",
    ),
    "negatives too large": (
        lambda: negative_sampling_loss([1, 1], 1, [0, 3], W),
        "negatives must be integers in [0, 2], got 3 at index (1,).",
    ),
    "negatives of another shape": (
        lambda: negative_sampling_loss([1, 1], 1, [[0]], W),
        "negatives must have shape (K,), got (1, 1).",
    ),
    "negatives a scalar": (
        lambda: negative_sampling_loss([1, 1], 1, 0, W),
        "negatives must have shape (K,), got ().",
    ),
    "negatives without their batch": (
        lambda: negative_sampling_loss(W[:2], [1, 1], [0, 2], W),
        "negatives must have shape (2, K), got (2,).",
    ),
    "negatives of another batch": (
        lambda: negative_sampling_loss(W[:2], [1, 1], [[0, 2]], W),
        "negatives must have shape (2, K), got (1, 2).",
    ),
    # windows
    "loss": (
        lambda: skipgram(0, [1], W, W, loss="hinge"),
        "loss must be one of 'softmax', 'negative-sampling', got 'hinge'.",
    ),
    "combine": (
        lambda: cbow(0, [1], W, W, combine="max"),
        "combine must be one of 'mean', 'sum', got 'max'.",
    ),
    "negatives missing": (
        lambda: sampled(skipgram, 0, [1], W, W),
        "negatives must be given with loss 'negative-sampling', got None.",
    ),
    "negatives missing in CBOW": (
        lambda: sampled(cbow, 0, [1], W, W),
        "negatives must be given with loss 'negative-sampling', got None.",
    ),
    "negatives not wanted": (
        lambda: cbow(0, [1], W, W, negatives=[1, 2]),
        "negatives must be None with loss 'softmax' (or choose loss 'negative-sampling'), "
        "got shape (2,).",
    ),
    "W_in and W_out differ": (
        lambda: skipgram(0, [1], W, W[:2]),
        "W_out must have shape (3, 2), got (2, 2).",
    ),
    "W_in a vector": (lambda: cbow(0, [1], [1, 1], W), "W_in must have shape (V, D), got (2,)."),
    "W_in of NaN": (
        lambda: cbow(0, [1], W * NAN, W),
        "W_in must be finite, got nan at index (0, 0).",
    ),
    "W_out of NaN": (
        lambda: cbow(0, [1], W, W * NAN),
        "W_out must be finite, got nan at index (0, 0).",
    ),
    "center too large": (
        lambda: skipgram(3, [1], W, W),
        "center must be integers in [0, 2], got 3.",
    ),
    "center a list": (lambda: cbow([0], [1], W, W), "center must be one integer, got shape (1,)."),
    "outside empty": (
        lambda: skipgram(0, [], W, W),
        "outside must be integers in [0, 2], at least one, got shape (0,).",
    ),
    "outside too large": (
        lambda: cbow(0, [1, 3], W, W),
        "outside must be integers in [0, 2], got 3 at index (1,).",
    ),
    "outside ragged": (
        lambda: skipgram(0, [[1], [1, 2]], W, W),
        "outside must be a rectangular array, got [[1], [1, 2]].",
    ),
    "outside a scalar": (lambda: skipgram(0, 1, W, W), "outside must have shape (M,), got ()."),
    "skip-gram with the negatives of CBOW": (
        lambda: sampled(skipgram, 0, [1, 2], W, W, negatives=[0, 0]),
        "negatives must have shape (2, K), got (2,).",
    ),
    "CBOW with the negatives of skip-gram": (
        lambda: sampled(cbow, 0, [1, 2], W, W, negatives=[[1], [1]]),
        "negatives must have shape (K,), got (2, 1).",
    ),
    "a negative equal to its outside word": (
        lambda: sampled(skipgram, 0, [1, 2], W, W, negatives=[[0], [2]]),
        "negatives must differ from the word they are drawn for (draw again), "
        "got 2 at index (1, 0).",
    ),
    "a negative equal to the centre": (
        lambda: sampled(cbow, 0, [1, 2], W, W, negatives=[1, 0]),
        "negatives must differ from the word they are drawn for (draw again), got 0 at index (1,).",
    ),
    # network
    "n_inputs": (lambda: OneHiddenLayer(0, 1, 1), "n_inputs must be an integer >= 1, got 0."),
    "n_hidden": (lambda: OneHiddenLayer(1, 0, 1), "n_hidden must be an integer >= 1, got 0."),
    "n_outputs": (lambda: OneHiddenLayer(1, 1, 0), "n_outputs must be an integer >= 1, got 0."),
    "seed": (lambda: OneHiddenLayer(1, 1, 1, seed=-1), "seed must be an integer >= 0, got -1."),
    "flat too short": (
        lambda: NETWORK.unpack(np.zeros(16)),
        "flat must have shape (17,), got (16,).",
    ),
    "flat of NaN": (
        lambda: NETWORK.unpack([NAN] * 17),
        "flat must be finite, got nan at index (0,).",
    ),
    "outputs a matrix": (
        lambda: logistic_loss([1, 1], [[0]], [[1]], W),
        "outputs must have shape (J,), got (1, 1).",
    ),
    "an output out of range": (
        lambda: logistic_loss([1, 1], [3], [1], W),
        "outputs must be integers in [0, 2], got 3 at index (0,).",
    ),
    "a sign too few": (
        lambda: logistic_loss([1, 1], [0, 1], [1], W),
        "signs must be +1 or -1 for each of the 2 outputs, got [1].",
    ),
    "a sign of zero": (
        lambda: logistic_loss([1, 1], [0, 1], [1, 0], W),
        "signs must be +1 or -1 for each of the 2 outputs, got [1, 0].",
    ),
    "h of another length": (
        lambda: logistic_loss([[1, 1, 1]], [0], [1], W),
        "h must have shape (B, 2), got (1, 3).",
    ),
    "X a vector": (lambda: NETWORK.forward([1, 2]), "X must have shape (B, 2), got (2,)."),
    "X too wide": (
        lambda: NETWORK.forward(np.ones((1, 3))),
        "X must have shape (B, 2), got (1, 3).",
    ),
    "X of infinity": (
        lambda: NETWORK.loss_and_gradients([[0, INF]], [0]),
        "X must be finite, got inf at index (0, 1).",
    ),
    "Y of another length": (
        lambda: NETWORK.loss_and_gradients([[0, 0]], [0, 1, 0]),
        "labels must have shape (1,) (classes) or (1, 2) (distributions) to match logits, "
        "got (3,).",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_by_a_sentence(name):
    call, message = CASES[name]
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        call()


def test_infinities_that_cancel_are_refused_without_a_warning():
    rule = "the dot products of v_c and W_out must be finite"
    with np.errstate(all="raise"):
        for W_out in ([[1e200, -1e200], [0, 0]], [[1e200, 0], [0, 0]]):
            with pytest.raises(ParameterError, match=rule):
                negative_sampling_loss([1e200, 1e200], 0, [1], W_out)
            with pytest.raises(ParameterError, match=rule):
                softmax_loss([1e200, 1e200], 0, W_out)
            with pytest.raises(ParameterError, match=rule):
                skipgram(0, [1], [[1e200, 1e200], [0, 0]], W_out)


def test_infinities_of_partial_sums_are_refused_without_a_warning():
    # Long enough for sums kept side by side, of which one is inf and another -inf.
    v = np.full(64, 1e200)
    W_out = np.stack([np.repeat([1e200, -1e200], 32), np.tile([1e200, -1e200], 32)])
    with np.errstate(all="raise"), pytest.raises(ParameterError, match="must be finite"):
        softmax_loss(v, 0, W_out)
    with np.errstate(all="raise"), pytest.raises(ParameterError, match="must be finite"):
        negative_sampling_loss(v, 0, [1], W_out)


def test_the_errors_are_value_errors():
    with pytest.raises(ValueError, match="must not hold NaN"):
        sigmoid(NAN)


def test_the_last_id_and_the_first_are_in_range():
    for o in (0, 2):
        assert softmax_loss([1, 1], o, W)[0] == pytest.approx(np.log(3))
    assert cross_entropy([0, 0, 0], 2)[0] == pytest.approx(np.log(3))


def test_half_of_the_digits_of_a_sum_are_checked():
    # 1.5e-8 is the root of float64's epsilon.
    assert cross_entropy([0, 0], [1, 1e-8])[0] > 0
    assert cross_entropy([0, 0], [1, 2.0**-26])[0] > 0  # the bound itself
    assert cross_entropy([0, 0], [1 - 1e-8, 0])[0] > 0
    with pytest.raises(ParameterError, match="rows sum to 1"):
        cross_entropy([0, 0], [1 - 2e-8, 0])
