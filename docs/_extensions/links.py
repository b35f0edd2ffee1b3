"""When the site is built: every link within it leads somewhere, and no page fetches from elsewhere.

What is wrong becomes a warning, and ``sphinx-build -W`` then fails.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

STYLED = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""")
FETCHED = {"src", "srcset", "poster", "data"}
FETCHING_LINKS = {"stylesheet", "preload", "icon", "prefetch", "modulepreload", "preconnect"}


class Page(HTMLParser):
    """The links, names and fetched addresses of a page.

    Attributes
    ----------
    names : set of str
        What an address may end with after ``#``.
    links : list of str
        The addresses that a reader may follow.
    fetched : list of str
        The addresses that a browser fetches by itself.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element names, links to or fetches."""
        given = {name: value for name, value in attrs if value}
        self.names.update(given[key] for key in ("id", "name") if key in given)
        self.fetched += [given[key] for key in FETCHED if key in given and tag != "object"]
        address = given.get("href")
        if address is None:
            return
        if tag == "link" and FETCHING_LINKS & set(given.get("rel", "").split()):
            self.fetched.append(address)
        elif tag == "a":
            self.links.append(address)


def complaints(site: Path) -> Iterator[str]:
    """Say what is wrong with the links of a site.

    Parameters
    ----------
    site : Path
        The folder of its pages.

    Yields
    ------
    str
        One sentence for each broken link, or address that a page would fetch from elsewhere.
    """
    files = sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)
    pages = {path: Page(path.read_text("utf-8")) for path in files}
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        for address in page.fetched:
            if _is_elsewhere(address):
                yield f"{name} fetches {address}: put it beside the pages"
        for address in [*page.links, *page.fetched]:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{name} links to {address}, which is not there"
            elif (
                parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].names
            ):
                yield f"{name} links to {address}, but that page has no such place"
    for path in sorted(site.rglob("*.css")):
        for address in STYLED.findall(path.read_text("utf-8")):
            if _is_elsewhere(address):
                name = path.relative_to(site).as_posix()
                yield f"{name} fetches {address}: put it beside the pages"


def _is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https")


def _check(app: Sphinx, error: Exception | None) -> None:
    from sphinx.util import logging  # here, so that the tests of this file need no Sphinx

    logger = logging.getLogger(__name__)
    if error is None and app.builder.format == "html":
        for complaint in complaints(Path(app.outdir).resolve()):
            logger.warning("%s", complaint, type="links")


def setup(app: Sphinx) -> dict[str, bool]:
    """Follow the links when the build has finished, as Sphinx asks of an extension."""
    app.connect("build-finished", _check, priority=999)  # after those that write files then
    return {"parallel_read_safe": True, "parallel_write_safe": True}
