"""Lines that are too long to be matched whole, and whether it matters where they are cut."""

from __future__ import annotations

from wordgrad.errors import InputError
from wordgrad.text.blocks import LONGEST_WHOLE_LINE
from wordgrad.text.reading import Piece
from wordgrad.text.tokens import TextBlock, Tokenizer

WINDOW = 64 << 10
"""Bytes on each side of a cut that are looked at."""


class Seams:
    """Watches pieces go by, and refuses a line whose matches depend on where it was cut.

    A line is cut after white space.  A match that holds none lies on one side, so the cut can only
    matter to a match that holds white space, and to ``^``, ``$`` and their like, which look at
    their neighbours alone.  So the text on both sides of each cut is matched once as it is and once
    as it was.  What could escape is a match longer than :data:`WINDOW` bytes where no other match
    near any cut holds white space.

    Parameters
    ----------
    tokenizer : Tokenizer
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._left = b""  # end of a line that goes on
        self._name = "The text"

    def check(self, piece: Piece) -> None:
        """Compare the beginning of ``piece`` with the end of the one before.

        Raises
        ------
        InputError
            If the line should not have been cut between them.
        """
        if not isinstance(piece.block, TextBlock):
            return
        data = piece.block.data
        if self._left and self._tokenizer.depends_on_cut(
            self._left, data[:WINDOW].partition(b"\n")[0]
        ):
            raise InputError(
                f"{self._name} holds a line of more than {LONGEST_WHOLE_LINE >> 20} MiB, which is "
                "matched in parts, and the matches of pattern depend on where it is cut; break "
                "such lines, or use a pattern without ^ and $ whose matches hold no white space."
            )
        if piece.starts:
            self._name = piece.starts[-1].name
        self._left = b"" if data.endswith(b"\n") else data[-WINDOW:].rpartition(b"\n")[2]
