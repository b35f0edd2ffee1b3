"""Text in columns: JSON lines, CSV, TSV and Parquet."""

from __future__ import annotations

from collections.abc import Iterator

from wordgrad.errors import InputError
from wordgrad.text.sources import TextFile


def table_blocks(
    file: TextFile, column: str | None, errors: str
) -> Iterator[tuple[bytes, int, int]]:
    """Blocks of text, a cell a line; bytes read so far; bytes replaced."""
    raise InputError(f"{file.path} cannot be read yet.")
    yield b"", 0, 0
