"""From many dimensions to two."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from wordgrad.errors import ParameterError
from wordgrad.plotting.picture import MissingExtraError
from wordgrad.plotting.projection import project
from wordgrad.search.exact import unit


def _blobs(a_group=25, groups=4):
    draw = np.random.default_rng(3)
    directions = np.repeat(np.eye(groups, 10), a_group, axis=0)
    return unit(directions + 0.1 * draw.standard_normal(directions.shape))


def _distances(points):
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def test_pca_agrees_with_scikit_learn_up_to_scale_and_direction():
    units = _blobs()
    ours = project(units, "pca", seed=1)
    theirs = PCA(2, svd_solver="full").fit_transform(units)
    ratio = _distances(ours)[0, 1:] / _distances(theirs)[0, 1:]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_words_of_one_direction_stand_together(method):
    points = project(_blobs(), method, seed=1)
    nearest = np.argsort(_distances(points), axis=1)[:, 1:6]
    same = nearest // 25 == np.arange(100)[:, None] // 25
    # Four groups in a plane: PCA lays some over each other, t-SNE none.
    assert same.mean() > (0.6 if method == "pca" else 0.99)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_seed_repeats_a_map_for_any_number_of_threads(method):
    units = _blobs()
    first = project(units, method, seed=7)
    with threadpool_limits(limits=1):
        np.testing.assert_array_equal(project(units, method, seed=7), first)


@given(words=st.integers(3, 12), size=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_points_fill_the_square_whatever_the_shape(words, size, seed):
    rows = np.random.default_rng(seed).standard_normal((words, size))
    units = unit(rows)
    if np.ptp(units, axis=0).max() < 1e-3:
        return
    points = project(units, "pca", seed)
    assert points.shape == (words, 2)
    assert np.isfinite(points).all()
    assert np.abs(points).max() == 1.0
    np.testing.assert_allclose(points.max(axis=0) + points.min(axis=0), 0, atol=1e-9)


def test_the_scale_is_the_same_on_both_axes():
    units = unit(np.array([[1, 0, 0], [1, 0.3, 0], [1, 0, 0.1], [1, 0.3, 0.1]]))
    across, down = np.ptp(project(units, "pca", seed=1), axis=0)
    assert across / down == pytest.approx(3, rel=0.1)


def test_few_words_are_enough_for_tsne():
    points = project(_blobs(a_group=2, groups=3), "tsne", seed=1)
    assert np.isfinite(points).all()


def test_umap_places_neighbours_together_or_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtraError, match=r'pip install "wordgrad\[umap\]"'):
        project(_blobs(), "umap", seed=1)


@pytest.mark.filterwarnings("ignore")  # the library warns about itself
def test_umap_keeps_groups_where_it_is_installed():
    pytest.importorskip("umap", reason="umap-learn is not installed")
    units = _blobs()
    points = project(units, "umap", seed=1)
    nearest = np.argsort(_distances(points), axis=1)[:, 1:6]
    assert (nearest // 25 == np.arange(100)[:, None] // 25).mean() > 0.95
    np.testing.assert_array_equal(project(units, "umap", seed=1), points)


@pytest.mark.parametrize(
    ("units", "method", "seed", "message"),
    [
        (np.eye(4), "tsne", 1, "tsne needs at least 5 words, got 4; .* 'pca'"),
        (np.ones((9, 1)), "pca", 1, "vectors that differ, got 9 of one direction"),
        (np.eye(9), "mds", 1, "method must be one of 'pca', 'tsne', 'umap', got 'mds'"),
        (np.eye(9), "pca", -1, "seed must be an integer in"),
    ],
)
def test_bad_input_is_named(units, method, seed, message):
    with pytest.raises(ParameterError, match=message):
        project(units, method, seed)
