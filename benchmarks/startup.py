"""How long until a person sees something: the import, and the help of the command line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from machine import circumstances, spread, write_json

GOALS = {"import wordgrad": 0.25, "wordgrad --help": 0.5}


def _commands() -> dict[str, list[str]]:
    script = shutil.which("wordgrad", path=str(Path(sys.executable).parent))
    if script is None:
        raise FileNotFoundError("The command wordgrad is not beside this Python; install it first.")
    return {
        "python alone": [sys.executable, "-c", "pass"],
        "import wordgrad": [sys.executable, "-c", "import wordgrad"],
        "wordgrad --help": [script, "--help"],
    }


def measure(times: int, report: Callable[[str], None]) -> Path:
    """Time every command ``times`` times in fresh processes; write ``results/startup.json``.

    The interpreter's own start is part of every figure; it is also timed alone.
    """
    seconds: dict[str, list[float]] = {name: [] for name in _commands()}
    for _ in range(times):
        for name, command in _commands().items():
            start = perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(perf_counter() - start)
    figures = {name: spread(values) for name, values in seconds.items()}
    goals = {
        name: {
            "goal": goal,
            "measured": figures[name]["median"],
            "passed": figures[name]["median"] < goal,
        }
        for name, goal in GOALS.items()
    }
    report(f"startup: { {name: figure['median'] for name, figure in figures.items()} }")
    record = {
        "question": "How long do the import and the help take, the interpreter's start included?",
        "method": f"{times} fresh processes each, alternating; wall-clock seconds",
        **circumstances(),
        "seconds": figures,
        "goals": goals,
    }
    return write_json("startup.json", record)
