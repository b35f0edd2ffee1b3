"""``wordgrad train``: from text to a file of word vectors.

What a training has learnt is never lost: after Ctrl-C, or when the output cannot be written after
all, the vectors go to a partial output, a new file beside it, or here if the output is a URL.
"""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wordgrad.cli.console import (
    errors_console,
    format_count,
    format_duration,
    format_size,
    say,
    say_command,
)
from wordgrad.cli.exit import Interrupted, make_reads_interruptible
from wordgrad.cli.options import OVERWRITE, path_given, path_or_url, source_of, takes
from wordgrad.errors import (
    DamagedCheckpointWarning,
    InputError,
    OutputError,
    TrainingWarning,
)
from wordgrad.storage import is_url, path_of
from wordgrad.training.config import CHECKPOINTS, SETTINGS

if TYPE_CHECKING:
    from wordgrad.cli.progress import ProgressDisplay
    from wordgrad.doc2vec import Doc2Vec
    from wordgrad.word2vec import Word2Vec
    from wordgrad.word_vectors import WordVectors


NOTHING_SAVED = "Interrupted before training began; nothing was saved."


def save_or_keep(vectors: WordVectors | Doc2Vec, output: Path, *, overwrite: bool) -> None:
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


def keep_partial(vectors: WordVectors | Doc2Vec, output: Path) -> Path:
    """Write ``vectors`` beside ``output`` under a name that is free; return it.

    Those of a URL are written to the working folder: what it leads to may be what failed.
    """
    from wordgrad.io.formats import without_ending

    number = 1
    if is_url(output):
        output = Path(output.name)
    stem, kind = without_ending(output.name)
    while True:
        ending = "" if number == 1 else f"-{number}"
        partial = output.with_name(f"{stem}.partial{ending}{kind}")
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


def _phrases_beside(output: Path) -> Path:
    """Where the phrases of vectors are written: whoever uses the vectors needs them, too."""
    return output.with_name(f"{output.name}.phrases")


def train_to_file(
    source: Any,
    settings: Mapping[str, Any],
    output: Path,
    *,
    overwrite: bool,
    note: Mapping[str, Any] | None = None,
    resume: Path | None = None,
    documents: bool = False,
) -> WordVectors | Doc2Vec:
    """Train with a display of the progress, write the vectors, and say what was done.

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
        Resume the training in this folder; ``settings`` are then those that change.
    documents : bool
        Whether the sentences are documents, for :class:`Doc2Vec`, and its model is written.

    Raises
    ------
    Interrupted
        On Ctrl-C, with a sentence that says what was saved.
    """
    from wordgrad.cli.progress import ProgressDisplay
    from wordgrad.files import check_output
    from wordgrad.io.formats import format_of_name

    kind = format_of_name(output, complete=True)  # the end is no time to refuse a word
    if documents and kind.name != "safetensors":
        raise OutputError(f"A model of documents is saved as .safetensors, got {output.name}.")
    check_output(output, overwrite=overwrite)
    if settings.get("phrases") is not None and not documents:  # whose file holds them
        check_output(_phrases_beside(output), overwrite=overwrite)
    display = ProgressDisplay(errors_console())
    model = None
    folder = resume or settings.get("checkpoint")
    try:
        # The display first: the import takes a second or more.
        with _warnings_said(display), display:
            from wordgrad.doc2vec import Doc2Vec
            from wordgrad.word2vec import Word2Vec

            make_reads_interruptible()
            estimator = Doc2Vec if documents else Word2Vec
            if resume is None:
                model = estimator(**settings, progress=display)
                model.fit(source)
            else:
                model = estimator.from_checkpoint(resume, **settings, progress=display)
                model.resume(source)
        vectors: WordVectors | Doc2Vec = model if isinstance(model, Doc2Vec) else model.vectors_
        if note and not isinstance(vectors, Doc2Vec):
            vectors = vectors.with_metadata(note)
        save_or_keep(vectors, output, overwrite=overwrite)
        if model.phrases_ is not None and not documents:
            model.phrases_.save(_phrases_beside(output), overwrite=overwrite)
    except KeyboardInterrupt as interrupt:
        learnt = hasattr(model, "documents_" if documents else "vectors_")
        kept = None
        if model and learnt and display.training_began:
            kept = keep_partial(model if isinstance(model, Doc2Vec) else model.vectors_, output)
        if kept and model and model.phrases_ is not None and not documents:
            model.phrases_.save(_phrases_beside(kept))
        said = f"the vectors as trained so far are in {kept}" if kept else ""
        if folder and _holds_checkpoint(path_of(folder)):
            act = ["documents", "train"] if documents else ["train"]
            command = ["wordgrad", *act, "--resume", str(folder), "-o", str(output)]
            said += f"{'; ' if said else ''}resume with: {shlex.join(command)}"
        elif kept:
            said += "."
        whole = f"Interrupted; {said}" if said else NOTHING_SAVED
        raise Interrupted(whole) from interrupt
    _summarise(model, output)
    return vectors


@contextmanager
def _warnings_said(display: ProgressDisplay) -> Iterator[None]:
    """Say warnings of a training at once, and those of its checkpoints once the display is gone."""
    found: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", DamagedCheckpointWarning)
        warnings.simplefilter("always", TrainingWarning)
        show = warnings.showwarning

        def keep(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, DamagedCheckpointWarning):
                found.append(str(message))
            elif issubclass(category, TrainingWarning):
                display.say(str(message), style="yellow")
            else:
                show(message, category, *where)

        warnings.showwarning = keep  # type: ignore[assignment]  # as documented for callers
        try:
            yield
        finally:
            for message in found:
                say(message, style="yellow")


def _holds_checkpoint(folder: Path) -> bool:
    from wordgrad.training.checkpoint import check_holds_checkpoint

    try:
        check_holds_checkpoint(folder)
    except InputError:
        return False
    return True


def _chose_rate(model: Word2Vec) -> bool:
    """Whether the learning rate was left to the amount of text, and depends on it."""
    from wordgrad.training.config import TrainingConfig
    from wordgrad.training.sampling import rate_depends_on_text

    if model.learning_rate is not None or model.vectors is not None or hasattr(model, "documents_"):
        return False
    names = ("architecture", "loss", "combine", "subwords")
    return rate_depends_on_text(TrainingConfig(**{name: getattr(model, name) for name in names}))


def _summarise(model: Word2Vec, output: Path) -> None:
    from wordgrad.io.formats import size_of

    report, history = model.report_, model.history_
    vectors, what, words = model.vectors_, "words", len(model.vectors_ or ())
    if hasattr(model, "documents_"):
        vectors, what, words = model.documents_, "documents", len(model.vocabulary_)
    say(
        f"Wrote {output}: {len(vectors):,} {what}, {vectors.vector_size} dimensions, "
        f"{format_size(size_of(output))}."
    )
    seconds = sum(epoch["seconds"] for epoch in history)
    speed = sum(epoch["words"] for epoch in history) / max(seconds, 1e-9)
    dropped = report.tokens_read - report.tokens_joined - report.tokens_kept
    say(
        f"Read in {format_duration(report.seconds)}, trained in {format_duration(seconds)} at "
        f"{format_count(speed)} words/s, to a loss of {history[-1]['loss']:.4f} per pair. "
        f"{format_count(dropped)} of {format_count(report.tokens_read)} words were too rare to "
        "be kept."
    )
    if model.vectors_ is not None and _chose_rate(model):
        chosen = model.vectors_.metadata["settings"]["learning_rate"]
        say(f"The learning rate, {chosen:g} at the start, was chosen for this much text.")
    if model.phrases_ is not None:
        holds = output if what == "documents" else _phrases_beside(output)
        say(
            f"{format_count(report.tokens_joined)} words were joined to phrases, of which there "
            f"are {len(model.phrases_):,}: {holds} holds them."
        )
    if model.vectors is not None:
        say(f"{model.words_with_vectors_:,} of the {words:,} words started from {model.vectors}.")
    if hasattr(model, "validation_"):
        words, unknown = model.validation_["words"], model.validation_["unknown"]
        best = min(history, key=lambda epoch: epoch["validation_loss"])
        say(
            f"On {format_count(words)} words of validation text, {format_count(unknown)} of them "
            f"unknown and skipped, the loss was lowest after epoch {best['epoch']}: "
            f"{best['validation_loss']:.4f} per pair."
        )
    if report.bytes_replaced:
        say(f"{report.bytes_replaced:,} bytes were not UTF-8 and were replaced.")


def settings_given(
    context: typer.Context, resume: Path | None, inputs: list[str] | None, settings: dict[str, Any]
) -> dict[str, Any]:
    """Return the settings that a new training has, or those that change in a resumed one.

    Raises
    ------
    typer.BadParameter
        If there is neither text nor a training to resume, or two folders are named.
    """
    if resume is None:
        if not inputs:
            raise typer.BadParameter(
                "name the text to train on, or resume a training with --resume DIR.",
                param_hint="INPUT",
            )
        return settings
    if settings["checkpoint"] is not None:
        raise typer.BadParameter(
            "a resumed training saves to the folder of --resume; leave one of them out.",
            param_hint="--checkpoint",
        )
    return {  # only what was written on the command line, be it with its default
        name: value
        for name, value in settings.items()
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    }


RESUMABLE = ", ".join(
    f"--{name.replace('_', '-')}" for name, setting in SETTINGS.items() if setting.resumable
)


@takes(SETTINGS.values())
def train(
    context: typer.Context,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The file to write, or its URL: .safetensors, .safetensors.index.json (shards) "
            "or .parquet.",
            parser=path_given,
        ),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="Files (.txt, .jsonl, .csv, .tsv, .parquet; plain, .gz or .zst), folders, quoted "
            "globs, URLs (s3://...), or '-' for standard input. A line is a sentence.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, OVERWRITE] = False,
    *,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Resume the training saved in this folder, with its text and its settings; only "
            f"these may be changed: {RESUMABLE}.",
            rich_help_panel=CHECKPOINTS,
            show_default=False,
            parser=path_or_url,
        ),
    ] = None,
    **settings: Any,
) -> None:
    """Train word vectors on text, and write them to a file.

    Ctrl-C stops the training and saves what it has learnt so far to a separate file. A training
    with --checkpoint can be resumed with --resume.
    """
    settings = settings_given(context, resume, inputs, settings)
    source = source_of(inputs) if inputs else None
    train_to_file(source, settings, output, overwrite=overwrite, resume=resume)
    say("Now look up the neighbours of a word:")
    say_command(f"wordgrad similar {output} WORD")
