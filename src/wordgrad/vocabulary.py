"""The words of a text or of a set of vectors: ids, counts, and words spelt alike.

A million words take a third of a second to decode and to index, which is many times what opening
their file takes.  So a vocabulary that comes from a file keeps the bytes it was given, and decodes
them when the first word is looked up.  From a source it asks for single words.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.errors import (
    FormatError,
    InputError,
    OutputError,
    ParameterError,
    UnknownWordError,
)
from wordgrad.storage import local, path_of

WORDS_SCANNED = 200_000
LIKENESS = 0.7
LONGEST_WORD = 100  # characters; a longer one was not mistyped, and comparing takes their square


class WordSource(Protocol):
    """Words of a file that is read when they are needed."""

    twice: tuple[int, int] | None
    """A row whose word an earlier row has, and that row, as far as that is known."""

    def find(self, word: bytes) -> int:
        """Return the row of a word, or -1."""

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """Return data and offsets of :meth:`Vocabulary.from_packed`, and counts, int64 (V,)."""


class Vocabulary:
    """Distinct words, numbered from 0, and how often each was seen.

    The words of a text are numbered by falling frequency, so that "the first n" are the n most
    frequent; words with equal counts follow in the order of their Unicode code points.  The same
    text thus always gives the same ids, whatever the number of threads that read it.

    Parameters
    ----------
    words : iterable of str, length V
        Distinct, most frequent first.
    counts : array_like of int, shape (V,)
        How often each word was seen: positive, never rising.

    Raises
    ------
    ParameterError
        If a word is no string or comes twice, the lengths differ, or the counts are not positive
        and falling.

    See Also
    --------
    Vocabulary.from_counts : sorts words by their counts.
    Vocabulary.from_words : takes any order, with counts or without.
    Vocabulary.from_packed : takes the bytes of a file.

    Examples
    --------
    >>> vocabulary = Vocabulary.from_counts(["sat", "the", "cat"], [2, 5, 2])
    >>> vocabulary.words, vocabulary.counts.tolist()
    (['the', 'cat', 'sat'], [5, 2, 2])
    >>> vocabulary.index("cat"), vocabulary.word(1), "dog" in vocabulary
    (1, 'cat', False)
    >>> len(vocabulary), vocabulary.total
    (3, 9)
    """

    _length: int
    _origin: str | None  # of a file: its name
    _source: WordSource | None = None

    def __init__(self, words: Iterable[str], counts: ArrayLike) -> None:
        self._set(words, counts, falling=True)

    @classmethod
    def from_counts(cls, words: Iterable[str], counts: ArrayLike) -> Vocabulary:
        """Sort words of any order by falling count, then by code point.

        Parameters
        ----------
        words : iterable of str, length V
        counts : array_like of int, shape (V,)
        """
        given, numbers = list(words), np.asarray(counts, dtype=np.int64).tolist()
        if len(numbers) != len(given):
            raise ParameterError(
                f"counts must hold one number a word ({len(given)}), got {len(numbers)}."
            )
        pairs = sorted(zip(given, numbers, strict=True), key=lambda pair: (-pair[1], pair[0]))
        return cls([word for word, _ in pairs], [number for _, number in pairs])

    @classmethod
    def from_words(cls, words: Iterable[str], counts: ArrayLike | None = None) -> Vocabulary:
        """Number words in the order given.

        Parameters
        ----------
        words : iterable of str, length V
        counts : array_like of int, shape (V,), optional
            Not negative, in any order; not known if left out.

        Raises
        ------
        ParameterError
            If a word is no string or comes twice, or the counts are not so many integers, none
            negative.

        >>> Vocabulary.from_words(["b", "a"]).index("a")
        1
        """
        vocabulary = cls.__new__(cls)
        vocabulary._set(words, counts, falling=False)
        return vocabulary

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """Words and counts of a text file, in any order; sorted as by :meth:`from_counts`.

        A line is a word, a space or tab, and its count, as word2vec.c (``-save-vocab``) and gensim
        (``fvocab``) write them.

        Raises
        ------
        InputError
            If the file cannot be read.
        FormatError
            If a line is no word and count, a count is less than 1, a word comes twice, or the text
            is not UTF-8; it names the line.
        """
        try:
            with local(path_of(path)) as here:
                text = here.read_bytes().decode("utf-8")
        except OSError as error:
            raise InputError(
                f"The vocabulary {path} cannot be read ({error.strerror or error}); name a file "
                "with a word and its count on each line."
            ) from error
        except UnicodeDecodeError as error:
            raise FormatError(
                f"The vocabulary {path} is not UTF-8 at byte {error.start}; convert it."
            ) from error
        counts: dict[str, int] = {}
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            word, count = [*line.rstrip().rsplit(None, 1), ""][:2]
            good = count.isascii() and count.isdigit() and len(count) < 19 and int(count) > 0
            if not good or word in counts:
                what = "a word that an earlier line has" if good else "not a word and its count"
                raise FormatError(
                    f"Line {number} of the vocabulary {path} is {what} ({line[:40]!r}); write each "
                    "word once, a space, and how often it occurs."
                )
            counts[word] = int(count)
        return cls.from_counts(counts, list(counts.values()))

    @classmethod
    def from_packed(
        cls, data: NDArray[np.uint8], offsets: NDArray[np.int64], origin: str
    ) -> Vocabulary:
        """Words of a file, packed as UTF-8 one after another; decoded when needed.

        Everything that can be checked without decoding single words is checked here; that no word
        comes twice is checked when the first word is looked up.

        Parameters
        ----------
        data : ndarray of uint8, shape (bytes,)
            The UTF-8 bytes of all words.
        offsets : ndarray of int64, shape (V + 1,)
            Word ``i`` is ``data[offsets[i] : offsets[i + 1]]``.
        origin : str
            The file's name, for messages.

        Raises
        ------
        FormatError
            If the offsets do not cut the bytes into words, or the bytes are not UTF-8.
        """
        whole = offsets.size > 0 and offsets[0] == 0 and offsets[-1] == data.size
        if not whole or bool((np.diff(offsets) < 0).any()):
            raise FormatError(
                f"{origin} is damaged: its word offsets do not rise from 0 to {data.size}, the "
                "number of bytes its words take; save or download it again."
            )
        packed = data.tobytes()
        if not packed.isascii():
            try:
                packed.decode("utf-8")
            except UnicodeDecodeError as error:
                row = int(np.searchsorted(offsets, error.start, side="right")) - 1
                raise FormatError(
                    f"{origin} is damaged: word {row} is not valid UTF-8; save or download it "
                    "again."
                ) from error
            starts = offsets[:-1][offsets[:-1] < data.size]
            # A byte 10xxxxxx continues a character: no word may begin with one.
            split = np.flatnonzero((data[starts] & 0xC0) == 0x80)
            if split.size:
                raise FormatError(
                    f"{origin} is damaged: word {int(split[0])} begins inside a character; save "
                    "or download it again."
                )
        vocabulary = cls.__new__(cls)
        vocabulary._length, vocabulary._counts = int(offsets.size) - 1, None
        vocabulary._packed, vocabulary._origin = (packed, offsets), origin
        return vocabulary

    @classmethod
    def on_demand(cls, length: int, source: WordSource, origin: str) -> Vocabulary:
        """So many words of a file, which are read when they are needed.

        Parameters
        ----------
        length : int
            V.
        source : WordSource
            Reads them, and finds some of them before all are read.
        origin : str
            The file's name, for messages.
        """
        vocabulary = cls.__new__(cls)
        vocabulary._length, vocabulary._source, vocabulary._origin = length, source, origin
        return vocabulary

    @cached_property
    def _was_read(self) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        if self._source is None:
            raise AssertionError("nothing to read")
        return self._source.read()

    @cached_property
    def _packed(self) -> tuple[bytes, NDArray[np.int64]] | None:
        """Of a file: bytes and offsets.  Set at once, but with :meth:`on_demand`."""
        data, offsets, _ = self._was_read
        return Vocabulary.from_packed(data, offsets, str(self._origin))._packed

    @cached_property
    def _counts(self) -> NDArray[np.int64] | None:
        """The counts, if they are known.  Set at once, but with :meth:`on_demand`."""
        return _checked_counts(self._was_read[2], len(self), falling=False)

    def with_counts(self, counts: ArrayLike | None) -> Vocabulary:
        """Return the same words, their memory shared, with other counts.

        Raises
        ------
        ParameterError
            As :meth:`from_words`.
        """
        twin = Vocabulary.__new__(Vocabulary)
        twin.__dict__.update(self.__dict__)
        twin._counts = _checked_counts(counts, len(self), falling=False)
        return twin

    def _set(self, words: Iterable[str], counts: ArrayLike | None, *, falling: bool) -> None:
        kept = list(words)
        # A set of types takes a third of the time of a million calls of isinstance.
        for row, word in enumerate(kept if set(map(type, kept)) - {str} else ()):
            if not isinstance(word, str):
                raise ParameterError(
                    f"words must be strings, got {word!r} in position {row}; decode it first."
                )
        self._length, self._packed, self._origin = len(kept), None, None
        self.__dict__["words"] = kept  # fills the cached property
        if len(set(kept)) < len(kept):
            _ = self.ids  # names the word that comes twice
        self._counts = _checked_counts(counts, len(kept), falling=falling)

    # ---------------------------------------------------------------- words and ids

    @cached_property
    def words(self) -> list[str]:
        """All words, by id."""
        if self._packed is None:
            raise AssertionError("neither words nor their bytes")
        data, offsets = self._packed
        return [data[start:stop].decode() for start, stop in pairwise(offsets.tolist())]

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id of every word.

        Raises
        ------
        FormatError
            If the words were read from a file, and one comes twice.
        """
        ids = {word: row for row, word in enumerate(self.words)}
        if len(ids) < len(self):
            second = next(row for row, word in enumerate(self.words) if ids[word] != row)
            raise self._repeated(second, ids[self.words[second]])
        return ids

    def _repeated(self, second: int, first: int) -> FormatError | ParameterError:
        word, place = self.word(second), f"rows {second} and {first}"
        if self._origin is None:
            return ParameterError(
                f"words must not repeat, got {word!r} in {place}; keep one of them."
            )
        return FormatError(
            f"{self._origin} holds the word {word!r} twice, in {place}; write it again with "
            "every word once."
        )

    def get(self, word: str) -> int | None:
        """Id of ``word``, or ``None`` if it is not in the vocabulary.

        >>> Vocabulary.from_words(["b", "a"]).get("c") is None
        True
        """
        source = self._source
        if source is None or "ids" in self.__dict__:
            return self.ids.get(word)
        try:
            row = source.find(word.encode())
        except UnicodeEncodeError:  # half of a surrogate pair, which is no word of a file
            return None
        if source.twice is not None:
            raise self._repeated(*source.twice)
        return None if row < 0 else row

    def word(self, row: int) -> str:
        """Word of one id, without decoding the others."""
        if self._packed is None or "words" in self.__dict__:
            return self.words[row]
        data, offsets = self._packed
        return data[int(offsets[row]) : int(offsets[row + 1])].decode()

    def words_at(self, rows: Iterable[int]) -> list[str]:
        """Words of some ids, without decoding the others."""
        if self._packed is None or "words" in self.__dict__:
            words = self.words
            return [words[row] for row in rows]
        return [self.word(row) for row in rows]

    def index(self, word: str) -> int:
        """Id of ``word``, from 0 (the most frequent) to V - 1.

        Raises
        ------
        UnknownWordError
            If the word is not in the vocabulary; the message names words spelt alike.
        ParameterError
            If it is no string.
        """
        if not isinstance(word, str):
            raise ParameterError(f"A word must be a string, got {word!r}.")
        row = self.get(word)
        if row is None:
            shown = repr(word if len(word) <= 200 else word[:200] + "...")
            close = self.close_spellings(word)
            problem = (
                f"is not in the vocabulary; did you mean {' or '.join(map(repr, close))}?"
                if close
                else f"is not among the {len(self):,} words of the vocabulary, and none is spelt "
                "like it; use one of its words (a rare one is left out by min_count)."
            )
            raise UnknownWordError(f"{shown} {problem}")
        return row

    def close_spellings(self, word: str, number: int = 3) -> list[str]:
        """Up to ``number`` words spelt like ``word``, the most alike first.

        A word that differs in case alone comes first.  Others are ranked by
        :meth:`difflib.SequenceMatcher.ratio`, then by id.  To answer at once in a vocabulary of a
        million words, only the first 200,000 are scanned, and only those of about the same length
        that begin or end alike.

        >>> Vocabulary.from_words(["the", "queen", "seen", "king"]).close_spellings("Qeen")
        ['queen', 'seen']
        """
        if not word or len(word) > LONGEST_WORD:
            return []
        folded = word.casefold()
        head, tail = folded[0], folded[-2:]
        matcher = SequenceMatcher(autojunk=False)
        matcher.set_seq2(folded)
        ranked: list[tuple[float, int, str]] = []
        for row, candidate in enumerate(self.words_at(range(min(len(self), WORDS_SCANNED)))):
            if abs(len(candidate) - len(word)) > 2:
                continue
            other = candidate.casefold()
            if other[:1] != head and other[-2:] != tail:
                continue
            matcher.set_seq1(other)
            if matcher.real_quick_ratio() < LIKENESS or matcher.quick_ratio() < LIKENESS:
                continue
            ratio = matcher.ratio()
            if ratio >= LIKENESS:
                ranked.append((-ratio, row, candidate))
        return [candidate for _, _, candidate in sorted(ranked)[:number]]

    def packed(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Bytes and offsets of the words, as :meth:`from_packed` takes them.

        Raises
        ------
        OutputError
            If a word holds half of a surrogate pair, which UTF-8 cannot express.
        """
        if self._packed is not None:
            return np.frombuffer(self._packed[0], dtype=np.uint8), self._packed[1]
        offsets = np.zeros(len(self) + 1, dtype=np.int64)
        try:
            # A list of a million encoded words would take more memory than all else here.
            data = "".join(self.words).encode()
            lengths = (len(word.encode()) for word in self.words)
            np.cumsum(np.fromiter(lengths, np.int64, len(self)), out=offsets[1:])
        except UnicodeEncodeError as error:
            half = {chr(code) for code in range(0xD800, 0xE000)}
            row = next(row for row, word in enumerate(self.words) if not half.isdisjoint(word))
            raise OutputError(
                f"The word {self.words[row]!r} in row {row} cannot be written as UTF-8 "
                f"({error.reason}); remove or repair it."
            ) from None
        return np.frombuffer(data, dtype=np.uint8), offsets

    # ---------------------------------------------------------------- counts

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each word was seen, int64 of shape (V,), read-only.

        Raises
        ------
        ParameterError
            If it is not known.
        """
        if self._counts is None:
            raise ParameterError("The counts of these words are not known; give them with counts.")
        return self._counts

    @property
    def known_counts(self) -> NDArray[np.int64] | None:
        """:attr:`counts`, or ``None`` if they are not known."""
        return self._counts

    @property
    def total(self) -> int:
        """Tokens of the text that are in the vocabulary: the sum of ``counts``."""
        return int(self.counts.sum())

    # ---------------------------------------------------------------- Python's protocols

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.get(word) is not None

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        a, b = self._counts, other._counts
        same_counts = a is b or (a is not None and b is not None and np.array_equal(a, b))
        return same_counts and self.words == other.words

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        first = ", ".join(repr(word) for word in self.words[:3])
        more = ", ..." if len(self) > 3 else ""
        return f"Vocabulary({len(self)} words: {first}{more})"


def _checked_counts(
    counts: ArrayLike | None, words: int, *, falling: bool
) -> NDArray[np.int64] | None:
    """``counts`` as a read-only int64 array with one entry for each of so many words."""
    if counts is None:
        return None
    given = np.asarray(counts)
    if given.shape != (words,) or (words and given.dtype.kind not in "iu"):
        raise ParameterError(
            f"counts must be {words} integers, one a word, got shape {given.shape} and dtype "
            f"{given.dtype}."
        )
    # As with the matrix of word vectors, what can no longer be written to is shared.
    kept = given.astype(np.int64, copy=given.flags.writeable)
    if falling and words and (kept[-1] < 1 or np.any(np.diff(kept) > 0)):
        raise ParameterError(
            "counts must be positive and fall from word to word; "
            "Vocabulary.from_counts puts words in that order."
        )
    if words and int(kept.min()) < 0:
        raise ParameterError(f"counts must not be negative, got {int(kept.min())}.")
    kept.flags.writeable = False
    return kept
