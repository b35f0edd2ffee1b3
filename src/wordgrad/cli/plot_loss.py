"""``wordgrad plot-loss``: how trainings went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from wordgrad.cli.console import say


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
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the output if it exists.")
    ] = False,
) -> None:
    """Draw the loss and the learning rate of each epoch, as the training recorded them."""
    from wordgrad.plotting.losses import loss_curve, save_losses
    from wordgrad.word_vectors import load

    names = _names(files)
    curves = [loss_curve(load(file), name) for file, name in zip(files, names, strict=True)]
    save_losses(curves, output, along=along, overwrite=overwrite)
    say(f"Wrote {output}.")
    objectives = dict.fromkeys(curve.objective for curve in curves)
    if len(objectives) > 1:
        say(
            "These losses cannot be compared with each other, only their course: they measure "
            f"different things ({'; '.join(objectives)})."
        )


def _names(files: Sequence[Path]) -> list[str]:
    """The files' names without ending, or their whole paths where two would be the same."""
    stems = [file.stem for file in files]
    return stems if len(set(stems)) == len(stems) else [str(file) for file in files]
