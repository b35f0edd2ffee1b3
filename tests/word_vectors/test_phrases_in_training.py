"""``Word2Vec(phrases=...)``: the training text, the validation text and every later text."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from wordgrad import PhraseTable, Word2Vec, learn_phrases
from wordgrad.errors import ParameterError
from wordgrad.training.checkpoint import CheckpointFolder

pytestmark = pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")

RNG = np.random.default_rng(3)
TEXT = [["new", "york", *map(str, RNG.integers(0, 300, 8))] for _ in range(80)]
SMALL = {"vector_size": 4, "min_count": 1, "sample": 0, "workers": 1, "epochs": 2}


def test_phrases_are_learned_joined_and_kept():
    model = Word2Vec(**SMALL, phrases=1, validation=TEXT[:9]).fit(TEXT)
    assert list(model.phrases_.scores) == ["new_york"]
    assert model.phrases_ == learn_phrases(TEXT)
    assert "new_york" in model.vectors_.vocabulary
    assert "york" not in model.vectors_.vocabulary
    assert model.report_.tokens_joined == 80
    assert model.validation_ == {"words": 81, "unknown": 0}
    assert model.vectors_.metadata["settings"]["phrases"] == 1
    means = model.transform(["new york", ["new", "york"]])
    assert (means == model.vectors_["new_york"]).all()
    model.partial_fit([["new", "york", "7"]] * 5)
    assert model.vectors_.counts[model.vectors_.vocabulary.index("new_york")] == 85


def test_a_table_and_its_file_give_what_learning_gives(tmp_path):
    table = learn_phrases(TEXT)
    table.save(tmp_path / "t")
    learned = Word2Vec(**SMALL, phrases=1).fit(TEXT).vectors_
    for given in (table, tmp_path / "t", str(tmp_path / "t")):
        model = clone(Word2Vec(**SMALL, phrases=given))
        assert (model.fit(TEXT).vectors_.matrix == learned.matrix).all()
    assert Word2Vec(**SMALL).fit(TEXT).phrases_ is None


def test_a_training_with_phrases_is_resumed(tmp_path, monkeypatch):
    whole = Word2Vec(**SMALL, phrases=1, checkpoint=tmp_path / "whole").fit(TEXT)
    folder = tmp_path / "half"
    Word2Vec(**(SMALL | {"epochs": 1}), phrases=1, checkpoint=folder).fit(TEXT)
    assert PhraseTable.load(folder / "phrases.safetensors") == whole.phrases_
    model = Word2Vec.from_checkpoint(folder, epochs=2).resume(TEXT)
    assert model.phrases_ == whole.phrases_
    assert (model.transform(["new york"]) == model.vectors_["new_york"]).all()
    again = Word2Vec(**(SMALL | {"epochs": 3}), phrases=1, checkpoint=folder).resume()
    assert len(again.history_) == 3
    for other in (None, PhraseTable(whole.phrases_.settings, [])):
        with pytest.raises(ParameterError, match=r"phrases are .* and were PhraseTable"):
            Word2Vec(**(SMALL | {"epochs": 4}), phrases=other, checkpoint=folder).resume()


def test_phrases_of_an_earlier_training_do_not_stay(tmp_path):
    table = learn_phrases(TEXT)
    with CheckpointFolder.begin(tmp_path) as folder:
        folder.write_phrases(table)
    Word2Vec(**SMALL, checkpoint=tmp_path).fit(TEXT)
    assert Word2Vec.from_checkpoint(tmp_path).phrases is None
    with pytest.raises(ParameterError, match="phrases are 1 and were None"):
        Word2Vec(**SMALL, phrases=1, checkpoint=tmp_path).resume()
