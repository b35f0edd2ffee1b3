"""What the ending of a drawing's name means."""

from __future__ import annotations

import os
from pathlib import Path

from wordgrad.errors import ParameterError

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
