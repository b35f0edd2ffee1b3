"""How much dearer the softmax is than negative sampling, as the vocabulary grows.

    python benchmarks/loss_cost.py            # measure, then write the JSON, the figure, the table
    python benchmarks/loss_cost.py --draw     # figure and table again, from the JSON

One gradient step of one pair, in float32, one thread.  Both losses run the same compiled loops over
a list of output rows: all V of them for the softmax, 1 + K for negative sampling.  Nothing else
differs but the error, so the ratio is that of the mathematics, and of memory.  Each is first
compared with ``wordgrad.maths``; then they are timed in turns.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from machine import RESULTS, circumstances, spread, write_json
from numba import njit

from wordgrad.maths import negative_sampling_loss, softmax_loss

D, K, LEARNING_RATE = 100, 5, 0.025
VOCABULARIES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000)
ROUNDS = 9
SECONDS_A_TIMING = 0.05
DERIVATIONS = Path(__file__).parents[1] / "docs" / "derivations"
_TABLE = re.compile(
    r"(<!-- figures:loss-cost:start -->\n).*?(<!-- figures:loss-cost:end -->)", re.S
)

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Step = Callable[[], None]


@njit(fastmath=True, nogil=True)  # type: ignore[untyped-decorator]
def _step(
    v_c: Any, W_out: Any, rows: Any, error: Any, d_v: Any, target: Any, rate: Any, softmax: Any
) -> None:
    """Scores of ``rows``, their errors, and the update of both sides: 3 D multiply-adds a row."""
    largest = np.float32(-np.inf)
    for i in range(rows.shape[0]):
        score = np.float32(0)
        for d in range(v_c.shape[0]):
            score += W_out[rows[i], d] * v_c[d]
        error[i] = score
        largest = max(largest, score)
    total = np.float32(0)
    for i in range(rows.shape[0]):
        if softmax:
            error[i] = math.exp(error[i] - largest)
            total += error[i]
        else:
            error[i] = 1 / (1 + math.exp(-error[i]))
    if softmax:
        for i in range(rows.shape[0]):
            error[i] /= total
    error[target] -= 1
    d_v[:] = 0
    for i in range(rows.shape[0]):
        step = rate * error[i]
        for d in range(v_c.shape[0]):
            d_v[d] += error[i] * W_out[rows[i], d]
            W_out[rows[i], d] -= step * v_c[d]
    for d in range(v_c.shape[0]):
        v_c[d] -= rate * d_v[d]


def _verify(V: int = 50) -> None:
    """Compare one step of each loss with the oracle's gradient."""
    rng = np.random.default_rng(0)
    v = rng.normal(size=D).astype(np.float32) / 8
    W = rng.normal(size=(V, D)).astype(np.float32) / 8
    ids = np.array([3, 7, 9, 7, 20, 49])
    for softmax, rows, target in ((True, np.arange(V), 3), (False, ids, 0)):
        _, d_v, d_W = (
            softmax_loss(v.astype(float), 3, W.astype(float))
            if softmax
            else negative_sampling_loss(v.astype(float), 3, ids[1:], W.astype(float))
        )
        new_v, new_W = v.copy(), W.copy()
        scratch = np.empty(len(rows), np.float32), np.empty(D, np.float32)
        _step(new_v, new_W, rows, *scratch, target, np.float32(LEARNING_RATE), softmax)
        # A word drawn twice is updated twice, the second time from its new row: to first order.
        np.testing.assert_allclose(new_W, W - LEARNING_RATE * d_W, atol=1e-6)
        np.testing.assert_allclose(new_v, v - LEARNING_RATE * d_v, atol=2e-4)


def _steps(V: int) -> tuple[Step, Step]:
    """A softmax step, and a negative-sampling step on other random rows at each call."""
    rng = np.random.default_rng(V)
    v = rng.normal(size=D).astype(np.float32) / D
    W = rng.normal(size=(V, D)).astype(np.float32) / D
    everyone, error, d_v = np.arange(V), np.empty(V, np.float32), np.empty(D, np.float32)
    draws, rate = rng.integers(0, V, size=(4096, 1 + K)), np.float32(LEARNING_RATE)
    few, turn = np.empty(1 + K, np.float32), iter(range(10**12))

    def softmax() -> None:
        _step(v, W, everyone, error, d_v, int(draws[next(turn) % 4096, 0]), rate, True)

    def sampling() -> None:
        _step(v, W, draws[next(turn) % 4096], few, d_v, 0, rate, False)

    return softmax, sampling


def _seconds(step: Step) -> float:
    """Seconds of one step, from as many as fill the time."""
    count, spent = 1, 0.0
    while spent < SECONDS_A_TIMING:
        start = time.perf_counter()
        for _ in range(count):
            step()
        spent = time.perf_counter() - start
        count *= 2
    return spent / (count // 2)


def _call_seconds() -> float:
    """Seconds that Python and Numba take to call a step that has nothing to do."""
    v, W = np.zeros(0, np.float32), np.zeros((1, 0), np.float32)
    rows, scratch = np.zeros(1, np.int64), np.zeros(1, np.float32)
    rate = np.float32(LEARNING_RATE)
    return _seconds(lambda: _step(v, W, rows, scratch, v, 0, rate, False))


def measure() -> dict[str, Any]:
    """Seconds of a step of each loss, by V, in turns; the cost of the call itself taken off."""
    _verify()
    overhead = min(_call_seconds() for _ in range(5))
    points: list[dict[str, Any]] = []
    for V in VOCABULARIES:
        softmax, sampling = _steps(V)
        softmax(), sampling()
        rounds = [(_seconds(softmax), _seconds(sampling)) for _ in range(ROUNDS)]
        net = [(a - overhead, b - overhead) for a, b in rounds]
        points.append(
            {
                "V": V,
                "softmax_seconds": spread([a for a, _ in net]),
                "negative_sampling_seconds": spread([b for _, b in net]),
                "ratio": spread([a / b for a, b in net]),
                "multiply_adds_ratio": V / (1 + K),
            }
        )
        print(f"V = {V:7,}: {points[-1]['ratio']['median']:9.1f} times")
    settings = {"D": D, "K": K, "rounds": ROUNDS, "threads": 1, "dtype": "float32"}
    return circumstances() | {"settings": settings, "call_seconds": overhead, "points": points}


def draw(record: dict[str, Any]) -> None:
    """Write the figure and the table into ``docs/derivations``."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "loss-cost"  # the same bytes from the same figures
    from matplotlib import pyplot as plt

    points = record["points"]
    V = [point["V"] for point in points]
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.loglog(V, [p["multiply_adds_ratio"] for p in points], "--", label="V / (1 + K)")
    axes.loglog(V, [p["ratio"]["median"] for p in points], "o-", label="measured")
    axes.set_xlabel("V, words in the vocabulary")
    axes.set_ylabel("softmax / negative sampling, time of a step")
    axes.set_title(f"D = {record['settings']['D']}, K = {record['settings']['K']}")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    figure.savefig(DERIVATIONS / "loss-cost.svg", metadata={"Date": None})
    rows = [
        f"| {p['V']:,} | {1e6 * p['softmax_seconds']['median']:,.1f} µs "
        f"| {1e6 * p['negative_sampling_seconds']['median']:,.2f} µs "
        f"| {p['ratio']['median']:,.0f} | {p['multiply_adds_ratio']:,.0f} |\n"
        for p in points
    ]
    head = "| V | softmax | negative sampling | ratio | V / (1 + K) |\n|---:|---:|---:|---:|---:|\n"
    page = DERIVATIONS / "cost.md"
    text = page.read_text("utf-8")
    page.write_text(_TABLE.sub(lambda m: m[1] + head + "".join(rows) + m[2], text), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--draw", action="store_true", help="measure nothing; use the JSON")
    if not parser.parse_args().draw:
        write_json("loss-cost.json", measure())
    draw(json.loads((RESULTS / "loss-cost.json").read_text("utf-8")))


if __name__ == "__main__":
    main()
