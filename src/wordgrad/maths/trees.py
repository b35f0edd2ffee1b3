"""Arrays in dicts, lists and tuples: what a gradient check walks over, leaf by leaf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgrad.errors import ParameterError
from wordgrad.maths.validation import as_finite


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """One array of the point that is checked: its name (``x['W1']``) and its values at first."""

    name: str
    array: npt.NDArray[np.float64]
    saved: npt.NDArray[np.float64]

    def restore(self) -> None:
        """Put the array back to the last bit."""
        self.array[...] = self.saved


def leaves_of(x: Any) -> list[Leaf]:
    """Every array of ``x``; refused unless each is float64, finite, writable and apart from others.

    >>> [leaf.name for leaf in leaves_of({"W": np.zeros(2), "b": [np.zeros(1)]})]
    ["x['W']", "x['b'][0]"]
    """
    arrays = [(name, _checked(name, array)) for name, array in _walk("x", x)]
    leaves = [Leaf(name, array, array.copy()) for name, array in arrays]
    if not any(leaf.array.size for leaf in leaves):
        raise ParameterError("x must hold at least one number, got none.")
    for one, other in combinations(leaves, 2):
        if np.shares_memory(one.array, other.array):
            raise ParameterError(
                f"x must hold each array once, but {one.name} and {other.name} share memory."
            )
    return leaves


def gradient_of(gradient: Any, x: Any, leaves: list[Leaf]) -> list[npt.NDArray[np.float64]]:
    """The arrays of ``gradient`` in the order of ``leaves``, refused unless built as ``x`` is."""
    # An array may come as nested lists, which are no tree here.
    found = [("x", gradient)] if isinstance(x, np.ndarray) else list(_walk("x", gradient))
    names, wanted = [name for name, _ in found], [leaf.name for leaf in leaves]
    if sorted(names) != sorted(wanted):
        raise ParameterError(f"the gradient must have the parts {wanted} of x, got {names}.")
    arrays = dict(found)
    return [
        as_finite(f"the gradient of {leaf.name}", arrays[leaf.name], shape=leaf.array.shape).astype(
            np.float64
        )
        for leaf in leaves
    ]


def _walk(name: str, tree: Any) -> list[tuple[str, Any]]:
    if isinstance(tree, Mapping):
        children = [(f"{name}[{key!r}]", child) for key, child in tree.items()]
    elif isinstance(tree, list | tuple):
        children = [(f"{name}[{i}]", child) for i, child in enumerate(tree)]
    else:
        return [(name, tree)]
    return [leaf for child_name, child in children for leaf in _walk(child_name, child)]


def _checked(name: str, array: Any) -> npt.NDArray[np.float64]:
    if not isinstance(array, np.ndarray) or array.dtype != np.float64:
        got = f"dtype {array.dtype}" if hasattr(array, "dtype") else type(array).__name__
        raise ParameterError(
            f"{name} must be a float64 array, got {got} (use np.array(..., dtype=np.float64))."
        )
    if not array.flags.writeable:
        raise ParameterError(f"{name} must be writable, got a read-only array (pass a copy).")
    as_finite(name, array)
    return array
