"""The gradients of ``wordgrad.maths`` are the exact derivatives of the losses in the papers.

The losses below are written from exponentials and logarithms alone and share nothing with
``wordgrad.maths``.  SymPy takes their derivatives, and 40 digits evaluate them at the points of
``wordgrad check-gradients``.
"""

from collections import Counter

import mpmath
import numpy as np
import pytest
import sympy

from wordgrad import gradient_checks as points
from wordgrad import maths
from wordgrad.gradient_checks import (
    CENTER,
    NEGATIVES,
    OUTSIDE,
    PAIR_NEGATIVES,
    all_checks,
    mixing_matrix,
)

DIGITS = 40
BOUND = 1e-12  # rounding in float64


def derivative_error(symbolic, oracle, point):
    """Largest difference between the oracle and the exact loss and derivative at ``point``.

    Relative to the largest exact value, or absolute where that is below 1.
    """
    symbols = {name: symbols_of(name, array.shape) for name, array in point.items()}
    flat = [symbol for array in symbols.values() for symbol in np.ravel(array)]
    loss = symbolic(symbols)
    outputs = [loss, *(sympy.diff(loss, symbol) for symbol in flat)]
    evaluate = sympy.lambdify(flat, outputs, "mpmath", cse=True)
    with mpmath.workdps(DIGITS):
        values = [mpmath.mpf(float(x)) for array in point.values() for x in array.ravel()]
        exact = np.array([float(value) for value in evaluate(*values)])
    value, gradient = oracle(point)
    got = np.concatenate([[value], *(np.ravel(gradient[name]) for name in point)])
    return float(np.abs(got - exact).max() / max(1.0, np.abs(exact).max()))


def sigmoid(x):
    """1 / (1 + e^-x)."""
    return 1 / (1 + sympy.exp(-x))


def log(x):
    """Natural logarithm."""
    return sympy.log(x)


def softmax(scores):
    """Exponentials over their sum."""
    powers = [sympy.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def softmax_pair(v, o, W_out):
    """-log y_hat_o."""
    return -log(softmax(W_out @ v)[o])


def sampled_pair(v, o, negatives, W_out):
    """-log sigma(u_o.v) - sum_k log sigma(-u_k.v)."""
    terms = [log(sigmoid(W_out[o] @ v)), *(log(sigmoid(-(W_out[k] @ v))) for k in negatives)]
    return -sum(terms)


def log_sum_exp(scores):
    """Logarithm of the sum of e^score_w."""
    return log(sum(sympy.exp(score) for score in scores))


def cross_entropy(scores, labels):
    """-sum y log y_hat, summed over rows."""
    return -sum(
        y * log(y_hat)
        for truth, row in zip(labels.tolist(), scores, strict=True)
        for y, y_hat in zip(truth, softmax(row), strict=True)
        if y
    )


def network_loss(x, labels):
    """Cross-entropy of a one-hidden-layer network, summed over the batch."""
    hidden = np.vectorize(sigmoid, otypes=[object])(x["X"] @ x["W1"] + x["b1"])
    return cross_entropy(hidden @ x["W2"] + x["b2"], labels)


def exact(array):
    """Floats as the fractions that they are, so that SymPy keeps them exact."""
    return np.vectorize(sympy.Rational, otypes=[object])(array)


def symbols_of(name, shape):
    array = np.empty(shape, dtype=object)
    for number, index in enumerate(np.ndindex(shape)):
        array[index] = sympy.Symbol(f"{name}_{number}", real=True)
    return array


# ---------------------------------------------------------------- the losses on paper


def shifted(x):
    return points.WEIGHTS @ np.array(softmax(exact(points.WEIGHTS) + x["a"].item()))


def network(x):
    whole = {name: exact(array) for name, array in points.NETWORK_POINT.items()}
    return network_loss(whole | dict(x), points.LABELS)


def layer(x):
    return cross_entropy(x["X"] @ x["W2"] + x["b2"], points.LABELS)


def text(x):
    layers = {name: exact(getattr(points.TEXT_NETWORK, name)) for name in ("W1", "b1", "W2", "b2")}
    mixing = exact(mixing_matrix(points.COUNTS, points.TEXT_WEIGHTS))
    return network_loss({**layers, "X": mixing @ x["V"]}, points.LABELS)


def skipgram_with_offset(x):
    scores = x["W_out"] @ x["W_in"][CENTER] + exact(points.OFFSET)
    return sum(-log(softmax(scores)[o]) for o in OUTSIDE)


def skipgram_sampled(x):
    return sum(
        sampled_pair(x["W_in"][CENTER], o, drawn, x["W_out"])
        for o, drawn in zip(OUTSIDE, PAIR_NEGATIVES, strict=True)
    )


def count_form(x):
    """Sum over c of n_c log sum_w exp(u_w.v_c) - sum_o n_co u_o.v_c."""
    counts = Counter(points.PAIRS)
    total = 0
    for c in range(points.V):
        scores = x["W_out"] @ x["W_in"][c]
        n_c = sum(counts[c, o] for o in range(points.V))
        total += n_c * log_sum_exp(scores)
        total -= sum(counts[c, o] * scores[o] for o in range(points.V))
    return total


def cbow(combine, loss):
    def on_paper(x):
        v_hat = sum(x["W_in"][o] for o in OUTSIDE)
        if combine == "mean":
            v_hat = v_hat / len(OUTSIDE)
        if loss == "negative sampling":
            return sampled_pair(v_hat, CENTER, NEGATIVES, x["W_out"])
        if loss == "softmax":
            return softmax_pair(v_hat, CENTER, x["W_out"])
        return -log(softmax(x["W_out"] @ v_hat + exact(points.OFFSET))[CENTER])

    return on_paper


def path_pair(h, W_out):
    return -sum(
        log(sigmoid(sign * (W_out[node] @ h)))
        for node, sign in zip(points.PATH, points.TURNS, strict=True)
    )


def target(h, loss, W_out):
    if loss == "path in a tree":
        return path_pair(h, W_out)
    return sampled_pair(h, CENTER, NEGATIVES, W_out)


def bag_of_words(loss):
    tags = (points.V, points.V + 1)
    return lambda x: sum(target(x["W_in"][i], loss, x["W_out"]) for i in tags)


def memory(combine, loss):
    def on_paper(x):
        rows = [x["W_in"][i] for i in (points.V, *OUTSIDE)]
        if combine == "concat":
            h = np.concatenate(rows)
        else:
            h = sum(rows) / (len(rows) if combine == "mean" else 1)
        return target(h, loss, x["W_out"])

    return on_paper


def composed(window):
    def on_paper(x):
        vectors = [sum(x["W_in"][r] for r in rows) / len(rows) for rows in points.PARTS]
        return window({"W_in": vectors, "W_out": x["W_out"]})

    return on_paper


LOSSES = (
    {
        "σ'(x) = s (1 - s)": lambda x: sum(map(sigmoid, x["x"])),
        "(log σ)'(x) = σ(-x)": lambda x: sum(log(sigmoid(entry)) for entry in x["x"]),
        "softmax(x + a) = softmax(x)": shifted,
        "∂S_i/∂x_j = S_i ([i = j] - S_j)": lambda x: points.WEIGHTS @ np.array(softmax(x["x"])),
        "cross-entropy: ∂J/∂x = (ŷ - y) / B": lambda x: (
            cross_entropy(x["x"], points.LABELS) / len(points.LABELS)
        ),
        "one against all: ∂J/∂x = (σ(x) - y) / B": lambda x: (
            -sum(
                y * log(sigmoid(entry)) + (1 - y) * log(1 - sigmoid(entry))
                for entry, y in zip(np.ravel(x["x"]), np.ravel(points.MANY_LABELS), strict=True)
            )
            / len(points.MANY_LABELS)
        ),
        "temperature: dJ/dβ = mean(Σ ŷ z - z_y)": lambda x: (
            -sum(
                sympy.Rational(9 * (k == label), 10) * log(share) + log(share) / 30
                for row, label in zip(points.SCORES, (2, 0), strict=True)
                for k, share in enumerate(softmax(exact(row) * x["beta"].item()))
            )
            / 2
        ),
        "network: ∂J/∂W₂ = hᵀ δ₂, ∂J/∂b₂ = Σ δ₂": network,
        "network: ∂J/∂W₁ = Xᵀ δ₁, ∂J/∂b₁ = Σ δ₁": network,
        "network: ∂J/∂X = δ₁ W₁ᵀ": network,
        "softmax layer: ∂J/∂W₂ = Xᵀ δ₂, ∂J/∂b₂ = Σ δ₂, ∂J/∂X = δ₂ W₂ᵀ": layer,
        "text: ∂J/∂V = Aᵀ ∂J/∂X": text,
        "softmax loss: v_c, u_o, u_w": lambda x: softmax_pair(x["v_c"], CENTER, x["W_out"]),
        "negative sampling: v_c, u_o, u_k": lambda x: sampled_pair(
            x["v_c"], CENTER, NEGATIVES, x["W_out"]
        ),
        "path in a tree: h, u_n": lambda x: path_pair(x["h"], x["W_out"]),
        "skip-gram, softmax": lambda x: sum(
            softmax_pair(x["W_in"][CENTER], o, x["W_out"]) for o in OUTSIDE
        ),
        "skip-gram, softmax with log p(w) added": skipgram_with_offset,
        "skip-gram, negative sampling": skipgram_sampled,
        "skip-gram, softmax of a corpus by counts": count_form,
    }
    | {
        f"CBOW ({combine}), {loss}": cbow(combine, loss)
        for combine in ("mean", "sum")
        for loss in ("softmax", "softmax with log p(w) added", "negative sampling")
    }
    | {
        "subwords: skip-gram, negative sampling": composed(skipgram_sampled),
        "subwords: CBOW (mean), negative sampling": composed(cbow("mean", "negative sampling")),
    }
)
for what in ("negative sampling", "path in a tree"):
    LOSSES[f"PV-DBOW, {what}"] = bag_of_words(what)
    for one in ("mean", "sum", "concat"):
        LOSSES[f"PV-DM ({one}), {what}"] = memory(one, what)
CHECKS = {check.formula: check for check in all_checks() if check.oracle is not None}


def error_of(formula):
    check = CHECKS[formula]
    return derivative_error(LOSSES[formula], check.oracle, check.point)


def test_every_formula_but_the_count_of_parameters_has_its_loss_on_paper():
    assert set(LOSSES) == set(CHECKS)
    assert len(LOSSES) == 35
    assert [c.formula for c in all_checks() if c.oracle is None] == [
        "network: (Dx + 1) H + (H + 1) Dy parameters"
    ]


@pytest.mark.parametrize("formula", LOSSES)
def test_the_gradient_is_the_exact_derivative(formula):
    assert error_of(formula) <= BOUND


# ---------------------------------------------------------------- a wrong library fails


WRONG = {
    "sigmoid_grad": lambda s: s * (1 - s) * 1.0005,
    "sigmoid": lambda x: 0.9995 / (1 + np.exp(-x)),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum() * 1.0005,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_function_fails(monkeypatch, name):
    monkeypatch.setattr(f"wordgrad.maths.{name}", WRONG[name])
    assert any(not error_of(formula) <= BOUND for formula in list(LOSSES)[:5])


@pytest.mark.parametrize("factor", [1.0005, -1])
def test_a_wrong_pair_loss_fails(monkeypatch, factor):
    right = maths.negative_sampling_loss

    def wrong(*arguments):
        loss, d_v, d_W = right(*arguments)
        return loss, factor * d_v, d_W

    monkeypatch.setattr("wordgrad.maths.negative_sampling_loss", wrong)
    assert error_of("negative sampling: v_c, u_o, u_k") > BOUND


def test_loss_and_gradient_are_both_compared():
    point = {"x": np.array([0.3, -0.2])}  # the two sigmoids sum to more than 1
    s = maths.sigmoid(point["x"])
    size = s.sum()

    def error(loss, gradient):
        return derivative_error(
            lambda x: sigmoid(x["x"][0]) + sigmoid(x["x"][1]),
            lambda _: (loss, {"x": gradient}),
            point,
        )

    assert error(size, s * (1 - s)) < 1e-15
    assert error(size + 0.5, s * (1 - s)) == pytest.approx(0.5 / size)
    assert error(size, s * (1 - s) + [0, 0.25]) == pytest.approx(0.25 / size)
