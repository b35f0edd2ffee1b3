"""Cross-entropy, and the losses of a pair of words, each with its gradient.

Derived in ``docs/derivations/cross-entropy.md``, ``softmax-loss.md`` and ``negative-sampling.md``.
``W_out`` ``(V, D)`` has a row ``u_w`` for each of V words; ``v_c`` ``(D,)`` is the vector of the
input word, ``o`` the id of the word to predict; the gradient of ``x`` is called ``d_x``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wordgrad.errors import ParameterError, check_choice, check_real, check_share
from wordgrad.maths.functions import log_sigmoid, log_softmax, sigmoid, softmax
from wordgrad.maths.validation import (
    FloatArray,
    IdArray,
    as_finite,
    as_floats,
    as_ids,
    as_negatives,
    finite_scores,
    refuse_where,
)


def cross_entropy(
    logits: npt.ArrayLike, labels: npt.ArrayLike, reduction: str = "mean"
) -> tuple[float, FloatArray]:
    r"""Cross-entropy of softmax(``logits``) with ``labels``, and its gradient.

    .. math:: J = -\sum_i y_i \log \hat y_i, \qquad \hat y = \mathrm{softmax}(logits), \qquad
              \frac{\partial J}{\partial logits} = \hat y - y

    Parameters
    ----------
    logits : array (C,) or (..., C) of real numbers
        ``-inf`` masks a class that no label uses.
    labels : integers (...) in 0 .. C-1, or array (..., C)
        The class of each row; or a distribution over the classes: one-hot, or any numbers >= 0
        that sum to 1.
    reduction : {"mean", "sum"}
        Over the rows. The gradient is scaled alike.

    Returns
    -------
    loss : float
    d_logits : array, shape of ``logits``

    Raises
    ------
    ParameterError
        If ``logits`` are refused by :func:`softmax`, there is no row, ``labels`` have another
        shape, an id is out of range, a row is no distribution, or a label is masked.

    Notes
    -----
    Goodfellow, Bengio and Courville, *Deep Learning*, 2016, section 6.2.2.3; the gradient is
    Bishop, *Pattern Recognition and Machine Learning*, 2006, equation 4.109.

    Examples
    --------
    >>> loss, d_logits = cross_entropy([[0.0, 0.0], [0.0, 0.0]], [0, 1])
    >>> round(loss, 8)
    0.69314718
    >>> d_logits
    array([[-0.25,  0.25],
           [ 0.25, -0.25]])
    """
    check_choice("reduction", reduction, ("mean", "sum"))
    scores = as_floats("logits", logits)
    if scores.ndim == 0 or scores.size == 0:
        raise ParameterError(f"logits must have shape (..., C), not empty, got {scores.shape}.")
    log_y_hat = log_softmax(scores)
    y = _distribution(labels, scores)
    used = y > 0  # y log(y_hat) is 0 for y = 0, also where the mask makes the logarithm -inf
    refuse_where(
        used & np.isneginf(scores), scores, "logits must be finite for every class that labels use"
    )
    scale = scores[..., 0].size if reduction == "mean" else 1
    terms = np.multiply(y / scale, log_y_hat, where=used, out=np.zeros_like(log_y_hat))
    return -float(terms.sum()), (softmax(scores) - y) / scale


def scaled_cross_entropy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    scale: float,
    weights: npt.ArrayLike | None = None,
    smoothing: float = 0.0,
) -> tuple[float, float]:
    r"""Mean cross-entropy of softmax(``scale`` * ``logits``), and its derivative for the scale.

    .. math:: J(\beta) = -\sum_n w_n \log S(\beta z_n)_{y_n}, \qquad
              \frac{dJ}{d\beta} = \sum_n w_n \Big(\sum_i S(\beta z_n)_i z_{ni} - z_{n y_n}\Big)

    with weights that sum to 1.  J is convex: its second derivative is the mean variance of the
    scores under their own probabilities.  1 / scale is called the temperature.

    Parameters
    ----------
    logits : array (B, C) of finite numbers
    labels : integers (B,) in 0 .. C-1
    scale : float > 0
    weights : array (B,) of numbers >= 0, optional
        What each row counts; by default all the same.
    smoothing : float in [0, 1)
        Share of the target that all classes divide among them: z_y becomes a mean of scores.

    Returns
    -------
    loss, derivative : float

    Raises
    ------
    ParameterError
        If an argument has another shape or range.

    Notes
    -----
    Guo, Pleiss, Sun and Weinberger, *On calibration of modern neural networks*, ICML 2017,
    section 4.2; derived in ``docs/derivations/cross-entropy.md``.

    Examples
    --------
    >>> loss, slope = scaled_cross_entropy([[0.0, 2.0]], [1], 0.5)
    >>> round(loss, 6), round(slope, 6)  # log(1 + 1/e), and -2 / (1 + e)
    (0.313262, -0.537883)
    """
    check_real("scale", scale, above=0.0)
    z = as_finite("logits", logits, shape=("B", "C"))
    y = as_ids("labels", labels, z.shape[1])
    if y.shape != (len(z),):
        raise ParameterError(f"labels must be one for each of {len(z)} rows, got shape {y.shape}.")
    given = np.ones(len(z)) if weights is None else as_finite("weights", weights, shape=(len(z),))
    refuse_where(given < 0, given, "weights must be at least 0")
    shares = given / given.sum()
    check_share("smoothing", smoothing)
    log_y_hat = log_softmax(scale * z)

    def of_target(values: FloatArray) -> FloatArray:
        named: FloatArray = values[np.arange(len(z)), y]
        mean: FloatArray = values.mean(axis=1)
        return np.asarray((1 - smoothing) * named + smoothing * mean, np.float64)

    loss = -float(shares @ of_target(log_y_hat))
    return loss, float(shares @ ((np.exp(log_y_hat) * z).sum(axis=1) - of_target(z)))


def binary_cross_entropy(
    logits: npt.ArrayLike, labels: npt.ArrayLike, reduction: str = "mean"
) -> tuple[float, FloatArray]:
    r"""Cross-entropy of each class against all others, summed over the classes, and its gradient.

    .. math:: J = -\sum_i \big(y_i \log \sigma(z_i) + (1 - y_i) \log \sigma(-z_i)\big), \qquad
              \frac{\partial J}{\partial z} = \sigma(z) - y

    Each class is a question of its own, so that a row may have several labels, or none.

    Parameters
    ----------
    logits : array (..., C) of finite numbers
    labels : array (..., C) of numbers from 0 to 1
        1 for the classes that a row has.
    reduction : {"mean", "sum"}
        Over the rows. The gradient is scaled alike.

    Returns
    -------
    loss : float
    d_logits : array, shape of ``logits``

    Raises
    ------
    ParameterError
        If a logit is not finite, there is none, or ``labels`` have another shape or lie outside
        0 to 1.

    Notes
    -----
    One against all others: Bishop, *Pattern Recognition and Machine Learning*, 2006, sections
    4.1.2 and 4.3.2.

    Examples
    --------
    >>> loss, d_logits = binary_cross_entropy([[0.0, 0.0, 0.0]], [[1, 0, 1]])
    >>> round(float(loss / np.log(2)), 8)
    3.0
    >>> d_logits
    array([[-0.5,  0.5, -0.5]])
    """
    check_choice("reduction", reduction, ("mean", "sum"))
    z = as_finite("logits", logits)
    if z.ndim == 0 or z.size == 0:
        raise ParameterError(f"logits must have shape (..., C), not empty, got {z.shape}.")
    y = as_finite("labels", labels, shape=z.shape).astype(z.dtype)
    refuse_where((y < 0) | (y > 1), y, "labels must be numbers from 0 to 1")
    scale = z[..., 0].size if reduction == "mean" else 1
    terms = y * log_sigmoid(z) + (1 - y) * log_sigmoid(-z)
    return -float((terms / scale).sum()), (sigmoid(z) - y) / scale


def softmax_loss(
    v_c: npt.ArrayLike, o: npt.ArrayLike, W_out: npt.ArrayLike
) -> tuple[float, FloatArray, FloatArray]:
    r"""Loss of predicting word ``o`` from ``v_c`` by the softmax over the whole vocabulary.

    .. math:: J = -\log \hat y_o, \qquad \hat y = \mathrm{softmax}(W_{out} v_c)
    .. math:: \frac{\partial J}{\partial v_c} = W_{out}^T (\hat y - y), \qquad
              \frac{\partial J}{\partial u_w} = (\hat y_w - y_w) v_c

    with y the one-hot vector of ``o``.

    Parameters
    ----------
    v_c : array (D,), or (B, D) for a batch of pairs
    o : integer, or (B,)
    W_out : array (V, D)

    Returns
    -------
    loss : float
        Summed over the batch.
    d_v_c : array, shape of ``v_c``
    d_W_out : array (V, D)
        Summed over the batch. No row is 0: every word takes part.

    Raises
    ------
    ParameterError
        For wrong shapes, an id outside 0 .. V-1, a number that is not finite, or scores so large
        that they overflow.

    Notes
    -----
    Mikolov et al., *Distributed representations of words and phrases and their compositionality*,
    2013, equation 2. The time is O(B V D), the memory O(B V + V D).

    Examples
    --------
    >>> loss, d_v_c, d_W_out = softmax_loss([1.0, 0.0], 0, [[0.0, 1.0], [0.0, -1.0]])
    >>> round(loss, 8)
    0.69314718
    >>> d_v_c
    array([ 0., -1.])
    >>> d_W_out
    array([[-0.5,  0. ],
           [ 0.5,  0. ]])
    """
    v, targets, W = _pairs(v_c, o, W_out)
    loss, delta = cross_entropy(finite_scores(v, W.T), targets, reduction="sum")
    return loss, (delta @ W).reshape(np.shape(v_c)), delta.T @ v


def negative_sampling_loss(
    v_c: npt.ArrayLike, o: npt.ArrayLike, negatives: npt.ArrayLike, W_out: npt.ArrayLike
) -> tuple[float, FloatArray, FloatArray]:
    r"""Loss of telling word ``o`` from the words ``negatives``, given ``v_c``.

    .. math:: J = -\log \sigma(u_o \cdot v_c) - \sum_k \log \sigma(-u_k \cdot v_c)
    .. math:: \frac{\partial J}{\partial v_c} = (\sigma(u_o \cdot v_c) - 1) u_o
              + \sum_k \sigma(u_k \cdot v_c) u_k
    .. math:: \frac{\partial J}{\partial u_o} = (\sigma(u_o \cdot v_c) - 1) v_c, \qquad
              \frac{\partial J}{\partial u_k} = \sigma(u_k \cdot v_c) v_c

    Parameters
    ----------
    v_c : array (D,), or (B, D) for a batch of pairs
    o : integer, or (B,)
    negatives : integers (K,), or (B, K)
        Drawn words. A word drawn n times counts n times, in the loss and in its gradient.
    W_out : array (V, D)

    Returns
    -------
    loss : float
        Summed over the batch.
    d_v_c : array, shape of ``v_c``
    d_W_out : array (V, D)
        Summed over the batch; 0 in every row but those of ``o`` and ``negatives``.

    Raises
    ------
    ParameterError
        As in :func:`softmax_loss`; also if ``negatives`` is empty, or one of them equals its ``o``
        (a sampler draws again: the same word cannot be right and wrong).

    Notes
    -----
    Mikolov et al., *Distributed representations of words and phrases and their compositionality*,
    2013, equation 4, which is the function to maximise: the loss is its negative.

    Examples
    --------
    >>> loss, d_v_c, d_W_out = negative_sampling_loss(
    ...     [1.0, 0.0], 0, [2, 2], [[0.0, 1.0], [5.0, 5.0], [0.0, -1.0]]
    ... )
    >>> float(round(loss / np.log(2), 8))
    3.0
    >>> d_v_c
    array([ 0. , -1.5])
    >>> d_W_out
    array([[-0.5,  0. ],
           [ 0. ,  0. ],
           [ 1. ,  0. ]])
    """
    v, targets, W = _pairs(v_c, o, W_out)
    drawn = np.atleast_2d(as_negatives(negatives, np.asarray(o), len(W)))
    ids = np.concatenate([targets[:, None], drawn], axis=1)  # (B, 1 + K): target, then negatives
    signs = np.full(ids.shape[1], -1)
    signs[0] = 1
    loss, d_v, d_W_out = _signed_loss(v, ids, signs, W)
    return loss, d_v.reshape(np.shape(v_c)), d_W_out


def logistic_loss(
    h: npt.ArrayLike, outputs: npt.ArrayLike, signs: npt.ArrayLike, W_out: npt.ArrayLike
) -> tuple[float, FloatArray, FloatArray]:
    r"""Loss of telling positive outputs from negative ones, given ``h``: any number of either.

    .. math:: J = -\sum_j \log \sigma(s_j\, u_j \cdot h)
    .. math:: \frac{\partial J}{\partial h} = -\sum_j s_j\, \sigma(-s_j\, u_j \cdot h)\, u_j,
              \qquad \frac{\partial J}{\partial u_j} = -s_j\, \sigma(-s_j\, u_j \cdot h)\, h

    With one positive output and K negative ones this is :func:`negative_sampling_loss`; with the
    nodes of a path and its turns, hierarchical softmax.

    Parameters
    ----------
    h : array (D,), or (B, D) for a batch of vectors with the same outputs
    outputs : integers (J,)
        Rows of ``W_out``; one that occurs n times counts n times.
    signs : integers (J,), each +1 or -1
    W_out : array (V, D)

    Returns
    -------
    loss : float
        Summed over the batch.
    d_h : array, shape of ``h``
    d_W_out : array (V, D)
        Summed over the batch; 0 in every row but those of ``outputs``.

    Raises
    ------
    ParameterError
        For wrong shapes, an output outside 0 .. V-1, a sign that is neither +1 nor -1, a number
        that is not finite, or scores so large that they overflow.

    Notes
    -----
    Derived in ``docs/derivations/negative-sampling.md``: each output is one of its terms. Goodman,
    *Classes for fast maximum entropy training*, 2001; Mikolov et al., *Distributed representations
    of words and phrases and their compositionality*, 2013, equation 3.

    Examples
    --------
    >>> loss, d_h, d_W_out = logistic_loss([1.0, 0.0], [0, 1], [1, 1], [[0.0, 1.0], [0.0, 3.0]])
    >>> float(round(loss / np.log(2), 8))
    2.0
    >>> d_h
    array([ 0., -2.])
    >>> d_W_out
    array([[-0.5,  0. ],
           [-0.5,  0. ]])
    """
    W = as_finite("W_out", W_out, shape=("V", "D"))
    ids = as_ids("outputs", outputs, len(W))
    if ids.ndim != 1:
        raise ParameterError(f"outputs must have shape (J,), got {ids.shape}.")
    s = np.asarray(signs)
    if s.shape != ids.shape or not np.isin(s, (-1, 1)).all():
        raise ParameterError(
            f"signs must be +1 or -1 for each of the {len(ids)} outputs, got {s.tolist()}."
        )
    v = as_finite("h", h, shape=(W.shape[1],) if np.ndim(h) == 1 else ("B", W.shape[1]))
    rows = np.atleast_2d(v)
    loss, d_h, d_W_out = _signed_loss(rows, np.broadcast_to(ids, (len(rows), len(ids))), s, W)
    return loss, d_h.reshape(v.shape), d_W_out


def _signed_loss(
    v: FloatArray, ids: IdArray, signs: IdArray, W: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Sum of -log sigma(signs W[ids] . v) for v (B, D), ids (B, J), signs (J,); its gradients."""
    sign = signs.astype(v.dtype)
    rows = W[ids]  # (B, J, D)
    signed = sign * finite_scores(rows, v[:, :, None])[:, :, 0]
    loss = -float(log_sigmoid(signed).sum())
    # sigma(s) - 1 is written -sigma(-s), which keeps its digits where s is large.
    delta = -sign * sigmoid(-signed)
    d_W_out = np.zeros_like(W)
    np.add.at(d_W_out, ids, delta[:, :, None] * v[:, None, :])
    return loss, (delta[:, None, :] @ rows)[:, 0], d_W_out


def _distribution(labels: npt.ArrayLike, scores: FloatArray) -> FloatArray:
    """Labels as distributions over the classes, in the shape and type of ``scores``."""
    shape = np.shape(labels)
    if shape == scores.shape[:-1]:
        ids = as_ids("labels", labels, scores.shape[-1])
        y = np.zeros_like(scores)
        np.put_along_axis(y, ids[..., None], 1, axis=-1)
        return y
    if shape != scores.shape:
        raise ParameterError(
            f"labels must have shape {scores.shape[:-1]} (classes) or {scores.shape} "
            f"(distributions) to match logits, got {shape}."
        )
    y = as_finite("labels", labels)
    refuse_where(y < 0, y, "labels must be distributions with no negative entry")
    total = y.sum(axis=-1)
    # Half of the digits: sums of float32 labels over many classes carry that much rounding.
    wrong = np.abs(total - 1) > np.sqrt(np.finfo(y.dtype).eps)
    refuse_where(wrong, total, "labels must be distributions whose rows sum to 1")
    return np.asarray(y, dtype=scores.dtype)


def _pairs(
    v_c: npt.ArrayLike, o: npt.ArrayLike, W_out: npt.ArrayLike
) -> tuple[FloatArray, IdArray, FloatArray]:
    """``v_c`` as (B, D), ``o`` as (B,) and ``W_out`` as (V, D), with B = 1 for a single pair."""
    W = as_finite("W_out", W_out, shape=("V", "D"))
    targets = as_ids("o", o, len(W))
    if targets.ndim > 1:
        raise ParameterError(f"o must be an integer or have shape (B,), got {targets.shape}.")
    v = as_finite("v_c", v_c, shape=(*targets.shape, W.shape[1]))
    return np.atleast_2d(v), np.atleast_1d(targets), W
