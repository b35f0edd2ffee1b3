"""Fit a network of one hidden layer to two moons, having checked its gradients.

Run it with ``python examples/one_hidden_layer.py``.  It takes a second.
"""

import numpy as np
import numpy.typing as npt

from wordgrad.maths import OneHiddenLayer, assert_gradients, check_gradients

STEPS, LEARNING_RATE = 2_000, 2.0

Floats = npt.NDArray[np.float64]


def two_moons(n: int, rng: np.random.Generator) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Draw n points on two half circles that reach into one another, and which of the two it is."""
    angle, moon = rng.uniform(0, np.pi, size=n), np.arange(n) % 2
    x = np.where(moon == 0, np.cos(angle), 1 - np.cos(angle))
    y = np.where(moon == 0, np.sin(angle), 0.5 - np.sin(angle))
    return np.column_stack([x, y]) + rng.normal(scale=0.1, size=(n, 2)), moon


def main() -> None:
    rng = np.random.default_rng(0)
    X, Y = two_moons(300, rng)
    network = OneHiddenLayer(n_inputs=2, n_hidden=8, n_outputs=2, seed=1)
    print(f"{network.n_parameters} parameters: (2 + 1) 8 + (8 + 1) 2")

    def loss(flat: Floats) -> tuple[float, Floats]:
        gradients = network.unpack(flat).loss_and_gradients(X, Y)
        return gradients.loss, np.asarray(gradients.pack())

    print(assert_gradients(loss, rng.normal(size=network.n_parameters)).message)

    def wrong(flat: Floats) -> tuple[float, Floats]:
        value, gradient = loss(flat)
        gradient[3] *= 1.0005  # what a check is for
        return value, gradient

    print(check_gradients(wrong, rng.normal(size=network.n_parameters)).message)

    for step in range(STEPS + 1):
        gradients = network.loss_and_gradients(X, Y)
        if step % (STEPS // 4) == 0:
            right = (network.forward(X).y_hat.argmax(axis=1) == Y).mean()
            print(f"step {step:4}: loss {gradients.loss:.4f}, {right:.1%} right")
        network = network.unpack(network.pack() - LEARNING_RATE * gradients.pack())


if __name__ == "__main__":
    main()
