"""Trained word vectors: asking, evaluating, storing."""

from wordgrad.vectors.evaluation import (
    AnalogyResult,
    SectionResult,
    SimilarityResult,
    evaluate_analogies,
    evaluate_similarity,
)
from wordgrad.vectors.exchange import from_gensim, to_embedding, to_gensim, to_spacy
from wordgrad.vectors.formats import load, save
from wordgrad.vectors.word_vectors import WordVectors

__all__ = [
    "AnalogyResult",
    "SectionResult",
    "SimilarityResult",
    "WordVectors",
    "evaluate_analogies",
    "evaluate_similarity",
    "from_gensim",
    "load",
    "save",
    "to_embedding",
    "to_gensim",
    "to_spacy",
]
