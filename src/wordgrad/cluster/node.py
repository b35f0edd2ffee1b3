"""A node of a cluster: what one machine holds of the text and of the model, and does with them."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeAlias
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.corpus import (
    EncodedCorpus,
    EncodedParts,
    PartsOfText,
    ProvisionalText,
    provisional_text,
)
from wordgrad.corpus.encode import ReadingProgress, join_words
from wordgrad.corpus.sources import TextFile, check_drivers, find_parts, texts_of
from wordgrad.errors import ClusterError, OutputError
from wordgrad.storage import is_url, opened, why
from wordgrad.training.checkpoint import FolderLock
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.blocks import (
    EPISODES_AN_EPOCH,
    UNITS,
    BlockEngine,
    BlockWorker,
    Deal,
    Episode,
    cut,
    hand_out,
)
from wordgrad.training.engines.softmax import available_memory, matrix_speed
from wordgrad.training.parameters import Parameters, aligned_rows, all_finite, row_floats
from wordgrad.training.sampling import SamplingTables
from wordgrad.vocabulary import Vocabulary

PIECES_AN_EPISODE = 2
"""Of each node, of a text so small that it has :data:`EPISODES_AN_EPOCH` of them."""

LARGEST_PIECE = 4 << 20
"""Bytes, where a file can be cut."""

SECONDS_FOR_A_LETTER = 1800.0
"""Far more than a turn takes on the slowest node: what does not come then is lost."""

Position = tuple[int, int]
"""Epoch and token at which an episode begins."""

NOWHERE: Position = (-1, -1)
"""Before all of them."""

POSTING = "episode", "prepare"
"""Methods of a node that are given, last of all, what sends letters to others."""


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
        for shelf in self._shelves:
            for begin, end, piece in shelf.spans(start, stop):
                for unit in cut(begin, end, self.unit_tokens):
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
            If the run is abandoned, or nothing comes in :data:`SECONDS_FOR_A_LETTER`.
        """
        with self._changed:
            came = self._changed.wait_for(
                lambda: run != self._run or key in self._letters, SECONDS_FOR_A_LETTER
            )
            if run == self._run and came:
                return self._letters.pop(key)
        raise AbandonedError(
            f"Run {run} was given up."
            if came
            else f"No {key[0]} came from another node in {SECONDS_FOR_A_LETTER:.0f} seconds."
        )


class Node:
    """A machine of a cluster.

    Its methods are called from elsewhere, in their order; but :meth:`deliver`, :meth:`abandon`,
    :meth:`progress` and :meth:`prepared` at any time.

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

    check_drivers = staticmethod(check_drivers)

    @staticmethod
    def unseen(pieces: Sequence[TextFile]) -> str | None:
        """The first file that this node does not see as it should be, if there is one.

        Of files on other storage the first is looked at: all nodes see the same.
        """
        ends: dict[Path, int] = {}
        for piece in pieces:
            ends[piece.path] = max(ends.get(piece.path, 0), piece.stop or 0)
        elsewhere = next((path for path in ends if is_url(path)), None)
        try:
            if elsewhere is not None:
                with opened(elsewhere) as handle:
                    handle.read(1)
        except Exception as error:  # each driver has errors of its own
            return f"{elsewhere} ({why(error)})"
        for path, end in ends.items():
            if is_url(path):
                continue
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

    def forget(self) -> None:
        """Forget what was read."""
        self._stack.close()
        self._stack, self._texts, self._shelves = ExitStack(), [], []

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

    @staticmethod
    def resources(vector_size: int) -> tuple[float, float]:
        """Bytes of free memory, and multiply-adds a second of matrix products."""
        return available_memory(), matrix_speed(vector_size)

    def begin(self, kind: Callable[[Here, TrainingConfig, Text], Share], *args: Any) -> None:
        """Get ready to train a model of some kind on what was encoded; compile the kernels."""
        here = Here(self._shelves, self._mail, self._pool, self.threads, self._folder)
        self._share = kind(here, *args)

    def load(self, run: str, *args: Any) -> None:
        """Begin a run at a position; see the kind's share."""
        self._mail.open(run)
        self._share.load(*args)

    def prepare(self, *args: Any) -> Any:
        """Do, together with all others, what the first episode waits for; see the kind's share."""
        return self._share.prepare(*args)

    def prepared(self) -> Any:
        """What of that is done; at any time."""
        return self._share.prepared

    def fill(self, *args: Any) -> None:
        """Take what was learned before; see the kind's share."""
        self._share.fill(*args)

    def state(self, *args: Any) -> Any:
        """Copy what lies here; see the kind's share."""
        return self._share.state(*args)

    def are_finite(self) -> bool:
        """Whether every number here is finite."""
        return self._share.are_finite()

    def episode(self, *args: Any) -> Any:
        """Train on an episode, together with all others; see the kind's share."""
        return self._share.episode(*args)

    def keep(self, position: Position, state: State) -> None:
        """Hold another node's state, and forget all but its last two."""
        self._kept[position] = state
        for old in sorted(self._kept)[:-2]:
            del self._kept[old]

    def deliver(self, run: str, key: tuple[Any, ...], letter: Any) -> None:
        """Take a letter of another node."""
        self._mail.put(run, key, letter)

    def abandon(self) -> None:
        """End whatever waits for another node."""
        self._mail.open(None)

    def close(self) -> None:
        """Remove what lies on the disk."""
        self.abandon()
        self._stack.close()
        self._pool.shutdown(wait=False)
        self._lock.release()
        shutil.rmtree(self._folder, ignore_errors=True)


class Here(NamedTuple):
    """What a node has, whatever it trains.

    Attributes
    ----------
    shelves : list of PartsOfText
    mail : Mail
    pool : ThreadPoolExecutor
    threads : int
    folder : path
    """

    shelves: list[PartsOfText]
    mail: Mail
    pool: ThreadPoolExecutor
    threads: int
    folder: Path


class Share:
    """What a node holds of a model, and does with it: what is common to all kinds.

    Parameters
    ----------
    here : Here
    config : TrainingConfig
    text : Text
    """

    def __init__(self, here: Here, config: TrainingConfig, text: Text) -> None:
        self._here, self._mail, self._pool = here, here.mail, here.pool
        self.threads = here.threads
        self._config, self._text = config, text
        self._position = NOWHERE
        self._sent: dict[str, int] = {}
        self.prepared: Any = None

    def load(self, number: int, bounds: Sequence[int], position: Position, *states: Any) -> None:
        """Take what this node owns, at the beginning of an episode.

        Parameters
        ----------
        number : int
            Of this node in the run.
        bounds : sequence of int
            Node k owns ``bounds[k]`` to ``bounds[k + 1]``.
        position : (int, int)
        *states : State
            Of whatever nodes, and at least of the owners here; none where :meth:`fill` follows.
        """
        self._number, self._bounds = number, list(bounds)
        self._owners = range(bounds[number], bounds[number + 1])
        self._position = position

    def prepare(self, run: str, post: Post) -> Any:
        """Do what the first episode waits for, together with all others."""
        raise NotImplementedError

    def fill(self, *args: Any) -> None:
        """Take what was learned before."""
        raise NotImplementedError

    def state(self, *args: Any) -> Any:
        """Copy what lies here."""
        raise NotImplementedError

    def are_finite(self) -> bool:
        """Whether every number here is finite."""
        raise NotImplementedError

    def episode(
        self, run: str, position: Position, stop: int, following: Position, post: Post
    ) -> Any:
        """Train on an episode, together with all others.

        Parameters
        ----------
        run : str
        position, stop : (int, int), int
            Where the episode begins and ends.
        following : (int, int)
            Where the next one begins.
        post : callable

        Raises
        ------
        AbandonedError
            If another node is lost, or this call does not follow the one before: Ray runs the later
            calls of an actor even where an earlier one failed.
        """
        if position != self._position:
            raise AbandonedError(f"Episode {position} does not follow {self._position}.")
        self._position = NOWHERE  # until it is done
        outcome = self._train_episode(run, position, stop, following, post)
        self._position = following
        return outcome

    def _train_episode(
        self, run: str, position: Position, stop: int, following: Position, post: Post
    ) -> Any:
        raise NotImplementedError

    def _check_is_whole(self) -> None:
        """Raise :class:`AbandonedError` if the episode before is not done."""
        if self._position == NOWHERE:
            raise AbandonedError("There is no state in the middle of an episode.")

    def _post(self, post: Post, run: str, node: int, key: tuple[Any, ...], letter: Any) -> None:
        if node == self._number:
            self._mail.put(run, key, letter)
        else:
            self._sent[key[0]] += sum(part.nbytes for part in letter)
            post(node, run, key, letter)


class Buckets(Share):
    """The share of a model that is trained in blocks: some buckets of both matrices."""

    def __init__(self, here: Here, config: TrainingConfig, text: Text) -> None:
        super().__init__(here, config, text)
        self._engine = SpreadEngine(config, text, here.shelves)
        spare = EncodedCorpus.in_memory(
            np.array([0, 1, 0, 1], np.int32), np.array([0, 4]), Vocabulary(["a", "b"], [2, 2])
        )
        small = replace(config, blocks=1, workers=1)
        engine = BlockEngine.from_corpus(spare, small)
        engine.prepare(Parameters.zeros(2, 2, config.vector_size))

    def load(self, number: int, bounds: Sequence[int], position: Position, *states: State) -> None:
        """Take the buckets of this node, at the beginning of an episode."""
        super().load(number, bounds, position)
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

    def fill(self, first: int, state: State) -> None:
        """Take rows of the buckets here, from row ``first`` of each."""
        rows = slice(first, first + state.W_in.shape[1])
        self._W_in[:, rows], self._W_out[:, rows] = state.W_in, state.W_out

    def state(self, first: int, last: int) -> State:
        """Copies of the buckets here, from row ``first`` of each to ``last``.

        Raises
        ------
        AbandonedError
            If the episode before is not done.
        """
        self._check_is_whole()
        rows = slice(first, last)
        return State(self._owners, self._W_in[:, rows].copy(), self._W_out[:, rows].copy())

    def are_finite(self) -> bool:
        """Whether every number of the buckets here is finite."""
        return all_finite(self._W_in, self._W_out)

    def _train_episode(
        self, run: str, position: Position, stop: int, following: Position, post: Post
    ) -> Outcome:
        self._sent = {"pairs": 0, "buckets": 0, "rows": 0}
        epoch, start = position
        spans = self._engine.units(start, stop)
        episode = Episode(self._engine, epoch, start, stop, spans, self._deal)
        self._exchange_pairs(run, episode, post)
        self._train(run, episode, post)
        self._exchange_rows(run, episode, self._engine.deal(*following), following, post)
        return Outcome(episode.losses, episode.n_pairs, self._sent)

    def _exchange_pairs(self, run: str, episode: Episode, post: Post) -> None:
        """Draw the pairs of the text here; send and take, so that the owners' are here."""
        B, bounds, position = episode.n_buckets, self._bounds, (episode.epoch, episode.start)
        hand_out(episode.drawing(), self._workers, self._pool)
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
        episode.pairs = []  # all are sent
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
        """Take all turns, W_out's buckets going round.

        The first owner's bucket is sent as soon as it is done, and that of the last one is not
        waited for before its turn comes: with several owners, others are trained meanwhile.
        """
        n_nodes, m = len(self._bounds) - 1, len(self._owners)
        position = episode.epoch, episode.start

        def train(worker: BlockWorker, i: int, place: int) -> None:
            # Owner i has the bucket in slot i + place; the first one's is then free for the last.
            turn, bucket = episode.turns[place], self._W_out[(i + place) % m]
            if i == m - 1 and place and n_nodes > 1:
                (bucket[:],) = self._mail.take(run, ("buckets", position, place - 1))
            worker.train(episode, turn, self._owners[i], self._W_in[i], bucket)
            if i == 0 and place + 1 < episode.n_buckets and n_nodes > 1:
                key = "buckets", position, place
                self._post(post, run, (self._number - 1) % n_nodes, key, (bucket,))

        for place in range(episode.n_buckets):
            episode.set_rate((place + 0.5) / episode.n_buckets)
            blocks = (partial(train, i=i, place=place) for i in range(m))
            hand_out(blocks, self._workers, self._pool)

    def _exchange_rows(
        self, run: str, episode: Episode, deal: Deal, following: Position, post: Post
    ) -> None:
        """Send every row to its owner by the next deal, and take those that come."""
        B, bounds, m = episode.n_buckets, np.array(self._bounds), len(self._owners)
        place, turn, position = B - 1, episode.turns[-1], (episode.epoch, episode.start)
        first = self._engine.first_turn(*following)
        for name, matrix in (("in", self._W_in), ("out", self._W_out)):
            buckets = [owner if name == "in" else (owner + turn) % B for owner in self._owners]
            slots = [i if name == "in" else (i + place) % m for i in range(m)]
            word = np.concatenate([episode.words(bucket) for bucket in buckets])
            slot = np.repeat(slots, episode.deal.sizes[buckets])
            owner = deal.bucket_of[word] if name == "in" else (deal.bucket_of[word] - first) % B
            node_of = np.searchsorted(bounds, owner, side="right") - 1
            for node in range(len(bounds) - 1):
                chosen = np.flatnonzero(node_of == node)
                rows = word[chosen], matrix[slot[chosen], word[chosen] // B]
                self._post(post, run, node, ("rows", name, position, self._number), rows)
        for name, new in (("in", self._next_in), ("out", self._next_out)):
            for node in range(len(bounds) - 1):
                word, values = self._mail.take(run, ("rows", name, position, node))
                bucket = deal.bucket_of[word]
                owner = bucket if name == "in" else (bucket - first) % B
                new[owner - self._owners.start, word // B] = values
        self._deal = deal
        self._W_in, self._next_in = self._next_in, self._W_in
        self._W_out, self._next_out = self._next_out, self._W_out


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
