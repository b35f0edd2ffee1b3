"""``wordgrad classify explain``: which words pushed a text towards its label."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from wordgrad.cli.classify import options
from wordgrad.cli.console import results_console, say, write_lines

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
    from wordgrad.estimators.text_classifier import TextClassifier

    classifier = TextClassifier.load(model)
    whole = " ".join(text)
    chances = dict(zip(map(str, classifier.classes_), classifier.predict_proba([whole])[0].tolist(),
                       strict=True))  # fmt: skip
    shown = label if label is not None else max(chances, key=chances.__getitem__)
    found = classifier.explain(whole, shown)
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
    _show(found, shown)


def _show(found: list[tuple[str, float]], label: str) -> None:
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
