"""The page of a map: one HTML file that needs no network.

Design
------
A. Bokeh draws: points, lines and labels on a canvas, with panning, zooming and pinching.  Its
   library is a quarter the size of Plotly's (1.3 MB against 4.8 MB), and every page carries it.
B. Around the canvas there is plain HTML for what a canvas cannot offer to a keyboard or a screen
   reader: the search field, the list of neighbours.  ``page/map.js`` joins the two.
C. Words come from anybody's text.  They travel once, as JSON in which ``<`` is escaped, and reach
   the page as text nodes or on the canvas, never as markup.  A content security policy in the page
   forbids every request, whatever happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.plotting.html import assemble, figure_item
from wordgrad.plotting.map_figure import map_figure
from wordgrad.plotting.projection import METHOD_NAMES
from wordgrad.plotting.text import visible
from wordgrad.vectors.selection import Neighbours

if TYPE_CHECKING:
    from wordgrad.plotting.word_map import WordMap


def page(drawn: WordMap) -> str:
    """The whole page as text."""
    return assemble(
        "map",
        title=f"Word map: {drawn.description}",
        subtitle=_subtitle(drawn),
        data=_data(drawn),
        figure=figure_item(map_figure()),
    )


def _subtitle(drawn: WordMap) -> str:
    shown = f"{drawn.description}, placed by {METHOD_NAMES[drawn.method]}"
    if drawn.zero_vectors:
        shown += f"; {drawn.zero_vectors:,} left out because their vector is zero"
    return shown + "."


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
