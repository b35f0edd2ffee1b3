"""From blocks of text to provisional word ids, many tokens at a time.

Every distinct token receives the next free number of a table that all threads share (Polars'
``Categories``).  Those numbers depend on the order of reading; :mod:`wordgrad.corpus.corpus` turns
them into final ids once all counts are known.  Number 0 (:data:`END`) marks the end of a sentence
and travels among the tokens, so sentences cost nothing to keep track of.

Nothing here touches single tokens in Python: a block becomes one token a line by ``bytes``
operations, Polars splits it into views of the block, and a cast looks each one up.  In a process
that was forked after Polars was used (:mod:`wordgrad.forking`) a dictionary does the same, slower
and for one thread at a time; only ``pattern`` is refused there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import ParameterError
from wordgrad.forking import forked_after_polars, refuse_after_fork

if TYPE_CHECKING:
    import polars as pl


END = 0
"""Provisional id that ends a sentence."""

EMPTY = 1
"""Provisional id of what is no token: nothing between two characters of white space, or an empty
match of ``pattern``."""

# Stands for the end of a sentence in the table of tokens.  It is white space, so that no token
# of a text that is split at white space can be equal to it.
_END_TOKEN = "\x1f"  # noqa: S105
# Matches of a pattern and tokens in lists may be anything, even that, or an empty string: those
# made of nothing but end tokens are longer by two in the table.
_ESCAPE = 2 * _END_TOKEN

# White space as Python's str.split() has it.
_ASCII_SPACE = b"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f "
_WIDE_SPACE = "\x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))
_WIDE_SPACE += "\u2028\u2029\u202f\u205f\u3000"
WHITE_SPACE = _ASCII_SPACE.decode() + _WIDE_SPACE
"""Every character that separates tokens."""

# Separators become line ends and a line end becomes the end token, in one pass over the bytes.
_ONE_TOKEN_A_LINE = bytes(
    ord(_END_TOKEN) if byte == ord("\n") else ord("\n") if byte in _ASCII_SPACE else byte
    for byte in range(256)
)


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
    array([2, 3, 2, 0, 4], dtype=uint32)
    >>> list(tokenizer.types(5))[2:]
    ['one', 'two', 'three']
    """

    def __init__(self, pattern: str | None = None, *, lowercase: bool = False) -> None:
        self._pattern = pattern
        self._lowercase = lowercase
        self._table: dict[str, int] | None = None
        if forked_after_polars():
            if pattern is not None:
                refuse_after_fork("pattern")
            self._table = {_END_TOKEN: END, "": EMPTY}
            self._lock = Lock()
            return
        import polars as pl

        if pattern is not None:
            _check_pattern(pattern)
        self._categories = pl.Categories.random()
        # Categories live as long as a series that uses them; this one also
        # gives END and EMPTY their numbers.
        self._keep = pl.Series([_END_TOKEN, ""], dtype=pl.String).cast(self._dtype)

    @cached_property
    def _dtype(self) -> pl.Categorical:
        import polars as pl

        return pl.Categorical(self._categories)

    def encode(self, block: TextBlock | TokenBlock) -> NDArray[np.uint32]:
        """Provisional ids of a block's tokens, with :data:`END` after each sentence.

        Raises
        ------
        ParameterError
            If there is a pattern, but the block holds tokens.
        UnicodeDecodeError
            If the bytes are not UTF-8; its ``start`` is the position in the block.
        """
        if isinstance(block, TokenBlock) and self._pattern is not None:
            raise ParameterError(
                "pattern splits text into tokens, but the sentences given are lists of tokens; "
                "give strings, or leave pattern out."
            )
        if self._table is not None:
            return self._encode_plainly(block, self._table)
        import polars as pl

        if isinstance(block, TokenBlock):
            tokens = pl.Series(block.tokens, dtype=pl.String)
            return self._with_ends(
                tokens, np.array(block.lengths, dtype=np.int64), escape_empty=True
            )

        try:
            if self._pattern is not None:
                return self._encode_matches(block.data, self._pattern)
            return self._encode_words(block.data)
        except pl.exceptions.ComputeError:
            block.data.decode()  # says where, which Polars does not
            raise

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
        whole, first, second = (self._matches(text) for text in ("".join(pieces), *pieces))
        return whole != first + second or any(len(match.split()) > 1 for match in whole)

    def _matches(self, line: str) -> list[str]:
        import polars as pl

        text = pl.Series([line])
        text = text.str.to_lowercase() if self._lowercase else text
        found = text.str.extract_all(self._pattern or "").to_list()[0]
        return [match for match in found if match]  # an empty one is no token

    def types(self, n: int) -> pl.Series | list[str]:
        """Return the token of each provisional id below ``n``: a series, or a list without Polars.

        Those of :data:`END` and :data:`EMPTY` have no meaning.
        """
        if self._table is not None:
            return [_unescaped(token) for token in islice(self._table, n)]
        import polars as pl

        # Fifty times as fast as Categories.to_series(), which asks for one token at a time.
        tokens = pl.Series(np.arange(n, dtype=np.uint32)).cat.to(self._dtype).cast(pl.String)
        if tokens[2:].str.starts_with(_ESCAPE).any():
            tokens = tokens.str.replace(f"^({_END_TOKEN}*){_ESCAPE}$", "${1}")
        return tokens

    def _encode_plainly(
        self, block: TextBlock | TokenBlock, table: dict[str, int]
    ) -> NDArray[np.uint32]:
        ids: list[int] = []
        with self._lock:  # whoever gives a number must know all that were given
            if isinstance(block, TextBlock):
                lines = block.data.decode().split("\n")
                for i, line in enumerate(lines):
                    ids += [table.setdefault(token, len(table)) for token in line.split()]
                    ids += [END] if i < len(lines) - 1 else []
            else:
                tokens = map(_escaped, block.tokens)
                for length in block.lengths:
                    ids += [table.setdefault(t, len(table)) for t in islice(tokens, length)]
                    ids.append(END)
        return np.array(ids, dtype=np.uint32)

    def _encode_words(self, data: bytes) -> NDArray[np.uint32]:
        if b"\n" in data:
            data = data.replace(b"\n", b" \n ")
        text = _text(data.translate(_ONE_TOKEN_A_LINE))
        if not data.isascii():
            text = text.str.replace_all(f"[{_WIDE_SPACE}]", "\n")
        return self._numbers(_split_lines(text))

    def _encode_matches(self, data: bytes, pattern: str) -> NDArray[np.uint32]:
        lines = _split_lines(_text(data.replace(b"\r\n", b"\n")))
        if self._lowercase:
            lines = lines.str.to_lowercase()
        matches = lines.str.extract_all(pattern)
        tokens = matches.explode(empty_as_null=False)
        # What follows the last line feed goes on in the next block, or is nothing.
        lengths = matches.list.len().to_numpy()
        return self._with_ends(tokens, lengths, escape_empty=False)[:-1]

    def _with_ends(
        self, tokens: pl.Series, lengths: NDArray[np.integer], *, escape_empty: bool
    ) -> NDArray[np.uint32]:
        some = "*" if escape_empty else "+"
        if tokens.str.starts_with(_END_TOKEN).any() or (escape_empty and (tokens == "").any()):
            tokens = tokens.str.replace(f"^({_END_TOKEN}{some})$", f"${{1}}{_ESCAPE}")
        ends = np.cumsum(lengths, dtype=np.int64)
        ids: NDArray[np.uint32] = np.insert(self._numbers(tokens), ends, END)
        return ids

    def _numbers(self, tokens: pl.Series) -> NDArray[np.uint32]:
        ids: NDArray[np.uint32] = tokens.cast(self._dtype).to_physical().to_numpy()
        return ids


def _escaped(token: str) -> str:
    return token if token.strip(_END_TOKEN) else token + _ESCAPE


def _unescaped(token: str) -> str:
    plain = not token.startswith(_ESCAPE) or bool(token.strip(_END_TOKEN))
    return token if plain else token.removesuffix(_ESCAPE)


def _text(data: bytes) -> pl.Series:
    """One string, of the whole block."""
    import polars as pl

    return pl.Series([data], dtype=pl.Binary).cast(pl.String)


def _split_lines(text: pl.Series) -> pl.Series:
    return text.str.split("\n").explode()


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
