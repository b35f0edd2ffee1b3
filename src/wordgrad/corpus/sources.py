"""What the user gave as text: files here or on other storage, standard input, or sentences."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, TypeAlias, cast

from wordgrad import storage
from wordgrad.errors import InputError

TextSource: TypeAlias = (
    "str | os.PathLike[str] | Sequence[str | os.PathLike[str]]"
    " | Iterable[str] | Iterable[Sequence[str]]"
)
"""A path, glob, directory or URL, ``"-"``, several of them, or any iterable of sentences.

A table in memory is one, too, of whatever library: see :func:`texts_of`."""

STANDARD_INPUT = "-"

# A file's format by its suffix, once a suffix of COMPRESSIONS is taken off; others are text.
FORMATS = {
    ".txt": "text",
    ".text": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_KNOWN_SUFFIXES = (*FORMATS, *COMPRESSIONS)
_READ = 1 << 16  # bytes of a line that are read at a time
_LOOKED_UP = 1000  # of many words in a list, that many are looked up on the disk


@dataclass(frozen=True)
class TextFile:
    """A file to read, and how; or a part of a plain one, in bytes.

    Of a file on other storage ``path`` is what :func:`wordgrad.storage.path_of` returns, and
    ``stop`` its size when it was found, which is not asked for again.

    >>> TextFile.from_path(Path("news.jsonl.gz"))
    TextFile(path=PosixPath('news.jsonl.gz'), format='jsonl', compression='gzip', start=0,
    stop=None)
    """

    path: Path
    format: str
    compression: str | None
    start: int = 0
    stop: int | None = None

    @classmethod
    def from_path(cls, path: Path) -> TextFile:
        """Tell format and compression from the suffixes, in any case of letters."""
        name = Path(path.name.partition("?")[0] if storage.is_url(path) else path)
        compression = COMPRESSIONS.get(name.suffix.lower())
        inner = name.with_suffix("") if compression else name
        return cls(path, FORMATS.get(inner.suffix.lower(), "text"), compression)

    @property
    def name(self) -> str:
        """The path, for messages."""
        return f"{self.path} from byte {self.start} on" if self.start else str(self.path)

    @property
    def size(self) -> int:
        """Bytes of it on the disk."""
        return (self.path.stat().st_size if self.stop is None else self.stop) - self.start


@dataclass(frozen=True)
class StandardInput:
    """Plain text that comes through standard input."""

    path: ClassVar[None] = None
    format: ClassVar[str] = "text"
    compression: ClassVar[None] = None
    name: ClassVar[str] = "standard input"


TextInput: TypeAlias = TextFile | StandardInput


@contextmanager
def opened(source: TextInput) -> Iterator[BinaryIO]:
    """Open for reading; every failure is an :class:`~wordgrad.errors.InputError`."""
    if isinstance(source, StandardInput):
        if sys.stdin is None:  # a program without a console
            raise InputError("Standard input is closed; give a file's path.")
        yield sys.stdin.buffer
        return
    try:
        handle: BinaryIO
        if storage.is_url(source.path):
            handle = storage.opened(source.path)
        else:
            handle = open(source.path, "rb")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise InputError(
            f"{source.name} cannot be read ({error.strerror or error}); check that it is a file "
            "and its permissions."
        ) from error
    with handle:
        if source.stop is not None:
            yield cast("BinaryIO", FilePart(handle, source.start, source.stop))
        else:
            yield handle


class FilePart:
    """Bytes ``start`` to ``stop`` of an open file, with what of a file the readers use."""

    def __init__(self, handle: BinaryIO, start: int, stop: int) -> None:
        self._handle, self._start, self._left = handle, start, stop - start
        handle.seek(start)

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes.

        Raises
        ------
        OSError
            Whatever a driver of other storage raises, and if the file is shorter than it was.
        """
        size = self._left if size < 0 else min(size, self._left)
        try:
            data = self._handle.read(size)
        except OSError:
            raise
        except Exception as error:
            raise OSError(storage.why(error)) from error
        if size and not data:
            raise OSError(f"it ends {self._left} bytes early: it has changed")
        self._left -= len(data)
        return data

    def tell(self) -> int:
        """Return the position in the part."""
        return self._handle.tell() - self._start

    def seekable(self) -> bool:
        """Return True: only files are read in parts."""
        return True


@dataclass(frozen=True)
class Sentences:
    """Sentences in memory or made on the fly: each a string or a list of tokens."""

    items: Iterable[Any]


def resolve(source: Any) -> list[TextInput] | Sentences:
    """Decide what ``source`` is, and find its files.

    ============================  =============================================================
    given                         read as
    ============================  =============================================================
    ``"-"``                       standard input
    a ``str`` or a path           a file, a directory (all files below it with a known suffix,
                                  hidden ones apart), or a glob (``**`` for any depth); a URL
                                  (``s3://...``) is that of a file, a directory or a glob, too
    a list or tuple of those      each of them, in this order
    a list of :class:`TextFile`   these, or parts of files, that were found before
    any other iterable            sentences: strings, or lists of tokens
    ============================  =============================================================

    A list or tuple in which anything is a :class:`~pathlib.Path` is paths, and so is one of URLs
    alone.  One of other strings could be paths or sentences, and is

    1. paths, which must exist, if one of them has a known suffix, no white space, and exists;
    2. sentences, if one of them holds white space and does not end like a file's name: that the
       first sentence is ``-``, ``news`` or ``*`` then makes no difference, whatever lies in the
       folder;
    3. paths, if all of them exist, or if all of them look like files (a known suffix, no white
       space), of which one that does not exist is an error;
    4. sentences, if none of them exists;
    5. otherwise, where some exist and nothing tells them from sentences of one word, an error.

    Two things are never in doubt: ``Path(...)`` is a path, ``iter(sentences)`` is sentences.

    Raises
    ------
    InputError
        If something does not exist, a directory holds no text, or paths cannot be distinguished
        from sentences.

    Examples
    --------
    >>> resolve(["a sentence", "another one"])
    Sentences(items=['a sentence', 'another one'])
    """
    if isinstance(source, (bytes, bytearray)):
        raise InputError("Text must be str, got bytes; decode it first, or give a file's path.")
    if isinstance(source, (str, os.PathLike)) or storage.is_url(source):
        return _find(source)
    if not isinstance(source, Iterable):
        raise InputError(
            "Text must be a path, several paths, or an iterable of sentences, got "
            f"{type(source).__name__}."
        )
    if getattr(source, "ndim", 1) == 0:
        raise InputError("Text must be a path or sentences, got an array of one; put it in a list.")
    if isinstance(source, list) and source and isinstance(source[0], TextFile):
        return source
    if isinstance(source, (list, tuple)) and _are_paths(source):
        return [found for item in source for found in _find(item)]
    return Sentences(source)


def texts_of(source: Any, column: str | None = None) -> Any:
    """The texts of a table or of a column in memory, as a list; anything else as it is.

    ===========================================  ==================================================
    given                                        returned
    ===========================================  ==================================================
    a DataFrame (pandas, Polars), a table or     its column ``column``; by default ``text``, the
    record batch of Arrow, a data set of         only column, or the only column of strings
    Hugging Face, a structured NumPy array, a
    dictionary of columns
    a Series (pandas, Polars), an array of       its values
    Arrow, a NumPy array of one dimension
    anything else                                itself
    ===========================================  ==================================================

    No library is imported for this: a table is what names its columns.  Values are not looked at,
    so that a missing one (None, NaN) is there for the caller to refuse.

    Parameters
    ----------
    source : object
        What a user gave as texts.
    column : str, optional
        The column of a table to take.

    Raises
    ------
    InputError
        If there is no such column, it is not clear which one is meant, or the table is a lazy one.

    Examples
    --------
    >>> import polars as pl
    >>> frame = pl.DataFrame({"id": [1, 2], "review": ["a joy", "dull"]})
    >>> texts_of(frame), texts_of(frame["review"]), texts_of({"text": ["a"], "note": ["b"]})
    (['a joy', 'dull'], ['a joy', 'dull'], ['a'])
    >>> texts_of(["a sentence"])
    ['a sentence']
    """
    names = _column_names(source)
    if names is None:
        plain = isinstance(source, (list, tuple, str))
        values = None if plain else _values(source)
        return source if values is None else values
    kind = type(source)
    library = kind.__module__.partition(".")[0]
    what = f"The {kind.__name__}" + ("" if library == "builtins" else f" of {library}")
    if hasattr(source, "collect_schema") and not hasattr(source, "to_dicts"):
        raise InputError(f"{what} holds no rows yet; give the result of its collect().")
    columns = f"its columns are {', '.join(map(repr, names[:20])) or 'none'}"
    if column is None:
        strings = [
            name
            for name in names
            if any(isinstance(value, str) for value in _values(source[name]) or ())
        ]
        chosen = next(
            (c for c in (["text"], names, strings) if len(c) == 1 and c[0] in names), None
        )
        if chosen is None:
            raise InputError(
                f"{what} has {len(strings)} columns of strings, and one is read; name it with "
                f"column, or give that column by itself: {columns}."
            )
        column = chosen[0]
    if names.count(column) != 1:
        times = "no" if column not in names else f"{names.count(column)} times the"
        raise InputError(f"{what} has {times} column {column!r}; {columns}.")
    values = _values(source[column])
    if values is None:
        raise InputError(
            f"The column {column!r} of {what[0].lower()}{what[1:]} is no list of values, but of "
            f"type {type(source[column]).__name__}; give a list of texts."
        )
    return values


def is_table(source: Any) -> bool:
    """Whether :func:`texts_of` takes a column out of ``source``."""
    return _column_names(source) is not None


def _column_names(source: Any) -> list[Any] | None:
    """Names of a table's columns; None for what is none."""
    if isinstance(source, Mapping):
        return list(source)
    if isinstance(source, type):
        return None
    if hasattr(source, "collect_schema"):  # asking a LazyFrame for its columns is a warning
        return list(source.collect_schema())
    for found in (
        getattr(source, "column_names", None),  # before columns, which in Arrow are the values
        getattr(source, "columns", None),
        getattr(getattr(source, "dtype", None), "names", None),
    ):
        if isinstance(found, Iterable) and not callable(found):
            return list(found)
    return None


def _values(column: Any) -> list[Any] | None:
    """Values of a column as Python objects; None for what is no column of a known kind."""
    if getattr(column, "ndim", 1) != 1:
        return None
    for method in ("to_pylist", "to_list", "tolist"):  # Arrow; Polars and pandas; NumPy
        convert: Callable[[], list[Any]] | None = getattr(column, method, None)
        if convert is not None:
            return convert()
    return list(column) if isinstance(column, Sequence) and not isinstance(column, str) else None


def _are_paths(items: Sequence[Any]) -> bool:
    if any(map(_is_path, items)):
        wrong = next((i for i in items if not isinstance(i, str) and not _is_path(i)), None)
        if wrong is not None:
            raise InputError(f"A list of paths holds a {type(wrong).__name__}; give paths alone.")
        return True
    if not items or not all(isinstance(item, str) for item in items):
        return False
    if all(storage.is_url(item) and _is_one_word(item) for item in items):
        return True
    endings = [item.lower().endswith(_KNOWN_SUFFIXES) for item in items]
    files = [item for item, ends in zip(items, endings, strict=True) if ends and _is_one_word(item)]
    if any(map(_exists, files)):
        return True  # _find() will name an item that is missing
    if not all(ends or _is_one_word(item) for item, ends in zip(items, endings, strict=True)):
        return False
    found = [_exists(item) for item in items[:_LOOKED_UP]]
    if all(found) or len(files) == len(items):
        return True
    if not any(found):
        return False
    there, missing = items[found.index(True)], items[found.index(False)]
    raise InputError(
        f"The list could be paths or sentences of one word: there is {_shown(there)}, but no "
        f"{_shown(missing)}; give paths as pathlib.Path, and sentences as iter(sentences)."
    )


def _is_path(item: object) -> bool:
    """Whether something is a path as an object, here or on other storage."""
    return isinstance(item, os.PathLike) or (not isinstance(item, str) and storage.is_url(item))


def _is_one_word(item: str) -> bool:
    return len(item.split(None, 1)) == 1 and not item[-1:].isspace()


def _exists(name: str) -> bool:
    try:
        if name == STANDARD_INPUT or os.path.exists(name):
            return True
        return glob.has_magic(name) and next(glob.iglob(name, recursive=True), None) is not None
    except ValueError:  # a NUL character: no file has it in its name
        return False


def _find(item: str | os.PathLike[str]) -> list[TextInput]:
    """Files that one path, directory or glob stands for, in the order of their names."""
    if item == STANDARD_INPUT:
        return [StandardInput()]
    if storage.is_url(item):
        item = storage.path_of(item)
        if storage.is_url(item):
            return _on_storage(item)
    name = os.fspath(item)
    path = Path(name)
    if name and os.path.isdir(name):
        return _in_directory(path)
    if name and os.path.exists(name):
        return [TextFile.from_path(path)]
    if glob.has_magic(name):
        matches = sorted(m for m in glob.glob(name, recursive=True) if not os.path.isdir(m))
        if not matches:
            raise InputError(f"No file matches {_shown(name)}; check the pattern and the folder.")
        return [TextFile.from_path(Path(match)) for match in matches]
    raise InputError(
        f"There is no file or directory {_shown(name)}; check the path, or, to train on "
        "strings, give a list of sentences, or iter(sentences) if some are names of files."
    )


def _on_storage(path: Path) -> list[TextInput]:
    """Files that a URL stands for."""
    found = storage.files_at(path, _KNOWN_SUFFIXES)
    if found is None:
        raise InputError(f"There is nothing at {_shown(str(path))}; check the name.")
    if not found:
        raise InputError(
            f"{_shown(str(path))} leads to no file; check the pattern, or that the files of the "
            f"folder have one of the suffixes {', '.join(_KNOWN_SUFFIXES)}."
        )
    return [replace(TextFile.from_path(file), stop=size) for file, size in found]


def _shown(name: str) -> str:
    return repr(name if len(name) <= 200 else name[:200] + "...")


def _in_directory(folder: Path) -> list[TextInput]:
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.name.lower().endswith(_KNOWN_SUFFIXES)
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not files:
        raise InputError(
            f"The directory {folder} holds no text; files in it need one of the suffixes "
            f"{', '.join(_KNOWN_SUFFIXES)}."
        )
    return [TextFile.from_path(path) for path in files]


def are_paths(source: Any) -> bool:
    """Whether a source is a path or several."""
    if isinstance(source, (list, tuple)):
        return isinstance(next(iter(source), None), TextFile) or _are_paths(source)
    return isinstance(source, (str, bytes)) or _is_path(source)


def check_drivers(source: Any) -> None:
    """Raise :class:`InputError` unless what opens the URLs of a source is installed here."""
    for item in source if isinstance(source, (list, tuple)) else [source]:
        if storage.is_url(item):
            storage.check_driver(item)


def paths_of(source: Any) -> list[Path]:
    """Where the files of a source are, to be read again; none if part of it cannot be."""
    found = resolve(source) if are_paths(source) else Sentences(source)
    if isinstance(found, Sentences) or not all(isinstance(file, TextFile) for file in found):
        return []
    return [cast("Path", file.path).absolute() for file in found]


def find_parts(source: Any, n_parts: int, largest: int) -> list[TextFile]:
    """Find the files of a source, and cut large plain ones at line ends.

    A sentence lies in one part, and the parts one after another are the text.

    Parameters
    ----------
    source : path, glob, directory, or several of them
    n_parts : int
        About so many are made, if all can be cut, ...
    largest : int
        ... but of no more bytes than that.

    Raises
    ------
    InputError
        If something is not there, or is standard input.
    """
    files: list[TextFile] = []
    found = resolve(source)
    for file in () if isinstance(found, Sentences) else found:
        if isinstance(file, StandardInput):
            raise InputError("Standard input cannot be read in parts; give files.")
        if storage.is_url(file.path):
            files.append(file)
            continue
        if not file.path.is_file():
            raise InputError(
                f"{file.path} is no regular file, and cannot be read in parts; give files."
            )
        files.append(replace(file, path=file.path.absolute()))
    total = sum(file.size for file in files)
    step = max(1, min(largest, total // n_parts))
    return [part for file in files for part in cut_file(file, step)]


def cut_file(file: TextFile, step: int) -> list[TextFile]:
    """Cut a plain text after lines, every ``step`` bytes; other files stay whole.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "text"
    >>> _ = path.write_text("one" + chr(10) + "two three" + chr(10) + "four")
    >>> [(part.start, part.stop) for part in cut_file(TextFile.from_path(path), 3)]
    [(0, 4), (4, 14), (14, 18)]
    """
    size = file.size
    if file.format != "text" or file.compression is not None or size <= step:
        return [file]
    edges = [0, *_line_ends(file, range(step, size, step)), size]
    edges = sorted(set(edges))
    return [replace(file, start=start, stop=stop) for start, stop in pairwise(edges)]


def _line_ends(file: TextFile, places: Sequence[int]) -> Iterator[int]:
    """Where the lines end in which the bytes before some places, rising, are."""
    if storage.is_url(file.path):
        yield from storage.line_ends(file.path, places, file.size)
        return
    end = 0
    try:
        with open(file.path, "rb") as handle:
            for place in places:
                if place > end:  # else within a line that was read to its end
                    handle.seek(place - 1)
                    while (part := handle.readline(_READ)) and not part.endswith(b"\n"):
                        pass  # a line of any length
                    end = handle.tell()
                yield end
    except OSError as error:
        raise InputError(
            f"{file.path} cannot be read ({error.strerror or error}); check its permissions."
        ) from error
