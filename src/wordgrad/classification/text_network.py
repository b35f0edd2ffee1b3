"""Parameters of the network that reads texts.

A text with the features f_1 .. f_n is seen as the weighted sum of their vectors, scaled::

    x = (a_1 v_1 + ... + a_n v_n) / sqrt(a_1 + ... + a_n)

and x goes through the network of :mod:`wordgrad.maths.network`.  ``a`` is fixed before training
(see :mod:`wordgrad.classification.weighting`), the vectors are learned with the network: by the
chain rule ``dJ/dv_i = a_i / sqrt(a_1 + ... + a_n) dJ/dx``.  A text without features has x = 0.

Between a sum and a mean lies the root: a long text says more than a short one, but not in
proportion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.classification.bags import Bags
from wordgrad.classification.text_arrays import Array32, NetworkArrays
from wordgrad.classification.text_kernels import forward
from wordgrad.maths import OneHiddenLayer

START = np.float32(0.1)
"""Vectors start uniform on [-START, START)."""


@dataclass(frozen=True)
class TextNetwork:
    """What is learned, and the weights of the features.

    Attributes
    ----------
    vectors : float32 (R, D)
        One row a feature.
    importance : float32 (R,)
        ``a``, positive.
    layers : float32 (P,)
        W1 ``(D, H)``, b1, W2 ``(H, C)`` and b2, row by row, one after another.
    hidden_size, n_classes : int
        H, C.
    """

    vectors: Array32
    importance: Array32
    layers: Array32
    hidden_size: int
    n_classes: int

    @classmethod
    def initial(
        cls, importance: Array32, vector_size: int, hidden_size: int, n_classes: int, seed: int
    ) -> TextNetwork:
        """Random vectors, and layers as :class:`~wordgrad.maths.OneHiddenLayer` starts them."""
        rng = np.random.default_rng([seed, 2])
        vectors = rng.random((len(importance), vector_size), np.float32)
        vectors -= np.float32(0.5)
        vectors *= 2 * START
        layers = OneHiddenLayer(vector_size, hidden_size, n_classes, seed=seed).pack()
        return cls(vectors, importance, layers.astype(np.float32), hidden_size, n_classes)

    @classmethod
    def of(cls, tensors: Mapping[str, NDArray[Any]]) -> TextNetwork:
        """Network with the arrays that :meth:`tensors` names; their shapes fit each other."""
        layers = np.concatenate([tensors[name].ravel() for name in ("W1", "b1", "W2", "b2")])
        hidden_size, n_classes = tensors["W2"].shape
        return cls(tensors["vectors"], tensors["importance"], layers, hidden_size, n_classes)

    @classmethod
    def joined(cls, members: Sequence[TextNetwork]) -> TextNetwork:
        """One network whose logits are the mean of the members' logits.

        Its vectors and hidden units are the members' side by side, its W1 is block-diagonal, and
        its W2 and b2 are theirs over their number.  The members share features and importance.
        """
        n = len(members)
        parts = [member.parts(member.layers) for member in members]
        W1 = np.zeros((sum(len(p[0]) for p in parts), sum(len(p[1]) for p in parts)), np.float32)
        row = column = 0
        for block, *_ in parts:
            W1[row : row + block.shape[0], column : column + block.shape[1]] = block
            row, column = row + block.shape[0], column + block.shape[1]
        layers = [
            W1.ravel(),
            np.concatenate([b1 for _, b1, _, _ in parts]),
            np.concatenate([W2 for _, _, W2, _ in parts]).ravel() / np.float32(n),
            sum(b2 for _, _, _, b2 in parts) / np.float32(n),
        ]
        return cls(
            np.concatenate([member.vectors for member in members], axis=1),
            members[0].importance,
            np.concatenate(layers).astype(np.float32),
            column,
            members[0].n_classes,
        )

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return all arrays by name: vectors, importance, W1, b1, W2, b2."""
        arrays = self.arrays()._asdict()
        del arrays["layers"]
        return arrays

    def arrays(self) -> NetworkArrays:
        """Return what kernels take: the same memory."""
        return NetworkArrays(self.vectors, self.importance, self.layers, *self.parts(self.layers))

    def parts(self, flat: Array32) -> list[Array32]:
        """Views of W1, b1, W2, b2 in an array that is laid out as ``layers``."""
        size, hidden, classes = self.vectors.shape[1], self.hidden_size, self.n_classes
        shapes = [(size, hidden), (hidden,), (hidden, classes), (classes,)]
        cuts = np.cumsum([np.prod(shape) for shape in shapes])[:-1]
        return [
            part.reshape(shape) for part, shape in zip(np.split(flat, cuts), shapes, strict=True)
        ]

    def copy(self) -> TextNetwork:
        """Return a network whose parameters no longer change with this one's."""
        return replace(self, vectors=self.vectors.copy(), layers=self.layers.copy())

    def inputs_and_logits(self, bags: Bags) -> tuple[Array32, Array32]:
        """Inputs x ``(N, D)`` and logits ``(N, C)`` of every text."""
        x = np.zeros((len(bags), self.vectors.shape[1]), np.float32)
        logits = np.zeros((len(bags), self.n_classes), np.float32)
        forward(bags.features, bags.offsets, self.arrays(), x, logits)
        return x, logits

    def exact_layers(self) -> OneHiddenLayer:
        """Return the layers as the float64 network of the mathematics."""
        hidden = OneHiddenLayer(self.vectors.shape[1], self.hidden_size, self.n_classes)
        return hidden.unpack(self.layers)
