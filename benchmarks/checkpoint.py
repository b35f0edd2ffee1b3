"""What checkpoints cost: seconds and bytes each, and the share of training that they take.

python benchmarks/checkpoint.py TEXT [--folder FOLDER-ON-THE-DISK-IN-QUESTION]
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from machine import circumstances, describe_text, spread, write_json

from wordgrad.corpus.corpus import EncodedCorpus, Fingerprint, encode_corpus
from wordgrad.training.checkpoint import Checkpoint, CheckpointFolder, Identity, Saving
from wordgrad.training.config import TrainingConfig
from wordgrad.training.trainer import Trainer

EVERY = 60.0
"""Seconds between checkpoints by default: what the share is of."""


class _Pause(threading.Event):
    """Knows when it was set first."""

    at = 0.0

    def set(self) -> None:
        if not self.is_set():
            self.at = time.perf_counter()
        super().set()


class _Timed(Trainer):
    """Notes how long it waits for its threads to pause, and how long it saves."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._pause = self._interrupts._pause = _Pause()
        self.waits: list[float] = []
        self.saves: list[float] = []

    def _save(self) -> None:
        start = time.perf_counter()
        before = self._saved
        super()._save()
        if self._saved != before and before is not None and isinstance(self._pause, _Pause):
            self.waits.append(start - self._pause.at)
            self.saves.append(time.perf_counter() - start)


def _seconds_of_fingerprint(corpus: EncodedCorpus, times: int) -> tuple[Fingerprint, list[float]]:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        fingerprint = Fingerprint.of(corpus)
        seconds.append(time.perf_counter() - start)
    return fingerprint, seconds


def _measured(text: Path, folder: Path, threads: int, every: float) -> dict[str, Any]:
    config = TrainingConfig(vector_size=100, epochs=1, workers=threads)
    with encode_corpus(text) as corpus, CheckpointFolder.begin(folder) as checkpoints:
        fingerprint, fingerprinting = _seconds_of_fingerprint(corpus, 3)
        identity = Identity(config.as_dict(), corpus.vocabulary, fingerprint, corpus.report)
        trainer = _Timed(corpus, config, saving=Saving(checkpoints, identity, every))
        trainer.run()
        path = max(folder.glob("checkpoint-*"), key=lambda path: path.stat().st_mtime)
        reading = []
        for _ in range(3):
            start = time.perf_counter()
            Checkpoint.read(path)
            reading.append(time.perf_counter() - start)
        cost = spread(
            [wait + save for wait, save in zip(trainer.waits, trainer.saves, strict=True)]
        )
        return {
            "words": len(corpus.vocabulary),
            "tokens": len(corpus.ids),
            "checkpoints": len(trainer.saves),
            "bytes": path.stat().st_size,
            "bytes_of_text": corpus.ids.nbytes + corpus.offsets.nbytes,
            "rest_seconds": spread(trainer.waits),
            "save_seconds": spread(trainer.saves),
            "read_seconds": spread(reading),
            "fingerprint_seconds": spread(fingerprinting),
            "training_seconds": trainer.history[0].seconds,
            "share_of_training": cost["median"] / (EVERY + cost["median"]),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("text", type=Path)
    parser.add_argument("--folder", type=Path, help="where to write; by default a temporary one")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--every", type=float, default=1.5, help="seconds between checkpoints")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-", dir=given.folder) as name:
        found = _measured(given.text, Path(name) / "run", given.threads, given.every)
    record = {
        "question": "What do checkpoints cost?",
        "method": (
            f"one epoch, D = 100, {given.threads} threads, a checkpoint every {given.every:g} s; "
            "rest: from the request until every thread has ended its span; save: checks, write, "
            f"flush, rename; share: the median of both, of {EVERY:g} s of training between two"
        ),
        **circumstances(),
        "text": describe_text(given.text),
        "settings": {"vector_size": 100, "threads": given.threads, "every": given.every},
        **found,
    }
    print(write_json("checkpoint.json", record))


if __name__ == "__main__":
    main()
