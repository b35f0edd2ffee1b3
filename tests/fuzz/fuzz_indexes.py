"""Files of an approximate index and tables of phrases, as targets."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import fuzz_seeds as seeds

from wordgrad import PhraseTable, encode_corpus, learn_phrases

PHRASES = ["the bank of america in new york", "new york has a bank of america"]


@cache
def phrases() -> bytes:
    """A table of phrases, with connector words and from two passes."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "p.phrases")
        learn_phrases(
            PHRASES * 3, passes=2, min_count=1, threshold=0.1, connector_words="english"
        ).save(path)
        return path.read_bytes()


def use_phrases(path: Path, rng: random.Random) -> None:
    """Open a table of phrases; join a sentence and a text."""
    table = PhraseTable.load(path)
    sentences = [sentence.split() for sentence in PHRASES]
    joined = [table.join(sentence) for sentence in sentences]
    assert len(table.scores) <= len(table)
    with encode_corpus(sentences, min_count=1, phrases=table) as corpus:
        assert sum(map(len, joined)) == len(corpus.ids)


@cache
def index() -> bytes:
    """The index of eight words."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "i.index")
        vectors = seeds.word_vectors()
        vectors.build_index()
        vectors.save_index(path)
        return path.read_bytes()


def use_index(path: Path, rng: random.Random) -> None:
    """Open an index and ask it."""
    vectors = seeds.word_vectors()
    vectors.load_index(path)
    for _, cosine in vectors.most_similar("the", topn=3, approximate=True):
        assert -1.001 <= cosine <= 1.001
