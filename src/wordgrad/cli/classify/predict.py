"""``wordgrad classify predict``: a line in, a line out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordgrad.cli.classify import options
from wordgrad.cli.classify.options import Errors
from wordgrad.cli.classify.reading import let_ctrl_c_end_reads, tell_replaced
from wordgrad.cli.console import say, write_lines
from wordgrad.cli.outcomes import Interrupted

if TYPE_CHECKING:
    from wordgrad.estimators.text_classifier import TextClassifier


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
    from wordgrad.estimators.text_classifier import TextClassifier
    from wordgrad.text.lines import read_lines

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
