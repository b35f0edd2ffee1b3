"""The two matrices that training changes."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.errors import OutputError, ParameterError
from wordgrad.files import release_pages

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


def mapped_rows(n_rows: int, n_floats: int) -> NDArray[np.float32]:
    """Return zeros, float32 ``(n_rows, n_floats)``, in a temporary file without a name.

    Its pages leave the memory when they are released, or others need it.

    Raises
    ------
    OutputError
        If the disk has no room for it.
    """
    size = 4 * n_rows * n_floats
    with tempfile.TemporaryFile() as file:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)  # a page without a place ends a process
            file.truncate(size)
        except OSError as error:
            raise OutputError(
                f"{tempfile.gettempdir()} has no room for {size >> 20:,} MiB of vectors "
                f"({error.strerror}); free some, or name another folder with TMPDIR."
            ) from error
        return np.memmap(file, np.float32, "r+", shape=(n_rows, n_floats))


def all_finite(*matrices: NDArray[np.float32]) -> bool:
    """Whether every number is finite."""
    # Least and greatest, which NaN passes through: no array of the matrix's size.
    return all(math.isfinite(rows.min()) and math.isfinite(rows.max()) for rows in matrices)


SLICE_BYTES = 1 << 24
"""Of a matrix, that are in memory at a time where it lies in a file."""


def packed(
    rows: NDArray[np.float32], weight: float = 0.0, others: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Return ``rows + weight others``, float32 (n, D), without padding and not to be written to.

    It lies in a temporary file if the rows lie in one.
    """
    whole = mapped_rows(*rows.shape) if _is_mapped(rows) else np.empty(rows.shape, np.float32)
    for some in _slices(rows):
        whole[some] = rows[some]
        if others is not None and weight:
            whole[some] += np.float32(weight) * others[some]
            release_pages(others)
        release_pages(rows, whole)
    whole.flags.writeable = False
    return np.asarray(whole)


def _is_mapped(rows: NDArray[np.float32]) -> bool:
    return isinstance(rows, np.memmap)


def _slices(rows: NDArray[np.float32]) -> Iterator[slice]:
    """Slices of rows, after each of which pages of files are given back."""
    step = max(1, SLICE_BYTES // (4 * rows.shape[1]))
    return (slice(start, start + step) for start in range(0, len(rows), step))


@dataclass(frozen=True)
class Parameters:
    """``W_in`` and ``W_out``: the matrices of input and output vectors.

    With word2vec both have a row for each word, v_w and u_w.  Subwords and documents add rows to
    ``W_in``; the inner nodes of a tree take the place of words in ``W_out``.

    Attributes
    ----------
    W_in_rows, W_out_rows : float32 (n_inputs, P), (n_outputs, P)
        Rows padded with zeros from D to P floats, a multiple of 16, and 64-byte aligned, so that
        kernels use aligned vector loads and a row shares no cache line with another.
    vector_size : int
        D.
    """

    W_in_rows: NDArray[np.float32]
    W_out_rows: NDArray[np.float32]
    vector_size: int

    @classmethod
    def zeros(
        cls, n_inputs: int, n_outputs: int, vector_size: int, *, mapped: bool = False
    ) -> Parameters:
        """Return parameters that are all zero: in memory, or ``mapped`` from temporary files."""
        n_floats = row_floats(vector_size)
        rows = mapped_rows if mapped else aligned_rows
        return cls(rows(n_inputs, n_floats), rows(n_outputs, n_floats), vector_size)

    @classmethod
    def initial(
        cls, n_inputs: int, n_outputs: int, vector_size: int, seed: int, *, mapped: bool = False
    ) -> Parameters:
        """Return word2vec's start: ``W_in`` uniform on [-1/2D, 1/2D), ``W_out`` zero.

        With ``W_out = 0`` every score is 0 and every pair's loss (K + 1) log 2 at first.  They are
        in memory, or ``mapped`` from temporary files.
        """
        parameters = cls.zeros(n_inputs, n_outputs, vector_size, mapped=mapped)
        generator = np.random.default_rng(seed)
        block = max(1, 2**16 // vector_size)
        for start in range(0, n_inputs, block):
            some = parameters.W_in[start : start + block]
            some[:] = (generator.random(some.shape, np.float32) - 0.5) / vector_size
            parameters.release_pages()
        # Zeros come as pages that do not exist yet: have them now, in order, and not one by one
        # wherever the first windows happen to write.
        if not mapped:
            parameters.W_out_rows.fill(0.0)
        return parameters

    @classmethod
    def from_matrices(
        cls, W_in: ArrayLike, W_out: ArrayLike | None = None, *, n_outputs: int | None = None
    ) -> Parameters:
        """Return a copy of given vectors, to begin a training with (a warm start).

        Parameters
        ----------
        W_in : array_like (n_inputs, D)
        W_out : array_like (n_outputs, D), optional
            By default zero, as in :meth:`initial`.
        n_outputs : int, optional
            Rows of ``W_out`` where it is not given; by default as many as ``W_in`` has.

        Raises
        ------
        ParameterError
            If they are no matrices of finite float32 numbers, of one width and at least one row.

        Examples
        --------
        >>> parameters = Parameters.from_matrices([[1.0, 2.0], [3.0, 4.0]], n_outputs=1)
        >>> parameters.W_in.tolist(), parameters.W_out.tolist()
        ([[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0]])
        """
        inputs = _as_matrix("W_in", W_in)
        vector_size = inputs.shape[1]
        outputs = None if W_out is None else _as_matrix("W_out", W_out)
        if outputs is not None:
            if outputs.shape[1] != vector_size or n_outputs not in (None, len(outputs)):
                raise ParameterError(
                    f"W_out must have shape ({n_outputs or 'n_outputs'}, {vector_size}), "
                    f"got {outputs.shape}."
                )
            n_outputs = len(outputs)
        parameters = cls.zeros(
            len(inputs), len(inputs) if n_outputs is None else n_outputs, vector_size
        )
        parameters.W_in[:] = inputs
        if outputs is not None:
            parameters.W_out[:] = outputs
        return parameters

    @property
    def n_inputs(self) -> int:
        """Rows of ``W_in``."""
        return len(self.W_in_rows)

    @property
    def n_outputs(self) -> int:
        """Rows of ``W_out``."""
        return len(self.W_out_rows)

    @property
    def W_in(self) -> NDArray[np.float32]:
        """Input vectors, a view of shape (n_inputs, D)."""
        return self.W_in_rows[:, : self.vector_size]

    @property
    def W_out(self) -> NDArray[np.float32]:
        """Output vectors, a view of shape (n_outputs, D)."""
        return self.W_out_rows[:, : self.vector_size]

    def release_pages(self) -> None:
        """Give memory back that is mapped from files, where the numbers stay."""
        release_pages(self.W_in_rows, self.W_out_rows)

    def are_finite(self) -> bool:
        """Whether every number is finite."""
        return all_finite(self.W_in_rows, self.W_out_rows)

    def copy(self) -> Parameters:
        """Return parameters of the same numbers: in memory, or in files if these are."""
        shape = self.n_inputs, self.n_outputs, self.vector_size
        other = Parameters.zeros(*shape, mapped=_is_mapped(self.W_in_rows))
        other.copy_from(self)
        return other

    def copy_from(self, other: Parameters) -> None:
        """Take over the numbers of parameters of the same shape."""
        for ours, theirs in (
            (self.W_in_rows, other.W_in_rows),
            (self.W_out_rows, other.W_out_rows),
        ):
            for some in _slices(ours):
                ours[some] = theirs[some]
                release_pages(ours, theirs)

    def check_rows(
        self, vector_size: int, n_inputs: int | None = None, n_outputs: int | None = None
    ) -> None:
        """Raise :class:`ParameterError` unless kernels may write to the rows, and they fit.

        Parameters
        ----------
        vector_size : int
        n_inputs, n_outputs : int, optional
            Rows that a training needs; by default any number.
        """
        for name, found, wanted in (
            ("W_in", self.n_inputs, n_inputs),
            ("W_out", self.n_outputs, n_outputs),
        ):
            if wanted is not None and found != wanted:
                raise ParameterError(
                    f"parameters must have {wanted} rows in {name} for this corpus and these "
                    f"settings, got {found}."
                )
        for rows in (self.W_in_rows, self.W_out_rows):
            aligned = rows.ctypes.data % (4 * ROW_FLOATS) == 0
            fits = rows.ndim == 2 and rows.shape[1] == row_floats(vector_size)
            if (
                not (aligned and fits and rows.dtype == np.float32 and rows.flags.carray)
                or self.vector_size != vector_size
            ):
                raise ParameterError(
                    "parameters must be aligned float32 rows for "
                    f"vector_size={vector_size}, got {rows.dtype} {rows.shape} for "
                    f"vector_size={self.vector_size}; make them with Parameters.zeros, "
                    "Parameters.initial or Parameters.from_matrices."
                )


def _as_matrix(name: str, value: ArrayLike) -> NDArray[np.float32]:
    array = np.asarray(value)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        raise ParameterError(
            f"{name} must be a matrix of at least one number, got {array.dtype} of shape "
            f"{array.shape}."
        )
    with np.errstate(over="ignore"):  # to inf, and then refused
        matrix = array.astype(np.float32, copy=False)
    if not np.isfinite(matrix).all():
        raise ParameterError(f"{name} must be finite float32 numbers, and some are not.")
    return matrix
