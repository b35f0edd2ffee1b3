"""A cluster learns to the byte what one machine does, wherever its buckets are."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import asdict

import numpy as np
import polars as pl
import pytest
from thread_machines import OPTIONS, Threads, config_of, local, spread

from wordgrad import Word2Vec
from wordgrad.cluster import Coordinator, Node, ray_machines
from wordgrad.corpus.corpus import encode_corpus
from wordgrad.corpus.sources import TextFile
from wordgrad.errors import ClusterError, InputError, ParameterError
from wordgrad.training.engines.blocks import EPISODES_AN_EPOCH
from wordgrad.training.parameters import Parameters, row_floats


@pytest.mark.parametrize(
    ("nodes", "threads", "blocks", "architecture"),
    [(1, 1, 3, "skipgram"), (2, 1, 2, "skipgram"), (3, 2, 8, "skipgram"), (3, 1, 5, "cbow")],
)
def test_the_bytes_are_those_of_one_machine(path, nodes, threads, blocks, architecture):
    wanted, steps = local(path, blocks, architecture=architecture)
    found, again = spread(Threads(nodes, threads), path, blocks, architecture=architecture)
    assert again == steps
    assert (found.W_in_rows == wanted.W_in_rows).all()
    assert (found.W_out_rows == wanted.W_out_rows).all()


def test_text_words_and_ids_are_those_of_one_machine(path, tmp_path):
    """Whatever the text lies in: counts, order, ties, and every token in its place."""
    lines = path.read_text().split("\n")
    (tmp_path / "a.txt").write_text("\n".join(lines[:150]) + "\n")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress("\n".join(lines[150:200]).encode()))
    pl.DataFrame({"text": lines[200:300]}).write_parquet(tmp_path / "c.parquet")
    rows = "".join(json.dumps({"text": line}) + "\n" for line in lines[300:])
    (tmp_path / "d.jsonl").write_text(rows)
    (tmp_path / "e.txt").write_text("")
    for source, options in (
        (tmp_path, {}),
        (str(tmp_path / "*.txt"), {"lowercase": True}),
        (lines, {"max_vocab": 20}),
        ([line.split() for line in lines], {"min_count": 30}),
        (tmp_path / "a.txt", {"pattern": r"\d"}),
        (tmp_path / "b.txt.gz", {}),
    ):
        given = {"min_count": 2, "max_vocab": None, "vocabulary": None} | OPTIONS | options
        machines = Threads(3)
        coordinator = Coordinator(machines)
        with encode_corpus(source, **given) as one:
            found = coordinator.read(source, **given)
            assert found.vocabulary == one.vocabulary
            assert (found.word_counts() == one.vocabulary.counts).all()
            report = {"seconds": 0, "files": 0}
            assert asdict(found.report) | report == asdict(one.report) | report
            ids = np.full(len(one.ids), -1)
            ends = []
            for shelf in [shelf for node in machines.nodes for shelf in node._shelves]:
                for start, size, first in zip(
                    shelf.starts, shelf.encoded.tokens, shelf.offsets[shelf._first[:-1]],
                    strict=True,
                ):  # fmt: skip
                    ids[start : start + size] = shelf.ids[first : first + size]
                for k in range(len(shelf.starts)):
                    ends += shelf.positions[shelf._rows[k] + 1 : shelf._rows[k + 1]].tolist()
            assert (ids == one.ids).all()
            assert sorted(ends) == one.offsets[1:].tolist()
        coordinator.close()


def test_a_digest_tells_texts_apart_and_not_how_they_are_cut(path, tmp_path):
    lines = path.read_text().split("\n")
    other = tmp_path / "other.txt"
    other.write_text("\n".join(reversed(lines)))
    given = {"min_count": 2, "max_vocab": None, "vocabulary": None} | OPTIONS
    found = []
    for nodes, source in ((1, path), (3, path), (3, other)):
        coordinator = Coordinator(Threads(nodes))
        found.append(coordinator.read(source, **given).fingerprint())
        coordinator.close()
    assert found[0] == found[1]
    assert "another order" in found[2].difference(found[0])


@pytest.mark.parametrize(("nodes", "blocks"), [(2, 2), (3, 8)])
def test_bytes_are_those_of_the_formulas(path, nodes, blocks):
    given = {"min_count": 2, "max_vocab": None, "vocabulary": None} | OPTIONS
    coordinator = Coordinator(Threads(nodes))
    V = len(coordinator.read(path, **given).vocabulary)
    engine = coordinator.engine(config_of(blocks))
    parameters = Parameters.initial(V, V, 6, 1)
    engine.prepare(parameters)
    steps = list(engine.epoch(parameters, 0, 0, threading.Event()))
    coordinator.close()
    row = 4 * row_floats(6)
    assert engine.sent["buckets"] == len(steps) * nodes * (blocks - 1) * -(-V // blocks) * row
    node_of = np.searchsorted([k * blocks // nodes for k in range(1, nodes + 1)], range(blocks),
                              side="right")  # fmt: skip
    moved = 0
    for step in steps:
        after = (0, step.stop) if step.stop < engine.length else (1, 0)
        old, new = engine.deal(0, step.start).bucket_of, engine.deal(*after).bucket_of
        moved += (node_of[old] != node_of[new]).sum()
        turn = engine.first_turn(0, step.start) + blocks - 1
        old, new = old - turn, new - engine.first_turn(*after)
        moved += (node_of[old % blocks] != node_of[new % blocks]).sum()
    assert engine.sent["rows"] == moved * (4 + row)
    pairs = sum(step.loss.pairs for step in steps)
    assert 4 * pairs * (1 - 1 / nodes) * 0.8 < engine.sent["pairs"]


def test_what_a_cluster_cannot_do_is_refused(path, tmp_path):
    given = {"min_count": 2, "max_vocab": None, "vocabulary": None} | OPTIONS

    def refused(message, source=path, blocks=4, **options):
        machines = Threads(2)
        machines.store = 1000
        coordinator = Coordinator(machines)

        def begin():
            coordinator.read(source, **(given | options))
            coordinator.engine(config_of(blocks))

        try:
            with pytest.raises((InputError, ParameterError, ClusterError), match=message):
                begin()
        finally:
            coordinator.close()

    refused(r"object stores must hold 0 MiB on each of 2 nodes for \d+ words, and the smallest")
    refused(r"blocks must be at least the number of nodes \(2\), got 1", blocks=1)
    refused(r"blocks must be at most \d+, half of the", blocks=300)
    refused("There are no tokens in", iter(["", " "]))
    refused("There are no sentences in what was given", [])
    refused("words reach min_count=1000000", min_count=10**6)
    refused("column is for .jsonl", column="text")
    refused("Standard input cannot be read in parts", "-")
    refused("is not valid UTF-8", _written(tmp_path / "latin.txt", b"a b\nna\xefve\n"))


def test_what_object_stores_must_hold_counts_states_rows_and_pairs(path):
    """Of an episode: what the nodes send of it, and what comes to them, lies there at once."""
    given = {"min_count": 2, "max_vocab": None, "vocabulary": None} | OPTIONS
    _, steps = local(path, 4)
    machines = Threads(2)
    coordinator = Coordinator(machines)
    V = len(coordinator.read(path, **given).vocabulary)
    states = 7 * 2 * 2 * -(-V // 4) * 4 * row_floats(6)
    pairs = 2 * 4 * max(step.loss.pairs for step in steps) // 2
    machines.store = states + int(1.2 * pairs)
    coordinator.engine(config_of(4))
    machines.store = states + int(0.8 * pairs)
    with pytest.raises(ClusterError, match="object stores must hold"):
        coordinator.engine(config_of(4))
    coordinator.close()


def _written(path, data):
    path.write_bytes(data)
    return path


def test_a_file_that_a_node_does_not_see_is_named_with_the_node(path):
    machines = Threads(2)
    machines.before = lambda node, method, args: (
        (method, node) == ("unseen", 1) and setattr(machines.nodes[1], "unseen", lambda _: "/x")
    )
    coordinator = Coordinator(machines)
    with pytest.raises(InputError, match="Node 2 of 2 does not see /x as the first one does"):
        coordinator.read(
            path, **({"min_count": 2, "max_vocab": None, "vocabulary": None} | OPTIONS)
        )
    coordinator.close()
    assert Node.unseen([TextFile.from_path(path), TextFile(path, "text", None, 0, 10**9)]) == str(
        path
    )


def test_a_training_goes_on_elsewhere_from_where_it_paused(path):
    """An epoch is left in the middle, and other nodes go on with its parameters."""
    wanted, steps = local(path, 8)
    given = {"min_count": 2, "max_vocab": None, "vocabulary": None} | OPTIONS
    parameters, found, position = None, [], 0
    for nodes in (1, 2, 4, 3):
        coordinator = Coordinator(Threads(nodes))
        V = len(coordinator.read(path, **given).vocabulary)
        engine = coordinator.engine(config_of(8))
        parameters = Parameters.initial(V, V, 6, 1) if parameters is None else parameters
        engine.prepare(parameters)
        while len(found) < len(steps):
            epoch = len(found) // EPISODES_AN_EPOCH
            pause = threading.Event()
            with closing(engine.epoch(parameters, epoch, position % engine.length, pause)) as some:
                for step in some:
                    found.append(step)
                    position = step.stop
                    if nodes % 2:
                        pause.set()
                    elif len(found) % 3 == 0:
                        break
            if len(found) % 3 == 0 and nodes != 3:
                break
        engine.collect(parameters)
        coordinator.close()
    assert found == steps
    assert (parameters.W_in_rows == wanted.W_in_rows).all()
    assert (parameters.W_out_rows == wanted.W_out_rows).all()


def test_without_ray_the_install_line_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"pip install 'wordgrad\[ray\]'"):
        Word2Vec(cluster="auto").fit(["a b"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"subwords": (3, 4)}, r"A cluster trains with subwords=None, got subwords=\(3, 4\)"),
        ({"phrases": 1}, "A cluster trains with phrases=None, got phrases=1"),
        ({"cluster": None, "nodes": 2}, "nodes is of a cluster, got 2 without one"),
    ],
)
def test_what_a_cluster_does_not_train_is_refused_by_name(settings, message):
    with pytest.raises(ParameterError, match=message):
        Word2Vec(**({"cluster": "auto"} | settings)).fit(["a b"])


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_more_text_is_not_learned_on_a_cluster():
    model = Word2Vec(min_count=1, workers=1, vector_size=4).fit(["a b c"] * 50)
    model.set_params(cluster="auto")
    with pytest.raises(ParameterError, match="partial_fit trains on this machine"):
        model.partial_fit(["a b"])


@pytest.mark.parametrize("address", ["auto", "ray://127.0.0.1:{port}", "127.0.0.1:{port}"])
def test_an_address_where_nobody_speaks_ray_is_named_soon(address, monkeypatch):
    pytest.importorskip("grpc")
    monkeypatch.setattr(ray_machines, "SECONDS_TO_CONNECT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
        with pytest.raises(ClusterError, match=r"There is no Ray cluster .* \(nothing of Ray"):
            Word2Vec(cluster=address.format(port=port)).fit(["a b"])
    with pytest.raises(ClusterError, match=r"There is no Ray cluster .*refused"):
        Word2Vec(cluster=address.format(port=port)).fit(["a b"])


def test_ray_is_not_imported_without_a_cluster():
    code = "import sys, wordgrad.word2vec, wordgrad.cluster; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
