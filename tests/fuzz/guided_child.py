"""The process that libFuzzer drives through one reader; started by :mod:`guided`.

python tests/fuzz/guided_child.py TARGET FINDINGS [libFuzzer's arguments]    in an empty folder
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import random
import re
import sys
import zlib
from pathlib import Path

import atheris
from fuzz_child import case_bytes, limit, run_case

PACKAGE = Path(__file__).parents[2] / "src" / "wordgrad"
# Numba compiles their bytecode, which must be as it was written.
COMPILED = re.compile(r"kernels\b|\.cuda|\.compiling$|\.word_table$")
READERS = (["io"], ["corpus"], ["search"])
SEEDS = 24  # the first are whole files, the others damaged ones


def import_instrumented() -> None:
    """Import the package with counters at its branches and hooks at its comparisons."""
    files = PACKAGE.rglob("*.py")  # pkgutil would import packages to find what is in them
    parts = [("wordgrad", *file.relative_to(PACKAGE).with_suffix("").parts) for file in files]
    names = sorted(".".join(one).removesuffix(".__init__") for one in parts)
    plain = [name for name in names if COMPILED.search(name)]
    with atheris.instrument_imports(include=["wordgrad"], exclude=plain):
        import fuzz_targets  # noqa: F401

        for name in names:  # one that is imported late, when its format is met, would stay plain
            if name.split(".")[1:2] in READERS:
                importlib.import_module(name)


class Reader:
    """One target, as the function that libFuzzer calls."""

    def __init__(self, name: str, findings: Path, work: Path) -> None:
        from fuzz_targets import named

        self.name, self.findings, self.target = name, findings, named(name)
        self.tally = work / "tally"
        self.counts = {"read": 0, "refused": 0, "failed": 0}
        self.faults: set[str] = set()
        self.limited = False

    def __call__(self, data: bytes) -> None:
        """Read ``data``; keep it if it makes a fault of a new kind."""
        # The options follow from the bytes, so that these are the whole case.
        outcome, why = run_case(self.name, data, random.Random(zlib.crc32(data)))
        self.counts[outcome] += 1
        if why:
            self._keep(data, why)
        done = sum(self.counts.values())
        if done == 16 and not self.limited:
            limit()  # as in fuzz_child, after the threads and caches of the first cases
            self.limited = True
        self.tally.write_text(json.dumps(self.counts))

    def _keep(self, data: bytes, why: str) -> None:
        lines = why.splitlines()
        places = [line.strip() for line in lines if line.lstrip().startswith("File ")]
        kind = f"{lines[0].partition(':')[0]} {places[-1] if places else ''}"
        if kind in self.faults:
            return
        self.faults.add(kind)
        path = self.findings / f"fault-{hashlib.sha256(data).hexdigest()[:16]}"
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(why)

    def mutate(self, data: bytes, largest: int, seed: int) -> bytes:
        """Half the time libFuzzer's own change, otherwise one that knows the format."""
        rng = random.Random(seed)
        if rng.random() < 0.5:
            try:
                return self.target.mutate(rng, data)[:largest]
            except Exception:  # so far from the format that its own changes do not apply
                return bytes(atheris.Mutate(data, largest))
        return bytes(atheris.Mutate(data, largest))


def main() -> None:
    """Hand the reader over to libFuzzer, which ends the process."""
    name, findings = sys.argv[1], Path(sys.argv[2])
    import polars as pl

    import_instrumented()
    pl.DataFrame({"a": ["x"]}).lazy().collect()
    exec(os.environ.get("FUZZ_PLANT", ""), {})  # as in fuzz_child
    work = Path.cwd()
    corpus = findings / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    os.chdir(work / "case")
    for number in range(SEEDS):
        data = case_bytes(name, 1, number)
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    reader = Reader(name, findings, work)
    atheris.Setup(
        [sys.argv[0], *sys.argv[3:]], reader, custom_mutator=reader.mutate, internal_libfuzzer=True
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
