"""Exceptions, and the argument checks shared by every public entry point.

Every message is one sentence that names the thing, the rule it broke, the value given and the
remedy.  All exceptions derive from :class:`WordgradError`, so that a caller (the command line
above all) can tell an expected failure from a defect.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from numbers import Integral, Real


class WordgradError(Exception):
    """Base of every error that wordgrad raises on purpose."""


class ParameterError(WordgradError, ValueError):
    """A hyper-parameter or an argument is outside its range."""


class InputError(WordgradError, ValueError):
    """The text, or a file, cannot be used as it is."""


class FormatError(InputError):
    """A file does not hold what its format promises."""


class CutShortError(FormatError, EOFError):
    """A file ends before all that it promises."""


class OutputError(WordgradError, OSError):
    """A result cannot be written to its output."""


class UnknownWordError(WordgradError, KeyError):
    """A word is not in the vocabulary."""

    def __str__(self) -> str:
        # KeyError shows repr(args[0]); a sentence should be read as a sentence.
        return str(self.args[0]) if self.args else ""


class SkippedWordsWarning(UserWarning):
    """Words were left out because they are not in the vocabulary.

    Parameters
    ----------
    words : sequence of str
        The words left out; the attribute ``words`` keeps them.
    total : int
        How many words there were.

    >>> str(SkippedWordsWarning(["xyzzy"], 3))
    "1 of 3 words was left out because it is not in the vocabulary: 'xyzzy'."
    """

    SHOWN = 5

    def __init__(self, words: Sequence[str], total: int) -> None:
        self.words = tuple(words)
        shown = ", ".join(map(repr, self.words[: self.SHOWN]))
        more = ", ..." if len(self.words) > self.SHOWN else ""
        one = len(self.words) == 1
        verb, pronoun = ("was", "it is") if one else ("were", "they are")
        super().__init__(
            f"{len(self.words)} of {total} words {verb} left out because "
            f"{pronoun} not in the vocabulary: "
            f"{shown}{more}."
        )


class FormatWarning(UserWarning):
    """A file was read, and something in it was not as its format has it; the message counts."""


class DamagedCheckpointWarning(UserWarning):
    """The newest checkpoint of a training could not be read, so the one before it is used."""


class TrainingWarning(UserWarning):
    """A training learns little or nothing; the message says why, and what helps."""


class UnknownTextsWarning(UserWarning):
    """Texts hold no word of the vocabulary, so that their vectors are zero; the message counts."""


class TrainingError(WordgradError, RuntimeError):
    """Training cannot continue (divergence, an engine that failed)."""


class ClusterError(WordgradError, RuntimeError):
    """A cluster is not there, is not fit for the work, or has lost too much of it."""


def check_int(
    name: str, value: object, *, minimum: int | None = None, maximum: int | None = None
) -> int:
    """Return ``value`` as ``int``, or raise :class:`ParameterError` naming the allowed range.

    >>> check_int("window", 5, minimum=1)
    5
    >>> check_int("window", 0, minimum=1)
    Traceback (most recent call last):
        ...
    wordgrad.errors.ParameterError: window must be an integer >= 1, got 0.
    """
    rule = "an integer" + _range(minimum, maximum)
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ParameterError(f"{name} must be {rule}, got {value!r}.")
    number = int(value)
    if (minimum is not None and number < minimum) or (maximum is not None and number > maximum):
        raise ParameterError(f"{name} must be {rule}, got {number}.")
    return number


def check_real(
    name: str,
    value: object,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    word: str = "",
) -> float:
    """Return ``value`` as a finite ``float``, or raise :class:`ParameterError`.

    ``minimum`` and ``maximum`` are inclusive, ``above`` is exclusive.  ``word`` is what the caller
    takes instead of a number; the message offers it.

    >>> check_real("sample", 1e-4, minimum=0.0)
    0.0001
    >>> check_real("learning_rate", float("nan"), above=0.0)
    Traceback (most recent call last):
        ...
    wordgrad.errors.ParameterError: learning_rate must be a finite number > 0, got nan.
    """
    rule = (f'"{word}" or ' if word else "") + "a finite number" + _range(minimum, maximum)
    if above is not None:
        rule += f" > {above:g}" if minimum is None and maximum is None else f" and > {above:g}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ParameterError(f"{name} must be {rule}, got {value!r}.")
    number = float(value)
    outside = (
        not math.isfinite(number)
        or (minimum is not None and number < minimum)
        or (maximum is not None and number > maximum)
        or (above is not None and number <= above)
    )
    if outside:
        raise ParameterError(f"{name} must be {rule}, got {number:g}.")
    return number


def check_bool(name: str, value: object) -> bool:
    """Return ``value`` if it is True or False, or raise :class:`ParameterError`.

    >>> check_bool("reproducible", "yes")
    Traceback (most recent call last):
        ...
    wordgrad.errors.ParameterError: reproducible must be True or False, got 'yes'.
    """
    if not isinstance(value, bool):
        raise ParameterError(f"{name} must be True or False, got {value!r}.")
    return value


def check_share(name: str, value: object, *, above: float | None = None) -> float:
    """Return ``value`` as a ``float`` in [0, 1), or in (0, 1) if ``above=0``.

    >>> check_share("dropout", 1)
    Traceback (most recent call last):
        ...
    wordgrad.errors.ParameterError: dropout must be a number in [0, 1), got 1.
    """
    inside = "(0, 1)" if above is not None else "[0, 1)"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ParameterError(f"{name} must be a number in {inside}, got {value!r}.")
    number = float(value)
    if not 0 <= number < 1 or (above is not None and number <= above):
        raise ParameterError(f"{name} must be a number in {inside}, got {number:g}.")
    return number


def check_choice(name: str, value: object, choices: Collection[str]) -> str:
    """Return ``value`` if it is one of ``choices``, or raise :class:`ParameterError`.

    >>> check_choice("architecture", "glove", ("skipgram", "cbow"))
    Traceback (most recent call last):
        ...
    wordgrad.errors.ParameterError: architecture must be one of 'skipgram', 'cbow', got 'glove'.
    """
    if not isinstance(value, str) or value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ParameterError(f"{name} must be one of {allowed}, got {value!r}.")
    return value


def _range(minimum: float | None, maximum: float | None) -> str:
    low, high = (f"{end:g}" if isinstance(end, float) else str(end) for end in (minimum, maximum))
    if minimum is not None and maximum is not None:
        return f" in [{low}, {high}]"
    if minimum is not None:
        return f" >= {low}"
    if maximum is not None:
        return f" <= {high}"
    return ""
