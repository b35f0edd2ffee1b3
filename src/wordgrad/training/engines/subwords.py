"""Word vectors composed of the words' own rows and those of their character n-grams.

The threads and spans are those of :mod:`wordgrad.training.engines.hogwild`; a span is cut into
sub-spans, at whose beginning the vectors of their words are composed, and at whose end their
changes are handed on to the rows (:mod:`wordgrad.training.kernels.subwords`).

Within a sub-span a word does not see what other words do to the n-grams that they share with it.
How much that is, as a share of what its own steps do, grows with

    learning rate x uses of a kept token x kept tokens x n-grams of the sub-span's tokens, a token,
    that are the word's, over the number of its parts

for the word where it is most.  Sub-spans are as long as :data:`MOST_STALE` lets them be: longer as
the learning rate falls.  Measured on `wiki8`: docs/performance.md.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.corpus.corpus import EncodedCorpus, ValidationCorpus
from wordgrad.maths import input_share
from wordgrad.subwords import NgramRows, Subwords
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss, ProgressCallback, Validation
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.kernels.subwords import (
    ComposedRows,
    RowAddresses,
    compose_words,
    run_composed_batch,
    run_composed_span,
)
from wordgrad.training.parameters import Parameters, aligned_rows
from wordgrad.training.sampling import (
    Batch,
    SamplingTables,
    Span,
    check_batch,
    first_sentence,
    input_shares,
    keep_probabilities,
)
from wordgrad.training.validation import NegativeSamplingValidation

MOST_STALE = 5.0
LEAST_SUB_TOKENS = 16
WORDS_AT_ONCE = 1 << 13


class SubwordEngine(HogwildEngine):
    """Skip-gram and CBOW with negative sampling on composed vectors.

    Parameters
    ----------
    config : TrainingConfig
    tables : SamplingTables, optional
    ngrams : NgramRows, optional
        Rows of every word; :meth:`epoch` needs them, :meth:`apply_batch` does not.
    staleness : float, optional
        What a token of a sub-span adds, at a learning rate of 1; see the module.
    """

    def __init__(
        self,
        config: TrainingConfig,
        tables: SamplingTables | None = None,
        ngrams: NgramRows | None = None,
        staleness: float = 0.0,
    ) -> None:
        super().__init__(config, tables)
        self.staleness = staleness
        self._whole = config.subword_step == "whole"
        if ngrams is None:
            return
        self.ngrams = ngrams
        self.n_inputs = ngrams.n_inputs
        scales = (1.0 / ngrams.sizes).astype(np.float32)
        self._row_arrays = (
            np.ascontiguousarray(ngrams.offsets, np.int64),
            np.ascontiguousarray(ngrams.rows, np.int32),
            ngrams.multiplicity[ngrams.rows],
            scales,
            np.ones_like(scales) if self._whole else scales,
        )

    @property
    def _rows(self) -> RowAddresses:
        return RowAddresses(*(int(one.ctypes.data) for one in self._row_arrays))

    def set_input_steps(self, factors: ArrayLike) -> None:
        """Multiply every step on row r of ``W_in``, by the mean factor of its parts."""
        super().set_input_steps(factors)
        if self._tables is not None and self.input_steps is not None:
            np.multiply(
                self.ngrams.multiplicity[self.ngrams.rows],
                self.input_steps[self.ngrams.rows],
                out=self._row_arrays[2],
            )

    @property
    def _window_steps(self) -> None:
        """None: windows read composed rows, whose changes are multiplied when handed on."""

    @classmethod
    def from_corpus(
        cls,
        corpus: EncodedCorpus,
        config: TrainingConfig,
        progress: ProgressCallback | None = None,
    ) -> Self:
        """Return an engine that trains on a corpus, its n-grams found."""
        if config.subwords is None:
            raise TypeError("the settings have no subwords.")
        minn, maxn = config.subwords
        vocabulary = corpus.vocabulary
        kept = vocabulary.counts * keep_probabilities(vocabulary.counts, config.sample)
        ngrams = NgramRows.of_vocabulary(
            vocabulary.words, minn=minn, maxn=maxn, bucket=config.buckets, uses=kept
        )
        tables = SamplingTables(corpus, config)
        return cls(
            config, tables, ngrams, staleness(ngrams, vocabulary.counts, config, tables.reach.mean)
        )

    def sub_tokens(self, learning_rate: float) -> int:
        """Return the tokens of a sub-span at a learning rate."""
        most = MOST_STALE / max(self.staleness * learning_rate, 1e-9)
        return int(min(max(most, LEAST_SUB_TOKENS), self.span_tokens))

    def run_span(self, parameters: Parameters, span: Span) -> Loss:
        """Draw the windows of a span and take their steps on composed vectors."""
        tables, config = self.tables, self.config
        parameters.check_rows(config.vector_size, self.n_inputs, self.n_outputs)
        sub_tokens = min(self.sub_tokens(span.learning_rate), span.stop - span.start)
        workspace = self._workspace(span_tokens=sub_tokens)
        workspace.set_learning_rate(span.learning_rate)
        composed = self._composed_rows(min(self.n_words, sub_tokens + 2 * tables.reach.most))
        pairs = run_composed_span(
            tables.ids.ctypes.data, tables.offsets.ctypes.data, *first_sentence(tables, span),
            span.stop, sub_tokens, np.uint64(tables.key(span.epoch)), tables.keep.ctypes.data,
            tables.noise.ctypes.data, len(tables.keep), parameters.W_in_rows.ctypes.data,
            parameters.W_out_rows.ctypes.data, self._n_floats, tables.reach, self._skipgram,
            self._rows, composed.addresses, workspace.addresses,
        )  # fmt: skip
        return Loss(float(workspace.loss[0]), int(pairs))

    def apply_batch(self, parameters: Parameters, batch: Batch, learning_rate: float) -> Loss:
        """Take one step an example, one after another, on input vectors that are composed.

        Exactly ``-learning_rate`` times the gradient with ``subword_step="exact"``; with "whole",
        the rows of a mean of n receive n times that.  Where there is nothing to compose, the kernel
        of windows is taken; where there are not 1 + K outputs, that of any batch, and exact steps.
        """
        n_outputs = 1 + self.config.negative
        ordinary = batch.signs is None and (np.diff(batch.output_offsets) == n_outputs).all()
        if not ordinary or batch.is_windows(self.config.negative, self.config.architecture):
            return super().apply_batch(parameters, batch, learning_rate)
        check_batch(batch, parameters.n_inputs, parameters.n_outputs)
        parameters.check_rows(self.config.vector_size)
        most = int(np.diff(batch.groups).max(initial=1))
        workspace = self._workspace(window_rows=most)
        workspace.set_learning_rate(learning_rate)
        sizes = np.diff(batch.input_offsets)
        shares = input_shares(self.config, sizes)
        run_composed_batch(
            np.ascontiguousarray(batch.inputs, np.int32),
            np.ascontiguousarray(batch.input_offsets, np.int64),
            np.ascontiguousarray(batch.groups, np.int64),
            np.ascontiguousarray(batch.outputs, np.int32).reshape(len(batch), n_outputs),
            input_share(sizes, combine=self.config.combine).astype(np.float32),
            np.ones_like(shares) if self._whole else shares,
            np.ones(len(batch.inputs), np.float32)
            if self.input_steps is None
            else self.input_steps[batch.inputs],
            parameters.W_in_rows.ctypes.data,
            parameters.W_out_rows.ctypes.data, self._n_floats,
            self._composed_rows(most).addresses, workspace.addresses,
        )  # fmt: skip
        return Loss(float(workspace.loss[0]), batch.n_vectors)

    def _composed_rows(self, capacity: int) -> ComposedRows:
        """Return this thread's composed rows, made at its first call or when outgrown."""
        composed: ComposedRows | None = getattr(self._local, "composed", None)
        if composed is None or composed.capacity < capacity:
            # A sub-span grows as the learning rate falls: not a little at a time.
            capacity = max(capacity, 2 * composed.capacity if composed else 0)
            tokens = 2 * max(capacity, self.span_tokens) + 2 * self.most_reach + 4
            composed = ComposedRows(self.n_words, capacity, tokens, self._n_floats)
            self._local.composed = composed
        return composed

    def compose(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the vectors of all words as aligned rows, float32 (V, P)."""
        vectors = aligned_rows(self.n_words, self._n_floats)
        for first in range(0, self.n_words, WORDS_AT_ONCE):
            words = np.arange(first, min(first + WORDS_AT_ONCE, self.n_words), dtype=np.int32)
            place = vectors[first:].ctypes.data
            compose_words(
                words.ctypes.data, len(words), self._rows, parameters.W_in_rows.ctypes.data,
                self._n_floats, place, place,
            )  # fmt: skip
        return vectors

    def vectors(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the word vectors (V, D)."""
        return self.compose(parameters)[:, : parameters.vector_size]

    def subwords(self, parameters: Parameters) -> Subwords:
        """Return what vectors of unseen words are composed from."""
        return self.ngrams.subwords(parameters.W_in)

    def start_from(
        self, parameters: Parameters, rows: NDArray[np.int64], vectors: NDArray[np.float32]
    ) -> None:
        """Let words (rows, each once) begin with vectors (n, D), by changing their own rows."""
        difference = vectors - self.vectors(parameters)[rows]
        parameters.W_in[rows] += self.ngrams.sizes[rows, None].astype(np.float32) * difference

    def take_over(
        self,
        parameters: Parameters,
        rows: NDArray[np.int64],
        subwords: Subwords,
        ids: NDArray[np.int64],
    ) -> None:
        """Begin with the rows of words and n-grams of other vectors, of the same buckets.

        Parameters
        ----------
        rows, ids : int64 (n,)
            Words of the text, and their numbers in ``subwords``.
        """
        ngrams = self.ngrams
        targets = np.concatenate([rows, ngrams.bucket_rows.astype(np.int64)])
        sources = np.concatenate([ids, subwords.n_words + ngrams.buckets.astype(np.int64)])
        given = np.zeros(ngrams.n_inputs, np.bool_)
        total = np.zeros((ngrams.n_inputs, parameters.vector_size), np.float32)
        for first in range(0, len(targets), WORDS_AT_ONCE):
            part = slice(first, first + WORDS_AT_ONCE)
            values = subwords.table.rows(sources[part])
            # Rows of zeros are n-grams that were never seen: they start at random.
            seen = values.any(axis=1)
            np.add.at(total, targets[part][seen], values[seen])
            given[targets[part][seen]] = True
        parameters.W_in[given] = total[given]

    def validation(self, text: ValidationCorpus) -> Validation:
        """Return the measure of the negative-sampling loss on a held-out text."""
        measure = NegativeSamplingValidation(text, self.config)

        def validation(parameters: Parameters) -> Loss:
            composed = Parameters(
                self.compose(parameters), parameters.W_out_rows, parameters.vector_size
            )
            return measure(composed)

        return validation


def staleness(
    ngrams: NgramRows, counts: NDArray[np.int64], config: TrainingConfig, mean_reach: float
) -> float:
    """Return what a token of a sub-span adds to its staleness, at a learning rate of 1."""
    kept = counts * keep_probabilities(counts, config.sample)
    q = kept / kept.sum()
    readers = np.repeat(np.arange(len(counts)), np.diff(ngrams.offsets))
    # How often a part comes in a kept token; all parts of a row come equally often.
    reads = np.bincount(ngrams.rows, q[readers], minlength=ngrams.n_inputs)
    parts = reads * ngrams.multiplicity
    others = np.bincount(readers, parts[ngrams.rows], minlength=len(counts)) / ngrams.sizes
    steps = 1.0 if config.subword_step == "whole" else float((1.0 / ngrams.sizes).max())
    uses = (1 + config.negative) * steps
    if config.architecture == "cbow":
        share = input_share(2.0 * mean_reach, combine=config.combine, step=config.cbow_step)
        uses *= float(share)
    return float(others.max()) * uses * float(kept.sum() / counts.sum())
