"""Checkpoints, and the encoded text that is kept beside them, as targets."""

from __future__ import annotations

import random
import shutil
import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fuzz_mutations as change

from wordgrad import Word2Vec
from wordgrad.errors import DamagedCheckpointWarning
from wordgrad.training.checkpoint import Checkpoint, CheckpointFolder

HELD_OUT = ["the cat sat on the rug", "the dog", "no known words"]
SENTENCES = ["the cat sat on the mat", "the dog sat on the rug"] * 30


@cache
def folder_files() -> dict[str, bytes]:
    """All files of a folder that a finished training left, by their names in it."""
    with TemporaryDirectory() as parent:
        folder = Path(parent) / "c"
        settings: dict[str, Any] = {"vector_size": 4, "min_count": 1, "sample": 0, "workers": 1}
        Word2Vec(**settings, epochs=2, checkpoint=folder, validation=HELD_OUT).fit(SENTENCES)
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def whole_folder() -> list[bytes]:
    """The seed of :func:`go_on`; the training is over when it is there, and counts for no case."""
    folder_files()
    return [b"whole"]


def newest() -> str:
    """Name of the last checkpoint in the folder."""
    return max(
        name for name in folder_files() if name.endswith(".safetensors") and "held" not in name
    )


def read_checkpoint(path: Path, rng: random.Random) -> None:
    """Read one file, as resuming does."""
    Checkpoint.read(path).is_finite()


def go_on(path: Path, rng: random.Random) -> None:
    """Damage one of the folder's files, and open all."""
    damaged = rng.choice(sorted(folder_files()))
    whole = path.read_bytes() == b"whole"
    data = folder_files()[damaged]
    _open_folder(path.with_name("folder"), {damaged: data if whole else change.blind(rng, data)})


def read_held_out(path: Path, rng: random.Random) -> None:
    """Open a folder whose held-out text has been damaged."""
    _open_folder(path.with_name("folder"), {path.name: path.read_bytes()})


def read_kept_text(path: Path, rng: random.Random) -> None:
    """Open a folder whose encoded text has been damaged."""
    _open_folder(path.with_name("folder"), {f"text/{path.name}": path.read_bytes()})


def _open_folder(folder: Path, damaged: dict[str, bytes]) -> None:
    try:
        for name, data in {**folder_files(), **damaged}.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        with CheckpointFolder.open(folder) as opened, warnings.catch_warnings():
            # A damaged checkpoint before which there is a whole one is reported, and skipped.
            warnings.simplefilter("ignore", DamagedCheckpointWarning)
            checkpoint = opened.newest()
            opened.read_held_out(checkpoint.identity)
            opened.open_text(checkpoint.identity).close()
    finally:
        shutil.rmtree(folder)
