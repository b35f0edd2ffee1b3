"""The long runs behind docs/trust.md: one command, figures in ``benchmarks/results``.

    python tests/fuzz/soak.py --minutes 10            # everything: fuzz.json and soak.json
    python tests/fuzz/soak.py --minutes 5 --only fuzz --seed 7 --add     # one more piece
    python tests/fuzz/soak.py --case npz 7 12 FILE    # the bytes of one case, to look at

Each part writes its figures when it ends, and leaves those of the others.  It exits with 1 if
anything failed.  Linux.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path += [str(ROOT / "benchmarks"), str(HERE.parent / "load")]

from fuzz_campaign import campaign  # noqa: E402
from fuzz_child import MEMORY, SECONDS_A_CASE, case_bytes  # noqa: E402
from fuzz_targets import TARGETS  # noqa: E402
from load_runs import TRAIN, child, stop_somewhere, write_text, write_zipf  # noqa: E402
from machine import RESULTS, circumstances, write_json  # noqa: E402

SHARES = {"fuzz": 0.6, "stops": 0.2, "memory": 0.2}
GIGABYTE = 1_000_000_000
MOST_FOR_READING = 700_000_000  # bytes of memory, whatever the text
COUNTED = ("inputs", "read", "refused", "failed", "panics", "seconds")
SIZES = ("lines", "line", "pattern", "packed")  # these take as long as a gigabyte takes


def fuzz(minutes: float, seed: int, *, add: bool, jobs: int) -> bool:
    """Damaged files for every reader, ``jobs`` readers at a time; ``fuzz.json``.

    With ``add`` the run is a further piece of the one on record, which may have met earlier source
    code: each piece names its commit, and a digest of what was tried.
    """
    path = RESULTS / "fuzz.json"
    before = json.loads(path.read_text()) if add and path.exists() else {}
    pieces = before.get("pieces", [])
    if seed in [piece["seed"] for piece in pieces]:
        raise SystemExit(f"Seed {seed} has been run, and makes the same files; give another one.")
    targets, failures = before.get("targets", {}), before.get("failures", [])
    where, found = circumstances(), []
    seconds = 60 * minutes * jobs / len(TARGETS)
    work = partial(campaign, seed=seed, seconds=seconds)
    with ProcessPoolExecutor(jobs) as pool:
        tallies = pool.map(work, [target.name for target in TARGETS])
        for target, tally in zip(TARGETS, tallies, strict=True):
            found.append(tally)
            failures += [one.replace(f"{ROOT}/", "") for one in tally.failures]
            cell = targets.setdefault(target.name, dict.fromkeys(COUNTED, 0))
            targets[target.name] = {
                "family": target.family,
                **{name: round(cell[name] + getattr(tally, name), 1) for name in COUNTED},
            }
            print(f"{target.name}: {targets[target.name]}", flush=True)
    record = {
        "question": "Does any reader do anything but read or refuse a damaged file?",
        "method": "files of our own, damaged blindly and by format, read in a process with limits",
        **where,
        "pieces": [
            *pieces,
            {
                "date": where["date"],
                "commit": where["commit"],
                "source": _source(),
                "seed": seed,
                "jobs": jobs,
                "minutes": round(sum(tally.seconds for tally in found) / 60, 1),
                "inputs": sum(tally.inputs for tally in found),
                "failed": sum(tally.failed for tally in found),
            },
        ],
        "limits": {"seconds_a_case": SECONDS_A_CASE, "bytes_beyond_libraries": MEMORY},
        "targets": targets,
        "failures": failures,
    }
    write_json("fuzz.json", record)
    failed = [failure for tally in found for failure in tally.failures]
    for failure in failed:
        print(failure)
    return not failed


def _source() -> str:
    """What was tried: a digest of the readers' code and of the harness."""
    digest = hashlib.sha256()
    for file in sorted([*(ROOT / "src").rglob("*.py"), *HERE.glob("fuzz_*.py")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def stops(minutes: float, seed: int) -> dict[str, Any]:
    """Trainings that get a signal at a random moment, every other one while they save."""
    rng = random.Random(seed)
    until = time.monotonic() + 60 * minutes
    found: dict[str, dict[str, int]] = {}
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        text = Path(folder) / "text.txt"
        write_text(text)
        number = 0
        while time.monotonic() < until:
            kind = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)[number % 3]
            work = Path(folder) / str(number)
            stop = stop_somewhere(text, work, kind, rng, saving=number % 2 == 0)
            shutil.rmtree(work)
            cell = found.setdefault(stop.signal, {"runs": 0, "ended_before": 0, "wrong": 0})
            cell["runs"] += 1
            cell["ended_before"] += stop.code == 0
            cell["wrong"] += bool(stop.wrong)
            wrong += [f"{stop.signal} {stop.moment}: {fault}" for fault in stop.wrong]
            number += 1
    return {"signals": found, "wrong": wrong, "passed": not wrong}


def memory(minutes: float, seed: int) -> dict[str, Any]:
    """Resident memory over a long training, by the second."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        text = Path(folder) / "text.txt"
        write_zipf(text, tokens=4_000_000, seed=seed)
        done = child(TRAIN, text, 60 * minutes)
    samples = done["samples"]
    quarter = max(1, len(samples) // 4)
    first = max(size for _, size, _ in samples[:quarter])
    last = max(size for _, size, _ in samples[-quarter:])
    return {
        "minutes": round(minutes, 1),
        "epochs": done["epochs"],
        "words_trained_on": samples[-1][2],
        "samples_seconds_bytes_words": samples,
        "first_quarter_most_bytes": first,
        "last_quarter_most_bytes": last,
        "growth": last / first - 1,
        "passed": last / first - 1 < 0.02,
    }


READ = """
import json, resource, sys, time
from wordgrad.corpus.corpus import encode_corpus
import polars
libraries = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
began = time.monotonic()
with encode_corpus(sys.argv[1], min_count=1, pattern=sys.argv[2] or None, workers=2) as corpus:
    tokens, sentences = corpus.report.tokens_read, corpus.report.sentences_read
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": round(time.monotonic() - began, 1), "tokens": tokens,
    "sentences": sentences, "peak_bytes": peak, "libraries_bytes": libraries}))
"""


def _gigabyte(*, one_line: bool, pattern: str = "", packed: bool = False) -> dict[str, Any]:
    """Read a gigabyte of text, and see what memory that takes."""
    import gzip

    part = b"to be or not to be that is the question " * 25_000
    part = part if one_line else part[:-1] + b"\n"
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        text = Path(folder) / ("text.txt.gz" if packed else "text.txt")
        with gzip.open(text, "wb", 6) if packed else open(text, "wb") as file:
            for _ in range(GIGABYTE // len(part)):
                file.write(part)
        found = {"bytes_on_disk": text.stat().st_size, **child(READ, text, pattern)}
    whole = found["tokens"] == GIGABYTE // 40 * 10
    return {**found, "passed": whole and found["peak_bytes"] < MOST_FOR_READING}


def lines(minutes: float, seed: int) -> dict[str, Any]:
    """A gigabyte in a thousand lines."""
    return _gigabyte(one_line=False)


def line(minutes: float, seed: int) -> dict[str, Any]:
    """A gigabyte on one line."""
    return _gigabyte(one_line=True)


def pattern(minutes: float, seed: int) -> dict[str, Any]:
    """A gigabyte on one line, matched by a regular expression."""
    return _gigabyte(one_line=True, pattern=r"\w+")


def packed(minutes: float, seed: int) -> dict[str, Any]:
    """A gigabyte that takes a few megabytes on disk."""
    return _gigabyte(one_line=False, packed=True)


def soak(
    name: str, part: Callable[[float, int], dict[str, Any]], minutes: float, seed: int
) -> bool:
    """Run one part and put its figures beside those of the others in ``soak.json``."""
    path = RESULTS / "soak.json"
    record = json.loads(path.read_text()) if path.exists() else {}
    found = part(minutes, seed)
    where = circumstances()
    record |= where  # of the part that ran last; each part keeps its own beside it
    record[name] = {**where, "seed": seed, **found}
    write_json("soak.json", record)
    shown = {key: value for key, value in found.items() if not key.startswith("samples")}
    print(f"{name}: {shown}", flush=True)
    return bool(found["passed"])


def main() -> int:
    """Run all parts, or those named by ``--only``."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="for all that is run together")
    parser.add_argument("--only", nargs="+", choices=[*SHARES, *SIZES], metavar="PART")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: the time")
    parser.add_argument("--add", action="store_true", help="to the damaged files on record")
    parser.add_argument("--jobs", type=int, default=1, help="readers that are tried at a time")
    parser.add_argument("--case", nargs=4, metavar=("TARGET", "SEED", "NUMBER", "FILE"))
    asked = parser.parse_args()
    if asked.case:
        name, seed, number, file = asked.case
        Path(file).write_bytes(case_bytes(name, int(seed), int(number)))
        return 0
    parts = asked.only or [*SHARES, *SIZES]
    whole = sum(SHARES.get(part, 0.0) for part in parts)
    passed = True
    for part in parts:
        minutes = asked.minutes * SHARES.get(part, 0.0) / (whole or 1.0)
        if part == "fuzz":
            passed &= fuzz(minutes, asked.seed, add=asked.add, jobs=asked.jobs)
        else:
            passed &= soak(part, globals()[part], minutes, asked.seed)
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
