"""The exact softmax on several nodes: the steps of one machine, whoever has which columns."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_losses import Killer
from thread_machines import OPTIONS, Threads, config_of, local, run, spread

from wordgrad import Word2Vec, cluster
from wordgrad.cluster import Coordinator
from wordgrad.cluster import engine as module
from wordgrad.cluster import softmax as columns
from wordgrad.corpus.corpus import encode_corpus
from wordgrad.errors import ClusterError, InputError, ParameterError
from wordgrad.training.engines.block_softmax import SparseTargets, exact_gradients
from wordgrad.training.engines.softmax import OUTPUT_RATE, SkipGramSoftmaxEngine, order_of_words
from wordgrad.training.parameters import Parameters

READ = {"min_count": 2, "max_vocab": None, "vocabulary": None} | OPTIONS


def same(found, wanted):
    return (found.W_in == wanted.W_in).all() and (found.W_out == wanted.W_out).all()


@pytest.fixture(scope="module")
def alone(path):
    """Parameters and steps of a cluster that is one node."""
    return spread(Threads(1), path, None, loss="softmax")


@pytest.mark.parametrize("offset", ["unigram", "none"])
@pytest.mark.parametrize(("nodes", "threads"), [(1, 1), (2, 1), (3, 2)])
def test_the_steps_are_those_of_one_machine(path, nodes, threads, offset):
    """To rounding: products and sums are of float32, in another order."""
    options = {"loss": "softmax", "softmax_offset": offset, "epochs": 4}
    wanted, steps = local(path, None, **options)
    found, episodes = spread(Threads(nodes, threads), path, None, **options)
    np.testing.assert_allclose(found.W_in, wanted.W_in, atol=2e-5)
    np.testing.assert_allclose(found.W_out, wanted.W_out, atol=2e-5)
    assert len(episodes) < len(steps)
    for what in ("total", "pairs"):
        sums = [math.fsum(getattr(step.loss, what) for step in some) for some in (steps, episodes)]
        assert sums[1] == pytest.approx(sums[0], rel=1e-6)
    assert episodes[-1].learning_rate == steps[-1].learning_rate


@pytest.mark.parametrize(("nodes", "threads"), [(2, 1), (3, 2), (5, 1)])
def test_no_byte_depends_on_the_number_of_nodes(path, alone, nodes, threads):
    found, steps = spread(Threads(nodes, threads), path, None, loss="softmax")
    assert same(found, alone[0])
    assert steps == alone[1]


@pytest.mark.parametrize("seconds", [0.0, 1e9])
@pytest.mark.parametrize(
    ("node", "method", "times", "spares"),
    [(1, "prepare", 1, 1), (0, "prepare", 1, 0), (2, "episode", 1, 0), (0, "episode", 3, 1),
     (1, "keep", 2, 0), (1, "state", 3, 1), (2, "are_finite", 1, 0), (1, "load", 2, 1)],
)  # fmt: skip
def test_a_lost_node_changes_no_byte(
    path, alone, node, method, times, spares, seconds, monkeypatch
):
    """While it counts, in the middle of a pass, or between two; whether states are kept or not."""
    monkeypatch.setattr(module, "SECONDS_BETWEEN_STATES", seconds)
    machines = Threads(3, spares=spares)
    machines.before = Killer(machines, node, method, times)
    found, steps = spread(machines, path, None, loss="softmax")
    assert same(found, alone[0])
    assert steps == alone[1]


@given(
    lines=st.lists(
        st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6), min_size=2, max_size=12
    ).filter(lambda lines: len({w for line in lines if len(line) > 1 for w in line}) > 1),
    nodes=st.integers(1, 3),
    seed=st.integers(0, 9),
)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_passes_over_any_text_are_the_oracles(lines, nodes, seed):
    """Block by block: the exact gradients in float64, and Adagrad by its formula."""
    options = {"loss": "softmax", "seed": seed, "sample": 0.0}
    read = READ | {"min_count": 1}
    machines = Coordinator(Threads(nodes))
    try:
        V = len(machines.read(lines, **read).vocabulary)
        if nodes > columns.ranges_of(V):
            return
        engine = machines.engine(config_of(None, **options))
        found = Parameters.initial(V, V, 6, seed)
        W_in, W_out = (rows.astype(np.float64) for rows in (found.W_in, found.W_out))
        run(engine, found)
        norm = engine.gradient_norm
    finally:
        machines.close()
    with encode_corpus(lines, min_count=1) as corpus:
        one = SkipGramSoftmaxEngine(corpus, config_of(None, **options))
        one.prepare(Parameters.initial(V, V, 6, seed))
        sums_in, sums_out = np.zeros((2, V))
        for epoch in range(2):
            squares = 0.0
            order = order_of_words(one.config, epoch, V)
            for first in range(0, V, one.block_rows):
                words = order[first : first + one.block_rows]
                rate = one.config.learning_rate_at((epoch + first / V) / 2)
                targets = SparseTargets(*one.counts.rows(words), one.counts.totals[words])
                _, d_in, d_out = exact_gradients(W_in[words], W_out, one.steps.offset, targets)
                squares += np.square(d_in).sum()
                for rows, sums, which, d_rows, step in (
                    (W_in, sums_in, words, d_in, rate),
                    (W_out, sums_out, np.arange(V), d_out, OUTPUT_RATE * rate),
                ):
                    sums[which] += np.square(d_rows).mean(axis=1)
                    moved = sums[which] > 0
                    # Adagrad makes whole steps of rounding where a gradient is 0 by cancellation.
                    assume((sums[which[moved]] > 1e-7).all())
                    rows[which[moved]] -= (
                        step * d_rows[moved] / np.sqrt(sums[which[moved]])[:, np.newaxis]
                    )
        assert norm == pytest.approx(math.sqrt(squares) / one.counts.pairs, rel=1e-4)
        one.close()
    np.testing.assert_allclose(found.W_in, W_in, atol=1e-3)
    np.testing.assert_allclose(found.W_out, W_out, atol=1e-3)


@pytest.mark.parametrize("nodes", [2, 3])
def test_bytes_are_those_of_the_formulas(path, nodes):
    machines = Coordinator(Threads(nodes))
    V = len(machines.read(path, **READ).vocabulary)
    engine = machines.engine(config_of(None, loss="softmax"))
    parameters = Parameters.initial(V, V, 6, 1)
    engine.prepare(parameters)
    list(engine.epoch(parameters, 0, 0, threading.Event()))
    machines.close()
    bounds = [k * columns.ranges_of(V) // nodes for k in range(nodes + 1)]
    branches = sum(len(columns.branches_of(range(*bounds[k : k + 2]))) for k in range(nodes))
    blocks = -(-V // engine.block_rows)
    assert engine.sent["sums"] == (nodes - 1) * branches * 8 * (V + blocks)
    inputs = branches * 4 * V * 6 * (1 - 1 / nodes)
    assert engine.sent["inputs"] == pytest.approx(inputs, rel=0.02)  # shares of whole rows
    assert engine.sent["rows"] == (nodes - 1) * V * (4 * 6 + 8)
    assert engine.sent["counts"] < nodes * V * V * 12 + 16 * nodes**2 * V


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=40), st.data())
def test_sums_of_a_tree_do_not_depend_on_who_adds_which(numbers, data):
    def add(one, other):
        return np.asarray(one, np.float32) + np.asarray(other, np.float32)

    leaves = {(0, k): np.float32(number) for k, number in enumerate(numbers)}
    cuts = data.draw(st.lists(st.integers(0, len(numbers)), max_size=5).map(sorted))
    parts = {}
    for first, last in zip([0, *cuts], [*cuts, len(numbers)], strict=True):
        part = columns.join({(0, k): leaves[0, k] for k in range(first, last)}, add)
        assert sorted(part) == columns.branches_of(range(first, last))
        row = np.array(numbers[first:last], np.float32)
        again = columns.branches(first, (row,), lambda one, other: (add(one[0], other[0]),))
        assert {key: one for key, (one,) in again.items()} == part
        parts |= part
    assert columns.join(parts, add) == columns.join(leaves, add)


def test_what_cannot_be_done_is_refused_before_the_work(path, monkeypatch):
    def refused(message, source=path, nodes=2, store=None, memory=1e12, **options):
        machines = Threads(nodes)
        machines.store = store
        monkeypatch.setattr("wordgrad.cluster.node.available_memory", lambda: memory)
        there = Coordinator(machines)
        try:
            there.read(source, **READ | {"min_count": 1})
            with pytest.raises((InputError, ParameterError, ClusterError), match=message):
                run(there.engine(config_of(None, loss="softmax", **options)), None)
        finally:
            there.close()

    refused(r"nodes must be at most 2 for the exact softmax of 3 words, got 3", ["a b c"], nodes=3)
    refused(r"object stores must hold \d+ MiB on each of 2 nodes for \d+ words", store=1000)
    refused(r"about 0\.\d GiB of memory, of which 0\.0 GiB are free.*on each of 2 nodes; keep at",
            memory=1e3)  # fmt: skip
    refused(r"or raise max_hours=1e-12", max_hours=1e-12)


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
def test_a_text_without_pairs_is_refused_in_one_sentence():
    there = Coordinator(Threads(2))
    there.read(["a", "b", "a", "b"], **READ)
    engine = there.engine(config_of(None, loss="softmax"))
    with pytest.raises(InputError, match="No sentence holds two words"):
        engine.prepare(Parameters.zeros(2, 2, 6))
    there.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "cbow"}, "architecture='skipgram', got architecture='cbow' and loss="),
        ({"loss": "hierarchical-softmax"}, "loss='negative-sampling' or 'softmax', got loss="),
        ({"phrases": 1}, "phrases=None, got phrases=1"),
    ],
)
def test_what_is_not_trained_on_nodes_is_refused_by_name(options, message):
    with pytest.raises(ParameterError, match="A cluster trains with " + message):
        Word2Vec(**({"cluster": "auto", "loss": "softmax"} | options)).fit(["a b"])


def test_the_estimator_trains_validates_stops_and_resumes(path, tmp_path, monkeypatch):
    """Checkpoints hold Adagrad's sums: what goes on elsewhere ends with the same bytes."""
    monkeypatch.setattr(cluster, "RayMachines", lambda address, n, t: Threads(n or 3, t or 1))
    given = {"loss": "softmax", "vector_size": 8, "min_count": 2, "sample": 0.01, "tolerance": 0}
    held_out = path.read_text().split("\n")[:100]
    seen, records = [], []
    wanted = Word2Vec(**given, epochs=4, workers=1, validation=held_out).fit(path)
    whole = Word2Vec(**given, epochs=4, cluster="auto", nodes=2, validation=held_out,
                     on_epoch=lambda live: seen.append(live.vectors.shape),
                     progress=records.append).fit(path)  # fmt: skip
    for one, other in zip(whole.history_, wanted.history_, strict=True):
        for name in ("loss", "pairs", "validation_loss", "gradient_norm", "learning_rate"):
            assert one[name] == pytest.approx(other[name], rel=1e-4)
    np.testing.assert_allclose(whole.vectors_.matrix, wanted.vectors_.matrix, atol=2e-3)
    assert seen == [(len(wanted.vectors_.words), 8)] * 5
    assert {type(record).__name__ for record in records} >= {"CountingProgress", "TrainingProgress"}
    assert records[-1].bytes_sent > 0
    first = Word2Vec(**given, epochs=4, cluster="auto", nodes=2, validation=held_out,
                     checkpoint=tmp_path, checkpoint_every=1e-3)  # fmt: skip

    def stop(live):
        if live.epoch == 2:
            raise KeyboardInterrupt

    first.on_epoch = stop
    with pytest.raises(KeyboardInterrupt):
        first.fit(path)
    again = Word2Vec.from_checkpoint(tmp_path, cluster="auto", nodes=3).resume()
    assert (again.vectors_.matrix == whole.vectors_.matrix).all()
    losses = [[record["loss"] for record in one.history_] for one in (again, whole)]
    assert losses[0] == losses[1]
    norms = [[record["gradient_norm"] for record in one.history_] for one in (again, whole)]
    assert norms[0] == norms[1]
