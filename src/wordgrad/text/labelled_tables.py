"""Labelled text in columns: CSV, TSV, JSON lines and Parquet, parsed by Polars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wordgrad.errors import FormatError, InputError
from wordgrad.text.columns import listed
from wordgrad.text.json_lines import first_bad_json, json_columns
from wordgrad.text.labelled_lines import Row
from wordgrad.text.sources import TextFile
from wordgrad.text.tables import first_line

if TYPE_CHECKING:
    import polars as pl

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
