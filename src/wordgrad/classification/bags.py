"""Texts as tokens, and texts as bags of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import ParameterError
from wordgrad.text.tokens import EMPTY, END, TextBlock, Tokenizer


@dataclass(frozen=True)
class Tokens:
    """Tokenised texts.

    Attributes
    ----------
    ids : int32 (T,)
        Numbers of the tokens' types.
    offsets : int64 (N + 1,)
        Text i has the tokens ``ids[offsets[i]:offsets[i + 1]]``.
    types : list of str
        Every type that occurs, in the order of its first occurrence.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    types: list[str]


@dataclass(frozen=True)
class Bags:
    """Texts as bags of features.

    Attributes
    ----------
    features : int32 (F,)
        Rows of the table of vectors.
    offsets : int64 (N + 1,)
        Text i has the features ``features[offsets[i]:offsets[i + 1]]``.
    tokens, unknown : int
        Tokens of the texts, and how many of them are not in the vocabulary.
    empty : int
        Texts without a single feature.
    """

    features: NDArray[np.int32]
    offsets: NDArray[np.int64]
    tokens: int
    unknown: int

    @property
    def empty(self) -> int:
        """Texts without a single feature."""
        return int((np.diff(self.offsets) == 0).sum())

    def take(self, texts: NDArray[np.intp]) -> Bags:
        """Bags of some of the texts, in the order given; ``tokens`` and ``unknown`` stay."""
        sizes = np.diff(self.offsets)[texts]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[texts] - offsets[:-1], sizes)
        return Bags(self.features[places], offsets, self.tokens, self.unknown)

    def __len__(self) -> int:
        return len(self.offsets) - 1


def tokenise(texts: Sequence[str], *, pattern: str | None, lowercase: bool) -> Tokens:
    """Split texts into tokens as :class:`~wordgrad.text.tokens.Tokenizer` does.

    A line feed inside a text counts as a space.

    Raises
    ------
    ParameterError
        If a text is not a string, or cannot be written as UTF-8.

    Examples
    --------
    >>> tokens = tokenise(["To be", "", "not to be"], pattern=None, lowercase=True)
    >>> tokens.types, tokens.ids.tolist(), tokens.offsets.tolist()
    (['to', 'be', 'not'], [0, 1, 2, 0, 1], [0, 2, 2, 5])
    """
    lines = [_line(place, text) for place, text in enumerate(texts)]
    tokenizer = Tokenizer(pattern, lowercase=lowercase)
    try:
        data = ("\n".join(lines) + "\n").encode() if lines else b""
    except UnicodeEncodeError as error:
        raise ParameterError(
            f"texts must be valid Unicode, got {error.object[error.start]!r} in one of them "
            f"({error.reason}); remove or replace it."
        ) from error
    codes = tokenizer.encode(TextBlock(data)).astype(np.int64)
    codes = codes[codes != EMPTY]
    ends = np.flatnonzero(codes == END)[: len(lines)]
    offsets = np.zeros(len(lines) + 1, np.int64)
    offsets[1:] = ends - np.arange(len(ends))
    words = tokenizer.types()
    if lowercase and pattern is None:
        words = words.str.to_lowercase()
    return _numbered(words.to_list(), codes[codes != END], offsets)


def _line(place: int, text: object) -> str:
    if not isinstance(text, str):
        raise ParameterError(
            f"texts must be strings, got {text!r} in position {place}; leave it out or convert it."
        )
    return text.replace("\n", " ")


def _numbered(words: list[str], codes: NDArray[np.int64], offsets: NDArray[np.int64]) -> Tokens:
    """Give types numbers by their first occurrence: lower-casing may have made two of them one."""
    kinds, first = np.unique(codes, return_index=True)
    types: dict[str, int] = {}
    table = np.zeros(len(words), np.int32)
    for code in kinds[np.argsort(first)].tolist():
        table[code] = types.setdefault(words[code], len(types))
    return Tokens(table[codes], offsets, list(types))
