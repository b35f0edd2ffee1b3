"""The windows of a span as plain arrays: what the fast kernel draws while it trains, to look at."""

from __future__ import annotations

from typing import Any

import numpy as np

from wordgrad.training.engines.memory import load_int32, load_uint64
from wordgrad.training.engines.pairs import (
    NO_TOKEN,
    below,
    collect,
    context_of,
    draw_negatives,
    jit,
    mix,
)
from wordgrad.training.engines.protocol import SamplingTables, Span, Windows


def draw_windows(tables: SamplingTables, span: Span, window: int, negative: int) -> Windows:
    """Draw the windows whose centres lie in a span.

    Every choice is a function of the seed, the epoch and the centre's position in the corpus, so
    neighbouring spans give together what one span over both gives.
    """
    n_tokens = span.stop - span.start
    tokens = np.zeros(2 * n_tokens + 2 * window + 4, np.int32)
    bits = np.zeros(len(tokens), np.uint64)
    rows = np.zeros((n_tokens, 2 * window), np.int64)
    sizes = np.zeros(n_tokens, np.int64)
    targets = np.zeros((n_tokens, 1 + negative), np.int64)
    n = _draw(
        tables.ids.ctypes.data, tables.offsets.ctypes.data, *first_sentence(tables, span),
        span.stop, np.uint64(tables.key(span.epoch)), tables.keep.ctypes.data,
        tables.noise.ctypes.data, len(tables.keep), window, tokens, bits, rows, sizes, targets,
    )  # fmt: skip
    offsets = np.concatenate([[0], np.cumsum(sizes[:n])])
    contexts = rows[:n][np.arange(2 * window) < sizes[:n, np.newaxis]]
    return Windows(contexts.astype(np.int32), offsets, targets[:n].astype(np.int32))


def first_sentence(tables: SamplingTables, span: Span) -> tuple[int, int]:
    """Return the sentence that a span begins in, and where the span begins."""
    return int(np.searchsorted(tables.offsets, span.start, side="right")) - 1, span.start


@jit
def _draw(
    ids: Any, offsets: Any, sentence: Any, start: Any, stop: Any, key: Any, keep: Any, noise: Any,
    n_words: Any, window: Any, tokens: Any, bits: Any, rows: Any, sizes: Any, targets: Any,
) -> Any:  # fmt: skip
    """Fill rows, sizes and targets; return the number of windows.

    A "row address" with base 0 and rows of one byte is a word's id.
    """
    places, random = tokens.ctypes.data, bits.ctypes.data
    begin, first, last, end = collect(
        ids, offsets, sentence, start, stop, window, key, keep, places, random
    )
    n = 0
    for i in range(first, last):
        centre = load_int32(places, i)
        if centre == NO_TOKEN:
            continue
        drawn = load_uint64(random, i)
        reach = 1 + below(drawn, window)
        sizes[n] = context_of(places, i, begin, end, reach, 0, 1, rows[n].ctypes.data)
        if sizes[n]:
            targets[n, 0] = centre
            negatives = targets[n, 1:]
            draw_negatives(
                mix(drawn), centre, n_words, noise, negatives.size, 0, 1, negatives.ctypes.data
            )
            n += 1
    return n
