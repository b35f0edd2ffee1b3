"""How much of the house somebody has to walk through: files, functions, moves, circles.

    python benchmarks/house.py --source src --as after
    python benchmarks/house.py --source OLDER-TREE/src --as before

Four acts are traced, each in a fresh process that has done the act once already, so that kernels
are compiled and modules imported: ``wordgrad train``, ``similar`` and ``classify predict`` on a
tiny text that the script makes, and one call of ``WordVectors.most_similar``.  Counted is the code
under ``wordgrad`` alone, by ``sys.setprofile``:

*functions*
    Different functions called, in all threads.  Comprehensions, generator expressions and lambdas
    belong to the function that they stand in; the code of modules and class bodies, and all that
    runs while a module is imported, is not counted, so that a lazy import costs nothing.
*files*
    The files that these functions stand in: what a reader of the act has to open.
*moves*
    Calls, repeated ones included, that lead into another file than that of the nearest caller of
    ours, in the main thread (how threads take turns is chance).  The way back is not counted.

What compiled kernels call is not seen.  The counts of files, lines and imports are of the source
alone: imports as :mod:`grimp` finds them, those within functions included, those for type checkers
not.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import grimp
from machine import RESULTS, circumstances, commit, write_json
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

Record = dict[str, Any]
OUT = "house.json"
SMALL_LINES = 60
COMMANDS = {
    "train": ["train", "text.txt", "--output", "vectors.safetensors", "--overwrite"],
    "similar": ["similar", "vectors.safetensors", "king"],
    "classify predict": ["classify", "predict", "classifier.safetensors", "new.txt"],
}
ACTS = (*COMMANDS, "most_similar")
_PREPARATION = ["classify", "train", "labelled.tsv", "--output", "classifier.safetensors"]


def measure(source: Path) -> Record:
    """Counts of the tree under ``source``, and of every act traced in it."""
    environment = {**os.environ, "PYTHONPATH": str(source.resolve())}
    acts = {}
    with tempfile.TemporaryDirectory(prefix="wordgrad-house-") as folder:
        _write_texts(Path(folder))
        for act in ACTS:
            command = [sys.executable, str(Path(__file__).resolve()), "--trace", act]
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True
            )
            if done.returncode:
                raise SystemExit(f"{act} failed:\n{done.stderr}")
            acts[act] = json.loads(done.stdout)
    counted = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--count"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {"commit": commit(source), "acts": acts, **json.loads(counted.stdout)}


def _write_texts(folder: Path) -> None:
    draw = random.Random(7)
    words = ["king", "queen", "man", "woman", "crown", "rules", "the", "and", "a", "walks"]
    lines = [" ".join(draw.choices(words, k=12)) for _ in range(300)]
    (folder / "text.txt").write_text("\n".join(lines) + "\n")
    opinions = {"praise": ["lovely", "joy", "fine"], "blame": ["dull", "clumsy", "waste"]}
    rows = [
        f"{label}\ta {draw.choice(opinions[label])} film with {draw.choice(opinions[label])} music"
        for label in [*opinions] * 60
    ]
    (folder / "labelled.tsv").write_text("\n".join(rows) + "\n")
    (folder / "new.txt").write_text("a lovely film\na dull film\n")


# ----------------------------------------------------------------------- the acts


class Tracer:
    """Counts the calls of functions in files below ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = str(root) + os.sep
        self._main = threading.get_ident()
        self._functions: set[tuple[str, str]] = set()
        self._moves = 0

    def trace(self, act: Callable[[], object]) -> Record:
        """Do ``act``; return its files, and the numbers of functions and moves."""
        threading.setprofile(self._event)
        sys.setprofile(self._event)
        try:
            act()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
        files = sorted({file for file, _ in self._functions})
        return {"files": files, "functions": len(self._functions), "moves": self._moves}

    def _event(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or not self._counts(frame):
            return
        file = frame.f_code.co_filename
        caller = frame.f_back
        while caller is not None and not self._is_ours(caller):
            caller = caller.f_back
        above = frame.f_back
        while above is not None:  # within an import?
            if above.f_code.co_filename.startswith("<frozen importlib"):
                return
            above = above.f_back
        name = file.removeprefix(self._root).replace(os.sep, "/")
        self._functions.add((name, f"{frame.f_code.co_qualname}:{frame.f_code.co_firstlineno}"))
        if caller is not None and threading.get_ident() == self._main:
            self._moves += caller.f_code.co_filename != file

    def _is_ours(self, frame: FrameType) -> bool:
        return frame.f_code.co_filename.startswith(self._root)

    def _counts(self, frame: FrameType) -> bool:
        """Whether this is a function of ours, and no comprehension, lambda, class or module."""
        code = frame.f_code
        is_function = bool(code.co_flags & 0x2)  # CO_NEWLOCALS: set for functions alone
        return self._is_ours(frame) and is_function and not code.co_name.startswith("<")


def trace(act: str) -> Record:
    """Do an act twice in this process, in the current folder; trace the second time."""
    import wordgrad

    tracer = Tracer(Path(wordgrad.__file__).parent)
    if act == "most_similar":
        vectors = wordgrad.load("vectors.safetensors")

        def ask() -> object:
            return vectors.most_similar("king")

        ask()
        return tracer.trace(ask)
    if act == "classify predict":
        _command(_PREPARATION)
    _command(COMMANDS[act])
    return tracer.trace(lambda: _command(COMMANDS[act]))


def _command(arguments: list[str]) -> None:
    from wordgrad import cli

    sys.argv = ["wordgrad", *arguments]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            cli.main()
    except SystemExit as end:
        if end.code:
            raise SystemExit(f"{arguments}: {said.getvalue()}") from end


# --------------------------------------------------------------------- the source


def imports() -> grimp.ImportGraph:
    """Who imports whom within ``wordgrad``, when it runs."""
    return grimp.build_graph("wordgrad", exclude_type_checking_imports=True, cache_dir=None)


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """Modules that import each other in a circle, each group sorted."""
    names = sorted(graph.modules)
    row = {name: place for place, name in enumerate(names)}
    pairs = [(row[a], row[b]) for a in names for b in graph.find_modules_directly_imported_by(a)]
    edges = csr_array(([1] * len(pairs), tuple(zip(*pairs, strict=True))), shape=(len(names),) * 2)
    _, group_of = connected_components(edges, connection="strong")
    groups: dict[int, list[str]] = {}
    for name, group in zip(names, group_of.tolist(), strict=True):
        groups.setdefault(group, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def count() -> Record:
    """Files and lines of the package that this process imports, its circles, its small modules."""
    import wordgrad

    root = Path(wordgrad.__file__).parent
    graph = imports()
    lengths = {
        ".".join((root.name, *path.relative_to(root).with_suffix("").parts)): len(
            path.read_text("utf-8").splitlines()
        )
        for path in root.rglob("*.py")
    }
    small = [
        name
        for name, lines in lengths.items()
        if lines <= SMALL_LINES
        and not name.endswith(("__init__", "__main__"))
        and len(graph.find_modules_that_directly_import(name)) == 1
    ]
    return {
        "files": len(lengths),
        "lines": sum(lengths.values()),
        "median_lines": statistics.median(lengths.values()),
        "circles": circles(graph),
        "small_modules_with_one_importer": sorted(small),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--source", type=Path, help="folder that holds wordgrad/")
    parser.add_argument("--as", dest="name", choices=("before", "after"), default="after")
    parser.add_argument("--trace", choices=ACTS, help=argparse.SUPPRESS)
    parser.add_argument("--count", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.trace or given.count:
        print(json.dumps(trace(given.trace) if given.trace else count()))
        return
    source = given.source or Path(__file__).parents[1] / "src"
    if not (source / "wordgrad").is_dir():
        parser.error(f"{source} holds no folder wordgrad.")
    path = RESULTS / OUT
    found: Record = json.loads(path.read_text("utf-8")) if path.exists() else {}
    record = {
        "question": "How many files, functions and moves between files does an act take?",
        "method": "sys.setprofile in a process that has done the act once; imports by grimp",
        **circumstances(),
        **{name: found[name] for name in ("before", "after") if name in found},
        given.name: measure(source),
    }
    print(write_json(OUT, record))


if __name__ == "__main__":
    main()
