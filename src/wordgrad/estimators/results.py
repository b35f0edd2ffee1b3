"""What a model has after training, whether that came to its end or not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from wordgrad.estimators.runs import Run
from wordgrad.vectors.word_vectors import WordVectors

if TYPE_CHECKING:
    from wordgrad.estimators.word2vec import Word2Vec


def train_and_keep(model: Word2Vec, run: Run) -> None:
    """Run a training and set the model's attributes; on Ctrl-C to what was learned so far."""
    model.report_ = run.corpus.report
    if run.held_out is not None:
        model.validation_ = {
            "words": run.held_out.tokens_read,
            "unknown": run.held_out.tokens_unknown,
        }
    try:
        run.trainer.run()
    except KeyboardInterrupt:
        # W_out is zero until the first step: before, there is nothing to keep.
        if run.trainer.parameters.W_out_rows.any():
            _keep(model, run)
        raise
    _keep(model, run)


def _keep(model: Word2Vec, run: Run) -> None:
    trainer, corpus = run.trainer, run.corpus
    model.history_ = [
        {name: value for name, value in asdict(record).items() if value is not None}
        for record in trainer.history
    ]
    history = [dict(record) for record in model.history_]
    settings = trainer.config.as_dict()
    if trainer.config.reproducible:  # what differs between runs must not be in the file
        del settings["workers"]
        for record in history:
            del record["seconds"]
    settings |= {
        "min_count": model.min_count,
        "max_vocab": model.max_vocab,
        "lowercase": model.lowercase,
        "pattern": model.pattern,
        "tokens": corpus.report.tokens_kept,
    }
    model.vectors_ = WordVectors(
        corpus.vocabulary.words,
        trainer.vectors,
        counts=corpus.vocabulary.counts,
        metadata={"settings": settings, "history": history},
    )
