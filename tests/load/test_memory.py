"""Memory stays flat while training goes on; ``tests/fuzz/soak.py`` watches for minutes."""

from __future__ import annotations

import sys

import pytest
from load_runs import TRAIN, child, write_zipf


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_memory_is_flat_over_some_seconds(tmp_path):
    text = tmp_path / "text.txt"
    write_zipf(text, tokens=100_000, seed=1)
    found = child(TRAIN, text, 6.0)
    sizes = [size for _, size, _ in found["samples"]]
    assert len(sizes) >= 4
    assert found["epochs"] >= 3
    later = sizes[len(sizes) // 2 :]  # what comes with the first epochs is there by then
    assert max(later) - later[0] < 2_000_000, sizes
