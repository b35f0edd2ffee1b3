"""Gradient descent, with momentum, and Adam: how a gradient becomes a step."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

OPTIMISERS = ("adam", "momentum", "sgd")
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class Optimiser(Protocol):
    """Changes parameters in place."""

    def step(self, parameters: Floats, gradient: Floats, learning_rate: float) -> None:
        """Take one step; ``gradient`` may be overwritten."""


class Sgd:
    """``parameters -= learning_rate * gradient``."""

    def step(self, parameters: Floats, gradient: Floats, learning_rate: float) -> None:
        """Take one step; ``gradient`` is overwritten."""
        gradient *= learning_rate
        parameters -= gradient


class Momentum:
    """``velocity = momentum * velocity - learning_rate * gradient; parameters += velocity``.

    Polyak, *Some methods of speeding up the convergence of iteration methods*, 1964.
    """

    def __init__(self, like: Floats, momentum: float) -> None:
        self._velocity = np.zeros_like(like)
        self._momentum = momentum

    def step(self, parameters: Floats, gradient: Floats, learning_rate: float) -> None:
        """Take one step; ``gradient`` is overwritten."""
        gradient *= learning_rate
        self._velocity *= self._momentum
        self._velocity -= gradient
        parameters += self._velocity


class Adam:
    """Kingma and Ba, *Adam: a method for stochastic optimization*, 2015, algorithm 1.

    Its usual constants: 0.9, 0.999 and 1e-8.
    """

    def __init__(self, like: Floats) -> None:
        self._mean = np.zeros_like(like)
        self._square = np.zeros_like(like)
        self._room = np.empty_like(like)
        self._steps = 0

    def step(self, parameters: Floats, gradient: Floats, learning_rate: float) -> None:
        """Take one step; ``gradient`` is overwritten."""
        self._steps += 1
        room = self._room
        self._mean *= BETA_1
        np.multiply(gradient, 1 - BETA_1, out=room)
        self._mean += room
        self._square *= BETA_2
        gradient *= gradient
        gradient *= 1 - BETA_2
        self._square += gradient
        # m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps), the scalars gathered
        root = float(np.sqrt(1 - BETA_2**self._steps))
        np.sqrt(self._square, out=room)
        room += EPSILON * root
        np.divide(self._mean, room, out=room)
        room *= learning_rate * root / (1 - BETA_1**self._steps)
        parameters -= room


def make_optimiser(name: str, like: Floats, momentum: float) -> Optimiser:
    """Return the optimiser of one of the names in :data:`OPTIMISERS`."""
    if name == "adam":
        return Adam(like)
    return Momentum(like, momentum) if name == "momentum" else Sgd()
