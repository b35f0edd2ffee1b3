"""Loss and learning rate of trainings, epoch by epoch, as a page (Bokeh) or a picture (Matplotlib).

A page is one HTML file that needs no network.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError, InputError, ParameterError, check_choice
from wordgrad.files import atomic_write, check_output
from wordgrad.plotting.page import assemble, figure_item
from wordgrad.plotting.picture import COLOURS, LINE, checked_ending, drawing, visible, write
from wordgrad.word_vectors import WordVectors

if TYPE_CHECKING:
    from bokeh.plotting import figure


MEASURES = ("loss", "learning_rate", "words")
_MEASURES_SHOWN = {"loss": "mean loss per pair", "learning_rate": "learning rate"}
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
            f"{name} has no training history; use vectors that 'wordgrad train' wrote."
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
    """Draw losses above and learning rates below, to a page or a picture.

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
        If Matplotlib is not installed, for a picture.
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
        if ending == ".html":
            temporary.write_text(page(curves, along), encoding="utf-8")
        else:
            write_picture(curves, along, temporary, ending.removeprefix("."))


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
    if str(settings.get("loss")).endswith("negative-sampling"):
        parts += [f"{settings.get('negative', '?')} negatives"]
    return ", ".join(parts)


def page(curves: Sequence[LossCurve], along: str) -> str:
    """The whole page as text."""
    from bokeh.models import Column, Range1d

    above = _panel("loss", along, sizing_mode="stretch_both")
    below = _panel("learning_rate", along, sizing_mode="stretch_width", height=190)
    below.x_range = above.x_range  # moving one moves the other
    largest = max(float(curve.learning_rate.max()) for curve in curves)
    below.y_range = Range1d(-0.05 * largest, 1.05 * largest)
    below.xaxis.axis_label = AXES[along]
    below.xaxis.visible = True
    for panel in (above, below):
        _draw(panel, curves, along)
    objectives = dict.fromkeys(curve.objective for curve in curves)
    dashed = any(curve.validation is not None for curve in curves)
    note = " Dashed: on held-out text, after each epoch." if dashed else ""
    return assemble(
        "loss",
        title="Loss",
        subtitle=f"Mean loss per pair and learning rate, epoch by epoch ({'; '.join(objectives)})."
        f"{note}",
        data=[
            {"name": visible(curve.name), "color": COLOURS[place % len(COLOURS)]}
            for place, curve in enumerate(curves)
        ],
        figure=figure_item(Column(above, below, sizing_mode="stretch_both")),
    )


def _panel(measure: str, along: str, **size: Any) -> figure:
    from bokeh.models import PanTool, WheelZoomTool
    from bokeh.plotting import figure

    zoom = WheelZoomTool(dimensions="width")
    panel = figure(
        **size,
        tools=[PanTool(dimensions="width"), zoom],
        active_scroll=zoom,
        toolbar_location=None,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        min_border_left=64,
        name=measure,
    )
    panel.yaxis.axis_label = _MEASURES_SHOWN[measure]
    panel.axis.axis_label_text_font_style = "normal"
    panel.axis.minor_tick_line_color = None
    if along == "epoch":
        from bokeh.models import BasicTicker

        panel.xaxis.ticker = BasicTicker(min_interval=1, num_minor_ticks=0)
    panel.xaxis.visible = False
    return panel


def _draw(panel: figure, curves: Sequence[LossCurve], along: str) -> None:
    from bokeh.models import ColumnDataSource, HoverTool

    dots = []
    for place, curve in enumerate(curves):
        values: Any = curve.loss if panel.name == "loss" else curve.learning_rate
        columns = {
            "x": curve.along[along].tolist(),
            "y": values.tolist(),
            "name": [visible(curve.name)] * len(values),
        }
        source = ColumnDataSource(columns)
        colour = COLOURS[place % len(COLOURS)]
        line = panel.line("x", "y", source=source, color=colour, line_width=2)
        dot = panel.scatter("x", "y", source=source, color=colour, size=6)
        line.tags = dot.tags = [place]
        dots.append(dot)
        if curve.validation is not None and panel.name == "loss":
            held_out = ColumnDataSource(columns | {"y": curve.validation.tolist()})
            dashed = panel.line(
                "x", "y", source=held_out, color=colour, line_width=2, line_dash="dashed"
            )
            dashed.tags = [place]
            dots.append(dashed)
    unit = AXES[along]
    measure = _MEASURES_SHOWN[str(panel.name)]
    tooltips = [("training", "@name"), (unit, "@x{0,0.[0]}"), (measure, "@y{0.0000}")]
    panel.add_tools(HoverTool(renderers=dots, tooltips=tooltips))


def write_picture(curves: Sequence[LossCurve], along: str, path: Path, kind: str) -> None:
    """Draw to ``path`` as ``kind`` ("png" or "svg")."""
    names = [visible(curve.name) for curve in curves]
    with drawing(names, 8, 6) as figure:
        figure.set_layout_engine("constrained", w_pad=0.15, h_pad=0.15)
        above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
        lines = []
        for place, curve in enumerate(curves):
            style = {"color": COLOURS[place % len(COLOURS)], "linewidth": 1.8}
            where = curve.along[along]
            lines += above.plot(where, curve.loss, marker="o", markersize=4, **style)
            if curve.validation is not None:
                above.plot(where, curve.validation, linestyle="dashed", **style)
            below.plot(where, curve.learning_rate, marker="o", markersize=2.5, **style)
        loss = "mean loss per pair"
        if any(curve.validation is not None for curve in curves):
            loss += "; dashed: on held-out text"
        for axes, label in ((above, loss), (below, "learning rate")):
            axes.set_ylabel(label)
            axes.grid(color=LINE, linewidth=0.6)
            axes.spines[["top", "right"]].set_visible(False)
        below.set_xlabel(AXES[along])
        below.set_ylim(bottom=-0.05 * max(float(curve.learning_rate.max()) for curve in curves))
        if along == "epoch":
            below.xaxis.get_major_locator().set_params(integer=True)
        legend = above.legend(lines, [str(place) for place in range(len(lines))], frameon=False)
        for text, name in zip(legend.get_texts(), names, strict=True):
            # Set afterwards: a legend reads dollars as mathematics and leaves out names like _a.
            text.set_parse_math(False)
            text.set_text(name)
        figure.align_ylabels([above, below])
        write(figure, path, kind)
