"""Groups of words for the colours of a map, and what to call them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_GROUPS = 10
WORDS_A_GROUP = 20
WORDS_IN_A_NAME = 3
KNOWN_WORDS = 40  # so many of a group's first rows may name it: of thousands, the middle is obscure


def clusters(units: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Group of each row by k-means in all D dimensions, int64 of shape (n,), the largest first.

    On unit vectors, k-means (Lloyd 1982) is nearly spherical k-means: the squared distance of two
    is 2 - 2 cos.  There is one group for every 20 rows, up to 10; the same ``seed`` gives the same
    groups.

    >>> rows = np.repeat(np.eye(3), [60, 20, 40], axis=0)
    >>> [int(group) for group in clusters(rows, seed=1)[[0, 60, 80]]]
    [0, 2, 1]
    """
    distinct = len(np.unique(units, axis=0))
    number = min(MOST_GROUPS, units.shape[0] // WORDS_A_GROUP, distinct)
    if number < 2:
        return np.zeros(units.shape[0], dtype=np.int64)
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        found = KMeans(number, n_init=4, random_state=seed).fit_predict(units)
    sizes = np.bincount(found, minlength=number)
    place = np.empty(number, dtype=np.int64)
    place[np.argsort(-sizes, kind="stable")] = np.arange(number)
    numbered: NDArray[np.int64] = place[found]
    return numbered


def typical(units: NDArray[np.float64], groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The three rows of each group's first 40 that lie nearest to its mean, nearest first.

    >>> rows = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1.0]])
    >>> typical(rows, np.array([0, 0, 0, 1]))
    [array([1, 2, 0]), array([3])]
    """
    nearest = []
    for group in range(int(groups.max()) + 1):
        members = np.flatnonzero(groups == group)
        mean = units[members].mean(axis=0)
        members = members[:KNOWN_WORDS]
        closeness = units[members] @ mean
        nearest.append(members[np.argsort(-closeness, kind="stable")[:WORDS_IN_A_NAME]])
    return nearest
