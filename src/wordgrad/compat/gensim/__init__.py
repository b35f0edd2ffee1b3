"""gensim's words for this package's models: change the import lines alone.

>>> from wordgrad.compat.gensim.models import KeyedVectors
>>> kv = KeyedVectors(2)
>>> kv["tea"] = [1.0, 0.0]
>>> "tea" in kv
True
"""

from __future__ import annotations

import copy
import sys
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

import numpy as np

from wordgrad.compat.gensim import models
from wordgrad.errors import ParameterError

__all__ = ["adopt", "downloader", "models"]

_OF_GENSIM = ("load", "load_fasttext_format", "random", "norms")
"""Attributes that objects of gensim have and these have not."""


def adopt(model: Any) -> Any:
    """Return the twin of a live object of gensim: vectors, or a model that can be trained on.

    gensim's files are pickles and are never opened here; gensim opens them, and this takes over
    what it opened.  Arrays are copied.

    Parameters
    ----------
    model : object of a class of gensim.models that is here, too

    Raises
    ------
    ParameterError
        If it is something else, or of a version before gensim 4.

    >>> from gensim.models import Word2Vec  # doctest: +SKIP
    >>> adopt(Word2Vec.load("old.model")).train(...)  # doctest: +SKIP
    """
    for kind in type(model).__mro__:
        ours = getattr(models, kind.__name__, None)
        if kind.__module__.startswith("gensim.") and isinstance(ours, type):
            break
    else:
        raise ParameterError(
            f"adopt takes over models and vectors of gensim, got {type(model).__name__}; give the "
            "object that gensim's load returns."
        )
    missing = {"index_to_key", "expandos"} - set(vars(model)) if hasattr(model, "vectors") else ()
    if missing:
        raise ParameterError(
            f"This {type(model).__name__} lacks {', '.join(sorted(missing))}, so it is of gensim "
            "before 4; open it with gensim 4, whose load brings it up to date."
        )
    made: Any = object.__new__(ours)
    for name, value in vars(model).items():
        if name in made._unsaved or name in _OF_GENSIM:
            continue
        of = getattr(value, "__module__", None) if callable(value) else type(value).__module__
        if not str(of).startswith("gensim."):
            own = f"_{name}" if isinstance(getattr(ours, name, None), property) else name
            setattr(made, name if name == "vectors" else own, copy.deepcopy(value))
        elif callable(value):  # a function: the one of the same name here
            setattr(made, name, getattr(import_module(ours.__module__), value.__name__))
        else:
            setattr(made, name, adopt(value))
    if isinstance(made, models.KeyedVectors):
        made.__dict__.setdefault("vectors_lockf", np.ones(1, np.float32))  # a model's alone there
        made.next_index = len(made.index_to_key)
    made._restored()
    return made


def _refuse_download(name: str | None = None, *_: object, **options: object) -> NoReturn:
    """Tell what to do instead; nothing here goes to the network.

    Raises
    ------
    ParameterError
        Always.
    """
    what = "the file" if name is None else f"the file of {name!r}"
    raise ParameterError(
        f"downloads are not made here: fetch {what} and give it to "
        "KeyedVectors.load_word2vec_format."
    )


# A module, for programs import it as one: "import gensim.downloader as api".
downloader = ModuleType(f"{__name__}.downloader", "gensim's downloader, which refuses to.")
downloader.load = downloader.info = _refuse_download  # type: ignore[attr-defined]
sys.modules[downloader.__name__] = downloader
