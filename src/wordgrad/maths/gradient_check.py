"""Comparison of any gradient, of any function, with central differences of its loss.

Derived in ``docs/derivations/gradient-check.md``.  Two central differences, with steps h and h/2,
are combined so that their errors of order h^2 cancel (Richardson, 1911)::

    D(h) = (f(x + h) - f(x - h)) / 2h          R = (4 D(h/2) - D(h)) / 3 = f'(x) + O(h^4)

The relative error of an entry is ``|analytic - numeric| / max(|analytic|, |numeric|, floor)``.
The floor is the rounding to expect of f, ``32 eps max(1, |f|) / h``, over the tolerance, and not 1
as is customary: a small gradient that is wrong shall fail too.

The point x is a tree: an array, or dicts, lists and tuples of arrays.  Its arrays, the leaves, are
moved where they are, entry by entry or along random directions, and put back to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgrad.errors import ParameterError, WordgradError, check_int, check_real
from wordgrad.maths.validation import as_finite

EVERY_COORDINATE_UP_TO = 2_000
DEFAULT_DIRECTIONS = 20
SMALLEST_STEP = 1e-6
ROUNDING = 32 * float(np.finfo(np.float64).eps)

Function = Callable[[Any], tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class GradientReport:
    """Outcome of :func:`check_gradients`.

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


class GradientError(WordgradError, AssertionError):
    """A gradient that differs from its central differences; ``report`` says where."""

    def __init__(self, report: GradientReport) -> None:
        super().__init__(report.message)
        self.report = report


def check_gradients(
    f: Function,
    x: Any,
    *,
    step: float = 1e-3,
    tolerance: float = 1e-6,
    directions: int | None = None,
) -> GradientReport:
    """Compare the gradient that ``f`` returns with central differences of its loss.

    Parameters
    ----------
    f : callable
        ``f(x)`` returns ``(loss, gradient)``; the gradient is built as ``x`` is. It may also ignore
        its argument and read the arrays of ``x`` where they are: they are changed in place.
    x : float64 array, or a dict, list or tuple of such, nested as you like
        The point; choose a random one, since at 0 many gradients vanish. It is put back to the
        last bit, whatever happens.
    step : float > 0
        h; an entry x_i beyond 1,000 moves by ``1e-6 |x_i|`` if that is more, lest h is rounded off.
    tolerance : float > 0
        The largest relative error that passes.
    directions : int >= 1, optional
        Compare along so many random directions of each array, instead of every coordinate.
        By default every coordinate of up to 2,000 is compared, and 20 directions beyond.

    Returns
    -------
    GradientReport

    Raises
    ------
    ParameterError
        If ``x`` or the gradient is not made as above, the loss is not one finite float64, ``f``
        changes ``x``, or two calls at the same point differ, as with a function that draws new
        random numbers at every call.

    Notes
    -----
    Each coordinate takes four calls of ``f``.

    Examples
    --------
    >>> def half_square(x):
    ...     return 0.5 * (x * x).sum(), x
    >>> check_gradients(half_square, np.array([1.0, -2.0])).passed
    True
    >>> report = check_gradients(lambda x: (0.5 * (x * x).sum(), -x), np.array([1.0, -2.0]))
    >>> print(report.message)
    Gradient check failed at x[0]: analytic -1, numeric 1, relative error 2 > 1e-06; \
2 of 2 coordinates fail. The sign is wrong there.
    """
    step = check_real("step", step, above=0.0)
    tolerance = check_real("tolerance", tolerance, above=0.0)
    if directions is not None:
        directions = check_int("directions", directions, minimum=1)
    leaves = _leaves_of(x)
    try:
        point = _Point(f, x, leaves)
        if directions is None and sum(leaf.array.size for leaf in leaves) > EVERY_COORDINATE_UP_TO:
            directions = DEFAULT_DIRECTIONS
        if directions is None:
            found = list(_coordinates(point, step, tolerance))
        else:
            found = list(_directions(point, step, tolerance, directions))
        point.evaluate_again()
    finally:
        for leaf in leaves:
            leaf.restore()
    return _report_of(found, tolerance, "coordinates" if directions is None else "directions")


def assert_gradients(
    f: Function,
    x: Any,
    *,
    step: float = 1e-3,
    tolerance: float = 1e-6,
    directions: int | None = None,
) -> GradientReport:
    """:func:`check_gradients`, raising if the check fails: for tests.

    Raises
    ------
    GradientError
        An ``AssertionError`` with the report's message, and the report as ``error.report``.

    Examples
    --------
    >>> assert_gradients(lambda x: (x.sum(), np.ones_like(x)), np.array([3.0, 4.0])).compared
    2
    """
    report = check_gradients(f, x, step=step, tolerance=tolerance, directions=directions)
    if not report.passed:
        raise GradientError(report)
    return report


# ---------------------------------------------------------------- the point: a tree of arrays


@dataclass(frozen=True, slots=True, eq=False)
class _Leaf:
    """One array of the point that is checked: its name (``x['W1']``) and its values at first."""

    name: str
    array: npt.NDArray[np.float64]
    saved: npt.NDArray[np.float64]

    def restore(self) -> None:
        """Put the array back to the last bit."""
        self.array[...] = self.saved


def _leaves_of(x: Any) -> list[_Leaf]:
    """Every array of ``x``; refused unless each is float64, finite, writable and apart from others.

    >>> [leaf.name for leaf in _leaves_of({"W": np.zeros(2), "b": [np.zeros(1)]})]
    ["x['W']", "x['b'][0]"]
    """
    arrays = [(name, _checked(name, array)) for name, array in _walk("x", x)]
    leaves = [_Leaf(name, array, array.copy()) for name, array in arrays]
    if not any(leaf.array.size for leaf in leaves):
        raise ParameterError("x must hold at least one number, got none.")
    for one, other in combinations(leaves, 2):
        if np.shares_memory(one.array, other.array):
            raise ParameterError(
                f"x must hold each array once, but {one.name} and {other.name} share memory."
            )
    return leaves


def _gradient_of(gradient: Any, x: Any, leaves: list[_Leaf]) -> list[npt.NDArray[np.float64]]:
    """The arrays of ``gradient`` in the order of ``leaves``, refused unless built as ``x`` is."""
    # An array may come as nested lists, which are no tree here.
    found = [("x", gradient)] if isinstance(x, np.ndarray) else list(_walk("x", gradient))
    names, wanted = [name for name, _ in found], [leaf.name for leaf in leaves]
    if sorted(names) != sorted(wanted):
        raise ParameterError(f"the gradient must have the parts {wanted} of x, got {names}.")
    arrays = dict(found)
    return [
        as_finite(f"the gradient of {leaf.name}", arrays[leaf.name], shape=leaf.array.shape).astype(
            np.float64
        )
        for leaf in leaves
    ]


def _walk(name: str, tree: Any) -> list[tuple[str, Any]]:
    if isinstance(tree, Mapping):
        children = [(f"{name}[{key!r}]", child) for key, child in tree.items()]
    elif isinstance(tree, list | tuple):
        children = [(f"{name}[{i}]", child) for i, child in enumerate(tree)]
    else:
        return [(name, tree)]
    return [leaf for child_name, child in children for leaf in _walk(child_name, child)]


def _checked(name: str, array: Any) -> npt.NDArray[np.float64]:
    if not isinstance(array, np.ndarray) or array.dtype != np.float64:
        got = f"dtype {array.dtype}" if hasattr(array, "dtype") else type(array).__name__
        raise ParameterError(
            f"{name} must be a float64 array, got {got} (use np.array(..., dtype=np.float64))."
        )
    if not array.flags.writeable:
        raise ParameterError(f"{name} must be writable, got a read-only array (pass a copy).")
    as_finite(name, array)
    return array


# ---------------------------------------------------------------- the function at the point


class _Point:
    """f at x: its loss and gradient there, refused unless they are usable and repeatable."""

    def __init__(self, f: Function, x: Any, leaves: list[_Leaf]) -> None:
        self.f, self.x, self.leaves = f, x, leaves
        self.loss, self.gradients = self._evaluate()
        self.evaluate_again()

    def evaluate_again(self) -> None:
        """Refuse a function that changes x, or that gives another result at the same x."""
        for leaf in self.leaves:
            if not np.array_equal(leaf.array, leaf.saved):
                raise ParameterError(f"f must not change its argument, but it changed {leaf.name}.")
        loss, gradients = self._evaluate()
        same = _same(loss, self.loss) and all(map(_same, gradients, self.gradients))
        if not same:
            raise ParameterError(
                "f must return the same loss and gradient at the same x, got a loss of "
                f"{self.loss!r} and then {loss!r} (fix the seed inside f if it draws random "
                "numbers, and keep no state between calls)."
            )

    def parts(self) -> Iterator[tuple[_Leaf, npt.NDArray[np.float64]]]:
        """Each array of x with its analytic gradient."""
        return zip(self.leaves, self.gradients)  # noqa: B905  (_gradient_of made them alike)

    def loss_here(self) -> float:
        """Loss at the current, perturbed, values of x."""
        return _loss(self.f(self.x))[0]

    def _evaluate(self) -> tuple[float, list[npt.NDArray[np.float64]]]:
        loss, gradient = _loss(self.f(self.x))
        return loss, _gradient_of(gradient, self.x, self.leaves)


def _loss(result: Any) -> tuple[float, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        raise ParameterError(
            f"f must return a tuple (loss, gradient), got {type(result).__name__}."
        )
    loss = np.asarray(result[0])
    if loss.ndim or loss.dtype.kind not in "iuf" or loss.dtype.itemsize < 8:
        raise ParameterError(
            f"f must return its loss as one float64, got dtype {loss.dtype}, shape {loss.shape}."
        )
    if not np.isfinite(loss):
        raise ParameterError(f"f must return a finite loss, got {float(loss)} (choose another x).")
    return float(loss), result[1]


def _same(one: npt.ArrayLike, other: npt.ArrayLike) -> bool:
    """Equal but for the order of a threaded sum."""
    a, b = np.asarray(one), np.asarray(other)
    return bool((np.abs(a - b) <= 1e-12 * np.abs(a).max(initial=1.0)).all())


# ---------------------------------------------------------------- differences


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two derivatives at one place, and their relative error."""

    where: str
    analytic: float
    numeric: float
    error: float

    @classmethod
    def of(cls, where: str, analytic: float, numeric: float, floor: float) -> _Comparison:
        """_Comparison with the error relative to the larger derivative, or to ``floor`` > 0."""
        scale = max(abs(analytic), abs(numeric), floor)
        return cls(where, analytic, numeric, abs(analytic - numeric) / scale)


def _coordinates(point: _Point, step: float, tolerance: float) -> Iterator[_Comparison]:
    for leaf, gradient in point.parts():
        for index in np.ndindex(leaf.array.shape):
            numeric, noise = _derivative(point, leaf.array, index, 1.0, step)
            where = leaf.name + (f"[{', '.join(map(str, index))}]" if index else "")
            yield _Comparison.of(where, float(gradient[index]), numeric, noise / tolerance)


def _directions(point: _Point, step: float, tolerance: float, count: int) -> Iterator[_Comparison]:
    rng = np.random.default_rng(0)  # the same directions in every run
    for leaf, gradient in point.parts():
        root = math.sqrt(max(1, gradient.size))
        # What a random direction sees of the gradient; much less is chance, no small derivative.
        typical = float(np.linalg.norm(gradient)) / root
        for number in range(count):
            direction = rng.choice([-1.0, 1.0], size=gradient.shape) / root
            numeric, noise = _derivative(point, leaf.array, ..., direction, step)
            where = f"{leaf.name} along random direction {number}"
            analytic = float((gradient * direction).sum())
            yield _Comparison.of(where, analytic, numeric, max(noise / tolerance, typical))


def _derivative(
    point: _Point,
    array: npt.NDArray[np.float64],
    part: Any,
    direction: float | npt.NDArray[np.float64],
    step: float,
) -> tuple[float, float]:
    """Derivative along ``direction`` of ``array[part]``, and the rounding error to expect of it."""
    centre = array[part].copy()
    h = max(step, SMALLEST_STEP * float(np.abs(centre).max(initial=0.0)))
    losses = []
    for t in (h, -h, h / 2, -h / 2):
        array[part] = centre + t * direction
        losses.append(point.loss_here())
    array[part] = centre
    far, near = (losses[0] - losses[1]) / (2 * h), (losses[2] - losses[3]) / h
    return (4 * near - far) / 3, ROUNDING * max(1.0, *map(abs, losses)) / h


# ---------------------------------------------------------------- the report


def _report_of(found: list[_Comparison], tolerance: float, unit: str) -> GradientReport:
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


def _hint(worst: _Comparison) -> str:
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
