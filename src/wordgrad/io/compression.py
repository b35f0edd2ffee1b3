"""Opening files that may be compressed, recognised by their first bytes whatever the name.

============ ============== ======================
compression  usual ending   first bytes
============ ============== ======================
gzip         ``.gz``        1f 8b 08
bzip2        ``.bz2``       ``BZh``, a digit, then 31 41 59 26 53 59 or 17 72 45 38 50 90
xz           ``.xz``        fd ``7zXZ`` 00
zstd         ``.zst``       28 b5 2f fd
============ ============== ======================

What is read is decompressed as it is needed, a block at a time: a small file that stands for
terabytes takes no more memory than what its reader keeps.
"""

from __future__ import annotations

import bz2
import lzma
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any

from wordgrad.corpus.blocks import decompressed
from wordgrad.errors import CutShortError, FormatError, InputError

ENDINGS = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd": ".zst"}
PEEKED = 1 << 20  # bytes that ``peek`` of an opened file shows at its beginning
_MAGIC_BYTES = 10
_MAGICS = {
    "gzip": rb"\x1f\x8b\x08",
    "bzip2": rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)",
    "xz": rb"\xfd7zXZ\x00",
    "zstd": rb"\x28\xb5\x2f\xfd",
}


def compression_of(start: bytes) -> str | None:
    r"""Name of the compression of a file that begins with ``start``.

    >>> compression_of(b"\x1f\x8b\x08\x00"), compression_of(b"BZh 0.5 0.25\n")
    ('gzip', None)
    """
    return next(
        (name for name, magic in _MAGICS.items() if re.match(magic, start, re.DOTALL)), None
    )


def compression_of_file(path: Path) -> str | None:
    """Name of the compression of the file at ``path``, None if there is none."""
    with path.open("rb") as file:
        return compression_of(file.read(_MAGIC_BYTES))


def without_ending(path: Path) -> Path:
    """The name without the ending of a compression.

    >>> without_ending(Path("wiki.vec.gz")).name, without_ending(Path("wiki.vec")).name
    ('wiki.vec', 'wiki.vec')
    """
    return path.with_suffix("") if path.suffix.lower() in ENDINGS.values() else path


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader[Any]]:
    """Open a file for reading, its compression undone.

    ``peek`` shows the first :data:`PEEKED` bytes, if there are so many.

    Raises
    ------
    FormatError
        By any read, if compressed data are damaged or cut short.
    """
    compression = compression_of_file(path)
    with BufferedReader(path.open("rb", buffering=0), PEEKED) as file:
        if compression is None:
            yield file
            return
        if compression == "bzip2":
            read: Callable[[int], bytes] = bz2.BZ2File(file).read
        elif compression == "xz":
            read = lzma.LZMAFile(file).read  # noqa: SIM115  # it holds nothing open itself
        else:
            read = decompressed(file, compression, str(path))
        with BufferedReader(_Stream(path, compression, read), PEEKED) as stream:
            yield stream


class _Stream(RawIOBase):
    """What ``read`` returns, as a file that fills whatever is asked of it."""

    def __init__(self, path: Path, compression: str, read: Callable[[int], bytes]) -> None:
        self._path, self._compression, self._read = path, compression, read
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]
        done = 0
        while done < len(target):
            if not self._held:
                self._held = memoryview(self._next())
                if not self._held:
                    break
            part = self._held[: len(target) - done]
            target[done : done + len(part)] = part
            self._held = self._held[len(part) :]
            done += len(part)
        return done

    def _next(self) -> bytes:
        try:
            return self._read(PEEKED)
        except EOFError:
            raise CutShortError(
                f"{self._path} is cut short: its data, compressed with {self._compression}, end "
                "too early; copy or download it again."
            ) from None
        except (lzma.LZMAError, ValueError, OSError) as error:
            if isinstance(error, InputError) and "damaged" not in str(error):
                raise FormatError(str(error)) from error  # a sentence as it is
            raise FormatError(
                f"{self._path} is damaged: its data, compressed with {self._compression}, cannot "
                "be decompressed; copy or download it again."
            ) from error
