"""Approximate search through a graph of neighbours (HNSW), by the library usearch.

An exact search looks at every row; a walk through the graph at some hundreds.  It may miss a
neighbour: ``benchmarks/queries.py`` measures how many it finds.

Files that keep an approximate index.

Layout
------
A safetensors file of one tensor, ``graph`` (U8), which holds what usearch's ``Index.save`` gives,
and this metadata, all strings: ``wordgrad.index`` (the version of this layout, "1"), ``rows``,
``expansion_search``, and two checksums (CRC-32, eight hexadecimal digits): ``crc32.graph`` of the
tensor, ``crc32.matrix`` of the vectors that were indexed.  usearch trusts what it is given, so the
first is compared before it sees anything; the second tells an index of other vectors.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wordgrad.errors import FormatError, InputError, ParameterError
from wordgrad.files import atomic_write, check_output
from wordgrad.search.exact import ROWS_AT_ONCE, ExactIndex, Neighbours

METRIC, DTYPE = "ip", "f32"
INSTALL = "python -m pip install 'wordgrad[ann]'"


class ApproximateIndex:
    """Approximate nearest neighbours by cosine; their cosines are exact.

    Parameters
    ----------
    exact : ExactIndex
    rows : int
        Only the first so many rows (the most frequent words) are searched.
    connectivity : int
        Neighbours that each node of the graph keeps (M in the paper of HNSW: Malkov and Yashunin
        2018, arXiv 1603.09320); more find more, and take more memory.
    expansion_add, expansion_search : int
        Candidates kept while building (efConstruction) and while searching (ef); more find more,
        and take longer.

    Raises
    ------
    ParameterError
        If usearch is not installed.
    """

    def __init__(
        self,
        exact: ExactIndex,
        *,
        rows: int,
        connectivity: int,
        expansion_add: int,
        expansion_search: int,
    ) -> None:
        self._exact = exact
        self.rows = rows
        # The inner product of unit vectors is their cosine, and 0 for a zero row, where a cosine
        # would be 0 / 0.
        self._graph = _library()(
            ndim=exact.shape[1],
            metric=METRIC,
            dtype=DTYPE,
            connectivity=connectivity,
            expansion_add=expansion_add,
            expansion_search=expansion_search,
        )
        for start in range(0, rows, ROWS_AT_ONCE):
            keys = np.arange(start, min(start + ROWS_AT_ONCE, rows))
            self._graph.add(keys, exact.unit_rows(keys).astype(np.float32))

    @classmethod
    def from_graph(
        cls, exact: ExactIndex, graph: NDArray[np.uint8], *, rows: int, expansion_search: int
    ) -> ApproximateIndex:
        """The index whose graph :meth:`graph` gave.

        Raises
        ------
        FormatError
            If it is no graph of so many rows of such vectors.  The library does not look at what
            it is given closely: the bytes must have been compared with a checksum before.
        """
        index = cls.__new__(cls)
        index._exact, index.rows = exact, rows
        made = _library()(ndim=exact.shape[1], metric=METRIC, dtype=DTYPE)
        try:
            made.load(graph.tobytes())
        except (RuntimeError, ValueError) as error:
            raise FormatError(f"it holds no graph of this version of usearch ({error})") from error
        if (len(made), made.ndim, made.dtype.name, made.metric_kind.name) != (
            rows,
            exact.shape[1],
            DTYPE.upper(),
            METRIC.upper(),
        ):
            raise FormatError(
                f"its graph holds {len(made)} rows of {made.ndim} values, not {rows} of "
                f"{exact.shape[1]}"
            )
        made.expansion_search = expansion_search
        index._graph = made
        return index

    @property
    def graph(self) -> NDArray[np.uint8]:
        """The graph and the unit vectors in it, in the library's own form."""
        return np.frombuffer(self._graph.save(), dtype=np.uint8)

    @property
    def expansion_search(self) -> int:
        """Candidates kept while searching."""
        return int(self._graph.expansion_search)

    def search(
        self,
        queries: NDArray[np.float64],
        topn: int,
        *,
        excluded: NDArray[np.int64] | None = None,
    ) -> Neighbours:
        """Rows near each query; parameters as in :meth:`ExactIndex.search`."""
        spare = 0 if excluded is None else excluded.shape[1]
        wanted = min(topn + spare, self.rows)
        keys, counts = self._walk(queries.astype(np.float32), wanted)
        missing = (np.arange(wanted) >= counts[:, None]) | (keys < 0) | (keys >= self.rows)
        if excluded is not None:
            missing |= (keys[:, :, None] == excluded[:, None, :]).any(axis=2)
        keys[missing] = 0
        scores = self._exact.pair_cosines(
            queries, np.repeat(np.arange(len(queries)), wanted), keys.ravel()
        ).reshape(keys.shape)
        scores[missing], keys[missing] = -np.inf, -1
        order = np.lexsort((keys, -scores), axis=1)[:, : min(topn, self.rows)]
        rows = np.take_along_axis(keys, order, axis=1)
        best = np.take_along_axis(scores, order, axis=1)
        return Neighbours(rows, np.where(rows < 0, np.nan, best))

    def _walk(
        self, queries: NDArray[np.float32], wanted: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows, of shape (B, wanted), and how many of each line were found."""
        found = self._graph.search(queries, wanted)
        if queries.shape[0] == 1:
            keys = np.zeros((1, wanted), dtype=np.int64)
            keys[0, : len(found)] = np.asarray(found.keys).ravel()
            return keys, np.array([len(found)])
        return np.asarray(found.keys).astype(np.int64), np.asarray(found.counts).astype(np.int64)


def _library() -> Any:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise ParameterError(
            f"An approximate index needs usearch, which is not installed; run: {INSTALL}."
        ) from error
    return Index


LAYOUT = "1"
REMEDY = "remove it, and build the index again."


def write_index(
    index: ApproximateIndex,
    matrix: NDArray[np.float32],
    path: str | os.PathLike[str],
    *,
    overwrite: bool,
) -> None:
    """Write ``index`` over the rows of ``matrix``, shape (V, D), to a file at ``path``."""
    target = check_output(path, overwrite=overwrite)
    graph = index.graph
    metadata = {
        "wordgrad.index": LAYOUT,
        "rows": str(index.rows),
        "expansion_search": str(index.expansion_search),
        "crc32.graph": _checksum(graph),
        "crc32.matrix": _checksum(matrix),
    }
    with atomic_write(target, overwrite=overwrite) as temporary:
        try:
            save_file({"graph": graph}, temporary, metadata=metadata)
        except SafetensorError as error:  # a full disk, too, is an error of its own kind
            raise OSError(str(error)) from error


def read_index(
    path: str | os.PathLike[str], exact: ExactIndex, matrix: NDArray[np.float32]
) -> ApproximateIndex:
    """The index of ``matrix`` that is kept at ``path``."""
    file = Path(path)
    try:
        with safe_open(file, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            graph = opened.get_tensor("graph") if "graph" in opened.keys() else None  # noqa: SIM118
    except SafetensorError as error:
        raise FormatError(f"{file} is not a whole index ({error}); {REMEDY}") from error
    except OSError as error:
        raise InputError(f"{file} cannot be opened ({error}); check the name.") from error
    if graph is None or metadata.get("wordgrad.index") != LAYOUT:
        raise FormatError(f"{file} is no index that this version of wordgrad reads; {REMEDY}")
    if metadata.get("crc32.matrix") != _checksum(matrix):
        raise FormatError(f"{file} is the index of other vectors; {REMEDY}")
    if metadata.get("crc32.graph") != _checksum(graph):
        raise FormatError(f"{file} is damaged: it fails its checksum; {REMEDY}")
    rows, expansion = (metadata.get(name, "") for name in ("rows", "expansion_search"))
    if not (rows.isdecimal() and expansion.isdecimal() and 0 < int(rows) <= len(matrix)):
        raise FormatError(f"{file} is damaged: it promises {rows!r} rows; {REMEDY}")
    try:
        return ApproximateIndex.from_graph(
            exact, graph, rows=int(rows), expansion_search=max(1, int(expansion))
        )
    except FormatError as error:
        raise FormatError(f"{file} is damaged: {error}; {REMEDY}") from error


def _checksum(array: NDArray[np.generic]) -> str:
    return f"{zlib.crc32(np.ascontiguousarray(array).data):08x}"
