"""Settings of the whole suite."""

import hashlib
import os
from pathlib import Path

from hypothesis import settings

# The first example of a run also compiles kernels or loads Polars.
settings.register_profile("wordgrad", deadline=None)
settings.load_profile("wordgrad")


def pytest_configure(config):
    """Keep compiled kernels in a folder of their own for each state of their source code.

    Numba recompiles a function when its own file changes, but not when a file whose code was
    compiled into it does: without this, a fault in a tile would pass the tests from the cache.
    """
    package = Path(__file__).parents[1] / "src" / "wordgrad"
    digest = hashlib.sha256()
    for folder in ("training/engines", "classification"):
        for source in sorted((package / folder).glob("*.py")):
            digest.update(source.read_bytes())
    name = f"kernels-{digest.hexdigest()[:16]}"
    if "NUMBA_CACHE_DIR" in os.environ:
        folder = Path(os.environ["NUMBA_CACHE_DIR"]) / name
    else:
        folder = config.cache.mkdir(name)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
