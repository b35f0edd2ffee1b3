"""One step of the fast kernels against minus the oracle's gradient, at many random points.

Three kernels: negative sampling, the exact softmax, and the vectors of a text classifier.  For the
softmax the offset is one more coordinate, which is 1 in every input vector and log p(w) in the
output vectors; so the oracle, which knows of no offset, checks it too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wordgrad.classification.examples import LabelledBags
from wordgrad.classification.features import Bags
from wordgrad.classification.model import TextNetwork
from wordgrad.classification.trainer import Member, TextTraining
from wordgrad.maths import WindowGradients, cbow, negative_sampling_loss, skipgram
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.block_softmax import BlockSoftmax, SparseTargets, logit_offset
from wordgrad.training.engines.hogwild import HogwildEngine
from wordgrad.training.engines.pair_counts import counts_of
from wordgrad.training.kernels.batch import combine_inputs, scatter_add
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import Batch

LEARNING_RATE = 0.5  # so large that a step is of the size of the parameters, and no error hides
NEGATIVE = 5
STEPS = 60

Floats = npt.NDArray[Any]
Step = tuple[float, Floats, Floats]
"""Loss, and what W_in and W_out receive."""


def kernel_error(architecture: str, combine: str = "mean", vector_size: int = 20) -> float:
    """Largest error of a kernel's step and loss, over windows of every awkward kind.

    Vocabularies of 2 to 7 words make words repeat, in the context, among the negatives, and
    between context and centre; vectors of up to 10 times the usual size saturate the sigmoid. The
    error is relative to the largest parameter or gradient, or absolute where these are below 1.
    """
    config = TrainingConfig(
        vector_size=vector_size,
        architecture=architecture,
        combine=combine,
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
        return window.loss, np.asarray(window.d_W_in), np.asarray(window.d_W_out)
    M = len(context)
    loss, d_v, d_W_out = negative_sampling_loss(
        W_in[context], np.full(M, target), np.tile(negatives, (M, 1)), W_out
    )
    d_W_in = np.zeros_like(W_in)
    np.add.at(d_W_in, context, d_v)
    return loss, d_W_in, np.asarray(d_W_out)


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
    centres = np.array([c for c, _ in windows], np.int32)
    targets = SparseTargets(np.arange(B + 1), centres, np.ones(B), np.ones(B))
    found = block.gradients(inputs, W_out, offset, targets)
    d_W_in = np.zeros_like(W_in)
    scatter_add(found.d_inputs, contexts.astype(np.int64), offsets, mean, d_W_in)
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
