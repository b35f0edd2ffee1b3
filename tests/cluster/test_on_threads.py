"""The estimator and the command line on a cluster, with threads in the place of Ray."""

from __future__ import annotations

import gzip
import sys
from contextlib import contextmanager

import pytest
from thread_machines import Threads
from typer.testing import CliRunner

from wordgrad import Word2Vec, cluster, load
from wordgrad.cli.app import app
from wordgrad.errors import InputError

SETTINGS = {"vector_size": 8, "min_count": 2, "sample": 0.01, "epochs": 2}


@pytest.fixture(autouse=True)
def threads(monkeypatch):
    made = []

    def machines(address, nodes, threads):
        made.append(Threads(nodes or 3, threads or 1))
        return made[-1]

    monkeypatch.setattr(cluster, "RayMachines", machines)
    return made


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])  # which has a rate of its own
def test_the_estimator_trains_and_resumes_to_the_same_bytes(path, tmp_path, threads, architecture):
    records = []
    settings = SETTINGS | {"architecture": architecture}
    wanted = Word2Vec(**settings, blocks=4, workers=1).fit(path)
    model = Word2Vec(**settings, cluster="auto", nodes=2, threads_per_node=2,
                     checkpoint=tmp_path / "folder", progress=records.append)  # fmt: skip
    model.fit(path)
    assert (model.vectors_.matrix == wanted.vectors_.matrix).all()
    assert records[-1].nodes == 2
    assert records[-1].bytes_sent > 0
    more = Word2Vec(**(settings | {"epochs": 3}), blocks=4, workers=1).fit(path)
    again = Word2Vec.from_checkpoint(tmp_path / "folder", cluster="auto", nodes=3, epochs=3)
    again.resume()
    assert again.history_[-1]["epoch"] == 3
    assert again.vectors_.words == more.vectors_.words
    assert [len(one) for one in threads] == [2, 3]


def test_the_command_writes_the_file_of_one_machine(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ["--vector-size", "8", "--epochs", "1", "--reproducible", "--min-count", "2"]
    run = CliRunner()
    one = run.invoke(app, ["train", str(path), "-o", "one.safetensors", "--blocks", "4", *given])
    assert one.exit_code == 0, one.output
    on = ["--cluster", "auto", "--nodes", "2", "--threads-per-node", "2"]
    two = run.invoke(app, ["train", str(path), "-o", "two.safetensors", *on, *given])
    assert two.exit_code == 0, two.output
    assert (tmp_path / "one.safetensors").read_bytes() == (
        tmp_path / "two.safetensors"
    ).read_bytes()


def test_text_on_other_storage_gives_the_same_bytes(path, monkeypatch):
    system = pytest.importorskip("fsspec").filesystem("memory")
    lines = path.read_bytes().splitlines(keepends=True)
    system.pipe_file("/bucket/cluster/a.txt", b"".join(lines[:300]))
    system.pipe_file("/bucket/cluster/b.txt.gz", gzip.compress(b"".join(lines[300:])))
    wanted = Word2Vec(**SETTINGS, blocks=4, workers=1).fit(path)
    model = Word2Vec(**SETTINGS, blocks=4, cluster="auto", nodes=2)
    model.fit("memory://bucket/cluster/*")
    assert model.vectors_.words == wanted.vectors_.words
    assert (model.vectors_.matrix == wanted.vectors_.matrix).all()
    assert model.report_.files == 2

    def refused(path):
        raise PermissionError("Forbidden")

    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(InputError, match=r"gs://bucket/a\.txt cannot be read .*gcsfs"):
        model.fit("gs://bucket/a.txt")
    monkeypatch.setattr("wordgrad.cluster.node.opened", refused)
    with pytest.raises(InputError, match=r"Node 1 of 2 does not see .*a\.txt \(Forbidden\)"):
        model.fit("memory://bucket/cluster/*")


def test_the_demo_trains_on_two_nodes(tmp_path, monkeypatch, threads):
    @contextmanager
    def nodes(n):
        yield 1

    text = ["a list of items", "a tuple of items", "the server of a client"] * 300
    monkeypatch.setattr(cluster, "nodes_on_this_machine", nodes)
    monkeypatch.setattr("wordgrad.corpus.builtin.builtin_sentences", lambda: iter(text))
    monkeypatch.setattr("wordgrad.cli.demo.SETTINGS", {"vector_size": 16, "workers": 1})
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["demo", "--cluster"])
    assert done.exit_code == 0, done.output
    assert load("demo.safetensors").metadata["source"] == "demo"
    assert len(threads[0]) == 2
