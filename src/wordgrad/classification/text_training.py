"""Settings of a text classifier's training: their one home, with their ranges."""

from __future__ import annotations

from dataclasses import dataclass, replace

from wordgrad.errors import ParameterError, check_int, check_real, check_share

STEPS = 100
"""An epoch has at least so many steps, unless there are fewer texts."""


@dataclass(frozen=True)
class TextTraining:
    """How a text classifier is trained.

    Attributes
    ----------
    vector_size, hidden_size : int
        D and H, of all members together.
    members : int
    epochs, batch_size : int
    learning_rate : float
        Of the vectors (Adagrad); it falls linearly to 0.
    l2 : float
        Of vectors and weights; biases are left alone.
    dropout : float in [0, 1)
        Share of a text's features that a step leaves out.
    smoothing : float in [0, 1)
        Share of the target that all classes divide among them.
    train_vectors : bool
    early_stopping : bool
    validation_fraction : float in (0, 1)
    patience : int
        Epochs without a lower validation loss before training stops.
    seed : int

    Raises
    ------
    ParameterError
        If one is out of its range.
    """

    vector_size: int
    hidden_size: int
    members: int
    epochs: int
    batch_size: int
    learning_rate: float
    l2: float
    dropout: float
    smoothing: float
    train_vectors: bool
    early_stopping: bool
    validation_fraction: float
    patience: int
    seed: int

    def __post_init__(self) -> None:
        for name in ("members", "epochs", "batch_size", "patience"):
            check_int(name, getattr(self, name), minimum=1)
        for name in ("vector_size", "hidden_size"):
            check_int(name, getattr(self, name), minimum=1)
            if getattr(self, name) < self.members:
                raise ParameterError(
                    f"{name} must be at least members={self.members}, which divide it among them, "
                    f"got {getattr(self, name)}."
                )
        check_int("seed", self.seed, minimum=0)
        check_real("learning_rate", self.learning_rate, above=0.0)
        check_real("l2", self.l2, minimum=0.0)
        check_share("dropout", self.dropout)
        check_share("smoothing", self.smoothing)
        check_share("validation_fraction", self.validation_fraction, above=0.0)
        for name in ("train_vectors", "early_stopping"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise ParameterError(f"{name} must be True or False, got {value!r}.")

    def for_texts(self, n_texts: int) -> TextTraining:
        """Return the settings with batches so small that an epoch has :data:`STEPS` of them.

        >>> settings = TextTraining(8, 8, 1, 5, 32, 0.1, 0, 0, 0, True, False, 0.1, 3, 1)
        >>> [settings.for_texts(n).batch_size for n in (40, 1000, 3200, 10**6)]
        [1, 10, 32, 32]
        """
        return replace(self, batch_size=min(self.batch_size, max(1, n_texts // STEPS)))

    @property
    def layer_rate(self) -> float:
        """Learning rate of the layers (Adam), which falls with that of the vectors."""
        return self.learning_rate / 5
