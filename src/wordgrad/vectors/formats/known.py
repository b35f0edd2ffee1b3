"""The formats there are, and what each can hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from wordgrad.errors import OutputError, check_choice
from wordgrad.vectors.formats.reading import Opening
from wordgrad.vectors.word_vectors import WordVectors

ALL = ("counts", "metadata")


@dataclass(frozen=True)
class Format:
    """One file format.

    Its module is imported at the first use, for some need Polars, which takes a while to load.

    Attributes
    ----------
    name : str
        As in ``--from`` and ``--to``.
    title : str
        For messages.
    module : str
        Where it is read and written, in this package.
    endings : tuple of str
        Endings of names that choose the format for writing.
    shared_endings : tuple of str
        Further endings that files of the format may have.
    keeps : tuple of str
        Which of "counts" and "metadata" it keeps.
    any_word : bool
        Whether it can hold every word that UTF-8 can.
    writable : bool
        Whether it can be written, too.
    paired : bool
        Whether the words are in a second file.
    """

    name: str
    title: str
    module: str
    endings: tuple[str, ...]
    shared_endings: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    any_word: bool = False
    writable: bool = True
    paired: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing that vectors can hold is lost or refused."""
        return self.any_word and self.keeps == ALL

    def read(self, path: Path, opening: Opening) -> WordVectors:
        """Read the file at ``path``."""
        vectors: WordVectors = self._code().read(path, opening)
        return vectors

    def write(self, vectors: WordVectors, path: Path) -> None:
        """Fill a new file at ``path``; putting it in place is the caller's business."""
        self._code().write(vectors, path)

    def companion(self, path: Path) -> Path | None:
        """The second file that belongs to ``path``, if the format has one."""
        beside: Path | None = self._code().companion(path) if self.paired else None
        return beside

    def write_companion(self, vectors: WordVectors, path: Path) -> None:
        """Fill a new file at ``path`` with what the second file holds."""
        self._code().write_companion(vectors, path)

    def _code(self) -> Any:
        return import_module(f"wordgrad.vectors.formats.{self.module}")


FORMATS = (
    Format(
        "safetensors",
        "safetensors",
        "safetensors_format",
        (".safetensors",),
        keeps=ALL,
        any_word=True,
    ),
    Format("word2vec-text", "word2vec text", "word2vec_text", (".txt", ".vec"), (".w2v",)),
    Format("word2vec-binary", "word2vec binary", "word2vec_binary", (".bin",), (".w2v",)),
    Format("glove", "GloVe text", "glove", (".glove", ".glove.txt"), (".txt",)),
    Format("npz", "npz", "npz", (".npz",), keeps=ALL),
    Format(
        "tsv",
        "TSV for the Embedding Projector",
        "projector",
        (".tsv",),
        keeps=("counts",),
        paired=True,
    ),
    Format("parquet", "Parquet", "parquet", (".parquet",), keeps=ALL, any_word=True),
    Format("fasttext", "fastText binary", "fasttext", (), (".bin",), writable=False),
)
NAMES = tuple(known.name for known in FORMATS)


def named(name: str) -> Format:
    """The format called ``name``.

    >>> named("glove").title
    'GloVe text'
    """
    check_choice("format", name, NAMES)
    return next(known for known in FORMATS if known.name == name)


def format_of_name(path: str | os.PathLike[str], *, complete: bool = False) -> Format:
    """The format that the ending of ``path`` chooses for writing.

    Parameters
    ----------
    path : path
    complete : bool
        Whether it must be one that keeps every word, counts and metadata.

    Raises
    ------
    OutputError
        If no format has that ending.

    >>> format_of_name("wiki.vec").name, format_of_name("wiki.glove.txt").name
    ('word2vec-text', 'glove')
    """
    name = Path(path).name.lower()
    allowed = [known for known in FORMATS if known.complete or not complete]
    endings = {ending: known for known in allowed for ending in known.endings}
    for ending in sorted(endings, key=len, reverse=True):
        if name.endswith(ending):
            return endings[ending]
    choice = ", ".join(endings)
    if complete and any(name.endswith(known.endings) for known in FORMATS):
        raise OutputError(
            f"The output {path} would not keep all that training learns; end it in {choice}, and "
            "make other files of it with 'wordgrad convert'."
        )
    raise OutputError(
        f"The output {path} does not end like a file of word vectors; end it in {choice}."
    )
