"""How well do the tests guard the mathematics?  Break it in a thousand ways and count what is seen.

    python -m pip install ".[test,dev]"
    python benchmarks/mutation.py             # about half an hour on one core
    python benchmarks/mutation.py --report    # the JSON and docs/mutation.md again, from mutants/

mutmut changes one thing at a time in ``src/wordgrad/maths`` and runs the tests that reach it.  The
script ends with code 1 if fewer than 98% of the mutants are killed, or if one survives for which no
reason is written below.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter, defaultdict
from typing import Any

import figures
from machine import ROOT, circumstances, write_json

GOAL = 0.98
KILLED = {"killed", "timeout", "segfault"}  # a mutant that never ends is seen, too

# What a surviving line holds, and why no test can tell it from the original.
REASONS = {
    "np.where(values > 0,": "at 0 the two forms of the sigmoid are both 1/2.",
    "default_rng(1)": "any seed will do, as long as it is the same in every run.",
    '"XX': "no type of NumPy has the kind X.",
    "+ None": "NumPy's default type is float64.",
    "< 1e-12 *": "two losses would have to differ by exactly 1e-12 of themselves.",
    "leaf.array, None,": "`array[None]` is the same memory as `array[...]`, with one axis more.",
}
NO_REASON = "**No reason is known: a test is missing.**"


def _mutmut(*arguments: str) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def _statuses() -> dict[str, str]:
    lines = re.findall(r"^\s*(\S+): (.+)$", _mutmut("results", "--all", "true"), re.MULTILINE)
    return {name: status.strip() for name, status in lines}


def _module(name: str) -> str:
    return name.removeprefix("wordgrad.maths.").split(".")[0]


def _survivor(name: str) -> dict[str, str]:
    """The changed lines of a mutant, and why it is equivalent."""
    lines = [
        line
        for line in _mutmut("show", name).splitlines()
        if line.startswith(("-", "+")) and not line.startswith(("---", "+++"))
    ]
    diff = "\n".join(line[0] + " " + line[1:].strip() for line in lines)
    reason = next((why for part, why in REASONS.items() if part in diff), NO_REASON)
    function = re.sub(r"__mutmut_\d+$", "", name.split(".")[-1])
    function = re.sub(r"^x_", "", function).replace("xǁ", "").replace("ǁ", ".")
    return {"where": f"{_module(name)}.{function}", "diff": diff, "reason": reason}


def collect() -> dict[str, Any]:
    """Counts by module, and every survivor, of the run in ``mutants/``."""
    statuses = _statuses()
    unfinished = Counter(statuses.values())["not checked"]
    if unfinished or not statuses:
        raise SystemExit(f"{unfinished} mutants are not checked yet; run without --report.")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, status in statuses.items():
        counts[_module(name)]["killed" if status in KILLED else "survived"] += 1
    modules = {name: dict(count) for name, count in sorted(counts.items())}
    killed = sum(count["killed"] for count in counts.values())
    survivors = [_survivor(name) for name, status in statuses.items() if status not in KILLED]
    return circumstances() | {
        "mutants": len(statuses),
        "killed": killed,
        "score": killed / len(statuses),
        "modules": modules,
        "survivors": sorted(survivors, key=lambda survivor: survivor["where"]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--report", action="store_true", help="run nothing; use mutants/")
    if not parser.parse_args().report:
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", "1"]
        subprocess.run(command, cwd=ROOT, check=True)
    record = collect()
    write_json("mutation.json", record)
    figures.write()
    unexplained = [s["where"] for s in record["survivors"] if s["reason"] == NO_REASON]
    print(f"{record['score']:.1%} of {record['mutants']} mutants killed.")
    for where in unexplained:
        print(f"A survivor without a reason: {where}")
    return int(record["score"] < GOAL or bool(unexplained))


if __name__ == "__main__":
    sys.exit(main())
