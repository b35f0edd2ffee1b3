"""The two matrices: shape, alignment, and word2vec's starting values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from wordgrad.training.parameters import ROW_FLOATS, Parameters, aligned_rows, row_floats


@given(st.integers(1, 70_000))
def test_rows_are_padded_to_whole_cache_lines(vector_size):
    padded = row_floats(vector_size)
    assert padded % ROW_FLOATS == 0
    assert vector_size <= padded < vector_size + ROW_FLOATS


@given(st.integers(1, 50), st.sampled_from([16, 32, 112]))
def test_rows_start_on_64_byte_boundaries(n_rows, n_floats):
    rows = aligned_rows(n_rows, n_floats)
    assert rows.shape == (n_rows, n_floats)
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    assert rows.ctypes.data % 64 == 0
    assert not rows.any()
    rows[:] = 1.0


@pytest.mark.parametrize("vector_size", [1, 5, 16, 17, 100])
def test_views_hide_the_padding(vector_size):
    parameters = Parameters.initial(7, vector_size, seed=1)
    assert parameters.n_words == 7
    for view, rows in (
        (parameters.W_in, parameters.W_in_rows),
        (parameters.W_out, parameters.W_out_rows),
    ):
        assert view.shape == (7, vector_size)
        assert rows.shape == (7, row_floats(vector_size))
        assert np.shares_memory(view, rows)
        assert rows.ctypes.data % 64 == 0
        assert rows.strides == (4 * row_floats(vector_size), 4)
        assert not rows[:, vector_size:].any()
    assert not np.shares_memory(parameters.W_in_rows, parameters.W_out_rows)


def test_zeros_are_zero():
    parameters = Parameters.zeros(3, 5)
    assert not parameters.W_in_rows.any()
    assert not parameters.W_out_rows.any()


@pytest.mark.parametrize(("n_words", "vector_size"), [(4000, 10), (3, 20_000)])
def test_initial_input_vectors_are_uniform_and_output_vectors_zero(n_words, vector_size):
    parameters = Parameters.initial(n_words, vector_size, seed=5)
    scaled = parameters.W_in.astype(float).ravel() * vector_size
    assert scaled.min() >= -0.5
    assert scaled.max() < 0.5
    assert stats.kstest(scaled, stats.uniform(-0.5, 1).cdf).pvalue > 1e-4
    assert not parameters.W_out.any()


def test_initial_values_are_a_function_of_the_seed():
    first, again, other = (Parameters.initial(50, 8, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.W_in_rows, again.W_in_rows)
    assert not np.isclose(first.W_in, other.W_in).any()


def test_initial_values_of_large_vocabularies_come_in_blocks_without_repeats():
    """Rows are drawn about a million floats at a time."""
    parameters = Parameters.initial(2_200, 1_000, seed=1)
    assert len(np.unique(parameters.W_in[:, 0])) > 2_190
    start = Parameters.initial(10, 1_000, seed=1)
    np.testing.assert_array_equal(parameters.W_in[:10], start.W_in)
