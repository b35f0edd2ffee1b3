"""Output of the commands: tables for people, lines for programs, messages on standard error.

What goes to standard output is a result: a table on a terminal, tab-separated lines through a pipe,
or JSON.  All else goes to standard error, so that results can be piped.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


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


def write_json(value: Any, output: Path | None = None, *, overwrite: bool = False) -> None:
    """Write JSON to a file and say so, or to standard output if ``output`` is None or ``-``.

    Raises
    ------
    OutputError
        If the file exists and ``overwrite`` is false, or it cannot be written.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    if output is None or str(output) == "-":
        sys.stdout.write(text)
        return
    from wordgrad.files import atomic_write

    with atomic_write(output, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say(f"Wrote {output}.")


def results_table(title: str, first: str, *others: str) -> Table:
    """An empty table: the first column may be folded, the others hold numbers."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    table.add_column(Text(first), overflow="fold")
    for name in others:
        table.add_column(Text(name), justify="right", no_wrap=True)
    return table


def _field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6f}"
    return str(value).translate(_ESCAPES)


def format_count(number: float) -> str:
    """A count with at least three digits, shortened from a million on.

    >>> [format_count(number) for number in (67864, 16_941_067, 2.5e9)]
    ['67,864', '16.9 M', '2.50 G']
    """
    for unit, letter in ((1e9, "G"), (1e6, "M")):
        if number >= unit:
            return f"{_three_digits(number / unit)} {letter}"
    return f"{number:,.0f}"


def format_size(bytes_: float) -> str:
    """A number of bytes, in decimal units.

    >>> format_size(512), format_size(99_999_998)
    ('512 bytes', '100 MB')
    """
    for unit, letter in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if bytes_ >= unit:
            return f"{_three_digits(bytes_ / unit)} {letter}"
    return f"{bytes_:.0f} bytes"


def format_duration(seconds: float) -> str:
    """A span of time.

    >>> [format_duration(seconds) for seconds in (4.21, 75, 7384)]
    ['4.2 s', '1 min 15 s', '2 h 03 min']
    """
    if not math.isfinite(seconds):
        return "?"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def wrap_parts(parts: Sequence[str], width: int, separator: str) -> list[str]:
    """Join parts to lines of at most ``width`` characters, broken only between parts.

    A part that is longer than that has a line of its own.

    >>> wrap_parts(["tuple 0.60", "dict 0.55", "set 0.51"], 22, "  ")
    ['tuple 0.60  dict 0.55', 'set 0.51']
    """
    lines = list(parts[:1])
    for part in parts[1:]:
        longer = f"{lines[-1]}{separator}{part}"
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def short_names(files: Sequence[Path]) -> list[str]:
    """Names that tell files apart: without folder and ending, if that is enough.

    >>> short_names([Path("runs/a.safetensors"), Path("runs/b.safetensors")])
    ['a', 'b']
    >>> short_names([Path("x/a.bin"), Path("y/a.bin")])
    ['x/a.bin', 'y/a.bin']
    """
    stems = [file.stem for file in files]
    return stems if len(set(stems)) == len(stems) else [file.as_posix() for file in files]


def _three_digits(value: float) -> str:
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"
