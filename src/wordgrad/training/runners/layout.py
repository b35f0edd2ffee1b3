"""How large a round may be: by the settings and the corpus, and never by the number of threads.

A block starts from parameters that do not know yet what the round's other blocks learn.  For rare
words that is nothing.  The most frequent one changes in every block, and several changes that were
each right alone may be too much together.  What the others do to a row, in a round, grows with

    learning rate x pairs of the hottest row in a window x windows of the other blocks

where skip-gram's hottest row is in ``C max(q_w + K p_w, (1 + K) q_w)`` pairs of a window (q and p
are the word's shares of targets and of noise, C = m + 1 the mean context).  CBOW has C times fewer,
but for the input rows where it takes the sum.

Measured on vocabularies of 3 to 5,000 words and on `wiki8`: losses are those of the default mode up
to about 6, the first epoch suffers from about 12 on, and trainings diverge from about 24 on.  So
rounds are cut to stay below :data:`MOST_STALE`.  Where even small blocks would be too much (ten
words without subsampling, a tiny text), a round is one block: the result of one thread, exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wordgrad.text.sampling import keep_probabilities, noise_distribution
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.round_memory import Layout, plan_bytes, private_bytes

BLOCKS = 4
"""Eight would give work to eight threads, and cost two threads a tenth to a fifth more."""

MOST_BLOCK_TOKENS = 256
LEAST_BLOCK_TOKENS = 6
MOST_STALE = 5.0
ROUNDS_AN_EPOCH = 200
"""At least so many, so that a round is a small part of a small text."""

MOST_STEP_TOKENS = 32_768
STEPS_AN_EPOCH = 200
"""About so many in small texts, so that the learning rate falls smoothly."""

MOST_BYTES = 64 << 20
"""For the private rows of a round, and again for the windows of a step."""


def layout_for(counts: NDArray[np.int64], config: TrainingConfig) -> Layout:
    """Return the layout for a corpus with these counts of words, int64 (V,)."""
    tokens = int(counts.sum())
    block_tokens = min(
        MOST_BLOCK_TOKENS,
        tokens // (ROUNDS_AN_EPOCH * BLOCKS),
        int(MOST_STALE / ((BLOCKS - 1) * max(staleness(counts, config), 1e-9))),
    )
    while block_tokens >= LEAST_BLOCK_TOKENS:
        layout = Layout(BLOCKS, block_tokens, 1)
        if private_bytes(layout, len(counts), config) <= MOST_BYTES:
            break
        block_tokens //= 2
    else:
        layout = Layout(1, MOST_BLOCK_TOKENS, 1)
    step_tokens = min(MOST_STEP_TOKENS, tokens // STEPS_AN_EPOCH)
    fit = MOST_BYTES // plan_bytes(layout, len(counts), config)
    rounds = max(1, min(step_tokens // layout.round_tokens, fit))
    return Layout(layout.blocks, layout.block_tokens, rounds)


def staleness(counts: NDArray[np.int64], config: TrainingConfig) -> float:
    """Return how much a token of another block changes the hottest row: learning rate x pairs."""
    kept = counts * keep_probabilities(counts, config.sample)
    q = kept / kept.sum()
    p = noise_distribution(counts, config.ns_exponent)
    K, context = config.negative, config.window + 1
    from_outputs = float((q + K * p).max())
    from_inputs = float((1 + K) * q.max())
    if config.architecture == "skipgram":
        pairs = context * max(from_outputs, from_inputs)
    else:
        pairs = max(from_outputs, from_inputs * (context if config.combine == "sum" else 1))
    return config.initial_rate * pairs * float(kept.sum() / counts.sum())
