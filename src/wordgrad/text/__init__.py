"""From text to an encoded corpus: reading, vocabulary, ids on disk, sampling tables."""
