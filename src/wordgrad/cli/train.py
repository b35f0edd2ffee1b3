"""``wordgrad train``: from text to a file of word vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wordgrad.cli.console import say, say_command
from wordgrad.cli.train_options import (
    MODEL,
    SAVING,
    TEXT,
    TRAINING,
    Architecture,
    Combination,
    Errors,
    Loss,
    SoftmaxOffset,
    seconds,
)
from wordgrad.cli.training import source_of, train_to_file


def train(
    context: typer.Context,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The file to write: .safetensors or .parquet."),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="Files (.txt, .jsonl, .csv, .tsv, .parquet; plain, .gz or .zst), folders, quoted "
            "globs, or '-' for standard input. A line is a sentence.",
            show_default=False,
        ),
    ] = None,
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
        int, typer.Option(help="Start of all random numbers.", rich_help_panel=TRAINING)
    ] = 1,
    reproducible: Annotated[
        bool,
        typer.Option(
            "--reproducible", help="The same file for any workers.", rich_help_panel=TRAINING
        ),
    ] = False,
    validation: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Text kept from training: its loss is measured after each epoch.",
            rich_help_panel=TRAINING,
            show_default=False,
        ),
    ] = None,
    early_stopping: Annotated[
        int | None,
        typer.Option(
            metavar="EPOCHS",
            help="End after so many epochs without a better loss on the validation text, and keep "
            "the vectors of the best one.",
            rich_help_panel=TRAINING,
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Save the training to this folder while it runs.",
            rich_help_panel=SAVING,
            show_default=False,
        ),
    ] = None,
    checkpoint_every: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="TIME",
            help="How often, as in 90s, 5m or 1h. Default: 60s.",
            rich_help_panel=SAVING,
            show_default=False,
        ),
    ] = 60.0,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Go on with the training that was saved to this folder, with its text and its "
            "settings; --epochs, --learning-rate, --workers, --early-stopping, --tolerance, "
            "--max-hours and --checkpoint-every may be new.",
            rich_help_panel=SAVING,
            show_default=False,
        ),
    ] = None,
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

    Ctrl-C stops the training and keeps what it has learnt in a file of its own. One that was saved
    with --checkpoint goes on with --resume.
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
        "reproducible": reproducible,
        "combine": combine.value,
        "column": column,
        "lowercase": lowercase,
        "pattern": pattern,
        "errors": errors.value,
        "validation": validation,
        "early_stopping": early_stopping,
        "checkpoint": checkpoint,
        "checkpoint_every": checkpoint_every,
        "softmax_offset": softmax_offset.value,
        "tolerance": tolerance,
        "max_hours": max_hours,
    }
    if resume is not None:
        settings = {name: value for name, value in settings.items() if _given(context, name)}
    _check_usage(inputs, checkpoint, resume)
    train_to_file(source_of(inputs), settings, output, overwrite=overwrite, resume=resume)
    say("Now ask for the neighbours of a word:")
    say_command(f"wordgrad similar {output} WORD")


def _given(context: typer.Context, name: str) -> bool:
    """Whether an option was written on the command line, be it with its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _check_usage(inputs: list[str] | None, checkpoint: Path | None, resume: Path | None) -> None:
    if resume is None and not inputs:
        raise typer.BadParameter(
            "name the text to train on, or go on with a training: --resume DIR.",
            param_hint="INPUT",
        )
    if resume is not None and checkpoint is not None:
        raise typer.BadParameter(
            "it begins a training and --resume goes on with one, saving to the same folder; leave "
            "one of them out.",
            param_hint="--checkpoint",
        )
