"""``python -m wordgrad`` is the command ``wordgrad``."""

from __future__ import annotations

from wordgrad.cli import run

if __name__ == "__main__":
    run()
