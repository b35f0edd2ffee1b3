"""Claims about the network of one hidden layer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from wordgrad import maths
from wordgrad.proofs import algebra
from wordgrad.proofs.algebra import Point
from wordgrad.proofs.claim import Claim
from wordgrad.proofs.function_claims import LABELS
from wordgrad.proofs.gradient_claim import gradient_claim, random_point


def network_claims() -> list[Claim]:
    """Every gradient of the network, and the number of its parameters."""
    network = maths.OneHiddenLayer(2, 3, 2)
    whole = random_point(5, X=(3, 2), W1=(2, 3), b1=(3,), W2=(3, 2), b2=(2,))

    def oracle(names: tuple[str, ...], x: Point) -> tuple[float, Point]:
        full = {**whole, **x}
        flat = np.concatenate([full[name].ravel() for name in ("W1", "b1", "W2", "b2")])
        gradients = network.unpack(flat).loss_and_gradients(full["X"], LABELS, "sum")
        return gradients.loss, {name: getattr(gradients, f"d_{name}") for name in names}

    def symbolic(x: Mapping[str, Any]) -> Any:
        full = {name: algebra.exact(array) for name, array in whole.items()} | dict(x)
        return algebra.network_loss(full, LABELS)

    claims = [
        gradient_claim(
            f"network: {formula}",
            f"one-hidden-layer.md#{section}",
            {name: whole[name] for name in names},
            partial(oracle, names),
            symbolic,
        )
        for formula, section, names in (
            ("∂J/∂W₂ = hᵀ δ₂, ∂J/∂b₂ = Σ δ₂", "output-layer", ("W2", "b2")),
            ("∂J/∂W₁ = Xᵀ δ₁, ∂J/∂b₁ = Σ δ₁", "hidden-layer", ("W1", "b1")),
            ("∂J/∂X = δ₁ W₁ᵀ", "inputs", ("X",)),
        )
    ]
    count = Claim(
        "network: (Dx + 1) H + (H + 1) Dy parameters",
        "derivations/one-hidden-layer.md#how-many-parameters",
        numbers=_count_error,
    )
    return [*claims, count]


def _count_error() -> float:
    sizes = [(Dx, H, Dy) for Dx in (1, 2, 7) for H in (1, 5) for Dy in (1, 3)]
    networks = [maths.OneHiddenLayer(*size) for size in sizes]
    return float(max(abs(network.n_parameters - network.pack().size) for network in networks))
