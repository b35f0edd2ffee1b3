"""The Tab key: what each shell is told to complete, and that the shells themselves do it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

ASKED = {
    "bash": lambda words: {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))},
    "zsh": lambda words: {"_TYPER_COMPLETE_ARGS": words},
    "fish": lambda words: {
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    },
}
PROGRAM = f"#!/bin/sh\nexec '{sys.executable}' -m wordgrad \"$@\"\n"
# What a person's start-up file does, then the Tab key without a person.
PRESSED = {
    "bash": """eval "$(wordgrad --show-completion bash)"
COMP_WORDS=(wordgrad tra); COMP_CWORD=1; _wordgrad_completion wordgrad; echo "${COMPREPLY[@]}" """,
    "zsh": """autoload -U compinit && compinit -u -D
eval "$(wordgrad --show-completion zsh)"; echo ${_comps[wordgrad]}""",
    "fish": """wordgrad --show-completion fish | source; complete --do-complete "wordgrad tra" """,
}
ANSWERED = {"bash": "train", "zsh": "_wordgrad_completion", "fish": "train"}


@pytest.mark.parametrize("shell", ASKED)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("wordgrad tra", "train"),
        ("wordgrad classify qua", "quantize"),
        ("wordgrad train --early", "--early-stopping"),
        ("wordgrad train --architecture cb", "cbow"),
    ],
)
def test_commands_options_and_values_are_completed(monkeypatch, wordgrad, shell, words, expected):
    monkeypatch.setenv("_WORDGRAD_COMPLETE", f"complete_{shell}")
    for name, value in ASKED[shell](words).items():
        monkeypatch.setenv(name, value)
    assert expected in wordgrad().out


@pytest.mark.skipif(os.name == "nt", reason="the program is a script for sh")
@pytest.mark.parametrize("shell", PRESSED)
def test_the_shell_itself_completes(tmp_path, shell):
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    program = tmp_path / "wordgrad"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    places = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    done = subprocess.run(
        [found, "-c", PRESSED[shell]],
        env={**os.environ, **places},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ANSWERED[shell] in done.stdout, done.stderr
