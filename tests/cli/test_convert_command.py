"""``wordgrad convert``."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from wordgrad.word_vectors import WordVectors, load

ENDINGS = [".txt", ".vec", ".bin", ".glove", ".glove.txt", ".npz", ".tsv", ".parquet"]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "v.safetensors"
    WordVectors(["the", "naïve"], [[1, 2], [0.1, 3]], [5, 4], {"a": 1}).save(path)
    return path


@pytest.mark.parametrize("ending", ENDINGS)
def test_there_and_back(wordgrad, source, tmp_path, ending):
    there, back = tmp_path / f"there{ending}", tmp_path / "back.safetensors"
    outcome = wordgrad("convert", source, there)
    assert (outcome.code, outcome.out) == (0, "")
    assert f"Wrote {there}" in outcome.err
    assert "2 words, 2 dimensions, from safetensors to " in outcome.message
    assert wordgrad("convert", there, back).code == 0
    assert load(back).words == ("the", "naïve")
    assert (load(back).matrix == load(source).matrix).all()


def test_what_is_lost_is_said(wordgrad, source, tmp_path):
    lossy = wordgrad("convert", source, tmp_path / "v.txt")
    assert (
        "word2vec text does not store counts and metadata: keep the safetensors file, too."
        in lossy.message
    )
    assert "does not store metadata:" in wordgrad("convert", source, tmp_path / "v.tsv").message
    assert "does not store" not in wordgrad("convert", source, tmp_path / "v.parquet").message


def test_n_grams_are_kept_dropped_or_told_of(wordgrad, tmp_path):
    model = Path(__file__).parents[1] / "fasttext_models" / "skipgram.bin"
    kept, dropped, other = (tmp_path / name for name in ("a.safetensors", "b.safetensors", "c.txt"))
    assert "does not store" not in wordgrad("convert", model, kept).message
    assert load(kept)["unseenbake"].tolist() == load(model)["unseenbake"].tolist()
    assert "does not store" not in wordgrad("convert", model, dropped, "--drop-ngrams").message
    assert load(dropped).subwords is None
    lossy = wordgrad("convert", model, other).message
    assert "does not store counts and character n-grams: keep the fastText binary" in lossy
    back = wordgrad("convert", kept, tmp_path / "d.bin", "--to", "fasttext")
    assert back.code == 0
    assert load(tmp_path / "d.bin")["unseenbake"].tolist() == load(model)["unseenbake"].tolist()


def test_formats_can_be_named(wordgrad, source, tmp_path):
    target = tmp_path / "vectors.dat"
    assert wordgrad("convert", source, target, "--to", "glove").code == 0
    assert target.read_text() == "the 1.0 2.0\nnaïve 0.1 3.0\n"
    read = wordgrad("convert", target, tmp_path / "a.npz", "--from", "glove")
    assert "from GloVe text to npz" in read.message
    wrong = wordgrad("convert", target, tmp_path / "b.npz", "--from", "word2vec-text")
    assert wrong.code == 1
    assert "does not begin with the number of words and of values" in wrong.message
    assert not (tmp_path / "b.npz").exists()


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_a_format_that_does_not_exist_is_wrong_usage(wordgrad, source, tmp_path, option):
    outcome = wordgrad("convert", source, tmp_path / "v.txt", option, "word3vec")
    assert outcome.code == 2
    assert "format must be one of 'safetensors', 'safetensors-shards'" in outcome.message


def test_outputs_that_cannot_be(wordgrad, source, tmp_path):
    unknown = wordgrad("convert", source, tmp_path / "v.doc")
    assert unknown.code == 1
    assert "does not end like a file of word vectors" in unknown.message
    missing = wordgrad("convert", tmp_path / "no.txt", tmp_path / "v.npz")
    assert missing.code == 1
    assert "no.txt cannot be opened (No such file" in missing.message


def test_an_existing_output_is_kept_unless_overwritten(wordgrad, source, tmp_path):
    target = tmp_path / "v.txt"
    target.write_text("mine")
    refused = wordgrad("convert", source, target)
    assert refused.code == 1
    assert "exists already" in refused.message
    assert target.read_text() == "mine"
    assert wordgrad("convert", source, target, "--overwrite").code == 0
    assert target.read_text() == "2 2\nthe 1.0 2.0\nnaïve 0.1 3.0\n"


def test_a_file_may_be_converted_onto_itself(wordgrad, tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("2 1\na 1\nb 2\n")
    outcome = wordgrad("convert", path, path, "--to", "glove", "--overwrite")
    assert "from word2vec text to GloVe text" in outcome.message
    assert path.read_text() == "a 1.0\nb 2.0\n"


def test_values_that_are_not_finite(wordgrad, tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("2 1\na 1\nb nan\n")
    refused = wordgrad("convert", path, tmp_path / "v.npz")
    assert refused.code == 1
    assert "holds nan in line 3 ('b'), value 1" in refused.message
    assert "--allow-nonfinite" in refused.message
    assert wordgrad("convert", path, tmp_path / "v.npz", "--allow-nonfinite").code == 0
    kept = load(tmp_path / "v.npz", allow_nonfinite=True).matrix
    np.testing.assert_array_equal(kept, [[1], [np.nan]])


def test_a_word_that_the_format_cannot_hold(wordgrad, tmp_path):
    path = tmp_path / "v.safetensors"
    WordVectors(["New York"], [[1.0]]).save(path)
    outcome = wordgrad("convert", path, tmp_path / "v.bin")
    assert outcome.code == 1
    assert "'New York' in row 0 cannot be written as word2vec binary" in outcome.message
    assert "choose safetensors, npz or Parquet" in outcome.message
    assert not (tmp_path / "v.bin").exists()


def test_what_is_odd_in_a_file_is_said_as_a_sentence(wordgrad, tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("3 1\na 1\na 2\nb 3")
    outcome = wordgrad("convert", path, tmp_path / "v.npz")
    assert outcome.code == 0
    assert "1 row repeats a word of earlier rows ('a' in line 2 and line 3)" in outcome.message
    assert "v.txt does not end with a line end" in outcome.message
    assert "FormatWarning" not in outcome.err
    assert "2 words, 1 dimensions" in outcome.message


def test_words_that_are_not_utf8(wordgrad, tmp_path):
    path = tmp_path / "v.bin"
    path.write_bytes(b"2 1\ncaf\xc3 \0\0\x80?\nof \0\0\0@\n")
    refused = wordgrad("convert", path, tmp_path / "v.npz")
    assert refused.code == 1
    assert "(--errors replace)" in refused.message
    done = wordgrad("convert", path, tmp_path / "v.npz", "--errors", "replace")
    assert done.code == 0
    assert "has 1 word that is not UTF-8" in done.message
    assert load(tmp_path / "v.npz").words == ("caf\ufffd", "of")
    ignored = wordgrad("convert", path, tmp_path / "w.npz", "--errors", "ignore")
    assert ignored.code == 0
    assert load(tmp_path / "w.npz").words == ("caf", "of")
    wrong = wordgrad("convert", path, tmp_path / "x.npz", "--errors", "guess")
    assert wrong.code == 2
    assert "errors must be one of 'strict', 'replace', 'ignore', got 'guess'" in wrong.message


def test_the_first_words_alone(wordgrad, tmp_path):
    path = tmp_path / "v.vec.gz"
    path.write_bytes(gzip.compress(b"3 1\na 1\nb 2\nc 3\n"))
    done = wordgrad("convert", path, tmp_path / "v.npz", "--limit", 2)
    assert done.code == 0
    assert "from word2vec text to npz" in done.message
    assert load(tmp_path / "v.npz").words == ("a", "b")
    assert wordgrad("convert", path, tmp_path / "w.npz", "--limit", 0).code == 2
