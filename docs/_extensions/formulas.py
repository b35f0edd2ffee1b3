"""Formulas as pictures, drawn while the site is built.

MathJax and KaTeX render in the reader's browser, from a server or from megabytes of scripts beside
the pages.  Here each formula becomes an SVG of a few kilobytes within its page, in the colour of
the text, with its LaTeX as the description that screen readers read out.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import ziamath
from docutils import nodes
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

logger = logging.getLogger(__name__)
PIXELS_PER_EM = 24.0
SCALE = 1.08  # STIX Two is smaller than the fonts of the pages
# The renderer takes every minus for one between two terms, and every comma for one in a list.
SIGN = re.compile(r"(^|[(\[=,]|\\ge|\\le|\\qquad|\\quad)(\s*)-")
LAST_COMMA = re.compile(r",(\s*\))")
WORD_JOINER = "&#8288;"  # no line ends between a formula and the comma behind it


@cache
def formula(latex: str, *, display: bool) -> str:
    """Draw a formula as an ``<svg>`` whose lengths are in em.

    Parameters
    ----------
    latex : str
        The formula, without its dollar signs.
    display : bool
        Whether it stands in a line of its own, with tall sums and fractions.

    Returns
    -------
    str
        An ``<svg>`` element, to be put into HTML.

    Raises
    ------
    ValueError
        If the formula uses what the renderer does not know.
    """
    try:
        drawn = ziamath.Latex(
            LAST_COMMA.sub(r"{,}\1", SIGN.sub(r"\1\2{-}", latex)),
            size=PIXELS_PER_EM,
            inline=not display,
            color="currentColor",
            margin=0.0,
        )
        svg = drawn.svgxml()
    except Exception as error:  # whatever the renderer trips over is the formula's fault
        raise ValueError(f"the formula {latex!r} cannot be drawn: {error}") from error
    em = SCALE / PIXELS_PER_EM
    for side in ("width", "height"):
        svg.set(side, f"{float(svg.get(side, '0')) * em:.3f}em")
    svg.set("style", f"vertical-align:{drawn.getyofst() * em:.3f}em")
    svg.set("role", "img")
    svg.set("aria-label", " ".join(latex.split()))
    return ElementTree.tostring(svg, encoding="unicode")


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(_drawn(node, display=False) + WORD_JOINER)
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{_drawn(node, display=True)}</div>\n')
    raise nodes.SkipNode


def _drawn(node: nodes.Element, *, display: bool) -> str:
    latex = node.astext()
    try:
        return formula(latex, display=display)
    except ValueError as error:
        logger.warning("%s", error, location=node)
        return f"<code>{escape(latex)}</code>"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer, as Sphinx asks of an extension."""
    app.add_html_math_renderer("formulas", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
