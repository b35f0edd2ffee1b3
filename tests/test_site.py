"""The documentation as a site: it has every public name, and its check of links finds faults."""

import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
TUTORIALS = sorted(set((DOCS / "tutorials").glob("*.md")) - {DOCS / "tutorials" / "index.md"})
PUBLIC = [
    "wordgrad",
    "wordgrad.compat.fasttext",
    "wordgrad.compat.gensim",
    "wordgrad.compat.gensim.models",
    "wordgrad.errors",
    "wordgrad.interop",
    "wordgrad.maths",
    "wordgrad.plotting",
]


@pytest.fixture
def links(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_extensions")
    monkeypatch.delitem(sys.modules, "links", raising=False)
    return importlib.import_module("links")


def _offered(name: str) -> dict[str, object]:
    """What a module says it offers, or else defines, but for other modules."""
    module = importlib.import_module(name)
    names = getattr(module, "__all__", None) or [
        title
        for title, thing in vars(module).items()
        if not title.startswith(("_", "check_")) and getattr(thing, "__module__", None) == name
    ]
    things = {title: getattr(module, title) for title in names}
    return {title: thing for title, thing in things.items() if not inspect.ismodule(thing)}


def _described() -> set[str]:
    """The names that the pages of the reference take from the code."""
    text = "\n".join(page.read_text("utf-8") for page in (DOCS / "api").glob("*.md"))
    names = set()
    for kind, name in re.findall(r"^\.\. auto(\w+):: (\S+)\n", text, re.MULTILINE):
        if kind == "module":
            names |= {f"{name}.{title}" for title in _offered(name)}
        else:
            names.add(name)
    return names


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_the_reference(module):
    described = _described()
    for title, thing in _offered(module).items():
        home = f"{thing.__module__}.{thing.__qualname__}"
        assert {f"{module}.{title}", home} & described, (
            f"{module}.{title} is on no page of docs/api"
        )


def test_the_reference_names_nothing_that_is_not_there():
    for name in _described():
        module, _, last = name.rpartition(".")
        assert hasattr(importlib.import_module(module), last), name


def test_every_page_of_the_reference_is_in_its_index():
    index = (DOCS / "api" / "index.md").read_text("utf-8")
    for page in (DOCS / "api").glob("*.md"):
        assert page.name == "index.md" or f"\n{page.stem}\n" in index, page.name


@pytest.fixture
def site(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "site.css").write_text("a { background: url(paper.png) }")
    (tmp_path / "page.html").write_text(
        '<h1 id="top">Page</h1><a href="other%20one.html#end">x</a>'
    )
    (tmp_path / "other one.html").write_text(
        '<link rel="stylesheet" href="_static/site.css?v=1"><p id="end"><a href="#end">here</a>'
        '<a href="https://example.org/far">far</a><a href="mailto:a@example.org">mail</a>'
    )
    return tmp_path


def test_a_site_whose_links_lead_somewhere_has_no_complaints(links, site):
    assert list(links.complaints(site)) == []


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ('<a href="gone.html">x</a>', "links to gone.html, which is not there"),
        ('<a href="page.html#gone">x</a>', "links to page.html#gone, but that page has no such"),
        ('<a href="#gone">x</a>', "links to #gone, but that page has no such place"),
        ('<img src="gone.png">', "links to gone.png, which is not there"),
        ('<script src="https://example.org/a.js"></script>', "fetches https://example.org/a.js"),
        ('<script src="//example.org/a.js"></script>', "fetches //example.org/a.js"),
        ('<link rel="stylesheet" href="http://example.org/a.css">', "fetches http://example.org"),
        ('<iframe src="https://example.org"></iframe>', "fetches https://example.org"),
    ],
)
def test_what_is_wrong_with_a_page_is_said(links, site, html, said):
    (site / "new.html").write_text(html)
    (complaint,) = links.complaints(site)
    assert complaint.startswith(f"new.html {said}")


@pytest.mark.parametrize("style", ["url(https://x.org/f.woff)", "@import 'https://x.org/f.css'"])
def test_a_style_that_fetches_from_elsewhere_is_noticed(links, site, style):
    (site / "_static" / "site.css").write_text(style)
    (complaint,) = links.complaints(site)
    assert complaint.startswith("_static/site.css fetches https://x.org/f.")


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_tutorials_run(tutorial, tmp_path):
    """In one process each, as the site runs them, but that every warning is an error."""
    cells = re.findall(
        r"^```\{code-cell\} python\n(?::[^\n]*\n)*(.*?)^```$",
        tutorial.read_text("utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    assert len(cells) == tutorial.read_text("utf-8").count("{code-cell}") >= 4
    assert any("plt.subplots" in cell for cell in cells), "a tutorial ends with a picture"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(cells)],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_tutorial_is_in_the_index():
    index = (DOCS / "tutorials" / "index.md").read_text("utf-8")
    for tutorial in TUTORIALS:
        assert f"]({tutorial.name})" in index
        assert f"\n{tutorial.stem}\n" in index
