"""The loss on held-out text: the same windows and the same negatives each time, and no step.

The windows are drawn as training draws them (subsampled, with a reach on 1..m, negatives from the
noise distribution), so that the number can be set beside the training loss; but they are drawn with
a key of their own, which neither the epoch nor the seed changes.  Two epochs, or two trainings on
one vocabulary, are thus compared on the very same pairs, and what differs is the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wordgrad.corpus.corpus import ValidationCorpus
from wordgrad.errors import InputError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss
from wordgrad.training.inference import EVERY_OTHER, REST, Inference, inference_rates
from wordgrad.training.kernels import batch as kernels
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import (
    Batch,
    InputRows,
    SamplingTables,
    Span,
    check_batch,
    draw_batch,
)


def batch_loss(parameters: Parameters, batch: Batch, combine: str) -> Loss:
    """Return the loss of a batch, summed over its input vectors, and their number.

    The loss is that of :class:`~wordgrad.training.sampling.Batch`, in float64; nothing is written.
    May be called while other threads train: rows are read as they are at that moment.

    Parameters
    ----------
    parameters : Parameters
    batch : Batch
    combine : {"mean", "sum"}
        How input vectors combine their rows.
    """
    check_batch(batch, parameters.n_inputs, parameters.n_outputs)
    total = kernels.batch_loss(
        batch.inputs, batch.input_offsets, batch.groups, batch.outputs, batch.output_offsets,
        batch.all_signs, parameters.W_in_rows, parameters.W_out_rows, parameters.vector_size,
        combine == "mean",
    )  # fmt: skip
    return Loss(float(total), batch.n_vectors)


DRAW = 1 << 40
"""Stands for the epoch in the key of the draws: no training comes so far."""

TOKENS_AT_ONCE = 10_000
"""Windows are drawn again each time, a piece at a time: keeping them would take hundreds of bytes
a word."""


@dataclass(frozen=True)
class HeldOut:
    """Text to measure the loss on after each epoch, and how long to wait for a better one.

    Attributes
    ----------
    text : ValidationCorpus
    patience : int or None
        Training ends after so many epochs without a better loss.  None never ends it early, and
        keeps no copy of the best parameters.
    """

    text: ValidationCorpus
    patience: int | None = None


class NegativeSamplingValidation:
    """The exact negative-sampling loss on the windows of a held-out text, always the same ones.

    Parameters
    ----------
    text : ValidationCorpus
    config : TrainingConfig
    rows : InputRows, optional
        By default a word's row is its own.

    Raises
    ------
    InputError
        If the text gives not one pair.
    """

    def __init__(
        self, text: ValidationCorpus, config: TrainingConfig, rows: InputRows | None = None
    ) -> None:
        self._text = text
        self._config = config
        self._rows = rows
        self._tables = SamplingTables(text, replace(config, seed=0))
        if not any(len(batch) for batch in self.batches()):
            raise InputError(
                "The validation text has no sentence with two words that are kept, so it has no "
                "loss; give more text, longer sentences, or raise sample (0 keeps every word)."
            )

    def __call__(self, parameters: Parameters) -> Loss:
        """Return the loss summed over the pairs, in nats, and their number."""
        total, pairs = 0.0, 0.0
        for batch in self.batches():
            loss = batch_loss(parameters, batch, self._config.combine)
            total, pairs = total + loss.total, pairs + loss.pairs
        return Loss(total, pairs)

    def batches(self) -> Iterator[Batch]:
        """Draw the windows, some thousands at a time."""
        config, length = self._config, len(self._text.ids)
        for start in range(0, length, TOKENS_AT_ONCE):
            span = Span(start, min(start + TOKENS_AT_ONCE, length), DRAW, 0.0)
            yield draw_batch(
                self._tables,
                span,
                self._tables.reach,
                self._tables.negative,
                architecture=config.architecture,
                rows=self._rows,
            )


class DocumentValidation:
    """How well the vectors of held-out documents predict words that they were not made from.

    The vector of each is inferred from every other word of it, and the loss is that of the rest: a
    vector cannot do well by learning its own words by heart.  With dbow only the pairs of documents
    and words are measured.

    Parameters
    ----------
    text : ValidationCorpus
        A sentence is a document.
    config : TrainingConfig

    Raises
    ------
    InputError
        If no document holds two words.
    """

    def __init__(self, text: ValidationCorpus, config: TrainingConfig) -> None:
        self._text = text
        self._config = config
        if np.diff(text.offsets).max(initial=0) < 2:
            raise InputError(
                "No document of the validation text holds two words of the vocabulary, so it has "
                "no loss; give longer documents."
            )

    def __call__(self, parameters: Parameters) -> Loss:
        """Return the loss summed over the targets, in nats, and their number."""
        text, config = self._text, self._config
        model = Inference.of(
            parameters.W_in_rows,
            parameters.W_out_rows,
            parameters.n_inputs - 1,
            config,
            text.vocabulary.counts,
        )
        vectors = model.start(len(text.offsets) - 1, seed=0)
        rates = inference_rates(config, config.epochs, config.initial_rate)
        given: Any = {"seed": 0, "workers": config.threads}
        model.improve(vectors, text.ids, text.offsets, rates, part=EVERY_OTHER, **given)
        measured = model.improve(vectors, text.ids, text.offsets, np.zeros(1), part=REST, **given)
        return Loss(measured.total, max(measured.pairs, 1))
