"""Every formula, its oracle, the point at which it is checked, and the kernel that computes it.

Windows repeat words, hold the centre word among the outside words, and draw a negative twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgrad import maths
from wordgrad.gradient_checks.kernels import (
    kernel_error,
    mixing_matrix,
    softmax_error,
    text_kernel_error,
)

Point = dict[str, npt.NDArray[np.float64]]
Oracle = Callable[[Point], tuple[float, Point]]
Checker = Callable[[], float]

BOUNDS = {"differences": 1e-6, "kernels": 4e-6}
"""The largest error that passes: rounding of differences, and rounding in float32."""


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """One formula, where it is derived, and what it is compared with.

    Attributes
    ----------
    formula : str
    document : str
        A page of ``docs/`` with its section: ``derivations/softmax.md#jacobian``.
    differences, kernels : callable or None
        Each returns its largest error, to be compared with :data:`BOUNDS`; None where there is
        nothing to compare with: no kernel computes a softmax by itself, for example.
    oracle : callable or None
        ``oracle(point) -> (loss, gradient)`` through ``wordgrad.maths``.
    point : dict of float64 arrays or None
        Where ``differences`` are taken.
    """

    formula: str
    document: str
    differences: Checker | None = None
    kernels: Checker | None = None
    oracle: Oracle | None = None
    point: Point | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Errors of a check by checker, "differences" and "kernels"; those it lacks are left out."""

    check: GradientCheck
    errors: dict[str, float]

    def agrees(self, checker: str) -> bool:
        """Whether the error is within :data:`BOUNDS`; NaN is not."""
        return self.errors[checker] <= BOUNDS[checker]

    @property
    def passed(self) -> bool:
        """Whether there is an error at all, and all are within :data:`BOUNDS`."""
        return bool(self.errors) and all(map(self.agrees, self.errors))


def run_check(check: GradientCheck) -> Result:
    """Compare a formula with all that it can be compared with."""
    checkers = {"differences": check.differences, "kernels": check.kernels}
    return Result(check, {name: run() for name, run in checkers.items() if run is not None})


def gradient_check(
    formula: str, document: str, point: Point, oracle: Oracle, kernels: Checker | None = None
) -> GradientCheck:
    """Check of an oracle near ``point``; ``document`` is a page of the derivations."""

    def differences() -> float:
        return maths.check_gradients(oracle, point).largest_error

    return GradientCheck(
        formula, f"derivations/{document}", differences, kernels, oracle=oracle, point=point
    )


def random_point(seed: int, **shapes: tuple[int, ...]) -> Point:
    """Normal random arrays: at 0 many gradients vanish, and a check there is empty."""
    rng = np.random.default_rng(seed)
    return {name: np.asarray(rng.normal(size=shape)) for name, shape in shapes.items()}


WEIGHTS = np.array([1.0, -2.0, 0.5])
LABELS = np.array([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]])


def sigmoid_checks() -> list[GradientCheck]:
    """The derivatives of the sigmoid and of its logarithm."""

    def value(x: Point) -> tuple[float, Point]:
        s = maths.sigmoid(x["x"])
        return float(s.sum()), {"x": np.asarray(maths.sigmoid_grad(s))}

    def logarithm(x: Point) -> tuple[float, Point]:
        return float(maths.log_sigmoid(x["x"]).sum()), {"x": np.asarray(maths.sigmoid(-x["x"]))}

    return [
        gradient_check(
            "σ'(x) = s (1 - s)",
            "sigmoid.md#derivative",
            random_point(0, x=(5,)),
            value,
        ),
        gradient_check(
            "(log σ)'(x) = σ(-x)",
            "sigmoid.md#logarithm",
            random_point(1, x=(5,)),
            logarithm,
        ),
    ]


def softmax_checks() -> list[GradientCheck]:
    """Softmax's invariance and Jacobian, and the gradient of cross-entropy through it."""

    def shifted(x: Point) -> tuple[float, Point]:
        return float(WEIGHTS @ maths.softmax(WEIGHTS + x["a"])), {"a": np.zeros(())}

    def jacobian(x: Point) -> tuple[float, Point]:
        S = maths.softmax(x["x"])
        return float(WEIGHTS @ S), {"x": (np.diag(S) - np.outer(S, S)) @ WEIGHTS}

    def cross_entropy(x: Point) -> tuple[float, Point]:
        loss, d_logits = maths.cross_entropy(x["x"], LABELS, reduction="mean")
        return loss, {"x": np.asarray(d_logits)}

    return [
        gradient_check(
            "softmax(x + a) = softmax(x)",
            "softmax.md#invariance",
            random_point(2, a=()),
            shifted,
        ),
        gradient_check(
            "∂S_i/∂x_j = S_i ([i = j] - S_j)",
            "softmax.md#jacobian",
            random_point(3, x=(3,)),
            jacobian,
        ),
        gradient_check(
            "cross-entropy: ∂J/∂x = (ŷ - y) / B",
            "cross-entropy.md#gradient",
            random_point(4, x=(3, 2)),
            cross_entropy,
        ),
    ]


NETWORK_POINT = random_point(5, X=(3, 2), W1=(2, 3), b1=(3,), W2=(3, 2), b2=(2,))


def network_checks() -> list[GradientCheck]:
    """Every gradient of the network, and the number of its parameters."""
    network = maths.OneHiddenLayer(2, 3, 2)

    def oracle(names: tuple[str, ...], x: Point) -> tuple[float, Point]:
        full = {**NETWORK_POINT, **x}
        flat = np.concatenate([full[name].ravel() for name in ("W1", "b1", "W2", "b2")])
        gradients = network.unpack(flat).loss_and_gradients(full["X"], LABELS, "sum")
        return gradients.loss, {name: getattr(gradients, f"d_{name}") for name in names}

    checks = [
        gradient_check(
            f"network: {formula}",
            f"one-hidden-layer.md#{section}",
            {name: NETWORK_POINT[name] for name in names},
            partial(oracle, names),
        )
        for formula, section, names in (
            ("∂J/∂W₂ = hᵀ δ₂, ∂J/∂b₂ = Σ δ₂", "output-layer", ("W2", "b2")),
            ("∂J/∂W₁ = Xᵀ δ₁, ∂J/∂b₁ = Σ δ₁", "hidden-layer", ("W1", "b1")),
            ("∂J/∂X = δ₁ W₁ᵀ", "inputs", ("X",)),
        )
    ]
    count = GradientCheck(
        "network: (Dx + 1) H + (H + 1) Dy parameters",
        "derivations/one-hidden-layer.md#how-many-parameters",
        differences=_count_error,
    )
    return [*checks, count]


def _count_error() -> float:
    sizes = [(Dx, H, Dy) for Dx in (1, 2, 7) for H in (1, 5) for Dy in (1, 3)]
    networks = [maths.OneHiddenLayer(*size) for size in sizes]
    return float(max(abs(network.n_parameters - network.pack().size) for network in networks))


V, D = 4, 2
CENTER, OUTSIDE = 1, (0, 2, 0, 1)
PAIR_NEGATIVES = ((2, 3), (0, 0), (1, 3), (2, 2))  # for each outside word of skip-gram
NEGATIVES = (3, 0, 3)  # for the centre word of CBOW
CORPUS = (0, 1, 0, 1, 2, 3, 3)
PAIRS = [pair for one, other in pairwise(CORPUS) for pair in ((one, other), (other, one))]
OFFSET = np.log(np.array([0.5, 0.25, 0.1, 0.15]))
SAMPLED: dict[str, Any] = {"loss": "negative-sampling"}


def pair_checks() -> list[GradientCheck]:
    """The two losses of a pair of words."""
    point = random_point(6, v_c=(D,), W_out=(V, D))

    def softmax_loss(x: Point) -> tuple[float, Point]:
        loss, d_v_c, d_W_out = maths.softmax_loss(x["v_c"], CENTER, x["W_out"])
        return loss, {"v_c": np.asarray(d_v_c), "W_out": np.asarray(d_W_out)}

    def sampling_loss(x: Point) -> tuple[float, Point]:
        loss, d_v_c, d_W_out = maths.negative_sampling_loss(x["v_c"], CENTER, NEGATIVES, x["W_out"])
        return loss, {"v_c": np.asarray(d_v_c), "W_out": np.asarray(d_W_out)}

    return [
        gradient_check(
            "softmax loss: v_c, u_o, u_w",
            "softmax-loss.md#gradients-of-the-output-vectors",
            point,
            softmax_loss,
        ),
        gradient_check(
            "negative sampling: v_c, u_o, u_k",
            "negative-sampling.md#gradients-of-the-output-vectors",
            point,
            sampling_loss,
        ),
    ]


def skipgram_checks() -> list[GradientCheck]:
    """Skip-gram with both losses, and its count form."""
    point = random_point(7, W_in=(V, D), W_out=(V, D))
    return [
        gradient_check(
            "skip-gram, softmax",
            "skip-gram.md#softmax-one-window-is-one-product",
            point,
            _skipgram,
            kernels=partial(softmax_error, "skipgram"),
        ),
        gradient_check(
            "skip-gram, softmax with log p(w) added",
            "softmax-offset.md#one-more-coordinate",
            point,
            _skipgram_with_offset,
            kernels=partial(softmax_error, "skipgram", "unigram"),
        ),
        gradient_check(
            "skip-gram, negative sampling",
            "skip-gram.md#skip-gram",
            point,
            partial(_skipgram, negatives=PAIR_NEGATIVES, **SAMPLED),
            kernels=partial(kernel_error, "skipgram"),
        ),
        gradient_check(
            "skip-gram, softmax of a corpus by counts",
            "skip-gram.md#count-form-of-a-whole-corpus",
            point,
            _corpus,
            kernels=partial(softmax_error, "skipgram"),
        ),
    ]


def cbow_checks() -> list[GradientCheck]:
    """CBOW with both losses, by the mean and by the sum."""
    point = random_point(8, W_in=(V, D), W_out=(V, D))
    checks = []
    for combine in ("mean", "sum"):
        section = "cbow.md#input-vectors"
        checks += [
            gradient_check(
                f"CBOW ({combine}), softmax",
                section,
                point,
                partial(_cbow, combine=combine),
                kernels=partial(softmax_error, "cbow", "none", combine),
            ),
            gradient_check(
                f"CBOW ({combine}), softmax with log p(w) added",
                "softmax-offset.md#one-more-coordinate",
                point,
                partial(_cbow_with_offset, combine=combine),
                kernels=partial(softmax_error, "cbow", "unigram", combine),
            ),
            gradient_check(
                f"CBOW ({combine}), negative sampling",
                section,
                point,
                partial(_cbow, combine=combine, negatives=NEGATIVES, **SAMPLED),
                kernels=partial(kernel_error, "cbow", combine),
            ),
        ]
    return checks


def _skipgram(x: Point, **options: Any) -> tuple[float, Point]:
    return _gradients(maths.skipgram(CENTER, OUTSIDE, x["W_in"], x["W_out"], **options))


def _cbow(x: Point, **options: Any) -> tuple[float, Point]:
    return _gradients(maths.cbow(CENTER, OUTSIDE, x["W_in"], x["W_out"], **options))


def _skipgram_with_offset(x: Point) -> tuple[float, Point]:
    return _without_last(maths.skipgram(CENTER, OUTSIDE, *_with_offset(x, 1.0)))


def _cbow_with_offset(x: Point, combine: str) -> tuple[float, Point]:
    share = 1.0 if combine == "mean" else 1 / len(OUTSIDE)
    return _without_last(maths.cbow(CENTER, OUTSIDE, *_with_offset(x, share), combine=combine))


def _with_offset(x: Point, share: float) -> tuple[Any, Any]:
    """``W_in`` and ``W_out`` with one more coordinate, whose product is the offset."""
    return (
        np.column_stack([x["W_in"], np.full(V, share)]),
        np.column_stack([x["W_out"], OFFSET]),
    )


def _without_last(window: maths.WindowGradients) -> tuple[float, Point]:
    return window.loss, {
        "W_in": np.asarray(window.d_W_in, np.float64)[:, :-1],
        "W_out": np.asarray(window.d_W_out, np.float64)[:, :-1],
    }


def _corpus(x: Point) -> tuple[float, Point]:
    windows = [maths.skipgram(c, [o], x["W_in"], x["W_out"]) for c, o in PAIRS]
    return sum(window.loss for window in windows), {
        "W_in": np.sum([window.d_W_in for window in windows], axis=0),
        "W_out": np.sum([window.d_W_out for window in windows], axis=0),
    }


def _gradients(window: maths.WindowGradients) -> tuple[float, Point]:
    return window.loss, {"W_in": np.asarray(window.d_W_in), "W_out": np.asarray(window.d_W_out)}


TEXT_NETWORK = maths.OneHiddenLayer(2, 3, 2, seed=4)
COUNTS = np.array([[1.0, 2, 0, 0], [0, 1, 1, 1], [0, 0, 0, 1]])
TEXT_WEIGHTS = np.array([3.0, 0.5, 1.0, 2.0])


def text_checks() -> list[GradientCheck]:
    """The gradient that flows through x into the vectors."""
    mixing = mixing_matrix(COUNTS, TEXT_WEIGHTS)

    def oracle(x: Point) -> tuple[float, Point]:
        gradients = TEXT_NETWORK.loss_and_gradients(mixing @ x["V"], LABELS, "sum")
        return gradients.loss, {"V": mixing.T @ gradients.d_X}

    return [
        gradient_check(
            "text: ∂J/∂V = Aᵀ ∂J/∂X",
            "one-hidden-layer.md#vectors-of-the-words",
            random_point(6, V=(4, 2)),
            oracle,
            kernels=text_kernel_error,
        )
    ]


def all_checks() -> list[GradientCheck]:
    """Every formula once."""
    return [
        *sigmoid_checks(),
        *softmax_checks(),
        *network_checks(),
        *text_checks(),
        *pair_checks(),
        *skipgram_checks(),
        *cbow_checks(),
    ]
