"""Telling the format of a file from its first bytes, and then from its name."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from wordgrad.errors import FormatError
from wordgrad.vectors.formats.fasttext import MAGIC
from wordgrad.vectors.formats.known import FORMATS, NAMES, Format, named
from wordgrad.vectors.formats.word2vec_header import HEADER, HEADER_BYTES

LOOKED_AT = 1 << 20  # bytes

_FOREIGN = (  # first bytes, what that is, what to do
    (b"\x1f\x8b", "compressed with gzip", "decompress it first (gunzip)"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "decompress it first (unzstd)"),
    (b"BZh", "compressed with bzip2", "decompress it first (bunzip2)"),
    (b"\xfd7zXZ\0", "compressed with xz", "decompress it first (unxz)"),
    (
        b"\x80",
        "a Python pickle, which could run code and is never read",
        "open it with the program that wrote it and save it as word2vec text",
    ),
    (b"\x93NUMPY", "a lone NumPy array, without words", "save words and matrix as .npz"),
    (b"\x89HDF", "an HDF5 file", "save its words and matrix as .npz"),
)


def format_of_file(path: Path) -> Format:
    """The format of a file that is there.

    Raises
    ------
    FormatError
        If it is none that wordgrad reads, or another one than its name says.
    """
    with path.open("rb") as file:
        start = file.read(LOOKED_AT)
    name = path.name.lower()
    by_name = [one for one in FORMATS if name.endswith((*one.endings, *one.shared_endings))]
    found = guess(start)
    if found is None:
        for magic, what, remedy in _FOREIGN:
            if start.startswith(magic):
                raise FormatError(f"{path} is {what}; {remedy}.")
        if by_name:
            return by_name[0]  # its reader knows best what is wrong
        raise FormatError(
            f"{path} is in no format that can be recognised (it begins with {start[:16]!r}); "
            f"name it (--from) if it is one of {', '.join(NAMES)}."
        )
    if by_name and found not in [one.name for one in by_name]:
        raise FormatError(
            f"{path} is named like a file of {by_name[0].title} but holds {named(found).title}; "
            f"rename it, or name its format ({found!r}, --from {found})."
        )
    if found == "npz" and not zipfile.is_zipfile(path):
        raise FormatError(f"{path} is not a whole npz file; fetch an undamaged copy.")
    return named(found)


def guess(start: bytes) -> str | None:
    r"""Name of the format of a file that begins with ``start``, if it is clear.

    >>> guess(b"2 3\nthe 0.1 0.2 0.3\n"), guess(b"the 0.1 0.2\nof 0.3 0.4\n")
    ('word2vec-text', 'glove')
    """
    if start[8:9] == b"{" and not any(start[6:8]):
        return "safetensors"
    if start.startswith(b"PK\x03\x04"):
        return "npz"
    if start.startswith(b"PAR1") and start[4:5] != b" ":  # not a word of that name
        return "parquet"
    if start.startswith(MAGIC):
        return "fasttext"
    header = HEADER.match(start[:HEADER_BYTES])
    if header is not None:
        row = start[header.end() :].partition(b"\n")[0]
        return "word2vec-text" if _is_row(row, int(header[2])) else "word2vec-binary"
    first = start.partition(b"\n")[0].rstrip(b" \r")
    if b" " in first:
        return "glove" if _are_numbers(first.split(b" ")[-1:]) else None
    return "tsv" if _are_numbers(first.split(b"\t")) else None


def _is_row(line: bytes, size: int) -> bool:
    """Whether a row is text: its reader says what is wrong with some of its numbers."""
    fields = line.rstrip(b" \r").split(b" ")[1:][-size:]
    return bool(fields) and 2 * sum(_are_numbers([field]) for field in fields) >= len(fields)


def _are_numbers(fields: Sequence[bytes]) -> bool:
    try:
        return bool([float(field) for field in fields])
    except ValueError:
        return False
