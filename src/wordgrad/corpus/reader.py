"""Sentences that are in memory, or made one by one, as blocks.

From what the user gave to blocks of text, whatever it was.

Texts as they come: a line, or a cell of a table, is a text, and none is lost or joined.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from wordgrad.corpus.blocks import BLOCK_BYTES, decompressed, not_utf8, replace_invalid, text_blocks
from wordgrad.corpus.sources import Sentences, StandardInput, TextFile, TextSource, resolve
from wordgrad.corpus.tables import table_blocks
from wordgrad.corpus.tokenizer import TextBlock, TokenBlock
from wordgrad.errors import InputError, ParameterError, check_choice

_BLOCK_TOKENS = 1 << 18
_SURROGATES = re.compile("[\ud800-\udfff]")


def sentence_blocks(
    items: Iterable[Any], *, errors: str = "strict", longest_line: int = 0
) -> Iterator[tuple[TextBlock | TokenBlock, int]]:
    r"""Gather sentences into blocks; pass over ``items`` once.

    Parameters
    ----------
    items : iterable
        Strings, a sentence each (a line feed in one is white space), or iterables of string
        tokens, which may hold any characters.  The first item decides; a mixture is an error.
    errors : {"strict", "replace"}
        What to do with lone surrogates, which no text encoding has: raise, or put U+FFFD.
    longest_line : int
        Strings up to this many bytes are in one block each.

    Yields
    ------
    block : TextBlock or TokenBlock
    replaced : int
        Bytes that U+FFFD stands for (three for each surrogate).

    Examples
    --------
    >>> next(sentence_blocks(iter(["one two", "three\nfour"])))
    (TextBlock(data=b'one two\nthree four\n'), 0)
    >>> next(sentence_blocks([["New York", "is"], []]))
    (TokenBlock(tokens=['New York', 'is'], lengths=[2, 0]), 0)
    """
    iterator = iter(items)
    for first in iterator:
        if isinstance(first, str):
            for data, replaced in _strings(first, iterator, errors):
                for piece in _cut(data, longest_line):
                    yield TextBlock(piece), replaced
                    replaced = 0
            return
        yield from _token_lists(first, iterator, errors)


def _strings(first: str, others: Iterator[Any], errors: str) -> Iterator[tuple[bytes, int]]:
    lines = [first]
    characters = len(first)
    number = 1
    for number, item in enumerate(others, start=2):
        if not isinstance(item, str):
            raise InputError(
                f"Sentence {number} is {_kind(item)}, but the first one is a string; give strings "
                "alone, or lists of tokens alone."
            )
        if characters >= BLOCK_BYTES:
            yield _joined(lines, number - len(lines), errors)
            lines, characters = [], 0
        lines.append(item)
        characters += len(item) + 1
    yield _joined(lines, number - len(lines) + 1, errors)


def _joined(lines: list[str], first: int, errors: str) -> tuple[bytes, int]:
    """Sentences as bytes, a line each; ``first`` is the number of the first, for messages."""
    text = "\n".join(lines)
    if text.count("\n") >= len(lines):
        text = "\n".join(line.replace("\n", " ") for line in lines)
    replaced = 0
    try:
        data = text.encode() + b"\n"
    except UnicodeEncodeError:
        text, replaced = _without_surrogates(text, first, errors)
        data = text.encode() + b"\n"
    return data, replaced


def _cut(data: bytes, longest_line: int) -> Iterator[bytes]:
    """One string may be of any length, so it is cut like a file."""
    if len(data) <= 2 * BLOCK_BYTES:
        return iter((data,))
    view = memoryview(data)
    position = 0

    def read(size: int) -> bytes:
        nonlocal position
        position += size
        return bytes(view[position - size : position])

    return text_blocks(read, longest_line=longest_line, name="A sentence")


def _token_lists(
    first: Any, others: Iterator[Any], errors: str
) -> Iterator[tuple[TokenBlock, int]]:
    tokens: list[str] = []
    lengths: list[int] = []
    for number, item in enumerate(_chain(first, others), start=1):
        if isinstance(item, (str, bytes)) or not isinstance(item, Iterable):
            raise InputError(
                f"Sentence {number} is {_kind(item)}; each must be a string, or each a list of "
                "string tokens."
            )
        before = len(tokens)
        tokens.extend(item)
        lengths.append(len(tokens) - before)
        _check_tokens(tokens, before, number)
        if len(tokens) >= _BLOCK_TOKENS:
            yield _token_block(tokens, lengths, number, errors)
            tokens, lengths = [], []
    if lengths:
        yield _token_block(tokens, lengths, number, errors)


def _chain(first: Any, others: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from others


def _check_tokens(tokens: list[str], start: int, number: int) -> None:
    for i in range(start, len(tokens)):
        if not isinstance(tokens[i], str):
            raise InputError(
                f"Token {i - start + 1} of sentence {number} is {_kind(tokens[i])}; tokens must "
                "be strings."
            )


def _token_block(
    tokens: list[str], lengths: list[int], last: int, errors: str
) -> tuple[TokenBlock, int]:
    try:
        "".join(tokens).encode()
    except UnicodeEncodeError:
        pass
    else:
        return TokenBlock(tokens, lengths), 0
    replaced = 0
    clean: list[str] = []
    start = 0
    for number, length in enumerate(lengths, start=last - len(lengths) + 1):
        for token in tokens[start : start + length]:
            text, lost = _without_surrogates(token, number, errors)
            clean.append(text)
            replaced += lost
        start += length
    return TokenBlock(clean, lengths), replaced


def _without_surrogates(text: str, number: int, errors: str) -> tuple[str, int]:
    if errors == "replace":
        text, found = _SURROGATES.subn("\ufffd", text)
        return text, 3 * found
    found_one = _SURROGATES.search(text)
    if found_one is None:
        return text, 0
    number += text.count("\n", 0, found_one.start())
    raise InputError(
        f"Sentence {number} holds a lone surrogate ({found_one.group()!a}), which is no "
        'character; clean it, or go on with errors="replace".'
    )


def _kind(item: object) -> str:
    return "None" if item is None else f"of type {type(item).__name__}"


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
        Of tables; see :func:`wordgrad.corpus.tables.choose_column`.
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
    if column is not None and all(_is_text_file(file) for file in found):
        raise ParameterError(
            f"column is for .jsonl, .csv, .tsv and .parquet files alone, got {column!r} for text "
            "without columns."
        )
    for file in found:
        yield from _of_file(file, column, errors)


def _is_text_file(file: TextFile | StandardInput) -> bool:
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
