"""From what the user gave to blocks of text, whatever it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wordgrad.errors import InputError, ParameterError
from wordgrad.text.blocks import decompressed, text_blocks
from wordgrad.text.memory import sentence_blocks
from wordgrad.text.sources import Sentences, StandardInput, TextFile, TextSource, resolve
from wordgrad.text.tables import table_blocks
from wordgrad.text.tokens import TextBlock, TokenBlock


@dataclass(frozen=True)
class Piece:
    """A block and where it came from."""

    block: TextBlock | TokenBlock
    name: str  # of the file; "" for sentences in memory
    bytes_done: int  # of all files so far, as they lie on disk
    replaced: int = 0  # bytes that were not UTF-8 and are U+FFFD now


@dataclass(frozen=True)
class Reading:
    """How to read a source; iterating over :meth:`pieces` reads it once.

    Attributes
    ----------
    files : tuple of TextFile or StandardInput
        Empty for sentences in memory.
    bytes_total : int or None
        Size of the files on disk; None where it is not known beforehand.
    longest_line : int
        Lines up to this many bytes are not cut.
    """

    files: tuple[TextFile | StandardInput, ...]
    sentences: Sentences | None
    bytes_total: int | None
    column: str | None
    longest_line: int
    errors: str

    @classmethod
    def of(
        cls, source: TextSource, *, column: str | None, longest_line: int, errors: str
    ) -> Reading:
        """Find the files of ``source`` and check that each can be read, before any work.

        Raises
        ------
        InputError
            If there is no such file, or one cannot be opened.
        ParameterError
            If ``column`` is given but nothing that is read has columns.
        """
        found = resolve(source)
        files = () if isinstance(found, Sentences) else tuple(found)
        if column is not None and all(_is_text(file) for file in files):
            raise ParameterError(
                f"column is for .jsonl, .csv, .tsv and .parquet files alone, got {column!r} for "
                "text without columns."
            )
        return cls(
            files=files,
            sentences=found if isinstance(found, Sentences) else None,
            bytes_total=_total_size(files),
            column=column,
            longest_line=longest_line,
            errors=errors,
        )

    def pieces(self) -> Iterator[Piece]:
        """Read everything once, block by block, in order."""
        if self.sentences is not None:
            for block, replaced in sentence_blocks(self.sentences.items, errors=self.errors):
                yield Piece(block, "", 0, replaced)
        before = 0
        for file in self.files:
            for piece in self._file_pieces(file):
                done = before + piece.bytes_done
                yield Piece(piece.block, piece.name, done, piece.replaced)
            before += _size(file) if isinstance(file, TextFile) else 0

    def _file_pieces(self, file: TextFile | StandardInput) -> Iterator[Piece]:
        if isinstance(file, StandardInput):
            yield from self._text_pieces(sys.stdin.buffer, None, "standard input")
        elif file.format == "text":
            with open_file(file.path) as handle:
                yield from self._text_pieces(handle, file.compression, str(file.path))
        else:
            with open_file(file.path) as handle:
                for data, done, replaced in table_blocks(file, self.column, self.errors, handle):
                    yield Piece(TextBlock(data), str(file.path), done, replaced)

    def _text_pieces(self, handle: BinaryIO, compression: str | None, name: str) -> Iterator[Piece]:
        read = decompressed(handle, compression, name)
        done = 0
        for data in text_blocks(read, longest_line=self.longest_line):
            done = handle.tell() if handle.seekable() else done + len(data)
            yield Piece(TextBlock(data), name, done)


def open_file(path: Path) -> BinaryIO:
    """Open for reading; every failure is an :class:`InputError`."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}); check that it is a file and its "
            "permissions."
        ) from error


def _total_size(files: tuple[TextFile | StandardInput, ...]) -> int | None:
    total = 0
    for file in files:
        if isinstance(file, StandardInput):
            return None
        with open_file(file.path):
            total += _size(file)
    return total if files else None


def _size(file: TextFile) -> int:
    return file.path.stat().st_size


def _is_text(file: TextFile | StandardInput) -> bool:
    return isinstance(file, StandardInput) or file.format == "text"
