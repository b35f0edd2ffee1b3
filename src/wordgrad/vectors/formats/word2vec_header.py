"""What word2vec's two formats share: the first line, and the words they cannot hold."""

from __future__ import annotations

import re
from pathlib import Path

from wordgrad.errors import FormatError

FORBIDDEN = " \n"
HOLDERS = "safetensors, npz or Parquet"
HEADER = re.compile(rb"(?:\xef\xbb\xbf)?(\d{1,18}) (\d{1,18}) *\r?\n")
HEADER_BYTES = 64  # more than any header has


def read_header(path: Path, line: bytes) -> tuple[int, int]:
    """V and D from the first line.

    Raises
    ------
    FormatError
        If it does not hold two numbers.
    """
    found = HEADER.fullmatch(line)
    if found is None:
        raise FormatError(
            f"{path} does not begin with the number of words and of values, but with "
            f"{line[:40]!r}; name its format (--from), or fetch an undamaged copy."
        )
    return int(found[1]), int(found[2])
