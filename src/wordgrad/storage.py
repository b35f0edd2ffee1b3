"""Other storage: what lies behind a URL, by way of fsspec, whose only home this is.

A URL becomes an object with the methods of :class:`pathlib.Path` that are used here (a ``UPath`` of
universal-pathlib), so that readers and writers need not know where a file lies.  Nothing is
imported for a path that is none.  Credentials are found as the drivers find them: environment,
their own files, the machine's role.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast
from urllib.parse import unquote, urlsplit

from wordgrad.errors import InputError, OutputError, WordgradError

AnyPath: TypeAlias = "str | os.PathLike[str]"
"""A path or a URL.  What :func:`path_of` returns for a URL is one, too."""

INSTALL = "python -m pip install 'wordgrad[cloud]'"
BLOCK = 16 << 20
"""Bytes that are asked for at once: a request takes as long as some megabytes do."""

_LINE = 64 << 10  # bytes that are looked at first for the end of a line
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_CREATES = ("s3", "s3a")  # which can refuse to replace
_WEB = ("http", "https")  # whose names may hold ? and [, and which list no folders


def is_url(path: object) -> bool:
    """Whether a path leads to other storage.

    >>> is_url("s3://bucket/text"), is_url("text/a.txt"), is_url(Path("text"))
    (True, False, False)
    """
    if isinstance(path, str):
        return _URL.match(path) is not None
    return not isinstance(path, os.PathLike) and hasattr(type(path), "storage_options")


def path_of(path: AnyPath) -> Path:
    """A path as an object: a :class:`~pathlib.Path`, or what has its methods for a URL.

    Raises
    ------
    InputError
        If what opens such URLs is not installed.

    >>> path_of("text/a.txt"), path_of("file:///text/a.txt")
    (PosixPath('text/a.txt'), PosixPath('/text/a.txt'))
    """
    if not isinstance(path, str) or not is_url(path):
        return path if is_url(path) or isinstance(path, Path) else Path(path)  # type: ignore[return-value]
    if path.startswith("file://"):
        return Path(unquote(urlsplit(path).path))
    try:
        from upath import UPath
    except ImportError as error:
        raise InputError(
            f"{path} names other storage, which needs universal-pathlib; install it with {INSTALL}."
        ) from error
    with reading(path):
        return cast("Path", UPath(path))


def check_driver(url: AnyPath) -> None:
    """Raise :class:`InputError` unless what opens such URLs is installed."""
    with reading(url):
        _system(path_of(url))


def why(error: Exception) -> str:
    """What an error of a driver says, on one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).strip().partition("\n")[0].rstrip(".")[:300]


@contextmanager
def reading(path: object) -> Iterator[None]:
    """Turn whatever a driver raises into one :class:`InputError`: each has errors of its own."""
    try:
        yield
    except WordgradError:
        raise
    except Exception as error:
        raise InputError(f"{path} cannot be read ({why(error)}); {_remedy(error)}.") from error


@contextmanager
def writing(path: object) -> Iterator[None]:
    """Turn whatever a driver raises into one :class:`OutputError`."""
    try:
        yield
    except WordgradError:
        raise
    except Exception as error:
        raise OutputError(
            f"{path} could not be written ({why(error)}); {_remedy(error)}."
        ) from error


def _remedy(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"{INSTALL} brings what opens s3://, and other drivers are installed by their names"
    return "check the name, the credentials and the connection"


def files_at(name: AnyPath, endings: tuple[str, ...]) -> list[tuple[Path, int]] | None:
    """Files that a URL of a file, a folder or a glob stands for, with their sizes.

    They are in the order that local files would have; hidden ones are left out, as there, and in a
    folder those without one of the endings, too.

    Returns
    -------
    list of (path, int), or None
        None where nothing has that name; empty for a folder or a glob without files.

    Raises
    ------
    InputError
        If the storage cannot be asked, or does not tell a file's size.
    """
    url = path_of(name)
    with reading(name):
        system, place = _system(url), cast("Any", url).path
        system.invalidate_cache()  # others may have written since
        try:
            info = system.info(place)
        except FileNotFoundError:
            if _protocol(url) in _WEB or not re.search(r"[*?[]", place):
                return None
            found = system.glob(place, detail=True)
            fixed = re.split(r"[*?[]", place)[0].count("/")  # parts that the pattern spells out
            pattern = place.split("/")[-1]
        else:
            if info["type"] == "file":
                if info["size"] is None:
                    raise InputError(
                        f"{name} has no size that its server tells; download it and give the file."
                    )
                return [(url, int(info["size"]))]
            found = system.find(place, detail=True)
            fixed, pattern = place.rstrip("/").count("/") + 1, ""
            found = {one: at for one, at in found.items() if one.lower().endswith(endings)}
        names = [
            one
            for one, about in found.items()
            if about["type"] == "file"
            and (pattern.startswith(".") or not _is_hidden(one.split("/")[fixed:]))
        ]
        # As pathlib sorts a folder, part by part, and as glob's matches are sorted, as strings.
        names.sort(key=None if pattern else lambda one: one.split("/"))
        return [(path_of(system.unstrip_protocol(one)), int(found[one]["size"])) for one in names]


def _is_hidden(parts: Sequence[str]) -> bool:
    return any(part.startswith(".") for part in parts)


def _system(path: Path) -> Any:
    """The file system of fsspec that a path is on."""
    return cast("Any", path).fs


def _protocol(path: Path) -> str:
    return str(cast("Any", path).protocol)


def ranges(path: Path, starts: Sequence[int], stops: Sequence[int]) -> list[bytes]:
    """Some ranges of bytes of a file, which many drivers fetch at the same time.

    Raises
    ------
    InputError
    """
    with reading(path):
        place = cast("Any", path).path
        found: list[bytes] = _system(path).cat_ranges(
            [place] * len(starts), list(starts), list(stops), on_error="raise"
        )
        return found


def line_ends(path: Path, places: Sequence[int], size: int) -> Iterator[int]:
    """Where the lines end in which the bytes before some places are, for a file of ``size`` bytes.

    From each place one looks as far as the next, at many places at a time, and four times as far
    where no line ended.  A line that goes on beyond is the next one's, too, and told for that one.
    """
    stops = [*(place - 1 for place in places[1:]), size]
    waiting = [(place - 1, stop) for place, stop in zip(places, stops, strict=True)]
    look = _LINE
    while waiting:
        unended = []
        at_once = max(1, BLOCK // look)
        for first in range(0, len(waiting), at_once):
            batch = waiting[first : first + at_once]
            looked = [min(start + look, stop) for start, stop in batch]
            found = ranges(path, [start for start, _ in batch], looked)
            for (start, stop), end, data in zip(batch, looked, found, strict=True):
                if b"\n" in data:
                    yield start + data.index(b"\n") + 1
                elif end < stop:
                    unended.append((end, stop))
        waiting, look = unended, 4 * look


def opened(path: Path) -> BinaryIO:
    """Open a file for reading.

    Raises
    ------
    InputError
    """
    with reading(path):
        return cast("BinaryIO", cast("Any", path).open("rb", block_size=BLOCK))


@contextmanager
def local(path: Path, needed: Callable[[bytes], int] | None = None) -> Iterator[Path]:
    """A file here: itself, or for the time of the block a temporary copy of one that is elsewhere.

    Errors of the block that name the copy name the URL instead.  What is mapped from the copy stays
    when its name is gone.

    Parameters
    ----------
    path : path
    needed : callable, optional
        How many bytes are needed, told by the first eight; the rest of the copy is a hole then.

    Raises
    ------
    InputError
        If it cannot be read, or its copy is not as long as it is.
    """
    if not is_url(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="wordgrad-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder, path.name)
        with reading(path):
            _fetch(path, copy, needed)
        try:
            yield copy
        except WordgradError as error:
            raise type(error)(str(error).replace(str(copy), str(path))) from error


def _fetch(path: Path, copy: Path, needed: Callable[[bytes], int] | None) -> None:
    """Copy a file, or its beginning."""
    system, place = _system(path), cast("Any", path).path
    system.invalidate_cache()
    size = int(system.info(place)["size"])
    if needed is not None:
        stop = min(needed(system.cat_file(place, start=0, end=8)), size)
        copy.write_bytes(system.cat_file(place, start=0, end=stop))
        os.truncate(copy, size)
        return
    room = shutil.disk_usage(copy.parent).free
    if size > room:
        raise InputError(
            f"{path} has {size:,} bytes and {copy.parent} has room for {room:,}; free some space, "
            "or name another folder by the environment variable TMPDIR."
        )
    system.get_file(place, os.fspath(copy))
    if copy.stat().st_size != size:
        raise InputError(f"{path} has {size:,} bytes and {copy.stat().st_size:,} came; try again.")


def names_in(folder: Path) -> list[str]:
    """Names of the files in a folder, now; none if there is no such folder.

    Raises
    ------
    InputError
    """
    if not is_url(folder):
        return [entry.name for entry in folder.iterdir()]
    with reading(folder):
        system = _system(folder)
        system.invalidate_cache()
        try:
            found = system.ls(cast("Any", folder).path, detail=False)
        except FileNotFoundError:
            return []
    return [str(one).rpartition("/")[2] for one in found]


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises
    ------
    OutputError
        Of one on other storage.
    """
    if not is_url(path):
        path.unlink(missing_ok=True)
        return
    with writing(path), suppress(FileNotFoundError):
        _system(path).rm_file(cast("Any", path).path)


def check_output(target: Path, *, overwrite: bool) -> Path:
    """Raise :class:`OutputError` unless a file can be written behind a URL; try it with another.

    Raises
    ------
    OutputError
    """
    with writing(target):
        if not overwrite and _system(target).exists(cast("Any", target).path):
            raise already_there(target)
        probe = target.with_name(f".{target.name[:180]}.{secrets.token_hex(4)}.part")
        _system(target).pipe_file(cast("Any", probe).path, b"wordgrad")
    remove(probe)
    return target


def send(file: Path, target: Path, *, overwrite: bool) -> None:
    """Copy a file that is here to where a URL leads, and see that as many bytes are there.

    Raises
    ------
    OutputError
        If it cannot be done; or, unless ``overwrite``, if there is such a file.  S3 sees to that
        itself; elsewhere a moment stays between look and write.
    """
    system, place = _system(target), cast("Any", target).path
    with writing(target):
        system.invalidate_cache()
        if not overwrite and system.exists(place):
            raise already_there(target)
        created = {} if overwrite or _protocol(target) not in _CREATES else {"mode": "create"}
        try:
            system.put_file(os.fspath(file), place, **created)
        except FileExistsError:
            raise already_there(target) from None
        system.invalidate_cache()
        size, sent = file.stat().st_size, int(system.info(place)["size"])
    if size != sent:
        raise OutputError(f"{target} should have {size:,} bytes and has {sent:,}; try again.")


def already_there(target: Path) -> OutputError:
    """Build the error for an output that is not to be replaced."""
    return OutputError(
        f"The output {target} exists already; choose another name, or allow it to be "
        "replaced with overwrite (--overwrite)."
    )
