"""Neighbours counted, and phrases joined, over the provisional ids of a text on disk.

A *candidate* is two words with nothing between them but connector words (those of "bank of
america"): first word, what is between, second word.  A connector word neither begins nor ends one,
and every other word both ends the candidate before it and begins the next.  :func:`count_phrases`
counts them in one pass, :meth:`PhraseCounts.phrases` chooses those whose score is above the
threshold, and :func:`join` rewrites the ids in another pass: from left to right, a word joins the
one before it where they are a phrase, and a phrase joins nothing more until the next pass.

Nothing of the text is held in memory: the candidates are, in a hash table of 16 bytes a slot.

======  ==========================================================================
column  what it holds
======  ==========================================================================
0       the places of both words among the types (upper and lower 32 bits)
1       number of what is between (upper 24 bits) and the count (lower 40); 0: free
======  ==========================================================================

It is not :mod:`~wordgrad.corpus.word_table`, which keeps the bytes of what it counts and takes
three times as much for a pair, and which has no need to forget.  This one does: past ``max_pairs``
candidates it drops the rarest, as word2vec.c and gensim do, and says how many occurrences it no
longer knows of.  What is between two words is numbered by a tree of connector words, of at most
:data:`MOST_BETWEEN` nodes.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.compiling import inline_jit, jit
from wordgrad.corpus.phrase_table import Pass, PhraseSettings, PhraseTable
from wordgrad.corpus.tokenizer import Types
from wordgrad.corpus.word_table import Words
from wordgrad.maths.phrases import npmi, phrase_score

MOST_BETWEEN = 1 << 20
"""Sequences of connector words that are told apart; a candidate with another is not counted."""

_CHUNK = 1 << 20  # ids handled at a time
_FIRST_SLOTS = 1 << 12
_BATCH = 64  # candidates whose slots are loaded together
_COUNT_BITS = 40
_COUNT = (1 << _COUNT_BITS) - 1
_MULTIPLIER = np.uint64(secrets.randbits(64) | 1)  # nobody can make a text whose pairs collide
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_HALF, _ONE = np.uint64(32), np.uint64(1)

# Fields of the state of a pass.
_START, _BETWEEN, _START_AT, _WRITTEN, _NODES, _USED, _MISSED, _TOUCHED = range(8)


@inline_jit
def _hash(key: Any, between: Any, multiplier: Any) -> Any:
    mixed = (np.uint64(key) ^ (np.uint64(between) << _HALF)) * multiplier
    mixed = (mixed ^ (mixed >> _HALF)) * _MIX
    return mixed ^ (mixed >> _HALF)


@inline_jit
def _slot(slots: Any, key: Any, between: Any, hashed: Any) -> Any:
    """Where a candidate is, or the free slot that it would take."""
    mask = np.uint64(slots.shape[0] - 1)
    place = hashed & mask
    while slots[place, 1] != 0:
        if slots[place, 0] == key and slots[place, 1] >> _COUNT_BITS == between:
            break
        place = (place + _ONE) & mask
    return place


@inline_jit
def _longer(nodes: Any, tree: Any, state: Any, between: Any, word: Any, grows: Any) -> Any:
    """Return the node for one more connector word, or -1 if there is none and none is made."""
    key = (between << 32 | word) + 1
    mask = np.uint64(nodes.shape[0] - 1)
    place = _hash(key, 0, _MIX) & mask
    while nodes[place, 0] != 0:
        if nodes[place, 0] == key:
            return nodes[place, 1]
        place = (place + _ONE) & mask
    if not grows or state[_NODES] == tree.shape[0]:
        return -1
    node = state[_NODES]
    state[_NODES] = node + 1
    nodes[place, 0] = key
    nodes[place, 1] = node
    tree[node, 0] = between
    tree[node, 1] = word
    return node


@jit
def _list_candidates(
    ids: Any, groups: Any, connects: Any, nodes: Any, tree: Any, state: Any, keys: Any, between: Any
) -> Any:
    """Write the candidates of some ids, and return how many there are."""
    n = 0
    start, middle = state[_START], state[_BETWEEN]
    for i in range(ids.shape[0]):
        if ids[i] == 0:
            start = -1
            middle = 0
            continue
        word = np.int64(groups[ids[i]])
        if not connects[word]:
            if start >= 0:
                keys[n] = start << 32 | word
                between[n] = middle
                n += 1
            start = word
            middle = 0
        elif start >= 0:
            middle = _longer(nodes, tree, state, middle, word, True)
            if middle < 0:
                start = -1
                middle = 0
                state[_MISSED] += 1
    state[_START], state[_BETWEEN] = start, middle
    return n


@jit
def _count(
    slots: Any, keys: Any, between: Any, first: Any, n: Any, multiplier: Any, most: Any, state: Any
) -> Any:
    """Count the candidates from ``first`` on; return where the table was full."""
    mask = np.uint64(slots.shape[0] - 1)
    while first < n:
        end = min(first + _BATCH, n)
        # The slots do not depend on one another: the processor waits for many of them at once.
        touched = 0
        for i in range(first, end):
            touched ^= slots[_hash(keys[i], between[i], multiplier) & mask, 1]
        state[_TOUCHED] = touched  # or the compiler would drop the loop
        for i in range(first, end):
            place = _slot(slots, keys[i], between[i], _hash(keys[i], between[i], multiplier))
            if slots[place, 1] == 0:
                if 3 * state[_USED] >= 2 * slots.shape[0] or state[_USED] >= most:
                    return i
                slots[place, 0] = keys[i]
                slots[place, 1] = between[i] << _COUNT_BITS
                state[_USED] += 1
            slots[place, 1] += 1
        first = end
    return n


@jit
def _copy_above(slots: Any, larger: Any, level: Any, multiplier: Any) -> Any:
    """Copy what was met more than ``level`` times; return how much, and what the others counted."""
    copied = lost = 0
    for i in range(slots.shape[0]):
        if slots[i, 1] != 0:
            if slots[i, 1] & _COUNT > level:
                between = slots[i, 1] >> _COUNT_BITS
                place = _slot(larger, slots[i, 0], between, _hash(slots[i, 0], between, multiplier))
                larger[place, 0] = slots[i, 0]
                larger[place, 1] = slots[i, 1]
                copied += 1
            else:
                lost += slots[i, 1] & _COUNT
    return copied, lost


@jit
def _join(
    ids: Any, groups: Any, connects: Any, nodes: Any, tree: Any, slots: Any, joined: Any,
    multiplier: Any, state: Any, out: Any, counts: Any,
) -> None:  # fmt: skip
    """Join the phrases of some ids; what may still be joined stays at the end of ``out``.

    ``slots`` hold, where a table of counts has the count, the number of the phrase from 1 on, and
    ``joined`` the place of its word among the types.
    """
    k, at = state[_WRITTEN], state[_START_AT]
    start, middle = state[_START], state[_BETWEEN]
    for i in range(ids.shape[0]):
        if ids[i] == 0:
            out[k] = 0
            k += 1
            start = -1
            middle = 0
            continue
        word = np.int64(groups[ids[i]])
        out[k] = word + 1
        k += 1
        if connects[word]:
            if start >= 0:
                middle = _longer(nodes, tree, state, middle, word, False)
                if middle < 0:
                    start = -1
                    middle = 0
            continue
        if start >= 0:
            key = start << 32 | word
            place = _slot(slots, key, middle, _hash(key, middle, multiplier))
            if slots[place, 1] != 0:
                for j in range(at, k):
                    counts[out[j] - 1] -= 1
                word = joined[(slots[place, 1] & _COUNT) - 1]
                out[at] = word + 1
                counts[word] += 1
                k = at + 1
                start = -1
                middle = 0
                continue
        start = word
        at = k - 1
        middle = 0
    state[_WRITTEN], state[_START_AT] = k, at if start >= 0 else k
    state[_START], state[_BETWEEN] = start, middle


class _Between:
    """What is between two words: sequences of connector words, each with a number; 0 is none."""

    def __init__(self, most: int) -> None:
        size = 1 << (most - 1).bit_length()
        # Pages that are never written take no memory.
        self.nodes = np.zeros((2 * size, 2), dtype=np.int64)
        self.tree = np.zeros((size, 2), dtype=np.int64)

    def words(self, node: int) -> tuple[int, ...]:
        """Places of the connector words of a node."""
        found: list[int] = []
        while node:
            node, word = self.tree[node].tolist()
            found.append(word)
        return tuple(reversed(found))


def _new_slots(entries: int) -> NDArray[np.int64]:
    size = _FIRST_SLOTS
    while 2 * size < 3 * (entries + 1):
        size *= 2
    return np.zeros((size, 2), dtype=np.int64)


def _new_state() -> NDArray[np.int64]:
    state = np.zeros(8, dtype=np.int64)
    state[_START] = -1
    state[_NODES] = 1  # the root: nothing
    return state


def _chunks(ids_path: Path) -> Iterator[NDArray[np.uint32]]:
    with open(ids_path, "rb") as file:
        while len(chunk := np.frombuffer(file.read(4 * _CHUNK), dtype=np.uint32)):
            yield chunk


@dataclass(frozen=True)
class Phrases:
    """Phrases of one pass, as places among the types of a text.

    Attributes
    ----------
    words : tuple of tuple of int
        First word, what is between, last word.
    scores : float64 array
    counts : int64 array
    """

    words: Sequence[tuple[int, ...]]
    scores: NDArray[np.float64]
    counts: NDArray[np.int64]


class PhraseCounts:
    """How often words and candidates were met; made by :func:`count_phrases`.

    Attributes
    ----------
    types : Types
    tokens : int
        N, words of the text, connector words among them.
    pairs : int
        Distinct candidates that are counted.
    pruned : int
        Occurrences of candidates that were dropped for being rare when there were too many.
    most_lost : int
        No candidate's count is too small by more than this.
    missed : int
        Runs of connector words that were one too many to be told apart.
    """

    def __init__(self, types: Types, connects: NDArray[np.bool_], max_pairs: int) -> None:
        self.types = types
        self.tokens = int(types.counts.sum())
        self.pruned = self.most_lost = 0
        self._connects = connects
        self._max_pairs = max_pairs
        self._between = _Between(MOST_BETWEEN if connects.any() else 1)
        self._slots = _new_slots(0)
        self._state = _new_state()
        self._level = 0

    @property
    def pairs(self) -> int:
        """Distinct candidates that are counted."""
        return int(self._state[_USED])

    @property
    def missed(self) -> int:
        """Runs of connector words that were one too many to be told apart."""
        return int(self._state[_MISSED])

    def read(self, ids_path: Path) -> None:
        """Count the candidates of a text."""
        keys, between = np.empty((2, _CHUNK), dtype=np.int64)
        for ids in _chunks(ids_path):
            n = _list_candidates(
                ids, self.types.groups, self._connects, self._between.nodes, self._between.tree,
                self._state, keys, between,
            )  # fmt: skip
            done = 0
            while True:
                done = _count(
                    self._slots, keys, between, done, n, _MULTIPLIER, self._max_pairs, self._state
                )
                if done == n:
                    break
                self._make_room()

    def _make_room(self) -> None:
        if self.pairs < self._max_pairs:
            larger = _new_slots(2 * self.pairs)
            _copy_above(self._slots, larger, 0, _MULTIPLIER)
            self._slots = larger
            return
        lost_at_most = 0
        # A quarter is free afterwards: or the next candidates would ask for room again.
        while 4 * self.pairs > 3 * self._max_pairs:
            self._level += 1
            fewer = np.zeros_like(self._slots)
            self._state[_USED], lost = _copy_above(self._slots, fewer, self._level, _MULTIPLIER)
            self._slots = fewer
            self.pruned += int(lost)
            lost_at_most = self._level
        self.most_lost += lost_at_most

    def candidates(self) -> Iterator[tuple[NDArray[np.int64], ...]]:
        """First words, second words, what is between and counts, some at a time."""
        for first in range(0, len(self._slots), _CHUNK):
            slots = self._slots[first : first + _CHUNK]
            slots = slots[slots[:, 1] != 0]
            yield (
                slots[:, 0] >> 32,
                slots[:, 0] & 0xFFFFFFFF,
                slots[:, 1] >> _COUNT_BITS,
                slots[:, 1] & _COUNT,
            )

    @property
    def scored_types(self) -> int:
        """L of :func:`~wordgrad.maths.phrase_score`: distinct words, without connectors, and pairs.

        It is gensim's, whose vocabulary of phrases holds both.
        """
        return int(np.count_nonzero(self.types.counts[~self._connects])) + self.pairs

    def phrases(self, *, score: str, threshold: float, min_count: int) -> Phrases:
        """Candidates whose score is above the threshold, in no particular order."""
        words: list[tuple[int, ...]] = []
        scores, counts = [], []
        of_word = self.types.counts
        for first, second, between, pairs in self.candidates():
            if score == "npmi":
                found = npmi(pairs, of_word[first], of_word[second], max(self.tokens, 2))
                found[pairs < min_count] = -math.inf
            else:
                found = phrase_score(
                    pairs, of_word[first], of_word[second], self.scored_types, min_count
                )
            kept = found > threshold
            scores.append(found[kept])
            counts.append(pairs[kept])
            middle = [self._between.words(node) for node in between[kept].tolist()]
            words += [
                (a, *inside, b)
                for a, inside, b in zip(
                    first[kept].tolist(), middle, second[kept].tolist(), strict=True
                )
            ]
        return Phrases(words, np.concatenate(scores), np.concatenate(counts))

    def joined_counts(self, delimiter: str) -> dict[str, int]:
        """Every candidate, joined, and how often it was met: as much memory as strings take."""
        found: dict[str, int] = {}
        words = self.types.words
        inside: dict[int, list[str]] = {}
        for first, second, between, pairs in self.candidates():
            for node in np.unique(between).tolist():
                if node not in inside:
                    inside[node] = words.at(np.array(self._between.words(node), dtype=np.int64))
            for a, node, b, count in zip(
                words.at(first), between.tolist(), words.at(second), pairs.tolist(), strict=True
            ):
                key = delimiter.join((a, *inside[node], b))
                found[key] = found.get(key, 0) + count
        return found


def count_phrases(
    ids_path: Path, types: Types, connectors: NDArray[np.int64], *, max_pairs: int
) -> PhraseCounts:
    """Count the candidates of an encoded text, in one pass over its provisional ids.

    Parameters
    ----------
    ids_path : Path
        uint32, with :data:`~wordgrad.corpus.tokenizer.END` after each sentence.
    types : Types
        Of that text.
    connectors : int64 array
        Places of the connector words among the types, -1 for those that it does not hold.
    max_pairs : int
        When there are more candidates, the rarest are dropped.  16 bytes a slot, and at most three
        slots a candidate.
    """
    counts = PhraseCounts(types, _connects(types, connectors), max_pairs)
    counts.read(ids_path)
    return counts


def _connects(types: Types, connectors: NDArray[np.int64]) -> NDArray[np.bool_]:
    connects = np.zeros(len(types.words), dtype=np.bool_)
    connects[connectors[connectors >= 0]] = True
    return connects


def join(
    ids_path: Path,
    types: Types,
    connectors: NDArray[np.int64],
    phrases: Sequence[tuple[int, ...]],
    delimiter: str,
) -> Types:
    """Rewrite the ids in place, phrases as one word, and return the types of the new text.

    A joined phrase that is spelled like a word of the text is that word.

    Parameters
    ----------
    ids_path, types, connectors
        As in :func:`count_phrases`.
    phrases : sequence of tuple of int
        Places of the words of each.
    delimiter : str
        Between the words of a phrase.

    Returns
    -------
    Types
        The words, at the places that they had, then the phrases that are new words.
    """
    types_, joined = _with_phrases(types, phrases, delimiter)
    between = _Between(2 + sum(len(phrase) - 2 for phrase in phrases))
    state = _new_state()
    slots = _new_slots(len(phrases))
    for number, (first, *inside, last) in enumerate(phrases, start=1):
        node = 0
        for word in inside:
            node = _node(between, state, node, word)
        _put(slots, first << 32 | last, node, number, _MULTIPLIER)
    connects = _connects(types, connectors)
    written = before = 0
    out = np.empty(_CHUNK, dtype=np.uint32)
    with open(ids_path, "rb+") as file:
        while True:
            file.seek(4 * before)
            ids = np.frombuffer(file.read(4 * _CHUNK), dtype=np.uint32)
            if len(ids) == 0:
                break
            before += len(ids)
            held = int(state[_WRITTEN])
            if held + len(ids) > len(out):
                out = np.concatenate((out[:held], np.empty(len(ids), dtype=np.uint32)))
            _join(
                ids, types.groups, connects, between.nodes, between.tree, slots, joined,
                _MULTIPLIER, state, out, types_.counts,
            )  # fmt: skip
            # What is written is never longer than what has been read, so one file does for both.
            done, end = int(state[_START_AT]), int(state[_WRITTEN])
            file.seek(4 * written)
            file.write(out[:done].data)
            written += done
            out[: end - done] = out[done:end].copy()
            state[[_START_AT, _WRITTEN]] = 0, end - done
        file.seek(4 * written)
        file.write(out[: int(state[_WRITTEN])].data)
        file.truncate(4 * (written + int(state[_WRITTEN])))
    return types_


@jit
def _put(slots: Any, key: Any, between: Any, number: Any, multiplier: Any) -> None:
    place = _slot(slots, key, between, _hash(key, between, multiplier))
    slots[place, 0] = key
    slots[place, 1] = between << _COUNT_BITS | number


@jit
def _grow(nodes: Any, tree: Any, state: Any, between: Any, word: Any) -> Any:
    return _longer(nodes, tree, state, between, word, True)


def _node(between: _Between, state: NDArray[np.int64], node: int, word: int) -> int:
    return int(_grow(between.nodes, between.tree, state, node, word))


def _with_phrases(
    types: Types, phrases: Sequence[tuple[int, ...]], delimiter: str
) -> tuple[Types, NDArray[np.int64]]:
    """Types with the phrases among them, and the place of each; ids are places plus 1."""
    spelled = [delimiter.join(parts) for parts in _spelled(types.words, phrases)]
    old = types.words.holding(delimiter)
    place_of = dict(zip(types.words.at(old), old.tolist(), strict=True))
    n = len(types.words)
    new: list[str] = []
    for word in spelled:
        if word not in place_of:
            place_of[word] = n + len(new)
            new.append(word)
    words: Words = types.words.extended(new)
    counts = np.concatenate((types.counts, np.zeros(len(new), dtype=np.int64)))
    groups = np.arange(-1, len(words), dtype=np.int32)
    return Types(words, counts, groups), np.array([place_of[w] for w in spelled], dtype=np.int64)


def learn_passes(
    ids_path: Path, types: Types, settings: PhraseSettings, passes: int, *, keep: bool = True
) -> tuple[PhraseTable, Types]:
    """Learn phrases from a text and join them in it, as many times as there are passes.

    Parameters
    ----------
    ids_path, types
        As in :func:`count_phrases`.
    settings : PhraseSettings
    passes : int
    keep : bool
        Whether the ids must have the phrases of the last pass, too.
    """
    connectors = types.words.find(settings.connector_words)
    found: list[Pass] = []
    report: list[dict[str, int]] = []
    for number in range(1, passes + 1):
        counts = count_phrases(ids_path, types, connectors, max_pairs=settings.max_pairs)
        phrases = counts.phrases(
            score=settings.score, threshold=settings.threshold, min_count=settings.min_count
        )
        spelled = _spelled(types.words, phrases.words)
        # Where a phrase is among the types depends on which thread met it first.
        order = sorted(range(len(spelled)), key=lambda i: (-phrases.scores[i], spelled[i]))
        found.append(
            Pass([spelled[i] for i in order], phrases.scores[order], phrases.counts[order])
        )
        report.append(
            {
                "tokens": counts.tokens,
                "words": int(np.count_nonzero(types.counts)),
                "pairs": counts.pairs,
                "pruned": counts.pruned,
                "most_lost": counts.most_lost,
                "missed": counts.missed,
            }
        )
        if number == 1:  # later there are phrases among them
            holding = types.words.holding(settings.delimiter)
            report[0]["holding_delimiter"] = len(holding)
            report[0]["occurrences"] = int(types.counts[holding].sum())
        if number < passes or keep:
            types = join(ids_path, types, connectors, phrases.words, settings.delimiter)
    return PhraseTable(settings, found, report), types


def join_phrases(
    ids_path: Path, types: Types, phrases: PhraseTable | int
) -> tuple[PhraseTable, Types]:
    """Join the phrases of a table in a text, or those learned from it in so many passes.

    Parameters and results are those of :func:`learn_passes`.
    """
    if isinstance(phrases, int):
        return learn_passes(ids_path, types, PhraseSettings.checked(), phrases)
    connectors = types.words.find(phrases.settings.connector_words)
    for one in phrases.passes:
        parts = types.words.find([word for phrase in one.phrases for word in phrase]).tolist()
        found, first = [], 0
        for phrase in one.phrases:
            places = tuple(parts[first : first + len(phrase)])
            first += len(phrase)
            if min(places) >= 0:  # all its words are in this text
                found.append(places)
        types = join(ids_path, types, connectors, found, phrases.settings.delimiter)
    return phrases, types


def _spelled(words: Words, phrases: Sequence[tuple[int, ...]]) -> list[tuple[str, ...]]:
    parts = iter(words.at(np.array([p for phrase in phrases for p in phrase], dtype=np.int64)))
    return [tuple(next(parts) for _ in phrase) for phrase in phrases]
