"""The formats there are, and what each can hold.

Telling the format of a file from its first bytes, and then from its name.

Opening and saving files of word vectors, whatever their format.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from wordgrad.errors import FormatError, InputError, OutputError, check_choice
from wordgrad.files import atomic_write, check_output
from wordgrad.io.common import Opening
from wordgrad.io.fasttext import MAGIC
from wordgrad.io.text import HEADER, HEADER_BYTES
from wordgrad.word_vectors import WordVectors

ALL = ("counts", "metadata")


@dataclass(frozen=True)
class Format:
    """One file format.

    Its module is imported at the first use, for some need Polars, which takes a while to load.

    Attributes
    ----------
    name : str
        As in ``--from`` and ``--to``.
    title : str
        For messages.
    module : str
        Where it is read and written, in this package.
    endings : tuple of str
        Endings of names that choose the format for writing.
    shared_endings : tuple of str
        Further endings that files of the format may have.
    keeps : tuple of str
        Which of "counts" and "metadata" it keeps.
    any_word : bool
        Whether it can hold every word that UTF-8 can.
    writable : bool
        Whether it can be written, too.
    paired : bool
        Whether the words are in a second file.
    suffix : str
        What the names of its two functions end in, where a module holds more than one format.
    """

    name: str
    title: str
    module: str
    endings: tuple[str, ...]
    shared_endings: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    any_word: bool = False
    writable: bool = True
    paired: bool = False
    suffix: str = ""

    @property
    def complete(self) -> bool:
        """Whether nothing that vectors can hold is lost or refused."""
        return self.any_word and self.keeps == ALL

    def read(self, path: Path, opening: Opening) -> WordVectors:
        """Read the file at ``path``."""
        vectors: WordVectors = getattr(self._code(), f"read{self.suffix}")(path, opening)
        return vectors

    def write(self, vectors: WordVectors, path: Path) -> None:
        """Fill a new file at ``path``; putting it in place is the caller's business."""
        getattr(self._code(), f"write{self.suffix}")(vectors, path)

    def companion(self, path: Path) -> Path | None:
        """The second file that belongs to ``path``, if the format has one."""
        beside: Path | None = self._code().companion(path) if self.paired else None
        return beside

    def write_companion(self, vectors: WordVectors, path: Path) -> None:
        """Fill a new file at ``path`` with what the second file holds."""
        self._code().write_companion(vectors, path)

    def _code(self) -> Any:
        return import_module(f"wordgrad.io.{self.module}")


FORMATS = (
    Format(
        "safetensors",
        "safetensors",
        "safetensors",
        (".safetensors",),
        keeps=ALL,
        any_word=True,
    ),
    Format(
        "word2vec-text", "word2vec text", "text", (".txt", ".vec"), (".w2v",), suffix="_word2vec"
    ),
    Format("word2vec-binary", "word2vec binary", "word2vec_binary", (".bin",), (".w2v",)),
    Format("glove", "GloVe text", "text", (".glove", ".glove.txt"), (".txt",), suffix="_glove"),
    Format("npz", "npz", "npz", (".npz",), keeps=ALL),
    Format(
        "tsv",
        "TSV for the Embedding Projector",
        "projector",
        (".tsv",),
        keeps=("counts",),
        paired=True,
    ),
    Format("parquet", "Parquet", "parquet", (".parquet",), keeps=ALL, any_word=True),
    Format("fasttext", "fastText binary", "fasttext", (), (".bin",), writable=False),
)
NAMES = tuple(known.name for known in FORMATS)


def named(name: str) -> Format:
    """The format called ``name``.

    >>> named("glove").title
    'GloVe text'
    """
    check_choice("format", name, NAMES)
    return next(known for known in FORMATS if known.name == name)


def format_of_name(path: str | os.PathLike[str], *, complete: bool = False) -> Format:
    """The format that the ending of ``path`` chooses for writing.

    Parameters
    ----------
    path : path
    complete : bool
        Whether it must be one that keeps every word, counts and metadata.

    Raises
    ------
    OutputError
        If no format has that ending.

    >>> format_of_name("wiki.vec").name, format_of_name("wiki.glove.txt").name
    ('word2vec-text', 'glove')
    """
    name = Path(path).name.lower()
    allowed = [known for known in FORMATS if known.complete or not complete]
    endings = {ending: known for known in allowed for ending in known.endings}
    for ending in sorted(endings, key=len, reverse=True):
        if name.endswith(ending):
            return endings[ending]
    choice = ", ".join(endings)
    if complete and any(name.endswith(known.endings) for known in FORMATS):
        raise OutputError(
            f"The output {path} would not keep all that training learns; end it in {choice}, and "
            "make other files of it with 'wordgrad convert'."
        )
    raise OutputError(
        f"The output {path} does not end like a file of word vectors; end it in {choice}."
    )


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


def load(
    path: str | os.PathLike[str],
    *,
    check: bool | None = None,
    format: str | None = None,
    allow_nonfinite: bool = False,
) -> WordVectors:
    """Open a file of word vectors.

    The matrix of a safetensors file is mapped, not read: a file of a gigabyte opens in
    milliseconds, and processes that open the same file share its memory.  Do not alter the file
    while it is in use.  All other formats are read into memory, and checked while they are.
    Nothing is ever unpickled.

    Parameters
    ----------
    path : path
    check : bool, optional
        Whether to read all of a mapped matrix now and compare its checksum.  By default only
        matrices of up to 64 MiB are; in a larger one, a value that is not finite is found by the
        first query.  The structure, the words and the counts are checked in any case.
    format : str, optional
        One of "safetensors", "word2vec-text", "word2vec-binary", "glove", "npz", "tsv", "parquet"
        and "fasttext".  By default the file's first bytes tell, and its name must not contradict.
    allow_nonfinite : bool
        Whether NaN and infinite values may be in the file.  Such vectors can be looked at and
        saved; a query still refuses them, for they have no cosine.

    Raises
    ------
    InputError
        If the file cannot be opened, or does not fit into memory.
    FormatError
        If it is cut short, damaged, or of another format.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "tiny.safetensors"
    >>> WordVectors(["to", "be"], [[1, 2], [3, 4]]).save(path)
    >>> load(path)["be"]
    array([3., 4.], dtype=float32)
    """
    file = Path(path)
    if file.is_dir():
        raise InputError(f"{file} is a directory; name a file of word vectors in it.")
    if "\0" in str(file):
        raise InputError(f"{str(file)!r} holds a NUL, which no file name does; check the name.")
    if file.exists() and not file.is_file():
        raise InputError(
            f"{file} is a pipe or a device, and vectors are read more than once; copy them to a "
            "file first."
        )
    try:
        with file.open("rb") as opened:
            if not opened.read(1):
                raise FormatError(f"{file} is empty; fetch a whole copy, or write it again.")
        chosen = format_of_file(file) if format is None else named(format)
        return chosen.read(file, Opening(check, allow_nonfinite))
    except MemoryError as error:
        raise InputError(
            f"{file} does not fit into the memory that is left; convert it to safetensors on a "
            "larger machine, which is mapped and not read."
        ) from error
    except OSError as error:
        raise InputError(
            f"{file} cannot be opened ({error.strerror or error}); check the name and its "
            "permissions."
        ) from error


def save(
    vectors: WordVectors,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    format: str | None = None,
) -> None:
    """Write vectors to a file in the format that the name's ending tells, or that ``format`` names.

    ======================= ===================== =============================================
    ending                  format                not kept
    ======================= ===================== =============================================
    ``.safetensors``        ``safetensors``
    ``.parquet``            ``parquet``
    ``.npz``                ``npz``
    ``.tsv``                ``tsv``               metadata; a second file holds the words
    ``.txt``, ``.vec``      ``word2vec-text``     counts, metadata
    ``.bin``                ``word2vec-binary``   counts, metadata
    ``.glove``,             ``glove``             counts, metadata
    ``.glove.txt``
    ======================= ===================== =============================================

    The file is whole or absent at any moment (see :func:`wordgrad.files.atomic_write`).

    Raises
    ------
    OutputError
        If the ending is not known, the file exists and ``overwrite`` is false, the format cannot
        hold one of the words, or the file cannot be written.
    """
    chosen = format_of_name(path) if format is None else named(format)
    if not chosen.writable:
        raise OutputError(
            f"The output {path} cannot be {chosen.title}, which is only read; choose another "
            "format."
        )
    check_output(path, overwrite=overwrite)
    with ExitStack() as files:
        beside = chosen.companion(Path(path))
        if beside is not None:
            check_output(beside, overwrite=overwrite)
            chosen.write_companion(
                vectors, files.enter_context(atomic_write(beside, overwrite=overwrite))
            )
        with atomic_write(path, overwrite=overwrite) as temporary:
            chosen.write(vectors, temporary)
