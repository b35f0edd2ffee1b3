"""Vectors that were learned elsewhere as a start."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wordgrad.classification.text_network import START, TextNetwork
from wordgrad.errors import InputError
from wordgrad.vectors.word_vectors import WordVectors


def start_from(network: TextNetwork, words: Sequence[str], vectors: WordVectors) -> int:
    """Give words the vectors they have elsewhere; return how many have one.

    They are scaled, all by the same number, to the size that random vectors start with: what was
    learned elsewhere is how vectors lie to each other, and the learning rate is meant for this
    size.

    Raises
    ------
    InputError
        If no word has one.
    """
    rows = [row for row, word in enumerate(words) if word in vectors]
    if not rows:
        raise InputError(
            "The vectors hold none of the words of the texts; check that lowercase and pattern are "
            "those that the vectors were trained with."
        )
    given = np.stack([vectors[words[row]] for row in rows])
    size = float(np.sqrt((given.astype(np.float64) ** 2).mean()))
    if size > 0:
        given = given * np.float32(START / np.sqrt(3) / size)  # uniform on +-s: rms s / sqrt(3)
    network.vectors[rows] = given
    return len(rows)
