"""The search against sorting all cosines in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.errors import FormatError, ParameterError
from wordgrad.search import exact as search
from wordgrad.search.exact import ExactIndex, row_norms, unit


def brute_force(matrix, queries, topn, excluded, limit):
    """Every cosine in float64, sorted by (-cosine, row)."""
    matrix = matrix.astype(np.float64)
    lengths = np.sqrt((matrix**2).sum(axis=1))
    answers = []
    for number, query in enumerate(queries):
        pairs = []
        for row in range(min(limit, len(matrix))):
            if excluded is not None and row in excluded[number]:
                continue
            cosine = matrix[row] @ query / lengths[row] if lengths[row] else 0.0
            pairs.append((-cosine, row))
        answers.append([(row, -cosine) for cosine, row in sorted(pairs)[:topn]])
    return answers


def check(matrix, queries, topn, excluded=None, limit=None):
    found = ExactIndex(matrix, row_norms(matrix)).search(
        queries, topn, excluded=excluded, limit=limit
    )
    expected = brute_force(matrix, queries, topn, excluded, limit or len(matrix))
    for rows, cosines, answer in zip(found.rows, found.scores, expected, strict=True):
        kept = rows >= 0
        assert kept.sum() == len(answer)
        assert np.isnan(cosines[~kept]).all()
        np.testing.assert_allclose(cosines[kept], [c for _, c in answer], atol=1e-12)
        assert (np.diff(cosines[kept]) <= 0).all()
        assert len(set(rows[kept])) == kept.sum()
    return found, expected


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 300), st.integers(1, 20)),
    queries=st.integers(1, 9),
    topn=st.integers(1, 12),
    limit=st.one_of(st.none(), st.integers(1, 400)),
    block=st.integers(1, 500),
    set_size=st.integers(1, 16),
)
def test_search_equals_sorting_everything(seed, shape, queries, topn, limit, block, set_size):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=shape).astype(np.float32)
    matrix[rng.random(shape[0]) < 0.1] = 0.0
    asked = unit(rng.normal(size=(queries, shape[1])))
    excluded = rng.integers(-1, shape[0], size=(queries, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "SCORES_HELD", block)
        patch.setattr(search, "QUERIES_AT_ONCE", 4)
        patch.setattr(search, "FEWEST_SETS", 2)
        patch.setattr(search, "SET_SIZE", set_size)
        patch.setattr(search, "PAIRS_AT_ONCE", 7)
        check(matrix, asked, topn, excluded, limit)


@pytest.mark.parametrize("held", [1 << 22, 1000])
def test_equal_rows_are_ranked_by_frequency(monkeypatch, held):
    monkeypatch.setattr(search, "SCORES_HELD", held)
    rng = np.random.default_rng(1)
    distinct = rng.normal(size=(7, 33)).astype(np.float32)
    matrix = distinct[rng.integers(0, 7, size=3000)]
    found, expected = check(matrix, unit(distinct[:3]), 40)
    for rows, answer in zip(found.rows, expected, strict=True):
        assert rows.tolist() == [row for row, _ in answer]
        assert rows.tolist() == sorted(rows)


@pytest.mark.parametrize("scale", [1e-37, 1e-42, 1e17, 1e37])
def test_scale_of_the_rows_does_not_matter(scale):
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(500, 8))
    matrix[::2] *= scale
    matrix[17] = 0.0
    matrix = matrix.astype(np.float32)
    check(matrix, unit(rng.normal(size=(3, 8))), 10)


def test_a_zero_query_has_cosine_zero_with_everything():
    matrix = np.random.default_rng(3).normal(size=(50, 4)).astype(np.float32)
    found = ExactIndex(matrix, row_norms(matrix)).search(np.zeros((1, 4)), 5)
    assert found.rows.tolist() == [[0, 1, 2, 3, 4]]
    assert found.scores.tolist() == [[0.0] * 5]


def test_everything_excluded_gives_no_row():
    matrix = np.eye(2, dtype=np.float32)
    found = ExactIndex(matrix, row_norms(matrix)).search(
        np.eye(2), 2, excluded=np.array([[0, 1], [1, -1]])
    )
    assert found.rows.tolist() == [[-1, -1], [0, -1]]


def test_only_a_bounded_number_of_scores_exists_at_once(monkeypatch):
    monkeypatch.setattr(search, "SCORES_HELD", 4096)
    seen = []
    real = ExactIndex.products

    def products(index, queries, rows):
        scores = real(index, queries, rows)
        seen.append(scores.size)
        return scores

    monkeypatch.setattr(ExactIndex, "products", products)
    matrix = np.random.default_rng(4).normal(size=(3000, 5)).astype(np.float32)
    ExactIndex(matrix, row_norms(matrix)).search(unit(matrix[:700]), 3)
    assert max(seen) <= 4096
    assert sum(seen) == 700 * 3000


def test_norms_do_not_overflow_or_vanish():
    matrix = np.array([[3e38, 3e38], [1e-40, 0.0], [0.0, 0.0]], dtype=np.float32)
    norms = row_norms(matrix)
    assert norms == pytest.approx([3e38 * 2**0.5, 1e-40, 0.0], rel=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(value):
    matrix = np.zeros((40_000, 3), dtype=np.float32)
    matrix[33_333, 2] = value
    place = rf"{value} in row 33333, column 2"
    with pytest.raises(ParameterError, match=place):
        row_norms(matrix)
    with pytest.raises(FormatError, match=rf"v\.safetensors holds {place}"):
        row_norms(matrix, "v.safetensors")


def test_rows_that_float32_cannot_tell_apart_are_ranked_in_float64():
    rng = np.random.default_rng(6)
    base = rng.normal(size=64)
    matrix = (base * rng.uniform(0.1, 9, size=(3000, 1))).astype(np.float32)  # rounding differs
    found, expected = check(matrix, unit(rng.normal(size=(2, 64))), 20)
    assert [rows.tolist() for rows in found.rows] == [[row for row, _ in a] for a in expected]


@pytest.mark.parametrize("topn", [65, 150, 2999, 10**15])
def test_many_answers(topn):
    rng = np.random.default_rng(7)
    matrix = rng.normal(size=(3000, 6)).astype(np.float32)
    found, expected = check(matrix, unit(rng.normal(size=(2, 6))), topn)
    assert [rows.tolist() for rows in found.rows] == [[row for row, _ in a] for a in expected]


def test_no_cosine_leaves_the_interval():
    matrix = np.random.default_rng(8).normal(size=(500, 7)).astype(np.float32)
    cosines = ExactIndex(matrix, row_norms(matrix)).search(unit(matrix), 500).scores
    assert cosines.max() == 1.0
    assert cosines.min() >= -1.0


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_unit_of_huge_and_tiny_vectors(size):
    assert unit(np.array([3.0, -4.0]) * size) == pytest.approx([0.6, -0.8])


@pytest.mark.parametrize("held", [1 << 22, 701])
def test_the_best_row_is_found_wherever_it_stands(monkeypatch, held):
    monkeypatch.setattr(search, "SCORES_HELD", held)
    monkeypatch.setattr(search, "SET_SIZE", 7)
    monkeypatch.setattr(search, "FEWEST_SETS", 4)
    noise = np.random.default_rng(9).normal(size=(710, 12)).astype(np.float32)
    for place in [0, 1, *range(690, 710)]:
        matrix = noise.copy()
        matrix[place] = 1.0
        found = ExactIndex(matrix, row_norms(matrix)).search(unit(np.ones((1, 12))), 1)
        assert found.rows.tolist() == [[place]]
