"""The dictionary of a fastText model, read by a compiled scan.

A large one takes seconds in Python: two million words are as many objects, and some of their bytes
are met several times.  Here every byte is read once, from the mapped file, and what is kept are the
words' bytes, one after another, their offsets and their counts.  Nothing can be faster than to read
those bytes, some 20 a word; what the scan takes beyond that is the jumps at the words' ends.

The layout is in :mod:`wordgrad.io.fasttext_model`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.compiling import jit

WHOLE, CUT_SHORT, WRONG_TYPE, WRONG_COUNT = range(4)
AFTER_WORD = 10
"""Bytes of an entry after its word: a zero, the count, the type."""


@jit
def _scan(data: Any, n_words: Any, text: Any, offsets: Any, counts: Any) -> Any:
    """Fill ``text``, ``offsets`` and ``counts``; return what ended it, the entry, the byte."""
    n, place, used = data.size, 0, 0
    for entry in range(counts.size):
        while place < n and used < text.size and data[place] != 0:
            text[used] = data[place]
            used += 1
            place += 1
        if n - place < AFTER_WORD or data[place] != 0:
            return CUT_SHORT, entry, place
        if data[place + 9] != (entry >= n_words):
            return WRONG_TYPE, entry, place
        count = np.int64(0)
        for k in range(8, 0, -1):
            count = count << 8 | np.int64(data[place + k])
        if count < 0:
            return WRONG_COUNT, entry, place
        counts[entry] = count
        place += AFTER_WORD
        offsets[entry + 1] = used
    return WHOLE, counts.size, place


def scan(
    data: NDArray[np.uint8], n_entries: int, n_words: int
) -> tuple[tuple[int, int, int], NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Read the entries of a dictionary.

    Parameters
    ----------
    data : uint8 array
        The bytes that it may take: at least ten an entry.
    n_entries, n_words : int
        The first are words, the others labels.

    Returns
    -------
    (outcome, entry, byte)
        :data:`WHOLE`, and where it ends; or what is wrong, with which entry, and where.
    text : uint8 array
        The bytes of all entries.
    offsets : int64 (n_entries + 1,)
        Entry e is ``text[offsets[e] : offsets[e + 1]]``.
    counts : int64 (n_entries,)

    Examples
    --------
    >>> entry = b"cat" + bytes([0, 5, 0, 0, 0, 0, 0, 0, 0, 0])
    >>> outcome, text, offsets, counts = scan(np.frombuffer(entry, np.uint8), 1, 1)
    >>> outcome == (WHOLE, 1, 13), text.tobytes(), offsets.tolist(), counts.tolist()
    (True, b'cat', [0, 3], [5])
    """
    text = np.empty(max(len(data) - AFTER_WORD * n_entries, 0), np.uint8)
    offsets, counts = np.zeros(n_entries + 1, np.int64), np.zeros(n_entries, np.int64)
    outcome = _scan(data, n_words, text, offsets, counts)
    return outcome, text[: offsets[-1]], offsets, counts
