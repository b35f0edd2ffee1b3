"""The picture of losses, by Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wordgrad.plotting.losses import AXES, LossCurve
from wordgrad.plotting.picture import COLOURS, LINE, drawing, write
from wordgrad.plotting.text import visible


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
