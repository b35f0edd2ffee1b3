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
look at, and a damaged number of bytes can end the process inside Polars, where nothing is left to
catch.  A file whose length is another was written anew by another program; such tables are read
without the comparison, if ``vector`` is a list of floats of one length.
"""

from __future__ import annotations

import json
import mmap
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PanicException, PolarsError

from wordgrad.errors import FormatError
from wordgrad.vectors.formats.reading import Opening, assembled, check_words
from wordgrad.vectors.word_vectors import WordVectors

LAYOUT = "1"
CHECKSUM = "wordgrad.checksum"
VALUES_AT_ONCE = 1 << 22  # a row group
LEAST_BYTES = 12  # "PAR1", the length of the footer, "PAR1"
REMEDY = "fetch an undamaged copy, or write it again."
_BLANK = "0" * 25
_MARK = CHECKSUM.encode() + bytes([0x18, len(_BLANK)])  # Thrift: a string of so many bytes follows


def write(vectors: WordVectors, path: Path) -> None:
    """Write ``vectors`` to a new file at ``path``."""
    words = check_words(vectors, "Parquet", "", holders="safetensors")
    size = vectors.vector_size
    columns = {
        "word": pl.Series(list(words), dtype=pl.String),
        "vector": pl.Series(vectors.matrix, dtype=pl.Array(pl.Float32, size)),
    }
    if vectors.counts is not None:
        columns["count"] = pl.Series(vectors.counts, dtype=pl.Int64)
    metadata = {
        "wordgrad": LAYOUT,
        "wordgrad.metadata": json.dumps(vectors.metadata),
        CHECKSUM: _BLANK,
    }
    try:
        pl.DataFrame(columns).write_parquet(
            path, row_group_size=max(1, VALUES_AT_ONCE // size), metadata=metadata
        )
    except PolarsError as error:  # a full disk, too, is an error of Polars' own kind
        raise OSError(str(error)) from error
    _, found = _checksums(path)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        place = mapped.rfind(_MARK) + len(_MARK)
        mapped[place : place + len(_BLANK)] = found.encode()


def read(path: Path, opening: Opening) -> WordVectors:
    """Read a file of this format; see :func:`wordgrad.vectors.formats.load`."""
    promised, found = _checksums(path)
    if promised[-16:] == found[-16:] and promised != found:
        raise FormatError(f"{path} is damaged: it fails its checksum; {REMEDY}")
    try:
        metadata = pl.read_parquet_metadata(path)
        frame = pl.read_parquet(path, columns=_columns(path), glob=False)
        words, matrix, counts = _parts(path, frame)
    except (PolarsError, PanicException, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise FormatError(f"{path} is not a whole Parquet file ({reason}); {REMEDY}") from error
    if metadata.get("wordgrad", LAYOUT) != LAYOUT:
        raise FormatError(
            f"{path} has layout {metadata['wordgrad']!r} and this version of wordgrad reads "
            f"{LAYOUT!r}; install a newer version."
        )
    entries = _metadata(path, metadata.get("wordgrad.metadata", "{}"))
    return assembled(path, words, matrix, opening, counts=counts, metadata=entries)


def _checksums(path: Path) -> tuple[str, str]:
    """The checksum that a file promises ("" if none), and the one that it has."""
    if path.stat().st_size < LEAST_BYTES:
        raise FormatError(f"{path} is not a whole Parquet file: it is too short; {REMEDY}")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        place = mapped.rfind(_MARK) + len(_MARK)
        if place < len(_MARK):
            return "", ""
        promised = mapped[place : place + len(_BLANK)].decode(errors="replace")
        with memoryview(mapped) as whole, whole[:place] as before:
            value = zlib.crc32(_BLANK.encode(), zlib.crc32(before))
            with whole[place + len(_BLANK) :] as after:
                value = zlib.crc32(after, value)
        return promised, f"{value:08x}-{len(mapped):016d}"


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


def _parts(
    path: Path, frame: pl.DataFrame
) -> tuple[list[str], NDArray[np.float32], NDArray[np.int64] | None]:
    """Words, matrix and counts of a table."""
    if frame.height == 0:
        raise FormatError(f"{path} holds no words; {REMEDY}")
    vectors = frame["vector"]
    if isinstance(vectors.dtype, pl.List):
        lengths = vectors.list.len()
        size = lengths[0]
        other = (lengths.fill_null(-1) != size).arg_max() or 0
        if size is None or lengths[other] != size:
            raise FormatError(
                f"{path} has a vector of {lengths[other]} values in row {other}, not the {size} of "
                "row 0; repair that row."
            )
    else:
        size = vectors.dtype.shape[0] if isinstance(vectors.dtype, pl.Array) else 0
    flat = vectors.explode(empty_as_null=False)
    for column in (frame["word"], vectors, flat, *frame.get_columns()[2:]):
        if column.null_count():
            raise FormatError(f"{path} has a missing value in {column.name!r}; remove that row.")
    if not size:
        raise FormatError(f"{path} holds vectors of no values; {REMEDY}")
    matrix = flat.cast(pl.Float32).to_numpy().reshape(-1, size)
    counts = frame["count"].cast(pl.Int64).to_numpy() if "count" in frame.columns else None
    return frame["word"].cast(pl.String).to_list(), matrix, counts


def _metadata(path: Path, entries: str) -> dict[str, Any]:
    try:
        found = json.loads(entries)
        if not isinstance(found, dict):
            raise ValueError("not an object")
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is damaged: its metadata is not JSON; {REMEDY}") from error
    return found
