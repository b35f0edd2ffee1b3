"""A disk that is full, or read-only: what saving and reading do then.

    python tests/load/disk_child.py full|limit|read-only FOLDER

Prints one line for each thing that went wrong, and "done" at the end.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

from wordgrad.corpus.corpus import encode_corpus
from wordgrad.errors import OutputError
from wordgrad.io.formats import FORMATS
from wordgrad.word_vectors import WordVectors

ROOM = 1 << 20  # bytes of the small disk, or of the largest file


def listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(what: str, before: dict[str, bytes], folder: Path, remedies: tuple[str, ...]) -> None:
    """Report unless the error that is being handled is right and nothing has changed."""
    error = sys.exc_info()[1]
    if not isinstance(error, OutputError):
        print(f"{what}: {type(error).__name__} {error}")
    elif not any(remedy in str(error) for remedy in remedies):
        print(f"{what}: no remedy in {error}")
    if listing(folder) != before:
        print(f"{what}: the folder holds {sorted(listing(folder))}, and not what was there before")


def main() -> None:
    """Fill a folder with small files, take the room away, try to write large ones."""
    mode, folder = sys.argv[1], Path(sys.argv[2])
    random = np.random.default_rng(0).normal(size=(4000, 300)).astype(np.float32)
    small = WordVectors(["old"], [[1.0, 2.0]])
    large = WordVectors([f"w{i}" for i in range(4000)], random)
    names = [known.name for known in FORMATS if known.endings]
    for name in names:
        small.save(folder / f"v.{name}", format=name)
    if mode == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))
    if mode == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    before = listing(folder)
    full = {"full": "free some space", "limit": "allow larger files", "read-only": "Read-only"}[
        mode
    ]
    for name in names:
        for target in (f"v.{name}", f"new.{name}"):
            try:
                large.save(folder / target, format=name, overwrite=True)
                print(f"{name}: written, with no room for it")
            except BaseException:
                refused(name, before, folder, (full,))
    sentences = ["to be or not to be is the question"] * 50_000
    try:
        encode_corpus(sentences, folder=folder)
        print("a corpus: written, with no room for it")
    except BaseException:
        refused("a corpus", before, folder, ("name another place", full))
    os.chdir(folder)
    print("done")


if __name__ == "__main__":
    main()
