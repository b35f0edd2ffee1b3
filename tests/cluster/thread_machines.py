"""Nodes of a cluster as threads of this process, for tests without Ray."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

import numpy as np

from wordgrad.cluster import AbandonedError, Coordinator, LostError, Node
from wordgrad.cluster.node import POSTING
from wordgrad.corpus.corpus import encode_corpus
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines import make_engine
from wordgrad.training.parameters import Parameters

OPTIONS = {"column": None, "lowercase": False, "pattern": None, "errors": "strict"}

SECONDS = 240
"""That a call may take, with kernels to be compiled."""


class Threads:
    """Machines: each node has a queue for its work, and what is asked ``now`` is done at once.

    ``spares`` nodes can replace lost ones.  :meth:`kill` loses one, with what it holds.
    """

    def __init__(self, n, threads=1, folder=None, spares=0):
        self._make = lambda: Node(threads, folder)
        self.nodes, self._queues, self._dead = [], [], set()
        self.spares, self.threads, self.store = spares, threads, None
        self.asked = []
        self.before = lambda node, method, args: None
        for _ in range(n):
            self._add(len(self.nodes))

    def _add(self, place):
        self.nodes.insert(place, self._make())
        self._queues.insert(place, ThreadPoolExecutor(1))

    def __len__(self):
        return len(self.nodes)

    def ask(self, node, method, *args, answers=1, now=False):
        target, future = self.nodes[node], Future()
        if method in POSTING:
            args = (*args, self._post)
        self.asked.append((node, method))
        self.before(node, method, args)

        def run():
            try:
                if target in self._dead:
                    raise LostError("dead")
                given = [one.result(SECONDS) if isinstance(one, Future) else one for one in args]
                result = getattr(target, method)(*given)
                if target in self._dead:
                    raise LostError("died")
                future.set_result(result)
            except AbandonedError as error:
                future.set_exception(LostError(str(error)))
            except BaseException as error:
                future.set_exception(error)

        if now:
            # What it needs may not be there yet.
            given = [one for one in args if isinstance(one, Future)]
            if given:
                given[0].add_done_callback(lambda _: run())
            else:
                run()
        else:
            self._queues[node].submit(run)
        return future if answers == 1 else [Part(future, k) for k in range(answers)]

    def _post(self, node, run, key, letter):
        target = self.nodes[node] if node < len(self.nodes) else None
        if target is not None and target not in self._dead:
            target.deliver(run, key, [np.array(part) for part in letter])

    def answers(self, references, wait_=None):
        futures = [one.whole if isinstance(one, Part) else one for one in references]
        done, _ = wait(futures, SECONDS, FIRST_EXCEPTION)
        for future in done:
            future.result()
        return [one.result(0) for one in references]

    def put(self, value):
        future = Future()
        future.set_result(value)
        return future

    def kill(self, node):
        target = self.nodes[node]
        self._dead.add(target)
        target.abandon()

    def lost(self):
        return [k for k, node in enumerate(self.nodes) if node in self._dead]

    def replace(self, node):
        if not self.spares:
            return False
        self.spares -= 1
        self.remove(node)
        self._add(node)
        return True

    def remove(self, node):
        del self.nodes[node], self._queues[node]

    def close(self):
        for node in itertools.chain(self.nodes, self._dead):
            node.close()


class Part(Future):
    """One item of an answer."""

    def __init__(self, whole, k):
        super().__init__()
        self.whole, self._k = whole, k
        whole.add_done_callback(self._done)

    def _done(self, whole):
        error = whole.exception()
        if error is None:
            self.set_result(whole.result()[self._k])
        else:
            self.set_exception(error)


def config_of(blocks, **options):
    defaults = {"vector_size": 6, "negative": 3, "window": 4, "sample": 0.01, "epochs": 2}
    return TrainingConfig(**(defaults | options), blocks=blocks, workers=1)


def run(engine, parameters, epochs=2):
    engine.prepare(parameters)
    steps = [
        step
        for epoch in range(epochs)
        for step in engine.epoch(parameters, epoch, 0, threading.Event())
    ]
    assert engine.are_finite(parameters)
    engine.collect(parameters)
    return steps


def local(path, blocks, **training):
    with encode_corpus(path, min_count=2) as corpus:
        engine = make_engine(corpus, config_of(blocks, **training))
        V = len(corpus.vocabulary)
        parameters = Parameters.initial(V, V, 6, 1)
        return parameters, run(engine, parameters)


def spread(machines, source, blocks, **training):
    """Parameters and steps of a training on machines, which are ended."""
    coordinator = Coordinator(machines)
    given = {"min_count": 2, "max_vocab": None, "vocabulary": None} | OPTIONS
    try:
        corpus = coordinator.read(source, **given)
        engine = coordinator.engine(config_of(blocks, **training))
        V = len(corpus.vocabulary)
        parameters = Parameters.initial(V, V, 6, 1)
        return parameters, run(engine, parameters)
    finally:
        coordinator.close()
