"""From a text to words, as the text that the vectors were trained on was cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wordgrad.errors import ParameterError


def document_words(document: str | Iterable[str], metadata: Mapping[str, Any]) -> list[str]:
    """Words of a document.

    Parameters
    ----------
    document : str or iterable of str
        A text, or words, which stay as they are.
    metadata : mapping
        Of the vectors: ``settings`` may hold ``lowercase`` and ``pattern``, as training keeps them.

    Raises
    ------
    ParameterError
        If it is neither, or holds something that is no string.

    >>> document_words("To be, or not", {"settings": {"lowercase": True, "pattern": r"[a-z]+"}})
    ['to', 'be', 'or', 'not']
    >>> document_words(["To", "be or"], {})
    ['To', 'be or']
    """
    if isinstance(document, str):
        return _cut(document, metadata)
    if not isinstance(document, Iterable):
        raise ParameterError(f"document must be a text or its words, got {document!r}.")
    words = list(document)
    for word in words:
        if not isinstance(word, str):
            raise ParameterError(f"document must hold words, which are strings, got {word!r}.")
    return words


def _cut(text: str, metadata: Mapping[str, Any]) -> list[str]:
    settings = metadata.get("settings")
    settings = settings if isinstance(settings, dict) else {}
    if settings.get("lowercase") is True:
        text = text.lower()
    pattern = settings.get("pattern")
    if not isinstance(pattern, str):
        return text.split()
    from wordgrad.text.tokens import EMPTY, TextBlock, Tokenizer

    tokenizer = Tokenizer(pattern)
    ids = tokenizer.encode(TextBlock(text.encode()))
    types = tokenizer.types().to_list()
    return [types[number] for number in ids.tolist() if number > EMPTY]
