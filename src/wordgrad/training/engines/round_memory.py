"""The memory that the threads of a round share: windows drawn, private rows, counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.window_step import ADDRESS, FLOAT
from wordgrad.training.engines.workspace import tiles_of
from wordgrad.training.parameters import aligned_rows, row_floats

LINE = 8
"""int64 numbers in a cache line: a counter has one of its own."""

PHASES_A_ROUND = 2
"""Its blocks are trained, then merged."""


@dataclass(frozen=True)
class Layout:
    """How an epoch is cut: a round has ``blocks`` blocks of ``block_tokens`` tokens.

    What is learnt depends on these three numbers, and on nothing that a clock measures.

    Attributes
    ----------
    blocks : int
        P, blocks of a round, each trained from the parameters at the round's start.
    block_tokens : int
        Tokens of a block.
    rounds : int
        Rounds of a step: the learning rate is the same in all of them.
    """

    blocks: int
    block_tokens: int
    rounds: int

    @property
    def round_tokens(self) -> int:
        """Tokens of a round."""
        return self.blocks * self.block_tokens

    @property
    def step_tokens(self) -> int:
        """Tokens of a step."""
        return self.rounds * self.round_tokens


def slot_room(layout: Layout, n_words: int, config: TrainingConfig) -> int:
    """Return the most rows of which a block can need copies: none if it is alone."""
    if layout.blocks == 1:
        return 1
    n = layout.block_tokens
    return min(n_words, n + 2 * config.window) + min(n_words, n * (1 + config.negative))


def private_bytes(layout: Layout, n_words: int, config: TrainingConfig) -> int:
    """Return the memory of a round's private rows."""
    row = FLOAT * row_floats(config.vector_size)
    return layout.blocks * slot_room(layout, n_words, config) * row


def plan_bytes(layout: Layout, n_words: int, config: TrainingConfig) -> int:
    """Return the memory that a round's windows and slots are written down in."""
    n = layout.block_tokens
    tokens = token_room(layout, config) + n * (4 + output_room(config))
    return layout.blocks * ADDRESS * (tokens + 3 * slot_room(layout, n_words, config))


def token_room(layout: Layout, config: TrainingConfig) -> int:
    """Return the most tokens that a block looks at; see :func:`pairs.collect`."""
    return 2 * layout.block_tokens + 2 * config.window + 4


def output_room(config: TrainingConfig) -> int:
    """Return the addresses of a window: its output rows, padding, and a row to ask for."""
    return sum(tiles_of(1 + config.negative)) + 1


class RoundAddresses(NamedTuple):
    """The shared memory as the kernels see it: sizes, and where each table lies (all int64).

    G rounds of P blocks of n tokens; a block has at most L slots, rows of its own.
    """

    blocks: int  # P
    block_tokens: int  # n
    token_room: int  # most tokens that a block looks at, marks between sentences included
    slot_room: int  # L
    output_room: int  # 1 + K with padding, and a row to ask for
    tokens: int  # int64 (G, P, token_room): row addresses of W_in, 0 between sentences
    windows: int  # int64 (G, P, n, 4): see round_plan.CENTRE
    n_windows: int  # int64 (G, P)
    outputs: int  # int64 (G, P, n, output_room): row addresses
    sources: int  # int64 (G, P, L): the row that a slot is a copy of
    following: int  # int64 (G, P, L): the next block's slot of the same row, -1 if none
    n_slots: int  # int64 (G, P)
    heads: int  # int64 (G, P * L): the first slot of every row that has slots
    n_heads: int  # int64 (G,)
    private: int  # rows (P, L)
    losses: int  # float64 (G, P)
    pairs: int  # int64 (G, P)
    claims: int  # int64 (G, P, LINE)
    phases: int  # int64 (1 + 2 G, 2, LINE): items taken, items done
    stop: int  # int64 (1,): not 0 once a thread has failed


class RoundMemory:
    """What the threads of a round share, for V = ``n_words``."""

    def __init__(self, layout: Layout, n_words: int, config: TrainingConfig) -> None:
        G, P, n = layout.rounds, layout.blocks, layout.block_tokens
        slots = slot_room(layout, n_words, config)
        tokens, outputs = token_room(layout, config), output_room(config)
        self._kept: list[NDArray[Any]] = []
        self.losses = np.zeros((G, P))
        self.pairs = np.zeros((G, P), np.int64)
        self._claims = np.zeros((G, P, LINE), np.int64)
        self._phases = np.zeros((1 + PHASES_A_ROUND * G, 2, LINE), np.int64)
        self._stop = np.zeros(1, np.int64)
        self.addresses = RoundAddresses(
            blocks=P,
            block_tokens=n,
            token_room=tokens,
            slot_room=slots,
            output_room=outputs,
            tokens=self._integers(G, P, tokens),
            windows=self._integers(G, P, n, 4),
            n_windows=self._integers(G, P),
            outputs=self._integers(G, P, n, outputs),
            sources=self._integers(G, P, slots),
            following=self._integers(G, P, slots),
            n_slots=self._integers(G, P),
            heads=self._integers(G, P * slots),
            n_heads=self._integers(G),
            private=self._table(aligned_rows(P * slots, row_floats(config.vector_size))),
            losses=self._table(self.losses),
            pairs=self._table(self.pairs),
            claims=self._table(self._claims),
            phases=self._table(self._phases),
            stop=self._table(self._stop),
        )

    def _integers(self, *shape: int) -> int:
        return self._table(np.zeros(shape, np.int64))

    def _table(self, array: NDArray[Any]) -> int:
        self._kept.append(array)
        return int(array.ctypes.data)

    def begin(self) -> None:
        """Forget which work was taken and done, while no thread is at work.

        The last step of an epoch has fewer rounds: what the others said must not count again.
        """
        self.losses.fill(0.0)
        self.pairs.fill(0)
        self._claims.fill(0)
        self._phases.fill(0)

    def abandon(self) -> None:
        """Let every thread that waits for another go."""
        self._stop[0] = 1


class Marks(NamedTuple):
    """A thread's notes, by word, on which blocks of a round touch its two rows (addresses)."""

    rows_in: int  # int64 (V,)
    rows_out: int  # int64 (V,)
    bits: int  # uint64 (token_room,): random bits of a block's tokens
    ids: int  # int32 (token_room,)


class Notebook:
    """The memory of a thread's :class:`Marks`."""

    def __init__(self, n_words: int, token_room: int) -> None:
        self._kept: list[NDArray[Any]] = [
            np.zeros(n_words, np.int64),
            np.zeros(n_words, np.int64),
            np.zeros(token_room, np.uint64),
            np.zeros(token_room, np.int32),
        ]
        self.addresses = Marks(*(int(one.ctypes.data) for one in self._kept))
