"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence


def count(number: float) -> str:
    """Write a count with three digits at least, shortened from a million on.

    >>> count(67864), count(16_941_067), count(2.5e9)
    ('67,864', '16.9 M', '2.50 G')
    """
    for size, letter in ((1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{_three_digits(number / size)} {letter}"
    return f"{number:,.0f}"


def size(bytes_: float) -> str:
    """Write a number of bytes, in decimal units.

    >>> size(512), size(99_999_998)
    ('512 bytes', '100 MB')
    """
    for unit, letter in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if bytes_ >= unit:
            return f"{_three_digits(bytes_ / unit)} {letter}"
    return f"{bytes_:.0f} bytes"


def duration(seconds: float) -> str:
    """Write a time span.

    >>> duration(4.21), duration(75), duration(7384)
    ('4.2 s', '1 min 15 s', '2 h 03 min')
    """
    if not math.isfinite(seconds):
        return "?"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def wrapped(parts: Sequence[str], width: int, separator: str) -> list[str]:
    """Join parts to lines of at most ``width`` characters, broken only between parts.

    A part that is longer than that has a line of its own.

    >>> wrapped(["tuple 0.60", "dict 0.55", "set 0.51"], 22, "  ")
    ['tuple 0.60  dict 0.55', 'set 0.51']
    """
    lines = list(parts[:1])
    for part in parts[1:]:
        longer = f"{lines[-1]}{separator}{part}"
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def _three_digits(value: float) -> str:
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"
