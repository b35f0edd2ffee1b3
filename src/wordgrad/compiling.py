"""How Numba compiles kernels, and where their machine code is kept.

Compiled code is kept in a folder named by a digest of every kernel's source and of the versions of
Numba, llvmlite and wordgrad.  Numba itself looks at the file of the outermost function alone, and
would go on running old tiles after an update of ``tiles.py``.  Folders of other digests that no
process has used for :data:`DAYS_KEPT` days are removed when a new one is made.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numba.core.config
from numba import njit
from numba.core.caching import FunctionCache
from platformdirs import user_cache_path

PACKAGE = Path(__file__).parent
SOURCES = (
    "compiling.py",
    "corpus/word_table.py",
    "corpus/phrase_counts.py",
    "training/kernels/*.py",
    "classification/*.py",
)
"""Where kernels are, as patterns of files."""

DAYS_KEPT = 90
_FOLDER = re.compile(r"kernels-[0-9a-f]{16}")


def source_digest(package: Path = PACKAGE) -> str:
    """Return 16 hexadecimal digits that change with any kernel, Numba, llvmlite or wordgrad."""
    digest = hashlib.sha256()
    for name in ("numba", "llvmlite", "wordgrad"):
        digest.update(f"{name} {version(name)}\n".encode())
    for pattern in SOURCES:
        for source in sorted(package.glob(pattern)):
            digest.update(f"{source.relative_to(package).as_posix()}\n".encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


@cache
def cache_folder() -> Path | None:
    """Return where compiled kernels are kept, or None where nothing can be written.

    In ``NUMBA_CACHE_DIR`` if that is set, else in the user's cache folder.  Where neither can be
    written (a read-only container, a missing home), kernels are compiled in memory, a few seconds
    each time, and one warning says so.
    """
    home = numba.core.config.CACHE_DIR
    try:
        base = Path(home) if home else user_cache_path("wordgrad", appauthor=False)
        folder = base / f"kernels-{source_digest()}"
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            os.utime(folder)  # used now
        if is_new:
            _remove_unused(base, time.time() - DAYS_KEPT * 86_400)
        return folder
    except (OSError, RuntimeError) as error:  # RuntimeError: nobody knows the user's home
        _warn_of(error)
        return None


def _remove_unused(base: Path, last_use: float) -> None:
    """Remove folders of kernels that were last used before a time (seconds since the epoch).

    A process that is using one after all loses nothing: what cannot be loaded is compiled again.
    """
    for entry in base.iterdir():
        with suppress(OSError):  # another process may be removing it, too
            ours = _FOLDER.fullmatch(entry.name) and not entry.is_symlink()
            if ours and entry.stat().st_mtime < last_use:
                shutil.rmtree(entry, ignore_errors=True)


@cache
def _warn_once(reason: str) -> None:
    warnings.warn(
        f"Compiled kernels cannot be kept ({reason}), so each process compiles them again, for "
        "some seconds; set the environment variable NUMBA_CACHE_DIR to a folder that can be "
        "written.",
        RuntimeWarning,
        stacklevel=2,
    )


def _warn_of(error: BaseException) -> None:
    _warn_once(str(getattr(error, "strerror", None) or error))


class _KernelCache(FunctionCache):  # type: ignore[misc]  # Numba has no types
    """Numba's cache, to which a full disk or a damaged file does no harm."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        # Whatever cannot be loaded, a file cut short among others, is compiled again.
        with suppress(Exception):
            return super().load_overload(sig, target_context)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            try:
                super().save_overload(sig, data)
            except (EOFError, ValueError, LookupError, TypeError, pickle.UnpicklingError):
                self.flush()  # the index is damaged: begin another
                super().save_overload(sig, data)
        except OSError as error:
            _warn_of(error)


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a kernel with these options of :func:`numba.njit`.

    Without the interpreter's lock (``nogil``), with divisions as in NumPy, and kept on disk.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        """Compile ``function`` when it is first called."""
        dispatcher = njit(nogil=True, error_model="numpy", **options)(function)
        folder = cache_folder()
        if folder is not None:
            before = numba.core.config.CACHE_DIR
            numba.core.config.CACHE_DIR = os.fspath(folder)
            try:
                dispatcher._cache = _KernelCache(function)
            except RuntimeError as error:  # Numba, too, looks for a place, and finds none
                _warn_of(error)
            finally:
                numba.core.config.CACHE_DIR = before
        return dispatcher

    return decorate


jit = compiled()
"""For what Python calls, and what runs once a span."""

inline_jit = compiled(forceinline=True)
"""For what runs inside a window: a call would copy the workspace's record every time."""
