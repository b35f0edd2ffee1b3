"""gensim's own tests, run with wordgrad.compat.gensim: their import lines are changed, and no more.

The tests are those of the gensim that is installed; nothing of them is kept here.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import re
import sys
import tomllib
import types
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILES = ("word2vec", "keyedvectors", "phrases", "doc2vec", "fasttext")
LEFT_OUT: dict[str, dict[str, list[str]]] = tomllib.loads(
    (Path(__file__).parent / "gensims_own_left_out.toml").read_text(encoding="utf-8")
)
"""By file: reasons, each with the names of the tests that are left out for it."""
FACE = "wordgrad.compat.gensim.models"


def changed(source: str) -> str:
    """A program of gensim's with other import lines: the modules of models are ours.

    Private and compiled modules stay gensim's, and a private name is not there.
    """
    source = re.sub(r"\bgensim\.models\b(?!\.(_|\w+_inner))", FACE, source)
    source = re.sub(r"(?<=import )(.*), _unpack$", r"\1", source, flags=re.MULTILINE)
    return re.sub(r"^import gensim$", f"import gensim, {FACE}", source, flags=re.MULTILINE)


def cases(name: str) -> dict[str, unittest.TestCase]:
    """Tests of one of gensim's files, by class and function."""
    found = importlib.util.find_spec("gensim.test")
    assert found is not None
    assert found.submodule_search_locations
    path = Path(found.submodule_search_locations[0]) / f"test_{name}.py"
    module = types.ModuleType(f"gensims_own_{name}")
    module.__file__ = str(path)
    module.__dict__["gensim"] = __import__("gensim.test.utils")
    sys.modules[module.__name__] = module
    sys.modules.setdefault("testfixtures", _testfixtures())
    sys.modules.setdefault("ot", _transport())
    exec(compile(changed(path.read_text(encoding="utf-8")), str(path), "exec"), module.__dict__)
    tests: dict[str, unittest.TestCase] = {}
    for kind, one in vars(module).items():
        if getattr(one, "__module__", None) != module.__name__:  # of another of gensim's files
            continue
        if isinstance(one, type) and issubclass(one, unittest.TestCase):
            for case in unittest.defaultTestLoader.loadTestsFromTestCase(one):
                tests[case.id().removeprefix(f"{module.__name__}.")] = case  # type: ignore[union-attr]
        for mark in getattr(one, "pytestmark", ()) if kind.startswith("test_") else ():
            for value in mark.args[1]:
                run = functools.partial(one, value)
                tests[f"{kind}[{value}]"] = unittest.FunctionTestCase(run)
    return tests


def reasons(name: str) -> dict[str, str]:
    """Tests of one of gensim's files that are left out, and why."""
    return {test: reason for reason, tests in LEFT_OUT[name].items() for test in tests}


def _testfixtures() -> types.ModuleType:
    """What gensim's tests use of the package testfixtures, which need not be installed."""

    def log_capture() -> Callable[[Any], Any]:
        def decorated(test: Any) -> Any:
            @functools.wraps(test)
            def run(self: Any) -> None:
                lines: list[str] = []
                handler = logging.Handler()
                handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
                logging.getLogger().addHandler(handler)
                try:
                    test(self, lines)
                finally:
                    logging.getLogger().removeHandler(handler)

            return run

        return decorated

    module = types.ModuleType("testfixtures")
    module.log_capture = log_capture  # type: ignore[attr-defined]
    return module


def _transport() -> types.ModuleType:
    """The package POT, whose presence gensim's tests look for; nothing here calls it."""
    module = types.ModuleType("ot")
    module.emd2 = None  # type: ignore[attr-defined]
    return module
