"""From texts to bags of features: words, and n-grams of words by hashing.

A feature is a row of the table of vectors: row ``w < V`` is word ``w`` of the vocabulary, row
``V + g`` is the n-gram whose hash is the g-th known one.  Only n-grams seen in training have a row,
so an n-gram that is new at prediction adds nothing, where a plain table of buckets would add the
random vector of an untrained bucket.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.ngrams import count_ngrams, hash_ngrams
from wordgrad.errors import InputError, ParameterError
from wordgrad.text.tokens import EMPTY, END, TextBlock, Tokenizer

UNKNOWN = -1
"""The id of a word outside the vocabulary."""


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


@dataclass(frozen=True)
class Features:
    """Which words and n-grams have a row.

    Attributes
    ----------
    words : list of str
        The vocabulary, most frequent word first.
    hashes : int64 (G,)
        Rising hashes of the known n-grams; the g-th has row ``len(words) + g``.
    ngrams : int
        The longest n-gram.
    buckets : int
        Hashes lie in ``[0, buckets)``.
    """

    words: list[str]
    hashes: NDArray[np.int64]
    ngrams: int
    buckets: int

    def __len__(self) -> int:
        return len(self.words) + len(self.hashes)

    @classmethod
    def learn(
        cls,
        tokens: Tokens,
        *,
        min_count: int,
        ngrams: int,
        buckets: int,
    ) -> Features:
        """Choose the words that occur at least ``min_count`` times, and every n-gram's hash.

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
        features = cls(words, np.zeros(0, np.int64), ngrams, buckets)
        if ngrams < 2:
            return features
        hashes = features.ngram_hashes(features.word_ids(tokens), tokens.offsets)[0]
        return cls(words, np.unique(hashes), ngrams, buckets)

    def word_ids(self, tokens: Tokens) -> NDArray[np.int32]:
        """Ids of all tokens, :data:`UNKNOWN` for those outside the vocabulary."""
        index = {word: i for i, word in enumerate(self.words)}
        table = np.array([index.get(word, UNKNOWN) for word in tokens.types], np.int32)
        return table[tokens.ids]

    def ngram_hashes(
        self, ids: NDArray[np.int32], offsets: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Hashes of every text's n-grams, and the offsets that cut them into texts.

        An n-gram counts the edges of the text as symbols, and a word outside the vocabulary as
        one, too; so "starts with `what`" is a feature.
        """
        sizes = count_ngrams(offsets, self.ngrams)
        cuts = np.concatenate([[0], np.cumsum(sizes)])
        hashes = np.zeros(int(cuts[-1]), np.int64)
        hash_ngrams(ids, offsets, self.ngrams, self.buckets, cuts, hashes)
        return hashes, cuts

    def ngrams_of(self, ids: NDArray[np.int32]) -> Iterator[tuple[int, int, int]]:
        """Known n-grams of one text: where it begins (-1: before its first word), n, its row."""
        hashes, _ = self.ngram_hashes(ids, np.array([0, len(ids)], np.int64))
        places = [
            (first, n)
            for n in range(2, self.ngrams + 1)
            for first in range(-1, len(ids) + 2 - n)
            if len(ids)
        ]
        for (first, n), hashed in zip(places, hashes.tolist(), strict=True):
            row = int(np.searchsorted(self.hashes, hashed))
            if row < len(self.hashes) and self.hashes[row] == hashed:
                yield first, n, len(self.words) + row

    def bags(self, tokens: Tokens) -> Bags:
        """Features of every text: its words in order, then its n-grams by length and place."""
        ids = self.word_ids(tokens)
        known = ids != UNKNOWN
        texts = np.repeat(np.arange(len(tokens.offsets) - 1), np.diff(tokens.offsets))[known]
        features = ids[known]
        if self.ngrams > 1 and len(self.hashes):
            hashes, cuts = self.ngram_hashes(ids, tokens.offsets)
            place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
            found = self.hashes[place] == hashes
            of = np.repeat(np.arange(len(cuts) - 1), np.diff(cuts))[found]
            rows = (place[found] + len(self.words)).astype(np.int32)
            features = np.concatenate([features, rows])
            texts = np.concatenate([texts, of])
            order = np.argsort(texts, kind="stable")
            features, texts = features[order], texts[order]
        offsets = np.searchsorted(texts, np.arange(len(tokens.offsets)))
        return Bags(
            np.ascontiguousarray(features, np.int32),
            offsets.astype(np.int64),
            len(ids),
            int((~known).sum()),
        )
