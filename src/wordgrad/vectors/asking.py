"""Which words are nearest: to a word, to several, to a vector, to a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from wordgrad.errors import ParameterError, check_choice, check_int
from wordgrad.vectors.documents import document_words
from wordgrad.vectors.indexing import Indexing, checked_limit
from wordgrad.vectors.multiplicative import search_products
from wordgrad.vectors.queries import Queries, Query, combined, members
from wordgrad.vectors.rankings import Ranking
from wordgrad.vectors.selection import Neighbours

METHODS = ("3cosadd", "3cosmul")


class Asking(Indexing):
    """The questions of :class:`wordgrad.WordVectors` that are answered by a search."""

    def most_similar(
        self,
        positive: Query,
        topn: int = 10,
        negative: Query | None = None,
        restrict_vocab: int | None = None,
        *,
        on_unknown: str = "error",
        approximate: bool = False,
    ) -> Ranking:
        r"""The words nearest to a word, to several, or to a vector.

        The query is the sum of the unit vectors of ``positive`` less those of ``negative``, and
        words are ranked by their cosine with it.  Words of the query are no answers.

        Parameters
        ----------
        positive : str, array of shape (D,), or a sequence of both
        topn : int
            How many words; fewer come back only if the vocabulary has no more.
        negative : like positive, optional
        restrict_vocab : int, optional
            Only the most frequent ``restrict_vocab`` words may be answers.
        on_unknown : {"error", "skip"}
            With "skip", words that are not in the vocabulary are left out, and are in ``skipped``
            of the result; if none is left, the result is empty.
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
            If a vector has the wrong shape or is not finite, or a number is out of range.
        """
        queries = combined(self, [(positive, negative)], on_unknown)
        return self._ranked(queries, topn, restrict_vocab, approximate)[0]

    def most_similar_batch(
        self,
        queries: Iterable[Query],
        topn: int = 10,
        restrict_vocab: int | None = None,
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
        asked = combined(self, ((query, None) for query in queries), on_unknown)
        return self._ranked(asked, topn, restrict_vocab, approximate)

    def analogy(
        self,
        positive: Query,
        negative: Query,
        topn: int = 10,
        restrict_vocab: int | None = None,
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
        above = members(self, positive, "positive", "error")
        below = members(self, negative, "negative", "error")
        if not len(above.vectors):
            raise ParameterError("positive must name at least one word or vector, got none.")
        places = np.arange(len(above.vectors) + len(below.vectors))[None]
        found = search_products(
            self._index,
            np.concatenate([above.vectors, below.vectors]),
            places[:, : len(above.vectors)],
            places[:, len(above.vectors) :],
            check_int("topn", topn, minimum=1),
            excluded=np.array([above.rows + below.rows], dtype=np.int64),
            limit=checked_limit(restrict_vocab),
        )
        return self._rankings(found, [()])[0]

    def closest_to_text(
        self,
        text: str | Iterable[str],
        topn: int = 10,
        restrict_vocab: int | None = None,
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
        asked = combined(self, [(words, None)], on_unknown)
        queries = Queries(asked.vectors, asked.excluded[:, :0], asked.skipped, asked.empty)
        return self._ranked(queries, topn, restrict_vocab, approximate)[0]

    # ---------------------------------------------------------------- inside

    def _ranked(
        self, queries: Queries, topn: int, restrict_vocab: int | None, approximate: bool
    ) -> list[Ranking]:
        topn = check_int("topn", topn, minimum=1)
        limit = checked_limit(restrict_vocab)
        if approximate:
            index = self._approximate_index(limit)
            found = index.search(queries.vectors, topn, excluded=queries.excluded)
        else:
            found = self._index.search(
                queries.vectors, topn, excluded=queries.excluded, limit=limit
            )
        rankings = self._rankings(found, queries.skipped)
        return [
            Ranking(skipped=ranking.skipped) if empty else ranking
            for ranking, empty in zip(rankings, queries.empty, strict=True)
        ]

    def _rankings(self, found: Neighbours, skipped: Sequence[tuple[str, ...]]) -> list[Ranking]:
        word = self._table.word
        lines = zip(found.rows.tolist(), found.scores.tolist(), skipped, strict=True)
        return [
            Ranking(
                ((word(row), score) for row, score in zip(rows, scores, strict=True) if row >= 0),
                left_out,
            )
            for rows, scores, left_out in lines
        ]
