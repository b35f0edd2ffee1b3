"""Exit codes, help, and what happens when something unexpected does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import wordgrad as package
from wordgrad.cli import query as similar_command

COMMANDS = ["train", "similar", "analogy", "evaluate", "classify", "demo"]


def python(code, **options):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, **options
    ).stdout


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_the_commands(wordgrad, flag):
    outcome = wordgrad(flag)
    assert outcome.code == 0
    for command in COMMANDS:
        assert command in outcome.out
    assert "130 interrupted" in outcome.out


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command, columns):
    """In a new process, for the width decides how help is laid out."""
    done = subprocess.run(
        [sys.executable, "-m", "wordgrad", command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1"},
    )
    assert "Usage:" in done.stdout
    assert "--help" in done.stdout
    if command == "train":
        assert "--vector-size" in done.stdout
        assert "--min-count" in done.stdout
        assert "--max-vocab" in done.stdout


def test_version(wordgrad):
    outcome = wordgrad("--version")
    assert (outcome.code, outcome.out) == (0, f"wordgrad {package.__version__}\n")


@pytest.mark.parametrize("args", [["no-such-command"], ["similar"], ["--no-such-option"]])
def test_wrong_usage_is_two(wordgrad, args):
    outcome = wordgrad(*args)
    assert outcome.code == 2
    assert "Usage: wordgrad" in outcome.err


@pytest.fixture
def failing(monkeypatch, vector_file):
    """Make loading vectors fail with an error, and return a command that meets it."""

    def fail_with(error):
        def load(*_args, **_kwargs):
            raise error

        monkeypatch.setattr("wordgrad.word_vectors.load", load)
        return ["similar", vector_file, "king"]

    return fail_with


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            ZeroDivisionError("surprise\nin two lines"),
            1,
            "Error: an unexpected ZeroDivisionError (surprise in two lines); this is a defect of "
            "wordgrad: please run it again with 'wordgrad --debug' and report what it prints.",
        ),
        (AssertionError(), 1, "Error: an unexpected AssertionError (no message); this is a defect"),
        (MemoryError(), 1, "Error: there is not enough memory; use a smaller vector size"),
        (PermissionError(13, "Permission denied", "x"), 1, "refused: [Errno 13] Permission denied"),
        (KeyboardInterrupt(), 130, "Interrupted; no file was left half written."),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_every_failure_is_a_code_and_a_sentence(wordgrad, failing, error, code, message):
    outcome = wordgrad(*failing(error))
    assert outcome.code == code
    assert message in outcome.err
    assert outcome.out == ""
    assert outcome.err.count("\n") == bool(message)


def test_a_traceback_is_shown_when_asked_for(wordgrad, failing, monkeypatch):
    command = failing(ZeroDivisionError("surprise"))
    with pytest.raises(ZeroDivisionError, match="surprise"):
        wordgrad("--debug", *command)
    assert wordgrad(*command).code == 1
    monkeypatch.setenv("WORDGRAD_DEBUG", "1")
    with pytest.raises(ZeroDivisionError, match="surprise"):
        wordgrad(*command)
    monkeypatch.setenv("WORDGRAD_DEBUG", "0")
    assert wordgrad(*command).code == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_reader_that_leaves_early_is_no_error(tmp_path, vector_file):
    command = f"'{sys.executable}' -m wordgrad similar '{vector_file}' king queen man"
    script = f"{command} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


def test_a_closed_pipe_is_no_error():
    code = """
import os, sys
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 1)
from wordgrad import word_vectors
from wordgrad.cli.exit import guarded
import wordgrad.word_vectors as word_vectors
from wordgrad.cli.console import results_console, write_lines

@guarded
def line():
    write_lines([("a", 1.0)])  # stays in the buffer until the end

@guarded
def lines():
    write_lines([("a", 1.0)] * 100_000)

@guarded
def table():
    results_console().print("x" * 1_000_000)

{"line": line, "lines": lines, "table": table}[sys.argv[1]]()
"""
    for kind in ("line", "lines", "table"):
        done = subprocess.run(
            [sys.executable, "-c", code, kind],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": ""},
        )
        assert (done.returncode, done.stderr) == (0, "")


HEAVY = "{'numpy', 'numba', 'polars', 'scipy', 'sklearn', 'safetensors'}"


def test_importing_the_package_imports_nothing_heavy():
    assert python(f"import sys, wordgrad; print({HEAVY} & set(sys.modules))") == "set()\n"


def test_help_imports_nothing_heavy():
    code = f"""
import sys
from wordgrad.cli import main
sys.argv = ["wordgrad", "--help"]
try:
    main()
except SystemExit as exit_:
    print("code", exit_.code)
print("heavy", {HEAVY} & set(sys.modules))
"""
    assert python(code).splitlines()[-2:] == ["code 0", "heavy set()"]


def test_queries_do_not_import_what_training_needs(vector_file):
    code = f"""
import sys
from wordgrad.cli import main
sys.argv = ["wordgrad", "similar", {str(vector_file)!r}, "king"]
try:
    main()
except SystemExit:
    pass
print("heavy", {{"numba", "polars", "scipy", "sklearn"}} & set(sys.modules))
"""
    assert python(code).splitlines()[-1] == "heavy set()"


def test_the_module_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "wordgrad", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"wordgrad {package.__version__}\n"


def test_commands_are_plain_functions_too(vector_file, capsys):
    similar_command.similar(vector_file, ["king"], topn=1)
    assert capsys.readouterr().out.startswith("king\t")
