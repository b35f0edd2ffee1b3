"""Where labels go so that none covers another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Directions from the point to the middle of the label, the best first: right, left, above, below,
# and between them.
_DIRECTIONS = np.array(
    [[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=np.float64
)


def place_labels(
    points: Array, sizes: Array, frame: tuple[float, float], *, gaps: Array, rings: int = 1
) -> Array:
    """Place labels one after another, each where it meets no label placed before.

    Of the free places at the smallest distance, each label takes the one that hides the fewest
    points, and of these the first: right of its point, left, above, below, at the corners.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        What is labelled, in falling order of importance.
    sizes : ndarray of float64, shape (n, 2)
        Width and height of each label, in the units of ``points``.
    frame : tuple of float
        Width and height that labels must not leave; it begins at (0, 0).
    gaps : ndarray of float64, shape (n,)
        Between each point and its label.
    rings : int
        How many distances from the point to try; each is farther by a label's height.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        The middle of each label; NaN where there is no room.

    Examples
    --------
    >>> points, sizes = np.array([[5.0, 5], [5, 5.5]]), np.full((2, 2), 2.0)
    >>> place_labels(points, sizes, (10, 10), gaps=np.ones(2))
    array([[7. , 5. ],
           [3. , 5.5]])
    """
    places = np.full(points.shape, np.nan)
    taken = np.empty((0, 4))
    for label, (point, size, gap) in enumerate(zip(points, sizes, gaps, strict=True)):
        middles = np.concatenate(
            [point + _DIRECTIONS * (size / 2 + gap + ring * size[1] * 1.2) for ring in range(rings)]
        )
        boxes = np.hstack([middles - size / 2, middles + size / 2])
        inside = (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2:] <= frame).all(axis=1)
        free = np.flatnonzero(inside & ~_meet(boxes, taken).any(axis=1))
        if not free.size:
            continue
        nearest = free[free // len(_DIRECTIONS) == free[0] // len(_DIRECTIONS)]
        hidden = _meet(boxes[nearest], np.hstack([points, points])).sum(axis=1)
        best = nearest[hidden.argmin()]
        places[label] = middles[best]
        taken = np.vstack([taken, boxes[best]])
    return places


def _meet(boxes: Array, others: Array) -> NDArray[np.bool_]:
    """Which boxes (a, 4) overlap which others (b, 4), of shape (a, b); left, bottom, right, top."""
    before = (boxes[:, None, :2] < others[None, :, 2:]).all(axis=2)
    after = (boxes[:, None, 2:] > others[None, :, :2]).all(axis=2)
    return np.logical_and(before, after)
