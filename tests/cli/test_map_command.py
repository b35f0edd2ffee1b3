"""``wordgrad map`` and ``wordgrad plot-loss`` as people meet them."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from wordgrad.plotting.page import is_page
from wordgrad.word_vectors import WordVectors


@pytest.fixture
def history_file(tmp_path):
    def write(name, **settings):
        history = [{"loss": 2.0, "learning_rate": 0.1, "words": 9, "seconds": 1.0}] * 2
        settings = {"architecture": "skipgram", "loss": "negative-sampling"} | settings
        metadata = {"history": history, "settings": settings}
        path = tmp_path / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        WordVectors(["a"], [[1.0]], metadata=metadata).save(path)
        return path

    return write


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_map_is_written_where_it_is_asked_for(wordgrad, vector_file, tmp_path):
    outcome = wordgrad("map", vector_file)
    assert outcome.code == 0
    assert outcome.message.startswith("Wrote map.html: 8 words, 1.")
    assert is_page(tmp_path / "map.html")
    for name in ("map.png", "map.svg"):
        assert wordgrad("map", vector_file, "-o", name).code == 0
        assert (tmp_path / name).stat().st_size > 1000


def test_words_may_follow_one_option(wordgrad, vector_file):
    outcome = wordgrad("map", vector_file, "--words", "king", "queen", "man", "-o", "w.svg")
    assert outcome.message.startswith("Wrote w.svg: 3 words")
    outcome = wordgrad(
        "map", vector_file, "--around", "king", "man", "--neighbours", 2, "-o", "n.svg"
    )
    assert outcome.code == 0
    assert wordgrad("map", vector_file, "-n", 5, "-o", "n.html").message.endswith("B.")


def test_words_that_are_left_out_are_counted(wordgrad, tmp_path):
    matrix = np.vstack([np.eye(4), np.zeros((2, 4))])
    WordVectors(list("abcdef"), matrix).save(tmp_path / "z.safetensors")
    outcome = wordgrad("map", "z.safetensors")
    assert "Skipped 2 words whose vector is zero." in outcome.message


def test_labels_without_room_are_counted(wordgrad, tmp_path):
    words = [f"a-word-as-long-as-this-one-{number}" for number in range(400)]
    matrix = np.random.default_rng(0).standard_normal((400, 4))
    WordVectors(words, matrix).save(tmp_path / "many.safetensors")
    outcome = wordgrad("map", "many.safetensors", "--method", "pca", "-o", "m.svg")
    assert "of the 400 words have a label; there was no room for the others." in outcome.message


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "map.pdf"], 2, "must end in .html, .png or .svg, got map.pdf"),
        (["-o", "no/map.html"], 1, "The output folder no does not exist"),
        (["-o", "v.safetensors"], 2, "must end in .html"),
        (["--words", "king", "qeen", "man"], 1, "did you mean 'queen'?"),
        (["--words", "king", "queen"], 2, "at least 3 words whose vectors are not zero, got 2"),
        (["--around", "king", "--words", "man"], 2, "--words and --around cannot be given"),
        (["--words", "man", "-n", "9"], 2, "--words and --most-frequent cannot be given"),
        (["--neighbours", "5"], 2, "--neighbours needs --around"),
        (["-n", "2"], 2, "most_frequent must be an integer >= 3, got 2"),
        (["--method", "som"], 2, "method must be one of 'pca', 'tsne', 'umap', got 'som'"),
        (["--seed", "-1"], 2, "seed must be an integer in [0, "),
        (["--restrict-vocab", "0"], 2, "restrict_vocab must be an integer >= 1, got 0"),
    ],
)
def test_every_mistake_gets_its_sentence(wordgrad, vector_file, arguments, code, message):
    outcome = wordgrad("map", vector_file, *arguments)
    assert outcome.code == code
    assert message in " ".join(outcome.message.replace("│", " ").split())


def test_a_file_in_the_way_stays(wordgrad, vector_file, tmp_path):
    (tmp_path / "map.html").write_text("my notes")
    outcome = wordgrad("map", vector_file)
    assert outcome.code == 1
    assert "map.html exists already" in outcome.message
    assert (tmp_path / "map.html").read_text() == "my notes"
    assert wordgrad("map", vector_file, "--overwrite").code == 0
    assert is_page(tmp_path / "map.html")


def test_a_missing_extra_is_named_with_its_command(
    wordgrad, vector_file, history_file, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "umap", None)
    for arguments, extra in (
        (["map", vector_file, "-o", "m.png"], "plot"),
        (["plot-loss", history_file("a"), "-o", "l.svg"], "plot"),
        (["map", vector_file, "--method", "umap"], "umap"),
    ):
        outcome = wordgrad(*arguments)
        assert outcome.code == 1
        assert f'python -m pip install "wordgrad[{extra}]"' in outcome.message


def test_losses_are_drawn_and_compared(wordgrad, history_file, tmp_path):
    one, two = history_file("one"), history_file("two", negative=10)
    outcome = wordgrad("plot-loss", one)
    assert (outcome.code, outcome.message) == (0, "Wrote loss.html.")
    outcome = wordgrad("plot-loss", one, two, "-o", "both.svg", "--along", "seconds")
    assert outcome.code == 0
    assert "The values of these losses cannot be compared" in outcome.message
    drawn = (tmp_path / "both.svg").read_text(encoding="utf-8")
    assert ">one<" in drawn
    assert ">two<" in drawn
    assert "seconds of training" in drawn


def test_files_of_one_name_are_told_apart_by_their_folders(wordgrad, history_file, tmp_path):
    paths = [history_file("a/v"), history_file("b/v")]
    wordgrad("plot-loss", *paths, "-o", "both.svg")
    drawn = (tmp_path / "both.svg").read_text(encoding="utf-8")
    assert all(f">{path}<" in drawn for path in paths)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "loss.gif"], 2, "must end in .html, .png or .svg, got loss.gif"),
        (["--along", "time"], 2, "along must be one of 'epoch', 'words', 'seconds', got 'time'"),
    ],
)
def test_mistakes_about_losses(wordgrad, history_file, arguments, code, message):
    outcome = wordgrad("plot-loss", history_file("a"), *arguments)
    assert outcome.code == code
    assert message in outcome.message


def test_vectors_without_a_history_are_refused(wordgrad, vector_file):
    outcome = wordgrad("plot-loss", vector_file)
    assert outcome.code == 1
    assert "v has no training history; use vectors that 'wordgrad train' wrote" in (outcome.message)
