"""Blocks of the two matrices, no two of which that are trained at once share a row.

Words are dealt to B buckets, and the parameters with them.  In an *episode* (a quarter of an epoch,
or as much as :data:`MOST_PAIRS` says) the windows of a piece of text are drawn and their pairs
sorted by the bucket of the context word, the *owner*, and by that of the target.  Then the buckets
of ``W_out`` go round: in turn t owner a trains the pairs whose target is in bucket a + t (mod B),
with negatives from that bucket.
All owners of a turn may work at once, on as many threads, or machines, as there are, and nothing is
ever averaged.  Turns follow one another from a random one on, so that a bucket of ``W_out`` goes
from one owner to the next: between machines (:mod:`wordgrad.cluster`) one bucket moves a turn.
The next episode deals the words anew, so that every two words can be negatives of one another.

Words are dealt in order of frequency, B at a time, each group at random: buckets of equal sizes and
like masses.  The pairs of a block that share their target are gathered in windows of at most
:data:`CONTEXTS` context words, in random order, which take the same exact steps as any window.
For skip-gram such a window is the sum of its pairs' losses, as it always is.  For CBOW it is one
example: the mean of words of one bucket that were near the target, each once, if not all in one
place.  The words of a window as drawn lie in as many buckets, and to add up their sums between
machines would move a vector for each.

Windows that follow one another are taken in *lots* of at most :data:`MOST_TOGETHER`, which have the
same negatives.  None of these is a target of the lot, and the step of a lot is the sum of the
exact steps of its windows, all at the same parameters.

What is learned depends on B and the seed, and not on timing nor on the number of threads: the same
bytes for any number.  Next to the default engine three things differ: negatives come from a bucket
(and a word's share of the noise from its share of its bucket's) and serve a lot, windows are made
of pairs that were near one another in an episode and not in a sentence, and pairs are taken in
another order.

Sources: the partition is that of Ordentlich et al. 2016 (by rows, not columns), Zhu et al. 2019
(*GraphVite*) and Lerer et al. 2019 (*PyTorch-BigGraph*), who go through blocks in the same way.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.errors import ParameterError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss, ProgressCallback, Step
from wordgrad.training.engines.negative_sampling import NegativeSamplingEngine
from wordgrad.training.kernels.blocks import (
    MOST_ROWS,
    copy_rows,
    count_pairs,
    gather,
    list_windows,
    train_block,
    write_pairs,
)
from wordgrad.training.kernels.draw import Reach
from wordgrad.training.kernels.window import MOST_TOGETHER, Workspace
from wordgrad.training.parameters import Parameters, row_floats
from wordgrad.training.sampling import (
    AliasTable,
    Batch,
    SamplingTables,
    Span,
    first_sentence,
    keep_probabilities,
)

EPISODES_AN_EPOCH = 4
"""At least so many, so that words meet negatives of several buckets in a small text, too."""

MOST_PAIRS = 1 << 24
"""Pairs of an episode, as expected: no more than that, or than take the memory of both matrices (4
bytes a pair).  The longer an episode the more pairs of a block share their target, and the less
often all words are dealt anew and all of ``W_out`` goes round."""

UNITS, UNIT_TOKENS = 32, 1 << 20
"""Pieces of an episode that threads draw pairs from, and their most tokens: what a thread needs to
draw grows with them."""

CONTEXTS = {"skipgram": 6, "cbow": 3}
"""Most context words of a window.  For skip-gram the mean of the default engine's with window=5.
The mean of words that were not next to one another says less, so that CBOW makes do with fewer."""

CONTEXTS_OF_A_LOT = 12
"""Most context words of windows that are trained together."""

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Deal:
    """Words dealt to buckets.

    Attributes
    ----------
    bucket_of : int32 (V,)
        Word w has row ``w // B`` of its bucket.
    words : int32 (B, rows)
        The word of each row; the last row of a bucket may be empty, and is -1.
    sizes : int64 (B,)
        Rows of each bucket.
    noise : int32 (B, rows, 2)
        Alias table of each bucket, as in :class:`~wordgrad.training.sampling.SamplingTables`.
    """

    bucket_of: NDArray[np.int32]
    words: NDArray[np.int32]
    sizes: NDArray[np.int64]
    noise: NDArray[np.int32]

    @classmethod
    def of(cls, noise: NDArray[np.float64], n_buckets: int, key: int) -> Deal:
        """Deal words, the most frequent first, whose probabilities as noise are given.

        >>> deal = Deal.of(np.full(7, 1 / 7), 2, key=3)
        >>> sorted(deal.words[0].tolist() + deal.words[1].tolist())
        [-1, 0, 1, 2, 3, 4, 5, 6]
        >>> [sorted(deal.bucket_of[[2 * r, 2 * r + 1]].tolist()) for r in range(3)]
        [[0, 1], [0, 1], [0, 1]]
        """
        n_words = len(noise)
        rows = -(-n_words // n_buckets)
        draw = np.random.default_rng([key])
        # Row r of all buckets: the words r B to (r + 1) B, each in the bucket that it is dealt to.
        dealt = draw.permuted(np.tile(np.arange(n_buckets), (rows, 1)), axis=1).reshape(-1)
        bucket_of = dealt[:n_words].astype(np.int32)
        words = np.full((n_buckets, rows), -1, np.int32)
        ids = np.arange(n_words, dtype=np.int32)
        words[bucket_of, ids // n_buckets] = ids
        sizes = np.bincount(bucket_of, minlength=n_buckets)
        tables = np.zeros((n_buckets, rows, 2), np.int32)
        for bucket, size in enumerate(sizes.tolist()):
            share = noise[words[bucket, :size]]
            total = share.sum()
            # Of an extreme exponent nothing may be left in float64: then all words are alike.
            share = share / total if total > 0 else np.full(size, 1 / size)
            table = AliasTable.from_probabilities(share)
            tables[bucket, :size, 0] = table.threshold.view(np.int32)
            tables[bucket, :size, 1] = table.alias
        return cls(bucket_of, words, sizes, tables)


class BlockEngine(NegativeSamplingEngine):
    """Skip-gram and CBOW with negative sampling by blocks of ``config.blocks`` buckets a matrix.

    Parameters
    ----------
    config : TrainingConfig
    tables : SamplingTables, optional
    episode_tokens : int
        An episode's, from the beginning of each epoch on.
    """

    def __init__(
        self,
        config: TrainingConfig,
        tables: SamplingTables | None = None,
        episode_tokens: int = 1,
    ) -> None:
        super().__init__(config, tables)
        self.episode_tokens = episode_tokens

    @classmethod
    def from_corpus(
        cls,
        corpus: EncodedCorpus,
        config: TrainingConfig,
        progress: ProgressCallback | None = None,
    ) -> Self:
        """Return an engine that trains on a corpus.

        Raises
        ------
        ParameterError
            If a bucket would hold less than two words, of which one could not be a negative.
        """
        counts = corpus.vocabulary.counts
        check_buckets(len(counts), config)
        tables = SamplingTables(corpus, config)
        return cls(config, tables, tokens_of_episode(counts, len(corpus.ids), tables.reach, config))

    def episode_key(self, epoch: int, start: int) -> int:
        """Key of the random numbers of an episode, but of those that decide about tokens.

        Those are the numbers of every engine.
        """
        return (~self.tables.key(epoch) + _GOLDEN * (1 + start)) & _MASK

    def deal(self, epoch: int, start: int) -> Deal:
        """How words are dealt in an episode."""
        return Deal.of(self.noise, buckets_of(self.config), self.episode_key(epoch, start))

    def first_turn(self, epoch: int, start: int) -> int:
        """The turn that an episode begins with."""
        draw = np.random.default_rng([self.episode_key(epoch, start), 1])
        return int(draw.integers(buckets_of(self.config)))

    def rate_in(self, epoch: int, start: int, stop: int, share: float) -> float:
        """Learning rate when a share of an episode is done."""
        done = start + share * (stop - start)
        progress = (epoch + done / self.length) / self.config.epochs
        return self.config.learning_rate_at(progress)

    def locate(self, position: int) -> tuple[int, int, int]:
        """Where the text at a position of it lies: addresses of its ids and offsets, a sentence.

        Kernels load token ``position`` from ``ids + 4 position``, whatever lies before it.
        """
        tables = self.tables
        sentence, _ = first_sentence(tables, Span(position, position, 0, 0.0))
        return tables.ids.ctypes.data, tables.offsets.ctypes.data, sentence

    @property
    def unit_tokens(self) -> int:
        """Most tokens of a unit of drawing."""
        return min(-(-min(self.episode_tokens, self.length) // UNITS), UNIT_TOKENS)

    @cached_property
    def noise(self) -> NDArray[np.float64]:
        """Probability of each word as noise."""
        noise = self.tables.noise
        threshold = np.ascontiguousarray(noise[:, 0]).view(np.uint32)
        return AliasTable(threshold, noise[:, 1]).probabilities()

    def prepare(self, parameters: Parameters) -> None:
        """Compile the kernels (or load them from the cache) on throw-away parameters."""
        parameters.check_rows(self.config.vector_size, self.n_inputs, self.n_outputs)
        spare = Parameters.zeros(self.n_inputs, self.n_outputs, self.config.vector_size)
        worker = BlockWorker(self)
        for phase in self._phases(spare, 0, 0, threading.Event(), stop=1):
            for piece in () if isinstance(phase, Step) else phase:
                piece(worker)

    def epoch(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the episodes of an epoch, in their order; see the protocol.

        All threads wait for one another between the phases of an episode: the drawing of pairs and
        dealing of rows, each turn of the buckets, and the return of the rows.  In a phase they take
        pieces of work as they come.
        """
        parameters.check_rows(self.config.vector_size, self.n_inputs, self.n_outputs)
        n_threads = min(self.config.threads, max(buckets_of(self.config), UNITS))
        workers = [BlockWorker(self) for _ in range(n_threads)]
        with ThreadPoolExecutor(n_threads, "wordgrad-blocks") as pool:
            for phase in self._phases(parameters, epoch, start, pause):
                if isinstance(phase, Step):
                    yield phase
                else:
                    hand_out(phase, workers, pool)

    def _phases(
        self,
        parameters: Parameters,
        epoch: int,
        start: int,
        pause: threading.Event,
        stop: int | None = None,
    ) -> Iterator[list[partial[Any]] | Step]:
        """Pieces of work that threads may do at once; after an episode its step."""
        n_buckets, stop = buckets_of(self.config), self.length if stop is None else stop
        owners, rows = range(n_buckets), -(-self.n_outputs // n_buckets)
        dealt = Parameters.zeros(n_buckets * rows, n_buckets * rows, self.config.vector_size)
        W_in = dealt.W_in_rows.reshape(n_buckets, rows, -1)
        W_out = dealt.W_out_rows.reshape(W_in.shape)
        for begin in range(start, stop, self.episode_tokens):
            if pause.is_set():
                return
            episode = Episode(self, epoch, begin, min(begin + self.episode_tokens, stop))
            move = [
                partial(
                    BlockWorker.copy,
                    words=episode.words(bucket),
                    matrix=matrix,
                    bucket=buckets[bucket],
                )
                for matrix, buckets in (
                    (parameters.W_in_rows, W_in),
                    (parameters.W_out_rows, W_out),
                )
                for bucket in owners
            ]
            yield [*episode.drawing(), *move]
            episode.end_drawing()
            for place, turn in enumerate(episode.turns):
                episode.set_rate((place + 0.5) / n_buckets)
                yield [
                    partial(
                        BlockWorker.train,
                        episode=episode,
                        turn=turn,
                        owner=owner,
                        W_in=W_in[owner],
                        W_out=W_out[(owner + turn) % n_buckets],
                    )
                    for owner in owners
                ]
            yield [partial(piece, back=True) for piece in move]
            yield episode.step()


def hand_out(
    pieces: Iterable[Callable[[BlockWorker], object]],
    workers: Sequence[BlockWorker],
    pool: Executor,
) -> None:
    """Let workers do pieces of work, each the next that is left; return when all are done.

    If one fails, or somebody interrupts, no other piece is begun.
    """
    left, lock, ended = iter(pieces), threading.Lock(), threading.Event()

    def work(worker: BlockWorker) -> None:
        try:
            while not ended.is_set():
                with lock:
                    piece = next(left, None)
                if piece is None:
                    return
                piece(worker)
        except BaseException:
            ended.set()
            raise

    if len(workers) == 1:
        work(workers[0])
        return
    try:
        for done in [pool.submit(work, worker) for worker in workers]:
            done.result()
    finally:
        ended.set()


class Episode:
    """A piece of text, its deal and its pairs.

    Attributes
    ----------
    deal : Deal
    turns : list of int
        In their order.
    spans : list of (int, int)
        Units of drawing: where each begins and ends in the text, rising.
    owners : range
        Those whose pairs are here: all, but on a machine among several.
    pairs : list of uint32 arrays
        Of each unit, sorted by slot.
    edges : int64 (units, owners B + 1)
        Where each slot's begin and end: slot ``owner * B + turn``, counted from the first owner's.
    bases : int64 (units,)
        Addresses of the pairs.
    sizes : list of int
        Pairs of each slot, once all are drawn.
    losses : float64 (owners B,)
        Of each slot.
    n_windows : int64 (owners B,)
        Of each slot, that are trained.
    learning_rate : float
    """

    def __init__(
        self,
        engine: BlockEngine,
        epoch: int,
        start: int,
        stop: int,
        spans: list[tuple[int, int]] | None = None,
        deal: Deal | None = None,
    ) -> None:
        config = engine.config
        self.n_buckets = buckets_of(config)
        self.start, self.stop, self.epoch = start, stop, epoch
        self.key = engine.episode_key(epoch, start)
        self.deal = engine.deal(epoch, start) if deal is None else deal
        first = engine.first_turn(epoch, start)
        self.turns = [(first + place) % self.n_buckets for place in range(self.n_buckets)]
        self.spans = cut(start, stop, engine.unit_tokens) if spans is None else spans
        self.owners = range(self.n_buckets)
        self.pairs: list[NDArray[np.uint32]] = [np.empty(0, np.uint32)] * len(self.spans)
        self.edges = np.zeros((len(self.spans), self.n_buckets**2 + 1), np.int64)
        self.bases = np.zeros(len(self.spans), np.int64)
        self.sizes: list[int] = []
        self.losses = np.zeros(self.n_buckets**2)
        self.n_windows = np.zeros(self.n_buckets**2, np.int64)
        self.learning_rate = config.initial_rate
        self._engine = engine

    def words(self, bucket: int) -> NDArray[np.int32]:
        """Return the words of a bucket, in the order of its rows."""
        return self.deal.words[bucket, : self.deal.sizes[bucket]]

    def drawing(self) -> list[partial[Any]]:
        """The drawing of all units."""
        units = range(len(self.spans))
        return [partial(BlockWorker.draw, episode=self, unit=unit) for unit in units]

    def end_drawing(self) -> None:
        """Count the pairs of every slot."""
        self.sizes = np.diff(self.edges).sum(axis=0).tolist()

    def set_rate(self, share: float) -> None:
        """Set the learning rate for a share of the episode that is done."""
        self.learning_rate = self._engine.rate_in(self.epoch, self.start, self.stop, share)

    def slot(self, turn: int, owner: int) -> int:
        """Place of a block among those that are here."""
        return (owner - self.owners.start) * self.n_buckets + turn

    def block_key(self, turn: int, owner: int) -> np.uint64:
        """Key of the random numbers of a block."""
        slot = owner * self.n_buckets + turn
        return np.uint64((self.key + (slot + 1) * 0xBF58476D1CE4E5B9) & _MASK)

    @property
    def n_pairs(self) -> int:
        """How many input vectors have predicted something here."""
        skipgram = self._engine.config.architecture == "skipgram"
        return int(self.edges[:, -1].sum() if skipgram else self.n_windows.sum())

    def step(self) -> Step:
        """What the episode has come to."""
        loss = Loss(float(self.losses.sum()), self.n_pairs)
        return Step(self.start, self.stop, loss, self.learning_rate)


class BlockWorker:
    """What one thread has of its own."""

    def __init__(self, engine: BlockEngine) -> None:
        config = engine.config
        self._config, self._engine = config, engine
        self._most_contexts = CONTEXTS[config.architecture]
        unit_tokens = engine.unit_tokens
        self._workspace = Workspace(
            window_rows=max(2 * engine.most_reach, CONTEXTS_OF_A_LOT),
            most_outputs=MOST_TOGETHER + config.negative,
            negative=config.negative,
            n_floats=row_floats(config.vector_size),
            span_tokens=unit_tokens,
            combine=config.combine,
            cbow_step=config.cbow_step,
        )
        self._places = np.empty(
            2 * unit_tokens + 4 * engine.most_reach + 2 * self._most_contexts + 4, np.int64
        )
        rows = -(-engine.n_outputs // buckets_of(config))
        self._together = self._workspace.together()
        self._at = np.empty(max(rows, buckets_of(config) ** 2) + 1, np.int64)
        self._contexts = np.empty(0, np.int32)
        self._windows = np.empty(0, np.int64)

    def copy(
        self,
        words: NDArray[np.int32],
        matrix: NDArray[np.float32],
        bucket: NDArray[np.float32],
        back: bool = False,
    ) -> None:
        """Copy the rows of a bucket's words to where the bucket lies, or back."""
        copy_rows(words, matrix.ctypes.data, bucket.ctypes.data, matrix.shape[1], back)

    def draw(self, episode: Episode, unit: int) -> None:
        """Draw and sort the pairs of a unit."""
        tables, n_buckets = self._engine.tables, episode.n_buckets
        start, stop = episode.spans[unit]
        edges = episode.edges[unit]
        found = count_pairs(
            *self._engine.locate(start), start, stop, np.uint64(tables.key(episode.epoch)),
            tables.keep.ctypes.data, tables.reach,
            episode.deal.bucket_of, n_buckets, self._places, edges, self._workspace.addresses,
        )  # fmt: skip
        pairs = np.empty(int(edges[-1]), np.uint32)
        at = self._at[: len(edges)]
        at[:] = edges
        write_pairs(
            self._places, *found, tables.reach, n_buckets, at, pairs, self._workspace.addresses
        )
        episode.pairs[unit] = pairs
        episode.bases[unit] = pairs.ctypes.data

    def train(
        self,
        episode: Episode,
        turn: int,
        owner: int,
        W_in: NDArray[np.float32],
        W_out: NDArray[np.float32],
    ) -> None:
        """Train on the pairs whose context word is the owner's, and whose target the turn's.

        W_in, W_out : float32 (rows, P), the rows of the owner's bucket and of the target's, each
            of which starts on a 64-byte boundary.
        """
        slot, target = self._gather(episode, turn, owner)
        deal, workspace = episode.deal, self._workspace
        workspace.set_learning_rate(episode.learning_rate)
        train_block(
            self._windows, self._n_windows, self._contexts, deal.sizes[target],
            deal.noise[target].ctypes.data, episode.block_key(turn, owner), CONTEXTS_OF_A_LOT,
            W_in.ctypes.data, W_out.ctypes.data, W_in.shape[1],
            self._config.architecture == "skipgram", self._together, workspace.addresses,
        )  # fmt: skip
        episode.losses[slot], episode.n_windows[slot] = workspace.loss[0], self._n_windows

    def windows(self, episode: Episode, turn: int, owner: int) -> tuple[Batch, NDArray[np.int64]]:
        """The windows that :meth:`train` trains on, and the first one of each lot."""
        slot, target = self._gather(episode, turn, owner)
        n, deal = self._n_windows, episode.deal
        inputs, offsets = np.empty(episode.sizes[slot], np.int32), np.empty(n + 1, np.int64)
        outputs = np.empty((n, 1 + self._config.negative), np.int32)
        firsts = np.empty(n, np.int64)
        n_lots = list_windows(
            self._windows, n, self._contexts, deal.sizes[target], deal.noise[target].ctypes.data,
            episode.block_key(turn, owner), CONTEXTS_OF_A_LOT, inputs, offsets, outputs,
            firsts,
        )  # fmt: skip
        batch = Batch.from_windows(
            deal.words[owner][inputs],
            offsets,
            deal.words[target][outputs],
            architecture=self._config.architecture,
        )
        return batch, firsts[:n_lots]

    def _gather(self, episode: Episode, turn: int, owner: int) -> tuple[int, int]:
        """Make the windows of a block; return its slot and the bucket of its targets."""
        slot = episode.slot(turn, owner)
        target = (owner + turn) % episode.n_buckets
        size = episode.sizes[slot]
        if size > len(self._contexts):
            self._contexts = np.empty(size + size // 4, np.int32)
            self._windows = np.empty(size + size // 4, np.int64)
        self._n_windows = gather(
            episode.bases, episode.edges, slot, episode.deal.sizes[target], self._most_contexts,
            ~episode.block_key(turn, owner), self._at, self._contexts, self._windows,
        )  # fmt: skip
        return slot, target


def check_buckets(n_words: int, config: TrainingConfig) -> None:
    """Raise :class:`ParameterError` unless buckets hold two words at least, and not too many."""
    n_buckets = buckets_of(config)
    if n_words < 2 * n_buckets:
        raise ParameterError(
            f"blocks must be at most {n_words // 2}, half of the {n_words} words of "
            f"the vocabulary, got {n_buckets}; a bucket needs two words at least."
        )
    if -(-n_words // n_buckets) > MOST_ROWS:
        raise ParameterError(
            f"blocks must be at least {-(-n_words // MOST_ROWS)} for {n_words} words, "
            f"got {n_buckets}; a bucket holds at most {MOST_ROWS} of them."
        )


def pairs_of_token(counts: NDArray[np.int64], reach: Reach, config: TrainingConfig) -> float:
    """How many pairs are to be expected of a token."""
    kept = float(counts @ keep_probabilities(counts, config.sample)) / counts.sum()
    return float(kept * 2 * reach.mean)


def tokens_of_episode(
    counts: NDArray[np.int64], tokens: int, reach: Reach, config: TrainingConfig
) -> int:
    """How many tokens of a text make an episode, on whatever machines."""
    most = max(MOST_PAIRS, 2 * len(counts) * row_floats(config.vector_size))
    of_memory = math.ceil(most / pairs_of_token(counts, reach, config))
    return max(1, min(-(-tokens // EPISODES_AN_EPOCH), of_memory))


def cut(start: int, stop: int, size: int) -> list[tuple[int, int]]:
    """Cut a piece of text into parts of at most ``size`` tokens.

    >>> cut(3, 10, 3)
    [(3, 6), (6, 9), (9, 10)]
    """
    return [(first, min(first + size, stop)) for first in range(start, stop, size)]


def buckets_of(config: TrainingConfig) -> int:
    """Return the number of buckets, never None."""
    return int(config.blocks or 1)
