"""Which column of a table holds the text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wordgrad.errors import InputError

DEFAULT_COLUMN = "text"
_NAMES_SHOWN = 20
_NAME_SHOWN = 40  # characters: the first line of a text that is no table is one long name


def choose_column(
    path: Path, schema: Mapping[str, Any], column: str | None, *, all_are_text: bool = False
) -> str:
    """Name of the column to read.

    Parameters
    ----------
    path : Path
        For messages.
    schema : mapping of str to polars data type
    column : str or None
        What the user asked for; by default "text", or the only column of strings.
    all_are_text : bool
        Whether a column of another type can be read as text, as in CSV.

    Raises
    ------
    InputError
        If there is no such column, it does not hold strings, or the choice is not clear.

    Examples
    --------
    >>> import polars as pl
    >>> choose_column(Path("a.csv"), {"id": pl.Int64, "review": pl.String}, None)
    'review'
    """
    import polars as pl

    names = listed(list(schema))
    strings = [name for name, kind in schema.items() if kind == pl.String]
    if column is not None:
        if column not in schema:
            raise InputError(f"{path} has no column {column!r}; its columns are {names}.")
        if column not in strings and not all_are_text:
            raise InputError(
                f"The column {column!r} of {path} holds {schema[column]}, not strings; its "
                f"columns are {names}."
            )
        return column
    if DEFAULT_COLUMN in strings:
        return DEFAULT_COLUMN
    if len(strings) == 1:
        return strings[0]
    raise InputError(
        f"{path} has {len(strings)} columns of strings; name the one to read with column "
        f"(--column): its columns are {names}."
    )


def listed(names: list[str]) -> str:
    """Names for a message, which may be many and long.

    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    shown = [name if len(name) <= _NAME_SHOWN else name[:_NAME_SHOWN] + "..." for name in names]
    listed = ", ".join(map(repr, shown[:_NAMES_SHOWN])) or "none"
    more = len(names) - _NAMES_SHOWN
    return listed if more <= 0 else f"{listed} and {more} more"
