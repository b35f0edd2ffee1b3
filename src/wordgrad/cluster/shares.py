"""A text cut into pieces, and which node reads which.

A piece is a file, a part of a large plain text that begins and ends with a line, or some sentences
in memory.  No sentence lies in two pieces, so each can be read where it lies, and the pieces one
after another are the text.

Pieces are small beside an episode and are dealt to the nodes in turn, so that every episode has
text on every node.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, TypeAlias

import numpy as np

from wordgrad.corpus.sources import Sentences, StandardInput, TextFile, resolve, texts_of
from wordgrad.errors import InputError
from wordgrad.training.engines.blocks import EPISODES_AN_EPOCH

PIECES_AN_EPISODE = 2
"""Of each node, of a text so small that it has :data:`EPISODES_AN_EPOCH` of them."""

LARGEST_PIECE = 4 << 20
"""Bytes, where a file can be cut."""

_READ = 1 << 16


@dataclass(frozen=True)
class Rows:
    """Some sentences in memory.

    Attributes
    ----------
    items : list or table, or a reference to one
    size : int
        How many, as far as it is known.
    column : str or None
        Of a table, the one that holds the text.
    """

    items: Any
    size: int
    column: str | None = None
    name: ClassVar[str] = "sentences given"


Piece: TypeAlias = TextFile | Rows


def are_paths(source: Any) -> bool:
    """Whether a source is a path or several."""
    if isinstance(source, (list, tuple)):
        if any(isinstance(item, os.PathLike) for item in source):
            return True
        return not isinstance(resolve(source), Sentences)
    return isinstance(source, (str, bytes, os.PathLike))


def find_pieces(source: Any, n_nodes: int) -> list[TextFile]:
    """Find the files of a source, and cut large plain ones at line ends.

    Parameters
    ----------
    source : path, glob, directory, or several of them
    n_nodes : int

    Raises
    ------
    InputError
        If something is not there, or is standard input.
    """
    files: list[TextFile] = []
    found = resolve(source)
    for file in () if isinstance(found, Sentences) else found:
        if isinstance(file, StandardInput):
            raise InputError(
                "Standard input reaches one machine alone; give a cluster files that its nodes see."
            )
        if not file.path.is_file():
            raise InputError(f"{file.path} is no regular file; give a cluster files.")
        files.append(replace(file, path=file.path.absolute()))
    total = sum(file.size for file in files)
    step = max(1, min(LARGEST_PIECE, total // (n_nodes * EPISODES_AN_EPOCH * PIECES_AN_EPISODE)))
    return [piece for file in files for piece in cut_file(file, step)]


def cut_file(file: TextFile, step: int) -> list[TextFile]:
    """Cut a plain text after lines, every ``step`` bytes; other files stay whole.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "text"
    >>> _ = path.write_text("one" + chr(10) + "two three" + chr(10) + "four")
    >>> [(part.start, part.stop) for part in cut_file(TextFile.from_path(path), 3)]
    [(0, 4), (4, 14), (14, 18)]
    """
    if file.format != "text" or file.compression is not None or file.size <= step:
        return [file]
    size, edges = file.size, [0]
    try:
        with open(file.path, "rb") as handle:
            while edges[-1] + step < size:
                handle.seek(edges[-1] + step - 1)
                while (part := handle.readline(_READ)) and not part.endswith(b"\n"):
                    pass  # a line of any length
                edges.append(handle.tell())
    except OSError as error:
        raise InputError(
            f"{file.path} cannot be read ({error.strerror or error}); check its permissions."
        ) from error
    if edges[-1] < size:
        edges.append(size)
    return [replace(file, start=start, stop=stop) for start, stop in pairwise(edges)]


def cut_sentences(source: Any, column: str | None, n_nodes: int) -> list[Rows]:
    """Cut sentences in memory into pieces of as many."""
    texts = texts_of(source, column)
    items = texts if isinstance(texts, list) else list(texts)
    size = -(-len(items) // (n_nodes * EPISODES_AN_EPOCH * PIECES_AN_EPISODE))
    parts = (items[start : start + size] for start in range(0, len(items), max(size, 1)))
    return [Rows(part, len(part)) for part in parts]


def share(sizes: Sequence[float], n_nodes: int) -> list[int]:
    """Return the node of each piece: the one that has least to read so far.

    >>> share([4, 4, 4, 1, 1], 2)
    [0, 1, 0, 1, 1]
    """
    load = np.zeros(n_nodes)
    nodes = []
    for size in sizes:
        nodes.append(int(load.argmin()))
        load[nodes[-1]] += size
    return nodes
