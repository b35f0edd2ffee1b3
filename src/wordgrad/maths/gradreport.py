"""What a gradient check found, and what to say about it."""

from __future__ import annotations

from dataclasses import dataclass

from wordgrad.errors import WordgradError


class GradientError(WordgradError, AssertionError):
    """A gradient that differs from its central differences; ``report`` says where."""

    def __init__(self, report: GradientReport) -> None:
        super().__init__(report.message)
        self.report = report


@dataclass(frozen=True, slots=True)
class GradientReport:
    """What :func:`check_gradients` found.

    Attributes
    ----------
    passed : bool
        Whether ``largest_error`` is at most ``tolerance``.
    largest_error : float
        The largest relative error over all that was compared.
    where : str
        Where it is, such as ``x['W1'][3, 2]``, or ``x along random direction 4``.
    analytic, numeric : float
        The two derivatives there.
    tolerance : float
    compared : int
        Number of coordinates, or of directions, that were compared.
    failed : int
        How many of them are above ``tolerance``.
    message : str
        All this in one sentence, with a hint if the check failed.
    """

    passed: bool
    largest_error: float
    where: str
    analytic: float
    numeric: float
    tolerance: float
    compared: int
    failed: int
    message: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two derivatives at one place, and their relative error."""

    where: str
    analytic: float
    numeric: float
    error: float

    @classmethod
    def of(cls, where: str, analytic: float, numeric: float, floor: float) -> Comparison:
        """Comparison with the error relative to the larger derivative, or to ``floor`` > 0."""
        scale = max(abs(analytic), abs(numeric), floor)
        return cls(where, analytic, numeric, abs(analytic - numeric) / scale)


def report_of(found: list[Comparison], tolerance: float, unit: str) -> GradientReport:
    """Report on all comparisons; ``unit`` is what they are, "coordinates" or "directions"."""
    worst = max(found, key=lambda comparison: comparison.error)
    failed = sum(comparison.error > tolerance for comparison in found)
    message = (
        f"Gradient check passed: the largest relative error of {len(found)} {unit} is "
        f"{worst.error:.3g}, at {worst.where}."
    )
    if failed:
        message = (
            f"Gradient check failed at {worst.where}: analytic {worst.analytic:.8g}, numeric "
            f"{worst.numeric:.8g}, relative error {worst.error:.3g} > {tolerance:g}; {failed} of "
            f"{len(found)} {unit} fail. {_hint(worst)}"
        )
    return GradientReport(
        passed=failed == 0,
        largest_error=worst.error,
        where=worst.where,
        analytic=worst.analytic,
        numeric=worst.numeric,
        tolerance=tolerance,
        compared=len(found),
        failed=failed,
        message=message,
    )


def _hint(worst: Comparison) -> str:
    if worst.analytic == 0:
        return "The analytic gradient is 0 there: a term is missing."
    if worst.numeric == 0:
        return "The loss does not depend on x there, or f works on a copy of x."
    ratio = worst.analytic / worst.numeric
    if round(ratio, 2) == -1:
        return "The sign is wrong there."
    if times := _multiple(ratio):
        return f"The analytic one is {times} times the numeric: a sum for a mean?"
    if times := _multiple(1 / ratio):
        return f"The numeric one is {times} times the analytic: a mean for a sum?"
    return "If f has a kink near x, move x; if it bends sharply, try a smaller step."


def _multiple(ratio: float) -> int | None:
    """The integer > 1 that ``ratio`` is, to two decimals; None if it is none."""
    nearest = round(ratio)
    return nearest if nearest > 1 and round(ratio, 2) == nearest else None
