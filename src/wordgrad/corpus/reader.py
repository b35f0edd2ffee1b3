"""The one way through what the user gave as text, whatever it was: blocks of it, or lines.

Training reads blocks (:meth:`Reading.pieces`): bytes that end at white space, or sentences that
were tokens already.  A classifier reads texts (:meth:`Reading.lines`, :func:`decoded_lines`): a
line, or a cell of a table, is a text, and none is lost or joined.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from numbers import Number
from typing import Any, BinaryIO

from wordgrad.corpus.blocks import BLOCK_BYTES, decompressed, not_utf8, replace_invalid, text_blocks
from wordgrad.corpus.documents import TagReader
from wordgrad.corpus.sources import (
    Sentences,
    StandardInput,
    TextFile,
    TextInput,
    TextSource,
    is_table,
    opened,
    resolve,
    texts_of,
)
from wordgrad.corpus.tables import table_lines
from wordgrad.corpus.tokenizer import TextBlock, TokenBlock
from wordgrad.errors import InputError, ParameterError, check_choice
from wordgrad.storage import is_url

_BLOCK_TOKENS = 1 << 18
_PIPE_BYTES = 1 << 16  # what a pipe holds
_SURROGATES = re.compile("[\ud800-\udfff]")


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
class Lines:
    """Some texts, in order, and the bytes of them that were not UTF-8 and are U+FFFD now."""

    texts: list[str]
    replaced: int = 0


@dataclass(frozen=True)
class Reading:
    """How to read a source; iterating over :meth:`pieces` or :meth:`lines` reads it once.

    Attributes
    ----------
    files : tuple of TextFile or StandardInput
        Empty for sentences in memory.
    bytes_total : int or None
        Size of the files on disk; None where it is not known beforehand.
    longest_line : int
        Lines up to this many bytes are in one piece.
    tags : TagReader, optional
        Takes the column of tags of tables, as they are read.
    """

    files: tuple[TextInput, ...]
    sentences: Sentences | None
    bytes_total: int | None
    column: str | None
    longest_line: int
    errors: str
    tags: TagReader | None = None

    @classmethod
    def of(
        cls,
        source: TextSource,
        *,
        column: str | None,
        longest_line: int = 0,
        errors: str,
        tags: TagReader | None = None,
    ) -> Reading:
        """Find the files of ``source`` and check that each can be read, before any work.

        Raises
        ------
        InputError
            If there is no such file, or one cannot be opened.
        ParameterError
            If ``column`` is given but nothing that is read has columns.
        """
        texts = texts_of(source, column)
        # What came out of a table or a column is text, however it looks.
        found = resolve(source) if texts is source else Sentences(texts)
        files = () if isinstance(found, Sentences) else tuple(found)
        no_columns = all(file.format == "text" for file in files) and not is_table(source)
        named = {"column": column, "tag_column": None if tags is None else tags.column}
        for name, value in named.items():
            if value is not None and no_columns:
                raise ParameterError(
                    f"{name} is for .jsonl, .csv, .tsv and .parquet files alone, and for tables in "
                    f"memory, got {value!r} for text without columns; leave it out."
                )
        return cls(
            files=files,
            sentences=found if isinstance(found, Sentences) else None,
            bytes_total=_total_size(files),
            column=column,
            longest_line=longest_line,
            errors=errors,
            tags=tags,
        )

    @property
    def name(self) -> str:
        """What is read, for messages."""
        if self.sentences is not None:
            return "the sentences given"
        first = self.files[0].name
        return first if len(self.files) == 1 else f"the {len(self.files)} files from {first} on"

    def pieces(self) -> Iterator[Piece]:
        """Read everything once, block by block, in order; small files are put together."""
        if self.sentences is not None:
            yield from sentence_pieces(
                self.sentences.items, errors=self.errors, longest_line=self.longest_line
            )
            return
        held: list[bytes] = []
        held_bytes = before = done = lost = 0
        starts: list[FileStart] = []
        for file in self.files:
            starts.append(FileStart(held_bytes, file.name))
            done = 0
            for data, done, replaced in self._blocks(file):
                held.append(data)
                held_bytes += len(data)
                lost += replaced
                # Each block has a price, whatever its size.
                if held_bytes >= BLOCK_BYTES // 2:
                    yield Piece(TextBlock(b"".join(held)), before + done, lost, tuple(starts))
                    held, held_bytes, lost, starts = [], 0, 0, []
            before += done
        if held:
            yield Piece(TextBlock(b"".join(held)), before, lost, tuple(starts))

    def _blocks(self, file: TextInput) -> Iterator[tuple[bytes, int, int]]:
        """Text, bytes read for it as they lie on disk, bytes replaced."""
        with opened(file) as handle:
            if file.format != "text":
                yield from table_lines(file, handle, self.column, self.errors, self.tags)
                return
            begins = isinstance(file, StandardInput) or file.start == 0
            read = decompressed(handle, file.compression, file.name, marked=begins)
            seekable = handle.seekable()
            done = 0
            for data in text_blocks(read, longest_line=self.longest_line, name=file.name):
                done = handle.tell() if seekable else done + len(data)
                yield data, done, 0

    def lines(self) -> Iterator[Lines]:
        """Read everything once, as texts; from standard input, as soon as a line is there."""
        for file in self.files:
            with opened(file) as handle:
                if file.format != "text":
                    rows = table_lines(file, handle, self.column, self.errors, self.tags)
                    for data, _, replaced in rows:
                        yield Lines(_split(data), replaced)
                    continue
                if isinstance(file, StandardInput):
                    blocks = _as_they_come(handle)
                else:
                    read = decompressed(handle, file.compression, file.name)
                    blocks = text_blocks(read, longest_line=None, name=file.name)
                yield from decoded_lines(blocks, file.name, self.errors)


def read_lines(
    source: TextSource, *, column: str | None = None, errors: str = "strict"
) -> Iterator[Lines]:
    """Read texts from files, a few thousand at a time.

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
    reading = Reading.of(source, column=column, errors=errors)
    if reading.sentences is not None:
        raise InputError("Lines are read from files; give a path, or '-'.")
    yield from reading.lines()


def decoded_lines(blocks: Iterable[bytes], name: str, errors: str) -> Iterator[Lines]:
    """Texts of blocks that end with their lines; an error names file and line."""
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


def _as_they_come(handle: BinaryIO) -> Iterator[bytes]:
    """Whole lines, as many as are waiting: one if somebody types them."""
    held: list[bytes] = []
    # Of a pipe or a terminal, a raw read returns what is there and does not wait for more.
    read = decompressed(getattr(handle, "raw", handle), None, StandardInput.name)
    while chunk := read(_PIPE_BYTES):
        whole, end, rest = chunk.rpartition(b"\n")
        if end:
            yield b"".join((*held, whole, end))
            held = []
        held.append(rest)
    if last := b"".join(held):
        yield last + b"\n"


def _total_size(files: tuple[TextInput, ...]) -> int | None:
    """Size of all files, once each is known to be readable; None if one has no size."""
    total = 0
    known = True
    for file in files:
        if not isinstance(file, TextFile):
            known = False
            continue
        total += file.size
        if is_url(file.path):  # whose files were listed, which not each of them can be asked for
            continue
        # Asked, not tried: a named pipe must not be opened twice.
        if not os.access(file.path, os.R_OK):
            raise InputError(
                f"{file.path} cannot be read (permission denied); change its permissions."
            )
        known &= file.path.is_file()
    return total if files and known else None


# ---------------------------------------------------------------- sentences in memory


def sentence_pieces(
    items: Iterable[Any], *, errors: str = "strict", longest_line: int = 0
) -> Iterator[Piece]:
    r"""Gather sentences that are in memory, or made one by one; read ``items`` once.

    Parameters
    ----------
    items : iterable
        Strings, a sentence each (a line feed in one is white space), or iterables of string
        tokens, which may hold any characters.  The first item decides; a mixture is an error.
    errors : {"strict", "replace"}
        What to do with lone surrogates, which no text encoding has: raise, or put U+FFFD (and
        count three bytes for each).
    longest_line : int
        Strings up to this many bytes are in one block each.

    Raises
    ------
    InputError
        If a sentence or a token is something else; the message names its place and type.

    Examples
    --------
    >>> next(sentence_pieces(iter(["one two", "three\nfour"]))).block
    TextBlock(data=b'one two\nthree four\n')
    >>> next(sentence_pieces([["New York", "is"], []])).block
    TokenBlock(tokens=['New York', 'is'], lengths=[2, 0])
    """
    iterator = iter(items)
    for first in iterator:
        if not isinstance(first, str):
            yield from _token_lists(chain([first], iterator), errors)
            return
        for data, replaced in _strings(first, iterator, errors):
            for block in _cut(data, longest_line):
                yield Piece(TextBlock(block), replaced=replaced)
                replaced = 0


def _strings(first: str, others: Iterator[Any], errors: str) -> Iterator[tuple[bytes, int]]:
    lines = [first]
    characters = len(first)
    number = 1
    for number, item in enumerate(others, start=2):
        if not isinstance(item, str):
            raise InputError(
                f"Sentence {number} is {_kind(item)}, but the first one is a string; give strings "
                f"alone, or lists of tokens alone{_got(item)}."
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
    try:
        return text.encode() + b"\n", 0
    except UnicodeEncodeError:
        text, replaced = _without_surrogates(text, first, errors)
        return text.encode() + b"\n", replaced


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


def _token_lists(items: Iterable[Any], errors: str) -> Iterator[Piece]:
    tokens: list[str] = []
    lengths: list[int] = []
    number = 0
    for number, item in enumerate(items, start=1):
        if not isinstance(item, (list, tuple)):
            _check_sentence(item, number)
        before = len(tokens)
        tokens.extend(item)
        lengths.append(len(tokens) - before)
        # A set of types takes a third of the time of as many calls of isinstance.
        for i in range(before, len(tokens)) if set(map(type, tokens[before:])) - {str} else ():
            if not isinstance(tokens[i], str):
                raise InputError(
                    f"Token {i - before + 1} of sentence {number} is {_kind(tokens[i])}; tokens "
                    f"must be strings{_got(tokens[i])}."
                )
        if len(tokens) >= _BLOCK_TOKENS:
            yield _token_piece(tokens, lengths, number, errors)
            tokens, lengths = [], []
    if lengths:
        yield _token_piece(tokens, lengths, number, errors)


def _check_sentence(item: Any, number: int) -> None:
    """Refuse what is no sequence of tokens, though one can iterate over it."""
    rows = isinstance(item, Mapping) or is_table(item)
    if not isinstance(item, Iterable) or isinstance(item, (str, bytes)) or rows:
        raise InputError(
            f"Sentence {number} is {_kind(item)}; each must be a string, or each a list of string "
            f"tokens{_got(item)}."
        )
    if isinstance(item, (set, frozenset)):
        raise InputError(
            f"Sentence {number} is {_kind(item)}, which has no order; give its tokens as a list."
        )
    if getattr(item, "ndim", 1) != 1:
        raise InputError(
            f"Sentence {number} is an array of {getattr(item, 'ndim', 0)} dimensions; each must be "
            "a string, or each a list of string tokens: give an array of one dimension."
        )


def _token_piece(tokens: list[str], lengths: list[int], last: int, errors: str) -> Piece:
    try:
        "".join(tokens).encode()
    except UnicodeEncodeError:
        pass
    else:
        return Piece(TokenBlock(tokens, lengths))
    replaced = 0
    clean: list[str] = []
    start = 0
    for number, length in enumerate(lengths, start=last - len(lengths) + 1):
        for token in tokens[start : start + length]:
            text, lost = _without_surrogates(token, number, errors)
            clean.append(text)
            replaced += lost
        start += length
    return Piece(TokenBlock(clean, lengths), replaced=replaced)


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


def _got(item: Any) -> str:
    """End of a message about something that is no string: what was got, and what helps."""
    if item is None or type(item).__name__ in ("NAType", "NaTType"):  # those of pandas
        return ": leave missing ones out"
    if isinstance(item, Number):  # bool and the numbers of NumPy among them
        missing = (
            ": leave missing ones out" if item != item else ": convert numbers with map(str, ...)"
        )
        return f", got {item}{missing}"
    if isinstance(item, (bytes, bytearray)):
        return ": decode bytes first"
    if isinstance(item, Mapping) or is_table(item):
        return ": give the column, or the value, that holds the text"
    if isinstance(item, Iterable) and not isinstance(item, str):
        return ": flatten lists within lists"
    return ""
