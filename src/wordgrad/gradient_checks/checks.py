"""Claims about sigmoid, softmax and cross-entropy.

Claims about the network of one hidden layer.

Claims about pairs of words, windows and a whole corpus.

Windows repeat words, hold the centre word among the outside words, and draw a negative twice.

Claims about the vectors of words under the network: what a text classifier learns.

The list of claims, in the order of the derivations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgrad import maths
from wordgrad.classification.examples import LabelledBags
from wordgrad.classification.features import Bags
from wordgrad.classification.model import TextNetwork
from wordgrad.classification.trainer import Member, TextTraining
from wordgrad.gradient_checks import algebra
from wordgrad.gradient_checks.algebra import Point
from wordgrad.gradient_checks.check import Claim, gradient_claim, random_point
from wordgrad.gradient_checks.kernels import kernel_error, softmax_error

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


def network_claims() -> list[Claim]:
    """Every gradient of the network, and the number of its parameters."""
    network = maths.OneHiddenLayer(2, 3, 2)
    whole = random_point(5, X=(3, 2), W1=(2, 3), b1=(3,), W2=(3, 2), b2=(2,))

    def oracle(names: tuple[str, ...], x: Point) -> tuple[float, Point]:
        full = {**whole, **x}
        flat = np.concatenate([full[name].ravel() for name in ("W1", "b1", "W2", "b2")])
        gradients = network.unpack(flat).loss_and_gradients(full["X"], LABELS, "sum")
        return gradients.loss, {name: getattr(gradients, f"d_{name}") for name in names}

    def symbolic(x: Mapping[str, Any]) -> Any:
        full = {name: algebra.exact(array) for name, array in whole.items()} | dict(x)
        return algebra.network_loss(full, LABELS)

    claims = [
        gradient_claim(
            f"network: {formula}",
            f"one-hidden-layer.md#{section}",
            {name: whole[name] for name in names},
            partial(oracle, names),
            symbolic,
        )
        for formula, section, names in (
            ("∂J/∂W₂ = hᵀ δ₂, ∂J/∂b₂ = Σ δ₂", "output-layer", ("W2", "b2")),
            ("∂J/∂W₁ = Xᵀ δ₁, ∂J/∂b₁ = Σ δ₁", "hidden-layer", ("W1", "b1")),
            ("∂J/∂X = δ₁ W₁ᵀ", "inputs", ("X",)),
        )
    ]
    count = Claim(
        "network: (Dx + 1) H + (H + 1) Dy parameters",
        "derivations/one-hidden-layer.md#how-many-parameters",
        numbers=_count_error,
    )
    return [*claims, count]


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


def pair_claims() -> list[Claim]:
    """The two losses of a pair of words."""
    point = random_point(6, v_c=(D,), W_out=(V, D))

    def softmax_loss(x: Point) -> tuple[float, Point]:
        loss, d_v_c, d_W_out = maths.softmax_loss(x["v_c"], CENTER, x["W_out"])
        return loss, {"v_c": np.asarray(d_v_c), "W_out": np.asarray(d_W_out)}

    def sampling_loss(x: Point) -> tuple[float, Point]:
        loss, d_v_c, d_W_out = maths.negative_sampling_loss(x["v_c"], CENTER, NEGATIVES, x["W_out"])
        return loss, {"v_c": np.asarray(d_v_c), "W_out": np.asarray(d_W_out)}

    return [
        gradient_claim(
            "softmax loss: v_c, u_o, u_w",
            "softmax-loss.md#gradients-of-the-output-vectors",
            point,
            softmax_loss,
            lambda x: algebra.softmax_pair(x["v_c"], CENTER, x["W_out"]),
        ),
        gradient_claim(
            "negative sampling: v_c, u_o, u_k",
            "negative-sampling.md#gradients-of-the-output-vectors",
            point,
            sampling_loss,
            lambda x: algebra.sampled_pair(x["v_c"], CENTER, NEGATIVES, x["W_out"]),
        ),
    ]


def skipgram_claims() -> list[Claim]:
    """Skip-gram with both losses, and its count form."""
    point = random_point(7, W_in=(V, D), W_out=(V, D))
    return [
        gradient_claim(
            "skip-gram, softmax",
            "skip-gram.md#softmax-one-window-is-one-product",
            point,
            _skipgram,
            lambda x: sum(algebra.softmax_pair(x["W_in"][CENTER], o, x["W_out"]) for o in OUTSIDE),
            machine=partial(softmax_error, "skipgram"),
        ),
        _offset_claim(point),
        gradient_claim(
            "skip-gram, negative sampling",
            "skip-gram.md#skip-gram",
            point,
            partial(_skipgram, negatives=PAIR_NEGATIVES, **SAMPLED),
            lambda x: sum(
                algebra.sampled_pair(x["W_in"][CENTER], o, drawn, x["W_out"])
                for o, drawn in zip(OUTSIDE, PAIR_NEGATIVES, strict=True)
            ),
            machine=partial(kernel_error, "skipgram"),
        ),
        gradient_claim(
            "skip-gram, softmax of a corpus by counts",
            "skip-gram.md#count-form-of-a-whole-corpus",
            point,
            _corpus,
            _count_form,
            machine=partial(softmax_error, "skipgram"),
        ),
    ]


def _offset_claim(point: Point) -> Claim:
    return gradient_claim(
        "skip-gram, softmax with log p(w) added",
        "softmax-offset.md#one-more-coordinate",
        point,
        _skipgram_with_offset,
        lambda x: sum(
            -algebra.log(algebra.softmax(x["W_out"] @ x["W_in"][CENTER] + _exact_offset())[o])
            for o in OUTSIDE
        ),
        machine=partial(softmax_error, "skipgram", "unigram"),
    )


def cbow_claims() -> list[Claim]:
    """CBOW with both losses, by the mean and by the sum."""
    point = random_point(8, W_in=(V, D), W_out=(V, D))
    claims = []
    for combine in ("mean", "sum"):
        section = "cbow.md#input-vectors"
        claims += [
            gradient_claim(
                f"CBOW ({combine}), softmax",
                section,
                point,
                partial(_cbow, combine=combine),
                partial(_cbow_on_paper, combine=combine, sampled=False),
                machine=partial(softmax_error, "cbow", "none", combine),
            ),
            gradient_claim(
                f"CBOW ({combine}), softmax with log p(w) added",
                "softmax-offset.md#one-more-coordinate",
                point,
                partial(_cbow_with_offset, combine=combine),
                partial(_cbow_on_paper, combine=combine, sampled=False, offset=True),
                machine=partial(softmax_error, "cbow", "unigram", combine),
            ),
            gradient_claim(
                f"CBOW ({combine}), negative sampling",
                section,
                point,
                partial(_cbow, combine=combine, negatives=NEGATIVES, **SAMPLED),
                partial(_cbow_on_paper, combine=combine, sampled=True),
                machine=partial(kernel_error, "cbow", combine),
            ),
        ]
    return claims


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


def _exact_offset() -> Any:
    return algebra.exact(OFFSET)


def _corpus(x: Point) -> tuple[float, Point]:
    windows = [maths.skipgram(c, [o], x["W_in"], x["W_out"]) for c, o in PAIRS]
    return sum(window.loss for window in windows), {
        "W_in": np.sum([window.d_W_in for window in windows], axis=0),
        "W_out": np.sum([window.d_W_out for window in windows], axis=0),
    }


def _gradients(window: maths.WindowGradients) -> tuple[float, Point]:
    return window.loss, {"W_in": np.asarray(window.d_W_in), "W_out": np.asarray(window.d_W_out)}


def _cbow_on_paper(x: Mapping[str, Any], combine: str, sampled: bool, offset: bool = False) -> Any:
    v_hat = sum(x["W_in"][o] for o in OUTSIDE)
    if combine == "mean":
        v_hat = v_hat / len(OUTSIDE)
    if sampled:
        return algebra.sampled_pair(v_hat, CENTER, NEGATIVES, x["W_out"])
    if offset:
        return -algebra.log(algebra.softmax(x["W_out"] @ v_hat + _exact_offset())[CENTER])
    return algebra.softmax_pair(v_hat, CENTER, x["W_out"])


def _count_form(x: Mapping[str, Any]) -> Any:
    """Sum over c of n_c log sum_w exp(u_w.v_c) - sum_o n_co u_o.v_c."""
    counts = Counter(PAIRS)
    total = 0
    for c in range(V):
        scores = x["W_out"] @ x["W_in"][c]
        n_c = sum(counts[c, o] for o in range(V))
        total += n_c * algebra.log_sum_exp(scores)
        total -= sum(counts[c, o] * scores[o] for o in range(V))
    return total


RATE = 0.5
STEPS = 40
COUNTS = np.array([[1.0, 2, 0, 0], [0, 1, 1, 1], [0, 0, 0, 1]])
TEXT_WEIGHTS = np.array([3.0, 0.5, 1.0, 2.0])


def text_claims() -> list[Claim]:
    """The gradient that flows through x into the vectors."""
    network = maths.OneHiddenLayer(2, 3, 2, seed=4)
    mixing = _mixing(COUNTS, TEXT_WEIGHTS)
    fixed = {"W1": network.W1, "b1": network.b1, "W2": network.W2, "b2": network.b2}

    def oracle(x: Point) -> tuple[float, Point]:
        gradients = network.loss_and_gradients(mixing @ x["V"], LABELS, "sum")
        return gradients.loss, {"V": mixing.T @ gradients.d_X}

    def symbolic(x: Mapping[str, Any]) -> Any:
        full = {name: algebra.exact(array) for name, array in fixed.items()}
        return algebra.network_loss({**full, "X": algebra.exact(mixing) @ x["V"]}, LABELS)

    return [
        gradient_claim(
            "text: ∂J/∂V = Aᵀ ∂J/∂X",
            "one-hidden-layer.md#vectors-of-the-words",
            random_point(6, V=(4, 2)),
            oracle,
            symbolic,
            machine=text_kernel_error,
        )
    ]


def text_kernel_error() -> float:
    """Largest error of the compiled step of the vectors, and of its loss, over random batches.

    Adagrad's first step is the gradient over the root of its mean square, row by row; so is the
    expected one, from the oracle in float64.
    """
    rng = np.random.default_rng(3)
    return max(_step_error(rng) for _ in range(STEPS))


def _step_error(rng: np.random.Generator) -> float:
    size, hidden, classes, n_rows = (int(n) for n in rng.integers(2, 12, 4))
    lengths = rng.integers(0, 9, 6)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    features = rng.integers(0, n_rows, offsets[-1]).astype(np.int32)
    weights = rng.uniform(0.1, 3, n_rows).astype(np.float32)
    labels = rng.integers(0, classes, len(lengths)).astype(np.int64)
    bags = Bags(features, offsets, len(features), 0)
    network = TextNetwork.initial(weights, size, hidden, classes, seed=1)
    network.vectors[:] = rng.normal(size=network.vectors.shape)
    before, layers = network.vectors.astype(np.float64), network.exact_layers()
    examples = LabelledBags.of(bags, labels, np.ones(len(labels)))
    loss = Member(network, _settings(size, hidden), examples).apply(np.arange(len(labels)))
    texts = np.repeat(np.arange(len(lengths)), lengths)
    counts = np.zeros((len(lengths), n_rows))
    np.add.at(counts, (texts, features), 1)
    mixing = _mixing(counts, weights.astype(np.float64))
    exact = layers.loss_and_gradients(mixing @ before, labels)
    slopes = mixing.T @ exact.d_X
    sizes = np.sqrt((slopes**2).mean(axis=1, keepdims=True))
    steps = RATE * np.divide(slopes, sizes, out=np.zeros_like(slopes), where=sizes > 0)
    error = np.abs(network.vectors - (before - steps)).max() / np.abs(before).max()
    return max(float(error), abs(loss - exact.loss) / max(1.0, exact.loss))


def _mixing(
    counts: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """A: row n mixes the vectors to x_n; a row of zeros for an empty text."""
    weighted = counts * weights
    sums = weighted.sum(axis=1, keepdims=True)
    mixing: npt.NDArray[np.float64] = weighted / np.sqrt(np.where(sums > 0, sums, 1))
    return mixing


def _settings(size: int, hidden: int) -> TextTraining:
    return TextTraining(
        vector_size=size,
        hidden_size=hidden,
        members=1,
        epochs=1,
        batch_size=100,
        learning_rate=RATE,
        l2=0.0,
        dropout=0.0,
        smoothing=0.0,
        train_vectors=True,
        early_stopping=False,
        validation_fraction=0.1,
        patience=1,
        seed=1,
    )


def all_claims() -> list[Claim]:
    """Every formula once."""
    return [
        *sigmoid_claims(),
        *softmax_claims(),
        *network_claims(),
        *text_claims(),
        *pair_claims(),
        *skipgram_claims(),
        *cbow_claims(),
    ]
