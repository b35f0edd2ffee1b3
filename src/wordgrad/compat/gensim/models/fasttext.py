"""fastText's vectors by gensim's names: known words, and any other from its character n-grams.

Models that train on n-grams are :class:`wordgrad.Word2Vec` with ``subwords``; what is here opens
and asks vectors.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from wordgrad.compat.gensim.models.keyedvectors import REAL, KeyedVectors
from wordgrad.errors import FormatError, ParameterError
from wordgrad.io import formats
from wordgrad.io.common import LoadOptions
from wordgrad.io.fasttext_model import DenseMatrix
from wordgrad.subwords import SharedRows, Subwords

logger = logging.getLogger(__name__)


class FastTextKeyedVectors(KeyedVectors):
    """Words with vectors, and n-grams that give every other word one.

    Parameters
    ----------
    vector_size : int
    min_n, max_n : int
        Characters of the shortest and the longest n-gram.
    bucket : int
        N-grams are told apart by their hash modulo this number; 0 for none.
    count, dtype
        See :class:`KeyedVectors`.

    Examples
    --------
    >>> kv = FastTextKeyedVectors(2, min_n=3, max_n=6, bucket=10)
    >>> kv.take_ngrams(np.zeros((0, 2)), np.arange(20).reshape(10, 2))
    >>> "never seen" in kv, kv["never seen"].shape, kv.get_index("never seen", -1)
    (True, (2,), -1)
    """

    def __init__(
        self,
        vector_size: int,
        min_n: int,
        max_n: int,
        bucket: int,
        count: int = 0,
        dtype: DTypeLike = REAL,
    ) -> None:
        super().__init__(vector_size, count, dtype)
        self.min_n, self.max_n, self.bucket = int(min_n), int(max_n), int(bucket)
        self._subwords: Subwords | None = None

    def take_ngrams(self, words: NDArray[Any], ngrams: NDArray[Any]) -> None:
        """Compose vectors of these rows: (V, D) of words and (bucket, D) of n-grams.

        Raises
        ------
        ParameterError
            If they do not have that shape.
        """
        if np.shape(ngrams) != (self.bucket, self.vector_size):
            raise ParameterError(
                f"ngrams must have shape {(self.bucket, self.vector_size)}, a row a bucket, got "
                f"{np.shape(ngrams)}."
            )
        rows = np.concatenate([words, ngrams]).astype(REAL, copy=False)
        table = DenseMatrix(rows)
        self._subwords = Subwords(table, len(words), self.min_n, self.max_n, self.bucket)

    @property
    def vectors_vocab(self) -> NDArray[np.float32]:
        """Rows of the words alone, without their n-grams, float32 (V, D)."""
        return self._rows(0, None if self._subwords is None else self._subwords.n_words)

    @property
    def vectors_ngrams(self) -> NDArray[np.float32]:
        """Rows of the n-grams, float32 (bucket, D)."""
        return self._rows(0 if self._subwords is None else self._subwords.n_words, None)

    def _rows(self, first: int, last: int | None) -> NDArray[np.float32]:
        if self._subwords is None:
            return np.zeros((0, self.vector_size), REAL)
        stop = self._subwords.table.shape[0] if last is None else last
        return self._subwords.table.rows(np.arange(first, stop))

    def __contains__(self, key: object) -> bool:
        """Whether there is a vector, which every string has where there are n-grams."""
        return self.has_index_for(key) or (self._subwords is not None and isinstance(key, str))

    def get_vector(self, key: Any, norm: bool = False) -> NDArray[Any]:
        """Vector of a word, read-only, composed of its n-grams if it is not known.

        Raises
        ------
        KeyError
            If it is not known, and there are no n-grams.
        """
        if key not in self or self.has_index_for(key):
            return super().get_vector(key, norm)
        vector = cast(Subwords, self._subwords).vector(key)
        if vector is None:
            logger.warning("could not extract any ngrams from %r, returning origin vector", key)
            vector = np.zeros(self.vector_size, REAL)
        length = np.linalg.norm(vector)
        vector = vector / length if norm and length > 0 else vector
        vector.setflags(write=False)
        return vector

    def get_sentence_vector(self, sentence: Sequence[str]) -> NDArray[np.float32]:
        """Mean of the unit vectors of some words."""
        return self.get_mean_vector(sentence)

    # ---------------------------------------------------------------- files

    def _state(self) -> dict[str, Any]:
        state = super()._state()
        subwords = state.pop("_subwords")
        if subwords is not None:
            rows = subwords.stored()
            state["_stored"] = [
                rows.values, rows.n_words, rows.bucket, rows.buckets, rows.bucket_rows,
                rows.multiplicity,
            ]  # fmt: skip
        return state

    def _restored(self) -> None:
        super()._restored()
        gensims = [self.__dict__.pop(name, None) for name in _GENSIMS]
        stored = self.__dict__.pop("_stored", None)
        self._subwords = None
        if stored is not None:
            table = SharedRows(*stored)
            kind = self.min_n, self.max_n, self.bucket
            self._subwords = Subwords(table, table.n_words, *kind)
        elif gensims[0] is not None and gensims[1] is not None and self.bucket:
            self.take_ngrams(*gensims[:2])


_GENSIMS = (
    "_vectors_vocab",
    "_vectors_ngrams",
    "buckets_word",
    "compatible_hash",
    "vectors_vocab_lockf",
    "vectors_ngrams_lockf",
)


def load_facebook_vectors(
    path: str | os.PathLike[str], encoding: str = "utf-8"
) -> FastTextKeyedVectors:
    """Open the vectors of a model of fastText, ``.bin``; rows of n-grams stay mapped in the file.

    Raises
    ------
    ParameterError
        If the encoding is not UTF-8, which is what fastText writes.
    InputError, FormatError
        If the file cannot be opened, or is no model of word vectors.
    """
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        raise ParameterError(f"fastText writes UTF-8, got encoding={encoding!r}; leave it out.")
    parts = formats.load(Path(path), LoadOptions(), "fasttext")
    if parts.subwords is None:
        raise FormatError(f"{path} has no n-grams; open it with wordgrad.load.")
    kind = parts.subwords.minn, parts.subwords.maxn, parts.subwords.bucket
    made = FastTextKeyedVectors(parts.vector_size, *kind)
    made._take(list(parts.words), np.array(parts.matrix))
    made._subwords = parts.subwords
    if parts.counts is not None:
        made.expandos["count"] = np.array(parts.counts)
    return made
