from __future__ import annotations

import re
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from wordgrad.cli import main
from wordgrad.word_vectors import WordVectors

STYLES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """Standard error on one line, as a sentence is read."""
        return " ".join(self.err.split())


@pytest.fixture
def wordgrad(monkeypatch, capsys):
    """Run the command line in this process, as ``wordgrad ARGS`` would."""

    def run(*args: object, stdin: str | None = None) -> Outcome:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["wordgrad", *map(str, args)])
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(code, STYLES.sub("", captured.out), STYLES.sub("", captured.err))

    return run


@pytest.fixture
def terminal(monkeypatch):
    """Pretend that the output goes to a terminal of so many columns."""

    def pretend(columns: int) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", str(columns))

    monkeypatch.setenv("TERM", "xterm")
    return pretend


@pytest.fixture
def vectors():
    words = ["the", "man", "woman", "king", "queen", "apple", "tab\there", "naïve"]
    matrix = [
        [1, 1, 1, 1],
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [1, 0, 1, 0],
        [0, 1, 1, 0],
        [0.1, 0.2, -1, 0],
        [0, 0, 0, 1],
        [-1, 0, 0, 0.5],
    ]
    return WordVectors(words, np.array(matrix, dtype=np.float32))


@pytest.fixture
def vector_file(tmp_path, vectors):
    path = tmp_path / "v.safetensors"
    vectors.save(path)
    return path
