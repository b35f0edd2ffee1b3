"""Tables in files: JSON lines, CSV, TSV and Parquet, as blocks of rows of some columns.

Polars parses; this module gives it a few megabytes at a time, cut between rows, so that memory
does not grow with the file and compressed files need no copy.

Before Polars sees JSON lines, two things are found here.  Polars infers types from whole rows,
which for a value nested a thousand deep takes minutes or all the memory: the columns are found from
the first rows.  And it reads half a surrogate pair as U+0000: such halves are refused or replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np

from wordgrad import storage
from wordgrad.corpus.blocks import (
    BLOCK_BYTES,
    LONGEST_ROW,
    decompressed,
    not_utf8,
    replace_invalid,
    row_too_long,
    text_blocks,
)
from wordgrad.corpus.documents import TagReader
from wordgrad.corpus.sources import TextInput
from wordgrad.errors import FormatError, InputError, WordgradError
from wordgrad.processes import refuse_after_fork

if TYPE_CHECKING:
    import polars as pl


DEFAULT_COLUMN = "text"
_NAMES_SHOWN = 20
_NAME_SHOWN = 40  # characters: the first line of a text that is no table is one long name


def choose_column(
    name: str, schema: Mapping[str, Any], column: str | None, *, all_are_text: bool = False
) -> str:
    """Name of the column to read.

    Parameters
    ----------
    name : str
        The table's, for messages.
    schema : mapping of str to polars data type
    column : str or None
        As the user named it; by default "text", or the only column of strings.
    all_are_text : bool
        Whether a column of another type can be read as text, as in CSV.

    Raises
    ------
    InputError
        If there is no such column, it does not hold strings, or the choice is not clear.

    Examples
    --------
    >>> import polars as pl
    >>> choose_column("a.csv", {"id": pl.Int64, "review": pl.String}, None)
    'review'
    """
    import polars as pl

    names = listed(list(schema))
    strings = [one for one, kind in schema.items() if kind in (pl.String, pl.Categorical, pl.Enum)]
    if column is not None:
        if column not in schema:
            raise InputError(f"{name} has no column {column!r}; its columns are {names}.")
        if column not in strings and not all_are_text:
            raise InputError(
                f"The column {column!r} of {name} holds {schema[column]}, not strings; its "
                f"columns are {names}."
            )
        return column
    if DEFAULT_COLUMN in strings:
        return DEFAULT_COLUMN
    if len(strings) == 1:
        return strings[0]
    raise InputError(
        f"{name} has {len(strings)} columns of strings; name the one to read with column "
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
_SCANNED = tuple(
    f"{scheme}://"
    for scheme in ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "http", "https", "hf")
)
MOST_COLUMNS = 100_000
"""Of CSV and TSV; each takes some 4 kB, whatever is in it."""


@dataclass(frozen=True)
class Rows:
    """Some rows of a table, and how far the file was read for them.

    Attributes
    ----------
    frame : polars.DataFrame
        The chosen columns, in the order chosen; of text formats they are strings.
    bytes_done : int
        Of the file as it lies on disk.
    replaced : int
        Bytes that were not UTF-8.
    """

    frame: pl.DataFrame
    bytes_done: int
    replaced: int = 0


class Chooser(Protocol):
    """Chooses columns: names, from a table's name and the Polars types of its columns.

    ``guessed`` tells that every value is written as text and the types are guesses (CSV and TSV).
    """

    def __call__(self, name: str, schema: Mapping[str, Any], *, guessed: bool) -> list[str]:
        """Return the names of the columns to read."""


def read_table(
    source: TextInput,
    form: str,
    choose: Chooser,
    errors: str,
    handle: BinaryIO,
    read: Callable[[int], bytes],
) -> Iterator[Rows]:
    """Read some columns of a table, block by block.

    Parameters
    ----------
    source : TextFile or StandardInput
    form : {"csv", "tsv", "jsonl", "parquet"}
    choose : Chooser
        Called once, with the table's name and the Polars types of its columns.
    errors : {"strict", "replace"}
        What to do with bytes that are not UTF-8.
    handle : file
        The open file.
    read : callable
        Its bytes, decompressed; Parquet is opened by its path instead.

    Raises
    ------
    FormatError
        If the file is not what its form says.
    InputError
        If a row is longer than anything that is read, or by ``choose``.
    """
    refuse_after_fork(f"Reading {source.name}, a table,")
    if form == "parquet":
        return _parquet_rows(source, choose)
    return _TextRows(source.name, form, choose, errors, handle, read).rows()


def table_lines(
    file: TextInput,
    handle: BinaryIO,
    column: str | None,
    errors: str,
    tags: TagReader | None = None,
) -> Iterator[tuple[bytes, int, int]]:
    """Read one column of a table, a line for each cell.

    An empty cell is an empty line; a line feed within a cell becomes a blank.  The column that
    ``tags`` names, if it does, is read along with it.

    Yields
    ------
    data : bytes
        UTF-8 text, about :data:`~wordgrad.corpus.blocks.BLOCK_BYTES` long.
    bytes_done : int
        Of the file as it lies on disk.
    replaced : int
        Bytes that were not UTF-8.
    """
    import polars as pl

    def choose(name: str, schema: Mapping[str, Any], *, guessed: bool) -> list[str]:
        found = [choose_column(name, schema, column, all_are_text=guessed)]
        if tags is not None and tags.column is not None:
            if tags.column not in schema:
                raise InputError(
                    f"{name} has no column {tags.column!r} of tags; its columns are "
                    f"{listed(list(schema))}."
                )
            found += [one for one in (tags.column,) if one not in found]
        return found

    read = decompressed(handle, file.compression, file.name)
    for rows in read_table(file, file.format, choose, errors, handle, read):
        if tags is not None and tags.column is not None:
            tags.add_column(rows.frame[tags.column], file.name)
        texts = rows.frame.to_series().cast(pl.String).fill_null("")
        texts = texts.str.replace_all("\n", " ", literal=True)
        ends = np.cumsum(texts.str.len_bytes().to_numpy(), dtype=np.int64)
        start, replaced = 0, rows.replaced
        while start < len(texts):  # parts of about a block's size, a single cell at least
            before = ends[start - 1] if start else 0
            stop = int(np.searchsorted(ends, before + 2 * BLOCK_BYTES, side="right"))
            part = texts[start : max(stop, start + 1)]
            yield str(part.str.join("\n").item()).encode() + b"\n", rows.bytes_done, replaced
            start, replaced = start + len(part), 0


def _parquet_rows(source: TextInput, choose: Chooser) -> Iterator[Rows]:
    import polars as pl

    name = source.name
    if source.path is None:
        raise FormatError("Parquet cannot come through standard input; give the file's path.")
    if source.compression is not None:
        raise FormatError(
            f"{name} is a compressed Parquet file; decompress it first (Parquet compresses by "
            "itself)."
        )
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{name!a} has a name that is not UTF-8, by which Polars opens no Parquet file; rename "
            "it."
        ) from None
    try:
        # Polars fetches the chosen columns alone, ahead of their use; from where it cannot, and of
        # an open file it would read all at once, the file is copied.
        scanned: AbstractContextManager[Path] = nullcontext(source.path)
        if storage.is_url(source.path) and not str(source.path).startswith(_SCANNED):
            scanned = storage.local(source.path)
        with scanned as path:
            place = str(path) if storage.is_url(path) else path
            frame = pl.scan_parquet(place, glob=False)
            columns = choose(name, frame.collect_schema(), guessed=False)
            rows = max(1, frame.select(pl.len()).collect().item())
            done = 0
            for batch in frame.select(columns).collect_batches(chunk_size=_PARQUET_ROWS):
                done += len(batch)
                yield Rows(batch, source.size * done // rows)
    except WordgradError:
        raise
    # Polars does not check all that it reads: some damages make it panic, which is no Exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        if isinstance(error, OSError) and storage.is_url(source.path):
            raise InputError(
                f"{name} cannot be read ({first_line(error)}); check the name, the credentials "
                "and the connection."
            ) from error
        raise FormatError(
            f"{name} cannot be read as Parquet ({first_line(error)}); check that it is whole, and "
            "that its suffix is right."
        ) from error


class _TextRows:
    """Rows of a text format, read block by block."""

    def __init__(
        self,
        name: str,
        form: str,
        choose: Chooser,
        errors: str,
        handle: BinaryIO,
        read: Callable[[int], bytes],
    ) -> None:
        self._name = name
        self._form = form
        self._choose = choose
        self._errors = errors
        self._handle = handle
        self._read = read
        self._lines = 0  # before the block in hand
        self._chosen: list[str] = []
        self._all: list[str] = []
        self._lists: set[str] = set()  # of those chosen: several tags a document

    def rows(self) -> Iterator[Rows]:
        import polars as pl

        blocks = text_blocks(self._read, longest_line=None, name=self._name)
        parse = self._parse_json
        if self._form != "jsonl":
            blocks = whole_rows(blocks, self._name)
            parse = self._parse_csv
        seekable = self._handle.seekable()
        done = 0
        for number, data in enumerate(blocks):
            clean, replaced = self._utf8(data)
            if self._form == "jsonl":
                clean, lone = without_lone_surrogates(clean, self._name, self._lines, self._errors)
                replaced += lone
            try:
                frame = parse(clean, number == 0)
            except WordgradError:  # about the columns; a ValueError, too
                raise
            except (pl.exceptions.PolarsError, ValueError, RecursionError) as error:
                raise self._not_parsed(clean, error) from error
            self._lines += clean.count(b"\n")
            done = self._handle.tell() if seekable else done + len(data)
            yield Rows(frame, done, replaced)

    def _utf8(self, data: bytes) -> tuple[bytes, int]:
        try:
            if not data.isascii():
                data.decode()
        except UnicodeDecodeError as error:
            if self._errors == "replace":
                return replace_invalid(data)
            line = self._lines + data.count(b"\n", 0, error.start) + 1
            raise not_utf8(self._name, line, error) from None
        return data, 0

    def _parse_json(self, data: bytes, first: bool) -> pl.DataFrame:
        import polars as pl

        if first:
            kinds = json_columns(data)
            self._chosen = self._choose(self._name, kinds, guessed=False)
            self._lists = {name for name in self._chosen if kinds[name] == pl.List}
        text, texts = pl.String(), pl.List(pl.String)
        schema = {name: texts if name in self._lists else text for name in self._chosen}
        return pl.read_ndjson(data, schema=schema)

    def _parse_csv(self, data: bytes, first: bool) -> pl.DataFrame:
        import polars as pl

        separator = _SEPARATORS[self._form]
        if first:
            columns = data.partition(b"\n")[0].count(separator.encode()) + 1
            if columns > MOST_COLUMNS:
                raise InputError(
                    f"{self._name} has {columns} columns in its first line, and at most "
                    f"{MOST_COLUMNS} are read; keep those that are needed, or correct the suffix."
                )
            head = pl.read_csv(data, separator=separator, infer_schema_length=1000, n_rows=1000)
            self._chosen = self._choose(self._name, head.schema, guessed=True)
            self._all = head.columns
        frame = pl.read_csv(
            data,
            separator=separator,
            has_header=first,
            schema=dict.fromkeys(self._all, pl.String),
        )
        return frame.select(self._chosen)

    def _not_parsed(self, data: bytes, error: Exception) -> FormatError:
        line, reason = f"in lines {self._lines + 1} to {self._lines + data.count(bytes([10]))}", ""
        if self._form == "jsonl":
            found = first_bad_json(data)
            if found is not None:
                line, reason = f"in line {self._lines + found[0]}", found[1]
        return FormatError(
            f"{self._name} is not valid {self._form.upper()} {line} "
            f"({reason or first_line(error)}); correct the file, or its suffix."
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
