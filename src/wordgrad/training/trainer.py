"""Epochs, progress, history and the rules that end a training: training, from the outside."""

from __future__ import annotations

import math
import threading
import time
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import InputError, TrainingError
from wordgrad.text.corpus import EncodedCorpus
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.protocol import Loss
from wordgrad.training.history import EpochRecord
from wordgrad.training.parameters import Parameters
from wordgrad.training.progress import ProgressCallback, TrainingProgress
from wordgrad.training.runners import Step, make_runner

SECONDS_BETWEEN_REPORTS = 0.1

TOKENS_BETWEEN_RELEASES = 1 << 22
"""After so many tokens (16 MiB of ids) the mapped pages are given back: memory stays level."""


class Trainer:
    """Trains parameters on a corpus.

    Parameters
    ----------
    corpus : EncodedCorpus
    config : TrainingConfig
    progress : callable, optional
        Receives :class:`TrainingProgress` records, and before them
        :class:`~wordgrad.training.progress.CountingProgress` where pairs are counted, in the
        thread that calls :meth:`run`.

    Attributes
    ----------
    parameters : Parameters
        Changed in place; usable at any time, also after an interruption.
    history : list of EpochRecord
        One for each epoch that ended.
    """

    def __init__(
        self,
        corpus: EncodedCorpus,
        config: TrainingConfig,
        progress: ProgressCallback | None = None,
    ) -> None:
        self.config = config
        # First: it may refuse what would not fit, before the parameters take their room.
        self.runner = make_runner(corpus, config, progress)
        self.parameters = Parameters.initial(
            len(corpus.vocabulary), config.vector_size, config.seed
        )
        self.history: list[EpochRecord] = []
        self._progress = progress
        self._corpus = corpus

    def run(self) -> None:
        """Train all epochs.

        Raises
        ------
        InputError
            If no sentence holds two words, so that there is not one pair.
        TrainingError
            If the loss is no longer a finite number.
        KeyboardInterrupt
            Passed on once every thread has stopped; the parameters keep what was learned.
        """
        try:
            self.runner.compile(self.parameters)
            started = time.perf_counter()
            for epoch in range(self.config.epochs):
                self._run_epoch(epoch, started)
                if self.runner.converged(self.history):
                    break
        finally:
            self.runner.close()

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The word vectors of the parameters as they are, (V, D)."""
        return self.runner.vectors(self.parameters)

    def _run_epoch(self, epoch: int, started: float) -> None:
        began = time.perf_counter()
        total = Loss(0.0, 0)
        words = released = 0
        reported = 0.0
        rate = self.config.initial_rate
        steps = self.runner.run(self.parameters, epoch, 0, threading.Event())
        with closing(steps):
            for step in steps:
                _check_finite(step, epoch)
                total = Loss(total.total + step.loss.total, total.pairs + step.loss.pairs)
                words += step.stop - step.start
                rate = step.learning_rate
                if words - released >= TOKENS_BETWEEN_RELEASES:
                    self._corpus.release_pages()
                    released = words
                now = time.perf_counter()
                if now - reported > SECONDS_BETWEEN_REPORTS:
                    self._report(epoch, words, total, rate, started)
                    reported = now
        if total.pairs == 0:
            raise InputError(
                "No sentence holds two words that were kept, so there is nothing to learn from; "
                "give longer sentences, lower min_count, or raise sample (0 keeps every word)."
            )
        self.history.append(
            EpochRecord(
                epoch=epoch + 1,
                loss=total.total / total.pairs,
                pairs=total.pairs,
                words=words,
                seconds=time.perf_counter() - began,
                learning_rate=rate,
                gradient_norm=self.runner.gradient_norm,
            )
        )
        self._check_parameters()
        self._report(epoch, words, total, rate, started)

    def _check_parameters(self) -> None:
        """Raise if the last steps, whose effect no loss has shown yet, went out of bounds."""
        for rows in (self.parameters.W_in_rows, self.parameters.W_out_rows):
            # Least and greatest, which NaN passes through: no array of the matrix's size.
            if not (math.isfinite(rows.min()) and math.isfinite(rows.max())):
                raise TrainingError(
                    f"Training diverged at the end of epoch {len(self.history)} with "
                    f"learning_rate {self.config.initial_rate:g} at its start: a vector is no "
                    "longer finite; start again with a lower learning_rate."
                )

    def _report(self, epoch: int, words: int, total: Loss, rate: float, started: float) -> None:
        if self._progress is None:
            return
        length = self.runner.length
        done = epoch * length + words
        all_words = self.config.epochs * length
        speed = done / max(time.perf_counter() - started, 1e-9)
        self._progress(
            TrainingProgress(
                epoch=epoch,
                epochs=self.config.epochs,
                words_done=done,
                words_total=all_words,
                words_per_second=speed,
                loss=total.total / total.pairs if total.pairs else math.nan,
                learning_rate=rate,
                seconds_left=(all_words - done) / speed,
            )
        )


def _check_finite(step: Step, epoch: int) -> None:
    if not math.isfinite(step.loss.total):
        raise TrainingError(
            f"Training diverged in epoch {epoch + 1} at token {step.start} with "
            f"learning_rate {step.learning_rate:g}: the loss is {step.loss.total}; start again "
            "with a lower learning_rate."
        )
