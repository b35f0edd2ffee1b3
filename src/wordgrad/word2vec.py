"""``Word2Vec``: text in, word vectors out, with scikit-learn's conventions."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from wordgrad.corpus.corpus import (
    EncodedCorpus,
    Fingerprint,
    ValidationCorpus,
    encode_corpus,
    encode_validation,
)
from wordgrad.corpus.phrase_table import PhraseTable, table_of
from wordgrad.corpus.sources import paths_of, texts_of
from wordgrad.errors import (
    FormatError,
    InputError,
    ParameterError,
    UnknownTextsWarning,
    check_int,
)
from wordgrad.storage import path_of
from wordgrad.training.checkpoint import (
    TEXT,
    CheckpointFolder,
    Identity,
    Saving,
    phrases_in,
    recorded_settings,
)
from wordgrad.training.config import HIERARCHICAL, SETTINGS, Setting, TrainingConfig
from wordgrad.training.engines import check_device
from wordgrad.training.engines.subwords import SubwordEngine
from wordgrad.training.kernels.huffman import HuffmanTree
from wordgrad.training.parameters import Parameters, packed
from wordgrad.training.sampling import (
    AUTO,
    SamplingTables,
    Span,
    draw_batch,
    with_learning_rate,
    with_threshold,
)
from wordgrad.training.trainer import EpochHook, Trainer
from wordgrad.training.validation import HeldOut, batch_loss
from wordgrad.vocabulary import Vocabulary
from wordgrad.word_vectors import WordVectors, load

if TYPE_CHECKING:
    from wordgrad.cluster import Coordinator

_NOT_RECORDED = {
    *("checkpoint", "validation", "vectors", "vocabulary", "phrases"),
    *("cluster", "nodes", "threads_per_node"),
}
"""Settings that a checkpoint does not hold: the folder is where it is, text and phrases are beside
it, vectors to start from are of no use once training has begun, and it may go on elsewhere."""

_ON_A_CLUSTER: dict[str, tuple[object, ...]] = {
    "loss": ("negative-sampling", "softmax"), "device": ("cpu",), "subwords": (None,),
    "phrases": (None,),
}  # fmt: skip
"""What a cluster trains."""

EARLIER_SAMPLE = 1e-4
"""Default of ``sample`` in version 0.1, whose checkpoints hold it."""


class Word2Vec(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]  # scikit-learn has no types
    TransformerMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """Word vectors by skip-gram or CBOW (Mikolov et al. 2013).

    Defaults and ranges are those of :data:`wordgrad.training.config.SETTINGS`.

    Parameters
    ----------
    vector_size : int (1 to 65,536), default 100
        D, the length of a vector.
    window : int (1 to 1,000,000,000), default 5
        m, the largest distance of a context word from the centre.  A window ends with its sentence,
        and holds at most 10,000 words on either side.
    min_count : int (at least 0), default 5
        Words that occur less often are dropped; 0 and 1 drop none.
    architecture : {"skipgram", "cbow"}, default "skipgram"
        Whether the centre predicts each context word, or the context the centre.
    loss : {"negative-sampling", "softmax", "hierarchical-softmax", \
"hierarchical-softmax+negative-sampling"}, default "negative-sampling"
        Negative sampling; the exact softmax over the whole vocabulary; the hierarchical softmax,
        over a Huffman tree of the words; or that and negative sampling, both losses added up.
    negative : int (1 to 10,000), optional
        K, noise words a window; of no effect where the loss is not of negative sampling.  By
        default 5, and 7 for skip-gram with ``subwords``.
    ns_exponent : float, optional
        Noise words are drawn with probability ~ count ** ns_exponent.  By default 0.75, and 0.5
        for skip-gram with ``subwords``.
    sample : "auto" or float (at least 0), default "auto"
        Subsampling threshold t: an occurrence of a word with share f of the tokens is kept with
        probability min(1, sqrt(t / f) + t / f); 0 keeps all.  "auto" is 0.0001 if that keeps half
        of the tokens, as it does in running text, and else the least t that does
        (:func:`~wordgrad.training.sampling.subsampling_threshold`); the settings in the metadata of
        ``vectors_`` tell the number.
    epochs : int (at least 1), optional
        Passes over the text; by default 5, but 15 for skip-gram with the softmax.
    learning_rate : float (above 0, at most 1e+30), optional
        At the start; it falls linearly to ``final_learning_rate``.  The default depends on the
        architecture and the loss (see :class:`~wordgrad.training.config.TrainingConfig`), and with
        negative sampling on how much there is to learn from: the fewer windows a word, the higher,
        up to three times as high (:func:`~wordgrad.training.sampling.with_learning_rate`), unless
        training starts from vectors.  The settings in the metadata of ``vectors_`` tell the number.
    max_vocab : int (at least 2), optional
        Keep only this many of the most frequent words.
    workers : int (1 to 1,024), optional
        Threads; by default one for each core that this process may use.
    seed : int (at least 0), default 1
        With ``workers=1`` the same seed gives the same bytes on the same kind of processor (the
        order of a sum depends on the width of its vector registers).
    reproducible : bool, default False
        Give the same bytes for any number of workers, too, at some cost in speed
        (docs/performance.md).  The vectors' metadata then hold neither ``workers`` nor ``seconds``,
        so that the files they are saved to are the same.
    blocks : int (1 to 1,024), optional
        Deal the words to so many buckets, and train with negative sampling in blocks, no
        two of which share a row while they are trained (:mod:`wordgrad.training.engines.blocks`):
        the same vectors for any number of workers, and as good.  8 to 32 are good numbers.
    shrink_windows : bool, default True
        Whether the reach of each window is drawn uniformly from 1..m, as in word2vec; else it is m.
    final_learning_rate : float (0 to 1e+30), optional
        At the end; by default 1/10,000 of that at the start.
    combine : {"mean", "sum"}, default "mean"
        How CBOW combines its context vectors; the gradient follows.
    cbow_step : {"exact", "balanced", "whole"}, optional
        How far CBOW moves the words of a context: by the gradient; by the mean's gradient handed
        undivided to each word, as word2vec.c, gensim and fastText do; or in between, by a multiple
        of the root of their number (:func:`wordgrad.maths.input_share`), which is the default but
        for sums, the softmax and subwords, where the step is exact.
    output_weight : float (0 to 1), optional
        How much of its output vector is added to a word's input vector once training ends:
        ``vectors_`` are v_w + output_weight u_w.  By default 1 for CBOW, and 0 for skip-gram,
        the softmax and subwords.
    column : str, optional
        The column of ``.csv``, ``.tsv``, ``.jsonl`` and ``.parquet`` files, or of a table in memory
        (a DataFrame, say), that holds the text.
    lowercase : bool, default False
        Convert the text to lower case.
    phrases : PhraseTable, path of one, or int (1 to 16), optional
        Phrases to join into one word, in the training text and in any other, before words are
        counted; or in how many passes to learn them from the training text, with the defaults of
        :func:`~wordgrad.corpus.phrases.learn_phrases`.
    pattern : str, optional
        A regular expression whose matches are the tokens; by default white space separates them.
    errors : {"strict", "replace"}, default "strict"
        What to do with bytes that are not UTF-8: raise, or put U+FFFD in their place.
    checkpoint : path, optional
        A folder to save checkpoints to during training, from which :meth:`resume` continues.  It
        also holds the encoded text, four bytes a word; that behind a URL does not, and the text is
        read again.
    checkpoint_every : float (above 0), default 60.0
        Seconds between checkpoints.
    validation : path, glob, directory, or an iterable of sentences, optional
        Held-out text, read like the training text.  After each epoch its loss is measured on
        windows and negatives that are always the same; words that the training text does not have
        are dropped.
    early_stopping : int (at least 1), optional
        Stop after this many epochs without a lower validation loss, and return the vectors of the
        best epoch.
    vocabulary : path, optional
        Train these words, whatever the text holds: a mapping of words to counts, a
        :class:`~wordgrad.vocabulary.Vocabulary`, or a file with a word and its count a line.  Noise
        words and subsampling follow these counts; ``min_count`` and ``max_vocab`` have no effect,
        and :meth:`partial_fit` adds no word.
    vectors : path, optional
        Word vectors of ``vector_size`` numbers to start from, also as :class:`WordVectors`.  Words
        of the text without one there start at random, as all do by default.  Output vectors start
        from those that were kept with them, if any (``keep_output``), else at zero.
    keep_output : bool, default False
        Keep the output vectors in ``vectors_``, too, as its ``outputs``: a safetensors file then
        holds all that training needs to go on from it (``vectors``).
    progress : callable, optional
        Receives :class:`~wordgrad.corpus.corpus.ReadingProgress`,
        :class:`~wordgrad.training.engine.CountingProgress` (skip-gram with the softmax only) and
        :class:`~wordgrad.training.engine.TrainingProgress` records.
    on_epoch : callable, optional
        Receives a :class:`~wordgrad.training.trainer.LiveModel` before the first epoch and after
        every one: the vectors themselves, at that moment.
    subwords : (int, int) (1 to 1,000), optional
        The vector of a word is the mean of its own row and of those of its character n-grams, of
        the first to the second number of characters, so that unseen words have vectors, too
        (Bojanowski et al. 2017).  (3, 6) suits most European languages.
    buckets : int (1 to 2,147,483,647), default 2000000
        N-grams are told apart by their hash modulo this number.
    subword_step : {"whole", "exact"}, default "whole"
        Whether each row of a word receives the whole step of the word's vector, as in fastText, or
        its share of it, which is the exact gradient and wants a learning rate some 20 times as
        large.
    softmax_offset : {"unigram", "none"}, default "unigram"
        What is added to the softmax's logits: log p(w), so that vectors need not spend themselves
        on how frequent words are, or nothing.
    tolerance : float (at least 0, below 1), default 0.0001
        A softmax training stops after an epoch that lowered the loss by less than this share of it;
        0 never stops it early.
    max_hours : float (above 0), default 24.0
        A softmax training that would take longer, by an estimate made before it begins, is refused
        with the ``max_vocab`` that would fit.
    cluster : str, optional
        Train on the machines of a Ray cluster: "auto" for the one that this machine belongs to (or
        that ``ray.init`` has connected to), or an address, ``ray://host:port``.  It needs
        ``pip install 'wordgrad[ray]'`` on every machine (docs/cluster.md).  Words are dealt to
        ``blocks`` buckets, by default four for each thread, and the vectors are to the byte those
        of one machine with as many.  With ``loss="softmax"`` each node has some of the words to
        predict, and the vectors are those of one machine to rounding.
    nodes : int (1 to 1,024), optional
        Machines of the cluster to train on; by default all.
    threads_per_node : int (1 to 1,024), optional
        Threads on each of them; by default as many as the smallest has processors.
    device : {"cpu", "cuda"}, default "cpu"
        Train on the processor, or on an NVIDIA card, which needs ``pip install 'wordgrad[gpu]'``
        (docs/gpu.md): vectors as good, much sooner, and never the same twice.

    Attributes
    ----------
    vectors_ : WordVectors
        The input vectors v_w, plus a share of the output vectors u_w with ``output_weight``, most
        frequent word first; with the softmax, whose loss leaves them
        free up to an invertible matrix, what its scores determine
        (:mod:`wordgrad.training.engines.block_softmax`).
    history_ : list of dict
        One an epoch: ``epoch``, ``loss`` (mean per pair, nats), ``pairs``, ``words``, ``seconds``
        (training alone), ``learning_rate`` (at its end); if there is held-out text,
        ``validation_loss``; with the softmax, ``gradient_norm``.  ``words`` counts the tokens
        passed; ``words_trained`` is the expected number of those that subsampling left.
    report_ : CorpusReport
        What was read, and what of it was kept; ``tokens_trained`` as ``words_trained`` above.
    output_vectors_ : float32 (n, D)
        ``W_out``: a row for each word; with the hierarchical softmax one for each of the V - 1
        inner nodes of the tree, before those of words.  Not kept with the exact softmax, unless
        ``keep_output`` is set.
    phrases_ : PhraseTable or None
        The phrases that were joined.
    words_with_vectors_ : int
        Words that started from ``vectors``.
    validation_ : dict
        Of the held-out text, if there is one: ``words`` read, and ``unknown`` of them, which were
        dropped.

    Notes
    -----
    With negative sampling, a window's step is exactly ``-learning_rate`` times the gradient of its
    loss (:func:`wordgrad.maths.skipgram`, :func:`wordgrad.maths.cbow`), times a positive factor for
    the input vectors of CBOW unless ``cbow_step`` is "exact".  The centre is the target,
    each context word an input, and a window's negatives are shared by its context words.

    With the softmax, skip-gram trains on expected counts of pairs, a pass over the vocabulary an
    epoch, and CBOW on batches of windows; steps are Adagrad's.

    With negative sampling, the fitted estimator keeps the output vectors as well, as large as
    ``vectors_``, so that :meth:`partial_fit` can go on; they are pickled with it.  Saving
    ``vectors_`` leaves them out, unless ``keep_output`` is set.

    Examples
    --------
    >>> text = ["the cat sat on the mat", "the dog sat on the rug"] * 50
    >>> model = Word2Vec(vector_size=16, min_count=1, sample=0, workers=1).fit(text)
    >>> model.vectors_.words[:3]
    ('the', 'on', 'sat')
    >>> model.vectors_["cat"].shape, len(model.history_)
    ((16,), 5)
    """

    _settings: ClassVar[Mapping[str, Setting]] = SETTINGS
    cluster: str | None = None  # estimators that inherit from this one have none

    def __init__(
        self,
        vector_size: int = 100,
        window: int = 5,
        min_count: int = 5,
        architecture: str = "skipgram",
        loss: str = "negative-sampling",
        negative: int | None = None,
        ns_exponent: float | None = None,
        sample: float | str = "auto",
        epochs: int | None = None,
        learning_rate: float | None = None,
        max_vocab: int | None = None,
        workers: int | None = None,
        seed: int = 1,
        *,
        shrink_windows: bool = True,
        final_learning_rate: float | None = None,
        reproducible: bool = False,
        blocks: int | None = None,
        cluster: str | None = None,
        nodes: int | None = None,
        threads_per_node: int | None = None,
        combine: str = "mean",
        cbow_step: str | None = None,
        output_weight: float | None = None,
        column: str | None = None,
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
        keep_output: bool = False,
        on_epoch: EpochHook | None = None,
        progress: Callable[[Any], None] | None = None,
        subwords: tuple[int, int] | None = None,
        buckets: int = 2_000_000,
        subword_step: str = "whole",
        softmax_offset: str = "unigram",
        tolerance: float = 1e-4,
        max_hours: float = 24.0,
        device: str = "cpu",
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
        self.blocks = blocks
        self.cluster = cluster
        self.nodes = nodes
        self.threads_per_node = threads_per_node
        self.combine = combine
        self.cbow_step = cbow_step
        self.output_weight = output_weight
        self.column = column
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
        self.keep_output = keep_output
        self.on_epoch = on_epoch
        self.progress = progress
        self.subwords = subwords
        self.buckets = buckets
        self.subword_step = subword_step
        self.softmax_offset = softmax_offset
        self.tolerance = tolerance
        self.max_hours = max_hours
        self.device = device

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that the input is one text a row, and no numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []  # it is float32 always
        return tags

    def fit(self, X: Any, y: Any = None) -> Word2Vec:
        """Read text, count its words, train.

        Parameters
        ----------
        X : path, glob, directory, URL, several of them, a table, or an iterable of sentences
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
            The text or the vocabulary cannot be used, or ``vectors`` has none of its words.
        TrainingError
            Training diverged.
        KeyboardInterrupt
            After setting the attributes to what was learnt so far, if training had begun.

        Warns
        -----
        TrainingWarning
            Training learns little: see :meth:`~wordgrad.training.trainer.Trainer.run`.
        """
        config = self._config()
        start, words = self._given_vectors(config), self._given_vocabulary()
        if self.early_stopping is not None and self.validation is None:
            raise ParameterError(
                f"early_stopping={self.early_stopping} needs a loss to watch; give held-out text "
                "as validation."
            )
        with ExitStack() as stack:
            folder = saving = None
            if self.checkpoint is not None:
                folder = stack.enter_context(CheckpointFolder.begin(path_of(self.checkpoint)))
                read_from = [] if folder.keeps_text or self.cluster is not None else paths_of(X)
            if self.cluster is not None and hasattr(X, "materialize"):
                X = X.materialize()  # a data set of Ray: while there are processors free
            cluster = self._open_cluster(stack)
            if cluster is None:
                corpus = stack.enter_context(
                    self._encode(X, config, self.phrases, folder=folder, vocabulary=words)
                )
            else:
                corpus = self._read_on(cluster, X, words)
                blocks = cluster.blocks(config, len(corpus.vocabulary))
                # The default rate depends on whether there are blocks.
                config = replace(config, blocks=blocks, learning_rate=self.learning_rate)
            self.phrases_ = corpus.phrases
            config = with_threshold(config, corpus.vocabulary.counts)
            if self.learning_rate is None and start is None:
                config = with_learning_rate(config, corpus.word_counts())
            validation = None
            if self.validation is not None:
                validation = self._encode_validation(corpus.vocabulary, config)
            if folder is not None:
                if validation is not None:
                    folder.write_held_out(validation)
                if self.phrases_ is not None:
                    folder.write_phrases(self.phrases_)
                identity = Identity(
                    settings=self._recorded(config),
                    vocabulary=corpus.vocabulary,
                    fingerprint=corpus.fingerprint(),
                    report=corpus.report,
                    held_out=Fingerprint.of(validation) if validation else None,
                )
                saving = Saving(folder, identity, float(self.checkpoint_every))
                if cluster is not None or not folder.keeps_text:
                    folder.write_sources(read_from if cluster is None else cluster.files)
            trainer = Trainer(
                corpus,
                config,
                self.progress if cluster is None else cluster.progress,
                held_out=HeldOut(validation, self.early_stopping) if validation else None,
                saving=saving,
                on_epoch=self.on_epoch,
                engine=None if cluster is None else cluster.engine(config, self.on_epoch),
                parameters=None if cluster is None else cluster.parameters(config),
            )
            self.words_with_vectors_ = 0
            if start is not None:
                self.words_with_vectors_ = _copy_vectors(
                    start, corpus.vocabulary.words, range(len(corpus.vocabulary)), trainer
                )
                if not self.words_with_vectors_:
                    raise InputError(
                        f"None of the {len(corpus.vocabulary)} words of the text is in vectors, "
                        f"whose first are {', '.join(map(repr, start.vocabulary.words[:3]))}; give "
                        "vectors of the same language and spelling, or leave them out."
                    )
            self._train(trainer, corpus, validation)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Word2Vec:
        """Go on with more text: known words learn further, frequent new words join.

        Counts add up, and with them the noise words are drawn and ``sample="auto"`` is chosen.  New
        words that occur ``min_count`` times in this text join, up to ``max_vocab``, and start at
        random or from ``vectors``.  The learning rate begins at ``learning_rate`` again and falls
        over the ``epochs`` of this text; lower it to change known words less.  Words that this text
        lacks are drawn as noise alone, which moves their output vectors, not their vectors.  With
        the hierarchical softmax other counts make another tree, whose nodes start at zero, unless
        ``vocabulary`` holds words and counts fixed.  The first call is :meth:`fit`.

        Parameters
        ----------
        X : path, glob, directory, several of them, a table, or an iterable of sentences
            As in :meth:`fit`.
        y : ignored

        Returns
        -------
        self
            ``history_`` and ``report_`` are those of this text.

        Raises
        ------
        ParameterError
            The loss is the exact softmax; or a checkpoint folder is set; or ``vector_size`` has
            changed.
        InputError, TrainingError, KeyboardInterrupt
            As :meth:`fit`.

        Examples
        --------
        >>> model = Word2Vec(vector_size=8, min_count=1, workers=1).fit(["a b c"] * 50)
        >>> _ = model.partial_fit(["a d", "d e"] * 9)
        >>> model.vectors_.words, model.vectors_.counts.tolist()
        (('a', 'b', 'c', 'd', 'e'), [59, 50, 50, 18, 9])
        """
        if not hasattr(self, "vectors_"):
            return self.fit(X, y)
        config = self._config()
        if self.cluster is not None:
            raise ParameterError(
                f"partial_fit trains on this machine, got cluster={self.cluster!r}; set it to "
                "None, or call fit."
            )
        start, known = self._given_vectors(config), self.vectors_
        if self.checkpoint is not None:
            raise ParameterError(
                f"partial_fit saves no checkpoints, got checkpoint={self.checkpoint!r}; set it to "
                "None, and save vectors_."
            )
        trained = known.metadata["settings"]["loss"]
        if "softmax" in (config.loss, trained):
            raise ParameterError(
                'partial_fit needs vectors trained with loss="negative-sampling", for the softmax '
                "is trained on the pairs of a whole text; fit the old and the new text together."
            )
        if config.vector_size != known.vector_size:
            raise ParameterError(
                f"partial_fit goes on with vectors of {known.vector_size} numbers, got "
                f"vector_size={config.vector_size}; leave it as it was, or call fit."
            )
        before = None if known.subwords is None else known.subwords.kind
        now = None if config.subwords is None else (*config.subwords, config.buckets)
        if now != before:
            raise ParameterError(
                "partial_fit goes on with the n-grams that it has (minn, maxn, buckets: "
                f"{before}), got {now}; leave subwords and buckets as they were, or call fit."
            )
        grow = self.vocabulary is None
        with self._encode(
            X, config, self.phrases_, vocabulary=known.vocabulary, grow=grow
        ) as corpus:
            vocabulary = corpus.vocabulary
            validation = None
            if self.validation is not None:
                validation = self._encode_validation(vocabulary, config)
            trainer = Trainer(
                corpus,
                config,
                self.progress,
                held_out=HeldOut(validation, self.early_stopping) if validation else None,
                on_epoch=self.on_epoch,
            )
            rows = [vocabulary.index(word) for word in known.words]
            if isinstance(trainer.engine, SubwordEngine) and known.subwords is not None:
                trainer.engine.take_over(
                    trainer.parameters, np.array(rows), known.subwords, np.arange(len(rows))
                )
            else:
                trainer.parameters.W_in[rows] = known.matrix
                if weight := _output_weight(known):
                    trainer.parameters.W_in[rows] -= weight * self.output_vectors_
            _start_outputs(trainer, self.output_vectors_, known.vocabulary, np.array(rows))
            self.words_with_vectors_ = 0
            if start is not None:
                new = np.setdiff1d(np.arange(len(vocabulary)), rows).tolist()
                words = vocabulary.words_at(new)
                self.words_with_vectors_ = _copy_vectors(start, words, new, trainer)
            self._train(trainer, corpus, validation)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[np.float32]:
        """Train on texts and return the mean vector of each; an iterator is read once.

        Parameters, results and errors are those of :meth:`transform`, to which a list of strings is
        never a list of paths; training raises what :meth:`fit` does.

        >>> model = Word2Vec(vector_size=8, min_count=1, workers=1)
        >>> model.fit_transform(f"a b c{number % 3}" for number in range(150)).shape
        (150, 8)
        """
        texts = listed_texts(X, self.column)
        means: NDArray[np.float32] = self.fit(iter(texts), y).transform(texts)
        return means

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Mean vector of each text.

        Parameters
        ----------
        X : sequence of texts, or a table (n,)
            A text is a string, cut into words as in training, or a list of tokens.  A table gives
            its column ``column``, as in :meth:`fit`.

        Returns
        -------
        float32 (n, D)
            The mean of the vectors of the words that are in the vocabulary, and with ``subwords``
            of unseen ones; a word that occurs twice counts twice.  Zero for a text that has none.

        Raises
        ------
        NotFittedError
            Nothing was trained yet.
        ParameterError
            They are not texts.

        Warns
        -----
        UnknownTextsWarning
            Some texts, which it counts, have no word of the vocabulary.

        Examples
        --------
        >>> model = Word2Vec(vector_size=8, min_count=1, workers=1).fit(["a b c"] * 50)
        >>> means = model.transform(["a b", ["c"]])
        >>> means.shape, bool((means[1] == model.vectors_["c"]).all())
        ((2, 8), True)
        """
        check_is_fitted(self, "vectors_")
        vectors = self.vectors_
        texts = listed_texts(X, self.column)
        ids, table = vectors.vocabulary.ids, vectors.matrix
        means = np.zeros((len(texts), vectors.vector_size), np.float32)
        unknown = 0
        for mean, words in zip(means, self._words_of(texts), strict=True):
            rows = [ids.get(word, -1) for word in words]
            found = table[[row for row in rows if row >= 0]]
            if vectors.subwords is not None and -1 in rows:
                unseen = [word for word, row in zip(words, rows, strict=True) if row < 0]
                composed = map(vectors.subwords.vector, unseen)
                found = np.array([*found, *(one for one in composed if one is not None)])
            if len(found):
                mean[:] = found.mean(axis=0, dtype=np.float64)
            else:
                unknown += 1
        if unknown:
            warnings.warn(
                f"{unknown} of {len(texts)} texts hold no word of the vocabulary; their vectors "
                "are zero.",
                UnknownTextsWarning,
                stacklevel=2,
            )
        return means

    def word_probabilities(self, context: str | Iterable[str]) -> NDArray[np.float64]:
        """Return p(w | context) of every word, by the tree of the hierarchical softmax.

        Parameters
        ----------
        context : str or iterable of str
            A text or its words: with skip-gram one word, which predicts those around it; with CBOW
            the words around, in any order.

        Returns
        -------
        float64 (V,)
            Of ``vectors_.words``, in their order, with sum 1.

        Raises
        ------
        NotFittedError
            Nothing was trained yet.
        ParameterError
            The loss has no tree, or skip-gram is given more than one word.
        UnknownWordError
            A word is not in the vocabulary.

        Examples
        --------
        >>> model = Word2Vec(vector_size=8, min_count=1, loss="hierarchical-softmax", workers=1)
        >>> _ = model.fit(["left right", "up down"] * 500)
        >>> p = model.word_probabilities("left")
        >>> round(float(p.sum()), 6), model.vectors_.words[p.argmax()]
        (1.0, 'right')
        """
        config, tree = self._trained_tree("word_probabilities")
        (words,) = self._words_of([context if isinstance(context, str) else list(context)])
        rows = [self.vectors_.vocabulary.index(word) for word in words]
        if not rows or (len(rows) > 1 and config.architecture == "skipgram"):
            wanted = "one word" if config.architecture == "skipgram" else "at least one word"
            raise ParameterError(
                f"context must be {wanted} with {config.architecture}, got {len(rows)}."
            )
        h = self.vectors_.matrix[rows].astype(np.float64).sum(axis=0)
        if config.architecture == "cbow" and config.combine == "mean":
            h /= len(rows)
        return np.exp(tree.log_probabilities(h, self.output_vectors_))

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Return the log likelihood of each text, by the tree of the hierarchical softmax.

        It is the sum of log p(centre | context) over all windows of the text, as wide as ``window``
        allows and without subsampling; with skip-gram, each word of a window is a context of its
        own.  Words that are not in the vocabulary are left out.  A text with fewer than two known
        words has 0.

        Parameters
        ----------
        X : sequence of texts, or a table (n,)
            As in :meth:`transform`.

        Returns
        -------
        float64 (n,)

        Raises
        ------
        NotFittedError
            Nothing was trained yet.
        ParameterError
            The loss has no tree, or they are not texts.

        Examples
        --------
        >>> model = Word2Vec(vector_size=8, min_count=1, loss="hierarchical-softmax", workers=1)
        >>> _ = model.fit(["left right", "up down"] * 500)
        >>> usual, odd = model.score_samples(["left right", "left up"])
        >>> bool(usual > odd)
        True
        """
        config, _ = self._trained_tree("score_samples")
        vectors = self.vectors_
        ids, texts = vectors.vocabulary.ids, listed_texts(X, self.column)
        rows = [[ids[word] for word in words if word in ids] for words in self._words_of(texts)]
        scores = np.zeros(len(texts))
        told = [k for k, row in enumerate(rows) if len(row) > 1]
        if not told:
            return scores
        offsets = np.concatenate([[0], np.cumsum([len(rows[k]) for k in told])])
        known = np.array([row for k in told for row in rows[k]], np.int32)
        whole = replace(config, loss=HIERARCHICAL, sample=0.0, shrink_windows=False)
        corpus = ValidationCorpus(known, offsets, vectors.vocabulary, len(known))
        tables = SamplingTables(corpus, whole)
        W_out = np.ascontiguousarray(self.output_vectors_)
        parameters = Parameters(vectors.matrix, W_out, vectors.vector_size)
        for k, (first, last) in zip(told, pairwise(offsets.tolist()), strict=True):
            batch = draw_batch(
                tables, Span(first, last, 0, 0.0), tables.reach, 0, architecture=config.architecture
            )
            scores[k] = -batch_loss(parameters, batch, config.combine).total
        return scores

    def _trained_tree(self, what: str) -> tuple[TrainingConfig, HuffmanTree]:
        """The settings of the training, and its tree."""
        check_is_fitted(self, "vectors_")
        settings = self.vectors_.metadata["settings"]
        known = {name: settings[name] for name in ("architecture", "loss", "combine", "window")}
        config = TrainingConfig(vector_size=self.vectors_.vector_size, **known)
        if not config.has_tree:
            raise ParameterError(
                f'{what} needs loss="hierarchical-softmax", whose probabilities have sum 1, got '
                f"vectors trained with loss={config.loss!r}."
            )
        return config, HuffmanTree.from_counts(self.vectors_.vocabulary.counts)

    @property
    def _n_features_out(self) -> int:
        """Columns of :meth:`transform`, for ``get_feature_names_out``."""
        return self.vectors_.vector_size

    def _words_of(self, texts: Sequence[Any]) -> Iterable[list[str]]:
        """The words of each text, cut and joined as those of the training text were."""
        words = self._cut(texts)
        return words if self.phrases_ is None else self.phrases_.join_all(words)

    def _cut(self, texts: Sequence[Any]) -> Iterable[list[str]]:
        from wordgrad.classification.features import SPACES, tokenise

        strings = tokenise(
            [text for text in texts if isinstance(text, str)],
            pattern=SPACES if self.pattern is None else self.pattern,
            lowercase=self.lowercase,
        )
        place = 0
        for text in texts:
            if isinstance(text, str):
                first, last = strings.offsets[place], strings.offsets[place + 1]
                yield [strings.types[number] for number in strings.ids[first:last].tolist()]
                place += 1
            else:
                yield [token.lower() for token in text] if self.lowercase else text

    @classmethod
    def from_checkpoint(cls, folder: str | os.PathLike[str], **changes: Any) -> Word2Vec:
        """Model with the settings of a training that saved checkpoints, to resume it.

        Parameters
        ----------
        folder : path
            The ``checkpoint`` of that training.
        **changes
            Parameters to change: ``epochs``, ``learning_rate``, ``workers``, ``device``,
            ``cluster``, ``nodes``, ``threads_per_node``,
            ``output_weight``, ``checkpoint_every``, ``early_stopping``, ``final_learning_rate``,
            ``keep_output``, ``tolerance``, ``max_hours``, ``progress``, ``on_epoch``.
            :meth:`resume` refuses any other.

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
        settings: dict[str, Any] = dict(recorded_settings(path_of(folder)))
        unknown = sorted(settings.keys() - (cls._settings.keys() - _NOT_RECORDED))
        if unknown:
            raise FormatError(
                f"The training in {folder} has settings that this version of wordgrad does not "
                f"know ({', '.join(unknown)}); resume it with the version that began it."
            )
        phrases = phrases_in(path_of(folder))
        if phrases is not None:
            settings["phrases"] = str(phrases)
        return cls(**(settings | {"checkpoint": folder} | changes))

    def resume(self, X: Any = None) -> Word2Vec:
        """Resume the training in the folder ``checkpoint`` from its last checkpoint.

        With ``workers=1`` the result has the bytes that it would have had without the interruption.
        A training that is complete continues if ``epochs`` is larger now; the learning rate is then
        the one that a training of that many epochs has at that point.

        Parameters
        ----------
        X : path, glob, directory, several of them, or an iterable of sentences, optional
            The same text again.  It is not needed, for the folder holds the encoded text, or where
            that is read from; if given, it is compared with that.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A setting differs from what the training began with.
        InputError
            The text is another one, or the folder holds no checkpoint that can be read.
        OutputError
            The folder cannot be written, or a training is using it.
        TrainingError, KeyboardInterrupt
            As :meth:`fit`.
        """
        config = self._config()
        if self.checkpoint is None:
            raise ParameterError(
                "checkpoint must name the folder of the training to resume, got None."
            )
        with ExitStack() as stack:
            folder = stack.enter_context(CheckpointFolder.open(path_of(self.checkpoint)))
            checkpoint = folder.newest(mapped=self.cluster is not None)
            began = checkpoint.identity
            if self.cluster is None and began.fingerprint.is_spread:
                raise ParameterError(
                    "This training began on a cluster, whose nodes hold its text; resume it with "
                    "cluster (--cluster auto), be it one of a single machine."
                )
            if self.cluster is not None and not began.fingerprint.is_spread:
                raise ParameterError(
                    f"This training began on one machine, got cluster={self.cluster!r}; resume it "
                    "without."
                )
            if self.vectors is not None or self.vocabulary is not None:
                name = "vectors" if self.vectors is not None else "words"
                raise ParameterError(
                    f"{name} are where a training starts, and this one has begun; leave them out."
                )
            if config.sample == AUTO:
                found = with_threshold(config, began.vocabulary.counts)
                is_old = began.settings.get("sample") == EARLIER_SAMPLE
                config = replace(config, sample=EARLIER_SAMPLE) if is_old else found
            if config.architecture == "skipgram":  # which has no use for it
                config = replace(config, cbow_step=str(began.settings["cbow_step"]))
            if self.cluster is not None:  # whose number followed from the cluster
                config = replace(config, blocks=began.settings["blocks"])
            if self.learning_rate is None:  # it hangs on the text, and on the defaults of that time
                config = replace(config, learning_rate=began.settings["learning_rate"])
            settings = self._recorded(config)
            check_changes(settings, began.settings)
            size = checkpoint.parameters.vector_size
            if size != config.vector_size:
                raise FormatError(
                    f"The checkpoint is damaged: its vectors have {size} numbers, and vector_size "
                    f"is {config.vector_size}; begin a new training."
                )
            reached = checkpoint.state.epoch + (checkpoint.state.token > 0)
            if config.epochs < reached:
                raise ParameterError(
                    f"epochs must be at least {reached}, which this training has reached, got "
                    f"{config.epochs}."
                )
            self.phrases_ = folder.read_phrases()
            _check_same_phrases(table_of(self.phrases), self.phrases_)
            cluster = self._open_cluster(stack)
            if cluster is not None:
                X = folder.read_sources() if X is None else X
                corpus = self._read_on(cluster, X, began.vocabulary)
                _check_same("text", corpus, began.fingerprint, folder.path)
            elif X is None and folder.keeps_text:
                corpus = stack.enter_context(folder.open_text(began))
            else:
                X = folder.read_sources() if X is None else X
                corpus = stack.enter_context(
                    self._encode(X, config, self.phrases_, vocabulary=began.vocabulary)
                )
                _check_same("text", corpus, began.fingerprint, folder.path)
            if self.validation is None:
                validation = folder.read_held_out(began)
            elif began.held_out is None:
                raise ParameterError(
                    "This training began without validation text, so that its epochs could not be "
                    "compared; leave it out, or begin a new training."
                )
            else:
                validation = self._encode_validation(began.vocabulary, config)
                _check_same("validation text", validation, began.held_out, folder.path)
            trainer = Trainer(
                corpus,
                config,
                self.progress if cluster is None else cluster.progress,
                held_out=HeldOut(validation, self.early_stopping) if validation else None,
                saving=Saving(
                    folder, replace(began, settings=settings), float(self.checkpoint_every)
                ),
                on_epoch=self.on_epoch,
                engine=None if cluster is None else cluster.engine(config, self.on_epoch),
                parameters=None if cluster is None else checkpoint.parameters,
            )
            trainer.restore(checkpoint)
            self._train(trainer, corpus, validation)
        return self

    def _config(self) -> TrainingConfig:
        """Check every setting; return those of the training."""
        for name in ("progress", "on_epoch"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise ParameterError(
                    f"{name} must be callable or None, got {getattr(self, name)!r}."
                )
        if not isinstance(self.checkpoint, str | os.PathLike | None):
            raise ParameterError(f"checkpoint must be a path or None, got {self.checkpoint!r}.")
        if not isinstance(self.vectors, WordVectors | str | os.PathLike | None):
            raise ParameterError(f"vectors must be WordVectors or a path, got {self.vectors!r}.")
        names = [field.name for field in fields(TrainingConfig)]  # which it checks itself
        for name, setting in self._settings.items():
            if name not in names:
                setting.check(getattr(self, name))
        config = self._training_config()
        check_device(config)
        if "cluster" in self._settings:
            self._check_cluster()
        return config

    def _check_cluster(self) -> None:
        """Refuse what a cluster does not train, and its settings without one."""
        for name in ("nodes", "threads_per_node") if self.cluster is None else ():
            if getattr(self, name) is not None:
                raise ParameterError(
                    f"{name} is of a cluster, got {getattr(self, name)!r} without one; name it "
                    "with cluster, or leave this out."
                )
        if self.cluster is None:
            return
        needed = _ON_A_CLUSTER
        if self.loss == "softmax":
            needed = needed | {"architecture": ("skipgram",)}
        for name, good in needed.items():
            if getattr(self, name) not in good:
                also = f" and loss={self.loss!r}" if name == "architecture" else ""
                raise ParameterError(
                    f"A cluster trains with {name}={' or '.join(map(repr, good))}, got "
                    f"{name}={getattr(self, name)!r}{also}; change it, or leave cluster out."
                )

    def _open_cluster(self, stack: ExitStack) -> Coordinator | None:
        """Connect to the cluster, if there is to be one, until the stack is closed."""
        if self.cluster is None:
            return None
        from wordgrad.cluster import Coordinator, RayMachines

        machines = RayMachines(self.cluster, self.nodes, self.threads_per_node)
        stack.callback(machines.close)
        return Coordinator(machines, self.progress)

    def _read_on(self, cluster: Coordinator, X: Any, words: Vocabulary | None) -> EncodedCorpus:
        """Read the training text on a cluster."""
        return cluster.read(
            X,
            min_count=self.min_count,
            max_vocab=self.max_vocab,
            vocabulary=words,
            column=self.column,
            lowercase=self.lowercase,
            pattern=self.pattern,
            errors=self.errors,
        )

    def _training_config(self) -> TrainingConfig:
        """The settings of the training, checked."""
        names = [field.name for field in fields(TrainingConfig) if field.name in self._settings]
        return TrainingConfig(**{name: getattr(self, name) for name in names})

    def _recorded(self, config: TrainingConfig) -> dict[str, Any]:
        """Settings as plain values for a checkpoint, with no default left open."""
        names = self._settings.keys() - _NOT_RECORDED
        plain = {name: self._settings[name].check(getattr(self, name)) for name in sorted(names)}
        return plain | config.as_dict()

    def _given_vectors(self, config: TrainingConfig) -> WordVectors | None:
        """The vectors to start from, if there are any."""
        if self.vectors is None:
            return None
        given = self.vectors if isinstance(self.vectors, WordVectors) else load(self.vectors)
        if given.vector_size != config.vector_size:
            raise ParameterError(
                f"vectors have {given.vector_size} numbers each and vector_size is "
                f"{config.vector_size}; set vector_size to {given.vector_size}."
            )
        return given

    def _given_vocabulary(self) -> Vocabulary | None:
        """The words to train, if they are given: by falling count, whatever their order."""
        given = self.vocabulary
        if given is None:
            return None
        if isinstance(given, str | os.PathLike):
            return Vocabulary.read(given)
        if isinstance(given, Mapping):
            words, counts = list(given), list(given.values())
        elif isinstance(given, Vocabulary):
            words, counts = given.words, given.counts.tolist()
        else:
            raise ParameterError(
                "vocabulary must be a mapping of words to counts, a Vocabulary or a path, got "
                f"{given!r}."
            )
        for word, count in zip(words, counts, strict=True):
            check_int(f"vocabulary[{word!r}]", count, minimum=1)
        return Vocabulary.from_counts(words, counts)

    def _reading(self, config: TrainingConfig) -> dict[str, Any]:
        """How a text is read, be it the training text or another one."""
        return {
            "column": self.column,
            "lowercase": self.lowercase,
            "pattern": self.pattern,
            "errors": self.errors,
            "workers": config.workers,
        }

    def _encode(
        self,
        X: Any,
        config: TrainingConfig,
        phrases: Any,
        *,
        folder: CheckpointFolder | None = None,
        vocabulary: Vocabulary | None = None,
        grow: bool = False,
    ) -> EncodedCorpus:
        """Encode the training text, in a checkpoint's folder if there is one."""
        return encode_corpus(
            X,
            min_count=self.min_count,
            max_vocab=self.max_vocab,
            vocabulary=vocabulary,
            grow=grow,
            phrases=phrases,
            **self._reading(config),
            progress=self.progress,
            folder=folder.path if folder is not None and folder.keeps_text else None,
            keep_as=TEXT if folder is not None and folder.keeps_text else None,
        )

    def _encode_validation(
        self, vocabulary: Vocabulary, config: TrainingConfig
    ) -> ValidationCorpus:
        """Encode the validation text in the words of the training text."""
        return encode_validation(
            self.validation, vocabulary, phrases=self.phrases_, **self._reading(config)
        )

    def _train(
        self, trainer: Trainer, corpus: EncodedCorpus, validation: ValidationCorpus | None
    ) -> None:
        """Run the training and set the attributes; on Ctrl-C to what was learnt so far."""
        self.report_ = replace(corpus.report, tokens_trained=trainer.tokens_trained)
        if validation is not None:
            self.validation_ = {
                "words": validation.tokens_read,
                "unknown": validation.tokens_unknown,
            }
        try:
            trainer.run()
        except KeyboardInterrupt:
            # W_out is zero until the first step: before, there is nothing to keep.
            if trainer.parameters.W_out_rows.any():
                self._set_vectors(trainer, corpus)
            raise
        self._set_vectors(trainer, corpus)

    def _set_vectors(self, trainer: Trainer, corpus: EncodedCorpus) -> None:
        """Set ``history_`` and ``vectors_``, whose metadata tell how they were made."""
        self.history_ = [
            {name: value for name, value in asdict(record).items() if value is not None}
            for record in trainer.history
        ]
        settings = trainer.config.as_dict() | {
            "min_count": self.min_count,
            "max_vocab": self.max_vocab,
            "lowercase": self.lowercase,
            "pattern": self.pattern,
            "tokens": corpus.vocabulary.total,
        }
        if self.phrases_ is not None:
            settings["phrases"] = len(self.phrases_)
        history = [dict(record) for record in self.history_]
        if trainer.config.reproducible:  # what differs between runs must not be in the file
            del settings["workers"]
            for record in history:
                del record["seconds"]
        W_out: NDArray[np.float32] = trainer.learned.W_out
        engine = trainer.engine
        self.vectors_ = WordVectors(
            corpus.vocabulary.words,
            trainer.vectors,
            counts=corpus.vocabulary.counts,
            metadata={"settings": settings, "history": history},
            outputs=packed(W_out) if self.keep_output else None,
            subwords=engine.subwords(trainer.learned)
            if isinstance(engine, SubwordEngine)
            else None,
        )
        if self.keep_output or trainer.config.loss != "softmax":
            kept = self.vectors_.outputs
            self.output_vectors_ = W_out if kept is None else kept
        elif hasattr(self, "output_vectors_"):
            del self.output_vectors_


def _copy_vectors(
    vectors: WordVectors, words: Sequence[str], rows: Iterable[int], trainer: Trainer
) -> int:
    """Start words, whose rows are given, from vectors; return how many have one."""
    ids = vectors.vocabulary.ids
    found = [(row, ids[word]) for row, word in zip(rows, words, strict=True) if word in ids]
    if not found:
        return 0
    ours, theirs = map(np.array, zip(*found, strict=True))
    values = vectors.matrix[theirs]
    if not np.isfinite(values).all():
        raise InputError("vectors hold a value that is not finite; give an undamaged file.")
    engine, parameters, subwords = trainer.engine, trainer.parameters, vectors.subwords
    if not isinstance(engine, SubwordEngine):
        parameters.W_in[ours] = values
    else:
        if subwords is not None and subwords.kind == engine.ngrams.kind:
            # The rows of a selection of words are numbered as those of all of them were.
            whole = subwords.n_words == len(vectors)
            none = np.empty(0, np.int64)
            engine.take_over(
                parameters, ours if whole else none, subwords, theirs if whole else none
            )
        engine.start_from(parameters, ours, values)
    if vectors.outputs is not None and trainer.config.combine != "concat":
        if not np.isfinite(vectors.outputs).all():
            raise InputError(
                "vectors hold an output vector that is not finite; give an undamaged file."
            )
        _start_outputs(trainer, vectors.outputs, vectors.vocabulary, ours, theirs)
        weight = _output_weight(vectors)
        if weight and not isinstance(engine, SubwordEngine):
            parameters.W_in[ours] -= weight * vectors.outputs[theirs]
    return len(found)


def _start_outputs(
    trainer: Trainer,
    outputs: NDArray[np.float32],
    known: Vocabulary,
    ours: NDArray[np.int64],
    theirs: NDArray[np.int64] | slice = slice(None),
) -> None:
    """Start output vectors from those of a vocabulary: of words, inner nodes of its tree, or both.

    Nodes have no names: they are taken over if the tree is the same, which words and counts make.
    Word ``theirs`` of the known ones is our word ``ours``.
    """
    W_out, V = trainer.parameters.W_out, len(trainer.vocabulary)
    n_nodes = 0 if len(outputs) == len(known) else len(known) - 1
    if n_nodes and trainer.config.has_tree and trainer.vocabulary == known:
        W_out[:n_nodes] = outputs[:n_nodes]
    if len(outputs) >= len(known) and len(W_out) >= V:
        W_out[len(W_out) - V + ours] = outputs[n_nodes:][theirs]


def _output_weight(vectors: WordVectors) -> np.float32:
    """The share of the output vectors in these vectors, by their metadata."""
    settings = vectors.metadata.get("settings")
    weight = settings.get("output_weight") if isinstance(settings, dict) else None
    return np.float32(weight if isinstance(weight, float) and 0 <= weight <= 1 else 0)


def listed_texts(X: Any, column: str | None) -> list[Any]:
    """Texts, each a string or tokens, as a list."""
    texts = X if isinstance(X, bytes) else texts_of(X, column)
    if isinstance(texts, str | bytes | os.PathLike) or not isinstance(texts, Iterable):
        raise ParameterError(
            f"X must be a sequence of texts, got one {type(texts).__name__}; put it in a list."
        )
    return [text if isinstance(text, str) else _tokens(text, i) for i, text in enumerate(texts)]


def _tokens(text: Any, position: int) -> list[str]:
    """A text given as tokens, as a list."""
    tokens = list(text) if isinstance(text, Iterable) and not isinstance(text, bytes) else [text]
    for token in tokens:
        if not isinstance(token, str):
            raise ParameterError(
                f"X must hold strings or lists of tokens, got {token!r} in position {position}; "
                "leave it out or convert it."
            )
    return tokens


def check_changes(now: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Refuse to resume a training with another value of what rules its result."""
    changes = [
        f"{name} is {now.get(name)!r} and was {before.get(name)!r}"
        for name in dict.fromkeys([*before, *now])
        if now.get(name) != before.get(name) and not (name in SETTINGS and SETTINGS[name].resumable)
    ]
    if now.get("early_stopping") is not None and before.get("early_stopping") is None:
        changes.append("early_stopping was not set, so no best epoch was kept")
    if changes:
        raise ParameterError(
            "A training is resumed with the settings that it began with, but "
            f"{'; '.join(changes)}: leave that out, or begin a new training in another folder."
        )


def _check_same_phrases(now: PhraseTable | int | None, before: PhraseTable | None) -> None:
    """Refuse to resume a training with other phrases; a number of passes has made a table."""
    same = before is not None if isinstance(now, int) else now == before
    if not same:
        raise ParameterError(
            "A training is resumed with the phrases that it began with, but phrases are "
            f"{now!r} and were {before!r}; give the same, or begin a new training in another "
            "folder."
        )


def _check_same(
    what: str, text: EncodedCorpus | ValidationCorpus, before: Fingerprint, folder: Path
) -> None:
    """Refuse to resume a training with another text."""
    difference = text.fingerprint().difference(before)
    if difference:
        raise InputError(
            f"The {what} is not the one that this training began with: {difference}; leave it out "
            f"(the folder {folder} keeps it), or begin a new training."
        )
