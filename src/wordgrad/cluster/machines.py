"""What is asked of the machines of a cluster, whatever carries a call to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from wordgrad.errors import ClusterError

MOST_LOSSES = 3
"""Of nodes, without an episode that was done in between."""


class LostError(ClusterError):
    """A node does not answer any more, or had to abandon what it did."""


class Machines(Protocol):
    """Nodes by number, and how to ask them; a reference stands for an answer to come.

    Attributes
    ----------
    threads : int
        Of each node.
    store : int or None
        Bytes that the smallest can hold for others, where there is a limit.
    """

    threads: int
    store: int | None

    def __len__(self) -> int:
        """How many nodes there are."""

    def ask(self, node: int, method: str, *args: Any, answers: int = 1, now: bool = False) -> Any:
        """Call a method of :class:`Node` after those before, or ``now``.

        References among the arguments are replaced by what they stand for.  With several
        ``answers`` a list of references is returned, one for each item.
        """

    def answers(self, references: Sequence[Any], wait: Callable[[], object] = ...) -> list[Any]:
        """Wait for all, or until the first fails; call ``wait`` now and then.

        Raises
        ------
        LostError
        """

    def put(self, value: Any) -> Any:
        """A reference to a value."""

    def lost(self) -> list[int]:
        """Numbers of the nodes that do not answer."""

    def replace(self, node: int) -> bool:
        """Put another in the place of a lost node, if there is one."""

    def remove(self, node: int) -> None:
        """Forget a node; those after it move up by one."""

    def close(self) -> None:
        """End all nodes."""


class Keeper(Protocol):
    """Who looks after the nodes while an engine trains on them."""

    machines: Machines

    def begin(self, nodes: Sequence[int]) -> None:
        """Let nodes get ready to train."""

    def abandon(self) -> None:
        """Let no node wait for another any more."""

    def recover(self) -> None:
        """Replace lost nodes, or share out what they had."""

    def progress(self, record: Any) -> None:
        """Tell whoever asked for the training."""
