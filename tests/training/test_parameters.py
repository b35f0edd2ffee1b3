"""The two matrices: shape, alignment, and word2vec's starting values."""

import errno
import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from wordgrad.errors import OutputError, ParameterError
from wordgrad.training import parameters as parameters_
from wordgrad.training.parameters import (
    ROW_FLOATS,
    Parameters,
    aligned_rows,
    mapped_rows,
    packed,
    row_floats,
)


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
    parameters = Parameters.initial(7, 7, vector_size, seed=1)
    assert parameters.n_inputs == parameters.n_outputs == 7
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
    parameters = Parameters.zeros(3, 3, 5)
    assert not parameters.W_in_rows.any()
    assert not parameters.W_out_rows.any()


@pytest.mark.parametrize(("n_words", "vector_size"), [(4000, 10), (3, 20_000)])
def test_initial_input_vectors_are_uniform_and_output_vectors_zero(n_words, vector_size):
    parameters = Parameters.initial(n_words, n_words, vector_size, seed=5)
    scaled = parameters.W_in.astype(float).ravel() * vector_size
    assert scaled.min() >= -0.5
    assert scaled.max() < 0.5
    assert stats.kstest(scaled, stats.uniform(-0.5, 1).cdf).pvalue > 1e-4
    assert not parameters.W_out.any()


def test_initial_values_are_a_function_of_the_seed():
    first, again, other = (Parameters.initial(50, 50, 8, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.W_in_rows, again.W_in_rows)
    assert not np.isclose(first.W_in, other.W_in).any()


def test_initial_values_of_large_vocabularies_come_in_blocks_without_repeats():
    """Rows are drawn about a million floats at a time."""
    parameters = Parameters.initial(2_200, 2_200, 1_000, seed=1)
    assert len(np.unique(parameters.W_in[:, 0])) > 2_190
    start = Parameters.initial(10, 10, 1_000, seed=1)
    np.testing.assert_array_equal(parameters.W_in[:10], start.W_in)


def test_the_matrices_may_differ_in_rows():
    parameters = Parameters.initial(7, 4, 5, seed=1)
    assert (parameters.n_inputs, parameters.n_outputs) == (7, 4)
    assert parameters.W_in.shape == (7, 5)
    assert parameters.W_out.shape == (4, 5)
    parameters.check_rows(5, 7, 4)
    for wanted in ((6, 4), (7, 5), (4, 7)):
        with pytest.raises(ParameterError, match=r"parameters must have \d rows in W_(in|out)"):
            parameters.check_rows(5, *wanted)
    # More output rows change nothing of how W_in begins.
    np.testing.assert_array_equal(parameters.W_in, Parameters.initial(7, 90, 5, seed=1).W_in)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_given_matrices_are_copied(dtype):
    W_in = np.arange(12).reshape(4, 3).astype(dtype)
    W_out = np.arange(6).reshape(2, 3).astype(dtype)
    parameters = Parameters.from_matrices(W_in, W_out)
    parameters.check_rows(3, 4, 2)
    np.testing.assert_array_equal(parameters.W_in, W_in)
    np.testing.assert_array_equal(parameters.W_out, W_out)
    parameters.W_in[:] = 9
    assert W_in[0, 0] == 0
    assert Parameters.from_matrices(W_in).W_out.shape == (4, 3)
    assert Parameters.from_matrices(W_in, n_outputs=9).W_out.shape == (9, 3)
    assert not Parameters.from_matrices(W_in).W_out.any()


def test_a_copy_has_memory_of_its_own():
    parameters = Parameters.initial(3, 5, 4, seed=1)
    copy = parameters.copy()
    np.testing.assert_array_equal(copy.W_in_rows, parameters.W_in_rows)
    copy.W_out[:] = 1
    assert not parameters.W_out.any()


@pytest.mark.parametrize(
    ("matrices", "options", "match"),
    [
        (([1.0, 2.0],), {}, r"W_in must be a matrix of at least one number, got float64 of shape"),
        ((np.zeros((0, 3)),), {}, "W_in must be a matrix of at least one number"),
        (([["a"]],), {}, "W_in must be a matrix of at least one number, got <U1"),
        (([[np.nan]],), {}, "W_in must be finite float32 numbers"),
        (([[1e39]],), {}, "W_in must be finite float32 numbers"),
        (([[1.0]], [[np.inf]]), {}, "W_out must be finite float32 numbers"),
        (([[1.0]], [[1.0, 2.0]]), {}, r"W_out must have shape \(n_outputs, 1\), got \(1, 2\)"),
        (([[1.0]], [[1.0]]), {"n_outputs": 2}, r"W_out must have shape \(2, 1\), got \(1, 1\)"),
    ],
)
def test_matrices_that_cannot_begin_a_training(matrices, options, match):
    with pytest.raises(ParameterError, match=match):
        Parameters.from_matrices(*matrices, **options)


def test_a_disk_without_room_is_told_before_a_page_is_written(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OutputError, match=r"has no room for 1 MiB of vectors \(No space.*TMPDIR"):
        mapped_rows(1 << 14, 16)


def test_parameters_in_files_begin_as_those_in_memory():
    wanted = Parameters.initial(1001, 17, 100, seed=3)
    found = Parameters.initial(1001, 17, 100, seed=3, mapped=True)
    found.check_rows(100, 1001, 17)
    found.W_out_rows[3] = 1
    found.release_pages()
    assert (found.W_in_rows == wanted.W_in_rows).all()
    assert found.W_out_rows.sum() == 112


def test_parameters_in_files_are_copied_to_files(monkeypatch):
    """And their rows taken without padding, of which no more than a part is ever in memory."""
    monkeypatch.setattr(parameters_, "SLICE_BYTES", 1 << 16)
    given = Parameters.initial(5000, 5000, 20, seed=1, mapped=True)
    given.W_out[:] = 1 + np.arange(20)
    tracemalloc.start()
    try:
        copy = given.copy()
        found = packed(copy.W_in, 0.5, copy.W_out)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < given.W_in_rows.nbytes / 2
    assert found.flags.c_contiguous
    assert not found.flags.writeable
    assert (found == given.W_in + np.float32(0.5) * given.W_out).all()
    assert (packed(np.array(given.W_in_rows)[:, :20]) == copy.W_in).all()
    assert (copy.W_out_rows == given.W_out_rows).all()
    copy.W_in_rows[:] = 0
    assert given.W_in.any()
