"""Showing how a classifier's training goes: a bar on a terminal, a line an epoch anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wordgrad.cli import wording
from wordgrad.cli.live import LiveDisplay

if TYPE_CHECKING:
    from wordgrad.classification.text_trainer import ClassifierProgress


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
