"""Softmax, sigmoid and their logarithms: exact, shift-invariant, finite for every finite input.

Derived in ``docs/derivations/softmax.md`` and ``docs/derivations/sigmoid.md``.  Each function takes
scalars, vectors, matrices and batches of them.  float32 stays float32; everything else is computed
in float64.  None changes its argument.

Why the errors raised by overflow are silenced below: a difference of two finite floats can pass the
largest float (1e308 - -1e308), and its exponential is then 0 whether the difference was rounded to
minus infinity or not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wordgrad.errors import ParameterError, check_int
from wordgrad.maths.validation import FloatArray, as_floats, refuse_where


def softmax(x: npt.ArrayLike, axis: int = -1) -> FloatArray:
    r"""Softmax along ``axis``: positive numbers that sum to 1.

    .. math:: S_i = \frac{e^{x_i}}{\sum_j e^{x_j}}
                  = \frac{e^{x_i - \max x}}{\sum_j e^{x_j - \max x}}

    Parameters
    ----------
    x : array of real numbers, at least one dimension
        Logits. ``-inf`` masks its entry: it gets probability 0 and no share of the sum.
    axis : int
        The axis that sums to 1.

    Returns
    -------
    array, shape of ``x``, float32 for float32 and float64 otherwise

    Raises
    ------
    ParameterError
        If ``x`` holds NaN or ``+inf``, a slice is empty or ``-inf`` throughout, or ``axis`` is not
        an axis of ``x``.

    Notes
    -----
    Softmax does not change when a constant is added to every entry, so the largest is taken off
    first and no exponential overflows (Goodfellow, Bengio and Courville, *Deep Learning*, 2016,
    section 4.1).

    Examples
    --------
    >>> softmax([[1001, 1002], [3, 4]]).round(8)
    array([[0.26894142, 0.73105858],
           [0.26894142, 0.73105858]])
    >>> softmax([0.0, -np.inf, 0.0])
    array([0.5, 0. , 0.5])
    """
    logits, axis = _logits(x, axis)
    with np.errstate(over="ignore", under="ignore"):
        # One array of the size of x and no other: this is memory-bound, a temporary costs a third.
        result = logits - _maxima(logits, axis)
        np.exp(result, out=result)
        result /= result.sum(axis=axis, keepdims=True)
    return result


def log_softmax(x: npt.ArrayLike, axis: int = -1) -> FloatArray:
    r"""Logarithm of :func:`softmax`, without the logarithm of 0.

    .. math:: \log S_i = (x_i - \max x) - \log \sum_j e^{x_j - \max x}

    Parameters
    ----------
    x : array of real numbers, at least one dimension
        Logits. ``-inf`` masks its entry, whose logarithm is ``-inf``.
    axis : int
        The axis that sums to 1.

    Returns
    -------
    array, shape of ``x``, float32 for float32 and float64 otherwise
        Finite wherever ``x`` is: a value below the lowest float, which needs logits further apart
        than that, is the lowest float.

    Raises
    ------
    ParameterError
        As in :func:`softmax`.

    Notes
    -----
    The source is that of :func:`softmax`; the sum is the "log-sum-exp" (Blanchard, Higham and
    Higham, *Accurately computing the log-sum-exp and softmax functions*, 2021, equation 1.5).

    Examples
    --------
    >>> log_softmax([0.0, -1000.0])
    array([    0., -1000.])
    """
    logits, axis = _logits(x, axis)
    with np.errstate(over="ignore", under="ignore"):
        result = logits - _maxima(logits, axis)
        result[np.isneginf(result) & np.isfinite(logits)] = np.finfo(result.dtype).min
        result -= np.log(np.exp(result).sum(axis=axis, keepdims=True))
    return result


def sigmoid(x: npt.ArrayLike) -> FloatArray:
    r"""Logistic function, entry by entry.

    .. math:: \sigma(x) = \frac{1}{1 + e^{-x}} = \frac{e^{x}}{1 + e^{x}}

    Parameters
    ----------
    x : array of real numbers, any shape
        ``-inf`` and ``+inf`` give the limits 0 and 1.

    Returns
    -------
    array, shape of ``x``, float32 for float32 and float64 otherwise
        Numbers in [0, 1]. To the left of 0 the *relative* error is a few units of rounding, down to
        the smallest float; so ``sigmoid(-x)`` is the accurate way to ``1 - sigmoid(x)``.

    Raises
    ------
    ParameterError
        If ``x`` holds NaN.

    Notes
    -----
    The first form serves x >= 0, the second x < 0: neither raises e to a positive power.  No table
    and no cut at +-6, unlike word2vec.c (Mikolov et al., 2013).

    Examples
    --------
    >>> sigmoid([[1, 2], [-1, -2]]).round(8)
    array([[0.73105858, 0.88079708],
           [0.26894142, 0.11920292]])
    """
    values = _without_nan(x)
    with np.errstate(under="ignore"):
        power = np.exp(-np.abs(values))
        result: FloatArray = np.where(values >= 0, values.dtype.type(1), power) / (1 + power)
    return result


def sigmoid_grad(s: npt.ArrayLike) -> FloatArray:
    r"""Derivative of the sigmoid, from the sigmoid's *value*.

    .. math:: \sigma'(x) = s (1 - s), \qquad s = \sigma(x)

    Parameters
    ----------
    s : array of numbers in [0, 1], any shape
        Values of :func:`sigmoid`; not its arguments.

    Returns
    -------
    array, shape of ``s``, float32 for float32 and float64 otherwise

    Raises
    ------
    ParameterError
        If ``s`` holds NaN or a number outside [0, 1], as the arguments of the sigmoid mostly are.

    Notes
    -----
    Goodfellow, Bengio and Courville, *Deep Learning*, 2016, equation 3.36; derived in
    ``docs/derivations/sigmoid.md``.

    Examples
    --------
    >>> sigmoid_grad(sigmoid([[1, 2], [-1, -2]])).round(8)
    array([[0.19661193, 0.10499359],
           [0.19661193, 0.10499359]])
    """
    values = as_floats("s", s)
    refuse_where(
        ~((values >= 0) & (values <= 1)),
        values,
        "s must hold values of the sigmoid, in [0, 1] (take sigmoid(x) first)",
    )
    result: FloatArray = values * (1 - values)
    return result


def log_sigmoid(x: npt.ArrayLike) -> FloatArray:
    r"""Logarithm of :func:`sigmoid`, without the logarithm of 0.

    .. math:: \log \sigma(x) = \min(x, 0) - \log(1 + e^{-|x|})

    Parameters
    ----------
    x : array of real numbers, any shape
        ``-inf`` and ``+inf`` give the limits ``-inf`` and 0.

    Returns
    -------
    array, shape of ``x``, float32 for float32 and float64 otherwise
        Finite wherever ``x`` is.

    Raises
    ------
    ParameterError
        If ``x`` holds NaN.

    Notes
    -----
    Mächler, *Accurately computing log(1 - exp(-|a|))*, 2012, gives the bounds of ``log1p(exp(x))``.

    Examples
    --------
    >>> log_sigmoid([0.0, -1000.0, -1e308]).tolist()
    [-0.6931471805599453, -1000.0, -1e+308]
    """
    values = _without_nan(x)
    with np.errstate(under="ignore"):
        result: FloatArray = np.minimum(values, 0) - np.log1p(np.exp(-np.abs(values)))
    return result


def _logits(x: npt.ArrayLike, axis: int) -> tuple[FloatArray, int]:
    logits = as_floats("x", x)
    if logits.ndim == 0:
        raise ParameterError("x must have at least one dimension, got a scalar.")
    axis = check_int("axis", axis, minimum=-logits.ndim, maximum=logits.ndim - 1)
    if logits.shape[axis] == 0:
        raise ParameterError(f"x must not be empty along axis {axis}, got shape {logits.shape}.")
    return logits, axis


def _maxima(logits: FloatArray, axis: int) -> FloatArray:
    """Maxima along ``axis``; finite ones prove that no entry is NaN or +inf, in a single pass."""
    maxima: FloatArray = logits.max(axis=axis, keepdims=True)
    refuse_where(
        ~np.isfinite(maxima),
        maxima,
        "x must be finite, or -inf as a mask, with one finite entry in every slice",
    )
    return maxima


def _without_nan(x: npt.ArrayLike) -> FloatArray:
    values = as_floats("x", x)
    refuse_where(np.isnan(values), values, "x must not hold NaN")
    return values
