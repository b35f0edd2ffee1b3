"""A text that several nodes read."""

from __future__ import annotations

import signal
from contextlib import suppress

import numpy as np
import pytest

from wordgrad.cluster import nodes_on_this_machine

MOST_SECONDS = 300
"""Of a test, on a slow machine: what waits for ever must fail, and not keep others waiting."""


STORE = 80 << 20
"""Bytes of a node's object store: the least that Ray takes."""


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


@pytest.fixture(scope="session")
def cluster(request):
    """Two nodes of Ray of one processor each, with small stores.

    If there is an object store, their processes find it by their environment.
    """
    pytest.importorskip("ray")
    with suppress(pytest.skip.Exception):
        request.getfixturevalue("s3_server")
    before = signal.getsignal(signal.SIGTERM)
    with nodes_on_this_machine(2, threads=1, store=STORE):
        yield
    # A handler of Ray's that stayed would end this process in a test of another file.
    assert signal.getsignal(signal.SIGTERM) is before
