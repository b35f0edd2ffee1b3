"""The two matrices that training changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROW_FLOATS = 16
"""Rows are padded to a multiple of this many floats: 64 bytes, one cache line."""


def row_floats(vector_size: int) -> int:
    """Return the padded length of a row: ``vector_size`` rounded up to 16 floats.

    >>> row_floats(100), row_floats(300)
    (112, 304)
    """
    return -(-vector_size // ROW_FLOATS) * ROW_FLOATS


def aligned_rows(n_rows: int, n_floats: int) -> NDArray[np.float32]:
    """Return zeros, float32 ``(n_rows, n_floats)``, that start on a 64-byte boundary."""
    memory = np.zeros(n_rows * n_floats + ROW_FLOATS, np.float32)
    skip = (-memory.ctypes.data // memory.itemsize) % ROW_FLOATS
    return memory[skip : skip + n_rows * n_floats].reshape(n_rows, n_floats)


@dataclass(frozen=True)
class Parameters:
    """``W_in`` and ``W_out``: input vectors v_w and output vectors u_w of every word.

    Attributes
    ----------
    W_in_rows, W_out_rows : float32 (V, P)
        Rows padded with zeros from D to P floats, a multiple of 16, and 64-byte aligned, so that
        kernels use aligned vector loads and a row shares no cache line with another.
    vector_size : int
        D.
    """

    W_in_rows: NDArray[np.float32]
    W_out_rows: NDArray[np.float32]
    vector_size: int

    @classmethod
    def zeros(cls, n_words: int, vector_size: int) -> Parameters:
        """Return parameters that are all zero."""
        n_floats = row_floats(vector_size)
        return cls(aligned_rows(n_words, n_floats), aligned_rows(n_words, n_floats), vector_size)

    @classmethod
    def initial(cls, n_words: int, vector_size: int, seed: int) -> Parameters:
        """Return word2vec's start: ``W_in`` uniform on [-1/2D, 1/2D), ``W_out`` zero.

        With ``W_out = 0`` every score is 0 and every pair's loss (K + 1) log 2 at first.
        """
        parameters = cls.zeros(n_words, vector_size)
        generator = np.random.default_rng(seed)
        block = max(1, 2**20 // vector_size)
        for start in range(0, n_words, block):
            rows = parameters.W_in[start : start + block]
            rows[:] = (generator.random(rows.shape, np.float32) - 0.5) / vector_size
        # Zeros come as pages that do not exist yet: have them now, in order, and not one by one
        # wherever the first windows happen to write.
        parameters.W_out_rows.fill(0.0)
        return parameters

    @property
    def n_words(self) -> int:
        """V."""
        return len(self.W_in_rows)

    @property
    def W_in(self) -> NDArray[np.float32]:
        """Input vectors, a view of shape (V, D)."""
        return self.W_in_rows[:, : self.vector_size]

    @property
    def W_out(self) -> NDArray[np.float32]:
        """Output vectors, a view of shape (V, D)."""
        return self.W_out_rows[:, : self.vector_size]

    def are_finite(self) -> bool:
        """Whether every number is finite."""
        # Least and greatest, which NaN passes through: no array of the matrix's size.
        return all(
            math.isfinite(rows.min()) and math.isfinite(rows.max())
            for rows in (self.W_in_rows, self.W_out_rows)
        )

    def copy_from(self, other: Parameters) -> None:
        """Take over the numbers of parameters of the same shape."""
        self.W_in_rows[:] = other.W_in_rows
        self.W_out_rows[:] = other.W_out_rows
