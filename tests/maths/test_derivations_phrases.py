"""docs/derivations/phrases.md, executed."""

import sympy as sp

from wordgrad.maths import npmi, phrase_score

n, a, b, ab, delta = sp.symbols("N n_a n_b n_ab delta", positive=True)
ratio = (ab / n) / ((a / n) * (b / n))


def test_the_score_is_the_ratio_times_what_the_discount_leaves():
    score = (ab - delta) / (a * b) * n
    assert sp.simplify(score - ratio * (1 - delta / ab)) == 0
    assert score.subs(ab, delta) == 0
    assert sp.diff(score, ab).is_positive
    values = {n: 5000, a: 30, b: 40, ab: 25, delta: 5}
    assert phrase_score(25, 30, 40, 5000, 5) == float(score.subs(values))


def test_npmi_lies_between_minus_one_and_one():
    information = sp.log(ratio) / -sp.log(ab / n)
    apart = information.subs({a: ab, b: ab})  # never apart
    assert sp.simplify(sp.expand_log(apart - 1, force=True)) == 0
    unknown = information.subs(ab, a * b / n)  # as often as chance has it
    assert sp.simplify(unknown) == 0
    assert sp.limit(information.subs({n: 100, a: 10, b: 20}), ab, 0, "+") == -1
    values = {n: 1000, a: 30, b: 40, ab: 25}
    assert abs(npmi(25, 30, 40, 1000) - float(information.subs(values))) < 1e-12
