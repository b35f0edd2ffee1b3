"""Parameters of the network that reads texts, and its state in training.

A text with the features f_1 .. f_n is seen as the weighted mean of their vectors::

    x = (a_1 v_1 + ... + a_n v_n) / (a_1 + ... + a_n)

and x goes through the network of :mod:`wordgrad.maths.network`.  ``a`` is fixed before training
(see :mod:`wordgrad.classification.weighting`), the vectors are learned with the network: by the
chain rule ``dJ/dv_i = a_i / (a_1 + ... + a_n) dJ/dx``.  A text without features has x = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.bags import Bags
from wordgrad.classification.text_kernels import forward
from wordgrad.maths import OneHiddenLayer

Array32 = NDArray[np.float32]


@dataclass(frozen=True)
class TextNetwork:
    """What is learned, and the weights of the features.

    Attributes
    ----------
    vectors : float32 (R, D)
        One row a feature.
    importance : float32 (R,)
        ``a``, positive.
    W1, b1, W2, b2 : float32 (D, H), (H,), (H, C), (C,)
    """

    vectors: Array32
    importance: Array32
    W1: Array32
    b1: Array32
    W2: Array32
    b2: Array32

    @classmethod
    def initial(
        cls, importance: Array32, vector_size: int, hidden_size: int, n_classes: int, seed: int
    ) -> TextNetwork:
        """Vectors uniform on [-0.1, 0.1), the layers as ``OneHiddenLayer`` starts them."""
        rng = np.random.default_rng([seed, 2])
        vectors = rng.random((len(importance), vector_size), np.float32)
        vectors -= np.float32(0.5)
        vectors *= np.float32(0.2)
        layers = OneHiddenLayer(vector_size, hidden_size, n_classes, seed=seed)
        parts = (layers.W1, layers.b1, layers.W2, layers.b2)
        return cls(vectors, importance, *(part.astype(np.float32) for part in parts))

    def layers(self) -> tuple[Array32, Array32, Array32, Array32]:
        """W1, b1, W2, b2."""
        return self.W1, self.b1, self.W2, self.b2

    def copy(self) -> TextNetwork:
        """Return a network whose parameters no longer change with this one's."""
        arrays = (self.vectors, self.importance, *self.layers())
        return TextNetwork(*(array.copy() for array in arrays))

    def inputs_and_logits(self, bags: Bags) -> tuple[Array32, Array32]:
        """Inputs x ``(N, D)`` and logits ``(N, C)`` of every text."""
        x = np.zeros((len(bags), self.vectors.shape[1]), np.float32)
        logits = np.zeros((len(bags), len(self.b2)), np.float32)
        forward(
            bags.features, bags.offsets, self.vectors, self.importance, *self.layers(), x, logits
        )
        return x, logits

    def exact_layers(self) -> OneHiddenLayer:
        """Return the layers as the float64 network of the mathematics."""
        n_inputs, n_hidden = self.W1.shape
        hidden = OneHiddenLayer(n_inputs, n_hidden, len(self.b2))
        return hidden.unpack(np.concatenate([part.ravel() for part in self.layers()]))
