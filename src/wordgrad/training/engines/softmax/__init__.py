"""The exact softmax: expected counts of pairs, blocks of logits, steps a row at a time."""
