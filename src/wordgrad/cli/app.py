"""The application: its commands, and the options that come before them."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getdoc
from shutil import get_terminal_size
from typing import Annotated

import typer

from wordgrad.cli.check_gradients import check_gradients
from wordgrad.cli.classify import explain, predict
from wordgrad.cli.classify import measure as classify_test
from wordgrad.cli.classify_train import train as classify_train
from wordgrad.cli.convert import convert
from wordgrad.cli.demo import demo
from wordgrad.cli.evaluate import evaluate
from wordgrad.cli.exit import guarded, start_debugging
from wordgrad.cli.map import map_
from wordgrad.cli.options import ListOptions
from wordgrad.cli.plot_loss import plot_loss
from wordgrad.cli.query import analogy, doesnt_match, similar
from wordgrad.cli.train import train

LEAST_COLUMNS = 60  # below, Rich's panels cut the names of options short

_EPILOG = "Exit codes: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted, 143 terminated."


def _application(name: str, help_: str | None) -> typer.Typer:
    return typer.Typer(
        name=name,
        help=help_,
        no_args_is_help=True,
        rich_markup_mode="rich" if get_terminal_size().columns >= LEAST_COLUMNS else None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=_EPILOG,
    )


app = _application("wordgrad", None)
classify = _application("classify", "Label texts: train a classifier, test it, use it.")


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
    """Train word vectors on text, and query them.

    New here? Run 'wordgrad demo': it needs no text and takes less than a minute.
    """
    start_debugging(debug)


def _help(command: Callable[..., None]) -> str:
    """The docstring with each paragraph on one line: the terminal's width breaks it."""
    paragraphs = (getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


app.command("train", help=_help(train))(guarded(train))
app.command("similar", help=_help(similar))(guarded(similar))
app.command("analogy", help=_help(analogy))(guarded(analogy))
app.command("doesnt-match", help=_help(doesnt_match))(guarded(doesnt_match))
app.command("evaluate", cls=ListOptions, help=_help(evaluate))(guarded(evaluate))
app.command("convert", help=_help(convert))(guarded(convert))
app.command("map", cls=ListOptions, help=_help(map_))(guarded(map_))
app.command("plot-loss", help=_help(plot_loss))(guarded(plot_loss))
app.command("demo", help=_help(demo))(guarded(demo))
app.command("check-gradients", help=_help(check_gradients))(guarded(check_gradients))
classify.command("train", help=_help(classify_train))(guarded(classify_train))
classify.command("test", help=_help(classify_test))(guarded(classify_test))
classify.command("predict", help=_help(predict))(guarded(predict))
classify.command("explain", help=_help(explain))(guarded(explain))
app.add_typer(classify)
