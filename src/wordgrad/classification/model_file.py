"""Text classifiers in safetensors files.

Layout
------
A safetensors file (see :mod:`wordgrad.vectors.formats.safetensors_format`) with the tensors

================= ============ ==================================================================
``vectors``       F32 (R, D)   one row a feature: words, beginnings of words, n-grams
``importance``    F32 (R)      what each feature counts
``W1``, ``b1``    F32          (D, H), (H)
``W2``, ``b2``    F32          (H, C), (C)
``hashes``        I64 (G)      rising hashes of the n-grams
``words``         U8           the vocabulary in UTF-8, one word after another
``word_offsets``  I64 (V + 1)  word ``i`` is ``words[word_offsets[i]:word_offsets[i + 1]]``
``beginnings``    U8           beginnings of words, likewise, with ``beginning_offsets``
``labels``        U8           the classes in UTF-8, one after another
``label_offsets`` I64 (C + 1)
================= ============ ==================================================================

and one metadata entry, ``wordgrad-classifier``, a JSON object of ``layout`` (the version of this
layout, "1"), ``settings`` (an object) and ``crc32`` (eight hexadecimal digits), a checksum of all
tensors and the settings.  It is one entry because the library writes several in any order, and the
same model should give the same bytes.  Sizes in the file are compared with each other before
anything is used.  Nothing in it can be executed.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wordgrad.errors import FormatError, InputError, OutputError
from wordgrad.files import atomic_write, check_output
from wordgrad.vectors.words import WordTable

ENTRY = "wordgrad-classifier"
LAYOUT = "1"
REMEDY = "train again, or fetch an undamaged copy."

Tensors = dict[str, NDArray[Any]]

_TENSORS: dict[str, tuple[str, int]] = {  # dtype and number of dimensions
    "vectors": ("float32", 2),
    "importance": ("float32", 1),
    "W1": ("float32", 2),
    "b1": ("float32", 1),
    "W2": ("float32", 2),
    "b2": ("float32", 1),
    "hashes": ("int64", 1),
    "words": ("uint8", 1),
    "word_offsets": ("int64", 1),
    "beginnings": ("uint8", 1),
    "beginning_offsets": ("int64", 1),
    "labels": ("uint8", 1),
    "label_offsets": ("int64", 1),
}

_STRINGS = {
    "words": "word_offsets",
    "beginnings": "beginning_offsets",
    "labels": "label_offsets",
}


def write_model(
    path: str | os.PathLike[str],
    arrays: Tensors,
    strings: dict[str, list[str]],
    settings: dict[str, Any],
    *,
    overwrite: bool,
) -> None:
    """Write a file of this layout; it is whole or absent at any moment.

    Parameters
    ----------
    path : path
    arrays : dict of arrays
        Those of the table above but those of ``strings``.
    strings : dict of list of str
        Words, beginnings, labels.
    settings : dict
        What JSON can hold.

    Raises
    ------
    OutputError
        If the name does not end in ``.safetensors``, the file exists and ``overwrite`` is false, or
        it cannot be written.
    """
    if Path(path).suffix.lower() != ".safetensors":
        raise OutputError(
            f"The output {path} must end in .safetensors, the format of classifiers; rename it."
        )
    check_output(path, overwrite=overwrite)
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, offsets in _STRINGS.items():
        tensors[name], tensors[offsets] = WordTable.from_words(strings[name]).packed()
    about = {"layout": LAYOUT, "settings": settings, "crc32": _checksum(settings, tensors)}
    metadata = {ENTRY: json.dumps(about)}
    with atomic_write(path, overwrite=overwrite) as temporary:
        try:
            save_file(tensors, temporary, metadata=metadata)
        except SafetensorError as error:
            # The library reports a full disk, too, as an error of its own kind.
            raise OSError(str(error)) from error


def read_model(
    path: str | os.PathLike[str],
) -> tuple[Tensors, dict[str, list[str]], dict[str, Any]]:
    """Arrays, strings and settings of a file that :func:`write_model` made.

    Raises
    ------
    InputError
        If the file cannot be opened.
    FormatError
        If it is damaged or something else.
    """
    file = Path(path)
    if file.is_dir():
        raise InputError(f"{file} is a directory; name a classifier's file in it.")
    try:
        with safe_open(file, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            about = _about(file, metadata, set(opened.keys()))
            tensors = {name: opened.get_tensor(name) for name in _TENSORS}
    except SafetensorError as error:
        raise FormatError(
            f"{file} is not a whole safetensors file ({error}); name a classifier that wordgrad "
            "wrote, or fetch an undamaged copy."
        ) from error
    except OSError as error:
        raise InputError(
            f"{file} cannot be opened ({error.strerror or error}); check the name and its "
            "permissions."
        ) from error
    if _checksum(about["settings"], tensors) != about["crc32"]:
        raise FormatError(f"{file} is damaged: it fails its checksum; {REMEDY}")
    _check_shapes(file, tensors)
    strings = {
        name: list(WordTable.from_bytes(tensors.pop(name), tensors.pop(offsets), str(file)).words)
        for name, offsets in _STRINGS.items()
    }
    return tensors, strings, about["settings"]


def _about(file: Path, metadata: dict[str, str], names: set[str]) -> dict[str, Any]:
    if ENTRY not in metadata:
        what = "word vectors" if "wordgrad" in metadata else "something else"
        raise FormatError(
            f"{file} is a safetensors file of {what}, not of a classifier; name one that "
            "`wordgrad classify train` or TextClassifier.save wrote."
        )
    try:
        about = json.loads(metadata[ENTRY])
        layout, settings, _ = about["layout"], dict(about["settings"]), str(about["crc32"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FormatError(
            f"{file} is damaged: its metadata are not what wordgrad writes; {REMEDY}"
        ) from error
    if layout != LAYOUT:
        raise FormatError(
            f"{file} has layout {layout!r} and this version of wordgrad reads {LAYOUT!r}; "
            "install a newer version."
        )
    if names != set(_TENSORS):
        missing = sorted(set(_TENSORS) - names)
        what = f"{', '.join(missing)} is missing" if missing else "it holds unknown tensors"
        raise FormatError(f"{file} is damaged: {what}; {REMEDY}")
    return {"settings": settings, "crc32": about["crc32"]}


def _check_shapes(file: Path, tensors: Tensors) -> None:
    for name, (dtype, dimensions) in _TENSORS.items():
        found = tensors[name]
        if found.dtype != dtype or found.ndim != dimensions:
            raise FormatError(
                f"{file} is damaged: {name} must be {dtype} with {dimensions} dimensions, got "
                f"{found.dtype} of shape {found.shape}; {REMEDY}"
            )
    rows, size = tensors["vectors"].shape
    hidden, classes = tensors["W2"].shape
    expected = {
        "importance": (rows,),
        "W1": (size, hidden),
        "b1": (hidden,),
        "b2": (classes,),
        "label_offsets": (classes + 1,),
        "word_offsets": (rows - len(tensors["hashes"]) - len(tensors["beginning_offsets"]) + 2,),
    }
    for name, shape in expected.items():
        if tensors[name].shape != shape or min(size, hidden) < 1 or classes < 2:
            raise FormatError(
                f"{file} is damaged: {name} has the shape {tensors[name].shape}, where the other "
                f"sizes ask for {shape}; {REMEDY}"
            )
    floats = (name for name, (dtype, _) in _TENSORS.items() if dtype == "float32")
    if not all(np.isfinite(tensors[name]).all() for name in floats):
        raise FormatError(f"{file} is damaged: it holds numbers that are not finite; {REMEDY}")
    if (tensors["importance"] <= 0).any():
        raise FormatError(f"{file} is damaged: importance must be positive; {REMEDY}")
    if (np.diff(tensors["hashes"]) <= 0).any():
        raise FormatError(f"{file} is damaged: its hashes do not rise; {REMEDY}")


def _checksum(settings: dict[str, Any], tensors: Tensors) -> str:
    value = zlib.crc32(json.dumps(settings, sort_keys=True).encode())
    for name in sorted(tensors):
        value = zlib.crc32(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode(), value)
        value = zlib.crc32(np.ascontiguousarray(tensors[name]).data, value)
    return f"{value:08x}"
