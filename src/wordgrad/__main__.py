"""``python -m wordgrad`` is the command ``wordgrad``."""

from wordgrad.cli import run

if __name__ == "__main__":
    run()
