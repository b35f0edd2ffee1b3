"""Reading test sets: word pairs with scores people gave, and analogy questions."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass

from wordgrad.errors import InputError

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

    One pair a line: two words, then the score, parted by tabs, commas, semicolons or spaces (the
    first of these that the line holds).  The score is the first number after the two words, in the
    same column on every line, so that the files as published can be read: SimLex-999 has a part of
    speech before it, Rare Words single votes after it.  Empty lines and lines that begin with ``#``
    are passed over, and so is a first line without any number: the names of the columns.

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
    holds four words.  Empty lines are passed over.

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
