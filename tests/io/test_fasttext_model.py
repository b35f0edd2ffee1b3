"""Model files of fastText: everything in them, and damaged ones refused before memory is asked."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from wordgrad.errors import FormatError, InputError
from wordgrad.io.fasttext_model import (
    MAGIC,
    DenseMatrix,
    QuantisedMatrix,
    is_model,
    read_model,
)
from wordgrad.subwords import Subwords

MODELS = Path(__file__).parents[1] / "fasttext_models"
ANSWERS = json.loads((MODELS / "answers.json").read_text())


def subwords_of(model):
    settings = model.settings
    return Subwords(
        model.input, model.n_words, settings.minn, settings.maxn, settings.bucket, model.pruned
    )


@pytest.mark.parametrize("name", ANSWERS)
def test_the_whole_file_is_read(name):
    model = read_model(MODELS / name)
    assert is_model(MODELS / name)
    assert not is_model(MODELS / "answers.json")
    assert model.version == 12
    entries = [*model.words, *model.labels]
    assert len(entries) == len(model.counts) == model.n_words + model.n_labels
    assert all(model.entry(i) == entry for i, entry in enumerate(entries))
    assert (model.counts >= 1).all()
    kind = QuantisedMatrix if name.endswith(".ftz") else DenseMatrix
    assert isinstance(model.input, kind)
    assert model.input.shape[1] == model.output.shape[1] == model.settings.dim
    assert model.output.shape[0] == (model.n_labels or model.n_words)
    # The output matrix is the end of the file.
    data = (MODELS / name).read_bytes()
    if isinstance(model.output, DenseMatrix):
        assert data.endswith(model.output.values.tobytes())
    assert np.isfinite(model.input.rows(range(model.input.shape[0]))).all()


@pytest.mark.parametrize("name", [name for name, one in ANSWERS.items() if "vectors" in one])
def test_vectors_are_those_of_fasttext(name):
    model, answers = read_model(MODELS / name), ANSWERS[name]
    assert [word.decode() for word in model.words] == answers["words"]
    subwords = subwords_of(model)
    rows = {word: row for row, word in enumerate(answers["words"])}
    words = list(answers["vectors"])
    ids = [rows.get(word, -1) for word in words]
    found = subwords.compose(words, ids)
    np.testing.assert_allclose(found, list(answers["vectors"].values()), rtol=1e-5, atol=1e-8)
    owners, ngrams = subwords.ngrams(words)
    for i, word in enumerate(words):
        own = [ids[i]] if ids[i] >= 0 else []
        assert [*own, *ngrams[owners == i].tolist()] == answers["subwords"][word]


def quantised(data):
    """The matrix decoded by the definition: centroid of each part, times the norm."""
    found = np.zeros(data.shape, np.float32)
    parts = data.codes.shape[1]
    for i, codes in enumerate(data.codes.astype(int)):
        for part, code in enumerate(codes):
            width = data.width if part < parts - 1 else data.columns - data.width * (parts - 1)
            first = 256 * part * data.width + code * width
            place = part * data.width
            found[i, place : place + width] = data.centroids[first : first + width]
        if data.norms is not None:
            found[i] *= data.norms[i]
    return found


@pytest.mark.parametrize("name", [name for name in ANSWERS if name.endswith(".ftz")])
def test_quantised_rows_are_decoded(name):
    model = read_model(MODELS / name)
    for matrix in (model.input, model.output):
        if isinstance(matrix, QuantisedMatrix):
            ids = np.arange(matrix.shape[0])[::-1]
            np.testing.assert_array_equal(matrix.rows(ids), quantised(matrix)[ids])


def test_version_11_of_a_classifier_has_no_character_ngrams(tmp_path):
    data = bytearray((MODELS / "softmax_all.bin").read_bytes())
    data[4:8] = struct.pack("<i", 11)
    path = tmp_path / "old.bin"
    path.write_bytes(data)
    assert read_model(path).settings.maxn == 0
    assert read_model(MODELS / "softmax_all.bin").settings.maxn == 4


def test_a_file_that_ends_after_its_input_has_no_output(tmp_path):
    model = read_model(MODELS / "skipgram.bin")
    data = (MODELS / "skipgram.bin").read_bytes()
    path = tmp_path / "short.bin"
    path.write_bytes(data[: len(data) - model.output.values.nbytes - 17])
    assert read_model(path).output is None


@pytest.mark.parametrize("name", ANSWERS)
def test_a_file_cut_short_anywhere_is_refused(name, tmp_path):
    data = (MODELS / name).read_bytes()
    model = read_model(MODELS / name)
    whole = {len(data)}
    if isinstance(model.output, DenseMatrix):
        whole.add(len(data) - model.output.values.nbytes - 17)
    path = tmp_path / "cut"
    for length in {*range(120), *random.Random(1).sample(range(len(data)), 150)} - whole:
        path.write_bytes(data[:length])
        with pytest.raises(FormatError, match=r"fetch a whole copy|is not a model of fastText"):
            read_model(path)


HEAD = [8, 5, 5, 1, 5, 2, 3, 3, 300, 0, 0, 100]


@pytest.mark.parametrize(
    ("place", "form", "value", "told"),
    [
        (0, "i", 1, "does not begin with its number"),
        (4, "i", 13, "of version 13"),
        (8, "i", 0, "it has dim 0"),
        (8, "i", 2**31 - 1, "its input matrix is"),
        (28, "i", -1, "wordNgrams -1"),
        (32, "i", 9, "its loss 9"),
        (36, "i", 0, "kind of model is 0"),
        (40, "i", -5, "bucket -5"),
        (40, "i", 2**31 - 1, "for 21474837.* rows of 8"),
        (44, "i", -1, "minn -1"),
        (48, "i", -1, "maxn -1"),
        (48, "i", 1001, "its longest n-grams are of 1001 characters and of 2 words"),
        (28, "i", 2**31 - 1, "of 0 characters and of 2147483647 words"),
        (64, "i", 2**31 - 1, "entries"),
        (68, "i", 0, "promises"),
        (72, "i", -1, "promises"),
        (76, "q", -1, "-1 tokens"),
        (84, "q", -2, "-2 pruned"),
        (84, "q", 0, "not quantised"),
        (84, "q", 2**60, "cut short"),
    ],
)
def test_a_head_that_cannot_be_is_refused(place, form, value, told, tmp_path):
    data = bytearray((MODELS / "softmax_pairs.bin").read_bytes())
    assert data[:4] == MAGIC
    struct.pack_into("<" + form, data, place, value)
    path = tmp_path / "damaged.bin"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=told):
        read_model(path)


def test_shapes_and_types_that_cannot_be_are_refused(tmp_path):
    name = MODELS / "softmax_pairs.bin"
    data, model = name.read_bytes(), read_model(name)
    tail = model.output.values.nbytes + 17
    start = len(data) - tail - model.input.values.nbytes - 17
    path = tmp_path / "damaged.bin"
    for place, form, value, told in [
        (start, "B", 7, "announced by 7"),
        (start, "B", 1, "cut short|is damaged"),
        (start + 1, "q", -1, "is -1 x 8"),
        (start + 1, "q", 2**40, "cut short"),
        (start + 9, "q", 2**62, "the input matrix is"),
        (start - 1, "B", 0, "has type 0"),
        (start - 9, "q", -3 << 8, "times|has type"),
        (len(data) - tail + 1, "q", 3, "its output matrix is 3 x 8, and must be 4 x 8"),
    ]:
        changed = bytearray(data)
        struct.pack_into("<" + form, changed, place, value)
        path.write_bytes(changed)
        with pytest.raises(FormatError, match=told):
            read_model(path)


def test_what_is_not_there_or_no_file_is_told(tmp_path):
    with pytest.raises(InputError, match=r"none\.bin cannot be read"):
        read_model(tmp_path / "none.bin")
    with pytest.raises(InputError, match="cannot be read"):
        read_model(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(FormatError, match="shorter than one's head"):
        read_model(tmp_path / "empty")
