"""Word vectors in a model of fastText (``.bin``, ``.ftz``).

The layout is in :mod:`wordgrad.io.fasttext_model`.  The vector of a word is the mean of its own row
and those of its character n-grams (:mod:`wordgrad.subwords`), which go along with the vectors, so
that those of unseen words can be composed.

What is written is a model of negative sampling whose output matrix is zero: it answers as fastText
would have, and cannot be trained further there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError, OutputError
from wordgrad.io.common import LoadOptions, VectorParts, WordDecoder, assembled, check_words
from wordgrad.io.fasttext_model import (
    CBOW,
    NEGATIVE_SAMPLING,
    REMEDY,
    SKIP_GRAM,
    VERSIONS,
    DenseMatrix,
    Dictionary,
    FastTextModel,
    Settings,
    read_model,
    write_to,
)
from wordgrad.subwords import Subwords
from wordgrad.vocabulary import Vocabulary

if TYPE_CHECKING:
    from wordgrad.corpus.word_table import WordIndex

COMPOSED_AT_ONCE = 1 << 12
"""So many vectors are composed when a file is opened, more when they are needed."""

SEARCHES = 16
"""So many words are searched in a large dictionary, before it is read and its words are indexed."""


def read(path: Path, options: LoadOptions) -> VectorParts:
    """Read a file of this format; see :func:`wordgrad.load`."""
    model = read_model(path)
    if model.n_words == 0:
        raise FormatError(f"{path} holds no words; {REMEDY}")
    settings = model.settings
    subwords = Subwords(
        model.input, model.n_words, settings.minn, settings.maxn, settings.bucket, model.pruned
    )
    rows = options.rows(model.n_words)
    whole = options.check or options.allow_nonfinite or options.errors != "strict"
    if rows > COMPOSED_AT_ONCE and not options.compose and not whole:
        table = Vocabulary.on_demand(rows, _Words(model, rows), str(path))
        return VectorParts(table, np.empty((0, settings.dim), np.float32), subwords=subwords)
    names = [model.entry(number) for number in range(rows)]
    decoder = WordDecoder(path, options.errors)
    words = decoder.decode(names, 0)
    vectors = subwords.compose(names, np.arange(len(names)))
    counts = model.counts[: len(words)]
    parts = assembled(path, words, vectors, options, counts=counts, remarks=decoder.remarks)
    return replace(parts, subwords=subwords)


class _Words:
    """The first words of a model: some are searched in the file, then all are read and indexed."""

    def __init__(self, model: FastTextModel, rows: int) -> None:
        self._model, self._rows, self._searches = model, rows, 0
        self.twice: tuple[int, int] | None = None

    def find(self, word: bytes) -> int:
        """Return the row of a word, or -1."""
        search = self._model.search
        if "_index" not in self.__dict__ and search is not None and self._searches < SEARCHES:
            self._searches += 1
            row = search(word)
            if row is not None:
                return row if row < self._rows else -1
        return self._index.find(word)

    @cached_property
    def _index(self) -> WordIndex:
        from wordgrad.corpus.word_table import WordIndex

        index = WordIndex(*self.read()[:2])
        self.twice = index.twice
        return index

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """Return their bytes, offsets and counts."""
        offsets, counts = self._model.offsets[: self._rows + 1], self._model.counts[: self._rows]
        return np.frombuffer(self._model.text, np.uint8, int(offsets[-1])), offsets, counts


def write(parts: VectorParts, path: Path) -> None:
    """Write ``parts`` to a new file at ``path``.

    Without n-grams it is a model of whole words (maxn 0), whose rows are the vectors.

    Raises
    ------
    OutputError
        If a word holds a NUL, or the n-grams were pruned.
    """
    check_words(parts, "a model of fastText", "\0", holders="safetensors or parquet")
    subwords, V, D = parts.subwords, len(parts), parts.vector_size
    if subwords is not None and subwords.pruned is not None:
        raise OutputError(
            f"The output {path} cannot be a model of fastText, for the n-grams were pruned, which "
            "fastText reads in quantised models alone; write safetensors, or drop the n-grams."
        )
    minn, maxn, bucket = subwords.kind if subwords is not None else (0, 0, 0)
    counts = np.zeros(V, np.int64) if parts.counts is None else parts.counts
    data, offsets = parts.table.packed()
    nothing = _Rows((V, D), lambda ids: np.zeros((len(ids), D), np.float32))
    model = FastTextModel(
        path=None,
        version=VERSIONS[-1],
        settings=_settings(parts.metadata, D, minn, maxn, bucket),
        n_words=V,
        n_labels=0,
        n_tokens=int(counts.sum()),
        pruned=None,
        input=DenseMatrix(parts.matrix),
        output=None,
        read_dictionary=lambda: Dictionary(data.tobytes(), offsets, counts),
    )
    with path.open("wb") as file:
        write_to(file, model, _Rows((V + bucket, D), partial(_inputs, parts)), nothing)


@dataclass(frozen=True)
class _Rows:
    """Rows that are made when they are written."""

    shape: tuple[int, int]
    rows: Callable[[Any], NDArray[np.float32]]


def _inputs(parts: VectorParts, ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return rows of words, then of buckets; ``ids`` are consecutive."""
    V, subwords = len(parts), parts.subwords
    if subwords is None:
        return parts.matrix[ids]
    if subwords.n_words == V:
        return subwords.table.rows(ids)
    # A selection of words: their rows are what, with the n-grams, makes up the vectors.
    rows = subwords.table.rows(subwords.n_words + np.maximum(ids - V, 0))
    words = parts.words[int(ids[0]) : min(int(ids[-1]) + 1, V)]
    n_ngrams = np.bincount(subwords.ngrams(words)[0], minlength=len(words))[:, None]
    vectors = parts.matrix[ids[: len(words)]]
    rows[: len(words)] = (n_ngrams + 1) * vectors - n_ngrams * subwords.compose(words)
    return rows


def _settings(metadata: Mapping[str, Any], D: int, minn: int, maxn: int, bucket: int) -> Settings:
    """Return fastText's arguments, those of the training where they are known."""
    given = metadata.get("settings")
    known = given if isinstance(given, dict) else {}

    def number(name: str, default: int) -> int:
        value = known.get(name)
        return value if type(value) is int and 0 <= value < 2**31 else default

    sample = known.get("sample")
    return Settings(
        dim=D,
        ws=number("window", 5),
        epoch=number("epochs", 5),
        min_count=number("min_count", 5),
        neg=number("negative", 5),
        word_ngrams=1,
        loss=NEGATIVE_SAMPLING,
        model=CBOW if known.get("architecture") == "cbow" else SKIP_GRAM,
        bucket=bucket,
        minn=minn,
        maxn=maxn,
        lr_update_rate=100,
        t=float(sample) if isinstance(sample, int | float) else 1e-4,
    )
