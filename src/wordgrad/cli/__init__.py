"""The command line: what runs before and after a command.  The commands are in ``app.py``."""

from __future__ import annotations

import sys


def run() -> None:
    """Run the command as the whole process, and let no signal disturb its end.

    After :func:`main` only the interpreter's own cleaning up remains.  The exit code is settled,
    and Ctrl-C would only turn what was done into a failure.
    """
    try:
        main()
    finally:
        import signal

        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)


def main() -> None:
    """Run the command that the arguments name, and exit with its code.

    0: done.  1: the work failed.  2: the command was wrong.  130: interrupted by Ctrl-C.
    143: terminated (SIGTERM).
    """
    for stream in (sys.stdout, sys.stderr):
        # A word that the terminal's encoding lacks is shown escaped, and ends nothing.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    from wordgrad.cli.exit import exit_code, stopping_in_order

    try:
        with stopping_in_order():
            from wordgrad.cli.app import app

            app(prog_name="wordgrad")
    except KeyboardInterrupt as error:  # before a command began, or after it ended
        sys.exit(exit_code(error))
