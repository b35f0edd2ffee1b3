"""``wordgrad check-gradients``: every formula against differences and kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from wordgrad.cli.console import results_console, say, write_lines

if TYPE_CHECKING:
    from rich.table import Table

    from wordgrad.gradient_checks import Result

CHECKERS = ("differences", "kernels")


def check_gradients() -> None:
    """Check every formula on this machine: by finite differences, and by the fast kernels.

    The largest error of each is shown. Through a pipe, lines separated by tabs: formula, document,
    differences, kernels, passed or FAILED. Exit code 1 if any fails.
    """
    from wordgrad.gradient_checks import BOUNDS, all_checks, run_check

    results = [run_check(check) for check in all_checks()]
    console = results_console()
    if console.is_terminal:
        console.print(_table(results, narrow=console.width < 100), end="\n\n")
    else:
        write_lines((r.check.formula, r.check.document, *_cells(r)) for r in results)
    failed = [result.check.formula for result in results if not result.passed]
    bounds = ", ".join(f"{checker} {bound:.0e}" for checker, bound in BOUNDS.items())
    if failed:
        say(
            f"{len(failed)} of {len(results)} formulas FAILED: {'; '.join(failed)}. "
            f"Largest errors allowed: {bounds}.",
            style="red",
        )
        raise typer.Exit(1)
    say(f"All {len(results)} formulas passed. Largest errors allowed: {bounds}.")


def _table(results: list[Result], *, narrow: bool) -> Table:
    """Table of results; a narrow one has the document below the formula."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ["formula"] if narrow else ["formula", "derived in docs/"]:
        table.add_column(name, overflow="fold")
    for name in CHECKERS:
        table.add_column(name, justify="right", no_wrap=not narrow)
    table.add_column("")
    for result in results:
        names = [result.check.formula, result.check.document]
        style = "" if result.passed else "bold red"
        table.add_row(*(["\n".join(names)] if narrow else names), *_cells(result), style=style)
    return table


def _cells(result: Result) -> list[str]:
    """Error of every checker, blank where there is none, and the outcome."""
    errors = [f"{result.errors[name]:.1e}" if name in result.errors else "" for name in CHECKERS]
    return [*errors, "passed" if result.passed else "FAILED"]
