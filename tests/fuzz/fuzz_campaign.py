"""Runs :mod:`fuzz_child`, and finds out what became of it, however it ended."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from fuzz_child import look

# What Polars' threads say of a damaged Parquet file before we hear of it.
PANIC = re.compile(r"(\s*thread '\S*' \(\d+\) panicked at crates/polars\S*\n(.+\n)+)*\s*")
MOST_FAILURES = 20  # of one target; then it is enough to know


@dataclass
class Tally:
    """What came of one target."""

    read: int = 0
    refused: int = 0
    failed: int = 0
    panics: int = 0  # of Polars, told on standard error, that became ordinary errors
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        """How many there were."""
        return self.read + self.refused + self.failed


def campaign(name: str, seed: int, *, cases: int = 1 << 60, seconds: float = 3600.0) -> Tally:
    """Give a target so many cases, or for so long; a crash is counted and skipped."""
    tally = Tally()
    began = time.monotonic()
    number, stop = 0, cases
    while number < stop and (left := seconds - (time.monotonic() - began)) > 0:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as work:
            number = _run(name, seed, number, stop - number, left, Path(work), tally)
        if tally.failed >= MOST_FAILURES:
            break
    tally.seconds = time.monotonic() - began
    return tally


@cache
def _processes() -> Any:
    """Children of a process that has imported everything, and used nothing of it.

    One starts in no time, and Polars' threads are its own.
    """
    from multiprocessing import forkserver  # not on Windows, which has no such limits either

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fuzz_targets"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # it would not find what it is to import
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before
    return context


def _run(
    name: str, seed: int, number: int, cases: int, seconds: float, work: Path, tally: Tally
) -> int:
    """One child; return the number of the case to go on with."""
    (work / "tmp").mkdir()
    plant = os.environ.get("FUZZ_PLANT", "")
    child = _processes().Process(
        target=look, args=(work, name, seed, number, cases, seconds, plant), daemon=True
    )
    child.start()
    child.join()
    said = (work / "log").read_text(errors="replace")
    lines = (work / "records").read_bytes().splitlines()
    records = [json.loads(line) for line in lines if line.startswith(b"{")]
    for record in records:
        if "why" in record:
            tally.failures.append(_told(name, seed, record["number"], record["why"]))
    if records and "next" in records[-1]:
        end = records[-1]
        tally.read += end["read"]
        tally.refused += end["refused"]
        tally.failed += end["failed"]
        tally.panics += said.count(" panicked at ")
        if said and PANIC.fullmatch(said) is None:  # nothing may be said behind our back
            tally.failed += 1
            tally.failures.append(_told(name, seed, end["next"], f"standard error: {said[-2000:]}"))
        return int(end["next"])
    marker = work / "number"
    last = int(marker.read_text() or number) if marker.exists() else number
    tally.refused += last - number  # at least looked at; which of both is lost with the process
    tally.failed += 1
    tally.failures.append(_told(name, seed, last, f"{_death(child.exitcode or 0)}: {said[-2000:]}"))
    return last + 1


def _death(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    number = signal.Signals(-code)
    return "hung" if number == signal.SIGALRM else f"killed by {number.name}"


def _told(name: str, seed: int, number: int, why: str) -> str:
    return f"{name} {seed} {number}: {why}"
