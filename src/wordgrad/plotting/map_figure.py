"""The drawing of a map's page: what Bokeh draws, with sources that ``page/map.js`` fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bokeh.models import ColumnDataSource
    from bokeh.plotting import figure

LABEL_SIZE = "12px"
DOT = {"x": "x", "y": "y", "size": "size", "fill_color": "color"}
LINE = {"x0": "x0", "y0": "y0", "x1": "x1", "y1": "y1", "line_color": "color"}


def map_figure() -> figure:
    """An empty drawing with named sources, which ``page/map.js`` fills, colours and follows."""
    from bokeh.models import PanTool, Range1d, WheelZoomTool
    from bokeh.plotting import figure

    pan, zoom = PanTool(), WheelZoomTool(zoom_on_axis=False)
    drawing = figure(
        name="map",
        sizing_mode="stretch_both",
        tools=[pan, zoom],
        active_drag=pan,
        active_scroll=zoom,
        toolbar_location=None,
        x_range=Range1d(-1, 1),
        y_range=Range1d(-1, 1),
        min_border=0,
        outline_line_color=None,
        background_fill_color=None,
        border_fill_color=None,
    )
    drawing.axis.visible = False
    drawing.grid.visible = False
    _add_points(drawing)
    _add_labels(drawing)
    return drawing


def _add_points(drawing: figure) -> None:
    """All words as dots; above them lines and larger dots for those that are lit."""
    dots = _source("dots", "x", "y", "size", "color", "alpha")
    drawing.scatter(**DOT, fill_alpha="alpha", line_color=None, source=dots)
    lines = _source("lines", "x0", "y0", "x1", "y1", "color", "width")
    drawing.segment(**LINE, line_width="width", line_alpha=0.75, source=lines)
    lit = _source("lit", "x", "y", "size", "color", "ring")
    drawing.scatter(**DOT, line_color="ring", line_width=1.5, source=lit)


def _add_labels(drawing: figure) -> None:
    from bokeh.core.properties import value

    for name, style in (("labels", "normal"), ("lit_labels", "bold")):
        source = _source(name, "x", "y", "text", "dx", "dy", "color", "halo")
        text = {
            "x": "x",
            "y": "y",
            "text": "text",
            "x_offset": "dx",
            "y_offset": "dy",
            "text_font_style": style,
            "text_font_size": LABEL_SIZE,
            "text_font": value("system-ui, sans-serif"),
            "text_baseline": "middle",
            "source": source,
        }
        # An outline is drawn over its text: so the outline first, then the text once more.
        halo = {"text_outline_color": "halo", "text_outline_width": 4}
        drawing.text(**text, text_color="halo", **halo)
        drawing.text(**text, text_color="color")


def _source(name: str, *columns: str) -> ColumnDataSource:
    from bokeh.models import ColumnDataSource

    return ColumnDataSource({column: [] for column in columns}, name=name)
