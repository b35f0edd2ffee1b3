"""What runners have in common that gather nothing and minimise the negative-sampling loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError
from wordgrad.text.held_out import HeldOutText
from wordgrad.training.config import TrainingConfig
from wordgrad.training.history import EpochRecord
from wordgrad.training.parameters import Parameters
from wordgrad.training.validation import NegativeSamplingValidation, Validation


class StatelessRunner:
    """A part of :class:`~wordgrad.training.runners.protocol.Runner`: see there.

    Every random choice follows from the seed, the epoch and the position, so the position is all
    that going on needs.
    """

    config: TrainingConfig
    gradient_norm: float | None = None

    def converged(self, history: Sequence[EpochRecord]) -> bool:
        """Never: the learning rate is to fall to its end."""
        return False

    def vectors(self, parameters: Parameters) -> NDArray[np.float32]:
        """Return the input vectors."""
        return parameters.W_in

    def close(self) -> None:
        """Nothing is kept outside memory."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return nothing."""
        return {}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back nothing."""
        if state:
            raise FormatError(
                f"This checkpoint holds {', '.join(sorted(state))}, which training with these "
                "settings has no use for; it is damaged, or of a newer version of wordgrad."
            )

    def validation(self, text: HeldOutText) -> Validation:
        """Return the measure of the negative-sampling loss on a held-out text."""
        return NegativeSamplingValidation(text, self.config)
