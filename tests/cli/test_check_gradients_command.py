"""``wordgrad check-gradients``: its table, its lines, its exit codes."""

import sys

import pytest
import typer

from wordgrad.cli import check_gradients as command
from wordgrad.cli.check_gradients import check_gradients
from wordgrad.gradient_checks import GradientCheck, all_checks, run_check

GOOD = GradientCheck("a = a", "derivations/a.md#b", differences=lambda: 2.5e-9, kernels=None)
BAD = GradientCheck("a = b", "derivations/a.md#c", lambda: 0.5, kernels=lambda: 3e-7)


def lines_of(capsys):
    captured = capsys.readouterr()
    return [line.split("\t") for line in captured.out.splitlines()], " ".join(captured.err.split())


def test_lines_for_programs(monkeypatch, capsys):
    monkeypatch.setattr("wordgrad.gradient_checks.all_checks", lambda: [GOOD])
    check_gradients()
    lines, said = lines_of(capsys)
    assert lines == [["a = a", "derivations/a.md#b", "2.5e-09", "", "passed"]]
    assert said == (
        "All 1 formulas passed. Largest errors allowed: differences 1e-06, kernels 4e-06."
    )


def test_a_failure_is_named_and_ends_with_code_1(monkeypatch, capsys):
    monkeypatch.setattr("wordgrad.gradient_checks.all_checks", lambda: [GOOD, BAD])
    with pytest.raises(typer.Exit) as caught:
        check_gradients()
    assert caught.value.exit_code == 1
    lines, said = lines_of(capsys)
    assert lines[1] == ["a = b", "derivations/a.md#c", "5.0e-01", "3.0e-07", "FAILED"]
    assert said.startswith("1 of 2 formulas FAILED: a = b. Largest errors allowed: ")


def test_a_check_needs_no_sympy(monkeypatch):
    for name in ("sympy", "mpmath"):
        monkeypatch.setitem(sys.modules, name, None)  # an import would fail
    for check in all_checks():
        assert run_check(check).passed


@pytest.mark.parametrize(("width", "columns"), [(70, 4), (120, 5)])
def test_the_table_fits_the_terminal(monkeypatch, capsys, width, columns):
    from rich.console import Console

    monkeypatch.setattr("wordgrad.gradient_checks.all_checks", lambda: [GOOD, BAD])
    console = Console(force_terminal=True, width=width)
    monkeypatch.setattr(command, "results_console", lambda: console)
    with pytest.raises(typer.Exit, match="1"):
        check_gradients()
    shown = capsys.readouterr().out
    for text in ("a = a", "derivations/a.md#b", "2.5e-09", "passed", "a = b", "FAILED"):
        assert text in shown
    assert ("derived in docs/" in shown) == (columns == 5)
