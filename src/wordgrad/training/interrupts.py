"""Pausing a training before a signal ends it."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C, what schedulers and ``kill`` send, and the end of the terminal."""

EXIT_CODE = 128  # plus the number of the signal, as shells expect


class Interrupts:
    """In a ``with`` block, the first signal requests a pause; a second one acts at once.

    Whoever trains looks at :attr:`received` when it has paused, saves, and calls
    :meth:`act`.  Signals are handled by the main thread alone, as Python allows: in any other,
    and where a signal is ignored, this does nothing.

    Parameters
    ----------
    pause : threading.Event
        Set when a signal comes.

    Attributes
    ----------
    received : int or None
        Number of the first signal that came.
    """

    def __init__(self, pause: threading.Event) -> None:
        self.received: int | None = None
        self._pause = pause
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                previous = signal.getsignal(number)
                if previous is signal.SIG_IGN or previous is None:
                    continue
                self._previous[number] = previous
                signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def act(self) -> None:
        """Do now what the signal would have done when it came; nothing if none did."""
        if self.received is not None:
            self._restore()
            self._end(self.received, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received = number
            self._pause.set()
        else:
            self._end(number, frame)

    def _end(self, number: int, frame: FrameType | None) -> None:
        previous = self._previous.get(number)
        if callable(previous):
            previous(number, frame)
        else:  # the system's default, which would leave temporary files behind
            raise SystemExit(EXIT_CODE + number)

    def _restore(self) -> None:
        for number, previous in self._previous.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, previous)
