"""The picture of a map, by Matplotlib: as many labels as find room, the most important first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.plotting.labels import place_labels
from wordgrad.plotting.picture import COLOURS, INK, QUIET, drawing, write
from wordgrad.plotting.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from wordgrad.plotting.word_map import WordMap

HEIGHT = 9.0  # inches; the width follows the map
NARROWEST, WIDEST = 7.0, 14.0
FEW = 300  # labels of so many words may stand off, with a line to the point
SCALES = ((60, 11.0, 4.0), (FEW, 9.0, 1.6))  # up to so many words: points a letter, dots' growth
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
        areas = _areas(drawn)
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


def _areas(drawn: WordMap) -> NDArray[np.float64]:
    """Areas of the dots in square points: larger for words seen more often."""
    rarity = np.log(drawn.ranks + 10)
    areas: NDArray[np.float64] = 8 + 30 * (1 - rarity / rarity.max())
    return areas * next((grow for most, _, grow in SCALES if len(drawn.words) <= most), 1.0)


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
