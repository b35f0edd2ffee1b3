r"""How much a feature counts in the mean of a text's vectors.

A feature that occurs in texts of one class alone tells more than one that occurs everywhere.  With
the share :math:`q_c` of class c among the training texts that hold feature f, and the share
:math:`p_c` among all of them,

.. math:: a_f = \sqrt{\mathrm{KL}(q \,\|\, p)} = \sqrt{\sum_c q_c \log (q_c / p_c)}, \qquad
          q_c = \frac{n_{fc} + \alpha p_c}{n_f + \alpha}

and all are divided by their mean.  With :math:`\alpha = 1` a feature of a single text counts less
than one that many texts of a class share.  The idea, for linear models, is that of Wang and
Manning, *Baselines and bigrams: simple, good sentiment and topic classification*, ACL 2012, who
scale features by their log-count ratio; the divergence serves any number of classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.examples import LabelledBags

SMOOTHING = 1.0
LEAST = 1e-3
"""No feature's weight is less, as a share of the mean: its vector would never be learned."""


def divergences(examples: LabelledBags, n_features: int, n_classes: int) -> NDArray[np.float32]:
    """Weight of every feature, mean 1.

    Parameters
    ----------
    examples : LabelledBags
        The training texts.
    n_features, n_classes : int

    Returns
    -------
    float32 (n_features,)
    """
    bags, labels, weights = examples.bags, examples.labels, examples.weights
    texts = np.repeat(np.arange(len(bags)), np.diff(bags.offsets))
    # A text counts once for a feature, however often it holds it.
    pairs = np.unique(texts * np.int64(n_features) + bags.features)
    texts, features = np.divmod(pairs, n_features)
    cells = features * n_classes + labels[texts]
    counts = np.bincount(cells, weights[texts], minlength=n_features * n_classes)
    counts = counts.reshape(n_features, n_classes)
    totals = np.bincount(labels, weights, minlength=n_classes)
    prior = totals / totals.sum()
    share = (counts + SMOOTHING * prior) / (counts.sum(axis=1, keepdims=True) + SMOOTHING)
    divergence = (share * np.log(share / prior)).sum(axis=1)
    found = np.sqrt(np.maximum(divergence, 0.0))
    mean = found.mean()
    if mean == 0:
        return np.ones(n_features, np.float32)
    importance: NDArray[np.float32] = np.maximum(found / mean, LEAST).astype(np.float32)
    return importance
