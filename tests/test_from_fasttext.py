"""The tables for people who come from fastText: ours runs, and gives what fastText gives."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import wordgrad.compat.fasttext
from wordgrad import FastTextClassifier, TextClassifier, WordVectors, load
from wordgrad.cli.app import app
from wordgrad.errors import TrainingWarning

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "from-fasttext.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \| ?(.*?) ?\|$", DOCUMENT, re.MULTILINE)
COMMANDS = re.findall(r"^\| `(fasttext .+?)` \| `(wordgrad .+?)` \|$", DOCUMENT, re.MULTILINE)
MODELS = {
    "model.bin": "softmax_all.bin",
    "model.ftz": "hs_pruned.ftz",
    "vectors.bin": "skipgram.bin",
}
LINES = ["bake zu ri", "unknown words", "té šo 東"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with the files that the document names."""
    for name, source in MODELS.items():
        shutil.copy(ROOT / "tests" / "fasttext_models" / source, tmp_path / name)
    labelled = ["__label__l1 bake zu", "__label__l0 ri mo __label__l1", "__label__l2 keke"]
    for name, lines in (
        ("labelled.txt", labelled),
        ("valid.txt", labelled),
        ("hashes.txt", [line.replace("__label__", "#") for line in labelled]),
    ):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
    (tmp_path / "text.txt").write_text("".join(f"{line}\n" for line in LINES))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ours(folder) -> dict[str, Any]:
    """What the second column may name."""
    return {
        "FastTextClassifier": FastTextClassifier,
        "TextClassifier": TextClassifier,
        "wordgrad": wordgrad,
        "load": load,
        "classifier": FastTextClassifier.load("model.bin"),
        "small": FastTextClassifier.load("model.bin").quantize(norms=True),
        "fasttext": wordgrad.compat.fasttext,
        "vectors": load("vectors.bin"),
        "lines": LINES,
    }


def same(ours: Any, theirs: Any) -> None:
    """Assert that two results are equal, up to the rounding of float32."""
    if isinstance(ours, FastTextClassifier):
        assert list(ours.labels) == theirs.get_labels()
    elif isinstance(ours, WordVectors):
        assert list(ours.words) == theirs.get_words()
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            same(mine, other)
    elif isinstance(ours, dict):
        assert set(ours) == set(theirs)
        for name, value in ours.items():
            same(value, theirs[name])
    elif isinstance(ours, str | bool | int):
        assert ours == theirs
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_the_tables_are_found() -> None:
    assert len(ROWS) >= 20
    assert len(COMMANDS) == 17
    assert sum(not difference for _, _, difference in ROWS) >= 8


@pytest.mark.parametrize("call", [row[1] for row in ROWS])
@pytest.mark.filterwarnings("ignore::wordgrad.errors.TrainingWarning")  # of a text of three lines
def test_our_column_runs(call: str, ours: dict[str, Any]) -> None:
    exec(call, ours)


@pytest.mark.parametrize(
    ("theirs", "call", "difference"),
    # What changes or writes a model is compared in tests/classification/test_quantisation.py, and
    # what is trained is never the same twice.
    [
        row
        for row in ROWS
        if not re.search(r"\.(quantize|save_model|train_\w+)\(|^fasttext [a-z]", row[0])
    ],
)
def test_both_columns_agree(
    theirs: str, call: str, difference: str, ours: dict[str, Any], folder: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fasttext = pytest.importorskip("fasttext", reason="fasttext is not installed")
        file = "vectors.bin" if "vectors" in call else "model.bin"
        names = {"fasttext": fasttext, "model": fasttext.load_model(file), "lines": LINES}
        wanted = eval(theirs, names)
    found = eval(call, ours)
    if "get_nearest_neighbors" in theirs:
        assert [word for word, _ in found] == [word for _, word in wanted]
        np.testing.assert_allclose(
            [cosine for _, cosine in found], [cosine for cosine, _ in wanted], atol=1e-5
        )
    elif "get_analogies" in theirs:
        assert difference
        assert [word for word, _ in found] == [word for _, word in wanted]
    else:
        same(found, wanted)


@pytest.mark.parametrize("command", [ours for _, ours in COMMANDS])
def test_our_commands_run(command: str, folder: Path) -> None:
    program, *arguments = shlex.split(command)
    assert program == "wordgrad"
    done = CliRunner().invoke(app, arguments, input="".join(f"{line}\n" for line in LINES))
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    if arguments[0] == "train":
        assert load("vectors.safetensors").subwords is not None
        return
    if "train" in arguments:
        assert TextClassifier.load("model.safetensors").classes_.tolist() == ["l0", "l1", "l2"]
        return
    if "quantize" in arguments:
        assert FastTextClassifier.load("small.ftz").labels
        return
    if "predict" not in arguments:
        assert lines
        return
    classifier = FastTextClassifier.load(arguments[2])
    top = int(arguments[arguments.index("-k") + 1]) if "-k" in arguments else 1
    threshold = 0.1 if "--threshold" in arguments else 0.0
    for line, labels, shares in zip(
        lines, *classifier.predict(LINES, k=top, threshold=threshold), strict=True
    ):
        fields = line.split("\t")
        if top == 1:
            assert fields == list(labels)
        else:
            assert fields[::2] == list(labels)
            assert [float(field) for field in fields[1::2]] == pytest.approx(shares, abs=1e-6)


def test_the_example_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy("model.bin", "lid.176.ftz")
    shutil.copy("text.txt", "texts.txt")
    text = [*LINES, *LINES[::-1]] * 10
    Path("text.txt").write_text("".join(f"{line}\n" for line in text))
    block, training, same_calls, in_its_place = re.findall(
        r"^```python\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        exec(training, {})
    assert load("trained.bin")["unseenword"].any()
    exec(same_calls, {})
    monkeypatch.setitem(sys.modules, "fasttext", None)
    exec(in_its_place, {})
    assert sys.modules["fasttext"].load_model("model.bin").predict("bake zu")
    assert "predict_stream(open(" in block
    names: dict[str, Any] = {"open": lambda name: io.StringIO(Path(name).read_text())}
    exec(block, names)
    assert names["labels"][0].startswith("__label__")
