"""Labels of texts by a classifier that fastText trained.

Design
------
Texts become one block of bytes, and :mod:`wordgrad.classification.fasttext_kernels` answers them
without the interpreter's lock: a part of the block for each thread.  A large input matrix stays
mapped in the file, so that opening a model takes milliseconds and memory what is used; one below
:data:`COPIED_BYTES` is copied, for aligned rows are faster.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification import fasttext_kernels as kernels
from wordgrad.classification.fasttext_training import LabelledLines, new_model, train_model
from wordgrad.errors import (
    FormatError,
    InputError,
    ParameterError,
    check_choice,
    check_int,
    check_real,
)
from wordgrad.io.fasttext_model import (
    HIERARCHICAL_SOFTMAX,
    LONGEST,
    NEGATIVE_SAMPLING,
    ONE_VS_ALL,
    SOFTMAX,
    SUPERVISED,
    DenseMatrix,
    FastTextModel,
    Matrix,
    QuantisedMatrix,
    Settings,
    read_model,
    write_model,
)
from wordgrad.processes import usable_cores
from wordgrad.training.kernels.huffman import children
from wordgrad.training.kernels.intrinsics import LANES
from wordgrad.training.parameters import aligned_rows
from wordgrad.word_vectors import WordVectors, load

Labels: TypeAlias = tuple[str, ...]
Probabilities: TypeAlias = NDArray[np.float32]

LOSSES = {
    "softmax": SOFTMAX,
    "one-vs-all": ONE_VS_ALL,
    "hierarchical-softmax": HIERARCHICAL_SOFTMAX,
    "negative-sampling": NEGATIVE_SAMPLING,
}

COPIED_BYTES = 1 << 25
"""An input matrix of more bytes stays in the file."""

BYTES_A_THREAD = 1 << 15
"""Fewer bytes of text are not worth a thread of their own."""

PARTS_A_THREAD = 4
"""A block is cut so fine that a thread that was held up does not hold up the others."""

CELLS = 1 << 22
"""Labels that are answered in one block: texts times ``k``."""

STREAMED_TEXTS = 1 << 10
DECODED_RATIO = 256
"""A quantised matrix may become so many times as large as its file, or 64 MiB."""


class FastTextClassifier:
    """A classifier that fastText trained: open it with :meth:`load`, ask it with :meth:`predict`.

    Labels, their order and their probabilities are fastText's: for softmax, hierarchical softmax,
    one-vs-all and negative sampling, with n-grams of words and of characters, quantised and pruned
    or not.  Sums are taken in fastText's order, so that they round alike.

    Attributes
    ----------
    labels : tuple of str
        As the file has them (``"__label__en"``), most frequent first.
    model : FastTextModel
        What the file holds: settings, dictionary, matrices.
    """

    def __init__(self, model: FastTextModel) -> None:
        settings = model.settings
        if settings.model != SUPERVISED:
            raise InputError(
                f"{model.name} holds word vectors, not a classifier; open it with wordgrad.load."
            )
        if model.output is None or model.n_labels == 0:
            raise FormatError(
                f"{model.name} holds no labels, or ends before their matrix; fetch a whole copy."
            )
        self.model = model
        self.labels: Labels = tuple(one.decode(errors="surrogateescape") for one in model.labels)
        self._singles = [(label,) for label in self.labels]
        self._unread = np.empty(1, np.int32)
        self._arrays: list[Any] = []  # what the addresses in the record belong to
        self._record = np.zeros(1, dtype=kernels.MODEL)
        self._enter_dictionary(model)
        self._enter_input(model)
        self._enter_output(model, model.output)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FastTextClassifier:
        """Open a ``.bin`` or ``.ftz`` file.

        Raises
        ------
        InputError
            It cannot be read, or holds no classifier.
        FormatError
            It is no model of fastText, or damaged.
        """
        return cls(read_model(path))

    def quantize(
        self,
        *,
        cutoff: int = 0,
        width: int = 2,
        norms: bool = False,
        output: bool = False,
        seed: int = 1,
        retrain: str | os.PathLike[str] | None = None,
        epochs: int = 1,
        learning_rate: float = 0.05,
        label_prefix: str = "__label__",
        workers: int | None = None,
        progress: Callable[[int, float], None] | None = None,
    ) -> FastTextClassifier:
        """Return the classifier made small, by product quantisation and pruning.

        Parameters
        ----------
        cutoff, width, norms, output, seed
            See :func:`wordgrad.classification.quantisation.quantise_model`; fastText calls them
            ``cutoff``, ``dsub``, ``qnorm`` and ``qout``.
        retrain : path, optional
            Labelled text, on which the rows that pruning leaves, and those of the labels, are
            trained again before they are quantised; fastText's ``retrain`` and ``input``.
        epochs, learning_rate, label_prefix, workers, progress
            Of that training; see :meth:`train`.

        Raises
        ------
        InputError
            It is quantised already, or holds values that are not finite; ``retrain`` cannot be
            read, or has none of its labels.
        ParameterError
            A setting is out of range, or ``retrain`` is given without ``cutoff``.
        TrainingError
            The loss is no longer a number.
        """
        from wordgrad.classification.quantisation import pruned_model, quantise_model

        model = self.model
        if retrain is not None:
            check_int("cutoff", cutoff, minimum=0)
            if cutoff == 0:
                raise ParameterError(
                    "retrain trains what pruning leaves, and cutoff is 0, which keeps all; set "
                    "cutoff to the rows to keep."
                )
            check_int("epochs", epochs, minimum=1)
            learning_rate = check_real("learning_rate", learning_rate, above=0.0)
            names, prefix = model.labels, _checked_prefix(label_prefix)
            lines = LabelledLines.read(retrain, prefix, 1, 0, names)
            model = pruned_model(model, cutoff)
            if model is self.model:
                raise ParameterError(
                    f"cutoff must be below the {model.input.shape[0]} rows of the model for "
                    f"retrain, got {cutoff}."
                )
            model = self._trained(model, lines, learning_rate, epochs, workers, seed, progress)
        return FastTextClassifier(
            quantise_model(model, cutoff=cutoff, width=width, norms=norms, output=output, seed=seed)
        )

    @classmethod
    def _trained(
        cls,
        model: FastTextModel,
        lines: LabelledLines,
        learning_rate: float,
        epochs: int,
        workers: int | None,
        seed: int,
        progress: Callable[[int, float], None] | None,
    ) -> FastTextModel:
        """Return the model, trained in place."""
        workers = usable_cores() if workers is None else check_int("workers", workers, minimum=1)
        reader = cls(model)  # holds what the addresses in its record belong to
        train_model(
            model, reader._record, lines, learning_rate=learning_rate, epochs=epochs,
            workers=workers, seed=seed, progress=progress,
        )  # fmt: skip
        return model

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write a file that fastText opens: ``.ftz`` if the classifier is quantised, else ``.bin``.

        Raises
        ------
        OutputError
            See :func:`wordgrad.io.fasttext_model.write_model`.
        """
        write_model(self.model, path, overwrite=overwrite)

    @classmethod
    def train(
        cls,
        path: str | os.PathLike[str],
        *,
        vector_size: int = 100,
        epochs: int = 5,
        learning_rate: float = 0.1,
        loss: str = "softmax",
        ngrams: int = 1,
        subwords: tuple[int, int] | None = None,
        buckets: int = 2_000_000,
        negative: int = 5,
        min_count: int = 1,
        min_count_label: int = 0,
        label_prefix: str = "__label__",
        vectors: WordVectors | str | os.PathLike[str] | None = None,
        workers: int | None = None,
        seed: int = 1,
        progress: Callable[[int, float], None] | None = None,
    ) -> FastTextClassifier:
        """Train a classifier as fastText does, which fastText opens; a file of any size.

        :class:`~wordgrad.TextClassifier` is the better classifier; this one is for programs that
        read ``.bin`` and ``.ftz``.

        Parameters
        ----------
        path : path
            Text with labels on every line, as fastText reads it.
        vector_size, epochs, learning_rate, ngrams, buckets, negative, min_count, min_count_label
            fastText's ``dim``, ``epoch``, ``lr``, ``wordNgrams``, ``bucket``, ``neg``, ``minCount``
            and ``minCountLabel``.
        loss : {"softmax", "one-vs-all", "hierarchical-softmax", "negative-sampling"}
        subwords : (int, int), optional
            Shortest and longest n-grams of characters, ``minn`` and ``maxn``; by default none.
        label_prefix : str
            What a label begins with.  fastText's files do not keep it: with another one than the
            usual, labels that the training text lacks count as words afterwards.
        vectors : WordVectors or path, optional
            Where the vectors of words start.
        workers : int, optional
            Threads; by default one a core.  With one the same seed gives the same bytes.
        seed : int
        progress : callable, optional
            Receives the epochs done, and the mean loss of the last.

        Raises
        ------
        InputError
            The file cannot be read, or has no label or no word.
        ParameterError
            A setting is out of range.
        TrainingError
            The loss is no longer a number.
        """
        check_choice("loss", loss, tuple(LOSSES))
        for name, value, least in (
            ("vector_size", vector_size, 1), ("epochs", epochs, 1), ("ngrams", ngrams, 1),
            ("buckets", buckets, 0), ("negative", negative, 1), ("min_count", min_count, 0),
            ("min_count_label", min_count_label, 0), ("seed", seed, 0),
        ):  # fmt: skip
            check_int(name, value, minimum=least, maximum=2**31 - 1)
        learning_rate = check_real("learning_rate", learning_rate, above=0.0)
        if subwords is not None and not (
            len(subwords) == 2 and 1 <= subwords[0] <= subwords[1] <= LONGEST
        ):
            raise ParameterError(
                f"subwords must be two lengths from 1 to {LONGEST}, the shorter first, got "
                f"{subwords!r}."
            )
        minn, maxn = subwords or (0, 0)
        lines = LabelledLines.read(path, _checked_prefix(label_prefix), min_count, min_count_label)
        settings = Settings(
            dim=vector_size, ws=5, epoch=epochs, min_count=min_count, neg=negative,
            word_ngrams=ngrams, loss=LOSSES[loss], model=SUPERVISED,
            bucket=buckets if ngrams > 1 or maxn > 0 else 0, minn=minn, maxn=maxn,
            lr_update_rate=100, t=1e-4,
        )  # fmt: skip
        model = new_model(lines, settings, seed)
        if vectors is not None:
            _start_from(model, vectors)
        return cls(cls._trained(model, lines, learning_rate, epochs, workers, seed, progress))

    def __reduce__(self) -> tuple[Any, ...]:
        if self.model.path is None:
            return FastTextClassifier, (self.model,)
        return FastTextClassifier.load, (self.model.path,)

    def __repr__(self) -> str:
        return (
            f"<FastTextClassifier: {len(self.labels):,} labels, {self.model.n_words:,} words, "
            f"{self.model.settings.dim} dimensions>"
        )

    # ---------------------------------------------------------------- predict

    @overload  # a text is a sequence of texts, too
    def predict(  # type: ignore[overload-overlap]
        self, texts: str | bytes, k: int = 1, threshold: float = 0.0, *, workers: int | None = None
    ) -> tuple[Labels, Probabilities]: ...

    @overload
    def predict(
        self,
        texts: Sequence[str | bytes],
        k: int = 1,
        threshold: float = 0.0,
        *,
        workers: int | None = None,
    ) -> tuple[list[Labels], list[Probabilities]]: ...

    def predict(
        self,
        texts: str | bytes | Sequence[str | bytes],
        k: int = 1,
        threshold: float = 0.0,
        *,
        workers: int | None = None,
    ) -> tuple[Labels | list[Labels], Probabilities | list[Probabilities]]:
        r"""The most probable labels of a text, or of each of several.

        Parameters
        ----------
        texts : str or bytes, or a sequence of them
            White space, as fastText defines it (space, ``\t``, ``\n``, ``\v``, ``\f``, ``\r``,
            ``\0``), separates words; a new line is white space, too, where fastText refuses it.
            The word ``</s>`` ends a text, as in fastText: what follows it does not count.
        k : int
            Labels a text at most; -1 for all.
        threshold : float
            Labels of a smaller probability are left out.
        workers : int, optional
            Threads for several texts; by default one a core.

        Returns
        -------
        labels : tuple of str, or a list of tuples
            The most probable first.  Empty for a text without a known word or n-gram.
        probabilities : float32 (n,), or a list of arrays
            As in fastText, each is 1e-5 too large (with hierarchical softmax, about that at each
            node), and those of one-vs-all do not sum to 1.

        Raises
        ------
        ParameterError
            An argument is out of range, or a text is no string.
        FormatError
            The model gives a number that is not finite: the file is damaged.

        Notes
        -----
        Bytes need not be UTF-8: they are compared with the dictionary as they are.  So are those
        that ``errors="surrogateescape"`` kept in a string; other lone surrogates, which have no
        bytes, are read as U+FFFD.
        """
        plain = type(texts) is str and type(k) is int and type(threshold) is float
        if plain and k == 1 and workers is None and threshold - threshold == 0:
            return self._best(as_bytes(texts), threshold)  # what is asked most, text after text
        if not (type(k) is int and k > 0):
            k = check_int("k", k, minimum=-1)
            if k == 0:
                raise ParameterError("k must be at least 1, or -1 for all labels, got 0.")
        k = len(self.labels) if k < 0 else min(k, len(self.labels))
        if type(threshold) is not float or not math.isfinite(threshold):
            threshold = check_real("threshold", threshold)
        if workers is not None:
            workers = check_int("workers", workers, minimum=1)
        if isinstance(texts, (str, bytes)):
            return self._one(as_bytes(texts), k, threshold)
        return self._many(list(texts), k, threshold, workers)

    def predict_stream(
        self,
        texts: Iterable[str | bytes],
        k: int = 1,
        threshold: float = 0.0,
        *,
        workers: int | None = None,
        batch_size: int = STREAMED_TEXTS,
    ) -> Iterator[tuple[Labels, Probabilities]]:
        """Yield the answer to each text of an endless stream, in order.

        Parameters
        ----------
        texts : iterable of str or bytes
        k, threshold, workers
            As in :meth:`predict`.
        batch_size : int
            Texts that are read before the first of them is answered.

        Raises
        ------
        ParameterError, FormatError
            As :meth:`predict`.
        """
        if isinstance(texts, (str, bytes)):
            raise ParameterError("texts must be an iterable of texts, got one; use predict.")
        check_int("batch_size", batch_size, minimum=1)
        source = iter(texts)
        while batch := list(islice(source, batch_size)):
            yield from zip(*self.predict(batch, k, threshold, workers=workers), strict=True)

    def text_vector(self, text: str | bytes) -> Probabilities:
        """Mean of the rows of a text, from which its labels are predicted; float32 (D,).

        Zero for a text without a known word or n-gram.
        """
        vector = np.empty(self.model.settings.dim, dtype=np.float32)
        kernels.text_vector(self._record, as_bytes(text), vector)
        return vector

    def _best(self, text: bytes, threshold: float) -> tuple[Labels, Probabilities]:
        probability = np.empty(1, np.float32)
        label = kernels.answer_one(self._record, text, 1, threshold, self._unread, probability)
        if label >= 0:
            return self._singles[label], probability
        if label == kernels.NOT_FINITE:
            raise self._not_finite()
        return (), probability[:0]

    def _one(self, text: bytes, k: int, threshold: float) -> tuple[Labels, Probabilities]:
        if k == 1:
            return self._best(text, threshold)
        found, probabilities = np.empty(k, np.int32), np.empty(k, np.float32)
        n = kernels.answer_one(self._record, text, k, threshold, found, probabilities)
        if n < 0:
            raise self._not_finite()
        return tuple([self.labels[label] for label in found[:n].tolist()]), probabilities[:n]

    def _many(
        self, texts: list[str | bytes], k: int, threshold: float, workers: int | None
    ) -> tuple[list[Labels], list[Probabilities]]:
        labels: list[Labels] = []
        probabilities: list[Probabilities] = []
        step = max(1, CELLS // k)
        for first in range(0, len(texts), step):
            block, ends = joined(texts[first : first + step])
            found, values, counts = self._answers(block, ends, k, threshold, workers)
            if counts.min() < 0:
                raise self._not_finite()
            if counts.min() == k:
                if k == 1:
                    singles = self._singles
                    labels += [singles[label] for label in found.ravel().tolist()]
                else:
                    names = self.labels
                    labels += [tuple([names[i] for i in row]) for row in found.tolist()]
                probabilities.extend(values)
                continue
            for row, chances, n in zip(found.tolist(), values, counts.tolist(), strict=True):
                labels.append(tuple([self.labels[label] for label in row[:n]]))
                probabilities.append(chances[:n])
        return labels, probabilities

    def _answers(
        self, block: bytes, ends: NDArray[np.int64], k: int, threshold: float, workers: int | None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
        """Labels (N, k), probabilities (N, k) and how many there are (N,)."""
        n = len(ends)
        found, values = np.zeros((n, k), np.int32), np.zeros((n, k), np.float32)
        counts = np.zeros(n, np.int32)
        threads = min(workers or usable_cores(), 1 + len(block) // BYTES_A_THREAD, n)
        parts = 1 if threads == 1 else PARTS_A_THREAD * threads
        places = np.linspace(0, len(block), parts + 1)[1:-1]
        cuts = [0, *np.searchsorted(ends, places).tolist(), n]
        left = [(first, last) for first, last in pairwise(cuts) if first < last]

        def work() -> None:
            """Answer parts until none is left."""
            while True:
                try:
                    first, last = left.pop()
                except IndexError:
                    return
                kernels.answer_lines(
                    self._record, block, ends, first, last, k, threshold, found, values,
                    counts,
                )  # fmt: skip

        others = [threading.Thread(target=work) for _ in range(threads - 1)]
        for thread in others:
            thread.start()
        work()
        for thread in others:
            thread.join()
        return found, values, counts

    def _not_finite(self) -> FormatError:
        return FormatError(
            f"{self.model.name} holds values that are not finite; fetch a whole copy."
        )

    # ---------------------------------------------------------------- the kernels' record

    def _enter(self, **values: Any) -> None:
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                self._arrays.append(value)
                value = value.ctypes.data
            self._record[name] = value

    def _enter_dictionary(self, model: FastTextModel) -> None:
        text = np.frombuffer(model.text + b"\0", dtype=np.uint8)
        entries = len(model.offsets) - 1
        slots = np.full((1 << max(1, (2 * entries - 1).bit_length()), 2), -1, dtype=np.int32)
        kernels.fill_slots(slots, text, model.offsets)
        of_four = np.flatnonzero(np.diff(model.offsets[: model.n_words + 1]) == len(b"</s>"))
        end = next((word for word in of_four[::-1].tolist() if model.entry(word) == b"</s>"), -1)
        self._enter(slots=slots, mask=len(slots) - 1, text=text, offsets=model.offsets,
                    n_words=model.n_words, end_of_sentence=end)  # fmt: skip

    def _enter_input(self, model: FastTextModel) -> None:
        settings, pruned = model.settings, model.pruned
        vectors = -(-settings.dim // LANES)
        table, stride = self._table(model.input, vectors)
        subwords = settings.maxn > 0 and settings.bucket > 0 and (pruned is None or len(pruned) > 0)
        pairs = settings.word_ngrams > 1 and settings.bucket > 0
        self._enter(
            size=settings.dim, vectors=vectors, table=table, stride=stride,
            ngrams=(subwords or pairs) and (pruned is None or len(pruned) > 0),
            bucket=max(1, settings.bucket), minn=settings.minn, maxn=settings.maxn,
            word_ngrams=settings.word_ngrams,
        )  # fmt: skip
        if pruned is not None and len(pruned):
            bits = (2 * len(pruned)).bit_length()
            kept = np.full((1 << bits, 2), -1, dtype=np.int32)
            kernels.fill_kept(kept, bits, np.ascontiguousarray(pruned))
            self._enter(kept=kept, kept_bits=bits)

    def _table(self, matrix: Matrix, vectors: int) -> tuple[Any, int]:
        """The input's rows, mapped or copied with padding, and the bytes from row to row."""
        rows, columns = matrix.shape
        stride = 4 * vectors * LANES
        if not isinstance(matrix, QuantisedMatrix):
            # A mapped row is read past its end, up to a whole vector of at most LANES floats: from
            # the last one into the output matrix, which has at least one row as long.
            mapped = matrix.values.nbytes > COPIED_BYTES and columns >= LANES
            if _reaches_past(matrix.values) or (mapped and self.model.path is not None):
                return matrix.values, 4 * columns
        elif self.model.path is not None and rows * stride > max(
            2**26, DECODED_RATIO * self.model.path.stat().st_size
        ):
            raise FormatError(
                f"{self.model.name} holds a matrix that takes {rows * stride} bytes when decoded, "
                "more than a model of its size can need; fetch a whole copy."
            )
        table = aligned_rows(rows, vectors * LANES)
        for first in range(0, rows, 1 << 16):
            part = np.arange(first, min(first + (1 << 16), rows))
            table[part[0] : part[-1] + 1, :columns] = matrix.rows(part)
        return table, stride

    def _enter_output(self, model: FastTextModel, output: Matrix) -> None:
        n, loss = len(self.labels), model.settings.loss
        ids = np.arange(n)
        if isinstance(output, QuantisedMatrix):
            values = output.directions(ids)  # fastText multiplies the sums by the norms
            if output.norms is not None:
                self._enter(norms=output.norms)
        else:
            values = output.values
        self._enter(n_labels=n, loss=loss)
        if loss == HIERARCHICAL_SOFTMAX:
            counts = model.counts[model.n_words :]
            if counts.sum(dtype=np.float64) >= 1e15:
                raise FormatError(
                    f"{model.name} counts its labels {counts.sum(dtype=np.float64):g} times, more "
                    "than its tree can hold; fetch a whole copy."
                )
            left, right = children(np.ascontiguousarray(counts, np.int64))
            self._enter(output=np.array(values, dtype=np.float32), left=left, right=right)
            return
        vectors = -(-n // LANES)
        width = 1 if vectors < kernels.WIDE else kernels.WIDE
        blocks, lanes = -(-vectors // width), width * LANES
        table = aligned_rows(blocks * model.settings.dim, lanes)
        for block in range(blocks):
            rows = values[block * lanes : (block + 1) * lanes]
            first = block * model.settings.dim
            table[first : first + model.settings.dim, : len(rows)] = rows.T
        steps = np.arange(kernels.SIGMOID_STEPS + 1) * 16 / kernels.SIGMOID_STEPS - 8
        rising = np.float64(1) + np.exp(-steps).astype(np.float32)
        self._enter(output=table, width=width, blocks=blocks,
                    sigmoid=(1 / rising).astype(np.float32))  # fmt: skip


def _checked_prefix(prefix: object) -> bytes:
    if not isinstance(prefix, str) or len(prefix.split()) != 1:
        raise ParameterError(f"label_prefix must be a string without white space, got {prefix!r}.")
    return prefix.encode()


def _start_from(model: FastTextModel, vectors: WordVectors | str | os.PathLike[str]) -> None:
    """Give words the vectors they have elsewhere."""
    if not isinstance(vectors, WordVectors):
        vectors = load(vectors)
    if vectors.vector_size != model.settings.dim:
        raise ParameterError(
            f"vectors must have vector_size={model.settings.dim} numbers, got "
            f"{vectors.vector_size}; set vector_size to that."
        )
    table = model.input
    assert isinstance(table, DenseMatrix)
    for row, word in enumerate(model.words):
        name = word.decode(errors="surrogateescape")
        if name in vectors:
            table.values[row] = vectors[name]


def _reaches_past(values: NDArray[np.float32]) -> bool:
    """Whether rows in memory, one after another, are followed by a whole vector of floats."""
    base = values.base
    return (
        isinstance(base, np.ndarray)
        and base.dtype == np.float32
        and base.ctypes.data == values.ctypes.data
        and values.flags.c_contiguous
        and base.size >= values.size + LANES
    )


def as_bytes(text: object) -> bytes:
    r"""Return a text's bytes, as :meth:`FastTextClassifier.predict` says.

    >>> as_bytes("é"), as_bytes(b"\xff".decode(errors="surrogateescape")), as_bytes("\ud800")
    (b'\xc3\xa9', b'\xff', b'\xef\xbf\xbd')
    """
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise ParameterError(f"a text must be a string or bytes, got {text!r}.")
    try:
        return text.encode()
    except UnicodeEncodeError:
        escaped = [c if _has_bytes(c) else "\ufffd" for c in text]
        return "".join(escaped).encode(errors="surrogateescape")


def _has_bytes(character: str) -> bool:
    return not "\ud800" <= character <= "\udfff" or "\udc80" <= character <= "\udcff"


def joined(texts: Sequence[str | bytes]) -> tuple[bytes, NDArray[np.int64]]:
    r"""Return texts as one block, a byte between them, and where each ends.

    >>> joined(["ab", b"", "c"])
    (b'ab\n\nc', array([2, 3, 5]))
    """
    try:
        block = "\n".join(texts).encode()  # type: ignore[arg-type]  # bytes: see below
    except (TypeError, UnicodeEncodeError):
        pass
    else:
        ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n"))
        if len(ends) == len(texts) - 1:
            return block, np.append(ends, len(block))
    pieces = [as_bytes(text) for text in texts]  # with lines, bytes or surrogates in them
    lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
    return b"\n".join(pieces), np.cumsum(lengths) + np.arange(len(pieces))
