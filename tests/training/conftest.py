from types import SimpleNamespace

import numpy as np
import pytest

from wordgrad.training.config import TrainingConfig
from wordgrad.training.sampling import SamplingTables


@pytest.fixture(scope="session")
def tables_of():
    """Build sampling tables from sentences of ids, with counts of our choice."""

    def build(sentences, counts=None, **settings):
        sizes = [len(sentence) for sentence in sentences]
        ids = np.array([word for sentence in sentences for word in sentence], np.int32)
        if counts is None:
            counts = np.maximum(np.bincount(ids, minlength=2), 1)
        corpus = SimpleNamespace(
            ids=ids,
            offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            vocabulary=SimpleNamespace(counts=np.asarray(counts)),
        )
        return SamplingTables(corpus, TrainingConfig(workers=1, **settings))

    return build
