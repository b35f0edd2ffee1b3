"""A folder for a corpus: a temporary one, which goes away with it, or one that is kept."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from wordgrad.errors import OutputError
from wordgrad.files import sync, sync_folder


class CorpusFolder:
    """A new folder, removed by :meth:`remove`, by garbage collection or at exit, unless kept.

    Parameters
    ----------
    parent : path, optional
        Where to make it; by default where the operating system keeps temporary files.
    name : str, optional
        What to call it; by default something that no other folder is called.
    what : str
        What it is for, to be named in messages.

    Raises
    ------
    OutputError
        If the folder cannot be made.
    """

    def __init__(
        self,
        parent: str | os.PathLike[str] | None = None,
        name: str | None = None,
        what: str = "The encoded text",
    ) -> None:
        self._named = name is not None
        self._what = what
        try:
            if name is None:
                self.path = Path(tempfile.mkdtemp(prefix="wordgrad-", dir=parent))
            else:
                self.path = Path(parent or tempfile.gettempdir(), name)
                self.path.mkdir()
        except OSError as error:
            raise OutputError(
                f"No temporary folder could be made in {parent or tempfile.gettempdir()} "
                f"({error.strerror or error}); name another place with folder."
            ) from error
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    @classmethod
    def existing(cls, path: Path) -> CorpusFolder:
        """Return a folder that was kept; it stays."""
        folder = cls.__new__(cls)
        folder.path = path
        folder._named = True
        folder._finalizer = weakref.finalize(folder, shutil.rmtree, path, ignore_errors=True)
        folder._finalizer.detach()
        return folder

    def finish(self) -> None:
        """If the folder has a name: flush its files to the disk, and keep it from now on."""
        if not self._named:
            return
        with self.writing():
            for file in self.path.iterdir():
                sync(file)
            sync_folder(self.path)
            sync_folder(self.path.parent)
        self._finalizer.detach()

    def remove(self) -> None:
        """Remove the folder and all in it, unless it is kept; doing so twice is no error."""
        self._finalizer()

    @contextmanager
    def new_file(self, name: str) -> Iterator[Callable[[NDArray[Any]], None]]:
        """Create a file; yield a function that appends an array's bytes to it."""
        with self.writing():
            handle = open(self.path / name, "wb")  # noqa: SIM115 (closed below, under writing())

        def write(array: NDArray[Any]) -> None:
            with self.writing():
                handle.write(array.data)

        try:
            yield write
        finally:
            with self.writing():
                handle.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn operating-system errors of the block into one :class:`OutputError`."""
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            remedy = (
                "free some space, or name a folder on another disk with folder"
                if full
                else "name another place with folder"
            )
            raise OutputError(
                f"{self._what} could not be written to {self.path} "
                f"({error.strerror or error}); {remedy}."
            ) from error
