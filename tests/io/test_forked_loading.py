"""Files of vectors in a process that was forked after Polars had been used."""

from __future__ import annotations

import io
import multiprocessing
import sys
import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgrad.errors import InputError
from wordgrad.io import text as text_rows
from wordgrad.word_vectors import WordVectors, load

WORDS = ["the", "naïve", "no\u00a0break", ""]
MATRIX = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)

bits = st.integers(0, 2**32 - 1)


def floats(patterns):
    return np.array(patterns, dtype=np.uint32).view(np.float32)


def python_rows(block, size, separator=b" ", *, worded=True):
    return text_rows._parsed_by_python(block, separator, size, worded=worded)


def _in_child(folder, queue):
    """Everything that reads and writes without Polars, then what cannot."""
    answers = {}
    for ending in (".txt", ".glove", ".bin", ".tsv", ".npz", ".safetensors"):
        found = load(folder / f"v{ending}")
        found.save(folder / f"again{ending}")
        answers[ending] = list(found.words)
    for name, work in (
        ("read", lambda: load(folder / "v.parquet")),
        ("write", lambda: load(folder / "v.npz").save(folder / "again.parquet")),
    ):
        try:
            work()
        except InputError as error:
            answers[name] = str(error)
    queue.put(answers)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork by default")
def test_a_child_reads_and_writes_what_its_parent_does(tmp_path):
    vectors = WordVectors(WORDS[:3], MATRIX[:3], metadata={"a": 1})
    for ending in (".txt", ".glove", ".bin", ".tsv", ".npz", ".safetensors", ".parquet"):
        vectors.save(tmp_path / f"v{ending}")
    pl.Series(["a b"] * 9).str.split(" ").explode()  # the threads of Polars run now
    load(tmp_path / "v.txt")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python and Polars warn of forks with threads
        child = context.Process(target=_in_child, args=(tmp_path, queue))
        child.start()
    try:
        answers = queue.get(timeout=60)
    finally:
        child.join(10)
        if child.is_alive():
            child.kill()
    assert "Reading Parquet needs the threads of Polars" in answers.pop("read")
    assert "Writing Parquet needs the threads of Polars" in answers.pop("write")
    assert not (tmp_path / "again.parquet").exists()
    assert answers == dict.fromkeys(answers, WORDS[:3])
    for ending in answers:
        again, whole = tmp_path / f"again{ending}", tmp_path / f"v{ending}"
        assert again.read_bytes() == whole.read_bytes()


@settings(max_examples=300)
@given(st.lists(bits, min_size=1, max_size=40))
def test_numbers_are_printed_alike(patterns):
    values = floats(patterns).reshape(-1, 1)
    file = io.BytesIO()
    pl.DataFrame(values).write_csv(file, include_header=False)
    assert text_rows._printed_by_python(None, values, " ").encode() == file.getvalue()


@settings(max_examples=300)
@given(st.lists(bits, min_size=1, max_size=40), st.integers(0, 12))
def test_numbers_are_read_alike(patterns, digits):
    """As they are written, and with digits that make them lie anywhere."""
    values = floats(patterns)
    values = values[np.isfinite(values)].astype(np.float64)
    if not values.size:
        return
    lines = "".join(f"{value:.{digits}e}\n{value!r}\n" for value in values.tolist()).encode()
    expected = pl.read_csv(lines, has_header=False, schema={"a": pl.Float32})["a"].to_numpy()
    found = python_rows(lines, 1, worded=False)
    assert found is not None
    assert found[1].ravel().tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.00000005960464477540", np.nextafter(np.float32(1), np.float32(2))),
        ("1.00000005960464477539", np.float32(1)),
        ("1.000000059604644775390625", np.float32(1)),  # exactly between: to the even one
        ("1.000000178813934326171875", np.float32(1 + 2**-22)),
        ("1.00000017881393432617", np.nextafter(np.float32(1), np.float32(2))),
        ("7.0064923216240853546e-46", np.float32(0)),  # half of the smallest
        ("7.0064923216240853547e-46", np.float32(1e-45)),
        ("3.40282356779733661637539395459e38", np.float32(np.inf)),
        ("3.40282356779733661637539395457e38", np.finfo(np.float32).max),
        ("1e39", np.float32(np.inf)),
        ("-0.0", np.float32(-0.0)),
        ("1e-99999999", np.float32(0)),
    ],
)
def test_numbers_are_rounded_once(text, expected):
    for sign in ("", "-"):
        if text.startswith("-") and sign:
            continue
        found = python_rows(f"{sign}{text}\n".encode(), 1, worded=False)
        right = -expected if sign else expected
        assert found[1][0].tobytes() == np.float32(right).tobytes()


@pytest.mark.parametrize(
    "block",
    [
        b"a 1 2\nb 3\n",
        b"a 1 2\nb 3 x\n",
        b"a 1 2\nb 3 4_0\n",
        b"a 1 2\nb 3 \xc2\xa04\n",
        b"a 1 2\nb 3 4 5\n",
        b"a 1 2\n\xff 3 4\n",
        b"a 1 2\nb  4\n",
        b"a 1 2\nb 3 \t4\n",
        b"a 1 2\nb 3 4\x0b\n",
    ],
)
def test_what_polars_does_not_read_is_not_read(block):
    assert python_rows(block, 2) is None


@pytest.mark.parametrize("name", ["v.txt", "v.glove"])
def test_errors_are_the_same_sentences(tmp_path, monkeypatch, name):
    path = tmp_path / name
    header = "3 2\n" if name == "v.txt" else ""
    told = []
    for lost in (False, True):
        monkeypatch.setattr(text_rows, "forked_after_polars", lambda lost=lost: lost)
        for row in ("b 3 x", "b 3", "b 3 4 5", "b  3", "b 0,5 1", "b 3 0x1"):
            path.write_text(f"{header}a 1 2\n{row}\nc 5 6\n")
            with pytest.raises(InputError) as caught:
                load(path)
            told.append(str(caught.value))
    assert told[: len(told) // 2] == told[len(told) // 2 :]
