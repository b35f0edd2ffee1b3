"""Labelled texts: read from lines, tables and fastText files, for training and testing.

======================  ==========================================================================
form                    what it is
======================  ==========================================================================
``tab``                 ``label<TAB>text`` a line, no quotes; a further tab belongs to the text
``fasttext``            ``__label__x text`` a line, as fastText takes it
``csv`` ``tsv``         a table with a header, one column for labels and one for texts
``jsonl`` ``parquet``   the same
======================  ==========================================================================

A file's name tells the form, and where it does not, its first line does (:func:`guess_form`).  A
text has one label; with ``several`` it may have more: words that begin with the prefix in
``fasttext``, parts of its cell between ``separator`` in the other forms.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from wordgrad.corpus.blocks import decompressed, text_blocks
from wordgrad.corpus.reader import decoded_lines
from wordgrad.corpus.sources import Sentences, TextInput, opened, resolve
from wordgrad.corpus.tables import listed, read_table
from wordgrad.errors import FormatError, InputError, ParameterError, check_bool, check_choice

if TYPE_CHECKING:
    import polars as pl


FORMS = ("tab", "fasttext", "csv", "tsv", "jsonl", "parquet")
COLUMNS = ("label", "text")
"""Names that are looked for where none are given."""
PREFIX = "__label__"
"""What fastText's labels begin with."""

LabelledSource = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""A path, glob or directory, ``"-"`` for standard input, or several of them."""

Row = tuple[str, str]
"""Label and text."""

Columns = tuple[str | None, str | None]
"""The label's column and the text's, as the user named them."""

_TABLES = ("csv", "tsv", "jsonl", "parquet")
_SHOWN = 60
_READ_BYTES = 1 << 16
_ROWS_AT_ONCE = 1 << 14
_TOLD_FROM = 10  # lines, from which on it shows which column is that of the labels

# What a header calls the two columns, in lower case.  A line of nothing but these is a header.
_HEADER_NAMES = {
    *("label", "labels", "class", "category", "sentiment", "target", "topic", "intent", "tag"),
    *("rating", "stars", "score", "polarity", "y"),
    *("text", "texts", "sentence", "review", "message", "content", "body", "comment", "tweet"),
    *("title", "document", "description", "question", "utterance", "phrase", "abstract"),
    *("id", "index", ""),
}


@dataclass(frozen=True)
class LabelledText:
    """Texts, their labels, and what was met while reading them.

    Attributes
    ----------
    texts : list of str
    labels : list of str, or list of tuple of str
        One for each text; tuples with ``several``.
    empty_texts : int
        Labelled texts without a character other than white space; they are kept.
    blank_lines : int
        Lines with nothing on them, which are no examples.
    bytes_replaced : int
        Bytes that were not UTF-8 and are U+FFFD now.
    """

    texts: list[str]
    labels: list[Any]
    empty_texts: int = 0
    blank_lines: int = 0
    bytes_replaced: int = 0


def read_labelled(
    source: LabelledSource,
    *,
    form: str | None = None,
    label_column: str | None = None,
    text_column: str | None = None,
    label_prefix: str = PREFIX,
    several: bool = False,
    separator: str | None = None,
    errors: str = "strict",
) -> LabelledText:
    r"""Read texts with their labels, from one file or several.

    Parameters
    ----------
    source : path, glob, directory, "-", or several of them
        ``.gz`` and ``.zst`` are unpacked on the way.
    form : {"tab", "fasttext", "csv", "tsv", "jsonl", "parquet"}, optional
        By default inferred from a file's name, and where that does not say, from its first line.
    label_column, text_column : str, optional
        Columns of a table; by default ``label`` and ``text``, or what is left if only one column
        can be meant.
    label_prefix : str, default "__label__"
        What a label begins with in the form ``fasttext``; it is no part of the label.
    several : bool, default False
        Whether a text may have several labels: each text's are a tuple then.
    separator : str, optional
        What separates the labels of a text in the other forms, with ``several``; by default they
        have one label a text.
    errors : {"strict", "replace"}, default "strict"
        What to do with bytes that are not UTF-8.

    Returns
    -------
    LabelledText

    Raises
    ------
    InputError
        A file cannot be read, is empty, or has an example without a label, or with several where it
        may have one; FormatError if its form cannot be determined, the file does not have it, or
        the labels are evidently texts.  The message names file and line.
    ParameterError
        An argument is wrong, or columns are named for something without columns.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "reviews.txt"
    >>> _ = path.write_text("good\ta joy to watch\nbad\tdull\n")
    >>> read_labelled(path)
    LabelledText(texts=['a joy to watch', 'dull'], labels=['good', 'bad'], ...)
    """
    found = list(
        read_labelled_blocks(
            source,
            form=form,
            label_column=label_column,
            text_column=text_column,
            label_prefix=label_prefix,
            several=several,
            separator=separator,
            errors=errors,
        )
    )
    return LabelledText(
        texts=[text for part in found for text in part.texts],
        labels=[label for part in found for label in part.labels],
        empty_texts=sum(part.empty_texts for part in found),
        blank_lines=sum(part.blank_lines for part in found),
        bytes_replaced=sum(part.bytes_replaced for part in found),
    )


def read_labelled_blocks(
    source: LabelledSource,
    *,
    form: str | None = None,
    label_column: str | None = None,
    text_column: str | None = None,
    label_prefix: str = PREFIX,
    several: bool = False,
    separator: str | None = None,
    errors: str = "strict",
) -> Iterator[LabelledText]:
    r"""Read as :func:`read_labelled` does, some thousand texts at a time.

    Yields
    ------
    LabelledText
        What was met since the one before it; together they are what :func:`read_labelled` gives.

    Raises
    ------
    InputError, FormatError, ParameterError
        As :func:`read_labelled`; wrong arguments at once, the others on the way.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "recipes.txt"
    >>> _ = path.write_text("__label__bread __label__yeast why does it not rise\n")
    >>> next(read_labelled_blocks(path, several=True))
    LabelledText(texts=['why does it not rise'], labels=[('bread', 'yeast')], ...)
    """
    check_choice("errors", errors, ("strict", "replace"))
    check_bool("several", several)
    if form is not None:
        check_choice("format", form, FORMS)
    if not isinstance(label_prefix, str) or len(label_prefix.split()) != 1:
        raise ParameterError(
            f"label_prefix must be a string without white space, got {label_prefix!r}."
        )
    if separator is not None and not (several and isinstance(separator, str) and separator):
        raise ParameterError(
            "separator must be a string that is not empty, and goes with several=True, got "
            f"{separator!r} with several={several}."
        )
    found = resolve(source)
    if isinstance(found, Sentences):
        raise InputError(
            "Labelled text is read from files; give a path, or '-', or give texts and labels to "
            "TextClassifier.fit."
        )
    columns = (label_column, text_column)
    reader = _LabelledReader(form, columns, label_prefix, several, separator, errors)
    return (part for file in found for part in reader.read(file))


@dataclass(frozen=True)
class _LabelledReader:
    form: str | None
    columns: Columns
    prefix: str
    several: bool
    separator: str | None
    errors: str

    def read(self, file: TextInput) -> Iterator[LabelledText]:
        with opened(file) as handle:
            if "parquet" in (self.form, file.format if self.form is None else None):
                yield from self._table(file, "parquet", handle, handle.read)
                return
            read = decompressed(handle, file.compression, file.name)
            start, read = _peeked(read, file.name)
            form = self.form or guess_form(
                file.name, file.format, start, any(self.columns), self.prefix
            )
            if form in _TABLES:
                yield from self._table(file, form, handle, read)
                return
            if any(self.columns):
                raise ParameterError(
                    f"label_column and text_column are for {', '.join(_TABLES)} alone, got them "
                    f"for {file.name}, which is read as {form}; leave them out, or name another "
                    "format."
                )
            yield from self._lines(file.name, form, read)

    def _table(
        self, file: TextInput, form: str, handle: BinaryIO, read: Callable[[int], bytes]
    ) -> Iterator[LabelledText]:
        def choose(name: str, schema: Mapping[str, Any], *, guessed: bool) -> list[str]:
            return labelled_columns(name, schema, self.columns, guessed=guessed)

        done = 0
        for rows in read_table(file, form, choose, self.errors, handle, read):
            labels, texts = _row_values(rows.frame, file.name, done)
            done += len(labels)
            yield self._counted(labels, texts, 0, rows.replaced)
        if not done:
            raise InputError(f"{file.name} has a header and no rows; give it at least one example.")

    def _lines(self, name: str, form: str, read: Callable[[int], bytes]) -> Iterator[LabelledText]:
        replaced = blank = done = 0

        def lines() -> Iterator[str]:
            nonlocal replaced, blank
            blocks = text_blocks(read, longest_line=None, name=name)
            for part in decoded_lines(blocks, name, self.errors):
                replaced += part.replaced
                blank += sum(not line.strip() for line in part.texts)
                yield from part.texts

        rows: Iterator[Any] = (
            tab_rows(lines(), name)
            if form == "tab"
            else fasttext_rows(lines(), name, self.prefix, several=self.several)
        )
        while block := list(islice(rows, _ROWS_AT_ONCE)):
            labels, texts = ([row[i] for row in block] for i in (0, 1))
            if form == "tab" and self.form is None and not done and self.separator is None:
                _refuse_swapped(labels, texts, name)
            done += len(block)
            yield self._counted(labels, texts, blank, replaced)
            blank = replaced = 0
        if not done:
            raise _empty(name)
        if blank or replaced:
            yield LabelledText([], [], 0, blank, replaced)

    def _counted(
        self, labels: list[Any], texts: list[str], blank: int, replaced: int
    ) -> LabelledText:
        if self.several:
            labels = [self._separated(label) for label in labels]
        empty = sum(not text.strip() for text in texts)
        return LabelledText(texts, labels, empty, blank, replaced)

    def _separated(self, label: str | tuple[str, ...]) -> tuple[str, ...]:
        if not isinstance(label, str):
            return label
        parts = (label,) if self.separator is None else label.split(self.separator)
        return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _peeked(read: Callable[[int], bytes], name: str) -> tuple[bytes, Callable[[int], bytes]]:
    """The beginning of a file, up to its first line that is not blank; and ``read`` with it."""
    start = b""
    while chunk := read(_READ_BYTES):
        start += chunk
        if b"\n" in start.lstrip():
            break
    if not start.strip():
        raise _empty(name)
    again = iter((start,))
    return start, lambda size: next(again, b"") or read(size)


def _empty(name: str) -> InputError:
    return InputError(f"{name} is empty; give a file with a label and a text a line.")


def _refuse_swapped(labels: list[str], texts: list[str], name: str) -> None:
    """Refuse a file whose texts stand where labels should: each would become a class.

    That is so where most labels differ, at most half as many texts do, and labels have at least
    twice as many words as texts.
    """
    kinds, others = len(set(labels)), len(set(texts))
    if len(labels) < _TOLD_FROM or 2 * kinds <= len(labels) or 2 * others > kinds:
        return
    longer = sum(len(label.split()) for label in labels)
    if longer >= 2 * sum(len(text.split()) for text in texts):
        raise FormatError(
            f"{name} has {kinds:,} different labels in {len(labels):,} lines, and {others:,} "
            "different texts: the label comes first on a line, before the tab; if its first line "
            "names columns, give label_column and text_column (--label-column, --text-column), or "
            "else form='tab' (--format tab) to read it so."
        )


def tab_rows(lines: Iterable[str], name: str) -> Iterator[Row]:
    r"""Split each line at its first tab; blank lines are skipped.

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
        yield label.strip(), text


def fasttext_rows(
    lines: Iterable[str], name: str, prefix: str = PREFIX, *, several: bool = False
) -> Iterator[tuple[Any, str]]:
    """Take the labels, words that begin with ``prefix``, out of each line.

    fastText takes a label anywhere on a line, and so does this.  With ``several`` the labels of a
    line are a tuple, each once, else there is one, a string.

    Raises
    ------
    InputError
        If a line has no label, or several that must have one.

    Examples
    --------
    >>> list(fasttext_rows(["__label__good a joy", "dull __label__bad"], "reviews.txt"))
    [('good', 'a joy'), ('bad', 'dull')]
    >>> list(fasttext_rows(["__label__good __label__long a joy"], "reviews.txt", several=True))
    [(('good', 'long'), 'a joy')]
    """
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        first = words[0].startswith(prefix) and line.count(prefix) == 1  # the usual line
        labels = words[:1] if first else [word for word in words if word.startswith(prefix)]
        if len(labels) > 1 and not several:
            raise InputError(
                f"{name}, line {number}, has {len(labels)} labels ({_short(' '.join(labels))}); a "
                "text has one label here: keep one of them."
            )
        if not labels or prefix in labels:
            raise InputError(
                f"{name}, line {number}, has no label: {_short(line)!r}; begin it with "
                f"{prefix} and a name, or remove it, or name another prefix with label_prefix."
            )
        names = tuple(dict.fromkeys(label.removeprefix(prefix) for label in labels))
        others = words[1:] if first else [word for word in words if not word.startswith(prefix)]
        text = " ".join(others)
        yield names if several else names[0], text


def _short(line: str) -> str:
    line = line.strip()
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "..."


def labelled_columns(
    name: str, schema: Mapping[str, Any], columns: Columns, *, guessed: bool = False
) -> list[str]:
    """Choose the columns of labels and texts.

    A column that is not named is ``label`` or ``text``, or, of a table with two columns, the other
    one.  Where types are ``guessed`` (CSV, TSV), any column can be read as either.

    Raises
    ------
    InputError
        If there is no such column, it cannot hold labels or texts, or the choice is not clear.

    Examples
    --------
    >>> import polars as pl
    >>> labelled_columns("a.csv", {"stars": pl.Int64, "text": pl.String}, (None, None))
    ['stars', 'text']
    """
    chosen = [
        wanted if wanted is not None else (usual if usual in schema else None)
        for wanted, usual in zip(columns, COLUMNS, strict=True)
    ]
    if len(schema) == 2:
        for mine, other in ((0, 1), (1, 0)):
            if chosen[mine] is None and chosen[other] in schema:
                chosen[mine] = next((one for one in schema if one != chosen[other]), None)
    label, text = (
        _checked(name, schema, kind, column, guessed)
        for kind, column in zip(COLUMNS, chosen, strict=True)
    )
    if label == text:
        raise InputError(
            f"The column {label!r} of {name} cannot be both label and text; name two columns."
        )
    return [label, text]


def _checked(
    name: str, schema: Mapping[str, Any], kind: str, column: str | None, guessed: bool
) -> str:
    import polars as pl

    names = listed(list(schema))
    if column is None:
        raise InputError(
            f"{name} has no column {kind!r}; name the one with the {kind}s with {kind}_column "
            f"(--{kind}-column): its columns are {names}."
        )
    if column not in schema:
        raise InputError(f"{name} has no column {column!r}; its columns are {names}.")
    found = schema[column]
    strings = (pl.String, pl.Categorical, pl.Enum, pl.Null)
    fits = (
        guessed
        or found in strings
        or (kind == "label" and (found == pl.Boolean or found.is_integer() or found.is_float()))
    )
    if not fits:
        wanted = "strings" if kind == "text" else "strings or numbers, one label a text"
        raise InputError(
            f"The column {column!r} of {name} holds {found}, and {kind}s are {wanted}; name "
            f"another one with {kind}_column (--{kind}-column): its columns are {names}."
        )
    return column


def _row_values(frame: pl.DataFrame, name: str, rows_before: int) -> tuple[list[str], list[str]]:
    """Labels and texts of some rows; a missing text is an empty one."""
    import polars as pl

    labels, texts = (column.cast(pl.String).fill_null("") for column in frame.get_columns())
    labels = labels.str.strip_chars()
    missing = (labels == "").arg_max() if len(labels) else None
    if missing is not None and labels[missing] == "":
        raise InputError(
            f"{name}, row {rows_before + missing + 1}, has no label in its column "
            f"{frame.columns[0]!r}; label the text, or remove the row."
        )
    return labels.to_list(), texts.to_list()


def guess_form(
    name: str, kind: str, data: bytes, columns_named: bool = False, prefix: str = PREFIX
) -> str:
    r"""Tell the form of labelled text from the kind of its file and from its first line.

    Parameters
    ----------
    name : str
        For messages.
    kind : str
        What the file's suffix says; "text" for standard input.
    data : bytes
        The beginning, with the first line that is not blank.
    columns_named : bool
        Whether the user named columns, so that a file with tabs is a table.

    Raises
    ------
    FormatError
        If nothing fits.

    Examples
    --------
    >>> guess_form("a.txt", "text", b"__label__good a joy\n")
    'fasttext'
    >>> guess_form("a.tsv", "tsv", b"good\ta joy\n"), guess_form("a.tsv", "tsv", b"text\tlabel\n")
    ('tab', 'tsv')
    """
    if kind in ("csv", "jsonl", "parquet"):
        return kind
    first = next(line for line in data.split(b"\n") if line.strip()).decode(errors="replace")
    if first.lstrip().startswith(prefix):
        return "fasttext"
    if "\t" in first:
        cells = [cell.strip().strip('"').lower() for cell in first.split("\t")]
        one_word = all(len(cell.split()) <= 1 for cell in cells)
        header = not set(cells) - _HEADER_NAMES or set(cells).issuperset(COLUMNS)
        # A file that is named a table, with a usual name in a first line of nothing but names.
        header |= kind == "tsv" and one_word and not set(cells).isdisjoint(COLUMNS)
        return "tsv" if columns_named or header else "tab"
    if first.lstrip().startswith("{"):
        return "jsonl"
    raise FormatError(
        f"The form of {name} cannot be determined: its first line has neither a tab, as in "
        f"'label<TAB>text', nor a label of fastText, '{prefix}x'; correct it, or name the form "
        f"with format (--format), one of {', '.join(FORMS)}."
    )
