"""The machine's witness for the exact softmax: blocks and their kernels against the oracle.

The offset is one more coordinate, which is 1 in every input vector and log p(w) in the output
vectors; so the oracle, which knows of no offset, testifies to it too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wordgrad.maths import WindowGradients, cbow, skipgram
from wordgrad.training.engines.softmax.block import BlockSoftmax, Targets
from wordgrad.training.engines.softmax.contexts import combine_contexts, hand_back
from wordgrad.training.engines.softmax.counts import counts_of
from wordgrad.training.engines.softmax.offset import logit_offset

D = 20
TRIALS = 40

Floats = npt.NDArray[Any]
Found = tuple[float, Floats, Floats]


def softmax_error(architecture: str, offset: str = "none", combine: str = "mean") -> float:
    """Largest error of a block's loss and gradients, over windows of every awkward kind.

    Vocabularies of 2 to 7 words make words repeat and stand in their own windows; vectors of up to
    10 times the usual size saturate the softmax.  The error is relative to the largest gradient, or
    absolute where that is below 1.
    """
    rng = np.random.default_rng(1)
    return max(_error(architecture, offset, combine, rng) for _ in range(TRIALS))


def _error(architecture: str, kind: str, combine: str, rng: np.random.Generator) -> float:
    V, B = int(rng.integers(2, 8)), int(rng.integers(1, 5))
    scale = rng.choice([0.05, 0.3, 1.0])
    W_in, W_out = (rng.normal(scale=scale, size=(V, D)).astype(np.float32) for _ in range(2))
    offset = logit_offset(kind, rng.integers(1, 100, size=V))
    windows = [
        (int(rng.integers(0, V)), rng.integers(0, V, size=rng.integers(1, 10))) for _ in range(B)
    ]
    block = BlockSoftmax(V, D, max(V, B), threads=1)
    if architecture == "skipgram":
        got = _by_counts(block, windows, W_in, W_out, offset)
    else:
        got = _by_windows(block, windows, W_in, W_out, offset, mean=combine == "mean")
    expected = [_oracle(architecture, combine, window, W_in, W_out, offset) for window in windows]
    errors = []
    for k, value in enumerate(got):
        exact: Any = sum(np.asarray(one[k]) for one in expected)
        errors.append(float(np.abs(value - exact).max() / max(1.0, float(np.abs(exact).max()))))
    return max(errors)


def _by_counts(
    block: BlockSoftmax, windows: Any, W_in: Floats, W_out: Floats, offset: Floats
) -> Found:
    counts = counts_of([(c, o) for c, outside in windows for o in outside], len(W_in))
    words = np.arange(len(W_in))
    found = block.gradients(W_in, W_out, offset, Targets(*counts.rows(words), counts.totals))
    return found.loss, found.d_inputs, found.d_W_out


def _by_windows(
    block: BlockSoftmax, windows: Any, W_in: Floats, W_out: Floats, offset: Floats, *, mean: bool
) -> Found:
    B = len(windows)
    contexts = np.concatenate([outside for _, outside in windows]).astype(np.int32)
    offsets = np.cumsum([0] + [len(outside) for _, outside in windows])
    inputs = np.empty((B, D), np.float32)
    combine_contexts(W_in, contexts, offsets, mean, inputs)
    centres = np.array([c for c, _ in windows], np.int32)
    targets = Targets(np.arange(B + 1), centres, np.ones(B), np.ones(B))
    found = block.gradients(inputs, W_out, offset, targets)
    d_W_in = np.zeros_like(W_in)
    hand_back(found.d_inputs, contexts.astype(np.int64), offsets, mean, d_W_in)
    return found.loss, d_W_in, found.d_W_out


def _oracle(
    architecture: str, combine: str, window: Any, W_in: Floats, W_out: Floats, offset: Floats
) -> Found:
    centre, outside = window
    # The mean of ones is 1, but their sum is M: there the offset's coordinate is 1 / M.
    share = 1 / len(outside) if architecture == "cbow" and combine == "sum" else 1.0
    inputs = np.column_stack([W_in.astype(np.float64), np.full(len(W_in), share)])
    outputs = np.column_stack([W_out, offset]).astype(np.float64)
    found: WindowGradients = (
        skipgram(centre, outside, inputs, outputs)
        if architecture == "skipgram"
        else cbow(centre, outside, inputs, outputs, combine=combine)
    )
    return found.loss, np.asarray(found.d_W_in)[:, :-1], np.asarray(found.d_W_out)[:, :-1]
