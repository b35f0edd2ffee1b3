"""Arrays and a record in one safetensors file, with a checksum on every part.

Layout
------
A safetensors file (see :mod:`wordgrad.vectors.formats.safetensors_format`) whose metadata hold

==================  ==============================================================================
``wordgrad.part``   what the file is: "checkpoint" or "held-out text"
``layout``          the version of this layout, "1"
``record``          JSON, an object
``crc32.record``    of the three above
``crc32: NAME``     of each array: of its name, dtype and shape, then of its bytes
==================  ==============================================================================

as CRC-32 in eight hexadecimal digits.  The ``safetensors`` library checks that every array lies
inside the file, so that none takes more memory than the file takes disk.  Nothing is unpickled.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wordgrad.errors import FormatError
from wordgrad.files import atomic_write

LAYOUT = "1"
DTYPES = {"U8": "|u1", "I32": "<i4", "I64": "<i8", "U64": "<u8", "F32": "<f4", "F64": "<f8"}
"""What an array may be, by the names that safetensors gives them."""


def write_arrays(
    path: Path, part: str, record: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write a file, whole or not at all, and wait until it is on the disk.

    Parameters
    ----------
    path : Path
        A file that is there is replaced.
    part : str
        What the file is.
    record : mapping
        Plain values; numbers come back exactly as they were.
    arrays : mapping of str to C-contiguous array of one of :data:`DTYPES`

    Raises
    ------
    OutputError
        If it cannot be written, on a full disk for instance; what was there before is unchanged.
    """
    metadata = {
        "wordgrad.part": part,
        "layout": LAYOUT,
        "record": json.dumps(record, allow_nan=False),
    }
    metadata["crc32.record"] = _record_checksum(metadata)
    for name, array in arrays.items():
        metadata[f"crc32: {name}"] = _checksum(name, array)
    with atomic_write(path) as temporary:
        try:
            save_file(dict(arrays), temporary, metadata=metadata)
        except SafetensorError as error:
            # The library reports a full disk, too, as an error of its own kind.
            raise OSError(str(error)) from error


def read_record(path: Path, part: str) -> dict[str, Any]:
    """Read the record alone.

    Raises
    ------
    FormatError
        If the file is not one of those that :func:`write_arrays` makes, or is damaged.
    """
    return _read(path, part, with_arrays=False)[0]


def read_arrays(path: Path, part: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read record and arrays, and compare every checksum.

    Raises
    ------
    FormatError
        As :func:`read_record`.
    """
    return _read(path, part, with_arrays=True)


def _read(
    path: Path, part: str, *, with_arrays: bool
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            record = _checked_record(path, part, metadata)
            arrays = {}
            for name in file.keys() if with_arrays else ():
                if file.get_slice(name).get_dtype() not in DTYPES:
                    raise damaged(path, f"{name} has dtype {file.get_slice(name).get_dtype()}")
                arrays[name] = file.get_tensor(name)
                if metadata.get(f"crc32: {name}") != _checksum(name, arrays[name]):
                    raise damaged(path, f"{name} fails its checksum")
    except SafetensorError as error:
        raise damaged(path, str(error)) from error
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error}); check the file.") from error
    return record, arrays


def damaged(path: Path, what: str) -> FormatError:
    """Return the error for a file that is not what was written."""
    return FormatError(f"{path} is damaged: {what}; remove it to go on from an earlier one.")


def _checked_record(path: Path, part: str, metadata: Mapping[str, str]) -> dict[str, Any]:
    if metadata.get("wordgrad.part") != part:
        raise FormatError(f"{path} is no {part} of wordgrad; name the folder that training wrote.")
    if metadata.get("layout") != LAYOUT:
        raise FormatError(
            f"{path} has layout {metadata.get('layout')!r} and this version of wordgrad reads "
            f"{LAYOUT!r}; go on with the version that wrote it."
        )
    if metadata.get("crc32.record") != _record_checksum(metadata):
        raise damaged(path, "its record fails its checksum")
    try:
        record = json.loads(metadata["record"])
    except (KeyError, ValueError, RecursionError) as error:
        raise damaged(path, "its record is not JSON") from error
    if not isinstance(record, dict):
        raise damaged(path, "its record is not a JSON object")
    return record


def _record_checksum(metadata: Mapping[str, str]) -> str:
    parts = "\0".join(metadata.get(name, "") for name in ("wordgrad.part", "layout", "record"))
    return f"{zlib.crc32(parts.encode('utf-8', 'surrogatepass')):08x}"


def _checksum(name: str, array: NDArray[Any]) -> str:
    head = f"{name} {np.dtype(array.dtype).str} {array.shape}".encode("utf-8", "surrogatepass")
    return f"{zlib.crc32(array.reshape(-1).view(np.uint8).data, zlib.crc32(head)):08x}"
