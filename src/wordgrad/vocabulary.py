"""Words and their counts, most frequent first.

The words of a set of vectors: row to word and word to row, decoded only when asked for.

A million words take a third of a second to decode and to index, which is many times what opening
their file takes.  So a table made from a file keeps the bytes it was given, and pays for the
decoding when the first word is asked for.

Words spelt like a word that is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import cached_property
from itertools import islice, pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.errors import FormatError, InputError, OutputError, ParameterError, UnknownWordError


class Vocabulary:
    """The words of a corpus: word ``i`` is the ``i``-th most frequent one.

    Words with equal counts follow in the order of their Unicode code points, so the same text
    always gives the same ids, whatever the number of threads that read it.

    Parameters
    ----------
    words : sequence of str, length V
        Distinct words, most frequent first.
    counts : array_like of int, shape (V,)
        How often each word occurs in the text: positive, never rising.

    Attributes
    ----------
    words : list of str
    counts : int64 array, shape (V,), read-only

    Raises
    ------
    ParameterError
        If lengths differ, a word comes twice, or the counts are not positive and falling.

    Examples
    --------
    >>> vocabulary = Vocabulary.from_counts(["sat", "the", "cat"], [2, 5, 2])
    >>> vocabulary.words, vocabulary.counts.tolist()
    (['the', 'cat', 'sat'], [5, 2, 2])
    >>> vocabulary.index("cat"), "dog" in vocabulary, len(vocabulary), vocabulary.total
    (1, False, 3, 9)
    """

    words: list[str]
    counts: NDArray[np.int64]

    def __init__(self, words: Sequence[str], counts: ArrayLike) -> None:
        self.words = list(words)
        self.counts = np.array(counts, dtype=np.int64)
        self.counts.flags.writeable = False
        if self.counts.shape != (len(self.words),):
            raise ParameterError(
                f"counts must hold one number a word ({len(self.words)}), "
                f"got shape {self.counts.shape}."
            )
        if len(self.words) and (self.counts[-1] < 1 or np.any(np.diff(self.counts) > 0)):
            raise ParameterError(
                "counts must be positive and fall from word to word; "
                "Vocabulary.from_counts puts words in that order."
            )

    @classmethod
    def from_counts(cls, words: Sequence[str], counts: ArrayLike) -> Vocabulary:
        """Sort words of any order by falling count, then by code point.

        Parameters
        ----------
        words : sequence of str, length V
        counts : array_like of int, shape (V,)
        """
        numbers = np.asarray(counts, dtype=np.int64).tolist()
        if len(numbers) != len(words):
            raise ParameterError(
                f"counts must hold one number a word ({len(words)}), got {len(numbers)}."
            )
        pairs = sorted(zip(words, numbers, strict=True), key=lambda pair: (-pair[1], pair[0]))
        return cls([word for word, _ in pairs], [number for _, number in pairs])

    @cached_property
    def _index(self) -> dict[str, int]:
        table = {word: position for position, word in enumerate(self.words)}
        if len(table) != len(self.words):
            twice = next(word for i, word in enumerate(self.words) if table[word] != i)
            raise InputError(f"A vocabulary holds each word once, but {twice!r} comes twice.")
        return table

    @property
    def total(self) -> int:
        """Tokens of the corpus that are in the vocabulary: the sum of ``counts``."""
        return int(self.counts.sum())

    def index(self, word: str) -> int:
        """Id of ``word``, from 0 (the most frequent) to V - 1.

        Raises
        ------
        UnknownWordError
            If the word is not in the vocabulary.
        """
        try:
            return self._index[word]
        except KeyError:
            raise UnknownWordError(
                f"{word!r} is not among the {len(self)} words of the vocabulary; it may be rarer "
                "than min_count, or written differently in the text."
            ) from None

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._index

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.words == other.words and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        first = ", ".join(repr(word) for word in self.words[:3])
        more = ", ..." if len(self) > 3 else ""
        return f"Vocabulary({len(self)} words: {first}{more})"


class WordTable:
    """Words by row, and rows by word.

    Make one with :meth:`from_words` or :meth:`from_bytes`.

    >>> table = WordTable.from_words(["the", "of", "café"])
    >>> table.row("of"), table.row("Of"), table.word(2)
    (1, None, 'café')
    """

    def __init__(self, data: bytes, offsets: NDArray[np.int64], origin: str | None) -> None:
        self._data = data
        self._offsets = offsets
        self._origin = origin

    @classmethod
    def from_words(cls, words: Iterable[str]) -> WordTable:
        """Table of words that are already decoded.

        Raises
        ------
        ParameterError
            If a word is not a string, or comes twice.
        """
        decoded = tuple(words)
        # A set of types takes a third of the time of a million calls of isinstance.
        for row, word in enumerate(decoded if set(map(type, decoded)) - {str} else ()):
            if not isinstance(word, str):
                raise ParameterError(
                    f"words must be strings, got {word!r} in position {row}; decode it first."
                )
        table = cls(b"", np.zeros(len(decoded) + 1, dtype=np.int64), None)
        table.__dict__["words"] = decoded  # fills the cached property
        _ = table.index  # a word that comes twice is an error now, not at the first query
        return table

    @classmethod
    def from_bytes(
        cls, data: NDArray[np.uint8], offsets: NDArray[np.int64], origin: str
    ) -> WordTable:
        """Table of words packed as UTF-8, one after another.

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
        if offsets[0] != 0 or offsets[-1] != data.size or bool((np.diff(offsets) < 0).any()):
            raise FormatError(
                f"{origin} is damaged: its word offsets do not rise from 0 to {data.size}, the "
                "number of bytes its words take; save or download it again."
            )
        packed = data.tobytes()
        try:
            packed.decode("utf-8")
        except UnicodeDecodeError as error:
            row = int(np.searchsorted(offsets, error.start, side="right")) - 1
            raise FormatError(
                f"{origin} is damaged: word {row} is not valid UTF-8; save or download it again."
            ) from error
        starts = offsets[:-1][offsets[:-1] < data.size]
        # A byte 10xxxxxx continues a character: no word may begin with one.
        split = np.flatnonzero((data[starts] & 0xC0) == 0x80)
        if split.size:
            raise FormatError(
                f"{origin} is damaged: word {int(split[0])} begins inside a character; save or "
                "download it again."
            )
        return cls(packed, offsets, origin)

    def __len__(self) -> int:
        return int(self._offsets.size) - 1

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All words, by row."""
        data, bounds = self._data, self._offsets.tolist()
        return tuple(data[start:stop].decode() for start, stop in pairwise(bounds))

    @cached_property
    def index(self) -> dict[str, int]:
        """Row of every word.

        Raises
        ------
        ParameterError, FormatError
            If a word comes twice; the second kind if the words were read from a file.
        """
        rows = {word: row for row, word in enumerate(self.words)}
        if len(rows) < len(self):
            second = next(row for row, word in enumerate(self.words) if rows[word] != row)
            word = self.words[second]
            place = f"rows {second} and {rows[word]}"
            if self._origin is None:
                raise ParameterError(
                    f"words must not repeat, got {word!r} in {place}; keep one of them."
                )
            raise FormatError(
                f"{self._origin} holds the word {word!r} twice, in {place}; write it again with "
                "every word once."
            )
        return rows

    def word(self, row: int) -> str:
        """Word of one row, without decoding the others."""
        if "words" in self.__dict__:
            return self.words[row]
        start, stop = int(self._offsets[row]), int(self._offsets[row + 1])
        return self._data[start:stop].decode()

    def row(self, word: str) -> int | None:
        """Row of a word, or ``None``."""
        return self.index.get(word)

    def packed(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Bytes and offsets, as :meth:`from_bytes` takes them.

        Raises
        ------
        OutputError
            If a word holds half of a surrogate pair, which UTF-8 cannot express.
        """
        offsets = np.zeros(len(self) + 1, dtype=np.int64)
        try:
            data = "".join(self.words).encode()
            lengths = (len(word.encode()) for word in self.words)
            np.cumsum(np.fromiter(lengths, dtype=np.int64, count=len(self)), out=offsets[1:])
        except UnicodeEncodeError:
            raise self._unencodable() from None
        return np.frombuffer(data, dtype=np.uint8), offsets

    def _unencodable(self) -> OutputError:
        for row, word in enumerate(self.words):
            try:
                word.encode()
            except UnicodeEncodeError as error:
                return OutputError(
                    f"The word {word!r} in row {row} cannot be written as UTF-8 "
                    f"({error.reason}); remove or repair it."
                )
        raise AssertionError("every word has a UTF-8 form")


WORDS_SCANNED = 200_000
LIKENESS = 0.7
LONGEST_WORD = 100  # characters; what is longer was no slip of the finger, and takes its square


def close_spellings(word: str, words: Sequence[str], number: int = 3) -> list[str]:
    """Up to ``number`` of ``words`` spelt like ``word``, the likest first.

    A word that differs in case alone comes first.  Others are ranked by
    :meth:`difflib.SequenceMatcher.ratio`, then by frequency (``words`` are most frequent first).
    To answer at once in a vocabulary of a million words, only the most frequent 200,000 are
    scanned, and only those of about the same length that begin or end alike.

    >>> close_spellings("Qeen", ["the", "queen", "seen", "king"])
    ['queen', 'seen']
    """
    if not word or len(word) > LONGEST_WORD:
        return []
    folded = word.casefold()
    head, tail = folded[0], folded[-2:]
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(folded)
    ranked: list[tuple[float, int, str]] = []
    for rank, candidate in enumerate(islice(words, WORDS_SCANNED)):
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
            ranked.append((-ratio, rank, candidate))
    return [candidate for _, _, candidate in sorted(ranked)[:number]]
