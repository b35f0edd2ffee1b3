"""Models by gensim's names."""

from wordgrad.compat.gensim.models import keyedvectors
from wordgrad.compat.gensim.models.keyedvectors import KeyedVectors

__all__ = ["KeyedVectors", "keyedvectors"]
