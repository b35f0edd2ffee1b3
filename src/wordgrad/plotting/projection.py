"""Projection of vectors from D dimensions to two, and groups of them for the colours of a map.

Every method works on unit vectors, so that what lies close on the map has a large cosine, and
starts from a seed and on one thread, so that the same vectors give the same map every time: the
sums of several threads would be rounded in an order that nobody chooses.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import ParameterError, check_choice, check_int
from wordgrad.plotting.picture import required

Points = NDArray[np.float64]

METHOD_NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
FEW_WORDS = 30
LEAST_FOR_NEIGHBOURS = 5
LARGEST_SEED = 2**32 - 1


def project(units: Points, method: str, seed: int) -> Points:
    """Place the rows of ``units`` on a plane.

    Parameters
    ----------
    units : ndarray of float64, shape (n, D)
        Vectors of length 1.
    method : {"pca", "tsne", "umap"}
    seed : int
        Where the randomness of t-SNE and UMAP starts.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        Centred on the origin, and scaled so that the farther axis ends at 1.

    Raises
    ------
    ParameterError
        If there are too few vectors for the method, or all are the same.
    MissingExtraError
        If the method is UMAP and it is not installed.

    Notes
    -----
    PCA (Pearson 1901) shows the plane of largest variance: a linear shadow, in which distances are
    distances.  t-SNE (van der Maaten and Hinton 2008, "Visualizing data using t-SNE", JMLR 9) and
    UMAP (McInnes et al. 2018, arXiv 1802.03426) keep neighbours together and give distances between
    groups little meaning.

    Examples
    --------
    >>> points = project(np.eye(3), "pca", seed=1)
    >>> points.shape, float(np.abs(points).max())
    ((3, 2), 1.0)
    """
    check_choice("method", method, METHODS)
    check_int("seed", seed, minimum=0, maximum=LARGEST_SEED)
    if method != "pca" and units.shape[0] < LEAST_FOR_NEIGHBOURS:
        raise ParameterError(
            f"{method} needs at least {LEAST_FOR_NEIGHBOURS} words, got {units.shape[0]}; "
            "name more words, or use the method 'pca'."
        )
    if not np.ptp(units, axis=0).max() > np.finfo(np.float32).eps:
        raise ParameterError(
            f"A map needs vectors that differ, got {units.shape[0]} of one direction; "
            "name other words, or train longer."
        )
    points = METHODS[method](units, seed)
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    centred = points - middle
    scaled: Points = centred / np.abs(centred).max()
    return scaled


def default_method(words: int) -> str:
    """PCA for a few words, t-SNE for more: a few have no crowd of neighbours to keep.

    >>> default_method(10), default_method(1000)
    ('pca', 'tsne')
    """
    return "pca" if words < FEW_WORDS else "tsne"


def _pca(units: Points, seed: int) -> Points:
    centred = units - units.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    # An axis and its opposite are as good: let the entry of largest size be positive.
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    points: Points = np.zeros((units.shape[0], 2))
    points[:, : axes.shape[0]] = centred @ (axes * np.sign(largest)).T  # D = 1 has one axis
    return points


def _tsne(units: Points, seed: int) -> Points:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # limits the libraries that are loaded by then

    # Barnes-Hut t-SNE looks at 3 * perplexity neighbours, so there must be that many.
    perplexity = min(30.0, (units.shape[0] - 1) / 3)
    start = _pca(units, seed)
    start *= 1e-4 / np.std(start[:, 0])  # scikit-learn's scale for a start from PCA
    model = TSNE(init=start, perplexity=perplexity, random_state=seed, n_jobs=1)
    with threadpool_limits(limits=1):
        return np.asarray(model.fit_transform(units), dtype=np.float64)


def _umap(units: Points, seed: int) -> Points:
    umap = required("umap", extra="umap", purpose="The method 'umap'")
    neighbours = min(15, units.shape[0] - 1)
    # Its spectral start needs more points than it has axes to spare: PCA serves a handful.
    start = _pca(units, seed)
    model = umap.UMAP(
        n_neighbors=neighbours, metric="cosine", init=start * 10, random_state=seed, n_jobs=1
    )
    return np.asarray(model.fit_transform(units), dtype=np.float64)


METHODS: dict[str, Callable[[Points, int], Points]] = {"pca": _pca, "tsne": _tsne, "umap": _umap}


MOST_GROUPS = 10
WORDS_A_GROUP = 20
WORDS_IN_A_NAME = 3
KNOWN_WORDS = 40  # a group is named by its most frequent words: of thousands, the middle is obscure


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
