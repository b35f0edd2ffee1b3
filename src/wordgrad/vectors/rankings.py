"""What a question is answered with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class Ranking(list[tuple[str, float]]):
    """Words with their scores, best first: a list of pairs that also tells what was left out.

    Attributes
    ----------
    skipped : tuple of str
        Words of the question that are not in the vocabulary, with ``on_unknown="skip"``.

    >>> ranking = Ranking([("queen", 0.9)], skipped=["xyzzy"])
    >>> ranking, len(ranking.skipped)
    ([('queen', 0.9)], 1)
    """

    skipped: tuple[str, ...]

    def __init__(
        self, pairs: Iterable[tuple[str, float]] = (), skipped: Iterable[str] = ()
    ) -> None:
        super().__init__(pairs)
        self.skipped = tuple(skipped)


@dataclass(frozen=True)
class MeanVector:
    """The mean vector of a document.

    Attributes
    ----------
    vector : ndarray of float64, shape (D,)
        Zero if no word of the document is in the vocabulary.
    used : int
        Words that took part.
    skipped : tuple of str
        Words that are not in the vocabulary, with ``on_unknown="skip"``.
    """

    vector: NDArray[np.float64]
    used: int
    skipped: tuple[str, ...]
