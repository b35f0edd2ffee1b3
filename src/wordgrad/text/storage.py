"""A temporary folder for a corpus, which goes away with it."""

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


class CorpusFolder:
    """A new folder, removed by :meth:`remove`, by garbage collection or at exit.

    Parameters
    ----------
    parent : path, optional
        Where to make it; by default where the operating system keeps temporary files.
    what : str
        What it is for, to be named in messages.

    Raises
    ------
    OutputError
        If the folder cannot be made.
    """

    def __init__(
        self, parent: str | os.PathLike[str] | None = None, what: str = "The encoded text"
    ) -> None:
        self._what = what
        try:
            self.path = Path(tempfile.mkdtemp(prefix="wordgrad-", dir=parent))
        except OSError as error:
            raise OutputError(
                f"No temporary folder could be made in {parent or tempfile.gettempdir()} "
                f"({error.strerror or error}); name another place with folder."
            ) from error
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def remove(self) -> None:
        """Remove the folder and all in it; doing so twice is no error."""
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
