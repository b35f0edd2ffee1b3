"""The vector code of a tile against the same lines in NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from wordgrad.training.kernels import tiles
from wordgrad.training.kernels.intrinsics import LANES, MOST_COMPARED, may_repeat
from wordgrad.training.kernels.window import TILE_SIZES, tiles_of
from wordgrad.training.parameters import aligned_rows

U = 2.0**-24
SHAPES = [(n_rows, size) for n_rows in (1, 2) for size in TILE_SIZES]


def scorer(n_rows, size):
    @njit
    def score(rows, outputs, n_floats, turns, real, rate, steps, sums):
        tiles.score_tile(
            n_rows, size, rows, outputs, n_floats, turns, real, np.float32(rate), steps, sums
        )

    return score


def updater(size):
    @njit
    def update(rows, before, after, n_rows, outputs, n_floats, steps, soon):
        tiles.update_tile(size, rows, before, after, n_rows, outputs, n_floats, steps, soon)

    return update


@njit
def combine(rows, n_rows, target, n_floats, scale):
    tiles.combine_rows(rows, n_rows, target, n_floats, np.float32(scale))


@njit
def add(rows, n_rows, change, n_floats, scale):
    tiles.add_to_rows(rows, n_rows, change, n_floats, np.float32(scale))


SCORERS = {shape: scorer(*shape) for shape in SHAPES}
UPDATERS = {size: updater(size) for size in TILE_SIZES}


def rows_of(values):
    """Aligned rows that hold ``values`` (n, D), padded with zeros."""
    values = np.asarray(values, np.float32)
    rows = aligned_rows(len(values), -(-values.shape[1] // 16) * 16)
    rows[:, : values.shape[1]] = values
    return rows


def table_of(rows, order=None):
    """The addresses of the rows, in an order."""
    order = np.arange(len(rows)) if order is None else np.asarray(order)
    return rows.ctypes.data + 4 * rows.shape[1] * order.astype(np.int64)


def bits_of(flags):
    """A bit for each flag, from the lowest on."""
    return sum(int(flag) << k for k, flag in enumerate(flags))


def score(X, Y, turns, real=None, rate=1.0, sums=None):
    """Run score_tile; return G, the factors and the hinges."""
    n_rows, size = len(X), len(Y)
    X, Y = rows_of(X), rows_of(Y)
    X_table, O_table = table_of(X), table_of(Y)
    G = np.full(n_rows * size + LANES, np.nan, np.float32)
    aligned = aligned_rows(2, LANES)
    aligned[0] = 1
    if sums is not None:
        aligned[:] = sums
    real = np.ones((n_rows, size), bool) if real is None else real
    SCORERS[n_rows, size](
        X_table.ctypes.data, O_table.ctypes.data, X.shape[1], bits_of(turns),
        bits_of(real.flat), rate,
        G.ctypes.data, aligned.ctypes.data,
    )  # fmt: skip
    return SimpleNamespace(G=G[: n_rows * size].reshape(n_rows, size), sums=aligned)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_floats", [16, 32, 48, 112])
def test_scores_steps_and_loss_of_a_tile(shape, n_floats):
    n_rows, size = shape
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(n_rows, n_floats)), rng.normal(size=(size, n_floats))
    X, Y = X.astype(np.float32) / 3, Y.astype(np.float32)
    turns = rng.integers(0, 2, size)
    real = rng.integers(0, 2, (n_rows, size)) == 1
    found = score(X, Y, turns, real, 0.25)
    signs = 2.0 * turns - 1
    Z = signs * (X.astype(float) @ Y.T.astype(float))
    sigma = 1 / (1 + np.exp(-Z))
    d_Z = (n_floats + 8) * U * (np.abs(X) @ np.abs(Y).T)
    error = np.abs(found.G + 0.25 * signs * sigma)
    assert (error <= 0.25 * (0.25 * d_Z + 8 * U * sigma))[real].all()
    assert (found.G[~real] == 0).all()
    loss = np.log(found.sums[0].astype(float)).sum() + found.sums[1].astype(float).sum()
    exact = np.logaddexp(0, Z)[real].sum()
    assert abs(loss - exact) <= d_Z.sum() + 20 * U * np.abs(Z).sum()


def test_sums_are_carried_on_and_kept_apart_by_lane():
    sums = np.zeros((2, LANES), np.float32)
    sums[0], sums[1] = np.arange(1, LANES + 1), 0.5 * np.arange(LANES)
    before = sums.copy()
    X, Y = np.ones((1, 16)) / 16, np.outer([3, 0, -200, 7], np.ones(16))
    found = score(X, Y, [1] * 4, sums=sums)
    size = min(4, LANES)
    factors = np.array([1 + np.exp(-3), 2, 1, 1 + np.exp(-7)])
    np.testing.assert_allclose(found.sums[0, :size], before[0, :size] * factors, rtol=3e-7)
    np.testing.assert_allclose(found.sums[1, :size], before[1, :size] + [3, 0, 0, 7], rtol=3e-7)
    np.testing.assert_array_equal(found.sums[:, size:], before[:, size:])


def sigmoids(scores, turn=1):
    """Sigmoid and softplus of each score by the tile; the dot products are exact."""
    X = np.zeros((1, 16))
    X[0, 5] = 1.0
    G, softplus = [], []
    for few in scores.reshape(-1, 4):
        Y = np.zeros((4, 16), np.float32)
        Y[:, 5] = few
        found = score(X, Y, [turn] * 4)
        G.append(-found.G[0])
        softplus.append(np.log(found.sums[0, :4].astype(float)) + found.sums[1, :4])
    return np.concatenate(G), np.concatenate(softplus)


GRID = np.concatenate(
    [
        np.linspace(-100, 100, 4001),
        np.linspace(-1, 1, 1001),
        np.log(2) * (np.arange(-120, 120) + 0.5),  # where the exponent's part changes
        [0.0, -0.0, 1e-30, -1e-30, 1e-45, 87.33, -87.33, 88.0, -88.0, 89.0],
    ]
).astype(np.float32)[:5248]


def test_sigmoid_is_good_to_a_few_units_in_the_last_place():
    found, _ = sigmoids(GRID)
    z = GRID.astype(float)
    exact = np.where(z < 0, np.exp(-np.abs(z)), 1.0) / (1 + np.exp(-np.abs(z)))
    units = np.abs(found - exact) / np.spacing(exact.astype(np.float32))
    normal = z > -87.3
    assert (units <= 3 + np.abs(z) / 30)[normal].all()
    # Below, where float32 leaves its normal numbers, what is left is smaller than any step.
    assert (found[~normal] >= 0).all()
    assert found[~normal].max() <= 1.3e-38


def test_softplus_is_good_to_rounding():
    for turn in (0, 1):
        _, found = sigmoids(GRID, turn)
        exact = np.logaddexp(0, (2 * turn - 1) * GRID.astype(float))
        assert (np.abs(found - exact) <= 3 * U * (1 + exact)).all()


@pytest.mark.parametrize("z", [-1e30, -3e38, -1e3, 1e3, 1e30, 3e38])
def test_scores_of_any_size_saturate(z):
    G, softplus = sigmoids(np.full(4, z, np.float32))
    np.testing.assert_allclose(G, float(z > 0), atol=1.3e-38)
    np.testing.assert_allclose(softplus, max(z, 0.0), rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_not_a_number_reaches_the_loss_and_infinity_too(shape):
    n_rows, size = shape
    for value in (np.nan, np.inf):
        X = np.zeros((n_rows, 16))
        X[-1, 3] = value
        found = score(X, np.ones((size, 16)), [1] * size)
        loss = np.log(found.sums[0].astype(float)).sum() + found.sums[1].sum()
        assert not np.isfinite(loss)


@pytest.mark.parametrize("size", TILE_SIZES)
@pytest.mark.parametrize("n_rows", [1, 2, 3, 10, 33])
@pytest.mark.parametrize("n_floats", [16, 48])
def test_update_changes_both_sides_from_the_old_values(size, n_rows, n_floats):
    rng = np.random.default_rng(2)
    X0, O0, B0 = (rng.normal(size=(n, n_floats)).astype(np.float32) for n in (n_rows, size, n_rows))
    G = rng.normal(size=(n_rows, size)).astype(np.float32)
    X, Y, before, after = rows_of(X0), rows_of(O0), rows_of(B0), rows_of(np.zeros_like(B0))
    tables = [table_of(X), table_of(before), table_of(after), table_of(Y, [*range(size), 0])]
    x, b, a, o = (table.ctypes.data for table in tables)
    UPDATERS[size](x, b, a, n_rows, o, n_floats, G.ctypes.data, o)
    for found, start, change in ((after, B0, (G, O0)), (Y, O0, (G.T, X0))):
        left, right = (matrix.astype(float) for matrix in change)
        bound = (left.shape[1] + 1) * U * (np.abs(start) + np.abs(left) @ np.abs(right))
        assert (np.abs(found - (start + left @ right)) <= bound).all()
    np.testing.assert_array_equal(X, X0)
    np.testing.assert_array_equal(before, B0)


@pytest.mark.parametrize("size", TILE_SIZES)
def test_update_in_place_and_in_any_order_of_rows(size):
    """One tile is the usual window: X is read, counted from and written to at one place."""
    rng = np.random.default_rng(3)
    X0, O0 = (rng.normal(size=(n, 32)).astype(np.float32) for n in (7, 9))
    G = rng.normal(size=(3, size)).astype(np.float32)
    X, Y = rows_of(X0), rows_of(O0)
    read, written = [5, 0, 6], rng.permutation(9)[:size]
    x, o, soon = table_of(X, read), table_of(Y, written), table_of(Y)
    UPDATERS[size](
        x.ctypes.data, x.ctypes.data, x.ctypes.data, 3, o.ctypes.data, 32, G.ctypes.data,
        soon.ctypes.data,
    )  # fmt: skip
    X1, O1 = X0.copy(), O0.copy()
    X1[read] += G @ O0[written]
    O1[written] += G.T @ X0[read]
    np.testing.assert_allclose(X, X1, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(Y, O1, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_rows", [1, 2, 5, 20])
@pytest.mark.parametrize("n_floats", [16, 48])
def test_combine_rows_is_the_scaled_sum(n_rows, n_floats):
    rng = np.random.default_rng(4)
    values = rng.normal(size=(9, n_floats)).astype(np.float32)
    rows, target = rows_of(values), rows_of(np.full((1, n_floats), 9.0))
    order = rng.integers(0, 9, n_rows)
    table = table_of(rows, order)
    combine(table.ctypes.data, n_rows, target.ctypes.data, n_floats, 0.25)
    exact = 0.25 * values[order].astype(float).sum(axis=0)
    bound = n_rows * U * np.abs(values[order]).sum(axis=0)
    assert (np.abs(target[0] - exact) <= bound).all()
    np.testing.assert_array_equal(rows, values)


@pytest.mark.parametrize("n_floats", [16, 48])
def test_add_to_rows_adds_once_for_each_mention(n_floats):
    rng = np.random.default_rng(5)
    values, change = (rng.normal(size=(n, n_floats)).astype(np.float32) for n in (6, 1))
    rows, d = rows_of(values), rows_of(change)
    table = table_of(rows, [2, 4, 2, 2])
    add(table.ctypes.data, 4, d.ctypes.data, n_floats, -0.5)
    times = np.array([0, 0, 3, 0, 1, 0])[:, None]
    np.testing.assert_allclose(rows, values - 0.5 * times * change, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(rows[[0, 1, 3, 5]], values[[0, 1, 3, 5]])
    np.testing.assert_array_equal(d, change)


def test_tiles_hold_every_output_and_at_most_two_spare_rows():
    for n_outputs in range(2, 200):
        sizes = tiles_of(n_outputs)
        assert set(sizes) <= set(TILE_SIZES)
        assert len(sizes) == max(1, -(-n_outputs // max(TILE_SIZES)))
        spare = sum(sizes) - n_outputs
        assert 0 <= spare <= (1 if n_outputs > 2 else 2)


@njit
def asked(table, n):
    return may_repeat(table, n)


@settings(max_examples=300)
@given(
    words=st.lists(st.integers(0, 30), max_size=MOST_COMPARED),
    base=st.sampled_from([0, 64, 1 << 20, 0x7F00_0000_0000]),
    after=st.sampled_from([0, -1, 0x7F00_0000_0000]),
)
def test_repeated_rows_are_found_and_no_others(words, base, after):
    """Rows of 448 bytes; what stands behind the end of the table is not looked at."""
    table = np.full(2 * MOST_COMPARED, after, np.int64)
    # No row lies in the first kilobyte of memory, whose numbers stand for what is not there.
    table[: len(words)] = base + 1024 + 448 * np.array(words, np.int64)
    assert asked(table.ctypes.data, len(words)) == (len(set(words)) < len(words))


@njit
def context_step(
    rows, n_rows, scale, hidden, outputs, n_floats, turns, rate, steps, sums, before, share
):
    tiles.score_context(
        6, rows, n_rows, scale, hidden, outputs, n_floats, turns, 63, np.float32(rate), steps, sums
    )
    tiles.update_context(6, rows, n_rows, share, hidden, before, outputs, n_floats, steps, rows)


@pytest.mark.parametrize("n_floats", [16 * k for k in range(1, 9)] + [304])
def test_a_context_of_rows_of_any_length(n_floats):
    """Blocks of four vectors and what is left: every float of a row, once."""
    rng = np.random.default_rng(n_floats)
    X, Y = rng.normal(size=(3, n_floats)), rng.normal(size=(6, n_floats))
    Y /= n_floats**0.5
    rows = rows_of(np.concatenate([X, Y, np.zeros((2, n_floats))]))
    table = table_of(rows)
    signs = np.array([-1.0, 1, 1, 1, 1, 1])
    steps, sums = aligned_rows(2, 16).reshape(-1), aligned_rows(2, LANES)
    sums[0] = 1.0
    h = 0.5 * X.sum(axis=0)
    context_step(
        table[:3].ctypes.data, 3, np.float32(0.5), table[9], table[3:9].ctypes.data, n_floats,
        bits_of(signs > 0), 0.1, steps.ctypes.data, sums.ctypes.data, table[10], np.float32(2.0),
    )  # fmt: skip
    g = -0.1 * signs * (1 / (1 + np.exp(-signs * (Y @ h))))
    tolerance = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(steps[:6], g, **tolerance)
    np.testing.assert_allclose(rows[9], h, **tolerance)
    np.testing.assert_allclose(rows[3:9], Y + np.outer(g, h), **tolerance)
    np.testing.assert_allclose(rows[:3], X + 2.0 * (g @ Y), **tolerance)
