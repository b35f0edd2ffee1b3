"""Approximate search through a graph of neighbours (HNSW), by the library usearch.

An exact search looks at every row; a walk through the graph at some hundreds.  It may miss a
neighbour: ``benchmarks/queries.py`` measures how many it finds.

A file of an index is a :class:`~wordgrad.container.Container` of the part "index": one array,
``graph`` (U8), which holds what usearch's ``Index.save`` gives, and the record ``rows``,
``expansion_search`` and ``crc32.matrix``, a checksum of the vectors that were indexed, which tells
an index of other vectors.  usearch follows the numbers in a graph wherever they point, so the
graph's checksum is compared, and every one of these numbers is checked, before it sees anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.container import Arrays, Container, checksum
from wordgrad.errors import FormatError, ParameterError
from wordgrad.files import check_output
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
            If it is no graph of so many rows of such vectors.
        """
        index = cls.__new__(cls)
        index._exact, index.rows = exact, rows
        made = _library()(ndim=exact.shape[1], metric=METRIC, dtype=DTYPE)
        _check_graph(graph, rows, exact.shape[1])
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
        walked = self._graph.search(queries.astype(np.float32), wanted)
        if len(queries) == 1:  # then the library gives one line, as long as what it found
            keys = np.zeros((1, wanted), dtype=np.int64)
            keys[0, : len(walked)] = np.asarray(walked.keys).ravel()
            counts = np.array([len(walked)])
        else:
            keys = np.asarray(walked.keys).astype(np.int64)
            counts = np.asarray(walked.counts).astype(np.int64)
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


def _library() -> Any:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise ParameterError(
            f"An approximate index needs usearch, which is not installed; run: {INSTALL}."
        ) from error
    return Index


def _check_graph(graph: NDArray[np.uint8], rows: int, size: int) -> None:
    """Refuse a graph with a number that leads out of it.

    usearch's layout, version 2, little-endian: rows and bytes a row (2 uint32), the vectors, a head
    of 64 bytes, five uint64 (nodes, most neighbours above and in the lowest level, highest level,
    node of entry), the level of each node (int16), and the nodes: a key (uint64), the level
    (int16), and for each level from the lowest the number of neighbours (uint32) and room for the
    most there can be (uint32 each).
    """
    shape = np.frombuffer(graph[:8].tobytes().ljust(8, b"\0"), "<u4").tolist()
    if shape != [rows, 4 * size]:
        raise FormatError(
            f"its graph holds {shape[0]} rows of {shape[1] / 4:g} values, not {rows} of {size}"
        )
    start = 8 + 4 * size * rows
    levels_start = start + 64 + 40
    nodes_start = levels_start + 2 * rows
    if len(graph) < nodes_start:
        raise FormatError("its graph is shorter than its nodes")
    head = np.frombuffer(graph[start + 64 : levels_start].tobytes(), "<u8")
    nodes, upper, lowest, highest, entry = map(int, head)
    levels = np.frombuffer(graph[levels_start:nodes_start].tobytes(), "<i2").astype(np.int64)
    if (
        nodes != rows
        or entry >= rows
        or not 0 < max(upper, lowest) < 1 << 16
        or levels.min() < 0
        or not levels.max() == levels[entry] == highest
    ):
        raise FormatError("its graph has a head that does not belong to its nodes")
    lengths = 14 + 4 * lowest + levels * (4 + 4 * upper)
    starts = nodes_start + np.cumsum(lengths) - lengths
    if starts[-1] + lengths[-1] != len(graph):
        raise FormatError("its graph is shorter or longer than its nodes")
    for level in range(highest + 1):
        most = upper if level else lowest
        first = 10 + (4 + 4 * lowest + (level - 1) * (4 + 4 * upper) if level else 0)
        there = np.flatnonzero(levels >= level)
        at_once = max(1, (1 << 22) // (4 + 4 * most))  # so many that they take 4 MiB of the graph
        for part in range(0, len(there), at_once):
            chosen = there[part : part + at_once]
            places = starts[chosen, None] + first + np.arange(4 + 4 * most)
            table = graph[places].view("<u4").astype(np.int64)
            counts, neighbours = table[:, 0], table[:, 1:]
            used = np.arange(most) < counts[:, None]
            out = used & (neighbours >= rows)
            if (counts > most).any() or out.any() or (levels[neighbours[used]] < level).any():
                raise FormatError(f"its graph has a neighbour that is not there, in level {level}")
    kept = graph[starts[:, None] + np.arange(8, 10)].view("<i2")[:, 0]
    if (kept != levels).any():
        raise FormatError("its graph gives a node two levels")


REMEDY = "remove it, and build the index again."


def _read_layout_1(path: Path, metadata: Mapping[str, str], arrays: Arrays) -> dict[str, Any]:
    """Record of an index of version 0.1, whose metadata hold one entry for each of its numbers."""
    if metadata["wordgrad.index"] != "1":
        raise INDEX.damaged(path, f"its layout is {metadata['wordgrad.index']!r}, and not '1'")
    if metadata.get("crc32.graph") != f"{checksum(arrays['graph']):08x}":
        raise INDEX.damaged(path, "graph fails its checksum")
    numbers = {name: metadata.get(name, "") for name in ("rows", "expansion_search")}
    record: dict[str, Any] = {
        name: int(value) if value.isdecimal() and len(value) < 18 else value
        for name, value in numbers.items()
    }
    return record | {"crc32.matrix": metadata.get("crc32.matrix")}


INDEX = Container(
    part="index",
    layout="2",
    remedy=REMEDY,
    origin=REMEDY,
    schema={"graph": ("uint8", 1)},
    earlier={"wordgrad.index": _read_layout_1},
)


def write_index(
    index: ApproximateIndex,
    matrix: NDArray[np.float32],
    path: str | os.PathLike[str],
    *,
    overwrite: bool,
) -> None:
    """Write ``index`` over the rows of ``matrix``, shape (V, D), to a file at ``path``."""
    target = check_output(path, overwrite=overwrite)
    record = {
        "rows": index.rows,
        "expansion_search": index.expansion_search,
        "crc32.matrix": f"{checksum(matrix):08x}",
    }
    INDEX.write(target, record, {"graph": index.graph}, overwrite=overwrite)


def read_index(
    path: str | os.PathLike[str], exact: ExactIndex, matrix: NDArray[np.float32]
) -> ApproximateIndex:
    """The index of ``matrix`` that is kept at ``path``."""
    file = Path(path)
    record, arrays = INDEX.read(file)
    if record.get("crc32.matrix") != f"{checksum(matrix):08x}":
        raise FormatError(f"{file} is the index of other vectors; {REMEDY}")
    rows, expansion = record.get("rows"), record.get("expansion_search")
    if type(rows) is not int or not 0 < rows <= len(matrix):
        raise INDEX.damaged(file, f"it promises {rows!r} rows")
    if type(expansion) is not int or not 0 < expansion < 1 << 31:
        raise INDEX.damaged(file, f"it promises an expansion_search of {expansion!r}")
    try:
        return ApproximateIndex.from_graph(
            exact, arrays["graph"], rows=rows, expansion_search=expansion
        )
    except FormatError as error:
        raise INDEX.damaged(file, str(error)) from error
