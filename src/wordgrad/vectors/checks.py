"""Checks of what a set of vectors is made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.errors import ParameterError


def checked_matrix(matrix: ArrayLike, rows: int) -> NDArray[np.float32]:
    """``matrix`` as a read-only float32 array in C order with ``rows`` rows, shared if it can be.

    Raises
    ------
    ParameterError
        If it does not hold real numbers, or has another shape.
    """
    given = np.asarray(matrix)
    if given.dtype.kind not in "fiu":
        raise ParameterError(f"matrix must hold real numbers, got dtype {given.dtype}.")
    if given.ndim != 2 or given.shape[1] == 0 or given.shape[0] == 0:
        raise ParameterError(
            f"matrix must have shape (words, dimensions), both at least 1, got {given.shape}."
        )
    if given.shape[0] != rows:
        raise ParameterError(
            f"matrix must have one row a word, got {given.shape[0]} rows for {rows} words."
        )
    shared = given.dtype == np.float32 and given.flags.c_contiguous and not given.flags.writeable
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which is refused
        kept = given if shared else np.array(given, dtype=np.float32, order="C")
    kept.flags.writeable = False
    return kept


def checked_counts(counts: ArrayLike | None, rows: int) -> NDArray[np.int64] | None:
    """``counts`` as a read-only int64 array of ``rows`` entries.

    Raises
    ------
    ParameterError
        If they are not so many integers, none negative.
    """
    if counts is None:
        return None
    given = np.asarray(counts)
    if given.shape != (rows,) or given.dtype.kind not in "iu":
        raise ParameterError(
            f"counts must be {rows} integers, one a word, got shape {given.shape} and dtype "
            f"{given.dtype}."
        )
    kept = given.astype(np.int64)
    if rows and int(kept.min()) < 0:
        raise ParameterError(f"counts must not be negative, got {int(kept.min())}.")
    kept.flags.writeable = False
    return kept


def plain_metadata(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """A copy of ``metadata`` made of plain JSON values, so that saving cannot fail over it later.

    Raises
    ------
    ParameterError
        If a value is not one.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        raise TypeError(f"{type(value).__name__} is not a JSON value")

    entries = dict(metadata or {})
    try:
        if not all(isinstance(key, str) for key in entries):
            raise TypeError("a key is not a string")
        copied: dict[str, Any] = json.loads(json.dumps(entries, default=plain))
    except (TypeError, ValueError, RecursionError) as error:
        raise ParameterError(
            f"metadata must map strings to JSON values, got one that does not: {error}."
        ) from error
    return copied
