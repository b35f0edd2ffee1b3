r"""Training of a classifier of fastText's kind, from a file that need not fit in memory.

A text is the mean h of the rows of its words, of their character n-grams and of its word n-grams,
the latter two in buckets by their hashes; a matrix of one row u a label makes of it scores
:math:`u_o \cdot h` (Joulin, Grave, Bojanowski and Mikolov, *Bag of tricks for efficient text
classification*, 2017).  One text makes one step of stochastic gradient descent, at a rate that
falls linearly to 0, on one of

- softmax, :math:`-\log \mathrm{softmax}(U h)_y`, for one label y of the text, drawn anew each time;
- one-vs-all, :math:`-\sum_o \log \sigma(\pm u_o \cdot h)`, for all labels of the text;
- hierarchical softmax and negative sampling, the same sum over the nodes of the label's path and
  over the label and ``neg`` others, drawn by the square root of their counts.

As in fastText, the rows move by the gradient of h over their number: the exact gradient of the
mean.  What :class:`~wordgrad.TextClassifier` adds (features that count by what they tell, steps by
Adagrad, several networks) no file of fastText can hold.

Design
------
The file is mapped.  Its lines are found and its words counted once, by blocks; then every epoch
reads the bytes again, with the loop that answers texts, whose list of row addresses is long enough
here to hold all of a line.  So memory holds the dictionary, the matrices, and where each line ends
and its labels.  Threads take consecutive parts of the lines and share the matrices without locks
(Recht, Re, Wright and Niu, *Hogwild!*, 2011): with one thread the same seed gives the same bytes.
"""

from __future__ import annotations

import mmap
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.fasttext_kernels import (
    HIERARCHICAL_SOFTMAX,
    SOFTMAX,
    make_memory,
    read_text,
)
from wordgrad.classification.losses import NO_TREE, Tree, class_tree
from wordgrad.compiling import compiled
from wordgrad.errors import InputError, ParameterError, TrainingError
from wordgrad.io.fasttext_model import (
    NEGATIVE_SAMPLING,
    ONE_VS_ALL,
    SUPERVISED,
    VERSIONS,
    DenseMatrix,
    Dictionary,
    FastTextModel,
    Settings,
)
from wordgrad.training.kernels.intrinsics import LANES, load_int64
from wordgrad.training.kernels.random import GOLDEN, below, mix

END_OF_SENTENCE = b"</s>"
_BLOCK = 1 << 24
_NEGATIVES = 1 << 20
"""Length of the table from which labels are drawn."""

jit = compiled(fastmath={"contract", "reassoc", "nsz"})
_ZERO, _ONE = np.float32(0), np.float32(1)


@dataclass(frozen=True)
class LabelledLines:
    """What the first reading of a file finds.

    Attributes
    ----------
    data : mmap
    ends : int64 (N,)
        Where each line ends.
    labels : int32 (L,); label_ends : int64 (N + 1,)
        Line i has the labels ``labels[label_ends[i]:label_ends[i + 1]]``: places in ``names``.
    words, names : list of (bytes, int)
        Words and labels with their counts, most frequent first.
    tokens : int
        Of words and labels, and one for each line's end.
    """

    data: mmap.mmap
    ends: NDArray[np.int64]
    labels: NDArray[np.int32]
    label_ends: NDArray[np.int64]
    words: list[tuple[bytes, int]]
    names: list[tuple[bytes, int]]
    tokens: int

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        prefix: bytes,
        min_count: int,
        min_count_label: int,
        labels: Sequence[bytes] | None = None,
    ) -> LabelledLines:
        """Find the lines of a file, and count its words.

        Parameters
        ----------
        path, prefix, min_count, min_count_label
            See :meth:`wordgrad.FastTextClassifier.train`.
        labels : sequence of bytes, optional
            Those of a model, in its order: others do not count.  By default those of the file that
            occur often enough, most frequent first.

        Raises
        ------
        InputError
            It cannot be read, or has no label, or no word that occurs often enough.
        """
        try:
            with Path(path).open("rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read ({error}); name a file that can.") from error
        pattern = re.compile(rb"(?<![^\s\0])" + re.escape(prefix) + rb"[^\s\0]*")
        counts: Counter[bytes] = Counter()
        numbers: dict[bytes, int] = {}
        ends: list[NDArray[np.int64]] = []
        places: list[NDArray[np.int64]] = []
        met_labels: list[NDArray[np.int32]] = []
        start = 0
        while start < len(data):
            stop = data.find(b"\n", min(start + _BLOCK, len(data) - 1))
            stop = len(data) if stop < 0 else stop + 1
            block = data[start:stop]
            counts.update(block.replace(b"\0", b" ").split())
            found = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
            ends.append(start + found)
            met = [
                (match.start(), numbers.setdefault(match[0], len(numbers)))
                for match in pattern.finditer(block)
            ]
            places.append(start + np.array([place for place, _ in met], np.int64))
            met_labels.append(np.array([number for _, number in met], np.int32))
            start = stop
        lines = np.concatenate(ends)
        if not len(lines) or lines[-1] != len(data) - 1:
            lines = np.append(lines, len(data))
        tokens = counts.total() + len(lines)
        counts[END_OF_SENTENCE] += len(lines)
        ranked = counts.most_common()
        names = [one for one in ranked if one[0] in numbers and one[1] >= min_count_label]
        if labels is not None:
            names = [(one, counts[one]) for one in labels]
            if not numbers.keys() & set(labels):
                raise InputError(
                    f"{path} has none of the labels of the model ({labels[0]!r}, ...); name a file "
                    "that is labelled as the one it was trained on."
                )
        words = [one for one in ranked if one[0] not in numbers and one[1] >= min_count]
        if not names:
            raise InputError(
                f"{path} has no label: no word begins with {prefix.decode(errors='replace')!r} "
                f"and occurs at least {min_count_label} times; name the prefix of its labels."
            )
        if not words:
            raise InputError(
                f"No word of {path} occurs at least {min_count} times; lower that number."
            )
        order = np.full(len(numbers), -1, np.int32)
        for rank, (name, _) in enumerate(names):
            if name in numbers:
                order[numbers[name]] = rank
        flat, where = order[np.concatenate(met_labels)], np.concatenate(places)
        flat, where = flat[flat >= 0], where[flat >= 0]
        label_ends = np.searchsorted(where, np.concatenate([[0], lines])).astype(np.int64)
        return cls(data, lines, flat, label_ends, words, names, tokens)


@jit
def train_lines(
    models: Any, table: Any, output: Any, address: Any, ends: Any, labels: Any, label_ends: Any,
    first: Any, last: Any, longest: Any, capacity: Any, rate: Any, share: Any, share_left: Any,
    tree: Any, negatives: Any, n_negatives: Any, key: Any,
) -> Any:  # fmt: skip
    """Take a step for each of the lines ``first`` to ``last`` - 1; return loss and number of steps.

    models : MODEL (1,), whose rows are those of ``table``, float32 (rows, D).
    output : float32 (labels, D), or (labels - 1, D) for the tree.
    address : where the file is mapped; the other arrays as in LabelledLines.
    capacity : rows that a line may have.
    rate, share, share_left
        The rate falls from ``rate * share_left`` by ``share`` of ``rate`` over these lines.
    key : of the labels that are drawn.
    """
    model = models[0]
    memory = make_memory(model, longest, 1, capacity)
    hidden = memory.hidden_row
    size = model.size
    d_hidden = np.empty(size, np.float32)
    scores = np.empty(output.shape[0], np.float32)
    loss = 0.0
    steps = 0
    bits = mix(np.uint64(key) + np.uint64(first) * GOLDEN)
    for i in range(first, last):
        n_labels = label_ends[i + 1] - label_ends[i]
        if n_labels == 0:
            continue
        start = ends[i - 1] + 1 if i > 0 else 0
        hidden[:] = _ZERO
        total = read_text(model, address, start, ends[i], memory)
        if total == 0:
            continue
        mean = np.float32(1.0 / total)
        for d in range(size):
            hidden[d] *= mean
        d_hidden[:] = _ZERO
        done = (i - first) / (last - first)
        alpha = np.float32(rate * (share_left - share * done))
        bits = mix(bits + GOLDEN)
        label = labels[label_ends[i] + below(bits, n_labels)]
        if model.loss == SOFTMAX:
            loss += softmax_step(label, output, hidden, scores, d_hidden, alpha)
        elif model.loss == HIERARCHICAL_SOFTMAX:
            for p in range(tree.offsets[label], tree.offsets[label + 1]):
                yes = tree.signs[p] > 0
                loss += logistic_step(tree.nodes[p], yes, output, hidden, d_hidden, alpha)
        elif model.loss == ONE_VS_ALL:
            for o in range(output.shape[0]):
                yes = False
                for k in range(label_ends[i], label_ends[i + 1]):
                    yes = yes or labels[k] == o
                loss += logistic_step(o, yes, output, hidden, d_hidden, alpha)
        else:
            loss += logistic_step(label, True, output, hidden, d_hidden, alpha)
            for _ in range(n_negatives if output.shape[0] > 1 else 0):
                other = label
                while other == label:
                    bits = mix(bits + GOLDEN)
                    other = negatives[below(bits, negatives.size)]
                loss += logistic_step(other, False, output, hidden, d_hidden, alpha)
        steps += 1
        for d in range(size):
            d_hidden[d] *= mean
        for k in range(total):
            row = (load_int64(memory.rows, k) - model.table) // model.stride
            for d in range(size):
                table[row, d] += d_hidden[d]
    return loss, steps


@jit
def logistic_step(o: Any, yes: Any, output: Any, hidden: Any, d_hidden: Any, alpha: Any) -> Any:
    """Step of -log sigma(+-u_o h): move row o, add what h receives; return the loss before it."""
    z = _ZERO
    for d in range(d_hidden.size):
        z += output[o, d] * hidden[d]
    e = np.exp(-abs(z))
    step = alpha * ((_ONE if yes else _ZERO) - (_ONE if z >= 0 else e) / (_ONE + e))
    for d in range(d_hidden.size):
        d_hidden[d] += step * output[o, d]
        output[o, d] += step * hidden[d]
    return np.float64(max(z, _ZERO) - (z if yes else _ZERO)) + np.log1p(np.float64(e))


@jit
def softmax_step(
    label: Any, output: Any, hidden: Any, scores: Any, d_hidden: Any, alpha: Any
) -> Any:
    """Step of -log softmax(U h)_label: move all rows, add what h receives; return the loss."""
    top = np.float32(-np.inf)
    for o in range(scores.size):
        z = _ZERO
        for d in range(d_hidden.size):
            z += output[o, d] * hidden[d]
        scores[o] = z
        top = max(top, z)
    right = scores[label]
    total = _ZERO
    for o in range(scores.size):
        scores[o] = np.exp(scores[o] - top)
        total += scores[o]
    for o in range(scores.size):
        step = alpha * ((_ONE if o == label else _ZERO) - scores[o] / total)
        for d in range(d_hidden.size):
            d_hidden[d] += step * output[o, d]
            output[o, d] += step * hidden[d]
    return np.float64(top - right) + np.log(np.float64(total))


def trainable_rows(rows: int, size: int) -> NDArray[np.float32]:
    """Return rows that are not set yet, of which one may be read past its end: a vector of floats.

    The memory after the last row is theirs, too (``base``).
    """
    return np.zeros(rows * size + LANES, np.float32)[: rows * size].reshape(rows, size)


def new_model(lines: LabelledLines, settings: Settings, seed: int) -> FastTextModel:
    """Model before its training: rows uniform on +-1 / D, those of labels zero."""
    if settings.model != SUPERVISED or settings.loss not in (
        HIERARCHICAL_SOFTMAX, NEGATIVE_SAMPLING, SOFTMAX, ONE_VS_ALL
    ):  # fmt: skip
        raise ParameterError(f"settings must be those of a classifier, got {settings}.")
    rows, size = len(lines.words) + settings.bucket, settings.dim
    table = trainable_rows(rows, size)
    memory = table.base
    assert memory is not None
    random = np.random.default_rng([seed, 1])
    for start in range(0, len(memory), _BLOCK):
        part = memory[start : start + _BLOCK]
        part[:] = (2 * random.random(len(part), np.float32) - 1) / np.float32(size)
    entries = [*lines.words, *lines.names]
    dictionary = partial(
        Dictionary,
        b"".join(entry for entry, _ in entries),
        np.cumsum([0, *(len(entry) for entry, _ in entries)]).astype(np.int64),
        np.array([count for _, count in entries], np.int64),
    )
    return FastTextModel(
        path=None,
        version=VERSIONS[-1],
        settings=settings,
        n_words=len(lines.words),
        n_labels=len(lines.names),
        n_tokens=lines.tokens,
        pruned=None,
        input=DenseMatrix(table),
        output=DenseMatrix(np.zeros((len(lines.names), size), np.float32)),
        read_dictionary=dictionary,
    )


def train_model(
    model: FastTextModel,
    record: NDArray[Any],
    lines: LabelledLines,
    *,
    learning_rate: float,
    epochs: int,
    workers: int,
    seed: int,
    progress: Callable[[int, float], None] | None = None,
) -> None:
    """Train a model in place.

    Parameters
    ----------
    model : FastTextModel
        Its matrices are in memory, not in a file.
    record : MODEL (1,)
        Of the classifier that answers with this very input matrix.
    lines : LabelledLines
    learning_rate : float
    epochs, workers, seed : int
    progress : callable, optional
        Receives the number of epochs done, and the mean loss of the last, in nats.

    Raises
    ------
    TrainingError
        The loss is no longer a number.
    InputError
        No line has a label and a word that count.
    """
    settings = model.settings
    table, last = model.input.values, model.output.values  # type: ignore[union-attr]
    tree, output = NO_TREE, last
    counts = model.counts[model.n_words :]
    if settings.loss == HIERARCHICAL_SOFTMAX:
        tree, output = _tree(counts), last[: max(1, len(last) - 1)]
    shares = np.sqrt(counts)
    cuts = np.rint(np.cumsum(shares) / shares.sum() * _NEGATIVES).astype(np.int64)
    negatives = np.repeat(np.arange(len(counts), dtype=np.int32), np.diff(cuts, prepend=0))
    address = np.frombuffer(lines.data, np.uint8)
    n = len(lines.ends)
    longest = int(np.diff(lines.ends, prepend=-1).max())
    tokens, lengths = longest // 2 + 2, max(0, settings.maxn - settings.minn + 1)
    capacity = tokens * (1 + settings.word_ngrams)
    capacity += 2 * (longest + 2) * lengths * (settings.maxn > 0)
    edges = np.linspace(0, n, workers + 1).astype(np.int64).tolist()
    for epoch in range(epochs):
        results: list[tuple[float, int]] = []

        def work(first: int, stop: int, epoch: int = epoch, results: Any = results) -> None:
            results.append(
                train_lines(
                    record, table, output, address.ctypes.data, lines.ends, lines.labels,
                    lines.label_ends, first, stop, longest, capacity, learning_rate, 1 / epochs,
                    1 - epoch / epochs, tree, negatives, settings.neg,
                    seed * 1_000_003 + epoch,
                )
            )  # fmt: skip

        parts = [part for part in pairwise(edges) if part[0] < part[1]]
        threads = [threading.Thread(target=work, args=part) for part in parts[1:]]
        for thread in threads:
            thread.start()
        work(*parts[0])
        for thread in threads:
            thread.join()
        steps = sum(taken for _, taken in results)
        if steps == 0:
            raise InputError("No line has a label and a word that are kept; lower min_count.")
        loss = sum(total for total, _ in results) / steps
        if not np.isfinite(loss) or not np.isfinite(output).all():
            raise TrainingError(
                f"Training diverged in epoch {epoch + 1} (the loss is {loss:g}); use a lower "
                f"learning rate than {learning_rate:g}."
            )
        if progress is not None:
            progress(epoch + 1, loss)


def _tree(counts: NDArray[np.int64]) -> Tree:
    """The tree by which fastText answers; of one label, a tree that asks nothing."""
    if len(counts) == 1:
        return NO_TREE._replace(offsets=np.zeros(2, np.int64))
    return class_tree(counts)
