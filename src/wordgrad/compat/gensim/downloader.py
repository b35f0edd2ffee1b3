"""gensim's downloader by its names, which downloads nothing: both functions say what to do."""

from __future__ import annotations

from typing import NoReturn

from wordgrad.errors import ParameterError

__all__ = ["info", "load"]


def load(name: str, return_path: bool = False) -> NoReturn:
    """Refuse to fetch a model or a text.

    Raises
    ------
    ParameterError
        Always.

    >>> load("glove-wiki-gigaword-50")
    Traceback (most recent call last):
    ...
    wordgrad.errors.ParameterError: downloads are not made here: fetch the file of \
'glove-wiki-gigaword-50' and give it to KeyedVectors.load_word2vec_format.
    """
    raise _refusal(f"the file of {name!r}")


def info(
    name: str | None = None, show_only_latest: bool = True, name_only: bool = False
) -> NoReturn:
    """Refuse to fetch a list of what there is.

    Raises
    ------
    ParameterError
        Always.
    """
    raise _refusal("the file" if name is None else f"the file of {name!r}")


def _refusal(what: str) -> ParameterError:
    return ParameterError(
        f"downloads are not made here: fetch {what} and give it to "
        "KeyedVectors.load_word2vec_format."
    )
