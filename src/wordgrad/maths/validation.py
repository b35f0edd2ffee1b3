"""Arguments of the mathematics, checked once, at its public edge.

Every function returns the argument as an array of a known kind, or raises
:class:`~wordgrad.errors.ParameterError` (a ``ValueError``) that names the parameter, the rule, the
value got and, where it is not plain, the remedy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wordgrad.errors import ParameterError

FloatArray = npt.NDArray[np.floating[Any]]
IdArray = npt.NDArray[np.int64]
Shape = tuple[int | str, ...]


def as_floats(name: str, value: npt.ArrayLike, *, shape: Shape | None = None) -> FloatArray:
    """Real numbers as float32 (if they are) or float64 (all else), without a copy where possible.

    ``shape``, where given, is the rule: an ``int`` is an exact length, a ``str`` names a free one.

    >>> as_floats("W_out", [[1, 2], [3, 4]], shape=("V", "D")).dtype
    dtype('float64')
    >>> as_floats("W_out", [1, 2], shape=("V", "D"))
    Traceback (most recent call last):
        ...
    wordgrad.errors.ParameterError: W_out must have shape (V, D), got (2,).
    """
    array = _as_array(name, value)
    if array.dtype.kind not in "biuf":
        raise ParameterError(f"{name} must hold real numbers, got dtype {array.dtype}.")
    if shape is not None and not (
        array.ndim == len(shape)
        and all(
            isinstance(wanted, str) or length == wanted
            for length, wanted in zip(array.shape, shape, strict=True)
        )
    ):
        rule = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        raise ParameterError(f"{name} must have shape ({rule}), got {array.shape}.")
    return array if array.dtype == np.float32 else np.asarray(array, dtype=np.float64)


def as_finite(name: str, value: npt.ArrayLike, *, shape: Shape | None = None) -> FloatArray:
    """:func:`as_floats`, and every number finite.

    >>> as_finite("v_c", [0.5, float("nan")])
    Traceback (most recent call last):
        ...
    wordgrad.errors.ParameterError: v_c must be finite, got nan at index (1,).
    """
    array = as_floats(name, value, shape=shape)
    refuse_where(~np.isfinite(array), array, f"{name} must be finite")
    return array


def as_ids(name: str, value: npt.ArrayLike, size: int) -> IdArray:
    """Integers in ``0 .. size - 1`` (word ids, classes) as int64.

    >>> as_ids("outside", [3, 12], 10)
    Traceback (most recent call last):
        ...
    wordgrad.errors.ParameterError: outside must be integers in [0, 9], got 12 at index (1,).
    """
    array = _as_array(name, value)
    rule = f"{name} must be integers in [0, {size - 1}]"
    if array.size == 0:  # NumPy calls an empty list float64, so this comes before the dtype.
        raise ParameterError(f"{rule}, at least one, got shape {array.shape}.")
    if array.dtype.kind not in "iu":
        raise ParameterError(f"{rule}, got dtype {array.dtype}.")
    refuse_where((array < 0) | (array >= size), array, rule)
    return np.asarray(array, dtype=np.int64)


def as_negatives(value: npt.ArrayLike, targets: npt.NDArray[Any], size: int) -> IdArray:
    """Negatives, K of them for each of ``targets`` (a scalar or (B,)), none equal to its target.

    >>> as_negatives([[1, 2], [0, 1]], np.array([0, 1]), 3)
    Traceback (most recent call last):
        ...
    wordgrad.errors.ParameterError: negatives must differ from the word they are drawn for \
(draw again), got 1 at index (1, 1).
    """
    ids = as_ids("negatives", value, size)
    if ids.ndim != targets.ndim + 1 or ids.shape[:-1] != targets.shape:
        rule = "(K,)" if targets.ndim == 0 else f"({len(targets)}, K)"
        raise ParameterError(f"negatives must have shape {rule}, got {ids.shape}.")
    refuse_where(
        ids == targets[..., None],
        ids,
        "negatives must differ from the word they are drawn for (draw again)",
    )
    return ids


def finite_scores(left: FloatArray, right: FloatArray) -> FloatArray:
    """Dot products ``left @ right`` of finite vectors, refused if they overflow.

    >>> finite_scores(np.array([1e200]), np.array([1e200]))
    Traceback (most recent call last):
        ...
    wordgrad.errors.ParameterError: the dot products of v_c and W_out must be finite \
(scale the vectors down), got inf.
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        scores: FloatArray = np.asarray(left @ right)
    refuse_where(
        ~np.isfinite(scores),
        scores,
        "the dot products of v_c and W_out must be finite (scale the vectors down)",
    )
    return scores


def refuse_where(wrong: npt.NDArray[np.bool_], array: npt.NDArray[Any], rule: str) -> None:
    """Raise with ``rule`` and the first value of ``array`` at which ``wrong`` is true."""
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = f" at index {where}" if where else ""
        raise ParameterError(f"{rule}, got {array[where]}{place}.")


def _as_array(name: str, value: npt.ArrayLike) -> npt.NDArray[Any]:
    try:
        return np.asarray(value)
    except ValueError as error:  # rows of unequal length
        raise ParameterError(f"{name} must be a rectangular array, got {value!r}.") from error
