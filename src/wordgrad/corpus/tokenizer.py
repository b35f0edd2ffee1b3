"""From blocks of text to provisional word ids, many tokens at a time.

Each thread that encodes has a table of words (:mod:`wordgrad.corpus.word_table`), which gives every
distinct token the next of its numbers; a word may have one in each table until
:meth:`Tokenizer.types` joins them.  The numbers depend on the order of reading;
:mod:`wordgrad.corpus.encode` turns them into final ids once all counts are known.  Number 0
(:data:`END`) marks the end of a sentence and travels among the tokens, so sentences cost nothing to
keep track of.

White space is found by the table's kernel, and the matches of a pattern by Polars, which is why
``pattern`` is refused in a process that was forked after Polars was used
(:mod:`wordgrad.processes`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import InputError, ParameterError
from wordgrad.processes import refuse_after_fork

if TYPE_CHECKING:
    import polars as pl

    from wordgrad.corpus.word_table import Words, WordTable


END = 0
"""Provisional id that ends a sentence."""

_MOST_IDS = 1 << 31

SIGNS = (
    "!-&(-/:-@[-^`{-~"  # ASCII but the apostrophe and the underscore
    "\u00a1-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7"  # Latin
    "\u055a-\u055f\u0589\u058a\u05be\u05c0\u05c3\u05c6\u05f3\u05f4"  # Armenian, Hebrew
    "\u060c\u060d\u061b\u061e\u061f\u066a-\u066d\u06d4"  # Arabic
    "\u0964\u0965\u0970\u0df4\u0e4f\u0e5a\u0e5b\u104a-\u104f\u10fb\u1360-\u1368\u17d4-\u17da"
    "\u2010-\u2018\u201a-\u2027\u2030-\u205e\u20a0-\u20bf\u2100-\u2bff"
    "\u3001-\u3004\u3008-\u3020\u3030\u30fb\ufe10-\ufe19\ufe30-\ufe6b"  # Chinese, Japanese
    "\uff01-\uff06\uff08-\uff0f\uff1a-\uff20\uff3b-\uff3e\uff40\uff5b-\uff65\uffe0-\uffe6"
    "\U0001f000-\U0001faff"  # emoji
)
"""Characters that are tokens by themselves, as the inside of a regular expression's brackets.

Punctuation and symbols of the scripts in common use.  Everything else that is no white space is
part of a word, marks of vowels among them, which regular expressions of Python count as no letters.
"""

APOSTROPHES = "'\u2019\uff07"

WORDS_AND_SIGNS = (
    f"[^\\s{SIGNS}{APOSTROPHES}]+(?:[{APOSTROPHES}][^\\s{SIGNS}{APOSTROPHES}]+)*"
    f"|[{SIGNS}{APOSTROPHES}]"
)
"""Words, with an apostrophe inside if there is one, and signs, in the syntax of Python's ``re``."""


@dataclass(frozen=True)
class TextBlock:
    """A run of UTF-8 text that ends at white space or at the end of its source.

    ``data`` is bytes in which a line feed ends a sentence.
    """

    data: bytes


@dataclass(frozen=True)
class TokenBlock:
    """Some sentences that were tokens already: ``lengths`` cut ``tokens`` into sentences.

    A token may be any string, one of white space and an empty one among them.
    """

    tokens: list[str]
    lengths: list[int]


@dataclass(frozen=True)
class TextLines:
    """Some sentences as strings; a line feed inside one counts as a space."""

    texts: list[str]


@dataclass(frozen=True)
class Types:
    """The distinct tokens of a text.

    Attributes
    ----------
    words : Words
        Distinct, in no particular order.
    counts : int64 array
        How often each occurs.
    groups : int32 array
        Position in ``words`` of each provisional id, -1 for what is not a word.
    """

    words: Words
    counts: NDArray[np.int64]
    groups: NDArray[np.int32]


class Tokenizer:
    r"""Splits text into tokens and numbers them; any number of threads may share one.

    Parameters
    ----------
    pattern : str, optional
        Regular expression (the syntax of Rust's ``regex``: no look-around, no back-references).
        Each match in a line is a token, whatever it holds; an empty match is none.  Without it
        tokens are what ``str.split()`` gives.
    lowercase : bool
        Lower-case each line before ``pattern`` is applied.  Without a pattern it is cheaper to
        lower-case the distinct tokens at the end, so nothing happens here.
    signs : bool
        Without a pattern: tokens of :class:`TextLines` are those of :data:`WORDS_AND_SIGNS`.

    Raises
    ------
    ParameterError
        If the pattern is not a regular expression.
    InputError
        If there is a pattern in a process that was forked after Polars was used.

    Examples
    --------
    >>> tokenizer = Tokenizer()
    >>> tokenizer.encode(TextBlock(b"one two\tone\nthree"))
    array([1, 2, 1, 0, 3], dtype=uint32)
    >>> types = tokenizer.types()
    >>> types.words.at(types.groups[[1, 2, 3]])
    ['one', 'two', 'three']
    """

    def __init__(
        self, pattern: str | None = None, *, lowercase: bool = False, signs: bool = False
    ) -> None:
        self._pattern = pattern
        self._signs = signs
        self._lowercase = lowercase
        if pattern is not None:
            refuse_after_fork("pattern")
            _check_pattern(pattern)
        self._lock = Lock()
        self._tables: list[WordTable] = []
        self._free: list[WordTable] = []  # those that no thread is using
        self._ids = 0

    def encode(self, block: TextBlock | TokenBlock | TextLines) -> NDArray[np.uint32]:
        """Provisional ids of a block's tokens, with :data:`END` after each sentence.

        Raises
        ------
        ParameterError
            If there is a pattern, but the block holds tokens.
        UnicodeDecodeError
            If the bytes are not UTF-8; its ``start`` is the position in the block.
        """
        if isinstance(block, TokenBlock):
            if self._pattern is not None:
                raise ParameterError(
                    "pattern splits text into tokens, but the sentences given are lists of tokens; "
                    "give strings, or leave pattern out."
                )
            text = "".join(block.tokens)
            data = text.encode()
            strings = block.tokens if len(data) == len(text) else map(str.encode, block.tokens)
            sizes = np.fromiter(map(len, strings), dtype=np.int64, count=len(block.tokens))
            return self._with_ends(data, sizes, np.cumsum(block.lengths, dtype=np.int64))
        if isinstance(block, TextLines):
            return self._encode_lines(block.texts)
        if not block.data.isascii():
            block.data.decode()  # refuses what is not UTF-8, and says where
        if self._pattern is not None:
            return self._encode_matches(block.data)
        with self._table() as table:
            return table.number_text(block.data)

    @contextmanager
    def _table(self) -> Iterator[WordTable]:
        """A table for this thread alone: the first that is free, or a new one."""
        from wordgrad.corpus.word_table import WordTable

        with self._lock:
            if not self._free:
                self._tables.append(WordTable(self._new_ids))
                self._free.append(self._tables[-1])
            table = self._free.pop()
        try:
            yield table
        finally:
            with self._lock:
                self._free.append(table)

    def _new_ids(self) -> int:
        from wordgrad.corpus.word_table import IDS_AT_ONCE

        with self._lock:
            first = self._ids
            self._ids += IDS_AT_ONCE
        if self._ids > _MOST_IDS:
            raise InputError(
                f"The text holds more than {_MOST_IDS} distinct words, which is more than can be "
                "numbered; give less text, or lowercase it and split it with pattern."
            )
        return first

    def depends_on_cut(self, left: bytes, right: bytes) -> bool:
        r"""Whether a line that is cut here has other matches than the whole line.

        Bytes that are not UTF-8 are left out, for ``left`` and ``right`` may begin or end within a
        character.  Without a pattern tokens end at white space, and so never depend on a cut there.

        >>> words, pairs = Tokenizer(r"\w+"), Tokenizer(r"\w+ \w+")
        >>> words.depends_on_cut(b"to be ", b"or not"), pairs.depends_on_cut(b"to be ", b"or not")
        (False, True)
        """
        if self._pattern is None:
            return False
        pieces = [part.decode(errors="ignore") for part in (left, right)]
        whole, first, second = (self.matches(text) for text in ("".join(pieces), *pieces))
        return whole != first + second or any(len(match.split()) > 1 for match in whole)

    def matches(self, text: str) -> list[str]:
        r"""Matches of the pattern, line by line; an empty one is no token.

        >>> Tokenizer(r"\w+").matches("to be,\nor")
        ['to', 'be', 'or']
        """
        found = self._matches_of_lines(text.encode()).explode(empty_as_null=False)
        return [match for match in found.to_list() if match]

    def types(self) -> Types:
        """Distinct tokens of all blocks so far, which are forgotten, to save memory."""
        with self._table():  # there is one at least
            pass
        tables = sorted(self._tables, key=len, reverse=True)
        self._tables, self._free = [], []
        same = np.arange(max(self._ids, 1), dtype=np.uint32)
        while len(tables) > 1:  # each gives its memory back when it has been added
            tables[0].absorb(tables.pop(), same)
        words, ids, counts = tables.pop().words()
        groups = np.full(max(self._ids, 1), -1, dtype=np.int32)
        groups[ids] = np.arange(len(ids), dtype=np.int32)
        return Types(words, counts, groups[same])

    def _matches_of_lines(self, data: bytes) -> pl.Series:
        """Of each line the list of its matches."""
        import polars as pl

        text = pl.Series([data.replace(b"\r\n", b"\n")], dtype=pl.Binary).cast(pl.String)
        return self._matches_of(text.str.split("\n").explode())

    def _matches_of(self, lines: pl.Series) -> pl.Series:
        if self._lowercase:
            lines = lines.str.to_lowercase()
        return lines.str.extract_all(self._pattern or "")

    def _encode_lines(self, texts: list[str]) -> NDArray[np.uint32]:
        joined = "\n".join(texts)
        if joined.count("\n") >= len(texts):
            texts = [text.replace("\n", " ") for text in texts]
            joined = "\n".join(texts)
        if self._pattern is None:
            data = f"{joined}\n".encode()
            if self._signs:
                from wordgrad.corpus.word_table import separated

                data = separated(data, _kinds_of_characters())
            with self._table() as table:
                return table.number_text(data)
        import polars as pl

        return self._encode_tokens(self._matches_of(pl.Series(texts, dtype=pl.String)))

    def _encode_matches(self, data: bytes) -> NDArray[np.uint32]:
        # What follows the last line feed goes on in the next block, or is nothing.
        return self._encode_tokens(self._matches_of_lines(data))[:-1]

    def _encode_tokens(self, matches: pl.Series) -> NDArray[np.uint32]:
        """Number the matches of some lines, and end each line."""
        import polars as pl

        tokens = matches.explode(empty_as_null=False)
        sizes = tokens.str.len_bytes().to_numpy().astype(np.int64)
        before = np.concatenate(([0], np.cumsum(sizes > 0)))  # an empty match is no token
        ends = before[np.cumsum(matches.list.len().to_numpy(), dtype=np.int64)]
        text = tokens.str.join("").cast(pl.Binary).item()
        return self._with_ends(text, sizes[sizes > 0], ends)

    def _with_ends(
        self, text: bytes, sizes: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> NDArray[np.uint32]:
        with self._table() as table:
            ids = table.number_tokens(text, sizes)
        with_ends: NDArray[np.uint32] = np.insert(ids, ends, END)
        return with_ends


@cache
def _kinds_of_characters() -> NDArray[np.uint8]:
    """Of each character below U+20000 whether it is a word's (0), white space, sign, apostrophe."""
    kinds = np.zeros(0x20000, np.uint8)
    for first, last in re.findall("(.)(?:-(.))?", SIGNS, re.DOTALL):
        kinds[ord(first) : ord(last or first) + 1] = 2
    kinds[[ord(one) for one in APOSTROPHES]] = 3
    kinds[[code for code in range(0x3001) if chr(code).isspace()]] = 1
    return kinds


def _check_pattern(pattern: str) -> None:
    import polars as pl

    if not isinstance(pattern, str):
        raise ParameterError(f"pattern must be a string, got {pattern!r}.")
    try:
        pl.Series([""]).str.extract_all(pattern)
    except pl.exceptions.ComputeError as error:
        reason = next(
            (line[7:] for line in str(error).splitlines() if line.startswith("error: ")),
            "it cannot be parsed",
        )
        raise ParameterError(
            f"pattern must be a regular expression in the syntax of Rust's regex, got "
            f"{pattern!r}: {reason}."
        ) from None
