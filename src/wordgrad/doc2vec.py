"""``Doc2Vec``: documents in, their vectors out; and vectors of new documents."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from numbers import Integral
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from wordgrad.corpus.corpus import (
    EncodedCorpus,
    ValidationCorpus,
    encode_validation,
)
from wordgrad.corpus.documents import TagReader
from wordgrad.corpus.phrase_table import PhraseTable
from wordgrad.corpus.reader import Reading
from wordgrad.errors import (
    FormatError,
    InputError,
    ParameterError,
    UnknownTextsWarning,
    check_choice,
    check_int,
)
from wordgrad.io.document_model import DocumentModel
from wordgrad.storage import path_of
from wordgrad.training.config import DOCUMENT_SETTINGS, SETTINGS, Setting, TrainingConfig
from wordgrad.training.inference import Inference, inference_rates
from wordgrad.training.trainer import EpochHook, Trainer
from wordgrad.vocabulary import Vocabulary
from wordgrad.word2vec import Word2Vec, listed_texts
from wordgrad.word_vectors import WordVectors

AMONG = ("documents", "words", "both")


class Neighbour(NamedTuple):
    """An answer of :meth:`Doc2Vec.most_similar`.

    Attributes
    ----------
    name : str
        A tag, or a word.
    score : float
        Its cosine with the query.
    kind : {"document", "word"}
    """

    name: str
    score: float
    kind: str


class Doc2Vec(Word2Vec):
    """Vectors of documents (paragraph vectors, Le and Mikolov 2014).

    A document is one more word, of which its text is the context: its vector learns to predict the
    document's words, by itself (``dbow``) or together with the words around each (``dm``).

    Defaults and ranges are those of :data:`wordgrad.training.config.DOCUMENT_SETTINGS`; settings
    that are not described here are those of :class:`~wordgrad.Word2Vec`.

    Parameters
    ----------
    architecture : {"dbow", "dm"}, default "dbow"
        *Distributed bag of words*: a document predicts each of its words.  *Distributed memory*: a
        document and the words around predict each word; slower, and mostly less good.
    loss : {"negative-sampling", "hierarchical-softmax", \
"hierarchical-softmax+negative-sampling"}, default "negative-sampling"
        How a word is predicted: among ``negative`` drawn ones, by its path in a Huffman tree of the
        words, or by both.
    negative : int (1 to 10,000), default 5
        K, noise words a target.
    ns_exponent : float, default 0.75
        Noise words are drawn with probability ~ count ** ns_exponent.
    combine : {"mean", "sum", "concat"}, default "mean"
        How ``dm`` combines the vectors of a document and of a context.  "concat" puts them side by
        side, each word in its place: 1 + 2 ``window`` times as many numbers an output vector, and
        as much time.  A document has one place, hence one tag: several are refused.
    train_words : bool, default False
        Train word vectors beside the documents', with ``dbow`` by skip-gram, which takes several
        times as long; ``dm`` always trains them.
    epochs : int (at least 1), default 10
        Passes over the documents.
    cbow_step : {"exact", "balanced", "whole"}, default "exact"
        How far ``dm`` moves the vectors that it combines.
    tag_column : str, optional
        The column of tables that holds the tag of each document (a string or an integer), or a
        list of tags.  By default a document's tag is its number, from 0.
    vectors : WordVectors or path, optional
        Word vectors to start from, and output vectors if they hold any (``keep_output=True``).
        ``dbow`` without words starts from output vectors alone, and refuses vectors without them.
    validation : documents, optional
        Held-out documents.  After each epoch the vector of each is inferred from every other word
        of it, and the loss is that of the rest.

    Attributes
    ----------
    documents_ : WordVectors
        The vectors of the tags, in the order in which they were met; ``counts`` are the documents
        that have each.
    vectors_ : WordVectors or None
        The vectors of the words, most frequent first, if they were trained.
    n_empty_ : int
        Tags whose documents hold no word of the vocabulary; their vectors are zero.
    history_, report_, validation_
        As :class:`~wordgrad.Word2Vec` has them.

    Notes
    -----
    Steps are exactly ``-learning_rate`` times the gradient of a target's loss
    (:func:`wordgrad.maths.pv_dbow`, :func:`wordgrad.maths.pv_dm`), but for ``cbow_step``.

    Examples
    --------
    >>> texts = [("cheap sunny beach hotel", "travel"), ("stocks fell on weak profit", "money")]
    >>> model = Doc2Vec(vector_size=16, min_count=1, workers=1).fit(texts * 60)
    >>> model.documents_.words
    ('travel', 'money')
    >>> model.most_similar(model.infer(["a sunny hotel"])[0], topn=1)[0].name
    'travel'
    """

    _settings: ClassVar[Mapping[str, Setting]] = DOCUMENT_SETTINGS
    keep_output = True  # inference needs them
    vectors_: Any  # WordVectors or None

    def __init__(
        self,
        vector_size: int = 100,
        window: int = 5,
        min_count: int = 5,
        architecture: str = "dbow",
        loss: str = "negative-sampling",
        negative: int = 5,
        ns_exponent: float = 0.75,
        sample: float | str = "auto",
        epochs: int = 10,
        learning_rate: float | None = None,
        max_vocab: int | None = None,
        workers: int | None = None,
        seed: int = 1,
        *,
        shrink_windows: bool = True,
        final_learning_rate: float | None = None,
        reproducible: bool = False,
        combine: str = "mean",
        train_words: bool = False,
        cbow_step: str = "exact",
        column: str | None = None,
        tag_column: str | None = None,
        lowercase: bool = False,
        phrases: PhraseTable | str | os.PathLike[str] | int | None = None,
        pattern: str | None = None,
        errors: str = "strict",
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: float = 60.0,
        validation: Any = None,
        early_stopping: int | None = None,
        vocabulary: Mapping[str, int] | Vocabulary | str | os.PathLike[str] | None = None,
        vectors: WordVectors | str | os.PathLike[str] | None = None,
        on_epoch: EpochHook | None = None,
        progress: Callable[[Any], None] | None = None,
    ) -> None:
        self.vector_size = vector_size
        self.window = window
        self.min_count = min_count
        self.architecture = architecture
        self.loss = loss
        self.negative = negative
        self.ns_exponent = ns_exponent
        self.sample = sample
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.max_vocab = max_vocab
        self.workers = workers
        self.seed = seed
        self.shrink_windows = shrink_windows
        self.final_learning_rate = final_learning_rate
        self.reproducible = reproducible
        self.combine = combine
        self.train_words = train_words
        self.cbow_step = cbow_step
        self.column = column
        self.tag_column = tag_column
        self.lowercase = lowercase
        self.phrases = phrases
        self.pattern = pattern
        self.errors = errors
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.validation = validation
        self.early_stopping = early_stopping
        self.vocabulary = vocabulary
        self.vectors = vectors
        self.on_epoch = on_epoch
        self.progress = progress

    def fit(self, X: Any, y: Any = None) -> Doc2Vec:
        """Read documents, count their words, train.

        Parameters
        ----------
        X : path, glob, directory, several of them, a table, or an iterable of documents
            A line of a file, a cell of a table's column of text, or an item of an iterable is a
            document.  Items are texts (strings, or lists of words), or pairs (a tuple of a text and
            its tags): a tag is a string or an integer, which is the same tag as its digits, and
            several are a list of them.  Read once, and nothing of the text stays in memory.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ParameterError, InputError, TrainingError, KeyboardInterrupt
            As :meth:`wordgrad.Word2Vec.fit`; also if a document has no tag, though others have.

        Warns
        -----
        UnknownTextsWarning
            If documents hold no word of the vocabulary, with their number.
        """
        super().fit(X, y)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Doc2Vec:
        """Refused: new documents get vectors by :meth:`infer`, words would need the old text."""
        raise ParameterError(
            "Doc2Vec has no partial_fit; infer gives new documents vectors, and fit trains on all."
        )

    def infer(
        self,
        texts: Any,
        *,
        epochs: int | None = None,
        learning_rate: float | None = None,
        seed: int | None = None,
        workers: int | None = None,
    ) -> NDArray[np.float32]:
        """Vectors of new documents; words and outputs stay as they are.

        Each is a function of the text's words, the model, ``epochs``, ``learning_rate`` and
        ``seed``: the same text gets the same vector, whatever else is asked for with it.

        Parameters
        ----------
        texts : sequence of texts, or a table (n,)
            A text is a string, cut into words as in training, or a list of words.
        epochs : int, optional
            Passes over each text; by default as many as training made.
        learning_rate : float, optional
            At the start; by default training's.
        seed, workers : int, optional
            By default the model's.

        Returns
        -------
        float32 (n, D)
            Zero for a text that holds no word of the vocabulary.

        Raises
        ------
        NotFittedError
            Nothing was trained yet.
        ParameterError
            They are not texts, or a number is out of range.

        Warns
        -----
        UnknownTextsWarning
            Some texts, which it counts, hold no word of the vocabulary.

        Examples
        --------
        >>> model = Doc2Vec(vector_size=8, min_count=1, workers=1).fit(["a b c"] * 50)
        >>> one, two, again = model.infer(["a b", ["c"], "a b"])
        >>> bool((one == again).all())
        True
        """
        given = listed_texts(texts, self.column)
        vectors = self._infer(given, epochs, learning_rate, seed, workers)
        _warn_of_empty(int((~vectors.any(axis=1)).sum()), len(given), "texts")
        return vectors

    def _infer(
        self,
        texts: Sequence[Any],
        epochs: int | None,
        learning_rate: float | None,
        seed: int | None,
        workers: int | None,
    ) -> NDArray[np.float32]:
        check_is_fitted(self, "documents_")
        model = self._inference
        config = model.config
        epochs = SETTINGS["epochs"].check(self.epochs if epochs is None else epochs)
        rate = SETTINGS["learning_rate"].check(learning_rate) or config.initial_rate
        seed = SETTINGS["seed"].check(self.seed if seed is None else seed)
        threads = SETTINGS["workers"].check(self.workers if workers is None else workers)
        threads = threads or TrainingConfig().threads
        ids, offsets = self._ids_of(texts)
        vectors = model.start(len(texts), seed)
        rates = inference_rates(config, epochs, rate)
        model.improve(vectors, ids, offsets, rates, seed=seed, workers=threads)
        vectors[np.diff(offsets) == 0] = 0.0
        return vectors

    def infer_file(
        self,
        source: Any,
        *,
        column: str | None = None,
        tag_column: str | None = None,
        errors: str = "strict",
        epochs: int | None = None,
        learning_rate: float | None = None,
        seed: int | None = None,
        workers: int | None = None,
    ) -> WordVectors:
        """Vectors of the documents in files, some thousands in memory at a time.

        Parameters
        ----------
        source : path, glob, directory, "-", or several of them
            A line, or a cell of a table, is a document.
        column, tag_column : str, optional
            Columns of a table that hold the text and the tag, or a list of tags, of each document.
        errors : {"strict", "replace"}
            What to do with bytes that are not UTF-8.
        epochs, learning_rate, seed, workers
            As in :meth:`infer`.

        Returns
        -------
        WordVectors
            Of the tags, by default the documents' numbers from 0.  A tag that several documents
            have gets the mean of their vectors.

        Raises
        ------
        InputError
            If a file cannot be read, or holds no document.
        ParameterError
            A column is named, and nothing has columns.

        Warns
        -----
        UnknownTextsWarning
            As :meth:`infer`.
        """
        tags = TagReader(tag_column)
        reading = Reading.of(source, column=column, errors=errors, tags=tags)
        if reading.sentences is not None:
            raise InputError("infer_file reads files; give texts in memory to infer.")
        parts = [
            self._infer(lines.texts, epochs, learning_rate, seed, workers)
            for lines in reading.lines()
        ]
        vectors = np.concatenate(parts) if parts else np.zeros((0, self.vector_size), np.float32)
        if not len(vectors):
            raise InputError(f"{reading.name} holds no document; give one line at least.")
        _warn_of_empty(int((~vectors.any(axis=1)).sum()), len(vectors), "documents")
        documents = tags.read(len(vectors), np.arange(len(vectors)))
        sums = np.zeros((len(documents.tags), vectors.shape[1]))
        np.add.at(sums, documents.rows, np.repeat(vectors, np.diff(documents.offsets), axis=0))
        counts = documents.tags.counts
        return WordVectors(
            documents.tags.words, sums / counts[:, np.newaxis], counts, self.documents_.metadata
        )

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Vectors of documents, (n, D): what :meth:`infer` gives."""
        return self.infer(X)

    def _ids_of(self, texts: Sequence[Any]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Ids of the known words of some texts, one text after another."""
        ids = self.vocabulary_.ids
        found: list[int] = []
        offsets = np.zeros(len(texts) + 1, np.int64)
        for place, words in enumerate(self._words_of(texts), start=1):
            found += [row for word in words if (row := ids.get(word)) is not None]
            offsets[place] = len(found)
        return np.array(found, np.int32), offsets

    def vector(self, tag: str | int) -> NDArray[np.float32]:
        """The vector of a tag, float32 (D,), read-only; an integer is the tag of its digits.

        Raises
        ------
        UnknownWordError
            If no document has it.

        >>> model = Doc2Vec(vector_size=8, min_count=1, workers=1).fit(["a b c"] * 50)
        >>> model.vector(7).shape
        (8,)
        """
        check_is_fitted(self, "documents_")
        return self.documents_[_tag(tag)]

    def most_similar(
        self,
        documents: Any = None,
        words: Any = None,
        topn: int = 10,
        *,
        among: str = "documents",
    ) -> list[Neighbour]:
        """The documents, words or both nearest to documents and words.

        The query is the sum of their unit vectors; what it holds is no answer.

        Parameters
        ----------
        documents : str, int, array (D,), or a list of them, optional
            Tags, or vectors such as :meth:`infer` gives.
        words : str, or a list of them, optional
        topn : int
            How many answers.
        among : {"documents", "words", "both"}

        Returns
        -------
        list of Neighbour
            Name, cosine and kind, best first.

        Raises
        ------
        UnknownWordError
            If a tag or a word is not known.
        ParameterError
            If nothing is asked for; or words are, and none were trained.

        Examples
        --------
        >>> texts = [("sun beach sun sea", "travel"), ("stock profit stock loss", "money")]
        >>> model = Doc2Vec(16, min_count=1, workers=1, train_words=True, seed=3).fit(texts * 99)
        >>> model.most_similar("travel", topn=1)[0].name
        'money'
        >>> near = model.most_similar(words=["sun"], topn=9, among="both")
        >>> sorted({one.kind for one in near}), len(near)
        (['document', 'word'], 7)
        """
        check_is_fitted(self, "documents_")
        check_choice("among", among, AMONG)
        topn = check_int("topn", topn, minimum=1)
        tags, given = [], []
        for one in _listed(documents):
            if isinstance(one, np.ndarray):
                given.append(np.asarray(one, np.float64))
            else:
                tags.append(_tag(one))
                given.append(np.asarray(self.documents_[tags[-1]], np.float64))
        asked = [str(word) for word in _listed(words)]
        if asked or among != "documents":
            given += [np.asarray(self._word_vectors()[word], np.float64) for word in asked]
        if not given:
            raise ParameterError("most_similar needs a document or a word to compare with.")
        for one in given:
            if one.shape != (self.documents_.vector_size,) or not np.isfinite(one).all():
                raise ParameterError(
                    f"a vector must be {self.documents_.vector_size} finite numbers, got shape "
                    f"{one.shape}."
                )
        norms = [float(np.linalg.norm(one)) or 1.0 for one in given]
        query = np.sum([one / norm for one, norm in zip(given, norms, strict=True)], axis=0)
        found = []
        if among != "words":
            ranking = self.documents_.most_similar(query, topn + len(tags))
            found += [Neighbour(*pair, "document") for pair in ranking if pair[0] not in tags]
        if among != "documents":
            ranking = self._word_vectors().most_similar(query, topn + len(asked))
            found += [Neighbour(*pair, "word") for pair in ranking if pair[0] not in asked]
        return sorted(found, key=lambda near: -near.score)[:topn]

    def _word_vectors(self) -> WordVectors:
        if self.vectors_ is None:
            raise ParameterError(
                "This model has no word vectors, for dbow trains documents alone; train with "
                "train_words=True, or with architecture='dm'."
            )
        vectors: WordVectors = self.vectors_
        return vectors

    # ---------------------------------------------------------------- save

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write documents, words and outputs to one file, from which :meth:`load` infers again.

        :func:`wordgrad.load` opens the same file as the vectors of the documents alone, and so do
        the commands that take word vectors.

        Raises
        ------
        OutputError
            If its name does not end in ``.safetensors``, it exists and ``overwrite`` is false, or
            it cannot be written.
        """
        check_is_fitted(self, "documents_")
        target = path_of(path)
        if target.suffix.lower() != ".safetensors":
            raise ParameterError(
                f"a model of documents is saved as .safetensors, got {target.name!r}; name it so, "
                "or save its documents_ in another format."
            )
        model = self._inference
        size = self.documents_.vector_size
        DocumentModel(
            tags=self.documents_.vocabulary,
            documents=self.documents_.matrix,
            words=self.vocabulary_,
            word_vectors=model.W_in[:, :size],
            outputs=model.W_out[:, :size],
            metadata=self.documents_.metadata,
            phrases=self.phrases_,
        ).write(target, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Doc2Vec:
        """Read a file that :meth:`save` wrote.

        Raises
        ------
        InputError
            If it cannot be opened.
        FormatError
            If it is damaged, or another file.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "documents.safetensors"
        >>> model = Doc2Vec(vector_size=8, min_count=1, workers=1).fit(["a b c"] * 50)
        >>> model.save(path)
        >>> again = Doc2Vec.load(path)
        >>> bool((again.infer(["a c"]) == model.infer(["a c"])).all())
        True
        """
        model = DocumentModel.read(path_of(path))
        settings = model.metadata.get("settings")
        try:
            known = {name: settings[name] for name in DOCUMENT_SETTINGS if name in settings}  # type: ignore[index,operator]
            estimator = cls(**known)
            config = estimator._config()
            estimator._check_model(model, config)
        except (TypeError, ParameterError) as error:
            raise FormatError(
                f"{path} is damaged: its settings cannot be ({error}); train again, or fetch an "
                "undamaged copy."
            ) from error
        history = model.metadata.get("history")
        estimator.phrases = model.phrases
        estimator.history_ = history if isinstance(history, list) else []
        estimator._set_model(model, config)
        return estimator

    @staticmethod
    def _check_model(model: DocumentModel, config: TrainingConfig) -> None:
        """Kernels trust the sizes of what they are given."""
        V = len(model.words)
        concatenated = config.combine == "concat"
        width = 1 + 2 * config.window if concatenated else 1
        rows = 0 if config.documents == "alone" else V + concatenated
        outputs = (V - 1 if config.has_tree else 0) + (V if config.drawn_negatives else 0)
        found = len(model.word_vectors), len(model.outputs), model.documents.shape[1]
        if found != (rows, outputs * width, config.vector_size):
            raise ParameterError(
                f"{found[0]} word vectors and {found[1]} outputs of {found[2]} numbers are not "
                f"the {rows} and {outputs * width} of {config.vector_size} that they ask for"
            )

    def _set_model(self, model: DocumentModel, config: TrainingConfig) -> None:
        """Set what is asked of a model: vectors, vocabulary, and what infers."""
        V = len(model.words)
        self.phrases_ = model.phrases
        self.vocabulary_ = model.words
        self.documents_ = WordVectors(
            model.tags.words, model.documents, model.tags.counts, model.metadata
        )
        self.n_empty_ = int((~model.documents.any(axis=1)).sum())
        self.vectors_ = None
        if len(model.word_vectors):
            self.vectors_ = WordVectors(
                model.words.words, model.word_vectors[:V], model.words.counts, model.metadata
            )
        self._inference = Inference.of(
            np.ascontiguousarray(model.word_vectors),
            np.ascontiguousarray(model.outputs),
            padding=V,
            config=config,
            counts=model.words.counts,
        )

    # ---------------------------------------------------------------- what Word2Vec's training asks

    def _training_config(self) -> TrainingConfig:
        for name in ("architecture", "loss", "combine", "train_words"):
            DOCUMENT_SETTINGS[name].check(getattr(self, name))
        dm = self.architecture == "dm"
        if not dm and self.combine == "concat":
            raise ParameterError(
                'combine="concat" is for architecture="dm", for dbow combines nothing; leave it '
                "out."
            )
        names = TrainingConfig.__dataclass_fields__.keys() & DOCUMENT_SETTINGS.keys()
        given = {name: getattr(self, name) for name in names}
        return TrainingConfig(
            **given
            | {
                "architecture": "cbow" if dm else "skipgram",
                "documents": "with-words" if dm or self.train_words else "alone",
            }
        )

    def _given_vectors(self, config: TrainingConfig) -> WordVectors | None:
        given = super()._given_vectors(config)
        if given is not None and given.outputs is None and config.documents == "alone":
            raise ParameterError(
                "vectors without output vectors would change nothing, for dbow by itself reads no "
                "word vectors; give vectors that were trained with keep_output=True, or set "
                "train_words=True."
            )
        return given

    def _recorded(self, config: TrainingConfig) -> dict[str, Any]:
        settings = super()._recorded(config)
        settings = {name: value for name, value in settings.items() if name in DOCUMENT_SETTINGS}
        return settings | {"architecture": self.architecture}

    def _reading(self, config: TrainingConfig) -> dict[str, Any]:
        return super()._reading(config) | {"tags": TagReader(self.tag_column)}

    def _encode_validation(
        self, vocabulary: Vocabulary, config: TrainingConfig
    ) -> ValidationCorpus:
        reading = self._reading(config) | {"tags": TagReader()}  # their tags are of no use
        return encode_validation(self.validation, vocabulary, phrases=self.phrases_, **reading)

    def _set_vectors(self, trainer: Trainer, corpus: EncodedCorpus) -> None:
        if corpus.documents is None:
            raise AssertionError("a corpus without documents")
        self.history_ = [
            {name: value for name, value in asdict(record).items() if value is not None}
            for record in trainer.history
        ]
        config, learned, words = trainer.config, trainer.learned, corpus.vocabulary
        settings = self._recorded(config) | {"tokens": words.total}
        history = [dict(record) for record in self.history_]
        if config.reproducible:  # what differs between runs must not be in the file
            del settings["workers"]
            for record in history:
                del record["seconds"]
        V, n = len(words), len(corpus.documents.tags)
        documents = learned.W_in[V : V + n].copy()
        untrained = corpus.documents.untrained()
        documents[untrained] = 0.0
        documents.flags.writeable = False  # the vectors take it as it is, without a copy
        word_rows = np.r_[0:V, V + n : len(learned.W_in)]  # and the row of padding
        alone = config.documents == "alone"
        self._set_model(
            DocumentModel(
                tags=corpus.documents.tags,
                documents=documents,
                words=words,
                word_vectors=learned.W_in[:0] if alone else learned.W_in[word_rows],
                outputs=learned.W_out,
                metadata={"settings": settings, "history": history},
                phrases=corpus.phrases,
            ),
            config,
        )
        self.n_empty_ = int(untrained.sum())
        _warn_of_empty(self.n_empty_, n, "documents")

    @property
    def _n_features_out(self) -> int:
        return self.documents_.vector_size


def _tag(tag: Any) -> str:
    if isinstance(tag, bool) or not isinstance(tag, str | Integral):
        raise ParameterError(f"a tag must be a string or an integer, got {tag!r}.")
    return tag if isinstance(tag, str) else str(int(tag))


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def _warn_of_empty(empty: int, whole: int, what: str) -> None:
    if empty:
        warnings.warn(
            f"{empty} of {whole} {what} hold no word of the vocabulary; their vectors are zero.",
            UnknownTextsWarning,
            stacklevel=3,
        )
