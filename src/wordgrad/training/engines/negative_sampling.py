"""The base of the engines of logistic losses, and the threads that they train on.

Windows predict a target among negatives, the path to it in a tree (hierarchical softmax), or both.

Batches and validation loss are the same for all of them.  Every random choice follows from the
seed, the epoch and the position, so a position is all that going on needs.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.corpus.corpus import EncodedCorpus, ValidationCorpus
from wordgrad.errors import FormatError, ParameterError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss, ProgressCallback, Step, Validation
from wordgrad.training.kernels.batch import batch_step, combine_inputs
from wordgrad.training.kernels.documents import run_concatenated_batch
from wordgrad.training.kernels.span import run_batch
from wordgrad.training.kernels.window import Workspace
from wordgrad.training.parameters import Parameters, row_floats
from wordgrad.training.sampling import (
    Batch,
    InputRows,
    SamplingTables,
    Span,
    check_batch,
    input_shares,
)
from wordgrad.training.validation import DocumentValidation, NegativeSamplingValidation


class WorkerPool:
    """Runs a function on several threads; a ``with`` block gives the steps that they put.

    Leaving the block, for whatever reason, stops and joins all threads.  An exception of a thread
    is raised where the steps are waited for.

    Parameters
    ----------
    n_threads : int
    work : callable
        Called once on each thread, with the thread's number from 0.  It passes each step to
        :meth:`put`, and ends soon once :attr:`stop` is set.
    wake : callable, optional
        Called when a thread has failed or cannot start: ends the waits of threads for one another.

    Attributes
    ----------
    stop : threading.Event
    """

    def __init__(
        self,
        n_threads: int,
        work: Callable[[int], None],
        wake: Callable[[], object] = lambda: None,
    ) -> None:
        self.stop = threading.Event()
        self._work = work
        self._wake = wake
        self._results: queue.SimpleQueue[Step | BaseException | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, args=(k,), name=f"wordgrad-{k}", daemon=True)
            for k in range(n_threads)
        ]

    def put(self, step: Step) -> None:
        """Give a step to the thread that waits."""
        self._results.put(step)

    def __enter__(self) -> Iterator[Step]:
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:  # a thread that cannot start: the others must not go on alone
            self.stop.set()
            self._wake()
            raise
        return self._steps()

    def __exit__(self, *exception: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()

    def _steps(self) -> Iterator[Step]:
        running = len(self._threads)
        while running:
            result = self._results.get()
            if result is None:
                running -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result

    def _run(self, k: int) -> None:
        try:
            self._work(k)
        except BaseException as error:  # handed to the thread that waits
            self._wake()
            self._results.put(error)
        finally:
            self._results.put(None)


MOST_SPAN_TOKENS = 20_000
LEAST_SPAN_TOKENS = 500
SPANS_AN_EPOCH = 40
"""Small corpora are cut into about this many spans, so that the learning rate falls smoothly.
Python's share of a span is 0.1 to 0.2 ms, the time of a thousand targets of a document."""


class NegativeSamplingEngine:
    """The base of engines that take :class:`~wordgrad.training.engine.Engine`'s exact steps.

    Parameters
    ----------
    config : TrainingConfig
    tables : SamplingTables, optional
        What windows are drawn from; :meth:`epoch` needs them, :meth:`apply_batch` does not.
    rows : InputRows, optional
        The rows of ``W_in`` of each word.  By default a word's row is its own, which takes the
        kernels of windows; others take those of any batch.

    Attributes
    ----------
    span_tokens : int
        An epoch is cut into spans of this many tokens, each with its own learning rate.
    most_reach : int
        Words on either side that a window of the corpus may hold.
    """

    gradient_norm: float | None = None
    input_steps: NDArray[np.float32] | None = None

    def __init__(
        self,
        config: TrainingConfig,
        tables: SamplingTables | None = None,
        rows: InputRows | None = None,
    ) -> None:
        self.config = config
        self.rows = rows
        self.length = len(tables.ids) if tables is not None else 0
        self.n_words = tables.n_words if tables is not None else 0
        self.n_outputs = tables.n_outputs if tables is not None else 0
        self.n_inputs = self.n_words if rows is None else rows.n_inputs
        self.documents = None if tables is None else tables.documents
        if self.documents is not None:
            self.n_inputs = self.documents.n_inputs
            self.n_outputs *= self.documents.width
        self.span_tokens = min(
            MOST_SPAN_TOKENS, max(LEAST_SPAN_TOKENS, self.length // SPANS_AN_EPOCH)
        )
        self.most_reach = 0 if tables is None else tables.reach.most
        self._tables = tables
        self._n_floats = row_floats(config.vector_size)
        self._width = 1 + 2 * config.window if config.combine == "concat" else 1
        self._skipgram = config.architecture == "skipgram"
        self._mean = config.combine == "mean"
        self._local = threading.local()

    @classmethod
    def from_corpus(
        cls,
        corpus: EncodedCorpus,
        config: TrainingConfig,
        progress: ProgressCallback | None = None,
    ) -> Self:
        """Return an engine that trains on a corpus; nothing comes before its first epoch."""
        return cls(config, SamplingTables(corpus, config))

    def set_input_steps(self, factors: ArrayLike) -> None:
        """Multiply every step on row r of ``W_in`` by ``factors[r]``, from 0 (frozen) to 1.

        Raises
        ------
        ParameterError
            If they are not so many numbers, or not in that range; or inputs are concatenated.
        """
        steps = np.ascontiguousarray(factors, np.float32)
        if self._width > 1:
            raise ParameterError(
                'input_steps are not taken with combine="concat"; use "mean" or "sum".'
            )
        n_inputs = self.n_inputs or len(steps)
        if steps.shape != (n_inputs,):
            raise ParameterError(
                f"input_steps must hold one number for each of the {n_inputs} rows of W_in, got "
                f"shape {steps.shape}."
            )
        wrong = np.flatnonzero(~((steps >= 0) & (steps <= 1)))
        if len(wrong):
            raise ParameterError(
                "input_steps must be numbers from 0 (a frozen row) to 1, got "
                f"{steps[wrong[0]]:g} for row {wrong[0]}."
            )
        self.input_steps = steps
        self._local = threading.local()

    @property
    def tables(self) -> SamplingTables:
        """What windows are drawn from."""
        if self._tables is None:
            raise TypeError(f"{type(self).__name__} needs sampling tables to draw from.")
        return self._tables

    def spans(self, epoch: int, first: int = 0) -> Iterator[Span]:
        """Cut an epoch from position ``first`` into spans, each with its learning rate."""
        for start in range(first, self.length, self.span_tokens):
            stop = min(start + self.span_tokens, self.length)
            progress = (epoch + start / self.length) / self.config.epochs
            yield Span(start, stop, epoch, self.config.learning_rate_at(progress))

    def apply_batch(self, parameters: Parameters, batch: Batch, learning_rate: float) -> Loss:
        """Take one gradient step an example, one after another; see the protocol.

        Windows of words with one row each take the kernel that training takes, whatever they
        predict, any other batch a plain one.
        """
        check_batch(batch, parameters.n_inputs, parameters.n_outputs // self._width)
        parameters.check_rows(self.config.vector_size)
        inputs = np.ascontiguousarray(batch.inputs, np.int32)
        input_offsets, groups, output_offsets = (
            np.ascontiguousarray(offsets, np.int64)
            for offsets in (batch.input_offsets, batch.groups, batch.output_offsets)
        )
        outputs = np.ascontiguousarray(batch.outputs, np.int32)
        signs = np.ascontiguousarray(batch.all_signs, np.int8)
        if self.input_steps is not None and len(self.input_steps) != parameters.n_inputs:
            raise ParameterError(
                f"input_steps holds {len(self.input_steps)} numbers for {parameters.n_inputs} rows "
                "of W_in."
            )
        if self._width > 1:
            if not batch.reads_words("cbow") or (np.diff(input_offsets) != self._width).any():
                raise ParameterError(
                    f"a batch of concatenated rows must be windows of {self._width} rows each."
                )
            workspace = self._batch_workspace(self._width, int(np.diff(output_offsets).max()))
            workspace.set_learning_rate(learning_rate)
            run_concatenated_batch(
                inputs, input_offsets, outputs, output_offsets, signs,
                parameters.W_in_rows.ctypes.data, parameters.W_out_rows.ctypes.data,
                self._n_floats, workspace.addresses,
            )  # fmt: skip
            return Loss(float(workspace.loss[0]), batch.n_vectors)
        if batch.reads_words(self.config.architecture):
            offsets = groups if self._skipgram else input_offsets
            workspace = self._batch_workspace(
                int(np.diff(offsets).max(initial=0)), int(np.diff(output_offsets).max(initial=1))
            )
            workspace.set_learning_rate(learning_rate)
            workspace.set_inputs(parameters.W_in_rows)
            run_batch(
                inputs, offsets, outputs, output_offsets, signs, parameters.W_in_rows.ctypes.data,
                parameters.W_out_rows.ctypes.data, self._n_floats, self._skipgram,
                workspace.addresses,
            )  # fmt: skip
            return Loss(float(workspace.loss[0]), batch.n_vectors)
        most_vectors = int(np.diff(groups).max())
        vectors, changes = np.empty((2, most_vectors, self.config.vector_size), np.float32)
        steps = np.empty((most_vectors, int(np.diff(output_offsets).max())), np.float32)
        total = batch_step(
            inputs, input_offsets, groups, outputs, output_offsets,
            signs, parameters.W_in_rows,
            parameters.W_out_rows, self.config.vector_size, self._mean, float(learning_rate),
            input_shares(self.config, np.diff(input_offsets)),
            np.empty(0, np.float32) if self.input_steps is None else self.input_steps,
            vectors, changes, steps,
        )  # fmt: skip
        return Loss(float(total), batch.n_vectors)

    @property
    def _window_steps(self) -> NDArray[np.float32] | None:
        """Factors of the steps on the rows that windows of a span read."""
        return self.input_steps

    def _workspace(self, window_rows: int = 0, span_tokens: int = 1) -> Workspace:
        """Return this thread's workspace, made at its first call or when a call outgrows it."""
        workspace: Workspace | None = getattr(self._local, "workspace", None)
        most_tags = 1 if self.documents is None else self.documents.most_tags
        window_rows = max(window_rows, 2 * self.most_reach + most_tags)
        if (
            workspace is None
            or workspace.addresses.window_rows < window_rows
            or workspace.span_tokens < span_tokens
        ):
            workspace = Workspace(
                window_rows=window_rows,
                negative=self.config.drawn_negatives,
                n_floats=self._width * self._n_floats,
                span_tokens=span_tokens,
                combine="mean" if self._width > 1 else self.config.combine,
                cbow_step=self.config.cbow_step,
                tree=None if self._tables is None else self._tables.tree,
                input_steps=self._window_steps,
                pairs_of_others=self._pairs_of_others,
                learning_rate=self.config.initial_rate,
            )
            self._local.workspace = workspace
        return workspace

    @property
    def _pairs_of_others(self) -> float:
        """Pairs that other threads train on while one trains on a window, of the same rows."""
        return 0.0

    def _batch_workspace(self, window_rows: int, most_outputs: int) -> Workspace:
        """Return this thread's workspace for given windows, of which no two need be alike."""
        workspace: Workspace | None = getattr(self._local, "batch_workspace", None)
        if (
            workspace is None
            or workspace.addresses.window_rows < window_rows
            or workspace.most_outputs < most_outputs
        ):
            workspace = Workspace(
                window_rows=window_rows,
                negative=0,
                n_floats=self._width * self._n_floats,
                span_tokens=1,
                combine="mean" if self._width > 1 else self.config.combine,
                cbow_step=self.config.cbow_step,
                most_outputs=most_outputs,
                input_steps=self.input_steps,
            )
            self._local.batch_workspace = workspace
        return workspace

    def vectors(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the word vectors, (V, D): those of single words, plus a share of the outputs."""
        if self.rows is None:
            W_in = parameters.W_in[: self.n_words]
            weight = np.float32(self.config.output_weight or 0.0)
            return W_in + weight * parameters.W_out[: self.n_words] if weight else W_in
        rows, offsets = self.rows.of(np.arange(self.n_words, dtype=np.int32))
        vectors = np.empty((self.n_words, parameters.vector_size), np.float32)
        combine_inputs(parameters.W_in_rows, rows, offsets, self._mean, vectors)
        return vectors

    def collect(self, parameters: Parameters) -> None:
        """All that is learned is in the parameters."""

    def are_finite(self, parameters: Parameters) -> bool:
        """Whether every number is finite."""
        return parameters.are_finite()

    def close(self) -> None:
        """Nothing is kept outside memory."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return nothing."""
        return {}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back nothing."""
        if state:
            raise FormatError(
                f"This checkpoint holds {', '.join(sorted(state))}, which training with these "
                "settings has no use for; it is damaged, or of a newer version of wordgrad."
            )

    def validation(self, text: ValidationCorpus) -> Validation:
        """Return the measure of the negative-sampling loss on a held-out text."""
        if self.config.documents != "no":
            return DocumentValidation(text, self.config)
        return NegativeSamplingValidation(text, self.config, self.rows)
