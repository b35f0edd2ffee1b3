"""Every engine takes the same step: -learning_rate times the gradient of the window's loss.

The bounds are those of float32 arithmetic (unit roundoff u = 2^-24): a sum of n products is off by
at most n u times the sum of their sizes, whatever its order (Higham, "Accuracy and Stability of
Numerical Algorithms", 2002, section 3.1).
"""

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.errors import ParameterError
from wordgrad.maths import cbow, skipgram
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import Loss
from wordgrad.training.engines.hogwild import CpuEngine
from wordgrad.training.engines.reference import ReferenceEngine
from wordgrad.training.kernels.simd import LANES
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import Span, Windows

ENGINES = [ReferenceEngine, CpuEngine]
KINDS = [("skipgram", "mean"), ("cbow", "mean"), ("cbow", "sum")]
U = 2.0**-24


@dataclass
class Case:
    config: TrainingConfig
    W_in: np.ndarray
    W_out: np.ndarray
    windows: Windows
    rate: float

    def parameters(self):
        parameters = Parameters.zeros(*self.W_in.shape)
        parameters.W_in[:] = self.W_in
        parameters.W_out[:] = self.W_out
        return parameters


def windows_of(contexts, targets):
    sizes = [len(context) for context in contexts]
    return Windows(
        np.concatenate([np.asarray(context, np.int32) for context in contexts]),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.asarray(targets, np.int32).reshape(len(contexts), -1),
    )


def one(windows, b):
    """Window b alone."""
    context = windows.contexts[windows.offsets[b] : windows.offsets[b + 1]]
    return windows_of([context], [windows.targets[b]])


@st.composite
def cases(draw, max_windows=1):
    """Few words, so that context and negatives repeat, and the centre is among its context."""
    V = draw(st.integers(2, 12))
    D = draw(st.integers(1, 40))
    K = draw(st.integers(1, 23))
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
        vector_size=D, negative=K, architecture=architecture, combine=combine, workers=1
    )
    rate = draw(st.sampled_from([0.025, 0.5]))
    return Case(config, W_in, W_out, windows_of(contexts, targets), rate)


def exact_window(case):
    """Loss, gradients and number of pairs of a one-window case, by wordgrad.maths in float64."""
    context, (target, *negatives) = case.windows.contexts, case.windows.targets[0].tolist()
    W_in, W_out = case.W_in.astype(np.float64), case.W_out.astype(np.float64)
    options = {"loss": "negative-sampling"}
    if case.config.architecture == "cbow":
        window = cbow(
            target, context, W_in, W_out,
            negatives=negatives, combine=case.config.combine, **options,
        )  # fmt: skip
        return window.loss, window.d_W_in, window.d_W_out, 1
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


def sigmoid(z):
    return 0.5 * (1 + np.tanh(0.5 * z))


def rounding_bounds(case):
    """How far float32 may be from the exact loss, W_in and W_out after a one-window case."""
    context, outputs = case.windows.contexts, case.windows.targets[0]
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
    change_O, d_change_O = G.T @ X_size, d_G.T @ X_size + G.T @ d_X
    if case.config.architecture == "cbow":
        change_X = np.repeat(share * change_X, n, axis=0)
        d_change_X = np.repeat(share * d_change_X, n, axis=0)
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
@settings(max_examples=150)
@given(case=cases())
def test_step_is_minus_learning_rate_times_the_gradient(engine, case):
    parameters = case.parameters()
    loss = engine(case.config).apply_batch(parameters, case.windows, case.rate)
    exact_loss, d_W_in, d_W_out, pairs = exact_window(case)
    bound_loss, bound_in, bound_out = rounding_bounds(case)
    assert isinstance(loss, Loss)
    assert loss.pairs == pairs
    assert abs(loss.total - exact_loss) <= bound_loss
    assert_within(parameters.W_in, case.W_in - case.rate * d_W_in, bound_in)
    assert_within(parameters.W_out, case.W_out - case.rate * d_W_out, bound_out)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=50)
@given(case=cases())
def test_words_outside_a_window_and_padding_are_untouched(engine, case):
    parameters = case.parameters()
    engine(case.config).apply_batch(parameters, case.windows, case.rate)
    others = np.setdiff1d(np.arange(len(case.W_in)), case.windows.contexts)
    np.testing.assert_array_equal(parameters.W_in[others], case.W_in[others])
    others = np.setdiff1d(np.arange(len(case.W_in)), case.windows.targets)
    np.testing.assert_array_equal(parameters.W_out[others], case.W_out[others])
    D = case.config.vector_size
    assert not parameters.W_in_rows[:, D:].any()
    assert not parameters.W_out_rows[:, D:].any()


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=30)
@given(case=cases(max_windows=4))
def test_windows_are_taken_one_after_another(engine, case):
    together, apart = case.parameters(), case.parameters()
    whole = engine(case.config).apply_batch(together, case.windows, case.rate)
    separate = engine(case.config)
    parts = [
        separate.apply_batch(apart, one(case.windows, b), case.rate)
        for b in range(len(case.windows))
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
            windows = windows_of([context], [[target, 1 - target, 1 - target]])
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
    loss = engine(case.config).apply_batch(parameters, case.windows, case.rate)
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
    if engine is ReferenceEngine and size > 2:
        size = 20  # one slow pair at a time
    parameters = Parameters.initial(400, 5, seed=3)
    context = 100 + np.arange(size)
    windows = windows_of([context], [np.arange(negative + 1)])
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
    windows = windows_of([context], [np.arange(22)])
    config = TrainingConfig(vector_size=10, negative=21)
    case = Case(config, W_in, W_out, windows, 0.001)
    parameters = case.parameters()
    loss = engine(config).apply_batch(parameters, windows, case.rate)
    scores = W_in[context].astype(np.float64) @ W_out[:22].astype(np.float64).T
    scores[:, 0] *= -1
    exact = np.logaddexp(0, scores).sum()
    assert loss.pairs == 300
    assert loss.total == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize(("architecture", "combine"), KINDS)
def test_windows_may_grow_within_a_batch(architecture, combine):
    """The first window fits a small workspace, the last one does not."""
    rng = np.random.default_rng(8)
    contexts = [rng.integers(0, 40, size) for size in (1, 12, 700)]
    windows = windows_of(contexts, [[0, *rng.integers(1, 40, 9)] for _ in contexts])
    config = TrainingConfig(
        vector_size=20, window=1, negative=9, architecture=architecture, combine=combine
    )
    W_in, W_out = (0.1 * rng.normal(size=(2, 40, 20))).astype(np.float32)
    found = Case(config, W_in, W_out, windows, 0.01).parameters()
    wanted = Case(config, W_in, W_out, windows, 0.01).parameters()
    loss = CpuEngine(config).apply_batch(found, windows, 0.01)
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
        lambda p: replace(p, W_in_rows=p.W_in_rows[:-1]),
        lambda p: Parameters.zeros(4, 5),
        lambda p: Parameters.zeros(4, 40),
    ],
)
def test_rows_that_kernels_cannot_use_are_refused(spoil):
    parameters = spoil(Parameters.zeros(4, 3))
    windows = windows_of([[1, 2]], [[0, 1, 2]])
    engine = CpuEngine(TrainingConfig(vector_size=3, negative=2))
    with pytest.raises(ParameterError, match="parameters must be aligned float32 rows"):
        engine.apply_batch(parameters, windows, 0.1)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_windows_cost_nothing(engine):
    parameters = Parameters.initial(3, 4, seed=1)
    before = parameters.W_in_rows.copy()
    windows = Windows(np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros((0, 6), np.int32))
    loss = engine(TrainingConfig(vector_size=4)).apply_batch(parameters, windows, 0.1)
    assert loss == Loss(0.0, 0)
    np.testing.assert_array_equal(parameters.W_in_rows, before)


def spoilt(value, where, architecture):
    """A window of which one parameter is not finite."""
    config = TrainingConfig(vector_size=3, negative=2, architecture=architecture)
    rng = np.random.default_rng(7)
    parameters = Parameters.zeros(4, 3)
    parameters.W_in[:] = rng.normal(size=(4, 3))
    parameters.W_out[:] = rng.normal(size=(4, 3))
    # Of the infinite scores of two words, one counts as a target and one as a negative.
    parameters.W_out[:2, 0] = 1.0
    {"in": parameters.W_in, "out": parameters.W_out}[where][1, 0] = value
    return config, parameters, windows_of([[1, 2]], [[0, 1, 3]])


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
@pytest.mark.parametrize("where", ["in", "out"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_parameters_that_are_not_finite_are_noticed(value, where, architecture):
    config, parameters, windows = spoilt(value, where, architecture)
    with pytest.raises(ParameterError, match="finite"):
        ReferenceEngine(config).apply_batch(parameters, windows, 0.1)
    engine = CpuEngine(config)
    # An infinite score of the right sign costs nothing; its step then spoils the next window.
    losses = [engine.apply_batch(parameters, windows, 0.1).total for _ in range(2)]
    assert not np.isfinite(losses).all()
    assert not (np.isnan(value) and np.isfinite(losses[0]))


@pytest.mark.parametrize("negative", [2, 4, 5])
@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
def test_an_engine_forgets_what_was_not_finite(architecture, negative):
    config = TrainingConfig(vector_size=3, negative=negative, architecture=architecture)
    windows = windows_of([[1, 2]], [[0] + [1] * negative])
    engine = CpuEngine(config)
    engine.apply_batch(spoilt(np.nan, "in", architecture)[1], windows, 0.1)
    used, fresh = Parameters.initial(4, 3, seed=1), Parameters.initial(4, 3, seed=1)
    loss = engine.apply_batch(used, windows, 0.1)
    assert loss == CpuEngine(config).apply_batch(fresh, windows, 0.1)
    np.testing.assert_array_equal(used.W_out, fresh.W_out)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("contexts", "offsets", "targets", "match"),
    [
        ([1, 4], [0, 2], [[0, 1, 2]], r"contexts must be word ids in \[0, 3\], got 1 to 4"),
        ([1, -1], [0, 2], [[0, 1, 2]], r"contexts must be word ids in \[0, 3\], got -1 to 1"),
        ([1, 2], [0, 2], [[0, 4, 2]], r"targets must be word ids in \[0, 3\], got 0 to 4"),
        ([1, 2], [0, 2], [[0, 1]], r"targets must have shape \(B, 3\) .*got \(1, 2\)"),
        ([1, 2], [0, 2], [0, 1, 2], r"targets must have shape \(B, 3\) .*got \(3,\)"),
        ([1, 2], [0, 1], [[0, 1, 2]], "offsets must rise from 0 to the number of context words"),
        ([1, 2], [1, 2], [[0, 1, 2]], "offsets must rise from 0"),
        ([1, 2], [0, 0, 2], [[0, 1, 2]] * 2, "offsets must rise from 0"),
        ([1, 2], [0, 2], [[0, 1, 2]] * 2, "offsets must rise from 0"),
        ([1, 2], [0, 3, 2], [[0, 1, 2]] * 2, "offsets must rise from 0"),
        ([], [], np.zeros((0, 3)), "offsets must rise from 0"),
        ([1, 2], [0, 2], [[0, 1, 0]], "negative must differ from its window's target"),
    ],
)
def test_windows_that_cannot_be(engine, contexts, offsets, targets, match):
    windows = Windows(
        np.array(contexts, np.int32), np.array(offsets, np.int64), np.array(targets, np.int32)
    )
    parameters = Parameters.initial(4, 3, seed=1)
    before = parameters.W_in_rows.copy()
    with pytest.raises(ParameterError, match=match):
        engine(TrainingConfig(vector_size=3, negative=2)).apply_batch(parameters, windows, 0.1)
    np.testing.assert_array_equal(parameters.W_in_rows, before)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_span_needs_something_to_draw_from(engine):
    with pytest.raises(TypeError, match="run_span needs sampling tables"):
        engine(TrainingConfig(vector_size=4)).run_span(
            Parameters.initial(3, 4, seed=1), Span(0, 1, 0, 0.1)
        )


OTHER_WIDTH = """
import sys
from wordgrad.training.kernels import simd
simd.LANES = int(sys.argv[1])
simd.Emitter.__init__.__defaults__ = (simd.LANES,)
import pytest
sys.exit(pytest.main(["-q", "-x", "-k", "not width and not ReferenceEngine", *sys.argv[2:]]))
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
