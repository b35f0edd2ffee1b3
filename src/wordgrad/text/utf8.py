"""Text that is not UTF-8: where, or what of it was lost."""

from __future__ import annotations

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
