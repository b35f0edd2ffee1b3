"""Quality of word vectors: agreement with people's similarity scores, and analogies solved.

Similarity sets and analogy questions are read in the forms in which they are published.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import InputError, check_choice, check_int
from wordgrad.search.exact import unit
from wordgrad.word_vectors import METHODS, WordVectors

LARGEST = 64 << 20
"""Bytes of a test set.  The largest that are published take less than one; what is larger is a
file given by mistake, or a device that never ends."""


@dataclass(frozen=True)
class ScoredPair:
    """Two words and how alike people find them."""

    first: str
    second: str
    score: float


@dataclass(frozen=True)
class Question:
    """``a`` is to ``b`` as ``c`` is to ``d``."""

    a: str
    b: str
    c: str
    d: str


def read_pairs(path: str | os.PathLike[str]) -> list[ScoredPair]:
    """Read word pairs with scores.

    One pair a line: two words, then the score, separated by tabs, commas, semicolons or spaces
    (the first of these that the line holds).  The score is the first number after the two words, in
    the same column on every line, so that the files as published can be read: SimLex-999 has a part
    of speech before it, Rare Words single votes after it.  Empty lines and lines that begin with
    ``#`` are skipped, and so is a first line without any number: the names of the columns.

    Raises
    ------
    InputError
        Naming file and line: if the file cannot be read, is not UTF-8, has a line without two
        words and a finite score, or holds no pair.
    """
    pairs: list[ScoredPair] = []
    column: int | None = None
    may_be_names = True
    for number, line in _lines(path):
        fields = _fields(line)
        numbers = [place for place in range(2, len(fields)) if _number(fields[place]) is not None]
        if may_be_names and len(fields) >= 3 and not numbers:
            may_be_names = False
            continue
        may_be_names = False
        if column is None and numbers:
            column = numbers[0]
        score = None if column is None or column >= len(fields) else _number(fields[column])
        if score is None or not fields[0] or not fields[1]:
            raise InputError(
                f"{path}, line {number}: expected two words and a score"
                f"{f' in column {column + 1}' if column else ''}, got {_shown(line)}; "
                "mend or remove the line."
            )
        pairs.append(ScoredPair(fields[0], fields[1], score))
    if not pairs:
        raise InputError(f"{path} holds no word pairs; each line needs two words and a score.")
    return pairs


def read_questions(path: str | os.PathLike[str]) -> dict[str, list[Question]]:
    """Read analogy questions, by section.

    The format of word2vec's ``questions-words.txt``: ``: name`` opens a section, every other line
    holds four words.  Empty lines are skipped.

    Raises
    ------
    InputError
        Naming file and line: if the file cannot be read, is not UTF-8, has a line without four
        words, a question before the first section, or no question at all.
    """
    sections: dict[str, list[Question]] = {}
    section: list[Question] | None = None
    for number, line in _lines(path):
        if line.startswith(":"):
            section = sections.setdefault(line[1:].strip(), [])
            continue
        words = line.split()
        if len(words) != 4:
            raise InputError(
                f"{path}, line {number}: expected a question of four words, got {_shown(line)}; "
                "mend or remove the line."
            )
        if section is None:
            raise InputError(
                f"{path}, line {number}: a question before the first section; "
                "begin the file with a line such as ': capitals'."
            )
        section.append(Question(*words))
    if not any(sections.values()):
        raise InputError(f"{path} holds no analogy questions; each line needs four words.")
    return sections


def _lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """Number and stripped text of the lines that say something."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # the second for a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read ({reason}); check the name.") from error
    if len(data) > LARGEST:
        raise InputError(
            f"{path} is larger than {LARGEST >> 20} MiB, which no test set is; check the name."
        )
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        try:
            line = raw.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}, line {number}: not valid UTF-8; save the file as UTF-8."
            ) from error
        if line and not line.startswith("#"):
            yield number, line


def _fields(line: str) -> list[str]:
    for separator in "\t,;":
        if separator in line:
            return [field.strip() for field in line.split(separator)]
    return line.split()


def _number(field: str) -> float | None:
    try:
        value = float(field)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _shown(line: str) -> str:
    return repr(line if len(line) <= 60 else line[:57] + "...")


NORMAL_97_5 = 1.959963984540054  # the 97.5% point of the standard normal distribution


@dataclass(frozen=True)
class SimilarityResult:
    """Agreement with one similarity set.

    Attributes
    ----------
    name : str
        The file's name without its ending.
    correlation : float
        Spearman's rank correlation of cosines and scores, ties at their mean rank; NaN if fewer
        than two pairs are covered, or if all cosines or all scores are equal.
    low, high : float
        A 95% confidence interval of the correlation (see :func:`spearman_interval`).
    pairs, total : int
        Pairs that were compared, and pairs in the file.
    composed : int
        How many of ``pairs`` hold a word outside the vocabulary, whose vector was composed of its
        character n-grams.
    """

    name: str
    correlation: float
    low: float
    high: float
    pairs: int
    total: int
    composed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The fields, by name, for JSON; NaN becomes ``None``."""
        fields = asdict(self).items()
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in fields
        }


@dataclass(frozen=True)
class SectionResult:
    """Analogies of one section: ``correct`` of the ``questions`` covered, ``total`` in the file."""

    name: str
    correct: int
    questions: int
    total: int

    @property
    def accuracy(self) -> float:
        """Correct among covered questions, in [0, 1]; NaN if none is covered."""
        return self.correct / self.questions if self.questions else math.nan

    def to_dict(self) -> dict[str, Any]:
        """The fields and the accuracy, by name, for JSON; NaN becomes ``None``."""
        accuracy = self.accuracy if self.questions else None
        return {**asdict(self), "accuracy": accuracy}


@dataclass(frozen=True)
class AnalogyResult:
    """Analogies solved, by section and in all.

    Attributes
    ----------
    name : str
        The file's name without its ending.
    method : str
        ``"3cosadd"`` or ``"3cosmul"``.
    topn : int
        A question is solved if its fourth word is among so many answers.
    restrict_vocab : int
        Only so many of the most frequent words took part.
    sections : tuple of SectionResult
    """

    name: str
    method: str
    topn: int
    restrict_vocab: int
    sections: tuple[SectionResult, ...]

    @property
    def overall(self) -> SectionResult:
        """All sections together, every question weighing the same."""
        return SectionResult(
            "all",
            sum(section.correct for section in self.sections),
            sum(section.questions for section in self.sections),
            sum(section.total for section in self.sections),
        )

    @property
    def accuracy(self) -> float:
        """Correct among all covered questions, in [0, 1]; NaN if none is covered."""
        return self.overall.accuracy

    def to_dict(self) -> dict[str, Any]:
        """Everything, by name, for JSON."""
        return {
            "name": self.name,
            "method": self.method,
            "topn": self.topn,
            "restrict_vocab": self.restrict_vocab,
            "overall": self.overall.to_dict(),
            "sections": [section.to_dict() for section in self.sections],
        }


def evaluate_similarity(
    vectors: WordVectors, path: str | os.PathLike[str], *, compose: bool = False
) -> SimilarityResult:
    """Compare cosines with the scores people gave to word pairs.

    A word is looked up as it is written, and if that fails in lower case.  Pairs with a word
    outside the vocabulary are left out, and counted: compare correlations only at equal ``pairs``.

    Parameters
    ----------
    vectors : WordVectors
    path : path
        See :func:`wordgrad.evaluation.read_pairs` for the format.
    compose : bool
        Whether words outside the vocabulary take part, too, in lower case, where their vectors can
        be composed of character n-grams; such pairs are counted in ``composed``.

    Raises
    ------
    InputError
        If the file is not such a set, naming file and line.
    """
    ids, subwords = vectors.vocabulary.ids, vectors.subwords
    unseen: dict[str, int] = {}
    composed: list[NDArray[np.float32]] = []

    def place(word: str) -> int | None:
        """Row of a word, or from -1 downwards the number of a composed one."""
        row = _look_up(ids, word)
        if row is None and compose and subwords is not None:
            word = word.lower()
            if word not in unseen:
                vector = subwords.vector(word)
                if vector is None:
                    return None
                composed.append(vector)
                unseen[word] = -len(composed)
            return unseen[word]
        return row

    pairs, places, scores = read_pairs(path), [], []
    for pair in pairs:
        both = place(pair.first), place(pair.second)
        if both[0] is not None and both[1] is not None:
            places.append(both)
            scores.append(pair.score)
    chosen = np.array(places, dtype=np.int64).reshape(-1, 2)
    if composed:
        extra = np.array(composed, dtype=np.float64)
        one, other = (_vectors_at(vectors, extra, column) for column in chosen.T)
        cosines = np.clip((unit(one) * unit(other)).sum(axis=1), -1.0, 1.0)
    else:
        cosines = vectors.similarities(chosen)
    correlation = _spearman(cosines, np.array(scores))
    low, high = spearman_interval(correlation, len(scores))
    return SimilarityResult(
        Path(path).stem,
        correlation,
        low,
        high,
        len(scores),
        len(pairs),
        int((chosen < 0).any(axis=1).sum()),
    )


def _vectors_at(
    vectors: WordVectors, composed: NDArray[np.float64], places: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Vectors of rows, and of composed words, which are numbered from -1 downwards."""
    found = vectors.some_vectors(np.maximum(places, 0))
    found[places < 0] = composed[-1 - places[places < 0]]
    return found


def evaluate_analogies(
    vectors: WordVectors,
    path: str | os.PathLike[str],
    *,
    restrict_vocab: int = 30_000,
    method: str = "3cosadd",
    topn: int = 1,
) -> AnalogyResult:
    """Count the analogies whose fourth word is the first answer, or among the first ``topn``.

    Only the ``restrict_vocab`` most frequent words take part, in questions and in answers.  A
    question with another word is left out, and counted: compare accuracies only at an equal
    number of ``questions``.  A word is looked up as it is written, then in lower case.  The
    question's own words are no answers (see :meth:`WordVectors.analogy`).

    Parameters
    ----------
    vectors : WordVectors
    path : path
        See :func:`wordgrad.evaluation.read_questions` for the format.
    restrict_vocab : int
    method : {"3cosadd", "3cosmul"}
        See :meth:`WordVectors.analogy`.
    topn : int

    Raises
    ------
    InputError
        If the file is not such a set, naming file and line.
    """
    check_choice("method", method, METHODS)
    check_int("restrict_vocab", restrict_vocab, minimum=1)
    topn = check_int("topn", topn, minimum=1)
    sections = read_questions(path)
    rows = {
        word: row for word, row in vectors.vocabulary.ids.items() if row < restrict_vocab
    }  # lower case must be tried, too, where the word as written is too rare
    ranks = {name: _covered(rows, questions) for name, questions in sections.items()}
    asked = np.array([row for part in ranks.values() for row in part], dtype=np.int64)
    solved = _solved(vectors, asked.reshape(-1, 4), method, topn, restrict_vocab)
    results, start = [], 0
    for name, part in ranks.items():
        correct = int(solved[start : start + len(part)].sum())
        results.append(SectionResult(name, correct, len(part), len(sections[name])))
        start += len(part)
    return AnalogyResult(Path(path).stem, method, topn, restrict_vocab, tuple(results))


def spearman_interval(correlation: float, pairs: int) -> tuple[float, float]:
    r"""95% confidence interval of a Spearman correlation.

    Fisher's :math:`z = \operatorname{artanh} r` with the standard error
    :math:`\sqrt{(1 + r^2 / 2) / (n - 3)}` (Bonett and Wright 2000, "Sample size requirements for
    estimating Pearson, Kendall and Spearman correlations", Psychometrika 65, p. 23-28).  Fewer than
    four pairs say nothing: (-1, 1).

    >>> low, high = spearman_interval(0.7, 353)
    >>> round(low, 4), round(high, 4)
    (0.6354, 0.7549)
    """
    if math.isnan(correlation):
        return math.nan, math.nan
    if pairs < 4:
        return -1.0, 1.0
    if abs(correlation) >= 1.0:
        return correlation, correlation
    z = math.atanh(correlation)
    half = NORMAL_97_5 * math.sqrt((1 + correlation**2 / 2) / (pairs - 3))
    return math.tanh(z - half), math.tanh(z + half)


def _spearman(cosines: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    if cosines.size < 2 or np.ptp(cosines) == 0 or np.ptp(scores) == 0:
        return math.nan  # ranks that do not vary correlate with nothing
    from scipy.stats import spearmanr  # half a second to import

    return float(spearmanr(cosines, scores).statistic)


def _look_up(rows: Mapping[str, int], word: str) -> int | None:
    row = rows.get(word)
    return rows.get(word.lower()) if row is None else row


def _covered(rows: Mapping[str, int], questions: list[Question]) -> list[tuple[int, ...]]:
    """Rows of the four words of every question that is covered."""
    found = []
    for question in questions:
        ranks = [_look_up(rows, word) for word in (question.a, question.b, question.c, question.d)]
        if None not in ranks:
            found.append(tuple(rank for rank in ranks if rank is not None))
    return found


def _solved(
    vectors: WordVectors, asked: NDArray[np.int64], method: str, topn: int, limit: int
) -> NDArray[np.bool_]:
    """Whether the right answer is among the first ``topn``; ``asked`` of shape (n, 4)."""
    index = vectors.search_index()
    rows, places = np.unique(asked[:, :3], return_inverse=True)
    units = index.unit_rows(rows)  # each word once: it comes in hundreds of questions
    a, b, c = places.reshape(-1, 3).T
    excluded = asked[:, :3]
    if method == "3cosmul":
        positive, negative = np.stack([b, c], axis=1), a[:, None]
        found = index.search_3cosmul(
            units, positive, negative, topn, excluded=excluded, limit=limit
        )
    else:
        queries = unit(units[b] - units[a] + units[c])
        found = index.search(queries, topn, excluded=excluded, limit=limit)
    solved: NDArray[np.bool_] = (found.rows == asked[:, 3:]).any(axis=1)
    return solved
