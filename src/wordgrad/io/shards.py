"""Word vectors in several safetensors files, and an index that names them.

Layout
------
``NAME.safetensors.index.json`` is JSON in the convention of Hugging Face: ``metadata``, and a
``weight_map`` from each part to the file that it is in, beside the index:

.. code-block:: json

    {"metadata": {"total_size": 48, "wordgrad": "1", "shape": [4, 3],
                  "checksums": ["1f0a...", "93bc..."], "crc32": "77aa..."},
     "weight_map": {"matrix[0:2]": "NAME-00001-of-00002.safetensors",
                    "matrix[2:4]": "NAME-00002-of-00002.safetensors"}}

Each of them is a whole file of word vectors (:mod:`wordgrad.io.safetensors`), of so many words, and
can be opened by itself.  The checksum of its header, its words and its matrix's checksum is in the
index, so that no shard of another training is taken for it; ``crc32`` is that of the index without
it.  The index is put in place when all shards are there, and shards are never replaced: those of an
index that is replaced are removed after it.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordgrad.container import checksum, open_tensors
from wordgrad.errors import FormatError, InputError, OutputError, WordgradError
from wordgrad.files import GrowingArray, atomic_write
from wordgrad.io import safetensors
from wordgrad.io.common import LoadOptions, VectorParts
from wordgrad.storage import local, names_in, remove
from wordgrad.vocabulary import Vocabulary

ENDING = ".safetensors.index.json"
SHARD_BYTES = 4 << 30
LAYOUT = "1"
MOST_SHARDS = 99_999
REMEDY = "write the vectors again, or fetch undamaged copies of all files."

_LARGEST_INDEX = 32 << 20  # bytes: of MOST_SHARDS with long names
_COPIED_AT_ONCE = 16 << 20  # bytes
_PART = re.compile(r"matrix\[(\d{1,18}):(\d{1,18})\]")
_NAME = re.compile(r"[^./\\\0][^/\\\0]*\.safetensors")


class Shard(NamedTuple):
    """A file of an index: its name, which rows it holds, and the checksum in its header."""

    name: str
    start: int
    stop: int
    checksum: str


def write(
    parts: VectorParts, path: Path, *, overwrite: bool = False, shard_bytes: int = SHARD_BYTES
) -> None:
    """Write shards beside ``path``, and then the index, whole or not at all.

    Rows go from where they are to the files, so a matrix that is mapped is never in memory.
    Character n-grams are not kept.

    Raises
    ------
    OutputError
        If something cannot be written; what was there before is then unchanged.
    """
    rows = _rows_a_shard(parts, shard_bytes)
    count = -(-len(parts) // rows)
    if count > MOST_SHARDS:
        raise OutputError(
            f"{path} would be {count} shards, and at most {MOST_SHARDS} are written; allow more "
            f"than {shard_bytes} bytes of each."
        )
    before = names_in(path.parent)
    names = _free_names(path.name.removesuffix(ENDING), count, before)
    old = []
    if path.name in before:
        with suppress(WordgradError):  # whatever the old index was, it is replaced
            old = [shard.name for shard in read_index(path)[0]]
    written: list[str] = []
    try:
        shards: list[Shard] = []
        for name, part in zip(names, _cut(parts, rows), strict=True):
            with atomic_write(path.with_name(name), overwrite=False) as temporary:
                safetensors.write(part, temporary)
                found = _checksum_of(temporary)
            written.append(name)
            start = shards[-1].stop if shards else 0
            shards.append(Shard(name, start, start + len(part), found))
        record = _record(shards, parts)
        with atomic_write(path, overwrite=overwrite) as temporary:
            temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")
    except BaseException:
        for name in written:
            with suppress(WordgradError, OSError):
                remove(path.with_name(name))
        raise
    for name in old:
        with suppress(WordgradError, OSError):  # left lying, it does no harm
            remove(path.with_name(name))


def _rows_a_shard(parts: VectorParts, shard_bytes: int) -> int:
    words, _ = parts.table.packed()
    size = parts.matrix.nbytes + len(words) + 16 * len(parts)
    size += 0 if parts.outputs is None else parts.outputs.nbytes
    return max(1, shard_bytes * len(parts) // size)


def _free_names(stem: str, count: int, taken: list[str]) -> list[str]:
    """Names of new files: those of an index that is there stay as they are until it is replaced."""
    used, generation = set(taken), 1
    while True:
        begin = stem if generation == 1 else f"{stem}.{generation}"
        names = [f"{begin}-{k:05}-of-{count:05}.safetensors" for k in range(1, count + 1)]
        if used.isdisjoint(names):
            return names
        generation += 1


def _cut(parts: VectorParts, rows: int) -> Iterator[VectorParts]:
    words, offsets = parts.table.packed()
    for start in range(0, len(parts), rows):
        stop = min(start + rows, len(parts))
        bounds = offsets[start : stop + 1]
        table = Vocabulary.from_packed(words[bounds[0] : bounds[-1]], bounds - bounds[0], "a shard")
        outputs = None if parts.outputs is None else parts.outputs[start:stop]
        yield VectorParts(
            table,
            parts.matrix[start:stop],
            None if parts.counts is None else parts.counts[start:stop],
            parts.metadata,
            outputs=outputs if outputs is None or len(outputs) else None,
        )


def _record(shards: list[Shard], parts: VectorParts) -> dict[str, Any]:
    metadata = {
        "total_size": parts.matrix.nbytes,
        "wordgrad": LAYOUT,
        "shape": [len(parts), parts.vector_size],
        "checksums": [shard.checksum for shard in shards],
    }
    names = {f"matrix[{shard.start}:{shard.stop}]": shard.name for shard in shards}
    metadata["crc32"] = _own_checksum(metadata, names)
    return {"metadata": metadata, "weight_map": names}


def _own_checksum(metadata: Mapping[str, Any], names: Mapping[str, str]) -> str:
    known = {name: value for name, value in metadata.items() if name != "crc32"}
    return f"{checksum(json.dumps([known, names], sort_keys=True).encode()):08x}"


def read(path: Path, options: LoadOptions) -> VectorParts:
    """Open the vectors that an index names; see :func:`wordgrad.load`.

    The rows of several shards are copied to a temporary file without a name, and mapped from it.

    Raises
    ------
    InputError
        If there is no room for that file.
    FormatError
        If the index is damaged, or a shard is missing, damaged, or not the one that it names.
    """
    shards, shape = read_index(path)
    limit = options.rows(shape[0])
    needed = [shard for shard in shards if shard.start < limit]
    if len(needed) > 1:
        _check_room(path, 4 * shape[1] * limit)
    opened: list[VectorParts] = []
    matrix = GrowingArray(np.float32, what="Vectors in shards")
    outputs = GrowingArray(np.float32, what="Vectors in shards")
    for shard in needed:
        rows = min(limit, shard.stop) - shard.start
        with local(path.with_name(shard.name)) as file:
            part = _open(path, file, shard, shape, replace(options, limit=rows))
            if len(needed) == 1:
                return part if limit == shape[0] else replace(part, outputs=None)
            _append(matrix, part.matrix)
            if part.outputs is not None:
                if len(outputs) != shard.start * shape[1]:
                    raise _damaged(path, f"shards before {shard.name} hold too few outputs")
                _append(outputs, part.outputs)
        opened.append(replace(part, matrix=part.matrix[:0], outputs=None))
    counts = [part.counts for part in opened if part.counts is not None]
    if len(counts) not in (0, len(opened)):
        raise _damaged(path, f"{len(counts)} of its {len(opened)} shards hold counts")
    return VectorParts(
        _joined(path, opened),
        _rows_of(matrix, shape[1]),
        np.concatenate(counts) if counts else None,
        opened[0].metadata,
        outputs=_rows_of(outputs, shape[1]) if len(outputs) and limit == shape[0] else None,
    )


def read_index(path: Path) -> tuple[list[Shard], tuple[int, int]]:
    """Read an index; return its shards, and the shape of the matrix.

    Raises
    ------
    FormatError
        If it is none, or damaged.
    """
    with local(path) as file:
        if file.stat().st_size > _LARGEST_INDEX:
            raise FormatError(
                f"{path} is no index of word vectors, for it has {file.stat().st_size:,} bytes; "
                "name one that wordgrad wrote."
            )
        data = file.read_bytes()
    try:
        record = json.loads(data)
        metadata, names = record["metadata"], record["weight_map"]
        if not isinstance(metadata, dict) or "wordgrad" not in metadata:
            raise FormatError(
                f"{path} is an index of something else; name one of word vectors, that wordgrad "
                "wrote."
            )
        if metadata["wordgrad"] != LAYOUT:
            raise FormatError(
                f"{path} has layout {metadata['wordgrad']!r} and this version of wordgrad reads "
                f"{LAYOUT!r}; install a newer version."
            )
        if metadata["crc32"] != _own_checksum(metadata, names):
            raise _damaged(path, "it fails its checksum")
        shards = [
            Shard(name, *_rows_named(part), one)
            for (part, name), one in zip(names.items(), metadata["checksums"], strict=True)
        ]
        n_rows, size = metadata["shape"]
    except WordgradError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _damaged(path, f"it is not what wordgrad writes ({error!r})"[:200]) from error
    for shard in shards:
        if not isinstance(shard.name, str) or _NAME.fullmatch(shard.name) is None:
            raise _damaged(path, f"a shard cannot be called {str(shard.name)[:99]!r}")
    edges = [(0, 0), *((shard.start, shard.stop) for shard in shards)]
    follows = all(before[1] == start < stop for before, (start, stop) in pairwise(edges))
    if type(n_rows) is not int or type(size) is not int or not follows or edges[-1][1] != n_rows:
        raise _damaged(path, f"its shards do not make up {n_rows!r} rows")
    return shards, (n_rows, size)


def _rows_named(part: str) -> tuple[int, int]:
    found = _PART.fullmatch(part)
    if found is None:
        raise ValueError(f"no rows are called {part[:50]!r}")
    return int(found[1]), int(found[2])


def _open(
    path: Path, file: Path, shard: Shard, shape: tuple[int, int], options: LoadOptions
) -> VectorParts:
    if not file.exists():
        raise FormatError(
            f"{path} names {shard.name}, which is not beside it; put all its shards there."
        )
    part = safetensors.read(file, options)
    if _checksum_of(file) != shard.checksum:
        raise _damaged(path, f"{shard.name} is a shard of other vectors")
    if part.subwords is not None or part.matrix.shape != (options.limit, shape[1]):
        raise _damaged(path, f"{shard.name} holds vectors of shape {part.matrix.shape}")
    return part


def _checksum_of(file: Path) -> str:
    """The checksum in a shard's header of all but its matrices, whose own ones are in it."""
    with open_tensors(file, REMEDY) as opened:
        return str((opened.metadata() or {}).get("crc32.rest"))


def _append(rows: GrowingArray, matrix: NDArray[np.float32]) -> None:
    step = max(1, _COPIED_AT_ONCE // (4 * matrix.shape[1]))
    for start in range(0, len(matrix), step):
        rows.append(matrix[start : start + step].reshape(-1))


def _rows_of(rows: GrowingArray, size: int) -> NDArray[np.float32]:
    return np.asarray(rows.array()).reshape(-1, size)


def _joined(path: Path, opened: list[VectorParts]) -> Vocabulary:
    packed = [part.table.packed() for part in opened]
    before = np.cumsum([0, *(len(words) for words, _ in packed)])
    ends = [offsets[1:] + start for (_, offsets), start in zip(packed, before, strict=False)]
    words = np.concatenate([words for words, _ in packed])
    return Vocabulary.from_packed(words, np.concatenate([np.zeros(1, np.int64), *ends]), str(path))


def _check_room(path: Path, size: int) -> None:
    folder = tempfile.gettempdir()
    room = shutil.disk_usage(folder).free
    if size > room:
        raise InputError(
            f"The vectors of {path} take {size:,} bytes of {folder}, which has room for {room:,}; "
            "free some space, or name another folder by the environment variable TMPDIR."
        )


def _damaged(path: Path, what: str) -> FormatError:
    return FormatError(f"{path} is damaged: {what}; {REMEDY}")
