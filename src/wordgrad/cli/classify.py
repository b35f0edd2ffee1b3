"""Tables of a classifier's scores for a terminal of any width and any number of classes.

``wordgrad classify test``: a classifier against texts whose labels are known.

``wordgrad classify predict``: a line in, a line out.

``wordgrad classify explain``: which words pushed a text towards its label.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordgrad.cli import classify_input as options
from wordgrad.cli.classify_input import Errors, Form, let_ctrl_c_end_reads, read_data, tell_replaced
from wordgrad.cli.console import results_console, say, write_lines
from wordgrad.cli.exit import Interrupted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from wordgrad.classification.report import ClassificationReport, ClassScores
    from wordgrad.text_classifier import TextClassifier


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


SHOWN_LABELS = 5


def measure(
    model: Annotated[Path, options.MODEL],
    data: Annotated[list[str], typer.Argument(metavar="DATA", help=options.DATA_HELP)],
    json_output: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write the results as JSON; '-' to print them."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the JSON file if it exists.")
    ] = False,
    form: Annotated[Form | None, options.FORMAT] = None,
    label_column: Annotated[str | None, options.LABEL_COLUMN] = None,
    text_column: Annotated[str | None, options.TEXT_COLUMN] = None,
    errors: Annotated[Errors, options.ERRORS] = Errors.strict,
) -> None:
    """Measure a classifier: accuracy, precision, recall and F1 of each class, and confusions.

    A text whose label the classifier has never seen counts as an error. Means are over the classes
    that the texts have. Through a pipe, lines parted by tabs: 'accuracy', share, correct, texts;
    'class', label, precision, recall, F1, texts; 'macro' and 'weighted' likewise; 'confusion',
    label, label given, texts.
    """
    from wordgrad.files import check_output

    printed = json_output is not None and str(json_output) == "-"
    if json_output is not None and not printed:
        check_output(json_output, overwrite=overwrite)
    from wordgrad.classification.report import score_predictions
    from wordgrad.text_classifier import TextClassifier

    classifier = TextClassifier.load(model)
    read = read_data(data, form, label_column, text_column, errors)
    predicted = [str(label) for label in classifier.predict(read.texts)]
    report = score_predictions([str(one) for one in classifier.classes_], read.labels, predicted)
    _tell_unknown(report)
    if json_output is not None:
        _write_json(report, model, json_output, printed=printed)
    if not printed:
        _show(report)


def _tell_unknown(report: ClassificationReport) -> None:
    if not report.unknown:
        return
    names = [repr(label) for label in list(report.unknown)[:SHOWN_LABELS]]
    more = ", ..." if len(report.unknown) > SHOWN_LABELS else ""
    say(
        f"{sum(report.unknown.values()):,} of {report.texts:,} texts have labels that the "
        f"classifier has never seen ({', '.join(names)}{more}); each is counted as an error.",
        style="yellow",
    )


def _write_json(report: ClassificationReport, model: Path, output: Path, *, printed: bool) -> None:
    from wordgrad.files import atomic_write

    whole = {"model": str(model), **report.to_dict()}
    text = json.dumps(whole, ensure_ascii=False, indent=2) + "\n"
    if printed:
        sys.stdout.write(text)
        return
    with atomic_write(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say(f"Wrote {output}.")


def _show(report: ClassificationReport) -> None:
    console = results_console()
    if console.is_terminal:
        show_report(report, console)
        return
    write_lines([("accuracy", report.accuracy, report.correct, report.texts)])
    write_lines(
        ("class", one.label, one.precision, one.recall, one.f1, one.texts) for one in report.classes
    )
    for name, mean in (("macro", report.macro), ("weighted", report.weighted)):
        write_lines([(name, "", mean.precision, mean.recall, mean.f1, mean.texts)])
    write_lines(
        ("confusion", label, given, int(report.confusion[row, column]))
        for row, label in enumerate(report.labels)
        for column, given in enumerate(report.labels)
        if report.confusion[row, column]
    )


def predict(
    model: Annotated[Path, options.MODEL],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="Files (.txt, .jsonl, .csv, .tsv, .parquet; plain, .gz or .zst) or '-'. Default: "
            "standard input. A line or a cell is a text.",
        ),
    ] = None,
    proba: Annotated[
        bool, typer.Option("--proba", help="Write the probability after the label.")
    ] = False,
    top: Annotated[
        int, typer.Option(min=1, help="Write so many labels a line, with their probabilities.")
    ] = 1,
    text_column: Annotated[
        str | None,
        typer.Option(
            "--text-column",
            "--column",
            help="Column of texts in a table. Default: 'text', or the only column of text.",
            show_default=False,
        ),
    ] = None,
    errors: Annotated[
        Errors, typer.Option(help="Bytes that are not UTF-8: stop, or replace.")
    ] = Errors.strict,
) -> None:
    """Label texts: a line in, a line out, as soon as it is there.

    An empty line gets a label, too, the one for a text without words, so that the lines of the
    answer are those of the question. With --proba or --top: label and probability, parted by tabs,
    the most probable first.
    """
    let_ctrl_c_end_reads()
    from wordgrad.corpus.reader import read_lines
    from wordgrad.text_classifier import TextClassifier

    classifier = TextClassifier.load(model)
    if not inputs and sys.stdin is not None and sys.stdin.isatty():
        say("Type a text and press Enter; end with Ctrl-D (on Windows, Ctrl-Z and Enter).")
    done = replaced = 0
    source: Any = "-" if not inputs else inputs[0] if len(inputs) == 1 else _paths(inputs)
    try:
        for lines in read_lines(source, column=text_column, errors=errors.value):
            write_lines(_rows(classifier, lines.texts, top, probabilities=proba or top > 1))
            done += len(lines.texts)
            replaced += lines.replaced
            sys.stdout.flush()  # somebody may be waiting
    except KeyboardInterrupt as interrupt:
        plural = "" if done == 1 else "s"
        raise Interrupted(f"Interrupted after {done:,} line{plural}.") from interrupt
    tell_replaced(replaced)


def _paths(inputs: list[str]) -> list[str | Path]:
    """Paths, never sentences, however the inputs look."""
    return [one if one == "-" else Path(one) for one in inputs]


def _rows(
    classifier: TextClassifier, texts: list[str], top: int, *, probabilities: bool
) -> Iterator[list[object]]:
    if not probabilities:
        for label in classifier.predict(texts):
            yield [label]
        return
    found = classifier.predict_proba(texts)
    order = (-found).argsort(axis=1, kind="stable")[:, :top]
    for row, best in zip(found, order, strict=True):
        yield [part for i in best for part in (classifier.classes_[i], float(row[i]))]


BAR = 12  # characters at most


def explain(
    model: Annotated[Path, options.MODEL],
    text: Annotated[
        list[str], typer.Argument(metavar="TEXT", help="The text; several words may be unquoted.")
    ],
    label: Annotated[
        str | None,
        typer.Option(
            help="Explain this label. Default: the most probable one.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Show how far each word of a text pushed towards a label.

    A contribution is to the log odds of the label, to first order; one below zero pushed away from
    it. Words are in the order of the text. Through a pipe: word and contribution, parted by a tab.
    """
    from wordgrad.text_classifier import TextClassifier

    classifier = TextClassifier.load(model)
    whole = " ".join(text)
    chances = dict(zip(map(str, classifier.classes_), classifier.predict_proba([whole])[0].tolist(),
                       strict=True))  # fmt: skip
    shown = label if label is not None else max(chances, key=chances.__getitem__)
    # A label on the command line is text, one of the classifier may be a number.
    labels = {str(one): one for one in classifier.classes_.tolist()}
    found = classifier.explain(whole, labels.get(shown, shown))
    if as_json:
        record = {
            "label": shown,
            "probability": chances[shown],
            "words": [{"word": word, "contribution": value} for word, value in found],
        }
        sys.stdout.write(json.dumps(record, ensure_ascii=False, indent=2) + "\n")
        return
    console = results_console()
    say(f"{shown}: probability {chances[shown]:.3f}.")
    if not found:
        say("The text has no words; the answer is that for an empty text.")
    if not console.is_terminal:
        write_lines(found)
        return
    _show_explanation(found, shown)


def _show_explanation(found: list[tuple[str, float]], label: str) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if not found:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("word", overflow="fold")
    table.add_column(Text(f"towards {label}"), justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    most = max(abs(value) for _, value in found) or 1.0
    for word, value in found:
        style = "green" if value > 0 else "red" if value < 0 else "dim"
        bar = Text("█" * round(BAR * abs(value) / most), style=style)
        table.add_row(Text(word), f"{value:+.3f}", bar)
    results_console().print(table)
