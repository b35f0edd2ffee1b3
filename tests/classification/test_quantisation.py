"""Quantised matrices and models: near what they were made from, and read by fastText itself."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

from wordgrad import FastTextClassifier, TextClassifier
from wordgrad.classification.quantisation import (
    SAMPLE,
    centroids_of,
    nearest,
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
