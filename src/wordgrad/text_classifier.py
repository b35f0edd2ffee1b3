"""``TextClassifier``: learns from labelled texts, answers, explains, saves."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError

from wordgrad.classification.examples import (
    EncodedTexts,
    LabelledBags,
    check_two_classes,
    class_codes,
    divergences,
    encode_files,
    example_weights,
    held_out,
    label_lists,
    several_codes,
    take_labels,
)
from wordgrad.classification.features import (
    LONGEST,
    RANGES,
    Features,
    Tokens,
    are_lengths,
    tokenise,
)
from wordgrad.classification.losses import NO_TREE, Tree, class_tree
from wordgrad.classification.model import TextModel, TextNetwork
from wordgrad.classification.selection import (
    HELD,
    Chosen,
    choose,
    cooled,
    first_rate,
    measure,
    vector_size_for,
)
from wordgrad.classification.trainer import (
    ClassifierProgress,
    Member,
    TextTrainer,
    TextTraining,
    first_networks,
    start_from,
)
from wordgrad.corpus.sources import texts_of
from wordgrad.errors import ParameterError, check_bool, check_int, check_real
from wordgrad.processes import usable_cores
from wordgrad.word_vectors import WordVectors

if TYPE_CHECKING:
    from wordgrad.corpus.labelled import LabelledSource


@dataclass(frozen=True)
class _Trained:
    """A training, the temperature that held-out texts ask for, and their loss at it."""

    network: TextNetwork
    history: list[ClassifierProgress]
    rate: float
    temperature: float
    loss: float


class TextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    r"""Texts to labels: a weighted mean of vectors, and a softmax of them.

    What is ``None`` below is chosen on the training texts, a part of which is held out for it (see
    :mod:`wordgrad.classification.selection`).

    Parameters
    ----------
    vector_size : int, optional
        D; by default 16 for two classes, and more for more, up to 128; the size of ``vectors`` if
        they are given.
    hidden_size : int, default 0
        H, the units of a sigmoid hidden layer; without one the softmax sees the mean at once.
    epochs : int, default 5
    learning_rate : float, optional
        Of the vectors, by Adagrad; the layers learn at a fifth of it by Adam.  Both fall linearly
        to 0.
    members : int, default 2
        Networks that learn side by side from different starts and in different order; their sizes
        add up to ``vector_size`` and ``hidden_size``.  Together they are one network, whose logits
        are the mean of theirs.
    loss : {"softmax", "one-vs-all", "hierarchical-softmax"}, default "softmax"
        What the scores mean: one label of all, where several labels of a text share the target; or
        a yes or no for each label, for texts that have several, or none; or a few questions on the
        way down a tree of the labels, whose time does not grow with their number, for thousands.
    batch_size : int, default 32
        Texts a step; fewer where there are less than 100 times as many texts, so that an epoch
        of few texts has steps enough.
    ngrams : int, default 2
        The longest n-grams of words that are features; 1 for words alone.
    buckets : int, default 2**22
        N-grams are distinguished by a hash below this number.
    min_count : int, default 1
        Words that occur less often in the training texts are unknown.
    prefix : int, default 5
        A word of more letters has its beginning of this length as a feature, too; 0 for none.
        With ``subwords`` there are none, for they hold them.
    subwords : (int, int), optional
        Lengths of the shortest and longest n-grams of a word's letters that are features; (0, 0)
        for none.
    vectors : WordVectors or path, optional
        Where the words' vectors start; words without one start at random.
    train_vectors : bool, default True
        Whether the vectors are learned with the network.  If not, only words with a vector in
        ``vectors`` count.
    lowercase : bool, default True
    pattern : str, optional
        Regular expression (the syntax of Rust's ``regex``) whose matches are the tokens; by default
        they are words, an apostrophe inside them, and single signs.  ``r"\S+"`` takes what white
        space separates.
    dropout : float in [0, 1), default 0
        Share of a text's features that a training step leaves out.
    smoothing : float in [0, 1), optional
        Of the labels: the target is ``1 - smoothing`` for the right class, and the rest shared.
    l2 : float, default 0
    early_stopping : bool, default False
        Keep a part of the texts to measure the loss on after every epoch, stop when it has not
        fallen for ``patience`` epochs, and keep the parameters of the best.
    validation_fraction : float in (0, 1), default 0.1
    patience : int, default 3
    class_weight : dict, "balanced" or None
        What a text of each class counts in the loss, 1 where none is named; "balanced" lets all
        classes count the same in sum.  A text of weight w is read ceil(w) times an epoch, the mean
        weight being 1.
    calibrate : bool, default True
        Divide the scores by the temperature at which the loss of held-out texts is least, so that
        of the answers given with a probability of 0.9 nine in ten are right; where texts have one
        label, and ``loss`` is softmax.
    workers : int, optional
        Threads; by default one a member, which is the most that are of use.  What is learned does
        not depend on them: the same seed gives the same bytes.
    seed : int, default 1
    progress : callable, optional
        Receives a :class:`~wordgrad.classification.trainer.ClassifierProgress` an epoch.

    Attributes
    ----------
    classes_ : ndarray (C,)
    vocabulary_ : tuple of str
        Words with a vector, most frequent first.
    several_ : bool
        Whether the training texts had lists of labels.
    history_ : list of dict
        One an epoch: ``epoch``, ``loss``, ``validation_loss``, ``validation_accuracy`` (None
        without early stopping), ``learning_rate``, ``seconds``.
    texts_empty_ : int
        Training texts without a feature; they teach the biases alone.
    tokens_, tokens_unknown_ : int
        Tokens of the training texts, and those of them outside the vocabulary (``min_count``).
    learning_rate_, smoothing_, temperature_ : float
    subwords_ : (int, int) or None
        What was chosen; the temperature is 1 where none was fitted.
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

    _model: TextModel
    classes_: NDArray[Any]
    vocabulary_: tuple[str, ...]
    history_: list[dict[str, Any]]
    n_iter_: int
    several_: bool

    def __init__(
        self,
        vector_size: int | None = None,
        hidden_size: int = 0,
        epochs: int = 5,
        learning_rate: float | None = None,
        *,
        members: int = 2,
        loss: str = "softmax",
        batch_size: int = 32,
        ngrams: int = 2,
        buckets: int = 2**22,
        min_count: int = 1,
        prefix: int = 5,
        subwords: tuple[int, int] | None = None,
        vectors: WordVectors | str | os.PathLike[str] | None = None,
        train_vectors: bool = True,
        lowercase: bool = True,
        pattern: str | None = None,
        dropout: float = 0.0,
        smoothing: float | None = None,
        l2: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 3,
        class_weight: dict[Any, float] | str | None = None,
        calibrate: bool = True,
        workers: int | None = None,
        seed: int = 1,
        progress: Callable[[Any], None] | None = None,
    ) -> None:
        self.vector_size = vector_size
        self.hidden_size = hidden_size
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.members = members
        self.loss = loss
        self.batch_size = batch_size
        self.ngrams = ngrams
        self.buckets = buckets
        self.min_count = min_count
        self.prefix = prefix
        self.subwords = subwords
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
        self.calibrate = calibrate
        self.workers = workers
        self.seed = seed
        self.progress = progress

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that the input is one text a row, and no numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags

    # ---------------------------------------------------------------- training

    def fit(
        self, texts: Sequence[str], labels: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> TextClassifier:
        """Learn vectors and network.

        Parameters
        ----------
        texts : sequence of str (N,)
            A list, an array, a Series; of a table (pandas, Polars, Arrow) its column ``text`` or
            its only column of strings.
        labels : sequence of str, of int or of bool (N,), or list of such lists
            One a text; or a list (tuple, set) of labels for every text.
        sample_weight : array_like of float >= 0 (N,), optional
            Texts of weight 0 are left out.

        Raises
        ------
        ParameterError
            A hyper-parameter is out of range; or the lengths differ; or labels are missing or of
            several types; or there are fewer than two classes, or as many as texts; or a text has
            no label and ``loss`` is not one-vs-all.
        InputError
            No text has a token that counts, or ``vectors`` have none of the words, or a table has
            no clear column of texts.
        TrainingError
            The loss is no longer a number.
        """
        texts = _as_texts(texts)
        settings = self._training(len(texts))
        lists = label_lists(labels)
        if lists is None:
            classes, codes = class_codes(labels, len(texts))
            ends = np.arange(len(texts) + 1)
        else:
            classes, codes, ends = several_codes(lists, len(texts))
        weights = example_weights(sample_weight, self.class_weight, classes, codes, ends)
        check_two_classes(weights, codes, ends)
        if (weights == 0).any():
            counted = np.flatnonzero(weights > 0)
            texts = [texts[i] for i in counted.tolist()]
            codes, ends = take_labels(codes, ends, counted)
            weights = weights[counted]
        tokens = tokenise(texts, pattern=self.pattern, lowercase=self.lowercase)
        self._fit(settings, EncodedTexts(tokens, classes, codes, ends, lists is not None), weights)
        return self

    def fit_files(
        self,
        source: LabelledSource,
        *,
        form: str | None = None,
        label_column: str | None = None,
        text_column: str | None = None,
        label_prefix: str = "__label__",
        separator: str | None = None,
        errors: str = "strict",
    ) -> TextClassifier:
        r"""Learn from labelled files that need not fit in memory.

        Texts are read once and kept as numbers, in temporary files when they are many
        (environment variable ``TMPDIR``); memory is what the vectors of the features need.  A line
        may have several labels.

        Parameters
        ----------
        source : path, glob, directory, "-", or several of them
        form, label_column, text_column, label_prefix, separator, errors
            See :func:`wordgrad.corpus.labelled.read_labelled`.

        Raises
        ------
        InputError, FormatError, ParameterError, TrainingError
            As :func:`~wordgrad.corpus.labelled.read_labelled` and :meth:`fit`.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "texts.txt"
        >>> _ = path.write_text("__label__hot __label__red fire\n__label__cold ice\n" * 20)
        >>> model = TextClassifier(loss="one-vs-all", vector_size=16, hidden_size=16)
        >>> [sorted(labels) for labels in model.fit_files(path).predict(["fire", "ice"])]
        [['hot', 'red'], ['cold']]
        """
        encoded = encode_files(
            source,
            pattern=self.pattern,
            lowercase=self.lowercase,
            form=form,
            label_column=label_column,
            text_column=text_column,
            label_prefix=label_prefix,
            separator=separator,
            errors=errors,
        )
        return self.fit_encoded(encoded)

    def fit_encoded(self, texts: EncodedTexts) -> TextClassifier:
        """Learn from texts that :func:`~wordgrad.classification.examples.encode_files` read.

        They may be learned from several times.

        Raises
        ------
        ParameterError, InputError, TrainingError
            As :meth:`fit`; or ``class_weight`` gives all classes of a text the weight 0.
        """
        settings = self._training(len(texts))
        weights = example_weights(None, self.class_weight, texts.classes, texts.codes, texts.ends)
        if not weights.all():
            raise ParameterError(
                "class_weight must be above 0 where texts are read from files, got 0; leave such "
                "texts out of the files."
            )
        self._fit(settings, texts, weights)
        return self

    def _fit(
        self, settings: TextTraining, texts: EncodedTexts, weights: NDArray[np.float64]
    ) -> None:
        """Learn from encoded texts and their classes."""
        tokens, classes, codes, ends = texts.tokens, texts.classes, texts.codes, texts.ends
        if self.loss != "one-vs-all" and (np.diff(ends) == 0).any():
            raise ParameterError(
                f"labels must name a class for every text with loss={self.loss!r}, got none in "
                f"position {int(np.flatnonzero(np.diff(ends) == 0)[0])}; leave the text out, or "
                "use loss='one-vs-all'."
            )
        workers = self.workers or usable_cores()
        self.classes_ = classes
        chosen = self._choose(settings, texts, weights)
        features = self._learn(tokens, chosen.subwords, workers)
        bags = features.bags(tokens, workers)
        train, held = LabelledBags.of(bags, codes, weights, ends), None
        if self.early_stopping or chosen.temperature is None:
            share = self.validation_fraction if self.early_stopping else HELD / len(texts)
            parts = held_out(train.labels, train.ends, share, self.seed)
            train, held = (train.take(part) for part in parts)
        importance = divergences(train, len(features), len(classes), workers)
        if self.vector_size is None:
            size = max(vector_size_for(len(classes), len(features)), self.members)
            chosen = replace(chosen, vector_size=size)
        counts = self._class_counts(codes)
        best: _Trained | None = None
        for rate in (chosen.learning_rate, chosen.lower):
            if rate is None or (best is not None and self.early_stopping):
                continue
            own = replace(settings, **replace(chosen, learning_rate=rate).training())
            trainer = self._trainer(own, features, train, importance, counts, self.progress)
            network = trainer.run(held if self.early_stopping else None)
            T, loss = (chosen.temperature or 1.0, 0.0)
            if held is not None:
                T, loss = measure([network], [held])
            if best is None or loss < best.loss:
                best = _Trained(network, trainer.history, rate, T, loss)
        assert best is not None  # there is one rate at least
        self.learning_rate_, self.smoothing_ = best.rate, chosen.smoothing
        self.subwords_ = chosen.subwords
        self.temperature_ = best.temperature if self.calibrate else 1.0
        self.vocabulary_ = tuple(features.words)
        self.several_ = texts.several
        self.texts_empty_, self.tokens_, self.tokens_unknown_ = (
            bags.empty,
            bags.tokens,
            bags.unknown,
        )
        self.history_ = [asdict(record) for record in best.history]
        self.n_iter_ = len(self.history_)
        self._model = TextModel(
            features,
            cooled(best.network, self.temperature_),
            self.pattern,
            self.lowercase,
            texts.several,
            counts,
        )

    def _training(self, n_texts: int) -> TextTraining:
        """Settings with their ranges checked; what is to be chosen has some value."""
        for name, (least, most) in RANGES.items():
            check_int(name, getattr(self, name), minimum=least, maximum=most)
        check_int("min_count", self.min_count, minimum=1)
        if self.workers is not None:
            check_int("workers", self.workers, minimum=1)
        check_bool("lowercase", self.lowercase)
        check_bool("calibrate", self.calibrate)
        lengths = self.subwords
        if not (lengths in (None, (0, 0), [0, 0]) or are_lengths(lengths)):
            raise ParameterError(
                f"subwords must be two integers in [1, {LONGEST}], the first no larger than the "
                f"second, or (0, 0) for none, or None to let them be chosen, got {lengths!r}."
            )
        if self.train_vectors is False and self.vectors is None:
            raise ParameterError("train_vectors=False needs vectors, got None; give word vectors.")
        if self.progress is not None and not callable(self.progress):
            raise ParameterError(f"progress must be callable or None, got {self.progress!r}.")
        names = TextTraining.__dataclass_fields__
        given = {name: getattr(self, name) for name in names}
        if self.vector_size is None:
            given["vector_size"] = max(self.members, 16) if isinstance(self.members, int) else 16
        if self.learning_rate is None:
            given["learning_rate"] = first_rate(2)
        if self.smoothing is None:
            given["smoothing"] = 0.0
        return TextTraining(**given).for_texts(n_texts)

    def _choose(
        self, settings: TextTraining, texts: EncodedTexts, weights: NDArray[np.float64]
    ) -> Chosen:
        """Settings that are not given, chosen on a part of the texts."""
        size, rate, n_classes = self.vector_size, self.learning_rate, len(texts.classes)
        size = max(vector_size_for(n_classes), self.members) if size is None else size
        lengths = self.subwords or (0, 0)
        subwords = None if lengths[1] == 0 else (lengths[0], lengths[1])
        wanted = Chosen(
            size, first_rate(n_classes) if rate is None else rate, subwords, settings.smoothing
        )
        single = self.loss == "softmax" and not texts.several
        search = {
            "rate": rate is None,
            "subwords": self.subwords is None,
            "smoothing": self.smoothing is None and single,
            # A held-out part of the final training serves as well.
            "calibrate": self.calibrate and single and not self.early_stopping,
        }
        if not any(search.values()):
            return wanted
        counts = self._class_counts(texts.codes)

        def train(
            features: Features,
            examples: LabelledBags,
            importance: NDArray[np.float32],
            chosen: Chosen,
        ) -> TextNetwork:
            own = replace(settings, **chosen.training()).for_texts(len(examples.weights))
            return self._trainer(own, features, examples, importance, counts).run()

        return choose(texts, weights, wanted, self._learn, train, seed=self.seed, **search)

    def _class_counts(self, codes: NDArray[np.int64]) -> tuple[int, ...]:
        """How often each class occurs, if a tree is made of that."""
        if self.loss != "hierarchical-softmax":
            return ()
        return tuple(np.bincount(codes, minlength=len(self.classes_)).tolist())

    def _learn(
        self, tokens: Tokens, subwords: tuple[int, int] | None, workers: int = 1
    ) -> Features:
        return Features.learn(
            tokens,
            min_count=self.min_count,
            prefix=0 if subwords else self.prefix,
            ngrams=self.ngrams,
            buckets=self.buckets,
            subwords=subwords,
            workers=workers,
        )

    def _trainer(
        self,
        settings: TextTraining,
        features: Features,
        examples: LabelledBags,
        importance: NDArray[np.float32],
        counts: tuple[int, ...],
        progress: Callable[[Any], None] | None = None,
    ) -> TextTrainer:
        tree = class_tree(np.array(counts)) if counts else NO_TREE
        networks = self._first_networks(settings, features, importance, tree)
        if self.loss == "one-vs-all":
            shares = np.bincount(examples.labels, minlength=len(self.classes_)) + 0.5
            shares /= len(examples.weights) + 1
            for network in networks:  # nearly all answers are no, and the biases know it
                network.parts(network.layers)[3][:] = np.log(shares / (1 - shares))
        members = [Member(one, settings, examples, number) for number, one in enumerate(networks)]
        return TextTrainer(members, progress, self.workers or self.members)

    def _first_networks(
        self,
        settings: TextTraining,
        features: Features,
        importance: NDArray[np.float32],
        tree: Tree,
    ) -> list[TextNetwork]:
        vectors = self.vectors
        if vectors is not None and not isinstance(vectors, WordVectors):
            from wordgrad.word_vectors import load

            vectors = load(vectors)
        size = settings.vector_size if vectors is None else vectors.matrix.shape[1]
        outputs = len(self.classes_) - (settings.loss == "hierarchical-softmax")
        networks = first_networks(settings, importance, outputs, size, tree)
        self.words_with_vectors_ = 0
        if vectors is not None:
            self.words_with_vectors_ = start_from(
                networks, features.words, vectors, learn=settings.train_vectors
            )
        return networks

    # ---------------------------------------------------------------- answers

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of every class, in the order of ``classes_``.

        Rows sum to 1, but not with ``loss="one-vs-all"``: there each class is a question of its
        own.

        Parameters
        ----------
        texts : sequence of str (N,)
            As in :meth:`fit`.

        Returns
        -------
        float64 (N, C)

        Raises
        ------
        ParameterError, InputError
            If they are not texts.
        """
        model = self._trained()
        return model.probabilities(model.bags(_as_texts(texts)))

    def predict(
        self, texts: Sequence[str], k: int | None = None, threshold: float | None = None
    ) -> Any:
        """Most probable label of every text, or several labels.

        Parameters
        ----------
        texts : sequence of str (N,)
            As in :meth:`fit`.
        k : int, optional
            Labels a text at most.
        threshold : float, optional
            Labels of a smaller probability are left out.

        Returns
        -------
        ndarray (N,)
            The most probable label of each text, if neither ``k`` nor ``threshold`` is given and
            the training texts had one label.
        list of tuple
            Else the labels of each text, the most probable first.  If neither is given, they are
            those whose probability reaches 0.5 with ``loss="one-vs-all"``, or else the one most
            probable.

        Raises
        ------
        ParameterError
            An argument is out of range.

        Examples
        --------
        >>> texts = ["red round apple", "red rose", "round ball", "blue sky"] * 10
        >>> labels = [("fruit", "red"), ("red",), (), ()] * 10
        >>> model = TextClassifier(loss="one-vs-all", vector_size=16, hidden_size=16)
        >>> model.fit(texts, labels).predict(["apple", "rose", "sky"])
        [('red', 'fruit'), ('red',), ()]
        """
        if k is not None:
            check_int("k", k, minimum=1)
        if threshold is not None:
            threshold = check_real("threshold", threshold)
        probabilities = self.predict_proba(texts)
        if k is None and threshold is None:
            if not self.several_:
                return self.classes_[probabilities.argmax(axis=1)]
            k, threshold = (None, 0.5) if self.loss == "one-vs-all" else (1, 0.0)
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
        kept = np.take_along_axis(probabilities, order, axis=1) >= (threshold or 0.0)
        names = self.classes_.tolist()
        return [
            tuple([names[code] for code in row[some].tolist()])
            for row, some in zip(order, kept, strict=True)
        ]

    def explain(self, text: str, label: Any = None) -> list[tuple[str, float]]:
        r"""How far each token pushed towards a label.

        The gradient of the label's log odds for x (from :math:`dJ/dx`; see
        :func:`~wordgrad.classification.model.contributions`) times what the token adds to x:
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
        model = self._trained()
        code = None
        if label is not None:
            names = self.classes_.tolist()
            if label not in names:
                raise ParameterError(f"label must be one of {names}, got {label!r}.")
            code = names.index(label)
        return model.explain(text, code)

    def _trained(self) -> TextModel:
        if not hasattr(self, "_model"):
            raise NotFittedError("This TextClassifier is not fitted yet; call fit, or load a file.")
        return self._model

    # ---------------------------------------------------------------- files

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write to one safetensors file, the labels with their type.

        Raises
        ------
        OutputError
            See :func:`wordgrad.classification.model.write_model`.
        """
        model = self._trained()
        model.save(path, self.classes_.tolist(), self.history_, overwrite=overwrite)

    def quantize(
        self, *, width: int = 2, ngrams: int | None = None, seed: int = 1
    ) -> TextClassifier:
        """Return a classifier whose file is small: a byte for ``width`` numbers of a vector.

        In memory the vectors are whole again: it answers as fast as before, and nearly the same.

        Parameters
        ----------
        width : int, default 2
            Columns that become one byte, by product quantisation
            (:mod:`wordgrad.classification.quantisation`).
        ngrams : int, optional
            Keep so many n-grams, those that count most; by default all.
        seed : int, default 1

        Raises
        ------
        ParameterError
            A setting is out of range, or the classifier is quantised already.

        Examples
        --------
        >>> texts = ["good film", "fine acting", "bad film", "poor acting"] * 10
        >>> model = TextClassifier(vector_size=16).fit(texts, ["good", "good", "bad", "bad"] * 10)
        >>> model.quantize().predict(["fine film", "poor film"]).tolist()
        ['good', 'bad']
        """
        model = self._trained()
        size = model.network.vectors.shape[1]
        check_int("width", width, minimum=1, maximum=size)
        check_int("seed", seed, minimum=0)
        if ngrams is not None:
            check_int("ngrams", ngrams, minimum=0)
        if model.network.quantised is not None:
            raise ParameterError(
                "a classifier must be quantised once, got one that is; take the one it was made "
                "from."
            )
        small = copy(self)
        small._model = model.quantised(width, ngrams, seed)
        return small

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TextClassifier:
        """Read a file that :meth:`save` wrote; labels are strings, integers or booleans again.

        Raises
        ------
        InputError, FormatError
            See :func:`wordgrad.classification.model.read_model`.
        """
        model, labels, history = TextModel.load(path)
        estimator = cls(
            vector_size=model.network.vectors.shape[1],
            hidden_size=model.network.hidden_size,
            prefix=model.features.prefix,
            ngrams=model.features.ngrams,
            buckets=model.features.buckets,
            lowercase=model.lowercase,
            pattern=model.pattern,
            loss=model.network.loss,
        )
        estimator._model = model
        estimator.several_ = model.several
        estimator.classes_ = np.array(labels)
        estimator.vocabulary_ = tuple(model.features.words)
        estimator.history_ = history
        estimator.n_iter_ = len(history)
        return estimator


def _as_texts(texts: Any) -> list[str]:
    """Texts as a list; a table gives its column of texts."""
    found = texts if isinstance(texts, bytes) else texts_of(texts)
    if isinstance(found, (str, bytes)):
        raise ParameterError(
            "texts must be a sequence of strings, got one string; put it in a list."
        )
    if not hasattr(found, "__iter__") or isinstance(found, (set, frozenset)):
        raise ParameterError(
            f"texts must be a sequence of strings, got {type(found).__name__}; give a list."
        )
    shape = getattr(found, "shape", (0,))
    if len(shape) != 1:
        raise ParameterError(
            f"texts must be a sequence of strings, got the shape {tuple(shape)}; give one column."
        )
    return list(found)
