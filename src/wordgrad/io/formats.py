"""The formats of files of word vectors: a table of them, detection, load and save.

A file's first bytes tell its format, and then its name must not contradict; the name decides only
where the bytes do not tell.  What is a file of something else is called by its name.
"""

from __future__ import annotations

import os
import pickletools
import re
import warnings
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from wordgrad.errors import (
    FormatError,
    InputError,
    OutputError,
    ParameterError,
    check_choice,
    check_int,
)
from wordgrad.files import atomic_write, check_output
from wordgrad.io import compression
from wordgrad.io.common import ERRORS, LoadOptions, VectorParts
from wordgrad.io.fasttext_model import MAGIC
from wordgrad.io.text import MARK, is_number, looks_like_numbers
from wordgrad.io.word2vec_text import HEADER, HEADER_BYTES
from wordgrad.storage import is_url, local, path_of

NGRAMS = "character n-grams"
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
        Endings of names that choose the format for writing; where there are none, it is named.
    shared_endings : tuple of str
        Further endings that files of the format may have.
    keeps : tuple of str
        Which of "counts", "metadata" and "character n-grams" it keeps.
    any_word : bool
        Whether it can hold every word that UTF-8 can.
    paired : bool
        Whether the words are in a second file.
    streamed : bool
        Whether it is read from its beginning to its end, and so may be compressed.
    sharded : bool
        Whether the file names others, which its own code writes and reads, wherever they are.
    """

    name: str
    title: str
    module: str
    endings: tuple[str, ...]
    shared_endings: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    any_word: bool = False
    paired: bool = False
    streamed: bool = False
    sharded: bool = False

    @property
    def complete(self) -> bool:
        """Whether no word, count or metadata is lost or refused."""
        return self.any_word and set(ALL) <= set(self.keeps)

    def read(self, path: Path, options: LoadOptions) -> VectorParts:
        """Read the file at ``path``."""
        found = None if self.streamed or self.sharded else compression.compression_of_file(path)
        if found is not None:
            raise FormatError(
                f"{path} is {self.title} compressed with {found}, and that is read from any place "
                "in it; decompress it first."
            )
        parts: VectorParts = self._code().read(path, options)
        return parts

    def write(self, parts: VectorParts, path: Path) -> None:
        """Fill a new file at ``path``; putting it in place is the caller's business."""
        self._code().write(parts, path)

    def write_shards(self, parts: VectorParts, path: Path, **options: Any) -> None:
        """Write the files of ``parts``, and put them in place."""
        self._code().write(parts, path, **options)

    def companion(self, path: Path) -> Path | None:
        """The second file that belongs to ``path``, if the format has one."""
        beside: Path | None = self._code().companion(path) if self.paired else None
        return beside

    def write_companion(self, parts: VectorParts, path: Path) -> None:
        """Fill a new file at ``path`` with what the second file holds."""
        self._code().write_companion(parts, path)

    def _code(self) -> Any:
        return import_module(f"wordgrad.io.{self.module}")


FORMATS = (
    Format(
        "safetensors",
        "safetensors",
        "safetensors",
        (".safetensors",),
        keeps=(*ALL, NGRAMS),
        any_word=True,
    ),
    Format(
        "safetensors-shards",
        "safetensors in shards",
        "shards",
        (".safetensors.index.json",),
        keeps=ALL,
        any_word=True,
        sharded=True,
    ),
    Format(
        "word2vec-text",
        "word2vec text",
        "word2vec_text",
        (".txt", ".vec"),
        (".w2v",),
        streamed=True,
    ),
    Format(
        "word2vec-binary",
        "word2vec binary",
        "word2vec_binary",
        (".bin",),
        (".w2v",),
        streamed=True,
    ),
    Format(
        "glove", "GloVe text", "glove", (".glove", ".glove.txt"), (".txt", ".vec"), streamed=True
    ),
    Format("npz", "npz", "npz", (".npz",), keeps=ALL),
    Format(
        "tsv",
        "TSV for the Embedding Projector",
        "projector",
        (".tsv",),
        keeps=("counts",),
        paired=True,
        streamed=True,
    ),
    Format("parquet", "Parquet", "parquet", (".parquet",), keeps=ALL, any_word=True),
    Format("fasttext", "fastText binary", "fasttext", (), (".bin",), keeps=("counts", NGRAMS)),
)
SHARDED = next(known for known in FORMATS if known.sharded)
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
    name = path_of(path).name.lower()
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


_PICKLE = (
    "a Python pickle, which could run code and is never read; open it with the program that wrote "
    "it and save it as word2vec text (in gensim: KeyedVectors.save_word2vec_format)"
)
_FOREIGN = (  # first bytes as a pattern, what that is and what to do
    (rb"\x93NUMPY", "a lone NumPy array, without words; save words and matrix as .npz"),
    (rb"\x89HDF", "an HDF5 file; save its words and matrix as .npz"),
    (rb"SQLite format 3\x00", "an SQLite database; save its words and vectors as word2vec text"),
    (rb"FiFu\x00\x00", "a finalfusion file; save it with finalfusion as word2vec text"),
    (rb"ARROW1\x00", "an Arrow file; save it as Parquet"),
    (rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a[^ \t]", "a picture; name the file of vectors"),
    (rb"%PDF-\d\.\d[^ \t]", "a PDF document; name the file of vectors"),
    (rb"7z\xbc\xaf\x27\x1c|Rar!\x1a\x07", "an archive; unpack it first"),
    (rb".{257}ustar", "a tar archive; unpack it first"),
    (rb"\x1f\x9d|\x1f\xa0|\x04\x22\x4d\x18|LZIP", "compressed in a way that is not read; "
     "decompress it first, or compress it with gzip, bzip2, xz or zstd"),
    (rb"\xff\xfe|\xfe\xff", "text in UTF-16; convert it to UTF-8"),
    (rb"version https://git-lfs", "a pointer of Git LFS, not the file itself; run 'git lfs pull'"),
    (rb"(?:\xef\xbb\xbf)?\d+ \d+ \d+ \d+ \d+ \d+ \S+ \S+[ \r]*\n", "a table of floret, which holds "
     "vectors of hashed pieces of words and no words; print the vectors of your words with floret "
     "(print-word-vectors) and open these"),
)  # fmt: skip


def format_of_file(path: Path) -> Format:
    """The format of a file that is there.

    Raises
    ------
    FormatError
        If it is none that wordgrad reads, or another one than its name says.
    """
    with compression.opened(path) as file:
        start = file.peek()[: compression.PEEKED]
    name = compression.without_ending(path).name.lower()
    by_name = [one for one in FORMATS if name.endswith((*one.endings, *one.shared_endings))]
    packed = compression.compression_of_file(path)
    inside = "" if packed is None else f"compressed with {packed} and inside "
    if packed is not None and (twice := compression.compression_of(start)) is not None:
        raise FormatError(f"{path} is {inside}compressed with {twice} again; decompress it first.")
    found = _by_magic(start)
    if found is None and is_pickle(start):
        raise FormatError(f"{path} is {inside}{_PICKLE}.")
    for magic, what in _FOREIGN:
        if found is None and re.match(magic, start, re.DOTALL):
            raise FormatError(f"{path} is {inside}{what}.")
    found = found or guess(start)
    if found is None:
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
    if found == "npz" and packed is None and not zipfile.is_zipfile(path):
        raise FormatError(f"{path} is not a whole npz file; fetch an undamaged copy.")
    return named(found)


_PICKLE_STEPS = 8  # more than any text happens to spell


def is_pickle(start: bytes) -> bool:
    r"""Whether a file that begins with ``start`` is a pickle of any protocol; nothing is run.

    Protocols 0 and 1 have no beginning of their own, so the steps they consist of are taken apart:
    no line of vectors is a sequence of them, for a space is none.

    >>> is_pickle(b"(lp0\nF0.5\na."), is_pickle(b"(lp0 0.5 1\n"), is_pickle(b"\x80\x04.")
    (True, False, True)
    """
    if start[:1] == b"\x80":  # which begins no character of UTF-8
        return start[1:2] <= b"\x05"
    steps = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of strings in what may be no pickle
        try:
            for operation, _, place in pickletools.genops(start):
                steps += 1
                if operation.name == "STOP":
                    return place == len(start) - 1
                if steps > 10 * _PICKLE_STEPS:
                    return True
        except (ValueError, OverflowError):  # not a step, or the data end in one
            return steps > _PICKLE_STEPS
    return False


def guess(start: bytes) -> str | None:
    r"""Name of the format of a file that begins with ``start``, if it is clear.

    >>> guess(b"2 3\nthe 0.1 0.2 0.3\n"), guess(b"the 0.1 0.2\nof 0.3 0.4\n")
    ('word2vec-text', 'glove')
    """
    known = _by_magic(start)
    if known is not None:
        return known
    header = HEADER.match(start[:HEADER_BYTES])
    if header is not None:
        row = start[header.end() :].partition(b"\n")[0].rstrip(b" \t\r")
        size = int(header[2])
        if b"\t" not in header[0] or len(re.split(rb"[ \t]+", row)) == size + 1:
            rows = start[header.end() :]
            return "word2vec-text" if _is_text(row, rows, size) else "word2vec-binary"
    first = start.removeprefix(MARK).partition(b"\n")[0].rstrip(b" \t\r")
    fields = re.split(rb"[ \t]+", first)
    if b" " not in first and all(map(is_number, fields)):
        return "tsv"
    values = fields[1:]
    return "glove" if is_number((values or [b""])[-1]) or looks_like_numbers(values) else None


def _by_magic(start: bytes) -> str | None:
    """Name of the format that has first bytes of its own."""
    if start[8:9] == b"{" and not any(start[6:8]):
        return "safetensors"
    if re.match(rb'\{\s*"metadata"\s*:', start):
        return SHARDED.name
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "npz"
    if start.startswith(b"PAR1") and start[4:5] not in (b" ", b"\t"):  # not a word of that name
        return "parquet"
    return "fasttext" if start.startswith(MAGIC) else None


SAMPLE = 4096  # bytes


def _is_text(row: bytes, rows: bytes, size: int) -> bool:
    """Whether rows after a header are text: a reader says what is wrong with some numbers of it.

    Parameters
    ----------
    row : bytes
        The first one, if it is text.
    rows : bytes
        All that follows the header.
    size : int
        D, as the header has it.
    """
    after_word = re.sub(rb"^[^ \t]*[ \t]*", b"", row)
    if not _is_printable(after_word):
        return False
    fields = re.split(rb"[ \t]+", after_word)[-size:]
    if fields and 2 * sum(map(is_number, fields)) >= len(fields):
        return True
    if looks_like_numbers(fields):
        return True
    # Four bytes of a number are printable now and then, many of them never are.
    sample = rows[:SAMPLE].rpartition(b"\n")[0]
    return len(sample) >= 64 and _is_printable(sample)


def _is_printable(data: bytes) -> bool:
    """Whether ``data`` is UTF-8 text without control characters but tabs and line ends."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text)


def load(path: str | os.PathLike[str], options: LoadOptions, format: str | None) -> VectorParts:
    """Read a file of word vectors; see :func:`wordgrad.load`.

    Raises
    ------
    ParameterError
        If an option is not one that there is.
    InputError
        If the file cannot be opened, or does not fit into memory.
    FormatError
        If it is cut short, damaged, or of another format.
    """
    check_choice("errors", options.errors, ERRORS)
    try:
        contains_ascii = "0 a\n".encode(options.encoding) == b"0 a\n"
    except LookupError:
        contains_ascii = False
    if not contains_ascii:
        raise ParameterError(
            f"encoding must be one that contains ASCII, got {options.encoding!r}; convert the file."
        )
    if options.limit is not None:
        check_int("limit", options.limit, minimum=1)
    file = path_of(path)
    if is_url(file):
        if names_shards(file):  # which are there, too
            return SHARDED.read(file, options)
        with local(file) as copy:
            return load(copy, options, format)
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
        return chosen.read(file, options)
    except MemoryError as error:
        raise InputError(
            f"{file} does not fit into the memory that is left; convert it to safetensors on a "
            "larger machine, which is mapped and not read, or read its first rows alone (limit)."
        ) from error
    except OSError as error:
        raise InputError(
            f"{file} cannot be opened ({error.strerror or error}); check the name and its "
            "permissions."
        ) from error


def names_shards(path: Path) -> bool:
    """Whether a file, by its name, is the index of shards, which lie beside it."""
    return path.name.lower().endswith(SHARDED.endings)


def size_of(path: Path) -> int:
    """Bytes of a file of word vectors, together with its shards."""
    if not names_shards(path):
        return path.stat().st_size
    shards = import_module("wordgrad.io.shards").read_index(path)[0]
    return path.stat().st_size + sum(path.with_name(one.name).stat().st_size for one in shards)


def without_ending(name: str) -> tuple[str, str]:
    """Split a file's name before the ending that chooses its format.

    >>> without_ending("a.b.safetensors.index.json"), without_ending("wiki.safetensors")
    (('a.b', '.safetensors.index.json'), ('wiki', '.safetensors'))
    """
    found = [one for one in SHARDED.endings if name.lower().endswith(one)]
    ending = found[0] if found else Path(name).suffix
    return name.removesuffix(name[len(name) - len(ending) :]), name[len(name) - len(ending) :]


def save(
    parts: VectorParts,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    format: str | None = None,
    shard_bytes: int | None = None,
) -> None:
    """Write vectors to a file; see :meth:`wordgrad.WordVectors.save`.

    The file is whole or absent at any moment (see :func:`wordgrad.files.atomic_write`).

    Raises
    ------
    OutputError
        If the ending is not known, the file exists and ``overwrite`` is false, the format cannot
        hold one of the words, or the file cannot be written.
    """
    chosen = format_of_name(path) if format is None else named(format)
    sizes = {}
    if shard_bytes is not None:
        sizes = {"shard_bytes": check_int("shard_bytes", shard_bytes, minimum=1)}
        if not chosen.sharded:
            raise ParameterError(
                f"shard_bytes is for names that end in {', '.join(SHARDED.endings)}, got "
                f"{shard_bytes} for {path}; leave it out, or name the output so."
            )
    check_output(path, overwrite=overwrite)
    if chosen.sharded:
        chosen.write_shards(parts, path_of(path), overwrite=overwrite, **sizes)
        return
    with ExitStack() as files:
        beside = chosen.companion(path_of(path))
        if beside is not None:
            check_output(beside, overwrite=overwrite)
            chosen.write_companion(
                parts, files.enter_context(atomic_write(beside, overwrite=overwrite))
            )
        with atomic_write(path, overwrite=overwrite) as temporary:
            chosen.write(parts, temporary)
