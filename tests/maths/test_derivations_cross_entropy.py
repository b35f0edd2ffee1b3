"""docs/derivations/cross-entropy.md, executed for three classes and any labels."""

import sympy as sp

theta = sp.symbols("theta:3", real=True)
Z = sum(sp.exp(t) for t in theta)
y_hat = [sp.exp(t) / Z for t in theta]
y_0, y_1 = sp.symbols("y_0 y_1", positive=True)
y = [y_0, y_1, 1 - y_0 - y_1]  # any labels that sum to 1
J = -sum(y[i] * sp.log(y_hat[i]) for i in range(3))


def same(left, right):
    return sp.simplify(left - right) == 0


def test_loss_in_terms_of_the_scores():
    """cross-entropy.md, "The loss in terms of the scores"."""
    other = sp.log(Z) - sum(y[i] * theta[i] for i in range(3))
    assert same(sp.expand(sp.expand_log(J, force=True)), sp.expand(other))


def test_gradient():
    """cross-entropy.md, "Gradient"."""
    for k in range(3):
        assert same(sp.diff(J, theta[k]), y_hat[k] - y[k])


def test_gradient_by_the_chain_rule():
    """cross-entropy.md, "Gradient", through the Jacobian; and with labels that do not sum to 1."""
    free = sp.symbols("y:3", positive=True)
    for labels in (y, free):
        for k in range(3):
            chain = -sum(
                labels[i] / y_hat[i] * y_hat[i] * ((1 if i == k else 0) - y_hat[k])
                for i in range(3)
            )
            assert same(chain, y_hat[k] * sum(labels) - labels[k])
    loss = -sum(free[i] * sp.log(y_hat[i]) for i in range(3))
    assert same(sp.diff(loss, theta[0]), y_hat[0] * sum(free) - free[0])
    assert not same(sp.diff(loss, theta[0]), y_hat[0] - free[0])


def test_mean_over_a_batch():
    """cross-entropy.md, "A batch": two rows of two classes, with classes 0 and 1."""
    t = sp.Matrix(2, 2, sp.symbols("t:4", real=True))
    truth = sp.eye(2)
    rows = [[sp.exp(t[n, i]) / (sp.exp(t[n, 0]) + sp.exp(t[n, 1])) for i in (0, 1)] for n in (0, 1)]
    mean = -sum(truth[n, i] * sp.log(rows[n][i]) for n in (0, 1) for i in (0, 1)) / 2
    for n in (0, 1):
        for i in (0, 1):
            assert same(sp.diff(mean, t[n, i]), (rows[n][i] - truth[n, i]) / 2)


def test_temperature():
    """cross-entropy.md, "Temperature": derivatives for the scale of the scores."""
    beta = sp.Symbol("beta", positive=True)
    powers = [sp.exp(beta * t) for t in theta]
    shares = [power / sum(powers) for power in powers]
    mean = sum(share * t for share, t in zip(shares, theta, strict=True))
    square = sum(share * t**2 for share, t in zip(shares, theta, strict=True))
    for label in range(3):
        loss = -sp.log(shares[label])
        assert same(sp.diff(loss, beta), mean - theta[label])
        assert same(sp.diff(loss, beta, 2), square - mean**2)


def test_one_class_against_all_others():
    """cross-entropy.md, "One class against all others", for any labels."""
    free = sp.symbols("y:3", positive=True)
    shares = [1 / (1 + sp.exp(-t)) for t in theta]
    terms = [-(y * sp.log(s) + (1 - y) * sp.log(1 - s)) for y, s in zip(free, shares, strict=True)]
    for k in range(3):
        plain = sp.log(1 + sp.exp(theta[k])) - free[k] * theta[k]
        assert same(sp.diff(terms[k] - plain, theta[k]), 0)
        assert same((terms[k] - plain).subs(theta[k], 0), 0)
        assert same(sp.diff(sum(terms), theta[k]), shares[k] - free[k])
        pair = [sp.exp(theta[k]) / (sp.exp(theta[k]) + 1), 1 / (sp.exp(theta[k]) + 1)]
        two = -(free[k] * sp.log(pair[0]) + (1 - free[k]) * sp.log(pair[1]))
        assert same(sp.diff(two, theta[k]), sp.diff(terms[k], theta[k]))


def test_labels_that_share_a_target():
    """cross-entropy.md, "Several labels through one softmax": classes 0 and 2 of three."""
    shared = -sum(sp.log(y_hat[i]) for i in (0, 2)) / 2
    for k in range(3):
        assert same(sp.diff(shared, theta[k]), y_hat[k] - sp.Rational(int(k != 1), 2))
        alone = [sp.diff(-sp.log(y_hat[i]), theta[k]) for i in (0, 2)]
        assert same(sum(alone) / 2, sp.diff(shared, theta[k]))
