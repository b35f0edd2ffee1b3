"""How an epoch is trained: one engine a file, and the table that chooses among them."""

from __future__ import annotations

from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import ProgressCallback, Runner
from wordgrad.training.engines.deterministic import RoundRunner, layout_for
from wordgrad.training.engines.hogwild import SpanRunner
from wordgrad.training.engines.softmax import CountsRunner, WindowsRunner
from wordgrad.training.sampling import SamplingTables

__all__ = ["make_runner"]


def make_runner(
    corpus: EncodedCorpus, config: TrainingConfig, progress: ProgressCallback | None = None
) -> Runner:
    """Return the runner that the settings ask for.

    Parameters
    ----------
    corpus : EncodedCorpus
    config : TrainingConfig
    progress : callable, optional
        Receives records of work that comes before the first epoch.
    """
    if config.loss == "softmax":
        if config.architecture == "skipgram":
            return CountsRunner(corpus, config, progress)
        return WindowsRunner(corpus, config)
    tables = SamplingTables(corpus, config)
    if config.reproducible:
        return RoundRunner(config, tables, layout_for(corpus.vocabulary.counts, config))
    return SpanRunner(config, tables)
