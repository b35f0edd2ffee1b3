"""A network of one hidden layer: sigmoid inside, softmax and cross-entropy at the end.

Derived in ``docs/derivations/one-hidden-layer.md``.  B rows in a batch, ``Dx`` inputs, ``H`` hidden
units, ``Dy`` classes::

    X (B, Dx) -> z1 = X W1 + b1 (B, H) -> h = sigmoid(z1) -> logits = h W2 + b2 (B, Dy) -> y_hat

A network is a value: :meth:`OneHiddenLayer.unpack` returns a new one, so that a gradient check or
an optimiser sees a plain function of one flat vector of parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from wordgrad.errors import check_int
from wordgrad.maths.functions import sigmoid, sigmoid_grad, softmax
from wordgrad.maths.losses import cross_entropy
from wordgrad.maths.validation import FloatArray, as_finite


@dataclass(frozen=True, slots=True, eq=False)
class Activations:
    """What a forward pass computes, kept for the backward pass.

    Attributes
    ----------
    X : array (B, Dx)
        The inputs, float64.
    h : array (B, H)
        Values of the hidden units.
    logits : array (B, Dy)
    y_hat : array (B, Dy)
        Probabilities of the classes; rows sum to 1.
    """

    X: FloatArray
    h: FloatArray
    logits: FloatArray
    y_hat: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class NetworkGradients:
    """Loss of a batch, and its gradient for every parameter and for the inputs.

    Attributes
    ----------
    loss : float
    d_W1 : array (Dx, H)
    d_b1 : array (H,)
    d_W2 : array (H, Dy)
    d_b2 : array (Dy,)
    d_X : array (B, Dx)
    """

    loss: float
    d_W1: FloatArray
    d_b1: FloatArray
    d_W2: FloatArray
    d_b2: FloatArray
    d_X: FloatArray

    def pack(self) -> FloatArray:
        """Gradients of the parameters, flat, in the order of :meth:`OneHiddenLayer.pack`."""
        return _flat(self.d_W1, self.d_b1, self.d_W2, self.d_b2)


OutputLoss: TypeAlias = Callable[[npt.ArrayLike, npt.ArrayLike, str], tuple[float, FloatArray]]
"""From logits, labels and reduction to a loss and its gradient for the logits."""


class OneHiddenLayer:
    r"""Sigmoid hidden layer, softmax output, cross-entropy.

    .. math:: h = \sigma(X W_1 + b_1), \qquad \hat y = \mathrm{softmax}(h W_2 + b_2), \qquad
              J = -\sum_i y_i \log \hat y_i

    Parameters
    ----------
    n_inputs, n_hidden, n_outputs : int >= 1
        ``Dx``, ``H``, ``Dy``.
    seed : int
        Of the first weights, uniform in +-sqrt(6 / (rows + columns)) (Glorot and Bengio,
        *Understanding the difficulty of training deep feedforward neural networks*, 2010,
        equation 16). The biases start at 0.

    Attributes
    ----------
    W1 : float64 (Dx, H)
    b1 : float64 (H,)
    W2 : float64 (H, Dy)
    b2 : float64 (Dy,)

    Raises
    ------
    ParameterError
        If a size is not an integer >= 1, or ``seed`` not one >= 0.

    Examples
    --------
    >>> network = OneHiddenLayer(10, 5, 3)
    >>> network.n_parameters
    73
    >>> network.forward(np.zeros((2, 10))).y_hat.sum(axis=1)
    array([1., 1.])
    """

    __slots__ = ("W1", "W2", "b1", "b2")

    def __init__(self, n_inputs: int, n_hidden: int, n_outputs: int, *, seed: int = 0) -> None:
        n_inputs = check_int("n_inputs", n_inputs, minimum=1)
        n_hidden = check_int("n_hidden", n_hidden, minimum=1)
        n_outputs = check_int("n_outputs", n_outputs, minimum=1)
        rng = np.random.default_rng(check_int("seed", seed, minimum=0))
        self.W1 = _glorot(rng, n_inputs, n_hidden)
        self.b1 = np.zeros(n_hidden)
        self.W2 = _glorot(rng, n_hidden, n_outputs)
        self.b2 = np.zeros(n_outputs)

    @property
    def n_parameters(self) -> int:
        """``(Dx + 1) H + (H + 1) Dy``: every unit has a weight for each input, and a bias."""
        n_inputs, n_hidden = len(self.W1), len(self.b1)
        return (n_inputs + 1) * n_hidden + (n_hidden + 1) * len(self.b2)

    def pack(self) -> FloatArray:
        """W1, b1, W2, b2, row by row, as one new array ``(n_parameters,)``.

        >>> network = OneHiddenLayer(2, 3, 2)
        >>> network.pack().shape
        (17,)
        """
        return _flat(self.W1, self.b1, self.W2, self.b2)

    def unpack(self, flat: npt.ArrayLike) -> OneHiddenLayer:
        """Network of the same sizes with the parameters ``flat``, as :meth:`pack` orders them.

        Parameters
        ----------
        flat : array (n_parameters,)
            Copied: changing it later does not change the network.

        Raises
        ------
        ParameterError
            If ``flat`` has another shape or a number that is not finite.

        Examples
        --------
        >>> network = OneHiddenLayer(2, 3, 2)
        >>> bool((network.unpack(2 * network.pack()).W2 == 2 * network.W2).all())
        True
        """
        values = as_finite("flat", flat, shape=(self.n_parameters,))
        other = object.__new__(OneHiddenLayer)
        start = 0
        for name in ("W1", "b1", "W2", "b2"):
            shape = getattr(self, name).shape
            stop = start + int(np.prod(shape))
            setattr(other, name, np.array(values[start:stop], dtype=np.float64).reshape(shape))
            start = stop
        return other

    def forward(self, X: npt.ArrayLike) -> Activations:
        """Probabilities of the classes for every row of ``X``, and what led to them.

        Parameters
        ----------
        X : array (B, Dx)

        Raises
        ------
        ParameterError
            If ``X`` has another shape or a number that is not finite.
        """
        inputs = as_finite("X", X, shape=("B", len(self.W1)))
        h = sigmoid(inputs @ self.W1 + self.b1)
        logits = h @ self.W2 + self.b2
        return Activations(inputs, h, logits, softmax(logits))

    def loss_and_gradients(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        reduction: str = "mean",
        loss: OutputLoss = cross_entropy,
    ) -> NetworkGradients:
        r"""Cross-entropy of a batch, and its gradients by back-propagation.

        .. math:: \delta_2 = \hat y - y, \qquad \delta_1 = \delta_2 W_2^T \circ \sigma'(z_1)
        .. math:: dW_2 = h^T \delta_2, \quad db_2 = \sum_{rows} \delta_2, \quad
                  dW_1 = X^T \delta_1, \quad db_1 = \sum_{rows} \delta_1, \quad
                  dX = \delta_1 W_1^T

        Parameters
        ----------
        X : array (B, Dx)
        Y : integers (B,), or distributions (B, Dy)
            Labels, as in :func:`~wordgrad.maths.cross_entropy`.
        reduction : {"mean", "sum"}
            Over the rows of the batch, for the loss and its gradients.
        loss : callable
            From logits, ``Y`` and ``reduction`` to the loss and its gradient :math:`\delta_2`: by
            default :func:`~wordgrad.maths.cross_entropy`, or
            :func:`~wordgrad.maths.binary_cross_entropy`.

        Raises
        ------
        ParameterError
            As in :meth:`forward` and in :func:`~wordgrad.maths.cross_entropy`.

        Notes
        -----
        Rumelhart, Hinton and Williams, *Learning representations by back-propagating errors*,
        Nature 323, 1986.

        Examples
        --------
        >>> network = OneHiddenLayer(2, 3, 2)
        >>> network.loss_and_gradients([[1.0, 2.0]], [1]).d_W1.shape
        (2, 3)
        """
        cache = self.forward(X)
        value, delta_2 = loss(cache.logits, Y, reduction)
        delta_1 = (delta_2 @ self.W2.T) * sigmoid_grad(cache.h)
        return NetworkGradients(
            value,
            d_W1=cache.X.T @ delta_1,
            d_b1=delta_1.sum(axis=0),
            d_W2=cache.h.T @ delta_2,
            d_b2=delta_2.sum(axis=0),
            d_X=delta_1 @ self.W1.T,
        )


class SoftmaxLayer:
    r"""Softmax of a linear map, cross-entropy: the network above without its hidden layer.

    .. math:: \hat y = \mathrm{softmax}(X W_2 + b_2), \qquad J = -\sum_i y_i \log \hat y_i

    Derived in ``docs/derivations/one-hidden-layer.md``, "Without a hidden layer".

    Parameters
    ----------
    n_inputs, n_outputs : int >= 1
        ``Dx``, ``Dy``.
    seed : int
        Of the first weights, as in :class:`OneHiddenLayer`.

    Attributes
    ----------
    W2 : float64 (Dx, Dy)
    b2 : float64 (Dy,)

    Raises
    ------
    ParameterError
        If a size is not an integer >= 1, or ``seed`` not one >= 0.

    Examples
    --------
    >>> layer = SoftmaxLayer(10, 3)
    >>> layer.n_parameters
    33
    >>> layer.forward(np.zeros((2, 10))).y_hat.sum(axis=1)
    array([1., 1.])
    """

    __slots__ = ("W2", "b2")

    def __init__(self, n_inputs: int, n_outputs: int, *, seed: int = 0) -> None:
        n_inputs = check_int("n_inputs", n_inputs, minimum=1)
        n_outputs = check_int("n_outputs", n_outputs, minimum=1)
        rng = np.random.default_rng(check_int("seed", seed, minimum=0))
        self.W2 = _glorot(rng, n_inputs, n_outputs)
        self.b2 = np.zeros(n_outputs)

    @property
    def n_parameters(self) -> int:
        """``(Dx + 1) Dy``."""
        return self.W2.size + self.b2.size

    def pack(self) -> FloatArray:
        """W2 and b2, row by row, as one new array ``(n_parameters,)``."""
        return _flat(self.W2, self.b2)

    def unpack(self, flat: npt.ArrayLike) -> SoftmaxLayer:
        """Layer of the same sizes with the parameters ``flat``, which are copied.

        Raises
        ------
        ParameterError
            If ``flat`` has another shape or a number that is not finite.

        Examples
        --------
        >>> SoftmaxLayer(2, 2).unpack(np.arange(6)).b2
        array([4., 5.])
        """
        values = np.array(as_finite("flat", flat, shape=(self.n_parameters,)), dtype=np.float64)
        other = object.__new__(SoftmaxLayer)
        other.W2 = values[: self.W2.size].reshape(self.W2.shape)
        other.b2 = values[self.W2.size :]
        return other

    def forward(self, X: npt.ArrayLike) -> Activations:
        """Probabilities of the classes for every row of ``X``; ``h`` is ``X``.

        Raises
        ------
        ParameterError
            If ``X`` has another shape or a number that is not finite.
        """
        inputs = as_finite("X", X, shape=("B", len(self.W2)))
        logits = inputs @ self.W2 + self.b2
        return Activations(inputs, inputs, logits, softmax(logits))

    def loss_and_gradients(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        reduction: str = "mean",
        loss: OutputLoss = cross_entropy,
    ) -> NetworkGradients:
        r"""Cross-entropy of a batch, and its gradients; ``d_W1`` and ``d_b1`` are empty.

        .. math:: \delta_2 = \hat y - y, \qquad dW_2 = X^T \delta_2, \quad
                  db_2 = \sum_{rows} \delta_2, \quad dX = \delta_2 W_2^T

        Parameters
        ----------
        X : array (B, Dx)
        Y : integers (B,), or distributions (B, Dy)
        reduction : {"mean", "sum"}
        loss : callable
            As in :meth:`OneHiddenLayer.loss_and_gradients`.

        Raises
        ------
        ParameterError
            As :meth:`OneHiddenLayer.loss_and_gradients`.

        Examples
        --------
        >>> SoftmaxLayer(2, 3).loss_and_gradients([[1.0, 2.0]], [1]).d_W2.shape
        (2, 3)
        """
        cache = self.forward(X)
        value, delta_2 = loss(cache.logits, Y, reduction)
        return NetworkGradients(
            value,
            d_W1=np.zeros((len(self.W2), 0)),
            d_b1=np.zeros(0),
            d_W2=cache.X.T @ delta_2,
            d_b2=delta_2.sum(axis=0),
            d_X=delta_2 @ self.W2.T,
        )


def _glorot(rng: np.random.Generator, rows: int, columns: int) -> npt.NDArray[np.float64]:
    bound = np.sqrt(6 / (rows + columns))
    return rng.uniform(-bound, bound, size=(rows, columns))


def _flat(*arrays: FloatArray) -> FloatArray:
    return np.concatenate([array.ravel() for array in arrays])
