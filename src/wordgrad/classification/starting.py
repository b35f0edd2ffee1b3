"""Where training starts: random parameters, or vectors that were learned elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.text_network import START, TextNetwork
from wordgrad.classification.text_training import TextTraining
from wordgrad.errors import InputError
from wordgrad.vectors.word_vectors import WordVectors


def first_networks(
    settings: TextTraining, importance: NDArray[np.float32], n_classes: int, size: int
) -> list[TextNetwork]:
    """Members of the sizes that ``size`` and ``hidden_size`` come to when divided among them."""
    sizes, hidden = (
        [len(part) for part in np.array_split(np.arange(total), settings.members)]
        for total in (size, settings.hidden_size)
    )
    return [
        TextNetwork.initial(importance, D, H, n_classes, settings.seed + 1000 * number)
        for number, (D, H) in enumerate(zip(sizes, hidden, strict=True))
    ]


def start_from(
    networks: Sequence[TextNetwork], words: Sequence[str], vectors: WordVectors, *, learn: bool
) -> int:
    """Give words the vectors they have elsewhere; return how many have one.

    Members take consecutive parts of them.  They are scaled, all by the same number, to the size
    that random vectors start with: what was learned elsewhere is how vectors lie to each other, and
    the learning rate is meant for this size.  If vectors do not ``learn``, their size is 1, which
    the layers are meant for, and what has no vector elsewhere gets zeros.

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
        target = START / np.sqrt(3) if learn else 1.0  # uniform on +-s: rms s / sqrt(3)
        given = given * np.float32(target / size)
    cuts = np.cumsum([network.vectors.shape[1] for network in networks])[:-1]
    for network, part in zip(networks, np.split(given, cuts, axis=1), strict=True):
        if not learn:
            network.vectors[:] = 0
        network.vectors[rows] = part
    return len(rows)
