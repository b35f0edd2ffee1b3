"""The mapped corpus is given back while training runs, and training does not notice."""

import numpy as np
import pytest

from wordgrad.corpus.corpus import EncodedCorpus, encode_corpus
from wordgrad.training import trainer
from wordgrad.training.config import TrainingConfig

CONFIG = TrainingConfig(vector_size=8, epochs=1, workers=1, sample=0.0)
TEXT = ["the cat sat on the mat", "the dog sat on the rug"] * 500


def _train(monkeypatch: pytest.MonkeyPatch, tokens: int) -> tuple[int, np.ndarray]:
    calls = 0
    release = EncodedCorpus.release_pages

    def counted(corpus: EncodedCorpus) -> None:
        nonlocal calls
        calls += 1
        release(corpus)

    monkeypatch.setattr(trainer, "TOKENS_BETWEEN_RELEASES", tokens)
    monkeypatch.setattr(EncodedCorpus, "release_pages", counted)
    with encode_corpus(TEXT, min_count=1) as corpus:
        before = calls
        run = trainer.Trainer(corpus, CONFIG)
        run.run()
    monkeypatch.undo()
    return calls - before, run.parameters.W_in


def test_pages_are_released_as_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    often, released = _train(monkeypatch, 1000)
    never, kept = _train(monkeypatch, 1 << 40)
    assert 4 <= often <= 6  # 6,000 tokens
    assert never == 0
    np.testing.assert_array_equal(released, kept)
