"""The folder of a training: its text, its checkpoints, and who may write to it.

Layout
------
=============================  =====================================================================
``checkpoint-N.safetensors``   the last two, N rising
``text/``                      the encoded text: ids and sentence offsets
``held-out.safetensors``       the encoded held-out text, if there is one
``lock``                       held by the process that trains
=============================  =====================================================================

The first checkpoint is written when the text is, before the first step: a folder without a
checkpoint holds nothing that a training could go on from, and what a killed start has left there is
removed by the next.
"""

from __future__ import annotations

import re
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import DamagedCheckpointWarning, FormatError, InputError, OutputError
from wordgrad.text.corpus import EncodedCorpus
from wordgrad.text.fingerprint import Fingerprint, open_kept
from wordgrad.text.held_out import HeldOutText
from wordgrad.training.checkpoints.checkpoint import PART, Checkpoint, Identity
from wordgrad.training.checkpoints.file import damaged, read_arrays, read_record, write_arrays
from wordgrad.training.checkpoints.lock import FolderLock

KEPT = 2
TEXT = "text"
_HELD_OUT = "held-out.safetensors"
_HELD_OUT_PART = "held-out text"
_NAME = re.compile(r"checkpoint-([1-9]\d{0,17})\.safetensors")
# Of our own writes, and of those that the safetensors library does aside for itself.
_LEFT_OVER = re.compile(
    r"\.(checkpoint-\d+|held-out)\.safetensors\.[0-9a-f]+\.part|\.tmp[A-Za-z0-9]{6}"
)


class CheckpointFolder:
    """A folder that this process alone writes to, until :meth:`close` or the end of a ``with``.

    Made by :meth:`begin` or :meth:`open`.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FolderLock(path)
        for entry in path.iterdir():
            if _LEFT_OVER.fullmatch(entry.name):  # of a write that was killed
                entry.unlink()

    @classmethod
    def begin(cls, path: Path) -> CheckpointFolder:
        """Make or take a folder for a new training.

        Raises
        ------
        OutputError
            If it cannot be written, a training is using it, or it holds checkpoints already.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"The checkpoint folder {path} cannot be made ({error.strerror}); name another."
            ) from error
        folder = cls(path)
        if folder._numbers():
            folder.close()
            raise OutputError(
                f"The folder {path} holds checkpoints of a training; go on with it by resuming "
                "(--resume), or name another folder."
            )
        if (path / TEXT).exists():
            shutil.rmtree(path / TEXT)
        (path / _HELD_OUT).unlink(missing_ok=True)
        return folder

    @classmethod
    def open(cls, path: Path) -> CheckpointFolder:
        """Take the folder of a training that is to go on.

        Raises
        ------
        InputError
            If it holds no checkpoint.
        OutputError
            If it cannot be written, or a training is using it.
        """
        check_holds_checkpoint(path)
        return cls(path)

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint; when it is on the disk, remove all but the last two."""
        numbers = self._numbers()
        path = self._file(numbers[-1] + 1 if numbers else 1)
        checkpoint.write(path)
        self._remove_older()
        return path

    def newest(self) -> Checkpoint:
        """Read the newest checkpoint that is whole.

        Warns
        -----
        DamagedCheckpointWarning
            If a newer one is not.

        Raises
        ------
        FormatError
            If none is.
        """
        found = []
        for number in reversed(self._numbers()):
            try:
                checkpoint = Checkpoint.read(self._file(number))
            except FormatError as error:
                found.append(error)
                continue
            if found:
                epoch, token = checkpoint.state.epoch + 1, checkpoint.state.token
                warnings.warn(
                    DamagedCheckpointWarning(
                        f"{found[0]} Training goes on from the one before, at token {token} of "
                        f"epoch {epoch}."
                    ),
                    stacklevel=2,
                )
                for bad in self._numbers()[-len(found) :]:  # two good ones are to be kept
                    self._file(bad).unlink(missing_ok=True)
            self._remove_older()  # a training killed after saving may have left one more
            return checkpoint
        raise found[0]

    def write_held_out(self, text: HeldOutText) -> None:
        """Keep a held-out text."""
        arrays: dict[str, NDArray[Any]] = {"ids": text.ids, "offsets": text.offsets}
        record = {"tokens_read": text.tokens_read}
        write_arrays(self.path / _HELD_OUT, _HELD_OUT_PART, record, arrays)

    def read_held_out(self, identity: Identity) -> HeldOutText | None:
        """Read the held-out text of a training, if it has one, and check it."""
        if identity.held_out is None:
            return None
        path = self.path / _HELD_OUT
        record, arrays = read_arrays(path, _HELD_OUT_PART)
        read = record.get("tokens_read")
        try:
            ids, offsets = arrays["ids"], arrays["offsets"]
            if ids.dtype != np.int32 or offsets.dtype != np.int64 or type(read) is not int:
                raise damaged(path, "its numbers are of other kinds")
            text = HeldOutText(ids.reshape(-1), offsets.reshape(-1), identity.vocabulary, read)
            difference = Fingerprint.of(text).difference(identity.held_out)
        except (KeyError, IndexError, ValueError) as error:
            raise damaged(path, "it does not hold a text") from error
        if difference:
            raise FormatError(
                f"{path} is not the held-out text that this training began with ({difference}); "
                "put that file back, or begin a new training."
            )
        return text

    def open_text(self, identity: Identity) -> EncodedCorpus:
        """Open the encoded text of a training, and check all of it."""
        return open_kept(
            self.path / TEXT, identity.vocabulary, identity.report, identity.fingerprint
        )

    def close(self) -> None:
        """Let others use the folder."""
        self._lock.release()

    def __enter__(self) -> CheckpointFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _remove_older(self) -> None:
        for number in self._numbers()[:-KEPT]:
            self._file(number).unlink(missing_ok=True)

    def _numbers(self) -> list[int]:
        return _numbers(self.path)

    def _file(self, number: int) -> Path:
        return _file(self.path, number)


@dataclass(frozen=True)
class Saving:
    """Where a training's checkpoints go, and how often.

    Attributes
    ----------
    folder : CheckpointFolder
    identity : Identity
        What is the same in all of them.
    every : float
        Seconds between them, at least.
    """

    folder: CheckpointFolder
    identity: Identity
    every: float


def recorded_settings(path: Path) -> dict[str, object]:
    """Return the settings of the training in a folder, from its newest checkpoint that has them.

    Raises
    ------
    InputError
        If the folder holds no checkpoint.
    FormatError
        If none can be read.
    """
    check_holds_checkpoint(path)
    found = []
    for number in reversed(_numbers(path)):
        try:
            settings = read_record(_file(path, number), PART).get("settings")
        except FormatError as error:
            found.append(error)
            continue
        if isinstance(settings, dict):
            return settings
        found.append(damaged(_file(path, number), "it holds no settings"))
    raise found[0]


def check_holds_checkpoint(path: Path) -> None:
    """Raise :class:`InputError` unless the folder holds a checkpoint."""
    if not path.is_dir():
        raise InputError(f"There is no folder {path}; name the one that checkpoints were saved to.")
    if not _numbers(path):
        raise InputError(
            f"The folder {path} holds no checkpoint; name the one that a training saved its "
            "checkpoints to, or begin a training with checkpoints there."
        )


def _numbers(path: Path) -> list[int]:
    """Numbers of the checkpoints, rising."""
    found = (_NAME.fullmatch(entry.name) for entry in path.iterdir())
    return sorted(int(match[1]) for match in found if match)


def _file(path: Path, number: int) -> Path:
    return path / f"checkpoint-{number}.safetensors"
