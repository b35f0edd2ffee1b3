"""What is called while a model trains."""

from __future__ import annotations

from typing import Any


class CallbackAny2Vec:
    """Base of what is called at the ends and beginnings of epochs and trainings.

    ``model`` is the live model: its vectors are those of that moment.
    """

    def on_epoch_begin(self, model: Any) -> None:
        """Before each epoch."""

    def on_epoch_end(self, model: Any) -> None:
        """After each epoch."""

    def on_train_begin(self, model: Any) -> None:
        """Before the first epoch."""

    def on_train_end(self, model: Any) -> None:
        """After the last epoch."""
