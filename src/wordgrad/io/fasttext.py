"""Word vectors in a model of fastText (``.bin``): read only.

Layout
------
As fastText 0.9 writes it (``FastText::saveModel``, ``Args::save``, ``Dictionary::save``,
``DenseMatrix::save``); all numbers little-endian, without padding:

===================== =========================================================================
int32                 793712314, which tells the format
int32                 version: 12, or 11
12 int32              dim (D), ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn,
                      maxn, lrUpdateRate
float64               t
3 int32               entries, words (V), labels
2 int64               tokens, pruned n-grams (-1: none were pruned)
for each entry:       UTF-8 bytes, a zero byte, int64 count, int8 type (0 word, 1 label); the words
                      come first
for each pruned one:  2 int32
bool                  whether the input matrix is quantised (``.ftz``)
2 int64               rows (V + buckets), D
float32 each          the input matrix
===================== =========================================================================

The output matrix that follows is not needed, and not read.

The vector of a word is the mean of its own row and those of its character n-grams (Bojanowski et
al. 2017, "Enriching word vectors with subword information", equation 2, with a mean in place of
the sum, as fastText computes it): of ``<word>``, all pieces of minn to maxn characters but the lone
``<`` and ``>``.  A piece is row V + (hash mod bucket), with FNV-1a over its bytes taken as signed
(``Dictionary::hash``).  The end of a sentence, ``</s>``, has no n-grams; if maxn is 0, no word has.
A pruned model has quantised rows in practice; both are refused.

Design
------
The n-grams of a block of words are hashed together: from every first byte of a character one hash
runs on, a byte of all of them at a time.  A sparse matrix product sums the rows.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError
from wordgrad.io.common import LoadOptions, VectorParts, WordDecoder, assembled

MAGIC = struct.pack("<i", 793712314)
VERSIONS = (11, 12)
SUPERVISED = 3  # in the field "model"
WORDS_AT_ONCE = 1 << 12
END_OF_SENTENCE = b"</s>"
REMEDY = "fetch a whole copy."
_HEAD = struct.Struct("<4si12id3i2q")
_ENTRY = struct.Struct("<qb")
_MATRIX = struct.Struct("<?2q")


@dataclass(frozen=True)
class _Model:
    """What the head of the file says."""

    size: int
    bucket: int
    minn: int
    maxn: int
    entries: int
    words: int


def read(path: Path, options: LoadOptions) -> VectorParts:
    """Read a file of this format; see :func:`wordgrad.load`."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        model = _head(path, mapped)
        names, counts, place = _entries(path, mapped, model)
        names = names[: options.rows(model.words)]
        decoder = WordDecoder(path, options.errors)
        words = decoder.decode(names, 0)
        start, rows = _matrix_place(path, mapped, place, model)
    # A map of its own, for an array must not outlive the one above.
    table = np.memmap(path, dtype="<f4", mode="r", offset=start, shape=(rows, model.size))
    vectors = np.empty((len(words), model.size), dtype=np.float32)
    for first in range(0, len(words), WORDS_AT_ONCE):
        part = slice(first, first + WORDS_AT_ONCE)
        vectors[part] = _means(np.asarray(table), names[part], first, model)
    return assembled(
        path, words, vectors, options, counts=counts[: len(words)], remarks=decoder.remarks
    )


def _head(path: Path, mapped: mmap.mmap) -> _Model:
    if len(mapped) < _HEAD.size or mapped[:4] != MAGIC:
        raise FormatError(
            f"{path} is not a model of fastText: it does not begin with its number; name its "
            "format (--from), or fetch a whole copy."
        )
    _, version, *numbers = _HEAD.unpack_from(mapped)
    size, kind, bucket, minn, maxn = (numbers[place] for place in (0, 7, 8, 9, 10))
    entries, words, labels, _, pruned = numbers[13:]
    if version not in VERSIONS:
        raise FormatError(
            f"{path} is of version {version} of fastText's format, and {VERSIONS} are read; save "
            "it with fastText 0.9."
        )
    if version == 11 and kind == SUPERVISED:
        maxn = 0  # such models were made without character n-grams, whatever they say
    if pruned > 0:
        raise FormatError(
            f"{path} is a quantised model of fastText with pruned n-grams; use the model it was "
            "made from (.bin, not .ftz)."
        )
    room = len(mapped) - _HEAD.size
    if min(size, words) < 1 or min(bucket, minn, maxn, labels) < 0 or words + labels != entries:
        raise FormatError(
            f"{path} is damaged: it promises {words} words, {labels} labels, {entries} entries, "
            f"{size} values and {bucket} buckets; {REMEDY}"
        )
    if entries * (1 + _ENTRY.size) + 4 * size * words > room:
        raise FormatError(
            f"{path} promises {entries} entries with {size} values, which do not fit into its "
            f"{room} bytes; {REMEDY}"
        )
    return _Model(size, bucket, minn, maxn, entries, words)


def _entries(
    path: Path, mapped: mmap.mmap, model: _Model
) -> tuple[list[bytes], NDArray[np.int64], int]:
    """Names and counts of all entries, and where the next part begins."""
    names = []
    counts = np.empty(model.entries, dtype=np.int64)
    place, total = _HEAD.size, len(mapped)
    for entry in range(model.entries):
        end = mapped.find(b"\0", place)
        if end < 0 or end + 1 + _ENTRY.size > total:
            raise FormatError(f"{path} is cut short in entry {entry} of its dictionary; {REMEDY}")
        names.append(mapped[place:end])
        counts[entry], kind = _ENTRY.unpack_from(mapped, end + 1)
        if kind != (entry >= model.words):
            raise FormatError(
                f"{path} is damaged: entry {entry} of its dictionary has type {kind}; {REMEDY}"
            )
        place = end + 1 + _ENTRY.size
    return names, counts, place


def _matrix_place(path: Path, mapped: mmap.mmap, place: int, model: _Model) -> tuple[int, int]:
    """Where the input matrix begins, and how many rows it has."""
    start = place + _MATRIX.size
    if start > len(mapped):
        raise FormatError(f"{path} is cut short before its matrix; {REMEDY}")
    quantised, rows, size = _MATRIX.unpack_from(mapped, place)
    if quantised:
        raise FormatError(
            f"{path} is a quantised model of fastText (.ftz), whose vectors are approximations; "
            "use the model it was made from (.bin)."
        )
    needed = model.words + model.bucket if model.maxn else model.words
    if size != model.size or rows < needed:
        raise FormatError(
            f"{path} is damaged: its matrix is {rows} x {size}, for {needed} rows of {model.size} "
            f"values; {REMEDY}"
        )
    if 4 * rows * size > len(mapped) - start:
        raise FormatError(
            f"{path} is cut short: its matrix of {rows} x {size} does not fit into the "
            f"{len(mapped) - start} bytes that are left; {REMEDY}"
        )
    return start, rows


def _means(
    table: NDArray[np.float32], words: list[bytes], first: int, model: _Model
) -> NDArray[np.float32]:
    """Vectors of a block of words, whose own rows begin at ``first``."""
    own = np.arange(len(words))
    if model.maxn == 0 or model.bucket == 0:
        return table[first : first + len(words)]
    from scipy.sparse import csr_array  # a quarter of a second to import

    owners, hashes = ngram_hashes(words, model.minn, model.maxn)
    places = np.concatenate([own, owners])
    order = np.argsort(places, kind="stable")
    rows = np.concatenate([own + first, model.words + hashes % model.bucket])
    counts = np.bincount(places, minlength=len(words))
    bounds = np.concatenate([[0], np.cumsum(counts)])
    used, columns = np.unique(rows[order], return_inverse=True)
    ones = np.ones(len(order), dtype=np.float32)
    sums = csr_array((ones, columns, bounds), shape=(len(words), len(used))) @ table[used]
    return np.asarray(sums / counts[:, None].astype(np.float32))


def ngram_hashes(
    words: list[bytes], minn: int, maxn: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which word each character n-gram belongs to, and its hash; sorted by neither.

    Words are bytes, as in the file: fastText hashes those that are no whole characters, too.

    >>> owners, hashes = ngram_hashes([b"a"], 1, 3)
    >>> len(owners)  # "a", "<a", "a>" and "<a>"
    4
    """
    spans = [b"" if w == END_OF_SENTENCE else b"<%b>" % w for w in words]
    ends = np.cumsum([len(span) for span in spans])
    data = np.frombuffer(b"".join(spans), dtype=np.uint8)
    owner = np.repeat(np.arange(len(words)), [len(span) for span in spans])
    begins = np.flatnonzero((data & 0xC0) != 0x80)  # not inside a character
    begins_character = np.append((data & 0xC0) != 0x80, True)
    first_of_word = (ends - [len(span) for span in spans])[owner]
    signed = data.view(np.int8).astype(np.int32).view(np.uint32)
    place, stop, word = begins.copy(), ends[owner[begins]], owner[begins]
    lone_end = begins == first_of_word[begins]  # "<" by itself is no n-gram, nor is ">"
    state = np.full(len(begins), 2166136261, dtype=np.uint32)
    owners, hashes = [], []
    for length in range(1, maxn + 1):
        running = place < stop
        if not running.any():  # whatever maxn a damaged file claims, words end
            break
        place, stop, word = place[running], stop[running], word[running]
        state, lone_end = state[running], lone_end[running]
        inside = np.ones(len(place), dtype=bool)
        while inside.any():  # the bytes of one character
            state[inside] = (state[inside] ^ signed[place[inside]]) * np.uint32(16777619)
            place[inside] += 1
            inside &= (place < stop) & ~begins_character[place]
        if length >= minn:
            kept = ~(lone_end | (place == stop)) if length == 1 else np.ones(len(place), dtype=bool)
            owners.append(word[kept])
            hashes.append(state[kept].astype(np.int64))
    return np.concatenate([*owners, np.empty(0, np.int64)]), np.concatenate(
        [*hashes, np.empty(0, np.int64)]
    )
