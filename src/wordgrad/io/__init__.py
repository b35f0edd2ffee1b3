"""Files of word vectors, one format a module."""
