"""``wordgrad demo``, on a text that stands in for the installation's."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from wordgrad import WordVectors, load
from wordgrad.plotting.page import is_page


@pytest.fixture(autouse=True)
def small_text(monkeypatch, tmp_path):
    text = ["a list of items", "a tuple of items", "the server of a client"] * 300
    module = ModuleType("wordgrad.corpus.builtin")
    module.builtin_sentences = lambda: iter(text)
    monkeypatch.setitem(sys.modules, "wordgrad.corpus.builtin", module)
    monkeypatch.setattr("wordgrad.cli.demo.SETTINGS", {"vector_size": 16, "workers": 1})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_demo_trains_shows_and_says_what_next(wordgrad, terminal):
    terminal(80)
    outcome = wordgrad("demo")
    assert outcome.code == 0
    assert "nearest words" in outcome.out
    rows = [line.split()[0] for line in outcome.out.splitlines() if line.split()]
    assert {"list", "server"} <= set(rows)
    assert "matrix" not in rows
    next_commands = [line.strip() for line in outcome.err.splitlines()[-3:]]
    assert next_commands[0] == "wordgrad similar demo.safetensors list"
    assert [line.split()[:2] for line in next_commands[1:]] == [
        ["wordgrad", "train"],
        ["wordgrad", "map"],
    ]
    assert load("demo.safetensors").metadata["source"] == "demo"


def test_through_a_pipe_the_demo_writes_lines(wordgrad):
    outcome = wordgrad("demo", "-o", "mine.safetensors")
    fields = [line.split("\t") for line in outcome.out.splitlines()]
    assert len(fields) == 10
    assert {line[0] for line in fields} == {"list", "server"}
    assert wordgrad("similar", "mine.safetensors", "list", "-n", 1).code == 0


def test_a_demo_replaces_a_demo_and_nothing_else(wordgrad):
    assert wordgrad("demo").code == 0
    assert wordgrad("demo").code == 0
    WordVectors(["x"], [[1.0]]).save("demo.safetensors", overwrite=True)
    outcome = wordgrad("demo")
    assert outcome.code == 1
    assert "demo.safetensors exists already" in outcome.message
    assert load("demo.safetensors").words == ("x",)
    assert wordgrad("demo", "--overwrite").code == 0
    assert load("demo.safetensors").metadata["source"] == "demo"


def test_a_file_that_is_no_vectors_is_not_replaced(wordgrad, small_text):
    (small_text / "demo.safetensors").write_text("my notes")
    assert wordgrad("demo").code == 1
    assert (small_text / "demo.safetensors").read_text() == "my notes"


def test_the_demo_ends_with_a_map(wordgrad, small_text):
    outcome = wordgrad("demo")
    assert "Wrote demo.html: 8 words" in outcome.message
    assert is_page(small_text / "demo.html")
    assert wordgrad("demo").code == 0


def test_a_page_that_is_no_map_is_not_replaced(wordgrad, small_text):
    (small_text / "demo.html").write_text("my page")
    outcome = wordgrad("demo")
    assert outcome.code == 0
    assert "demo.html is not a map and was not replaced" in outcome.message
    assert (small_text / "demo.html").read_text() == "my page"
    assert wordgrad("demo", "--overwrite").code == 0
    assert is_page(small_text / "demo.html")
