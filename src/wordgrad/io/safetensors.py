"""Word vectors in safetensors files.

Layout
------
A safetensors file is an 8-byte little-endian length N, N bytes of JSON (name, dtype, shape and byte
range of each tensor; string metadata), then the tensors' bytes.  wordgrad writes these tensors:

=========== ========== ===========================================================
``matrix``  F32 (V, D) row ``i`` is the vector of word ``i``
``words``   U8 (bytes) all words in UTF-8, one after another
``offsets`` I64 (V+1)  word ``i`` is ``words[offsets[i]:offsets[i + 1]]``
``counts``  I64 (V)    how often each word was seen; left out if not known
``outputs`` F32 (n, D) output vectors, from which training goes on; left out if not kept
=========== ========== ===========================================================

Vectors with character n-grams (:class:`~wordgrad.subwords.Subwords`) have four more, which compose
those of unseen words:

================= ======= =================================================================
The ``safetensors`` library checks the header and the byte ranges.  It copies what it reads, so
matrices are not read through it but mapped from the byte ranges it has approved.  Nothing in such a
file can be executed.

A file of documents (:mod:`wordgrad.io.document_model`) is opened as the vectors of their tags.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.container import (
    PART,
    check_arrays,
    checksum,
    map_array,
    open_tensors,
    read_header,
    write_tensors,
)
from wordgrad.errors import FormatError, ParameterError
from wordgrad.io import document_model
from wordgrad.io.common import LoadOptions, VectorParts
from wordgrad.io.fasttext_model import LONGEST
from wordgrad.search.exact import row_norms
from wordgrad.subwords import SharedRows, Subwords
from wordgrad.vocabulary import Vocabulary

LAYOUT, WITH_NGRAMS = "1", "2"
CHECKED_AT_ONCE = 64 << 20  # bytes of a matrix that are checked on opening: some 20 ms
REMEDY = "train again, or fetch an undamaged copy."

_TENSORS: dict[str, tuple[str, int]] = {  # dtype and number of dimensions
    "matrix": ("float32", 2),
    "words": ("uint8", 1),
    "offsets": ("int64", 1),
    "counts": ("int64", 1),
    "outputs": ("float32", 2),
}
_NGRAM_TENSORS: dict[str, tuple[str, int]] = {
    "ngrams": ("float32", 2),
    "ngram-parts": ("float32", 1),
    "ngram-buckets": ("int32", 1),
    "ngram-rows": ("int32", 1),
}
_MATRICES = ("matrix", "outputs", "ngrams")


def write(parts: VectorParts, path: Path) -> None:
    """Write ``parts`` to a new file at ``path``."""
    words, offsets = parts.table.packed()
    rest: dict[str, NDArray[Any]] = {"words": words, "offsets": offsets}
    if parts.counts is not None:
        rest["counts"] = parts.counts
    metadata = {"wordgrad": LAYOUT if parts.subwords is None else WITH_NGRAMS}
    metadata |= {f"meta.{name}": json.dumps(value) for name, value in parts.metadata.items()}
    matrices = {"matrix": np.ascontiguousarray(parts.matrix)}
    if parts.outputs is not None:
        matrices["outputs"] = np.ascontiguousarray(parts.outputs)
    if parts.subwords is not None:
        shared = parts.subwords.stored()
        matrices["ngrams"] = np.ascontiguousarray(shared.values)
        rest |= {
            "ngram-parts": shared.multiplicity,
            "ngram-buckets": np.ascontiguousarray(shared.buckets, np.int32),
            "ngram-rows": np.ascontiguousarray(shared.bucket_rows, np.int32),
        }
        metadata["ngrams"] = json.dumps(
            {
                "words": parts.subwords.n_words,
                "minn": parts.subwords.minn,
                "maxn": parts.subwords.maxn,
                "bucket": parts.subwords.bucket,
                "pruned": parts.subwords.pruned is not None,
            }
        )
    metadata |= {f"crc32.{name}": f"{checksum(one):08x}" for name, one in matrices.items()}
    metadata["crc32.rest"] = _checksum(metadata, rest)
    write_tensors(path, {**matrices, **rest}, metadata)


def read(path: Path, options: LoadOptions) -> VectorParts:
    """Open a file that :func:`write` made; see :func:`wordgrad.load`."""
    with open_tensors(path, REMEDY) as file:
        metadata = file.metadata() or {}
        names = set(file.keys())
        if metadata.get(PART) == document_model.PART:
            return document_model.read_vectors(path, options)
        _check_layout(path, metadata, names)
        with_ngrams = metadata["wordgrad"] == WITH_NGRAMS
        tensors = _TENSORS | _NGRAM_TENSORS if with_ngrams else _TENSORS
        check_arrays(path, file, tensors, REMEDY, optional=frozenset({"counts", "outputs"}))
        header = read_header(path)
        rest = {name: file.get_tensor(name) for name in sorted(names - {*_MATRICES})}
    _check_shapes(path, header)
    if _checksum(metadata, rest) != metadata["crc32.rest"]:
        raise FormatError(f"{path} is damaged: its words fail their checksum; {REMEDY}")
    counts = rest.get("counts")
    if counts is not None and int(counts.min()) < 0:
        raise FormatError(
            f"{path} is damaged: counts must not be negative, got {int(counts.min())}; {REMEDY}"
        )
    matrix = _map_matrix(path, header, "matrix")
    outputs = _map_matrix(path, header, "outputs") if "outputs" in header else None
    ngrams = _map_matrix(path, header, "ngrams") if with_ngrams else None
    subwords = None if ngrams is None else _subwords(path, ngrams, matrix, metadata, rest)
    table = Vocabulary.from_packed(rest["words"], rest["offsets"], str(path))
    rows = options.rows(len(matrix))
    if rows < len(matrix):
        end = int(rest["offsets"][rows])
        table = Vocabulary.from_packed(rest["words"][:end], rest["offsets"][: rows + 1], str(path))
    for name, array in (("matrix", matrix), ("outputs", outputs), ("ngrams", ngrams)):
        if array is None or not _checked_now(array, options):
            continue
        if f"{checksum(array):08x}" != metadata[f"crc32.{name}"]:
            raise FormatError(f"{path} is damaged: its {name} fails its checksum; {REMEDY}")
    if _checked_now(matrix, options) and not options.allow_nonfinite:
        row_norms(matrix[:rows], str(path))  # refuses values that are not finite
    return VectorParts(
        table,
        matrix[:rows],
        None if counts is None else counts[:rows],
        _metadata(path, metadata),
        subwords=subwords,
        outputs=outputs if len(table) == header["matrix"]["shape"][0] else None,
    )


def _checked_now(array: NDArray[np.float32], options: LoadOptions) -> bool:
    return bool(options.check or (options.check is None and array.nbytes <= CHECKED_AT_ONCE))


def _subwords(
    path: Path,
    values: NDArray[np.float32],
    matrix: NDArray[np.float32],
    metadata: Mapping[str, str],
    rest: Mapping[str, NDArray[Any]],
) -> Subwords:
    """Return what composes unseen words, every size and number compared with what is there."""
    try:
        record = json.loads(metadata["ngrams"])
        numbers = [record[name] for name in ("words", "minn", "maxn", "bucket")]
        if not all(type(n) is int for n in numbers) or type(record["pruned"]) is not bool:
            raise ValueError("not what they must be")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"{path} is damaged: its n-grams are not described; {REMEDY}") from error
    parts, buckets, rows = (rest[f"ngram-{name}"] for name in ("parts", "buckets", "rows"))
    words, minn, maxn, bucket = numbers
    n = len(values)
    if (
        values.shape[1] != matrix.shape[1]
        or not 0 <= words <= n
        or not minn >= 0
        or not 0 <= maxn <= LONGEST
        or not 0 <= bucket < 2**31
        or parts.shape != (n,)
        or rows.shape != buckets.shape
        or not (parts >= 1).all()
        or (len(rows) and not (rows.min() >= 0 and rows.max() < n))
        or (len(buckets) and not (buckets[0] >= 0 and buckets[-1] < bucket))
        or (np.diff(buckets.astype(np.int64)) <= 0).any()
    ):
        raise FormatError(
            f"{path} is damaged: its {n} rows of n-grams do not fit their {len(buckets)} buckets; "
            f"{REMEDY}"
        )
    table = SharedRows(values, words, bucket, buckets, rows, parts)
    pruned = None
    if record["pruned"]:
        pruned = np.column_stack([buckets, buckets])
    return Subwords(table, words, minn, maxn, bucket, pruned)


def _check_layout(path: Path, metadata: Mapping[str, str], names: set[str]) -> None:
    layout = metadata.get("wordgrad")
    if layout is None:
        raise FormatError(
            f"{path} is a safetensors file, but not one of word vectors (it holds "
            f"{', '.join(sorted(names)[:4]) or 'nothing'}); name a file that wordgrad wrote."
        )
    if layout not in (LAYOUT, WITH_NGRAMS):
        raise FormatError(
            f"{path} has layout {layout!r} and this version of wordgrad reads {LAYOUT!r} and "
            f"{WITH_NGRAMS!r}; install a newer version."
        )
    wanted = {"crc32.matrix", "crc32.rest"}
    wanted |= {f"crc32.{name}" for name in ("outputs", "ngrams") if name in names}
    missing = sorted(wanted - set(metadata))
    if missing:
        raise FormatError(f"{path} is damaged: {', '.join(missing)} is missing; {REMEDY}")


def _check_shapes(path: Path, header: Mapping[str, Any]) -> None:
    rows, columns = header["matrix"]["shape"]
    counts = header["counts"]["shape"][0] if "counts" in header else rows
    if rows == 0 or columns == 0 or header["offsets"]["shape"][0] != rows + 1 or counts != rows:
        raise FormatError(
            f"{path} is damaged: its matrix of {rows} x {columns} does not fit its "
            f"{header['offsets']['shape'][0] - 1} words and {counts} counts; {REMEDY}"
        )
    if "outputs" in header and (0 in (shape := header["outputs"]["shape"]) or shape[1] != columns):
        raise FormatError(
            f"{path} is damaged: its outputs of {shape[0]} x {shape[1]} do not fit vectors of "
            f"{columns} numbers; {REMEDY}"
        )


def _map_matrix(path: Path, header: Mapping[str, Any], name: str) -> NDArray[np.float32]:
    # A plain view: every slice of np.memmap itself pays for a Python call.  Writers may leave the
    # data unaligned, which BLAS would copy at every query; then copy once.
    matrix = np.asarray(map_array(path, header, name))
    return matrix if matrix.flags.aligned else np.require(matrix, requirements=["A"]).copy()


def _metadata(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    entries = {}
    for name, value in metadata.items():
        if name.startswith("meta."):
            try:
                entries[name.removeprefix("meta.")] = json.loads(value)
            except (ValueError, RecursionError) as error:
                raise FormatError(
                    f"{path} is damaged: its metadata entry {name!r} is not JSON; {REMEDY}"
                ) from error
    return entries


def _checksum(metadata: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> str:
    """CRC-32 of all metadata but this checksum itself, then of ``tensors``, by name."""
    texts = [f"{name}={metadata[name]}\0" for name in sorted(metadata) if name != "crc32.rest"]
    try:
        value = checksum("".join(texts).encode())
    except UnicodeEncodeError as error:
        raise ParameterError(f"metadata must be valid Unicode ({error.reason}).") from error
    for name in sorted(tensors):
        value = checksum(tensors[name], value)
    return f"{value:08x}"
