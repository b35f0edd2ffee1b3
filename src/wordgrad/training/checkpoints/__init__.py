"""Checkpoints: a training on disk, from which it goes on."""

from __future__ import annotations

from wordgrad.training.checkpoints.checkpoint import Checkpoint, Identity
from wordgrad.training.checkpoints.folder import CheckpointFolder, DamagedCheckpointWarning, Saving

__all__ = ["Checkpoint", "CheckpointFolder", "DamagedCheckpointWarning", "Identity", "Saving"]
