"""Models of documents, and objects saved by gensim's names, as targets."""

from __future__ import annotations

import logging
import random
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from wordgrad import Doc2Vec
from wordgrad.compat.gensim.models import KeyedVectors, Word2Vec
from wordgrad.errors import TrainingWarning, UnknownTextsWarning

TEXTS = ["the cat sat on the mat", "the dog lay on the mat", "a cat and a dog"] * 4


@cache
def documents() -> bytes:
    """A model of three documents."""
    pairs = [(text.split(), [f"d{number % 3}"]) for number, text in enumerate(TEXTS)]
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        path = Path(folder, "d.safetensors")
        Doc2Vec(vector_size=4, min_count=1, epochs=1, workers=1).fit(pairs).save(path)
        return path.read_bytes()


def use_documents(path: Path, rng: random.Random) -> None:
    """Open a model of documents, ask it, and infer a text."""
    model = Doc2Vec.load(path)
    tag = model.documents_.words[0]
    for near in model.most_similar([tag], topn=2):
        assert -1.001 <= near.score <= 1.001
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextsWarning)
        assert np.asarray(model.infer(["the cat"])).shape[0] == 1


@cache
def keyed_vectors() -> bytes:
    """Vectors by gensim's names, with an attribute of each word."""
    vectors = KeyedVectors(3)
    vectors.add_vectors(["a", "b", 7], np.eye(3, dtype=np.float32))
    vectors.set_vecattr("a", "count", 5)
    with TemporaryDirectory() as folder:
        path = Path(folder, "k.kv")
        vectors.save(path)
        return path.read_bytes()


def use_keyed_vectors(path: Path, rng: random.Random) -> None:
    """Open vectors and ask them."""
    vectors = KeyedVectors.load(str(path))
    for key in vectors.index_to_key[:2]:
        assert vectors[key].shape == (vectors.vector_size,)
        with np.errstate(invalid="ignore"):  # any number may stand in a matrix that users write
            vectors.most_similar(key, topn=1)


@cache
def word2vec() -> bytes:
    """A model by gensim's names, which can go on."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        path = Path(folder, "w.model")
        sentences = [text.split() for text in TEXTS]
        Word2Vec(sentences, vector_size=4, min_count=1, epochs=1, workers=1).save(path)
        return path.read_bytes()


def use_word2vec(path: Path, rng: random.Random) -> None:
    """Open a model, ask it, and train it on."""
    logging.getLogger("wordgrad").setLevel(logging.ERROR)  # a rate above the last one is told
    model = Word2Vec.load(str(path))
    key = model.wv.index_to_key[0]
    with np.errstate(invalid="ignore"):
        model.wv.most_similar(key, topn=1)
    if rng.random() < 0.3:
        with warnings.catch_warnings(), suppress(ValueError, TypeError, AttributeError):
            # As in gensim, attributes may be missing or of any kind: training then says so.
            warnings.simplefilter("ignore", TrainingWarning)
            model.train([text.split() for text in TEXTS], total_examples=12, epochs=1)
