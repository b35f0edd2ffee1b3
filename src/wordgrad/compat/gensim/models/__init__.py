"""Models by gensim's names."""

from wordgrad.compat.gensim.models import callbacks, keyedvectors, phrases, word2vec
from wordgrad.compat.gensim.models.keyedvectors import KeyedVectors
from wordgrad.compat.gensim.models.phrases import FrozenPhrases, Phrases
from wordgrad.compat.gensim.models.word2vec import Word2Vec

__all__ = [
    "FrozenPhrases",
    "KeyedVectors",
    "Phrases",
    "Word2Vec",
    "callbacks",
    "keyedvectors",
    "phrases",
    "word2vec",
]
