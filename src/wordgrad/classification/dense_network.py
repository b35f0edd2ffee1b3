"""The network of :mod:`wordgrad.maths.network` in BLAS, for batches of dense rows.

Design
(a) All parameters are views of one flat vector, in the order of ``OneHiddenLayer.pack``, and so are
    all gradients: an optimiser is then a few operations on two vectors, whatever the network.
(b) Buffers of a batch are made once; an epoch allocates nothing.
(c) The number type is that of the examples.  In float64 the gradients are the oracle's to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from wordgrad.maths import OneHiddenLayer

Floats = NDArray[np.floating[Any]]


class DenseNetwork:
    """Parameters, gradients and buffers.

    Parameters
    ----------
    n_inputs, n_hidden, n_outputs : int >= 1
        ``Dx``, ``H``, ``Dy``.
    dtype : float32 or float64
    seed : int
        Of the first weights; those of :class:`wordgrad.maths.OneHiddenLayer`.

    Attributes
    ----------
    parameters, gradient : dtype (n_parameters,)
        W1, b1, W2, b2, row by row.
    W1, b1, W2, b2, d_W1, d_b1, d_W2, d_b2
        Views of these two.
    """

    def __init__(
        self, n_inputs: int, n_hidden: int, n_outputs: int, *, dtype: Any, seed: int
    ) -> None:
        first = OneHiddenLayer(n_inputs, n_hidden, n_outputs, seed=seed)
        self.parameters: Floats = first.pack().astype(dtype)
        self.gradient: Floats = np.zeros_like(self.parameters)
        shapes = [(n_inputs, n_hidden), (n_hidden,), (n_hidden, n_outputs), (n_outputs,)]
        self.W1, self.b1, self.W2, self.b2 = _views(self.parameters, shapes)
        self.d_W1, self.d_b1, self.d_W2, self.d_b2 = _views(self.gradient, shapes)
        self._buffers: tuple[Floats, Floats, Floats] | None = None

    def forward(self, X: Floats) -> tuple[Floats, Floats]:
        """Hidden values ``(B, H)`` and logits ``(B, Dy)``; valid until the next call."""
        h, logits, _ = self._room(len(X))
        np.matmul(X, self.W1, out=h)
        h += self.b1
        expit(h, out=h)
        np.matmul(h, self.W2, out=logits)
        logits += self.b2
        return h, logits

    def probabilities(self, X: Floats) -> NDArray[np.float64]:
        """Softmax of the logits, float64 so that rows sum to 1 to its rounding."""
        return softmax_rows(self.forward(X)[1].astype(np.float64))

    def losses(self, X: Floats, labels: NDArray[np.intp]) -> Floats:
        """Cross-entropy of every row, nats."""
        logits = self.forward(X)[1].astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        losses: Floats = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(X)), labels]
        return losses

    def backward(
        self, X: Floats, labels: NDArray[np.intp], weights: Floats, mask: Floats | None = None
    ) -> float:
        r"""Set ``gradient`` to that of :math:`J = \sum_i w_i J_i`, and return J.

        .. math:: \delta_2 = w (\hat y - y), \quad \delta_1 = \delta_2 W_2^T \circ \sigma'(z_1),
                  \quad dW_2 = h^T \delta_2, \quad dW_1 = X^T \delta_1

        Parameters
        ----------
        X : dtype (B, Dx)
        labels : int (B,)
        weights : dtype (B,)
            ``1 / B`` each for the mean of the batch.
        mask : dtype (B, H), optional
            What hidden values are multiplied by (dropout).
        """
        h, logits = self.forward(X)
        _, _, d_h = self._room(len(X))
        sigma_grad = h * (1 - h)
        if mask is not None:
            h *= mask
            sigma_grad *= mask
            np.matmul(h, self.W2, out=logits)
            logits += self.b2
        rows = np.arange(len(X))
        logits -= logits.max(axis=1, keepdims=True)
        right = logits[rows, labels]
        np.exp(logits, out=logits)
        total = logits.sum(axis=1)
        loss = float(np.dot(weights, np.log(total) - right))
        delta_2 = logits
        delta_2 /= total[:, np.newaxis]
        delta_2[rows, labels] -= 1
        delta_2 *= weights[:, np.newaxis]
        np.matmul(h.T, delta_2, out=self.d_W2)
        delta_2.sum(axis=0, out=self.d_b2)
        delta_1 = np.matmul(delta_2, self.W2.T, out=d_h)
        delta_1 *= sigma_grad
        np.matmul(X.T, delta_1, out=self.d_W1)
        delta_1.sum(axis=0, out=self.d_b1)
        return loss

    def _room(self, rows: int) -> tuple[Floats, Floats, Floats]:
        if self._buffers is None or len(self._buffers[0]) < rows:
            dtype, hidden, classes = self.parameters.dtype, len(self.b1), len(self.b2)
            self._buffers = (
                np.empty((rows, hidden), dtype),
                np.empty((rows, classes), dtype),
                np.empty((rows, hidden), dtype),
            )
        h, logits, d_h = self._buffers
        return h[:rows], logits[:rows], d_h[:rows]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the views out: copies of them would no longer be views."""
        shapes = [self.W1.shape, self.b1.shape, self.W2.shape, self.b2.shape]
        return {"parameters": self.parameters, "gradient": self.gradient, "shapes": shapes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.parameters, self.gradient = state["parameters"], state["gradient"]
        self.W1, self.b1, self.W2, self.b2 = _views(self.parameters, state["shapes"])
        self.d_W1, self.d_b1, self.d_W2, self.d_b2 = _views(self.gradient, state["shapes"])
        self._buffers = None


def softmax_rows(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of every row of logits, which is overwritten."""
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def _views(flat: Floats, shapes: list[Any]) -> list[Floats]:
    views, start = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        views.append(flat[start : start + size].reshape(shape))
        start += size
    return views
