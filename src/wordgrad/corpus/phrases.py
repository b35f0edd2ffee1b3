"""Phrases from texts: learned into a table, joined into another text."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from wordgrad.corpus.corpus import ProvisionalText, provisional_text
from wordgrad.corpus.phrase_table import (
    MOST_PAIRS,
    MOST_PASSES,
    PhraseSettings,
    PhraseTable,
)
from wordgrad.corpus.sources import TextSource
from wordgrad.corpus.tokenizer import END, Types
from wordgrad.errors import InputError, check_int
from wordgrad.files import atomic_write

_CHUNK = 1 << 20  # ids handled at a time


def learn_phrases(
    source: TextSource,
    *,
    passes: int = 1,
    min_count: int = 5,
    threshold: float | None = None,
    score: str = "default",
    delimiter: str = "_",
    connector_words: str | Iterable[str] = (),
    max_pairs: int = MOST_PAIRS,
    joined: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    **reading: Any,
) -> PhraseTable:
    """Find the phrases of a text: words that are neighbours more often than chance would have them.

    With ``passes=1`` and no connector words a phrase is two words.  Another pass reads the text
    with those joined, and so finds phrases of up to four words, and so on.

    Parameters
    ----------
    source : path, glob, directory, "-", several of them, table, or iterable of sentences
        Read once, as by :func:`~wordgrad.corpus.corpus.encode_corpus`.
    passes : int (1 to 16)
        Passes over the text's ids, which lie in a temporary folder.
    min_count : int
        The discount of the score: a pair that is met so often, or less, is no phrase.  With
        ``score="npmi"``, a phrase is met so often at least.
    threshold : float, optional
        A phrase scores more.  By default 10, and 0.5 for npmi, which is between -1 and 1.
    score : {"default", "npmi"}
        :func:`wordgrad.maths.phrase_score`, of word2vec.c and gensim, or
        :func:`wordgrad.maths.npmi`.
    delimiter : str
        Between the words of a phrase.  Words of the text that hold it are counted in the report of
        the table: a phrase that is spelled like one of them becomes the same word.
    connector_words : iterable of str, or "english"
        Words that may be inside a phrase, as in "bank_of_america", and neither begin nor end one;
        "english" is gensim's list of 15.
    max_pairs : int
        Pairs (and longer candidates) that are counted at a time.  When there are more, the rarest
        are dropped until a quarter is free, and the report counts what was; no count is then too
        small by more than ``most_lost``.  A pair takes 24 to 48 bytes.
    joined : path, optional
        Write the text with the phrases joined, a sentence a line.
    overwrite : bool
        Whether that file is replaced if it exists.
    **reading
        ``column``, ``lowercase``, ``pattern``, ``errors``, ``workers``, ``folder`` and ``progress``
        of :func:`~wordgrad.corpus.corpus.encode_corpus`.

    Returns
    -------
    PhraseTable

    Raises
    ------
    InputError, ParameterError, OutputError
        As :func:`~wordgrad.corpus.corpus.encode_corpus`.

    Examples
    --------
    >>> text = ["the bank of america in new york city", "new york city has a bank of america"] * 9
    >>> table = learn_phrases(text, passes=2, threshold=0.1, connector_words="english")
    >>> list(table.scores)[:2]
    ['bank_of_america', 'new_york']
    >>> table.join("a bank of america in new york city".split())
    ['a', 'bank_of_america', 'in', 'new_york_city']
    """
    check_int("passes", passes, minimum=1, maximum=MOST_PASSES)
    settings = PhraseSettings.checked(
        min_count=min_count,
        threshold=threshold,
        score=score,
        delimiter=delimiter,
        connector_words=connector_words,
        max_pairs=max_pairs,
    )
    with _read(source, reading) as text:
        from wordgrad.corpus.phrase_counts import learn_passes

        with text.folder.writing():
            table, types = learn_passes(
                text.ids_path, text.types, settings, passes, keep=joined is not None
            )
        if joined is not None:
            _write_words(text, types, Path(joined), overwrite=overwrite)
        return table


def join_phrases(
    source: TextSource,
    phrases: PhraseTable,
    joined: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    **reading: Any,
) -> int:
    """Write a text with the phrases of a table joined, a sentence a line.

    Parameters
    ----------
    source, joined, overwrite, **reading
        As in :func:`learn_phrases`.
    phrases : PhraseTable

    Returns
    -------
    int
        By how many words the text became shorter.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "joined.txt")
    >>> table = learn_phrases(["new york"] * 9, threshold=0.1)
    >>> join_phrases(["we love new york", "york is old"], table, path)
    1
    >>> path.read_text().splitlines()
    ['we love new_york', 'york is old']
    """
    with _read(source, reading) as text:
        from wordgrad.corpus.phrase_counts import join_phrases as join_ids

        with text.folder.writing():
            _, types = join_ids(text.ids_path, text.types, phrases)
        _write_words(text, types, Path(joined), overwrite=overwrite)
        return int(text.types.counts.sum() - types.counts.sum())


def phrase_counts(
    source: TextSource,
    *,
    delimiter: str = "_",
    connector_words: str | Iterable[str] = (),
    max_pairs: int = MOST_PAIRS,
    **reading: Any,
) -> tuple[dict[str, int], int]:
    """Count words and candidates for phrases, for scores of one's own.

    Parameters
    ----------
    source, delimiter, connector_words, max_pairs, **reading
        As in :func:`learn_phrases`.

    Returns
    -------
    dict of str to int
        Words, without connector words, and candidates, joined.
    int
        Words of the text, with connector words.

    Examples
    --------
    >>> counts, tokens = phrase_counts([["the", "bank", "of", "america"]], connector_words=["of"])
    >>> sorted(counts.items()), tokens
    ([('america', 1), ('bank', 1), ('bank_of_america', 1), ('the', 1), ('the_bank', 1)], 4)
    """
    settings = PhraseSettings.checked(
        delimiter=delimiter, connector_words=connector_words, max_pairs=max_pairs
    )
    with _read(source, reading) as text:
        from wordgrad.corpus.phrase_counts import count_phrases

        connectors = text.types.words.find(settings.connector_words)
        found = count_phrases(text.ids_path, text.types, connectors, max_pairs=settings.max_pairs)
        words = text.types.words.at(np.arange(len(text.types.words)))
        counts = dict(zip(words, text.types.counts.tolist(), strict=True))
        for word in settings.connector_words:
            counts.pop(word, None)
        for candidate, times in found.joined_counts(settings.delimiter).items():
            counts[candidate] = counts.get(candidate, 0) + times
        return counts, found.tokens


@contextmanager
def _read(source: TextSource, reading: dict[str, Any]) -> Iterator[ProvisionalText]:
    """A text's provisional ids, in a folder that goes away after the block."""
    with provisional_text(source, **reading) as text:
        if not len(text.types.words):
            raise InputError(
                f"There are no tokens in {text.reading.name}; check that it is not empty."
            )
        try:
            yield text
        finally:
            text.folder.remove()


def _write_words(text: ProvisionalText, types: Types, path: Path, *, overwrite: bool) -> None:
    """Write the text that ids stand for: words with spaces between, a sentence a line."""
    words = types.words.at(np.arange(len(types.words)))
    odd = [w for w, n in zip(words, types.counts, strict=True) if n and w.split() != [w]]
    if odd:
        raise InputError(
            f"The word {odd[0]!r} holds white space or nothing, so that a text of words with "
            "spaces between cannot hold it; change pattern, or leave the joined text out."
        )
    table = np.array([*words, "\n"], dtype=object)  # the last is what ends a sentence
    with (
        atomic_write(path, overwrite=overwrite) as temporary,
        open(text.ids_path, "rb") as file,
        open(temporary, "w", encoding="utf-8", newline="\n") as out,
    ):
        separator = ""
        while len(ids := np.frombuffer(file.read(4 * _CHUNK), dtype=np.uint32)):
            line = separator + " ".join(table[types.groups[ids]].tolist())
            separator = "" if ids[-1] == END else " "
            out.write(line.replace("\n ", "\n").replace(" \n", "\n"))
