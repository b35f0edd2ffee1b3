r"""Labelled text a line an example: ``label<TAB>text``, and fastText's ``__label__x text``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wordgrad.errors import FormatError, InputError

Row = tuple[str, str]
"""Label and text."""

PREFIX = "__label__"
_SHOWN = 60


def tab_rows(lines: Sequence[str], name: str) -> Iterator[Row]:
    r"""Part each line at its first tab; blank lines are passed over.

    Raises
    ------
    FormatError
        If a line has no tab.
    InputError
        If nothing stands before it.

    Examples
    --------
    >>> list(tab_rows(["good\ta joy", "", "bad\tdull,\tdull"], "reviews.txt"))
    [('good', 'a joy'), ('bad', 'dull,\tdull')]
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        label, tab, text = line.partition("\t")
        if not tab:
            raise FormatError(
                f"{name}, line {number}, has no tab between a label and a text: {_short(line)!r}; "
                "write label, tab, text, or name another format (--format)."
            )
        if not label.strip():
            raise InputError(
                f"{name}, line {number}, has no label before its tab; label the text, or remove "
                "the line."
            )
        yield label.strip(), text.removesuffix("\r")


def fasttext_rows(lines: Sequence[str], name: str) -> Iterator[Row]:
    """Take the label, the one word that begins with ``__label__``, out of each line.

    fastText takes a label anywhere on a line, and so does this.

    Raises
    ------
    InputError
        If a line has no label, or several: one text has one label here.

    Examples
    --------
    >>> list(fasttext_rows(["__label__good a joy", "dull __label__bad"], "reviews.txt"))
    [('good', 'a joy'), ('bad', 'dull')]
    """
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        labels = [word for word in words if word.startswith(PREFIX)]
        if len(labels) > 1:
            raise InputError(
                f"{name}, line {number}, has {len(labels)} labels ({_short(' '.join(labels))}); a "
                "text has one label here: keep one of them."
            )
        if not labels or labels[0] == PREFIX:
            raise InputError(
                f"{name}, line {number}, has no label: {_short(line)!r}; begin it with "
                f"{PREFIX} and a name, or remove it."
            )
        yield labels[0].removeprefix(PREFIX), " ".join(w for w in words if w is not labels[0])


def _short(line: str) -> str:
    line = line.strip()
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "..."
