"""Files that keep an approximate index.

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

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wordgrad.errors import FormatError, InputError
from wordgrad.files import atomic_write, check_output
from wordgrad.vectors.approximate import ApproximateIndex
from wordgrad.vectors.search import ExactIndex

LAYOUT = "1"
REMEDY = "remove it, and build the index again."


def write(
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


def read(
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
