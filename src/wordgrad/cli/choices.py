"""What options of ``wordgrad train`` can be chosen from."""

from __future__ import annotations

from enum import Enum


class Architecture(Enum):
    """Which word predicts which."""

    skipgram = "skipgram"
    cbow = "cbow"


class Loss(Enum):
    """What training minimises."""

    negative_sampling = "negative-sampling"
    softmax = "softmax"


class SoftmaxOffset(Enum):
    """What is added to the softmax's logits."""

    unigram = "unigram"
    none = "none"


class Combination(Enum):
    """How CBOW combines its context vectors."""

    mean = "mean"
    sum = "sum"


class Errors(Enum):
    """What to do with bytes that are not UTF-8."""

    strict = "strict"
    replace = "replace"
