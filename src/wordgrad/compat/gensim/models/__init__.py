"""Models by gensim's names."""

from wordgrad.compat.gensim.models import (
    callbacks,
    doc2vec,
    fasttext,
    keyedvectors,
    phrases,
    word2vec,
)
from wordgrad.compat.gensim.models.doc2vec import Doc2Vec
from wordgrad.compat.gensim.models.fasttext import FastText, FastTextKeyedVectors
from wordgrad.compat.gensim.models.keyedvectors import KeyedVectors
from wordgrad.compat.gensim.models.phrases import FrozenPhrases, Phrases
from wordgrad.compat.gensim.models.word2vec import Word2Vec

__all__ = [
    "Doc2Vec",
    "FastText",
    "FastTextKeyedVectors",
    "FrozenPhrases",
    "KeyedVectors",
    "Phrases",
    "Word2Vec",
    "callbacks",
    "doc2vec",
    "fasttext",
    "keyedvectors",
    "phrases",
    "word2vec",
]
