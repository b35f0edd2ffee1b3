"""``Word2Vec``: text in, word vectors out, with scikit-learn's conventions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, cast

from sklearn.base import BaseEstimator

from wordgrad.errors import ParameterError
from wordgrad.text.corpus import EncodedCorpus, encode_corpus
from wordgrad.training.config import TrainingConfig
from wordgrad.training.trainer import Trainer
from wordgrad.vectors.word_vectors import WordVectors


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
    combine : {"mean", "sum"}, default "mean"
        How CBOW combines its context vectors; the gradient follows.
    column : str, optional
        The column of ``.csv``, ``.tsv``, ``.jsonl`` and ``.parquet`` files that holds the text.
    lowercase : bool, default False
    pattern : str, optional
        A regular expression whose matches are the tokens; by default white space separates them.
    errors : {"strict", "replace"}, default "strict"
        What to do with bytes that are not UTF-8.
    progress : callable, optional
        Receives :class:`~wordgrad.text.corpus.ReadingProgress`,
        :class:`~wordgrad.training.progress.CountingProgress` (softmax of skip-gram alone) and
        :class:`~wordgrad.training.progress.TrainingProgress` records.
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
        (:mod:`wordgrad.training.engines.softmax.canonical`).
    history_ : list of dict
        One an epoch: ``epoch``, ``loss`` (mean per pair, nats), ``pairs``, ``words``, ``seconds``
        (training alone), ``learning_rate`` (at its end) and ``gradient_norm`` (softmax alone).
    report_ : CorpusReport
        What was read, and what of it was kept.

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
        combine: str = "mean",
        column: str | None = None,
        lowercase: bool = False,
        pattern: str | None = None,
        errors: str = "strict",
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
        self.combine = combine
        self.column = column
        self.lowercase = lowercase
        self.pattern = pattern
        self.errors = errors
        self.progress = progress
        self.softmax_offset = softmax_offset
        self.tolerance = tolerance
        self.max_hours = max_hours

    def fit(self, X: Any, y: Any = None) -> Word2Vec:
        """Read text, count its words, train.

        Parameters
        ----------
        X : path, glob, directory, several of them, or an iterable of sentences
            A sentence is a string or a list of tokens; iterators are consumed once.  A line of a
            file is a sentence, of any length.  See :func:`wordgrad.text.corpus.encode_corpus`.
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
        with self._encode(X, config) as corpus:
            self.report_ = corpus.report
            trainer = Trainer(corpus, config, self.progress)
            try:
                trainer.run()
            except KeyboardInterrupt:
                # W_out is zero until the first step: before, there is nothing to keep.
                if trainer.parameters.W_out_rows.any():
                    self._keep(trainer, corpus)
                raise
            self._keep(trainer, corpus)
        return self

    def _config(self) -> TrainingConfig:
        if self.progress is not None and not callable(self.progress):
            raise ParameterError(f"progress must be callable or None, got {self.progress!r}.")
        return TrainingConfig(
            vector_size=self.vector_size,
            window=self.window,
            architecture=self.architecture,
            loss=self.loss,
            negative=self.negative,
            ns_exponent=self.ns_exponent,
            sample=self.sample,
            epochs=cast("int", self.epochs),  # None is replaced by the loss's default
            learning_rate=self.learning_rate,
            combine=self.combine,
            workers=self.workers,
            seed=self.seed,
            softmax_offset=self.softmax_offset,
            tolerance=self.tolerance,
            max_hours=self.max_hours,
        )

    def _encode(self, X: Any, config: TrainingConfig) -> EncodedCorpus:
        return encode_corpus(
            X,
            min_count=self.min_count,
            max_vocab=self.max_vocab,
            column=self.column,
            lowercase=self.lowercase,
            pattern=self.pattern,
            errors=self.errors,
            workers=config.workers,
            progress=self.progress,
        )

    def _keep(self, trainer: Trainer, corpus: EncodedCorpus) -> None:
        self.history_ = [
            {name: value for name, value in asdict(record).items() if value is not None}
            for record in trainer.history
        ]
        settings = trainer.config.as_dict()
        settings |= {
            "min_count": self.min_count,
            "max_vocab": self.max_vocab,
            "lowercase": self.lowercase,
            "pattern": self.pattern,
            "tokens": corpus.report.tokens_kept,
        }
        self.vectors_ = WordVectors(
            corpus.vocabulary.words,
            trainer.vectors,
            counts=corpus.vocabulary.counts,
            metadata={"settings": settings, "history": self.history_},
        )
