"""The texts that are trained on: their hash, and copies of them in other shapes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

WORDS_A_LINE = 1000
_BLOCK = 1 << 24


def sha256(path: Path) -> str:
    """Hash of a file's bytes, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _blocks_of_words(text: Path) -> Iterator[list[bytes]]:
    """Words of ``text`` in blocks; a word at a block's edge is never split."""
    rest = b""
    with text.open("rb") as handle:
        while block := handle.read(_BLOCK):
            block = rest + block
            words = block.split()
            rest = words.pop() if words and not block[-1:].isspace() else b""
            yield words
    if rest:
        yield [rest]


def break_lines(text: Path, target: Path, words_a_line: int = WORDS_A_LINE) -> Path:
    """Write the words of ``text`` to ``target``, ``words_a_line`` words a line.

    gensim cuts a line at 10,000 words and fastText at 1,024, both silently; below that all programs
    of a comparison train on the same sentences.
    """
    if target.exists():
        return target
    partial = target.with_suffix(".part")
    line: list[bytes] = []
    with partial.open("wb") as handle:
        for words in _blocks_of_words(text):
            line += words
            whole = len(line) - len(line) % words_a_line
            for first in range(0, whole, words_a_line):
                handle.write(b" ".join(line[first : first + words_a_line]) + b"\n")
            line = line[whole:]
        if line:
            handle.write(b" ".join(line) + b"\n")
    return partial.rename(target)


def repeat(text: Path, target: Path, times: int) -> Path:
    """Write ``text`` to ``target`` ``times`` times, one line break after each copy."""
    if target.exists():
        return target
    partial = target.with_suffix(".part")
    with partial.open("wb") as handle:
        for _ in range(times):
            with text.open("rb") as source:
                while block := source.read(_BLOCK):
                    handle.write(block)
            handle.write(b"\n")
    return partial.rename(target)
