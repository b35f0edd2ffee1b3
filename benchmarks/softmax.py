"""The exact softmax: seconds a pass, against the floor and fastText; quality beside sampling.

python benchmarks/softmax.py wiki8.txt --sets DATA

Made to be stopped and continued: every cell that is measured is a line of
``results/softmax.jsonl`` and is not measured again, unless ``--again`` is given.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from machine import (
    RESULTS,
    Lines,
    circumstances,
    describe_text,
    spread,
    write_json,
)
from quality import ANALOGIES, SIMILARITY
from texts import break_lines

from wordgrad import Word2Vec, WordVectors
from wordgrad.corpus.corpus import encode_corpus
from wordgrad.evaluation import evaluate_analogies, evaluate_similarity
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engines.block_softmax import SparseTargets
from wordgrad.training.engines.pair_counts import BYTES_A_COUNT, count_pairs
from wordgrad.training.engines.softmax import BLOCK_ROWS, SoftmaxSteps
from wordgrad.training.parameters import Parameters
from wordgrad.training.sampling import keep_probabilities

Record = dict[str, Any]
Cell = Callable[[str, Callable[[], Record]], Record]
CELLS = RESULTS / "softmax.jsonl"
SIZES = [(V, D) for D in (100, 300) for V in (5_000, 20_000, 50_000)]
ROUNDS, IN_A_ROW = 5, 5
PAIRS_A_ROW = 2_000  # pairs of words seen together, a row of wiki8's 20,000 words
VOCABULARY = 20_000
SEEDS = (1, 2, 3)
SHORT_BYTES = 500_000
GOAL_OVER_PRODUCTS = 1.6
MOST_FAILURES = 20
app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)


def _seconds(work: Callable[[], object]) -> list[float]:
    """Seconds of each of some calls in a row, a pause before them."""
    time.sleep(0.1)
    found = []
    for _ in range(IN_A_ROW):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return found


def pass_seconds(V: int, D: int, threads: int) -> Record:
    """Time blocks of a pass and their matrix products alone, in turns, on made-up counts."""
    rng = np.random.default_rng(0)
    steps = SoftmaxSteps(TrainingConfig(vector_size=D, workers=threads), np.ones(V), BLOCK_ROWS)
    parameters = Parameters.initial(V, V, D, seed=1)
    parameters.W_out[:] = rng.normal(scale=0.1, size=(V, D))
    n = min(PAIRS_A_ROW, V // 2)
    columns = np.sort(rng.permuted(np.tile(np.arange(V), (8, 1)), axis=1)[:, :n], axis=1)
    columns = np.tile(columns.astype(np.int32), (BLOCK_ROWS // 8, 1)).ravel()
    begin, values = np.arange(BLOCK_ROWS + 1) * n, np.ones(BLOCK_ROWS * n)
    targets = SparseTargets(begin, columns, values, np.full(BLOCK_ROWS, float(n)))
    logits = np.empty((BLOCK_ROWS, V), np.float32)
    d_W_out = np.empty((V, D), np.float32)

    def block() -> None:
        words = rng.choice(V, BLOCK_ROWS, replace=False)
        found = steps.gradients(parameters, parameters.W_in[words], targets)
        steps.step(parameters, words, found.d_inputs, found.d_W_out, 0.1)

    def multiply() -> None:
        np.matmul(inputs, parameters.W_out.T, out=logits)
        np.matmul(logits, parameters.W_out)
        np.matmul(logits.T, inputs, out=d_W_out)

    inputs = parameters.W_in[:BLOCK_ROWS].copy()
    blocks, products = [], []
    for _ in range(ROUNDS):
        # A few in a row, as in a training; one first, until the threads of the other have slept.
        blocks.append(statistics.median(_seconds(block)[1:]))
        with steps.block.blas():
            products.append(statistics.median(_seconds(multiply)[1:]))
    steps.block.close()
    ratios = [block / product for block, product in zip(blocks, products, strict=True)]
    a_pass = V / BLOCK_ROWS
    return {
        "vocabulary": V,
        "vector_size": D,
        "pass_seconds": spread([seconds * a_pass for seconds in blocks]),
        "products_seconds": spread([seconds * a_pass for seconds in products]),
        "over_products": spread(ratios),
        "multiply_adds": 3 * V * V * D,
    }


def counting(text: Path, threads: int) -> Record:
    """Time the counting of pairs, in the default memory and in a hundredth of it."""
    found: Record = {}
    with encode_corpus(text, max_vocab=VOCABULARY) as corpus:
        keep = keep_probabilities(corpus.vocabulary.counts, TrainingConfig().sample)
        ids, offsets = np.ascontiguousarray(corpus.ids), np.ascontiguousarray(corpus.offsets)
        count_pairs(ids[:100], np.array([0, 100]), keep, 5).close()
        for name, block_bytes in (("256 MiB", 1 << 28), ("16 MiB", 1 << 24)):
            start = time.perf_counter()
            counts = count_pairs(ids, offsets, keep, 5, workers=threads, block_bytes=block_bytes)
            found[name] = {"seconds": time.perf_counter() - start}
            found |= {
                "tokens": len(ids),
                "pairs": counts.pairs,
                "pairs_left_out_at_most": counts.left_out,
                "different_pairs": len(counts.values),
                "bytes_on_disk": len(counts.values) * BYTES_A_COUNT,
            }
            counts.close()
    return found


def shortened(text: Path, work: Path) -> Path:
    """The first bytes of a text, cut at a space: what fastText's softmax can finish."""
    target = work / f"{text.stem}-{SHORT_BYTES}.txt"
    with text.open("rb") as handle:
        head = handle.read(SHORT_BYTES)
    target.write_bytes(head[: head.rindex(b" ")])
    return target


def fasttext_softmax(text: Path, architecture: str, threads: int) -> Any:
    """Train one epoch of fastText with the full softmax, without subwords."""
    import fasttext

    return fasttext.train_unsupervised(
        str(text), model=architecture, loss="softmax", dim=100, ws=5, minCount=5, t=1e-4,
        epoch=1, thread=threads, maxn=0, verbose=0,
    )  # fmt: skip


def beside_fasttext(text: Path, architecture: str, threads: int) -> Record:
    """One epoch of fastText's softmax and of ours, on the same short text."""
    failures, theirs = 0, None
    while theirs is None:
        start = time.perf_counter()
        try:
            theirs = fasttext_softmax(text, architecture, threads)
        except RuntimeError:  # "Encountered NaN", now and then, at any learning rate
            failures += 1
            if failures == MOST_FAILURES:
                raise
    fasttext_seconds = time.perf_counter() - start
    settings: Record = {"loss": "softmax", "architecture": architecture, "workers": threads}
    Word2Vec(epochs=1, **settings).fit(text)  # compiles
    start = time.perf_counter()
    ours = Word2Vec(**settings).fit(text)
    whole = time.perf_counter() - start
    an_epoch = statistics.median(epoch["seconds"] for epoch in ours.history_)
    return {
        "vocabulary": len(ours.vectors_),
        "fasttext_vocabulary": len(theirs.get_words()),
        "tokens": ours.report_.tokens_kept,
        "fasttext_failures": failures,
        "fasttext_epoch_seconds": fasttext_seconds,
        "wordgrad_epoch_seconds": an_epoch,
        "wordgrad_epochs": len(ours.history_),
        "wordgrad_whole_training_seconds": whole,
        "fasttext_epoch_over_ours": fasttext_seconds / an_epoch,
        "fasttext_epoch_over_our_whole_training": fasttext_seconds / whole,
    }


def scores(vectors: WordVectors, sets: Path) -> Record:
    """Spearman's correlation on the similarity sets, and the share of analogies answered."""
    found = {
        name: evaluate_similarity(vectors, sets / file).correlation
        for name, file in SIMILARITY.items()
    }
    for name, file in ANALOGIES.items():
        found[name] = evaluate_analogies(vectors, sets / file, restrict_vocab=VOCABULARY).accuracy
    return found


def trained(text: Path, sets: Path, **settings: Any) -> Record:
    """Train on the 20,000 most frequent words, and score."""
    start = time.perf_counter()
    model = Word2Vec(max_vocab=VOCABULARY, **settings).fit(text)
    seconds = time.perf_counter() - start
    return {
        "settings": settings,
        "epochs": len(model.history_),
        "seconds": seconds,
        "training_seconds": sum(epoch["seconds"] for epoch in model.history_),
        "losses": [epoch["loss"] for epoch in model.history_],
        "gradient_norms": [epoch.get("gradient_norm") for epoch in model.history_],
        "scores": scores(model.vectors_, sets),
    }


def equal_time(
    cell: Cell, text: Path, sets: Path, threads: int, seeds: list[int]
) -> Iterator[tuple[str, Record]]:
    """Softmax, sampling at its five epochs, and sampling for as long as the softmax takes."""
    softmax, sampling = [], []
    for seed in seeds:
        softmax.append(
            cell(
                f"quality softmax seed {seed}",
                partial(trained, text, sets, loss="softmax", seed=seed, workers=threads),
            )
        )
        sampling.append(
            cell(
                f"quality sampling seed {seed}",
                partial(trained, text, sets, seed=seed, workers=threads),
            )
        )
        yield f"softmax seed {seed}", softmax[-1]
        yield f"sampling seed {seed}", sampling[-1]
    a_run = statistics.median(one["seconds"] for one in softmax)
    an_epoch = statistics.median(one["training_seconds"] / one["epochs"] for one in sampling)
    epochs = max(5, round(a_run / an_epoch))
    yield (
        "sampling as long",
        cell(
            "quality sampling as long",
            partial(trained, text, sets, seed=seeds[0], epochs=epochs, workers=threads),
        ),
    )


def quality_goals(found: dict[str, Record]) -> Record:
    """Means over seeds, and whether the softmax is no worse on the two sets that were named."""
    means = {
        kind: {
            name: statistics.fmean(
                one["scores"][name] for key, one in found.items() if key.startswith(f"{kind} seed")
            )
            for name in (*SIMILARITY, *ANALOGIES)
        }
        for kind in ("softmax", "sampling")
    }
    judged = ("MEN", "WordSim-353")
    return {
        "means": means,
        "difference": {
            name: means["softmax"][name] - means["sampling"][name] for name in means["softmax"]
        },
        "no_worse": all(means["softmax"][name] >= means["sampling"][name] for name in judged),
    }


@app.command()
def main(
    text: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    sets: Annotated[Path, typer.Option(exists=True, file_okay=False)],
    threads: Annotated[int, typer.Option(min=1)] = 2,
    seed: Annotated[list[int], typer.Option(help="Seed; repeatable.")] = list(SEEDS),  # noqa: B006
    again: Annotated[bool, typer.Option(help="Measure what is on record once more.")] = False,
) -> None:
    """Measure every cell that is not on record, and write ``results/softmax.json``."""
    described = describe_text(text)
    cell = Lines(CELLS, described["sha256"], again=again, report=typer.echo).measure
    with tempfile.TemporaryDirectory(prefix="wordgrad-benchmark-") as folder:
        work = Path(folder)
        passes = [cell(f"pass V={V} D={D}", partial(pass_seconds, V, D, threads)) for V, D in SIZES]
        counted = cell("counting", partial(counting, text, threads))
        short = break_lines(shortened(text, work), work / "short.txt")
        fasttext = {
            architecture: cell(
                f"fasttext {architecture}",
                partial(beside_fasttext, short, architecture, threads),
            )
            for architecture in ("skipgram", "cbow")
        }
        found = dict(equal_time(cell, text, sets, threads, seed))
    worst = max(one["over_products"]["median"] for one in passes)
    record = {
        "question": "What does the exact softmax cost, and how good are its vectors?",
        **circumstances(),
        "text": described,
        "threads": threads,
        "passes": passes,
        "counting": counted,
        "fasttext": fasttext,
        "quality": found,
        "goals": {
            "over_products": {
                "goal": GOAL_OVER_PRODUCTS,
                "measured": worst,
                "passed": worst <= GOAL_OVER_PRODUCTS,
            },
            "quality": quality_goals(found),
        },
    }
    typer.echo(str(write_json("softmax.json", record)))


if __name__ == "__main__":
    app()
