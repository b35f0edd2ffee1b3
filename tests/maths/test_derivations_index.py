"""Each page of docs/derivations names its tests, and no test of a derivation is left unnamed."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "derivations"
NAMED = re.compile(r"(test_derivations_\w+)\.py::(test_\w+)")


def test_pages_and_tests_name_each_other():
    named = {
        match for page in PAGES.glob("*.md") for match in NAMED.findall(page.read_text("utf-8"))
    }
    written = {
        (file.stem, name)
        for file in Path(__file__).parent.glob("test_derivations_*.py")
        if file != Path(__file__)
        for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)
    }
    assert named == written
    assert len(named) > 30


def test_every_test_module_names_its_page():
    for file in Path(__file__).parent.glob("test_derivations_*.py"):
        if file != Path(__file__):
            page = re.match(r'"""docs/derivations/([\w-]+\.md)', file.read_text("utf-8"))
            assert page, file
            assert file.stem in (PAGES / page[1]).read_text("utf-8")


def test_the_index_lists_every_page():
    index = (PAGES / "README.md").read_text("utf-8")
    for page in PAGES.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index
