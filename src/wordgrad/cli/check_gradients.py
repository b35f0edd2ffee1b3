"""``wordgrad check-gradients``: the mathematics before three witnesses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from wordgrad.cli.console import results_console, say, write_lines

if TYPE_CHECKING:
    from rich.table import Table

    from wordgrad.gradient_checks.check import Testimony, Verdict


def check_gradients() -> None:
    """Prove every formula: by algebra, by numbers, by the machine.

    Each gradient is compared with SymPy's exact derivative, with finite differences, and with one
    step of the fast kernels; the largest error of each is shown. Through a pipe, lines separated by
    tabs: formula, document, algebra, numbers, machine, passed or failed. Exit code 1 if any fails.
    """
    from wordgrad.gradient_checks import all_claims, prove

    verdicts = [prove(claim) for claim in all_claims()]
    console = results_console()
    if console.is_terminal:
        console.print(_table(verdicts, narrow=console.width < 100), end="\n\n")
    else:
        write_lines((v.claim.formula, v.claim.document, *_errors(v), _outcome(v)) for v in verdicts)
    _summarise(verdicts)
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(1)


def _summarise(verdicts: list[Verdict]) -> None:
    from wordgrad.gradient_checks.check import BOUNDS

    failed = [verdict.claim.formula for verdict in verdicts if not verdict.passed]
    bounds = ", ".join(f"{kind} {bound:.0e}" for kind, bound in BOUNDS.items())
    if any(verdict.algebra.absence == "not installed" for verdict in verdicts):
        say(
            "Algebra was not heard: SymPy is not installed. Install it with: "
            "python -m pip install 'wordgrad[test]'",
            style="yellow",
        )
    if failed:
        say(
            f"{len(failed)} of {len(verdicts)} formulas FAILED: {'; '.join(failed)}. "
            f"Largest errors allowed: {bounds}.",
            style="red",
        )
    else:
        say(f"All {len(verdicts)} formulas passed. Largest errors allowed: {bounds}.")


def _table(verdicts: list[Verdict], *, narrow: bool) -> Table:
    """Table of verdicts; a narrow one has the document below the formula."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ["formula"] if narrow else ["formula", "derived in docs/"]:
        table.add_column(name, overflow="fold")
    for name in ("algebra", "numbers", "machine"):
        table.add_column(name, justify="right", no_wrap=not narrow)
    table.add_column("")
    for verdict in verdicts:
        claim = verdict.claim
        names = [claim.formula, claim.document]
        style = "" if verdict.passed else "bold red"
        cells = ["\n".join(names)] if narrow else names
        table.add_row(*cells, *_errors(verdict), _outcome(verdict), style=style)
    return table


def _errors(verdict: Verdict) -> tuple[str, ...]:
    return tuple(map(_error, (verdict.algebra, verdict.numbers, verdict.machine)))


def _error(testimony: Testimony) -> str:
    if testimony.error is None:
        return "" if testimony.absence == "none" else testimony.absence
    return f"{testimony.error:.1e}"


def _outcome(verdict: Verdict) -> str:
    return "passed" if verdict.passed else "FAILED"
