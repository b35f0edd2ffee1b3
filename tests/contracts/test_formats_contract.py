"""What every file format keeps, over every format there is."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wordgrad.errors import FormatError, InputError, OutputError
from wordgrad.vectors import WordVectors, load
from wordgrad.vectors.formats import FORMATS

WORDS = ["the", "naïve", "東京", "a b", "no\u00a0break", "", "\n", "🙂"]
METADATA = {"training": {"epochs": 5, "column": None}, "history": [{"loss": 2.5}], "é": "ü"}


@pytest.fixture(params=FORMATS, ids=lambda known: known.name)
def ending(request):
    return request.param.endings[0]


@pytest.fixture
def saved(tmp_path, ending):
    matrix = np.random.default_rng(0).normal(size=(len(WORDS), 5)).astype(np.float32)
    vectors = WordVectors(WORDS, matrix, [9, 8, 7, 6, 5, 4, 3, 2], METADATA)
    path = tmp_path / f"v{ending}"
    vectors.save(path)
    return path, vectors


def test_round_trip(saved):
    path, vectors = saved
    again = load(path)
    assert again.words == vectors.words
    assert (again.matrix == vectors.matrix).all()
    assert (again.counts == vectors.counts).all()
    assert again.metadata == METADATA
    assert [word for word, _ in again.most_similar("the")] == [
        word for word, _ in vectors.most_similar("the")
    ]
    with pytest.raises(ValueError, match="read-only"):
        again.matrix[0, 0] = 1.0


def test_counts_may_be_missing(tmp_path, ending):
    WordVectors(["a"], [[1.0]]).save(tmp_path / f"v{ending}")
    assert load(tmp_path / f"v{ending}").counts is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    words=st.lists(st.text(st.characters(codec="utf-8"), max_size=5), unique=True, min_size=1),
    size=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
def test_any_vectors_survive(tmp_path, ending, words, size, seed):
    bits = np.random.default_rng(seed).integers(0, 2**32, (len(words), size), dtype=np.uint32)
    matrix = bits.view(np.float32)
    matrix[~np.isfinite(matrix)] = -0.0
    WordVectors(words, matrix).save(tmp_path / f"v{ending}", overwrite=True)
    again = load(tmp_path / f"v{ending}")
    assert list(again.words) == words
    assert again.matrix.tobytes() == matrix.tobytes()


def test_every_flipped_bit_is_found(saved, tmp_path, ending):
    path, _ = saved
    whole = path.read_bytes()
    bad = tmp_path / f"bad{ending}"
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        bad.write_bytes(damaged)
        with pytest.raises(FormatError, match=r"bad.* (damaged|not a whole|not one of|layout)"):
            load(bad)


def test_every_cut_is_found(saved, tmp_path, ending):
    path, _ = saved
    whole = path.read_bytes()
    bad = tmp_path / f"bad{ending}"
    for length in range(0, len(whole), 7):
        bad.write_bytes(whole[:length])
        with pytest.raises(FormatError, match=r"bad.* (damaged|not a whole)"):
            load(bad)
    bad.write_bytes(whole + b"x")
    with pytest.raises(FormatError, match="not a whole"):
        load(bad)


def test_an_existing_file_is_kept_unless_overwritten(saved):
    path, vectors = saved
    before = path.read_bytes()
    other = WordVectors(["x"], [[1.0]])
    with pytest.raises(OutputError, match="exists already"):
        other.save(path)
    assert path.read_bytes() == before
    other.save(path, overwrite=True)
    assert load(path).words == ("x",)
    assert vectors.words == tuple(WORDS)


def test_a_map_outlives_the_file_it_was_made_from(saved):
    path, vectors = saved
    again = load(path)
    WordVectors(["x"], [[1.0]]).save(path, overwrite=True)
    assert (again.matrix == vectors.matrix).all()


def test_a_failed_write_leaves_nothing(tmp_path, ending):
    path = tmp_path / f"v{ending}"
    with pytest.raises(OutputError, match="cannot be written as UTF-8"):
        WordVectors(["\ud800"], [[1.0]]).save(path)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_disk_that_fills_is_one_sentence(tmp_path, ending):
    """A limit on file sizes stands for the full disk: the write fails half way."""
    program = f"""
        import resource, signal
        from wordgrad.errors import OutputError
        from wordgrad.vectors import WordVectors
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            WordVectors([str(i) for i in range(1000)], [[1.0] * 8] * 1000).save("v{ending}")
        except OutputError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"v{ending} could not be written (")
    assert os.listdir(tmp_path) == []


def test_files_that_are_not_there(tmp_path, ending):
    with pytest.raises(InputError, match=r"no\.\w+ cannot be opened \(No such file"):
        load(tmp_path / f"no{ending}")
    with pytest.raises(InputError, match="is a directory; name a file"):
        load(tmp_path)
    with pytest.raises(OutputError, match=r"output folder .* does not exist"):
        WordVectors(["x"], [[1.0]]).save(tmp_path / "no" / f"v{ending}")


@pytest.mark.parametrize("name", ["v", "v.bin", "safetensors", "v.safetensors.txt"])
def test_endings_that_mean_nothing(tmp_path, name):
    with pytest.raises(OutputError, match=r"end it in \.safetensors"):
        WordVectors(["x"], [[1.0]]).save(tmp_path / name)


@pytest.mark.parametrize(
    "content",
    [b"", b"2 3\na 1 2 3\nb 4 5 6\n", b"\x80\x04\x95pickle", b"PK\x03\x04zip", bytes(100)],
)
def test_files_of_another_format(tmp_path, content):
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"other\.safetensors is not a whole safetensors file"):
        load(path)
