"""The engine of rounds: its shared memory, and what each of its threads has of its own."""

from __future__ import annotations

import numpy as np

from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.cpu import check_rows
from wordgrad.training.engines.protocol import Loss, SamplingTables
from wordgrad.training.engines.round_kernels import run_rounds
from wordgrad.training.engines.round_memory import Layout, Notebook, RoundMemory
from wordgrad.training.engines.workspace import Workspace
from wordgrad.training.parameters import Parameters, row_floats


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
