"""Models by gensim's names."""

from wordgrad.compat.gensim.models import callbacks, keyedvectors, word2vec
from wordgrad.compat.gensim.models.keyedvectors import KeyedVectors
from wordgrad.compat.gensim.models.word2vec import Word2Vec

__all__ = ["KeyedVectors", "Word2Vec", "callbacks", "keyedvectors", "word2vec"]
