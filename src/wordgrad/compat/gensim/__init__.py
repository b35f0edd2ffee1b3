"""gensim's words for this package's models: change the import lines alone.

>>> from wordgrad.compat.gensim.models import KeyedVectors
>>> kv = KeyedVectors(2)
>>> kv["tea"] = [1.0, 0.0]
>>> "tea" in kv
True
"""
