"""``TextClassifier``: text in, label out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import train_test_split

from wordgrad.classification.bags import Bags, Features, tokenise
from wordgrad.classification.dense_network import softmax_rows
from wordgrad.classification.explaining import contributions
from wordgrad.classification.model_file import read_model, write_model
from wordgrad.classification.text_network import TextNetwork
from wordgrad.classification.text_trainer import LabelledBags, TextTrainer, TextTraining
from wordgrad.classification.weighting import divergences
from wordgrad.errors import InputError, ParameterError, check_int, check_real
from wordgrad.vectors.word_vectors import WordVectors

_SAVED = ("lowercase", "pattern", "ngrams", "buckets", "min_count")


class TextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Texts to labels: mean of word vectors, one sigmoid hidden layer, softmax.

    Parameters
    ----------
    vector_size : int, default 64
        D; the size of ``vectors`` if they are given.
    hidden_size : int, default 32
        H.
    epochs : int, default 10
    learning_rate : float, default 0.05
        Of the vectors, by Adagrad; the layers learn at a fifth of it by Adam.  Both fall linearly
        to 0.
    batch_size : int, default 32
    ngrams : int, default 2
        The longest n-grams of words that are features; 1 for words alone.
    buckets : int, default 2**22
        N-grams are told apart by a hash below this number.
    min_count : int, default 1
        Words that occur less often in the training texts are unknown.
    vectors : WordVectors or path, optional
        Where the words' vectors start; words without one start at random.
    train_vectors : bool, default True
        Whether the vectors are learned with the network.
    lowercase : bool, default True
    pattern : str, optional
        Regular expression (the syntax of Rust's ``regex``) whose matches are the tokens; by default
        white space separates them.
    dropout : float in [0, 1), default 0
        Share of a text's features that a training step leaves out.
    smoothing : float in [0, 1), default 0
        Of the labels: the target is ``1 - smoothing`` for the right class, and the rest shared.
    l2 : float, default 0
    early_stopping : bool, default False
        Keep a part of the texts to measure the loss on after every epoch, stop when it has not
        fallen for ``patience`` epochs, and keep the parameters of the best.
    validation_fraction : float in (0, 1), default 0.1
    patience : int, default 3
    class_weight : dict, "balanced" or None
    workers : int, optional
        Threads.
    seed : int, default 1
    progress : callable, optional
        Receives a :class:`~wordgrad.classification.text_trainer.ClassifierProgress` an epoch.

    Attributes
    ----------
    classes_ : ndarray (C,)
    vocabulary_ : tuple of str
        Words with a vector, most frequent first.
    history_ : list of dict
        One an epoch: ``epoch``, ``loss``, ``validation_loss``, ``validation_accuracy`` (None
        without early stopping), ``learning_rate``, ``seconds``.
    texts_empty_ : int
        Training texts without a feature; they teach the biases alone.
    tokens_, tokens_unknown_ : int
        Tokens of the training texts, and those of them outside the vocabulary (``min_count``).
    words_with_vectors_ : int
        Words that started from ``vectors``.

    Notes
    -----
    Words and n-grams that were not seen in training add nothing to a text.  A text of nothing else,
    or an empty one, gets the answer of the biases: x = 0.

    Examples
    --------
    >>> texts = ["good film", "fine acting", "bad film", "poor acting"] * 10
    >>> labels = ["praise", "praise", "blame", "blame"] * 10
    >>> model = TextClassifier(vector_size=16, hidden_size=16).fit(texts, labels)
    >>> model.predict(["good acting", "poor film"]).tolist()
    ['praise', 'blame']
    """

    def __init__(
        self,
        vector_size: int = 64,
        hidden_size: int = 32,
        epochs: int = 10,
        learning_rate: float = 0.05,
        *,
        batch_size: int = 32,
        ngrams: int = 2,
        buckets: int = 2**22,
        min_count: int = 1,
        vectors: WordVectors | str | os.PathLike[str] | None = None,
        train_vectors: bool = True,
        lowercase: bool = True,
        pattern: str | None = None,
        dropout: float = 0.0,
        smoothing: float = 0.0,
        l2: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 3,
        class_weight: dict[Any, float] | str | None = None,
        workers: int | None = None,
        seed: int = 1,
        progress: Callable[[Any], None] | None = None,
    ) -> None:
        self.vector_size = vector_size
        self.hidden_size = hidden_size
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.ngrams = ngrams
        self.buckets = buckets
        self.min_count = min_count
        self.vectors = vectors
        self.train_vectors = train_vectors
        self.lowercase = lowercase
        self.pattern = pattern
        self.dropout = dropout
        self.smoothing = smoothing
        self.l2 = l2
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.class_weight = class_weight
        self.workers = workers
        self.seed = seed
        self.progress = progress

    # ---------------------------------------------------------------- training

    def fit(
        self, texts: Sequence[str], labels: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> TextClassifier:
        """Learn vectors and network.

        Parameters
        ----------
        texts : sequence of str (N,)
        labels : sequence of str or int (N,)
        sample_weight : array_like of float >= 0 (N,), optional

        Raises
        ------
        ParameterError
            A hyper-parameter is out of range; or the lengths differ; or there are fewer than two
            classes, or as many as texts.
        InputError
            No text has a token.
        TrainingError
            The loss is no longer a number.
        """
        self._check_parameters()
        texts = _as_texts(texts)
        codes = self._classes_of(labels, len(texts))
        weights = self._weights(sample_weight, codes)
        tokens = tokenise(texts, pattern=self.pattern, lowercase=self.lowercase)
        if len(tokens.ids) == 0:
            raise InputError(
                f"The texts hold no token ({len(texts)} were given); check that they are not empty."
            )
        self._features = Features.learn(
            tokens, min_count=self.min_count, ngrams=self.ngrams, buckets=self.buckets
        )
        if len(self._features) == 0:
            raise InputError(
                f"No word reaches min_count={self.min_count} in {len(tokens.ids)} tokens; use a "
                "lower one."
            )
        bags = self._features.bags(tokens)
        self.texts_empty_, self.tokens_, self.tokens_unknown_ = (
            bags.empty,
            bags.tokens,
            bags.unknown,
        )
        self.vocabulary_ = tuple(self._features.words)
        train, held = self._split(bags, codes, weights)
        importance = divergences(
            train.bags,
            train.labels,
            train.weights.astype(np.float64),
            len(self._features),
            len(self.classes_),
        )
        self._network = self._first_network(importance)
        trainer = TextTrainer(self._network, self._training(), self.progress)
        trainer.run(train, held)
        self.history_ = [vars(record) | {} for record in trainer.history]
        self.n_iter_ = len(self.history_)
        return self

    def _check_parameters(self) -> None:
        for name in ("vector_size", "hidden_size", "epochs", "batch_size", "ngrams", "buckets"):
            check_int(name, getattr(self, name), minimum=1)
        for name in ("min_count", "patience"):
            check_int(name, getattr(self, name), minimum=1)
        if self.workers is not None:
            check_int("workers", self.workers, minimum=1)
        check_int("seed", self.seed, minimum=0)
        check_real("learning_rate", self.learning_rate, above=0.0)
        check_real("l2", self.l2, minimum=0.0)
        for name in ("dropout", "smoothing", "validation_fraction"):
            value = check_real(name, getattr(self, name), minimum=0.0, maximum=1.0)
            if value == 1 or (value == 0 and name == "validation_fraction"):
                raise ParameterError(f"{name} must be a number below 1, got {value:g}.")
        for name in ("lowercase", "train_vectors", "early_stopping"):
            if not isinstance(getattr(self, name), bool):
                value = getattr(self, name)
                raise ParameterError(f"{name} must be True or False, got {value!r}.")
        if self.progress is not None and not callable(self.progress):
            raise ParameterError(f"progress must be callable or None, got {self.progress!r}.")

    def _training(self) -> TextTraining:
        return TextTraining(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            layer_rate=self.learning_rate / 5,
            l2=self.l2,
            drop=self.dropout,
            smoothing=self.smoothing,
            train_vectors=self.train_vectors,
            patience=self.patience,
            seed=self.seed,
        )

    def _classes_of(self, labels: ArrayLike, n_texts: int) -> NDArray[np.int64]:
        given = np.asarray(labels)
        if given.ndim != 1 or len(given) != n_texts:
            raise ParameterError(
                f"labels must be one for each of the {n_texts} texts, got the shape {given.shape}."
            )
        if given.dtype.kind not in "USOiub":
            raise ParameterError(f"labels must be strings or integers, got {given.dtype}.")
        try:
            self.classes_, codes = np.unique(given, return_inverse=True)
        except TypeError as error:
            raise ParameterError("labels must be all strings or all integers.") from error
        if len(self.classes_) < 2:
            raise ParameterError(
                f"labels must hold at least two classes, got one class, {given.tolist()[0]!r}; "
                "there is nothing to tell apart."
                if n_texts
                else "texts must hold at least one text, got none."
            )
        if len(self.classes_) == n_texts and n_texts > 2:
            raise ParameterError(
                f"labels must repeat, got {n_texts} classes for {n_texts} texts; is it the right "
                "column?"
            )
        return codes.astype(np.int64)

    def _weights(
        self, sample_weight: ArrayLike | None, codes: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        n = len(codes)
        weights = np.ones(n) if sample_weight is None else np.asarray(sample_weight, np.float64)
        if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any():
            raise ParameterError(
                f"sample_weight must be {n} finite numbers >= 0, one a text, got the shape "
                f"{weights.shape}."
            )
        totals = np.bincount(codes, weights, minlength=len(self.classes_))
        if (totals == 0).any():
            missing = self.classes_[int(np.argmin(totals))]
            raise ParameterError(
                f"sample_weight must leave every class a text, got none for {missing!r}."
            )
        if self.class_weight == "balanced":
            weights = weights * (totals.mean() / totals)[codes]
        if self.class_weight is None or self.class_weight == "balanced":
            return weights
        if not isinstance(self.class_weight, dict):
            raise ParameterError(
                f"class_weight must be a dict, 'balanced' or None, got {self.class_weight!r}."
            )
        factors = [
            check_real("class_weight", self.class_weight.get(label, 1.0), minimum=0.0)
            for label in self.classes_.tolist()
        ]
        scaled: NDArray[np.float64] = weights * np.array(factors)[codes]
        return scaled

    def _split(
        self, bags: Bags, codes: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> tuple[LabelledBags, LabelledBags | None]:
        kept = np.flatnonzero(weights > 0)
        if not self.early_stopping:
            return _labelled(bags, codes, weights, kept), None
        room = int(np.ceil(self.validation_fraction * len(kept)))
        counts = np.bincount(codes[kept], minlength=len(self.classes_))
        if len(kept) - room < len(counts):
            raise ParameterError(
                f"early_stopping must leave a text a class to train on, got {len(kept)} texts of "
                f"{len(counts)} classes; give more, or early_stopping=False."
            )
        stratify = codes[kept] if counts.min() >= 2 and room >= len(counts) else None
        train, held = train_test_split(
            kept, test_size=room, stratify=stratify, random_state=self.seed
        )
        return (_labelled(bags, codes, weights, part) for part in (train, held))  # type: ignore[return-value]

    def _first_network(self, importance: NDArray[np.float32]) -> TextNetwork:
        vectors = self.vectors
        if vectors is not None and not isinstance(vectors, WordVectors):
            from wordgrad.vectors.formats import load

            vectors = load(vectors)
        size = self.vector_size if vectors is None else vectors.matrix.shape[1]
        network = TextNetwork.initial(
            importance, size, self.hidden_size, len(self.classes_), self.seed
        )
        self.words_with_vectors_ = 0
        if vectors is not None:
            rows = [i for i, word in enumerate(self._features.words) if word in vectors]
            if not rows:
                raise InputError(
                    "vectors hold none of the words of the texts; check that lowercase and pattern "
                    "are those the vectors were trained with."
                )
            self.words_with_vectors_ = len(rows)
            given = np.stack([vectors[self._features.words[i]] for i in rows])
            given = given * (0.1 / np.sqrt((given**2).mean()))
            network.vectors[rows] = given
        return network

    # ---------------------------------------------------------------- asking

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of every class, in the order of ``classes_``; rows sum to 1.

        Returns
        -------
        float64 (N, C)
        """
        bags = self._bags(texts)
        return softmax_rows(self._network.inputs_and_logits(bags)[1].astype(np.float64))

    def predict(self, texts: Sequence[str]) -> NDArray[Any]:
        """Most probable label of every text."""
        probabilities = self.predict_proba(texts)
        labels: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def explain(self, text: str, label: Any = None) -> list[tuple[str, float]]:
        r"""How far each token pushed towards a label.

        The gradient of the label's log odds for x (from :math:`dJ/dx`; see
        :func:`wordgrad.classification.explaining.contributions`) times what the token adds to x:
        its own vector, and an equal part of every n-gram it is in.  An unknown word adds nothing.

        Parameters
        ----------
        text : str
        label : a class, optional
            By default the most probable one.

        Returns
        -------
        list of (token, contribution)
            In the order of the text; positive pushes towards the label.  In nats, to first order.

        Raises
        ------
        ParameterError
            If the label is not a class.
        """
        bags = self._bags([text])
        if label is None:
            code = int(self._network.inputs_and_logits(bags)[1][0].argmax())
        else:
            found = np.flatnonzero(self.classes_ == label)
            if len(found) == 0:
                raise ParameterError(
                    f"label must be one of {self.classes_.tolist()}, got {label!r}."
                )
            code = int(found[0])
        tokens = tokenise([text], pattern=self.pattern, lowercase=self.lowercase)
        values = contributions(self._network, self._features, tokens, code)
        words = [tokens.types[i] for i in tokens.ids.tolist()]
        return list(zip(words, values.tolist(), strict=True))

    def _bags(self, texts: Sequence[str]) -> Bags:
        if not hasattr(self, "_network"):
            raise NotFittedError("This TextClassifier is not fitted yet; call fit, or load a file.")
        tokens = tokenise(_as_texts(texts), pattern=self.pattern, lowercase=self.lowercase)
        return self._features.bags(tokens)

    # ---------------------------------------------------------------- files

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write to one safetensors file; labels are kept as strings.

        Raises
        ------
        OutputError
            See :func:`wordgrad.classification.model_file.write_model`.
        """
        self._bags([])
        network = self._network
        arrays: dict[str, NDArray[Any]] = {
            "vectors": network.vectors,
            "importance": network.importance,
            "W1": network.W1,
            "b1": network.b1,
            "W2": network.W2,
            "b2": network.b2,
            "hashes": self._features.hashes,
        }
        labels = [str(label) for label in self.classes_.tolist()]
        settings = {name: getattr(self, name) for name in _SAVED} | {"history": self.history_}
        write_model(path, arrays, self._features.words, labels, settings, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TextClassifier:
        """Read a file that :meth:`save` wrote; ``classes_`` are strings.

        Raises
        ------
        InputError, FormatError
            See :func:`wordgrad.classification.model_file.read_model`.
        """
        arrays, words, labels, settings = read_model(path)
        hashes = arrays.pop("hashes")
        network = TextNetwork(**arrays)
        model = cls(
            vector_size=network.vectors.shape[1],
            hidden_size=len(network.b1),
            **{name: settings[name] for name in _SAVED},
        )
        model._network = network
        model._features = Features(words, hashes, model.ngrams, model.buckets)
        model.classes_ = np.array(labels)
        model.vocabulary_ = tuple(words)
        model.history_ = settings["history"]
        model.n_iter_ = len(model.history_)
        return model


def _as_texts(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise ParameterError(
            "texts must be a sequence of strings, got one string; put it in a list."
        )
    return list(texts)


def _labelled(
    bags: Bags, codes: NDArray[np.int64], weights: NDArray[np.float64], texts: NDArray[np.intp]
) -> LabelledBags:
    chosen = weights[texts]
    return LabelledBags(bags.take(texts), codes[texts], (chosen / chosen.mean()).astype(np.float32))
