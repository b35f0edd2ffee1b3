"""A text that several nodes read."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    rng = np.random.default_rng(2)
    lines = [" ".join(map(str, rng.zipf(1.3, rng.integers(0, 40)) % 70)) for _ in range(400)]
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(lines))
    return path
