"""Settings of the whole suite."""

import os
import sys
import threading

import numpy as np
from hypothesis import settings

# The first example of a run also compiles kernels or loads Polars.
settings.register_profile("wordgrad", deadline=None)
settings.load_profile("wordgrad")


def mend_the_cuda_simulator() -> None:
    """Let threads of Numba's CUDA simulator agree on shared arrays, and wait for less long.

    Two threads that come to ``cuda.shared.array`` at once may get two arrays there; and the loop
    that waits for them all holds the interpreter's lock.
    """
    from numba.cuda.simulator.kernelapi import FakeCUDAShared
    from numba.np.numpy_support import as_dtype

    lock = threading.Lock()

    def array(self, shape, dtype):
        caller = sys._getframe(1)
        place = caller.f_code.co_filename, caller.f_lineno
        with lock:
            if place not in self._allocations:
                self._allocations[place] = np.empty(shape, as_dtype(dtype))
            return self._allocations[place]

    FakeCUDAShared.array = array
    sys.setswitchinterval(1e-5)


if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
    mend_the_cuda_simulator()
