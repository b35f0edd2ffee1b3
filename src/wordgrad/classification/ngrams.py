"""Hashes of n-grams of word ids, compiled by Numba.

The edges of a text take part: text ``a b`` has the 2-grams ``^a``, ``ab``, ``b$``.  A hash mixes
the ids by SplitMix64's finaliser (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

jit = njit(nogil=True, cache=True, error_model="numpy")

RANGES = {"prefix": (0, 1000), "ngrams": (1, 100), "buckets": (1, 1 << 62)}
"""Least and most of the settings, in Python and in a file: a text takes time that grows with the
square of ``ngrams``."""

_EDGE = np.uint64(0x9E3779B97F4A7C15)


@jit
def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def count_ngrams(offsets: NDArray[np.int64], longest: int) -> NDArray[np.int64]:
    """Return how many n-grams of 2 to ``longest`` symbols each text has, its edges included."""
    lengths = np.diff(offsets)
    total = np.zeros(len(lengths), np.int64)
    for n in range(2, longest + 1):
        total += np.where(lengths > 0, np.maximum(lengths + 2 - n + 1, 0), 0)
    return total


@jit
def hash_ngrams(ids: Any, offsets: Any, longest: Any, buckets: Any, cuts: Any, out: Any) -> None:
    """Write the hashes of text i's n-grams to ``out[cuts[i]:cuts[i + 1]]``."""
    for i in range(offsets.size - 1):
        start = offsets[i]
        length = offsets[i + 1] - start
        k = cuts[i]
        if length == 0:
            continue
        for n in range(2, longest + 1):
            for first in range(-1, length + 2 - n):
                z = np.uint64(n)
                for j in range(first, first + n):
                    if 0 <= j < length:
                        symbol = np.uint64(np.int64(ids[start + j]) + np.int64(2))
                    else:
                        symbol = _EDGE + np.uint64(j >= length)
                    z = _mix(z * _EDGE + symbol)
                out[k] = np.int64(z % np.uint64(buckets))
                k += 1
