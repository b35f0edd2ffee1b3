"""``wordgrad classify test``: a classifier against texts whose labels are known."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordgrad.cli.classify import options
from wordgrad.cli.classify.options import Errors, Form
from wordgrad.cli.classify.reading import read_data
from wordgrad.cli.console import results_console, say, write_lines

if TYPE_CHECKING:
    from wordgrad.estimators.classification_report import ClassificationReport

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
    from wordgrad.estimators.classification_report import score_predictions
    from wordgrad.estimators.text_classifier import TextClassifier

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
        from wordgrad.cli.classify.tables import show_report

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
