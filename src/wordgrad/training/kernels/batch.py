"""Any batch, plainly: its loss, and its gradient step.

What the tiles are not made for (input vectors of several rows, outputs of any number and sign) goes
through these loops, a few times slower.  With a = 1 / rows (mean) or 1 (sum) and s_j = +1 or -1,

    input vector    h_i = a sum of its rows W_in[r]
    score           z_ij = s_j u_j . h_i
    loss            J = sum_i sum_j -log sigmoid(z_ij), of all input vectors i and outputs j of one
                    example
    step            G_ij = learning_rate s_j sigmoid(-z_ij)
                    u_j += sum_i G_ij h_i,   W_in[r] += c_i sum_j G_ij u_j   (from the old values)

where c_i is a (the gradient's step), or a larger share of the change of h_i (``cbow_step``).

Derived in docs/derivations/negative-sampling.md and cbow.md: with one positive and K negative
outputs this is negative sampling.

Design
(a) An example's input vectors are computed before anything changes, and its output rows are changed
    only after all its scores are known.  Changes are added, so that a row that occurs twice, among
    the inputs or the outputs, receives both: no copies are needed.
(b) Scores are float32 sums, whose order is left to the compiler (vector instructions); sigmoid and
    loss are float64.  The loss without a step (:func:`batch_loss`) is a measure, so it is exact
    rather than fast: products and sums are float64, too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wordgrad.compiling import compiled

# Only the order of a sum is left to the compiler: the dot product becomes vector instructions, and
# a NaN stays a NaN.
sum_jit = compiled(fastmath={"reassoc", "contract"})


@sum_jit
def _softplus(z: Any) -> Any:
    """Return log(1 + exp(z)) in float64, written so that a NaN passes through."""
    return (0.0 if z < 0.0 else z) + math.log1p(math.exp(-abs(z)))


@sum_jit
def batch_loss(
    inputs: Any, input_offsets: Any, groups: Any, outputs: Any, output_offsets: Any, signs: Any,
    W_in: Any, W_out: Any, size: Any, mean: Any,
) -> Any:  # fmt: skip
    """Return the loss of a batch, summed over its examples, in float64; nothing is changed.

    Parameters
    ----------
    inputs, input_offsets, groups, outputs, output_offsets, signs
        As in :class:`~wordgrad.training.sampling.Batch`, with int8 (M,) signs.
    W_in, W_out : float32 (rows, P)
    size : int
        D <= P.
    mean : bool
        Whether an input vector is the mean of its rows, else their sum.
    """
    total = 0.0
    h = np.zeros(size, np.float64)
    for b in range(groups.size - 1):
        for i in range(groups[b], groups[b + 1]):
            first, end = input_offsets[i], input_offsets[i + 1]
            for r in range(first, end):
                row = W_in[inputs[r]]
                for d in range(size):
                    h[d] = np.float64(row[d]) + (0.0 if r == first else h[d])
            scale = 1.0 / (end - first) if mean else 1.0
            for j in range(output_offsets[b], output_offsets[b + 1]):
                row = W_out[outputs[j]]
                dot = 0.0
                for d in range(size):
                    dot += h[d] * np.float64(row[d])
                total += _softplus(-scale * dot if signs[j] > 0 else scale * dot)
    return total


@sum_jit
def batch_step(
    inputs: Any, input_offsets: Any, groups: Any, outputs: Any, output_offsets: Any, signs: Any,
    W_in: Any, W_out: Any, size: Any, mean: Any, rate: Any, shares: Any, input_steps: Any,
    vectors: Any, changes: Any, steps: Any,
) -> Any:  # fmt: skip
    """Take one gradient step an example, one after another; return their loss before each.

    Parameters
    ----------
    inputs, ..., mean
        As in :func:`batch_loss`; ``W_in`` and ``W_out`` are changed in place.
    rate : float
        The learning rate.
    shares : float32 (I,)
        c: what the rows of an input vector get of its change.
    input_steps : float32 (n_inputs,), or (0,) if all are 1
        What the step on each row of ``W_in`` is multiplied by.
    vectors, changes : float32 (most input vectors of an example, D)
        Scratch memory: h, and the change of h.
    steps : float32 (most input vectors of an example, most outputs of one)
        Scratch memory: G.
    """
    total = 0.0
    for b in range(groups.size - 1):
        group = groups[b]
        n_vectors = groups[b + 1] - group
        first_output = output_offsets[b]
        n_outputs = output_offsets[b + 1] - first_output
        for i in range(n_vectors):
            h = vectors[i]
            h[:] = 0.0
            for r in range(input_offsets[group + i], input_offsets[group + i + 1]):
                row = W_in[inputs[r]]
                for d in range(size):
                    h[d] += row[d]
            if mean:
                scale = np.float32(1.0) / np.float32(
                    input_offsets[group + i + 1] - input_offsets[group + i]
                )
                for d in range(size):
                    h[d] *= scale
        for i in range(n_vectors):
            h, change = vectors[i], changes[i]
            change[:] = 0.0
            for j in range(n_outputs):
                u = W_out[outputs[first_output + j]]
                dot = np.float32(0.0)
                for d in range(size):
                    dot += h[d] * u[d]
                sign = np.float64(signs[first_output + j])
                z = -sign * np.float64(dot)
                total += _softplus(z)
                small = math.exp(-abs(z))
                sigmoid = (small if z < 0.0 else 1.0) / (1.0 + small)
                g = np.float32(rate * sign * sigmoid)
                steps[i, j] = g
                for d in range(size):
                    change[d] += g * u[d]
        for j in range(n_outputs):
            u = W_out[outputs[first_output + j]]
            for i in range(n_vectors):
                h, g = vectors[i], steps[i, j]
                for d in range(size):
                    u[d] += g * h[d]
        for i in range(n_vectors):
            first, end = input_offsets[group + i], input_offsets[group + i + 1]
            share = shares[group + i]
            change = changes[i]
            for r in range(first, end):
                row = W_in[inputs[r]]
                factor = share * input_steps[inputs[r]] if input_steps.size else share
                for d in range(size):
                    row[d] += factor * change[d]
    return total


@sum_jit
def combine_inputs(W_in: Any, inputs: Any, offsets: Any, mean: Any, vectors: Any) -> None:
    """Write the input vectors ``vectors[i] = a sum of rows`` of a batch.

    Parameters
    ----------
    W_in : float32 (n_inputs, D)
    inputs, offsets : int32 (N,), int64 (I + 1,)
        As ``inputs`` and ``input_offsets`` of :class:`~wordgrad.training.sampling.Batch`.
    mean : bool
        a is 1 / rows if true, else 1.
    vectors : float32 (I, D)
    """
    for i in range(len(offsets) - 1):
        vector = vectors[i]
        vector[:] = 0.0
        for r in range(offsets[i], offsets[i + 1]):
            row = W_in[inputs[r]]
            for d in range(len(vector)):
                vector[d] += row[d]
        if mean:
            size = vector.dtype.type(offsets[i + 1] - offsets[i])
            for d in range(len(vector)):
                vector[d] /= size


@sum_jit
def scatter_add(d_vectors: Any, indices: Any, offsets: Any, shares: Any, d_rows: Any) -> None:
    """Add ``shares[i] d_vectors[i]`` to every row of input vector i.

    Parameters
    ----------
    d_vectors : float32 (I, D)
        Overwritten by ``shares[i] d_vectors[i]``.
    indices : int64 (N,)
        Which row of ``d_rows`` each input row has.
    offsets : int64 (I + 1,)
        As in :func:`combine_inputs`.
    shares : float32 (I,)
        What the rows of an input vector get of its gradient: a, if it is to be theirs.
    d_rows : float32 (rows of the batch, D)
        Added to.
    """
    for i in range(len(offsets) - 1):
        vector = d_vectors[i]
        for d in range(len(vector)):
            vector[d] *= shares[i]
        for r in range(offsets[i], offsets[i + 1]):
            row = d_rows[indices[r]]
            for d in range(len(vector)):
                row[d] += vector[d]
