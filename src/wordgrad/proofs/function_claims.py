"""Claims about sigmoid, softmax and cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wordgrad import maths
from wordgrad.proofs import algebra
from wordgrad.proofs.algebra import Point
from wordgrad.proofs.claim import Claim
from wordgrad.proofs.gradient_claim import gradient_claim, random_point

WEIGHTS = np.array([1.0, -2.0, 0.5])
LABELS = np.array([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]])


def sigmoid_claims() -> list[Claim]:
    """The derivatives of the sigmoid and of its logarithm."""

    def value(x: Point) -> tuple[float, Point]:
        s = maths.sigmoid(x["x"])
        return float(s.sum()), {"x": np.asarray(maths.sigmoid_grad(s))}

    def logarithm(x: Point) -> tuple[float, Point]:
        return float(maths.log_sigmoid(x["x"]).sum()), {"x": np.asarray(maths.sigmoid(-x["x"]))}

    return [
        gradient_claim(
            "σ'(x) = s (1 - s)",
            "sigmoid.md#derivative",
            random_point(0, x=(5,)),
            value,
            lambda x: sum(map(algebra.sigmoid, x["x"])),
        ),
        gradient_claim(
            "(log σ)'(x) = σ(-x)",
            "sigmoid.md#logarithm",
            random_point(1, x=(5,)),
            logarithm,
            lambda x: sum(algebra.log(algebra.sigmoid(entry)) for entry in x["x"]),
        ),
    ]


def softmax_claims() -> list[Claim]:
    """Softmax's invariance and Jacobian, and the gradient of cross-entropy through it."""

    def shifted(x: Point) -> tuple[float, Point]:
        return float(WEIGHTS @ maths.softmax(WEIGHTS + x["a"])), {"a": np.zeros(())}

    def shifted_on_paper(x: Mapping[str, Any]) -> Any:
        return WEIGHTS @ np.array(algebra.softmax(algebra.exact(WEIGHTS) + x["a"].item()))

    def jacobian(x: Point) -> tuple[float, Point]:
        S = maths.softmax(x["x"])
        return float(WEIGHTS @ S), {"x": (np.diag(S) - np.outer(S, S)) @ WEIGHTS}

    def cross_entropy(x: Point) -> tuple[float, Point]:
        loss, d_logits = maths.cross_entropy(x["x"], LABELS, reduction="mean")
        return loss, {"x": np.asarray(d_logits)}

    return [
        gradient_claim(
            "softmax(x + a) = softmax(x)",
            "softmax.md#invariance",
            random_point(2, a=()),
            shifted,
            shifted_on_paper,
        ),
        gradient_claim(
            "∂S_i/∂x_j = S_i ([i = j] - S_j)",
            "softmax.md#jacobian",
            random_point(3, x=(3,)),
            jacobian,
            lambda x: WEIGHTS @ np.array(algebra.softmax(x["x"])),
        ),
        gradient_claim(
            "cross-entropy: ∂J/∂x = (ŷ - y) / B",
            "cross-entropy.md#gradient",
            random_point(4, x=(3, 2)),
            cross_entropy,
            lambda x: algebra.cross_entropy(x["x"], LABELS) / len(LABELS),
        ),
    ]
