"""The engine of rounds: its shared memory, and what each of its threads has of its own.

How large a round may be: by the settings and the corpus, and never by the number of threads.

A block starts from parameters that do not know yet what the round's other blocks learn.  For rare
words that is nothing.  The most frequent one changes in every block, and several changes that were
each right alone may be too much together.  What the others do to a row, in a round, grows with

    learning rate x pairs of the hottest row in a window x windows of the other blocks

where skip-gram's hottest row is in ``C max(q_w + K p_w, (1 + K) q_w)`` pairs of a window (q and p
are the word's shares of targets and of noise, C = m + 1 the mean context).  CBOW has C times fewer,
but for the input rows where it takes the sum.

Measured on vocabularies of 3 to 5,000 words and on `wiki8`: losses are those of the default mode up
to about 6, the first epoch suffers from about 12 on, and trainings diverge from about 24 on.  So
rounds are cut to stay below :data:`MOST_STALE`.  Where even small blocks would be too much (ten
words without subsampling, a tiny text), a round is one block: the result of one thread, exactly.

Rounds on several threads: the same bytes for any number of them.
"""

from __future__ import annotations

import threading
from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss, Step
from wordgrad.training.engines.hogwild import check_rows
from wordgrad.training.engines.workers import StatelessRunner, StepThreads
from wordgrad.training.kernels.rounds import (
    Layout,
    Notebook,
    RoundMemory,
    plan_bytes,
    private_bytes,
    run_rounds,
)
from wordgrad.training.kernels.workspace import Workspace
from wordgrad.training.parameters import Parameters, row_floats
from wordgrad.training.sampling import SamplingTables, keep_probabilities, noise_distribution


class RoundEngine:
    """Trains rounds of blocks with several threads, to the same bytes for any number of them.

    Parameters
    ----------
    config : TrainingConfig
    tables : SamplingTables
    layout : Layout
    parameters : Parameters
        Changed in place.
    """

    def __init__(
        self, config: TrainingConfig, tables: SamplingTables, layout: Layout, parameters: Parameters
    ) -> None:
        check_rows(parameters, config.vector_size, len(tables.keep))
        self.config = config
        self.tables = tables
        self.layout = layout
        self.parameters = parameters
        self.n_floats = row_floats(config.vector_size)
        self.memory = RoundMemory(layout, parameters.n_words, config)

    def thread(self, share: int) -> RoundThread:
        """Return the memory of a thread that trains the blocks from number ``share`` on first."""
        return RoundThread(self, share)

    def losses(self) -> Loss:
        """Return the loss and pairs of the step that has ended, summed in the blocks' order."""
        total = 0.0
        for loss in self.memory.losses.ravel().tolist():
            total += loss
        return Loss(total, int(self.memory.pairs.sum()))


class RoundThread:
    """What a thread of a :class:`RoundEngine` has of its own."""

    def __init__(self, engine: RoundEngine, share: int) -> None:
        config, layout = engine.config, engine.layout
        self._engine = engine
        self._share = share
        self._workspace = Workspace(
            window_rows=2 * config.window,
            negative=config.negative,
            n_floats=engine.n_floats,
            span_tokens=1,
        )
        self._notebook = Notebook(engine.parameters.n_words, engine.memory.addresses.token_room)
        self._copies = np.zeros(2 * layout.blocks, np.int64)

    def take_part(self, start: int, stop: int, key: np.uint64, learning_rate: float) -> None:
        """Do what there is to do of a step, tokens start to stop, and return when it is done."""
        engine, config, tables = self._engine, self._engine.config, self._engine.tables
        round_tokens = engine.layout.round_tokens
        self._workspace.set_learning_rate(learning_rate)
        run_rounds(
            tables.ids.ctypes.data, tables.offsets.ctypes.data, len(tables.offsets) - 1, start,
            stop, 1 + start // round_tokens, key, tables.keep.ctypes.data,
            tables.noise.ctypes.data, len(tables.keep), config.window,
            engine.parameters.W_in_rows.ctypes.data, engine.parameters.W_out_rows.ctypes.data,
            engine.n_floats, config.architecture == "skipgram", config.combine == "mean",
            -(-(stop - start) // round_tokens), self._share, engine.memory.addresses,
            self._notebook.addresses, self._copies.ctypes.data, self._workspace.addresses,
        )  # fmt: skip


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


def layout_for(counts: NDArray[np.int64], config: TrainingConfig) -> Layout:
    """Return the layout for a corpus with these counts of words, int64 (V,)."""
    tokens = int(counts.sum())
    block_tokens = min(
        MOST_BLOCK_TOKENS,
        tokens // (ROUNDS_AN_EPOCH * BLOCKS),
        int(MOST_STALE / ((BLOCKS - 1) * max(staleness(counts, config), 1e-9))),
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


def staleness(counts: NDArray[np.int64], config: TrainingConfig) -> float:
    """Return how much a token of another block changes the hottest row: learning rate x pairs."""
    kept = counts * keep_probabilities(counts, config.sample)
    q = kept / kept.sum()
    p = noise_distribution(counts, config.ns_exponent)
    K, context = config.negative, config.window + 1
    from_outputs = float((q + K * p).max())
    from_inputs = float((1 + K) * q.max())
    if config.architecture == "skipgram":
        pairs = context * max(from_outputs, from_inputs)
    else:
        pairs = max(from_outputs, from_inputs * (context if config.combine == "sum" else 1))
    return config.initial_rate * pairs * float(kept.sum() / counts.sum())


class RoundRunner(StatelessRunner):
    """Threads that train the blocks of a round from the same parameters, then merge them.

    Parameters
    ----------
    config : TrainingConfig
    tables : SamplingTables
    layout : Layout
        Decides, with the seed, what is learnt; the number of threads does not.
    """

    def __init__(self, config: TrainingConfig, tables: SamplingTables, layout: Layout) -> None:
        self.config = config
        self.tables = tables
        self.layout = layout
        self.length = len(tables.ids)

    def compile(self, parameters: Parameters) -> None:
        """Compile the kernels (or load them from the cache) on throw-away parameters."""
        spare = Parameters.zeros(parameters.n_words, self.config.vector_size)
        engine = RoundEngine(self.config, self.tables, Layout(1, 1, 1), spare)
        engine.thread(0).take_part(0, 1, np.uint64(0), self.config.initial_rate)

    def run(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the steps of an epoch, in their order; see the protocol.

        Cut at the ends of steps, an epoch comes out as if it had not been cut.
        """
        engine = RoundEngine(self.config, self.tables, self.layout, parameters)
        crew = _Crew(engine, self.config, epoch, start, pause)
        with crew as steps:
            yield from steps


class _Crew(StepThreads):
    """The threads of an epoch; iterating gives its steps as they end.

    All meet between two steps.  The last to come writes down the step that has ended and decides on
    the next.
    """

    def __init__(
        self,
        engine: RoundEngine,
        config: TrainingConfig,
        epoch: int,
        start: int,
        pause: threading.Event,
    ) -> None:
        n_threads = min(config.threads, engine.layout.blocks)
        self._engine = engine
        self._config = config
        self._epoch = epoch
        self._key = np.uint64(engine.tables.key(epoch))
        self._pause = pause
        self._next_start = start
        self._step: tuple[int, int, float] | None = None
        self._meeting = threading.Barrier(n_threads, action=self._plan)
        shares = [k * engine.layout.blocks // n_threads for k in range(n_threads)]
        super().__init__([(engine.thread(share),) for share in shares])

    def _let_go(self) -> None:
        self._meeting.abort()

    def _plan(self) -> None:
        """Between two steps, while no thread is at work: end the last one, choose the next."""
        if self._step is not None:
            start, stop, rate = self._step
            self._results.put(Step(start, stop, self._engine.losses(), rate))
        start, length = self._next_start, len(self._engine.tables.ids)
        if start >= length or self._stop.is_set() or self._pause.is_set():
            self._step = None
            return
        stop = min(start + self._engine.layout.step_tokens, length)
        rate = self._config.learning_rate_at((self._epoch + start / length) / self._config.epochs)
        self._engine.memory.begin()
        self._step = start, stop, rate
        self._next_start = stop

    def _work(self, thread: RoundThread) -> None:
        try:
            while True:
                self._meeting.wait()
                if self._step is None:
                    break
                start, stop, rate = self._step
                thread.take_part(start, stop, self._key, rate)
        except threading.BrokenBarrierError:
            pass  # another thread failed, and says why
        except BaseException as error:  # handed to the thread that waits
            self._engine.memory.abandon()
            self._meeting.abort()
            self._results.put(error)
        finally:
            self._results.put(None)
