"""Distinct words of a text, numbered and counted: a hash table that Numba compiles.

A word has one row of ``slots``, 32 bytes, found by its hash and linear probing (open addressing,
at most two thirds full):

======  =============================================================
column  what it holds
======  =============================================================
0       length in bytes (upper 32 bits) and id (lower 32 bits); 0: free
1       where its bytes begin in the arena, which holds all words' bytes
2       its first eight bytes, so that most words are compared right here
3       how often it was met
======  =============================================================

A text is handled :data:`BATCH` tokens at a time.  First their ends and hashes are found, eight
bytes at a time.  Then their slots are loaded, which do not depend on one another, so the processor
waits for many of them at once: a table of a million words lies in no cache, and that wait is where
the time would go.  Only then are the words compared and counted.

The multiplier of the hash is drawn at random in each process, so nobody can make a text whose words
all collide.  No result depends on it.

:class:`WordIndex` finds words in a file's bytes, and :func:`scan_entries` those words.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from wordgrad.compiling import inline_jit, jit
from wordgrad.errors import InputError

BATCH = 64
"""Tokens whose slots are loaded together."""

IDS_AT_ONCE = 1 << 16
"""Numbers that a table takes at a time, so that several can number words without waiting."""

_FIRST_SLOTS = 1 << 10
_LONGEST = (1 << 31) - 1  # bytes of a token
_CHUNK = 1 << 24  # bytes of an arena that are searched at a time
_MULTIPLIER = np.uint64(secrets.randbits(64) | 1)
_SPARE = b" " * 8  # eight bytes are read at a time, and white space ends the last token

# What a byte means.
_ORDINARY, _SPACE, _LINE_END, _WIDE = 0, 1, 2, 3
_KINDS = np.zeros(256, dtype=np.uint8)
_KINDS[list(b"\t\x0b\x0c\r\x1c\x1d\x1e\x1f ")] = _SPACE
_KINDS[ord("\n")] = _LINE_END
_KINDS[[0xC2, 0xE1, 0xE2, 0xE3]] = _WIDE  # may begin white space of two or three bytes

# Fields of the state.
_POSITION, _WRITTEN, _ID, _ID_END, _USED, _TYPES, _TOUCHED = range(7)

_ID_BITS = 0xFFFFFFFF
_TOP_BITS = np.uint64(0x8080808080808080)
_LOWEST_LETTERS = np.uint64(0x2121212121212121)  # all ASCII white space is below
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE, _EIGHT, _HALF = np.uint64(1), np.uint64(8), np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


@intrinsic  # type: ignore[untyped-decorator]
def _load8(typingctx: Any, address: Any) -> Any:
    """Return the eight bytes at ``address``, the first as the lowest of a number."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.PointerType(ir.IntType(64)))
        number = builder.load(pointer, align=1)
        return number if sys.byteorder == "little" else builder.bswap(number)

    return types.uint64(types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _zeros_below(typingctx: Any, number: Any) -> Any:
    """Return how many zero bits are below the lowest one of ``number``, which is not 0."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@inline_jit
def _wide_space(data: Any, i: Any) -> Any:
    """Bytes of the white space beyond ASCII that begins at ``i``, or 0."""
    first, second, third = data[i], data[i + 1], data[i + 2]
    if first == 0xC2:  # U+0085, U+00A0
        return 2 if second == 0x85 or second == 0xA0 else 0
    if first == 0xE1:  # U+1680
        return 3 if second == 0x9A and third == 0x80 else 0
    if first == 0xE3:  # U+3000
        return 3 if second == 0x80 and third == 0x80 else 0
    if second == 0x80:  # U+2000 to U+200A, U+2028, U+2029, U+202F
        wide = third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF
        return 3 if wide else 0
    return 3 if second == 0x81 and third == 0x9F else 0  # U+205F


@inline_jit
def _up_to_8(address: Any, length: Any) -> Any:
    """Return the first eight bytes of a word, filled up with zeros."""
    mask = _ALL if length >= 8 else (_ONE << (_EIGHT * np.uint64(length))) - _ONE
    return _load8(address) & mask


@inline_jit
def _hash(address: Any, length: Any, multiplier: Any) -> Any:
    mixed = (_up_to_8(address, length) ^ np.uint64(length)) * multiplier
    for k in range(8, length, 8):
        mixed ^= mixed >> _HALF
        mixed = (mixed ^ _up_to_8(address + k, length - k)) * multiplier
    mixed ^= mixed >> _HALF
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> _HALF)


@inline_jit
def _slot(slots: Any, arena: Any, address: Any, length: Any, prefix: Any, hashed: Any) -> Any:
    """Where the word of ``length`` bytes at ``address`` is, or the free slot that it would take."""
    mask = np.uint64(slots.shape[0] - 1)
    place = hashed & mask
    while True:
        head = slots[place, 0]
        if head == 0:
            return place
        if slots[place, 2] == prefix and head >> 32 == length:
            other = arena + slots[place, 1]
            k = 8
            while k < length and _up_to_8(other + k, length - k) == _up_to_8(
                address + k, length - k
            ):
                k += 8
            if k >= length:
                return place
        place = (place + _ONE) & mask


@inline_jit
def _add(slots: Any, place: Any, id_: Any, arena: Any, state: Any, data: Any, start: Any,
         length: Any, prefix: Any) -> Any:  # fmt: skip
    used = state[_USED]
    for k in range(length):
        arena[used + k] = data[start + k]
    slots[place, 0] = length << 32 | id_
    slots[place, 1] = used
    slots[place, 2] = prefix
    state[_USED] = used + length
    state[_TYPES] += 1


@jit
def _number(slots: Any, arena: Any, arena_at: Any, state: Any, batch: Any, m: Any, data: Any,
            data_at: Any, ids: Any) -> Any:  # fmt: skip
    """Write the ids of the ``m`` tokens of a batch; return for how many there was room."""
    mask = np.uint64(slots.shape[0] - 1)
    touched = 0
    for j in range(m):
        touched ^= slots[np.uint64(batch[j, 2]) & mask, 0]
    state[_TOUCHED] = touched  # or the compiler would drop the loop
    written = state[_WRITTEN]
    for j in range(m):
        start, length, prefix = batch[j, 0], batch[j, 1], batch[j, 3]
        id_ = 0
        if length >= 0:
            place = _slot(slots, arena_at, data_at + start, length, prefix, np.uint64(batch[j, 2]))
            if slots[place, 0] == 0:
                if 3 * state[_TYPES] >= 2 * slots.shape[0] or state[_ID] == state[_ID_END]:
                    state[_WRITTEN] = written
                    return j
                _add(slots, place, state[_ID], arena, state, data, start, length, prefix)
                state[_ID] += 1
            slots[place, 3] += 1
            id_ = slots[place, 0] & _ID_BITS
        ids[written] = id_
        written += 1
    state[_WRITTEN] = written
    return m


@jit
def _number_text(
    data: Any, data_at: Any, n: Any, kinds: Any, multiplier: Any, slots: Any, arena: Any,
    arena_at: Any, state: Any, batch: Any, ids: Any,
) -> Any:  # fmt: skip
    """Number the tokens of a text from ``state[_POSITION]`` on; return whether all of them."""
    i = state[_POSITION]
    while i < n:
        m = 0
        while m < BATCH - 1 and i < n:
            start = i
            width = 0
            is_line_end = False
            while True:
                letters = _load8(data_at + i)
                # The top bit of each byte that is below 0x21 or above 0x7F.
                stops = (((letters - _LOWEST_LETTERS) & ~letters) | letters) & _TOP_BITS
                if stops == np.uint64(0):
                    i += 8
                    continue
                i += _zeros_below(stops) >> 3
                kind = kinds[data[i]]
                if kind == _ORDINARY:
                    i += 1
                    continue
                width = 1
                if kind == _WIDE:
                    width = _wide_space(data, i)
                    if width == 0:
                        i += 2
                        continue
                is_line_end = kind == _LINE_END and i < n
                break
            length = i - start
            if length > 0:
                batch[m, 0] = start
                batch[m, 1] = length
                batch[m, 2] = np.int64(_hash(data_at + start, length, multiplier))
                batch[m, 3] = np.int64(_up_to_8(data_at + start, length))
                m += 1
            if is_line_end:
                batch[m, 0] = i
                batch[m, 1] = -1
                batch[m, 2] = 0
                m += 1
            i += width
        done = _number(slots, arena, arena_at, state, batch, m, data, data_at, ids)
        if done < m:
            state[_POSITION] = batch[done, 0]
            return False
    return True


@jit
def _number_tokens(
    data: Any, data_at: Any, n: Any, sizes: Any, multiplier: Any, slots: Any, arena: Any,
    arena_at: Any, state: Any, batch: Any, ids: Any,
) -> Any:  # fmt: skip
    """The same for tokens of ``sizes`` bytes each."""
    start = state[_POSITION]
    token = state[_WRITTEN]
    while token < sizes.shape[0]:
        m = min(BATCH, sizes.shape[0] - token)
        for j in range(m):
            length = sizes[token + j]
            batch[j, 0] = start
            batch[j, 1] = length
            batch[j, 2] = np.int64(_hash(data_at + start, length, multiplier))
            batch[j, 3] = np.int64(_up_to_8(data_at + start, length))
            start += length
        done = _number(slots, arena, arena_at, state, batch, m, data, data_at, ids)
        if done < m:
            state[_POSITION] = batch[done, 0]
            return False
        token += m
    return True


@jit
def _copy_slots(slots: Any, larger: Any, arena_at: Any, multiplier: Any) -> Any:
    mask = np.uint64(larger.shape[0] - 1)
    for i in range(slots.shape[0]):
        head = slots[i, 0]
        if head != 0:
            place = _hash(arena_at + slots[i, 1], head >> 32, multiplier) & mask
            while larger[place, 0] != 0:
                place = (place + _ONE) & mask
            for k in range(4):
                larger[place, k] = slots[i, k]


@jit
def _absorb(
    slots: Any, arena: Any, arena_at: Any, state: Any, others: Any, data: Any, data_at: Any,
    multiplier: Any, first: Any, same: Any,
) -> Any:  # fmt: skip
    """Add the words of another table from its slot ``first`` on; return where room ran out."""
    for i in range(first, others.shape[0]):
        head = others[i, 0]
        if head != 0:
            if 3 * state[_TYPES] >= 2 * slots.shape[0]:
                return i
            start, length, prefix = others[i, 1], head >> 32, others[i, 2]
            hashed = _hash(data_at + start, length, multiplier)
            place = _slot(slots, arena_at, data_at + start, length, prefix, hashed)
            if slots[place, 0] == 0:
                _add(slots, place, head & _ID_BITS, arena, state, data, start, length, prefix)
            slots[place, 3] += others[i, 3]
            same[head & _ID_BITS] = slots[place, 0] & _ID_BITS
    return others.shape[0]


@jit
def _list_words(slots: Any, ids: Any, starts: Any, sizes: Any, prefixes: Any, counts: Any) -> Any:
    n = 0
    for i in range(slots.shape[0]):
        head = slots[i, 0]
        if head != 0:
            ids[n] = head & _ID_BITS
            sizes[n] = head >> 32
            starts[n] = slots[i, 1]
            prefixes[n] = slots[i, 2]
            counts[n] = slots[i, 3]
            n += 1


@inline_jit
def _same(one: Any, other: Any, length: Any) -> Any:
    """Whether the ``length`` bytes at two addresses are the same."""
    k = 0
    while k < length and _up_to_8(one + k, length - k) == _up_to_8(other + k, length - k):
        k += 8
    return k >= length


@inline_jit
def _tagged_slot(slots: Any, data_at: Any, offsets: Any, address: Any, length: Any,
                 hashed: Any) -> Any:  # fmt: skip
    """Where the word at ``address`` is among slots of tag and row, or the free slot for it."""
    mask = np.uint64(slots.size - 1)
    place = hashed & mask
    while slots[place] != 0:
        if (slots[place] ^ hashed) >> _HALF == 0:
            row = np.int64(slots[place] & _LOW) - 1
            same_size = offsets[row + 1] - offsets[row] == length
            if same_size and _same(data_at + offsets[row], address, length):
                break
        place = (place + _ONE) & mask
    return place


@jit
def _enter_words(data_at: Any, offsets: Any, slots: Any, multiplier: Any, batch: Any) -> Any:
    """Enter all words; return the first that an earlier one equals, and that one, or -1 and -1."""
    mask = np.uint64(slots.size - 1)
    touched = np.uint64(0)
    n = offsets.size - 1
    for first in range(0, n, batch.size):
        m = min(batch.size, n - first)
        for j in range(m):
            start = offsets[first + j]
            batch[j] = _hash(data_at + start, offsets[first + j + 1] - start, multiplier)
            touched ^= slots[batch[j] & mask]
        for j in range(m):
            row = first + j
            start = offsets[row]
            place = _tagged_slot(
                slots, data_at, offsets, data_at + start, offsets[row + 1] - start, batch[j]
            )
            if slots[place] != 0:
                return row, np.int64(slots[place] & _LOW) - 1
            slots[place] = (batch[j] & ~_LOW) | np.uint64(row + 1)
    batch[0] = touched  # or the compiler would drop the loads
    return -1, -1


@jit
def _row_of(data_at: Any, offsets: Any, slots: Any, multiplier: Any, word: Any) -> Any:
    """Row of a word (uint8, with eight more bytes), or -1."""
    length = word.size - 8
    address = word.ctypes.data
    hashed = _hash(address, length, multiplier)
    return (
        np.int64(slots[_tagged_slot(slots, data_at, offsets, address, length, hashed)] & _LOW) - 1
    )


class WordIndex:
    """Rows of words that lie one after another, found without making a string of any.

    A slot is a hash's upper half and, in the lower one, 1 + the row; 0 if it is free.

    Parameters
    ----------
    data : uint8 array
    offsets : int64 (V + 1,)
        Word ``i`` is ``data[offsets[i] : offsets[i + 1]]``; at most 2**31 words.

    Attributes
    ----------
    twice : (int, int) or None
        The first row whose word an earlier row has, and that row; then words after
        it are not found.

    Examples
    --------
    >>> index = WordIndex(np.frombuffer(b"catdog", np.uint8), np.array([0, 3, 6]))
    >>> index.find(b"dog"), index.find(b"do"), index.twice
    (1, -1, None)
    """

    def __init__(self, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        n = len(offsets) - 1
        self._data = np.concatenate((data, np.frombuffer(_SPARE, np.uint8)))
        self._offsets = np.ascontiguousarray(offsets, np.int64)
        self._slots = np.zeros(1 << (3 * n // 2 + 1).bit_length(), np.uint64)
        second, first = _enter_words(
            self._data.ctypes.data, self._offsets, self._slots, _MULTIPLIER,
            np.empty(BATCH, np.uint64),
        )  # fmt: skip
        self.twice = None if second < 0 else (second, first)

    def find(self, word: bytes) -> int:
        """Return the row of a word, or -1."""
        given = np.frombuffer(word + _SPARE, np.uint8)
        at = self._data.ctypes.data
        return int(_row_of(at, self._offsets, self._slots, _MULTIPLIER, given))


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


def scan_entries(
    data: NDArray[np.uint8], n_entries: int, n_words: int
) -> tuple[tuple[int, int, int], NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Read the entries of a dictionary of fastText (:mod:`wordgrad.io.fasttext_model`).

    Every byte is read once, some 20 a word: nothing can be faster.

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
    >>> outcome, text, offsets, counts = scan_entries(np.frombuffer(entry, np.uint8), 1, 1)
    >>> outcome == (WHOLE, 1, 13), text.tobytes(), offsets.tolist(), counts.tolist()
    (True, b'cat', [0, 3], [5])
    """
    text = np.empty(max(len(data) - AFTER_WORD * n_entries, 0), np.uint8)
    offsets, counts = np.zeros(n_entries + 1, np.int64), np.zeros(n_entries, np.int64)
    outcome = _scan(data, n_words, text, offsets, counts)
    return outcome, text[: offsets[-1]], offsets, counts


def _prefix(word: bytes) -> int:
    """First eight bytes of a word, filled up with zeros, as :func:`_load8` has them."""
    return int.from_bytes(word[:8].ljust(8, b"\0"), "little", signed=True)


@jit
def _separate(data: Any, n: Any, kinds: Any, out: Any) -> Any:
    """Copy UTF-8 with a space at every edge between tokens; return the length of the copy.

    kinds : uint8, of each character: 0 of words, 1 white space, 2 sign, 3 apostrophe.
    """
    written = 0
    i = 0
    word_before = False  # the token so far is a word
    apostrophe = -1  # where one stands after a word
    while i < n:
        byte = data[i]
        if byte < 0x80:
            width, code = 1, np.int64(byte)
        elif byte < 0xE0:
            width, code = 2, np.int64(byte & 0x1F)
        elif byte < 0xF0:
            width, code = 3, np.int64(byte & 0x0F)
        else:
            width, code = 4, np.int64(byte & 0x07)
        for k in range(1, width):
            code = code << 6 | np.int64(data[i + k] & 0x3F)
        kind = kinds[code] if code < kinds.size else 0
        if apostrophe >= 0:
            if kind != 0:  # nothing follows it: it is a sign
                out[written] = 32
                written += 1
                word_before = False
            for k in range(apostrophe, i):
                out[written] = data[k]
                written += 1
            if kind == 0:
                word_before = True
            elif kind != 1:
                out[written] = 32
                written += 1
            apostrophe = -1
        elif kind == 2 or (kind != 1 and not word_before):
            out[written] = 32
            written += 1
        if kind == 3 and word_before:
            apostrophe = i
        else:
            for k in range(width):
                out[written] = data[i + k]
                written += 1
            word_before = kind == 0
        i += width
    for k in range(apostrophe if apostrophe >= 0 else n, n):
        out[written] = data[k]
        written += 1
    return written


def separated(text: bytes, kinds: NDArray[np.uint8]) -> bytes:
    """Text with white space between its words and signs.

    Parameters
    ----------
    text : bytes
        UTF-8, which is not checked.
    kinds : uint8 array
        Of each character: 0 of words, 1 white space, 2 sign, 3 apostrophe, which is a word's
        between two of its characters, else a sign.  A character beyond the array is a word's.
    """
    data = np.frombuffer(text, dtype=np.uint8)
    out = np.empty(2 * len(data) + 1, dtype=np.uint8)
    return out[: _separate(data, len(data), kinds, out)].tobytes()


class Words:
    """Distinct words in no particular order, as bytes: a million strings would take much room.

    Parameters
    ----------
    arena : uint8 array
    starts, sizes : int64 and int32 array
        Of each word's bytes in the arena.
    prefixes : int64 array
        First eight bytes of each.
    """

    def __init__(
        self,
        arena: NDArray[np.uint8],
        starts: NDArray[np.int64],
        sizes: NDArray[np.int32],
        prefixes: NDArray[np.int64],
    ) -> None:
        self._arena = memoryview(arena)  # type: ignore[arg-type]
        self._starts, self._sizes, self._prefixes = starts, sizes, prefixes

    def __len__(self) -> int:
        """Return the number of words."""
        return len(self._starts)

    def at(self, places: NDArray[np.integer]) -> list[str]:
        """Words at some places."""
        starts = self._starts[places]
        ends = starts + self._sizes[places]
        arena = self._arena
        return [
            str(arena[a:b], "utf-8") for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
        ]

    def find(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Places of some words, -1 for those that are not here."""
        strings = [word.encode(errors="surrogatepass") for word in words]
        # Only words that begin like one of these become strings.
        alike = np.flatnonzero(np.isin(self._prefixes, [_prefix(one) for one in strings]))
        found = dict(zip(self.at(alike), alike.tolist(), strict=True))
        return np.array([found.get(word, -1) for word in words], dtype=np.int64)

    def holding(self, part: str) -> NDArray[np.int64]:
        """Places of the words that hold ``part``, rising."""
        data = part.encode()
        arena = np.asarray(self._arena)
        order = np.argsort(self._starts, kind="stable")
        starts = self._starts[order]
        found = set()
        for first in range(0, len(arena), _CHUNK):
            begins = np.flatnonzero(arena[first : first + _CHUNK] == data[0]) + first
            found.update(order[np.searchsorted(starts, begins, side="right") - 1].tolist())
        places = np.array(sorted(found), dtype=np.int64)
        holds = [part in word for word in self.at(places)]
        return places[holds]

    def extended(self, words: Sequence[str]) -> Words:
        """These words, and after them some that are not among them."""
        strings = [word.encode() for word in words]
        used = int((self._starts + self._sizes).max(initial=0))
        sizes = np.array([len(one) for one in strings], dtype=np.int32)
        ends = used + np.cumsum(sizes, dtype=np.int64)
        arena = np.concatenate(
            (np.asarray(self._arena)[:used], np.frombuffer(b"".join(strings), dtype=np.uint8))
        )
        return Words(
            arena,
            np.concatenate((self._starts, ends - sizes)),
            np.concatenate((self._sizes, sizes)),
            np.concatenate((self._prefixes, np.array([_prefix(one) for one in strings], np.int64))),
        )

    def ranked(self, places: NDArray[np.integer], counts: NDArray[np.int64]) -> NDArray[np.integer]:
        """Places by falling ``counts``; words of one count in the order of their code points.

        UTF-8 has the order of the code points.
        """
        first = self._prefixes[places].view(np.uint64)
        first = first.byteswap() if sys.byteorder == "little" else first
        order = np.lexsort((first, -counts))
        places, first, counts = places[order], first[order], counts[order]
        ties = (first[1:] == first[:-1]) & (counts[1:] == counts[:-1])
        edges = np.flatnonzero(np.diff(ties, prepend=False, append=False))
        arena, starts, sizes = self._arena, self._starts, self._sizes
        for begin, end in edges.reshape(-1, 2).tolist():
            run = places[begin : end + 1].tolist()
            run.sort(key=lambda i: bytes(arena[starts[i] : starts[i] + sizes[i]]))
            places[begin : end + 1] = run
        return places


def _free_slots(size: int) -> NDArray[np.int64]:
    """Slots that begin with a cache line, so that none lies in two; 10% faster."""
    room = np.empty(4 * size + 7, dtype=np.int64)
    begin = -(room.ctypes.data // 8) % 8
    slots = room[begin : begin + 4 * size].reshape(size, 4)
    slots.fill(0)
    return slots


class WordTable:
    """Words that one thread has met, their numbers and how often each was met.

    Parameters
    ----------
    new_ids : callable
        Returns the first of :data:`IDS_AT_ONCE` numbers that no table uses yet.
    """

    def __init__(self, new_ids: Callable[[], int]) -> None:
        self._new_ids = new_ids
        self._slots = _free_slots(_FIRST_SLOTS)
        self._arena = np.empty(len(_SPARE), dtype=np.uint8)
        self._state = np.zeros(7, dtype=np.int64)
        self._batch = np.empty((BATCH, 4), dtype=np.int64)

    def __len__(self) -> int:
        """Return the number of words."""
        return int(self._state[_TYPES])

    def number_text(self, text: bytes) -> NDArray[np.uint32]:
        """Ids of what white space separates in UTF-8, which is not checked; 0 for a line feed."""
        return self._number(_number_text, text, _KINDS, len(text))

    def number_tokens(self, text: bytes, sizes: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Ids of tokens that lie one after another in ``text`` and have ``sizes`` bytes each.

        Raises
        ------
        InputError
            If a token is too long.
        """
        if (longest := int(sizes.max(initial=0))) > _LONGEST:
            raise InputError(
                f"A token may have {_LONGEST} bytes, got one of {longest}; split it into several."
            )
        return self._number(_number_tokens, text, sizes, len(sizes))

    def _number(
        self, kernel: Any, text: bytes, cuts: NDArray[Any], most: int
    ) -> NDArray[np.uint32]:
        data = np.frombuffer(text + _SPARE, dtype=np.uint8)
        ids = np.empty(most, dtype=np.uint32)
        state = self._state
        state[[_POSITION, _WRITTEN]] = 0
        self._make_arena(len(text))
        while not kernel(
            data, data.ctypes.data, len(text), cuts, _MULTIPLIER, self._slots, self._arena,
            self._arena.ctypes.data, state, self._batch, ids,
        ):  # fmt: skip
            if state[_ID] == state[_ID_END]:
                first = self._new_ids()
                state[_ID], state[_ID_END] = max(first, 1), first + IDS_AT_ONCE
            self._make_slots()
        return ids[: state[_WRITTEN]]

    def _make_slots(self) -> None:
        """Have room for another word."""
        if 3 * len(self) >= 2 * len(self._slots):
            larger = _free_slots(2 * len(self._slots))
            _copy_slots(self._slots, larger, self._arena.ctypes.data, _MULTIPLIER)
            self._slots = larger

    def _make_arena(self, room: int) -> None:
        """Have ``room`` bytes free; pages that are never written take no memory."""
        used = int(self._state[_USED])
        if used + room + len(_SPARE) > len(self._arena):
            arena = np.empty(used + max(room, used // 2) + len(_SPARE), dtype=np.uint8)
            arena[:used] = self._arena[:used]
            self._arena = arena

    def absorb(self, other: WordTable, same: NDArray[np.uint32]) -> None:
        """Add the words and counts of another table.

        Parameters
        ----------
        other : WordTable
        same : uint32 array
            Of each id of ``other``; receives the id of the same word here.
        """
        self._make_arena(int(other._state[_USED]))
        place = 0
        while place < len(other._slots):
            self._make_slots()
            place = _absorb(
                self._slots, self._arena, self._arena.ctypes.data, self._state, other._slots,
                other._arena, other._arena.ctypes.data, _MULTIPLIER, place, same,
            )  # fmt: skip

    def words(self) -> tuple[Words, NDArray[np.uint32], NDArray[np.int64]]:
        """Words with their ids and counts."""
        n = len(self)
        ids = np.empty(n, dtype=np.uint32)
        starts, prefixes, counts = np.empty((3, n), dtype=np.int64)
        sizes = np.empty(n, dtype=np.int32)
        _list_words(self._slots, ids, starts, sizes, prefixes, counts)
        return Words(self._arena, starts, sizes, prefixes), ids, counts
