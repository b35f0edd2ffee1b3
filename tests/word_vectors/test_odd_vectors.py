"""Vector files and test sets that are pipes, devices, folders; words of ten megabytes."""

import os
import sys
import threading

import pytest

from wordgrad.errors import InputError, UnknownWordError
from wordgrad.evaluation import ScoredPair, read_pairs, read_questions
from wordgrad.io.formats import FORMATS
from wordgrad.word_vectors import WordVectors, load

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
LONG = "x" * 10_000_000
WRITABLE = [known.name for known in FORMATS if known.endings]


@pytest.mark.parametrize("name", WRITABLE)
def test_words_of_ten_megabytes(tmp_path, name):
    vectors = WordVectors(["short", LONG], [[1.0, 2.0], [3.0, 4.0]])
    path = tmp_path / "vectors"
    vectors.save(path, format=name)
    again = load(path, format=name)
    assert again.words == ("short", LONG)
    assert again[LONG].tolist() == [3.0, 4.0]


def test_unknown_words_of_ten_megabytes_are_named_in_short():
    vectors = WordVectors(["y" * 10_000_000, "z"], [[1.0], [2.0]])
    with pytest.raises(UnknownWordError, match=r"^'x{200}\.\.\.' is not among") as caught:
        _ = vectors[LONG]
    assert len(str(caught.value)) < 500


@posix
@pytest.mark.parametrize("format", [None, "glove"])
def test_vectors_are_not_read_from_pipes_and_devices(tmp_path, format):
    pipe = tmp_path / "v.safetensors"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/zero", "/dev/null"):
        with pytest.raises(InputError, match=r"is a pipe or a device.*copy them to a file first"):
            load(path, format=format)


def test_a_name_with_a_nul(tmp_path):
    for read in (load, read_pairs, read_questions):
        with pytest.raises(InputError, match=r"NUL|null"):
            read(str(tmp_path / "a\0b"))


@posix
def test_sets_may_come_through_pipes(tmp_path):
    """As a shell's ``<(zcat pairs.gz)`` gives them."""
    pipe = tmp_path / "pairs"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("a\tb\t1.5\n"))
    writer.start()
    assert read_pairs(pipe) == [ScoredPair("a", "b", 1.5)]
    writer.join()


@pytest.mark.parametrize("read", [read_pairs, read_questions])
def test_sets_that_are_no_sets(tmp_path, read):
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(InputError, match="holds no"):
        read(tmp_path / "empty")
    if sys.platform != "win32":
        with pytest.raises(InputError, match="/dev/zero is larger than 64 MiB"):
            read("/dev/zero")
