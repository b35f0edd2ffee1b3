"""Trained word vectors: asking, evaluating, storing."""
