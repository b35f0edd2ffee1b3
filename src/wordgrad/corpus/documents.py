"""Documents and their tags: which rows of a table of vectors belong to each document of a text.

A document is what a sentence is to other trainings: a line, a cell of a table, or an item.  Its
tags are what its vector is asked for by; without any, a document's number from 0 is its tag.
Several documents may share a tag, and a document may have several.

While the text is read, :class:`TagReader` numbers the tags in the order in which they are met, by
the hash table that numbers words, and keeps four bytes a tag and eight a document.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.container import Arrays, Container
from wordgrad.corpus.sources import is_table, texts_of
from wordgrad.corpus.tokenizer import TokenBlock, Tokenizer
from wordgrad.errors import InputError, ParameterError
from wordgrad.vocabulary import Vocabulary

if TYPE_CHECKING:
    import polars as pl

_DOCUMENTS_AT_ONCE = 1 << 14

TAGS = Container(
    part="tags of documents",
    layout="1",
    remedy="give the text again, or begin a new training.",
    origin="put back the one that training wrote, or begin a new training.",
    schema={
        "tags": ("uint8", 1),
        "tag_offsets": ("int64", 1),
        "counts": ("int64", 1),
        "rows": ("int32", 1),
        "offsets": ("int64", 1),
    },
)


@dataclass(frozen=True)
class Documents:
    """Tags of the documents of an encoded text.

    Attributes
    ----------
    tags : Vocabulary
        In the order in which they were met, with the number of documents that have each.
    rows : int32 (R,)
        Rows of tags, one document after another.
    offsets : int64 (S + 1,)
        Sentence s of the corpus, a document, has the tags ``rows[offsets[s]:offsets[s + 1]]``, one
        at least.
    """

    tags: Vocabulary
    rows: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse what kernels would read or write out of bounds by; the arrays may be a file's."""
        rows, offsets = self.rows, self.offsets
        good = (
            rows.dtype == np.int32
            and offsets.dtype == np.int64
            and rows.ndim == offsets.ndim == 1
            and len(offsets) > 0
            and offsets[0] == 0
            and offsets[-1] == len(rows)
            and bool((np.diff(offsets) > 0).all())
            and (not len(rows) or (rows.min() >= 0 and rows.max() < len(self.tags)))
        )
        if not good:
            raise ParameterError(
                f"rows must be int32 numbers in [0, {len(self.tags) - 1}], which the int64 offsets "
                f"cut into documents of at least one tag, got {rows.dtype} {rows.shape} and "
                f"{offsets.dtype} {offsets.shape}."
            )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def most_tags(self) -> int:
        """The largest number of tags that a document has."""
        return int(np.diff(self.offsets).max(initial=0))

    def untrained(self) -> NDArray[np.bool_]:
        """Of every tag, whether no document that is left has it."""
        found = np.ones(len(self.tags), np.bool_)
        found[self.rows] = False
        return found

    @classmethod
    def numbered(cls, n_documents: int, kept: NDArray[np.int64]) -> Documents:
        """Documents whose tags are their numbers from 0.

        Parameters
        ----------
        n_documents : int
            Of the text.
        kept : int64 (S,)
            The number of each one that is left.
        """
        return cls(
            number_words(n_documents).with_counts(np.ones(n_documents, np.int64)),
            kept.astype(np.int32),
            np.arange(len(kept) + 1, dtype=np.int64),
        )

    def write(self, path: Path) -> None:
        """Keep the tags in a file, with checksums."""
        tags, tag_offsets = self.tags.packed()
        arrays: Arrays = {
            "tags": tags,
            "tag_offsets": tag_offsets,
            "counts": self.tags.counts,
            "rows": self.rows,
            "offsets": self.offsets,
        }
        TAGS.write(path, {}, arrays)

    @classmethod
    def read(cls, path: Path) -> Documents:
        """Read a file that :meth:`write` wrote.

        Raises
        ------
        FormatError
            If it is damaged.
        """
        _, arrays = TAGS.read(path)
        try:
            tags = Vocabulary.from_packed(arrays["tags"], arrays["tag_offsets"], str(path))
            tags = tags.with_counts(arrays["counts"])
            return cls(tags, arrays["rows"], arrays["offsets"])
        except ValueError as error:
            raise TAGS.damaged(path, str(error).rstrip(".")) from error


def number_words(n: int) -> Vocabulary:
    """The numbers 0 to n - 1 as words, packed: a million strings would take much room.

    >>> number_words(12).words[8:]
    ['8', '9', '10', '11']
    """
    sizes = np.ones(n, np.int64)
    power = 10
    while power < n:
        sizes[power:] += 1
        power *= 10
    data = np.frombuffer("".join(map(str, range(n))).encode(), np.uint8)
    return Vocabulary.from_packed(
        data, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), "the numbers of documents"
    )


def tag_names(tags: Any, number: int) -> list[str]:
    """Tags of one document as strings; an integer is the same tag as its digits.

    Parameters
    ----------
    tags : str, int, or a list or tuple of them
    number : int
        The document's, from 1, for messages.

    Raises
    ------
    InputError
        If there is none, or one is neither a string nor an integer.

    Examples
    --------
    >>> tag_names("sport", 1), tag_names([7, "2024"], 1)
    (['sport'], ['7', '2024'])
    """
    if isinstance(tags, str | Integral):
        tags = [tags]
    elif not isinstance(tags, list | tuple | np.ndarray):
        raise InputError(
            f"The tags of document {number} are of type {type(tags).__name__}; a tag is a string "
            "or an integer, and several are a list of them."
        )
    names = []
    for tag in tags:
        whole = isinstance(tag, Integral) and not isinstance(tag, bool | np.bool_)
        if not (isinstance(tag, str) or whole) or tag == "":
            what = "is empty" if tag == "" else f"is of type {type(tag).__name__}"
            raise InputError(
                f"A tag of document {number} {what}; a tag is a string or an integer, and several "
                "are a list of them."
            )
        names.append(tag if isinstance(tag, str) else str(int(tag)))
    if not names:
        raise InputError(f"Document {number} has no tag; give it one at least, its number say.")
    return names


class TagReader:
    """Gathers the tags of documents while their text is read.

    Parameters
    ----------
    column : str, optional
        Of tables: which column holds the tags.  By default a document's number is its tag, unless
        documents in memory have tags.

    Attributes
    ----------
    documents : int
        How many documents had tags so far.
    """

    def __init__(self, column: str | None = None) -> None:
        self.column = column
        self.documents = 0
        self._tokenizer = Tokenizer()
        self._names: list[str] = []
        self._sizes: list[int] = []
        self._ids: list[NDArray[np.int32]] = []  # of tags
        self._counts: list[NDArray[np.int32]] = []  # of tags a document

    def texts(self, source: Any, column: str | None) -> tuple[Any, str | None]:
        """Source and column that are to be read; what of their tags is in memory is kept then.

        Parameters
        ----------
        source : path, glob, directory, several of them, a table, or an iterable
            Items of an iterable are texts (strings or lists of tokens), or all of them are pairs
            (a tuple of two: a text and its tag or tags).
        column : str or None
            Of a table: which column holds the text.

        Raises
        ------
        InputError
            If a table has no such column.
        """
        if is_table(source):
            if self.column is None:
                return source, column
            tags = texts_of(source, self.column)
            return self._untagged(zip(texts_of(source, column), tags, strict=True)), None
        if isinstance(source, str | bytes | os.PathLike) or not isinstance(source, Iterable):
            return source, column
        if isinstance(source, Sequence):
            return self._untagged(source) if source and _is_pair(source[0]) else source, column
        items = iter(source)
        for first in items:
            whole = chain([first], items)
            return self._untagged(whole) if _is_pair(first) else whole, column
        return items, column

    def _untagged(self, pairs: Iterable[Any]) -> Iterator[Any]:
        for number, pair in enumerate(pairs, start=1):
            if not _is_pair(pair):
                raise InputError(
                    f"Document {number} has no tags, but the first one has; give pairs (words, "
                    "tags) alone, or texts alone."
                )
            text, tags = pair
            self.add(tag_names(tags, number))
            yield text

    def add(self, names: list[str]) -> None:
        """Take the tags of the next document."""
        self._names += names
        self._sizes.append(len(names))
        self.documents += 1
        if len(self._sizes) >= _DOCUMENTS_AT_ONCE:
            self._number()

    def add_column(self, values: pl.Series, name: str) -> None:
        """Take the tags of the next rows of a table, whose name is for messages.

        Raises
        ------
        InputError
            If a row has none, or they are neither strings nor integers.
        """
        for value in values.to_list():
            if value is None or value == "":
                raise InputError(
                    f"{name} has no tag in row {self.documents + 1}, column {self.column!r}; give "
                    "every document one, or leave the column of tags out."
                )
            self.add(tag_names(value, self.documents + 1))

    def _number(self) -> None:
        try:
            ids = self._tokenizer.encode(TokenBlock(self._names, self._sizes))
        except UnicodeEncodeError as error:
            raise InputError(
                f"A tag holds a lone surrogate ({error.object[error.start]!a}), which is no "
                "character; clean it."
            ) from None
        self._ids.append(ids[ids > 0].astype(np.int32))
        self._counts.append(np.array(self._sizes, np.int32))
        self._names, self._sizes = [], []

    def read(self, n_documents: int, kept: NDArray[np.int64]) -> Documents:
        """Documents of a text that has been read.

        Parameters
        ----------
        n_documents : int
            That were read.
        kept : int64 (S,)
            The number from 0 of each one that is left, which are not all where some held no word
            of the vocabulary.
        """
        if not self.documents:
            return Documents.numbered(n_documents, kept)
        if self._sizes:
            self._number()
        ids, sizes = np.concatenate(self._ids), np.concatenate(self._counts)
        if len(sizes) != n_documents:
            raise InputError(f"{len(sizes)} documents have tags, and {n_documents} were read.")
        types = self._tokenizer.types()
        words = types.groups[ids]
        firsts = np.full(len(types.words), np.iinfo(np.int64).max)
        np.minimum.at(firsts, words, np.arange(len(words)))
        order = np.argsort(firsts)
        row_of = np.empty(len(order), np.int32)
        row_of[order] = np.arange(len(order), dtype=np.int32)
        tags = Vocabulary.from_words(types.words.at(order), types.counts[order])
        first = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        left = sizes[kept].astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(left)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], left)
        return Documents(tags, row_of[words[np.repeat(first[kept], left) + within]], offsets)


def _is_pair(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 2
