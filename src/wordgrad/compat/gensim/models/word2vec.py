"""``Word2Vec``: gensim's model over this package's training."""

from __future__ import annotations

import bz2
import gzip
import logging
import os
import re
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial, wraps
from itertools import chain, count, islice, pairwise
from pathlib import Path
from types import GeneratorType
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from wordgrad.compat.gensim.models.callbacks import CallbackAny2Vec
from wordgrad.compat.gensim.models.keyedvectors import (
    REAL,
    KeyedVectors,
    pseudorandom_weak_vector,
)
from wordgrad.compat.gensim.saving import Saveable
from wordgrad.corpus.corpus import EncodedCorpus, encode_corpus
from wordgrad.corpus.documents import Documents, TagReader
from wordgrad.corpus.word_table import IDS_AT_ONCE, WordTable
from wordgrad.errors import InputError, ParameterError
from wordgrad.training.config import BOTH, HIERARCHICAL, TrainingConfig
from wordgrad.training.kernels.huffman import HuffmanTree
from wordgrad.training.parameters import Parameters
from wordgrad.training.trainer import EpochHook, LiveModel, Trainer
from wordgrad.vocabulary import Vocabulary
from wordgrad.word2vec import Word2Vec as Estimator
from wordgrad.word_vectors import WordVectors

logger = logging.getLogger(__name__)
MAX_WORDS_IN_BATCH = 10000
RULE_DEFAULT, RULE_DISCARD, RULE_KEEP = 0, 1, 2
TrimRule = Callable[[Any, int, int], int]

SENTENCES_AT_ONCE = 10_000
WHITE_SPACE = b" \t\n\v\f\r\x1c\x1d\x1e\x1f"
WIDE_SPACE = re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
"""Endings of files that would be read as tables, and are text in gensim."""

RENAMED = {
    "size": "vector_size",
    "iter": "epochs",
    "most_similar": "wv.most_similar",
    "most_similar_cosmul": "wv.most_similar_cosmul",
    "similar_by_word": "wv.similar_by_word",
    "similar_by_vector": "wv.similar_by_vector",
    "similarity": "wv.similarity",
    "n_similarity": "wv.n_similarity",
    "doesnt_match": "wv.doesnt_match",
    "wmdistance": "wv.wmdistance",
    "accuracy": "wv.evaluate_word_analogies",
    "evaluate_word_pairs": "wv.evaluate_word_pairs",
    "evaluate_word_analogies": "wv.evaluate_word_analogies",
    "vocab": "wv.key_to_index",
    "index2word": "wv.index_to_key",
    "syn0": "wv.vectors",
    "syn0norm": "wv.get_normed_vectors()",
    "vocabulary": "the model itself",
    "trainables": "the model itself",
    "docvecs": "dv",
    "load_word2vec_format": "KeyedVectors.load_word2vec_format",
    "save_word2vec_format": "wv.save_word2vec_format",
    "delete_temporary_training_data": "nothing: there are no such data",
}
"""Arguments and attributes of gensim 3, and what gensim 4 has in their place."""


class LineSentence:
    """Sentences of a file, one a line, split at white space.

    Parameters
    ----------
    source : path or file
        May be compressed with gzip or bzip2.
    max_sentence_length : int
        Longer ones are cut.
    limit : int, optional
        Lines to read.
    """

    def __init__(
        self,
        source: Any,
        max_sentence_length: int = MAX_WORDS_IN_BATCH,
        limit: int | None = None,
    ) -> None:
        self.source, self.limit = source, limit
        self.max_sentence_length = max_sentence_length

    def __iter__(self) -> Iterator[list[str]]:
        if hasattr(self.source, "seek"):
            self.source.seek(0)
            yield from self._sentences(self.source)
        else:
            with _opened(self.source) as file:
                yield from self._sentences(file)

    def _sentences(self, lines: Iterable[bytes | str]) -> Iterator[list[str]]:
        for line in islice(lines, self.limit):
            words = (line.decode("utf-8") if isinstance(line, bytes) else line).split()
            yield from _pieces(words, self.max_sentence_length)


class PathLineSentences(LineSentence):
    """Sentences of all files of a folder, by their names, or of one file; see LineSentence."""

    def __init__(
        self,
        source: str | os.PathLike[str],
        max_sentence_length: int = MAX_WORDS_IN_BATCH,
        limit: int | None = None,
    ) -> None:
        super().__init__(source, max_sentence_length, limit)
        path = Path(source)
        if not path.exists():
            raise ValueError(f"input is neither a file nor a path: {path}")
        files = [path] if path.is_file() else sorted(one for one in path.iterdir())
        self.input_files = [str(one) for one in files if one.is_file()]

    def __iter__(self) -> Iterator[list[str]]:
        for path in self.input_files:
            yield from LineSentence(path, self.max_sentence_length, self.limit)


class Text8Corpus:
    """Words of a file without line ends, such as text8, as sentences of one length."""

    def __init__(
        self, fname: str | os.PathLike[str], max_sentence_length: int = MAX_WORDS_IN_BATCH
    ) -> None:
        self.fname, self.max_sentence_length = fname, max_sentence_length

    def __iter__(self) -> Iterator[list[str]]:
        words: list[str] = []
        rest = b""
        with _opened(self.fname) as file:
            while block := file.read(1 << 20):
                head, space, tail = (rest + block).rpartition(b" ")
                words += head.decode("utf-8").split()
                rest = tail if space else rest + block
                whole = len(words) - len(words) % self.max_sentence_length
                yield from _pieces(words[:whole], self.max_sentence_length)
                words = words[whole:]
        yield from _pieces(words + rest.decode("utf-8").split(), self.max_sentence_length)


class BrownCorpus:
    """Sentences of the files of a folder with the Brown corpus, words as ``word/TAG``."""

    def __init__(self, dirname: str | os.PathLike[str]) -> None:
        self.dirname = dirname

    def __iter__(self) -> Iterator[list[str]]:
        for path in sorted(Path(self.dirname).iterdir()):
            for words in LineSentence(path) if path.is_file() else ():
                pairs = [word.split("/") for word in words]
                found = [f"{pair[0].lower()}/{pair[1][:2]}" for pair in pairs if _is_word(pair)]
                if found:
                    yield found


def _is_word(pair: list[str]) -> bool:
    """Whether a word of the Brown corpus has a tag, and is no punctuation."""
    return len(pair) == 2 and pair[1][:2].isalpha()


def _opened(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a file, its compression undone as its name tells."""
    opener: Any = {".gz": gzip.open, ".bz2": bz2.open}.get(Path(path).suffix, open)
    file: IO[bytes] = opener(path, "rb")
    return file


def _pieces(words: list[str], length: int) -> Iterator[list[str]]:
    for start in range(0, len(words), length):
        yield words[start : start + length]


# ---------------------------------------------------------------- text to ids


@dataclass(frozen=True)
class Text:
    """A text as ids, and how much was read.

    Attributes
    ----------
    keys : list
        Its words, any hashable objects.
    ids : int32 (T,)
        Rows of ``keys``, -1 for a word that is not among them.
    offsets : int64 (S + 1,)
        Sentence ``s`` is ``ids[offsets[s]:offsets[s + 1]]``.
    sentences, words : int
        Of the text, with those that ``ids`` leaves out.
    numbers : int64 (S,)
        Which sentence of the text, from 0, each of ``offsets`` is.
    """

    keys: list[Any]
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    sentences: int
    words: int
    numbers: NDArray[np.int64]

    @classmethod
    def read(
        cls,
        sentences: Iterable[Sequence[Any]],
        rows: Mapping[Any, int] | None = None,
        what: str = "'sentences' item",
    ) -> Text:
        """Read sentences once, in the rows of given keys, or numbering keys as they come."""
        lengths: list[int] = [0]
        source = iter(sentences)
        with Numbering() as numbering:
            while chunk := list(islice(source, SENTENCES_AT_ONCE)):
                if len(lengths) == 1 and isinstance(chunk[0], str):
                    logger.warning(
                        "Each %s should be a list of words (usually unicode strings). First item "
                        "here is instead plain %s.",
                        what,
                        type(chunk[0]),
                    )
                sizes = list(map(len, chunk))
                numbering.add(chunk, sizes)
                lengths += sizes
            keys, ids = numbering.result()
        offsets, n = np.cumsum(np.array(lengths)), len(lengths) - 1
        made = cls(keys, ids, offsets, n, len(ids), np.arange(n))
        return made if rows is None else made.in_rows(rows)

    @classmethod
    def read_file(cls, path: str | os.PathLike[str], vocabulary: Vocabulary | None = None) -> Text:
        """Read a file of one sentence a line, split at white space."""
        rows = None
        if vocabulary is not None:
            rows = {word: row for row, word in enumerate(vocabulary.words)}
        if Path(path).suffix not in TABLES:
            try:
                with encode_corpus(
                    Path(path), min_count=0, vocabulary=vocabulary, tags=TagReader()
                ) as corpus:
                    documents = cast(Documents, corpus.documents)
                    return cls(
                        list(corpus.vocabulary.words),
                        np.array(corpus.ids),
                        np.array(corpus.offsets),
                        corpus.report.sentences_read,
                        corpus.report.tokens_read,
                        documents.rows.astype(np.int64),
                    )
            except (InputError, ParameterError):  # less than that reader wants, and gensim does not
                pass
        return cls.read(LineSentence(path), rows)

    def counted(self) -> dict[Any, int]:
        """Occurrences of every key."""
        numbers = np.bincount(self.ids, minlength=len(self.keys)).tolist()
        return dict(zip(self.keys, numbers, strict=True))

    def in_rows(self, rows: Mapping[Any, int]) -> Text:
        """Return the same text in the rows of other keys."""
        table = np.array([rows.get(key, -1) for key in self.keys] + [-1], np.int32)
        return replace(self, keys=list(rows), ids=table[self.ids])

    def corpus(self, vocabulary: Vocabulary) -> EncodedCorpus:
        """Return what training reads: the words that have a row."""
        known = self.ids >= 0
        if known.all():
            return EncodedCorpus.in_memory(self.ids, _rising(self.offsets), vocabulary)
        ends = np.concatenate([[0], np.cumsum(known)])[self.offsets]
        return EncodedCorpus.in_memory(self.ids[known], _rising(ends), vocabulary)


def _rising(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Offsets without those of empty sentences; the last one ends the text."""
    rising = np.concatenate([[True], offsets[1:] > offsets[:-1]])
    return cast(NDArray[np.int64], offsets[rising])


class Numbering:
    """Numbers the words of sentences, any hashable objects, in the order in which they come.

    A thread of its own numbers strings with the compiled table that numbers the words of files.
    From the first sentences on that hold anything else, or strings that are empty or with white
    space inside, a dictionary does.
    """

    def __init__(self) -> None:
        self._table = WordTable(count(0, IDS_AT_ONCE).__next__)
        self._pool = ThreadPoolExecutor(1)
        self._pending: deque[tuple[list[Sequence[Any]], int, Future[NDArray[np.uint32]]]] = deque()
        self._ids: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
        self._numbers: dict[Any, int] | None = None

    def __enter__(self) -> Numbering:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown()

    def add(self, sentences: list[Sequence[Any]], sizes: list[int]) -> None:
        """Number the words of more sentences, of which each has so many."""
        n = sum(sizes)
        text = None if self._numbers is not None else _joined(sentences, sizes)
        if text is not None:
            future = self._pool.submit(self._table.number_text, text)
            self._pending.append((sentences, n, future))
        self._settle(0 if text is None else 1)
        if text is None:
            self._look_up(sentences, n)

    def result(self) -> tuple[list[Any], NDArray[np.int32]]:
        """Words by number, and the number of every word that was added."""
        self._settle(0)
        keys = self._words() if self._numbers is None else list(self._numbers)
        return keys, np.concatenate(self._ids)

    def _settle(self, most: int) -> None:
        """Wait until no more than so many pieces of text are with the table."""
        while len(self._pending) > most:
            sentences, n, future = self._pending.popleft()
            found = future.result()
            found = found[found != 0]  # the ends of sentences
            if len(found) == n:
                self._ids.append(found.astype(np.int32) - 1)
            else:  # a string is empty
                self._look_up(sentences, n)

    def _look_up(self, sentences: list[Sequence[Any]], n: int) -> None:
        if self._numbers is None:
            for _, _, future in self._pending:
                future.result()
            words = self._words()
            self._numbers = defaultdict(count(len(words)).__next__, zip(words, count()))
        tokens = map(self._numbers.__getitem__, chain.from_iterable(sentences))
        self._ids.append(np.fromiter(tokens, np.int32, n))

    def _words(self) -> list[str]:
        words, ids, _ = self._table.words()
        return words.at(np.argsort(ids))


def _joined(sentences: list[Sequence[Any]], sizes: list[int]) -> bytes | None:
    """Words and sentences separated by white space; None if they are no strings, or hold some."""
    try:
        text = "\n".join(map(" ".join, sentences))
        data = text.encode()
    except (TypeError, UnicodeEncodeError):
        return None
    separators = sum(sizes) - np.count_nonzero(sizes) + len(sizes) - 1
    if len(data.translate(None, WHITE_SPACE)) + separators != len(data):
        return None
    return None if not text.isascii() and WIDE_SPACE.search(text) else data


# ---------------------------------------------------------------- the model


class OnClass:
    """A method of a class that its objects do not have."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is not None:
            raise AttributeError(self._function.__name__)  # and __getattr__ of the class says why
        return partial(self._function, owner)


def gensim_3_arguments(function: Any) -> Any:
    """Let a function tell what the arguments of gensim 3 are called in gensim 4."""

    @wraps(function)
    def checked(*arguments: Any, **options: Any) -> Any:
        for name in ("size", "iter", "sentences_file", "docvecs"):
            if name in options:
                raise TypeError(
                    f"The argument {name} was renamed in gensim 4; use "
                    f"{RENAMED.get(name, 'corpus_file')}."
                )
        return function(*arguments, **options)

    return checked


class Word2Vec(Saveable):
    """gensim's ``Word2Vec``, trained by :class:`wordgrad.training.trainer.Trainer`.

    Arguments, defaults and attributes are gensim's; ``hashfxn``, ``batch_words`` and ``comment``
    are kept and change nothing.  A text is read once for each call, not once an epoch, and a
    sentence may have any length.  :attr:`wv` and :attr:`syn1neg` are the matrices that training
    changes, also while callbacks run.

    Parameters
    ----------
    sentences : iterable of lists of words, optional
        A word is any hashable object.
    corpus_file : path, optional
        A file of one sentence a line, read many times as fast.
    vector_size, alpha, window, min_count, sample, seed, workers, min_alpha, negative, ns_exponent,
    epochs, shrink_windows
        See :class:`wordgrad.Word2Vec`; ``alpha`` and ``min_alpha`` are the learning rates at the
        start and at the end.
    sg : {0, 1}
        1 is skip-gram, 0 CBOW.
    hs : {0, 1}
        Hierarchical softmax, also beside negative sampling.
    cbow_mean : {0, 1}
        1: CBOW takes the mean of a context, and hands its gradient undivided to every word, as
        word2vec.c does; 0: the sum.
    max_vocab_size : int, optional
        While words are counted, rare ones are dropped whenever there are more.
    max_final_vocab : int, optional
        Raise ``min_count`` until at most so many words are left.
    trim_rule : callable, optional
        Given word, count and ``min_count`` it returns ``RULE_KEEP``, ``RULE_DISCARD`` or
        ``RULE_DEFAULT``.
    sorted_vocab : {0, 1}
        Number words by falling count.
    null_word : {0, 1}
        Add a word of one NUL character.
    compute_loss : bool
        Add the loss up for :meth:`get_latest_training_loss`.
    callbacks : iterable of CallbackAny2Vec

    Examples
    --------
    >>> text = [["tea", "cup"], ["tea", "pot"]] * 50
    >>> model = Word2Vec(text, vector_size=8, min_count=1, sample=0, alpha=0.1)
    >>> model.wv.index_to_key[0], model.wv["cup"].shape
    ('tea', (8,))
    """

    _unsaved = frozenset({"_parameters", "cum_table"})
    wv: KeyedVectors
    syn1: NDArray[np.float32]
    syn1neg: NDArray[np.float32]
    _parameters: Parameters | None = None

    @gensim_3_arguments
    def __init__(
        self,
        sentences: Iterable[Sequence[Any]] | None = None,
        corpus_file: str | os.PathLike[str] | None = None,
        vector_size: int = 100,
        alpha: float = 0.025,
        window: int = 5,
        min_count: int = 5,
        max_vocab_size: int | None = None,
        sample: float = 1e-3,
        seed: int = 1,
        workers: int = 3,
        min_alpha: float = 0.0001,
        sg: int = 0,
        hs: int = 0,
        negative: int = 5,
        ns_exponent: float = 0.75,
        cbow_mean: int = 1,
        hashfxn: Any = hash,
        epochs: int = 5,
        null_word: int = 0,
        trim_rule: TrimRule | None = None,
        sorted_vocab: int = 1,
        batch_words: int = MAX_WORDS_IN_BATCH,
        compute_loss: bool = False,
        callbacks: Iterable[CallbackAny2Vec] = (),
        comment: str | None = None,
        max_final_vocab: int | None = None,
        shrink_windows: bool = True,
    ) -> None:
        self.vector_size = self.layer1_size = int(vector_size)
        self.alpha, self.min_alpha = float(alpha), float(min_alpha)
        self.window, self.shrink_windows = int(window), bool(shrink_windows)
        self.min_count = self.effective_min_count = min_count
        self.max_vocab_size, self.max_final_vocab = max_vocab_size, max_final_vocab
        self.sample, self.seed, self.workers = sample, seed, int(workers)
        self.sg, self.hs, self.negative = int(sg), int(hs), int(negative)
        self.ns_exponent, self.cbow_mean = ns_exponent, int(cbow_mean)
        self.hashfxn, self.batch_words, self.comment = hashfxn, int(batch_words), comment
        self.epochs, self.null_word, self.sorted_vocab = epochs, int(null_word), int(sorted_vocab)
        self.compute_loss, self.running_training_loss = bool(compute_loss), 0.0
        self.min_alpha_yet_reached = self.alpha
        self.corpus_count, self.corpus_total_words = 0, 0
        self.train_count, self.total_train_time = 0, 0.0
        self.raw_vocab: dict[Any, int] = {}
        self.lifecycle_events: list[dict[str, Any]] = []
        if not hasattr(self, "wv"):  # a subclass makes its own
            self.wv = KeyedVectors(self.vector_size)
        if not self.hs and not self.negative:
            raise ValueError(
                "You must set either 'hs' or 'negative' to be positive for proper training."
            )
        if self.hs and self.negative:
            logger.warning(
                "Both hierarchical softmax and negative sampling are activated. This is probably a "
                "mistake. You should set either 'hs=0' or 'negative=0' to disable one of them."
            )
        if sentences is None and corpus_file is None:
            if trim_rule is not None:
                logger.warning(
                    "trim_rule is of no effect without sentences; give it to build_vocab"
                )
        else:
            self._check_corpus(sentences, corpus_file, passes=epochs + 1)
            text = self._scanned(sentences, corpus_file, trim_rule)
            self._build(text, trim_rule=trim_rule)
            self._train(
                text.in_rows(self.wv.key_to_index),
                total_examples=self.corpus_count,
                epochs=self.epochs,
                start_alpha=self.alpha,
                end_alpha=self.min_alpha,
                compute_loss=self.compute_loss,
                callbacks=callbacks,
            )
        self.add_lifecycle_event("created", params=str(self))

    def __str__(self) -> str:
        return (
            f"{type(self).__name__}<vocab={len(self.wv.index_to_key)}, "
            f"vector_size={self.wv.vector_size}, alpha={self.alpha}>"
        )

    def __getattr__(self, name: str) -> Any:
        if name == "load":
            kind = type(self).__name__
            raise AttributeError(f"load is a method of the class: call {kind}.load.")
        if name in RENAMED:
            raise AttributeError(f"{name} is gensim 3's; in gensim 4 it is {RENAMED[name]}.")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getitem__(self, key: Any) -> Any:
        raise TypeError(f"a model has no items since gensim 4; use model.wv[{key!r}].")

    def __contains__(self, key: Any) -> bool:
        raise TypeError(f"a model has no items since gensim 4; use {key!r} in model.wv.")

    def __getstate__(self) -> dict[str, Any]:
        return self._state()

    # ---------------------------------------------------------------- vocabulary

    def _check_corpus(self, corpus_iterable: Any, corpus_file: Any, passes: int = 1) -> None:
        """Refuse what cannot be read, with gensim's errors."""
        if corpus_file is None and corpus_iterable is None:
            raise TypeError("Either one of corpus_file or corpus_iterable value must be provided")
        if corpus_file is not None and corpus_iterable is not None:
            raise TypeError(
                "Both corpus_file and corpus_iterable must not be provided at the same time"
            )
        if corpus_file is not None and not os.path.isfile(corpus_file):
            raise TypeError(
                f"Parameter corpus_file must be a valid path to a file, got {corpus_file!r} instead"
            )
        if corpus_iterable is not None and not isinstance(corpus_iterable, Iterable):
            raise TypeError(
                "The corpus_iterable must be an iterable of lists of strings, got "
                f"{corpus_iterable!r} instead"
            )
        if isinstance(corpus_iterable, GeneratorType) and passes > 1:
            raise TypeError(
                f"Using a generator as corpus_iterable can't support {passes} passes. Try a "
                "re-iterable sequence."
            )

    def _read(self, corpus_iterable: Any, corpus_file: Any, *, known: bool = False) -> Text:
        """Read a text, in the rows of the words that are ``known``."""
        if corpus_file is None:
            return Text.read(corpus_iterable, self.wv.key_to_index if known else None)
        return Text.read_file(corpus_file, self._vocabulary() if known else None)

    def _scanned(
        self, corpus_iterable: Any, corpus_file: Any, trim_rule: TrimRule | None = None
    ) -> Text:
        """Read a text and set :attr:`raw_vocab` and what was counted."""
        text = self._read(corpus_iterable, corpus_file)
        self.raw_vocab = text.counted()
        if self.max_vocab_size is not None and len(self.raw_vocab) > self.max_vocab_size:
            self.raw_vocab = self._pruned(text, trim_rule)
        self.corpus_count, self.corpus_total_words = text.sentences, text.words
        return text

    def _pruned(self, text: Text, trim_rule: TrimRule | None) -> dict[Any, int]:
        """Count words again, dropping rare ones after every sentence that leaves too many."""
        counts: dict[Any, int] = {}
        least = 1
        ids, offsets = text.ids.tolist(), text.offsets.tolist()
        for start, stop in pairwise(offsets):
            for row in ids[start:stop]:
                key = text.keys[row]
                counts[key] = counts.get(key, 0) + 1
            if len(counts) > int(self.max_vocab_size or 0):
                counts = {
                    key: n for key, n in counts.items() if keep_word(key, n, least, trim_rule)
                }
                least += 1
        return counts

    def scan_vocab(
        self,
        corpus_iterable: Any = None,
        corpus_file: Any = None,
        progress_per: int = 10000,
        workers: int | None = None,
        trim_rule: TrimRule | None = None,
    ) -> tuple[int, int]:
        """Count words; return how many there are, and how many sentences."""
        self._check_corpus(corpus_iterable, corpus_file)
        text = self._scanned(corpus_iterable, corpus_file, trim_rule)
        return text.words, text.sentences

    def build_vocab(
        self,
        corpus_iterable: Any = None,
        corpus_file: Any = None,
        update: bool = False,
        progress_per: int = 10000,
        keep_raw_vocab: bool = False,
        trim_rule: TrimRule | None = None,
        **kwargs: Any,
    ) -> None:
        """Choose the words of a text, and make their vectors; with ``update`` add words."""
        self._check_corpus(corpus_iterable, corpus_file)
        text = self._scanned(corpus_iterable, corpus_file, trim_rule)
        self._build(text, update=update, keep_raw_vocab=keep_raw_vocab, trim_rule=trim_rule)

    def _build(self, text: Text, *, update: bool = False, **options: Any) -> None:
        report = self.prepare_vocab(update=update, **options)
        report["memory"] = self.estimate_memory(report["num_retained_words"])
        self.prepare_weights(update=update)
        self.add_lifecycle_event("build_vocab", update=update, trim_rule=str(options["trim_rule"]))

    def build_vocab_from_freq(
        self,
        word_freq: Mapping[Any, int],
        keep_raw_vocab: bool = False,
        corpus_count: int | None = None,
        trim_rule: TrimRule | None = None,
        update: bool = False,
    ) -> None:
        """Choose words of a table of counts, and make their vectors."""
        self.raw_vocab = dict(word_freq)
        self.corpus_count, self.corpus_total_words = corpus_count or 0, sum(word_freq.values())
        self.prepare_vocab(update=update, keep_raw_vocab=keep_raw_vocab, trim_rule=trim_rule)
        self.prepare_weights(update=update)

    def prepare_vocab(
        self,
        update: bool = False,
        keep_raw_vocab: bool = False,
        trim_rule: TrimRule | None = None,
        min_count: int | None = None,
        sample: float | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Choose words of those that were counted; report how many, and what subsampling leaves.

        With ``dry_run`` nothing is changed.
        """
        min_count = min_count or self.min_count
        sample = self.sample if sample is None else sample
        effective = min_count
        if self.max_final_vocab is not None and len(self.raw_vocab) > self.max_final_vocab:
            falling = sorted(self.raw_vocab.values(), reverse=True)
            effective = max(falling[self.max_final_vocab] + 1, min_count)
        self.effective_min_count = effective
        counted = self.raw_vocab.items()
        if trim_rule is None:
            kept = {key: number for key, number in counted if number >= effective}
        else:
            kept = {
                key: number
                for key, number in counted
                if keep_word(key, number, effective, trim_rule)
            }
        if not dry_run:
            self.min_count, self.sample = min_count, sample
            self._hold(kept, update=update)
        counts = np.fromiter(kept.values(), np.float64, len(kept))
        total = int(counts.sum())
        threshold = self._threshold(sample, total)
        likely = (
            np.minimum(1.0, (np.sqrt(counts / threshold) + 1) * (threshold / counts))
            if threshold and total
            else np.ones(len(counts))
        )
        report = {
            "drop_unique": len(self.raw_vocab) - len(kept),
            "retain_total": total,
            "downsample_unique": int((likely < 1).sum()),
            "downsample_total": int((likely * counts).sum()),
            "num_retained_words": len(kept),
        }
        if not dry_run and not keep_raw_vocab:
            self.raw_vocab = {}
        return report

    @staticmethod
    def _threshold(sample: float | None, total: int) -> float:
        """Subsampling threshold as a count; ``sample`` from 1 on is one."""
        if not sample:
            return 0.0
        return sample * total if sample < 1 else int(sample * (3 + 5**0.5) / 2)

    def _hold(self, kept: Mapping[Any, int], *, update: bool) -> None:
        """Give words rows, and add up their counts."""
        wv = self.wv
        if not update:
            wv.index_to_key, wv.key_to_index, wv.expandos = [], {}, {}
        for key in kept:
            if key not in wv.key_to_index:
                wv.key_to_index[key] = len(wv.index_to_key)
                wv.index_to_key.append(key)
        wv.next_index = len(wv.index_to_key)
        wv.allocate_vecattrs(["count"], [np.int64])
        rows = [wv.key_to_index[key] for key in kept]
        wv.expandos["count"][rows] += np.fromiter(kept.values(), np.int64, len(kept))
        if update:
            return
        wv.vectors = np.zeros((0, self.vector_size), REAL)
        if self.sorted_vocab:
            wv.sort_by_descending_frequency()
        if self.null_word:
            self.add_null_word()

    def add_null_word(self) -> None:
        """Add the word of one NUL character in the first row, before there are vectors."""
        wv = self.wv
        wv.index_to_key.insert(0, "\0")
        wv.key_to_index = {key: row for row, key in enumerate(wv.index_to_key)}
        wv.expandos["count"] = np.concatenate([[1], wv.expandos["count"]])
        wv.next_index += 1

    def estimate_memory(
        self, vocab_size: int | None = None, report: dict[str, int] | None = None
    ) -> dict[str, int]:
        """Return an estimate of the bytes that the model takes, by parts."""
        words = vocab_size or len(self.wv)
        matrix = words * self.vector_size * REAL().itemsize
        report = {} if report is None else report
        report |= {"vocab": words * 500, "vectors": matrix}
        report |= {"syn1neg": matrix} if self.negative else {}
        report |= {"syn1": matrix} if self.hs else {}
        report["total"] = sum(number for name, number in report.items() if name != "total")
        return report

    # ---------------------------------------------------------------- weights

    def prepare_weights(self, update: bool = False) -> None:
        """Make vectors for words that have none; all of them, unless it is an ``update``."""
        self.update_weights() if update else self.init_weights()

    def init_weights(self) -> None:
        """Begin anew: small random vectors, and output vectors that are zero."""
        self.wv.vectors = np.zeros((0, self.vector_size), REAL)
        self.wv.resize_vectors(seed=self.seed)
        for name in self._outputs():
            setattr(self, name, np.zeros((len(self.wv), self.layer1_size), REAL))
        self._make_tree()

    def update_weights(self) -> None:
        """Make vectors for words that were added.

        Raises
        ------
        RuntimeError
            If there were no words before.
        """
        before = len(self.wv.vectors)
        if not before:
            raise RuntimeError(
                "You cannot do an online vocabulary-update of a model which has no prior "
                "vocabulary. First build the vocabulary of your model with a corpus before doing "
                "an online update."
            )
        self.wv.resize_vectors(seed=self.seed)
        added = np.zeros((len(self.wv) - before, self.layer1_size), REAL)
        for name in self._outputs():
            setattr(self, name, np.vstack([getattr(self, name), added]))
        self._make_tree()

    def _make_tree(self) -> None:
        if self.hs and len(self.wv) > 1:
            self.create_binary_tree()

    def create_binary_tree(self) -> None:
        """Set the path of every word in the Huffman tree: turns as ``code``, nodes as ``point``."""
        tree, wv = HuffmanTree.from_counts(np.maximum(self.wv.expandos["count"], 1)), self.wv
        for name, values in (("code", tree.turns), ("point", tree.nodes)):
            wv.allocate_vecattrs([name], [object])
            for row, (start, stop) in enumerate(pairwise(tree.offsets.tolist())):
                wv.expandos[name][row] = values[start:stop]

    @property
    def cum_table(self) -> Any:
        """Cumulated shares of the noise words, of 2^31 - 1, uint32 (V,)."""
        shares = self.wv.expandos["count"].astype(np.float64) ** self.ns_exponent
        whole = np.cumsum(shares) / max(shares.sum(), 1e-300)
        return np.round(whole * (2**31 - 1)).astype(np.uint32)

    def make_cum_table(self, domain: int = 2**31 - 1) -> None:
        """Do nothing: :attr:`cum_table` is made when it is asked for."""

    def seeded_vector(self, seed_string: str, vector_size: int) -> NDArray[np.float32]:
        """Small random numbers, the same for the same string."""
        return pseudorandom_weak_vector(vector_size, seed_string, self.hashfxn)

    def reset_from(self, other_model: Word2Vec) -> None:
        """Take the words and counts of another model, and begin anew."""
        other = other_model.wv
        self.wv.index_to_key, self.wv.key_to_index = other.index_to_key, other.key_to_index
        self.wv.next_index = len(other)
        self.wv.expandos = {name: values.copy() for name, values in other.expandos.items()}
        self.corpus_count = other_model.corpus_count
        self.init_weights()

    # ---------------------------------------------------------------- training

    def train(
        self,
        corpus_iterable: Any = None,
        corpus_file: Any = None,
        total_examples: int | None = None,
        total_words: int | None = None,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
        word_count: int = 0,
        queue_factor: int = 2,
        report_delay: float = 1.0,
        compute_loss: bool = False,
        callbacks: Iterable[CallbackAny2Vec] = (),
        **kwargs: Any,
    ) -> tuple[int, int]:
        """Train on a text, going on with the vectors that are there.

        The learning rate falls over the text that is given, whatever ``total_examples`` and
        ``total_words`` say; one of them must be given, as in gensim.

        Returns
        -------
        trained, raw
            Words after subsampling (the expected number) and before, of all epochs.

        Raises
        ------
        RuntimeError
            If there is no vocabulary yet.
        ValueError
            If ``epochs``, or both totals, are not given.
        """
        self._check_corpus(corpus_iterable, corpus_file, passes=epochs or 1)
        self._check_training(total_examples, total_words, epochs, start_alpha)
        text = self._read(corpus_iterable, corpus_file, known=True)
        return self._train(
            text,
            total_examples=total_examples,
            total_words=total_words,
            epochs=epochs,
            start_alpha=start_alpha,
            end_alpha=end_alpha,
            compute_loss=compute_loss,
            callbacks=callbacks,
        )

    def _check_training(
        self,
        total_examples: int | None,
        total_words: int | None,
        epochs: int | None,
        start_alpha: float | None,
    ) -> None:
        if (start_alpha or self.alpha) > self.min_alpha_yet_reached:
            logger.warning("Effective 'alpha' higher than previous training cycles")
        if not self.wv.key_to_index:
            raise RuntimeError("you must first build vocabulary before training the model")
        if not len(self.wv.vectors):
            raise RuntimeError("you must initialize vectors before training the model")
        if total_words is None and total_examples is None:
            raise ValueError(
                "You must specify either total_examples or total_words, for proper learning-rate "
                "and progress calculations. The usual value is total_examples=model.corpus_count."
            )
        if epochs is None or epochs <= 0:
            raise ValueError(
                "You must specify an explicit epochs count. The usual value is epochs=model.epochs."
            )

    def _train(
        self,
        text: Text,
        *,
        total_examples: int | None = None,
        total_words: int | None = None,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
        compute_loss: bool = False,
        callbacks: Iterable[CallbackAny2Vec] = (),
    ) -> tuple[int, int]:
        self._check_training(total_examples, total_words, epochs, start_alpha)
        self.alpha, self.min_alpha = start_alpha or self.alpha, end_alpha or self.min_alpha
        self.epochs = epochs = int(epochs or 0)
        self.compute_loss, self.running_training_loss = bool(compute_loss), 0.0
        callbacks, began = list(callbacks), time.perf_counter()
        for callback in callbacks:
            callback.on_train_begin(self)
        trained = self._run(text, epochs, callbacks)
        self.train_count += 1
        self.total_train_time += time.perf_counter() - began
        self.min_alpha_yet_reached = min(self.min_alpha_yet_reached, self.min_alpha)
        for callback in callbacks:
            callback.on_train_end(self)
        self.add_lifecycle_event("train", words=text.words, epochs=epochs)
        return trained, text.words * epochs

    def _vocabulary(self) -> Vocabulary:
        """The words as training has them: by row, and by number where they are no strings."""
        keys = self.wv.index_to_key
        if set(map(type, keys)) != {str}:
            keys = [str(row) for row in range(len(keys))]
        return Vocabulary.from_words(keys, np.maximum(self.wv.expandos["count"], 1))

    def _run(self, text: Text, epochs: int, callbacks: Sequence[CallbackAny2Vec]) -> int:
        """Train; return how many words subsampling left."""
        corpus = self._corpus(text)
        if len(self.wv) < 2 or not len(corpus.ids):
            logger.warning("There is nothing to train on: no text of two known words")
            return 0

        def between_epochs(live: LiveModel) -> None:
            if live.epoch > 0 and self.compute_loss:
                record = live.history[-1]
                self.running_training_loss += record.loss * record.pairs
            if not callbacks:
                return
            self._take(trainer)
            if live.epoch > 0:
                for callback in callbacks:
                    callback.on_epoch_end(self)
            if live.epoch < live.epochs:
                for callback in callbacks:
                    callback.on_epoch_begin(self)
            self._give(trainer)

        config = TrainingConfig(**self._settings(epochs, corpus.vocabulary.total))
        trainer = self._trainer(corpus, config, between_epochs)
        try:
            trainer.run()
        finally:
            self._take(trainer)
        return int(trainer.tokens_trained * epochs)

    def _settings(self, epochs: int, total: int) -> dict[str, Any]:
        """Return the settings in the words of this package."""
        tree = BOTH if self.negative else HIERARCHICAL
        return {
            "loss": tree if self.hs else "negative-sampling",
            "vector_size": self.vector_size,
            "window": self.window,
            "shrink_windows": self.shrink_windows,
            "architecture": "skipgram" if self.sg else "cbow",
            "negative": max(1, self.negative),
            "ns_exponent": self.ns_exponent,
            "sample": self._threshold(self.sample, total) / total,
            "epochs": epochs,
            "learning_rate": self.alpha,
            "final_learning_rate": self.min_alpha,
            "combine": "mean" if self.cbow_mean else "sum",
            "cbow_step": "exact" if self.sg else "whole",
            "workers": max(1, self.workers),
            # Another training with the same text must not draw the same windows again.
            "seed": self.seed + self.train_count,
        }

    def _corpus(self, text: Text) -> EncodedCorpus:
        """What training reads of a text."""
        return text.corpus(self._vocabulary())

    def _inputs(self) -> list[KeyedVectors]:
        """Vectors that are rows of ``W_in``, in their order."""
        return [self.wv]

    def _outputs(self) -> dict[str, int]:
        """Matrices that are rows of ``W_out``, by name in their order, and how many rows."""
        V = len(self.wv)
        nodes = {"syn1": V - 1} if self.hs else {}
        return nodes | ({"syn1neg": V} if self.negative else {})

    def _trainer(self, corpus: EncodedCorpus, config: TrainingConfig, hook: EpochHook) -> Trainer:
        """What trains the model's matrices."""
        parameters = self._matrices()
        factors = [
            lock_factors("vectors_lockf", kv.vectors_lockf, len(kv.vectors))
            for kv in self._inputs()
        ]
        locked = any((one != 1).any() for one in factors)
        return Trainer(
            corpus,
            config,
            parameters=parameters,
            on_epoch=hook,
            input_steps=np.concatenate(factors) if locked else None,
        )

    def _matrices(self) -> Parameters:
        """Return the matrices as training has them, and the model's own are views of them then."""
        inputs = self._inputs()
        n_inputs = sum(len(kv.vectors) for kv in inputs)
        n_outputs = sum(self._outputs().values())
        mine = self._parameters
        if mine is None or (mine.n_inputs, mine.n_outputs) != (n_inputs, n_outputs):
            mine = self._parameters = Parameters.zeros(n_inputs, n_outputs, self.vector_size)
        row = 0
        for kv in inputs:
            rows = mine.W_in[row : row + len(kv.vectors)]
            if not _same_memory(rows, kv._matrix):
                rows[:] = kv._matrix
                kv.vectors = rows
            row += len(rows)
        self._share_outputs(mine)
        return mine

    def _share_outputs(self, parameters: Parameters) -> None:
        """Let ``W_out`` begin with the output vectors, and these be views of it where they can."""
        row = 0
        for name, n_rows in self._outputs().items():
            rows, matrix = parameters.W_out[row : row + n_rows], self.__dict__.get(name)
            if matrix is None:
                raise ValueError(f"The model has no output vectors ({name}); train one that has.")
            if not _same_memory(rows, matrix):
                rows[:] = np.reshape(matrix, (-1, self.vector_size))[:n_rows]
                if matrix.shape == rows.shape:
                    setattr(self, name, rows)
            row += n_rows

    def _take(self, trainer: Trainer) -> None:
        """Take what training learned, where the model's matrices are no views of it."""
        for kv in self._inputs():
            kv._forget()
        row = 0
        for name, n_rows in self._outputs().items():
            rows, matrix = trainer.parameters.W_out[row : row + n_rows], getattr(self, name)
            if not _same_memory(rows, matrix):
                np.reshape(matrix, (-1, self.vector_size))[:n_rows] = rows
            row += n_rows

    def _give(self, trainer: Trainer) -> None:
        """Let training go on with what callbacks wrote, where it is no view of the matrices."""

    def get_latest_training_loss(self) -> float:
        """Sum of the losses of all pairs (of CBOW: windows) of the last training."""
        return self.running_training_loss

    def init_sims(self, replace: bool = False) -> None:
        """Do what ``wv.init_sims`` does."""
        self.wv.init_sims(replace)

    # ---------------------------------------------------------------- what the model predicts

    def predict_output_word(
        self, context_words_list: Sequence[Any], topn: int = 10
    ) -> list[tuple[Any, float]] | None:
        """Words with their probabilities in the middle of a context, by negative sampling's scores.

        Returns
        -------
        list of (word, probability), or None if no word of the context is known

        Raises
        ------
        RuntimeError
            If the model has no output vectors of negative sampling.
        """
        if not self.negative:
            raise RuntimeError(
                "We have currently only implemented predict_output_word for the negative sampling "
                "scheme, so you need to have run word2vec with negative > 0 for this to work."
            )
        if not hasattr(self, "syn1neg"):
            raise RuntimeError("Parameters required for predicting the output words not found.")
        rows = [self.wv.get_index(word) for word in context_words_list if word in self.wv]
        if not rows:
            logger.warning("All the input context words are out-of-vocabulary for the model.")
            return None
        hidden = self.wv.vectors[rows].sum(axis=0, dtype=np.float64)
        scores = self.syn1neg @ (hidden / len(rows) if self.cbow_mean else hidden)
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        best = np.argsort(-shares, kind="stable")[:topn].tolist()
        return [(self.wv.index_to_key[row], float(shares[row])) for row in best]

    def score(
        self,
        sentences: Iterable[Sequence[Any]],
        total_sentences: int = int(1e6),
        chunksize: int = 100,
        queue_factor: int = 2,
        report_delay: float = 1,
    ) -> NDArray[np.float32]:
        """Log probabilities of sentences, by the hierarchical softmax.

        Raises
        ------
        RuntimeError
            If the model was not trained with it.
        """
        if not self.hs:
            raise RuntimeError(
                "We have currently only implemented score for the hierarchical softmax scheme, so "
                "you need to have run word2vec with hs=1 and negative=0 for this to work."
            )
        vocabulary, rows = self._vocabulary(), self.wv.key_to_index
        names = vocabulary.words
        settings = self._settings(self.epochs, vocabulary.total)
        model = Estimator()
        model.phrases_ = None
        model.vectors_ = WordVectors(
            names, self.wv.vectors, vocabulary.counts, {"settings": settings}
        )
        model.output_vectors_ = self.syn1[: len(names) - 1]
        texts = [[names[rows[word]] for word in words if word in rows]
                 for words in islice(sentences, total_sentences)]  # fmt: skip
        return model.score_samples(texts).astype(REAL)

    # ---------------------------------------------------------------- files

    @OnClass
    def load(cls: Any, *args: Any, rethrow: bool = False, **kwargs: Any) -> Any:  # noqa: N805
        """Open a file that ``save`` wrote.

        Raises
        ------
        AttributeError
            If it holds an object of another class, which the message names.
        FormatError
            If it is a pickle, of another kind, or damaged.
        """
        return cls._load(*args)

    def _restored(self) -> None:
        self.hashfxn = hash
        if self.__dict__.get("wv") is None or not isinstance(self.wv, KeyedVectors):
            raise ValueError("a model without vectors")
        for name in self._outputs():
            output = self.__dict__.get(name)
            if output is not None and np.shape(output) != (len(self.wv.vectors), self.layer1_size):
                raise ValueError("output vectors of another shape")
        self._make_tree()


def _same_memory(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return a.shape == b.shape and a.strides == b.strides and a.ctypes.data == b.ctypes.data


def lock_factors(name: str, factors: Any, n: int) -> NDArray[np.float32]:
    """What the steps on each of ``n`` rows are multiplied by, float32 (n,).

    Raises
    ------
    ValueError
        If they are not numbers from 0 to 1, one for each row or one for all.
    """
    given = np.asarray(factors, REAL)
    if given.shape not in ((1,), (n,)) or not ((given >= 0) & (given <= 1)).all():
        raise ValueError(
            f"{name} must hold a number from 0 to 1 for each of the {n} rows, or one for all, got "
            f"{factors!r}."
        )
    return np.broadcast_to(given, n)


def keep_word(word: Any, count: int, min_count: int, trim_rule: TrimRule | None = None) -> bool:
    """Whether a word stays, by a rule or by ``min_count``."""
    verdict = RULE_DEFAULT if trim_rule is None else trim_rule(word, count, min_count)
    return verdict == RULE_KEEP or (verdict == RULE_DEFAULT and count >= min_count)
