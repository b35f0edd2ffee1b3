"""``wordgrad map`` and ``plot-loss``: words on a plane, and losses epoch by epoch."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordgrad.cli.console import errors_console, format_size, say, short_names
from wordgrad.cli.options import OVERWRITE
from wordgrad.cli.query import VECTORS

if TYPE_CHECKING:
    from wordgrad.plotting.word_map import WordMap


def map_(
    file: Annotated[Path, VECTORS],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The file to write: .html, .png or .svg."),
    ] = Path("map.html"),
    words: Annotated[
        list[str] | None,
        typer.Option("--words", metavar="WORD", help="Show these words."),
    ] = None,
    around: Annotated[
        list[str] | None,
        typer.Option("--around", metavar="WORD", help="Show these words and those near them."),
    ] = None,
    most_frequent: Annotated[
        int | None,
        typer.Option("--most-frequent", "-n", help="Show this many of the most frequent words."),
    ] = None,
    neighbours: Annotated[
        int | None, typer.Option("--neighbours", help="With --around: number of words around each.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            help="pca, tsne or umap; by default pca for fewer than 30 words, otherwise tsne.",
        ),
    ] = None,
    restrict_vocab: Annotated[
        int | None,
        typer.Option(
            "--restrict-vocab",
            help="Consider only this many of the most frequent words as neighbours.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same map.")] = 1,
    overwrite: Annotated[bool, OVERWRITE] = False,
) -> None:
    """Draw a map that places words with similar vectors together.

    Without --words and --around it shows the 1,500 most frequent words. A map in .html is one page
    that needs no network: move, zoom, find a word, click it and see its nearest words light up.
    """
    chosen = [name for name, value in (("--words", words), ("--around", around)) if value]
    chosen += ["--most-frequent"] if most_frequent is not None else []
    if len(chosen) > 1:
        raise typer.BadParameter(f"{' and '.join(chosen)} cannot be given together; choose one.")
    if neighbours is not None and not around:
        raise typer.BadParameter("--neighbours needs --around.")
    from wordgrad.files import check_output
    from wordgrad.plotting.picture import checked_ending
    from wordgrad.plotting.word_map import AROUND_EACH, MOST_FREQUENT, make_map
    from wordgrad.word_vectors import load

    checked_ending(output)
    check_output(output, overwrite=overwrite)
    with drawing():
        drawn = make_map(
            load(file),
            words=words or None,
            around_words=around or None,
            most_frequent_words=MOST_FREQUENT if most_frequent is None else most_frequent,
            neighbours=AROUND_EACH if neighbours is None else neighbours,
            method=method,
            restrict_vocab=restrict_vocab,
            seed=seed,
        )
    write_map(drawn, output, overwrite=overwrite)


def drawing() -> AbstractContextManager[object]:
    """A spinner on a terminal while a map is drawn."""
    return errors_console().status("Placing words on the map ...")


def write_map(drawn: WordMap, output: Path, *, overwrite: bool) -> None:
    """Write a map and say what it shows, and what it does not."""
    labelled = drawn.save(output, overwrite=overwrite)
    number = len(drawn.words)
    say(f"Wrote {output}: {number:,} words, {format_size(output.stat().st_size)}.")
    if drawn.zero_vectors:
        say(f"Skipped {drawn.zero_vectors:,} words whose vector is zero.")
    if labelled < number:
        say(
            f"{labelled:,} of the {number:,} words have a label; there was no room for the others. "
            "A map in .html shows more labels as you zoom in."
        )


def plot_loss(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Files of word vectors; several are compared."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The file to write: .html, .png or .svg."),
    ] = Path("loss.html"),
    along: Annotated[
        str,
        typer.Option("--along", help="What the horizontal axis counts: epoch, words or seconds."),
    ] = "epoch",
    overwrite: Annotated[bool, OVERWRITE] = False,
) -> None:
    """Draw the loss and the learning rate of each epoch, as the training recorded them."""
    from wordgrad.plotting.losses import loss_curve, save_losses
    from wordgrad.word_vectors import load

    names = short_names(files)
    curves = [loss_curve(load(file), name) for file, name in zip(files, names, strict=True)]
    save_losses(curves, output, along=along, overwrite=overwrite)
    say(f"Wrote {output}.")
    objectives = dict.fromkeys(curve.objective for curve in curves)
    if len(objectives) > 1:
        say(
            "The values of these losses cannot be compared, only their shapes: they measure "
            f"different things ({'; '.join(objectives)})."
        )
