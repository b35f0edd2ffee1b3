"""SymPy's witness: the exact derivative of a loss, evaluated in 40 digits.

The losses below are written as in the papers, from exponentials and logarithms alone, and share
nothing with ``wordgrad.maths``.  This is the only module that imports SymPy, which the ``test``
extra installs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Point = dict[str, npt.NDArray[np.float64]]
Oracle = Callable[[Point], tuple[float, Point]]
Symbolic = Callable[[Mapping[str, Any]], Any]

DIGITS = 40


def derivative_error(symbolic: Symbolic, oracle: Oracle, point: Point) -> float:
    """Largest difference between the oracle and the exact loss and derivative at ``point``.

    Relative to the largest exact value, or absolute where that is below 1.
    """
    import mpmath
    import sympy

    symbols = {name: _symbols(name, array.shape) for name, array in point.items()}
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


def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    import sympy

    return 1 / (1 + sympy.exp(-x))


def log(x: Any) -> Any:
    """Natural logarithm."""
    import sympy

    return sympy.log(x)


def softmax(scores: Sequence[Any]) -> list[Any]:
    """Exponentials over their sum."""
    import sympy

    powers = [sympy.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def softmax_pair(v: Any, o: int, W_out: Any) -> Any:
    """-log y_hat_o."""
    return -log(softmax(W_out @ v)[o])


def sampled_pair(v: Any, o: int, negatives: Sequence[int], W_out: Any) -> Any:
    """-log sigma(u_o.v) - sum_k log sigma(-u_k.v)."""
    terms = [log(sigmoid(W_out[o] @ v)), *(log(sigmoid(-(W_out[k] @ v))) for k in negatives)]
    return -sum(terms)


def log_sum_exp(scores: Sequence[Any]) -> Any:
    """Logarithm of the sum of e^score_w."""
    import sympy

    return log(sum(sympy.exp(score) for score in scores))


def cross_entropy(scores: Any, labels: npt.NDArray[np.float64]) -> Any:
    """-sum y log y_hat, summed over rows."""
    return -sum(
        y * log(y_hat)
        for truth, row in zip(labels.tolist(), scores, strict=True)
        for y, y_hat in zip(truth, softmax(row), strict=True)
        if y
    )


def network_loss(x: Mapping[str, Any], labels: npt.NDArray[np.float64]) -> Any:
    """Cross-entropy of a one-hidden-layer network, summed over the batch."""
    hidden = np.vectorize(sigmoid, otypes=[object])(x["X"] @ x["W1"] + x["b1"])
    return cross_entropy(hidden @ x["W2"] + x["b2"], labels)


def exact(array: npt.NDArray[np.float64]) -> Any:
    """Floats as the fractions that they are, so that SymPy keeps them exact."""
    import sympy

    return np.vectorize(sympy.Rational, otypes=[object])(array)


def _symbols(name: str, shape: tuple[int, ...]) -> Any:
    import sympy

    array = np.empty(shape, dtype=object)
    for number, index in enumerate(np.ndindex(shape)):
        array[index] = sympy.Symbol(f"{name}_{number}", real=True)
    return array
