"""Word vectors in a model of fastText (``.bin``, ``.ftz``): read only.

The layout is in :mod:`wordgrad.io.fasttext_model`.  The vector of a word is the mean of its own row
and those of its character n-grams (:mod:`wordgrad.subwords`), which go along with the vectors, so
that those of unseen words can be composed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from wordgrad.errors import FormatError
from wordgrad.io.common import LoadOptions, VectorParts, WordDecoder, assembled
from wordgrad.io.fasttext_model import REMEDY, read_model
from wordgrad.subwords import Subwords


def read(path: Path, options: LoadOptions) -> VectorParts:
    """Read a file of this format; see :func:`wordgrad.load`."""
    model = read_model(path)
    if model.n_words == 0:
        raise FormatError(f"{path} holds no words; {REMEDY}")
    names = [model.entry(number) for number in range(options.rows(model.n_words))]
    decoder = WordDecoder(path, options.errors)
    words = decoder.decode(names, 0)
    settings = model.settings
    subwords = Subwords(
        model.input, model.n_words, settings.minn, settings.maxn, settings.bucket, model.pruned
    )
    vectors = subwords.compose(names, np.arange(len(names)))
    counts = model.counts[: len(words)]
    parts = assembled(path, words, vectors, options, counts=counts, remarks=decoder.remarks)
    return replace(parts, subwords=subwords)
