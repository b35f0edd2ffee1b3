"""The settings that every program of a comparison shares, and nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum


class Program(StrEnum):
    """What is compared."""

    wordgrad = "wordgrad"
    gensim = "gensim"
    fasttext = "fasttext"


class Architecture(StrEnum):
    """Which words predict which, under the names all three programs share in spirit."""

    skipgram = "skipgram"
    cbow = "cbow"


@dataclass(frozen=True)
class Settings:
    """One training run, in words that mean the same to every program.

    ``learning_rate=None`` leaves the rate to the program, which is right where only speed counts.
    """

    architecture: Architecture = Architecture.skipgram
    vector_size: int = 100
    epochs: int = 1
    learning_rate: float | None = None
    seed: int = 1
    threads: int = 2
    window: int = 5
    negative: int = 5
    sample: float = 1e-4
    min_count: int = 5

    @property
    def name(self) -> str:
        """A short name for people and files, such as ``skipgram-d100-e1``."""
        return f"{self.architecture}-d{self.vector_size}-e{self.epochs}"

    def to_json(self) -> str:
        """One line of JSON, the form in which settings reach a child process."""
        return json.dumps(asdict(self))
