"""The mathematics, in plain NumPy: the oracle that every fast engine answers to."""

from wordgrad.maths.functions import log_sigmoid, log_softmax, sigmoid, sigmoid_grad, softmax
from wordgrad.maths.gradient_check import (
    GradientError,
    GradientReport,
    assert_gradients,
    check_gradients,
)
from wordgrad.maths.losses import (
    binary_cross_entropy,
    cross_entropy,
    logistic_loss,
    negative_sampling_loss,
    scaled_cross_entropy,
    softmax_loss,
)
from wordgrad.maths.network import Activations, NetworkGradients, OneHiddenLayer, SoftmaxLayer
from wordgrad.maths.objectives import (
    WindowGradients,
    cbow,
    compose,
    compose_gradient,
    input_share,
    pv_dbow,
    pv_dm,
    skipgram,
)
from wordgrad.maths.phrases import npmi, phrase_score

__all__ = [
    "Activations",
    "GradientError",
    "GradientReport",
    "NetworkGradients",
    "OneHiddenLayer",
    "SoftmaxLayer",
    "WindowGradients",
    "assert_gradients",
    "binary_cross_entropy",
    "cbow",
    "check_gradients",
    "compose",
    "compose_gradient",
    "cross_entropy",
    "input_share",
    "log_sigmoid",
    "log_softmax",
    "logistic_loss",
    "negative_sampling_loss",
    "npmi",
    "phrase_score",
    "pv_dbow",
    "pv_dm",
    "scaled_cross_entropy",
    "sigmoid",
    "sigmoid_grad",
    "skipgram",
    "softmax",
    "softmax_loss",
]
