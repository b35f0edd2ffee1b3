r"""What a classifier's scores mean: one of the classes, some of them, or a way down a tree.

=========================  =====================================================================
``softmax``                one question with C answers; several labels of a text share the target
``one-vs-all``             C questions, each yes or no: a text may have several labels, or none
``hierarchical-softmax``   C - 1 questions, of which a label asks those on its way from the root
                           of a Huffman tree: about log2 C of them, fewer for frequent labels
=========================  =====================================================================

With z the scores (one a question) and y the labels of a text, n of them:

.. math:: J = -\tfrac1n \sum_{c \in y} \log \mathrm{softmax}(z)_c, \qquad
          J = -\sum_c \log \sigma(\pm z_c), \qquad
          J = -\tfrac1n \sum_{c \in y} \sum_{j \in path(c)} \log \sigma(\pm z_j)

and the gradients are :func:`wordgrad.maths.cross_entropy`'s, that of
:func:`wordgrad.maths.binary_cross_entropy`, and the latter's on the nodes of a path (Morin and
Bengio, *Hierarchical probabilistic neural network language model*, 2005; Mikolov et al. 2013).  In
the tree, the probability of a label is the product of the answers on its way, and those of all
labels sum to 1.  Smoothing s leaves 1 - s of a target in its place: the rest is shared by all
classes, or by yes and no.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordgrad.maths.functions import sigmoid, softmax

LOSSES: Final = ("softmax", "one-vs-all", "hierarchical-softmax")


class Tree(NamedTuple):
    """A Huffman tree of C classes, whose questions are its C - 1 inner nodes.

    left, right : int32 (2 C - 1,)
        Children: classes are nodes 0 to C - 1, the root is the last; -1 for a class.
    nodes : int32 (P,), signs : float32 (P,), offsets : int64 (C + 1,)
        Class c asks ``nodes[offsets[c]:offsets[c + 1]]``, from the root, counted from 0 for node C;
        the answer is yes (right) where the sign is 1, and no (left) where it is -1.
    """

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    nodes: NDArray[np.int32]
    signs: NDArray[np.float32]
    offsets: NDArray[np.int64]


NO_TREE = Tree(
    np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32),
    np.zeros(1, np.int64),
)  # fmt: skip
"""For losses without one."""


def class_tree(counts: NDArray[np.int64]) -> Tree:
    """Huffman's tree of classes that occur so often, int64 (C,), C >= 2.

    >>> tree = class_tree(np.array([1, 8, 2]))
    >>> np.diff(tree.offsets).tolist()  # the most frequent class asks one question
    [2, 1, 2]
    """
    from wordgrad.training.kernels.huffman import HuffmanTree, children

    n, tree = len(counts), HuffmanTree.from_counts(counts)
    order = np.argsort(-counts, kind="stable")
    left, right = children(counts[order])
    names = np.concatenate([order, np.arange(n, 2 * n - 1)]).astype(np.int32)
    inner = slice(n, None)
    left[inner], right[inner] = names[left[inner]], names[right[inner]]
    signs = (2 * tree.turns - 1).astype(np.float32)
    return Tree(left, right, tree.nodes, signs, tree.offsets)


def probabilities(loss: str, logits: NDArray[np.float64], tree: Tree) -> NDArray[np.float64]:
    """Probability of every class: float64 (N, C); rows sum to 1 but with ``one-vs-all``."""
    if loss == "softmax":
        return np.asarray(softmax(logits), np.float64)
    answers = np.asarray(sigmoid(logits), np.float64)
    if loss == "one-vs-all":
        return answers
    from wordgrad.classification.kernels import leaves_of

    found = np.empty((len(logits), len(tree.offsets) - 1))
    leaves_of(answers, tree, found)
    return found


def mean_loss(
    loss: str,
    logits: NDArray[np.float64],
    labels: NDArray[np.int64],
    offsets: NDArray[np.int64],
    tree: Tree,
) -> NDArray[np.float64]:
    """Loss of every text, without smoothing: float64 (N,)."""
    owners = np.repeat(np.arange(len(logits)), np.diff(offsets))
    if loss == "one-vs-all":
        right = np.bincount(owners, logits[owners, labels], len(logits))
        return np.asarray(np.logaddexp(0, logits).sum(axis=1) - right, np.float64)
    chances = np.maximum(probabilities(loss, logits, tree)[owners, labels], 1e-300)
    return np.bincount(owners, -np.log(chances), len(logits)) / np.diff(offsets)


def log_odds_slopes(
    loss: str, logits: NDArray[np.float64], label: int, tree: Tree
) -> NDArray[np.float64]:
    r"""Gradient of a label's log odds, :math:`\log p / (1 - p)`, for the scores of one text.

    With softmax that is 1 for the label less the distribution of the other classes; one against
    all, the log odds are the score; in the tree,
    :math:`\frac{1}{1 - p} \sum_j \pm \sigma(\mp z_j)` over the path.
    """
    slopes = np.zeros(len(logits))
    if loss == "hierarchical-softmax":
        path = slice(tree.offsets[label], tree.offsets[label + 1])
        nodes, signs = tree.nodes[path], tree.signs[path].astype(np.float64)
        left = 1 - float(np.prod(sigmoid(signs * logits[nodes])))
        slopes[nodes] = signs * sigmoid(-signs * logits[nodes]) / max(left, 1e-300)
        return slopes
    slopes[label] = 1
    if loss == "softmax":
        others = logits.copy()
        others[label] = -np.inf
        slopes -= softmax(others)
    return slopes
