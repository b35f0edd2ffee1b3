"""Labelled text: every form gives back what was written, and bad lines are named."""

import contextlib
import csv
import gzip
import io
import json
import sys

import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wordgrad.corpus.labelled import (
    FORMS,
    LabelledText,
    guess_form,
    read_labelled,
    read_labelled_blocks,
)
from wordgrad.errors import FormatError, InputError, ParameterError

ROWS = [("good", "a joy, to watch"), ("bad", "dull"), ("so so", 'it "was" long'), ("bad", "")]


def tab(rows):
    return "".join(f"{label}\t{text}\n" for label, text in rows).encode()


def table(rows, form, names=("label", "text")):
    """The same rows, written by other libraries than ours."""
    if form == "jsonl":
        lines = (json.dumps(dict(zip(names, row, strict=True))) for row in rows)
        return "".join(f"{line}\n" for line in lines).encode()
    out = io.StringIO()
    writer = csv.writer(out, delimiter="," if form == "csv" else "\t", lineterminator="\n")
    writer.writerows([names, *rows])
    return out.getvalue().encode()


def write(path, rows, names=("label", "text")):
    kind = path.name.split(".")[1]
    if kind == "parquet":
        pl.DataFrame(rows, schema=names, orient="row").write_parquet(path)
        return path
    data = tab(rows) if kind == "txt" else table(rows, kind, names)
    data = {".gz": gzip.compress, ".zst": zstandard.compress}.get(path.suffix, bytes)(data)
    path.write_bytes(data)
    return path


def pairs(found: LabelledText):
    return list(zip(found.labels, found.texts, strict=True))


NAMES = ["a.txt", "a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.txt.gz", "a.csv.zst", "a.jsonl.gz"]


@pytest.mark.parametrize("name", NAMES)
def test_every_form_gives_the_same(tmp_path, name):
    found = read_labelled(write(tmp_path / name, ROWS))
    assert pairs(found) == ROWS
    assert found.empty_texts == 1


LABELS = st.text(alphabet='ab é中,;"#_0', min_size=1, max_size=6).filter(
    lambda label: label == label.strip()
)
TEXTS = st.text(alphabet="abc é中,;\"'\\{}_ \u2028\x85", max_size=12)


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.tsv", "a.jsonl", "a.parquet"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(rows=st.lists(st.tuples(LABELS, TEXTS), min_size=1, max_size=8))
def test_what_was_written_is_read(tmp_path, name, rows):
    found = read_labelled(write(tmp_path / name, [("first", "row"), *rows]))
    assert pairs(found) == [("first", "row"), *rows]
    assert found.empty_texts == sum(not text.strip() for _, text in rows)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    rows=st.lists(
        st.tuples(st.text(alphabet="abé1,", min_size=1), st.text(alphabet="ab é_", max_size=9)),
        min_size=1,
    )
)
def test_lines_of_fasttext(tmp_path, rows):
    path = tmp_path / "train.txt"
    path.write_text("".join(f"__label__{label} {text}\n" for label, text in rows))
    assert pairs(read_labelled(path)) == [(label, " ".join(text.split())) for label, text in rows]


def test_line_ends_marks_and_blank_lines(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfgood\ta joy\r\n\r\nbad\tdull\tand long\n  \nbad\tlast")
    found = read_labelled(path)
    assert pairs(found) == [("good", "a joy"), ("bad", "dull\tand long"), ("bad", "last")]
    assert found.blank_lines == 2


def test_text_across_lines_is_one_text(tmp_path):
    rows = [("good", "one\ntwo"), ("bad", "three")]
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        assert pairs(read_labelled(write(tmp_path / name, rows))) == rows


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_columns_may_be_named_in_any_order(tmp_path, name):
    path = write(
        tmp_path / name, [("x", "1", "a joy"), ("y", "2", "dull")], ("id", "stars", "body")
    )
    found = read_labelled(path, label_column="stars", text_column="body")
    assert pairs(found) == [("1", "a joy"), ("2", "dull")]


@pytest.mark.parametrize(
    ("names", "given"),
    [
        (("label", "body"), {}),
        (("stars", "text"), {}),
        (("stars", "body"), {"label_column": "stars"}),
        (("stars", "body"), {"text_column": "body"}),
    ],
)
def test_of_two_columns_the_other_one_is_meant(tmp_path, names, given):
    path = write(tmp_path / "a.csv", [("1", "a joy")], names)
    assert pairs(read_labelled(path, **given)) == [("1", "a joy")]


def test_labels_that_are_numbers(tmp_path):
    frame = pl.DataFrame({"label": [1, 0], "text": ["a", "b"]})
    frame.write_parquet(tmp_path / "a.parquet")
    frame.with_columns(label=frame["label"] == 1).write_ndjson(tmp_path / "b.jsonl")
    assert read_labelled(tmp_path / "a.parquet").labels == ["1", "0"]
    assert read_labelled(tmp_path / "b.jsonl").labels == ["true", "false"]
    (tmp_path / "c.csv").write_text("label,text\n007,bond\n1.50,price\n")
    assert read_labelled(tmp_path / "c.csv").labels == ["007", "1.50"]


def test_several_files_and_folders(tmp_path):
    write(tmp_path / "a.txt", ROWS[:2])
    write(tmp_path / "b.jsonl", ROWS[2:])
    assert pairs(read_labelled(tmp_path)) == ROWS
    assert pairs(read_labelled([tmp_path / "b.jsonl", tmp_path / "a.txt"])) == ROWS[2:] + ROWS[:2]
    assert pairs(read_labelled(str(tmp_path / "*.txt"))) == ROWS[:2]


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (tab(ROWS), None),
        (b"__label__good a joy\n", None),
        (table(ROWS, "jsonl"), None),
        (table(ROWS, "tsv"), None),
        (table(ROWS, "csv"), "csv"),
    ],
)
def test_standard_input(monkeypatch, data, form):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert pairs(read_labelled("-", form=form))[0] == (
        "good",
        ROWS[0][1] if b"to" in data else "a joy",
    )


def test_a_form_that_is_named_wins_over_the_suffix(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(tab(ROWS))
    assert pairs(read_labelled(path, form="tab")) == ROWS
    write(tmp_path / "b.parquet", ROWS)
    (tmp_path / "b.parquet").rename(tmp_path / "b.txt")
    assert pairs(read_labelled(tmp_path / "b.txt", form="parquet")) == ROWS


def test_a_table_with_tabs_is_told_from_labels_with_tabs(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(b"good\ta joy\n")
    assert pairs(read_labelled(path)) == [("good", "a joy")]
    path.write_bytes(b"Text\tLABEL\na joy\tgood\n")
    wanted = {"label_column": "LABEL", "text_column": "Text"}
    assert pairs(read_labelled(path, **wanted)) == [("good", "a joy")]


BAD = [
    ("a.txt", b"", {}, InputError, r"a\.txt is empty; give a file"),
    ("a.txt", b"\n  \n", {}, InputError, r"a\.txt is empty"),
    (
        "a.txt",
        b"good a joy\n",
        {},
        FormatError,
        r"form of .*a\.txt cannot be determined: .*--format",
    ),
    ("a.txt", b"good\ta\n\nbad b\n", {}, FormatError, r"a\.txt, line 3, has no tab .*'bad b'"),
    ("a.txt", b"good\ta\n \tb\n", {}, InputError, r"a\.txt, line 2, has no label before its tab"),
    ("a.txt", b"\tb\n", {}, InputError, r"a\.txt, line 1, has no label before its tab"),
    ("a.txt", b"g\ta\nb\t\xff\n", {}, InputError, r"line 2, is not valid UTF-8 .*--errors replace"),
    ("a.txt", b"g\ta\n", {"label_column": "x"}, InputError, r"no column 'x'; its columns are 'g'"),
    ("a.txt", b"__label__g a\n", {"text_column": "x"}, ParameterError, r"leave them out"),
    ("a.txt", b"__label__a x\nno label\n", {}, InputError, r"line 2, has no label: 'no label'"),
    ("a.txt", b"__label__ x\n", {}, InputError, r"line 1, has no label"),
    ("a.txt", b"__label__a __label__b x\n", {}, InputError, r"line 1, has 2 labels \(__label__a"),
    ("a.txt", b"g\ta\n", {"form": "xml"}, ParameterError, r"format must be one of 'tab', .*'xml'"),
    ("a.txt", b"g\ta\n", {"errors": "ignore"}, ParameterError, r"errors must be one of 'strict'"),
    ("a.csv", b"label,text\n", {}, InputError, r"a\.csv has a header and no rows"),
    ("a.csv", b"stars,id,body\n1,2,x\n", {}, InputError, r"no column 'label'.*--label-column"),
    ("a.csv", b"label,id,body\n1,2,x\n", {}, InputError, r"no column 'text'.*--text-column"),
    ("a.csv", b"label,text\n1,x\n", {"text_column": "no"}, InputError, r"no column 'no'; its col"),
    ("a.csv", b"label,text\n1,x\n", {"text_column": "label"}, InputError, r"both label and text"),
    ("a.csv", b"label,text\n1,x\n ,y\n", {}, InputError, r"a\.csv, row 2, has no label"),
    ("a.csv", b"label,text\n1,x\n,y\n", {}, InputError, r"a\.csv, row 2, has no label"),
    (
        "a.csv",
        b"label,text\n1,x,y,z\n",
        {},
        FormatError,
        r"a\.csv is not valid CSV in lines 1 to 2 \(found more",
    ),
    (
        "a.jsonl",
        b'{"label": 1, "text": "x"}\n{"la\n',
        {},
        FormatError,
        r"not valid JSONL in line 2",
    ),
    ("a.jsonl", b'{"label": [1], "text": "x"}\n', {}, InputError, r"'label' of .* holds List"),
    ("a.jsonl", b'{"label": 1, "text": 7}\n', {}, InputError, r"'text' of .* holds Int64, and"),
    (
        "a.jsonl",
        b'{"label": 1, "text": "x"}\n{"text": "y"}',
        {},
        InputError,
        r"row 2, has no label",
    ),
    ("a.parquet", b"PAR1 not really", {}, FormatError, r"a\.parquet cannot be read as Parquet"),
    ("a.parquet.gz", b"PAR1", {}, FormatError, r"is a compressed Parquet file"),
    ("a.txt.gz", gzip.compress(b"g\ta\n" * 99, mtime=0)[:-9], {}, InputError, r"is cut short"),
]


@pytest.mark.parametrize(("name", "data", "options", "kind", "message"), BAD)
def test_what_cannot_be_read_is_named(tmp_path, name, data, options, kind, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(kind, match=message) as caught:
        read_labelled(path, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match=r"There is no file or directory .*none\.tsv"):
        read_labelled(tmp_path / "none.tsv")
    with pytest.raises(InputError, match="Labelled text is read from files"):
        read_labelled(iter(["good\ta joy"]))


def test_replaced_bytes_are_counted(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"good\tna\xefve \xff\n")
    found = read_labelled(path, errors="replace")
    assert pairs(found) == [("good", "na\ufffdve \ufffd")]
    assert found.bytes_replaced == 2


@given(data=st.binary(max_size=60), form=st.sampled_from([None, *FORMS]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_no_bytes_end_in_anything_but_rows_or_a_sentence(tmp_path, data, form):
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    with contextlib.suppress(InputError):
        found = read_labelled(path, form=form, errors="replace")
        assert len(found.texts) == len(found.labels) > 0
        assert all(label.strip() for label in found.labels)


def test_forms_by_content():
    assert guess_form("x", "text", b"\n\n __label__a b\n") == "fasttext"
    assert guess_form("x", "tsv", b"a\tb\n", columns_named=True) == "tsv"
    assert guess_form("x", "csv", b"__label__a,b\n") == "csv"


def test_a_form_error_does_not_hide_what_is_wrong_with_the_columns(tmp_path):
    (tmp_path / "a.csv").write_text("Label,Text\npos,a joy\n")
    message = r"has no column 'label'; name the one .* its columns are 'Label', 'Text'\.$"
    with pytest.raises(InputError, match=message):
        read_labelled(tmp_path / "a.csv")
    (tmp_path / "a.jsonl").write_text('{"text": "a joy", "label": ["pos", "new"]}\n')
    with pytest.raises(InputError, match=r"column 'label' of .* holds List, .* one label a text"):
        read_labelled(tmp_path / "a.jsonl")


class TestHeadersOfTabs:
    @pytest.mark.parametrize("suffix", [".tsv", ".txt"])
    @pytest.mark.parametrize("head", ["sentence\tlabel", "text\tstars", "Text\tLABEL\tid"])
    def test_a_line_of_usual_names_is_a_header(self, tmp_path, head, suffix):
        names = head.split("\t")
        path = tmp_path / f"a{suffix}"
        rows = ["a fine film\t1\t0\n", "dull\t0\t1\n"]
        path.write_text(f"{head}\n" + "".join("\t".join(r.split("\t")[: len(names)]) for r in rows))
        path.write_text(path.read_text().replace("\t1dull", "\t1\ndull"))
        named = {"label_column": "LABEL", "text_column": "Text"} if "LABEL" in names else {}
        assert pairs(read_labelled(path, **named)) == [("1", "a fine film"), ("0", "dull")]

    def test_names_that_do_not_tell_the_columns_are_asked_for(self, tmp_path):
        path = tmp_path / "a.tsv"
        path.write_text("sentiment\treview\npos\ta fine film\nneg\tdull\n")
        with pytest.raises(InputError, match=r"no column 'label'.*'sentiment', 'review'"):
            read_labelled(path)
        wanted = [("pos", "a fine film"), ("neg", "dull")]
        assert pairs(read_labelled(path, label_column="sentiment")) == wanted
        assert pairs(read_labelled(path, form="tab")) == [("sentiment", "review"), *wanted]

    def test_an_example_of_usual_words_is_none(self, tmp_path):
        path = tmp_path / "a.tsv"
        path.write_text("review\tgreat text and label\nlabel\ta text\n")
        assert read_labelled(path).labels == ["review", "label"]

    def test_texts_in_the_place_of_labels_are_refused(self, tmp_path):
        path = tmp_path / "a.txt"
        path.write_text("".join(f"text number {i}\t{i % 2}\n" for i in range(40)))
        message = r"40 different labels in 40 lines, and 2 different texts.*form='tab'"
        with pytest.raises(FormatError, match=message):
            read_labelled(path)
        assert len(set(read_labelled(path, form="tab").labels)) == 40
        # Many classes may be meant, and even many of one text.
        path.write_text("".join(f"class {i}\ta text\n" for i in range(40)))
        assert len(set(read_labelled(path).labels)) == 40
        path.write_text("".join(f"class {i}\ttext number {i}\n" for i in range(40)))
        assert len(set(read_labelled(path).labels)) == 40


def test_another_prefix_of_labels(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("#good a joy\ndull #bad\n")
    assert pairs(read_labelled(path, label_prefix="#")) == [("good", "a joy"), ("bad", "dull")]
    with pytest.raises(FormatError, match="nor a label of fastText, '__label__x'"):
        read_labelled(path)
    path.write_text("#good #new a joy\n")
    with pytest.raises(InputError, match="line 1, has 2 labels"):
        read_labelled(path, label_prefix="#")
    for prefix in ("", "a b", None):
        with pytest.raises(ParameterError, match="label_prefix must be a string without white"):
            read_labelled(path, label_prefix=prefix)


def test_a_table_cannot_hold_more_than_it_says(tmp_path, monkeypatch):
    """What the reader of training text refuses, this one does: there is but one."""
    path = tmp_path / "a.csv"
    path.write_text("text,label" + ",x" * 100_001 + "\n")
    with pytest.raises(InputError, match="100003 columns in its first line"):
        read_labelled(path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"PAR1")))
    with pytest.raises(FormatError, match="Parquet cannot come through standard input"):
        read_labelled("-", form="parquet")


def test_rows_are_counted_across_blocks(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("label,text\n" + "good,a joy to watch and to hear\n" * 100_000 + ",dull\n")
    with pytest.raises(InputError, match=r"a\.csv, row 100001, has no label"):
        read_labelled(path)


def test_several_labels_a_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("__label__a __label__b x y\nz __label__c __label__c\n\n__label__a\n")
    found = read_labelled(path, several=True)
    assert found.labels == [("a", "b"), ("c",), ("a",)]
    assert found.texts == ["x y", "z", ""]
    assert (found.empty_texts, found.blank_lines) == (1, 1)
    with pytest.raises(InputError, match="line 1, has 2 labels"):
        read_labelled(path)
    path.write_text("__label__a __label__ x\n")
    with pytest.raises(InputError, match="line 1, has no label"):
        read_labelled(path, several=True)


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_several_labels_in_a_cell(tmp_path, name):
    path = write(tmp_path / name, [("a|b", "x"), ("c", "y"), ("b||a | b", "z")])
    found = read_labelled(path, several=True, separator="|")
    assert found.labels == [("a", "b"), ("c",), ("b", "a")]
    assert read_labelled(path, several=True).labels == [("a|b",), ("c",), ("b||a | b",)]
    assert read_labelled(path).labels == ["a|b", "c", "b||a | b"]


def test_a_separator_goes_with_several_labels(tmp_path):
    for options in ({"separator": "|"}, {"several": True, "separator": ""}):
        with pytest.raises(ParameterError, match="separator must be"):
            read_labelled(tmp_path, **options)
    with pytest.raises(ParameterError, match="several must be"):
        read_labelled(tmp_path, several="yes")


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.parquet"])
def test_blocks_are_the_whole(tmp_path, name, monkeypatch):
    monkeypatch.setattr("wordgrad.corpus.labelled._ROWS_AT_ONCE", 7)
    rows = [(f"label {i % 3}", f"text {i}") for i in range(40)]
    write(tmp_path / name, rows)
    write(tmp_path / f"b{name}", rows)
    found = list(read_labelled_blocks(tmp_path))
    assert len(found) >= (12 if name == "a.txt" else 2)
    assert [pair for part in found for pair in pairs(part)] == rows + rows
