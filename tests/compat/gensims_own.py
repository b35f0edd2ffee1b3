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
    """A program of gensim's with other import lines: the modules of models are ours."""
    source = re.sub(r"\bgensim\.models\b", FACE, source)
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
    tests = {}
    for suite in unittest.defaultTestLoader.loadTestsFromModule(module):
        for case in suite:  # type: ignore[union-attr]
            tests[case.id().removeprefix(f"{module.__name__}.")] = case
    return tests  # type: ignore[return-value]


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
