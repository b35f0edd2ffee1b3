"""``wordgrad documents``: train, infer, similar; what is said, and what is refused."""

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from wordgrad import Doc2Vec, learn_phrases, load

TRAIN = ["--min-count", "1", "--sample", "0", "--vector-size", "12", "--workers", "1"]


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    lines = [
        " ".join(f"{'ab'[k % 2]}{word}" for word in rng.integers(0, 12, 20)) for k in range(60)
    ]
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n")
    frame = pl.DataFrame({"text": lines, "topic": [["ab"[k % 2], f"n{k}"] for k in range(60)]})
    frame.write_parquet(tmp_path / "table.parquet")
    return tmp_path


def test_train_infer_and_similar(wordgrad, folder):
    model, vectors = folder / "model.safetensors", folder / "new.parquet"
    done = wordgrad(
        "documents", "train", folder / "text.txt", "-o", model, "--epochs", "20", *TRAIN
    )
    assert done.code == 0, done.err
    assert f"Wrote {model}: 60 documents, 12 dimensions" in " ".join(done.err.split())
    done = wordgrad("documents", "infer", model, folder / "text.txt", "-o", vectors)
    assert done.code == 0, done.err
    found = load(vectors)
    assert found.words == tuple(map(str, range(60)))
    lines = (folder / "text.txt").read_text().splitlines()
    np.testing.assert_array_equal(found["7"], Doc2Vec.load(model).infer(lines[7:8])[0])
    done = wordgrad(
        "documents", "similar", model, "3", "4", "--text", lines[5], "-n", "2", "--json"
    )
    answers = json.loads(done.out)
    assert [one["question"] for one in answers] == ["3", "4", lines[5]]
    assert [int(one["answers"][0]["word"]) % 2 for one in answers] == [1, 0, 1]
    assert wordgrad("similar", model, "3", "-n", "1").code == 0  # tags are words to other commands


def test_a_tree_phrases_and_vectors_to_start_from(wordgrad, folder):
    model = folder / "model.safetensors"
    (folder / "phrases.txt").write_text("big apple a1 a2\nb1 b2 big apple\n" * 30)
    learn_phrases(folder / "phrases.txt", threshold=0.01).save(folder / "table.phrases")
    done = wordgrad(
        "documents", "train", folder / "phrases.txt", "--loss", "hierarchical-softmax",
        "--architecture", "dm", "--phrases", folder / "table.phrases", "-o", model, *TRAIN,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert f": {model} holds them" in " ".join(done.err.split())
    assert not (folder / "model.safetensors.phrases").exists()
    trained = Doc2Vec.load(model)
    assert trained.loss == "hierarchical-softmax"
    assert "big_apple" in trained.vectors_
    trained.vectors_.save(folder / "words.txt")
    done = wordgrad(
        "documents", "train", folder / "phrases.txt", "--phrases", folder / "table.phrases",
        "--train-words", "--vectors",
        folder / "words.txt", "-o", folder / "second.safetensors", *TRAIN,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "words started from" in " ".join(done.err.split())


def test_tags_of_a_table_and_words(wordgrad, folder):
    model = folder / "model.safetensors"
    done = wordgrad(
        "documents", "train", folder / "table.parquet", "--column", "text", "--tag-column",
        "topic", "--train-words", "--epochs", "20", "-o", model, *TRAIN,
    )  # fmt: skip
    assert done.code == 0, done.err
    done = wordgrad("documents", "similar", model, "a", "--among", "words", "-n", "3", "--json")
    assert [one["word"][0] for one in json.loads(done.out)[0]["answers"]] == ["a"] * 3
    done = wordgrad("documents", "similar", model, "--word", "b3", "-n", "3")
    assert done.code == 0
    done = wordgrad(
        "documents", "infer", model, folder / "table.parquet", "--column", "text", "--tag-column",
        "topic", "-o", folder / "v.npz",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert {"a", "b", "n0"} < set(load(folder / "v.npz").words)


def test_a_training_is_resumed(wordgrad, folder):
    model, kept = folder / "model.safetensors", folder / "kept"
    first = ["documents", "train", folder / "text.txt", "-o", model, "--checkpoint", kept, *TRAIN]
    assert wordgrad(*first, "--epochs", "2", "--architecture", "dm").code == 0
    done = wordgrad(
        "documents", "train", "--resume", kept, "--epochs", "4", "-o", model, "--overwrite"
    )
    assert done.code == 0, done.err
    assert len(Doc2Vec.load(model).history_) == 4


def test_what_is_refused_is_refused_before_reading(wordgrad, folder):
    done = wordgrad("documents", "train", folder / "text.txt", "-o", folder / "model.parquet")
    assert done.code == 1
    assert "saved as .safetensors" in " ".join(done.err.split())
    done = wordgrad("documents", "train", "-o", folder / "m.safetensors")
    assert done.code == 2
    (folder / "empty.txt").write_text("")
    model = folder / "model.safetensors"
    assert wordgrad("documents", "train", folder / "text.txt", "-o", model, *TRAIN).code == 0
    assert wordgrad("documents", "similar", model).code == 2
    done = wordgrad("documents", "infer", model, folder / "empty.txt", "-o", folder / "v.parquet")
    assert done.code == 1
    assert "holds no document" in " ".join(done.err.split())


def test_it_runs_as_a_program(folder):
    command = [sys.executable, "-m", "wordgrad", "documents", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "infer" in done.stdout
