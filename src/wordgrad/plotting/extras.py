"""Libraries that not everyone needs, and what to do where one is missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from wordgrad.errors import WordgradError


class MissingExtraError(WordgradError, ImportError):
    """A library is not installed; the message has the command that installs it."""


def required(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import ``module``, or say how to install it.

    >>> required("math", extra="plot", purpose="A drawing").floor(1.5)
    1
    >>> required("no_such_module", extra="plot", purpose="A drawing")
    Traceback (most recent call last):
        ...
    wordgrad.plotting.extras.MissingExtraError: A drawing needs the library no_such_module; install
    it with: python -m pip install "wordgrad[plot]"
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        if error.name is not None and error.name.partition(".")[0] != library:
            raise  # installed, but broken: hiding that would send people the wrong way
        raise MissingExtraError(
            f"{purpose} needs the library {library}; install it with: "
            f'python -m pip install "wordgrad[{extra}]"'
        ) from error
