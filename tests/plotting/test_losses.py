"""The course of a training, drawn."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from wordgrad.errors import FormatError, InputError, OutputError, ParameterError
from wordgrad.plotting import loss_curve, save_losses
from wordgrad.plotting.picture import MissingExtraError
from wordgrad.word_vectors import WordVectors


def _vectors(losses=(2.5, 2.0, 1.75), **settings):
    history = [
        {"loss": loss, "learning_rate": 0.03 / place, "words": 100 * place, "seconds": 0.5}
        for place, loss in enumerate(losses, start=1)
    ]
    settings = {"architecture": "cbow", "loss": "negative-sampling", "negative": 5} | settings
    return WordVectors(["a"], [[1.0]], metadata={"history": history, "settings": settings})


def _figure(path):
    text = path.read_text(encoding="utf-8")
    item = re.search(r'<script type="application/json" id="item">(.*?)</script>', text)[1]
    return json.loads(item)


def test_a_curve_holds_the_history():
    curve = loss_curve(_vectors(), "mine")
    assert curve.loss.tolist() == [2.5, 2.0, 1.75]
    assert curve.learning_rate.tolist() == [0.03, 0.015, 0.01]
    assert curve.along["epoch"].tolist() == [1, 2, 3]
    assert curve.along["words"].tolist() == [100, 300, 600]
    assert curve.along["seconds"].tolist() == [0.5, 1.0, 1.5]
    assert curve.objective == "cbow, negative-sampling, 5 negatives"


@pytest.mark.parametrize("ending", ["html", "svg"])
def test_the_loss_on_held_out_text_is_dashed(tmp_path, ending):
    vectors = _vectors()
    history = [
        record | {"validation_loss": loss}
        for record, loss in zip(vectors.metadata["history"], (2.625, 2.25, 2.375), strict=True)
    ]
    curve = loss_curve(vectors.with_metadata({"history": history}), "mine")
    assert curve.validation.tolist() == [2.625, 2.25, 2.375]
    path, without = tmp_path / f"loss.{ending}", tmp_path / f"without.{ending}"
    save_losses([curve], path)
    save_losses([loss_curve(vectors, "mine")], without)
    text, plain = (file.read_text(encoding="utf-8") for file in (path, without))
    assert "held-out text" in text
    assert "held-out text" not in plain
    if ending == "html":
        assert "[2.625, 2.25, 2.375]" in json.dumps(_figure(path))
        assert text.count("line_dash") > plain.count("line_dash")
    else:
        assert text.count("stroke-dasharray") > plain.count("stroke-dasharray")


def test_a_history_with_half_a_column_of_validation_is_damaged():
    history = [record | {"validation_loss": 2.5} for record in _vectors().metadata["history"]]
    del history[1]["validation_loss"]
    with pytest.raises(FormatError, match=r"epoch 2 has None for validation_loss"):
        loss_curve(_vectors().with_metadata({"history": history}), "mine")


def test_a_history_of_a_real_training_can_be_drawn(tmp_path):
    from wordgrad import Word2Vec

    model = Word2Vec(vector_size=8, min_count=1, epochs=2, sample=0, workers=1)
    model.fit([["a", "b", "c", "d"]] * 50)
    curve = loss_curve(model.vectors_, "real")
    assert curve.loss.tolist() == [epoch["loss"] for epoch in model.history_]


@pytest.mark.parametrize("along", ["epoch", "words", "seconds"])
def test_a_page_holds_the_numbers(tmp_path, along):
    curves = [loss_curve(_vectors(), "one"), loss_curve(_vectors((3.0,)), "two")]
    save_losses(curves, tmp_path / "loss.html", along=along)
    figure = json.dumps(_figure(tmp_path / "loss.html"))
    assert "[2.5, 2.0, 1.75]" in figure
    assert json.dumps(curves[0].along[along].tolist()) in figure
    assert {"epoch": "epochs", "words": "words trained on", "seconds": "seconds of"}[
        along
    ] in figure


def test_names_are_text_in_a_page(tmp_path):
    bad = "</script><script>alert(1)</script>"
    save_losses([loss_curve(_vectors(), bad)], tmp_path / "loss.html")
    assert "<script>alert" not in (tmp_path / "loss.html").read_text(encoding="utf-8")


def test_a_picture_names_every_training_as_it_is(tmp_path):
    names = ["_hidden", "$x$", "plain"]
    save_losses([loss_curve(_vectors(), name) for name in names], tmp_path / "loss.svg")
    texts = ElementTree.parse(tmp_path / "loss.svg").iter("{http://www.w3.org/2000/svg}text")
    assert set(names) <= {"".join(text.itertext()) for text in texts}


def test_one_epoch_is_enough_for_every_ending(tmp_path):
    for name in ("loss.html", "loss.png", "loss.svg"):
        save_losses([loss_curve(_vectors((2.0,)), "one")], tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ({}, InputError, "mine has no training history; use vectors"),
        ({"history": []}, InputError, "mine has no training history"),
        ({"history": {"loss": 1}}, FormatError, "not a list of epochs"),
        ({"history": [1]}, FormatError, "epoch 1 has None for loss"),
        ({"history": [{"loss": "low"}]}, FormatError, "epoch 1 has 'low' for loss"),
        ({"history": [{"loss": True}]}, FormatError, "epoch 1 has True for loss"),
        ({"history": [{"loss": 1.0}]}, FormatError, "epoch 1 has None for learning_rate"),
        ({"history": [{"loss": float("nan")}]}, FormatError, "epoch 1 has nan for loss"),
    ],
)
def test_a_history_that_cannot_be_drawn_is_named(metadata, error, message):
    with pytest.raises(error, match=message):
        loss_curve(WordVectors(["a"], [[1.0]], metadata=metadata), "mine")


def test_what_cannot_be_written_is_said_first(tmp_path, monkeypatch):
    curve = loss_curve(_vectors(), "one")
    with pytest.raises(ParameterError, match="at least one training, got none"):
        save_losses([], tmp_path / "loss.html")
    with pytest.raises(ParameterError, match="along must be one of 'epoch'"):
        save_losses([curve], tmp_path / "loss.html", along="time")
    with pytest.raises(ParameterError, match=r"must end in \.html"):
        save_losses([curve], tmp_path / "loss.gif")
    (tmp_path / "loss.html").touch()
    with pytest.raises(OutputError, match="exists already"):
        save_losses([curve], tmp_path / "loss.html")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"wordgrad\[plot\]"):
        save_losses([curve], tmp_path / "loss.png")
