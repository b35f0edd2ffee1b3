"""``Doc2Vec``: gensim's model of documents over this package's training."""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordgrad.compat.gensim.models.callbacks import CallbackAny2Vec
from wordgrad.compat.gensim.models.keyedvectors import (
    KeyedVectors,
    prep_vectors,
    pseudorandom_weak_vector,
)
from wordgrad.compat.gensim.models.word2vec import (
    BrownCorpus,
    LineSentence,
    Text,
    TrimRule,
    Word2Vec,
    gensim_3_arguments,
)
from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.corpus.documents import Documents, number_words
from wordgrad.search.exact import unit
from wordgrad.training.config import TrainingConfig
from wordgrad.training.inference import Inference
from wordgrad.training.trainer import Trainer

logger = logging.getLogger(__name__)
OTHER_SEED = 7919  # documents must not start where words do


class TaggedDocument(NamedTuple):
    """A document: its words, and tags that its vector is asked for by."""

    words: Sequence[Any]
    tags: Sequence[Any]


class TaggedLineDocument:
    """Documents of a file, one a line, with the number of the line from 0 as tag."""

    def __init__(self, source: Any) -> None:
        self.source = source

    def __iter__(self) -> Iterator[TaggedDocument]:
        for number, words in enumerate(LineSentence(self.source, max_sentence_length=1 << 40)):
            yield TaggedDocument(words, [number])


class TaggedBrownCorpus:
    """Documents of the Brown corpus, one a line, tagged by the line's number from 0."""

    def __init__(self, dirname: str | os.PathLike[str]) -> None:
        self.dirname = dirname

    def __iter__(self) -> Iterator[TaggedDocument]:
        for number, words in enumerate(BrownCorpus(self.dirname)):
            yield TaggedDocument(words, [number])


@dataclass(frozen=True)
class TaggedText(Text):
    """A text as ids, and the tags of its documents.

    Attributes
    ----------
    tags : list of sequences, or None
        Of every sentence; None if the tag of the i-th is ``numbers[i]``.
    """

    tags: list[Sequence[Any]] | None

    def tags_of(self, document: int) -> Sequence[Any]:
        """Tags of one document; a string is one tag.

        Raises
        ------
        TypeError
            If one is not hashable.
        """
        if self.tags is None:
            return [int(self.numbers[document])]
        found = self.tags[document]
        if isinstance(found, str | int | np.integer):
            return [found]
        for tag in found:
            try:
                hash(tag)
            except TypeError:
                raise TypeError(
                    f"Tags must be hashable, and {tag!r} of document {document} is of type "
                    f"{type(tag).__name__}; give a string or an integer, and several in one list."
                ) from None
        return found


class Doc2Vec(Word2Vec):
    """gensim's ``Doc2Vec``; see :class:`Word2Vec` for what is the same.

    Parameters
    ----------
    documents : iterable of TaggedDocument, optional
        An integer tag is a row of :attr:`dv`; strings follow the largest.
    corpus_file : path, optional
        A file of one document a line, whose tags are their numbers from 0.
    vector_size : int
    dm_mean : {0, 1}, optional
        With ``dm``: the mean (by default) or the sum of the vectors of a document and a context.
    dm : {0, 1}
        1 is distributed memory, 0 distributed bag of words.
    dbow_words : {0, 1}
        Train words, too, by skip-gram, where ``dm`` is 0.
    dm_concat : {0, 1}
        With ``dm``: the vectors side by side.
    dm_tag_count : int
        Tags a document with ``dm_concat``; 1 alone is offered.  gensim passes over documents that
        have another number of tags in silence, here they are an error.
    dv : KeyedVectors, optional
        Of a class of one's own.
    window, epochs, shrink_windows, callbacks, trim_rule, comment, **kwargs
        As :class:`Word2Vec` has them.

    Attributes
    ----------
    dv : KeyedVectors
        Vectors of the tags, with how many documents have each (``doc_count``).

    Examples
    --------
    >>> texts = [TaggedDocument(["sun", "beach"], ["travel"]), TaggedDocument(["tax"], ["money"])]
    >>> model = Doc2Vec(texts * 50, vector_size=8, min_count=1, sample=0, dm=0)
    >>> model.dv.index_to_key, model.dv["travel"].shape, model.infer_vector(["sun"]).shape
    (['travel', 'money'], (8,), (8,))
    """

    _unsaved = Word2Vec._unsaved | {"_inference"}
    _inference: Inference | None = None
    dv: KeyedVectors

    @gensim_3_arguments
    def __init__(
        self,
        documents: Iterable[Any] | None = None,
        corpus_file: str | os.PathLike[str] | None = None,
        vector_size: int = 100,
        dm_mean: int | None = None,
        dm: int = 1,
        dbow_words: int = 0,
        dm_concat: int = 0,
        dm_tag_count: int = 1,
        dv: KeyedVectors | None = None,
        dv_mapfile: object = None,
        comment: str | None = None,
        trim_rule: TrimRule | None = None,
        callbacks: Iterable[CallbackAny2Vec] = (),
        window: int = 5,
        epochs: int = 10,
        shrink_windows: bool = True,
        **kwargs: Any,
    ) -> None:
        self.dbow_words, self.dm_concat = int(dbow_words), int(dm_concat)
        self.dm_tag_count = int(dm_tag_count)
        if self.dm_concat and self.dm_tag_count != 1:
            raise ValueError(
                f"dm_concat=1 has one place for a document's tag, got dm_tag_count={dm_tag_count}; "
                "give each document one tag, or use dm_mean=1."
            )
        self.dv = dv or KeyedVectors(int(vector_size), mapfile_path=dv_mapfile)
        if dm_mean is not None:
            kwargs["cbow_mean"] = dm_mean
        super().__init__(
            sentences=documents,
            corpus_file=corpus_file,
            vector_size=vector_size,
            sg=(1 + dm) % 2,
            comment=comment,
            trim_rule=trim_rule,
            callbacks=callbacks,
            window=window,
            epochs=epochs,
            shrink_windows=shrink_windows,
            **kwargs,
        )

    def __str__(self) -> str:
        kind = (
            "dbow"
            if self.dbow
            else "dm/c"
            if self.dm_concat
            else "dm/m"
            if self.cbow_mean
            else "dm/s"
        )
        words = "+w" if self.dbow and self.dbow_words else ""
        outputs = f"n{self.negative},hs" if self.hs else f"n{self.negative}"
        return (
            f"{type(self).__name__}<{kind}{words},d{self.vector_size},{outputs},"
            f"w{self.window},mc{self.min_count},s{self.sample:g},t{self.workers}>"
        )

    def __getitem__(self, tag: Any) -> Any:
        raise KeyError(f"a model has no items since gensim 4; use model.dv[{tag!r}].")

    @property
    def dm(self) -> bool:
        """Whether it is distributed memory."""
        return not self.sg

    @property
    def dbow(self) -> bool:
        """Whether it is distributed bag of words."""
        return bool(self.sg)

    @property
    def docvecs(self) -> KeyedVectors:
        """The vectors of the tags by gensim 3's name."""
        return self.dv

    # ---------------------------------------------------------------- documents and tags

    def _read(self, corpus_iterable: Any, corpus_file: Any, *, known: bool = False) -> TaggedText:
        if corpus_file is not None:
            text = super()._read(None, corpus_file, known=known)
            return TaggedText(**vars(text), tags=None)
        tags: list[Sequence[Any]] = []

        def words() -> Iterator[Sequence[Any]]:
            for document in corpus_iterable:
                tags.append(document.tags)
                yield document.words

        text = Text.read(words(), self.wv.key_to_index if known else None, "'words'")
        return TaggedText(**vars(text), tags=tags)

    def _build(self, text: Text, *, update: bool = False, **options: Any) -> None:
        assert isinstance(text, TaggedText)  # of _read
        self._hold_tags(text, update=update)
        super()._build(text, update=update, **options)

    def _hold_tags(self, text: TaggedText, *, update: bool) -> None:
        """Give tags rows, and add up how many documents and words have each."""
        dv, sizes = self.dv, np.diff(text.offsets).tolist()
        if not update:
            dv.index_to_key, dv.key_to_index, dv.expandos = [], {}, {}
        documents: dict[Any, int] = {}
        words: dict[Any, int] = {}
        for place, size in enumerate(sizes):
            for tag in text.tags_of(place):
                documents[tag] = documents.get(tag, 0) + 1
                words[tag] = words.get(tag, 0) + size
        n_rows = len(dv.index_to_key) - len(dv.key_to_index)  # of integers
        highest = max((int(tag) for tag in documents if _is_row(tag)), default=-1)
        if text.tags is None:
            highest = max(highest, text.sentences - 1)  # of lines without a word, too
        if highest >= n_rows:
            if dv.key_to_index:
                raise ValueError(
                    f"The tag {highest} is beyond the {n_rows} rows of integers, and tags that are "
                    "strings follow these; give new documents strings."
                )
            dv.index_to_key += range(n_rows, highest + 1)
        for tag in documents:
            if not _is_row(tag) and tag not in dv.key_to_index:
                dv.key_to_index[tag] = len(dv.index_to_key)
                dv.index_to_key.append(tag)
        dv.next_index = len(dv.index_to_key)
        dv.allocate_vecattrs(["word_count", "doc_count"], [np.int64, np.int64])
        rows = [dv.get_index(tag) for tag in documents]
        dv.expandos["doc_count"][rows] += np.fromiter(documents.values(), np.int64, len(rows))
        dv.expandos["word_count"][rows] += np.fromiter(words.values(), np.int64, len(rows))

    def _corpus(self, text: Text) -> EncodedCorpus:
        """Documents with a known word and a known tag."""
        assert isinstance(text, TaggedText)
        known = text.ids >= 0
        sizes = np.diff(np.concatenate([[0], np.cumsum(known)])[text.offsets])
        rows: list[int] = []
        tags = np.zeros(len(sizes), np.int64)
        kept = sizes > 0
        for place in np.flatnonzero(kept).tolist():
            found = [row for tag in text.tags_of(place) if (row := self.dv.get_index(tag, -1)) >= 0]
            rows += found
            tags[place] = len(found)
        kept &= tags > 0
        vocabulary = self._vocabulary()
        corpus = EncodedCorpus.in_memory(
            text.ids[known & np.repeat(kept, np.diff(text.offsets))],
            np.concatenate([[0], np.cumsum(sizes[kept])]),
            vocabulary,
        )
        names = number_words(len(self.dv)).with_counts(np.ones(len(self.dv), np.int64))
        ends = np.concatenate([[0], np.cumsum(tags[kept])])
        corpus.documents = Documents(names, np.array(rows, np.int32), ends)
        return corpus

    # ---------------------------------------------------------------- weights and training

    @property
    def _width(self) -> int:
        """Rows of ``W_out`` that a word has."""
        return 1 + 2 * self.window if self.dm and self.dm_concat else 1

    def _inputs(self) -> list[KeyedVectors]:
        return [self.wv, self.dv, self._edge] if self._width > 1 else [self.wv, self.dv]

    def _outputs(self) -> dict[str, int]:
        return {name: n_rows * self._width for name, n_rows in super()._outputs().items()}

    def init_weights(self) -> None:
        """Begin anew: small random vectors of words and tags, and outputs that are zero."""
        self.layer1_size = self._width * self.vector_size
        super().init_weights()
        self._inference = None
        shape = (len(self.dv), self.vector_size)
        self.dv.vectors = prep_vectors(shape, seed=self.seed + OTHER_SEED)
        if self._width > 1:  # what stands beyond a text's ends
            self._edge = KeyedVectors(self.vector_size, count=1)

    def update_weights(self) -> None:
        """Make vectors for words and tags that were added."""
        super().update_weights()
        self._inference = None
        self.dv.resize_vectors(seed=self.seed + OTHER_SEED)

    def reset_from(self, other_model: Any) -> None:
        """Take the words, tags and counts of another model, and begin anew."""
        other = other_model.dv
        self.dv.index_to_key, self.dv.key_to_index = other.index_to_key, other.key_to_index
        self.dv.next_index = len(other)
        self.dv.expandos = {name: values.copy() for name, values in other.expandos.items()}
        super().reset_from(other_model)

    def _take(self, trainer: Trainer) -> None:
        super()._take(trainer)
        self._inference = None

    def _settings(self, epochs: int, total: int) -> dict[str, Any]:
        concatenated = {"combine": "concat", "cbow_step": "exact"} if self._width > 1 else {}
        alone = self.dbow and not self.dbow_words
        documents = {"documents": "alone" if alone else "with-words"}
        return super()._settings(epochs, total) | documents | concatenated

    def infer_vector(
        self,
        doc_words: Sequence[Any],
        alpha: float | None = None,
        min_alpha: float | None = None,
        epochs: int | None = None,
    ) -> NDArray[np.float32]:
        """Vector of a new document; the same for the same words.

        Words that are not known are left out; where none is known, it is the random vector that it
        would have started from, as in gensim.

        Parameters
        ----------
        doc_words : sequence of words
        alpha, min_alpha, epochs : optional
            Learning rates at the start and the end, and passes; by default training's.

        Raises
        ------
        TypeError
            If it is a string: its words have to be given one by one.
        """
        if isinstance(doc_words, str):
            raise TypeError(
                "Parameter doc_words of infer_vector() must be a list of strings (not a single "
                "string)."
            )
        first, last = alpha or self.alpha, min_alpha or self.min_alpha
        model = self._inference or self._prepared()
        rows = [self.wv.key_to_index[word] for word in doc_words if word in self.wv.key_to_index]
        name = repr(doc_words if isinstance(doc_words, list) else list(doc_words))
        vectors = pseudorandom_weak_vector(self.vector_size, name, _checksum)[None]
        model.improve(
            vectors,
            np.array(rows, np.int32),
            np.array([0, len(rows)], np.int64),
            np.linspace(first, last, epochs or self.epochs),
            seed=self.seed,
        )
        found: NDArray[np.float32] = vectors[0]
        return found

    def _prepared(self) -> Inference:
        """What infers, until the matrices change."""
        mine = self._matrices()
        counts = np.maximum(self.wv.expandos["count"], 1)
        config = TrainingConfig(**self._settings(self.epochs, int(counts.sum())))
        self._inference = Inference.of(
            mine.W_in_rows, mine.W_out_rows, mine.n_inputs - 1, config, counts
        )
        return self._inference

    def similarity_unseen_docs(
        self,
        doc_words1: Sequence[Any],
        doc_words2: Sequence[Any],
        alpha: float | None = None,
        min_alpha: float | None = None,
        epochs: int | None = None,
    ) -> float:
        """Cosine of the vectors that two new documents get."""
        one, two = (
            self.infer_vector(words, alpha, min_alpha, epochs) for words in (doc_words1, doc_words2)
        )
        return float(unit(one) @ unit(two))

    def estimated_lookup_memory(self) -> int:
        """Return an estimate of the bytes that the tags take."""
        return 60 * len(self.dv) + 140 * len(self.dv.key_to_index)

    def init_sims(self, replace: bool = False) -> None:
        """Do what ``dv.init_sims`` does."""
        self.dv.init_sims(replace)

    # ---------------------------------------------------------------- files

    def save_word2vec_format(
        self,
        fname: str | os.PathLike[str],
        doctag_vec: bool = False,
        word_vec: bool = True,
        prefix: str = "*dt_",
        fvocab: str | os.PathLike[str] | None = None,
        binary: bool = False,
    ) -> None:
        """Write the vectors of words, of tags with a prefix, or of both, in word2vec's format."""
        total = len(self.wv) * bool(word_vec) + len(self.dv) * bool(doctag_vec)
        if word_vec:
            self.wv.save_word2vec_format(fname, fvocab=fvocab, binary=binary, total_vec=total)
        if doctag_vec:
            self.dv.save_word2vec_format(
                fname,
                prefix=prefix,
                fvocab=fvocab,
                binary=binary,
                total_vec=total,
                write_header=not word_vec,
                append=bool(word_vec),
                sort_attr="doc_count",
            )

    def _restored(self) -> None:
        super()._restored()
        if not isinstance(self.__dict__.get("dv"), KeyedVectors):
            raise ValueError("a model without vectors of documents")
        keys = self.dv.key_to_index
        self.dv.key_to_index = {tag: row for tag, row in keys.items() if not _is_row(tag)}


def _checksum(name: str) -> int:
    return zlib.crc32(name.encode("utf-8", "surrogatepass"))


def _is_row(tag: Any) -> bool:
    return isinstance(tag, int | np.integer)
