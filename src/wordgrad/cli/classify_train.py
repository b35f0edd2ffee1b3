"""Showing how a classifier's training goes: a bar on a terminal, a line an epoch anywhere.

``wordgrad classify train``: from labelled text to a file with a classifier.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wordgrad.cli import classify_input as options
from wordgrad.cli import wording
from wordgrad.cli.classify_input import Errors, Form, read_data
from wordgrad.cli.console import LiveDisplay, errors_console, say, say_command
from wordgrad.cli.exit import Interrupted

if TYPE_CHECKING:
    from wordgrad.classification.trainer import ClassifierProgress
    from wordgrad.corpus.labelled import LabelledText
    from wordgrad.text_classifier import TextClassifier


class EpochDisplay(LiveDisplay):
    """Callable that takes a record an epoch, to be used in a ``with`` statement.

    Parameters
    ----------
    console : Console
        Where to draw; standard error, so that results can be piped.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._last: ClassifierProgress | None = None

    def __call__(self, event: ClassifierProgress) -> None:
        """Take one record."""
        self._last = event
        self._console.print(Text(epoch_line(event)), soft_wrap=self._live is None)

    def _render(self) -> RenderableType:
        if self._last is None:
            return Text("Preparing to train; the first time, compiling takes some seconds ...")
        share = self._last.epoch / self._last.epochs
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(no_wrap=True)
        line.add_column(ratio=1)
        line.add_column(no_wrap=True, justify="right", min_width=4)
        line.add_row("Training", ProgressBar(total=1.0, completed=share), f"{share:.0%}")
        return line


def epoch_line(event: ClassifierProgress) -> str:
    """One line about a finished epoch."""
    parts = [f"Epoch {event.epoch} of {event.epochs}: loss {event.loss:.4f}"]
    if event.validation_loss is not None:
        parts.append(f"on texts kept back {event.validation_loss:.4f}")
    if event.validation_accuracy is not None:
        parts.append(f"{event.validation_accuracy:.1%} of them right")
    short = event.seconds < 0.095
    took = f"{1000 * event.seconds:.0f} ms" if short else wording.duration(event.seconds)
    return ", ".join([*parts, took]) + "."


class ClassWeight(Enum):
    """What the texts of a class count."""

    balanced = "balanced"


NETWORK, TRAINING, TEXT = "The model", "Training", "The text"
SHOWN_CLASSES = 8


def train(
    data: Annotated[list[str], typer.Argument(metavar="DATA", help=options.DATA_HELP)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write, ending in .safetensors.")
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the output if it exists.")
    ] = False,
    vector_size: Annotated[
        int, typer.Option(help="Numbers in a word's vector.", rich_help_panel=NETWORK)
    ] = 64,
    hidden_size: Annotated[
        int, typer.Option(help="Units of the hidden layer.", rich_help_panel=NETWORK)
    ] = 32,
    members: Annotated[
        int,
        typer.Option(
            help="Networks that learn side by side and are averaged; they share the sizes above.",
            rich_help_panel=NETWORK,
        ),
    ] = 2,
    ngrams: Annotated[
        int,
        typer.Option(help="Most words in a row that count together.", rich_help_panel=NETWORK),
    ] = 2,
    buckets: Annotated[
        int,
        typer.Option(
            help="N-grams are told apart by a hash below this number.", rich_help_panel=NETWORK
        ),
    ] = 2**22,
    prefix: Annotated[
        int,
        typer.Option(
            help="Longer words count by their beginning of so many letters, too; 0: they do not.",
            rich_help_panel=NETWORK,
        ),
    ] = 5,
    vectors: Annotated[
        Path | None,
        typer.Option(
            help="Word vectors to start from, in any format that wordgrad reads. Default: random.",
            rich_help_panel=NETWORK,
            show_default=False,
        ),
    ] = None,
    train_vectors: Annotated[
        bool,
        typer.Option(
            "--train-vectors/--fixed-vectors",
            help="Whether the vectors learn with the network.",
            rich_help_panel=NETWORK,
        ),
    ] = True,
    epochs: Annotated[
        int, typer.Option(help="Passes over the texts.", rich_help_panel=TRAINING)
    ] = 5,
    learning_rate: Annotated[
        float,
        typer.Option(help="The first step size; it falls to 0.", rich_help_panel=TRAINING),
    ] = 0.025,
    batch_size: Annotated[int, typer.Option(help="Texts a step.", rich_help_panel=TRAINING)] = 32,
    dropout: Annotated[
        float,
        typer.Option(
            help="Share of a text's words that a step leaves out.", rich_help_panel=TRAINING
        ),
    ] = 0.0,
    smoothing: Annotated[
        float,
        typer.Option(help="Share of a label given to the others.", rich_help_panel=TRAINING),
    ] = 0.0,
    l2: Annotated[
        float, typer.Option(help="Price of large weights.", rich_help_panel=TRAINING)
    ] = 0.0,
    early_stopping: Annotated[
        bool,
        typer.Option(
            "--early-stopping",
            help="Keep some texts back, and stop when the loss on them no longer falls.",
            rich_help_panel=TRAINING,
        ),
    ] = False,
    validation_fraction: Annotated[
        float,
        typer.Option(help="Share of the texts kept back for that.", rich_help_panel=TRAINING),
    ] = 0.1,
    patience: Annotated[
        int,
        typer.Option(help="Epochs to wait for a lower loss on them.", rich_help_panel=TRAINING),
    ] = 3,
    class_weight: Annotated[
        ClassWeight | None,
        typer.Option(
            help="balanced: all classes count the same, however many texts they have.",
            rich_help_panel=TRAINING,
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Threads. Default: one for each member, the most that are of use.",
            rich_help_panel=TRAINING,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Start of all random numbers.", rich_help_panel=TRAINING)
    ] = 1,
    min_count: Annotated[
        int, typer.Option(help="Drop words that occur less often.", rich_help_panel=TEXT)
    ] = 1,
    lowercase: Annotated[
        bool, typer.Option(help="Lower-case the text.", rich_help_panel=TEXT)
    ] = True,
    pattern: Annotated[
        str | None,
        typer.Option(
            help="Regular expression whose matches are the words. Default: split at white space.",
            rich_help_panel=TEXT,
            show_default=False,
        ),
    ] = None,
    form: Annotated[Form | None, options.FORMAT] = None,
    label_column: Annotated[str | None, options.LABEL_COLUMN] = None,
    text_column: Annotated[str | None, options.TEXT_COLUMN] = None,
    errors: Annotated[Errors, options.ERRORS] = Errors.strict,
) -> None:
    """Train a classifier on labelled text, and write it to a file.

    The classifier averages the vectors of a text's words and word n-grams, and answers by a network
    with one hidden layer. One label a text.
    """
    settings = {
        "vector_size": vector_size,
        "hidden_size": hidden_size,
        "members": members,
        "ngrams": ngrams,
        "buckets": buckets,
        "prefix": prefix,
        "vectors": vectors,
        "train_vectors": train_vectors,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "dropout": dropout,
        "smoothing": smoothing,
        "l2": l2,
        "early_stopping": early_stopping,
        "validation_fraction": validation_fraction,
        "patience": patience,
        "class_weight": None if class_weight is None else class_weight.value,
        "workers": workers,
        "seed": seed,
        "min_count": min_count,
        "lowercase": lowercase,
        "pattern": pattern,
    }
    from wordgrad.files import check_output

    _check_name(output)
    check_output(output, overwrite=overwrite)
    read = read_data(data, form, label_column, text_column, errors)
    say(_what_was_read(read))
    model = _fitted(read, settings)
    model.save(output, overwrite=overwrite)
    _summarise(model, output)


def _check_name(output: Path) -> None:
    """Refuse at once what saving would refuse at the end."""
    if output.suffix.lower() != ".safetensors":
        raise typer.BadParameter(f"The output {output} must end in .safetensors; rename it.")


def _fitted(read: LabelledText, settings: Mapping[str, Any]) -> TextClassifier:

    try:
        with EpochDisplay(errors_console()) as display:
            from wordgrad.text_classifier import TextClassifier

            model = TextClassifier(**settings, progress=display)
            return model.fit(read.texts, read.labels)
    except KeyboardInterrupt as interrupt:
        raise Interrupted("Interrupted; no classifier was written.") from interrupt


def _what_was_read(read: LabelledText) -> str:
    counts = Counter(read.labels).most_common()
    shown = ", ".join(f"{label} {count:,}" for label, count in counts[:SHOWN_CLASSES])
    more = len(counts) - SHOWN_CLASSES
    rest = f", and {more:,} more" if more > 0 else ""
    return f"Read {len(read.texts):,} texts with {len(counts):,} labels: {shown}{rest}."


def _summarise(model: TextClassifier, output: Path) -> None:
    history = model.history_
    say(
        f"Wrote {output}: {len(model.classes_):,} classes, {len(model.vocabulary_):,} words, "
        f"{wording.size(output.stat().st_size)}; trained in "
        f"{wording.duration(sum(epoch['seconds'] for epoch in history))} to a loss of "
        f"{history[-1]['loss']:.4f} a text."
    )
    if model.vectors is not None:
        say(
            f"{model.words_with_vectors_:,} of the {len(model.vocabulary_):,} words started from "
            f"{model.vectors}."
        )
    if model.tokens_unknown_:
        say(
            f"{wording.count(model.tokens_unknown_)} of {wording.count(model.tokens_)} words were "
            "too rare to be kept."
        )
    say("Now test it on texts that it has not seen, or ask it about lines you type:")
    say_command(f"wordgrad classify test {output} LABELLED-TEXT")
    say_command(f"wordgrad classify predict {output} --proba")
