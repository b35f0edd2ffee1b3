"""What has to be known of JSON lines before Polars parses them.

Polars infers types from whole rows, which for a value nested a thousand deep takes minutes or all
the memory, and it reads half a surrogate pair as U+0000.  So the columns are found here, from the
first rows, and such halves are found before.
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from wordgrad.errors import InputError

if TYPE_CHECKING:
    import polars as pl

ROWS_SEEN = 1000

_REPLACEMENT = rb"\ufffd"
# Escapes from left to right, so that the second backslash of "\\" begins none: a whole pair, half
# of one (the group), any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def json_columns(data: bytes) -> dict[str, Any]:
    r"""Names and Polars types of the columns, from the first :data:`ROWS_SEEN` rows.

    Raises
    ------
    ValueError, RecursionError
        If a row is no JSON object, or nested too deeply.

    Examples
    --------
    >>> json_columns(b'{"text": "a", "n": 1}\n{"text": null, "n": 2.5}\n')
    {'text': String, 'n': Float64}
    """
    kinds: dict[str, set[type]] = {}
    lines = (line for line in data.split(b"\n") if line.strip())
    for line in islice(lines, ROWS_SEEN):
        for name, value in _row(line).items():
            kinds.setdefault(name, set()).add(type(value))
    return {name: _polars_type(found) for name, found in kinds.items()}


def first_bad_json(data: bytes) -> tuple[int, str] | None:
    """Number, from 1, of the first line that is no JSON object, and why."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            _row(line)
        except RecursionError:
            return number, "nested too deeply"
        except ValueError as error:
            return number, str(error)
    return None


def without_lone_surrogates(
    data: bytes, name: str, lines_before: int, errors: str
) -> tuple[bytes, int]:
    r"""Replace escaped halves of surrogate pairs, which are no characters, or refuse them.

    Parameters
    ----------
    data : bytes
        Whole lines.
    name : str
        The file, for messages.
    lines_before : int
        Lines of the file before ``data``.
    errors : {"strict", "replace"}

    Returns
    -------
    data : bytes
    replaced : int
        Three bytes for each half, as where sentences are in memory.

    Raises
    ------
    InputError
        With ``errors="strict"``, naming file and line.

    Examples
    --------
    >>> without_lone_surrogates(rb'{"text": "\ud83d\ude00 \ud800"}', "a.jsonl", 0, "replace")
    (b'{"text": "\\ud83d\\ude00 \\ufffd"}', 3)
    """
    if rb"\ud" not in data and rb"\uD" not in data:
        return data, 0
    replaced = 0

    def whole(match: re.Match[bytes]) -> bytes:
        nonlocal replaced
        if match[1] is None:
            return match[0]
        if errors != "replace":
            line = lines_before + data.count(b"\n", 0, match.start()) + 1
            raise InputError(
                f"{name}, line {line}, holds a lone surrogate ({match[0].decode()}), which is no "
                'character; clean it, or go on with errors="replace" (--errors replace).'
            )
        replaced += 3
        return _REPLACEMENT

    return _ESCAPE.sub(whole, data), replaced


def _row(line: bytes) -> dict[str, Any]:
    row = json.loads(line.decode(), strict=False)
    if not isinstance(row, dict):
        raise ValueError("not an object")
    return row


def _polars_type(kinds: set[type]) -> type[pl.DataType]:
    import polars as pl

    known = kinds - {type(None)}
    if str in known or not known:
        return pl.String if known else pl.Null
    if known == {int}:
        return pl.Int64
    if known <= {int, float}:
        return pl.Float64
    if known == {bool}:
        return pl.Boolean
    return pl.List if list in known else pl.Struct if dict in known else pl.String
