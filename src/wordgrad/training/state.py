"""Where a training is."""

from __future__ import annotations

from dataclasses import dataclass, field

from wordgrad.training.engines.protocol import Loss
from wordgrad.training.history import EpochRecord


@dataclass
class TrainingState:
    """Position and sums of a training: with the parameters, all that going on needs.

    Random numbers are functions of the seed, the epoch and the position, so the state of the
    generators is the position.

    Attributes
    ----------
    epoch : int
        Epochs that have ended.
    token : int
        Position in the epoch at work: so many tokens of it are done.
    loss : Loss
        Summed over the pairs of the epoch at work, in float64.
    seconds : float
        Wall-clock time that the epoch at work has taken.
    history : list of EpochRecord
        One for each epoch that has ended.
    """

    epoch: int = 0
    token: int = 0
    loss: Loss = field(default_factory=lambda: Loss(0.0, 0))
    seconds: float = 0.0
    history: list[EpochRecord] = field(default_factory=list)

    def end_epoch(self, record: EpochRecord) -> None:
        """Begin the next epoch."""
        self.history.append(record)
        self.epoch, self.token, self.loss, self.seconds = self.epoch + 1, 0, Loss(0.0, 0), 0.0

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, of the least validation loss (the first of equals); 0 if none."""
        losses = [
            (record.validation_loss, record.epoch)
            for record in self.history
            if record.validation_loss is not None
        ]
        return min(losses)[1] if losses else 0
