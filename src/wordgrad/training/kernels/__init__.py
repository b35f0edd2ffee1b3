"""Loops that Numba compiles, and where their machine code is kept.

The kernels, from the outside in; each file tells its design in its first lines:

=============  =======================================================  ======================
file           what it does                                             called by
=============  =======================================================  ======================
span.py        train on a span of tokens, or on given windows           engines/
rounds.py      the same in rounds: plan, train, merge                   engines/deterministic.py
window.py      take one window's gradient step; a thread's memory       span.py, rounds.py
batch.py       loss and step of any batch: multi-row inputs, signs      engines/, validation.py
subwords.py    compose word vectors of rows, and hand on their change   engines/subwords.py
draw.py        which pairs: subsampling, windows, negatives             span.py, rounds.py,
                                                                        sampling.py
huffman.py     the tree of the hierarchical softmax                      sampling.py, window.py
random.py      the one generator of random numbers, SplitMix64          draw.py, classification
tiles.py       score and update rows of W_in and W_out in registers     window.py
intrinsics.py  memory by address, atomic counters, vector instructions  every kernel
softmax.py     the exact softmax: errors, Adagrad, expected counts      engines/block_softmax.py,
                                                                        engines/pair_counts.py
cuda.py        draw windows and take their steps on a CUDA card         engines/cuda.py
cuda_softmax   the exact softmax between its products on a CUDA card    engines/cuda_softmax.py
=============  =======================================================  ======================

To change what a window learns, open ``window.py``; which windows there are, ``draw.py``; how fast
a row is multiplied, ``tiles.py``.
"""
