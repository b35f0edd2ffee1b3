"""The coordinator of a cluster: reads and trains with all nodes, and goes on when one is lost."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from wordgrad.cluster.node import (
    NOWHERE,
    PIECES_AN_EPISODE,
    Buckets,
    Outcome,
    Piece,
    Position,
    Read,
    Rows,
    Share,
    SpreadEngine,
    State,
    Text,
)
from wordgrad.cluster.softmax import (
    BLOCKS_AN_EPISODE,
    ColumnOutcome,
    Columns,
    ColumnState,
    Counted,
    columns_in_order,
    expected_on_node,
    ranges_of,
    store_bytes,
)
from wordgrad.corpus.corpus import (
    SPREAD,
    CorpusReport,
    EncodedCorpus,
    EncodedParts,
    Fingerprint,
    ValidationCorpus,
)
from wordgrad.corpus.encode import ReadingProgress
from wordgrad.corpus.sources import TextFile, are_paths, check_drivers, texts_of
from wordgrad.errors import (
    ClusterError,
    InputError,
    ParameterError,
)
from wordgrad.training.config import SETTINGS, TrainingConfig
from wordgrad.training.engine import (
    CountingProgress,
    Engine,
    Loss,
    Step,
    TrainingProgress,
    Validation,
)
from wordgrad.training.engines.blocks import (
    EPISODES_AN_EPOCH,
    Deal,
    buckets_of,
    check_buckets,
    pairs_of_token,
    tokens_of_episode,
)
from wordgrad.training.engines.softmax import (
    CountsValidation,
    SoftmaxEngine,
    SoftmaxSteps,
    check_budget,
    estimate,
    rows_of_block,
)
from wordgrad.training.kernels.blocks import MOST_ROWS
from wordgrad.training.parameters import Parameters, packed, row_floats
from wordgrad.training.sampling import reach_of
from wordgrad.vocabulary import Vocabulary

EPISODES_AT_ONCE = 2
"""Asked for ahead, so that no node waits for the coordinator."""

SECONDS_BETWEEN_STATES = 10.0
"""What a lost node costs at most, beside an episode; to copy states takes time, too."""

SLICE_BYTES = 16 << 20
"""Of both matrices, that go from or to the coordinator at a time."""

BUCKETS_A_THREAD, LEAST_WORDS = 4, 16
"""By default: while one bucket moves, the others are trained; and of each some words, from which
negatives are drawn."""

MOST_LOSSES = 3
"""Of nodes, without an episode that was done in between."""

MOST_BLOCKS = int(SETTINGS["blocks"].maximum or 0)


def cut_sentences(source: Any, column: str | None, n_nodes: int) -> list[Rows]:
    """Cut sentences in memory into pieces of as many."""
    texts = texts_of(source, column)
    items = texts if isinstance(texts, list) else list(texts)
    size = -(-len(items) // (n_nodes * EPISODES_AN_EPOCH * PIECES_AN_EPISODE))
    parts = (items[start : start + size] for start in range(0, len(items), max(size, 1)))
    return [Rows(part, len(part)) for part in parts]


def share(sizes: Sequence[float], n_nodes: int) -> list[int]:
    """Return the node of each piece: the one that has least to read so far.

    >>> share([4, 4, 4, 1, 1], 2)
    [0, 1, 0, 1, 1]
    """
    load = np.zeros(n_nodes)
    nodes = []
    for size in sizes:
        nodes.append(int(load.argmin()))
        load[nodes[-1]] += size
    return nodes


class LostError(ClusterError):
    """A node does not answer any more, or had to abandon what it did."""


class Machines(Protocol):
    """Nodes by number, and how to ask them; a reference stands for an answer to come.

    Attributes
    ----------
    threads : int
        Of each node.
    store : int or None
        Bytes that the smallest can hold for others, where there is a limit.
    """

    threads: int
    store: int | None

    def __len__(self) -> int:
        """How many nodes there are."""

    def ask(self, node: int, method: str, *args: Any, answers: int = 1, now: bool = False) -> Any:
        """Call a method of :class:`Node` after those before, or ``now``.

        References among the arguments are replaced by what they stand for.  With several
        ``answers`` a list of references is returned, one for each item.
        """

    def answers(self, references: Sequence[Any], wait: Callable[[], object] = ...) -> list[Any]:
        """Wait for all, or until the first fails; call ``wait`` now and then.

        Raises
        ------
        LostError
        """

    def put(self, value: Any) -> Any:
        """A reference to a value."""

    def lost(self) -> list[int]:
        """Numbers of the nodes that do not answer."""

    def replace(self, node: int) -> bool:
        """Put another in the place of a lost node, if there is one."""

    def remove(self, node: int) -> None:
        """Forget a node; those after it move up by one."""

    def close(self) -> None:
        """End all nodes."""


class SpreadCorpus(EncodedCorpus):
    """A text whose ids lie on the nodes of a cluster.

    Attributes
    ----------
    text : Text
    """

    def __init__(
        self,
        text: Text,
        report: CorpusReport,
        fingerprint: Fingerprint,
        counts: NDArray[np.int64],
    ) -> None:
        self.text, self.vocabulary, self.report = text, text.vocabulary, report
        self._fingerprint, self._counts = fingerprint, counts
        self.phrases = self._folder = None

    def fingerprint(self) -> Fingerprint:
        """Its ``text`` is a sum of hashes, for no machine reads all of it."""
        return self._fingerprint

    def word_counts(self) -> NDArray[np.int64]:
        """How often each word of the vocabulary is in this text."""
        return self._counts

    def release_pages(self) -> None:
        """Nothing is mapped here."""

    def close(self) -> None:
        """The nodes remove their files when they end."""

    def __len__(self) -> int:
        return self._fingerprint.sentences

    def __repr__(self) -> str:
        return f"SpreadCorpus({self.text.tokens} tokens, {len(self.vocabulary)} words)"


class Coordinator:
    """What a training does with a cluster: first :meth:`read`, then :meth:`engine`.

    Parameters
    ----------
    machines : Machines
    progress : callable, optional
        Receives :class:`~wordgrad.corpus.encode.ReadingProgress`.
    """

    def __init__(self, machines: Machines, progress: Callable[[Any], object] | None = None) -> None:
        self.machines = machines
        self._progress = progress
        self._engine: ClusterEngine | None = None
        self._begun: tuple[type[Share], TrainingConfig, Any]
        self._pieces: list[Piece] = []
        self._node_of: list[int] = []

    # ---------------------------------------------------------------- text

    def read(
        self,
        source: Any,
        *,
        min_count: int,
        max_vocab: int | None,
        vocabulary: Vocabulary | None,
        **options: Any,
    ) -> SpreadCorpus:
        """Read a text on all nodes and encode it, as one machine would.

        When a node is lost it is read again, by whoever is there.
        Parameters and errors are those of :func:`~wordgrad.corpus.corpus.encode_corpus`.

        Raises
        ------
        ClusterError
            If nodes are lost again and again, or all of them.
        """
        self._options = options
        losses = 0
        while True:
            try:
                if not self._pieces:
                    self._pieces = self._find(source, options["column"])
                return self._read(min_count, max_vocab, vocabulary)
            except LostError as error:
                losses += 1
                if losses > MOST_LOSSES:
                    raise ClusterError(
                        f"Nodes were lost {losses} times while the text was read, the last time "
                        f"as follows. {error}"
                    ) from error
            with suppress(LostError):  # of which the next call tells
                self._node_of = []
                self._replace_lost()
                machines = self.machines
                machines.answers([machines.ask(k, "forget") for k in range(len(machines))])

    def _read(
        self, min_count: int, max_vocab: int | None, vocabulary: Vocabulary | None
    ) -> SpreadCorpus:
        began, machines, n = time.perf_counter(), self.machines, len(self.machines)
        options = self._options
        sizes = [piece.size for piece in self._pieces]
        self._node_of = share(sizes, n)
        total = sum(sizes) if isinstance(self._pieces[0], TextFile) else None
        asked = [machines.ask(k, "count", self._of(k), options, n, answers=1 + n) for k in range(n)]
        reads: list[Read] = machines.answers([one[0] for one in asked], lambda: self._report(total))
        self._check_read(reads)
        least = 1 if vocabulary is not None else min_count
        merged = machines.answers(
            [machines.ask(k, "merge", least, *[one[1 + k] for one in asked]) for k in range(n)]
        )
        types_read = sum(types for _, _, types in merged)
        if vocabulary is None:
            words = [word for some, _, _ in merged for word in some]
            counts = np.concatenate([some for _, some, _ in merged])
            vocabulary = Vocabulary.from_counts(words, counts)
            if max_vocab is not None and max_vocab < len(vocabulary):
                vocabulary = Vocabulary(vocabulary.words[:max_vocab], vocabulary.counts[:max_vocab])
            self._check_words(vocabulary, reads, min_count, types_read)
        encoded, digest = self._encode(vocabulary)
        tokens, sentences = int(encoded.tokens.sum()), int(encoded.sentences.sum())
        if tokens < 2:
            raise InputError(
                f"Of the {sum(read.tokens for read in reads)} words of the text {tokens} are in "
                "the vocabulary, and at least two are needed; give text of the same kind, or more "
                "of it."
            )
        report = CorpusReport(
            files=len({piece.path for piece in self._pieces if isinstance(piece, TextFile)}),
            bytes_read=sum(read.bytes_read for read in reads),
            sentences_read=sum(read.sentences for read in reads),
            sentences_kept=sentences,
            tokens_read=sum(read.tokens for read in reads),
            tokens_kept=tokens,
            types_read=types_read,
            bytes_replaced=sum(read.replaced for read in reads),
            seconds=time.perf_counter() - began,
        )
        counts = vocabulary.counts
        if vocabulary.total != tokens:
            counts = np.sum(
                machines.answers([machines.ask(k, "word_counts") for k in range(n)]), axis=0
            )
        fingerprint = Fingerprint(
            tokens,
            sentences,
            len(vocabulary),
            Fingerprint.of_words(vocabulary),
            f"{SPREAD}{digest:016x}",
        )
        self._text = Text(vocabulary, tokens, encoded.longest, 0)
        return SpreadCorpus(self._text, report, fingerprint, counts)

    @property
    def files(self) -> list[Path]:
        """The files of the text, in their order; none where it was in memory."""
        return list(
            dict.fromkeys(piece.path for piece in self._pieces if isinstance(piece, TextFile))
        )

    def _find(self, source: Any, column: str | None) -> list[Piece]:
        """Pieces of a source; those of files are found by a node, which sees them."""
        machines, n = self.machines, len(self.machines)
        rows: list[Rows] | None = None
        if hasattr(source, "to_arrow_refs"):  # a data set of Ray
            rows = [Rows(one, 1, column) for one in source.to_arrow_refs()]
        elif not are_paths(source):
            rows = cut_sentences(source, column, n)
        if rows is not None:
            if not rows:
                raise InputError("There are no sentences in what was given; give some.")
            return list(rows)
        check_drivers(source)
        for k in range(n):
            self._named_answer(k, "check_drivers", source)
        pieces = self._named_answer(0, "find", source, n)
        missing = machines.answers([machines.ask(k, "unseen", pieces) for k in range(n)])
        for k, path in enumerate(missing):
            if path is not None:
                raise InputError(
                    f"Node {k + 1} of {n} does not see {path} as the first one does; put the text "
                    "on storage that all nodes share, at the same path."
                )
        if column is not None and all(piece.format == "text" for piece in pieces):
            raise ParameterError(
                "column is for .jsonl, .csv, .tsv and .parquet files alone, and for tables in "
                f"memory, got {column!r} for text without columns; leave it out."
            )
        return list(pieces)

    def _named_answer(self, node: int, method: str, *args: Any) -> Any:
        """Ask a node, which is named where it refuses."""
        try:
            (answer,) = self.machines.answers([self.machines.ask(node, method, *args)])
        except InputError as error:
            raise InputError(f"On node {node + 1} of {len(self.machines)}: {error}") from error
        return answer

    def _of(self, node: int) -> list[Piece]:
        return [
            piece for piece, owner in zip(self._pieces, self._node_of, strict=True) if owner == node
        ]

    def _report(self, total: int | None) -> None:
        if self._progress is not None:
            with suppress(LostError):
                n = len(self.machines)
                done = self.machines.answers(
                    [self.machines.ask(k, "progress", now=True) for k in range(n)]
                )
                read = sum(one for one, _ in done)
                self._progress(
                    ReadingProgress(read, total, sum(one for _, one in done), f"{n} nodes")
                )

    def _check_read(self, reads: Sequence[Read]) -> None:
        if not sum(read.tokens for read in reads):
            raise InputError(f"There are no tokens in {self._name}; check that it is not empty.")

    @property
    def _name(self) -> str:
        files = [piece for piece in self._pieces if isinstance(piece, TextFile)]
        return f"{files[0].path} and what comes with it" if files else "the sentences given"

    def _check_words(
        self, vocabulary: Vocabulary, reads: Sequence[Read], min_count: int, types: int
    ) -> None:
        if len(vocabulary) < 2:
            tokens = sum(read.tokens for read in reads)
            raise InputError(
                f"In {self._name} {len(vocabulary)} words reach min_count={min_count} ({tokens} "
                f"tokens of {types} types were read); a vocabulary needs at least two words: lower "
                "min_count, or give more text."
            )

    def _encode(self, vocabulary: Vocabulary) -> tuple[EncodedParts, int]:
        """Encode on all nodes; find where each piece begins, and tell them."""
        machines, n = self.machines, len(self.machines)
        told = machines.put(vocabulary)
        found = machines.answers([machines.ask(k, "encode", told) for k in range(n)])
        tokens, sentences = np.zeros((2, len(self._pieces)), np.int64)
        for k, (one,) in enumerate(found):
            mine = np.array(self._node_of) == k
            tokens[mine], sentences[mine] = one.tokens, one.sentences
        self._tokens = tokens
        self._starts = np.cumsum(tokens) - tokens
        digests = machines.answers(
            [
                machines.ask(k, "place", [self._starts[np.array(self._node_of) == k]])
                for k in range(n)
            ]
        )
        longest = max(one.longest for (one,) in found)
        self._vocabulary = told
        return EncodedParts(tokens, sentences, longest), sum(digests) % (1 << 64)

    # ---------------------------------------------------------------- training

    def blocks(self, config: TrainingConfig, n_words: int) -> int | None:
        """How many buckets to deal words to, by default some for each thread; none of a softmax."""
        if config.blocks is not None or config.loss == "softmax":
            return config.blocks
        threads = len(self.machines) * self.machines.threads
        n = min(BUCKETS_A_THREAD * threads, n_words // LEAST_WORDS, MOST_BLOCKS)
        n = max(len(self.machines), n)
        return -(-n_words // (n * MOST_ROWS)) * n

    def progress(self, record: Any) -> None:
        """Pass a record on, with what is to be told of the cluster."""
        if self._progress is not None:
            if isinstance(record, TrainingProgress) and self._engine is not None:
                n, sent = len(self.machines), self._engine.sent
                record = replace(record, nodes=n, bytes_sent=sum(sent.values()))
            self._progress(record)

    def engine(self, config: TrainingConfig, hook: object = None) -> Engine:
        """The engine that trains on what was read; a hook may change parameters between epochs."""
        if config.loss == "softmax":
            return self._softmax_engine(config, hook)
        counts = self._text.vocabulary.counts
        n_buckets = buckets_of(config)
        check_buckets(len(counts), config)
        if n_buckets < len(self.machines):
            raise ParameterError(
                f"blocks must be at least the number of nodes ({len(self.machines)}), got "
                f"{n_buckets}; each node needs a bucket."
            )
        text = self._text
        reach = reach_of(config, text.stub())
        tokens = tokens_of_episode(counts, text.tokens, reach, config)
        n = len(self.machines)
        buckets = -(-len(counts) // n_buckets) * 4 * row_floats(config.vector_size)
        # Copies of three states of a node and of the one before it, rows on their way; and pairs,
        # those that a node has sent and those that came, 4 bytes each.
        pairs = tokens * pairs_of_token(counts, reach, config)
        self._check_store(7 * 2 * -(-n_buckets // n) * buckets + 2 * 4 * pairs / n)
        text = Text(text.vocabulary, text.tokens, text.longest, tokens)
        self._begun = Buckets, config, self.machines.put(text)
        engine = self._engine = BlockClusterEngine(config, text, self)
        engine.reload = hook is not None
        return engine

    def _softmax_engine(self, config: TrainingConfig, hook: object) -> Engine:
        machines, n, V = self.machines, len(self.machines), len(self._text.vocabulary)
        if n > ranges_of(V):
            raise ParameterError(
                f"nodes must be at most {ranges_of(V)} for the exact softmax of {V} words, got "
                f"{n}; each node needs some of them."
            )
        asked = [machines.ask(k, "resources", config.vector_size) for k in range(n)]
        memory, speeds = zip(*machines.answers(asked), strict=True)
        of_node = expected_on_node(config, V, n, sum(speeds))
        check_budget(config, V, of_node, min(memory), f"on each of {n} nodes")
        here = estimate(config, V, 0, 0, 1.0)  # to decompose the scores at the end
        check_budget(config, V, here)
        self._check_store(store_bytes(config, V, n))
        self._begun = Columns, config, machines.put(self._text)
        engine = self._engine = SoftmaxClusterEngine(config, self._text, self)
        engine.reload = hook is not None
        return engine

    def parameters(self, config: TrainingConfig) -> Parameters:
        """What a training begins with, in files, so that it need not fit the memory here."""
        V = len(self._text.vocabulary)
        return Parameters.initial(V, V, config.vector_size, config.seed, mapped=True)

    def _check_store(self, needed: float) -> None:
        """Refuse what would not fit the object stores, of which Ray would make files."""
        n, V = len(self.machines), len(self._text.vocabulary)
        store = self.machines.store
        if store is not None and needed > store:
            raise ClusterError(
                f"Ray's object stores must hold {needed / 2**20:,.0f} MiB on each of {n} nodes for "
                f"{V:,} words, and the smallest has {store >> 20:,}; start Ray with "
                "--object-store-memory=BYTES, take more nodes, or lower vector_size or max_vocab."
            )

    def begin(self, nodes: Sequence[int]) -> None:
        """Let nodes get ready to train."""
        machines = self.machines
        machines.answers([machines.ask(k, "begin", *self._begun) for k in nodes])

    def abandon(self) -> None:
        """Let no node wait for another any more."""
        machines = self.machines
        for told in [machines.ask(k, "abandon", now=True) for k in range(len(machines))]:
            with suppress(LostError):
                machines.answers([told])

    def recover(self) -> None:
        """Replace lost nodes, or share out what they had.

        Raises
        ------
        ClusterError
            If no node is left, or a text is not what it was.
        """
        self._adopt(self._replace_lost())
        self.begin(range(len(self.machines)))

    def _replace_lost(self) -> dict[int, list[int]]:
        """Replace lost nodes, or forget them; return which pieces each has to read for them."""
        machines = self.machines
        self.abandon()
        orphans: dict[int, list[int]] = {}
        for node in sorted(machines.lost(), reverse=True):
            theirs = [i for i, owner in enumerate(self._node_of) if owner == node]
            if machines.replace(node):
                orphans[node] = theirs
                continue
            if len(machines) == 1:
                raise ClusterError(
                    "The cluster's last node is lost; start it again, and resume from the last "
                    "checkpoint."
                )
            machines.remove(node)
            self._node_of = [owner - (owner > node) for owner in self._node_of]
            orphans = {owner - (owner > node): pieces for owner, pieces in orphans.items()}
            new = share([float(self._pieces[i].size) for i in theirs], len(machines))
            for i, owner in zip(theirs, new, strict=True):
                self._node_of[i] = owner
                orphans.setdefault(owner, []).append(i)
        return {node: sorted(pieces) for node, pieces in orphans.items()}

    def _adopt(self, orphans: dict[int, list[int]]) -> None:
        """Let nodes read pieces that others had."""
        machines = self.machines
        asked = [
            machines.ask(node, "count", [self._pieces[i] for i in pieces], self._options, 0)
            for node, pieces in orphans.items()
        ]
        asked += [machines.ask(node, "encode", self._vocabulary) for node in orphans]
        found = machines.answers(asked)[len(orphans) :]
        for (node, pieces), answer in zip(orphans.items(), found, strict=True):
            if not np.array_equal(answer[-1].tokens, self._tokens[pieces]):
                raise ClusterError(
                    f"A node is lost, and its text ({self._pieces[pieces[0]].name}, for one) is "
                    "not what it was; put it back, and resume from the last checkpoint."
                )
            machines.answers([machines.ask(node, "place", [self._starts[pieces]])])

    def close(self) -> None:
        """End all nodes."""
        self.machines.close()


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

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._machines = coordinator.machines
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
            self._coordinator.begin(range(self.nodes))
        except LostError:
            self._coordinator.recover()

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
        self._coordinator.abandon()
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
                self._coordinator.recover()
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

    def __init__(self, config: TrainingConfig, text: Text, coordinator: Coordinator) -> None:
        ClusterEngine.__init__(self, coordinator)
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

    def __init__(self, config: TrainingConfig, text: Text, coordinator: Coordinator) -> None:
        V = self.length = len(text.vocabulary)
        ClusterEngine.__init__(self, coordinator)
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
            self._coordinator.progress(CountingProgress(words, self.length, pairs))

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
