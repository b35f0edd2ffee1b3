"""The validation text: kept from training, as ids of the training text's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.corpus import EncodedCorpus, encode_corpus
from wordgrad.corpus.sources import TextSource
from wordgrad.errors import InputError
from wordgrad.vocabulary import Vocabulary


@dataclass(frozen=True)
class ValidationCorpus:
    """A text in the vocabulary of another one; it has what a corpus needs to draw windows from.

    Attributes
    ----------
    ids : int32 array, shape (T,)
        In memory, unlike a corpus': four bytes a word.
    offsets : int64 array, shape (S + 1,)
        Sentence ``s`` is ``ids[offsets[s]:offsets[s + 1]]``.
    vocabulary : Vocabulary
        Of the training text, with its counts.
    tokens_read : int
        Words of the text.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    vocabulary: Vocabulary
    tokens_read: int

    @property
    def tokens_unknown(self) -> int:
        """Words that were dropped because the vocabulary does not hold them."""
        return self.tokens_read - len(self.ids)


def encode_validation(
    source: TextSource, vocabulary: Vocabulary, **options: Any
) -> ValidationCorpus:
    """Read a text and encode it with a vocabulary that is already there.

    Windows close over words that are not in it, as they do over rare words of the training text.

    Parameters
    ----------
    source : path, glob, directory, "-", several of them, or iterable of sentences
    vocabulary : Vocabulary
    **options
        ``column``, ``lowercase``, ``pattern``, ``errors``, ``workers`` and ``progress`` of
        :func:`~wordgrad.corpus.corpus.encode_corpus`.

    Raises
    ------
    InputError
        If it cannot be read, or fewer than two of its words are in the vocabulary.

    Examples
    --------
    >>> vocabulary = Vocabulary(["a", "rose", "is"], [5, 4, 3])
    >>> text = encode_validation(["what is a rose", "no no"], vocabulary)
    >>> text.ids.tolist(), text.offsets.tolist(), text.tokens_unknown
    ([2, 0, 1], [0, 3], 3)
    """
    try:
        with encode_corpus(source, min_count=1, **options) as corpus:
            ids, offsets = mapped(corpus, vocabulary)
            read = corpus.report.tokens_read
    except InputError as error:
        raise InputError(f"The validation text cannot be used: {error}") from error
    if len(ids) < 2:
        raise InputError(
            f"Of the {read} words of the validation text {len(ids)} are in the vocabulary, and a "
            "loss needs at least two; give text of the same kind as the training text."
        )
    return ValidationCorpus(ids, offsets, vocabulary, read)


def mapped(
    corpus: EncodedCorpus, vocabulary: Vocabulary
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the ids and offsets of a corpus in another vocabulary, without words it lacks."""
    table = [vocabulary.ids.get(word, -1) for word in corpus.vocabulary.words]
    ids = np.array(table, np.int32)[corpus.ids]
    kept = np.concatenate([[0], np.cumsum(ids >= 0)])
    offsets = np.unique(kept[corpus.offsets])  # a sentence without words vanishes
    return ids[ids >= 0], offsets.astype(np.int64)
