"""The budget of a training with the exact softmax: memory and time, estimated before it begins."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wordgrad.errors import ParameterError
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.pair_counts import BLOCK_BYTES
from wordgrad.training.parameters import row_floats

OVER_THE_PRODUCTS = 1.6
"""Seconds of a block over those of its matrix products alone: see docs/performance.md."""

PROBE_ROWS, PROBE_WORDS = 256, 4096


@dataclass(frozen=True)
class Estimate:
    """Memory and time that a training would take.

    Attributes
    ----------
    memory : float
        Bytes.
    seconds : float
    exponent : int
        The seconds grow with this power of the vocabulary.
    """

    memory: float
    seconds: float
    exponent: int


def estimate(
    config: TrainingConfig, n_words: int, rows_a_pass: float, block_rows: int, speed: float
) -> Estimate:
    """Estimate a training that multiplies ``rows_a_pass`` rows with all words, in each epoch.

    Parameters
    ----------
    config : TrainingConfig
    n_words : int
        V.
    rows_a_pass : float
        V for skip-gram by counts; the tokens that are kept for CBOW.
    block_rows : int
    speed : float
        Multiply-adds a second of this machine's matrix products.
    """
    D, V = config.vector_size, n_words
    matrices = 2 * V * row_floats(D) * 4
    work = (V * D + block_rows * V + 2 * block_rows * D) * 4 + 2 * V * 8
    work += 6 * V * D * 8  # the decompositions at the end, in float64
    if config.architecture == "skipgram":
        work = max(work, BLOCK_BYTES)  # which are given back before the first pass
    seconds = config.epochs * 3.0 * rows_a_pass * V * D / speed * OVER_THE_PRODUCTS
    return Estimate(matrices + work, seconds, 2 if config.architecture == "skipgram" else 1)


def matrix_speed(vector_size: int) -> float:
    """Multiply-adds a second of float32 matrix products here and now; takes some hundredths."""
    rng = np.random.default_rng(0)
    rows = rng.random((PROBE_ROWS, vector_size), np.float32)
    words = rng.random((PROBE_WORDS, vector_size), np.float32)
    logits = rows @ words.T  # once for nothing: threads start, pages come
    best = math.inf
    for _ in range(2):
        begin = time.perf_counter()
        np.matmul(rows, words.T, out=logits)
        logits @ words
        logits.T @ rows
        best = min(best, time.perf_counter() - begin)
    return 3.0 * PROBE_ROWS * PROBE_WORDS * vector_size / best


def available_memory() -> float:
    """Bytes that programs may still take; infinite where the system does not tell."""
    status = Path("/proc/meminfo")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def check_budget(config: TrainingConfig, n_words: int, expected: Estimate) -> None:
    """Raise unless the memory is there and the time within ``max_hours``.

    Raises
    ------
    ParameterError
        With both estimates, and the ``max_vocab`` that would fit.
    """
    memory, limit = available_memory(), 3600.0 * config.max_hours
    if expected.memory <= memory and expected.seconds <= limit:
        return
    fits = n_words * min(
        1.0,
        memory / expected.memory,
        (limit / expected.seconds) ** (1.0 / expected.exponent),
    )
    remedy = f"keep at most {_rounded_down(fits):,} words with max_vocab"
    if expected.seconds > limit:
        remedy += f", or raise max_hours={config.max_hours:g}"
    raise ParameterError(
        f"The exact softmax of {n_words:,} words and vector_size={config.vector_size} would take "
        f"about {_gigabytes(expected.memory)} of memory, of which {_gigabytes(memory)} are free, "
        f"and {_hours(expected.seconds)} for {config.epochs} passes on this machine; {remedy}."
    )


def _rounded_down(number: float) -> int:
    """Two digits are as much as an estimate knows; at least the two words of a vocabulary."""
    if number < 100:
        return max(2, int(number))
    unit = 10 ** (int(math.log10(number)) - 1)
    return int(number // unit * unit)


def _gigabytes(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB"


def _hours(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:,.1f} hours" if seconds < 360_000 else f"{seconds / 86400:,.0f} days"
