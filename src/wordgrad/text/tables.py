"""Text in columns: JSON lines, CSV, TSV and Parquet, as blocks with a cell a line.

Polars parses; this module gives it a few megabytes at a time, cut between rows, so that memory
does not grow with the file and compressed files need no copy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from wordgrad.errors import InputError
from wordgrad.text.blocks import (
    BLOCK_BYTES,
    LONGEST_ROW,
    decompressed,
    row_too_long,
    text_blocks,
)
from wordgrad.text.columns import choose_column
from wordgrad.text.json_lines import first_bad_json, json_columns, without_lone_surrogates
from wordgrad.text.sources import TextFile
from wordgrad.text.utf8 import not_utf8, replace_invalid

if TYPE_CHECKING:
    import polars as pl

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
        UTF-8 text, about :data:`~wordgrad.text.blocks.BLOCK_BYTES` long.
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
