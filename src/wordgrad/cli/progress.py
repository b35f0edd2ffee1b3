"""The display of progress: Rich's bar on a terminal, an occasional line anywhere else.

An estimator calls a :class:`ProgressDisplay` with its records.  Rich draws at its own pace, in a
thread of its own, so that no number of records slows the work down.  Lines that stay (what was
read, each epoch) are the same on a terminal and in a log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Column
from rich.text import Text

from wordgrad.cli.console import format_count, format_duration, format_size, wrap_parts

if TYPE_CHECKING:
    from wordgrad.classification.trainer import ClassifierProgress
    from wordgrad.corpus.encode import ReadingProgress
    from wordgrad.training.engine import CountingProgress, TrainingProgress


SECONDS_BETWEEN_LINES = 10.0
IDLE_SECONDS = 1.0

STARTING = "Starting ..."
PREPARING = "Preparing to train; the first time, compiling takes some seconds ..."


@dataclass(frozen=True)
class Stage:
    """One piece of the work, and how much of it is done.

    Attributes
    ----------
    label : str
    share : float or None
        From 0 to 1; None where nobody knows how much there is.
    details : sequence of str
    """

    label: str
    share: float | None
    details: Sequence[str] = ()

    @property
    def line(self) -> str:
        """One line for a log.

        >>> Stage("Reading", 0.5, ["4.80 M words", "wiki8"]).line
        'Reading 50% | 4.80 M words | wiki8'
        """
        share = "" if self.share is None else f" {self.share:.0%}"
        return " | ".join([f"{self.label}{share}", *self.details])


class ProgressDisplay:
    """Shows the progress of a training while its ``with`` block runs.

    ``Word2Vec(progress=display)`` and ``TextClassifier(progress=display.end_epoch)`` call it.

    Parameters
    ----------
    console : Console
        Where to draw; standard error, so that results can be piped.
    clock : callable
        Monotonic seconds; replaced in tests.
    waiting : str
        What to show until the first record comes.
    """

    def __init__(
        self,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
        waiting: str = STARTING,
    ) -> None:
        self._console = console
        self._clock = clock
        self._waiting = waiting
        self._live = False
        self._tokens_read: int | None = None
        self._training: TrainingProgress | None = None
        self._stage: Stage | None = None
        self._ends_when_idle = False
        self._last_line = self._last_record = clock()
        self.bar = _Bar(self._message, console)  # Rich asks it for a picture at once: so last

    @property
    def training_began(self) -> bool:
        """Whether a record about training has come."""
        return self._training is not None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = True
            self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live:
            self.bar.stop()
        if self._training is not None and kind is None:
            self.say(_epoch_line(self._training))

    def __call__(self, event: ReadingProgress | CountingProgress | TrainingProgress) -> None:
        """Take a record of :class:`~wordgrad.Word2Vec`."""
        from wordgrad.training.engine import CountingProgress, TrainingProgress

        self._ends_when_idle = False
        if isinstance(event, TrainingProgress):
            before, self._training = self._training, event
            if before is None:
                if self._tokens_read is not None:
                    self.say(f"Read {format_count(self._tokens_read)} words.")
            elif before.epoch != event.epoch:
                self.say(_epoch_line(before))
            self._show(training(event))
        elif isinstance(event, CountingProgress):
            self._show(counting(event))
        else:
            self._tokens_read = event.tokens
            # Sentences in memory come from nowhere with a size: they are over when none come.
            self._ends_when_idle = not event.file and not event.bytes_total
            self._show(reading(event))

    def end_epoch(self, event: ClassifierProgress) -> None:
        """Take a record of :class:`~wordgrad.TextClassifier`, which comes after each epoch."""
        parts = [f"Epoch {event.epoch} of {event.epochs}: loss {event.loss:.4f}"]
        if event.validation_loss is not None:
            parts.append(f"on held-out texts {event.validation_loss:.4f}")
        if event.validation_accuracy is not None:
            parts.append(f"{event.validation_accuracy:.1%} of them right")
        short = event.seconds < 0.095
        took = f"{1000 * event.seconds:.0f} ms" if short else format_duration(event.seconds)
        self.say(", ".join([*parts, took]) + ".")
        self._show(Stage("Training", event.epoch / event.epochs))

    def _show(self, stage: Stage) -> None:
        self.bar.show(stage)  # first: the thread that draws needs a bar for every stage
        self._stage, self._last_record = stage, self._clock()
        if not self._live and self._clock() - self._last_line >= SECONDS_BETWEEN_LINES:
            self.say(stage.line)

    def say(self, line: str, style: str = "") -> None:
        """Print a line that stays."""
        self._last_line = self._clock()
        self._console.print(Text(line, style=style), soft_wrap=not self._live)

    def _message(self) -> str:
        """What to say while there is no bar to show; empty if there is one."""
        if self._stage is None:
            return self._waiting
        idle = self._clock() - self._last_record > IDLE_SECONDS
        over = self._stage.share == 1.0 or (self._ends_when_idle and idle)
        return PREPARING if over and not self._stage.label.startswith("Training") else ""


class _Bar(Progress):
    """One bar, and its details below, broken between them on a narrow terminal."""

    def __init__(self, message: Callable[[], str], console: Console) -> None:
        self._message = message
        super().__init__(
            TextColumn("{task.description:<9}", markup=False),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            TaskProgressColumn(
                "{task.percentage:.0f}%",
                markup=False,
                table_column=Column(no_wrap=True, justify="right", min_width=4),
            ),
            console=console,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            expand=True,
        )

    def show(self, stage: Stage) -> None:
        """Move the bar to ``stage``; a stage of another kind has a bar of its own."""
        total = None if stage.share is None else 1.0
        last = self.tasks[-1] if self.tasks else None
        if last is None or (last.description, last.total) != (stage.label, total):
            self.add_task(stage.label, total=total, details=stage.details)
        self.update(self.tasks[-1].id, completed=stage.share or 0.0, details=stage.details)

    def get_renderables(self) -> Iterable[RenderableType]:
        message = self._message()
        if message:
            yield Text(message)
            return
        task = self.tasks[-1]
        yield self.make_tasks_table([task])
        details = wrap_parts(task.fields["details"], self.console.width, " · ")
        if details:
            yield Text("\n".join(details), style="dim", no_wrap=True)


def reading(event: ReadingProgress) -> Stage:
    """Reading of text, in words and bytes."""
    details = [f"{format_count(event.tokens)} words"]
    if event.bytes_done:
        total = f" of {format_size(event.bytes_total)}" if event.bytes_total else ""
        details.append(f"{format_size(event.bytes_done)}{total}")
    if event.file:
        details.append(event.file)
    share = min(event.bytes_done / event.bytes_total, 1.0) if event.bytes_total else None
    return Stage("Reading", share, details)


def counting(event: CountingProgress) -> Stage:
    """Counting of pairs, for skip-gram with the softmax."""
    details = [
        f"pairs of {event.words_done:,} of {event.words_total:,} words",
        f"{format_count(event.pairs)} pairs expected",
    ]
    return Stage("Counting pairs", event.words_done / event.words_total, details)


def training(event: TrainingProgress) -> Stage:
    """Training of word vectors: speed, loss, learning rate and time left."""
    details = [
        f"epoch {event.epoch + 1} of {event.epochs}",
        f"{format_count(event.words_per_second)} words/s",
        f"loss {event.loss:.4f}",
        f"learning rate {event.learning_rate:.4f}",
        f"{format_duration(event.seconds_left)} left",
    ]
    if event.nodes is not None:
        details[1:1] = [f"{event.nodes} nodes"]
        details.append(f"{format_size(event.bytes_sent or 0)} sent")
    share = event.words_done / event.words_total if event.words_total else 0.0
    return Stage("Training", share, details)


def _epoch_line(event: TrainingProgress) -> str:
    loss = event.validation_loss
    validation = "" if loss is None else f"validation loss {loss:.4f}, "
    return (
        f"Epoch {event.epoch + 1} of {event.epochs}: loss {event.loss:.4f}, {validation}"
        f"{format_count(event.words_per_second)} words/s."
    )
