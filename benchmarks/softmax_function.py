"""Softmax of 4,000 rows of 10,000 numbers: wordgrad's, and SciPy's, in turns.

python benchmarks/softmax_function.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from machine import circumstances, spread, write_json
from scipy import special

from wordgrad import maths

ROWS, COLUMNS, ROUNDS = 4_000, 10_000, 9


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(dtype: npt.DTypeLike) -> dict[str, Any]:
    """Seconds of both, in turns, after the values were compared."""
    x = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(dtype)
    np.testing.assert_allclose(maths.softmax(x), special.softmax(x, axis=-1), rtol=1e-5)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_seconds(lambda: maths.softmax(x)))
        theirs.append(_seconds(lambda: special.softmax(x, axis=-1)))
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return {
        "dtype": np.dtype(dtype).name,
        "wordgrad_seconds": spread(ours),
        "scipy_seconds": spread(theirs),
        "scipy_over_wordgrad": spread(ratios),
    }


def main() -> None:
    results = [measure(dtype) for dtype in (np.float64, np.float32)]
    for result in results:
        ratio = result["scipy_over_wordgrad"]["median"]
        print(f"{result['dtype']}: SciPy takes {ratio:.2f} times as long")
    settings = {"rows": ROWS, "columns": COLUMNS, "rounds": ROUNDS}
    write_json(
        "softmax-function.json", circumstances() | {"settings": settings, "results": results}
    )


if __name__ == "__main__":
    main()
