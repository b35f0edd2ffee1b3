"""A text classifier once it is trained: features and network, to ask and to save."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.bags import Bags, tokenise
from wordgrad.classification.dense_network import softmax_rows
from wordgrad.classification.explaining import contributions
from wordgrad.classification.features import Features
from wordgrad.classification.model_file import read_model, write_model
from wordgrad.classification.ngrams import RANGES
from wordgrad.classification.text_network import TextNetwork
from wordgrad.errors import FormatError


@dataclass(frozen=True)
class TextModel:
    """What turns texts into probabilities.

    Attributes
    ----------
    features : Features
    network : TextNetwork
    pattern : str or None
    lowercase : bool
        How texts are split into tokens; see :class:`~wordgrad.text.tokens.Tokenizer`.
    """

    features: Features
    network: TextNetwork
    pattern: str | None
    lowercase: bool

    def bags(self, texts: Sequence[str]) -> Bags:
        """Features of the texts."""
        return self.features.bags(tokenise(texts, pattern=self.pattern, lowercase=self.lowercase))

    def probabilities(self, bags: Bags) -> NDArray[np.float64]:
        """Probability of every class: float64 (N, C), rows sum to 1."""
        return softmax_rows(self.network.inputs_and_logits(bags)[1].astype(np.float64))

    def explain(self, text: str, label: int | None) -> list[tuple[str, float]]:
        """Tokens of a text with their contributions to a class, by default the most probable."""
        tokens = tokenise([text], pattern=self.pattern, lowercase=self.lowercase)
        if label is None:
            label = int(self.probabilities(self.features.bags(tokens))[0].argmax())
        values = contributions(self.network, self.features, tokens, label)
        words = [tokens.types[i] for i in tokens.ids.tolist()]
        return list(zip(words, values.tolist(), strict=True))

    def save(
        self,
        path: str | os.PathLike[str],
        labels: list[str],
        history: list[dict[str, Any]],
        *,
        overwrite: bool,
    ) -> None:
        """Write to a safetensors file; see :mod:`wordgrad.classification.model_file`."""
        features = self.features
        settings = {
            "pattern": self.pattern,
            "lowercase": self.lowercase,
            "common": features.common,
            "prefix": features.prefix,
            "ngrams": features.ngrams,
            "buckets": features.buckets,
            # Without seconds: the same training gives the same file.
            "history": [{k: v for k, v in row.items() if k != "seconds"} for row in history],
        }
        arrays = self.network.tensors() | {"hashes": features.hashes}
        strings = {"words": features.words, "beginnings": features.beginnings, "labels": labels}
        write_model(path, arrays, strings, settings, overwrite=overwrite)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str]
    ) -> tuple[TextModel, list[str], list[dict[str, Any]]]:
        """Model, labels and history of a file that :meth:`save` wrote."""
        arrays, strings, settings = read_model(path)
        if not _are_settings(settings):
            raise FormatError(
                f"{path} is damaged: its settings are not those of a classifier; train again, or "
                "fetch an undamaged copy."
            )
        features = Features(
            strings["words"],
            settings["common"],
            strings["beginnings"],
            settings["prefix"],
            arrays["hashes"],
            settings["ngrams"],
            settings["buckets"],
        )
        network = TextNetwork.of(arrays)
        model = cls(features, network, settings["pattern"], settings["lowercase"])
        return model, strings["labels"], settings["history"]


def _are_settings(found: dict[str, Any]) -> bool:
    ranges = RANGES | {"common": (0, 1 << 62)}
    numbers = all(
        type(found.get(name)) is int and least <= found[name] <= most
        for name, (least, most) in ranges.items()
    )
    pattern = found.get("pattern", 0)
    return (
        numbers
        and isinstance(found.get("lowercase"), bool)
        and (pattern is None or isinstance(pattern, str))
        and isinstance(found.get("history"), list)
    )
