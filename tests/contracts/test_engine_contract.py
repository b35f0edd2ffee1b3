"""What every engine keeps to: the mathematics' steps on any batch, and epochs that can be paused.

With negative sampling a step is exactly -learning_rate times the gradient of an example's loss; the
exact softmax takes a step of Adagrad on a whole batch.

The bounds are those of float32 arithmetic (unit roundoff u = 2^-24): a sum of n products is off by
at most n u times the sum of their sizes, whatever its order (Higham, "Accuracy and Stability of
Numerical Algorithms", 2002, section 3.1).
"""

import os
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.corpus.corpus import encode_corpus
from wordgrad.errors import ParameterError
from wordgrad.maths import cbow, input_share, log_sigmoid, sigmoid, skipgram
from wordgrad.maths.objectives import CBOW_SHARES
from wordgrad.training.config import CBOW_STEPS, TrainingConfig
from wordgrad.training.engine import Loss
from wordgrad.training.engines import ENGINES as TABLE
from wordgrad.training.engines import make_engine
from wordgrad.training.engines.blocks import BlockEngine
from wordgrad.training.engines.deterministic import DeterministicEngine
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.engines.reference import ReferenceEngine
from wordgrad.training.engines.softmax import (
    OUTPUT_RATE,
    CbowSoftmaxEngine,
    SkipGramSoftmaxEngine,
)
from wordgrad.training.engines.subwords import SubwordEngine
from wordgrad.training.kernels.intrinsics import LANES
from wordgrad.training.kernels.rounds import Layout
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import Batch, RowTable, SamplingTables, check_batch
from wordgrad.training.validation import batch_loss

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
"""Whether this is the run of tests/training/engines/test_cuda.py, in the slow CUDA simulator."""

if SIMULATED:
    from wordgrad.training.engines import cuda_softmax
    from wordgrad.training.engines.cuda import MOST_NEGATIVE, CudaEngine

    ENGINES = COMPILED = [CudaEngine]
    SHARE = 10
else:
    MOST_NEGATIVE = 23
    # Tails and shuffles of another width show in any batch; the many are for this machine's own.
    SHARE = 10 if "WORDGRAD_WIDTH" in os.environ else 1

    class ComposingEngine(SubwordEngine):
        """Of input vectors that are composed, with exact steps."""

        def __init__(self, config, tables=None):
            super().__init__(replace(config, subword_step="exact"), tables)

    COMPILED = [HogwildEngine, DeterministicEngine, BlockEngine, ComposingEngine]
    ENGINES = [ReferenceEngine, *COMPILED]
KINDS = [("skipgram", "mean"), ("cbow", "mean"), ("cbow", "sum")]
SHARES = {"exact": None, "balanced": (2.2, -0.5), "whole": (1.0, 0.0)}
"""Of CBOW's step: what each of n rows gets, f n^q, and None for the gradient's share."""
U = 2.0**-24


@dataclass
class Case:
    config: TrainingConfig
    W_in: np.ndarray
    W_out: np.ndarray
    batch: Batch
    rate: float

    def parameters(self):
        return Parameters.from_matrices(self.W_in, self.W_out)

    @property
    def target(self):
        return int(self.batch.outputs[0])

    @property
    def negatives(self):
        return self.batch.outputs[1:].tolist()


def windows_of(contexts, targets, architecture="skipgram"):
    sizes = [len(context) for context in contexts]
    return Batch.from_windows(
        np.concatenate([np.asarray(context, np.int32) for context in contexts]),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.asarray(targets, np.int32).reshape(len(contexts), -1),
        architecture=architecture,
    )


def handed(config, n):
    """What each of n rows gets of its input vector's step."""
    given = SHARES[config.cbow_step] if config.architecture == "cbow" else None
    if given is None:
        return 1 / n if config.combine == "mean" else 1.0
    return given[0] * n ** given[1]


def test_every_step_is_among_those_compared():
    assert tuple(SHARES) == CBOW_STEPS == tuple(CBOW_SHARES)
    for step, share in SHARES.items():
        for combine, n in (("mean", 7), ("sum", 3)):
            config = TrainingConfig(architecture="cbow", combine=combine, cbow_step=step)
            assert input_share(n, combine=combine, step=step) == pytest.approx(handed(config, n))
            assert CBOW_SHARES[step] == share


def one(batch, b):
    """Example b alone."""
    vectors = slice(batch.groups[b], batch.groups[b + 1] + 1)
    inputs = batch.input_offsets[vectors]
    outputs = slice(batch.output_offsets[b], batch.output_offsets[b + 1])
    return Batch(
        inputs=batch.inputs[inputs[0] : inputs[-1]],
        input_offsets=inputs - inputs[0],
        groups=np.array([0, len(inputs) - 1]),
        outputs=batch.outputs[outputs],
        output_offsets=np.array([0, outputs.stop - outputs.start]),
        signs=None if batch.signs is None else batch.signs[outputs],
    )


@st.composite
def cases(draw, max_windows=1):
    """Few words, so that context and negatives repeat, and the centre is among its context."""
    V = draw(st.integers(2, 12))
    D = draw(st.integers(1, 40))
    K = draw(st.integers(1, MOST_NEGATIVE))
    words = st.integers(0, V - 1)
    contexts, targets = [], []
    for _ in range(draw(st.integers(1, max_windows))):
        contexts.append(draw(st.lists(words, min_size=1, max_size=25)))
        target = draw(words)
        shifts = draw(st.lists(st.integers(1, V - 1), min_size=K, max_size=K))
        targets.append([target] + [(target + shift) % V for shift in shifts])
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    # Products of normal vectors are about sqrt(D) times the scale squared.
    size = draw(st.sampled_from([0.01, 1.0, 10.0, 1000.0]))
    scale = np.sqrt(size / np.sqrt(D))
    W_in, W_out = (scale * rng.normal(size=(2, V, D))).astype(np.float32)
    architecture, combine = draw(st.sampled_from(KINDS))
    config = TrainingConfig(
        vector_size=D, negative=K, architecture=architecture, combine=combine, workers=1,
        cbow_step=draw(st.sampled_from(CBOW_STEPS)),
    )  # fmt: skip
    rate = draw(st.sampled_from([0.025, 0.5]))
    return Case(config, W_in, W_out, windows_of(contexts, targets, architecture), rate)


def exact_window(case):
    """Loss, gradients and number of pairs of a one-window case, by wordgrad.maths in float64."""
    context, target, negatives = case.batch.inputs, case.target, case.negatives
    W_in, W_out = case.W_in.astype(np.float64), case.W_out.astype(np.float64)
    options = {"loss": "negative-sampling"}
    if case.config.architecture == "cbow":
        window = cbow(
            target, context, W_in, W_out,
            negatives=negatives, combine=case.config.combine, **options,
        )  # fmt: skip
        n = len(context)
        factor = handed(case.config, n) / (1 / n if case.config.combine == "mean" else 1.0)
        return window.loss, factor * window.d_W_in, window.d_W_out, 1
    pairs = [
        skipgram(int(word), [target], W_in, W_out, negatives=[negatives], **options)
        for word in context
    ]
    return (
        sum(pair.loss for pair in pairs),
        sum(pair.d_W_in for pair in pairs),
        sum(pair.d_W_out for pair in pairs),
        len(pairs),
    )


def rounding_bounds(case, composed=False):
    """How far float32 may be from the exact loss, W_in and W_out after a one-window case.

    Of input vectors that were ``composed`` the change is what they are less what they were.
    """
    context, outputs = case.batch.inputs, case.batch.outputs
    n, rate = len(context), case.rate
    signs = np.where(np.arange(len(outputs)) == 0, -1.0, 1.0)
    W_in, W_out = case.W_in.astype(np.float64), case.W_out.astype(np.float64)
    rows, X = W_out[outputs], W_in[context]
    X_size = np.abs(X)
    share = 1.0
    if case.config.architecture == "cbow":
        share = 1 / n if case.config.combine == "mean" else 1.0
        X, X_size = share * X.sum(axis=0, keepdims=True), share * X_size.sum(axis=0, keepdims=True)
    d_X = (n + 2) * U * X_size if case.config.architecture == "cbow" else 0 * X
    Z = signs * (X @ rows.T)
    d_Z = (rows.shape[1] + n + 12) * U * (X_size @ np.abs(rows).T)
    G = rate * sigmoid(Z)
    # The exponential is good to 2 units in the last place; sum, quotient and product to half a one.
    d_G = rate * (sigmoid(Z + d_Z) - sigmoid(Z - d_Z)) + 10 * U * G + 1e-37
    hinge = np.maximum(Z, 0).sum()
    d_loss = (sigmoid(Z + d_Z) * d_Z).sum() + 8 * U * Z.size + (min(Z.size, 200) + 4) * U * hinge

    def bound(words, change, d_change, W, terms):
        """Sum the bounds of a word's occurrences; each adds up so many terms, and is then added."""
        d_W, sizes, times = np.zeros_like(W), np.abs(W), np.zeros(len(W))
        np.add.at(d_W, words, d_change)
        np.add.at(sizes, words, change)
        np.add.at(times, words, 1)
        return d_W + (times * (terms + 4) * U)[:, None] * sizes + 1e-36

    change_X, d_change_X = G @ np.abs(rows), d_G @ np.abs(rows)
    if composed:
        d_change_X = d_change_X + (len(outputs) + 2) * U * X_size
    change_O, d_change_O = G.T @ X_size, d_G.T @ X_size + G.T @ d_X
    if case.config.architecture == "cbow":
        change_X = np.repeat(handed(case.config, n) * change_X, n, axis=0)
        d_change_X = np.repeat(handed(case.config, n) * d_change_X, n, axis=0)
    return (
        d_loss,
        bound(context, change_X, d_change_X, W_in, len(outputs)),
        bound(outputs, change_O, d_change_O, W_out, n),
    )


def assert_within(found, wanted, bound):
    excess = np.abs(found - wanted) - bound
    worst = np.unravel_index(np.argmax(excess), excess.shape)
    assert excess[worst] <= 0, (
        f"at {worst}: found {found[worst]!r}, exact {wanted[worst]!r}, bound {bound[worst]:.3g}"
    )


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=150 // SHARE)
@given(case=cases())
def test_step_is_minus_learning_rate_times_the_gradient(engine, case):
    parameters = case.parameters()
    loss = engine(case.config).apply_batch(parameters, case.batch, case.rate)
    exact_loss, d_W_in, d_W_out, pairs = exact_window(case)
    bound_loss, bound_in, bound_out = rounding_bounds(case)
    assert isinstance(loss, Loss)
    assert loss.pairs == pairs
    assert abs(loss.total - exact_loss) <= bound_loss
    assert_within(parameters.W_in, case.W_in - case.rate * d_W_in, bound_in)
    assert_within(parameters.W_out, case.W_out - case.rate * d_W_out, bound_out)


if not SIMULATED:

    @pytest.mark.parametrize("engine", [ReferenceEngine, HogwildEngine, ComposingEngine])
    @pytest.mark.parametrize("kernel", ["windows", "any batch"])
    @settings(max_examples=60, deadline=None)
    @given(case=cases(), seed=st.integers(0, 99))
    def test_steps_on_rows_of_w_in_are_multiplied_by_their_factors(engine, kernel, case, seed):
        factors = np.random.default_rng(seed).choice([0, 0.3, 1], len(case.W_in))
        slowed = engine(case.config)
        slowed.set_input_steps(factors)
        parameters = case.parameters()
        with pytest.MonkeyPatch.context() as patch:
            if kernel == "any batch":
                patch.setattr(Batch, "reads_words", lambda *_: False)
                patch.setattr(Batch, "is_windows", lambda *_: False)
            loss = slowed.apply_batch(parameters, case.batch, case.rate)
        exact_loss, d_W_in, d_W_out, _ = exact_window(case)
        composed = engine is ComposingEngine and kernel == "any batch"
        bound_loss, bound_in, bound_out = rounding_bounds(case, composed)
        slack = 2 if kernel == "windows" else 10  # that one sums in another order
        assert abs(loss.total - exact_loss) <= slack * bound_loss
        wanted = case.W_in - case.rate * factors[:, None] * d_W_in
        assert_within(parameters.W_in, wanted, slack * bound_in)
        assert_within(parameters.W_out, case.W_out - case.rate * d_W_out, slack * bound_out)
        np.testing.assert_array_equal(parameters.W_in[factors == 0], case.W_in[factors == 0])


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=50 // SHARE)
@given(case=cases())
def test_words_outside_a_window_and_padding_are_untouched(engine, case):
    parameters = case.parameters()
    engine(case.config).apply_batch(parameters, case.batch, case.rate)
    others = np.setdiff1d(np.arange(len(case.W_in)), case.batch.inputs)
    np.testing.assert_array_equal(parameters.W_in[others], case.W_in[others])
    others = np.setdiff1d(np.arange(len(case.W_out)), case.batch.outputs)
    np.testing.assert_array_equal(parameters.W_out[others], case.W_out[others])
    D = case.config.vector_size
    assert not parameters.W_in_rows[:, D:].any()
    assert not parameters.W_out_rows[:, D:].any()


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=30 // SHARE)
@given(case=cases(max_windows=4))
def test_windows_are_taken_one_after_another(engine, case):
    together, apart = case.parameters(), case.parameters()
    whole = engine(case.config).apply_batch(together, case.batch, case.rate)
    separate = engine(case.config)
    parts = [
        separate.apply_batch(apart, one(case.batch, b), case.rate) for b in range(len(case.batch))
    ]
    np.testing.assert_array_equal(together.W_in_rows, apart.W_in_rows)
    np.testing.assert_array_equal(together.W_out_rows, apart.W_out_rows)
    assert whole.pairs == sum(part.pairs for part in parts)
    assert whole.total == pytest.approx(sum(part.total for part in parts), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("architecture", "combine"), KINDS)
def test_two_words_every_window(engine, architecture, combine):
    rng = np.random.default_rng(5)
    for size in (1, 2, 3):
        for code in range(2 ** (size + 1)):
            target, *context = [(code >> bit) & 1 for bit in range(size + 1)]
            W_in, W_out = rng.normal(size=(2, 2, 3)).astype(np.float32)
            config = TrainingConfig(
                vector_size=3, negative=2, architecture=architecture, combine=combine
            )
            windows = windows_of([context], [[target, 1 - target, 1 - target]], architecture)
            case = Case(config, W_in, W_out, windows, 0.3)
            parameters = case.parameters()
            loss = engine(config).apply_batch(parameters, windows, case.rate)
            exact_loss, d_W_in, d_W_out, _ = exact_window(case)
            assert loss.total == pytest.approx(exact_loss, rel=1e-6, abs=5e-7)
            np.testing.assert_allclose(parameters.W_in, W_in - 0.3 * d_W_in, rtol=0, atol=1e-6)
            np.testing.assert_allclose(parameters.W_out, W_out - 0.3 * d_W_out, rtol=0, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_worked_out_by_hand(engine):
    """u_0 . v_2 = log 3, u_1 . v_2 = 0: sigmoids 3/4 and 1/2, loss log(4/3) + log 2."""
    case = Case(
        TrainingConfig(vector_size=2, negative=1),
        np.array([[5, 5], [5, 5], [1, 0]], np.float32),
        np.array([[np.log(3), 1], [0, 1], [5, 5]], np.float32),
        windows_of([[2]], [[0, 1]]),
        0.1,
    )
    parameters = case.parameters()
    loss = engine(case.config).apply_batch(parameters, case.batch, case.rate)
    assert loss.pairs == 1
    assert loss.total == pytest.approx(np.log(8 / 3), rel=1e-6)
    # d_v = (3/4 - 1) u_0 + 1/2 u_1,  d_u_0 = (3/4 - 1) v_2,  d_u_1 = 1/2 v_2
    v = [1 + 0.1 * 0.25 * np.log(3), 0.1 * (0.25 - 0.5)]
    np.testing.assert_allclose(parameters.W_in, [[5, 5], [5, 5], v], rtol=1e-6)
    u = [[np.log(3) + 0.1 * 0.25, 1], [-0.1 * 0.5, 1], [5, 5]]
    np.testing.assert_allclose(parameters.W_out, u, rtol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("architecture", "combine"), KINDS)
@pytest.mark.parametrize("negative", [1, 3, 4, 5, 9, 21])
@pytest.mark.parametrize("size", [1, 2, 300])
def test_loss_at_the_start_is_k_plus_1_log_2_a_pair(engine, architecture, combine, negative, size):
    """All scores are 0, where factors of the loss are largest: 1 + e^0 = 2 each."""
    if (engine is ReferenceEngine or SIMULATED) and size > 2:
        size = 20  # one slow pair at a time
    negative = min(negative, MOST_NEGATIVE)
    parameters = Parameters.initial(400, 400, 5, seed=3)
    context = 100 + np.arange(size)
    windows = windows_of([context], [np.arange(negative + 1)], architecture)
    config = TrainingConfig(
        vector_size=5, negative=negative, architecture=architecture, combine=combine
    )
    loss = engine(config).apply_batch(parameters, windows, 0.1)
    assert loss.pairs == (size if architecture == "skipgram" else 1)
    assert loss.total == pytest.approx(loss.pairs * (negative + 1) * np.log(2), rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("scale", [0.1, 0.5, 2.0])
def test_loss_of_hundreds_of_pairs_a_window(engine, scale):
    rng = np.random.default_rng(6)
    W_in, W_out = (scale * rng.normal(size=(2, 40, 10))).astype(np.float32)
    context = rng.integers(0, 40, 300)
    K = min(21, MOST_NEGATIVE)
    windows = windows_of([context], [np.arange(K + 1)])
    config = TrainingConfig(vector_size=10, negative=K)
    case = Case(config, W_in, W_out, windows, 0.001)
    parameters = case.parameters()
    loss = engine(config).apply_batch(parameters, windows, case.rate)
    scores = W_in[context].astype(np.float64) @ W_out[: K + 1].astype(np.float64).T
    scores[:, 0] *= -1
    exact = np.logaddexp(0, scores).sum()
    assert loss.pairs == 300
    assert loss.total == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize(("architecture", "combine"), KINDS)
def test_windows_may_grow_within_a_batch(architecture, combine):
    """The first window fits a small workspace, the last one does not."""
    rng = np.random.default_rng(8)
    contexts = [rng.integers(0, 40, size) for size in (1, 12, 700)]
    windows = windows_of(contexts, [[0, *rng.integers(1, 40, 9)] for _ in contexts], architecture)
    config = TrainingConfig(
        vector_size=20, window=1, negative=9, architecture=architecture, combine=combine
    )
    W_in, W_out = (0.1 * rng.normal(size=(2, 40, 20))).astype(np.float32)
    found = Case(config, W_in, W_out, windows, 0.01).parameters()
    wanted = Case(config, W_in, W_out, windows, 0.01).parameters()
    loss = HogwildEngine(config).apply_batch(found, windows, 0.01)
    exact = ReferenceEngine(config).apply_batch(wanted, windows, 0.01)
    assert loss.pairs == exact.pairs
    assert loss.total == pytest.approx(exact.total, rel=1e-5)
    np.testing.assert_allclose(found.W_in, wanted.W_in, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.W_out, wanted.W_out, rtol=1e-4, atol=1e-4)


def misaligned(parameters):
    memory = np.zeros(parameters.W_in_rows.size + 1, np.float32)
    rows = memory[1:] if memory.ctypes.data % 64 == 0 else memory[:-1]
    rows = rows.reshape(parameters.W_in_rows.shape)
    return replace(parameters, W_in_rows=rows if rows.ctypes.data % 64 else rows[:, ::-1])


@pytest.mark.parametrize(
    "spoil",
    [
        misaligned,
        lambda p: replace(p, W_out_rows=p.W_out_rows.astype(np.float64)),
        lambda p: replace(p, W_out_rows=p.W_out_rows[:, ::-1]),
        lambda p: replace(p, W_in_rows=p.W_in_rows[:, :8]),
        lambda p: replace(p, W_in_rows=p.W_in_rows.reshape(-1)),
        lambda p: Parameters.zeros(4, 4, 5),
        lambda p: Parameters.zeros(4, 4, 40),
    ],
)
@pytest.mark.parametrize("outputs", [[0, 1, 2], [0, 1]])  # the windows' kernel, and the other one
def test_rows_that_kernels_cannot_use_are_refused(spoil, outputs):
    parameters = spoil(Parameters.zeros(4, 4, 3))
    engine = HogwildEngine(TrainingConfig(vector_size=3, negative=2))
    with pytest.raises(ParameterError, match="parameters must be aligned float32 rows"):
        engine.apply_batch(parameters, windows_of([[1, 2]], [outputs]), 0.1)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_windows_cost_nothing(engine):
    parameters = Parameters.initial(3, 3, 4, seed=1)
    before = parameters.W_in_rows.copy()
    windows = Batch.from_windows(
        np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros((0, 6), np.int32)
    )
    loss = engine(TrainingConfig(vector_size=4)).apply_batch(parameters, windows, 0.1)
    assert loss == Loss(0.0, 0)
    np.testing.assert_array_equal(parameters.W_in_rows, before)


def spoilt(value, where, architecture):
    """A window of which one parameter is not finite."""
    config = TrainingConfig(vector_size=3, negative=2, architecture=architecture)
    rng = np.random.default_rng(7)
    parameters = Parameters.zeros(4, 4, 3)
    parameters.W_in[:] = rng.normal(size=(4, 3))
    parameters.W_out[:] = rng.normal(size=(4, 3))
    # Of the infinite scores of two words, one counts as a target and one as a negative.
    parameters.W_out[:2, 0] = 1.0
    {"in": parameters.W_in, "out": parameters.W_out}[where][1, 0] = value
    return config, parameters, windows_of([[1, 2]], [[0, 1, 3]], architecture)


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
@pytest.mark.parametrize("where", ["in", "out"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_parameters_that_are_not_finite_are_noticed(value, where, architecture):
    config, parameters, windows = spoilt(value, where, architecture)
    with pytest.raises(ParameterError, match="finite"):
        ReferenceEngine(config).apply_batch(parameters, windows, 0.1)
    engine = HogwildEngine(config)
    # An infinite score of the right sign costs nothing; its step then spoils the next window.
    losses = [engine.apply_batch(parameters, windows, 0.1).total for _ in range(2)]
    assert not np.isfinite(losses).all()
    assert not (np.isnan(value) and np.isfinite(losses[0]))


@pytest.mark.parametrize("negative", [2, 4, 5])
@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
def test_an_engine_forgets_what_was_not_finite(architecture, negative):
    config = TrainingConfig(vector_size=3, negative=negative, architecture=architecture)
    windows = windows_of([[1, 2]], [[0] + [1] * negative], architecture)
    engine = HogwildEngine(config)
    engine.apply_batch(spoilt(np.nan, "in", architecture)[1], windows, 0.1)
    used, fresh = Parameters.initial(4, 4, 3, seed=1), Parameters.initial(4, 4, 3, seed=1)
    loss = engine.apply_batch(used, windows, 0.1)
    assert loss == HogwildEngine(config).apply_batch(fresh, windows, 0.1)
    np.testing.assert_array_equal(used.W_out, fresh.W_out)


GOOD = {
    "inputs": [1, 2, 3],
    "input_offsets": [0, 2, 3],
    "groups": [0, 1, 2],
    "outputs": [0, 1, 2, 3, 4],
    "output_offsets": [0, 3, 5],
}
DTYPES = {"inputs": np.int32, "outputs": np.int32, "signs": np.int8}


def batch_of(**arrays):
    return Batch(
        **{
            name: array
            if isinstance(array, np.ndarray)
            else np.array(array, DTYPES.get(name, np.int64))
            for name, array in (GOOD | arrays).items()
        }
    )


BAD_BATCHES = [
    ({"inputs": [1, 2, 4]}, r"inputs must be rows of W_in in \[0, 3\], got 1 to 4"),
    ({"inputs": [1, -1, 0]}, r"inputs must be rows of W_in in \[0, 3\], got -1 to 1"),
    ({"inputs": np.array([1.0, 2.0, 3.0])}, "inputs must be one row of integers, got float64"),
    ({"inputs": np.array([[1], [2], [3]])}, r"inputs must be one row of integers, got int64 of"),
    ({"outputs": [0, 1, 2, 3, 5]}, r"outputs must be rows of W_out in \[0, 4\], got 0 to 5"),
    ({"outputs": [0, 1, 2, 3, -1]}, r"outputs must be rows of W_out in \[0, 4\], got -1 to 3"),
    ({"outputs": [0, 1, 0, 3, 4]}, "a negative must differ from its example's target"),
    ({"outputs": [0, 1, 2, 3, 3]}, "a negative must differ from its example's target"),
    (
        {"signs": [1, 1, 0, 1, 1]},
        r"signs must be \+1 or -1 for each of the 5 outputs, got \[0, 1\]",
    ),
    ({"signs": [1, -1, 1, 1]}, r"signs must be \+1 or -1 for each of the 5 outputs, got .* \(4,\)"),
    ({"groups": [0, 2]}, "output_offsets must be 2 integers that rise from 0 to 5, the number of"),
    ({"groups": [0, 1, 1]}, "groups must be 3 integers that rise from 0 to 2, the number of input"),
    ({"groups": [0, 2, 2]}, "groups must be 3 integers that rise from 0 to 2"),
    ({"groups": [1, 1, 2]}, "groups must be 3 integers that rise from 0 to 2"),
    ({"groups": np.array([0.0, 1.0, 2.0])}, "groups must be 3 integers that rise from 0 to 2"),
    ({"input_offsets": [0, 1, 4]}, "input_offsets must be 3 integers that rise from 0 to 3"),
    ({"input_offsets": [0, 3, 3]}, "input_offsets must be 3 integers that rise from 0 to 3"),
    ({"input_offsets": [0, 4, 3]}, "input_offsets must be 3 integers that rise from 0 to 3"),
    ({"input_offsets": [-1, 2, 3]}, "input_offsets must be 3 integers that rise from 0 to 3"),
    ({"output_offsets": [0, 5]}, "output_offsets must be 3 integers that rise from 0 to 5"),
    ({"output_offsets": [0, 5, 5]}, "output_offsets must be 3 integers that rise from 0 to 5"),
    ({"output_offsets": [0, 3, 9]}, r"the number of outputs; got \[0, 3, 9\]"),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("change", "match"), BAD_BATCHES, ids=str)
def test_batches_that_cannot_be(engine, change, match):
    parameters = Parameters.initial(4, 5, 3, seed=1)
    before = parameters.W_in_rows.copy()
    with pytest.raises(ParameterError, match=match):
        engine(TrainingConfig(vector_size=3)).apply_batch(parameters, batch_of(**change), 0.1)
    np.testing.assert_array_equal(parameters.W_in_rows, before)
    with pytest.raises(ParameterError, match=match):
        batch_loss(parameters, batch_of(**change), "mean")


def test_the_batch_that_the_others_spoil_is_good():
    check_batch(batch_of(), 4, 5)
    check_batch(batch_of(signs=[1, 1, -1, -1, -1], outputs=[0, 0, 0, 1, 1]), 4, 5)


@pytest.mark.parametrize(
    ("contexts", "offsets", "targets", "match"),
    [
        ([1, 2], [0, 2], [0, 1, 2], r"targets must have shape \(B, 1 \+ K\), got \(3,\)"),
        ([1, 2], [0, 2], np.zeros((1, 0)), r"targets must have shape \(B, 1 \+ K\), got \(1, 0\)"),
        ([1, 2], [0, 1], [[0, 1, 2]], "offsets must be 2 integers that rise from 0 to 2"),
        ([1, 2], [1, 2], [[0, 1, 2]], "offsets must be 2 integers that rise from 0"),
        ([1, 2], [0, 0, 2], [[0, 1, 2]] * 2, "offsets must be 3 integers that rise from 0"),
        ([1, 2], [0, 2], [[0, 1, 2]] * 2, "offsets must be 3 integers that rise from 0"),
        ([1, 2], [0, 3, 2], [[0, 1, 2]] * 2, "offsets must be 3 integers that rise from 0"),
        ([], [], np.zeros((0, 3)), "offsets must be 1 integers that rise from 0"),
    ],
)
def test_windows_that_cannot_be(contexts, offsets, targets, match):
    arrays = (
        np.array(contexts, np.int32), np.array(offsets, np.int64), np.array(targets, np.int32)
    )  # fmt: skip
    with pytest.raises(ParameterError, match=match):
        Batch.from_windows(*arrays)


# --- any batch: input vectors of several rows, outputs of any number and sign ---


@st.composite
def ragged_cases(draw):
    """Few rows, so that rows repeat within an input vector, among them, and among the outputs."""
    n_inputs, n_outputs = draw(st.integers(1, 9)), draw(st.integers(2, 9))
    D = draw(st.integers(1, 40))
    in_rows = st.lists(st.integers(0, n_inputs - 1), min_size=1, max_size=6)
    vectors, groups, outputs, signs = [], [0], [], []
    given_signs = draw(st.booleans())
    for _ in range(draw(st.integers(1, 3))):
        group = draw(st.lists(in_rows, min_size=1, max_size=5))
        vectors += group
        groups.append(groups[-1] + len(group))
        own = draw(st.lists(st.integers(0, n_outputs - 1), min_size=1, max_size=9))
        if given_signs:
            signs += draw(st.lists(st.sampled_from([-1, 1]), min_size=len(own), max_size=len(own)))
        else:
            own = [own[0], *(o for o in own[1:] if o != own[0])]
        outputs.append(own)
    batch = Batch(
        inputs=np.array(list(chain(*vectors)), np.int32),
        input_offsets=np.cumsum([0] + [len(rows) for rows in vectors]),
        groups=np.array(groups),
        outputs=np.array(list(chain(*outputs)), np.int32),
        output_offsets=np.cumsum([0] + [len(own) for own in outputs]),
        signs=np.array(signs, np.int8) if given_signs else None,
    )
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    scale = draw(st.sampled_from([0.1, 1.0, 3.0])) / D**0.25
    W_in = (scale * rng.normal(size=(n_inputs, D))).astype(np.float32)
    W_out = (scale * rng.normal(size=(n_outputs, D))).astype(np.float32)
    config = TrainingConfig(
        vector_size=D,
        negative=draw(st.integers(1, 3)),
        architecture=draw(st.sampled_from(["skipgram", "cbow"])),
        combine=draw(st.sampled_from(["mean", "sum"])),
        cbow_step=draw(st.sampled_from(CBOW_STEPS)),
        workers=1,
    )
    return Case(config, W_in, W_out, batch, draw(st.sampled_from([0.025, 0.5])))


def written_out(case, W_in, W_out, exact=False):
    """Loss and steps of a one-example batch, term by term, by its definition."""
    batch, combine = case.batch, case.config.combine
    d_in, d_out, loss = np.zeros_like(W_in), np.zeros_like(W_out), 0.0
    signs = batch.signs
    if signs is None:
        signs = [1] + [-1] * (len(batch.outputs) - 1)
    for i in range(batch.n_vectors):
        rows = batch.inputs[batch.input_offsets[i] : batch.input_offsets[i + 1]]
        share = 1 / len(rows) if combine == "mean" else 1.0
        h = share * sum(W_in[r] for r in rows)
        for o, sign in zip(batch.outputs, signs, strict=True):
            z = float(sign) * float(W_out[o] @ h)
            loss -= float(log_sigmoid(z))
            error = -float(sign) * float(sigmoid(-z))
            d_out[o] += error * h
            for r in rows:
                d_in[r] += (share if exact else handed(case.config, len(rows))) * error * W_out[o]
    return loss, d_in, d_out


def written_out_in_turn(case, W_in, W_out):
    """Loss and matrices after all examples of a batch, one after another, by their definition."""
    total = 0.0
    for b in range(len(case.batch)):
        loss, d_in, d_out = written_out(replace(case, batch=one(case.batch, b)), W_in, W_out)
        W_in, W_out, total = W_in - case.rate * d_in, W_out - case.rate * d_out, total + loss
    return total, W_in, W_out


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=150 // SHARE, deadline=None)
@given(case=ragged_cases())
def test_any_batch_is_trained_by_the_gradient_of_its_definition(engine, case):
    parameters = case.parameters()
    start = [W.astype(np.float64) for W in (case.W_in, case.W_out)]
    expected = written_out_in_turn(case, *start)
    measured = batch_loss(case.parameters(), one(case.batch, 0), case.config.combine)
    first = written_out(replace(case, batch=one(case.batch, 0)), *start)[0]
    assert measured.total == pytest.approx(first, rel=1e-12, abs=1e-14)
    found = engine(case.config).apply_batch(parameters, case.batch, case.rate)
    assert found.pairs == case.batch.n_vectors
    # Each of at most 3 steps of rate 1/2 is rounded to float32 and passed on to the next, whose
    # scores are sums of up to 9 products of such rows: some batches are trained apart by what a
    # last bit decides.  How far says the definition itself, begun that little elsewhere.
    rng = np.random.default_rng(0)
    near = [W * (1 + 8 * U * rng.choice([-1, 1], W.shape)) for W in start]
    apart = [
        np.abs(np.asarray(far) - other).max()
        for far, other in zip(expected, written_out_in_turn(case, *near), strict=True)
    ]
    size = max(1.0, *(np.abs(W).max() for W in expected[1:]))
    assert found.total == pytest.approx(expected[0], rel=2e-5, abs=2e-5 * size + 10 * apart[0])
    for W, wanted, moved in zip((parameters.W_in, parameters.W_out), expected[1:], apart[1:],
                                strict=True):  # fmt: skip
        np.testing.assert_allclose(W, wanted, rtol=0, atol=1e-5 * size + 10 * moved)


@settings(max_examples=60 // SHARE, deadline=None)
@given(case=ragged_cases())
def test_the_definitions_gradient_is_that_of_its_loss(case):
    """Central differences of the loss, in float64, at every coordinate: the last check."""
    case = replace(case, batch=one(case.batch, 0))
    W = {"in": case.W_in.astype(np.float64), "out": case.W_out.astype(np.float64)}
    _, d_in, d_out = written_out(case, W["in"], W["out"], exact=True)
    for name, gradient in (("in", d_in), ("out", d_out)):
        rng = np.random.default_rng(0)
        direction = rng.normal(size=gradient.shape)
        step = 1e-6
        moved = [
            written_out(case, *(W | {name: W[name] + s * step * direction}).values())[0]
            for s in (1, -1)
        ]
        slope = (moved[0] - moved[1]) / (2 * step)
        assert slope == pytest.approx((gradient * direction).sum(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=60 // SHARE, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_cbow_of_words_with_several_rows_is_cbow_of_their_rows(engine, data, seed):
    """The flat list: h is the mean (or sum) over all rows of all context words."""
    V, n_inputs, D = 5, 11, 6
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, V)
    rows = RowTable(
        rng.integers(0, n_inputs, sizes.sum()).astype(np.int32),
        np.concatenate([[0], np.cumsum(sizes)]),
        n_inputs,
    )
    context = np.array(data.draw(st.lists(st.integers(0, V - 1), min_size=1, max_size=6)), np.int32)
    combine = data.draw(st.sampled_from(["mean", "sum"]))
    config = TrainingConfig(
        vector_size=D, negative=2, architecture="cbow", combine=combine, cbow_step="exact"
    )
    batch = Batch.from_windows(
        context, np.array([0, len(context)]), np.array([[1, 0, 3]], np.int32),
        architecture="cbow", rows=rows,
    )  # fmt: skip
    W_in, W_out = (rng.normal(size=(n, D)).astype(np.float32) for n in (n_inputs, V))
    # maths.cbow has one number of words: rows that nothing touches make the matrices alike.
    padded = np.zeros((n_inputs, D))
    padded[:V] = W_out
    flat = np.concatenate([rows.rows[rows.offsets[w] : rows.offsets[w + 1]] for w in context])
    oracle = cbow(
        1, flat, W_in.astype(np.float64), padded,
        loss="negative-sampling", negatives=[0, 3], combine=combine,
    )  # fmt: skip
    parameters = Parameters.from_matrices(W_in, W_out)
    loss = engine(config).apply_batch(parameters, batch, 0.1)
    assert loss.pairs == 1
    # A loss near 0 is the logarithm of a float32 product near 1: good to a few roundings.
    assert loss.total == pytest.approx(oracle.loss, rel=1e-5, abs=2e-6)
    np.testing.assert_allclose(parameters.W_in, W_in - 0.1 * oracle.d_W_in, rtol=0, atol=2e-5)
    np.testing.assert_allclose(parameters.W_out, W_out - 0.1 * oracle.d_W_out[:V], atol=2e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("combine", ["mean", "sum"])
def test_skipgram_of_words_with_several_rows_reads_each_word_as_their_mean(engine, combine):
    rng = np.random.default_rng(3)
    rows = RowTable(np.array([0, 4, 1, 2, 5, 5, 3], np.int32), np.array([0, 2, 3, 6, 7]), 6)
    context = np.array([2, 0, 2], np.int32)
    batch = Batch.from_windows(
        context, np.array([0, 3]), np.array([[1, 0, 3]], np.int32), rows=rows
    )
    assert batch.n_vectors == 3
    W_in, W_out = rng.normal(size=(6, 5)), rng.normal(size=(6, 5))
    loss, d_in, d_out = 0.0, np.zeros((6, 5)), np.zeros((6, 5))
    for word in context:
        own = rows.rows[rows.offsets[word] : rows.offsets[word + 1]]
        part = cbow(
            1, own, W_in.astype(np.float32), W_out.astype(np.float32),
            loss="negative-sampling", negatives=[0, 3], combine=combine,
        )  # fmt: skip
        loss, d_in, d_out = loss + part.loss, d_in + part.d_W_in, d_out + part.d_W_out
    parameters = Parameters.from_matrices(W_in, W_out[:4])
    config = TrainingConfig(vector_size=5, negative=2, combine=combine)
    found = engine(config).apply_batch(parameters, batch, 0.1)
    assert found.pairs == 3
    assert found.total == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(parameters.W_in, W_in - 0.1 * d_in, rtol=0, atol=1e-5)
    np.testing.assert_allclose(parameters.W_out, (W_out - 0.1 * d_out)[:4], rtol=0, atol=1e-5)


@pytest.mark.parametrize("engine", COMPILED)
@settings(max_examples=60 // SHARE, deadline=None)
@given(case=cases(max_windows=3))
def test_the_windows_kernel_and_that_of_any_batch_agree(engine, case):
    """The same windows as if their words had several rows, or with their signs written out."""
    signed = replace(case.batch, signs=case.batch.all_signs)
    assert case.batch.is_windows(case.config.negative, case.config.architecture)
    assert not signed.is_windows(case.config.negative, case.config.architecture)
    if np.abs(case.W_in).max() * np.abs(case.W_out).max() > 30:
        return  # steps that throw the next window far away: nothing to compare rounding by
    one_way, other = case.parameters(), case.parameters()
    fast = engine(case.config).apply_batch(one_way, case.batch, case.rate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Batch, "reads_words", lambda *_: False)
        slow = engine(case.config).apply_batch(other, signed, case.rate)
    assert fast.pairs == slow.pairs
    assert fast.total == pytest.approx(slow.total, rel=1e-4, abs=1e-4)
    size = max(1.0, np.abs(one_way.W_in).max(), np.abs(one_way.W_out).max())
    np.testing.assert_allclose(one_way.W_in, other.W_in, rtol=0, atol=2e-5 * size**2)
    np.testing.assert_allclose(one_way.W_out, other.W_out, rtol=0, atol=2e-5 * size**2)


@pytest.mark.parametrize("engine", [HogwildEngine, DeterministicEngine])
@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
def test_the_fast_kernel_is_taken_for_windows_alone(engine, architecture, monkeypatch):
    from wordgrad.training.engines import negative_sampling

    calls = []
    for name in ("run_batch", "batch_step"):
        kernel = getattr(negative_sampling, name)
        monkeypatch.setattr(
            negative_sampling,
            name,
            lambda *args, _kernel=kernel, _name=name: (calls.append(_name), _kernel(*args))[1],
        )
    config = TrainingConfig(vector_size=3, negative=2, architecture=architecture)
    windows = windows_of([[1, 2], [0]], [[0, 1, 2], [3, 1, 1]], architecture)
    two_rows = RowTable(np.array([0, 3, 1, 2, 3], np.int32), np.array([0, 2, 3, 4, 5]), 4)
    batches = {
        "run_batch": [
            windows,
            replace(windows, signs=windows.all_signs),
            windows_of([[1, 2]], [[0, 1]], architecture),
            windows_of([[1, 2]], [[0, 1, 2, 3]], architecture),
        ],
        "batch_step": [
            Batch.from_windows(
                np.array([0, 1], np.int32), np.array([0, 2]), np.array([[0, 1, 2]], np.int32),
                architecture="cbow" if architecture == "skipgram" else "skipgram", rows=two_rows,
            ),
        ],
    }  # fmt: skip
    for name, given_batches in batches.items():
        for batch in given_batches:
            calls.clear()
            engine(config).apply_batch(Parameters.initial(4, 4, 3, seed=1), batch, 0.1)
            assert calls == [name]


@pytest.mark.parametrize("engine", COMPILED)
@pytest.mark.parametrize("where", ["in", "out"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_kernel_of_any_batch_hides_nothing_that_is_not_finite(
    engine, where, value, monkeypatch
):
    config, parameters, windows = spoilt(value, where, "skipgram")
    monkeypatch.setattr(Batch, "reads_words", lambda *_: False)
    batch = replace(windows, signs=windows.all_signs)
    losses = [engine(config).apply_batch(parameters, batch, 0.1).total for _ in range(2)]
    assert not np.isfinite(losses).all()


# --- the exact softmax: a step of Adagrad for a whole batch ---


@pytest.fixture(scope="module")
def corpus():
    sentences = [f"a{i % 7} b{i % 5} c{i % 11} d{i % 3}" for i in range(3000)]
    with encode_corpus(sentences, min_count=1) as encoded:
        yield encoded


@pytest.mark.parametrize("engine", [SkipGramSoftmaxEngine, CbowSoftmaxEngine])
@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
@pytest.mark.parametrize("combine", ["mean", "sum"])
@pytest.mark.parametrize("step", CBOW_STEPS)
def test_softmax_takes_adagrads_step_on_the_oracles_gradient(
    corpus, engine, architecture, combine, step
):
    V, D, rate = len(corpus.vocabulary), 6, 0.2
    config = TrainingConfig(
        vector_size=D, loss="softmax", combine=combine, softmax_offset="none", workers=1,
        architecture="skipgram" if engine is SkipGramSoftmaxEngine else "cbow", cbow_step=step,
    )  # fmt: skip
    rng = np.random.default_rng(1)
    contexts = [rng.integers(0, V, n) for n in (2, 1)]
    targets = rng.integers(0, V, (2, 1))
    batch = windows_of(contexts, targets, architecture)
    parameters = Parameters.from_matrices(*rng.normal(size=(2, V, D)))
    W_in, W_out = parameters.W_in.astype(np.float64), parameters.W_out.astype(np.float64)
    sums_in, sums_out = rng.uniform(0, 1, (2, V))
    trained = engine.from_corpus(corpus, config)
    trained.block_rows = 4
    trained.prepare(parameters)
    trained.restore({"sums_in": sums_in, "sums_out": sums_out, "epoch_sums": np.zeros(2)})
    found = trained.apply_batch(parameters, batch, rate)
    if architecture == "cbow":
        parts = [
            cbow(int(t[0]), c, W_in, W_out, combine=combine)
            for c, t in zip(contexts, targets, strict=True)
        ]
        factors = [
            handed(config, len(c)) / (1 / len(c) if combine == "mean" else 1.0) for c in contexts
        ]
    else:
        parts = [
            skipgram(int(word), t, W_in, W_out)
            for c, t in zip(contexts, targets, strict=True)
            for word in c
        ]
        factors = [handed(config, 1)] * len(parts)
    assert found.pairs == batch.n_vectors == len(parts)
    assert found.total == pytest.approx(sum(part.loss for part in parts), rel=1e-5)
    for rows, before, sums, gradient, own_rate in (
        (
            parameters.W_in,
            W_in,
            sums_in,
            sum(f * part.d_W_in for f, part in zip(factors, parts, strict=True)),
            rate,
        ),
        (parameters.W_out, W_out, sums_out, sum(p.d_W_out for p in parts), OUTPUT_RATE * rate),
    ):
        G = sums + (gradient**2).mean(axis=1)
        expected = before - own_rate * gradient / np.sqrt(G)[:, np.newaxis]
        np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-5)
    trained.close()


@pytest.mark.parametrize("engine", [SkipGramSoftmaxEngine, CbowSoftmaxEngine])
def test_batches_that_the_softmax_cannot_train(corpus, engine):
    config = TrainingConfig(vector_size=4, loss="softmax", workers=1)
    trained = engine.from_corpus(corpus, config)
    V = len(corpus.vocabulary)
    parameters = Parameters.initial(V, V, 4, seed=1)
    trained.prepare(parameters)
    windows = windows_of([[1, 2]], [[0, 1]])
    with pytest.raises(ParameterError, match="signs must be None with the exact softmax"):
        trained.apply_batch(parameters, replace(windows, signs=windows.all_signs), 0.1)
    long = windows_of([np.zeros(trained.block_rows + 1)], [[0]])
    with pytest.raises(ParameterError, match=r"a batch must have at most .* cut it"):
        trained.apply_batch(parameters, long, 0.1)
    with pytest.raises(ParameterError, match="inputs must be rows of W_in"):
        trained.apply_batch(parameters, windows_of([[V]], [[0]]), 0.1)
    with pytest.raises(ParameterError, match=r"parameters must have \d+ rows in W_out"):
        trained.apply_batch(Parameters.initial(V, V + 1, 4, seed=1), windows, 0.1)
    assert not parameters.W_out.any()
    trained.close()


# --- epochs ---


def table_engine(**settings):
    def make(corpus, workers):
        config = TrainingConfig(vector_size=8, workers=workers, sample=0.01, **settings)
        return make_engine(corpus, config)

    return make


def by_class(engine):
    def make(corpus, workers):
        config = TrainingConfig(vector_size=8, workers=workers, sample=0.01)
        tables = SamplingTables(corpus, config)
        if engine is DeterministicEngine:
            return DeterministicEngine(config, tables, Layout(4, 50, 3))
        return engine(config, tables)

    return make


MAKERS = {
    "hogwild": table_engine(),
    "hogwild, cbow": table_engine(architecture="cbow"),
    "deterministic": by_class(DeterministicEngine),
    "blocks": table_engine(blocks=3),
    "reference": by_class(ReferenceEngine),
    "softmax, skipgram": table_engine(loss="softmax"),
    "softmax, cbow": table_engine(loss="softmax", architecture="cbow"),
}
if SIMULATED:

    def on_a_card(corpus, workers):
        engine = by_class(CudaEngine)(corpus, workers)
        engine.span_tokens = 30
        return engine

    def softmax_on_a_card(corpus, workers):
        cuda_softmax.BLOCKS_AT_ONCE = 2
        config = TrainingConfig(vector_size=8, sample=0.01, loss="softmax", workers=workers)
        return cuda_softmax.CudaSoftmaxEngine.from_corpus(corpus, config)

    MAKERS = {"CudaEngine": on_a_card, "CudaEngine, softmax": softmax_on_a_card}
every_engine = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


class AfterSteps(threading.Event):
    """Set once it was asked ``n`` times: whatever the threads' speed, some steps are left over."""

    def __init__(self, n):
        super().__init__()
        self.left = n

    def is_set(self):
        self.left -= 1
        return self.left < 0


def begun(corpus, make, workers=1):
    engine = make(corpus, workers)
    parameters = Parameters.initial(engine.n_inputs, engine.n_outputs, 8, seed=1)
    return engine, parameters


@pytest.fixture(scope="module")
def short(corpus):
    """A corpus that the slow engine can finish."""
    n = 40 if SIMULATED else 500
    with encode_corpus([f"a{i % 7} b{i % 5} c{i % 3}" for i in range(n)], min_count=1) as encoded:
        yield encoded


@every_engine
@pytest.mark.parametrize("workers", [1, 3])
def test_a_paused_epoch_goes_on_where_it_ended(short, workers, make):
    engine, parameters = begun(short, make, workers)
    engine.prepare(parameters)
    position, visits, n_calls = 0, [], 0
    while position < engine.length:
        steps = list(engine.epoch(parameters, 0, position, AfterSteps(2)))
        stop = position + sum(step.stop - step.start for step in steps)
        assert sorted((s.start, s.stop) for s in steps)[-1][1] == stop
        position, n_calls = stop, n_calls + 1
        visits += steps
    assert n_calls > 1
    edges = sorted((step.start, step.stop) for step in visits)
    assert edges[0][0] == 0
    assert all(one[1] == two[0] for one, two in pairwise(edges))
    assert edges[-1][1] == engine.length
    rates = [step.learning_rate for step in sorted(visits)]
    assert rates == sorted(rates, reverse=True)
    assert parameters.are_finite()
    assert parameters.W_out.any()
    engine.close()


@every_engine
def test_a_pause_before_the_first_step_does_nothing(short, make):
    engine, parameters = begun(short, make, workers=2)
    pause = threading.Event()
    pause.set()
    engine.prepare(parameters)
    assert list(engine.epoch(parameters, 0, 0, pause)) == []
    assert not parameters.W_out_rows.any()
    engine.close()


@every_engine
def test_preparing_changes_nothing(short, make):
    engine, parameters = begun(short, make, workers=2)
    state = {name: array.copy() for name, array in engine.state().items()}
    engine.prepare(parameters)
    again = begun(short, make)[1]
    assert (parameters.W_in_rows == again.W_in_rows).all()
    assert not parameters.W_out_rows.any()
    for name, array in state.items():
        np.testing.assert_array_equal(engine.state()[name], array)
    engine.close()


@every_engine
def test_closing_ends_every_thread(short, make):
    engine, parameters = begun(short, make, workers=3)
    engine.prepare(parameters)
    steps = engine.epoch(parameters, 0, 0, threading.Event())
    next(steps)
    steps.close()
    engine.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("wordgrad-")]


@every_engine
def test_an_epoch_lowers_the_loss(short, make):
    engine, parameters = begun(short, make)
    engine.prepare(parameters)
    means = []
    for _ in range(2):
        steps = list(engine.epoch(parameters, 0, 0, threading.Event()))
        means.append(sum(s.loss.total for s in steps) / sum(s.loss.pairs for s in steps))
    assert means[1] < means[0]
    vectors = engine.vectors(parameters)
    assert vectors.shape == (len(short.vocabulary), 8)
    assert np.isfinite(vectors).all()
    engine.close()


@every_engine
@pytest.mark.parametrize("changes", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_parameters_of_another_shape_are_refused(short, make, changes):
    engine, _ = begun(short, make)
    sizes = np.array([engine.n_inputs, engine.n_outputs, 8]) + changes
    with pytest.raises(ParameterError, match=r"^parameters must (have|be) "):
        engine.prepare(Parameters.initial(*map(int, sizes), seed=1))
    engine.close()


def test_the_reference_engine_trains_what_the_fast_one_does(short):
    """Whole epochs: the same windows, and parameters to rounding."""
    found = []
    for make in (MAKERS["reference"], MAKERS["hogwild"]):
        engine, parameters = begun(short, make)
        steps = [
            step
            for epoch in range(2)
            for step in engine.epoch(parameters, epoch, 0, threading.Event())
        ]
        found.append((steps, parameters))
    (exact_steps, exact), (steps, parameters) = found
    assert [s.loss.pairs for s in steps] == [s.loss.pairs for s in exact_steps]
    np.testing.assert_allclose(
        [s.loss.total for s in steps], [s.loss.total for s in exact_steps], rtol=1e-5
    )
    np.testing.assert_allclose(parameters.W_in, exact.W_in, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(parameters.W_out, exact.W_out, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
def test_epochs_of_words_with_several_rows(short, architecture):
    """The plain kernel on whole epochs beside the reference; vectors are the means of rows."""
    V = len(short.vocabulary)
    sizes = 1 + np.arange(V) % 3
    rows = RowTable(
        (np.arange(sizes.sum()) % (V + 4)).astype(np.int32),
        np.concatenate([[0], np.cumsum(sizes)]),
        V + 4,
    )
    config = TrainingConfig(vector_size=8, workers=1, sample=0.01, architecture=architecture)
    tables = SamplingTables(short, config)
    found = []
    for kind in (HogwildEngine, ReferenceEngine):
        engine = kind(config, tables, rows)
        assert (engine.n_inputs, engine.n_outputs) == (V + 4, V)
        parameters = Parameters.initial(V + 4, V, 8, seed=1)
        engine.prepare(parameters)
        steps = list(engine.epoch(parameters, 0, 0, threading.Event()))
        found.append(
            (sum(s.loss.total for s in steps), sum(s.loss.pairs for s in steps), parameters)
        )
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert found[0][1] == found[1][1] > 500
    np.testing.assert_allclose(found[0][2].W_in, found[1][2].W_in, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[0][2].W_out, found[1][2].W_out, rtol=1e-4, atol=1e-5)
    vectors = engine.vectors(found[1][2])
    own = rows.rows[rows.offsets[5] : rows.offsets[6]]
    assert len(own) > 1
    np.testing.assert_allclose(vectors[5], found[1][2].W_in[own].mean(axis=0), rtol=1e-5)


def test_the_table_has_one_engine_for_all_settings(short):
    chosen = {
        (loss, architecture, reproducible): type(
            make_engine(
                short,
                TrainingConfig(
                    vector_size=8, loss=loss, architecture=architecture, reproducible=reproducible
                ),
            )
        )
        for loss in ("softmax", "negative-sampling")
        for architecture in ("skipgram", "cbow")
        for reproducible in (False, True)
    }
    assert set(chosen.values()) == {line[-1] for line in TABLE if line[0] == "cpu"}
    assert chosen["softmax", "cbow", True] is CbowSoftmaxEngine
    assert chosen["softmax", "skipgram", False] is SkipGramSoftmaxEngine
    assert chosen["negative-sampling", "cbow", True] is DeterministicEngine
    assert chosen["negative-sampling", "skipgram", False] is HogwildEngine


@pytest.mark.parametrize("engine", ENGINES)
def test_an_epoch_needs_something_to_draw_from(engine):
    made = engine(TrainingConfig(vector_size=4, workers=1))
    with pytest.raises(TypeError, match=r"\w+Engine needs sampling tables to draw from"):
        made.tables.key(0)


OTHER_WIDTH = """
import sys
from wordgrad.training.kernels import intrinsics
intrinsics.LANES = int(sys.argv[1])
intrinsics.Emitter.__init__.__defaults__ = (intrinsics.LANES,)
import pytest
others = "not width and not reference and not softmax and not ReferenceEngine"
sys.exit(pytest.main(["-q", "-x", "-n", "0", "-k", others, *sys.argv[2:]]))  # kernels compile once
"""


@pytest.mark.skipif("WORDGRAD_WIDTH" in os.environ, reason="runs inside itself otherwise")
@pytest.mark.parametrize("lanes", [width for width in (4, 8, 16) if width != LANES])
def test_other_vector_widths_keep_the_contract(lanes, tmp_path):
    """What this machine's own width hides: other widths have other tails, shuffles and counts."""
    here = Path(__file__)
    files = [here, *here.parents[1].glob("training/kernels/test_tiles.py")]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "WORDGRAD_WIDTH": str(lanes)}
    result = subprocess.run(
        [sys.executable, "-c", OTHER_WIDTH, str(lanes), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=here.parents[2],
    )
    assert result.returncode == 0, result.stdout + result.stderr
