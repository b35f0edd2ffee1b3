"""Word vectors in a Parquet file: a table for Polars, DuckDB, Spark and their like.

Layout
------
One row a word, in the order of the words:

=========== ==================== ===============================================================
``word``    String               the word
``vector``  Array(Float32, D)    its vector (Parquet: FIXED or plain list of floats)
``count``   Int64                how often it was seen; left out if not known
=========== ==================== ===============================================================

The file's key-value metadata hold ``wordgrad`` (the version of this layout, "1"),
``wordgrad.metadata`` (JSON) and ``wordgrad.checksum``: CRC-32 of the whole file (eight hexadecimal
digits), a hyphen, and the file's length (sixteen decimal digits), all 25 characters counted as "0"
for the CRC.  It is compared before anything else, for Parquet has no checksum that Polars would
look at.  A file whose length is another was rewritten by another program; such tables are read
without the comparison, if ``vector`` is a list of floats of one length.

Design
------
A. Tables go to Polars and come from it in blocks of rows, so that beside the matrix no more than
   one row group is held.
B. One wrong number in a Parquet file can make Polars ask for so much memory that the process ends,
   where nothing is left to catch.  A file without our checksum is therefore read twice, first by a
   process of its own (:mod:`wordgrad.io.common`).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PanicException, PolarsError
from polars.io.plugins import register_io_source

from wordgrad.errors import FormatError
from wordgrad.io.common import (
    REMEDY,
    ROWS_AT_ONCE,
    LoadOptions,
    VectorParts,
    assembled,
    check_memory,
    check_words,
    decoded_metadata,
    read_in_subprocess,
)
from wordgrad.processes import refuse_after_fork

LAYOUT = "1"
CHECKSUM = "wordgrad.checksum"
VALUES_AT_ONCE = 1 << 20  # a row group: several of them are in the works at any time
_BLOCK = 16 << 20
_BLANK = "0" * 25
_MARK = CHECKSUM.encode() + bytes([0x18, len(_BLANK)])  # Thrift: a string of so many bytes follows
_MAGIC = b"PAR1"  # at both ends; before the last one are the length and the bytes of the footer

Table = tuple[list[str], NDArray[np.float32], NDArray[np.int64] | None]


def write(parts: VectorParts, path: Path) -> None:
    """Write ``parts`` to a new file at ``path``."""
    refuse_after_fork("Writing Parquet")
    check_words(parts, "Parquet", "", holders="safetensors")
    schema: dict[str, Any] = {
        "word": pl.String,
        "vector": pl.Array(pl.Float32, parts.vector_size),
        "count": pl.Int64,
    }
    if parts.counts is None:
        del schema["count"]
    step = max(1, VALUES_AT_ONCE // parts.vector_size)
    metadata = {
        "wordgrad": LAYOUT,
        "wordgrad.metadata": json.dumps(parts.metadata),
        CHECKSUM: _BLANK,
    }
    source = register_io_source(lambda *_: _frames(parts, schema, step), schema=schema)
    try:
        source.sink_parquet(path, row_group_size=step, metadata=metadata)
    except PolarsError as error:  # a full disk, too, is an error of Polars' own kind
        raise OSError(str(error)) from error
    place, _, found = _checksums(path)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(found.encode())


def _frames(parts: VectorParts, schema: Mapping[str, Any], step: int) -> Iterator[pl.DataFrame]:
    for start in range(0, len(parts), step):
        some = slice(start, start + step)
        columns: dict[str, Any] = {"word": parts.words[some], "vector": parts.matrix[some]}
        if parts.counts is not None:
            columns["count"] = parts.counts[some]
        yield pl.DataFrame(
            [pl.Series(name, values, dtype=schema[name]) for name, values in columns.items()]
        )


def read(path: Path, options: LoadOptions) -> VectorParts:
    """Read a file of this format; see :func:`wordgrad.load`."""
    refuse_after_fork("Reading Parquet")
    _, promised, found = _checksums(path)
    if promised[-16:] == found[-16:] and promised != found:
        raise FormatError(f"{path} is damaged: it fails its checksum; {REMEDY}")
    if not promised or promised != found:
        read_in_subprocess(path, __name__)
    (words, matrix, counts), metadata = parts(path, options.limit)
    return assembled(path, words, matrix, options, counts=counts, metadata=metadata)


def parts(path: Path, limit: int | None = None) -> tuple[Table, dict[str, Any]]:
    """Words, matrix, counts and metadata of a file of which nothing has been checked.

    Parameters
    ----------
    path : Path
    limit : int, optional
        Most rows to read.

    Raises
    ------
    FormatError
        If it does not hold them.
    """
    try:
        entries = pl.read_parquet_metadata(path)
        table = _table(path, limit)
    except (PolarsError, PanicException, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise FormatError(f"{path} is not a whole Parquet file ({reason}); {REMEDY}") from error
    if entries.get("wordgrad", LAYOUT) != LAYOUT:
        raise FormatError(
            f"{path} has layout {entries['wordgrad']!r} and this version of wordgrad reads "
            f"{LAYOUT!r}; install a newer version."
        )
    return table, decoded_metadata(path, entries.get("wordgrad.metadata", "{}"))


def _checksums(path: Path) -> tuple[int, str, str]:
    """Where the checksum stands, what it promises ("" if there is none), and what it should be."""
    footer = _footer(path)
    total = path.stat().st_size
    found = footer.rfind(_MARK)
    if found < 0:
        return 0, "", ""
    found += len(_MARK)
    place = total - 8 - len(footer) + found
    value = 0
    with path.open("rb") as file:
        while left := min(_BLOCK, place - file.tell()):
            value = zlib.crc32(file.read(left), value)
        promised = file.read(len(_BLANK)).decode(errors="replace")
        value = zlib.crc32(file.read(), zlib.crc32(_BLANK.encode(), value))
    return place, promised, f"{value:08x}-{total:016d}"


def _footer(path: Path) -> bytes:
    """The Thrift structure at the end, with the length that the file says it has."""
    with path.open("rb") as file:
        total = path.stat().st_size
        start = file.read(len(_MAGIC))
        file.seek(max(0, total - 8))
        end = file.read()
        if start != _MAGIC or total < 12 or end[4:] != _MAGIC:
            raise FormatError(
                f"{path} is not a whole Parquet file: an end of it is missing; {REMEDY}"
            )
        length = int.from_bytes(end[:4], "little")
        if length > total - 12:
            raise FormatError(
                f"{path} is damaged: its footer cannot have {length} bytes of {total}; {REMEDY}"
            )
        file.seek(total - 8 - length)
        return file.read(length)


def _columns(path: Path) -> list[str]:
    """The columns to read, whose types fit."""
    schema = pl.read_parquet_schema(path)
    missing = {"word", "vector"} - schema.keys()
    if missing:
        raise FormatError(
            f"{path} is a table without the columns 'word' and 'vector' (it holds "
            f"{', '.join(list(schema)[:6]) or 'none'}); rename its columns."
        )
    vector = schema["vector"]
    floats = isinstance(vector, pl.Array | pl.List) and vector.inner in (pl.Float32, pl.Float64)
    integers = "count" not in schema or schema["count"].is_integer()
    if schema["word"] not in (pl.String, pl.Categorical) or not floats or not integers:
        raise FormatError(
            f"{path} must hold 'word' as strings, 'vector' as lists of floats, and 'count', if "
            f"there is one, as integers, got {', '.join(f'{k}: {v}' for k, v in schema.items())}; "
            "cast its columns."
        )
    return ["word", "vector"] + ["count"] * ("count" in schema)


def _table(path: Path, limit: int | None) -> Table:
    columns = _columns(path)
    scan = pl.scan_parquet(path, glob=False)
    rows = scan.select(pl.len()).collect().item()
    if rows == 0:
        raise FormatError(f"{path} holds no words; {REMEDY}")
    if limit is not None:
        rows, scan = min(rows, limit), scan.head(limit)
    words: list[str] = []
    matrix = np.empty((0, 0), dtype=np.float32)
    counts = np.empty(rows if "count" in columns else 0, dtype=np.int64)
    for frame in scan.select(columns).collect_batches(chunk_size=ROWS_AT_ONCE):
        done = len(words)
        vectors = _vectors(path, frame, done, matrix.shape[1])
        if done == 0:
            check_memory(path, 4 * rows * vectors.shape[1])
            matrix = np.empty((rows, vectors.shape[1]), dtype=np.float32)
        matrix[done : done + frame.height] = vectors
        words += frame["word"].cast(pl.String).to_list()
        if "count" in columns:
            counts[done : done + frame.height] = frame["count"].cast(pl.Int64).to_numpy()
    if len(words) != rows:
        raise FormatError(f"{path} holds {len(words)} of the {rows} rows it promises; {REMEDY}")
    return words, matrix, counts if "count" in columns else None


def _vectors(path: Path, frame: pl.DataFrame, first: int, size: int) -> NDArray[np.float32]:
    """Vectors of a block of rows that begins at row ``first``; ``size`` is 0 in the first block."""
    vectors = frame["vector"]
    flat = vectors.explode(empty_as_null=False)
    for column in (*frame.get_columns(), flat):
        if column.null_count():
            raise FormatError(f"{path} has a missing value in {column.name!r}; remove that row.")
    listed = isinstance(vectors.dtype, pl.List)
    lengths = (vectors.list.len() if listed else vectors.arr.len()).to_numpy()
    size = size or int(lengths[0])
    other = int(np.argmax(lengths != size))
    if lengths[other] != size:
        raise FormatError(
            f"{path} has a vector of {lengths[other]} values in row {first + other}, not the "
            f"{size} of row 0; repair that row."
        )
    if size == 0:
        raise FormatError(f"{path} holds vectors of no values; {REMEDY}")
    return flat.cast(pl.Float32).to_numpy().reshape(-1, size)
