"""Words as text that can be drawn: anything may stand in them."""

from __future__ import annotations

import re

_INVISIBLE = re.compile("[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]")


def visible(word: str) -> str:
    r"""``word`` with a sign for each character that shows nothing, or breaks a line or a file.

    >>> visible("New York"), visible("tab\there"), visible(""), visible("café")
    ('New␣York', 'tab␉here', '(empty)', 'café')
    """
    return _INVISIBLE.sub(_sign, word) or "(empty)"


def _sign(character: re.Match[str]) -> str:
    code = ord(character[0])
    if code in (0x20, 0xA0):
        return "␣"
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"
