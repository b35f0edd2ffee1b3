"""Word vectors as NumPy arrays in an ``.npz`` file.

Layout
------
A zip archive, not compressed, of one ``.npy`` file for each array:

============ =================== ===============================================================
``matrix``   float32 (V, D)      row ``i`` is the vector of word ``i``
``words``    ``<U`` (V,)         the words
``counts``   int64 (V,)          how often each word was seen; left out if not known
``metadata`` ``<U`` ()           metadata as JSON; left out if there is none
============ =================== ===============================================================

``numpy.load(path)["matrix"]`` opens it without wordgrad.  The archive keeps a CRC-32 of each array,
which is compared on reading.  Files made by ``numpy.savez`` or ``savez_compressed`` are read, too,
with a matrix of any float type.  NumPy takes U+0000 at the end of a string for padding, so a word
that ends with one is refused; so is a word so long that all words, each taking as many bytes as the
longest, would fill ``WORDS_BYTES``.  Arrays of Python objects would need unpickling, which can run
code: they are never read.
"""

from __future__ import annotations

import json
import math
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from wordgrad.errors import FormatError, OutputError
from wordgrad.io.common import (
    REMEDY,
    LoadOptions,
    VectorParts,
    assembled,
    check_memory,
    check_words,
    decoded_metadata,
)

HOLDERS = "safetensors or Parquet"
WORDS_BYTES = 4 << 30
DEFLATE_AT_MOST = 1032  # no deflated byte makes more than so many
_BLOCK = 16 << 20
_ARCHIVE_ERRORS = (  # a wrong offset in the archive makes it seek before the file: an OSError
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    UnicodeDecodeError,  # the name of a member
)
_ARRAYS = {"matrix": ("f", 2), "words": ("U", 1), "counts": ("iu", 1), "metadata": ("U", 0)}


def write(parts: VectorParts, path: Path) -> None:
    """Write ``parts`` to a new file at ``path``."""
    words = check_words(parts, "npz", "", holders=HOLDERS)
    arrays: dict[str, NDArray[Any]] = {"matrix": parts.matrix, "words": _strings(words)}
    if parts.counts is not None:
        arrays["counts"] = parts.counts
    if parts.metadata:
        arrays["metadata"] = np.array(json.dumps(parts.metadata))
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _strings(words: Sequence[str]) -> NDArray[np.str_]:
    longest = max(words, key=len)
    if 4 * len(longest) * len(words) > WORDS_BYTES:
        raise OutputError(
            f"The word {longest[:40]!r}... of {len(longest)} characters would make the words take "
            f"{4 * len(longest) * len(words)} bytes as npz; shorten it, or choose {HOLDERS}."
        )
    for row, word in enumerate(words):
        if word.endswith("\0"):
            raise OutputError(
                f"The word {word!r} in row {row} cannot be written as npz, for NumPy drops the "
                f"U+0000 at its end; rename the word, or choose {HOLDERS}, which can hold any word."
            )
    return np.array(words, dtype=np.str_)


def read(path: Path, options: LoadOptions) -> VectorParts:
    """Read a file of this format; see :func:`wordgrad.load`."""
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                arrays = _arrays(path, archive, options)
        except _ARCHIVE_ERRORS as error:
            reason = str(error)[:200]  # it may quote kilobytes of the file
            raise FormatError(f"{path} is not a whole npz file ({reason}); {REMEDY}") from error
    matrix, words = arrays["matrix"], arrays["words"]
    rows = matrix.shape[0]
    if words.shape[0] != rows or 0 in matrix.shape:
        raise FormatError(
            f"{path} does not fit together: its matrix has shape {matrix.shape}, and there are "
            f"{words.shape[0]} words; {REMEDY}"
        )
    counts = arrays.get("counts")
    if counts is not None:
        if counts.shape != (rows,):
            raise FormatError(f"{path} has {counts.size} counts for {rows} words; {REMEDY}")
        counts = counts.astype(np.int64)
    metadata = arrays.get("metadata")
    # Too large for float32 becomes infinite, and a signalling NaN a quiet one; both are found.
    with np.errstate(over="ignore", invalid="ignore"):
        kept = np.ascontiguousarray(matrix, dtype=np.float32)
    return assembled(
        path,
        _decoded(path, words),
        kept,
        options,
        counts=counts,
        metadata=None if metadata is None else decoded_metadata(path, str(metadata)),
    )


def _arrays(path: Path, archive: zipfile.ZipFile, options: LoadOptions) -> dict[str, NDArray[Any]]:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if not {"matrix", "words"} <= members.keys():
        raise FormatError(
            f"{path} is a zip archive without the arrays 'matrix' and 'words' (it holds "
            f"{_listed(members)}); save them under these names, or "
            "unpack it and open the file of vectors in it."
        )
    if len(members) < len(archive.infolist()) or not members.keys() <= _ARRAYS.keys():
        raise FormatError(
            f"{path} holds arrays that are not of word vectors ({_listed(members)}); "
            f"keep {', '.join(sorted(_ARRAYS))} alone, each once."
        )
    arrays = {}
    for name, info in members.items():
        room = info.compress_size * (DEFLATE_AT_MOST if info.compress_type else 1)
        if info.compress_size > path.stat().st_size or info.file_size > room:
            raise FormatError(
                f"{path} is damaged: {name} cannot have {info.file_size} bytes; {REMEDY}"
            )
        with archive.open(info) as member:
            arrays[name] = _array(path, name, member, info.file_size, options)
    return arrays


def _listed(members: Iterable[str]) -> str:
    """Six names at most, each on one line and no longer than one; they may be anything."""
    names = [name[:80] for name in sorted(members)[:6]]
    return ", ".join(name if name.isprintable() else repr(name) for name in names) or "nothing"


def _array(
    path: Path, name: str, member: IO[bytes], size: int, options: LoadOptions
) -> NDArray[Any]:
    """An array whose promised size is compared with ``size`` before memory is allocated."""
    headers: dict[tuple[int, int], Callable[[Any], tuple[tuple[int, ...], bool, np.dtype[Any]]]]
    headers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        version = npy.read_magic(member)
        with warnings.catch_warnings():  # that Python 2 wrote it, or a damage that looks so
            warnings.simplefilter("ignore", UserWarning)
            shape, fortran, dtype = headers[version](member)
    except (ValueError, KeyError, TypeError, TokenError) as error:  # the last from NumPy's parser
        raise FormatError(f"{path} is damaged: {name} is no NumPy array; {REMEDY}") from error
    if dtype.hasobject:
        raise FormatError(
            f"{path} holds {name} as Python objects, which would have to be unpickled and could "
            "run code; save it as an array of numbers or strings (dtype=str)."
        )
    kinds, dimensions = _ARRAYS[name]
    if dtype.kind not in kinds or len(shape) != dimensions or dtype.itemsize == 0:
        what = {"f": "floating-point numbers", "U": "strings", "iu": "integers"}[kinds]
        raise FormatError(
            f"{path} must hold {name} as {what} of {dimensions} dimension"
            f"{'' if dimensions == 1 else 's'}, got {dtype} of shape {shape}; save it so."
        )
    start = member.tell()
    count = math.prod(shape)
    if min(shape, default=0) < 0 or start + count * dtype.itemsize != size:
        raise FormatError(
            f"{path} is damaged: {name} of shape {shape} and type {dtype} does not take the "
            f"{size - start} bytes that are there; {REMEDY}"
        )
    whole, all_values = shape, count
    if shape and not (fortran and dimensions == 2):  # whose rows are not together
        shape = (options.rows(shape[0]), *shape[1:])
        count = math.prod(shape)
    check_memory(path, size - (all_values - count) * dtype.itemsize)
    array = np.empty(count, dtype=dtype)
    if array.nbytes:
        _fill(path, name, member, array.view(np.uint8).data)
    if shape == whole:
        member.read(1)  # at its end the archive compares the checksum
    made = array.reshape(shape, order="F" if fortran else "C")
    return made[: options.limit] if shape else made


def _fill(path: Path, name: str, member: IO[bytes], target: memoryview) -> None:
    done = 0
    while done < len(target):
        block = member.read(min(_BLOCK, len(target) - done))
        if not block:
            raise FormatError(f"{path} is cut short in {name}; {REMEDY}")
        target[done : done + len(block)] = block
        done += len(block)


def _decoded(path: Path, words: NDArray[np.str_]) -> list[str]:
    # Python makes strings even of numbers beyond Unicode, and encodes them.
    codes = words.view(np.dtype(np.uint32).newbyteorder(words.dtype.byteorder))
    if codes.max(initial=0) > sys.maxunicode or ((codes >= 0xD800) & (codes < 0xE000)).any():
        raise FormatError(f"{path} is damaged: a word is not Unicode; {REMEDY}")
    decoded: list[str] = words.tolist()
    return decoded
