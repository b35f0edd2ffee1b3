"""A request to end (SIGTERM, a closed terminal) stops the program as Ctrl-C does: in order.

From what happened to an exit code and one sentence.

===== ======================================================================================
code  meaning
===== ======================================================================================
0     done (also if the reader of the output went away, as ``head`` does)
1     the work failed: a file is missing, damaged, in the way; a word is unknown; a defect
2     the command was wrong: an unknown option, a value out of its range
130   interrupted by Ctrl-C (128 + SIGINT, as shells expect)
143   asked to end by SIGTERM (128 + SIGTERM); 129 by SIGHUP, when the terminal was closed
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

_REQUESTS = ("SIGTERM", "SIGHUP")  # the second is not on Windows


class Stopped(KeyboardInterrupt):
    """The operating system asked the program to end.

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
    """Raise :class:`Stopped` in the main thread when asked to end, within the block.

    A signal that is ignored stays so: ``nohup`` asks for that.  In another thread than the main one
    nothing is changed, for Python handles signals there alone.
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


def _stop(number: int, frame: FrameType | None) -> None:
    # Once is enough: a second request must not cut the tidying short.
    for name in _REQUESTS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    raise Stopped(number)


FAILED, WRONG_USAGE = 1, 2

P = ParamSpec("P")

debugging: ContextVar[bool] = ContextVar("debugging", default=False)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a sentence that says what was kept."""


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
            "Error: the memory is not enough; use a smaller vector size, or keep fewer words with "
            "a larger minimum count or a maximum vocabulary.",
            FAILED,
        )
    elif isinstance(error, OSError):
        message, code = f"Error: the operating system refused: {error}.", FAILED
    else:
        kind = type(error).__name__
        message, code = (
            f"Error: an unexpected {kind} ({_one_line(error)}); this is a defect of wordgrad: "
            "please run it again with 'wordgrad --debug' and report what it prints.",
            FAILED,
        )
    say(message, style="yellow" if isinstance(error, KeyboardInterrupt) else "red")
    raise typer.Exit(code) from error


def start_debugging(wanted: bool) -> None:
    """Show tracebacks from here on if ``wanted``, or if WORDGRAD_DEBUG is 1."""
    debugging.set(wanted or os.environ.get("WORDGRAD_DEBUG", "0") not in ("", "0"))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or "no message"


def _forget_stdout() -> None:
    """Let nothing more be written: the interpreter would complain when it flushes at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # replaced by an object without a descriptor
        sys.stdout = None
