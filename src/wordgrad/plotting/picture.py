"""What pictures share: Matplotlib, made ready for text of any kind."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wordgrad.plotting.extras import required

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (
    "#4269d0", "#e8930c", "#f0594a", "#33a9a0", "#3ca951",
    "#e86aa0", "#a463f2", "#5fa0e8", "#9c6b4e", "#8b8f98",
)  # fmt: skip
INK, QUIET, LINE = "#1d1f24", "#676b76", "#dedcd6"
BASE_FONT = "DejaVu Sans"  # comes with Matplotlib
BOXES = "Last Resort"  # comes with it, too: it "has" every character, and shows boxes


@contextmanager
def drawing(texts: Iterable[str], width: float, height: float) -> Iterator[Figure]:
    """An empty figure, ``width`` by ``height`` inches, with fonts that can show ``texts``.

    Raises
    ------
    MissingExtraError
        If Matplotlib is not installed.
    """
    matplotlib = required("matplotlib", extra="plot", purpose="A picture (.png, .svg)")
    from matplotlib.figure import Figure

    settings: dict[str, Any] = {
        "font.family": fonts_for(texts),
        "svg.fonttype": "none",  # text stays text: small, searchable, any script
        "svg.hashsalt": "wordgrad",  # the same drawing, the same bytes
        "text.color": INK,
        "axes.edgecolor": LINE,
        "axes.labelcolor": QUIET,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # A sign that no installed font has is drawn as a box, which is all that can be done.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield Figure(figsize=(width, height), facecolor="white")


def write(figure: Figure, path: Path, kind: str) -> None:
    """Write the figure without the date, so that the same drawing gives the same bytes."""
    metadata = {"Date": None} if kind == "svg" else None
    figure.savefig(path, format=kind, dpi=150, metadata=metadata)


def fonts_for(texts: Iterable[str]) -> list[str]:
    """Names of installed fonts that together have the characters of ``texts``, as far as any do.

    Matplotlib takes each character from the first font of the list that has it.
    """
    from matplotlib.font_manager import findfont, fontManager, get_font

    missing = {ord(character) for text in texts for character in text}
    missing -= set(get_font(findfont(BASE_FONT)).get_charmap())
    fonts = [BASE_FONT]
    for entry in sorted(fontManager.ttflist, key=lambda entry: (entry.name, entry.fname)):
        if not missing:
            break
        plain = entry.style == "normal" and entry.weight == 400
        if not plain or entry.name in fonts or entry.name.startswith(BOXES):
            continue
        try:
            has = missing & set(get_font(entry.fname).get_charmap())
        except (OSError, RuntimeError):  # a font that is damaged, or gone since it was listed
            continue
        if has:
            fonts.append(entry.name)
            missing -= has
    return fonts
