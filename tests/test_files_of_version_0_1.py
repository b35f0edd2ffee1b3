"""Files that version 0.1 wrote, kept in tests/data/version-0.1: every later version reads them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from wordgrad import TextClassifier, Word2Vec, load
from wordgrad.training.checkpoint import CheckpointFolder

FILES = Path(__file__).parent / "data" / "version-0.1"
EXPECTED = json.loads((FILES / "expected.json").read_text(encoding="utf-8"))


def test_vectors():
    vectors = load(FILES / "vectors.safetensors")
    expected = EXPECTED["vectors"]
    assert list(vectors.words) == expected["words"]
    assert vectors.matrix.tolist() == expected["matrix"]
    assert vectors.counts.tolist() == expected["counts"]
    assert vectors.metadata == expected["metadata"]


def test_index():
    pytest.importorskip("usearch", reason="usearch is not installed")
    vectors = load(FILES / "vectors.safetensors")
    vectors.load_index(FILES / "vectors.index")
    found = vectors.most_similar("king", 3, approximate=True)
    assert [word for word, _ in found] == [word for word, _ in EXPECTED["nearest"]]
    cosines = [cosine for _, cosine in EXPECTED["nearest"]]
    assert [cosine for _, cosine in found] == pytest.approx(cosines, abs=1e-12)


def test_classifier():
    model, expected = TextClassifier.load(FILES / "classifier.safetensors"), EXPECTED["classifier"]
    assert model.classes_.tolist() == expected["classes"]
    assert model.history_ == expected["history"]
    shares = model.predict_proba(expected["texts"])
    np.testing.assert_allclose(shares, expected["probabilities"], atol=1e-6)


def test_checkpoint(tmp_path):
    expected = EXPECTED["checkpoint"]
    shutil.copytree(FILES / "checkpoint", tmp_path / "checkpoint")
    with CheckpointFolder.open(tmp_path / "checkpoint") as folder:
        checkpoint = folder.newest()
        held_out = folder.read_held_out(checkpoint.identity)
        with folder.open_text(checkpoint.identity) as text:
            assert len(text.ids) == expected["tokens"]
    vocabulary, state = checkpoint.identity.vocabulary, checkpoint.state
    assert list(vocabulary.words) == expected["words"]
    assert vocabulary.counts.tolist() == expected["counts"]
    assert (state.epoch, state.token) == (expected["epoch"], expected["token"])
    assert state.loss.pairs == expected["pairs"]
    assert [record.loss for record in state.history] == expected["losses"]
    assert checkpoint.parameters.W_in.tolist() == expected["W_in"]
    assert checkpoint.parameters.W_out.tolist() == expected["W_out"]
    assert held_out is not None
    assert held_out.ids.tolist() == expected["held_out_ids"]


def test_a_training_that_is_older_than_a_setting_goes_on_as_it_began(tmp_path):
    shutil.copytree(FILES / "checkpoint", tmp_path / "checkpoint")
    model = Word2Vec.from_checkpoint(tmp_path / "checkpoint")
    assert model.cbow_step == "exact"
    # It is skip-gram, which has no use for the setting: another value, or default, is no change.
    assert model.architecture == "skipgram"
    went_on = model.set_params(cbow_step="whole", epochs=model.epochs + 1).resume()
    assert len(went_on.history_) == model.epochs
