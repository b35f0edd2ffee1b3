"""The page of losses: one HTML file that needs no network, drawn by Bokeh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wordgrad.plotting.html import assemble, figure_item
from wordgrad.plotting.losses import AXES, LossCurve
from wordgrad.plotting.picture import COLOURS
from wordgrad.plotting.text import visible

if TYPE_CHECKING:
    from bokeh.plotting import figure

MEASURES = {"loss": "mean loss per pair", "learning_rate": "learning rate"}


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
    for drawing in (above, below):
        _draw(drawing, curves, along)
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
    panel.yaxis.axis_label = MEASURES[measure]
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
    measure = MEASURES[str(panel.name)]
    tooltips = [("training", "@name"), (unit, "@x{0,0.[0]}"), (measure, "@y{0.0000}")]
    panel.add_tools(HoverTool(renderers=dots, tooltips=tooltips))
