"""``KeyedVectors``: keys with vectors that may be changed at any time."""

from __future__ import annotations

import logging
import os
import warnings
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from wordgrad.compat.gensim.saving import Saveable, check_no_pickle, holds_vectors
from wordgrad.errors import FormatError
from wordgrad.files import atomic_write
from wordgrad.io import compression, formats, text, word2vec_binary, word2vec_text
from wordgrad.io.common import LoadOptions, VectorParts, check_words
from wordgrad.search.exact import ExactIndex, row_norms, unit
from wordgrad.vocabulary import Vocabulary

logger = logging.getLogger(__name__)
REAL = np.float32

_REMOVED = {
    "vocab": "key_to_index, and get_vecattr(key, 'count') for counts",
    "index2word": "index_to_key",
    "index2entity": "index_to_key",
    "vectors_norm": "get_normed_vectors()",
    "syn0": "vectors",
    "syn0norm": "get_normed_vectors()",
    "wv": "these vectors themselves",
}
"""Names of gensim 3, and what gensim 4 has in their place."""


class KeyedVectors(Saveable):
    """Keys, any hashable objects, and a vector for each, in gensim's words.

    Searches read :attr:`vectors` where they are: what is written there counts at once.  Lengths of
    vectors are measured again for every search while somebody else holds the matrix, which makes
    it about twice as long; :meth:`fill_norms` measures them once, and until :attr:`vectors` is
    taken again they are trusted.

    Parameters
    ----------
    vector_size : int
    count : int
        Rows to make at once, for :meth:`add_vector` to fill.
    dtype : dtype
    mapfile_path : object
        Kept, and not used.

    Attributes
    ----------
    index_to_key : list
    key_to_index : dict
    expandos : dict of str to array
        An entry a key of each attribute that :meth:`set_vecattr` sets, ``"count"`` above all.
    vectors_lockf : float32 (1,) or (V,)
        What training's steps on each vector are multiplied by, 0 (it stays) to 1.

    Examples
    --------
    >>> kv = KeyedVectors(2)
    >>> kv.add_vectors(["tea", "cup", 7], [[1, 0], [3, 4], [0, 1]])
    >>> kv.vectors[2] = [2, 0]
    >>> kv.most_similar("tea", topn=1)
    [(7, 1.0)]
    """

    _unsaved = frozenset({"key_to_index", "_norms", "_index", "_lent"})

    def __init__(
        self,
        vector_size: int,
        count: int = 0,
        dtype: DTypeLike = REAL,
        mapfile_path: object = None,
    ) -> None:
        self.vector_size = int(vector_size)
        self.index_to_key: list[Any] = [None] * count
        self.key_to_index: dict[Any, int] = {}
        self.next_index = 0
        self.expandos: dict[str, NDArray[Any]] = {}
        self.mapfile_path = mapfile_path
        self.vectors_lockf: NDArray[np.float32] = np.ones(1, REAL)
        self.vectors = np.zeros((count, self.vector_size), dtype=dtype)

    def __str__(self) -> str:
        return f"{type(self).__name__}<vector_size={self.vector_size}, {len(self)} keys>"

    def __getattr__(self, name: str) -> Any:
        if name in _REMOVED:
            raise AttributeError(
                f"{name} was removed from KeyedVectors in gensim 4; use {_REMOVED[name]}."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _state(self) -> dict[str, Any]:
        paths = ("code", "point")  # of a tree, which the counts make
        expandos = {name: of for name, of in self.expandos.items() if name not in paths}
        return super()._state() | {"expandos": expandos}

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_norms", "_index")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state, _norms=None, _index=None)

    # ---------------------------------------------------------------- the matrix and its lengths

    @property
    def vectors(self) -> NDArray[Any]:
        """The matrix, of shape (V, vector_size); it may be written to, and another be put here."""
        self._lent = True
        return self._matrix

    @vectors.setter
    def vectors(self, matrix: NDArray[Any]) -> None:
        self._matrix = matrix
        self._lent = True
        self._forget()

    def _forget(self) -> None:
        """Measure lengths again: vectors have changed."""
        self._norms: NDArray[Any] | None = None
        self._index: ExactIndex | None = None

    @property
    def norms(self) -> NDArray[Any] | None:
        """Lengths of the vectors, float32 of shape (V,), once :meth:`fill_norms` measured them."""
        return self._norms

    def fill_norms(self, force: bool = False) -> None:
        """Measure the vectors, and trust the result until :attr:`vectors` is taken again."""
        if force or self._lent or self._norms is None:
            self._search()
            self._lent = False

    def _search(self) -> ExactIndex:
        """An index over the matrix as it is now."""
        if self._index is None or self._lent:
            lengths = row_norms(self._matrix)
            self._norms = lengths.astype(REAL)
            self._index = ExactIndex(self._matrix, lengths)
        return self._index

    def get_normed_vectors(self) -> NDArray[Any]:
        """Return a new matrix of vectors of length 1."""
        self.fill_norms()
        return cast(NDArray[Any], self._matrix / cast(Any, self._norms)[:, np.newaxis])

    def unit_normalize_all(self) -> None:
        """Bring every vector to length 1, for good."""
        self._matrix = self.get_normed_vectors()
        self._forget()

    def init_sims(self, replace: bool = False) -> None:
        """Do what :meth:`fill_norms` does, or :meth:`unit_normalize_all` with ``replace``."""
        warnings.warn(
            "init_sims is gensim 3's; use fill_norms, or unit_normalize_all instead of "
            "replace=True.",
            DeprecationWarning,
            stacklevel=2,
        )
        self.unit_normalize_all() if replace else self.fill_norms()

    # ---------------------------------------------------------------- keys

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __contains__(self, key: object) -> bool:
        return self.has_index_for(key)

    def has_index_for(self, key: object) -> bool:
        """Whether there is a row for ``key``."""
        return self.get_index(key, -1) >= 0

    def get_index(self, key: Any, default: int | None = None) -> int:
        """Row of a key; an integer that is no key itself is a row.

        Raises
        ------
        KeyError
            If there is none, and no ``default``.
        """
        if isinstance(key, Hashable):
            row = self.key_to_index.get(key, -1)
            if row >= 0:
                return row
            if isinstance(key, int | np.integer) and 0 <= key < len(self.index_to_key):
                return int(key)
        if default is not None:
            return default
        raise KeyError(f"Key '{key}' not present")

    def __getitem__(self, key_or_keys: Any) -> NDArray[Any]:
        if self._is_key(key_or_keys):
            return self.get_vector(key_or_keys)
        return np.vstack([self.get_vector(key) for key in key_or_keys])

    def _is_key(self, one: Any) -> bool:
        """Whether it is one key and not several; a tuple is one if it is known as one."""
        if isinstance(one, str | int | np.integer):
            return True
        return isinstance(one, tuple | frozenset | bytes) and one in self.key_to_index

    def __setitem__(self, keys: Any, weights: ArrayLike) -> None:
        if not isinstance(keys, list | np.ndarray):
            keys, weights = [keys], np.asarray(weights).reshape(1, -1)
        self.add_vectors(keys, weights, replace=True)

    def get_vector(self, key: Any, norm: bool = False) -> NDArray[Any]:
        """Vector of a key, read-only; with ``norm`` at length 1."""
        row = self.get_index(key)
        vector: NDArray[Any] = self._matrix[row]
        if norm:
            vector = vector / self._lengths(row)
        vector = vector.view()
        vector.setflags(write=False)
        return vector

    word_vec = get_vector

    def _lengths(self, rows: Any) -> NDArray[Any]:
        """Lengths of some rows, as :attr:`norms` has them."""
        if self._norms is not None and not self._lent:
            return cast(NDArray[Any], self._norms[rows])
        return row_norms(np.atleast_2d(self._matrix[rows])).astype(REAL).reshape(np.shape(rows))

    # ---------------------------------------------------------------- attributes of keys

    def allocate_vecattrs(
        self, attrs: Iterable[str] | None = None, types: Iterable[Any] | None = None
    ) -> None:
        """Make room for attributes of every key; new entries are zero.

        Raises
        ------
        TypeError
            If an attribute is there and holds another type.
        """
        if attrs is None or types is None:
            attrs, types = list(self.expandos), [of.dtype for of in self.expandos.values()]
        for name, kind in zip(attrs, types, strict=True):
            dtype = {int: np.int64, str: object}.get(kind, kind)
            old = self.expandos.get(name, np.zeros(0, dtype))
            if not np.issubdtype(dtype, old.dtype):
                raise TypeError(f"The attribute {name!r} holds {old.dtype}, got {dtype}.")
            if name not in self.expandos or len(old) != len(self):
                made = np.zeros(len(self), old.dtype)
                kept = min(len(old), len(made))
                made[:kept] = old[:kept]
                self.expandos[name] = made

    def set_vecattr(self, key: Any, attr: str, val: Any) -> None:
        """Set an attribute of one key."""
        self.allocate_vecattrs([attr], [type(val)])
        self.expandos[attr][self.get_index(key)] = val

    def get_vecattr(self, key: Any, attr: str) -> Any:
        """Attribute of one key."""
        return self.expandos[attr][self.get_index(key)]

    # ---------------------------------------------------------------- changes

    def resize_vectors(self, seed: int = 0) -> None:
        """Make as many rows as there are keys; new ones are small and random."""
        self.vectors = prep_vectors((len(self), self.vector_size), self._matrix, seed)
        self.allocate_vecattrs()

    def add_vector(self, key: Any, vector: ArrayLike) -> int:
        """Give a key the next of the rows made at the start, or one more; return its row."""
        row = self.next_index
        if row >= len(self):
            warnings.warn(
                "Adding single vectors to a KeyedVectors copies all of it each time; add many with "
                "add_vectors, or make the rows before with count.",
                stacklevel=2,
            )
            self.add_vectors([key], [vector])
            return self.get_index(key)
        self.index_to_key[row], self.key_to_index[key] = key, row
        self._matrix[row] = vector
        self.next_index += 1
        self._forget()
        return row

    def add_vectors(
        self,
        keys: Any,
        weights: Any,
        extras: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> None:
        """Append keys that are new, and with ``replace`` overwrite the vectors of others.

        Parameters
        ----------
        keys : key or sequence of keys
            Of a key that comes twice the first vector is taken.
        weights : array_like (vector_size,) or (keys, vector_size)
        extras : mapping of str to array_like (keys,), optional
            Attributes of the keys.
        replace : bool

        Raises
        ------
        ValueError
            If there are not as many vectors as keys, or of another size.
        """
        if isinstance(keys, str | int | np.integer):
            keys, weights = [keys], np.asarray(weights).reshape(1, -1)
        keys, rows = list(keys), np.asarray(weights)
        if rows.shape != (len(keys), self.vector_size) and (keys or rows.size):
            raise ValueError(
                f"weights must hold {len(keys)} vectors of {self.vector_size} numbers, one a key, "
                f"got shape {rows.shape}."
            )
        fresh: dict[Any, int] = {}
        for place, key in enumerate(keys):
            if key not in self.key_to_index:
                fresh.setdefault(key, place)
        known = [place for place, key in enumerate(keys) if key not in fresh]
        for key in fresh:
            self.key_to_index[key] = len(self.index_to_key)
            self.index_to_key.append(key)
        places = list(fresh.values())
        if fresh:
            added = rows[places].astype(self._matrix.dtype)
            self.vectors = np.vstack([self._matrix, added])
        for name, values in (extras or {}).items():
            self.allocate_vecattrs([name], [np.asarray(values).dtype])
        self.allocate_vecattrs()
        changed = [*places, *known] if replace else places
        if replace and known:
            self._matrix[[self.key_to_index[keys[place]] for place in known]] = rows[known]
        for name, values in (extras or {}).items():
            for place in changed:
                self.expandos[name][self.key_to_index[keys[place]]] = values[place]
        self.next_index = len(self)
        self._forget()

    def sort_by_descending_frequency(self) -> None:
        """Number keys anew by falling ``"count"``; equal counts stay as they are."""
        if not len(self):
            return
        order = np.argsort(-self.expandos["count"], kind="stable")
        self.index_to_key = [self.index_to_key[row] for row in order]
        self.key_to_index = {key: row for row, key in enumerate(self.index_to_key)}
        self.expandos = {name: of[order] for name, of in self.expandos.items()}
        if len(self._matrix):
            self.vectors = self._matrix[order]

    # ---------------------------------------------------------------- search

    def get_mean_vector(
        self,
        keys: Any,
        weights: ArrayLike | None = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> NDArray[np.float32]:
        """Weighted mean of keys' vectors, with ``pre_normalize`` at length 1, and of arrays.

        Raises
        ------
        ValueError
            If there are no keys, or not as many weights.
        KeyError
            If a key is not there and ``ignore_missing`` is false.
        """
        if len(keys) == 0:
            raise ValueError("cannot compute mean with no input")
        given = np.ones(len(keys)) if weights is None else np.asarray(weights, float)
        if len(given) != len(keys):
            raise ValueError("keys and weights array must have same number of elements")
        total, mean = 0.0, np.zeros(self.vector_size)
        for key, weight in zip(keys, given.tolist(), strict=True):
            vector = self._vector_of(key, norm=pre_normalize)
            if vector is not None:
                mean += weight * vector
                total += abs(weight)
            elif not ignore_missing:
                raise KeyError(f"Key '{key}' not present in vocabulary")
        mean = mean / total if total > 0 else mean
        return (unit(mean) if post_normalize else mean).astype(REAL)

    def _vector_of(self, key: Any, *, norm: bool) -> NDArray[np.float64] | None:
        """Vector of a key, or one given as an array, as it is; None if there is none.

        A key's unit vector is rounded to float32 before, so that a key and the vector that
        ``get_vector(key, norm=True)`` gives for it are the same question.
        """
        if isinstance(key, np.ndarray):
            return key.astype(np.float64)
        return self.get_vector(key, norm=norm).astype(np.float64) if key in self else None

    def _asked(self, positive: Any, negative: Any) -> tuple[list[Any], list[float]]:
        """Keys or arrays of a question, and their weights."""
        keys, weights = [], []
        for group, sign in ((positive, 1.0), (negative, -1.0)):
            for one in self._listed(group):
                pair = isinstance(one, tuple) and len(one) == 2 and not self._is_key(one)
                keys.append(one[0] if pair else one)
                weights.append(sign * one[1] if pair else sign)
        if not keys:
            raise ValueError("cannot compute similarity with no input")
        return keys, weights

    def _listed(self, group: Any) -> list[Any]:
        if group is None:
            return []
        single = self._is_key(group) or isinstance(group, tuple)
        if single or (isinstance(group, np.ndarray) and group.ndim == 1):
            return [group]
        return list(group)

    def _question(self, keys: list[Any], weights: Iterable[float]) -> NDArray[np.float64]:
        """The sum of keys' unit vectors and of arrays, at length 1."""
        total = np.zeros(self.vector_size)
        for key, weight in zip(keys, weights, strict=True):
            vector = self._vector_of(key, norm=True)
            if vector is None:
                raise KeyError(f"Key '{key}' not present in vocabulary")
            if vector.shape != total.shape:
                raise ValueError(
                    f"A vector of a question must have {self.vector_size} numbers, got shape "
                    f"{vector.shape}."
                )
            total += weight * vector
        return unit(total)

    def _rows_of(self, keys: Iterable[Any]) -> list[int]:
        """Rows of those of some keys that have one."""
        rows = (-1 if isinstance(key, np.ndarray) else self.get_index(key, -1) for key in keys)
        return [row for row in rows if row >= 0]

    def most_similar(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
        indexer: Any = None,
    ) -> Any:
        """The keys nearest to a sum of keys' unit vectors, and of arrays as they are.

        Parameters
        ----------
        positive, negative : key, vector, (key, weight), or list of these, optional
            What ``negative`` holds is subtracted, weighted or not (gensim 4.4 adds a pair there).
        topn : int or None
            None returns the cosines of all rows, and less than 1 an empty list.
        clip_start, clip_end : int
            Only these rows may be answers.
        restrict_vocab : int, optional
            Only the first so many rows may be answers.
        indexer : object, optional
            Its ``most_similar(vector, topn)`` answers instead.

        Returns
        -------
        list of (key, cosine), best first

        Raises
        ------
        KeyError
            If a key is not there.
        ValueError
            If nothing is asked.
        """
        if topn is not None and topn < 1:
            return []
        first, last = clip_start or 0, len(self._matrix) if clip_end is None else clip_end
        if restrict_vocab:
            first, last = 0, restrict_vocab
        last = min(last, len(self._matrix))
        keys, weights = self._asked(positive, negative)
        query = self._question(keys, weights)
        if indexer is not None and topn is not None:
            return indexer.most_similar(query.astype(REAL), topn)
        if topn is None:
            rows = np.arange(first, last)
            return self._cosines(query, rows).astype(REAL)
        if last <= first:
            return []
        index = self._search()
        if first:
            index = ExactIndex(self._matrix[first:], row_norms(self._matrix[first:]))
        excluded = np.array([self._rows_of(keys)], dtype=np.int64).reshape(1, -1) - first
        found = index.search(query[None], int(topn), excluded=excluded, limit=last - first)
        return self._named(found.rows[0] + first, found.scores[0])

    def _named(self, rows: NDArray[np.int64], scores: NDArray[np.float64]) -> list[Any]:
        known = np.isfinite(scores)
        pairs = zip(rows[known].tolist(), scores[known].tolist(), strict=True)
        return [(self.index_to_key[row], score) for row, score in pairs]

    def _cosines(self, query: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Cosines of a vector with some rows, each summed alike."""
        return self._search().pair_cosines(
            unit(np.asarray(query))[None], np.zeros(len(rows), np.int64), rows
        )

    def similar_by_word(
        self, word: Any, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """The keys nearest to one; see :meth:`most_similar`."""
        return self.similar_by_key(word, topn, restrict_vocab)

    def similar_by_key(
        self, key: Any, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """The keys nearest to one; see :meth:`most_similar`."""
        return self.most_similar([key], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_vector(
        self, vector: ArrayLike, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """The keys nearest to a vector; see :meth:`most_similar`."""
        given = np.asarray(vector)
        return self.most_similar([given], topn=topn, restrict_vocab=restrict_vocab)

    def most_similar_cosmul(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> Any:
        """The keys that score highest by 3CosMul: see :mod:`wordgrad.search.exact`.

        Arguments and errors are those of :meth:`most_similar`; there are no weights.
        """
        if topn is not None and topn < 1:
            return []
        above, below = self._listed(positive), self._listed(negative)
        if not above and not below:
            raise ValueError("cannot compute similarity with no input")
        units = np.array([self._question([key], [1.0]) for key in [*above, *below]])
        places = np.arange(len(units))[None]
        found = self._search().search_3cosmul(
            units,
            places[:, : len(above)],
            places[:, len(above) :],
            len(self) if topn is None else int(topn),
            excluded=np.array([self._rows_of([*above, *below])], np.int64).reshape(1, -1),
            limit=restrict_vocab,
        )
        return self._named(found.rows[0], found.scores[0])

    def closer_than(self, key1: Any, key2: Any) -> list[Any]:
        """All keys that are closer to ``key1`` than ``key2`` is, by row."""
        row, other = self.get_index(key1), self.get_index(key2)
        cosines = self._cosines(self._matrix[row], np.arange(len(self._matrix)))
        closer = np.flatnonzero(cosines > cosines[other]).tolist()
        return [self.index_to_key[one] for one in closer if one != row]

    words_closer_than = closer_than

    def rank(self, key1: Any, key2: Any) -> int:
        """One more than the keys that are closer to ``key1`` than ``key2`` is."""
        return len(self.closer_than(key1, key2)) + 1

    def most_similar_to_given(self, key1: Any, keys_list: Iterable[Any]) -> Any:
        """Of some keys the one nearest to ``key1``."""
        return max(keys_list, key=lambda key: self.similarity(key1, key))

    # ---------------------------------------------------------------- compare

    def similarity(self, w1: Any, w2: Any) -> np.float32:
        """Cosine of two keys' vectors."""
        return REAL(unit(self[w1]) @ unit(self[w2]))

    def distance(self, w1: Any, w2: Any) -> Any:
        """One less :meth:`similarity`."""
        return 1 - self.similarity(w1, w2)

    def distances(self, word_or_vector: Any, other_words: Iterable[Any] = ()) -> NDArray[Any]:
        """One less the cosines of a key or a vector with other keys, or with all, float32."""
        given = isinstance(word_or_vector, np.ndarray) and word_or_vector.ndim == 1
        query = word_or_vector if given else self[word_or_vector]
        rows = [self.get_index(one) for one in other_words] or range(len(self._matrix))
        return cast(NDArray[Any], 1 - self._cosines(query, np.array(rows, np.int64)).astype(REAL))

    @staticmethod
    def cosine_similarities(vector_1: NDArray[Any], vectors_all: NDArray[Any]) -> NDArray[Any]:
        """Cosines of a vector (D,) with the rows of a matrix (n, D)."""
        return cast(NDArray[Any], unit(vectors_all) @ unit(vector_1))

    def n_similarity(self, ws1: Sequence[Any], ws2: Sequence[Any]) -> np.float32:
        """Cosine of the means of two lists of keys.

        Raises
        ------
        ZeroDivisionError
            If one is empty.
        """
        if not (len(ws1) and len(ws2)):
            raise ZeroDivisionError("At least one of the passed list is empty.")
        means = [self.get_mean_vector(keys, pre_normalize=False) for keys in (ws1, ws2)]
        return REAL(unit(means[0]) @ unit(means[1]))

    def rank_by_centrality(
        self, words: Sequence[Any], use_norm: bool = True
    ) -> list[tuple[np.float32, Any]]:
        """Keys with the cosine of each and the mean of all, the highest first.

        Keys that are not there are left out.
        """
        known = [word for word in words if word in self]
        if len(known) < len(words):
            logger.warning("vectors for words %s are not present", set(words) - set(known))
        if not known:
            raise ValueError("cannot select a word from an empty list")
        vectors = np.array([self.get_vector(word, norm=use_norm) for word in known])
        cosines = (vectors @ unit(vectors.mean(axis=0))).astype(REAL)
        return sorted(zip(cosines, known, strict=True), key=lambda pair: -pair[0])

    def doesnt_match(self, words: Sequence[Any]) -> Any:
        """The key farthest from the mean of all."""
        return self.rank_by_centrality(words)[-1][1]

    def relative_cosine_similarity(self, wa: Any, wb: Any, topn: int = 10) -> Any:
        """Cosine of two keys, divided by the sum of those of the ``topn`` nearest to the first."""
        total = sum(cosine for _, cosine in self.similar_by_word(wa, topn))
        return self.similarity(wa, wb) / REAL(total)

    def wmdistance(
        self, document1: Iterable[Any], document2: Iterable[Any], norm: bool = True
    ) -> float:
        """Word mover's distance of two lists of keys, by linear programming (SciPy).

        Each key has the share that its occurrences have of its document, and the distance is the
        least total of share times Euclidean distance that carries one document's shares to the
        other's: Kusner et al. 2015, "From word embeddings to document distances", section 4.  What
        both documents have stays where it is, for the triangle inequality makes no detour cheaper.

        Parameters
        ----------
        document1, document2 : iterable of keys
            Keys that are not there are left out.
        norm : bool
            Whether vectors are brought to length 1 before.

        Returns
        -------
        float
            Infinite if a document is empty.
        """
        first, second = (
            Counter(key for key in document if key in self) for document in (document1, document2)
        )
        if not first or not second:
            logger.warning("At least one of the documents had no words that were in the vocabulary")
            return float("inf")
        amounts = (first.total(), second.total())
        # Whole numbers: what is left after taking away what both have is exact.
        moved = Counter({key: n * amounts[1] for key, n in first.items()})
        moved.subtract({key: n * amounts[0] for key, n in second.items()})
        sources = {key: n for key, n in moved.items() if n > 0}
        sinks = {key: -n for key, n in moved.items() if n < 0}
        if not sources:
            return 0.0
        from scipy import sparse
        from scipy.optimize import linprog
        from scipy.spatial.distance import cdist

        points = (
            np.array([self.get_vector(key, norm) for key in side]) for side in (sources, sinks)
        )
        costs = cdist(*(side.astype(np.float64) for side in points))
        n, m = costs.shape
        out = sparse.kron(sparse.identity(n), np.ones((1, m)))
        into = sparse.kron(np.ones((1, n)), sparse.identity(m))
        shares = np.array([*sources.values(), *sinks.values()]) / (amounts[0] * amounts[1])
        # One of the constraints follows from the others; a solver may find it contradicted.
        solved = linprog(
            costs.ravel(), A_eq=sparse.vstack([out, into]).tocsr()[1:], b_eq=shares[1:]
        )
        return float(solved.fun)

    def vectors_for_all(
        self, keys: Iterable[Any], allow_inference: bool = True, copy_vecattrs: bool = False
    ) -> KeyedVectors:
        """New vectors of those of some keys that are there.

        Parameters
        ----------
        keys : iterable
        allow_inference : bool
            Whether vectors of keys that are not there are composed, where that can be done.
        copy_vecattrs : bool
            Whether their attributes are taken along.
        """
        wanted = dict.fromkeys(keys)
        chosen = [key for key in wanted if key in (self if allow_inference else self.key_to_index)]
        made = KeyedVectors(self.vector_size, dtype=self._matrix.dtype)
        if chosen:
            made.add_vectors(chosen, np.array([self.get_vector(key) for key in chosen]))
        for name, values in self.expandos.items():
            made.allocate_vecattrs([name], [values.dtype])
            if copy_vecattrs:
                for row, key in enumerate(chosen):
                    if key in self.key_to_index:
                        made.expandos[name][row] = self.get_vecattr(key, name)
        return made

    # ---------------------------------------------------------------- evaluate

    def _folded(
        self, restrict_vocab: int | None, case_insensitive: bool
    ) -> tuple[Any, dict[str, int]]:
        """How words are folded for an evaluation, and the first row of each folded word."""

        def fold(word: str) -> str:
            return word.upper() if case_insensitive else word

        rows: dict[str, int] = {}
        for row, key in enumerate(self.index_to_key[:restrict_vocab]):
            rows.setdefault(fold(str(key)), row)
        return fold, rows

    def evaluate_word_pairs(
        self,
        pairs: str | os.PathLike[str],
        delimiter: str = "\t",
        encoding: str = "utf8",
        restrict_vocab: int | None = 300000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[Any, Any, float]:
        """Agreement of cosines with a file of word pairs and people's scores.

        Lines that begin with ``#``, and lines that are not two words and a number, are left out.

        Returns
        -------
        pearson, spearman, unknown
            SciPy's results, and the share in percent of pairs with a word that is not there; with
            ``dummy4unknown`` such pairs have cosine 0 instead.

        Raises
        ------
        ValueError
            If the file holds no pair.
        """
        from scipy.stats import pearsonr, spearmanr

        fold, rows = self._folded(restrict_vocab, case_insensitive)
        scores: list[float] = []
        cosines: list[float] = []
        unknown = 0
        for number, line in enumerate(_lines(pairs, encoding)):
            try:
                first, second, score = line.rstrip("\n").split(delimiter)
                value = float(score)
            except ValueError:
                if not line.startswith("#"):
                    logger.info("Skipping invalid line #%d in %s", number, pairs)
                continue
            if line.startswith("#"):
                continue
            known = [rows[word] for word in (fold(first), fold(second)) if word in rows]
            if len(known) < 2:
                unknown += 1
                if not dummy4unknown:
                    continue
            a, b = self._matrix[known] if len(known) == 2 else np.zeros((2, 1))
            scores.append(value)
            cosines.append(float(unit(a) @ unit(b)))
        if not scores:
            raise ValueError(f"No valid similarity gold-standard record found in {pairs}.")
        read = len(scores) + (0 if dummy4unknown else unknown)
        share = unknown / read * 100
        pearson, spearman = pearsonr(scores, cosines), spearmanr(scores, cosines)
        self.log_evaluate_word_pairs(pearson, spearman, share, pairs)
        return pearson, spearman, share

    @staticmethod
    def log_evaluate_word_pairs(pearson: Any, spearman: Any, oov: float, pairs: Any) -> None:
        """Log the result of :meth:`evaluate_word_pairs`."""
        logger.info(
            "%s: Pearson %.4f, Spearman %.4f, %.1f%% unknown", pairs, pearson[0], spearman[0], oov
        )

    def evaluate_word_analogies(
        self,
        analogies: str | os.PathLike[str],
        restrict_vocab: int | None = 300000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: str = "most_similar",
    ) -> tuple[float, list[dict[str, Any]]]:
        """Share of analogies answered, by 3CosAdd, and those answered right and wrong.

        Parameters
        ----------
        analogies : path
            As ``questions-words.txt`` of word2vec.
        restrict_vocab : int
            Only the first so many keys are known.
        case_insensitive : bool
            Whether words are compared in upper case.
        dummy4unknown : bool
            Whether questions with an unknown word are wrong; else they are left out.
        similarity_function : str
            Ignored, as gensim ignores it.

        Returns
        -------
        share : float
        sections : list of dict
            ``section``, ``correct`` and ``incorrect``, lists of questions; the last is the total.

        Raises
        ------
        ValueError
            If there is a question before the first section.
        """
        fold, rows = self._folded(restrict_vocab, case_insensitive)
        sections: list[dict[str, Any]] = []
        asked: list[tuple[dict[str, Any], tuple[str, ...]]] = []
        for number, line in enumerate(_lines(analogies, "utf8")):
            if line.startswith(":"):
                sections.append({"section": line[1:].strip(), "correct": [], "incorrect": []})
                continue
            if not sections:
                raise ValueError(f"Missing section header before line #{number} in {analogies}")
            words = tuple(map(fold, line.split()))
            if len(words) != 4:
                logger.info("Skipping invalid line #%d in %s", number, analogies)
            elif all(word in rows for word in words):
                asked.append((sections[-1], words))
            elif dummy4unknown:
                sections[-1]["incorrect"].append(words)
        for (section, words), answer in zip(asked, self._answers(asked, rows, fold), strict=True):
            section["correct" if answer == words[3] else "incorrect"].append(words)
        total = {
            kind: list(chain.from_iterable(section[kind] for section in sections))
            for kind in ("correct", "incorrect")
        }
        for section in sections:
            self.log_accuracy(section)
        sections.append({"section": "Total accuracy", **total})
        return self.log_accuracy(sections[-1]) or 0.0, sections

    def _answers(
        self, asked: Sequence[tuple[Any, tuple[str, ...]]], rows: Mapping[str, int], fold: Any
    ) -> Iterator[str | None]:
        """Folded words that answer "a is to b as c is to", None where none does."""
        if not asked:
            return
        named = np.array([[rows[word] for word in words[:3]] for _, words in asked], np.int64)
        units = self._search().unit_rows(named.ravel()).reshape(*named.shape, -1)
        queries = unit(units[:, 1] - units[:, 0] + units[:, 2])
        # Other spellings of the words of a question are no answers, and may come before one.
        found = self._search().search(queries, 5, excluded=named, limit=max(rows.values()) + 1)
        for (_, words), answers in zip(asked, found.rows.tolist(), strict=True):
            folded = [fold(str(self.index_to_key[row])) for row in answers if row >= 0]
            yield next((word for word in folded if word not in words[:3]), None)

    @staticmethod
    def log_accuracy(section: Mapping[str, Any]) -> float | None:
        """Log and return the share of right answers in a section; None if it has no question."""
        right, wrong = len(section["correct"]), len(section["incorrect"])
        if not right + wrong:
            return None
        share = right / (right + wrong)
        logger.info("%s: %.1f%% (%d/%d)", section["section"], 100 * share, right, right + wrong)
        return share

    # ---------------------------------------------------------------- files

    @classmethod
    def load(cls, fname: str | os.PathLike[str], mmap: str | None = None) -> Self:
        """Open a file that :meth:`save` wrote, or one that :meth:`wordgrad.WordVectors.save` wrote.

        Parameters
        ----------
        fname : path
        mmap : str, optional
            gensim's; the file is read all the same.

        Raises
        ------
        AttributeError
            If it holds a whole model, whose class the message names.
        FormatError
            If it is a pickle, of another kind, or damaged.
        """
        path = Path(fname)
        if not holds_vectors(path):
            return cls._load(path)
        parts = formats.load(path, LoadOptions(), "safetensors")
        made = cls(parts.vector_size)
        made._take(list(parts.words), np.array(parts.matrix))
        if parts.counts is not None:
            made.expandos["count"] = np.array(parts.counts)
        return made

    def _restored(self) -> None:
        kinds = {"index_to_key": list, "next_index": int, "vector_size": int, "expandos": dict}
        for name, kind in (kinds | {"vectors_lockf": np.ndarray}).items():
            if not isinstance(self.__dict__.get(name), kind):
                raise ValueError(f"{name} is no {kind.__name__}")
        self._lent = True
        self._forget()
        self.key_to_index = {
            key: row for row, key in enumerate(self.index_to_key[: self.next_index])
        }
        shape = (len(self.index_to_key), self.vector_size)
        matrix = self.__dict__.get("_matrix")
        if not isinstance(matrix, np.ndarray) or matrix.shape not in (shape, (0, self.vector_size)):
            raise ValueError("keys and vectors of different number")

    @classmethod
    def load_word2vec_format(
        cls,
        fname: str | os.PathLike[str],
        fvocab: str | os.PathLike[str] | None = None,
        binary: bool = False,
        encoding: str = "utf8",
        unicode_errors: str = "strict",
        limit: int | None = None,
        datatype: DTypeLike = REAL,
        no_header: bool = False,
    ) -> Self:
        """Read a file of word2vec's text or binary format, or GloVe's with ``no_header``.

        It may be compressed.  Of a word that comes twice the first vector is kept.

        Parameters
        ----------
        fname : path
        fvocab : path, optional
            A file of words and their counts.
        binary : bool
        encoding : str
            Of the words; it must contain ASCII.
        unicode_errors : {"strict", "replace", "ignore"}
        limit : int, optional
            Read only the first so many.
        datatype : dtype
        no_header : bool

        Raises
        ------
        UnicodeDecodeError
            If a word cannot be decoded and ``unicode_errors`` is "strict".
        EOFError
            If the file holds less than its header promises.
        FormatError
            If it is damaged in another way, or a pickle.
        """
        path = Path(fname)
        check_no_pickle(path, cls.__name__)
        name = "word2vec-binary" if binary else "glove" if no_header else "word2vec-text"
        options = LoadOptions(
            allow_nonfinite=True, errors=unicode_errors, limit=limit, encoding=encoding
        )
        try:
            parts = formats.load(path, options, name)
        except FormatError as error:
            cause = error.__cause__
            if isinstance(cause, UnicodeDecodeError):
                cause.reason = str(error)
                raise cause from error
            raise
        for remark in parts.remarks:
            logger.warning("%s", remark)
        made = cls(parts.vector_size, dtype=datatype)
        made._take(list(parts.words), parts.matrix.astype(datatype, copy=False))
        counts = np.arange(len(made), 0, -1)
        if fvocab is not None:
            known: dict[str, int] = {}
            for line in _lines(fvocab, encoding, unicode_errors):
                word, _, count = line.strip().rpartition(" ")
                known[word] = int(count)
            counts = np.array([known.get(key, 0) for key in made.index_to_key], np.int64)
        made.expandos["count"] = counts
        return made

    def _take(self, keys: list[Any], matrix: NDArray[Any]) -> None:
        """Hold these keys and this matrix, and nothing else."""
        self.index_to_key, self.vectors = keys, matrix
        self.key_to_index = {key: row for row, key in enumerate(keys)}
        self.next_index = len(keys)

    def intersect_word2vec_format(
        self,
        fname: str | os.PathLike[str],
        lockf: float = 0.0,
        binary: bool = False,
        encoding: str = "utf8",
        unicode_errors: str = "strict",
    ) -> None:
        """Take the vectors that a file has for known words, and set their ``vectors_lockf``.

        Raises what :meth:`load_word2vec_format` does.
        """
        other = self.load_word2vec_format(
            fname, binary=binary, encoding=encoding, unicode_errors=unicode_errors
        )
        if other.vector_size != self.vector_size:
            raise ValueError(f"incompatible vector size {other.vector_size} in file {fname}")
        both = [key for key in other.index_to_key if key in self.key_to_index]
        rows = [self.key_to_index[key] for key in both]
        self._matrix[rows] = other._matrix[[other.key_to_index[key] for key in both]]
        if len(self.vectors_lockf) != len(self):
            self.vectors_lockf = np.full(len(self), self.vectors_lockf[0], REAL)
        self.vectors_lockf[rows] = lockf
        self._forget()

    def save_word2vec_format(
        self,
        fname: str | os.PathLike[str],
        fvocab: str | os.PathLike[str] | None = None,
        binary: bool = False,
        total_vec: int | None = None,
        write_header: bool = True,
        prefix: str = "",
        append: bool = False,
        sort_attr: str = "count",
    ) -> None:
        """Write word2vec's text or binary format; an existing file is replaced.

        Parameters
        ----------
        fname : path
        fvocab : path, optional
            Also write a file of words and their counts.
        binary : bool
        total_vec : int, optional
            What the header says, if more rows will be appended.
        write_header : bool
        prefix : str
            Goes before every key.
        append : bool
            Write behind what is there.
        sort_attr : str
            Rows are written by falling values of this attribute, if there is one.

        Raises
        ------
        OutputError
            If a key holds a space or a line end, which separate fields there; or the file cannot
            be written.
        """
        order: list[int] = list(range(len(self)))
        if sort_attr in self.expandos:
            order = np.argsort(-self.expandos[sort_attr], kind="stable").tolist()
        keys = [f"{prefix}{self.index_to_key[row]}" for row in order]
        matrix = self._matrix[order].astype(REAL, copy=False)
        parts = VectorParts(Vocabulary.from_words(keys), matrix)
        kind = "word2vec binary" if binary else "word2vec text"
        check_words(parts, kind, word2vec_text.FORBIDDEN, holders="save()")
        if fvocab is not None:
            counts = self.expandos[sort_attr][order].tolist()
            lines = (f"{key} {count}\n" for key, count in zip(keys, counts, strict=True))
            with atomic_write(fvocab) as temporary:
                temporary.write_text("".join(lines), encoding="utf-8")

        def write(file: IO[bytes]) -> None:
            if write_header:
                file.write(f"{total_vec or len(keys)} {self.vector_size}\n".encode())
            rows = word2vec_binary.write_rows if binary else text.write_rows
            rows(file, keys, matrix)

        if append:
            with open(fname, "ab") as file:
                write(file)
        else:
            with atomic_write(fname) as temporary, temporary.open("wb") as file:
                write(file)


def load_word2vec_format(*arguments: Any, **options: Any) -> KeyedVectors:
    """Do what :meth:`KeyedVectors.load_word2vec_format` does."""
    return KeyedVectors.load_word2vec_format(*arguments, **options)


def _load_word2vec_format(
    cls: type[KeyedVectors], fname: str, *, binary_chunk_size: int = 0, **options: Any
) -> KeyedVectors:
    return cls.load_word2vec_format(fname, **options)


def pseudorandom_weak_vector(
    size: int, seed_string: str | None = None, hashfxn: Any = hash
) -> NDArray[np.float32]:
    """Small random numbers, float32 (size,), the same for the same string."""
    seed = None if seed_string is None else hashfxn(seed_string) & 0xFFFFFFFF
    return ((np.random.default_rng(seed).random(size) - 0.5) / size).astype(REAL)


def prep_vectors(
    target_shape: tuple[int, int],
    prior_vectors: NDArray[Any] | None = None,
    seed: int = 0,
    dtype: DTypeLike = REAL,
) -> NDArray[Any]:
    """Rows of ``prior_vectors``, followed by random ones, uniform on [-1/D, 1/D) as in gensim 4."""
    prior = np.zeros((0, target_shape[1]), dtype) if prior_vectors is None else prior_vectors
    prior = prior[: target_shape[0]]
    new = target_shape[0] - len(prior)
    random = 2 * np.random.default_rng(seed).random((new, target_shape[1]), REAL) - 1
    return np.vstack([prior, (random / target_shape[1]).astype(prior.dtype)])


def _lines(path: str | os.PathLike[str], encoding: str, errors: str = "strict") -> Iterator[str]:
    """Lines of a text file, which may be compressed."""
    with compression.opened(Path(path)) as file:
        for line in file:
            yield line.decode(encoding, errors)


Word2VecKeyedVectors = Doc2VecKeyedVectors = EuclideanKeyedVectors = KeyedVectors
