"""The engine on a CUDA card: tokens, tables and parameters stay on the card for a whole epoch.

An epoch is cut into spans of two million tokens or so.  For each the kernels of
:mod:`wordgrad.training.kernels.cuda` list the kept tokens, draw the windows and take their steps,
with up to some thousands of windows in flight at once: Hogwild, as the threads of the processor
do it, with more of them.  How many is chosen by quality: see ``docs/gpu.md``.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from wordgrad.errors import ParameterError, TrainingError
from wordgrad.maths.objectives import CBOW_SHARES
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss, Step
from wordgrad.training.engines.negative_sampling import NegativeSamplingEngine
from wordgrad.training.kernels import cuda as kernels
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import Batch, SamplingTables, Span, check_batch, first_sentence

MOST_FLOATS, MOST_NEGATIVE, MOST_WINDOW = 512, 20, 100
"""Limits of vector_size, negative and window: the output rows of a window stay in registers."""

WORDS_A_WINDOW = 32
MOST_IN_FLIGHT = 2112
"""Windows in flight: one for each so many words of the vocabulary, and at most so many."""

SPAN_TOKENS = 1 << 21
SPAN_BYTES = 1 << 28
"""A span has at most so many tokens, and its windows take at most so many bytes."""

THREADS = 16 if kernels.SIMULATED else 128

Numbers = NDArray[Any]


def check_card() -> None:
    """Raise :class:`ParameterError` unless there is a CUDA card that can be used."""
    if kernels.SIMULATED:
        return
    if importlib.util.find_spec("numba_cuda") is None:
        raise ParameterError(
            "device='cuda' needs the package numba-cuda; install it with: "
            "pip install 'wordgrad[gpu]'"
        )
    if not cuda.is_available():
        raise ParameterError(
            f"device='cuda' needs an NVIDIA card and its driver, got none ({_reason()}); "
            "use device='cpu'."
        )
    found, needed = driver_version(), _needed_version()
    if found < (needed, 0):
        raise ParameterError(
            f"device='cuda' needs a driver for CUDA {needed}.0 or newer, got one for CUDA "
            f"{found[0]}.{found[1]}; update the NVIDIA driver, or use device='cpu'."
        )


def _reason() -> str:
    lines = str(cuda.cuda_error() or "no device was found").strip().splitlines()
    return next((line.strip(" .:") for line in reversed(lines) if line.strip(" .:")), "no device")


def driver_version() -> tuple[int, int]:
    """Return the newest version of CUDA that the driver is for."""
    major, minor = cuda.cudadrv.driver.driver.get_version()
    return int(major), int(minor)


def _needed_version() -> int:
    try:
        return int(version("cuda-bindings").split(".")[0])
    except (PackageNotFoundError, ValueError):
        return 12


def card_name() -> str:
    """Return the name of the card at work."""
    name = cuda.get_current_device().name
    return name.decode() if isinstance(name, bytes) else str(name)


def card_memory() -> tuple[float, float]:
    """Return the bytes of the card's memory that are free, and all of them."""
    free, total = cuda.current_context().get_memory_info()
    return float(free), float(total)


def check_memory(n_words: int, bytes_a_word: float, others: float, vector_size: int) -> None:
    """Raise :class:`ParameterError` unless a vocabulary fits the card.

    Parameters
    ----------
    n_words : int
        V.
    bytes_a_word : float
    others : float
        Bytes that do not depend on the vocabulary.
    vector_size : int
        For the message.
    """
    needed = n_words * bytes_a_word + others
    free, total = card_memory()
    if needed <= free:
        return
    most = int((free - others) // bytes_a_word)
    remedy = f"keep at most {most:,} words with max_vocab" if most >= 2 else "use device='cpu'"
    taken = ""
    if needed <= total:
        taken = f" (another program has taken {(total - free) / 2**30:,.1f} GiB)"
        remedy = f"wait for it to end, or {remedy}"
    raise ParameterError(
        f"Training {n_words:,} words with vector_size={vector_size} takes "
        f"{needed / 2**30:,.2f} GiB of the card's memory, of which {free / 2**30:,.2f} GiB are "
        f"free{taken}; {remedy}."
    )


def check_settings(config: TrainingConfig) -> None:
    """Raise :class:`ParameterError` unless there is a card, and it trains with these settings."""
    limits = {"vector_size": MOST_FLOATS, "negative": MOST_NEGATIVE, "window": MOST_WINDOW}
    for name, most in limits.items() if config.loss == "negative-sampling" else ():
        if getattr(config, name) > most:
            raise ParameterError(
                f"{name} must be at most {most} with device='cuda', got {getattr(config, name)}; "
                "use device='cpu'."
            )
    check_card()


class CudaEngine(NegativeSamplingEngine):
    """Skip-gram and CBOW with negative sampling on a CUDA card.

    Parameters
    ----------
    config : TrainingConfig
    tables : SamplingTables, optional
        What windows are drawn from; :meth:`epoch` needs them, :meth:`apply_batch` does not.
    in_flight : int, optional
        Windows at work at once; by default :func:`windows_in_flight`.

    Raises
    ------
    ParameterError
        If there is no card, its memory is too small, or the settings ask for what it cannot do.
    """

    def __init__(
        self,
        config: TrainingConfig,
        tables: SamplingTables | None = None,
        in_flight: int | None = None,
    ) -> None:
        check_settings(config)
        super().__init__(config, tables)
        most = config.window if tables is None else tables.reach.most
        a_window = 4 * (2 + 4 * most + 1 + config.negative) + 16
        self.span_tokens = max(1, min(self.length, SPAN_TOKENS, SPAN_BYTES // a_window))
        if tables is not None:
            bytes_a_word = 2 * 4 * self._n_floats + 12
            others = 4.0 * self.length + 2.0 * self.span_tokens * a_window
            check_memory(self.n_outputs, bytes_a_word, others, config.vector_size)
        n_outputs = 1 + config.negative
        self._in_flight = in_flight or windows_in_flight(self.n_outputs)
        self._lanes = kernels.lanes_for(self._n_floats, n_outputs)
        self._train = kernels.training_kernel(
            self._n_floats,
            n_outputs,
            self._skipgram,
            self._mean,
            CBOW_SHARES[config.cbow_step],
            self._lanes,
            kernels.adding(),
        )
        self._corpus: dict[str, Any] = {}
        self._buffers: dict[str, Any] = {}
        self._rows: tuple[Any, Any] | None = None
        self._resident: Parameters | None = None

    def prepare(self, parameters: Parameters) -> None:
        """Copy the corpus to the card and compile the kernels on throw-away parameters."""
        parameters.check_rows(self.config.vector_size, self.n_inputs, self.n_outputs)
        spare = Parameters.zeros(self.n_inputs, self.n_outputs, self.config.vector_size)
        with card_errors():
            self.run_span(spare, Span(0, 1, 0, 0.0))

    def epoch(
        self, parameters: Parameters, epoch: int, start: int, pause: threading.Event
    ) -> Generator[Step, None, None]:
        """Give the spans of an epoch as they end; see the protocol.

        The parameters are copied to the card first and back when iteration ends, for whatever
        reason; in between those in the processor's memory are what they were.
        """
        with card_errors():
            self.upload(parameters)
            try:
                for span in self.spans(epoch, start):
                    if pause.is_set():
                        return
                    progress = (epoch + span.stop / self.length) / self.config.epochs
                    loss = self.train_span(span, self.config.learning_rate_at(progress))
                    yield Step(span.start, span.stop, loss, span.learning_rate)
            finally:
                self.download(parameters)

    def apply_batch(self, parameters: Parameters, batch: Batch, learning_rate: float) -> Loss:
        """Take one gradient step an example, one after another; see the protocol.

        Windows of words with one row each are trained on by the card, with one of them in flight,
        any other batch by the processor.
        """
        check_batch(batch, parameters.n_inputs, parameters.n_outputs)
        self.forget()
        if not batch.is_windows(self.config.negative, self.config.architecture):
            return super().apply_batch(parameters, batch, learning_rate)
        parameters.check_rows(self.config.vector_size)
        if not len(batch):
            return Loss(0.0, 0)
        self.upload(parameters)
        offsets = batch.groups if self._skipgram else batch.input_offsets
        plan = _written_down(batch.inputs, offsets, batch.outputs.reshape(len(batch), -1))
        total = cuda.to_device(np.array([len(batch)], np.int32))
        on_card = [cuda.to_device(array) for array in plan]
        loss = self._step(on_card, total, 0, 1, learning_rate, learning_rate)
        self.download(parameters)
        self.forget()
        return loss

    def run_span(self, parameters: Parameters, span: Span) -> Loss:
        """Draw the windows whose centres lie in a span, and take their steps."""
        self.upload(parameters)
        try:
            return self.train_span(span, span.learning_rate)
        finally:
            self.download(parameters)
            self.forget()

    def upload(self, parameters: Parameters) -> None:
        """Copy parameters to the card, unless they are the ones that were downloaded last."""
        if parameters is self._resident:
            return
        self._resident = None
        rows = parameters.W_in_rows.reshape(-1), parameters.W_out_rows.reshape(-1)
        sizes = tuple(row.size for row in rows)
        if self._rows is None or tuple(row.size for row in self._rows) != sizes:
            self._rows = None
            self._rows = cuda.to_device(rows[0]), cuda.to_device(rows[1])
        else:
            for there, here in zip(self._rows, rows, strict=True):
                there.copy_to_device(here)

    def download(self, parameters: Parameters) -> None:
        """Copy parameters back from the card."""
        if self._rows is not None:
            self._rows[0].copy_to_host(parameters.W_in_rows.reshape(-1))
            self._rows[1].copy_to_host(parameters.W_out_rows.reshape(-1))
            self._resident = parameters

    def forget(self) -> None:
        """Copy parameters anew the next time, since somebody else may change them meanwhile."""
        self._resident = None

    def close(self) -> None:
        """Give back the card's memory."""
        self._corpus, self._buffers, self._rows, self._resident = {}, {}, None, None

    def train_span(self, span: Span, last_rate: float) -> Loss:
        """Train the parameters on the card on the windows of a span.

        Parameters
        ----------
        span : Span
            Its learning rate is that of its begin.
        last_rate : float
            The learning rate at its end.
        """
        plan, total, aside = self.draw(span)
        return self._step(plan, total, aside, self._in_flight, span.learning_rate, last_rate)

    def drawn_windows(self, span: Span) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """Return the windows of a span as they are drawn on the card: for comparisons.

        Returns
        -------
        sizes, contexts, times, outputs : int32 (B,), (B, 2 m), (B, 2 m), (B, 1 + K)
            See :func:`wordgrad.training.kernels.cuda.draw_plan`.
        """
        plan, total, aside = self.draw(span)
        n = int(total.copy_to_host()[0]) - aside
        sizes, contexts, times, outputs = (array.copy_to_host()[:n] for array in plan)
        return sizes, contexts, times, outputs

    def draw(self, span: Span) -> tuple[list[Any], Any, int]:
        """Write a span's windows down on the card; return them, their number's place and part."""
        tables, negative = self.tables, self.config.negative
        reach = tables.reach
        key = np.uint64(tables.key(span.epoch))
        begin, left, end, right = (
            int(number)
            for number in kernels.around(
                tables.ids, tables.offsets, *first_sentence(tables, span), span.stop, reach.most,
                key, tables.keep,
            )
        )  # fmt: skip
        if not self._corpus:
            self._corpus = _corpus_on_card(tables)
        corpus = self._corpus
        runs = -(-(end - begin) // kernels.TOKENS_A_THREAD)
        breaks = np.searchsorted(tables.offsets, [span.start, span.stop], side="left")
        n_windows = span.stop - span.start + int(breaks[1] - breaks[0])
        entries = n_windows + left + right
        counts = self._buffer("counts", (runs,), np.int32)
        places = self._buffer("places", (runs,), np.int32)
        total = self._buffer("total", (1,), np.int32)
        tokens = self._buffer("tokens", (entries,), np.int32)
        bits = self._buffer("bits", (entries,), np.uint64)
        sizes = self._buffer("sizes", (n_windows,), np.int32)
        contexts = self._buffer("contexts", (n_windows, 2 * reach.most), np.int32)
        times = self._buffer("times", (n_windows, 2 * reach.most), np.int32)
        outputs = self._buffer("outputs", (n_windows, 1 + negative), np.int32)
        ids, keep = corpus["ids"], corpus["keep"]
        blocks = -(-runs // THREADS)
        kernels.grid(kernels.count_kept, blocks, THREADS)(ids, begin, end, key, keep, counts)
        kernels.grid(kernels.add_up, 1, kernels.SCAN_THREADS)(counts, runs, places, total)
        kernels.grid(kernels.list_kept, blocks, THREADS)(
            ids, begin, end, key, keep, places, tokens, bits
        )
        kernels.grid(kernels.draw_plan, -(-n_windows // THREADS), THREADS)(
            tokens, bits, total, left, right, *reach, negative, len(tables.keep), corpus["noise"],
            sizes, contexts, times, outputs,
        )  # fmt: skip
        return [sizes, contexts, times, outputs], total, left + right

    def _step(
        self, plan: list[Any], total: Any, aside: int, groups: int, first: float, last: float
    ) -> Loss:
        losses = self._buffer("losses", (groups, self._lanes), np.float64)
        pairs = self._buffer("pairs", (groups,), np.int64)
        if self._rows is None:
            raise TypeError("upload must be called before a step.")
        kernels.grid(self._train, groups, self._lanes)(
            *plan, total, aside, *self._rows, np.float32(first), np.float32(last), losses, pairs
        )
        total_loss = losses.copy_to_host()[:groups].sum()
        return Loss(float(total_loss), int(pairs.copy_to_host()[:groups].sum()))

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return memory on the card that is kept from span to span, of this size or more."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape[0] < shape[0] or buffer.shape[1:] != shape[1:]:
            self._buffers.pop(name, None)
            buffer = cuda.device_array(shape, dtype)
            self._buffers[name] = buffer
        return buffer


def _corpus_on_card(tables: SamplingTables) -> dict[str, Any]:
    """Return a corpus and its tables on the card; ids of first tokens of sentences are marked."""
    ids = np.array(tables.ids)
    starts = tables.offsets[:-1]
    starts = starts[starts < len(ids)]
    ids[starts] |= np.int32(-(2**31))
    return {
        "ids": cuda.to_device(ids),
        "keep": cuda.to_device(tables.keep),
        "noise": cuda.to_device(np.ascontiguousarray(tables.noise).view(np.uint32).reshape(-1)),
    }


def _written_down(
    inputs: NDArray[np.int32], offsets: NDArray[np.int64], targets: NDArray[np.int32]
) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Return windows in the form that the kernel reads, each context word once."""
    n = len(targets)
    contexts = np.zeros((n, int(np.diff(offsets).max())), np.int32)
    times = np.zeros_like(contexts)
    different = np.zeros(n, np.int32)
    for b in range(n):
        words, counts = np.unique(inputs[offsets[b] : offsets[b + 1]], return_counts=True)
        different[b] = len(words)
        contexts[b, : len(words)] = words
        times[b, : len(words)] = counts
    return different, contexts, times, np.ascontiguousarray(targets, np.int32)


def windows_in_flight(n_words: int) -> int:
    """Return how many windows are at work at once.

    >>> windows_in_flight(100), windows_in_flight(1_000_000)
    (3, 2112)
    """
    return max(1, min(MOST_IN_FLIGHT, n_words // WORDS_A_WINDOW))


@contextmanager
def card_errors() -> Iterator[None]:
    """Turn what the driver says when the card's memory or the card itself fails into a sentence."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        if isinstance(error, MemoryError) or "OUT_OF_MEMORY" in text:
            raise TrainingError(
                "The card ran out of memory, which another program is using too; wait for it to "
                "end, keep fewer words with max_vocab, or use device='cpu'."
            ) from error
        raise
