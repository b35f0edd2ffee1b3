"""One training a folder: a lock that goes away with the process that holds it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from wordgrad.errors import OutputError


class FolderLock:
    """Holds ``lock`` in a folder, or raises :class:`OutputError` if another training does.

    The operating system holds the lock for the open file, not the file for the lock: however a
    process ends, its lock ends with it, and the file that stays behind locks nothing.  It is never
    removed, for whoever has it open could then hold a lock that nobody else can see.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise OutputError(
                f"The checkpoint folder {folder} cannot be written ({error.strerror}); choose "
                "another folder or change its permissions."
            ) from error
        try:
            _lock(self._descriptor)
        except OSError as error:
            holder = os.pread(self._descriptor, 20, 1).decode("ascii", "replace") if _POSIX else ""
            os.close(self._descriptor)
            who = f"process {holder.strip()}" if holder.strip().isdigit() else "another process"
            raise OutputError(
                f"The checkpoint folder {folder} is in use by a training ({who}); wait until it "
                "has ended, stop it, or choose another folder."
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"\n{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let others have the folder; doing so twice is no error."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


_POSIX = sys.platform != "win32"

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
