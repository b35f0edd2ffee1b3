"""``OneHiddenLayerClassifier``: the network of the derivations as a scikit-learn classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from wordgrad.classification.dense_network import DenseNetwork, Floats
from wordgrad.classification.dense_trainer import DenseTrainer, DenseTraining, Rows
from wordgrad.classification.examples import check_two_classes, example_weights, held_out
from wordgrad.classification.optimisers import OPTIMISERS
from wordgrad.errors import ParameterError, check_choice, check_int, check_real, check_share


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
