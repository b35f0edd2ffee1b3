"""Claims about pairs of words, windows and a whole corpus.

Windows repeat words, hold the centre word among the outside words, and draw a negative twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from wordgrad import maths
from wordgrad.proofs import algebra
from wordgrad.proofs.algebra import Point
from wordgrad.proofs.claim import Claim
from wordgrad.proofs.gradient_claim import gradient_claim, random_point
from wordgrad.proofs.machine import kernel_error
from wordgrad.proofs.softmax_machine import softmax_error

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
