"""How trainings went: the loss and the learning rate, epoch by epoch."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError, InputError, ParameterError, check_choice
from wordgrad.files import atomic_write, check_output
from wordgrad.plotting.endings import checked_ending
from wordgrad.vectors.word_vectors import WordVectors

MEASURES = ("loss", "learning_rate", "words")
AXES = {
    "epoch": "epochs",
    "words": "words trained on",
    "seconds": "seconds of training",
}


@dataclass(frozen=True)
class LossCurve:
    """One training, a point an epoch; made by :func:`loss_curve`.

    Attributes
    ----------
    name : str
        What to call it.
    loss : ndarray of float64, shape (epochs,)
        Mean loss per pair over the epoch.
    learning_rate : ndarray of float64, shape (epochs,)
        At the end of the epoch.
    along : dict of str to ndarray of float64, shape (epochs,)
        Where the epoch ended: in epochs and words since the training began, and in seconds unless
        the training was reproducible (what must be the same each time records no times).
    objective : str
        What the loss is a loss of; only losses of one objective can be compared.
    validation : ndarray of float64, shape (epochs,), or None
        Mean loss per pair on held-out text after each epoch, if there was such a text.
    """

    name: str
    loss: NDArray[np.float64]
    learning_rate: NDArray[np.float64]
    along: dict[str, NDArray[np.float64]]
    objective: str
    validation: NDArray[np.float64] | None = None


def loss_curve(vectors: WordVectors, name: str) -> LossCurve:
    """Read the history of the training that made ``vectors`` from their metadata.

    Raises
    ------
    InputError
        If they carry no history.
    FormatError
        If it is not made of finite numbers.

    Examples
    --------
    >>> epochs = [{"loss": 2.5, "learning_rate": 0.01, "words": 100, "seconds": 0.5}] * 2
    >>> vectors = WordVectors(["a"], [[1.0]], metadata={"history": epochs})
    >>> loss_curve(vectors, "mine").along["words"]
    array([100., 200.])
    """
    metadata = vectors.metadata
    history = metadata.get("history")
    if not history:
        raise InputError(
            f"{name} carries no history of a training; use vectors that 'wordgrad train' wrote."
        )
    if not isinstance(history, list):
        raise FormatError(f"{name} holds a history that is not a list of epochs; train again.")
    columns = {measure: _column(history, measure, name) for measure in MEASURES}
    along = {
        "epoch": np.arange(1.0, len(history) + 1),
        "words": np.cumsum(columns["words"]),
    }
    if any(isinstance(record, dict) and "seconds" in record for record in history):
        along["seconds"] = np.cumsum(_column(history, "seconds", name))
    settings = metadata.get("settings")
    objective = _objective(settings if isinstance(settings, dict) else {})
    validation = None
    if isinstance(history[0], dict) and history[0].get("validation_loss") is not None:
        validation = _column(history, "validation_loss", name)
    return LossCurve(name, columns["loss"], columns["learning_rate"], along, objective, validation)


def save_losses(
    curves: Sequence[LossCurve],
    path: str | os.PathLike[str],
    *,
    along: str = "epoch",
    overwrite: bool = False,
) -> None:
    """Draw losses above and learning rates below; the name's ending says how.

    Parameters
    ----------
    curves : sequence of LossCurve
    path : path
        ``.html`` for a page that needs no network, ``.png`` or ``.svg`` for a picture.
    along : {"epoch", "words", "seconds"}
        What the horizontal axis counts.
    overwrite : bool
        Whether to replace a file that exists.

    Raises
    ------
    ParameterError
        If there is nothing to draw, a training did not record what ``along`` counts, or the name
        has another ending.
    MissingExtraError
        If a picture is asked for and Matplotlib is not installed.
    OutputError
        If the file exists and ``overwrite`` is false, or it cannot be written.
    """
    check_choice("along", along, AXES)
    if not curves:
        raise ParameterError("curves must hold at least one training, got none.")
    for curve in curves:
        if along not in curve.along:
            raise ParameterError(
                f"along must be one of {', '.join(map(repr, curve.along))} for {curve.name}, whose "
                f"training was reproducible and so recorded no times, got {along!r}."
            )
    ending = checked_ending(path)
    target = check_output(path, overwrite=overwrite)
    with atomic_write(target, overwrite=overwrite) as temporary:
        _WRITERS[ending](curves, along, temporary, ending)


def _column(history: list[object], measure: str, name: str) -> NDArray[np.float64]:
    values = []
    for epoch, record in enumerate(history, start=1):
        value = record.get(measure) if isinstance(record, dict) else None
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise FormatError(
                f"{name} holds a history whose epoch {epoch} has {value!r} for {measure}, not a "
                "finite number; train again, or load an undamaged copy."
            )
        values.append(float(value))
    return np.array(values)


def _objective(settings: dict[str, object]) -> str:
    """The settings that change what the loss means, in words."""
    parts = [str(settings.get("architecture", "?")), str(settings.get("loss", "?"))]
    if settings.get("loss") == "negative-sampling":
        parts += [f"{settings.get('negative', '?')} negatives"]
    return ", ".join(parts)


def _write_page(curves: Sequence[LossCurve], along: str, path: Path, ending: str) -> None:
    from wordgrad.plotting.loss_page import page

    path.write_text(page(curves, along), encoding="utf-8")


def _write_picture(curves: Sequence[LossCurve], along: str, path: Path, ending: str) -> None:
    from wordgrad.plotting.loss_picture import write_picture

    write_picture(curves, along, path, ending.removeprefix("."))


_WRITERS: dict[str, Callable[[Sequence[LossCurve], str, Path, str], None]] = {
    ".html": _write_page,
    ".png": _write_picture,
    ".svg": _write_picture,
}
