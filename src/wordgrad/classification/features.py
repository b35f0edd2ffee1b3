"""Texts as tokens, and texts as bags of features: words, beginnings of long words, n-grams.

A feature is a row of the table of vectors.  The V words of the vocabulary come first, then the
beginnings, then the n-grams, by hashing.  Only what was seen in training has a row, so an n-gram
that is new at prediction adds nothing, where a plain table of buckets would add the vector of an
untrained bucket.

Three things let a text profit from others that share no word with it:

- A word of more than ``prefix`` letters has its beginning as a feature, too: ``disappointing`` and
  ``disappointed`` share ``disa``, and a word that was never seen is not silent.
- In n-grams, all words that occur once in training, or never, are one symbol: ``what is <rare>``.
- The edges of a text are symbols of n-grams: ``^ what``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.kernels import hash_ngrams
from wordgrad.errors import InputError, ParameterError

RANGES = {"prefix": (0, 1000), "ngrams": (1, 100), "buckets": (1, 1 << 62)}
"""Least and most of the settings, in Python and in a file: a text takes time that grows with the
square of ``ngrams``."""

UNKNOWN = -1
"""The id of a word outside the vocabulary, and of all rare words in n-grams."""

COMMON = 2
"""In n-grams, words that occur less often are one symbol."""


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
        indices = np.arange(offsets[-1]) + np.repeat(self.offsets[texts] - offsets[:-1], sizes)
        return Bags(self.features[indices], offsets, self.tokens, self.unknown)

    def __len__(self) -> int:
        return len(self.offsets) - 1


def tokenise(texts: Sequence[str], *, pattern: str | None, lowercase: bool) -> Tokens:
    """Split texts into tokens as :class:`~wordgrad.corpus.tokenizer.Tokenizer` does.

    A line feed inside a text counts as a space.  Without a pattern nothing here needs Polars, whose
    threads a forked server has lost, and which takes longer to load than a text to be read.

    Parameters
    ----------
    texts : sequence of str (N,)
    pattern : str, optional
        Regular expression in the syntax of Rust's ``regex``; by default white space separates.
    lowercase : bool

    Raises
    ------
    ParameterError
        If a text is not a string, or cannot be written as UTF-8, or the pattern is wrong.
    InputError
        If there is a pattern and this process was forked from one that had used Polars.

    Examples
    --------
    >>> tokens = tokenise(["To be", "", "not to be"], pattern=None, lowercase=True)
    >>> tokens.types, tokens.ids.tolist(), tokens.offsets.tolist()
    (['to', 'be', 'not'], [0, 1, 2, 0, 1], [0, 2, 2, 5])
    """
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise ParameterError(
                f"texts must be strings, got {text!r} in position {position}; leave it out or "
                "convert it."
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ParameterError(
                f"texts must be valid Unicode, got {text[error.start]!r} in position {position} "
                f"({error.reason}); remove or replace it."
            ) from None
    if pattern is not None:
        found = _matches(texts, pattern, lowercase=lowercase)
    else:
        found = [(text.lower() if lowercase else text).split() for text in texts]
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    offsets = np.zeros(len(found) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, found), np.int64, len(found)), out=offsets[1:])
    tokens = chain.from_iterable(found)
    ids = np.fromiter(map(numbers.__getitem__, tokens), np.int32, int(offsets[-1]))
    return Tokens(ids, offsets, list(numbers))


def _matches(texts: Sequence[str], pattern: str, *, lowercase: bool) -> list[list[str]]:
    """Matches of a pattern in every text, by Polars."""
    from wordgrad.forking import refuse_after_fork

    refuse_after_fork("Splitting texts by a pattern")
    import polars as pl

    from wordgrad.corpus.tokenizer import Tokenizer

    Tokenizer(pattern)  # refuses what is no pattern
    lines = pl.Series([text.replace("\n", " ") for text in texts], dtype=pl.String)
    if lowercase:
        lines = lines.str.to_lowercase()
    return [[word for word in words if word] for words in lines.str.extract_all(pattern).to_list()]


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
        lengths = np.diff(offsets)
        sizes = np.zeros(len(lengths), np.int64)
        for n in range(2, self.ngrams + 1):  # the edges of a text are two symbols more
            sizes += np.where(lengths > 0, np.maximum(lengths + 2 - n + 1, 0), 0)
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
