import itertools
import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from wordgrad.errors import ParameterError
from wordgrad.training.sampling import AliasTable, keep_probabilities, noise_distribution

count_lists = st.lists(st.integers(1, 10**9), min_size=1, max_size=300)


def exact_probabilities(table):
    """What the documented way of drawing gives, in fractions."""
    size = len(table.alias)
    chances = [Fraction(0)] * size
    for bucket in range(size):
        own = Fraction(int(table.threshold[bucket]), 2**32)
        chances[bucket] += own / size
        chances[table.alias[bucket]] += (1 - own) / size
    return chances


@given(count_lists, st.floats(-2, 2))
@example([1, 2, 3], 1.0)  # a full bucket before all light ones
@example([3, 2, 2, 2, 1], 1.0)
@example([6, 111, 123], 1e-9)  # equal parts, unequal probabilities
def test_alias_table_is_exact_to_its_promise(counts, exponent):
    wanted = noise_distribution(counts, exponent)
    table = AliasTable.from_probabilities(wanted)
    chances = exact_probabilities(table)
    assert sum(chances) == 1
    size = len(counts)
    heaviest = int(np.argmax(wanted))
    for word, chance in enumerate(chances):
        # Half a part of 2^32 V for the rounding, and the rounding of wanted * 2^32 V itself.
        bound = 2.0**-33 if word == heaviest else 2.0**-33 / size
        assert abs(float(chance) - wanted[word]) <= bound * (1 + 1e-6) + 1e-15
    np.testing.assert_allclose(table.probabilities(), [float(c) for c in chances], rtol=1e-12)


@given(count_lists)
def test_alias_table_has_the_documented_types_and_ranges(counts):
    table = AliasTable.from_probabilities(noise_distribution(counts))
    assert table.threshold.dtype == np.uint32
    assert table.alias.dtype == np.int32
    assert table.alias.min() >= 0
    assert table.alias.max() < len(counts)


def test_draws_pass_a_chi_squared_test():
    counts = np.random.default_rng(3).zipf(1.3, 500).clip(1, 10**7)
    wanted = noise_distribution(counts)
    table = AliasTable.from_probabilities(wanted)
    rng = np.random.default_rng(4)
    draws = 2_000_000
    bucket = rng.integers(0, len(counts), draws)
    u = rng.integers(0, 2**32, draws, dtype=np.uint32)
    words = np.where(u < table.threshold[bucket], bucket, table.alias[bucket])
    seen = np.bincount(words, minlength=len(counts))
    assert stats.chisquare(seen, wanted * draws).pvalue > 1e-4
    # The test has the power to see a wrong exponent.
    wrong = noise_distribution(counts, 0.74)
    assert stats.chisquare(seen, wrong * draws).pvalue < 1e-12


@pytest.mark.parametrize(
    "probabilities",
    [[1.0], [0.5, 0.5], [0.0, 1.0], [1.0, 0.0, 0.0], [0.25] * 4, [1e-12, 1 - 1e-12]],
)
def test_alias_table_extremes(probabilities):
    table = AliasTable.from_probabilities(probabilities)
    np.testing.assert_allclose(table.probabilities(), probabilities, atol=2.0**-33)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_every_small_table(size):
    """Ties, zeros and exactly full buckets in every order."""
    for weights in itertools.product(range(5), repeat=size):
        if any(weights):
            wanted = np.array(weights) / sum(weights)
            table = AliasTable.from_probabilities(wanted)
            assert np.abs(table.probabilities() - wanted).max() <= 2.0**-33


def test_a_word_of_probability_zero_is_never_drawn():
    table = AliasTable.from_probabilities([0.0, 0.3, 0.0, 0.7])
    chances = exact_probabilities(table)
    assert chances[0] == chances[2] == 0


def test_a_long_tail_of_a_million_words():
    counts = np.arange(1_000_000, 0, -1) ** 2
    wanted = noise_distribution(counts)
    table = AliasTable.from_probabilities(wanted)
    assert np.abs(table.probabilities() - wanted).max() < 2.0**-33


def test_one_heavy_word_serves_all_light_ones():
    wanted = np.full(1000, 1e-6)
    wanted[500] = 1 - 999e-6
    table = AliasTable.from_probabilities(wanted)
    assert set(table.alias.tolist()) == {500}
    np.testing.assert_allclose(table.probabilities(), wanted, atol=2.0**-33)


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        ([], "at least one number"),
        ([[1.0]], "one row"),
        ([0.5, 0.6], "sum 1, got 1.1"),
        ([1.5, -0.5], ">= 0, got -0.5"),
        ([math.nan, 1.0], ">= 0, got nan"),
        ([math.inf, 1.0], ">= 0, got inf"),
    ],
)
def test_alias_table_refuses_what_is_no_distribution(probabilities, message):
    with pytest.raises(ParameterError, match=message):
        AliasTable.from_probabilities(probabilities)


def test_noise_by_hand():
    # 81^0.75 = 27, 16^0.75 = 8, 1^0.75 = 1
    np.testing.assert_allclose(noise_distribution([81, 16, 1]), np.array([27, 8, 1]) / 36)
    np.testing.assert_allclose(noise_distribution([81, 16, 1], 0.0), [1 / 3] * 3)
    np.testing.assert_allclose(noise_distribution([3, 1], 1.0), [0.75, 0.25])
    np.testing.assert_allclose(noise_distribution([4, 1], -0.5), [1 / 3, 2 / 3])


@pytest.mark.parametrize("exponent", [-300.0, 300.0])
def test_noise_with_huge_exponents_stays_finite(exponent):
    noise = noise_distribution([10**12, 10, 1], exponent)
    assert np.isfinite(noise).all()
    assert noise.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("counts", "message"),
    [([], "at least one"), ([1, 0], "> 0, got 0"), ([1, -2], "> 0, got -2"), ([[1]], "one row")],
)
def test_counts_are_checked(counts, message):
    with pytest.raises(ParameterError, match=message):
        noise_distribution(counts)
    with pytest.raises(ParameterError, match=message):
        keep_probabilities(counts, 1e-3)


@pytest.mark.parametrize("exponent", [math.nan, math.inf, "0.75"])
def test_the_exponent_is_checked(exponent):
    with pytest.raises(ParameterError, match="ns_exponent must be a finite number"):
        noise_distribution([1, 2], exponent)


def test_keep_probabilities_by_hand():
    # f = 0.9 and 0.1; t = 0.01: sqrt(t / f) + t / f
    kept = keep_probabilities([90, 10], 0.01)
    np.testing.assert_allclose(kept, [0.1054092553 + 0.0111111111, 0.3162277660 + 0.1])
    assert keep_probabilities([90, 10], 0.0).tolist() == [1.0, 1.0]
    # sqrt(x) + x = 1 at x = (3 - sqrt 5) / 2: below that share of t nothing is dropped.
    edge = (3 - math.sqrt(5)) / 2
    assert keep_probabilities([1, 1], 0.5 * edge)[0] == pytest.approx(1.0)
    assert keep_probabilities([1, 1], 0.49 * edge)[0] < 1.0
    assert keep_probabilities([1, 1], 0.51 * edge)[0] == 1.0


@given(count_lists, st.floats(0, 1))
def test_keep_probabilities_fall_with_the_count(counts, sample):
    counts = sorted(counts)
    kept = keep_probabilities(counts, sample)
    assert np.all(np.diff(kept) <= 0)
    assert np.all((kept > 0) & (kept <= 1))


@pytest.mark.parametrize("sample", [-1e-9, math.nan, math.inf, None])
def test_sample_is_checked(sample):
    with pytest.raises(ParameterError, match='sample must be "auto" or a finite number >= 0'):
        keep_probabilities([1], sample)


def test_these_modules_do_not_load_polars():
    code = (
        "import sys, wordgrad.training.sampling, wordgrad.vocabulary, wordgrad.corpus.corpus;"
        "sys.exit('polars' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
