"""Drawing of a word map: a page by Bokeh, or a picture by Matplotlib.

A page is one HTML file that needs no network.  A picture shows as many labels as there is room for,
the most important words first.

Design of the page
------------------
A. Bokeh draws: points, lines and labels on a canvas, with panning, zooming and pinching.  Its
   library is a quarter the size of Plotly's (1.3 MB against 4.8 MB), and every page carries it.
B. Around the canvas there is plain HTML for what a canvas cannot offer to a keyboard or a screen
   reader: the search field, the list of neighbours.  ``page/map.js`` joins the two.
C. Words come from anybody's text.  They travel once, as JSON in which ``<`` is escaped, and reach
   the page as text nodes or on the canvas, never as markup.  A content security policy in the page
   forbids every request, whatever happens.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.plotting.page import assemble, figure_item
from wordgrad.plotting.picture import COLOURS, INK, QUIET, drawing, visible, write
from wordgrad.plotting.projection import METHOD_NAMES
from wordgrad.search.exact import Neighbours

if TYPE_CHECKING:
    from bokeh.models import ColumnDataSource
    from bokeh.plotting import figure
    from matplotlib.axes import Axes

    from wordgrad.plotting.word_map import WordMap


Array = NDArray[np.float64]

# Directions from the point to the middle of the label, the best first: right, left, above, below,
# and between them.
_DIRECTIONS = np.array(
    [[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=np.float64
)


def place_labels(
    points: Array, sizes: Array, frame: tuple[float, float], *, gaps: Array, rings: int = 1
) -> Array:
    """Place labels one after another, each where it meets no label placed before.

    Of the free places at the smallest distance, each label takes the one that hides the fewest
    points, and of these the first: right of its point, left, above, below, at the corners.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        What is labelled, in falling order of importance.
    sizes : ndarray of float64, shape (n, 2)
        Width and height of each label, in the units of ``points``.
    frame : tuple of float
        Width and height that labels must not leave; it begins at (0, 0).
    gaps : ndarray of float64, shape (n,)
        Between each point and its label.
    rings : int
        How many distances from the point to try; each is farther by a label's height.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        The middle of each label; NaN where there is no room.

    Examples
    --------
    >>> points, sizes = np.array([[5.0, 5], [5, 5.5]]), np.full((2, 2), 2.0)
    >>> place_labels(points, sizes, (10, 10), gaps=np.ones(2))
    array([[7. , 5. ],
           [3. , 5.5]])
    """
    places = np.full(points.shape, np.nan)
    taken = np.empty((0, 4))
    for label, (point, size, gap) in enumerate(zip(points, sizes, gaps, strict=True)):
        middles = np.concatenate(
            [point + _DIRECTIONS * (size / 2 + gap + ring * size[1] * 1.2) for ring in range(rings)]
        )
        boxes = np.hstack([middles - size / 2, middles + size / 2])
        inside = (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2:] <= frame).all(axis=1)
        free = np.flatnonzero(inside & ~_meet(boxes, taken).any(axis=1))
        if not free.size:
            continue
        nearest = free[free // len(_DIRECTIONS) == free[0] // len(_DIRECTIONS)]
        hidden = _meet(boxes[nearest], np.hstack([points, points])).sum(axis=1)
        best = nearest[hidden.argmin()]
        places[label] = middles[best]
        taken = np.vstack([taken, boxes[best]])
    return places


def _meet(boxes: Array, others: Array) -> NDArray[np.bool_]:
    """Which boxes (a, 4) overlap which others (b, 4), of shape (a, b); left, bottom, right, top."""
    before = (boxes[:, None, :2] < others[None, :, 2:]).all(axis=2)
    after = (boxes[:, None, 2:] > others[None, :, :2]).all(axis=2)
    return np.logical_and(before, after)


LABEL_SIZE = "12px"
DOT = {"x": "x", "y": "y", "size": "size", "fill_color": "color"}
LINE = {"x0": "x0", "y0": "y0", "x1": "x1", "y1": "y1", "line_color": "color"}


def map_figure() -> figure:
    """An empty drawing with named sources, which ``page/map.js`` fills, colours and follows."""
    from bokeh.core.properties import value
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
    # All words as dots; above them lines and larger dots for those that are lit.
    dots = _source("dots", "x", "y", "size", "color", "alpha")
    drawing.scatter(**DOT, fill_alpha="alpha", line_color=None, source=dots)
    lines = _source("lines", "x0", "y0", "x1", "y1", "color", "width")
    drawing.segment(**LINE, line_width="width", line_alpha=0.75, source=lines)
    lit = _source("lit", "x", "y", "size", "color", "ring")
    drawing.scatter(**DOT, line_color="ring", line_width=1.5, source=lit)
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
    return drawing


def _source(name: str, *columns: str) -> ColumnDataSource:
    from bokeh.models import ColumnDataSource

    return ColumnDataSource({column: [] for column in columns}, name=name)


def page(drawn: WordMap) -> str:
    """The whole page as text."""
    shown = f"{drawn.description}, placed by {METHOD_NAMES[drawn.method]}"
    if drawn.zero_vectors:
        shown += f"; {drawn.zero_vectors:,} left out because their vector is zero"
    return assemble(
        "map",
        title=f"Word map: {drawn.description}",
        subtitle=f"{shown}.",
        data=_data(drawn),
        figure=figure_item(map_figure()),
    )


def _data(drawn: WordMap) -> dict[str, Any]:
    """What ``page/map.js`` reads.  Words are numbered: those of the map first, then the others."""
    others = sorted(drawn.other_words)
    number = {int(row): place for place, row in enumerate(drawn.ranks)}
    number |= {row: len(drawn.words) + place for place, row in enumerate(others)}
    everywhere = np.array(
        [[number.get(int(row), -1) for row in rows] for rows in drawn.in_all.rows]
    )
    same = len(others) == 0 and np.array_equal(everywhere, drawn.on_map.rows)
    return {
        "words": [*drawn.words, *(drawn.other_words[row] for row in others)],
        "ranks": [*drawn.ranks.tolist(), *others],
        "counts": None if drawn.counts is None else drawn.counts.tolist(),
        "x": np.round(drawn.positions[:, 0], 5).tolist(),
        "y": np.round(drawn.positions[:, 1], 5).tolist(),
        "groups": drawn.groups.tolist(),
        "groupNames": [[visible(word) for word in names] for names in drawn.group_names],
        "vocabulary": drawn.vocabulary,
        "onMap": _near(drawn.on_map.rows, drawn.on_map),
        "inAll": None if same else _near(everywhere, drawn.in_all),
    }


def _near(places: NDArray[np.int64], found: Neighbours) -> list[list[list[float]]]:
    """For each word its neighbours: [number, cosine], the nearest first."""
    return [
        [
            [int(place), round(float(cosine), 4)]
            for place, cosine in zip(row, cosines, strict=True)
            if place >= 0
        ]
        for row, cosines in zip(places, found.scores, strict=True)
    ]


HEIGHT = 9.0  # inches; the width follows the map
NARROWEST, WIDEST = 7.0, 14.0
FEW = 300  # up to this many words, labels may be moved away, with a line to the point
SCALES = (
    (60, 11.0, 4.0),
    (FEW, 9.0, 1.6),
)  # up to this many words: font size in points, scale of the dots
SMALL_LETTERS = 7.5
MARGINS = 1.0, 0.6  # inches at the sides, above and below: room for labels


def write_picture(drawn: WordMap, path: Path, kind: str) -> int:
    """Draw to ``path`` as ``kind`` ("png" or "svg"); return how many words have a label."""
    words = [visible(word) for word in drawn.words]
    across, down = np.abs(drawn.positions).max(axis=0)
    inches = (HEIGHT / 2 - MARGINS[1]) / max(down, across / 2)  # of one unit of the map
    width = float(np.clip(2 * (across * inches + MARGINS[0]), NARROWEST, WIDEST))
    with drawing(words, width, HEIGHT) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        inches = min(inches, (width / 2 - MARGINS[0]) / across)
        axes.set_xlim(-width / 2 / inches, width / 2 / inches)
        axes.set_ylim(-HEIGHT / 2 / inches, HEIGHT / 2 / inches)
        # In square points: larger for words seen more often.
        rarity = np.log(drawn.ranks + 10)
        areas: Array = 8 + 30 * (1 - rarity / rarity.max())
        areas *= next((grow for most, _, grow in SCALES if len(words) <= most), 1.0)
        axes.scatter(
            drawn.positions[:, 0],
            drawn.positions[:, 1],
            s=areas,
            c=[COLOURS[group % len(COLOURS)] for group in drawn.groups],
            linewidths=0,
            alpha=0.75,
        )
        labelled = _label(axes, drawn.positions, areas, words)
        write(figure, path, kind)
    return labelled


def _label(
    axes: Axes, positions: NDArray[np.float64], areas: NDArray[np.float64], words: list[str]
) -> int:
    few = len(words) <= FEW
    letters = next((size for most, size, _ in SCALES if len(words) <= most), SMALL_LETTERS)
    font: dict[str, Any] = {"fontsize": letters, "parse_math": False}
    points = axes.transData.transform(positions)
    frame = axes.get_window_extent()
    texts = [axes.text(0, 0, word, **font, ha="center", va="center", color=INK) for word in words]
    extents = [text.get_window_extent() for text in texts]
    sizes = np.array([[extent.width + 3, extent.height + 1] for extent in extents])
    radii = np.sqrt(areas / np.pi) * axes.figure.dpi / 72  # from points to pixels
    places = place_labels(
        points, sizes, (frame.width, frame.height), gaps=radii + 1, rings=4 if few else 1
    )
    back = axes.transData.inverted()
    for point, radius, place, size, text in zip(points, radii, places, sizes, texts, strict=True):
        if np.isnan(place[0]):
            text.remove()
            continue
        text.set_position(tuple(back.transform(place)))
        edge = np.clip(point, place - size / 2, place + size / 2)  # nearest to the point
        if np.linalg.norm(edge - point) > radius + size[1] / 2:
            ends = back.transform([point, edge])
            axes.plot(ends[:, 0], ends[:, 1], color=QUIET, linewidth=0.5, zorder=0.5)
    return int(np.isfinite(places[:, 0]).sum())
