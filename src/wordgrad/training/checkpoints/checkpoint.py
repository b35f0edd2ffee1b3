"""What a checkpoint holds, and how it becomes a file and a training again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError, WordgradError
from wordgrad.text.corpus import CorpusReport
from wordgrad.text.fingerprint import Fingerprint
from wordgrad.text.vocabulary import Vocabulary
from wordgrad.training.checkpoints.file import damaged, read_arrays, write_arrays
from wordgrad.training.engines.protocol import Loss
from wordgrad.training.history import EpochRecord
from wordgrad.training.parameters import Parameters, row_floats
from wordgrad.training.state import TrainingState
from wordgrad.vectors.words import WordTable

PART = "checkpoint"
_RUNNER = "runner."
T = TypeVar("T")


@dataclass(frozen=True)
class Identity:
    """What stays the same from the first checkpoint of a training to its last.

    Attributes
    ----------
    settings : dict
        Plain values: whatever the training was asked for.
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
        return WordTable.from_words(self.vocabulary.words).packed()


@dataclass(frozen=True)
class Checkpoint:
    """A training at rest.

    Attributes
    ----------
    identity : Identity
    state : TrainingState
    parameters : Parameters
    best : Parameters or None
        Those of the best epoch so far, where training ends early and gives them back.
    runner : dict of str to array
        What the runner has gathered.
    """

    identity: Identity
    state: TrainingState
    parameters: Parameters
    best: Parameters | None
    runner: Mapping[str, NDArray[Any]]

    def is_finite(self) -> bool:
        """Whether every number is finite."""
        gathered = (array for array in self.runner.values() if array.dtype.kind == "f")
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
        arrays |= {_RUNNER + name: np.ascontiguousarray(v) for name, v in self.runner.items()}
        record = {
            "settings": dict(identity.settings),
            "vector_size": self.parameters.vector_size,
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
        write_arrays(path, PART, record, arrays)

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read a file and check all of it.

        Raises
        ------
        FormatError
            If it is not what :meth:`write` wrote.
        """
        record, arrays = read_arrays(path, PART)
        try:
            identity = Identity(
                settings=_settings(record),
                vocabulary=_vocabulary(path, arrays),
                fingerprint=_filled(Fingerprint, record["fingerprint"]),
                report=_filled(CorpusReport, record["report"]),
                held_out=record["held_out"] and _filled(Fingerprint, record["held_out"]),
            )
            size = _number(record["vector_size"])
            checkpoint = cls(
                identity=identity,
                state=_state(record, identity.fingerprint.tokens),
                parameters=_parameters(arrays, "", size),
                best=_parameters(arrays, "best.", size) if "best.W_in" in arrays else None,
                runner={
                    name.removeprefix(_RUNNER): array
                    for name, array in arrays.items()
                    if name.startswith(_RUNNER)
                },
            )
            checkpoint._check()
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            what = str(error) if isinstance(error, WordgradError) else f"{error!r} in its record"
            raise damaged(path, what.rstrip(".")) from error
        return checkpoint

    def _check(self) -> None:
        words = len(self.identity.vocabulary)
        if self.identity.fingerprint.words != words:
            raise FormatError(f"{words} words, {self.identity.fingerprint.words} were recorded")
        for one in (self.parameters, self.best):
            if one is not None and one.n_words != words:
                raise FormatError(f"{one.n_words} vectors do not fit {words} words")
        if not self.is_finite():
            raise FormatError("a number is not finite")


def _settings(record: Mapping[str, Any]) -> dict[str, Any]:
    settings = record["settings"]
    if not isinstance(settings, dict):
        raise FormatError("settings are no JSON object")
    return settings


def _vocabulary(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Vocabulary:
    for name, dtype in (("words", "u1"), ("word_offsets", "<i8"), ("counts", "<i8")):
        if arrays[name].dtype != np.dtype(dtype) or arrays[name].ndim != 1 or not len(arrays[name]):
            raise FormatError(f"{name} is {arrays[name].dtype} of shape {arrays[name].shape}")
    table = WordTable.from_bytes(arrays["words"], arrays["word_offsets"], str(path))
    _ = table.index  # no word twice
    return Vocabulary(table.words, arrays["counts"])


def _parameters(arrays: Mapping[str, NDArray[Any]], prefix: str, size: int) -> Parameters:
    """Copy the rows to memory that is aligned, once they are known to be rows."""
    given = [arrays[prefix + name] for name in ("W_in", "W_out")]
    for rows in given:
        if rows.dtype != np.float32 or rows.ndim != 2 or rows.shape != given[0].shape:
            raise FormatError(f"vectors are {rows.dtype} of shape {rows.shape}")
        if size < 1 or not len(rows) or rows.shape[1] != row_floats(size) or rows[:, size:].any():
            raise FormatError(f"rows of {rows.shape[1]} numbers do not hold vectors of {size}")
    parameters = Parameters.zeros(len(given[0]), size)
    for rows, target in zip(given, (parameters.W_in_rows, parameters.W_out_rows), strict=True):
        target[:] = rows
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
        value = record[field.name]
        optional = str(field.type).endswith(" | None")
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
