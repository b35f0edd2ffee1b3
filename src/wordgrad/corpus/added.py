"""A text added to a vocabulary: known words keep counting, frequent new ones join."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.corpus import CorpusReport, EncodedCorpus, encode_corpus, mapped
from wordgrad.corpus.sources import TextSource
from wordgrad.errors import InputError
from wordgrad.vocabulary import Vocabulary


class AddedCorpus(EncodedCorpus):
    """A text in the vocabulary of earlier texts and its own; made by :func:`encode_added`.

    Attributes
    ----------
    ids : int32 array, shape (T,)
        In memory, unlike other corpora's: four bytes a word.
    offsets : int64 array, shape (S + 1,)
    vocabulary : Vocabulary
        Of all texts; its counts are sums over all of them.
    report : CorpusReport
        Of this text alone.
    """

    def __init__(
        self,
        ids: NDArray[np.int32],
        offsets: NDArray[np.int64],
        vocabulary: Vocabulary,
        report: CorpusReport,
    ) -> None:
        self.ids, self.offsets = ids, offsets
        self.vocabulary, self.report = vocabulary, report

    def close(self) -> None:
        """Do nothing: there are no files."""


def encode_added(
    source: TextSource,
    known: Vocabulary,
    *,
    min_count: int = 5,
    max_vocab: int | None = None,
    **options: Any,
) -> AddedCorpus:
    """Read a text and encode it with the words of a vocabulary and those that it adds.

    Parameters
    ----------
    source : path, glob, directory, "-", several of them, table, or iterable of sentences
    known : Vocabulary
        With counts.  All its words stay, however rare they are in this text.
    min_count : int
        New words that occur less often in this text are dropped.
    max_vocab : int, optional
        New words join, the most frequent first, while the vocabulary has fewer words.
    **options
        ``phrases``, ``column``, ``lowercase``, ``pattern``, ``errors``, ``workers`` and
        ``progress`` of :func:`~wordgrad.corpus.corpus.encode_corpus`.

    Raises
    ------
    InputError
        If the text cannot be read, or fewer than two of its words are in the vocabulary then.

    Examples
    --------
    >>> known = Vocabulary(["a", "rose", "is"], [5, 4, 3])
    >>> corpus = encode_added([["a", "thorn"], ["thorn", "is", "thorn"]], known, min_count=2)
    >>> corpus.vocabulary.words, corpus.vocabulary.counts.tolist()
    (['a', 'is', 'rose', 'thorn'], [6, 4, 4, 3])
    >>> corpus.ids.tolist(), corpus.offsets.tolist()
    ([0, 3, 3, 1, 3], [0, 2, 5])
    """
    with encode_corpus(source, min_count=1, **options) as corpus:
        found = corpus.vocabulary
        counts = dict(zip(known.words, known.counts.tolist(), strict=True))
        room = len(found) if max_vocab is None else max(0, max_vocab - len(known))
        for word, count in zip(found.words, found.counts.tolist(), strict=True):
            if word in known:
                counts[word] += count
            elif room > 0 and count >= min_count:  # the most frequent come first
                counts[word] = count
                room -= 1
        vocabulary = Vocabulary.from_counts(counts, list(counts.values()))
        ids, offsets = mapped(corpus, vocabulary)
        report = corpus.report
    if len(ids) < 2:
        raise InputError(
            f"Of the {report.tokens_read} words of the text {len(ids)} are in the vocabulary, and "
            "training needs at least two; give more text, or lower min_count."
        )
    report = replace(report, sentences_kept=len(offsets) - 1, tokens_kept=len(ids))
    return AddedCorpus(ids, offsets, vocabulary, report)
