"""A cluster that loses nodes, at any moment, learns the same bytes."""

from __future__ import annotations

import pytest
from thread_machines import Threads, local, spread

from wordgrad.cluster import engine
from wordgrad.errors import ClusterError


class Killer:
    """Loses a node when it is asked for something the n-th time."""

    def __init__(self, machines, node, method, times):
        self._machines, self._node, self._method, self._left = machines, node, method, times

    def __call__(self, node, method, args):
        if (node, method) == (self._node, self._method):
            self._left -= 1
            if self._left == 0:
                self._machines.kill(node)


@pytest.mark.parametrize("spares", [0, 1])
@pytest.mark.parametrize(
    ("node", "method"),
    [(0, "find"), (1, "count"), (1, "merge"), (2, "encode"), (0, "place")],
)
def test_a_node_that_is_lost_while_it_reads_is_replaced(path, node, method, spares):
    wanted, steps = local(path, 8)
    machines = Threads(3, spares=spares)
    machines.before = Killer(machines, node, method, 1)
    found, again = spread(machines, path, 8)
    assert again == steps
    assert (found.W_in_rows == wanted.W_in_rows).all()
    assert len(machines) == 2 + spares


def test_nodes_that_are_lost_again_and_again_end_the_reading(path):
    machines = Threads(3, spares=9)
    machines.before = lambda node, method, args: method == "merge" and machines.kill(node)
    with pytest.raises(ClusterError, match="lost 4 times while the text was read"):
        spread(machines, path, 8)


@pytest.mark.parametrize(("spares", "seconds"), [(0, 0.0), (1, 0.0), (1, 1e9)])
@pytest.mark.parametrize(
    ("node", "method", "times"),
    [(0, "begin", 1), (1, "load", 1), (2, "episode", 1), (0, "episode", 4), (1, "keep", 3),
     (2, "episode", 8), (1, "state", 6), (1, "are_finite", 1), (0, "state", 9)],
)  # fmt: skip
def test_a_lost_node_changes_no_byte(path, node, method, times, spares, seconds, monkeypatch):
    """Whether states are copied after every episode, or never."""
    monkeypatch.setattr(engine, "SECONDS_BETWEEN_STATES", seconds)
    wanted, steps = local(path, 8)
    machines = Threads(3, spares=spares)
    machines.before = Killer(machines, node, method, times)
    found, again = spread(machines, path, 8)
    assert again == steps
    assert (found.W_in_rows == wanted.W_in_rows).all()
    assert (found.W_out_rows == wanted.W_out_rows).all()
    assert len(machines) == 2 + spares


def test_a_letter_that_comes_twice_changes_no_byte(path):
    """As when a network fails for a while, and it is not known whether one has arrived."""
    machines = Threads(3)
    post = machines._post

    def twice(*letter):
        post(*letter)
        post(*letter)

    machines._post = twice
    wanted, steps = local(path, 8)
    found, again = spread(machines, path, 8)
    assert again == steps
    assert (found.W_in_rows == wanted.W_in_rows).all()
    assert (found.W_out_rows == wanted.W_out_rows).all()
