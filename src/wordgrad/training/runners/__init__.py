"""Runners: which steps make an epoch, in which order, and which thread takes them."""

from __future__ import annotations

from wordgrad.text.corpus import EncodedCorpus
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.protocol import SamplingTables
from wordgrad.training.progress import ProgressCallback
from wordgrad.training.runners.layout import layout_for
from wordgrad.training.runners.protocol import Runner, Step
from wordgrad.training.runners.rounds import RoundRunner
from wordgrad.training.runners.softmax_counts import CountsRunner
from wordgrad.training.runners.softmax_windows import WindowsRunner
from wordgrad.training.runners.spans import SpanRunner

__all__ = ["Runner", "Step", "make_runner"]


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
