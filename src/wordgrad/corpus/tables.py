"""Which column of a table holds the text.

What has to be known of JSON lines before Polars parses them.

Polars infers types from whole rows, which for a value nested a thousand deep takes minutes or all
the memory, and it reads half a surrogate pair as U+0000.  So the columns are found here, from the
first rows, and such halves are found before.

Text in columns: JSON lines, CSV, TSV and Parquet, as blocks with a cell a line.

Polars parses; this module gives it a few megabytes at a time, cut between rows, so that memory
does not grow with the file and compressed files need no copy.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from wordgrad.corpus.blocks import (
    BLOCK_BYTES,
    LONGEST_ROW,
    decompressed,
    not_utf8,
    replace_invalid,
    row_too_long,
    text_blocks,
)
from wordgrad.corpus.sources import TextFile
from wordgrad.errors import InputError

if TYPE_CHECKING:
    import polars as pl


DEFAULT_COLUMN = "text"
_NAMES_SHOWN = 20
_NAME_SHOWN = 40  # characters: the first line of a text that is no table is one long name


def choose_column(
    path: Path, schema: Mapping[str, Any], column: str | None, *, all_are_text: bool = False
) -> str:
    """Name of the column to read.

    Parameters
    ----------
    path : Path
        For messages.
    schema : mapping of str to polars data type
    column : str or None
        What the user asked for; by default "text", or the only column of strings.
    all_are_text : bool
        Whether a column of another type can be read as text, as in CSV.

    Raises
    ------
    InputError
        If there is no such column, it does not hold strings, or the choice is not clear.

    Examples
    --------
    >>> import polars as pl
    >>> choose_column(Path("a.csv"), {"id": pl.Int64, "review": pl.String}, None)
    'review'
    """
    import polars as pl

    names = listed(list(schema))
    strings = [name for name, kind in schema.items() if kind == pl.String]
    if column is not None:
        if column not in schema:
            raise InputError(f"{path} has no column {column!r}; its columns are {names}.")
        if column not in strings and not all_are_text:
            raise InputError(
                f"The column {column!r} of {path} holds {schema[column]}, not strings; its "
                f"columns are {names}."
            )
        return column
    if DEFAULT_COLUMN in strings:
        return DEFAULT_COLUMN
    if len(strings) == 1:
        return strings[0]
    raise InputError(
        f"{path} has {len(strings)} columns of strings; name the one to read with column "
        f"(--column): its columns are {names}."
    )


def listed(names: list[str]) -> str:
    """Names for a message, which may be many and long.

    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    shown = [name if len(name) <= _NAME_SHOWN else name[:_NAME_SHOWN] + "..." for name in names]
    listed = ", ".join(map(repr, shown[:_NAMES_SHOWN])) or "none"
    more = len(names) - _NAMES_SHOWN
    return listed if more <= 0 else f"{listed} and {more} more"


ROWS_SEEN = 1000

_REPLACEMENT = rb"\ufffd"
# Escapes from left to right, so that the second backslash of "\\" begins none: a whole pair, half
# of one (the group), any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def json_columns(data: bytes) -> dict[str, Any]:
    r"""Names and Polars types of the columns, from the first :data:`ROWS_SEEN` rows.

    Raises
    ------
    ValueError, RecursionError
        If a row is no JSON object, or nested too deeply.

    Examples
    --------
    >>> json_columns(b'{"text": "a", "n": 1}\n{"text": null, "n": 2.5}\n')
    {'text': String, 'n': Float64}
    """
    kinds: dict[str, set[type]] = {}
    lines = (line for line in data.split(b"\n") if line.strip())
    for line in islice(lines, ROWS_SEEN):
        for name, value in _row(line).items():
            kinds.setdefault(name, set()).add(type(value))
    return {name: _polars_type(found) for name, found in kinds.items()}


def first_bad_json(data: bytes) -> tuple[int, str] | None:
    """Number, from 1, of the first line that is no JSON object, and why."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            _row(line)
        except RecursionError:
            return number, "nested too deeply"
        except ValueError as error:
            return number, str(error)
    return None


def without_lone_surrogates(
    data: bytes, name: str, lines_before: int, errors: str
) -> tuple[bytes, int]:
    r"""Replace escaped halves of surrogate pairs, which are no characters, or refuse them.

    Parameters
    ----------
    data : bytes
        Whole lines.
    name : str
        The file, for messages.
    lines_before : int
        Lines of the file before ``data``.
    errors : {"strict", "replace"}

    Returns
    -------
    data : bytes
    replaced : int
        Three bytes for each half, as where sentences are in memory.

    Raises
    ------
    InputError
        With ``errors="strict"``, naming file and line.

    Examples
    --------
    >>> without_lone_surrogates(rb'{"text": "\ud83d\ude00 \ud800"}', "a.jsonl", 0, "replace")
    (b'{"text": "\\ud83d\\ude00 \\ufffd"}', 3)
    """
    if rb"\ud" not in data and rb"\uD" not in data:
        return data, 0
    replaced = 0

    def whole(match: re.Match[bytes]) -> bytes:
        nonlocal replaced
        if match[1] is None:
            return match[0]
        if errors != "replace":
            line = lines_before + data.count(b"\n", 0, match.start()) + 1
            raise InputError(
                f"{name}, line {line}, holds a lone surrogate ({match[0].decode()}), which is no "
                'character; clean it, or go on with errors="replace" (--errors replace).'
            )
        replaced += 3
        return _REPLACEMENT

    return _ESCAPE.sub(whole, data), replaced


def _row(line: bytes) -> dict[str, Any]:
    row = json.loads(line.decode(), strict=False)
    if not isinstance(row, dict):
        raise ValueError("not an object")
    return row


def _polars_type(kinds: set[type]) -> type[pl.DataType]:
    import polars as pl

    known = kinds - {type(None)}
    if str in known or not known:
        return pl.String if known else pl.Null
    if known == {int}:
        return pl.Int64
    if known <= {int, float}:
        return pl.Float64
    if known == {bool}:
        return pl.Boolean
    return pl.List if list in known else pl.Struct if dict in known else pl.String


_SEPARATORS = {"csv": ",", "tsv": "\t"}
_PARQUET_ROWS = 4096
MOST_COLUMNS = 100_000
"""Of CSV and TSV; each takes some 4 kB, whatever is in it."""


@dataclass(frozen=True)
class Cells:
    """Some rows' text, and how far the file was read for them."""

    texts: pl.Series
    bytes_done: int
    replaced: int = 0


def table_blocks(
    file: TextFile, column: str | None, errors: str, handle: BinaryIO
) -> Iterator[tuple[bytes, int, int]]:
    """Read one column of a table, a line for each cell.

    An empty cell is an empty line; a line feed within a cell becomes a blank.

    Yields
    ------
    data : bytes
        UTF-8 text, about :data:`~wordgrad.corpus.blocks.BLOCK_BYTES` long.
    bytes_done : int
        Of the file as it lies on disk.
    replaced : int
        Bytes that were not UTF-8.

    Raises
    ------
    InputError
        If the file is not what its suffix says, or has no such column.
    """
    if file.format == "parquet":
        if file.compression is not None:
            raise InputError(
                f"{file.path} is a compressed Parquet file; decompress it first (Parquet "
                "compresses by itself)."
            )
        cells = _parquet_cells(file, column)
    else:
        cells = _Rows(file, column, errors, handle).cells()
    for part in cells:
        replaced = part.replaced
        for texts in _slices(part.texts):
            yield _as_lines(texts), part.bytes_done, replaced
            replaced = 0


def _slices(texts: pl.Series) -> Iterator[pl.Series]:
    """Parts of about a block's size, a single cell at least."""
    sizes = np.cumsum(texts.str.len_bytes().fill_null(0).to_numpy(), dtype=np.int64)
    start = 0
    while start < len(texts):
        before = sizes[start - 1] if start else 0
        stop = int(np.searchsorted(sizes, before + 2 * BLOCK_BYTES, side="right"))
        stop = max(stop, start + 1)
        yield texts[start:stop]
        start = stop


def _as_lines(texts: pl.Series) -> bytes:
    lines = texts.fill_null("").str.replace_all("\n", " ", literal=True).str.join("\n")
    text: str = lines.item()
    return text.encode() + b"\n"


def _parquet_cells(file: TextFile, column: str | None) -> Iterator[Cells]:
    import polars as pl

    try:
        os.fspath(file.path).encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{str(file.path)!a} has a name that is not UTF-8, by which Polars opens no Parquet "
            "file; rename it."
        ) from None
    try:
        frame = pl.scan_parquet(file.path, glob=False)
        name = choose_column(file.path, frame.collect_schema(), column)
        rows = max(1, frame.select(pl.len()).collect().item())
        size = file.path.stat().st_size
        done = 0
        for batch in frame.select(name).collect_batches(chunk_size=_PARQUET_ROWS):
            done += len(batch)
            yield Cells(batch[name], size * done // rows)
    # Polars does not check all that it reads: some damages make it panic, which is no Exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise InputError(
            f"{file.path} cannot be read as Parquet ({first_line(error)}); check that it is "
            "whole, and that its suffix is right."
        ) from error


class _Rows:
    """Rows of a text format, read block by block."""

    def __init__(self, file: TextFile, column: str | None, errors: str, handle: BinaryIO) -> None:
        self._file = file
        self._column = column
        self._errors = errors
        self._handle = handle
        self._lines = 0  # before the block in hand
        self._names: list[str] = []

    def cells(self) -> Iterator[Cells]:
        read = decompressed(self._handle, self._file.compression, str(self._file.path))
        blocks = text_blocks(read, longest_line=None, name=str(self._file.path))
        parse = self._parse_json
        if self._file.format != "jsonl":
            blocks = whole_rows(blocks, str(self._file.path))
            parse = self._parse_csv
        import polars as pl

        for number, data in enumerate(blocks):
            clean, replaced = self._utf8(data)
            try:
                if parse == self._parse_json:
                    clean, lone = without_lone_surrogates(
                        clean, str(self._file.path), self._lines, self._errors
                    )
                    replaced += lone
                texts = parse(clean, number == 0)
            except InputError:
                raise
            except (pl.exceptions.PolarsError, ValueError, RecursionError) as error:
                raise self._not_parsed(clean, error) from error
            self._lines += clean.count(b"\n")
            yield Cells(texts, self._handle.tell(), replaced)

    def _utf8(self, data: bytes) -> tuple[bytes, int]:
        try:
            if not data.isascii():
                data.decode()
        except UnicodeDecodeError as error:
            if self._errors == "replace":
                return replace_invalid(data)
            line = self._lines + data.count(b"\n", 0, error.start) + 1
            raise not_utf8(str(self._file.path), line, error) from None
        return data, 0

    def _parse_json(self, data: bytes, first: bool) -> pl.Series:
        import polars as pl

        if first:
            self._column = choose_column(self._file.path, json_columns(data), self._column)
        assert self._column is not None
        return pl.read_ndjson(data, schema={self._column: pl.String}).to_series()

    def _parse_csv(self, data: bytes, first: bool) -> pl.Series:
        import polars as pl

        separator = _SEPARATORS[self._file.format]
        if first:
            self._check_width(data, separator)
            head = pl.read_csv(data, separator=separator, infer_schema_length=1000, n_rows=1000)
            self._column = choose_column(
                self._file.path, head.schema, self._column, all_are_text=True
            )
            self._names = head.columns
        assert self._column is not None
        frame = pl.read_csv(
            data,
            separator=separator,
            has_header=first,
            schema=dict.fromkeys(self._names, pl.String),
        )
        return frame[self._column]

    def _check_width(self, data: bytes, separator: str) -> None:
        columns = data.partition(b"\n")[0].count(separator.encode()) + 1
        if columns > MOST_COLUMNS:
            raise InputError(
                f"{self._file.path} has {columns} columns in its first line, and at most "
                f"{MOST_COLUMNS} are read; keep those that are needed, or correct the suffix."
            )

    def _not_parsed(self, data: bytes, error: Exception) -> InputError:
        line, reason = f"in lines {self._lines + 1} to {self._lines + data.count(bytes([10]))}", ""
        if self._file.format == "jsonl":
            found = first_bad_json(data)
            if found is not None:
                line, reason = f"in line {self._lines + found[0]}", found[1]
        return InputError(
            f"{self._file.path} is not valid {self._file.format.upper()} {line} "
            f"({reason or first_line(error)}); correct the file."
        )


def whole_rows(blocks: Iterator[bytes], name: str = "The table") -> Iterator[bytes]:
    r"""Cut CSV between rows: a line feed within quotes ends none.

    Quotes within quotes are doubled, so a line feed is outside if an even number of quotes is
    before it.

    >>> list(whole_rows(iter([b'a,"b\n', b'c"\nd,e\n"f'])))
    [b'a,"b\nc"\nd,e\n', b'"f']
    """
    held: list[bytes] = []
    quotes = 0
    for block in blocks:
        array = np.frombuffer(block, dtype=np.uint8)
        before = quotes + np.cumsum(array == ord('"'))
        ends = np.flatnonzero((array == ord("\n")) & (before % 2 == 0))
        if len(ends):
            cut = int(ends[-1]) + 1
            yield b"".join((*held, block[:cut]))
            held, block = [], block[cut:]
            quotes = block.count(b'"')
        else:
            quotes = int(before[-1])
        held.append(block)
        if sum(map(len, held)) > LONGEST_ROW:
            raise row_too_long(name)
    if rest := b"".join(held):
        yield rest


def first_line(error: Exception) -> str:
    """The first line of an error's message; Polars goes on with advice for programmers."""
    return str(error).strip().partition("\n")[0][:300]
