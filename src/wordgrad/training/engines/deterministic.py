"""Rounds of blocks on several threads: the same bytes for any number of them.

A block starts from parameters that do not know yet what the round's other blocks learn.  For rare
words that is nothing.  The most frequent one changes in every block, and several changes that were
each right alone may be too much together.  What the others do to a row, in a round, grows with

    learning rate x pairs of the hottest row in a window x windows of the other blocks

where skip-gram's hottest row is in ``C max(q_w + K p_w, (1 + K) q_w)`` pairs of a window (q and p
are the word's shares of targets and of noise, C the mean context, m + 1).  CBOW has C times fewer;
its input rows get, each, a share of the step that is 1/C only with the mean's exact gradient.

Measured on vocabularies of 3 to 5,000 words and on `wiki8`: losses are those of the default mode up
to about 6, the first epoch suffers from about 12 on, and trainings diverge from about 24 on.  So
rounds are cut to stay below :data:`MOST_STALE`.  Where even small blocks would be too much (ten
words without subsampling, a tiny text), a round is one block: the result of one thread, exactly.

How large a round is depends on the settings and the corpus, never on the number of threads.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.maths import input_share
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss, ProgressCallback, Step
from wordgrad.training.engines.negative_sampling import NegativeSamplingEngine, WorkerPool
from wordgrad.training.kernels.draw import Reach
from wordgrad.training.kernels.rounds import (
    Layout,
    RoundMemory,
    RowUsage,
    plan_bytes,
    private_bytes,
    run_rounds,
)
from wordgrad.training.kernels.window import Workspace
from wordgrad.training.parameters import Parameters, row_floats
from wordgrad.training.sampling import SamplingTables, keep_probabilities, noise_distribution

BLOCKS = 4
"""Eight would give work to eight threads, and cost two threads a tenth to a fifth more."""

MOST_BLOCK_TOKENS = 256
LEAST_BLOCK_TOKENS = 6
MOST_STALE = 5.0
ROUNDS_AN_EPOCH = 200
"""At least so many, so that a round is a small part of a small text."""

MOST_STEP_TOKENS = 32_768
STEPS_AN_EPOCH = 200
"""About so many in small texts, so that the learning rate falls smoothly."""

MOST_BYTES = 64 << 20
"""For the private rows of a round, and again for the windows of a step."""


class DeterministicEngine(NegativeSamplingEngine):
    """Threads that train the blocks of a round from the same parameters, then merge them.

    Parameters
    ----------
    config : TrainingConfig
    tables : SamplingTables, optional
    layout : Layout, optional
        Decides, with the seed, what is learnt; the number of threads does not.  By default a round
        is one block, which is what one thread of the default mode does.
    """

    def __init__(
        self,
        config: TrainingConfig,
        tables: SamplingTables | None = None,
        layout: Layout | None = None,
    ) -> None:
        super().__init__(config, tables)
        # What sizes the memory of a round: windows as large as sentences allow.
        self._bounded = config if tables is None else replace(config, window=tables.reach.most)
        self.layout = layout or Layout(1, MOST_BLOCK_TOKENS, 1)

    @classmethod
    def from_corpus(
        cls,
        corpus: EncodedCorpus,
        config: TrainingConfig,
        progress: ProgressCallback | None = None,
    ) -> Self:
        """Return an engine that trains on a corpus; nothing comes before its first epoch."""
        tables = SamplingTables(corpus, config)
        return cls(config, tables, layout_for(corpus.vocabulary.counts, config, tables.reach))

    def prepare(self, parameters: Parameters) -> None:
        """Compile the kernels (or load them from the cache) on throw-away parameters."""
        config = self.config
        parameters.check_rows(config.vector_size, self.n_inputs, self.n_outputs)
        spare = Parameters.zeros(self.n_inputs, self.n_outputs, config.vector_size)
        layout = Layout(1, 1, 1)
        memory = RoundMemory(layout, self.n_outputs, self._bounded)
        worker = RoundWorker(config, self.tables, layout, spare, memory, share=0)
        worker.work(0, 1, np.uint64(0), config.initial_rate)

    def epoch(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the steps of an epoch, in their order; see the protocol.

        Cut at the ends of steps, an epoch comes out as if it had not been cut.  All threads wait
        for one another between two steps; the last to come puts the step that has ended and
        chooses the next.
        """
        config, layout, tables = self.config, self.layout, self.tables
        parameters.check_rows(config.vector_size, self.n_inputs, self.n_outputs)
        key = np.uint64(tables.key(epoch))
        memory = RoundMemory(layout, self.n_outputs, self._bounded)
        n_threads = min(config.threads, layout.blocks)
        workers = [
            RoundWorker(config, tables, layout, parameters, memory, k * layout.blocks // n_threads)
            for k in range(n_threads)
        ]
        step: tuple[int, int, float] | None = None
        position = start

        def next_step() -> None:
            """End the last step and choose the next, while no thread works."""
            nonlocal step, position
            if step is not None:
                begin, stop, rate = step
                pool.put(Step(begin, stop, Loss(*memory.sums()), rate))
            if position >= self.length or pool.stop.is_set() or pause.is_set():
                step = None
                return
            rate = config.learning_rate_at((epoch + position / self.length) / config.epochs)
            memory.begin()
            step = position, min(position + layout.step_tokens, self.length), rate
            position = step[1]

        barrier = threading.Barrier(n_threads, action=next_step)

        def work(k: int) -> None:
            try:
                while True:
                    barrier.wait()
                    if step is None:
                        return
                    begin, stop, rate = step
                    workers[k].work(begin, stop, key, rate)
            except threading.BrokenBarrierError:
                return  # another thread failed, and says why

        def wake() -> None:
            memory.cancel()
            barrier.abort()

        pool = WorkerPool(n_threads, work, wake)
        with pool as steps:
            yield from steps


class RoundWorker:
    """What one thread of an epoch has of its own, and its share of the work.

    Parameters
    ----------
    config : TrainingConfig
    tables : SamplingTables
    layout : Layout
    parameters : Parameters
        Changed in place.
    memory : RoundMemory
        Shared with the other workers of the epoch.
    share : int
        The block that it trains first; others follow if nobody else has begun them.
    """

    def __init__(
        self,
        config: TrainingConfig,
        tables: SamplingTables,
        layout: Layout,
        parameters: Parameters,
        memory: RoundMemory,
        share: int,
    ) -> None:
        self._config = config
        self._tables = tables
        self._layout = layout
        self._parameters = parameters
        self._memory = memory
        self._share = share
        self._workspace = Workspace(
            window_rows=2 * tables.reach.most,
            negative=config.negative,
            n_floats=row_floats(config.vector_size),
            span_tokens=1,
            combine=config.combine,
            cbow_step=config.cbow_step,
        )
        self._usage = RowUsage(
            parameters.n_inputs, parameters.n_outputs, memory.addresses.token_capacity
        )
        self._lists = np.zeros(2 * layout.blocks, np.int64)

    def work(self, start: int, stop: int, key: np.uint64, learning_rate: float) -> None:
        """Do what there is to do of a step, tokens start to stop, and return when it is done."""
        config, tables, parameters = self._config, self._tables, self._parameters
        round_tokens = self._layout.round_tokens
        self._workspace.set_learning_rate(learning_rate)
        run_rounds(
            tables.ids.ctypes.data, tables.offsets.ctypes.data, len(tables.offsets) - 1, start,
            stop, 1 + start // round_tokens, key, tables.keep.ctypes.data,
            tables.noise.ctypes.data, len(tables.keep), tables.reach,
            parameters.W_in_rows.ctypes.data, parameters.W_out_rows.ctypes.data,
            row_floats(config.vector_size), config.architecture == "skipgram",
            -(-(stop - start) // round_tokens), self._share,
            self._memory.addresses, self._usage.addresses, self._lists.ctypes.data,
            self._workspace.addresses,
        )  # fmt: skip


def layout_for(
    counts: NDArray[np.int64], config: TrainingConfig, reach: Reach | None = None
) -> Layout:
    """Return the layout for a corpus with these counts of words, int64 (V,), and these windows."""
    reach = reach or Reach.of(config.window, shrink=config.shrink_windows)
    config = replace(config, window=reach.most)
    tokens = int(counts.sum())
    block_tokens = min(
        MOST_BLOCK_TOKENS,
        tokens // (ROUNDS_AN_EPOCH * BLOCKS),
        int(MOST_STALE / ((BLOCKS - 1) * max(staleness(counts, config, reach.mean), 1e-9))),
    )
    while block_tokens >= LEAST_BLOCK_TOKENS:
        layout = Layout(BLOCKS, block_tokens, 1)
        if private_bytes(layout, len(counts), config) <= MOST_BYTES:
            break
        block_tokens //= 2
    else:
        layout = Layout(1, MOST_BLOCK_TOKENS, 1)
    step_tokens = min(MOST_STEP_TOKENS, tokens // STEPS_AN_EPOCH)
    fit = MOST_BYTES // plan_bytes(layout, len(counts), config)
    rounds = max(1, min(step_tokens // layout.round_tokens, fit))
    return Layout(layout.blocks, layout.block_tokens, rounds)


def staleness(
    counts: NDArray[np.int64], config: TrainingConfig, mean_reach: float | None = None
) -> float:
    """Return how much a token of another block changes the hottest row: learning rate x pairs."""
    kept = counts * keep_probabilities(counts, config.sample)
    q = kept / kept.sum()
    p = noise_distribution(counts, config.ns_exponent)
    if mean_reach is None:
        mean_reach = Reach.of(config.window, shrink=config.shrink_windows).mean
    K, context = config.negative, 2 * mean_reach
    from_outputs = float((q + K * p).max())
    from_inputs = float((1 + K) * q.max())
    if config.architecture == "skipgram":
        pairs = context * max(from_outputs, from_inputs)
    else:
        share = float(input_share(context, combine=config.combine, step=config.cbow_step))
        pairs = max(from_outputs, from_inputs * context * share)
    return config.largest_rate * pairs * float(kept.sum() / counts.sum())
