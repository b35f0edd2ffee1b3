"""Word vectors from text: fast, repeatable, with mathematics you can read and check.

>>> import wordgrad
>>> "Word2Vec" in dir(wordgrad)
True

The names below are imported when they are first used, so that ``import wordgrad`` takes a few
milliseconds.  The mathematics is in :mod:`wordgrad.maths`, the exceptions in
:mod:`wordgrad.errors`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wordgrad import errors, maths
    from wordgrad.errors import WordgradError
    from wordgrad.estimators.network_classifier import OneHiddenLayerClassifier
    from wordgrad.estimators.text_classifier import TextClassifier
    from wordgrad.estimators.word2vec import Word2Vec
    from wordgrad.text.corpus import EncodedCorpus, ReadingProgress, encode_corpus
    from wordgrad.text.vocabulary import Vocabulary
    from wordgrad.training.progress import TrainingProgress
    from wordgrad.vectors.evaluation import (
        AnalogyResult,
        SimilarityResult,
        evaluate_analogies,
        evaluate_similarity,
    )
    from wordgrad.vectors.formats import load
    from wordgrad.vectors.word_vectors import WordVectors

    __version__: str

__all__ = [
    "AnalogyResult",
    "EncodedCorpus",
    "OneHiddenLayerClassifier",
    "ReadingProgress",
    "SimilarityResult",
    "TextClassifier",
    "TrainingProgress",
    "Vocabulary",
    "Word2Vec",
    "WordVectors",
    "WordgradError",
    "encode_corpus",
    "errors",
    "evaluate_analogies",
    "evaluate_similarity",
    "load",
    "maths",
]

_HOMES = {
    "AnalogyResult": "wordgrad.vectors.evaluation",
    "EncodedCorpus": "wordgrad.text.corpus",
    "OneHiddenLayerClassifier": "wordgrad.estimators.network_classifier",
    "ReadingProgress": "wordgrad.text.corpus",
    "SimilarityResult": "wordgrad.vectors.evaluation",
    "TextClassifier": "wordgrad.estimators.text_classifier",
    "TrainingProgress": "wordgrad.training.progress",
    "Vocabulary": "wordgrad.text.vocabulary",
    "Word2Vec": "wordgrad.estimators.word2vec",
    "WordVectors": "wordgrad.vectors.word_vectors",
    "WordgradError": "wordgrad.errors",
    "encode_corpus": "wordgrad.text.corpus",
    "evaluate_analogies": "wordgrad.vectors.evaluation",
    "evaluate_similarity": "wordgrad.vectors.evaluation",
    "load": "wordgrad.vectors.formats",
}
_MODULES = ("errors", "maths")


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name in _MODULES:
        value = import_module(f"wordgrad.{name}")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("wordgrad")
    else:
        raise AttributeError(f"module 'wordgrad' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
