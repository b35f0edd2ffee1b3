"""A request to end (SIGTERM, a closed terminal) stops the program as Ctrl-C does: in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

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
