"""Pictures of maps."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from wordgrad.plotting import make_map
from wordgrad.plotting.picture import MissingExtraError, fonts_for
from wordgrad.word_vectors import WordVectors

SVG = "{http://www.w3.org/2000/svg}"


def _texts(path):
    return ["".join(text.itertext()) for text in ElementTree.parse(path).iter(f"{SVG}text")]


def test_an_svg_holds_every_labelled_word_as_text(tmp_path, crowd):
    labelled = make_map(crowd).save(tmp_path / "map.svg")
    texts = _texts(tmp_path / "map.svg")
    assert labelled == len(texts) >= 75
    assert "</script><script>alert(1)</script>" in texts
    assert {"$\\frac$", "$$x^2$$", "new␣york", "tab␉here", "(empty)"} <= set(texts)


def test_labels_that_find_no_room_are_counted(tmp_path):
    draw = np.random.default_rng(0)
    words = [f"a-rather-long-word-{number}" for number in range(700)]
    vectors = WordVectors(words, draw.standard_normal((700, 8)))
    labelled = make_map(vectors, method="pca").save(tmp_path / "map.svg")
    assert labelled == len(_texts(tmp_path / "map.svg"))
    assert 100 < labelled < 700


def test_a_png_is_a_picture_with_something_on_it(tmp_path, crowd):
    from matplotlib.image import imread

    make_map(crowd, words=["word6", "word7", "word8"]).save(tmp_path / "map.png")
    pixels = imread(tmp_path / "map.png")
    assert pixels.shape[0] == 1350
    assert (pixels[..., :3] == 1).all(axis=2).mean() > 0.9
    assert pixels[..., :3].min() < 0.3


def test_signs_that_no_font_has_raise_no_warning(tmp_path):
    vectors = WordVectors(["\U0010fffd", "日本", "ж"], [[1, 0], [0, 1], [1, 1]])
    assert make_map(vectors).save(tmp_path / "map.png") == 3


def test_fonts_are_added_only_where_needed():
    assert fonts_for(["plain", "Wörter"]) == ["DejaVu Sans"]


def test_no_font_of_boxes_takes_the_place_of_one_that_has_the_signs():
    """Matplotlib's last resort has every character, and comes before many fonts by its name."""
    found = fonts_for(["日本", "서울", "\U0010fffd"])
    assert not [name for name in found if name.startswith("Last Resort")]


def test_without_matplotlib_the_error_says_how_to_install_it(tmp_path, crowd, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    drawn = make_map(crowd, words=["word6", "word7", "word8"])
    with pytest.raises(MissingExtraError, match=r'pip install "wordgrad\[plot\]"'):
        drawn.save(tmp_path / "map.png")
    assert not list(tmp_path.iterdir())


def test_a_map_shows_itself_in_a_notebook_where_matplotlib_is(monkeypatch, crowd):
    drawn = make_map(crowd, words=["word6", "word7", "word8"])
    assert drawn._repr_png_().startswith(b"\x89PNG")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert drawn._repr_png_() is None
