"""Files of classifiers, and labelled text, as targets."""

from __future__ import annotations

import io
import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import fuzz_seeds as seeds
import numpy as np
import polars as pl

from wordgrad import FastTextClassifier, TextClassifier
from wordgrad.corpus.labelled import FORMS, read_labelled
from wordgrad.subwords import Subwords

LINES = b"cat\tthe cat purrs on the mat\ndog\tthe dog barks at night\r\n\ncat\t\nbird\ta b\tc d\n"
MARKED = b"__label__cat the cat purrs\n__label__dog the dog barks\n__label__bird \n"
TABS = b"sentence\tlabel\nthe cat purrs\tcat\nthe dog barks\tdog\n\tbird\n"
TABLE = b'label,text\ncat,"the cat, the mat"\ndog,the dog\nbird,\n'
OBJECTS = b'{"label": "cat", "text": "the cat"}\n{"text": "a \\u00e9 dog", "label": "dog"}\n'


@cache
def model() -> bytes:
    """A small classifier's file."""
    texts = ["the cat purrs", "the dog barks", "cats purr softly", "dogs bark loudly"] * 5
    labels = ["cat", "dog"] * 10
    with TemporaryDirectory() as folder:
        path = Path(folder, "m.safetensors")
        TextClassifier(vector_size=4, hidden_size=3, epochs=2).fit(texts, labels).save(path)
        return path.read_bytes()


def use_model(path: Path, rng: random.Random) -> None:
    """Open a classifier and ask it something."""
    found = TextClassifier.load(path)
    shares = found.predict_proba(["the cat purrs", "", "something unknown", "the dog \u00e9"])
    assert shares.shape == (4, len(found.classes_))
    if np.isfinite(shares).all():
        assert np.allclose(shares.sum(axis=1), 1)
    found.predict(["the cat"])
    found.explain("the cat purrs")


def fasttext_models() -> list[bytes]:
    """Models of every loss, quantised and pruned ones among them."""
    return seeds.models(
        "softmax_all.bin", "hs.bin", "ova.bin", "hs_pruned.ftz", "softmax_output.ftz",
        "softmax_quantised.ftz", "pruned_words.ftz",
    )  # fmt: skip


def use_fasttext_model(path: Path, rng: random.Random) -> None:
    """Open a model of fastText and ask it something; or the vectors that it holds."""
    texts = ["bake zu ri", "", "something unknown", "té \u6771", "ba " * 3000]
    classifier = FastTextClassifier.load(path)
    k = rng.choice((1, 3, -1))
    for labels, shares in zip(*classifier.predict(texts, k, rng.choice((0.0, 0.5))), strict=True):
        assert len(labels) == len(shares) <= (len(classifier.labels) if k < 0 else k)
        assert np.isfinite(shares).all()
        assert list(shares) == sorted(shares, reverse=True)
    model = classifier.model
    settings = model.settings
    subwords = Subwords(
        model.input, model.n_words, settings.minn, settings.maxn, settings.bucket, model.pruned
    )
    assert subwords.compose(texts).shape == (len(texts), settings.dim)


def parquet() -> bytes:
    """Labelled text as Parquet."""
    file = io.BytesIO()
    rows = {"label": ["cat", "dog", "bird"], "text": ["the cat", "the dog", None]}
    pl.DataFrame(rows).write_parquet(file)
    return file.getvalue()


def labelled(path: Path, rng: random.Random) -> None:
    """Read labelled text, in the form of its name or another one."""
    form = rng.choice([None, None, *FORMS])
    prefix = rng.choice(["__label__", "__", "#"])
    found = read_labelled(
        path, form=form, label_prefix=prefix, errors=rng.choice(["strict", "replace"])
    )
    assert len(found.texts) == len(found.labels) > 0
    assert all(found.labels)
