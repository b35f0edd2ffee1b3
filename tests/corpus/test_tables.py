import csv
import gzip
import io
import json
from itertools import pairwise

import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wordgrad.corpus.corpus import encode_corpus
from wordgrad.corpus.tables import whole_rows
from wordgrad.errors import InputError

CELLS = st.lists(
    st.none() | st.text(alphabet="abc é中,;\"'\\\t\n\r{}", max_size=12), min_size=1, max_size=12
)


def write_table(path, columns):
    """The same table in the format of the suffix, written by other libraries than ours."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    name = path.name
    if ".parquet" in name:
        pl.DataFrame(columns).write_parquet(path, row_group_size=3)
        return path
    if "json" in name:
        text = "".join(json.dumps(row, ensure_ascii=len(rows) % 2 == 0) + "\n" for row in rows)
    else:
        out = io.StringIO()
        separator = "\t" if ".tsv" in name else ","
        writer = csv.DictWriter(out, list(columns), delimiter=separator, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        text = out.getvalue()
    data = text.encode()
    if name.endswith(".gz"):
        data = gzip.compress(data)
    elif name.endswith(".zst"):
        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


def sentences(source, **options):
    with encode_corpus(source, **{"min_count": 1, "workers": 2, **options}) as corpus:
        words = corpus.vocabulary.words
        bounds = corpus.offsets.tolist()
        report = corpus.report
        return [[words[i] for i in corpus.ids[a:b]] for a, b in pairwise(bounds)], report


SUFFIXES = [".jsonl", ".ndjson.gz", ".csv", ".csv.gz", ".tsv", ".tsv.zst", ".jsonl.zst", ".parquet"]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv.gz", ".parquet"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
@given(cells=CELLS)
def test_each_cell_is_a_sentence(cells, suffix, tmp_path):
    # Two words that are always there, and a second column that must not be read.
    cells = ["first words", *cells]
    path = write_table(tmp_path / f"table{suffix}", {"id": ['x"x, no'] * len(cells), "text": cells})
    found, report = sentences(path)
    assert found == [cell.split() for cell in cells if cell and cell.split()]
    assert report.sentences_read == len(cells)
    assert report.bytes_read == path.stat().st_size


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_and_compression(tmp_path, suffix):
    columns = {"id": list(range(40)), "body": [f"w{i % 7} is 'w{i}'\nnext" for i in range(40)]}
    path = write_table(tmp_path / f"t{suffix}", columns)
    wanted = [cell.split() for cell in columns["body"]]
    assert sentences(path)[0] == wanted
    assert sentences(path, column="body")[0] == wanted


def test_tables_of_several_blocks(tmp_path):
    columns = {
        "id": list(range(50_000)),
        "text": [f'word{i % 900} "is" here\n' * 4 for i in range(50_000)],
    }
    for suffix in [".jsonl", ".csv", ".parquet"]:
        path = write_table(tmp_path / f"t{suffix}", columns)
        seen = []
        with encode_corpus(path, min_count=1, progress=seen.append) as corpus:
            assert len(corpus) == 50_000
            assert corpus.report.tokens_read == 600_000
            assert corpus.vocabulary.counts[:2].tolist() == [200_000, 200_000]
        done = [state.bytes_done for state in seen]
        assert done == sorted(done)
        assert done[-1] == path.stat().st_size == seen[-1].bytes_total


def test_a_cell_longer_than_a_block(tmp_path):
    long = "one two three " * 500_000
    for suffix in [".jsonl", ".csv", ".parquet"]:
        path = write_table(tmp_path / f"t{suffix}", {"text": ["a b", long, "c"]})
        found, _ = sentences(path)
        assert list(map(len, found)) == [2, 1_500_000, 1]


def test_text_and_tables_together(tmp_path):
    write_table(tmp_path / "a.csv", {"n": [1], "review": ["good film"]})
    (tmp_path / "b.txt").write_text("bad film\n")
    assert sentences(tmp_path)[0] == [["good", "film"], ["bad", "film"]]
    assert sentences(tmp_path, column="review")[0] == [["good", "film"], ["bad", "film"]]


def test_pattern_and_lower_case_apply_to_cells(tmp_path):
    path = write_table(tmp_path / "t.jsonl", {"text": ["It's, OK\r\nno", "YES!"]})
    assert sentences(path, pattern=r"[a-z']+", lowercase=True)[0] == [["it's", "ok", "no"], ["yes"]]


@pytest.mark.parametrize("suffix", SUFFIXES)
class TestColumns:
    def test_text_is_preferred(self, tmp_path, suffix):
        path = write_table(tmp_path / f"t{suffix}", {"title": ["no no"], "text": ["yes it is"]})
        assert sentences(path)[0] == [["yes", "it", "is"]]

    def test_another_column_by_name(self, tmp_path, suffix):
        path = write_table(tmp_path / f"t{suffix}", {"title": ["a title"], "text": ["yes it is"]})
        assert sentences(path, column="title")[0] == [["a", "title"]]

    def test_a_missing_column_lists_those_there_are(self, tmp_path, suffix):
        path = write_table(tmp_path / f"t{suffix}", {"id": [1], "body": ["a b"]})
        with pytest.raises(InputError, match=r"has no column 'text'; its columns are 'id', 'body'"):
            encode_corpus(path, column="text")

    def test_an_unclear_column_lists_them_too(self, tmp_path, suffix):
        path = write_table(tmp_path / f"t{suffix}", {"one": ["a b"], "two": ["c d"]})
        with pytest.raises(InputError, match=r"has 2 columns of strings; .*'one', 'two'"):
            encode_corpus(path)

    def test_no_column_of_strings(self, tmp_path, suffix):
        path = write_table(tmp_path / f"t{suffix}", {"one": [1], "two": [2]})
        with pytest.raises(InputError, match=r"has 0 columns of strings; .*'one', 'two'"):
            encode_corpus(path)


def test_a_column_of_numbers(tmp_path):
    for suffix in [".jsonl", ".parquet"]:
        path = write_table(tmp_path / f"t{suffix}", {"n": [1, 2], "text": ["a", "b"]})
        with pytest.raises(InputError, match=r"column 'n' of .* holds Int64, not strings"):
            encode_corpus(path, column="n")
    # In CSV everything is text.
    path = write_table(tmp_path / "t.csv", {"n": [10, 20], "text": ["a", "b"]})
    assert sentences(path, column="n")[0] == [["10"], ["20"]]


def test_json_lines_may_be_blank_or_lack_the_key(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('\ufeff{"text": "a b"}\r\n\r\n{"other": 1}\r\n{"text": null}\r\n{"text": "c"}')
    assert sentences(path)[0] == [["a", "b"], ["c"]]


def test_csv_as_spreadsheets_write_it(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('\ufeff"the, id","my text"\r\n1,"a, b"\r\n\r\n2,"c ""d"""\r\n3\r\n')
    assert sentences(path)[0] == [["a,", "b"], ["c", '"d"']]
    assert sentences(path, column="the, id")[0] == [["1"], ["2"], ["3"]]


class TestDamage:
    def test_json(self, tmp_path):
        path = tmp_path / "t.jsonl"
        good = '{"text": "a b"}\n'
        path.write_text(good * 3 + '{"text": "a b"\n' + good)
        with pytest.raises(InputError, match=r"t\.jsonl is not valid JSONL in line 4 \(Expecting"):
            encode_corpus(path)
        path.write_text(good + "[1, 2]\n")
        with pytest.raises(InputError, match=r"in line 2 \(not an object\); correct the file"):
            encode_corpus(path)

    def test_json_far_into_the_file(self, tmp_path):
        path = tmp_path / "t.jsonl"
        path.write_text('{"text": "one two three"}\n' * 200_000 + "{bad}\n")
        with pytest.raises(InputError, match="in line 200001 "):
            encode_corpus(path)

    def test_csv(self, tmp_path):
        path = tmp_path / "t.csv"
        path.write_text("id,text\n1,a,b\n")
        with pytest.raises(InputError, match=r"t\.csv is not valid CSV in lines 1 to 2 \(.*fields"):
            encode_corpus(path)
        path.write_text('id,text\n1,"never closed\n2,b\n')
        with pytest.raises(InputError, match=r"t\.csv is not valid CSV in lines 2 to 3 "):
            encode_corpus(path)

    @pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".csv.gz"])
    def test_an_empty_file(self, tmp_path, suffix):
        path = tmp_path / f"t{suffix}"
        path.write_bytes(gzip.compress(b"") if suffix.endswith(".gz") else b"")
        with pytest.raises(InputError, match=r"There are no tokens in .*t\."):
            encode_corpus(path)

    def test_a_header_alone(self, tmp_path):
        path = tmp_path / "t.csv"
        path.write_text("id,text\n")
        with pytest.raises(InputError, match=r"There are no tokens in .*t\.csv"):
            encode_corpus(path)

    def test_parquet(self, tmp_path):
        path = write_table(tmp_path / "t.parquet", {"text": ["a b", "c d"] * 1000})
        data = path.read_bytes()
        path.write_bytes(data[:-20])
        with pytest.raises(InputError, match=r"t\.parquet cannot be read as Parquet \("):
            encode_corpus(path)
        path.write_bytes(b"")
        with pytest.raises(InputError, match=r"t\.parquet cannot be read as Parquet \("):
            encode_corpus(path)

    def test_compressed_parquet(self, tmp_path):
        path = tmp_path / "t.parquet.gz"
        path.write_bytes(gzip.compress(b"PAR1"))
        with pytest.raises(InputError, match=r"parquet\.gz is a compressed Parquet file; decomp"):
            encode_corpus(path)

    @pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
    def test_invalid_utf8(self, tmp_path, suffix):
        path = write_table(tmp_path / f"t{suffix}", {"text": ["a b"] * 5 + ["c XX d"]})
        path.write_bytes(path.read_bytes().replace(b"XX", b"\xe9"))
        line = 6 if suffix == ".jsonl" else 7
        with pytest.raises(InputError, match=rf"t\{suffix}, line {line}, is not valid UTF-8"):
            encode_corpus(path)
        found, report = sentences(path, errors="replace")
        assert found[-1] == ["c", "\ufffd", "d"]
        assert report.bytes_replaced == 1


@given(
    st.lists(st.lists(st.text(alphabet='ab"\n,', max_size=6), min_size=1, max_size=3), max_size=6),
    st.integers(1, 9),
)
def test_csv_is_cut_between_rows_alone(rows, size):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    data = out.getvalue().encode()
    blocks = list(whole_rows(data[i : i + size] for i in range(0, len(data), size)))
    assert b"".join(blocks) == data
    parsed = [
        row for block in blocks for row in csv.reader(io.StringIO(block.decode(), newline=""))
    ]
    assert parsed == list(csv.reader(io.StringIO(out.getvalue(), newline="")))
