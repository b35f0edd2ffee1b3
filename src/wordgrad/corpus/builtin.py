"""English that every installation carries: documentation, read from source.

The language reference (``pydoc_data.topics``) and the docstrings of the standard library and of
the libraries that wordgrad depends on are about 1.8 million words of plain technical English.
They are enough to train on without a download.  Nothing is imported: sources are parsed.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import sysconfig
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("numpy", "scipy", "sklearn", "polars")
"""Installed dependencies whose docstrings are read."""

_SKIPPED_FOLDERS = {"__pycache__", "dist-packages", "idle_test", "site-packages", "test", "tests"}
_PARAGRAPH_END = re.compile(r"\n\s*\n")
_PROMPT = re.compile(r"^\s*(>>>|\.\.\. ).*$", re.MULTILINE)
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_SHORTEST = 3  # words; shorter paragraphs are headings and names

_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class BuiltinEnglish:
    """Iterable of paragraphs, each a string of lower-case words with blanks between.

    Every iteration reads the sources again, in the order of their names.

    Attributes
    ----------
    files_read, files_skipped : int
        Source files of the last iteration; those that could not be read or parsed.
    packages_missing : tuple of str
        Packages that are not installed, or not as plain files.

    Examples
    --------
    >>> english = BuiltinEnglish()
    >>> next(iter(english))
    'the assert statement'
    """

    files_read: int = 0
    files_skipped: int = 0
    packages_missing: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[str]:
        self.files_read = self.files_skipped = 0
        folders = {name: _package_folder(name) for name in PACKAGES}
        self.packages_missing = tuple(name for name, found in folders.items() if found is None)
        library = Path(sysconfig.get_path("stdlib"))
        topics = library / "pydoc_data" / "topics.py"
        yield from self._words_of(topics, _all_strings)
        for folder in (library, *filter(None, folders.values())):
            for path in _sources(folder):
                if path != topics:
                    yield from self._words_of(path, _docstrings)

    def _words_of(self, path: Path, texts: Callable[[ast.Module], Iterator[str]]) -> Iterator[str]:
        try:
            with warnings.catch_warnings():
                # Odd escapes in other people's strings are not this program's concern.
                warnings.simplefilter("ignore")
                tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            self.files_skipped += 1
            return
        self.files_read += 1
        for text in texts(tree):
            yield from _paragraphs(text)


def builtin_sentences() -> Iterator[str]:
    """Paragraphs of the English that the installation carries, once."""
    return iter(BuiltinEnglish())


def _package_folder(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)  # imports nothing for a top-level name
    except (ImportError, ValueError):
        return None
    places = spec.submodule_search_locations if spec is not None else None
    folder = Path(next(iter(places))) if places else None
    return folder if folder is not None and folder.is_dir() else None


def _sources(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
        for name in sorted(files):
            if name.endswith(".py") and not name.startswith(("test_", "conftest")):
                yield Path(place, name)


def _all_strings(tree: ast.Module) -> Iterator[str]:
    """Values of the one dictionary that pydoc_data.topics is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for value in node.values:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value


def _docstrings(tree: ast.Module) -> Iterator[str]:
    """Docstrings of a module, in no particular order.

    Only statements that may hold definitions are visited: expressions are most of a tree.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _Documented):
            text = ast.get_docstring(node, clean=False)
            if text:
                yield text
        for field in ("body", "orelse", "handlers", "finalbody"):
            inner = getattr(node, field, None)
            if isinstance(inner, list):
                waiting.extend(inner)


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in _PARAGRAPH_END.split(_PROMPT.sub("", text)):
        words = _WORD.findall(paragraph.lower())
        if len(words) >= _SHORTEST:
            yield " ".join(words)
