"""Rounds are large where that is harmless, and one block where it is not."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines import deterministic as rule
from wordgrad.training.engines.deterministic import DeterministicEngine, layout_for, staleness
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.kernels.rounds import plan_bytes, private_bytes
from wordgrad.training.parameters import Parameters


def zipf(n_words, n_tokens):
    share = 1 / np.arange(1, n_words + 1)
    return np.maximum(n_tokens * share / share.sum(), 1).astype(np.int64)


def test_a_large_text_with_the_default_settings_has_rounds_for_four_threads():
    counts = zipf(70_000, 17_000_000)
    for architecture in ("skipgram", "cbow"):
        layout = layout_for(counts, TrainingConfig(architecture=architecture))
        assert layout.blocks == 4
        assert layout.block_tokens >= 128
        assert 16_000 < layout.step_tokens <= rule.MOST_STEP_TOKENS


@settings(deadline=None)
@given(
    n_words=st.integers(2, 3000),
    tokens_a_word=st.integers(1, 3000),
    architecture=st.sampled_from(["skipgram", "cbow"]),
    combine=st.sampled_from(["mean", "sum"]),
    sample=st.sampled_from([0, 1e-4, 1e-2]),
    negative=st.sampled_from([1, 5, 300, 10_000]),
    window=st.sampled_from([1, 5, 10_000]),
    vector_size=st.sampled_from([1, 100, 65536]),
    learning_rate=st.sampled_from([None, 1e-12, 1.0, 1e30]),
)
def test_the_rule_keeps_within_its_bounds(n_words, tokens_a_word, **chosen):
    counts = zipf(n_words, n_words * tokens_a_word)
    layouts = [
        layout_for(counts, TrainingConfig(workers=workers, seed=workers, **chosen))
        for workers in (1, 8)
    ]
    assert layouts[0] == layouts[1]  # by the settings that matter, not by these two
    layout, config = layouts[0], TrainingConfig(**chosen)
    assert min(layout.blocks, layout.block_tokens, layout.rounds) >= 1
    assert layout.step_tokens <= max(rule.MOST_STEP_TOKENS, layout.round_tokens)
    if layout.rounds > 1:
        plan = plan_bytes(layout, n_words, config) * layout.rounds
        assert plan <= rule.MOST_BYTES
    if layout.blocks > 1:
        others = layout.round_tokens - layout.block_tokens
        assert others * staleness(counts, config) <= rule.MOST_STALE
        assert private_bytes(layout, n_words, config) <= rule.MOST_BYTES
        assert layout.round_tokens * rule.ROUNDS_AN_EPOCH <= counts.sum()


def test_a_pair_that_is_hotter_makes_rounds_smaller():
    counts = zipf(20_000, 3_000_000)
    sizes = [
        layout_for(counts, TrainingConfig(**changes)).round_tokens
        for changes in ({}, {"learning_rate": 0.1}, {"learning_rate": 0.1, "negative": 20})
    ]
    assert sizes[0] > sizes[1] > sizes[2]


def topics(n_words, n_tokens, seed):
    """Sentences of 40 tokens, each of one of two topics: sentences of ids."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_words + 1)
    orders = rng.permutation(n_words), rng.permutation(n_words)
    ids = rng.choice(n_words, n_tokens, p=share / share.sum()).reshape(-1, 40)
    ids = np.array([orders[k % 2][sentence] for k, sentence in enumerate(ids)])
    rank = np.empty(n_words, np.int64)
    rank[np.argsort(-np.bincount(ids.ravel(), minlength=n_words))] = np.arange(n_words)
    return list(rank[ids])


@pytest.mark.parametrize(
    ("n_words", "n_tokens", "changes"),
    [
        (3, 2000, {"sample": 0}),
        (3, 40_000, {"sample": 1e-4}),
        (20, 60_000, {"sample": 1e-3}),
        (200, 60_000, {"sample": 0}),
        (200, 60_000, {"sample": 1e-3, "learning_rate": 0.16}),
        (200, 60_000, {"sample": 0, "architecture": "cbow"}),
        (2000, 80_000, {"sample": 1e-3, "architecture": "cbow", "combine": "sum"}),
    ],
    ids=str,
)
def test_small_texts_are_learnt_as_well_as_in_the_default_mode(
    tables_of, n_words, n_tokens, changes
):
    config = TrainingConfig(vector_size=16, workers=1, epochs=2, **changes)
    tables = tables_of(topics(n_words, n_tokens, seed=n_words), **changes)
    counts = np.bincount(tables.ids)
    losses = []
    for engine in (
        HogwildEngine(config, tables),
        DeterministicEngine(config, tables, layout_for(counts, config)),
    ):
        parameters = Parameters.initial(len(tables.keep), len(tables.keep), 16, seed=1)
        for epoch in range(2):
            steps = list(engine.epoch(parameters, epoch, 0, threading.Event()))
        losses.append(sum(s.loss.total for s in steps) / sum(s.loss.pairs for s in steps))
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
