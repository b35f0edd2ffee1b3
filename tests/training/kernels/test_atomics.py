"""Counters that threads share."""

import threading

import numpy as np

from wordgrad.training.kernels.draw import jit
from wordgrad.training.kernels.intrinsics import fetch_add, load_shared, wait_for


@jit
def add_often(address, n):
    total = 0
    for _ in range(n):
        total += fetch_add(address, 1)
    return total


@jit
def look(address):
    return load_shared(address)


def test_no_addition_is_lost_or_seen_twice():
    counter, n, totals = np.zeros(1, np.int64), 200_000, []
    threads = [
        threading.Thread(target=lambda: totals.append(add_often(counter.ctypes.data, n)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert look(counter.ctypes.data) == 4 * n
    assert sum(totals) == 4 * n * (4 * n - 1) // 2  # each of 0, 1, ... was returned once


def test_waiting_ends_with_the_value_or_the_signal():
    memory = np.zeros(2, np.int64)
    counter, stop = memory.ctypes.data, memory.ctypes.data + 8
    ends = []
    for _ in range(2):
        waiting = threading.Thread(target=lambda: ends.append(wait_for(counter, 1, stop)))
        waiting.start()
        waiting.join(0.02)
        assert waiting.is_alive()
        memory[len(ends)] = 1
        waiting.join(10)
        memory[:] = 0
    assert ends == [True, False]
