"""Tags of documents: where they come from, which rows they get, and what is refused."""

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgrad.corpus.corpus import encode_corpus
from wordgrad.corpus.documents import Documents, TagReader, number_words
from wordgrad.errors import FormatError, InputError, ParameterError

FRAME = pl.DataFrame(
    {
        "text": ["a b a", "rare", "b b"],
        "tag": ["q", "r", "q"],
        "id": [30, 20, 30],
        "several": [["q"], ["r", "s"], ["q", "s"]],
    }
)


def tags_of(source, column="text", **options):
    """Of each document that is left its tags, and all tags with their counts."""
    reader = TagReader(options.pop("tag_column", None))
    with encode_corpus(source, min_count=2, column=column, tags=reader, **options) as corpus:
        documents = corpus.documents
        names, offsets = documents.tags.words, documents.offsets
        rows = [documents.rows[a:b] for a, b in pairwise(offsets)]
        assert len(documents) == len(corpus)
        found = [[names[row] for row in one] for one in rows]
        return found, dict(zip(names, documents.tags.counts.tolist(), strict=True))


def test_without_tags_a_document_has_its_number():
    wanted = [["0"], ["2"]], {"0": 1, "1": 1, "2": 1}
    assert tags_of(FRAME["text"].to_list(), column=None) == wanted
    assert tags_of(FRAME) == wanted


WANTED = {
    "tag": ([["q"], ["q"]], {"q": 2, "r": 1}),
    "id": ([["30"], ["30"]], {"30": 2, "20": 1}),
    "several": ([["q"], ["q", "s"]], {"q": 2, "r": 1, "s": 2}),
}


@pytest.mark.parametrize("column", WANTED)
def test_tables_in_memory(column):
    assert tags_of(FRAME, tag_column=column) == WANTED[column]


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
@pytest.mark.parametrize("column", WANTED)
def test_tables_in_files(tmp_path, ending, column):
    if (ending, column) == ("csv", "several"):
        pytest.skip("a cell of CSV holds one tag")
    path = tmp_path / f"table.{ending}"
    write = {"parquet": "write_parquet", "jsonl": "write_ndjson", "csv": "write_csv"}[ending]
    getattr(FRAME.drop("several") if ending == "csv" else FRAME, write)(path)
    assert tags_of(path, tag_column=column) == WANTED[column]


def test_pairs_in_memory_and_made_one_by_one():
    pairs = [("a b a", "x"), ("rare", [7]), ("b b", ["x", 7])]
    wanted = [["x"], ["x", "7"]], {"x": 2, "7": 2}
    assert tags_of(pairs, column=None) == wanted
    assert tags_of(iter(pairs), column=None) == wanted
    words = [(text.split(), tags) for text, tags in pairs]
    assert tags_of((pair for pair in words), column=None) == wanted


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=60))
def test_rows_are_numbered_as_they_are_met(tags):
    texts = [(["a", "b"], one) for one in tags]
    with encode_corpus(texts, min_count=1, tags=TagReader()) as corpus:
        met = list(dict.fromkeys(tag for one in tags for tag in one))
        assert corpus.documents.tags.words == [str(tag) for tag in met]
        assert corpus.documents.rows.tolist() == [met.index(tag) for one in tags for tag in one]
        assert corpus.documents.offsets.tolist() == [0, *_sums(map(len, tags))]


def _sums(lengths):
    total = 0
    for length in lengths:
        total += length
        yield total


def test_many_documents_are_numbered_in_several_goes(monkeypatch):
    monkeypatch.setattr("wordgrad.corpus.documents._DOCUMENTS_AT_ONCE", 7)
    texts = [("a b", [f"t{number % 5}", f"u{number % 11}"]) for number in range(50)]
    found, counts = tags_of(texts, column=None)
    assert found == [[f"t{number % 5}", f"u{number % 11}"] for number in range(50)]
    assert counts["t0"] == 10


@pytest.mark.parametrize("n", [0, 1, 9, 10, 11, 100, 101, 1234])
def test_numbers_as_words(n):
    assert number_words(n).words == [str(number) for number in range(n)]


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([[]], r"A tag of document 1 is of type list; a tag is a string or an integer"),
        ([], "Document 1 has no tag"),
        ({"a"}, "The tags of document 1 are of type set"),
        (None, "The tags of document 1 are of type NoneType"),
        (1.5, "The tags of document 1 are of type float"),
        ([True], "A tag of document 1 is of type bool"),
        ("", "A tag of document 1 is empty"),
        ("\ud800", "A tag holds a lone surrogate"),
    ],
)
def test_tags_that_are_none_are_refused(tags, message):
    with pytest.raises(InputError, match=message):
        encode_corpus([("a b a b", tags)], min_count=1, tags=TagReader())


def test_a_mixture_of_pairs_and_texts_is_refused():
    with pytest.raises(InputError, match="Document 2 has no tags, but the first one has"):
        encode_corpus([("a b", 1), "a b"], min_count=1, tags=TagReader())


def test_a_row_without_a_tag_is_refused(tmp_path):
    FRAME.with_columns(tag=pl.Series(["q", None, "q"])).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="has no tag in row 2, column 'tag'"):
        tags_of(tmp_path / "a.parquet", tag_column="tag")


def test_a_column_that_is_not_there_is_refused(tmp_path):
    FRAME.write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="has no column 'label' of tags"):
        tags_of(tmp_path / "a.parquet", tag_column="label")
    (tmp_path / "a.txt").write_text("a b\n" * 5)
    with pytest.raises(ParameterError, match=r"^tag_column is for \.jsonl"):
        tags_of(tmp_path / "a.txt", column=None, tag_column="label")


def test_tags_are_kept_in_a_file(tmp_path):
    texts = [("a b", ["x", "y"]), ("b a", "y")]
    with encode_corpus(texts, min_count=1, tags=TagReader()) as corpus:
        corpus.documents.write(tmp_path / "tags")
        again = Documents.read(tmp_path / "tags")
        assert again.tags == corpus.documents.tags
        assert again.rows.tolist() == [0, 1, 1]
    damaged = bytearray((tmp_path / "tags").read_bytes())
    damaged[-3] ^= 1
    (tmp_path / "tags").write_bytes(damaged)
    with pytest.raises(FormatError, match="damaged"):
        Documents.read(tmp_path / "tags")
