"""docs/derivations/softmax-loss.md, executed for three words of two dimensions."""

import pytest
import sympy as sp

V, D = 3, 2
v_c = sp.Matrix(sp.symbols("v:2", real=True))
W_out = sp.Matrix(V, D, sp.symbols("u:6", real=True))
scores = W_out * v_c
Z = sum(sp.exp(score) for score in scores)
y_hat = sp.Matrix([sp.exp(score) / Z for score in scores])


def loss(o):
    return -sp.log(y_hat[o])


def one_hot(o):
    return sp.Matrix([1 if w == o else 0 for w in range(V)])


def same(left, right):
    return sp.simplify(left - right) == sp.zeros(*left.shape)


@pytest.mark.parametrize("o", range(V))
def test_gradient_of_the_input_vector(o):
    """softmax-loss.md, "Gradient of the input vector"."""
    gradient = sp.Matrix([sp.diff(loss(o), symbol) for symbol in v_c])
    assert same(gradient, W_out.T * (y_hat - one_hot(o)))
    expected = sum((y_hat[w] * W_out[w, :].T for w in range(V)), -W_out[o, :].T)
    assert same(gradient, expected)


@pytest.mark.parametrize("o", range(V))
def test_gradients_of_the_output_vectors(o):
    """softmax-loss.md, "Gradients of the output vectors"."""
    gradient = sp.Matrix(V, D, [sp.diff(loss(o), symbol) for symbol in W_out])
    assert same(gradient, (y_hat - one_hot(o)) * v_c.T)
    for w in range(V):
        factor = y_hat[w] - 1 if w == o else y_hat[w]
        assert same(gradient[w, :], factor * v_c.T)


def test_a_sum_over_the_vocabulary_is_wrong():
    """softmax-loss.md, "Where written solutions go wrong"."""
    gradient = sp.Matrix([[sp.diff(loss(0), symbol) for symbol in W_out[1, :]]])
    assert not same(gradient, sum(y_hat) * v_c.T)
    assert not same(gradient, (sum(y_hat) - y_hat[0]) * v_c.T)
