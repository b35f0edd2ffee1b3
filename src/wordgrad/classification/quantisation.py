r"""Matrices in a byte a part: product quantisation, and models of fastText made small by it.

The columns of a matrix are cut into parts of a few columns.  In each part the rows' pieces are
replaced by the nearest of 256 centroids, of which one byte tells the number (Jégou, Douze and
Schmid, *Product quantization for nearest neighbor search*, 2011): a row of D floats, 4 D bytes,
becomes D / 2 bytes with parts of two columns.  The centroids are those of k-means, which minimises

.. math:: \sum_i \min_c \lVert x_i - m_c \rVert^2

by turns: every piece goes to its nearest centroid, every centroid to the mean of its pieces (Lloyd,
*Least squares quantization in PCM*, 1982).  With ``norms`` rows are divided by their lengths first,
which are quantised on their own: directions then share the centroids, however long rows are.

Design
------
A piece has two columns or so and 256 centroids, so that a matrix product would be no product: one
kernel computes the 256 scores of a piece side by side and finds the least.  Centroids are found
from :data:`SAMPLE` rows at most, and all rows are then given their codes, part by part, so that no
copy of the whole matrix is made.  Parts are independent, and threads take them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.fasttext_training import trainable_rows
from wordgrad.compiling import compiled
from wordgrad.errors import InputError, ParameterError, check_bool, check_int
from wordgrad.io.fasttext_model import (
    CENTROIDS,
    SUPERVISED,
    DenseMatrix,
    Dictionary,
    FastTextModel,
    QuantisedMatrix,
    quantised_sizes,
)
from wordgrad.processes import usable_cores

SAMPLE = 256 * CENTROIDS
"""Rows from which the centroids are found, at most; as in fastText."""

ROUNDS = 25
"""Of k-means; as in fastText."""

ROWS_AT_ONCE = 1 << 16

# Everything is finite, which is checked before.
jit = compiled(fastmath={"contract", "reassoc", "nsz", "nnan"})


@jit
def nearest(points: Any, centroids: Any, codes: Any) -> None:
    """Write the number of every point's nearest centroid, the first of equal ones.

    points : float32 (N, W); centroids : float32 (W, 256), a column each; codes : uint8 (N,).
    """
    scores = np.empty(centroids.shape[1], np.float32)
    halves = np.zeros(centroids.shape[1], np.float32)
    for d in range(centroids.shape[0]):
        for c in range(halves.size):
            halves[c] += np.float32(0.5) * centroids[d, c] * centroids[d, c]
    for i in range(points.shape[0]):
        scores[:] = halves  # |m|^2 / 2 - x m = |x - m|^2 / 2 - |x|^2 / 2
        for d in range(points.shape[1]):
            x = points[i, d]
            for c in range(scores.size):
                scores[c] -= x * centroids[d, c]
        least = scores[0]
        for c in range(1, scores.size):
            least = min(least, scores[c])
        c = 0
        while scores[c] != least:
            c += 1
        codes[i] = c


def centroids_of(points: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Centroids of points (N, W) by k-means: float32 (256, W).

    Fewer points than 256 are their own centroids, and the rest are zero.  A centroid that no point
    is nearest to moves to the point that is farthest from its own.

    >>> points = np.repeat(np.arange(3, dtype=np.float32), 200)[:, None]
    >>> np.unique(centroids_of(points, np.random.default_rng(1))).tolist()
    [0.0, 1.0, 2.0]
    """
    n, width = points.shape
    if n <= CENTROIDS:
        return np.concatenate([points, np.zeros((CENTROIDS - n, width), np.float32)])
    found = points[random.choice(n, CENTROIDS, replace=False)]
    codes = np.empty(n, np.uint8)
    for _ in range(ROUNDS):
        nearest(points, np.ascontiguousarray(found.T), codes)
        sizes = np.bincount(codes, minlength=CENTROIDS)
        sums = [np.bincount(codes, points[:, d], CENTROIDS) for d in range(width)]
        moved = (np.stack(sums, axis=1) / np.maximum(sizes, 1)[:, None]).astype(np.float32)
        empty = np.flatnonzero(sizes == 0)
        if len(empty):
            errors = ((points - found[codes]) ** 2).sum(axis=1)
            moved[empty] = points[np.argsort(-errors, kind="stable")[: len(empty)]]
        if np.array_equal(moved, found):
            break
        found = moved
    return found


def quantise_matrix(
    matrix: DenseMatrix, width: int = 2, *, norms: bool = False, seed: int = 1
) -> QuantisedMatrix:
    """Replace pieces of ``width`` columns by the nearest of 256 centroids.

    Parameters
    ----------
    matrix : DenseMatrix
        N rows of D columns.
    width : int, default 2
        Columns of a part; the last has what is left.
    norms : bool, default False
        Quantise directions and lengths of rows apart.
    seed : int, default 1
        Of the rows from which centroids are found.

    Raises
    ------
    InputError
        A value is not finite.

    Examples
    --------
    >>> values = np.random.default_rng(1).standard_normal((1000, 8)).astype(np.float32)
    >>> small = quantise_matrix(DenseMatrix(values))
    >>> small.codes.shape, small.codes.nbytes * 8 == values.nbytes
    ((1000, 4), True)
    >>> float(np.square(small.rows(range(1000)) - values).mean()) < 0.02
    True
    """
    rows, columns = matrix.shape
    lengths = np.empty(rows, np.float32)
    for first in range(0, rows, ROWS_AT_ONCE):
        part = slice(first, min(first + ROWS_AT_ONCE, rows))
        values = matrix.rows(np.arange(part.start, part.stop))
        if not np.isfinite(values).all():
            raise InputError("A matrix with values that are not finite cannot be quantised.")
        lengths[part] = np.linalg.norm(values.astype(np.float64), axis=1)
    sample = np.arange(rows)
    if rows > SAMPLE:
        sample = np.sort(np.random.default_rng([seed, 0]).choice(rows, SAMPLE, replace=False))
    scale = np.where(lengths > 0, lengths, np.float32(1))[:, None]
    starts = range(0, columns, width)
    codes = np.empty((len(starts), rows), np.uint8)

    def quantise(values: NDArray[np.float32], number: int, out: NDArray[np.uint8]) -> Any:
        found = centroids_of(values[sample], np.random.default_rng([seed, number]))
        nearest(values, np.ascontiguousarray(found.T), out)
        return found

    def part_of(number: int) -> NDArray[np.float32]:
        piece = slice(starts[number], starts[number] + width)
        values = np.empty((rows, len(range(columns)[piece])), np.float32)
        for first in range(0, rows, ROWS_AT_ONCE):
            some = slice(first, min(first + ROWS_AT_ONCE, rows))
            values[some] = matrix.columns(some, piece)
        if norms:
            values /= scale
        found: NDArray[np.float32] = quantise(values, 1 + number, codes[number]).ravel()
        return found

    with ThreadPoolExecutor(usable_cores()) as pool:
        centroids = np.concatenate(list(pool.map(part_of, range(len(starts)))))
    kept = None
    if norms:
        chosen = np.empty(rows, np.uint8)
        kept = quantise(lengths[:, None], 0, chosen).ravel()[chosen]
    return QuantisedMatrix(np.ascontiguousarray(codes.T), centroids, width, columns, kept)


def quantise_model(
    model: FastTextModel,
    *,
    cutoff: int = 0,
    width: int = 2,
    norms: bool = False,
    output: bool = False,
    seed: int = 1,
) -> FastTextModel:
    """Make a classifier of fastText small: its input quantised, and first pruned.

    Parameters
    ----------
    model : FastTextModel
        A classifier that is not quantised yet.
    cutoff : int, default 0
        Rows of the input that are kept, those of words and those of n-grams together: the longest,
        for a short row moves the mean of a text little; and ``</s>``.  0 keeps all.
    width, norms, seed
        See :func:`quantise_matrix`.
    output : bool, default False
        Quantise the output, too: worth it for thousands of labels.

    Returns
    -------
    FastTextModel
        Of no file, until it is written.

    Raises
    ------
    InputError
        It is quantised already, or is no classifier, or holds values that are not finite.
    ParameterError
        A setting is out of range.
    """
    check_int("cutoff", cutoff, minimum=0)
    check_int("width", width, minimum=1)
    check_int("seed", seed, minimum=0)
    check_bool("norms", norms)
    check_bool("output", output)
    columns = model.settings.dim
    if width > columns:
        raise ParameterError(f"width must be at most the {columns} columns of a row, got {width}.")
    model = pruned_model(model, cutoff)
    table, last = _matrices(model)
    return replace(
        model,
        path=None,
        input=quantise_matrix(table, width, norms=norms, seed=seed),
        output=quantise_matrix(last, min(2, columns), norms=norms, seed=seed) if output else last,
    )


def _matrices(model: FastTextModel) -> tuple[DenseMatrix, DenseMatrix]:
    """Both matrices of a classifier that is not quantised yet."""
    if model.settings.model != SUPERVISED or model.output is None:
        raise InputError(f"{model.name} is no classifier, and classifiers alone are quantised.")
    if not isinstance(model.input, DenseMatrix) or not isinstance(model.output, DenseMatrix):
        raise InputError(f"{model.name} is quantised already; take the model it was made from.")
    return model.input, model.output


def pruned_model(model: FastTextModel, cutoff: int) -> FastTextModel:
    """Keep the ``cutoff`` longest rows of a classifier's input, and those words and n-grams.

    The rows are copied, so that they can be trained again.  No file can hold the result before it
    is quantised.  With a cutoff of 0, or of all rows, it is the model itself.

    Raises
    ------
    InputError
        It is quantised already, or no classifier.
    """
    table, last = _matrices(model)
    if not 0 < cutoff < table.shape[0]:
        return model
    words = model.n_words
    kept = _longest(model, table)[:cutoff]
    chosen = np.sort(kept[kept < words])
    ngrams = np.sort(kept[kept >= words])
    entries = np.concatenate([chosen, np.arange(words, words + model.n_labels)])
    sizes = np.diff(model.offsets)[entries]
    dictionary = partial(
        Dictionary,
        b"".join(model.entry(number) for number in entries.tolist()),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        model.counts[entries],
    )
    left = trainable_rows(cutoff, table.shape[1])
    left[:] = table.rows(np.concatenate([chosen, ngrams]))
    return replace(
        model,
        path=None,
        n_words=len(chosen),
        read_dictionary=dictionary,
        search=None,
        pruned=np.stack([ngrams - words, np.arange(len(ngrams))], axis=1).astype(np.int32),
        input=DenseMatrix(left),
        output=DenseMatrix(np.array(last.values)),
    )


def _longest(model: FastTextModel, table: DenseMatrix) -> NDArray[np.int64]:
    """Rows of the input by falling length, that of ``</s>`` first."""
    rows = table.shape[0]
    lengths = np.empty(rows)
    for first in range(0, rows, ROWS_AT_ONCE):
        part = np.arange(first, min(first + ROWS_AT_ONCE, rows))
        lengths[part] = np.linalg.norm(table.rows(part).astype(np.float64), axis=1)
    lengths[[row for row in range(model.n_words) if model.entry(row) == b"</s>"]] = np.inf
    return np.argsort(-lengths, kind="stable")


def cutoff_of_size(model: FastTextModel, size: int, width: int = 2, *, norms: bool = False) -> int:
    """Return the cutoff with which the file of a quantised model takes ``size`` bytes at most.

    Parameters
    ----------
    model : FastTextModel
        A classifier that is not quantised yet.
    size : int
        Bytes.
    width, norms
        As in :func:`quantise_matrix`.

    Raises
    ------
    ParameterError
        Not a single row has room.
    """
    order = _longest(model, _matrices(model)[0])
    fixed, of_word, of_ngram = quantised_sizes(model, width, norms=norms)
    sizes = np.full(len(order), of_ngram)
    words = np.flatnonzero(order < model.n_words)
    sizes[words] = of_word + np.diff(model.offsets)[order[words]]
    cutoff = int(np.searchsorted(fixed + np.cumsum(sizes), size, side="right"))
    if cutoff == 0:
        raise ParameterError(
            f"a file of {size} bytes has no room for a word: {fixed} are taken by labels and "
            "centroids; ask for a larger one, or for shorter vectors."
        )
    return cutoff
