"""Text to ids in two passes: provisional ids while the words are counted, then final ones.

*First pass* (:class:`FirstPass`): pieces of text become provisional ids, in the order in which
words are met, and go to disk.  Between the passes, :func:`lowercased` joins what is one word and
:func:`choose_words` ranks the words.  *Second pass* (:func:`second_pass`): the ids on disk are
rewritten as final ones, and what was dropped closes up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.blocks import LONGEST_WHOLE_LINE, not_utf8, replace_invalid
from wordgrad.corpus.reader import Piece
from wordgrad.corpus.tokenizer import END, TextBlock, TokenBlock, Tokenizer, Types
from wordgrad.errors import InputError
from wordgrad.processes import forked_after_polars
from wordgrad.vocabulary import Vocabulary

WINDOW = 64 << 10
"""Bytes on each side of a cut that are looked at."""


class CutLines:
    """Lines too long to be matched whole, refused if their matches depend on where they are cut.

    A line is cut after white space.  A match that holds none lies on one side, so the cut can only
    matter to a match that holds white space, and to ``^``, ``$`` and their like, which look at
    their neighbours alone.  So the text on both sides of each cut is matched once as it is and once
    as it was.  What could escape is a match longer than :data:`WINDOW` bytes where no other match
    near any cut holds white space.

    Parameters
    ----------
    tokenizer : Tokenizer
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._left = b""  # end of a line that goes on
        self._name = "The text"

    def check(self, piece: Piece) -> None:
        """Compare the beginning of ``piece`` with the end of the one before.

        Raises
        ------
        InputError
            If the line should not have been cut between them.
        """
        if not isinstance(piece.block, TextBlock):
            return
        data = piece.block.data
        if self._left and self._tokenizer.depends_on_cut(
            self._left, data[:WINDOW].partition(b"\n")[0]
        ):
            raise InputError(
                f"{self._name} holds a line of more than {LONGEST_WHOLE_LINE >> 20} MiB, which is "
                "matched in parts, and the matches of pattern depend on where it is cut; break "
                "such lines, or use a pattern without ^ and $ whose matches hold no white space."
            )
        if piece.starts:
            self._name = piece.starts[-1].name
        self._left = b"" if data.endswith(b"\n") else data[-WINDOW:].rpartition(b"\n")[2]


@dataclass(frozen=True)
class ReadingProgress:
    """How far the reading is.

    Attributes
    ----------
    bytes_done : int
        Bytes read, as they lie on disk (compressed ones where they are).
    bytes_total : int or None
        Size of all files; None for standard input and for sentences in memory.
    tokens : int
        Tokens read so far.
    file : str
        Name of the file being read; empty for sentences in memory.
    """

    bytes_done: int
    bytes_total: int | None
    tokens: int
    file: str


ProgressCallback = Callable[[ReadingProgress], object]
_Encoded: TypeAlias = tuple[NDArray[np.uint32], int]  # ids, bytes replaced


class FirstPass:
    """Encodes pieces with some threads and writes the ids in the order of the text.

    Attributes
    ----------
    sentences : int
        Sentences written.
    bytes_done, replaced : int
        Bytes read, and how many of them were not UTF-8 and replaced.
    tokens : int
        Tokens written.
    starts : list of int
        Of each file, in their order, how many sentences came before it.  Empty files at the end are
        not in it.
    """

    def __init__(self, *, errors: str, bytes_total: int | None) -> None:
        self.sentences = 0
        self.bytes_done = 0
        self.replaced = 0
        self._errors = errors
        self._bytes_total = bytes_total
        self.tokens = 0
        self.starts: list[int] = []
        self._file = ""
        self._file_line = 0  # lines of all files before that one

    def run(
        self,
        pieces: Iterator[Piece],
        tokenizer: Tokenizer,
        write: Callable[[NDArray[np.uint32]], object],
        *,
        workers: int,
        progress: ProgressCallback | None,
    ) -> None:
        """Encode all ``pieces`` and hand the ids to ``write``, in the order of the text.

        At most ``workers + 1`` pieces are held at a time, whatever the length of the text.
        """
        waiting: deque[tuple[Piece, Future[_Encoded]]] = deque()
        cut_lines = CutLines(tokenizer)
        pool = ThreadPoolExecutor(workers, thread_name_prefix="wordgrad-text")
        try:
            for piece in pieces:
                cut_lines.check(piece)
                if len(waiting) > workers:
                    self._finish(*waiting.popleft(), write, progress)
                waiting.append((piece, pool.submit(self._encode, tokenizer, piece)))
            while waiting:
                self._finish(*waiting.popleft(), write, progress)
        finally:
            pool.shutdown(cancel_futures=True)

    def _encode(self, tokenizer: Tokenizer, piece: Piece) -> _Encoded:
        """Runs in a thread: kernels and Polars let the others go on meanwhile."""
        try:
            return tokenizer.encode(piece.block), piece.replaced
        except UnicodeDecodeError:
            if self._errors == "strict" or isinstance(piece.block, TokenBlock):
                raise
        data, replaced = replace_invalid(piece.block.data)
        return tokenizer.encode(TextBlock(data)), replaced

    def _finish(
        self,
        piece: Piece,
        future: Future[_Encoded],
        write: Callable[[NDArray[np.uint32]], object],
        progress: ProgressCallback | None,
    ) -> None:
        lines = self.sentences
        try:
            ids, replaced = future.result()
        except UnicodeDecodeError as error:
            raise self._not_utf8(piece, lines, error) from None
        write(ids)
        sentences = len(ids) - int(np.count_nonzero(ids))
        self.sentences += sentences
        self.tokens += len(ids) - sentences
        self.replaced += replaced
        self.bytes_done = piece.bytes_done
        if piece.starts and isinstance(piece.block, TextBlock):
            last = piece.starts[-1]
            self._file = last.name
            counted = at = 0
            for start in piece.starts:
                counted += piece.block.data.count(b"\n", at, start.offset)
                at = start.offset
                self.starts.append(lines + counted)
            self._file_line = self.starts[-1]
        if progress is not None:
            progress(ReadingProgress(piece.bytes_done, self._bytes_total, self.tokens, self._file))

    def _not_utf8(self, piece: Piece, lines: int, error: UnicodeDecodeError) -> InputError:
        """Name file and line; ``lines`` is the number of lines before the piece."""
        inside = [start for start in piece.starts if start.offset <= error.start]
        if inside:
            name, begin, before = inside[-1].name, inside[-1].offset, 0
        else:
            name, begin, before = self._file, 0, lines - self._file_line
        line = before + error.object.count(b"\n", begin, error.start) + 1
        return not_utf8(name, line, error)


_CHUNK = 1 << 20  # ids handled at a time
_DROPPED = -1


def lowercased(types: Types) -> Types:
    """Join tokens that differ in case alone."""
    words = types.words.at(np.arange(len(types.words)))
    if forked_after_polars():
        words = [word.lower() for word in words]
    else:
        import polars as pl

        words = pl.Series(words, dtype=pl.String).str.to_lowercase().to_list()
    tokenizer = Tokenizer()
    ids = tokenizer.encode(TokenBlock(words, [len(words)]))[:-1]
    joined = tokenizer.types()
    group_of_word = joined.groups[ids]
    counts = np.zeros(len(joined.words), dtype=np.int64)
    np.add.at(counts, group_of_word, types.counts)
    # Group -1 is the last entry: dropped.
    return Types(joined.words, counts, np.append(group_of_word, _DROPPED)[types.groups])


def choose_words(
    types: Types, *, min_count: int, max_vocab: int | None
) -> tuple[Vocabulary, NDArray[np.int32]]:
    """Vocabulary, and the final id of each provisional one (-1: dropped)."""
    # A word that has gone into phrases, all of it, is met no more, whatever min_count is.
    kept = np.flatnonzero(types.counts >= max(min_count, 1))
    order = types.words.ranked(kept, types.counts[kept])[:max_vocab]
    vocabulary = Vocabulary(types.words.at(order), types.counts[order])
    final_of_word = np.full(len(types.words) + 1, _DROPPED, dtype=np.int32)
    final_of_word[order] = np.arange(len(order), dtype=np.int32)
    return vocabulary, final_of_word[types.groups]  # group -1 is the last entry: dropped


def join_words(
    types: Types, known: Vocabulary, *, grow: bool, min_count: int, max_vocab: int | None
) -> tuple[Vocabulary, NDArray[np.int32]]:
    """A known vocabulary for a text, and the final id of each provisional one (-1: dropped).

    If it may ``grow``, counts add up, and the text's other words that occur ``min_count`` times
    join, the most frequent first, while there are fewer than ``max_vocab`` words.
    """
    words = types.words.at(np.arange(len(types.words)))
    ids = np.array([known.ids.get(word, _DROPPED) for word in words], dtype=np.int64)
    vocabulary = known
    if grow:
        counts = known.counts.copy()
        counts[ids[ids >= 0]] += types.counts[ids >= 0]
        unknown = np.flatnonzero((ids < 0) & (types.counts >= max(min_count, 1)))
        room = None if max_vocab is None else max(0, max_vocab - len(known))
        new = types.words.ranked(unknown, types.counts[unknown])[:room]
        vocabulary = Vocabulary.from_counts(
            [*known.words, *types.words.at(new)], np.concatenate([counts, types.counts[new]])
        )
        ids = np.array([vocabulary.ids.get(word, _DROPPED) for word in words], dtype=np.int64)
    final_of_word = np.append(ids, _DROPPED).astype(np.int32)
    return vocabulary, final_of_word[types.groups]  # group -1 is the last entry: dropped


def second_pass(
    ids_path: Path,
    offsets_path: Path,
    table: NDArray[np.int32],
    kept_path: Path | None = None,
) -> int:
    """Rewrite ``ids_path`` in place from uint32 provisional to int32 final ids; write offsets.

    Dropped tokens close up, and sentences without tokens vanish.  What is written is never longer
    than what has been read, so one file does for both.

    Parameters
    ----------
    ids_path : Path
        Read as uint32 with :data:`END` after each sentence; left as int32 without.
    offsets_path : Path
        New file of int64: where each sentence begins, and the end of the last.
    table : int32 array
        Final id of each provisional one, negative for those to drop.
    kept_path : Path, optional
        New file of int64: the number from 0, among all sentences, of each one that is left.

    Returns
    -------
    int
        Number of sentences that are left.
    """
    sentences = seen = 0
    written = 0  # ids
    start = 0  # of the sentence in hand
    with ExitStack() as files:
        ids_file = files.enter_context(open(ids_path, "rb+"))
        offsets_file = files.enter_context(open(offsets_path, "wb"))
        kept_file = files.enter_context(open(kept_path, "wb")) if kept_path else None
        offsets_file.write(np.zeros(1, dtype=np.int64).data)
        position = 0
        while True:
            ids_file.seek(position)
            provisional = np.frombuffer(ids_file.read(4 * _CHUNK), dtype=np.uint32)
            if len(provisional) == 0:
                break
            position += provisional.nbytes
            mapped = table[provisional]
            kept = mapped >= 0
            ends = written + _sentence_ends(provisional, kept)
            left = np.flatnonzero(np.diff(ends, prepend=start) > 0)
            if kept_file is not None:
                kept_file.write((seen + left).astype(np.int64).data)
            seen += len(ends)
            ends = ends[left]
            offsets_file.write(ends.data)
            sentences += len(ends)
            start = int(ends[-1]) if len(ends) else start
            final = mapped[kept]
            ids_file.seek(4 * written)
            ids_file.write(final.data)
            written += len(final)
        ids_file.truncate(4 * written)
    return sentences


def _sentence_ends(provisional: NDArray[np.uint32], kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of kept ids before each end of a sentence, which is itself not kept."""
    dropped = np.flatnonzero(~kept)
    rank = np.flatnonzero(provisional[dropped] == END)
    # The k-th dropped position has k dropped ones before it; the others are kept.
    ends: NDArray[np.int64] = dropped[rank] - rank
    return ends
