"""A process that was forked after its parent had worked answers as the parent does."""

import json
import multiprocessing
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork"
)

SECONDS = 60  # for what takes two; a child without its threads waits for ever

PARENT = """
import json, multiprocessing, os, sys, tempfile
from concurrent.futures import ProcessPoolExecutor
import numpy as np
import polars
from wordgrad import TextClassifier
from wordgrad.corpus.tokenizer import TextBlock, Tokenizer
from wordgrad.errors import WordgradError

texts = ["a good film", "a bad film", "fine acting", "dull acting"] * 25
labels = [1, 0, 1, 0] * 25
new = ["good acting", "bad and dull", ""]
settings = {"epochs": 2, "vector_size": 64}
model = TextClassifier(**settings).fit(texts, labels)
path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
model.save(path)
if sys.argv[1] == "used":  # Polars' threads, and those of BLAS
    Tokenizer("[a-z]+").encode(TextBlock(b"one two\\n" * 1000))
    polars.DataFrame({"x": range(100_000)}).sort("x")
    large = np.ones((600, 600))
    large @ large


def work(name):
    if name == "predict":
        return model.predict(new).tolist() + model.predict_proba(new).tolist()
    if name == "explain":
        large @ large
        return model.explain("a good film")
    if name == "load":
        return TextClassifier.load(path).predict(new).tolist()
    if name == "fit":
        other = TextClassifier(early_stopping=True, **settings).fit(texts, labels)
        return other.predict_proba(new).tolist()
    try:
        other = TextClassifier(pattern="[a-z]+", **settings).fit(texts, labels)
        return other.predict(new).tolist()
    except WordgradError as error:
        return str(error)


large = np.ones((600, 600))
answers = {name: [work(name), None] for name in ("predict", "explain", "load", "fit")}
answers["pattern"] = [None, None]
context = multiprocessing.get_context("fork")
with ProcessPoolExecutor(1, mp_context=context) as pool:
    for name in answers:
        answers[name][1] = pool.submit(work, name).result()
read, write = os.pipe()  # as gunicorn --preload does
if os.fork() == 0:
    os.write(write, json.dumps(work("predict")).encode())
    os._exit(0)
answers["server"] = [work("predict"), json.loads(os.read(read, 10**6))]
print(json.dumps(answers))
"""


@pytest.mark.parametrize("parent", ["used", "fresh"])
def test_a_forked_child_answers_as_its_parent_does(parent):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PARENT, parent],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    _, with_pattern = answers.pop("pattern")
    assert set(answers) == {"predict", "explain", "load", "fit", "server"}
    for name, (expected, got) in answers.items():
        assert got == expected, name
    if parent == "fresh":
        assert with_pattern[:2] == [1, 0]
    else:  # Polars finds the matches, and its threads are gone
        assert with_pattern.startswith("pattern needs the threads of Polars")
        assert "spawn" in with_pattern
