"""Where, when and with what a result was measured; and how results are written."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from texts import sha256

RESULTS = Path(__file__).with_name("results")
_ROOT = Path(__file__).parents[1]
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


def _commit() -> str | None:
    """The commit that was measured, marked if files in ``src`` differed from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "src")
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
        "commit": _commit(),
    }


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


def write_json(name: str, record: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write ``record`` to the folder of results, all of it or nothing."""
    target = folder / name
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
