"""Files that wordgrad keeps: arrays and a JSON record in one safetensors file, with checksums.

Layout
------
A safetensors file is an 8-byte little-endian length N, N bytes of JSON (name, dtype, shape and byte
range of each array; string metadata), then the arrays' bytes.  In these files the metadata hold

==================  ==============================================================================
``wordgrad.part``   the kind of file: "checkpoint", "held-out text", "index", "classifier" ...
``layout``          the version of that kind's layout
``record``          JSON, an object
``crc32.record``    of the three above
``crc32: NAME``     of each array: of its name, dtype and shape, then of its bytes
==================  ==============================================================================

as CRC-32 in eight hexadecimal digits, so a single flipped bit is found wherever it is.  Metadata
are sorted by name: equal contents make equal files.

A file is not trusted.  The safetensors library checks that every array lies inside the file, so
that none takes more memory than the file takes disk; names, dtypes and dimensions are compared with
what the kind of file holds before an array is read.  Nothing is unpickled.

Files of word vectors (:mod:`wordgrad.io.safetensors`) have a layout of their own, whose matrix can
be mapped without being read.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wordgrad.errors import FormatError, InputError
from wordgrad.files import atomic_write
from wordgrad.storage import local

PART = "wordgrad.part"
DTYPES = {
    "U8": "uint8",
    "I32": "int32",
    "I64": "int64",
    "U64": "uint64",
    "F32": "float32",
    "F64": "float64",
}
"""What an array may be: the names of safetensors, and those of NumPy."""

Arrays = dict[str, NDArray[Any]]
Schema = Mapping[str, tuple[str, int]]
"""Dtype, by NumPy's name, and number of dimensions of each array."""


@dataclass(frozen=True)
class Container:
    """One kind of file: what it is called, what it holds, and what to do with a damaged one.

    Attributes
    ----------
    part : str
        The kind's name, in the file and in messages.
    layout : str
        Version of the layout that is written and read.
    remedy : str
        End of the message about a damaged file.
    origin : str
        End of the message about a file of another kind: which one to name.
    schema : mapping of str to (str, int), optional
        Dtype and number of dimensions of every array, all of which must be there but the
        ``optional`` ones; any arrays of :data:`DTYPES` may be there if it is not given.
    optional : frozenset of str
        Arrays of the schema that may be missing.
    earlier : mapping of str to callable
        Readers of earlier layouts, by the metadata entry that such a file has: given path, metadata
        and arrays, each compares the checksums and returns the record.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "squares"
    >>> squares = Container("table", "1", "make it again.", "name a table.", {"y": ("int64", 1)})
    >>> squares.write(path, {"first": 0}, {"y": np.arange(4) ** 2})
    >>> squares.read(path)
    ({'first': 0}, {'y': array([0, 1, 4, 9])})
    """

    part: str
    layout: str
    remedy: str
    origin: str
    schema: Schema | None = None
    optional: frozenset[str] = frozenset()
    earlier: Mapping[str, Callable[[Path, Mapping[str, str], Arrays], dict[str, Any]]] = field(
        default_factory=dict
    )

    def write(
        self,
        path: Path,
        record: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],
        *,
        overwrite: bool = True,
    ) -> None:
        """Write a file, whole or not at all, and wait until it is on the disk.

        Parameters
        ----------
        path : Path
        record : mapping
            Plain values; numbers come back exactly as they were.
        arrays : mapping of str to array of one of :data:`DTYPES`
        overwrite : bool
            Whether a file that is there is replaced.

        Raises
        ------
        OutputError
            If it cannot be written, on a full disk for instance; what was there before is
            unchanged.
        """
        whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        metadata = {
            PART: self.part,
            "layout": self.layout,
            "record": json.dumps(record, allow_nan=False),
        }
        metadata["crc32.record"] = _record_checksum(metadata)
        metadata |= {
            f"crc32: {name}": _array_checksum(name, array) for name, array in whole.items()
        }
        with atomic_write(path, overwrite=overwrite) as temporary:
            write_tensors(temporary, whole, metadata)

    def read(self, path: Path, *, mapped: bool = False) -> tuple[dict[str, Any], Arrays]:
        """Read record and arrays, and compare every checksum.

        Parameters
        ----------
        path : Path
        mapped : bool
            Whether matrices stay in the file, and are not to be written to.

        Raises
        ------
        InputError
            If the file cannot be opened.
        FormatError
            If it is of another kind or layout, or damaged.
        """
        with local(path) as here:
            return self._read(here, mapped)

    def _read(self, path: Path, mapped: bool) -> tuple[dict[str, Any], Arrays]:
        with open_tensors(path, self.remedy) as file:
            metadata = file.metadata() or {}
            earlier = next((read for name, read in self.earlier.items() if name in metadata), None)
            record = {} if earlier else self._record(path, metadata)
            check_arrays(path, file, self.schema, self.remedy, optional=self.optional)
            header = read_header(path)
            arrays = {
                name: map_array(path, header, name)
                if mapped and len(header[name]["shape"]) == 2
                else file.get_tensor(name)
                for name in file.keys()  # noqa: SIM118
            }
        if earlier:
            return earlier(path, metadata, arrays), arrays
        for name, array in arrays.items():
            if metadata.get(f"crc32: {name}") != _array_checksum(name, array):
                raise self.damaged(path, f"{name} fails its checksum")
        return record, arrays

    def read_record(self, path: Path) -> dict[str, Any]:
        """Read the record alone; raises what :meth:`read` raises."""
        with local(path, _header_end) as here, open_tensors(here, self.remedy) as file:
            return self._record(here, file.metadata() or {})

    def damaged(self, path: Path, what: str) -> FormatError:
        """Return the error for a file that is not what was written."""
        return FormatError(f"{path} is damaged: {what}; {self.remedy}")

    def _record(self, path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
        part, layout = metadata.get(PART), metadata.get("layout")
        if part != self.part:
            what = part or ("word vectors" if "wordgrad" in metadata else "something else")
            raise FormatError(
                f"{path} is no {self.part} of wordgrad (its content: {what}); {self.origin}"
            )
        if layout != self.layout:
            raise FormatError(
                f"{path} has layout {layout!r} and this version of wordgrad reads "
                f"{self.layout!r}; use the version that wrote it."
            )
        if metadata.get("crc32.record") != _record_checksum(metadata):
            raise self.damaged(path, "its record fails its checksum")
        try:
            record = json.loads(metadata["record"])
        except (KeyError, ValueError, RecursionError) as error:
            raise self.damaged(path, "its record is not JSON") from error
        if not isinstance(record, dict):
            raise self.damaged(path, "its record is not a JSON object")
        return record


def write_tensors(
    path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> None:
    """Write a safetensors file whose metadata are sorted by name.

    Parameters
    ----------
    path : Path
        Written in place: see :func:`wordgrad.files.atomic_write`.
    tensors : mapping of str to C-contiguous array
    metadata : mapping of str to str

    Raises
    ------
    OSError
        If it cannot be written.
    """
    try:
        save_file(dict(tensors), path, metadata=dict(metadata))
    except SafetensorError as error:
        # The library reports a full disk, too, as an error of its own kind.
        raise OSError(str(error)) from error
    # The library's order of metadata changes from run to run.  Sorted or not, they take as many
    # bytes, so nothing else in the file moves.
    header = read_header(path)
    with path.open("rb+") as file:
        length = header.pop("") - 8
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) > length:
            raise AssertionError("a header that grows when it is sorted")
        file.seek(8)
        file.write(text.ljust(length))


def read_header(path: Path) -> dict[str, Any]:
    """Read a safetensors file's header, which is whole, and under "" where its data begin."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(length))
    header[""] = 8 + length
    return header


def map_array(path: Path, header: Mapping[str, Any], name: str) -> NDArray[Any]:
    """Map an array of a safetensors file, whose header was read; it cannot be written to."""
    dtype, shape = DTYPES[header[name]["dtype"]], tuple(header[name]["shape"])
    start, stop = header[name]["data_offsets"]
    if start == stop:
        return np.empty(shape, dtype)
    return np.memmap(path, np.dtype(dtype).newbyteorder("<"), "r", header[""] + start, shape)


@contextmanager
def open_tensors(path: Path, remedy: str) -> Iterator[Any]:
    """Open a safetensors file, whose header the library checks; close it after the block.

    Parameters
    ----------
    path : Path
    remedy : str
        End of the message about a file that is not whole.

    Raises
    ------
    InputError
        If it cannot be opened.
    FormatError
        If it is no safetensors file, or not a whole one.
    """
    if path.is_dir():
        raise InputError(f"{path} is a directory; name a file in it.")
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except SafetensorError as error:
        raise FormatError(
            f"{path} is damaged: it is not a whole safetensors file ({error}); {remedy}"
        ) from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be opened ({error.strerror or error}); check the name and its "
            "permissions."
        ) from error


def _header_end(first: bytes) -> int:
    return 8 + int.from_bytes(first, "little")


def check_arrays(
    path: Path,
    file: Any,
    schema: Schema | None,
    remedy: str,
    *,
    optional: frozenset[str] = frozenset(),
) -> None:
    """Compare the header of an open file with what it must hold, before any array is read.

    Parameters
    ----------
    path : Path
    file : safetensors.safe_open
        From :func:`open_tensors`.
    schema : mapping of str to (str, int), optional
        Dtype and number of dimensions of each array; only dtypes are checked if it is not given.
    remedy : str
        End of the messages.
    optional : frozenset of str
        Names in ``schema`` that may be missing.

    Raises
    ------
    FormatError
        If an array is missing, unknown, or of another dtype or number of dimensions.
    """
    names = set(file.keys())
    if schema is not None and not schema.keys() - optional <= names <= schema.keys():
        missing = ", ".join(sorted(schema.keys() - optional - names))
        what = f"{missing} is missing" if missing else "it holds unknown tensors"
        raise FormatError(f"{path} is damaged: {what}; {remedy}")
    for name in sorted(names):
        head = file.get_slice(name)
        dtype, shape = DTYPES.get(head.get_dtype()), tuple(head.get_shape())
        if dtype is None:
            raise FormatError(f"{path} is damaged: {name} has dtype {head.get_dtype()}; {remedy}")
        if schema is not None and (dtype, len(shape)) != schema[name]:
            raise FormatError(
                f"{path} is damaged: {name} must be {schema[name][0]} with {schema[name][1]} "
                f"dimensions, got {dtype} of shape {shape}; {remedy}"
            )


def checksum(data: NDArray[Any] | bytes, start: int = 0) -> int:
    """CRC-32 of an array's bytes, going on from ``start``."""
    if isinstance(data, bytes):
        return zlib.crc32(data, start)
    return zlib.crc32(np.ascontiguousarray(data).reshape(-1).view(np.uint8).data, start)


def _record_checksum(metadata: Mapping[str, str]) -> str:
    parts = "\0".join(metadata.get(name, "") for name in (PART, "layout", "record"))
    return f"{checksum(parts.encode('utf-8', 'surrogatepass')):08x}"


def _array_checksum(name: str, array: NDArray[Any]) -> str:
    head = f"{name} {np.dtype(array.dtype).str} {array.shape}".encode("utf-8", "surrogatepass")
    return f"{checksum(array, checksum(head)):08x}"
