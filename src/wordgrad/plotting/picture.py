"""Pictures by Matplotlib, with text of any script in them.

Also what pages share with them: the endings of names, colours, and signs for characters that show
nothing, for a word may hold anything.
"""

from __future__ import annotations

import importlib
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from wordgrad.errors import ParameterError, WordgradError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


ENDINGS = (".html", ".png", ".svg")


def checked_ending(path: str | os.PathLike[str]) -> str:
    """The ending of ``path`` in lower case, if it is one that can be drawn to.

    >>> checked_ending("map.SVG")
    '.svg'
    >>> checked_ending("map.pdf")
    Traceback (most recent call last):
        ...
    wordgrad.errors.ParameterError: The name of a drawing must end in .html, .png or .svg, got
    map.pdf.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise ParameterError(
            f"The name of a drawing must end in .html, .png or .svg, got {os.fspath(path)}."
        )
    return ending


class MissingExtraError(WordgradError, ImportError):
    """A library is not installed; the message has the command that installs it."""


def required(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import ``module``, or say how to install it.

    >>> required("math", extra="plot", purpose="A drawing").floor(1.5)
    1
    >>> required("no_such_module", extra="plot", purpose="A drawing")
    Traceback (most recent call last):
        ...
    wordgrad.plotting.picture.MissingExtraError: A drawing needs the library no_such_module; install
    it with: python -m pip install "wordgrad[plot]"
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        if error.name is not None and error.name.partition(".")[0] != library:
            raise  # installed, but broken: hiding that would send people the wrong way
        raise MissingExtraError(
            f"{purpose} needs the library {library}; install it with: "
            f'python -m pip install "wordgrad[{extra}]"'
        ) from error


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


_INVISIBLE = re.compile("[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]")


def visible(word: str) -> str:
    r"""``word`` with a sign for each character that shows nothing, or breaks a line or a file.

    >>> visible("New York"), visible("tab\there"), visible(""), visible("café")
    ('New␣York', 'tab␉here', '(empty)', 'café')
    """
    return _INVISIBLE.sub(_sign, word) or "(empty)"


def _sign(character: re.Match[str]) -> str:
    code = ord(character[0])
    if code in (0x20, 0xA0):
        return "␣"
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"
