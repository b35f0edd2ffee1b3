"""``wordgrad classify``: from labelled text to a classifier, its scores and its answers."""

from __future__ import annotations

import inspect
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from wordgrad.cli.classify import train
from wordgrad.compat import fasttext
from wordgrad.corpus.labelled import PREFIX as LABEL_PREFIX
from wordgrad.fasttext_classifier import FastTextClassifier
from wordgrad.text_classifier import TextClassifier

WORDS = {
    "praise": ["good", "fine", "lovely", "joy", "moving"],
    "blame": ["bad", "poor", "dull", "waste", "clumsy"],
    "odd, one": ["strange", "weird", "odd", "curious", "eerie"],
}
COMMON = ["the", "film", "was", "a", "and", "acting"]


def examples(n, seed=1):
    draw = random.Random(seed)
    for i in range(n):
        label = list(WORDS)[i % len(WORDS)]
        yield label, " ".join(draw.sample(COMMON, 3) + draw.sample(WORDS[label], 2))


def tab(rows):
    return "".join(f"{label}\t{text}\n" for label, text in rows)


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text(tab(examples(90)))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A file with a classifier that knows the three labels."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    rows = list(examples(240))
    classifier = TextClassifier(vector_size=16, hidden_size=8, epochs=20, workers=1)
    classifier.fit([text for _, text in rows], [label for label, _ in rows]).save(path)
    return path


def refused(outcome, code, *parts):
    assert (outcome.code, outcome.out) == (code, "")
    for part in parts:
        assert part in outcome.message
    assert outcome.err.startswith("Error: ") or "Usage: " in outcome.err


# ------------------------------------------------------------------------- train


def test_labelled_text_becomes_a_classifier(wordgrad, data, tmp_path):
    output = tmp_path / "m.safetensors"
    outcome = wordgrad("classify", "train", data, "-o", output, "--epochs", 3, "--workers", 1)
    assert (outcome.code, outcome.out) == (0, "")
    for said in (
        "Read 90 texts with 3 labels: blame 30, odd, one 30, praise 30.",
        "Epoch 1 of 3: loss ",
        "Epoch 3 of 3: loss ",
        "m.safetensors: 3 classes, 21 words,",
        f"wordgrad classify test {output} LABELLED-TEXT",
    ):
        assert said in outcome.err
    rows = list(examples(90))
    direct = TextClassifier(epochs=3, workers=1)
    direct.fit([text for _, text in rows], [label for label, _ in rows])
    texts = ["the good film", "weird acting", ""]
    assert (TextClassifier.load(output).predict_proba(texts) == direct.predict_proba(texts)).all()


def test_options_have_the_estimators_names_and_defaults():
    options = {
        name: getattr(parameter.default, "value", parameter.default)
        for name, parameter in inspect.signature(train).parameters.items()
    }
    assert options.pop("label_prefix") == LABEL_PREFIX
    reading = ("form", "label_column", "text_column", "separator", "errors")
    reading += ("autotune", "duration")
    for name in ("data", "output", "overwrite", *reading):
        del options[name]
    parameters = {
        name: parameter.default
        for name, parameter in inspect.signature(TextClassifier).parameters.items()
        if name != "progress"
    }
    assert options == parameters


def test_every_option_reaches_the_estimator(wordgrad, data, tmp_path, monkeypatch):
    seen = {}

    def fit(self, texts):
        seen.update(self.get_params())
        raise KeyboardInterrupt

    monkeypatch.setattr(TextClassifier, "fit_encoded", fit)
    flags = {"lowercase": ("--no-lowercase", False), "train_vectors": ("--fixed-vectors", False)}
    flags["early_stopping"] = ("--early-stopping", True)
    flags["calibrate"] = ("--no-calibrate", False)
    special = {"class_weight": "balanced", "pattern": r"\w+", "workers": 3, "vectors": tmp_path}
    special |= {"vector_size": 9, "learning_rate": 0.3, "smoothing": 0.1, "subwords": (2, 4)}
    special["loss"] = "one-vs-all"
    wanted, options = {}, []
    for name, default in TextClassifier().get_params().items():
        if name == "progress":
            continue
        if name in flags:
            option, wanted[name] = flags[name]
            options.append(option)
            continue
        wanted[name] = special.get(name, default)
        if name not in special:
            wanted[name] = default + 1 if isinstance(default, int) else default / 2 + 0.01
        values = wanted[name] if isinstance(wanted[name], tuple) else [wanted[name]]
        options += [f"--{name.replace('_', '-')}", *values]
    outcome = wordgrad("classify", "train", data, "-o", tmp_path / "m.safetensors", *options)
    assert outcome.code == 130
    assert outcome.message.endswith("Interrupted; no classifier was written.")
    assert callable(seen.pop("progress"))
    assert seen == wanted
    assert os.listdir(tmp_path) == ["train.tsv"]


def test_vectors_to_start_from(wordgrad, tmp_path, vector_file):
    data = tmp_path / "a.txt"
    data.write_text("royal\tthe king\nfruit\tthe apple\n" * 10)
    output = tmp_path / "m.safetensors"
    outcome = wordgrad("classify", "train", data, "-o", output, "--vectors", vector_file)
    assert outcome.code == 0
    assert f"3 of the 3 words started from {vector_file}." in outcome.message
    assert TextClassifier.load(output).vector_size == 4


def test_what_was_odd_is_counted(wordgrad, tmp_path):
    data = tmp_path / "a.txt"
    data.write_bytes(b"good\tfine \xff film\n\nbad\tdull film\nbad\t\n" * 5)
    output = tmp_path / "m.safetensors"
    outcome = wordgrad("classify", "train", data, "-o", output, "--errors", "replace")
    assert outcome.code == 0
    for said in (
        "5 blank lines were skipped.",
        "5 texts are empty but for their labels.",
        "5 bytes were not UTF-8 and were replaced.",
    ):
        assert said in outcome.message


@pytest.mark.parametrize(
    ("content", "options", "code", "parts"),
    [
        ("", [], 1, ["a.tsv is empty"]),
        ("good\tone\ngood\ttwo\n", [], 2, ["one class, 'good'"]),
        ("a\tone\nb\ttwo\nc\tthree\n", [], 2, ["3 classes for 3 texts"]),
        ("a\t\nb\t\na\t\n", [], 1, ["no token"]),
        ("good one\n", [], 1, ["a.tsv cannot be determined", "--format"]),
        ("good\tone\nbad two\n", [], 1, ["a.tsv, line 2, has no tab"]),
        ("__label__a x\n__label__a __label__ x\n", [], 1, ["line 2, has no label"]),
        ("id\tlabel\ttext\n1\t\tx\n", [], 1, ["a.tsv, row 1, has no label"]),
        ("label\ttext\n1\tx\n", ["--label-column", "no"], 1, ["no column 'no'", "'label', 'text'"]),
        ("good\tone\n", ["--format", "xml"], 2, ["'xml' is not one of"]),
        ("good\tone\nbad\ttwo\n" * 3, ["--epochs", 0], 2, ["epochs must be an integer"]),
        ("good\tone\nbad\ttwo\n" * 3, ["--learning-rate", "nan"], 2, ["learning_rate must be"]),
        ("good\tone\nbad\ttwo\n" * 3, ["--vectors", "none.txt"], 1, ["none.txt"]),
    ],
)
def test_what_cannot_be_trained_on(wordgrad, tmp_path, content, options, code, parts):
    path = tmp_path / "a.tsv"
    path.write_text(content)
    output = tmp_path / "m.safetensors"
    outcome = wordgrad("classify", "train", path, "-o", output, *options)
    assert (outcome.code, outcome.out) == (code, "")
    for part in parts:
        assert part in outcome.message
    assert os.listdir(tmp_path) == ["a.tsv"]


def test_the_output_is_checked_before_anything_is_read(wordgrad, tmp_path):
    taken = tmp_path / "taken.safetensors"
    taken.write_bytes(b"mine")
    missing = tmp_path / "none.tsv"
    refused(wordgrad("classify", "train", missing, "-o", taken), 1, "exists already")
    refused(wordgrad("classify", "train", missing, "-o", tmp_path / "m.bin"), 2, ".safetensors")
    nowhere = tmp_path / "no" / "m.safetensors"
    refused(wordgrad("classify", "train", missing, "-o", nowhere), 1, "does not exist")
    refused(wordgrad("classify", "train", missing, "-o", tmp_path / "m.safetensors"), 1, "none.tsv")
    assert taken.read_bytes() == b"mine"


# -------------------------------------------------------------------------- test


def test_scores_through_a_pipe(wordgrad, model, tmp_path):
    data = tmp_path / "test.tsv"
    rows = [*examples(30, seed=2), ("praise", "bad poor dull"), ("blame", "good fine lovely")]
    data.write_text(tab(rows))
    outcome = wordgrad("classify", "test", model, data)
    assert (outcome.code, outcome.err) == (0, "")
    lines = [line.split("\t") for line in outcome.out.splitlines()]
    assert lines[0] == ["accuracy", f"{30 / 32:.6f}", "30", "32"]
    assert ["class", "praise", f"{10 / 11:.6f}", f"{10 / 11:.6f}", f"{10 / 11:.6f}", "11"] in lines
    assert ["confusion", "praise", "blame", "1"] in lines
    assert ["confusion", "odd, one", "odd, one", "10"] in lines
    assert {line[0] for line in lines} == {"accuracy", "class", "macro", "weighted", "confusion"}


def test_labels_never_seen_are_errors_and_told_of(wordgrad, model, tmp_path):
    data = tmp_path / "test.tsv"
    data.write_text(tab([*examples(3), ("new", "a film"), ("newer", ""), ("new", "xyzzy")]))
    outcome = wordgrad("classify", "test", model, data, "--json", "-")
    assert outcome.code == 0
    said = "3 of 6 texts have labels that the classifier has never seen ('new', 'newer'); each is"
    assert said in outcome.message
    report = json.loads(outcome.out)
    assert (report["correct"], report["texts"], report["accuracy"]) == (3, 6, 0.5)
    assert report["unknown_labels"] == {"new": 2, "newer": 1}
    assert report["confusion"]["labels"] == ["blame", "odd, one", "praise", "new", "newer"]
    assert sum(map(sum, report["confusion"]["rows"])) == 6
    new = next(one for one in report["classes"] if one["label"] == "new")
    assert (new["precision"], new["recall"], new["f1"], new["texts"]) == (0.0, 0.0, 0.0, 2)


def test_json_goes_to_a_file_that_is_not_replaced(wordgrad, model, data, tmp_path):
    output = tmp_path / "scores.json"
    outcome = wordgrad("classify", "test", model, data, "--json", output)
    assert outcome.code == 0
    assert json.loads(output.read_text())["texts"] == 90
    refused(wordgrad("classify", "test", model, data, "--json", output), 1, "exists already")
    assert wordgrad("classify", "test", model, data, "--json", output, "--overwrite").code == 0


@pytest.mark.parametrize("columns", [30, 60, 100])
def test_tables_fit_the_terminal(wordgrad, terminal, model, tmp_path, columns):
    data = tmp_path / "test.tsv"
    data.write_text(tab([*examples(30), ("praise", "bad dull"), ("a label with a long name", "x")]))
    terminal(columns)
    outcome = wordgrad("classify", "test", model, data)
    assert outcome.code == 0
    assert all(len(line) <= columns for line in outcome.out.splitlines())
    assert "right: 30 of 32 texts." in outcome.out
    wide = columns >= 60
    assert ("label \\ given" in outcome.out) == wide
    assert ("Most frequent confusions" in outcome.out) == (not wide)
    for part in ("macro", "weighted", "praise", "0.", "long"):
        assert part in outcome.out


def test_many_classes_are_listed_by_their_confusions(wordgrad, terminal, model, tmp_path):
    data = tmp_path / "test.tsv"
    data.write_text(tab((f"new {i:03}", "a film") for i in range(60)))
    terminal(80)
    outcome = wordgrad("classify", "test", model, data)
    assert "0.0% right: 0 of 60 texts." in outcome.out
    assert "new 059" in outcome.out


@pytest.mark.parametrize("command", ["test", "predict"])
def test_a_model_that_is_none(wordgrad, data, tmp_path, vector_file, command):
    missing = tmp_path / "none.safetensors"
    refused(wordgrad("classify", command, missing, data), 1, "none.safetensors")
    refused(
        wordgrad("classify", command, vector_file, data),
        1,
        "is no classifier of wordgrad (its content: word vectors)",
    )
    refused(wordgrad("classify", command, data, data), 1, "train.tsv")


# ----------------------------------------------------------------------- predict


@pytest.fixture
def typed(monkeypatch):
    def give(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return give


def test_a_line_in_a_line_out(wordgrad, model, typed):
    typed("a good film\r\n\n  \nweird \u2028 eerie\nbad\tpoor\nxyzzy".encode())
    outcome = wordgrad("classify", "predict", model)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.split("\n")[:-1]
    assert len(lines) == 6
    assert lines[0] == "praise"
    assert (lines[3], lines[4]) == ("odd, one", "blame")
    assert lines[1] == lines[2] == lines[5]  # texts without a known word


FASTTEXT = Path(__file__).parents[1] / "fasttext_models"


@pytest.mark.parametrize("name", ["softmax_all.bin", "hs_pruned.ftz", "ova.bin"])
def test_models_of_fasttext_answer_line_by_line(wordgrad, typed, name):
    classifier = FastTextClassifier.load(FASTTEXT / name)
    lines = ["bake zu", "", "unknown words", "té 東 ba"]
    typed("".join(f"{line}\n" for line in lines).encode())
    outcome = wordgrad("classify", "predict", FASTTEXT / name)
    assert outcome.code == 0
    labels, _ = classifier.predict(lines)
    assert outcome.out.splitlines() == [label for (label,) in labels]
    typed("".join(f"{line}\n" for line in lines).encode())
    outcome = wordgrad("classify", "predict", FASTTEXT / name, "-k", 3, "--threshold", 0.2)
    labels, shares = classifier.predict(lines, k=3, threshold=0.2)
    for line, names, values in zip(outcome.out.splitlines(), labels, shares, strict=True):
        fields = line.split("\t") if line else []
        assert fields[::2] == list(names)
        assert [float(field) for field in fields[1::2]] == pytest.approx(values, abs=1e-6)


def test_objects_with_labels_and_probabilities(wordgrad, model, typed):
    typed(b"bake zu\n\n")
    outcome = wordgrad("classify", "predict", FASTTEXT / "hs.bin", "--json", "-k", 2)
    records = [json.loads(line) for line in outcome.out.splitlines()]
    labels, shares = FastTextClassifier.load(FASTTEXT / "hs.bin").predict(["bake zu", ""], k=2)
    assert [tuple(record["labels"]) for record in records] == labels
    assert [record["probabilities"] for record in records] == [s.tolist() for s in shares]
    typed(b"good film\n")
    outcome = wordgrad("classify", "predict", model, "--json", "--threshold", 1.0)
    assert json.loads(outcome.out) == {"labels": [], "probabilities": []}


def test_a_model_of_fasttext_answers_cells_of_a_parquet_column(wordgrad, tmp_path):
    texts = ["bake zu ri", None, "té šo 東", "mo\nna"]
    table = pl.DataFrame({"number": [1, 2, 3, 4], "body": texts, "title": ["a"] * 4})
    table.write_parquet(tmp_path / "texts.parquet", row_group_size=3)
    path, model = tmp_path / "texts.parquet", FASTTEXT / "softmax_all.bin"
    refused(wordgrad("classify", "predict", model, path), 1, "has 2 columns of strings")
    for option in ("--text-column", "--column"):
        outcome = wordgrad("classify", "predict", model, path, option, "body", "-k", 2)
        found = [line.split("\t") for line in outcome.out.splitlines()]
        labels, shares = FastTextClassifier.load(model).predict([one or "" for one in texts], k=2)
        assert [line[::2] for line in found] == [list(one) for one in labels]
        for line, wanted in zip(found, shares, strict=True):
            assert [float(one) for one in line[1::2]] == pytest.approx(wanted, abs=1e-6)


def test_a_model_of_fasttext_is_made_small(wordgrad, tmp_path):
    small = tmp_path / "small.ftz"
    outcome = wordgrad("classify", "quantize", FASTTEXT / "softmax_all.bin", "-o", small,
                       "--cutoff", 50, "--norms", "--width", 1)  # fmt: skip
    assert outcome.code == 0
    assert f"Wrote {small}" in outcome.err
    assert "of " in outcome.err
    path = tmp_path / "text.txt"
    path.write_text("bake zu\n")
    assert wordgrad("classify", "predict", small, path).out.startswith("__label__")
    path.write_text("__label__l1 bake zu\n__label__l0 ri\n" * 5)
    outcome = wordgrad("classify", "quantize", FASTTEXT / "softmax_all.bin", "-o", small,
                       "--cutoff", 50, "--retrain", path, "--epochs", 9, "--learning-rate", 0.5,
                       "--overwrite")  # fmt: skip
    assert outcome.code == 0
    path.write_text("bake zu\n")
    assert wordgrad("classify", "predict", small, path).out == "__label__l1\n"
    refused(wordgrad("classify", "quantize", small, "-o", tmp_path / "b.ftz"), 1, "already")
    refused(wordgrad("classify", "quantize", small, "-o", tmp_path / "b.bin"), 2, ".ftz")
    refused(wordgrad("classify", "quantize", FASTTEXT / "hs.bin", "-o", small), 1, "exists already")


def test_a_classifier_is_made_small(wordgrad, model, tmp_path, typed):
    small = tmp_path / "small.safetensors"
    outcome = wordgrad("classify", "quantize", model, "-o", small, "--cutoff", 20)
    assert outcome.code == 0
    typed(b"good film\npoor acting\n")
    assert wordgrad("classify", "predict", small).out == "praise\nblame\n"
    refused(wordgrad("classify", "quantize", model, "-o", tmp_path / "b.ftz"), 2, ".safetensors")
    other = tmp_path / "b.safetensors"
    refused(wordgrad("classify", "quantize", model, "-o", other, "--norms"), 2, "fastText alone")
    refused(wordgrad("classify", "quantize", small, "-o", other), 2, "quantised once")


def test_a_damaged_model_of_fasttext_is_told_in_one_sentence(wordgrad, tmp_path):
    path = tmp_path / "cut.bin"
    path.write_bytes((FASTTEXT / "hs.bin").read_bytes()[:5000])
    refused(wordgrad("classify", "predict", path), 1, "cut.bin is cut short", "fetch a whole copy")
    refused(
        wordgrad("classify", "predict", FASTTEXT / "skipgram.bin"), 1, "holds word vectors, not a"
    )


def test_probabilities(wordgrad, model, typed):
    typed(b"a good film\n\n")
    lines = wordgrad("classify", "predict", model, "--proba").out.splitlines()
    label, chance = lines[0].split("\t")
    assert label == "praise"
    assert 0.5 < float(chance) <= 1
    typed(b"a good film\n\n")
    for line in wordgrad("classify", "predict", model, "--top", 9).out.splitlines():
        fields = line.split("\t")
        chances = [float(chance) for chance in fields[1::2]]
        assert sorted(fields[::2]) == sorted(WORDS)
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) == pytest.approx(1, abs=1e-5)


def test_files_and_tables(wordgrad, model, tmp_path):
    (tmp_path / "a.txt").write_text("a good film\n\n")
    (tmp_path / "b.csv").write_text('id,body\n1,"bad, poor\nfilm"\n2,weird\n')
    both = wordgrad("classify", "predict", model, tmp_path / "a.txt", tmp_path / "b.csv",
                    "--text-column", "body")  # fmt: skip
    assert both.code == 0
    assert [both.out.splitlines()[i] for i in (0, 2, 3)] == ["praise", "blame", "odd, one"]
    assert len(both.out.splitlines()) == 4


def test_many_lines_keep_their_order(wordgrad, model, tmp_path):
    rows = list(examples(60_000, seed=3))
    (tmp_path / "a.txt").write_text("".join(f"{text}\n" for _, text in rows))
    outcome = wordgrad("classify", "predict", model, tmp_path / "a.txt")
    assert outcome.out.splitlines() == [label for label, _ in rows]


def test_lines_that_are_not_utf8(wordgrad, model, typed):
    typed(b"good\nb\xffd\n")
    outcome = wordgrad("classify", "predict", model)
    assert outcome.code == 1
    assert "standard input, line 2, is not valid UTF-8" in outcome.message
    typed(b"good\nb\xffd\n")
    outcome = wordgrad("classify", "predict", model, "--errors", "replace")
    assert (outcome.code, len(outcome.out.splitlines())) == (0, 2)
    assert "1 byte was not UTF-8" in outcome.message


def test_wrong_inputs_of_predict(wordgrad, model, typed, tmp_path):
    typed(b"")
    assert wordgrad("classify", "predict", model).out == ""
    refused(wordgrad("classify", "predict", model, tmp_path / "none.txt"), 1, "none.txt")
    refused(wordgrad("classify", "predict", model, "--top", 0), 2, "--top")
    refused(wordgrad("classify", "predict", model, "--text-column", "x"), 2, "without columns")


def child(model, *options, **streams):
    return subprocess.Popen(
        [sys.executable, "-m", "wordgrad", "classify", "predict", str(model), *options],
        **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        | streams,
    )


def test_an_answer_comes_before_the_next_question(model):
    with child(model) as process:
        for text, label in ((b"a good film", b"praise"), (b"weird", b"odd, one")):
            process.stdin.write(text + b"\n")
            process.stdin.flush()
            assert process.stdout.readline().rstrip() == label
        process.stdin.write(b"bad")  # an end without a line feed
        out, err = process.communicate(timeout=60)
    assert (out.strip(), err, process.returncode) == (b"blame", b"", 0)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and terminals")
def test_ctrl_c_says_how_far_it_came(model):
    import pty  # not on Windows

    ours, theirs = pty.openpty()
    with child(model, stdin=theirs) as process:
        for _ in range(2):
            os.write(ours, b"a good film\n")
            assert process.stdout.readline() == b"praise\n"
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130
    assert err.startswith("Type a text and press Enter")
    # The second line may be counted or not: Ctrl-C comes when its answer has just been written.
    assert re.fullmatch(r"Interrupted after (1 line|2 lines)\.", err.splitlines()[-1])
    os.close(ours)
    os.close(theirs)


# ----------------------------------------------------------------------- explain


def test_words_that_pushed(wordgrad, model):
    outcome = wordgrad("classify", "explain", model, "A good film, xyzzy")
    assert outcome.code == 0
    pushed = dict(line.split("\t") for line in outcome.out.splitlines())
    assert list(pushed) == ["a", "good", "film", ",", "xyzzy"]
    assert float(pushed["good"]) > abs(float(pushed["a"]))
    assert float(pushed["xyzzy"]) == 0
    assert re.match(r"praise: probability [01]\.\d{3}\.", outcome.err)


def test_another_label_can_be_explained(wordgrad, model, terminal):
    whole = wordgrad("classify", "explain", model, "a", "good", "--label", "blame", "--json")
    record = json.loads(whole.out)
    assert record["label"] == "blame"
    assert [one["word"] for one in record["words"]] == ["a", "good"]
    assert record["words"][1]["contribution"] < 0
    refused(wordgrad("classify", "explain", model, "a", "--label", "no"), 2, "'no'")
    terminal(50)
    shown = wordgrad("classify", "explain", model, "a good film", "--label", "blame")
    assert "towards blame" in shown.out
    assert all(len(line) <= 50 for line in shown.out.splitlines())


def test_an_empty_text_is_explained_by_nothing(wordgrad, model):
    outcome = wordgrad("classify", "explain", model, " ")
    assert (outcome.code, outcome.out) == (0, "")
    assert "The text has no words" in outcome.message


def test_labels_may_begin_otherwise(wordgrad, tmp_path):
    rows = list(examples(90))
    files = []
    for prefix in ("__label__", "#"):
        path = tmp_path / f"{len(files)}.txt"
        path.write_text("".join(f"{prefix}{label.split()[0]} {text}\n" for label, text in rows))
        output = path.with_suffix(".safetensors")
        options = [] if prefix == "__label__" else ["--label-prefix", prefix]
        train_options = ["--format", "fasttext", "--epochs", 3, "--workers", 1, *options]
        assert wordgrad("classify", "train", path, "-o", output, *train_options).code == 0
        outcome = wordgrad("classify", "test", output, path, "--format", "fasttext", *options)
        assert outcome.code == 0
        files.append((output.read_bytes(), outcome.out))
    assert files[0][1] == files[1][1]
    assert TextClassifier.load(output).classes_.tolist() == ["blame", "odd,", "praise"]


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    """Lines with one label or two, and a classifier that learned them."""
    folder = tmp_path_factory.mktemp("recipes")
    draw = random.Random(3)
    lines = []
    for _ in range(200):
        labels = draw.sample(list(WORDS), draw.choice([1, 2]))
        words = [draw.choice(WORDS[label]) for label in labels] + draw.sample(COMMON, 2)
        names = [f"#{label.replace(', ', '-')}" for label in labels]
        lines.append(" ".join([*names, *words]))
    path = folder / "train.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path, folder / "model.safetensors"


def test_several_labels_from_training_to_scores(wordgrad, recipes, tmp_path, typed):
    path, model = recipes
    options = ["--label-prefix", "#", "--format", "fasttext"]
    outcome = wordgrad("classify", "train", path, "-o", model, "--loss", "one-vs-all", "--epochs",
                       30, "--workers", 1, "--vector-size", 16, *options)  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "Read 200 texts with 3 labels: " in outcome.err
    for arguments in ([], ["-k", 2], ["--threshold", 0.3]):
        outcome = wordgrad("classify", "test", model, path, *options, *arguments)
        rows = [line.split("\t") for line in outcome.out.splitlines()]
        assert [row[0] for row in rows] == ["labels", "first", *["class"] * 3]
        assert float(rows[0][2]) > 0.9
        assert rows[0][4] == "200"
        assert float(rows[1][1]) > 0.9
    outcome = wordgrad("classify", "test", model, path, *options, "--json", "-")
    record = json.loads(outcome.out)
    classifier = TextClassifier.load(model)
    texts = [
        " ".join(w for w in line.split() if w[0] != "#") for line in path.read_text().splitlines()
    ]
    assert record["labels_given"] == sum(map(len, classifier.predict(texts)))
    assert record["texts"] == 200
    typed(b"good clumsy film\n")
    outcome = wordgrad("classify", "predict", model, "-k", 3, "--threshold", 0.5)
    fields = outcome.out.split("\t")
    assert {fields[0], fields[2]} == {"praise", "blame"}


def test_scores_of_several_labels_fit_the_terminal(wordgrad, recipes, terminal):
    path, model = recipes
    for columns in (100, 40):
        terminal(columns)
        outcome = wordgrad("classify", "test", model, path, "--label-prefix", "#",
                           "--format", "fasttext", "-k", 2)  # fmt: skip
        assert "The first label is right in" in outcome.out.replace("\n", " ")
        assert max(map(len, outcome.out.splitlines())) <= columns


def test_labels_that_a_separator_separates(wordgrad, tmp_path):
    rows = [("a|b", "x y"), ("b", "y z"), ("a", "x w")] * 10
    (tmp_path / "a.tsv").write_text(tab(rows))
    model = tmp_path / "m.safetensors"
    outcome = wordgrad("classify", "train", tmp_path / "a.tsv", "-o", model, "--label-separator",
                       "|", "--epochs", 2, "--workers", 1)  # fmt: skip
    assert "with 2 labels: a 20, b 20" in outcome.err
    outcome = wordgrad("classify", "test", model, tmp_path / "a.tsv", "--label-separator", "|")
    assert outcome.out.startswith("labels\t")


def test_a_model_of_fasttext_is_measured_as_fasttext_does(wordgrad, tmp_path):
    model = FASTTEXT / "softmax_all.bin"
    labels = FastTextClassifier.load(model).labels[:2]
    path = tmp_path / "a.txt"
    path.write_text(f"{labels[0]} ba ke\n{labels[1]} {labels[0]} zu ri\n")
    outcome = wordgrad("classify", "test", model, path, "-k", 2)
    fields = outcome.out.splitlines()[0].split("\t")
    texts, precision, recall = fasttext.load_model(model).test(path, k=2)
    assert [float(fields[1]), float(fields[2])] == pytest.approx([precision, recall])
    assert int(fields[4]) == texts


def test_settings_are_tried_for_some_time(wordgrad, data, tmp_path):
    held = tmp_path / "held.tsv"
    held.write_text(tab(examples(30, seed=2)))
    model = tmp_path / "m.safetensors"
    outcome = wordgrad("classify", "train", data, "-o", model, "--autotune", held, "--duration",
                       "2s", "--workers", 1, "--epochs", 3)  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "Trying settings for 2" in outcome.err
    assert "Trial 1: " in outcome.err
    assert "the settings given" in outcome.err
    assert "The best of " in outcome.err
    assert TextClassifier.load(model).n_iter_ == 3
    refused(wordgrad("classify", "train", data, "-o", tmp_path / "n.safetensors", "--autotune",
                     tmp_path / "none.tsv"), 1, "none.tsv")  # fmt: skip
    refused(wordgrad("classify", "train", data, "-o", tmp_path / "n.safetensors", "--autotune",
                     held, "--duration", "soon"), 2, "is not a span of time")  # fmt: skip
