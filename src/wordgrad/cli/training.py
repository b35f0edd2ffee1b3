"""Training with a display of its progress, and what is said and kept at each of its ends."""

from __future__ import annotations

import shlex
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wordgrad.cli import wording
from wordgrad.cli.console import errors_console, say
from wordgrad.cli.outcomes import Interrupted
from wordgrad.errors import DamagedCheckpointWarning, InputError

if TYPE_CHECKING:
    from wordgrad.estimators.word2vec import Word2Vec
    from wordgrad.vectors.word_vectors import WordVectors


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
    from wordgrad.cli.keeping import keep_partial, save_or_keep
    from wordgrad.cli.progress import ProgressDisplay
    from wordgrad.files import check_output
    from wordgrad.vectors.formats import format_of_name

    format_of_name(output, complete=True)  # the end of a training is no time to refuse a word
    check_output(output, overwrite=overwrite)
    display = ProgressDisplay(errors_console())
    model = None
    folder = resume or settings.get("checkpoint")
    try:
        # The import takes a second or more: not without a sign of life.
        with _warnings_said(), display:
            from wordgrad.estimators.word2vec import Word2Vec

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
    from wordgrad.training.checkpoints.folder import check_holds_checkpoint

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
