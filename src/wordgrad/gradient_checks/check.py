"""A claim, its witnesses, and the verdict.

A claim about a gradient: one oracle at one point, for algebra and for differences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np

from wordgrad.gradient_checks.algebra import Oracle, Point, Symbolic, derivative_error
from wordgrad.maths import check_gradients

Witness = Callable[[], float]

BOUNDS = {"algebra": 1e-12, "numbers": 1e-6, "machine": 4e-6}
"""The largest error that passes: rounding in float64, of differences, and in float32."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One formula, where it is derived, and who can testify to it.

    Attributes
    ----------
    formula : str
    document : str
        A page of ``docs/`` with its section: ``derivations/softmax.md#jacobian``.
    algebra, numbers, machine : callable or None
        Each returns its largest error, to be compared with :data:`BOUNDS`; None where a witness
        has nothing to say: no kernel computes a softmax, for example.
    """

    formula: str
    document: str
    algebra: Witness | None = None
    numbers: Witness | None = None
    machine: Witness | None = None


@dataclass(frozen=True, slots=True)
class Testimony:
    """What one witness said.

    Attributes
    ----------
    error : float or None
        The largest error; None if the witness was not heard.
    passed : bool or None
    absence : str
        Why it was not heard: ``"none"`` if the claim has no such witness, or ``"not installed"``.
    """

    error: float | None = None
    passed: bool | None = None
    absence: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A claim with its three testimonies; it passes if one was heard and none failed."""

    claim: Claim
    algebra: Testimony
    numbers: Testimony
    machine: Testimony

    @property
    def passed(self) -> bool:
        """Whether at least one witness was heard, and all who were heard agree."""
        heard = [t.passed for t in (self.algebra, self.numbers, self.machine) if not t.absence]
        return bool(heard) and all(heard)


def algebra_is_installed() -> bool:
    """Whether SymPy is there; it comes with ``pip install 'wordgrad[test]'``."""
    return find_spec("sympy") is not None


def prove(claim: Claim) -> Verdict:
    """Hear every witness of ``claim``."""
    algebra = _hear(claim.algebra, "algebra")
    return Verdict(claim, algebra, _hear(claim.numbers, "numbers"), _hear(claim.machine, "machine"))


def _hear(witness: Witness | None, kind: str) -> Testimony:
    if witness is None:
        return Testimony(absence="none")
    if kind == "algebra" and not algebra_is_installed():
        return Testimony(absence="not installed")
    error = witness()
    return Testimony(error, passed=error <= BOUNDS[kind])  # NaN does not pass


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
