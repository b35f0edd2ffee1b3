"""Vectors of documents that training has not seen: words and outputs are frozen.

A new document starts where every other one does, and takes the steps that training would have
taken, an epoch after another, on its own vector alone.  Its draws count positions from its first
word, so its vector is a function of its words, the model and the seed: what else is inferred with
it, and on how many threads, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss
from wordgrad.training.kernels.documents import ALONE, WITH_WORDS, infer_documents
from wordgrad.training.kernels.draw import Reach
from wordgrad.training.kernels.huffman import HuffmanTree
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import (
    Probabilities,
    document_kind,
    epoch_key,
    input_shares,
)

SPAN_TOKENS = 4096
"""Words of a document that are drawn at a time."""

PIECE_TOKENS = 20_000
"""Threads take so many words of documents at a time."""

ALL, EVERY_OTHER, REST = range(3)
"""Which words of a document are targets."""


_NO_PATHS = np.zeros(0, np.int32), np.zeros(0, np.int8), np.zeros(0, np.int64)


def inference_rates(config: TrainingConfig, epochs: int, first: float) -> NDArray[np.float64]:
    """Learning rates of ``epochs`` epochs: from ``first`` down to that of a training's end.

    >>> inference_rates(TrainingConfig(), 3, 0.05).round(5).tolist()
    [0.05, 0.03333, 0.01667]
    """
    shares = np.array([config.learning_rate_at(epoch / epochs) for epoch in range(epochs)])
    rates: NDArray[np.float64] = shares * first / config.initial_rate
    return rates


@dataclass(frozen=True)
class Inference:
    """A model whose words are frozen.

    Attributes
    ----------
    W_in : float32 (rows, P)
        Of words, row by row; P >= D.
    W_out : float32 (rows, P)
    padding : int
        Row of ``W_in`` that stands beyond a text's ends, with ``combine="concat"``.
    config : TrainingConfig
        How the model was trained.
    probabilities : Probabilities
        Of its words: how they are subsampled, and drawn as noise.
    tree : HuffmanTree or None
        With the hierarchical softmax, the paths to its words.
    """

    W_in: NDArray[np.float32]
    W_out: NDArray[np.float32]
    padding: int
    config: TrainingConfig
    probabilities: Probabilities
    tree: HuffmanTree | None

    @classmethod
    def of(
        cls,
        W_in: NDArray[np.float32],
        W_out: NDArray[np.float32],
        padding: int,
        config: TrainingConfig,
        counts: NDArray[np.int64],
    ) -> Inference:
        """Return the model whose words have these counts, int64 (V,)."""
        tree = HuffmanTree.from_counts(counts) if config.has_tree else None
        return cls(W_in, W_out, padding, config, Probabilities.of(counts, config), tree)

    def start(self, n: int, seed: int) -> NDArray[np.float32]:
        """Vectors of n documents before their first step, (n, D): all the same."""
        first = Parameters.initial(1, 1, self.config.vector_size, seed).W_in
        return np.repeat(first, n, axis=0)

    def improve(
        self,
        vectors: NDArray[np.float32],
        ids: NDArray[np.int32],
        offsets: NDArray[np.int64],
        rates: NDArray[np.float64],
        *,
        seed: int,
        workers: int = 1,
        part: int = ALL,
    ) -> Loss:
        """Take steps on documents' vectors, in place; return the loss of the last epoch.

        Parameters
        ----------
        vectors : float32 (n, D)
        ids, offsets : int32 (T,), int64 (n + 1,)
            Document i has the words ``ids[offsets[i]:offsets[i + 1]]``; it may have none.
        rates : float64 (E,)
            The learning rate of each epoch; 0 measures the loss and changes nothing.
        seed, workers : int
        part : int
            Which words are targets: all, every other one, or the rest.
        """
        keys = np.array([epoch_key(seed, epoch) for epoch in range(len(rates))], np.uint64)

        def work(piece: slice) -> tuple[float, int]:
            return self._improve(
                vectors[piece], ids, offsets[piece.start : piece.stop + 1], keys, rates, part
            )

        pieces = list(_pieces(offsets))
        with ThreadPoolExecutor(max(1, min(workers, len(pieces)))) as pool:
            found = list(pool.map(work, pieces))
        return Loss(sum(total for total, _ in found), sum(number for _, number in found))

    def _improve(
        self,
        vectors: NDArray[np.float32],
        ids: NDArray[np.int32],
        offsets: NDArray[np.int64],
        keys: NDArray[np.uint64],
        rates: NDArray[np.float64],
        part: int,
    ) -> tuple[float, int]:
        config = self.config
        kind = document_kind(config)
        if config.architecture == "skipgram":
            kind = ALONE  # word vectors beside a document's change nothing of it
        longest = int(np.diff(offsets).max(initial=1))
        reach = Reach.of(config.window, shrink=config.shrink_windows, most=longest - 1)
        width = 1
        if config.combine == "concat":
            reach = Reach.of(config.window, shrink=False)
            width = 1 + 2 * config.window
        sizes = np.maximum(np.arange(2 * reach.most + 2), 1)
        scales = shares = np.ones(len(sizes), np.float32)
        if kind == WITH_WORDS:
            scales = input_shares(replace(config, cbow_step="exact"), sizes)
            shares = input_shares(config, sizes)
        tokens = np.zeros(2 * SPAN_TOKENS + 2 * reach.most + 4, np.int32)
        tree, negative = self.tree, config.drawn_negatives
        paths = (tree.nodes, tree.turns, tree.offsets) if tree else _NO_PATHS
        most_outputs = 1 + negative + (tree.longest if tree else 0)
        loss, n = infer_documents(
            np.ascontiguousarray(ids, np.int32), np.ascontiguousarray(offsets, np.int64), keys,
            rates, self.probabilities.keep, self.probabilities.noise, self.W_in, self.W_out,
            reach, kind, self.padding, scales, shares, part, *paths, negative, tokens,
            np.zeros(len(tokens), np.uint64), np.zeros(2 * reach.most, np.int64),
            np.zeros(most_outputs, np.int64), np.zeros(most_outputs, np.int8),
            np.zeros(width * config.vector_size, np.float32),
            np.zeros(config.vector_size, np.float32), vectors,
        )  # fmt: skip
        return float(loss), int(n)


def _pieces(offsets: NDArray[np.int64]) -> Iterator[slice]:
    """Cut documents into pieces of about :data:`PIECE_TOKENS` words."""
    first, n = 0, len(offsets) - 1
    while first < n:
        wanted = offsets[first] + PIECE_TOKENS
        stop = max(first + 1, int(np.searchsorted(offsets, wanted, side="right")) - 1)
        yield slice(first, min(stop, n))
        first = min(stop, n)
