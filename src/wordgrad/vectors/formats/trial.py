"""Reading a file in a process of its own first, where a damaged one could end the process."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from wordgrad.errors import FormatError
from wordgrad.vectors.formats.reading import REMEDY

REFUSED = 3  # exit status: the file is at fault, and why is on standard output


def try_alone(path: Path, module: str) -> None:
    """Let another process call ``parts(path)`` of ``module``, and throw away what it reads.

    Raises
    ------
    FormatError
        If ``parts`` raises one there, or the process ends in any other way than by returning.
    """
    code = f"from {__name__} import _child; _child({module!r}, {os.fspath(path)!r})"
    # The child finds what this process finds, however that came to be on its path.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603
    if done.returncode == REFUSED:
        raise FormatError(done.stdout.decode())
    if done.returncode:
        raise FormatError(
            f"{path} is damaged so that the process that tried to read it ended (exit status "
            f"{done.returncode}); {REMEDY}"
        )


def _child(module: str, path: str) -> None:
    try:
        import_module(module).parts(Path(path))
    except FormatError as error:
        sys.stdout.buffer.write(str(error).encode())
        sys.exit(REFUSED)
