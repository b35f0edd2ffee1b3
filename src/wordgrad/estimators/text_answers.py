"""What a trained text classifier is asked, and its file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from wordgrad.classification.text_model import TextModel
from wordgrad.errors import ParameterError


class TextAnswers:
    """The part of :class:`~wordgrad.TextClassifier` that works once there is a model.

    Attributes
    ----------
    classes_ : ndarray (C,)
    vocabulary_ : tuple of str
    history_ : list of dict
    n_iter_ : int
    """

    _model: TextModel
    classes_: NDArray[Any]
    vocabulary_: tuple[str, ...]
    history_: list[dict[str, Any]]
    n_iter_: int

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of every class, in the order of ``classes_``; rows sum to 1.

        Returns
        -------
        float64 (N, C)
        """
        model = self._trained()
        return model.probabilities(model.bags(as_texts(texts)))

    def predict(self, texts: Sequence[str]) -> NDArray[Any]:
        """Most probable label of every text."""
        probabilities = self.predict_proba(texts)
        labels: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def explain(self, text: str, label: Any = None) -> list[tuple[str, float]]:
        r"""How far each token pushed towards a label.

        The gradient of the label's log odds for x (from :math:`dJ/dx`; see
        :func:`~wordgrad.classification.explaining.contributions`) times what the token adds to x:
        its own vector, and an equal part of every n-gram it is in.  An unknown word adds nothing.

        Parameters
        ----------
        text : str
        label : a class, optional
            By default the most probable one.

        Returns
        -------
        list of (token, contribution)
            In the order of the text; positive pushes towards the label.  In nats, to first order.

        Raises
        ------
        ParameterError
            If the label is not a class.
        """
        model = self._trained()
        code = None
        if label is not None:
            found = np.flatnonzero(self.classes_ == label)
            if len(found) == 0:
                raise ParameterError(
                    f"label must be one of {self.classes_.tolist()}, got {label!r}."
                )
            code = int(found[0])
        return model.explain(text, code)

    def _trained(self) -> TextModel:
        if not hasattr(self, "_model"):
            raise NotFittedError("This TextClassifier is not fitted yet; call fit, or load a file.")
        return self._model

    # ---------------------------------------------------------------- files

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write to one safetensors file; labels are kept as strings.

        Raises
        ------
        OutputError
            See :func:`wordgrad.classification.model_file.write_model`.
        """
        labels = [str(label) for label in self.classes_.tolist()] if self._trained() else []
        self._trained().save(path, labels, self.history_, overwrite=overwrite)


def as_texts(texts: Sequence[str]) -> list[str]:
    """Texts as a list; one string is refused, for it would be read letter by letter."""
    if isinstance(texts, str):
        raise ParameterError(
            "texts must be a sequence of strings, got one string; put it in a list."
        )
    return list(texts)
