"""Train a network of one hidden layer to read digits, having checked its gradients.

Run it with ``python examples/one_hidden_layer.py``.  It takes some seconds.

The network is a plain function of one flat vector of parameters, so any optimiser can train it:
here L-BFGS of SciPy (Liu and Nocedal, *On the limited memory BFGS method for large scale
optimization*, 1989), on scikit-learn's 1,797 pictures of digits, 8 by 8 pixels.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from wordgrad.maths import OneHiddenLayer, assert_gradients, check_gradients

HIDDEN, DECAY, STEPS = 32, 1e-4, 100

Floats = npt.NDArray[np.float64]


def main() -> None:
    pixels, digits = load_digits(return_X_y=True)
    X, X_test, Y, Y_test = train_test_split(pixels / 16, digits, random_state=0, stratify=digits)
    network = OneHiddenLayer(n_inputs=64, n_hidden=HIDDEN, n_outputs=10, seed=1)
    print(f"{network.n_parameters} parameters: (64 + 1) {HIDDEN} + ({HIDDEN} + 1) 10")

    def loss(flat: Floats) -> tuple[float, Floats]:
        """Mean cross-entropy and a little of the squares, which keeps parameters small."""
        gradients = network.unpack(flat).loss_and_gradients(X, Y)
        return gradients.loss + DECAY / 2 * float(flat @ flat), gradients.pack() + DECAY * flat

    rng = np.random.default_rng(0)
    print(assert_gradients(loss, rng.normal(size=network.n_parameters)).message)

    def wrong(flat: Floats) -> tuple[float, Floats]:
        value, gradient = loss(flat)
        gradient[3:] *= 1.0005  # what a check is for
        return value, gradient

    print(check_gradients(wrong, rng.normal(size=network.n_parameters)).message)

    found = minimize(loss, network.pack(), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    network = network.unpack(found.x)
    print(f"{found.nit} steps of L-BFGS, {found.nfev} calls: loss {found.fun:.4f}")
    for name, inputs, labels in (("trained on", X, Y), ("others", X_test, Y_test)):
        right = (network.forward(inputs).y_hat.argmax(axis=1) == labels).mean()
        print(f"{right:.1%} of {len(labels)} {name} right")


if __name__ == "__main__":
    main()
