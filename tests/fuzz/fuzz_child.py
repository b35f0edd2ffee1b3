"""The process that meets damaged files, within limits; started by :mod:`fuzz_campaign`.

It leaves the case in hand on disk before it looks at it, so that a crash of the whole process
loses nothing, and writes one line of JSON for each case that failed, and one at the end.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
import traceback
import warnings
from pathlib import Path

MEMORY = 1 << 30  # bytes beyond those that the libraries take when they are loaded
SECONDS_A_CASE = 20


def limit() -> None:
    """From here on too much memory is an error, and a hang is the end."""
    import resource

    with open("/proc/self/status") as status:
        size = next(int(line.split()[1]) for line in status if line.startswith("VmSize:"))
    allowed = size * 1024 + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def case_number() -> int:
    """Of the case in hand."""
    return int((Path.cwd().parent / "number").read_text())


def case_bytes(name: str, seed: int, number: int) -> bytes:
    """The bytes of one case, from its numbers alone."""
    from fuzz_targets import named

    target = named(name)
    rng = random.Random(f"{name} {seed} {number}")
    data = rng.choice(target.seeds())
    # The first cases are the seeds as they are: a harness whose seeds fail tests nothing.
    return data if number < 3 and name != "loss-history" else target.mutate(rng, data)


def run_case(name: str, data: bytes, rng: random.Random) -> tuple[str, str]:
    """What a reader made of ``data``: "read", "refused" or "failed", and why."""
    from fuzz_targets import named

    from wordgrad.errors import WordgradError

    target = named(name)
    path = Path(target.file)
    path.write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            target.run(path, rng)
        outcome = ("read", "")
    except WordgradError as error:
        sentence = str(error)
        fine = "\n" not in sentence and len(sentence) < 4000
        outcome = (
            ("refused", "") if fine else ("failed", f"a message of {len(sentence)} characters")
        )
    except BaseException as error:
        last = traceback.format_exception(error)[-8:]
        outcome = ("failed", f"{type(error).__name__}: {error}\n{''.join(last)}"[:4000])
    left = list(Path(os.environ["TMPDIR"]).iterdir())
    if left:
        outcome = ("failed", f"left behind: {left}")
    known = (path.name, "v.tsv", "v.metadata.tsv", "folder", "loss.html", "NUMBA")
    strange = [one for one in Path().iterdir() if one.name not in known]
    around = ("case", "number", "tally", "tmp", "log", "records")
    strange += [one for one in Path("..").iterdir() if one.name not in around]
    for one in [*left, *strange]:  # told of once
        shutil.rmtree(one) if one.is_dir() else one.unlink()
    if strange:
        outcome = ("failed", f"files that nobody asked for: {[str(one) for one in strange]}")
    return outcome


def look(
    work: Path, name: str, seed: int, number: int, cases: int, seconds: float, plant: str
) -> None:
    """Look at ``cases`` cases, or for ``seconds``, whichever ends first, in the folder ``work``."""
    os.chdir(work)
    for told, descriptor in (("records", 1), ("log", 2)):
        with open(told, "wb") as file:
            os.dup2(file.fileno(), descriptor)
    os.environ |= {"TMPDIR": str(work / "tmp"), "RUST_BACKTRACE": "0"}
    import fuzz_targets  # noqa: F401  # before the limit: libraries are not what is measured
    import polars as pl

    pl.DataFrame({"a": ["x"]}).lazy().collect()
    exec(plant, {})  # a test of the harness plants a fault here
    marker = work / "number"
    (work / "case").mkdir(exist_ok=True)
    os.chdir(work / "case")
    limited = False
    case_bytes(name, seed, 0)  # whose seeds may be the work of a training
    until = time.monotonic() + seconds
    counts = {"read": 0, "refused": 0, "failed": 0}
    stop = number + cases
    while number < stop and time.monotonic() < until:
        marker.write_text(str(number))
        data = case_bytes(name, seed, number)
        # The first cases may have kernels to compile, on a machine that has other work.
        signal.alarm(SECONDS_A_CASE if limited else 10 * SECONDS_A_CASE)
        outcome, why = run_case(name, data, random.Random(f"options {seed} {number}"))
        signal.alarm(0)
        counts[outcome] += 1
        if why:
            print(json.dumps({"number": number, "why": why}), flush=True)
        number += 1
        if number % 16 == 8 and not limited:
            limit()  # after some cases, for threads and caches come with the first of them
            limited = True
    print(json.dumps({"next": number, **counts}), flush=True)
