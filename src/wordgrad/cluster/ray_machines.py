"""Nodes as actors of Ray, which starts, places and watches them, and carries what they send.

The only home of Ray: nothing else knows what carries a call from the coordinator to a node.
"""

from __future__ import annotations

import os
import platform
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from wordgrad.cluster.machines import LostError
from wordgrad.cluster.node import POSTING, AbandonedError, Node, Rows
from wordgrad.errors import (
    ClusterError,
    WordgradError,
)
from wordgrad.processes import usable_cores

AT_ONCE = 4
"""Threads of an actor for what must not wait."""

SECONDS_TO_CONNECT = 10.0
SECONDS_TO_START = 120.0
SECONDS_TO_REPLACE = 60.0
SECONDS_TO_CLOSE = 20.0
SECONDS_TO_ANSWER = 60.0
"""What is asked at any time, of a node that lives."""


def _actor_class() -> Any:
    """The class of actors, which must be marked by Ray: what is asked ``now`` does not wait.

    It is made when it is needed, and so sent and not imported: its marks come to the server, too,
    through which a program outside the cluster (``ray://``) starts actors, and which knows no other
    way to say so.
    """
    now = _ray().method(concurrency_group="now")

    class Actor:
        """A node in a process of its own."""

        def __init__(self, threads: int) -> None:
            self._node = Node(threads)
            self._others: list[Any] = []

        @now
        def about(self) -> tuple[str, str, str]:
            """Versions there, and the name of the machine."""
            return *_versions(), socket.gethostname()

        def meet(self, others: list[Any]) -> None:
            """Get to know all actors, by their numbers."""
            self._others = others

        def do(self, name: str, *args: Any) -> Any:
            """Call a method of the node."""
            if name in POSTING:
                args = (*args, self._post)
            elif name == "count":
                args = ([_with_items(piece) for piece in args[0]], *args[1:])
            return getattr(self._node, name)(*args)

        @now
        def do_now(self, name: str, *args: Any) -> Any:
            """Call a method of the node that waits for no other."""
            return getattr(self._node, name)(*args)

        def _post(self, node: int, run: str, key: tuple[Any, ...], letter: Any) -> None:
            # Again and again while the network does not carry it: a letter may come twice.
            deliver = self._others[node].do_now.options(num_returns=0, max_task_retries=-1)
            deliver.remote("deliver", run, key, letter)

    return _ray().remote(concurrency_groups={"now": AT_ONCE})(Actor)


def _versions() -> tuple[str, str]:
    """Of Python and of wordgrad."""
    return platform.python_version(), version("wordgrad")


def _with_items(piece: Any) -> Any:
    """A piece of rows that lie somewhere in the cluster, with its rows."""
    ray = _ray()
    if isinstance(piece, Rows) and isinstance(piece.items, ray.ObjectRef):
        return replace(piece, items=ray.get(piece.items))
    return piece


class RayMachines:
    """The nodes of a training, each an actor on another machine of the cluster.

    Parameters
    ----------
    address : str
        "auto", or where the cluster is: ``ray://host:port``.
    nodes : int, optional
        By default all that the cluster has.
    threads : int, optional
        Of each node; by default as many as the smallest of them has cores.

    Attributes
    ----------
    threads : int
    store : int
        Bytes of the smallest object store.

    Raises
    ------
    ClusterError
        If the cluster is not there, has fewer nodes or cores, or other versions.
    """

    def __init__(self, address: str, nodes: int | None, threads: int | None) -> None:
        self._ray = ray = _ray()
        self._ours = not ray.is_initialized()
        if self._ours:
            _connect(address)
        self._group: Any = None
        self._actors: list[Any] = []
        self._met: list[bool] = []
        try:
            self._start(nodes, threads)
        except BaseException:
            self.close()
            raise

    def _start(self, nodes: int | None, threads: int | None) -> None:
        ray = self._ray
        from ray.util.placement_group import placement_group

        alive = [one for one in ray.nodes() if one["Alive"] and one["Resources"].get("CPU", 0) >= 1]
        cores = sorted((int(one["Resources"]["CPU"]) for one in alive), reverse=True)
        n = len(alive) if nodes is None else nodes
        if n > len(alive) or not n:
            raise ClusterError(
                f"The cluster has {len(alive)} nodes with a free core, and nodes={n}; add machines "
                "with 'ray start --address=HOST:PORT', or lower nodes."
            )
        self.threads = cores[n - 1] if threads is None else threads
        if self.threads > cores[n - 1]:
            fit = sum(one >= self.threads for one in cores)
            raise ClusterError(
                f"Only {fit} of the cluster's nodes have {self.threads} cores, and nodes={n}; "
                f"lower threads_per_node to {cores[n - 1]}, or nodes."
            )
        self.store: int | None = min(
            int(one["Resources"].get("object_store_memory", 0))
            for one in alive
            if one["Resources"]["CPU"] >= self.threads
        )
        self._group = placement_group([{"CPU": self.threads}] * n, strategy="STRICT_SPREAD")
        if not self._group.wait(SECONDS_TO_START):
            raise ClusterError(
                f"The cluster did not give {n} nodes {self.threads} free cores each within "
                f"{SECONDS_TO_START:.0f} seconds; wait for what runs there, or lower nodes or "
                "threads_per_node."
            )
        self._kind = _actor_class()
        self._bundles = list(range(n))
        self._actors = [self._actor(k) for k in self._bundles]
        self._met = [False] * n
        try:
            abouts = ray.get([one.about.remote() for one in self._actors], timeout=SECONDS_TO_START)
        except ray.exceptions.RayError as error:
            raise ClusterError(
                f"The nodes of the cluster could not start wordgrad ({_said(error)}); install the "
                "same version of it on all of them."
            ) from error
        ours = _versions()
        for python, wordgrad, host in abouts:
            if (python, wordgrad) != ours:
                raise ClusterError(
                    f"Node {host} has Python {python} with wordgrad {wordgrad}, and this machine "
                    f"Python {ours[0]} with wordgrad {ours[1]}; install the same versions on all."
                )

    def _actor(self, bundle: int) -> Any:
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        where = PlacementGroupSchedulingStrategy(self._group, bundle)
        options = {"num_cpus": self.threads, "max_restarts": 0, "scheduling_strategy": where}
        return self._kind.options(**options).remote(self.threads)

    def __len__(self) -> int:
        return len(self._actors)

    def ask(self, node: int, method: str, *args: Any, answers: int = 1, now: bool = False) -> Any:
        """Call a method; see :class:`Machines`."""
        if method == "load":
            self._actors[node].meet.remote(self._actors)
        actor = self._actors[node]
        call = actor.do_now if now else actor.do
        return call.options(num_returns=answers).remote(method, *args)

    def answers(
        self, references: Sequence[Any], wait: Callable[[], object] | None = None
    ) -> list[Any]:
        """Wait for all, or until the first fails, or a node does not answer any more."""
        ray, asked_at = self._ray, time.monotonic()
        RayError, RayTaskError = ray.exceptions.RayError, ray.exceptions.RayTaskError
        found: dict[Any, Any] = {}
        pending = list(references)
        while pending:
            # A limit of time, so that signals are seen.
            ready, pending = ray.wait(pending, timeout=0.2 if wait else 1.0)
            for one in ready:
                try:
                    found[one] = ray.get(one)
                except RayTaskError as error:
                    cause = error.cause
                    if isinstance(cause, AbandonedError | LostError | RayError):
                        raise _lost(cause) from error
                    if isinstance(cause, WordgradError | OSError | MemoryError):
                        raise cause from None
                    raise
                except RayError as error:
                    raise _lost(error) from error
            if wait is not None:
                wait()
            if not ready and time.monotonic() - asked_at > SECONDS_TO_ANSWER:
                if numbers := self.lost():
                    raise LostError(
                        f"Node {numbers[0] + 1} of the cluster has not answered for "
                        f"{SECONDS_TO_ANSWER:.0f} seconds; see Ray's logs of it, and try again."
                    )
                asked_at = time.monotonic()
        return [found[one] for one in references]

    def put(self, value: Any) -> Any:
        """A reference to a value."""
        return self._ray.put(value)

    def lost(self) -> list[int]:
        """Numbers of the nodes that do not answer."""
        ray = self._ray
        asked = [one.about.remote() for one in self._actors]
        ray.wait(asked, num_returns=len(asked), timeout=SECONDS_TO_ANSWER, fetch_local=False)
        return [k for k, one in enumerate(asked) if not self._is_there(one, 0.0)]

    def replace(self, node: int) -> bool:
        """Start another actor, where the lost one was or where Ray finds room."""
        ray = self._ray
        with suppress(ray.exceptions.RayError):
            ray.kill(self._actors[node])
        new = self._actor(self._bundles[node])
        if not self._is_there(new.about.remote(), SECONDS_TO_REPLACE):
            ray.kill(new)
            return False
        self._actors[node] = new
        return True

    def remove(self, node: int) -> None:
        """Forget a node."""
        del self._actors[node], self._bundles[node]

    def close(self) -> None:
        """End all actors, and what they left on their disks."""
        ray = self._ray
        from ray.util.placement_group import remove_placement_group

        with suppress(ray.exceptions.RayError):
            ended = [one.do_now.remote("close") for one in self._actors]
            if ended:
                ray.wait(ended, num_returns=len(ended), timeout=SECONDS_TO_CLOSE)
            for one in self._actors:
                ray.kill(one)
            if self._group is not None:
                remove_placement_group(self._group)
        self._actors = []
        if self._ours:
            ray.shutdown()

    def _is_there(self, reference: Any, seconds: float) -> bool:
        try:
            self._ray.get(reference, timeout=seconds)
        except self._ray.exceptions.RayError:
            return False
        return True


_LEAST_STORE, _STORE = 80 << 20, 512 << 20
"""Bytes of an object store: the least that Ray takes, and one for a demonstration."""


@contextmanager
def nodes_on_this_machine(n: int, threads: int | None = None, store: int = _STORE) -> Iterator[int]:
    """Start a cluster of ``n`` nodes here, connect to it, and end it; yield the threads of each.

    Each node has ``threads`` cores, by default its share of those of this machine, and ``store``
    bytes of an object store.

    Raises
    ------
    ClusterError
        If there is no Ray, or it does not start.
    """
    ray = _ray()
    from ray.cluster_utils import Cluster

    threads = threads or max(1, usable_cores() // n)
    head = {"num_cpus": 0, "object_store_memory": _LEAST_STORE, "include_dashboard": False}
    cluster = Cluster()
    try:
        try:
            with _sigterm_as_it_was():
                cluster.add_node(**head)
                for _ in range(n):
                    cluster.add_node(num_cpus=threads, object_store_memory=store)
            join(cluster.address)
        except (RuntimeError, OSError) as error:
            raise ClusterError(
                f"Ray does not start on this machine ({_said(error)}); see its logs, which are in "
                "ray/session_latest among temporary files, and try again."
            ) from error
        yield threads
    finally:
        ray.shutdown()
        cluster.shutdown()


def _ray() -> Any:
    """Import Ray."""
    os.environ.setdefault(
        "RAY_USAGE_STATS_ENABLED", "0"
    )  # nothing of a training leaves the cluster
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ClusterError(
            "A cluster needs Ray, which is not installed here; install it with "
            "pip install 'wordgrad[ray]', or leave cluster out."
        ) from error
    return ray


def join(address: str) -> None:
    """Connect this process to a cluster, and leave what it does on SIGTERM as it is."""
    with _sigterm_as_it_was():
        _ray().init(address, log_to_driver=False, logging_level="error")


@contextmanager
def _sigterm_as_it_was() -> Iterator[None]:
    """Take away the handlers that Ray puts there when it connects and when it starts a node.

    They would stay when Ray has shut down, and end the process instead of what it is in.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is not before:
            signal.signal(signal.SIGTERM, before)


def _connect(address: str) -> None:
    """Connect to a cluster."""
    named = os.environ.get("RAY_ADDRESS", "auto") if address == "auto" else address
    url = urlsplit(named if "//" in named else f"//{named}")
    try:
        if named not in ("auto", "local"):
            _check_listener(url.hostname or "", url.port or 10001)
        join(address)
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        where = "on this machine or at RAY_ADDRESS" if address == "auto" else f"at {address}"
        raise ClusterError(
            f"There is no Ray cluster {where} ({_said(error)}); start one with 'ray start --head', "
            "or name another with cluster."
        ) from error


def _check_listener(host: str, port: int) -> None:
    """Raise :class:`OSError` unless something there speaks what Ray speaks, which waits minutes."""
    with socket.create_connection((host, port), SECONDS_TO_CONNECT):
        pass
    try:
        import grpc
    except ModuleNotFoundError:  # of Ray's without its client
        return
    with grpc.insecure_channel(f"{host}:{port}") as channel:
        try:
            grpc.channel_ready_future(channel).result(SECONDS_TO_CONNECT)
        except grpc.FutureTimeoutError as error:
            raise TimeoutError(f"nothing of Ray answers at port {port}") from error


def _lost(error: BaseException) -> LostError:
    return LostError(
        f"A node of the cluster is lost ({_said(error)}); see Ray's logs of it, and try again."
    )


def _said(error: BaseException) -> str:
    """What an error says, on one line and not too long."""
    text = " ".join(str(error).split()).rstrip(".")
    return text if len(text) <= 200 else text[:200] + " ..."
