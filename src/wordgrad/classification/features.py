"""Texts as tokens, and texts as bags of features.

Hashes of n-grams of word ids, compiled by Numba.

The edges of a text take part: text ``a b`` has the 2-grams ``^a``, ``ab``, ``b$``.  A hash mixes
the ids by SplitMix64's finaliser (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014).

What a text is made of: its words, the beginnings of long words, and n-grams by hashing.

A feature is a row of the table of vectors.  The V words of the vocabulary come first, then the
beginnings, then the n-grams.  Only what was seen in training has a row, so an n-gram that is new at
prediction adds nothing, where a plain table of buckets would add the vector of an untrained bucket.

Three things let a text profit from others that share no word with it:

- A word of more than ``prefix`` letters has its beginning as a feature, too: ``disappointing`` and
  ``disappointed`` share ``disa``, and a word that was never seen is not silent.
- In n-grams, all words that occur once in training, or never, are one symbol: ``what is <rare>``.
- The edges of a text are symbols of n-grams: ``^ what``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.tokenizer import EMPTY, END, TextBlock, Tokenizer
from wordgrad.errors import InputError, ParameterError
from wordgrad.training.kernels import jit


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
    """Split texts into tokens as :class:`~wordgrad.corpus.tokenizer.Tokenizer` does.

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
    words = list(tokenizer.types(int(codes.max(initial=EMPTY)) + 1))
    if lowercase and pattern is None:
        words = [word.lower() for word in words]
    return _numbered(words, codes[codes != END], offsets)


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


RANGES = {"prefix": (0, 1000), "ngrams": (1, 100), "buckets": (1, 1 << 62)}
"""Least and most of the settings, in Python and in a file: a text takes time that grows with the
square of ``ngrams``."""

_EDGE = np.uint64(0x9E3779B97F4A7C15)


@jit
def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def count_ngrams(offsets: NDArray[np.int64], longest: int) -> NDArray[np.int64]:
    """Return how many n-grams of 2 to ``longest`` symbols each text has, its edges included."""
    lengths = np.diff(offsets)
    total = np.zeros(len(lengths), np.int64)
    for n in range(2, longest + 1):
        total += np.where(lengths > 0, np.maximum(lengths + 2 - n + 1, 0), 0)
    return total


@jit
def hash_ngrams(ids: Any, offsets: Any, longest: Any, buckets: Any, cuts: Any, out: Any) -> None:
    """Write the hashes of text i's n-grams to ``out[cuts[i]:cuts[i + 1]]``."""
    for i in range(offsets.size - 1):
        start = offsets[i]
        length = offsets[i + 1] - start
        k = cuts[i]
        if length == 0:
            continue
        for n in range(2, longest + 1):
            for first in range(-1, length + 2 - n):
                z = np.uint64(n)
                for j in range(first, first + n):
                    if 0 <= j < length:
                        symbol = np.uint64(np.int64(ids[start + j]) + np.int64(2))
                    else:
                        symbol = _EDGE + np.uint64(j >= length)
                    z = _mix(z * _EDGE + symbol)
                out[k] = np.int64(z % np.uint64(buckets))
                k += 1


UNKNOWN = -1
"""The id of a word outside the vocabulary, and of all rare words in n-grams."""

COMMON = 2
"""In n-grams, words that occur less often are one symbol."""


@dataclass(frozen=True)
class Features:
    """Which words, beginnings and n-grams have a row.

    Attributes
    ----------
    words : list of str
        The vocabulary, most frequent word first.
    common : int
        The first ``common`` words are symbols of their own in n-grams.
    beginnings : list of str
    prefix : int
        Their length; 0 if there are none.
    hashes : int64 (G,)
        Rising hashes of the known n-grams.
    ngrams : int
        The longest n-gram.
    buckets : int
        Hashes lie in ``[0, buckets)``.
    """

    words: list[str]
    common: int
    beginnings: list[str]
    prefix: int
    hashes: NDArray[np.int64]
    ngrams: int
    buckets: int

    def __len__(self) -> int:
        return self._first_ngram + len(self.hashes)

    @property
    def _first_ngram(self) -> int:
        return len(self.words) + len(self.beginnings)

    @classmethod
    def learn(
        cls, tokens: Tokens, *, min_count: int, prefix: int, ngrams: int, buckets: int
    ) -> Features:
        """Choose the words that occur at least ``min_count`` times, and what else has a row.

        Raises
        ------
        InputError
            If there is no token, or none that occurs often enough.
        """
        if len(tokens.ids) == 0:
            raise InputError(
                f"The texts hold no token ({len(tokens.offsets) - 1} were given); check that they "
                "are not empty."
            )
        counts = np.bincount(tokens.ids, minlength=len(tokens.types))
        order = np.argsort(-counts, kind="stable")
        words = [tokens.types[i] for i in order[counts[order] >= min_count].tolist()]
        if not words:
            raise InputError(
                f"No word reaches min_count={min_count} in {len(tokens.ids)} tokens; use "
                f"min_count={int(counts.max())} or less."
            )
        common = int((counts >= max(min_count, COMMON)).sum())
        found = [word[:prefix] for word in tokens.types if len(word) > prefix > 0]
        beginnings = list(dict.fromkeys(found))
        features = cls(words, common, beginnings, prefix, np.zeros(0, np.int64), ngrams, buckets)
        hashes, _ = features.ngram_hashes(features.word_ids(tokens), tokens.offsets)
        return replace(features, hashes=np.unique(hashes))

    def word_ids(self, tokens: Tokens) -> NDArray[np.int32]:
        """Ids of all tokens, :data:`UNKNOWN` for those outside the vocabulary."""
        return _rows(self.words, tokens.types)[tokens.ids]

    def beginning_rows(self, tokens: Tokens) -> NDArray[np.int32]:
        """Row of every token's beginning, :data:`UNKNOWN` for those without one."""
        types = [word[: self.prefix] if len(word) > self.prefix else "" for word in tokens.types]
        rows = _rows(self.beginnings, types, len(self.words))
        return rows[tokens.ids]

    def ngram_hashes(
        self, ids: NDArray[np.int32], offsets: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Hashes of every text's n-grams, and the offsets that cut them into texts."""
        sizes = count_ngrams(offsets, self.ngrams)
        cuts = np.concatenate([[0], np.cumsum(sizes)])
        hashes = np.zeros(int(cuts[-1]), np.int64)
        symbols = np.where(ids < self.common, ids, UNKNOWN).astype(np.int32)
        hash_ngrams(symbols, offsets, self.ngrams, self.buckets, cuts, hashes)
        return hashes, cuts

    def ngram_rows(self, hashes: NDArray[np.int64]) -> NDArray[np.int32]:
        """Row of every hash, :data:`UNKNOWN` for those not seen in training."""
        if len(self.hashes) == 0:
            return np.full(len(hashes), UNKNOWN, np.int32)
        place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        found = self.hashes[place] == hashes
        return np.where(found, place + self._first_ngram, UNKNOWN).astype(np.int32)

    def ngrams_of(self, ids: NDArray[np.int32]) -> Iterator[tuple[int, int, int]]:
        """Known n-grams of one text: where it begins (-1: before its first word), n, its row."""
        hashes, _ = self.ngram_hashes(ids, np.array([0, len(ids)], np.int64))
        places = [
            (first, n)
            for n in range(2, self.ngrams + 1)
            for first in range(-1, len(ids) + 2 - n)
            if len(ids)
        ]
        for (first, n), row in zip(places, self.ngram_rows(hashes).tolist(), strict=True):
            if row != UNKNOWN:
                yield first, n, row

    def bags(self, tokens: Tokens) -> Bags:
        """Features of every text: words, then beginnings, then n-grams by length and place."""
        ids = self.word_ids(tokens)
        n_texts = len(tokens.offsets) - 1
        of_token = np.repeat(np.arange(n_texts), np.diff(tokens.offsets))
        hashes, cuts = self.ngram_hashes(ids, tokens.offsets)
        of_ngram = np.repeat(np.arange(n_texts), np.diff(cuts))
        features = np.concatenate([ids, self.beginning_rows(tokens), self.ngram_rows(hashes)])
        texts = np.concatenate([of_token, of_token, of_ngram])
        known = features != UNKNOWN
        features, texts = features[known], texts[known]
        order = np.argsort(texts, kind="stable")
        offsets = np.searchsorted(texts[order], np.arange(n_texts + 1)).astype(np.int64)
        return Bags(features[order], offsets, len(ids), int((ids == UNKNOWN).sum()))


def _rows(known: list[str], wanted: list[str], first: int = 0) -> NDArray[np.int32]:
    """Place of every wanted string among the known ones, counted from ``first``, or UNKNOWN."""
    index = {word: row for row, word in enumerate(known, start=first)}
    return np.array([index.get(word, UNKNOWN) for word in wanted], np.int32)
