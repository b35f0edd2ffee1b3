"""The machine's witness: one step of the fast kernels against minus the oracle's gradient."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wordgrad.maths import cbow, negative_sampling_loss
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.cpu import CpuEngine
from wordgrad.training.engines.protocol import Windows
from wordgrad.training.parameters import Parameters

LEARNING_RATE = 0.5  # so large that a step is of the size of the parameters, and no error hides
NEGATIVE = 5
STEPS = 60

Step = tuple[float, npt.NDArray[np.float64], npt.NDArray[np.float64]]


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
    engine = CpuEngine(config)
    rng = np.random.default_rng(1)
    return max(_step_error(engine, config, rng) for _ in range(STEPS))


def _step_error(engine: CpuEngine, config: TrainingConfig, rng: np.random.Generator) -> float:
    V = int(rng.integers(2, 8))
    parameters = Parameters.zeros(V, config.vector_size)
    scale = rng.choice([0.05, 0.3, 1.0, 3.0])
    for rows in (parameters.W_in, parameters.W_out):
        rows[:] = rng.normal(scale=scale, size=rows.shape)
    context = rng.integers(0, V, size=rng.integers(1, 2 * config.window + 1))
    target = int(rng.integers(0, V))
    negatives = (target + rng.integers(1, V, size=config.negative)) % V
    before = parameters.W_in.astype(np.float64), parameters.W_out.astype(np.float64)
    windows = Windows(
        contexts=context.astype(np.int32),
        offsets=np.array([0, len(context)], dtype=np.int64),
        targets=np.array([[target, *negatives]], dtype=np.int32),
    )
    got = engine.apply_batch(parameters, windows, LEARNING_RATE)
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
