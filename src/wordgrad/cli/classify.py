"""``wordgrad classify train``, ``test``, ``predict``, ``explain`` and ``quantize``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from wordgrad.classification import config as classifier
from wordgrad.cli.console import (
    errors_console,
    format_count,
    format_duration,
    format_size,
    results_console,
    results_table,
    say,
    say_command,
    write_json,
    write_lines,
)
from wordgrad.cli.exit import Interrupted, make_reads_interruptible
from wordgrad.cli.options import JSON_OUTPUT, OVERWRITE, seconds, source_of, takes
from wordgrad.training.config import SETTINGS, TEXT

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from wordgrad.classification.examples import EncodedTexts
    from wordgrad.classification.report import ClassificationReport, ClassScores, LabelReport
    from wordgrad.corpus.labelled import LabelledText
    from wordgrad.text_classifier import TextClassifier


MODEL = typer.Argument(metavar="MODEL", help="A classifier that 'wordgrad classify train' wrote.")
DATA = typer.Argument(
    metavar="DATA",
    help="'label<TAB>text' or '__label__x text' on each line, or a table (.csv, .tsv, .jsonl, "
    ".parquet) with a column of labels; plain, .gz or .zst; a URL; '-' for standard input.",
)
FORMAT = typer.Option(
    "--format",
    help="Format of the labelled text. Default: inferred from the file's name and first line.",
    rich_help_panel=TEXT,
    show_default=False,
)
PREFIX = "__label__"  # that of read_labelled, whose module takes long to import
LABEL_COLUMN = typer.Option(
    help="Column of labels in a table. Default: 'label', or the other one of two.",
    rich_help_panel=TEXT,
    show_default=False,
)
TEXT_COLUMN = typer.Option(
    help="Column of texts in a table. Default: 'text', or the other one of two.",
    rich_help_panel=TEXT,
    show_default=False,
)
LABEL_PREFIX = typer.Option(
    metavar="PREFIX",
    help="What labels begin with in '__label__x text'.",
    rich_help_panel=TEXT,
)
SEPARATOR = typer.Option(
    "--label-separator",
    metavar="TEXT",
    help="What separates the labels of a text, before the tab or in the column of labels. "
    "Default: a text has one label there.",
    rich_help_panel=TEXT,
    show_default=False,
)
ERRORS = typer.Option(help=SETTINGS["errors"].help, rich_help_panel=TEXT)

Answer: TypeAlias = tuple[list[str], list[float]]
Answers: TypeAlias = Callable[[list[str], int, float], Iterator[Answer]]

Form = Literal["tab", "fasttext", "csv", "tsv", "jsonl", "parquet"]
Errors = Literal["strict", "replace"]

NARROW = 50  # columns; on a narrower terminal precision, recall and F1 share one column
SHOWN_CONFUSIONS = 20
SHOWN_LABELS = 5
BAR = 12  # characters at most


def read_data(
    data: Sequence[str],
    form: Form | None,
    label_column: str | None,
    text_column: str | None,
    label_prefix: str,
    separator: str | None,
    errors: Errors,
) -> LabelledText:
    """Labelled text of all inputs; what is odd in it is counted on standard error.

    Labels are tuples of strings.

    Raises
    ------
    InputError
        With file, line and remedy.
    """
    make_reads_interruptible()
    from wordgrad.corpus.labelled import read_labelled

    read = read_labelled(
        source_of(data),
        form=form,
        label_column=label_column,
        text_column=text_column,
        label_prefix=label_prefix,
        several=True,
        separator=separator,
        errors=errors,
    )
    _say_odd(read)
    return read


def _say_odd(read: LabelledText | EncodedTexts) -> None:
    _say_count(read.blank_lines, "blank line was skipped", "blank lines were skipped")
    _say_count(
        read.empty_texts,
        "text is empty but for its label",
        "texts are empty but for their labels",
    )
    _say_replaced(read.bytes_replaced)


def _say_replaced(count: int) -> None:
    _say_count(
        count,
        "byte was not UTF-8 and was replaced",
        "bytes were not UTF-8 and were replaced",
    )


def _say_count(count: int, one: str, more: str) -> None:
    if count:
        say(f"{count:,} {one if count == 1 else more}.")


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
    table = results_table("Classes", "label", *names, "texts")
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
    table = results_table("Confusions", "label \\ given", *(report.labels[i] for i in columns))
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

    table = results_table("Most frequent confusions", "label", "given instead", "texts")
    table.columns[1].justify = "left"
    table.columns[1].no_wrap = False
    table.columns[1].overflow = "fold"
    for label, given, count in report.confusions()[:SHOWN_CONFUSIONS]:
        table.add_row(Text(label), Text(given), f"{count:,}")
    return table


def measure(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="A classifier that 'wordgrad classify train' or fastText (.bin, .ftz) wrote.",
        ),
    ],
    data: Annotated[list[str], DATA],
    top: Annotated[
        int | None,
        typer.Option(
            "--top", "-k", min=1, help="Labels to give each text at most.", show_default=False
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Give no labels of a smaller probability.", show_default=False),
    ] = None,
    json_output: Annotated[Path | None, JSON_OUTPUT] = None,
    overwrite: Annotated[bool, OVERWRITE] = False,
    form: Annotated[Form | None, FORMAT] = None,
    label_column: Annotated[str | None, LABEL_COLUMN] = None,
    text_column: Annotated[str | None, TEXT_COLUMN] = None,
    label_prefix: Annotated[str, LABEL_PREFIX] = PREFIX,
    separator: Annotated[str | None, SEPARATOR] = None,
    errors: Annotated[Errors, ERRORS] = "strict",
) -> None:
    """Measure a classifier: accuracy, precision, recall and F1 of each class, and confusions.

    A text whose label the classifier has never seen counts as an error. Means are over the classes
    that the texts have. Through a pipe, lines separated by tabs: 'accuracy', share, correct, texts;
    'class', label, precision, recall, F1, texts; 'macro' and 'weighted' likewise; 'confusion',
    label, label given, texts.

    With --top, --threshold, a model of fastText, or several labels a text: precision and recall of
    the labels given, and those of each label. Through a pipe: 'labels', precision, recall, F1,
    texts; 'first', the share of texts whose first label is right; 'class' as above.
    """
    from wordgrad.files import check_output

    printed = str(json_output) == "-"
    if json_output is not None and not printed:
        check_output(json_output, overwrite=overwrite)
    from wordgrad.classification.report import LabelReport, score_labels, score_predictions
    from wordgrad.io.fasttext_model import is_model

    several = is_model(model) or top is not None or threshold is not None
    names, predicted = _fasttext_labels(model) if is_model(model) else _own_labels(model)
    read = read_data(data, form, label_column, text_column, label_prefix, separator, errors)
    found = predicted(read.texts, top, threshold)
    several = several or any(len(one) != 1 for one in read.labels) or not isinstance(found[0], str)
    report: ClassificationReport | LabelReport
    if several:
        lists = [(one,) if isinstance(one, str) else one for one in found]
        report = score_labels(names, read.labels, lists)
    else:
        report = score_predictions(names, [label for (label,) in read.labels], found)
    if report.unknown:
        shown = [repr(label) for label in list(report.unknown)[:SHOWN_LABELS]]
        more = ", ..." if len(report.unknown) > SHOWN_LABELS else ""
        say(
            f"{sum(report.unknown.values()):,} of {report.texts:,} texts have labels that the "
            f"classifier has never seen ({', '.join(shown)}{more}); each is counted as an error.",
            style="yellow",
        )
    if json_output is not None:
        whole = {"model": str(model), **report.to_dict()}
        write_json(whole, json_output, overwrite=overwrite)
    if printed:
        return
    if isinstance(report, LabelReport):
        _show_labels(report)
    else:
        _show(report)


Predicted: TypeAlias = Callable[[list[str], int | None, float | None], list[Any]]


def _own_labels(model: Path) -> tuple[list[str], Predicted]:
    """Classes of a model, and what gives texts a label each, or several."""
    from wordgrad.text_classifier import TextClassifier

    classifier = TextClassifier.load(model)

    def predicted(texts: list[str], top: int | None, threshold: float | None) -> list[Any]:
        found = classifier.predict(texts, top, threshold)
        return [
            tuple(map(str, one)) if isinstance(one, tuple) else str(one)
            for one in (found if isinstance(found, list) else found.tolist())
        ]

    return [str(one) for one in classifier.classes_], predicted


def _fasttext_labels(model: Path) -> tuple[list[str], Predicted]:
    from wordgrad.fasttext_classifier import FastTextClassifier

    classifier = FastTextClassifier.load(model)

    def predicted(texts: list[str], top: int | None, threshold: float | None) -> list[Any]:
        found = classifier.predict(texts, top or 1, threshold or 0.0)[0]
        return [tuple(label.removeprefix(PREFIX) for label in one) for one in found]

    return [label.removeprefix(PREFIX) for label in classifier.labels], predicted


def _show_labels(report: LabelReport) -> None:
    console = results_console()
    if not console.is_terminal:
        write_lines([("labels", report.precision, report.recall, report.f1, report.texts)])
        write_lines([("first", report.precision_of_the_first)])
        write_lines(
            ("class", one.label, one.precision, one.recall, one.f1, one.texts)
            for one in report.classes
        )
        return
    from rich.text import Text

    lines = (
        f"{report.right:,} of {report.given:,} labels given are right (precision "
        f"{report.precision:.3f}), of {report.wanted:,} that {report.texts:,} texts have (recall "
        f"{report.recall:.3f}, F1 {report.f1:.3f}).",
        f"The first label is right in {report.precision_of_the_first:.1%} of the texts.",
    )
    for line in lines:
        console.print(Text(line, style="bold"))
    console.print()
    narrow = console.width < NARROW
    names = ["prec.\nrecall\nF1"] if narrow else ["precision", "recall", "F1"]
    table = results_table("Classes", "label", *names, "texts")
    for one in sorted(report.classes, key=lambda one: -one.texts):
        _add(table, one, narrow)
    console.print(table)


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
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="A classifier that 'wordgrad classify train' or fastText (.bin, .ftz) wrote.",
        ),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="Files (.txt, .jsonl, .csv, .tsv, .parquet; plain, .gz or .zst), URLs or '-'. "
            "Default: standard input. A line or a cell is a text.",
        ),
    ] = None,
    proba: Annotated[
        bool, typer.Option("--proba", help="Write the probability after the label.")
    ] = False,
    top: Annotated[
        int,
        typer.Option(
            "--top",
            "-k",
            min=1,
            help="Number of labels to write per line, with their probabilities.",
        ),
    ] = 1,
    threshold: Annotated[
        float, typer.Option(help="Leave out labels of a smaller probability.", show_default=False)
    ] = 0.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write each line as a JSON object.")
    ] = False,
    text_column: Annotated[
        str | None,
        typer.Option(
            "--text-column",
            "--column",
            help="Column of texts in a table. Default: 'text', or the only column of text.",
            show_default=False,
        ),
    ] = None,
    errors: Annotated[Errors, typer.Option(help=SETTINGS["errors"].help)] = "strict",
) -> None:
    """Label texts: one line of output per line of input, as soon as it arrives.

    An empty line gets a label, too, that of a text without words, so that line N of the output
    belongs to line N of the input. With --proba or --top: label and probability, separated by
    tabs, the most probable first. With --json: an object with "labels" and "probabilities". Where a
    model of fastText has no label for a text, or none reaches the --threshold, the line is empty.
    """
    from wordgrad.corpus.reader import read_lines
    from wordgrad.corpus.sources import TextFile
    from wordgrad.io.fasttext_model import is_model
    from wordgrad.storage import path_of

    # Only tables need Polars, which takes longer to load than a line to be answered.
    named = [path_of(one) for one in inputs or [] if one != "-"]
    if any(not path.is_file() or TextFile.from_path(path).format != "text" for path in named):
        make_reads_interruptible()

    answers = _fasttext_answers(model) if is_model(model) else _own_answers(model)
    if not inputs and sys.stdin is not None and sys.stdin.isatty():
        say("Type a text and press Enter; end with Ctrl-D (on Windows, Ctrl-Z and Enter).")
    done = replaced = 0
    try:
        for lines in read_lines(source_of(inputs or ["-"]), column=text_column, errors=errors):
            found = answers(lines.texts, top, threshold)
            if as_json:
                for labels, shares in found:
                    record = {"labels": labels, "probabilities": shares}
                    sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
            elif proba or top > 1:
                write_lines(
                    [part for pair in zip(labels, shares, strict=True) for part in pair]
                    for labels, shares in found
                )
            else:
                write_lines(labels for labels, _ in found)
            done += len(lines.texts)
            replaced += lines.replaced
            sys.stdout.flush()  # somebody may be waiting
    except KeyboardInterrupt as interrupt:
        plural = "" if done == 1 else "s"
        raise Interrupted(f"Interrupted after {done:,} line{plural}.") from interrupt
    _say_replaced(replaced)


def _own_answers(model: Path) -> Answers:
    # The estimator would load scikit-learn, which takes longer than a line's answer.
    from wordgrad.classification.model import TextModel

    classifier, labels, _ = TextModel.load(model)
    if not classifier.splits_by_itself:
        make_reads_interruptible()
    names = [str(label) for label in labels]

    def answers(texts: list[str], top: int, threshold: float) -> Iterator[Answer]:
        found = classifier.probabilities(classifier.bags(texts))
        order = (-found).argsort(axis=1, kind="stable")[:, :top]
        for row, best in zip(found, order, strict=True):
            kept = [i for i in best if row[i] >= threshold]
            yield [names[i] for i in kept], [float(row[i]) for i in kept]

    return answers


def _fasttext_answers(model: Path) -> Answers:
    from wordgrad.fasttext_classifier import FastTextClassifier

    classifier = FastTextClassifier.load(model)

    def answers(texts: list[str], top: int, threshold: float) -> Iterator[Answer]:
        for labels, shares in zip(*classifier.predict(texts, top, threshold), strict=True):
            yield list(labels), shares.tolist()

    return answers


def quantize(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="A classifier that 'wordgrad classify train' or fastText (.bin) wrote.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="The file to write: .safetensors, or for one of fastText .ftz."
        ),
    ],
    overwrite: Annotated[bool, OVERWRITE] = False,
    cutoff: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Keep so many n-grams, those that count most; of fastText's rows, words and "
            "n-grams together. Default: all.",
            show_default=False,
        ),
    ] = None,
    width: Annotated[
        int, typer.Option(min=1, help="Numbers of a vector that become one byte together.")
    ] = 2,
    norms: Annotated[
        bool,
        typer.Option(
            "--norms", help="Of fastText: keep the lengths of rows apart, one byte more a row."
        ),
    ] = False,
    quantize_output: Annotated[
        bool, typer.Option("--output-rows", help="Of fastText: quantise the labels' rows, too.")
    ] = False,
    retrain: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Of fastText: labelled text on which what the cutoff leaves is trained again.",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of --retrain.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="Of --retrain.")] = 0.05,
    label_prefix: Annotated[
        str, typer.Option(help="Of --retrain: what a label begins with.")
    ] = "__label__",
) -> None:
    """Make a classifier small: a byte for every two of its numbers, and rare n-grams left out.

    predict, test and explain take it like the classifier it was made from; of one of fastText the
    file is one that fastText opens.
    """
    make_reads_interruptible()
    from wordgrad.files import check_output
    from wordgrad.io.fasttext_model import is_model

    fasttext = is_model(model)
    suffix = ".ftz" if fasttext else ".safetensors"
    if output.suffix.lower() != suffix:  # what saving would refuse at the end
        raise typer.BadParameter(f"The output {output} must end in {suffix}; rename it.")
    check_output(output, overwrite=overwrite)
    if fasttext:
        from wordgrad.fasttext_classifier import FastTextClassifier

        FastTextClassifier.load(model).quantize(
            cutoff=cutoff or 0, width=width, norms=norms, output=quantize_output, retrain=retrain,
            epochs=epochs, learning_rate=learning_rate, label_prefix=label_prefix,
        ).save(output, overwrite=overwrite)  # fmt: skip
    elif norms or quantize_output or retrain is not None:
        raise typer.BadParameter(
            "--norms, --output-rows and --retrain are for models of fastText alone."
        )
    else:
        from wordgrad.text_classifier import TextClassifier

        TextClassifier.load(model).quantize(width=width, ngrams=cutoff).save(
            output, overwrite=overwrite
        )
    before, after = model.stat().st_size, output.stat().st_size
    say(f"Wrote {output}: {format_size(after)}, {after / before:.1%} of {model}.")


def explain(
    model: Annotated[Path, MODEL],
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

    A contribution is to the log odds of the label, to first order; a negative one pushed away from
    it. Words are in the order of the text. Through a pipe: word and contribution, separated by a
    tab.
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
        write_json(record)
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


SHOWN_CLASSES = 8
AUTOTUNE = "Autotune"


def _autotuned(
    read: EncodedTexts, held: LabelledText, duration: float, settings: dict[str, Any]
) -> TextClassifier:
    """Search for settings, say each trial, and return the best classifier."""
    from wordgrad.autotune import Trial, autotune

    usual = {name: one.default for name, one in classifier.SETTINGS.items()}
    fixed = {name: value for name, value in settings.items() if value != usual[name]}

    def tell(trial: Trial) -> None:
        tried = {name: value for name, value in trial.settings.items() if name not in fixed}
        words = [
            f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in tried.items()
        ]
        found = "out of time" if trial.score is None else f"{trial.score:.1%} right"
        say(
            f"Trial {trial.number}: {found}{', the best so far' if trial.best else ''}, "
            f"{format_duration(trial.seconds)}: {', '.join(words) or 'the settings given'}."
        )

    say(f"Trying settings for {format_duration(duration)} on {len(held.texts):,} texts.")
    model, trials = autotune(
        read,
        held.texts,
        held.labels,
        duration=duration,
        settings=fixed,
        seed=settings["seed"],
        progress=tell,
    )
    best = max(trial.score for trial in trials if trial.score is not None)
    say(f"The best of {len(trials):,} trials: {best:.1%} right.")
    return model


@takes(classifier.SETTINGS.values())
def train(
    data: Annotated[list[str], DATA],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write, ending in .safetensors.")
    ],
    overwrite: Annotated[bool, OVERWRITE] = False,
    *,
    form: Annotated[Form | None, FORMAT] = None,
    label_column: Annotated[str | None, LABEL_COLUMN] = None,
    text_column: Annotated[str | None, TEXT_COLUMN] = None,
    label_prefix: Annotated[str, LABEL_PREFIX] = PREFIX,
    separator: Annotated[str | None, SEPARATOR] = None,
    errors: Annotated[Errors, ERRORS] = "strict",
    autotune: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Try many settings, and keep the classifier that labels this file best.",
            rich_help_panel=AUTOTUNE,
            show_default=False,
        ),
    ] = None,
    duration: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="TIME",
            help="How long to try, as in 90s, 5m or 1h.",
            rich_help_panel=AUTOTUNE,
            show_default="5m",
        ),
    ] = 300.0,
    **settings: Any,
) -> None:
    """Train a classifier on labelled text, and write it to a file.

    The classifier averages the vectors of a text's words and n-grams, and answers by a softmax, or
    through a hidden layer with --hidden-size. What is not given is chosen on a part of the texts
    that is held out. The text may be larger than the memory. A text has one label, or several: all
    '__label__' words of a line, or what --label-separator separates; use --loss one-vs-all where
    their number differs from text to text.

    With --autotune, settings that are given stay as they are, and others are tried.
    """
    from wordgrad.cli.progress import PREPARING, ProgressDisplay
    from wordgrad.files import check_output

    if output.suffix.lower() != ".safetensors":  # what saving would refuse at the end
        raise typer.BadParameter(f"The output {output} must end in .safetensors; rename it.")
    check_output(output, overwrite=overwrite)
    make_reads_interruptible()
    from wordgrad.classification.examples import encode_files

    held = None
    if autotune is not None:
        held = read_data(
            [str(autotune)], form, label_column, text_column, label_prefix, separator, errors
        )
    read = encode_files(
        source_of(data),
        pattern=settings["pattern"],
        lowercase=settings["lowercase"],
        form=form,
        label_column=label_column,
        text_column=text_column,
        label_prefix=label_prefix,
        separator=separator,
        errors=errors,
    )
    held = None
    if autotune is not None:
        held = read_data(
            [str(autotune)], form, label_column, text_column, label_prefix, separator, errors
        )
    _say_odd(read)
    counts = list(read.counts.items())
    shown = ", ".join(f"{label} {count:,}" for label, count in counts[:SHOWN_CLASSES])
    more = len(counts) - SHOWN_CLASSES
    rest = f", and {more:,} more" if more > 0 else ""
    say(f"Read {len(read):,} texts with {len(counts):,} labels: {shown}{rest}.")
    try:
        if held is not None:
            model = _autotuned(read, held, duration, settings)
        else:
            with ProgressDisplay(errors_console(), waiting=PREPARING) as display:
                from wordgrad.text_classifier import TextClassifier

                model = TextClassifier(**settings, progress=display.end_epoch)
                model.fit_encoded(read)
    except KeyboardInterrupt as interrupt:
        raise Interrupted("Interrupted; no classifier was written.") from interrupt
    model.save(output, overwrite=overwrite)
    history = model.history_
    say(
        f"Wrote {output}: {len(model.classes_):,} classes, {len(model.vocabulary_):,} words, "
        f"{format_size(output.stat().st_size)}; trained in "
        f"{format_duration(sum(epoch['seconds'] for epoch in history))} to a loss of "
        f"{history[-1]['loss']:.4f} per text."
    )
    letters = "none" if model.subwords_ is None else "{} to {}".format(*model.subwords_)
    say(
        f"Learning rate {model.learning_rate_:.3g}, n-grams of letters: {letters}, smoothing "
        f"{model.smoothing_:g}, temperature {model.temperature_:.2f}."
    )
    if model.vectors is not None:
        say(
            f"{model.words_with_vectors_:,} of the {len(model.vocabulary_):,} words started from "
            f"{model.vectors}."
        )
    if model.tokens_unknown_:
        say(
            f"{format_count(model.tokens_unknown_)} of {format_count(model.tokens_)} words were "
            "too rare to be kept."
        )
    say("Now test it on texts that it has not seen, or label lines that you type:")
    say_command(f"wordgrad classify test {output} LABELLED-TEXT")
    say_command(f"wordgrad classify predict {output} --proba")
