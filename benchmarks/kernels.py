"""Where the time of a window goes: the multiply-adds, each tile, the drawing, all together.

    python benchmarks/kernels.py wiki8.txt

One thread.  Every part is timed in turn, many times over, and its fastest time reported: what is
asked is what the processor can do, not how busy it was.  "In cache" means 300 rows, which fit into
the second-level cache, so that what a whole run takes beyond it is the cost of memory.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from machine import RESULTS, circumstances
from numba import njit
from texts import sha256

from wordgrad.corpus.corpus import encode_corpus
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.kernels.intrinsics import LANES, store_int64
from wordgrad.training.kernels.tiles import score_tile, update_tile
from wordgrad.training.kernels.window import Workspace
from wordgrad.training.parameters import Parameters, row_floats
from wordgrad.training.sampling import Batch, SamplingTables, Span, draw_batch

N_WORDS = 300
N_WINDOWS = 10_000
CONTEXT = 6  # the mean number of context words with window = 5
OUTPUTS = 6  # the target and 5 negatives
TURNS, ALL, RATE = 62, 63, np.float32(1e-9)  # bits of a target and 5 negatives; no padding
ROUNDS = 15
TOKENS = 400_000


@njit(nogil=True)  # type: ignore[untyped-decorator]
def _tiles(
    rows: Any, outputs: Any, W_in: Any, W_out: Any, n_floats: Any, ws: Any, score: Any, update: Any
) -> None:
    """Score, or update, or both, the windows given by ids; 2 x 6 tiles and one 6-row update."""
    for b in range(rows.shape[0]):
        for k in range(CONTEXT):
            store_int64(ws.rows, k, W_in + np.int64(rows[b, k]) * n_floats * 4)
        for k in range(OUTPUTS):
            store_int64(ws.outputs, k, W_out + np.int64(outputs[b, k]) * n_floats * 4)
        if score:
            for c in range(0, CONTEXT, 2):
                place = ws.steps + 4 * c * OUTPUTS
                score_tile(
                    2, 6, ws.rows + 8 * c, ws.outputs, n_floats, TURNS, ALL, RATE, place, ws.sums
                )
        if update:
            update_tile(
                6, ws.rows, ws.rows, ws.rows, CONTEXT, ws.outputs, n_floats, ws.steps, ws.outputs
            )


def _fastest(parts: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Run the parts in turn, ROUNDS times; return each one's least seconds."""
    least = dict.fromkeys(parts, float("inf"))
    for part in parts.values():
        part()
    for _ in range(ROUNDS):
        for name, part in parts.items():
            began = time.perf_counter()
            part()
            least[name] = min(least[name], time.perf_counter() - began)
    return least


def _in_cache(vector_size: int) -> dict[str, float]:
    """Nanoseconds a window of 6 context words, its rows in cache."""
    rng = np.random.default_rng(1)
    n_floats = row_floats(vector_size)
    parameters = Parameters.initial(N_WORDS, N_WORDS, vector_size, seed=1)
    contexts = np.array([rng.permutation(N_WORDS)[:CONTEXT] for _ in range(N_WINDOWS)], np.int32)
    targets = np.array([rng.permutation(N_WORDS)[:OUTPUTS] for _ in range(N_WINDOWS)], np.int32)
    batches = {
        name: Batch.from_windows(
            contexts.ravel(), np.arange(N_WINDOWS + 1) * CONTEXT, targets, architecture=name
        )
        for name in ("skipgram", "cbow")
    }
    workspace = Workspace(
        window_rows=CONTEXT, negative=OUTPUTS - 1, n_floats=n_floats, span_tokens=1
    )
    workspace.set_learning_rate(1e-9)
    rows = parameters.W_in_rows.ctypes.data, parameters.W_out_rows.ctypes.data
    engines = {
        name: HogwildEngine(TrainingConfig(vector_size=vector_size, architecture=name))
        for name in ("skipgram", "cbow")
    }

    def tiles(score: bool, update: bool) -> None:
        workspace.clear_loss()
        _tiles(contexts, targets, *rows, n_floats, workspace.addresses, score, update)

    def apply(name: str) -> None:
        engines[name].apply_batch(parameters, batches[name], 1e-9)

    seconds = _fastest(
        {
            "score tiles": lambda: tiles(True, False),
            "update tile": lambda: tiles(False, True),
            "both": lambda: tiles(True, True),
            "skip-gram window": lambda: apply("skipgram"),
            "CBOW window": lambda: apply("cbow"),
        }
    )
    return {name: 1e9 * value / N_WINDOWS for name, value in seconds.items()}


def _in_training(text: Path, vector_size: int) -> dict[str, float]:
    """Nanoseconds a window of a real text: drawing alone, and everything."""
    with encode_corpus(str(text)) as corpus:
        config = TrainingConfig(vector_size=vector_size)
        tables = SamplingTables(corpus, config)
        span = Span(0, min(TOKENS, len(tables.ids)), 0, 0.025)
        n_windows = len(draw_batch(tables, span, config.window, config.negative))
        parts: dict[str, Callable[[], Any]] = {}
        for name in ("skipgram", "cbow"):
            chosen = TrainingConfig(vector_size=vector_size, architecture=name)
            engine = HogwildEngine(chosen, tables)
            V = len(corpus.vocabulary)
            parameters = Parameters.initial(V, V, vector_size, seed=1)
            parts[f"{name} training"] = partial(engine.run_span, parameters, span)
        parts["drawing, as arrays"] = lambda: draw_batch(
            tables, span, config.window, config.negative
        )
        return {name: 1e9 * value / n_windows for name, value in _fastest(parts).items()}


def main(text: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Measure and write ``results/kernels.json``."""
    result = circumstances() | {"data_sha256": sha256(text), "lanes": LANES, "sizes": {}}
    for vector_size in (100, 300):
        padded = row_floats(vector_size)
        result["sizes"][str(vector_size)] = {
            "multiply_adds_a_window": 3 * CONTEXT * OUTPUTS * padded,
            "bytes_new_a_window": 4 * padded * (1 + OUTPUTS),
            "nanoseconds_in_cache": _in_cache(vector_size),
            "nanoseconds_in_training": _in_training(text, vector_size),
        }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "kernels.json").write_text(json.dumps(result, indent=2) + "\n")
    typer.echo(json.dumps(result["sizes"], indent=2))


if __name__ == "__main__":
    typer.run(main)
