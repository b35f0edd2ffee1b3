r"""Word vectors for the Embedding Projector (projector.tensorflow.org): two files of text.

Layout
------
``vectors.tsv``
    V lines of D numbers, separated by tabs, each line ended by a line feed.  No header.
``metadata.tsv``
    Without counts: V lines, the word alone.  With counts: a header ``word\tcount``, then V lines of
    word, tab, count.  (The Projector takes the first line for a header if there are two columns or
    more, and only then.)

The second file lies beside the first.  Its name is the first one's with ``metadata`` in place of
the last ``vectors``, or with ``.metadata`` before the ending: ``vectors.tsv`` goes with
``metadata.tsv``, ``wiki.tsv`` with ``wiki.metadata.tsv``.  Either may be compressed, and then has
another ending after that one.  The Projector skips lines that look empty, so wordgrad refuses to
write a word without any visible character; nor may it hold a tab or a line end.  When reading,
metadata with more columns is taken, too: the column ``word`` or else the first holds the words.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError, InputError
from wordgrad.io import compression
from wordgrad.io.common import (
    LONGEST_ROW,
    LoadOptions,
    VectorParts,
    WordDecoder,
    assembled,
    check_words,
)
from wordgrad.io.text import MARK, RowReader, write_rows

HOLDERS = "safetensors or Parquet"
FORBIDDEN = "\t\n\r"


def companion(path: Path) -> Path:
    """The file of words that belongs to the file of numbers ``path``.

    >>> companion(Path("vectors.tsv")).name, companion(Path("wiki.tsv")).name
    ('metadata.tsv', 'wiki.metadata.tsv')
    """
    before, found, after = path.name.rpartition("vectors")
    if found:
        return path.with_name(f"{before}metadata{after}")
    return path.with_name(f"{path.stem}.metadata{path.suffix}")


def write(parts: VectorParts, path: Path) -> None:
    """Write the numbers of ``parts`` to a new file at ``path``."""
    with path.open("wb") as file:
        write_rows(file, None, parts.matrix, "\t")


def write_companion(parts: VectorParts, path: Path) -> None:
    """Write the words of ``parts`` to a new file at ``path``."""
    words = check_words(
        parts, "TSV for the Embedding Projector", FORBIDDEN, holders=HOLDERS, empty=False
    )
    lines = [f"{word}\n" for word in words]
    if words[0].startswith("\ufeff"):  # one is skipped in reading
        lines.insert(0, "\ufeff")
    if parts.counts is not None:
        pairs = zip(words, parts.counts.tolist(), strict=True)
        lines = ["word\tcount\n", *(f"{word}\t{count}\n" for word, count in pairs)]
    path.write_bytes("".join(lines).encode())


def read(path: Path, options: LoadOptions) -> VectorParts:
    """Read both files; see :func:`wordgrad.load`."""
    with compression.opened(path) as file:
        size = file.readline(LONGEST_ROW).rstrip(b"\t\r\n").count(b"\t") + 1
    with compression.opened(path) as file:
        if file.peek(len(MARK)).startswith(MARK):
            file.read(len(MARK))
        reader = RowReader(
            path, size, options, separator=b"\t", worded=False, promise="its first line"
        )
        compressed = compression.compression_of_file(path) is not None
        _, matrix = reader.read(file, None, total=None if compressed else path.stat().st_size)
    if not len(matrix):
        raise FormatError(f"{path} holds no numbers; fetch a whole copy, or write it again.")
    words, counts, remarks = _words(_companion_there(path), path, len(matrix), options)
    return assembled(
        path,
        words,
        matrix,
        options,
        counts=counts,
        place=lambda row: f"line {row + 1}",
        remarks=(*reader.remarks, *remarks),
    )


def _companion_there(path: Path) -> Path:
    """The file of words, compressed or not."""
    plain = companion(compression.without_ending(path))
    names = [plain, *(plain.with_name(plain.name + end) for end in compression.ENDINGS.values())]
    return next((name for name in names if name.exists()), plain)


def _words(
    path: Path, vectors: Path, rows: int, options: LoadOptions
) -> tuple[list[str], NDArray[np.int64] | None, tuple[str, ...]]:
    try:
        lines, total, ended = _lines(path, rows + 1)
    except OSError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}, which should hold the words of {vectors}, cannot be opened "
            f"({error.strerror or error}); put it beside {vectors.name}."
        ) from error
    headed = b"\t" in b"".join(lines[:1])
    header = lines.pop(0).decode(errors="replace").split("\t") if headed else ["word"]
    total -= headed
    if total < rows or (total > rows and options.limit is None):
        raise FormatError(
            f"{path} names {total} words and {vectors.name} has {rows} rows; fetch two "
            "files that belong together."
        )
    names: list[bytes] = []
    seen: list[str] = []
    column = header.index("word") if "word" in header else 0
    counts = header.index("count") if "count" in header else None
    for place, line in enumerate(lines[:rows]):
        fields = line.split(b"\t")
        if len(fields) != len(header):
            raise FormatError(
                f"{path} has {len(fields)} fields in row {place} and {len(header)} in its first "
                "line; repair that line."
            )
        names.append(fields[column])
        if counts is not None:
            seen.append(fields[counts].decode(errors="replace"))
    decoder = WordDecoder(path, options.errors)
    words = decoder.decode(names, 0)
    remarks = decoder.remarks
    if not ended and total == rows:
        remarks += (
            f"{path} does not end with a line end: if it was cut short, its last word lacks "
            "letters.",
        )
    return words, None if counts is None else _counts(path, seen), remarks


def _lines(path: Path, most: int) -> tuple[list[bytes], int, bool]:
    """The first ``most`` lines, how many there are in all, and whether the last one is ended."""
    lines: list[bytes] = []
    total, filled, ended = 0, 0, True
    with compression.opened(path) as file:
        if file.peek(len(MARK)).startswith(MARK):
            file.read(len(MARK))
        while line := file.readline(LONGEST_ROW):
            total += 1
            filled = total if line.strip() else filled
            ended = line.endswith(b"\n")
            if not ended and len(line) >= LONGEST_ROW:
                raise FormatError(
                    f"{path} has a line longer than {LONGEST_ROW} bytes; fetch an undamaged copy."
                )
            if len(lines) < most:
                lines.append(line.removesuffix(b"\n").removesuffix(b"\r"))
    return lines, max(filled, min(total, most - 1)), ended  # blank lines at the end are nothing


def _counts(path: Path, fields: list[str]) -> NDArray[np.int64]:
    for row, field in enumerate(fields):
        if not (field.isascii() and field.isdigit() and len(field) < 19):
            raise FormatError(
                f"{path} has {field[:40]!r} as the count of row {row}, which is not a whole "
                "number; repair that line."
            )
    return np.array(fields, dtype=np.int64)
