"""Quantised matrices and models: near what they were made from, and read by fastText itself."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wordgrad import FastTextClassifier, TextClassifier
from wordgrad.classification.fasttext_training import LabelledLines, train_model
from wordgrad.classification.quantisation import (
    SAMPLE,
    centroids_of,
    cutoff_of_size,
    nearest,
    pruned_model,
    quantise_matrix,
    quantise_model,
)
from wordgrad.errors import InputError, OutputError, ParameterError
from wordgrad.io.fasttext_model import DenseMatrix, read_model, write_model

MODELS = Path(__file__).parents[1] / "fasttext_models"
CLASSIFIERS = ["softmax_words.bin", "softmax_pairs.bin", "softmax_all.bin", "hs.bin", "ova.bin"]
TEXTS = ["bake zu ri", "unknown words", "té šo 東", "", "mo na __label__l1 baba", "keke ri 🙂"]


def normal(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng([rows, columns]).standard_normal((rows, columns), np.float32)


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_the_kernel_finds_the_nearest_centroid(width):
    points, centroids = normal(500, width), normal(256, width)
    codes = np.empty(500, np.uint8)
    nearest(points, np.ascontiguousarray(centroids.T), codes)
    distances = ((points[:, None] - centroids).astype(np.float64) ** 2).sum(axis=2)
    chosen = distances[np.arange(500), codes]
    np.testing.assert_allclose(chosen, distances.min(axis=1), rtol=1e-5, atol=1e-6)


def test_of_equal_centroids_the_first_is_chosen():
    codes = np.empty(3, np.uint8)
    nearest(np.ones((3, 2), np.float32), np.ones((2, 256), np.float32), codes)
    assert codes.tolist() == [0, 0, 0]


def test_k_means_comes_to_rest_at_means_of_its_points():
    points = normal(3000, 2)
    found = centroids_of(points, np.random.default_rng(1))
    codes = np.empty(3000, np.uint8)
    nearest(points, np.ascontiguousarray(found.T), codes)
    assert len(np.unique(codes)) == 256  # each has points
    error = np.square(points - found[codes]).sum()
    for other in range(5):
        start = points[np.random.default_rng(other).choice(3000, 256, replace=False)]
        nearest(points, np.ascontiguousarray(start.T), codes)
        assert error < 0.8 * np.square(points - start[codes]).sum()


@pytest.mark.parametrize("norms", [False, True])
@pytest.mark.parametrize(("rows", "columns", "width"), [(1, 1, 1), (40, 5, 2), (256, 8, 3)])
def test_a_matrix_of_few_rows_loses_next_to_nothing(rows, columns, width, norms):
    values = normal(rows, columns)
    small = quantise_matrix(DenseMatrix(values), width, norms=norms)
    np.testing.assert_allclose(small.rows(range(rows)), values, rtol=1e-3, atol=1e-3)


def test_long_and_short_rows_need_their_norms():
    values = normal(4000, 8) * np.exp(1.5 * normal(4000, 1))
    values[7] = 0

    def error(norms: bool) -> float:
        found = quantise_matrix(DenseMatrix(values), norms=norms).rows(range(4000))
        assert np.isfinite(found).all()
        lost = np.linalg.norm(found - values, axis=1)[values.any(axis=1)]
        return float(np.median(lost / np.linalg.norm(values[values.any(axis=1)], axis=1)))

    assert error(True) < 0.7 * error(False)


def test_the_same_seed_gives_the_same_codes():
    matrix = DenseMatrix(normal(SAMPLE + 10, 2))
    first, second, other = (quantise_matrix(matrix, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.codes, second.codes)
    assert np.array_equal(first.centroids, second.centroids)
    assert not np.array_equal(first.centroids, other.centroids)


def test_values_that_are_not_finite_are_refused():
    values = normal(10, 2)
    values[3, 1] = np.nan
    with pytest.raises(InputError, match="not finite"):
        quantise_matrix(DenseMatrix(values))


SETTINGS = [
    {},
    {"norms": True, "width": 3},
    {"cutoff": 30},
    {"cutoff": 290, "norms": True, "output": True},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_file_answers_as_what_was_written(name, settings, tmp_path):
    small = FastTextClassifier.load(MODELS / name).quantize(**settings)
    path = tmp_path / "small.ftz"
    small.save(path)
    again = FastTextClassifier.load(path)
    assert path.stat().st_size > 0
    for found in (again, pickle.loads(pickle.dumps(small)), pickle.loads(pickle.dumps(again))):
        for mine, theirs in zip(
            small.predict(TEXTS, k=-1), found.predict(TEXTS, k=-1), strict=True
        ):
            assert [list(one) for one in mine] == [list(one) for one in theirs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fasttext = pytest.importorskip("fasttext", reason="fasttext is not installed")
        theirs = fasttext.load_model(str(path))
    assert theirs.is_quantized()
    assert theirs.words == [word.decode() for word in small.model.words]
    labels, chances = theirs.predict(TEXTS, k=-1)
    found = small.predict(TEXTS, k=-1)
    assert [list(one) for one in found[0]] == labels
    for mine, other in zip(found[1], chances, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_quantised_alone_few_rows_answer_as_before(name):
    model = read_model(MODELS / name)
    if model.input.shape[0] <= 256:
        before, small = FastTextClassifier(model), FastTextClassifier(quantise_model(model))
        for mine, theirs in zip(
            before.predict(TEXTS, -1)[1], small.predict(TEXTS, -1)[1], strict=True
        ):
            np.testing.assert_allclose(mine, theirs, atol=1e-5)
    else:
        found = quantise_model(model).input.rows(range(model.n_words))
        values = model.input.rows(range(model.n_words))
        assert np.square(found - values).mean() < 0.1 * np.square(values).mean()


def test_pruning_keeps_the_longest_rows():
    model = read_model(MODELS / "softmax_all.bin")
    small = quantise_model(model, cutoff=40)
    lengths = np.linalg.norm(model.input.rows(range(model.input.shape[0])), axis=1)
    kept = [model.words.index(word) for word in small.words]
    assert small.pruned is not None
    kept += (model.n_words + small.pruned[:, 0]).tolist()
    assert len(kept) == len(set(kept)) == 40 == small.input.shape[0]
    left = np.delete(lengths, kept)
    kept.remove(model.words.index(b"</s>"))
    assert lengths[kept].min() >= left.max()
    np.testing.assert_allclose(  # each row is where its word or n-gram is looked for
        np.linalg.norm(small.input.rows(range(40)), axis=1)[1:], lengths[kept], rtol=1e-5
    )
    assert small.labels == model.labels
    assert small.counts.tolist()[-4:] == model.counts.tolist()[-4:]


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.[bf][it][nz]")), ids=lambda path: path.name)
def test_a_model_written_back_is_the_same_file(path, tmp_path):
    model = read_model(path)
    copy = tmp_path / path.name
    write_model(model, copy)
    again = read_model(copy)
    rows = range(model.input.shape[0])
    assert np.array_equal(again.input.rows(rows), model.input.rows(rows))
    if getattr(model.input, "norms", None) is None:  # else in another order of the centroids
        assert copy.read_bytes() == path.read_bytes()


def test_what_cannot_be_made_small_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no classifier"):
        quantise_model(read_model(MODELS / "skipgram.bin"))
    with pytest.raises(InputError, match="quantised already"):
        quantise_model(read_model(MODELS / "hs_pruned.ftz"))
    model = FastTextClassifier.load(MODELS / "hs.bin")
    for settings, match in [
        ({"cutoff": -1}, "cutoff must be"),
        ({"width": 0}, "width must be"),
        ({"width": 99}, "at most the 8 columns"),
        ({"norms": 1}, "norms must be"),
    ]:
        with pytest.raises(ParameterError, match=match):
            model.quantize(**settings)
    with pytest.raises(OutputError, match=r"must end in \.bin"):
        model.save(tmp_path / "model.ftz")
    with pytest.raises(OutputError, match=r"must end in \.ftz"):
        model.quantize().save(tmp_path / "model.bin")
    model.save(tmp_path / "model.bin")
    with pytest.raises(OutputError, match="exists already"):
        model.save(tmp_path / "model.bin")


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Labelled lines whose label only pairs of words tell, and a classifier of them."""
    rng = np.random.default_rng(1)
    words = [f"w{number}" for number in range(40)]
    path = tmp_path_factory.mktemp("judged") / "train.txt"
    with path.open("w") as file:
        for first, second in rng.integers(40, size=(600, 2)):
            filling = " ".join(f"x{one}" for one in rng.integers(300, size=4))
            label = (first + second) % 2
            file.write(f"__label__{'ab'[label]} {words[first]} {words[second]} {filling}\n")
    settings = {"vector_size": 10, "ngrams": 2, "buckets": 3000, "epochs": 40, "workers": 1}
    return path, FastTextClassifier.train(path, learning_rate=0.5, **settings)


def share_right(model: FastTextClassifier, path: Path) -> float:
    lines = [line.split(" ", 1) for line in path.read_text().splitlines()]
    found = model.predict([text for _, text in lines])[0]
    return float(np.mean([one == (label,) for one, (label, _) in zip(found, lines, strict=True)]))


def test_what_pruning_leaves_is_trained_again(judged, tmp_path):
    path, model = judged
    before = model.model.input.values.copy(), model.model.output.values.copy()
    pruned = model.quantize(cutoff=250)
    losses = []
    settings = {"epochs": 10, "learning_rate": 0.5, "workers": 1}
    again = model.quantize(
        cutoff=250, retrain=path, progress=lambda epoch, loss: losses.append(loss), **settings
    )
    assert len(losses) == 10
    assert share_right(again, path) > share_right(pruned, path) + 0.02
    assert again.labels == model.labels
    assert again.model.words == pruned.model.words
    assert np.array_equal(before[0], model.model.input.values)  # the model itself stays as it was
    assert np.array_equal(before[1], model.model.output.values)
    twin = model.quantize(cutoff=250, retrain=path, **settings)
    assert np.array_equal(twin.model.input.codes, again.model.input.codes)
    again.save(tmp_path / "small.ftz")
    assert share_right(FastTextClassifier.load(tmp_path / "small.ftz"), path) == share_right(
        again, path
    )


def test_a_second_training_takes_the_steps_of_the_first(judged, tmp_path):
    """Nothing pruned but rows that no text has: one epoch more is one epoch more."""
    path, model = judged
    rows = model.model.input.shape[0]
    left = pruned_model(model.model, rows - 1)
    lines = LabelledLines.read(path, b"__label__", 1, 0, left.labels)
    assert lines.names == LabelledLines.read(path, b"__label__", 1, 0).names
    reader = FastTextClassifier(left)
    train_model(left, reader._record, lines, learning_rate=0.1, epochs=1, workers=1, seed=1)
    twin = FastTextClassifier(pickle.loads(pickle.dumps(model.model)))
    values = np.zeros(model.model.input.values.size + 64, np.float32)
    table = values[: model.model.input.values.size].reshape(model.model.input.shape)
    table[:] = model.model.input.values
    whole = replace(twin.model, input=DenseMatrix(table), output=DenseMatrix(
        np.array(model.model.output.values)))  # fmt: skip
    reader = FastTextClassifier(whole)
    train_model(whole, reader._record, lines, learning_rate=0.1, epochs=1, workers=1, seed=1)
    np.testing.assert_allclose(left.output.values, whole.output.values, rtol=1e-4, atol=1e-6)


def test_a_second_training_needs_labels_and_a_cutoff(judged, tmp_path):
    path, model = judged
    (tmp_path / "others.txt").write_text("__label__c w1 w2\n")
    with pytest.raises(InputError, match=r"others\.txt has none of the labels of the model \(b'__"):
        model.quantize(cutoff=700, retrain=tmp_path / "others.txt")
    (tmp_path / "few.txt").write_text("__label__b w1 w2\n__label__c w3 w4\n")
    small = model.quantize(cutoff=700, retrain=tmp_path / "few.txt")
    assert small.labels == model.labels
    for settings, match in [
        ({"retrain": path}, "cutoff is 0"),
        ({"retrain": path, "cutoff": 10**7}, "cutoff must be below the"),
        ({"retrain": path, "cutoff": 9, "epochs": 0}, "epochs must be"),
        ({"retrain": path, "cutoff": 9, "label_prefix": " "}, "label_prefix must be"),
    ]:
        with pytest.raises(ParameterError, match=match):
            model.quantize(**settings)


@pytest.mark.parametrize("norms", [False, True])
@pytest.mark.parametrize("size", [20_000, 40_000, 10**6])
def test_a_cutoff_is_found_for_a_size(judged, tmp_path, size, norms):
    model = judged[1]
    cutoff = cutoff_of_size(model.model, size, norms=norms)
    path = tmp_path / "small.ftz"
    model.quantize(cutoff=cutoff, norms=norms).save(path)
    assert path.stat().st_size <= size
    if cutoff < model.model.input.shape[0]:
        assert size - path.stat().st_size < 30  # not another row
    with pytest.raises(ParameterError, match="no room for a word"):
        cutoff_of_size(model.model, 9_000, norms=norms)


WORDS = {"praise": "good fine lovely joy", "blame": "bad poor dull waste"}


@pytest.fixture(scope="module")
def own():
    """A classifier of ours, and the texts it learned."""
    rng = np.random.default_rng(1)
    labels = [str(label) for label in rng.choice(list(WORDS), 400)]
    texts = [" ".join([*rng.choice(WORDS[one].split(), 2), f"film{rng.integers(60)}"])
             for one in labels]  # fmt: skip
    return TextClassifier(vector_size=18, epochs=3, workers=1).fit(texts, labels), texts


@pytest.mark.parametrize("width", [1, 2, 4, 5])
def test_our_own_classifier_answers_nearly_the_same(own, tmp_path, width):
    model, texts = own
    small = model.quantize(width=width)
    assert (small.predict(texts) == model.predict(texts)).mean() > 0.97
    small.save(tmp_path / "small.safetensors")
    again = TextClassifier.load(tmp_path / "small.safetensors")
    assert (again.predict_proba(texts) == small.predict_proba(texts)).all()
    again.save(tmp_path / "again.safetensors")
    first, second = ((tmp_path / f"{name}.safetensors").read_bytes() for name in
                     ("small", "again"))  # fmt: skip
    assert first == second
    with pytest.raises(ParameterError, match="quantised once"):
        again.quantize()


def test_fewer_ngrams_are_kept(own, tmp_path):
    model, texts = own
    sizes = []
    for ngrams in (None, 100, 0):
        small = model.quantize(ngrams=ngrams)
        features = small._model.features
        if ngrams is not None:
            assert len(features.hashes) + len(features.subword_hashes) == ngrams
        assert len(small._model.network.vectors) == len(features)
        small.save(tmp_path / "m.safetensors", overwrite=True)
        sizes.append((tmp_path / "m.safetensors").stat().st_size)
        assert (TextClassifier.load(tmp_path / "m.safetensors").predict(texts)
                == small.predict(texts)).all()  # fmt: skip
    assert sizes[0] > sizes[1] > sizes[2]
    assert (model.quantize(ngrams=100).predict(texts) == model.predict(texts)).mean() > 0.9
    for options, match in (({"width": 0}, "width must"), ({"ngrams": -1}, "ngrams must")):
        with pytest.raises(ParameterError, match=match):
            model.quantize(**options)
