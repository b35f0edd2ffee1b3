"""Engines that train on the nodes of a cluster, and go on when one is lost."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordgrad.cluster.machines import MOST_LOSSES, Keeper, LostError
from wordgrad.cluster.node import NOWHERE, Outcome, Position, SpreadEngine, State, Text
from wordgrad.cluster.softmax import (
    BLOCKS_AN_EPISODE,
    ColumnOutcome,
    ColumnState,
    Counted,
    columns_in_order,
    ranges_of,
)
from wordgrad.corpus.corpus import ValidationCorpus
from wordgrad.errors import ClusterError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import CountingProgress, Loss, Step, Validation
from wordgrad.training.engines.blocks import Deal, buckets_of
from wordgrad.training.engines.softmax import (
    CountsValidation,
    SoftmaxEngine,
    SoftmaxSteps,
    rows_of_block,
)
from wordgrad.training.parameters import Parameters, packed, row_floats

EPISODES_AT_ONCE = 2
"""Asked for ahead, so that no node waits for the coordinator."""

SECONDS_BETWEEN_STATES = 10.0
"""What a lost node costs at most, beside an episode; to copy states takes time, too."""

SLICE_BYTES = 16 << 20
"""Of both matrices, that go from or to the coordinator at a time."""


class Asked(NamedTuple):
    """An episode that all nodes were asked for: its answers are to come."""

    position: Position
    stop: int
    following: Position
    answers: list[Any]
    states: list[Any]
    bounds: list[int]


class ClusterEngine(ABC):
    """Trains on all nodes of a cluster, and goes on when one is lost: what any model needs.

    Stands before an engine of one machine among the bases of a class, which says what an episode
    is, and what lies where.

    Attributes
    ----------
    sent : dict of str to int
        Bytes between nodes, by what they are; copies of states are not counted.
    reload : bool
        Whether somebody may change the parameters between two epochs.
    """

    config: TrainingConfig
    length: int
    n_inputs: int
    n_outputs: int

    whole: tuple[int, ...] = ()
    """What ``state`` is asked for, for all that a node has."""

    all_states = False
    """Whether every node needs the states of all, and not those of its own shares alone."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._machines = keeper.machines
        self.sent: dict[str, int] = {}
        self.reload = False
        self._states: dict[Position, tuple[list[int], list[Any]]] = {}
        self._copied_at = 0.0
        self._done = NOWHERE  # where the steps that were given end
        self._here = NOWHERE  # what the parameters are of
        self._there = NOWHERE  # where the nodes come to, by what they were asked
        self._losses = 0

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self._machines)

    def prepare(self, parameters: Parameters) -> None:
        """Let the nodes compile the kernels."""
        parameters.check_rows(self.config.vector_size, self.n_inputs, self.n_outputs)
        self._there = NOWHERE  # what the nodes have is another training's
        try:
            self._keeper.begin(range(self.nodes))
        except LostError:
            self._keeper.recover()

    def epoch(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the episodes of an epoch, in their order; see the protocol.

        What is learned stays on the nodes until :meth:`collect` asks for it.
        """
        begin, end = (epoch, start), (epoch + 1, 0)
        if self._done != begin or (self.reload and start == 0 and self._here == begin):
            self._done = self._here = begin
            self._there, self._states = NOWHERE, {}
        if self._there > begin:  # somebody had enough before
            self._there = NOWHERE
        waiting: deque[Asked] = deque()
        while True:
            try:
                if self._there == NOWHERE:
                    self._go_back(parameters)
                while (
                    len(waiting) < EPISODES_AT_ONCE
                    and self._there < end
                    and (self._there < self._done or not pause.is_set())
                ):
                    waiting.append(self._ask())
                if not waiting:
                    return
                step = self._finish(waiting.popleft())
            except LostError as error:
                waiting.clear()
                self._recover(error)
                continue
            if step is not None:
                yield step

    def collect(self, parameters: Parameters) -> None:
        """Write to the parameters what has been learned; see the protocol."""
        while self._done != self._here:
            try:
                self._catch_up(parameters)
                self._fetch(parameters)
                self._here = self._done
            except LostError as error:
                self._recover(error)

    def are_finite(self, parameters: Parameters) -> bool:
        """Whether every number is finite, which the nodes see."""
        if self._done == self._here:
            return parameters.are_finite()
        while True:
            try:
                self._catch_up(parameters)
                asked = [self._machines.ask(k, "are_finite") for k in range(self.nodes)]
                return all(self._machines.answers(asked))
            except LostError as error:
                self._recover(error)

    def _catch_up(self, parameters: Parameters) -> None:
        """Bring the nodes to where the steps that were given end."""
        if self._there == NOWHERE or self._there > self._done:
            self._go_back(parameters)
        while self._there < self._done:
            self._finish(self._ask())

    def _ask(self) -> Asked:
        """Ask all nodes for the next episode, and now and then for copies of what it leaves."""
        machines, n, position = self._machines, self.nodes, self._there
        epoch, start = position
        stop = min(start + self.episode_length, self.length)
        following = (epoch, stop) if stop < self.length else (epoch + 1, 0)
        self._there = NOWHERE  # until all are asked
        asked = [machines.ask(k, "episode", self._run, position, stop, following) for k in range(n)]
        states: list[Any] = []
        if time.monotonic() - self._copied_at >= SECONDS_BETWEEN_STATES:
            self._copied_at = time.monotonic()
            states = [machines.ask(k, "state", *self.whole) for k in range(n)]
            asked += [
                machines.ask((k + 1) % n, "keep", following, states[k], now=True)
                for k in range(n)
                if n > 1
            ]
        self._there = following
        return Asked(position, stop, following, asked, states, self._bounds)

    def _finish(self, episode: Asked) -> Step | None:
        """Wait for an episode; return its step, unless it was given before."""
        position, stop, following, asked, states, bounds = episode
        found: list[Outcome] = self._machines.answers(asked)[: len(bounds) - 1]
        if states:
            self._states[following] = bounds, states
            for old in sorted(self._states)[:-2]:
                del self._states[old]
        self._add_sent(found)
        if position < self._done:
            return None
        self._done, self._losses = following, 0
        return self._step_of(position, stop, found)

    def _add_sent(self, found: Sequence[Any]) -> None:
        for one in found:
            for what, size in one.bytes_sent.items():
                self.sent[what] = self.sent.get(what, 0) + size

    def _go_back(self, parameters: Parameters) -> None:
        """Let all nodes begin anew, from the newest state of which every bucket can be had."""
        self._there = NOWHERE
        self._keeper.abandon()
        for position in sorted(self._states, reverse=True):
            try:
                self._start_run(position, *self._states[position])
                return
            except LostError:
                if self._machines.lost():
                    raise
                del self._states[position]  # a bucket of it is nowhere any more
        self._start_run(self._here, [], [])
        self._copied_at = time.monotonic()
        self._fill(parameters)
        self._there = self._here

    def _start_run(self, position: Position, held: list[int], states: list[Any]) -> None:
        """Let all nodes take what they own from states that were ``held`` in any placement."""
        self._run, n = secrets.token_hex(8), self.nodes
        # Which owners follow which on each node.
        self._bounds = [k * self.owners // n for k in range(n + 1)]
        asked = []
        for k, (first, last) in enumerate(itertools.pairwise(self._bounds)):
            theirs = [
                state
                for state, (begin, end) in zip(states, itertools.pairwise(held), strict=False)
                if self.all_states or (begin < last and first < end)
            ]
            load = self._run, k, self._bounds, position, *theirs
            asked.append(self._machines.ask(k, "load", *load))
        self._machines.answers(asked)
        if states:
            self._there = position

    def _recover(self, error: LostError) -> None:
        """Replace what is lost."""
        self._there = NOWHERE
        while True:
            self._losses += 1
            if self._losses > MOST_LOSSES:
                raise ClusterError(
                    f"Nodes were lost {MOST_LOSSES} times without an episode in between, the last "
                    f"time as follows. {error}"
                ) from error
            try:
                self._keeper.recover()
                return
            except LostError as again:
                error = again

    @property
    @abstractmethod
    def owners(self) -> int:
        """Into how many shares the model is cut, for any number of nodes."""

    @property
    @abstractmethod
    def episode_length(self) -> int:
        """Positions of an episode."""

    @abstractmethod
    def _step_of(self, position: Position, stop: int, found: Sequence[Any]) -> Step:
        """What an episode came to on all nodes."""

    @abstractmethod
    def _fill(self, parameters: Parameters) -> None:
        """Give the nodes what the parameters hold."""

    @abstractmethod
    def _fetch(self, parameters: Parameters) -> None:
        """Write what the nodes have to the parameters."""


class BlockClusterEngine(ClusterEngine, SpreadEngine):
    """Trains in blocks, to the bytes of the block engine on one machine."""

    def __init__(self, config: TrainingConfig, text: Text, keeper: Keeper) -> None:
        ClusterEngine.__init__(self, keeper)
        SpreadEngine.__init__(self, config, text)
        self.whole = 0, self.bucket_rows

    @property
    def owners(self) -> int:
        """Buckets."""
        return buckets_of(self.config)

    @property
    def episode_length(self) -> int:
        """Tokens of an episode."""
        return self.episode_tokens

    def vectors(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the word vectors, (V, D), which are mapped from a temporary file."""
        weight = self.config.output_weight or 0.0
        return packed(parameters.W_in, weight, parameters.W_out)

    def _step_of(self, position: Position, stop: int, found: Sequence[Outcome]) -> Step:
        losses = np.concatenate([one.losses for one in found])
        loss = Loss(float(losses.sum()), sum(one.pairs for one in found))
        last = (buckets_of(self.config) - 0.5) / buckets_of(self.config)
        epoch, start = position
        return Step(start, stop, loss, self.rate_in(epoch, start, stop, last))

    def _fill(self, parameters: Parameters) -> None:
        """Give the nodes what the parameters hold, a range of words after the other."""
        deal, turn = self.deal(*self._here), self.first_turn(*self._here)
        filled: deque[list[Any]] = deque()
        for first, last in self._slices():
            asked = []
            for k, owners in enumerate(itertools.starmap(range, itertools.pairwise(self._bounds))):
                shape = len(owners), last - first, parameters.W_in_rows.shape[1]
                state = State(owners, *np.zeros((2, *shape), np.float32))
                for rows, words, matrix in self._places(parameters, state, deal, turn, first):
                    rows[:] = matrix[words]
                asked.append(self._machines.ask(k, "fill", first, state))
            parameters.release_pages()
            filled.append(asked)
            if len(filled) > 1:
                self._machines.answers(filled.popleft())
        for asked in filled:
            self._machines.answers(asked)

    def _fetch(self, parameters: Parameters) -> None:
        """Write what the nodes have to the parameters, a range of words after the other."""
        deal, turn = self.deal(*self._done), self.first_turn(*self._done)
        coming: deque[tuple[int, list[Any]]] = deque()
        for first, last in [*self._slices(), (self.bucket_rows, self.bucket_rows)]:
            if first < last:
                asked = [self._machines.ask(k, "state", first, last) for k in range(self.nodes)]
                coming.append((first, asked))
                if len(coming) < 2:
                    continue
            begin, asked = coming.popleft()
            for state in self._machines.answers(asked):
                for rows, words, matrix in self._places(parameters, state, deal, turn, begin):
                    matrix[words] = rows
            parameters.release_pages()

    @property
    def bucket_rows(self) -> int:
        """Rows of a bucket."""
        return -(-self.n_outputs // buckets_of(self.config))

    def _slices(self) -> Iterator[tuple[int, int]]:
        """Ranges of rows of all buckets, of few bytes: the words of each follow one another."""
        B, rows = buckets_of(self.config), self.bucket_rows
        size = max(1, SLICE_BYTES // (2 * B * 4 * row_floats(self.config.vector_size)))
        return ((first, min(first + size, rows)) for first in range(0, rows, size))

    @staticmethod
    def _places(
        parameters: Parameters, state: State, deal: Deal, turn: int, first: int
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]]:
        """Rows of a state, from row ``first`` of its buckets on; their words; a matrix."""
        for i, owner in enumerate(state.owners):
            target = (owner + turn) % len(deal.sizes)
            for bucket, rows, matrix in (
                (owner, state.W_in[i], parameters.W_in_rows),
                (target, state.W_out[i], parameters.W_out_rows),
            ):
                words = deal.words[bucket, first : min(first + len(rows), deal.sizes[bucket])]
                yield rows[: len(words)], words, matrix


class SoftmaxClusterEngine(ClusterEngine, SoftmaxEngine):
    """Trains the exact softmax of skip-gram, whose columns lie on the nodes.

    Both matrices and Adagrad's sums fit the memory here: every word is compared with every other,
    so there are not many.
    """

    all_states = True  # all inputs are on every node

    def __init__(self, config: TrainingConfig, text: Text, keeper: Keeper) -> None:
        V = self.length = len(text.vocabulary)
        ClusterEngine.__init__(self, keeper)
        SoftmaxEngine.__init__(self, config, V, rows_of_block(V))
        self._order, _ = columns_in_order(V)
        self._counted = False

    @property
    def owners(self) -> int:
        """Ranges of columns."""
        return ranges_of(self.length)

    @property
    def episode_length(self) -> int:
        """Centre words of an episode."""
        return BLOCKS_AN_EPISODE * self.block_rows

    def prepare(self, parameters: Parameters) -> None:
        """Let the nodes compile the kernels and count the pairs."""
        super().prepare(parameters)
        self._counted = False
        while not self._counted:
            try:
                self._start_run(self._here, [], [])
            except LostError as error:
                self._recover(error)

    def epoch(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the episodes of an epoch, in their order; see the protocol."""
        if start == 0:
            self.steps.begin_epoch()
        yield from super().epoch(parameters, epoch, start, pause)

    def validation(self, text: ValidationCorpus) -> Validation:
        """Return the measure of the exact loss on the expected pairs of a held-out text."""
        return CountsValidation(text, self.config, lambda: self.steps.offset)

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what ``state`` returned, before an epoch."""
        super().restore(state)
        self._done = self._here = NOWHERE

    def _recover(self, error: LostError) -> None:
        self._counted = False  # the columns of a lost node are nowhere any more
        super()._recover(error)

    def _start_run(self, position: Position, held: list[int], states: list[Any]) -> None:
        super()._start_run(position, held, states)
        if not self._counted:
            self._count()

    def _count(self) -> None:
        """Let all nodes count the pairs."""
        machines, n = self._machines, self.nodes
        asked = [machines.ask(k, "prepare", self._run) for k in range(n)]
        found: list[Counted] = machines.answers(asked, self._tell_counting)
        self._tell_counting()
        self._add_sent(found)
        self._counted = True
        if self._steps is None:
            self._steps = SoftmaxSteps(self.config, found[0].totals, self.block_rows)
            self._steps.restore(self._restored)

    def _tell_counting(self) -> None:
        with suppress(LostError):
            n = self.nodes
            asked = [self._machines.ask(k, "prepared", now=True) for k in range(n)]
            done: list[CountingProgress] = self._machines.answers(asked)
            words, pairs = min(one.words_done for one in done), sum(one.pairs for one in done)
            self._keeper.progress(CountingProgress(words, self.length, pairs))

    def _step_of(self, position: Position, stop: int, found: Sequence[ColumnOutcome]) -> Step:
        epoch, start = position
        loss = Loss(found[0].loss, found[0].pairs)
        squares = np.sum([one.squares for one in found], axis=0)  # each is of one node
        self.steps.add_to_norm(float(squares.sum()), loss.pairs)
        last = stop - 1 - (stop - 1) % self.block_rows  # where the last block begins
        rate = self.config.learning_rate_at((epoch + last / self.length) / self.config.epochs)
        return Step(start, stop, loss, rate)

    def _fill(self, parameters: Parameters) -> None:
        steps, all_words = self.steps, range(self.length)
        state = ColumnState(
            all_words, np.array(parameters.W_in), steps.sums_in,
            all_words, parameters.W_out[self._order], steps.sums_out[self._order],
        )  # fmt: skip
        told = self._machines.put(state)
        self._machines.answers([self._machines.ask(k, "fill", told) for k in range(self.nodes)])

    def _fetch(self, parameters: Parameters) -> None:
        asked = [self._machines.ask(k, "state") for k in range(self.nodes)]
        for state in self._machines.answers(asked):
            words = slice(state.words.start, state.words.stop)
            columns = self._order[state.columns.start : state.columns.stop]
            parameters.W_in[words], self.steps.sums_in[words] = state.W_in, state.sums_in
            parameters.W_out[columns], self.steps.sums_out[columns] = state.W_out, state.sums_out
