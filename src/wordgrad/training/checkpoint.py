"""One training a folder: a lock that goes away with the process that holds it.

What a checkpoint holds, and how it becomes a file and a training again.

The folder of a training: its text, its checkpoints, and who may write to it.

Layout
------
=============================  =====================================================================
``checkpoint-N.safetensors``   the last two, N rising
``text/``                      the encoded text: ids and sentence offsets
``held-out.safetensors``       the encoded held-out text, if there is one
``phrases.safetensors``        the phrases that were joined in the text, if there are any
``sources.json``               where the text is not kept: the files it was read from
``lock``                       held by the process that trains
=============================  =====================================================================

The text is not kept on a cluster, whose nodes hold it, nor in a folder on other storage, to which
four bytes a word would be sent before the first step: it is read again when the training goes on.
There is no lock there, either, for an object store has none that ends with its process; another
training that saves to the same folder is found when the next checkpoint is to be saved.

The first checkpoint is written when the text is, before the first step: a folder without a
checkpoint holds nothing that a training could go on from, and what a killed start has left there is
removed by the next.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wordgrad import storage
from wordgrad.container import Container
from wordgrad.corpus.corpus import (
    CorpusReport,
    EncodedCorpus,
    Fingerprint,
    ValidationCorpus,
    open_kept,
)
from wordgrad.corpus.phrase_table import PhraseTable
from wordgrad.errors import (
    DamagedCheckpointWarning,
    FormatError,
    InputError,
    OutputError,
    WordgradError,
)
from wordgrad.files import atomic_write
from wordgrad.storage import is_url, path_of
from wordgrad.training.engine import EpochRecord, Loss, TrainingState
from wordgrad.training.parameters import Parameters, row_floats
from wordgrad.vocabulary import Vocabulary

CHECKPOINT = Container(
    part="checkpoint",
    layout="1",
    remedy="remove it to go on from an earlier one.",
    origin="name the folder that training wrote.",
)
HELD_OUT = Container(
    part="held-out text",
    layout="1",
    remedy="put back an undamaged copy, or begin a new training.",
    origin="put back the one that training wrote, or begin a new training.",
)


class FolderLock:
    """Holds ``lock`` in a folder, or raises :class:`OutputError` if another training does.

    The operating system holds the lock for the open file, not the file for the lock: however a
    process ends, its lock ends with it, and the file that stays behind locks nothing.  It is never
    removed, for whoever has it open could then hold a lock that nobody else can see.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise OutputError(
                f"The checkpoint folder {folder} cannot be written ({error.strerror}); choose "
                "another folder or change its permissions."
            ) from error
        try:
            _lock(self._descriptor)
        except OSError as error:
            holder = os.pread(self._descriptor, 20, 1).decode("ascii", "replace") if _POSIX else ""
            os.close(self._descriptor)
            who = f"process {holder.strip()}" if holder.strip().isdigit() else "another process"
            raise OutputError(
                f"The checkpoint folder {folder} is in use by a training ({who}); wait until it "
                "has ended, stop it, or choose another folder."
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"\n{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let others have the folder; doing so twice is no error."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


_POSIX = sys.platform != "win32"

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_ENGINE = "runner."
"""Begins the names of an engine's arrays in the file, as in its first layout."""
T = TypeVar("T")


@dataclass(frozen=True)
class Identity:
    """What stays the same from the first checkpoint of a training to its last.

    Attributes
    ----------
    settings : dict
        The settings of the training, as plain values.
    vocabulary : Vocabulary
    fingerprint : Fingerprint
        Of the encoded text.
    report : CorpusReport
        Of its reading.
    held_out : Fingerprint or None
        Of the held-out text, if there is one.
    """

    settings: Mapping[str, Any]
    vocabulary: Vocabulary
    fingerprint: Fingerprint
    report: CorpusReport
    held_out: Fingerprint | None = None

    @cached_property
    def packed_words(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The words as bytes, and where each begins and ends."""
        return self.vocabulary.packed()


@dataclass(frozen=True)
class Checkpoint:
    """A paused training.

    Attributes
    ----------
    identity : Identity
    state : TrainingState
    parameters : Parameters
    best : Parameters or None
        Those of the best epoch so far, where training ends early and gives them back.
    engine : dict of str to array
        What the engine has gathered.
    """

    identity: Identity
    state: TrainingState
    parameters: Parameters
    best: Parameters | None
    engine: Mapping[str, NDArray[Any]]

    def is_finite(self) -> bool:
        """Whether every number is finite."""
        gathered = (array for array in self.engine.values() if array.dtype.kind == "f")
        return (
            self.parameters.are_finite()
            and (self.best is None or self.best.are_finite())
            and all(bool(np.isfinite(array).all()) for array in gathered)
        )

    def write(self, path: Path) -> None:
        """Write to a file, whole or not at all."""
        identity, state = self.identity, self.state
        words, word_offsets = identity.packed_words
        arrays: dict[str, NDArray[Any]] = {
            "W_in": self.parameters.W_in_rows,
            "W_out": self.parameters.W_out_rows,
            "words": words,
            "word_offsets": word_offsets,
            "counts": identity.vocabulary.counts,
        }
        if self.best is not None:
            arrays |= {"best.W_in": self.best.W_in_rows, "best.W_out": self.best.W_out_rows}
        arrays |= {_ENGINE + name: np.ascontiguousarray(v) for name, v in self.engine.items()}
        record = {
            "settings": dict(identity.settings),
            "vector_size": self.parameters.vector_size,
            "n_inputs": self.parameters.n_inputs,
            "n_outputs": self.parameters.n_outputs,
            "fingerprint": identity.fingerprint.as_dict(),
            "report": asdict(identity.report),
            "held_out": identity.held_out.as_dict() if identity.held_out else None,
            "epoch": state.epoch,
            "token": state.token,
            "loss": state.loss.total,
            "pairs": state.loss.pairs,
            "seconds": state.seconds,
            "history": [asdict(one) for one in state.history],
        }
        CHECKPOINT.write(path, record, arrays)

    @classmethod
    def read(cls, path: Path, *, mapped: bool = False) -> Checkpoint:
        """Read a file and check all of it.

        Parameters
        ----------
        path : Path
        mapped : bool
            Whether parameters are mapped from temporary files, and no matrix is in memory.

        Raises
        ------
        FormatError
            If it is not what :meth:`write` wrote.
        """
        record, arrays = CHECKPOINT.read(path, mapped=mapped)
        try:
            identity = Identity(
                settings=_settings(record),
                vocabulary=_vocabulary(path, arrays),
                fingerprint=_filled(Fingerprint, record["fingerprint"]),
                report=_filled(CorpusReport, record["report"]),
                held_out=record["held_out"] and _filled(Fingerprint, record["held_out"]),
            )
            size = _number(record["vector_size"])
            words = len(identity.vocabulary)
            # Version 0.1 did not write them: both matrices had a row for each word.
            shape = _number(record.get("n_inputs", words)), _number(record.get("n_outputs", words))
            checkpoint = cls(
                identity=identity,
                state=_state(record, identity.fingerprint.tokens),
                parameters=_parameters(arrays, "", shape, size, mapped),
                best=_parameters(arrays, "best.", shape, size, mapped)
                if "best.W_in" in arrays
                else None,
                engine={
                    name.removeprefix(_ENGINE): array
                    for name, array in arrays.items()
                    if name.startswith(_ENGINE)
                },
            )
            checkpoint._check()
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            what = str(error) if isinstance(error, WordgradError) else f"{error!r} in its record"
            raise CHECKPOINT.damaged(path, what.rstrip(".")) from error
        return checkpoint

    def _check(self) -> None:
        words = len(self.identity.vocabulary)
        if self.identity.fingerprint.words != words:
            raise FormatError(f"{words} words, {self.identity.fingerprint.words} were recorded")
        if not self.is_finite():
            raise FormatError("a number is not finite")


def _settings(record: Mapping[str, Any]) -> dict[str, Any]:
    settings = record["settings"]
    if not isinstance(settings, dict):
        raise FormatError("settings are no JSON object")
    return completed(settings)


def _vocabulary(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Vocabulary:
    for name, dtype in (("words", "u1"), ("word_offsets", "<i8"), ("counts", "<i8")):
        if arrays[name].dtype != np.dtype(dtype) or arrays[name].ndim != 1 or not len(arrays[name]):
            raise FormatError(f"{name} is {arrays[name].dtype} of shape {arrays[name].shape}")
    packed = Vocabulary.from_packed(arrays["words"], arrays["word_offsets"], str(path))
    return Vocabulary(packed.words, arrays["counts"])


def _parameters(
    arrays: Mapping[str, NDArray[Any]],
    prefix: str,
    shape: tuple[int, int],
    size: int,
    mapped: bool,
) -> Parameters:
    """Copy the rows to memory that is aligned, or to files, once they are known to be rows."""
    given = [arrays[prefix + name] for name in ("W_in", "W_out")]
    for rows, n in zip(given, shape, strict=True):
        if rows.dtype != np.float32 or rows.ndim != 2:
            raise FormatError(f"vectors are {rows.dtype} of shape {rows.shape}")
        if len(rows) != n or not n:
            raise FormatError(f"{len(rows)} vectors are not the {n} that were recorded")
        if size < 1 or rows.shape[1] != row_floats(size) or rows[:, size:].any():
            raise FormatError(f"rows of {rows.shape[1]} numbers do not hold vectors of {size}")
    parameters = Parameters.zeros(*shape, size, mapped=mapped)
    parameters.copy_from(Parameters(given[0], given[1], size))
    return parameters


def _state(record: Mapping[str, Any], tokens: int) -> TrainingState:
    if not isinstance(record["history"], list):
        raise FormatError("its history is no list")
    history = [_filled(EpochRecord, one) for one in record["history"]]
    state = TrainingState(
        epoch=_number(record["epoch"]),
        token=_number(record["token"]),
        loss=Loss(_real(record["loss"]), _real(record["pairs"])),
        seconds=_real(record["seconds"]),
        history=history,
    )
    epochs = [one.epoch for one in history]
    if len(epochs) != state.epoch or epochs != list(range(1, len(epochs) + 1)):
        raise FormatError(f"{len(history)} epochs of history do not lead to epoch {state.epoch}")
    if state.token >= max(tokens, 1):
        raise FormatError(f"position {state.token} is outside a text of {tokens} words")
    return state


def _filled(kind: type[T], record: Any) -> T:
    """Make a record of a dataclass whose fields are int, float, str, or float or nothing."""
    checks = {"int": _number, "float": _real, "str": _text}
    values = {}
    for field in fields(kind):  # type: ignore[arg-type]  # a dataclass
        if field.name not in record and field.default is not MISSING:
            continue  # an earlier version did not write it
        optional = str(field.type).endswith(" | None")
        value = record.get(field.name) if optional else record[field.name]
        check = checks[str(field.type).removesuffix(" | None")]
        values[field.name] = None if optional and value is None else check(value)
    return kind(**values)


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise FormatError(f"{value!r} is not a whole number that can be")
    return value


def _real(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        raise FormatError(f"{value!r} is not a finite number >= 0")
    number: float = value  # a whole number stays one: pairs are, where they are drawn
    return number


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise FormatError(f"{value!r} is not a text")
    return value


EARLIER_SETTINGS: dict[str, object] = {
    "cbow_step": "exact",
    "output_weight": 0.0,
    "shrink_windows": True,
    "final_learning_rate": None,
    "keep_output": False,
    "subwords": None,
    "buckets": 2_000_000,
    "subword_step": "whole",
}
"""What a training did whose checkpoint is older than the setting."""


def completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with those that were not there yet when they were written.

    A training of documents is younger than all of these, and has not all of them.
    """
    return dict(settings) if "train_words" in settings else {**EARLIER_SETTINGS, **settings}


KEPT = 2
TEXT = "text"
PHRASES_FILE = "phrases.safetensors"
_HELD_OUT = "held-out.safetensors"
_SOURCES = "sources.json"
_NAME = re.compile(r"checkpoint-([1-9]\d{0,17})\.safetensors")
# Of our own writes, and of those that the safetensors library does aside for itself.
_LEFT_OVER = re.compile(
    r"\.(checkpoint-\d+|held-out|phrases)\.safetensors\.[0-9a-f]+\.part|\.tmp[A-Za-z0-9]{6}"
)


class CheckpointFolder:
    """A folder that this process alone writes to, until :meth:`close` or the end of a ``with``.

    Made by :meth:`begin` or :meth:`open`.

    Attributes
    ----------
    path : Path
    keeps_text : bool
        Whether the encoded text is kept in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keeps_text = not is_url(path)
        self._lock = FolderLock(path) if self.keeps_text else None
        self._newest = max(self._numbers(), default=0)
        for name in storage.names_in(path):
            if _LEFT_OVER.fullmatch(name):  # of a write that was killed
                storage.remove(path / name)

    @classmethod
    def begin(cls, path: Path) -> CheckpointFolder:
        """Make or take a folder for a new training.

        Raises
        ------
        OutputError
            If it cannot be written, a training is using it, or it holds checkpoints already.
        """
        try:
            if is_url(path):
                storage.check_output(path / "checkpoint", overwrite=True)
            else:
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if isinstance(error, OutputError):
                raise
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
        if folder.keeps_text and (path / TEXT).exists():
            shutil.rmtree(path / TEXT)
        for name in (_HELD_OUT, PHRASES_FILE, _SOURCES):
            storage.remove(path / name)
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
        """Write a checkpoint; when it is on the disk, remove all but the last two.

        Raises
        ------
        OutputError
            If it cannot be written, or another training has saved to the folder.
        """
        if max(self._numbers(), default=0) > self._newest:
            raise OutputError(
                f"Another training saves to the checkpoint folder {self.path}; stop it, or choose "
                "another folder."
            )
        path = self._file(self._newest + 1)
        checkpoint.write(path)
        self._newest += 1
        self._remove_older()
        return path

    def newest(self, *, mapped: bool = False) -> Checkpoint:
        """Read the newest checkpoint that is whole; see :meth:`Checkpoint.read`.

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
                checkpoint = Checkpoint.read(self._file(number), mapped=mapped)
            except InputError as error:
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
                    storage.remove(self._file(bad))
            self._newest = number
            self._remove_older()  # a training killed after saving may have left one more
            return checkpoint
        raise found[0]

    def write_held_out(self, text: ValidationCorpus) -> None:
        """Keep a held-out text."""
        arrays: dict[str, NDArray[Any]] = {"ids": text.ids, "offsets": text.offsets}
        record = {"tokens_read": text.tokens_read}
        HELD_OUT.write(self.path / _HELD_OUT, record, arrays)

    def read_held_out(self, identity: Identity) -> ValidationCorpus | None:
        """Read the held-out text of a training, if it has one, and check it."""
        if identity.held_out is None:
            return None
        path = self.path / _HELD_OUT
        record, arrays = HELD_OUT.read(path)
        read = record.get("tokens_read")
        try:
            ids, offsets = arrays["ids"], arrays["offsets"]
            if ids.dtype != np.int32 or offsets.dtype != np.int64 or type(read) is not int:
                raise HELD_OUT.damaged(path, "its numbers are of other kinds")
            text = ValidationCorpus(ids.reshape(-1), offsets.reshape(-1), identity.vocabulary, read)
            difference = Fingerprint.of(text).difference(identity.held_out)
        except (KeyError, IndexError, ValueError) as error:
            raise HELD_OUT.damaged(path, "it does not hold a text") from error
        if difference:
            raise FormatError(
                f"{path} is not the held-out text that this training began with ({difference}); "
                "put that file back, or begin a new training."
            )
        return text

    def write_sources(self, files: Sequence[Path]) -> None:
        """Keep where a text is read from, whose nodes may be others when it is resumed."""
        names = [str(file) for file in files]
        with atomic_write(self.path / _SOURCES, overwrite=True) as temporary:
            temporary.write_text(json.dumps(names), encoding="utf-8")

    def read_sources(self) -> list[Path]:
        """Return where the text of a training on a cluster is read from.

        Raises
        ------
        FormatError
            If the folder does not tell, as of a text in memory.
        """
        path = self.path / _SOURCES
        try:
            with storage.local(path) as here:
                names = json.loads(here.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # InputError among them
            names = []
        if (
            not isinstance(names, list)
            or not all(isinstance(one, str) for one in names)
            or not names
        ):
            raise FormatError(
                f"{path} names no files of the text that this training began with, which was in "
                "memory; give the text again."
            )
        return [path_of(one) for one in names]

    def write_phrases(self, phrases: PhraseTable) -> None:
        """Keep the phrases that are joined in the texts of a training."""
        phrases.save(self.path / PHRASES_FILE)

    def read_phrases(self) -> PhraseTable | None:
        """Read them, if there are any."""
        path = phrases_in(self.path)
        return None if path is None else PhraseTable.load(path)

    def open_text(self, identity: Identity) -> EncodedCorpus:
        """Open the encoded text of a training, and check all of it."""
        return open_kept(
            self.path / TEXT, identity.vocabulary, identity.report, identity.fingerprint
        )

    def close(self) -> None:
        """Let others use the folder."""
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> CheckpointFolder:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _remove_older(self) -> None:
        for number in self._numbers()[:-KEPT]:
            storage.remove(self._file(number))

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
            settings = CHECKPOINT.read_record(_file(path, number)).get("settings")
        except InputError as error:
            found.append(error)
            continue
        if isinstance(settings, dict):
            return completed(settings)
        found.append(CHECKPOINT.damaged(_file(path, number), "it holds no settings"))
    raise found[0]


def phrases_in(path: Path) -> Path | None:
    """The file of phrases in the folder of a training, if there is one."""
    return path / PHRASES_FILE if PHRASES_FILE in storage.names_in(path) else None


def check_holds_checkpoint(path: Path) -> None:
    """Raise :class:`InputError` unless the folder holds a checkpoint."""
    if not is_url(path) and not path.is_dir():
        raise InputError(f"There is no folder {path}; name the one that checkpoints were saved to.")
    if not _numbers(path):
        raise InputError(
            f"The folder {path} holds no checkpoint; name the one that a training saved its "
            "checkpoints to, or begin a training with checkpoints there."
        )


def _numbers(path: Path) -> list[int]:
    """Numbers of the checkpoints, rising."""
    found = map(_NAME.fullmatch, storage.names_in(path))
    return sorted(int(match[1]) for match in found if match)


def _file(path: Path, number: int) -> Path:
    return path / f"checkpoint-{number}.safetensors"
