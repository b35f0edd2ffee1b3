"""What stands in the page of a map; how it behaves is tested in a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from wordgrad.plotting import make_map
from wordgrad.plotting.draw_map import page
from wordgrad.plotting.page import is_page, script_json
from wordgrad.word_vectors import WordVectors


class Parts(HTMLParser):
    """The elements of a page, with their text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found, self._open = [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self.found:
            self.found[-1][2] += data

    def data(self, name):
        return next(json.loads(text) for _, attrs, text in self.found if attrs.get("id") == name)


@pytest.fixture(scope="module")
def text(crowd):
    return page(make_map(crowd, most_frequent_words=60, method="pca"))


def test_words_cannot_break_out_of_their_script(text, crowd):
    parts = Parts(text)
    scripts = [part for part in parts.found if part[0] == "script"]
    assert len(scripts) == 4  # data, figure, library, our own
    assert "alert(1)" not in "".join(part[2] for part in scripts if part[1].get("id") is None)
    assert parts.data("data")["words"][:60] == list(crowd.words[:60])


def test_odd_words_in_the_subtitle_are_text(crowd):
    bad = crowd.words[0]
    parts = Parts(page(make_map(crowd, around_words=[bad, "tab\there"], neighbours=4)))
    assert len([part for part in parts.found if part[0] == "script"]) == 4
    assert any(text.startswith(f"{bad}, tab␉here and the 4") for *_, text in parts.found)


def test_nothing_is_loaded_from_elsewhere(text):
    for tag, attrs, _ in Parts(text).found:
        assert "src" not in attrs, tag
        assert tag not in ("link", "iframe", "img", "object", "base")
    policy = re.search(r'Content-Security-Policy"\s+content="([^"]+)"', text)[1]
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


def test_data_agree_with_the_map(text, crowd):
    drawn = make_map(crowd, most_frequent_words=60, method="pca")
    data = Parts(text).data("data")
    assert len(data["words"]) == 60 + len(drawn.other_words)
    assert data["vocabulary"] == 80
    for place in (0, 30):
        expected = crowd.most_similar(crowd.words[place], 10)
        found = [(data["words"][near], cosine) for near, cosine in data["inAll"][place]]
        assert [word for word, _ in found] == [word for word, _ in expected]
        assert [cosine for _, cosine in found] == pytest.approx([c for _, c in expected], abs=6e-5)
        assert all(near < 60 for near, _ in data["onMap"][place])


def test_a_map_of_all_words_has_one_list_of_neighbours(crowd):
    assert Parts(page(make_map(crowd, method="pca"))).data("data")["inAll"] is None


def test_half_a_surrogate_pair_does_not_stop_the_page(tmp_path):
    vectors = WordVectors(["\ud800", "b", "c"], [[1, 0], [0, 1], [1, 1]])
    make_map(vectors).save(tmp_path / "m.html")
    parts = Parts((tmp_path / "m.html").read_text(encoding="utf-8"))
    assert parts.data("data")["words"][0] == "\ud800"
    assert is_page(tmp_path / "m.html")
    assert not is_page(tmp_path / "none.html")


def test_json_for_scripts_reads_back():
    value = ["</script>", "<!--", "\u2028", 'quote"', "é"]
    assert "<" not in script_json(value)
    assert json.loads(script_json(value)) == value


def test_the_same_command_writes_the_same_bytes(tmp_path, crowd):
    crowd.save(tmp_path / "v.safetensors")
    command = [sys.executable, "-m", "wordgrad", "map", "v.safetensors", "-o"]
    for name in ("a.html", "b.html"):
        subprocess.run([*command, name], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
