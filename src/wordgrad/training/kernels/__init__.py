"""Loops that Numba compiles, and where their machine code is kept.

The kernels, from the outside in; each file tells its design in its first lines:

============  =======================================================  ======================
file          what it does                                             called by
============  =======================================================  ======================
span.py       train on a span of tokens, or on given windows           engines/
rounds.py     the same in rounds: plan, train, merge                   engines/deterministic.py
window.py     take one window's gradient step                          span.py, rounds.py
batch.py      loss and step of any batch: multi-row inputs, signs      engines/, validation.py
workspace.py  a thread's private memory, as the kernels see it         engines/
draw.py       which pairs: subsampling, windows, negatives             span.py, rounds.py,
                                                                       sampling.py
random.py     the one generator of random numbers, SplitMix64          draw.py, classification
tiles.py      score and update rows of W_in and W_out in registers     window.py
simd.py       emit vector instructions for the tiles                   tiles.py, rounds.py
memory.py     numbers by address, atomic counters                      span.py, rounds.py, ...
softmax.py    the exact softmax: errors, Adagrad, expected counts      engines/block_softmax.py,
                                                                       engines/pair_counts.py
============  =======================================================  ======================

To change what a window learns, open ``window.py``; which windows there are, ``draw.py``; how fast
a row is multiplied, ``tiles.py``.
"""
