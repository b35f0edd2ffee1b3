"""docs/derivations/negative-sampling.md, executed for the draws 1, 2, 1 and the target 0."""

import sympy as sp

V, D, TARGET, DRAWS = 4, 2, 0, (1, 2, 1)
v_c = sp.Matrix(sp.symbols("v:2", real=True))
W_out = sp.Matrix(V, D, sp.symbols("u:8", real=True))
s_o, s_k = sp.symbols("s_o s_k", real=True)


def sigma(t):
    return 1 / (1 + sp.exp(-t))


def score(w):
    return (W_out[w, :] * v_c)[0]


J = -sp.log(sigma(score(TARGET))) - sum(sp.log(sigma(-score(k))) for k in DRAWS)
d_input = sp.Matrix([sp.diff(J, symbol) for symbol in v_c])
d_output = sp.Matrix(V, D, [sp.diff(J, symbol) for symbol in W_out])


def same(left, right):
    return sp.simplify(left - right) == sp.zeros(*left.shape)


def test_sign_of_the_loss():
    """negative-sampling.md, first note: J falls where the true pair agrees more."""
    assert sp.simplify(sp.diff(-sp.log(sigma(s_o)), s_o)).is_negative
    assert sp.simplify(sp.diff(+sp.log(sigma(s_o)), s_o)).is_positive
    assert sp.simplify(sp.diff(-sp.log(sigma(-s_k)), s_k)).is_positive


def test_errors():
    """negative-sampling.md, "Errors"."""
    assert sp.simplify(sp.diff(-sp.log(sigma(s_o)), s_o) - (sigma(s_o) - 1)) == 0
    assert sp.simplify(sigma(s_o) - 1 + sigma(-s_o)) == 0
    assert sp.simplify(sp.diff(-sp.log(sigma(-s_k)), s_k) - sigma(s_k)) == 0


def test_gradient_of_the_input_vector():
    """negative-sampling.md, "Gradient of the input vector"."""
    formula = (sigma(score(TARGET)) - 1) * W_out[TARGET, :].T
    for k in DRAWS:
        formula += sigma(score(k)) * W_out[k, :].T
    assert same(d_input, formula)


def test_gradients_of_the_output_vectors():
    """negative-sampling.md, "Gradients of the output vectors"."""
    assert same(d_output[TARGET, :], (sigma(score(TARGET)) - 1) * v_c.T)
    assert same(d_output[2, :], sigma(score(2)) * v_c.T)
    assert d_output[3, :] == sp.zeros(1, D)  # neither target nor drawn


def test_repeated_draws_add_up():
    """negative-sampling.md, "Gradients of the output vectors": word 1 is drawn twice."""
    assert same(d_output[1, :], 2 * sigma(score(1)) * v_c.T)


def test_the_usual_slips_are_wrong():
    """negative-sampling.md, second note."""
    assert not same(d_output[TARGET, :], sigma(score(TARGET)) * v_c.T)
    assert not same(d_output[2, :], sum(sigma(score(k)) for k in DRAWS) * v_c.T)


def test_input_and_output_vectors_together():
    """negative-sampling.md, "Input and output vectors together", for words 0 and 1."""
    V_in, alpha = sp.Matrix(2, D, sp.symbols("p:4", real=True)), sp.symbols("alpha", positive=True)
    v, u = [V_in[w, :].T for w in (0, 1)], [W_out[w, :].T for w in (0, 1)]
    x = [v[w] + alpha * u[w] for w in (0, 1)]
    scores = u[1].dot(v[0]) + u[0].dot(v[1])
    expected = v[0].dot(v[1]) + alpha**2 * u[0].dot(u[1]) + alpha * scores
    assert sp.expand(x[0].dot(x[1]) - expected) == 0
