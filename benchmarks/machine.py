"""Where, when and with what a result was measured; fresh processes; and how results are kept."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from texts import sha256

RESULTS = Path(__file__).with_name("results")
ROOT = Path(__file__).parents[1]
_PACKAGES = (
    "wordgrad",
    "numba",
    "llvmlite",
    "numpy",
    "polars",
    "scikit-learn",
    "gensim",
    "fasttext-numpy2-wheel",
)


def _first_value(file: str, key: str) -> str | None:
    """Value of the first ``key: value`` line of a Linux status file."""
    path = Path(file)
    if not path.exists():
        return None
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # Windows
        return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def commit(source: Path = ROOT / "src") -> str | None:
    """The commit of the folder ``source``, marked if files in it differ from the commit."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=source, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".")
        return git("rev-parse", "HEAD") + (" with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def circumstances() -> dict[str, Any]:
    """Date, machine, versions and commit: the head of every result."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": _first_value("/proc/cpuinfo", "model name") or platform.processor(),
            "cores": os.cpu_count(),
            "memory_bytes": _memory_bytes(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "python": platform.python_version(),
        },
        "versions": {package: _version(package) for package in _PACKAGES},
        "commit": commit(),
    }


def load_average() -> float | None:
    """Processes that want to run, the mean of the last minute; ``None`` on Windows."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def peak_memory() -> int | None:
    """Peak resident bytes of this process, or ``None`` where the system does not tell.

    On Linux ``VmHWM`` is taken before ``ru_maxrss``, which also counts the parent's pages that a
    child held between its start and its own program.
    """
    found = _first_value("/proc/self/status", "VmHWM")
    if found is not None:
        return int(found.split()[0]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def describe_text(path: Path) -> dict[str, Any]:
    """Name, size and hash of a text, never its place on this machine."""
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, extremes and the values themselves."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "values": list(values),
    }


# ---------------------------------------------------------------- fresh processes


def run_script(
    script: Path,
    arguments: Sequence[str],
    threads: int,
    *,
    seed: int = 1,
    numba_cache: Path | None = None,
    source: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh process, every library with as many threads.

    Parameters
    ----------
    script, arguments
        What is run.
    threads : int
        Threads of Polars, Numba and BLAS.
    seed : int
        Of Python's hashes.
    numba_cache : path, optional
        Folder of compiled kernels.
    source : path, optional
        Folder whose ``wordgrad`` is imported; by default the installed one.
    """
    names = ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {
        **os.environ,
        **dict.fromkeys(names, str(threads)),
        "PYTHONHASHSEED": str(seed),
    }
    if numba_cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(numba_cache)
    if source is not None:
        environment["PYTHONPATH"] = str(source.resolve())
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def last_lines(done: subprocess.CompletedProcess[str]) -> str:
    """What a process that failed said at its end."""
    return "\n".join(done.stderr.strip().splitlines()[-5:]) or f"exit code {done.returncode}"


# ------------------------------------------------------------------------ results


def write_json(name: str, record: dict[str, Any], folder: Path | None = None) -> Path:
    """Write ``record`` to the folder of results, all of it or nothing."""
    target = (folder or RESULTS) / name
    partial = target.with_suffix(".part")
    partial.write_text(json.dumps(record, indent=1) + "\n")
    return partial.replace(target)


def append_json_line(path: Path, record: dict[str, Any]) -> None:
    """Add one record to a JSON-lines file with a single write, so that no line is ever half."""
    line = (json.dumps(record) + "\n").encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError(f"{path} took only a part of a record; free some space and run again.")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json_lines(path: Path) -> Iterable[dict[str, Any]]:
    """Records of a JSON-lines file, none if there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


class Cells:
    """A result made of cells: each is written as soon as it is measured, and measured once.

    A cell is measured again only if its settings or the commit are others than those that it was
    measured with, or if a fresh run is wanted; so a run that is cut short goes on where it stopped.

    Parameters
    ----------
    name : str
        Of the file in ``benchmarks/results``.
    head : mapping
        What the result says of all its cells.
    fresh : bool
        Whether cells that are there already are measured again.
    """

    def __init__(self, name: str, head: Mapping[str, Any], *, fresh: bool) -> None:
        self._name, self._head, self._fresh = name, head, fresh
        self._circumstances = circumstances()
        path = RESULTS / name
        before = json.loads(path.read_text()) if path.exists() else {}
        self.cells: dict[str, dict[str, Any]] = before.get("cells", {})

    def measure(
        self, name: str, settings: Mapping[str, Any], work: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """The cell ``name``: as it is there for these settings, or what ``work`` returns."""
        same = {"settings": dict(settings), "commit": self._circumstances["commit"]}
        there = self.cells.get(name, {})
        if not self._fresh and same.items() <= there.items():
            print(f"{name}: measured already", file=sys.stderr)
            return there
        self.cells[name] = {**same, "date": circumstances()["date"], **work()}
        record = {**self._head, **self._circumstances, "cells": self.cells}
        path = write_json(self._name, record)
        print(f"{name}: written to {path}", file=sys.stderr)
        return self.cells[name]


class Lines:
    """Measurements on one text, each a line of a JSON-lines file, measured once.

    Parameters
    ----------
    path : path
        The file.
    text_sha256 : str
        Hash of the text; what was measured on another one does not count.
    again : bool
        Whether what is on record is measured once more.
    report : callable
        Receives every measurement.
    """

    def __init__(
        self, path: Path, text_sha256: str, *, again: bool, report: Callable[[str], None]
    ) -> None:
        self._path, self._text, self._report = path, text_sha256, report
        lines = [] if again else read_json_lines(path)
        self._found = {
            one["key"]: one["found"] for one in lines if one["text_sha256"] == self._text
        }

    def measure(
        self, key: str, work: Callable[..., dict[str, Any]], *arguments: Any, **named: Any
    ) -> dict[str, Any]:
        """The measurement ``key``, made now by ``work`` unless it is on record."""
        if key not in self._found:
            found = work(*arguments, **named)
            line = {"key": key, "text_sha256": self._text, "found": found}
            append_json_line(self._path, line)
            self._found[key] = found
        figures = [(n, v) for n, v in self._found[key].items() if isinstance(v, float)]
        self._report(f"{key}: {', '.join(f'{name} {value:.4g}' for name, value in figures)}")
        return dict(self._found[key])
