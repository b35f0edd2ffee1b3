"""``python -m wordgrad`` is the command ``wordgrad``."""

from wordgrad.cli import main

if __name__ == "__main__":
    main()
