"""What the compiled code of the text network is given: arrays and numbers by name."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array32 = NDArray[np.float32]


class NetworkArrays(NamedTuple):
    """Parameters; ``W1`` to ``b2`` are views of ``layers``, in this order.

    vectors : float32 (R, D); importance : float32 (R,); W1 : float32 (D, H); W2 : float32 (H, C).
    """

    vectors: Array32
    importance: Array32
    layers: Array32
    W1: Array32
    b1: Array32
    W2: Array32
    b2: Array32


class StateArrays(NamedTuple):
    """What training keeps beside the parameters.

    squares : float32 (R,), Adagrad's sums.
    slot : int32 (R,), a row's place among those that the batch met.
    rows, owners : int32 (F,); shares : float32 (F,); d_rows : float32 (F, D)
        The rows met and their gradients (see meet_rows), for batches of F features.
    d_x : float32 (B, D); norms : float32 (B,)
        Each text's gradient of x, and the sum of its squares.
    d_layers, means, mean_squares : float32 as ``layers``: gradients and Adam's averages.
    steps : int64 (1,), taken so far.
    """

    squares: Array32
    slot: NDArray[np.int32]
    rows: NDArray[np.int32]
    owners: NDArray[np.int32]
    shares: Array32
    d_rows: Array32
    d_x: Array32
    norms: Array32
    d_layers: Array32
    d_W1: Array32
    d_b1: Array32
    d_W2: Array32
    d_b2: Array32
    means: Array32
    mean_squares: Array32
    steps: NDArray[np.int64]


class Rates(NamedTuple):
    """Numbers of a training: float32, ``steps_all`` int."""

    vectors: np.float32
    layers: np.float32
    l2: np.float32
    smoothing: np.float32
    drop: np.float32
    steps_all: int
