"""A cluster learns to the byte what one machine does, wherever its buckets are."""

from __future__ import annotations

import pytest
from thread_machines import Threads, local, spread


@pytest.mark.parametrize(("nodes", "threads", "blocks"), [(1, 1, 3), (2, 1, 2), (3, 2, 8)])
def test_the_bytes_are_those_of_one_machine(path, nodes, threads, blocks):
    wanted, steps = local(path, blocks)
    found, again = spread(Threads(nodes, threads), path, blocks)
    assert again == steps
    assert (found.W_in_rows == wanted.W_in_rows).all()
    assert (found.W_out_rows == wanted.W_out_rows).all()
