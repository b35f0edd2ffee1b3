"""Checks of every formula that the library stands on, on this machine.

The gradients of ``wordgrad.maths`` are compared with finite differences, and one step of the fast
kernels with these gradients.  That they are those of the losses in the papers is proved by SymPy in
``tests/gradient_checks``.

Windows repeat words, hold the centre word among the outside words, and draw a negative twice.
Three kernels are checked at many random points: negative sampling, the exact softmax, and the
vectors of a text classifier.  For the softmax the offset is one more coordinate, which is 1 in
every input vector and log p(w) in the output vectors; so the oracle, which knows of no offset,
checks it too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgrad import maths
from wordgrad.classification.examples import LabelledBags
from wordgrad.classification.features import Bags
from wordgrad.classification.model import TextNetwork
from wordgrad.classification.trainer import Member, TextTraining
from wordgrad.maths import (
    WindowGradients,
    cbow,
    input_share,
    negative_sampling_loss,
    skipgram,
)
from wordgrad.maths.objectives import CBOW_SHARES
from wordgrad.training.config import HIERARCHICAL, TrainingConfig
from wordgrad.training.engines.block_softmax import BlockSoftmax, SparseTargets, logit_offset
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.engines.pair_counts import counts_of
from wordgrad.training.engines.subwords import SubwordEngine
from wordgrad.training.kernels.batch import combine_inputs, scatter_add
from wordgrad.training.kernels.huffman import HuffmanTree
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import Batch, RowTable

LEARNING_RATE = 0.5  # so large that a step is of the size of the parameters, and no error hides
NEGATIVE = 5
STEPS = 60

Floats = npt.NDArray[Any]
Step = tuple[float, Floats, Floats]
"""Loss, and what W_in and W_out receive."""


def kernel_error(
    architecture: str, combine: str = "mean", vector_size: int = 20, step: str = "exact"
) -> float:
    """Largest error of a kernel's step and loss, over windows of every awkward kind.

    Vocabularies of 2 to 7 words make words repeat, in the context, among the negatives, and
    between context and centre; vectors of up to 10 times the usual size saturate the sigmoid. The
    error is relative to the largest parameter or gradient, or absolute where these are below 1.
    """
    config = TrainingConfig(
        vector_size=vector_size,
        architecture=architecture,
        combine=combine,
        cbow_step=step,
        negative=NEGATIVE,
        learning_rate=LEARNING_RATE,
    )
    engine = HogwildEngine(config)
    rng = np.random.default_rng(1)
    return max(_step_error(engine, config, rng) for _ in range(STEPS))


def _step_error(engine: HogwildEngine, config: TrainingConfig, rng: np.random.Generator) -> float:
    V = int(rng.integers(2, 8))
    parameters = Parameters.zeros(V, V, config.vector_size)
    scale = rng.choice([0.05, 0.3, 1.0, 3.0])
    for rows in (parameters.W_in, parameters.W_out):
        rows[:] = rng.normal(scale=scale, size=rows.shape)
    context = rng.integers(0, V, size=rng.integers(1, 2 * config.window + 1))
    target = int(rng.integers(0, V))
    negatives = (target + rng.integers(1, V, size=config.negative)) % V
    before = parameters.W_in.astype(np.float64), parameters.W_out.astype(np.float64)
    batch = Batch.from_windows(
        contexts=context.astype(np.int32),
        offsets=np.array([0, len(context)], dtype=np.int64),
        targets=np.array([[target, *negatives]], dtype=np.int32),
        architecture=config.architecture,
    )
    got = engine.apply_batch(parameters, batch, LEARNING_RATE)
    loss, *gradients = _oracle(config, context, target, negatives, *before)
    errors = [abs(got.total - loss) / max(1.0, loss)]
    after = parameters.W_in, parameters.W_out
    for old, new, gradient in zip(before, after, gradients, strict=True):
        step = LEARNING_RATE * gradient
        size = max(1.0, float(np.abs(old).max()), float(np.abs(step).max()))
        errors.append(float(np.abs(new - (old - step)).max()) / size)
    return max(errors)


def document_error(architecture: str, combine: str, loss: str = "negative-sampling") -> float:
    """Largest error of a kernel's step and loss, over windows of documents.

    Few rows, so that words repeat in a context, and documents have several tags; a concatenation
    has one, and five places.  With a tree, windows predict the paths to words, and the words beside
    negatives where the loss has both.
    """
    config = TrainingConfig(
        vector_size=20,
        window=2,
        architecture=architecture,
        combine=combine,
        loss=loss,
        documents="with-words",
        negative=NEGATIVE,
        learning_rate=LEARNING_RATE,
    )
    engine = HogwildEngine(config)
    rng = np.random.default_rng(5)
    width = 1 + 2 * config.window if combine == "concat" else 1
    worst = 0.0
    for words in range(2, 8):
        tree = HuffmanTree.from_counts(rng.integers(1, 99, words)) if config.has_tree else None
        nodes = 0 if tree is None else tree.n_nodes
        n_outputs = nodes + (words if config.drawn_negatives or tree is None else 0)
        parameters = Parameters.from_matrices(
            rng.normal(0, 0.5, (words + 3, config.vector_size)),
            rng.normal(0, 0.5, (n_outputs * width, config.vector_size)),
        )
        W_in = parameters.W_in.astype(np.float64)
        W_out = parameters.W_out.astype(np.float64).reshape(n_outputs, -1)
        size = width if combine == "concat" else int(rng.integers(1, 9))
        rows = rng.integers(0, words + 3, size).astype(np.int32)
        target = int(rng.integers(0, words))
        negatives = (target + rng.integers(1, words, config.drawn_negatives)) % words
        targets = np.array([[target, *negatives]], np.int32)
        offsets = np.array([0, size])
        batch = Batch.from_windows(rows, offsets, targets, architecture=architecture)
        if tree is not None:
            outputs, output_offsets, signs = tree.outputs(targets)
            batch = replace(batch, outputs=outputs, output_offsets=output_offsets, signs=signs)
        got = engine.apply_batch(parameters, batch, LEARNING_RATE)
        given = rows, batch.outputs, batch.all_signs, W_in, W_out
        exact = (
            maths.pv_dbow(*given)
            if architecture == "skipgram"
            else maths.pv_dm(*given, combine=combine)
        )
        found = parameters.W_out.reshape(n_outputs, -1)
        worst = max(
            worst,
            abs(got.total - exact.loss) / max(1.0, exact.loss),
            float(np.abs(parameters.W_in - (W_in - LEARNING_RATE * exact.d_W_in)).max()),
            float(np.abs(found - (W_out - LEARNING_RATE * exact.d_W_out)).max()),
        )
    return worst


def subword_error() -> float:
    """Largest error of a step on composed vectors and of its loss, for skip-gram.

    Words have 1 to 5 rows out of a few more than there are words, so that rows repeat within a word
    and among the words of a window.
    """
    config = TrainingConfig(vector_size=20, negative=NEGATIVE, subword_step="exact")
    engine = SubwordEngine(config)
    rng = np.random.default_rng(2)
    return max(_subword_trial(engine, config, rng) for _ in range(TRIALS))


def _subword_trial(
    engine: SubwordEngine, config: TrainingConfig, rng: np.random.Generator
) -> float:
    V = int(rng.integers(2, 8))
    n_rows = V + 4
    parts = [rng.integers(0, n_rows, size=rng.integers(1, 6)).astype(np.int32) for _ in range(V)]
    rows = RowTable(
        np.concatenate(parts), np.cumsum([0] + [len(one) for one in parts]), n_inputs=n_rows
    )
    parameters = Parameters.zeros(n_rows, V, config.vector_size)
    for matrix in (parameters.W_in, parameters.W_out):
        matrix[:] = rng.normal(scale=rng.choice([0.05, 0.3, 1.0]), size=matrix.shape)
    before = parameters.W_in.astype(np.float64), parameters.W_out.astype(np.float64)
    context = rng.integers(0, V, size=rng.integers(1, 2 * config.window + 1))
    target = int(rng.integers(0, V))
    negatives = (target + rng.integers(1, V, size=config.negative)) % V
    batch = Batch.from_windows(
        contexts=context.astype(np.int32),
        offsets=np.array([0, len(context)]),
        targets=np.array([[target, *negatives]], dtype=np.int32),
        rows=rows,
    )
    got = engine.apply_batch(parameters, batch, LEARNING_RATE)
    vectors = maths.compose(before[0], parts).astype(np.float64)
    loss, d_vectors, d_out = _oracle(config, context, target, negatives, vectors, before[1])
    gradients = maths.compose_gradient(d_vectors, parts, n_rows), d_out
    errors = [abs(got.total - loss) / max(1.0, loss)]
    after = parameters.W_in, parameters.W_out
    for old, new, gradient in zip(before, after, gradients, strict=True):
        step = LEARNING_RATE * gradient
        size = max(1.0, float(np.abs(old).max()), float(np.abs(step).max()))
        errors.append(float(np.abs(new - (old - step)).max()) / size)
    return max(errors)


def _oracle(
    config: TrainingConfig,
    context: npt.NDArray[np.int64],
    target: int,
    negatives: npt.NDArray[np.int64],
    W_in: npt.NDArray[np.float64],
    W_out: npt.NDArray[np.float64],
) -> Step:
    """Loss and gradients of a window of the trainer, as docs/derivations/skip-gram.md has it."""
    if config.architecture == "cbow":
        window = cbow(
            target,
            context,
            W_in,
            W_out,
            loss="negative-sampling",
            negatives=negatives,
            combine=config.combine,
        )
        # By what the step of W_in exceeds the gradient: 1 for an exact step.
        share, exact = (
            float(input_share(len(context), combine=config.combine, step=step))
            for step in (config.cbow_step, "exact")
        )
        d_W_in = share / exact * np.asarray(window.d_W_in)
        return window.loss, d_W_in, np.asarray(window.d_W_out)
    M = len(context)
    loss, d_v, d_W_out = negative_sampling_loss(
        W_in[context], np.full(M, target), np.tile(negatives, (M, 1)), W_out
    )
    d_W_in = np.zeros_like(W_in)
    np.add.at(d_W_in, context, d_v)
    return loss, d_W_in, np.asarray(d_W_out)


def tree_error() -> float:
    """Largest error of a kernel's step and loss, over windows that predict paths of random trees.

    Skip-gram and CBOW by turns; errors are measured as in :func:`kernel_error`.
    """
    rng = np.random.default_rng(1)
    engines = [
        HogwildEngine(
            TrainingConfig(vector_size=20, architecture=kind, loss=HIERARCHICAL, cbow_step="exact")
        )
        for kind in ("skipgram", "cbow")
    ]
    return max(_tree_step_error(engine, rng) for engine in engines for _ in range(STEPS))


def _tree_step_error(engine: HogwildEngine, rng: np.random.Generator) -> float:
    V, size = int(rng.integers(2, 60)), engine.config.vector_size
    tree = HuffmanTree.from_counts(np.ceil(rng.pareto(0.7, V)))
    parameters = Parameters.zeros(V, tree.n_nodes, size)
    for rows in (parameters.W_in, parameters.W_out):
        rows[:] = rng.normal(scale=rng.choice([0.05, 0.3, 1.0]), size=rows.shape)
    W_in, W_out = (rows.astype(np.float64) for rows in (parameters.W_in, parameters.W_out))
    context = rng.integers(0, V, size=rng.integers(1, 11)).astype(np.int32)
    target = rng.integers(0, V, size=(1, 1)).astype(np.int32)
    architecture = engine.config.architecture
    batch = Batch.from_windows(
        context, np.array([0, len(context)]), target, architecture=architecture
    )
    outputs, offsets, signs = tree.outputs(target)
    batch = replace(batch, outputs=outputs, output_offsets=offsets, signs=signs)
    got = engine.apply_batch(parameters, batch, LEARNING_RATE)
    h = W_in[context] if architecture == "skipgram" else W_in[context].mean(axis=0)
    loss, d_h, d_W_out = maths.logistic_loss(h, outputs, signs, W_out)
    d_W_in = np.zeros_like(W_in)
    np.add.at(d_W_in, context, d_h if architecture == "skipgram" else d_h / len(context))
    errors = [abs(got.total - loss) / max(1.0, loss)]
    for old, new, gradient in ((W_in, parameters.W_in, d_W_in), (W_out, parameters.W_out, d_W_out)):
        wanted = old - LEARNING_RATE * gradient
        errors.append(float(np.abs(new - wanted).max() / max(1.0, np.abs(old).max())))
    return max(errors)


D = 20
TRIALS = 40


def softmax_error(architecture: str, offset: str = "none", combine: str = "mean") -> float:
    """Largest error of a block's loss and gradients, over windows of every awkward kind.

    Vocabularies of 2 to 7 words make words repeat and stand in their own windows; vectors of up to
    10 times the usual size saturate the softmax.  The error is relative to the largest gradient, or
    absolute where that is below 1.
    """
    rng = np.random.default_rng(1)
    return max(_softmax_trial(architecture, offset, combine, rng) for _ in range(TRIALS))


def _softmax_trial(architecture: str, kind: str, combine: str, rng: np.random.Generator) -> float:
    V, B = int(rng.integers(2, 8)), int(rng.integers(1, 5))
    scale = rng.choice([0.05, 0.3, 1.0])
    W_in, W_out = (rng.normal(scale=scale, size=(V, D)).astype(np.float32) for _ in range(2))
    offset = logit_offset(kind, rng.integers(1, 100, size=V))
    windows = [
        (int(rng.integers(0, V)), rng.integers(0, V, size=rng.integers(1, 10))) for _ in range(B)
    ]
    block = BlockSoftmax(V, D, max(V, B), threads=1)
    if architecture == "skipgram":
        got = _by_counts(block, windows, W_in, W_out, offset)
    else:
        got = _by_windows(block, windows, W_in, W_out, offset, mean=combine == "mean")
    expected = [
        _softmax_oracle(architecture, combine, window, W_in, W_out, offset) for window in windows
    ]
    errors = []
    for k, value in enumerate(got):
        exact: Any = sum(np.asarray(one[k]) for one in expected)
        errors.append(float(np.abs(value - exact).max() / max(1.0, float(np.abs(exact).max()))))
    return max(errors)


def _by_counts(
    block: BlockSoftmax, windows: Any, W_in: Floats, W_out: Floats, offset: Floats
) -> Step:
    counts = counts_of([(c, o) for c, outside in windows for o in outside], len(W_in))
    words = np.arange(len(W_in))
    found = block.gradients(W_in, W_out, offset, SparseTargets(*counts.rows(words), counts.totals))
    return found.loss, found.d_inputs, found.d_W_out


def _by_windows(
    block: BlockSoftmax, windows: Any, W_in: Floats, W_out: Floats, offset: Floats, *, mean: bool
) -> Step:
    B = len(windows)
    contexts = np.concatenate([outside for _, outside in windows]).astype(np.int32)
    offsets = np.cumsum([0] + [len(outside) for _, outside in windows])
    inputs = np.empty((B, D), np.float32)
    combine_inputs(W_in, contexts, offsets, mean, inputs)
    shares = input_share(np.diff(offsets), combine="mean" if mean else "sum").astype(np.float32)
    centres = np.array([c for c, _ in windows], np.int32)
    targets = SparseTargets(np.arange(B + 1), centres, np.ones(B), np.ones(B))
    found = block.gradients(inputs, W_out, offset, targets)
    d_W_in = np.zeros_like(W_in)
    scatter_add(found.d_inputs, contexts.astype(np.int64), offsets, shares, d_W_in)
    return found.loss, d_W_in, found.d_W_out


def _softmax_oracle(
    architecture: str, combine: str, window: Any, W_in: Floats, W_out: Floats, offset: Floats
) -> Step:
    centre, outside = window
    # The mean of ones is 1, but their sum is M: there the offset's coordinate is 1 / M.
    share = 1 / len(outside) if architecture == "cbow" and combine == "sum" else 1.0
    inputs = np.column_stack([W_in.astype(np.float64), np.full(len(W_in), share)])
    outputs = np.column_stack([W_out, offset]).astype(np.float64)
    found: WindowGradients = (
        skipgram(centre, outside, inputs, outputs)
        if architecture == "skipgram"
        else cbow(centre, outside, inputs, outputs, combine=combine)
    )
    return found.loss, np.asarray(found.d_W_in)[:, :-1], np.asarray(found.d_W_out)[:, :-1]


TEXT_RATE = 0.5
TEXT_TRIALS = 40


def text_kernel_error() -> float:
    """Largest error of the compiled step of the vectors, and of its loss, over random batches.

    Adagrad's first step is the gradient over the root of its mean square, row by row; so is the
    expected one, from the oracle in float64.
    """
    rng = np.random.default_rng(3)
    return max(_text_error(rng) for _ in range(TEXT_TRIALS))


def _text_error(rng: np.random.Generator) -> float:
    size, hidden, classes, n_rows = (int(n) for n in rng.integers(2, 12, 4))
    hidden *= int(rng.integers(2))  # half of them have no hidden layer
    lengths = rng.integers(0, 9, 6)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    features = rng.integers(0, n_rows, offsets[-1]).astype(np.int32)
    weights = rng.uniform(0.1, 3, n_rows).astype(np.float32)
    labels = rng.integers(0, classes, len(lengths)).astype(np.int64)
    bags = Bags(features, offsets, len(features), 0)
    network = TextNetwork.initial(weights, size, hidden, classes, seed=1)
    network.vectors[:] = rng.normal(size=network.vectors.shape)
    before, layers = network.vectors.astype(np.float64), network.exact_layers()
    examples = LabelledBags.of(bags, labels, np.ones(len(labels)))
    loss = Member(network, _settings(size, hidden), examples).apply(np.arange(len(labels)))
    texts = np.repeat(np.arange(len(lengths)), lengths)
    counts = np.zeros((len(lengths), n_rows))
    np.add.at(counts, (texts, features), 1)
    mixing = mixing_matrix(counts, weights.astype(np.float64))
    exact = layers.loss_and_gradients(mixing @ before, labels)
    slopes = mixing.T @ exact.d_X
    sizes = np.sqrt((slopes**2).mean(axis=1, keepdims=True))
    steps = TEXT_RATE * np.divide(slopes, sizes, out=np.zeros_like(slopes), where=sizes > 0)
    error = np.abs(network.vectors - (before - steps)).max() / np.abs(before).max()
    return max(float(error), abs(loss - exact.loss) / max(1.0, exact.loss))


def mixing_matrix(
    counts: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """A: row n mixes the vectors to x_n; a row of zeros for an empty text."""
    weighted = counts * weights
    sums = weighted.sum(axis=1, keepdims=True)
    mixing: npt.NDArray[np.float64] = weighted / np.sqrt(np.where(sums > 0, sums, 1))
    return mixing


def _settings(size: int, hidden: int) -> TextTraining:
    return TextTraining(
        vector_size=size,
        hidden_size=hidden,
        members=1,
        epochs=1,
        batch_size=100,
        learning_rate=TEXT_RATE,
        l2=0.0,
        dropout=0.0,
        smoothing=0.0,
        train_vectors=True,
        early_stopping=False,
        validation_fraction=0.1,
        patience=1,
        seed=1,
    )


Point = dict[str, npt.NDArray[np.float64]]
Oracle = Callable[[Point], tuple[float, Point]]
Checker = Callable[[], float]

BOUNDS = {"differences": 1e-6, "kernels": 4e-6}
"""The largest error that passes: rounding of differences, and rounding in float32."""


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """One formula, where it is derived, and what it is compared with.

    Attributes
    ----------
    formula : str
    document : str
        A page of ``docs/`` with its section: ``derivations/softmax.md#jacobian``.
    differences, kernels : callable or None
        Each returns its largest error, to be compared with :data:`BOUNDS`; None where there is
        nothing to compare with: no kernel computes a softmax by itself, for example.
    oracle : callable or None
        ``oracle(point) -> (loss, gradient)`` through ``wordgrad.maths``.
    point : dict of float64 arrays or None
        Where ``differences`` are taken.
    """

    formula: str
    document: str
    differences: Checker | None = None
    kernels: Checker | None = None
    oracle: Oracle | None = None
    point: Point | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Errors of a check by checker, "differences" and "kernels"; those it lacks are left out."""

    check: GradientCheck
    errors: dict[str, float]

    def agrees(self, checker: str) -> bool:
        """Whether the error is within :data:`BOUNDS`; NaN is not."""
        return self.errors[checker] <= BOUNDS[checker]

    @property
    def passed(self) -> bool:
        """Whether there is an error at all, and all are within :data:`BOUNDS`."""
        return bool(self.errors) and all(map(self.agrees, self.errors))


def run_check(check: GradientCheck) -> Result:
    """Compare a formula with all that it can be compared with."""
    checkers = {"differences": check.differences, "kernels": check.kernels}
    return Result(check, {name: run() for name, run in checkers.items() if run is not None})


def gradient_check(
    formula: str, document: str, point: Point, oracle: Oracle, kernels: Checker | None = None
) -> GradientCheck:
    """Check of an oracle near ``point``; ``document`` is a page of the derivations."""

    def differences() -> float:
        return maths.check_gradients(oracle, point).largest_error

    return GradientCheck(
        formula, f"derivations/{document}", differences, kernels, oracle=oracle, point=point
    )


def random_point(seed: int, **shapes: tuple[int, ...]) -> Point:
    """Normal random arrays: at 0 many gradients vanish, and a check there is empty."""
    rng = np.random.default_rng(seed)
    return {name: np.asarray(rng.normal(size=shape)) for name, shape in shapes.items()}


WEIGHTS = np.array([1.0, -2.0, 0.5])
LABELS = np.array([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]])


def sigmoid_checks() -> list[GradientCheck]:
    """The derivatives of the sigmoid and of its logarithm."""

    def value(x: Point) -> tuple[float, Point]:
        s = maths.sigmoid(x["x"])
        return float(s.sum()), {"x": np.asarray(maths.sigmoid_grad(s))}

    def logarithm(x: Point) -> tuple[float, Point]:
        return float(maths.log_sigmoid(x["x"]).sum()), {"x": np.asarray(maths.sigmoid(-x["x"]))}

    return [
        gradient_check(
            "σ'(x) = s (1 - s)",
            "sigmoid.md#derivative",
            random_point(0, x=(5,)),
            value,
        ),
        gradient_check(
            "(log σ)'(x) = σ(-x)",
            "sigmoid.md#logarithm",
            random_point(1, x=(5,)),
            logarithm,
        ),
    ]


SCORES = np.array([[1.5, -0.5, 0.25], [-2.0, 0.75, 1.0]])
MANY_LABELS = np.array([[1.0, 0.0, 1.0], [0.0, 0.25, 0.0]])


def softmax_checks() -> list[GradientCheck]:
    """Softmax's invariance and Jacobian, and the gradient of cross-entropy through it."""

    def shifted(x: Point) -> tuple[float, Point]:
        return float(WEIGHTS @ maths.softmax(WEIGHTS + x["a"])), {"a": np.zeros(())}

    def jacobian(x: Point) -> tuple[float, Point]:
        S = maths.softmax(x["x"])
        return float(WEIGHTS @ S), {"x": (np.diag(S) - np.outer(S, S)) @ WEIGHTS}

    def cross_entropy(x: Point) -> tuple[float, Point]:
        loss, d_logits = maths.cross_entropy(x["x"], LABELS, reduction="mean")
        return loss, {"x": np.asarray(d_logits)}

    def one_vs_all(x: Point) -> tuple[float, Point]:
        loss, d_logits = maths.binary_cross_entropy(x["x"], MANY_LABELS, reduction="mean")
        return loss, {"x": np.asarray(d_logits)}

    def temperature(x: Point) -> tuple[float, Point]:
        loss, slope = maths.scaled_cross_entropy(SCORES, [2, 0], x["beta"].item(), smoothing=0.1)
        return loss, {"beta": np.array(slope)}

    return [
        gradient_check(
            "softmax(x + a) = softmax(x)",
            "softmax.md#invariance",
            random_point(2, a=()),
            shifted,
        ),
        gradient_check(
            "∂S_i/∂x_j = S_i ([i = j] - S_j)",
            "softmax.md#jacobian",
            random_point(3, x=(3,)),
            jacobian,
        ),
        gradient_check(
            "cross-entropy: ∂J/∂x = (ŷ - y) / B",
            "cross-entropy.md#gradient",
            random_point(4, x=(3, 2)),
            cross_entropy,
        ),
        gradient_check(
            "one against all: ∂J/∂x = (σ(x) - y) / B",
            "cross-entropy.md#one-class-against-all-others",
            random_point(7, x=(2, 3)),
            one_vs_all,
        ),
        gradient_check(
            "temperature: dJ/dβ = mean(Σ ŷ z - z_y)",
            "cross-entropy.md#temperature",
            {"beta": np.array(0.7)},
            temperature,
        ),
    ]


NETWORK_POINT = random_point(5, X=(3, 2), W1=(2, 3), b1=(3,), W2=(3, 2), b2=(2,))


def network_checks() -> list[GradientCheck]:
    """Every gradient of the network, and the number of its parameters."""
    network, layer = maths.OneHiddenLayer(2, 3, 2), maths.SoftmaxLayer(2, 2)

    def oracle(names: tuple[str, ...], x: Point) -> tuple[float, Point]:
        full = {**NETWORK_POINT, **x}
        flat = np.concatenate([full[name].ravel() for name in ("W1", "b1", "W2", "b2")])
        gradients = network.unpack(flat).loss_and_gradients(full["X"], LABELS, "sum")
        return gradients.loss, {name: getattr(gradients, f"d_{name}") for name in names}

    def linear(x: Point) -> tuple[float, Point]:
        flat = np.concatenate([x[name].ravel() for name in ("W2", "b2")])
        gradients = layer.unpack(flat).loss_and_gradients(x["X"], LABELS, "sum")
        return gradients.loss, {name: getattr(gradients, f"d_{name}") for name in x}

    checks = [
        gradient_check(
            f"network: {formula}",
            f"one-hidden-layer.md#{section}",
            {name: NETWORK_POINT[name] for name in names},
            partial(oracle, names),
        )
        for formula, section, names in (
            ("∂J/∂W₂ = hᵀ δ₂, ∂J/∂b₂ = Σ δ₂", "output-layer", ("W2", "b2")),
            ("∂J/∂W₁ = Xᵀ δ₁, ∂J/∂b₁ = Σ δ₁", "hidden-layer", ("W1", "b1")),
            ("∂J/∂X = δ₁ W₁ᵀ", "inputs", ("X",)),
        )
    ]
    count = GradientCheck(
        "network: (Dx + 1) H + (H + 1) Dy parameters",
        "derivations/one-hidden-layer.md#how-many-parameters",
        differences=_count_error,
    )
    without = gradient_check(
        "softmax layer: ∂J/∂W₂ = Xᵀ δ₂, ∂J/∂b₂ = Σ δ₂, ∂J/∂X = δ₂ W₂ᵀ",
        "one-hidden-layer.md#without-a-hidden-layer",
        random_point(9, X=(3, 2), W2=(2, 2), b2=(2,)),
        linear,
    )
    return [*checks, without, count]


def _count_error() -> float:
    sizes = [(Dx, H, Dy) for Dx in (1, 2, 7) for H in (1, 5) for Dy in (1, 3)]
    networks = [maths.OneHiddenLayer(*size) for size in sizes]
    return float(max(abs(network.n_parameters - network.pack().size) for network in networks))


V, D = 4, 2
CENTER, OUTSIDE = 1, (0, 2, 0, 1)
PAIR_NEGATIVES = ((2, 3), (0, 0), (1, 3), (2, 2))  # for each outside word of skip-gram
N_ROWS = V + 3
PARTS = ((0, 4, 5, 4), (1, 5), (2,), (3, 4, 6))  # rows of each word: its own, and n-grams
NEGATIVES = (3, 0, 3)  # for the centre word of CBOW
PATH, TURNS = (2, 3, 0), (1, -1, -1)  # inner nodes, and the signs of the turns taken there
CORPUS = (0, 1, 0, 1, 2, 3, 3)
PAIRS = [pair for one, other in pairwise(CORPUS) for pair in ((one, other), (other, one))]
OFFSET = np.log(np.array([0.5, 0.25, 0.1, 0.15]))
SAMPLED: dict[str, Any] = {"loss": "negative-sampling"}


def pair_checks() -> list[GradientCheck]:
    """The two losses of a pair of words."""
    point = random_point(6, v_c=(D,), W_out=(V, D))

    def softmax_loss(x: Point) -> tuple[float, Point]:
        loss, d_v_c, d_W_out = maths.softmax_loss(x["v_c"], CENTER, x["W_out"])
        return loss, {"v_c": np.asarray(d_v_c), "W_out": np.asarray(d_W_out)}

    def sampling_loss(x: Point) -> tuple[float, Point]:
        loss, d_v_c, d_W_out = maths.negative_sampling_loss(x["v_c"], CENTER, NEGATIVES, x["W_out"])
        return loss, {"v_c": np.asarray(d_v_c), "W_out": np.asarray(d_W_out)}

    return [
        gradient_check(
            "softmax loss: v_c, u_o, u_w",
            "softmax-loss.md#gradients-of-the-output-vectors",
            point,
            softmax_loss,
        ),
        gradient_check(
            "negative sampling: v_c, u_o, u_k",
            "negative-sampling.md#gradients-of-the-output-vectors",
            point,
            sampling_loss,
        ),
        gradient_check(
            "path in a tree: h, u_n",
            "hierarchical-softmax.md#gradients",
            random_point(6, h=(D,), W_out=(V, D)),
            _path_loss,
            kernels=tree_error,
        ),
    ]


def _path_loss(x: Point) -> tuple[float, Point]:
    loss, d_h, d_W_out = maths.logistic_loss(x["h"], PATH, TURNS, x["W_out"])
    return loss, {"h": np.asarray(d_h), "W_out": np.asarray(d_W_out)}


def skipgram_checks() -> list[GradientCheck]:
    """Skip-gram with both losses, and its count form."""
    point = random_point(7, W_in=(V, D), W_out=(V, D))
    return [
        gradient_check(
            "skip-gram, softmax",
            "skip-gram.md#softmax-one-window-is-one-product",
            point,
            _skipgram,
            kernels=partial(softmax_error, "skipgram"),
        ),
        gradient_check(
            "skip-gram, softmax with log p(w) added",
            "softmax-offset.md#one-more-coordinate",
            point,
            _skipgram_with_offset,
            kernels=partial(softmax_error, "skipgram", "unigram"),
        ),
        gradient_check(
            "skip-gram, negative sampling",
            "skip-gram.md#skip-gram",
            point,
            partial(_skipgram, negatives=PAIR_NEGATIVES, **SAMPLED),
            kernels=partial(kernel_error, "skipgram"),
        ),
        gradient_check(
            "skip-gram, softmax of a corpus by counts",
            "skip-gram.md#count-form-of-a-whole-corpus",
            point,
            _corpus,
            kernels=partial(softmax_error, "skipgram"),
        ),
    ]


def cbow_checks() -> list[GradientCheck]:
    """CBOW with both losses, by the mean and by the sum."""
    point = random_point(8, W_in=(V, D), W_out=(V, D))
    checks = []
    for combine in ("mean", "sum"):
        section = "cbow.md#input-vectors"
        checks += [
            gradient_check(
                f"CBOW ({combine}), softmax",
                section,
                point,
                partial(_cbow, combine=combine),
                kernels=partial(softmax_error, "cbow", "none", combine),
            ),
            gradient_check(
                f"CBOW ({combine}), softmax with log p(w) added",
                "softmax-offset.md#one-more-coordinate",
                point,
                partial(_cbow_with_offset, combine=combine),
                kernels=partial(softmax_error, "cbow", "unigram", combine),
            ),
            gradient_check(
                f"CBOW ({combine}), negative sampling",
                section,
                point,
                partial(_cbow, combine=combine, negatives=NEGATIVES, **SAMPLED),
                kernels=partial(_cbow_kernel_error, combine),
            ),
        ]
    return checks


def document_checks() -> list[GradientCheck]:
    """Paragraph vectors: W_in has two rows of documents beyond those of the words."""
    point = random_point(9, W_in=(V + 2, D), W_out=(V, D))
    rows = (V, *OUTSIDE)
    wide = random_point(10, W_in=(V + 2, D), W_out=(V, len(rows) * D))

    def window(x: Point, combine: str, outputs: Sequence[int], signs: Sequence[int]) -> Any:
        matrices = x["W_in"], x["W_out"]
        if combine == "dbow":
            return _gradients(maths.pv_dbow((V, V + 1), outputs, signs, *matrices))
        return _gradients(maths.pv_dm(rows, outputs, signs, *matrices, combine=combine))

    sections = {
        "dbow": "distributed-bag-of-words",
        "mean": "distributed-memory",
        "sum": "distributed-memory",
        "concat": "concatenation",
    }
    predicted = {
        "negative sampling": (
            "negative-sampling",
            (CENTER, *NEGATIVES),
            (1, *[-1] * len(NEGATIVES)),
        ),
        "path in a tree": (HIERARCHICAL, PATH, TURNS),
    }
    return [
        gradient_check(
            f"{'PV-DBOW' if kind == 'dbow' else f'PV-DM ({kind})'}, {what}",
            f"paragraph-vectors.md#{section}",
            wide if kind == "concat" else point,
            partial(window, combine=kind, outputs=outputs, signs=signs),
            kernels=partial(document_error, "skipgram", "mean", loss)
            if kind == "dbow"
            else partial(document_error, "cbow", kind, loss),
        )
        for what, (loss, outputs, signs) in predicted.items()
        for kind, section in sections.items()
    ]


def subword_checks() -> list[GradientCheck]:
    """Windows of words whose vectors are means of rows."""
    point = random_point(12, W_in=(N_ROWS, D), W_out=(V, D))
    return [
        gradient_check(
            "subwords: skip-gram, negative sampling",
            "subwords.md#rows",
            point,
            partial(_composed, _skipgram, negatives=PAIR_NEGATIVES),
            kernels=subword_error,
        ),
        gradient_check(
            "subwords: CBOW (mean), negative sampling",
            "subwords.md#rows",
            point,
            partial(_composed, _cbow, negatives=NEGATIVES),
        ),
    ]


def _composed(window: Callable[..., tuple[float, Point]], x: Point, **options: Any) -> Any:
    vectors = {"W_in": maths.compose(x["W_in"], PARTS), "W_out": x["W_out"]}
    loss, gradients = window(vectors, **options, **SAMPLED)
    d_W_in = maths.compose_gradient(gradients["W_in"], PARTS, N_ROWS)
    return loss, {"W_in": d_W_in, "W_out": gradients["W_out"]}


def _skipgram(x: Point, **options: Any) -> tuple[float, Point]:
    return _gradients(maths.skipgram(CENTER, OUTSIDE, x["W_in"], x["W_out"], **options))


def _cbow(x: Point, **options: Any) -> tuple[float, Point]:
    return _gradients(maths.cbow(CENTER, OUTSIDE, x["W_in"], x["W_out"], **options))


def _skipgram_with_offset(x: Point) -> tuple[float, Point]:
    return _without_last(maths.skipgram(CENTER, OUTSIDE, *_with_offset(x, 1.0)))


def _cbow_kernel_error(combine: str) -> float:
    return max(kernel_error("cbow", combine, step=step) for step in CBOW_SHARES)


def _cbow_with_offset(x: Point, combine: str) -> tuple[float, Point]:
    share = 1.0 if combine == "mean" else 1 / len(OUTSIDE)
    return _without_last(maths.cbow(CENTER, OUTSIDE, *_with_offset(x, share), combine=combine))


def _with_offset(x: Point, share: float) -> tuple[Any, Any]:
    """``W_in`` and ``W_out`` with one more coordinate, whose product is the offset."""
    return (
        np.column_stack([x["W_in"], np.full(V, share)]),
        np.column_stack([x["W_out"], OFFSET]),
    )


def _without_last(window: maths.WindowGradients) -> tuple[float, Point]:
    return window.loss, {
        "W_in": np.asarray(window.d_W_in, np.float64)[:, :-1],
        "W_out": np.asarray(window.d_W_out, np.float64)[:, :-1],
    }


def _corpus(x: Point) -> tuple[float, Point]:
    windows = [maths.skipgram(c, [o], x["W_in"], x["W_out"]) for c, o in PAIRS]
    return sum(window.loss for window in windows), {
        "W_in": np.sum([window.d_W_in for window in windows], axis=0),
        "W_out": np.sum([window.d_W_out for window in windows], axis=0),
    }


def _gradients(window: maths.WindowGradients) -> tuple[float, Point]:
    return window.loss, {"W_in": np.asarray(window.d_W_in), "W_out": np.asarray(window.d_W_out)}


TEXT_NETWORK = maths.OneHiddenLayer(2, 3, 2, seed=4)
COUNTS = np.array([[1.0, 2, 0, 0], [0, 1, 1, 1], [0, 0, 0, 1]])
TEXT_WEIGHTS = np.array([3.0, 0.5, 1.0, 2.0])


def text_checks() -> list[GradientCheck]:
    """The gradient that flows through x into the vectors."""
    mixing = mixing_matrix(COUNTS, TEXT_WEIGHTS)

    def oracle(x: Point) -> tuple[float, Point]:
        gradients = TEXT_NETWORK.loss_and_gradients(mixing @ x["V"], LABELS, "sum")
        return gradients.loss, {"V": mixing.T @ gradients.d_X}

    return [
        gradient_check(
            "text: ∂J/∂V = Aᵀ ∂J/∂X",
            "one-hidden-layer.md#vectors-of-the-words",
            random_point(6, V=(4, 2)),
            oracle,
            kernels=text_kernel_error,
        )
    ]


def all_checks() -> list[GradientCheck]:
    """Every formula once."""
    return [
        *sigmoid_checks(),
        *softmax_checks(),
        *network_checks(),
        *text_checks(),
        *pair_checks(),
        *skipgram_checks(),
        *cbow_checks(),
        *subword_checks(),
        *document_checks(),
    ]
