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
        the others count for nothing.  By default all are there, each in the row of its hash.
    """

    table: Rows
    n_words: int
    minn: int
    maxn: int
    bucket: int
    pruned: NDArray[np.int32] | None = field(default=None)

    @property
    def kind(self) -> tuple[int, int, int]:
        """``minn``, ``maxn`` and ``bucket``: n-grams of the same kind have the same rows."""
        return self.minn, self.maxn, self.bucket

    @property
    def vector_size(self) -> int:
        """D, the length of a vector."""
        return self.table.shape[1]

    def stored(self) -> SharedRows:
        """Return all rows by number, as a file keeps them; a quantised table is decoded."""
        if isinstance(self.table, SharedRows):
            return self.table
        left = self.pruned
        if left is None:
            n_buckets = self.table.shape[0] - self.n_words if self.maxn else 0
            buckets = np.arange(min(self.bucket, n_buckets), dtype=np.int32)
            rows = self.n_words + buckets
        else:
            buckets, rows = left[:, 0], self.n_words + left[:, 1]
        n_rows = self.n_words + len(buckets)
        values = self.table.rows(np.arange(n_rows))
        return SharedRows(
            values, self.n_words, self.bucket, buckets, rows, np.ones(n_rows, np.float32)
        )

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


@dataclass(frozen=True)
class SharedRows:
    """The rows of words and buckets, where several of them share a row that is their sum.

    Attributes
    ----------
    values : float32 (n_rows, D)
    n_words : int
        V; the first V rows are the words'.
    bucket : int
    buckets : int32 (B,), rising
        Those that have a row; the others are zero.
    bucket_rows : int32 (B,)
    multiplicity : float32 (n_rows,)
        How many words and buckets share each row.

    Examples
    --------
    >>> shared = SharedRows(
    ...     np.array([[4.0], [6.0]], np.float32), 1, 10, np.array([2, 7, 9], np.int32),
    ...     np.array([0, 1, 1], np.int32), np.array([2, 2], np.float32))
    >>> shared.shape, shared.rows([0, 1 + 2, 1 + 7, 1 + 8]).ravel().tolist()
    ((11, 1), [2.0, 2.0, 3.0, 0.0])
    """

    values: NDArray[np.float32]
    n_words: int
    bucket: int
    buckets: NDArray[np.int32]
    bucket_rows: NDArray[np.int32]
    multiplicity: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.n_words + self.bucket, self.values.shape[1]

    def rows(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return rows ``ids`` as float32 (n, D)."""
        numbers = np.array(ids, dtype=np.int64)
        of_bucket = np.flatnonzero(numbers >= self.n_words)
        wanted = numbers[of_bucket] - self.n_words
        places = np.searchsorted(self.buckets, wanted).clip(max=max(len(self.buckets) - 1, 0))
        there = (
            self.buckets[places] == wanted if len(self.buckets) else np.zeros(len(wanted), np.bool_)
        )
        numbers[of_bucket] = 0
        numbers[of_bucket[there]] = self.bucket_rows[places[there]]
        found = np.asarray(self.values[numbers], dtype=np.float32)
        found /= self.multiplicity[numbers, None]
        found[of_bucket[~there]] = 0.0
        return found


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


@dataclass(frozen=True)
class NgramRows:
    """Rows of ``W_in`` for the words of a vocabulary: each word's own, and those of its n-grams.

    The vector of word w is the mean of its ``sizes[w]`` parts: itself, and each of its n-grams, as
    often as it occurs.  N-grams of one bucket are one part.  Parts that occur in exactly the same
    words, equally often in each, always receive the same change, so that they need not be told
    apart while training: they share one row, which is their *sum*.  That is exact, and a word has
    half as many rows to read.

    Attributes
    ----------
    rows : int32 (R,)
    offsets : int64 (V + 1,)
        Word w is the sum of ``rows[offsets[w]:offsets[w + 1]]``, the first its own, over
        ``sizes[w]``.
    sizes : int64 (V,)
        Parts of each word.
    multiplicity : float32 (n_inputs,)
        Parts that a row is the sum of.  If each of them changes by d, the row changes by so many d.
    buckets : int32 (B,)
        Buckets that the vocabulary's n-grams are in, rising.
    bucket_rows : int32 (B,)
        The row of each.
    minn, maxn, bucket : int
        As in :class:`Subwords`.

    Examples
    --------
    >>> rows = NgramRows.of_vocabulary([b"see", b"sea"], minn=2, maxn=3, bucket=1 << 20)
    >>> rows.sizes.tolist()  # see, <s, se, ee, e>, <se, see, ee>
    [8, 8]
    >>> rows.n_inputs  # see with its own n-grams, sea with its own, and those of both: <s, se, <se
    3
    >>> rows.rows.tolist(), rows.multiplicity.tolist()
    ([0, 2, 1, 2], [5.0, 5.0, 3.0])
    """

    rows: NDArray[np.int32]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    multiplicity: NDArray[np.float32]
    buckets: NDArray[np.int32]
    bucket_rows: NDArray[np.int32]
    minn: int
    maxn: int
    bucket: int

    @classmethod
    def of_vocabulary(
        cls,
        words: Sequence[str | bytes],
        *,
        minn: int,
        maxn: int,
        bucket: int,
        uses: ArrayLike | None = None,
    ) -> NgramRows:
        """Find the n-grams of words, and the rows that they share.

        Parameters
        ----------
        words : sequence of str or bytes
        minn, maxn, bucket : int
        uses : array_like of float (V,), optional
            How often each word is read: rows that are read often lie side by side.
        """
        n_words = len(words)
        owners, hashes = ngram_hashes(words, minn, maxn)
        buckets, ids = np.unique(hashes % bucket, return_inverse=True)
        row, multiplicity = _shared_rows(owners, ids, len(buckets), n_words)
        n_rows = len(multiplicity)
        every = np.arange(n_words)
        pairs = np.concatenate([every * (n_rows + 1), owners * n_rows + row[ids]])
        pairs, counts = np.unique(pairs, return_counts=True)
        readers, columns = np.divmod(pairs, n_rows)
        if uses is not None:
            heat = np.bincount(columns, np.asarray(uses, np.float64)[readers], minlength=n_rows)
            order = np.concatenate([every, n_words + np.argsort(-heat[n_words:], kind="stable")])
            place = np.empty(n_rows, np.int64)
            place[order] = np.arange(n_rows)
            columns, row, multiplicity = place[columns], place[row], multiplicity[order]
        # A part that occurs twice in a word is read twice, and so are those that share its row.
        times = counts // multiplicity[columns]
        order = np.lexsort((columns, readers))
        times = times[order]
        readers, columns = np.repeat(readers[order], times), np.repeat(columns[order], times)
        return cls(
            rows=columns.astype(np.int32),
            offsets=np.concatenate([[0], np.cumsum(np.bincount(readers, minlength=n_words))]),
            sizes=1 + np.bincount(owners, minlength=n_words),
            multiplicity=multiplicity.astype(np.float32),
            buckets=buckets.astype(np.int32),
            bucket_rows=row.astype(np.int32),
            minn=minn,
            maxn=maxn,
            bucket=bucket,
        )

    @property
    def n_inputs(self) -> int:
        """Rows of ``W_in``."""
        return len(self.multiplicity)

    @property
    def kind(self) -> tuple[int, int, int]:
        """As :attr:`Subwords.kind`."""
        return self.minn, self.maxn, self.bucket

    def subwords(self, W_in: NDArray[np.float32]) -> Subwords:
        """Return what composes the vector of any word from rows ``W_in`` (n_inputs, D).

        N-grams that no word of the vocabulary has are zero.
        """
        table = SharedRows(
            W_in, len(self.sizes), self.bucket, self.buckets, self.bucket_rows, self.multiplicity
        )
        return Subwords(table, len(self.sizes), self.minn, self.maxn, self.bucket)


def _shared_rows(
    owners: NDArray[np.int64], ids: NDArray[np.int64], n_buckets: int, n_words: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the row of every bucket, and of how many parts each row is the sum.

    Parameters
    ----------
    owners, ids : int64 (n,)
        Word and bucket of each occurrence of an n-gram.
    """
    # Buckets are in the same words if the sums of the words' random numbers, 128 bits, are equal.
    first, second = _mixed(np.arange(1, 2 * n_words + 1, dtype=np.uint64)).reshape(2, n_words)
    sums = np.zeros((2, n_buckets), np.uint64)
    np.add.at(sums[0], ids, first[owners])
    np.add.at(sums[1], ids, second[owners])
    order = np.lexsort(sums)
    begins = np.ones(n_buckets, np.bool_)
    begins[1:] = (sums[:, order[1:]] != sums[:, order[:-1]]).any(axis=0)
    shared = np.empty(n_buckets, np.int64)
    shared[order] = np.cumsum(begins) - 1
    # What occurs once, in one word, joins the word's own row.
    once = np.bincount(ids, minlength=n_buckets) == 1
    owner = np.empty(n_buckets, np.int64)
    owner[ids] = owners
    kept, number = np.unique(shared[~once], return_inverse=True)
    row = owner
    row[~once] = n_words + number
    multiplicity = np.bincount(row, minlength=n_words + len(kept))
    multiplicity[:n_words] += 1
    return row, multiplicity


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return well-mixed 64-bit numbers (the finalizer of SplitMix64)."""
    x = numbers * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
