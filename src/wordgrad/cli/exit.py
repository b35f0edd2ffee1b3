"""The end of a command: signals, exit codes, and one sentence for every failure.

A request to end (SIGTERM, a closed terminal) stops the program as Ctrl-C does, so that what cleans
up after Ctrl-C cleans up after it, too.

===== ======================================================================================
code  meaning
===== ======================================================================================
0     done (also if the reader of the output went away, as ``head`` does)
1     the work failed: a file is missing, damaged, in the way; a word is unknown; a defect
2     the command was wrong: an unknown option, a value out of its range
130   interrupted by Ctrl-C (128 + SIGINT, as shells expect)
143   terminated by SIGTERM (128 + SIGTERM); 129 by SIGHUP, when the terminal was closed
===== ======================================================================================
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any, NoReturn, ParamSpec

import typer

from wordgrad.cli.console import say
from wordgrad.errors import FormatWarning, ParameterError, WordgradError

FAILED, WRONG_USAGE = 1, 2
_REQUESTS = ("SIGTERM", "SIGHUP")  # the second is not on Windows


class Stopped(KeyboardInterrupt):
    """A signal of the operating system that ends the program.

    It is a KeyboardInterrupt, for whatever cleans up after Ctrl-C must clean up after it, too.

    Attributes
    ----------
    number : int
        The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


def exit_code(error: BaseException) -> int:
    """128 + the signal that interrupted, as shells expect: 130 for Ctrl-C.

    >>> exit_code(KeyboardInterrupt()), exit_code(Stopped(signal.SIGTERM))
    (130, 143)
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, Stopped):
            return 128 + seen.number
        seen = seen.__cause__ or seen.__context__
    return 128 + signal.SIGINT


@contextmanager
def stopping_in_order() -> Iterator[None]:
    """Within the block, raise :class:`Stopped` in the main thread on SIGTERM or SIGHUP.

    A signal that is ignored stays ignored, as ``nohup`` wants.  Outside the main thread nothing is
    changed, for Python handles signals there alone.
    """
    before = {}
    in_main = threading.current_thread() is threading.main_thread()
    for name in _REQUESTS if in_main else ():
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            before[number] = signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def make_reads_interruptible() -> None:
    """Let Ctrl-C interrupt a read that waits for more text, above all from standard input.

    Polars, when it is imported, puts its own handler before Python's, and with it (SA_RESTART) the
    system goes on with an interrupted read as if nothing had happened.
    """
    if hasattr(signal, "siginterrupt"):  # not on Windows
        import polars  # noqa: F401  # now, so that its handler is there to be changed

        signal.siginterrupt(signal.SIGINT, True)


def _stop(number: int, frame: FrameType | None) -> None:
    # Once is enough: a second signal must not cut the cleaning up short.
    for name in _REQUESTS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    raise Stopped(number)


P = ParamSpec("P")

debugging: ContextVar[bool] = ContextVar("debugging", default=False)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a sentence that says what was saved."""


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Wrap a command so that every end of it is a code and at most one sentence."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with _format_warnings_said():
                command(*args, **kwargs)
            sys.stdout.flush()
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except BrokenPipeError:
            _forget_stdout()
        except (Exception, KeyboardInterrupt) as error:
            if debugging.get() and not isinstance(error, KeyboardInterrupt):
                raise
            end(error)

    return run


@contextmanager
def _format_warnings_said() -> Iterator[None]:
    """Say what was odd in a file of vectors as a sentence, without a place in the code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", FormatWarning)
        show = warnings.showwarning

        def tell(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, FormatWarning):
                say(str(message), style="yellow")
            else:
                show(message, category, *where)

        warnings.showwarning = tell  # type: ignore[assignment]  # as documented for callers
        yield


def end(error: BaseException) -> NoReturn:
    """Say what went wrong on standard error, and exit with the code for it."""
    if isinstance(error, Interrupted):
        message, code = str(error), exit_code(error)
    elif isinstance(error, KeyboardInterrupt):
        # Whatever was being written is not there; something written before it may be.
        message, code = "Interrupted; no file was left half written.", exit_code(error)
    elif isinstance(error, ParameterError):
        message, code = f"Error: {error}", WRONG_USAGE
    elif isinstance(error, WordgradError):
        message, code = f"Error: {error}", FAILED
    elif isinstance(error, MemoryError):
        message, code = (
            "Error: there is not enough memory; use a smaller vector size, or keep fewer words "
            "with a larger minimum count or a maximum vocabulary.",
            FAILED,
        )
    elif isinstance(error, OSError):
        message, code = f"Error: the operating system refused: {error}.", FAILED
    else:
        kind = type(error).__name__
        said = " ".join(str(error).split())[:200] or "no message"
        message, code = (
            f"Error: an unexpected {kind} ({said}); this is a defect of wordgrad: "
            "please run it again with 'wordgrad --debug' and report what it prints.",
            FAILED,
        )
    say(message, style="yellow" if isinstance(error, KeyboardInterrupt) else "red")
    raise typer.Exit(code) from error


def start_debugging(wanted: bool) -> None:
    """Show tracebacks from here on if ``wanted``, or if WORDGRAD_DEBUG is 1."""
    debugging.set(wanted or os.environ.get("WORDGRAD_DEBUG", "0") not in ("", "0"))


def _forget_stdout() -> None:
    """Let nothing more be written: the interpreter would complain when it flushes at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # replaced by an object without a descriptor
        sys.stdout = None
