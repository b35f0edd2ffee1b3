"""Start every measurement in a fresh process, and record a crash as a result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from settings import Settings

_PROGRAMS = Path(__file__).with_name("programs.py")
_LINES_OF_ERROR = 5


def environment(settings: Settings, numba_cache: Path | None = None) -> dict[str, str]:
    """The environment of a child: as many threads as the settings say, for every library."""
    threads = str(settings.threads)
    names = ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    values = {**os.environ, **dict.fromkeys(names, threads), "PYTHONHASHSEED": str(settings.seed)}
    if numba_cache is not None:
        values["NUMBA_CACHE_DIR"] = str(numba_cache)
    return values


def run_script(
    script: Path, arguments: list[str], threads: int
) -> subprocess.CompletedProcess[str]:
    """Run a script of this folder in a fresh process with so many threads."""
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(
        command, env=environment(Settings(threads=threads)), capture_output=True, text=True
    )


def run(
    program: str,
    text: Path,
    settings: Settings,
    *,
    vectors: Path | None = None,
    numba_cache: Path | None = None,
) -> dict[str, Any]:
    """Train ``program`` on ``text`` in a fresh process and return its record.

    A program that fails returns a record with ``error`` (its last lines) in place of figures: a
    crash is a result too.
    """
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, str(_PROGRAMS), program, str(text)]
        command += [settings.to_json(), str(result)]
        if vectors is not None:
            command.append(str(vectors))
        done = subprocess.run(
            command, env=environment(settings, numba_cache), capture_output=True, text=True
        )
        if done.returncode == 0:
            return dict(json.loads(result.read_text()))
    tail = done.stderr.strip().splitlines()[-_LINES_OF_ERROR:]
    return {"program": program, "returncode": done.returncode, "error": "\n".join(tail)}
