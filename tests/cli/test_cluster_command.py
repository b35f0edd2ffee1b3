"""``wordgrad cluster`` and ``WordVectors.clusters``."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from wordgrad import WordVectors
from wordgrad import word_vectors as module
from wordgrad.errors import ParameterError


@pytest.fixture
def groups():
    """Four directions, some words of any length around each."""
    rng = np.random.default_rng(1)
    rows = np.repeat(np.eye(4), 25, axis=0) + rng.normal(0, 0.05, (100, 4))
    rows *= rng.uniform(0.01, 30, (100, 1))
    order = rng.permutation(100)
    vectors = WordVectors([f"w{n}" for n in range(100)], rows[order].astype(np.float32))
    return vectors, order // 25


def test_classes_are_the_groups_numbered_by_their_first_word(groups, monkeypatch):
    vectors, truth = groups
    _, expected = np.unique(truth, return_inverse=True)
    number = {}
    expected = [number.setdefault(group, len(number)) for group in expected.tolist()]
    for most in (10**10, 0):  # all words in a round, and some of them
        monkeypatch.setattr(module, "_MOST_IN_A_ROUND", most)
        monkeypatch.setattr(module, "_WORDS_A_ROUND", 40)
        found = vectors.clusters(4, seed=3)
        assert found.dtype == np.int32
        assert found.tolist() == expected
        assert vectors.clusters(30, seed=3).tolist() == vectors.clusters(30, seed=3).tolist()


def test_words_with_one_vector_share_a_class():
    vectors = WordVectors(["a", "b", "c", "z"], np.float32([[1, 0], [1, 0], [1, 0], [0, 0]]))
    found = vectors.clusters(3)
    assert found[0] == found[1] == found[2] == 0
    assert vectors.clusters(1).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("k", "seed", "match"),
    [(0, 1, "k must be"), (9, 1, "k must be at most 8, the number of words, got 9"),
     (2.0, 1, "k must be an integer"), (2, -1, "seed must be"), (2, 2**32, "seed must be")],
)  # fmt: skip
def test_nonsense_is_refused(vectors, k, seed, match):
    with pytest.raises(ParameterError, match=match):
        vectors.clusters(k, seed)


def test_classes_are_written(wordgrad, groups, tmp_path):
    vectors, _ = groups
    vectors.save(tmp_path / "v.safetensors")
    classes = vectors.clusters(4, 7).tolist()
    for ending, separator in ((".txt", " "), (".tsv", "\t")):
        outcome = wordgrad(
            "cluster", tmp_path / "v.safetensors", "-k", 4, "-o", tmp_path / f"c{ending}",
            "--seed", 7,
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        assert "100 words in 4 classes of 25 to 25 words" in outcome.message
        lines = (tmp_path / f"c{ending}").read_text("utf-8").splitlines()
        assert lines == [f"{w}{separator}{c}" for w, c in zip(vectors, classes, strict=True)]
    arguments = ["cluster", tmp_path / "v.safetensors", "-k", 4, "-o", tmp_path / "c.parquet"]
    assert wordgrad(*arguments, "--seed", 7).code == 0
    frame = pl.read_parquet(tmp_path / "c.parquet")
    assert frame.to_dict(as_series=False) == {"word": list(vectors.words), "class": classes}
    assert wordgrad(*arguments).code == 1  # it is there already
    assert wordgrad(*arguments, "--overwrite").code == 0


@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        (["-k", 2, "-o", "c.json"], 2, "must end with .txt, .tsv or .parquet"),
        (["-k", 99, "-o", "c.txt"], 2, "k must be at most 8"),
        (["-k", 2, "-o", "c.txt"], 1, "holds white space"),
    ],
)
def test_what_cannot_be_written_is_refused(
    wordgrad, vector_file, monkeypatch, tmp_path, options, code, part
):
    monkeypatch.chdir(tmp_path)
    outcome = wordgrad("cluster", vector_file, *options)
    assert outcome.code == code
    assert part in outcome.message
    assert not (tmp_path / "c.txt").exists()
