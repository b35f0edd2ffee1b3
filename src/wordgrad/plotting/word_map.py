"""Map of words on a plane: positions, groups, and nearest neighbours in all dimensions."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import ParameterError, check_int
from wordgrad.files import atomic_write, check_output
from wordgrad.plotting.picture import checked_ending
from wordgrad.plotting.projection import METHOD_NAMES, clusters, default_method, project, typical
from wordgrad.plotting.selection import around, most_frequent, named
from wordgrad.search.exact import ExactIndex, Neighbours, row_norms, unit
from wordgrad.word_vectors import WordVectors

MOST_FREQUENT = 1500
AROUND_EACH = 40
NEIGHBOURS_SHOWN = 10


@dataclass(frozen=True)
class WordMap:
    """Words on a plane; made by :func:`make_map`.

    Attributes
    ----------
    words : tuple of str, length n
        The most important first: they are labelled first.
    ranks : ndarray of int64, shape (n,)
        Their rows: 0 for the most frequent word of the vocabulary.
    counts : ndarray of int64, shape (n,), or None
        How often each was seen, if that is known.
    positions : ndarray of float64, shape (n, 2)
        In [-1, 1].
    groups : ndarray of int64, shape (n,)
        From 0; the colours.
    group_names : tuple of tuple of str
        For each group the word it stands around, or its three most typical words.
    on_map : Neighbours
        The nearest words among those of the map, as places in ``words``.
    in_all : Neighbours
        The nearest words among all that were searched, as rows of the vocabulary.
    other_words : dict of int to str
        The words of ``in_all`` that are not on the map, by row.
    vocabulary : int
        How many words ``in_all`` was searched among.
    method : str
        "pca", "tsne" or "umap".
    description : str
        What the map shows, for a reader.
    zero_vectors : int
        Words left out because their vector is zero.
    """

    words: tuple[str, ...]
    ranks: NDArray[np.int64]
    counts: NDArray[np.int64] | None
    positions: NDArray[np.float64]
    groups: NDArray[np.int64]
    group_names: tuple[tuple[str, ...], ...]
    on_map: Neighbours
    in_all: Neighbours
    other_words: dict[int, str]
    vocabulary: int
    method: str
    description: str
    zero_vectors: int

    def __repr__(self) -> str:
        return f"<WordMap: {self.description}, {METHOD_NAMES[self.method]}>"

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> int:
        """Write the map to a page (``.html``) or a picture (``.png``, ``.svg``).

        Returns
        -------
        int
            How many words have a label: all in a page, where labels come with zooming; in a
            picture those that find room.

        Raises
        ------
        ParameterError
            If the name has another ending.
        MissingExtraError
            If Matplotlib is not installed, for a picture.
        OutputError
            If the file exists and ``overwrite`` is false, or it cannot be written.
        """
        ending = checked_ending(path)
        target = check_output(path, overwrite=overwrite)
        from wordgrad.plotting.draw_map import page, write_picture

        with atomic_write(target, overwrite=overwrite) as temporary:
            if ending == ".html":
                temporary.write_text(page(self), encoding="utf-8")
                return len(self.words)
            return write_picture(self, temporary, ending.removeprefix("."))


def make_map(
    vectors: WordVectors,
    *,
    words: Iterable[str] | None = None,
    around_words: Iterable[str] | None = None,
    most_frequent_words: int = MOST_FREQUENT,
    neighbours: int = AROUND_EACH,
    method: str | None = None,
    restrict_vocab: int | None = None,
    seed: int = 1,
) -> WordMap:
    """Place words on a plane so that words with large cosines stand together.

    Parameters
    ----------
    vectors : WordVectors
    words : iterable of str, optional
        Show these words.
    around_words : iterable of str, optional
        Show these words and the neighbourhood of each instead.
    most_frequent_words : int
        Without either, show this many of the most frequent words.
    neighbours : int
        The size of a neighbourhood for ``around_words``.
    method : {"pca", "tsne", "umap"}, optional
        PCA for fewer than 30 words and t-SNE for more, if not given; see
        :func:`wordgrad.plotting.projection.project`.
    restrict_vocab : int, optional
        Consider only this many of the most frequent words as neighbours.
    seed : int
        The same seed gives the same map on the same machine.

    Raises
    ------
    UnknownWordError
        If a word is not in the vocabulary.
    ParameterError
        If there are too few words, or a number is out of range.
    MissingExtraError
        If the method is UMAP and it is not installed.

    Examples
    --------
    >>> vectors = WordVectors(["a", "b", "c", "d"], [[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
    >>> drawn = make_map(vectors, words=["a", "b", "c"])
    >>> drawn
    <WordMap: 3 chosen words, PCA>
    >>> [drawn.words[place] for place in drawn.on_map.rows[:, 0]]
    ['b', 'a', 'b']
    """
    if restrict_vocab is not None:
        restrict_vocab = check_int("restrict_vocab", restrict_vocab, minimum=1)
    if words is not None and around_words is not None:
        raise ParameterError("words and around_words cannot be given together; choose one.")
    if words is not None:
        chosen = named(vectors, words)
    elif around_words is not None:
        chosen = around(vectors, around_words, neighbours, restrict_vocab)
    else:
        chosen = most_frequent(vectors, most_frequent_words)
    _ = vectors.search_index()  # finds values that are not finite, and says where
    method = default_method(chosen.rows.size) if method is None else method
    units = unit(vectors.matrix[chosen.rows])
    positions = project(units, method, seed)
    groups = clusters(units, seed) if chosen.groups is None else chosen.groups
    word, rows = vectors.vocabulary.word, chosen.rows
    words = tuple(word(int(row)) for row in rows)
    small = vectors.matrix[rows]
    own_place = np.arange(rows.size)[:, None]
    on_map = ExactIndex(small, row_norms(small)).search(units, NEIGHBOURS_SHOWN, excluded=own_place)
    in_all = vectors.search_index().search(
        units, NEIGHBOURS_SHOWN, excluded=rows[:, None], limit=restrict_vocab
    )
    elsewhere = np.setdiff1d(in_all.rows[in_all.rows >= 0], rows)
    if chosen.centres:
        names = tuple((centre,) for centre in chosen.centres)
    else:
        names = tuple(tuple(words[place] for place in near) for near in typical(units, groups))
    return WordMap(
        words=words,
        ranks=rows,
        counts=None if vectors.counts is None else vectors.counts[rows],
        positions=positions,
        groups=groups,
        group_names=names,
        on_map=on_map,
        in_all=in_all,
        other_words={int(row): word(int(row)) for row in elsewhere},
        vocabulary=min(len(vectors), restrict_vocab or len(vectors)),
        method=method,
        description=chosen.description,
        zero_vectors=chosen.zero_vectors,
    )
