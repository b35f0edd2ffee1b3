"""Skip-gram and CBOW: the loss of one window, and its gradient for both parameter matrices.

Derived in ``docs/derivations/skip-gram.md`` and ``docs/derivations/cbow.md``; vectors that are
composed of several rows in ``docs/derivations/subwords.md``.  ``W_in`` ``(V, D)``
has rows ``v_w`` (input vectors), ``W_out`` ``(V, D)`` rows ``u_w`` (output vectors).  The gradients
are dense, so that they can be compared entry by entry; nothing larger than ``(V, D)`` is allocated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wordgrad.errors import ParameterError, check_choice
from wordgrad.maths.functions import log_softmax, softmax
from wordgrad.maths.losses import logistic_loss, negative_sampling_loss, softmax_loss
from wordgrad.maths.validation import FloatArray, IdArray, as_finite, as_ids, finite_scores

LOSSES = ("softmax", "negative-sampling")

CBOW_SHARES: dict[str, tuple[float, float] | None] = {
    "exact": None,
    "balanced": (2.2, -0.5),
    "whole": (1.0, 0.0),
}
"""Factor f and power q of :func:`input_share`'s f M^q; None is the gradient's own share."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowGradients:
    """Loss of one window and its gradients.

    Attributes
    ----------
    loss : float
    d_W_in : array (V, D)
        Gradient of the input vectors.
    d_W_out : array (V, D)
        Gradient of the output vectors.
    """

    loss: float
    d_W_in: FloatArray
    d_W_out: FloatArray


def skipgram(
    center: int,
    outside: npt.ArrayLike,
    W_in: npt.ArrayLike,
    W_out: npt.ArrayLike,
    *,
    loss: str = "softmax",
    negatives: npt.ArrayLike | None = None,
) -> WindowGradients:
    r"""Skip-gram: the centre word predicts each word around it.

    .. math:: J = \sum_{o \in outside} J_{pair}(v_c, o, W_{out})

    Parameters
    ----------
    center : integer
        Id of the centre word c.
    outside : integers (M,), M >= 1
        Ids of the words around it; repeats count as often as they occur.
    W_in, W_out : arrays (V, D)
    loss : {"softmax", "negative-sampling"}
        The loss of a pair: :func:`softmax_loss` or :func:`negative_sampling_loss`.
    negatives : integers (M, K)
        K negatives for each outside word; with negative sampling only.

    Returns
    -------
    WindowGradients
        ``d_W_in`` is 0 in every row but that of ``center``.

    Raises
    ------
    ParameterError
        For wrong shapes, an id outside 0 .. V-1, an empty ``outside``, a number that is not
        finite, negatives missing or not wanted, or a negative equal to its outside word.

    Notes
    -----
    Mikolov et al., *Efficient estimation of word representations in vector space*, 2013. With the
    softmax all pairs share one product W_out v_c, and the error is M y_hat - counts: O(V D) for
    the window, not for each pair.

    Examples
    --------
    >>> W = [[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    >>> window = skipgram(0, [1, 2], W, W, loss="negative-sampling", negatives=[[2], [1]])
    >>> float(round(window.loss / np.log(2), 8))
    4.0
    >>> window.d_W_out
    array([[0., 0.],
           [0., 0.],
           [0., 0.]])
    """
    c, context, V_in, V_out = _window(center, outside, W_in, W_out)
    v_c = V_in[c]
    drawn = _drawn(loss, negatives)
    if drawn is not None:
        repeated = np.broadcast_to(v_c, (len(context), len(v_c)))
        value, d_v, d_W_out = negative_sampling_loss(repeated, context, drawn, V_out)
        d_v_c = d_v.sum(axis=0)
    else:
        logits = finite_scores(V_out, v_c)
        value = -float(log_softmax(logits)[context].sum())
        delta = len(context) * softmax(logits)
        np.subtract.at(delta, context, 1)  # minus the counts of the outside words
        d_v_c, d_W_out = delta @ V_out, np.outer(delta, v_c)
    d_W_in = np.zeros_like(V_in)
    d_W_in[c] = d_v_c
    return WindowGradients(value, d_W_in, d_W_out)


def cbow(
    center: int,
    outside: npt.ArrayLike,
    W_in: npt.ArrayLike,
    W_out: npt.ArrayLike,
    *,
    loss: str = "softmax",
    negatives: npt.ArrayLike | None = None,
    combine: str = "mean",
) -> WindowGradients:
    r"""Continuous bag of words: the words around it, combined, predict the centre word.

    .. math:: J = J_{pair}(\hat v, c, W_{out}), \qquad
              \hat v = a \sum_{o \in outside} v_o, \qquad
              \frac{\partial J}{\partial v_w} = a\, n_w \frac{\partial J}{\partial \hat v}

    with a = 1/M for the mean and 1 for the sum, and n_w how often w occurs in ``outside``.

    Parameters
    ----------
    center : integer
        Id of the centre word c.
    outside : integers (M,), M >= 1
        Ids of the words around it; repeats count as often as they occur.
    W_in, W_out : arrays (V, D)
    loss : {"softmax", "negative-sampling"}
        :func:`softmax_loss` or :func:`negative_sampling_loss`.
    negatives : integers (K,)
        Negatives for ``center``; with negative sampling only.
    combine : {"mean", "sum"}

    Returns
    -------
    WindowGradients
        ``d_W_in`` is 0 in every row but those of ``outside``.

    Raises
    ------
    ParameterError
        As in :func:`skipgram`; a negative must differ from ``center``.

    Notes
    -----
    Mikolov et al., *Efficient estimation of word representations in vector space*, 2013. This is
    the gradient of the loss: with the mean, a word of the context receives 1/M of the gradient of
    v_hat. word2vec.c gives it all (Irsoy, Benton and Stratos, *Corrected CBOW performs as well as
    skip-gram*, 2020, arXiv 2012.15332).

    Examples
    --------
    >>> W_in = [[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    >>> W_out = [[2.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    >>> cbow(0, [1, 2], W_in, W_out, loss="negative-sampling", negatives=[1]).d_W_in
    array([[ 0. ,  0. ],
           [-0.5,  0. ],
           [-0.5,  0. ]])
    """
    check_choice("combine", combine, ("mean", "sum"))
    c, context, V_in, V_out = _window(center, outside, W_in, W_out)
    share = 1 / len(context) if combine == "mean" else 1
    v_hat = V_in[context].sum(axis=0) * share
    drawn = _drawn(loss, negatives)
    if drawn is not None:
        value, d_v_hat, d_W_out = negative_sampling_loss(v_hat, c, drawn, V_out)
    else:
        value, d_v_hat, d_W_out = softmax_loss(v_hat, c, V_out)
    d_W_in = np.zeros_like(V_in)
    np.add.at(d_W_in, context, share * d_v_hat)
    return WindowGradients(value, d_W_in, d_W_out)


def pv_dbow(
    documents: npt.ArrayLike,
    outputs: npt.ArrayLike,
    signs: npt.ArrayLike,
    W_in: npt.ArrayLike,
    W_out: npt.ArrayLike,
) -> WindowGradients:
    r"""Distributed bag of words: each of a document's vectors predicts a word of it.

    .. math:: J = \sum_{i \in documents} J_{out}(v_i), \qquad
              J_{out}(h) = -\sum_j \log \sigma(s_j\, u_j \cdot h)

    It is :func:`skipgram` from the document to one outside word; only the rows are others.

    Parameters
    ----------
    documents : integers (T,), T >= 1
        Rows of ``W_in`` of the document's tags.
    outputs : integers (J,)
        Rows of ``W_out``: the word and its negatives (negative sampling), or the inner nodes of the
        path to it (hierarchical softmax), or these and then those.  All tags share them.
    signs : integers (J,), each +1 or -1
        +1 for the word and for turn 0, -1 for a negative and for turn 1.
    W_in : array (N, D)
        Has rows beyond those of words.
    W_out : array (R, D)

    Returns
    -------
    WindowGradients
        ``d_W_in`` (N, D), ``d_W_out`` (R, D).

    Raises
    ------
    ParameterError
        For wrong shapes, a row out of range, no document, or a sign that is neither.

    Notes
    -----
    Le and Mikolov, *Distributed representations of sentences and documents*, 2014, section 2.3.
    Derived in ``docs/derivations/paragraph-vectors.md``.

    Examples
    --------
    >>> W_in, W_out = [[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]], [[0.0, 1.0], [0.0, -1.0]]
    >>> pv_dbow([2], [0, 1], [1, -1], W_in, W_out).d_W_in[2]
    array([ 0., -1.])
    """
    rows, V_in, V_out = _document_window(documents, W_in, W_out, 1)
    loss, d_v, d_W_out = logistic_loss(V_in[rows], outputs, signs, V_out)
    d_W_in = np.zeros_like(V_in)
    np.add.at(d_W_in, rows, d_v)
    return WindowGradients(loss, d_W_in, d_W_out)


def pv_dm(
    inputs: npt.ArrayLike,
    outputs: npt.ArrayLike,
    signs: npt.ArrayLike,
    W_in: npt.ArrayLike,
    W_out: npt.ArrayLike,
    *,
    combine: str = "mean",
) -> WindowGradients:
    r"""Distributed memory: a document and the words around predict a word together.

    .. math:: J = J_{out}(h), \qquad
              h = a \sum_{c=1}^{C} v_{i_c} \quad \text{or} \quad
              h = (v_{i_1}; \ldots; v_{i_C})

    with J_out as in :func:`pv_dbow`, and a = 1/C for the mean and 1 for the sum; or the C rows one
    after another.  The mean and the sum are :func:`cbow` with the document as one more word of the
    context.

    Parameters
    ----------
    inputs : integers (C,), C >= 1
        Rows of ``W_in``: the document's tags, and words; repeats count as often as they occur.
    outputs, signs : integers (J,)
        As in :func:`pv_dbow`.
    W_in : array (N, D)
    W_out : array (R, D), or (R, C D) for the concatenation
    combine : {"mean", "sum", "concat"}

    Returns
    -------
    WindowGradients
        ``d_W_in`` (N, D), ``d_W_out`` of the shape of ``W_out``.

    Raises
    ------
    ParameterError
        As :func:`pv_dbow`.

    Notes
    -----
    Le and Mikolov, *Distributed representations of sentences and documents*, 2014, section 2.2.
    Derived in ``docs/derivations/paragraph-vectors.md``.

    Examples
    --------
    >>> W_in = [[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    >>> W_out = [[2.0, 0.0, 0.0, 4.0], [0.0, 0.0, 0.0, 0.0]]
    >>> pv_dm([2, 1], [0, 1], [1, -1], W_in, W_out, combine="concat").d_W_in.round(3)
    array([[ 0.   ,  0.   ],
           [ 0.   , -0.072],
           [-0.036,  0.   ]])
    """
    check_choice("combine", combine, ("mean", "sum", "concat"))
    width = np.size(inputs) if combine == "concat" else 1
    rows, V_in, V_out = _document_window(inputs, W_in, W_out, width)
    if combine == "concat":
        h, share = V_in[rows].reshape(-1), 1.0
    else:
        share = 1 / len(rows) if combine == "mean" else 1.0
        h = V_in[rows].sum(axis=0) * share
    loss, d_h, d_W_out = logistic_loss(h, outputs, signs, V_out)
    d_W_in = np.zeros_like(V_in)
    parts = d_h.reshape(len(rows), -1) if combine == "concat" else share * d_h
    np.add.at(d_W_in, rows, parts)
    return WindowGradients(loss, d_W_in, d_W_out)


def _document_window(
    inputs: npt.ArrayLike, W_in: npt.ArrayLike, W_out: npt.ArrayLike, width: int
) -> tuple[IdArray, FloatArray, FloatArray]:
    V_in = as_finite("W_in", W_in, shape=("N", "D"))
    V_out = as_finite("W_out", W_out, shape=("R", width * V_in.shape[1]))
    rows = as_ids("inputs", inputs, len(V_in))
    if rows.ndim != 1 or not len(rows):
        raise ParameterError(f"inputs must have shape (C,), not empty, got {rows.shape}.")
    return rows, V_in, V_out


def input_share(M: npt.ArrayLike, *, combine: str = "mean", step: str = "exact") -> FloatArray:
    r"""What a word of a CBOW context is handed of the gradient of the combined vector.

    The step of an occurrence of a context word is :math:`-\eta\, s\, \partial J / \partial \hat v`
    with the share

    .. math:: s = \begin{cases} 1/M & \text{exact, mean} \\ 1 & \text{exact, sum} \\
                                2.2 / \sqrt M & \text{balanced} \\
                                1 & \text{whole.} \end{cases}

    So a row of ``W_in`` moves by the gradient of the loss, :func:`cbow`'s ``d_W_in``, times the
    positive factor s / a, with a = 1/M for the mean and 1 for the sum: M times as far where
    the mean's gradient is handed on whole, 2.2 root M times in between.  ``W_out`` takes the
    exact step always.

    Parameters
    ----------
    M : integers >= 1, any shape
        Occurrences in the context, or rows of ``W_in`` that the input vector combines.
    combine : {"mean", "sum"}
    step : {"exact", "balanced", "whole"}

    Returns
    -------
    array, float64
        s, of the shape of ``M``.

    Raises
    ------
    ParameterError
        For another ``combine`` or ``step``.

    Notes
    -----
    "whole" is what word2vec.c, gensim and fastText do.  Derived in ``docs/derivations/cbow.md``.

    Examples
    --------
    >>> input_share([1, 4]).tolist(), input_share([1, 4], step="whole").tolist()
    ([1.0, 0.25], [1.0, 1.0])
    """
    check_choice("combine", combine, ("mean", "sum"))
    check_choice("step", step, tuple(CBOW_SHARES))
    factor, power = CBOW_SHARES[step] or (1.0, -1.0 if combine == "mean" else 0.0)
    shares: FloatArray = factor * np.asarray(M, dtype=np.float64) ** power
    return shares


def compose(W_in: npt.ArrayLike, parts: Sequence[npt.ArrayLike]) -> FloatArray:
    r"""Word vectors that are means of rows: of the word's own, and of its character n-grams.

    .. math:: v_w = \frac{1}{R_w} \sum_{r \in parts_w} W_{in,r}

    Parameters
    ----------
    W_in : array (R, D)
        Rows of words and of n-grams.
    parts : V sequences of integers
        The R_w >= 1 rows of each word; one that is named twice counts twice.

    Returns
    -------
    array (V, D)

    Raises
    ------
    ParameterError
        For a wrong shape, a number that is not finite, a row outside 0 .. R-1, or no row.

    Notes
    -----
    Bojanowski, Grave, Joulin and Mikolov, *Enriching word vectors with subword information*, 2017,
    equation 2, with the mean of fastText's code in place of the paper's sum.

    Examples
    --------
    >>> compose([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]], [[0, 2], [1]])
    array([[1.5, 1. ],
           [0. , 1. ]])
    """
    rows = as_finite("W_in", W_in, shape=("R", "D"))
    return np.stack([rows[one].mean(axis=0) for one in _parts(parts, len(rows))])


def compose_gradient(
    d_vectors: npt.ArrayLike, parts: Sequence[npt.ArrayLike], n_rows: int
) -> FloatArray:
    r"""Gradient of the rows that word vectors are composed of; see :func:`compose`.

    .. math:: \frac{\partial J}{\partial W_{in,r}}
              = \sum_w \frac{n_{wr}}{R_w} \frac{\partial J}{\partial v_w}

    with n_wr how often r is among the parts of w.

    Parameters
    ----------
    d_vectors : array (V, D)
        The gradient of a loss with respect to the v_w.
    parts : V sequences of integers
    n_rows : integer
        R.

    Returns
    -------
    array (R, D)

    Raises
    ------
    ParameterError
        As :func:`compose`, or if there are not as many parts as vectors.

    Notes
    -----
    fastText hands every part all of dJ/dv_w, R_w times its share (docs/derivations/subwords.md).

    Examples
    --------
    >>> compose_gradient([[2.0], [1.0]], [[0, 2], [1]], n_rows=3)
    array([[1.],
           [1.],
           [1.]])
    """
    gradients = as_finite("d_vectors", d_vectors, shape=("V", "D"))
    if len(gradients) != len(parts):
        raise ParameterError(f"parts must be {len(gradients)}, one a word, got {len(parts)}.")
    d_W_in = np.zeros((n_rows, gradients.shape[1]))
    for gradient, one in zip(gradients, _parts(parts, n_rows), strict=True):
        np.add.at(d_W_in, one, gradient / len(one))
    return d_W_in


def _parts(parts: Sequence[npt.ArrayLike], n_rows: int) -> list[IdArray]:
    return [as_ids(f"parts[{word}]", one, n_rows) for word, one in enumerate(parts)]


def _window(
    center: int, outside: npt.ArrayLike, W_in: npt.ArrayLike, W_out: npt.ArrayLike
) -> tuple[IdArray, IdArray, FloatArray, FloatArray]:
    inputs = as_finite("W_in", W_in, shape=("V", "D"))
    outputs = as_finite("W_out", W_out, shape=inputs.shape)
    c = as_ids("center", center, len(inputs))
    if c.ndim != 0:
        raise ParameterError(f"center must be one integer, got shape {c.shape}.")
    context = as_ids("outside", outside, len(inputs))
    if context.ndim != 1:
        raise ParameterError(f"outside must have shape (M,), got {context.shape}.")
    return c, context, inputs, outputs


def _drawn(loss: str, negatives: npt.ArrayLike | None) -> npt.ArrayLike | None:
    """``negatives`` if ``loss`` is negative sampling, else None; refused where the two disagree."""
    check_choice("loss", loss, LOSSES)
    if loss == "negative-sampling" and negatives is None:
        raise ParameterError("negatives must be given with loss 'negative-sampling', got None.")
    if loss == "softmax" and negatives is not None:
        raise ParameterError(
            "negatives must be None with loss 'softmax' (or choose loss 'negative-sampling'), "
            f"got shape {np.shape(negatives)}."
        )
    return negatives
