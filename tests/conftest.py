"""Settings of the whole suite."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
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


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An object store on this machine, found by the environment: moto's, where it is installed."""
    pytest.importorskip("s3fs")
    program = shutil.which("moto_server")
    if program is None:
        pytest.skip("moto_server is not installed (pip install 'moto[server,s3]')")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as asking:
                if asking.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.skip("moto_server does not start")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait()
