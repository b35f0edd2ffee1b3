"""A forked child knows whether Polars' threads were lost with the fork."""

import subprocess
import sys

import pytest

CODE = """
import os, sys
{before}
import wordgrad.processes as processes
{after}
child = os.fork()
if child == 0:
    try:
        processes.refuse_after_fork("Reading a table")
    except wordgrad.errors.InputError as error:
        print(processes.forked_after_polars(), error, flush=True)
    else:
        print(processes.forked_after_polars(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(processes.forked_after_polars())
"""
USE = 'import polars; polars.Series(["a b"] * 9).str.split(" ").explode()'


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names threads in /proc")
@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [("", "", False), ("import polars", "", False), ("", USE, True), (USE, "", True)],
)
def test_a_child_knows_that_the_threads_are_lost(before, after, lost):
    code = CODE.format(before=before, after="import wordgrad.errors; " + after)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    child, parent = done.stdout.splitlines()
    assert parent == "False"
    assert child.startswith(str(lost))
    if lost:
        assert "Reading a table needs the threads of Polars" in child
        assert '"spawn" or "forkserver"' in child


USER = """
import os, sys, tempfile, pathlib
from wordgrad import Word2Vec, TextClassifier, encode_corpus
from wordgrad.corpus.labelled import read_labelled
from wordgrad.corpus.reader import read_lines

here = pathlib.Path(tempfile.mkdtemp())
(here / "a.txt").write_text("ΟΔΟΣ İst To be\\n\\nto be or\\n")
(here / "a.csv").write_text("label,text\\ngood,a joy\\n")
(here / "labels.txt").write_text("good\\ta joy\\n")
lists = [["to", " ", "be", "\\x1f"], ["", "to", "\\x1f\\x1f", "\\x1f"]]

def encoded(source, **options):
    with encode_corpus(source, min_count=1, **options) as corpus:
        words = corpus.vocabulary
        return words.words, words.counts.tolist(), corpus.ids.tolist(), corpus.offsets.tolist()

texts = ["the king rules the land", "the queen rules the sea"] * 20
classifier = TextClassifier(epochs=1).fit(texts, ["a", "b"] * 20)

def results():
    training = Word2Vec(vector_size=4, min_count=1, sample=0, workers=1, epochs=1)
    found = [
        encoded(["to be", "or to"]),
        encoded(lists),
        encoded(iter(["To be", "or to"]), lowercase=True),
        encoded(here / "a.txt", workers=4),
        encoded(here / "a.txt", lowercase=True, max_vocab=3),
        [lines.texts for lines in read_lines(here / "a.txt")],
        read_labelled(here / "labels.txt"),
        classifier.predict(["The King"]).tolist(),
        training.fit(texts).vectors_.matrix.tolist(),
    ]
    for refused in (
        lambda: encoded(here / "a.csv", column="text"),
        lambda: read_labelled(here / "a.csv"),
        lambda: list(read_lines(here / "a.csv", column="text")),
        lambda: encoded(["to be", "or to"], pattern="[a-z]+"),
    ):
        try:
            refused()
            found.append("answered")
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    return found

parent = results()
child = os.fork()
if child == 0:
    try:
        mine = results()
        assert mine[:-4] == parent[:-4], (mine, parent)
        assert parent[-4:] == ["answered"] * 4
        for message in mine[-4:]:
            assert message.startswith("InputError") and "forkserver" in message, message
        print("as the parent", flush=True)
    finally:
        os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names threads in /proc")
def test_a_child_answers_what_its_parent_answers():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", USER], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "as the parent\n", done.stderr
