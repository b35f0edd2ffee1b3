"""Texts a line: none is lost, joined or invented, however the bytes come."""

import gzip
import io
import sys

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wordgrad.corpus.reader import read_lines
from wordgrad.errors import InputError, ParameterError


def texts(source, **options):
    return [text for lines in read_lines(source, **options) for text in lines.texts]


LINES = st.lists(st.text(alphabet="ab é中\t\u2028\x85\x0b", max_size=6), max_size=12)


class Dribble(io.RawIOBase):
    """Bytes that come a few at a time, as through a pipe."""

    def __init__(self, data, step):
        self._parts = [data[i : i + step] for i in range(0, len(data), step)]

    def read(self, size=-1):
        return self._parts.pop(0) if self._parts else b""

    def readable(self):
        return True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]), step=st.integers(1, 9))
def test_every_line_is_a_text(tmp_path, lines, end, step):
    data = "".join(f"{line}{end}" for line in lines).encode()
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    assert texts(path) == lines
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Dribble(data, step))))
        assert texts("-") == lines


def test_a_last_line_without_its_end(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\n\ntwo")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"three"))
    (tmp_path / "c.txt").write_bytes(b"")
    assert texts(tmp_path) == ["one", "", "two", "three"]


def test_cells_are_texts(tmp_path):
    pl.DataFrame({"id": [1, 2, 3], "text": ["one\ntwo", None, "three"]}).write_parquet(
        tmp_path / "a.parquet"
    )
    assert texts(tmp_path / "a.parquet") == ["one two", "", "three"]


def test_lines_are_given_as_soon_as_they_are_there():
    seen = []

    class Source(Dribble):
        def read(self, size=-1):
            seen.append("read")
            return super().read(size)

    with pytest.MonkeyPatch.context() as patch:
        source = Source(b"one\ntwo\n", 4)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(source)))
        for lines in read_lines("-"):
            seen += lines.texts
    assert seen[:4] == ["read", "one", "read", "two"]


def test_bad_bytes_are_named_or_counted(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\n" * 5 + b"t\xffo\n")
    with pytest.raises(InputError, match=r"a\.txt, line 6, is not valid UTF-8"):
        texts(path)
    assert sum(lines.replaced for lines in read_lines(path, errors="replace")) == 1
    assert texts(path, errors="replace")[-1] == "t\ufffdo"


@pytest.mark.parametrize("step", [3, 1 << 16])
def test_lines_are_counted_across_reads(tmp_path, step):
    data = b"one two\n" * 400_000 if step > 3 else b"one two\n" * 9
    path = tmp_path / "a.txt"
    path.write_bytes(data + b"t\xffo")
    wanted = f"line {data.count(bytes([10])) + 1}, is not valid UTF-8"
    with pytest.raises(InputError, match=wanted):
        texts(path)
    source = io.TextIOWrapper(io.BufferedReader(Dribble(path.read_bytes(), step)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", source)
        with pytest.raises(InputError, match=f"standard input, {wanted}"):
            texts("-")


def test_wrong_arguments(tmp_path):
    (tmp_path / "a.txt").write_text("x\n")
    with pytest.raises(ParameterError, match="column is for"):
        texts(tmp_path / "a.txt", column="x")
    with pytest.raises(ParameterError, match="errors must be one of"):
        texts(tmp_path / "a.txt", errors="ignore")
    with pytest.raises(InputError, match="Lines are read from files"):
        texts(iter(["x"]))
