"""``wordgrad train`` on small texts."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from wordgrad import Word2Vec, load
from wordgrad.cli.train import train

SMALL = ["--vector-size", 16, "--min-count", 1, "--workers", 1, "--sample", 0, "--epochs", 2]


FLAGS = ["--lowercase", "--reproducible", "--fixed-windows", "--keep-output"]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat\nThe dog sat on the rug\n" * 50)
    return path


def test_a_file_becomes_vectors(wordgrad, text, tmp_path):
    output = tmp_path / "v.safetensors"
    outcome = wordgrad("train", text, "-o", output, *SMALL)
    assert (outcome.code, outcome.out) == (0, "")
    vectors = load(output)
    assert (len(vectors), vectors.vector_size) == (8, 16)
    expected = Word2Vec(vector_size=16, min_count=1, workers=1, sample=0, epochs=2).fit(text)
    assert (vectors.matrix == expected.vectors_.matrix).all()
    assert vectors.words == expected.vectors_.words
    for said in (
        "Read 600 words.",
        "Epoch 1 of 2: loss ",
        "Epoch 2 of 2: loss ",
        "v.safetensors: 8 words, 16 dimensions,",
        "words/s",
        f"wordgrad similar {output} WORD",
    ):
        assert said in outcome.err
    assert vectors.metadata["settings"]["vector_size"] == 16
    assert len(vectors.metadata["history"]) == 2


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ([], True),
        (["--architecture", "cbow"], True),
        (["--learning-rate", 0.04], False),
        (["--loss", "softmax"], False),
        (["--architecture", "cbow", "--combine", "sum"], False),
        (["--subwords", 3, 4, "--buckets", 50], False),
    ],
)
def test_a_rate_that_was_chosen_by_the_text_is_told(wordgrad, text, tmp_path, options, chosen):
    outcome = wordgrad("train", text, "-o", tmp_path / "v.safetensors", *SMALL, *options)
    assert outcome.code == 0
    assert ("was chosen for this much text" in outcome.err) is chosen


def test_a_reproducible_file_is_the_same_for_any_number_of_workers(wordgrad, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("".join(f"a{i % 7} b{i % 50} c{i % 11} d{i % 130}\n" for i in range(9000)))
    files = [tmp_path / f"{workers}.safetensors" for workers in (1, 3)]
    options = ["--vector-size", 16, "--epochs", 2, "--sample", 0.01, "--reproducible"]
    for file in files:
        assert wordgrad("train", text, "-o", file, *options, "--workers", file.stem).code == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    settings = load(files[0]).metadata["settings"]
    assert settings["reproducible"]
    assert "workers" not in settings
    assert wordgrad("plot-loss", files[0], "-o", tmp_path / "loss.html").code == 0
    times = wordgrad("plot-loss", files[0], "-o", tmp_path / "t.html", "--along", "seconds")
    refused(times, 2, "along must be one of 'epoch', 'words' for 1, whose training was")


def test_every_option_reaches_the_estimator(wordgrad, text, tmp_path, monkeypatch):
    seen = {}

    def fit(self, source):
        seen.update(self.get_params(), source=source)
        raise KeyboardInterrupt

    monkeypatch.setattr(Word2Vec, "fit", fit)
    settings = {
        "vector_size": 7,
        "window": 3,
        "min_count": 2,
        "architecture": "cbow",
        "loss": "negative-sampling",
        "negative": 4,
        "ns_exponent": 0.5,
        "sample": 0.25,
        "epochs": 9,
        "learning_rate": 0.125,
        "final_learning_rate": 0.0625,
        "max_vocab": 99,
        "workers": 1,
        "seed": 5,
        "blocks": 4,
        "combine": "sum",
        "cbow_step": "whole",
        "output_weight": 0.25,
        "column": "body",
        "phrases": "2",
        "pattern": r"\w+",
        "errors": "replace",
        "vectors": tmp_path / "start.safetensors",
        "vocabulary": tmp_path / "words.tsv",
        "validation": "held-out.txt",
        "early_stopping": 3,
        "checkpoint": tmp_path / "run",
        "checkpoint_every": 90.0,
        "subwords": (3, 6),
        "buckets": 77,
        "subword_step": "exact",
        "softmax_offset": "none",
        "tolerance": 0.5,
        "max_hours": 2.5,
        "device": "cuda",
        "cluster": "auto",
        "nodes": 2,
        "threads_per_node": 3,
    }
    options = [
        part
        for name, v in settings.items()
        for part in (f"--{name.replace('_', '-')}", *(v if isinstance(v, tuple) else [v]))
    ]
    wordgrad("train", text, "-o", tmp_path / "v.safetensors", *options, *FLAGS)
    assert seen.pop("source") == str(text)
    assert callable(seen.pop("progress"))
    assert seen.pop("on_epoch") is None
    flags = {"lowercase": True, "reproducible": True, "shrink_windows": False, "keep_output": True}
    assert seen == settings | flags


def test_options_have_the_estimators_names_and_defaults():
    options = {
        name: parameter.default
        for name, parameter in inspect.signature(train).parameters.items()
        if name not in ("context", "inputs", "output", "overwrite", "resume")
    }
    parameters = {
        name: parameter.default
        for name, parameter in inspect.signature(Word2Vec).parameters.items()
        if name not in ("progress", "on_epoch")
    }
    assert options == parameters


def test_several_inputs_are_files_even_if_they_look_like_sentences(wordgrad, text, tmp_path):
    other = tmp_path / "other one.txt"
    other.write_text("the cat sat on the mat\n" * 9)
    output = tmp_path / "v.safetensors"
    outcome = wordgrad("train", text, other, "-o", output, *SMALL)
    assert outcome.code == 0
    assert "Read 654 words." in outcome.err
    missing = wordgrad("train", "no such", "thing", "-o", output, "--overwrite", *SMALL)
    assert missing.code == 1
    assert "'no such'" in missing.message


def test_names_of_files_are_no_markup(wordgrad, text, tmp_path):
    output = tmp_path / "[bold]:smile:.safetensors"
    outcome = wordgrad("train", text, "-o", output, *SMALL)
    assert outcome.code == 0
    assert f"wordgrad similar {output} WORD" in outcome.err


def refused(outcome, code, *parts):
    assert (outcome.code, outcome.out) == (code, "")
    for part in parts:
        assert part in outcome.message
    assert outcome.err.startswith("Error: ") or "Usage: " in outcome.err


def test_the_output_is_checked_before_the_text_is_read(wordgrad, tmp_path, text):
    taken = tmp_path / "taken.safetensors"
    taken.write_bytes(b"mine")
    no_text = tmp_path / "no-text.txt"
    refused(wordgrad("train", no_text, "-o", taken), 1, "taken.safetensors exists already")
    assert taken.read_bytes() == b"mine"
    nowhere = tmp_path / "no" / "v.safetensors"
    refused(wordgrad("train", no_text, "-o", nowhere), 1, "does not exist; create it first")
    refused(wordgrad("train", no_text, "-o", tmp_path / "v.bin"), 1, "end it in .safetensors")
    assert wordgrad("train", text, "-o", taken, "--overwrite", *SMALL).code == 0
    assert len(load(taken)) == 8


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--vector-size", 0], "vector_size must be an integer"),
        (["--learning-rate", "nan"], "learning_rate must be a finite number"),
        (["--sample", "-1"], "sample must be"),
        (["--min-count", -1], "min_count must be"),
        (["--architecture", "glove"], "'glove' is not one of"),
        (["--no-such-option"], "No such option"),
        (["--epochs", "many"], "Invalid value for '--epochs'"),
    ],
)
def test_wrong_usage(wordgrad, text, tmp_path, options, part):
    outcome = wordgrad("train", text, "-o", tmp_path / "v.safetensors", *options)
    refused(outcome, 2, part)
    assert not (tmp_path / "v.safetensors").exists()


@pytest.mark.parametrize(
    ("content", "options", "parts"),
    [
        (b"", [], ["text.txt"]),
        (b"a b c\n", [], ["min_count"]),
        (b"a a a\n", ["--min-count", 1], ["word"]),
        (b"a b\nc \xff d\n", ["--min-count", 1], ["text.txt", "line 2", "--errors replace"]),
    ],
)
def test_texts_that_cannot_be_used(wordgrad, text, tmp_path, content, options, parts):
    text.write_bytes(content)
    output = tmp_path / "v.safetensors"
    refused(wordgrad("train", text, "-o", output, *options), 1, *parts)
    assert sorted(os.listdir(tmp_path)) == ["text.txt"]


def test_replaced_bytes_are_counted(wordgrad, text, tmp_path):
    text.write_bytes(b"a b c\nc \xff d\n" * 20)
    output = tmp_path / "v.safetensors"
    outcome = wordgrad("train", text, "-o", output, "--errors", "replace", *SMALL)
    assert outcome.code == 0
    assert "20 bytes were not UTF-8 and were replaced." in outcome.err


@contextmanager
def child(*args):
    """A command in a process of its own, which does not outlive the test."""
    with subprocess.Popen(
        [sys.executable, "-m", "wordgrad", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_in_training_keeps_what_was_learnt(text, tmp_path):
    output = tmp_path / "v.safetensors"
    (tmp_path / "v.partial.safetensors").write_bytes(b"from an earlier time")
    options = [*SMALL[:-1], 10_000_000]
    with child("train", text, "-o", output, *options) as process:
        said = ""
        while "Epoch 3 of" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    last = rest.splitlines()[-1]
    assert last.startswith("Interrupted; the vectors as trained so far are in ")
    assert last.endswith("v.partial-2.safetensors.")
    assert "Traceback" not in rest
    kept = load(tmp_path / "v.partial-2.safetensors")
    assert len(kept) == 8
    assert len(kept.metadata["history"]) >= 2
    assert not output.exists()
    assert (tmp_path / "v.partial.safetensors").read_bytes() == b"from an earlier time"


def interrupt(process):
    """Press Ctrl-C until it is noticed, and return standard error.

    Python misses a signal that comes just before a system call in which it then waits.
    """
    for _ in range(20):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=5)[1]
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("the process cannot be interrupted")


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes and POSIX signals")
def test_ctrl_c_in_reading_keeps_nothing(tmp_path):
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    with (
        child("train", pipe, "-o", tmp_path / "v.safetensors") as process,
        open(pipe, "w") as writer,  # opens when the child begins to read
    ):
        writer.write("some words\n")
        writer.flush()
        err = interrupt(process)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "Interrupted before training began; nothing was saved."
    assert os.listdir(tmp_path) == ["pipe.txt"]


def test_sample_is_a_number_or_auto(wordgrad, text, tmp_path):
    """Eight words, of which "the" is a third: 0.0001 would leave one occurrence in twenty."""
    number = {}
    for sample in ("auto", "0.25", None):
        output = tmp_path / f"{sample}.safetensors"
        options = [] if sample is None else ["--sample", sample]
        assert wordgrad("train", text, "-o", output, "--min-count", 1, *options).code == 0
        number[sample] = load(output).metadata["settings"]["sample"]
    assert 1e-4 < number["auto"] == number[None] < 0.25 == number["0.25"]
    outcome = wordgrad("train", text, "-o", tmp_path / "v.safetensors", "--sample", "some")
    assert outcome.code == 2
    assert "'some' is neither a number nor auto." in outcome.message


def test_a_training_that_learns_little_says_so(wordgrad, text, tmp_path):
    options = ["--min-count", 1, "--workers", 1, "--sample", 1e-3, "--epochs", 1]
    outcome = wordgrad("train", text, "-o", tmp_path / "v.safetensors", *options)
    assert (outcome.code, outcome.out) == (0, "")
    said = " ".join(outcome.err.split())
    assert said.count("Subsampling with sample=0.001 keeps ") == 1
    assert said.count("so next to nothing was learned; keep more words") == 1
    assert "Warning" not in said


def test_a_training_starts_from_vectors(wordgrad, text, tmp_path):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.txt"
    assert wordgrad("train", text, "-o", first, *SMALL).code == 0
    load(first).select(["cat", "dog", "rug"]).save(second)
    third = tmp_path / "third.safetensors"
    outcome = wordgrad("train", text, "-o", third, *SMALL, "--vectors", second)
    assert outcome.code == 0
    assert f"3 of the 8 words started from {second}." in " ".join(outcome.err.split())
    outcome = wordgrad("train", text, "-o", tmp_path / "v.safetensors", "--vectors", second)
    assert outcome.code != 0
    assert "vectors have 16 numbers each and vector_size is 100; set vector_size to 16" in (
        " ".join(outcome.err.split())
    )


def test_hierarchical_softmax_fixed_windows_and_output_vectors(wordgrad, tmp_path):
    text, output = tmp_path / "text.txt", tmp_path / "v.safetensors"
    text.write_text("sun rain wind\nbread milk salt\n" * 200)
    result = wordgrad(
        "train", text, "-o", output, "--loss", "hierarchical-softmax+negative-sampling",
        "--min-count", "1", "--epochs", "1", "--keep-output", "--fixed-windows",
        "--final-learning-rate", "0.01",
    )  # fmt: skip
    assert result.code == 0, result.err
    vectors = load(output)
    assert vectors.metadata["settings"]["loss"] == "hierarchical-softmax+negative-sampling"
    assert vectors.metadata["settings"]["shrink_windows"] is False
    assert vectors.outputs.shape == (5 + 6, 100)
