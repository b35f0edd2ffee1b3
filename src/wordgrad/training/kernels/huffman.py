"""The tree of the hierarchical softmax: a Huffman code of the words, from their counts.

Order of ties, that of word2vec.c: words stand by falling count, equal ones in the order of their
ids.  Twice per step the lighter end is taken, of the leaves that are left (from the rarest on) and
of the inner nodes (in the order in which they were made); where both weigh the same, the inner
node.  The first taken becomes the child of turn 0, the second that of turn 1.  So the tree is a
function of ids and counts alone, and a training can be continued from its rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.compiling import jit
from wordgrad.errors import ParameterError
from wordgrad.maths import log_sigmoid


@dataclass(frozen=True)
class HuffmanTree:
    """Paths from the root to every word.

    Inner nodes are numbered from 0 in the order in which they were made, so that the root is
    V - 2; node n has the output vector ``W_out[n]``.

    Attributes
    ----------
    offsets : int64 (V + 1,)
        Word w has the path ``nodes[offsets[w]:offsets[w + 1]]``.
    nodes : int32 (P,)
        Inner nodes, from the root on.
    turns : int8 (P,)
        0 or 1: which child comes next.  Turn 0 has the probability sigmoid(u_n . h).

    Examples
    --------
    >>> tree = HuffmanTree.from_counts([5, 2, 1, 1])
    >>> [tree.path(word)[1].tolist() for word in range(4)]
    [[1], [0, 1], [0, 0, 1], [0, 0, 0]]
    >>> tree.path(3)[0].tolist(), tree.n_nodes, tree.longest
    ([2, 1, 0], 3, 3)
    """

    offsets: NDArray[np.int64]
    nodes: NDArray[np.int32]
    turns: NDArray[np.int8]

    @classmethod
    def from_counts(cls, counts: ArrayLike) -> HuffmanTree:
        """Build the tree of words with these counts, in any order.

        Raises
        ------
        ParameterError
            If there are fewer than two words: a word alone has no path.
        """
        numbers = np.asarray(counts, np.int64)
        V = len(numbers)
        if V < 2:
            raise ParameterError(
                f"The hierarchical softmax needs at least two words, got {V}; a word alone has no "
                "path in a tree."
            )
        order = np.argsort(-numbers, kind="stable")
        parents, turns = np.zeros(2 * V - 1, np.int64), np.zeros(2 * V - 1, np.int8)
        join_lightest(numbers[order], parents, turns)
        depths = np.zeros(2 * V - 1, np.int64)
        at = np.arange(V)  # leaves, then all their ancestors at once, until the root
        while (inner := at < 2 * V - 2).any():
            depths[:V] += inner
            at = np.where(inner, parents[at], at)
        sizes = np.zeros(V, np.int64)
        sizes[order] = depths[:V]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        nodes, taken = np.zeros(offsets[-1], np.int32), np.zeros(offsets[-1], np.int8)
        at, place = np.arange(V), offsets[order + 1] - 1
        while (inner := at < 2 * V - 2).any():
            taken[place[inner]] = turns[at[inner]]
            at = np.where(inner, parents[at], at)
            nodes[place[inner]] = at[inner] - V
            place -= inner
        return cls(offsets, nodes, taken)

    @property
    def n_words(self) -> int:
        """V."""
        return len(self.offsets) - 1

    @property
    def n_nodes(self) -> int:
        """V - 1, the inner nodes."""
        return self.n_words - 1

    @property
    def longest(self) -> int:
        """Nodes of the longest path."""
        return int(np.diff(self.offsets).max())

    def path(self, word: int) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
        """Return the nodes and turns of a word's path."""
        part = slice(self.offsets[word], self.offsets[word + 1])
        return self.nodes[part], self.turns[part]

    def outputs(
        self, targets: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int8]]:
        """Return rows of ``W_out``, offsets and signs of a batch's outputs.

        Parameters
        ----------
        targets : int32 (B, N)
            A word each, whose path it is, and its negatives.  With N = 1 and no negatives, the
            path is all; else the word and its negatives follow, in rows V - 1 + id.

        Returns
        -------
        outputs : int32 (M,)
        offsets : int64 (B + 1,)
        signs : int8 (M,)
            +1 for turn 0 and for a word, -1 for turn 1 and for a negative.
        """
        centres = targets[:, 0].astype(np.int64)
        first = self.offsets[centres]
        sizes = self.offsets[centres + 1] - first
        beside = 0 if targets.shape[1] == 1 else targets.shape[1]
        offsets = np.concatenate([[0], np.cumsum(sizes + beside)])
        outputs, signs = np.zeros(offsets[-1], np.int32), np.zeros(offsets[-1], np.int8)
        before = np.concatenate([[0], np.cumsum(sizes)])
        within = np.arange(before[-1]) - np.repeat(before[:-1], sizes)
        # From the word up, as kernels take a path.
        source = np.repeat(first + sizes - 1, sizes) - within
        place = np.repeat(offsets[:-1], sizes) + within
        outputs[place] = self.nodes[source]
        signs[place] = 1 - 2 * self.turns[source]
        if beside:
            place = (offsets[:-1] + sizes)[:, np.newaxis] + np.arange(beside)
            outputs[place] = self.n_nodes + targets
            signs[place] = np.where(np.arange(beside) == 0, 1, -1)
        return outputs, offsets, signs

    def log_probabilities(self, h: ArrayLike, W_out: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return log p(w | h) of every word, float64 (V,): their exponentials sum to 1.

        ``log p(w | h) = sum over the path's nodes n of log sigmoid(s_n u_n . h)``, with s_n = +1
        for turn 0 and -1 for turn 1; see ``docs/derivations/hierarchical-softmax.md``.

        Parameters
        ----------
        h : array (D,)
        W_out : array (at least V - 1, D)
        """
        scores = np.asarray(W_out[: self.n_nodes], np.float64) @ np.asarray(h, np.float64)
        logarithms = np.stack([log_sigmoid(scores), log_sigmoid(-scores)])
        return np.add.reduceat(logarithms[self.turns, self.nodes], self.offsets[:-1])


def children(counts: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the children of every node, int32 (2, 2 V - 1): those of turn 0, and those of turn 1.

    Leaves, the first V nodes, have -1; the inner nodes follow in the order in which they were made.

    Parameters
    ----------
    counts : int64 (V,)
        Never rising.

    Examples
    --------
    >>> children(np.array([5, 2, 1])).tolist()
    [[-1, -1, -1, 2, 3], [-1, -1, -1, 1, 0]]
    """
    n = 2 * len(counts) - 1
    parents, turns = np.zeros(n, np.int64), np.zeros(n, np.int8)
    join_lightest(counts, parents, turns)
    found = np.full((2, n), -1, np.int32)
    found[turns[:-1], parents[:-1]] = np.arange(n - 1)
    return found


@jit
def join_lightest(counts: Any, parents: Any, turns: Any) -> None:
    """Join the two lightest nodes until one is left.

    Words that fall in count and inner nodes that rise by themselves are two sorted queues, so that
    the lightest is at one of two ends, and no heap is needed: O(V).

    Parameters
    ----------
    counts : int64 (V,)
        Never rising.
    parents : int64 (2 V - 1,)
        Written: the parent of each leaf 0..V - 1 and of each inner node V..2 V - 3.
    turns : int8 (2 V - 1,)
        Written: 1 for a second child.  All 0 before.
    """
    V = len(counts)
    weights = np.zeros(V - 1, np.int64)
    leaf, inner = V - 1, 0  # the lightest of each that is left
    for made in range(V - 1):
        for turn in range(2):
            if leaf >= 0 and (inner == made or counts[leaf] < weights[inner]):
                child = leaf
                weights[made] += counts[leaf]
                leaf -= 1
            else:
                child = V + inner
                weights[made] += weights[inner]
                inner += 1
            parents[child] = V + made
            turns[child] = turn
