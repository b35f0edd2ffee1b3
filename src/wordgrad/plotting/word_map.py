"""Maps of words on a plane: which words, their positions and groups, and their neighbours."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import ParameterError, check_int
from wordgrad.files import atomic_write, check_output
from wordgrad.plotting.picture import checked_ending, visible
from wordgrad.plotting.projection import METHOD_NAMES, clusters, default_method, project, typical
from wordgrad.search.exact import ExactIndex, Neighbours, row_norms, unit
from wordgrad.word_vectors import WordVectors

LEAST_WORDS = 3
NAMED = 5  # words that a description names


@dataclass(frozen=True)
class Selection:
    """Rows of the words to show.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        In falling order of importance: the first are labelled first.
    groups : ndarray of int64, shape (n,), or None
        The group of each word, if the selection makes groups; they are numbered from 0.
    centres : tuple of str
        The words that the groups stand around, group by group; empty without groups.
    zero_vectors : int
        Words left out because their vector is zero and so has no direction.
    description : str
        What was selected, for a reader.
    """

    rows: NDArray[np.int64]
    groups: NDArray[np.int64] | None
    centres: tuple[str, ...]
    zero_vectors: int
    description: str


def most_frequent(vectors: WordVectors, number: int) -> Selection:
    """The ``number`` most frequent words, or all if there are fewer.

    Words whose vector is zero are left out and counted.

    >>> vectors = WordVectors(["a", "b", "c", "d"], [[1, 0], [0, 1], [0, 0], [1, 1]])
    >>> selection = most_frequent(vectors, 10)
    >>> selection.rows, selection.zero_vectors, selection.description
    (array([0, 1, 3]), 1, 'The 3 most frequent words')
    """
    number = check_int("most_frequent", number, minimum=LEAST_WORDS)
    rows = np.arange(min(number, len(vectors)), dtype=np.int64)
    kept = rows[_nonzero(vectors, rows)]
    _check_enough(kept.size)
    described = f"The {kept.size:,} most frequent words"
    return Selection(kept, None, (), rows.size - kept.size, described)


def named(vectors: WordVectors, words: Iterable[str]) -> Selection:
    """The given words, each once, in their order.

    Raises
    ------
    UnknownWordError
        If one is not in the vocabulary.
    ParameterError
        If there are fewer than three, or one has a zero vector.
    """
    rows = _rows(vectors, words)
    _check_enough(rows.size)
    return Selection(rows, None, (), 0, f"{rows.size:,} chosen words")


def around(
    vectors: WordVectors, words: Iterable[str], neighbours: int, limit: int | None
) -> Selection:
    """Words and the ``neighbours`` nearest to each; each neighbour belongs to the nearest of them.

    Parameters
    ----------
    vectors : WordVectors
    words : iterable of str
        The centres.
    neighbours : int
        How many words to show around each.
    limit : int or None
        Only the most frequent ``limit`` words are neighbours.

    Raises
    ------
    UnknownWordError
        If one is not in the vocabulary.
    ParameterError
        If a centre has a zero vector, or there are fewer than three words in all.
    """
    neighbours = check_int("neighbours", neighbours, minimum=1)
    centres = _rows(vectors, words)
    units = unit(vectors.matrix[centres])
    found = vectors.search_index().search(units, neighbours, excluded=centres[:, None], limit=limit)
    near = np.setdiff1d(found.rows[found.rows >= 0], centres)
    kept = near[_nonzero(vectors, near)]
    rows = np.concatenate([centres, kept])
    _check_enough(rows.size)
    cosines = unit(vectors.matrix[kept]) @ units.T
    groups = np.concatenate([np.arange(centres.size), cosines.argmax(axis=1)])
    names = tuple(vectors.vocabulary.word(int(row)) for row in centres)
    described = f"{_listed(names)} and the {neighbours:,} words nearest to each"
    return Selection(rows, groups, names, near.size - kept.size, described)


def _rows(vectors: WordVectors, words: Iterable[str]) -> NDArray[np.int64]:
    words = [words] if isinstance(words, str) else words
    rows = np.array([vectors.rank(word) for word in dict.fromkeys(words)], dtype=np.int64)
    if not rows.size:
        raise ParameterError("words must name at least one word, got none.")
    zero = rows[~_nonzero(vectors, rows)]
    if zero.size:
        word = vectors.vocabulary.word(int(zero[0]))
        raise ParameterError(
            f"words must have a direction, got {word!r}, whose vector is zero; leave it out."
        )
    return rows


def _nonzero(vectors: WordVectors, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    nonzero: NDArray[np.bool_] = np.any(vectors.matrix[rows], axis=1)
    return nonzero


def _listed(words: tuple[str, ...]) -> str:
    shown = [visible(word) for word in words[:NAMED]]
    more = len(words) - len(shown)
    return ", ".join([*shown, f"{more:,} more"] if more else shown)


def _check_enough(number: int) -> None:
    if number < LEAST_WORDS:
        raise ParameterError(
            f"A map needs at least {LEAST_WORDS} words whose vectors are not zero, got {number}; "
            "name more words."
        )


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

    def _repr_png_(self) -> bytes | None:
        """Show itself in a notebook, if Matplotlib is there."""
        if importlib.util.find_spec("matplotlib") is None:
            return None
        with tempfile.TemporaryDirectory() as folder:
            self.save(Path(folder) / "map.png")
            return (Path(folder) / "map.png").read_bytes()

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
