r"""Texts with a label each: what a classifier is trained and tested on.

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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from wordgrad.errors import FormatError, InputError, ParameterError, check_choice
from wordgrad.text.blocks import decompressed
from wordgrad.text.json_lines import without_lone_surrogates
from wordgrad.text.labelled_lines import PREFIX, Row, fasttext_rows, tab_rows
from wordgrad.text.labelled_tables import COLUMNS, parquet_rows, table_rows
from wordgrad.text.reading import open_file
from wordgrad.text.sources import Sentences, StandardInput, TextFile, resolve
from wordgrad.text.utf8 import not_utf8, replace_invalid

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
