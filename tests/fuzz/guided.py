"""Damaged files chosen by the code that they reach: libFuzzer, through atheris, in one process.

    python tests/fuzz/guided.py npz --seconds 60                  # findings beside the command
    python tests/fuzz/guided.py npz --case findings/npz/fault-1a  # one of them again
    python tests/fuzz/guided.py npz csv --compare --seconds 15    # guided.json

The targets, their seeds, their own ways of damaging and what counts as a fault are those of the
campaign in processes (:mod:`fuzz_campaign`); here a change that reaches new branches is changed
further.  Python's code of wordgrad is instrumented, and the machine code of libraries is not.  What
is written on standard error is not looked at, for libFuzzer writes there itself.  Linux, CPython
3.11 to 3.13.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path += [str(ROOT / "benchmarks")]

from fuzz_campaign import campaign  # noqa: E402
from fuzz_child import MEMORY, SECONDS_A_CASE  # noqa: E402
from fuzz_targets import TARGETS  # noqa: E402
from machine import circumstances, write_json  # noqa: E402

INSTALL = "python -m pip install 'wordgrad[fuzz]'"
FOUND = ("fault-", "crash-", "timeout-", "oom-")  # of ours, and what libFuzzer calls its own


@dataclass
class Guided:
    """What came of one target."""

    inputs: int = 0
    seconds: float = 0.0
    edges_of_seeds: int = 0
    edges: int = 0
    findings: list[Path] = field(default_factory=list)
    said: str = ""


def need_atheris() -> None:
    """Say how to get atheris, where it is missing."""
    if importlib.util.find_spec("atheris") is None:
        raise SystemExit(f"The guided mode needs atheris, which is not installed; run: {INSTALL}.")


def guide(
    name: str,
    findings: Path,
    *,
    seconds: int,
    runs: int = -1,
    seed: int = 1,
    timeout: int = SECONDS_A_CASE,
) -> Guided:
    """Drive one target for so long, or ``runs`` inputs; what is wrong lies in ``findings`` then."""
    findings.mkdir(parents=True, exist_ok=True)
    arguments = [f"-max_total_time={seconds}", f"-runs={runs}", f"-seed={seed}"]
    arguments += [*_limits(timeout), "-max_len=65536"]
    arguments += [f"-artifact_prefix={findings.resolve()}/", str(findings.resolve() / "corpus")]
    return _child(name, findings, arguments)


def again(name: str, case: Path, *, timeout: int = SECONDS_A_CASE) -> Guided:
    """Give one input to its target once more."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        done = _child(name, Path(folder), [*_limits(timeout), str(case.resolve())])
        why = [path.with_suffix(".txt").read_text() for path in done.findings if path.exists()]
    done.said = "\n".join(why) or done.said
    return done


def _limits(timeout: int) -> list[str]:
    return [f"-timeout={timeout}", f"-rss_limit_mb={2 * MEMORY >> 20}"]


def _child(name: str, findings: Path, arguments: list[str]) -> Guided:
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # files that meet no disk
    before = set(findings.iterdir())
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory) as folder:
        work = Path(folder)
        for inner in ("tmp", "case"):
            (work / inner).mkdir()
        child = subprocess.run(
            [sys.executable, HERE / "guided_child.py", name, findings.resolve(), *arguments],
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            env={**os.environ, "TMPDIR": str(work / "tmp"), "RUST_BACKTRACE": "0"},
        )
        said = child.stdout.decode(errors="replace")
        tally = json.loads((work / "tally").read_text()) if (work / "tally").exists() else {}
    new = [path for path in sorted(findings.iterdir()) if path not in before]
    found = [one for one in new if one.name.startswith(FOUND) and one.suffix != ".txt"]
    if child.returncode and not found:
        raise RuntimeError(f"{name} ended with {child.returncode} and no finding:\n{said[-3000:]}")
    edges = [int(one) for one in re.findall(r" cov: (\d+) ", said)]
    seeds = re.search(r"INITED cov: (\d+) ", said)
    ran = re.search(r"Done (\d+) runs in (\d+) second", said)
    return Guided(
        inputs=sum(tally.values()),
        seconds=float(ran[2]) if ran else 0.0,
        edges_of_seeds=int(seeds[1]) if seeds else 0,
        edges=max(edges, default=0),
        findings=found,
        said=said[-3000:],
    )


def compare(names: list[str], seconds: int, findings: Path) -> bool:
    """Inputs per second of both modes, target by target, in turn; ``guided.json``."""
    targets: dict[str, dict[str, Any]] = {}
    for target in (one for one in TARGETS if one.name in names):
        began = time.monotonic()
        inside = guide(target.name, findings / target.name, seconds=seconds)
        between = time.monotonic()
        apart = campaign(target.name, 1, seconds=seconds)
        targets[target.name] = {
            "family": target.family,
            "guided_inputs_per_second": round(inside.inputs / max(inside.seconds, 1.0), 1),
            "process_inputs_per_second": round(apart.inputs / seconds, 1),
            "guided_start_seconds": round(between - began - inside.seconds, 1),
            "process_start_seconds": round(time.monotonic() - between - seconds, 1),
            "guided_inputs": inside.inputs,
            "process_inputs": apart.inputs,
            "edges_of_seeds": inside.edges_of_seeds,
            "edges": inside.edges,
            "guided_findings": len(inside.findings),
            "process_failed": apart.failed,
        }
        print(f"{target.name}: {targets[target.name]}", *apart.failures, flush=True)
    record = {
        "question": "Which mode gives a reader more inputs a second, and what does guiding reach?",
        "method": "both modes in turn; a rate is that after the start, which is told beside it",
        **circumstances(),
        "seconds": seconds,
        "targets": targets,
    }
    write_json("guided.json", record)
    return not any(one["guided_findings"] + one["process_failed"] for one in targets.values())


def main() -> int:
    """Drive the named targets, or all; exit with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all of them")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=1, help="0: another one each time")
    parser.add_argument("--findings", type=Path, default=Path("findings"), help="a folder")
    parser.add_argument("--case", type=Path, help="one input, of the one target")
    parser.add_argument("--compare", action="store_true", help="with the mode in processes")
    asked = parser.parse_args()
    need_atheris()
    known = [target.name for target in TARGETS]
    for name in asked.targets:
        if name not in known:
            parser.error(f"no target is called {name}; there are {', '.join(known)}")
    if asked.compare:
        return int(not compare(asked.targets or known, asked.seconds, asked.findings))
    if asked.case:
        if len(asked.targets) != 1:
            parser.error("--case is an input of one target; name it")
        done = again(asked.targets[0], asked.case)
        print(done.said)
        return int(bool(done.findings))
    wrong = False
    for name in asked.targets or known:
        folder = asked.findings / name
        done = guide(name, folder, seconds=asked.seconds, seed=asked.seed)
        print(
            f"{name}: {done.inputs} inputs, {done.edges} edges, of which the seeds reach "
            f"{done.edges_of_seeds}; {len(done.findings)} findings",
            flush=True,
        )
        for path in done.findings:
            print(f"  python tests/fuzz/guided.py {name} --case {shlex.quote(str(path))}")
        wrong |= bool(done.findings)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
