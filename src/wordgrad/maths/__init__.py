"""The mathematics, in plain NumPy: the oracle that every fast engine answers to."""

from wordgrad.maths.functions import log_sigmoid, log_softmax, sigmoid, sigmoid_grad, softmax
from wordgrad.maths.losses import cross_entropy, negative_sampling_loss, softmax_loss
from wordgrad.maths.objectives import WindowGradients, cbow, skipgram

__all__ = [
    "WindowGradients",
    "cbow",
    "cross_entropy",
    "log_sigmoid",
    "log_softmax",
    "negative_sampling_loss",
    "sigmoid",
    "sigmoid_grad",
    "skipgram",
    "softmax",
    "softmax_loss",
]
