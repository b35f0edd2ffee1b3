"""Two nodes of Ray in network namespaces: a cable that is cut, a path that one does not see, ray://.

::

    sudo python benchmarks/cluster_link.py text.txt

Each node is started by ``ray start`` in a network namespace of its own, with a cable (a veth pair)
between them.  *Cut*: the program that asks runs beside the first node, and in the middle of the
training the cable is taken away, for good or for some seconds.  What is told: when the next episode
was done, on how many nodes, and whether the vectors have the bytes of the block engine on one
machine.  *Outside*: the same without a cut, and the program asks through ``ray://``.  *Unseen*: the
second node has another file system where the text lies.  It needs Linux, ``ip`` and the rights of
root; nothing of it stays.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from time import monotonic
from typing import Any

import numpy as np
from cluster import in_lines
from machine import Cells, describe_text

from wordgrad import Word2Vec

SETTINGS: dict[str, Any] = {"epochs": 6, "blocks": 8, "vector_size": 50}
RUNS: dict[str, dict[str, Any]] = {
    "cut for good": {"after": None},
    "cut for 20 seconds": {"after": 20.0},
    "from outside": {"address": "ray://{}:10001"},
    "unseen": {"hidden": True},
}
PORT, STORE = 6379, 300 << 20
NAMES = [f"wordgrad-{os.getpid()}-{k}" for k in (1, 2)]
ADDRESSES = "10.77.0.1", "10.77.0.2"

DRIVER = """
import json, sys
import numpy as np
from wordgrad import Word2Vec
from wordgrad.cluster import RayMachines

replace = RayMachines.replace

def lost(self, node):
    print("lost", flush=True)
    return replace(self, node)

def progress(record):
    if hasattr(record, "nodes"):
        print("step", record.nodes, record.epoch, flush=True)

RayMachines.replace = lost
text, folder, address, given = *sys.argv[1:4], json.loads(sys.argv[4])
model = Word2Vec(cluster=address, nodes=2, threads_per_node=1, progress=progress, **given)
np.save(folder + "/found.npy", model.fit(text).vectors_.matrix)
"""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def inside(k: int, *command: str) -> list[str]:
    """A command in the namespace of a node."""
    return ["ip", "netns", "exec", NAMES[k], *command]


def set_link(state: str) -> None:
    """Plug the cable in, or take it away."""
    ip("-n", NAMES[1], "link", "set", "cable", state)


@contextmanager
def two_nodes(folder: str, hidden: str | None) -> Iterator[None]:
    """Two nodes of Ray with a processor each, in namespaces of their own.

    The second one sees nothing in the folder ``hidden``.
    """
    ray = [str(Path(sys.executable).with_name("ray")), "start", "--num-cpus=1"]
    ray += [f"--object-store-memory={STORE}", "--disable-usage-stats"]
    head = ["--head", f"--port={PORT}", "--include-dashboard=false", f"--temp-dir={folder}"]
    try:
        for name in NAMES:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        peer = ["type", "veth", "peer", "name", "cable", "netns", NAMES[1]]
        ip("link", "add", "cable", "netns", NAMES[0], *peer)
        for name, address in zip(NAMES, ADDRESSES, strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
        for k, options in enumerate((head, [f"--address={ADDRESSES[0]}:{PORT}"])):
            command = [*ray, f"--node-ip-address={ADDRESSES[k]}", *options]
            if hidden and k:
                mounted = f'mount -t tmpfs none "{hidden}" && exec "$@"'
                command = ["sh", "-c", mounted, "sh", *command]
            command = inside(k, *command)
            subprocess.run(command, check=True, capture_output=True)
        yield
    finally:
        for name in NAMES:
            listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
            for pid in listed.stdout.split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            subprocess.run(["ip", "netns", "delete", name], check=False)


def train(
    text: str,
    wanted: np.ndarray[Any, Any],
    address: str | None = None,
    hidden: bool = False,
    **cut: float | None,
) -> dict[str, Any]:
    """Train; cut the cable in the second epoch, and plug it in again ``after`` so many seconds."""
    # The names of Ray's sockets must be short.
    with (
        TemporaryDirectory(prefix="wg", dir="/tmp") as folder,
        two_nodes(folder, str(Path(text).parent) if hidden else None),
    ):
        where = f"{ADDRESSES[0]}:{PORT}" if address is None else address.format(ADDRESSES[0])
        arguments = [text, folder, where, json.dumps(SETTINGS)]
        began = monotonic()
        driver = subprocess.Popen(
            inside(int(address is not None), sys.executable, "-c", DRIVER, *arguments),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert driver.stdout is not None
        cut_at, lost_at, came = 0.0, 0.0, []
        for line in driver.stdout:
            name, *numbers = line.split() or [""]
            if name == "lost":
                lost_at = monotonic()
            if name != "step":  # what Ray says
                continue
            n, epoch = map(int, numbers)
            came.append((monotonic(), n))
            if cut and not cut_at and epoch == 1:
                cut_at = monotonic()
                set_link("down")
                if cut["after"] is not None:
                    Timer(cut["after"], set_link, ["up"]).start()
        _, said = driver.communicate()
        found = Path(folder, "found.npy")
        told: dict[str, Any] = {
            "seconds": monotonic() - began,
            "nodes": [came[0][1], came[-1][1]] if came else [],
            "same_bytes": found.exists() and bool((np.load(found) == wanted).all()),
            "said": said.strip().splitlines()[-1] if driver.returncode else "",
        }
        if cut:
            told["lost_seconds_after"] = lost_at - cut_at if lost_at else None
            told["longest_pause"] = max(
                now - before for (before, _), (now, _) in pairwise(came) if now > cut_at
            )
        return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("text", type=Path)
    given = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("Network namespaces need the rights of root; run this with sudo.")
    text = describe_text(given.text)
    cells = Cells(
        "cluster-link.json", {"question": "What if a node is cut off?", "text": text}, fresh=False
    )
    with in_lines(given.text) as lines:
        wanted = Word2Vec(workers=1, **SETTINGS).fit(lines).vectors_.matrix
        for name, options in RUNS.items():
            size = {"text": text["sha256"], **options, **SETTINGS}
            cells.measure(name, size, partial(train, lines, wanted, **options))


if __name__ == "__main__":
    main()
