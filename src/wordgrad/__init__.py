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

import wordgrad.processes  # noqa: F401  # notices forks from now on

if TYPE_CHECKING:
    from wordgrad import errors, maths
    from wordgrad.corpus.corpus import EncodedCorpus, encode_corpus
    from wordgrad.corpus.encode import ReadingProgress
    from wordgrad.corpus.phrase_table import PhraseTable
    from wordgrad.corpus.phrases import join_phrases, learn_phrases
    from wordgrad.doc2vec import Doc2Vec
    from wordgrad.errors import WordgradError
    from wordgrad.evaluation import (
        AnalogyResult,
        SimilarityResult,
        evaluate_analogies,
        evaluate_similarity,
    )
    from wordgrad.fasttext_classifier import FastTextClassifier
    from wordgrad.text_classifier import TextClassifier
    from wordgrad.training.engine import TrainingProgress
    from wordgrad.vocabulary import Vocabulary
    from wordgrad.word2vec import Word2Vec
    from wordgrad.word_vectors import WordVectors, load

    __version__: str

__all__ = [
    "AnalogyResult",
    "Doc2Vec",
    "EncodedCorpus",
    "FastTextClassifier",
    "PhraseTable",
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
    "join_phrases",
    "learn_phrases",
    "load",
    "maths",
]

_HOMES = {
    "AnalogyResult": "wordgrad.evaluation",
    "Doc2Vec": "wordgrad.doc2vec",
    "EncodedCorpus": "wordgrad.corpus.corpus",
    "FastTextClassifier": "wordgrad.fasttext_classifier",
    "PhraseTable": "wordgrad.corpus.phrase_table",
    "ReadingProgress": "wordgrad.corpus.encode",
    "SimilarityResult": "wordgrad.evaluation",
    "TextClassifier": "wordgrad.text_classifier",
    "TrainingProgress": "wordgrad.training.engine",
    "Vocabulary": "wordgrad.vocabulary",
    "Word2Vec": "wordgrad.word2vec",
    "WordVectors": "wordgrad.word_vectors",
    "WordgradError": "wordgrad.errors",
    "encode_corpus": "wordgrad.corpus.corpus",
    "evaluate_analogies": "wordgrad.evaluation",
    "evaluate_similarity": "wordgrad.evaluation",
    "join_phrases": "wordgrad.corpus.phrases",
    "learn_phrases": "wordgrad.corpus.phrases",
    "load": "wordgrad.word_vectors",
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
