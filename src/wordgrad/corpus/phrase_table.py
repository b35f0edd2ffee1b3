"""Phrases of a text, for other texts: a table, its file, and sentences joined by it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.container import Arrays, Container
from wordgrad.errors import ParameterError, check_choice, check_int, check_real
from wordgrad.storage import path_of
from wordgrad.vocabulary import Vocabulary

SCORES = ("default", "npmi")
THRESHOLDS = {"default": 10.0, "npmi": 0.5}
"""Default thresholds: gensim's for its own score; for npmi it has none of its own."""

MOST_PAIRS = 40_000_000
"""Default of ``max_pairs``: candidates counted at a time, in about a gigabyte; gensim's number."""

_ENGLISH = "a an and at by for from in of on or the to with without"
ENGLISH_CONNECTOR_WORDS = frozenset(_ENGLISH.split())
"""Articles, prepositions and conjunctions that are inside English phrases; gensim has the same."""

SCHEMA = {
    "words": ("uint8", 1),
    "word_offsets": ("int64", 1),
    "parts": ("int32", 1),
    "part_offsets": ("int64", 1),
    "scores": ("float64", 1),
    "counts": ("int64", 1),
    "passes": ("int64", 1),
}
"""Arrays of a table: see :meth:`PhraseTable.packed`."""

PHRASES = Container(
    part="phrases",
    layout="1",
    remedy="learn the phrases again.",
    origin="name a table of phrases, as 'wordgrad phrases' writes it.",
    schema=SCHEMA,
)


@dataclass(frozen=True)
class PhraseSettings:
    """What a phrase is.

    Attributes
    ----------
    min_count : int
        The discount of the score; with npmi, how often a phrase must be met.
    threshold : float
        A phrase scores more.
    score : {"default", "npmi"}
        :func:`wordgrad.maths.phrase_score` or :func:`wordgrad.maths.npmi`.
    delimiter : str
        Between the words of a phrase.
    connector_words : tuple of str
        Words that may be inside a phrase, and neither begin nor end one; sorted.
    max_pairs : int
        Candidates that are counted at a time.
    """

    min_count: int
    threshold: float
    score: str
    delimiter: str
    connector_words: tuple[str, ...]
    max_pairs: int

    @classmethod
    def checked(
        cls,
        *,
        min_count: int = 5,
        threshold: float | None = None,
        score: str = "default",
        delimiter: str = "_",
        connector_words: str | Iterable[str] = (),
        max_pairs: int = MOST_PAIRS,
    ) -> PhraseSettings:
        """Check what a user gave, and fill in the defaults.

        Raises
        ------
        ParameterError
            Naming the parameter, its range and the value got.
        """
        check_choice("score", score, SCORES)
        if threshold is None:
            threshold = THRESHOLDS[score]
        if score == "npmi":
            threshold = check_real("threshold", threshold, minimum=-1.0, maximum=1.0)
        else:
            threshold = check_real("threshold", threshold, above=0.0)
        if not isinstance(delimiter, str) or delimiter.split() != [delimiter]:
            raise ParameterError(
                "delimiter must be a string of at least one character and without white space, "
                f"got {delimiter!r}."
            )
        if connector_words == "english":
            connector_words = ENGLISH_CONNECTOR_WORDS
        words = [connector_words] if isinstance(connector_words, str) else list(connector_words)
        if isinstance(connector_words, str) or not all(isinstance(word, str) for word in words):
            raise ParameterError(
                f'connector_words must be "english" or a list of words, got {connector_words!r}.'
            )
        return cls(
            check_int("min_count", min_count, minimum=1),
            threshold,
            score,
            delimiter,
            tuple(sorted(set(words))),
            check_int("max_pairs", max_pairs, minimum=1, maximum=1 << 31),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for a file."""
        return {**self.__dict__, "connector_words": list(self.connector_words)}


@dataclass(frozen=True)
class Pass:
    """Phrases that one pass over a text has found, best first.

    Attributes
    ----------
    phrases : list of tuple of str
        First word, connector words, last word; the first and the last may be phrases of an earlier
        pass, joined.
    scores : float64 array
    counts : int64 array
        How often each was met.
    """

    phrases: list[tuple[str, ...]]
    scores: NDArray[np.float64]
    counts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PhraseTable:
    """Phrases to join in a text, from left to right, a pass after the other.

    Made by :func:`~wordgrad.corpus.phrases.learn_phrases` or :meth:`load`.

    Attributes
    ----------
    settings : PhraseSettings
    passes : list of Pass
    report : dict
        Of the learning, an entry a pass: ``tokens``, ``words`` and ``pairs`` counted; ``pruned``
        and ``most_lost``, where there were more than ``max_pairs`` candidates; ``missed`` runs of
        connector words; ``holding_delimiter``, words of the text that hold the delimiter and could
        be mistaken for phrases, with their ``occurrences``.

    Examples
    --------
    >>> from wordgrad import learn_phrases
    >>> text = [["i", "saw", "new", "york"], ["new", "york", "is", "big"]] * 5
    >>> table = learn_phrases(text, threshold=0.5, min_count=5)
    >>> table.scores
    {'new_york': 0.55...}
    >>> table.join(["we", "love", "new", "york"])
    ['we', 'love', 'new_york']
    """

    settings: PhraseSettings
    passes: list[Pass]
    report: list[dict[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare the look-up of phrases by their words."""
        join = self.settings.delimiter.join
        tables = [{phrase: join(phrase) for phrase in one.phrases} for one in self.passes]
        object.__setattr__(self, "_tables", tables)
        object.__setattr__(self, "_connectors", frozenset(self.settings.connector_words))

    def __len__(self) -> int:
        """Return the number of phrases of all passes."""
        return sum(len(one.phrases) for one in self.passes)

    def __eq__(self, other: object) -> bool:
        """Whether settings, phrases, scores and counts are the same."""
        if not isinstance(other, PhraseTable):
            return NotImplemented
        return (
            self.settings == other.settings
            and len(self.passes) == len(other.passes)
            and all(
                a.phrases == b.phrases
                and np.array_equal(a.scores, b.scores)
                and np.array_equal(a.counts, b.counts)
                for a, b in zip(self.passes, other.passes, strict=True)
            )
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PhraseTable({len(self)} phrases, {len(self.passes)} passes)"

    @property
    def scores(self) -> dict[str, float]:
        """Every phrase, joined, and its score: the passes in order, best first."""
        join = self.settings.delimiter.join
        return {
            join(phrase): score
            for one in self.passes
            for phrase, score in zip(one.phrases, one.scores.tolist(), strict=True)
        }

    def join(self, tokens: Sequence[str]) -> list[str]:
        """Return a sentence with its phrases joined.

        Raises
        ------
        ParameterError
            If it is a string: its words have to be given one by one.

        Examples
        --------
        >>> settings = PhraseSettings.checked(connector_words="english")
        >>> found = Pass([("bank", "of", "america")], np.ones(1), np.ones(1, np.int64))
        >>> table = PhraseTable(settings, [found])
        >>> table.join(["the", "bank", "of", "america", "of", "old"])
        ['the', 'bank_of_america', 'of', 'old']
        """
        if isinstance(tokens, str):
            raise ParameterError(
                f"A sentence must be a list of words, got the string {tokens[:40]!r}; give "
                "text.split(), say."
            )
        words = list(tokens)
        for table in self._tables:  # type: ignore[attr-defined]
            words = self._joined(words, table)
        return words

    def join_all(self, sentences: Iterable[Sequence[str]]) -> Iterator[list[str]]:
        """Join the phrases of each sentence when it is asked for, however many there are."""
        return map(self.join, sentences)

    def _joined(self, words: list[str], table: Mapping[tuple[str, ...], str]) -> list[str]:
        joined: list[str] = []
        start = -1  # of what may become a phrase
        for word in words:
            joined.append(word)
            if word in self._connectors:  # type: ignore[attr-defined]
                continue
            if start >= 0 and (phrase := table.get(tuple(joined[start:]))) is not None:
                joined[start:] = [phrase]
                start = -1
            else:
                start = len(joined) - 1
        return joined

    def packed(self) -> tuple[dict[str, Any], Arrays]:
        """Return settings and report as plain values, and the arrays of :data:`SCHEMA`."""
        phrases = [phrase for one in self.passes for phrase in one.phrases]
        distinct = list(dict.fromkeys(word for phrase in phrases for word in phrase))
        words = Vocabulary.from_words(distinct)
        packed, word_offsets = words.packed()
        arrays: Arrays = {
            "words": packed,
            "word_offsets": word_offsets,
            "parts": np.array([words.ids[w] for phrase in phrases for w in phrase], np.int32),
            "part_offsets": np.cumsum([0, *map(len, phrases)], dtype=np.int64),
            "scores": np.concatenate([np.zeros(0), *(one.scores for one in self.passes)]),
            "counts": np.concatenate([np.zeros(0, np.int64), *(one.counts for one in self.passes)]),
            "passes": np.cumsum([0, *(len(one.phrases) for one in self.passes)], dtype=np.int64),
        }
        return {"settings": self.settings.as_dict(), "report": self.report}, arrays

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> None:
        """Write the table to a file, whole or not at all.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        PHRASES.write(path_of(path), *self.packed(), overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PhraseTable:
        """Read a table.

        Raises
        ------
        InputError
            If the file cannot be opened.
        FormatError
            If it is no table of phrases, or damaged.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp(), "phrases.safetensors")
        >>> found = Pass([("new", "york")], np.array([12.5]), np.array([40]))
        >>> PhraseTable(PhraseSettings.checked(), [found]).save(path)
        >>> PhraseTable.load(path).scores
        {'new_york': 12.5}
        """
        path = path_of(path)
        try:
            return cls.from_packed(*PHRASES.read(path), str(path))
        except ParameterError as error:
            raise PHRASES.damaged(path, str(error).rstrip(".")) from error

    @classmethod
    def from_packed(cls, record: Mapping[str, Any], arrays: Arrays, source: str) -> PhraseTable:
        """Make the table of what :meth:`packed` gave; ``source`` is for messages.

        Raises
        ------
        ParameterError
            If it is not what was given.
        """
        words = Vocabulary.from_packed(arrays["words"], arrays["word_offsets"], source).words
        parts, offsets, ends = arrays["parts"], arrays["part_offsets"], arrays["passes"]
        n = len(offsets) - 1
        scores, counts = arrays["scores"], arrays["counts"]
        if not (
            _runs(offsets, len(parts), least=2)
            and _runs(ends, n, least=0)
            and len(scores) == len(counts) == n
            and np.isfinite(scores).all()
            and (len(parts) == 0 or (parts.min() >= 0 and parts.max() < len(words)))
        ):
            raise ParameterError("its numbers do not fit together.")
        try:
            settings = PhraseSettings.checked(**record["settings"])
            report = [{str(k): int(v) for k, v in one.items()} for one in record["report"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ParameterError(f"its record does not hold settings ({error}).") from error
        spelled = [words[part] for part in parts.tolist()]
        bounds = offsets.tolist()
        phrases = [tuple(spelled[a:b]) for a, b in pairwise(bounds)]
        return cls(
            settings,
            [Pass(phrases[a:b], scores[a:b], counts[a:b]) for a, b in pairwise(ends.tolist())],
            report,
        )


def _runs(offsets: NDArray[np.int64], end: int, *, least: int) -> bool:
    """Whether offsets begin with 0, end with ``end`` and leave at least so much in each run."""
    return bool(
        len(offsets)
        and offsets[0] == 0
        and offsets[-1] == end
        and (np.diff(offsets) >= least).all()
    )


def table_of(phrases: Any) -> PhraseTable | int | None:
    """Return what a user gave as phrases: a table, a number of passes, or None.

    Parameters
    ----------
    phrases : PhraseTable, path of one, int, string of an int, or None

    Raises
    ------
    ParameterError
        If it is none of these.
    InputError, FormatError
        If the file cannot be read.

    Examples
    --------
    >>> table_of(2), table_of("2"), table_of(None)
    (2, 2, None)
    """
    if phrases is None or isinstance(phrases, PhraseTable):
        return phrases
    if isinstance(phrases, str) and phrases.isascii() and phrases.isdigit():
        phrases = int(phrases)
    if isinstance(phrases, (str, os.PathLike)):
        return PhraseTable.load(phrases)
    return check_int("phrases", phrases, minimum=1, maximum=MOST_PASSES)


MOST_PASSES = 16
"""Passes over a text; each may join two phrases of the one before."""
