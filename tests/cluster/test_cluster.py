"""A cluster learns to the byte what one machine does, wherever its buckets are."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from thread_machines import Threads

from wordgrad.cluster import Coordinator
from wordgrad.corpus.corpus import encode_corpus
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines import make_engine
from wordgrad.training.parameters import Parameters

OPTIONS = {"column": None, "lowercase": False, "pattern": None, "errors": "strict"}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    rng = np.random.default_rng(2)
    lines = [" ".join(map(str, rng.zipf(1.3, rng.integers(0, 40)) % 70)) for _ in range(400)]
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(lines))
    return path


def config_of(blocks, **options):
    defaults = {"vector_size": 6, "negative": 3, "window": 4, "sample": 0.01, "epochs": 2}
    return TrainingConfig(**(defaults | options), blocks=blocks, workers=1)


def run(engine, parameters, epochs=2):
    engine.prepare(parameters)
    return [
        step
        for epoch in range(epochs)
        for step in engine.epoch(parameters, epoch, 0, threading.Event())
    ]


def local(path, blocks):
    with encode_corpus(path, min_count=2) as corpus:
        engine = make_engine(corpus, config_of(blocks))
        V = len(corpus.vocabulary)
        parameters = Parameters.initial(V, V, 6, 1)
        return parameters, run(engine, parameters)


def spread(machines, path, blocks, **options):
    coordinator = Coordinator(machines)
    try:
        corpus = coordinator.read(
            path, min_count=2, max_vocab=None, vocabulary=None, **(OPTIONS | options)
        )
        engine = coordinator.engine(config_of(blocks))
        V = len(corpus.vocabulary)
        parameters = Parameters.initial(V, V, 6, 1)
        return parameters, run(engine, parameters)
    finally:
        coordinator.close()


@pytest.mark.parametrize(("nodes", "threads", "blocks"), [(1, 1, 3), (2, 1, 2), (3, 2, 8)])
def test_the_bytes_are_those_of_one_machine(path, nodes, threads, blocks):
    wanted, steps = local(path, blocks)
    found, again = spread(Threads(nodes, threads), path, blocks)
    assert again == steps
    assert (found.W_in_rows == wanted.W_in_rows).all()
    assert (found.W_out_rows == wanted.W_out_rows).all()
