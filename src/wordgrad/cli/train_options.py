"""The choices and the spans of time that ``wordgrad train`` takes, and the panels of its help."""

from __future__ import annotations

import re
from enum import Enum

import typer


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


MODEL, TRAINING, SAVING, TEXT = "The model", "Training", "Going on later", "The text"

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds(text: str | float) -> float:
    """Read a span of time.

    >>> seconds("60"), seconds("90s"), seconds("5m"), seconds("1.5 h")
    (60.0, 90.0, 300.0, 5400.0)
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(s|m|min|h|)\s*", str(text), re.ASCII)
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is not a span of time; write seconds, minutes or hours, as in 60s, 5m or 1h."
        )
    return float(match[1]) * _UNITS[match[2]]
