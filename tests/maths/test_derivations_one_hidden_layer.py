"""docs/derivations/one-hidden-layer.md, executed for two rows, two inputs, two units, two classes.

The derivatives are SymPy's, of the loss as it is written down.  They are compared with the matrix
formulas at a point of rational numbers in 40 digits: simplifying a nest of exponentials takes
minutes and says no more.
"""

import mpmath
import sympy as sp

B = DX = H = DY = 2


def matrix(name, rows, columns):
    return sp.Matrix(rows, columns, sp.symbols(f"{name}:{rows * columns}", real=True))


X, W1, b1 = matrix("x", B, DX), matrix("p", DX, H), matrix("q", 1, H)
W2, b2, Y = matrix("r", H, DY), matrix("s", 1, DY), matrix("y", B, DY)
ones = sp.ones(B, 1)

z1 = X * W1 + ones * b1
h = z1.applyfunc(lambda t: 1 / (1 + sp.exp(-t)))
z2 = h * W2 + ones * b2
y_hat = sp.Matrix(B, DY, lambda n, i: sp.exp(z2[n, i]) / sum(sp.exp(z2[n, j]) for j in range(DY)))
J = -sum(Y[n, i] * sp.log(y_hat[n, i]) for n in range(B) for i in range(DY))

delta_2 = y_hat - Y
sigma_1 = h.applyfunc(lambda s: s * (1 - s))
delta_1 = (delta_2 * W2.T).multiply_elementwise(sigma_1)

POINT = {
    symbol: sp.Rational((7 * k) % 23 - 11, 9)
    for k, symbol in enumerate([*X, *W1, *b1, *W2, *b2], start=1)
} | {Y[0, 0]: sp.Rational(1, 4), Y[0, 1]: sp.Rational(3, 4), Y[1, 0]: 1, Y[1, 1]: 0}


def distance(parameters, formula, loss=J):
    """Largest difference between the derivative of the loss and a formula for it."""
    derivative = [sp.diff(loss, symbol) for symbol in parameters]
    evaluate = sp.lambdify(list(POINT), [derivative, list(formula)], "mpmath", cse=True)
    with mpmath.workdps(40):
        values = [mpmath.mpf(value.p) / value.q for value in map(sp.Rational, POINT.values())]
        return max(abs(left - right) for left, right in zip(*evaluate(*values), strict=True))


def test_output_layer():
    """one-hidden-layer.md, "Output layer"."""
    assert distance(W2, h.T * delta_2) < 1e-35
    assert distance(b2, ones.T * delta_2) < 1e-35


def test_hidden_layer():
    """one-hidden-layer.md, "Hidden layer"."""
    assert distance(W1, X.T * delta_1) < 1e-35
    assert distance(b1, ones.T * delta_1) < 1e-35


def test_inputs():
    """one-hidden-layer.md, "Inputs"."""
    assert distance(X, delta_1 * W1.T) < 1e-35


def test_without_a_hidden_layer():
    """one-hidden-layer.md, "Without a hidden layer": X takes the place of h."""
    logits = X * W2 + ones * b2
    shares = sp.Matrix(
        B, DY, lambda n, i: sp.exp(logits[n, i]) / sum(sp.exp(logits[n, j]) for j in range(DY))
    )
    loss = -sum(Y[n, i] * sp.log(shares[n, i]) for n in range(B) for i in range(DY))
    delta = shares - Y
    assert distance(W2, X.T * delta, loss) < 1e-35
    assert distance(b2, ones.T * delta, loss) < 1e-35
    assert distance(X, delta * W2.T, loss) < 1e-35


def test_vectors_of_the_words():
    """one-hidden-layer.md, "Vectors of the words"."""
    counts, weights = sp.Matrix([[1, 2, 0], [0, 1, 1]]), sp.Matrix([3, sp.Rational(1, 2), 1])
    sums = counts * weights
    A = sp.Matrix(B, 3, lambda n, f: counts[n, f] * weights[f] / sp.sqrt(sums[n]))
    V = matrix("v", 3, DX)
    inside = dict(zip(X, A * V, strict=True))
    derivative = [sp.diff(J.subs(inside), symbol) for symbol in V]
    formula = (A.T * delta_1 * W1.T).subs(inside)
    point = {symbol: value for symbol, value in POINT.items() if symbol not in set(X)}
    point |= {symbol: sp.Rational((5 * k) % 17 - 8, 7) for k, symbol in enumerate(V, start=1)}
    evaluate = sp.lambdify(list(point), [derivative, list(formula)], "mpmath", cse=True)
    with mpmath.workdps(40):
        values = [mpmath.mpf(value.p) / value.q for value in map(sp.Rational, point.values())]
        pairs = zip(*evaluate(*values), strict=True)
        assert max(abs(left - right) for left, right in pairs) < 1e-35


def test_the_other_layers_derivative_is_wrong():
    """one-hidden-layer.md, "Where written solutions go wrong"."""
    sigma_2 = z2.applyfunc(lambda t: sp.exp(-t) / (1 + sp.exp(-t)) ** 2)
    wrong = (delta_2 * W2.T).multiply_elementwise(sigma_2)
    assert distance(W1, X.T * wrong) > 1e-3
    assert distance(W2, h.T * delta_2.multiply_elementwise(sigma_2)) > 1e-3
    assert distance(b1, ones.T * delta_1 / B) > 1e-3  # a mean of the rows, not their sum


def test_parameter_count():
    """one-hidden-layer.md, "How many parameters"."""
    Dx, units, Dy = sp.symbols("Dx H Dy", positive=True, integer=True)
    count = Dx * units + units + units * Dy + Dy  # W1, b1, W2, b2
    assert sp.expand((Dx + 1) * units + (units + 1) * Dy - count) == 0
    assert count.subs({Dx: DX, units: H, Dy: DY}) == sum(map(len, (W1, b1, W2, b2)))
