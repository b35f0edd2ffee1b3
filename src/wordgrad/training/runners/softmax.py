"""What both runners of the exact softmax share: blocks, Adagrad, the end of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.softmax.block import BlockGradients, BlockSoftmax, Targets
from wordgrad.training.engines.softmax.canonical import canonical_vectors
from wordgrad.training.engines.softmax.offset import logit_offset
from wordgrad.training.history import EpochRecord
from wordgrad.training.parameters import Parameters

OUTPUT_RATE = 2.0
"""Learning rate of the output vectors over that of the input vectors: see docs/performance.md."""


class SoftmaxSteps:
    """The optimiser's side of a training: offset, blocks, and a sum of squares for each row.

    Parameters
    ----------
    config : TrainingConfig
    shares : float64 (V,)
        In proportion to how often each word is the one to predict.
    block_rows : int

    Attributes
    ----------
    sums_in, sums_out : float64 (V,)
        Adagrad's sums for the rows of W_in and W_out.
    """

    def __init__(
        self, config: TrainingConfig, shares: NDArray[np.float64], block_rows: int
    ) -> None:
        self._shares = shares
        self.offset = logit_offset(config.softmax_offset, shares)
        # How a matrix product is cut among threads may change its last bits.
        threads = 1 if config.reproducible else config.threads
        self.block = BlockSoftmax(len(shares), config.vector_size, block_rows, threads)
        self.sums_in = np.zeros(len(shares))
        self.sums_out = np.zeros(len(shares))
        self._squares = self._pairs = 0.0

    def begin_epoch(self) -> None:
        """Add the gradient's norm up anew."""
        self._squares = self._pairs = 0.0

    @property
    def gradient_norm(self) -> float | None:
        """Norm of the gradient of the mean loss a pair, of the input rows since the epoch began."""
        return math.sqrt(self._squares) / self._pairs if self._pairs else None

    def gradients(
        self, parameters: Parameters, inputs: NDArray[np.float32], targets: Targets
    ) -> BlockGradients:
        """Return the loss and the gradients of a block of input rows."""
        self._pairs += float(targets.totals.sum())
        return self.block.gradients(inputs, parameters.W_out, self.offset, targets)

    def step(
        self,
        parameters: Parameters,
        words: NDArray[np.int64],
        d_words: NDArray[np.float32],
        d_W_out: NDArray[np.float32],
        rate: float,
    ) -> None:
        """Take an Adagrad step on the input vectors of ``words`` and on all output vectors."""
        rows, sums = parameters.W_in[words], self.sums_in[words]
        self._squares += self.block.adagrad(rows, d_words, sums, rate)
        parameters.W_in[words] = rows
        self.sums_in[words] = sums
        self.block.adagrad(parameters.W_out, d_W_out, self.sums_out, OUTPUT_RATE * rate)

    def vectors(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the word vectors that the parameters' scores determine."""
        with self.block.blas():
            return canonical_vectors(parameters, self._shares)

    def close(self) -> None:
        """End the threads."""
        self.block.close()

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return what a training needs to go on, beside its parameters."""
        epoch_sums = np.array([self._squares, self._pairs])
        return {"sums_in": self.sums_in, "sums_out": self.sums_out, "epoch_sums": epoch_sums}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` returned, or nothing: the state before the first step."""
        check_state(state, len(self.sums_in))
        if state:
            self.sums_in[:] = state["sums_in"]
            self.sums_out[:] = state["sums_out"]
            self._squares, self._pairs = map(float, state["epoch_sums"])


def check_state(state: Mapping[str, NDArray[Any]], n_words: int) -> None:
    """Raise :class:`FormatError` unless a state, which may come from a file, is one of these."""
    shapes = {"sums_in": (n_words,), "sums_out": (n_words,), "epoch_sums": (2,)}
    if not state:
        return
    if state.keys() != shapes.keys():
        raise FormatError(
            f"This checkpoint holds {', '.join(sorted(state))} in place of "
            f"{', '.join(sorted(shapes))}; it is damaged, or of another version of wordgrad."
        )
    for name, array in state.items():
        right = array.dtype == np.float64 and array.shape == shapes[name]
        if not right or not (np.isfinite(array).all() and (array >= 0).all()):
            raise FormatError(
                f"{name} in this checkpoint must be finite float64 >= 0 of shape {shapes[name]}, "
                f"and it is {array.dtype} of shape {array.shape}; the checkpoint is damaged."
            )


def has_converged(history: Sequence[EpochRecord], tolerance: float) -> bool:
    """Whether the last epoch lowered the loss by less than a share ``tolerance`` of it.

    >>> from types import SimpleNamespace as Record
    >>> losses = [Record(loss=9.0), Record(loss=8.0), Record(loss=7.9999)]
    >>> has_converged(losses[:2], 1e-4), has_converged(losses, 1e-4), has_converged(losses, 0.0)
    (False, True, False)
    """
    if len(history) < 2 or tolerance == 0.0:
        return False
    before, after = history[-2].loss, history[-1].loss
    return math.isfinite(before) and before - after < tolerance * abs(before)
