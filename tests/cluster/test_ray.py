"""The same on a cluster of Ray, with two of its nodes on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest

from wordgrad import Word2Vec, load
from wordgrad.cluster import engine, ray_machines
from wordgrad.errors import ClusterError, InputError, ParameterError
from wordgrad.search import exact
from wordgrad.training import parameters

ray = pytest.importorskip("ray")

SETTINGS = {"vector_size": 8, "min_count": 2, "sample": 0.01, "epochs": 2, "blocks": 4}
ON_RAY = {"cluster": "auto", "nodes": 2, "threads_per_node": 1}

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def wanted(path):
    return Word2Vec(**SETTINGS, workers=1).fit(path)


def same(found, wanted):
    assert found.vectors_.words == wanted.vectors_.words
    assert (found.vectors_.counts == wanted.vectors_.counts).all()
    assert (found.vectors_.matrix == wanted.vectors_.matrix).all()
    assert (found.output_vectors_ == wanted.output_vectors_).all()
    losses = [[record["loss"] for record in one.history_] for one in (found, wanted)]
    assert losses[0] == losses[1]


def actors():
    """Processes of nodes that run, of the cluster that this process has started."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True)
    lines = [line.split(None, 2) for line in listed.stdout.splitlines()[1:]]
    parent_of = {int(pid): int(parent) for pid, parent, *_ in lines}
    found = []
    for pid, _, *command in lines:
        above = int(pid)
        while above in parent_of and above != os.getpid():
            above = parent_of[above]
        if above == os.getpid() and command and command[0].startswith("ray::Actor"):
            found.append(int(pid))
    return found


def assert_ended(others):
    """Within some seconds, for a process takes some time to die."""
    for _ in range(100):
        if set(actors()) <= others:
            return
        time.sleep(0.1)
    raise AssertionError("a node is left running")


def test_the_vectors_are_those_of_one_machine(cluster, path, wanted):
    records = []
    found = Word2Vec(**SETTINGS, **ON_RAY, progress=records.append).fit(path)
    same(found, wanted)
    assert (records[-1].nodes, records[-1].bytes_sent > 0) == (2, True)


def test_killed_nodes_are_replaced(cluster, path, wanted):
    """While the text is read, in the middle of the second episode, and between two epochs."""
    killed, others = [], set(actors())

    def kill(when):
        if when not in killed:
            killed.append(when)
            os.kill((set(actors()) - others).pop(), signal.SIGKILL)

    def progress(record):
        kill(type(record).__name__)  # of training, when the first step was taken

    found = Word2Vec(
        **SETTINGS, **ON_RAY, progress=progress, on_epoch=lambda live: live.epoch and kill("epoch")
    )
    same(found.fit(path), wanted)
    assert killed == ["ReadingProgress", "TrainingProgress", "epoch"]
    assert_ended(others)


def test_the_exact_softmax_is_that_of_one_machine_though_a_node_is_killed(cluster, path):
    """While the pairs are counted, and in the middle of a pass."""
    given = {"loss": "softmax", "vector_size": 8, "min_count": 2, "sample": 0.01, "epochs": 3}
    wanted = Word2Vec(**given, workers=1).fit(path)
    killed, others = [], set(actors())

    def progress(record):
        when = type(record).__name__
        if when not in ("ReadingProgress", *killed):
            killed.append(when)
            os.kill((set(actors()) - others).pop(), signal.SIGKILL)

    found = Word2Vec(**given, **ON_RAY, progress=progress).fit(path)
    assert killed == ["CountingProgress", "TrainingProgress"]
    assert found.vectors_.words == wanted.vectors_.words
    np.testing.assert_allclose(found.vectors_.matrix, wanted.vectors_.matrix, atol=2e-3)
    for one, other in zip(found.history_, wanted.history_, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
    assert_ended(others)


def environment():
    """Of a program that finds the cluster by ``cluster="auto"``."""
    return os.environ | {"RAY_ADDRESS": ray.get_runtime_context().gcs_address}


def test_a_killed_program_leaves_nothing_running_and_is_resumed(cluster, path, wanted, tmp_path):
    """By other nodes, and not by none."""
    others, folder = set(actors()), tmp_path / "folder"
    given = SETTINGS | ON_RAY | {"checkpoint": str(folder)}
    code = f"""
import os, signal
from wordgrad import Word2Vec
def kill(live):
    if live.epoch == 1:
        os.kill(os.getpid(), signal.SIGKILL)
Word2Vec(**{given!r}, checkpoint_every=1e-3, on_epoch=kill).fit({str(path)!r})
"""
    program = subprocess.run([sys.executable, "-c", code], env=environment(), timeout=100)
    assert program.returncode == -signal.SIGKILL
    assert_ended(others)
    assert list(folder.glob("checkpoint-*"))
    with pytest.raises(ParameterError, match="resume it with cluster"):
        Word2Vec.from_checkpoint(folder).resume()
    same(Word2Vec.from_checkpoint(folder, cluster="auto", nodes=1).resume(), wanted)


def test_ctrl_c_ends_every_actor_and_keeps_what_was_learned(cluster, path, wanted, tmp_path):
    others, output = set(actors()), tmp_path / "v.safetensors"
    given = {"--epochs": 10**6, "--vector-size": 8, "--min-count": 2, "--blocks": 4}
    given |= {"--cluster": "auto", "--nodes": 2, "--threads-per-node": 1}
    options = [str(part) for pair in given.items() for part in pair]
    program = subprocess.Popen(
        [sys.executable, "-m", "wordgrad", "train", path, "-o", output, *options],
        env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = ""
    while "Epoch 2 of" not in said:
        line = program.stderr.readline()
        assert line, said
        said += line
    program.send_signal(signal.SIGINT)
    _, rest = program.communicate(timeout=60)
    assert program.returncode == 128 + signal.SIGINT, rest
    assert_ended(others)
    assert load(tmp_path / "v.partial.safetensors").words == wanted.vectors_.words


def test_a_program_outside_the_cluster_trains_there(cluster, path, wanted, tmp_path):
    """Through the server of Ray's client, in a process of its own, as ``ray start`` starts it."""
    others = set(actors())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = ray.get_runtime_context().gcs_address
    module = [sys.executable, "-m", "ray.util.client.server", "--mode=proxy", "--host=127.0.0.1"]
    given = SETTINGS | ON_RAY | {"cluster": f"ray://127.0.0.1:{port}"}
    code = f"""
import numpy as np
from wordgrad import Word2Vec
model = Word2Vec(**{given!r}).fit({str(path)!r})
model.vectors_.save({str(tmp_path / "found.safetensors")!r})
"""
    server = subprocess.Popen([*module, f"--address={address}", f"--port={port}"],
                              stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    try:
        for _ in range(5):  # a server of Ray's own now and then dies when it starts
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            if "Initialization failure from server" not in done.stderr:
                break
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    assert done.returncode == 0, done.stderr
    found = load(tmp_path / "found.safetensors")
    assert (found.matrix == wanted.vectors_.matrix).all()
    assert_ended(others)


def test_another_version_on_a_node_is_named(cluster, path, monkeypatch):
    others = set(actors())
    monkeypatch.setattr(ray_machines, "version", lambda name: "9.9")
    with pytest.raises(ClusterError, match=r"Node .* has Python .* and this machine .* 9\.9"):
        Word2Vec(**SETTINGS, **ON_RAY).fit(path)
    assert_ended(others)


def test_what_the_cluster_cannot_do_is_said_before_the_work(cluster, path, tmp_path):
    others = set(actors())
    for change, message in (
        ({"nodes": 5}, "has 2 nodes with a free core, and nodes=5; add machines"),
        ({"threads_per_node": 3}, "lower threads_per_node to 1"),
        (
            {"vector_size": 60_000},
            r"stores must hold \d+ MiB .* and the smallest has 80",
        ),
    ):
        with pytest.raises((ClusterError, ParameterError), match=message):
            Word2Vec(**(SETTINGS | ON_RAY | change)).fit(path)
    with pytest.raises(InputError, match="On node 1 of 2: There is no file or directory"):
        Word2Vec(**SETTINGS, **ON_RAY).fit(tmp_path / "none.txt")
    assert_ended(others)


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_the_program_never_holds_a_matrix(cluster, path, tmp_path, monkeypatch):
    """Neither at the start, nor when the vectors come, nor while they are written or kept.

    The same where the best epoch is kept, and when a training goes on from a checkpoint.
    """
    V, D = 12_000, 160
    text = tmp_path / "text.txt"
    text.write_text("\n".join(" ".join(map(str, range(k, V, 100))) for k in range(100)))
    given = {"vector_size": D, "min_count": 1, "sample": 0, "epochs": 1, "blocks": 4}
    given |= {"early_stopping": 5, "keep_output": True}
    first = given | ON_RAY | {"vector_size": 8, "validation": ["1 2 3"]}
    Word2Vec(**first, checkpoint=tmp_path / "first").fit(path)  # what is imported is no vector
    given["validation"] = ["1 101 201"]
    monkeypatch.setattr(engine, "SLICE_BYTES", 1 << 18)
    monkeypatch.setattr(parameters, "SLICE_BYTES", 1 << 18)
    monkeypatch.setattr(exact, "ROWS_AT_ONCE", 256)
    tracemalloc.start()
    try:
        model = Word2Vec(**given, **ON_RAY, checkpoint=tmp_path / "folder").fit(text)
        model.vectors_.save(tmp_path / "found.safetensors")
        del model
        model = Word2Vec.from_checkpoint(tmp_path / "folder", **ON_RAY, epochs=2).resume()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * V * D
    wanted = Word2Vec(**given, workers=1, checkpoint=tmp_path / "here").fit(text)
    found = load(tmp_path / "found.safetensors", check=True)
    assert (found.matrix == wanted.vectors_.matrix).all()
    assert (found.outputs == wanted.vectors_.outputs).all()
    same(model, Word2Vec.from_checkpoint(tmp_path / "here", epochs=2).resume())


def test_a_data_set_of_ray_is_read(cluster, path, wanted):
    data = pytest.importorskip("ray.data")
    rows = [{"text": line, "n": n} for n, line in enumerate(path.read_text().split("\n"))]
    found = Word2Vec(**SETTINGS, **ON_RAY, column="text").fit(
        data.from_items(rows, override_num_blocks=5)
    )
    same(found, wanted)
