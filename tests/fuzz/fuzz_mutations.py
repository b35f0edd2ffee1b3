"""Ways to damage bytes: blindly, and knowing what a format is made of.

Every function takes a ``random.Random`` first, so that a case is known by its numbers alone.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

Mutation = Callable[[random.Random, bytes], bytes]

LARGEST = 1 << 20  # bytes of a case: what lies is in the numbers, not in the size

NUMBERS = (0, 1, 2, 3, 7, 127, 128, 255, 256, 1 << 15, (1 << 16) - 1, (1 << 31) - 1, 1 << 31)
NUMBERS += ((1 << 32) - 1, 1 << 32, 10**12, (1 << 53) + 1, 1 << 62, (1 << 63) - 1, 1 << 63)
NUMBERS += ((1 << 64) - 1, -1, -2, -(1 << 31), -(1 << 63))

TEXTS = (b"\0", b"\r", b"\n", b"\r\n", b" ", b"\t", b",", b'"', b'""', b"'", b"\\", b"#", b":")
TEXTS += (b"\xef\xbb\xbf", b"\xff", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80")
TEXTS += ("\u2028".encode(), "\x85".encode(), "e\u0301".encode(), "\u202eabc".encode())
TEXTS += (b"nan", b"-inf", b"1e999", b"1e-999", b"0x1p3", b"1_000", b"-0", b"+1", b".", b"1e")
TEXTS += (b"\\ud800", b"\\udc00\\ud800", b"\\u0000", b"null", b"true", b"{}", b"[]", b"{", b"}")
TEXTS += (b"[" * 3000, b'{"a":' * 3000, b"9" * 400, b"../../x", b"/etc/passwd", b"cos\nsystem\n.")

JSON_VALUES: tuple[Any, ...] = (None, True, -1, 0, 1, 1 << 31, 10**12, 1 << 63, 10**30, 1e308, -0.5)
JSON_VALUES += (
    float("nan"),
    float("inf"),
    "",
    "\0",
    "\ud800",
    "F64",
    "U8",
    "I64",
    "BOOL",
    "x" * 999,
)
JSON_VALUES += ([], {}, [[]], [0, 10**18], [1, 2, 3], {"a": {"b": []}}, {"loss": None}, "1e5")


def blind(rng: random.Random, data: bytes) -> bytes:
    """One to four small damages anywhere."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        data = rng.choice(_DAMAGES)(rng, data)
    return data[:LARGEST]


def _place(rng: random.Random, data: bytes) -> int:
    """Anywhere, but every other time near one end: headers and footers are there."""
    if not data:
        return 0
    near = min(len(data), 128)
    return rng.choice(
        (
            rng.randrange(len(data)),
            rng.randrange(len(data)),
            rng.randrange(near),
            len(data) - 1 - rng.randrange(near),
        )
    )


def _flip(rng: random.Random, data: bytes) -> bytes:
    if not data:
        return data
    place = _place(rng, data)
    return data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]


def _byte(rng: random.Random, data: bytes) -> bytes:
    place = _place(rng, data)
    return data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]


def _truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: _place(rng, data)]


def _remove(rng: random.Random, data: bytes) -> bytes:
    place = _place(rng, data)
    return data[:place] + data[place + rng.choice((1, 2, 4, 8, 64, 1000)) :]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    start = _place(rng, data)
    piece = data[start : start + rng.choice((1, 4, 16, 200))]
    return data[:start] + piece * rng.choice((2, 3, 50)) + data[start + len(piece) :]


def _swap(rng: random.Random, data: bytes) -> bytes:
    first, second, third = sorted(_place(rng, data) for _ in range(3))
    return data[:first] + data[second:third] + data[first:second] + data[third:]


def _insert(rng: random.Random, data: bytes) -> bytes:
    place = _place(rng, data)
    return data[:place] + rng.choice(TEXTS) + data[place + rng.choice((0, 0, 1, 4)) :]


def _noise(rng: random.Random, data: bytes) -> bytes:
    place = _place(rng, data)
    return data[:place] + rng.randbytes(rng.choice((1, 3, 17, 300))) + data[place:]


def _integer(rng: random.Random, data: bytes) -> bytes:
    """A binary number of 1, 2, 4 or 8 bytes: lengths, counts and offsets look like that."""
    size = rng.choice((1, 2, 4, 8))
    place = _place(rng, data)
    number = rng.choice(NUMBERS) & ((1 << 8 * size) - 1)
    return (
        data[:place] + number.to_bytes(size, rng.choice(("little", "big"))) + data[place + size :]
    )


def _digits(rng: random.Random, data: bytes) -> bytes:
    """A number written in digits."""
    found = list(re.finditer(rb"\d+", data[:65536]))
    if not found:
        return _insert(rng, data)
    match = rng.choice(found[:4] + found)
    number = rng.choice((*NUMBERS, int(match[0][:18]) + rng.choice((-1, 1))))
    return data[: match.start()] + str(number).encode() + data[match.end() :]


_DAMAGES = (_flip, _byte, _truncate, _remove, _repeat, _swap, _insert, _noise, _integer, _digits)


_HEAD = ((4, range(4, 56, 4)), (4, range(64, 76, 4)), (8, range(76, 92, 8)))


def fasttext(rng: random.Random, data: bytes) -> bytes:
    """A number of a fastText model's head that lies, perhaps wherever else the model has it."""
    if rng.random() < 0.5 or len(data) < 92:
        return blind(rng, data)
    for _ in range(rng.choice((1, 1, 2))):
        size, places = rng.choice(_HEAD)
        place = rng.choice(places)
        old = int.from_bytes(data[place : place + size], "little", signed=True)
        new = rng.choice((*NUMBERS, old - 1, old + 1, 2 * old, old // 2))
        told = (new & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        data = data[:place] + told + data[place + size :]
        if rng.random() < 0.5:
            shape = struct.pack("<q", old), (new & ((1 << 64) - 1)).to_bytes(8, "little")
            data = data[:92] + data[92:].replace(*shape, rng.choice((1, 2, 4)))
    return blind(rng, data) if rng.random() < 0.3 else data[:LARGEST]


def first_line(rng: random.Random, data: bytes) -> bytes:
    """A header of two numbers that may lie, as a word2vec file begins."""
    if rng.random() < 0.6:
        return blind(rng, data)
    rows, size = (rng.choice((*NUMBERS, 10**12, 300, 4, 8)) for _ in range(2))
    ending = rng.choice((b"\n", b"\r\n", b" \n", b""))
    return b"%d %d" % (rows, size) + ending + data.partition(b"\n")[2]


def json_value(rng: random.Random, value: Any) -> Any:
    """``value`` with one of its parts, at any depth, replaced, removed or renamed."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(sorted(value))
        changed = dict(value)
        kind = rng.random()
        if kind < 0.7:
            changed[key] = json_value(rng, value[key])
        elif kind < 0.85:
            del changed[key]
        else:
            changed[rng.choice((key + "x", "", "\0", "__metadata__", "matrix"))] = changed.pop(key)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        middle = rng.choice(([json_value(rng, value[place])], [], [value[place]] * 2))
        return [*value[:place], *middle, *value[place + 1 :]]
    if isinstance(value, str) and value[:1] in ("{", "[") and rng.random() < 0.8:
        return json.dumps(json_value(rng, json.loads(value)))
    if isinstance(value, int | float) and rng.random() < 0.4:
        return value + rng.choice((-1, 1, 4, 1000))
    return rng.choice(JSON_VALUES)


def safetensors(rng: random.Random, data: bytes) -> bytes:
    """The JSON header changed; its length and, mostly, the checksum mended."""
    if rng.random() < 0.4:
        return blind(rng, data)
    (length,) = struct.unpack("<Q", data[:8])
    header, tensors = json.loads(data[8 : 8 + length]), data[8 + length :]
    if rng.random() < 0.4:
        tensors = blind(rng, tensors)
    for _ in range(rng.choice((0, 1, 1, 2))):
        header = json_value(rng, header)
    if rng.random() < 0.8:
        _mend_checksum(header, tensors)
    text = json.dumps(header, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    text += b" " * rng.choice((0, 0, -len(text) % 8))
    promised = len(text) if rng.random() < 0.95 else rng.choice(NUMBERS) & ((1 << 64) - 1)
    return struct.pack("<Q", promised) + text + tensors


def _mend_checksum(header: Any, tensors: bytes) -> None:
    """Put the checksum that belongs to what is there, so that later checks are reached."""
    try:
        metadata = header["__metadata__"]
        texts = [f"{key}={metadata[key]}\0" for key in sorted(metadata) if key != "crc32.rest"]
        value = zlib.crc32("".join(texts).encode())
        for name in sorted(set(header) - {"__metadata__", "matrix"}):
            start, stop = header[name]["data_offsets"]
            value = zlib.crc32(tensors[start:stop], value)
        metadata["crc32.rest"] = f"{value:08x}"
    except (LookupError, TypeError, ValueError):
        pass  # so broken that no checksum is looked at


def npz(rng: random.Random, data: bytes) -> bytes:
    """An array within the archive changed, and the archive made whole again around it."""
    if rng.random() < 0.4:
        return blind(rng, data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    for _ in range(rng.choice((1, 1, 2))):
        kind = rng.random()
        if kind < 0.5:  # the header of the array, whose length stays
            members[name] = _digits(rng, members[name][:128]) + members[name][128:]
        elif kind < 0.8:
            members[name] = blind(rng, members[name])
        elif kind < 0.9:
            members[rng.choice(("../evil.npy", "/x.npy", "words.npy", "\0", "metadata.npy"))] = (
                members[name]
            )
        else:
            members.pop(rng.choice(sorted(members)))
        name = rng.choice(sorted(members) or [name])
        members.setdefault(name, b"")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", rng.choice((0, 0, 8, 12, 14))) as archive:
        for member in members:
            archive.writestr(zipfile.ZipInfo(member.replace("\0", "_")), members[member])
    return packed.getvalue()


def compressed(
    pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes], inner: Mutation
) -> Mutation:
    """What is inside changed, or the compressed bytes themselves."""

    def mutate(rng: random.Random, data: bytes) -> bytes:
        if rng.random() < 0.5:
            return blind(rng, data)
        packed = pack(inner(rng, unpack(data)))
        return packed + rng.choice((b"", b"", packed, b"\0\0\0", b"x"))

    return mutate


def json_lines(rng: random.Random, data: bytes) -> bytes:
    """A value somewhere in a line replaced, or a line damaged."""
    if rng.random() < 0.5:
        return blind(rng, data)
    lines = data.split(b"\n")
    place = rng.randrange(len(lines))
    try:
        changed = json_value(rng, json.loads(lines[place]))
        lines[place] = json.dumps(changed).encode()
    except ValueError:
        lines[place] = rng.choice(TEXTS)
    return b"\n".join(lines)


def gzipped(data: bytes) -> bytes:
    """The same bytes at any time of day: a case is known by its numbers."""
    return gzip.compress(data, mtime=0)


KINDS = {"U8": "|u1", "I32": "<i4", "I64": "<i8", "U64": "<u8", "F32": "<f4", "F64": "<f8"}


def container(rng: random.Random, data: bytes) -> bytes:
    """The record, the header or the arrays of a container changed, its checksums mended."""
    if rng.random() < 0.3:
        return blind(rng, data)
    (length,) = struct.unpack("<Q", data[:8])
    header, arrays = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata = header["__metadata__"]
    if rng.random() < 0.7:
        record = json.loads(metadata["record"])
        for _ in range(rng.choice((1, 1, 2))):
            record = json_value(rng, record)
        metadata["record"] = json.dumps(record)
    if rng.random() < 0.3:
        arrays = blind(rng, arrays)[: len(arrays)].ljust(len(arrays), b"\0")
    if rng.random() < 0.3:
        header = json_value(rng, header)
    _mend_checksums(header, arrays)
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + arrays


def _mend_checksums(header: Any, arrays: bytes) -> None:
    """Put the checksums that belong to what is there, so that later checks are reached."""
    try:
        metadata = header["__metadata__"]
        parts = "\0".join(metadata.get(name, "") for name in ("wordgrad.part", "layout", "record"))
        metadata["crc32.record"] = f"{zlib.crc32(parts.encode('utf-8', 'surrogatepass')):08x}"
        for name in set(header) - {"__metadata__"}:
            one = header[name]
            start, stop = one["data_offsets"]
            head = f"{name} {KINDS[one['dtype']]} {tuple(one['shape'])}"
            crc = zlib.crc32(arrays[start:stop], zlib.crc32(head.encode("utf-8", "surrogatepass")))
            metadata[f"crc32: {name}"] = f"{crc:08x}"
    except (LookupError, TypeError, ValueError, AttributeError):
        pass  # so broken that no checksum is looked at
