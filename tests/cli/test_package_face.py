"""The names that ``import wordgrad`` gives."""

from __future__ import annotations

import subprocess
import sys

import pytest

import wordgrad


@pytest.mark.parametrize("name", [*wordgrad.__all__, "__version__"])
def test_every_public_name_can_be_had(name):
    code = f"import wordgrad; print(wordgrad.{name} is wordgrad.{name}, {name!r} in dir(wordgrad))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"


def test_names_come_from_where_they_are_defined():
    for name, home in wordgrad._HOMES.items():
        value = getattr(wordgrad, name)
        assert value.__module__.startswith("wordgrad.")
        assert getattr(sys.modules[home], name) is value
    assert set(wordgrad.__all__) == set(wordgrad._HOMES) | set(wordgrad._MODULES)


def test_star_import_and_unknown_names():
    space: dict[str, object] = {}
    exec("from wordgrad import *", space)
    assert set(wordgrad.__all__) <= set(space)
    with pytest.raises(AttributeError, match="module 'wordgrad' has no attribute 'nothing'"):
        _ = wordgrad.nothing
