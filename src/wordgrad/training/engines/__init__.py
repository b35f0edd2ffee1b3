"""How an epoch is trained: one engine a file, and the table that chooses among them."""

from __future__ import annotations

from typing import Protocol

from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Engine, ProgressCallback
from wordgrad.training.engines.deterministic import DeterministicEngine
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.engines.softmax import CbowSoftmaxEngine, SkipGramSoftmaxEngine

__all__ = ["make_engine"]


class EngineClass(Protocol):
    """What makes an engine for a corpus."""

    def from_corpus(
        self, corpus: EncodedCorpus, config: TrainingConfig, progress: ProgressCallback | None
    ) -> Engine:
        """Return the engine; it may refuse what would not fit the memory or the time."""


ENGINES: tuple[tuple[str, str | None, bool | None, EngineClass], ...] = (
    # loss                architecture  reproducible  engine
    ("softmax",           "skipgram",   None,         SkipGramSoftmaxEngine),
    ("softmax",           "cbow",       None,         CbowSoftmaxEngine),
    ("negative-sampling", None,         True,         DeterministicEngine),
    ("negative-sampling", None,         False,        HogwildEngine),
)  # fmt: skip
"""The first line that fits the settings chooses; None fits any."""


def make_engine(
    corpus: EncodedCorpus, config: TrainingConfig, progress: ProgressCallback | None = None
) -> Engine:
    """Return the engine that the settings choose.

    Parameters
    ----------
    corpus : EncodedCorpus
    config : TrainingConfig
    progress : callable, optional
        Receives records of work that comes before the first epoch.
    """
    settings = config.loss, config.architecture, config.reproducible
    for *wanted, engine in ENGINES:
        if all(want in (None, got) for want, got in zip(wanted, settings, strict=True)):
            return engine.from_corpus(corpus, config, progress)
    raise LookupError(f"No engine trains {settings}.")  # a setting that the table has no line for
