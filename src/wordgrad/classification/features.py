"""Texts as tokens, and texts as bags of features: words, parts of words, n-grams of words.

A feature is a row of the table of vectors.  The V words of the vocabulary come first, then the
beginnings of long words, then the n-grams, by hashing: those of words, and those of the letters of
a word if they are wanted.  Only what was seen in training has a row, so an n-gram
that is new at prediction adds nothing, where a plain table of buckets would add the vector of an
untrained bucket.

Three things let a text profit from others that share no word with it:

- A word of more than ``prefix`` letters has its beginning as a feature, too: ``disappointing`` and
  ``disappointed`` share ``disa``, and a word that was never seen is not silent.
- In n-grams, all words that occur once in training, or never, are one symbol: ``what is <rare>``.
- The edges of a text are symbols of n-grams: ``^ what``.

Texts are read once.  What is kept of them are the ids of their tokens and then their features, in
arrays that go to disk when they are large (:class:`~wordgrad.files.GrowingArray`).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.tokenizer import WORDS_AND_SIGNS, TextLines, Tokenizer
from wordgrad.errors import InputError, ParameterError
from wordgrad.files import GrowingArray

RANGES = {"prefix": (0, 1000), "ngrams": (1, 100), "buckets": (1, 1 << 62)}
"""Least and most of the settings, in Python and in a file: a text takes time that grows with the
square of ``ngrams``."""

LONGEST = 100
"""Letters of the longest n-grams of letters."""


def are_lengths(found: Any) -> bool:
    """Whether something is the shortest and the longest length of n-grams of letters.

    >>> are_lengths((1, 4)), are_lengths([3, 2]), are_lengths("13")
    (True, False, False)
    """
    return (
        isinstance(found, (tuple, list))
        and len(found) == 2
        and all(type(n) is int for n in found)
        and 1 <= found[0] <= found[1] <= LONGEST
    )


SPACES = r"\S+"
"""The pattern of tokens that white space separates; it needs no regular expression."""

UNKNOWN = -1
"""The id of a word outside the vocabulary, and of all rare words in n-grams."""

COMMON = 2
"""In n-grams, words that occur less often are one symbol."""

FEW = 100
"""Texts that are answered without compiled code, which takes half a second to load."""

_CHARACTERS = 1 << 22  # of the texts that are tokenised at a time
_TEXTS = 1 << 16  # whose features are taken at a time
_TOKENS = 1 << 20  # of the texts whose features are found at a time
_LARGEST_TABLE = 1 << 24  # buckets; of more, hashes are found by bisection

T = TypeVar("T")
U = TypeVar("U")


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

    def take(self, texts: NDArray[np.int64]) -> Tokens:
        """Some of the texts, in the order given; types keep their order."""
        ids, offsets = _taken(self.ids, self.offsets, texts)
        used, numbers = np.unique(ids, return_inverse=True)
        return Tokens(numbers.astype(np.int32), offsets, [self.types[i] for i in used.tolist()])


def _taken(
    values: NDArray[np.int32], offsets: NDArray[np.int64], texts: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Values of some texts, one after another, and their offsets."""
    sizes = np.diff(offsets)[texts]
    edges = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return values[np.arange(edges[-1]) + np.repeat(offsets[texts] - edges[:-1], sizes)], edges


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
        features = GrowingArray(np.int32)
        for start in range(0, len(texts), _TEXTS):
            part = slice(start, start + _TEXTS)
            shifts = np.repeat(self.offsets[texts[part]] - offsets[:-1][part], sizes[part])
            first, last = offsets[start], offsets[min(start + _TEXTS, len(texts))]
            features.append(self.features[np.arange(first, last) + shifts])
        return Bags(features.array(), offsets, self.tokens, self.unknown)

    def __len__(self) -> int:
        return len(self.offsets) - 1


class TextEncoder:
    """Turns texts into ids of tokens, some texts at a time; the texts are not kept.

    A line feed inside a text counts as a space.  Without a regular expression nothing here needs
    Polars, whose threads a forked server has lost, and which takes longer to load than a text to be
    read.

    Parameters
    ----------
    pattern : str, optional
        By default tokens are words and signs
        (:data:`~wordgrad.corpus.tokenizer.WORDS_AND_SIGNS`); with :data:`SPACES` what white space
        separates; else the matches of a regular expression in the syntax of Rust's ``regex``.
    lowercase : bool

    Raises
    ------
    ParameterError
        If the pattern is wrong.
    InputError
        If there is a pattern and this process was forked from one that had used Polars.
    """

    def __init__(self, pattern: str | None, *, lowercase: bool) -> None:
        self._lowercase = lowercase
        self._tokenizer = Tokenizer(
            None if pattern == SPACES else pattern, lowercase=lowercase, signs=pattern is None
        )
        self._ids = GrowingArray(np.int32)
        self._ends = GrowingArray(np.int64)
        self._ends.append(np.zeros(1, np.int64))
        self._texts = 0

    def add(self, texts: Sequence[str]) -> None:
        """Encode some more texts.

        Raises
        ------
        ParameterError
            If one is not a string, or cannot be written as UTF-8.
        """
        for part in _parts(texts, self._texts):
            ids = self._tokenizer.encode(TextLines(part))
            ends = np.flatnonzero(ids == 0)
            self._ends.append(len(self._ids) + ends - np.arange(len(ends)))
            self._ids.append((ids[ids != 0] - np.uint32(1)).view(np.int32))
            self._texts += len(part)

    def tokens(self) -> Tokens:
        """All texts so far; the encoder takes no more."""
        types = self._tokenizer.types()
        # One table gave the numbers 1, 2, ... as types were met.
        order = types.groups[1 : len(types.words) + 1]
        words = types.words.at(order)
        ids = self._ids.array()
        if self._lowercase:
            lower = [word.lower() for word in words]
            numbers: dict[str, int] = {}
            number = [numbers.setdefault(word, len(numbers)) for word in lower]
            if len(numbers) < len(words):
                table = np.array(number, np.int32)
                for start in range(0, len(ids), _TOKENS):  # in place: it may be on disk
                    part = slice(start, start + _TOKENS)
                    ids[part] = table[ids[part]]
            words = list(numbers)
        return Tokens(ids, self._ends.array(), words)


def _parts(texts: Sequence[str], before: int) -> Iterator[list[str]]:
    """Texts of some million characters at a time, each a string of Unicode."""
    part: list[str] = []
    size = 0
    for position, text in enumerate(texts, start=before):
        if not isinstance(text, str):
            raise ParameterError(
                f"texts must be strings, got {text!r} in position {position}; leave it out or "
                "convert it."
            )
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise ParameterError(
                    f"texts must be valid Unicode, got {text[error.start]!r} in position "
                    f"{position} ({error.reason}); remove or replace it."
                ) from None
        part.append(text)
        size += len(text)
        if size >= _CHARACTERS:
            yield part
            part, size = [], 0
    if part:
        yield part


def tokenise(texts: Sequence[str], *, pattern: str | None, lowercase: bool) -> Tokens:
    """Split texts into tokens, as :class:`TextEncoder` does.

    Parameters
    ----------
    texts : sequence of str (N,)
    pattern : str, optional
        By default words and signs; :data:`SPACES`; or a regular expression.
    lowercase : bool

    Raises
    ------
    ParameterError
        If a text is not a string, or cannot be written as UTF-8, or the pattern is wrong.
    InputError
        If there is a pattern and this process was forked from one that had used Polars.

    Examples
    --------
    >>> tokens = tokenise(["To be", "", "(not) to be"], pattern=None, lowercase=True)
    >>> tokens.types, tokens.ids.tolist(), tokens.offsets.tolist()
    (['to', 'be', '(', 'not', ')'], [0, 1, 2, 3, 4, 0, 1], [0, 2, 2, 7])
    """
    if pattern in (None, SPACES) and len(texts) <= FEW:
        split = str.split if pattern == SPACES else re.compile(WORDS_AND_SIGNS).findall
        return _split(texts, split, lowercase=lowercase)
    encoder = TextEncoder(pattern, lowercase=lowercase)
    encoder.add(texts)
    return encoder.tokens()


def _split(texts: Sequence[str], split: Callable[[str], list[str]], *, lowercase: bool) -> Tokens:
    """The same in plain Python: the encoder's code takes half a second to load."""
    numbers: dict[str, int] = {}
    ids: list[int] = []
    ends = [0]
    for part in _parts(texts, 0):
        for text in part:
            words = split(text)
            if lowercase:  # each by itself, as the encoder does
                words = [word.lower() for word in words]
            ids.extend(numbers.setdefault(word, len(numbers)) for word in words)
            ends.append(len(ids))
    return Tokens(np.array(ids, np.int32), np.array(ends, np.int64), list(numbers))


@dataclass(frozen=True)
class Features:
    """Which words, parts of words and n-grams of words have a row.

    Rows are numbered in this order: words, beginnings, n-grams of words, n-grams of letters.

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
        Rising hashes of the known n-grams of words.
    ngrams : int
        The longest of them.
    buckets : int
        Hashes lie in ``[0, buckets)``.
    subwords : (int, int), optional
        Lengths of the shortest and longest n-grams of a word's letters, its edges among them.
    subword_hashes : int64 (S,)
        Rising hashes of those known.
    """

    words: list[str]
    common: int
    beginnings: list[str]
    prefix: int
    hashes: NDArray[np.int64]
    ngrams: int
    buckets: int
    subwords: tuple[int, int] | None = None
    subword_hashes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _tables: dict[str, NDArray[np.int32]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return self._first_ngram + len(self.hashes) + len(self.subword_hashes)

    # Texts come in parts, each of which asks for the rows of its words.
    @cached_property
    def _word_rows(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def _beginning_rows(self) -> dict[str, int]:
        return {part: row for row, part in enumerate(self.beginnings, start=len(self.words))}

    @property
    def _first_ngram(self) -> int:
        return len(self.words) + len(self.beginnings)

    @classmethod
    def learn(
        cls,
        tokens: Tokens,
        *,
        min_count: int,
        prefix: int,
        ngrams: int,
        buckets: int,
        subwords: tuple[int, int] | None = None,
        workers: int = 1,
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
        used = [tokens.types[i] for i in np.flatnonzero(counts).tolist()]
        common = int((counts >= max(min_count, COMMON)).sum())
        found = [word[:prefix] for word in used if len(word) > prefix > 0]
        beginnings = list(dict.fromkeys(found))
        none = np.zeros(0, np.int64)
        features = cls(words, common, beginnings, prefix, none, ngrams, buckets, subwords)
        letters = features._subword_hashes(used)[0]
        return replace(
            features,
            hashes=features._seen(tokens, workers),
            subword_hashes=np.unique(letters),
            _tables={},
        )

    def _seen(self, tokens: Tokens, workers: int) -> NDArray[np.int64]:
        """Rising hashes of all n-grams of the texts."""
        if self.ngrams == 1:
            return np.zeros(0, np.int64)
        from wordgrad.classification.kernels import count_hashes

        symbols = self._symbols(tokens.types)
        blocks = _blocks(tokens.offsets)
        if self.buckets > _LARGEST_TABLE:
            found = [
                np.unique(self.ngram_hashes(symbols[ids], offsets)[0])
                for ids, offsets in (_texts(tokens, block) for block in blocks)
            ]
            return np.unique(np.concatenate(found))

        def count(blocks: Sequence[slice]) -> NDArray[np.uint8]:
            counts = np.zeros(self.buckets, np.uint8)
            for ids, offsets in (_texts(tokens, block) for block in blocks):
                count_hashes(ids, offsets, symbols, self.ngrams, self.buckets, counts)
            return counts

        shares = [blocks[first::workers] for first in range(min(workers, len(blocks)))]
        seen = np.zeros(self.buckets, bool)
        for counts in in_order(count, shares, workers):
            seen |= counts > 0
        return np.flatnonzero(seen).astype(np.int64)

    def word_ids(self, tokens: Tokens) -> NDArray[np.int32]:
        """Ids of all tokens, :data:`UNKNOWN` for those outside the vocabulary."""
        return _rows(self._word_rows, tokens.types)[tokens.ids]

    def parts_of(self, types: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Rows of each type's beginning and n-grams of letters, and the offsets that cut them."""
        shortened = [word[: self.prefix] if len(word) > self.prefix else "" for word in types]
        beginnings = _rows(self._beginning_rows, shortened)
        hashes, cuts = self._subword_hashes(types)
        rows = _places(self.subword_hashes, hashes)
        rows = np.where(rows == UNKNOWN, UNKNOWN, rows + self._first_ngram + len(self.hashes))
        whole = np.insert(rows, cuts[:-1], beginnings).astype(np.int32)
        kept = np.concatenate([[0], np.cumsum(whole != UNKNOWN)])
        return whole[whole != UNKNOWN], kept[cuts + np.arange(len(cuts))]

    def _subword_hashes(self, types: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        lengths = np.fromiter(map(len, types), np.int64, len(types))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        if self.subwords is None:
            return np.zeros(0, np.int64), np.zeros_like(offsets)
        letters = np.frombuffer("".join(types).encode("utf-32-le"), np.int32)
        return self._hashes(letters, offsets, *self.subwords)

    def _symbols(self, types: Sequence[str]) -> NDArray[np.int32]:
        """What each type is in n-grams."""
        rows = _rows(self._word_rows, types)
        return np.where(rows < self.common, rows, UNKNOWN).astype(np.int32)

    def ngram_hashes(
        self, symbols: NDArray[np.int32], offsets: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Hashes of every text's n-grams, and the offsets that cut them into texts."""
        return self._hashes(symbols, offsets, 2, self.ngrams)

    def _hashes(
        self, symbols: NDArray[np.int32], offsets: NDArray[np.int64], shortest: int, longest: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        lengths = np.diff(offsets)
        sizes = np.zeros(len(lengths), np.int64)
        for n in range(shortest, longest + 1):  # the edges of a text are two symbols more
            room = lengths if n == 1 else np.maximum(lengths + 2 - n + 1, 0)
            sizes += np.where(lengths > 0, room, 0)
        cuts = np.concatenate([[0], np.cumsum(sizes)])
        hashes = np.zeros(int(cuts[-1]), np.int64)
        if len(hashes):
            _hash_ngrams(symbols, offsets, shortest, longest, self.buckets, cuts, hashes)
        return hashes, cuts

    def ngrams_of(self, ids: NDArray[np.int32]) -> Iterator[tuple[int, int, int]]:
        """Known n-grams of one text: where it begins (-1: before its first word), n, its row."""
        symbols = np.where(ids < self.common, ids, UNKNOWN).astype(np.int32)
        hashes, _ = self.ngram_hashes(symbols, np.array([0, len(ids)], np.int64))
        places = [
            (first, n)
            for n in range(2, self.ngrams + 1)
            for first in range(-1, len(ids) + 2 - n)
            if len(ids)
        ]
        rows = _places(self.hashes, hashes)
        for (first, n), row in zip(places, rows.tolist(), strict=True):
            if row != UNKNOWN:
                yield first, n, row + self._first_ngram

    def _table(self, name: str, known: NDArray[np.int64], lookups: int) -> NDArray[np.int32]:
        """Place among the known hashes of every bucket, for many look-ups; else an empty one."""
        if name not in self._tables:
            if self.buckets > min(_LARGEST_TABLE, 64 * lookups):
                return np.zeros(0, np.int32)
            table = np.full(self.buckets, UNKNOWN, np.int32)
            table[known] = np.arange(len(known), dtype=np.int32)
            self._tables[name] = table
        return self._tables[name]

    def _few_bags(
        self,
        tokens: Tokens,
        words: NDArray[np.int32],
        symbols: NDArray[np.int32],
        parts: NDArray[np.int32],
        part_ends: NDArray[np.int64],
    ) -> Bags:
        """The same for few texts, without compiled code."""
        hashes, cuts = self.ngram_hashes(symbols[tokens.ids], tokens.offsets)
        rows = _places(self.hashes, hashes)
        rows = np.where(rows == UNKNOWN, UNKNOWN, rows + self._first_ngram).astype(np.int32)
        found, unknown = [], 0
        for i in range(len(tokens.offsets) - 1):
            ids = tokens.ids[tokens.offsets[i] : tokens.offsets[i + 1]]
            unknown += int((words[ids] == UNKNOWN).sum())
            pieces = [parts[part_ends[t] : part_ends[t + 1]] for t in ids.tolist()]
            whole = np.concatenate([words[ids], *pieces, rows[cuts[i] : cuts[i + 1]]])
            found.append(whole[whole != UNKNOWN])
        ends = np.cumsum([0, *map(len, found)]).astype(np.int64)
        features = np.concatenate([np.zeros(0, np.int32), *found])
        return Bags(features, ends, len(tokens.ids), unknown)

    def bags(self, tokens: Tokens, workers: int = 1) -> Bags:
        """Features of every text: words, then their parts, then n-grams by length and place."""
        words, symbols = _rows(self._word_rows, tokens.types), self._symbols(tokens.types)
        parts, part_ends = self.parts_of(tokens.types)
        if len(tokens.offsets) <= FEW + 1:
            return self._few_bags(tokens, words, symbols, parts, part_ends)
        from wordgrad.classification.kernels import fill_bags

        table = self._table("ngrams", self.hashes, len(tokens.ids))

        def fill(block: slice) -> tuple[NDArray[np.int32], NDArray[np.int64], int]:
            ids, offsets = _texts(tokens, block)
            ends = np.empty(len(offsets) - 1, np.int64)
            most = len(ids) + (self.ngrams - 1) * (len(ids) + len(ends))
            most += int((part_ends[ids + 1] - part_ends[ids]).sum())
            features = np.empty(most, np.int32)
            unknown = fill_bags(
                ids, offsets, words, parts, part_ends, symbols, self.ngrams, self.buckets,
                self.hashes, table, self._first_ngram, features, ends,
            )  # fmt: skip
            return features[: ends[-1]], ends, int(unknown)

        features, ends = GrowingArray(np.int32), GrowingArray(np.int64)
        ends.append(np.zeros(1, np.int64))
        unknown = 0
        for found, edges, more in in_order(fill, _blocks(tokens.offsets), workers):
            ends.append(edges + len(features))
            features.append(found)
            unknown += more
        return Bags(features.array(), ends.array(), len(tokens.ids), unknown)


def _places(known: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int32]:
    """Place of every wanted hash among the known ones, which rise, or UNKNOWN."""
    if len(known) == 0:
        return np.full(len(wanted), UNKNOWN, np.int32)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[places] == wanted, places, UNKNOWN).astype(np.int32)


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIXING = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)


def _hash_ngrams(
    symbols: NDArray[np.int32],
    offsets: NDArray[np.int64],
    shortest: int,
    longest: int,
    buckets: int,
    cuts: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Write the hashes of text i's n-grams to ``out[cuts[i]:cuts[i + 1]]``, by length and place.

    The edges of a text take part: text ``a b`` has the 2-grams ``^a``, ``ab``, ``b$``; an edge
    alone is no 1-gram.  The hash is that of :func:`~wordgrad.classification.kernels.fill_bags`.
    """
    full = np.flatnonzero(np.diff(offsets))
    lengths = np.diff(offsets)[full]
    # All texts one after another, each between two edges; the hashes of all places at once.
    starts = np.concatenate([[0], np.cumsum(lengths + 2)])
    whole = np.full(int(starts[-1]), _GOLDEN + np.uint64(1))
    whole[starts[:-1]] = _GOLDEN
    inside = np.arange(int(lengths.sum())) + np.repeat(2 * np.arange(len(full)) + 1, lengths)
    whole[inside] = symbols.astype(np.int64).astype(np.uint64) + np.uint64(2)
    free = cuts[full]  # where each text's next hashes go
    for n in range(shortest, longest + 1):
        sizes = lengths if n == 1 else np.maximum(lengths + 3 - n, 0)
        firsts = np.repeat(starts[:-1] + (n == 1), sizes)
        steps = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        places = firsts + steps
        z = np.full(len(places), np.uint64(n))
        for j in range(n):
            z = z * _GOLDEN + whole[places + j]
            for shift, factor in _MIXING:
                z = (z ^ (z >> shift)) * factor
            z ^= z >> np.uint64(31)
        out[np.repeat(free, sizes) + steps] = (z % np.uint64(buckets)).astype(np.int64)
        free = free + sizes


def _rows(known: Mapping[str, int], wanted: Sequence[str]) -> NDArray[np.int32]:
    """Row of every wanted string, or UNKNOWN."""
    return np.array([known.get(word, UNKNOWN) for word in wanted], np.int32)


def _blocks(offsets: NDArray[np.int64]) -> list[slice]:
    """Cut texts into runs of about :data:`_TOKENS` tokens, of one text at least."""
    edges = np.arange(_TOKENS, offsets[-1], _TOKENS)
    cuts = np.unique([0, *np.searchsorted(offsets, edges), len(offsets) - 1])
    return [slice(a, b) for a, b in zip(cuts.tolist(), cuts[1:].tolist(), strict=False)]


def _texts(tokens: Tokens, block: slice) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Ids of a run of texts, and their offsets, from 0 on."""
    offsets = tokens.offsets[block.start : block.stop + 1]
    return tokens.ids[offsets[0] : offsets[-1]], offsets - offsets[0]


def in_order(function: Callable[[T], U], items: Iterable[T], workers: int) -> Iterator[U]:
    """Results for all items, in their order, computed by some threads a little ahead.

    >>> list(in_order(lambda n: n * n, range(4), workers=2))
    [0, 1, 4, 9]
    """
    if workers == 1:
        yield from map(function, items)
        return
    waiting: deque[Future[U]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="wordgrad-features") as pool:
        for item in items:
            if len(waiting) > workers:
                yield waiting.popleft().result()
            waiting.append(pool.submit(function, item))
        while waiting:
            yield waiting.popleft().result()
