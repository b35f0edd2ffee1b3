r"""Word vectors for the Embedding Projector (projector.tensorflow.org): two files of text.

Layout
------
``vectors.tsv``
    V lines of D numbers, parted by tabs, each line ended by a line feed.  No header.
``metadata.tsv``
    Without counts: V lines, the word alone.  With counts: a header ``word\tcount``, then V lines of
    word, tab, count.  (The Projector takes the first line for a header if there are two columns or
    more, and only then.)

The second file lies beside the first.  Its name is the first one's with ``metadata`` in place of
the last ``vectors``, or with ``.metadata`` before the ending: ``vectors.tsv`` goes with
``metadata.tsv``, ``wiki.tsv`` with ``wiki.metadata.tsv``.  The Projector skips lines that look
empty, so wordgrad refuses to write a word without any visible character; nor may it hold a tab or
a line end.  When reading, metadata with more columns is taken, too: the column ``word`` or else the
first holds the words.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError, InputError
from wordgrad.io.common import Opening, assembled, check_words
from wordgrad.io.text import BLOCK, RowReader, count_lines, write_rows
from wordgrad.word_vectors import WordVectors

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


def write(vectors: WordVectors, path: Path) -> None:
    """Write the numbers of ``vectors`` to a new file at ``path``."""
    with path.open("wb") as file:
        write_rows(file, None, vectors.matrix, "\t")


def write_companion(vectors: WordVectors, path: Path) -> None:
    """Write the words of ``vectors`` to a new file at ``path``."""
    words = check_words(
        vectors, "TSV for the Embedding Projector", FORBIDDEN, holders=HOLDERS, empty=False
    )
    lines = [f"{word}\n" for word in words]
    if vectors.counts is not None:
        pairs = zip(words, vectors.counts.tolist(), strict=True)
        lines = ["word\tcount\n", *(f"{word}\t{count}\n" for word, count in pairs)]
    path.write_bytes("".join(lines).encode())


def read(path: Path, opening: Opening) -> WordVectors:
    """Read both files; see :func:`wordgrad.load`."""
    with path.open("rb") as file:
        first = file.readline(BLOCK)
        file.seek(0)
        reader = RowReader(
            path,
            first.count(b"\t") + 1,
            separator=b"\t",
            worded=False,
            promise="its first line",
        )
        _, matrix = reader.read(file, count_lines(path))
    words, counts = _words(companion(path), path, matrix.shape[0])
    return assembled(
        path, words, matrix, opening, counts=counts, place=lambda row: f"line {row + 1}"
    )


def _words(path: Path, vectors: Path, rows: int) -> tuple[list[str], NDArray[np.int64] | None]:
    try:
        lines = path.read_bytes().decode().split("\n")
    except OSError as error:
        raise InputError(
            f"{path}, which should hold the words of {vectors}, cannot be opened "
            f"({error.strerror or error}); put it beside {vectors.name}."
        ) from error
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path} is not UTF-8 at byte {error.start}; convert it to UTF-8."
        ) from error
    if lines[-1]:
        raise FormatError(
            f"{path} may be cut short: its last line does not end with a line end; fetch a whole "
            "copy, or add one if the last word is whole."
        )
    del lines[-1]
    headed = "\t" in "".join(lines[:1])
    header = lines.pop(0).removesuffix("\r").split("\t") if headed else ["word"]
    if len(lines) != rows:
        raise FormatError(
            f"{path} names {len(lines)} words and {vectors.name} has {rows} rows; fetch two "
            "files that belong together."
        )
    words, seen = [], []
    column = header.index("word") if "word" in header else 0
    counts = header.index("count") if "count" in header else None
    for place, line in enumerate(lines):
        fields = line.removesuffix("\r").split("\t")
        if len(fields) != len(header):
            raise FormatError(
                f"{path} has {len(fields)} fields in row {place} and {len(header)} in its first "
                "line; repair that line."
            )
        words.append(fields[column])
        if counts is not None:
            seen.append(fields[counts])
    return words, None if counts is None else _counts(path, seen)


def _counts(path: Path, fields: list[str]) -> NDArray[np.int64]:
    for row, field in enumerate(fields):
        if not (field.isascii() and field.isdigit() and len(field) < 19):
            raise FormatError(
                f"{path} has {field[:40]!r} as the count of row {row}, which is not a whole "
                "number; repair that line."
            )
    return np.array(fields, dtype=np.int64)
