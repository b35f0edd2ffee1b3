"""Second pass: provisional ids to final ones, once all counts are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wordgrad.text.tokens import END, WHITE_SPACE
from wordgrad.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    import polars as pl

_CHUNK = 1 << 20  # ids handled at a time
_DROPPED = -1


@dataclass(frozen=True)
class Types:
    """The distinct tokens of a text.

    Attributes
    ----------
    words : polars.Series of str
        Distinct, in no particular order.
    counts : int64 array
        How often each occurs.
    groups : int32 array
        Position in ``words`` of each provisional id, -1 for what is not a word.
    """

    words: pl.Series
    counts: NDArray[np.int64]
    groups: NDArray[np.int32]

    @classmethod
    def of(cls, tokens: pl.Series, counts: NDArray[np.int64], *, lowercase: bool) -> Types:
        """Leave out what is no word; with ``lowercase``, join tokens that differ in case alone.

        Parameters
        ----------
        tokens : polars.Series of str
            The token of each provisional id; null where a number was never given.
        counts : int64 array
            Of each provisional id; missing ones at the end are zero.
        """
        import polars as pl

        padded = np.zeros(len(tokens), dtype=np.int64)
        padded[: min(len(tokens), len(counts))] = counts[: len(tokens)]
        frame = pl.DataFrame({"word": tokens, "count": padded}).with_row_index("id")
        # Empty matches and tokens of white space alone (END is one) are not words.
        frame = frame.filter(pl.col("count") > 0, pl.col("word").str.strip_chars(WHITE_SPACE) != "")
        groups = np.full(len(tokens), _DROPPED, dtype=np.int32)
        if not lowercase:  # every token is a group by itself
            groups[frame["id"].to_numpy()] = np.arange(len(frame), dtype=np.int32)
            return cls(frame["word"], frame["count"].to_numpy(), groups)
        frame = frame.with_columns(pl.col("word").str.to_lowercase())
        joined = frame.group_by("word").agg(pl.col("count").sum(), "id")
        members = joined.select("id").with_row_index("group").explode("id")
        groups[members["id"].to_numpy()] = members["group"].to_numpy()
        return cls(joined["word"], joined["count"].to_numpy(), groups)


def choose_words(
    types: Types, *, min_count: int, max_vocab: int | None
) -> tuple[Vocabulary, NDArray[np.int32]]:
    """Vocabulary, and the final id of each provisional one (-1: dropped)."""
    import polars as pl

    frame = pl.DataFrame({"word": types.words, "count": types.counts}).with_row_index("group")
    # Polars compares strings byte by byte, which for UTF-8 is the order of code points.
    frame = frame.filter(pl.col("count") >= min_count).sort(
        ["count", "word"], descending=[True, False]
    )
    frame = frame.head(max_vocab) if max_vocab is not None else frame
    vocabulary = Vocabulary(frame["word"].to_list(), frame["count"].to_numpy())
    final_of_group = np.full(len(types.words) + 1, _DROPPED, dtype=np.int32)
    final_of_group[frame["group"].to_numpy()] = np.arange(len(frame), dtype=np.int32)
    return vocabulary, final_of_group[types.groups]  # group -1 is the last entry: dropped


def final_ids(ids_path: Path, offsets_path: Path, table: NDArray[np.int32]) -> int:
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

    Returns
    -------
    int
        Number of sentences that are left.
    """
    sentences = 0
    written = 0  # ids
    start = 0  # of the sentence in hand
    with open(ids_path, "rb+") as ids_file, open(offsets_path, "wb") as offsets_file:
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
            ends = ends[np.diff(ends, prepend=start) > 0]
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
