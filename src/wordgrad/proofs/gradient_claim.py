"""A claim about a gradient: one oracle at one point, for algebra and for differences."""

from __future__ import annotations

from functools import partial

import numpy as np

from wordgrad.maths import check_gradients
from wordgrad.proofs.algebra import Oracle, Point, Symbolic, derivative_error
from wordgrad.proofs.claim import Claim, Witness


def gradient_claim(
    formula: str,
    document: str,
    point: Point,
    oracle: Oracle,
    symbolic: Symbolic,
    machine: Witness | None = None,
) -> Claim:
    """Claim that ``oracle`` returns the loss ``symbolic`` and its gradient, near ``point``.

    Parameters
    ----------
    oracle : callable
        ``oracle(point) -> (loss, gradient)`` through ``wordgrad.maths``.
    symbolic : callable
        The loss as the papers write it, of arrays of SymPy symbols in the place of ``point``.
    """

    def numbers() -> float:
        return check_gradients(oracle, point).largest_error

    return Claim(
        formula,
        f"derivations/{document}",
        algebra=partial(derivative_error, symbolic, oracle, point),
        numbers=numbers,
        machine=machine,
    )


def random_point(seed: int, **shapes: tuple[int, ...]) -> Point:
    """Normal random arrays: at 0 many gradients vanish, and a check there is empty."""
    rng = np.random.default_rng(seed)
    return {name: np.asarray(rng.normal(size=shape)) for name, shape in shapes.items()}
