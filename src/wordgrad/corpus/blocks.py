"""Bytes of any length, cut into blocks of a few megabytes at white space, never in a token.

Also what bytes need before that: their compression undone, a byte-order mark taken off, and what is
not UTF-8 named by its line or replaced and counted.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from wordgrad.errors import InputError


def replace_invalid(data: bytes) -> tuple[bytes, int]:
    r"""Put U+FFFD where ``data`` is not UTF-8; return the text and the bytes replaced.

    >>> replace_invalid(b"na\xefve \xff\xfe")
    (b'na\xef\xbf\xbdve \xef\xbf\xbd\xef\xbf\xbd', 3)
    """
    mark = "\ufffd".encode()
    clean = data.decode("utf-8", "replace").encode()
    # A U+FFFD that was in the text stays, so only the new ones stand for lost bytes.
    marks = clean.count(mark) - data.count(mark)
    return clean, len(data) - (len(clean) - marks * len(mark))


def not_utf8(name: str, line: int, error: UnicodeDecodeError) -> InputError:
    """Build the error that names file, line and remedy."""
    byte = error.object[error.start]
    return InputError(
        f"{name}, line {line}, is not valid UTF-8 (byte 0x{byte:02x}); convert the file to UTF-8, "
        'or go on with errors="replace" (--errors replace), which counts what it replaces.'
    )


BLOCK_BYTES = 2 << 20
"""Usual size of a block.  Larger ones fall out of the processor's caches and take more memory,
smaller ones pay more for each call (measured in docs/performance.md)."""

LONGEST_WHOLE_LINE = 8 << 20
"""Where lines matter (``pattern``), longer ones are cut at white space too, to bound the memory."""

LONGEST_TOKEN = 16 << 20
"""Bytes without any white space that are still taken for a word."""

LONGEST_ROW = 64 << 20
"""Bytes of one row of a table, which is parsed whole and takes about ten times as many."""

# Four bytes of zstd can stand for 128 KiB, and all that a piece stands for is made at once.
_ZSTD_READ, _ZSTD_PIECE = 64 << 10, 1 << 10

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def text_blocks(
    read: Callable[[int], bytes],
    *,
    longest_line: int | None = 0,
    size: int = BLOCK_BYTES,
    name: str = "The text",
) -> Iterator[bytes]:
    r"""Cut what ``read`` returns into blocks that end after white space.

    A last line without its line feed gets one.  A token longer than a block is kept whole, so
    memory grows with the longest token and with nothing else.

    Parameters
    ----------
    read : callable
        ``read(n)`` returns at most n bytes, and none at the end.
    longest_line : int or None
        Lines up to this many bytes are in one block each; None: all lines, of any length.
    size : int
        Bytes to read at a time.
    name : str
        What is read, for messages.

    Raises
    ------
    InputError
        If there is no white space in :data:`LONGEST_TOKEN` bytes, or, where lines must be whole,
        no line ends in :data:`LONGEST_ROW` bytes: no input takes all the memory.

    Examples
    --------
    >>> from io import BytesIO
    >>> list(text_blocks(BytesIO(b"to be or\nnot to be").read, size=7))
    [b'to be ', b'or\nnot ', b'to ', b'be\n']
    """
    held: list[bytes] = []
    held_bytes = 0
    last = b"\n"
    while chunk := read(size):
        last = chunk[-1:]
        cut = chunk.rfind(b"\n") + 1 if longest_line != 0 else 0
        if cut == 0:
            longer = longest_line is not None and held_bytes + len(chunk) > longest_line
            cut = _last_space(chunk) if longer else -1
        if cut >= 0:
            block = b"".join((*held, chunk[:cut]))
            if block:
                yield block
            held, held_bytes, chunk = [], 0, chunk[cut:]
        held.append(chunk)
        held_bytes += len(chunk)
        if longest_line is None and held_bytes > LONGEST_ROW:
            raise row_too_long(name)
        if longest_line is not None and held_bytes > longest_line + LONGEST_TOKEN:
            raise _token_too_long(name)
    rest = b"".join(held)
    if last != b"\n":
        rest += b"\n"
    if rest:
        yield rest


def _last_space(chunk: bytes) -> int:
    """End of the last white space, or -1; a CR that may have its LF in the next chunk is left."""
    if chunk[-1:].isspace():
        return len(chunk) - chunk.endswith(b"\r")
    return len(chunk) - len(chunk.rsplit(None, 1)[-1]) or -1


def decompressed(
    handle: BinaryIO, compression: str | None, name: str, *, marked: bool = True
) -> Callable[[int], bytes]:
    """``read`` of an open file, its compression undone, a UTF-8 byte-order mark taken off.

    The mark stays unless ``marked``: within a file it would be a character.

    Raises
    ------
    InputError
        By the returned function, if reading fails, or compressed data are cut short or damaged.
    """
    read = _guarded(handle.read, name)
    if compression == "gzip":
        read = _guarded(gzip.GzipFile(fileobj=handle).read, name)
    elif compression == "zstd":
        frames = _zstd_chunks(read, name)

        def read(_size: int) -> bytes:
            return next(frames, b"")

    return _without_mark(read) if marked else read


def _without_mark(read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    started = False

    def read_on(size: int) -> bytes:
        nonlocal started
        if started:
            return read(size)
        started = True
        first = read(size)
        # A read may return fewer bytes than the mark has.
        while 0 < len(first) < len(_BYTE_ORDER_MARK) and (more := read(size)):
            first += more
        # Nothing would mean the end.
        return first.removeprefix(_BYTE_ORDER_MARK) or read(size)

    return read_on


def _guarded(read: Callable[[int], bytes], name: str) -> Callable[[int], bytes]:
    def checked(size: int) -> bytes:
        try:
            return read(size)
        except EOFError:
            raise _cut_short(name) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise _damaged(name, error) from error
        except OSError as error:
            raise InputError(
                f"{name} cannot be read to its end ({error.strerror or error}); check the disk, or "
                "copy the file."
            ) from error

    return checked


def _zstd_chunks(read: Callable[[int], bytes], name: str) -> Iterator[bytes]:
    import zstandard

    decoder = zstandard.ZstdDecompressor().decompressobj()
    inside = False
    compressed = read(_ZSTD_READ)
    while compressed:
        inside = True
        piece, compressed = compressed[:_ZSTD_PIECE], compressed[_ZSTD_PIECE:]
        try:
            data = decoder.decompress(piece)
        except zstandard.ZstdError as error:
            raise _damaged(name, error) from error
        for start in range(0, len(data), BLOCK_BYTES):
            yield data[start : start + BLOCK_BYTES]
        if decoder.eof:  # the next frame, if any, begins here
            compressed = decoder.unused_data + compressed
            decoder = zstandard.ZstdDecompressor().decompressobj()
            inside = False
        compressed = compressed or read(_ZSTD_READ)
    if inside:
        raise _cut_short(name)


def row_too_long(name: str) -> InputError:
    """Build the error for a row that is longer than :data:`LONGEST_ROW`."""
    return InputError(
        f"{name} holds a row of more than {LONGEST_ROW >> 20} MiB; split it into several, or close "
        "a quote that was left open."
    )


def _token_too_long(name: str) -> InputError:
    return InputError(
        f"{name} holds more than {LONGEST_TOKEN >> 20} MiB without white space, which is no text "
        "of words; put white space between them, or correct the suffix."
    )


def _cut_short(name: str) -> InputError:
    return InputError(
        f"{name} is cut short: its compressed data end too early; copy or download it again."
    )


def _damaged(name: str, error: Exception) -> InputError:
    return InputError(
        f"{name} is damaged or not compressed as its suffix says ({error}); copy it again or "
        "correct the suffix."
    )
