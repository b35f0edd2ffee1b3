"""Epochs, the learning-rate schedule, threads, progress and history: training, from the outside."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from wordgrad.errors import InputError, TrainingError
from wordgrad.text.corpus import EncodedCorpus
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.cpu import CpuEngine
from wordgrad.training.engines.protocol import Engine, Loss, SamplingTables, Span
from wordgrad.training.parameters import Parameters
from wordgrad.training.progress import ProgressCallback, TrainingProgress

MOST_SPAN_TOKENS = 20_000
LEAST_SPAN_TOKENS = 500
SPANS_AN_EPOCH = 200
"""Small corpora are cut into about this many spans, so that the learning rate falls smoothly."""

SECONDS_BETWEEN_REPORTS = 0.1

TOKENS_BETWEEN_RELEASES = 1 << 22
"""After so many tokens (16 MiB of ids) the mapped pages are given back: memory stays level."""


@dataclass(frozen=True)
class EpochRecord:
    """One line of the history.

    Attributes
    ----------
    epoch : int
        From 1.
    loss : float
        Mean loss a pair over the epoch, in nats.
    pairs, words : int
        Pairs trained on; tokens of the corpus passed, subsampled ones included.
    seconds : float
        Wall-clock time of the epoch's training alone: no reading, no compilation.
    learning_rate : float
        At the epoch's end.
    """

    epoch: int
    loss: float
    pairs: int
    words: int
    seconds: float
    learning_rate: float


class Trainer:
    """Trains parameters on a corpus.

    Parameters
    ----------
    corpus : EncodedCorpus
    config : TrainingConfig
    progress : callable, optional
        Receives :class:`TrainingProgress` records, in the thread that calls :meth:`run`.

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
        self.parameters = Parameters.initial(
            len(corpus.vocabulary), config.vector_size, config.seed
        )
        self.history: list[EpochRecord] = []
        self._progress = progress
        self._corpus = corpus
        self._tables = SamplingTables(corpus, config)
        self._n_tokens = len(self._tables.ids)
        self._span_tokens = min(
            MOST_SPAN_TOKENS, max(LEAST_SPAN_TOKENS, self._n_tokens // SPANS_AN_EPOCH)
        )
        self._engine: Engine = CpuEngine(config, self._tables, self._span_tokens)

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
        self._compile()
        started = time.perf_counter()
        for epoch in range(self.config.epochs):
            self._run_epoch(epoch, started)

    def _compile(self) -> None:
        """Compile the kernels (or load them from the cache) on throw-away parameters."""
        spare = Parameters.zeros(self.parameters.n_words, self.config.vector_size)
        self._engine.run_span(spare, Span(0, 1, 0, self.config.initial_rate))

    def _run_epoch(self, epoch: int, started: float) -> None:
        began = time.perf_counter()
        total = Loss(0.0, 0)
        words = released = 0
        reported = 0.0
        rate = self.config.initial_rate
        with _Threads(
            self._engine, self.parameters, self._spans(epoch), self.config.threads
        ) as runs:
            for span, loss in runs:
                _check_finite(loss, span)
                total = Loss(total.total + loss.total, total.pairs + loss.pairs)
                words += span.stop - span.start
                rate = span.learning_rate
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

    def _spans(self, epoch: int) -> Iterator[Span]:
        for start in range(0, self._n_tokens, self._span_tokens):
            stop = min(start + self._span_tokens, self._n_tokens)
            progress = (epoch + start / self._n_tokens) / self.config.epochs
            yield Span(start, stop, epoch, self.config.learning_rate_at(progress))

    def _report(self, epoch: int, words: int, total: Loss, rate: float, started: float) -> None:
        if self._progress is None:
            return
        done = epoch * self._n_tokens + words
        all_words = self.config.epochs * self._n_tokens
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


class _Threads:
    """Runs spans on several threads; iterating gives (span, loss) as each one ends.

    Each thread takes the next span when it has finished one, so that a slow core does not hold up
    the others.  Leaving the block, for whatever reason, stops and joins them all.
    """

    def __init__(
        self, engine: Engine, parameters: Parameters, spans: Iterator[Span], n_threads: int
    ) -> None:
        self._engine = engine
        self._parameters = parameters
        self._spans = spans
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._results: queue.SimpleQueue[tuple[Span, Loss] | BaseException | None]
        self._results = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"wordgrad-{k}", daemon=True)
            for k in range(n_threads)
        ]

    def __enter__(self) -> Iterator[tuple[Span, Loss]]:
        for thread in self._threads:
            thread.start()
        return self._ended()

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ended(self) -> Iterator[tuple[Span, Loss]]:
        running = len(self._threads)
        while running:
            result = self._results.get()
            if result is None:
                running -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    span = next(self._spans, None)
                if span is None:
                    break
                self._results.put((span, self._engine.run_span(self._parameters, span)))
        except BaseException as error:  # handed to the thread that waits
            self._results.put(error)
        finally:
            self._results.put(None)


def _check_finite(loss: Loss, span: Span) -> None:
    if not math.isfinite(loss.total):
        raise TrainingError(
            f"Training diverged in epoch {span.epoch + 1} at token {span.start} with "
            f"learning_rate {span.learning_rate:g}: the loss is {loss.total}; start again with a "
            "lower learning_rate."
        )
