"""Writing files so that nothing is ever lost or half written."""

from __future__ import annotations

import errno
import mmap
import os
import secrets
import stat
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from wordgrad import storage
from wordgrad.errors import OutputError
from wordgrad.storage import already_there, is_url, path_of

_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "allow larger files (ulimit -f)",
}


def check_output(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Raise :class:`OutputError` unless ``path`` can be written; nothing is left behind.

    Called before long work starts, so that hours of training never end in "permission denied".
    The folder must exist and take a new file; the file itself must not exist, unless ``overwrite``.
    Behind a URL there need be no folder, and a new file is tried, too.
    """
    target = _followed(path)
    if is_url(target):
        return storage.check_output(target, overwrite=overwrite)
    folder = target.parent
    if target.is_dir():
        raise OutputError(f"The output {target} is a directory; name a file in it.")
    if not folder.is_dir():
        raise OutputError(f"The output folder {folder} does not exist; create it first.")
    if target.exists() and not target.is_file():  # renaming to /dev/null would replace the device
        raise OutputError(f"The output {target} is a device or a pipe; name a file.")
    if target.exists() and not overwrite:
        raise already_there(target)
    probe = _beside(target)
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"The output folder {folder} cannot be written ({error.strerror}); choose another "
            "folder or change its permissions."
        ) from error
    return path_of(path)


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` if the block succeeds.

    The temporary file is flushed to the disk before the rename, so that a reader sees the old file
    or the whole new one and never a part, even across a crash; the folder is flushed after it, so
    that a new file is still there after a power cut.  If the block fails, the temporary file is
    removed and the old file stays as it was.  Each has a name of its own, so two processes that
    write to one path do not meet: the last rename stays, or without ``overwrite`` the first.  A
    symbolic link is followed.  A URL's file is written here and then sent: an object store shows
    all of it or nothing.

    Raises
    ------
    OutputError
        For every operating-system error on the way (a full disk among them), with a remedy; or,
        unless ``overwrite``, if the file is there at the end, even if it was not at the start.
    """
    target = _followed(path)
    if is_url(target):
        with _sent(target, overwrite=overwrite) as temporary:
            yield temporary
        return
    temporary = _beside(target)
    try:
        temporary.touch(exist_ok=False)
        # A library may create its file again, readable by its owner alone: give the result the
        # permissions of the file that it replaces, or those that any new file has here.
        mode = (target if target.exists() else temporary).stat().st_mode
        yield temporary
        os.chmod(temporary, stat.S_IMODE(mode))
        sync(temporary)
        if overwrite:
            os.replace(temporary, target)
        else:
            _put(temporary, target)
        sync_folder(target.parent)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        remedy = _remedy(error)
        raise OutputError(
            f"{target} could not be written ({error.strerror or error}); {remedy} and try again; "
            "a file that was there before is unchanged."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _sent(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary path, and send what was written there if the block succeeds."""
    try:
        with tempfile.TemporaryDirectory(prefix="wordgrad-") as folder:
            temporary = Path(folder, target.name)
            temporary.touch()
            yield temporary
            storage.send(temporary, target, overwrite=overwrite)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"{target} could not be written, first to {tempfile.gettempdir()} "
            f"({error.strerror or error}); {_remedy(error)}, or name another folder by the "
            "environment variable TMPDIR."
        ) from error


class GrowingArray:
    """An array of one dimension that grows at its end, and goes to a temporary file when large.

    The file has no name, or goes with the process, and its pages leave memory when that is needed
    for something else.

    Parameters
    ----------
    dtype : dtype
    in_memory : int
        Bytes that are kept in memory; what is larger lies in the file.
    what : str
        What it holds, for messages.

    Examples
    --------
    >>> numbers = GrowingArray(np.int32, in_memory=8)
    >>> for part in ([1, 2], [3], []):
    ...     numbers.append(np.array(part, np.int32))
    >>> len(numbers), numbers.array().tolist()
    (3, [1, 2, 3])
    """

    def __init__(
        self, dtype: DTypeLike, in_memory: int = 1 << 26, what: str = "The encoded texts"
    ) -> None:
        self._what = what
        self._dtype = np.dtype(dtype)
        self._in_memory = in_memory
        self._parts: list[NDArray[Any]] = []
        self._file: IO[bytes] | None = None
        self._length = 0

    def __len__(self) -> int:
        """Return the number of elements."""
        return self._length

    def append(self, values: NDArray[Any]) -> None:
        """Add some values; what was given may change afterwards.

        Raises
        ------
        OutputError
            If the temporary file cannot be written.
        """
        self._parts.append(np.array(values, self._dtype))
        self._length += len(values)
        if self._length * self._dtype.itemsize > self._in_memory:
            self._write()

    def array(self) -> NDArray[Any]:
        """All values, which may be changed; nothing can be appended any more."""
        if self._file is None:
            return np.concatenate([np.zeros(0, self._dtype), *self._parts])
        mapped: NDArray[Any] = np.memmap(self._file, self._dtype, "r+", shape=(self._length,))
        self._file.close()  # the map has a handle of its own
        return mapped

    def _write(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="wordgrad-")  # noqa: SIM115
                weakref.finalize(self, self._file.close)
            for part in self._parts:
                self._file.write(part.data)
            self._file.flush()
        except OSError as error:
            raise OutputError(
                f"{self._what} could not be written to {tempfile.gettempdir()} "
                f"({error.strerror or error}); {_remedy(error)}, or name another folder by the "
                "environment variable TMPDIR."
            ) from error
        self._parts.clear()


def release_pages(*arrays: NDArray[Any]) -> None:
    """Give the memory of arrays back that are mapped from files; when used it is read again.

    The operating system counts mapped pages to the process once they were touched, and takes them
    back only under pressure.  This keeps the count honest.
    """
    for array in arrays:
        mapped = getattr(array, "_mmap", None)
        if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)


def sync(path: Path) -> None:
    """Wait until the file's bytes are on the disk."""
    with open(path, "rb+") as handle:
        os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the folder's names are on the disk, where the system can do that."""
    if os.name == "nt":  # Windows opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems have nothing to flush, and say so
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _followed(path: str | os.PathLike[str]) -> Path:
    """Where a symbolic link leads: the link stays, and what it names is written."""
    target = path_of(path)
    return target if is_url(target) or not target.is_symlink() else Path(os.path.realpath(target))


def _put(temporary: Path, target: Path) -> None:
    """Give the file its name, unless another process was faster: a link never replaces."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise already_there(target) from None
    except OSError:  # a file system without links: a moment stays between look and rename
        if target.exists():
            raise already_there(target) from None
        os.replace(temporary, target)


def _remedy(error: OSError) -> str:
    # Libraries written in Rust tell the number in their message alone.
    numbers = [error.errno] + [n for n in _REMEDIES if f"(os error {n})" in str(error)]
    return next(
        (_REMEDIES[number] for number in numbers if number in _REMEDIES),
        "check the folder and its permissions",
    )


def _beside(target: Path) -> Path:
    # A name that is as long as names may be leaves no room for more.
    short = target.name.encode(errors="surrogateescape")[:180].decode(errors="ignore")
    return target.with_name(f".{short}.{secrets.token_hex(4)}.part")
