"""Gradient descent, with momentum, and Adam: how a gradient becomes a step.

The network of :mod:`wordgrad.maths.network` in BLAS, for batches of dense rows.

Design
(a) All parameters are views of one flat vector, in the order of ``OneHiddenLayer.pack``, and so are
    all gradients: an optimiser is then a few operations on two vectors, whatever the network.
(b) Buffers of a batch are made once; an epoch allocates nothing.
(c) The number type is that of the examples.  In float64 the gradients are the oracle's to rounding.

Epochs over dense rows: shuffles, batches, early stopping.

``OneHiddenLayerClassifier``: the network of the derivations as a scikit-learn classifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from wordgrad.classification.examples import check_two_classes, example_weights, held_out
from wordgrad.classification.model import softmax_rows
from wordgrad.errors import (
    ParameterError,
    TrainingError,
    check_choice,
    check_int,
    check_real,
    check_share,
)
from wordgrad.maths import OneHiddenLayer

Floats = NDArray[np.floating[Any]]

OPTIMISERS = ("adam", "momentum", "sgd")
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class Optimiser(Protocol):
    """Changes parameters in place."""

    def step(self, parameters: Floats, gradient: Floats, learning_rate: float) -> None:
        """Take one step; ``gradient`` may be overwritten."""


class Sgd:
    """``parameters -= learning_rate * gradient``."""

    def step(self, parameters: Floats, gradient: Floats, learning_rate: float) -> None:
        """Take one step; ``gradient`` is overwritten."""
        gradient *= learning_rate
        parameters -= gradient


class Momentum:
    """``velocity = momentum * velocity - learning_rate * gradient; parameters += velocity``.

    Polyak, *Some methods of speeding up the convergence of iteration methods*, 1964.
    """

    def __init__(self, like: Floats, momentum: float) -> None:
        self._velocity = np.zeros_like(like)
        self._momentum = momentum

    def step(self, parameters: Floats, gradient: Floats, learning_rate: float) -> None:
        """Take one step; ``gradient`` is overwritten."""
        gradient *= learning_rate
        self._velocity *= self._momentum
        self._velocity -= gradient
        parameters += self._velocity


class Adam:
    """Kingma and Ba, *Adam: a method for stochastic optimization*, 2015, algorithm 1.

    Its usual constants: 0.9, 0.999 and 1e-8.
    """

    def __init__(self, like: Floats) -> None:
        self._mean = np.zeros_like(like)
        self._square = np.zeros_like(like)
        self._room = np.empty_like(like)
        self._steps = 0

    def step(self, parameters: Floats, gradient: Floats, learning_rate: float) -> None:
        """Take one step; ``gradient`` is overwritten."""
        self._steps += 1
        room = self._room
        self._mean *= BETA_1
        np.multiply(gradient, 1 - BETA_1, out=room)
        self._mean += room
        self._square *= BETA_2
        gradient *= gradient
        gradient *= 1 - BETA_2
        self._square += gradient
        # m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps), the scalars gathered
        root = float(np.sqrt(1 - BETA_2**self._steps))
        np.sqrt(self._square, out=room)
        room += EPSILON * root
        np.divide(self._mean, room, out=room)
        room *= learning_rate * root / (1 - BETA_1**self._steps)
        parameters -= room


def make_optimiser(name: str, like: Floats, momentum: float) -> Optimiser:
    """Return the optimiser of one of the names in :data:`OPTIMISERS`."""
    if name == "adam":
        return Adam(like)
    return Momentum(like, momentum) if name == "momentum" else Sgd()


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


def _views(flat: Floats, shapes: list[Any]) -> list[Floats]:
    views, start = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        views.append(flat[start : start + size].reshape(shape))
        start += size
    return views


@dataclass(frozen=True)
class DenseTraining:
    """Settings of a training, checked by whoever makes them.

    Attributes
    ----------
    optimizer : {"adam", "momentum", "sgd"}
    learning_rate, momentum, l2, dropout : float
    batch_size, seed : int
    """

    optimizer: str
    learning_rate: float
    momentum: float
    l2: float
    dropout: float
    batch_size: int
    seed: int


@dataclass(frozen=True)
class Rows:
    """Examples: X (N, Dx), classes int64 (N,), and what each counts, (N,)."""

    X: Floats
    labels: NDArray[np.int64]
    weights: Floats

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """Some of the rows, in the order given."""
        return Rows(self.X[rows], self.labels[rows], self.weights[rows])

    def with_weight(self) -> Rows:
        """The rows that count."""
        return self if (self.weights > 0).all() else self.take(np.flatnonzero(self.weights > 0))


class DenseTrainer:
    """Trains a network in place, an epoch a call.

    Attributes
    ----------
    loss_curve : list of float
        Mean loss of every epoch, over its steps, in nats; the term of ``l2`` is left out.
    """

    def __init__(self, network: DenseNetwork, settings: DenseTraining) -> None:
        self.network = network
        self.settings = settings
        self.loss_curve: list[float] = []
        self._optimiser = make_optimiser(settings.optimizer, network.parameters, settings.momentum)
        self._random = np.random.default_rng([settings.seed, 1])

    def epoch(self, rows: Rows) -> None:
        """Go through the rows once.

        Raises
        ------
        TrainingError
            If the loss is no longer a number.
        """
        n = len(rows.labels)
        size = min(self.settings.batch_size, n)
        # Weights have mean 1 over the rows: an example of weight 2 counts as two do.
        share = (rows.weights / rows.weights.mean()).astype(rows.X.dtype)
        order = self._random.permutation(n) if size < n else np.arange(n)
        loss = 0.0
        with np.errstate(over="ignore", invalid="ignore"):  # divergence is an error below
            for start in range(0, n, size):
                batch = order[start : start + size]
                weights = share[batch] / len(batch)
                loss += len(batch) * self.step(rows.X[batch], rows.labels[batch], weights)
        loss /= n
        if not (np.isfinite(loss) and np.isfinite(self.network.parameters).all()):
            raise TrainingError(
                f"Training diverged in epoch {len(self.loss_curve) + 1} (the loss is {loss:g}); "
                f"use a lower learning_rate than {self.settings.learning_rate:g}, or scale the "
                "features."
            )
        self.loss_curve.append(loss)

    def step(self, X: Floats, labels: NDArray[np.int64], weights: Floats) -> float:
        """Take one step on ``sum_i weights_i J_i``; return it."""
        network, settings = self.network, self.settings
        mask = None
        if settings.dropout:
            kept = self._random.random((len(X), len(network.b1))) >= settings.dropout
            mask = (kept / (1 - settings.dropout)).astype(X.dtype)
        loss = network.backward(X, labels, weights, mask)
        if settings.l2:
            network.d_W1 += settings.l2 * network.W1
            network.d_W2 += settings.l2 * network.W2
        self._optimiser.step(network.parameters, network.gradient, settings.learning_rate)
        return loss

    def run(self, rows: Rows, held: Rows | None, epochs: int, patience: int) -> list[float]:
        """Train for all epochs, or until the loss on ``held`` stops falling.

        Returns
        -------
        list of float
            The loss on ``held`` after each epoch; empty without it.
        """
        losses: list[float] = []
        best = self.network.parameters
        for _ in range(epochs):
            self.epoch(rows)
            if held is None:
                continue
            losses.append(
                float(np.average(self.network.losses(held.X, held.labels), weights=held.weights))
            )
            waited = len(losses) - 1 - int(np.argmin(losses))
            if waited == 0:
                best = self.network.parameters.copy()
            if waited >= patience:
                break
        self.network.parameters[:] = best
        return losses


class OneHiddenLayerClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    r"""Sigmoid hidden layer, softmax output, cross-entropy: rows of numbers in, classes out.

    .. math:: h = \sigma(x W_1 + b_1), \qquad \hat y = \mathrm{softmax}(h W_2 + b_2), \qquad
              J = \sum_i w_i J_i / \sum_i w_i + \tfrac{1}{2} l_2 (|W_1|^2 + |W_2|^2)

    The gradients are those of :class:`wordgrad.maths.OneHiddenLayer`, to rounding.

    Parameters
    ----------
    hidden_size : int, default 64
        H, the number of hidden units.
    learning_rate : float, default 0.01
    optimizer : {"adam", "momentum", "sgd"}, default "adam"
    momentum : float in [0, 1), default 0.9
        Share of the last step that "momentum" keeps; the others do not use it.
    l2 : float, default 1e-4
        Weight of the squares of the weights; biases are left alone.
    epochs : int, default 100
    batch_size : int, default 200
        Rows a step; all rows if there are fewer.
    early_stopping : bool, default False
        Keep a part of the examples to measure the loss on after every epoch, stop when it has not
        fallen for ``patience`` epochs, and keep the parameters of the best.
    validation_fraction : float in (0, 1), default 0.1
        That part.
    patience : int, default 10
    class_weight : dict, "balanced" or None
        What each class's examples count; "balanced" lets every class count the same in sum.
    dropout : float in [0, 1), default 0
        Probability that a hidden unit is left out of an example's step.
    seed : int, default 1
        Of the first weights and of every shuffle.

    Attributes
    ----------
    classes_ : ndarray (Dy,)
    loss_curve_ : list of float
        Mean loss an epoch, in nats, over its steps, the term of ``l2`` left out.
    validation_loss_curve_ : list of float
        With ``early_stopping``: the loss of the part kept, after each epoch.
    n_iter_ : int
        Epochs done.
    n_features_in_ : int

    Notes
    -----
    The optimiser works on the type of X: float32 stays float32, all else becomes float64.
    Examples of weight 0 are left out.  Where all rows fit in one batch, an example of weight 2 does
    exactly what the example twice would do.

    Examples
    --------
    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> model = OneHiddenLayerClassifier(hidden_size=8, learning_rate=0.1, l2=0).fit(
    ...     X, ["same", "different", "different", "same"])
    >>> model.predict(X).tolist()
    ['same', 'different', 'different', 'same']
    """

    def __init__(
        self,
        hidden_size: int = 64,
        learning_rate: float = 0.01,
        optimizer: str = "adam",
        *,
        momentum: float = 0.9,
        l2: float = 1e-4,
        epochs: int = 100,
        batch_size: int = 200,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        class_weight: dict[Any, float] | str | None = None,
        dropout: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.hidden_size = hidden_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.momentum = momentum
        self.l2 = l2
        self.epochs = epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.class_weight = class_weight
        self.dropout = dropout
        self.seed = seed

    # ---------------------------------------------------------------- training

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> OneHiddenLayerClassifier:
        """Train from new random weights.

        Parameters
        ----------
        X : array_like of float (N, Dx)
        y : array_like (N,)
            Labels of any kind that scikit-learn takes for classes.
        sample_weight : array_like of float >= 0 (N,), optional

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A hyper-parameter is out of range, or there is one class only.
        ValueError
            The arrays' shapes do not fit, or a number is NaN or infinite.
        TrainingError
            The loss is no longer a number.
        """
        settings = self._settings()
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_ = _at_least_two(unique_labels(y))
        rows = self._rows(X, y, sample_weight)
        check_two_classes(np.asarray(rows.weights, np.float64), rows.labels)
        rows, held = rows.with_weight(), None
        if self.early_stopping:
            parts = held_out(rows.labels, self.validation_fraction, self.seed)
            rows, held = (rows.take(part) for part in parts)
        self._start(X.dtype, settings)
        self.validation_loss_curve_ = self._trainer.run(rows, held, self.epochs, self.patience)
        return self._finish()

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> OneHiddenLayerClassifier:
        """Train for one epoch on these examples, from where the last call ended.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        classes : array_like, optional
            All labels that will ever come; needed at the first call.

        Raises
        ------
        ParameterError, ValueError, TrainingError
            As in :meth:`fit`; also if a label is not among ``classes``.
        """
        settings = self._settings()
        if self.class_weight == "balanced":
            raise ParameterError(
                "class_weight must not be 'balanced' in partial_fit, which sees a part of the "
                "examples; give a dict of weights."
            )
        first = not hasattr(self, "_trainer")
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], reset=first)
        check_classification_targets(y)
        self._take_classes(classes, first)
        new = np.setdiff1d(y, self.classes_)
        if new.size:
            raise ParameterError(
                f"y must hold labels among the classes {self.classes_.tolist()}, got "
                f"{new.tolist()[0]!r}; name all labels at the first call of partial_fit."
            )
        if first:
            self._start(X.dtype, settings)
        self._trainer.settings = settings
        X = X.astype(self._trainer.network.parameters.dtype, copy=False)
        rows = self._rows(X, y, sample_weight).with_weight()
        self._trainer.epoch(rows)
        return self._finish()

    def _settings(self) -> DenseTraining:
        check_int("hidden_size", self.hidden_size, minimum=1)
        check_real("learning_rate", self.learning_rate, above=0.0)
        check_choice("optimizer", self.optimizer, OPTIMISERS)
        check_real("l2", self.l2, minimum=0.0)
        check_share("momentum", self.momentum)
        check_share("dropout", self.dropout)
        check_share("validation_fraction", self.validation_fraction, above=0.0)
        for name in ("epochs", "batch_size", "patience"):
            check_int(name, getattr(self, name), minimum=1)
        return DenseTraining(
            self.optimizer,
            self.learning_rate,
            self.momentum,
            self.l2,
            self.dropout,
            self.batch_size,
            check_int("seed", self.seed, minimum=0),
        )

    def _take_classes(self, classes: Any, first: bool) -> None:
        if first:
            if classes is None:
                raise ParameterError(
                    "classes must be given at the first call of partial_fit, got None; name all "
                    "labels that will come."
                )
            self.classes_ = _at_least_two(unique_labels(classes))
        elif classes is not None and not np.array_equal(unique_labels(classes), self.classes_):
            raise ParameterError(
                f"classes must be those of the first call, {self.classes_.tolist()}, got "
                f"{unique_labels(classes).tolist()}; leave classes out."
            )

    def _rows(self, X: Floats, y: NDArray[Any], sample_weight: Any) -> Rows:
        labels = np.searchsorted(self.classes_, y).astype(np.int64)
        weights = example_weights(sample_weight, self.class_weight, self.classes_, labels)
        return Rows(X, labels, weights)

    def _start(self, dtype: Any, settings: DenseTraining) -> None:
        network = DenseNetwork(
            self.n_features_in_, self.hidden_size, len(self.classes_), dtype=dtype, seed=self.seed
        )
        self._trainer = DenseTrainer(network, settings)

    def _finish(self) -> OneHiddenLayerClassifier:
        self.loss_curve_ = list(self._trainer.loss_curve)
        self.n_iter_ = len(self.loss_curve_)
        return self

    # ---------------------------------------------------------------- asking

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of every class, in the order of ``classes_``; rows sum to 1.

        Parameters
        ----------
        X : array_like of float (N, Dx)

        Returns
        -------
        float64 (N, Dy)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        network = self._trainer.network
        return network.probabilities(X.astype(network.parameters.dtype, copy=False))

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of every row."""
        probabilities = self.predict_proba(X)
        labels: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return labels


def _at_least_two(classes: NDArray[Any]) -> NDArray[Any]:
    if len(classes) < 2:
        raise ParameterError(
            f"y must hold at least two classes, got one class, {classes.tolist()[0]!r}; "
            "there is nothing to tell apart."
        )
    return classes
