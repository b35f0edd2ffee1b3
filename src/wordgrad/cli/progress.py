"""Showing how reading and training go: a live bar on a terminal, plain lines anywhere else.

The estimator calls a :class:`ProgressDisplay` with records; the display draws at its own pace, so
that no number of records slows the work down.  Lines that stay (what was read, each epoch) are the
same in both forms.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wordgrad.cli import wording
from wordgrad.cli.console import LiveDisplay

if TYPE_CHECKING:
    from wordgrad.corpus.encode import ReadingProgress
    from wordgrad.training.engine import CountingProgress, TrainingProgress


SECONDS_BETWEEN_LINES = 10.0
LABEL = "{:<9}"


class ProgressDisplay(LiveDisplay):
    """Callable that takes progress records, to be used in a ``with`` statement.

    Parameters
    ----------
    console : Console
        Where to draw; standard error, so that results can be piped.
    clock : callable
        Seconds that pass evenly; replaced in tests.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console)
        self._clock = clock
        self._reading: ReadingProgress | None = None
        self._counting: CountingProgress | None = None
        self._training: TrainingProgress | None = None
        self._last_line = self._last_event = clock()

    @property
    def training_began(self) -> bool:
        """Whether a record about training has come."""
        return self._training is not None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        if self._training is not None and kind is None:
            self._say(_epoch_line(self._training))

    def __call__(self, event: ReadingProgress | CountingProgress | TrainingProgress) -> None:
        """Take one record."""
        from wordgrad.training.engine import CountingProgress, TrainingProgress

        self._last_event = self._clock()
        if isinstance(event, TrainingProgress):
            self._take_training(event)
        elif isinstance(event, CountingProgress):
            self._counting = event
            self._say_now_and_then(lambda: counting_line(event))
        else:
            self._reading = event
            self._say_now_and_then(lambda: reading_line(event))

    def _take_training(self, event: TrainingProgress) -> None:
        before, self._training = self._training, event
        if before is None:
            if self._reading is not None:
                self._say(f"Read {wording.count(self._reading.tokens)} words.")
        elif before.epoch != event.epoch:
            self._say(_epoch_line(before))
        self._say_now_and_then(lambda: training_line(event))

    def _say_now_and_then(self, line: Callable[[], str]) -> None:
        if self._live is None and self._clock() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._say(line())

    def _say(self, line: str) -> None:
        self._last_line = self._clock()
        self._console.print(Text(line), soft_wrap=self._live is None)

    def _has_read(self, event: ReadingProgress) -> bool:
        if event.file or event.bytes_total:
            return _share_read(event) == 1.0
        # Sentences in memory come from nowhere with a size: they are over when they stop coming.
        return self._clock() - self._last_event > 1.0

    def _render(self) -> RenderableType:
        width = self._console.width
        if self._training is not None:
            return _bar(
                "Training",
                _share_trained(self._training),
                _training_details(self._training),
                width,
            )
        if self._counting is not None and not _has_counted(self._counting):
            event = self._counting
            return _bar("Counting", _share_counted(event), _counting_details(event), width)
        if self._reading is not None and self._has_read(self._reading):
            return Text("Preparing to train; the first time, compiling takes some seconds ...")
        if self._reading is not None:
            read = self._reading
            return _bar("Reading", _share_read(read), _reading_details(read), width)
        return Text("Starting ...")


def reading_line(event: ReadingProgress) -> str:
    """One line for a log about reading."""
    share = _share_read(event)
    return " | ".join(
        ["Reading" if share is None else f"Reading {share:.0%}", *_reading_details(event)]
    )


def counting_line(event: CountingProgress) -> str:
    """One line for a log about the counting of pairs."""
    return " | ".join([f"Counting pairs {_share_counted(event):.0%}", *_counting_details(event)])


def training_line(event: TrainingProgress) -> str:
    """One line for a log about training."""
    return " | ".join([f"Training {_share_trained(event):.0%}", *_training_details(event)])


def _share_trained(event: TrainingProgress) -> float:
    return event.words_done / event.words_total if event.words_total else 0.0


def _has_counted(event: CountingProgress) -> bool:
    return event.words_done == event.words_total


def _share_counted(event: CountingProgress) -> float:
    return event.words_done / event.words_total


def _counting_details(event: CountingProgress) -> list[str]:
    return [
        f"pairs of {event.words_done:,} of {event.words_total:,} words",
        f"{wording.count(event.pairs)} pairs expected",
    ]


def _share_read(event: ReadingProgress) -> float | None:
    return min(event.bytes_done / event.bytes_total, 1.0) if event.bytes_total else None


def _reading_details(event: ReadingProgress) -> list[str]:
    details = [f"{wording.count(event.tokens)} words"]
    if event.bytes_done:
        total = f" of {wording.size(event.bytes_total)}" if event.bytes_total else ""
        details.append(f"{wording.size(event.bytes_done)}{total}")
    if event.file:
        details.append(event.file)
    return details


def _training_details(event: TrainingProgress) -> list[str]:
    return [
        f"epoch {event.epoch + 1} of {event.epochs}",
        f"{wording.count(event.words_per_second)} words/s",
        f"loss {event.loss:.4f}",
        f"learning rate {event.learning_rate:.4f}",
        f"{wording.duration(event.seconds_left)} left",
    ]


def _epoch_line(event: TrainingProgress) -> str:
    held_out = event.validation_loss
    validation = "" if held_out is None else f"validation loss {held_out:.4f}, "
    return (
        f"Epoch {event.epoch + 1} of {event.epochs}: loss {event.loss:.4f}, {validation}"
        f"{wording.count(event.words_per_second)} words/s."
    )


def _bar(label: str, share: float | None, details: list[str], width: int) -> RenderableType:
    """A bar on one line and the details below, wrapped between them on a narrow terminal."""
    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column(no_wrap=True)
    line.add_column(ratio=1)
    line.add_column(no_wrap=True, justify="right", min_width=4)
    if share is None:  # nobody knows how much there is to read: a bar that pulses
        line.add_row(LABEL.format(label), ProgressBar(total=None, pulse=True), "")
    else:
        line.add_row(LABEL.format(label), ProgressBar(total=1.0, completed=share), f"{share:.0%}")
    return Group(
        line, Text("\n".join(wording.wrapped(details, width, " · ")), style="dim", no_wrap=True)
    )
