"""Checkpoints: a training on disk, from which it goes on."""

from __future__ import annotations

from wordgrad.training.checkpoints.checkpoint import Checkpoint, Identity
from wordgrad.training.checkpoints.folder import CheckpointFolder, Saving

__all__ = ["Checkpoint", "CheckpointFolder", "Identity", "Saving"]
