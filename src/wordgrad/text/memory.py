"""Sentences that are in memory, or made one by one, as blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from wordgrad.errors import InputError
from wordgrad.text.blocks import BLOCK_BYTES, text_blocks
from wordgrad.text.tokens import TextBlock, TokenBlock

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
