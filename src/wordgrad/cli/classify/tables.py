"""Tables of a classifier's scores for a terminal of any width and any number of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from wordgrad.estimators.classification_report import ClassificationReport, ClassScores

NARROW = 50  # columns; on a narrower terminal precision, recall and F1 stand in one column
SHOWN_CONFUSIONS = 20


def show_report(report: ClassificationReport, console: Console) -> None:
    """Print accuracy, the scores of the classes, and what is taken for what."""
    from rich.text import Text

    line = f"{report.accuracy:.1%} right: {report.correct:,} of {report.texts:,} texts."
    console.print(Text(line, style="bold"))
    console.print()
    console.print(_scores(report, console.width))
    console.print()
    square = _square(report)
    if console.measure(square, options=console.options.update(max_width=10**6)).maximum <= (
        console.width
    ):
        console.print(square)
    elif report.correct < report.texts:
        console.print(_list(report))
        hidden = len(report.confusions()) - SHOWN_CONFUSIONS
        if hidden > 0:
            console.print(
                Text(f"and {hidden:,} rarer pairs: see --json, or the lines through a pipe")
            )


def _scores(report: ClassificationReport, width: int) -> Table:
    narrow = width < NARROW
    names = ["prec.\nrecall\nF1"] if narrow else ["precision", "recall", "F1"]
    table = _table("Classes", "label", *names, "texts")
    for one in report.classes:
        _add(table, one, narrow)
    table.add_section()
    for one in (report.macro, report.weighted):
        _add(table, one, narrow, style="bold")
    return table


def _add(table: Table, one: ClassScores, narrow: bool, style: str = "") -> None:
    from rich.text import Text

    cells = ["none" if v is None else f"{v:.3f}" for v in (one.precision, one.recall, one.f1)]
    shown = ["\n".join(cells)] if narrow else cells
    table.add_row(Text(one.label), *shown, f"{one.texts:,}", style=style)


def _square(report: ClassificationReport) -> Table:
    """One row for each label that texts have, one column for each that was given."""
    from rich.text import Text

    rows = [i for i, one in enumerate(report.classes) if one.texts]
    columns = [
        i
        for i, one in enumerate(report.classes)
        if one.label not in report.unknown and (one.texts or report.confusion[:, i].any())
    ]
    table = _table("Confusions", "label \\ given", *(report.labels[i] for i in columns))
    for row in rows:
        cells = []
        for column in columns:
            count = int(report.confusion[row, column])
            style = "green" if row == column else ("" if count else "dim")
            cells.append(Text(f"{count:,}", style=style))
        table.add_row(Text(report.labels[row]), *cells)
    return table


def _list(report: ClassificationReport) -> Table:
    from rich.text import Text

    table = _table("Most frequent confusions", "label", "given instead", "texts")
    table.columns[1].justify = "left"
    table.columns[1].no_wrap = False
    table.columns[1].overflow = "fold"
    for label, given, count in report.confusions()[:SHOWN_CONFUSIONS]:
        table.add_row(Text(label), Text(given), f"{count:,}")
    return table


def _table(title: str, first: str, *others: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    table.add_column(Text(first), overflow="fold")
    for name in others:
        table.add_column(Text(name), justify="right", no_wrap=True)
    return table
