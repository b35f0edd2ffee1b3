"""Files of what has gensim's names: plain values and arrays in a container, and no code.

gensim's ``save`` pickles; a pickle can run any code when it is opened, so those files are refused
here, and what is written instead is a :class:`~wordgrad.container.Container` whose record is

=================== ==============================================================================
``class``           the class that was saved
``state``           its attributes, each encoded as below
=================== ==============================================================================

Text, numbers, True, False and None stand for themselves.  Everything else is an object of one
entry, whose name tells what it is: ``list``, ``tuple``, ``frozenset`` of encoded items; ``dict`` of
encoded keys and values; ``array``, ``strings`` or ``ints`` name arrays of the file; ``float`` is a
number that JSON lacks; ``saved`` is an object of a class that can be saved itself.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from wordgrad.container import DTYPES, Arrays, Container, open_tensors
from wordgrad.errors import FormatError, OutputError
from wordgrad.io.formats import is_pickle

logger = logging.getLogger(__name__)
FILE = Container(
    part="model with gensim's names",
    layout="1",
    remedy="save it again.",
    origin="name a file that save() of wordgrad.compat.gensim wrote.",
)
LONG = 64
"""Lists of so many strings or integers become arrays of the file."""

_CLASSES: dict[str, type[Saveable]] = {}


DAMAGED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What values that do not fit each other end in."""


class Saveable:
    """An object whose attributes are values and arrays, so that a file holds all of it.

    Functions among the attributes are not saved: a file must not hold code.
    """

    _unsaved: frozenset[str] = frozenset()
    """Attributes that are made again after loading."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__.startswith(__package__):
            _CLASSES[cls.__name__] = cls

    def add_lifecycle_event(
        self, event_name: str, log_level: int = logging.INFO, **event: Any
    ) -> None:
        """Append a record of what was done to ``lifecycle_events``, and log it."""
        events = self.__dict__.setdefault("lifecycle_events", [])
        events.append({"event": event_name, **event})
        logger.log(log_level, "%s: %s", event_name, event)

    def _state(self) -> dict[str, Any]:
        """Attributes to save."""
        return {name: value for name, value in self.__dict__.items() if name not in self._unsaved}

    def _restored(self) -> None:
        """Make what was not saved, and check what was.

        Raises
        ------
        ValueError
            If the attributes do not fit each other.
        """

    def save(
        self,
        fname: str | os.PathLike[str],
        separately: object = None,
        sep_limit: int = 0,
        ignore: Iterable[str] = frozenset(),
        pickle_protocol: int = 4,
    ) -> None:
        """Write a file that ``load`` of the same class opens, whole or not at all.

        ``separately``, ``sep_limit`` and ``pickle_protocol`` are gensim's and change nothing: it is
        one file, and no pickle.

        Parameters
        ----------
        fname : path
            An existing file is replaced, as in gensim.
        ignore : iterable of str
            Attributes to leave out.

        Raises
        ------
        OutputError
            If the file cannot be written, or an attribute is no plain value.
        """
        arrays: Arrays = {}
        state = _encoded_state(self, arrays, set(ignore))
        FILE.write(Path(fname), {"class": _known_class(type(self)), "state": state}, arrays)

    @classmethod
    def _load(cls, fname: str | os.PathLike[str]) -> Self:
        """Open a file that :meth:`save` wrote.

        Raises
        ------
        AttributeError
            If it holds an object of another class, which the message names.
        FormatError
            If it is a pickle, of another kind, or damaged.
        """
        path = Path(fname)
        check_no_pickle(path, cls.__name__)
        record, arrays = FILE.read(path)
        try:
            name, state = record["class"], record["state"]
            found = _CLASSES[name]
        except (KeyError, TypeError) as error:
            raise FILE.damaged(path, f"it names no class ({error})") from error
        if not issubclass(found, cls) and not issubclass(cls, found):
            raise AttributeError(
                f"{path} holds a {name}, not a {cls.__name__}; open it with {name}.load."
            )
        try:
            made = _restore(cls if issubclass(cls, found) else found, state, arrays)
        except DAMAGED as error:
            raise FILE.damaged(path, f"its values do not fit each other ({error})") from error
        return cast(Self, made)


def check_no_pickle(path: Path, name: str) -> None:
    """Refuse a file that gensim pickled.

    Raises
    ------
    FormatError
        Which tells how to take its content over.
    """
    if not path.is_file():
        return  # opening it says what is wrong
    if not is_pickle(_first_bytes(path)):
        return
    save = f"from gensim.models import {name} as W; W.load('{path.name}')"
    wv = "" if name.endswith("KeyedVectors") else ".wv"
    raise FormatError(
        f"{path} is a pickle saved by gensim; a pickle can run any code when it is opened, so it "
        "is never opened here. Where gensim is installed, run once: python -c "
        f"\"{save}{wv}.save_word2vec_format('old.bin', binary=True)\", then "
        "KeyedVectors.load_word2vec_format('old.bin', binary=True); to train on, or for what is no "
        "set of vectors, use wordgrad.compat.gensim.adopt(model)."
    )


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1 << 16)


def holds_vectors(path: Path) -> bool:
    """Whether a file is one of :meth:`wordgrad.WordVectors.save`."""
    if not path.is_file() or _first_bytes(path)[8:9] != b"{":
        return False
    with open_tensors(path, FILE.remedy) as file:
        return "wordgrad" in (file.metadata() or {})


def _known_class(cls: type) -> str:
    """Name of the class here that ``cls`` is, or is made from."""
    return next(one.__name__ for one in cls.__mro__ if _CLASSES.get(one.__name__) is one)


def _restore(cls: type[Saveable], state: Any, arrays: Arrays) -> Saveable:
    made = cls.__new__(cls)
    made.__dict__.update({str(name): _decoded(value, arrays) for name, value in state.items()})
    made._restored()
    return made


# ---------------------------------------------------------------- values


def _encoded_state(
    saved: Saveable, arrays: Arrays, left_out: set[str] | frozenset[str] = frozenset()
) -> dict[str, Any]:
    state = {}
    for name, value in saved._state().items():
        if name in left_out or (callable(value) and not isinstance(value, Saveable)):
            continue
        try:
            state[name] = _encoded(value, arrays)
        except TypeError as error:
            raise OutputError(
                f"The attribute {name!r} of this {type(saved).__name__} cannot be saved, for a "
                f"file holds plain values and arrays, and no code ({error}); leave it out with "
                f"ignore=[{name!r}]."
            ) from error
    return state


def _encoded(value: Any, arrays: Arrays) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, np.ndarray):
        return _encoded_array(value, arrays)
    if isinstance(value, Saveable):
        return {"saved": [_known_class(type(value)), _encoded_state(value, arrays)]}
    if isinstance(value, dict):
        return {"dict": [_encoded_items(list(part), arrays) for part in (value, value.values())]}
    for kind, of in (("list", list), ("tuple", tuple), ("frozenset", set | frozenset)):
        if isinstance(value, of):
            return {kind: _encoded_items(list(value), arrays)}
    raise TypeError(f"it holds a {type(value).__name__}")


def _encoded_items(items: list[Any], arrays: Arrays) -> Any:
    """Items of a list: long ones of strings or integers are arrays, which take less time."""
    kinds = set(map(type, items)) if len(items) >= LONG else set()
    if kinds == {str}:
        data = [one.encode("utf-8", "surrogatepass") for one in items]
        offsets = np.zeros(len(items) + 1, np.int64)
        np.cumsum([len(one) for one in data], out=offsets[1:])
        text = np.frombuffer(b"".join(data), np.uint8)
        return {"strings": [_stored(text, arrays), _stored(offsets, arrays)]}
    if kinds == {int} and all(-(2**63) <= one < 2**63 for one in items):
        return {"ints": _stored(np.array(items, np.int64), arrays)}
    return [_encoded(one, arrays) for one in items]


def _encoded_array(array: NDArray[Any], arrays: Arrays) -> dict[str, Any]:
    if array.dtype == object:
        return {"objects": _encoded_items(array.tolist(), arrays)}
    for name in (array.dtype.name, "float32", "uint8", "int64"):
        if name in DTYPES.values() and np.can_cast(array.dtype, name):
            return {"array": [_stored(array.astype(name), arrays), array.dtype.name]}
    raise TypeError(f"it holds an array of {array.dtype}")


def _stored(array: NDArray[Any], arrays: Arrays) -> str:
    name = str(len(arrays))
    arrays[name] = array
    return name


def _decoded(value: Any, arrays: Arrays) -> Any:
    if not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        raise ValueError("a list outside of everything")
    ((kind, of),) = value.items()
    if kind == "saved":
        name, state = of
        return _restore(_CLASSES[name], state, arrays)
    if kind == "float":
        return float(of)
    if kind == "array":
        name, dtype = of
        if np.dtype(dtype).kind not in "biuf":
            raise ValueError(f"an array of {dtype}")
        return arrays[name].astype(dtype, copy=False)
    if kind == "objects":
        items = _decoded_items(of, arrays)
        found = np.empty(len(items), object)
        found[:] = items
        return found
    if kind == "dict":
        keys, values = (_decoded_items(part, arrays) for part in of)
        return dict(zip(keys, values, strict=True))
    made: Callable[[list[Any]], Any] = {"list": list, "tuple": tuple, "frozenset": frozenset}[kind]
    return made(_decoded_items(of, arrays))


def _decoded_items(items: Any, arrays: Arrays) -> list[Any]:
    if isinstance(items, list):
        return [_decoded(one, arrays) for one in items]
    if "ints" in items:
        return [int(number) for number in arrays[items["ints"]].tolist()]
    data, offsets = (arrays[name] for name in items["strings"])
    text, ends = data.tobytes(), offsets.tolist()
    if ends[0] != 0 or ends[-1] != len(text) or np.any(np.diff(offsets) < 0):
        raise ValueError("offsets of strings out of order")
    return [text[start:stop].decode("utf-8", "surrogatepass") for start, stop in pairwise(ends)]
