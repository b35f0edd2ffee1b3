"""``wordgrad classify train``: from labelled text to a file with a classifier."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from wordgrad.classification.config import SETTINGS
from wordgrad.cli.classify import (
    DATA,
    ERRORS,
    FORMAT,
    LABEL_COLUMN,
    LABEL_PREFIX,
    PREFIX,
    TEXT_COLUMN,
    Errors,
    Form,
    read_data,
)
from wordgrad.cli.console import (
    errors_console,
    format_count,
    format_duration,
    format_size,
    say,
    say_command,
)
from wordgrad.cli.exit import Interrupted
from wordgrad.cli.options import OVERWRITE, takes

SHOWN_CLASSES = 8


@takes(SETTINGS.values())
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
    errors: Annotated[Errors, ERRORS] = "strict",
    **settings: Any,
) -> None:
    """Train a classifier on labelled text, and write it to a file.

    The classifier averages the vectors of a text's words and word n-grams, and passes the mean
    through a network with one hidden layer. Every text has one label.
    """
    from wordgrad.cli.progress import PREPARING, ProgressDisplay
    from wordgrad.files import check_output

    if output.suffix.lower() != ".safetensors":  # what saving would refuse at the end
        raise typer.BadParameter(f"The output {output} must end in .safetensors; rename it.")
    check_output(output, overwrite=overwrite)
    read = read_data(data, form, label_column, text_column, label_prefix, errors)
    counts = Counter(read.labels).most_common()
    shown = ", ".join(f"{label} {count:,}" for label, count in counts[:SHOWN_CLASSES])
    more = len(counts) - SHOWN_CLASSES
    rest = f", and {more:,} more" if more > 0 else ""
    say(f"Read {len(read.texts):,} texts with {len(counts):,} labels: {shown}{rest}.")
    try:
        with ProgressDisplay(errors_console(), waiting=PREPARING) as display:
            from wordgrad.text_classifier import TextClassifier

            model = TextClassifier(**settings, progress=display.end_epoch)
            model.fit(read.texts, read.labels)
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
