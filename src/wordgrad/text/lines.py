"""Texts as they come: a line, or a cell of a table, is a text, and none is lost or joined."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from wordgrad.errors import InputError, ParameterError, check_choice
from wordgrad.text.blocks import decompressed, text_blocks
from wordgrad.text.reading import open_file
from wordgrad.text.sources import Sentences, StandardInput, TextFile, TextSource, resolve
from wordgrad.text.tables import table_blocks
from wordgrad.text.utf8 import not_utf8, replace_invalid

_PIPE_BYTES = 1 << 16  # what a pipe holds


@dataclass(frozen=True)
class Lines:
    """Some texts, in order, and the bytes of them that were not UTF-8 and are U+FFFD now."""

    texts: list[str]
    replaced: int = 0


def read_lines(
    source: TextSource, *, column: str | None = None, errors: str = "strict"
) -> Iterator[Lines]:
    """Read texts, a few thousand at a time; from standard input, as soon as a line is there.

    Parameters
    ----------
    source : path, glob, directory, "-", or several of them
    column : str, optional
        Of tables; see :func:`wordgrad.text.columns.choose_column`.
    errors : {"strict", "replace"}, default "strict"
        What to do with bytes that are not UTF-8.

    Yields
    ------
    Lines
        Blank lines are texts, too.  A line ends with LF or CR LF, and with nothing else.

    Raises
    ------
    InputError
        A file cannot be read, or is not UTF-8; the message names file and line.
    ParameterError
        A column is named and nothing has columns.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "texts.txt"
    >>> _ = path.write_bytes(b"one" + bytes([10, 10]) + b"two words")
    >>> [text for lines in read_lines(path) for text in lines.texts]
    ['one', '', 'two words']
    """
    check_choice("errors", errors, ("strict", "replace"))
    found = resolve(source)
    if isinstance(found, Sentences):
        raise InputError("Lines are read from files; give a path, or '-'.")
    if column is not None and all(_is_text(file) for file in found):
        raise ParameterError(
            f"column is for .jsonl, .csv, .tsv and .parquet files alone, got {column!r} for text "
            "without columns."
        )
    for file in found:
        yield from _of_file(file, column, errors)


def _is_text(file: TextFile | StandardInput) -> bool:
    return isinstance(file, StandardInput) or file.format == "text"


def _of_file(file: TextFile | StandardInput, column: str | None, errors: str) -> Iterator[Lines]:
    if isinstance(file, StandardInput):
        if sys.stdin is None:  # a program without a console
            raise InputError("Standard input is closed; give a file's path.")
        yield from _decoded(_as_they_come(sys.stdin.buffer), "standard input", errors)
        return
    with open_file(file.path) as handle:
        if file.format == "text":
            read = decompressed(handle, file.compression, str(file.path))
            yield from _decoded(text_blocks(read, longest_line=None), str(file.path), errors)
        else:
            for data, _, replaced in table_blocks(file, column, errors, handle):
                yield Lines(_split(data), replaced)


def _as_they_come(handle: BinaryIO) -> Iterator[bytes]:
    """Whole lines, as many as are waiting: one if somebody types them."""
    held: list[bytes] = []
    # Of a pipe or a terminal, a raw read returns what is there and does not wait for more.
    read = decompressed(_unbuffered(handle), None, "standard input")
    while chunk := read(_PIPE_BYTES):
        whole, end, rest = chunk.rpartition(b"\n")
        if end:
            yield b"".join((*held, whole, end))
            held = []
        held.append(rest)
    if last := b"".join(held):
        yield last + b"\n"


def _unbuffered(handle: BinaryIO) -> BinaryIO:
    return getattr(handle, "raw", handle)


def _decoded(blocks: Iterator[bytes], name: str, errors: str) -> Iterator[Lines]:
    before = 0
    for data in blocks:
        replaced, clean = 0, data
        try:
            data.decode()
        except UnicodeDecodeError as error:
            if errors == "strict":
                line = before + data.count(b"\n", 0, error.start) + 1
                raise not_utf8(name, line, error) from None
            clean, replaced = replace_invalid(data)
        before += data.count(b"\n")
        yield Lines(_split(clean), replaced)


def _split(data: bytes) -> list[str]:
    """Texts of lines that all end in a line feed."""
    return [line.removesuffix("\r") for line in data.decode().split("\n")[:-1]]
