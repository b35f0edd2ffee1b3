"""The application: its commands, and the options that precede them."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getdoc
from shutil import get_terminal_size
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from wordgrad.cli.check_gradients import check_gradients
from wordgrad.cli.classify import explain, predict, quantize
from wordgrad.cli.classify import measure as classify_test
from wordgrad.cli.classify import train as classify_train
from wordgrad.cli.cluster import cluster
from wordgrad.cli.convert import convert
from wordgrad.cli.demo import demo
from wordgrad.cli.documents import infer as documents_infer
from wordgrad.cli.documents import similar as documents_similar
from wordgrad.cli.documents import train as documents_train
from wordgrad.cli.evaluate import evaluate
from wordgrad.cli.exit import guarded, start_debugging
from wordgrad.cli.options import ListOptions
from wordgrad.cli.phrases import phrases
from wordgrad.cli.plot import map_, plot_loss
from wordgrad.cli.query import analogy, doesnt_match, similar
from wordgrad.cli.train import train

LEAST_COLUMNS = 60  # on narrower terminals Rich's panels truncate the names of options

_EPILOG = (
    "Exit codes: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted, 143 terminated.\n\n"
    "Documentation: the guide, tutorials and reference are pages in the folder docs of wordgrad's "
    "source ('sphinx-build docs site' makes a site of them); in Python, help(wordgrad.Word2Vec)."
)


class _Commands(TyperGroup):
    """Commands, and a word to those who name one without the group that it is in."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or else its namesakes in the groups, or else what is spelt like it."""
        groups = [
            name for name, one in self.commands.items() if args[0] in getattr(one, "commands", ())
        ]
        if groups and args[0] not in self.commands:
            found = " or ".join(f"'{group} {args[0]}'" for group in groups)
            ctx.fail(f"No such command {args[0]!r}. Did you mean {found}?")
        return super().resolve_command(ctx, args)


def _application(name: str, help_: str | None) -> typer.Typer:
    return typer.Typer(
        name=name,
        cls=_Commands,
        help=help_,
        no_args_is_help=True,
        rich_markup_mode="rich" if get_terminal_size().columns >= LEAST_COLUMNS else None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=_EPILOG,
    )


app = _application("wordgrad", None)
classify = _application("classify", "Label texts: train a classifier, test it, use it.")
documents = _application("documents", "Vectors of documents: train, infer new ones, compare.")


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


COMMANDS: list[tuple[typer.Typer, str, Callable[..., None]]] = [
    (app, "train", train),
    (app, "phrases", phrases),
    (app, "similar", similar),
    (app, "analogy", analogy),
    (app, "doesnt-match", doesnt_match),
    (app, "evaluate", evaluate),
    (app, "convert", convert),
    (app, "cluster", cluster),
    (app, "map", map_),
    (app, "plot-loss", plot_loss),
    (app, "demo", demo),
    (app, "check-gradients", check_gradients),
    (documents, "train", documents_train),
    (documents, "infer", documents_infer),
    (documents, "similar", documents_similar),
    (classify, "train", classify_train),
    (classify, "test", classify_test),
    (classify, "predict", predict),
    (classify, "explain", explain),
    (classify, "quantize", quantize),
]

for group, name, command in COMMANDS:
    # Each paragraph of the docstring on one line: the terminal's width breaks it.
    paragraphs = (getdoc(command) or "").split("\n\n")
    group.command(
        name,
        cls=ListOptions if command in (evaluate, map_) else None,
        help="\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs),
    )(guarded(command))
app.add_typer(documents)
app.add_typer(classify)
