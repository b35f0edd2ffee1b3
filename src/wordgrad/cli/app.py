"""The application: its commands, and the options that come before them."""

from __future__ import annotations

from typing import Annotated

import typer

from wordgrad.cli.analogy import analogy
from wordgrad.cli.demo import demo
from wordgrad.cli.evaluate import evaluate
from wordgrad.cli.outcomes import guarded, start_debugging
from wordgrad.cli.similar import similar
from wordgrad.cli.train import train

app = typer.Typer(
    name="wordgrad",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        import wordgrad

        typer.echo(f"wordgrad {wordgrad.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when something fails.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Train word vectors on text, and ask them questions.

    New here? Run [bold]wordgrad demo[/bold]: it needs no text and takes less than a minute.
    """
    start_debugging(debug)


for command in (train, similar, analogy, evaluate, demo):
    app.command(command.__name__)(guarded(command))
