"""The coordinator of a cluster: reads a text with all nodes, and replaces those that are lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.cluster.engine import BlockClusterEngine, ClusterEngine, SoftmaxClusterEngine
from wordgrad.cluster.machines import MOST_LOSSES, LostError, Machines
from wordgrad.cluster.node import (
    PIECES_AN_EPISODE,
    Buckets,
    Piece,
    Read,
    Rows,
    Share,
    Text,
)
from wordgrad.cluster.softmax import (
    Columns,
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
    Engine,
    TrainingProgress,
)
from wordgrad.training.engines.blocks import (
    EPISODES_AN_EPOCH,
    buckets_of,
    check_buckets,
    pairs_of_token,
    tokens_of_episode,
)
from wordgrad.training.engines.softmax import (
    check_budget,
    estimate,
)
from wordgrad.training.kernels.blocks import MOST_ROWS
from wordgrad.training.parameters import Parameters, row_floats
from wordgrad.training.sampling import reach_of
from wordgrad.vocabulary import Vocabulary

BUCKETS_A_THREAD, LEAST_WORDS = 4, 16
"""By default: while one bucket moves, the others are trained; and of each some words, from which
negatives are drawn."""

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
