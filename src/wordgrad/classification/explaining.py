"""Which tokens pushed a text towards a label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.bags import Tokens
from wordgrad.classification.features import UNKNOWN, Features
from wordgrad.classification.text_network import TextNetwork
from wordgrad.maths import OneHiddenLayer


def contributions(
    network: TextNetwork, features: Features, tokens: Tokens, label: int
) -> NDArray[np.float64]:
    r"""Contribution of every token of one text.

    With J the cross-entropy, :math:`g = dJ(q)/dx - dJ(y)/dx` is the gradient of the label's log
    odds, :math:`\log \hat y / (1 - \hat y)`: y is the label and q the distribution of the other
    classes.  (:math:`-dJ(y)/dx` alone, the gradient of :math:`\log \hat y`, is g times
    :math:`1 - \hat y`: it vanishes where the network is sure.)  Both come from
    :class:`wordgrad.maths.OneHiddenLayer`.  Feature f adds
    :math:`a_f v_f / \sqrt{\sum a}` to x; its product with g is shared equally among the tokens of
    the feature (the edges of a text, which are symbols of n-grams, leave their part to the words).

    Returns
    -------
    float64 (T,)
        Their sum is :math:`g \cdot x`.
    """
    bags = features.bags(tokens)
    x, _ = network.inputs_and_logits(bags)
    d_x = _log_odds_gradient(network.exact_layers(), x.astype(np.float64), label)
    values = np.zeros(len(tokens.ids))
    total = float(network.importance[bags.features].astype(np.float64).sum())
    if total == 0:
        return values
    pushes = network.importance * (network.vectors.astype(np.float64) @ d_x) / np.sqrt(total)
    ids = features.word_ids(tokens)
    for rows in (ids, features.beginning_rows(tokens)):
        values[rows != UNKNOWN] += pushes[rows[rows != UNKNOWN]]
    for first, n, row in features.ngrams_of(ids):
        inside = slice(max(first, 0), min(first + n, len(ids)))
        values[inside] += pushes[row] / (inside.stop - inside.start)
    return values


def _log_odds_gradient(
    layers: OneHiddenLayer, x: NDArray[np.float64], label: int
) -> NDArray[np.float64]:
    """Gradient of ``log(y_hat / (1 - y_hat))`` for one row x ``(1, D)``: float64 (D,)."""
    logits = layers.forward(x).logits
    logits[0, label] = -np.inf
    others = np.exp(logits - logits.max())
    others /= others.sum()
    target = np.zeros_like(others)
    target[0, label] = 1.0
    towards, away = (layers.loss_and_gradients(x, Y).d_X[0] for Y in (target, others))
    gradient: NDArray[np.float64] = away - towards
    return gradient
