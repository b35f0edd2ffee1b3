"""Parquet: tables of other programs, lying sizes, and what would end the process."""

from __future__ import annotations

import base64
import os

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wordgrad.errors import FormatError
from wordgrad.io import common, parquet
from wordgrad.word_vectors import WordVectors, load

# pyarrow 26.0: write_table({"word": ..., "vector": list<float>, "count": int64},
# write_statistics=False, store_schema=False)
PYARROW = base64.b64decode(
    "UEFSMRUEFUQVRkwVCBUAEgAAIkQDAAAAdGhlBgAAAG5hw692ZQkBCixvwqBicmVhawAAAAAVABUUFRgsFQgVEBUGFQYc"
    "AAAACiQCAAAACAECA+QAFQQVQBVETBUQFQASAAAgfAAAAD8AAIC+AADAPwAAAEAAAAAAAACAPwAAQEAAAIBAFQAVIhUm"
    "LBUQFRAVBhUGHAAAABFAAgAAAAOqAgAAABADAwOIxvoVBBVAFThMFQgVABIAACAECQAJAQAECQdAAAIAAAAAAAAAAQAA"
    "AAAAAAAVABUUFRgsFQgVEBUGFQYcAAAACiQCAAAACAECA+QAFQQZbDUAGAZzY2hlbWEVBgAVDCUCGAR3b3JkJQBMHAAA"
    "ADUCGAZ2ZWN0b3IVAhUGTDwAAAA1BBgEbGlzdBUCABUIJQIYB2VsZW1lbnQAFQQlAhgFY291bnQAFggZHBk8JgAcFQwZ"
    "NQAGEBkYBHdvcmQVAhYIFpoBFqABJmomCCksFQQVABUCABUAFRAVAgA8FiQZBhkmAAgAAAAmABwVCBk1AAYQGTgGdmVj"
    "dG9yBGxpc3QHZWxlbWVudBUCFhAWpAEWrAEmiAImqAEpLBUEFQAVAgAVABUQFQIAPCkmCAgZRgAAABAAAAAmABwVBBk1"
    "AAYQGRgFY291bnQVAhYIFpYBFpIBJqgDJtQCKSwVBBUAFQIAFQAVEBUCADwpBhkmAAgAAAAW1AMWCCYIFt4DACggcGFy"
    "cXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZPBwAABwAABwAAABeAQAAUEFSMQ=="
)
WORDS = ["the", "naïve", "no\u00a0break", ""]
MATRIX = np.array([[0.5, -0.25], [1.5, 2], [0, 1], [3, 4]], dtype=np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "v.parquet"


def table(**changes):
    columns = {"word": WORDS, "vector": pl.Series(MATRIX.tolist(), dtype=pl.List(pl.Float32))}
    return pl.DataFrame({**columns, **changes})


def check(vectors):
    assert list(vectors.words) == WORDS
    assert vectors.matrix.tobytes() == MATRIX.tobytes()


def test_a_file_of_pyarrow(path):
    path.write_bytes(PYARROW)
    check(load(path))
    assert load(path).counts.tolist() == [9, 4, 2, 1]


@pytest.mark.parametrize("compression", ["uncompressed", "snappy", "gzip", "lz4", "zstd"])
def test_files_of_polars(path, compression):
    table().write_parquet(path, compression=compression, row_group_size=3)
    check(load(path))


@pytest.mark.parametrize(
    ("word", "vector", "count"),
    [
        (pl.Categorical, pl.List(pl.Float64), pl.UInt8),
        (pl.String, pl.Array(pl.Float64, 2), pl.Int32),
        (pl.String, pl.Array(pl.Float32, 2), pl.UInt64),
    ],
)
def test_columns_of_other_types(path, word, vector, count):
    made = table(count=[4, 3, 2, 1], more=[1, 2, 3, 4]).cast({"word": word, "count": count})
    made.with_columns(pl.Series("vector", MATRIX.tolist(), dtype=vector)).write_parquet(path)
    check(load(path))
    assert load(path).counts.tolist() == [4, 3, 2, 1]


def test_ours_is_a_table_for_polars(path):
    WordVectors(WORDS, MATRIX, [4, 3, 2, 1], {"seed": 1}).save(path)
    found = pl.read_parquet(path)
    assert found.schema == {"word": pl.String, "vector": pl.Array(pl.Float32, 2), "count": pl.Int64}
    assert found["word"].to_list() == WORDS
    assert (found["vector"].to_numpy() == MATRIX).all()
    metadata = pl.read_parquet_metadata(path)
    assert metadata["wordgrad"] == "1"
    assert metadata["wordgrad.metadata"] == '{"seed": 1}'
    assert int(metadata["wordgrad.checksum"][-16:]) == path.stat().st_size


def test_ours_written_anew_by_another_program(path):
    """The checksum, if it is copied, is for a file of another length."""
    WordVectors(WORDS, MATRIX, metadata={"seed": 1}).save(path)
    before = pl.read_parquet_metadata(path)
    kept = {name: value for name, value in before.items() if name.startswith("wordgrad")}
    pl.read_parquet(path).reverse().write_parquet(path, compression="gzip", metadata=kept)
    again = load(path)
    assert list(again.words) == WORDS[::-1]
    assert again.metadata == {"seed": 1}


@pytest.mark.parametrize("step", [1, 2, 3])
def test_rows_may_cross_blocks(path, monkeypatch, step):
    monkeypatch.setattr(parquet, "ROWS_AT_ONCE", step)
    monkeypatch.setattr(parquet, "VALUES_AT_ONCE", 2 * step)
    WordVectors(WORDS, MATRIX, [4, 3, 2, 1]).save(path)
    check(load(path))
    assert load(path).counts.tolist() == [4, 3, 2, 1]


def refused(path, message):
    """The same sentence from this process and from one of its own."""
    with pytest.raises(FormatError, match=rf"v\.parquet .*{message}") as here:
        parquet.parts(path)
    with pytest.raises(FormatError) as there:
        common.read_in_subprocess(path, parquet.__name__)
    assert str(there.value) == str(here.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"word": [1, 2, 3, 4]}, "must hold 'word' as strings, .* got word: Int64"),
        ({"vector": [1.0, 2, 3, 4]}, "'vector' as lists of floats, .* vector: Float64"),
        ({"vector": [[1], [2], [3], [4]]}, r"'vector' as lists of floats, .* List\(Int64\)"),
        ({"count": [1.5, 2, 3, 4]}, "'count', if there is one, as integers, .* count: Float64"),
        ({"word": ["a", None, "b", "c"]}, "has a missing value in 'word'"),
        ({"vector": [None, [1.0], [2.0], [3.0]]}, "has a missing value in 'vector'"),
        ({"vector": [[1.0], [1.0], None, [3.0]]}, "has a missing value in 'vector'"),
        ({"vector": [[1.0, 2], [None, 1], [2, 3], [3, 4]]}, "has a missing value in 'vector'"),
        ({"count": [1, None, 3, 4]}, "has a missing value in 'count'"),
        ({"vector": [[1.0, 2], [1], [2, 3], [3, 4]]}, "a vector of 1 values in row 1, not the 2"),
        ({"vector": pl.Series([[]] * 4, dtype=pl.List(pl.Float32))}, "vectors of no values"),
    ],
)
def test_tables_that_do_not_fit(path, change, message):
    table(**change).write_parquet(path)
    refused(path, message)


def test_tables_without_what_is_needed(path):
    table().rename({"vector": "embedding"}).write_parquet(path)
    refused(path, r"without the columns 'word' and 'vector' \(it holds word, embedding\)")
    table().clear().write_parquet(path)
    refused(path, "holds no words")
    table().write_parquet(path, metadata={"wordgrad": "2"})
    refused(path, "has layout '2' and this version of wordgrad reads '1'")
    table().write_parquet(path, metadata={"wordgrad.metadata": "{"})
    refused(path, "its metadata is not JSON")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": [1, 2, -3, 4]}, r"'no\\xa0break' \(row 2\) was seen -3 times"),
        (
            {"vector": [[1.0, 2.0], [1.0, 2.0], [2.0, np.nan], [3.0, 4.0]]},
            r"holds nan in row 2 .* value 2",
        ),
        (
            {"vector": [[1.0, 2.0], [1.0, 1e39], [2.0, 3.0], [3.0, 4.0]]},
            r"holds inf in row 1 .* value 2",
        ),
    ],
)
def test_values_that_cannot_be(path, change, message):
    table(**change).write_parquet(path)
    with pytest.raises(FormatError, match=rf"v\.parquet .*{message}"):
        load(path)


def test_more_than_the_machine_has(path, monkeypatch):
    """Parquet holds a row of zeros, however often it comes, in no more than some bytes."""
    table().write_parquet(path)
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 31}.get, raising=False)
    with pytest.raises(FormatError, match="promises 32 bytes, and this machine has 31 bytes"):
        parquet.parts(path)


def test_ends_that_are_missing(path):
    for content in (PYARROW[:-1], PYARROW[1:], b"PAR1", b"PAR1PAR1", b"PAR1" + bytes(3) + b"PAR1"):
        path.write_bytes(content)
        with pytest.raises(FormatError, match="an end of it is missing"):
            load(path, format="parquet")
    path.write_bytes(PYARROW[:-8] + b"\xff\xff\xff\x7fPAR1")
    with pytest.raises(FormatError, match=f"footer cannot have 2147483647 bytes of {len(PYARROW)}"):
        load(path)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8, deadline=None
)
@given(data=st.data())
def test_a_damaged_file_of_another_program_is_one_sentence(tmp_path, data):
    """Polars may panic, or end its process: neither reaches this one, nor its standard error."""
    path = tmp_path / "bad.parquet"
    whole = bytearray(PYARROW)
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, len(whole) - 9))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    try:
        found = load(path)
    except FormatError as error:
        assert_named = "bad.parquet" in str(error)
    else:
        assert_named = found.matrix.shape[0] == len(found.words)
    assert assert_named


def test_sizes_that_lie(path):
    """Every byte of the footer and of the page headers in turn as large as a byte can be."""
    refused_bytes = 0
    for place in range(40, len(PYARROW) - 9, 53):
        path.write_bytes(PYARROW[:place] + b"\xff" * 3 + PYARROW[place + 3 :])
        try:
            load(path, allow_nonfinite=True)
        except FormatError:
            refused_bytes += 1
    assert refused_bytes > 4


def test_a_number_of_rows_that_lies(path, capfd):
    """In the footer, and in its group of rows, where Polars panics in a thread and goes on."""
    of_file, of_group = PYARROW.index(b"\x16\x08\x19") + 1, PYARROW.rindex(b"\x16\x08&\x08") + 1
    for place, rows in ((of_file, 5), (of_group, 4)):
        path.write_bytes(PYARROW[:place] + b"\x0a" + PYARROW[place + 1 :])
        with pytest.raises(
            FormatError, match=rf"v\.parquet holds \d of the {rows} rows it promises"
        ):
            load(path)
    assert capfd.readouterr().err == ""


def test_a_process_that_ends_is_one_sentence(tmp_path, monkeypatch):
    module = tmp_path / "hostile_reader.py"
    monkeypatch.syspath_prepend(tmp_path)
    module.write_text("import os\ndef parts(path):\n    os._exit(7)\n")
    with pytest.raises(
        FormatError, match=r"v\.parquet is damaged so that .* \(exit status 7\); fet"
    ):
        common.read_in_subprocess(tmp_path / "v.parquet", "hostile_reader")
    module.write_text("def parts(path):\n    raise RuntimeError\n")
    with pytest.raises(FormatError, match=r"\(exit status 1\); fetch an undamaged copy"):
        common.read_in_subprocess(tmp_path / "v.parquet", "hostile_reader")


def test_a_file_without_our_checksum_is_tried_first(path, monkeypatch):
    def refuse(tried, module):
        raise FormatError(f"{tried} was tried by {module}")

    monkeypatch.setattr(parquet, "read_in_subprocess", refuse)
    path.write_bytes(PYARROW)
    with pytest.raises(FormatError, match=r"v\.parquet was tried by wordgrad.*\.parquet"):
        load(path)


def test_ours_needs_no_other_process(path, monkeypatch):
    WordVectors(WORDS, MATRIX).save(path)
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(parquet, "read_in_subprocess", pytest.fail)
    check(load(path))
