"""Self-contained HTML: the drawing library, the page's own parts and its data in one file."""

from __future__ import annotations

import html
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bokeh.plotting import figure


SCRIPTS = {
    "map": ("theme.js", "view.js", "labels.js", "drawing.js", "search.js", "map.js"),
    "loss": ("theme.js", "loss.js"),
}
GENERATOR = b'<meta name="generator" content="wordgrad">'
_SLOT = re.compile(r"\{\{ (\w+) \}\}")
_SURROGATES = re.compile("[\ud800-\udfff]")


def figure_item(drawing: figure) -> dict[str, Any]:
    """A Bokeh figure as the JSON that ``Bokeh.embed.embed_item`` takes."""
    from bokeh.embed import json_item

    item: dict[str, Any] = dict(json_item(drawing))
    return item


def assemble(name: str, *, title: str, subtitle: str, data: Any, figure: Any) -> str:
    """Fill ``page/NAME.html`` with the styles, scripts and data; all text is escaped here."""
    from bokeh.resources import Resources

    # render_js would add Bokeh's components for tables and widgets, which make the page a third
    # larger and are not used.
    library = "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)
    parts = {
        "title": html.escape(title),
        "subtitle": html.escape(subtitle),
        "style": _part("page.css"),
        "data": script_json(data),
        "figure": script_json(figure),
        "library": library,
        "script": "".join(map(_part, SCRIPTS[name])),
    }
    page = _part(f"{name}.html").replace("{{ head }}", _part("head.html"))
    # One pass: what a part holds is never taken for a slot.
    return _SLOT.sub(lambda slot: parts[slot[1]], page)


def script_json(value: Any) -> str:
    r"""JSON that can stand in a ``script`` element, whatever its strings hold.

    Only ``<`` could begin a closing tag or a comment there.  Half of a surrogate pair, which no
    encoding has, is escaped too.

    >>> script_json(["</script>", "né"])
    '["\\u003c/script>","né"]'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c")
    return _SURROGATES.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def is_page(path: Path) -> bool:
    """Whether the file is a page that this module made, judging by its head."""
    try:
        with path.open("rb") as file:
            return GENERATOR in file.read(1000)
    except OSError:
        return False


def _part(name: str) -> str:
    return files("wordgrad.plotting").joinpath("page", name).read_text(encoding="utf-8")
