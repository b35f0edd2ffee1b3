"""Where output goes: tables for people, tab-separated lines for programs, messages on stderr.

A display that is drawn anew several times a second on a terminal, and nowhere else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, RenderableType
from rich.live import Live

if TYPE_CHECKING:
    from rich.console import Console


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def results_console() -> Console:
    """Standard output, for tables."""
    return _console(stderr=False)


def errors_console() -> Console:
    """Standard error, for progress and messages."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    class QuietPipe(Console):
        def on_broken_pipe(self) -> None:
            # Rich would exit with 1; wordgrad.cli.exit decides what a closed pipe means.
            self.quiet = True
            raise BrokenPipeError

    # Words are data: nothing in them is markup, an emoji code or a number to colour.
    return QuietPipe(stderr=stderr, highlight=False, markup=False, emoji=False)


def say(message: str, style: str = "") -> None:
    """Print a message for people on standard error, broken between words on a terminal alone."""
    from rich.text import Text

    console = errors_console()
    console.print(Text(message, style=style), soft_wrap=not console.is_terminal)


def say_command(command: str) -> None:
    """Print a command to copy: on one line, however narrow the terminal."""
    errors_console().print(f"  {command}", style="bold", soft_wrap=True)


def write_lines(rows: Iterable[Sequence[object]]) -> None:
    r"""Write tab-separated lines to standard output; floats with six digits.

    Tabs, line ends and backslashes inside a field are escaped as ``\t``, ``\n``, ``\r`` and
    ``\\``.
    """
    for row in rows:
        sys.stdout.write("\t".join(map(_field, row)) + "\n")


def _field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6f}"
    return str(value).translate(_ESCAPES)


class LiveDisplay:
    """Draws what ``_render`` returns while its ``with`` block runs, and takes it away after.

    Parameters
    ----------
    console : Console
        Where to draw; standard error, so that results can be piped.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._render,
                refresh_per_second=8,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def _render(self) -> RenderableType:
        raise NotImplementedError
