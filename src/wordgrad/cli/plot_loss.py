"""``wordgrad plot-loss``: loss and learning rate of trainings, epoch by epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wordgrad.cli.console import say, short_names
from wordgrad.cli.options import OVERWRITE


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
