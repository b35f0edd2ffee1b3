"""What a process has: its cores, and the threads of Polars, which a fork loses.

A forked child has the memory of its parent and only the thread that forked.  Polars keeps a pool
of threads from its first use on, so a child of a process that has used it waits for ever for
threads that are not there.  ``fork`` is how ``multiprocessing`` starts processes on Linux up to
Python 3.13, and what ``gunicorn --preload`` and data loaders do.

Loaded with ``import wordgrad``, for only what was registered before a fork can notice it.  Of a
parent that used Polars and never imported wordgrad nothing can be known.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from wordgrad.errors import InputError

_POOL_THREAD = re.compile(r"polars-\d+")
_THREADS = Path("/proc/self/task")

_pool_at_fork = False  # whether the pool ran when this process last forked
_lost = False  # whether it ran in a process that this one was forked from


def usable_cores() -> int:
    """Return the number of cores that this process may use, where the system tells, else of all.

    In a container they may be fewer than there are.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def forked_after_polars() -> bool:
    """Whether Polars was in use when this process was forked, so that it must not be used here."""
    return _lost


def refuse_after_fork(what: str) -> None:
    """Raise an error where using Polars would wait for ever.

    Parameters
    ----------
    what : str
        The beginning of the sentence: what needs Polars, as in "Reading a table".

    Raises
    ------
    InputError
        If :func:`forked_after_polars`.

    Examples
    --------
    >>> refuse_after_fork("Reading a table")
    """
    if _lost:
        raise InputError(
            f"{what} needs the threads of Polars, which do not survive the fork that made this "
            'process; start it with the method "spawn" or "forkserver" of multiprocessing, or do '
            "this before the fork."
        )


def _note_pool() -> None:
    global _pool_at_fork
    _pool_at_fork = "polars" in sys.modules and _pool_runs()


def _pool_runs() -> bool:
    """Whether Polars' pool has been started; where that cannot be seen, that it is imported."""
    if not _THREADS.is_dir():  # not Linux
        return True
    for thread in _THREADS.iterdir():
        try:
            if _POOL_THREAD.match((thread / "comm").read_text()):
                return True
        except OSError:  # it has ended meanwhile
            continue
    return False


def _note_loss() -> None:
    global _lost
    _lost |= _pool_at_fork


if hasattr(os, "register_at_fork"):  # not on Windows, which forks nothing
    os.register_at_fork(before=_note_pool, after_in_child=_note_loss)
