"""``wordgrad train``: from text to a file of word vectors."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordgrad.cli import wording
from wordgrad.cli.choices import Architecture, Combination, Errors, Loss, SoftmaxOffset
from wordgrad.cli.console import errors_console, say, say_command
from wordgrad.cli.outcomes import Interrupted

if TYPE_CHECKING:
    from wordgrad.estimators.word2vec import Word2Vec
    from wordgrad.vectors.word_vectors import WordVectors


MODEL, TRAINING, TEXT = "The model", "Training", "The text"


def train(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Files (.txt, .jsonl, .csv, .tsv, .parquet; plain, .gz or .zst), folders, quoted "
            "globs, or '-' for standard input. A line is a sentence.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The file to write, ending in .safetensors."),
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the output if it exists.")
    ] = False,
    vector_size: Annotated[
        int, typer.Option(help="Numbers in a vector.", rich_help_panel=MODEL)
    ] = 100,
    window: Annotated[
        int, typer.Option(help="Most words between a word and its context.", rich_help_panel=MODEL)
    ] = 5,
    architecture: Annotated[
        Architecture,
        typer.Option(help="skipgram: better. cbow: faster.", rich_help_panel=MODEL),
    ] = Architecture.skipgram,
    loss: Annotated[
        Loss, typer.Option(help="What training minimises.", rich_help_panel=MODEL)
    ] = Loss.negative_sampling,
    negative: Annotated[
        int, typer.Option(help="Noise words drawn for each window.", rich_help_panel=MODEL)
    ] = 5,
    ns_exponent: Annotated[
        float, typer.Option(help="Noise is drawn as count to this power.", rich_help_panel=MODEL)
    ] = 0.75,
    combine: Annotated[
        Combination,
        typer.Option(help="How CBOW combines its context.", rich_help_panel=MODEL),
    ] = Combination.mean,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Passes over the text. Default: 5; 15 for skip-gram with the softmax.",
            rich_help_panel=TRAINING,
            show_default=False,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="The first step size; it falls to almost 0. Default: the best one measured for "
            "the architecture and the loss.",
            rich_help_panel=TRAINING,
            show_default=False,
        ),
    ] = None,
    sample: Annotated[
        float,
        typer.Option(
            help="Words more frequent than this share are skipped at random; 0: none.",
            rich_help_panel=TRAINING,
        ),
    ] = 1e-4,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Threads. Default: one for each processor.",
            rich_help_panel=TRAINING,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(help="Start of all random numbers.", rich_help_panel=TRAINING),
    ] = 1,
    min_count: Annotated[
        int, typer.Option(help="Drop words that occur less often.", rich_help_panel=TEXT)
    ] = 5,
    max_vocab: Annotated[
        int | None,
        typer.Option(
            help="Keep at most so many words. Default: no limit.",
            rich_help_panel=TEXT,
            show_default=False,
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(
            help="Column to read of .jsonl, .csv, .tsv and .parquet. Default: 'text', or the only "
            "column of text.",
            rich_help_panel=TEXT,
            show_default=False,
        ),
    ] = None,
    lowercase: Annotated[
        bool, typer.Option("--lowercase", help="Lower-case the text.", rich_help_panel=TEXT)
    ] = False,
    pattern: Annotated[
        str | None,
        typer.Option(
            help="Regular expression whose matches are the words. Default: split at white space.",
            rich_help_panel=TEXT,
            show_default=False,
        ),
    ] = None,
    errors: Annotated[
        Errors,
        typer.Option(help="Bytes that are not UTF-8: stop, or replace.", rich_help_panel=TEXT),
    ] = Errors.strict,
    softmax_offset: Annotated[
        SoftmaxOffset,
        typer.Option(
            help="What the softmax adds to its scores: log-frequency, or nothing.",
            rich_help_panel=MODEL,
        ),
    ] = SoftmaxOffset.unigram,
    tolerance: Annotated[
        float,
        typer.Option(
            help="End a softmax training once an epoch lowers the loss by less than this share.",
            rich_help_panel=TRAINING,
        ),
    ] = 1e-4,
    max_hours: Annotated[
        float,
        typer.Option(
            help="Refuse a softmax training that would take longer.", rich_help_panel=TRAINING
        ),
    ] = 24.0,
) -> None:
    """Train word vectors on text, and write them to a file.

    Ctrl-C stops the training and keeps what it has learnt in a file of its own.
    """
    settings = {
        "vector_size": vector_size,
        "window": window,
        "min_count": min_count,
        "architecture": architecture.value,
        "loss": loss.value,
        "negative": negative,
        "ns_exponent": ns_exponent,
        "sample": sample,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "max_vocab": max_vocab,
        "workers": workers,
        "seed": seed,
        "combine": combine.value,
        "column": column,
        "lowercase": lowercase,
        "pattern": pattern,
        "errors": errors.value,
        "softmax_offset": softmax_offset.value,
        "tolerance": tolerance,
        "max_hours": max_hours,
    }
    train_to_file(_source(inputs), settings, output, overwrite=overwrite)
    say("Now ask for the neighbours of a word:")
    say_command(f"wordgrad similar {output} WORD")


def train_to_file(
    source: Any,
    settings: Mapping[str, Any],
    output: Path,
    *,
    overwrite: bool,
    note: Mapping[str, Any] | None = None,
) -> WordVectors:
    """Train with a display of the progress, write the vectors, and say so.

    Parameters
    ----------
    source
        What :meth:`Word2Vec.fit` takes.
    settings : mapping
        Parameters of :class:`Word2Vec`.
    output : Path
    overwrite : bool
    note : mapping, optional
        More metadata for the file.

    Raises
    ------
    Interrupted
        On Ctrl-C, with a sentence that says what was kept.
    """
    from wordgrad.cli.progress import ProgressDisplay
    from wordgrad.files import check_output
    from wordgrad.vectors.formats import format_of_name

    format_of_name(output, complete=True)  # the end of a training is no time to refuse a word
    check_output(output, overwrite=overwrite)
    display = ProgressDisplay(errors_console())
    model = None
    try:
        with display:  # the import takes a second or more: not without a sign of life
            from wordgrad.estimators.word2vec import Word2Vec

            _let_ctrl_c_end_reads()
            model = Word2Vec(**settings, progress=display)
            model.fit(source)
    except KeyboardInterrupt as interrupt:
        kept = _keep_partial(model, output) if model and display.training_began else None
        raise Interrupted(_interruption(kept)) from interrupt
    vectors: WordVectors = model.vectors_
    if note:
        vectors = vectors.with_metadata(note)
    vectors.save(output, overwrite=overwrite)
    _summarise(model, output)
    return vectors


def _source(inputs: Sequence[str]) -> Any:
    """What the estimator takes: paths, never sentences, however the inputs look."""
    if len(inputs) == 1:
        return inputs[0]
    return [item if item == "-" else Path(item) for item in inputs]


def _let_ctrl_c_end_reads() -> None:
    """Make Ctrl-C interrupt a read that waits for more text, on standard input above all.

    Polars, when it is imported, puts its own handler before Python's, and with it (SA_RESTART) the
    system goes on with an interrupted read as if nothing had happened.
    """
    if hasattr(signal, "siginterrupt"):  # not on Windows
        import polars  # noqa: F401  # now, so that its handler is there to be changed

        signal.siginterrupt(signal.SIGINT, True)


def _interruption(kept: Path | None) -> str:
    if kept is None:
        return "Interrupted before training began; nothing was kept."
    return f"Interrupted; the vectors as trained so far are in {kept}."


def _keep_partial(model: Word2Vec, output: Path) -> Path | None:
    """Save what an interrupted training has learnt, beside the output; return where."""
    if not hasattr(model, "vectors_"):
        return None
    partial = output.with_name(f"{output.stem}.partial{output.suffix}")
    number = 1
    while partial.exists():
        number += 1
        partial = output.with_name(f"{output.stem}.partial-{number}{output.suffix}")
    model.vectors_.save(partial)
    return partial


def _summarise(model: Word2Vec, output: Path) -> None:
    vectors, report, history = model.vectors_, model.report_, model.history_
    say(
        f"Wrote {output}: {len(vectors):,} words, {vectors.vector_size} dimensions, "
        f"{wording.size(output.stat().st_size)}."
    )
    seconds = sum(epoch["seconds"] for epoch in history)
    speed = sum(epoch["words"] for epoch in history) / max(seconds, 1e-9)
    dropped = report.tokens_read - report.tokens_kept
    say(
        f"Read in {wording.duration(report.seconds)}, trained in {wording.duration(seconds)} at "
        f"{wording.count(speed)} words/s, to a loss of {history[-1]['loss']:.4f} a pair. "
        f"{wording.count(dropped)} of {wording.count(report.tokens_read)} words were too rare to "
        "be kept."
    )
    if report.bytes_replaced:
        say(f"{report.bytes_replaced:,} bytes were not UTF-8 and were replaced.")
