"""``OneHiddenLayerClassifier``: the network of the derivations as a scikit-learn classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from wordgrad.classification.dense_network import DenseNetwork, Floats
from wordgrad.classification.optimisers import OPTIMISERS, make_optimiser
from wordgrad.errors import ParameterError, TrainingError, check_choice, check_int, check_real


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
        self._check_parameters()
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        weights = self._weights(X, sample_weight)
        X, y, weights = X[weights > 0], y[weights > 0], weights[weights > 0]
        self.classes_ = self._checked_classes(unique_labels(y))
        labels = np.searchsorted(self.classes_, y)
        self._start(X.dtype)
        held: tuple[Any, ...] | None = None
        if self.early_stopping:
            X, labels, weights, held = self._hold_out(X, labels, weights)
        weights = weights * self._class_weights(y)[labels]
        best = _Best(self.patience)
        for _ in range(self.epochs):
            self._epoch(X, labels, weights)
            if held is not None:
                loss = float(np.average(self._network.losses(*held[:2]), weights=held[2]))
                self.validation_loss_curve_.append(loss)
                if best.is_over(loss, self._network.parameters):
                    break
        if best.parameters is not None:
            self._network.parameters[:] = best.parameters
        return self

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
        self._check_parameters()
        first = not hasattr(self, "_network")
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], reset=first)
        check_classification_targets(y)
        if first:
            if classes is None:
                raise ParameterError(
                    "classes must be given at the first call of partial_fit, got None; name all "
                    "labels that will come."
                )
            self.classes_ = self._checked_classes(unique_labels(classes))
            self._start(X.dtype)
        elif classes is not None and not np.array_equal(unique_labels(classes), self.classes_):
            raise ParameterError(
                f"classes must be those of the first call, {self.classes_.tolist()}, got "
                f"{unique_labels(classes).tolist()}; leave classes out."
            )
        new = np.setdiff1d(y, self.classes_)
        if new.size:
            raise ParameterError(
                f"y must hold labels among the classes {self.classes_.tolist()}, got "
                f"{new.tolist()[0]!r}; name all labels at the first call of partial_fit."
            )
        weights = self._weights(X, sample_weight)
        if self.class_weight == "balanced":
            raise ParameterError(
                "class_weight must not be 'balanced' in partial_fit, which sees a part of the "
                "examples; give a dict of weights."
            )
        labels = np.searchsorted(self.classes_, y)
        weights = weights * self._class_weights(y)[labels]
        X = X.astype(self._network.parameters.dtype, copy=False)
        kept = weights > 0
        self._epoch(X[kept], labels[kept], weights[kept])
        return self

    def _check_parameters(self) -> None:
        check_int("hidden_size", self.hidden_size, minimum=1)
        check_real("learning_rate", self.learning_rate, above=0.0)
        check_choice("optimizer", self.optimizer, OPTIMISERS)
        momentum = check_real("momentum", self.momentum, minimum=0.0, maximum=1.0)
        dropout = check_real("dropout", self.dropout, minimum=0.0, maximum=1.0)
        for name, value in (("momentum", momentum), ("dropout", dropout)):
            if value == 1:
                raise ParameterError(f"{name} must be a finite number in [0, 1), got 1.")
        check_real("l2", self.l2, minimum=0.0)
        check_int("epochs", self.epochs, minimum=1)
        check_int("batch_size", self.batch_size, minimum=1)
        check_int("patience", self.patience, minimum=1)
        check_int("seed", self.seed, minimum=0)
        fraction = check_real("validation_fraction", self.validation_fraction, above=0.0)
        if fraction >= 1:
            raise ParameterError(
                f"validation_fraction must be a number in (0, 1), got {fraction:g}."
            )

    def _weights(self, X: Floats, sample_weight: Any) -> Floats:
        weights: Floats = _check_sample_weight(
            sample_weight, X, dtype=X.dtype, ensure_non_negative=True
        )
        if not weights.any():
            raise ParameterError("sample_weight must have a number above 0, got zeros alone.")
        return weights

    def _checked_classes(self, classes: NDArray[Any]) -> NDArray[Any]:
        if len(classes) < 2:
            raise ParameterError(
                f"y must hold at least two classes, got one class, {classes.tolist()[0]!r}; "
                "there is nothing to tell apart."
            )
        return classes

    def _class_weights(self, y: NDArray[Any]) -> Floats:
        weights: Floats = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        return weights

    def _start(self, dtype: Any) -> None:
        self._network = DenseNetwork(
            self.n_features_in_, self.hidden_size, len(self.classes_), dtype=dtype, seed=self.seed
        )
        self._optimiser = make_optimiser(self.optimizer, self._network.parameters, self.momentum)
        self._random = np.random.default_rng([self.seed, 1])
        self.loss_curve_: list[float] = []
        self.validation_loss_curve_: list[float] = []
        self.n_iter_ = 0

    def _hold_out(self, X: Floats, labels: Any, weights: Floats) -> Any:
        counts = np.bincount(labels)
        room = min(int(np.ceil(self.validation_fraction * len(labels))), len(labels) - 1)
        stratify = labels if counts.min() >= 2 and room >= len(counts) else None
        if len(labels) - room < len(counts):
            raise ParameterError(
                f"early_stopping must leave an example a class to train on, got {len(labels)} "
                f"examples of {len(counts)} classes; give more, or early_stopping=False."
            )
        train, held = train_test_split(
            np.arange(len(labels)), test_size=room, stratify=stratify, random_state=self.seed
        )
        return X[train], labels[train], weights[train], (X[held], labels[held], weights[held])

    def _epoch(self, X: Floats, labels: NDArray[np.intp], weights: Floats) -> None:
        network, size = self._network, min(self.batch_size, len(X))
        share = (weights / weights.mean()).astype(X.dtype)
        order = self._random.permutation(len(X)) if size < len(X) else np.arange(len(X))
        loss = 0.0
        for start in range(0, len(X), size):
            rows = order[start : start + size]
            loss += len(rows) * self._step(X[rows], labels[rows], share[rows] / len(rows))
        loss /= len(X)
        if not np.isfinite(loss) or not np.isfinite(network.parameters).all():
            raise TrainingError(
                f"Training diverged in epoch {self.n_iter_ + 1} (the loss is {loss}); use a lower "
                f"learning_rate than {self.learning_rate:g}, or scale the features."
            )
        self.loss_curve_.append(loss)
        self.n_iter_ += 1

    def _step(self, X: Floats, labels: NDArray[np.intp], weights: Floats) -> float:
        network = self._network
        mask = None
        if self.dropout:
            kept = self._random.random((len(X), self.hidden_size)) >= self.dropout
            mask = (kept / (1 - self.dropout)).astype(X.dtype)
        loss = network.backward(X, labels, weights, mask)
        if self.l2:
            network.d_W1 += self.l2 * network.W1
            network.d_W2 += self.l2 * network.W2
        self._optimiser.step(network.parameters, network.gradient, self.learning_rate)
        return loss

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
        return softmax_rows_of(self._network, X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of every row."""
        probabilities = self.predict_proba(X)
        labels: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return labels


def softmax_rows_of(network: DenseNetwork, X: Floats) -> NDArray[np.float64]:
    """Probabilities, in the network's own number type up to the logits."""
    return network.probabilities(X.astype(network.parameters.dtype, copy=False))  # type: ignore[return-value]


class _Best:
    """The parameters of the lowest loss so far, and how long ago they were."""

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._loss = np.inf
        self._waited = 0
        self.parameters: Floats | None = None

    def is_over(self, loss: float, parameters: Floats) -> bool:
        self._waited += 1
        if loss < self._loss:
            self._loss, self._waited, self.parameters = loss, 0, parameters.copy()
        return self._waited >= self._patience
