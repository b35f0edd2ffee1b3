"""How a fit begins: with a text, or with the checkpoint of an earlier one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wordgrad.errors import FormatError, InputError, ParameterError
from wordgrad.text.corpus import EncodedCorpus, encode_corpus
from wordgrad.text.fingerprint import Fingerprint
from wordgrad.text.held_out import HeldOutText, encode_held_out
from wordgrad.text.vocabulary import Vocabulary
from wordgrad.training.checkpoints import Checkpoint, CheckpointFolder, Identity, Saving
from wordgrad.training.checkpoints.folder import TEXT, recorded_settings
from wordgrad.training.config import TrainingConfig
from wordgrad.training.trainer import Trainer
from wordgrad.training.validation import HeldOut

if TYPE_CHECKING:
    from wordgrad.estimators.word2vec import Word2Vec

CHANGEABLE = (
    "epochs",
    "learning_rate",
    "workers",
    "checkpoint_every",
    "early_stopping",
    "tolerance",
    "max_hours",
)
"""What may differ when a training goes on: its schedule, and what its result does not tell of."""

_NOT_SETTINGS = ("progress", "checkpoint", "validation")


@dataclass(frozen=True)
class Run:
    """A training that is ready to run, with the texts that it needs."""

    trainer: Trainer
    corpus: EncodedCorpus
    held_out: HeldOutText | None


@contextmanager
def begin(model: Word2Vec, X: Any, config: TrainingConfig) -> Iterator[Run]:
    """Read the texts and make a trainer; in the ``with`` block the checkpoint folder is ours."""
    if model.early_stopping is not None and model.validation is None:
        raise ParameterError(
            f"early_stopping={model.early_stopping} needs a loss to watch; give held-out text as "
            "validation."
        )
    with ExitStack() as stack:
        folder = None
        if model.checkpoint is not None:
            folder = stack.enter_context(CheckpointFolder.begin(Path(model.checkpoint)))
        corpus = stack.enter_context(_encode(model, X, config, folder))
        held_out = None
        if model.validation is not None:
            held_out = _encode_held_out(model, corpus.vocabulary, config)
        saving = None
        if folder is not None:
            saving = _first_saving(model, config, folder, corpus, held_out)
        trainer = Trainer(
            corpus,
            config,
            model.progress,
            held_out=HeldOut(held_out, model.early_stopping) if held_out else None,
            saving=saving,
        )
        yield Run(trainer, corpus, held_out)


@contextmanager
def go_on(model: Word2Vec, X: Any, config: TrainingConfig) -> Iterator[Run]:
    """Open a checkpoint folder and make a trainer that stands where the last checkpoint was."""
    if model.checkpoint is None:
        raise ParameterError("checkpoint must name the folder of the training to resume, got None.")
    with ExitStack() as stack:
        folder = stack.enter_context(CheckpointFolder.open(Path(model.checkpoint)))
        checkpoint = folder.newest()
        identity = checkpoint.identity
        settings = _settings(model, config)
        _refuse_changes(settings, identity.settings)
        _check_fits(checkpoint, config)
        corpus = stack.enter_context(_same_text(model, X, config, folder, identity))
        held_out = _same_held_out(model, config, folder, identity)
        identity = Identity(
            settings, identity.vocabulary, identity.fingerprint, identity.report, identity.held_out
        )
        trainer = Trainer(
            corpus,
            config,
            model.progress,
            held_out=HeldOut(held_out, model.early_stopping) if held_out else None,
            saving=Saving(folder, identity, float(model.checkpoint_every)),
        )
        trainer.restore(checkpoint)
        yield Run(trainer, corpus, held_out)


def settings_to_resume(folder: str | os.PathLike[str], known: set[str]) -> dict[str, Any]:
    """Return the settings of the training in a folder, as parameters of a model.

    Raises
    ------
    FormatError
        If they are not ``known`` ones.
    """
    settings = recorded_settings(Path(folder))
    unknown = sorted(set(settings) - (known - set(_NOT_SETTINGS)))
    if unknown:
        raise FormatError(
            f"The training in {folder} has settings that this version of wordgrad does not know "
            f"({', '.join(unknown)}); go on with the version that began it."
        )
    return settings


def _settings(model: Word2Vec, config: TrainingConfig) -> dict[str, Any]:
    """Every setting as a plain value, defaults filled in."""
    settings = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in model.get_params(deep=False).items()
        if name not in _NOT_SETTINGS
    }
    return settings | config.as_dict()


def _refuse_changes(now: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    changes = [
        f"{name} is {now.get(name)!r} and was {before.get(name)!r}"
        for name in dict.fromkeys([*before, *now])
        if name not in CHANGEABLE and now.get(name) != before.get(name)
    ]
    if now.get("early_stopping") is not None and before.get("early_stopping") is None:
        changes.append("early_stopping was not asked for, so no best epoch was kept")
    if changes:
        raise ParameterError(
            "A training goes on with the settings that it began with, but "
            f"{'; '.join(changes)}: leave that out, or begin a new training in another folder."
        )


def _check_fits(checkpoint: Checkpoint, config: TrainingConfig) -> None:
    state, size = checkpoint.state, checkpoint.parameters.vector_size
    if size != config.vector_size:
        raise FormatError(
            f"The checkpoint is damaged: its vectors have {size} numbers, and vector_size is "
            f"{config.vector_size}; begin a new training."
        )
    least = state.epoch + (state.token > 0)
    if config.epochs < least:
        raise ParameterError(
            f"epochs must be at least {least}, which this training has reached, got "
            f"{config.epochs}."
        )


def _first_saving(
    model: Word2Vec,
    config: TrainingConfig,
    folder: CheckpointFolder,
    corpus: EncodedCorpus,
    held_out: HeldOutText | None,
) -> Saving:
    if held_out is not None:
        folder.write_held_out(held_out)
    identity = Identity(
        settings=_settings(model, config),
        vocabulary=corpus.vocabulary,
        fingerprint=Fingerprint.of(corpus),
        report=corpus.report,
        held_out=Fingerprint.of(held_out) if held_out else None,
    )
    return Saving(folder, identity, float(model.checkpoint_every))


def _same_text(
    model: Word2Vec, X: Any, config: TrainingConfig, folder: CheckpointFolder, identity: Identity
) -> EncodedCorpus:
    """The text that the folder keeps, or the one given if it is the same."""
    if X is None:
        return folder.open_text(identity)
    corpus = _encode(model, X, config, None)
    difference = Fingerprint.of(corpus).difference(identity.fingerprint)
    if difference:
        corpus.close()
        raise InputError(
            f"The text is not the one that this training began with: {difference}; leave it out "
            f"(the folder {folder.path} keeps the text), or begin a new training."
        )
    return corpus


def _same_held_out(
    model: Word2Vec, config: TrainingConfig, folder: CheckpointFolder, identity: Identity
) -> HeldOutText | None:
    if model.validation is None:
        return folder.read_held_out(identity)
    if identity.held_out is None:
        raise ParameterError(
            "This training began without validation text, so that its epochs could not be "
            "compared; leave it out, or begin a new training."
        )
    text = _encode_held_out(model, identity.vocabulary, config)
    difference = Fingerprint.of(text).difference(identity.held_out)
    if difference:
        raise InputError(
            f"The validation text is not the one that this training began with: {difference}; "
            f"leave it out (the folder {folder.path} keeps it), or begin a new training."
        )
    return text


def _encode(
    model: Word2Vec, X: Any, config: TrainingConfig, folder: CheckpointFolder | None
) -> EncodedCorpus:
    return encode_corpus(
        X,
        min_count=model.min_count,
        max_vocab=model.max_vocab,
        **_reading(model, config),
        folder=None if folder is None else folder.path,
        keep_as=None if folder is None else TEXT,
    )


def _encode_held_out(
    model: Word2Vec, vocabulary: Vocabulary, config: TrainingConfig
) -> HeldOutText:
    options = _reading(model, config) | {"progress": None}
    return encode_held_out(model.validation, vocabulary, **options)


def _reading(model: Word2Vec, config: TrainingConfig) -> dict[str, Any]:
    return {
        "column": model.column,
        "lowercase": model.lowercase,
        "pattern": model.pattern,
        "errors": model.errors,
        "workers": config.workers,
        "progress": model.progress,
    }
