"""Windows of documents: which rows they have, and that each engine takes the oracle's steps."""

import threading
from collections import Counter

import numpy as np
import pytest

from wordgrad.corpus.corpus import encode_corpus
from wordgrad.corpus.documents import TagReader
from wordgrad.errors import InputError
from wordgrad.maths import pv_dbow, pv_dm
from wordgrad.training.config import BOTH, HIERARCHICAL, TrainingConfig
from wordgrad.training.engines.deterministic import DeterministicEngine
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.engines.reference import ReferenceEngine
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import SamplingTables, Span, draw_batch
from wordgrad.training.trainer import Trainer

KINDS = {
    "dbow": {"architecture": "skipgram", "documents": "alone"},
    "dbow with words": {"architecture": "skipgram", "documents": "with-words"},
    "dm mean": {"architecture": "cbow", "documents": "with-words"},
    "dm sum": {"architecture": "cbow", "documents": "with-words", "combine": "sum"},
    "dm whole": {"architecture": "cbow", "documents": "with-words", "cbow_step": "whole"},
    "dm concat": {"architecture": "cbow", "documents": "with-words", "combine": "concat"},
}
LOSSES = {"hs": HIERARCHICAL, "hs beside": BOTH}
KINDS |= {
    f"{kind} {name}": given | {"loss": loss}
    for name, loss in LOSSES.items()
    for kind, given in KINDS.items()
}
kinds = pytest.mark.parametrize("kind", KINDS)


def config_of(kind, **changes):
    given = {"vector_size": 5, "window": 2, "negative": 3, "sample": 0, "workers": 1}
    return TrainingConfig(**(given | KINDS[kind] | changes))


def corpus_of(kind, n=40, seed=0):
    """Documents of 1 to 12 of seven words; but for the concatenation some have several tags."""
    rng = np.random.default_rng(seed)
    texts = []
    for number in range(n):
        words = [f"w{word}" for word in rng.integers(0, 7, rng.integers(1, 13))]
        several = "concat" not in kind and number % 3 == 0
        texts.append((words, [number, f"group {number % 4}"] if several else number))
    return encode_corpus(texts, min_count=1, tags=TagReader())


def parameters_of(engine, config, seed=1):
    rng = np.random.default_rng(seed)
    shapes = (engine.n_inputs, config.vector_size), (engine.n_outputs, config.vector_size)
    return Parameters.from_matrices(*(rng.normal(0, 0.5, shape) for shape in shapes))


@kinds
def test_a_target_has_the_rows_that_its_kind_says(kind):
    config = config_of(kind)
    with corpus_of(kind) as corpus:
        tables = SamplingTables(corpus, config)
        n, V = len(corpus.ids), len(corpus.vocabulary)
        batch = draw_batch(
            tables, Span(0, n, 0, 0.1), config.window, tables.negative,
            architecture=config.architecture,
        )  # fmt: skip
        documents = corpus.documents
        assert len(batch) == n  # a document of one word has a window, too
        sentence = np.searchsorted(corpus.offsets, np.arange(n), side="right") - 1
        for b in range(n):
            first, last = batch.groups[b], batch.groups[b + 1]
            rows = batch.inputs[batch.input_offsets[first] : batch.input_offsets[last]]
            s = sentence[b]
            tags = V + documents.rows[documents.offsets[s] : documents.offsets[s + 1]]
            words = corpus.ids[corpus.offsets[s] : corpus.offsets[s + 1]]
            place = b - corpus.offsets[s]
            outputs = batch.outputs[batch.output_offsets[b] : batch.output_offsets[b + 1]]
            path, turns = tables.tree.path(words[place]) if tables.tree else ([], [])
            # From the word up to the root, as the kernels read them.
            assert outputs[: len(path)].tolist() == list(path)[::-1]
            signs = batch.all_signs[batch.output_offsets[b] : batch.output_offsets[b + 1]]
            assert signs[: len(path)].tolist() == [1 - 2 * turn for turn in turns][::-1]
            assert len(outputs) == len(path) + (1 + tables.negative if tables.negative else 0)
            if tables.negative:
                assert outputs[len(path)] == words[place] + (tables.n_outputs - V)
                assert signs[len(path) :].tolist() == [1, -1, -1, -1]
            if "concat" in kind:
                padding = V + len(documents.tags)
                around = [-2, -1, 1, 2]
                wanted = [
                    words[place + k] if 0 <= place + k < len(words) else padding for k in around
                ]
                assert rows.tolist() == [*tags, *wanted]
                continue
            assert rows[rows >= V].tolist() == tags.tolist()
            context = rows[rows < V]
            if kind.startswith("dbow") and "words" not in kind:
                assert not len(context)
                continue
            reaches = [
                np.delete(words[max(place - m, 0) : place + m + 1], min(place, m)) for m in (1, 2)
            ]
            assert sorted(context) in [sorted(reach.tolist()) for reach in reaches]


@pytest.mark.parametrize("engine", [ReferenceEngine, HogwildEngine, DeterministicEngine])
@kinds
def test_a_step_is_that_of_the_mathematics(kind, engine):
    config = config_of(kind)
    with corpus_of(kind) as corpus:
        tables = SamplingTables(corpus, config)
        made = engine(config, tables)
        span = Span(0, 30, 0, 0.1)
        batch = draw_batch(
            tables, span, config.window, tables.negative, architecture=config.architecture
        )
        parameters = parameters_of(made, config)
        W_in, W_out = parameters.W_in.astype(np.float64), parameters.W_out.astype(np.float64)
        width = made.n_outputs // tables.n_outputs
        W_out = W_out.reshape(tables.n_outputs, -1)
        total = 0.0
        for b in range(len(batch)):
            first, last = batch.groups[b], batch.groups[b + 1]
            rows = batch.inputs[batch.input_offsets[first] : batch.input_offsets[last]]
            part = slice(batch.output_offsets[b], batch.output_offsets[b + 1])
            window = rows, batch.outputs[part], batch.all_signs[part], W_in, W_out
            if config.architecture == "skipgram":
                found = pv_dbow(*window)
            else:
                found = pv_dm(*window, combine=config.combine)
            total += found.loss
            factor = len(rows) if config.cbow_step == "whole" else 1
            W_in, W_out = W_in - 0.1 * factor * found.d_W_in, W_out - 0.1 * found.d_W_out
        loss = made.apply_batch(parameters, batch, 0.1)
        assert loss.total == pytest.approx(total, rel=1e-5)
        assert loss.pairs == batch.n_vectors
        np.testing.assert_allclose(parameters.W_in, W_in, atol=2e-5)
        np.testing.assert_allclose(parameters.W_out.reshape(W_out.shape), W_out, atol=2e-5)
        assert width == (5 if "concat" in kind else 1)


@kinds
def test_a_span_is_its_batch(kind):
    config = config_of(kind, sample=0.05)
    with corpus_of(kind) as corpus:
        engine = HogwildEngine(config, SamplingTables(corpus, config))
        span = Span(7, 201, 3, 0.1)
        whole, apart = parameters_of(engine, config), parameters_of(engine, config)
        batch = draw_batch(
            engine.tables,
            span,
            config.window,
            engine.tables.negative,
            architecture=config.architecture,
        )
        found, wanted = engine.run_span(whole, span), engine.apply_batch(apart, batch, 0.1)
        assert found.pairs == wanted.pairs
        assert found.total == pytest.approx(wanted.total, rel=1e-6)
        np.testing.assert_array_equal(whole.W_in_rows, apart.W_in_rows)
        np.testing.assert_array_equal(whole.W_out_rows, apart.W_out_rows)


@kinds
def test_one_thread_gives_the_same_bytes_and_pauses_anywhere(kind):
    config = config_of(kind, sample=0.05)
    with corpus_of(kind) as corpus:
        engine = HogwildEngine(config, SamplingTables(corpus, config))
        engine.span_tokens = 50
        whole, parts = parameters_of(engine, config), parameters_of(engine, config)
        list(engine.epoch(whole, 0, 0, threading.Event()))
        start = 0
        while start < engine.length:
            pause = threading.Event()
            for step in engine.epoch(parts, 0, start, pause):
                pause.set()
                start = step.stop
        np.testing.assert_array_equal(whole.W_in_rows, parts.W_in_rows)
        assert not whole.W_in_rows[:, config.vector_size :].any()


@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")
@pytest.mark.parametrize("kind", ["dbow", "dbow with words"])
def test_documents_of_one_topic_come_together(kind):
    rng = np.random.default_rng(2)
    texts = [[f"{'ab'[k % 2]}{word}" for word in rng.integers(0, 9, 30)] for k in range(60)]
    config = config_of(kind, vector_size=12, epochs=20, learning_rate=0.1)
    with encode_corpus(texts, min_count=1, tags=TagReader()) as corpus:
        trainer = Trainer(corpus, config)
        trainer.run()
        V = len(corpus.vocabulary)
        vectors = trainer.parameters.W_in[V : V + 60]
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units.T
    same = np.equal.outer(np.arange(60) % 2, np.arange(60) % 2) & ~np.eye(60, dtype=bool)
    assert cosines[same].mean() > cosines[~same & ~np.eye(60, dtype=bool)].mean() + 0.2


def test_a_concatenation_has_one_place_for_a_document():
    with (
        encode_corpus([("a b", ["x", "y"])] * 3, min_count=1, tags=TagReader()) as corpus,
        pytest.raises(InputError, match="one place for a document, and 2 tags were given"),
    ):
        SamplingTables(corpus, config_of("dm concat"))


def test_a_tag_is_trained_as_often_as_its_documents_have_words():
    with corpus_of("dbow") as corpus:
        config = config_of("dbow")
        tables = SamplingTables(corpus, config)
        batch = draw_batch(tables, Span(0, len(corpus.ids), 0, 0.1), 2, 3)
        found = Counter((batch.inputs - len(corpus.vocabulary)).tolist())
        wanted = Counter()
        for s, words in enumerate(np.diff(corpus.offsets).tolist()):
            documents = corpus.documents
            for row in documents.rows[documents.offsets[s] : documents.offsets[s + 1]].tolist():
                wanted[row] += words
        assert found == wanted
