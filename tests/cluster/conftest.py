"""A text that several nodes read."""

from __future__ import annotations

import signal

import numpy as np
import pytest

MOST_SECONDS = 300
"""Of a test, on a slow machine: what waits for ever must fail, and not keep others waiting."""


@pytest.fixture(autouse=True)
def _ends():
    def late(number, frame):
        raise TimeoutError(f"a test of clusters took more than {MOST_SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(MOST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    rng = np.random.default_rng(2)
    lines = [" ".join(map(str, rng.zipf(1.3, rng.integers(0, 40)) % 70)) for _ in range(400)]
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(lines))
    return path
