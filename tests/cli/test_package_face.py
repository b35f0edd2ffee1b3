"""The names that ``import wordgrad`` gives."""

from __future__ import annotations

import subprocess
import sys

import pytest

import wordgrad


def test_every_public_name_can_be_had_from_a_fresh_interpreter():
    code = """
import wordgrad
for name in [*wordgrad.__all__, "__version__"]:
    assert name in dir(wordgrad), name
    assert getattr(wordgrad, name) is getattr(wordgrad, name), name
"""
    subprocess.run([sys.executable, "-c", code], check=True)


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
