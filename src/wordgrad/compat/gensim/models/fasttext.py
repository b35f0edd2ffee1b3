"""fastText's models by gensim's names: known words, and any other from its character n-grams."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from wordgrad.compat.gensim.models.callbacks import CallbackAny2Vec
from wordgrad.compat.gensim.models.keyedvectors import REAL, KeyedVectors, prep_vectors
from wordgrad.compat.gensim.models.word2vec import (
    MAX_WORDS_IN_BATCH,
    TrimRule,
    Word2Vec,
    gensim_3_arguments,
    lock_factors,
)
from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.errors import ParameterError
from wordgrad.files import atomic_write
from wordgrad.io.fasttext_model import (
    CBOW,
    HIERARCHICAL_SOFTMAX,
    NEGATIVE_SAMPLING,
    SKIP_GRAM,
    SUPERVISED,
    VERSIONS,
    DenseMatrix,
    Dictionary,
    FastTextModel,
    Settings,
    read_model,
    write_to,
)
from wordgrad.subwords import SharedRows, Subwords, ngram_hashes
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.subwords import SubwordEngine
from wordgrad.training.trainer import EpochHook, Trainer

logger = logging.getLogger(__name__)


class FastTextKeyedVectors(KeyedVectors):
    """Words with vectors, and n-grams that give every other word one.

    Rows of n-grams that no word ever had are zero, so that they take memory only once they are
    used, and no part in the vectors of unseen words.

    Parameters
    ----------
    vector_size : int
    min_n, max_n : int
        Characters of the shortest and the longest n-gram.
    bucket : int
        N-grams are told apart by their hash modulo this number; 0 for none.
    count, dtype
        See :class:`KeyedVectors`.

    Attributes
    ----------
    vectors_vocab : float32 (V, D)
        Rows of the words alone, without their n-grams.
    vectors_ngrams : float32 (bucket, D), or None if there are none yet
        Rows of the n-grams.  After a change to either, :meth:`adjust_vectors` makes the words'
        vectors anew.
    vectors_vocab_lockf, vectors_ngrams_lockf : float32 (1,), or one for each row
        What training's steps on each row are multiplied by, 0 to 1.

    Examples
    --------
    >>> kv = FastTextKeyedVectors(2, min_n=3, max_n=6, bucket=10)
    >>> kv.vectors_ngrams = np.arange(20).reshape(10, 2)
    >>> "never seen" in kv, kv["never seen"].shape, kv.get_index("never seen", -1)
    (True, (2,), -1)
    """

    compatible_hash = True
    _unsaved = KeyedVectors._unsaved | {"_factors"}
    _factors: NDArray[np.float32] | None = None

    def __init__(
        self,
        vector_size: int,
        min_n: int,
        max_n: int,
        bucket: int,
        count: int = 0,
        dtype: DTypeLike = REAL,
    ) -> None:
        super().__init__(vector_size, count, dtype)
        self.min_n, self.max_n, self.bucket = int(min_n), int(max_n), int(bucket)
        self.vectors_vocab_lockf = np.ones(1, REAL)
        self.vectors_ngrams_lockf = np.ones(1, REAL)
        self._vectors_vocab = np.zeros((count, self.vector_size), dtype)
        self._vectors_ngrams: NDArray[Any] | None = None
        self._opened: Subwords | None = None

    # ---------------------------------------------------------------- rows of words and n-grams

    @property
    def vectors_vocab(self) -> NDArray[Any]:
        """Rows of the words alone."""
        if not self.bucket:  # then a word is its row
            return self.vectors
        self._own()
        return self._vectors_vocab

    @vectors_vocab.setter
    def vectors_vocab(self, rows: ArrayLike) -> None:
        self._own()
        self._vectors_vocab = self._checked("vectors_vocab", rows, len(self))

    @property
    def vectors_ngrams(self) -> NDArray[Any] | None:
        """Rows of the n-grams."""
        self._own()
        return self._vectors_ngrams if self.bucket else np.zeros((0, self.vector_size), REAL)

    @vectors_ngrams.setter
    def vectors_ngrams(self, rows: ArrayLike | None) -> None:
        self._own()
        checked = None if rows is None else self._checked("vectors_ngrams", rows, self.bucket)
        self._vectors_ngrams = checked

    def _checked(self, name: str, rows: ArrayLike, n: int) -> NDArray[Any]:
        matrix = np.asarray(rows, REAL)
        if matrix.shape != (n, self.vector_size):
            raise ParameterError(
                f"{name} must have shape {(n, self.vector_size)}, got {matrix.shape}."
            )
        return matrix

    def _own(self) -> None:
        """Take the rows out of the file that they were opened from, to be changed here."""
        opened = self._opened
        if opened is None:
            return
        stored = opened.stored()
        V = stored.n_words
        self._vectors_vocab = stored.rows(np.arange(V))
        self._vectors_ngrams = np.zeros((self.bucket, self.vector_size), REAL)
        self._vectors_ngrams[stored.buckets] = stored.rows(V + stored.buckets)
        self._opened = None

    @property
    def _subwords(self) -> Subwords | None:
        """What composes a word's vector, if there are n-grams."""
        if self._opened is not None or self._vectors_ngrams is None:
            return self._opened
        table = _Parts(self._vectors_vocab, self._vectors_ngrams)
        kind = self.min_n, self.max_n, self.bucket
        return Subwords(table, len(self._vectors_vocab), *kind)

    @property
    def buckets_word(self) -> list[NDArray[np.uint32]]:
        """Rows of the n-grams of each word, uint32; made when asked for."""
        owners, rows = self._ngrams()
        ends = np.cumsum(np.bincount(owners, minlength=len(self)))
        return np.split(rows.astype(np.uint32), ends[:-1]) if len(self) else []

    def _ngrams(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Word and bucket of every n-gram of the words."""
        if not self.bucket:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        owners, hashes = ngram_hashes(self.index_to_key, self.min_n, self.max_n)
        return owners, hashes % self.bucket

    def recalc_char_ngram_buckets(self) -> None:
        """Do nothing: :attr:`buckets_word` is made when it is asked for."""

    def resize_vectors(self, seed: int = 0) -> None:
        """Make as many rows as there are words, and those of their n-grams; small and random."""
        if not self.bucket:
            super().resize_vectors(seed)
            return
        self._own()
        shape = (len(self), self.vector_size)
        self._vectors_vocab = prep_vectors(shape, self._vectors_vocab, seed)
        if self._vectors_ngrams is None:
            self._vectors_ngrams = np.zeros((self.bucket, self.vector_size), REAL)
        used = np.unique(self._ngrams()[1])
        new = used[~self._vectors_ngrams[used].any(axis=1)]
        self._vectors_ngrams[new] = prep_vectors((len(new), self.vector_size), seed=seed + 1)
        self.allocate_vecattrs()
        self.adjust_vectors()

    def adjust_vectors(self) -> None:
        """Compose the words' vectors of their rows and those of their n-grams."""
        subwords = self._subwords
        if subwords is None:
            return
        vectors = subwords.compose(self.index_to_key, np.arange(len(self)))
        if self._matrix.shape == vectors.shape:
            self._matrix[:] = vectors
            self._forget()
        else:
            self.vectors = vectors

    # ---------------------------------------------------------------- look up

    def __contains__(self, key: object) -> bool:
        """Whether there is a vector, which every string has where there are n-grams."""
        return self.has_index_for(key) or (isinstance(key, str) and self._composes)

    @property
    def _composes(self) -> bool:
        return self.bucket > 0 and (self._opened is not None or self._vectors_ngrams is not None)

    def get_vector(self, key: Any, norm: bool = False) -> NDArray[Any]:
        """Vector of a word, read-only, composed of its n-grams if it is not known.

        Raises
        ------
        KeyError
            If it is not known, and there are no n-grams.
        """
        if key not in self or self.has_index_for(key):
            return super().get_vector(key, norm)
        vector = cast(Subwords, self._subwords).vector(key)
        if vector is None:
            logger.warning("could not extract any ngrams from %r, returning origin vector", key)
            vector = np.zeros(self.vector_size, REAL)
        length = np.linalg.norm(vector)
        vector = vector / length if norm and length > 0 else vector
        vector.setflags(write=False)
        return vector

    def get_sentence_vector(self, sentence: Sequence[str]) -> NDArray[np.float32]:
        """Mean of the unit vectors of some words."""
        return self.get_mean_vector(sentence)

    # ---------------------------------------------------------------- training

    def _parts_of(self, engine: SubwordEngine) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of the words, then of their n-grams: the row of ``W_in`` that each is a part of.

        Returns
        -------
        rows : int64 (V + B,)
        buckets : int64 (B,)
        """
        ngrams = engine.ngrams
        rows = np.concatenate([np.arange(len(ngrams.sizes)), ngrams.bucket_rows.astype(np.int64)])
        return rows, ngrams.buckets.astype(np.int64)

    def _give(self, engine: SubwordEngine, W_in: NDArray[np.float32]) -> None:
        """Set rows of ``W_in`` to the sums of their parts."""
        from scipy.sparse import csr_array  # a quarter of a second to import

        rows, buckets = self._parts_of(engine)
        ngrams = cast(NDArray[Any], self._vectors_ngrams)
        parts = np.concatenate([self._vectors_vocab, ngrams[buckets]])
        ones, columns = np.ones(len(rows), REAL), np.arange(len(rows))
        W_in[:] = csr_array((ones, (rows, columns)), shape=(len(W_in), len(rows))) @ parts

    def _lock(self, engine: SubwordEngine) -> None:
        """Slow the steps on rows down, by the mean of the factors of their parts."""
        V = len(self._vectors_vocab)
        words = lock_factors("vectors_vocab_lockf", self.vectors_vocab_lockf, V)
        ngrams = lock_factors("vectors_ngrams_lockf", self.vectors_ngrams_lockf, self.bucket)
        self._factors = None
        if (words != 1).any() or (ngrams != 1).any():
            rows, buckets = self._parts_of(engine)
            self._factors = np.concatenate([words, ngrams[buckets]])
            total = np.bincount(rows, self._factors, minlength=engine.n_inputs)
            engine.set_input_steps(total / engine.ngrams.multiplicity)

    def _take_changes(self, engine: SubwordEngine, changes: NDArray[np.float32]) -> None:
        """Add to each part its share of what was added to the row that it is a part of."""
        rows, buckets = self._parts_of(engine)
        parts = engine.ngrams.multiplicity
        if self._factors is not None:
            parts = np.bincount(rows, self._factors, minlength=engine.n_inputs).astype(REAL)
        shares = (changes / np.maximum(parts, 1e-30)[:, None])[rows]
        if self._factors is not None:
            shares *= self._factors[:, None]
        V = len(self._vectors_vocab)
        self._vectors_vocab += shares[:V]
        cast(NDArray[Any], self._vectors_ngrams)[buckets] += shares[V:]

    # ---------------------------------------------------------------- files

    def _kept(self) -> list[Any] | None:
        """The rows of words, and those of n-grams that are not zero, as a file keeps them."""
        if self._opened is not None:
            stored = self._opened.stored()
        elif self._vectors_ngrams is None:
            return None
        else:
            V, used = len(self._vectors_vocab), np.flatnonzero(self._vectors_ngrams.any(axis=1))
            stored = SharedRows(
                np.concatenate([self._vectors_vocab, self._vectors_ngrams[used]]), V, self.bucket,
                used.astype(np.int32), (V + np.arange(len(used))).astype(np.int32),
                np.ones(V + len(used), REAL),
            )  # fmt: skip
        return [
            stored.values, stored.n_words, stored.bucket, stored.buckets, stored.bucket_rows,
            stored.multiplicity,
        ]  # fmt: skip

    def _without_rows(self, state: dict[str, Any]) -> dict[str, Any]:
        rows = {"_opened": None, "_vectors_ngrams": None, "_stored": self._kept()}
        if rows["_stored"] is not None:
            rows["_vectors_vocab"] = None
        return state | rows

    def _state(self) -> dict[str, Any]:
        return self._without_rows(super()._state())

    def __getstate__(self) -> dict[str, Any]:
        return self._without_rows(super().__getstate__())

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        super().__setstate__(state)
        self._open_stored()

    def _open_stored(self) -> None:
        stored = self.__dict__.pop("_stored", None)
        self._opened = None
        if stored is not None:
            table = SharedRows(*stored)
            kind = self.min_n, self.max_n, self.bucket
            self._opened = Subwords(table, table.n_words, *kind)

    def _restored(self) -> None:
        super()._restored()
        for name in ("_buckets_word", "buckets_word", "compatible_hash"):  # of gensim's objects
            self.__dict__.pop(name, None)
        self._open_stored()


@dataclass(frozen=True)
class _Parts:
    """Rows of words, followed by those of n-grams."""

    words: NDArray[Any]
    ngrams: NDArray[Any]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.words) + len(self.ngrams), self.ngrams.shape[1]

    def rows(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return rows ``ids`` as float32 (n, D)."""
        numbers = np.asarray(ids, dtype=np.int64)
        own = numbers < len(self.words)
        found = np.empty((len(numbers), self.ngrams.shape[1]), REAL)
        found[own] = self.words[numbers[own]]
        found[~own] = self.ngrams[numbers[~own] - len(self.words)]
        return found


class FastText(Word2Vec):
    """gensim's ``FastText``; see :class:`Word2Vec` for what is the same.

    The vector of a word is the mean of its own row and of those of its character n-grams, each of
    which takes the whole step of the word's vector, as in fastText.

    Parameters
    ----------
    sentences, corpus_file, sg, hs, vector_size, alpha, window, min_count, max_vocab_size, sample,
    seed, workers, min_alpha, negative, ns_exponent, cbow_mean, hashfxn, epochs, null_word,
    sorted_vocab, trim_rule, batch_words, callbacks, max_final_vocab, shrink_windows
        As :class:`Word2Vec` has them; a word is a string here.
    word_ngrams : 1
        gensim offers no other.
    min_n, max_n : int
        Characters of the shortest and the longest n-gram; none with ``max_n`` below ``min_n``.
    bucket : int
        N-grams are told apart by their hash modulo this number; 0 for none.

    Attributes
    ----------
    wv : FastTextKeyedVectors

    Examples
    --------
    >>> text = [["tea", "cup"], ["tea", "pot"]] * 50
    >>> model = FastText(text, vector_size=8, min_count=1, sample=0, bucket=1000)
    >>> model.wv["teacup"].shape, "teacup" in model.wv.key_to_index
    ((8,), False)
    """

    wv: FastTextKeyedVectors
    _rows_before: NDArray[np.float32]
    _unsaved = Word2Vec._unsaved | {"_rows_before"}

    @gensim_3_arguments
    def __init__(
        self,
        sentences: Iterable[Sequence[str]] | None = None,
        corpus_file: str | os.PathLike[str] | None = None,
        sg: int = 0,
        hs: int = 0,
        vector_size: int = 100,
        alpha: float = 0.025,
        window: int = 5,
        min_count: int = 5,
        max_vocab_size: int | None = None,
        word_ngrams: int = 1,
        sample: float = 1e-3,
        seed: int = 1,
        workers: int = 3,
        min_alpha: float = 0.0001,
        negative: int = 5,
        ns_exponent: float = 0.75,
        cbow_mean: int = 1,
        hashfxn: Any = hash,
        epochs: int = 5,
        null_word: int = 0,
        min_n: int = 3,
        max_n: int = 6,
        sorted_vocab: int = 1,
        bucket: int = 2_000_000,
        trim_rule: TrimRule | None = None,
        batch_words: int = MAX_WORDS_IN_BATCH,
        callbacks: Iterable[CallbackAny2Vec] = (),
        max_final_vocab: int | None = None,
        shrink_windows: bool = True,
    ) -> None:
        if word_ngrams != 1:
            raise NotImplementedError(
                f"word_ngrams must be 1, as in gensim, got {word_ngrams}; join words before with "
                "Phrases."
            )
        self.word_ngrams = word_ngrams
        self.wv = FastTextKeyedVectors(vector_size, min_n, max_n, bucket if max_n >= min_n else 0)
        super().__init__(
            sentences=sentences, corpus_file=corpus_file, vector_size=vector_size, alpha=alpha,
            window=window, min_count=min_count, max_vocab_size=max_vocab_size, sample=sample,
            seed=seed, workers=workers, min_alpha=min_alpha, sg=sg, hs=hs, negative=negative,
            ns_exponent=ns_exponent, cbow_mean=cbow_mean, hashfxn=hashfxn, epochs=epochs,
            null_word=null_word, trim_rule=trim_rule, sorted_vocab=sorted_vocab,
            batch_words=batch_words, callbacks=callbacks, max_final_vocab=max_final_vocab,
            shrink_windows=shrink_windows,
        )  # fmt: skip

    # ---------------------------------------------------------------- vocabulary and weights

    def _hold(self, kept: Mapping[Any, int], *, update: bool) -> None:
        for key in kept:
            if not isinstance(key, str):
                raise TypeError(
                    f"FastText reads the characters of its words, so that they must be strings, "
                    f"got {key!r}; make them strings, or use Word2Vec."
                )
        super()._hold(kept, update=update)

    def init_weights(self) -> None:
        """Begin anew: small random rows of words and n-grams, and output vectors that are zero."""
        self.wv._opened = self.wv._vectors_ngrams = None
        self.wv._vectors_vocab = np.zeros((0, self.vector_size), REAL)
        super().init_weights()

    def estimate_memory(
        self, vocab_size: int | None = None, report: dict[str, int] | None = None
    ) -> dict[str, int]:
        """Return an estimate of the bytes that the model takes, by parts."""
        V, bucket = len(self.wv), self.wv.bucket
        row = self.vector_size * REAL().itemsize
        report = {} if report is None else report
        report |= {"vocab": V * (700 if self.hs else 500), "syn0_vocab": V * row}
        report |= {"syn1": V * row} if self.hs else {}
        report |= {"syn1neg": V * row} if self.negative else {}
        if bucket:
            ngrams = len(self.wv._ngrams()[0])
            report |= {"syn0_ngrams": bucket * row, "buckets_word": 64 + 100 * V + 4 * ngrams}
        report["total"] = sum(number for name, number in report.items() if name != "total")
        return report

    # ---------------------------------------------------------------- training

    def _settings(self, epochs: int, total: int) -> dict[str, Any]:
        wv = self.wv
        ngrams = {"subwords": (wv.min_n, wv.max_n), "buckets": wv.bucket} if wv.bucket else {}
        return super()._settings(epochs, total) | ngrams

    def _trainer(self, corpus: EncodedCorpus, config: TrainingConfig, hook: EpochHook) -> Trainer:
        if config.subwords is None:
            return super()._trainer(corpus, config, hook)
        if len(self.wv.vectors_vocab) != len(self.wv):
            raise ValueError(
                f"The model has rows for {len(self.wv.vectors_vocab)} of its {len(self.wv)} words; "
                "add words with build_vocab(update=True)."
            )
        trainer = Trainer(corpus, config, on_epoch=hook)
        self.wv._lock(cast(SubwordEngine, trainer.engine))
        self._share_outputs(trainer.parameters)
        self._give(trainer)
        return trainer

    def _give(self, trainer: Trainer) -> None:
        if isinstance(trainer.engine, SubwordEngine):
            self.wv._give(trainer.engine, trainer.parameters.W_in)
            self._rows_before = trainer.parameters.W_in.copy()

    def _take(self, trainer: Trainer) -> None:
        super()._take(trainer)
        engine, parameters = trainer.engine, trainer.parameters
        if isinstance(engine, SubwordEngine):
            self.wv._take_changes(engine, parameters.W_in - self._rows_before)
            self._rows_before = parameters.W_in.copy()
            self.wv.adjust_vectors()

    # ---------------------------------------------------------------- files

    @classmethod
    def load_fasttext_format(
        cls, model_file: str | os.PathLike[str], encoding: str = "utf8"
    ) -> FastText:
        """Do what :func:`load_facebook_model` does."""
        warnings.warn(
            "load_fasttext_format is gensim 3's; use load_facebook_model or load_facebook_vectors.",
            DeprecationWarning,
            stacklevel=2,
        )
        model: FastText = load_facebook_model(model_file, encoding)
        return model


def load_facebook_model(path: str | os.PathLike[str], encoding: str = "utf-8") -> FastText:
    """Open a model of fastText, ``.bin``, to train on.

    Raises
    ------
    NotImplementedError
        If it is a classifier.
    ParameterError
        If the encoding is not UTF-8, which is what fastText writes.
    InputError, FormatError
        If the file cannot be opened, or is no whole model of fastText.
    """
    file, words = _opened(path, encoding)
    given = file.settings
    bucket = given.bucket if given.maxn > 0 else 0
    model: FastText = FastText(
        vector_size=given.dim, window=given.ws, epochs=given.epoch, negative=given.neg,
        hs=int(given.loss == HIERARCHICAL_SOFTMAX), sg=int(given.model == SKIP_GRAM),
        bucket=bucket, min_count=given.min_count, sample=given.t, min_n=given.minn,
        max_n=given.maxn,
    )  # fmt: skip
    model.wv = _vectors(file, words)
    model.corpus_total_words = file.n_tokens
    V = len(words)
    for name in model._outputs():
        setattr(model, name, np.zeros((V, given.dim), REAL))
    if file.output is not None:
        outputs = file.output.rows(np.arange(V))
        if model.hs:
            model.syn1 = -outputs  # the turns of its tree are counted the other way round
        else:
            model.syn1neg = outputs
    model._make_tree()
    model.add_lifecycle_event("load_fasttext_format", file=str(path))
    return model


def load_facebook_vectors(
    path: str | os.PathLike[str], encoding: str = "utf-8"
) -> FastTextKeyedVectors:
    """Open the vectors of a model of fastText; rows of n-grams stay mapped in the file.

    Raises what :func:`load_facebook_model` does.
    """
    return _vectors(*_opened(path, encoding))


def save_facebook_model(
    model: FastText,
    path: str | os.PathLike[str],
    encoding: str = "utf-8",
    lr_update_rate: int = 100,
    word_ngrams: int = 1,
) -> None:
    """Write a model as fastText does, ``.bin``; an existing file is replaced.

    fastText has one output matrix: of a model with ``hs=1`` it is that of the tree.

    Raises
    ------
    ParameterError
        If the encoding is not UTF-8, or ``word_ngrams`` not 1.
    OutputError
        If the file cannot be written.
    """
    _check_encoding(encoding)
    if word_ngrams != 1:
        raise ParameterError(
            f"word_ngrams must be 1 in a model of word vectors, got {word_ngrams}; leave it out."
        )
    wv, V = model.wv, len(model.wv)
    names = [word.encode("utf-8", "surrogateescape") for word in wv.index_to_key]
    offsets = np.concatenate([[0], np.cumsum([len(name) for name in names])]).astype(np.int64)
    dictionary = Dictionary(b"".join(names), offsets, wv.expandos["count"].astype(np.int64))
    settings = Settings(
        dim=model.vector_size, ws=model.window, epoch=model.epochs,
        min_count=model.min_count, neg=model.negative, word_ngrams=word_ngrams,
        loss=HIERARCHICAL_SOFTMAX if model.hs else NEGATIVE_SAMPLING,
        model=SKIP_GRAM if model.sg else CBOW, bucket=wv.bucket, minn=wv.min_n,
        maxn=wv.max_n if wv.bucket else 0, lr_update_rate=lr_update_rate,
        t=float(model.sample or 0.0),
    )  # fmt: skip
    ngrams = cast(NDArray[Any], wv.vectors_ngrams)
    outputs = DenseMatrix(-model.syn1 if model.hs else model.syn1neg)
    written = FastTextModel(
        path=None, version=VERSIONS[-1], settings=settings, n_words=V, n_labels=0,
        n_tokens=int(model.corpus_total_words), pruned=None,
        input=DenseMatrix(wv.vectors), output=outputs, read_dictionary=lambda: dictionary,
    )  # fmt: skip
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        write_to(file, written, _Parts(wv.vectors_vocab, ngrams), outputs)


def _opened(path: str | os.PathLike[str], encoding: str) -> tuple[FastTextModel, list[str]]:
    """A model of word vectors, and its words, whose bytes that are not UTF-8 are escaped."""
    _check_encoding(encoding)
    file = read_model(Path(path))
    if file.settings.model == SUPERVISED:
        raise NotImplementedError(
            f"{path} is a classifier of fastText, and no set of word vectors; open it with "
            "wordgrad.FastTextClassifier.load."
        )
    words = [name.decode("utf-8", "backslashreplace") for name in file.words]
    return file, words


def _vectors(file: FastTextModel, words: list[str]) -> FastTextKeyedVectors:
    given = file.settings
    bucket = given.bucket if given.maxn > 0 else 0
    kind = given.minn, given.maxn, bucket
    subwords = Subwords(file.input, len(words), *kind, file.pruned)
    made = FastTextKeyedVectors(given.dim, *kind)
    made._take(words, subwords.compose(file.words, np.arange(len(words))))
    made._opened = subwords if bucket else None
    made.expandos["count"] = np.array(file.counts[: len(words)])
    return made


def _check_encoding(encoding: str) -> None:
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        raise ParameterError(f"fastText writes UTF-8, got encoding={encoding!r}; leave it out.")
