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

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from wordgrad.classification.fasttext_kernels import build_tree
from wordgrad.compiling import compiled

LOSSES: Final = ("softmax", "one-vs-all", "hierarchical-softmax")
SOFTMAX, ONE_VS_ALL, HIERARCHICAL_SOFTMAX = range(3)

FAST = {"contract", "reassoc", "nsz"}  # sums in any order; NaN and infinity keep their meaning
jit = compiled(fastmath=FAST)

_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_AT_ONCE = 512  # factors of at most 2: their product is a float64


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
    n = len(counts)
    order = np.argsort(-counts, kind="stable")
    left, right = np.empty(2 * n - 1, np.int32), np.empty(2 * n - 1, np.int32)
    build_tree(counts[order], left, right)
    names = np.concatenate([order, np.arange(n, 2 * n - 1)]).astype(np.int32)
    inner = slice(n, None)
    left[inner], right[inner] = names[left[inner]], names[right[inner]]
    paths: list[list[tuple[int, int]]] = [[] for _ in range(2 * n - 1)]
    for node in range(2 * n - 2, n - 1, -1):  # parents first
        for child, sign in ((left[node], -1), (right[node], 1)):
            paths[child] = [*paths[node], (node - n, sign)]
    steps = [step for path in paths[:n] for step in path]
    offsets = np.cumsum([0, *(len(path) for path in paths[:n])]).astype(np.int64)
    nodes, signs = np.array(steps).T
    return Tree(left, right, nodes.astype(np.int32), signs.astype(np.float32), offsets)


@jit
def softmax_loss(logits: Any, labels: Any, smoothing: Any) -> Any:
    """Turn logits into y_hat - y in place and return the cross-entropy, in nats.

    The labels, at least one, share the target; with smoothing s that is 1 - s for them plus s / C
    for every class.
    """
    top = logits[0]
    for c in range(1, logits.size):
        top = max(top, logits[c])
    total = _ZERO
    mean = _ZERO
    for c in range(logits.size):
        mean += logits[c]
    share = (_ONE - smoothing) / np.float32(labels.size)
    right = smoothing * mean / np.float32(logits.size)
    for k in range(labels.size):
        right += logits[labels[k]] * share
    for c in range(logits.size):
        logits[c] = np.exp(logits[c] - top)
        total += logits[c]
    for c in range(logits.size):
        logits[c] = logits[c] / total - smoothing / np.float32(logits.size)
    for k in range(labels.size):
        logits[labels[k]] -= share
    return np.log(total) + top - right


@jit
def one_vs_all_loss(logits: Any, labels: Any, smoothing: Any) -> Any:
    """Turn logits into sigma(z) - y in place and return the loss, in nats.

    log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), of which the second is one logarithm for many.
    """
    loss = 0.0
    for k in range(labels.size):
        loss -= np.float64((_ONE - smoothing) * logits[labels[k]])
    factors = 1.0
    for c in range(logits.size):
        z = logits[c]
        if c % _AT_ONCE == 0:
            loss += np.log(factors)
            factors = 1.0
        e = np.exp(-abs(z))
        factors *= np.float64(_ONE + e)
        loss += np.float64(max(z, _ZERO) - _HALF * smoothing * z)
        logits[c] = (_ONE if z >= 0 else e) / (_ONE + e) - _HALF * smoothing
    for k in range(labels.size):
        logits[labels[k]] -= _ONE - smoothing
    return loss + np.log(factors)


@jit
def tree_loss(
    h: Any, labels: Any, tree: Any, smoothing: Any, weight: Any, W2: Any, b2: Any, d_W2: Any,
    d_b2: Any, d_h: Any,
) -> Any:  # fmt: skip
    """Return the loss of the paths of a text's labels, in nats, and add its gradients.

    Those are multiplied by ``weight``; ``d_h`` is set.  Of the C - 1 questions only the asked ones
    are looked at.
    """
    loss = 0.0
    d_h[:] = _ZERO
    for k in range(labels.size):
        for p in range(tree.offsets[labels[k]], tree.offsets[labels[k] + 1]):
            node, sign = tree.nodes[p], tree.signs[p]
            z = b2[node]
            for j in range(h.size):
                z += h[j] * W2[j, node]
            target = _HALF + _HALF * sign * (_ONE - smoothing)
            e = np.exp(-abs(z))
            loss += np.float64(max(z, _ZERO) - target * z) + np.log1p(np.float64(e))
            delta = (_ONE if z >= 0 else e) / (_ONE + e) - target
            delta *= weight / np.float32(labels.size)
            d_b2[node] += delta
            for j in range(h.size):
                d_W2[j, node] += h[j] * delta
                d_h[j] += W2[j, node] * delta
    return loss / np.float64(labels.size)


@jit
def leaves_of(answers: Any, tree: Any, out: Any) -> None:
    """Set ``out`` (N, C) to the products of the answers sigma(z) ``(N, C - 1)`` on every way."""
    n = tree.left.size // 2 + 1
    reached = np.empty(tree.left.size)
    for i in range(answers.shape[0]):
        reached[2 * n - 2] = 1.0
        for node in range(2 * n - 2, n - 1, -1):
            yes = answers[i, node - n]
            reached[tree.left[node]] = reached[node] * (1.0 - yes)
            reached[tree.right[node]] = reached[node] * yes
        for c in range(n):
            out[i, c] = reached[c]


def probabilities(loss: str, logits: NDArray[np.float64], tree: Tree) -> NDArray[np.float64]:
    """Probability of every class: float64 (N, C); rows sum to 1 but with ``one-vs-all``."""
    if loss == "softmax":
        return np.asarray(softmax(logits, axis=1), np.float64)
    answers = np.asarray(expit(logits), np.float64)
    if loss == "one-vs-all":
        return answers
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
        others = 1 - np.prod(expit(signs * logits[nodes]))
        slopes[nodes] = signs * expit(-signs * logits[nodes]) / max(float(others), 1e-300)
        return slopes
    slopes[label] = 1
    if loss == "softmax":
        others = logits.copy()
        others[label] = -np.inf
        slopes -= softmax(others)
    return slopes
