"""Vectors of words that were not seen in training, from their character n-grams.

The vector of a word is the mean of its own row, if it has one, and those of its character n-grams
(Bojanowski et al. 2017, "Enriching word vectors with subword information", equation 2, with a mean
in place of the sum, as fastText computes it): of ``<word>``, all pieces of minn to maxn characters
but the lone ``<`` and ``>``.  A piece's row is found by its hash, FNV-1a over its bytes taken as
signed (``Dictionary::hash``), modulo the number of buckets.  The end of a sentence, ``</s>``, has
no n-grams; if maxn is 0, no word has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.errors import ParameterError

END_OF_SENTENCE = b"</s>"
WORDS_AT_ONCE = 1 << 12


class Rows(Protocol):
    """A matrix whose rows are had by number: dense, mapped or quantised."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    def rows(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return rows ``ids`` as float32 (n, D)."""


@dataclass(frozen=True)
class Subwords:
    """Rows of words and of character n-grams, from which the vector of any word is composed.

    Parameters
    ----------
    table : Rows
        ``n_words`` rows of words, then those of n-grams.
    n_words : int
        V.
    minn, maxn : int
        Characters in the shortest and in the longest n-gram; maxn 0 for none.
    bucket : int
        N-grams are told apart by their hash modulo this number; 0 for none.
    pruned : int32 (P, 2), optional
        Hash below ``bucket`` and row after the words' of the n-grams that are left, by rising hash;
        by default all are there, each in the row of its hash.
    """

    table: Rows
    n_words: int
    minn: int
    maxn: int
    bucket: int
    pruned: NDArray[np.int32] | None = field(default=None)

    @property
    def vector_size(self) -> int:
        """D, the length of a vector."""
        return self.table.shape[1]

    def ngrams(self, words: Sequence[str | bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which word each n-gram belongs to, and its row; in the order of fastText.

        Returns
        -------
        owners, rows : int64 (n,)
        """
        if self.maxn == 0 or self.bucket == 0:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        owners, hashes = ngram_hashes(words, self.minn, self.maxn)
        rows = hashes % self.bucket
        if self.pruned is not None:
            if len(self.pruned) == 0:
                return np.empty(0, np.int64), np.empty(0, np.int64)
            places = np.searchsorted(self.pruned[:, 0], rows).clip(max=len(self.pruned) - 1)
            left = self.pruned[places, 0] == rows
            owners, rows = owners[left], self.pruned[places[left], 1].astype(np.int64)
        return owners, rows + self.n_words

    def vector(self, word: str | bytes) -> NDArray[np.float32] | None:
        """Vector of an unseen word, float32 (D,); None if it has no n-gram."""
        rows = self.ngrams([word])[1]
        if len(rows) == 0:
            return None
        total: NDArray[np.float32] = self.table.rows(rows).sum(axis=0)
        return total * np.float32(1.0 / len(rows))

    def compose(
        self, words: Sequence[str | bytes], ids: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Vectors of words, which need not have been seen in training.

        Parameters
        ----------
        words : sequence of str or bytes
        ids : array_like of int (n,), optional
            Rows of the words themselves, or -1 for one without; by default none has one.

        Returns
        -------
        float32 (n, D)
            Zero for a word that has neither a row nor an n-gram.

        Raises
        ------
        ParameterError
            ``words`` is one string, or ``ids`` do not fit.
        """
        if isinstance(words, (str, bytes)):
            raise ParameterError(f"words must be a sequence of words, got {words!r}.")
        own = np.full(len(words), -1, np.int64) if ids is None else np.asarray(ids, dtype=np.int64)
        if own.shape != (len(words),) or (
            len(own) and not -1 <= own.min() <= own.max() < self.n_words
        ):
            raise ParameterError(
                f"ids must hold a row below {self.n_words}, or -1, for each of {len(words)} words."
            )
        vectors = np.zeros((len(words), self.vector_size), dtype=np.float32)
        for first in range(0, len(words), WORDS_AT_ONCE):
            part = slice(first, first + WORDS_AT_ONCE)
            vectors[part] = self._means(words[part], own[part])
        return vectors

    def _means(self, words: Sequence[str | bytes], own: NDArray[np.int64]) -> NDArray[np.float32]:
        from scipy.sparse import csr_array  # a quarter of a second to import

        owners, rows = self.ngrams(words)
        seen = np.flatnonzero(own >= 0)
        owners, rows = np.concatenate([seen, owners]), np.concatenate([own[seen], rows])
        order = np.argsort(owners, kind="stable")  # a word's own row before its n-grams
        counts = np.bincount(owners, minlength=len(words))
        bounds = np.concatenate([[0], np.cumsum(counts)])
        used, columns = np.unique(rows[order], return_inverse=True)
        ones = np.ones(len(order), dtype=np.float32)
        sums = csr_array((ones, columns, bounds), shape=(len(words), len(used))) @ self.table.rows(
            used
        )
        scale = (1.0 / np.maximum(counts, 1)).astype(np.float32)
        return np.asarray(sums * scale[:, None], dtype=np.float32)


def ngram_hashes(
    words: Sequence[str | bytes], minn: int, maxn: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which word each character n-gram belongs to, and its hash, in the order of fastText.

    >>> owners, hashes = ngram_hashes(["a"], 1, 3)
    >>> len(owners)  # "<a", "<a>", "a" and "a>"
    4
    """
    given = [word.encode(errors="surrogateescape") if isinstance(word, str) else word
             for word in words]  # fmt: skip
    spans = [b"" if word == END_OF_SENTENCE else b"<" + word + b">" for word in given]
    lengths = np.array([len(span) for span in spans], dtype=np.int64)
    ends = np.cumsum(lengths)
    data = np.frombuffer(b"".join(spans), dtype=np.uint8)
    owner = np.repeat(np.arange(len(words)), lengths)
    begins_character = np.append((data & 0xC0) != 0x80, True)
    begins = np.flatnonzero(begins_character[:-1])
    signed = data.view(np.int8).astype(np.int32).view(np.uint32)
    start, place, stop = begins, begins.copy(), ends[owner[begins]]
    state = np.full(len(begins), 2166136261, dtype=np.uint32)
    lone_end = begins == (ends - lengths)[owner[begins]]  # "<" by itself is no n-gram, nor is ">"
    starts, hashes = [], []
    for length in range(1, maxn + 1):
        running = place < stop
        if not running.any():  # whatever maxn a damaged file claims, words end
            break
        start, place, stop = start[running], place[running], stop[running]
        state, lone_end = state[running], lone_end[running]
        inside = np.ones(len(place), dtype=np.bool_)
        while inside.any():  # the bytes of one character
            state[inside] = (state[inside] ^ signed[place[inside]]) * np.uint32(16777619)
            place[inside] += 1
            inside &= (place < stop) & ~begins_character[place]
        if length >= minn:
            kept = ~(lone_end | (place == stop)) if length == 1 else np.ones(len(place), np.bool_)
            starts.append(start[kept])
            hashes.append(state[kept].astype(np.int64))
    where = np.concatenate([*starts, np.empty(0, np.int64)])
    order = np.argsort(where, kind="stable")
    return owner[where[order]], np.concatenate([*hashes, np.empty(0, np.int64)])[order]
