"""From what the user gave to blocks of text, whatever it was."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wordgrad.errors import InputError, ParameterError
from wordgrad.text.blocks import BLOCK_BYTES, decompressed, text_blocks
from wordgrad.text.memory import sentence_blocks
from wordgrad.text.sources import Sentences, StandardInput, TextFile, TextSource, resolve
from wordgrad.text.tables import table_blocks
from wordgrad.text.tokens import TextBlock, TokenBlock


@dataclass(frozen=True)
class FileStart:
    """Where in a block a file begins."""

    offset: int
    name: str


@dataclass(frozen=True)
class Piece:
    """A block and where it came from.

    Attributes
    ----------
    block : TextBlock or TokenBlock
    bytes_done : int
        Of all files so far, as they lie on disk; 0 for sentences in memory.
    replaced : int
        Bytes that were not UTF-8 and are U+FFFD now.
    starts : tuple of FileStart
        Files that begin in this block.  It goes on with an earlier file up to the first of them.
    """

    block: TextBlock | TokenBlock
    bytes_done: int = 0
    replaced: int = 0
    starts: tuple[FileStart, ...] = ()


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

    @property
    def name(self) -> str:
        """What is read, for messages."""
        if self.sentences is not None:
            return "the sentences given"
        names = [_name(file) for file in self.files]
        return names[0] if len(names) == 1 else f"the {len(names)} files from {names[0]} on"

    def pieces(self) -> Iterator[Piece]:
        """Read everything once, block by block, in order."""
        if self.sentences is not None:
            blocks = sentence_blocks(
                self.sentences.items, errors=self.errors, longest_line=self.longest_line
            )
            for block, replaced in blocks:
                yield Piece(block, replaced=replaced)
            return
        yield from self._gathered()

    def _gathered(self) -> Iterator[Piece]:
        """Blocks of files, small ones put together: each has a price, whatever its size."""
        held: list[bytes] = []
        held_bytes = before = done = lost = 0
        starts: list[FileStart] = []
        for file in self.files:
            starts.append(FileStart(held_bytes, _name(file)))
            done = 0
            for data, done, replaced in self._file_blocks(file):
                held.append(data)
                held_bytes += len(data)
                lost += replaced
                if held_bytes >= BLOCK_BYTES // 2:
                    yield Piece(TextBlock(b"".join(held)), before + done, lost, tuple(starts))
                    held, held_bytes, lost, starts = [], 0, 0, []
            before += done
        if held:
            yield Piece(TextBlock(b"".join(held)), before, lost, tuple(starts))

    def _file_blocks(self, file: TextFile | StandardInput) -> Iterator[tuple[bytes, int, int]]:
        """Text, bytes read for it as they lie on disk, bytes replaced."""
        if isinstance(file, StandardInput):
            if sys.stdin is None:  # a program without a console
                raise InputError("Standard input is closed; give a file's path.")
            yield from self._text_blocks(sys.stdin.buffer, None, _name(file))
            return
        with open_file(file.path) as handle:
            if file.format == "text":
                yield from self._text_blocks(handle, file.compression, _name(file))
            else:
                yield from table_blocks(file, self.column, self.errors, handle)

    def _text_blocks(
        self, handle: BinaryIO, compression: str | None, name: str
    ) -> Iterator[tuple[bytes, int, int]]:
        read = decompressed(handle, compression, name)
        seekable = handle.seekable()
        done = 0
        for data in text_blocks(read, longest_line=self.longest_line, name=name):
            done = handle.tell() if seekable else done + len(data)
            yield data, done, 0


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
    """Size of all files, once each is known to be readable; None if one has no size."""
    total = 0
    known = True
    for file in files:
        if isinstance(file, StandardInput):
            known = False
            continue
        # Asked, not tried: a named pipe must not be opened twice.
        if not os.access(file.path, os.R_OK):
            raise InputError(
                f"{file.path} cannot be read (permission denied); change its permissions."
            )
        known &= file.path.is_file()
        total += file.path.stat().st_size
    return total if files and known else None


def _name(file: TextFile | StandardInput) -> str:
    return str(file.path) if isinstance(file, TextFile) else "standard input"


def _is_text(file: TextFile | StandardInput) -> bool:
    return isinstance(file, StandardInput) or file.format == "text"
