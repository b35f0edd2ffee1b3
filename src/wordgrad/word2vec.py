"""How a fit begins: with a text, or with the checkpoint of an earlier one.

What a model has after training, whether that came to its end or not.

``Word2Vec``: text in, word vectors out, with scikit-learn's conventions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from wordgrad.corpus.corpus import EncodedCorpus, encode_corpus
from wordgrad.corpus.fingerprint import Fingerprint
from wordgrad.corpus.validation import ValidationCorpus, encode_validation
from wordgrad.errors import FormatError, InputError, ParameterError, check_int, check_real
from wordgrad.training.checkpoint import (
    TEXT,
    Checkpoint,
    CheckpointFolder,
    Identity,
    Saving,
    recorded_settings,
)
from wordgrad.training.config import TrainingConfig
from wordgrad.training.trainer import Trainer
from wordgrad.training.validation import HeldOut
from wordgrad.vocabulary import Vocabulary
from wordgrad.word_vectors import WordVectors

CHANGEABLE = (
    "epochs",
    "learning_rate",
    "workers",
    "checkpoint_every",
    "early_stopping",
    "tolerance",
    "max_hours",
)
"""What may differ when a training goes on: its schedule, and what its result does not tell of."""

_NOT_SETTINGS = ("progress", "checkpoint", "validation")


@dataclass(frozen=True)
class Run:
    """A training that is ready to run, with the texts that it needs."""

    trainer: Trainer
    corpus: EncodedCorpus
    held_out: ValidationCorpus | None


@contextmanager
def begin(model: Word2Vec, X: Any, config: TrainingConfig) -> Iterator[Run]:
    """Read the texts and make a trainer; in the ``with`` block the checkpoint folder is ours."""
    if model.early_stopping is not None and model.validation is None:
        raise ParameterError(
            f"early_stopping={model.early_stopping} needs a loss to watch; give held-out text as "
            "validation."
        )
    with ExitStack() as stack:
        folder = None
        if model.checkpoint is not None:
            folder = stack.enter_context(CheckpointFolder.begin(Path(model.checkpoint)))
        corpus = stack.enter_context(_encode(model, X, config, folder))
        held_out = None
        if model.validation is not None:
            held_out = _encode_held_out(model, corpus.vocabulary, config)
        saving = None
        if folder is not None:
            saving = _first_saving(model, config, folder, corpus, held_out)
        trainer = Trainer(
            corpus,
            config,
            model.progress,
            held_out=HeldOut(held_out, model.early_stopping) if held_out else None,
            saving=saving,
        )
        yield Run(trainer, corpus, held_out)


@contextmanager
def go_on(model: Word2Vec, X: Any, config: TrainingConfig) -> Iterator[Run]:
    """Open a checkpoint folder and make a trainer that stands where the last checkpoint was."""
    if model.checkpoint is None:
        raise ParameterError("checkpoint must name the folder of the training to resume, got None.")
    with ExitStack() as stack:
        folder = stack.enter_context(CheckpointFolder.open(Path(model.checkpoint)))
        checkpoint = folder.newest()
        identity = checkpoint.identity
        settings = _settings(model, config)
        _refuse_changes(settings, identity.settings)
        _check_fits(checkpoint, config)
        corpus = stack.enter_context(_same_text(model, X, config, folder, identity))
        held_out = _same_held_out(model, config, folder, identity)
        identity = Identity(
            settings, identity.vocabulary, identity.fingerprint, identity.report, identity.held_out
        )
        trainer = Trainer(
            corpus,
            config,
            model.progress,
            held_out=HeldOut(held_out, model.early_stopping) if held_out else None,
            saving=Saving(folder, identity, float(model.checkpoint_every)),
        )
        trainer.restore(checkpoint)
        yield Run(trainer, corpus, held_out)


def settings_to_resume(folder: str | os.PathLike[str], known: set[str]) -> dict[str, Any]:
    """Return the settings of the training in a folder, as parameters of a model.

    Raises
    ------
    FormatError
        If they are not ``known`` ones.
    """
    settings = recorded_settings(Path(folder))
    unknown = sorted(set(settings) - (known - set(_NOT_SETTINGS)))
    if unknown:
        raise FormatError(
            f"The training in {folder} has settings that this version of wordgrad does not know "
            f"({', '.join(unknown)}); go on with the version that began it."
        )
    return settings


def _settings(model: Word2Vec, config: TrainingConfig) -> dict[str, Any]:
    """Every setting as a plain value, defaults filled in."""
    settings = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in model.get_params(deep=False).items()
        if name not in _NOT_SETTINGS
    }
    return settings | config.as_dict()


def _refuse_changes(now: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    changes = [
        f"{name} is {now.get(name)!r} and was {before.get(name)!r}"
        for name in dict.fromkeys([*before, *now])
        if name not in CHANGEABLE and now.get(name) != before.get(name)
    ]
    if now.get("early_stopping") is not None and before.get("early_stopping") is None:
        changes.append("early_stopping was not asked for, so no best epoch was kept")
    if changes:
        raise ParameterError(
            "A training goes on with the settings that it began with, but "
            f"{'; '.join(changes)}: leave that out, or begin a new training in another folder."
        )


def _check_fits(checkpoint: Checkpoint, config: TrainingConfig) -> None:
    state, size = checkpoint.state, checkpoint.parameters.vector_size
    if size != config.vector_size:
        raise FormatError(
            f"The checkpoint is damaged: its vectors have {size} numbers, and vector_size is "
            f"{config.vector_size}; begin a new training."
        )
    least = state.epoch + (state.token > 0)
    if config.epochs < least:
        raise ParameterError(
            f"epochs must be at least {least}, which this training has reached, got "
            f"{config.epochs}."
        )


def _first_saving(
    model: Word2Vec,
    config: TrainingConfig,
    folder: CheckpointFolder,
    corpus: EncodedCorpus,
    held_out: ValidationCorpus | None,
) -> Saving:
    if held_out is not None:
        folder.write_held_out(held_out)
    identity = Identity(
        settings=_settings(model, config),
        vocabulary=corpus.vocabulary,
        fingerprint=Fingerprint.of(corpus),
        report=corpus.report,
        held_out=Fingerprint.of(held_out) if held_out else None,
    )
    return Saving(folder, identity, float(model.checkpoint_every))


def _same_text(
    model: Word2Vec, X: Any, config: TrainingConfig, folder: CheckpointFolder, identity: Identity
) -> EncodedCorpus:
    """The text that the folder keeps, or the one given if it is the same."""
    if X is None:
        return folder.open_text(identity)
    corpus = _encode(model, X, config, None)
    difference = Fingerprint.of(corpus).difference(identity.fingerprint)
    if difference:
        corpus.close()
        raise InputError(
            f"The text is not the one that this training began with: {difference}; leave it out "
            f"(the folder {folder.path} keeps the text), or begin a new training."
        )
    return corpus


def _same_held_out(
    model: Word2Vec, config: TrainingConfig, folder: CheckpointFolder, identity: Identity
) -> ValidationCorpus | None:
    if model.validation is None:
        return folder.read_held_out(identity)
    if identity.held_out is None:
        raise ParameterError(
            "This training began without validation text, so that its epochs could not be "
            "compared; leave it out, or begin a new training."
        )
    text = _encode_held_out(model, identity.vocabulary, config)
    difference = Fingerprint.of(text).difference(identity.held_out)
    if difference:
        raise InputError(
            f"The validation text is not the one that this training began with: {difference}; "
            f"leave it out (the folder {folder.path} keeps it), or begin a new training."
        )
    return text


def _encode(
    model: Word2Vec, X: Any, config: TrainingConfig, folder: CheckpointFolder | None
) -> EncodedCorpus:
    return encode_corpus(
        X,
        min_count=model.min_count,
        max_vocab=model.max_vocab,
        **_reading(model, config),
        folder=None if folder is None else folder.path,
        keep_as=None if folder is None else TEXT,
    )


def _encode_held_out(
    model: Word2Vec, vocabulary: Vocabulary, config: TrainingConfig
) -> ValidationCorpus:
    options = _reading(model, config) | {"progress": None}
    return encode_validation(model.validation, vocabulary, **options)


def _reading(model: Word2Vec, config: TrainingConfig) -> dict[str, Any]:
    return {
        "column": model.column,
        "lowercase": model.lowercase,
        "pattern": model.pattern,
        "errors": model.errors,
        "workers": config.workers,
        "progress": model.progress,
    }


def train_and_keep(model: Word2Vec, run: Run) -> None:
    """Run a training and set the model's attributes; on Ctrl-C to what was learned so far."""
    model.report_ = run.corpus.report
    if run.held_out is not None:
        model.validation_ = {
            "words": run.held_out.tokens_read,
            "unknown": run.held_out.tokens_unknown,
        }
    try:
        run.trainer.run()
    except KeyboardInterrupt:
        # W_out is zero until the first step: before, there is nothing to keep.
        if run.trainer.parameters.W_out_rows.any():
            _keep(model, run)
        raise
    _keep(model, run)


def _keep(model: Word2Vec, run: Run) -> None:
    trainer, corpus = run.trainer, run.corpus
    model.history_ = [
        {name: value for name, value in asdict(record).items() if value is not None}
        for record in trainer.history
    ]
    history = [dict(record) for record in model.history_]
    settings = trainer.config.as_dict()
    if trainer.config.reproducible:  # what differs between runs must not be in the file
        del settings["workers"]
        for record in history:
            del record["seconds"]
    settings |= {
        "min_count": model.min_count,
        "max_vocab": model.max_vocab,
        "lowercase": model.lowercase,
        "pattern": model.pattern,
        "tokens": corpus.report.tokens_kept,
    }
    model.vectors_ = WordVectors(
        corpus.vocabulary.words,
        trainer.vectors,
        counts=corpus.vocabulary.counts,
        metadata={"settings": settings, "history": history},
    )


class Word2Vec(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Word vectors by skip-gram or CBOW (Mikolov et al. 2013).

    Parameters
    ----------
    vector_size : int, default 100
        D, the length of a vector.
    window : int, default 5
        Largest distance of a context word; the reach of each window is uniform on 1..window.
    min_count : int, default 5
        Words that occur less often are dropped.
    architecture : {"skipgram", "cbow"}, default "skipgram"
    loss : {"negative-sampling", "softmax"}, default "negative-sampling"
        Negative sampling, or the exact softmax over the whole vocabulary.
    negative : int, default 5
        K, noise words a window.
    ns_exponent : float, default 0.75
        Noise words are drawn with probability ~ count ** ns_exponent.
    sample : float, default 1e-4
        Subsampling threshold t: an occurrence of a word with share f of the tokens is kept with
        probability min(1, sqrt(t / f) + t / f); 0 keeps all.
    epochs : int, optional
        By default 5, but 15 for skip-gram with the softmax.
    learning_rate : float, optional
        At the start; it falls linearly to 1/10,000 of that.  The default depends on the
        architecture and the loss (see :class:`~wordgrad.training.config.TrainingConfig`).
    max_vocab : int, optional
        Keep at most this many words, the most frequent ones.
    workers : int, optional
        Threads; by default one a core.
    seed : int, default 1
        With ``workers=1`` the same seed gives the same bytes on the same kind of processor (the
        order of a sum depends on the width of its vector registers).
    reproducible : bool, default False
        Give the same bytes for any number of workers, too, at some cost in speed
        (docs/performance.md).  The vectors' metadata then hold neither ``workers`` nor ``seconds``,
        so that the files they are saved to are the same.
    combine : {"mean", "sum"}, default "mean"
        How CBOW combines its context vectors; the gradient follows.
    column : str, optional
        The column of ``.csv``, ``.tsv``, ``.jsonl`` and ``.parquet`` files, or of a table in memory
        (a DataFrame, say), that holds the text.
    lowercase : bool, default False
    pattern : str, optional
        A regular expression whose matches are the tokens; by default white space separates them.
    errors : {"strict", "replace"}, default "strict"
        What to do with bytes that are not UTF-8.
    checkpoint : path, optional
        A folder to save the training to while it runs, so that :meth:`resume` can go on with it.
        It also keeps the encoded text, four bytes a word.
    checkpoint_every : float, default 60.0
        Seconds between checkpoints.
    validation : path, glob, directory, or an iterable of sentences, optional
        Held-out text, read like the training text.  After each epoch its loss is measured on
        windows and negatives that are always the same; words that the training text does not have
        are dropped.
    early_stopping : int, optional
        End after so many epochs without a better validation loss, and give back the vectors of the
        best epoch.
    progress : callable, optional
        Receives :class:`~wordgrad.corpus.corpus.ReadingProgress`,
        :class:`~wordgrad.training.engine.CountingProgress` (softmax of skip-gram alone) and
        :class:`~wordgrad.training.engine.TrainingProgress` records.
    softmax_offset : {"unigram", "none"}, default "unigram"
        What is added to the softmax's logits: log p(w), so that vectors need not spend themselves
        on how frequent words are, or nothing.
    tolerance : float, default 1e-4
        A softmax training ends after an epoch that lowered the loss by less than this share of it;
        0 never ends it early.
    max_hours : float, default 24
        A softmax training that would last longer, by an estimate made before it begins, is refused
        with the ``max_vocab`` that would fit.

    Attributes
    ----------
    vectors_ : WordVectors
        The input vectors v_w, most frequent word first; with the softmax, whose loss leaves them
        free up to an invertible matrix, what its scores determine
        (:mod:`wordgrad.training.engines.block_softmax`).
    history_ : list of dict
        One an epoch: ``epoch``, ``loss`` (mean per pair, nats), ``pairs``, ``words``, ``seconds``
        (training alone), ``learning_rate`` (at its end); if there is held-out text,
        ``validation_loss``; with the softmax, ``gradient_norm``.
    report_ : CorpusReport
        What was read, and what of it was kept.
    validation_ : dict
        Of the held-out text, if there is one: ``words`` read, and ``unknown`` of them, which were
        dropped.

    Notes
    -----
    With negative sampling, a window's step is exactly ``-learning_rate`` times the gradient of its
    loss (:func:`wordgrad.maths.skipgram`, :func:`wordgrad.maths.cbow`).  The centre is the target,
    each context word an input, and a window's negatives are shared by its context words.

    With the softmax, skip-gram trains on expected counts of pairs, a pass over the vocabulary an
    epoch, and CBOW on batches of windows; steps are Adagrad's.

    Examples
    --------
    >>> text = ["the cat sat on the mat", "the dog sat on the rug"] * 50
    >>> model = Word2Vec(vector_size=16, min_count=1, sample=0, workers=1).fit(text)
    >>> model.vectors_.words[:3]
    ('the', 'on', 'sat')
    >>> model.vectors_["cat"].shape, len(model.history_)
    ((16,), 5)
    """

    def __init__(
        self,
        vector_size: int = 100,
        window: int = 5,
        min_count: int = 5,
        architecture: str = "skipgram",
        loss: str = "negative-sampling",
        negative: int = 5,
        ns_exponent: float = 0.75,
        sample: float = 1e-4,
        epochs: int | None = None,
        learning_rate: float | None = None,
        max_vocab: int | None = None,
        workers: int | None = None,
        seed: int = 1,
        *,
        reproducible: bool = False,
        combine: str = "mean",
        column: str | None = None,
        lowercase: bool = False,
        pattern: str | None = None,
        errors: str = "strict",
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: float = 60.0,
        validation: Any = None,
        early_stopping: int | None = None,
        progress: Callable[[Any], None] | None = None,
        softmax_offset: str = "unigram",
        tolerance: float = 1e-4,
        max_hours: float = 24.0,
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
        self.reproducible = reproducible
        self.combine = combine
        self.column = column
        self.lowercase = lowercase
        self.pattern = pattern
        self.errors = errors
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.validation = validation
        self.early_stopping = early_stopping
        self.progress = progress
        self.softmax_offset = softmax_offset
        self.tolerance = tolerance
        self.max_hours = max_hours

    def fit(self, X: Any, y: Any = None) -> Word2Vec:
        """Read text, count its words, train.

        Parameters
        ----------
        X : path, glob, directory, several of them, a table, or an iterable of sentences
            A sentence is a string or a list of tokens; iterators are consumed once.  A line of a
            file is a sentence, of any length.  See :func:`wordgrad.corpus.corpus.encode_corpus`.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A hyper-parameter is out of range; checked before anything is read.
        InputError
            The text cannot be used.
        TrainingError
            Training diverged.
        KeyboardInterrupt
            After setting the attributes to what was learned so far, if training had begun.
        """
        config = self._config()
        with begin(self, X, config) as run:
            train_and_keep(self, run)
        return self

    @classmethod
    def from_checkpoint(cls, folder: str | os.PathLike[str], **changes: Any) -> Word2Vec:
        """Return a model with the settings of a training that saved checkpoints, to resume it.

        Parameters
        ----------
        folder : path
            The ``checkpoint`` of that training.
        **changes
            Parameters to change: ``epochs``, ``learning_rate``, ``workers``, ``checkpoint_every``,
            ``early_stopping``, ``tolerance``, ``max_hours``, ``progress``.  :meth:`resume` refuses
            any other.

        Raises
        ------
        InputError
            If the folder holds no checkpoint, or none that can be read.

        Examples
        --------
        >>> import tempfile
        >>> folder, text = tempfile.mkdtemp(), ["the cat sat on the mat"] * 50
        >>> settings = {"vector_size": 8, "min_count": 1, "sample": 0, "workers": 1}
        >>> _ = Word2Vec(**settings, epochs=2, checkpoint=folder).fit(text)
        >>> model = Word2Vec.from_checkpoint(folder, epochs=3).resume()
        >>> [record["epoch"] for record in model.history_]
        [1, 2, 3]
        """
        known = set(cls._get_param_names())
        settings = settings_to_resume(folder, known)
        return cls(**(settings | {"checkpoint": folder} | changes))

    def resume(self, X: Any = None) -> Word2Vec:
        """Go on with the training in the folder ``checkpoint``, from where it was saved last.

        With ``workers=1`` the result has the bytes that it would have had without a break.  A
        training that has come to its end goes on if ``epochs`` is larger now; the learning rate is
        then the one that a training of so many epochs has at that point.

        Parameters
        ----------
        X : path, glob, directory, several of them, or an iterable of sentences, optional
            The same text again.  It is not needed, for the folder keeps the text as it was
            encoded; if given, it is compared with that.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A setting differs from what the training began with.
        InputError
            The text is another one, the folder holds no checkpoint, or nothing in it is whole.
        OutputError
            The folder cannot be written, or a training is using it.
        TrainingError, KeyboardInterrupt
            As :meth:`fit`.
        """
        config = self._config()
        with go_on(self, X, config) as run:
            train_and_keep(self, run)
        return self

    def _config(self) -> TrainingConfig:
        if self.progress is not None and not callable(self.progress):
            raise ParameterError(f"progress must be callable or None, got {self.progress!r}.")
        check_real("checkpoint_every", self.checkpoint_every, above=0.0)
        if not isinstance(self.checkpoint, str | os.PathLike | None):
            raise ParameterError(f"checkpoint must be a path or None, got {self.checkpoint!r}.")
        if self.early_stopping is not None:
            check_int("early_stopping", self.early_stopping, minimum=1)
        names = (field.name for field in fields(TrainingConfig))
        return TrainingConfig(**{name: getattr(self, name) for name in names})
