"""Classifiers of fastText's kind: steps are those of the mathematics, files open in fastText."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from wordgrad import FastTextClassifier, WordVectors
from wordgrad.classification.fasttext_training import LabelledLines, new_model, train_model
from wordgrad.classification.losses import class_tree
from wordgrad.errors import InputError, ParameterError, TrainingError
from wordgrad.fasttext_classifier import LOSSES
from wordgrad.io.fasttext_model import Settings
from wordgrad.maths import binary_cross_entropy, cross_entropy

SUPERVISED = 3
KINDS = [
    {},
    {"word_ngrams": 2, "bucket": 7},
    {"minn": 2, "maxn": 4, "bucket": 11},
    {"word_ngrams": 3, "minn": 1, "maxn": 2, "bucket": 5},
]


def settings(loss="softmax", **changes):
    given = {
        "dim": 5, "ws": 5, "epoch": 1, "min_count": 1, "neg": 2, "word_ngrams": 1,
        "loss": LOSSES[loss], "model": SUPERVISED, "bucket": 0, "minn": 0, "maxn": 0,
        "lr_update_rate": 100, "t": 1e-4,
    }  # fmt: skip
    return Settings(**(given | changes))


def lines_of(tmp_path, text, **options):
    path = tmp_path / "train.txt"
    path.write_bytes(text)
    given = {"prefix": b"__label__", "min_count": 1, "min_count_label": 0}
    return LabelledLines.read(path, **(given | options))


def test_a_file_is_counted(tmp_path):
    text = b"__label__b x y\ty\n\n y __label__a __label__b\x00z \n__label__c\nno label\nx"
    found = lines_of(tmp_path, text, min_count=1)
    assert found.words == [(b"</s>", 6), (b"y", 3), (b"x", 2), (b"z", 1), (b"no", 1), (b"label", 1)]
    assert found.names == [(b"__label__b", 2), (b"__label__a", 1), (b"__label__c", 1)]
    assert found.ends.tolist() == [16, 17, 45, 56, 65, 67]
    assert found.labels.tolist() == [0, 1, 0, 2]
    assert found.label_ends.tolist() == [0, 1, 1, 3, 4, 4, 4]
    assert found.tokens == 18
    rare = lines_of(tmp_path, text, min_count=2, min_count_label=2)
    assert rare.words == [(b"</s>", 6), (b"y", 3), (b"x", 2)]
    assert rare.names == [(b"__label__b", 2)]
    assert rare.labels.tolist() == [0, 0]
    assert rare.label_ends.tolist() == [0, 1, 1, 2, 2, 2, 2]


def test_blocks_do_not_matter(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    text = b"".join(
        b"__label__%d w%d w%d\n" % tuple(rng.integers(0, 9, 3).tolist()) for _ in range(200)
    )
    whole = lines_of(tmp_path, text)
    monkeypatch.setattr("wordgrad.classification.fasttext_training._BLOCK", 50)
    parts = lines_of(tmp_path, text)
    for name in ("ends", "labels", "label_ends", "words", "names", "tokens"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name


def random_model(tmp_path, loss, kind, text):
    """A model whose label rows are not zero, and its reader."""
    lines = lines_of(tmp_path, text)
    model = new_model(lines, settings(loss, **kind), seed=3)
    rng = np.random.default_rng(4)
    model.output.values[:] = rng.normal(size=model.output.shape)
    model.input.values[:] = rng.normal(size=model.input.shape)
    return lines, model, FastTextClassifier(model)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("loss", ["softmax", "one-vs-all", "hierarchical-softmax"])
def test_a_step_follows_the_gradient_of_the_mathematics(tmp_path, loss, kind):
    # Four labels, so that there is a tree; the text has one of them.
    text = b"xa xb xa unseen __label__b\n__label__a\n__label__c\n__label__c\n__label__d\n"
    lines, model, reader = random_model(tmp_path, loss, kind, text)
    first, last = model.input.values.astype(np.float64), model.output.values.astype(np.float64)
    label = model.labels.index(b"__label__b")
    h = reader.text_vector("xa xb xa unseen").astype(np.float64)
    scores = last @ h
    if loss == "softmax":
        value, slopes = cross_entropy(scores, label)
    elif loss == "one-vs-all":
        value, slopes = binary_cross_entropy(scores[None], np.eye(len(last))[label : label + 1])
        slopes = slopes[0]
    else:
        tree = class_tree(model.counts[model.n_words :])
        way = slice(tree.offsets[label], tree.offsets[label + 1])
        answers = (tree.signs[way] > 0).astype(float)
        value, some = binary_cross_entropy(scores[tree.nodes[way]][None], answers[None])
        slopes = np.zeros(len(last))
        slopes[tree.nodes[way]] = some[0]
    seen = []
    rate = 1e-2
    one = LabelledLines(
        lines.data, lines.ends[:1], lines.labels[:1], lines.label_ends[:2], lines.words,
        lines.names, lines.tokens,
    )  # fmt: skip
    train_model(
        model, reader._record, one, learning_rate=rate, epochs=1, workers=1, seed=1,
        progress=lambda epoch, loss: seen.append((epoch, loss)),
    )  # fmt: skip
    assert seen == [(1, pytest.approx(value, rel=1e-5))]
    moved = (model.output.values - last) / -rate
    np.testing.assert_allclose(moved, np.outer(slopes, h), atol=2e-4)
    # The change of the mean h is the sum of the rows' changes over their number.
    d_h = slopes @ last
    total = (model.input.values - first).sum(axis=0)
    np.testing.assert_allclose(total / -rate, d_h, atol=3e-4)
    after = reader.text_vector("xa xb xa unseen").astype(np.float64)
    uses = np.abs(model.input.values - first).max(axis=1) > 0
    assert uses.any()
    assert (after - h) @ d_h < 0


def test_negative_sampling_draws_other_labels(tmp_path):
    text = b"".join(b"__label__%d w%d\n" % (i % 5, i % 5) for i in range(200))
    lines, model, reader = random_model(tmp_path, "negative-sampling", {"neg": 3}, text)
    losses = []
    train_model(
        model, reader._record, lines, learning_rate=0.3, epochs=20, workers=1, seed=1,
        progress=lambda epoch, loss: losses.append(loss),
    )  # fmt: skip
    assert losses[-1] < 0.3 * losses[0]


def corpus(n=600, labels=6, seed=1, several=False):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        chosen = rng.permutation(labels)[: 1 + int(several)]
        words = [f"w{label}{rng.choice(['a', 'b', 'c'])}" for label in chosen]
        noise = [f"n{i}" for i in rng.integers(0, 20, 4)]
        yield " ".join([*(f"__label__l{label}" for label in chosen), *words, *noise])


@pytest.fixture(scope="module")
def train(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("fasttext") / "train.txt"
    path.write_text("".join(f"{line}\n" for line in corpus()))
    return path


SMALL = {"vector_size": 10, "learning_rate": 0.5, "epochs": 8, "buckets": 500}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", [{}, {"ngrams": 2, "subwords": (2, 3)}])
def test_what_was_trained_is_answered_and_opens_in_fasttext(train, tmp_path, loss, kind):
    model = FastTextClassifier.train(train, loss=loss, workers=2, **SMALL, **kind)
    texts = [" ".join(line.split()[1:]) for line in corpus(200, seed=2)]
    truth = [line.split()[0] for line in corpus(200, seed=2)]
    labels, chances = model.predict(texts)
    right = np.mean([one == (wanted,) for one, wanted in zip(labels, truth, strict=True)])
    assert right > 0.95
    model.save(tmp_path / "m.bin")
    again = FastTextClassifier.load(tmp_path / "m.bin")
    for mine, other in zip(again.predict(texts, k=-1)[1], model.predict(texts, k=-1)[1],
                           strict=True):  # fmt: skip
        np.testing.assert_array_equal(mine, other)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fasttext = pytest.importorskip("fasttext", reason="fasttext is not installed")
        theirs = fasttext.load_model(str(tmp_path / "m.bin"))
    names, values = theirs.predict(texts)
    assert [tuple(one) for one in names] == list(labels)
    np.testing.assert_allclose(np.concatenate(values), np.concatenate(chances), atol=1e-6)


def test_several_labels_a_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("".join(f"{line}\n" for line in corpus(several=True)))
    model = FastTextClassifier.train(path, loss="one-vs-all", workers=1, **SMALL)
    found = model.predict("w1a w4b n3", k=-1, threshold=0.5)[0]
    assert set(found) == {"__label__l1", "__label__l4"}


def test_one_thread_gives_the_same_bytes_again(train):
    first, again = (FastTextClassifier.train(train, workers=1, **SMALL) for _ in range(2))
    other = FastTextClassifier.train(train, workers=1, seed=2, **SMALL)
    assert np.array_equal(first.model.input.values, again.model.input.values)
    assert np.array_equal(first.model.output.values, again.model.output.values)
    assert not np.array_equal(first.model.input.values, other.model.input.values)


def test_vectors_to_start_from(train):
    vectors = WordVectors(["w0a", "odd"], np.ones((2, 10), np.float32))
    given = {**SMALL, "learning_rate": 1e-6}
    model = FastTextClassifier.train(train, vectors=vectors, workers=1, **given)
    row = model.model.words.index(b"w0a")
    np.testing.assert_allclose(model.model.input.values[row], 1, atol=1e-3)
    with pytest.raises(ParameterError, match="vectors must have vector_size=10"):
        FastTextClassifier.train(
            train, vectors=WordVectors(["a"], np.ones((1, 3), np.float32)), **SMALL
        )


def test_a_trained_model_is_made_small(train):
    model = FastTextClassifier.train(train, workers=1, ngrams=2, **SMALL)
    small = model.quantize(cutoff=200, norms=True)
    texts = [" ".join(line.split()[1:]) for line in corpus(100, seed=3)]
    pairs = zip(model.predict(texts)[0], small.predict(texts)[0], strict=True)
    assert np.mean([one == other for one, other in pairs]) > 0.9


def test_one_label_alone(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("__label__a x\n__label__a y\n")
    for loss in LOSSES:
        model = FastTextClassifier.train(path, loss=loss, workers=2, **SMALL)
        assert model.predict("x")[0] == ("__label__a",)


@pytest.mark.parametrize(
    ("text", "options", "error", "match"),
    [
        ("", {}, InputError, "cannot be read"),
        ("no label here\n", {}, InputError, "has no label"),
        ("__label__a x\n", {"min_count": 9}, InputError, "occurs at least 9 times"),
        ("__label__a x\n", {"min_count_label": 9}, InputError, "at least 9 times"),
        ("__label__a x\n", {"loss": "hinge"}, ParameterError, "loss must be"),
        ("__label__a x\n", {"epochs": 0}, ParameterError, "epochs must be"),
        ("__label__a x\n", {"subwords": (3, 2)}, ParameterError, "subwords must be"),
        ("__label__a x\n", {"label_prefix": " "}, ParameterError, "label_prefix must be"),
        ("__label__a x\n__label__b x\n" * 50, {"learning_rate": 1e30}, TrainingError, "diverged"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_what_cannot_be_trained(tmp_path, text, options, error, match):
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(error, match=match):
        FastTextClassifier.train(path, **{**SMALL, **options})
