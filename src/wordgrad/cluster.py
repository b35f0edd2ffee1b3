"""Training on several machines: Ray starts, places and watches them, and carries what they send.

*Node*: what one machine holds and does: its parts of the text, its buckets of the model.
*Coordinator*: reads and trains with all of them, and goes on when one is lost.
*RayMachines*: the only home of Ray.  Nothing else knows what carries a call from one to the other.

Nothing here is imported unless a cluster is asked for, and Ray not before it is connected to.

Text
----
A text is cut into parts that begin and end with a sentence, small beside an episode, and these are
dealt to the nodes in turn, so that every episode has text on every node.  A node counts the words
of its parts, and encodes them on its own disk when all have agreed on the vocabulary.  It knows
where in the whole text each part begins, so that random numbers, which are functions of the
position, are those of one machine.

An episode
----------
Of the B buckets of ``W_in`` a node owns some that follow one another, and as many of ``W_out`` are
with it at a time.

1. Draw the pairs of the text that lies here, sorted by owner, and send each node its own.
2. For every turn: train a block for each owner here; hand the first bucket of ``W_out`` on to the
   node before, and take the last from the node after.
3. Deal the words anew, and send every row to the node that owns it now.

What is sent carries the name of the training's *run* and of the episode it belongs to.  When a node
is lost the others abandon the run, and whatever still arrives of it is dropped.

States
------
At the beginning of every episode each node copies its buckets; the copy stays with it and goes to
the next node.  An episode is done when all copies of the buckets after it have arrived: then there
are steps for the trainer, and a *position* from which all can go on, in whatever placement, for
what is learned depends on the buckets and not on where they are.  The last two are kept, so that
there is a whole one while the next is on its way.

When a node is lost the others abandon the run.  Another takes its place and reads its text again;
or, if there is none, its text and its buckets go to the others.  Then all load the newest position
of which every bucket can be had: the last two, or what the trainer itself has, the parameters at
the beginning of the epoch.
"""

from __future__ import annotations

import itertools
import os
import platform
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias
from urllib.parse import urlsplit
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.corpus import (
    SPREAD,
    CorpusReport,
    EncodedCorpus,
    EncodedParts,
    Fingerprint,
    PartsOfText,
    ProvisionalText,
    provisional_text,
)
from wordgrad.corpus.encode import ReadingProgress, join_words
from wordgrad.corpus.sources import TextFile, are_paths, find_parts, texts_of
from wordgrad.errors import (
    ClusterError,
    InputError,
    OutputError,
    ParameterError,
    WordgradError,
)
from wordgrad.training.checkpoint import FolderLock
from wordgrad.training.config import SETTINGS, TrainingConfig, usable_cores
from wordgrad.training.engine import Loss, Step, TrainingProgress
from wordgrad.training.engines.blocks import (
    EPISODES_AN_EPOCH,
    UNITS,
    BlockEngine,
    BlockWorker,
    Deal,
    Episode,
    buckets_of,
    check_buckets,
    cut,
    tokens_of_episode,
)
from wordgrad.training.kernels.blocks import MOST_ROWS
from wordgrad.training.parameters import Parameters, aligned_rows, row_floats
from wordgrad.training.sampling import SamplingTables, reach_of
from wordgrad.vocabulary import Vocabulary

PIECES_AN_EPISODE = 2
"""Of each node, of a text so small that it has :data:`EPISODES_AN_EPOCH` of them."""

LARGEST_PIECE = 4 << 20
"""Bytes, where a file can be cut."""

EPISODES_AT_ONCE = 2
"""Asked for ahead, so that no node waits for the coordinator."""

MOST_LOSSES = 3
"""Of nodes, without an episode that was done in between."""

MOST_BLOCKS = int(SETTINGS["blocks"].maximum or 0)

AT_ONCE = 4
"""Threads of an actor for what must not wait."""

SECONDS_TO_CONNECT = 10.0
SECONDS_TO_START = 120.0
SECONDS_TO_REPLACE = 60.0
SECONDS_TO_ANSWER = 20.0

Position = tuple[int, int]
"""Epoch and token at which an episode begins."""


@dataclass(frozen=True)
class Rows:
    """Some sentences in memory.

    Attributes
    ----------
    items : list or table, or a reference to one
    size : int
        How many, as far as it is known.
    column : str or None
        Of a table, the one that holds the text.
    """

    items: Any
    size: int
    column: str | None = None
    name: ClassVar[str] = "sentences given"


Piece: TypeAlias = TextFile | Rows


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


# ---------------------------------------------------------------- nodes


class AbandonedError(ClusterError):
    """A run was given up because another node is lost."""


class Read(NamedTuple):
    """What a node has read in its first pass."""

    files: int
    bytes_read: int
    sentences: int
    tokens: int
    replaced: int


class State(NamedTuple):
    """Buckets at the beginning of an episode.

    Attributes
    ----------
    owners : range
    W_in : float32 (owners, rows, P)
        The bucket of each owner.
    W_out : float32 (owners, rows, P)
        The bucket that each owner begins the episode with.
    """

    owners: range
    W_in: NDArray[np.float32]
    W_out: NDArray[np.float32]


class Outcome(NamedTuple):
    """What an episode came to on a node.

    Attributes
    ----------
    losses : float64 (owners B,)
        Of each slot.
    pairs : int
    bytes_sent : dict of str to int
        To other nodes: of "pairs", of "buckets" that go round, and of "rows" that are dealt anew.
    """

    losses: NDArray[np.float64]
    pairs: int
    bytes_sent: dict[str, int]


@dataclass(frozen=True)
class Text:
    """What all nodes must know of the whole text to draw and train.

    Attributes
    ----------
    vocabulary : Vocabulary
    tokens : int
    longest : int
        Tokens of the longest sentence.
    episode_tokens : int
    """

    vocabulary: Vocabulary
    tokens: int
    longest: int
    episode_tokens: int

    def stub(self) -> EncodedCorpus:
        """A corpus without tokens, of these words and with so long a sentence."""
        offsets = np.array([0, max(self.longest, 1)])
        return EncodedCorpus.in_memory(np.empty(0, np.int32), offsets, self.vocabulary)


class SpreadEngine(BlockEngine):
    """The block engine of a text that lies on several machines.

    Parameters
    ----------
    config : TrainingConfig
    text : Text
    shelves : sequence of PartsOfText
        What of it is here, to be drawn from.
    """

    def __init__(
        self, config: TrainingConfig, text: Text, shelves: Sequence[PartsOfText] = ()
    ) -> None:
        super().__init__(config, SamplingTables(text.stub(), config), text.episode_tokens)
        self.length = text.tokens
        self._shelves = shelves
        self._found: dict[int, tuple[PartsOfText, int]] = {}

    def units(self, start: int, stop: int) -> list[tuple[int, int]]:
        """What of the text from ``start`` to ``stop`` is here, in units of drawing."""
        self._found, units = {}, []
        size = -(-min(self.episode_tokens, self.length) // UNITS)
        for shelf in self._shelves:
            for begin, end, piece in shelf.spans(start, stop):
                for unit in cut(begin, end, size):
                    self._found[unit[0]] = shelf, piece
                    units.append(unit)
        return sorted(units)

    def locate(self, position: int) -> tuple[int, int, int]:
        """Where a unit lies that begins at a position."""
        shelf, piece = self._found[position]
        return shelf.locate(position, piece)


Post = Callable[[int, str, tuple[Any, ...], Any], object]
"""Sends a node, by its number, a letter: run, key, and what is in it."""


class Mail:
    """Letters of other nodes, which wait until they are asked for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._letters: dict[tuple[Any, ...], Any] = {}
        self._run: str | None = None

    def open(self, run: str | None) -> None:
        """Take letters of this run alone; those of others are dropped, and waits for them end."""
        with self._changed:
            self._run, self._letters = run, {}
            self._changed.notify_all()

    def put(self, run: str, key: tuple[Any, ...], letter: Any) -> None:
        """Deliver a letter."""
        with self._changed:
            if run == self._run:
                self._letters[key] = letter
                self._changed.notify_all()

    def take(self, run: str, key: tuple[Any, ...]) -> Any:
        """Wait for a letter.

        Raises
        ------
        AbandonedError
            If the run is abandoned.
        """
        with self._changed:
            while run == self._run:
                if key in self._letters:
                    return self._letters.pop(key)
                self._changed.wait()
        raise AbandonedError(f"Run {run} was given up.")


class Node:
    """A machine of a cluster.

    Its methods are called from elsewhere, in their order; but :meth:`deliver`, :meth:`abandon` and
    :meth:`progress` at any time.

    Parameters
    ----------
    threads : int
    folder : path, optional
        Where to keep the encoded text; by default where the system keeps temporary files.
    """

    def __init__(self, threads: int, folder: str | None = None) -> None:
        self.threads = threads
        self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
        self._lock = FolderLock(self._folder)
        _remove_orphans(self._folder.parent)
        self._stack = ExitStack()
        self._texts: list[tuple[ProvisionalText, list[int]]] = []
        self._shelves: list[PartsOfText] = []
        self._mail = Mail()
        self._pool = ThreadPoolExecutor(threads)
        self._progress = ReadingProgress(0, None, 0, "")
        self._kept: dict[Any, Any] = {}

    # ---------------------------------------------------------------- text

    @staticmethod
    def find(source: Any, n_nodes: int) -> list[TextFile]:
        """Find the files of a source, and cut them for so many nodes."""
        n_parts = n_nodes * EPISODES_AN_EPOCH * PIECES_AN_EPISODE
        return find_parts(source, n_parts, LARGEST_PIECE)

    @staticmethod
    def unseen(pieces: Sequence[TextFile]) -> str | None:
        """The first file that this node does not see as it should be, if there is one."""
        ends: dict[Path, int] = {}
        for piece in pieces:
            ends[piece.path] = max(ends.get(piece.path, 0), piece.stop or 0)
        for path, end in ends.items():
            try:
                good = path.is_file() and os.access(path, os.R_OK) and path.stat().st_size >= end
            except OSError:
                good = False
            if not good:
                return str(path)
        return None

    def count(self, pieces: Sequence[Piece], options: dict[str, Any], n_parts: int) -> list[Any]:
        """Read pieces for the first time.

        Parameters
        ----------
        pieces : sequence of TextFile, or of Rows
        options : dict
            ``column``, ``lowercase``, ``pattern`` and ``errors`` of
            :func:`~wordgrad.corpus.corpus.encode_corpus`.
        n_parts : int

        Returns
        -------
        list
            :class:`Read`, and then the words with their counts, in as many parts, by a hash that is
            the same everywhere; with 0 parts none.
        """
        files = [piece for piece in pieces if isinstance(piece, TextFile)]
        rows = [list(_items(piece)) for piece in pieces if isinstance(piece, Rows)]
        if all(file.format == "text" for file in files):
            options = options | {"column": None}  # not every node need have a table
        # Sentences that look like paths are sentences.
        source: Any = files or iter([item for items in rows for item in items])
        text = self._stack.enter_context(
            provisional_text(
                source, **options, workers=self.threads, folder=self._folder, progress=self._tell
            )
        )
        first = text.first
        starts = first.starts if files else np.cumsum([0, *map(len, rows)])[:-1].tolist()
        starts += [first.sentences] * (len(pieces) - len(starts))
        self._texts.append((text, starts))
        read = Read(
            len(files), first.bytes_done, first.sentences, int(text.types.counts.sum()),
            first.replaced,
        )  # fmt: skip
        if not n_parts:  # they are known already
            return [read]
        words = text.types.words.at(np.arange(len(text.types.words)))
        counts = text.types.counts
        part_of = np.array([_part(word, n_parts) for word in words], np.int64)
        parts = []
        for part in range(n_parts):
            mine = np.flatnonzero(part_of == part)
            parts.append(([words[k] for k in mine.tolist()], counts[mine]))
        return [read, *parts]

    @staticmethod
    def merge(
        min_count: int, *parts: tuple[list[str], NDArray[np.int64]]
    ) -> tuple[list[str], NDArray[np.int64], int]:
        """Add up counts of the same words; return those frequent enough, and how many there were.

        >>> Node.merge(2, (["a", "b"], np.array([1, 1])), (["a"], np.array([3])))
        (['a'], array([4]), 2)
        """
        total: dict[str, int] = {}
        for words, counts in parts:
            for word, count in zip(words, counts.tolist(), strict=True):
                total[word] = total.get(word, 0) + count
        kept = {word: count for word, count in total.items() if count >= max(min_count, 1)}
        return list(kept), np.array(list(kept.values()), np.int64), len(total)

    def encode(self, vocabulary: Vocabulary) -> list[EncodedParts]:
        """Encode what was read, with the words of all nodes; an answer for each reading."""
        answers = []
        self._n_words = len(vocabulary)
        for text, firsts in self._texts:
            _, table = join_words(text.types, vocabulary, grow=False, min_count=0, max_vocab=None)
            self._shelves.append(PartsOfText(text, firsts, table))
            answers.append(self._shelves[-1].encoded)
        self._texts = []
        return answers

    def place(self, starts: Sequence[NDArray[np.int64]]) -> int:
        """Say where in the whole text the pieces of the last readings begin; return a digest."""
        shelves = self._shelves[len(self._shelves) - len(starts) :]
        for shelf, begin in zip(shelves, starts, strict=True):
            shelf.place(begin)
        return sum(shelf.digest() for shelf in shelves) % (1 << 64)

    def word_counts(self) -> NDArray[np.int64]:
        """How often each word of the vocabulary is in the text here."""
        return sum(
            (np.bincount(shelf.ids, minlength=self._n_words) for shelf in self._shelves),
            start=np.zeros(self._n_words, np.int64),
        )

    def _tell(self, progress: ReadingProgress) -> None:
        self._progress = progress

    def progress(self) -> tuple[int, int]:
        """Bytes and tokens read so far."""
        return self._progress.bytes_done, self._progress.tokens

    # ---------------------------------------------------------------- model

    def begin(self, config: TrainingConfig, text: Text) -> None:
        """Get ready to train on what was encoded; compile the kernels."""
        self._config = config
        self._engine = SpreadEngine(config, text, self._shelves)
        spare = EncodedCorpus.in_memory(
            np.array([0, 1, 0, 1], np.int32), np.array([0, 4]), Vocabulary(["a", "b"], [2, 2])
        )
        small = replace(config, blocks=1, workers=1)
        engine = BlockEngine.from_corpus(spare, small)
        engine.prepare(Parameters.zeros(2, 2, config.vector_size))

    def load(
        self, run: str, number: int, bounds: Sequence[int], position: Position, *states: State
    ) -> None:
        """Take the buckets of this node, at the beginning of an episode.

        Parameters
        ----------
        run : str
            Name of the run that begins.
        number : int
            Of this node in it.
        bounds : sequence of int
            Node k owns the buckets ``bounds[k]`` to ``bounds[k + 1]``.
        position : (int, int)
        *states : State
            Of whatever nodes, and at least of the owners here.
        """
        self._mail.open(run)
        self._number, self._bounds = number, list(bounds)
        self._owners = range(bounds[number], bounds[number + 1])
        self._position = position
        self._deal = self._engine.deal(*position)
        m, rows = len(self._owners), self._deal.words.shape[1]
        n_floats = row_floats(self._config.vector_size)
        # With a second pair of matrices, to which the rows move at the end of an episode.
        self._W_in, self._W_out, self._next_in, self._next_out = (
            aligned_rows(m * rows, n_floats).reshape(m, rows, n_floats) for _ in range(4)
        )
        for state in states:
            for k, owner in enumerate(state.owners):
                if owner in self._owners:
                    self._W_in[owner - self._owners.start] = state.W_in[k]
                    self._W_out[owner - self._owners.start] = state.W_out[k]
        n_workers = min(self.threads, max(m, UNITS))
        self._workers = [BlockWorker(self._engine) for _ in range(n_workers)]

    def state(self) -> State:
        """Copies of the buckets here."""
        return State(self._owners, self._W_in.copy(), self._W_out.copy())

    def keep(self, position: Position, state: State) -> None:
        """Hold another node's state, and forget all but its last two."""
        self._kept[position] = state
        for old in sorted(self._kept)[:-2]:
            del self._kept[old]

    # ---------------------------------------------------------------- an episode

    def deliver(self, run: str, key: tuple[Any, ...], letter: Any) -> None:
        """Take a letter of another node."""
        self._mail.put(run, key, letter)

    def abandon(self) -> None:
        """End whatever waits for another node."""
        self._mail.open(None)

    def episode(
        self, run: str, position: Position, stop: int, following: Position, post: Post
    ) -> tuple[Outcome, State]:
        """Train on an episode, together with all others; see the module.

        Parameters
        ----------
        run : str
        position, stop : (int, int), int
            Where the episode begins and ends.
        following : (int, int)
            Where the next one begins, by whose deal the buckets are left.
        post : callable

        Raises
        ------
        AbandonedError
            If another node is lost, or this call does not follow the one before: Ray runs the later
            calls of an actor even where an earlier one failed.
        """
        if position != self._position:
            raise AbandonedError(f"Episode {position} does not follow {self._position}.")
        self._position = (-1, -1)  # until it is done
        self._sent = {"pairs": 0, "buckets": 0, "rows": 0}
        epoch, start = position
        spans = self._engine.units(start, stop)
        episode = Episode(self._engine, epoch, start, stop, spans, self._deal)
        self._exchange_pairs(run, episode, post)
        self._train(run, episode, post)
        self._exchange_rows(run, episode, self._engine.deal(*following), following, post)
        self._position = following
        return Outcome(episode.losses, episode.n_pairs, self._sent), self.state()

    def _post(self, post: Post, run: str, node: int, key: tuple[Any, ...], letter: Any) -> None:
        if node == self._number:
            self._mail.put(run, key, letter)
        else:
            self._sent[key[0]] += sum(part.nbytes for part in letter)
            post(node, run, key, letter)

    def _work(self, pieces: Iterable[tuple[Any, ...]]) -> None:
        """Do pieces of work on all threads."""
        left, lock = iter(pieces), threading.Lock()

        def work(worker: BlockWorker) -> None:
            while True:
                with lock:
                    piece = next(left, None)
                if piece is None:
                    return
                worker.do(piece)

        if len(self._workers) == 1:
            work(self._workers[0])
        else:
            list(self._pool.map(work, self._workers))

    def _exchange_pairs(self, run: str, episode: Episode, post: Post) -> None:
        """Draw the pairs of the text here; send and take, so that the owners' are here."""
        B, bounds, position = episode.n_buckets, self._bounds, (episode.epoch, episode.start)
        self._work(("draw", episode, unit) for unit in range(len(episode.spans)))
        starts = np.array([start for start, _ in episode.spans], np.int64)
        for node in range(len(bounds) - 1):
            first, last = bounds[node] * B, bounds[node + 1] * B
            edges = episode.edges[:, first : last + 1]
            pairs = [
                unit[edge[0] : edge[-1]] for unit, edge in zip(episode.pairs, edges, strict=True)
            ]
            letter = (
                starts, (edges - edges[:, :1]).astype(np.int32),
                np.concatenate(pairs) if pairs else np.empty(0, np.uint32),
            )  # fmt: skip
            self._post(post, run, node, ("pairs", position, self._number), letter)
        units = []
        for node in range(len(bounds) - 1):
            starts, edges, pairs = self._mail.take(run, ("pairs", position, node))
            begins = np.cumsum(edges[:, -1], dtype=np.int64) - edges[:, -1]
            for k, start in enumerate(starts.tolist()):
                units.append((start, edges[k], pairs[begins[k] : begins[k] + edges[k, -1]]))
        units.sort(key=lambda unit: unit[0])
        episode.owners = self._owners
        episode.edges = np.array([edges for _, edges, _ in units], np.int64)
        episode.pairs = [pairs for _, _, pairs in units]
        episode.bases = np.array([pairs.ctypes.data for pairs in episode.pairs], np.int64)
        episode.losses = np.zeros(len(self._owners) * B)
        episode.n_windows = np.zeros(len(self._owners) * B, np.int64)
        episode.end_drawing()

    def _train(self, run: str, episode: Episode, post: Post) -> None:
        """Take all turns, W_out's buckets going round."""
        n_nodes, m = len(self._bounds) - 1, len(self._owners)
        position = episode.epoch, episode.start
        for place, turn in enumerate(episode.turns):
            episode.set_rate((place + 0.5) / episode.n_buckets)
            # Owner i has the bucket in slot i + place; the first one's is then free for the last.
            self._work(
                ("train", episode, turn, owner, self._W_in[i], self._W_out[(i + place) % m])
                for i, owner in enumerate(self._owners)
            )
            if n_nodes > 1 and place + 1 < episode.n_buckets:
                key, bucket = ("buckets", position, place), self._W_out[place % m]
                self._post(post, run, (self._number - 1) % n_nodes, key, (bucket,))
                (bucket[:],) = self._mail.take(run, key)

    def _exchange_rows(
        self, run: str, episode: Episode, deal: Deal, following: Position, post: Post
    ) -> None:
        """Send every row to its owner by the next deal, and take those that come."""
        B, bounds, m = episode.n_buckets, np.array(self._bounds), len(self._owners)
        place, turn = B - 1, episode.turns[-1]
        first = self._engine.first_turn(*following)
        for name, matrix, new in (
            ("in", self._W_in, self._next_in),
            ("out", self._W_out, self._next_out),
        ):
            buckets = [owner if name == "in" else (owner + turn) % B for owner in self._owners]
            slots = [i if name == "in" else (i + place) % m for i in range(m)]
            word = np.concatenate([episode.words(bucket) for bucket in buckets])
            slot = np.repeat(slots, episode.deal.sizes[buckets])
            owner = deal.bucket_of[word] if name == "in" else (deal.bucket_of[word] - first) % B
            node_of = np.searchsorted(bounds, owner, side="right") - 1
            for node in range(len(bounds) - 1):
                chosen = np.flatnonzero(node_of == node)
                key = "rows", name, (episode.epoch, episode.start), self._number
                self._post(
                    post, run, node, key, (word[chosen], matrix[slot[chosen], word[chosen] // B])
                )
            for node in range(len(bounds) - 1):
                key = "rows", name, (episode.epoch, episode.start), node
                word, values = self._mail.take(run, key)
                bucket = deal.bucket_of[word]
                owner = bucket if name == "in" else (bucket - first) % B
                new[owner - self._owners.start, word // B] = values
        self._deal = deal
        self._W_in, self._next_in = self._next_in, self._W_in
        self._W_out, self._next_out = self._next_out, self._W_out

    def close(self) -> None:
        """Remove what lies on the disk."""
        self.abandon()
        self._stack.close()
        self._pool.shutdown(wait=False)
        self._lock.release()
        shutil.rmtree(self._folder, ignore_errors=True)


_PREFIX, _SECONDS_TO_LOCK = "wordgrad-node-", 60.0


def _remove_orphans(parent: Path) -> None:
    """Remove what nodes that were killed have left on the disk: folders that nobody has locked."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError, OutputError):
            if time.time() - folder.stat().st_mtime > _SECONDS_TO_LOCK:
                FolderLock(folder).release()
                shutil.rmtree(folder, ignore_errors=True)


def _items(piece: Rows) -> Any:
    return texts_of(piece.items, piece.column)


def _part(word: str, n_parts: int) -> int:
    """A word's part, the same on every machine."""
    return crc32(word.encode()) % n_parts


# ---------------------------------------------------------------- coordinator


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

        Parameters and errors are those of :func:`~wordgrad.corpus.corpus.encode_corpus`.
        """
        began, machines, n = time.perf_counter(), self.machines, len(self.machines)
        self._options = options
        self._pieces = self._find(source, options["column"])
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
        (pieces,) = machines.answers([machines.ask(0, "find", source, n)])
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

    def with_blocks(self, config: TrainingConfig, n_words: int) -> TrainingConfig:
        """The settings with a number of buckets: by default one for each thread."""
        if config.blocks is not None:
            return config
        threads = len(self.machines) * self.machines.threads
        n = max(len(self.machines), min(threads, n_words // 2, MOST_BLOCKS))
        return replace(config, blocks=-(-n_words // (n * MOST_ROWS)) * n)

    def progress(self, record: Any) -> None:
        """Pass a record on, with what is to be told of the cluster."""
        if self._progress is not None:
            if isinstance(record, TrainingProgress) and self._engine is not None:
                n, sent = len(self.machines), self._engine.sent
                record = replace(record, nodes=n, bytes_sent=sum(sent.values()))
            self._progress(record)

    def engine(self, config: TrainingConfig, hook: object = None) -> ClusterEngine:
        """The engine that trains on what was read; a hook may change parameters between epochs."""
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
        self._check_store(len(counts), tokens, reach.mean, config)
        text = Text(text.vocabulary, text.tokens, text.longest, tokens)
        self._begun = config, self.machines.put(text)
        self._engine = ClusterEngine(config, text, self)
        self._engine.reload = hook is not None
        return self._engine

    def _check_store(self, V: int, tokens: int, reach: float, config: TrainingConfig) -> None:
        """Refuse what would not fit the object stores, of which Ray would make files."""
        n, B = len(self.machines), buckets_of(config)
        buckets = 2 * -(-B // n) * -(-V // B) * 4 * row_floats(config.vector_size)
        # Copies of three states of a node and of the one before it, rows and pairs on their way.
        needed = int(7 * buckets + 2 * 4 * 2 * reach * tokens / n)
        store = self.machines.store
        if store is not None and needed > store:
            raise ClusterError(
                f"Ray's object stores must hold {needed >> 20:,} MiB on each of {n} nodes for "
                f"{V:,} words, and the smallest has {store >> 20:,}; start Ray with "
                "--object-store-memory=BYTES, take more nodes, or lower vector_size or max_vocab."
            )

    def begin(self, nodes: Sequence[int]) -> None:
        """Let nodes get ready to train."""
        config, text = self._begun
        machines = self.machines
        machines.answers([machines.ask(k, "begin", config, text) for k in nodes])

    def recover(self) -> None:
        """Replace lost nodes, or share out what they had.

        Raises
        ------
        ClusterError
            If no node is left, or a text is not what it was.
        """
        machines = self.machines
        for told in [machines.ask(k, "abandon", now=True) for k in range(len(machines))]:
            with suppress(LostError):
                machines.answers([told])
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
            new = share([float(self._tokens[i]) for i in theirs], len(machines))
            for i, owner in zip(theirs, new, strict=True):
                self._node_of[i] = owner
                orphans.setdefault(owner, []).append(i)
        self._adopt({node: sorted(pieces) for node, pieces in orphans.items()})
        self.begin(range(len(machines)))

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


class ClusterEngine(SpreadEngine):
    """Trains in blocks on all nodes of a cluster, to the bytes of the block engine on one machine.

    Attributes
    ----------
    sent : dict of str to int
        Bytes between nodes, of pairs, buckets and rows; copies of states are not counted.
    reload : bool
        Whether somebody may change the parameters between two epochs.
    """

    def __init__(self, config: TrainingConfig, text: Text, coordinator: Coordinator) -> None:
        super().__init__(config, text)
        self._coordinator = coordinator
        self._machines = coordinator.machines
        self.sent = {"pairs": 0, "buckets": 0, "rows": 0}
        self.reload = False
        self._states: dict[Position, tuple[list[int], list[Any]]] = {}
        self._position: Position | None = None  # where all nodes are
        self._losses = 0

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self._machines)

    def prepare(self, parameters: Parameters) -> None:
        """Let the nodes compile the kernels."""
        parameters.check_rows(self.config.vector_size, self.n_inputs, self.n_outputs)
        try:
            self._coordinator.begin(range(self.nodes))
        except LostError:
            self._coordinator.recover()

    def epoch(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the episodes of an epoch, in their order; see the protocol.

        The parameters are written when it ends, for whatever reason: those of the last episode
        that gave a step.
        """
        if self.reload and start == 0:
            self._position = None
        waiting: deque[tuple[int, int, Any]] = deque()
        done = ahead = start
        is_whole = False
        try:
            try:
                self._load(parameters, (epoch, start))
            except LostError as error:
                ahead = self._recover(parameters, epoch, start, error)
            while not is_whole:
                while (
                    len(waiting) < EPISODES_AT_ONCE
                    and ahead < self.length
                    and (ahead < done or not pause.is_set())
                ):
                    stop = min(ahead + self.episode_tokens, self.length)
                    waiting.append((ahead, stop, self._ask(epoch, ahead, stop)))
                    ahead = stop
                try:
                    if not waiting:
                        self._collect(parameters, epoch, start, done)
                        is_whole = True
                        continue
                    begin, stop, asked = waiting[0]
                    step = self._finish(epoch, begin, stop, asked)
                except LostError as error:
                    waiting.clear()
                    ahead = self._recover(parameters, epoch, start, error)
                    continue
                waiting.popleft()
                if begin >= done:  # else it was given before a node was lost
                    done = stop
                    yield step
        finally:
            if not is_whole:  # somebody has had enough
                self._collect(parameters, epoch, start, done)

    def _ask(self, epoch: int, start: int, stop: int) -> tuple[list[Any], list[Any], list[Any]]:
        """Ask all nodes for an episode, and for copies of what it leaves."""
        machines, n = self._machines, self.nodes
        following = self._after(epoch, stop)
        outcomes, states = [], []
        for k in range(n):
            outcome, state = machines.ask(
                k, "episode", self._run, (epoch, start), stop, following, answers=2
            )
            outcomes.append(outcome)
            states.append(state)
        copies = [
            machines.ask((k + 1) % n, "keep", following, states[k], now=True)
            for k in range(n)
            if n > 1
        ]
        return outcomes, states, copies

    def _after(self, epoch: int, stop: int) -> Position:
        return (epoch, stop) if stop < self.length else (epoch + 1, 0)

    def _finish(self, epoch: int, start: int, stop: int, asked: Any) -> Step:
        outcomes, states, copies = asked
        found: list[Outcome] = self._machines.answers([*outcomes, *copies])[: len(outcomes)]
        self._position = self._after(epoch, stop)
        self._states[self._position] = self._bounds, states
        for old in sorted(self._states)[:-2]:
            del self._states[old]
        self._losses = 0
        for one in found:
            for what, size in one.bytes_sent.items():
                self.sent[what] += size
        losses = np.concatenate([one.losses for one in found])
        loss = Loss(float(losses.sum()), sum(one.pairs for one in found))
        last = (buckets_of(self.config) - 0.5) / buckets_of(self.config)
        return Step(start, stop, loss, self.rate_in(epoch, start, stop, last))

    def _load(self, parameters: Parameters, position: Position) -> None:
        """Give the nodes the parameters at the beginning of an episode."""
        if self._position == position:
            return
        deal, first, B = self.deal(*position), self.first_turn(*position), buckets_of(self.config)
        rows = deal.words.shape[1]
        states, bounds = [], self._split()
        for owners in itertools.starmap(range, itertools.pairwise(bounds)):
            W_in, W_out = (
                np.zeros((len(owners), rows, parameters.W_in_rows.shape[1]), np.float32)
                for _ in range(2)
            )
            for i, owner in enumerate(owners):
                target = (owner + first) % B
                W_in[i, : deal.sizes[owner]] = parameters.W_in_rows[
                    deal.words[owner, : deal.sizes[owner]]
                ]
                W_out[i, : deal.sizes[target]] = parameters.W_out_rows[
                    deal.words[target, : deal.sizes[target]]
                ]
            states.append(self._machines.put(State(owners, W_in, W_out)))
        self._start_run(position, bounds, states)

    def _split(self) -> list[int]:
        """Which owners follow which on each node: where they begin, and the end."""
        return [k * buckets_of(self.config) // self.nodes for k in range(self.nodes + 1)]

    def _start_run(self, position: Position, held: list[int], states: list[Any]) -> None:
        """Let all nodes take their buckets from states that were ``held`` in any placement."""
        self._run, self._bounds = secrets.token_hex(8), self._split()
        asked = []
        for k, (first, last) in enumerate(itertools.pairwise(self._bounds)):
            theirs = [
                state
                for state, (begin, end) in zip(states, itertools.pairwise(held), strict=True)
                if begin < last and first < end
            ]
            load = self._run, k, self._bounds, position, *theirs
            asked.append(self._machines.ask(k, "load", *load))
        self._machines.answers(asked)
        self._states = {position: (held, states)}
        self._position = position

    def _recover(self, parameters: Parameters, epoch: int, start: int, error: LostError) -> int:
        """Replace what is lost; return the position from which all go on."""
        while True:
            self._losses += 1
            if self._losses > MOST_LOSSES:
                raise ClusterError(
                    f"Nodes were lost {MOST_LOSSES} times without an episode in between, the last "
                    f"time as follows. {error}"
                ) from error
            try:
                self._coordinator.recover()
                for position in sorted(self._states, reverse=True):
                    try:
                        self._start_run(position, *self._states[position])
                    except LostError:
                        if self._machines.lost():
                            raise
                        continue  # a bucket of it is nowhere any more
                    return position[1] if position[0] == epoch else self.length
                self._position = None
                self._load(parameters, (epoch, start))
            except LostError as again:
                error = again
                continue
            return start

    def _collect(self, parameters: Parameters, epoch: int, start: int, done: int) -> None:
        """Write the parameters as they are when an epoch is ``done`` so far."""
        if done == start:
            return
        position = self._after(epoch, done)
        if position not in self._states:
            raise ClusterError(
                "Nodes were lost while the training ended, and what they had learned since its "
                "last state with them; resume from the last checkpoint."
            )
        _, states = self._states[position]
        deal, first, B = self.deal(*position), self.first_turn(*position), buckets_of(self.config)
        for state in self._machines.answers(states):
            for i, owner in enumerate(state.owners):
                target = (owner + first) % B
                parameters.W_in_rows[deal.words[owner, : deal.sizes[owner]]] = state.W_in[
                    i, : deal.sizes[owner]
                ]
                parameters.W_out_rows[deal.words[target, : deal.sizes[target]]] = state.W_out[
                    i, : deal.sizes[target]
                ]

    def close(self) -> None:
        """The coordinator ends the nodes."""


# ---------------------------------------------------------------- Ray


class Actor:
    """A node in a process of its own."""

    def __init__(self, threads: int) -> None:
        self._node = Node(threads)
        self._others: list[Any] = []

    def about(self) -> tuple[str, str, str]:
        """Version of Python and of wordgrad, and the name of the machine."""
        return platform.python_version(), version("wordgrad"), socket.gethostname()

    def meet(self, others: list[Any]) -> None:
        """Get to know all actors, by their numbers."""
        self._others = others

    def do(self, method: str, *args: Any) -> Any:
        """Call a method of the node."""
        if method == "episode":
            args = (*args, self._post)
        elif method == "count":
            args = ([_with_items(piece) for piece in args[0]], *args[1:])
        return getattr(self._node, method)(*args)

    def _post(self, node: int, run: str, key: tuple[Any, ...], letter: Any) -> None:
        now = self._others[node].do.options(concurrency_group="now", num_returns=0)
        now.remote("deliver", run, key, letter)


def _with_items(piece: Any) -> Any:
    """A piece of rows that lie somewhere in the cluster, with its rows."""
    ray = _ray()
    if isinstance(piece, Rows) and isinstance(piece.items, ray.ObjectRef):
        return replace(piece, items=ray.get(piece.items))
    return piece


class RayMachines:
    """The nodes of a training, each an actor on another machine of the cluster.

    Parameters
    ----------
    address : str
        "auto", or where the cluster is: ``ray://host:port``.
    nodes : int, optional
        By default all that the cluster has.
    threads : int, optional
        Of each node; by default as many as the smallest of them has cores.

    Attributes
    ----------
    threads : int
    store : int
        Bytes of the smallest object store.

    Raises
    ------
    ClusterError
        If the cluster is not there, has fewer nodes or cores, or other versions.
    """

    def __init__(self, address: str, nodes: int | None, threads: int | None) -> None:
        self._ray = ray = _ray()
        self._ours = not ray.is_initialized()
        if self._ours:
            _connect(address)
        self._group: Any = None
        self._actors: list[Any] = []
        self._met: list[bool] = []
        try:
            self._start(nodes, threads)
        except BaseException:
            self.close()
            raise

    def _start(self, nodes: int | None, threads: int | None) -> None:
        ray = self._ray
        from ray.util.placement_group import placement_group

        alive = [one for one in ray.nodes() if one["Alive"] and one["Resources"].get("CPU", 0) >= 1]
        cores = sorted((int(one["Resources"]["CPU"]) for one in alive), reverse=True)
        n = len(alive) if nodes is None else nodes
        if n > len(alive) or not n:
            raise ClusterError(
                f"The cluster has {len(alive)} nodes with a free core, and nodes={n}; add machines "
                "with 'ray start --address=HOST:PORT', or lower nodes."
            )
        self.threads = cores[n - 1] if threads is None else threads
        if self.threads > cores[n - 1]:
            fit = sum(one >= self.threads for one in cores)
            raise ClusterError(
                f"Only {fit} of the cluster's nodes have {self.threads} cores, and nodes={n}; "
                f"lower threads_per_node to {cores[n - 1]}, or nodes."
            )
        self.store: int | None = min(
            int(one["Resources"].get("object_store_memory", 0))
            for one in alive
            if one["Resources"]["CPU"] >= self.threads
        )
        self._group = placement_group([{"CPU": self.threads}] * n, strategy="STRICT_SPREAD")
        if not self._group.wait(SECONDS_TO_START):
            raise ClusterError(
                f"The cluster did not give {n} nodes {self.threads} free cores each within "
                f"{SECONDS_TO_START:.0f} seconds; wait for what runs there, or lower nodes or "
                "threads_per_node."
            )
        self._kind = ray.remote(concurrency_groups={"now": AT_ONCE})(Actor)
        self._bundles = list(range(n))
        self._actors = [self._actor(k) for k in self._bundles]
        self._met = [False] * n
        try:
            abouts = ray.get([one.about.remote() for one in self._actors], timeout=SECONDS_TO_START)
        except ray.exceptions.RayError as error:
            raise ClusterError(
                f"The nodes of the cluster could not start wordgrad ({_said(error)}); install the "
                "same version of it on all of them."
            ) from error
        ours = platform.python_version(), version("wordgrad")
        for python, wordgrad, host in abouts:
            if (python, wordgrad) != ours:
                raise ClusterError(
                    f"Node {host} has Python {python} with wordgrad {wordgrad}, and this machine "
                    f"Python {ours[0]} with wordgrad {ours[1]}; install the same versions on all."
                )

    def _actor(self, bundle: int) -> Any:
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        where = PlacementGroupSchedulingStrategy(self._group, bundle)
        options = {"num_cpus": self.threads, "max_restarts": 0, "scheduling_strategy": where}
        return self._kind.options(**options).remote(self.threads)

    def __len__(self) -> int:
        return len(self._actors)

    def ask(self, node: int, method: str, *args: Any, answers: int = 1, now: bool = False) -> Any:
        """Call a method; see :class:`Machines`."""
        if method == "load":
            self._actors[node].meet.remote(self._actors)
        options: dict[str, Any] = {"num_returns": answers}
        if now:
            options["concurrency_group"] = "now"
        return self._actors[node].do.options(**options).remote(method, *args)

    def answers(
        self, references: Sequence[Any], wait: Callable[[], object] | None = None
    ) -> list[Any]:
        """Wait for all, or until the first fails."""
        ray = self._ray
        RayError, RayTaskError = ray.exceptions.RayError, ray.exceptions.RayTaskError
        found: dict[Any, Any] = {}
        pending = list(references)
        while pending:
            # A limit of time, so that signals are seen.
            ready, pending = ray.wait(pending, timeout=0.2 if wait else 1.0)
            for one in ready:
                try:
                    found[one] = ray.get(one)
                except RayTaskError as error:
                    cause = error.cause
                    if isinstance(cause, AbandonedError | LostError | RayError):
                        raise _lost(cause) from error
                    if isinstance(cause, WordgradError | OSError | MemoryError):
                        raise cause from None
                    raise
                except RayError as error:
                    raise _lost(error) from error
            if wait is not None:
                wait()
        return [found[one] for one in references]

    def put(self, value: Any) -> Any:
        """A reference to a value."""
        return self._ray.put(value)

    def lost(self) -> list[int]:
        """Numbers of the nodes that do not answer."""
        ray = self._ray
        asked = [one.about.options(concurrency_group="now").remote() for one in self._actors]
        ray.wait(asked, num_returns=len(asked), timeout=SECONDS_TO_ANSWER, fetch_local=False)
        return [k for k, one in enumerate(asked) if not self._is_there(one, 0.0)]

    def replace(self, node: int) -> bool:
        """Start another actor, where the lost one was or where Ray finds room."""
        ray = self._ray
        with suppress(ray.exceptions.RayError):
            ray.kill(self._actors[node])
        new = self._actor(self._bundles[node])
        if not self._is_there(new.about.remote(), SECONDS_TO_REPLACE):
            ray.kill(new)
            return False
        self._actors[node] = new
        return True

    def remove(self, node: int) -> None:
        """Forget a node."""
        del self._actors[node], self._bundles[node]

    def close(self) -> None:
        """End all actors, and what they left on their disks."""
        ray = self._ray
        from ray.util.placement_group import remove_placement_group

        with suppress(ray.exceptions.RayError):
            ended = [
                one.do.options(concurrency_group="now").remote("close") for one in self._actors
            ]
            if ended:
                ray.wait(ended, num_returns=len(ended), timeout=SECONDS_TO_ANSWER)
            for one in self._actors:
                ray.kill(one)
            if self._group is not None:
                remove_placement_group(self._group)
        self._actors = []
        if self._ours:
            ray.shutdown()

    def _is_there(self, reference: Any, seconds: float) -> bool:
        try:
            self._ray.get(reference, timeout=seconds)
        except self._ray.exceptions.RayError:
            return False
        return True


@contextmanager
def nodes_on_this_machine(n: int) -> Iterator[int]:
    """Start a cluster of ``n`` nodes here, connect to it, and end it; yield the threads of each.

    Raises
    ------
    ClusterError
        If there is no Ray, or it does not start.
    """
    ray = _ray()
    from ray.cluster_utils import Cluster

    threads = max(1, usable_cores() // n)
    head = {"num_cpus": 0, "object_store_memory": _LEAST_STORE, "include_dashboard": False}
    cluster = Cluster()
    try:
        try:
            cluster.add_node(**head)
            for _ in range(n):
                cluster.add_node(num_cpus=threads, object_store_memory=_STORE)
            ray.init(cluster.address, log_to_driver=False, logging_level="error")
        except (RuntimeError, OSError) as error:
            raise ClusterError(
                f"Ray does not start on this machine ({_said(error)}); see its logs, which are in "
                "ray/session_latest among temporary files, and try again."
            ) from error
        yield threads
    finally:
        ray.shutdown()
        cluster.shutdown()


_LEAST_STORE, _STORE = 80 << 20, 512 << 20
"""Bytes of an object store: the least that Ray takes, and one for a demonstration."""


def _ray() -> Any:
    """Import Ray."""
    os.environ.setdefault(
        "RAY_USAGE_STATS_ENABLED", "0"
    )  # nothing of a training leaves the cluster
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ClusterError(
            "A cluster needs Ray, which is not installed here; install it with "
            "pip install 'wordgrad[ray]', or leave cluster out."
        ) from error
    return ray


def _connect(address: str) -> None:
    """Connect to a cluster."""
    url = urlsplit(address if "//" in address else f"//{address}")
    try:
        if address != "auto":
            host, port = url.hostname or "", url.port or 10001
            with socket.create_connection((host, port), SECONDS_TO_CONNECT):
                pass
        _ray().init(address, log_to_driver=False, logging_level="error")
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        where = "on this machine or at RAY_ADDRESS" if address == "auto" else f"at {address}"
        raise ClusterError(
            f"There is no Ray cluster {where} ({_said(error)}); start one with 'ray start --head', "
            "or name another with cluster."
        ) from error


def _lost(error: BaseException) -> LostError:
    return LostError(
        f"A node of the cluster is lost ({_said(error)}); see Ray's logs of it, and try again."
    )


def _said(error: BaseException) -> str:
    """What an error says, on one line and not too long."""
    text = " ".join(str(error).split()).rstrip(".")
    return text if len(text) <= 200 else text[:200] + " ..."
