"""What an engine is: the seam between which pairs (sampling) and what update (gradient).

An engine offers the same gradient step in two forms.  ``apply_batch`` takes windows that somebody
drew, so that it can be compared with another engine to rounding.  ``run_span`` draws the windows of
a piece of the corpus itself, which is what training calls.

A window has a target (its centre word), context words, and K negatives shared by them.
Its loss at the parameters before the window is

    skip-gram   sum over context words i of  -log s(u_t . v_i) - sum_k log s(-u_k . v_i)
    CBOW                                     -log s(u_t . h)   - sum_k log s(-u_k . h)

with s the sigmoid and h the mean (or sum) of the context's v_i; the step is ``-learning_rate``
times its gradient.  Its number of pairs is that of its context words (skip-gram) or 1 (CBOW).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import ParameterError
from wordgrad.text.corpus import EncodedCorpus
from wordgrad.text.held_out import HeldOutText
from wordgrad.text.sampling import AliasTable, keep_probabilities, noise_distribution
from wordgrad.training.config import TrainingConfig
from wordgrad.training.parameters import Parameters


class Loss(NamedTuple):
    """A loss summed over pairs, in nats and float64, and the number of pairs.

    Where pairs are counted and not drawn (skip-gram with the exact softmax), their number is an
    expectation, and not a whole one.
    """

    total: float
    pairs: float


@dataclass(frozen=True)
class Windows:
    """Windows with every random choice made.

    Attributes
    ----------
    contexts : int32 (N,)
        Ids of the context words of all windows, one after another.
    offsets : int64 (B + 1,)
        Window b has the context ``contexts[offsets[b]:offsets[b + 1]]``, at least one word.
    targets : int32 (B, 1 + K)
        Each window's target, then its negatives; no negative equals its target.
    """

    contexts: NDArray[np.int32]
    offsets: NDArray[np.int64]
    targets: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Span:
    """Tokens ``start`` to ``stop`` of the corpus, in one epoch, at one learning rate."""

    start: int
    stop: int
    epoch: int
    learning_rate: float


class SamplingTables:
    """The distributions that windows are drawn from, as tables for a corpus.

    Attributes
    ----------
    ids, offsets : the corpus
    keep : uint32 (V,)
        A token is kept if its 32 random bits are at most its word's number.
    noise : int32 (V, 2)
        Alias table: threshold (the bits of a uint32) and alias of each word, side by side.
    """

    def __init__(self, corpus: EncodedCorpus | HeldOutText, config: TrainingConfig) -> None:
        counts = corpus.vocabulary.counts
        kept = keep_probabilities(counts, config.sample)
        table = AliasTable.from_probabilities(noise_distribution(counts, config.ns_exponent))
        self.ids = np.ascontiguousarray(np.asarray(corpus.ids), np.int32)
        self.offsets = np.ascontiguousarray(np.asarray(corpus.offsets), np.int64)
        # k such that 32 random bits are at most k with this probability: to 2^-32, and 1 exactly.
        self.keep = np.clip(np.ceil(kept * 2.0**32) - 1, 0, 2**32 - 1).astype(np.uint32)
        self.noise = np.stack([table.threshold.view(np.int32), table.alias], axis=1)
        self.seed = config.seed
        self._keys: dict[int, int] = {}

    def key(self, epoch: int) -> int:
        """Return the 64-bit key of an epoch's random numbers, a function of the seed."""
        if epoch not in self._keys:  # asked for by every span
            # Not SeedSequence([seed, epoch]): seed 2^32 in epoch 0 would be seed 0 in epoch 1.
            sequence = np.random.SeedSequence(self.seed, spawn_key=(epoch,))
            self._keys[epoch] = int(sequence.generate_state(1, np.uint64)[0])
        return self._keys[epoch]


def check_windows(windows: Windows, n_words: int, negative: int) -> None:
    """Raise :class:`ParameterError` unless every id and offset is in range.

    Engines call it before a step: what kernels are given, they trust.
    """
    if windows.targets.ndim != 2 or windows.targets.shape[1] != 1 + negative:
        raise ParameterError(
            f"targets must have shape (B, {1 + negative}) for negative={negative}, "
            f"got {windows.targets.shape}."
        )
    sizes = np.diff(windows.offsets)
    if (
        len(windows.offsets) != len(windows) + 1
        or windows.offsets[0] != 0
        or windows.offsets[-1] != len(windows.contexts)
        or (len(sizes) and sizes.min() < 1)
    ):
        raise ParameterError(
            "offsets must rise from 0 to the number of context words, one window after another."
        )
    for name, ids in (("contexts", windows.contexts), ("targets", windows.targets)):
        if ids.size and (ids.min() < 0 or ids.max() >= n_words):
            raise ParameterError(
                f"{name} must be word ids in [0, {n_words - 1}], "
                f"got {int(ids.min())} to {int(ids.max())}."
            )
    if (windows.targets[:, 1:] == windows.targets[:, :1]).any():
        raise ParameterError("a negative must differ from its window's target; draw it again.")


class Engine(Protocol):
    """What turns windows into updates of parameters, in place."""

    def apply_batch(self, parameters: Parameters, windows: Windows, learning_rate: float) -> Loss:
        """Take one gradient step a window, one after another."""

    def run_span(self, parameters: Parameters, span: Span) -> Loss:
        """Draw the windows whose centres lie in the span and take their steps.

        May be called from several threads at once.
        """
