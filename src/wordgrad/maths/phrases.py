r"""Scores of phrases: how much more often two words are neighbours than chance would have them.

Derived in ``docs/derivations/phrases.md``.  With :math:`p(a) = n_a / N` and :math:`p(ab) = n_{ab} /
N` of a text of N words, both scores grow with :math:`p(ab) / (p(a)\,p(b))`, which is 1 for words
that do not know of one another.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wordgrad.maths.validation import FloatArray


def phrase_score(
    pairs: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike, types: int, min_count: int
) -> FloatArray:
    r"""Score of word2vec.c's and gensim's phrases (Mikolov et al. 2013b, equation 6).

    .. math:: \frac{n_{ab} - \delta}{n_a\, n_b}\, L

    The discount :math:`\delta` (``min_count``) keeps pairs of rare words out, whose ratio is large
    by chance.  word2vec.c takes for L the words of the text, gensim the distinct words and pairs
    that it has counted; this is gensim's.

    Parameters
    ----------
    pairs, first, second : array of int, of one shape
        How often the pair was met, and each of its words: at least 1.
    types : int
        L.
    min_count : int

    Returns
    -------
    float64 array of that shape
        Not above 0 for pairs that were met ``min_count`` times or less often.

    Examples
    --------
    >>> phrase_score([25, 6], [30, 1000], [40, 2000], types=5000, min_count=5).round(4).tolist()
    [83.3333, 0.0025]
    """
    n_ab, n_a, n_b = (np.asarray(counts, np.float64) for counts in (pairs, first, second))
    score: FloatArray = (n_ab - min_count) / (n_a * n_b) * types
    return score


def npmi(
    pairs: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike, tokens: int
) -> FloatArray:
    r"""Normalised pointwise mutual information (Bouma 2009, equation 8).

    .. math:: \log\frac{p(ab)}{p(a)\,p(b)} \Big/ -\log p(ab)

    Parameters
    ----------
    pairs, first, second : array of int, of one shape
        As in :func:`phrase_score`.
    tokens : int
        N, more than the pair was met.

    Returns
    -------
    float64 array of that shape
        1 for words that are never met apart, 0 for words that do not know of one another, less for
        those that shun one another.

    Examples
    --------
    >>> npmi([10, 4], [10, 10], [10, 20], tokens=100).round(4).tolist()
    [1.0, 0.2153]
    """
    p_ab, p_a, p_b = (np.asarray(counts, np.float64) / tokens for counts in (pairs, first, second))
    score: FloatArray = np.log(p_ab / (p_a * p_b)) / -np.log(p_ab)
    return score
