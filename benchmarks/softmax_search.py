"""What was tried for the exact softmax of skip-gram: optimisers, offsets, priors, vectors.

python benchmarks/softmax_search.py wiki8.txt --sets DATA

Long.  Every trial that is finished is a line of ``results/softmax-search.jsonl``, with the settings
it differs in, its losses and its scores, and is not run again.  Seconds are not compared: these
runs shared the machine.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from machine import RESULTS, append_json_line, describe_text, read_json_lines
from quality import SIMILARITY

from wordgrad import WordVectors
from wordgrad.corpus.corpus import encode_corpus
from wordgrad.evaluation import evaluate_similarity
from wordgrad.training.engines.block_softmax import canonical_vectors
from wordgrad.training.engines.pair_counts import PairCounts, count_pairs
from wordgrad.training.kernels.softmax import errors_in_place
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import keep_probabilities

TRIALS = RESULTS / "softmax-search.jsonl"
JUDGED = ("WordSim-353", "MEN", "SimLex-999", "Rare Words")
Floats = npt.NDArray[np.float32]
Record = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One training of 100 numbers a word; fields are what was varied.

    ``input_step`` "newton" multiplies the gradient of an input row by the inverse of the outputs'
    covariance (plus ``ridge`` of its mean), which all rows share, and divides it by n_c.
    ``l2`` is a penalty l2 / 2 |row|^2 a pass, ``prior`` the pseudo-pairs, shared out by p(w), that
    are added to every centre, ``offset_power`` the factor of log p(w).
    """

    vocabulary: int
    passes: int = 12
    input_step: str = "adagrad"
    input_rate: float = 0.1
    output_rate: float = 0.05
    offset_power: float = 1.0
    block_rows: int = 256
    start: float = 0.005
    ridge: float = 0.1
    l2: float = 0.0
    prior: float = 0.0
    sample: float = 1e-4


GRID = [
    *[Trial(5_000, 10, block_rows=128, offset_power=power) for power in (0.75, 1.0)],
    Trial(5_000, 10, "newton", 0.7, start=0.1, block_rows=128, offset_power=0.75),
    Trial(5_000, 10, "newton", 0.7, start=0.1, block_rows=128, ridge=1.0),
    Trial(5_000, 10, block_rows=128, l2=300.0),
    *[Trial(5_000, 15, input_rate=0.1, output_rate=rate, block_rows=128) for rate in (0.05, 0.2)],
    Trial(5_000, 15, input_rate=0.05, output_rate=0.2, block_rows=128),
    Trial(5_000, 15, output_rate=0.1, block_rows=64),
    *[Trial(5_000, passes, output_rate=0.1, block_rows=128) for passes in (12, 30)],
    Trial(5_000, 12, input_rate=0.25, block_rows=128),
    *[Trial(20_000, 12, output_rate=rate) for rate in (0.1, 0.2)],
    *[Trial(20_000, 10, output_rate=0.15, l2=l2) for l2 in (10.0, 50.0)],
    Trial(20_000, 10, output_rate=0.2, prior=200.0),
    *[Trial(20_000, 12, output_rate=0.2, sample=sample) for sample in (2e-5,)],
]


@lru_cache(maxsize=1)
def counted(text: Path, vocabulary: int, sample: float) -> tuple[PairCounts, tuple[str, ...]]:
    """Counts of a text, kept for the next trial on them."""
    with encode_corpus(text, max_vocab=vocabulary) as corpus:
        keep = keep_probabilities(corpus.vocabulary.counts, sample)
        ids, offsets = np.ascontiguousarray(corpus.ids), np.ascontiguousarray(corpus.offsets)
        return count_pairs(ids, offsets, keep, 5, workers=2), tuple(corpus.vocabulary.words)


def train(trial: Trial, counts: PairCounts) -> tuple[Parameters, list[float]]:
    """Train, and return the parameters and the loss of every pass."""
    V, n = counts.n_words, counts.totals
    p = n / n.sum()
    offset = (trial.offset_power * np.log(p)).astype(np.float32)
    rng = np.random.default_rng(1)
    parameters = Parameters.zeros(V, V, 100)
    parameters.W_in[:] = (rng.random((V, 100), np.float32) - 0.5) * 2 * trial.start
    if trial.input_step == "newton":  # whose covariance is 0 where W_out is
        parameters.W_out[:] = (rng.random((V, 100), np.float32) - 0.5) * 2 * trial.start
    sums_in, sums_out = np.zeros(V), np.zeros(V)
    blocks = -(-V // trial.block_rows)
    losses = []
    for k in range(trial.passes):
        total = 0.0
        for b, words in enumerate(np.array_split(rng.permutation(V), blocks)):
            rate = max(1 - (k + b / blocks) / trial.passes, 0.1)
            inputs = parameters.W_in[words]
            logits = inputs @ parameters.W_out.T
            scale, block_losses = np.empty(len(words), np.float32), np.empty(len(words))
            errors_in_place(
                logits, offset, *counts.rows(words), n[words] + trial.prior, 0, len(words),
                scale, block_losses,
            )  # fmt: skip
            if trial.prior:
                logits -= np.outer(np.float32(trial.prior) / scale, p.astype(np.float32))
            d_inputs = logits @ parameters.W_out * scale[:, np.newaxis] + trial.l2 * inputs
            d_W_out = logits.T @ (inputs * scale[:, np.newaxis])
            d_W_out += trial.l2 * parameters.W_out * (len(words) / V)
            total += block_losses.sum()
            if trial.input_step == "newton":
                step = d_inputs / n[words, np.newaxis] @ _inverse(parameters.W_out, p, trial.ridge)
                parameters.W_in[words] -= (trial.input_rate * rate * step).astype(np.float32)
            else:
                sums_in[words] += (d_inputs.astype(np.float64) ** 2).mean(axis=1)
                parameters.W_in[words] -= _scaled(d_inputs, sums_in[words], trial.input_rate * rate)
            sums_out += (d_W_out.astype(np.float64) ** 2).mean(axis=1)
            parameters.W_out[:] -= _scaled(d_W_out, sums_out, trial.output_rate * rate)
        losses.append(total / n.sum())
    return parameters, losses


def _scaled(gradient: Floats, sums: npt.NDArray[np.float64], rate: float) -> Floats:
    return gradient * (rate / np.sqrt(sums + 1e-12)).astype(np.float32)[:, np.newaxis]


def _inverse(W_out: Floats, p: npt.NDArray[np.float64], ridge: float) -> npt.NDArray[np.float64]:
    rows = W_out.astype(np.float64)
    mean = p @ rows
    covariance = (rows * p[:, np.newaxis]).T @ rows - np.outer(mean, mean)
    size = np.trace(covariance) / len(covariance) * ridge + 1e-3
    return np.asarray(np.linalg.inv(covariance + size * np.eye(len(covariance))))


def scores(words: tuple[str, ...], matrix: Floats, sets: Path) -> Record:
    """Correlations on the judged sets."""
    model = WordVectors(list(words), np.ascontiguousarray(matrix))
    return {
        name: evaluate_similarity(model, sets / SIMILARITY[name]).correlation for name in JUDGED
    }


def run(trial: Trial, text: Path, sets: Path) -> Record:
    """Train and score the vectors in their three forms."""
    counts, words = counted(text, trial.vocabulary, trial.sample)
    parameters, losses = train(trial, counts)
    return {
        "trial": asdict(trial),
        "loss": losses[-1],
        "W_in": scores(words, parameters.W_in, sets),
        "W_in + W_out": scores(words, parameters.W_in + parameters.W_out, sets),
        "canonical": scores(words, canonical_vectors(parameters, counts.totals), sets),
    }


def main(
    text: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    sets: Annotated[Path, typer.Option(exists=True, file_okay=False)],
) -> None:
    """Run every trial that is not on record."""
    text_hash = describe_text(text)["sha256"]
    known = [one["trial"] for one in read_json_lines(TRIALS) if one["text_sha256"] == text_hash]
    for trial in GRID:
        if asdict(trial) not in known:
            append_json_line(TRIALS, {"text_sha256": text_hash, **run(trial, text, sets)})
        typer.echo(f"{trial}: on record")


if __name__ == "__main__":
    typer.run(main)
