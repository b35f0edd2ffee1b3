"""The choices and the spans of time that ``wordgrad train`` takes, and the panels of its help.

What a training has learnt is kept, even if it cannot go where it was meant to go.

Training with a display of its progress, and what is said and kept at each of its ends.

``wordgrad train``: from text to a file of word vectors.
"""

from __future__ import annotations

import re
import shlex
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordgrad.cli import wording
from wordgrad.cli.console import errors_console, say, say_command
from wordgrad.cli.exit import Interrupted
from wordgrad.errors import DamagedCheckpointWarning, InputError, OutputError

if TYPE_CHECKING:
    from wordgrad.word2vec import Word2Vec
    from wordgrad.word_vectors import WordVectors


class Architecture(Enum):
    """Which word predicts which."""

    skipgram = "skipgram"
    cbow = "cbow"


class Loss(Enum):
    """What training minimises."""

    negative_sampling = "negative-sampling"
    softmax = "softmax"


class SoftmaxOffset(Enum):
    """What is added to the softmax's logits."""

    unigram = "unigram"
    none = "none"


class Combination(Enum):
    """How CBOW combines its context vectors."""

    mean = "mean"
    sum = "sum"


class Errors(Enum):
    """What to do with bytes that are not UTF-8."""

    strict = "strict"
    replace = "replace"


MODEL, TRAINING, SAVING, TEXT = "The model", "Training", "Going on later", "The text"

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds(text: str | float) -> float:
    """Read a span of time.

    >>> seconds("60"), seconds("90s"), seconds("5m"), seconds("1.5 h")
    (60.0, 90.0, 300.0, 5400.0)
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(s|m|min|h|)\s*", str(text), re.ASCII)
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is not a span of time; write seconds, minutes or hours, as in 60s, 5m or 1h."
        )
    return float(match[1]) * _UNITS[match[2]]


def save_or_keep(vectors: WordVectors, output: Path, *, overwrite: bool) -> None:
    """Write ``vectors`` to ``output``, or failing that, to a file of their own beside it.

    Raises
    ------
    OutputError
        If ``output`` cannot be written (another training was faster, say), naming the file that
        holds the vectors instead, if there is room for one.
    """
    try:
        vectors.save(output, overwrite=overwrite)
    except OutputError as error:
        try:
            kept = keep_partial(vectors, output)
        except OutputError:
            raise error from None
        raise OutputError(
            f"{str(error).removesuffix('.')}; what was trained is in {kept}."
        ) from error


def keep_partial(vectors: WordVectors, output: Path) -> Path:
    """Write ``vectors`` beside ``output`` under a name that is free; return it."""
    number = 1
    while True:
        ending = "" if number == 1 else f"-{number}"
        partial = output.with_name(f"{output.stem}.partial{ending}{output.suffix}")
        number += 1
        if partial.exists():
            continue
        try:
            vectors.save(partial)
        except OutputError:
            if partial.exists():  # another process took the name meanwhile
                continue
            raise
        return partial


def train_to_file(
    source: Any,
    settings: Mapping[str, Any],
    output: Path,
    *,
    overwrite: bool,
    note: Mapping[str, Any] | None = None,
    resume: Path | None = None,
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
    resume : Path, optional
        Go on with the training in this folder; ``settings`` are then those that change.

    Raises
    ------
    Interrupted
        On Ctrl-C, with a sentence that says what was kept.
    """
    from wordgrad.cli.progress import ProgressDisplay
    from wordgrad.files import check_output
    from wordgrad.io.formats import format_of_name

    format_of_name(output, complete=True)  # the end of a training is no time to refuse a word
    check_output(output, overwrite=overwrite)
    display = ProgressDisplay(errors_console())
    model = None
    folder = resume or settings.get("checkpoint")
    try:
        # The import takes a second or more: not without a sign of life.
        with _warnings_said(), display:
            from wordgrad.word2vec import Word2Vec

            _let_ctrl_c_end_reads()
            if resume is None:
                model = Word2Vec(**settings, progress=display)
                model.fit(source)
            else:
                model = Word2Vec.from_checkpoint(resume, **settings, progress=display)
                model.resume(source)
        vectors: WordVectors = model.vectors_
        if note:
            vectors = vectors.with_metadata(note)
        save_or_keep(vectors, output, overwrite=overwrite)
    except KeyboardInterrupt as interrupt:
        learnt = hasattr(model, "vectors_") and display.training_began
        kept = keep_partial(model.vectors_, output) if model and learnt else None
        raise Interrupted(_interruption(kept, _way_to_go_on(folder, output))) from interrupt
    _summarise(model, output)
    return vectors


def source_of(inputs: Sequence[str] | None) -> Any:
    """What the estimator takes: paths, never sentences, however the inputs look."""
    if not inputs:
        return None
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


@contextmanager
def _warnings_said() -> Iterator[None]:
    """Say what training warns about when its display is gone."""
    found: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", DamagedCheckpointWarning)
        show = warnings.showwarning

        def keep(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, DamagedCheckpointWarning):
                found.append(str(message))
            else:
                show(message, category, *where)

        warnings.showwarning = keep  # type: ignore[assignment]  # as documented for callers
        try:
            yield
        finally:
            for message in found:
                say(message, style="yellow")


def _interruption(kept: Path | None, way: str | None) -> str:
    if kept is None and way is None:
        return "Interrupted before training began; nothing was kept."
    if kept is None:
        return f"Interrupted; go on with: {way}"
    message = f"Interrupted; the vectors as trained so far are in {kept}"
    return f"{message}." if way is None else f"{message}; go on with: {way}"


def _way_to_go_on(folder: Path | None, output: Path) -> str | None:
    """The command that goes on with the training, if it has saved anything."""
    if folder is None:
        return None
    from wordgrad.training.checkpoint import check_holds_checkpoint

    try:
        check_holds_checkpoint(folder)
    except InputError:
        return None
    return shlex.join(["wordgrad", "train", "--resume", str(folder), "-o", str(output)])


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
    if hasattr(model, "validation_"):
        words, unknown = model.validation_["words"], model.validation_["unknown"]
        best = min(history, key=lambda epoch: epoch["validation_loss"])
        say(
            f"On {wording.count(words)} words of validation text, {wording.count(unknown)} of them "
            f"unknown and left out, the loss was least after epoch {best['epoch']}: "
            f"{best['validation_loss']:.4f} a pair."
        )
    if report.bytes_replaced:
        say(f"{report.bytes_replaced:,} bytes were not UTF-8 and were replaced.")


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
