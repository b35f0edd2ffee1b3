"""The random numbers of all kernels: SplitMix64, used as a counter-based generator.

The n-th number of the stream ``key`` is ``mix(key + n * GOLDEN)``: a function of key and position
alone, with no state to carry along, to share among threads or to save.

Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wordgrad.compiling import inline_jit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio, odd: the distance of one number of a stream from the next."""

LOW = np.uint64(0xFFFFFFFF)
BITS_32 = np.uint64(32)


@inline_jit
def mix(z: Any) -> Any:
    """Return the SplitMix64 finaliser of a uint64: 64 random-looking bits."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@inline_jit
def token_bits(key: Any, position: Any) -> Any:
    """Return the 64 bits that decide about one token: the high half keeps, the low half windows."""
    return mix(key + np.uint64(position) * GOLDEN)


@inline_jit
def below(bits: Any, n: Any) -> Any:
    """Return an integer in 0..n-1 from the low 32 bits (bias at most n / 2^32)."""
    return np.int64(((bits & LOW) * np.uint64(n)) >> BITS_32)
