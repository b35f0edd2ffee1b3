"""Every hyper-parameter of training: its default and its range, in one place."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import cast

from wordgrad.errors import ParameterError, check_bool, check_choice, check_int, check_real

ARCHITECTURES = ("skipgram", "cbow")
LOSSES = ("negative-sampling", "softmax")
COMBINATIONS = ("mean", "sum")
SOFTMAX_OFFSETS = ("unigram", "none")

DEFAULT_LEARNING_RATES = {
    ("skipgram", "mean"): 0.04,
    ("skipgram", "sum"): 0.04,
    ("cbow", "mean"): 0.15,
    ("cbow", "sum"): 0.02,
}
"""Chosen by measurement: see docs/performance.md.  Skip-gram combines nothing."""

SOFTMAX_LEARNING_RATES = {
    ("skipgram", "mean"): 0.1,
    ("skipgram", "sum"): 0.1,
    ("cbow", "mean"): 0.1,
    ("cbow", "sum"): 0.1,
}
"""The same with ``loss="softmax"``, whose steps are Adagrad's."""

DEFAULT_EPOCHS = {
    ("skipgram", "negative-sampling"): 5,
    ("cbow", "negative-sampling"): 5,
    ("skipgram", "softmax"): 15,
    ("cbow", "softmax"): 5,
}
"""Skip-gram's softmax steps once a word and epoch, the others once a window."""

FINAL_LEARNING_RATE = 1e-4
"""Share of the learning rate that is left at the end, as in word2vec.c."""


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of one training, checked.

    Attributes
    ----------
    vector_size : int
        D, the length of a word vector, 1 to 65,536.
    window : int
        m, the largest distance of a context word from the centre, 1 to 10,000.  Each window's
        reach is drawn uniformly from 1..m.
    architecture : {"skipgram", "cbow"}
    loss : {"negative-sampling", "softmax"}
        What is minimised: negative sampling's approximation, or the exact softmax over the whole
        vocabulary.
    negative : int
        K, noise words a window, 1 to 10,000.
    ns_exponent : float
        Noise words are drawn with probability ~ count ** ns_exponent; any finite number.
    sample : float
        Threshold t of subsampling, >= 0: an occurrence of a word with share f of the tokens is
        kept with probability min(1, sqrt(t / f) + t / f).  0 keeps all.
    epochs : int, optional
        Passes over the corpus, >= 1.  The default is :data:`DEFAULT_EPOCHS`.
    learning_rate : float, optional
        At the start, > 0 and at most 1e30 (steps are float32); it falls linearly to 1/10,000 of
        this.  The default depends on the architecture: :data:`DEFAULT_LEARNING_RATES`, or with
        the softmax :data:`SOFTMAX_LEARNING_RATES`.
    combine : {"mean", "sum"}
        How CBOW combines its context vectors.
    workers : int, optional
        Threads, 1 to 1024; by default one for each core that this process may use.
    seed : int
        >= 0.  With ``workers=1`` the same seed gives the same bytes on the same kind of processor
        (the order of a sum depends on the width of its vector registers).
    reproducible : bool
        Whether the same seed is to give the same bytes for any number of workers.
    softmax_offset : {"unigram", "none"}
        What is added to the softmax's logits: log p(w), or nothing.
    tolerance : float
        A softmax training ends after an epoch that lowered the loss by less than this share of it;
        in [0, 1), and 0 never ends it early.
    max_hours : float
        A softmax training that would last longer, by an estimate made before it begins, is refused;
        > 0.

    Raises
    ------
    ParameterError
        Naming the parameter, its range and the value got.

    Examples
    --------
    >>> TrainingConfig(architecture="cbow").learning_rate
    0.15
    >>> TrainingConfig(window=0)
    Traceback (most recent call last):
        ...
    wordgrad.errors.ParameterError: window must be an integer in [1, 10000], got 0.
    """

    vector_size: int = 100
    window: int = 5
    architecture: str = "skipgram"
    loss: str = "negative-sampling"
    negative: int = 5
    ns_exponent: float = 0.75
    sample: float = 1e-4
    epochs: int = cast("int", None)  # filled in below, so never None
    learning_rate: float | None = None
    combine: str = "mean"
    workers: int | None = None
    seed: int = 1
    reproducible: bool = False
    softmax_offset: str = "unigram"
    tolerance: float = 1e-4
    max_hours: float = 24.0

    def __post_init__(self) -> None:
        """Check every value; fill in the defaults that depend on others."""
        check_choice("architecture", self.architecture, ARCHITECTURES)
        check_choice("loss", self.loss, LOSSES)
        check_choice("combine", self.combine, COMBINATIONS)
        check_choice("softmax_offset", self.softmax_offset, SOFTMAX_OFFSETS)
        rates = SOFTMAX_LEARNING_RATES if self.loss == "softmax" else DEFAULT_LEARNING_RATES
        rate = self.learning_rate
        if rate is None:
            rate = rates[self.architecture, self.combine]
        epochs: int | None = self.epochs
        if epochs is None:
            epochs = DEFAULT_EPOCHS[self.architecture, self.loss]
        checked = {
            "vector_size": check_int("vector_size", self.vector_size, minimum=1, maximum=65536),
            "window": check_int("window", self.window, minimum=1, maximum=10_000),
            "negative": check_int("negative", self.negative, minimum=1, maximum=10_000),
            "ns_exponent": check_real("ns_exponent", self.ns_exponent),
            "sample": check_real("sample", self.sample, minimum=0.0),
            "epochs": check_int("epochs", epochs, minimum=1),
            "learning_rate": check_real("learning_rate", rate, maximum=1e30, above=0.0),
            "workers": _workers(self.workers),
            "seed": check_int("seed", self.seed, minimum=0),
            "reproducible": check_bool("reproducible", self.reproducible),
            "tolerance": _tolerance(self.tolerance),
            "max_hours": check_real("max_hours", self.max_hours, above=0.0),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def initial_rate(self) -> float:
        """The learning rate at the start, never None."""
        return float(self.learning_rate or 0.0)

    @property
    def threads(self) -> int:
        """The number of threads, never None."""
        return int(self.workers or 1)

    def learning_rate_at(self, progress: float) -> float:
        """Return the learning rate after a share ``progress`` of all tokens: linear, with a floor.

        ``lr = lr_0 * max(1 - progress, 1/10,000)``
        """
        return self.initial_rate * max(1.0 - progress, FINAL_LEARNING_RATE)

    def as_dict(self) -> dict[str, object]:
        """Return the settings as plain values, for a file's metadata."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _tolerance(tolerance: float) -> float:
    if check_real("tolerance", tolerance, minimum=0.0) < 1.0:
        return float(tolerance)
    raise ParameterError(f"tolerance must be a number in [0, 1), got {tolerance:g}.")


def _workers(workers: int | None) -> int:
    if workers is not None:
        return check_int("workers", workers, minimum=1, maximum=1024)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
