"""Checkpoints, and the encoded text that is kept beside them, as targets."""

from __future__ import annotations

import json
import random
import shutil
import struct
import warnings
import zlib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fuzz_mutations as change

from wordgrad import Word2Vec
from wordgrad.errors import DamagedCheckpointWarning
from wordgrad.training.checkpoint import Checkpoint, CheckpointFolder

NUMBERS = {"U8": "|u1", "I32": "<i4", "I64": "<i8", "U64": "<u8", "F32": "<f4", "F64": "<f8"}
SENTENCES = ["the cat sat on the mat", "the dog sat on the rug"] * 30


@cache
def folder_files() -> dict[str, bytes]:
    """All files of a folder that a finished training left, by their names in it."""
    with TemporaryDirectory() as parent:
        folder = Path(parent) / "c"
        settings: dict[str, Any] = {"vector_size": 4, "min_count": 1, "sample": 0, "workers": 1}
        Word2Vec(**settings, epochs=2, checkpoint=folder).fit(SENTENCES)
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}


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
    names = sorted(folder_files())
    folder = path.with_name("folder")
    damaged = rng.choice(names)
    try:
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(folder_files()[name])
        whole = path.read_bytes() == b"whole"
        target = folder / damaged
        target.write_bytes(target.read_bytes() if whole else change.blind(rng, target.read_bytes()))
        with CheckpointFolder.open(folder) as opened, warnings.catch_warnings():
            # A damaged checkpoint before which there is a whole one is reported, and skipped.
            warnings.simplefilter("ignore", DamagedCheckpointWarning)
            checkpoint = opened.newest()
            opened.read_held_out(checkpoint.identity)
            opened.open_text(checkpoint.identity).close()
    finally:
        shutil.rmtree(folder)


def checkpoint(rng: random.Random, data: bytes) -> bytes:
    """The header or the record changed, with all checksums made right again."""
    if rng.random() < 0.3:
        return change.blind(rng, data)
    (length,) = struct.unpack("<Q", data[:8])
    header, arrays = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata = header["__metadata__"]
    if rng.random() < 0.7:
        record = json.loads(metadata["record"])
        for _ in range(rng.choice((1, 1, 2))):
            record = change.json_value(rng, record)
        metadata["record"] = json.dumps(record)
    if rng.random() < 0.3:
        arrays = change.blind(rng, arrays)[: len(arrays)].ljust(len(arrays), b"\0")
    if rng.random() < 0.3:
        header = change.json_value(rng, header)
    mend_checksums(header, arrays)
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + arrays


def mend_checksums(header: Any, arrays: bytes) -> None:
    """Put the checksums that belong to what is there, so that later checks are reached."""
    try:
        metadata = header["__metadata__"]
        parts = "\0".join(metadata.get(name, "") for name in ("wordgrad.part", "layout", "record"))
        metadata["crc32.record"] = f"{zlib.crc32(parts.encode('utf-8', 'surrogatepass')):08x}"
        for name in set(header) - {"__metadata__"}:
            one = header[name]
            start, stop = one["data_offsets"]
            head = f"{name} {NUMBERS[one['dtype']]} {tuple(one['shape'])}"
            crc = zlib.crc32(arrays[start:stop], zlib.crc32(head.encode("utf-8", "surrogatepass")))
            metadata[f"crc32: {name}"] = f"{crc:08x}"
    except (LookupError, TypeError, ValueError, AttributeError):
        pass  # so broken that no checksum is looked at
