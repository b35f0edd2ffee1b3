from __future__ import annotations

import numpy as np
import pytest

from wordgrad.word_vectors import WordVectors

ODD = [
    "</script><script>alert(1)</script>",
    "$\\frac$",
    "$$x^2$$",
    "new\u00a0york",
    "tab\there",
    "",
]


@pytest.fixture(scope="session")
def crowd():
    """Vectors in four directions with noise: 80 words, among them odd ones."""
    draw = np.random.default_rng(5)
    directions = np.eye(4, 12)[np.arange(80) % 4]
    matrix = directions + 0.25 * draw.standard_normal((80, 12))
    words = [*ODD, *(f"word{number}" for number in range(len(ODD), 80))]
    return WordVectors(words, matrix, counts=np.arange(800, 0, -10))
