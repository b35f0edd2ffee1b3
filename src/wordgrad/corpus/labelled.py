"""Labelled text a line an example: ``label<TAB>text``, and fastText's ``__label__x text``.

Labelled text in columns: CSV, TSV, JSON lines and Parquet, parsed by Polars.

Texts with a label each: what a classifier is trained and tested on.

======================  ==========================================================================
form                    what it is
======================  ==========================================================================
``tab``                 ``label<TAB>text`` a line, no quotes; a further tab belongs to the text
``fasttext``            ``__label__x text`` a line, as fastText takes it, with one label a line
``csv`` ``tsv``         a table with a header, one column for labels and one for texts
``jsonl`` ``parquet``   the same
======================  ==========================================================================
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from wordgrad.corpus.blocks import decompressed, not_utf8, replace_invalid
from wordgrad.corpus.reader import open_file
from wordgrad.corpus.sources import Sentences, StandardInput, TextFile, resolve
from wordgrad.corpus.tables import (
    first_bad_json,
    first_line,
    json_columns,
    listed,
    without_lone_surrogates,
)
from wordgrad.errors import FormatError, InputError, ParameterError, check_choice

if TYPE_CHECKING:
    import polars as pl


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


COLUMNS = ("label", "text")
"""Names that are looked for where none are given."""

Columns = tuple[str | None, str | None]
"""The label's column and the text's, as the user named them."""

_SEPARATORS = {"csv": ",", "tsv": "\t"}


def table_rows(data: bytes, form: str, name: str, columns: Columns) -> list[Row]:
    r"""Label and text of every row of a text table, UTF-8.

    Parameters
    ----------
    data : bytes
    form : {"csv", "tsv", "jsonl"}
    name : str
        The file's, for messages.
    columns : tuple of (str or None, str or None)
        The label's and the text's.

    Raises
    ------
    FormatError
        If it cannot be parsed.
    InputError
        If there are no such columns, or a row has no label.

    Examples
    --------
    >>> table_rows(b'text,stars\n"a joy, really",5\n', "csv", "reviews.csv", ("stars", None))
    [('5', 'a joy, really')]
    """
    import polars as pl

    try:
        if form == "jsonl":
            label, text = labelled_columns(name, json_columns(data), columns)
            kinds = dict.fromkeys((label, text), pl.String)
            frame = pl.read_ndjson(data, schema=kinds)
        else:
            frame = pl.read_csv(data, separator=_SEPARATORS[form], infer_schema=False)
            label, text = labelled_columns(name, frame.schema, columns)
    except (pl.exceptions.PolarsError, ValueError, RecursionError) as error:
        reason, place = first_line(error), ""
        bad = first_bad_json(data) if form == "jsonl" else None
        if bad is not None:
            place, reason = f" in line {bad[0]}", bad[1]
        raise FormatError(
            f"{name} is not valid {form.upper()}{place} ({reason}); correct the file, or name "
            "another format (--format)."
        ) from error
    return _rows(frame, name, label, text)


def parquet_rows(file: TextFile, columns: Columns) -> list[Row]:
    """Label and text of every row of a Parquet file.

    Raises
    ------
    FormatError
        If it cannot be parsed.
    InputError
        If there are no such columns, or a row has no label.
    """
    import polars as pl

    name = str(file.path)
    if file.compression is not None:
        raise FormatError(
            f"{name} is a compressed Parquet file; decompress it first (Parquet compresses by "
            "itself)."
        )
    try:
        lazy = pl.scan_parquet(file.path, glob=False)
        label, text = labelled_columns(name, lazy.collect_schema(), columns)
        frame = lazy.select(label, text).collect()
    # A damaged file can make Polars panic, which is no Exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise FormatError(
            f"{name} cannot be read as Parquet ({first_line(error)}); check that it is whole, and "
            "that its suffix is right."
        ) from error
    return _rows(frame, name, label, text)


def labelled_columns(name: str, schema: Mapping[str, Any], columns: Columns) -> tuple[str, str]:
    """Choose the columns of labels and texts.

    A column that is not named is ``label`` or ``text``, or, of a table with two columns, the other
    one.

    Raises
    ------
    InputError
        If there is no such column, it cannot hold labels or texts, or the choice is not clear.

    Examples
    --------
    >>> import polars as pl
    >>> labelled_columns("a.csv", {"stars": pl.Int64, "text": pl.String}, (None, None))
    ('stars', 'text')
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
        _checked(name, schema, kind, column) for kind, column in zip(COLUMNS, chosen, strict=True)
    )
    if label == text:
        raise InputError(
            f"The column {label!r} of {name} cannot be both label and text; name two columns."
        )
    return label, text


def _checked(name: str, schema: Mapping[str, Any], kind: str, column: str | None) -> str:
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
    fits = found in strings or (
        kind == "label" and (found == pl.Boolean or found.is_integer() or found.is_float())
    )
    if not fits:
        wanted = "strings" if kind == "text" else "strings or numbers, one label a text"
        raise InputError(
            f"The column {column!r} of {name} holds {found}, and {kind}s are {wanted}; name "
            f"another one with {kind}_column (--{kind}-column): its columns are {names}."
        )
    return column


def _rows(frame: pl.DataFrame, name: str, label: str, text: str) -> list[Row]:
    import polars as pl

    labels = frame[label].cast(pl.String).fill_null("").str.strip_chars()
    texts = frame[text].cast(pl.String).fill_null("")
    missing = (labels == "").arg_max() if len(labels) else None
    if missing is not None and labels[missing] == "":
        raise InputError(
            f"{name}, row {missing + 1}, has no label in its column {label!r}; label the text, or "
            "remove the row."
        )
    return list(zip(labels.to_list(), texts.to_list(), strict=True))


FORMS = ("tab", "fasttext", "csv", "tsv", "jsonl", "parquet")
_TABLES = ("csv", "tsv", "jsonl", "parquet")
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class LabelledText:
    """Texts, their labels, and what was met while reading them.

    Attributes
    ----------
    texts, labels : list of str
        As many of the one as of the other.
    empty_texts : int
        Labelled texts without a character other than white space; they are kept.
    blank_lines : int
        Lines with nothing on them, which are no examples.
    bytes_replaced : int
        Bytes that were not UTF-8 and are U+FFFD now.
    """

    texts: list[str]
    labels: list[str]
    empty_texts: int = 0
    blank_lines: int = 0
    bytes_replaced: int = 0


LabelledSource = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""A path, glob or directory, ``"-"`` for standard input, or several of them."""


def read_labelled(
    source: LabelledSource,
    *,
    form: str | None = None,
    label_column: str | None = None,
    text_column: str | None = None,
    errors: str = "strict",
) -> LabelledText:
    r"""Read texts with their labels, from one file or several.

    Parameters
    ----------
    source : path, glob, directory, "-", or several of them
        ``.gz`` and ``.zst`` are unpacked on the way.
    form : {"tab", "fasttext", "csv", "tsv", "jsonl", "parquet"}, optional
        By default told from a file's name, and where that does not say, from its first line.
    label_column, text_column : str, optional
        Columns of a table; by default ``label`` and ``text``, or what is left if only one column
        can be meant.
    errors : {"strict", "replace"}, default "strict"
        What to do with bytes that are not UTF-8.

    Returns
    -------
    LabelledText

    Raises
    ------
    InputError
        A file cannot be read, is empty, or has an example without a label; FormatError if its form
        cannot be told, or the file does not have it.  The message names file and line.
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
    check_choice("errors", errors, ("strict", "replace"))
    if form is not None:
        check_choice("format", form, FORMS)
    found = resolve(source)
    if isinstance(found, Sentences):
        raise InputError("Labelled text is read from files; give a path, or '-'.")
    reader = _Reader(form, (label_column, text_column), errors)
    return _together([reader.read(file) for file in found])


def _together(parts: Sequence[LabelledText]) -> LabelledText:
    return LabelledText(
        texts=[text for part in parts for text in part.texts],
        labels=[label for part in parts for label in part.labels],
        empty_texts=sum(part.empty_texts for part in parts),
        blank_lines=sum(part.blank_lines for part in parts),
        bytes_replaced=sum(part.bytes_replaced for part in parts),
    )


@dataclass(frozen=True)
class _Reader:
    form: str | None
    columns: tuple[str | None, str | None]
    errors: str

    def read(self, file: TextFile | StandardInput) -> LabelledText:
        if isinstance(file, StandardInput):
            if sys.stdin is None:  # a program without a console
                raise InputError("Standard input is closed; give a file's path.")
            return self._read(sys.stdin.buffer, "standard input", None, None)
        if self.form == "parquet" or (self.form is None and file.format == "parquet"):
            return _counted(parquet_rows(file, self.columns), str(file.path), 0, 0)
        with open_file(file.path) as handle:
            return self._read(handle, str(file.path), file.compression, file.format)

    def _read(
        self, handle: BinaryIO, name: str, compression: str | None, kind: str | None
    ) -> LabelledText:
        read = decompressed(handle, compression, name)
        data, replaced = self._utf8(b"".join(iter(lambda: read(_READ_BYTES), b"")), name)
        if not data.strip():
            raise InputError(f"{name} is empty; give a file with a label and a text a line.")
        form = self.form or guess_form(name, kind, data, any(self.columns))
        if form == "jsonl":
            data, more = without_lone_surrogates(data, name, 0, self.errors)
            replaced += more
        if form in _TABLES:
            return _counted(table_rows(data, form, name, self.columns), name, 0, replaced)
        if any(self.columns):
            raise ParameterError(
                f"label_column and text_column are for {', '.join(_TABLES)} alone, got them for "
                f"{name}, which is read as {form}; leave them out, or name another format."
            )
        lines = data.decode().split("\n")
        blank = sum(not line.strip() for line in lines[:-1]) + bool(lines[-1].isspace())
        rows = tab_rows(lines, name) if form == "tab" else fasttext_rows(lines, name)
        return _counted(list(rows), name, blank, replaced)

    def _utf8(self, data: bytes, name: str) -> tuple[bytes, int]:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            if self.errors == "replace":
                return replace_invalid(data)
            raise not_utf8(name, data.count(b"\n", 0, error.start) + 1, error) from None
        return data, 0


def _counted(rows: Sequence[Row], name: str, blank: int, replaced: int) -> LabelledText:
    if not rows:
        raise InputError(f"{name} has a header and no rows; give it at least one example.")
    labels, texts = [label for label, _ in rows], [text for _, text in rows]
    empty = sum(not text.strip() for text in texts)
    return LabelledText(texts, labels, empty, blank, replaced)


def guess_form(name: str, kind: str | None, data: bytes, columns_named: bool = False) -> str:
    r"""Tell the form of labelled text from the kind of its file and from its first line.

    Parameters
    ----------
    name : str
        For messages.
    kind : str or None
        What the file's suffix says; None for standard input.
    data : bytes
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
    first = next(line for line in io.BytesIO(data) if line.strip()).decode()
    if first.lstrip().startswith(PREFIX):
        return "fasttext"
    if "\t" in first:
        header = {cell.strip().strip('"').lower() for cell in first.split("\t")}
        return "tsv" if columns_named or header.issuperset(COLUMNS) else "tab"
    if first.lstrip().startswith("{"):
        return "jsonl"
    raise FormatError(
        f"The form of {name} cannot be told: its first line has neither a tab, as in "
        f"'label<TAB>text', nor a label of fastText, '{PREFIX}x'; correct it, or name the form "
        f"with format (--format), one of {', '.join(FORMS)}."
    )
