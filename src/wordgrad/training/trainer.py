"""Epochs, progress, history, checkpoints, when a training ends, and signals that end it."""

from __future__ import annotations

import math
import signal
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.errors import FormatError, ParameterError, TrainingError, TrainingWarning
from wordgrad.training.checkpoint import Checkpoint, Saving
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import (
    Engine,
    EpochRecord,
    Loss,
    ProgressCallback,
    Step,
    TrainingProgress,
    TrainingState,
)
from wordgrad.training.engines import make_engine
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import keep_probabilities, kept_share, with_threshold
from wordgrad.training.validation import HeldOut
from wordgrad.vocabulary import Vocabulary

SECONDS_BETWEEN_REPORTS = 0.1

TOKENS_BETWEEN_RELEASES = 1 << 22
"""After so many tokens (16 MiB of ids) the mapped pages are released: memory stays level."""

LITTLE_KEPT = 0.25
"""A training whose subsampling leaves less than this share of the tokens says so."""

LITTLE_LEARNED = 0.01
"""So does one whose loss has fallen by less than this share, at its end ..."""

ENOUGH_PAIRS = 10_000_000
"""... or after a first epoch of so many pairs; with fewer it may learn in a later one."""


SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C, what schedulers and ``kill`` send, and the end of the terminal."""

EXIT_CODE = 128  # plus the number of the signal, as shells expect


class Interrupts:
    """In a ``with`` block, the first signal requests a pause; a second one acts at once.

    Whoever trains looks at :attr:`received` when it has paused, saves, and calls
    :meth:`act`.  Signals are handled by the main thread alone, as Python allows: in any other,
    and where a signal is ignored, this does nothing.

    Parameters
    ----------
    pause : threading.Event
        Set when a signal comes.

    Attributes
    ----------
    received : int or None
        Number of the first signal that came.
    """

    def __init__(self, pause: threading.Event) -> None:
        self.received: int | None = None
        self._pause = pause
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                previous = signal.getsignal(number)
                if previous is signal.SIG_IGN or previous is None:
                    continue
                self._previous[number] = previous
                signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def act(self) -> None:
        """Do now what the signal would have done when it came; nothing if none did."""
        if self.received is not None:
            self._restore()
            self._end(self.received, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received = number
            self._pause.set()
        else:
            self._end(number, frame)

    def _end(self, number: int, frame: FrameType | None) -> None:
        previous = self._previous.get(number)
        if callable(previous):
            previous(number, frame)
        else:  # the system's default, which would leave temporary files behind
            raise SystemExit(EXIT_CODE + number)

    def _restore(self) -> None:
        for number, previous in self._previous.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, previous)


@dataclass(frozen=True)
class EarlyStopping:
    """When a training ends before its last epoch.

    Attributes
    ----------
    patience : int or None
        After so many epochs without a better validation loss.
    tolerance : float
        After an epoch that lowered the training loss by less than this share of it; 0 never.

    Examples
    --------
    >>> losses = [9.0, 8.0, 7.9999]
    >>> history = [EpochRecord(k + 1, loss, 1, 1, 1.0, 0.1) for k, loss in enumerate(losses)]
    >>> rule = EarlyStopping(tolerance=1e-4)
    >>> rule.converged(history[:2]), rule.converged(history), EarlyStopping().converged(history)
    (False, True, False)
    """

    patience: int | None = None
    tolerance: float = 0.0

    def out_of_patience(self, history: Sequence[EpochRecord]) -> bool:
        """Whether the best validation loss is ``patience`` epochs old."""
        best = best_epoch(history)
        return self.patience is not None and best > 0 and len(history) - best >= self.patience

    def converged(self, history: Sequence[EpochRecord]) -> bool:
        """Whether the last epoch gained less than ``tolerance``."""
        if len(history) < 2 or self.tolerance == 0.0:
            return False
        before, after = history[-2].loss, history[-1].loss
        return math.isfinite(before) and before - after < self.tolerance * abs(before)


def best_epoch(history: Sequence[EpochRecord]) -> int:
    """Return the epoch, from 1, of the least validation loss (the first of equals); 0 if none."""
    losses = [
        (record.validation_loss, record.epoch)
        for record in history
        if record.validation_loss is not None
    ]
    return min(losses)[1] if losses else 0


class LiveModel:
    """A training between two epochs, as ``on_epoch`` receives it: nothing is copied.

    Attributes
    ----------
    epoch, epochs : int
        Epochs that have ended, and how many there are to be.
    history : list of EpochRecord
        One for each that has ended.
    vocabulary : Vocabulary
        The words, by row.
    parameters : Parameters
        ``W_in`` and ``W_out`` themselves: what is written to them is what the next epoch begins
        with.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    @property
    def epoch(self) -> int:
        """Epochs that have ended."""
        return self._trainer.state.epoch

    @property
    def epochs(self) -> int:
        """Epochs of the training."""
        return self._trainer.config.epochs

    @property
    def history(self) -> list[EpochRecord]:
        """One record for each epoch that has ended."""
        return self._trainer.history

    @property
    def vocabulary(self) -> Vocabulary:
        """The words, by row."""
        return self._trainer.vocabulary

    @property
    def parameters(self) -> Parameters:
        """``W_in`` and ``W_out``, as they are at this moment."""
        return self._trainer.parameters

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Word vectors, float32 (V, D): rows of ``W_in`` themselves, not to be kept.

        With the softmax, or of words that have several rows, a matrix that is made when asked for.
        """
        return self._trainer.engine.vectors(self.parameters)


EpochHook = Callable[[LiveModel], object]
"""Called before the first epoch and after every one, in the thread that calls ``run``."""


class Trainer:
    """Trains parameters on a corpus: the one door to training.

    :class:`~wordgrad.Word2Vec` comes through it, and whoever has a vocabulary and matrices of their
    own may: a corpus encoded with any :class:`~wordgrad.vocabulary.Vocabulary`
    (:func:`~wordgrad.corpus.corpus.encode_corpus`), any :class:`Parameters` of as many rows, any
    first and last learning rate, as often as wanted.

    Parameters
    ----------
    corpus : EncodedCorpus
    config : TrainingConfig
        ``sample="auto"`` becomes a number, by the counts of the corpus' vocabulary.
    progress : callable, optional
        Receives :class:`TrainingProgress` records, and before them
        :class:`~wordgrad.training.engine.CountingProgress` where pairs are counted, in the
        thread that calls :meth:`run`.
    held_out : HeldOut, optional
    saving : Saving, optional
    parameters : Parameters, optional
        What training begins with (a warm start), changed in place; by default word2vec's start,
        :meth:`Parameters.initial`.
    on_epoch : callable, optional
        Receives a :class:`LiveModel` before the first epoch and after every one.
    input_steps : array_like (n_inputs,), optional
        What every step on a row of ``W_in`` is multiplied by, 0 to 1: row r takes the step
        ``-learning_rate input_steps[r] dJ/dW_in[r]``, and a frozen row (0) none.
    engine : Engine, optional
        By default what the settings choose (:func:`~wordgrad.training.engines.make_engine`).

    Attributes
    ----------
    engine : Engine
    parameters : Parameters
        Changed in place; usable at any time, also after an interruption.
    state : TrainingState
    tokens_trained : float
        Expected number of tokens that subsampling leaves of an epoch.

    Raises
    ------
    ParameterError
        If the parameters do not fit the corpus and the settings, or the training would not fit the
        memory; or ``input_steps`` are not one number from 0 to 1 for each row, or not taken with
        these settings.

    Examples
    --------
    Training that goes on with the same matrices, at a rate that falls from 0.05 to 0.01:

    >>> from wordgrad.corpus.corpus import encode_corpus
    >>> from wordgrad.training.parameters import Parameters
    >>> from wordgrad.vocabulary import Vocabulary
    >>> words = Vocabulary.from_words(["b", "a", "c"], [30, 60, 30])
    >>> parameters = Parameters.initial(3, 3, vector_size=8, seed=1)
    >>> config = TrainingConfig(
    ...     vector_size=8, epochs=2, workers=1, learning_rate=0.05, final_learning_rate=0.01
    ... )
    >>> for text in (["a b", "a c"] * 300, ["b a c"] * 300):
    ...     with encode_corpus(text, vocabulary=words) as corpus:
    ...         Trainer(
    ...             corpus, config, parameters=parameters, on_epoch=lambda live: print(live.epoch)
    ...         ).run()
    0
    1
    2
    0
    1
    2
    >>> parameters.W_in.shape, parameters.W_out.shape
    ((3, 8), (3, 8))
    """

    def __init__(
        self,
        corpus: EncodedCorpus,
        config: TrainingConfig,
        progress: ProgressCallback | None = None,
        *,
        held_out: HeldOut | None = None,
        saving: Saving | None = None,
        parameters: Parameters | None = None,
        on_epoch: EpochHook | None = None,
        input_steps: ArrayLike | None = None,
        engine: Engine | None = None,
    ) -> None:
        counts = corpus.vocabulary.counts
        self.config = config = with_threshold(config, counts)
        # First: it may refuse what would not fit, before the parameters take their memory.
        self.engine = engine = engine or make_engine(corpus, config, progress)
        if input_steps is not None:
            if not isinstance(engine, HogwildEngine):
                raise ParameterError(
                    "input_steps are taken on the processor by negative sampling and the "
                    'hierarchical softmax alone; leave out reproducible, blocks, device="cuda" and '
                    'loss="softmax".'
                )
            engine.set_input_steps(input_steps)
        if parameters is None:
            parameters = Parameters.initial(
                engine.n_inputs, engine.n_outputs, config.vector_size, config.seed
            )
        parameters.check_rows(config.vector_size, engine.n_inputs, engine.n_outputs)
        self._parameters = parameters
        self.state = TrainingState()
        counts = corpus.word_counts()  # the vocabulary's may be of more than this text
        keep = keep_probabilities(corpus.vocabulary.counts, config.sample)
        self.tokens_trained = float(counts @ keep)
        self.vocabulary = corpus.vocabulary
        self._progress = progress
        self._on_epoch = on_epoch
        self._corpus = corpus
        self._saving = saving
        self._early_stopping = EarlyStopping(
            patience=held_out.patience if held_out else None,
            # Negative sampling goes on: its learning rate is to fall to its end.
            tolerance=config.tolerance if config.loss == "softmax" else 0.0,
        )
        self._validation = engine.validation(held_out.text) if held_out else None
        self._best: Parameters | None = None
        self._pause = threading.Event()
        self._interrupts = Interrupts(self._pause)
        self._saved: tuple[int, int] | None = None  # position of the last checkpoint
        self._saved_at = self._began_at = time.perf_counter()
        self._words_before = self._released = 0
        self._reported_at = 0.0

    @property
    def history(self) -> list[EpochRecord]:
        """One record for each epoch that ended."""
        return self.state.history

    @property
    def parameters(self) -> Parameters:
        """What was learned so far."""
        self.engine.collect(self._parameters)
        return self._parameters

    @property
    def learned(self) -> Parameters:
        """Parameters that the training gives: with early stopping, those of the best epoch."""
        return self.parameters if self._best is None else self._best

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Word vectors (V, D): where validation ends training early, those of the best epoch."""
        return self.engine.vectors(self.learned)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        if self.state.epoch >= self.config.epochs:
            return True
        rule, history = self._early_stopping, self.history
        # An epoch that has begun is brought to its end, but where it is of no use any more.
        return rule.out_of_patience(history) or (self.state.token == 0 and rule.converged(history))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over a checkpoint's parameters and state, to go on from there.

        Raises
        ------
        FormatError
            If its parameters or what its engine gathered are not those of this training.
        """
        parameters, engine = checkpoint.parameters, self.engine
        found = parameters.n_inputs, parameters.n_outputs, parameters.vector_size
        wanted = engine.n_inputs, engine.n_outputs, self.config.vector_size
        if found != wanted:
            raise FormatError(
                "This checkpoint holds {} input and {} output vectors of {} numbers, and this "
                "training has {} and {} of {}; go on with the settings that it was written "
                "with.".format(*found, *wanted)
            )
        engine.restore(checkpoint.engine)
        self._parameters, self.state = parameters, checkpoint.state
        self._best = None if self._early_stopping.patience is None else checkpoint.best
        self._saved = (self.state.epoch, self.state.token)

    def run(self) -> None:
        """Train to the end, from the beginning or from a checkpoint.

        Raises
        ------
        TrainingError
            If the loss is no longer a finite number.
        OutputError
            If a checkpoint cannot be written.
        KeyboardInterrupt
            Passed on once every thread has stopped; the parameters keep what was learned, and a
            checkpoint is saved first, if there is a folder for it.

        Warns
        -----
        TrainingWarning
            If no sentence holds two words, so that there is not one pair; if subsampling leaves
            less than a quarter of the tokens; or if negative sampling ends
            (or passes a first epoch of 10 million pairs) with a loss that is not 1% below that of
            parameters that know nothing, (1 + K) ln 2.
        """
        if self._words_done == 0:
            self._warn_of_little_kept()
        if self._saved is None:
            self._save()
        try:
            self.engine.prepare(self._parameters)
            self._words_before = self._words_done
            self._saved_at = self._began_at = time.perf_counter()
            if self._saving is None:
                self._run_epochs()
            else:
                with self._interrupts:
                    self._run_epochs()
        finally:
            self.engine.close()

    def _run_epochs(self) -> None:
        if self.state.token == 0:
            self._call_hook()
        while not self.finished:
            rate = self._run_until_pause()
            if self.state.token == self.engine.length:
                self._end_epoch(rate)
                self._call_hook()
            if self._interrupts.received is not None or self._is_due():
                self._save()
            self._interrupts.act()
        self._save()

    def _call_hook(self) -> None:
        if self._on_epoch is not None:
            self._on_epoch(LiveModel(self))

    def _run_until_pause(self) -> float:
        """Train to the end of the epoch, or until a checkpoint is due; return the rate there."""
        state = self.state
        began, seconds_before = time.perf_counter(), state.seconds
        rate, furthest = self.config.initial_rate, -1
        if self._interrupts.received is None:
            self._pause.clear()
        self._released = min(self._released, state.token)  # a new epoch begins at 0
        steps = self.engine.epoch(self._parameters, state.epoch, state.token, self._pause)
        with closing(steps):
            for step in steps:
                self._check_finite(step)
                state.loss = Loss(
                    state.loss.total + step.loss.total, state.loss.pairs + step.loss.pairs
                )
                state.token += step.stop - step.start
                if step.start > furthest:  # steps end in any order
                    rate, furthest = step.learning_rate, step.start
                self._between_steps(rate)
        state.seconds = seconds_before + time.perf_counter() - began
        return rate

    def _between_steps(self, rate: float) -> None:
        if self.state.token - self._released >= TOKENS_BETWEEN_RELEASES:
            self._corpus.release_pages()
            self._released = self.state.token
        if self._interrupts.received is not None or self._is_due():
            self._pause.set()
        now = time.perf_counter()
        if now - self._reported_at > SECONDS_BETWEEN_REPORTS:
            self._report(rate)
            self._reported_at = now

    def _end_epoch(self, rate: float) -> None:
        state = self.state
        if state.loss.pairs == 0 and state.epoch == 0:
            warnings.warn(
                "No sentence holds two words that were kept, so nothing is learned; give longer "
                "sentences, lower min_count, or raise sample (0 keeps every word).",
                TrainingWarning,
                stacklevel=2,
            )
        # The effect of the last steps no loss has shown yet.
        if not self.engine.are_finite(self._parameters):
            raise self._divergence(
                f"at the end of epoch {state.epoch + 1}",
                f"{self.config.initial_rate:g} at its start",
                "a vector is no longer finite",
            )
        validation = None
        if self._validation is not None:
            measured = self._validation(self.parameters)
            validation = measured.total / measured.pairs
        record = EpochRecord(
            epoch=state.epoch + 1,
            loss=state.loss.total / max(state.loss.pairs, 1e-300),
            pairs=state.loss.pairs,
            words=state.token,
            seconds=state.seconds,
            learning_rate=rate,
            validation_loss=validation,
            gradient_norm=self.engine.gradient_norm,
            words_trained=self.tokens_trained,
        )
        self._report(rate, validation)
        many = record.epoch == 1 and record.pairs >= ENOUGH_PAIRS
        if record.pairs and (many or record.epoch == self.config.epochs):
            self._warn_of_little_learned(record)
        state.end_epoch(record)
        if self._early_stopping.patience is not None and best_epoch(self.history) == state.epoch:
            if self._best is None:
                self._best = self.parameters.copy()
            else:
                self._best.copy_from(self.parameters)

    def _warn_of_little_kept(self) -> None:
        counts, sample = self._corpus.vocabulary.counts, self.config.sample
        share = kept_share(counts, sample)
        if share < LITTLE_KEPT:
            auto = with_threshold(replace(self.config, sample="auto"), counts).sample
            warnings.warn(
                f"Subsampling with sample={sample:g} keeps {share:.1%} of the words, which leaves "
                f'little to learn from; use sample="auto" (here {auto:g}), or 0 to keep all.',
                TrainingWarning,
                stacklevel=2,
            )

    def _warn_of_little_learned(self, record: EpochRecord) -> None:
        start = (1 + self.config.negative) * math.log(2.0)
        if self.config.loss == "negative-sampling" and record.loss > (1 - LITTLE_LEARNED) * start:
            warnings.warn(
                f"The loss of epoch {record.epoch} is {record.loss:.4f}, and {start:.4f} is that "
                "of vectors that know nothing, so next to nothing was learned; keep more words "
                "(sample=0 keeps all), or give more text, more epochs or another learning_rate.",
                TrainingWarning,
                stacklevel=2,
            )

    def _is_due(self) -> bool:
        return (
            self._saving is not None and time.perf_counter() - self._saved_at >= self._saving.every
        )

    def _save(self) -> None:
        """Save a checkpoint, unless there is no folder for it or nothing has changed."""
        state = self.state
        if self._saving is None or self._saved == (state.epoch, state.token):
            return
        checkpoint = Checkpoint(
            self._saving.identity, state, self.parameters, self._best, self.engine.state()
        )
        if not checkpoint.is_finite():  # it must not take the place of a good one
            raise self._divergence(
                f"before token {state.token} of epoch {state.epoch + 1}",
                f"{self.config.initial_rate:g} at its start",
                "a number is no longer finite",
            )
        self._saving.folder.save(checkpoint)
        self._saved, self._saved_at = (state.epoch, state.token), time.perf_counter()

    @property
    def _words_done(self) -> int:
        return self.state.epoch * self.engine.length + self.state.token

    def _report(self, rate: float, validation: float | None = None) -> None:
        if self._progress is None:
            return
        all_words = self.config.epochs * self.engine.length
        seconds = max(time.perf_counter() - self._began_at, 1e-9)
        speed = max(self._words_done - self._words_before, 1) / seconds
        loss = self.state.loss
        self._progress(
            TrainingProgress(
                epoch=self.state.epoch,
                epochs=self.config.epochs,
                words_done=self._words_done,
                words_total=all_words,
                words_per_second=speed,
                loss=loss.total / loss.pairs if loss.pairs else math.nan,
                learning_rate=rate,
                seconds_left=(all_words - self._words_done) / speed,
                validation_loss=validation,
            )
        )

    def _check_finite(self, step: Step) -> None:
        if not math.isfinite(step.loss.total):
            raise self._divergence(
                f"in epoch {self.state.epoch + 1} at token {step.start}",
                f"{step.learning_rate:g}",
                f"the loss is {step.loss.total}",
            )

    def _divergence(self, where: str, rate: str, what: str) -> TrainingError:
        remedy = "start again"
        if self._saving is not None and self._saved is not None:
            remedy = f"go on from the last good checkpoint in {self._saving.folder.path} (--resume)"
        return TrainingError(
            f"Training diverged {where} with learning_rate {rate}: {what}; {remedy} with a lower "
            "learning_rate."
        )
