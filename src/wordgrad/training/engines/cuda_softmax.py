"""Skip-gram with the exact softmax on a CUDA card: the blocks of softmax.py, through cuBLAS.

The counts of pairs are made by the processor.  Then counts, parameters and Adagrad's sums stay on
the card for an epoch, and come back at its end or pause.

Rows have Q > D floats there: float D of every output vector is the offset of its logit, and float D
of every input is 1, so that the matrix product adds the offset.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Generator, Mapping
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from wordgrad.corpus.corpus import EncodedCorpus
from wordgrad.errors import ParameterError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss, ProgressCallback, Step
from wordgrad.training.engines.cuda import card_errors, check_card, check_memory
from wordgrad.training.engines.pair_counts import PairCounts
from wordgrad.training.engines.softmax import OUTPUT_RATE, SkipGramSoftmaxEngine, SoftmaxSteps
from wordgrad.training.kernels import cuda_softmax as kernels
from wordgrad.training.kernels.cuda import SIMULATED, grid
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import Batch

BLOCKS_AT_ONCE = 16
"""So many blocks are handed to the card before their losses are waited for."""

LEAST_OFFSET = -1e30
"""Its exponential is 0."""

PROBE_ROWS, PROBE_WORDS = 256, 65536


def array_module() -> ModuleType:
    """Return CuPy, or NumPy in the CUDA simulator.

    Raises
    ------
    ParameterError
        If CuPy is not installed.
    """
    if SIMULATED:
        return np
    try:
        import cupy
    except ImportError as error:
        raise ParameterError(
            "device='cuda' with loss='softmax' needs the package CuPy; install it with: "
            "pip install 'wordgrad[gpu]'"
        ) from error
    module: ModuleType = cupy
    return module


def matrix_speed_of_card(vector_size: int) -> float:
    """Multiply-adds a second of the card's float32 matrix products; takes some hundredths."""
    if SIMULATED:
        return math.inf
    xp = array_module()
    rows = xp.random.random((PROBE_ROWS, vector_size), xp.float32)
    words = xp.random.random((PROBE_WORDS, vector_size), xp.float32)
    logits = xp.dot(rows, words.T)
    seconds = []
    for _ in range(3):
        begin, end = xp.cuda.Event(), xp.cuda.Event()
        begin.record()
        xp.dot(rows, words.T, out=logits)
        xp.dot(logits, words)
        xp.dot(logits.T, rows)
        end.record()
        end.synchronize()
        seconds.append(xp.cuda.get_elapsed_time(begin, end) / 1000)
    return float(3.0 * PROBE_ROWS * PROBE_WORDS * vector_size / min(seconds))


class CardSoftmax:
    """Counts, parameters and sums on the card, and the steps there.

    Parameters
    ----------
    counts : PairCounts
    offset : float32 (V,)
        Added to the logits.
    vector_size, block_rows : D, B

    Raises
    ------
    ParameterError
        If they do not fit the card.
    """

    def __init__(
        self, counts: PairCounts, offset: NDArray[np.float32], vector_size: int, block_rows: int
    ) -> None:
        xp = self._xp = array_module()
        V, D = counts.n_words, vector_size
        # A word's row of the counts is counted as a part of it: half the words have half of them.
        sparse = len(counts.columns) * 12.0
        a_word = 16.0 * (D + 16) + 4.0 * block_rows + 64 + sparse / V
        check_memory(V, a_word, 8.0 * block_rows * D + (1 << 26), D)
        self._starts, self._columns, self._values, self._totals = (
            self._kept(array)
            for array in (counts.starts, counts.columns, counts.values, counts.totals)
        )
        Q = D + 4 - D % 4
        self._vector_size = D
        self._rows = [xp.zeros((V, Q), np.float32) for _ in range(2)]
        self._rows[0][:, D] = 1.0
        # Words in no pair have the offset -inf, which 0 times would make NaN.
        self._rows[1][:, D] = xp.asarray(np.maximum(offset, np.float32(LEAST_OFFSET)))
        self._sums = [xp.zeros(V) for _ in range(2)]
        self._losses, self._squares = xp.zeros(V), xp.zeros(V)
        self._d_W_out = xp.empty((V, Q), np.float32)
        self._blocks: dict[int, _Block] = {}
        none = [xp.zeros(0, kind) for kind in (np.int64, np.float32, np.float64)]
        self._none = [_view(array) for array in none]
        self._views = {
            "W_in": _view(self._rows[0]),
            "W_out": _view(self._rows[1]),
            "sums_in": _view(self._sums[0]),
            "sums_out": _view(self._sums[1]),
            "losses": _view(self._losses),
            "squares": _view(self._squares),
            "d_W_out": _view(self._d_W_out),
        }
        self._logits = xp.empty((block_rows, V), np.float32)
        self._order: Any = None
        self._resident: Parameters | None = None

    def _kept(self, array: NDArray[Any]) -> Any:
        return _view(self._xp.array(np.ascontiguousarray(array)))

    def upload(self, parameters: Parameters, steps: SoftmaxSteps, order: NDArray[np.int64]) -> None:
        """Copy parameters, Adagrad's sums and the order of the words to the card.

        The parameters that were downloaded last are there already: whoever changes them, or the
        sums, calls :meth:`forget`.
        """
        self._order = self._kept(order)
        if parameters is self._resident:
            return
        D, xp = self._vector_size, self._xp
        # Whole rows, which lie side by side: the padding is left out on the card, not here.
        self._rows[0][:, :D] = xp.asarray(parameters.W_in_rows)[:, :D]
        self._rows[1][:, :D] = xp.asarray(parameters.W_out_rows)[:, :D]
        self._sums[0][...] = xp.asarray(steps.sums_in)
        self._sums[1][...] = xp.asarray(steps.sums_out)
        self._resident = None

    def download(self, parameters: Parameters, steps: SoftmaxSteps) -> None:
        """Copy parameters and sums back from the card."""
        D, padded = self._vector_size, self._xp.zeros(parameters.W_in_rows.shape, np.float32)
        whole_rows = parameters.W_in_rows, parameters.W_out_rows
        for there, here in zip(self._rows, whole_rows, strict=True):
            padded[:, :D] = there[:, :D]
            _copy_to_host(padded, here)
        _copy_to_host(self._sums[0], steps.sums_in)
        _copy_to_host(self._sums[1], steps.sums_out)
        self._resident = parameters

    def forget(self) -> None:
        """Copy parameters and sums anew before the next epoch."""
        self._resident = None

    def begin(self, first: int, last: int, rate: float) -> None:
        """Hand the step on the words ``first`` to ``last`` of the order to the card."""
        B = last - first
        if B not in self._blocks:
            self._blocks[B] = _Block(self._xp, self._logits[:B], self._d_W_out.shape[1])
        block, views, xp = self._blocks[B], self._views, self._xp
        W_out = self._rows[1]
        no_order, no_scale, no_squares = self._none
        threads = min(kernels.ROW_THREADS, 128)
        D = self._vector_size
        grid(kernels.gather, B, threads)(
            views["W_in"], self._order, first, D + 1, block.inputs_view
        )
        xp.dot(block.inputs, W_out.T, out=block.logits)
        grid(kernels.errors_in_place, B, kernels.ROW_THREADS)(
            block.logits_view, self._order, first, self._starts, self._columns, self._values,
            self._totals, block.inputs_view, block.scale_view, block.scaled_view, views["losses"],
        )  # fmt: skip
        xp.dot(block.logits, W_out, out=block.d_inputs)
        xp.dot(block.logits.T, block.scaled, out=self._d_W_out)
        shape = (kernels.LANES, kernels.ROWS_A_BLOCK)
        grid(kernels.adagrad_rows, -(-B // kernels.ROWS_A_BLOCK), shape)(
            views["W_in"], block.d_inputs_view, D, views["sums_in"], rate, self._order, first,
            block.scale_view, views["squares"],
        )  # fmt: skip
        grid(kernels.adagrad_rows, -(-len(W_out) // kernels.ROWS_A_BLOCK), shape)(
            views["W_out"], views["d_W_out"], D, views["sums_out"], OUTPUT_RATE * rate, no_order,
            0, no_scale, no_squares,
        )  # fmt: skip

    def end(self, first: int, last: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Wait for the steps on the words ``first`` to ``last``; return losses and squares."""
        losses, squares = np.empty(last - first), np.empty(last - first)
        _copy_to_host(self._losses[first:last], losses)
        _copy_to_host(self._squares[first:last], squares)
        return losses, squares


class _Block:
    """Arrays of a block of B rows, as CuPy and as Numba see them."""

    def __init__(self, xp: ModuleType, logits: Any, n_floats: int) -> None:
        B = len(logits)
        self.logits = logits
        self.inputs, self.scaled, self.d_inputs = (
            xp.zeros((B, n_floats), np.float32) for _ in range(3)
        )
        self.scale = xp.empty(B, np.float32)
        self.logits_view, self.inputs_view, self.scaled_view = (
            _view(array) for array in (self.logits, self.inputs, self.scaled)
        )
        self.d_inputs_view, self.scale_view = _view(self.d_inputs), _view(self.scale)


def _view(array: Any) -> Any:
    """Return a CuPy array as Numba sees it: made once, since it costs more than a launch."""
    return array if SIMULATED else cuda.as_cuda_array(array)


def _copy_to_host(array: Any, here: NDArray[Any]) -> None:
    if SIMULATED:
        here[...] = array
    else:
        array.get(out=here)


class CudaSoftmaxEngine(SkipGramSoftmaxEngine):
    """Trains on all pairs of the corpus at once, a block of centre words at a time, on a card.

    Parameters
    ----------
    corpus, config, progress
        As in :class:`~wordgrad.training.engines.softmax.SkipGramSoftmaxEngine`.

    Raises
    ------
    ParameterError
        If there is no card, or the training would not fit it or last more than ``max_hours``.
    """

    def __init__(
        self,
        corpus: EncodedCorpus,
        config: TrainingConfig,
        progress: ProgressCallback | None = None,
    ) -> None:
        check_card()
        self._card: CardSoftmax | None = None
        super().__init__(corpus, config, progress)

    def matrix_speed(self) -> float:
        """Multiply-adds a second of the card's matrix products."""
        return matrix_speed_of_card(self.config.vector_size)

    def prepare(self, parameters: Parameters) -> None:
        """Count the pairs, copy them to the card and compile; nothing of the parameters changes."""
        super().prepare(parameters)
        if self._card is not None:
            return
        size, V = self.config.vector_size, self.length
        with card_errors():
            self._card = CardSoftmax(self.counts, self.steps.offset, size, self.block_rows)
            self._card.upload(Parameters.zeros(V, V, size), self.steps, np.arange(V))
            self._card.begin(0, min(self.block_rows, V), 0.0)
            self._card.end(0, 1)

    def epoch(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the blocks of an epoch as they end; see the protocol."""
        self.prepare(parameters)
        counts, steps = self.counts, self.steps
        card = self._card
        if card is None:
            raise TypeError("prepare must be called before an epoch.")
        if start == 0:
            steps.begin_epoch()
        order = self.order(epoch)
        totals = counts.totals[order]
        edges = [*range(start, self.length, self.block_rows), self.length]
        blocks = list(pairwise(edges))
        with card_errors():
            card.upload(parameters, steps, order)
            try:
                for k in range(0, len(blocks), BLOCKS_AT_ONCE):
                    if pause.is_set():
                        return
                    some = blocks[k : k + BLOCKS_AT_ONCE]
                    rates = [self._rate(epoch, first) for first, _ in some]
                    for (first, last), rate in zip(some, rates, strict=True):
                        card.begin(first, last, rate)
                    begin, end = some[0][0], some[-1][1]
                    losses, squares = card.end(begin, end)
                    steps.add_to_norm(float(squares.sum()), float(totals[begin:end].sum()))
                    for (first, last), rate in zip(some, rates, strict=True):
                        total = float(losses[first - begin : last - begin].sum())
                        yield Step(first, last, Loss(total, float(totals[first:last].sum())), rate)
            finally:
                card.download(parameters, steps)

    def apply_batch(self, parameters: Parameters, batch: Batch, learning_rate: float) -> Loss:
        """Take one step of Adagrad on a batch, on the processor; see the protocol."""
        if self._card is not None:
            self._card.forget()
        return super().apply_batch(parameters, batch, learning_rate)

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what ``state`` returned."""
        super().restore(state)
        if self._card is not None:
            self._card.forget()

    def close(self) -> None:
        """Give back the card's memory and remove the counts."""
        self._card = None
        super().close()

    def _rate(self, epoch: int, position: int) -> float:
        progress = (epoch + position / self.length) / self.config.epochs
        return self.config.learning_rate_at(progress)
