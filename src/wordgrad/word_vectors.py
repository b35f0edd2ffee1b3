"""Words with their vectors: look-up, nearest words, comparison, load and save."""

from __future__ import annotations

import copy
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.errors import (
    FormatError,
    FormatWarning,
    ParameterError,
    SkippedWordsWarning,
    check_choice,
    check_int,
    check_real,
)
from wordgrad.io import formats
from wordgrad.io.common import LoadOptions, VectorParts
from wordgrad.search.approximate import ApproximateIndex, read_index, write_index
from wordgrad.search.exact import ExactIndex, Neighbours, row_norms, unit
from wordgrad.subwords import Subwords
from wordgrad.vocabulary import Vocabulary

Member: TypeAlias = "str | NDArray[np.floating]"
Query: TypeAlias = "Member | Sequence[Member | tuple[Member, float]]"

ON_UNKNOWN = ("error", "skip")
METHODS = ("3cosadd", "3cosmul")

_MOST_IN_A_ROUND = 10**10  # multiplications of a round of k-means over all words
_WORDS_A_ROUND = 4096  # that are drawn, where all would take too long


class Ranking(list[tuple[str, float]]):
    """Words with their scores, best first: a list of pairs that also tells what was left out.

    Attributes
    ----------
    skipped : tuple of str
        Words of the question that are not in the vocabulary, with ``on_unknown="skip"``.

    >>> ranking = Ranking([("queen", 0.9)], skipped=["xyzzy"])
    >>> ranking, len(ranking.skipped)
    ([('queen', 0.9)], 1)
    """

    skipped: tuple[str, ...]

    def __init__(
        self, pairs: Iterable[tuple[str, float]] = (), skipped: Iterable[str] = ()
    ) -> None:
        super().__init__(pairs)
        self.skipped = tuple(skipped)


@dataclass(frozen=True)
class MeanVector:
    """The mean vector of a document.

    Attributes
    ----------
    vector : ndarray of float64, shape (D,)
        Zero if no word of the document is in the vocabulary.
    used : int
        Words that took part.
    skipped : tuple of str
        Words that are not in the vocabulary, with ``on_unknown="skip"``.
    """

    vector: NDArray[np.float64]
    used: int
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class _Answers:
    """Rows that may answer a query: the first ``limit``, or ``rows``, which have their own index.

    Attributes
    ----------
    index : ExactIndex
        Of all rows, or of ``rows`` alone.
    limit : int or None
    rows : int64 (n,) or None
        Rising.
    """

    index: ExactIndex
    limit: int | None = None
    rows: NDArray[np.int64] | None = None

    def excluded(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return places in the index of rows that are no answers, -1 for what it lacks."""
        if self.rows is None:
            return rows
        places = np.searchsorted(self.rows, rows).clip(max=len(self.rows) - 1)
        return np.where(self.rows[places] == rows, places, -1)

    def found(self, places: Neighbours) -> Neighbours:
        """Return rows of the vocabulary for places in the index."""
        if self.rows is None:
            return places
        rows = np.where(places.rows >= 0, self.rows[places.rows.clip(0)], -1)
        return Neighbours(rows, places.scores)


def document_words(document: str | Iterable[str], metadata: Mapping[str, Any]) -> list[str]:
    """Words of a document.

    Parameters
    ----------
    document : str or iterable of str
        A text, or words, which stay as they are.
    metadata : mapping
        Of the vectors: ``settings`` may hold ``lowercase`` and ``pattern``, as training keeps them.

    Raises
    ------
    ParameterError
        If it is neither, or holds something that is no string.

    >>> document_words("To be, or not", {"settings": {"lowercase": True, "pattern": r"[a-z]+"}})
    ['to', 'be', 'or', 'not']
    >>> document_words(["To", "be or"], {})
    ['To', 'be or']
    """
    if isinstance(document, str):
        settings = metadata.get("settings")
        settings = settings if isinstance(settings, dict) else {}
        text = document.lower() if settings.get("lowercase") is True else document
        pattern = settings.get("pattern")
        if not isinstance(pattern, str):
            return text.split()
        from wordgrad.corpus.tokenizer import Tokenizer

        return Tokenizer(pattern).matches(text)
    if not isinstance(document, Iterable):
        raise ParameterError(f"document must be a text or its words, got {document!r}.")
    words = list(document)
    for word in words:
        if not isinstance(word, str):
            raise ParameterError(f"document must hold words, which are strings, got {word!r}.")
    return words


class WordVectors:
    """Words, most frequent first, and one vector for each.

    The object never changes.  A writeable ``matrix`` is copied; a read-only float32 matrix in C
    order (one that is mapped from a file, say) is shared.

    Parameters
    ----------
    words : sequence of str, length V
        Each once, most frequent first: "the first n rows" then means "the n most frequent words".
    matrix : array_like of float, shape (V, D)
        Row ``i`` is the vector of ``words[i]``; kept as float32.
    counts : array_like of int, shape (V,), optional
        How often each word was seen.
    metadata : mapping of str to JSON values, optional
        How the vectors were made (settings, history); saved with them.
    subwords : Subwords, optional
        Rows of character n-grams, from which vectors of unseen words are composed, as those of a
        model of fastText.
    outputs : array_like of float, shape (n, D), optional
        Output vectors (``Word2Vec(keep_output=True)``): one for each word, or for each inner node
        of the tree of the hierarchical softmax, from which training goes on.  Saved in safetensors
        files.

    Raises
    ------
    ParameterError
        If a word comes twice, the shapes disagree, or a value is NaN or infinite.

    Examples
    --------
    >>> vectors = WordVectors(["the", "king", "queen"], [[1, 0], [0, 2], [0.6, 0.8]])
    >>> len(vectors), "king" in vectors, vectors["king"]
    (3, True, array([0., 2.], dtype=float32))
    >>> vectors.most_similar("king", topn=1)
    [('queen', 0.79999...)]
    """

    _approximate: ApproximateIndex | None = None
    _subwords: Subwords | None = None
    _outputs: NDArray[np.float32] | None = None

    def __init__(
        self,
        words: Sequence[str],
        matrix: ArrayLike,
        counts: ArrayLike | None = None,
        metadata: Mapping[str, Any] | None = None,
        subwords: Subwords | None = None,
        outputs: ArrayLike | None = None,
    ) -> None:
        if subwords is not None and not isinstance(subwords, Subwords):
            raise ParameterError(f"subwords must be a Subwords or None, got {subwords!r}.")
        if isinstance(words, str):
            raise ParameterError("words must be a sequence of strings, got one string.")
        self._vocabulary = Vocabulary.from_words(words, counts)
        given = _as_rows("matrix", matrix)
        if len(given) != len(self._vocabulary):
            raise ParameterError(
                f"matrix must have one row a word, got {len(given)} rows for "
                f"{len(self._vocabulary)} words."
            )
        if subwords is not None and subwords.vector_size != given.shape[1]:
            raise ParameterError(
                f"subwords must have {given.shape[1]} dimensions, as the matrix, got "
                f"{subwords.vector_size}."
            )
        self._matrix: NDArray[np.float32] = given
        self._subwords = subwords
        if outputs is not None:
            self._outputs = _as_rows("outputs", outputs)
            if self._outputs.shape[1] != given.shape[1]:
                raise ParameterError(
                    f"outputs must have {given.shape[1]} dimensions, as the matrix, got "
                    f"{self._outputs.shape[1]}."
                )
        self._metadata = _plain_metadata(metadata)
        self._origin: str | None = None
        _ = self._norms  # a value that is not finite is an error now, not at the first query

    @classmethod
    def from_checked(
        cls,
        vocabulary: Vocabulary,
        matrix: NDArray[np.float32],
        counts: NDArray[np.int64] | None,
        metadata: dict[str, Any],
        origin: str,
        subwords: Subwords | None = None,
        outputs: NDArray[np.float32] | None = None,
    ) -> WordVectors:
        """Vectors read from the file ``origin``, whose reader has checked all shapes.

        What is left (that values are finite, that no word comes twice) is checked at first use, so
        that opening a file does not read it.  Where ``matrix`` has no rows, the vectors are
        composed at first use: some alone for what is asked of some words, all for what is asked of
        all.
        """
        vectors = cls.__new__(cls)
        matrix.flags.writeable = False
        if len(matrix) == len(vocabulary):
            vectors._matrix = matrix
        if counts is not None:
            counts.flags.writeable = False
            vocabulary = vocabulary.with_counts(counts)
        vectors._vocabulary = vocabulary
        vectors._metadata, vectors._origin = metadata, origin
        vectors._subwords = subwords
        if outputs is not None:
            outputs.flags.writeable = False
            vectors._outputs = outputs
        return vectors

    def __reduce__(self) -> tuple[Any, ...]:
        counts = None if self.counts is None else np.array(self.counts)
        matrix = np.array(self._matrix)
        outputs = None if self._outputs is None else np.array(self._outputs)
        return WordVectors, (self.words, matrix, counts, self._metadata, self._subwords, outputs)

    def with_metadata(self, entries: Mapping[str, Any]) -> WordVectors:
        """Return the same vectors, their memory shared, with more metadata."""
        twin = WordVectors.__new__(WordVectors)
        twin.__dict__.update(self.__dict__)
        twin._metadata = {**self._metadata, **_plain_metadata(entries)}
        return twin

    def select(self, words: Iterable[str]) -> WordVectors:
        """Vectors of ``words`` alone, in the order of the whole: most frequent first.

        ``vectors.select(vectors.words[:100_000])`` keeps the most frequent 100,000.  Output vectors
        are left out: training goes on with all words.

        Parameters
        ----------
        words : iterable of str
            Each may come more than once.

        Raises
        ------
        UnknownWordError
            If a word is not in the vocabulary.
        ParameterError
            If there are none.

        >>> vectors = WordVectors(["the", "king", "queen"], [[1, 0], [0, 2], [0.6, 0.8]])
        >>> vectors.select(["queen", "the"]).words
        ('the', 'queen')
        """
        if isinstance(words, str):
            raise ParameterError(f"words must be a sequence of strings, got {words!r}.")
        rows = sorted({self.rank(word) for word in words})
        if not rows:
            raise ParameterError("words must name at least one word, got none.")
        counts = None if self.counts is None else self.counts[rows]
        chosen = self._vocabulary.words_at(rows)
        matrix = self._some_rows(np.array(rows))
        return WordVectors(chosen, matrix, counts, self._metadata, self._subwords)

    # ---------------------------------------------------------------- look up

    @property
    def words(self) -> tuple[str, ...]:
        """The words, most frequent first."""
        return self._words

    @cached_property
    def _words(self) -> tuple[str, ...]:
        return tuple(self._vocabulary.words)

    @property
    def vocabulary(self) -> Vocabulary:
        """The words with their ids, decoded when needed; their counts, if they are known."""
        return self._vocabulary

    @property
    def matrix(self) -> NDArray[np.float32]:
        """All vectors, float32 of shape (V, D), read-only."""
        return self._matrix

    @cached_property
    def _matrix(self) -> NDArray[np.float32]:
        """All vectors, composed: set where they were read or given."""
        matrix = self._some_rows(np.arange(len(self)))
        matrix.flags.writeable = False
        return matrix

    def _some_rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some vectors, a new array; nothing else is composed."""
        subwords = self._subwords
        if "_matrix" in self.__dict__ or subwords is None:
            return self._matrix[rows]
        return subwords.compose(self._vocabulary.words_at(rows.tolist()), rows)

    @property
    def outputs(self) -> NDArray[np.float32] | None:
        """Output vectors, float32 of shape (n, D), read-only; ``None`` if they were not kept."""
        return self._outputs

    @property
    def counts(self) -> NDArray[np.int64] | None:
        """How often each word was seen, int64 of shape (V,), read-only; ``None`` if not known."""
        return self._vocabulary.known_counts

    @property
    def metadata(self) -> dict[str, Any]:
        """How the vectors were made; a copy."""
        return copy.deepcopy(self._metadata)

    @property
    def vector_size(self) -> int:
        """D, the length of a vector."""
        if "_matrix" not in self.__dict__ and self._subwords is not None:
            return self._subwords.vector_size
        return int(self._matrix.shape[1])

    def __len__(self) -> int:
        return len(self._vocabulary)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._vocabulary

    def __getitem__(self, word: str | list[str]) -> NDArray[np.float32]:
        """Vector of ``word``, float32 of shape (D,), read-only; of a list (n,), new of (n, D).

        That of an unseen word is composed of its character n-grams, where there are ``subwords``.
        Raises UnknownWordError, whose message names words spelt alike, if it is not there.

        >>> WordVectors(["a", "b"], [[1, 0], [0, 2]])[["b", "a", "b"]].tolist()
        [[0.0, 2.0], [1.0, 0.0], [0.0, 2.0]]
        """
        if isinstance(word, list):
            found = np.empty((len(word), self.vector_size), np.float32)
            for place, one in enumerate(word):
                found[place] = self[one]
            return found
        composed = self._composed(word)
        if composed is not None:
            return composed
        row = self.rank(word)
        vector: NDArray[np.float32]
        if "_matrix" in self.__dict__:
            vector = self._matrix[row]
        else:
            vector = self._some_rows(np.array([row]))[0]
            vector.flags.writeable = False
        if "_norms" not in self.__dict__ and not np.isfinite(vector).all():
            raise FormatError(
                f"{self._origin} holds a value that is not finite in row {row} ({word!r}); "
                "train again, or load an undamaged copy."
            )
        return vector

    @property
    def subwords(self) -> Subwords | None:
        """Rows of character n-grams, from which vectors of unseen words are composed."""
        return self._subwords

    def _has_vector(self, word: str) -> bool:
        return word in self or self._composed(word) is not None

    def _composed(self, word: object) -> NDArray[np.float32] | None:
        """Vector of an unseen word that has n-grams, read-only; else None."""
        subwords = self._subwords
        if subwords is None or not isinstance(word, str) or word in self._vocabulary:
            return None
        vector = subwords.vector(word)
        if vector is None:
            return None
        if not np.isfinite(vector).all():
            raise FormatError(
                f"{self._origin} holds a value that is not finite in an n-gram of {word!r}; train "
                "again, or load an undamaged copy."
            )
        vector.flags.writeable = False
        return vector

    def __repr__(self) -> str:
        return f"<WordVectors: {len(self):,} words, {self.vector_size} dimensions>"

    def rank(self, word: str) -> int:
        """Row of ``word``: 0 for the most frequent.

        Raises
        ------
        UnknownWordError
            If ``word`` is not in the vocabulary; the message names words spelt alike.
        """
        return self._vocabulary.index(word)

    # ---------------------------------------------------------------- query

    def most_similar(
        self,
        positive: Query | None = None,
        topn: int = 10,
        negative: Query | None = None,
        restrict_vocab: int | Iterable[str] | None = None,
        *,
        on_unknown: str = "error",
        approximate: bool = False,
    ) -> Ranking:
        r"""The words nearest to a word, to several, or to a vector.

        The query is the sum of the unit vectors of ``positive`` less those of ``negative``, each
        times its weight, and words are ranked by their cosine with it.  Words of the query are no
        answers.

        Parameters
        ----------
        positive : str, array of shape (D,), or a sequence of both, optional
            In a sequence, a pair such as ``("tea", 2.0)`` gives a weight, any finite number; by
            default it is 1.
        topn : int
            How many words; fewer come back only if the vocabulary has no more.
        negative : like positive, optional
            Given alone, it asks for the words least like it.
        restrict_vocab : int or iterable of str, optional
            Only the most frequent ``restrict_vocab`` words, or only these words, all of them in the
            vocabulary, may be answers.
        on_unknown : {"error", "skip"}
            With "skip", words of the query that are not in the vocabulary are left out, and are in
            ``skipped`` of the result; if none is left, the result is empty.
        approximate : bool
            Whether to use the index that :meth:`build_index` made: faster in large vocabularies,
            but a neighbour may be missed.

        Returns
        -------
        Ranking
            A list of (word, cosine), best first; equal cosines by falling frequency.

        Raises
        ------
        UnknownWordError
            If a word is not in the vocabulary.
        ParameterError
            If a vector has the wrong shape or is not finite, or a number is out of range; or the
            index is to answer for a list of words.

        >>> vectors = WordVectors(["tea", "cup", "car", "bus"], [[1, 0], [1, 1], [0, 1], [-1, 1]])
        >>> [word for word, _ in vectors.most_similar([("tea", 1.0), ("car", 0.2)], topn=2)]
        ['cup', 'bus']
        >>> vectors.most_similar("cup", restrict_vocab=["bus", "car"], topn=1)
        [('car', 0.70710...)]
        >>> vectors.most_similar(negative="tea", topn=1)
        [('bus', 0.70710...)]
        """
        return self._nearest(
            [(() if positive is None else positive, negative)],
            topn,
            restrict_vocab,
            on_unknown,
            approximate=approximate,
        )[0]

    def most_similar_batch(
        self,
        queries: Iterable[Query],
        topn: int = 10,
        restrict_vocab: int | Iterable[str] | None = None,
        *,
        on_unknown: str = "error",
        approximate: bool = False,
    ) -> list[Ranking]:
        """The nearest words of many queries at once: one matrix product, many times as fast.

        Parameters
        ----------
        queries : iterable of queries, or array of shape (B, D)
            Each is what :meth:`most_similar` takes as ``positive``: a word, a vector, or several
            that are one query together.
        topn, restrict_vocab, on_unknown, approximate
            As in :meth:`most_similar`.

        Returns
        -------
        list of Ranking, length B

        Raises
        ------
        UnknownWordError, ParameterError
            As :meth:`most_similar`.

        >>> from wordgrad import WordVectors
        >>> vectors = WordVectors(["the", "king", "queen"], [[1, 0], [0, 2], [0.6, 0.8]])
        >>> [ranking[0][0] for ranking in vectors.most_similar_batch(["king", "the"], topn=1)]
        ['queen', 'queen']
        """
        if isinstance(queries, str) or not isinstance(queries, Iterable):
            raise ParameterError(
                f"queries must be a list of queries, got {queries!r}; for one query use "
                "most_similar."
            )
        return self._nearest(
            ((query, None) for query in queries),
            topn,
            restrict_vocab,
            on_unknown,
            approximate=approximate,
        )

    def analogy(
        self,
        positive: Query,
        negative: Query,
        topn: int = 10,
        restrict_vocab: int | Iterable[str] | None = None,
        *,
        method: str = "3cosadd",
    ) -> Ranking:
        r"""Answer "man is to king as woman is to ...".

        With ``positive=[b, c]`` and ``negative=[a]`` the answer w maximises

        - 3CosAdd: :math:`\cos(w, b - a + c)` over unit vectors (Mikolov et al. 2013, "Linguistic
          regularities in continuous space word representations"; named by Levy and Goldberg 2014);
        - 3CosMul: :math:`s(w, b)\, s(w, c) / (s(w, a) + 10^{-6})` with :math:`s = (1 + \cos) / 2`
          (Levy and Goldberg 2014, "Linguistic regularities in sparse and explicit word
          representations", equation 4), whose scores are no cosines.

        As in word2vec and gensim the words of the question are no answers.

        Parameters
        ----------
        positive, negative, topn, restrict_vocab
            As in :meth:`most_similar`.
        method : {"3cosadd", "3cosmul"}
            3CosMul takes no weights.

        Returns and raises what :meth:`most_similar` does.

        >>> from wordgrad import WordVectors
        >>> words = ["man", "woman", "king", "queen", "apple"]
        >>> matrix = [[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 1, 1], [0.3, -1, 0.2]]
        >>> vectors = WordVectors(words, matrix)
        >>> vectors.analogy(positive=["king", "woman"], negative=["man"], topn=1)
        [('queen', 0.95...)]
        >>> vectors.analogy(["king", "woman"], ["man"], topn=1, method="3cosmul")
        [('queen', 1.28...)]
        """
        if check_choice("method", method, METHODS) == "3cosadd":
            return self.most_similar(positive, topn, negative, restrict_vocab)
        topn = check_int("topn", topn, minimum=1)
        answers = self._answers(restrict_vocab)
        above, rows_above, _ = self._named(positive, "positive", skip=False, weighted=False)
        below, rows_below, _ = self._named(negative, "negative", skip=False, weighted=False)
        if not len(above):
            raise ParameterError("positive must name at least one word or vector, got none.")
        places = np.arange(len(above) + len(below))[None]
        found = answers.index.search_3cosmul(
            np.concatenate([above, below]),
            places[:, : len(above)],
            places[:, len(above) :],
            topn,
            excluded=answers.excluded(np.array([rows_above + rows_below], dtype=np.int64)),
            limit=answers.limit,
        )
        return self._rankings(answers.found(found), [()])[0]

    def closest_to_text(
        self,
        text: str | Iterable[str],
        topn: int = 10,
        restrict_vocab: int | Iterable[str] | None = None,
        *,
        on_unknown: str = "skip",
        approximate: bool = False,
    ) -> Ranking:
        """The words nearest to the mean vector of a text, its own words among them.

        Parameters
        ----------
        text : str or iterable of str
            Cut into words as in :meth:`mean_vector`.
        topn, restrict_vocab, approximate
            As in :meth:`most_similar`.
        on_unknown : {"skip", "error"}
            A text nearly always holds some unknown words; they are in ``skipped`` of the result.

        Raises
        ------
        UnknownWordError, ParameterError
            As :meth:`most_similar`; if the text is empty.

        >>> from wordgrad import WordVectors
        >>> vectors = WordVectors(["tea", "cup", "car"], [[1, 0.1], [1, 0.3], [0, 1]])
        >>> answers = vectors.closest_to_text("A cup of tea", topn=2)
        >>> [word for word, _ in answers], answers.skipped
        (['tea', 'cup'], ('A', 'of'))
        """
        words = document_words(text, self._metadata)
        if not words:
            raise ParameterError("text must hold at least one word, got none.")
        return self._nearest(
            [(words, None)],
            topn,
            restrict_vocab,
            on_unknown,
            approximate=approximate,
            exclude=False,
        )[0]

    def _nearest(
        self,
        queries: Iterable[tuple[Query, Query | None]],
        topn: int,
        restrict_vocab: int | Iterable[str] | None,
        on_unknown: str,
        *,
        approximate: bool,
        exclude: bool = True,
    ) -> list[Ranking]:
        """The words nearest to each (positive, negative): see :meth:`most_similar`."""
        topn = check_int("topn", topn, minimum=1)
        skip = check_choice("on_unknown", on_unknown, ON_UNKNOWN) == "skip"
        answers = self._answers(restrict_vocab)
        if approximate and answers.rows is not None:
            raise ParameterError(
                "The index of approximate search answers with any of its words, got a list as "
                "restrict_vocab; leave approximate out."
            )
        index = self._approximate_index(answers.limit) if approximate else None
        sums, named, skipped, empty = [], [], [], []
        for positive, negative in queries:
            members, rows, unknown = self._named(positive, "positive", skip=skip)
            total, count = members.sum(axis=0), len(members)
            if negative is not None:
                members, more_rows, more_unknown = self._named(negative, "negative", skip=skip)
                total -= members.sum(axis=0)
                count += len(members)
                rows, unknown = rows + more_rows, unknown + more_unknown
            if not count and not unknown:
                raise ParameterError("positive must name at least one word or vector, got none.")
            sums.append(total)
            named.append(rows if exclude else [])
            skipped.append(tuple(unknown))
            empty.append(not count)
        # Words of a query are no answers; shorter lists are filled up with -1.
        excluded = np.full((len(named), max(map(len, named), default=0)), -1, dtype=np.int64)
        for line, rows in zip(excluded, named, strict=True):
            line[: len(rows)] = rows
        vectors = unit(np.array(sums).reshape(-1, self.vector_size))
        if index is None:
            found = answers.found(
                answers.index.search(
                    vectors, topn, excluded=answers.excluded(excluded), limit=answers.limit
                )
            )
        else:
            found = index.search(vectors, topn, excluded=excluded)
        found.rows[empty] = -1
        return self._rankings(found, skipped)

    def _answers(self, restrict_vocab: int | Iterable[str] | None) -> _Answers:
        """What may be an answer to :meth:`most_similar`."""
        if restrict_vocab is None:
            return _Answers(self._index)
        if isinstance(restrict_vocab, str) or not isinstance(restrict_vocab, Iterable):
            return _Answers(self._index, check_int("restrict_vocab", restrict_vocab, minimum=1))
        rows = np.array(sorted({self.rank(word) for word in restrict_vocab}), dtype=np.int64)
        if not len(rows):
            raise ParameterError("restrict_vocab must name at least one word, got none.")
        return _Answers(ExactIndex(self._matrix[rows], self._norms[rows]), rows=rows)

    def _named(
        self, query: Query, name: str, *, skip: bool, weighted: bool = True
    ) -> tuple[NDArray[np.float64], list[int], list[str]]:
        """What one query names: vectors of length 1 (or zero), rows of its words, unknown words.

        The vectors, of shape (n, D), are those of words and of arrays, in the order given, each
        times its weight if there is one, which is an error unless ``weighted``.  The
        query is called ``name`` in messages; an unknown word is an error unless ``skip``.
        """
        if isinstance(query, str) or (isinstance(query, np.ndarray) and query.ndim == 1):
            query = [query]
        if not isinstance(query, Iterable):
            raise ParameterError(f"{name} must be a word, a vector or several, got {query!r}.")
        members: list[int] = []  # row of a word, or -1 for an array or a composed vector
        given: list[NDArray[np.float64]] = []
        weights: list[float] = []
        unknown: list[str] = []
        for member in query:
            weight = 1.0
            if isinstance(member, tuple) and len(member) == 2 and isinstance(member[1], Real):
                weight = check_real(f"A weight in {name}", member[1])
                member = member[0]
                if not weighted:
                    raise ParameterError(
                        f"3CosMul multiplies cosines and has no weights, got {weight:g} in {name}; "
                        'leave it out, or use method="3cosadd".'
                    )
            if isinstance(member, str):
                row = self._vocabulary.get(member)
                composed = self._composed(member) if row is None else None
                if row is not None:
                    members.append(row)
                    weights.append(weight)
                elif composed is not None:
                    members.append(-1)
                    given.append(composed.astype(np.float64))
                    weights.append(weight)
                elif skip:
                    unknown.append(member)
                else:
                    self._vocabulary.index(member)  # raises, naming words spelt alike
                continue
            vector = np.asarray(member)
            if vector.shape != (self.vector_size,) or vector.dtype.kind not in "fiu":
                raise ParameterError(
                    f"{name} must hold words or vectors of {self.vector_size} numbers, got "
                    f"an array of shape {vector.shape} and dtype {vector.dtype}."
                )
            if not np.isfinite(vector).all():
                raise ParameterError(f"{name} must hold finite vectors, got NaN or infinity.")
            members.append(-1)
            weights.append(weight)
            given.append(vector.astype(np.float64))
        rows = np.array(members, dtype=np.int64)
        vectors = self._index.unit_rows(rows.clip(0))
        if given:
            vectors[rows < 0] = unit(np.array(given))
        vectors = vectors * np.array(weights)[:, np.newaxis]
        return vectors, rows[rows >= 0].tolist(), unknown

    def _rankings(self, found: Neighbours, skipped: Sequence[tuple[str, ...]]) -> list[Ranking]:
        answers = found.rows >= 0  # first in every line
        names = iter(self._vocabulary.words_at(found.rows[answers].tolist()))
        lines = zip(answers.sum(axis=1).tolist(), found.scores.tolist(), skipped, strict=True)
        return [
            Ranking(zip(islice(names, n), scores[:n], strict=True), left_out)
            for n, scores, left_out in lines
        ]

    # ---------------------------------------------------------------- compare

    def similarity(self, a: str, b: str) -> float:
        """Cosine of two words' vectors, in [-1, 1]; 0 if one of them is a zero vector.

        >>> from wordgrad import WordVectors
        >>> WordVectors(["a", "b"], [[1, 0], [1, 1]]).similarity("a", "b")
        0.70710...

        Raises
        ------
        UnknownWordError
            If a word is not in the vocabulary.
        """
        if self._composed(a) is not None or self._composed(b) is not None:
            first, second = unit(np.array([self[a], self[b]], dtype=np.float64))
            return float(np.clip(first @ second, -1.0, 1.0))
        return float(self.similarities([(self.rank(a), self.rank(b))])[0])

    def similarities(self, ranks: ArrayLike) -> NDArray[np.float64]:
        """Cosines of pairs of rows: ``ranks`` of shape (n, 2) to float64 of shape (n,)."""
        pairs = np.asarray(ranks, dtype=np.int64).reshape(-1, 2)
        first, second = unit(self.some_vectors(pairs[:, 0])), unit(self.some_vectors(pairs[:, 1]))
        cosines: NDArray[np.float64] = np.clip((first * second).sum(axis=1), -1.0, 1.0)
        return cosines

    def distance(self, a: str, b: str) -> float:
        """One less the cosine of two words' vectors, in [0, 2]; see :meth:`similarity`."""
        return 1.0 - self.similarity(a, b)

    def distances(
        self, query: str | NDArray[np.floating], words: Iterable[str] | None = None
    ) -> NDArray[np.float64]:
        """Cosine distances of a word or a vector from others.

        Parameters
        ----------
        query : str or array of shape (D,)
        words : iterable of str, optional
            All words of the vocabulary, by falling frequency, if not given.

        Returns
        -------
        ndarray of float64, shape (words,)
            In [0, 2].

        Raises
        ------
        UnknownWordError
            If a word is not in the vocabulary.

        >>> from wordgrad import WordVectors
        >>> WordVectors(["a", "b", "c"], [[1, 0], [0, 1], [-2, 0]]).distances("a")
        array([0., 1., 2.])
        """
        if words is None:
            return 1.0 - self._cosines(query)
        names = list(words)
        if all(word in self for word in names):
            rows = np.array([self.rank(word) for word in names], dtype=np.int64)
            return 1.0 - self._cosines(query, rows)
        members = self._named(query, "query", skip=False)[0].sum(axis=0)
        found = unit(self[names].astype(np.float64)) @ unit(members)
        return 1.0 - np.clip(found, -1.0, 1.0)

    def n_similarity(
        self, a: str | Iterable[str], b: str | Iterable[str], *, on_unknown: str = "error"
    ) -> float:
        """Cosine of the sums of two lists of words' vectors, in [-1, 1].

        The vectors are summed as they are, not at length 1: long ones weigh more, as in gensim.
        A text is cut into words as in :meth:`mean_vector`.

        Parameters
        ----------
        a, b : str or iterable of str
        on_unknown : {"error", "skip"}
            With "skip", words that are not in the vocabulary are left out, and counted in a
            :class:`~wordgrad.errors.SkippedWordsWarning`; if none is left, the cosine is 0.

        Raises
        ------
        UnknownWordError, ParameterError
            If a word is not in the vocabulary; if a list is empty.
        """
        first = self.mean_vector(a, normalise=False, on_unknown=on_unknown)
        second = self.mean_vector(b, normalise=False, on_unknown=on_unknown)
        _warn_of(first.skipped + second.skipped, first.used + second.used)
        return float(np.clip(unit(first.vector) @ unit(second.vector), -1.0, 1.0))

    def doesnt_match(self, words: Sequence[str], *, on_unknown: str = "error") -> str:
        """The odd one out: the word farthest, by cosine, from the mean of all.

        Every word's vector weighs the same in the mean.  Among words equally far it is the first.

        Parameters
        ----------
        words : sequence of str
            At least two.
        on_unknown : {"error", "skip"}
            With "skip", words that are not in the vocabulary are left out, and counted in a
            :class:`~wordgrad.errors.SkippedWordsWarning`.

        Raises
        ------
        UnknownWordError, ParameterError
            If a word is not in the vocabulary; if fewer than two are left.

        >>> from wordgrad import WordVectors
        >>> vectors = WordVectors(["breakfast", "lunch", "car"], [[1, 0.1], [1, 0.2], [0.1, 1]])
        >>> vectors.doesnt_match(["breakfast", "car", "lunch"])
        'car'
        """
        given = document_words(words, self._metadata)
        mean = self.mean_vector(given, on_unknown=on_unknown)
        known = [word for word in given if self._has_vector(word)]
        if len(known) < 2:
            raise ParameterError(
                f"words must name at least two words of the vocabulary, got {len(known)}; there is "
                "no odd one out among fewer."
            )
        _warn_of(mean.skipped, mean.used)
        return known[int(np.argmax(self.distances(mean.vector, known)))]

    def mean_vector(
        self,
        document: str | Iterable[str],
        *,
        weights: ArrayLike | None = None,
        normalise: bool = True,
        on_unknown: str = "error",
    ) -> MeanVector:
        r"""The mean of a document's word vectors.

        Parameters
        ----------
        document : str or iterable of str
            A text, which is cut into words as the training text was (the vectors' metadata tells
            how; at white space if they do not), or its words.
        weights : array_like of float, shape (words,), optional
            The mean is then :math:`\sum_i w_i v_i / \sum_i |w_i|`.
        normalise : bool
            Whether every word's vector is brought to length 1 before.
        on_unknown : {"error", "skip"}
            With "skip", words that are not in the vocabulary are left out, and told of in the
            result; if none is left, the mean is zero.

        Returns
        -------
        MeanVector
            ``vector``, ``used`` (how many words took part) and ``skipped`` (the others).

        Raises
        ------
        UnknownWordError
            If a word is not in the vocabulary.
        ParameterError
            If there are no words, or not as many weights.

        >>> from wordgrad import WordVectors
        >>> vectors = WordVectors(["red", "tea"], [[3, 0], [0, 2]])
        >>> mean = vectors.mean_vector("red tea please", on_unknown="skip")
        >>> mean.vector, mean.used, mean.skipped
        (array([0.5, 0.5]), 2, ('please',))
        """
        check_choice("on_unknown", on_unknown, ON_UNKNOWN)
        words = document_words(document, self._metadata)
        if not words and on_unknown == "error":
            raise ParameterError("document must hold at least one word, got none.")
        given = np.ones(len(words)) if weights is None else np.asarray(weights)
        of_words = given.shape == (len(words),) and given.dtype.kind in "fiu"
        if not of_words or not np.isfinite(given).all():
            raise ParameterError(
                f"weights must be {len(words)} finite numbers, one a word, got shape "
                f"{given.shape} and dtype {given.dtype}."
            )
        kept, rows, skipped, unseen = [], [], [], []
        for place, word in enumerate(words):
            composed = self._composed(word)
            if composed is None and on_unknown == "skip" and word not in self:
                skipped.append(word)
                continue
            rows.append(self.rank(word) if composed is None else -1)
            if composed is not None:
                unseen.append(composed)
            kept.append(place)
        chosen = np.array(rows, dtype=np.int64)
        found = self.some_vectors(np.maximum(chosen, 0))
        if unseen:
            found[chosen < 0] = unseen
        used = given[kept].astype(np.float64)
        total = np.abs(used).sum()
        vector = used @ (unit(found) if normalise else found) / (total if total > 0 else 1.0)
        return MeanVector(vector, len(rows), tuple(skipped))

    def closer_than(self, word: str, other: str) -> Ranking:
        """The words that are closer to ``word`` than ``other`` is, the closest first.

        Raises
        ------
        UnknownWordError
            If one of the two is not in the vocabulary.
        """
        row = self.rank(word)
        cosines = self._cosines(word)
        closer = cosines > cosines[self.rank(other)]
        closer[row] = False
        rows = np.flatnonzero(closer)
        order = rows[np.argsort(-cosines[rows], kind="stable")]
        names = self._vocabulary.words_at(order.tolist())
        return Ranking(zip(names, cosines[order].tolist(), strict=True))

    def neighbour_rank(self, word: str, other: str) -> int:
        """Place of ``other`` among the neighbours of ``word``: 1 for the nearest.

        One more than the words that are closer (see :meth:`closer_than`).

        >>> from wordgrad import WordVectors
        >>> WordVectors(["a", "b", "c"], [[1, 0], [0, 1], [1, 1]]).neighbour_rank("a", "b")
        2
        """
        return len(self.closer_than(word, other)) + 1

    def _cosines(self, query: Any, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Cosines of a word or vector with some rows, or all: float64, each summed alike."""
        members, _, _ = self._named(query, "query", skip=False)
        if not len(members):
            raise ParameterError("query must name at least one word or vector, got none.")
        chosen = np.arange(len(self)) if rows is None else rows
        query_vector = unit(members.sum(axis=0))[None]
        return self._index.pair_cosines(query_vector, np.zeros_like(chosen), chosen)

    def some_vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Vectors of rows, a new float64 array (n, D), without a pass over all of a mapped file.

        Raises
        ------
        FormatError
            If a value is not finite.
        """
        with np.errstate(invalid="ignore"):  # a signalling NaN; found in the next line
            found = self._some_rows(rows).astype(np.float64)
        if not np.isfinite(found).all():
            _ = self._norms  # measures every row, and names the place
        return found

    # ---------------------------------------------------------------- index

    @cached_property
    def _norms(self) -> NDArray[np.float64]:
        return row_norms(self._matrix, self._origin)

    @cached_property
    def _index(self) -> ExactIndex:
        return ExactIndex(self._matrix, self._norms)

    def search_index(self) -> ExactIndex:
        """The index that answers queries by row, many at a time."""
        return self._index

    def build_index(
        self,
        restrict_vocab: int | None = None,
        *,
        connectivity: int = 16,
        expansion_add: int = 128,
        expansion_search: int = 64,
    ) -> None:
        """Build the index for ``approximate=True``; it lives as long as these vectors, or is saved.

        Needs the library usearch (``pip install 'wordgrad[ann]'``).  How long it takes, and what
        part of the true neighbours is found, is in ``docs/from-gensim.md``.

        Parameters
        ----------
        restrict_vocab : int, optional
            Index the most frequent ``restrict_vocab`` words only.
        connectivity, expansion_add, expansion_search : int
            Of the graph: see :class:`wordgrad.search.approximate.ApproximateIndex`.

        Raises
        ------
        ParameterError
            If usearch is not installed, or a number is out of range.
        """
        limit = None
        if restrict_vocab is not None:
            limit = check_int("restrict_vocab", restrict_vocab, minimum=1)
        self._approximate = ApproximateIndex(
            self._index,
            rows=len(self) if limit is None else min(limit, len(self)),
            connectivity=check_int("connectivity", connectivity, minimum=2),
            expansion_add=check_int("expansion_add", expansion_add, minimum=1),
            expansion_search=check_int("expansion_search", expansion_search, minimum=1),
        )

    def clusters(self, k: int, seed: int = 1) -> NDArray[np.int32]:
        """Classes of words: k-means on the vectors, scaled to length 1.

        Up to ten thousand million multiplications a round (70,000 words, 500 classes, 100 numbers:
        half a minute) Lloyd's rounds over all words, which end at better classes; beyond, rounds
        over 4,096 words drawn at random, which need a few passes instead of a hundred.  Both by
        scikit-learn on one thread, so that the result is the same on any number of cores.

        Parameters
        ----------
        k : int (1 to V)
            Number of classes.
        seed : int (0 to 2**32 - 1)
            Of the first centres, and of the words drawn.

        Returns
        -------
        int32 (V,)
            The class of each word, from 0; the class of the most frequent word is 0, that of the
            next word that is in another class is 1, and so on.

        Raises
        ------
        ParameterError
            If there are fewer words than classes.

        Examples
        --------
        >>> matrix = np.array([[1, 0.1], [0, 1], [2, 0], [0.1, 3]], dtype=np.float32)
        >>> WordVectors(["tea", "north", "coffee", "south"], matrix).clusters(2)
        array([0, 1, 0, 1], dtype=int32)
        """
        k = check_int("k", k, minimum=1)
        seed = check_int("seed", seed, minimum=0, maximum=2**32 - 1)
        if k > len(self):
            raise ParameterError(f"k must be at most {len(self)}, the number of words, got {k}.")
        from sklearn.cluster import KMeans, MiniBatchKMeans
        from sklearn.exceptions import ConvergenceWarning
        from threadpoolctl import threadpool_limits

        units = np.empty(self.matrix.shape, dtype=np.float32)
        for start in range(0, len(self), _WORDS_A_ROUND):
            rows = slice(start, start + _WORDS_A_ROUND)
            units[rows] = self._index.unit_rows(rows)
        few = units.size * k <= _MOST_IN_A_ROUND
        model = (
            KMeans(k, n_init=1, random_state=seed)
            if few
            else MiniBatchKMeans(k, n_init=1, random_state=seed, batch_size=_WORDS_A_ROUND)
        )
        with threadpool_limits(limits=1), warnings.catch_warnings():
            # Words with the same vector: some classes stay empty, which is as it must be.
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = model.fit(units).labels_
        _, first, labels = np.unique(found, return_index=True, return_inverse=True)
        number: NDArray[np.int32] = np.argsort(np.argsort(first)).astype(np.int32)
        return number[labels]

    def save_index(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the index that :meth:`build_index` made to a file of its own.

        Raises
        ------
        ParameterError
            If there is no index yet.
        OutputError
            If the file exists and ``overwrite`` is false, or it cannot be written.
        """
        write_index(self._approximate_index(None), self._matrix, path, overwrite=overwrite)

    def load_index(self, path: str | os.PathLike[str]) -> None:
        """Take the index that :meth:`save_index` wrote for the same vectors.

        Raises
        ------
        ParameterError
            If usearch is not installed.
        InputError
            If the file cannot be opened.
        FormatError
            If it is damaged, no index, or one of other vectors.

        >>> import tempfile, pathlib
        >>> from wordgrad import WordVectors
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "tiny.index"
        >>> vectors = WordVectors(["the", "king", "queen"], [[1, 0], [0, 2], [0.6, 0.8]])
        >>> vectors.build_index()
        >>> vectors.save_index(path)
        >>> again = WordVectors(vectors.words, vectors.matrix)
        >>> again.load_index(path)
        >>> again.most_similar("king", topn=1, approximate=True)
        [('queen', 0.79999...)]
        """
        self._approximate = read_index(path, self._index, self._matrix)

    def _approximate_index(self, limit: int | None) -> ApproximateIndex:
        index = self._approximate
        if index is None:
            raise ParameterError(
                "There is no approximate index yet; call build_index() or load_index() first."
            )
        if limit is not None and min(limit, len(self)) != index.rows:
            raise ParameterError(
                f"restrict_vocab must be that of the index, {index.rows}, got {limit}; call "
                f"build_index(restrict_vocab={limit}) first."
            )
        return index

    # ---------------------------------------------------------------- save

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        format: str | None = None,
        ngrams: bool = True,
        shard_bytes: int | None = None,
    ) -> None:
        """Write to a file in the format that the name's ending tells, or that ``format`` names.

        A URL's file is written to a temporary folder first, and then sent.

        ======================= ===================== =============================================
        ending                  format                not kept
        ======================= ===================== =============================================
        ``.safetensors``        ``safetensors``
        ``.safetensors.``       ``safetensors-``      character n-grams; several files, and an
        ``index.json``          ``shards``            index that names them
        ``.parquet``            ``parquet``           output vectors
        ``.npz``                ``npz``               output vectors
        ``.tsv``                ``tsv``               those, metadata; a second file holds the words
        ``.txt``, ``.vec``      ``word2vec-text``     those, counts, metadata
        ``.bin``                ``word2vec-binary``   those, counts, metadata
        ``.glove``,             ``glove``             those, counts, metadata
        ``.glove.txt``
        ======================= ===================== =============================================

        ``format="fasttext"`` writes a model that fastText opens.  It and safetensors keep character
        n-grams (``subwords``), unless ``ngrams`` is false; no other does.  The file is whole or
        absent at any moment.  Shards are of ``shard_bytes`` at most, by default 4 GiB, and are not
        removed before the index of others is in place.

        Raises
        ------
        OutputError
            If the ending is not known, the file exists and ``overwrite`` is false, the format
            cannot hold one of the words, or the file cannot be written.
        """
        parts = VectorParts(
            self._vocabulary,
            self._matrix,
            self.counts,
            self._metadata,
            subwords=self._subwords if ngrams else None,
            outputs=self._outputs,
        )
        formats.save(parts, path, overwrite=overwrite, format=format, shard_bytes=shard_bytes)


def load(
    path: str | os.PathLike[str],
    *,
    check: bool | None = None,
    format: str | None = None,
    allow_nonfinite: bool = False,
    errors: str = "strict",
    limit: int | None = None,
) -> WordVectors:
    """Open a file of word vectors, or what lies behind a URL, of which a copy is made for it.

    The matrix of a safetensors file is mapped, not read: a file of a gigabyte opens in
    milliseconds, and processes that open the same file share its memory.  Do not alter the file
    while it is in use.  All other formats are read into memory, and checked while they are.
    Text, word2vec binary and TSV may be compressed with gzip, bzip2, xz or zstd, whatever the name.
    Nothing is ever unpickled.

    Parameters
    ----------
    path : path
    check : bool, optional
        Whether to read all of a mapped matrix now and compare its checksum.  By default only
        matrices of up to 64 MiB are; in a larger one, a value that is not finite is found by the
        first query.  The structure, the words and the counts are checked in any case.
    format : str, optional
        One of "safetensors", "safetensors-shards", "word2vec-text", "word2vec-binary", "glove",
        "npz", "tsv", "parquet" and "fasttext".  By default the file's first bytes tell, and its
        name must not contradict.
    allow_nonfinite : bool
        Whether NaN and infinite values may be in the file.  Such vectors can be looked at and
        saved; a query still refuses them, for they have no cosine.
    errors : {"strict", "replace", "ignore"}
        What becomes of bytes in words that are not UTF-8, such as half a character at the end of a
        word that its program cut: an error, U+FFFD, or nothing.
    limit : int, optional
        How many words to read: the first ones of the file, which are the most frequent ones in
        most files.  What follows them is not looked at.  By default all.

    Returns
    -------
    WordVectors
        Of a word that the file holds more than once, with its first vector.

    Raises
    ------
    InputError
        If the file cannot be opened, or does not fit into memory.
    FormatError
        If it is cut short, damaged, or of another format.

    Warns
    -----
    FormatWarning
        If words repeat, bytes were replaced or left out, or the last line has no end; once each,
        with a count.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "tiny.safetensors"
    >>> WordVectors(["to", "be"], [[1, 2], [3, 4]]).save(path)
    >>> load(path)["be"]
    array([3., 4.], dtype=float32)
    """
    options = LoadOptions(check, allow_nonfinite, errors, limit, compose=False)
    parts = formats.load(path, options, format)
    for remark in parts.remarks:
        warnings.warn(FormatWarning(remark), stacklevel=2)
    return WordVectors.from_checked(
        parts.table,
        parts.matrix,
        parts.counts,
        dict(parts.metadata),
        str(path),
        parts.subwords,
        parts.outputs,
    )


def _warn_of(skipped: Sequence[str], used: int) -> None:
    if skipped:
        warnings.warn(SkippedWordsWarning(skipped, used + len(skipped)), stacklevel=3)


def _plain_metadata(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """A copy of ``metadata`` made of plain JSON values, so that saving cannot fail over it later.

    Raises
    ------
    ParameterError
        If a value is not one.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        raise TypeError(f"{type(value).__name__} is not a JSON value")

    entries = dict(metadata or {})
    try:
        if not all(isinstance(key, str) for key in entries):
            raise TypeError("a key is not a string")
        copied: dict[str, Any] = json.loads(json.dumps(entries, default=plain))
    except (TypeError, ValueError, RecursionError) as error:
        raise ParameterError(
            f"metadata must map strings to JSON values, got one that does not: {error}."
        ) from error
    return copied


def _as_rows(name: str, value: ArrayLike) -> NDArray[np.float32]:
    """A matrix as read-only float32 rows: itself if it is that already, else a copy."""
    given = np.asarray(value)
    if given.dtype.kind not in "fiu":
        raise ParameterError(f"{name} must hold real numbers, got dtype {given.dtype}.")
    if given.ndim != 2 or given.shape[1] == 0 or given.shape[0] == 0:
        raise ParameterError(
            f"{name} must have shape (words, dimensions), both at least 1, got {given.shape}."
        )
    if given.dtype != np.float32 or not given.flags.c_contiguous or given.flags.writeable:
        # Too large for float32 becomes infinite, a signalling NaN a quiet one: refused later.
        with np.errstate(over="ignore", invalid="ignore"):
            given = np.array(given, dtype=np.float32, order="C")
        given.flags.writeable = False
    return given
